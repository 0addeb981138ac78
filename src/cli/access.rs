//! Reaching engines and registries: the options for it, and what the environment and the configs of docker and podman say.

use anyhow::{Context, Result, bail};
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use pentimento::digest::Digest;
use pentimento::image::platform::Platform;
use pentimento::net::Trust;
use pentimento::source::Source;
use pentimento::source::access::Access;
use pentimento::source::daemon::{Daemon, Endpoint};
use pentimento::source::reference::{HUB_LOGIN, Reference};
use pentimento::source::registry::Credential;
use pentimento::source::target::{Engine, Target};
use serde_json::Value;
use std::env;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

/// The longest password. In bytes.
const LONGEST: u64 = 64 << 10;

/// Options for what is not on this machine's disk.
#[derive(clap::Args, Clone)]
#[command(next_help_heading = "Registries and engines")]
pub struct AccessArgs {
    /// All tags of the repository `registry://HOST/REPOSITORY`, or of all repositories of `registry://HOST`
    #[arg(long)]
    all_tags: bool,
    /// Who asks the registry; the password comes with --password-stdin, or in PENTIMENTO_PASSWORD
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Read the password for --username from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// Read a token for the registry from standard input, and show it as it is (also: PENTIMENTO_TOKEN)
    #[arg(long, conflicts_with_all = ["username", "password_stdin"])]
    token_stdin: bool,
    /// Do not read the logins of docker and podman, and run no credential helper
    #[arg(long)]
    no_credentials: bool,
    /// Ask this registry (HOST or HOST:PORT) without TLS too, and whatever its certificate is. No other is asked so
    #[arg(long, value_name = "HOST", value_parser = host)]
    insecure: Vec<String>,
    /// Trust the authorities in this PEM file, in place of Mozilla's
    #[arg(long, value_name = "FILE")]
    ca_cert: Vec<PathBuf>,
    /// Where docker listens (unix://, tcp://, ssh://), in place of DOCKER_HOST and contexts
    #[arg(long, value_name = "ADDRESS", overrides_with_all = ["docker_host", "docker_context"])]
    docker_host: Option<String>,
    /// The docker context that says where docker listens, in place of DOCKER_CONTEXT and the one in use
    #[arg(long, value_name = "NAME", overrides_with_all = ["docker_host", "docker_context"])]
    docker_context: Option<String>,
    /// Ask nothing beyond this machine, whatever the target says
    #[arg(long)]
    offline: bool,
    /// What came on standard input: it comes once.
    #[arg(skip)]
    given: Arc<Mutex<Option<Option<Credential>>>>,
    /// The registry that it is for, if there is one.
    #[arg(skip)]
    meant_for: Arc<OnceLock<Option<String>>>,
}

impl AccessArgs {
    /// Whether standard input is taken.
    pub fn takes_stdin(&self) -> bool {
        self.password_stdin || self.token_stdin
    }

    /// What was given to show to a registry is for that of the first target that is in one, and for no base.
    pub fn reserve(&self, targets: &[String]) {
        let _ = self.meant_for.set(targets.iter().find_map(|target| registry_of(target)));
    }

    /// An engine, ready to be asked.
    pub fn daemon(&self, engine: Engine, stop: &Arc<AtomicUsize>) -> io::Result<Daemon> {
        let endpoint = if engine == Engine::Docker { self.docker() } else { podman() };
        Daemon::reach(&endpoint, self.offline, stop)
    }

    /// Opens a target, wherever it is.
    pub fn open(
        &self,
        target: &str,
        platform: Option<&Platform>,
        limits: &pentimento::limits::Limits,
        stop: &Arc<AtomicUsize>,
    ) -> Result<Source> {
        if self.all_tags && !matches!(Target::parse(target), Ok(Target::Registry(Reference { tag: None, digest: None, .. }))) {
            bail!("--all-tags is for a repository without a tag (registry://HOST/REPOSITORY), or a registry: {target} is none");
        }
        // What is on the disk needs none of it.
        if Target::parse(target).is_ok_and(|target| target.is_here()) {
            return Ok(Source::open(target, limits)?);
        }
        let authorities = self.ca_cert.iter().map(|path| {
            let text = fs::read(path).with_context(|| format!("--ca-cert: cannot read {}", path.display()))?;
            match String::from_utf8_lossy(&text).contains("-----BEGIN CERTIFICATE") {
                true => Ok(text),
                false => bail!("--ca-cert: there is no certificate in {}", path.display()),
            }
        });
        if let Some(registry) = registry_of(target) {
            self.meant_for.get_or_init(|| Some(registry));
        }
        let given = self.given()?;
        let fits = |descriptor: &Value| match (platform, Platform::of(descriptor)) {
            (Some(wanted), Some(platform)) => platform.fits(wanted),
            _ => true,
        };
        let access = Access {
            docker: self.docker(),
            podman: podman(),
            trust: Trust { insecure: self.insecure.clone(), authorities: authorities.collect::<Result<_>>()?, client: None },
            credentials: &|host: &str, repository: &str| self.credential(host, repository, given.clone(), stop),
            all_tags: self.all_tags,
            platform: &fits,
            offline: self.offline,
            stop: stop.clone(),
        };
        Ok(access.open(target, limits)?)
    }

    /// Where docker listens: what was asked for, else `DOCKER_HOST`, else the context in use, else the usual socket.
    fn docker(&self) -> Result<Endpoint, String> {
        let given = self.docker_host.clone().or_else(|| variable("DOCKER_HOST").filter(|_| self.docker_context.is_none()));
        if let Some(host) = given {
            let certificates = variable("DOCKER_CERT_PATH").map(PathBuf::from).or_else(docker_folder).unwrap_or_default();
            let tls = variable("DOCKER_TLS_VERIFY").is_some() || variable("DOCKER_TLS").is_some();
            return endpoint(Engine::Docker, &host, tls.then_some(certificates.as_path()), variable("DOCKER_TLS_VERIFY").is_none());
        }
        let config: Option<Value> = docker_config().and_then(|path| serde_json::from_slice(&fs::read(path).ok()?).ok());
        let current = config.as_ref().and_then(|config| config.get("currentContext")?.as_str()).map(str::to_owned);
        let name = self.docker_context.clone().or_else(|| variable("DOCKER_CONTEXT")).or(current);
        match name.filter(|name| name != "default") {
            Some(name) => context(&name),
            None => Ok(Endpoint::Socket("/var/run/docker.sock".into())),
        }
    }

    /// What was given on standard input or in the environment.
    fn given(&self) -> Result<Option<Credential>> {
        // Whoever else needs it waits.
        let mut kept = self.given.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(given) = &*kept {
            return Ok(given.clone());
        }
        let mut text = String::new();
        if self.takes_stdin() {
            io::stdin().take(LONGEST).read_to_string(&mut text).context("standard input")?;
        }
        let line = text.trim_end_matches(['\r', '\n']).to_owned();
        let given = match (&self.username, variable("PENTIMENTO_TOKEN")) {
            _ if self.takes_stdin() && line.is_empty() => bail!("there is nothing on standard input"),
            _ if self.token_stdin => Some(Credential::Bearer(line)),
            (Some(name), _) if self.password_stdin => Some(Credential::Basic(name.clone(), line)),
            (Some(name), _) => match variable("PENTIMENTO_PASSWORD") {
                Some(password) => Some(Credential::Basic(name.clone(), password)),
                None => bail!("--username needs a password: --password-stdin, or PENTIMENTO_PASSWORD"),
            },
            (None, None) if variable("PENTIMENTO_PASSWORD").is_some() => {
                bail!("PENTIMENTO_PASSWORD needs a name: --username, or PENTIMENTO_USERNAME")
            }
            (None, token) => token.map(Credential::Bearer),
        };
        Ok(kept.insert(given).clone())
    }

    /// What to show to a registry. What was given is for one of them; others have logins of their own.
    fn credential(&self, host: &str, repository: &str, given: Option<Credential>, stop: &AtomicUsize) -> io::Result<Option<Credential>> {
        if given.is_some() && self.meant_for.get().and_then(Option::as_deref) == Some(host) {
            return Ok(given);
        }
        if self.no_credentials {
            return Ok(None);
        }
        match login_within(host, repository, stop)? {
            Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Credential::Identity(token))),
            Ok(DockerCredential::UsernamePassword(name, token)) if name == "<token>" => Ok(Some(Credential::Identity(token))),
            Ok(DockerCredential::UsernamePassword(name, password)) => Ok(Some(Credential::Basic(name, password))),
            Err(e) if is_absence(&e) => Ok(None),
            // What a helper printed is not repeated: it may be what it should have kept.
            Err(CredentialRetrievalError::HelperCommunicationError) => {
                Err(io::Error::other(format!("the credential helper for {host} cannot be run (--no-credentials does without)")))
            }
            Err(CredentialRetrievalError::HelperFailure { helper, .. }) => {
                Err(io::Error::other(format!("the credential helper {helper} failed (--no-credentials does without)")))
            }
            Err(e) => Err(io::Error::other(format!("the login for {host}: {e} (--no-credentials does without)"))),
        }
    }
}

/// What the login of the registry is kept under that a target names: in its address, or as the host of a bare name. (A bare name without a host
/// may be a path with a slip of the pen.)
fn registry_of(target: &str) -> Option<String> {
    let reference = match Target::parse(target) {
        Ok(Target::Registry(reference)) => reference,
        Ok(Target::Name(name)) => Reference::parse(&name).ok().filter(|reference| reference.credentials_of() != HUB_LOGIN)?,
        _ => return None,
    };
    Some(reference.credentials_of().to_owned())
}

/// The same as [`login`], for as long as a helper may take.
fn login_within(host: &str, repository: &str, stop: &AtomicUsize) -> io::Result<Result<DockerCredential, CredentialRetrievalError>> {
    const LONGEST: Duration = Duration::from_secs(60);
    const STEP: Duration = Duration::from_millis(50);
    let (tell, told) = mpsc::channel();
    let (host, repository) = (host.to_owned(), repository.to_owned());
    std::thread::spawn(move || tell.send(login(&host, &repository)));
    let started = Instant::now();
    loop {
        match told.recv_timeout(STEP) {
            Ok(found) => return Ok(found),
            Err(_) if stop.load(Ordering::Relaxed) != 0 => return Err(io::Error::other("stopped while waiting for a credential helper")),
            Err(_) if started.elapsed() > LONGEST => {
                return Err(io::Error::other("the credential helper does not answer (--no-credentials does without)"));
            }
            Err(_) => {}
        }
    }
}

/// What docker's config has, else what podman's has. Docker Hub has two names; podman keeps logins for parts of a registry, too.
fn login(host: &str, repository: &str) -> Result<DockerCredential, CredentialRetrievalError> {
    let other = other_name(host).map(str::to_owned);
    let plain = other.clone().unwrap_or_else(|| host.to_owned());
    let parts = repository.match_indices('/').map(|(at, _)| &repository[..at]).chain([repository]).filter(|part| !part.is_empty());
    let mut within: Vec<String> = parts.map(|part| format!("{plain}/{part}")).collect();
    within.reverse();
    let docker = docker_config().into_iter().map(|config| (config, &[][..]));
    for (config, within) in docker.chain(podman_configs().into_iter().map(|config| (config, &within[..]))) {
        let text = match fs::read(&config) {
            Ok(text) if !text.trim_ascii().is_empty() => text,
            Ok(_) => continue,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(_) => return Err(CredentialRetrievalError::ConfigReadError),
        };
        for host in within.iter().cloned().chain([host.to_owned()]).chain(other.clone()) {
            match get_credential_from_reader(&text[..], &host) {
                Err(e) if is_absence(&e) => {}
                found => return found,
            }
        }
    }
    Err(CredentialRetrievalError::NoCredentialConfigured)
}

/// What podman keeps a login for Docker Hub under.
fn other_name(host: &str) -> Option<&'static str> {
    (host == HUB_LOGIN).then_some("docker.io")
}

/// There is no login, which is no error: most images need none.
fn is_absence(e: &CredentialRetrievalError) -> bool {
    match e {
        CredentialRetrievalError::HelperFailure { stdout, .. } => stdout.contains("credentials not found"),
        _ => matches!(e, CredentialRetrievalError::NoCredentialConfigured | CredentialRetrievalError::ConfigNotFound),
    }
}

/// `HOST` or `HOST:PORT`.
fn host(text: &str) -> Result<String, String> {
    match Reference::parse(&format!("{text}/x")) {
        Ok(reference) if reference.host.eq_ignore_ascii_case(text) && !text.contains(['/', ',']) => Ok(text.to_owned()),
        _ => Err("it is not HOST or HOST:PORT".to_owned()),
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The folder of docker's own files. Without a home there is none: what lies in the working directory does not count.
fn docker_folder() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(variable("HOME").filter(|home| home.starts_with('/'))?).join(".docker"));
    variable("DOCKER_CONFIG").map(PathBuf::from).or_else(home)
}

fn docker_config() -> Option<PathBuf> {
    Some(docker_folder()?.join("config.json"))
}

/// Podman's logins (containers-auth.json(5)).
fn podman_configs() -> Vec<PathBuf> {
    if let Some(path) = variable("REGISTRY_AUTH_FILE") {
        return vec![path.into()];
    }
    let own = variable("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join("containers/auth.json"));
    let home = variable("HOME").filter(|home| home.starts_with('/')).map(|home| PathBuf::from(home).join(".config/containers/auth.json"));
    own.into_iter().chain(home).collect()
}

/// What `docker context` keeps: a folder whose name is the SHA-256 of the context's.
fn context(name: &str) -> Result<Endpoint, String> {
    let id = Digest::sha256(name.as_bytes()).encoded();
    let contexts = docker_folder().ok_or("there is no home, and so no context")?.join("contexts");
    let text =
        fs::read(contexts.join("meta").join(&id).join("meta.json")).map_err(|e| format!("the context {name} cannot be read: {e}"))?;
    let meta: Value = serde_json::from_slice(&text).map_err(|_| format!("the context {name} is not JSON"))?;
    let docker = meta.pointer("/Endpoints/docker").ok_or_else(|| format!("the context {name} has no docker"))?;
    let host = docker.get("Host").and_then(Value::as_str).ok_or_else(|| format!("the context {name} names no host"))?;
    let certificates = contexts.join("tls").join(&id).join("docker");
    let loose = docker.get("SkipTLSVerify").and_then(Value::as_bool).unwrap_or(false);
    endpoint(Engine::Docker, host, Some(certificates.as_path()).filter(|path| path.exists()), loose)
}

/// Where podman listens: `CONTAINER_HOST`, else the user's socket, else the machine's.
fn podman() -> Result<Endpoint, String> {
    if let Some(host) = variable("CONTAINER_HOST") {
        return endpoint(Engine::Podman, &host, None, false);
    }
    let own = variable("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join("podman/podman.sock")).filter(|path| path.exists());
    Ok(Endpoint::Socket(own.unwrap_or_else(|| PathBuf::from("/run/podman/podman.sock"))))
}

/// The command that leads to an engine on another machine, as docker's own client runs it. What could be taken for an option of ssh's is
/// refused.
fn ssh(engine: Engine, address: &str) -> Option<Vec<String>> {
    let (place, socket) = address.split_once('/').map_or((address, ""), |(place, socket)| (place, socket));
    let (user, place) = place.rsplit_once('@').map_or((None, place), |(user, place)| (Some(user), place));
    let (host, port) = match place.strip_prefix('[').and_then(|place| place.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let is_word = |word: &str| !word.is_empty() && !word.starts_with('-') && !word.contains(|c: char| c.is_whitespace() || c.is_control());
    let is_socket = |path: &str| path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
    if !is_word(host) || user.is_some_and(|user| !is_word(user) || user.contains(':')) || !is_socket(socket) {
        return None;
    }
    let mut words = vec!["ssh".to_owned(), "-T".to_owned(), "-o".to_owned(), "ConnectTimeout=30".to_owned()];
    words.extend(user.into_iter().flat_map(|user| ["-l".to_owned(), user.to_owned()]));
    if let Some(port) = port {
        words.extend(["-p".to_owned(), port.parse::<u16>().ok()?.to_string()]);
    }
    words.extend(["--".to_owned(), host.to_owned(), engine.as_str().to_owned()]);
    if !socket.is_empty() {
        let option = if engine == Engine::Docker { "--host" } else { "--url" };
        words.extend([option.to_owned(), format!("unix:///{socket}")]);
    }
    words.extend(["system".to_owned(), "dial-stdio".to_owned()]);
    Some(words)
}

/// A host as docker writes it. With `certificates`, TLS is spoken.
fn endpoint(engine: Engine, host: &str, certificates: Option<&Path>, loose: bool) -> Result<Endpoint, String> {
    if host.starts_with(['/', '.']) || host.is_empty() {
        return Err(format!("{host}: an engine is at unix://SOCKET, tcp://HOST:PORT or ssh://HOST"));
    }
    let (scheme, rest) = host.split_once("://").unwrap_or(("tcp", host));
    match scheme {
        "unix" if rest.is_empty() => Err(format!("{host}: it names no socket")),
        "unix" => Ok(Endpoint::Socket(rest.into())),
        "tcp" | "http" | "https" => {
            let rest = rest.trim_end_matches('/');
            let tls = certificates.is_some() || scheme == "https";
            let read = |name: &str| match certificates.map(|path| path.join(name)).filter(|path| path.exists()) {
                Some(path) => fs::read(&path).map(Some).map_err(|e| format!("{}: {e}", path.display())),
                None => Ok(None),
            };
            if let Some(path) = certificates.filter(|path| !path.is_dir()) {
                return Err(format!("{}: there is no such folder of certificates (DOCKER_CERT_PATH)", path.display()));
            }
            let client = match (read("cert.pem")?, read("key.pem")?) {
                (Some(certificate), Some(key)) => Some((certificate, key)),
                (None, None) => None,
                _ => return Err("of cert.pem and key.pem one is missing (DOCKER_CERT_PATH)".to_owned()),
            };
            let has_port = rest.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
            let port = if tls { ":2376" } else { ":2375" };
            let rest = &format!("{rest}{}", if has_port || scheme != "tcp" { "" } else { port });
            let insecure = if loose || !tls { vec![rest.clone()] } else { Vec::new() };
            let trust = Trust { insecure, authorities: read("ca.pem")?.into_iter().collect(), client };
            Ok(Endpoint::Host(format!("{}://{rest}", if tls { "https" } else { "http" }), trust))
        }
        "ssh" => ssh(engine, rest).map(Endpoint::Through).ok_or_else(|| format!("{host}: it is not ssh://[USER@]HOST[:PORT][/SOCKET]")),
        _ => Err(format!("{host}: {scheme}:// is not supported: use a pipe (`docker save IMAGE | pentimento scan -`)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_like_that_of_the_hub_is_another_one() {
        assert_eq!(other_name(HUB_LOGIN), Some("docker.io"));
        for other in ["index.docker.io.example.org:5000", "x.index.docker.io", "docker.io"] {
            assert_eq!(other_name(other), None, "{other}");
        }
        let meant = |target: &str| registry_of(target);
        assert_eq!(meant("registry://ghcr.io/a/b:v1").as_deref(), Some("ghcr.io"));
        assert_eq!(meant("ghcr.io/a/b:v1").as_deref(), Some("ghcr.io"));
        assert_eq!((meant("build/slip"), meant("alpine:3"), meant("docker://app"), meant("app.tar")), (None, None, None, None));
        assert_eq!(meant("registry://alpine:3").as_deref(), Some(HUB_LOGIN));
    }

    #[test]
    fn ssh_is_asked_as_docker_asks_it() {
        let words = |engine, address: &str| ssh(engine, address).map(|words| words[4..].join(" "));
        let told = |text: &str| Some(text.to_owned());
        assert_eq!(words(Engine::Docker, "me@box:2222"), told("-l me -p 2222 -- box docker system dial-stdio"));
        assert_eq!(words(Engine::Docker, "box/run/d.sock"), told("-- box docker --host unix:///run/d.sock system dial-stdio"));
        let podman = "-l core -- ::1 podman --url unix:///run/user/1000/podman/podman.sock system dial-stdio";
        assert_eq!(words(Engine::Podman, "core@[::1]/run/user/1000/podman/podman.sock"), told(podman));
        for wrong in ["", "-oProxyCommand=x", "-l@box", "me@", "box:x", "box/a;b", "me:pass@box", "a b"] {
            assert_eq!(ssh(Engine::Docker, wrong), None, "{wrong}");
        }
    }
}
