//! Redaction: no value of any secret leaves the program, wherever in the report it stands.

use super::{Report, TreeEntry};
use crate::rules::Confidence;
use crate::secret::Secret;
use crate::text::{lossy, percent_decoded};
use aho_corasick::{AhoCorasick, MatchKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};

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
    "sha256",
    "engine_dependent",
    "hash",
    "ids",
    "let_pass",
    "condition",
    "conditions",
];

fn is_sha256(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Values of low confidence are often ordinary words: short ones of these are left as they are.
const LEAST_OF_LOW: usize = 6;

/// The report with every value of `secrets` replaced. The image's own digests and the fields with a fixed vocabulary stay.
pub fn redact<'a>(mut report: Report, secrets: impl Iterator<Item = (&'a Secret, Confidence)>) -> Result<Report, serde_json::Error> {
    let redactor = Redactor::of(secrets)?;
    // Finding by finding: as one JSON value the whole report would need several times its memory.
    let findings = std::mem::take(&mut report.findings);
    for tree in report.images.iter_mut().filter_map(|image| image.tree.as_mut()) {
        redactor.tree(tree, &mut String::new(), &mut Vec::new());
    }
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
pub struct Redactor {
    /// The beginnings of all values.
    automaton: AhoCorasick,
    /// Sorted.
    values: Vec<String>,
    redacted: Vec<String>,
    /// How values begin, as far as is looked for where a text was cut.
    beginnings: HashSet<[u8; LEAST_OF_CUT]>,
    /// The longest value, in bytes.
    longest: usize,
    /// Long texts that were seen: findings of one layer repeat its instruction.
    seen: RefCell<HashMap<String, String>>,
}

/// A part of a text: where it begins and ends, and what takes its place.
type Span<'a> = (usize, usize, &'a str);

/// What takes the place of more, or less, than one value.
const STARS: &str = "********";
/// Fewer bytes of a value may be left where a text was cut.
const LEAST_OF_CUT: usize = 4;
/// So much of a value is in the automaton, in bytes; the rest is compared. There may be thousands of private keys.
const BEGINNING: usize = 24;
/// A longer part of a value goes even where the rest of it does not follow.
const PART: usize = 64;
/// Texts from this length on are remembered, and so many of them.
const LONG: usize = 256;
const MOST_SEEN: usize = 256;

impl Redactor {
    /// For these values, in every spelling.
    pub fn of<'a>(secrets: impl Iterator<Item = (&'a Secret, Confidence)>) -> Result<Redactor, serde_json::Error> {
        let mut values: BTreeMap<String, String> = BTreeMap::new();
        for (secret, _) in secrets.filter(|(secret, confidence)| *confidence > Confidence::Low || secret.len() >= LEAST_OF_LOW) {
            for spelling in spellings(&secret.reveal_text()) {
                values.insert(spelling, secret.redacted());
            }
        }
        Redactor::new(values)
    }

    fn new(values: BTreeMap<String, String>) -> Result<Redactor, serde_json::Error> {
        let begin = |value: &'_ String| value.floor_char_boundary(BEGINNING);
        let mut patterns: Vec<&str> = values.keys().map(|value| &value[..begin(value)]).collect();
        patterns.dedup();
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(patterns);
        // Without it nothing may be written.
        let automaton = automaton.map_err(serde::ser::Error::custom)?;
        let (values, redacted): (Vec<String>, _) = values.into_iter().unzip();
        let beginnings = values.iter().filter_map(|value| value.as_bytes().first_chunk().copied()).collect();
        let longest = values.iter().map(String::len).max().unwrap_or_default();
        Ok(Redactor { automaton, values, redacted, beginnings, longest, seen: RefCell::default() })
    }

    /// A part of a report, or something like it, without any value.
    pub fn part<T: Serialize + DeserializeOwned>(&self, part: T) -> Result<T, serde_json::Error> {
        let mut document = serde_json::to_value(part)?;
        self.walk(&mut document);
        serde_json::from_value(document)
    }

    fn walk(&self, value: &mut Value) {
        match value {
            // Our own digests may hold a value by chance; a digest of another algorithm is text from the image.
            Value::String(text) if is_sha256(text) => {}
            Value::String(text) => *text = self.clean(text),
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

    /// The text without any value, and without what is left of one where it was cut. Where values overlap, all that any of them covers
    /// goes.
    pub fn clean(&self, text: &str) -> String {
        if let Some(clean) = self.seen.borrow().get(text) {
            return clean.clone();
        }
        let cut = text.match_indices('…').filter_map(|(at, _)| self.left_of_value(&text[..at]));
        let mut spans: Vec<Span> = self.values_in(text).chain(cut).collect();
        if let Some((decoded, origin)) = decoded(text) {
            spans.extend(self.values_in(&decoded).map(|(start, end, redacted)| (origin[start], origin[end], redacted)));
        }
        spans.sort_unstable();
        let mut clean = String::with_capacity(text.len());
        let (mut at, mut spans) = (0, spans.into_iter().peekable());
        while let Some((start, first_end, redacted)) = spans.next() {
            let mut end = first_end;
            while let Some(next) = spans.next_if(|next| next.0 < end) {
                end = end.max(next.1);
            }
            clean.push_str(&text[at..start]);
            clean.push_str(if end == first_end { redacted } else { STARS });
            at = end;
        }
        clean.push_str(&text[at..]);
        if text.len() >= LONG {
            let mut seen = self.seen.borrow_mut();
            if seen.len() >= MOST_SEEN {
                seen.clear();
            }
            seen.insert(text.to_owned(), clean.clone());
        }
        clean
    }

    /// Where values stand, in order.
    fn values_in(&self, text: &str) -> impl Iterator<Item = Span<'_>> {
        let mut starts: Vec<usize> = self.automaton.find_overlapping_iter(text).map(|hit| hit.start()).collect();
        starts.sort_unstable();
        starts.dedup();
        let spans: Vec<Span> = starts.into_iter().filter_map(|start| self.value_at(text, start)).collect();
        spans.into_iter()
    }

    /// A value may go through several names of a tree: all of these go. `path` is what stands above, and `names` where each of its names
    /// begins. Returns from which level on names have to go, above this one.
    fn tree(&self, node: &mut TreeEntry, path: &mut String, names: &mut Vec<usize>) -> usize {
        let before = path.len();
        if !names.is_empty() {
            path.push('/');
        }
        names.push(path.len());
        path.push_str(&node.name);
        let level = names.len() - 1;
        let of_level = |at: usize| names.partition_point(|begin| *begin <= at).saturating_sub(1);
        let crosses = |(start, end, _): &Span| *end > names[level] && *start < names[level];
        let mut first = self.values_in(path).filter(crosses).map(|(start, ..)| of_level(start)).min().unwrap_or(usize::MAX);
        for child in &mut node.children {
            first = first.min(self.tree(child, path, names));
        }
        if first <= level {
            node.name = STARS.to_owned();
        }
        names.pop();
        path.truncate(before);
        first
    }

    /// A text in front of an ellipsis may end within a value: where what is left of it stands.
    fn left_of_value(&self, text: &str) -> Option<Span<'_>> {
        let begins = |at: &usize| {
            let rest = &text[*at..];
            let next = self.values.partition_point(|value| value.as_str() < rest);
            self.values.get(next).is_some_and(|value| value.starts_with(rest))
        };
        let from = text.ceil_char_boundary(text.len().saturating_sub(self.longest));
        let windows = text.as_bytes()[from..].windows(LEAST_OF_CUT).enumerate();
        let starts = windows.filter(|(_, window)| window.first_chunk().is_some_and(|chunk| self.beginnings.contains(chunk)));
        let start = starts.map(|(at, _)| from + at).filter(|at| text.is_char_boundary(*at)).find(begins)?;
        Some((start, text.len(), STARS))
    }

    /// The longest value that begins at `start`, or a large part of one: where it begins and ends, and what takes its place.
    fn value_at(&self, text: &str, start: usize) -> Option<Span<'_>> {
        let rest = &text[start..];
        let next = self.values.partition_point(|value| value.as_str() <= rest);
        let part = |at: usize| self.values.get(at).map_or(0, |value| common(value, rest));
        let part = part(next).max(next.checked_sub(1).map_or(0, part));
        // All that begin as `rest` does stand in front of it, the longest of them last, but for what differs further on.
        let (mut known, mut at) = (rest, next);
        let whole = loop {
            let Some(value) = at.checked_sub(1).map(|before| &self.values[before]) else { break None };
            let shared = common(value, known);
            if shared == value.len() {
                break Some(at - 1).filter(|_| shared > 0);
            }
            known = &known[..shared];
            at = self.values.partition_point(|value| value.as_str() <= known);
            if shared == 0 {
                break None;
            }
        };
        match whole {
            Some(index) if self.values[index].len() >= part || part < PART => {
                Some((start, start + self.values[index].len(), &self.redacted[index]))
            }
            _ if part >= PART => Some((start, start + part, STARS)),
            _ => None,
        }
    }
}

/// A text with what is percent-encoded in it decoded, and for each byte of it, and for its end, where it stood; `None` where nothing is. A
/// byte that is no UTF-8 then is a question mark.
fn decoded(text: &str) -> Option<(String, Vec<usize>)> {
    let (mut origin, bytes): (Vec<usize>, Vec<u8>) = percent_decoded(text.as_bytes()).unzip();
    origin.push(text.len());
    (bytes.len() < text.len()).then(|| (lossy(&bytes, '?'), origin))
}

/// How many bytes two texts share at their beginning, in whole characters.
fn common(one: &str, other: &str) -> usize {
    let shared = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    one.floor_char_boundary(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_values_leave_nothing_of_each_other() {
        let value = |text: &str| (text.to_owned(), "****".to_owned());
        let redactor = Redactor::new(BTreeMap::from([value("Zw8Kp9xQ2"), value("Kp9xQ2mZ7"), value("Kp9")])).expect("an automaton");
        assert_eq!(redactor.clean("/x/Zw8Kp9xQ2mZ7/Kp9/y"), "/x/********/****/y");
        assert_eq!(redactor.clean("nothing"), "nothing");
        let redactor = Redactor::new(BTreeMap::from([value("Zw8Kp9"), value("Zw8Kp9xQ2mZ7")])).expect("an automaton");
        assert_eq!(redactor.clean("a Zw8Kp9xQ2 b Zw8Kp9xQ2mZ7"), "a ****xQ2 b ****");
    }

    #[test]
    fn of_a_value_in_which_a_text_was_cut_nothing_is_left() {
        let long = "ä-----k".repeat(300);
        let redactor = Redactor::new(BTreeMap::from([(long.clone(), "****".to_owned())])).expect("an automaton");
        assert_eq!(redactor.clean(&format!("RUN echo ä-----{}… and on", &long[..1800])), "RUN echo ä-----********… and on");
        assert_eq!(redactor.clean(&format!("RUN echo {}… and on", &long[..20])), "RUN echo ********… and on");
        assert_eq!(redactor.clean(&format!("{long}x{}y", &long[..20])), format!("****x{}y", &long[..20]));
        let value = |text: &str| (text.to_owned(), "****".to_owned());
        let redactor =
            Redactor::new(BTreeMap::from([value("Zx9kQ-Lw2pT5rB-nM4cD8"), value("Lw2pT5rB"), value("Uv7…Wx8Yz9")])).expect("an automaton");
        assert_eq!(redactor.clean("a Zx9kQ-Lw2pT5rB-nM4… b"), "a ********… b");
        assert_eq!(redactor.clean("a Uv7…Wx8… b"), "a ********… b");
    }

    #[test]
    fn a_value_is_known_percent_encoded() {
        let redactor = Redactor::new(BTreeMap::from([("Zq8@vLr2/mTx#Kd".to_owned(), "****".to_owned())])).expect("an automaton");
        assert_eq!(redactor.clean("curl x?c=Zq8%40vLr2%2FmTx%23Kd&d=%20ä"), "curl x?c=****&d=%20ä");
        assert_eq!(redactor.clean("%ffä Zq8@vLr2%2fmTx%23Kd%E9"), "%ffä ****%E9");
        assert_eq!(redactor.clean("100%"), "100%");
    }

    #[test]
    fn a_value_may_go_through_several_names_of_a_tree() {
        let redactor = Redactor::new(BTreeMap::from([("Zq8@vLr2/mTx#Kd".to_owned(), "****".to_owned())])).expect("an automaton");
        let entry = |name: &str, children: Vec<TreeEntry>| TreeEntry { name: name.to_owned(), children, ..TreeEntry::default() };
        let mut tree = entry(
            "",
            vec![entry("app", vec![entry("xZq8@vLr2", vec![entry("mTx#Kd1", vec![entry("x.py", vec![])])]), entry("b", vec![])])],
        );
        redactor.tree(&mut tree, &mut String::new(), &mut Vec::new());
        let app = &tree.children[0];
        let middle = &app.children[0];
        let told = [&app.name, &middle.name, &middle.children[0].name, &middle.children[0].children[0].name, &app.children[1].name];
        assert_eq!(told, ["app", STARS, STARS, "x.py", "b"]);
    }

    #[test]
    fn a_value_is_known_in_every_spelling() {
        assert_eq!(
            spellings("a\nb'c~d/e\\"),
            ["a\nb'c~d/e\\", "a\nb'\\''c~d/e\\", "a\nb'c~0d~1e\\", "a\\nb'c~d/e\\", "a\nb'c~d/e\\\\", "a b'c~d/e\\"]
        );
    }
}
