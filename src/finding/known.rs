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
        for hit in self.automaton.iter().flat_map(|automaton| automaton.find_iter(bytes)) {
            let at = hit.start();
            let sure = found.iter().filter(|f| f.confidence >= Confidence::Medium);
            let covered = sure.into_iter().any(|f| (f.offset as usize) < hit.end() && at < f.offset as usize + f.secret.len());
            let word = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
            let within_a_word = word(at.checked_sub(1).and_then(|i| bytes.get(i))) || word(bytes.get(hit.end()));
            if covered || within_a_word || !told.insert(hit.pattern()) {
                continue;
            }
            let (value, rule) = &self.values[hit.pattern().as_usize()];
            let line_start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |i| i + 1);
            known.push(Match {
                rule: *rule,
                offset: at as u64,
                line: 1 + memchr::memchr_iter(b'\n', &bytes[..at]).count() as u64,
                column: (at - line_start) as u64 + 1,
                secret: value.clone(),
                confidence: Confidence::Medium,
                reasons: vec!["the same value is in a file of the image".into()],
            });
        }
        known
    }
}
