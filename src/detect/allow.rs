//! `pentimento:allow`: whoever keeps a file says on the line of a value that it is known and may stay.
//!
//! Whoever made the image can write that too. So what is allowed stays a match, is counted, and can be shown.

use std::ops::Range;

const MARK: &[u8] = b"pentimento:allow";
/// How far from the value its line is looked at, in bytes: a line may be as long as its file.
pub const REACH: usize = 1024;

/// True if the first or the last line of `value` allows what the rule `id` finds there.
pub fn allows(bytes: &[u8], value: Range<usize>, id: &str) -> bool {
    let text = bytes[value.clone()].trim_ascii_end();
    let start = value.start;
    let Range { start: begins, end: ends } = lines(bytes, start..start + text.len());
    match (memchr::memchr(b'\n', text), memchr::memrchr(b'\n', text)) {
        (Some(first), Some(last)) => marks(&bytes[begins..start + first], id) || marks(&bytes[start + last + 1..ends], id),
        _ => marks(&bytes[begins..ends], id),
    }
}

/// The lines that a part of a text stands on, as far as they are looked at.
pub fn lines(bytes: &[u8], part: Range<usize>) -> Range<usize> {
    let from = part.start.saturating_sub(REACH);
    let to = (part.end + REACH).min(bytes.len());
    let begins = memchr::memrchr(b'\n', &bytes[from..part.start]).map_or(from, |at| from + at + 1);
    begins..memchr::memchr(b'\n', &bytes[part.end..to]).map_or(to, |at| part.end + at)
}

/// True if `line` holds the mark, and behind it nothing that names rules, or this rule among them.
fn marks(line: &[u8], id: &str) -> bool {
    memchr::memmem::find_iter(line, MARK).any(|at| {
        let rest = &line[at + MARK.len()..];
        if rest.first().is_some_and(|b| in_id(*b)) {
            return false;
        }
        let rest = rest.trim_ascii_start();
        !rest.first().is_some_and(u8::is_ascii_alphanumeric) || names(rest, id)
    })
}

/// True if `id` is in the list that `text` begins with. What follows a word without a comma is no part of the list.
fn names(text: &[u8], id: &str) -> bool {
    for item in text.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
        let length = item.iter().take_while(|b| in_id(**b)).count();
        if item[..length].strip_suffix(b".").unwrap_or(&item[..length]) == id.as_bytes() {
            return true;
        }
        if length < item.len() {
            return false;
        }
    }
    false
}

fn in_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(text: &str) -> bool {
        let at = text.find("VALUE").expect("the value");
        let end = text.rfind("VALUE").expect("the value") + 5;
        allows(text.as_bytes(), at..end, "acme-token")
    }

    #[test]
    fn a_mark_on_the_line_of_the_value() {
        for text in [
            "x\nkey=VALUE # pentimento:allow\ny",
            "/* pentimento:allow */ key=VALUE",
            "<!-- pentimento:allow --> VALUE",
            "key=VALUE // pentimento:allow: test data",
            "key=VALUE # pentimento:allow acme-token",
            "key=VALUE # pentimento:allow other-token, acme-token: test data",
            "VALUE # pentimento:allow\nmiddle\nVALUE",
            "VALUE\nmiddle\nVALUE # pentimento:allow",
        ] {
            assert!(allowed(text), "{text}");
        }
    }

    #[test]
    fn a_mark_elsewhere_or_for_other_rules() {
        for text in [
            "# pentimento:allow\nkey=VALUE\n# pentimento:allow",
            "key=VALUE # pentimento:allowed",
            "key=VALUE # pentimento:allow-nothing",
            "key=VALUE # pentimento:allow other-token",
            "key=VALUE # pentimento:allow because acme-token",
            "key=VALUE # Pentimento:Allow",
            "VALUE\n# pentimento:allow\nVALUE",
        ] {
            assert!(!allowed(text), "{text}");
        }
    }

    #[test]
    fn the_ends_of_an_endless_line_are_not_looked_at() {
        let far = "x".repeat(REACH);
        assert!(!allowed(&format!("VALUE{far} pentimento:allow")) && !allowed(&format!("pentimento:allow {far}VALUE")));
    }
}
