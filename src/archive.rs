//! An archive that was read: its blobs, each scanned as what its bytes say it is, and the links between their names.
//!
//! What a blob is *for* (layer, config, manifest) is decided later, when the manifests are known.

use crate::digest::Digest;
use crate::error::Problem;
use crate::layer::change::{ancestors, clean};
use crate::layer::compression::Compression;
use crate::layer_scan::LayerScan;
use std::collections::HashMap;

/// One blob, scanned.
#[derive(Debug)]
pub struct Blob {
    /// The member's name, cleaned.
    pub name: Vec<u8>,
    /// SHA-256 of the stored bytes.
    pub stored: Digest,
    /// Stored size in bytes.
    pub stored_size: u64,
    /// Where its bytes begin in the archive, where that can be told.
    pub offset: Option<u64>,
    /// SHA-256 of the uncompressed bytes: what a config calls the diff_id, where the blob is a layer.
    pub diff_id: Digest,
    /// Uncompressed size in bytes.
    pub size: u64,
    /// How it is packed, outermost first.
    pub packing: Vec<Compression>,
    /// What was wrong with its stored bytes; what is wrong within a layer is in its scan.
    pub problems: Vec<Problem>,
    /// What is in it.
    pub content: Content,
}

/// What a blob's bytes are.
#[derive(Debug)]
pub enum Content {
    /// A tar, or bytes that are neither tar nor JSON (then there is a single entry without a name).
    Layer {
        /// What was found.
        scan: LayerScan,
        /// Whether it is a tar.
        tar: bool,
    },
    /// JSON.
    Document(serde_json::Value),
}

/// A link from one member name to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Relative to the directory of the link.
    Symbolic(Vec<u8>),
    /// Relative to the archive's root.
    Hard(Vec<u8>),
}

/// All of an archive.
#[derive(Debug, Default)]
pub struct Archive {
    /// The blobs, in the order of the archive.
    pub blobs: Vec<Blob>,
    /// What was wrong with the archive itself.
    pub problems: Vec<Problem>,
    by_name: HashMap<Vec<u8>, Vec<usize>>,
    by_digest: HashMap<Digest, usize>,
    links: HashMap<Vec<u8>, Link>,
}

/// The longest chain of links that is followed.
const MAX_LINKS: usize = 10;

impl Archive {
    /// Puts an archive together.
    pub fn new(blobs: Vec<Blob>, links: Vec<(Vec<u8>, Link)>, problems: Vec<Problem>) -> Archive {
        let mut archive = Archive { problems, links: links.into_iter().collect(), ..Archive::default() };
        for (index, blob) in blobs.iter().enumerate() {
            archive.by_name.entry(blob.name.clone()).or_default().push(index);
            archive.by_digest.entry(blob.stored.clone()).or_insert(index);
        }
        archive.blobs = blobs;
        archive
    }

    /// The blobs that a member name leads to, links followed: more than one where the name occurs more than once.
    pub fn named(&self, name: &str) -> &[usize] {
        let mut name = clean(name.as_bytes()).0;
        for _ in 0..MAX_LINKS {
            if let Some(blobs) = self.by_name.get(&name) {
                return blobs;
            }
            name = match self.links.get(&name) {
                None => return &[],
                Some(Link::Hard(target)) => clean(target).0,
                Some(Link::Symbolic(target)) => {
                    let dir = ancestors(&name).next().unwrap_or_default();
                    clean(&[dir, b"/", target].concat()).0
                }
            };
        }
        &[]
    }

    /// The blob with this digest: by its bytes, or else by its name in a layout (then its bytes differ).
    pub fn digested(&self, digest: &Digest) -> Option<usize> {
        self.by_digest.get(digest).copied().or_else(|| self.named(&digest.blob_path()).last().copied())
    }

    /// The names that occur more than once.
    pub fn duplicates(&self) -> Vec<&[u8]> {
        let mut names: Vec<&[u8]> = self.by_name.iter().filter(|(_, blobs)| blobs.len() > 1).map(|(name, _)| &name[..]).collect();
        names.sort_unstable();
        names
    }

    /// Everything that is wrong with a blob's bytes.
    pub fn problems_of(&self, blob: usize) -> impl Iterator<Item = &Problem> {
        let scan = self.layer(blob).map(|scan| &scan.problems[..]).unwrap_or_default();
        self.blobs[blob].problems.iter().chain(scan)
    }

    /// The document in a blob.
    pub fn document(&self, blob: usize) -> Option<&serde_json::Value> {
        match &self.blobs.get(blob)?.content {
            Content::Document(value) => Some(value),
            Content::Layer { .. } => None,
        }
    }

    /// The scan of a blob that is a layer.
    pub fn layer(&self, blob: usize) -> Option<&LayerScan> {
        match &self.blobs.get(blob)?.content {
            Content::Layer { scan, .. } => Some(scan),
            Content::Document(_) => None,
        }
    }
}
