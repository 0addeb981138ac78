//! A secret value, and what may be shown of it.

use crate::text::percent_decode;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD as STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD};
use std::fmt;

/// The bytes of a secret. `Debug` and `Display` redact; [`Secret::reveal`] is the only way to the value.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Secret {
    bytes: Box<[u8]>,
    /// How many leading bytes are public knowledge: a provider's prefix.
    public: u8,
    /// It is another value, encoded, which is too short to be shown.
    hidden: bool,
}

/// Key of the hash of values.
const HASH_KEY: &str = "pentimento secret hash v1";
/// Values shorter than this are not shown at all.
const SHOWN_FROM: usize = 12;
/// Redaction draws at most this many stars, so that a private key is one line.
const MOST_STARS: usize = 24;

impl Secret {
    /// A secret whose first `public` bytes are a provider's prefix.
    pub fn new(bytes: &[u8], public: usize) -> Secret {
        Secret { bytes: bytes.into(), public: u8::try_from(public.min(bytes.len())).unwrap_or(0), hidden: false }
    }

    /// What is written where `secret` is encoded. Its end is that of the secret: of a short one it is not shown either.
    pub fn encoding(bytes: &[u8], secret: &Secret) -> Secret {
        Secret { hidden: secret.is_short(), ..Secret::new(bytes, 0) }
    }

    /// So little that nothing of it is shown, or such a value in another coding.
    fn is_short(&self) -> bool {
        self.hidden || self.len() < SHOWN_FROM || decoded(&self.bytes).is_some_and(|length| length < SHOWN_FROM)
    }

    /// The value itself.
    pub fn reveal(&self) -> &[u8] {
        &self.bytes
    }

    /// The value as text: invalid UTF-8 as `\xHH`.
    pub fn reveal_text(&self) -> String {
        crate::text::exact(&self.bytes)
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True for the empty value, which no rule reports.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// A hash by which the value can be named: the same wherever it stands. Its key is public: it is for comparing and not for hiding, and
    /// who guesses a value can check the guess. 32 hexadecimal digits.
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new_derive_key(HASH_KEY);
        hasher.update(&self.bytes);
        crate::digest::hex(&hasher.finalize().as_bytes()[..16])
    }

    /// What may be shown: nothing of a value under 12 bytes, also where it is encoded, otherwise the public prefix and at most the last 4
    /// bytes, never more than a quarter of what is not public.
    pub fn redacted(&self) -> String {
        if self.is_short() {
            return "*".repeat(8);
        }
        let public = usize::from(self.public);
        let tail = 4.min((self.len() - public) / 4);
        let shown = |part: &[u8]| part.iter().all(u8::is_ascii_graphic).then(|| String::from_utf8_lossy(part).into_owned());
        let head = shown(&self.bytes[..public]).unwrap_or_default();
        let tail = shown(&self.bytes[self.len() - tail..]).unwrap_or_default();
        let stars = (self.len() - head.len() - tail.len()).min(MOST_STARS);
        format!("{head}{}{tail}", "*".repeat(stars))
    }
}

/// How long the text is that `bytes` are in escapes of URIs, hexadecimal digits or base64, if they look like that: what documents and tools
/// hand out as a value may be one of a few characters.
fn decoded(bytes: &[u8]) -> Option<usize> {
    // No longer one is of interest: an escape takes three bytes.
    if bytes.len() >= 3 * SHOWN_FROM {
        return None;
    }
    let plain = percent_decode(bytes);
    if plain.len() < bytes.len() {
        return Some(plain.len());
    }
    if bytes.iter().all(u8::is_ascii_hexdigit) {
        return Some(bytes.len() / 2);
    }
    let digits = &bytes[..bytes.iter().rposition(|b| *b != b'=').map_or(0, |last| last + 1)];
    let text = STANDARD_NO_PAD.decode(digits).or_else(|_| URL_SAFE_NO_PAD.decode(digits)).ok()?;
    // Padding says that it is base64, and so does a text that comes out: of random digits none does.
    let is_text = text.iter().all(|b| matches!(b, b' '..=b'~' | b'\n' | b'\r' | b'\t'));
    (is_text || digits.len() < bytes.len()).then_some(text.trim_ascii_end().len())
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redaction_shows_the_prefix_and_a_little_of_the_end() {
        assert_eq!(Secret::new(b"hunter2", 0).redacted(), "********");
        assert_eq!(Secret::new(format!("{}{}WXYZ", "AKIA", "Q".repeat(12)).as_bytes(), 4).redacted(), "AKIA************WXYZ");
        assert_eq!(Secret::new(b"abcdefghijkl", 0).redacted(), "*********jkl");
        assert_eq!(Secret::new(&[b'x'; 4000], 0).redacted().len(), 28);
        assert_eq!(format!("{:?}", Secret::new(b"hunter2", 0)), "********");
    }

    #[test]
    fn nothing_of_a_short_value_is_shown_in_any_coding() {
        let stars = "*".repeat(8);
        let base64 = |text: &str| base64::prelude::BASE64_STANDARD.encode(text);
        for value in [
            base64("hunter2ab"),
            base64("hunter2abcd"),
            base64("hunter2abcd\n"),
            crate::digest::hex(b"hunter2"),
            base64("hunter2-ü"),
            "hunter%402%61b".to_owned(),
        ] {
            assert_eq!(Secret::new(value.as_bytes(), 0).redacted(), stars, "{value}");
        }
        let short = Secret::new(b"hunter2ab", 0);
        assert_eq!(Secret::encoding(b"h\0u\0n\0t\0e\0r\x002\0a\0b\0", &short).redacted(), stars);
        assert_eq!(Secret::encoding(b"%68%75%6E%74%65%72%32%61%62", &Secret::encoding(b"aHVudGVyMmFi", &short)).redacted(), stars);
        assert_eq!(Secret::new(base64("Zw8Kp9xQ2mZ7").as_bytes(), 0).redacted(), "************bVo3");
        let long = Secret::new(b"hunter2hunter2", 0);
        assert_eq!(Secret::encoding(base64("hunter2hunter2").as_bytes(), &long).redacted(), "****************cjI=");
    }

    #[test]
    fn the_hash_is_of_the_value_alone() {
        let hash = Secret::new(b"hunter2", 0).hash();
        assert_eq!((hash.len(), &hash), (32, &Secret::new(b"hunter2", 3).hash()));
        assert_ne!(hash, Secret::new(b"hunter3", 0).hash());
    }
}
