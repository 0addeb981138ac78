//! A value that has no prefix of its own, behind the name of the service that it belongs to: `acme_api_key = "…"`,
//! `curl https://api.acme.example/?key=…`.
//!
//! Forty hexadecimal digits near a word may be a key or a commit. What stands between them tells: an assignment, a word such as
//! `token`, or nothing at all speak for a key; `sha256`, `commit` and `integrity` against it.

use super::names::words;
use super::value;
use std::ops::Range;

/// How far behind the word a value may begin, in bytes.
pub const REACH: usize = 96;
/// How far in front of the word to look for what speaks for or against a key, in bytes.
const BEFORE: usize = 32;
/// More words than these between a service's word and the value are a sentence, and what it says of a key may be anything.
const LONGEST_NAMING: usize = 8;
/// A value shorter than this needs an assignment whose name says that it is a secret.
const SHORT: usize = 16;

/// Words that say: what follows is a secret.
const CREDENTIAL: &[&str] = &[
    "key",
    "keys",
    "apikey",
    "token",
    "tokens",
    "secret",
    "secrets",
    "password",
    "passwd",
    "pass",
    "pwd",
    "auth",
    "authorization",
    "credential",
    "credentials",
    "cred",
    "creds",
    "bearer",
    "access",
    "private",
    "pat",
    "login",
    "sid",
    "sig",
    "bot",
];

/// Words that say: what follows is a digest, or names something.
const DIGEST: &[&str] = &[
    "sha",
    "md",
    "hash",
    "hashes",
    "checksum",
    "digest",
    "integrity",
    "commit",
    "commits",
    "rev",
    "revision",
    "etag",
    "fingerprint",
    "thumbprint",
    "blob",
    "tree",
    "sum",
    "crc",
    "crc32",
    "resolved",
];

/// Names of what is no secret, directly in front of a value.
const OTHER: &[&str] =
    &["id", "ids", "url", "uri", "host", "name", "version", "path", "file", "user", "username", "email", "region", "uuid"];

/// True if the word at `word` begins and ends as words do: not in the middle of another one.
pub fn stands(bytes: &[u8], word: Range<usize>) -> bool {
    let begins = word.start == 0
        || !bytes[word.start].is_ascii_alphanumeric()
        || !bytes[word.start - 1].is_ascii_alphanumeric()
        || bytes[word.start].is_ascii_uppercase() && bytes[word.start - 1].is_ascii_lowercase()
        || is_property(&bytes[..word.start]);
    // A short word may be the beginning of another: `aha`, `ahaha`.
    let ends =
        word.len() >= 6 || bytes.get(word.end).is_none_or(|next| !next.is_ascii_lowercase() || !bytes[word.end - 1].is_ascii_lowercase());
    begins && ends
}

/// `-D`, as Java and its tools take properties: `-Dsonar.login=…`.
fn is_property(before: &[u8]) -> bool {
    matches!(before, [b'-', b'D'] | [.., b' ' | b'\t' | b'\n' | b'"' | b'\'' | b'=', b'-', b'D'])
}

/// What speaks for a secret at `value`, behind the word at `word`: `Some(true)` if it does, `Some(false)` if little does; `None` if
/// it is something else.
pub fn judge(bytes: &[u8], word: Range<usize>, value: Range<usize>) -> Option<bool> {
    if !alone(bytes, &value) && !joined(bytes, word.start, &value) {
        return None;
    }
    let gap = &bytes[word.end..value.start];
    let between = words(gap);
    let is = |list: &[&str], word: &String| list.contains(&&word[..]);
    if between.iter().any(|word| is(DIGEST, word)) {
        return None;
    }
    let before = words(&bytes[word.start.saturating_sub(BEFORE)..word.start]);
    let credential = |word: &String| is_credential(word);
    if between.len() > LONGEST_NAMING || is_identifier(&bytes[value.clone()]) {
        return Some(false);
    }
    let named = between.iter().chain(&before).any(credential);
    if value.len() < SHORT {
        let assigned = gap.iter().any(|b| b"=:".contains(b));
        return (between.iter().any(credential) && assigned).then_some(true);
    }
    if between.last().is_some_and(|last| is(OTHER, last)) {
        return Some(false);
    }
    let direct = between.iter().all(|word| word == "api") && !gap.contains(&b'\n') && gap.last().is_none_or(|last| *last != b'/');
    Some(named || direct)
}

fn is_credential(word: &str) -> bool {
    CREDENTIAL.contains(&word) || ["key", "token", "secret"].iter().any(|end| word.ends_with(end))
}

/// True if a dash joins the value to a name that says what it is: `acme-token-4f2a…`.
fn joined(bytes: &[u8], name: usize, value: &Range<usize>) -> bool {
    let dashed = value.start > name && bytes[value.start - 1] == b'-';
    dashed && ends(bytes, value.end) && words(&bytes[name..value.start]).last().is_some_and(|last| is_credential(last))
}

/// Letters of both cases and no digit, where one in a hundred random values has none.
fn is_identifier(value: &[u8]) -> bool {
    value.len() >= 26
        && value.iter().all(u8::is_ascii_alphabetic)
        && value.iter().any(u8::is_ascii_lowercase)
        && value.iter().any(u8::is_ascii_uppercase)
}

/// True if the value continues no longer one, and is no part of a file's name or of a reference to a commit.
fn alone(bytes: &[u8], value: &Range<usize>) -> bool {
    let left = value.start.checked_sub(1).and_then(|at| bytes.get(at)).is_none_or(|b| (!is_part(*b) || *b == b'?') && !b"@#".contains(b));
    let escaped = value::begins_alone(bytes, value.start) && bytes[..value.start].ends_with(b"\\n");
    (left || escaped) && ends(bytes, value.end)
}

fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_+-?".contains(&byte)
}

/// True if a value that ends at `end` does not go on.
fn ends(bytes: &[u8], end: usize) -> bool {
    match &bytes[end..] {
        [b'.', next, ..] => !next.is_ascii_alphanumeric(),
        [b'=', ..] => false,
        [next, ..] => !is_part(*next),
        [] => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, word: &str, value: &str) -> Option<bool> {
        let at = text.find(word).expect("the word");
        let from = text.rfind(value).expect("the value");
        let bytes = text.as_bytes();
        stands(bytes, at..at + word.len()).then(|| judge(bytes, at..at + word.len(), from..from + value.len()))?
    }

    #[test]
    fn what_speaks_for_a_key() {
        let value = "0123456789abcdef01234567";
        for text in [
            "acme_key = \"{}\"",
            "acme: {}",
            "Sending to acme API\n  Using Key={}",
            "https://api.acme.example/?apikey={}&x=1",
            "acmeToken={}",
            "acme-apikey-{}",
            "acmeSECRET-{}",
            "acme-api: {}",
            "mvn -Dacme.login={}",
        ] {
            assert_eq!(place(&text.replace("{}", value), "acme", value), Some(true), "{text}");
        }
        for text in [
            "the acme key of which this page tells all that there is to know is not {}",
            "acme was built from {}",
            "acme_client_id={}",
            "acme\n{}",
        ] {
            assert_eq!(place(&text.replace("{}", value), "acme", value), Some(false), "{text}");
        }
        for text in ["acme sha256:{}", "acme/commit/{}", "acme@{}", "key acme {}.png", "acme_key={}00", "acme_key={}=", "acme_key='{}?x'"] {
            assert_eq!(place(&text.replace("{}", value), "acme", value), None, "{text}");
        }
    }

    #[test]
    fn short_values_need_an_assignment() {
        assert_eq!(place("acme_key=12345678", "acme", "12345678"), Some(true));
        assert_eq!(place("acme 12345678", "acme", "12345678"), None);
        assert_eq!(place("acme=12345678", "acme", "12345678"), None);
    }

    #[test]
    fn words_are_whole() {
        for (text, word, expected) in
            [("pacme", "acme", false), ("myAcmeKey", "Acme", true), ("ahaha", "aha", false), ("AHA_KEY", "AHA", true)]
        {
            let at = text.find(word).expect("the word");
            assert_eq!(stands(text.as_bytes(), at..at + word.len()), expected, "{text}");
        }
    }
}
