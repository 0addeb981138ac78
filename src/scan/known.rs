//! Layers that were scanned before, under names that stand for their content: those of a registry, and of an engine's own archives. For
//! whoever scans many images that share layers, one after the other or at the same time.

use super::locked;
use crate::archive::{Blob, Content};
use crate::digest::Digest;
use crate::error::Code;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

/// What an entry and a match take, about, and what all layers may take together. In bytes.
const ENTRY: usize = 150;
const MATCH: usize = 600;
const MOST: usize = 256 << 20;

/// See the module. The oldest are forgotten first.
#[derive(Debug, Default)]
pub struct Known(Mutex<Layers>);

/// What a layer is called, and its stored size in bytes.
type Name = (Vec<u8>, u64);

#[derive(Debug, Default)]
struct Layers {
    by_name: HashMap<Name, (Arc<Blob>, usize)>,
    order: VecDeque<Name>,
    size: usize,
}

impl Known {
    /// The layer of this name and size, as the member `entry` of another archive.
    pub fn get(&self, path: &[u8], size: u64, entry: u32) -> Option<Blob> {
        let blob = locked(&self.0).by_name.get(&(path.to_vec(), size)).map(|(blob, _)| blob.clone());
        blob.map(|blob| Blob { member: entry, ..(*blob).clone() })
    }

    /// Remembers a blob, if it is a layer that was read to its end and is what its name says.
    pub fn insert(&self, path: &[u8], size: u64, blob: &Blob) {
        let Content::Layer(layer) = &blob.content else { return };
        let unread = |code: Code| matches!(code, Code::ReadFailed | Code::Truncated | Code::LimitReached | Code::Interrupted);
        // A name that is a digest has to be the right one. Only SHA-256 is computed: of another one nobody knows.
        let right = !path.starts_with(b"blobs/") || Digest::in_blob_path(path).is_some_and(|digest| digest == blob.stored);
        if blob.cut || !right || blob.problems.iter().chain(&layer.scan.problems).any(|problem| unread(problem.code)) {
            return;
        }
        let (name, cost) = ((path.to_vec(), size), layer.scan.len() * ENTRY + layer.scan.hits.len() * MATCH);
        let mut layers = locked(&self.0);
        if cost > MOST || layers.by_name.contains_key(&name) {
            return;
        }
        layers.by_name.insert(name.clone(), (Arc::new(blob.clone()), cost));
        layers.order.push_back(name);
        layers.size += cost;
        while layers.size > MOST {
            let Some(oldest) = layers.order.pop_front() else { break };
            let freed = layers.by_name.remove(&oldest).map_or(0, |(_, cost)| cost);
            layers.size -= freed;
        }
    }
}
