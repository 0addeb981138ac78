//! Which of many texts stand at a place, told by how they begin: with four bytes, or with three, ASCII letters in any case.

use std::collections::BTreeMap;
use std::ops::Range;

/// Bits of the table that says of three bytes, most of the time, that no text of three bytes stands there.
const THREE_BITS: u32 = 15;
/// The same of four bytes: so many bits for each of their begins, and at most so many, as a power of two.
const SPARSE: usize = 32;
const MOST_BITS: u32 = 17;

/// The begins of texts, and their numbers.
#[derive(Debug)]
pub struct Index {
    /// By a hash of four bytes: some text may begin with them, or with three of them. A power of two of bits; and what that leaves of a hash.
    begins: Vec<u64>,
    shift: u32,
    /// By the lower five bits of three bytes: a text of three bytes may be there.
    threes: Vec<u64>,
    /// Begins as [`key`] has them, or [`EMPTY`]; a power of two of slots.
    slots: Vec<u32>,
    /// By slot, the texts that begin so.
    texts: Vec<Range<u32>>,
}

impl Index {
    /// For these texts, sorted and in lower case, of three bytes and more.
    pub fn new<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Index {
        let mut by_begin: BTreeMap<&[u8], Range<u32>> = BTreeMap::new();
        for (number, text) in (0..).zip(texts).filter(|(_, text)| text.len() >= 3) {
            // Those that begin alike stand side by side.
            by_begin.entry(&text[..text.len().min(4)]).and_modify(|texts| texts.end = number + 1).or_insert(number..number + 1);
        }
        let size = (by_begin.len() * 2).next_power_of_two().max(64);
        let begins: usize = by_begin.keys().map(|begin| if begin.len() == 3 { 32 } else { 1 }).sum();
        let bits = (begins * SPARSE).next_power_of_two().ilog2().clamp(6, MOST_BITS);
        let shift = u32::BITS - bits;
        let mut index = Index {
            begins: vec![0; 1 << (bits - 6)],
            shift,
            threes: vec![0; 1 << (THREE_BITS - 6)],
            slots: vec![EMPTY; size],
            texts: vec![0..0; size],
        };
        for (begin, texts) in by_begin {
            match *begin {
                [a, b, c] => {
                    set(&mut index.threes, three([a, b, c]));
                    (0..32).for_each(|any| set(&mut index.begins, four([a, b, c, any], shift)));
                }
                [a, b, c, d] => set(&mut index.begins, four([a, b, c, d], shift)),
                _ => {}
            }
            let mut slot = index.slot(key(begin));
            while index.slots[slot] != EMPTY {
                slot = (slot + 1) & (size - 1);
            }
            (index.slots[slot], index.texts[slot]) = (key(begin), texts);
        }
        index
    }

    fn slot(&self, begin: u32) -> usize {
        (begin.wrapping_mul(0x9e37_79b1) >> 7) as usize & (self.slots.len() - 1)
    }

    /// Calls `each` with the numbers of the texts that begin as these bytes do: once for those told by four bytes, once for those of three.
    /// Behind the end of what is searched the bytes are zeros.
    #[inline]
    pub fn at(&self, bytes: [u8; 4], mut each: impl FnMut(Range<usize>)) {
        if has(&self.begins, four(bytes, self.shift)) {
            let [a, b, c, d] = bytes;
            let begin = u32::from_le_bytes(bytes.map(|byte| byte.to_ascii_lowercase()));
            if d != NO_BYTE {
                self.lookup(begin, &mut each);
            }
            if has(&self.threes, three([a, b, c])) {
                self.lookup(begin | u32::from(NO_BYTE) << 24, &mut each);
            }
        }
    }

    fn lookup(&self, begin: u32, each: &mut impl FnMut(Range<usize>)) {
        let mut slot = self.slot(begin);
        while self.slots[slot] != EMPTY {
            if self.slots[slot] == begin {
                return each(self.texts[slot].start as usize..self.texts[slot].end as usize);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }
}

/// The four bytes at a place of a text.
#[inline]
pub fn four_at(bytes: &[u8], at: usize) -> [u8; 4] {
    match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(four) => *four,
        None => std::array::from_fn(|next| bytes.get(at + next).copied().unwrap_or(0)),
    }
}

/// What no text has: they are UTF-8. It stands behind those of three bytes.
const NO_BYTE: u8 = 0xff;
const EMPTY: u32 = u32::MAX;

fn key(begin: &[u8]) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|at| begin.get(at).copied().unwrap_or(NO_BYTE)))
}

/// Of the lower five bits, which letters of both cases have in common.
fn four(bytes: [u8; 4], shift: u32) -> usize {
    let folded = u32::from_le_bytes(bytes) & 0x1f1f_1f1f;
    (folded.wrapping_mul(0x9e37_79b1) >> shift) as usize
}

fn three([a, b, c]: [u8; 3]) -> usize {
    usize::from(a & 31) << 10 | usize::from(b & 31) << 5 | usize::from(c & 31)
}

fn set(bits: &mut [u64], at: usize) {
    bits[at / 64] |= 1 << (at % 64);
}

fn has(bits: &[u64], at: usize) -> bool {
    bits[at / 64] >> (at % 64) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_by_their_begin() {
        let texts = [&b"ghp_"[..], b"ghp_x", b"sk-", b"sk-proj-"];
        let index = Index::new(texts.into_iter());
        let at = |bytes: &[u8]| {
            let mut found = Vec::new();
            index.at(four_at(bytes, 0), |numbers| found.extend(numbers));
            found.sort_unstable();
            found
        };
        assert_eq!(at(b"GHP_1234"), [0, 1]);
        assert_eq!(at(b"sk-pr"), [2, 3]);
        assert_eq!(at(b"sk-"), [2]);
        assert_eq!((at(b"ghp"), at(b"\x07hp_"), at(b"")), (vec![], vec![], vec![]));
        assert_eq!(at(b"sk-\xff"), [2]);
    }
}
