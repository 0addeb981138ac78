//! Images and containers of a running engine: Docker's API, which podman speaks too, over its socket. What the engine exports is read as it
//! comes, and nothing is stored.

use crate::error::Error;
use crate::net::{Ask, Client, Reply, Trust, escaped};
use serde_json::Value;
use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// The largest answer that is no image. In bytes.
const LARGEST: u64 = 256 << 20;

/// Where an engine listens.
#[derive(Debug, Clone)]
pub enum Endpoint {
    /// A socket of this machine.
    Socket(PathBuf),
    /// Another machine: `http://host:port` or `https://host:port`.
    Host(String, Trust),
    /// Another machine, through a program (its name and arguments) whose standard input and output lead to the engine there.
    Through(Vec<String>),
}

/// An engine.
pub struct Daemon {
    client: Client,
    base: String,
}

/// An image that an engine has.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The digest of its config, or of its manifest.
    pub id: String,
    /// Its tags.
    pub names: Vec<String>,
}

/// What a container has.
pub struct Container {
    /// All of its file system, as a tar.
    pub file_system: Box<dyn Read + Send>,
    /// The paths in it that it made or changed since it was created.
    pub changed: HashSet<Vec<u8>>,
}

impl Daemon {
    /// The engine at `endpoint`. Nothing is asked yet.
    fn new(endpoint: &Endpoint, stop: Arc<AtomicUsize>) -> io::Result<Daemon> {
        match endpoint {
            #[cfg(unix)]
            Endpoint::Socket(path) => Ok(Daemon { client: Client::local(path, stop), base: Client::SOCKET.to_owned() }),
            #[cfg(unix)]
            Endpoint::Through(program) => Ok(Daemon { client: Client::through(program, stop), base: Client::SOCKET.to_owned() }),
            #[cfg(not(unix))]
            Endpoint::Socket(_) | Endpoint::Through(_) => {
                Err(io::Error::other("sockets are not supported on this system: use tcp, or a pipe"))
            }
            Endpoint::Host(base, trust) => Ok(Daemon { client: Client::new(trust.clone(), None, stop)?, base: base.clone() }),
        }
    }

    /// The engine at `endpoint`, if it is known where that is, and if it may be asked: one on another machine is not while `offline`.
    pub fn reach(endpoint: &Result<Endpoint, String>, offline: bool, stop: &Arc<AtomicUsize>) -> io::Result<Daemon> {
        match endpoint {
            Err(why) => Err(io::Error::new(io::ErrorKind::NotFound, why.clone())),
            Ok(Endpoint::Host(..) | Endpoint::Through(_)) if offline => {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is on another machine, and nothing is asked there (--offline)"))
            }
            Ok(endpoint) => Daemon::new(endpoint, stop.clone()),
        }
    }

    /// The image `name`, as `docker save` writes it. Fails with [`io::ErrorKind::NotFound`] if the engine has no such image.
    pub fn image(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        self.json(&format!("/images/{}/json", path_of(name)))?;
        Ok(self.get(&format!("/images/get?names={}", escaped(name)))?.body)
    }

    /// What a container has.
    pub fn container(&self, name: &str) -> io::Result<Container> {
        let name = path_of(name);
        let changes = self.list(&format!("/containers/{name}/changes"))?;
        let path = |change: &Value| Some(change.get("Path")?.as_str()?.trim_start_matches('/').as_bytes().to_vec());
        let gone = |change: &&Value| change.get("Kind").and_then(Value::as_u64) == Some(2);
        let paths = changes
            .iter()
            .filter(|change| !gone(change))
            .map(|change| path(change).ok_or_else(not_understood))
            .collect::<io::Result<_>>()?;
        Ok(Container { file_system: self.get(&format!("/containers/{name}/export"))?.body, changed: paths })
    }

    /// All images with a name, and those without.
    pub fn images(&self) -> io::Result<Vec<Listed>> {
        let one = |image: &Value| {
            let names = image.get("RepoTags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let names = names.iter().filter_map(|name| name.as_str()).filter(|name| *name != "<none>:<none>").map(str::to_owned);
            Some(Listed { id: image.get("Id")?.as_str()?.to_owned(), names: names.collect() })
        };
        self.list("/images/json")?.iter().map(|image| one(image).ok_or_else(not_understood)).collect()
    }

    /// One for each thing that happens to an image from now on, until the connection ends.
    pub fn events(&self) -> io::Result<impl Iterator<Item = ()>> {
        let reply = self.get(&format!("/events?filters={}", escaped(r#"{"type":["image"]}"#)))?;
        Ok(BufReader::new(reply.body).lines().map_while(Result::ok).map(drop))
    }

    /// A list; an engine says `null` for an empty one.
    fn list(&self, path: &str) -> io::Result<Vec<Value>> {
        match self.json(path)? {
            Value::Array(items) => Ok(items),
            Value::Null => Ok(Vec::new()),
            _ => Err(not_understood()),
        }
    }

    fn json(&self, path: &str) -> io::Result<Value> {
        let bytes = self.get(path)?.bytes(LARGEST)?;
        serde_json::from_slice(&bytes).map_err(|_| not_understood())
    }

    fn get(&self, path: &str) -> io::Result<Reply> {
        let reply = self.client.ask(&Ask::get(&format!("{}{path}", self.base), &[]))?;
        if reply.status == 200 {
            return Ok(reply);
        }
        let kind = if reply.status == 404 { io::ErrorKind::NotFound } else { io::ErrorKind::Other };
        let status = reply.status;
        let answer: Option<Value> = serde_json::from_slice(&reply.bytes(1 << 16)?).ok();
        let message = answer.as_ref().and_then(|answer| answer.get("message").or(answer.get("cause"))?.as_str());
        Err(io::Error::new(kind, message.map_or_else(|| format!("the engine answers with the status {status}"), str::to_owned)))
    }
}

fn not_understood() -> io::Error {
    io::Error::other("the engine's answer is not understood")
}

/// A name as a part of a path: a `/` in it stays one.
fn path_of(name: &str) -> String {
    name.split('/').map(escaped).collect::<Vec<_>>().join("/")
}

/// The error of a target.
pub fn failed(target: &str, engine: &str, e: io::Error) -> Error {
    let hint = match e.kind() {
        io::ErrorKind::PermissionDenied => " (may this user use the socket?)",
        io::ErrorKind::ConnectionRefused => " (does the engine run?)",
        _ => "",
    };
    Error::Open { target: target.to_owned(), source: io::Error::new(e.kind(), format!("{engine}: {e}{hint}")) }
}
