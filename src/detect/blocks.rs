//! Sixty-four bytes at a time: which of them keys are made of, which are digits, and where one of a few short texts may stand.
//!
//! The search for the texts is the shuffle-based one that Hyperscan calls Teddy: two tables of sixteen entries for each of four places,
//! one for the low and one for the high half of a byte, say which of eight groups of texts may have that byte there. What it lets pass
//! is compared by whoever asked. This is the only file with `unsafe`; `portable` does the same without, and tests compare the two.

use crate::rules::guarantee::is_packed;

/// Bytes in a block.
pub const BLOCK: usize = 64;
/// Bytes of a text that are looked at.
pub const WIDTH: usize = 4;
/// How many bytes behind a block are read.
const BEHIND: usize = WIDTH - 1;
/// Groups of texts, eight to a table, one for each bit of a byte. Half as many let four times as much pass.
pub const GROUPS: usize = 32;

/// One bit for each byte of a block; the first byte has the lowest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Block {
    /// Bytes that keys are made of ([`is_packed`]).
    pub packed: u64,
    /// Digits.
    pub digits: u64,
    /// ASCII letters.
    pub letters: u64,
    /// Where one of the texts may begin.
    pub texts: u64,
}

/// By place in a text, half of a byte, and its value: the groups with such a text.
#[derive(Debug, Clone, Default)]
pub struct Tables([[[[u8; 16]; 2]; WIDTH]; GROUPS / 8]);

impl Tables {
    /// Adds a text to a group: what may stand at each of its places. An empty place may be anything.
    pub fn add(&mut self, group: usize, text: &[&[u8]; WIDTH]) {
        for (place, bytes) in text.iter().enumerate() {
            let [low, high] = &mut self.0[group / 8][place];
            let bit = 1 << (group % 8);
            if bytes.is_empty() {
                low.iter_mut().chain(high.iter_mut()).for_each(|groups| *groups |= bit);
            }
            for byte in *bytes {
                low[usize::from(byte & 15)] |= bit;
                high[usize::from(byte >> 4)] |= bit;
            }
        }
    }

    /// Calls `each` with every block of `bytes` and where it begins, in order; behind the end there are zeros.
    pub fn blocks(&self, bytes: &[u8], mut each: impl FnMut(usize, Block)) {
        let fill = best();
        let mut blocks = [Block::default(); MANY];
        let mut last = [0; MANY * BLOCK + BEHIND];
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let (window, count) = match rest.first_chunk() {
                Some(window) => (window, MANY),
                None => {
                    let left = rest.len().min(MANY * BLOCK + BEHIND);
                    last[..left].copy_from_slice(&rest[..left]);
                    last[left..].fill(0);
                    (&last, rest.len().div_ceil(BLOCK).min(MANY))
                }
            };
            fill(self, window, &mut blocks[..count]);
            blocks[..count].iter().enumerate().for_each(|(number, block)| each(at + number * BLOCK, *block));
            at += count * BLOCK;
        }
    }
}

/// Blocks that are looked at in one go: the tables are loaded once for all of them.
const MANY: usize = 64;
type Window = [u8; MANY * BLOCK + BEHIND];
type Fill = fn(&Tables, &Window, &mut [Block]);

/// The fastest way on this machine.
fn best() -> Fill {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512bw") {
            return avx512::fill;
        }
        if is_x86_feature_detected!("avx2") {
            return avx2::fill;
        }
    }
    portable
}

/// What a byte is: bits of [`PACKED`], [`DIGIT`], [`LETTER`].
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        kinds[byte] = (is_packed(b) as u8 * PACKED) | (b.is_ascii_digit() as u8 * DIGIT) | (b.is_ascii_alphabetic() as u8 * LETTER);
        byte += 1;
    }
    kinds
};
const PACKED: u8 = 1;
const DIGIT: u8 = 2;
const LETTER: u8 = 4;

/// Byte by byte.
fn portable(tables: &Tables, window: &Window, blocks: &mut [Block]) {
    for (number, block) in blocks.iter_mut().enumerate() {
        *block = Block::default();
        for at in 0..BLOCK {
            let bytes = &window[number * BLOCK + at..][..WIDTH];
            let kind = KINDS[usize::from(bytes[0])];
            let groups = |half: &[[[u8; 16]; 2]; WIDTH]| {
                half.iter()
                    .zip(bytes)
                    .fold(0xff, |all, ([low, high], byte)| all & low[usize::from(byte & 15)] & high[usize::from(byte >> 4)])
            };
            let texts = tables.0.iter().any(|half| groups(half) != 0);
            let bit = |is: bool| u64::from(is) << at;
            block.packed |= bit(kind & PACKED != 0);
            block.digits |= bit(kind & DIGIT != 0);
            block.letters |= bit(kind & LETTER != 0);
            block.texts |= bit(texts);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx2 {
    use super::{BEHIND, BLOCK, Block, GROUPS, Tables, WIDTH, Window};
    use std::arch::x86_64::*;

    /// Thirty-two bytes at a time. Must not be called where there is no AVX2.
    pub fn fill(tables: &Tables, window: &Window, blocks: &mut [Block]) {
        // SAFETY: `best` gives this function out only where `is_x86_feature_detected!("avx2")` holds, and nothing else calls it.
        unsafe { vectors(tables, window, blocks) }
    }

    #[target_feature(enable = "avx2")]
    fn load(bytes: &[u8; 32]) -> __m256i {
        // SAFETY: 32 bytes are there to be read, and `loadu` asks for no alignment.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx2")]
    fn twice(table: &[u8; 16]) -> __m256i {
        // SAFETY: 16 bytes are there to be read, and `loadu` asks for no alignment.
        _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(table.as_ptr().cast()) })
    }

    /// All bytes between two.
    #[target_feature(enable = "avx2")]
    fn between(bytes: __m256i, first: u8, last: u8) -> __m256i {
        let above = _mm256_sub_epi8(bytes, _mm256_set1_epi8(first as i8));
        _mm256_cmpeq_epi8(_mm256_min_epu8(above, _mm256_set1_epi8((last - first) as i8)), above)
    }

    #[target_feature(enable = "avx2")]
    fn bits(mask: __m256i) -> u32 {
        _mm256_movemask_epi8(mask) as u32
    }

    /// Of 32 bytes: the packed ones, digits, letters, and where no text may begin.
    #[target_feature(enable = "avx2")]
    fn half(tables: &[[[__m256i; 2]; WIDTH]; GROUPS / 8], window: &[u8; 32 + BEHIND]) -> [u32; 4] {
        let nibble = _mm256_set1_epi8(15);
        let mut groups = [_mm256_set1_epi8(-1); GROUPS / 8];
        for place in 0..WIDTH {
            let Some(bytes) = window[place..].first_chunk() else { continue };
            let bytes = load(bytes);
            let low = _mm256_and_si256(bytes, nibble);
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble);
            for (groups, tables) in groups.iter_mut().zip(tables) {
                let [of_low, of_high] = tables[place];
                let here = _mm256_and_si256(_mm256_shuffle_epi8(of_low, low), _mm256_shuffle_epi8(of_high, high));
                *groups = _mm256_and_si256(*groups, here);
            }
        }
        let mut any = _mm256_setzero_si256();
        for groups in groups {
            any = _mm256_or_si256(any, groups);
        }
        let Some(bytes) = window.first_chunk() else { return [0; 4] };
        let bytes = load(bytes);
        let digits = between(bytes, b'0', b'9');
        let letters = between(_mm256_or_si256(bytes, _mm256_set1_epi8(0x20)), b'a', b'z');
        let mut packed = _mm256_or_si256(digits, letters);
        for sign in b"+-/_" {
            packed = _mm256_or_si256(packed, _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(*sign as i8)));
        }
        let none = _mm256_cmpeq_epi8(any, _mm256_setzero_si256());
        [bits(packed), bits(digits), bits(letters), bits(none)]
    }

    #[target_feature(enable = "avx2")]
    fn vectors(tables: &Tables, window: &Window, blocks: &mut [Block]) {
        let mut both = [[[_mm256_setzero_si256(); 2]; WIDTH]; GROUPS / 8];
        for (both, half) in both.iter_mut().zip(&tables.0) {
            for (both, place) in both.iter_mut().zip(half) {
                *both = [twice(&place[0]), twice(&place[1])];
            }
        }
        for (number, block) in blocks.iter_mut().enumerate() {
            let at = number * BLOCK;
            let (Some(first), Some(second)) = (window[at..].first_chunk(), window[at + 32..].first_chunk()) else { continue };
            let (low, high) = (half(&both, first), half(&both, second));
            let join = |kind: usize| u64::from(low[kind]) | u64::from(high[kind]) << 32;
            *block = Block { packed: join(0), digits: join(1), letters: join(2), texts: !join(3) };
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx512 {
    use super::{BEHIND, BLOCK, Block, GROUPS, Tables, WIDTH, Window};
    use std::arch::x86_64::*;

    /// A block at a time. Must not be called where there is no AVX-512 for bytes (BW).
    pub fn fill(tables: &Tables, window: &Window, blocks: &mut [Block]) {
        // SAFETY: `best` gives this function out only where `is_x86_feature_detected!("avx512bw")` holds, and nothing else calls it.
        unsafe { vectors(tables, window, blocks) }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    fn load(bytes: &[u8; BLOCK]) -> __m512i {
        // SAFETY: 64 bytes are there to be read, and `loadu` asks for no alignment.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    fn four_times(table: &[u8; 16]) -> __m512i {
        // SAFETY: 16 bytes are there to be read, and `loadu` asks for no alignment.
        _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(table.as_ptr().cast()) })
    }

    /// Which bytes lie between two.
    #[target_feature(enable = "avx512f,avx512bw")]
    fn between(bytes: __m512i, first: u8, last: u8) -> u64 {
        let above = _mm512_sub_epi8(bytes, _mm512_set1_epi8(first as i8));
        _mm512_cmple_epu8_mask(above, _mm512_set1_epi8((last - first) as i8))
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    fn block(tables: &[[[__m512i; 2]; WIDTH]; GROUPS / 8], window: &[u8; BLOCK + BEHIND]) -> Block {
        let nibble = _mm512_set1_epi8(15);
        let mut groups = [_mm512_set1_epi8(-1); GROUPS / 8];
        for place in 0..WIDTH {
            let Some(bytes) = window[place..].first_chunk() else { continue };
            let bytes = load(bytes);
            let low = _mm512_and_si512(bytes, nibble);
            let high = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), nibble);
            for (groups, tables) in groups.iter_mut().zip(tables) {
                let [of_low, of_high] = tables[place];
                let here = _mm512_and_si512(_mm512_shuffle_epi8(of_low, low), _mm512_shuffle_epi8(of_high, high));
                *groups = _mm512_and_si512(*groups, here);
            }
        }
        let mut any = _mm512_setzero_si512();
        for groups in groups {
            any = _mm512_or_si512(any, groups);
        }
        let Some(bytes) = window.first_chunk() else { return Block::default() };
        let bytes = load(bytes);
        let digits = between(bytes, b'0', b'9');
        let letters = between(_mm512_or_si512(bytes, _mm512_set1_epi8(0x20)), b'a', b'z');
        let mut packed = digits | letters;
        for sign in b"+-/_" {
            packed |= _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(*sign as i8));
        }
        Block { packed, digits, letters, texts: _mm512_test_epi8_mask(any, any) }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    fn vectors(tables: &Tables, window: &Window, blocks: &mut [Block]) {
        let mut all = [[[_mm512_setzero_si512(); 2]; WIDTH]; GROUPS / 8];
        for (all, half) in all.iter_mut().zip(&tables.0) {
            for (all, place) in all.iter_mut().zip(half) {
                *all = [four_times(&place[0]), four_times(&place[1])];
            }
        }
        for (number, out) in blocks.iter_mut().enumerate() {
            if let Some(window) = window[number * BLOCK..].first_chunk() {
                *out = block(&all, window);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tables() -> Tables {
        let mut tables = Tables::default();
        tables.add(0, &[b"pP", b"aA", b"sS", b"sS"]);
        tables.add(9, &[b":", b"/", b"/", b""]);
        tables.add(15, &[b"kK", b"eE", b"yY", b"=: "]);
        tables
    }

    fn all(fill: Fill, bytes: &[u8]) -> Vec<Block> {
        let mut window = [0; MANY * BLOCK + BEHIND];
        window[..bytes.len()].copy_from_slice(bytes);
        let mut blocks = vec![Block { texts: 7, ..Block::default() }; MANY];
        fill(&tables(), &window, &mut blocks);
        blocks
    }

    /// What this machine can do beside the portable way.
    fn every() -> Vec<Fill> {
        let mut all: Vec<Fill> = vec![best()];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            all.push(avx2::fill);
        }
        all
    }

    proptest! {
        #[test]
        fn vectors_and_bytes_say_the_same(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0x20u8..0x7f], MANY * BLOCK + BEHIND)) {
            for fill in every() {
                prop_assert_eq!(all(fill, &bytes), all(portable, &bytes));
            }
        }
    }

    #[test]
    fn every_byte_is_of_its_kind() {
        let bytes: Vec<u8> = (0..=255).collect();
        for fill in every().into_iter().chain([portable as Fill]) {
            let blocks = all(fill, &bytes);
            for byte in 0..=255u8 {
                let (block, bit) = (blocks[usize::from(byte) / BLOCK], 1 << (usize::from(byte) % BLOCK));
                assert_eq!(block.packed & bit != 0, is_packed(byte), "{byte}");
                assert_eq!(block.digits & bit != 0, byte.is_ascii_digit(), "{byte}");
                assert_eq!(block.letters & bit != 0, byte.is_ascii_alphabetic(), "{byte}");
            }
        }
    }

    #[test]
    fn texts_are_found_wherever_they_stand() {
        for length in [1, 5, 63, 64, 65, 200, MANY * BLOCK - 1, MANY * BLOCK, MANY * BLOCK + 2, 3 * MANY * BLOCK + 70] {
            for (text, least) in [(&b"pAsS"[..], 4), (b"://", 3), (b"KEY=", 4)] {
                for at in (0..length).filter(|at| at + least <= length && (*at < 70 || length - at < 70 || at % 997 == 0)) {
                    let mut bytes = vec![b'.'; length];
                    bytes[at..at + least].copy_from_slice(text);
                    let mut found = Vec::new();
                    tables().blocks(&bytes, |from, block| {
                        found.extend((0..64).filter(|bit| block.texts >> bit & 1 == 1).map(|bit| from + bit))
                    });
                    assert_eq!(found, [at], "{length}");
                }
            }
        }
    }
}
