//! OpenPGP's private keys (RFC 9580, RFC 4880): the armour's CRC-24, and the packets.

use super::fact::time;
use super::{Answer, FactName, decode_lenient};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const SECRET_KEY: u8 = 5;
const USER_ID: u8 = 13;

/// The armour's sum: CRC-24 with the polynomial 0x864CFB.
fn crc24(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 0x80_0000 == 0 { crc << 1 } else { crc << 1 ^ 0x186_4cfb };
    bytes.iter().fold(0xb7_04ce, |crc, byte| (0..8).fold(crc ^ u32::from(*byte) << 16, step)) & 0xff_ffff
}

/// The base64 between the armour's headers and its sum or end; and the sum.
fn body(text: &str) -> (String, Option<&str>) {
    let mut body = String::new();
    for line in text.split("PRIVATE KEY BLOCK").nth(1).unwrap_or_default().lines().skip(1).map(str::trim) {
        if line.starts_with("---") {
            break;
        }
        if let Some(sum) = line.strip_prefix('=').filter(|sum| sum.len() == 4) {
            return (body, Some(sum));
        }
        if !line.contains(": ") {
            body.extend(line.chars().filter(|c| c.is_ascii_alphanumeric() || "+/=".contains(*c)));
        }
    }
    (body, None)
}

/// The sum that belongs behind the `=` with which `before` ends.
pub fn checksum(before: &str) -> Option<String> {
    let at = before.rfind("BEGIN PGP PRIVATE KEY BLOCK")?;
    let (body, _) = body(before[at..].strip_suffix('=')?);
    Some(STANDARD.encode(&crc24(&decode_lenient(body.as_bytes())?).to_be_bytes()[1..]))
}

/// The sum fits if there is one; the first packet is a secret key.
pub fn check(text: &str) -> Answer {
    let (body, sum) = body(text);
    let Some(bytes) = decode_lenient(body.as_bytes()) else { return Answer::invalid("the armour's base64 does not decode") };
    if sum.is_some_and(|sum| STANDARD.encode(&crc24(&bytes).to_be_bytes()[1..]) != sum) {
        return Answer::invalid("the armour's checksum does not fit");
    }
    let mut rest = &bytes[..];
    let key = packet(&mut rest).filter(|(tag, _)| *tag == SECRET_KEY).and_then(|(_, packet)| secret_key(packet));
    let Some(key) = key else {
        return if sum.is_some() { Answer::valid("checksum valid") } else { Answer::invalid("the first packet is no secret key") };
    };
    let mut answer = if key.encrypted {
        Answer::invalid("encrypted with a passphrase").with(FactName::Key, format!("{}, encrypted", key.name))
    } else {
        Answer::valid("an OpenPGP private key without a passphrase").with(FactName::Key, key.name)
    };
    answer = answer.with_some(FactName::Issued, time(key.created.into()));
    while let Some((tag, content)) = packet(&mut rest) {
        if tag == USER_ID {
            return answer.with(FactName::User, String::from_utf8_lossy(&content[..content.len().min(256)]));
        }
    }
    answer
}

/// Tag and content of the next packet; parts and indeterminate lengths do not occur in keys.
fn packet<'a>(bytes: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (head, rest) = bytes.split_first()?;
    let (tag, octets) = match head {
        0xc0.. => (head & 0x3f, None),
        0x80..=0xbf if head & 3 < 3 => (head >> 2 & 15, Some(1usize << (head & 3))),
        _ => return None,
    };
    let big_endian = |digits: &[u8]| digits.iter().fold(0usize, |length, digit| length << 8 | usize::from(*digit));
    let (length, rest) = match (octets, rest) {
        (Some(octets), _) => rest.split_at_checked(octets).map(|(digits, rest)| (big_endian(digits), rest))?,
        (None, [first @ 0..=191, rest @ ..]) => (usize::from(*first), rest),
        (None, [first @ 192..=223, second, rest @ ..]) => ((usize::from(*first) - 192) * 256 + usize::from(*second) + 192, rest),
        (None, [255, rest @ ..]) => rest.split_at_checked(4).map(|(digits, rest)| (big_endian(digits), rest))?,
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some((tag, content))
}

struct SecretKey {
    name: String,
    created: u32,
    encrypted: bool,
}

/// Version, time, algorithm, the public numbers, and then a byte that is zero where the rest is not encrypted.
fn secret_key(packet: &[u8]) -> Option<SecretKey> {
    let [version @ 4..=6, a, b, c, d, algorithm, rest @ ..] = packet else { return None };
    // From version 5 on the length of the public numbers stands before them.
    let mut rest = if *version == 4 { rest } else { rest.get(4..)? };
    let first = number(rest).map_or(0, |(bits, _)| bits);
    let (name, fixed, numbers) = match algorithm {
        1..=3 => (format!("RSA {first} bit"), 0, 2),
        16 => (format!("Elgamal {first} bit"), 0, 3),
        17 => (format!("DSA {first} bit"), 0, 4),
        18 => ("ECDH".to_owned(), 1 + usize::from(*rest.first()?), 1),
        19 => ("ECDSA".to_owned(), 1 + usize::from(*rest.first()?), 1),
        22 => ("EdDSA".to_owned(), 1 + usize::from(*rest.first()?), 1),
        25 => ("X25519".to_owned(), 32, 0),
        26 => ("X448".to_owned(), 56, 0),
        27 => ("Ed25519".to_owned(), 32, 0),
        28 => ("Ed448".to_owned(), 57, 0),
        _ => return None,
    };
    rest = rest.get(fixed..)?;
    for _ in 0..numbers {
        rest = number(rest)?.1;
    }
    Some(SecretKey { name, created: u32::from_be_bytes([*a, *b, *c, *d]), encrypted: *rest.first()? != 0 })
}

/// The bits of a number and what follows it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let [high, low, rest @ ..] = bytes else { return None };
    let bits = usize::from(*high) << 8 | usize::from(*low);
    Some((bits, rest.get(bits.div_ceil(8)..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::Outcome;

    fn armour(bytes: &[u8], sum: bool) -> String {
        let dash = "-".repeat(5);
        let begin = format!("{dash}BEGIN PGP PRIVATE KEY BLOCK{dash}\nVersion: x\n\n{}\n", STANDARD.encode(bytes));
        let sum = if sum { format!("={}\n", checksum(&format!("{begin}=")).unwrap()) } else { String::new() };
        format!("{begin}{sum}{dash}END PGP PRIVATE KEY BLOCK{dash}")
    }

    /// An EdDSA key, and a user.
    fn key(usage: u8) -> Vec<u8> {
        let numbers = [b"\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01\x01\x07\x40".as_slice(), &[9; 32], &[usage], &[8; 36]].concat();
        let packet = [&[4, 0x69, 0x73, 0x56, 0x7d, 22][..], &numbers].concat();
        [&[0x94, packet.len() as u8][..], &packet, b"\xb4\x08ci <a@b>"].concat()
    }

    #[test]
    fn sums() {
        assert_eq!(crc24(b"123456789"), 0x21_cf02);
        let text = armour(&key(0), true);
        assert!(matches!(check(&text).outcome, Outcome::Valid(_)));
        let at = text.rfind("\n=").unwrap() + 2;
        let mut wrong = text.clone();
        wrong.replace_range(at..=at, if text[at..].starts_with('A') { "B" } else { "A" });
        assert_eq!(check(&wrong).outcome, Outcome::Invalid("the armour's checksum does not fit"));
        assert!(matches!(check(&armour(&[7; 40], true)).outcome, Outcome::Valid(_)));
        assert!(matches!(check(&armour(&[7; 40], false)).outcome, Outcome::Invalid(_)));
    }

    #[test]
    fn packets() {
        let answer = check(&armour(&key(0), false));
        let facts = [FactName::Key, FactName::Issued, FactName::User].map(|name| answer.fact(name).unwrap());
        assert_eq!(facts, ["EdDSA", "2026-01-23T11:07:41Z", "ci <a@b>"]);
        let answer = check(&armour(&key(254), true));
        assert_eq!(answer.outcome, Outcome::Invalid("encrypted with a passphrase"));
        let whole = key(0);
        for cut in 0..whole.len() {
            check(&armour(&whole[..cut], false));
        }
        let rsa = [b"\xc5\x16\x04\0\0\0\0\x01\x00\x10\xff\xff\x00\x11\x01\x00\x01\x00".as_slice(), &[1; 20]].concat();
        assert_eq!(check(&armour(&rsa, false)).fact(FactName::Key), Some("RSA 16 bit"));
    }
}
