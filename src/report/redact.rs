//! Redaction: no value of any secret leaves the program, wherever in the report it stands.

use super::Report;
use crate::finding::Finding;
use crate::rules::Confidence;
use aho_corasick::{AhoCorasick, MatchKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// Fields with a vocabulary of their own, or that identify things: no text from an image is in them.
const FIXED: &[&str] = &[
    "id",
    "rule",
    "provider",
    "title",
    "severity",
    "confidence",
    "redacted",
    "state",
    "how",
    "kind",
    "code",
    "verdict",
    "tool",
    "config",
    "platform",
    "diff_id",
    "blob",
    "reasons",
    "revoke",
    "reason",
    "path_raw",
    "engine_dependent",
];

/// Values of low confidence are often ordinary words: short ones of these are left as they are.
const LEAST_OF_LOW: usize = 6;

/// The report with every value of `findings` replaced, also of those findings that it does not list. The image's own digests and the
/// fields with a fixed vocabulary stay.
pub fn redact<'a>(mut report: Report, findings: impl Iterator<Item = &'a Finding>) -> Result<Report, serde_json::Error> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    for finding in findings.filter(|f| f.confidence > Confidence::Low || f.secret.len() >= LEAST_OF_LOW) {
        let text = finding.secret.reveal_text();
        // In a command, quotes are escaped for the shell; in JSON pointers `/` and `~`.
        for spelling in [text.replace('\'', "'\\''"), text.replace('~', "~0").replace('/', "~1"), crate::text::sanitise(&text), text] {
            values.insert(spelling, finding.secret.redacted());
        }
    }
    let Ok(automaton) = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(values.keys()) else { return Ok(report) };
    let redacted: Vec<&str> = values.values().map(String::as_str).collect();
    // Finding by finding: as one JSON value the whole report would need several times its memory.
    let findings = std::mem::take(&mut report.findings);
    let mut report: Report = redact_one(report, &automaton, &redacted)?;
    report.findings = findings.into_iter().map(|finding| redact_one(finding, &automaton, &redacted)).collect::<Result<_, _>>()?;
    Ok(report)
}

fn redact_one<T: Serialize + DeserializeOwned>(part: T, automaton: &AhoCorasick, redacted: &[&str]) -> Result<T, serde_json::Error> {
    let mut document = serde_json::to_value(part)?;
    walk(&mut document, automaton, redacted);
    serde_json::from_value(document)
}

fn walk(value: &mut Value, automaton: &AhoCorasick, redacted: &[&str]) {
    match value {
        Value::String(text) if automaton.is_match(text.as_str()) => *text = automaton.replace_all(text, redacted),
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, automaton, redacted)),
        Value::Object(map) => {
            let path_hides = map.get("path").and_then(Value::as_str).is_some_and(|path| automaton.is_match(path));
            if path_hides {
                // In base64 it would tell what its text does not.
                map.remove("path_raw");
            }
            for (key, item) in map.iter_mut() {
                if !FIXED.contains(&key.as_str()) {
                    walk(item, automaton, redacted);
                }
            }
        }
        _ => {}
    }
}
