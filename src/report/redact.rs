//! Redaction: no value of any secret leaves the program, wherever in the report it stands.

use super::Report;
use crate::finding::Finding;
use crate::rules::Confidence;
use aho_corasick::{AhoCorasick, MatchKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

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
    "reasons",
    "revoke",
    "reason",
    "path_raw",
    "engine_dependent",
];

fn is_sha256(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Values of low confidence are often ordinary words: short ones of these are left as they are.
const LEAST_OF_LOW: usize = 6;

/// The report with every value of `findings` replaced, also of those findings that it does not list. The image's own digests and the
/// fields with a fixed vocabulary stay.
pub fn redact<'a>(mut report: Report, findings: impl Iterator<Item = &'a Finding>) -> Result<Report, serde_json::Error> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    for finding in findings.filter(|f| f.confidence > Confidence::Low || f.secret.len() >= LEAST_OF_LOW) {
        for spelling in spellings(&finding.secret.reveal_text()) {
            values.insert(spelling, finding.secret.redacted());
        }
    }
    let redactor = Redactor::new(values)?;
    // Finding by finding: as one JSON value the whole report would need several times its memory.
    let findings = std::mem::take(&mut report.findings);
    let mut report: Report = redactor.part(report)?;
    report.findings = findings.into_iter().map(|finding| redactor.part(finding)).collect::<Result<_, _>>()?;
    Ok(report)
}

/// How a value may be written in a report: as it is; with quotes escaped for a shell; with `/` and `~` escaped for a JSON pointer;
/// sanitised; with the doubled backslashes of a path that is not UTF-8; with white space folded, as builders and people do.
fn spellings(text: &str) -> [String; 6] {
    [
        text.to_owned(),
        text.replace('\'', "'\\''"),
        text.replace('~', "~0").replace('/', "~1"),
        crate::text::sanitise(text),
        text.replace('\\', "\\\\"),
        text.split_whitespace().collect::<Vec<_>>().join(" "),
    ]
}

/// Replaces values in texts.
struct Redactor {
    automaton: AhoCorasick,
    /// Sorted.
    values: Vec<String>,
    redacted: Vec<String>,
    /// How values begin, as far as is looked for where a text was cut.
    beginnings: HashSet<[u8; LEAST_OF_CUT]>,
    /// The longest value, in bytes.
    longest: usize,
}

/// Fewer bytes of a value may be left where a text was cut.
const LEAST_OF_CUT: usize = 4;

impl Redactor {
    fn new(values: BTreeMap<String, String>) -> Result<Redactor, serde_json::Error> {
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(values.keys());
        // Without it nothing may be written.
        let automaton = automaton.map_err(serde::ser::Error::custom)?;
        let (values, redacted): (Vec<String>, _) = values.into_iter().unzip();
        let beginnings = values.iter().filter_map(|value| value.as_bytes().first_chunk().copied()).collect();
        let longest = values.iter().map(String::len).max().unwrap_or_default();
        Ok(Redactor { automaton, values, redacted, beginnings, longest })
    }

    fn part<T: Serialize + DeserializeOwned>(&self, part: T) -> Result<T, serde_json::Error> {
        let mut document = serde_json::to_value(part)?;
        self.walk(&mut document);
        serde_json::from_value(document)
    }

    fn walk(&self, value: &mut Value) {
        match value {
            // Our own digests may hold a value by chance; a digest of another algorithm is text from the image.
            Value::String(text) if is_sha256(text) => {}
            Value::String(text) => {
                if let Some(clean) = self.text(text) {
                    *text = clean;
                }
                self.cut(text);
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.walk(item)),
            Value::Object(map) => {
                let before = map.get("path").cloned();
                map.iter_mut().filter(|(key, _)| !FIXED.contains(&key.as_str())).for_each(|(_, item)| self.walk(item));
                if map.get("path") != before.as_ref() {
                    // In base64 it would tell what its text does not.
                    map.remove("path_raw");
                }
            }
            _ => {}
        }
    }

    /// A text that was cut may end within a value: what is left of it goes too.
    fn cut(&self, text: &mut String) {
        let Some(whole) = text.strip_suffix('…') else { return };
        let begins = |at: &usize| {
            let rest = &whole[*at..];
            let next = self.values.partition_point(|value| value.as_str() < rest);
            self.values.get(next).is_some_and(|value| value.starts_with(rest))
        };
        let from = whole.ceil_char_boundary(whole.len().saturating_sub(self.longest));
        let windows = whole.as_bytes()[from..].windows(LEAST_OF_CUT).enumerate();
        let starts = windows.filter(|(_, window)| window.first_chunk().is_some_and(|chunk| self.beginnings.contains(chunk)));
        if let Some(at) = starts.map(|(at, _)| from + at).filter(|at| whole.is_char_boundary(*at)).find(begins) {
            text.replace_range(at.., "********…");
        }
    }

    /// The text without any value; `None` if there is none in it. Where values overlap, all that any of them covers goes.
    fn text(&self, text: &str) -> Option<String> {
        let mut hits: Vec<_> = self.automaton.find_overlapping_iter(text).filter(|hit| !hit.is_empty()).collect();
        hits.sort_by_key(|hit| (hit.start(), std::cmp::Reverse(hit.end())));
        let mut clean = String::with_capacity(text.len());
        let (mut at, mut hits) = (0, hits.into_iter().peekable());
        hits.peek()?;
        while let Some(hit) = hits.next() {
            let mut end = hit.end();
            while let Some(next) = hits.next_if(|next| next.start() < end) {
                end = end.max(next.end());
            }
            clean.push_str(&text[at..hit.start()]);
            clean.push_str(if end == hit.end() { &self.redacted[hit.pattern().as_usize()] } else { "********" });
            at = end;
        }
        clean.push_str(&text[at..]);
        Some(clean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_values_leave_nothing_of_each_other() {
        let value = |text: &str| (text.to_owned(), "****".to_owned());
        let redactor = Redactor::new(BTreeMap::from([value("Zw8Kp9xQ2"), value("Kp9xQ2mZ7"), value("Kp9")])).expect("an automaton");
        assert_eq!(redactor.text("/x/Zw8Kp9xQ2mZ7/Kp9/y").as_deref(), Some("/x/********/****/y"));
        assert_eq!(redactor.text("nothing"), None);
    }

    #[test]
    fn of_a_value_in_which_a_text_was_cut_nothing_is_left() {
        let long = "ä-----k".repeat(300);
        let redactor = Redactor::new(BTreeMap::from([(long.clone(), "****".to_owned())])).expect("an automaton");
        let mut text = format!("RUN echo ä-----{}…", &long[..1800]);
        redactor.cut(&mut text);
        assert_eq!(text, "RUN echo ä-----********…");
    }

    #[test]
    fn a_value_is_known_in_every_spelling() {
        assert_eq!(
            spellings("a\nb'c~d/e\\"),
            ["a\nb'c~d/e\\", "a\nb'\\''c~d/e\\", "a\nb'c~0d~1e\\", "a\\nb'c~d/e\\", "a\nb'c~d/e\\\\", "a b'c~d/e\\"]
        );
    }
}
