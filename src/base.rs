//! What an image has from the image that it was built from: told by diff_ids, never guessed.

use crate::archive::Archive;
use crate::digest::Digest;
use crate::finding::{Finding, Location};
use crate::image::{Image, Images, Kind};
use std::collections::HashSet;

/// A base image: its layers, and what was found in its documents.
#[derive(Debug, Default)]
pub struct Base {
    /// Of each of its images (platforms), the diff_ids of the layers, as far as they were computed.
    images: Vec<Vec<Option<Digest>>>,
    /// Ids of findings in configs and histories.
    documents: HashSet<String>,
}

/// The diff_id of a layer's bytes. What a config says is not believed: whoever made the image wrote it.
fn computed<'a>(archive: &'a Archive, image: &Image, layer: usize) -> Option<&'a Digest> {
    archive.blobs[image.layers.get(layer)?.blob?].diff_id()
}

impl Base {
    /// What `archive` holds.
    pub fn of(archive: &Archive, images: &Images, findings: &[Finding]) -> Base {
        let layered = images.images.iter().filter(|image| image.kind == Kind::Image);
        let ids = |image: &Image| (0..image.layers.len()).map(|layer| computed(archive, image, layer).cloned()).collect();
        let in_documents = |finding: &&Finding| matches!(finding.location, Location::Metadata { .. }) && finding.image.is_some();
        Base {
            images: layered.map(ids).collect(),
            documents: findings.iter().filter(in_documents).map(|finding| finding.id.clone()).collect(),
        }
    }

    /// How many of an image's first layers are those of the base.
    pub fn shared(&self, archive: &Archive, image: &Image) -> usize {
        if image.kind != Kind::Image {
            return 0;
        }
        let same = |layer: usize, base: &[Option<Digest>]| {
            let own = computed(archive, image, layer);
            own.is_some() && own == base[layer].as_ref()
        };
        let shared = |base: &Vec<Option<Digest>>| (0..base.len().min(image.layers.len())).take_while(|layer| same(*layer, base)).count();
        self.images.iter().map(shared).max().unwrap_or_default()
    }

    /// Whether the image has all layers of one of the base's images.
    pub fn is_whole(&self, shared: usize) -> bool {
        self.images.iter().any(|base| base.len() == shared)
    }

    /// Whether a finding came with the base: it stands in one of the first `shared` layers, or the same stands in the same place of the
    /// base's documents.
    pub fn brought(&self, finding: &Finding, shared: usize) -> bool {
        match &finding.location {
            Location::File { layer: Some(layer), .. } => *layer < shared,
            Location::File { .. } => false,
            Location::Metadata { .. } => shared > 0 && self.documents.contains(&finding.id),
        }
    }
}
