//! HTTP, for the targets that ask for it. Nothing else in the crate opens a connection.
//!
//! Redirects are followed here and not by the library: credentials go to the host that they are for and to no other, and each host is
//! trusted as far as it was said of that host.

#[cfg(unix)]
mod unix;

use std::io::{self, Read};
#[cfg(unix)]
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use ureq::http::{HeaderMap, Request, Uri};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, SendBody};

pub use ureq::http::Method;

/// Redirects that are followed.
const MOST_REDIRECTS: usize = 10;
/// Tries of a request that fails for a reason that may pass.
pub const MOST_TRIES: u32 = 6;
/// The longest that a server may ask us to wait, in seconds.
const LONGEST_WAIT: u64 = 60;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How long a server on the network may be silent that has nothing to prepare.
pub const SILENCE: Duration = Duration::from_secs(60);
/// How often whoever waits looks whether everything is to end.
const STEP: Duration = Duration::from_millis(50);

/// Whom to trust, and how far.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Hosts (with their port, if they have one) that may be asked without TLS, and with certificates that nobody vouches for.
    pub insecure: Vec<String>,
    /// Certificates of authorities, PEM, in place of Mozilla's.
    pub authorities: Vec<Vec<u8>>,
    /// Our own certificate and key, PEM, for hosts that ask for one.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

impl Trust {
    /// Whether `host` may be asked without TLS: it was said so, or it is this machine.
    pub fn is_insecure(&self, host: &str) -> bool {
        self.names(host) || is_loopback(host)
    }

    /// Whether it was said of `host`.
    fn names(&self, host: &str) -> bool {
        self.insecure.iter().any(|insecure| insecure.eq_ignore_ascii_case(host))
    }
}

/// Whether a host, perhaps with a port, is this machine by its name.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Asks hosts.
#[derive(Debug, Clone)]
pub struct Client {
    strict: Agent,
    loose: Agent,
    trust: Trust,
    stop: Arc<AtomicUsize>,
    /// As long as somebody has it, connections end when `stop` says so.
    watched: Arc<()>,
}

/// An answer.
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// It came from the host that was asked, and not from one that this led to.
    pub at_home: bool,
    headers: HeaderMap,
    /// What follows the headers.
    pub body: Box<dyn Read + Send>,
}

impl Reply {
    /// A header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All headers of a name.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    /// The body, if it has at most `most` bytes.
    pub fn bytes(self, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.body.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(io::Error::other(format!("the answer has more than {most} bytes")));
        }
        Ok(bytes)
    }
}

/// What is asked.
pub struct Ask<'a> {
    /// `GET`, `HEAD` or, if there is a form, `POST`.
    pub method: Method,
    /// `http://` or `https://`.
    pub url: &'a str,
    /// Besides the usual ones. `authorization` is sent to the host of `url` only.
    pub headers: &'a [(&'a str, &'a str)],
    /// What is posted.
    pub form: Option<&'a str>,
}

impl<'a> Ask<'a> {
    /// Asks for what is at `url`.
    pub fn get(url: &'a str, headers: &'a [(&'a str, &'a str)]) -> Ask<'a> {
        Ask { method: Method::GET, url, headers, form: None }
    }
}

impl Client {
    /// A client for hosts, which may be silent for so long. `stop`, once it is not 0, ends waiting.
    pub fn new(trust: Trust, silence: Option<Duration>, stop: Arc<AtomicUsize>) -> io::Result<Client> {
        let [strict, loose] = [false, true].map(|loose| {
            let tls = tls(&trust, loose)?;
            let config = Agent::config_builder().timeout_per_read(silence).timeout_recv_response(silence);
            Ok::<_, io::Error>(shared(config).tls_config(tls).build().new_agent())
        });
        Ok(Client { strict: strict?, loose: loose?, trust, stop, watched: Arc::default() }.watched())
    }

    /// A client for whatever listens at a socket of this machine. It may be silent for as long as it likes.
    #[cfg(unix)]
    pub fn local(socket: &Path, stop: Arc<AtomicUsize>) -> Client {
        Client::by(unix::Way::Socket(socket.to_owned()), stop)
    }

    /// The same for what a program (its name and arguments) leads to, as `ssh` does.
    #[cfg(unix)]
    pub fn through(program: &[String], stop: Arc<AtomicUsize>) -> Client {
        Client::by(unix::Way::Program(program.to_owned()), stop)
    }

    #[cfg(unix)]
    fn by(way: unix::Way, stop: Arc<AtomicUsize>) -> Client {
        let config = shared(Agent::config_builder()).proxy(None).build();
        let agent = Agent::with_parts(config, way, unix::Nowhere);
        let trust = Trust { insecure: vec!["socket".to_owned()], ..Trust::default() };
        Client { strict: agent.clone(), loose: agent, trust, stop, watched: Arc::default() }.watched()
    }

    /// Has a thread end what it waits for once that is wanted.
    fn watched(self) -> Client {
        let (stop, alive, agents) = (self.stop.clone(), Arc::downgrade(&self.watched), [self.strict.clone(), self.loose.clone()]);
        std::thread::spawn(move || {
            while alive.strong_count() > 0 {
                if stop.load(Ordering::Relaxed) != 0 {
                    return agents.into_iter().for_each(Agent::shutdown);
                }
                std::thread::sleep(STEP);
            }
        });
        self
    }

    /// The host that a client for a socket is asked for.
    pub const SOCKET: &'static str = "http://socket";

    /// Whom it trusts.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Asks, and asks again where the reason why it failed may pass: a cut connection, 429 and some of the 5xx. Whatever status comes in the
    /// end is an answer.
    pub fn ask(&self, ask: &Ask) -> io::Result<Reply> {
        let mut tries = 0;
        loop {
            tries += 1;
            let wait = match self.follow(ask) {
                Ok(reply) if tries < MOST_TRIES && matches!(reply.status, 408 | 429 | 500 | 502 | 503 | 504) => reply
                    .header("retry-after")
                    .and_then(|seconds| seconds.trim().parse().ok())
                    .map(|s: u64| Duration::from_secs(s.min(LONGEST_WAIT))),
                Err(_) if self.is_stopped() => return Err(stopped()),
                // Who was silent for a minute is asked once more.
                Err(e) if e.kind() == io::ErrorKind::TimedOut && tries >= 2 => return Err(e),
                Err(e) if tries < MOST_TRIES && may_pass(&e) => None,
                result => return result,
            };
            self.wait(wait.unwrap_or_else(|| back_off(tries)))?;
        }
    }

    /// Whether a server speaks TLS, be it with a certificate that nobody vouches for; asked once.
    pub fn speaks_tls(&self, url: &str) -> bool {
        self.follow(&Ask::get(url, &[])).map_or_else(|e| e.kind() == io::ErrorKind::InvalidData, |_| true)
    }

    /// Whether everything is to end.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) != 0
    }

    /// Waits, unless everything is to end.
    pub fn wait(&self, time: Duration) -> io::Result<()> {
        let mut left = time;
        while !left.is_zero() {
            if self.is_stopped() {
                return Err(stopped());
            }
            let step = left.min(STEP);
            std::thread::sleep(step);
            left -= step;
        }
        Ok(())
    }

    /// One try, with its redirects.
    fn follow(&self, ask: &Ask) -> io::Result<Reply> {
        let mut url = ask.url.to_owned();
        let home = authority(&url)?;
        for _ in 0..=MOST_REDIRECTS {
            let at_home = authority(&url)? == home;
            let reply = self.once(ask, &url, at_home)?;
            // What is posted is for the host that was asked.
            let redirected = matches!(reply.status, 301 | 302 | 303 | 307 | 308) && ask.form.is_none();
            match reply.header("location").filter(|_| redirected) {
                Some(location) => url = joined(&url, location)?,
                None => return Ok(reply),
            }
            // Not even to this machine: what listens here may trust whoever can reach it.
            let (scheme, host) = authority(&url)?;
            if home.0 == "https" && scheme == "http" && !self.trust.names(&host) {
                return Err(io::Error::other(format!("{}: it redirects to {}, which is not encrypted", shown(ask.url), shown(&url))));
            }
        }
        Err(io::Error::other(format!("{}: it redirects on and on", shown(ask.url))))
    }

    fn once(&self, ask: &Ask, url: &str, at_home: bool) -> io::Result<Reply> {
        let wrong = |e: String| io::Error::other(format!("{}: {e}", shown(url)));
        let uri: Uri = url.parse().map_err(|_| wrong("no address".to_owned()))?;
        let host = uri.authority().map(|a| a.as_str().to_owned()).unwrap_or_default();
        let insecure = self.trust.is_insecure(&host);
        if uri.scheme_str() != Some("https") && !insecure {
            return Err(wrong(format!("refused: it is not encrypted (--insecure {host} would allow that)")));
        }
        let mut request = Request::builder().method(ask.method.clone()).uri(uri);
        for (name, value) in ask.headers.iter().filter(|(name, _)| at_home || !name.eq_ignore_ascii_case("authorization")) {
            request = request.header(*name, *value);
        }
        if ask.form.is_some() {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        let agent = if self.trust.names(&host) { &self.loose } else { &self.strict };
        let body = match ask.form {
            Some(form) => SendBody::from_owned_reader(io::Cursor::new(form.to_owned())),
            None => SendBody::none(),
        };
        let mut request = request.body(body).map_err(|e| wrong(e.to_string()))?;
        if is_loopback(&host) {
            // A proxy would lead to another machine than this one.
            request = agent.configure_request(request).proxy(None).build();
        }
        let answer = agent.run(request).map_err(|e| told(e, url))?;
        let (parts, body) = answer.into_parts();
        let body = Box::new(Body { reader: body.into_with_config().limit(u64::MAX).reader(), _watched: self.watched.clone() });
        Ok(Reply { status: parts.status.as_u16(), at_home, headers: parts.headers, body })
    }
}

/// A body, which can be ended as long as it is read.
struct Body<R> {
    reader: R,
    _watched: Arc<()>,
}

impl<R: Read> Read for Body<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buf)
    }
}

fn stopped() -> io::Error {
    io::Error::other("stopped while waiting for an answer")
}

/// Whether two addresses lead to the same server.
pub fn same_server(one: &str, other: &str) -> bool {
    matches!((authority(one), authority(other)), (Ok(one), Ok(other)) if one == other)
}

/// How long to wait before the next try.
pub fn back_off(tries: u32) -> Duration {
    Duration::from_millis(250 << tries.min(5))
}

/// What all agents have in common.
fn shared(config: ureq::config::ConfigBuilder<ureq::typestate::AgentScope>) -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    let agent = concat!("pentimento/", env!("CARGO_PKG_VERSION"));
    config.http_status_as_error(false).max_redirects(0).max_redirects_will_error(false).user_agent(agent).timeout_connect(Some(CONNECT))
}

fn tls(trust: &Trust, loose: bool) -> io::Result<TlsConfig> {
    let wrong = |e: ureq::Error| io::Error::other(format!("a certificate cannot be read: {e}"));
    let mut roots: Vec<Certificate> = Vec::new();
    for pem in &trust.authorities {
        for item in parse_pem(pem) {
            if let PemItem::Certificate(certificate) = item.map_err(wrong)? {
                roots.push(certificate);
            }
        }
    }
    let client = match &trust.client {
        Some((chain, key)) => {
            let chain: Vec<Certificate> = parse_pem(chain)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            Some(ClientCert::new_with_certs(&chain, PrivateKey::from_pem(key).map_err(wrong)?))
        }
        None => None,
    };
    let roots = match roots.is_empty() {
        true => RootCerts::WebPki,
        false => RootCerts::new_with_certs(&roots),
    };
    Ok(TlsConfig::builder().root_certs(roots).client_cert(client).disable_verification(loose).build())
}

/// Whether the same may go better a moment later. A name that is unknown, a port where nobody listens and a certificate that is wrong stay so.
fn may_pass(e: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof};
    matches!(e.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | TimedOut | UnexpectedEof)
}

/// An error of the library, with the address that it is about, and what to do. A certificate that is not trusted is
/// [`io::ErrorKind::InvalidData`].
fn told(e: ureq::Error, url: &str) -> io::Error {
    let why = match &e {
        ureq::Error::HostNotFound => "there is no such host".to_owned(),
        ureq::Error::Io(e) => e.to_string(),
        e => e.to_string(),
    };
    let host = authority(url).map(|(_, host)| host).unwrap_or_default();
    let (kind, hint) = match &e {
        _ if why.contains("invalid peer certificate") => {
            (io::ErrorKind::InvalidData, format!(" (--ca-cert FILE trusts the authority in FILE, --insecure {host} any certificate)"))
        }
        _ if why.contains("InvalidContentType") => (io::ErrorKind::Other, format!(" (does it speak TLS? --insecure {host} asks without)")),
        ureq::Error::Io(e) => (e.kind(), String::new()),
        ureq::Error::Timeout(_) => (io::ErrorKind::TimedOut, String::new()),
        ureq::Error::Protocol(_) => (io::ErrorKind::ConnectionReset, String::new()),
        ureq::Error::HostNotFound => (io::ErrorKind::NotFound, String::new()),
        _ => (io::ErrorKind::Other, String::new()),
    };
    match url.strip_prefix(Client::SOCKET) {
        // Where that is stands in the error already.
        Some(_) => io::Error::new(kind, why),
        None => io::Error::new(kind, format!("{}: {why}{hint}", shown(url))),
    }
}

/// An address without what may be secret in it: signed addresses carry a signature behind the `?`, and a name and password before the host.
fn shown(url: &str) -> &str {
    let url = url.split('?').next().unwrap_or(url);
    url.split_once("://").map_or(url, |(_, rest)| rest.rsplit_once('@').map_or(rest, |(_, rest)| rest))
}

/// Scheme and host: what credentials are for.
fn authority(url: &str) -> io::Result<(String, String)> {
    let uri: Uri = url.parse().map_err(|_| io::Error::other(format!("{}: no address", shown(url))))?;
    match (uri.scheme_str(), uri.authority()) {
        // A name and a password in front of the host would make it look like another one.
        (_, Some(authority)) if authority.as_str().contains('@') => {
            Err(io::Error::other(format!("{}: an address with a login in it is not asked", shown(url))))
        }
        (Some(scheme @ ("http" | "https")), Some(authority)) => {
            let host = authority.as_str().to_ascii_lowercase();
            let usual = if scheme == "https" { ":443" } else { ":80" };
            Ok((scheme.to_owned(), host.strip_suffix(usual).map(str::to_owned).unwrap_or(host)))
        }
        _ => Err(io::Error::other(format!("{}: no address of a web server", shown(url)))),
    }
}

/// Where a redirect, or a link to the next page, leads to.
pub fn joined(base: &str, location: &str) -> io::Result<String> {
    let (scheme, host) = authority(base)?;
    Ok(match location {
        _ if location.starts_with("http://") || location.starts_with("https://") => location.to_owned(),
        _ if location.starts_with("//") => format!("{scheme}:{location}"),
        _ if location.starts_with('/') => format!("{scheme}://{host}{location}"),
        _ => {
            let path = base.split('?').next().unwrap_or(base);
            let folder = path.rfind('/').filter(|at| *at > scheme.len() + 2).map_or(path, |at| &path[..at]);
            format!("{folder}/{location}")
        }
    })
}

/// `name=value&…`.
pub fn encoded(query: &[(&str, &str)]) -> String {
    query.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&")
}

/// A text as a part of an address (RFC 3986, 2.1).
pub fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_joined_and_shown() {
        let base = "https://registry.example:5000/v2/a/tags/list?n=2";
        for (location, expected) in [
            ("/v2/b", "https://registry.example:5000/v2/b"),
            ("//other.example/x", "https://other.example/x"),
            ("http://cdn.example/blob?sig=1", "http://cdn.example/blob?sig=1"),
            ("next", "https://registry.example:5000/v2/a/tags/next"),
        ] {
            assert_eq!(joined(base, location).unwrap(), expected);
        }
        assert_eq!(joined("https://h.example", "x").unwrap(), "https://h.example/x");
        assert_eq!(shown("https://u:p@h.example/b?X-Signature=abc"), "h.example/b");
        assert!(joined("ftp://h/", "x").is_err());
    }

    #[test]
    fn this_machine_and_what_was_named_may_be_asked_in_the_clear() {
        let trust = Trust { insecure: vec!["reg.example:5000".to_owned()], ..Trust::default() };
        for host in ["localhost", "localhost:5000", "127.0.0.1:80", "[::1]:5000", "REG.example:5000"] {
            assert!(trust.is_insecure(host), "{host}");
        }
        for host in ["reg.example", "reg.example:5001", "127.0.0.1.example", "localhost.example"] {
            assert!(!trust.is_insecure(host), "{host}");
        }
    }

    #[test]
    fn queries_are_encoded() {
        assert_eq!(encoded(&[("scope", "repository:a/b:pull"), ("x", "ä&")]), "scope=repository%3Aa%2Fb%3Apull&x=%C3%A4%26");
    }
}
