//! How a target is read: the options that all commands share, and what comes of it.

use super::access::AccessArgs;
use super::limits::LimitArgs;
use super::scan::ConfidenceArg;
use super::{progress, stop};
use anyhow::{Result, bail};
use indicatif::MultiProgress;
use pentimento::archive::Archive;
use pentimento::census::Census;
use pentimento::detect::Detector;
use pentimento::finding::Location;
use pentimento::image;
use pentimento::image::Image;
use pentimento::image::platform::Platform;
use pentimento::report::{self, How, Redactor, Report, Scanned, View};
use pentimento::scan::{Known, Progress, Work};
use pentimento::source::Source;
use pentimento::source::target::Target;
use pentimento::text::sanitise;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::io::{self, IsTerminal};
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

/// Options that say how a target is read.
#[derive(clap::Args)]
pub struct ReadArgs {
    /// Leave out what is less sure
    #[arg(long, value_enum, default_value = "medium", value_name = "LEVEL")]
    pub min_confidence: ConfidenceArg,
    /// Add the rules of a file or directory, also of gitleaks, Nosey Parker and Kingfisher
    #[arg(long, value_name = "PATH")]
    pub rules: Vec<PathBuf>,
    /// Remove the rule with this id
    #[arg(long, value_name = "ID")]
    pub disable: Vec<String>,
    /// Only images for this platform: os/architecture[/variant], or os alone (default: all)
    #[arg(long, value_name = "PLATFORM", value_parser = platform)]
    pub platform: Option<Platform>,
    /// Threads that search (default: one per core)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// No progress bar, and nothing on standard error but errors and what is missing
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub access: AccessArgs,
    /// Layers of earlier targets, if there are several.
    #[arg(skip)]
    pub known: OnceLock<Arc<Known>>,
    /// Of scans that run at the same time.
    #[arg(skip)]
    pub bars: MultiProgress,
    #[command(flatten)]
    pub limits: LimitArgs,
}

impl ReadArgs {
    /// The matcher. It lives as long as the program: the end of that frees it at once.
    pub fn detector(&self) -> Result<ManuallyDrop<Detector>> {
        Ok(ManuallyDrop::new(Detector::new(super::rules::rule_set(&self.rules, &self.disable)?)?))
    }

    /// One target: read, joined. An archive with neither image nor layer is an error; layers without an image (an archive that was cut
    /// before its manifest) are reported, and the scan is incomplete.
    pub fn scan(&self, detector: &Detector, target: &str, stop: &Arc<AtomicUsize>, verify: bool) -> Result<Scanned> {
        let limits = self.limits.limits();
        let source = self.access.open(target, self.platform.as_ref(), &limits, stop)?;
        let progress = Progress { stop: stop.clone(), ..Progress::default() };
        let threads = self.threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
        let work = Work { threads, verify, least: self.min_confidence.into(), known: self.known.get().cloned() };
        let how = How { limits, work, platform: self.platform.clone(), posture: true, now: super::now() };
        let bars = (!self.quiet && io::stderr().is_terminal()).then_some(&self.bars);
        let scanned = progress::show(bars, &progress, || Scanned::read(target, source, detector, &how, &progress))?;
        let archive = &scanned.archive;
        let layers = (0..archive.blobs.len()).any(|blob| archive.is_tar(blob) && archive.layer(blob).is_some_and(|scan| !scan.is_empty()));
        let stopped = archive.omissions.interrupted;
        if scanned.images.images.is_empty() && !stopped && (!layers || self.platform.is_some()) {
            let why = self.nothing_readable(archive, &scanned.images);
            bail!("{target}: {}", scanned.redactor(self.min_confidence.into())?.clean(&why));
        }
        Ok(scanned)
    }

    /// Why there is nothing that could be called clean.
    fn nothing_readable(&self, archive: &Archive, images: &image::Images) -> String {
        if archive.members.by_path().is_empty() {
            return "it is no tar archive, or an empty one".to_owned();
        }
        let problems = archive.problems.iter().chain(&images.problems).map(|p| p.message.clone());
        let unsaid = self.platform.is_none() || images.problems.is_empty();
        let why = unsaid.then(|| "no image could be read from it".to_owned());
        why.into_iter().chain(problems).collect::<Vec<_>>().join("; ")
    }
}

fn platform(text: &str) -> Result<Platform, String> {
    Platform::parse(text).ok_or_else(|| "a platform is os/architecture[/variant], or os alone".to_owned())
}

/// Ids of findings, by layer and path.
pub type InFiles<'a> = HashMap<(usize, &'a [u8]), Vec<String>>;

/// A target that was read, with the report on it: what the forensic commands begin with.
pub struct Reading {
    pub scanned: Scanned,
    pub report: Report,
    redactor: Option<Redactor>,
    access: AccessArgs,
    platform: Option<Platform>,
    limits: pentimento::limits::Limits,
    stop: Arc<AtomicUsize>,
    /// What became of some files is not known.
    unlaid: Cell<bool>,
}

impl Reading {
    /// Reads `target`. Nothing is redacted if `show_secrets`.
    pub fn of(args: &ReadArgs, target: &str, show_secrets: bool) -> Result<Reading> {
        let detector = args.detector()?;
        Reading::with(args, &detector, target, show_secrets)
    }

    /// The same with a matcher that is there already.
    pub fn with(args: &ReadArgs, detector: &Detector, target: &str, show_secrets: bool) -> Result<Reading> {
        let stop = stop::when(args.limits.timeout)?;
        let scanned = args.scan(detector, target, &stop, true)?;
        let view = View { min_confidence: args.min_confidence.into(), show_secrets, ..View::default() };
        let (report, _) = report::build(std::slice::from_ref(&scanned), &[], detector.rules(), view)?;
        let redactor = if show_secrets { None } else { Some(scanned.redactor(args.min_confidence.into())?) };
        let (access, platform) = (args.access.clone(), args.platform.clone());
        Ok(Reading { scanned, report, redactor, access, platform, limits: args.limits.limits(), stop, unlaid: Cell::new(false) })
    }

    /// A part of an answer, without the value of any secret.
    pub fn clean<T: Serialize + DeserializeOwned>(&self, part: T) -> Result<T> {
        Ok(match &self.redactor {
            Some(redactor) => redactor.part(part)?,
            None => part,
        })
    }

    /// The images that are meant: by index, by name, or all.
    pub fn images(&self, wanted: Option<&str>) -> Result<Vec<usize>> {
        let images = &self.scanned.images.images;
        let Some(wanted) = wanted else { return Ok((0..images.len()).collect()) };
        if let Some(index) = wanted.parse().ok().filter(|index| *index < images.len()) {
            return Ok(vec![index]);
        }
        let named = |image: &Image| {
            let config = image.config_digest.as_ref().map(|digest| digest.encoded()).unwrap_or_default();
            image.names.iter().any(|name| name == wanted) || wanted.len() >= 6 && config.starts_with(wanted.trim_start_matches("sha256:"))
        };
        let found: Vec<usize> = (0..images.len()).filter(|index| named(&images[*index])).collect();
        if found.is_empty() {
            bail!("there is no image {wanted}: --image takes a number, a name, or the digest of a config\n{}", self.list());
        }
        Ok(found)
    }

    /// The one image that is meant.
    pub fn image(&self, wanted: Option<&str>) -> Result<usize> {
        match self.images(wanted)?[..] {
            [one] => Ok(one),
            [] => bail!("{}: it holds no image", self.scanned.target),
            _ => bail!("the archive holds several images: choose one with --image\n{}", self.list()),
        }
    }

    /// The images, a line each.
    fn list(&self) -> String {
        let lines = self.report.images.iter().enumerate().map(|(index, image)| {
            let platform = image.platform.as_deref().unwrap_or("unknown platform");
            sanitise(&format!("  {index}  {} · {platform} · {} layers", name_of(&image.names), image.layers.len()))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// One of the images.
    pub fn entry(&self, image: usize) -> &Image {
        &self.scanned.images.images[image]
    }

    /// The lives of all its files.
    pub fn census(&self, image: usize) -> Census<'_> {
        let census = Census::of(&self.scanned.archive, self.entry(image), &self.limits, &AtomicUsize::new(0));
        if let Some(end) = census.end() {
            self.unlaid.set(true);
            eprintln!("pentimento: layers from {end} on were not laid over the others (--max-steps): what they did is not known");
        }
        census
    }

    /// The reported findings in files of an image, by layer and path. (In the report paths are redacted.)
    pub fn in_files(&self, image: usize) -> InFiles<'_> {
        let told = self.report.findings.iter().filter(|finding| finding.image == Some(image));
        let told: HashSet<&str> = told.map(|finding| finding.id.as_str()).collect();
        let mut found = InFiles::new();
        for finding in self.scanned.findings.iter().filter(|f| f.image == Some(image) && told.contains(f.id.as_str())) {
            if let Location::File { layer: Some(layer), path, .. } = &finding.location {
                found.entry((*layer, path)).or_default().push(finding.id.clone());
            }
        }
        found
    }

    /// The limits that were asked for.
    pub fn limits(&self) -> &pentimento::limits::Limits {
        &self.limits
    }

    /// Anything but 0 when the reading is to end.
    pub fn stop(&self) -> &Arc<AtomicUsize> {
        &self.stop
    }

    /// Reads the target again. A pipe cannot be.
    pub fn again(&self, what: &str) -> Result<impl Fn() -> Result<Source, pentimento::Error> + '_> {
        let target = &self.scanned.target;
        let again = "what was read from a pipe cannot be read again: save it first";
        if target == "-" {
            bail!("{what}: {again} (`cat > image.tar`), then name the file");
        }
        let path = Target::parse(target).ok().and_then(|target| Some(target.path()?.to_owned()));
        if path.is_some_and(|path| path.metadata().is_ok_and(|m| !m.is_file() && !m.is_dir())) {
            bail!("{what}: {again}");
        }
        let wrong = |e: anyhow::Error| {
            e.downcast().unwrap_or_else(|e| pentimento::Error::Open { target: target.clone(), source: io::Error::other(e.to_string()) })
        };
        Ok(move || self.access.open(target, self.platform.as_ref(), &self.limits, &self.stop).map_err(wrong))
    }

    /// Says on stderr what could not be read, and returns the exit code: 3 if there is such a thing.
    pub fn exit_code(&self) -> u8 {
        for problem in self.report.problems.iter().take(5) {
            let layer = problem.layer.map(|layer| format!(" (layer {layer})")).unwrap_or_default();
            eprintln!("pentimento: {}", sanitise(&format!("{}{layer}: {}", problem.code, problem.message)));
        }
        if !self.report.complete {
            eprintln!("pentimento: NOT everything could be read: `pentimento inspect` tells all");
        }
        if self.report.complete && !self.unlaid.get() { 0 } else { 3 }
    }
}

/// Names of an image, or that there are none.
pub fn name_of(names: &[String]) -> String {
    if names.is_empty() { "untagged".to_owned() } else { names.join(", ") }
}
