//! A registry in memory, with whatever faults a test asks for, and an engine behind a socket: both speak just enough HTTP.

use pentimento::digest::Digest;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::members;

/// A request: method, path with query, headers in lower case, and a form if there is one.
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The connection ends after so many bytes of the body.
    pub cut: Option<usize>,
    /// Sent in pieces of this many bytes, with a pause after each.
    pub slow: Option<usize>,
}

impl Answer {
    pub fn of(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status, headers: Vec::new(), body: body.into(), cut: None, slow: None }
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Answer {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

fn serve(stream: impl Read + Write, handler: &Handler) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let mut body = vec![0; headers.get("content-length").and_then(|n| n.parse().ok()).unwrap_or(0)];
    let _ = reader.read_exact(&mut body);
    let body = String::from_utf8_lossy(&body).into_owned();
    let request = Request { method, path, headers, body };
    let answer = handler(&request);
    let stream = reader.get_mut();
    let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n", answer.status, answer.body.len());
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let _ = stream.write_all(format!("{head}\r\n").as_bytes());
    if request.method == "HEAD" {
        return;
    }
    let end = answer.cut.unwrap_or(answer.body.len()).min(answer.body.len());
    for piece in answer.body[..end].chunks(answer.slow.unwrap_or(1 << 20).max(1)) {
        if stream.write_all(piece).and_then(|()| stream.flush()).is_err() {
            return;
        }
        if answer.slow.is_some() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Serves on a port of this machine, which is returned, until the test ends.
pub fn http(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let handler: Arc<Handler> = Arc::new(handler);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let handler = handler.clone();
            std::thread::spawn(move || serve(stream, &*handler));
        }
    });
    port
}

/// Serves at a socket.
pub fn socket(path: &Path, handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
    let listener = UnixListener::bind(path).expect("a socket");
    let handler: Arc<Handler> = Arc::new(handler);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let handler = handler.clone();
            std::thread::spawn(move || serve(stream, &*handler));
        }
    });
}

/// What a registry has.
#[derive(Default, Clone)]
pub struct Store {
    /// By digest.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Manifests by repository and tag or digest, with their media types.
    pub manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    /// Descriptors by the digest that they are about.
    pub referrers: BTreeMap<String, Vec<Value>>,
}

impl Store {
    /// Adds the image of an OCI archive (its first manifest) under a tag.
    pub fn push(&mut self, repository: &str, tag: &str, archive: &[u8]) -> String {
        let members: BTreeMap<String, Vec<u8>> = members(archive).into_iter().collect();
        let index: Value = serde_json::from_slice(&members["index.json"]).expect("an index");
        let digest = index["manifests"][0]["digest"].as_str().expect("a digest").to_owned();
        for (name, bytes) in &members {
            if let Some(hex) = name.strip_prefix("blobs/sha256/") {
                self.blobs.insert(format!("sha256:{hex}"), bytes.clone());
            }
        }
        let manifest = self.blobs[&digest].clone();
        self.manifest(repository, tag, "application/vnd.oci.image.manifest.v1+json", manifest)
    }

    /// Adds a manifest or index under a tag, and under its digest, which is returned.
    pub fn manifest(&mut self, repository: &str, tag: &str, media_type: &str, bytes: Vec<u8>) -> String {
        let digest = Digest::sha256(&bytes).to_string();
        for name in [tag.to_owned(), digest.clone()] {
            self.manifests.insert((repository.to_owned(), name), (media_type.to_owned(), bytes.clone()));
        }
        digest
    }

    /// Answers as a registry does (distribution-spec).
    pub fn answer(&self, request: &Request) -> Answer {
        let path = request.path.split('?').next().unwrap_or_default();
        let Some(rest) = path.strip_prefix("/v2/") else { return Answer::of(404, "") };
        if rest.is_empty() {
            return Answer::of(200, "{}");
        }
        if rest == "_catalog" {
            let mut names: Vec<&String> = self.manifests.keys().map(|(repository, _)| repository).collect();
            names.dedup();
            return Answer::of(200, json!({ "repositories": names }).to_string());
        }
        if let Some(repository) = rest.strip_suffix("/tags/list") {
            let tags: Vec<&String> =
                self.manifests.keys().filter(|(r, t)| r == repository && !t.contains(':')).map(|(_, tag)| tag).collect();
            // A page has one.
            let last = request.path.split("last=").nth(1).map(str::to_owned);
            let next = tags.iter().position(|tag| Some(*tag) == last.as_ref()).map_or(0, |at| at + 1);
            let Some(tag) = tags.get(next) else { return Answer::of(404, "") };
            let answer = Answer::of(200, json!({ "name": repository, "tags": [tag] }).to_string());
            return match next + 1 < tags.len() {
                true => answer.with("Link", format!("</v2/{repository}/tags/list?n=1&last={tag}>; rel=\"next\"")),
                false => answer,
            };
        }
        if let Some((repository, reference)) = rest.split_once("/manifests/") {
            return match self.manifests.get(&(repository.to_owned(), reference.to_owned())) {
                Some((media_type, bytes)) => Answer::of(200, bytes.clone()).with("Content-Type", media_type),
                None => Answer::of(404, "{}"),
            };
        }
        if let Some((_, digest)) = rest.split_once("/referrers/") {
            let manifests = self.referrers.get(digest).cloned().unwrap_or_default();
            return Answer::of(200, json!({ "schemaVersion": 2, "manifests": manifests }).to_string());
        }
        let Some((_, digest)) = rest.split_once("/blobs/") else { return Answer::of(404, "") };
        let Some(bytes) = self.blobs.get(digest) else { return Answer::of(404, "") };
        match request.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.trim_end_matches('-').parse::<usize>().ok()) {
            Some(from) if from < bytes.len() => {
                let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
                Answer::of(206, bytes[from..].to_vec()).with("Content-Range", range)
            }
            _ => Answer::of(200, bytes.clone()),
        }
    }
}

/// Requests as they were made.
#[derive(Default, Clone)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn add(&self, request: &Request) {
        self.0.lock().expect("a log").push(format!("{} {}", request.method, request.path));
    }

    pub fn count(&self, what: &str) -> usize {
        self.0.lock().expect("a log").iter().filter(|line| line.contains(what)).count()
    }
}

/// A line to `port` of this machine that breaks: the first `cuts` answers of more than `most` bytes end there.
pub fn cutting_proxy(port: u16, cuts: usize, most: usize) -> u16 {
    use std::net::{Shutdown, TcpStream};
    use std::sync::atomic::{AtomicUsize, Ordering};
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let own = listener.local_addr().expect("an address").port();
    let left = Arc::new(AtomicUsize::new(cuts));
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let left = left.clone();
            std::thread::spawn(move || {
                let far = TcpStream::connect(("127.0.0.1", port)).expect("the registry");
                let (mut asks, mut asked) = (near.try_clone().expect("a socket"), far.try_clone().expect("a socket"));
                std::thread::spawn(move || std::io::copy(&mut asks, &mut asked));
                let (mut far, mut near, mut passed, mut buf) = (far, near, 0, vec![0; 1 << 16]);
                while let Ok(n @ 1..) = far.read(&mut buf) {
                    passed += n;
                    if near.write_all(&buf[..n]).is_err() {
                        break;
                    }
                    let cut = |left: usize| left.checked_sub(1);
                    if passed > most && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, cut).is_ok() {
                        break;
                    }
                }
                let _ = near.shutdown(Shutdown::Both);
                let _ = far.shutdown(Shutdown::Both);
            });
        }
    });
    own
}
