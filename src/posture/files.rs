//! What the files of an image tell of how it was made.

use super::leftover::Leftover;
use super::{Notes, named};
use crate::archive::Archive;
use crate::compose::is_socket;
use crate::error::{Code, Problem};
use crate::image::{Image, Kind};
use crate::layer::change::{ChangeKind, FileType};
use crate::layer_scan::{Entry, LayerScan};
use crate::limits::{Effort, Exhausted};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

/// Bytes of a path that are one step.
const STEP: usize = 64;

/// A layer that can be asked, and what of it is worth a look.
#[derive(Clone)]
pub struct Layer<'a> {
    /// Its entries.
    pub scan: &'a LayerScan,
    /// What was found among them.
    pub found: Rc<Found>,
}

/// Entries of one layer that are worth a look, by path.
#[derive(Debug, Default)]
pub struct Found {
    leftovers: Vec<(Leftover, u32)>,
    sockets: Vec<u32>,
    /// Programs that run with the rights of their owner or group.
    pub setuid: Vec<u32>,
    /// The `package.json` of the first package in each `node_modules`, and the length of the path of that directory.
    modules: Vec<(u32, usize)>,
    /// It says which operating system it is.
    system: bool,
    /// It writes what a package manager knows: packages were installed, or came along.
    pub packages: bool,
}

/// The layers of an archive, each looked through once.
pub struct Files<'a> {
    archive: &'a Archive,
    found: HashMap<Option<usize>, Rc<Found>>,
}

impl<'a> Files<'a> {
    /// Nothing is looked at yet.
    pub fn new(archive: &'a Archive) -> Files<'a> {
        Files { archive, found: HashMap::new() }
    }

    /// The layers of an image, as far as they are there.
    pub fn of(&mut self, image: &Image, effort: &mut Effort) -> Result<Vec<Option<Layer<'a>>>, Exhausted> {
        let archive = self.archive;
        let mut layers = Vec::new();
        for layer in &image.layers {
            effort.spend(1)?;
            let whole = image.kind == Kind::FileSystem;
            let blob = if whole { None } else { layer.blob };
            let Some(scan) = blob.map_or(whole.then_some(&archive.members), |blob| archive.layer(blob)) else {
                layers.push(None);
                continue;
            };
            let found = match self.found.get(&blob) {
                Some(found) => found.clone(),
                None => {
                    effort.spend(scan.len())?;
                    self.found.entry(blob).or_insert_with(|| Rc::new(Found::of(scan))).clone()
                }
            };
            layers.push(Some(Layer { scan, found }));
        }
        Ok(layers)
    }
}

impl Found {
    fn of(scan: &LayerScan) -> Found {
        let mut found = Found::default();
        let mut modules: Option<&[u8]> = None;
        for &index in scan.by_path() {
            let (entry, path) = (scan.entry(index), scan.path(index));
            let ChangeKind::Put(kind) = entry.kind else { continue };
            if entry.superseded || kind == FileType::Directory {
                continue;
            }
            if is_socket(path) {
                found.sockets.push(index);
            }
            found.system |= matches!(path, b"etc/os-release" | b"usr/lib/os-release");
            found.packages |= is_database(path);
            if kind != FileType::Regular || entry.size == 0 {
                continue;
            }
            found.leftovers.extend(Leftover::of(path).map(|(kind, _)| (kind, index)));
            if is_setuid(entry) {
                found.setuid.push(index);
            }
            if let Some(dir) = modules_of(path).filter(|dir| Some(*dir) != modules) {
                modules = Some(dir);
                found.modules.push((index, dir.len()));
            }
        }
        found
    }
}

/// A program that runs with its owner's rights, or its group's. (Without the right to execute, the second bit means locking.)
pub fn is_setuid(entry: &Entry) -> bool {
    entry.mode & 0o4000 != 0 && entry.mode & 0o111 != 0 || entry.mode & 0o2010 == 0o2010
}

/// Whether a package manager keeps what it knows here.
fn is_database(path: &[u8]) -> bool {
    let directories: [&[u8]; 4] = [b"var/lib/rpm/", b"usr/lib/sysimage/rpm/", b"var/lib/pacman/local/", b"var/lib/dpkg/status"];
    path.ends_with(b"lib/apk/db/installed") || directories.iter().any(|dir| path.starts_with(dir))
}

/// The outermost `node_modules` above `…/node_modules/…/package.json`.
fn modules_of(path: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"node_modules/";
    let package = path.strip_suffix(b"/package.json")?;
    let at = memchr::memmem::find_iter(package, NAME).find(|at| *at == 0 || package[at - 1] == b'/')?;
    Some(&path[..at + NAME.len() - 1])
}

/// Whether a path that layer `from` puts is there in the end. (Links among the directories above it are not followed.)
pub fn shows(layers: &[Option<Layer>], from: usize, path: &[u8], effort: &mut Effort) -> Result<bool, Exhausted> {
    let mut there = true;
    for layer in layers[from + 1..].iter().flatten() {
        effort.spend(1 + path.len() / STEP)?;
        let scan = layer.scan;
        let gone = || {
            scan.whiteout(path).is_some() || scan.whiteout_above(path).is_some() || scan.opaque_above(path).is_some() || scan.blocks(path)
        };
        there = match scan.put(path).map(|entry| scan.entry(entry).kind) {
            Some(kind) => matches!(kind, ChangeKind::Put(FileType::Regular | FileType::HardLink)),
            None => there && !gone(),
        };
    }
    Ok(there)
}

/// What is to be said of the files.
pub fn notes(image: &Image, layers: &[Option<Layer>], effort: &mut Effort, notes: &mut Notes) -> Result<(), Exhausted> {
    sockets(layers, notes);
    leftovers(layers, effort, notes)?;
    modules(image, layers, effort, notes)
}

/// Whether the lowest layer is an operating system.
pub fn has_system(layers: &[Option<Layer>]) -> bool {
    layers.first().and_then(Option::as_ref).is_some_and(|layer| layer.found.system)
}

/// Layers with what they have, bottom first.
fn present<'a, 'b>(layers: &'b [Option<Layer<'a>>]) -> impl Iterator<Item = (usize, &'b Layer<'a>)> {
    layers.iter().enumerate().filter_map(|(index, layer)| Some((index, layer.as_ref()?)))
}

/// One file where an engine's socket should be, and one compose file that mounts one.
fn sockets(layers: &[Option<Layer>], notes: &mut Notes) {
    let mut say = |layer, scan: &LayerScan, entry, what: &str| {
        let path = scan.path(entry);
        notes.push((Some(layer), Problem::at(Code::DockerSocket, path, format!("{} {what}", named(path)))));
    };
    if let Some((index, layer, entry)) = present(layers).find_map(|(index, layer)| Some((index, layer, *layer.found.sockets.first()?))) {
        let what = "stands where an engine has its socket: the build was given that of its host, or the image expects one; give it an API of its own instead";
        say(index, layer.scan, entry, what);
    }
    let composed = |layer: &Layer| layer.scan.sockets.iter().copied().find(|entry| !layer.scan.entry(*entry).superseded);
    if let Some((index, layer, entry)) = present(layers).find_map(|(index, layer)| Some((index, layer, composed(layer)?))) {
        let what = "mounts an engine's socket: whoever controls that container controls the engine and its host; put a proxy with few rights between them";
        say(index, layer.scan, entry, what);
    }
}

/// A leftover: its path, the first layer that has it, and whether it shows in the end.
struct Left<'a> {
    path: &'a [u8],
    layer: usize,
    shows: bool,
}

fn leftovers(layers: &[Option<Layer>], effort: &mut Effort, notes: &mut Notes) -> Result<(), Exhausted> {
    let mut kinds: BTreeMap<Leftover, Vec<Left>> = BTreeMap::new();
    let mut known: HashMap<(Leftover, &[u8]), usize> = HashMap::new();
    for (index, layer) in present(layers) {
        for (kind, entry) in &layer.found.leftovers {
            effort.spend(1)?;
            let file = layer.scan.path(*entry);
            let Some((_, path)) = Leftover::of(file) else { continue };
            let left = kinds.entry(*kind).or_default();
            let at = *known.entry((*kind, path)).or_insert_with(|| {
                left.push(Left { path, layer: index, shows: false });
                left.len() - 1
            });
            left[at].shows = left[at].shows || shows(layers, index, file, effort)?;
        }
    }
    for (kind, left) in kinds {
        let Some(first) = left.first() else { continue };
        let more = if left.len() > 1 { format!(" and {} more", left.len() - 1) } else { String::new() };
        let state = match left.iter().filter(|left| left.shows).count() {
            0 => "hidden in the final image, and still in its layer".to_owned(),
            all if all == left.len() => "visible in the final image".to_owned(),
            some => format!("{some} of {} visible in the final image", left.len()),
        };
        let message = format!("{} came along ({}{more}, {state}): {}", kind.what(), named(first.path), kind.advice());
        notes.push((Some(first.layer), Problem::at(Code::LeftBehind, first.path, message)));
    }
    Ok(())
}

/// A `node_modules` that a step installed, and a later one copied another over: that of whoever ran the build.
fn modules(image: &Image, layers: &[Option<Layer>], effort: &mut Effort, notes: &mut Notes) -> Result<(), Exhausted> {
    let mut installed: HashSet<&[u8]> = HashSet::new();
    for (index, layer) in present(layers) {
        let word = maker(image, index).map(|instruction| instruction.split(' ').next().unwrap_or_default());
        for (entry, length) in &layer.found.modules {
            effort.spend(1)?;
            let dir = &layer.scan.path(*entry)[..*length];
            match word {
                Some("RUN") => {
                    installed.insert(dir);
                }
                Some("COPY" | "ADD") if installed.contains(dir) => {
                    let message = format!(
                        "a copy of {} from outside came over the one that a step had installed: name node_modules in .dockerignore",
                        named(dir)
                    );
                    notes.push((Some(index), Problem::at(Code::LeftBehind, dir, message)));
                    return Ok(());
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// The instruction that certainly made a layer.
pub fn maker(image: &Image, layer: usize) -> Option<&str> {
    let attribution = &image.layers.get(layer)?.attribution;
    let step = image.steps.get(attribution.steps.clone())?.last()?;
    attribution.certain.then_some(step.instruction.as_str())
}
