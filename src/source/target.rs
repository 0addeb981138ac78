//! What a target is by its text (decisions.md, "Targets"). A known prefix wins; then a path that exists; a path-like text that does not
//! exist is an error and never looked up anywhere; what is left may be the name of an image.

use super::reference::Reference;
use std::path::{Path, PathBuf};

/// How other tools write what we write otherwise.
const OTHERS: [(&str, &str); 4] = [
    ("docker-daemon:", "docker://NAME"),
    ("containers-storage:", "podman://NAME"),
    ("docker-archive:", "as the file's path alone"),
    ("oci-archive:", "as the file's path alone"),
];

/// Something to scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `-`.
    Stdin,
    /// A file or directory that holds images: a path, or `oci:PATH`.
    Path(PathBuf),
    /// `rootfs:PATH` or `dir:PATH`: the files in a directory.
    FileSystem(PathBuf),
    /// `docker://NAME` or `podman://NAME`.
    Image(Engine, String),
    /// `docker://container/NAME`: what a container changed.
    Container(Engine, String),
    /// `registry://HOST/REPOSITORY[:TAG][@DIGEST]`.
    Registry(Reference),
    /// A bare name: engines are asked for it, then a registry.
    Name(String),
}

/// An engine on this machine or another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Docker.
    Docker,
    /// podman.
    Podman,
}

impl Engine {
    /// The name, and its prefix.
    pub fn as_str(self) -> &'static str {
        match self {
            Engine::Docker => "docker",
            Engine::Podman => "podman",
        }
    }
}

impl Target {
    /// Reads a target; only what may be a bare name is looked up on the disk.
    pub fn parse(text: &str) -> Result<Target, String> {
        if text == "-" {
            return Ok(Target::Stdin);
        }
        if text.is_empty() {
            return Err("it is empty: is a variable not set?".to_owned());
        }
        match split_path(text) {
            ("", _) => {}
            ("oci:", path) => return Ok(Target::Path(path.into())),
            (_, "") => return Err("which directory? (`rootfs:/`)".to_owned()),
            (_, path) => return Ok(Target::FileSystem(path.into())),
        }
        for engine in [Engine::Docker, Engine::Podman] {
            let Some(name) = text.strip_prefix(engine.as_str()).and_then(|rest| rest.strip_prefix("://")) else { continue };
            if name.split('/').any(|part| matches!(part, "." | "..")) || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
                return Err(format!("{name} is the name of no image"));
            }
            return match name.strip_prefix("container/") {
                _ if name.is_empty() || name == "container/" => Err(format!("which image? (`{}://app:latest`)", engine.as_str())),
                Some(container) => Ok(Target::Container(engine, container.to_owned())),
                None => Ok(Target::Image(engine, name.to_owned())),
            };
        }
        if let Some(name) = text.strip_prefix("registry://") {
            return Reference::parse(name).map(Target::Registry);
        }
        if let Some((prefix, _)) = text.split_once("://").filter(|_| !Path::new(text).exists()) {
            return Err(format!("{prefix}:// is no kind of target: docker://, podman:// and registry:// are"));
        }
        for (prefix, other) in OTHERS {
            if text.starts_with(prefix) && !Path::new(text).exists() {
                return Err(format!("{prefix} is written {other} here"));
            }
        }
        let is_name = !Path::new(text).exists()
            && !is_path_like(text)
            && Reference::parse(text).is_ok_and(|reference| reference.repository.is_some());
        Ok(if is_name { Target::Name(text.to_owned()) } else { Target::Path(text.into()) })
    }

    /// Whether it can be read without asking anybody.
    pub fn is_here(&self) -> bool {
        matches!(self, Target::Stdin | Target::Path(_) | Target::FileSystem(_))
    }

    /// The path of what is on this machine's disk.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Target::Path(path) | Target::FileSystem(path) => Some(path),
            _ => None,
        }
    }
}

/// The prefix of a target that is a path, and the path; no prefix where it has none, or is something else.
pub fn split_path(text: &str) -> (&str, &str) {
    let prefix = ["oci:", "rootfs:", "dir:"].into_iter().find(|prefix| text.starts_with(prefix)).unwrap_or_default();
    text.split_at(prefix.len())
}

/// What looks like a file was meant as one: it has a path's beginning, or the ending of an archive.
fn is_path_like(text: &str) -> bool {
    const ENDINGS: [&str; 12] = ["tar", "tgz", "gz", "zst", "xz", "bz2", "lz4", "tzst", "txz", "oci", "img", "json"];
    let ending = text.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending.to_ascii_lowercase());
    text.starts_with(['.', '/', '~'])
        || text.ends_with('/')
        || text.contains('\\')
        || ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_win_and_paths_are_never_looked_up() {
        let parse = |text| Target::parse(text).unwrap();
        assert_eq!(parse("-"), Target::Stdin);
        assert_eq!(parse("oci:layout"), Target::Path("layout".into()));
        assert_eq!(parse("rootfs:/"), Target::FileSystem("/".into()));
        assert_eq!(parse("dir:x"), Target::FileSystem("x".into()));
        assert_eq!(parse("docker://app:v1"), Target::Image(Engine::Docker, "app:v1".to_owned()));
        assert_eq!(parse("podman://container/web"), Target::Container(Engine::Podman, "web".to_owned()));
        assert!(matches!(parse("registry://localhost:5000/app"), Target::Registry(_)));
        assert_eq!(parse("alpine:3.19"), Target::Name("alpine:3.19".to_owned()));
        assert_eq!(parse("ghcr.io/team/app@sha256:").path(), Some(Path::new("ghcr.io/team/app@sha256:")));
        for path in ["./app", "/app", "app.tar", "dir/app.tar.gz", "image.tar.zst", "app/", "No.Such"] {
            assert_eq!(parse(path), Target::Path(path.into()), "{path}");
        }
        // The sources of this crate are a directory, and no image.
        assert_eq!(parse("src"), Target::Path("src".into()));
    }

    #[test]
    fn what_names_nothing_is_an_error() {
        for text in [
            "docker://",
            "docker://container/",
            "registry://",
            "registry://UPPER/x",
            "rootfs:",
            "ftp://host/x",
            "containerd://x",
            "",
            "docker://../x",
            "docker-daemon:x:1",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }
}
