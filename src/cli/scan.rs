//! `pentimento scan`.

use super::config::Found;
use super::policy::PolicyArgs;
use super::read::ReadArgs;
use super::{When, progress, stop};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use pentimento::detect::Detector;
use pentimento::report::{self, Format, Scanned, Style, View};
use pentimento::rules::Confidence;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Options of `scan`.
#[derive(clap::Args)]
pub struct Args {
    /// Saved images: a file (docker save, podman save, OCI archive; also docker export), a directory (OCI layout), or `-` for a pipe
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<String>,
    /// How the report is written
    #[arg(long, value_enum, default_value = "human")]
    format: ReportArg,
    /// Write the report to FILE, which appears whole or not at all
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show the values of the secrets
    #[arg(long)]
    show_secrets: bool,
    /// Show also what a comment on its line allows (`pentimento:allow`); it is counted in any case
    #[arg(long)]
    no_allow: bool,
    /// Show also what is in files that are as a public package has them (dpkg, apk, pip); it is counted in any case
    #[arg(long)]
    include_public: bool,
    /// Exit code when something was found (not 2 or 3, which have a meaning of their own)
    #[arg(long, default_value_t = 1, value_name = "N")]
    exit_code: u8,
    /// The image that this one was built from, saved: what came with it is left out, and counted
    #[arg(long, value_name = "IMAGE", conflicts_with = "no_verify")]
    base: Option<String>,
    /// Layers that are absent by design (foreign layers, as of Windows bases) do not make the scan incomplete
    #[arg(long)]
    allow_missing_layers: bool,
    /// Colour
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    color: When,
    /// Do not compute and compare the digests of blobs that are larger than 64 KiB: for an archive that was made a moment ago
    #[arg(long)]
    no_verify: bool,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    policy: PolicyArgs,
}

/// How a report is written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportArg {
    Human,
    Json,
    Html,
}

/// How any other answer is written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    Human,
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum ConfidenceArg {
    Low,
    Medium,
    High,
}

impl From<ConfidenceArg> for Confidence {
    fn from(arg: ConfidenceArg) -> Confidence {
        match arg {
            ConfidenceArg::Low => Confidence::Low,
            ConfidenceArg::Medium => Confidence::Medium,
            ConfidenceArg::High => Confidence::High,
        }
    }
}

/// Scans the targets, writes the report, and returns the exit code.
pub fn run(args: &Args, mut found: Found) -> Result<u8> {
    if matches!(args.exit_code, 2 | 3) {
        bail!("--exit-code: 2 and 3 have a meaning of their own");
    }
    if let Some(output) = &args.output {
        check_output(output, &args.targets)?;
    }
    let detector = args.read.detector()?;
    let policy = args.policy.policy(&mut found, &args.targets, detector.rules(), args.base.is_some())?;
    found.tell(args.read.quiet);
    let stop = stop::when(args.read.limits.timeout)?;
    let base = args.base.as_ref().map(|base| super::base::read(&args.read, &detector, base, &stop)).transpose()?;
    let (scanned, failed) = read_targets(&args.targets, &args.read, &detector, &stop, !args.no_verify)?;
    let view = View {
        min_confidence: args.read.min_confidence.into(),
        show_secrets: args.show_secrets,
        show_allowed: args.no_allow,
        include_public: args.include_public,
        allow_missing_layers: args.allow_missing_layers,
        show_ignored: args.policy.show_ignored,
        policy: Some(&policy),
        census: (args.format == ReportArg::Html).then(|| args.read.limits.limits()),
        base: base.as_ref(),
    };
    let (report, verdict) = report::build(&scanned, &failed, detector.rules(), view)?;
    let format = match args.format {
        ReportArg::Human => Format::Human,
        ReportArg::Json => Format::Json,
        ReportArg::Html => Format::Html,
    };
    match &args.output {
        Some(path) => {
            to_file(path, |out| report::write(format, Style { color: matches!(args.color, When::Always), width: 100 }, &report, out))?
        }
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            match report::write(format, style(args.color), &report, &mut out).and_then(|()| out.flush()) {
                // Whoever read our output has gone; the verdict stands.
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
                result => result?,
            }
        }
    }
    Ok(verdict.exit_code(args.exit_code))
}

/// Targets that could not be read, and why.
pub type Failed = Vec<(String, String)>;

/// Reads the targets; those that could not be read, and why. It is an error if that is true of all.
pub fn read_targets(
    targets: &[String],
    read: &ReadArgs,
    detector: &Detector,
    stop: &Arc<AtomicUsize>,
    verify: bool,
) -> Result<(Vec<Scanned>, Failed)> {
    if targets.iter().filter(|target| *target == "-").count() > 1 {
        bail!("standard input can be read once: name `-` once");
    }
    let (mut scanned, mut failed) = (Vec::new(), Vec::new());
    for target in targets {
        if stop.load(Ordering::Relaxed) != 0 && !scanned.is_empty() {
            failed.push((target.clone(), "the scan was stopped before it came to this target".to_owned()));
            continue;
        }
        match read.scan(detector, target, stop, verify) {
            Ok(target) => scanned.push(target),
            Err(e) if targets.len() == 1 => return Err(e),
            Err(e) => failed.push((target.clone(), format!("{e:#}"))),
        }
    }
    if scanned.is_empty() {
        bail!("{}", failed.into_iter().map(|(_, why)| why).collect::<Vec<_>>().join("\n"));
    }
    Ok((scanned, failed))
}

/// Refuses to write where a target is read from.
pub fn check_output(output: &Path, targets: &[String]) -> Result<()> {
    if output.is_symlink() && !output.exists() {
        bail!("--output is a link to nothing: {}", output.display());
    }
    let parent = output.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let place = output.canonicalize().or_else(|_| parent.canonicalize()).ok();
    for target in targets {
        // Standard input may be a file, too.
        let path = Path::new(if target == "-" { "/dev/stdin" } else { target.strip_prefix("oci:").unwrap_or(target) });
        let Ok(path) = path.canonicalize() else { continue };
        if place.as_ref().is_some_and(|place| *place == path && !path.is_dir() || path.is_dir() && place.starts_with(&path)) {
            bail!("--output is, or is in, a target: it would be overwritten");
        }
    }
    Ok(())
}

/// Colour and width for standard output.
pub fn style(when: When) -> Style {
    let terminal = io::stdout().is_terminal();
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let color = match when {
        When::Always => true,
        When::Never => false,
        When::Auto => terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
    };
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    Style { color, width: columns.unwrap_or(if terminal { progress::terminal_width() } else { 120 }).max(40) }
}

/// Writes a file that appears whole or not at all; what is no regular file (a device, a pipe) is written to as it is, and a link is
/// followed.
pub fn to_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    if path.metadata().is_ok_and(|m| !m.is_file()) {
        let mut out =
            BufWriter::new(std::fs::OpenOptions::new().write(true).open(path).with_context(|| format!("cannot write {}", path.display()))?);
        write(&mut out)?;
        return Ok(out.flush()?);
    }
    let target = path.canonicalize();
    let path = target.as_deref().unwrap_or(path);
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let context = || format!("cannot write {}", path.display());
    let file = tempfile::NamedTempFile::new_in(dir).with_context(context)?;
    let mut out = BufWriter::new(file);
    write(&mut out).with_context(context)?;
    let file = out.into_inner().map_err(|e| e.into_error()).with_context(context)?;
    file.persist(path).map_err(|e| e.error).with_context(context)?;
    Ok(())
}
