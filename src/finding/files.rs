//! Findings in files: the matches of all layers, with what became of the files that they are in.

use super::{Finding, Location, MOST, Position, State, finding};
use crate::archive::{Archive, Content};
use crate::census::{Scan, layers, lives_in};
use crate::detect::Match;
use crate::digest::ContentHash;
use crate::error::{Code, Problem};
use crate::image::{Image, Kind};
use crate::layer::change::{ChangeKind, FileType};
use crate::layer_scan::{FileHit, LayerScan, Place, Way};
use crate::limits::{Effort, Exhausted, Limits};
use crate::rules::Confidence;
use crate::secret::Secret;
use crate::timeline::{Fate, Life, Lives};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Visible copies of a file that are named.
const MOST_COPIES: usize = 20;
/// Where in an entry a match is that is not in its content.
const HEADER: &[u8] = b"#header";
const NAME: &[u8] = b"#name";

/// Problems of an image, each with the layer that it is about.
type Problems = Vec<(Option<usize>, Problem)>;

/// The files of an archive that matter for its findings.
pub struct Files<'a> {
    archive: &'a Archive,
    /// By blob, the entries whose lives must be known. What images share is looked at once.
    wanted: HashMap<Option<usize>, Vec<u32>>,
    /// By blob, what the files of a layer hold.
    held: HashMap<Option<usize>, HashSet<Held<'a>>>,
    /// By blob, the hard links to files with matches in the same layer.
    links: HashMap<Option<usize>, HashMap<u32, Vec<u32>>>,
    /// Layers of images that something names: orphans share them, and have nothing to add.
    named: HashSet<usize>,
    /// For laying layers over each other, and for going through their matches.
    laying: Effort<'a>,
    telling: Effort<'static>,
}

impl<'a> Files<'a> {
    /// The files that matter for these images. `stop` ends the work early when it is not 0.
    pub fn new(archive: &'a Archive, images: &[Image], limits: &Limits, stop: &'a AtomicUsize) -> Files<'a> {
        let mut scans: HashMap<Option<usize>, &LayerScan> = HashMap::new();
        for image in images {
            scans.extend(layers(archive, image).into_iter().flatten());
        }
        let all = || scans.values();
        let contents: HashSet<ContentHash> =
            all().flat_map(|scan| scan.hits.iter().filter_map(|hit| scan.entry(hit.entry).content)).collect();
        let targets: HashSet<&[u8]> = all().flat_map(|scan| scan.unbound().map(|link| scan.target(link))).collect();
        let anything =
            all().any(|scan| !scan.hits.is_empty()) || archive.blobs.iter().any(|blob| has_hits(&blob.content)) || !targets.is_empty();
        let wanted = scans.iter().filter(|_| anything).map(|(blob, scan)| {
            let mut hits: HashSet<u32> = scan.hits.iter().map(|hit| hit.entry).collect();
            if blob.is_none() {
                // Files that are archives have their matches within.
                hits.extend(archive.blobs.iter().filter(|blob| has_hits(&blob.content)).map(|blob| blob.member));
            }
            let matters = |(index, entry): &(u32, &crate::layer_scan::Entry)| {
                hits.contains(index)
                    || entry.kind == ChangeKind::Put(FileType::Symlink)
                    || entry.content.is_some_and(|content| contents.contains(&content))
                    || entry.link_to.is_some_and(|file| hits.contains(&file))
                    || !targets.is_empty() && targets.contains(scan.path(*index))
            };
            (*blob, scan.entries().filter(matters).map(|(index, _)| index).collect())
        });
        let named = images.iter().filter(|image| !image.orphan).flat_map(|image| image.layers.iter().filter_map(|layer| layer.blob));
        let held = |scan: &'a LayerScan| scan.hits.iter().map(|hit| (hit.entry, &hit.place, hit.found.rule, &hit.found.secret)).collect();
        let entries = all().map(|scan| scan.len()).sum();
        Files {
            archive,
            wanted: wanted.collect(),
            held: scans.iter().map(|(blob, scan)| (*blob, held(scan))).collect(),
            links: scans.iter().map(|(blob, scan)| (*blob, links_to_matches(scan))).collect(),
            named: named.collect(),
            laying: Effort::new(limits, entries, stop),
            telling: Effort::regardless(limits, entries),
        }
    }

    /// The findings in the layers of one image, and what is odd about its files.
    pub fn in_layers(&mut self, index: usize, image: &Image) -> (Vec<Finding>, Problems) {
        let layers = layers(self.archive, image);
        let lives = lives_in(image, &layers, &self.wanted, &mut self.laying);
        let artifact = matches!(image.kind, Kind::Artifact(_));
        // What an orphan shares with an image that something names is told there.
        let told = if image.orphan { Some(&self.named) } else { None };
        let one =
            OneImage { archive: self.archive, index, artifact, layers: &layers, told, held: &self.held, links: &self.links, lives: &lives };
        let mut problems = broken_links(&layers, &lives);
        let mut findings = Vec::new();
        if one.findings(&mut findings, &mut self.telling).is_err() {
            let message = "so many layers repeat so many matches that not all were gone through (--max-steps): some findings are left out";
            problems.push((None, Problem::new(Code::LimitReached, message)));
        }
        if image.kind == Kind::FileSystem {
            findings.extend(one.nested());
        }
        findings.extend(one.plain_layers(image));
        if let Some(end) = lives.end {
            problems.push((Some(end), self.unfinished()));
            for finding in findings.iter_mut().filter(|f| matches!(f.state, State::File(Fate::Present | Fate::Hidden))) {
                finding.reasons.push("not all layers were laid over each other: what became of it is not known".into());
            }
        }
        (findings, problems)
    }

    /// Why a layer was not laid over the others.
    fn unfinished(&self) -> Problem {
        let (code, why) = if self.laying.is_stopped() {
            (Code::Interrupted, "the scan was stopped")
        } else {
            (Code::LimitReached, "the images of this archive list too much again and again (--max-steps)")
        };
        Problem::new(code, format!("{why}: what this layer and the next did to files is not known"))
    }
}

fn has_hits(content: &Content) -> bool {
    matches!(content, Content::Layer(layer) if !layer.scan.hits.is_empty())
}

/// Links to nothing: engines refuse such a layer.
fn broken_links(layers: &[Option<Scan>], lives: &Lives) -> Problems {
    let mut first: HashMap<usize, (u32, usize)> = HashMap::new();
    for (layer, entry) in &lives.broken {
        first.entry(*layer).or_insert((*entry, 0)).1 += 1;
    }
    let mut problems: Vec<_> = first
        .into_iter()
        .filter_map(|(layer, (entry, count))| {
            let (_, scan) = layers[layer]?;
            let message = format!("{count} hard links lead to nothing, this one first: engines refuse such a layer");
            Some((Some(layer), Problem::at(Code::BrokenHardLink, scan.path(entry), message)))
        })
        .collect();
    problems.sort_by_key(|(layer, _)| *layer);
    problems
}

/// Visible paths by content.
type Copies = HashMap<ContentHash, BTreeSet<Arc<[u8]>>>;

/// Where a version of a secret leads: a file may be overwritten ten thousand times, and each version holds it.
type Followed<'a> = HashMap<((usize, u32), &'a Place, usize, &'a Secret), (Fate, Option<&'static str>)>;

/// One image, on the way to its findings.
struct OneImage<'a> {
    archive: &'a Archive,
    index: usize,
    artifact: bool,
    layers: &'a [Option<Scan<'a>>],
    /// Blobs whose findings are told elsewhere.
    told: Option<&'a HashSet<usize>>,
    /// See [`Files`].
    held: &'a HashMap<Option<usize>, HashSet<Held<'a>>>,
    links: &'a HashMap<Option<usize>, HashMap<u32, Vec<u32>>>,
    lives: &'a Lives,
}

/// A file, a place in it, and the secret there with its rule.
type Held<'a> = (u32, &'a Place, usize, &'a Secret);

impl OneImage<'_> {
    fn findings(&self, findings: &mut Vec<Finding>, effort: &mut Effort) -> Result<(), Exhausted> {
        let copies = self.copies();
        let lower = self.names_in_other_layers();
        // Versions of files that are rewrites of an earlier one: they are told there.
        let mut rewrites: HashSet<(usize, u32, usize, &Secret)> = HashSet::new();
        let mut paths: HashMap<(usize, u32), Arc<[u8]>> = HashMap::new();
        let mut followed = Followed::new();
        for (home, (blob, scan)) in self.layers.iter().enumerate().filter_map(|(layer, scan)| Some((layer, (*scan)?))) {
            if blob.is_some_and(|blob| self.told.is_some_and(|told| told.contains(&blob))) {
                continue;
            }
            let same = self.links.get(&blob);
            let mut said: HashSet<(usize, u32, &Place, usize, &Secret)> = HashSet::new();
            for hit in surest_first(&scan.hits) {
                let (rule, secret) = (hit.found.rule, &hit.found.secret);
                let in_content = hit.place.in_content();
                let public: Option<Arc<str>> = self.archive.publisher(scan, hit).map(Arc::from);
                let links = same.and_then(|same| same.get(&hit.entry)).into_iter().flatten().map(|entry| (home, *entry));
                let lower = lower.get(&(home, hit.entry)).into_iter().flatten().copied();
                let others = links.chain(lower).filter(|_| in_content);
                for (layer, entry) in [(home, hit.entry)].into_iter().chain(others) {
                    effort.spend(1)?;
                    if findings.len() >= MOST {
                        return Ok(());
                    }
                    if !said.insert((layer, entry, &hit.place, rule, secret))
                        || in_content && rewrites.contains(&(layer, entry, rule, secret))
                    {
                        continue;
                    }
                    let Some((_, scan)) = self.layers[layer] else { continue };
                    let path = paths.entry((layer, entry)).or_insert_with(|| scan.path(entry).into()).clone();
                    let life = self.life(layer, entry, hit, &mut followed);
                    for later in &life.rewritten_in {
                        rewrites
                            .extend(self.layers[*later].and_then(|(_, scan)| scan.put(&path)).map(|entry| (*later, entry, rule, secret)));
                    }
                    let location = place(hit, Some(layer), blob, hit.entry, path.clone());
                    let mut finding = finding(&hit.found, Some(self.index), location, State::File(life.fate));
                    finding.also_visible = visible_copies(&copies, scan.entry(entry).content.filter(|_| in_content), &path);
                    finding.rewritten_in = life.rewritten_in;
                    finding.engine_dependent = life.engine_dependent;
                    finding.public = public.clone();
                    findings.push(finding);
                }
            }
        }
        Ok(())
    }

    /// What became of the place of a match in this entry.
    fn life<'a>(&'a self, layer: usize, entry: u32, hit: &'a FileHit, followed: &mut Followed<'a>) -> Life {
        let hidden = Life { fate: Fate::Hidden, rewritten_in: Vec::new(), engine_dependent: None };
        let Some(life) = self.lives.of.get(&(layer, entry)) else { return hidden };
        match (&hit.place, life.fate) {
            (Place::Header, _) => hidden,
            (Place::Name, _) => life.clone(),
            // An attribute does not follow the content: it is where it is until the path is written again.
            (Place::Xattr(_), _) => self.follow(life.without_rewrites(), (layer, entry), hit, followed),
            // The file that an artifact's blob is.
            (Place::Content | Place::Inner(_), Fate::Hidden)
                if self.artifact && self.layers[layer].is_some_and(|(_, scan)| scan.path(entry).is_empty()) =>
            {
                Life { fate: Fate::Present, ..hidden }
            }
            (Place::Content | Place::Inner(_), _) => self.follow(life.clone(), (layer, entry), hit, followed),
        }
    }

    /// A secret outlives its file's version where the version that overwrote it holds it too: its fate is the last one's.
    fn follow<'a>(&'a self, mut life: Life, at: (usize, u32), hit: &'a FileHit, followed: &mut Followed<'a>) -> Life {
        let Some((_, home)) = self.layers[at.0] else { return life };
        let path = home.path(at.1);
        let mut way = Vec::new();
        let mut now = at;
        while let Fate::Overwritten { by } = life.fate {
            let key = (now, &hit.place, hit.found.rule, &hit.found.secret);
            if let Some((fate, doubt)) = followed.get(&key) {
                (life.fate, life.engine_dependent) = (*fate, life.engine_dependent.or(*doubt));
                break;
            }
            let Some((blob, scan)) = self.layers[by] else { break };
            let holds = |entry: &u32| {
                let file = scan.entry(*entry).link_to.unwrap_or(*entry);
                self.held[&blob].contains(&(file, &hit.place, hit.found.rule, &hit.found.secret))
            };
            let Some(next) = scan.put(path).filter(holds) else { break };
            let Some(next_life) = self.lives.of.get(&(by, next)) else { break };
            way.push(key);
            now = (by, next);
            let next_life = if hit.place.in_content() { next_life.clone() } else { next_life.without_rewrites() };
            life.fate = next_life.fate;
            life.engine_dependent = life.engine_dependent.or(next_life.engine_dependent);
        }
        followed.extend(way.into_iter().map(|key| (key, (life.fate, life.engine_dependent))));
        life
    }

    /// Visible paths by content.
    fn copies(&self) -> Copies {
        let mut copies = Copies::new();
        let lower = |layer, entry| self.lives.bound.get(&(layer, entry)).copied();
        for ((layer, entry), _) in self.lives.of.iter().filter(|(_, life)| life.fate == Fate::Present) {
            let Some((_, scan)) = self.layers[*layer] else { continue };
            let (file_layer, file) = lower(*layer, *entry).unwrap_or((*layer, *entry));
            let content = self.layers[file_layer].and_then(|(_, scan)| scan.entry(file).content);
            if let Some(content) = content.filter(|_| scan.entry(*entry).kind != ChangeKind::Put(FileType::Symlink)) {
                copies.entry(content).or_default().insert(scan.path(*entry).into());
            }
        }
        copies
    }

    /// Per file, the hard links to it in higher layers.
    fn names_in_other_layers(&self) -> HashMap<(usize, u32), Vec<(usize, u32)>> {
        let mut names: HashMap<(usize, u32), Vec<(usize, u32)>> = HashMap::new();
        for (link, file) in &self.lives.bound {
            names.entry(*file).or_default().push(*link);
        }
        names
    }

    /// Of a file system: the matches within its files that are archives or packed.
    fn nested(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (index, blob) in self.archive.blobs.iter().enumerate() {
            let Content::Layer(layer) = &blob.content else { continue };
            let path: Arc<[u8]> = self.archive.members.path(blob.member).into();
            let mut said = HashSet::new();
            for hit in surest_first(&layer.scan.hits).filter(|hit| said.insert((hit.entry, &hit.place, hit.found.rule, &hit.found.secret)))
            {
                let state = State::File(self.lives.of.get(&(0, blob.member)).map_or(Fate::Hidden, |life| life.fate));
                let member = Some(layer.scan.path(hit.entry)).filter(|member| !member.is_empty());
                let mut location = place(hit, Some(0), Some(index), hit.entry, path.clone());
                if let Location::File { inner, .. } = &mut location {
                    *inner = member.map(Box::from).into_iter().chain(inner.iter().cloned()).collect();
                }
                findings.push(finding(&hit.found, Some(self.index), location, state));
            }
        }
        findings
    }

    /// Layers that are no tars and not packed: their matches are among those of the archive's members.
    fn plain_layers(&self, image: &Image) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (layer, blob) in image.layers.iter().enumerate().filter_map(|(index, layer)| Some((index, layer.blob?))) {
            if !matches!(self.archive.blobs[blob].content, Content::File) || self.told.is_some_and(|told| told.contains(&blob)) {
                continue;
            }
            let member = self.archive.blobs[blob].member;
            if findings.len() > MOST {
                break;
            }
            for hit in self.archive.members.hits_of(member).filter(|hit| hit.place.in_content()) {
                let fate = if self.artifact { Fate::Present } else { Fate::Hidden };
                let mut location = place(hit, Some(layer), None, member, Arc::from(self.archive.members.path(member)));
                if let Location::File { blob: of, .. } = &mut location {
                    *of = Some(blob);
                }
                findings.push(finding(&hit.found, Some(self.index), location, State::File(fate)));
            }
        }
        findings
    }
}

/// A value that stands in a file more than once is told once: where it is surest. By place among equals.
pub fn surest_first(hits: &[FileHit]) -> impl Iterator<Item = &FileHit> {
    let kind = |hit: &FileHit| (hit.found.confidence == Confidence::Low, hit.found.is_allowed());
    let kinds = [(false, false), (false, true), (true, false), (true, true)];
    kinds.into_iter().flat_map(move |wanted| hits.iter().filter(move |hit| kind(hit) == wanted))
}

/// Per file with matches, the hard links to it in its layer.
fn links_to_matches(scan: &LayerScan) -> HashMap<u32, Vec<u32>> {
    let wanted: HashSet<u32> = scan.hits.iter().map(|hit| hit.entry).collect();
    let mut names: HashMap<u32, Vec<u32>> = HashMap::new();
    if !wanted.is_empty() {
        for (index, entry) in scan.entries() {
            if let Some(target) = entry.link_to.filter(|target| wanted.contains(target)) {
                names.entry(target).or_default().push(index);
            }
        }
    }
    names
}

fn visible_copies(copies: &Copies, content: Option<ContentHash>, own: &[u8]) -> Vec<Arc<[u8]>> {
    let paths = content.and_then(|content| copies.get(&content));
    paths.into_iter().flatten().filter(|path| ***path != *own).take(MOST_COPIES).cloned().collect()
}

/// The location of a match in a file.
pub fn place(hit: &FileHit, layer: Option<usize>, blob: Option<usize>, entry: u32, path: Arc<[u8]>) -> Location {
    let (xattr, inner) = match &hit.place {
        Place::Content => (None, Way::from([])),
        Place::Inner(way) => (None, way.clone()),
        Place::Xattr(name) => (Some(name.clone()), Way::from([])),
        Place::Header => (None, Way::from([Box::from(HEADER)])),
        Place::Name => (None, Way::from([Box::from(NAME)])),
    };
    Location::File { layer, blob, entry, path, inner, xattr, at: position(&hit.found) }
}

/// Where in its text a match is.
pub fn position(found: &Match) -> Position {
    Position { line: found.line, column: found.column, offset: found.offset }
}
