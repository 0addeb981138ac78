//! The report for code scanning: SARIF 2.1.0, within what GitHub takes (docs.github.com, "SARIF support for code scanning"): 25,000 results,
//! 25,000 rules, 10 MB packed with gzip. The worst come first, and what is cut is told.

mod log;

use super::human::plural;
use super::words;
use super::{FindingEntry, ImageEntry, ProblemEntry, Report, fix, uri};
use crate::text::{cut, sanitise};
use flate2::Compression;
use flate2::write::GzEncoder;
use log::{
    ArtifactLocation, AutomationDetails, Configuration, Descriptor, Driver, Help, Invocation, Location, Log, LogicalLocation,
    LogicalReference, Notification, PhysicalLocation, Region, ResultProperties, Rule, RuleProperties, Run, RunProperties, Text, Tool,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Write};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// Results in a run. As many rules are allowed, and there is one result a rule at least.
const MOST_RESULTS: usize = 25_000;
/// Bytes of a file, packed with gzip, as it is uploaded.
const MOST_BYTES: usize = 10_000_000;
/// What of them is not given away: for the note about the cut, and for whoever packs a little worse than it is counted here.
const SPARE: usize = 200_000;
/// Problems, and notes, that are told one by one.
const MOST_REMARKS: usize = 200;
/// Bytes of an instruction in a result's properties.
const MOST_OF_INSTRUCTION: usize = 1_000;

/// Writes one log with one run.
pub fn write(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let mut log = Log { schema: SCHEMA, version: "2.1.0", runs: [empty(report)] };
    let mut made = Made { images: image_names(report), ..Made::default() };
    made.room.take([&serde_json::to_vec(&log)?, b"", b""])?;
    let [run] = &mut log.runs;
    for finding in words::worst_first(report).into_iter().take(MOST_RESULTS) {
        if !made.add(finding)? {
            break;
        }
    }
    run.properties.listed = made.results.len();
    run.invocations[0].tool_execution_notifications.extend(cut_off(made.results.len(), report.findings.len()));
    (run.results, run.tool.driver.rules, run.logical_locations) = (made.results, made.rules, made.logical);
    serde_json::to_writer(&mut *out, &log)?;
    out.write_all(b"\n")
}

/// What each image is called. Of several with one name, each has its platform; where that does not tell them apart, a number.
fn image_names(report: &Report) -> Vec<String> {
    let mut named: HashMap<String, usize> = HashMap::new();
    report.images.iter().for_each(|image| *named.entry(words::image_name(image)).or_default() += 1);
    let mut taken = HashSet::new();
    let name = |image: &ImageEntry| {
        let name = words::image_name(image);
        let platform = image.platform.as_deref().filter(|_| named[&name] > 1);
        let name = platform.map(|platform| format!("{name} ({})", sanitise(platform))).unwrap_or(name);
        let name = distinct(name, |name| !taken.contains(name));
        taken.insert(name.clone());
        name
    };
    report.images.iter().map(name).collect()
}

/// The name, with a number behind it where it is not free.
fn distinct(name: String, free: impl Fn(&str) -> bool) -> String {
    if free(&name) {
        return name;
    }
    (2..).map(|number: usize| format!("{name} [{number}]")).find(|name| free(name)).unwrap_or(name)
}

/// How large the file is once it is packed: its results, rules and logical locations, each of which stands in a place of its own. What was
/// written since the last flush counts as it is.
struct Room {
    packed: [GzEncoder<Count>; 3],
    since: usize,
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Default for Room {
    fn default() -> Room {
        Room { packed: std::array::from_fn(|_| GzEncoder::new(Count(0), Compression::fast())), since: 0 }
    }
}

impl Room {
    /// Takes what is next of each, if there is room for it.
    fn take(&mut self, parts: [&[u8]; 3]) -> io::Result<bool> {
        const FLUSH: usize = 64 << 10;
        let packed: usize = self.packed.iter().map(|packed| packed.get_ref().0).sum();
        let more: usize = parts.iter().map(|part| part.len()).sum();
        if packed + self.since + more + SPARE > MOST_BYTES {
            return Ok(false);
        }
        self.since += more;
        for (packed, part) in self.packed.iter_mut().zip(parts) {
            packed.write_all(part)?;
            if self.since > FLUSH {
                packed.flush()?;
            }
        }
        if self.since > FLUSH {
            self.since = 0;
        }
        Ok(true)
    }
}

/// The run without its results.
fn empty(report: &Report) -> Run<'_> {
    Run {
        tool: Tool {
            driver: Driver {
                name: &report.tool.name,
                version: &report.tool.version,
                semantic_version: &report.tool.version,
                rules: Vec::new(),
            },
        },
        automation_details: AutomationDetails { id: category(report) },
        invocations: [Invocation { execution_successful: report.complete, tool_execution_notifications: notifications(report) }],
        results: Vec::new(),
        logical_locations: Vec::new(),
        properties: RunProperties {
            verdict: &report.verdict,
            complete: report.complete,
            counts: words::counts(report),
            listed: report.findings.len(),
            found: report.findings.len(),
            not_listed: report.suppressed.iter().map(|suppressed| (suppressed.reason.as_str(), suppressed.count)).collect(),
        },
    }
}

/// `pentimento/app/`: what stands in front of the last slash is the category, by which code scanning keeps the alerts of several images apart.
/// No tag is in it: with each build it would be another. Of several names it is the first, in the order of the alphabet; where there is none,
/// what the target is called.
fn category(report: &Report) -> String {
    let names = report.images.iter().flat_map(|image| &image.names).filter_map(|name| words::repository(name)).min();
    match names.or_else(|| report.images.iter().filter_map(|image| words::stem(&image.source)).min()) {
        Some(name) => format!("pentimento/{}/", uri::relative(name)),
        None => "pentimento/".to_owned(),
    }
}

fn notifications(report: &Report) -> Vec<Notification<'_>> {
    let told = |entries: &'_ [ProblemEntry], level, what| {
        let one = |entry: &ProblemEntry| message(&words::remark(report, entry));
        let mut texts: Vec<Text> = entries.iter().take(MOST_REMARKS).map(one).collect();
        let more = entries.len().saturating_sub(MOST_REMARKS);
        texts.extend((more > 0).then(|| message(&format!("and {} more", plural(more, what)))));
        (texts, level)
    };
    let lists = [(&report.problems, told(&report.problems, "error", "problem")), (&report.notes, told(&report.notes, "note", "note"))];
    let mut notifications = Vec::new();
    for (entries, (texts, level)) in lists {
        let ids = entries.iter().map(|entry| entry.code.as_str()).take(MOST_REMARKS).chain(["more"]);
        notifications.extend(ids.zip(texts).map(|(id, message)| Notification { descriptor: Descriptor { id }, level, message }));
    }
    notifications
}

fn cut_off(listed: usize, found: usize) -> Option<Notification<'static>> {
    (listed < found).then(|| Notification {
        descriptor: Descriptor { id: "results-cut" },
        level: "warning",
        message: message(&format!(
            "only the {listed} worst of {found} findings are listed: code scanning takes {MOST_RESULTS} results and {} MB (packed) at most; \
             `--format json` has all",
            MOST_BYTES / 1_000_000
        )),
    })
}

/// What was made so far.
#[derive(Default)]
struct Made<'a> {
    /// What each image is called, no two the same.
    images: Vec<String>,
    results: Vec<log::Result<'a>>,
    rules: Vec<Rule<'a>>,
    rule_at: HashMap<&'a str, usize>,
    logical: Vec<LogicalLocation>,
    /// By parent and name.
    logical_at: HashMap<(Option<usize>, String), usize>,
    /// Full names that are taken: the standard wants no two locations that are the same.
    taken: HashSet<String>,
    /// How often an id came: the same in another image has the same.
    seen: HashMap<&'a str, usize>,
    room: Room,
}

impl<'a> Made<'a> {
    /// Adds the result, and the rule and logical locations that it needs. False if there is no room for them: then there is none of them.
    fn add(&mut self, finding: &'a FindingEntry) -> io::Result<bool> {
        let (rules, logical) = (self.rules.len(), self.logical.len());
        let rule_index = self.rule(finding);
        let place = self.place(finding);
        let again = self.seen.entry(&finding.id).or_insert(0);
        *again += 1;
        let result = result(finding, rule_index, place, *again);
        let parts =
            [serde_json::to_vec(&result)?, serde_json::to_vec(&self.rules[rules..])?, serde_json::to_vec(&self.logical[logical..])?];
        let fits = self.room.take([&parts[0], &parts[1], &parts[2]])?;
        if fits {
            self.results.push(result);
        } else {
            self.rules.truncate(rules);
            self.logical.truncate(logical);
        }
        Ok(fits)
    }

    fn rule(&mut self, finding: &'a FindingEntry) -> usize {
        let rules = &mut self.rules;
        *self.rule_at.entry(&finding.rule).or_insert_with(|| {
            rules.push(rule(finding));
            rules.len() - 1
        })
    }

    /// The way from the image over the layer to the file.
    fn place(&mut self, finding: &FindingEntry) -> LogicalReference {
        let at = &finding.location;
        let member = || at.member.clone().unwrap_or_default();
        let image = finding.image.and_then(|index| self.images.get(index)).cloned().unwrap_or_else(member);
        // Two images of one name are two: the index tells them apart.
        let key = finding.image.map_or_else(|| image.clone(), |index| format!("{index}"));
        let mut index = self.logical_location(None, key, image, "image");
        if let Some(layer) = at.layer {
            let name = format!("layer {layer}");
            index = self.logical_location(Some(index), name.clone(), name, "layer");
        }
        let (name, kind) = match &at.path {
            Some(path) => ([std::slice::from_ref(path), &at.inner].concat().join("!"), "file"),
            None => (uri::place(finding), "metadata"),
        };
        let index = self.logical_location(Some(index), name.clone(), name, kind);
        LogicalReference { index, fully_qualified_name: self.logical[index].fully_qualified_name.clone() }
    }

    fn logical_location(&mut self, parent_index: Option<usize>, key: String, name: String, kind: &'static str) -> usize {
        let (logical, taken) = (&mut self.logical, &mut self.taken);
        *self.logical_at.entry((parent_index, key)).or_insert_with(|| {
            let name = sanitise(&name);
            let parent = parent_index.map(|index| format!("{}/", logical[index].fully_qualified_name)).unwrap_or_default();
            let name = distinct(name, |name| !taken.contains(&format!("{parent}{name}")));
            let fully_qualified_name = format!("{parent}{name}");
            taken.insert(fully_qualified_name.clone());
            logical.push(LogicalLocation { fully_qualified_name, name, kind, parent_index });
            logical.len() - 1
        })
    }
}

fn level(severity: &str) -> &'static str {
    match severity {
        "critical" | "high" => "error",
        "medium" => "warning",
        _ => "note",
    }
}

fn security_severity(severity: &str) -> &'static str {
    match severity {
        "critical" => "9.5",
        "high" => "8.0",
        "medium" => "5.5",
        _ => "2.0",
    }
}

/// A text of SARIF's own syntax: braces and links are written out (3.11.5, 3.11.6).
fn message(text: &str) -> Text {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '{' | '}' => out.extend([c, c]),
            '[' | ']' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    Text { text: out }
}

fn rule(finding: &FindingEntry) -> Rule<'_> {
    let title = cut(&sanitise(&finding.title), 500).into_owned();
    let rotate = sanitise(&fix::fix(finding).rotate);
    let steps = [
        "Build the image without it: a file stays out of the build context with `.dockerignore`; what a step needs comes by \
         `RUN --mount=type=secret`. A later `RUN rm` takes nothing out of an image.",
        "Remove the images that have it from the registry, caches included.",
        "`pentimento scan` again: every layer has to be clean, not only what shows.",
    ];
    let list: String = steps.iter().enumerate().map(|(number, step)| format!("{}. {step}\n", number + 2)).collect();
    let name: String = finding.rule.split(|c: char| !c.is_ascii_alphanumeric()).map(capitalised).collect();
    let provider = Some(finding.provider.as_str()).filter(|provider| !matches!(*provider, "" | "generic"));
    Rule {
        id: &finding.rule,
        name,
        short_description: Text { text: title.clone() },
        full_description: Text {
            text: format!(
                "{title}, in a layer, the configuration or the history of a container image. Whoever can pull the image can read it, also where \
                 a later layer deleted or overwrote the file."
            ),
        },
        help: Help {
            text: format!("How to rotate it:\n1. {rotate}\n{list}"),
            markdown: format!("### How to rotate it\n\n1. {}\n{list}", without_markup(&rotate)),
        },
        default_configuration: Configuration { level: level(&finding.severity) },
        properties: RuleProperties {
            tags: ["security", "secret"].into_iter().chain(provider).collect(),
            security_severity: security_severity(&finding.severity),
        },
    }
}

/// Rules may come from anywhere: no HTML, and no image that is fetched.
fn without_markup(text: &str) -> String {
    text.replace('<', "&lt;").replace("![", "!&#91;")
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| format!("{}{}", first.to_ascii_uppercase(), letters.as_str())).unwrap_or_default()
}

fn result(finding: &FindingEntry, rule_index: usize, place: LogicalReference, again: usize) -> log::Result<'_> {
    let at = &finding.location;
    let (uri, start_line, end_line) = match &finding.dockerfile {
        Some(entry) => (uri::relative(&entry.path), entry.line, entry.end_line),
        None => (uri::relative(&uri::place(finding)), at.line.max(1), at.line.max(1)),
    };
    let instruction = |text: &Option<String>| text.as_deref().map(|text| cut(&sanitise(text), MOST_OF_INSTRUCTION).into_owned());
    log::Result {
        rule_id: &finding.rule,
        rule_index,
        level: level(&finding.severity),
        message: message(&words::told(finding)),
        locations: [Location {
            physical_location: PhysicalLocation { artifact_location: ArtifactLocation { uri }, region: Region { start_line, end_line } },
            logical_locations: [place],
        }],
        // The first is what code scanning compares; without it, it would be made from a file of the repository.
        partial_fingerprints: BTreeMap::from([
            ("primaryLocationLineHash", format!("{}:{again}", finding.id)),
            ("pentimentoFinding/v1", finding.id.clone()),
        ]),
        properties: ResultProperties {
            severity: &finding.severity,
            confidence: &finding.confidence,
            fate: &finding.fate.state,
            fate_how: finding.fate.how.as_deref(),
            by_layer: finding.fate.by_layer,
            by_instruction: instruction(&finding.fate.by_instruction),
            recoverable: finding.recoverable,
            fails: finding.fails,
            layer: at.layer,
            diff_id: at.diff_id.as_deref(),
            instruction: instruction(&finding.instruction),
            kind: &at.kind,
            line: at.line,
            column: at.column,
            offset: at.offset,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_no_links_and_no_placeholders() {
        assert_eq!(message("RUN [a](1) ${X} {0}").text, "RUN \\[a\\](1) ${{X}} {{0}}");
    }

    #[test]
    fn severities_are_numbers_that_code_scanning_knows() {
        for severity in words::SEVERITIES {
            let number: f64 = security_severity(severity).parse().expect("a number");
            let word = match number {
                9.0.. => "critical",
                7.0.. => "high",
                4.0.. => "medium",
                _ => "low",
            };
            assert_eq!(word, severity);
        }
    }
}
