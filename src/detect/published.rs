//! Secrets that are none, because the world has them: keys in published packages and in documentation, by their fingerprints.
//!
//! `patterns/published.txt` has a line for each: the first 32 hexadecimal digits of the SHA-256 of the normalised value, a tab, and what
//! it is. Of a key in armour only the base64 characters between its lines count, however it is written; of anything else, all bytes.

use crate::digest::Digest;
use std::cmp::Ordering;

/// Sorted by fingerprint.
const LIST: &[u8] = include_bytes!("../../patterns/published.txt");

/// What `secret` is known as, if it is published.
pub fn what(secret: &[u8]) -> Option<&'static str> {
    find(&Digest::sha256(armoured(secret).as_deref().unwrap_or(secret)).encoded())
}

fn find(digest: &str) -> Option<&'static str> {
    let (mut from, mut to) = (0, LIST.len());
    while from < to {
        let middle = from.midpoint(to);
        let start = memchr::memrchr(b'\n', &LIST[..middle]).map_or(0, |at| at + 1);
        let end = memchr::memchr(b'\n', &LIST[start..]).map_or(LIST.len(), |at| start + at);
        let (fingerprint, what) = std::str::from_utf8(&LIST[start..end]).ok()?.split_once('\t')?;
        match digest.get(..fingerprint.len())?.cmp(fingerprint) {
            Ordering::Less => to = start,
            Ordering::Greater => from = end + 1,
            Ordering::Equal => return Some(what),
        }
    }
    None
}

/// The base64 characters of a key in armour, without its headers, line ends and what a string of a program puts between lines.
fn armoured(secret: &[u8]) -> Option<Vec<u8>> {
    let text = secret.strip_prefix(b"-----BEGIN ")?;
    let begin = memchr::memmem::find(text, b"-----")? + 5;
    let end = begin + memchr::memmem::find(&text[begin..], b"-----END")?;
    let body = String::from_utf8_lossy(&text[begin..end]).replace("\\r", "\n").replace("\\n", "\n");
    let lines = body.lines().filter(|line| !line.contains(':'));
    Some(lines.flat_map(str::bytes).filter(|b| b.is_ascii_alphanumeric() || b"+/=".contains(b)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_secrets_are_known_however_they_are_written() {
        let fingerprints: Vec<&[u8]> = LIST.split(|b| *b == b'\n').filter_map(|line| line.get(..32)).collect();
        assert!(fingerprints.len() > 4000 && fingerprints.is_sorted());
        assert!(fingerprints.iter().all(|digits| find(&String::from_utf8_lossy(digits)).is_some()));
        assert!(what(format!("AKIA{}", "IOSFODNN7EXAMPLE").as_bytes()).is_some());
        assert!(what(b"something else").is_none());
        // A default that is in use is a finding.
        assert!(what(b"minioadmin").is_none() && what(b"my-secret-pw").is_none());
        let armour = |between: &str| format!("-----BEGIN X KEY-----{between}A: b{between}abcd{between}ef=={between}-----END X KEY-----");
        for between in ["\n", "\r\n", "\\n", "\",\n\""] {
            assert_eq!(armoured(armour(between).as_bytes()).as_deref(), Some(&b"abcdef=="[..]), "{between:?}");
        }
    }
}
