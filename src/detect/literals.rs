//! Literals, looked for in parts of a text.

use super::index::{Index, four_at};
use super::prefilter::Target;
use super::stems::SHORTEST_STEM;
use std::collections::BTreeMap;
use std::ops::Range;

/// A text in lower case, and what it leads to.
struct Literal {
    text: Box<[u8]>,
    targets: Vec<Target>,
    /// The four bytes behind its first four, as [`folded`] has them, and which of them it has.
    next: u32,
    mask: u32,
}

impl Literal {
    fn new(text: String, targets: Vec<Target>) -> Literal {
        let has = |at: usize| if at < text.len() { 0xff } else { 0 };
        let mask = u32::from_le_bytes([has(4), has(5), has(6), has(7)]);
        Literal { next: folded(text.as_bytes(), 4) & mask, mask, text: text.into_bytes().into(), targets }
    }
}

/// Four bytes, both cases of a letter as one: others that this makes equal are told apart by whoever compares the whole.
fn folded(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(four_at(bytes, at)) | 0x2020_2020
}

/// Texts that are found in any case.
pub struct Literals {
    index: Index,
    indexed: Vec<Literal>,
    /// Those of one byte or two, which the index has not.
    short: Vec<Literal>,
}

impl Literals {
    /// For these, in lower case; an empty one is nowhere.
    pub fn new(literals: BTreeMap<String, Vec<Target>>) -> Literals {
        let all = literals.into_iter().filter(|(text, _)| !text.is_empty());
        let all = all.map(|(text, targets)| Literal::new(text, targets));
        let (indexed, short): (Vec<Literal>, Vec<Literal>) = all.partition(|literal| literal.text.len() >= SHORTEST_STEM);
        Literals { index: Index::new(indexed.iter().map(|literal| &literal.text[..])), indexed, short }
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.indexed.is_empty() && self.short.is_empty()
    }

    /// Adds each that begins in the part `at` of `bytes`.
    pub fn find(&self, bytes: &[u8], at: Range<usize>, hits: &mut Vec<(Range<usize>, Target)>) {
        let end = at.end.min(bytes.len().saturating_sub(3)).max(at.start);
        let whole = &bytes[at.start..(end + 3).min(bytes.len())];
        for (offset, four) in whole.windows(4).enumerate() {
            let start = at.start + offset;
            self.index.at([four[0], four[1], four[2], four[3]], |numbers| compare(bytes, start, &self.indexed[numbers], hits));
        }
        (end..at.end).for_each(|start| self.at(bytes, start, hits));
        for literal in &self.short {
            let first = literal.text[0];
            for offset in memchr::memchr2_iter(first, first.to_ascii_uppercase(), &bytes[at.clone()]) {
                compare(bytes, at.start + offset, std::slice::from_ref(literal), hits);
            }
        }
    }

    /// Adds each of three bytes and more that begins at `start`.
    #[inline]
    pub fn at(&self, bytes: &[u8], start: usize, hits: &mut Vec<(Range<usize>, Target)>) {
        self.index.at(four_at(bytes, start), |numbers| compare(bytes, start, &self.indexed[numbers], hits));
    }
}

fn compare(bytes: &[u8], start: usize, literals: &[Literal], hits: &mut Vec<(Range<usize>, Target)>) {
    let next = folded(bytes, start + 4);
    for literal in literals.iter().filter(|literal| next & literal.mask == literal.next) {
        let span = start..start + literal.text.len();
        if bytes.get(span.clone()).is_some_and(|there| there.eq_ignore_ascii_case(&literal.text)) {
            hits.extend(literal.targets.iter().map(|target| (span.clone(), *target)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_found_in_a_part_in_any_case() {
        let literals = ["abc", "bcdef", "d", ""].iter().enumerate().map(|(rule, text)| ((*text).to_owned(), vec![Target::Rule(rule)]));
        let literals = Literals::new(literals.collect());
        let mut hits = Vec::new();
        literals.find(b"abc aBCDef abc", 2..9, &mut hits);
        assert_eq!(hits, [(4..7, Target::Rule(0)), (5..10, Target::Rule(1)), (7..8, Target::Rule(2))]);
    }
}
