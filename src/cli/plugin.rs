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

/// Reads the arguments, which may come from docker.
pub fn call(arguments: impl Iterator<Item = OsString>) -> Call {
    let mut arguments: Vec<OsString> = arguments.collect();
    let is_plugin = arguments.first().and_then(|name| Path::new(name).file_stem()).is_some_and(|stem| stem == "docker-pentimento");
    if !is_plugin {
        return Call::Arguments(arguments);
    }
    if arguments.get(1).is_some_and(|argument| argument == QUESTION) {
        return Call::Metadata(METADATA);
    }
    match arguments.iter().skip(1).position(|argument| argument == NAME) {
        None => Call::Arguments(arguments),
        Some(0) => {
            arguments.remove(1);
            Call::Arguments(arguments)
        }
        Some(at) => {
            let options = arguments[1..=at].iter().map(|option| option.to_string_lossy()).collect::<Vec<_>>().join(" ");
            Call::Unsupported(format!("docker's options `{options}` cannot be followed: set DOCKER_HOST or DOCKER_CONTEXT"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(arguments: &[&str]) -> Call {
        call(arguments.iter().map(OsString::from))
    }

    #[test]
    fn docker_gives_the_name_of_the_plugin_first() {
        let Call::Arguments(own) = called(&["/x/docker-pentimento", "pentimento", "scan", "app"]) else { panic!("arguments") };
        assert_eq!(own, ["/x/docker-pentimento", "scan", "app"]);
        let Call::Arguments(own) = called(&["pentimento", "pentimento"]) else { panic!("arguments") };
        assert_eq!(own.len(), 2);
        assert!(matches!(called(&["docker-pentimento", QUESTION]), Call::Metadata(text) if text.contains("0.1.0")));
        assert!(matches!(called(&["docker-pentimento", "--host", "tcp://x", "pentimento", "scan"]), Call::Unsupported(_)));
    }
}
