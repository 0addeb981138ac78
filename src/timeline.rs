//! The whiteout rules: what became of a path after the layer that wrote it (formats.md, part 9).
//!
//! A fate is a function of the later layers' scans alone. [`lives`] lays the layers over each other, base first, and keeps only the
//! files that somebody asks for: those of a layer's entries that touch none of them, or those of them that no entry touches, cost
//! nothing.

use crate::digest::ContentHash;
use crate::layer::change::{ChangeKind, FileType};
use crate::layer::path::{Key, common, is_below, join, link_target};
use crate::layer_scan::LayerScan;
use crate::limits::{Effort, Exhausted};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

/// How a path was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By a whiteout of its own.
    Whiteout,
    /// By a whiteout of a directory above it.
    ParentRemoved,
    /// By an opaque marker in a directory above it.
    Opaque,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Visible in the final image.
    Present,
    /// Removed by layer `by`.
    Deleted {
        /// Index of the layer that removed it.
        by: usize,
        /// In which way.
        how: How,
    },
    /// Layer `by` wrote other content to the same path.
    Overwritten {
        /// Index of the layer that overwrote it.
        by: usize,
    },
    /// In layer `by` something of another type took the path, or a parent's.
    Replaced {
        /// Index of the layer that replaced it.
        by: usize,
    },
    /// A later entry of the same layer took its place.
    Superseded,
    /// In the layer's bytes, and never a part of the file system.
    Hidden,
}

/// The life of one version of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// What became of it.
    pub fate: Fate,
    /// Layers that wrote the same content again (chmod, chown, touch). Of a version that is such a rewrite itself, only the next one.
    pub rewritten_in: Vec<usize>,
    /// Why engines disagree about the fate, if they do.
    pub engine_dependent: Option<&'static str>,
}

impl Life {
    /// The life of what does not come along when the same content is written again, such as an extended attribute.
    pub fn without_rewrites(&self) -> Life {
        match self.rewritten_in.first() {
            Some(&by) => Life { fate: Fate::Overwritten { by }, rewritten_in: Vec::new(), ..self.clone() },
            None => self.clone(),
        }
    }
}

/// The lives of the entries that were asked for, and of links to them.
#[derive(Debug, Default)]
pub struct Lives {
    /// By layer and entry.
    pub of: HashMap<(usize, u32), Life>,
    /// Hard links to files of lower layers, and these files: layer and entry of both.
    pub bound: BTreeMap<(usize, u32), (usize, u32)>,
    /// Hard links to nothing.
    pub broken: Vec<(usize, u32)>,
    /// The first layer that was not laid over the others, for want of effort.
    pub end: Option<usize>,
}

/// Steps for a file that comes into the view.
const BIRTH: usize = 10;
/// Bytes of a path that are one step.
const STEP: usize = 64;

const BY_DEVICE: &str = "an overlayfs character device stands for the deletion: engines without overlayfs do not read it so";
const BY_XATTR: &str = "an overlayfs attribute makes the directory opaque: engines without overlayfs do not read it so";
const IN_ROOT: &str = "an opaque marker in the root directory: overlay engines ignore it";
const REAPPEARS: &str = "the directory was whited out and made again in one layer: in overlay engines the old files reappear";
const TWICE: &str = "the layer holds this path more than once: docker and podman refuse such a layer";
const BOTH: &str = "one layer holds both the file and its whiteout: engines refuse it or differ";
const POOL: &str = "a file of AUFS' link pool: docker, containerd and umoci show it, podman's vfs does not";
const THROUGH: &str = "a later layer writes through a symbolic link of a lower one: engines without overlayfs change this file";
const BELOW_LINK: &str = "its directory is a symbolic link too: engines without overlayfs put it where the link leads";
const MARKER_BELOW: &str = "a later layer has a whiteout below this file: overlay engines make it a directory";
const LOWER_LINK: &str = "a hard link to a file of a lower layer: docker, containerd and podman's overlay refuse it";

/// A path of the view so far that is of interest. There may be a million symbolic links, and there are few files.
enum Node<'a> {
    /// A symbolic link: where it leads, and its layer and entry if there is a match in its name.
    Link(&'a [u8], Option<(usize, u32)>),
    File(Box<Alive>),
}

/// A file of the view so far.
struct Alive {
    /// Layer and entry of the versions with this content, the first one first; the others are rewrites.
    versions: Vec<(usize, u32)>,
    rewritten_in: Vec<usize>,
    content: Option<ContentHash>,
    doubt: Cell<Option<&'static str>>,
}

impl<'a> Node<'a> {
    fn file(&self) -> Option<&Alive> {
        if let Node::File(alive) = self { Some(alive) } else { None }
    }

    fn link(&self) -> Option<&'a [u8]> {
        if let Node::Link(target, _) = self { Some(target) } else { None }
    }
}

type View<'a> = BTreeMap<Key<'a>, Node<'a>>;

/// The lives of the entries `wanted` (by layer) in an image of `layers` (base first; `None` where a layer could not be read). Symbolic
/// links and what hard links of higher layers lead to must be among them: without these, nothing is known of files that are reached
/// through them.
pub fn lives(layers: &[Option<&LayerScan>], wanted: &[impl AsRef<[u32]>], effort: &mut Effort) -> Lives {
    let mut lives = Lives::default();
    let mut view = View::new();
    for (by, (layer, wanted)) in layers.iter().zip(wanted).enumerate() {
        let Some(layer) = layer else { continue };
        if lay(layer, by, wanted.as_ref(), &mut view, &mut lives, effort).is_err() {
            lives.end = Some(by);
            break;
        }
    }
    for (_, node) in view {
        end(node, Fate::Present, &mut lives);
    }
    lives
}

/// Lays one layer over the view.
fn lay<'a>(
    layer: &'a LayerScan,
    by: usize,
    wanted: &[u32],
    view: &mut View<'a>,
    lives: &mut Lives,
    effort: &mut Effort,
) -> Result<(), Exhausted> {
    effort.spend(1)?;
    let bound = bind(layer, by, view, lives, effort)?;
    let touched = touched(layer, view, effort)?;
    let through = write_through(layer, &touched, view, effort)?;
    for key in touched {
        effort.spend(1 + key.0.len() / STEP)?;
        change(layer, by, key, view, lives);
    }
    for &entry in wanted {
        born(layer, by, entry, view, lives, effort)?;
    }
    for link in bound {
        born(layer, by, link, view, lives, effort)?;
        if let Some(alive) = view.get(&Key(layer.path(link))).and_then(Node::file) {
            alive.doubt.set(Some(LOWER_LINK));
        }
    }
    for path in through {
        if let Some(alive) = view.get(&Key(path)).and_then(Node::file) {
            alive.doubt.set(alive.doubt.get().or(Some(BELOW_LINK)));
        }
    }
    Ok(())
}

/// Binds the hard links of `layer` whose files are in the view. What a link leads to is always asked for, so that what is not in the
/// view does not exist.
fn bind(layer: &LayerScan, by: usize, view: &View, lives: &mut Lives, effort: &mut Effort) -> Result<Vec<u32>, Exhausted> {
    let mut bound = Vec::new();
    for link in layer.unbound() {
        effort.spend(BIRTH)?;
        let target = layer.target(link);
        let real = real_path(view, target);
        let alive = view.get(&Key(target)).or_else(|| view.get(&Key(real.as_deref()?)));
        match alive {
            Some(Node::File(alive)) => {
                let first = alive.versions[0];
                // A link to a link leads where that one led.
                let file = lives.bound.get(&first).copied().unwrap_or(first);
                lives.bound.insert((by, link), file);
                bound.push(link);
            }
            // A symbolic link may have a second name: it has no content.
            Some(Node::Link(..)) => {}
            // What stands behind a symbolic link was perhaps not asked for.
            None if real.is_some() => {}
            None => lives.broken.push((by, link)),
        }
    }
    Ok(bound)
}

/// The files of the view that `layer` may change: those that its entries name, or all, whichever are fewer.
fn touched<'a>(layer: &'a LayerScan, view: &View<'a>, effort: &mut Effort) -> Result<Vec<Key<'a>>, Exhausted> {
    effort.spend(view.len().min(layer.len()))?;
    if view.len() <= layer.len() {
        return Ok(view.keys().copied().collect());
    }
    let mut touched = Vec::new();
    // Of nested directories, the outermost tells all.
    let mut covered: Option<&[u8]> = None;
    for &entry in layer.by_path() {
        let (path, kind) = (layer.path(entry), layer.entry(entry).kind);
        touched.extend(above(view, path));
        touched.extend(view.get_key_value(&Key(path)).map(|(key, _)| *key));
        if kind != ChangeKind::Put(FileType::Directory) && !covered.is_some_and(|dir| dir == path || is_below(path, dir)) {
            let below = view.range((Bound::Excluded(Key(path)), Bound::Unbounded)).map(|(key, _)| *key);
            touched.extend(below.take_while(|key| is_below(key.0, path)));
            covered = Some(path);
        }
    }
    touched.sort_unstable();
    touched.dedup();
    Ok(touched)
}

/// The files of the view whose path is above `path`: no directories, so there is hardly ever one.
fn above<'a>(view: &View<'a>, path: &'a [u8]) -> Vec<Key<'a>> {
    let mut found = Vec::new();
    let mut end = path;
    let mut bound = Bound::Excluded(Key(path));
    while let Some((key, _)) = view.range((Bound::Unbounded, bound)).next_back() {
        if is_below(path, key.0) {
            found.push(*key);
            end = &path[..key.0.len()];
            bound = Bound::Excluded(Key(end));
        } else {
            let shared = &path[..common(key.0, end).len()];
            if shared.is_empty() {
                break;
            }
            end = shared;
            bound = Bound::Included(Key(shared));
        }
    }
    found
}

/// Where a path leads whose directory, or one above it, is a symbolic link of the view.
fn real_path(view: &View, path: &[u8]) -> Option<Vec<u8>> {
    let mut real: Option<Vec<u8>> = None;
    for _ in 0..8 {
        let now = real.as_deref().unwrap_or(path);
        let Some((link, target)) = above(view, now).iter().find_map(|key| Some((key.0, view.get(key)?.link()?))) else { break };
        let next = join(&link_target(link, target), &now[link.len() + 1..]);
        real = Some(next);
    }
    real
}

/// Symbolic links of the view under which `layer` has entries: engines without overlayfs write where they lead. Marks what is there,
/// and returns the paths that the layer puts.
fn write_through<'a>(layer: &'a LayerScan, touched: &[Key<'a>], view: &View<'a>, effort: &mut Effort) -> Result<Vec<&'a [u8]>, Exhausted> {
    let mut puts = Vec::new();
    for link in touched {
        if view.get(link).is_none_or(|node| node.link().is_none()) || layer.put(link.0).is_some() {
            continue;
        }
        for path in layer.below(link.0).map(|entry| layer.path(entry)) {
            effort.spend(1 + path.len() / STEP)?;
            let real = real_path(view, path);
            if let Some(alive) = real.as_ref().and_then(|real| view.get(&Key(real))?.file()) {
                alive.doubt.set(Some(THROUGH));
            }
            puts.push(path);
        }
    }
    Ok(puts)
}

/// What `layer` does to one file of the view.
fn change<'a>(layer: &LayerScan, by: usize, key: Key<'a>, view: &mut View<'a>, lives: &mut Lives) {
    let step = match view.get_mut(&key) {
        None => return,
        Some(Node::Link(..)) => step(layer, by, key.0, None, &mut None),
        Some(Node::File(alive)) => {
            let step = step(layer, by, key.0, alive.content, alive.doubt.get_mut());
            if matches!(step, Step::Rewritten) {
                alive.rewritten_in.push(by);
            }
            step
        }
    };
    if let Step::Ended(fate) = step
        && let Some(node) = view.remove(&key)
    {
        end(node, fate, lives);
    }
}

/// Adds an entry of `layer` to the view.
fn born<'a>(
    layer: &'a LayerScan,
    by: usize,
    entry: u32,
    view: &mut View<'a>,
    lives: &mut Lives,
    effort: &mut Effort,
) -> Result<(), Exhausted> {
    let (path, record) = (layer.path(entry), layer.entry(entry));
    effort.spend(path.len() / STEP + if record.kind == ChangeKind::Put(FileType::Symlink) { 1 } else { BIRTH })?;
    let never = match record.kind {
        ChangeKind::Put(_) if record.superseded => Some((Fate::Superseded, Some(TWICE))),
        ChangeKind::Put(_) => None,
        ChangeKind::LinkPool => Some((Fate::Hidden, Some(POOL))),
        _ => Some((Fate::Hidden, None)),
    };
    if let Some((fate, engine_dependent)) = never {
        lives.of.insert((by, entry), Life { fate, rewritten_in: Vec::new(), engine_dependent });
        return Ok(());
    }
    effort.spend(layer.at(path).len())?;
    let doubt = layer.whited_out_later(path, entry).then_some(BOTH).or(layer.links_above(path).then_some(BELOW_LINK));
    if record.kind == ChangeKind::Put(FileType::Symlink) {
        let told = layer.hits_of(entry).next().map(|_| (by, entry));
        view.insert(Key(path), Node::Link(layer.target(entry), told));
    } else if let Some(Node::File(alive)) = view.get_mut(&Key(path)) {
        // The rewrite of a file that is there already.
        alive.versions.push((by, entry));
        alive.doubt.set(alive.doubt.get().or(doubt));
    } else {
        let (versions, content, doubt) = (vec![(by, entry)], record.content, Cell::new(doubt));
        view.insert(Key(path), Node::File(Box::new(Alive { versions, rewritten_in: Vec::new(), content, doubt })));
    }
    Ok(())
}

/// The end of a file: the lives of all its versions.
fn end(node: Node, fate: Fate, lives: &mut Lives) {
    let alive = match node {
        Node::File(alive) => alive,
        Node::Link(_, told) => {
            lives.of.extend(told.map(|link| (link, Life { fate, rewritten_in: Vec::new(), engine_dependent: None })));
            return;
        }
    };
    let Alive { versions, rewritten_in, doubt, .. } = *alive;
    let doubt = doubt.get();
    for &(layer, entry) in &versions[1..] {
        let next = rewritten_in.partition_point(|rewrite| *rewrite <= layer);
        let rewritten_in = rewritten_in.get(next).copied().into_iter().collect();
        lives.of.insert((layer, entry), Life { fate, rewritten_in, engine_dependent: doubt });
    }
    lives.of.insert(versions[0], Life { fate, rewritten_in, engine_dependent: doubt });
}

/// The fate of a symbolic link at `path` below the `later` layers: [`lives`] knows of few.
pub fn life_of_link<'a>(later: impl Iterator<Item = (usize, &'a LayerScan)>, path: &[u8]) -> Fate {
    let mut steps = later.map(|(by, layer)| step(layer, by, path, None, &mut None));
    steps.find_map(|step| if let Step::Ended(fate) = step { Some(fate) } else { None }).unwrap_or(Fate::Present)
}

/// What one later layer does to a living file.
enum Step {
    Untouched,
    Rewritten,
    Ended(Fate),
}

fn step(layer: &LayerScan, by: usize, path: &[u8], content: Option<ContentHash>, doubt: &mut Option<&'static str>) -> Step {
    let put = layer.put(path).map(|entry| layer.entry(entry));
    if put.is_some_and(|new| content.is_some() && new.content == content) {
        // Also where the layer removed the old file first: whoever looks sees the same bytes.
        return Step::Rewritten;
    }
    if let Some((dir, form)) = layer.opaque_above(path) {
        if form == ChangeKind::OverlayOpaque {
            *doubt = Some(BY_XATTR);
        } else if dir.is_empty() {
            *doubt = Some(IN_ROOT);
        }
        return Step::Ended(Fate::Deleted { by, how: How::Opaque });
    }
    if let Some(form) = layer.whiteout(path) {
        if form == ChangeKind::OverlayWhiteout {
            *doubt = Some(BY_DEVICE);
        }
        return Step::Ended(Fate::Deleted { by, how: How::Whiteout });
    }
    if let Some((parent, form)) = layer.whiteout_above(path) {
        if form == ChangeKind::OverlayWhiteout {
            *doubt = Some(BY_DEVICE);
        } else if layer.put(parent).is_some() || layer.puts_below(parent) {
            *doubt = Some(REAPPEARS);
        }
        return Step::Ended(Fate::Deleted { by, how: How::ParentRemoved });
    }
    if layer.blocks(path) || layer.puts_below(path) {
        return Step::Ended(Fate::Replaced { by });
    }
    if put.is_none() && layer.below(path).next().is_some() {
        *doubt = Some(MARKER_BELOW);
    }
    match put {
        None => Step::Untouched,
        Some(new) if matches!(new.kind, ChangeKind::Put(FileType::Regular | FileType::HardLink)) => Step::Ended(Fate::Overwritten { by }),
        Some(_) => Step::Ended(Fate::Replaced { by }),
    }
}
