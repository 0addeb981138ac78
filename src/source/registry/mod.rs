//! Images in a registry, as the members of an OCI layout that nobody wrote down: the manifests are fetched, the blobs are read when the
//! scan comes to them. Nothing is stored. What several tags share is one member.

mod api;
mod auth;
mod blob;

use super::reference::Reference;
use super::{Members, Remote};
use crate::digest::Digest;
use crate::error::{Code, Error, Problem, Problems};
use crate::layer::tar::Header;
use crate::limits::Limits;
use crate::net::Client;
use api::{Manifest, Registry};
use blob::BlobReader;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Cursor, Read};
use std::sync::Arc;

pub use auth::Credential;

/// How deep indexes may nest.
const MAX_DEPTH: usize = 8;
/// About what a value of a document takes, beside its text. In bytes.
const VALUE: u64 = 64;
/// Tags that cosign hangs on a manifest, where the registry keeps no list of referrers (distribution-spec, "Referrers Tag Schema").
const SUFFIXES: [&str; 4] = ["", ".att", ".sbom", ".sig"];

/// What of a registry is wanted.
pub struct Wanted<'a> {
    /// As typed, for messages.
    pub target: &'a str,
    /// The image, repository or registry.
    pub reference: Reference,
    /// All tags of the repository, or of all repositories.
    pub all_tags: bool,
    /// Whether an image with such a platform (a descriptor's) is wanted. One that says nothing is.
    pub platform: &'a dyn Fn(&Value) -> bool,
}

/// Fetches the manifests and lists what they name.
pub fn open(wanted: &Wanted, client: Client, credential: Option<Credential>, limits: &Limits) -> Result<Members, Error> {
    let registry = Arc::new(Registry::new(client, &wanted.reference, credential));
    let mut listing = Listing {
        registry,
        wanted,
        limits,
        index: Vec::new(),
        members: BTreeMap::new(),
        problems: Problems::default(),
        seen: HashSet::new(),
        without_list: HashSet::new(),
        held: 0,
    };
    let wrong = |source| Error::Open { target: wanted.target.to_owned(), source };
    for repository in listing.repositories().map_err(wrong)? {
        listing.repository(&repository).map_err(wrong)?;
    }
    Ok(listing.finish())
}

/// Where the bytes of a member are.
enum Place {
    Here(Arc<[u8]>),
    There { repository: Arc<str>, digest: Digest },
}

struct Listing<'a> {
    registry: Arc<Registry>,
    wanted: &'a Wanted<'a>,
    limits: &'a Limits,
    /// Descriptors of what has a name.
    index: Vec<Value>,
    /// By path.
    members: BTreeMap<String, (u64, Place)>,
    problems: Problems,
    /// Manifests that were looked at, by repository: what refers to one is another matter in each.
    seen: HashSet<(Arc<str>, Digest)>,
    /// Repositories for which the registry keeps no list of referrers.
    without_list: HashSet<Arc<str>>,
    /// Bytes of manifests, which are kept.
    held: u64,
}

impl Listing<'_> {
    /// The repositories that are wanted.
    fn repositories(&self) -> io::Result<Vec<String>> {
        if let Some(repository) = &self.wanted.reference.repository {
            return Ok(vec![repository.clone()]);
        }
        if !self.wanted.all_tags {
            return Err(io::Error::other("it names no repository: all of the registry is scanned with --all-tags"));
        }
        match self.registry.repositories()? {
            Some(repositories) if !repositories.is_empty() => Ok(repositories),
            Some(_) => Err(io::Error::other("the registry has no repository, or tells of none")),
            None => Err(io::Error::other("the registry does not tell which repositories it has")),
        }
    }

    /// The images of a repository that are wanted. That one of many is not there is a problem; that the only one is not, an error.
    fn repository(&mut self, repository: &str) -> io::Result<()> {
        let reference = &self.wanted.reference;
        let (tags, only): (Vec<String>, bool) = match (&reference.digest, &reference.tag, self.wanted.all_tags) {
            (Some(digest), _, _) => (vec![digest.to_string()], true),
            (None, Some(tag), _) => (vec![tag.clone()], true),
            (None, None, true) => match self.registry.tags(repository) {
                Ok(Some(tags)) if !tags.is_empty() || reference.repository.is_none() => (tags, false),
                Ok(_) if reference.repository.is_some() => {
                    return Err(io::Error::new(io::ErrorKind::NotFound, "there is no such repository, or it has no tags"));
                }
                // One of many.
                Ok(_) => {
                    self.problem(Code::ReadFailed, format!("{repository}: the registry does not tell its tags"));
                    return Ok(());
                }
                Err(e) if reference.repository.is_none() => {
                    self.problem(Code::ReadFailed, format!("{repository}: its tags cannot be had: {e}"));
                    return Ok(());
                }
                Err(e) => return Err(e),
            },
            (None, None, false) => (vec!["latest".to_owned()], true),
        };
        for tag in tags {
            if self.registry.client().is_stopped() {
                self.problem(Code::Interrupted, format!("stopped before {repository}:{tag}"));
                break;
            }
            if self.index.len() >= self.limits.manifests {
                self.problem(Code::LimitReached, format!("the registry has more than {} tags (--max-manifests)", self.limits.manifests));
                break;
            }
            match self.named(repository, &tag) {
                Ok(()) => {}
                Err(e) if only => return Err(e),
                Err(e) => self.problem(Code::ReadFailed, format!("{repository}:{tag}: {e}")),
            }
        }
        Ok(())
    }

    /// An image under a tag or digest.
    fn named(&mut self, repository: &str, tag: &str) -> io::Result<()> {
        let manifest = self.registry.manifest(repository, tag, self.limits.json)?;
        let manifest = manifest.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no such image in the registry"))?;
        let name = match Digest::parse(tag) {
            Some(_) => self.wanted.reference.name(repository, "").trim_end_matches(':').to_owned() + "@" + tag,
            None => self.wanted.reference.name(repository, tag),
        };
        self.enter(&repository.into(), manifest, &name, 0);
        Ok(())
    }

    /// Lists a manifest under its name, and what it names.
    fn enter(&mut self, repository: &Arc<str>, manifest: Manifest, name: &str, depth: usize) {
        self.index.push(json!({
            "mediaType": manifest.media_type, "digest": manifest.digest.to_string(), "size": manifest.bytes.len(),
            "annotations": { "io.containerd.image.name": name },
        }));
        self.document(repository, manifest, depth);
    }

    /// Lists a manifest or index, and what it names.
    fn document(&mut self, repository: &Arc<str>, manifest: Manifest, depth: usize) {
        if self.seen.contains(&(repository.clone(), manifest.digest.clone())) || !self.has_room(depth) {
            return;
        }
        self.seen.insert((repository.clone(), manifest.digest.clone()));
        if !self.members.contains_key(&manifest.digest.blob_path()) {
            // Each value takes more than its text.
            let values = memchr::memchr3_iter(b',', b'[', b'{', &manifest.bytes).count() as u64;
            self.held += manifest.bytes.len() as u64 + VALUE * values;
        }
        if self.held > 2 * self.limits.json {
            return self.problem(Code::LimitReached, "the manifests take more than is kept (twice --max-json)".to_owned());
        }
        let document: Option<Value> = serde_json::from_slice(&manifest.bytes).ok();
        let bytes: Arc<[u8]> = manifest.bytes.into();
        self.members.insert(manifest.digest.blob_path(), (bytes.len() as u64, Place::Here(bytes)));
        let Some(document) = document else { return };
        let list = |key: &str| document.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let children = list("manifests");
        let wanted: HashSet<&str> =
            children.iter().filter(|child| self.is_wanted(child)).filter_map(|child| text(child, "/digest")).collect();
        for child in &children {
            // Where it was built, and of what: that stands beside an image as one for no platform.
            let about = text(child, "/annotations/vnd.docker.reference.digest");
            let nowhere = text(child, "/platform/os") == Some("unknown");
            if self.is_wanted(child) || nowhere && about.is_none_or(|about| wanted.contains(about)) {
                self.child(repository, child, depth);
            }
        }
        for key in ["layers", "blobs"] {
            list(key).iter().for_each(|descriptor| self.blob(repository, descriptor));
        }
        document.get("config").into_iter().for_each(|config| self.blob(repository, config));
        for layer in list("fsLayers") {
            self.blob(repository, &json!({ "digest": layer.get("blobSum") }));
        }
        self.referrers(repository, &manifest.digest, depth);
    }

    fn is_wanted(&self, descriptor: &Value) -> bool {
        descriptor.get("platform").is_none_or(|platform| (self.wanted.platform)(platform))
    }

    /// Whether one more manifest may be looked at; else that is a problem.
    fn has_room(&mut self, depth: usize) -> bool {
        let most = self.limits.manifests;
        let has_room = self.seen.len() < most && depth <= MAX_DEPTH;
        if !has_room {
            let message = format!("more than {most} manifests (--max-manifests), or indexes nested deeper than {MAX_DEPTH}");
            self.problem(Code::LimitReached, message);
        }
        has_room
    }

    /// What an index names.
    fn child(&mut self, repository: &Arc<str>, descriptor: &Value, depth: usize) {
        let Some(digest) = digest_of(descriptor) else {
            return self.problem(Code::InvalidDocument, format!("{repository}: an index names something without a digest"));
        };
        // The index of a cache names layers.
        let media_type = text(descriptor, "/mediaType").unwrap_or_default();
        if !media_type.is_empty() && !["manifest", "index"].iter().any(|word| media_type.contains(word)) {
            return self.blob(repository, descriptor);
        }
        if self.seen.contains(&(repository.clone(), digest.clone())) || self.registry.client().is_stopped() || !self.has_room(depth) {
            return;
        }
        match self.registry.manifest(repository, &digest.to_string(), self.limits.json) {
            Ok(Some(manifest)) => self.document(repository, manifest, depth + 1),
            // In a file it may have been left out on purpose; a registry was asked for it.
            Ok(None) => self
                .problem(Code::BlobMissing, format!("the manifest {digest} of {repository} is listed, and the registry does not have it")),
            Err(e) => self.problem(Code::ReadFailed, format!("the manifest {digest} of {repository} cannot be had: {e}")),
        }
    }

    /// A config or layer. What is elsewhere by design may be here all the same.
    fn blob(&mut self, repository: &Arc<str>, descriptor: &Value) {
        let Some(digest) = digest_of(descriptor) else { return };
        let path = digest.blob_path();
        if self.members.contains_key(&path) {
            return;
        }
        let media_type = descriptor.get("mediaType").and_then(Value::as_str).unwrap_or_default();
        let elsewhere = media_type.contains(".foreign.") || media_type.contains("nondistributable");
        let declared = descriptor.get("size").and_then(Value::as_u64).filter(|_| !elsewhere);
        let size = match declared.map_or_else(|| self.registry.size(repository, &digest), |size| Ok(Some(size))) {
            Ok(Some(size)) => size,
            Ok(None) => return,
            Err(e) => return self.problem(Code::ReadFailed, format!("the blob {digest} of {repository} cannot be had: {e}")),
        };
        if self.members.len() as u64 >= self.limits.entries {
            return self.problem(Code::LimitReached, format!("the images have more than {} blobs (--max-entries)", self.limits.entries));
        }
        self.members.insert(path, (size, Place::There { repository: repository.clone(), digest }));
    }

    /// What says that it is about a manifest: signatures, attestations, lists of contents. Some stand under tags of their own, whether or not
    /// the registry keeps a list.
    fn referrers(&mut self, repository: &Arc<str>, digest: &Digest, depth: usize) {
        let cannot = |e: io::Error| format!("what refers to {digest} of {repository} cannot be had: {e}");
        let listed = if self.without_list.contains(repository) { Ok(None) } else { self.registry.referrers(repository, digest) };
        let mut suffixes = &SUFFIXES[..];
        match listed {
            Ok(Some(descriptors)) => {
                suffixes = &SUFFIXES[1..];
                for descriptor in descriptors {
                    let descriptor = json!(descriptor);
                    let new = digest_of(&descriptor).is_none_or(|digest| !self.seen.contains(&(repository.clone(), digest)));
                    if new && !self.registry.client().is_stopped() && self.has_room(depth) {
                        self.child(repository, &descriptor, depth);
                        self.index.push(descriptor);
                    }
                }
            }
            Ok(None) => {
                self.without_list.insert(repository.clone());
            }
            Err(e) => self.problem(Code::ReadFailed, cannot(e)),
        }
        for suffix in suffixes {
            let tag = format!("{}{suffix}", digest.to_string().replacen(':', "-", 1));
            if self.registry.client().is_stopped() {
                return;
            }
            match self.registry.manifest(repository, &tag, self.limits.json) {
                Ok(Some(manifest)) if !self.seen.contains(&(repository.clone(), manifest.digest.clone())) => {
                    let name = self.wanted.reference.name(repository, &tag);
                    self.enter(repository, manifest, &name, depth + 1);
                }
                Ok(_) => {}
                Err(e) => self.problem(Code::ReadFailed, cannot(e)),
            }
        }
    }

    fn problem(&mut self, code: Code, message: String) {
        self.problems.push(Problem::new(code, message));
    }

    /// The layout.
    fn finish(mut self) -> Members {
        let index = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": self.index });
        for (name, text) in [("oci-layout", json!({ "imageLayoutVersion": "1.0.0" })), ("index.json", index)] {
            let bytes: Arc<[u8]> = text.to_string().into_bytes().into();
            self.members.insert(name.to_owned(), (bytes.len() as u64, Place::Here(bytes)));
        }
        let (mut list, mut places) = (Vec::new(), HashMap::new());
        for (path, (size, place)) in self.members {
            list.push(Header { path: path.clone().into_bytes(), size, ..Header::default() });
            places.insert(path.into_bytes(), place);
        }
        let blobs = Blobs { registry: self.registry, places };
        Members::remote(list, self.problems, Box::new(blobs))
    }
}

/// A string in a document.
fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}

fn digest_of(descriptor: &Value) -> Option<Digest> {
    Digest::parse(descriptor.get("digest")?.as_str()?)
}

/// Opens the members.
struct Blobs {
    registry: Arc<Registry>,
    places: HashMap<Vec<u8>, Place>,
}

impl Remote for Blobs {
    fn open(&self, member: &Header, offset: u64, size: u64) -> io::Result<Box<dyn Read + Send>> {
        match self.places.get(&member.path) {
            Some(Place::Here(bytes)) => {
                let mut cursor = Cursor::new(bytes.clone());
                cursor.set_position(offset);
                Ok(Box::new(cursor.take(size)))
            }
            Some(Place::There { repository, digest }) => {
                let whole = offset == 0 && size == member.size;
                Ok(Box::new(BlobReader::new(self.registry.clone(), repository.clone(), digest.clone(), (offset, size), whole)))
            }
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
