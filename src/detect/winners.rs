//! Where rules overlap, one wins.

use super::watch::{Refusal, Watch};
use super::{Candidate, Detector, Text};
use crate::rules::{Reach, Rule, Severity};
use std::cmp::Reverse;
use std::collections::BTreeMap;

impl Detector {
    /// Of candidates whose secrets overlap, the best: by confidence, then by how the rule was reached, then by severity.
    pub(super) fn winners<W: Watch>(&self, text: &Text, mut found: Vec<Candidate>, watch: &mut W) -> Vec<Candidate> {
        let rank = |c: &Candidate| {
            let rule = &self.rules.rules()[c.rule];
            (c.confidence, specificity(rule), rule.severity, Reverse(c.rule))
        };
        found.sort_by_key(|c| Reverse(rank(c)));
        let mut winners: Vec<Candidate> = Vec::new();
        // By begin, so that only neighbours need be looked at.
        let mut taken: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        for candidate in found {
            match taken.range(..candidate.secret.end).next_back() {
                Some((_, (end, winner))) if *end > candidate.secret.start => {
                    watch.refused(candidate.rule, text.bytes, candidate.secret, Refusal::Beaten(*winner));
                }
                _ => {
                    taken.insert(candidate.secret.start, (candidate.secret.end, candidate.rule));
                    winners.push(candidate);
                }
            }
        }
        winners.sort_by_key(|c| c.secret.start);
        winners
    }
}

/// A rule with a form of its own beats one that only knows the place, and that one beats a name.
pub fn specificity(rule: &Rule) -> (u8, Severity) {
    let reached = match &rule.reach {
        // What such a value is, it says better itself.
        Reach::Literals { .. } if rule.document.is_some() => 0,
        Reach::Literals { files, .. } => 3 + u8::from(!files.is_empty()),
        Reach::Near { .. } | Reach::Anywhere { .. } => 2,
        Reach::Files { .. } => 1,
        Reach::Names { .. } => 0,
    };
    (reached, rule.severity)
}

/// True for rules whose values are told by their form, or by a file that holds nothing else; the others take whatever stands there.
pub fn has_form(rule: &Rule) -> bool {
    rule.check.is_some() || rule.value.entropy > 0.0 || rule.value.digits || matches!(rule.reach, Reach::Files { .. } | Reach::Near { .. })
}
