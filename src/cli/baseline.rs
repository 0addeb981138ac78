//! `pentimento baseline`: what is there now, so that only what is new fails.

use super::config::{ConfigArgs, Found};
use super::policy::today;
use super::read::ReadArgs;
use super::scan::{Inputs, check_output, to_file};
use super::{print, stop, targets};
use anyhow::Result;
use pentimento::policy::{Baseline, Day, Known, Policy, base_id};
use pentimento::report::human::plural;
use pentimento::report::{self, FindingEntry, Report, View};
use pentimento::text::sanitise;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Options of `baseline`.
#[derive(clap::Args)]
pub struct Args {
    /// Saved images, as for `scan`
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<String>,
    /// Write the baseline to FILE, which appears whole or not at all (default, and `-`: standard output)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write it also where not everything could be read
    #[arg(long)]
    allow_incomplete: bool,
    /// The image that this one was built from, saved: what came with it is left out
    #[arg(long, value_name = "IMAGE")]
    base: Option<String>,
    /// Layers that are absent by design (foreign layers, as of Windows bases) do not make the scan incomplete
    #[arg(long)]
    allow_missing_layers: bool,
    /// Also what is in files that are as a public package has them (dpkg, apk, pip)
    #[arg(long)]
    include_public: bool,
    /// Also what a comment on its line allows (`pentimento:allow`)
    #[arg(long)]
    no_allow: bool,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Scans the targets, writes the baseline, and returns the exit code. What is ignored is not in it: when the ignore is over, it fails. Nor is
/// what an ignore let pass that is over already.
pub fn run(args: &Args, mut found: Found) -> Result<u8> {
    args.read.access.reserve(&args.targets);
    let (ignores, _) = found.ignores(&args.config, &args.targets)?;
    let output = args.output.as_ref().filter(|output| output.as_os_str() != "-");
    if let Some(output) = output {
        check_output(output, &Inputs::of(&args.targets, args.base.as_ref(), &args.read, &found))?;
    }
    found.tell(args.read.quiet);
    // Without a day no ignore has expired: what one fits is not in the baseline, whether it still holds or not.
    let policy = Policy { ignores, ..Policy::default() };
    let detector = args.read.detector()?;
    let stop = stop::when(args.read.limits.timeout)?;
    let base = args.base.as_ref().map(|base| super::base::read(&args.read, &detector, base, &stop)).transpose()?;
    let (scanned, failed) = targets::scan(&args.read, &detector, &args.targets, 1, true, &stop)?;
    let view = View {
        min_confidence: args.read.min_confidence.into(),
        show_allowed: args.no_allow,
        include_public: args.include_public,
        allow_missing_layers: args.allow_missing_layers,
        policy: Some(&policy),
        base: base.as_ref(),
        ..View::default()
    };
    let (report, _) = report::build(&scanned, &failed, detector.rules(), view)?;
    if !report.complete {
        tell_problems(&report);
        if !args.allow_incomplete {
            eprintln!("pentimento: no baseline was written: what was not read would be missing in it (--allow-incomplete)");
            return Ok(3);
        }
    }
    let text = Baseline::written(report.findings.iter().map(known), today())?;
    match output {
        Some(path) => to_file(path, |out| out.write_all(text.as_bytes()))?,
        None => print(text.as_bytes())?,
    }
    tell_expired(&report);
    if let Some(path) = output.filter(|_| !args.read.quiet) {
        let path = sanitise(&path.display().to_string());
        let count = report.findings.iter().map(|finding| base_id(&finding.id)).collect::<BTreeSet<&str>>().len();
        eprintln!("pentimento: {path} has {}; `--baseline {path}` lets them pass", plural(count, "finding"));
    }
    Ok(0)
}

fn tell_problems(report: &Report) {
    // An image that is given twice has its problems once.
    let lines: BTreeSet<String> =
        report.problems.iter().map(|problem| format!("{}: {}: {}", problem.source, problem.code, problem.message)).collect();
    for line in lines.iter().take(5) {
        eprintln!("pentimento: {}", sanitise(line));
    }
    eprintln!("pentimento: NOT everything could be read");
}

/// Says what is missing, though nothing lets it pass any more.
fn tell_expired(report: &Report) {
    let is_over = |until: &Option<String>| until.as_deref().and_then(Day::parse).zip(today()).is_some_and(|(last, today)| today > last);
    for ignore in report.gate.ignored.iter().filter(|ignore| is_over(&ignore.until)) {
        let (count, until) = (plural(ignore.count as usize, "finding"), ignore.until.as_deref().unwrap_or_default());
        let line = format!(
            "{}:{}: the ignore held until {until}: what it fits is not in the baseline, and fails ({count})",
            ignore.file, ignore.line
        );
        eprintln!("pentimento: {}", sanitise(&line));
    }
}

fn known(finding: &FindingEntry) -> Known {
    Known { id: finding.id.clone(), rule: finding.rule.clone(), place: place(finding) }
}

/// Where a finding is, without what shifts from build to build: lines, layers and steps.
fn place(finding: &FindingEntry) -> String {
    let at = &finding.location;
    match (&at.path, &at.name) {
        (Some(path), _) => {
            let inner: String = at.inner.iter().map(|part| format!("!{part}")).collect();
            let xattr = at.xattr.as_ref().map(|name| format!("@{name}")).unwrap_or_default();
            format!("{path}{inner}{xattr}")
        }
        (None, Some(name)) => format!("{} {name}", at.kind),
        (None, None) => at.kind.clone(),
    }
}
