//! Bech32 (BIP 173), in which age writes its keys. The length is not limited here: age does not limit it either.

use super::{Answer, last_word};

const DIGITS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// Steps the checksum by one value of 5 bits.
fn step(sum: u32, value: u32) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = sum >> 25;
    let next = (sum & 0x01ff_ffff) << 5 ^ value;
    GENERATOR.iter().enumerate().filter(|(bit, _)| top >> bit & 1 == 1).fold(next, |sum, (_, generator)| sum ^ generator)
}

/// The sum over the part for people and the data; none if there is a character that does not belong.
fn sum(text: &[u8]) -> Option<u32> {
    let at = text.iter().rposition(|b| *b == b'1').filter(|at| *at > 0)?;
    let people = text[..at].to_ascii_lowercase();
    let mut sum = people.iter().fold(1, |sum, b| step(sum, u32::from(*b) >> 5));
    sum = people.iter().fold(step(sum, 0), |sum, b| step(sum, u32::from(*b) & 31));
    for byte in &text[at + 1..] {
        sum = step(sum, DIGITS.iter().position(|d| *d == byte.to_ascii_lowercase())? as u32);
    }
    Some(sum)
}

/// Whether the last six characters are the checksum of the rest.
pub fn check(text: &[u8]) -> Answer {
    Answer::checksum(sum(text) == Some(1))
}

/// The checksum that belongs behind `before`, in its case.
pub fn checksum(before: &str) -> Option<String> {
    let before = last_word(before, "-");
    let sum = (0..6).fold(sum(before.as_bytes())?, |sum, _| step(sum, 0)) ^ 1;
    let digits: String = (0..6).rev().filter_map(|at| DIGITS.get((sum >> (5 * at) & 31) as usize)).map(|d| char::from(*d)).collect();
    Some(if before.bytes().any(|b| b.is_ascii_uppercase()) { digits.to_ascii_uppercase() } else { digits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::Outcome;

    #[test]
    fn vectors_of_bip_173() {
        for text in ["A12UEL5L", "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs", "?1ezyfcl"] {
            assert!(matches!(check(text.as_bytes()).outcome, Outcome::Valid(_)), "{text}");
        }
        for (before, sum) in [("key: A1", "2UEL5L"), ("a1", "2uel5l")] {
            assert_eq!(checksum(before).as_deref(), Some(sum));
        }
        for text in ["", "1", "A1G7SGD8", "10a06t8", "x1b4n0q5v", "age-secret-key-1", "\u{ff}1qqqqqq"] {
            assert!(matches!(check(text.as_bytes()).outcome, Outcome::Invalid(_)), "{text}");
        }
    }
}
