//! What `recover` is asked for: entries of the archive, and what is known of them.

use super::read::Reading;
use super::recover::Args;
use anyhow::{Context, Result, bail};
use pentimento::archive::Archive;
use pentimento::census::{Census, Version};
use pentimento::finding::{Finding, Location, State};
use pentimento::image::{Image, Kind};
use pentimento::layer::change::{ChangeKind, FileType};
use pentimento::layer_scan::{LayerScan, Place, Way};
use pentimento::report::FateEntry;
use pentimento::report::fate::{fate, instruction, room};
use pentimento::scan::Wanted;
use pentimento::text::{exact, sanitise};
use pentimento::timeline::Fate;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Something to take out, and what is known of it.
pub struct Item {
    /// Where it stands.
    pub wanted: Wanted,
    /// Its name in a directory, part by part.
    pub parts: Vec<Vec<u8>>,
    /// What is known before it is read, and what reading adds.
    pub about: Recovered,
}

/// What `recovered.json` says of one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recovered {
    /// Its name below the directory.
    pub file: String,
    /// The findings that stand in it.
    pub findings: Vec<String>,
    pub image: Option<usize>,
    pub layer: Option<usize>,
    pub diff_id: Option<String>,
    /// In the layer (of what no image refers to: in the archive).
    pub path: String,
    pub inner: Vec<String>,
    /// `content`, `xattr`, `name`, `header`, or `document`.
    pub part: String,
    /// The member of the archive.
    pub member: String,
    /// Where the content begins in the uncompressed layer, in bytes.
    pub layer_offset: Option<u64>,
    /// Where it begins in the archive, if nothing around it is packed.
    pub archive_offset: Option<u64>,
    pub size: u64,
    pub mode: Option<String>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    /// Seconds since 1970.
    pub mtime: Option<u64>,
    pub sha256: String,
    /// The bytes are those that the scan saw: by their hash. None where the scan keeps none.
    pub verified: Option<bool>,
    pub fate: Option<FateEntry>,
    pub instruction: Option<String>,
}

/// What is asked for.
pub fn items(args: &Args, reading: &Reading) -> Result<Vec<Item>> {
    let mut listing = Listing { reading, archive: &reading.scanned.archive, room: room(reading.scanned.findings.len()) };
    if args.hidden {
        return listing.hidden(args.image.as_deref());
    }
    let Some(what) = args.what.as_deref() else {
        let told = reading.report.findings.iter().map(|finding| finding.id.as_str()).collect::<HashSet<_>>();
        return listing.findings(args, |finding| told.contains(finding.id.as_str()));
    };
    if args.layer.is_some() {
        return Ok(vec![listing.version(args, what)?]);
    }
    // An id may be the beginning of another one: `…` and `…-2`.
    let exact = reading.scanned.findings.iter().any(|finding| finding.id == what);
    let id = |finding: &Finding| finding.id == what || !exact && what.len() >= 4 && finding.id.starts_with(what);
    let found = listing.findings(args, id)?;
    match found.is_empty() {
        true => Ok(vec![listing.version(args, what)?]),
        false => Ok(found),
    }
}

/// What a layer holds at a path and can be got back, in the order of the tar: `--nth` counts it.
pub fn recoverable(scan: &LayerScan, path: &[u8]) -> Vec<u32> {
    let whole = |entry: &u32| {
        let entry = scan.entry(*entry);
        matches!(entry.kind, ChangeKind::Put(_) | ChangeKind::LinkPool) || entry.size > 0
    };
    scan.at(path).iter().copied().filter(whole).collect()
}

struct Listing<'a> {
    reading: &'a Reading,
    archive: &'a Archive,
    /// What an instruction may take: there may be a million files.
    room: usize,
}

impl Listing<'_> {
    /// What findings stand in, each once.
    fn findings(&self, args: &Args, wanted: impl Fn(&Finding) -> bool) -> Result<Vec<Item>> {
        let images = match &args.image {
            Some(image) => Some(self.reading.images(Some(image))?),
            None => None,
        };
        let mut items: Vec<Item> = Vec::new();
        let mut at: HashMap<(Option<usize>, u32, Place), usize> = HashMap::new();
        let found = self.reading.scanned.findings.iter().filter(|finding| wanted(finding));
        for finding in found.filter(|f| images.as_ref().is_none_or(|images| f.image.is_some_and(|image| images.contains(&image)))) {
            let item = self.finding(finding);
            let key = (item.wanted.blob, item.wanted.entry, item.wanted.place.clone());
            match at.get(&key) {
                Some(index) if items[*index].about.findings.contains(&finding.id) => {}
                Some(index) => items[*index].about.findings.push(finding.id.clone()),
                None => {
                    at.insert(key, items.len());
                    items.push(item);
                }
            }
        }
        Ok(items)
    }

    fn finding(&self, finding: &Finding) -> Item {
        let image = finding.image.map(|index| self.reading.entry(index));
        let fate = Some(fate(finding.state, finding.hidden_by(), image, self.room));
        let mut item = match &finding.location {
            Location::Metadata { blob, .. } => {
                let member = self.archive.blobs[*blob].member;
                self.item(
                    Wanted { blob: None, entry: member, place: Place::Content },
                    finding.image,
                    None,
                    self.archive.members.path(member),
                )
            }
            Location::File { layer, blob, entry, path, inner, xattr, .. } => {
                let first = inner.first().map(|step| &step[..]);
                let place = match (xattr, first) {
                    (Some(name), _) => Place::Xattr(name.clone()),
                    (_, Some(b"#header")) if inner.len() == 1 => Place::Header,
                    (_, Some(b"#name")) if inner.len() == 1 => Place::Name,
                    (_, None) => Place::Content,
                    _ => Place::Inner(inner.clone()),
                };
                let (blob, entry, place) = self.stands(*blob, *entry, place);
                let mut item = self.item(Wanted { blob, entry, place: place.clone() }, finding.image, *layer, path);
                if self.is_file_system() && blob.is_some() {
                    // The way in begins with the entry of the archive that the file is.
                    item.about.inner = inner.iter().map(|step| exact(step)).collect();
                    item.parts.truncate(1);
                    item.parts.push([path, &b"!"[..]].concat());
                    item.parts.extend(inner.iter().map(|step| step.to_vec()));
                }
                item
            }
        };
        if let Location::Metadata { .. } = &finding.location {
            item.about.part = "document".to_owned();
        }
        item.about.findings.push(finding.id.clone());
        item.about.fate = fate;
        item
    }

    /// Of a plain blob the entry is that of the member; of a file system, files that are archives are blobs, and the first step of the way
    /// is their entry.
    fn stands(&self, blob: Option<usize>, entry: u32, place: Place) -> (Option<usize>, u32, Place) {
        let Some(index) = blob else { return (None, entry, place) };
        let Some(scan) = self.archive.layer(index) else { return (None, self.archive.blobs[index].member, place) };
        let member = scan.path(entry);
        match place {
            Place::Inner(way) if self.is_file_system() && way.first().is_some_and(|step| **step == *member) => {
                let rest: Way = way[1..].to_vec().into();
                (blob, entry, if rest.is_empty() { Place::Content } else { Place::Inner(rest) })
            }
            place => (blob, entry, place),
        }
    }

    fn is_file_system(&self) -> bool {
        self.reading.scanned.images.images.iter().any(|image| image.kind == Kind::FileSystem)
    }

    /// One version of a path.
    fn version(&self, args: &Args, path: &str) -> Result<Item> {
        let (clean, _) = pentimento::layer::path::clean(path.as_bytes());
        let image = self.reading.image(args.image.as_deref())?;
        let census = self.reading.census(image);
        let told = sanitise(path);
        let mut versions = census.at(&clean);
        versions.retain(|version| {
            let within = census.scan(version.layer).is_some_and(|scan| recoverable(scan, &clean).contains(&version.entry));
            within && args.layer.is_none_or(|layer| layer == version.layer)
        });
        let history = format!("`pentimento history` lists what there is of {told}");
        let chosen = match (versions.len(), args.nth) {
            (0, _) if args.layer.is_none() => {
                bail!("there is neither a finding {told} nor a file: `pentimento scan --format json` and `pentimento hidden` list them")
            }
            (0, _) => bail!("that layer holds nothing at {told}: {history}"),
            (1, None) => versions[0],
            (_, None) if args.layer.is_none() => {
                bail!("there are {} versions of {told}: choose one with --layer; {history}", versions.len())
            }
            (count, None) => versions[count - 1],
            (_, Some(nth)) => *versions.get(nth.wrapping_sub(1)).with_context(|| format!("--nth counts from 1; {history}"))?,
        };
        let entry = census.entry(chosen).context("no such entry")?;
        match entry.kind {
            ChangeKind::Put(FileType::Directory) => bail!("{told} is a directory there"),
            ChangeKind::Put(FileType::Symlink) => {
                let target = census.scan(chosen.layer).map(|scan| exact(scan.target(chosen.entry))).unwrap_or_default();
                bail!("{told} is a symbolic link to {} there", sanitise(&self.reading.clean(target)?))
            }
            ChangeKind::Put(FileType::Special) => bail!("{told} is a device, a FIFO or a socket there: it has no content"),
            ChangeKind::Put(FileType::HardLink) if entry.size == 0 && entry.content.is_none() && census.content(chosen) == chosen => {
                bail!("{told} is a hard link to nothing there")
            }
            _ => Ok(self.file(image, &census, chosen)),
        }
    }

    fn hidden(&mut self, wanted: Option<&str>) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        // Images share layers.
        let mut known = HashSet::new();
        for image in self.reading.images(wanted)? {
            let census = self.reading.census(image);
            self.room = self.room.min(room(census.hidden().count()));
            let all = census.hidden().map(|(version, ..)| self.file(image, &census, version));
            items.extend(all.filter(|item| known.insert((item.wanted.blob, item.wanted.entry))));
        }
        Ok(items)
    }

    fn file(&self, image: usize, census: &Census, version: Version) -> Item {
        let content = census.content(version);
        let blob = census.layers[content.layer].and_then(|(blob, _)| blob);
        let wanted = Wanted { blob, entry: content.entry, place: Place::Content };
        let mut item = self.item(wanted, Some(image), Some(version.layer), census.path(version));
        item.about.fate = census.fate(version).map(|fate_of| fate_entry(fate_of, self.reading.entry(image), version.layer, self.room));
        item
    }

    fn item(&self, wanted: Wanted, image: Option<usize>, layer: Option<usize>, path: &[u8]) -> Item {
        let (scan, member) = match wanted.blob {
            Some(blob) => (self.archive.layer(blob).unwrap_or(&self.archive.members), self.archive.blobs[blob].member),
            None => (&self.archive.members, wanted.entry),
        };
        let entry = scan.entry(wanted.entry);
        let own = image.map(|index| self.reading.entry(index));
        let brought = own.zip(layer).map(|(image, layer)| instruction(image, layer, self.room));
        let diff_id = own.zip(layer).and_then(|(image, layer)| image.layers.get(layer)?.diff_id.clone());
        let diff_id = diff_id.or_else(|| wanted.blob.and_then(|blob| self.archive.blobs[blob].diff_id().cloned()));
        let packed = wanted.blob.is_some_and(|blob| !self.archive.blobs[blob].packing().is_empty());
        let inner = matches!(wanted.place, Place::Inner(_));
        let steps: Vec<&[u8]> = if let Place::Inner(way) = &wanted.place { way.iter().map(|step| &**step).collect() } else { Vec::new() };
        let base = if wanted.blob.is_some() { self.archive.members.entry(member).offset } else { 0 };
        let is_content = matches!(wanted.place, Place::Content);
        let about = Recovered {
            file: String::new(),
            findings: Vec::new(),
            image,
            layer,
            diff_id: diff_id.map(|digest| digest.to_string()),
            path: exact(path),
            inner: steps.iter().map(|step| exact(step)).collect(),
            part: part_name(&wanted.place).to_owned(),
            member: exact(self.archive.members.path(member)),
            layer_offset: wanted.blob.is_some().then_some(entry.offset).filter(|_| is_content || inner),
            archive_offset: (is_content && !packed && self.archive.packing.is_empty() && !Path::new(&self.reading.scanned.target).is_dir())
                .then_some(base + entry.offset),
            size: entry.size,
            mode: (entry.kind != ChangeKind::Nothing && wanted.blob.is_some()).then(|| format!("{:04o}", entry.mode)),
            uid: None,
            gid: None,
            mtime: None,
            sha256: String::new(),
            verified: None,
            fate: None,
            instruction: brought
                .and_then(|(certain, _, candidates)| certain.or_else(|| candidates.last().map(|last| format!("probably {last}")))),
        };
        let place = match (layer, image) {
            (Some(layer), _) => format!("layer-{layer}"),
            (None, Some(_)) => "documents".to_owned(),
            (None, None) => "unreferenced".to_owned(),
        };
        let several = self.reading.scanned.images.images.len() > 1;
        let mut parts: Vec<Vec<u8>> = image.filter(|_| several).map(|image| format!("image-{image}").into_bytes()).into_iter().collect();
        parts.push(place.into_bytes());
        let suffix = match &wanted.place {
            Place::Content => Vec::new(),
            Place::Inner(_) => b"!".to_vec(),
            Place::Xattr(name) => format!("@{name}").into_bytes(),
            Place::Name => b"#name".to_vec(),
            Place::Header => b"#header".to_vec(),
        };
        parts.push([path, &suffix[..]].concat());
        parts.extend(steps.iter().map(|step| step.to_vec()));
        Item { wanted, parts, about }
    }
}

fn part_name(place: &Place) -> &'static str {
    match place {
        Place::Content | Place::Inner(_) => "content",
        Place::Xattr(_) => "xattr",
        Place::Name => "name",
        Place::Header => "header",
    }
}

/// What an entry is, in a word.
pub fn kind_word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Put(FileType::Regular) => "file",
        ChangeKind::Put(FileType::HardLink) => "hard-link",
        ChangeKind::Put(FileType::Symlink) => "symlink",
        ChangeKind::Put(FileType::Directory) => "directory",
        ChangeKind::Put(FileType::Special) => "special",
        ChangeKind::Whiteout | ChangeKind::OverlayWhiteout => "whiteout",
        ChangeKind::Opaque | ChangeKind::OverlayOpaque => "opaque",
        ChangeKind::LinkPool | ChangeKind::Nothing => "hidden",
    }
}

/// A file's fate as reports tell it. `room` is what its instruction may take.
pub fn fate_entry(fate_of: Fate, image: &Image, layer: usize, room: usize) -> FateEntry {
    let by = match fate_of {
        Fate::Deleted { by, .. } | Fate::Overwritten { by } | Fate::Replaced { by } => Some(by),
        Fate::Superseded => Some(layer),
        Fate::Present | Fate::Hidden => None,
    };
    fate(State::File(fate_of), by, Some(image), room)
}
