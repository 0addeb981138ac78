//! Images and containers of a running engine: Docker's API, which podman speaks too, over its socket. What the engine exports is read as it
//! comes, and nothing is stored.

use super::Only;
use super::reference::Reference;
use crate::error::Error;
use crate::net::{Ask, Client, Method, Reply, Trust, escaped, is_loopback};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// The largest answer that is no image. In bytes.
const LARGEST: u64 = 256 << 20;

/// What a container was created with stands under this name, in front of its files.
pub const CONTAINER: &str = "#container.json";

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
#[derive(Clone)]
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
            Ok(Endpoint::Host(..) | Endpoint::Through(_)) if offline && !is_near(endpoint) => {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is on another machine, and nothing is asked there (--offline)"))
            }
            Ok(endpoint) => Daemon::new(endpoint, stop.clone()),
        }
    }

    /// The image `name`, as `docker save` writes it. Fails with [`io::ErrorKind::NotFound`] if the engine has no such image.
    pub fn image(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let about = self.json(&format!("/images/{}/json", path_of(name)))?;
        // A name without a tag would stand for all tags in what follows. What has no such tag is an id.
        let latest = format!("{name}:latest");
        let meant = Reference::parse(&latest).ok();
        let in_registry = |tag: &str| tag.strip_suffix(&latest).is_some_and(|registry| registry.ends_with('/'));
        let is_latest = |tag: &str| meant.is_some() && Reference::parse(tag).ok() == meant || in_registry(tag);
        let mut tags = about.get("RepoTags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let name = if tags.any(is_latest) { &latest } else { name };
        Ok(self.get(&format!("/images/get?names={}", escaped(name)))?.body)
    }

    /// The file system of a container, as a tar; what in it was made or changed since it was created, and what it was created with; and
    /// where other things are mounted in it.
    pub fn container(&self, name: &str) -> io::Result<(Box<dyn Read + Send>, Only, Vec<String>)> {
        let name = path_of(name);
        let about = self.json(&format!("/containers/{name}/json"))?;
        let changes = self.list(&format!("/containers/{name}/changes"))?;
        let path = |change: &Value| Some(change.get("Path")?.as_str()?.trim_start_matches('/').to_owned());
        let gone = |change: &&Value| change.get("Kind").and_then(Value::as_u64) == Some(2);
        let mut paths = changes
            .iter()
            .filter(|change| !gone(change))
            .map(|change| path(change).ok_or_else(not_understood))
            .collect::<io::Result<HashSet<_>>>()?;
        let own = tar_of(CONTAINER, self.own_settings(&about).to_string().as_bytes())?;
        paths.insert(CONTAINER.to_owned());
        let file_system = self.get(&format!("/containers/{name}/export"))?.body;
        let mounts = about.get("Mounts").and_then(Value::as_array).into_iter().flatten();
        let mounts = mounts.filter_map(|mount| mount.get("Destination")?.as_str()).map(str::to_owned).collect();
        let (daemon, name) = (self.clone(), name.clone());
        let only = Only { paths, is_there: Box::new(move |path| daemon.is_there(&name, path)) };
        Ok((Box::new(Cursor::new(own).chain(file_system)), only, mounts))
    }

    /// What a container was created with, beyond what its image says.
    fn own_settings(&self, about: &Value) -> Value {
        let image = about.get("Image").and_then(Value::as_str).and_then(|id| self.json(&format!("/images/{}/json", path_of(id))).ok());
        let of_image = |key: &str| image.as_ref().and_then(|image| image.get("Config")?.get(key)).cloned().unwrap_or_default();
        let mut own = serde_json::Map::new();
        for key in ["Env", "Entrypoint", "Cmd", "Labels", "Healthcheck"] {
            let value = match (about.get("Config").and_then(|config| config.get(key)), of_image(key)) {
                (Some(Value::Array(items)), Value::Array(others)) if key == "Env" => {
                    Value::Array(items.iter().filter(|item| !others.contains(item)).cloned().collect())
                }
                (Some(Value::Object(labels)), Value::Object(others)) => {
                    Value::Object(labels.clone().into_iter().filter(|(name, value)| others.get(name) != Some(value)).collect())
                }
                (Some(value), other) if *value != other => value.clone(),
                _ => continue,
            };
            own.insert(key.to_owned(), value);
        }
        if let Some(options) = about.pointer("/HostConfig/LogConfig/Config").filter(|options| **options != json!({})) {
            own.insert("LogConfig".to_owned(), options.clone());
        }
        Value::Object(own)
    }

    /// Whether there is a file at this path of a container now, or that is not known. Sockets are in no tar.
    fn is_there(&self, container: &str, path: &str) -> bool {
        /// As Go has it: a socket.
        const SOCKET: u64 = 1 << 24;
        let url = format!("{}/containers/{container}/archive?path={}", self.base, escaped(&format!("/{path}")));
        let Ok(reply) = self.client.ask(&Ask { method: Method::HEAD, ..Ask::get(&url, &[]) }) else { return true };
        let about = reply.header("x-docker-container-path-stat").and_then(|text| STANDARD.decode(text).ok());
        let about: Option<Value> = about.and_then(|text| serde_json::from_slice(&text).ok());
        let mode = about.as_ref().and_then(|about| about.get("mode")?.as_u64());
        reply.status != 404 && mode.is_none_or(|mode| mode & SOCKET == 0)
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
        let answer = reply.bytes(1 << 16)?;
        let text = String::from_utf8_lossy(&answer);
        let json: Option<Value> = serde_json::from_slice(&answer).ok();
        let message = json.as_ref().and_then(|answer| answer.get("message").or(answer.get("cause"))?.as_str());
        let message = message.or(Some(text.trim()).filter(|text| !text.is_empty() && text.len() < 200 && json.is_none()));
        Err(io::Error::new(kind, message.map_or_else(|| format!("the engine answers with the status {status}"), str::to_owned)))
    }
}

/// It is on this machine, though it is asked over the network.
fn is_near(endpoint: &Result<Endpoint, String>) -> bool {
    matches!(endpoint, Ok(Endpoint::Host(base, _)) if base.split_once("://").is_some_and(|(_, host)| is_loopback(host)))
}

/// One file of a tar, without the tar's end.
fn tar_of(name: &str, content: &[u8]) -> io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(content.len() as u64);
    header.set_mode(0o600);
    header.set_cksum();
    let padding = content.len().next_multiple_of(512) - content.len();
    Ok([header.as_bytes(), content, &vec![0; padding][..]].concat())
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
    Error::Open { target: target.to_owned(), source: io::Error::new(e.kind(), format!("{engine}: {e}")) }
}
