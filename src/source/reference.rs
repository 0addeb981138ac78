//! Names of images in registries (distribution-spec, "Pulling manifests"; Docker's rules for short names).

use crate::digest::Digest;

/// What a login for Docker Hub is kept under.
pub const HUB_LOGIN: &str = "https://index.docker.io/v1/";
/// Where Docker's own images are, and what people call it.
const HUB: &str = "registry-1.docker.io";
const HUB_NAMES: [&str; 3] = ["docker.io", "index.docker.io", HUB];

/// An image, a repository or a whole registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The host that is asked, with its port if it has one.
    pub host: String,
    /// The repository; none stands for all of the registry.
    pub repository: Option<String>,
    /// The tag, where one was named.
    pub tag: Option<String>,
    /// The digest, where one was named: it wins over the tag.
    pub digest: Option<Digest>,
}

impl Reference {
    /// `host[:port][/repository][:tag][@digest]`. A first part that is no host (`alpine`, `library/alpine`) is a repository of Docker Hub.
    pub fn parse(text: &str) -> Result<Reference, String> {
        if text.is_empty() {
            return Err("which image? (`registry://host/repository:tag`)".to_owned());
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest).ok_or_else(|| format!("{digest} is no digest"))?)),
            None => (text, None),
        };
        let (first, more) = rest.split_once('/').map_or((rest, None), |(first, more)| (first, Some(more)));
        let has_host = is_host(first) && (more.is_some() || !is_short(first));
        let (host, path) = if has_host { (first, more.unwrap_or_default()) } else { (HUB, rest) };
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            None => (path, None),
        };
        let hub = HUB_NAMES.iter().any(|name| name.eq_ignore_ascii_case(host));
        let host = if hub { HUB.to_owned() } else { host.to_ascii_lowercase() };
        let repository = match repository.trim_end_matches('/') {
            "" => None,
            short if hub && !short.contains('/') => Some(format!("library/{short}")),
            name => Some(name.to_owned()),
        };
        if let Some(name) = repository.as_deref().filter(|name| !is_repository(name)) {
            return Err(format!("{name} is no name of a repository (lower case, digits, `.`, `_`, `-` and `/`)"));
        }
        if let Some(tag) = tag.as_deref().filter(|tag| !is_tag(tag)) {
            return Err(format!("{tag} is no tag"));
        }
        if repository.is_none() && (tag.is_some() || digest.is_some()) {
            return Err("there is no repository in front of the tag or digest".to_owned());
        }
        Ok(Reference { host, repository, tag, digest })
    }

    /// The name as people have it: without the Hub's host, with the tag that stands for none.
    pub fn name(&self, repository: &str, tag: &str) -> String {
        let host = if self.host == HUB { "docker.io" } else { &self.host };
        format!("{host}/{repository}:{tag}")
    }

    /// What credentials for the host are kept under.
    pub fn credentials_of(&self) -> &str {
        if self.host == HUB { HUB_LOGIN } else { &self.host }
    }
}

/// Docker's rule: a host has a dot or a port, or is this machine.
fn is_host(text: &str) -> bool {
    let (name, port) = text.rsplit_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    let v6 = text.starts_with('[') && text.contains(']');
    let label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let named = name.split('.').all(label);
    let numbered = port.is_none_or(|port| port.parse::<u16>().is_ok());
    v6 || named && numbered && (name.contains('.') || port.is_some() || name.eq_ignore_ascii_case("localhost"))
}

/// A lone `name:5000` may be a tag, and `a.b` a repository: without anything behind it, only what has both or is this machine is a host.
fn is_short(text: &str) -> bool {
    let (name, port) = text.rsplit_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    let local = name.eq_ignore_ascii_case("localhost") || text.starts_with('[');
    !local && !(name.contains('.') && (port.is_none() || port.is_some_and(|port| port.parse::<u16>().is_ok())))
}

fn is_repository(name: &str) -> bool {
    let part = |part: &str| {
        let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        edge(part.bytes().next())
            && edge(part.bytes().last())
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
    };
    name.len() <= 255 && name.split('/').all(part)
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= 128 && tag.bytes().next().is_some_and(word) && tag.bytes().all(|b| word(b) || b".-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, Option<String>, Option<String>) {
        let reference = Reference::parse(text).unwrap();
        (reference.host, reference.repository, reference.tag)
    }

    #[test]
    fn names_lead_where_docker_leads() {
        let some = |text: &str| Some(text.to_owned());
        for (text, host, repository, tag) in [
            ("alpine", HUB, some("library/alpine"), None),
            ("alpine:3.19", HUB, some("library/alpine"), some("3.19")),
            ("alpine:5000", HUB, some("library/alpine"), some("5000")),
            ("docker.io/alpine", HUB, some("library/alpine"), None),
            ("team/app:v1", HUB, some("team/app"), some("v1")),
            ("ghcr.io/team/app:v1", "ghcr.io", some("team/app"), some("v1")),
            ("localhost/app", "localhost", some("app"), None),
            ("localhost:5000/app:v1", "localhost:5000", some("app"), some("v1")),
            ("localhost:5000", "localhost:5000", None, None),
            ("registry.example:5000/", "registry.example:5000", None, None),
            ("[::1]:5000/app", "[::1]:5000", some("app"), None),
        ] {
            assert_eq!(parts(text), (host.to_owned(), repository, tag), "{text}");
        }
        let digest = format!("ghcr.io/a/b:x@sha256:{}", "0".repeat(64));
        assert!(Reference::parse(&digest).unwrap().digest.is_some());
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["Alpine", "a//b", "a:b:c", "ghcr.io/app:", "ghcr.io/-a", "ghcr.io/a@sha256:12", "a b", "ghcr.io:5000/:v1", "../x"] {
            assert!(Reference::parse(text).is_err(), "{text}");
        }
    }
}
