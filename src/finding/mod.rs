//! Findings: the matches of all layers and documents, joined with the images they belong to.

mod known;

use crate::archive::{Archive, Content};
use crate::detect::{Detector, Match, Medium, Reason, Text};
use crate::digest::ContentHash;
use crate::image::metadata::{self, Kind};
use crate::image::{Image, Images};
use crate::layer::change::ChangeKind;
use crate::layer_scan::{FileHit, LayerScan, Place};
use crate::rules::{Confidence, RuleSet};
use crate::secret::Secret;
use crate::timeline::{Fate, Life, life, life as life_of};
use known::KnownValues;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A secret at one place of one image.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Stable over rebuilds and tags: of rule, secret and place.
    pub id: String,
    /// The same for the same value within one report.
    pub group: usize,
    /// Index of the image; none for what no image refers to.
    pub image: Option<usize>,
    /// Index of the rule.
    pub rule: usize,
    /// The value.
    pub secret: Secret,
    /// How sure it is.
    pub confidence: Confidence,
    /// What raised or lowered the confidence.
    pub reasons: Vec<Reason>,
    /// Where it is.
    pub location: Location,
    /// What became of it.
    pub state: State,
    /// Layers that wrote the same content again.
    pub rewritten_in: Vec<usize>,
    /// Visible paths of the final image with the same content.
    pub also_visible: Vec<Vec<u8>>,
    /// Why engines disagree about the fate.
    pub engine_dependent: Option<&'static str>,
}

/// Where a finding is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In a file of a layer.
    File {
        /// Index of the layer in the image.
        layer: Option<usize>,
        /// The blob.
        blob: usize,
        /// The entry in the blob's scan.
        entry: u32,
        /// The path.
        path: Vec<u8>,
        /// The extended attribute whose value it is in.
        xattr: Option<String>,
        /// Line, column and offset.
        at: Position,
    },
    /// In a document.
    Metadata {
        /// Which part of it.
        kind: Kind,
        /// The blob.
        blob: usize,
        /// JSON pointer.
        pointer: String,
        /// The step of the history.
        step: Option<usize>,
        /// What it is called.
        name: String,
        /// Line, column and offset in the text there.
        at: Position,
    },
}

/// A position in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// 1-based.
    pub line: u64,
    /// 1-based, in bytes.
    pub column: u64,
    /// In bytes from the start.
    pub offset: u64,
}

/// What became of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A file's fate.
    File(Fate),
    /// Metadata, visible to whoever can pull the image.
    Config {
        /// A later step overrode it.
        historic: bool,
    },
}

impl Finding {
    /// Visible to whoever runs the image: the file itself, or a copy of it.
    pub fn is_present(&self) -> bool {
        matches!(self.state, State::File(Fate::Present) | State::Config { historic: false }) || !self.also_visible.is_empty()
    }

    /// Hidden in one engine and visible in another.
    pub fn is_doubtful(&self) -> bool {
        matches!(self.state, State::File(Fate::Deleted { .. })) && self.engine_dependent.is_some()
    }

    /// The layer that hid it.
    pub fn hidden_by(&self) -> Option<usize> {
        match (self.state, &self.location) {
            (State::File(Fate::Deleted { by, .. } | Fate::Overwritten { by } | Fate::Replaced { by }), _) => Some(by),
            (State::File(Fate::Superseded), Location::File { layer, .. }) => *layer,
            _ => None,
        }
    }
}

/// All findings, of every confidence, in a stable order.
pub fn assemble(archive: &Archive, images: &Images, detector: &Detector) -> Vec<Finding> {
    let rules = detector.rules();
    let mut findings = Vec::new();
    for (index, image) in images.images.iter().enumerate() {
        let from = findings.len();
        findings.extend(in_layers(archive, index, image));
        let values = KnownValues::of(&findings[from..]);
        let texts = metadata::of_image(archive, image);
        findings.extend(in_texts(texts, Some(index), detector, &mut Seen::default(), &values));
    }
    findings.extend(unreferenced(archive, images, detector, &findings));
    sort(&mut findings, rules);
    identify(&mut findings, rules);
    findings
}

// ---- layers ------------------------------------------------------------------------------------------------------------------------

fn in_layers(archive: &Archive, index: usize, image: &Image) -> Vec<Finding> {
    let scans: Vec<Option<&LayerScan>> = image.layers.iter().map(|l| archive.layer(l.blob?)).collect();
    let copies = copies(&scans);
    let mut findings = Vec::new();
    // Versions of files that are rewrites of an earlier one: they are told there.
    let mut rewrites: HashSet<(usize, Vec<u8>, usize, Secret)> = HashSet::new();
    for (layer, scan) in scans.iter().enumerate() {
        let Some(scan) = scan else { continue };
        let names = other_names(scan);
        let mut lives: HashMap<(u32, bool), Life> = HashMap::new();
        let mut said: HashSet<(u32, &Place, usize, &Secret)> = HashSet::new();
        for hit in &scan.hits {
            for entry in [hit.entry].into_iter().chain(names.get(&hit.entry).into_iter().flatten().copied()) {
                let path = scan.path(entry);
                if !said.insert((entry, &hit.place, hit.found.rule, &hit.found.secret)) {
                    continue;
                }
                let in_content = hit.place == Place::Content;
                let told = |layer| (layer, path.to_vec(), hit.found.rule, hit.found.secret.clone());
                if in_content && scan.put(path) == Some(entry) && rewrites.contains(&told(layer)) {
                    continue;
                }
                // An attribute does not follow the content: it is where it is until the path is written again.
                let life = lives.entry((entry, in_content)).or_insert_with(|| life(&scans, layer, entry, in_content)).clone();
                let life = follow(&scans, life, path, hit);
                rewrites.extend(life.rewritten_in.iter().map(|later| told(*later)));
                let blob = image.layers[layer].blob.unwrap_or_default();
                let mut finding = file_finding(scan, hit, entry, (Some(index), Some(layer), blob));
                finding.state = State::File(life.fate);
                finding.also_visible = visible_copies(&copies, scan.entry(entry).content, path, hit);
                finding.rewritten_in = life.rewritten_in;
                finding.engine_dependent = life.engine_dependent;
                findings.push(finding);
            }
        }
    }
    findings
}

/// A secret outlives its file's version where the version that overwrote it holds it too: its fate is the last one's.
fn follow(scans: &[Option<&LayerScan>], mut life: Life, path: &[u8], hit: &FileHit) -> Life {
    while let Fate::Overwritten { by } = life.fate {
        let Some(scan) = scans[by] else { break };
        let holds = |entry: &u32| {
            scan.hits_of(*entry).any(|h| h.place == hit.place && h.found.rule == hit.found.rule && h.found.secret == hit.found.secret)
        };
        let Some(next) = scan.put(path).filter(holds) else { break };
        let next = life_of(scans, by, next, hit.place == Place::Content);
        life.fate = next.fate;
        life.engine_dependent = life.engine_dependent.or(next.engine_dependent);
    }
    life
}

/// Per file with matches, the hard links to it in its layer.
fn other_names(scan: &LayerScan) -> HashMap<u32, Vec<u32>> {
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

/// Visible paths by content, for the contents that hold a match.
fn copies<'a>(scans: &[Option<&'a LayerScan>]) -> HashMap<ContentHash, Vec<&'a [u8]>> {
    let of_hit = |scan: &LayerScan, hit: &FileHit| scan.entry(hit.entry).content;
    let wanted: HashSet<ContentHash> = scans.iter().flatten().flat_map(|s| s.hits.iter().filter_map(move |h| of_hit(s, h))).collect();
    let mut copies: HashMap<ContentHash, Vec<&[u8]>> = HashMap::new();
    if wanted.is_empty() {
        return copies;
    }
    for (layer, scan) in scans.iter().enumerate() {
        let Some(scan) = scan else { continue };
        for (index, entry) in scan.entries() {
            let Some(content) = entry.content.filter(|c| wanted.contains(c) && matches!(entry.kind, ChangeKind::Put(_))) else { continue };
            // A rewrite is told by its first version: only the last one that is alive counts here, and both have one path.
            if life(scans, layer, index, true).fate == Fate::Present {
                let paths = copies.entry(content).or_default();
                if !paths.contains(&scan.path(index)) {
                    paths.push(scan.path(index));
                }
            }
        }
    }
    copies
}

fn visible_copies(copies: &HashMap<ContentHash, Vec<&[u8]>>, content: Option<ContentHash>, own: &[u8], hit: &FileHit) -> Vec<Vec<u8>> {
    let paths = content.and_then(|c| copies.get(&c)).filter(|_| hit.place == Place::Content);
    paths.into_iter().flatten().filter(|path| **path != own).map(|path| path.to_vec()).collect()
}

fn file_finding(scan: &LayerScan, hit: &FileHit, entry: u32, (image, layer, blob): (Option<usize>, Option<usize>, usize)) -> Finding {
    let xattr = match &hit.place {
        Place::Content => None,
        Place::Xattr(name) => Some(name.clone()),
    };
    let location = Location::File { layer, blob, entry, path: scan.path(entry).to_vec(), xattr, at: position(&hit.found) };
    finding(&hit.found, image, location, State::File(Fate::Hidden))
}

fn position(found: &Match) -> Position {
    Position { line: found.line, column: found.column, offset: found.offset }
}

fn finding(found: &Match, image: Option<usize>, location: Location, state: State) -> Finding {
    Finding {
        id: String::new(),
        group: 0,
        image,
        rule: found.rule,
        secret: found.secret.clone(),
        confidence: found.confidence,
        reasons: found.reasons.clone(),
        location,
        state,
        rewritten_in: Vec::new(),
        also_visible: Vec::new(),
        engine_dependent: None,
    }
}

// ---- documents ---------------------------------------------------------------------------------------------------------------------

/// What the texts of one image have told already: `container_config` and the like repeat the config.
#[derive(Default)]
struct Seen {
    told: HashSet<(usize, Secret)>,
}

fn in_texts(texts: Vec<metadata::Text>, image: Option<usize>, detector: &Detector, seen: &mut Seen, values: &KnownValues) -> Vec<Finding> {
    // `Config` holds `container_config` and other repetitions: it is looked at last, and tells only what is new.
    let (last, first): (Vec<_>, Vec<_>) =
        texts.into_iter().partition(|t| matches!(t.kind, Kind::Config | Kind::Document) || t.pointer.starts_with("/container_config"));
    let mut findings = Vec::new();
    for (texts, repeats) in [(first, false), (last, true)] {
        for text in texts {
            let mut found = detector.scan(&Text::whole(text.text.as_bytes(), b"", Medium::Metadata));
            let known = values.matches(&text.text, &found);
            found.retain(|f| {
                !known.iter().any(|k| k.offset < f.offset + f.secret.len() as u64 && f.offset < k.offset + k.secret.len() as u64)
            });
            found.extend(known);
            let mut here = HashSet::new();
            for found in found {
                let key = (found.rule, found.secret.clone());
                if !here.insert(key.clone()) || repeats && seen.told.contains(&key) {
                    continue;
                }
                seen.told.insert(key);
                let location = Location::Metadata {
                    kind: text.kind,
                    blob: text.blob,
                    pointer: text.pointer.clone(),
                    step: text.step,
                    name: text.name.clone(),
                    at: position(&found),
                };
                findings.push(finding(&found, image, location, State::Config { historic: text.historic }));
            }
        }
    }
    findings
}

// ---- what no image refers to -------------------------------------------------------------------------------------------------------

fn unreferenced(archive: &Archive, images: &Images, detector: &Detector, told: &[Finding]) -> Vec<Finding> {
    let mut seen = Seen { told: told.iter().map(|f| (f.rule, f.secret.clone())).collect() };
    let mut findings = Vec::new();
    for &blob in &images.unreferenced {
        match &archive.blobs[blob].content {
            Content::Layer { scan, .. } => {
                let mut said = HashSet::new();
                let hits = scan.hits.iter().filter(|hit| said.insert((hit.entry, &hit.place, hit.found.rule, &hit.found.secret)));
                findings.extend(hits.map(|hit| {
                    let mut finding = file_finding(scan, hit, hit.entry, (None, None, blob));
                    finding.reasons.push("in a blob that no image of the archive refers to".into());
                    finding
                }));
            }
            Content::Document(document) => {
                let texts = metadata::of_document(document, blob);
                let mut hidden = in_texts(texts, None, detector, &mut seen, &KnownValues::default());
                hidden.iter_mut().for_each(|finding| finding.state = State::File(Fate::Hidden));
                findings.extend(hidden);
            }
        }
    }
    findings
}

// ---- order and identity ------------------------------------------------------------------------------------------------------------

/// The worst first: by severity, confidence, then by place.
fn sort(findings: &mut [Finding], rules: &RuleSet) {
    findings.sort_by_cached_key(|f| {
        let place = match &f.location {
            Location::File { layer, path, at, .. } => (0, layer.unwrap_or(usize::MAX), path.clone(), at.offset),
            Location::Metadata { kind, pointer, at, step, .. } => {
                (1 + *kind as usize, step.unwrap_or(0), pointer.clone().into_bytes(), at.offset)
            }
        };
        let worst = std::cmp::Reverse((rules.rules()[f.rule].severity, f.confidence));
        (worst, f.image.unwrap_or(usize::MAX), rules.rules()[f.rule].id.clone(), place)
    });
}

/// Key of the hash through which secrets enter ids. It is public: ids are for comparing, not for hiding.
const ID_KEY: &str = "pentimento finding id v1";

fn identify(findings: &mut [Finding], rules: &RuleSet) {
    let mut groups: HashMap<Secret, usize> = HashMap::new();
    let mut ordinals: BTreeMap<(Option<usize>, String), u32> = BTreeMap::new();
    for finding in findings {
        let next = groups.len();
        finding.group = *groups.entry(finding.secret.clone()).or_insert(next);
        let base = base_id(finding, &rules.rules()[finding.rule].id);
        let ordinal = ordinals.entry((finding.image, base.clone())).or_default();
        finding.id = if *ordinal == 0 { base } else { format!("{base}-{}", *ordinal + 1) };
        *ordinal += 1;
    }
}

fn base_id(finding: &Finding, rule: &str) -> String {
    let mut hasher = blake3::Hasher::new_derive_key(ID_KEY);
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(rule.as_bytes());
    part(finding.secret.reveal());
    match &finding.location {
        Location::File { path, xattr, .. } => {
            part(path);
            part(xattr.as_deref().unwrap_or_default().as_bytes());
        }
        Location::Metadata { kind, name, .. } => {
            part(kind.as_str().as_bytes());
            part(name.as_bytes());
        }
    }
    crate::digest::hex(&hasher.finalize().as_bytes()[..10])
}
