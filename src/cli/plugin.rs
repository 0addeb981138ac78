//! As a plugin of docker's command line (docker/cli, cli-plugins): a program `docker-pentimento` in `~/.docker/cli-plugins` is run as
//! `docker-pentimento [DOCKER'S OPTIONS] pentimento ARGUMENTS…`, and is asked first who it is.

use std::ffi::OsString;
use std::path::Path;

const NAME: &str = "pentimento";

/// What docker asks, and what it is told (its schema 0.1.0).
pub const QUESTION: &str = "docker-cli-plugin-metadata";
const METADATA: &str = concat!(
    r#"{"SchemaVersion":"0.1.0","Vendor":"pentimento","Version":""#,
    env!("CARGO_PKG_VERSION"),
    r#"","ShortDescription":"Finds the secrets that an image still remembers"}"#
);

/// What the program was called for.
pub enum Call {
    /// Arguments, the program's name first.
    Arguments(Vec<OsString>),
    /// To be printed.
    Metadata(&'static str),
    /// Options of docker's own that we cannot follow.
    Unsupported(String),
}

/// Reads the arguments, which may come from docker. `asks_engines` tells commands that have an option for an engine.
pub fn call(arguments: impl Iterator<Item = OsString>, asks_engines: impl Fn(&str) -> bool) -> Call {
    let mut arguments: Vec<OsString> = arguments.collect();
    let is_plugin = arguments.first().and_then(|name| Path::new(name).file_stem()).is_some_and(|stem| stem == "docker-pentimento");
    if !is_plugin {
        return Call::Arguments(arguments);
    }
    if arguments.get(1).is_some_and(|argument| argument == QUESTION) {
        return Call::Metadata(METADATA);
    }
    let Some(at) = arguments.iter().skip(1).position(|argument| argument == NAME) else { return Call::Arguments(arguments) };
    if arguments.get(1).is_some_and(|argument| argument == "help") {
        return Call::Arguments(vec![arguments.swap_remove(0), "--help".into()]);
    }
    let docker: Vec<String> = arguments.drain(1..=at + 1).map(|option| option.to_string_lossy().into_owned()).collect();
    match engine(&docker[..at]) {
        Ok(options) => {
            // Behind the name of our command.
            if arguments.get(1).and_then(|name| name.to_str()).is_some_and(asks_engines) {
                arguments.splice(2..2, options.into_iter().map(OsString::from));
            }
            Call::Arguments(arguments)
        }
        Err(option) => Call::Unsupported(format!("docker's option {option} cannot be followed: set DOCKER_HOST or DOCKER_CONTEXT")),
    }
}

/// Docker's options that say which engine is meant, as ours. Fails with one that is not known.
fn engine(options: &[String]) -> Result<Vec<String>, String> {
    let (mut ours, mut options) = (Vec::new(), options.iter());
    while let Some(option) = options.next() {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            // `-Htcp://…`
            _ if option.starts_with('-') && !option.starts_with("--") && option.len() > 2 && option.is_char_boundary(2) => {
                (&option[..2], Some(option[2..].to_owned()))
            }
            _ => (option.as_str(), None),
        };
        let ours_is = match name {
            "-H" | "--host" => Some("--docker-host"),
            "-c" | "--context" => Some("--docker-context"),
            "-D" | "--debug" => continue,
            "-l" | "--log-level" => None,
            _ => return Err(name.to_owned()),
        };
        let value = value.or_else(|| options.next().cloned()).ok_or_else(|| name.to_owned())?;
        ours.extend(ours_is.map(|name| format!("{name}={value}")));
    }
    Ok(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(arguments: &[&str]) -> Call {
        call(arguments.iter().map(OsString::from), |command| command == "scan")
    }

    #[test]
    fn docker_gives_the_name_of_the_plugin_first() {
        let Call::Arguments(own) = called(&["/x/docker-pentimento", "pentimento", "scan", "app"]) else { panic!("arguments") };
        assert_eq!(own, ["/x/docker-pentimento", "scan", "app"]);
        let Call::Arguments(own) = called(&["pentimento", "pentimento"]) else { panic!("arguments") };
        assert_eq!(own.len(), 2);
        assert!(matches!(called(&["docker-pentimento", QUESTION]), Call::Metadata(text) if text.contains("0.1.0")));
        let moved = called(&["docker-pentimento", "-D", "--host", "tcp://x", "-cprod", "--log-level=info", "pentimento", "scan", "app"]);
        let Call::Arguments(own) = moved else { panic!("arguments") };
        assert_eq!(own, ["docker-pentimento", "scan", "--docker-host=tcp://x", "--docker-context=prod", "app"]);
        let Call::Arguments(own) = called(&["docker-pentimento", "-cprod", "pentimento", "rules", "list"]) else { panic!("arguments") };
        assert_eq!(own, ["docker-pentimento", "rules", "list"]);
        assert!(matches!(called(&["docker-pentimento", "--tls", "pentimento", "scan"]), Call::Unsupported(why) if why.contains("--tls")));
    }
}
