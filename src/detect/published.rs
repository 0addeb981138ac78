//! Secrets that are none, because the world has them: keys in published packages and in documentation, by their fingerprints.
//!
//! `patterns/published.txt` has a line for each: the first 32 hexadecimal digits of the SHA-256 of the normalised value, a tab, and what
//! it is. Of a key in armour only the base64 characters between its lines count, however it is written; of anything else, all bytes.

use sha2::{Digest, Sha256};
use std::collections::HashMap;

const LIST: &str = include_str!("../../patterns/published.txt");

/// The published secrets, by fingerprint.
pub struct Published(HashMap<[u8; 16], &'static str>);

impl Published {
    /// The list that is built in.
    pub fn new() -> Published {
        let entry = |line: &'static str| {
            let (fingerprint, what) = line.split_once('\t')?;
            let mut key = [0; 16];
            for (byte, digits) in key.iter_mut().zip(fingerprint.as_bytes().chunks(2)) {
                *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
            }
            Some((key, what))
        };
        Published(LIST.lines().filter_map(entry).collect())
    }

    /// What `secret` is known as, if it is published.
    pub fn what(&self, secret: &[u8]) -> Option<&'static str> {
        let hash = match armoured(secret) {
            Some(body) => Sha256::digest(body),
            None => Sha256::digest(secret),
        };
        self.0.get(&hash[..16]).copied()
    }
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
        let published = Published::new();
        assert!(published.0.len() > 4000);
        assert!(published.what(format!("AKIA{}", "IOSFODNN7EXAMPLE").as_bytes()).is_some());
        assert!(published.what(b"something else").is_none());
        // A default that is in use is a finding.
        assert!(published.what(b"minioadmin").is_none() && published.what(b"my-secret-pw").is_none());
        let armour = |between: &str| format!("-----BEGIN X KEY-----{between}A: b{between}abcd{between}ef=={between}-----END X KEY-----");
        for between in ["\n", "\r\n", "\\n", "\",\n\""] {
            assert_eq!(armoured(armour(between).as_bytes()).as_deref(), Some(&b"abcdef=="[..]), "{between:?}");
        }
    }
}
