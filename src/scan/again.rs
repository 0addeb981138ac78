//! What is read a second time: large files in which something was found, where package lists might know them. To compute their digests
//! in passing would take longer than to search them, and most of the time for nothing.

use super::{Queue, Task};
use crate::archive::{Archive, Content};
use crate::digest::{ContentHasher, FileDigests};
use crate::layer::change::{ChangeKind, FileType};
use crate::layer::tar::Header;
use crate::layer_scan::LayerScan;
use crate::source::Members;
use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read};

/// Computes the digests of such files in the layers that are stored as they are, and among the members.
pub fn digests(archive: &mut Archive, members: &Members, tasks: &[Task], queue: &Queue) {
    if !archive.has_lists() {
        return;
    }
    let headers: HashMap<u32, &Header> = tasks.iter().map(|(entry, header)| (*entry, header)).collect();
    let header = |member: u32| headers.get(&member).copied();
    for blob in &mut archive.blobs {
        let (Content::Layer(layer), None, Some(header)) = (&mut blob.content, &blob.unpacked, header(blob.member)) else { continue };
        if layer.tar {
            in_scan(&mut layer.scan, queue, |offset, size, _| members.open_part(header, offset, size));
        }
    }
    in_scan(&mut archive.members, queue, |_, _, entry| {
        header(entry).map_or_else(|| Ok(Box::new(io::empty()) as _), |header| members.open(header))
    });
}

fn in_scan(scan: &mut LayerScan, queue: &Queue, open: impl Fn(u64, u64, u32) -> io::Result<Box<dyn Read>>) {
    let wanted: BTreeSet<u32> = scan.hits.iter().filter(|hit| hit.place.in_content()).map(|hit| hit.entry).collect();
    for entry in wanted.into_iter().filter(|entry| !scan.digests.contains_key(entry)).collect::<Vec<u32>>() {
        let file = scan.entry(entry);
        if file.kind != ChangeKind::Put(FileType::Regular) || queue.stopped() {
            continue;
        }
        // What cannot be read now is nobody's package: it is told.
        let computed = open(file.offset, file.size, entry).and_then(of);
        scan.digests.extend(computed.ok().flatten().map(|digests| (entry, digests)));
    }
}

fn of(mut reader: Box<dyn Read>) -> io::Result<Option<FileDigests>> {
    let mut hasher = ContentHasher::default();
    hasher.with_digests(b"");
    let mut buffer = vec![0; 128 << 10];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hasher.digests()),
            read => hasher.update(&buffer[..read]),
        }
    }
}
