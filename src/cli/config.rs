//! `pentimento.toml` and `.pentimentoignore`: where they are found.
//!
//! They are looked for in the working directory, then in each directory above it, up to one with a `.git`, the home directory or the root
//! of the file system. Never in a target: what is in an image does not decide about it. A file above the working directory that belongs
//! to somebody else (`/tmp/pentimento.toml`) is not used.

use anyhow::{Context, Result, bail};
use clap::ArgMatches;
use clap::parser::ValueSource;
use pentimento::policy::{Config, Ignore};
use pentimento::text::sanitise;
use std::path::{Path, PathBuf};

/// The configuration's name.
const CONFIG: &str = "pentimento.toml";
/// The ignore file's.
const IGNORES: &str = ".pentimentoignore";

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
    /// What is to be said on standard error, unless that is to be quiet.
    told: Vec<String>,
    /// Files of that name that are not used, and why.
    refused: Vec<String>,
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
        let unwanted = options.get_flag("no_config");
        let path = match options.get_one::<PathBuf>("config") {
            Some(_) if unwanted && given("config") == 2 && given("no_config") == 2 => bail!("--config and --no-config exclude each other"),
            Some(path) if !unwanted || given("config") > given("no_config") => Some(path.clone()),
            _ if unwanted => None,
            _ => found.search(CONFIG, targets(options)),
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
            None => self.search(IGNORES, targets.iter()),
        };
        let mut ignores = self.config.as_ref().map(|(_, config)| config.ignores.clone()).unwrap_or_default();
        let Some(path) = path else { return Ok((ignores, None)) };
        let name = path.display().to_string();
        ignores.extend(Ignore::lines(&name, &read(&path)?)?);
        Ok((ignores, Some(name)))
    }

    /// Says which files were found, and which are not used.
    pub fn tell(&self, quiet: bool) {
        for line in self.told.iter().filter(|_| !quiet).chain(&self.refused) {
            eprintln!("pentimento: {}", sanitise(line));
        }
    }

    fn search<'a>(&mut self, name: &str, targets: impl Iterator<Item = &'a String>) -> Option<PathBuf> {
        let here = std::env::current_dir().and_then(|dir| dir.canonicalize()).ok()?;
        let home = std::env::var_os("HOME").and_then(|home| Path::new(&home).canonicalize().ok());
        let directory = |target: &String| Path::new(target.strip_prefix("oci:").unwrap_or(target)).canonicalize().ok();
        let targets: Vec<PathBuf> = targets.filter_map(directory).filter(|path| path.is_dir()).collect();
        for (up, dir) in here.ancestors().enumerate() {
            if dir.join(name).is_file() {
                let path: PathBuf = std::iter::repeat_n("..", up).chain([name]).collect();
                let why = match () {
                    () if targets.iter().any(|target| dir.starts_with(target)) => "it is in the target",
                    () if up > 0 && is_foreign(&dir.join(name), &here) => "it belongs to another user",
                    () => {
                        self.told.push(format!("using {}", path.display()));
                        return Some(path);
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

fn targets(options: &ArgMatches) -> impl Iterator<Item = &String> {
    options.try_get_many::<String>("targets").ok().flatten().into_iter().flatten()
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
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
