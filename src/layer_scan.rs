//! What the scan of one layer keeps: enough to answer every question about the image without the bytes.
//!
//! A [`LayerScan`] knows nothing of the image that the layer belongs to. Per entry it costs at most 68 bytes and the name.

use crate::detect::Match;
use crate::digest::{ContentHash, FileDigests};
use crate::error::Problem;
use crate::layer::change::{ChangeKind, FileType};
use crate::layer::path::{common, compare, is_below};
use crate::packages::Packages;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

/// One entry of the layer's tar, understood.
#[derive(Debug, Clone)]
pub struct Entry {
    name_at: u32,
    name_len: u32,
    /// Of a link: its target stands in the table behind the name.
    target_len: u32,
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

/// The way into a file that is an archive: the names of members, outermost first. Of what is no member, a name of ours.
pub type Way = Arc<[Box<[u8]>]>;

/// Where in an entry a match lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// In the content.
    Content,
    /// In something within the content, which is an archive or packed.
    Inner(Way),
    /// In the value of this extended attribute.
    Xattr(String),
    /// In the entry's name, or in the target of a link.
    Name,
    /// In a part of the entry's tar header that nobody reads.
    Header,
}

impl Place {
    /// Whether it is in the content, or within it: what has the same content has it too.
    pub fn in_content(&self) -> bool {
        matches!(self, Place::Content | Place::Inner(_))
    }
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
    /// Archives in files, or members of them, that were searched only as they are stored.
    pub not_unpacked: u64,
}

impl std::ops::AddAssign for Coverage {
    fn add_assign(&mut self, other: Coverage) {
        self.bytes_read += other.bytes_read;
        self.bytes_scanned += other.bytes_scanned;
        self.files += other.files;
        self.not_unpacked += other.not_unpacked;
    }
}

/// The result of scanning one layer. Build it with [`LayerScan::push`] and [`LayerScan::finish`].
#[derive(Debug, Clone, Default)]
pub struct LayerScan {
    names: Vec<u8>,
    entries: Vec<Entry>,
    /// Entries that say something about the file system, sorted by path and, for equal paths, by position.
    by_path: Vec<u32>,
    /// Matches, in the order of entry, place and offset.
    pub hits: Vec<FileHit>,
    /// Of files with matches, what package managers know them by.
    pub digests: HashMap<u32, FileDigests>,
    /// What package managers say of files.
    pub packages: Packages,
    /// Of matches in objects of git, which are told where they stood in the repository: the ways by which the objects are come to.
    pub git_ways: HashMap<(u32, Way), Way>,
    /// The entries of compose files that mount the socket of an engine, in order.
    pub sockets: Vec<u32>,
    /// What was wrong with the layer's bytes.
    pub problems: Vec<Problem>,
    /// What was read.
    pub coverage: Coverage,
    /// The tar has an end marker, without which tools may refuse to read it.
    pub end_marker: bool,
}

/// An entry as it is added.
pub struct NewEntry<'a> {
    /// The cleaned path.
    pub path: &'a [u8],
    /// Of a symbolic link the target as it stands there, of a hard link the cleaned one.
    pub target: &'a [u8],
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
    pub fn push(&mut self, new: &NewEntry) -> Option<u32> {
        let index = u32::try_from(self.entries.len()).ok()?;
        let name_at = u32::try_from(self.names.len()).ok()?;
        let (name_len, target_len) = (u32::try_from(new.path.len()).ok()?, u32::try_from(new.target.len()).ok()?);
        self.names.extend_from_slice(new.path);
        self.names.extend_from_slice(new.target);
        self.entries.push(Entry {
            name_at,
            name_len,
            target_len,
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

    /// The names of all entries together, in bytes.
    pub fn names(&self) -> usize {
        self.names.len()
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

    /// The target of a link: of a symbolic one as it stands there, of a hard one cleaned.
    pub fn target(&self, index: u32) -> &[u8] {
        let entry = self.entry(index);
        &self.names[(entry.name_at + entry.name_len) as usize..][..entry.target_len as usize]
    }

    /// Hard links whose file is not in this layer.
    pub fn unbound(&self) -> impl Iterator<Item = u32> {
        let links = self.entries().filter(|(_, e)| e.kind == ChangeKind::Put(FileType::HardLink));
        links.filter(|(_, e)| e.link_to.is_none() && e.content.is_none()).map(|(index, _)| index)
    }

    /// Sorts, binds hard links, and marks what later entries of the layer superseded.
    pub fn finish(&mut self) {
        let mut by_path: Vec<u32> = self.entries().filter(|(_, e)| e.kind != ChangeKind::Nothing).map(|(i, _)| i).collect();
        by_path.sort_unstable_by(|a, b| compare(self.path(*a), self.path(*b)).then(a.cmp(b)));
        self.by_path = by_path;
        self.names.shrink_to_fit();
        self.entries.shrink_to_fit();
        for link in self.unbound().collect::<Vec<_>>() {
            self.bind(link);
        }
        self.mark_superseded();
        self.hits.sort_by(|a, b| (a.entry, &a.place, a.found.offset).cmp(&(b.entry, &b.place, b.found.offset)));
    }

    /// Binds a link to the last file of that name before it: its content stays, whatever becomes of the name later.
    fn bind(&mut self, link: u32) {
        let target = self.target(link);
        // Also a symbolic link may have a second name (moby#14870): it has no content, and is something all the same.
        let bound = |kind| is_file(kind) || kind == ChangeKind::Put(FileType::Symlink);
        let before = self.at(target).iter().rev().copied().find(|i| *i < link && bound(self.entry(*i).kind));
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
        let mut superseded = vec![false; self.entries.len()];
        // The way down to the current path, where something other than a directory is or was: the entry that is there in the end, if it
        // is no directory, and the latest that was none here or above.
        let mut above: Vec<(&[u8], Option<u32>, u32)> = Vec::new();
        for run in self.by_path.chunk_by(|a, b| self.path(*a) == self.path(*b)) {
            let puts = || run.iter().copied().filter(|i| matches!(self.entry(*i).kind, ChangeKind::Put(_)));
            let Some(last) = puts().next_back() else { continue };
            let path = self.path(last);
            let directory = |i: u32| self.entry(i).kind == ChangeKind::Put(FileType::Directory);
            while above.pop_if(|(parent, ..)| !is_below(path, parent)).is_some() {}
            let latest = above.last().map(|(.., latest)| *latest);
            for put in puts() {
                let replaced = put != last && !(directory(put) && directory(last));
                superseded[put as usize] |= replaced || latest.is_some_and(|latest| latest > put);
            }
            for parent in above.iter().filter_map(|(_, parent, _)| *parent) {
                superseded[parent as usize] |= parent < last;
            }
            if let Some(file) = puts().rfind(|put| !directory(*put)) {
                above.push((path, (!directory(last)).then_some(last), latest.map_or(file, |latest| latest.max(file))));
            }
        }
        for (entry, superseded) in self.entries.iter_mut().zip(superseded) {
            entry.superseded = superseded;
        }
    }

    /// The matches in the file of an entry (of a hard link: in the file that it leads to).
    pub fn hits_of(&self, entry: u32) -> impl Iterator<Item = &FileHit> {
        let file = self.entry(entry).link_to.unwrap_or(entry);
        let from = self.hits.partition_point(|hit| hit.entry < file);
        self.hits[from..].iter().take_while(move |hit| hit.entry == file)
    }

    /// All entries about exactly this path, in the order of the tar.
    pub fn at(&self, path: &[u8]) -> &[u32] {
        let from = self.by_path.partition_point(|i| compare(self.path(*i), path) == Ordering::Less);
        let len = self.by_path[from..].partition_point(|i| self.path(*i) == path);
        &self.by_path[from..from + len]
    }

    /// All entries that say something about the file system, by path.
    pub fn by_path(&self) -> &[u32] {
        &self.by_path
    }

    /// The entries about a path strictly above `path`, the root included, nearest first. Takes time for what is there, not for the
    /// depth of the path.
    fn above<'a>(&'a self, path: &'a [u8]) -> impl Iterator<Item = u32> + 'a {
        let mut end = self.by_path.partition_point(|i| compare(self.path(*i), path) == Ordering::Less);
        std::iter::from_fn(move || {
            loop {
                let nearest = *self.by_path.get(end.checked_sub(1)?)?;
                let candidate = self.path(nearest);
                if is_below(path, candidate) {
                    end -= 1;
                    return Some(nearest);
                }
                // All that stands between an ancestor and `path` is below that ancestor: it is the shared part, or above it.
                let shared = common(candidate, path);
                end = self.by_path[..end].partition_point(|i| compare(self.path(*i), shared) != Ordering::Greater);
            }
        })
    }

    /// The entries about paths strictly below `path`.
    pub fn below<'a>(&'a self, path: &'a [u8]) -> impl Iterator<Item = u32> + 'a {
        let from = self.by_path.partition_point(|i| compare(self.path(*i), path) != Ordering::Greater);
        self.by_path[from..].iter().copied().take_while(move |i| is_below(self.path(*i), path))
    }

    fn has(&self, path: &[u8], kind: ChangeKind) -> bool {
        self.at(path).iter().any(|i| self.entry(*i).kind == kind)
    }

    fn stays(&self, index: u32) -> bool {
        matches!(self.entry(index).kind, ChangeKind::Put(_)) && !self.entry(index).superseded
    }

    /// The entry that this layer leaves at `path`, if it puts one there.
    pub fn put(&self, path: &[u8]) -> Option<u32> {
        self.at(path).iter().copied().rfind(|i| self.stays(*i))
    }

    /// True if this layer puts anything below `path`.
    pub fn puts_below(&self, path: &[u8]) -> bool {
        self.below(path).any(|i| self.stays(i))
    }

    /// True if this layer has something other than a directory at a path above `path`, if only until a later entry: what lower layers
    /// have there is gone all the same.
    pub fn blocks(&self, path: &[u8]) -> bool {
        self.above(path).any(|i| matches!(self.entry(i).kind, ChangeKind::Put(kind) if kind != FileType::Directory))
    }

    /// True if this layer has a symbolic link at a path above `path`, if only for a while.
    pub fn links_above(&self, path: &[u8]) -> bool {
        self.above(path).any(|i| self.entry(i).kind == ChangeKind::Put(FileType::Symlink))
    }

    /// The whiteout of exactly `path`, if this layer has one: the plain form where there are both.
    pub fn whiteout(&self, path: &[u8]) -> Option<ChangeKind> {
        let forms = [ChangeKind::Whiteout, ChangeKind::OverlayWhiteout];
        forms.into_iter().find(|kind| self.has(path, *kind))
    }

    /// True if this layer has a whiteout of exactly `path` behind the entry: one in front of it is meant for lower layers.
    pub fn whited_out_later(&self, path: &[u8], entry: u32) -> bool {
        let whiteout = |kind: ChangeKind| matches!(kind, ChangeKind::Whiteout | ChangeKind::OverlayWhiteout);
        self.at(path).iter().any(|i| *i > entry && whiteout(self.entry(*i).kind))
    }

    /// The nearest path above `path` that this layer whites out, and in which form.
    pub fn whiteout_above<'a>(&'a self, path: &'a [u8]) -> Option<(&'a [u8], ChangeKind)> {
        let found = self.above(path).find(|i| matches!(self.entry(*i).kind, ChangeKind::Whiteout | ChangeKind::OverlayWhiteout))?;
        Some((self.path(found), self.whiteout(self.path(found))?))
    }

    /// The nearest directory above `path` that this layer makes opaque (the root is the empty path), and in which form: the plain one
    /// where there are both.
    pub fn opaque_above<'a>(&'a self, path: &'a [u8]) -> Option<(&'a [u8], ChangeKind)> {
        let opaque = |kind: ChangeKind| matches!(kind, ChangeKind::Opaque | ChangeKind::OverlayOpaque);
        let found = self.above(path).filter(|i| opaque(self.entry(*i).kind)).min_by_key(|i| self.entry(*i).kind != ChangeKind::Opaque)?;
        Some((self.path(found), self.entry(found).kind))
    }
}

fn is_file(kind: ChangeKind) -> bool {
    matches!(kind, ChangeKind::Put(FileType::Regular | FileType::HardLink) | ChangeKind::LinkPool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_small() {
        // The entry, and its place in `by_path`.
        assert!(size_of::<Entry>() + size_of::<u32>() <= 68, "{}", size_of::<Entry>());
    }

    fn scan(entries: &[(&str, ChangeKind)]) -> LayerScan {
        let mut scan = LayerScan::default();
        for (path, kind) in entries {
            let path = path.as_bytes();
            scan.push(&NewEntry { path, target: b"", kind: *kind, spelling: Spelling::Plain, mode: 0, size: 0, offset: 0 });
        }
        scan.finish();
        scan
    }

    const FILE: ChangeKind = ChangeKind::Put(FileType::Regular);
    const DIRECTORY: ChangeKind = ChangeKind::Put(FileType::Directory);

    #[test]
    fn what_stands_above_is_found_nearest_first() {
        let scan =
            scan(&[("", ChangeKind::Opaque), ("a", DIRECTORY), ("a/b/c", DIRECTORY), ("a/bb", FILE), ("a/b/c/d/e", FILE), ("z", FILE)]);
        let above =
            |path: &str| scan.above(path.as_bytes()).map(|i| String::from_utf8_lossy(scan.path(i)).into_owned()).collect::<Vec<_>>();
        assert_eq!(above("a/b/c/d/x"), ["a/b/c", "a", ""]);
        assert_eq!(above("a/b/x"), ["a", ""]);
        assert_eq!(above("q/x"), [""]);
        assert!(scan.blocks(b"a/bb/x") && !scan.blocks(b"a/b/c/x"));
    }

    #[test]
    fn the_later_entry_wins_and_a_directory_gives_way() {
        let superseded = |entries: &[(&str, ChangeKind)]| scan(entries).entries().map(|(_, e)| e.superseded).collect::<Vec<_>>();
        assert_eq!(superseded(&[("f", FILE), ("f", FILE)]), [true, false]);
        assert_eq!(superseded(&[("f", DIRECTORY), ("f/c", FILE), ("f", FILE)]), [true, true, false]);
        assert_eq!(superseded(&[("f", FILE), ("f", DIRECTORY), ("f/c", FILE)]), [true, false, false]);
        assert_eq!(superseded(&[("d/f", FILE), ("d", FILE), ("d", DIRECTORY)]), [true, true, false]);
        assert_eq!(superseded(&[("d", FILE), ("d", DIRECTORY), ("d/f", FILE)]), [true, false, false]);
        assert_eq!(superseded(&[("d/x", FILE), ("d", DIRECTORY)]), [false, false]);
        assert_eq!(superseded(&[("a", FILE), ("a/b", FILE), ("a/b/c", FILE)]), [true, true, false]);
    }
}
