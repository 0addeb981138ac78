//! Where in a text something may be: runs of bytes that keys are made of, and short texts that rules or names have in them.

use super::blocks::{Block, Tables};
use super::index::{Index, four_at};
use super::stems::{Stem, groups};
use crate::rules::guarantee::LEAST_RUN;
use std::ops::Range;

/// Packed bytes in a row, [`LEAST_RUN`] and more; neither side goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Where they are.
    pub at: Range<usize>,
    /// A digit and a letter are among them.
    pub value: bool,
}

/// Looks for runs and stems.
#[derive(Debug)]
pub struct Finder {
    tables: Tables,
    index: Index,
}

impl Finder {
    /// For these stems.
    pub fn new(stems: &[Stem]) -> Finder {
        let mut tables = Tables::default();
        for (group, stem) in groups(stems) {
            let cases: Vec<Vec<u8>> = stem.iter().map(|byte| vec![*byte, byte.to_ascii_uppercase()]).collect();
            tables.add(group, &std::array::from_fn(|place| cases.get(place).map_or(&[][..], |both| both)));
        }
        Finder { tables, index: Index::new(stems.iter().map(|stem| &stem[..])) }
    }

    /// Calls `stem` with the place and number of every stem, and `run` with every run; each in order.
    pub fn find(&self, bytes: &[u8], mut stem: impl FnMut(usize, usize), mut run: impl FnMut(Run)) {
        let mut open = Open::default();
        self.tables.blocks(bytes, |at, block| {
            open.block(at, &block, &mut run);
            let mut texts = block.texts;
            while texts != 0 {
                let place = at + texts.trailing_zeros() as usize;
                texts &= texts - 1;
                self.index.at(four_at(bytes, place), |numbers| numbers.for_each(|number| stem(place, number)));
            }
        });
        open.close(bytes.len(), &mut run);
    }
}

/// A run that reaches the end of the last block.
#[derive(Default)]
struct Open {
    start: usize,
    length: usize,
    digit: bool,
    letter: bool,
}

impl Open {
    fn block(&mut self, at: usize, block: &Block, run: &mut impl FnMut(Run)) {
        let mut packed = block.packed;
        let any = |kind: u64, from: u32, length: u32| kind >> from << (64 - length) != 0;
        if self.length > 0 {
            let head = packed.trailing_ones();
            self.length += head as usize;
            if head > 0 {
                self.digit |= any(block.digits, 0, head);
                self.letter |= any(block.letters, 0, head);
            }
            if head == 64 {
                return;
            }
            self.close(at + head as usize, run);
            packed &= !((1 << head) - 1);
        }
        let mut long = packed & packed >> 1;
        long &= long >> 2;
        long &= long >> 4;
        long &= long >> 8;
        const { assert!(LEAST_RUN == 16) };
        while long != 0 {
            let from = long.trailing_zeros();
            let length = (packed >> from).trailing_ones();
            if from + length == 64 {
                break;
            }
            let (digit, letter) = (any(block.digits, from, length), any(block.letters, from, length));
            let start = at + from as usize;
            run(Run { at: start..start + length as usize, value: digit && letter });
            long &= !0 << (from + length);
        }
        let tail = packed.leading_ones();
        if tail > 0 {
            let from = 64 - tail;
            let (digit, letter) = (any(block.digits, from, tail), any(block.letters, from, tail));
            *self = Open { start: at + from as usize, length: tail as usize, digit, letter };
        }
    }

    fn close(&mut self, end: usize, run: &mut impl FnMut(Run)) {
        let open = std::mem::take(self);
        if open.length >= LEAST_RUN {
            run(Run { at: open.start..end.min(open.start + open.length), value: open.digit && open.letter });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::guarantee::{has_value, is_packed};
    use proptest::prelude::*;

    fn runs(bytes: &[u8]) -> Vec<Run> {
        let mut runs = Vec::new();
        Finder::new(&[]).find(bytes, |_, _| {}, |run| runs.push(run));
        runs
    }

    fn naive(bytes: &[u8]) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut start = 0;
        for end in 0..=bytes.len() {
            if bytes.get(end).is_none_or(|byte| !is_packed(*byte)) {
                if end - start >= LEAST_RUN {
                    runs.push(Run { at: start..end, value: has_value(&bytes[start..end], 0) });
                }
                start = end + 1;
            }
        }
        runs
    }

    proptest! {
        #[test]
        fn runs_are_those_that_are_there(pieces in proptest::collection::vec(("[a-z0-9]{0,90}|[a-z]{14,18}|[0-9A-F-]{15,64}", "[ .]{0,3}"), 0..40)) {
            let text: String = pieces.into_iter().map(|(word, gap)| word + &gap).collect();
            prop_assert_eq!(runs(text.as_bytes()), naive(text.as_bytes()));
        }

        #[test]
        fn stems_are_those_that_are_there(text in "[kKeEy:/ p=w]{0,300}") {
            let stems: Vec<Stem> = [&b"key"[..], b"://", b"pw=", b"kkey", b"yyyy"].map(Stem::from).to_vec();
            let mut found = Vec::new();
            Finder::new(&stems).find(text.as_bytes(), |at, stem| found.push((at, stem)), |_| {});
            found.sort_unstable();
            let lower = text.to_ascii_lowercase().into_bytes();
            let there = |at: usize, stem: &Stem| lower[at..].starts_with(stem);
            let all = |at| stems.iter().enumerate().filter(move |(_, stem)| there(at, stem)).map(move |(number, _)| (at, number));
            prop_assert_eq!(found, (0..lower.len()).flat_map(all).collect::<Vec<_>>());
        }
    }
}
