//! What the scan of one layer keeps: enough to answer every question about the image without the bytes.
//!
//! A [`LayerScan`] knows nothing of the image that the layer belongs to. Per entry it costs at most 68 bytes and the name.

use crate::detect::Match;
use crate::digest::ContentHash;
use crate::error::Problem;
use crate::layer::change::{ChangeKind, FileType, ancestors};
use std::cmp::Ordering;

/// One entry of the layer's tar, understood.
#[derive(Debug, Clone)]
pub struct Entry {
    name_at: u32,
    name_len: u32,
    /// What it does.
    pub kind: ChangeKind,
    /// A later entry of the same layer took its place, or its parent's.
    pub superseded: bool,
    /// How the name stands in the tar.
    pub spelling: Spelling,
    /// Permission bits.
    pub mode: u16,
    /// Stored bytes of content.
    pub size: u64,
    /// Where the content begins in the uncompressed tar, in bytes.
    pub offset: u64,
    /// For regular files, and for hard links to a file of the same layer.
    pub content: Option<ContentHash>,
    /// For a hard link to a file of the same layer: that file's entry.
    pub link_to: Option<u32>,
}

/// How a cleaned path is written in the tar: what a person has to type to get it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// As cleaned.
    Plain,
    /// With `./` in front.
    Dot,
    /// With `/` in front.
    Rooted,
    /// Some other way.
    Odd,
}

/// Where in an entry a match lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// In the content.
    Content,
    /// In the value of this extended attribute.
    Xattr(String),
}

/// A match in one entry.
#[derive(Debug, Clone)]
pub struct FileHit {
    /// Index of the entry.
    pub entry: u32,
    /// Where in it.
    pub place: Place,
    /// What matched.
    pub found: Match,
}

/// What was read of a blob.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Uncompressed bytes that were read.
    pub bytes_read: u64,
    /// Bytes that were given to the detector.
    pub bytes_scanned: u64,
    /// Regular files among the entries.
    pub files: u64,
    /// Files that are archives or compressed, and were searched as they are.
    pub nested: u64,
    /// Their bytes.
    pub nested_bytes: u64,
}

impl std::ops::AddAssign for Coverage {
    fn add_assign(&mut self, other: Coverage) {
        self.bytes_read += other.bytes_read;
        self.bytes_scanned += other.bytes_scanned;
        self.files += other.files;
        self.nested += other.nested;
        self.nested_bytes += other.nested_bytes;
    }
}

/// The result of scanning one layer. Build it with [`LayerScan::push`] and [`LayerScan::finish`].
#[derive(Debug, Default)]
pub struct LayerScan {
    names: Vec<u8>,
    entries: Vec<Entry>,
    /// Entries that say something about the file system, sorted by path and, for equal paths, by position.
    by_path: Vec<u32>,
    /// Matches, in the order of entry, place and offset.
    pub hits: Vec<FileHit>,
    /// What was wrong with the layer's bytes.
    pub problems: Vec<Problem>,
    /// What was read.
    pub coverage: Coverage,
}

/// An entry as it is added.
pub struct NewEntry<'a> {
    /// The cleaned path.
    pub path: &'a [u8],
    /// What it does.
    pub kind: ChangeKind,
    /// How the name is written in the tar.
    pub spelling: Spelling,
    /// Permission bits.
    pub mode: u16,
    /// Stored bytes of content.
    pub size: u64,
    /// Where the content begins, in bytes.
    pub offset: u64,
}

impl LayerScan {
    /// Adds the next entry of the tar and returns its index; `None` when the tables are full (4 GiB of names).
    pub fn push(&mut self, new: NewEntry) -> Option<u32> {
        let index = u32::try_from(self.entries.len()).ok()?;
        let name_at = u32::try_from(self.names.len()).ok()?;
        let name_len = u32::try_from(new.path.len()).ok()?;
        self.names.extend_from_slice(new.path);
        self.entries.push(Entry {
            name_at,
            name_len,
            kind: new.kind,
            superseded: false,
            spelling: new.spelling,
            mode: new.mode,
            size: new.size,
            offset: new.offset,
            content: None,
            link_to: None,
        });
        Some(index)
    }

    /// Sets the content of an entry, once it has been read.
    pub fn set_content(&mut self, entry: u32, content: ContentHash) {
        self.entries[entry as usize].content = Some(content);
    }

    /// An entry by its index.
    pub fn entry(&self, index: u32) -> &Entry {
        &self.entries[index as usize]
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True for a layer without entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All entries, in the order of the tar.
    pub fn entries(&self) -> impl Iterator<Item = (u32, &Entry)> {
        (0u32..).zip(&self.entries)
    }

    /// The cleaned path of an entry: of a whiteout its target, of an opaque marker its directory.
    pub fn path(&self, index: u32) -> &[u8] {
        let entry = self.entry(index);
        &self.names[entry.name_at as usize..][..entry.name_len as usize]
    }

    /// Sorts, resolves hard links (`links`: entry and cleaned target), and marks what later entries of the layer superseded.
    pub fn finish(&mut self, links: &[(u32, Vec<u8>)]) {
        let mut by_path: Vec<u32> = self.entries().filter(|(_, e)| e.kind != ChangeKind::Nothing).map(|(i, _)| i).collect();
        by_path.sort_unstable_by(|a, b| compare(self.path(*a), self.path(*b)).then(a.cmp(b)));
        self.by_path = by_path;
        self.names.shrink_to_fit();
        self.entries.shrink_to_fit();
        for (link, target) in links {
            self.bind(*link, target);
        }
        self.mark_superseded();
        self.hits.sort_by(|a, b| (a.entry, &a.place, a.found.offset).cmp(&(b.entry, &b.place, b.found.offset)));
    }

    /// Binds a link to the last file of that name before it: its content stays, whatever becomes of the name later.
    fn bind(&mut self, link: u32, target: &[u8]) {
        let before = self.at(target).iter().rev().copied().find(|i| *i < link && is_file(self.entry(*i).kind));
        if let Some(found) = before {
            let (content, to) = (self.entry(found).content, self.entry(found).link_to);
            let entry = &mut self.entries[link as usize];
            entry.content = content;
            entry.link_to = Some(to.unwrap_or(found));
        }
    }

    /// The rules of formats.md 7.7 and 9: for one path the last entry counts, unless both are directories; an entry that is no
    /// directory loses its place to a later one below it, and takes the place of earlier ones below it.
    fn mark_superseded(&mut self) {
        let mut superseded = Vec::new();
        // The entries above the current one that are no directories: index and length of the path.
        let mut above: Vec<u32> = Vec::new();
        for run in self.by_path.chunk_by(|a, b| self.path(*a) == self.path(*b)) {
            let puts: Vec<u32> = run.iter().copied().filter(|i| matches!(self.entry(*i).kind, ChangeKind::Put(_))).collect();
            let Some(&last) = puts.last() else { continue };
            let directory = |i: u32| self.entry(i).kind == ChangeKind::Put(FileType::Directory);
            for &earlier in &puts[..puts.len() - 1] {
                if !(directory(earlier) && directory(last)) {
                    superseded.push(earlier);
                }
            }
            above.retain(|a| is_below(self.path(last), self.path(*a)));
            for &parent in &above {
                superseded.push(parent.min(last));
            }
            if !directory(last) {
                above.push(last);
            }
        }
        for index in superseded {
            self.entries[index as usize].superseded = true;
        }
    }

    /// The matches in the file of an entry (of a hard link: in the file that it leads to).
    pub fn hits_of(&self, entry: u32) -> impl Iterator<Item = &FileHit> {
        let file = self.entry(entry).link_to.unwrap_or(entry);
        let from = self.hits.partition_point(|hit| hit.entry < file);
        self.hits[from..].iter().take_while(move |hit| hit.entry == file)
    }

    /// All entries about exactly this path, in the order of the tar.
    fn at(&self, path: &[u8]) -> &[u32] {
        let from = self.by_path.partition_point(|i| compare(self.path(*i), path) == Ordering::Less);
        let len = self.by_path[from..].partition_point(|i| self.path(*i) == path);
        &self.by_path[from..from + len]
    }

    fn has(&self, path: &[u8], kind: ChangeKind) -> bool {
        self.at(path).iter().any(|i| self.entry(*i).kind == kind)
    }

    /// The entry that this layer leaves at `path`, if it puts one there.
    pub fn put(&self, path: &[u8]) -> Option<u32> {
        let mut entries = self.at(path).iter().copied();
        entries.rfind(|i| matches!(self.entry(*i).kind, ChangeKind::Put(_)) && !self.entry(*i).superseded)
    }

    /// True if this layer puts anything below `path`.
    pub fn puts_below(&self, path: &[u8]) -> bool {
        let from = self.by_path.partition_point(|i| compare(self.path(*i), path) != Ordering::Greater);
        let below = self.by_path[from..].iter().take_while(|i| is_below(self.path(**i), path));
        below.into_iter().any(|i| matches!(self.entry(*i).kind, ChangeKind::Put(_)) && !self.entry(*i).superseded)
    }

    /// True if this layer has a whiteout of exactly `path`.
    pub fn whites_out(&self, path: &[u8]) -> bool {
        self.has(path, ChangeKind::Whiteout) || self.has(path, ChangeKind::OverlayWhiteout)
    }

    /// True if the whiteout of `path` is one that only overlayfs engines understand.
    pub fn whites_out_by_device(&self, path: &[u8]) -> bool {
        self.has(path, ChangeKind::OverlayWhiteout) && !self.has(path, ChangeKind::Whiteout)
    }

    /// The directory above `path` that this layer makes opaque, if there is one (the root is the empty path).
    pub fn opaque_above<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        ancestors(path).chain([&b""[..]]).find(|dir| self.has(dir, ChangeKind::Opaque))
    }
}

fn is_file(kind: ChangeKind) -> bool {
    matches!(kind, ChangeKind::Put(FileType::Regular | FileType::HardLink))
}

fn is_below(path: &[u8], dir: &[u8]) -> bool {
    dir.is_empty() && !path.is_empty() || path.len() > dir.len() && path.starts_with(dir) && path[dir.len()] == b'/'
}

/// Orders paths so that everything below a directory follows it at once: `/` sorts before every other byte.
fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let common = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    match (a.get(common), b.get(common)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(b'/'), Some(_)) => Ordering::Less,
        (Some(_), Some(b'/')) => Ordering::Greater,
        (Some(x), Some(y)) => x.cmp(y),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_small() {
        // The entry, and its place in `by_path`.
        assert!(size_of::<Entry>() + size_of::<u32>() <= 68, "{}", size_of::<Entry>());
    }

    #[test]
    fn everything_below_a_directory_follows_it_at_once() {
        let mut paths = ["da", "d/b", "d-", "d", "d/a/x", "d/a"].map(str::as_bytes);
        paths.sort_by(|a, b| compare(a, b));
        assert_eq!(paths, ["d", "d/a", "d/a/x", "d/b", "d-", "da"].map(str::as_bytes));
    }
}
