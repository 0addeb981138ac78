//! From findings to a report.

use super::fate::{fate, instruction, room};
use super::gate::{Gate, Standing};
use super::redact::redact;
use super::retrieve;
use super::scanned::Scanned;
use super::{
    CoverageEntry, FindingEntry, GateEntry, ImageEntry, LayerEntry, LocationEntry, PartEntry, ProblemEntry, Report, SecretEntry,
    SkippedEntry, Tool, TreeEntry,
};
use crate::archive::Content;
use crate::base::Base;
use crate::census::{Census, Tree};
use crate::error::{Code, Problem};
use crate::finding::{Finding, Location};
use crate::image::metadata::Kind;
use crate::image::{self, Image, history};
use crate::limits::{Limits, PATH_MAX};
use crate::policy::{Policy, Verdict};
use crate::rules::{Confidence, RuleSet};
use crate::secret::Secret;
use crate::text::{cut, exact};
use base64::Engine;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicUsize;

/// Why something is in the ledger of what was skipped.
const NESTED: &str = "an archive within a file, or a member of one: its bytes were searched as they are, it was not unpacked";

/// What of the findings is reported, and how.
#[derive(Debug, Clone, Copy, Default)]
pub struct View<'a> {
    /// Findings below it are left out.
    pub min_confidence: Confidence,
    /// Values are shown.
    pub show_secrets: bool,
    /// Findings that a comment on their line allows are reported like others.
    pub show_allowed: bool,
    /// Findings in files that are as a package has them are reported like others.
    pub include_public: bool,
    /// Findings that an ignore or the baseline lets pass are listed, too.
    pub show_ignored: bool,
    /// What decides; without one, every finding fails.
    pub policy: Option<&'a Policy>,
    /// Layers that are absent by design do not make the scan incomplete.
    pub allow_missing_layers: bool,
    /// Every file's fate is asked for, within these limits: layers and images have what they come to.
    pub census: Option<Limits>,
    /// What came with this image is told apart.
    pub base: Option<&'a Base>,
}

/// The report on `targets`, and the verdict. `failed` are targets that could not be read at all, and why.
pub fn build(
    targets: &[Scanned],
    failed: &[(String, String)],
    rules: &RuleSet,
    view: View,
) -> Result<(Report, Verdict), serde_json::Error> {
    let mut report = empty(rules);
    let mut groups: HashMap<&Secret, usize> = HashMap::new();
    // Findings by where they stand: in what came with the base, or not.
    let mut shared: Vec<Vec<usize>> = Vec::new();
    for scanned in targets {
        let first = shared.iter().map(Vec::len).sum();
        shared.push(from_base(scanned, view.base, first, &mut report.notes));
    }
    let anything = Policy::default();
    let policy = view.policy.unwrap_or(&anything);
    let gate = Gate::of(targets, rules, &view, policy, &shared);
    for (target, scanned) in targets.iter().enumerate() {
        for finding in &scanned.findings {
            let next = groups.len();
            groups.entry(&finding.secret).or_insert(next);
        }
        let one = One {
            scanned,
            rules,
            first_image: report.images.len(),
            groups: &groups,
            show_secrets: view.show_secrets,
            allow_missing_layers: view.allow_missing_layers,
            census: view.census,
            shared: &shared[target],
            longest: if scanned.findings.len() > MANY { PATH_MAX / 8 } else { PATH_MAX },
            room: room(scanned.findings.len() + scanned.images.images.iter().map(|image| image.layers.len()).sum::<usize>()),
        };
        for (index, image) in scanned.images.images.iter().enumerate() {
            report.images.push(one.image(index, image, &mut report.problems));
        }
        report.findings.extend(gate.listed(target, scanned).map(|(finding, standing)| one.finding(finding, standing)));
        one.problems(&mut report);
        one.coverage(&mut report.coverage);
    }
    for (target, why) in failed {
        let (code, message) = (Code::ReadFailed.as_str().to_owned(), why.clone());
        report.problems.push(ProblemEntry { code, message, source: target.clone(), image: None, layer: None, path: None });
    }
    report.complete = report.problems.is_empty();
    report.suppressed = gate.suppressed();
    report.notes.extend(gate.notes(report.complete));
    let failed: Vec<String> = report.findings.iter().filter(|finding| finding.fails).map(|finding| finding.id.clone()).collect();
    let notes = failing_notes(&report, policy);
    let any = gate.let_pass() || !report.findings.is_empty();
    let verdict = Verdict::of(!(failed.is_empty() && notes.is_empty()), any, report.complete);
    report.gate = gate.entry(failed, notes, view.base.is_some());
    report.verdict = verdict.as_str().to_owned();
    if !view.show_secrets {
        report = redact(report, targets.iter().flat_map(|target| target.secrets(view.min_confidence)))?;
    }
    Ok((report, verdict))
}

/// The codes of the notes that fail.
fn failing_notes(report: &Report, policy: &Policy) -> Vec<String> {
    let Some(codes) = &policy.notes else { return Vec::new() };
    let noted = report.notes.iter().map(|note| note.code.clone()).filter(|code| codes.is_empty() || codes.contains(code));
    noted.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// A report in which nothing is said yet.
fn empty(rules: &RuleSet) -> Report {
    Report {
        schema_version: 1,
        tool: Tool { name: "pentimento".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), rules: rules.fingerprint().to_string() },
        verdict: String::new(),
        complete: true,
        images: Vec::new(),
        findings: Vec::new(),
        suppressed: Vec::new(),
        gate: GateEntry::default(),
        notes: Vec::new(),
        problems: Vec::new(),
        coverage: CoverageEntry::default(),
    }
}

/// By image, how many layers came with the base; what is to be said of that is added to `notes`. `first` is the number of the first image.
fn from_base(scanned: &Scanned, base: Option<&Base>, first: usize, notes: &mut Vec<ProblemEntry>) -> Vec<usize> {
    let one = |(index, image): (usize, &Image)| {
        let Some(base) = base else { return 0 };
        let shared = base.shared(&scanned.archive, image);
        if !base.is_whole(shared) {
            let message = format!(
                "only {shared} of the base's layers are in this image (--base): it was built from another version, or from something else"
            );
            let code = Code::BaseDiffers.as_str().to_owned();
            notes.push(ProblemEntry { code, message, source: scanned.target.clone(), image: Some(first + index), layer: None, path: None });
        }
        shared
    };
    scanned.images.images.iter().enumerate().map(one).collect()
}

/// One target on its way into the report.
struct One<'a> {
    scanned: &'a Scanned,
    rules: &'a RuleSet,
    first_image: usize,
    /// One value is one group, in whatever target it stands.
    groups: &'a HashMap<&'a Secret, usize>,
    show_secrets: bool,
    allow_missing_layers: bool,
    census: Option<Limits>,
    /// By image, how many layers came with the base.
    shared: &'a [usize],
    /// For instructions: see [`room`].
    room: usize,
    /// For names: less where thousands of findings repeat them.
    longest: usize,
}

impl One<'_> {
    fn is_file_system(&self) -> bool {
        self.scanned.images.images.iter().any(|image| image.kind == image::Kind::FileSystem)
    }

    fn image(&self, of: usize, image: &Image, problems: &mut Vec<ProblemEntry>) -> ImageEntry {
        let census = self.census.map(|limits| Census::of(&self.scanned.archive, image, &limits, &AtomicUsize::new(0)));
        if let Some(end) = census.as_ref().and_then(Census::end) {
            let message = "the images of this archive list too much again and again (--max-steps): what this layer and the next did to all files is not known";
            problems.push(ProblemEntry {
                code: Code::LimitReached.as_str().to_owned(),
                message: message.to_owned(),
                source: self.scanned.target.clone(),
                image: Some(self.first_image + of),
                layer: Some(end),
                path: None,
            });
        }
        let changes = census.as_ref().map(Census::changes).unwrap_or_default();
        let whole = self.scanned.archive.blobs.iter().map(|blob| blob.stored_size).sum();
        let layers = image.layers.iter().enumerate().map(|(index, layer)| {
            let blob = layer.blob.map(|blob| &self.scanned.archive.blobs[blob]);
            LayerEntry {
                index,
                diff_id: layer.diff_id.as_ref().or(blob.and_then(|b| b.diff_id())).map(ToString::to_string),
                blob: blob.map(|b| b.stored.to_string()),
                size: if self.is_file_system() { whole } else { blob.map_or(0, |b| b.size()) },
                instruction: instruction(image, index, self.room).0,
                base: index < self.shared[of],
                changes: changes.get(index).copied(),
            }
        });
        ImageEntry {
            source: self.scanned.target.clone(),
            names: image.names.clone(),
            config: image.config_digest.as_ref().map(ToString::to_string),
            platform: image.platform.as_ref().map(ToString::to_string),
            kind: match &image.kind {
                image::Kind::Image => "image".to_owned(),
                image::Kind::Artifact(_) => "artifact".to_owned(),
                image::Kind::FileSystem => "file-system".to_owned(),
            },
            orphan: image.orphan,
            layers: layers.collect(),
            tree: census.map(|census| TreeEntry::from(&census.tree())),
        }
    }

    fn finding(&self, finding: &Finding, standing: Standing) -> FindingEntry {
        let rule = &self.rules.rules()[finding.rule];
        let image = finding.image.map(|index| &self.scanned.images.images[index]);
        let (instruction, certain, instructions) = match (&finding.location, image) {
            (Location::File { layer: Some(layer), .. }, Some(image)) => instruction(image, *layer, self.room),
            (Location::Metadata { step: Some(step), .. }, Some(image)) => {
                (image.steps.get(*step).map(|s| cut(&s.instruction, self.room).into_owned()), true, Vec::new())
            }
            _ => (None, false, Vec::new()),
        };
        let value = self.show_secrets.then(|| finding.secret.reveal_text());
        FindingEntry {
            id: finding.id.clone(),
            image: finding.image.map(|index| index + self.first_image),
            fails: standing.fails,
            let_pass: standing.let_pass.map(str::to_owned),
            rule: rule.id.clone(),
            provider: rule.provider.clone(),
            title: rule.title.clone(),
            severity: rule.severity.as_str().to_owned(),
            confidence: finding.confidence.as_str().to_owned(),
            secret: SecretEntry {
                redacted: finding.secret.redacted(),
                length: finding.secret.len(),
                group: self.groups.get(&finding.secret).copied().unwrap_or_default(),
                hash: finding.secret.hash(),
                value,
            },
            location: self.location(finding, image),
            instruction,
            instruction_certain: certain,
            instructions,
            dockerfile: None,
            fate: fate(finding.state, finding.hidden_by(), image, self.room),
            also_visible: self.copies(finding),
            recoverable: true,
            retrieve: retrieve::command(&self.scanned.target, &self.scanned.archive, &finding.location, finding.state),
            rewritten_in: finding.rewritten_in.clone(),
            engine_dependent: finding.engine_dependent.map(str::to_owned),
            public: finding.public.as_deref().map(str::to_owned),
            parts: self.parts(finding),
            facts: facts(finding),
            reasons: finding.reasons.iter().map(|reason| reason.clone().into_owned()).collect(),
            context: finding.context.as_deref().map(str::to_owned),
            revoke: rule.revoke.clone(),
        }
    }

    /// The first copies, and as many as there is room for.
    fn copies(&self, finding: &Finding) -> Vec<String> {
        let mut room = self.room;
        let fits = |(index, path): &(usize, String)| {
            room = room.saturating_sub(path.len());
            *index == 0 || room > 0
        };
        let copies = finding.also_visible.iter().map(|path| exact(&shortened(path, self.longest)));
        copies.enumerate().take_while(fits).map(|(_, path)| path).collect()
    }

    fn location(&self, finding: &Finding, image: Option<&Image>) -> LocationEntry {
        let archive = &self.scanned.archive;
        let member = |blob: usize| finding.image.is_none().then(|| exact(&shortened(archive.name(blob), self.longest)));
        let (mut entry, at) = match &finding.location {
            Location::File { layer, blob, path, inner, xattr, at, .. } => {
                let declared = layer.and_then(|l| image?.layers.get(l)?.diff_id.as_ref());
                let computed = blob
                    .filter(|_| image.is_none_or(|image| image.kind != image::Kind::FileSystem))
                    .and_then(|blob| archive.blobs[blob].diff_id());
                // Of one that is cut, the rest would be missing in base64 too.
                let raw = path.len() <= self.longest && std::str::from_utf8(path).is_err();
                let path = shortened(path, self.longest);
                let entry = LocationEntry {
                    kind: "file".to_owned(),
                    layer: *layer,
                    diff_id: declared.or(computed).map(ToString::to_string),
                    member: blob.and_then(member).or_else(|| finding.image.is_none().then(|| exact(&path))),
                    path: Some(exact(&path)),
                    path_raw: raw.then(|| base64::engine::general_purpose::STANDARD.encode(&*path)),
                    inner: inner.iter().map(|step| exact(&shortened(step, self.longest))).collect(),
                    xattr: xattr.clone(),
                    ..LocationEntry::default()
                };
                (entry, at)
            }
            Location::Metadata { kind, blob, pointer, step, name, at } => {
                let entry = LocationEntry {
                    kind: kind.as_str().to_owned(),
                    member: member(*blob),
                    pointer: Some(pointer.clone()),
                    step: *step,
                    name: match kind {
                        Kind::Env | Kind::Label => Some(name.to_string()),
                        Kind::Attestation => pointer.contains("/build-arg:").then(|| name.to_string()),
                        Kind::History => self.build_argument(*blob, pointer, at.offset),
                        _ => None,
                    },
                    ..LocationEntry::default()
                };
                (entry, at)
            }
        };
        (entry.line, entry.column, entry.offset) = (at.line, at.column, at.offset);
        entry.inner.extend(finding.details.iter().flat_map(|details| &details.codings).map(|coding| (*coding).to_owned()));
        entry
    }

    fn parts(&self, finding: &Finding) -> Vec<PartEntry> {
        let parts = finding.details.iter().flat_map(|details| &details.parts);
        parts
            .map(|part| PartEntry {
                name: part.name.to_string(),
                redacted: part.value.redacted(),
                value: self.show_secrets.then(|| part.value.reveal_text()),
            })
            .collect()
    }

    /// The build argument whose value stands at `offset` of an entry of the history. Not of one that is longer than a command can be.
    fn build_argument(&self, blob: usize, pointer: &str, offset: u64) -> Option<String> {
        const MOST: usize = 128 << 10;
        let text = self.scanned.archive.document(blob)?.pointer(pointer)?.as_str().filter(|text| text.len() <= MOST)?;
        history::argument_at(text, usize::try_from(offset).ok()?).map(str::to_owned)
    }

    fn problems(&self, report: &mut Report) {
        let mut add = |problem: &Problem, image: Option<usize>, layer: Option<usize>| {
            let entry = ProblemEntry {
                code: problem.code.as_str().to_owned(),
                message: problem.message.clone(),
                source: self.scanned.target.clone(),
                image: image.map(|index| index + self.first_image),
                layer,
                path: problem.path.as_deref().map(|path| exact(&shortened(path, PATH_MAX))),
            };
            let by_design = problem.code == Code::ForeignLayer && self.allow_missing_layers;
            if problem.code.is_note() || by_design { report.notes.push(entry) } else { report.problems.push(entry) }
        };
        let images = &self.scanned.images;
        if images.images.is_empty() && !self.scanned.archive.omissions.interrupted {
            add(&Problem::new(Code::InvalidDocument, "no image could be read: its layers are reported without their fates"), None, None);
        }
        for problem in self.scanned.archive.problems.iter().chain(&images.problems) {
            add(problem, None, None);
        }
        let mut told = std::collections::HashSet::new();
        for (index, image) in images.images.iter().enumerate() {
            for (layer, problem) in &image.problems {
                add(problem, Some(index), *layer);
            }
            for (layer, blob) in image.layers.iter().enumerate().filter_map(|(l, layer)| Some((l, layer.blob?))) {
                if told.insert(blob) {
                    self.scanned.archive.problems_of(blob).for_each(|problem| add(problem, Some(index), Some(layer)));
                }
            }
        }
        let file_system = self.is_file_system();
        for blob in (0..self.scanned.archive.blobs.len()).filter(|blob| !file_system && told.insert(*blob)) {
            for problem in self.scanned.archive.problems_of(blob) {
                let message = format!("{}: {}", exact(&shortened(self.scanned.archive.name(blob), PATH_MAX)), problem.message);
                add(&Problem { message, ..problem.clone() }, None, None);
            }
        }
    }

    fn coverage(&self, entry: &mut CoverageEntry) {
        let mut all = self.scanned.archive.members.coverage;
        for blob in &self.scanned.archive.blobs {
            match &blob.content {
                Content::Layer(layer) => {
                    all += layer.scan.coverage;
                    entry.layers += u64::from(layer.tar);
                }
                Content::Document(_) | Content::File => all.bytes_read += blob.stored_size,
            }
        }
        if self.is_file_system() {
            // Its files are the members, and it is the only layer.
            all.files = self.scanned.archive.blobs.len() as u64;
            entry.layers = 1;
        }
        entry.bytes_read += all.bytes_read;
        entry.bytes_scanned += all.bytes_scanned;
        entry.files += all.files;
        if all.not_unpacked > 0 {
            entry.skipped.push(SkippedEntry { reason: NESTED.to_owned(), count: all.not_unpacked, bytes: 0 });
        }
    }
}

/// What the secret says about itself. A name that is there twice keeps both values.
fn facts(finding: &Finding) -> BTreeMap<String, String> {
    let mut facts: BTreeMap<String, String> = BTreeMap::new();
    for fact in finding.details.iter().flat_map(|details| &details.facts) {
        let value = facts.entry(fact.name.as_str().to_owned()).or_default();
        let separator = if value.is_empty() { "" } else { ", " };
        value.push_str(&format!("{separator}{}", fact.value));
    }
    facts
}

impl From<&Tree> for TreeEntry {
    fn from(tree: &Tree) -> TreeEntry {
        let children = tree.children.iter().map(TreeEntry::from).collect();
        TreeEntry { name: exact(&shortened(&tree.name, PATH_MAX / 8)), visible: tree.visible, hidden: tree.hidden, children }
    }
}

/// From so many findings on, a report is for machines.
const MANY: usize = 10_000;

/// A name as it is shown: an archive can repeat a long one as often as it likes.
fn shortened(name: &[u8], most: usize) -> std::borrow::Cow<'_, [u8]> {
    if name.len() <= most {
        return name.into();
    }
    // No character is cut in two: what is left of a value must be known as its beginning.
    let within = |at: &usize| name[*at] & 0xc0 != 0x80;
    let end = (most.saturating_sub(3)..=most).rev().find(within).unwrap_or(most);
    [&name[..end], "…".as_bytes()].concat().into()
}
