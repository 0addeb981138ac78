//! Matches as they come back from the matchers, in whatever order: each value once a file, and never more than a bounded number.

use crate::detect::Match;
use crate::error::{Code, Problem};
use crate::layer_scan::{FileHit, Place};
use crate::rules::Confidence;
use crate::secret::Secret;
use std::collections::{BTreeMap, HashMap};

/// The most matches that are kept of one blob: of low confidence, and of all others. An ordinary image has a few.
const MOST: usize = 50_000;

/// The matches of one blob.
#[derive(Default)]
pub struct Hits {
    hints: Kept,
    others: Kept,
}

/// The first matches by place: which they are does not depend on the order in which they arrive.
#[derive(Default)]
struct Kept {
    /// Two matches may have one place: an attribute may be there twice.
    by_place: BTreeMap<(u32, Place, u64, usize, Secret), Match>,
    /// Where a value was first seen in a file: allowed there, or not.
    first: HashMap<(u32, Place, usize, Secret, bool), u64>,
    left_out: u64,
}

impl Hits {
    /// Adds a match in a file.
    pub fn add(&mut self, entry: u32, place: Place, found: Match) {
        let kept = if found.confidence == Confidence::Low { &mut self.hints } else { &mut self.others };
        kept.add(entry, place, found);
    }

    /// Adds the matches of other files of the same blob.
    pub fn merge(&mut self, other: Hits) {
        for (own, other) in [(&mut self.hints, other.hints), (&mut self.others, other.others)] {
            own.left_out += other.left_out;
            other.by_place.into_iter().for_each(|((entry, place, ..), found)| own.add(entry, place, found));
        }
    }

    /// All that was kept, and what must be said about the rest.
    pub fn finish(self) -> (Vec<FileHit>, Option<Problem>) {
        let left_out = self.hints.left_out + self.others.left_out;
        let problem = (left_out > 0).then(|| {
            let message = format!("a blob has more than {MOST} matches of one kind of confidence: {left_out} are left out");
            Problem::new(Code::LimitReached, message)
        });
        let all = self.hints.by_place.into_iter().chain(self.others.by_place);
        (all.map(|((entry, place, ..), found)| FileHit { entry, place, found }).collect(), problem)
    }
}

impl Kept {
    fn add(&mut self, entry: u32, place: Place, found: Match) {
        let value = (entry, place.clone(), found.rule, found.secret.clone(), found.is_allowed());
        let offset = found.offset;
        // Names come many at a time: the same value is there once for each.
        let each = place == Place::Name;
        match self.first.get_mut(&value) {
            Some(first) if *first <= offset => return,
            Some(first) => {
                self.by_place.remove(&(entry, place.clone(), *first, found.rule, found.secret.clone()));
                *first = offset;
            }
            None if each => {}
            None => drop(self.first.insert(value, offset)),
        }
        self.by_place.insert((entry, place, offset, found.rule, found.secret.clone()), found);
        if self.by_place.len() > MOST
            && let Some(((entry, place, ..), last)) = self.by_place.pop_last()
        {
            let allowed = last.is_allowed();
            self.first.remove(&(entry, place, last.rule, last.secret, allowed));
            self.left_out += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(offset: u64, value: &str) -> Match {
        let secret = Secret::new(value.as_bytes(), 0);
        Match {
            rule: 0,
            offset,
            line: 1,
            column: 1,
            secret,
            confidence: Confidence::High,
            reasons: Vec::new(),
            details: None,
            context: None,
        }
    }

    #[test]
    fn the_first_of_a_value_stays_whatever_the_order() {
        let mut hits = Hits::default();
        for offset in [7, 3, 9] {
            hits.add(0, Place::Content, found(offset, "same"));
        }
        hits.add(1, Place::Content, found(1, "same"));
        let (kept, problem) = hits.finish();
        assert_eq!(kept.iter().map(|h| (h.entry, h.found.offset)).collect::<Vec<_>>(), [(0, 3), (1, 1)]);
        assert_eq!(problem, None);
    }

    #[test]
    fn beyond_the_limit_the_first_by_place_stay_and_the_rest_is_counted() {
        let mut hits = Hits::default();
        for offset in (0..MOST as u64 + 10).rev() {
            hits.add(0, Place::Content, found(offset, &offset.to_string()));
        }
        let (kept, problem) = hits.finish();
        assert_eq!((kept.len(), kept[0].found.offset), (MOST, 0));
        assert!(problem.is_some_and(|p| p.message.contains("10 are left out")));
    }
}
