//! `pentimento init`: a configuration to begin with.

use super::print;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// The configuration: every key, none of them set.
const TEMPLATE: &str = include_str!("template.toml");

/// Options of `init`.
#[derive(clap::Args)]
pub struct Args {
    /// Write it to FILE, which must not be there; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "pentimento.toml")]
    output: PathBuf,
}

/// Writes it, and returns the exit code.
pub fn run(args: &Args) -> Result<u8> {
    if args.output.as_os_str() == "-" {
        return print(TEMPLATE.as_bytes()).map(|()| 0);
    }
    let context = || format!("cannot write {}", args.output.display());
    File::create_new(&args.output).and_then(|mut file| file.write_all(TEMPLATE.as_bytes())).with_context(context)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pentimento::policy::Config;

    #[test]
    fn every_key_of_it_is_known_and_none_is_set() {
        let config = Config::read("pentimento.toml", TEMPLATE).expect("a configuration");
        assert!(config.settings.is_empty() && config.ignores.is_empty());
        let set: String =
            TEMPLATE.lines().map(|line| format!("{}\n", line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line))).collect();
        let config = Config::read("pentimento.toml", &set).expect("a configuration");
        assert_eq!((config.settings.len(), config.ignores.len()), (15, 2));
    }
}
