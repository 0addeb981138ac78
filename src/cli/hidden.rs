//! `pentimento hidden`: every file that can still be got back and does not show, whether or not a rule fired.

use super::items::{fate_entry, recoverable};
use super::print;
use super::read::{ReadArgs, Reading, name_of};
use anyhow::{Result, anyhow};
use globset::GlobMatcher;
use pentimento::census::{Census, Version};
use pentimento::layer::change::{ChangeKind, FileType};
use pentimento::policy::glob;
use pentimento::report::FateEntry;
use pentimento::report::fate::{instruction, room};
use pentimento::report::human::{bytes, fate_told, plural};
use pentimento::report::{shell_bytes, shell_word};
use pentimento::suspicion::Hidden;
use pentimento::text::{exact, sanitise};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Options of `hidden`.
#[derive(clap::Args)]
pub struct Args {
    /// The saved image: a file, a directory, or `-` for a pipe
    target: String,
    /// Only paths that fit this glob (`*` within a part, `**` across parts; without a `/` the file's name)
    #[arg(long, value_name = "GLOB")]
    path: Option<String>,
    /// Only files of at least this size
    #[arg(long, value_name = "SIZE", value_parser = super::limits::size)]
    min_size: Option<u64>,
    /// Only files of at most this size
    #[arg(long, value_name = "SIZE", value_parser = super::limits::size)]
    max_size: Option<u64>,
    /// Only files that this layer brought in
    #[arg(long, value_name = "N")]
    layer: Option<usize>,
    /// Only files that this layer hid
    #[arg(long, value_name = "N")]
    hidden_by: Option<usize>,
    /// Show so many (0: all)
    #[arg(long, value_name = "N", default_value_t = 100)]
    top: usize,
    /// As JSON, all of them
    #[arg(long)]
    json: bool,
    /// Which image of the archive: a number from 0, a name, or the digest of its config (default: all)
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Do not redact
    #[arg(long)]
    show_secrets: bool,
    #[command(flatten)]
    read: ReadArgs,
}

/// What is hidden in one image.
#[derive(Serialize, Deserialize)]
struct Told {
    image: usize,
    names: Vec<String>,
    files: Vec<File>,
    /// Their content, in bytes.
    bytes: u64,
    /// The archive holds other images, too.
    #[serde(skip)]
    several: bool,
    /// The first file's name is not told as it is.
    #[serde(skip)]
    redacted: bool,
}

/// One hidden file.
#[derive(Clone, Serialize, Deserialize)]
struct File {
    path: String,
    size: u64,
    layer: usize,
    /// Which of several that the layer holds at this path, from 1.
    nth: Option<usize>,
    fate: FateEntry,
    /// How much it looks like something that somebody wanted to hide.
    suspicion: i32,
    reasons: Vec<String>,
    findings: Vec<String>,
    engine_dependent: Option<String>,
}

/// Lists them, and returns the exit code.
pub fn run(args: &Args) -> Result<u8> {
    let reading = Reading::of(&args.read, &args.target, args.show_secrets)?;
    let glob = args.path.as_deref().map(glob).transpose().map_err(|why| anyhow!("--path: {why}"))?;
    let mut all = Vec::new();
    for image in reading.images(args.image.as_deref())? {
        all.push(told(args, &reading, image, glob.as_ref())?);
    }
    if args.json {
        print(format!("{}\n", serde_json::to_string_pretty(&all)?).as_bytes())?;
    } else {
        for told in &all {
            print(human(args, told)?.as_bytes())?;
        }
    }
    Ok(reading.exit_code())
}

fn told(args: &Args, reading: &Reading, image: usize, glob: Option<&GlobMatcher>) -> Result<Told> {
    let census = reading.census(image);
    let contents = census.visible_contents();
    let paths = census.visible_paths();
    let findings = reading.in_files(image);
    let by: Vec<Option<String>> = (0..census.layers.len()).map(|layer| instruction(reading.entry(image), layer, 4096).0).collect();
    let room = room(census.hidden().count());
    let mut files = Vec::new();
    for (version, entry, life) in census.hidden() {
        let fate = fate_entry(life.fate, reading.entry(image), version.layer, room);
        let fits = args.min_size.is_none_or(|least| entry.size >= least)
            && args.max_size.is_none_or(|most| entry.size <= most)
            && args.layer.is_none_or(|layer| layer == version.layer)
            && args.hidden_by.is_none_or(|layer| fate.by_layer == Some(layer))
            && glob.is_none_or(|glob| glob.is_match(&*String::from_utf8_lossy(census.path(version))));
        if !fits || is_again(&census, version) {
            continue;
        }
        let path = exact(census.path(version));
        let found = findings.get(&(version.layer, census.path(version))).cloned().unwrap_or_default();
        let several = census.scan(version.layer).map(|scan| recoverable(scan, census.path(version))).filter(|all| all.len() > 1);
        let nth = several.and_then(|all| all.iter().position(|entry| *entry == version.entry)).map(|at| at + 1);
        let (suspicion, reasons) = Hidden {
            path: census.path(version),
            size: entry.size,
            fate: life.fate,
            hidden_by: fate.by_layer.and_then(|layer| by.get(layer)?.as_deref()),
            findings: found.len(),
            copied: entry.content.is_some_and(|content| contents.contains(&content)),
            succeeded: paths.contains(census.path(version)),
        }
        .suspicion();
        let reasons = reasons.into_iter().map(str::to_owned).collect();
        let engine_dependent = life.engine_dependent.map(str::to_owned);
        files.push(File { path, size: entry.size, layer: version.layer, nth, fate, suspicion, reasons, findings: found, engine_dependent });
    }
    files.sort_by(|a, b| (b.suspicion, a.layer, &a.path).cmp(&(a.suspicion, b.layer, &b.path)));
    let bytes = files.iter().map(|file| file.size).sum();
    let first = files.first().map(|file| file.path.clone());
    let mut clean = Vec::with_capacity(files.len());
    for file in files {
        clean.push(reading.clean(file)?);
    }
    let redacted = clean.first().map(|file| &file.path) != first.as_ref();
    let several = reading.report.images.len() > 1;
    Ok(Told { image, names: reading.report.images[image].names.clone(), files: clean, bytes, several, redacted })
}

/// A version that was written again with the same content by a later layer is told there.
fn is_again(census: &Census, version: Version) -> bool {
    let written_again = census.life(version).is_some_and(|life| !life.rewritten_in.is_empty());
    // What the scan has no table for is told each time.
    written_again && census.entry(version).is_some_and(|entry| entry.kind == ChangeKind::Put(FileType::Regular))
}

fn human(args: &Args, told: &Told) -> Result<String> {
    let mut text = String::new();
    let head = format!("{}: {} hidden, {}", name_of(&told.names), plural(told.files.len(), "file"), bytes(told.bytes));
    writeln!(text, "{}", sanitise(&head))?;
    let most = if args.top == 0 { usize::MAX } else { args.top };
    for file in told.files.iter().take(most) {
        let found = if file.findings.is_empty() { String::new() } else { format!("  [{}]", plural(file.findings.len(), "secret")) };
        let line = format!(
            "{:>4} {:>9}  layer {:<3} {}  {}{found}",
            file.suspicion,
            bytes(file.size),
            file.layer,
            file.path,
            fate_told(&file.fate)
        );
        writeln!(text, "  {}", sanitise(&line))?;
        writeln!(text, "       {}", file.reasons.join(", "))?;
    }
    if told.files.len() > most {
        writeln!(text, "  and {} (--top 0 shows them all)", plural(told.files.len() - most, "other"))?;
    }
    if let Some(first) = told.files.first()
        && let Some(target) = shell_word(&args.target)
        && args.target != "-"
    {
        // A name that had to be redacted cannot be typed.
        let path = shell_bytes(first.path.as_bytes()).filter(|_| !told.redacted).unwrap_or_else(|| "PATH".to_owned());
        let nth = first.nth.map(|nth| format!(" --nth {nth}")).unwrap_or_default();
        let image = if told.several { format!(" --image {}", told.image) } else { String::new() };
        writeln!(text, "get one: pentimento recover {target} {} --layer {}{nth}{image}", sanitise(&path), first.layer)?;
        writeln!(text, "get all: pentimento recover {target} --hidden{image} -o DIR")?;
    }
    text.push('\n');
    Ok(text)
}
