//! The report for people: secrets, the worst first, each with the life of every place it stands in.

use super::retrieve::shell_word;
use super::words;
use super::{FateEntry, FindingEntry, ImageEntry, Report, Style, outcome};
use crate::text::{sanitise, shorten};
use anstyle::{AnsiColor, Color, Style as Ansi};
use std::collections::HashSet;
use std::io::{self, Write};

/// Places of one secret that are shown; the rest is counted.
const MOST_PLACES: usize = 4;
/// Layers that the strip shows one by one; more share cells.
const MOST_CELLS: usize = 48;
/// Problems and notes that are shown; the rest is counted.
const MOST_PROBLEMS: usize = 12;

/// Writes the whole report.
pub fn write(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let absent = report.images.iter().map(absent).collect();
    let mut page = Page { report, style, out, absent, told: Vec::new() };
    page.images()?;
    for group in groups(report) {
        page.secret(&group)?;
    }
    page.problems()?;
    page.summary()
}

/// Where a life line ends, and how: a shape for each fate. What still shows is only born.
fn mark(state: &str) -> char {
    match state {
        "deleted" => '✕',
        "overwritten" => '◆',
        "replaced" => '□',
        "superseded" => '○',
        "hidden" => '△',
        _ => '●',
    }
}

/// Findings by secret, in the order of their worst: what fails before what passes.
pub(super) fn groups(report: &Report) -> Vec<Vec<&FindingEntry>> {
    let mut order: Vec<Vec<&FindingEntry>> = Vec::new();
    let mut at = std::collections::HashMap::new();
    for finding in &report.findings {
        let index = *at.entry(finding.secret.group).or_insert_with(|| {
            order.push(Vec::new());
            order.len() - 1
        });
        order[index].push(finding);
    }
    order.iter_mut().for_each(|group| group.sort_by_key(|finding| !finding.fails));
    order.sort_by_key(|group| group.first().is_some_and(|finding| !finding.fails));
    order
}

/// The cell of a layer in the strip of an image with so many of them.
fn cell(layer: usize, layers: usize) -> usize {
    layer * layers.min(MOST_CELLS) / layers
}

fn absent(image: &ImageEntry) -> HashSet<usize> {
    let absent = image.layers.iter().filter(|layer| image.kind == "image" && layer.blob.is_none());
    absent.map(|layer| cell(layer.index, image.layers.len())).collect()
}

struct Page<'a> {
    report: &'a Report,
    style: Style,
    out: &'a mut dyn Write,
    /// By image, the cells of its strip with a layer whose bytes are not there: what it does is not known.
    absent: Vec<HashSet<usize>>,
    /// What was said of the last place: several secrets of one file share it.
    told: Vec<(&'static str, String)>,
}

impl Page<'_> {
    fn paint(&self, color: AnsiColor, bold: bool, text: &str) -> String {
        if !self.style.color {
            return text.to_owned();
        }
        let ansi = Ansi::new().fg_color(Some(Color::Ansi(color)));
        let ansi = if bold { ansi.bold() } else { ansi };
        format!("{ansi}{text}{ansi:#}")
    }

    fn dim(&self, text: &str) -> String {
        self.paint(AnsiColor::BrightBlack, false, text)
    }

    fn images(&mut self) -> io::Result<()> {
        for (index, image) in self.report.images.iter().enumerate() {
            let mut words = vec![if image.names.is_empty() { "untagged".to_owned() } else { image.names.join(", ") }];
            let size = image.layers.iter().map(|l| l.size).sum();
            match image.kind.as_str() {
                "file-system" => words = vec!["no image: a file system".to_owned()],
                "artifact" => words.push("an artifact".to_owned()),
                _ => words.push(image.platform.clone().unwrap_or_else(|| "unknown platform".to_owned())),
            }
            words.extend(image.orphan.then(|| "orphan".to_owned()));
            let number = if self.report.images.len() > 1 { format!("[{index}] ") } else { String::new() };
            let count = plural(image.layers.len(), "layer");
            words.extend([count, bytes(size)]);
            let line = sanitise(&words.join(" · "));
            writeln!(self.out, "{number}{}  {}", self.paint(AnsiColor::White, true, &sanitise(&image.source)), self.dim(&line))?;
        }
        writeln!(self.out)
    }

    fn secret(&mut self, group: &[&FindingEntry]) -> io::Result<()> {
        let Some(worst) = group.first() else { return Ok(()) };
        let color = match worst.severity.as_str() {
            "critical" => AnsiColor::Magenta,
            "high" => AnsiColor::Red,
            "medium" => AnsiColor::Yellow,
            _ => AnsiColor::Cyan,
        };
        let severity = self.paint(color, true, &format!("{:<8}", worst.severity));
        let value = match &worst.secret.value {
            Some(value) => shorten(&sanitise(value), 200),
            None => sanitise(&worst.secret.redacted),
        };
        let sure = if worst.confidence == "high" { String::new() } else { format!("  ({} confidence)", worst.confidence) };
        writeln!(self.out, "{severity} {}  {}{}", sanitise(&worst.title), self.paint(AnsiColor::White, true, &value), self.dim(&sure))?;
        if !worst.facts.is_empty() {
            let facts: Vec<String> = worst.facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
            writeln!(self.out, "    {}", self.dim(&sanitise(&facts.join(" · "))))?;
        }
        for finding in group.iter().take(MOST_PLACES) {
            self.place(finding)?;
        }
        if group.len() > MOST_PLACES {
            writeln!(
                self.out,
                "    {}",
                self.dim(&format!("and {} more (--format json lists them)", plural(group.len() - MOST_PLACES, "place")))
            )?;
        }
        writeln!(self.out)
    }

    fn place(&mut self, finding: &FindingEntry) -> io::Result<()> {
        let strip = self.strip(finding);
        let image = match finding.image {
            Some(index) if self.report.images.len() > 1 => format!("[{index}] "),
            _ => String::new(),
        };
        let passes = match &finding.let_pass {
            Some(why) => format!("  [{why}]"),
            None if finding.fails => String::new(),
            None => "  [passes]".to_owned(),
        };
        let id = self.dim(&format!("{}{passes}", finding.id));
        writeln!(self.out, "    {strip}{image}{}  {}  {id}", sanitise(&location(finding)), self.fate(finding))?;
        let mut told = life_lines(finding);
        // What tar cannot get, by its name or its place, we can.
        let target = finding.image.and_then(|image| self.report.images.get(image)).map(words::target);
        let target = target.filter(|target| target != "-").and_then(|target| shell_word(&target));
        if let (None, "file", Some(target)) = (&finding.retrieve, &finding.location.kind[..], target) {
            told.push(("get", format!("pentimento recover {target} {}", finding.id)));
        }
        if self.told == told {
            return Ok(());
        }
        let width = self.style.width.saturating_sub(11);
        for (label, text) in &told {
            // A command is to be copied: it is never cut.
            let text = if *label == "get" { sanitise(text) } else { self.dim(&shorten(&sanitise(text), width)) };
            writeln!(self.out, "      {label:<4} {text}")?;
        }
        self.told = told;
        Ok(())
    }

    /// The life line, one cell a layer: `·` not there yet, `●` born, `━` visible, `┿` written again, a mark where and how it was hidden, `░`
    /// recoverable all the same. Nothing for metadata. The page for browsers has the same marks.
    fn strip(&self, finding: &FindingEntry) -> String {
        let layers = finding.image.and_then(|i| self.report.images.get(i)).map_or(0, |i| i.layers.len());
        let Some(born) = finding.location.layer.filter(|_| finding.location.kind == "file" && layers > 0) else { return String::new() };
        let died = finding.fate.by_layer.filter(|by| *by > born);
        let gone = finding.fate.state != "present";
        let cells = layers.min(MOST_CELLS);
        let cell = |layer: usize| cell(layer, layers);
        let absent = finding.image.and_then(|i| self.absent.get(i));
        let mut strip = String::new();
        for at in 0..cells {
            strip.push(match at {
                _ if died.is_some_and(|died| at == cell(died)) => mark(&finding.fate.state),
                _ if at == cell(born) => {
                    if died.is_none() {
                        mark(&finding.fate.state)
                    } else {
                        '●'
                    }
                }
                _ if absent.is_some_and(|absent| absent.contains(&at)) => '?',
                _ if at < cell(born) => '·',
                _ if died.is_some_and(|died| at > cell(died)) || died.is_none() && gone => '░',
                _ if finding.rewritten_in.iter().any(|again| at == cell(*again)) => '┿',
                _ => '━',
            });
        }
        format!("{}  ", self.paint(if gone { AnsiColor::Red } else { AnsiColor::Yellow }, false, &strip))
    }

    fn fate(&self, finding: &FindingEntry) -> String {
        let how = fate_words(&finding.fate);
        let recoverable = !matches!(finding.fate.state.as_str(), "present" | "config");
        let text = if recoverable { format!("{how}, recoverable") } else { how.to_owned() };
        self.paint(if recoverable { AnsiColor::Red } else { AnsiColor::Yellow }, false, &text)
    }

    fn problems(&mut self) -> io::Result<()> {
        for (title, entries, color) in [("problem", &self.report.problems, AnsiColor::Red), ("note", &self.report.notes, AnsiColor::Cyan)] {
            for entry in entries.iter().take(MOST_PROBLEMS) {
                let image = entry.image.filter(|_| self.report.images.len() > 1).map(|i| format!(" [{i}]")).unwrap_or_default();
                let layer = entry.layer.map(|l| format!("{image} (layer {l})")).unwrap_or(image);
                let path = entry.path.as_ref().map(|p| format!(" {p}")).unwrap_or_default();
                let text = sanitise(&format!("{}{layer}{path}: {}", entry.code, entry.message));
                writeln!(self.out, "{} {text}", self.paint(color, true, title))?;
            }
            if entries.len() > MOST_PROBLEMS {
                writeln!(self.out, "{}", self.dim(&format!("and {} more", plural(entries.len() - MOST_PROBLEMS, title))))?;
            }
        }
        if !self.report.problems.is_empty() || !self.report.notes.is_empty() {
            writeln!(self.out)?;
        }
        Ok(())
    }

    fn summary(&mut self) -> io::Result<()> {
        let report = self.report;
        let coverage = &report.coverage;
        let counts = words::counts(report);
        writeln!(self.out, "{}", if report.findings.is_empty() { counts } else { self.paint(AnsiColor::White, true, &counts) })?;
        for suppressed in &report.suppressed {
            let allowed = !matches!(suppressed.reason.as_str(), "base" | "public");
            let color = if allowed { AnsiColor::Yellow } else { AnsiColor::BrightBlack };
            writeln!(self.out, "{}", self.paint(color, false, &words::left_out(suppressed)))?;
        }
        let see = if report.complete { "" } else { ": see the problems above" };
        writeln!(self.out, "{}{see}", words::coverage(report))?;
        for skipped in &coverage.skipped {
            writeln!(
                self.out,
                "{}",
                self.dim(&format!("{} ({}): {}", plural(skipped.count as usize, "file"), bytes(skipped.bytes), skipped.reason))
            )?;
        }
        self.gate()
    }

    fn gate(&mut self) -> io::Result<()> {
        for (tone, line) in outcome::lines(self.report) {
            let line = sanitise(&line);
            let line = match tone {
                outcome::Tone::Bad => self.paint(AnsiColor::Red, true, &line),
                outcome::Tone::Doubtful => self.paint(AnsiColor::Yellow, false, &line),
                outcome::Tone::Quiet => self.dim(&line),
            };
            writeln!(self.out, "{line}")?;
        }
        writeln!(self.out, "verdict: {}", self.verdict())?;
        for (at, next) in outcome::next(self.report).iter().enumerate() {
            writeln!(self.out, "{} {}", if at == 0 { "next:" } else { "  or:" }, sanitise(next))?;
        }
        Ok(())
    }

    fn verdict(&self) -> String {
        let color = match self.report.verdict.as_str() {
            "clean" | "passed" => AnsiColor::Green,
            "found" => AnsiColor::Red,
            _ => AnsiColor::Yellow,
        };
        self.paint(color, true, &self.report.verdict)
    }
}

/// What brought a file in, what took it out, where else it is, and how to get it back.
fn life_lines(finding: &FindingEntry) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if finding.location.kind != "file" {
        return lines;
    }
    // A file system has one layer and no history: there is nothing to say of where a file came from.
    if let Some(layer) = finding
        .location
        .layer
        .filter(|_| finding.instruction.is_some() || !finding.instructions.is_empty() || finding.location.diff_id.is_some())
    {
        let at = finding.dockerfile.as_ref().map(|entry| format!(", {}", words::line(entry))).unwrap_or_default();
        lines.push(("in", format!("layer {layer}{at}: {}", short_digests(&came_from(finding)))));
    }
    if let [first, ..] = finding.rewritten_in[..] {
        let more = if finding.rewritten_in.len() > 1 { format!(" and {} more", finding.rewritten_in.len() - 1) } else { String::new() };
        lines.push(("and", format!("layer {first}{more} wrote it again with the same content (chmod, chown, touch)")));
    }
    if let Some(by) = finding.fate.by_layer {
        let instruction = finding.fate.by_instruction.as_deref().unwrap_or("unknown instruction");
        let at = finding.fate.by_dockerfile.as_ref().map(|entry| format!(", {}", words::line(entry))).unwrap_or_default();
        lines.push(("out", format!("layer {by}{at}: {}", short_digests(instruction))));
    }
    if !finding.also_visible.is_empty() {
        lines.push(("also", format!("visible as {}", finding.also_visible.join(", "))));
    }
    if let Some(package) = &finding.public {
        lines.push(("from", format!("{package}, as everybody can download it")));
    }
    if let Some(reason) = &finding.engine_dependent {
        lines.push(("but", reason.clone()));
    }
    lines.extend(finding.retrieve.iter().map(|command| ("get", command.clone())));
    lines
}

/// `COPY file:af3c6b76dc19… in /app`: the classic builder's digests, cut to what a person can compare.
pub fn short_digests(instruction: &str) -> String {
    let short = |word: &str| match word.split_once(':') {
        Some((kind @ ("file" | "dir" | "multi"), digest)) if digest.len() == 64 && digest.is_ascii() => {
            format!("{kind}:{}…", &digest[..12])
        }
        _ => word.to_owned(),
    };
    instruction.split(' ').map(short).collect::<Vec<_>>().join(" ")
}

/// Where a finding is, in a line.
pub fn location(finding: &FindingEntry) -> String {
    let at = &finding.location;
    match (&at.path, &at.pointer) {
        (Some(path), _) => {
            let inner: String = at.inner.iter().map(|part| format!("!{part}")).collect();
            let xattr = at.xattr.as_ref().map(|name| format!("@{name}")).unwrap_or_default();
            let blob = at.member.as_ref().map(|member| format!("{member} → ")).unwrap_or_default();
            format!("{blob}{path}{inner}{xattr}:{}:{}", at.line, at.column)
        }
        (None, Some(pointer)) => match (&at.kind[..], &finding.instruction) {
            ("history", Some(instruction)) => {
                let argument = at.name.as_ref().map(|name| format!(", build argument {name} of")).unwrap_or_else(|| ":".to_owned());
                format!("history step {}{argument} {}", at.step.unwrap_or_default(), shorten(instruction, 60))
            }
            (kind @ ("env" | "label"), _) if at.name.is_some() => format!("{kind} {}", at.name.as_deref().unwrap_or_default()),
            (kind, _) => format!("{kind} {}{pointer}", at.member.as_ref().map(|b| format!("{b} ")).unwrap_or_default()),
        },
        (None, None) => String::new(),
    }
}

pub(super) fn came_from(finding: &FindingEntry) -> String {
    match (&finding.instruction, &finding.instructions[..]) {
        (Some(instruction), _) => instruction.clone(),
        (None, []) => "unknown instruction".to_owned(),
        (None, [only]) => format!("probably {only}"),
        (None, [first, .., last]) => format!("one of {} steps: {first} … {last}", finding.instructions.len()),
    }
}

/// A number of things.
pub fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A size with a unit of 1000.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// A fate in a few words.
pub fn fate_words(fate: &FateEntry) -> &'static str {
    match fate.how.as_deref() {
        Some("parent-removed") => "deleted with its directory",
        Some("opaque") => "deleted with its directory, which was made anew",
        Some("historic") => "overridden later, still in the history",
        Some("current") => "readable by whoever can pull the image",
        _ => match fate.state.as_str() {
            "deleted" => "deleted",
            "overwritten" => "overwritten",
            "replaced" => "replaced by something of another type",
            "superseded" => "superseded within its layer",
            "hidden" => "in the archive's bytes, in no file system",
            _ => "present",
        },
    }
}

/// A fate, and the layer that brought it about.
pub fn fate_told(fate: &FateEntry) -> String {
    let by = fate.by_layer.map(|by| format!(" by layer {by}")).unwrap_or_default();
    format!("{}{by}", fate_words(fate))
}
