//! Where in a text something may be: runs of bytes that keys are made of, short texts that rules or names have in them, begins of words.

use super::blocks::{BLOCK, Block, Tables, ones};
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

/// What was found in a text.
#[derive(Debug, Default)]
pub struct Spots {
    /// Long runs of packed bytes, in order.
    pub runs: Vec<Run>,
    /// Places that can be divided by eight where every second of eight bytes is NUL, and no other is.
    pub wide: Vec<usize>,
    begins: Vec<u64>,
}

impl Spots {
    /// Calls `each` with the letters and digits in a part of the text with which a word may begin: a name of a service, or a token of a rule
    /// with `boundary`.
    pub fn begins(&self, part: Range<usize>, mut each: impl FnMut(usize)) {
        for (block, begins) in self.begins.iter().enumerate().take(part.end.div_ceil(BLOCK)).skip(part.start / BLOCK) {
            let at = block * BLOCK;
            let from = !0 << part.start.saturating_sub(at).min(BLOCK - 1);
            let to = !0 >> (at + BLOCK).saturating_sub(part.end).min(BLOCK - 1);
            ones(begins & from & to).for_each(|place| each(at + place));
        }
    }
}

impl Finder {
    /// For these stems.
    pub fn new(stems: &[Stem]) -> Finder {
        let mut tables = Tables::default();
        groups(stems).into_iter().for_each(|(group, stem)| tables.add(group, stem));
        Finder { tables, index: Index::new(stems.iter().map(|stem| &stem[..])) }
    }

    /// What is in `bytes`. Calls `stem` with the place and number of every stem, in order.
    pub fn find(&self, bytes: &[u8], mut stem: impl FnMut(usize, usize)) -> Spots {
        let mut spots = Spots { begins: Vec::with_capacity(bytes.len().div_ceil(BLOCK)), ..Spots::default() };
        let (mut open, mut before) = (Open::default(), Block::default());
        self.tables.blocks(bytes, |at, block| {
            open.block(at, &block, &mut spots.runs);
            spots.begins.push(begins(&block, &before));
            before = block;
            if block.zeros != 0 {
                spots.wide.extend(ones(alternating(block.zeros)).map(|place| at + place).filter(|at| at + 8 <= bytes.len()));
            }
            for place in ones(block.texts) {
                self.index.at(four_at(bytes, at + place), |numbers| numbers.for_each(|number| stem(at + place, number)));
            }
        });
        open.close(bytes.len(), &mut spots.runs);
        spots
    }
}

/// Letters and digits that do not go on with a word: behind what is neither, behind an escape (`\n`, `%3D`), behind `-D`, and capitals
/// behind small letters. `before` is the block in front.
fn begins(block: &Block, before: &Block) -> u64 {
    let behind = |now: u64, before: u64, bytes: u32| now << bytes | before >> (64 - bytes);
    let word = |block: &Block| block.letters | block.digits;
    let small = |block: &Block| block.letters & !block.capitals;
    let escapes = behind(block.backslashes, before.backslashes, 2) | behind(block.percents, before.percents, 3);
    let property = behind(block.capitals, before.capitals, 1) & behind(block.dashes, before.dashes, 2);
    let hump = block.capitals & behind(small(block), small(before), 1);
    word(block) & (!behind(word(block), word(before), 1) | hump | property | escapes)
}

/// Of eight places each the first, where every second has its bit set, and no other has.
fn alternating(bits: u64) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let none = |bits: u64| !(((bits & LOW) + LOW) | bits | LOW) >> 7;
    none(bits ^ 0x5555_5555_5555_5555) | none(bits ^ 0xaaaa_aaaa_aaaa_aaaa)
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
    fn block(&mut self, at: usize, block: &Block, runs: &mut Vec<Run>) {
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
            self.close(at + head as usize, runs);
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
            runs.push(Run { at: start..start + length as usize, value: digit && letter });
            long &= !0 << (from + length);
        }
        let tail = packed.leading_ones();
        if tail > 0 {
            let from = 64 - tail;
            let (digit, letter) = (any(block.digits, from, tail), any(block.letters, from, tail));
            *self = Open { start: at + from as usize, length: tail as usize, digit, letter };
        }
    }

    fn close(&mut self, end: usize, runs: &mut Vec<Run>) {
        let open = std::mem::take(self);
        if open.length >= LEAST_RUN {
            runs.push(Run { at: open.start..end.min(open.start + open.length), value: open.digit && open.letter });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{near, value};
    use super::*;
    use crate::rules::guarantee::{has_value, is_packed};
    use proptest::prelude::*;

    fn runs(bytes: &[u8]) -> Vec<Run> {
        Finder::new(&[]).find(bytes, |_, _| {}).runs
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
        fn words_begin_where_they_are_seen_to(text in "[aB1 _%.-]{0,200}|([a-z\\\\%0-9D-]{1,9}[ =]){0,40}|.{60,70}[a-zA-Z_ ]{0,9}", from in 0usize..70) {
            let bytes = text.as_bytes();
            let spots = Finder::new(&[]).find(bytes, |_, _| {});
            let mut found = Vec::new();
            spots.begins(from..bytes.len(), |at| found.push(at));
            prop_assert!(found.is_sorted() && found.iter().all(|at| *at >= from && bytes[*at].is_ascii_alphanumeric()));
            for at in (from..bytes.len()).filter(|at| bytes[*at].is_ascii_alphanumeric()) {
                let begins = value::begins_alone(bytes, at) || near::stands(bytes, at..bytes.len());
                prop_assert!(!begins || found.contains(&at), "{} {:?}", at, text);
            }
        }

        #[test]
        fn wide_strings_are_seen(low in "[a-z]{4,20}", at in 0usize..40, high in any::<bool>()) {
            let pair = |byte: u8| if high { [0, byte] } else { [byte, 0] };
            let bytes: Vec<u8> = std::iter::repeat_n(b'.', 60 + at).chain(low.bytes().flat_map(pair)).chain(std::iter::repeat_n(b'.', 7)).collect();
            let naive = |at: &usize| {
                let zeros: Vec<bool> = bytes[*at..at + 8].iter().map(|byte| *byte == 0).collect();
                zeros.windows(2).all(|two| two[0] != two[1])
            };
            let expected: Vec<usize> = (0..bytes.len() / 8).map(|word| word * 8).filter(naive).collect();
            prop_assert_eq!(Finder::new(&[]).find(&bytes, |_, _| {}).wide, expected);
        }

        #[test]
        fn stems_are_those_that_are_there(text in "[kKeEy:/ p=w]{0,300}") {
            let stems: Vec<Stem> = [&b"key"[..], b"://", b"pw=", b"kkey", b"yyyy"].map(Stem::from).to_vec();
            let mut found = Vec::new();
            Finder::new(&stems).find(text.as_bytes(), |at, stem| found.push((at, stem)));
            found.sort_unstable();
            let lower = text.to_ascii_lowercase().into_bytes();
            let there = |at: usize, stem: &Stem| lower[at..].starts_with(stem);
            let all = |at| stems.iter().enumerate().filter(move |(_, stem)| there(at, stem)).map(move |(number, _)| (at, number));
            prop_assert_eq!(found, (0..lower.len()).flat_map(all).collect::<Vec<_>>());
        }
    }
}
