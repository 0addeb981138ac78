//! Reports: one [`Report`], built once, redacted once, and written in one of several formats.

mod build;
mod csv;
pub mod dockerfile;
pub mod fate;
pub mod fix;
mod gate;
mod gitlab;
#[cfg(feature = "html")]
pub mod html;
pub mod human;
pub mod json;
mod jsonl;
mod junit;
mod markdown;
mod outcome;
mod redact;
mod retrieve;
mod sarif;
mod scanned;
mod uri;
pub mod words;

pub use build::{View, build};
pub use redact::Redactor;
pub use retrieve::{shell_bytes, shell_file, shell_word};
pub use scanned::{How, Scanned};

use crate::census::Changes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;

/// The report, as the JSON format has it. Field names and meanings are a contract (GUIDE.md, "The JSON report").
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Raised when the meaning of a field changes.
    pub schema_version: u32,
    /// What wrote the report.
    pub tool: Tool,
    /// `clean`, `passed`, `found` or `incomplete`.
    pub verdict: String,
    /// Every byte was read that should have been.
    pub complete: bool,
    /// The images, in the order of the targets.
    pub images: Vec<ImageEntry>,
    /// The findings, worst first.
    pub findings: Vec<FindingEntry>,
    /// Findings that are not listed, by reason.
    pub suppressed: Vec<SuppressedEntry>,
    /// What failed, and what was let pass.
    #[serde(default)]
    pub gate: GateEntry,
    /// What is worth knowing and left nothing unread.
    pub notes: Vec<ProblemEntry>,
    /// What makes the scan incomplete.
    pub problems: Vec<ProblemEntry>,
    /// What was read.
    pub coverage: CoverageEntry,
}

/// See [`Report::tool`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Tool {
    /// `pentimento`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Fingerprint of the rule set.
    pub rules: String,
}

/// One image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImageEntry {
    /// The target, as typed.
    pub source: String,
    /// Tags or references.
    pub names: Vec<String>,
    /// Digest of the config.
    pub config: Option<String>,
    /// `os/architecture[/variant]`.
    pub platform: Option<String>,
    /// `image`, `artifact` (something else with a manifest) or `file-system` (a tar that lists no image, scanned as one layer).
    pub kind: String,
    /// No index and no `manifest.json` names it.
    pub orphan: bool,
    /// Base first.
    pub layers: Vec<LayerEntry>,
    /// What is in the image and what is hidden in it, by directory. Only where every file's fate was asked for (`View::census`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tree: Option<TreeEntry>,
}

/// One layer of an image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LayerEntry {
    /// From 0, base first.
    pub index: usize,
    /// SHA-256 of the uncompressed tar, as the config says or else as computed.
    pub diff_id: Option<String>,
    /// SHA-256 of the stored bytes; none if the layer is not there.
    pub blob: Option<String>,
    /// Size of the uncompressed tar in bytes.
    pub size: u64,
    /// The instruction, where it is certain.
    pub instruction: Option<String>,
    /// It came with the image that `--base` names: the same bytes at the same place.
    pub base: bool,
    /// What it did to files. Only where every file's fate was asked for (`View::census`).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub changes: Option<Changes>,
}

/// A directory, or a file, with all that is below it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeEntry {
    /// Its name, without the directories above it; empty for the root. `…` stands for what was too small to be told.
    pub name: String,
    /// Content that shows in the final image, in bytes.
    pub visible: u64,
    /// Content that layers hold and that does not show, in bytes.
    pub hidden: u64,
    /// The largest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub children: Vec<TreeEntry>,
}

/// One finding.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindingEntry {
    /// Stable over rebuilds and tags.
    pub id: String,
    /// Index into `images`.
    pub image: Option<usize>,
    /// It fails the gate.
    #[serde(default)]
    pub fails: bool,
    /// What lets it pass, where it is listed all the same (`--show-ignored`): `ignored` or `baseline`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub let_pass: Option<String>,
    /// The rule's id.
    pub rule: String,
    /// Who issues this kind of secret.
    pub provider: String,
    /// What it is.
    pub title: String,
    /// `low`, `medium`, `high` or `critical`.
    pub severity: String,
    /// `low`, `medium` or `high`.
    pub confidence: String,
    /// The value, redacted unless asked for.
    pub secret: SecretEntry,
    /// Where it is.
    pub location: LocationEntry,
    /// What brought it in, where that is certain.
    pub instruction: Option<String>,
    /// False: it came from one of `instructions`.
    pub instruction_certain: bool,
    /// The candidates, where it is not certain.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub instructions: Vec<String>,
    /// Where the instruction stands in the Dockerfile that was given; none where that is not sure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dockerfile: Option<DockerfileEntry>,
    /// What became of it.
    pub fate: FateEntry,
    /// Visible paths with the same content.
    pub also_visible: Vec<String>,
    /// It can be got back from the saved image.
    pub recoverable: bool,
    /// The shell command that prints what it stands in.
    pub retrieve: Option<String>,
    /// Layers that wrote the same content again.
    pub rewritten_in: Vec<usize>,
    /// Why engines disagree about the fate.
    pub engine_dependent: Option<String>,
    /// What published it: `python3.11 (dpkg)`. With `--include-public`.
    pub public: Option<String>,
    /// Other parts of the same credential.
    pub parts: Vec<PartEntry>,
    /// What can be read from the secret offline: account, user, host, expiry, … (names in RULES.md).
    pub facts: BTreeMap<String, String>,
    /// What raised or lowered the confidence.
    pub reasons: Vec<String>,
    /// What stands around the secret on its line, a little of it, without the secret.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub context: Option<String>,
    /// How to revoke and rotate.
    pub revoke: Option<String>,
}

/// A value.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SecretEntry {
    /// What may be shown.
    pub redacted: String,
    /// In bytes.
    pub length: usize,
    /// The same for the same value within this report.
    pub group: usize,
    /// The same for the same value in any report, and what `secret` of an ignore names: made with a public key, for comparing and not
    /// for hiding.
    #[serde(default)]
    pub hash: String,
    /// Only with `--show-secrets`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
}

/// Another part of a credential.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PartEntry {
    /// What it is called.
    pub name: String,
    /// What may be shown.
    pub redacted: String,
    /// Only with `--show-secrets`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
}

/// A place.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LocationEntry {
    /// `file`, or a part of the metadata.
    pub kind: String,
    /// Index of the layer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub layer: Option<usize>,
    /// Its diff_id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub diff_id: Option<String>,
    /// For what no image refers to: the member of the archive.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub member: Option<String>,
    /// Path in the layer, without a leading `/`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<String>,
    /// Base64 of the path's bytes, where they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path_raw: Option<String>,
    /// The way into nested archives.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub inner: Vec<String>,
    /// The extended attribute whose value it is in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub xattr: Option<String>,
    /// JSON pointer in the document.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pointer: Option<String>,
    /// What it is called there: a variable, a label, a build argument.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// The step of the history, from 0.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub step: Option<usize>,
    /// 1-based.
    pub line: u64,
    /// 1-based, in bytes.
    pub column: u64,
    /// In bytes from the start.
    pub offset: u64,
}

/// A fate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FateEntry {
    /// `present`, `deleted`, `overwritten`, `replaced`, `superseded`, `hidden` or `config`.
    pub state: String,
    /// Of `deleted`: `whiteout`, `parent-removed` or `opaque`. Of `config`: `current` or `historic`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub how: Option<String>,
    /// The layer that hid it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by_layer: Option<usize>,
    /// The instruction that hid it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by_instruction: Option<String>,
    /// Where that stands in the Dockerfile that was given; none where that is not sure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by_dockerfile: Option<DockerfileEntry>,
}

/// An instruction of a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DockerfileEntry {
    /// The Dockerfile, relative to the working directory where it is below it, else as it was given.
    pub path: String,
    /// Where the instruction begins, from 1.
    pub line: u64,
    /// Where it ends: several lines where they are continued, or have a here-document.
    pub end_line: u64,
}

/// A problem or a note.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProblemEntry {
    /// Its kind.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// The target that it is about.
    pub source: String,
    /// Index into `images`.
    pub image: Option<usize>,
    /// Index of the layer.
    pub layer: Option<usize>,
    /// Path in the layer.
    pub path: Option<String>,
}

/// See [`Report::suppressed`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SuppressedEntry {
    /// `allow-comment`: a comment in the image says that they may stay. `public`: they are in files that are as a package has them. `base`:
    /// they came with the image that `--base` names. `ignored`: an ignore lets them pass. `baseline`: they were known before.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// What failed, what was let pass, and why.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct GateEntry {
    /// The day, in UTC, which ignores are held against.
    pub date: Option<String>,
    /// The configuration that was used, as it was found or named.
    pub config: Option<String>,
    /// The ignore file that was used.
    pub ignore_file: Option<String>,
    /// What a finding has to be to fail, in words, all of it; with none, any fails.
    pub conditions: Vec<String>,
    /// What failed.
    pub failed: FailedEntry,
    /// Listed findings that passed, by the first condition that they do not meet.
    pub passed: Vec<PassedEntry>,
    /// Ignores that let something pass.
    pub ignored: Vec<IgnoreEntry>,
    /// Ignores that let nothing pass any more, and what they fit fails.
    pub expired: Vec<IgnoreEntry>,
    /// The baseline.
    pub baseline: Option<BaselineEntry>,
}

/// See [`GateEntry::failed`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FailedEntry {
    /// How many findings.
    pub count: u64,
    /// Their ids, in the order of the findings. The same id may stand in several images.
    pub ids: Vec<String>,
    /// Codes of notes (`--fail-on-notes`).
    pub notes: Vec<String>,
}

/// See [`GateEntry::passed`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PassedEntry {
    /// `fate`, `severity`, `confidence`, `provider` or `layers`.
    pub condition: String,
    /// How many.
    pub count: u64,
}

/// An ignore.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IgnoreEntry {
    /// What it is for, as an ignore file has it.
    pub what: String,
    /// Why.
    pub because: String,
    /// The last day on which it holds; none where that is for ever.
    pub until: Option<String>,
    /// The file that it stands in.
    pub file: String,
    /// And the line.
    pub line: usize,
    /// How many findings it decided on.
    pub count: u64,
}

/// See [`GateEntry::baseline`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BaselineEntry {
    /// The file.
    pub file: String,
    /// How many findings it has.
    pub findings: u64,
    /// How many findings of this report it let pass.
    pub known: u64,
    /// How many of its findings are not there any more.
    pub gone: u64,
}

/// What was read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CoverageEntry {
    /// Uncompressed bytes.
    pub bytes_read: u64,
    /// Bytes that were searched.
    pub bytes_scanned: u64,
    /// Regular files.
    pub files: u64,
    /// Layers, each once.
    pub layers: u64,
    /// What was not searched, by reason.
    pub skipped: Vec<SkippedEntry>,
}

/// See [`CoverageEntry::skipped`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SkippedEntry {
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// How many bytes, where that is known.
    pub bytes: u64,
}

/// The formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs.
    Json,
    /// For programs that read line by line.
    Jsonl,
    /// For code scanning: SARIF 2.1.0.
    Sarif,
    /// For GitLab: a report of secret detection.
    Gitlab,
    /// For continuous integration: test cases.
    Junit,
    /// For people, as a comment on a pull request or a step's summary.
    Markdown,
    /// For spreadsheets.
    Csv,
    /// For people, as one page for a browser.
    #[cfg(feature = "html")]
    Html,
}

/// How a report for people looks.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// With ANSI colours.
    pub color: bool,
    /// Columns.
    pub width: usize,
}

/// When the scan ran, in seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    /// Its begin.
    pub from: u64,
    /// Its end.
    pub to: u64,
}

/// Writes `report`.
pub fn write(format: Format, style: Style, span: Span, report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    match format {
        Format::Human => human::write(report, style, out),
        Format::Json => json::write(report, out),
        Format::Jsonl => jsonl::write(report, out),
        Format::Sarif => sarif::write(report, out),
        Format::Gitlab => gitlab::write(report, span, out),
        Format::Junit => junit::write(report, out),
        Format::Markdown => markdown::write(report, out),
        Format::Csv => csv::write(report, out),
        #[cfg(feature = "html")]
        Format::Html => html::write(report, out),
    }
}
