//! What is read a second time: large files in which something was found, where package lists might know them. To compute their digests
//! in passing would take longer than to search them, and most of the time for nothing.

use super::{Queue, Task, locked};
use crate::archive::{Archive, Content};
use crate::detect::is_noise;
use crate::digest::{Algorithms, FileDigests, FileHasher};
use crate::layer::change::{ChangeKind, FileType};
use crate::layer::tar::Header;
use crate::layer_scan::{FileHit, LayerScan};
use crate::rules::Confidence;
use crate::source::Members;
use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A file to read.
struct Wanted<'a> {
    /// The blob that it is in; none for the archive itself.
    blob: Option<usize>,
    entry: u32,
    /// The member that holds it, and where in that.
    member: &'a Header,
    offset: u64,
    size: u64,
}

/// Computes the digests of such files in the layers that are stored as they are, and among the members.
pub fn digests(archive: &mut Archive, members: &Members, tasks: &[Task], queue: &Queue) {
    let algorithms = archive.listed();
    if algorithms == Algorithms::default() {
        return;
    }
    let wanted = wanted(archive, tasks, queue.work.least);
    let (next, computed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..queue.work.threads.min(wanted.len()) {
            scope.spawn(|| {
                while let Some(file) = wanted.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !queue.stopped()) {
                    // What cannot be read now is nobody's package: it is told.
                    let read = members.open_part(file.member, file.offset, file.size).and_then(|reader| of(reader, algorithms));
                    locked(&computed).extend(read.ok().map(|digests| (file.blob, file.entry, digests)));
                }
            });
        }
    });
    for (blob, entry, digests) in locked(&computed).drain(..) {
        let scan = match blob.map(|blob| &mut archive.blobs[blob].content) {
            Some(Content::Layer(layer)) => &mut layer.scan,
            _ => &mut archive.members,
        };
        scan.digests.insert(entry, digests);
    }
}

/// The files, the largest first.
fn wanted<'a>(archive: &Archive, tasks: &'a [Task], least: Confidence) -> Vec<Wanted<'a>> {
    let headers: HashMap<u32, &Header> = tasks.iter().map(|(entry, header)| (*entry, header)).collect();
    let mut wanted = Vec::new();
    for (index, blob) in archive.blobs.iter().enumerate() {
        let (Content::Layer(layer), None, Some(member)) = (&blob.content, &blob.unpacked, headers.get(&blob.member)) else { continue };
        if layer.tar {
            let files = without_digests(&layer.scan, least).map(|entry| (entry, layer.scan.entry(entry)));
            wanted.extend(files.map(|(entry, file)| Wanted { blob: Some(index), entry, member, offset: file.offset, size: file.size }));
        }
    }
    let files = without_digests(&archive.members, least).filter_map(|entry| Some((entry, *headers.get(&entry)?)));
    wanted.extend(files.map(|(entry, member)| Wanted { blob: None, entry, member, offset: 0, size: member.size }));
    wanted.sort_by_key(|file| std::cmp::Reverse(file.size));
    wanted
}

/// Regular files in which something was found that is worth looking up.
fn without_digests(scan: &LayerScan, least: Confidence) -> impl Iterator<Item = u32> {
    let counts = |hit: &&FileHit| hit.place.in_content() && !is_noise(least, hit.found.confidence, &hit.found.reasons);
    let found: BTreeSet<u32> = scan.hits.iter().filter(counts).map(|hit| hit.entry).collect();
    let unknown = |entry: &u32| !scan.digests.contains_key(entry) && scan.entry(*entry).kind == ChangeKind::Put(FileType::Regular);
    found.into_iter().filter(unknown)
}

fn of(mut reader: Box<dyn Read>, algorithms: Algorithms) -> io::Result<FileDigests> {
    let mut hasher = FileHasher::new(algorithms);
    let mut buffer = vec![0; 128 << 10];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(&buffer[..read]),
        }
    }
}
