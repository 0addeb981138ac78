//! One walk over one tar: each entry understood, its bytes sent to the matchers.

use super::Queue;
use super::feed::{Fed, Feed};
use super::history::History;
use super::tally::{Hashing, TallyReader};
use super::unpack::{BesideBytes, Stop, failure, stop_in, unpack};
use crate::digest::ContentHasher;
use crate::error::{Code, Problem, Problems};
use crate::layer::change::{Change, ChangeKind, FileType};
use crate::layer::compression::unpacked_name;
use crate::layer::path::clean;
use crate::layer::tar::{Header, Skip, Streamed, Tail, TarReader};
use crate::layer_scan::{FileHit, LayerScan, NewEntry, Place, Spelling, Way};
use crate::rules::Confidence;
use crate::text::{cut, exact};
use std::collections::{HashMap, HashSet};
use std::io::{self, BufReader, Cursor, Read};

/// A layer under way. The members of an archive are walked as one, too.
pub struct LayerWalk {
    /// What is known so far.
    pub scan: LayerScan,
    /// What was wrong so far.
    pub problems: Problems,
    /// Its bytes can be read again where they are stored.
    pub again: bool,
    feed: Feed,
    queue: Queue,
    /// Names and link targets that are not searched yet, a NUL behind each, and the entry that the first belongs to.
    names: Vec<u8>,
    names_from: u32,
}

/// The names of one layer together: no image has so many. In bytes.
const MOST_NAMES: usize = 512 << 20;
/// The longest name of an extended attribute (Linux: XATTR_NAME_MAX); longer ones are cut.
const LONGEST_XATTR: usize = 255;

/// Names are searched in pieces of about this size, in bytes.
const NAMES: usize = 64 << 10;

impl LayerWalk {
    /// A walk whose files go to this queue, over the blob that is the member `of` (none: over the members).
    pub fn new(queue: &Queue, of: Option<u32>) -> LayerWalk {
        LayerWalk {
            scan: LayerScan::default(),
            problems: Problems::default(),
            again: false,
            feed: Feed::new(queue, of),
            queue: queue.clone(),
            names: Vec::new(),
            names_from: 0,
        }
    }

    /// Walks the whole tar that `reader` gives. What cannot be read is a problem; what was read before is searched.
    pub fn tar(&mut self, reader: impl Read + Send) {
        let mut tar = TarReader::new(Streamed(BufReader::with_capacity(128 << 10, reader)));
        let end = loop {
            match tar.next_entry() {
                Ok(Some(header)) => {
                    if let Err(e) = self.entry(&header, &mut tar) {
                        break Err(e);
                    }
                }
                end => break end.map(drop),
            }
        };
        self.problems.append(tar.take_problems());
        self.scan.end_marker = tar.has_end_marker();
        let aside = tar.take_aside();
        self.aside_of_last(&aside);
        match end {
            Err(e) if stop_in(&e).is_none_or(|stop| !matches!(stop, Stop::Limit(_))) => self.unreadable(&e, tar.offset()),
            Err(e) => {
                // Too many entries: what is left is searched, if not understood.
                self.unreadable(&e, tar.offset());
                let offset = tar.offset();
                self.hidden(b"#rest", offset, Tail(&mut tar));
            }
            Ok(()) => self.tail(&mut tar),
        }
    }

    fn entry<R: Skip>(&mut self, header: &Header, tar: &mut TarReader<R>) -> io::Result<()> {
        let (entry, change) = self.begin(header)?;
        if has_content(header, &change) {
            self.scan.coverage.files += 1;
            let mut hasher = if self.again { ContentHasher::content_only() } else { ContentHasher::default() };
            let read = self.feed.file(entry, &change.path, header.size, tar, &mut hasher);
            self.scan.set_content(entry, hasher.finish());
            read?;
        }
        Ok(())
    }

    /// Adds an entry, without its content. Fails if there are too many.
    pub fn begin(&mut self, header: &Header) -> io::Result<(u32, Change)> {
        let limits = self.queue.limits;
        let mut change = Change::of(header);
        let mut say = |code, message: &str| self.problems.push(Problem::at(code, &header.path, message));
        if change.traversal {
            say(Code::PathTraversal, "the name climbs with `..`; it is clamped at the root, as engines do");
        }
        if change.invalid_whiteout {
            say(Code::InvalidWhiteout, "a whiteout that names nothing hides nothing");
        }
        if change.path.len() > limits.name || header.link.len() > limits.name {
            change.path.truncate(limits.name);
            let message = format!("a name or link is longer than {} bytes and was cut (--max-name)", limits.name);
            self.problems.push(Problem::new(Code::LimitReached, message));
        }
        let target = match change.kind {
            ChangeKind::Put(FileType::HardLink) if header.size == 0 => clean(&header.link).0,
            ChangeKind::Put(FileType::Symlink) => header.link.clone(),
            _ => Vec::new(),
        };
        let mut new = NewEntry {
            path: &change.path,
            target: &target[..target.len().min(limits.name)],
            kind: change.kind,
            spelling: spelling(&header.path, &change.path),
            mode: header.mode,
            size: header.size,
            offset: header.offset,
        };
        let full = || Stop::Limit(format!("a layer has more than {} entries, or 512 MiB of names (--max-entries)", limits.entries));
        let entry = if (self.scan.len() as u64) < limits.entries && self.scan.names() < MOST_NAMES { self.push(&new) } else { None }
            .ok_or_else(full)?;
        self.feed.begin(entry, header);
        if change.overlay_opaque {
            new.kind = ChangeKind::OverlayOpaque;
            self.push(&new).ok_or_else(full)?;
        }
        for (name, value) in &header.xattrs {
            self.feed.text(entry, Place::Xattr(cut(&exact(name), LONGEST_XATTR).into_owned()), &change.path, value);
        }
        self.aside(entry, &header.aside);
        // What the table of names does not keep: the way of a name that climbs, the target of what is no link here.
        if change.traversal {
            self.aside(entry, &header.path);
        }
        if target != header.link {
            self.aside(entry, &header.link);
        }
        Ok((entry, change))
    }

    /// Text in a part of the tar that nobody reads.
    pub fn aside(&mut self, entry: u32, text: &[u8]) {
        if !text.is_empty() {
            self.feed.text(entry, Place::Header, b"", text);
        }
    }

    /// The same behind the last entry; where there is none, of one without a name.
    pub fn aside_of_last(&mut self, text: &[u8]) {
        let last = self.scan.len().checked_sub(1).map(|last| last as u32);
        if let Some(entry) = last.or_else(|| if text.is_empty() { None } else { self.nothing(b"", 0, 0) }) {
            self.aside(entry, text);
        }
    }

    /// Bytes that are no part of any file system: searched as one file with a name of our own.
    pub fn hidden(&mut self, name: &[u8], offset: u64, reader: impl Read) {
        self.nameless(name, b"", offset, reader);
    }

    /// What stands behind the end, unpacked if it is packed itself.
    fn packed_tail(&mut self, offset: u64, tail: impl Read + Send) {
        let stored = TallyReader::new(tail, Hashing::None);
        let count = stored.count();
        let unpacking = unpack(stored, &count, &self.queue.limits, &self.queue.stop);
        self.hidden(b"#trailing", offset, Cursor::new(unpacking.start).chain(unpacking.reader));
        let behind = unpacking.beside.take();
        self.hidden(b"#trailing", offset, &behind.trailing[..]);
        self.hidden(b"#passed-over", offset, &behind.aside[..]);
        if behind.left_out || unpacking.too_deep {
            self.problems.push(Problem::new(Code::LimitReached, "what stands behind the end is packed too often, or hides too much"));
        }
    }

    /// A single file that was packed under this name.
    pub fn file(&mut self, packed: &[u8], reader: impl Read) {
        self.scan.coverage.files += 1;
        self.nameless(b"", unpacked_name(packed), 0, reader);
    }

    /// The same of one that is packed in a way that is known and not undone, which is said elsewhere: as it is stored.
    pub fn sealed(&mut self, path: &[u8], mut reader: impl Read) {
        let Some(entry) = self.nothing(b"", 0, 0) else { return };
        if let Err(e) = self.feed.send(entry, Place::Content, path, u64::MAX, &mut reader, None) {
            self.unreadable(&e, 0);
        }
    }

    fn nameless(&mut self, name: &[u8], path: &[u8], offset: u64, mut reader: impl Read) {
        let Some(entry) = self.nothing(name, offset, 0) else { return };
        let mut hasher = ContentHasher::default();
        if let Err(e) = self.feed.file(entry, path, u64::MAX, &mut reader, &mut hasher) {
            self.unreadable(&e, offset);
        }
    }

    /// What came to light beside a compressed stream.
    pub fn beside(&mut self, beside: &BesideBytes) {
        if beside.left_out {
            let message = "more than 16 MiB stand behind or beside the compressed stream: the rest was not searched";
            self.problems.push(Problem::new(Code::LimitReached, message));
        }
        if beside.trailing.iter().any(|b| *b != 0) {
            let message = format!("{} bytes stand behind the compressed stream, or cannot be decoded", beside.trailing.len());
            self.problems.push(Problem::new(Code::TrailingData, message));
            self.packed_tail(0, &beside.trailing[..]);
        }
        if !beside.aside.is_empty() {
            self.hidden(b"#passed-over", 0, &beside.aside[..]);
        }
    }

    /// What follows the tar's end: zeros are usual, anything else is searched.
    fn tail<R: Skip + Send>(&mut self, tar: &mut TarReader<R>) {
        match Tail::behind_zeros(tar) {
            Ok(None) => {}
            Ok(Some((start, offset))) => {
                self.problems.push(Problem::new(Code::TrailingData, "bytes stand behind the tar's end, where engines do not look"));
                self.packed_tail(offset, Cursor::new(start).chain(Tail(tar)));
            }
            Err(e) => self.unreadable(&e, tar.offset()),
        }
    }

    /// What an error of the layer's bytes means.
    pub fn unreadable(&mut self, error: &io::Error, at: u64) {
        self.problems.extend(failure(error, &format!("at byte {at} of the tar")));
    }

    /// An entry for bytes that are no member: a name of our own, and no part of any file system.
    pub fn nothing(&mut self, name: &[u8], offset: u64, size: u64) -> Option<u32> {
        self.push(&NewEntry { path: name, target: b"", kind: ChangeKind::Nothing, spelling: Spelling::Odd, mode: 0, size, offset })
    }

    fn push(&mut self, new: &NewEntry) -> Option<u32> {
        let entry = self.scan.push(new)?;
        for name in [new.path, new.target] {
            self.names.extend_from_slice(name);
            self.names.push(0);
        }
        if self.names.len() >= NAMES {
            self.search_names();
        }
        Some(entry)
    }

    /// A name is a place for a secret like any other.
    fn search_names(&mut self) {
        let names = std::mem::take(&mut self.names);
        self.feed.text(self.names_from, Place::Name, b"", &names);
        self.names_from = self.scan.len() as u32;
    }

    /// Moves a match in a piece of names to the entry whose name it is.
    fn settle(scan: &LayerScan, hit: &mut FileHit) {
        let mut offset = hit.found.offset as usize;
        for entry in hit.entry..scan.len() as u32 {
            let length = scan.path(entry).len() + scan.target(entry).len() + 2;
            if offset < length {
                hit.entry = entry;
                break;
            }
            offset -= length;
        }
        (hit.found.offset, hit.found.line, hit.found.column) = (offset as u64, 1, offset as u64 + 1);
    }

    /// Waits for the matches. `others` are those of files of this layer that were searched elsewhere.
    pub fn finish(mut self, others: Vec<Fed>) -> LayerScan {
        self.search_names();
        let LayerWalk { mut scan, mut problems, feed, .. } = self;
        let mut fed = feed.finish();
        for other in others {
            fed.hits.merge(other.hits);
            fed.coverage += other.coverage;
            fed.problems.append(other.problems);
            fed.digests.extend(other.digests);
            fed.packages.merge(&other.packages);
            fed.sockets.extend(other.sockets);
            fed.history.merge(other.history);
        }
        scan.coverage += fed.coverage;
        let (mut hits, problem) = fed.hits.finish();
        hits.iter_mut().filter(|hit| hit.place == Place::Name).for_each(|hit| LayerWalk::settle(&scan, hit));
        scan.git_ways = in_repositories(&mut hits, &fed.history);
        scan.hits = hits;
        let matched: HashSet<u32> = scan.hits.iter().map(|hit| hit.entry).collect();
        fed.digests.retain(|entry, _| matched.contains(entry));
        fed.sockets.sort_unstable();
        (scan.digests, scan.packages, scan.sockets) = (fed.digests, fed.packages, fed.sockets);
        problems.append(fed.problems);
        problems.extend(problem);
        scan.problems = problems.finish();
        scan.finish();
        scan
    }
}

/// Tells of what was found in git's objects where it stood; of the versions of a file that hold the same secret, one. Returns the ways by
/// which these objects were come to.
fn in_repositories(hits: &mut Vec<FileHit>, history: &History) -> HashMap<(u32, Way), Way> {
    let (mut told, mut ways) = (HashSet::new(), HashMap::new());
    hits.retain_mut(|hit| {
        let Place::Inner(way) = &hit.place else { return true };
        let Some((at, place)) = way.iter().enumerate().find_map(|(at, step)| Some((at, history.place(step)?))) else { return true };
        let path: Box<[u8]> = place.splitn(2, |b| *b == b':').nth(1).unwrap_or_default().into();
        // A hint hides nothing that is sure, and what a comment allows nothing that none does.
        let kind = (hit.found.confidence == Confidence::Low, hit.found.is_allowed());
        let new = told.insert((hit.entry, hit.found.rule, hit.found.secret.clone(), path, kind));
        let placed: Way = way.iter().enumerate().map(|(n, step)| if n == at { place.clone() } else { step.clone() }).collect();
        if new {
            ways.insert((hit.entry, placed.clone()), way.clone());
        }
        hit.place = Place::Inner(placed);
        new
    });
    ways
}

/// Whether there are bytes to search behind a header.
pub fn has_content(header: &Header, change: &Change) -> bool {
    header.size > 0 || change.kind == ChangeKind::Put(FileType::Regular)
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
