//! OpenSSH's own private keys (openssh: `PROTOCOL.key`), and those of Tectia's SSH2.

use super::der::bits;
use super::{Answer, FactName};

/// What begins a key in OpenSSH's form.
pub const MAGIC: &[u8] = b"openssh-key-v1\0";
/// What begins a key in Tectia's form.
pub const TECTIA: &[u8] = b"\x3f\x6f\xf9\xeb";

/// Takes a big-endian number of 32 bits.
fn number(bytes: &mut &[u8]) -> Option<u32> {
    let (first, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_be_bytes(*first))
}

/// Takes a string: a length and so many bytes.
pub fn string<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut rest = *bytes;
    let length = usize::try_from(number(&mut rest)?).ok()?;
    let (first, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some(first)
}

/// The name of a public key, with its size where it is one of several.
pub fn public(mut blob: &[u8]) -> Option<String> {
    let kind = String::from_utf8_lossy(string(&mut blob)?);
    Some(match &*kind {
        "ssh-rsa" => {
            string(&mut blob)?;
            format!("RSA {} bit", bits(string(&mut blob)?))
        }
        "ssh-dss" => format!("DSA {} bit", bits(string(&mut blob)?)),
        "ssh-ed25519" => "Ed25519".to_owned(),
        "ecdsa-sha2-nistp256" => "EC P-256".to_owned(),
        "ecdsa-sha2-nistp384" => "EC P-384".to_owned(),
        "ecdsa-sha2-nistp521" => "EC P-521".to_owned(),
        _ => kind.into_owned(),
    })
}

/// How the decoded armour of an OpenSSH key looks.
pub fn check(key: &[u8]) -> Answer {
    let Some(parts) = key.strip_prefix(MAGIC).and_then(parts) else { return Answer::invalid("the OpenSSH key does not parse") };
    let (cipher, kdf, name, mut private) = parts;
    if cipher != "none" {
        return Answer::invalid("encrypted with a passphrase").with(FactName::Key, format!("{name}, encrypted ({cipher}, {kdf})"));
    }
    // Two equal numbers show that the private part is readable.
    let checks = number(&mut private).zip(number(&mut private));
    if checks.is_none_or(|(first, second)| first != second) {
        return Answer::invalid("the OpenSSH key's check numbers differ").with(FactName::Key, name);
    }
    let answer = Answer::valid("an OpenSSH private key without a passphrase").with(FactName::Key, name);
    answer.with_some(FactName::Comment, comment(private))
}

/// Cipher, key derivation, kind of key, private part.
fn parts(mut rest: &[u8]) -> Option<(String, String, String, &[u8])> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).into_owned();
    let cipher = text(string(&mut rest)?);
    let kdf = text(string(&mut rest)?);
    string(&mut rest)?;
    if number(&mut rest)? == 0 {
        return None;
    }
    let name = public(string(&mut rest)?)?;
    Some((cipher, kdf, name, string(&mut rest)?))
}

/// The comment that follows the numbers of a private key.
fn comment(mut private: &[u8]) -> Option<String> {
    let numbers = match string(&mut private)? {
        b"ssh-rsa" => 6,
        b"ssh-dss" => 5,
        b"ssh-ed25519" => 2,
        kind if kind.starts_with(b"ecdsa-sha2-nistp") => 3,
        _ => return None,
    };
    for _ in 0..numbers {
        string(&mut private)?;
    }
    let comment = string(&mut private)?;
    comment.iter().all(|b| (0x20..0x7f).contains(b)).then(|| String::from_utf8_lossy(comment).into_owned())
}

/// A key of Tectia: kind and cipher.
pub fn tectia(key: &[u8]) -> Answer {
    let Some(mut rest) = key.strip_prefix(TECTIA) else { return Answer::invalid("the SSH2 key does not parse") };
    let (_, kind, cipher) = (number(&mut rest), string(&mut rest), string(&mut rest));
    match (kind, cipher) {
        (Some(kind), Some(b"none")) => Answer::valid("an SSH2 private key without a passphrase").with(FactName::Key, tectia_name(kind)),
        (Some(kind), Some(cipher)) => {
            let name = format!("{}, encrypted ({})", tectia_name(kind), String::from_utf8_lossy(cipher));
            Answer::invalid("encrypted with a passphrase").with(FactName::Key, name)
        }
        _ => Answer::invalid("the SSH2 key does not parse"),
    }
}

fn tectia_name(kind: &[u8]) -> String {
    let kind = String::from_utf8_lossy(&kind[..kind.len().min(64)]).into_owned();
    kind.split('{').next().map(str::to_owned).unwrap_or(kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::{Outcome, fake};

    #[test]
    fn clear_and_encrypted() {
        let key = fake::openssh(&[7; 64]);
        let answer = check(&key);
        assert!(matches!(answer.outcome, Outcome::Valid(_)));
        assert_eq!([FactName::Key, FactName::Comment].map(|name| answer.fact(name)), [Some("Ed25519"), Some("ci@build.example")]);
        let mut wrong = key.clone();
        wrong[MAGIC.len() + 8 + 8 + 4 + 4 + 4 + 51 + 4] ^= 1;
        assert_eq!(check(&wrong).outcome, Outcome::Invalid("the OpenSSH key's check numbers differ"));
        let encrypted = [MAGIC, b"\0\0\0\x0aaes256-ctr\0\0\0\x06bcrypt\0\0\0\0\0\0\0\x01", &key[MAGIC.len() + 8 + 8 + 4 + 4..]].concat();
        let answer = check(&encrypted);
        assert_eq!(answer.outcome, Outcome::Invalid("encrypted with a passphrase"));
        assert_eq!(answer.fact(FactName::Key), Some("Ed25519, encrypted (aes256-ctr, bcrypt)"));
        for cut in 0..key.len() {
            assert!(matches!(check(&key[..cut]).outcome, Outcome::Invalid(_)));
        }
    }

    #[test]
    fn keys_of_tectia() {
        let kind = b"if-modn{sign{rsa-pkcs1-sha1},encrypt{rsa-pkcs1v2-oaep}}";
        let key = |cipher: &[u8]| [TECTIA, b"\0\0\x01\0\0\0\0\x37", &kind[..], &[0, 0, 0, cipher.len() as u8], cipher].concat();
        assert!(matches!(tectia(&key(b"none")).outcome, Outcome::Valid(_)));
        assert_eq!(tectia(&key(b"3des-cbc")).fact(FactName::Key), Some("if-modn, encrypted (3des-cbc)"));
        assert!(matches!(tectia(b"").outcome, Outcome::Invalid(_)));
    }
}
