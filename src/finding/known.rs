//! Values that are known from files, looked for in the history: what a file holds was often written there by an instruction that
//! shows it, and there it has no form by which a rule could tell it.

use super::Finding;
use crate::detect::Match;
use crate::rules::Confidence;
use crate::secret::Secret;
use aho_corasick::{AhoCorasick, MatchKind};
use std::collections::{BTreeMap, HashSet};

/// Shorter values would be found by chance, longer ones are no words of a command. In bytes.
const LEAST: usize = 6;
const MOST: usize = 256;

/// The values of one image's files.
#[derive(Default)]
pub struct KnownValues {
    automaton: Option<AhoCorasick>,
    /// Each value, and the rule that found it.
    values: Vec<(Secret, usize)>,
}

impl KnownValues {
    /// The values of `findings` that are sure enough.
    pub fn of(findings: &[Finding]) -> KnownValues {
        let sure = findings.iter().filter(|f| f.confidence >= Confidence::Medium && (LEAST..=MOST).contains(&f.secret.len()));
        let values: BTreeMap<Secret, usize> = sure.map(|f| (f.secret.clone(), f.rule)).collect();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(values.keys().map(Secret::reveal))
            .ok()
            .filter(|_| !values.is_empty());
        KnownValues { automaton, values: values.into_iter().collect() }
    }

    /// Each known value that stands in `text` as a word of its own and that no rule has found there (`found`, unless only as a hint).
    pub fn matches(&self, text: &str, found: &[Match]) -> Vec<Match> {
        let bytes = text.as_bytes();
        let (mut known, mut told) = (Vec::new(), HashSet::new());
        let sure = Covered::of(found.iter().filter(|f| f.confidence >= Confidence::Medium));
        let (mut lines, mut counted) = (0, 0);
        for hit in self.automaton.iter().flat_map(|automaton| automaton.find_iter(bytes)) {
            let at = hit.start();
            let word = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
            let within_a_word = word(at.checked_sub(1).and_then(|i| bytes.get(i))) || word(bytes.get(hit.end()));
            if within_a_word || told.contains(&hit.pattern()) || sure.touch(at as u64, hit.end() as u64) {
                continue;
            }
            told.insert(hit.pattern());
            lines += memchr::memchr_iter(b'\n', &bytes[counted..at]).count() as u64;
            counted = at;
            let (value, rule) = &self.values[hit.pattern().as_usize()];
            let line_start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |i| i + 1);
            known.push(Match {
                rule: *rule,
                offset: at as u64,
                line: 1 + lines,
                column: (at - line_start) as u64 + 1,
                secret: value.clone(),
                confidence: Confidence::Medium,
                reasons: vec!["the same value is in a file of the image".into()],
                context: None,
                details: None,
            });
        }
        known
    }
}

/// Where in a text matches are: by their ends, none within another.
pub struct Covered(Vec<(u64, u64)>);

impl Covered {
    /// The places of these.
    pub fn of<'a>(found: impl Iterator<Item = &'a Match>) -> Covered {
        let mut spans: Vec<(u64, u64)> = found.map(|f| (f.offset, f.offset + f.secret.len() as u64)).collect();
        spans.sort_unstable();
        spans.dedup_by(|next, span| {
            let touch = next.0 < span.1;
            span.1 = if touch { span.1.max(next.1) } else { span.1 };
            touch
        });
        Covered(spans)
    }

    /// Whether one of them has a byte in this range.
    pub fn touch(&self, from: u64, to: u64) -> bool {
        let first = self.0.partition_point(|(_, end)| *end <= from);
        self.0.get(first).is_some_and(|(start, _)| *start < to)
    }
}
