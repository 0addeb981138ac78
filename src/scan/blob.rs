//! One blob: unpack it, hash it, see what it is, and have it searched as that.

use super::document::parse;
use super::feed::{Fed, Feed};
use super::pump::Pump;
use super::tally::{Hashing, TallyReader};
use super::unpack::{Count, Unpacking, failure, stop_in, unpack};
use super::walk::LayerWalk;
use super::{Queue, SMALL, locked};
use crate::archive::{Blob, Content, Document, Layer, Unpacked};
use crate::digest::{ContentHash, ContentHasher, Digest};
use crate::error::{Code, Problem};
use crate::layer::compression::Compression;
use crate::layer::tar::{BLOCK, checksum_holds};
use std::io::{self, Cursor, Read};

/// The byte order mark of UTF-8: engines refuse JSON that begins with one, and it says nothing about the rest.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// From this size on, packed, a blob gets threads of its own. In bytes.
const LARGE: u64 = 1 << 20;

/// Walks blobs, one after the other.
pub struct Walker {
    queue: Queue,
    /// Members that are plain files.
    feed: Feed,
}

/// What the member of an archive is called, and how large it says it is.
#[derive(Clone, Copy)]
pub struct Member<'a> {
    /// Its entry among the members.
    pub entry: u32,
    /// Its name.
    pub path: &'a [u8],
    /// In bytes; `u64::MAX` if it is not known.
    pub size: u64,
    /// It is a file of this name, and nothing that only looks like it.
    pub regular: bool,
}

impl Walker {
    /// A walker that feeds this queue.
    pub fn new(queue: &Queue) -> Walker {
        Walker { queue: queue.clone(), feed: Feed::new(queue, None) }
    }

    /// Scans the blob that `reader` gives, to its end. The second value is the hash of its content, if it is a plain file.
    pub fn blob(&mut self, member: Member, reader: impl Read + Send) -> (Blob, Option<ContentHash>) {
        let claimed = Digest::in_blob_path(member.path).filter(|_| !self.queue.work.verify && member.regular && member.size > SMALL);
        let mut stored = TallyReader::new(reader, if claimed.is_some() { Hashing::None } else { self.hashing(member.size) });
        let mut blob = Blob {
            member: member.entry,
            stored: Digest::sha256(b""),
            stored_size: 0,
            unpacked: None,
            problems: Vec::new(),
            cut: false,
            zeros: false,
            content: Content::File,
        };
        if !self.queue.wants(member.entry) {
            return (blob, None);
        }
        if let Some(taker) = &self.queue.taker
            && locked(taker).stored(member.entry, &mut stored)
        {
            return (blob, None);
        }
        let count = stored.count();
        let mut unpacking = unpack(&mut stored, &count, &self.queue.limits, &self.queue.stop);
        if let Some(taker) = &self.queue.taker
            && locked(taker).blob(member.entry, &mut (&unpacking.start[..]).chain(&mut unpacking.reader))
        {
            drop(unpacking);
            return (blob, None);
        }
        let hash = self.content(member, unpacking, &count, &mut blob);
        if let Err(e) = io::copy(&mut stored, &mut io::sink()) {
            blob.cut |= stop_in(&e).is_some();
            blob.problems.extend(failure(&e, "at its end"));
        }
        blob.stored_size = stored.seen();
        if blob.stored_size < member.size && member.size != u64::MAX && !blob.cut {
            let message = format!("{} of {} bytes of a blob are there", blob.stored_size, member.size);
            blob.problems.push(Problem::new(Code::Truncated, message));
        }
        if let Some(digest) = stored.finish().or(claimed) {
            blob.stored = digest;
        }
        (blob, hash)
    }

    /// Where the digest of so many bytes is computed.
    fn hashing(&self, size: u64) -> Hashing {
        if self.has_helpers(size) { Hashing::Beside } else { Hashing::Here }
    }

    /// Whether a blob of this size is worth threads of its own.
    fn has_helpers(&self, size: u64) -> bool {
        self.queue.work.threads > 1 && size >= LARGE
    }

    /// What unpacked bytes are, and what is in them.
    fn content(&mut self, member: Member, unpacking: Unpacking, stored: &Count, blob: &mut Blob) -> Option<ContentHash> {
        let Unpacking { mut start, mut reader, packing, too_deep, beside } = unpacking;
        if too_deep {
            let message = format!("more than {} compressions around each other (--max-nesting)", self.queue.limits.nesting);
            blob.problems.push(Problem::new(Code::LimitReached, message));
        }
        let zeros = start.iter().all(|b| *b == 0);
        if zeros && start.len() == BLOCK {
            // A lone zero block ends a tar for some tools, and may stand in front of one.
            let read = (&mut reader).take(BLOCK as u64).read_to_end(&mut start);
            blob.problems.extend(read.err().and_then(|e| failure(&e, "behind its first block")));
        }
        let is_tar = start.chunks_exact(BLOCK).any(checksum_holds) || zeros && !packing.is_empty();
        // White space alone tells nothing yet.
        let is_json = matches!(start.trim_ascii_start().first(), None | Some(b'{' | b'[')) || start.starts_with(BOM);
        let reader = Cursor::new(start).chain(reader);
        if packing.is_empty() && !is_tar {
            return self.plain(member, is_json, reader, blob);
        }
        let mut walk = LayerWalk::new(&self.queue, Some(member.entry));
        walk.again = self.queue.again && is_tar && packing.is_empty();
        let sealed = matches!(packing.last(), Some(Compression::Unsupported(_)));
        let search = |walk: &mut LayerWalk, reader: &mut (dyn Read + Send)| match (is_tar, sealed) {
            (true, _) => walk.tar(reader),
            (false, true) => walk.sealed(member.path, reader),
            (false, false) => walk.file(member.path, reader),
        };
        if packing.is_empty() {
            // Nothing is unpacked: the stored bytes are the layer's, and hashed already.
            search(&mut walk, &mut { reader });
            walk.scan.coverage.bytes_read = stored();
        } else {
            let hashing = if self.queue.work.verify { self.hashing(member.size) } else { Hashing::None };
            let (size, digest) = std::thread::scope(|scope| {
                let reader: Box<dyn Read + Send> = match self.has_helpers(member.size) {
                    true => Box::new(Pump::within(scope, Box::new(reader), self.queue.stop.clone())),
                    false => Box::new(reader),
                };
                let mut reader = TallyReader::new(reader, hashing);
                search(&mut walk, &mut reader);
                (reader.seen(), reader.finish())
            });
            walk.scan.coverage.bytes_read = size;
            if let Some(Compression::Unsupported(name)) = packing.last() {
                let message = format!("compressed with {name}, which is not supported: only the packed bytes were searched");
                walk.problems.push(Problem::new(Code::UnsupportedCompression, message));
            }
            blob.unpacked = Some(Box::new(Unpacked { packing, digest, size }));
        }
        walk.beside(&beside.take());
        let scan = walk.finish(Vec::new());
        blob.cut |= scan.problems.iter().any(|problem| problem.code == Code::LimitReached) || self.queue.stopped();
        blob.content = Content::Layer(Box::new(Layer { scan, tar: is_tar }));
        None
    }

    /// A member that is not packed and no tar: searched as a file, and kept if it is JSON.
    fn plain(&mut self, member: Member, is_json: bool, reader: impl Read, blob: &mut Blob) -> Option<ContentHash> {
        let most = if is_json { self.queue.limits.json } else { 0 };
        let mut reader = Keeping::new(reader, most);
        let mut hasher = if self.queue.again { ContentHasher::content_only() } else { ContentHasher::default() };
        let read = self.feed.file(member.entry, member.path, member.size, &mut reader, &mut hasher);
        blob.zeros = reader.zeros && read.is_ok();
        if let Err(e) = read {
            blob.cut |= stop_in(&e).is_some();
            blob.problems.extend(failure(&e, "in a plain file"));
        } else if !reader.kept.is_empty() && self.queue.allows_document(&reader.kept) {
            let text = reader.kept.strip_prefix(BOM).unwrap_or(&reader.kept);
            if let Some((value, length)) = parse(text) {
                let end = (reader.kept.len() - text.len() + length) as u64;
                if !text[length..].trim_ascii().is_empty() {
                    let message = "bytes stand behind the JSON: docker and containerd ignore them, skopeo refuses the document";
                    blob.problems.push(Problem::new(Code::TrailingData, message));
                }
                blob.content = Content::Document(Box::new(Document { value, end }));
            }
        }
        Some(hasher.finish())
    }

    /// The matches in members that are plain files.
    pub fn finish(self) -> Fed {
        self.feed.finish()
    }
}

/// Keeps what is read through it, unless it is more than `most` bytes: then nothing is kept.
pub(super) struct Keeping<R> {
    inner: R,
    pub kept: Vec<u8>,
    most: u64,
    /// Nothing but zeros so far.
    zeros: bool,
}

impl<R: Read> Keeping<R> {
    pub fn new(inner: R, most: u64) -> Keeping<R> {
        Keeping { inner, kept: Vec::new(), most, zeros: true }
    }
}

impl<R: Read> Read for Keeping<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.zeros = self.zeros && buf[..n].iter().all(|b| *b == 0);
        if (self.kept.len() + n) as u64 <= self.most {
            self.kept.extend_from_slice(&buf[..n]);
        } else {
            (self.kept, self.most) = (Vec::new(), 0);
        }
        Ok(n)
    }
}
