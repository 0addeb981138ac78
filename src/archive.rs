//! An archive that was read: its members, the blobs among them, each scanned as what its bytes say it is, and the links between names.
//!
//! What a blob is *for* (layer, config, manifest) is decided later, when the manifests are known. The members themselves are kept as a
//! layer is: an archive that turns out to be no image is one.

use crate::digest::{Algorithms, Digest};
use crate::error::{Code, Problem};
use crate::layer::change::{ChangeKind, FileType};
use crate::layer::compression::Compression;
use crate::layer::path::{clean, link_target};
use crate::layer_scan::{FileHit, LayerScan};
use crate::packages::Packages;

/// One member with content, scanned.
#[derive(Debug, Clone)]
pub struct Blob {
    /// Its entry in [`Archive::members`].
    pub member: u32,
    /// SHA-256 of the stored bytes.
    pub stored: Digest,
    /// Stored size in bytes, as read.
    pub stored_size: u64,
    /// What its bytes are once they are unpacked, if they are packed.
    pub unpacked: Option<Box<Unpacked>>,
    /// What was wrong with its stored bytes; what is wrong within a layer is in its scan.
    pub problems: Vec<Problem>,
    /// The scan was stopped within it: its digests are those of a part.
    pub cut: bool,
    /// It holds nothing but zeros, or nothing at all.
    pub zeros: bool,
    /// What is in it.
    pub content: Content,
}

/// The bytes of a packed blob.
#[derive(Debug, Clone)]
pub struct Unpacked {
    /// How it is packed, outermost first.
    pub packing: Vec<Compression>,
    /// SHA-256 of the uncompressed bytes, if it was computed: what a config calls the diff_id, where the blob is a layer.
    pub digest: Option<Digest>,
    /// Uncompressed size in bytes.
    pub size: u64,
}

/// What a blob's bytes are.
#[derive(Debug, Clone)]
pub enum Content {
    /// Bytes that are not packed, and neither tar nor JSON: what was found in them is among the hits of [`Archive::members`].
    File,
    /// JSON. It was searched as a file too.
    Document(Box<Document>),
    /// A tar, or unpacked bytes that are none (then there is a single entry without a name).
    Layer(Box<Layer>),
}

/// See [`Content::Document`].
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The value.
    pub value: serde_json::Value,
    /// Where it ends in the blob, in bytes: what stands behind it is searched as a file is.
    pub end: u64,
}

/// See [`Content::Layer`].
#[derive(Debug, Clone)]
pub struct Layer {
    /// What was found.
    pub scan: LayerScan,
    /// Whether it is a tar.
    pub tar: bool,
}

impl Blob {
    /// SHA-256 of the uncompressed bytes, if it is known.
    pub fn diff_id(&self) -> Option<&Digest> {
        self.unpacked.as_ref().map_or(Some(&self.stored), |unpacked| unpacked.digest.as_ref())
    }

    /// Uncompressed size in bytes.
    pub fn size(&self) -> u64 {
        self.unpacked.as_ref().map_or(self.stored_size, |unpacked| unpacked.size)
    }

    /// How it is packed, outermost first.
    pub fn packing(&self) -> &[Compression] {
        self.unpacked.as_ref().map_or(&[], |unpacked| &unpacked.packing)
    }
}

/// All of an archive.
#[derive(Debug, Default)]
pub struct Archive {
    /// The members, as a layer has its entries.
    pub members: LayerScan,
    /// Those with content, in the order of the archive.
    pub blobs: Vec<Blob>,
    /// What was wrong with the archive itself.
    pub problems: Vec<Problem>,
    /// How all of it is packed, outermost first.
    pub packing: Vec<Compression>,
    /// What was not done.
    pub omissions: Omissions,
    /// It is a file system, even if it has the files of an image archive.
    pub file_system: bool,
    /// What package managers say of files, in whatever layer.
    packages: Packages,
    /// Blobs by their digest.
    by_digest: Vec<u32>,
}

/// What was not done with an archive, so that what is missing may be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Omissions {
    /// The scan was stopped.
    pub interrupted: bool,
    /// There was so much JSON that some of it was searched as files only.
    pub too_much_json: bool,
}

/// The longest chain of links that is followed.
const MAX_LINKS: usize = 10;

impl Archive {
    /// Puts an archive together.
    pub fn new(mut members: LayerScan, mut blobs: Vec<Blob>, problems: Vec<Problem>, omissions: Omissions) -> Archive {
        blobs.sort_by_key(|blob| blob.member);
        let mut by_digest: Vec<u32> = (0..blobs.len() as u32).collect();
        by_digest.sort_by(|a, b| blobs[*a as usize].stored.cmp(&blobs[*b as usize].stored).then(a.cmp(b)));
        let mut packages = std::mem::take(&mut members.packages);
        for blob in &mut blobs {
            if let Content::Layer(layer) = &mut blob.content {
                packages.merge(&std::mem::take(&mut layer.scan.packages));
            }
        }
        Archive { members, blobs, problems, packing: Vec::new(), omissions, file_system: false, packages, by_digest }
    }

    /// Which digests of files its lists of package managers have.
    pub fn listed(&self) -> Algorithms {
        self.packages.algorithms()
    }

    /// The package that has the file of a match as it is, if the match is in the content: then it is published.
    pub fn publisher(&self, scan: &LayerScan, hit: &FileHit) -> Option<&str> {
        self.packages.owner(scan.digests.get(&hit.entry).filter(|_| hit.place.in_content())?)
    }

    /// The name of the member that a blob is.
    pub fn name(&self, blob: usize) -> &[u8] {
        self.members.path(self.blobs[blob].member)
    }

    /// The blobs that a member name leads to, links followed: more than one where the name occurs more than once.
    pub fn named(&self, name: &str) -> Vec<usize> {
        self.follow(name, |entries| Some(self.blobs_among(entries).collect::<Vec<_>>()).filter(|blobs| !blobs.is_empty()))
            .unwrap_or_default()
    }

    /// The last of them, or why there is none: in words that go behind "is".
    pub fn resolve(&self, name: &str) -> Result<usize, &'static str> {
        self.follow(name, |entries| self.blobs_among(entries).next_back())
    }

    fn follow<T>(&self, name: &str, pick: impl Fn(&[u32]) -> Option<T>) -> Result<T, &'static str> {
        let mut name = clean(name.as_bytes()).0;
        let mut followed = 0;
        loop {
            let entries = self.members.at(&name);
            if let Some(picked) = pick(entries) {
                return Ok(picked);
            }
            let link = entries.iter().rev().find_map(|entry| {
                let target = self.members.target(*entry);
                match self.members.entry(*entry).kind {
                    ChangeKind::Put(FileType::HardLink) => Some(target.to_vec()),
                    ChangeKind::Put(FileType::Symlink) => Some(link_target(&name, target)),
                    _ => None,
                }
            });
            name = match link {
                Some(_) if followed == MAX_LINKS => return Err("a link that leads in a circle"),
                Some(target) => target,
                None if followed > 0 => return Err("a link to something that is not in this input"),
                None => return Err("not in this input"),
            };
            followed += 1;
        }
    }

    /// The blobs among entries that put something (the path of a whiteout is not its own).
    fn blobs_among<'a>(&'a self, entries: &'a [u32]) -> impl DoubleEndedIterator<Item = usize> + 'a {
        let puts = entries.iter().filter(|entry| matches!(self.members.entry(**entry).kind, ChangeKind::Put(_)));
        puts.filter_map(|entry| self.blob_of(*entry))
    }

    /// The blob that a member is, if it has content.
    pub fn blob_of(&self, member: u32) -> Option<usize> {
        self.blobs.binary_search_by_key(&member, |blob| blob.member).ok()
    }

    /// The blob with this digest: by its bytes, or else by its name in a layout (then its bytes differ).
    pub fn digested(&self, digest: &Digest) -> Option<usize> {
        let at = self.by_digest.partition_point(|blob| self.blobs[*blob as usize].stored < *digest);
        let found = self.by_digest.get(at).map(|blob| *blob as usize).filter(|blob| self.blobs[*blob].stored == *digest);
        found.or_else(|| self.resolve(&digest.blob_path()).ok())
    }

    /// The names that occur more than once.
    pub fn duplicates(&self) -> Vec<&[u8]> {
        let mut names: Vec<&[u8]> = Vec::new();
        for run in self.members.by_path().chunk_by(|a, b| self.members.path(*a) == self.members.path(*b)) {
            if self.blobs_among(run).nth(1).is_some() {
                names.push(self.members.path(run[0]));
            }
        }
        names
    }

    /// True if it may lack its end.
    pub fn is_cut(&self) -> bool {
        self.omissions.interrupted || self.problems.iter().any(|problem| matches!(problem.code, Code::Truncated | Code::ReadFailed))
    }

    /// Everything that is wrong with a blob's bytes.
    pub fn problems_of(&self, blob: usize) -> impl Iterator<Item = &Problem> {
        let scan = self.layer(blob).map(|scan| &scan.problems[..]).unwrap_or_default();
        self.blobs[blob].problems.iter().chain(scan)
    }

    /// The document in a blob.
    pub fn document(&self, blob: usize) -> Option<&serde_json::Value> {
        match &self.blobs.get(blob)?.content {
            Content::Document(document) => Some(&document.value),
            _ => None,
        }
    }

    /// The scan of a blob that is a layer.
    pub fn layer(&self, blob: usize) -> Option<&LayerScan> {
        match &self.blobs.get(blob)?.content {
            Content::Layer(layer) => Some(&layer.scan),
            _ => None,
        }
    }

    /// Whether a blob is a tar. One of zeros alone, or of nothing, is an empty one.
    pub fn is_tar(&self, blob: usize) -> bool {
        match &self.blobs[blob].content {
            Content::Layer(layer) => layer.tar,
            _ => self.blobs[blob].zeros,
        }
    }
}
