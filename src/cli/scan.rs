//! `pentimento scan`.

use super::limits::LimitArgs;
use super::stop;
use super::{When, progress};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use pentimento::archive::Archive;
use pentimento::detect::Detector;
use pentimento::image::Selection;
use pentimento::image::platform::Platform;
use pentimento::policy::FailOn;
use pentimento::report::{self, Format, Scanned, Style, View};
use pentimento::rules::Confidence;
use pentimento::scan::{Progress, Work};
use pentimento::source::Source;
use pentimento::{finding, image, scan};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::mem::ManuallyDrop;
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
    /// Leave out what is less sure
    #[arg(long, value_enum, default_value = "medium", value_name = "LEVEL")]
    min_confidence: ConfidenceArg,
    /// Which findings fail the scan: any, those visible in the final image, those that are not, or none
    #[arg(long, value_enum, default_value = "any", value_name = "WHICH")]
    fail_on: FailOnArg,
    /// Exit code when something was found (not 2 or 3, which have a meaning of their own)
    #[arg(long, default_value_t = 1, value_name = "N")]
    exit_code: u8,
    /// Add the rules of a file or directory, also of gitleaks, Nosey Parker and Kingfisher
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Remove the rule with this id
    #[arg(long, value_name = "ID")]
    disable: Vec<String>,
    /// Only images for this platform: os/architecture[/variant], or os alone (default: all)
    #[arg(long, value_name = "PLATFORM", value_parser = platform)]
    platform: Option<Platform>,
    /// Layers that are absent by design (foreign layers, as of Windows bases) do not make the scan incomplete
    #[arg(long)]
    allow_missing_layers: bool,
    /// Colour
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    color: When,
    /// Do not compute and compare the digests of blobs that are larger than 64 KiB: for an archive that was made a moment ago
    #[arg(long)]
    no_verify: bool,
    /// Threads that search (default: one per core)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// No progress bar
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    limits: LimitArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    Human,
    Json,
}

/// The formats of reports; other commands have no page.
#[derive(Clone, Copy, ValueEnum)]
enum ReportArg {
    Human,
    Json,
    Html,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum ConfidenceArg {
    Low,
    Medium,
    High,
}

#[derive(Clone, Copy, ValueEnum)]
enum FailOnArg {
    Any,
    Present,
    Hidden,
    None,
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
pub fn run(args: &Args) -> Result<u8> {
    if matches!(args.exit_code, 2 | 3) {
        bail!("--exit-code: 2 and 3 have a meaning of their own");
    }
    if args.targets.iter().filter(|target| *target == "-").count() > 1 {
        bail!("standard input can be read once: name `-` once");
    }
    if let Some(output) = &args.output {
        check_output(output, &args.targets)?;
    }
    // It lives as long as the program: the end of that frees it at once.
    let detector = ManuallyDrop::new(Detector::new(super::rules::rule_set(&args.rules, &args.disable)?)?);
    let (mut scanned, mut failed) = (Vec::new(), Vec::new());
    let stop = stop::when(args.limits.timeout)?;
    for target in &args.targets {
        if stop.load(Ordering::Relaxed) != 0 && !scanned.is_empty() {
            failed.push((target.clone(), "the scan was stopped before it came to this target".to_owned()));
            continue;
        }
        match one(args, &detector, target, &stop) {
            Ok(target) => scanned.push(target),
            Err(e) if args.targets.len() == 1 => return Err(e),
            Err(e) => failed.push((target.clone(), format!("{e:#}"))),
        }
    }
    if scanned.is_empty() {
        bail!("{}", failed.into_iter().map(|(_, why)| why).collect::<Vec<_>>().join("\n"));
    }
    let view = View {
        min_confidence: args.min_confidence.into(),
        show_secrets: args.show_secrets,
        show_allowed: args.no_allow,
        include_public: args.include_public,
        allow_missing_layers: args.allow_missing_layers,
        fail_on: match args.fail_on {
            FailOnArg::Any => FailOn::Any,
            FailOnArg::Present => FailOn::Present,
            FailOnArg::Hidden => FailOn::Hidden,
            FailOnArg::None => FailOn::None,
        },
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

/// Refuses to write where a target is read from.
fn check_output(output: &Path, targets: &[String]) -> Result<()> {
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

/// One target: read, joined. An archive with neither image nor layer is an error; layers without an image (an archive that was cut
/// before its manifest) are reported, and the scan is incomplete.
fn one(args: &Args, detector: &Detector, target: &str, stop: &Arc<AtomicUsize>) -> Result<Scanned> {
    let limits = args.limits.limits();
    let source = Source::open(target, &limits).map_err(|e| hinted(e, target))?;
    let progress = Progress { stop: stop.clone(), ..Progress::default() };
    let threads = args.threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let work = Work { threads, verify: !args.no_verify, least: args.min_confidence.into() };
    let bar = !args.quiet && io::stderr().is_terminal();
    let archive = progress::show(bar, &progress, || scan::scan(source, detector, &limits, work, &progress))?;
    let mut images = image::images(&archive, &Selection { platform: args.platform.clone(), limits });
    let layers = (0..archive.blobs.len()).any(|blob| archive.is_tar(blob) && archive.layer(blob).is_some_and(|scan| !scan.is_empty()));
    let stopped = archive.omissions.interrupted;
    let findings = finding::assemble(&archive, &mut images, detector, &limits, &progress);
    let scanned = Scanned { target: target.to_owned(), archive, images, findings };
    if scanned.images.images.is_empty() && !stopped && (!layers || args.platform.is_some()) {
        bail!("{target}: {}", scanned.redacted(&nothing_readable(args, &scanned.archive, &scanned.images), args.min_confidence.into())?);
    }
    Ok(scanned)
}

/// A name of an image is no target yet: says how to scan it.
fn hinted(error: pentimento::Error, target: &str) -> anyhow::Error {
    let missing = matches!(&error, pentimento::Error::Open { source, .. } if source.kind() == io::ErrorKind::NotFound);
    let name = target.rsplit('/').next().is_some_and(|last| last.contains(':') || !last.contains('.')) && !target.starts_with(['.', '/']);
    let error = anyhow::Error::new(error);
    if missing && name {
        return error.context(format!("there is no file {target}; if it is an image, try `docker save {target} | pentimento scan -`"));
    }
    error
}

/// Why there is nothing that could be called clean.
fn nothing_readable(args: &Args, archive: &Archive, images: &image::Images) -> String {
    if archive.members.by_path().is_empty() {
        return "it is no tar archive, or an empty one".to_owned();
    }
    let problems = archive.problems.iter().chain(&images.problems).map(|p| p.message.clone());
    let why = if args.platform.is_some() && !images.problems.is_empty() { None } else { Some("no image could be read from it".to_owned()) };
    why.into_iter().chain(problems).collect::<Vec<_>>().join("; ")
}

fn platform(text: &str) -> Result<Platform, String> {
    Platform::parse(text).ok_or_else(|| "a platform is os/architecture[/variant], or os alone".to_owned())
}

/// Colour and width for standard output.
fn style(when: When) -> Style {
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
fn to_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
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
