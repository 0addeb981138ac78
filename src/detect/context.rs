//! What stands around a secret on its line: for whoever has to find it again in a source file.
//!
//! It is made while the text is at hand, and the secret itself never enters it. Of what else may be secret there, nothing is left either:
//! runs of key-like bytes are struck out whether or not a rule knows them, and where the line is cut, it is cut between words.

use crate::secret::Secret;
use crate::text::{exact, sanitise};

/// Bytes in front of a secret, and behind it, that are shown at most.
const BEFORE: usize = 100;
const BEHIND: usize = 60;
/// A run of so many bytes that keys are made of is struck out.
const RUN: usize = 16;
const STRUCK: &str = "****";

/// The line of the secret at `offset` of `text`, with what may be shown of it. None where the text has something else there: what is
/// encoded has no line of its own.
pub fn context(text: &[u8], offset: usize, secret: &Secret) -> Option<Box<str>> {
    let end = offset.checked_add(secret.len())?;
    if text.get(offset..end)? != secret.reveal() {
        return None;
    }
    let (before, behind) = (&text[..offset], &text[end..]);
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r' | 0);
    let near = &before[before.len().saturating_sub(BEFORE)..];
    let (left, cut_left) = match near.iter().rposition(is_end) {
        Some(at) => (&near[at + 1..], false),
        None if near.len() == before.len() => (near, false),
        None => (near.iter().position(u8::is_ascii_whitespace).map_or(&near[near.len()..], |at| &near[at..]), true),
    };
    let near = &behind[..behind.len().min(BEHIND)];
    let (right, cut_right) = match near.iter().position(is_end) {
        Some(at) => (&near[..at], false),
        None if near.len() == behind.len() => (near, false),
        None => (near.iter().rposition(u8::is_ascii_whitespace).map_or(&near[..0], |at| &near[..at]), true),
    };
    let line = format!(
        "{}{}{}{}{}",
        if cut_left { "… " } else { "" },
        struck(left.trim_ascii_start()),
        secret.redacted(),
        struck(right.trim_ascii_end()),
        if cut_right { " …" } else { "" }
    );
    Some(line.into())
}

/// The text without long runs of what keys are made of, and without words that look like passwords.
fn struck(text: &[u8]) -> String {
    let text: String = sanitise(&exact(text)).split_inclusive([' ', '"', '\'', '=', ',', ';']).map(without_password).collect();
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    let end_run = |run: &mut String, out: &mut String| {
        // Words are no keys: an identifier may be long.
        let mixed = run.bytes().any(|b| b.is_ascii_digit())
            || run.bytes().any(|b| b.is_ascii_uppercase()) && run.bytes().any(|b| b.is_ascii_lowercase());
        out.push_str(if run.len() >= RUN && mixed { STRUCK } else { run });
        run.clear();
    };
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || "+/_-".contains(c) {
            run.push(c);
        } else {
            end_run(&mut run, &mut out);
            out.push(c);
        }
    }
    end_run(&mut run, &mut out);
    out
}

/// A word (with what ends it) of letters, digits and signs that only passwords have together.
fn without_password(word: &str) -> String {
    let bare = word.trim_end_matches([' ', '"', '\'', '=', ',', ';']);
    let has = |test: fn(&u8) -> bool| bare.bytes().any(|b| test(&b));
    let password = bare.len() >= 8 && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && has(|b| b"@!$#%^&*".contains(b));
    if password { format!("{STRUCK}{}", &word[bare.len()..]) } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, secret: &str) -> Option<String> {
        let at = text.find(secret).expect("it is there");
        context(text.as_bytes(), at, &Secret::new(secret.as_bytes(), 0)).map(String::from)
    }

    #[test]
    fn a_line_without_its_secret() {
        assert_eq!(of("a\n  password = hunter2 # old\nb", "hunter2").as_deref(), Some("password = ******** # old"));
        assert_eq!(of("hunter2", "hunter2").as_deref(), Some("********"));
        assert_eq!(context(b"something else", 3, &Secret::new(b"hunter2", 0)), None);
        assert_eq!(context(b"hun", 0, &Secret::new(b"hunter2", 0)), None);
    }

    #[test]
    fn nothing_that_looks_like_another_key_is_left() {
        let other = ["Zx9kQ1Lw2p", "T5rBnM4cD8"].concat();
        let line = format!("key={other} password=hunter2 {other}{other}");
        assert_eq!(of(&line, "hunter2").as_deref(), Some("key=**** password=******** ****"));
        assert_eq!(of("-u root -p hunter2 --ssl P@ss.w0rd$2024;x", "hunter2").as_deref(), Some("-u root -p ******** --ssl ****;x"));
        // Where the line is cut, no end of a value is left, however it is written.
        let long = format!("{} password=hunter2 {}", "abc1def2 ".repeat(40), "abc1def2 ".repeat(40));
        let told = of(&long, "hunter2").expect("a line");
        assert!(told.starts_with("… ") && told.ends_with(" …") && told.len() < 200, "{told}");
        assert_eq!(of(&format!("{}hunter2", "x1".repeat(200)), "hunter2").as_deref(), Some("… ********"));
    }

    #[test]
    fn it_cannot_move_a_cursor() {
        assert_eq!(of("\u{1b}[31m password=hunter2\u{202e}", "hunter2").as_deref(), Some("\\x1b[31m password=********\\u{202e}"));
    }
}
