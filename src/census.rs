//! The life of every file of an image: what each layer added, changed and removed, and what no longer shows.
//!
//! A scan asks only for the files in which something was found. This asks for all of them, for the commands that show an image's life;
//! by the sizes of the types it takes some 300 bytes a file more.

use crate::archive::Archive;
use crate::digest::ContentHash;
use crate::image::{Image, Kind};
use crate::layer::change::{ChangeKind, FileType};
use crate::layer::path::compare;
use crate::layer_scan::{Entry, LayerScan};
use crate::limits::{Effort, Limits};
use crate::timeline::{Fate, Life, Lives, life_of_link, lives};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicUsize;

/// A layer that can be asked, and the blob it is in (none where it is the archive itself).
pub type Scan<'a> = (Option<usize>, &'a LayerScan);

/// The layers of an image, base first, as far as they are there.
pub fn layers<'a>(archive: &'a Archive, image: &Image) -> Vec<Option<Scan<'a>>> {
    match image.kind {
        Kind::FileSystem => vec![Some((None, &archive.members))],
        _ => image.layers.iter().map(|layer| Some((layer.blob, archive.layer(layer.blob?)?))).collect(),
    }
}

/// The lives of the entries that are `wanted`, by blob: what images and layers share is listed once.
pub fn lives_in(image: &Image, layers: &[Option<Scan>], wanted: &HashMap<Option<usize>, Vec<u32>>, effort: &mut Effort) -> Lives {
    let scans: Vec<Option<&LayerScan>> = layers.iter().map(|layer| layer.map(|(_, scan)| scan)).collect();
    let of = |layer: &Option<Scan>| layer.and_then(|(blob, _)| wanted.get(&blob)).map(Vec::as_slice).unwrap_or_default();
    let wanted: Vec<&[u32]> = layers.iter().map(of).collect();
    if !matches!(image.kind, Kind::Artifact(_)) {
        return lives(&scans, &wanted, effort);
    }
    // The blobs of an artifact stand beside each other: none hides another.
    let mut all = Lives::default();
    for (layer, (scan, wanted)) in scans.iter().zip(&wanted).enumerate() {
        let own = lives(&[*scan], &[wanted], effort);
        all.of.extend(own.of.into_iter().map(|((_, entry), life)| ((layer, entry), life)));
        all.end = all.end.or(own.end.map(|_| layer));
    }
    all
}

/// The files of one image, and what became of them.
pub struct Census<'a> {
    /// The layers; those that were not laid over the others for want of effort are there, and nothing is told of their files.
    pub layers: Vec<Option<Scan<'a>>>,
    lives: Lives,
}

/// One version of one file: an entry of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    /// Index of the layer.
    pub layer: usize,
    /// The entry.
    pub entry: u32,
}

/// What one layer did to files. Directories are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Files at paths where there was none.
    pub added: u64,
    /// Files that took the place of others, with other content or of another type.
    pub changed: u64,
    /// Files that were written again with the same content (chmod, chown, touch).
    pub rewritten: u64,
    /// Files of lower layers that it removed.
    pub removed: u64,
    /// Content of its files, in bytes.
    pub bytes: u64,
    /// Its files that do not show in the final image, and their content in bytes.
    pub hidden: u64,
    /// See [`Changes::hidden`].
    pub hidden_bytes: u64,
}

impl<'a> Census<'a> {
    /// Takes the census of `image`. `stop` is anything but 0 when it is to end; see [`Census::end`].
    pub fn of(archive: &'a Archive, image: &Image, limits: &Limits, stop: &AtomicUsize) -> Census<'a> {
        let layers = layers(archive, image);
        // A manifest may list one large layer ten thousand times: it costs what it holds.
        let distinct: HashMap<Option<usize>, &LayerScan> = layers.iter().flatten().copied().collect();
        let of = |scan: &LayerScan| scan.entries().filter(|(_, entry)| is_asked(entry)).map(|(index, _)| index).collect();
        let wanted = distinct.iter().map(|(blob, scan)| (*blob, of(scan))).collect();
        let mut effort = Effort::new(limits, distinct.values().map(|scan| scan.len()).sum(), stop);
        Census { lives: lives_in(image, &layers, &wanted, &mut effort), layers }
    }

    /// The layers that were laid over each other, with their indexes.
    fn laid(&self) -> impl Iterator<Item = (usize, &'a LayerScan)> {
        let known = self.lives.end.unwrap_or(self.layers.len());
        self.layers.iter().take(known).enumerate().filter_map(|(index, layer)| Some((index, (*layer)?.1)))
    }

    /// The first layer that was not laid over the others, for want of effort (`--max-steps`): what it and the next ones did is not known.
    pub fn end(&self) -> Option<usize> {
        self.lives.end
    }

    /// The scan of a layer.
    pub fn scan(&self, layer: usize) -> Option<&'a LayerScan> {
        self.layers.get(layer).copied().flatten().map(|(_, scan)| scan)
    }

    /// The path of a version.
    pub fn path(&self, version: Version) -> &'a [u8] {
        self.scan(version.layer).map_or(b"", |scan| scan.path(version.entry))
    }

    /// The entry of a version.
    pub fn entry(&self, version: Version) -> Option<&'a Entry> {
        self.scan(version.layer).map(|scan| scan.entry(version.entry))
    }

    /// The life of a version, if it is known.
    pub fn life(&self, version: Version) -> Option<&Life> {
        self.lives.of.get(&(version.layer, version.entry))
    }

    /// Where the content of a version stands: of a hard link, the file that it leads to.
    pub fn content(&self, version: Version) -> Version {
        if let Some(file) = self.entry(version).and_then(|entry| entry.link_to) {
            return Version { entry: file, ..version };
        }
        let bound = self.lives.bound.get(&(version.layer, version.entry));
        bound.map_or(version, |(layer, entry)| {
            let file = Version { layer: *layer, entry: *entry };
            Version { entry: self.entry(file).and_then(|entry| entry.link_to).unwrap_or(file.entry), ..file }
        })
    }

    /// All versions of files, by layer and, within one, as the tar has them.
    pub fn files(&self) -> impl Iterator<Item = (Version, &'a Entry)> {
        self.laid().flat_map(|(layer, scan)| {
            scan.entries().filter(|(_, entry)| is_asked(entry)).map(move |(entry, record)| (Version { layer, entry }, record))
        })
    }

    /// All versions of what stands at `path`, base first: files, links, and what removed them. Of layers that were not laid over the others,
    /// too.
    pub fn at(&self, path: &[u8]) -> Vec<Version> {
        let layers = self.layers.iter().enumerate().filter_map(|(index, layer)| Some((index, (*layer)?.1)));
        layers.flat_map(|(layer, scan)| scan.at(path).iter().map(move |entry| Version { layer, entry: *entry })).collect()
    }

    /// The fate of whatever a version is; of symbolic links, too. None for directories and markers.
    pub fn fate(&self, version: Version) -> Option<Fate> {
        let entry = self.entry(version)?;
        match (self.life(version), entry.kind) {
            (Some(life), _) => Some(life.fate),
            (None, ChangeKind::Put(FileType::Symlink)) if entry.superseded => Some(Fate::Superseded),
            (None, ChangeKind::Put(FileType::Symlink)) => {
                Some(life_of_link(self.laid().skip_while(|(layer, _)| *layer <= version.layer), self.path(version)))
            }
            _ => None,
        }
    }

    /// Versions that do not show in the final image and whose bytes are there, with what became of them.
    pub fn hidden(&self) -> impl Iterator<Item = (Version, &'a Entry, &Life)> {
        self.files().filter_map(|(version, entry)| {
            let life = self.life(version)?;
            let content = is_content(entry) && entry.kind != ChangeKind::Put(FileType::HardLink) || entry.size > 0;
            (life.fate != Fate::Present && content).then_some((version, entry, life))
        })
    }

    /// What each layer did.
    pub fn changes(&self) -> Vec<Changes> {
        let mut all = vec![Changes::default(); self.layers.len()];
        // Whether something was there before: what is rewritten, overwritten or replaced by a layer tells.
        let mut took: HashMap<usize, (u64, u64)> = HashMap::new();
        for (version, entry) in self.files() {
            let own = &mut all[version.layer];
            own.added += u64::from(matches!(entry.kind, ChangeKind::Put(_)));
            let Some(life) = self.life(version) else { continue };
            own.bytes += entry.size;
            if life.fate != Fate::Present {
                own.hidden += u64::from(is_content(entry));
                own.hidden_bytes += entry.size;
            }
            // A chain of rewrites ends once, and its versions share the end: the last of them tells it.
            let last = life.rewritten_in.is_empty();
            match life.fate {
                Fate::Deleted { by, .. } if last => all[by].removed += 1,
                Fate::Overwritten { by } | Fate::Replaced { by } if last => took.entry(by).or_default().0 += 1,
                _ => {}
            }
            if let Some(next) = life.rewritten_in.first() {
                took.entry(*next).or_default().1 += 1;
            }
        }
        for (layer, (changed, rewritten)) in took {
            let changes = &mut all[layer];
            changes.changed = changed;
            changes.rewritten = rewritten;
            changes.added = changes.added.saturating_sub(changed + rewritten);
        }
        all
    }

    /// Files that show in the final image.
    fn visible(&self) -> impl Iterator<Item = (Version, &'a Entry)> {
        self.files().filter(|(version, _)| self.life(*version).is_some_and(|life| life.fate == Fate::Present))
    }

    /// Contents that show in the final image, whatever their paths.
    pub fn visible_contents(&self) -> HashSet<ContentHash> {
        self.visible().filter_map(|(_, entry)| entry.content).collect()
    }

    /// Paths of files that show in the final image.
    pub fn visible_paths(&self) -> HashSet<&'a [u8]> {
        self.visible().map(|(version, _)| self.path(version)).collect()
    }

    /// What each layer's files come to, by directory.
    pub fn tree(&self) -> Tree {
        let mut files: Vec<(&[u8], u64, u64)> = Vec::new();
        for (version, entry) in self.files().filter(|(_, entry)| entry.size > 0) {
            let present = self.life(version).is_some_and(|life| life.fate == Fate::Present);
            files.push((self.path(version), if present { entry.size } else { 0 }, if present { 0 } else { entry.size }));
        }
        files.sort_unstable_by(|a, b| compare(a.0, b.0));
        Tree::of(&files)
    }
}

/// Whether the fate of an entry is asked for: files and links, and what is no part of any file system and has content.
fn is_asked(entry: &Entry) -> bool {
    match entry.kind {
        ChangeKind::Put(kind) => kind != FileType::Directory,
        _ => entry.size > 0 || entry.content.is_some(),
    }
}

/// Whether there is something to be read in it.
fn is_content(entry: &Entry) -> bool {
    entry.size > 0 || entry.content.is_some()
}

/// A directory, or a file, with all that is below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Its name, without the directories above it.
    pub name: Vec<u8>,
    /// Content that shows in the final image, in bytes.
    pub visible: u64,
    /// Content that does not, in bytes.
    pub hidden: u64,
    /// The largest first.
    pub children: Vec<Tree>,
}

/// What is smaller than this part of the whole is not told one by one.
const LEAST_SHARE: u64 = 400;
/// The most children of one directory, and the deepest one.
const MOST_CHILDREN: usize = 24;
const DEEPEST: usize = 6;
/// What stands for the rest.
const REST: &str = "…";

impl Tree {
    /// From files (path, visible and hidden bytes) in the order of [`compare`].
    fn of(files: &[(&[u8], u64, u64)]) -> Tree {
        let whole: u64 = files.iter().map(|file| file.1 + file.2).sum();
        let mut root = Tree::default();
        root.fill(files, 0, 0, (whole / LEAST_SHARE).max(1));
        root
    }

    /// `from` is where the names of the children begin in the paths.
    fn fill(&mut self, files: &[(&[u8], u64, u64)], from: usize, depth: usize, least: u64) {
        (self.visible, self.hidden) = files.iter().fold((0, 0), |sum, file| (sum.0 + file.1, sum.1 + file.2));
        if depth == DEEPEST {
            return;
        }
        let name = |path: &[u8]| -> Vec<u8> {
            let rest = path.get(from..).unwrap_or_default();
            rest[..rest.iter().position(|b| *b == b'/').unwrap_or(rest.len())].to_vec()
        };
        let mut rest = Tree { name: REST.into(), ..Tree::default() };
        for run in files.chunk_by(|a, b| name(a.0) == name(b.0)) {
            let size: u64 = run.iter().map(|file| file.1 + file.2).sum();
            let name = name(run[0].0);
            if size < least || name.is_empty() {
                rest.visible += run.iter().map(|file| file.1).sum::<u64>();
                rest.hidden += run.iter().map(|file| file.2).sum::<u64>();
                continue;
            }
            let mut child = Tree { name, ..Tree::default() };
            child.fill(run, from + child.name.len() + 1, depth + 1, least);
            self.children.push(child);
        }
        self.children.sort_by_key(|child| std::cmp::Reverse(child.visible + child.hidden));
        for left_out in self.children.drain(MOST_CHILDREN.min(self.children.len())..) {
            rest.visible += left_out.visible;
            rest.hidden += left_out.hidden;
        }
        // A file has nothing below it.
        if rest.visible + rest.hidden > 0 && !(self.children.is_empty() && files.len() == 1) {
            self.children.push(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_adds_up_and_names_what_is_large() {
        let files: Vec<(&[u8], u64, u64)> =
            vec![(b"a/big", 1000, 0), (b"a/dead", 0, 500), (b"b/c/d/e/f/g/h", 300, 0), (b"b/tiny", 1, 0), (b"top", 10, 0)];
        let tree = Tree::of(&files);
        assert_eq!((tree.visible, tree.hidden), (1311, 500));
        let names: Vec<(&[u8], u64, u64)> = tree.children.iter().map(|c| (&c.name[..], c.visible, c.hidden)).collect();
        assert_eq!(names, [(&b"a"[..], 1000, 500), (b"b", 301, 0), (b"top", 10, 0)]);
        fn adds_up(tree: &Tree) -> bool {
            let sum = |of: fn(&Tree) -> u64| tree.children.iter().map(of).sum::<u64>();
            tree.children.is_empty()
                || sum(|c| c.visible) == tree.visible && sum(|c| c.hidden) == tree.hidden && tree.children.iter().all(adds_up)
        }
        assert!(adds_up(&tree), "{tree:?}");
        assert!(tree.children[2].children.is_empty());
    }
}
