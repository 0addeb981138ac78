//! From candidates to matches: where they stand.

use super::{Candidate, Details, Match};
use crate::secret::Secret;

/// Matches of candidates, in the order of their offsets.
pub fn located(bytes: &[u8], winners: Vec<Candidate>, public: impl Fn(&Candidate) -> usize) -> Vec<Match> {
    let of = |candidate: Candidate| Match {
        rule: candidate.rule,
        offset: candidate.secret.start as u64,
        line: 1,
        column: 1,
        secret: Secret::new(&bytes[candidate.secret.clone()], public(&candidate)),
        confidence: candidate.confidence,
        reasons: candidate.reasons,
        context: None,
        details: (!candidate.facts.is_empty()).then(|| Box::new(Details { facts: candidate.facts, ..Details::default() })),
    };
    let mut matches: Vec<Match> = winners.into_iter().map(of).collect();
    locate(bytes, &mut matches);
    matches
}

/// Sets line and column from the offset.
pub fn locate(bytes: &[u8], matches: &mut [Match]) {
    matches.sort_by_key(|found| found.offset);
    let (mut line, mut line_start, mut counted) = (1, 0, 0);
    for found in matches {
        let at = found.offset as usize;
        let passed = &bytes[counted..at];
        line += memchr::memchr_iter(b'\n', passed).count() as u64;
        line_start = memchr::memrchr(b'\n', passed).map_or(line_start, |newline| counted + newline + 1);
        counted = at;
        (found.line, found.column) = (line, (at - line_start) as u64 + 1);
    }
}
