//! Which of many texts stand at a place, told by how they begin: with four bytes, or with three, ASCII letters in any case.

use std::ops::Range;

/// Bits of the table that says most of the time that nothing stands there.
const BITS: u32 = 17;

/// The begins of texts, and their numbers.
#[derive(Debug)]
pub struct Index {
    /// By a hash of four bytes.
    begins: Vec<u64>,
    /// Begins as [`key`] has them, and the texts that have them; a power of two of slots, with empty ones among them.
    slots: Vec<Option<(u32, Range<u32>)>>,
}

impl Index {
    /// For these texts, sorted and in lower case, of three bytes and more.
    pub fn new<'a>(texts: impl ExactSizeIterator<Item = &'a [u8]>) -> Index {
        let slots = vec![None; (texts.len() * 2).next_power_of_two().max(64)];
        let mut index = Index { begins: vec![0; 1 << (BITS - 6)], slots };
        for (number, text) in texts.enumerate() {
            match *text {
                [a, b, c, d, ..] => index.set([a, b, c, d]),
                [a, b, c] => (0..32).for_each(|any| index.set([a, b, c, any])),
                _ => continue,
            }
            let begin = key(&text[..text.len().min(4)]);
            let mut slot = index.slot(begin);
            let number = number as u32;
            loop {
                match &mut index.slots[slot] {
                    // Those that begin alike stand side by side.
                    Some((there, texts)) if *there == begin => {
                        texts.end = number + 1;
                        break;
                    }
                    Some(_) => slot = (slot + 1) & (index.slots.len() - 1),
                    empty => {
                        *empty = Some((begin, number..number + 1));
                        break;
                    }
                }
            }
        }
        index
    }

    fn set(&mut self, bytes: [u8; 4]) {
        let at = hash(bytes);
        self.begins[at / 64] |= 1 << (at % 64);
    }

    fn slot(&self, begin: u32) -> usize {
        (begin.wrapping_mul(0x9e37_79b1) >> 7) as usize & (self.slots.len() - 1)
    }

    /// Calls `each` with the number of every text that begins as these bytes do. Behind the end of what is searched they are zeros.
    #[inline]
    pub fn at(&self, bytes: [u8; 4], mut each: impl FnMut(usize)) {
        let at = hash(bytes);
        if self.begins[at / 64] >> (at % 64) & 1 == 1 {
            let begin = u32::from_le_bytes(bytes.map(|byte| byte.to_ascii_lowercase()));
            if begin > 0xff_ffff {
                self.lookup(begin, &mut each);
            }
            self.lookup(begin & 0xff_ffff, &mut each);
        }
    }

    fn lookup(&self, begin: u32, each: &mut impl FnMut(usize)) {
        let mut slot = self.slot(begin);
        while let Some((there, texts)) = &self.slots[slot] {
            if *there == begin {
                return texts.clone().for_each(|number| each(number as usize));
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

fn key(begin: &[u8]) -> u32 {
    begin.iter().rev().fold(0, |key, byte| key << 8 | u32::from(*byte))
}

/// Of the lower five bits, which letters of both cases have in common.
fn hash(bytes: [u8; 4]) -> usize {
    let folded = u32::from_le_bytes(bytes) & 0x1f1f_1f1f;
    (folded.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
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
            index.at(four_at(bytes, 0), |number| found.push(number));
            found.sort_unstable();
            found
        };
        assert_eq!(at(b"GHP_1234"), [0, 1]);
        assert_eq!(at(b"sk-pr"), [2, 3]);
        assert_eq!(at(b"sk-"), [2]);
        assert_eq!((at(b"ghp"), at(b"\x07hp_"), at(b"")), (vec![], vec![], vec![]));
    }
}
