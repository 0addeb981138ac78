//! The whiteout rules: what became of a path after the layer that wrote it (formats.md, part 9).
//!
//! A fate is a function of the later layers' scans alone. For one path it asks each later layer, in order: does it make a directory
//! above opaque, white out the path or a parent, put something else there?

use crate::digest::ContentHash;
use crate::layer::change::{ChangeKind, FileType, ancestors};
use crate::layer_scan::LayerScan;

/// How a path was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By a whiteout of its own.
    Whiteout,
    /// By a whiteout of a directory above it.
    ParentRemoved,
    /// By an opaque marker in a directory above it.
    Opaque,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Visible in the final image.
    Present,
    /// Removed by layer `by`.
    Deleted {
        /// Index of the layer that removed it.
        by: usize,
        /// In which way.
        how: How,
    },
    /// Layer `by` wrote other content to the same path.
    Overwritten {
        /// Index of the layer that overwrote it.
        by: usize,
    },
    /// In layer `by` something of another type took the path, or a parent's.
    Replaced {
        /// Index of the layer that replaced it.
        by: usize,
    },
    /// A later entry of the same layer took its place.
    Superseded,
    /// In the layer's bytes, and never a part of the file system.
    Hidden,
}

/// The life of one version of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// What became of it.
    pub fate: Fate,
    /// Layers that wrote the same content again (chmod, chown, touch).
    pub rewritten_in: Vec<usize>,
    /// Why engines disagree about the fate, if they do.
    pub engine_dependent: Option<&'static str>,
}

/// The life of entry `entry` of layer `born` in an image of `layers` (base first; `None` where a layer could not be read). With
/// `by_content`, writing the same content again does not end it.
pub fn life(layers: &[Option<&LayerScan>], born: usize, entry: u32, by_content: bool) -> Life {
    let mut life = Life { fate: Fate::Present, rewritten_in: Vec::new(), engine_dependent: None };
    let Some(Some(home)) = layers.get(born) else { return life };
    let (path, record) = (home.path(entry), home.entry(entry));
    if record.superseded {
        life.fate = Fate::Superseded;
        life.engine_dependent = Some("the layer holds this path more than once: docker and podman refuse such a layer");
        return life;
    }
    if !matches!(record.kind, ChangeKind::Put(_)) {
        life.fate = Fate::Hidden;
        return life;
    }
    if home.whites_out(path) {
        life.engine_dependent = Some("one layer holds both the file and its whiteout: engines refuse it or differ");
    }
    for (by, layer) in layers.iter().enumerate().skip(born + 1) {
        let Some(layer) = layer else { continue };
        match step(layer, by, path, record.content.filter(|_| by_content), &mut life.engine_dependent) {
            Step::Untouched => {}
            Step::Rewritten => life.rewritten_in.push(by),
            Step::Ended(fate) => {
                life.fate = fate;
                break;
            }
        }
    }
    life
}

const BY_DEVICE: &str = "an overlayfs character device stands for the deletion: engines without overlayfs do not read it so";

/// What one later layer does to a living file.
enum Step {
    Untouched,
    Rewritten,
    Ended(Fate),
}

fn step(layer: &LayerScan, by: usize, path: &[u8], content: Option<ContentHash>, doubt: &mut Option<&'static str>) -> Step {
    let put = layer.put(path).map(|entry| layer.entry(entry));
    if put.is_some_and(|new| content.is_some() && new.content == content) {
        // Also where the layer removed the old file first: whoever looks sees the same bytes.
        return Step::Rewritten;
    }
    if let Some(dir) = layer.opaque_above(path) {
        if dir.is_empty() {
            *doubt = Some("an opaque marker in the root directory: overlay engines ignore it");
        }
        return Step::Ended(Fate::Deleted { by, how: How::Opaque });
    }
    if layer.whites_out(path) {
        if layer.whites_out_by_device(path) {
            *doubt = Some(BY_DEVICE);
        }
        return Step::Ended(Fate::Deleted { by, how: How::Whiteout });
    }
    if let Some(parent) = ancestors(path).find(|parent| layer.whites_out(parent)) {
        if layer.whites_out_by_device(parent) {
            *doubt = Some(BY_DEVICE);
        } else if layer.put(parent).is_some() || layer.puts_below(parent) {
            *doubt = Some("the directory was whited out and made again in one layer: in overlay engines the old files reappear");
        }
        return Step::Ended(Fate::Deleted { by, how: How::ParentRemoved });
    }
    let is_directory = |entry: u32| layer.entry(entry).kind == ChangeKind::Put(FileType::Directory);
    if ancestors(path).any(|parent| layer.put(parent).is_some_and(|entry| !is_directory(entry))) || layer.puts_below(path) {
        return Step::Ended(Fate::Replaced { by });
    }
    match put {
        None => Step::Untouched,
        Some(new) if matches!(new.kind, ChangeKind::Put(FileType::Regular | FileType::HardLink)) => Step::Ended(Fate::Overwritten { by }),
        Some(_) => Step::Ended(Fate::Replaced { by }),
    }
}
