//! Layers that were scanned before, under names that stand for their content: those of a registry, of an engine's own archives, and for
//! what is near the digests that were computed. For whoever scans many images that share layers, one after the other or at the same time.

use super::locked;
use super::tally::{Hashing, TallyReader};
use crate::archive::{Blob, Content};
use crate::digest::Digest;
use crate::error::Code;
use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What an entry and a match take, about, and what all layers may take together. In bytes.
const ENTRY: usize = 150;
const MATCH: usize = 600;
const MOST: usize = 256 << 20;
/// How often whoever waits looks whether all is to end.
const TICK: Duration = Duration::from_millis(100);

/// See the module. The oldest are forgotten first.
#[derive(Debug, Default)]
pub struct Known {
    layers: Mutex<Layers>,
    /// Somebody has done with a layer.
    done: Condvar,
}

/// What a layer is called, and its stored size in bytes.
type Name = (Vec<u8>, u64);

#[derive(Debug, Default)]
struct Layers {
    by_name: HashMap<Name, (Arc<Blob>, usize)>,
    order: VecDeque<Name>,
    size: usize,
    /// How many have this stored size.
    sizes: HashMap<u64, usize>,
    /// What is being scanned.
    claimed: HashSet<Name>,
}

/// While it is there, nobody else scans what it was made for: they wait, and find it known.
pub struct Claim<'a> {
    known: &'a Known,
    name: Name,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        locked(&self.known.layers).claimed.remove(&self.name);
        self.known.done.notify_all();
    }
}

impl Known {
    /// Waits until nobody scans a layer of this name and size. Whoever holds a claim must not wait for another.
    pub fn claim(&self, path: &[u8], size: u64, stopped: impl Fn() -> bool) -> Option<Claim<'_>> {
        let name = (path.to_vec(), size);
        let mut layers = locked(&self.layers);
        while layers.claimed.contains(&name) {
            if stopped() {
                return None;
            }
            layers = self.done.wait_timeout(layers, TICK).map_or_else(|e| e.into_inner().0, |(layers, _)| layers);
        }
        layers.claimed.insert(name.clone());
        Some(Claim { known: self, name })
    }

    /// The layer of this name and size, as the member `entry` of another archive.
    pub fn get(&self, path: &[u8], size: u64, entry: u32) -> Option<Blob> {
        let blob = locked(&self.layers).by_name.get(&(path.to_vec(), size)).map(|(blob, _)| blob.clone());
        blob.map(|blob| Blob { member: entry, ..(*blob).clone() })
    }

    /// Whether a layer of this stored size is known.
    pub fn has_size(&self, size: u64) -> bool {
        locked(&self.layers).sizes.contains_key(&size)
    }

    /// The layer with these stored bytes, which are near and are read to their end.
    pub fn get_near(&self, bytes: impl Read, size: u64, entry: u32) -> Option<Blob> {
        let mut bytes = TallyReader::new(bytes, Hashing::Here);
        io::copy(&mut BufReader::with_capacity(1 << 17, &mut bytes), &mut io::sink()).ok().filter(|read| *read == size)?;
        let digest = bytes.finish()?;
        self.get(digest.to_string().as_bytes(), size, entry).or_else(|| self.get(digest.blob_path().as_bytes(), size, entry))
    }

    /// Remembers a blob that is near, under its digest. What is packed is scanned as it is anywhere; of a file in a layer that is not, the
    /// digests are computed later: such a layer is of use only to whoever can do that.
    pub fn insert_near(&self, size: u64, blob: &Blob) {
        let name = if blob.unpacked.is_some() { blob.stored.blob_path() } else { blob.stored.to_string() };
        self.insert(name.as_bytes(), size, blob);
    }

    /// Remembers a blob, if it is a layer that was read to its end and is what its name says.
    pub fn insert(&self, path: &[u8], size: u64, blob: &Blob) {
        // What is found in a packed file depends on its name, too.
        let Content::Layer(layer) = &blob.content else { return };
        if !layer.tar {
            return;
        }
        let unread = |code: Code| matches!(code, Code::ReadFailed | Code::Truncated | Code::LimitReached | Code::Interrupted);
        // A name that is a digest has to be the right one. Only SHA-256 is computed: of another one nobody knows.
        let right = !path.starts_with(b"blobs/") || Digest::in_blob_path(path).is_some_and(|digest| digest == blob.stored);
        if blob.cut || !right || blob.problems.iter().chain(&layer.scan.problems).any(|problem| unread(problem.code)) {
            return;
        }
        let (name, cost) = ((path.to_vec(), size), layer.scan.len() * ENTRY + layer.scan.hits.len() * MATCH);
        let mut layers = locked(&self.layers);
        if cost > MOST || layers.by_name.contains_key(&name) {
            return;
        }
        layers.by_name.insert(name.clone(), (Arc::new(blob.clone()), cost));
        *layers.sizes.entry(size).or_default() += 1;
        layers.order.push_back(name);
        layers.size += cost;
        while layers.size > MOST {
            let Some(oldest) = layers.order.pop_front() else { break };
            let freed = layers.by_name.remove(&oldest).map_or(0, |(_, cost)| cost);
            if layers.sizes.get(&oldest.1) == Some(&1) {
                layers.sizes.remove(&oldest.1);
            } else {
                layers.sizes.entry(oldest.1).and_modify(|count| *count -= 1);
            }
            layers.size -= freed;
        }
    }
}
