//! `pentimento scan`.

use super::config::Found;
use super::output::{OutputArgs, Outputs};
use super::policy::PolicyArgs;
use super::read::ReadArgs;
use super::{When, now, progress, stop, targets, unless_gone, watch};
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use pentimento::detect::Detector;
use pentimento::report::{self, Span, Style, View};
use pentimento::rules::Confidence;
use pentimento::source::target::Target;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Options of `scan`.
#[derive(clap::Args)]
pub struct Args {
    /// What to search: a file (docker save, podman save, OCI archive; also docker export), a directory (OCI layout), `-` for a pipe,
    /// docker://IMAGE, podman://IMAGE, docker://container/NAME, registry://HOST/IMAGE, rootfs:DIR, or the bare name of an image
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
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
    /// Targets that are scanned at the same time
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// Stay beside an engine (`docker://` or `podman://`), scan what it has and each image that appears, and print a line of JSON for each
    #[arg(long, conflicts_with_all = ["format", "output", "jobs", "no_verify"])]
    watch: bool,
    /// With --watch: leave out the images that are there already
    #[arg(long, requires = "watch")]
    new_only: bool,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    policy: PolicyArgs,
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
    let piped = args.targets.iter().filter(|target| *target == "-").count();
    if piped == 1 && args.read.access.takes_stdin() {
        bail!("standard input can be read once: a target is read from it, and a secret of yours");
    }
    args.read.access.reserve(&args.targets);
    let from = now().unwrap_or_default();
    let detector = args.read.detector()?;
    let policy = args.policy.policy(&mut found, &args.targets, detector.rules(), args.base.is_some());
    // Before any error about what these files say.
    found.tell(args.read.quiet);
    let policy = policy?;
    if matches!(args.exit_code, 2 | 3) {
        return Err(found.wrong("exit-code", "--exit-code: 2 and 3 have a meaning of their own"));
    }
    let mut inputs = Inputs::of(&args.targets, args.base.as_ref(), &args.read, &found);
    inputs.files.extend(args.policy.baseline.as_deref());
    let outputs = Outputs::of(&args.output, inputs)?;
    let stop = stop::when(args.read.limits.timeout)?;
    let base = args.base.as_ref().map(|base| super::base::read(&args.read, &detector, base, &stop)).transpose()?;
    let view = View {
        min_confidence: args.read.min_confidence.into(),
        show_secrets: args.show_secrets,
        show_allowed: args.no_allow,
        include_public: args.include_public,
        allow_missing_layers: args.allow_missing_layers,
        show_ignored: args.policy.show_ignored,
        policy: Some(&policy),
        census: outputs.want_census().then(|| args.read.limits.limits()),
        base: base.as_ref(),
    };
    if args.watch {
        return watch(args, &detector, view, &stop);
    }
    let (scanned, failed) = targets::scan(&args.read, &detector, &args.targets, usize::from(args.jobs), !args.no_verify, &stop)?;
    let (mut report, verdict) = report::build(&scanned, &failed, detector.rules(), view)?;
    outputs.locate(&mut report, &scanned);
    outputs.write(&report, Span { from, to: now().unwrap_or_default() }, args.color, args.read.quiet)?;
    Ok(verdict.exit_code(args.exit_code))
}

/// Stays beside the engine that is the only target.
fn watch(args: &Args, detector: &Detector, view: View, stop: &Arc<AtomicUsize>) -> Result<u8> {
    let [target] = &args.targets[..] else { bail!("--watch: one engine is watched at a time") };
    let Some(engine) = watch::engine(target) else { bail!("--watch: an engine is watched: docker:// or podman://") };
    let (read, stop) = (&args.read, stop.clone());
    watch::Watch { read, detector, engine, view, new_only: args.new_only, found: args.exit_code, stop }.run()
}

/// What a run reads, and no report may take the place of.
pub struct Inputs<'a> {
    /// Targets, and the base.
    pub images: Vec<&'a String>,
    /// Rules, the configuration and what else decides.
    pub files: Vec<&'a Path>,
}

impl<'a> Inputs<'a> {
    /// What every command with a policy reads.
    pub fn of(targets: &'a [String], base: Option<&'a String>, read: &'a ReadArgs, found: &'a Found) -> Inputs<'a> {
        let rules = read.rules.iter().map(PathBuf::as_path);
        Inputs { images: targets.iter().chain(base).collect(), files: rules.chain(found.files()).collect() }
    }
}

/// Refuses to write where something is read from.
pub fn check_output(output: &Path, inputs: &Inputs) -> Result<()> {
    if output.is_symlink() && !output.exists() {
        bail!("--output is a link to nothing: {}", output.display());
    }
    let parent = output.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let place = output.canonicalize().or_else(|_| parent.canonicalize()).ok();
    if place.is_none() {
        bail!("--output: there is no directory {}", parent.display());
    }
    let is_at = |path: &Path| {
        let path = path.canonicalize().ok();
        path.zip(place.as_ref()).is_some_and(|(path, place)| *place == path && !path.is_dir() || path.is_dir() && place.starts_with(&path))
    };
    for image in &inputs.images {
        // Standard input may be a file, too.
        let path = match Target::parse(image) {
            Ok(Target::Stdin) => PathBuf::from("/dev/stdin"),
            // A report may be written into the file system that is scanned, since that is the one we are on.
            Ok(Target::Path(path)) => path,
            _ => continue,
        };
        if is_at(&path) {
            bail!("--output is, or is in, a target: it would be overwritten");
        }
    }
    match inputs.files.iter().find(|path| is_at(path)) {
        Some(path) => bail!("--output is, or is in, {}, which is read, too: it would be overwritten", path.display()),
        None => Ok(()),
    }
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
/// followed. That the reader of a pipe has gone is no error.
pub fn to_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    if path.metadata().is_ok_and(|m| !m.is_file()) {
        let context = || format!("cannot write {}", path.display());
        let mut out = BufWriter::new(std::fs::OpenOptions::new().write(true).open(path).with_context(context)?);
        return unless_gone(write(&mut out).and_then(|()| out.flush())).with_context(context);
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
