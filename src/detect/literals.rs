//! Literals, looked for in parts of a text.

use super::index::{Index, four_at};
use super::prefilter::Target;
use std::collections::BTreeMap;
use std::ops::Range;

/// Texts in lower case that are found in any case, and what they lead to.
pub struct Literals {
    index: Index,
    /// How each text begins: eight bytes, folded as [`fold`] does, and which of them it has. They are compared first, since they stand side
    /// by side.
    heads: Vec<(u64, u64)>,
    texts: Vec<(Box<[u8]>, Vec<Target>)>,
}

impl Literals {
    /// For these, of three bytes and more.
    pub fn new(literals: BTreeMap<String, Vec<Target>>) -> Literals {
        let texts: Vec<(Box<[u8]>, Vec<Target>)> =
            literals.into_iter().map(|(text, targets)| (text.into_bytes().into(), targets)).collect();
        let head = |text: &[u8]| {
            let mask = u64::MAX >> (64 - 8 * text.len().min(8));
            (fold(eight_at(text, 0)) & mask, mask)
        };
        Literals {
            index: Index::new(texts.iter().map(|(text, _)| &text[..])),
            heads: texts.iter().map(|(text, _)| head(text)).collect(),
            texts,
        }
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Adds each that begins in the part `at` of `bytes`.
    pub fn find(&self, bytes: &[u8], at: Range<usize>, hits: &mut Vec<(Range<usize>, Target)>) {
        let end = at.end.min(bytes.len().saturating_sub(3)).max(at.start);
        let (whole, cut) = (&bytes[at.start..(end + 3).min(bytes.len())], end..at.end);
        for (offset, four) in whole.windows(4).enumerate() {
            self.index.at([four[0], four[1], four[2], four[3]], |numbers| self.compare(bytes, at.start + offset, numbers, hits));
        }
        for start in cut {
            self.index.at(four_at(bytes, start), |numbers| self.compare(bytes, start, numbers, hits));
        }
    }

    #[cold]
    fn compare(&self, bytes: &[u8], start: usize, numbers: Range<usize>, hits: &mut Vec<(Range<usize>, Target)>) {
        let there = fold(eight_at(bytes, start));
        for number in numbers {
            let (head, mask) = self.heads[number];
            if there & mask != head {
                continue;
            }
            let (text, targets) = &self.texts[number];
            let span = start..start + text.len();
            if bytes.get(span.clone()).is_some_and(|there| there.eq_ignore_ascii_case(text)) {
                hits.extend(targets.iter().map(|target| (span.clone(), *target)));
            }
        }
    }
}

/// Letters of both cases are alike then, and some other bytes, too.
fn fold(eight: [u8; 8]) -> u64 {
    u64::from_le_bytes(eight) | 0x2020_2020_2020_2020
}

/// The eight bytes at a place, zeros behind the end.
fn eight_at(bytes: &[u8], at: usize) -> [u8; 8] {
    match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(eight) => *eight,
        None => std::array::from_fn(|next| bytes.get(at + next).copied().unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_found_in_a_part_in_any_case() {
        let targets = |rule| vec![Target::Rule(rule)];
        let literals = Literals::new(BTreeMap::from([("abc".to_owned(), targets(1)), ("bcdef".to_owned(), targets(2))]));
        let mut hits = Vec::new();
        literals.find(b"abc aBCDef abc", 2..9, &mut hits);
        assert_eq!(hits, [(4..7, Target::Rule(1)), (5..10, Target::Rule(2))]);
    }
}
