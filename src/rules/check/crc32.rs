//! CRC-32 (IEEE 802.3, reflected) behind a token's body, in one of several notations.

use super::Answer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE62_LOWER: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const BASE36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// How a token carries its sum: `crc32-DIGITS` or `crc32-DIGITS:N` in a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    digits: Digits,
    /// How many leading bytes the sum leaves out; none: all up to the last `_` of what stands before the sum.
    skip: Option<usize>,
}

/// The notation of the sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    /// Six digits `0-9A-Za-z`.
    Base62,
    /// Six digits `0-9a-zA-Z`.
    Base62Lower,
    /// Eight digits, big-endian.
    Hex,
    /// The same in upper case.
    HexUpper,
    /// Eight digits, the bytes in little-endian order.
    HexLittle,
    /// The first six characters of the base64 of the little-endian bytes.
    Base64Little,
}

/// The CRC-32 of `bytes`.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes
        .iter()
        .fold(!0u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())))
}

/// `number` in the digits of `alphabet`, most significant first, at least `width` of them.
fn in_base(mut number: u64, alphabet: &[u8], width: usize) -> String {
    let mut digits: Vec<u8> = Vec::new();
    let base = alphabet.len() as u64;
    while number > 0 || digits.len() < width {
        digits.extend(alphabet.get((number % base) as usize));
        number /= base;
    }
    digits.iter().rev().map(|digit| char::from(*digit)).collect()
}

/// `number` in base 62, `0-9A-Za-z`.
pub fn base62(number: u32, width: usize) -> String {
    in_base(number.into(), BASE62, width)
}

/// `number` in base 36, `0-9a-z`.
pub fn base36(number: u64, width: usize) -> String {
    in_base(number, BASE36, width)
}

impl Form {
    /// The form with this name, without `crc32-`.
    pub fn parse(name: &str) -> Option<Form> {
        let (digits, skip) = match name.split_once(':') {
            Some((digits, skip)) => (digits, Some(skip.parse().ok()?)),
            None => (name, None),
        };
        let digits = match digits {
            "base62" => Digits::Base62,
            "base62-lower" => Digits::Base62Lower,
            "hex" => Digits::Hex,
            "HEX" => Digits::HexUpper,
            "hex-le" => Digits::HexLittle,
            "base64-le" => Digits::Base64Little,
            _ => return None,
        };
        Some(Form { digits, skip })
    }

    /// The sum that belongs behind `before`: prefix, body, and perhaps a `_` that only separates.
    pub fn sum(self, before: &[u8]) -> Option<String> {
        let summed = before.strip_suffix(b"_").unwrap_or(before);
        let from = match self.skip {
            Some(skip) => skip,
            None => summed.iter().rposition(|b| *b == b'_')? + 1,
        };
        let crc = crc32(summed.get(from..)?);
        Some(match self.digits {
            Digits::Base62 => base62(crc, 6),
            Digits::Base62Lower => in_base(crc.into(), BASE62_LOWER, 6),
            Digits::Hex => format!("{crc:08x}"),
            Digits::HexUpper => format!("{crc:08X}"),
            Digits::HexLittle => format!("{:08x}", crc.swap_bytes()),
            Digits::Base64Little => STANDARD_NO_PAD.encode(crc.to_le_bytes()),
        })
    }

    /// Whether the token ends in its sum.
    pub fn check(self, token: &[u8]) -> Answer {
        let length = match self.digits {
            Digits::Hex | Digits::HexUpper | Digits::HexLittle => 8,
            Digits::Base62 | Digits::Base62Lower | Digits::Base64Little => 6,
        };
        let Some((before, sum)) = token.len().checked_sub(length).and_then(|cut| token.split_at_checked(cut)) else {
            return Answer::unknown();
        };
        let Some(expected) = self.sum(before) else { return Answer::unknown() };
        let fits = if length == 8 { expected.as_bytes().eq_ignore_ascii_case(sum) } else { expected.as_bytes() == sum };
        Answer::checksum(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::{Check, Outcome};

    /// A token whose last part is its sum; the prefix stands apart, so that no text here looks like a token.
    fn holds(check: &str, prefix: &str, rest: &str) -> bool {
        let check = Check::parse(check).unwrap();
        let token = format!("{prefix}{rest}");
        let outcome = check.run(token.as_bytes(), b"").outcome;
        let computed = check.checksum(&token[..token.len() - 6]).or_else(|| check.checksum(&token[..token.len() - 8]));
        assert!(computed.is_some());
        let mut wrong = token.into_bytes();
        *wrong.last_mut().unwrap() ^= 1;
        assert!(matches!(check.run(&wrong, b"").outcome, Outcome::Invalid(_)));
        matches!(outcome, Outcome::Valid(_))
    }

    #[test]
    fn known_vectors() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert!(holds("crc32-base62", "ghp_", "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"));
        assert!(holds("crc32-base62", "npm_", "qkJaB6MffYVzZXWqmcoF49yrUxP3wf0LsakP"));
        assert!(holds("crc32-base62-lower:0", "apify_api_", "NcjXcxEz2XL1irjppyWSHvjghalQOd1LXOHv"));
    }

    #[test]
    fn sums_made_elsewhere() {
        // Computed with zlib.crc32 over made-up bodies.
        let body = "Zm9vYmFyMDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u";
        for (check, prefix, rest) in VECTORS {
            assert!(holds(check, prefix, &rest.replace("BODY", body)), "{check} {prefix}");
        }
    }

    const VECTORS: [(&str, &str, &str); 9] = [
        ("crc32-base62", "vcp_", "BODY0OVC76"),
        ("crc32-base62", "salad_cloud_user_", "BODY0OVC76"),
        ("crc32-base62:0", "ddp_", "BODY44yEuq"),
        ("crc32-hex", "cfut_", "BODY1594b370"),
        ("crc32-hex", "zpka_", "BODY_1594b370"),
        ("crc32-hex:0", "cnvca", "BODY3ed3783c"),
        ("crc32-HEX:0", "ATATT3xFfGF0", "BODY=E62FB942"),
        ("crc32-hex-le:0", "glsa_", "BODY_e13aee4f"),
        ("crc32-base64-le:4", "cflt", "BODYcLOUFQ"),
    ];

    #[test]
    fn what_is_too_short_is_not_judged() {
        for name in ["crc32-base62", "crc32-hex", "crc32-hex:40", "crc32-base64-le:4"] {
            let check = Check::parse(name).unwrap();
            for token in ["", "_", "abc", "abcdefg", "______"] {
                assert!(!matches!(check.run(token.as_bytes(), b"").outcome, Outcome::Valid(_) | Outcome::Other));
            }
        }
        for name in ["crc32-", "crc32-base61", "crc32-hex:", "crc32-hex:x"] {
            assert_eq!(Check::parse(name), None);
        }
    }
}
