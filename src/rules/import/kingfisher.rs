//! Nosey Parker and Kingfisher: a YAML list `rules`.

use super::{Draft, Imported, Remarks, draft, literally, named};
use crate::error::Error;
use crate::rules::Confidence;
use crate::rules::exception::ExceptionSpec;
use crate::rules::spec::{Example, Group, RuleSpec, ValueSpec};
use crate::text::{shorten, unquoted};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The most characters of one kind that are asked for.
const MOST_OF_A_KIND: usize = 64;

#[derive(Debug, Deserialize)]
struct File {
    #[serde(default)]
    rules: Vec<RuleEntry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RuleEntry {
    name: String,
    id: String,
    pattern: String,
    min_entropy: f32,
    confidence: Option<String>,
    examples: Vec<Text>,
    negative_examples: Vec<Text>,
    references: Vec<String>,
    visible: Option<bool>,
    pattern_requirements: Option<Requirements>,
    validation: Option<IgnoredAny>,
    revocation: Option<IgnoredAny>,
    depends_on_rule: Option<Vec<Dependency>>,
}

/// An example. Without quotes, YAML takes some for something else than a text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Text {
    Text(String),
    Other(IgnoredAny),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Requirements {
    min_digits: usize,
    min_uppercase: usize,
    min_lowercase: usize,
    min_special_chars: usize,
    special_chars: Option<String>,
    ignore_if_contains: Vec<String>,
    checksum: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Dependency {
    within: Option<String>,
}

/// Reads a file. Anchors and aliases are bounded by what a rule file of a few thousand rules needs.
pub fn read(file: &str, text: &str) -> Result<Imported, Error> {
    let parsed: File = serde_saphyr::from_str_with_options(text, options()).map_err(|e| {
        let place = e.location().map_or_else(|| file.to_owned(), |at| format!("{file}:{}:{}", at.line(), at.column()));
        // Without the lines around it.
        let message = unquoted(&e.without_snippet().to_string());
        Error::Rules { file: place, message: shorten(&message, 200) }
    })?;
    let mut imported = Imported::default();
    for entry in &parsed.rules {
        // Its matches are there for other rules' questions to the network.
        if entry.visible == Some(false) {
            continue;
        }
        match rule(entry, &mut imported.remarks) {
            Ok(spec) => imported.drafts.push(Draft { spec, exceptions: Vec::new() }),
            Err(why) => imported.remarks.of_rule(&entry.id, format!("left out: {why}")),
        }
    }
    Ok(imported)
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_aliases: 1000,
            max_anchors: 1000,
            max_depth: 32,
            max_documents: 1,
            max_total_scalar_bytes: 16 << 20,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
            max_replay_stack_depth: 8,
        },
        with_snippet: false,
    }
}

fn rule(entry: &RuleEntry, remarks: &mut Remarks) -> Result<RuleSpec, String> {
    let (mut spec, hir) = draft(&entry.id, &entry.name, &entry.pattern, Vec::new())?;
    // Nosey Parker shows all groups; the secret is what the others lead to.
    let unnamed = if entry.id.starts_with("np.") { Group::Last } else { Group::First };
    spec.group = named(&hir, "TOKEN").unwrap_or(unnamed);
    spec.confidence = match entry.confidence.as_deref() {
        Some("low") => Confidence::Low,
        Some("high") => Confidence::High,
        _ => Confidence::Medium,
    };
    spec.reference = entry.references.first().cloned();
    spec.value = ValueSpec { entropy: entry.min_entropy, ..ValueSpec::default() };
    let example = |text: &Text| match text {
        Text::Text(text) => Some(Example::Text(literally(text))),
        Text::Other(_) => None,
    };
    spec.matches = entry.examples.iter().filter_map(example).collect();
    spec.reject = entry.negative_examples.iter().filter_map(example).collect();
    if let Some(requirements) = &entry.pattern_requirements {
        require(&mut spec, requirements, &entry.id, remarks);
    }
    if entry.validation.is_some() || entry.revocation.is_some() {
        remarks.say("`validation` and `revocation`: nobody is asked whether a secret is alive, and nothing is revoked");
    }
    if entry.depends_on_rule.iter().flatten().any(|dependency| dependency.within.is_some()) {
        remarks.of_rule(&entry.id, "`within`: that another rule matches near it is not asked for");
    }
    if spec.keywords.as_ref().is_some_and(Vec::is_empty) {
        remarks.of_rule(&entry.id, "there is no text that all matches hold: it is run over everything, which is slow");
    }
    Ok(spec)
}

/// What is asked of the characters of a secret: a value with fewer of a kind is an exception.
fn require(spec: &mut RuleSpec, requirements: &Requirements, id: &str, remarks: &mut Remarks) {
    let special = match requirements.special_chars.as_deref() {
        Some(chars) if chars.is_ascii() && !chars.is_empty() => chars.bytes().map(|b| format!(r"\x{b:02x}")).collect(),
        _ => "[:punct:]".to_owned(),
    };
    let kinds = [
        ("0-9", requirements.min_digits),
        ("A-Z", requirements.min_uppercase),
        ("a-z", requirements.min_lowercase),
        (&special, requirements.min_special_chars),
    ];
    for (kind, least) in kinds.into_iter().filter(|(_, least)| *least > 0) {
        let most = least.min(MOST_OF_A_KIND) - 1;
        spec.allow
            .push(ExceptionSpec { regexes: vec![format!("^[^{kind}]*(?:[{kind}][^{kind}]*){{0,{most}}}$")], ..ExceptionSpec::default() });
    }
    if !requirements.ignore_if_contains.is_empty() {
        spec.allow.push(ExceptionSpec { words: requirements.ignore_if_contains.clone(), ..ExceptionSpec::default() });
    }
    if requirements.checksum.is_some() {
        remarks.of_rule(id, "`checksum` is not computed");
    }
}
