//! OCI layouts: `index.json`, indexes in indexes, manifests (OCI image-spec; formats.md, parts 3 and 4), and a lone manifest.

use super::{Image, Images, Listed, assemble, docker, json};
use crate::archive::Archive;
use crate::digest::Digest;
use crate::error::{Code, Problem};
use serde_json::Value;
use std::collections::HashSet;

/// How deep indexes may nest, and how many manifests are looked at.
const MAX_DEPTH: usize = 8;
const MAX_MANIFESTS: usize = 10_000;

/// What a tool calls the image, most complete first.
const NAME_ANNOTATIONS: [&str; 2] = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

struct Walk<'a> {
    archive: &'a Archive,
    found: &'a mut Images,
    seen: HashSet<(usize, Option<String>)>,
}

/// Adds the images that `index.json`, or a manifest that stands alone, leads to.
pub fn images(archive: &Archive, found: &mut Images) {
    let mut walk = Walk { archive, found, seen: HashSet::new() };
    for &blob in archive.named("index.json") {
        match archive.document(blob) {
            Some(index) => walk.index(index, blob, 0),
            None => walk.found.problems.push(Problem::new(Code::InvalidDocument, "index.json is not JSON")),
        }
    }
    for &blob in archive.named("manifest.json") {
        if let Some(manifest @ Value::Object(_)) = archive.document(blob) {
            walk.document(manifest, blob, None, 0);
        }
    }
}

impl Walk<'_> {
    fn index(&mut self, index: &Value, blob: usize, depth: usize) {
        for descriptor in json::list(json::get(index, "manifests")) {
            if self.seen.len() > MAX_MANIFESTS || depth > MAX_DEPTH {
                let message = format!("more than {MAX_MANIFESTS} manifests, or indexes nested deeper than {MAX_DEPTH}");
                self.found.problems.push(Problem::new(Code::LimitReached, message));
                return;
            }
            self.descriptor(descriptor, blob, depth);
        }
    }

    fn descriptor(&mut self, descriptor: &Value, index: usize, depth: usize) {
        let Some(digest) = json::text(descriptor, "digest").and_then(Digest::parse) else {
            self.found.problems.push(Problem::new(Code::InvalidDocument, "a descriptor of an index has no valid digest"));
            return;
        };
        let annotations = json::get(descriptor, "annotations");
        let annotation = |key: &str| annotations.and_then(|a| json::text(a, key));
        if annotation("vnd.docker.reference.type") == Some("attestation-manifest") {
            return; // No image: its documents are searched as what they are.
        }
        let name = NAME_ANNOTATIONS.iter().find_map(|key| annotation(key)).map(str::to_owned);
        let Some(blob) = find(self.archive, &digest) else {
            let platform = json::get(descriptor, "platform").map(|p| {
                let part = |key| json::text(p, key).unwrap_or("?");
                format!(" for {}/{}", part("os"), part("architecture"))
            });
            let message = format!("the manifest {digest}{} is listed and not in this input", platform.unwrap_or_default());
            self.found.problems.push(Problem::new(Code::PlatformAbsent, message));
            return;
        };
        self.verify(&digest, blob, "manifest");
        if !self.seen.insert((blob, name.clone())) {
            return;
        }
        let Some(document) = self.archive.document(blob) else {
            self.found.problems.push(Problem::new(Code::InvalidDocument, format!("the manifest {digest} is not JSON")));
            return;
        };
        let before = self.found.images.len();
        self.document(document, blob, name, depth + 1);
        for image in &mut self.found.images[before..] {
            image.manifests.push(index);
        }
    }

    /// An index or a manifest, by its shape: the media type may be absent.
    fn document(&mut self, document: &Value, blob: usize, name: Option<String>, depth: usize) {
        if json::get(document, "manifests").is_some() {
            self.index(document, blob, depth);
        }
        if json::get(document, "layers").is_some() || json::get(document, "config").is_some() {
            self.manifest(document, blob, name);
        }
    }

    fn manifest(&mut self, manifest: &Value, blob: usize, name: Option<String>) {
        let config_digest = json::get(manifest, "config").and_then(|c| json::text(c, "digest")).and_then(Digest::parse);
        let config = config_digest.as_ref().and_then(|digest| find(self.archive, digest));
        let listed: Vec<Listed> = json::list(json::get(manifest, "layers"))
            .iter()
            .map(|layer| {
                let digest = json::text(layer, "digest").and_then(Digest::parse);
                let blob = digest.as_ref().and_then(|digest| find(self.archive, digest));
                Listed { name: json::text(layer, "digest").unwrap_or("without a digest").to_owned(), blob, digest }
            })
            .collect();
        if config.is_none() && listed.iter().all(|layer| layer.blob.is_none()) {
            let message = format!("a manifest's config and its {} layers are not in this input", listed.len());
            self.found.problems.push(Problem::new(Code::PlatformAbsent, message));
            return;
        }
        match (&config_digest, config) {
            (Some(digest), Some(config)) => self.verify(digest, config, "config"),
            _ => self.found.problems.push(Problem::new(Code::BlobMissing, "a manifest's config is not in this input")),
        }
        let mut image = assemble(self.archive, config, listed);
        image.names.extend(name);
        image.manifests.push(blob);
        // manifest.json has told of it already: names there are the ones that people know.
        match self
            .found
            .images
            .iter_mut()
            .find(|other| other.config_digest.is_some() && other.config_digest == image.config_digest && docker_made(self.archive, other))
        {
            Some(other) => {
                other.manifests.extend(image.manifests);
                if other.names.is_empty() {
                    other.names = image.names;
                }
            }
            None => docker::add(self.found, image),
        }
    }

    fn verify(&mut self, digest: &Digest, blob: usize, what: &str) {
        let actual = &self.archive.blobs[blob].stored;
        if digest.is_sha256() && digest != actual {
            let message = format!("a {what} has the digest {actual} and is listed as {digest}");
            self.found.problems.push(Problem::new(Code::DigestMismatch, message));
        }
    }
}

/// A blob by its digest; in the `dir:` layout its name is the bare hex.
fn find(archive: &Archive, digest: &Digest) -> Option<usize> {
    archive.digested(digest).or_else(|| archive.named(digest.encoded()).last().copied())
}

fn docker_made(archive: &Archive, image: &Image) -> bool {
    let array = |blob: &usize| archive.blobs[*blob].name == b"manifest.json" && archive.document(*blob).is_some_and(Value::is_array);
    image.manifests.iter().any(array)
}
