//! Bytes from an image as text: exact for machines, safe for people.

use std::borrow::Cow;

/// Exact and reversible: valid UTF-8 as it is; where there is invalid UTF-8, its bytes as `\xHH` and every backslash doubled.
pub fn exact(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        out.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

/// True where `c` could change how a terminal or a page shows what stands around it: control characters (escape sequences begin
/// with one), bidirectional overrides (Unicode TR 36), invisible and line-separating characters.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{061c}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// For people: hostile characters are written out (`\n`, `\x1b`, `\u{202e}`).
pub fn sanitise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if !is_hostile(c) => out.push(c),
            c if (c as u32) < 0x100 => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
        }
    }
    out
}

/// At most `most` bytes of `text`, and an ellipsis where something was left out.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most { text.into() } else { format!("{}…", &text[..text.floor_char_boundary(most)]).into() }
}

/// At most `most` characters of `text`, with an ellipsis where something was left out.
pub fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// What a parser says is wrong, without what it quotes: whoever is told need not be allowed to see the file. A short word may stay, since it
/// is mostly a name with a slip of the pen.
pub fn unquoted(message: &str) -> String {
    const MOST_OF_WORD: usize = 20;
    let is_quote = ['`', '"'];
    // What is expected is ours; the last such words are the parser's.
    let (told, expected) = message.split_at(message.rfind(", expected ").unwrap_or(message.len()));
    let (Some(open), Some(close)) = (told.find(is_quote), told.rfind(is_quote)) else { return message.to_owned() };
    let quoted = told.get(open + 1..close).unwrap_or_default();
    let is_word = quoted.len() <= MOST_OF_WORD && quoted.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_'));
    if is_word { message.to_owned() } else { format!("{}…{}{expected}", &told[..=open], &told[close..]) }
}

/// `%41` as `A`; what is no such escape stays (RFC 3986, 2.1).
pub fn percent_decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    decoded.extend(percent_decoded(text).map(|(_, byte)| byte));
    decoded
}

/// The same byte by byte, each with where it stands.
pub fn percent_decoded(text: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut at = 0;
    std::iter::from_fn(move || {
        let begin = at;
        let (first, tail) = text.get(at..)?.split_first()?;
        let escaped = match tail {
            [high, low, ..] if *first == b'%' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        at += if escaped.is_some() { 3 } else { 1 };
        Some((begin, escaped.map_or(*first, |(high, low)| (high << 4 | low) as u8)))
    })
}

/// A text with `instead` for each byte that is no UTF-8.
pub fn lossy(bytes: &[u8], instead: char) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| instead));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_is_reversible() {
        assert_eq!(exact("a\\b ü".as_bytes()), "a\\b ü");
        assert_eq!(exact(b"caf\xe9\\x"), "caf\\xe9\\\\x");
    }

    #[test]
    fn what_a_parser_quotes_is_left_out() {
        for (message, expected) in [
            ("unknown field `fail_on`, expected one of `scan`, `ignore`", "unknown field `fail_on`, expected one of `scan`, `ignore`"),
            ("unknown field `k`3`y`, expected `scan`", "unknown field `…`, expected `scan`"),
            (
                "invalid type: string \"a 1, expected \\\"b\\\"\", expected a map at line 1",
                "invalid type: string \"…\", expected a map at line 1",
            ),
            ("[scan] has no key `a1`: it has b", "[scan] has no key `…`: it has b"),
            ("missing field `reason`", "missing field `reason`"),
            ("string values must be quoted, expected literal string", "string values must be quoted, expected literal string"),
        ] {
            assert_eq!(unquoted(message), expected);
        }
    }

    #[test]
    fn nothing_that_moves_a_cursor_gets_through() {
        assert_eq!(sanitise("a\x1b[31m\r\nb\u{202e}c\u{9b}\u{7f}"), "a\\x1b[31m\\x0d\\nb\\u{202e}c\\x9b\\x7f");
        assert_eq!(shorten("abcdef", 4), "abc…");
        assert_eq!([cut("aüb", 4), cut("aüb", 2)], ["aüb", "a…"]);
    }
}
