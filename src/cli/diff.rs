//! `pentimento diff`: what a new image adds, drops, hides or reveals against an old one.

use super::print;
use super::read::{ReadArgs, Reading};
use anyhow::{Result, bail};
use clap::ValueEnum;
use pentimento::policy::base_id;
use pentimento::report::FindingEntry;
use pentimento::report::human::{fate_words, location, plural};
use pentimento::text::sanitise;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Options of `diff`.
#[derive(clap::Args)]
pub struct Args {
    /// The image as it was: a file or a directory
    old: String,
    /// The image as it is: a file, a directory, or `-` for a pipe
    new: String,
    /// What fails: a secret that the old image does not have or does not show (`new`), or nothing
    #[arg(long, value_enum, default_value = "none", value_name = "WHICH")]
    fail_on: FailOnArg,
    /// Exit code when something fails (not 2 or 3, which have a meaning of their own)
    #[arg(long, default_value_t = 1, value_name = "N")]
    exit_code: u8,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Do not redact
    #[arg(long)]
    show_secrets: bool,
    #[command(flatten)]
    read: ReadArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOnArg {
    New,
    None,
}

/// What became of the findings, by id.
#[derive(Serialize, Default)]
struct Difference<'a> {
    /// Only in the new image.
    added: Vec<&'a FindingEntry>,
    /// Only in the old one.
    dropped: Vec<&'a FindingEntry>,
    /// Visible in the old one, and still in the new one, hidden.
    hidden: Vec<&'a FindingEntry>,
    /// Hidden in the old one, visible in the new one.
    revealed: Vec<&'a FindingEntry>,
    /// In both, as it was.
    unchanged: usize,
    /// Both were read to their ends.
    complete: bool,
}

/// Compares, and returns the exit code.
pub fn run(args: &Args) -> Result<u8> {
    if matches!(args.exit_code, 2 | 3) {
        bail!("--exit-code: 2 and 3 have a meaning of their own");
    }
    if args.old == "-" && args.new == "-" {
        bail!("standard input can be read once: name `-` once");
    }
    let detector = args.read.detector()?;
    let old = Reading::with(&args.read, &detector, &args.old, args.show_secrets)?;
    let new = Reading::with(&args.read, &detector, &args.new, args.show_secrets)?;
    let difference = compare(&old, &new);
    if args.json {
        print(format!("{}\n", serde_json::to_string_pretty(&difference)?).as_bytes())?;
    } else {
        print(human(&difference)?.as_bytes())?;
    }
    let incomplete = old.exit_code().max(new.exit_code());
    let fails = args.fail_on == FailOnArg::New && !(difference.added.is_empty() && difference.revealed.is_empty());
    Ok(if fails { args.exit_code } else { incomplete })
}

/// Findings of all images by id. Where several images have it, the one in which it shows.
fn by_id(reading: &Reading) -> BTreeMap<&str, &FindingEntry> {
    let mut all: BTreeMap<&str, &FindingEntry> = BTreeMap::new();
    for finding in &reading.report.findings {
        // The same secret again in the same place, after it was hidden, has a number behind its id: it is one.
        let id = base_id(&finding.id);
        let known = all.entry(id).or_insert(finding);
        if shows(finding) && !shows(known) {
            *known = finding;
        }
    }
    all
}

fn shows(finding: &FindingEntry) -> bool {
    finding.fate.state == "present" || !finding.also_visible.is_empty() || finding.fate.how.as_deref() == Some("current")
}

fn compare<'a>(old: &'a Reading, new: &'a Reading) -> Difference<'a> {
    let (before, after) = (by_id(old), by_id(new));
    let mut difference = Difference { complete: old.report.complete && new.report.complete, ..Difference::default() };
    for (id, finding) in &after {
        match before.get(id) {
            None => difference.added.push(finding),
            Some(was) if shows(was) && !shows(finding) => difference.hidden.push(finding),
            Some(was) if !shows(was) && shows(finding) => difference.revealed.push(finding),
            Some(_) => difference.unchanged += 1,
        }
    }
    difference.dropped = before.iter().filter(|(id, _)| !after.contains_key(*id)).map(|(_, finding)| *finding).collect();
    difference
}

fn human(difference: &Difference) -> Result<String> {
    let mut text = String::new();
    let parts = [
        ("+", "added", &difference.added),
        ("!", "revealed", &difference.revealed),
        ("~", "hidden, still in the image", &difference.hidden),
        ("-", "dropped", &difference.dropped),
    ];
    for (mark, what, findings) in parts {
        for finding in findings {
            let value = finding.secret.value.as_deref().unwrap_or(&finding.secret.redacted);
            let layer = finding.location.layer.map(|layer| format!(" (layer {layer})")).unwrap_or_default();
            let line = format!(
                "{mark} {:<8} {}  {value}  {}{layer}  {}  {}",
                finding.severity,
                finding.title,
                location(finding),
                fate_words(&finding.fate),
                finding.id
            );
            writeln!(text, "{}", sanitise(&line))?;
        }
        if !findings.is_empty() {
            writeln!(text, "  {} {what}", plural(findings.len(), "finding"))?;
        }
    }
    writeln!(text, "{} as before", plural(difference.unchanged, "finding"))?;
    if !difference.complete {
        writeln!(text, "NOT everything could be read: there may be more")?;
    }
    Ok(text)
}
