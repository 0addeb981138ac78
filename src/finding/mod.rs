//! Findings: the matches of all layers and documents, joined with the images they belong to.

mod files;
mod known;
mod opened;

use crate::archive::{Archive, Content};
use crate::detect::context::context;
use crate::detect::{Details, Detector, Match, Medium, Reason, Text};
use crate::error::{Code, Problem};
use crate::image::Images;
use crate::image::metadata::{self, Kind};
use crate::layer_scan::{FileHit, Way};
use crate::limits::{Limits, PATH_MAX};
use crate::rules::{Confidence, RuleSet};
use crate::scan::Progress;
use crate::secret::Secret;
use crate::timeline::Fate;
use files::{Files, place, position, surest_first};
use known::{Covered, KnownValues};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// A secret at one place of one image.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Stable over rebuilds and tags: of rule, secret and place.
    pub id: String,
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
    /// What else is known of it.
    pub details: Option<Box<Details>>,
    /// Where it is.
    pub location: Location,
    /// What became of it.
    pub state: State,
    /// Layers that wrote the same content again.
    pub rewritten_in: Vec<usize>,
    /// Visible paths of the final image with the same content: the first 20.
    pub also_visible: Vec<Arc<[u8]>>,
    /// Why engines disagree about the fate.
    pub engine_dependent: Option<&'static str>,
    /// What published it: a package that has the file.
    pub public: Option<Arc<str>>,
    /// What stands around it on its line.
    pub context: Option<Box<str>>,
}

/// Where a finding is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// In a file of a layer.
    File {
        /// Index of the layer in the image.
        layer: Option<usize>,
        /// The blob; none where the archive itself is the layer, or the file is one of its members.
        blob: Option<usize>,
        /// The entry with the bytes, in the scan of the blob or of the archive's members. Of a hard link it is the file's.
        entry: u32,
        /// The path.
        path: Arc<[u8]>,
        /// The way on from there: into a nested archive, or to a part of the entry that is not its content.
        inner: Way,
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
        name: Arc<str>,
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

    /// Its line says that it may stay (`pentimento:allow`).
    pub fn is_allowed(&self) -> bool {
        self.details.as_ref().is_some_and(|details| details.allowed)
    }

    /// Hidden in one engine and visible in another.
    pub fn is_doubtful(&self) -> bool {
        // Who holds a path twice in a layer is refused, or the last one wins.
        self.engine_dependent.is_some() && !matches!(self.state, State::File(Fate::Superseded))
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

/// The most findings of one archive: what images share is told for each of them, and hostile ones share as much as they like.
const MOST: usize = 200_000;

/// All findings, of every confidence, in a stable order. What comes to light on the way is added to the problems of `images`: also
/// that `progress` said that the scan is to end, or that it took too many steps.
pub fn assemble(archive: &Archive, images: &mut Images, detector: &Detector, limits: &Limits, progress: &Progress) -> Vec<Finding> {
    let rules = detector.rules();
    let mut findings = Vec::new();
    let mut told = HashSet::new();
    let mut unlisted = Vec::new();
    let mut files = Files::new(archive, &images.images, limits, &progress.stop);
    for (index, image) in images.images.iter_mut().enumerate() {
        let from = findings.len();
        if from < MOST {
            let (found, problems) = files.in_layers(index, image);
            image.problems.extend(problems);
            findings.extend(found);
        }
        let values = KnownValues::of(&findings[from..]);
        let texts = metadata::of_image(archive, image, &mut told);
        findings.extend(in_texts(texts, Some(index), detector, &mut Seen::default(), &values));
        opened::open(&mut findings[from..], rules);
        if findings.len() >= MOST {
            let message = format!("more than {MOST} findings: those of this image and the next are left out from there on");
            image.problems.push((None, Problem::new(Code::LimitReached, message)));
            leave_out(&mut findings, &mut unlisted);
        }
    }
    findings.extend(unreferenced(archive, images, detector, &findings));
    if findings.len() > MOST {
        let message = format!("more than {MOST} findings: some in what no image refers to are left out");
        images.problems.push(Problem::new(Code::LimitReached, message));
        leave_out(&mut findings, &mut unlisted);
    }
    images.unlisted = unlisted;
    sort(&mut findings, rules);
    identify(&mut findings, rules);
    findings
}

/// Cuts the list. The values are to be redacted all the same.
fn leave_out(findings: &mut Vec<Finding>, unlisted: &mut Vec<Secret>) {
    unlisted.extend(findings.drain(MOST.min(findings.len())..).map(|finding| finding.secret));
}

fn finding(found: &Match, image: Option<usize>, location: Location, state: State) -> Finding {
    Finding {
        id: String::new(),
        image,
        rule: found.rule,
        secret: found.secret.clone(),
        confidence: found.confidence,
        reasons: found.reasons.clone(),
        details: found.details.clone(),
        location,
        state,
        rewritten_in: Vec::new(),
        also_visible: Vec::new(),
        engine_dependent: None,
        public: None,
        context: found.context.clone(),
    }
}

// ---- documents ---------------------------------------------------------------------------------------------------------------------

/// What the texts of one image have told already: `container_config` and the like repeat the config.
#[derive(Default)]
struct Seen {
    told: HashMap<(usize, Secret, bool), (Confidence, bool)>,
}

impl Seen {
    /// Whether this was told already, as surely, and of a place that is as current.
    fn tells(&self, found: &Match, historic: bool) -> bool {
        let told = self.told.get(&(found.rule, found.secret.clone(), found.is_allowed()));
        told.is_some_and(|(confidence, current)| *confidence >= found.confidence && (*current || historic))
    }

    fn tell(&mut self, rule: usize, secret: &Secret, allowed: bool, confidence: Confidence, historic: bool) {
        let told = self.told.entry((rule, secret.clone(), allowed)).or_insert((confidence, false));
        *told = (confidence.max(told.0), told.1 || !historic);
    }
}

fn in_texts(texts: Vec<metadata::Text>, image: Option<usize>, detector: &Detector, seen: &mut Seen, values: &KnownValues) -> Vec<Finding> {
    // `Config` holds `container_config` and other repetitions: it is looked at last, and tells only what is new.
    let (last, first): (Vec<_>, Vec<_>) = texts
        .into_iter()
        .partition(|t| matches!(t.kind, Kind::Config | Kind::Document | Kind::V1Config) || t.way.root() == Some("container_config"));
    let mut findings = Vec::new();
    for (texts, repeats) in [(first, false), (last, true)] {
        for text in texts {
            let mut found = detector.scan(&Text::whole(text.text.as_bytes(), b"", Medium::Metadata));
            let known = values.matches(&text.text, &found);
            let covered = Covered::of(known.iter());
            found.retain(|f| !covered.touch(f.offset, f.offset + f.secret.len() as u64));
            found.extend(known);
            found.sort_by_key(|found| (std::cmp::Reverse(found.confidence), found.is_allowed()));
            let mut here = HashSet::new();
            for mut found in found {
                found.context = usize::try_from(found.offset).ok().and_then(|offset| context(text.text.as_bytes(), offset, &found.secret));
                let key = (found.rule, found.secret.clone());
                if !here.insert(key) || repeats && seen.tells(&found, text.historic) {
                    continue;
                }
                seen.tell(found.rule, &found.secret, found.is_allowed(), found.confidence, text.historic);
                let location = Location::Metadata {
                    kind: text.kind,
                    blob: text.blob,
                    pointer: text.way.pointer(),
                    step: text.step,
                    name: text.name(),
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
    let mut seen = Seen::default();
    told.iter().for_each(|finding| seen.tell(finding.rule, &finding.secret, finding.is_allowed(), finding.confidence, false));
    let mut findings = Vec::new();
    let plain = images.images.iter().any(|image| image.kind == crate::image::Kind::FileSystem);
    for &blob in images.unreferenced.iter().filter(|_| !plain) {
        match &archive.blobs[blob].content {
            Content::File => {}
            Content::Layer(layer) => {
                let mut said = HashSet::new();
                let hits =
                    surest_first(&layer.scan.hits).filter(|hit| said.insert((hit.entry, &hit.place, hit.found.rule, &hit.found.secret)));
                findings.extend(
                    hits.map(|hit| hidden(hit, Some(blob), layer.scan.path(hit.entry), "in a blob that no image of the archive refers to")),
                );
            }
            Content::Document(document) => {
                let texts = metadata::of_document(&document.value, blob);
                let mut hidden = in_texts(texts, None, detector, &mut seen, &KnownValues::default());
                hidden.iter_mut().for_each(|finding| {
                    finding.state = State::File(Fate::Hidden);
                    finding.reasons.push("in a document that no image of the archive refers to".into());
                });
                findings.extend(hidden);
            }
        }
    }
    if !plain {
        let between = between_members(archive, images, &[told, &findings]);
        findings.extend(between);
    }
    findings
}

/// What stands in the archive itself: members that are plain files, bytes behind its end, unused parts of its headers. Of JSON, what its
/// texts do not tell one by one.
fn between_members(archive: &Archive, images: &Images, told: &[&[Finding]]) -> Vec<Finding> {
    let unreferenced: HashSet<usize> = images.unreferenced.iter().copied().collect();
    let mut in_documents: HashSet<(usize, Vec<u8>)> = HashSet::new();
    for finding in told.iter().copied().flatten() {
        if let Location::Metadata { blob, .. } = finding.location {
            in_documents.insert((blob, finding.secret.reveal().to_vec()));
        }
    }
    let of_interest = |hit: &&FileHit| match archive.blob_of(hit.entry) {
        Some(blob) if hit.place.in_content() => match &archive.blobs[blob].content {
            Content::File => unreferenced.contains(&blob),
            Content::Document(document) => {
                let beside = metadata::is_unknown(&document.value) && !in_documents.contains(&(blob, unescaped(&hit.found.secret)));
                beside || hit.found.offset >= document.end
            }
            Content::Layer(_) => false,
        },
        _ => true,
    };
    // The parts of artifacts that are JSON.
    let artifacts = images.images.iter().enumerate().filter(|(_, image)| matches!(image.kind, crate::image::Kind::Artifact(_)));
    let owners: HashMap<usize, usize> =
        artifacts.flat_map(|(index, image)| image.documents.iter().map(move |blob| (*blob, index))).collect();
    let hits = archive.members.hits.iter().filter(of_interest);
    hits.map(|hit| {
        let path = archive.members.path(hit.entry);
        match archive.blob_of(hit.entry).and_then(|blob| owners.get(&blob)).filter(|_| hit.place.in_content()) {
            Some(image) => finding(&hit.found, Some(*image), place(hit, None, None, hit.entry, path.into()), State::File(Fate::Present)),
            None => hidden(hit, None, path, "in the archive itself, where no image refers to it"),
        }
    })
    .collect()
}

/// A value as a JSON string that it stands in has it: there, some characters are escaped.
fn unescaped(secret: &Secret) -> Vec<u8> {
    let quoted = [b"\"", secret.reveal(), b"\""].concat();
    serde_json::from_slice::<String>(&quoted).map_or_else(|_| secret.reveal().to_vec(), String::into_bytes)
}

fn hidden(hit: &FileHit, blob: Option<usize>, path: &[u8], reason: &'static str) -> Finding {
    let mut finding = finding(&hit.found, None, place(hit, None, blob, hit.entry, path.into()), State::File(Fate::Hidden));
    finding.reasons.push(reason.into());
    finding
}

// ---- order and identity ------------------------------------------------------------------------------------------------------------

/// What of a path enters the order and the ids: a file may hold many findings.
fn begin(path: &[u8]) -> &[u8] {
    &path[..path.len().min(PATH_MAX)]
}

/// The same of the way into a file.
fn begin_of_way(way: &Way) -> Vec<&[u8]> {
    way.iter().map(|step| begin(step)).collect()
}

/// The worst first: by severity, confidence, then by place.
fn sort(findings: &mut [Finding], rules: &RuleSet) {
    fn key<'a>(f: &'a Finding, rules: &'a RuleSet) -> impl Ord + 'a {
        let rule = &rules.rules()[f.rule];
        let place = match &f.location {
            Location::File { layer, path, at, inner, .. } => (0, layer.unwrap_or(usize::MAX), begin(path), begin_of_way(inner), at.offset),
            Location::Metadata { kind, pointer, at, step, .. } => {
                (1 + *kind as usize, step.unwrap_or(0), pointer.as_bytes(), Vec::new(), at.offset)
            }
        };
        (std::cmp::Reverse((rule.severity, f.confidence)), f.image.unwrap_or(usize::MAX), &rule.id, place)
    }
    findings.sort_by(|a, b| key(a, rules).cmp(&key(b, rules)));
}

/// Key of the hash through which secrets enter ids. It is public: ids are for comparing, not for hiding.
const ID_KEY: &str = "pentimento finding id v1";

fn identify(findings: &mut [Finding], rules: &RuleSet) {
    let mut ordinals: BTreeMap<(Option<usize>, String), u32> = BTreeMap::new();
    for finding in findings {
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
        Location::File { path, xattr, inner, .. } => {
            part(begin(path));
            begin_of_way(inner).into_iter().for_each(&mut part);
            part(xattr.as_deref().unwrap_or_default().as_bytes());
        }
        Location::Metadata { kind, name, .. } => {
            part(kind.as_str().as_bytes());
            part(name.as_bytes());
        }
    }
    crate::digest::hex(&hasher.finalize().as_bytes()[..10])
}
