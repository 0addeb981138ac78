//! OCI layouts: `index.json`, indexes in indexes, manifests (OCI image-spec; formats.md, parts 3 and 4), a lone manifest, and manifests
//! that nothing names.

use super::{Gathering, Image, Kind, LONGEST, Layer, Listed, Platform, json, no_document, unverified};
use crate::archive::Archive;
use crate::digest::Digest;
use crate::error::{Code, Problem};
use crate::text::cut;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// How deep indexes may nest.
const MAX_DEPTH: usize = 8;

/// Descriptors of indexes for each manifest that may be looked at: an index may be come by under many names.
const DESCRIPTORS: usize = 10;
/// What a tool calls the image, most complete first.
const NAME_ANNOTATIONS: [&str; 2] = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];
/// The empty document that stands for "no config" (image-spec, manifest.md); it is often left out.
const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// How a manifest was come by.
#[derive(Clone, Default)]
struct Way {
    /// The name in the descriptor.
    name: Option<String>,
    /// The blobs of the indexes that lead to it.
    indexes: Vec<usize>,
    /// What the descriptor says that it describes: an attestation's image.
    subject: Option<Digest>,
    orphan: bool,
}

struct Walk<'a, 'b> {
    gathering: &'a mut Gathering<'b>,
    archive: &'b Archive,
    /// Names under which a document was come by.
    seen: HashSet<(usize, Option<String>)>,
    /// What documents are: an index, a manifest.
    shapes: HashMap<usize, (bool, bool)>,
    /// Images by their manifests; none where it gave none of its own.
    made: HashMap<usize, Option<usize>>,
    known: HashSet<usize>,
    /// How many descriptors of indexes were looked at.
    descriptors: usize,
    /// Documents of attestations, by the digest of the manifest that they are about.
    attestations: HashMap<Digest, Vec<usize>>,
}

/// Adds the images that `index.json`, or a manifest that stands alone, leads to, and those that nothing leads to.
pub fn images(gathering: &mut Gathering) {
    let archive = gathering.archive;
    let mut walk = Walk {
        gathering,
        archive,
        seen: HashSet::new(),
        shapes: HashMap::new(),
        made: HashMap::new(),
        known: HashSet::new(),
        descriptors: 0,
        attestations: HashMap::new(),
    };
    for blob in archive.named("index.json") {
        match archive.document(blob) {
            Some(index) => walk.document(index, blob, Way::default(), 0),
            None => {
                let message = format!("index.json {}", no_document(archive, blob, &walk.gathering.limits));
                walk.gathering.problem(Code::InvalidDocument, message);
            }
        }
    }
    for blob in archive.named("manifest.json") {
        if let Some(manifest @ Value::Object(_)) = archive.document(blob) {
            walk.document(manifest, blob, Way::default(), 0);
        }
    }
    walk.orphans();
    walk.attach();
}

impl Walk<'_, '_> {
    /// An index or a manifest, by its shape: the media type may be absent. One that is both is read as both (CVE-2021-41190).
    fn document(&mut self, document: &Value, blob: usize, way: Way, depth: usize) {
        if let Some(image) = self.made.get(&blob) {
            // Another name for what is known. That of manifest.json is the one people know.
            let Some(image) = *image else { return };
            let other = &self.gathering.found.images[image];
            let named = is_listed(self.archive, other) && !other.names.is_empty();
            return self.gathering.name(image, way.name.filter(|_| !named), way.indexes);
        }
        if !self.seen.insert((blob, way.name.clone())) {
            return;
        }
        self.known.insert(blob);
        let (index, manifest) = self.shape(document, blob);
        if index && manifest {
            self.gathering.problem(Code::InvalidDocument, "a document is both an index and a manifest: tools differ in what they see");
        }
        if index {
            self.index(document, blob, &way, depth);
        }
        if manifest {
            let image = self.manifest(document, blob, way);
            self.made.insert(blob, image);
        }
    }

    fn shape(&mut self, document: &Value, blob: usize) -> (bool, bool) {
        *self.shapes.entry(blob).or_insert_with(|| (is_index(document), is_manifest(document)))
    }

    fn index(&mut self, index: &Value, blob: usize, way: &Way, depth: usize) {
        let mut parts = Vec::new();
        for descriptor in json::list(json::get(index, "manifests")) {
            let most = self.gathering.limits.manifests;
            self.descriptors += 1;
            if self.seen.len() > most || self.descriptors / DESCRIPTORS > most || depth > MAX_DEPTH {
                let message = format!("more than {most} manifests (--max-manifests), or indexes nested deeper than {MAX_DEPTH}");
                self.gathering.problem(Code::LimitReached, message);
                break;
            }
            parts.extend(self.descriptor(descriptor, blob, way, depth));
        }
        if !parts.is_empty() {
            // BuildKit's cache export: an index of layers.
            let config = parts.iter().position(|part| part.is("config"));
            let kind = config.map_or_else(|| "an index of blobs".to_owned(), |config| parts[config].media_type.clone());
            let _ = self.artifact(kind, parts, blob, way.clone());
        }
    }

    /// Follows a descriptor of an index. Returns it if it leads to something else than a manifest.
    fn descriptor(&mut self, descriptor: &Value, index: usize, way: &Way, depth: usize) -> Option<Listed> {
        let listed = self.listed(descriptor);
        let Some(digest) = listed.digest.clone() else {
            self.gathering.problem(Code::InvalidDocument, "a descriptor of an index has no valid digest");
            return None;
        };
        let annotations = json::get(descriptor, "annotations");
        let annotation = |key: &str| annotations.and_then(|a| json::text(a, key));
        let name = NAME_ANNOTATIONS.iter().find_map(|key| annotation(key)).map(str::to_owned).or_else(|| way.name.clone());
        let Some(blob) = listed.blob else {
            let platform = json::get(descriptor, "platform").map(|p| {
                let part = |key| json::text(p, key).unwrap_or("?");
                format!(" for {}/{}", part("os"), part("architecture"))
            });
            let message = format!("the manifest {digest}{} is listed and not in this input", platform.unwrap_or_default());
            self.gathering.problem(Code::PlatformAbsent, message);
            return None;
        };
        let document = self.archive.document(blob);
        let Some(document) = document.filter(|document| self.shape(document, blob) != (false, false)) else {
            if document.is_none() && is_manifest_type(&listed) {
                let message = format!("the manifest {digest} {}", no_document(self.archive, blob, &self.gathering.limits));
                self.gathering.problem(Code::InvalidDocument, message);
                return None;
            }
            return Some(listed);
        };
        self.verify(&digest, listed.size, blob, "manifest");
        let indexes = way.indexes.iter().copied().chain([index]).collect();
        let subject = annotation("vnd.docker.reference.digest").and_then(Digest::parse);
        self.document(document, blob, Way { name, indexes, subject, orphan: way.orphan }, depth + 1);
        None
    }

    fn manifest(&mut self, manifest: &Value, blob: usize, way: Way) -> Option<usize> {
        if json::get(manifest, "fsLayers").is_some() {
            return self.schema1(manifest, blob, way);
        }
        let config = json::get(manifest, "config").map(|config| self.listed(config));
        let layers = json::list(json::get(manifest, "layers").or(json::get(manifest, "blobs")));
        let layers: Vec<Listed> = layers.iter().map(|layer| self.listed(layer)).collect();
        let config_blob = config.as_ref().and_then(|config| config.blob);
        if !layers.is_empty() && layers.iter().all(|layer| layer.is("application/vnd.in-toto+json")) {
            self.attestation(manifest, blob, way, config_blob, layers);
            return None;
        }
        if config_blob.is_none() && layers.iter().all(|layer| layer.blob.is_none()) {
            let message = format!("a manifest's config and its {} layers are not in this input", layers.len());
            self.gathering.problem(Code::PlatformAbsent, message);
            return None;
        }
        if let Some(kind) = artifact_type(self.archive, manifest, config.as_ref(), &layers) {
            let parts = config.into_iter().filter(|config| config.digest.as_ref().is_none_or(|d| d.to_string() != EMPTY)).chain(layers);
            return self.artifact(kind, parts.collect(), blob, way);
        }
        match (config.as_ref().and_then(|config| config.digest.clone()), config_blob) {
            (Some(digest), Some(blob)) => self.verify(&digest, config.and_then(|config| config.size), blob, "config"),
            _ => self.gathering.problem(Code::BlobMissing, "a manifest's config is not in this input"),
        }
        let mut image = self.gathering.assemble(config_blob, layers);
        image.come_by(way, blob);
        // manifest.json has told of it already: its order of layers is the right one (moby#47150), and people know its names.
        let archive = self.archive;
        let told = |other: &Image| other.config_digest.is_some() && other.config_digest == image.config_digest && is_listed(archive, other);
        let index = self.gathering.found.images.iter().position(told);
        match index.map(|index| &mut self.gathering.found.images[index]) {
            Some(other) if differ(&other.layers, &image.layers) == Differ::Layers => {
                let message = "manifest.json lists other layers for this config: tools differ in which image they see; both are reported";
                image.problem(Code::ListsDiffer, message);
                self.gathering.add(image)
            }
            Some(other) => {
                if differ(&other.layers, &image.layers) == Differ::Order {
                    other.problem(Code::ListsDiffer, "the OCI manifest lists the layers in another order; that of manifest.json was taken");
                }
                other.documents.extend(image.documents);
                if other.names.is_empty() {
                    other.names = image.names;
                }
                index
            }
            None => self.gathering.add(image),
        }
    }

    /// Docker's first registry manifests: layers top first, and a v1 config for each, as text.
    fn schema1(&mut self, manifest: &Value, blob: usize, way: Way) -> Option<usize> {
        let layers = json::list(json::get(manifest, "fsLayers")).iter().rev().map(|layer| {
            let digest = json::text(layer, "blobSum").and_then(Digest::parse);
            let found = digest.as_ref().and_then(|digest| find(self.archive, digest));
            Listed {
                name: cut(json::text(layer, "blobSum").unwrap_or_default(), LONGEST).into_owned(),
                blob: found,
                digest,
                ..Listed::default()
            }
        });
        let layers: Vec<Listed> = layers.collect();
        let v1 = |entry: &Value| json::text(entry, "v1Compatibility").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let documents: Vec<Value> = json::list(json::get(manifest, "history")).iter().rev().map(v1).collect();
        let mut image = self.gathering.assemble(None, layers);
        image.attribute_v1(documents.iter());
        image.platform = Platform::of(manifest);
        image.come_by(way, blob);
        self.gathering.add(image)
    }

    /// A manifest that describes no image, or an index of what is none: its blobs are files beside each other.
    fn artifact(&mut self, kind: String, parts: Vec<Listed>, blob: usize, way: Way) -> Option<usize> {
        let (documents, files): (Vec<Listed>, Vec<Listed>) =
            parts.into_iter().partition(|part| part.blob.is_some_and(|blob| self.archive.document(blob).is_some()));
        let mut image = self.gathering.assemble(None, files);
        // That a part is no tar is nothing special here.
        image.problems.retain(|(_, problem)| problem.code != Code::NotATar);
        let message = format!("this is no container image but {kind}: its blobs were scanned as files");
        image.problems.push((None, Problem::new(Code::Artifact, crate::text::sanitise(&message))));
        image.kind = Kind::Artifact(kind);
        image.come_by(way, blob);
        image.documents.extend(documents.iter().filter_map(|part| part.blob));
        self.gathering.add(image)
    }

    /// BuildKit's attestations (formats.md, part 3.4): documents about another manifest.
    fn attestation(&mut self, manifest: &Value, blob: usize, way: Way, config: Option<usize>, layers: Vec<Listed>) {
        let subject = json::get(manifest, "subject").and_then(|subject| json::text(subject, "digest")).and_then(Digest::parse);
        let absent = layers.iter().filter(|layer| layer.blob.is_none()).count();
        if absent > 0 {
            self.gathering.problem(Code::PlatformAbsent, format!("{absent} documents of an attestation are not in this input"));
        }
        for layer in &layers {
            if let (Some(digest), Some(blob)) = (&layer.digest, layer.blob) {
                self.verify(digest, layer.size, blob, "attestation");
            }
        }
        if let Some(subject) = way.subject.or(subject) {
            let documents = layers.iter().filter_map(|layer| layer.blob).chain([blob]).chain(config);
            let documents = documents.filter(|blob| self.archive.document(*blob).is_some());
            self.attestations.entry(subject).or_default().extend(documents);
        }
    }

    /// Gives attestations to the images that they are about.
    fn attach(&mut self) {
        if self.attestations.is_empty() {
            return;
        }
        for image in &mut self.gathering.found.images {
            let about: Vec<usize> = image
                .documents
                .iter()
                .filter_map(|blob| self.attestations.get(&self.archive.blobs[*blob].stored))
                .flatten()
                .copied()
                .collect();
            image.documents.extend(about);
        }
    }

    /// Manifests that nothing names: old tags that were left behind (formats.md, part 4.1), or hidden ones.
    fn orphans(&mut self) {
        let archive = self.archive;
        for kind in [is_index, is_manifest] {
            for blob in 0..archive.blobs.len() {
                let Some(document) = archive.document(blob).filter(|document| kind(document)) else { continue };
                if !self.known.contains(&blob) && is_blob_name(archive.name(blob)) {
                    self.document(document, blob, Way { orphan: true, ..Way::default() }, 0);
                }
            }
        }
    }

    fn listed(&self, descriptor: &Value) -> Listed {
        let digest = json::text(descriptor, "digest").and_then(Digest::parse);
        let media_type = json::text(descriptor, "mediaType").unwrap_or_default();
        Listed {
            name: cut(json::text(descriptor, "digest").unwrap_or("without a digest"), LONGEST).into_owned(),
            blob: digest.as_ref().and_then(|digest| find(self.archive, digest)),
            missing: None,
            digest,
            size: json::get(descriptor, "size").and_then(Value::as_u64),
            media_type: cut(media_type.split(';').next().unwrap_or_default().trim(), LONGEST).into_owned(),
        }
    }

    fn verify(&mut self, digest: &Digest, size: Option<u64>, blob: usize, what: &str) {
        let blob = &self.archive.blobs[blob];
        if blob.cut {
            return;
        }
        if !digest.is_sha256() {
            self.gathering.problem(Code::NotVerified, unverified(what, digest));
        }
        if digest.is_sha256() && *digest != blob.stored {
            self.gathering.problem(Code::DigestMismatch, format!("a {what} has the digest {} and is listed as {digest}", blob.stored));
        } else if let Some(size) = size.filter(|size| *size != blob.stored_size) {
            self.gathering
                .problem(Code::SizeMismatch, format!("the {what} {digest} has {} bytes and is listed with {size}", blob.stored_size));
        }
    }
}

impl Image {
    /// What the way to its manifest tells.
    fn come_by(&mut self, way: Way, manifest: usize) {
        self.names.extend(way.name);
        self.documents.push(manifest);
        self.documents.extend(way.indexes);
        self.orphan = way.orphan;
        if self.orphan {
            let message = "no index and no manifest.json names this manifest: an old image that was left behind, or a hidden one";
            self.problem(Code::Orphan, message);
        }
    }
}

/// How two lists of layers differ.
#[derive(PartialEq, Eq)]
enum Differ {
    /// Not at all, or one of them is empty (moby#47065).
    No,
    /// In their order (moby#47150).
    Order,
    /// In what they list.
    Layers,
}

fn differ(one: &[Layer], other: &[Layer]) -> Differ {
    let blobs = |layers: &[Layer]| layers.iter().map(|layer| layer.blob).collect::<Vec<_>>();
    let (mut one, mut other) = (blobs(one), blobs(other));
    if one == other || one.is_empty() || other.is_empty() {
        return Differ::No;
    }
    one.sort_unstable();
    other.sort_unstable();
    if one == other { Differ::Order } else { Differ::Layers }
}

pub fn is_index(document: &Value) -> bool {
    json::list(json::get(document, "manifests")).iter().any(|descriptor| json::get(descriptor, "digest").is_some())
        || json::get(document, "manifests").is_some_and(|list| list.as_array().is_some_and(Vec::is_empty))
}

/// By its shape: the version and the media type may be missing, and engines do not ask for them.
pub fn is_manifest(document: &Value) -> bool {
    let described = |item: &Value| json::get(item, "digest").is_some() || json::get(item, "blobSum").is_some();
    let typed = json::get(document, "schemaVersion").is_some() || json::get(document, "mediaType").is_some();
    let config = json::get(document, "config").is_some_and(described);
    config
        || ["layers", "fsLayers", "blobs"]
            .into_iter()
            .filter_map(|key| json::get(document, key))
            .any(|list| typed || json::list(Some(list)).iter().any(described))
}

fn is_manifest_type(listed: &Listed) -> bool {
    listed.media_type.is_empty() || listed.is("manifest") || listed.is("index")
}

/// `blobs/<algorithm>/<encoded>`, or the bare hex of the `dir:` layout.
fn is_blob_name(name: &[u8]) -> bool {
    let Ok(name) = std::str::from_utf8(name) else { return false };
    let path = name.strip_prefix("blobs/").unwrap_or("");
    let bare = name.strip_suffix(".manifest.json").unwrap_or(name);
    Digest::parse(&path.replacen('/', ":", 1)).is_some() || Digest::parse(&format!("sha256:{bare}")).is_some()
}

/// What a manifest is, if not that of a container image.
fn artifact_type(archive: &Archive, manifest: &Value, config: Option<&Listed>, layers: &[Listed]) -> Option<String> {
    // Cosign's signatures have the config of an image, and JSON in the place of layers.
    if let Some(first) = layers.first().filter(|first| layers.iter().all(|layer| layer.is("+json") && layer.media_type == first.media_type))
    {
        return Some(first.media_type.clone());
    }
    let config_type = config.map(|config| config.media_type.as_str()).unwrap_or_default();
    let image_type = config.is_some_and(|config| config.is("container.image") || config.is("oci.image.config"));
    let rootfs = config.and_then(|config| archive.document(config.blob?)).is_some_and(|config| json::get(config, "rootfs").is_some());
    if rootfs || image_type || config_type.is_empty() && json::get(manifest, "artifactType").is_none() && config.is_some() {
        return None;
    }
    let named = json::text(manifest, "artifactType").filter(|kind| !kind.is_empty());
    let named = named.unwrap_or(if config_type.is_empty() { "an artifact without a type" } else { config_type });
    Some(cut(named, LONGEST).into_owned())
}

/// A blob by its digest; in the `dir:` layout its name is the bare hex.
fn find(archive: &Archive, digest: &Digest) -> Option<usize> {
    let bare = digest.encoded();
    let by_name = |name: &str| archive.resolve(name).ok();
    archive.digested(digest).or_else(|| by_name(&bare)).or_else(|| by_name(&format!("{bare}.manifest.json")))
}

/// Whether manifest.json told of the image.
fn is_listed(archive: &Archive, image: &Image) -> bool {
    let first = image.documents.first();
    first.is_some_and(|blob| archive.name(*blob) == b"manifest.json" && archive.document(*blob).is_some_and(Value::is_array))
}
