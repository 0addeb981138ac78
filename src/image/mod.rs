//! Manifests, configs and history: which images an archive holds. The only place that knows their JSON.

mod docker;
pub mod history;
mod json;
pub mod metadata;
mod oci;

use crate::archive::{Archive, Content};
use crate::digest::Digest;
use crate::error::{Code, Problem};
use history::{Attribution, Step};
use serde_json::Value;
use std::collections::BTreeSet;

/// An image of the archive.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// Tags and references, may be empty.
    pub names: Vec<String>,
    /// `os/architecture[/variant]`.
    pub platform: Option<String>,
    /// The blob that is the config.
    pub config: Option<usize>,
    /// Its digest.
    pub config_digest: Option<Digest>,
    /// Base first.
    pub layers: Vec<Layer>,
    /// The config's history.
    pub steps: Vec<Step>,
    /// Documents that belong to the image and are no config: its manifests.
    pub manifests: Vec<usize>,
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
}

/// A layer as a manifest lists it.
struct Listed {
    name: String,
    blob: Option<usize>,
    digest: Option<Digest>,
}

/// The images of `archive`. None is an error of the archive, and is said in `problems`.
pub fn images(archive: &Archive) -> Images {
    let mut found = Images::default();
    for name in archive.duplicates() {
        let message = format!("the archive holds {} more than once: tools differ in which they read", crate::text::exact(name));
        found.problems.push(Problem::new(Code::DuplicateMember, message));
    }
    docker::images(archive, &mut found);
    oci::images(archive, &mut found);
    let mut used: BTreeSet<usize> = BTreeSet::new();
    for image in &found.images {
        used.extend(image.config);
        used.extend(&image.manifests);
        // A document in a layer's place is searched with those that no image uses.
        used.extend(image.layers.iter().filter_map(|layer| layer.blob).filter(|blob| archive.layer(*blob).is_some()));
    }
    found.unreferenced = (0..archive.blobs.len()).filter(|blob| !used.contains(blob)).collect();
    found
}

/// Puts an image together from its config and its list of layers, and says what does not fit.
fn assemble(archive: &Archive, config: Option<usize>, listed: Vec<Listed>) -> Image {
    let document = config.and_then(|blob| archive.document(blob));
    let mut image = Image { config, config_digest: config.map(|blob| archive.blobs[blob].stored.clone()), ..Image::default() };
    let diff_ids: Vec<Option<Digest>> = json::list(document.and_then(|d| json::get(json::get(d, "rootfs")?, "diff_ids")))
        .iter()
        .map(|id| Digest::parse(id.as_str()?))
        .collect();
    if let Some(document) = document {
        image.platform = platform(document);
        image.steps = history::steps(document);
        if json::get(document, "rootfs").is_none() {
            image.problem(Code::InvalidDocument, "the config has no rootfs");
        } else if diff_ids.len() != listed.len() {
            let message = format!("the manifest lists {} layers and the config {}", listed.len(), diff_ids.len());
            image.problem(Code::CountMismatch, message);
        }
    }
    let attributions = history::attribute(document.unwrap_or(&Value::Null), &image.steps, listed.len());
    if let Some(doubt) = attributions.doubt {
        image.problem(Code::AmbiguousHistory, doubt);
    }
    for (index, (listed, attribution)) in listed.into_iter().zip(attributions.layers).enumerate() {
        let diff_id = diff_ids.get(index).cloned().flatten();
        if let Some(problem) = mismatch(archive, &listed, diff_id.as_ref()) {
            image.problems.push((Some(index), problem));
        }
        image.layers.push(Layer { blob: listed.blob, diff_id, attribution });
    }
    image
}

impl Image {
    fn problem(&mut self, code: Code, message: impl Into<String>) {
        self.problems.push((None, Problem::new(code, message)));
    }
}

/// What is wrong with one layer's bytes, as far as the image's documents tell.
fn mismatch(archive: &Archive, listed: &Listed, diff_id: Option<&Digest>) -> Option<Problem> {
    let name = crate::text::sanitise(&listed.name);
    let Some(blob) = listed.blob.map(|blob| &archive.blobs[blob]) else {
        return Some(Problem::new(Code::LayerMissing, format!("the layer {name} is not in this input")));
    };
    let actual = &blob.diff_id;
    if let Some(expected) = diff_id.filter(|d| d.is_sha256() && *d != actual) {
        return Some(Problem::new(Code::DiffIdMismatch, format!("the layer {name} has the diff_id {actual}, the config says {expected}")));
    }
    if let Some(expected) = listed.digest.as_ref().filter(|d| d.is_sha256() && **d != blob.stored) {
        return Some(Problem::new(
            Code::DigestMismatch,
            format!("the layer {name} has the digest {}, the manifest says {expected}", blob.stored),
        ));
    }
    let tar = matches!(blob.content, Content::Layer { tar: true, .. });
    (!tar).then(|| Problem::new(Code::NotATar, format!("the layer {name} is not a tar: it was searched as what it is")))
}

fn platform(config: &Value) -> Option<String> {
    let part = |key| json::get(config, key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let parts: Vec<&str> = [part("os"), part("architecture"), part("variant")].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}
