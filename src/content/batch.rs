//! Batches: the unit of work of a matcher.
//!
//! A file that fits is one piece. A larger one is a row of windows; each owns a part of the file, and holds enough on both sides
//! that whatever begins in its part is found there just as in the whole file ([`LEFT_CONTEXT`], [`RIGHT_CONTEXT`]).

use super::clean::Clean;
use crate::buffer::Buffer;
use crate::detect::context::context;
use crate::detect::{Detector, LEFT_CONTEXT, Match, Medium, RIGHT_CONTEXT, Text};
use crate::digest::{ContentHash, ContentHasher, FileDigests};
use crate::layer_scan::Place;
use crate::limits::PATH_MAX;
use crate::rules::Confidence;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

/// Bytes in a batch.
pub const CAPACITY: usize = 1 << 20;
/// A large file is begun only where there is room for at least so much.
const LEAST_ROOM: usize = 256 << 10;

/// A window of one file.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The entry whose file it is.
    pub entry: u32,
    /// Where in the entry.
    pub place: Place,
    window: Range<usize>,
    own: Range<usize>,
    name: Range<usize>,
    /// Where the window begins, in bytes from the file's start.
    offset: u64,
    /// Line ends in front of the window.
    lines_before: u64,
    /// Bytes of the window's first line that stand in front of the window.
    line_began: u64,
    whole: bool,
    medium: Medium,
    /// Of a file that is whole: what it is remembered by if nothing is found in it.
    file: Option<ContentHash>,
}

/// What was found in a batch.
#[derive(Debug, Default)]
pub struct Found {
    /// Entry, place in it, match.
    pub matches: Vec<(u32, Place, Match)>,
    /// The digests of files that are whole in the batch, and in which something was found.
    pub digests: Vec<(u32, FileDigests)>,
    /// Files in which nothing was found.
    pub clean: Vec<ContentHash>,
}

/// Pieces and their bytes.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Buffer,
    names: Vec<u8>,
    pieces: Vec<Piece>,
}

impl Batch {
    /// Searches all pieces; offsets, lines and columns of the result count from the start of the file.
    pub fn search(&self, detector: &Detector) -> Found {
        let mut all = Found::default();
        for piece in &self.pieces {
            let (bytes, path) = (&self.bytes[piece.window.clone()], &self.names[piece.name.clone()]);
            let own = piece.own.start - piece.window.start..piece.own.end - piece.window.start;
            let text = if piece.whole { Text::whole(bytes, path, piece.medium) } else { Text::part(bytes, own, path, piece.medium) };
            let matches = detector.scan(&text);
            if piece.whole && piece.place == Place::Content && !matches.is_empty() {
                all.digests.push((piece.entry, FileDigests::of(text.bytes)));
            }
            all.clean.extend(piece.file.filter(|_| matches.is_empty()));
            for mut found in matches {
                found.context = usize::try_from(found.offset)
                    .ok()
                    .filter(|_| found.confidence > Confidence::Low)
                    .and_then(|offset| context(bytes, offset, &found.secret));
                found.offset += piece.offset;
                found.column += if found.line == 1 { piece.line_began } else { 0 };
                found.line += piece.lines_before;
                all.matches.push((piece.entry, piece.place.clone(), found));
            }
        }
        all
    }

    /// Empties it; the memory is kept.
    pub fn clear(&mut self) {
        self.bytes.truncate(0);
        self.names.clear();
        self.pieces.clear();
    }
}

/// Packs files into batches. `swap` takes a full batch and gives an empty one; it may wait.
pub struct Packer<F: FnMut(Batch) -> Batch> {
    batch: Batch,
    clean: Arc<Clean>,
    capacity: usize,
    swap: F,
    /// Bytes that were packed, each once.
    pub scanned: u64,
}

impl<F: FnMut(Batch) -> Batch> Packer<F> {
    /// A packer with batches of [`CAPACITY`], which leaves out what is `clean`.
    pub fn new(clean: Arc<Clean>, swap: F) -> Self {
        Packer::with_capacity(CAPACITY, clean, swap)
    }

    fn with_capacity(capacity: usize, clean: Arc<Clean>, swap: F) -> Self {
        Packer { batch: Batch::default(), clean, capacity, swap, scanned: 0 }
    }

    /// Packs all that `reader` gives. `size` is what it is expected to give (a guess is enough). On an error, what was read before
    /// it is packed too, and all of it has gone through `hasher`, which computes digests of what is in more than one batch.
    pub fn file(
        &mut self,
        entry: u32,
        place: Place,
        path: &[u8],
        size: u64,
        reader: &mut dyn Read,
        mut hasher: Option<&mut ContentHasher>,
    ) -> io::Result<()> {
        // By its end a file is known.
        let path = &path[path.len().saturating_sub(PATH_MAX)..];
        let room = self.capacity.saturating_sub(self.batch.bytes.len().max(self.batch.names.len()));
        if room < usize::try_from(size).unwrap_or(usize::MAX).min(LEAST_ROOM.min(self.capacity)) || room < self.capacity / 4 {
            self.flush();
        }
        let start = self.batch.bytes.len();
        let mut piece = Piece {
            entry,
            place,
            window: start..start,
            own: start..start,
            name: 0..0,
            offset: 0,
            lines_before: 0,
            line_began: 0,
            whole: true,
            medium: Medium::Text,
            file: None,
        };
        loop {
            let before = self.batch.bytes.len();
            let read = fill(&mut self.batch.bytes, self.capacity, reader);
            if let Some(hasher) = &mut hasher {
                hasher.update(&self.batch.bytes[before..]);
            }
            self.scanned += (self.batch.bytes.len() - before) as u64;
            let end = self.batch.bytes.len();
            piece.window.end = end;
            if piece.offset == 0 && piece.whole {
                piece.medium = Medium::sniff(&self.batch.bytes[piece.window.clone()]);
            }
            if !matches!(read, Ok(true)) {
                piece.own.end = end;
                if let Some(hasher) = hasher.filter(|_| piece.whole && read.is_ok() && end - start >= Clean::LEAST) {
                    let file = hasher.at(path);
                    if self.clean.has(&file) {
                        self.batch.bytes.truncate(start);
                        return Ok(());
                    }
                    piece.file = Some(file);
                }
                self.push(&piece, path);
                return read.map(drop);
            }
            if let Some(hasher) = hasher.as_mut().filter(|_| piece.whole) {
                hasher.with_digests(&self.batch.bytes[piece.window.clone()]);
            }
            // There may be more: this window owns all but the right context, and the next begins with what it needs of this one.
            piece.whole = false;
            piece.own.end = end.saturating_sub(RIGHT_CONTEXT).max(piece.own.start);
            self.push(&piece, path);
            piece = self.next_window(piece);
        }
    }

    /// Hands over what is packed so far.
    pub fn flush(&mut self) {
        if !self.batch.pieces.is_empty() {
            let full = std::mem::take(&mut self.batch);
            self.batch = (self.swap)(full);
        }
    }

    fn push(&mut self, piece: &Piece, path: &[u8]) {
        if piece.own.is_empty() {
            return;
        }
        let last = self.batch.pieces.last().map(|piece| piece.name.clone()).filter(|name| self.batch.names[name.clone()] == *path);
        let name = last.unwrap_or_else(|| {
            let begin = self.batch.names.len();
            self.batch.names.extend_from_slice(path);
            begin..begin + path.len()
        });
        self.batch.pieces.push(Piece { name, ..piece.clone() });
    }

    fn next_window(&mut self, piece: Piece) -> Piece {
        let carry_from = piece.own.end.saturating_sub(LEFT_CONTEXT).max(piece.window.start);
        let passed = &self.batch.bytes[piece.window.start..carry_from];
        let lines = memchr::memchr_iter(b'\n', passed).count() as u64;
        let line_began = match memchr::memrchr(b'\n', passed) {
            Some(at) => (passed.len() - at - 1) as u64,
            None => piece.line_began + passed.len() as u64,
        };
        let carry = self.batch.bytes[carry_from..].to_vec();
        let next = Piece {
            window: 0..0,
            own: piece.own.end - carry_from..0,
            offset: piece.offset + passed.len() as u64,
            lines_before: piece.lines_before + lines,
            line_began,
            ..piece
        };
        if self.batch.pieces.is_empty() {
            self.batch.clear();
        } else {
            self.flush();
        }
        self.batch.bytes.extend(&carry);
        next
    }
}

/// Reads until `bytes` has `capacity` bytes (`true`) or the reader ends (`false`).
fn fill(bytes: &mut Buffer, capacity: usize, reader: &mut dyn Read) -> io::Result<bool> {
    while bytes.len() < capacity {
        if bytes.read(reader, capacity)? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleSet;

    fn detector() -> Detector {
        let rules = r#"
            [[rule]]
            id = "x-token"
            title = "x"
            severity = "high"
            literals = ["tok_"]
            regex = 'tok_[0-9a-z]{20}'
            match = ["tok_{lower:20}"]
        "#;
        Detector::new(RuleSet::from_texts(&[("x.toml".into(), rules.into())]).expect("rules")).expect("detector")
    }

    /// All matches in `files`, packed with batches of `capacity` bytes: entry, offset, line, column.
    fn search(files: &[Vec<u8>], capacity: usize) -> Vec<(u32, u64, u64, u64)> {
        let (detector, mut found) = (detector(), Vec::new());
        let mut take = |batch: Batch| {
            found.extend(batch.search(&detector).matches.into_iter().map(|(e, _, m)| (e, m.offset, m.line, m.column)));
            Batch::default()
        };
        let mut packer = Packer::with_capacity(capacity, Arc::default(), &mut take);
        for (entry, file) in (0..).zip(files) {
            let size = file.len() as u64;
            packer.file(entry, Place::Content, b"a", size, &mut &file[..], None).expect("memory");
        }
        packer.flush();
        drop(packer);
        found
    }

    #[test]
    fn a_secret_on_any_boundary_is_found_once_at_its_place() {
        let token = format!("tok_{}", "0a1b2c3d4e5f6g7h8i9j");
        let capacity = LEFT_CONTEXT + RIGHT_CONTEXT + 8192;
        let mut wanted = Vec::new();
        let mut files = Vec::new();
        for (entry, shift) in (0..).zip((0..30).map(|i| i * 1021).chain(capacity - 40..capacity + 40)) {
            let lines = "some line\n".repeat(shift / 10);
            files.push(format!("{lines}{}{token}\n{}", " ".repeat(shift % 10), "tail\n".repeat(9000)).into_bytes());
            wanted.push((entry, shift as u64, (shift / 10) as u64 + 1, (shift % 10) as u64 + 1));
        }
        assert_eq!(search(&files, capacity), wanted);
        assert_eq!(search(&files, CAPACITY), wanted);
    }

    #[test]
    fn one_endless_line_has_its_columns() {
        let token = format!("tok_{}", "0a1b2c3d4e5f6g7h8i9j");
        let capacity = LEFT_CONTEXT + RIGHT_CONTEXT + 8192;
        let file = format!("{} {token}", "x".repeat(300_000)).into_bytes();
        assert_eq!(search(&[file], capacity), [(0, 300_001, 1, 300_002)]);
    }

    #[test]
    fn what_is_clean_is_searched_once_and_what_is_not_each_time() {
        let (detector, clean) = (detector(), Arc::<Clean>::default());
        let (plain, secret) = ("nothing ".repeat(100), format!("{}tok_{}", " ".repeat(600), "0a1b2c3d4e5f6g7h8i9j"));
        let mut searched = Vec::new();
        let mut pack = |files: &[(&str, &str)]| {
            let mut take = |batch: Batch| {
                let found = batch.search(&detector);
                searched.push((batch.pieces.len(), found.matches.len()));
                clean.extend(found.clean);
                Batch::default()
            };
            let mut packer = Packer::new(clean.clone(), &mut take);
            for (path, text) in files {
                let mut hasher = ContentHasher::default();
                let (path, size) = (path.as_bytes(), text.len() as u64);
                packer.file(0, Place::Content, path, size, &mut text.as_bytes(), Some(&mut hasher)).expect("memory");
            }
            packer.flush();
        };
        pack(&[("a", &plain), ("b", &secret), ("c", "short")]);
        pack(&[("a", &plain), ("b", &secret), ("c", "short")]);
        pack(&[("other", &plain)]);
        assert_eq!(searched, [(3, 1), (2, 1), (1, 0)]);
    }
}
