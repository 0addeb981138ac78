//! `pentimento layers`: the life of an image, layer by layer.

use super::items::{fate_entry, kind_word};
use super::read::{ReadArgs, Reading, name_of};
use super::{When, print};
use anyhow::{Result, bail};
use pentimento::census::{Census, Changes};
use pentimento::report::FateEntry;
use pentimento::report::fate::{instruction, room};
use pentimento::report::human::{bytes, fate_told, plural, short_digests};
use pentimento::text::{exact, sanitise, shorten};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Options of `layers`.
#[derive(clap::Args)]
pub struct Args {
    /// The saved image: a file, a directory, or `-` for a pipe
    target: String,
    /// List also what layer N did to files, with their fates
    #[arg(long, value_name = "N")]
    files: Option<usize>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// The image that this one was built from, saved: its layers are told apart by their diff_ids
    #[arg(long, value_name = "IMAGE")]
    base: Option<String>,
    /// Which image of the archive: a number from 0, a name, or the digest of its config (default: all)
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Do not redact
    #[arg(long)]
    show_secrets: bool,
    /// Colour
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    color: When,
    #[command(flatten)]
    read: ReadArgs,
}

/// One image.
#[derive(Serialize, Deserialize)]
struct Life {
    image: usize,
    names: Vec<String>,
    config: Option<String>,
    platform: Option<String>,
    /// How many of the first layers came with the base; none where that was not asked.
    base_layers: Option<usize>,
    layers: Vec<Layer>,
}

/// One layer of its life.
#[derive(Serialize, Deserialize)]
struct Layer {
    index: usize,
    diff_id: Option<String>,
    /// Where there are several candidates, the last.
    instruction: Option<String>,
    instruction_certain: bool,
    /// The uncompressed tar, in bytes.
    size: u64,
    /// The stored blob, in bytes.
    stored: u64,
    missing: bool,
    #[serde(flatten)]
    changes: Changes,
    secrets_born: usize,
    secrets_hidden: usize,
    base: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    files: Vec<File>,
}

/// What a layer did to one path.
#[derive(Serialize, Deserialize)]
struct File {
    /// See [`kind_word`].
    change: String,
    path: String,
    target: Option<String>,
    size: u64,
    mode: String,
    fate: Option<FateEntry>,
    secrets: usize,
}

/// Tells it, and returns the exit code.
pub fn run(args: &Args) -> Result<u8> {
    let detector = args.read.detector()?;
    let reading = Reading::with(&args.read, &detector, &args.target, args.show_secrets)?;
    let base = args.base.as_ref().map(|base| super::base::read(&args.read, &detector, base, reading.stop())).transpose()?;
    let mut lives = Vec::new();
    for image in reading.images(args.image.as_deref())? {
        lives.push(reading.clean(life(args, &reading, image, base.as_ref())?)?);
    }
    if args.json {
        print(format!("{}\n", serde_json::to_string_pretty(&lives)?).as_bytes())?;
    } else {
        for life in &lives {
            print(human(args, life)?.as_bytes())?;
        }
    }
    Ok(reading.exit_code())
}

fn life(args: &Args, reading: &Reading, index: usize, base: Option<&pentimento::base::Base>) -> Result<Life> {
    let image = reading.entry(index);
    let census = reading.census(index);
    let changes = census.changes();
    if args.files.is_some_and(|layer| layer >= changes.len()) {
        bail!("the image has {}, counted from 0", plural(changes.len(), "layer"));
    }
    let told = &reading.report.images[index];
    let base_layers = base.map(|base| base.shared(&reading.scanned.archive, image));
    let findings = || reading.report.findings.iter().filter(|finding| finding.image == Some(index));
    let layers = changes.iter().enumerate().map(|(layer, changes)| {
        let (certain, _, candidates) = instruction(image, layer, 32 << 10);
        let entry = told.layers.get(layer);
        let blob = image.layers.get(layer).and_then(|layer| layer.blob);
        Layer {
            index: layer,
            diff_id: entry.and_then(|entry| entry.diff_id.clone()),
            instruction_certain: certain.is_some(),
            instruction: certain.or_else(|| candidates.last().cloned()),
            size: entry.map_or(0, |entry| entry.size),
            stored: blob.map_or(0, |blob| reading.scanned.archive.blobs[blob].stored_size),
            missing: census.scan(layer).is_none(),
            changes: *changes,
            secrets_born: findings().filter(|f| f.location.kind == "file" && f.location.layer == Some(layer)).count(),
            secrets_hidden: findings().filter(|f| f.fate.by_layer == Some(layer)).count(),
            base: base_layers.map(|shared| layer < shared),
            files: if args.files == Some(layer) { files(reading, index, &census, layer) } else { Vec::new() },
        }
    });
    let layers = layers.collect();
    Ok(Life { image: index, names: told.names.clone(), config: told.config.clone(), platform: told.platform.clone(), base_layers, layers })
}

fn files(reading: &Reading, image: usize, census: &Census, layer: usize) -> Vec<File> {
    let Some(scan) = census.scan(layer) else { return Vec::new() };
    let found = reading.in_files(image);
    let room = room(scan.len());
    let entries = scan.entries().map(|(index, entry)| File {
        change: kind_word(entry.kind).to_owned(),
        secrets: found.get(&(layer, scan.path(index))).map_or(0, Vec::len),
        target: Some(exact(scan.target(index))).filter(|target| !target.is_empty()),
        size: entry.size,
        mode: format!("{:04o}", entry.mode),
        fate: census
            .fate(pentimento::census::Version { layer, entry: index })
            .map(|fate| fate_entry(fate, reading.entry(image), layer, room)),
        path: exact(scan.path(index)),
    });
    entries.collect()
}

fn human(args: &Args, life: &Life) -> Result<String> {
    let style = super::scan::style(args.color);
    let mut text = String::new();
    let platform = life.platform.as_deref().unwrap_or("unknown platform");
    let base = match life.base_layers {
        Some(0) => "nothing of it came with the base".to_owned(),
        Some(shared) => format!("the first {} came with the base", plural(shared, "layer")),
        None => "base: not known (--base IMAGE tells)".to_owned(),
    };
    let head = format!("{} · {platform} · {} · {base}", name_of(&life.names), plural(life.layers.len(), "layer"));
    writeln!(text, "{}", sanitise(&head))?;
    writeln!(
        text,
        "  {:>3}  {:>9} {:>7} {:>6} {:>6} {:>6}  {:>16}  {:>9}  instruction",
        "#", "size", "added", "chgd", "same", "gone", "hidden", "secrets"
    )?;
    let room = style.width.saturating_sub(82).max(30);
    for layer in &life.layers {
        let hidden = if layer.changes.hidden == 0 {
            "-".to_owned()
        } else {
            format!("{} in {}", bytes(layer.changes.hidden_bytes), layer.changes.hidden)
        };
        let secrets = match (layer.secrets_born, layer.secrets_hidden) {
            (0, 0) => "-".to_owned(),
            (born, hidden) => format!("+{born} -{hidden}"),
        };
        let mut by = layer.instruction.as_deref().map(short_digests).unwrap_or_else(|| "unknown instruction".to_owned());
        if !layer.instruction_certain && layer.instruction.is_some() {
            by = format!("probably {by}");
        }
        let mark = match (layer.missing, layer.base) {
            (true, _) => "? ",
            (_, Some(true)) => "b ",
            _ => "  ",
        };
        writeln!(
            text,
            "{mark}{:>3}  {:>9} {:>7} {:>6} {:>6} {:>6}  {hidden:>16}  {secrets:>9}  {}",
            layer.index,
            bytes(layer.size),
            layer.changes.added,
            layer.changes.changed,
            layer.changes.rewritten,
            layer.changes.removed,
            shorten(&sanitise(&by), room)
        )?;
    }
    let (files, size) = life.layers.iter().fold((0, 0), |sum, layer| (sum.0 + layer.changes.hidden, sum.1 + layer.changes.hidden_bytes));
    writeln!(text, "hidden in all: {} in {}", bytes(size), plural(files as usize, "file"))?;
    for file in life.layers.iter().flat_map(|layer| &layer.files) {
        let target = file.target.as_ref().map(|target| format!(" → {target}")).unwrap_or_default();
        let fate = file.fate.as_ref().map(fate_told).unwrap_or_default();
        let secrets = if file.secrets > 0 { format!("  {}", plural(file.secrets, "secret")) } else { String::new() };
        let line = format!("{:<9} {} {:>9}  {}{target}  {}{secrets}", file.change, file.mode, bytes(file.size), file.path, fate);
        writeln!(text, "  {}", sanitise(line.trim_end()))?;
    }
    text.push('\n');
    Ok(text)
}
