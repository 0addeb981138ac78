//! `pentimento history`: every version of one path.

use super::items::{fate_entry, kind_word, recoverable};
use super::print;
use super::read::{InFiles, ReadArgs, Reading, name_of};
use anyhow::{Result, bail};
use pentimento::census::{Census, Version};
use pentimento::digest::Digest;
use pentimento::layer::change::{ChangeKind, FileType};
use pentimento::layer_scan::Place;
use pentimento::report::FateEntry;
use pentimento::report::fate::{instruction, room};
use pentimento::report::human::{bytes, fate_told, short_digests};
use pentimento::scan::{Part, Wanted, take};
use pentimento::text::{exact, sanitise, shorten};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Options of `history`.
#[derive(clap::Args)]
pub struct Args {
    /// The saved image: a file, a directory, or `-` for a pipe (then without SHA-256)
    target: String,
    /// The path in the image, with or without a leading `/`
    path: String,
    /// As JSON
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

/// The versions of the path in one image.
#[derive(Serialize, Deserialize)]
struct History {
    image: usize,
    names: Vec<String>,
    path: String,
    versions: Vec<Told>,
}

/// One of them.
#[derive(Serialize, Deserialize)]
struct Told {
    layer: usize,
    /// Which of those that the layer holds at the path and that can be got back, from 1.
    nth: usize,
    /// See [`kind_word`].
    r#type: String,
    target: Option<String>,
    instruction: Option<String>,
    size: u64,
    mode: String,
    sha256: Option<String>,
    fate: Option<FateEntry>,
    rewritten_in: Vec<usize>,
    findings: Vec<String>,
}

/// Tells it, and returns the exit code.
pub fn run(args: &Args) -> Result<u8> {
    let reading = Reading::of(&args.read, &args.target, args.show_secrets)?;
    let (path, _) = pentimento::layer::path::clean(args.path.as_bytes());
    let mut histories = Vec::new();
    for image in reading.images(args.image.as_deref())? {
        let census = reading.census(image);
        let versions = census.at(&path);
        if !versions.is_empty() {
            let digests = digests(&reading, &census, &versions)?;
            let found = reading.in_files(image);
            let told = versions.iter().map(|version| told(&reading, image, &census, *version, (&digests, &found))).collect();
            let names = reading.report.images[image].names.clone();
            histories.push(reading.clean(History { image, names, path: exact(&path), versions: told })?);
        }
    }
    if histories.is_empty() {
        bail!("no layer holds anything at {}", sanitise(&args.path));
    }
    if args.json {
        print(format!("{}\n", serde_json::to_string_pretty(&histories)?).as_bytes())?;
    } else {
        for history in &histories {
            print(human(history)?.as_bytes())?;
        }
    }
    Ok(reading.exit_code())
}

/// SHA-256 of the versions with content: they are read again. Of a pipe there are none.
fn digests(reading: &Reading, census: &Census, versions: &[Version]) -> Result<HashMap<Version, String>> {
    let content = |version: &&Version| {
        let kind = census.entry(**version).map(|entry| (entry.kind, entry.size));
        matches!(kind, Some((ChangeKind::Put(FileType::Regular | FileType::HardLink) | ChangeKind::LinkPool, _)))
            || matches!(kind, Some((_, size)) if size > 0)
    };
    let asked: Vec<Version> = versions.iter().filter(content).copied().collect();
    let wanted = asked.iter().map(|version| {
        let content = census.content(*version);
        Wanted { blob: census.layers[content.layer].and_then(|(blob, _)| blob), entry: content.entry, place: Place::Content }
    });
    let wanted: Vec<Wanted> = wanted.collect();
    let Ok(open) = reading.again("history") else { return Ok(HashMap::new()) };
    // Of several names of one file, one is read.
    let mut distinct = wanted.clone();
    distinct.dedup();
    let found: Arc<Mutex<HashMap<usize, String>>> = Arc::default();
    let shared = found.clone();
    let to = Box::new(move |part: Part| {
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 << 10]);
        loop {
            match part.content.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => hash.update(&buffer[..n]),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                // Of what is damaged there is none.
                Err(_) => return Ok(()),
            }
        }
        shared.lock().unwrap_or_else(PoisonError::into_inner).insert(part.index, Digest::of(hash).encoded());
        Ok(())
    });
    take(&open, &reading.scanned.archive, &distinct, reading.limits(), reading.stop(), to)?;
    let found = found.lock().unwrap_or_else(PoisonError::into_inner);
    let of = |wanted: &Wanted| distinct.iter().position(|other| other == wanted).and_then(|index| found.get(&index).cloned());
    Ok(asked.into_iter().zip(&wanted).filter_map(|(version, wanted)| Some((version, of(wanted)?))).collect())
}

fn told(
    reading: &Reading,
    image: usize,
    census: &Census,
    version: Version,
    (digests, found): (&HashMap<Version, String>, &InFiles),
) -> Told {
    let (certain, _, candidates) = instruction(reading.entry(image), version.layer, 32 << 10);
    let same_layer = census.scan(version.layer).map(|scan| recoverable(scan, census.path(version))).unwrap_or_default();
    let entry = census.entry(version);
    Told {
        layer: version.layer,
        nth: same_layer.iter().position(|entry| *entry == version.entry).map_or(1, |at| at + 1),
        r#type: entry.map(|entry| kind_word(entry.kind)).unwrap_or_default().to_owned(),
        target: census.scan(version.layer).map(|scan| exact(scan.target(version.entry))).filter(|target| !target.is_empty()),
        instruction: certain.or_else(|| candidates.last().map(|last| format!("probably {last}"))),
        size: entry.map_or(0, |entry| entry.size),
        mode: entry.map(|entry| format!("{:04o}", entry.mode)).unwrap_or_default(),
        sha256: digests.get(&version).cloned(),
        fate: census.fate(version).map(|fate| fate_entry(fate, reading.entry(image), version.layer, room(1))),
        rewritten_in: census.life(version).map(|life| life.rewritten_in.clone()).unwrap_or_default(),
        findings: found.get(&(version.layer, census.path(version))).cloned().unwrap_or_default(),
    }
}

fn human(history: &History) -> Result<String> {
    let mut text = String::new();
    writeln!(text, "{} in {}", sanitise(&history.path), sanitise(&name_of(&history.names)))?;
    for version in &history.versions {
        let nth = if history.versions.iter().any(|other| other.layer == version.layer && other.nth != version.nth) {
            format!(" (--nth {})", version.nth)
        } else {
            String::new()
        };
        let by = version.instruction.as_deref().map(short_digests).unwrap_or_else(|| "unknown instruction".to_owned());
        writeln!(text, "  layer {}{nth}: {}", version.layer, shorten(&sanitise(&by), 100))?;
        let target = version.target.as_ref().map(|target| format!(" → {target}")).unwrap_or_default();
        let fate = version.fate.as_ref().map(|fate| format!(", {}", fate_told(fate)));
        let line = format!("{}{target}, mode {}, {}{}", version.r#type, version.mode, bytes(version.size), fate.unwrap_or_default());
        writeln!(text, "    {}", sanitise(&line))?;
        if let Some(sha256) = &version.sha256 {
            writeln!(text, "    sha256 {sha256}")?;
        }
        if let [first, ..] = version.rewritten_in[..] {
            writeln!(
                text,
                "    written again with the same content in layer {first}{}",
                if version.rewritten_in.len() > 1 { " and others" } else { "" }
            )?;
        }
        if !version.findings.is_empty() {
            writeln!(text, "    findings {}", version.findings.join(", "))?;
        }
    }
    text.push('\n');
    Ok(text)
}
