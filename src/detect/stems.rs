//! Stems: three or four bytes that stand for a literal or a name. Which of its bytes they are, and which of them are looked for together, is
//! decided by how often they stand in files.

use super::blocks::{CLASSES, GROUPS, WIDTH, class, ones};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::OnceLock;

/// Three or four bytes, ASCII letters in lower case.
pub const SHORTEST_STEM: usize = 3;
/// See [`SHORTEST_STEM`].
pub type Stem = Vec<u8>;

/// What one more stem costs, in stems found for nothing in a megabyte: it lets others pass, too.
const COST: f32 = 96.0;

/// Few and rare stems, one of which stands in each of `texts`. By text, its stem. Of a text without three bytes there is none.
pub fn cover(texts: &[&str]) -> Vec<Stem> {
    let mut stems: Vec<Stem> = vec![Stem::new(); texts.len()];
    let mut texts_of: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (number, text) in texts.iter().enumerate() {
        for window in windows(text) {
            let texts = texts_of.entry(window).or_default();
            texts.extend((texts.last() != Some(&number)).then_some(number));
        }
    }
    let mut by_price: BinaryHeap<(Reverse<u32>, &[u8])> = BinaryHeap::new();
    let price = |window: &[u8], texts: usize| {
        let hits = (rarity(window) as f32).exp2();
        // Every hit is compared with every text.
        ((COST + hits) / texts as f32 * 256.0 + hits * 64.0) as u32
    };
    by_price.extend(texts_of.iter().map(|(window, texts)| (Reverse(price(window, texts.len())), *window)));
    while let Some((Reverse(was), window)) = by_price.pop() {
        let left: Vec<usize> = texts_of.remove(window).into_iter().flatten().filter(|text| stems[*text].is_empty()).collect();
        if left.is_empty() {
            continue;
        }
        let now = price(window, left.len());
        if now > was {
            // Others took some of its texts meanwhile.
            texts_of.insert(window, left);
            by_price.push((Reverse(now), window));
            continue;
        }
        left.into_iter().for_each(|text| stems[text] = window.into());
    }
    stems
}

/// Everything of four bytes that may be a stem; of three, where a text has no more.
fn windows(text: &str) -> impl Iterator<Item = &[u8]> {
    let width = text.len().clamp(SHORTEST_STEM, WIDTH);
    // A scheme is in many.
    let shared = text.find("://").map(|at| &text.as_bytes()[at..at + 3]);
    text.as_bytes().windows(width).chain(shared)
}

/// The logarithm of how often a text stands in a megabyte, as far as neighbours tell; or what is known of it.
fn rarity(text: &[u8]) -> i32 {
    if common().contains(text) || text.iter().all(|byte| *byte == text[0]) {
        return 8;
    }
    let class = |byte: u8| if byte.is_ascii_lowercase() { usize::from(byte - b'a') } else { OTHER };
    let alone = |byte: u8| FREQUENCY.get(usize::from(byte)).map_or(9, |bits| i32::from(*bits));
    let all = |byte: u8| if class(byte) == OTHER { 19 } else { alone(byte) };
    let pair = |w: &[u8]| (PAIRS[class(w[0])].as_bytes()[class(w[1])] as char).to_digit(36).unwrap_or_default() as i32;
    let pairs: i32 = text.windows(2).map(pair).sum();
    let middle: i32 = text[1..text.len() - 1].iter().map(|byte| all(*byte)).sum();
    let others: i32 = text.iter().filter(|byte| class(**byte) == OTHER).map(|byte| alone(*byte) - 19).sum();
    pairs - middle + others
}

/// Four letters that stand in files more than 60 times in a megabyte (`patterns/common.py`).
fn common() -> &'static HashSet<&'static [u8]> {
    static COMMON: OnceLock<HashSet<&[u8]>> = OnceLock::new();
    COMMON.get_or_init(|| include_str!("../../patterns/common.txt").split_whitespace().map(str::as_bytes).collect())
}

/// Which stem is looked for in which group: where it lets the least pass that is none of them.
pub fn groups(stems: &[Stem]) -> Vec<(usize, &Stem)> {
    let mut sorted: Vec<&Stem> = stems.iter().collect();
    sorted.sort_by_key(|stem| (stem.len(), Reverse(rarity(stem)), *stem));
    let mut groups: Vec<(Passing, f32)> = vec![(Passing::default(), 0.0); GROUPS];
    let place = |stem| {
        let with = groups.iter().map(|(group, share)| (group.with(stem), *share)).map(|(group, share)| (group, group.share(), share));
        let best = with.enumerate().min_by(|(_, a), (_, b)| (a.1 - a.2).total_cmp(&(b.1 - b.2)));
        let (number, (group, share, _)) = best.unwrap_or_default();
        groups[number] = (group, share);
        (number, stem)
    };
    sorted.into_iter().map(place).collect()
}

/// The classes of bytes that a group lets pass at each place, a bit for each.
#[derive(Clone, Copy, Default)]
struct Passing([u64; WIDTH]);

impl Passing {
    fn with(mut self, stem: &Stem) -> Passing {
        for (place, classes) in self.0.iter_mut().enumerate() {
            *classes |= stem.get(place).map_or(!0, |byte| class(*byte).map_or(0, |class| 1 << class));
        }
        self
    }

    /// The share of all places that passes, if bytes did not depend on each other.
    fn share(&self) -> f32 {
        let shares = shares();
        self.0.into_iter().map(|classes| ones(classes).map(|class| shares[class]).sum::<f32>()).product()
    }
}

/// How often bytes of a class stand in files.
fn shares() -> &'static [f32; CLASSES] {
    static SHARES: OnceLock<[f32; CLASSES]> = OnceLock::new();
    SHARES.get_or_init(|| {
        let mut shares = [0.0; CLASSES];
        for (byte, log) in (0u8..).zip(FREQUENCY) {
            class(byte).into_iter().for_each(|class| shares[class] += f32::from(log).exp2() / (1 << 20) as f32);
        }
        shares
    })
}

/// Logarithms to base 2 of how often each byte stands in a megabyte, capitals as small letters: of 120 MB of texts and programs of a Debian
/// image with Python and Node.
const FREQUENCY: [u8; 128] = [
    17, 13, 12, 12, 12, 11, 11, 10, 12, 12, 14, 10, 10, 11, 12, 13, 12, 10, 10, 9, 10, 10, 9, 9, 11, 9, 9, 9, 9, 9, 9, 11, 17, 10, 14, 10,
    13, 11, 9, 12, 12, 12, 11, 10, 13, 11, 13, 11, 12, 13, 11, 11, 11, 11, 11, 10, 11, 11, 13, 11, 10, 12, 10, 10, 11, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11, 11, 11, 9, 12, 10, 15, 13, 14, 14, 15, 13, 13, 15, 15, 11, 12, 14, 13, 14,
    14, 14, 11, 14, 15, 15, 14, 12, 12, 12, 12, 10, 12, 10, 12, 9, 9,
];

/// The same of two bytes that stand side by side, in base 36: rows by the first, columns by the second; a to z, and all others together.
const PAIRS: [&str; 27] = [
    "baba87a5a58cbc7a6cbc989897c",
    "a576b544884a66964775933384b",
    "b696b64b96aa65c74a7b954584b",
    "a879c758a55766975897955673d",
    "b8bc9a97956bbc8aadcc799b94e",
    "a5669945b23865a53978934372c",
    "9665b578934768763997854455b",
    "b575c446a34664a53779744353d",
    "a9bbaba4546badc95acb493738b",
    "644382244253327332725332229",
    "8555a554833556543585636233a",
    "a779ca65b45a56b7369aa75493c",
    "ba66c444934786aa3596853375b",
    "b6bbb9b5957869a946bc984484d",
    "89aa6a84959aad9a4c9ab89655b",
    "b577c558935a56b93b8aa66482b",
    "74433234323643233443a232329",
    "b698d895b3889ab73abba96393d",
    "96a6c79ab47877aa78bda67684d",
    "b697c87cc45887b94caab686b4d",
    "99a8b777934a9b5a3bab533534b",
    "a444b344922443862344333332a",
    "94459439923547843894335332a",
    "86857736733564493759333653b",
    "756574647337778b3788456455c",
    "643482246224338222333233439",
    "dcddccbdd9accccc9cddcbbba9j",
];
const OTHER: usize = 26;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarest_and_the_shared_stand_for_the_whole() {
        let stems = cover(&["jdbc:", "the zqxj", "8q~", "the_zqxj", "mysql://", "git://", "ab"]);
        let stems: Vec<&str> = stems.iter().map(|stem| std::str::from_utf8(stem).expect("ASCII")).collect();
        assert_eq!(stems, ["jdbc", "zqxj", "8q~", "zqxj", "://", "://", ""]);
        assert!(rarity(b"tion") > rarity(b"xcvb"));
    }

    #[test]
    fn every_stem_is_in_a_group() {
        let stems: Vec<Stem> = ["key", "pass", "zqxj", "://"].map(|stem| Stem::from(stem.as_bytes())).to_vec();
        let mut placed: Vec<&Stem> =
            groups(&stems).into_iter().inspect(|(group, _)| assert!(*group < GROUPS)).map(|(_, stem)| stem).collect();
        placed.sort();
        let mut all: Vec<&Stem> = stems.iter().collect();
        all.sort();
        assert_eq!(placed, all);
    }
}
