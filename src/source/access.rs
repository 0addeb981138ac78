//! Targets that are not on this machine's disk: what is needed to reach them, and reaching them.

use super::daemon::{Daemon, Endpoint, failed};
use super::reference::Reference;
use super::registry::{self, Credential};
use super::target::{Engine, Target};
use super::{Source, Stream};
use crate::error::{Code, Error, Problem, Problems};
use crate::limits::Limits;
use crate::net::{Client, SILENCE, Trust};
use serde_json::Value;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Asked for the credentials of a registry's host, and of a repository there (which may be empty).
pub type Credentials<'a> = dyn Fn(&str, &str) -> io::Result<Option<Credential>> + Sync + 'a;

/// How to reach what is elsewhere.
pub struct Access<'a> {
    /// Where Docker listens, or why that is not known.
    pub docker: Result<Endpoint, String>,
    /// Where podman listens, or why that is not known.
    pub podman: Result<Endpoint, String>,
    /// Whom to trust among registries.
    pub trust: Trust,
    /// What shows registries who we are.
    pub credentials: &'a Credentials<'a>,
    /// All tags of a repository, or of a registry.
    pub all_tags: bool,
    /// Whether an image with such a platform (a descriptor's) is wanted.
    pub platform: &'a (dyn Fn(&Value) -> bool + Sync),
    /// Nothing that is not on this machine may be asked.
    pub offline: bool,
    /// Anything but 0 ends waiting.
    pub stop: Arc<AtomicUsize>,
}

impl Access<'_> {
    /// Opens any target. Only `registry://`, a bare name that no engine knows, and an engine that is elsewhere touch the network.
    pub fn open(&self, target: &str, limits: &Limits) -> Result<Source, Error> {
        let wrong = |why: String| Error::Open { target: target.to_owned(), source: io::Error::new(io::ErrorKind::InvalidInput, why) };
        match Target::parse(target).map_err(wrong)? {
            Target::Image(engine, name) => {
                let image = self.daemon(engine).and_then(|daemon| daemon.image(&name));
                let reader = image.map_err(|e| failed(target, engine.as_str(), e))?;
                Ok(exported(target, reader, Problems::default()))
            }
            Target::Container(engine, name) => {
                let container = self.daemon(engine).and_then(|daemon| daemon.container(&name));
                let (reader, only, mounts) = container.map_err(|e| failed(target, engine.as_str(), e))?;
                let mut problems = Problems::default();
                if !mounts.is_empty() {
                    let message = format!("what is mounted into the container was not read: {}", mounts.join(", "));
                    problems.push(Problem::new(Code::OtherFileSystem, crate::text::sanitise(&message)));
                }
                Ok(Source::Stream(Stream { target: target.to_owned(), reader, problems, only: Some(only), by_engine: true }))
            }
            Target::Registry(reference) => self.registry(target, reference, limits),
            Target::Name(name) => self.name(&name, limits),
            _ => Source::open(target, limits),
        }
    }

    fn daemon(&self, engine: Engine) -> io::Result<Daemon> {
        Daemon::reach(if engine == Engine::Docker { &self.docker } else { &self.podman }, self.offline, &self.stop)
    }

    fn registry(&self, target: &str, reference: Reference, limits: &Limits) -> Result<Source, Error> {
        let wrong = |source| Error::Open { target: target.to_owned(), source };
        if self.offline {
            return Err(wrong(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "it is in a registry, and nothing is asked there (--offline)",
            )));
        }
        let credential =
            (self.credentials)(reference.credentials_of(), reference.repository.as_deref().unwrap_or_default()).map_err(wrong)?;
        let client = Client::new(self.trust.clone(), Some(SILENCE), self.stop.clone()).map_err(wrong)?;
        let wanted = registry::Wanted { target, reference, all_tags: self.all_tags, platform: self.platform };
        registry::open(&wanted, client, credential, limits).map(Source::Members)
    }

    /// A bare name: docker, podman, then the registry that it leads to. Where it was found is said in a note.
    fn name(&self, name: &str, limits: &Limits) -> Result<Source, Error> {
        let mut tried = Vec::new();
        for engine in [Engine::Docker, Engine::Podman] {
            match self.daemon(engine).and_then(|daemon| daemon.image(name)) {
                Ok(reader) => {
                    let problems = resolved(name, &format!("the engine {} has an image of that name", engine.as_str()));
                    return Ok(exported(name, reader, problems));
                }
                Err(e) => tried.push(format!("{}: {e}", engine.as_str())),
            }
        }
        let wrong = |why: String| Error::Open { target: name.to_owned(), source: io::Error::new(io::ErrorKind::NotFound, why) };
        let reference = Reference::parse(name).map_err(wrong)?;
        let place = format!("the registry {}", reference.host);
        let members = match self.registry(name, reference, limits) {
            Ok(Source::Members(members)) => members,
            Ok(other) => return Ok(other),
            Err(Error::Open { source, .. }) => {
                tried.push(format!("{place}: {source}"));
                return Err(wrong(format!("no file, and no image that can be had: {}", tried.join("; "))));
            }
            Err(e) => return Err(e),
        };
        let mut problems = resolved(name, &format!("no engine here has it: it was read from {place}"));
        problems.append(members.problems);
        Ok(Source::Members(super::Members { problems, ..members }))
    }
}

/// An image as an engine writes it.
fn exported(target: &str, reader: Box<dyn Read + Send>, problems: Problems) -> Source {
    Source::Stream(Stream { target: target.to_owned(), reader, problems, only: None, by_engine: true })
}

/// Says where a name was found.
fn resolved(name: &str, place: &str) -> Problems {
    let mut problems = Problems::default();
    problems.push(Problem::new(Code::NameResolved, format!("there is no file {name}: {place}")));
    problems
}
