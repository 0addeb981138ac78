//! One walk over one blob: unpack, hash, see what it is, and pack the files in it into batches.

use super::hits::Hits;
use super::{Job, Queue};
use crate::archive::{Blob, Content};
use crate::content::{Batch, Packer};
use crate::detect::Match;
use crate::digest::{ContentHasher, Tally, TallyReader};
use crate::error::{Code, Problem};
use crate::layer::change::{Change, ChangeKind, FileType, clean};
use crate::layer::compression::{Compression, Decoder};
use crate::layer::tar::{BLOCK, Header, Skip, Streamed, TarReader, checksum_holds};
use crate::layer_scan::{LayerScan, NewEntry, Place, Spelling};
use crossbeam_channel::unbounded;
use std::cell::RefCell;
use std::io::{self, BufReader, Cursor, Read};
use std::rc::Rc;

/// JSON up to this size is read as a document; a larger one is searched as a file, in bytes.
const MAX_DOCUMENT: u64 = 16 << 20;
/// How often a blob may be packed.
const MAX_PACKING: usize = 3;
/// The byte order mark of UTF-8: engines refuse JSON that begins with one, and it says nothing about the rest.
const BOM: &[u8] = b"\xef\xbb\xbf";
/// What is kept of bytes behind a compressed stream.
const MAX_TRAILING: u64 = 1 << 20;

/// Walks blobs, one after the other.
pub struct Walker {
    queue: Queue,
}

/// Bytes that stand behind a compressed stream, as they come to light.
#[derive(Clone, Default)]
struct Trailing(Rc<RefCell<Vec<u8>>>);

/// A decoder that, at the end of its stream, reads its input to the end too: for the digest, and for what may be hidden there.
struct ToTheEnd<R: io::BufRead> {
    decoder: Option<Decoder<R>>,
    trailing: Trailing,
}

impl<R: io::BufRead> ToTheEnd<R> {
    fn finish(&mut self) -> io::Result<()> {
        if let Some(decoder) = self.decoder.take() {
            let mut rest = decoder.into_rest();
            let mut trailing = self.trailing.0.borrow_mut();
            rest.by_ref().take(MAX_TRAILING).read_to_end(&mut trailing)?;
            io::copy(&mut rest, &mut io::sink())?;
        }
        Ok(())
    }
}

impl<R: io::BufRead> Read for ToTheEnd<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(decoder) = &mut self.decoder else { return Ok(0) };
        match decoder.read(buf) {
            Ok(0) if !buf.is_empty() => self.finish().map(|()| 0),
            Err(e) if e.kind() != io::ErrorKind::Interrupted => {
                // What is left cannot be decoded; it is still a part of the stored bytes.
                let _ = self.finish();
                Err(e)
            }
            result => result,
        }
    }
}

/// A blob's bytes, unpacked.
struct Unpacked<'a> {
    start: Vec<u8>,
    reader: Box<dyn Read + 'a>,
    packing: Vec<Compression>,
    trailing: Trailing,
}

/// Undoes up to [`MAX_PACKING`] compressions.
fn unpack<'a>(stored: impl Read + 'a) -> io::Result<Unpacked<'a>> {
    let trailing = Trailing::default();
    let mut packing = Vec::new();
    let mut reader: Box<dyn Read + 'a> = Box::new(stored);
    loop {
        let mut start = Vec::with_capacity(BLOCK);
        reader.by_ref().take(BLOCK as u64).read_to_end(&mut start)?;
        let compression = Compression::sniff(&start);
        if matches!(compression, Compression::None | Compression::Unsupported(_)) || packing.len() == MAX_PACKING {
            packing.extend((compression != Compression::None).then_some(compression));
            return Ok(Unpacked { start, reader, packing, trailing });
        }
        packing.push(compression);
        let input = BufReader::with_capacity(128 << 10, Cursor::new(start).chain(reader));
        reader = Box::new(ToTheEnd { decoder: Some(Decoder::new(input, compression)?), trailing: trailing.clone() });
    }
}

impl Walker {
    /// A walker that feeds this queue.
    pub fn new(queue: Queue) -> Walker {
        Walker { queue }
    }

    /// Scans the blob that `reader` gives, to its end.
    pub fn blob(&mut self, name: &[u8], size: u64, reader: impl Read) -> Blob {
        let (mut stored, stored_tally) = TallyReader::new(reader);
        let mut problems = Vec::new();
        let (content, packing, tally) = match unpack(&mut stored) {
            Ok(unpacked) => self.content(unpacked, &stored_tally),
            Err(e) => {
                problems.push(failure(&e, &stored_tally, size));
                (Content::Layer { scan: LayerScan::default(), tar: false }, Vec::new(), Tally::default())
            }
        };
        if let Err(e) = io::copy(&mut stored, &mut io::sink()) {
            problems.push(Problem::new(Code::ReadFailed, format!("a blob could not be read to its end: {e}")));
        }
        if stored_tally.bytes() < size {
            let message = format!("{} of {size} bytes of a blob are there", stored_tally.bytes());
            problems.push(Problem::new(Code::Truncated, message));
        }
        Blob {
            name: name.to_vec(),
            stored: stored_tally.digest(),
            stored_size: stored_tally.bytes(),
            offset: None,
            diff_id: tally.digest(),
            size: tally.bytes(),
            packing,
            problems,
            content,
        }
    }

    /// What unpacked bytes are, how they were packed, and the tally of all of them.
    fn content(&mut self, unpacked: Unpacked, stored: &Tally) -> (Content, Vec<Compression>, Tally) {
        let Unpacked { start, reader, packing, trailing } = unpacked;
        let is_tar = start.is_empty() || start.len() == BLOCK && checksum_holds(&start) || start.iter().all(|b| *b == 0);
        let is_json = matches!(start.trim_ascii_start().first(), Some(b'{' | b'[')) || start.starts_with(BOM);
        let (mut reader, tally) = if packing.is_empty() {
            // Nothing is unpacked: the stored bytes are the layer's, and hashed already.
            (Box::new(Cursor::new(start).chain(reader)) as Box<dyn Read>, stored.clone())
        } else {
            let (reader, tally) = TallyReader::new(Cursor::new(start).chain(reader));
            (Box::new(reader) as Box<dyn Read>, tally)
        };
        let mut said = None;
        if is_json && !is_tar {
            let mut text = Vec::new();
            let read = reader.by_ref().take(MAX_DOCUMENT).read_to_end(&mut text);
            let json = text.strip_prefix(BOM).unwrap_or(&text);
            if let Err(e) = &read {
                said = Some(failure(e, stored, stored.bytes()));
            } else if !self.queue.allows_document(text.len() as u64) {
                said = Some(Problem::new(Code::LimitReached, "the archive holds too much JSON: this was searched as a file"));
            } else if let Some(value) = super::document::parse(json) {
                return (Content::Document(value), packing, tally);
            }
            reader = Box::new(Cursor::new(text).chain(reader));
        }
        let mut scan = self.layer(is_tar, reader, &trailing);
        scan.problems.extend(said);
        if let Some(Compression::Unsupported(name)) = packing.last() {
            let message = format!("compressed with {name}, which is not supported: only the packed bytes were searched");
            scan.problems.push(Problem::new(Code::UnsupportedCompression, message));
        }
        scan.coverage.bytes_read = tally.bytes();
        (Content::Layer { scan, tar: is_tar }, packing, tally)
    }

    /// Scans what stands behind the end of a streamed archive, if it is more than zeros.
    pub fn tail<R: Skip>(&mut self, tar: &mut TarReader<R>) -> io::Result<Option<Blob>> {
        let mut tail = Tail { tar };
        let mut start = vec![0; 1 << 16];
        loop {
            let n = tail.read(&mut start)?;
            if n == 0 {
                return Ok(None);
            }
            if start[..n].iter().any(|b| *b != 0) {
                start.truncate(n);
                return Ok(Some(self.blob(b"#trailing", 0, Cursor::new(start).chain(tail))));
            }
        }
    }

    /// The walk proper. What cannot be read is a problem of the scan; what was read before is searched.
    fn layer(&mut self, is_tar: bool, reader: impl Read, trailing: &Trailing) -> LayerScan {
        let (found, results) = unbounded::<Vec<(u32, Place, Match)>>();
        let hits = RefCell::new(Hits::default());
        let collect = |all: &mut dyn Iterator<Item = Vec<(u32, Place, Match)>>| {
            all.flatten().for_each(|(entry, place, found)| hits.borrow_mut().add(entry, place, found));
        };
        let queue = self.queue.clone();
        let (answers, collect_some) = (results.clone(), collect);
        let swap = move |batch: Batch| {
            // The queue ends only with the scan; a closed one means that a matcher panicked, and that ends the scan.
            let _ = queue.jobs.send(Job { batch, found: found.clone() });
            collect_some(&mut answers.try_iter());
            queue.empty.try_recv().unwrap_or_default()
        };
        let mut walk = LayerWalk { scan: LayerScan::default(), links: Vec::new(), packer: Packer::new(swap) };
        if is_tar {
            walk.tar(reader);
        } else {
            walk.hidden(b"", 0, reader);
        }
        let trailing = std::mem::take(&mut *trailing.0.borrow_mut());
        if trailing.iter().any(|b| *b != 0) {
            let message = format!("{} bytes stand behind the compressed stream", trailing.len());
            let code = if trailing.len() as u64 == MAX_TRAILING { Code::LimitReached } else { Code::TrailingData };
            walk.scan.problems.push(Problem::new(code, message));
            walk.hidden(b"#trailing", 0, &trailing[..]);
        }
        let LayerWalk { mut scan, links, mut packer } = walk;
        packer.flush();
        scan.coverage.bytes_scanned = packer.scanned;
        (scan.coverage.nested, scan.coverage.nested_bytes) = packer.nested;
        drop(packer);
        collect(&mut results.into_iter());
        let (kept, problem) = hits.into_inner().finish();
        scan.hits = kept;
        scan.problems.extend(problem);
        scan.finish(&links);
        scan
    }
}

fn failure(error: &io::Error, stored: &Tally, size: u64) -> Problem {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Problem::new(Code::Truncated, format!("the compressed data end too early ({} of {size} bytes)", stored.bytes()))
        }
        _ => Problem::new(Code::CorruptCompression, format!("the compressed data are corrupt: {error}")),
    }
}

/// The tail of a tar as a reader.
struct Tail<'a, R> {
    tar: &'a mut TarReader<R>,
}

impl<R: Skip> Read for Tail<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.tar.read_tail(buf)
    }
}

/// A layer under way.
struct LayerWalk<F: FnMut(Batch) -> Batch> {
    scan: LayerScan,
    links: Vec<(u32, Vec<u8>)>,
    packer: Packer<F>,
}

impl<F: FnMut(Batch) -> Batch> LayerWalk<F> {
    fn tar(&mut self, reader: impl Read) {
        let mut tar = TarReader::new(Streamed(BufReader::with_capacity(128 << 10, reader)));
        loop {
            let step = match tar.next_entry() {
                Ok(Some(header)) => self.entry(&header, &mut tar),
                Ok(None) => break,
                Err(e) => Err(e),
            };
            if let Err(e) = step {
                self.unreadable(&e, tar.offset());
                self.scan.problems.extend(tar.take_problems());
                return;
            }
        }
        self.scan.problems.extend(tar.take_problems());
        self.tail(&mut tar);
    }

    fn entry<R: Skip>(&mut self, header: &Header, tar: &mut TarReader<R>) -> io::Result<()> {
        let change = Change::of(header);
        if change.traversal {
            self.scan.problems.push(Problem::at(
                Code::PathTraversal,
                &header.path,
                "the name climbs with `..`; it is clamped at the root, as engines do",
            ));
        }
        if change.invalid_whiteout {
            self.scan.problems.push(Problem::at(Code::InvalidWhiteout, &header.path, "a whiteout that names nothing hides nothing"));
        }
        let new = NewEntry {
            path: &change.path,
            kind: change.kind,
            spelling: spelling(&header.path, &change.path),
            mode: header.mode,
            size: header.size,
            offset: header.offset,
        };
        let Some(entry) = self.scan.push(new) else {
            self.scan.problems.push(Problem::new(Code::LimitReached, "more than 4 GiB of names in one layer"));
            return Err(io::Error::other("the layer has too many names"));
        };
        for (name, value) in &header.xattrs {
            if name.starts_with(b"user.") {
                let place = Place::Xattr(crate::text::exact(name));
                let mut unused = ContentHasher::default();
                self.packer.file(entry, place, &change.path, value.len() as u64, &mut &value[..], &mut unused)?;
            }
        }
        let is_link = change.kind == ChangeKind::Put(FileType::HardLink);
        if change.kind == ChangeKind::Put(FileType::Regular) || header.size > 0 {
            self.scan.coverage.files += 1;
            let mut hasher = ContentHasher::default();
            let read = self.packer.file(entry, Place::Content, &change.path, header.size, tar, &mut hasher);
            self.scan.set_content(entry, hasher.finish());
            read?;
        }
        if is_link && header.size == 0 {
            self.links.push((entry, clean(&header.link).0));
        }
        Ok(())
    }

    /// Bytes that are no part of any file system: searched as one file with a name of our own.
    fn hidden(&mut self, name: &[u8], offset: u64, mut reader: impl Read) {
        let new = NewEntry { path: name, kind: ChangeKind::Nothing, spelling: Spelling::Odd, mode: 0, size: 0, offset };
        let Some(entry) = self.scan.push(new) else { return };
        let mut hasher = ContentHasher::default();
        if let Err(e) = self.packer.file(entry, Place::Content, name, u64::MAX, &mut reader, &mut hasher) {
            self.unreadable(&e, offset);
        }
    }

    /// What follows the tar's end: zeros are usual, anything else is searched.
    fn tail<R: Skip>(&mut self, tar: &mut TarReader<R>) {
        let mut offset = tar.offset();
        let mut tail = Tail { tar };
        let mut start = vec![0; 64 << 10];
        loop {
            match tail.read(&mut start) {
                Ok(0) => return,
                Ok(n) if start[..n].iter().all(|b| *b == 0) => offset += n as u64,
                Ok(n) => {
                    self.scan
                        .problems
                        .push(Problem::new(Code::TrailingData, "bytes stand behind the tar's end, where engines do not look"));
                    start.truncate(n);
                    return self.hidden(b"#trailing", offset, Cursor::new(start).chain(tail));
                }
                Err(e) => return self.unreadable(&e, offset),
            }
        }
    }

    fn unreadable(&mut self, error: &io::Error, at: u64) {
        let problem = match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Problem::new(Code::Truncated, format!("the compressed data end too early, at byte {at} of the tar"))
            }
            _ => Problem::new(Code::CorruptCompression, format!("the layer cannot be decoded beyond byte {at} of the tar: {error}")),
        };
        self.scan.problems.push(problem);
    }
}

fn spelling(raw: &[u8], cleaned: &[u8]) -> Spelling {
    let raw = raw.strip_suffix(b"/").unwrap_or(raw);
    if raw == cleaned {
        Spelling::Plain
    } else if raw.strip_prefix(b"./") == Some(cleaned) {
        Spelling::Dot
    } else if raw.strip_prefix(b"/") == Some(cleaned) {
        Spelling::Rooted
    } else {
        Spelling::Odd
    }
}
