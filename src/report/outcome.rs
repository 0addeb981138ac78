//! What the gate did, in words: what failed, what was let pass and why, and what to do next.

use super::human::plural;
use super::retrieve::shell_word;
use super::words;
use super::{FindingEntry, IgnoreEntry, Report};
use crate::policy::Day;

/// Ignores that are told one by one; the rest is counted.
const MOST_IGNORES: usize = 12;
/// How long the ignore that is proposed holds, in days: long enough to revoke and rebuild.
const PROPOSED: i64 = 90;

/// What is good, bad, or to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Bad,
    Doubtful,
    Quiet,
}

/// What the gate did, a line each.
pub(super) fn lines(report: &Report) -> Vec<(Tone, String)> {
    let gate = &report.gate;
    let from = gate.config.as_ref().map(|file| format!(" (with {file})")).unwrap_or_default();
    let mut lines = Vec::new();
    if gate.failed.count > 0 {
        let of = if gate.conditions.is_empty() { "any finding fails".to_owned() } else { gate.conditions.join(", ") };
        lines.push((Tone::Bad, format!("FAILED: {}: {of}{from}", severities(report))));
    } else if !gate.conditions.is_empty() {
        lines.push((Tone::Quiet, format!("nothing fails: {}{from}", gate.conditions.join(", "))));
    }
    if !gate.failed.notes.is_empty() {
        lines.push((Tone::Bad, format!("FAILED: notes (--fail-on-notes): {}", gate.failed.notes.join(", "))));
    }
    lines.extend(gate.expired.iter().take(MOST_IGNORES).map(|ignore| {
        let until = ignore.until.as_deref().unwrap_or_default();
        (Tone::Bad, format!("FAILED: {} that {} let pass until {until}", plural(ignore.count as usize, "finding"), told(ignore)))
    }));
    for passed in &gate.passed {
        lines.push((Tone::Quiet, format!("passed: {}, by {}", plural(passed.count as usize, "finding"), passed.condition)));
    }
    lines.extend(gate.ignored.iter().take(MOST_IGNORES).map(|ignore| {
        let until = ignore.until.as_ref().map_or_else(|| "for ever".to_owned(), |day| format!("until {day}"));
        (Tone::Doubtful, format!("passed: {}, ignored {until} by {}", plural(ignore.count as usize, "finding"), told(ignore)))
    }));
    for (what, ignores) in [("expired ignore", &gate.expired), ("ignore", &gate.ignored)] {
        let more = ignores.len().saturating_sub(MOST_IGNORES);
        lines.extend((more > 0).then(|| (Tone::Doubtful, format!("and {} (--format json lists them)", plural(more, what)))));
    }
    if let Some(baseline) = &gate.baseline {
        let gone = if baseline.gone > 0 { format!("; {} of its {} are gone", baseline.gone, baseline.findings) } else { String::new() };
        let known = plural(baseline.known as usize, "finding");
        lines.push((Tone::Doubtful, format!("passed: {known}, known to the baseline {}{gone}", baseline.file)));
    }
    lines
}

fn told(ignore: &IgnoreEntry) -> String {
    format!("{}:{} `{}` ({})", ignore.file, ignore.line, ignore.what, ignore.because)
}

/// `3 of 5 findings (1 critical, 2 high)`.
fn severities(report: &Report) -> String {
    let failing = |severity: &str| report.findings.iter().filter(|f| f.fails && f.severity == severity).count();
    let counts = ["critical", "high", "medium", "low"].map(|severity| (severity, failing(severity)));
    let told: Vec<String> = counts.iter().filter(|(_, count)| *count > 0).map(|(severity, count)| format!("{count} {severity}")).collect();
    let (failed, all) = (report.gate.failed.count as usize, report.findings.len());
    let of = if failed == all { plural(all, "finding") } else { format!("{failed} of {}", plural(all, "finding")) };
    format!("{of} ({})", told.join(", "))
}

/// What to do next, each with what it is good for.
pub(super) fn next(report: &Report) -> Vec<String> {
    let listed = &report.findings;
    if listed.is_empty() {
        return Vec::new();
    }
    let mut targets: Vec<&str> = report.images.iter().map(|image| image.source.as_str()).collect();
    targets.dedup();
    let words: Option<Vec<String>> = targets.iter().map(|target| shell_word(target)).collect();
    let words = words.filter(|words| !words.is_empty() && !targets.contains(&"-")).map(|words| words.join(" "));
    let mut next = Vec::new();
    let worst = listed.iter().find(|finding| finding.fails);
    match &words {
        _ if listed.iter().any(|finding| finding.secret.value.is_some()) => {
            next.push("revoke what is real; a later RUN rm does not remove it from the image".to_owned());
        }
        Some(words) => next.push(format!("pentimento scan {words} --show-secrets")),
        None if targets.contains(&"-") => {
            next.push("the same again with --show-secrets; `get` commands want a pipe's bytes saved as image.tar".to_owned());
        }
        None => next.push("the same again with --show-secrets".to_owned()),
    }
    let Some(worst) = worst else { return next };
    let recovered = listed.iter().filter(|finding| finding.fails).find_map(|finding| recover(report, finding));
    next.extend(recovered.map(|command| format!("{command}    # the file with the worst, as it is")));
    let word = |file: Option<&String>, default: &str| file.and_then(|file| shell_word(file)).unwrap_or_else(|| default.to_owned());
    if let Some(today) = report.gate.date.as_deref().and_then(Day::parse) {
        let file = word(report.gate.ignore_file.as_ref(), ".pentimentoignore");
        next.push(format!("echo '{} until {} # WHY' >> {file}    # let it pass for a time", worst.id, today.plus(PROPOSED)));
    }
    // No baseline has what an expired ignore fits.
    let expired: u64 = report.gate.expired.iter().map(|ignore| ignore.count).sum();
    if expired >= report.gate.failed.count {
        return next;
    }
    let file = word(report.gate.baseline.as_ref().map(|baseline| &baseline.file), "baseline.json");
    next.extend(words.map(|words| format!("pentimento baseline {words} -o {file}    # with --baseline {file} only what is new fails")));
    next
}

/// The command that gets back the file that it stands in.
fn recover(report: &Report, finding: &FindingEntry) -> Option<String> {
    let target = words::target(report.images.get(finding.image?)?);
    let target = shell_word(&target).filter(|_| finding.location.kind == "file" && target != "-")?;
    Some(format!("pentimento recover {target} {}", finding.id))
}
