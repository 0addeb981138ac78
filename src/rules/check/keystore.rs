//! Keystores with private keys: JKS and JCEKS (as the JDK's `JavaKeyStore` and `JceKeyStore` write them), and PKCS#12 (RFC 7292).
//! Those that only hold certificates are truststores, and nobody's secret.

use super::{Answer, FactName};

const JKS: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
const JCEKS: [u8; 4] = [0xce, 0xce, 0xce, 0xce];
/// pkcs-12 10.1.*: the kinds of bags, in DER.
const BAGS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01";
const KEY_BAG: u8 = 1;
const SHROUDED_KEY_BAG: u8 = 2;

/// Looks for keys, and tells the kind of the store and the name of the first key.
pub fn check(value: &[u8]) -> Answer {
    match value {
        [magic @ .., _] if magic.starts_with(&JKS) => java(&value[4..], "JKS"),
        [magic @ .., _] if magic.starts_with(&JCEKS) => java(&value[4..], "JCEKS"),
        _ => pkcs12(value),
    }
}

/// The first key of a Java keystore; behind it there may be more.
fn java(rest: &[u8], kind: &str) -> Answer {
    match first_key(rest) {
        Some((what, alias)) => {
            Answer::unknown().with(FactName::Key, format!("{kind} with a {what}")).with(FactName::Id, String::from_utf8_lossy(alias))
        }
        None => Answer::other(),
    }
}

fn first_key(rest: &[u8]) -> Option<(&'static str, &[u8])> {
    let mut fields = Fields(rest);
    let version = fields.number()?;
    if !(1..=2).contains(&version) {
        return None;
    }
    for _ in 0..fields.number()? {
        let tag = fields.number()?;
        let alias = fields.text()?;
        fields.take(8)?;
        match tag {
            1 => return Some(("private key", alias)),
            2 => {
                if version == 2 {
                    fields.text()?;
                }
                let length = fields.number()?;
                fields.take(length)?;
            }
            3 => return Some(("secret key", alias)),
            _ => return None,
        }
    }
    None
}

/// Big-endian fields, as Java's `DataOutput` writes them.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<usize> {
        self.take(4)?.try_into().ok().map(|bytes| u32::from_be_bytes(bytes) as usize)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.take(2)?.try_into().ok().map(u16::from_be_bytes)?;
        self.take(usize::from(length))
    }
}

/// Version 3 of PFX, with a bag for a key. Where certificates and keys are encrypted together, nobody can tell.
fn pkcs12(value: &[u8]) -> Answer {
    let header = &value[..value.len().min(12)];
    let is_pfx = header.starts_with(b"\x30") && header.windows(4).any(|four| four == b"\x02\x01\x03\x30");
    let mut bags = memchr::memmem::find_iter(value, BAGS).filter_map(|at| value.get(at + BAGS.len()));
    match bags.find(|bag| matches!(**bag, KEY_BAG | SHROUDED_KEY_BAG)) {
        Some(&KEY_BAG) if is_pfx => Answer::valid("a private key without a password").with(FactName::Key, "PKCS#12, not encrypted"),
        Some(_) if is_pfx => Answer::unknown().with(FactName::Key, "PKCS#12 with an encrypted private key"),
        _ => Answer::other(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::Outcome;

    fn text(text: &[u8]) -> Vec<u8> {
        [&(text.len() as u16).to_be_bytes()[..], text].concat()
    }

    fn certificate(alias: &[u8]) -> Vec<u8> {
        [&[0, 0, 0, 2][..], &text(alias), &[0; 8], &text(b"X.509"), &[0, 0, 0, 3], b"abc"].concat()
    }

    fn store(magic: [u8; 4], entries: &[Vec<u8>]) -> Vec<u8> {
        [&magic[..], &[0, 0, 0, 2], &(entries.len() as u32).to_be_bytes(), &entries.concat(), &[7; 20]].concat()
    }

    #[test]
    fn java_keystores_with_and_without_keys() {
        let key = |tag: u8| [&[0, 0, 0, tag][..], &text(b"release"), &[0; 8], &[0, 0, 0, 2], b"kk"].concat();
        let with_key = store(JKS, &[certificate(b"ca"), key(1)]);
        assert_eq!(check(&with_key).fact(FactName::Key), Some("JKS with a private key"));
        assert_eq!(check(&with_key).fact(FactName::Id), Some("release"));
        assert_eq!(check(&store(JCEKS, &[key(3)])).fact(FactName::Key), Some("JCEKS with a secret key"));
        for other in
            [store(JKS, &[certificate(b"ca"), certificate(b"cb")]), store(JKS, &[]), store(JKS, &[key(9)]), with_key[..30].to_vec()]
        {
            assert_eq!(check(&other), Answer::other());
        }
    }

    #[test]
    fn pkcs12_with_and_without_keys() {
        let pfx = |bag: u8| [b"\x30\x82\x01\x00\x02\x01\x03\x30\x82\x00\xf0", BAGS, &[bag], b"rest"].concat();
        assert_eq!(check(&pfx(2)).outcome, Outcome::Unknown);
        assert!(matches!(check(&pfx(1)).outcome, Outcome::Valid(_)));
        assert_eq!(check(&pfx(3)), Answer::other());
        assert_eq!(check(BAGS), Answer::other());
    }
}
