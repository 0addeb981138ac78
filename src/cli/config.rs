//! `pentimento.toml` and `.pentimentoignore`: where they are found.
//!
//! They are looked for in the working directory, then in each directory above it, up to one with a `.git`, the home directory or the root
//! of the file system. Never in a target: what is in an image does not decide about it. A file above the working directory that belongs
//! to somebody else (`/tmp/pentimento.toml`) is not used.
//!
//! Nobody vouches for a file that was found: it may have come with a checkout. So it, and all that it names, has to lie below the directory
//! in which it was found (else it could have any file read, and errors tell of what is read), and it names no image that is elsewhere. Who
//! names a file with an option vouches for it.

use anyhow::{Context, Error, Result, anyhow, bail};
use clap::ArgMatches;
use clap::parser::ValueSource;
use pentimento::policy::{Config, Ignore, Setting};
use pentimento::source::target::{Target, split_path};
use pentimento::text::sanitise;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The configuration's name.
const CONFIG: &str = "pentimento.toml";
/// The ignore file's.
const IGNORES: &str = ".pentimentoignore";

/// A configuration or an ignore file is no larger than this.
const MOST_BYTES: u64 = 1 << 20;

/// The option that names an image.
const BASE: &str = "base";

/// Options that say which files decide.
#[derive(clap::Args)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigArgs {
    /// Use this configuration (default: `pentimento.toml` in the working directory or above it)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Look for neither a configuration nor an ignore file
    #[arg(long)]
    no_config: bool,
    /// Use this ignore file (default: `.pentimentoignore` in the working directory or above it)
    #[arg(long, value_name = "FILE")]
    ignore_file: Option<PathBuf>,
}

/// What was found before the options were complete.
#[derive(Default)]
pub struct Found {
    /// The configuration, and its file.
    pub config: Option<(PathBuf, Config)>,
    /// The directory that a configuration which was found may name files of; none for one that was named.
    bounds: Option<PathBuf>,
    /// The ignore file that is used.
    ignore_file: Option<PathBuf>,
    /// What is to be said on standard error, unless that is to be quiet.
    told: Vec<String>,
    /// Files of that name that are not used, and why.
    refused: Vec<String>,
    /// Options that the command line gave, and those that the environment did, by their ids.
    given: Vec<(String, ValueSource)>,
}

impl Found {
    /// The configuration for options of the command line and the environment.
    pub fn of(options: &ArgMatches) -> Result<Found> {
        let mut found = Found::default();
        let given = |id: &str| match options.value_source(id) {
            Some(ValueSource::CommandLine) => 2,
            Some(ValueSource::EnvVariable) => 1,
            _ => 0,
        };
        let source = |id: &clap::Id| Some((id.to_string(), options.value_source(id.as_str())?));
        found.given = options.ids().filter_map(source).filter(|(_, source)| *source != ValueSource::DefaultValue).collect();
        let unwanted = options.get_flag("no_config");
        let path = match options.get_one::<PathBuf>("config") {
            Some(_) if unwanted && given("config") == 2 && given("no_config") == 2 => bail!("--config and --no-config exclude each other"),
            Some(path) if !unwanted || given("config") > given("no_config") => Some(path.clone()),
            _ if unwanted => None,
            _ => found.search(CONFIG, targets(options)).map(|(path, dir)| {
                found.bounds = Some(dir);
                path
            }),
        };
        if let Some(path) = path {
            let config = Config::read(&path.display().to_string(), &read(&path)?)?;
            found.config = Some((path, config));
        }
        Ok(found)
    }

    /// The ignores of the configuration and of the ignore file, and the name of that.
    pub fn ignores(&mut self, args: &ConfigArgs, targets: &[String]) -> Result<(Vec<Ignore>, Option<String>)> {
        let path = match &args.ignore_file {
            Some(path) => Some(path.clone()),
            None if args.no_config => None,
            None => self.search(IGNORES, targets.iter()).map(|(path, _)| path),
        };
        let mut ignores = self.config.as_ref().map(|(_, config)| config.ignores.clone()).unwrap_or_default();
        let Some(path) = path else { return Ok((ignores, None)) };
        let name = path.display().to_string();
        ignores.extend(Ignore::lines(&name, &read(&path)?)?);
        self.ignore_file = Some(path);
        Ok((ignores, Some(name)))
    }

    /// The files that are used.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.config.iter().map(|(path, _)| path.as_path()).chain(self.ignore_file.as_deref())
    }

    /// Says which files were found, and which are not used.
    pub fn tell(&self, quiet: bool) {
        for line in self.told.iter().filter(|_| !quiet).chain(&self.refused) {
            eprintln!("pentimento: {}", sanitise(line));
        }
    }

    /// An error about the value of an option, with the place that it came from, where nobody typed it.
    pub fn wrong(&self, option: &str, message: &str) -> Error {
        let id = option.replace('-', "_");
        let given = self.given.iter().find(|(given, _)| *given == id);
        let setting = self.config.iter().flat_map(|(_, config)| &config.settings).find(|setting| setting.option == option);
        match (given, setting) {
            (Some((_, ValueSource::EnvVariable)), _) => {
                anyhow!("{message} (from the variable PENTIMENTO_{})", id.to_ascii_uppercase())
            }
            (None, Some(setting)) => anyhow!("{}: {message}", setting.place),
            _ => anyhow!("{message}"),
        }
    }

    /// A path that the configuration names, which counts from its file. One that was found may not lead out of its directory.
    pub fn path(&self, setting: &Setting, value: &str) -> Result<OsString> {
        let dir = self.config.as_ref().and_then(|(file, _)| file.parent()).unwrap_or(Path::new(""));
        let is_base = setting.option == BASE;
        let (prefix, path) = if is_base { split_path(value) } else { ("", value) };
        let path = dir.join(path);
        // An image of an engine or a registry is no path; nor is a pipe.
        let elsewhere = is_base && (value == "-" || value.contains("://") || prefix.is_empty() && !is_path(&path));
        let Some(bounds) = &self.bounds else {
            return Ok(if elsewhere { value.into() } else { [prefix.into(), path.into_os_string()].into_iter().collect() });
        };
        let place = &setting.place;
        if elsewhere {
            bail!("{place}: a configuration that is found names no image that is not a file or directory: name it on the command line");
        }
        let real = path.canonicalize().with_context(|| format!("{place}: cannot read what `{}` names", setting.option))?;
        // What is in a directory of rules may be a link. Images follow none.
        let items = if is_base { Vec::new() } else { real.read_dir().into_iter().flatten().flatten().map(|item| item.path()).collect() };
        let is_within = |path: &Path| path.canonicalize().is_ok_and(|real| real.starts_with(bounds));
        if !is_within(&real) || !items.iter().all(|item| is_within(item)) {
            let option = setting.option;
            bail!("{place}: `{option}` leads out of the directory in which the configuration was found: name it on the command line");
        }
        Ok([prefix.into(), path.into_os_string()].into_iter().collect())
    }

    /// The file of this name, and the directory that it was found in.
    fn search<'a>(&mut self, name: &str, targets: impl Iterator<Item = &'a String>) -> Option<(PathBuf, PathBuf)> {
        let here = std::env::current_dir().and_then(|dir| dir.canonicalize()).ok()?;
        let home = std::env::var_os("HOME").and_then(|home| Path::new(&home).canonicalize().ok());
        let directory = |target: &String| Target::parse(target).ok()?.path()?.canonicalize().ok();
        let targets: Vec<PathBuf> = targets.filter_map(directory).filter(|path| path.is_dir()).collect();
        for (up, dir) in here.ancestors().enumerate() {
            let is_there = dir.join(name).symlink_metadata().is_ok();
            if is_there {
                let path: PathBuf = std::iter::repeat_n("..", up).chain([name]).collect();
                let why = match () {
                    () if !dir.join(name).exists() => "it is a link to nothing",
                    () if !dir.join(name).is_file() => "it is no file",
                    () if targets.iter().any(|target| dir.starts_with(target)) => "it is in the target",
                    () if up > 0 && is_foreign(&dir.join(name), &here) => "it belongs to another user",
                    () if !dir.join(name).canonicalize().is_ok_and(|real| real.starts_with(dir)) => "it is a link out of its directory",
                    () => {
                        self.told.push(format!("using {}", path.display()));
                        return Some((path, dir.to_owned()));
                    }
                };
                self.refused.push(format!("{} is not used: {why}", path.display()));
            }
            if dir.join(".git").exists() || home.as_deref() == Some(dir) {
                break;
            }
        }
        None
    }
}

/// True for what is read from this machine's disk, and for nothing that is asked for elsewhere.
fn is_path(text: &Path) -> bool {
    text.to_str().is_some_and(|text| Target::parse(text).is_ok_and(|target| target.path().is_some()))
}

fn targets(options: &ArgMatches) -> impl Iterator<Item = &String> {
    options.try_get_many::<String>("targets").ok().flatten().into_iter().flatten()
}

fn read(path: &Path) -> Result<String> {
    let context = || format!("cannot read {}", path.display());
    let mut bytes = Vec::new();
    // A device may have no end.
    File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes)).with_context(context)?;
    if bytes.len() as u64 > MOST_BYTES {
        bail!("{}: it is larger than 1 MiB", context());
    }
    String::from_utf8(bytes).map_err(|e| e.utf8_error()).with_context(context)
}

/// True for what belongs neither to whoever has the working directory nor to root.
#[cfg(unix)]
fn is_foreign(path: &Path, here: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let owner = |path: &Path| path.metadata().map(|metadata| metadata.uid()).ok();
    owner(path).is_none_or(|uid| uid != 0 && Some(uid) != owner(here))
}

#[cfg(not(unix))]
fn is_foreign(_: &Path, _: &Path) -> bool {
    false
}
