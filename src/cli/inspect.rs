//! `pentimento inspect`: what is odd about an image itself, and what it may mean.

use super::print;
use super::read::{ReadArgs, Reading, name_of};
use anyhow::Result;
use pentimento::error::Code;
use pentimento::report::human::plural;
use pentimento::text::sanitise;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Options of `inspect`.
#[derive(clap::Args)]
pub struct Args {
    /// The saved image: a file, a directory, or `-` for a pipe
    target: String,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Do not redact
    #[arg(long)]
    show_secrets: bool,
    #[command(flatten)]
    read: ReadArgs,
}

/// One oddity.
#[derive(Serialize, Deserialize)]
struct Oddity {
    code: String,
    /// `problem`: something was not read. `note`: it is worth knowing.
    kind: String,
    message: String,
    meaning: String,
    image: Option<usize>,
    layer: Option<usize>,
    path: Option<String>,
}

/// Tells them, and returns the exit code.
pub fn run(args: &Args) -> Result<u8> {
    let reading = Reading::of(&args.read, &args.target, args.show_secrets)?;
    let report = &reading.report;
    let problems = report.problems.iter().map(|entry| ("problem", entry)).chain(report.notes.iter().map(|entry| ("note", entry)));
    let oddities: Vec<Oddity> = problems
        .map(|(kind, entry)| Oddity {
            code: entry.code.clone(),
            kind: kind.to_owned(),
            message: entry.message.clone(),
            meaning: Code::parse(&entry.code).map(|code| code.meaning().to_owned()).unwrap_or_default(),
            image: entry.image,
            layer: entry.layer,
            path: entry.path.clone(),
        })
        .collect();
    if args.json {
        print(format!("{}\n", serde_json::to_string_pretty(&oddities)?).as_bytes())?;
    } else {
        print(human(&reading, &oddities)?.as_bytes())?;
    }
    Ok(if report.complete { 0 } else { 3 })
}

/// By code: what it means once, then each place.
fn human(reading: &Reading, oddities: &[Oddity]) -> Result<String> {
    let mut text = String::new();
    for (index, image) in reading.report.images.iter().enumerate() {
        let config = image.config.as_deref().unwrap_or("no config");
        let platform = image.platform.as_deref().unwrap_or("unknown platform");
        let line = format!("[{index}] {} · {} · {platform} · {} layers · {config}", name_of(&image.names), image.kind, image.layers.len());
        writeln!(text, "{}", sanitise(&line))?;
    }
    let mut codes: Vec<&str> = Vec::new();
    for oddity in oddities {
        if !codes.contains(&oddity.code.as_str()) {
            codes.push(&oddity.code);
        }
    }
    for code in codes {
        let all: Vec<&Oddity> = oddities.iter().filter(|oddity| oddity.code == code).collect();
        let Some(first) = all.first() else { continue };
        writeln!(text, "\n{} {code}", first.kind)?;
        writeln!(text, "  {}", first.meaning)?;
        for oddity in all {
            let image = oddity.image.filter(|_| reading.report.images.len() > 1).map(|image| format!("[{image}] ")).unwrap_or_default();
            let layer = oddity.layer.map(|layer| format!("layer {layer}: ")).unwrap_or_default();
            let path = oddity.path.as_ref().map(|path| format!("{path}: ")).unwrap_or_default();
            writeln!(text, "  - {}", sanitise(&format!("{image}{layer}{path}{}", oddity.message)))?;
        }
    }
    let problems = reading.report.problems.len();
    match (problems, reading.report.notes.len()) {
        (0, 0) => writeln!(text, "\nnothing odd: everything was read, and all of it is as it should be")?,
        (0, notes) => writeln!(text, "\n{}; everything was read", plural(notes, "note"))?,
        (problems, notes) => writeln!(text, "\n{}, {}; NOT everything could be read", plural(problems, "problem"), plural(notes, "note"))?,
    }
    Ok(text)
}
