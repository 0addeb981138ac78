//! Sixty-four bytes at a time: what they are (letters, digits, what keys are made of), and where one of a few short texts may stand.
//!
//! The search for the texts follows the shuffle-based one that Hyperscan calls Teddy: tables say for each of four places which of the groups
//! of texts may have a byte there. With AVX-512 VBMI and in the portable way a table has an entry for each of 64 classes of bytes; with AVX2
//! there are two of sixteen entries, for the low and the high half of a byte, which let more pass. What passes is compared by whoever
//! asked. This is the only file with `unsafe`; `portable` does the same without, and tests compare the two.

use crate::rules::guarantee::is_packed;

/// Bytes in a block.
pub const BLOCK: usize = 64;
/// Bytes of a text that are looked at.
pub const WIDTH: usize = 4;
/// How many bytes behind a block are read.
const BEHIND: usize = WIDTH - 1;
/// Groups of texts, eight to a table, one for each bit of a byte. Half as many let four times as much pass.
pub const GROUPS: usize = 32;
/// Kinds of bytes that texts are made of; letters of both cases are one.
pub const CLASSES: usize = 64;

/// One bit for each byte of a block; the first byte has the lowest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Block {
    /// Bytes that keys are made of ([`is_packed`]).
    pub packed: u64,
    /// Digits.
    pub digits: u64,
    /// ASCII letters.
    pub letters: u64,
    /// Those that are capitals.
    pub capitals: u64,
    /// NUL.
    pub zeros: u64,
    /// `-`
    pub dashes: u64,
    /// `\`
    pub backslashes: u64,
    /// `%`
    pub percents: u64,
    /// Where one of the texts may begin.
    pub texts: u64,
}

/// The class of a byte that texts are made of; none for control characters and what is beyond ASCII.
pub const fn class(byte: u8) -> Option<usize> {
    // The lower five bits, and whether it is below the letters.
    if byte < 0x20 || byte >= 0x80 { None } else { Some((byte & 0x1f | (!byte >> 1) & 0x20) as usize) }
}

/// The places of the bits that are set, in order.
pub fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros() as usize;
        bits &= bits.wrapping_sub(1);
        (place < 64).then_some(place)
    })
}

/// The groups with a text that has this byte at a place.
#[derive(Debug, Clone)]
pub struct Tables {
    /// By place and class.
    classes: [[[u8; CLASSES]; WIDTH]; GROUPS / 8],
    /// By place, half of a byte, and its value.
    halves: [[[[u8; 16]; 2]; WIDTH]; GROUPS / 8],
    /// Those whose texts end in front of the last place: any byte may be there.
    short: [u8; GROUPS / 8],
}

impl Default for Tables {
    fn default() -> Tables {
        Tables { classes: [[[0; CLASSES]; WIDTH]; GROUPS / 8], halves: Default::default(), short: Default::default() }
    }
}

impl Tables {
    /// Adds a text to a group, of [`WIDTH`] bytes or one less, all of which have a class. Letters stand for both cases.
    pub fn add(&mut self, group: usize, text: &[u8]) {
        let (table, bit) = (group / 8, 1 << (group % 8));
        for place in 0..WIDTH {
            let [low, high] = &mut self.halves[table][place];
            let classes = &mut self.classes[table][place];
            let Some(byte) = text.get(place) else {
                low.iter_mut().chain(high).chain(classes).for_each(|groups| *groups |= bit);
                self.short[table] |= bit;
                continue;
            };
            for byte in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
                low[usize::from(byte & 15)] |= bit;
                high[usize::from(byte >> 4)] |= bit;
                if let Some(class) = class(byte) {
                    classes[class] |= bit;
                }
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
                    let left = rest.len().min(last.len());
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
const MANY: usize = 16;
type Window = [u8; MANY * BLOCK + BEHIND];
type Fill = fn(&Tables, &Window, &mut [Block]);

/// The fastest way on this machine.
fn best() -> Fill {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vbmi") {
            return avx512::fill;
        }
        if is_x86_feature_detected!("avx2") {
            return avx2::fill;
        }
    }
    portable
}

/// Byte by byte.
fn portable(tables: &Tables, window: &Window, blocks: &mut [Block]) {
    for (number, block) in blocks.iter_mut().enumerate() {
        *block = Block::default();
        for at in 0..BLOCK {
            let bytes = &window[number * BLOCK + at..][..WIDTH];
            let byte = bytes[0];
            let bit = |is: bool| u64::from(is) << at;
            block.packed |= bit(is_packed(byte));
            block.digits |= bit(byte.is_ascii_digit());
            block.letters |= bit(byte.is_ascii_alphabetic());
            block.capitals |= bit(byte.is_ascii_uppercase());
            block.zeros |= bit(byte == 0);
            block.dashes |= bit(byte == b'-');
            block.backslashes |= bit(byte == b'\\');
            block.percents |= bit(byte == b'%');
            let groups = |(classes, short): (&[[u8; CLASSES]; WIDTH], &u8)| {
                let here = |(place, byte): (usize, &u8)| match class(*byte) {
                    Some(class) => classes[place][class],
                    None if place == WIDTH - 1 => *short,
                    None => 0,
                };
                bytes.iter().enumerate().map(here).fold(0xff, |all, groups| all & groups)
            };
            block.texts |= bit(tables.classes.iter().zip(&tables.short).any(|table| groups(table) != 0));
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

    /// Of 32 bytes, in the order of the fields of a block; at the end, where no text may begin.
    #[target_feature(enable = "avx2")]
    fn half(tables: &[[[__m256i; 2]; WIDTH]; GROUPS / 8], window: &[u8; 32 + BEHIND]) -> [u32; 9] {
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
        let Some(bytes) = window.first_chunk() else { return [0; 9] };
        let bytes = load(bytes);
        let digits = between(bytes, b'0', b'9');
        let letters = between(_mm256_or_si256(bytes, _mm256_set1_epi8(0x20)), b'a', b'z');
        let capitals = between(bytes, b'A', b'Z');
        let is = |byte: u8| _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8));
        let (dashes, zeros) = (is(b'-'), is(0));
        let signs = _mm256_or_si256(_mm256_or_si256(is(b'+'), is(b'/')), _mm256_or_si256(is(b'_'), dashes));
        let packed = _mm256_or_si256(_mm256_or_si256(digits, letters), signs);
        let none = _mm256_cmpeq_epi8(any, _mm256_setzero_si256());
        [packed, digits, letters, capitals, zeros, dashes, is(b'\\'), is(b'%'), none].map(|mask| bits(mask))
    }

    #[target_feature(enable = "avx2")]
    fn vectors(tables: &Tables, window: &Window, blocks: &mut [Block]) {
        let mut both = [[[_mm256_setzero_si256(); 2]; WIDTH]; GROUPS / 8];
        for (both, half) in both.iter_mut().zip(&tables.halves) {
            for (both, place) in both.iter_mut().zip(half) {
                *both = [twice(&place[0]), twice(&place[1])];
            }
        }
        for (number, block) in blocks.iter_mut().enumerate() {
            let at = number * BLOCK;
            let (Some(first), Some(second)) = (window[at..].first_chunk(), window[at + 32..].first_chunk()) else { continue };
            let (low, high) = (half(&both, first), half(&both, second));
            let join = |kind: usize| u64::from(low[kind]) | u64::from(high[kind]) << 32;
            *block = Block {
                packed: join(0),
                digits: join(1),
                letters: join(2),
                capitals: join(3),
                zeros: join(4),
                dashes: join(5),
                backslashes: join(6),
                percents: join(7),
                texts: !join(8),
            };
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx512 {
    use super::{BEHIND, BLOCK, Block, GROUPS, Tables, WIDTH, Window};
    use std::arch::x86_64::*;

    /// A block at a time. Must not be called where there is no AVX-512 with BW and VBMI.
    pub fn fill(tables: &Tables, window: &Window, blocks: &mut [Block]) {
        // SAFETY: `best` gives this function out only where `is_x86_feature_detected!` holds for both, and nothing else calls it.
        unsafe { vectors(tables, window, blocks) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn load(bytes: &[u8; BLOCK]) -> __m512i {
        // SAFETY: 64 bytes are there to be read, and `loadu` asks for no alignment.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    /// Which bytes lie between two.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn between(bytes: __m512i, first: u8, last: u8) -> u64 {
        let above = _mm512_sub_epi8(bytes, _mm512_set1_epi8(first as i8));
        _mm512_cmple_epu8_mask(above, _mm512_set1_epi8((last - first) as i8))
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn block(tables: &[([__m512i; WIDTH], __m512i); GROUPS / 8], window: &[u8; BLOCK + BEHIND]) -> Block {
        /// Of each bit: where the third is set, not the second, else the first.
        const FIRST_OR_NOT_SECOND: i32 = 0x72;
        let sixth = _mm512_set1_epi8(0x20);
        let mut groups = [_mm512_set1_epi8(-1); GROUPS / 8];
        for place in 0..WIDTH {
            let Some(bytes) = window[place..].first_chunk() else { continue };
            let bytes = load(bytes);
            // `super::class`, of which the lower six bits count: the sixth is what the seventh of the byte is not.
            let classes = _mm512_ternarylogic_epi32::<FIRST_OR_NOT_SECOND>(bytes, _mm512_srli_epi16::<1>(bytes), sixth);
            let has_class = between(bytes, 0x20, 0x7f);
            for (groups, (table, short)) in groups.iter_mut().zip(tables) {
                let here = if place == WIDTH - 1 {
                    _mm512_mask_permutexvar_epi8(*short, has_class, classes, table[place])
                } else {
                    _mm512_maskz_permutexvar_epi8(has_class, classes, table[place])
                };
                *groups = _mm512_and_si512(*groups, here);
            }
        }
        let mut any = _mm512_setzero_si512();
        for groups in groups {
            any = _mm512_or_si512(any, groups);
        }
        let Some(bytes) = window.first_chunk() else { return Block::default() };
        let bytes = load(bytes);
        let is = |byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
        let digits = between(bytes, b'0', b'9');
        let letters = between(_mm512_or_si512(bytes, sixth), b'a', b'z');
        let dashes = is(b'-');
        Block {
            packed: digits | letters | dashes | is(b'+') | is(b'/') | is(b'_'),
            digits,
            letters,
            capitals: between(bytes, b'A', b'Z'),
            zeros: is(0),
            dashes,
            backslashes: is(b'\\'),
            percents: is(b'%'),
            texts: _mm512_test_epi8_mask(any, any),
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn vectors(tables: &Tables, window: &Window, blocks: &mut [Block]) {
        let mut all = [([_mm512_setzero_si512(); WIDTH], _mm512_setzero_si512()); GROUPS / 8];
        for (table, (classes, short)) in all.iter_mut().zip(tables.classes.iter().zip(&tables.short)) {
            for (place, classes) in table.0.iter_mut().zip(classes) {
                *place = load(classes);
            }
            table.1 = _mm512_set1_epi8(*short as i8);
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
        tables.add(0, b"pass");
        tables.add(0, b"word");
        tables.add(9, b"://");
        tables.add(31, b"key=");
        tables
    }

    fn all(fill: Fill, bytes: &[u8]) -> Vec<Block> {
        let mut window = [0; MANY * BLOCK + BEHIND];
        window[..bytes.len()].copy_from_slice(bytes);
        let mut blocks = vec![Block { texts: 7, ..Block::default() }; MANY];
        fill(&tables(), &window, &mut blocks);
        blocks
    }

    /// What this machine can do beside the portable way; and whether it lets no more pass.
    fn every() -> Vec<(Fill, bool)> {
        let mut all: Vec<(Fill, bool)> = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vbmi") {
                all.push((avx512::fill, true));
            }
            if is_x86_feature_detected!("avx2") {
                all.push((avx2::fill, false));
            }
        }
        all
    }

    /// Nothing that the portable way sees is missed, and all else is the same.
    fn same(bytes: &[u8]) {
        let expected = all(portable, bytes);
        for (fill, exact) in every() {
            for (found, expected) in all(fill, bytes).into_iter().zip(&expected) {
                assert!(found.texts & expected.texts == expected.texts && (!exact || found.texts == expected.texts));
                assert_eq!(Block { texts: expected.texts, ..found }, *expected);
            }
        }
    }

    proptest! {
        #[test]
        fn vectors_and_bytes_say_the_same(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0x20u8..0x7f, prop::sample::select(b"paswordkey=:/PKWO".to_vec())],
                MANY * BLOCK + BEHIND)
        ) {
            same(&bytes);
        }
    }

    #[test]
    fn every_byte_is_of_its_kind() {
        let bytes: Vec<u8> = (0..=255).collect();
        same(&bytes);
        for byte in 0..=255u8 {
            let (block, bit) = (all(best(), &bytes)[usize::from(byte) / BLOCK], 1 << (usize::from(byte) % BLOCK));
            assert_eq!(block.packed & bit != 0, is_packed(byte), "{byte}");
            assert_eq!(block.letters & bit != 0, byte.is_ascii_alphabetic(), "{byte}");
        }
    }

    #[test]
    fn what_is_short_may_be_followed_by_anything() {
        for byte in 0..=255u8 {
            let bytes = [b':', b'/', b'/', byte];
            same(&bytes);
            assert_eq!(all(best(), &bytes)[0].texts & 1, 1, "{byte}");
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
