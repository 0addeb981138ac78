//! From findings to a report.

use super::redact::{Redactor, redact};
use super::retrieve;
use super::{
    CoverageEntry, FateEntry, FindingEntry, ImageEntry, LayerEntry, LocationEntry, PartEntry, ProblemEntry, Report, SecretEntry,
    SkippedEntry, SuppressedEntry, Tool,
};
use crate::archive::{Archive, Content};
use crate::detect::{Reason, is_noise};
use crate::error::{Code, Problem};
use crate::finding::{Finding, Location, State};
use crate::image::metadata::Kind;
use crate::image::{self, Image, Images, history};
use crate::layer_scan::FileHit;
use crate::limits::PATH_MAX;
use crate::policy::{FailOn, Verdict};
use crate::rules::{Confidence, RuleSet};
use crate::secret::Secret;
use crate::text::{cut, exact};
use crate::timeline::{Fate, How};
use base64::Engine;
use std::collections::{BTreeMap, HashMap};

/// Why something is in the ledger of what was skipped.
const NESTED: &str = "an archive within a file, or a member of one: its bytes were searched as they are, it was not unpacked";

/// Why findings are not listed.
const ALLOWED: &str = "allow-comment";
const PUBLIC: &str = "public";

/// One target, scanned.
pub struct Scanned {
    /// As typed.
    pub target: String,
    /// Its blobs.
    pub archive: Archive,
    /// Its images.
    pub images: Images,
    /// All findings, of every confidence.
    pub findings: Vec<Finding>,
}

/// True for what is short and has no digit.
fn is_word(value: &[u8]) -> bool {
    value.len() < 12 && !value.iter().any(u8::is_ascii_digit)
}

impl Scanned {
    /// Every secret that was found, told or not, and how sure it is. What is published is none, and may be a word that stands everywhere; so are
    /// words behind a name in large programs, of which nobody looked up whether they are published (`scan::Work::least`).
    fn secrets(&self, least: Confidence) -> impl Iterator<Item = (&Secret, Confidence)> {
        let layers = (0..self.archive.blobs.len()).filter_map(|blob| self.archive.layer(blob));
        let scans = [&self.archive.members].into_iter().chain(layers);
        let noise = move |confidence, reasons: &[Reason], secret: &Secret| is_noise(least, confidence, reasons) && is_word(secret.reveal());
        let hits = scans.flat_map(move |scan| {
            let unknown = move |hit: &FileHit| {
                !scan.digests.contains_key(&hit.entry) && noise(hit.found.confidence, &hit.found.reasons, &hit.found.secret)
            };
            scan.hits.iter().filter(move |hit| self.archive.publisher(scan, hit).is_none() && !unknown(hit))
        });
        let told = move |f: &&Finding| f.public.is_none() && !noise(f.confidence, &f.reasons, &f.secret);
        let found = self.findings.iter().filter(told);
        let found = found.map(|finding| (&finding.secret, finding.confidence, finding.details.as_deref()));
        let in_files = hits.map(|hit| (&hit.found.secret, hit.found.confidence, hit.found.details.as_deref()));
        let all = found.chain(in_files).flat_map(|(secret, confidence, details)| {
            let parts = details.into_iter().flat_map(|details| &details.parts);
            [(secret, confidence)].into_iter().chain(parts.map(move |part| (&part.value, confidence)))
        });
        all.chain(self.images.unlisted.iter().map(|secret| (secret, Confidence::High)))
    }

    /// A message without any of them.
    pub fn redacted(&self, message: &str, least: Confidence) -> Result<String, serde_json::Error> {
        Ok(Redactor::of(self.secrets(least))?.clean(message))
    }
}

/// What of the findings is reported, and how.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Findings below it are left out.
    pub min_confidence: Confidence,
    /// Values are shown.
    pub show_secrets: bool,
    /// Findings that a comment on their line allows are reported like others.
    pub show_allowed: bool,
    /// Findings in files that are as a package has them are reported like others.
    pub include_public: bool,
    /// Which findings fail.
    pub fail_on: FailOn,
    /// Layers that are absent by design do not make the scan incomplete.
    pub allow_missing_layers: bool,
}

/// The report on `targets`, and the verdict. `failed` are targets that could not be read at all, and why.
pub fn build(
    targets: &[Scanned],
    failed: &[(String, String)],
    rules: &RuleSet,
    view: View,
) -> Result<(Report, Verdict), serde_json::Error> {
    let mut report = Report {
        schema_version: 1,
        tool: Tool { name: "pentimento".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), rules: rules.fingerprint().to_string() },
        verdict: String::new(),
        complete: true,
        images: Vec::new(),
        findings: Vec::new(),
        suppressed: Vec::new(),
        notes: Vec::new(),
        problems: Vec::new(),
        coverage: CoverageEntry::default(),
    };
    let sure = |finding: &&Finding| finding.confidence >= view.min_confidence;
    let public = |finding: &&Finding| !view.include_public && finding.public.is_some();
    let allowed = |finding: &&Finding| !view.show_allowed && finding.is_allowed();
    let shown = |finding: &&Finding| sure(finding) && !public(finding) && !allowed(finding);
    let mut groups: HashMap<&Secret, usize> = HashMap::new();
    for scanned in targets {
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
            longest: if scanned.findings.len() > MANY { PATH_MAX / 8 } else { PATH_MAX },
            room: room(scanned.findings.len() + scanned.images.images.iter().map(|image| image.layers.len()).sum::<usize>()),
        };
        report.images.extend(scanned.images.images.iter().map(|image| one.image(image)));
        report.findings.extend(scanned.findings.iter().filter(shown).map(|finding| one.finding(finding)));
        one.problems(&mut report);
        one.coverage(&mut report.coverage);
    }
    for (target, why) in failed {
        let (code, message) = (Code::ReadFailed.as_str().to_owned(), why.clone());
        report.problems.push(ProblemEntry { code, message, source: target.clone(), image: None, layer: None, path: None });
    }
    report.complete = report.problems.is_empty();
    let left_out = || targets.iter().flat_map(|target| target.findings.iter().filter(sure));
    let public = left_out().filter(public).count() as u64;
    let allowed = left_out().filter(|finding| !shown(finding)).count() as u64 - public;
    let counts = [(PUBLIC, public), (ALLOWED, allowed)].into_iter().filter(|(_, count)| *count > 0);
    report.suppressed.extend(counts.map(|(reason, count)| SuppressedEntry { reason: reason.to_owned(), count }));
    let verdict = Verdict::of(targets.iter().flat_map(|t| t.findings.iter().filter(shown)), allowed, report.complete, view.fail_on);
    report.verdict = verdict.as_str().to_owned();
    if !view.show_secrets {
        report = redact(report, targets.iter().flat_map(|target| target.secrets(view.min_confidence)))?;
    }
    Ok((report, verdict))
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
    /// For instructions: see [`room`].
    room: usize,
    /// For names: less where thousands of findings repeat them.
    longest: usize,
}

impl One<'_> {
    fn is_file_system(&self) -> bool {
        self.scanned.images.images.iter().any(|image| image.kind == image::Kind::FileSystem)
    }

    fn image(&self, image: &Image) -> ImageEntry {
        let whole = self.scanned.archive.blobs.iter().map(|blob| blob.stored_size).sum();
        let layers = image.layers.iter().enumerate().map(|(index, layer)| {
            let blob = layer.blob.map(|blob| &self.scanned.archive.blobs[blob]);
            LayerEntry {
                index,
                diff_id: layer.diff_id.as_ref().or(blob.and_then(|b| b.diff_id())).map(ToString::to_string),
                blob: blob.map(|b| b.stored.to_string()),
                size: if self.is_file_system() { whole } else { blob.map_or(0, |b| b.size()) },
                instruction: instruction(image, index, self.room).0,
                base: false,
                changes: None,
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
            tree: None,
        }
    }

    fn finding(&self, finding: &Finding) -> FindingEntry {
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
            rule: rule.id.clone(),
            provider: rule.provider.clone(),
            title: rule.title.clone(),
            severity: rule.severity.as_str().to_owned(),
            confidence: finding.confidence.as_str().to_owned(),
            secret: SecretEntry {
                redacted: finding.secret.redacted(),
                length: finding.secret.len(),
                group: self.groups.get(&finding.secret).copied().unwrap_or_default(),
                value,
            },
            location: self.location(finding, image),
            instruction,
            instruction_certain: certain,
            instructions,
            fate: fate(finding, image, self.room),
            also_visible: self.copies(finding),
            recoverable: true,
            retrieve: retrieve::command(&self.scanned.target, &self.scanned.archive, &finding.location, finding.state),
            rewritten_in: finding.rewritten_in.clone(),
            engine_dependent: finding.engine_dependent.map(str::to_owned),
            public: finding.public.as_deref().map(str::to_owned),
            parts: self.parts(finding),
            facts: facts(finding),
            reasons: finding.reasons.iter().map(|reason| reason.clone().into_owned()).collect(),
            context: None,
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

/// How many bytes of instructions one finding (or layer) may show, so that all `count` together stay bounded: an instruction may be as
/// long as a document, and each of them repeats it.
fn room(count: usize) -> usize {
    const ALL: usize = 32 << 20;
    const ONE: usize = 32 << 10;
    (ALL / count.max(1)).min(ONE)
}

/// The instruction of a layer, whether it is certain, and if not, the candidates: the nearest, if there is no room for all.
fn instruction(image: &Image, layer: usize, room: usize) -> (Option<String>, bool, Vec<String>) {
    /// What a text costs besides its bytes.
    const STRING: usize = 64;
    let Some(attribution) = image.layers.get(layer).map(|l| &l.attribution) else { return (None, false, Vec::new()) };
    let steps = &image.steps[attribution.steps.clone()];
    if attribution.certain {
        return (steps.last().map(|step| cut(&step.instruction, room).into_owned()), true, Vec::new());
    }
    let (mut nearest, mut left) = (Vec::new(), room);
    for step in steps.iter().rev() {
        if left < step.instruction.len() {
            nearest.push(cut(&step.instruction, left).into_owned());
            break;
        }
        left = left.saturating_sub(step.instruction.len() + STRING);
        nearest.push(step.instruction.clone());
    }
    nearest.reverse();
    (None, false, nearest)
}

fn fate(finding: &Finding, image: Option<&Image>, room: usize) -> FateEntry {
    let how_text = |how| match how {
        How::Whiteout => "whiteout",
        How::ParentRemoved => "parent-removed",
        How::Opaque => "opaque",
    };
    let (state, how) = match finding.state {
        State::File(Fate::Present) => ("present", None),
        State::File(Fate::Deleted { how, .. }) => ("deleted", Some(how_text(how))),
        State::File(Fate::Overwritten { .. }) => ("overwritten", None),
        State::File(Fate::Replaced { .. }) => ("replaced", None),
        State::File(Fate::Superseded) => ("superseded", None),
        State::File(Fate::Hidden) => ("hidden", None),
        State::Config { historic } => ("config", Some(if historic { "historic" } else { "current" })),
    };
    let by_layer = finding.hidden_by();
    let by_instruction = by_layer.zip(image).and_then(|(layer, image)| {
        let attribution = &image.layers.get(layer)?.attribution;
        let text = |step: &history::Step| cut(&step.instruction, room).into_owned();
        Some(match &image.steps[attribution.steps.clone()] {
            [] => return None,
            [.., last] if attribution.certain => text(last),
            [only] => text(only),
            steps @ [first, .., last] => format!("one of {} steps: {} … {}", steps.len(), text(first), text(last)),
        })
    });
    FateEntry { state: state.to_owned(), how: how.map(str::to_owned), by_layer, by_instruction }
}
