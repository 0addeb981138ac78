//! The report for GitLab: a secret detection report, version 15.0.7 of its schema
//! (gitlab.com/gitlab-org/security-products/security-report-schemas).

use super::human::plural;
use super::words;
use super::{FindingEntry, ProblemEntry, Report, Span, fix, uri};
use crate::text::{cut, sanitise};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

const VERSION: &str = "15.0.7";
const SCHEMA: &str =
    "https://gitlab.com/gitlab-org/security-products/security-report-schemas/-/raw/v15.0.7/dist/secret-detection-report-format.json";
/// GitLab's own analyzers name this commit where a finding is in no other than the one that is built.
const COMMIT: &str = "0000000";
/// What the schema lets a name have, in bytes to be safe.
const MOST_OF_NAME: usize = 250;
/// The same for a solution.
const MOST_OF_SOLUTION: usize = 6900;
/// Problems, and notes, that are told one by one.
const MOST_MESSAGES: usize = 100;

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    schema: &'static str,
    scan: Scan<'a>,
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Serialize)]
struct Scan<'a> {
    r#type: &'static str,
    status: &'static str,
    start_time: String,
    end_time: String,
    analyzer: Tool<'a>,
    scanner: Tool<'a>,
    messages: Vec<Message>,
}

#[derive(Serialize)]
struct Tool<'a> {
    id: &'a str,
    name: &'a str,
    version: &'a str,
    vendor: Vendor<'a>,
}

#[derive(Serialize)]
struct Vendor<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Message {
    level: &'static str,
    value: String,
}

#[derive(Serialize)]
struct Vulnerability {
    id: String,
    name: String,
    description: String,
    severity: &'static str,
    solution: String,
    identifiers: [Identifier; 1],
    location: Location,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_source_code_extract: Option<String>,
    details: BTreeMap<&'static str, Detail>,
}

#[derive(Serialize)]
struct Identifier {
    r#type: &'static str,
    name: String,
    value: String,
}

#[derive(Serialize)]
struct Location {
    file: String,
    start_line: u64,
    end_line: u64,
    commit: Commit,
}

#[derive(Serialize)]
struct Commit {
    sha: &'static str,
}

/// A field that GitLab shows.
#[derive(Serialize)]
#[serde(tag = "type")]
enum Detail {
    /// As it is.
    #[serde(rename = "text")]
    Text { name: &'static str, value: String },
    /// As a link to a file of the project.
    #[serde(rename = "file-location")]
    Line { name: &'static str, file_name: String, line_start: u64, line_end: u64 },
}

/// Writes one document.
pub fn write(report: &Report, span: Span, out: &mut dyn io::Write) -> io::Result<()> {
    let tool = || Tool {
        id: &report.tool.name,
        name: &report.tool.name,
        version: &report.tool.version,
        vendor: Vendor { name: &report.tool.name },
    };
    let mut known = Known::default();
    let document = Document {
        version: VERSION,
        schema: SCHEMA,
        scan: Scan {
            r#type: "secret_detection",
            status: if report.complete { "success" } else { "failure" },
            start_time: time(span.from),
            end_time: time(span.to),
            analyzer: tool(),
            scanner: tool(),
            messages: messages(report),
        },
        vulnerabilities: report.findings.iter().map(|finding| vulnerability(report, finding, &mut known)).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

fn messages(report: &Report) -> Vec<Message> {
    let mut messages = vec![Message { level: "info", value: format!("verdict: {}; {}", report.verdict, words::counts(report)) }];
    messages.push(Message { level: if report.complete { "info" } else { "warn" }, value: words::coverage(report) });
    messages.extend(report.suppressed.iter().map(|suppressed| Message { level: "info", value: words::left_out(suppressed) }));
    let mut remarks = |level, what, entries: &[ProblemEntry]| {
        let told = entries.iter().take(MOST_MESSAGES).map(|entry| words::remark(report, entry));
        let more = entries.len().saturating_sub(MOST_MESSAGES);
        let more = (more > 0).then(|| format!("and {} more", plural(more, what)));
        messages.extend(told.chain(more).map(|value| Message { level, value }));
    };
    remarks("warn", "problem", &report.problems);
    remarks("info", "note", &report.notes);
    messages
}

/// What other findings have taken.
#[derive(Default)]
struct Known<'a> {
    ids: HashMap<&'a str, usize>,
    places: HashSet<(&'a str, String, u64)>,
}

fn vulnerability<'a>(report: &Report, finding: &'a FindingEntry, known: &mut Known<'a>) -> Vulnerability {
    // The same in another image has the same id. What follows a dash in an id tells another difference.
    let again = known.ids.entry(&finding.id).or_insert(0);
    *again += 1;
    let id = if *again == 1 { finding.id.clone() } else { format!("{}.{again}", finding.id) };
    let fix = fix::fix(finding);
    let blocks = fix.blocks.iter().map(|block| format!("\n{}: {}\n{}\n", block.file, sanitise(&block.say), block.text));
    let solution = format!("{}\n{}", sanitise(&fix.rotate), blocks.collect::<String>());
    let rule = sanitise(&finding.rule);
    Vulnerability {
        name: cut(&sanitise(&finding.title), MOST_OF_NAME).into_owned(),
        description: format!("{}\n\n{}", words::told(finding), sanitise(&fix.why)),
        severity: match finding.severity.as_str() {
            "critical" => "Critical",
            "high" => "High",
            "medium" => "Medium",
            "low" => "Low",
            _ => "Unknown",
        },
        solution: cut(&solution, MOST_OF_SOLUTION).into_owned(),
        identifiers: [Identifier { r#type: "pentimento_rule_id", name: format!("pentimento rule {rule}"), value: rule }],
        location: location(finding, &id, &mut known.places),
        id,
        raw_source_code_extract: finding.secret.value.clone(),
        details: details(report, finding),
    }
}

/// The file in the image. GitLab takes findings of one rule in one place for one, and knows neither layers nor columns: what would be
/// taken for another has its id behind the name.
fn location<'a>(finding: &'a FindingEntry, id: &str, taken: &mut HashSet<(&'a str, String, u64)>) -> Location {
    let (mut file, line) = (sanitise(&uri::place(finding)), finding.location.line.max(1));
    while !taken.insert((&finding.rule, file.clone(), line)) {
        file = format!("{file}#{id}");
    }
    Location { file, start_line: line, end_line: line, commit: Commit { sha: COMMIT } }
}

fn details(report: &Report, finding: &FindingEntry) -> BTreeMap<&'static str, Detail> {
    let fields = [
        ("image", "Image", Some(words::image_of(report, finding)).filter(|name| !name.is_empty())),
        ("place", "Place", Some(words::place(finding))),
        ("origin", "Brought in by", words::brought_in(finding)),
        ("fate", "What became of it", Some(words::fate(finding))),
        ("confidence", "Confidence", Some(finding.confidence.clone())),
        ("finding", "Finding", Some(finding.id.clone())),
        ("retrieve", "How to get it back", finding.retrieve.as_deref().map(sanitise)),
    ];
    let texts = fields.into_iter().filter_map(|(key, name, value)| Some((key, Detail::Text { name, value: value? })));
    let lines = [("dockerfile", "Dockerfile", &finding.dockerfile), ("by_dockerfile", "Hidden by", &finding.fate.by_dockerfile)];
    let lines = lines.into_iter().filter_map(|(key, name, at)| {
        let at = at.as_ref()?;
        Some((key, Detail::Line { name, file_name: sanitise(&at.path), line_start: at.line, line_end: at.end_line }))
    });
    texts.chain(lines).collect()
}

/// `2024-05-06T07:08:09`, in UTC.
fn time(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Year, month and day of a day since 1970-01-01.
fn date(mut days: u64) -> (u64, u64, u64) {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    (year, month as u64 + 1, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_dates() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (1_714_979_289, "2024-05-06T07:08:09"),
            (1_735_689_599, "2024-12-31T23:59:59"),
        ] {
            assert_eq!(time(seconds), expected);
        }
    }
}
