//! `pentimento rules explain`.

use super::scan::{ConfidenceArg, FormatArg};
use anyhow::{Context, Result, bail};
use pentimento::detect::explain::{Candidate, Outcome, explain};
use pentimento::detect::watch::Refusal;
use pentimento::detect::{Detector, Medium, Text};
use pentimento::rules::Confidence;
use pentimento::text::{sanitise, shorten};
use serde_json::{Value, json};
use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The longest text that is explained.
const MOST: u64 = 64 << 20;

/// Options of `rules explain`.
#[derive(clap::Args)]
pub struct Args {
    /// A text, the path of an existing file, or `-` for standard input
    #[arg(value_name = "TEXT|FILE")]
    text: String,
    /// Where the text stands in the image, for rules that look at the path (default: the path of FILE)
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// The text is a value of an image's configuration or history
    #[arg(long)]
    metadata: bool,
    /// Of files, also the places where a literal of a rule stands and what is around it does not match its regex
    #[arg(long)]
    all: bool,
    /// Show the values
    #[arg(long)]
    show_secrets: bool,
    /// How the answer is written
    #[arg(long, value_enum, default_value = "human")]
    format: FormatArg,
    /// What is less sure is not reported
    #[arg(long, value_enum, default_value = "medium", value_name = "LEVEL")]
    min_confidence: ConfidenceArg,
    /// Add the rules of a file or directory
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Remove the rule with this id
    #[arg(long, value_name = "ID")]
    disable: Vec<String>,
}

/// Explains, and returns the exit code.
pub fn run(args: &Args) -> Result<()> {
    let detector = Detector::exhaustive(super::rules::rule_set(&args.rules, &args.disable)?)?;
    let file = args.text == "-" || Path::new(&args.text).is_file();
    let bytes = if file { read(&args.text)? } else { args.text.clone().into_bytes() };
    let own = if file && args.text != "-" { args.text.as_str() } else { "" };
    let path = args.path.as_deref().unwrap_or(own).trim_start_matches("./").trim_start_matches('/');
    let medium = if args.metadata { Medium::Metadata } else { Medium::sniff(&bytes) };
    let (mut all, left_out) = explain(&detector, &Text::whole(&bytes, path.as_bytes(), medium));
    let before = all.len();
    if file && !args.all {
        all.retain(|candidate| candidate.outcome != Outcome::Refused(Refusal::Form));
    }
    let answer = Answer { detector: &detector, args, least: args.min_confidence.into() };
    let text = match args.format {
        FormatArg::Human => answer.human(&all, before - all.len(), left_out)?,
        FormatArg::Json => format!("{:#}\n", answer.json(&all, before - all.len(), left_out)),
    };
    super::print(text.as_bytes())
}

fn read(path: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let from: Box<dyn Read> = match path {
        "-" => Box::new(std::io::stdin().lock()),
        _ => Box::new(std::fs::File::open(path).with_context(|| format!("cannot open {path}"))?),
    };
    if from.take(MOST + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {path}"))? as u64 > MOST {
        bail!("{path}: more than {} MiB: cut out the part that is to be explained", MOST >> 20);
    }
    Ok(bytes)
}

struct Answer<'a> {
    detector: &'a Detector,
    args: &'a Args,
    least: Confidence,
}

impl Answer<'_> {
    /// A word for programs, and a sentence for people.
    fn verdict(&self, candidate: &Candidate) -> (&'static str, String) {
        match &candidate.outcome {
            Outcome::Refused(Refusal::Beaten(winner)) => {
                ("beaten", format!("{} matches there, and it is surer or more specific", self.id(*winner)))
            }
            Outcome::Refused(Refusal::Part(owner)) => ("part", format!("it is told as a part of a match of {}", self.id(*owner))),
            Outcome::Refused(why) => (why.code(), why.to_string()),
            Outcome::Match { reasons, allowed, confidence } => {
                let because = reasons.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("; ");
                let sure = format!("its confidence is {}", confidence.as_str());
                let why = if because.is_empty() { sure } else { format!("{sure}: {because}") };
                match (*confidence < self.least, allowed) {
                    (true, _) => ("confidence", why),
                    (false, true) => ("allowed", why),
                    (false, false) => ("reported", why),
                }
            }
        }
    }

    fn id(&self, rule: usize) -> &str {
        &self.detector.rules().rules()[rule].id
    }

    fn human(&self, all: &[Candidate], hidden: usize, left_out: usize) -> Result<String> {
        let mut text = String::new();
        let mut reported = 0;
        for candidate in all {
            let (code, why) = self.verdict(candidate);
            reported += usize::from(code == "reported");
            let value = if self.args.show_secrets { candidate.value.reveal_text() } else { candidate.value.redacted() };
            let within = candidate.codings.iter().map(|coding| format!(" in {coding}")).collect::<String>();
            let place = format!("{}:{}", candidate.line, candidate.column);
            writeln!(text, "{place:<8} {}  {}{within}", self.id(candidate.rule), shorten(&sanitise(&value), 200))?;
            let verdict = if code == "reported" { "reported".to_owned() } else { format!("not reported ({code})") };
            writeln!(text, "         {verdict}: {}", sanitise(&why))?;
        }
        writeln!(text, "{} candidates, {reported} reported", all.len())?;
        if hidden > 0 {
            writeln!(text, "{hidden} more places where a literal of a rule stands and its regex does not match (--all)")?;
        }
        if left_out > 0 {
            writeln!(text, "{left_out} more refusals are left out")?;
        }
        Ok(text)
    }

    fn json(&self, all: &[Candidate], hidden: usize, left_out: usize) -> Value {
        let one = |candidate: &Candidate| {
            let (code, why) = self.verdict(candidate);
            let confidence = match &candidate.outcome {
                Outcome::Match { confidence, .. } => Some(confidence.as_str()),
                Outcome::Refused(_) => None,
            };
            let mut secret = json!({ "redacted": candidate.value.redacted(), "length": candidate.value.len() });
            if self.args.show_secrets {
                secret["value"] = candidate.value.reveal_text().into();
            }
            json!({
                "rule": self.id(candidate.rule),
                "line": candidate.line,
                "column": candidate.column,
                "offset": candidate.place.start,
                "inner": candidate.codings,
                "secret": secret,
                "reported": code == "reported",
                "verdict": code,
                "why": why,
                "confidence": confidence,
            })
        };
        json!({ "candidates": all.iter().map(one).collect::<Vec<_>>(), "not_listed": hidden + left_out })
    }
}
