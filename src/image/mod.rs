//! Manifests, configs and history: which images an archive holds. The only place that knows their JSON.

pub mod about;
mod docker;
pub mod history;
mod json;
pub mod metadata;
mod oci;
mod plain;
pub mod platform;
mod v1;

use crate::archive::{Archive, Content};
use crate::digest::Digest;
use crate::error::{Code, Problem, Problems};
use crate::layer::compression::Compression;
use crate::limits::Limits;
use crate::secret::Secret;
use crate::text::cut;
use history::{Attribution, Step};
use platform::Platform;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// What an image is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Kind {
    /// A container image: its layers lie over each other.
    #[default]
    Image,
    /// Something else with a manifest (its type): its blobs stand beside each other.
    Artifact(String),
    /// A tar that lists no image. It is the only layer itself, and its members are [`Archive::members`].
    FileSystem,
}

/// An image of the archive.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// What it is.
    pub kind: Kind,
    /// Tags and references, may be empty.
    pub names: Vec<String>,
    /// What it is for.
    pub platform: Option<Platform>,
    /// No index and no `manifest.json` names its manifest.
    pub orphan: bool,
    /// The blob that is the config.
    pub config: Option<usize>,
    /// Its digest.
    pub config_digest: Option<Digest>,
    /// Base first.
    pub layers: Vec<Layer>,
    /// The config's history. Images may share a config, and it may be long.
    pub steps: Arc<[Step]>,
    /// Documents that belong to the image and are no config: manifests, v1 configs, attestations.
    pub documents: Vec<usize>,
    /// What does not fit.
    pub problems: Vec<(Option<usize>, Problem)>,
}

/// A layer of an image.
#[derive(Debug, Clone, Default)]
pub struct Layer {
    /// The blob, if it is there.
    pub blob: Option<usize>,
    /// What the config says that its SHA-256 is.
    pub diff_id: Option<Digest>,
    /// The steps that it may have come from.
    pub attribution: Attribution,
}

/// All images of an archive, and what was left over.
#[derive(Debug, Default)]
pub struct Images {
    /// In the order of the manifest.
    pub images: Vec<Image>,
    /// What is wrong and belongs to no single image.
    pub problems: Vec<Problem>,
    /// Blobs that no image uses.
    pub unreferenced: Vec<usize>,
    /// Secrets of findings that were too many to be told: no report may show them.
    pub unlisted: Vec<Secret>,
}

/// Which images are wanted, and how many are looked at.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only images for this platform. All, if there is none.
    pub platform: Option<Platform>,
    /// How far to go.
    pub limits: Limits,
}

/// Layers of all images together: an archive can name the same layer as often as it likes.
const MAX_LAYERS_OF_ALL: usize = 250_000;

/// Names and types that are longer are cut. In bytes.
const LONGEST: usize = 256;

/// A layer as a manifest lists it.
#[derive(Default)]
struct Listed {
    /// What the manifest calls it, for messages.
    name: String,
    /// The blob, or why there is none.
    blob: Option<usize>,
    missing: Option<&'static str>,
    digest: Option<Digest>,
    size: Option<u64>,
    media_type: String,
}

impl Listed {
    /// Whether the media type says so, in whatever case.
    fn is(&self, part: &str) -> bool {
        self.media_type.to_ascii_lowercase().contains(part)
    }

    /// A layer that is listed by the name of a member, as in archives of Docker.
    fn named(archive: &Archive, name: &str) -> Listed {
        let (blob, missing) = match archive.resolve(name) {
            Ok(blob) => (Some(blob), None),
            Err(why) => (None, Some(why)),
        };
        Listed { name: cut(name, LONGEST).into_owned(), blob, missing, ..Listed::default() }
    }
}

/// Gathers images.
struct Gathering<'a> {
    archive: &'a Archive,
    limits: Limits,
    found: Images,
    problems: Problems,
    /// Images by config and layers: one that is listed twice is one with two names.
    same: HashMap<(Digest, Vec<Option<usize>>), usize>,
    /// The names of each image.
    named: HashSet<(usize, String)>,
    /// Histories by config.
    steps: HashMap<usize, Arc<[Step]>>,
    layers: usize,
}

/// The images of `archive`. None is an error of the archive, and is said in `problems`.
pub fn images(archive: &Archive, selection: &Selection) -> Images {
    if archive.file_system {
        return plain::images(archive, Vec::new());
    }
    let mut gathering = Gathering {
        archive,
        limits: selection.limits,
        found: Images::default(),
        problems: Problems::default(),
        same: HashMap::new(),
        named: HashSet::new(),
        steps: HashMap::new(),
        layers: 0,
    };
    docker::images(&mut gathering);
    oci::images(&mut gathering);
    if gathering.found.images.is_empty() {
        v1::images(&mut gathering);
    }
    if gathering.found.images.is_empty() && plain::is_file_system(archive) {
        return plain::images(archive, gathering.problems.finish());
    }
    let Gathering { mut found, mut problems, .. } = gathering;
    for name in archive.duplicates() {
        let message = format!(
            "the archive holds {} more than once: docker and containerd read the last, podman, skopeo and crane the first; all were scanned",
            crate::text::exact(name)
        );
        problems.push(Problem::new(Code::DuplicateMember, message));
    }
    if archive.omissions.too_much_json {
        let message = "the archive holds more JSON than is kept (twice --max-json): some of it was searched as files only";
        problems.push(Problem::new(Code::LimitReached, message));
    }
    found.problems = problems.finish();
    let mut used: BTreeSet<usize> = BTreeSet::new();
    for image in &found.images {
        // What should be a document and is none, and a document in a layer's place, are searched with what no image uses.
        used.extend(image.config.iter().chain(&image.documents).filter(|blob| archive.document(**blob).is_some()));
        used.extend(image.layers.iter().filter_map(|layer| layer.blob).filter(|blob| archive.document(*blob).is_none()));
    }
    found.unreferenced = (0..archive.blobs.len()).filter(|blob| !used.contains(blob)).collect();
    if let Some(platform) = &selection.platform {
        only(&mut found, platform);
    }
    found
}

/// Leaves out the images for other platforms.
fn only(found: &mut Images, wanted: &Platform) {
    let (images, others): (Vec<Image>, Vec<Image>) = std::mem::take(&mut found.images)
        .into_iter()
        .partition(|image| image.platform.as_ref().is_none_or(|platform| platform.fits(wanted)));
    found.images = images;
    let platforms: BTreeSet<String> = others.iter().filter_map(|image| Some(image.platform.as_ref()?.guarded())).collect();
    let platforms = platforms.into_iter().collect::<Vec<_>>().join(", ");
    if found.images.is_empty() {
        let message = format!("there is no image for {wanted}, only for {}", crate::text::sanitise(&platforms));
        found.problems.push(Problem::new(Code::LayerMissing, message));
    } else if !others.is_empty() {
        let message = format!("{} images for other platforms are left out (--platform): {platforms}", others.len());
        found.problems.push(Problem::new(Code::PlatformAbsent, message));
    }
}

impl Gathering<'_> {
    fn problem(&mut self, code: Code, message: impl Into<String>) {
        // What was not read because the scan was stopped is not missing.
        let about_absence = matches!(code, Code::BlobMissing | Code::LayerMissing | Code::PlatformAbsent | Code::InvalidDocument);
        if !(self.archive.omissions.interrupted && about_absence) {
            self.problems.push(Problem::new(code, message));
        }
    }

    /// Whether the images list as many layers in all as are looked at; it is said if so.
    fn is_full(&mut self) -> bool {
        let full = self.layers > MAX_LAYERS_OF_ALL;
        if full {
            let message = format!("the images of this archive list more than {MAX_LAYERS_OF_ALL} layers: the last ones are left out");
            self.problem(Code::LimitReached, message);
        }
        full
    }

    /// Adds an image, or only its names where the same config with the same layers is there already. Returns its index.
    fn add(&mut self, image: Image) -> Option<usize> {
        let identity = image.config_digest.clone().map(|config| (config, image.layers.iter().map(|layer| layer.blob).collect::<Vec<_>>()));
        if let Some(index) = identity.as_ref().and_then(|identity| self.same.get(identity)) {
            let index = *index;
            self.name(index, image.names, image.documents);
            return Some(index);
        }
        if self.found.images.len() >= self.limits.manifests {
            self.problem(Code::LimitReached, format!("more than {} images (--max-manifests)", self.limits.manifests));
            return None;
        }
        self.same.extend(identity.map(|identity| (identity, self.found.images.len())));
        self.named.extend(image.names.iter().map(|name| (self.found.images.len(), name.clone())));
        self.found.images.push(image);
        Some(self.found.images.len() - 1)
    }

    /// Gives an image more names, and the documents that they come from.
    fn name(&mut self, index: usize, names: impl IntoIterator<Item = String>, documents: Vec<usize>) {
        let image = &mut self.found.images[index];
        image.names.extend(names.into_iter().filter(|name| self.named.insert((index, name.clone()))));
        image.documents.extend(documents);
    }

    /// Puts an image together from its config and its list of layers, and says what does not fit.
    fn assemble(&mut self, config: Option<usize>, mut listed: Vec<Listed>) -> Image {
        let archive = self.archive;
        let document = config.and_then(|blob| archive.document(blob));
        let mut image = Image { config, config_digest: config.map(|blob| archive.blobs[blob].stored.clone()), ..Image::default() };
        let diff_ids: Vec<Option<Digest>> = json::list(document.and_then(|d| json::get(json::get(d, "rootfs")?, "diff_ids")))
            .iter()
            .map(|id| Digest::parse(id.as_str()?))
            .collect();
        if let Some(document) = document {
            image.platform = Platform::of(document);
            if json::get(document, "rootfs").is_none() {
                image.problem(Code::InvalidDocument, "the config has no rootfs");
            } else if diff_ids.len() != listed.len() {
                let message = format!("the manifest lists {} layers and the config {}", listed.len(), diff_ids.len());
                image.problem(Code::CountMismatch, message);
            }
        }
        self.layers += listed.len();
        if self.is_full() {
            listed.clear();
        }
        if listed.len() > self.limits.layers {
            let message = format!("the image has {} layers, more than {} (--max-layers)", listed.len(), self.limits.layers);
            image.problem(Code::LimitReached, message);
            listed.truncate(self.limits.layers);
        }
        for (index, listed) in listed.into_iter().enumerate() {
            let diff_id = diff_ids.get(index).cloned().flatten();
            let problems = mismatches(archive, &listed, diff_id.as_ref());
            image.problems.extend(problems.into_iter().map(|problem| (Some(index), problem)));
            image.layers.push(Layer { blob: listed.blob, diff_id, attribution: Attribution::default() });
        }
        if let Some((blob, document)) = config.zip(document) {
            let steps = self.steps.entry(blob).or_insert_with(|| history::steps(document)).clone();
            image.attribute(document, steps);
        }
        image
    }
}

impl Image {
    fn problem(&mut self, code: Code, message: impl Into<String>) {
        self.problems.push((None, Problem::new(code, message)));
    }

    /// Attributes the layers to the steps of a history.
    fn attribute(&mut self, config: &Value, steps: Arc<[Step]>) {
        let attributions = history::attribute(config, &steps, self.layers.len());
        self.steps = steps;
        if let Some(doubt) = attributions.doubt {
            self.problem(Code::AmbiguousHistory, doubt);
        }
        for (layer, attribution) in self.layers.iter_mut().zip(attributions.layers) {
            layer.attribution = attribution;
        }
    }
}

/// What to say of a digest that is not computed.
fn unverified(what: &str, digest: &Digest) -> String {
    format!("the {what} {digest} has a digest of another kind than SHA-256: that is compared only in a registry")
}

/// What is wrong with one layer's bytes, as far as the image's documents tell.
fn mismatches(archive: &Archive, listed: &Listed, diff_id: Option<&Digest>) -> Vec<Problem> {
    let name = crate::text::sanitise(&listed.name);
    let Some(index) = listed.blob else {
        let foreign = listed.is(".foreign.") || listed.is("nondistributable");
        return match (foreign, archive.omissions.interrupted) {
            (_, true) => Vec::new(),
            (true, _) => vec![Problem::new(
                Code::ForeignLayer,
                format!("the layer {name} is a foreign one ({}): its bytes are elsewhere by design", listed.media_type),
            )],
            _ => vec![Problem::new(Code::LayerMissing, format!("the layer {name} is {}", listed.missing.unwrap_or("not in this input")))],
        };
    };
    let blob = &archive.blobs[index];
    let mut problems = Vec::new();
    if blob.cut {
        // Its digests are those of a part; why is among its own problems.
        return problems;
    }
    if listed.is("+encrypted") {
        let message = format!("the layer {name} is encrypted ({}): only the ciphertext was searched", listed.media_type);
        return vec![Problem::new(Code::EncryptedLayer, message)];
    }
    if let Some(size) = listed.size.filter(|size| *size != blob.stored_size) {
        let message = format!("the layer {name} has {} bytes, the manifest says {size}", blob.stored_size);
        problems.push(Problem::new(Code::SizeMismatch, message));
    }
    for digest in listed.digest.iter().filter(|digest| !digest.is_sha256()) {
        problems.push(Problem::new(Code::NotVerified, unverified("layer", digest)));
    }
    let differs = |expected: &&Digest| expected.is_sha256() && blob.diff_id().is_some_and(|actual| *expected != actual);
    if let (Some(expected), Some(actual)) = (diff_id.filter(differs), blob.diff_id()) {
        let message = format!("the layer {name} has the diff_id {actual}, the config says {expected}");
        problems.push(Problem::new(Code::DiffIdMismatch, message));
    } else if let Some(expected) = listed.digest.as_ref().filter(|d| d.is_sha256() && **d != blob.stored) {
        let message = format!("the layer {name} has the digest {}, the manifest says {expected}", blob.stored);
        problems.push(Problem::new(Code::DigestMismatch, message));
    } else if !archive.is_tar(index) && !matches!(blob.packing().last(), Some(Compression::Unsupported(_))) {
        problems.push(Problem::new(Code::NotATar, format!("the layer {name} is not a tar: it was searched as what it is")));
    }
    problems
}

/// Why a blob that should be a document is none.
fn no_document(archive: &Archive, blob: usize, limits: &Limits) -> String {
    match &archive.blobs[blob].content {
        Content::File if archive.blobs[blob].stored_size > limits.json => format!("is larger than {} bytes (--max-json)", limits.json),
        _ => "is not JSON that says one thing".to_owned(),
    }
}
