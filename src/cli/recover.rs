//! `pentimento recover`: the exact bytes of any version of any file, to standard output or into a directory.

use super::read::{ReadArgs, Reading};
use super::vault::Vault;
use anyhow::{Context, Result, bail};
use pentimento::archive::Archive;
use pentimento::census::Version;
use pentimento::digest::{ContentHasher, Digest};
use pentimento::finding::{Finding, Location, State};
use pentimento::image::Kind;
use pentimento::layer::change::{ChangeKind, FileType};
use pentimento::layer_scan::{LayerScan, Place, Way};
use pentimento::report::FateEntry;
use pentimento::report::fate::{fate, instruction};
use pentimento::report::human::{bytes, fate_words};
use pentimento::scan::{Part, Wanted, take};
use pentimento::text::{exact, sanitise};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Options of `recover`.
#[derive(clap::Args)]
pub struct Args {
    /// The saved image: a file or a directory. A pipe cannot be read twice: save it first
    target: String,
    /// The id of a finding, or the beginning of one (then all places of that secret in that file); or the path of a file
    #[arg(value_name = "FINDING-ID|PATH", required_unless_present_any = ["all", "hidden"], conflicts_with_all = ["all", "hidden"])]
    what: Option<String>,
    /// With a path: the layer whose version of the file it is (from 0; `pentimento history` lists them)
    #[arg(long, value_name = "N")]
    layer: Option<usize>,
    /// With a path that the layer holds more than once: which of them, from 1 (default: the last)
    #[arg(long, value_name = "K", requires = "layer")]
    nth: Option<usize>,
    /// Everything that findings stand in
    #[arg(long, requires = "output")]
    all: bool,
    /// Every file that no longer shows in the final image, whether or not something was found in it
    #[arg(long, requires = "output")]
    hidden: bool,
    /// Write into this directory, which is made or must be empty, with a manifest (`recovered.json`)
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Which image of the archive: a number from 0, a name, or the digest of its config
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Do not redact what is said of the files; their contents are never redacted
    #[arg(long)]
    show_secrets: bool,
    #[command(flatten)]
    read: ReadArgs,
}

/// Something to take out, and what is known of it.
struct Item {
    wanted: Wanted,
    /// Its name in a directory, part by part.
    parts: Vec<Vec<u8>>,
    about: Recovered,
}

/// What `recovered.json` says of one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Recovered {
    /// Its name below the directory.
    file: String,
    /// The findings that stand in it.
    findings: Vec<String>,
    image: Option<usize>,
    layer: Option<usize>,
    diff_id: Option<String>,
    /// In the layer (of what no image refers to: in the archive).
    path: String,
    inner: Vec<String>,
    /// `content`, `xattr`, `name`, `header`, or `document`.
    part: String,
    /// The member of the archive.
    member: String,
    /// Where the content begins in the uncompressed layer, in bytes.
    layer_offset: Option<u64>,
    /// Where it begins in the archive, if nothing around it is packed.
    archive_offset: Option<u64>,
    size: u64,
    mode: Option<String>,
    uid: Option<u64>,
    gid: Option<u64>,
    /// Seconds since 1970.
    mtime: Option<u64>,
    sha256: String,
    /// The bytes are those that the scan saw: by their hash. None where the scan keeps none.
    verified: Option<bool>,
    fate: Option<FateEntry>,
    instruction: Option<String>,
}

/// `recovered.json`.
#[derive(Serialize)]
struct Manifest<'a> {
    warning: &'static str,
    target: &'a str,
    files: Vec<Recovered>,
    /// What could not be taken out.
    missing: Vec<String>,
}

const WARNING: &str = "these files hold secrets in the clear: keep them from others, and delete them when you are done";

/// Takes out what is asked for, and returns the exit code.
pub fn run(args: &Args) -> Result<u8> {
    let reading = Reading::of(&args.read, &args.target, args.show_secrets)?;
    let items = items(args, &reading)?;
    match &args.output {
        Some(dir) => into_directory(args, &reading, items, Vault::open(dir)?),
        None => to_stdout(&reading, items),
    }
}

// ---- what is meant -----------------------------------------------------------------------------------------------------------------

fn items(args: &Args, reading: &Reading) -> Result<Vec<Item>> {
    let listing = Listing { reading, archive: &reading.scanned.archive };
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
    let id = |finding: &Finding| what.len() >= 4 && finding.id.starts_with(what);
    let found = listing.findings(args, id)?;
    match found.is_empty() {
        true => Ok(vec![listing.version(args, what)?]),
        false => Ok(found),
    }
}

struct Listing<'a> {
    reading: &'a Reading,
    archive: &'a Archive,
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
        let fate = Some(fate(finding.state, finding.hidden_by(), image, 4096));
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
                self.item(Wanted { blob, entry, place }, finding.image, *layer, path)
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
            let whole = census
                .entry(*version)
                .is_some_and(|entry| matches!(entry.kind, ChangeKind::Put(_) | ChangeKind::LinkPool) || entry.size > 0);
            whole && args.layer.is_none_or(|layer| layer == version.layer)
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
                bail!("{told} is a symbolic link to {} there", sanitise(&target))
            }
            ChangeKind::Put(FileType::Special) => bail!("{told} is a device, a FIFO or a socket there: it has no content"),
            ChangeKind::Put(FileType::HardLink) if entry.size == 0 && entry.content.is_none() && census.content(chosen) == chosen => {
                bail!("{told} is a hard link to nothing there")
            }
            _ => Ok(self.file(image, &census, chosen)),
        }
    }

    fn hidden(&self, wanted: Option<&str>) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        // Images share layers.
        let mut known = HashSet::new();
        for image in self.reading.images(wanted)? {
            let census = self.reading.census(image);
            let all = census.hidden().map(|(version, ..)| self.file(image, &census, version));
            items.extend(all.filter(|item| known.insert((item.wanted.blob, item.wanted.entry))));
        }
        Ok(items)
    }

    fn file(&self, image: usize, census: &pentimento::census::Census, version: Version) -> Item {
        let content = census.content(version);
        let blob = census.layers[content.layer].and_then(|(blob, _)| blob);
        let wanted = Wanted { blob, entry: content.entry, place: Place::Content };
        let mut item = self.item(wanted, Some(image), Some(version.layer), census.path(version));
        item.about.fate = census.fate(version).map(|fate_of| fate_entry(fate_of, self.reading, image, version.layer));
        item
    }

    fn item(&self, wanted: Wanted, image: Option<usize>, layer: Option<usize>, path: &[u8]) -> Item {
        let (scan, member) = match wanted.blob {
            Some(blob) => (self.archive.layer(blob).unwrap_or(&self.archive.members), self.archive.blobs[blob].member),
            None => (&self.archive.members, wanted.entry),
        };
        let entry = scan.entry(wanted.entry);
        let own = image.map(|index| self.reading.entry(index));
        let brought = own.zip(layer).map(|(image, layer)| instruction(image, layer, 4096));
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
            archive_offset: (is_content
                && !packed
                && self.archive.packing.is_empty()
                && !std::path::Path::new(&self.reading.scanned.target).is_dir())
            .then_some(base + entry.offset),
            size: 0,
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

/// A file's fate as reports tell it.
pub fn fate_entry(fate_of: pentimento::timeline::Fate, reading: &Reading, image: usize, layer: usize) -> FateEntry {
    use pentimento::timeline::Fate;
    let by = match fate_of {
        Fate::Deleted { by, .. } | Fate::Overwritten { by } | Fate::Replaced { by } => Some(by),
        Fate::Superseded => Some(layer),
        Fate::Present | Fate::Hidden => None,
    };
    fate(State::File(fate_of), by, Some(reading.entry(image)), 4096)
}

// ---- taking it out -----------------------------------------------------------------------------------------------------------------

/// Copies a part, and notes what it was.
fn copy(part: Part, about: &mut Recovered, expected: Option<pentimento::digest::ContentHash>, out: &mut dyn Write) -> io::Result<()> {
    if let Some(header) = part.header {
        (about.uid, about.gid) = (header.owner.map(|owner| owner.0), header.owner.map(|owner| owner.1));
        (about.mtime, about.mode) = (header.mtime, Some(format!("{:04o}", header.mode)));
    }
    let (mut sha256, mut same, mut buffer) = (Sha256::new(), ContentHasher::content_only(), vec![0; 64 << 10]);
    loop {
        let n = match part.content.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        sha256.update(&buffer[..n]);
        same.update(&buffer[..n]);
        about.size += n as u64;
        out.write_all(&buffer[..n])?;
    }
    out.flush()?;
    about.sha256 = Digest::of(sha256).encoded();
    about.verified = expected.map(|expected| expected == same.finish());
    Ok(())
}

/// The bytes that the tar says an entry has.
fn size_of_entry(archive: &Archive, wanted: &Wanted) -> u64 {
    wanted.blob.and_then(|blob| archive.layer(blob)).unwrap_or(&archive.members).entry(wanted.entry).size
}

/// The hash that the scan has of what is wanted.
fn expected(archive: &Archive, wanted: &Wanted) -> Option<pentimento::digest::ContentHash> {
    let scan: &LayerScan = wanted.blob.and_then(|blob| archive.layer(blob)).unwrap_or(&archive.members);
    scan.entry(wanted.entry).content.filter(|_| wanted.place == Place::Content)
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn to_stdout(reading: &Reading, items: Vec<Item>) -> Result<u8> {
    let [item] = &items[..] else {
        let list: Vec<String> = items.iter().take(20).map(|item| format!("  {}", sanitise(&told(&item.about)))).collect();
        bail!(
            "that is {} files: write them into a directory with -o, or choose one by its id\n{}",
            items.len(),
            reading.clean(list)?.join("\n")
        );
    };
    let about = Arc::new(Mutex::new(item.about.clone()));
    let (shared, expected) = (about.clone(), expected(&reading.scanned.archive, &item.wanted));
    let to = Box::new(move |part: Part| {
        let mut about = locked(&shared);
        let stdout = io::stdout();
        match stdout.is_terminal() {
            true => copy(part, &mut about, expected, &mut Sanitised(stdout.lock())),
            false => copy(part, &mut about, expected, &mut stdout.lock()),
        }
    });
    let missing = take(
        reading.again("recover")?,
        &reading.scanned.archive,
        std::slice::from_ref(&item.wanted),
        reading.limits(),
        reading.stop(),
        to,
    )?;
    let about = reading.clean(locked(&about).clone())?;
    if !missing.is_empty() {
        bail!("{} could not be read again: has the target changed?", sanitise(&told(&about)));
    }
    if about.verified == Some(false) {
        bail!("these are not the bytes that the scan saw: the target has changed, or its layer is damaged there");
    }
    eprintln!("pentimento: {} (sha256 {})", sanitise(&told(&about)), about.sha256);
    Ok(0)
}

/// What a file is, in a line.
fn told(about: &Recovered) -> String {
    let inner: String = about.inner.iter().map(|step| format!("!{step}")).collect();
    let layer = about.layer.map(|layer| format!(" of layer {layer}")).unwrap_or_default();
    let by = about.instruction.as_ref().map(|text| format!(" ({})", pentimento::text::shorten(text, 80))).unwrap_or_default();
    let fate = about
        .fate
        .as_ref()
        .map(|fate| format!(", {}{}", fate_words(fate), fate.by_layer.map(|by| format!(" by layer {by}")).unwrap_or_default()));
    format!("{}{inner}{layer}{by}, {}{}", about.path, bytes(about.size), fate.unwrap_or_default())
}

/// For a terminal: what could move its cursor is written out.
struct Sanitised<W>(W);

impl<W: Write> Write for Sanitised<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text: Vec<String> = exact(bytes).split('\n').map(sanitise).collect();
        self.0.write_all(text.join("\n").as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What is written so far.
struct Written {
    vault: Vault,
    items: Vec<Item>,
    failed: HashMap<usize, String>,
}

fn into_directory(args: &Args, reading: &Reading, items: Vec<Item>, vault: Vault) -> Result<u8> {
    let wanted: Vec<Wanted> = items.iter().map(|item| item.wanted.clone()).collect();
    let hashes: Vec<_> = wanted.iter().map(|wanted| expected(&reading.scanned.archive, wanted)).collect();
    let written = Arc::new(Mutex::new(Written { vault, items, failed: HashMap::new() }));
    let shared = written.clone();
    let to = Box::new(move |part: Part| {
        let Written { vault, items, failed } = &mut *locked(&shared);
        let (index, item) = (part.index, &mut items[part.index]);
        let (file, name): (File, String) = vault.create(&item.parts)?;
        item.about.file = name;
        let mut damaged = None;
        let mut content = Noting { inner: part.content, failed: &mut damaged };
        let part = Part { content: &mut content, ..part };
        match (copy(part, &mut item.about, hashes[index], &mut BufWriter::new(file)), damaged) {
            // What can be read of a damaged file is kept.
            (Err(_), Some(why)) => drop(failed.insert(index, format!("could be read in part only: {why}"))),
            (result, _) => result?,
        }
        Ok(())
    });
    let missing = take(reading.again("recover")?, &reading.scanned.archive, &wanted, reading.limits(), reading.stop(), to)?;
    let Written { vault, items, failed } = &mut *locked(&written);
    for index in missing {
        failed.insert(index, "could not be read again".to_owned());
    }
    for (index, item) in items.iter().enumerate() {
        let size = size_of_entry(&reading.scanned.archive, &item.wanted);
        let why = match item.about.verified {
            Some(false) => "is not what the scan saw: the target has changed, or its layer is damaged there".to_owned(),
            Some(true) if item.about.size < size => format!("is cut: {} of {size} bytes are there", item.about.size),
            _ => continue,
        };
        failed.entry(index).or_insert(why);
    }
    let mut missing: Vec<(usize, String)> =
        failed.iter().map(|(index, why)| (*index, format!("{} {why}", told(&items[*index].about)))).collect();
    missing.sort();
    let missing: Vec<String> = reading.clean(missing.into_iter().map(|(_, why)| why).collect())?;
    let mut files = Vec::new();
    for about in items.iter().map(|item| &item.about).filter(|about| !about.file.is_empty()) {
        // The name is as it is on the disk.
        files.push(Recovered { file: about.file.clone(), ..reading.clean(about.clone())? });
    }
    let size: u64 = files.iter().map(|file| file.size).sum();
    let count = files.len();
    let manifest = Manifest { warning: WARNING, target: &args.target, files, missing };
    let mut out = BufWriter::new(super::vault::new_file(&vault.root().join("recovered.json"))?);
    serde_json::to_writer_pretty(&mut out, &manifest)?;
    out.write_all(b"\n")?;
    out.flush()?;
    println!("{count} files, {}, in {}: recovered.json says what they are", bytes(size), vault.root().display());
    println!("SECRET: {WARNING}");
    for why in &manifest.missing {
        eprintln!("pentimento: {}", sanitise(why));
    }
    let all = args.all || args.hidden;
    Ok(if manifest.missing.is_empty() && (!all || reading.exit_code() == 0) { 0 } else { 3 })
}

/// Tells an error of what is read from one of where it is written.
struct Noting<'a> {
    inner: &'a mut dyn Read,
    failed: &'a mut Option<String>,
}

impl Read for Noting<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf);
        if let Err(e) = &read
            && e.kind() != io::ErrorKind::Interrupted
        {
            *self.failed = Some(e.to_string());
        }
        read
    }
}
