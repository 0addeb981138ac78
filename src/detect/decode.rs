//! Texts within a text: base64, hexadecimal digits, percent-encoding, UTF-16.
//!
//! Only what decodes to readable text is given back: images, keys and certificates in base64 are no texts. Everything is one pass, and
//! the texts that it gives are together no longer than what they were decoded from.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::ops::Range;

/// A text that was decoded.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded {
    /// UTF-8 or ASCII, mostly.
    pub text: Vec<u8>,
    /// Where the encoded text stands.
    pub from: Range<usize>,
    /// How it is encoded.
    pub coding: Coding,
}

/// A way to write bytes as text, or text as other text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Coding {
    /// RFC 4648, either alphabet, in one piece or in lines.
    Base64,
    /// Hexadecimal digits.
    Hex,
    /// `%2F` for `/`.
    Percent,
    /// Two bytes a character, the low one first.
    Utf16Le,
    /// Two bytes a character, the high one first.
    Utf16Be,
}

impl Coding {
    /// What it is called in a report.
    pub fn as_str(self) -> &'static str {
        match self {
            Coding::Base64 => "base64",
            Coding::Hex => "hex",
            Coding::Percent => "percent-encoding",
            Coding::Utf16Le => "utf-16le",
            Coding::Utf16Be => "utf-16be",
        }
    }

    /// Where in the encoded text, which begins at `from`, the byte `at` of the decoded one stands; lines and escapes make it a guess.
    pub fn position(self, from: &Range<usize>, at: usize) -> usize {
        let ahead = match self {
            Coding::Base64 => at / 3 * 4,
            Coding::Hex | Coding::Utf16Le | Coding::Utf16Be => at * 2,
            Coding::Percent => at,
        };
        (from.start + ahead).min(from.end.saturating_sub(1).max(from.start))
    }
}

/// Shorter ones hold no secret that its form could tell.
const LEAST_BASE64: usize = 20;
const LEAST_HEX: usize = 32;
const LEAST_UTF16: usize = 8;

/// All texts that are encoded in `bytes`, by their begin. With `binary`, strings of two bytes a character are among them.
pub fn parts(bytes: &[u8], binary: bool) -> Vec<Decoded> {
    let mut parts = Vec::new();
    packed(bytes, &mut parts);
    percent(bytes, &mut parts);
    if binary {
        wide(bytes, &mut parts);
    }
    parts.sort_by_key(|part| part.from.start);
    parts
}

/// Which bytes base64 is made of: 1 for both alphabets and hexadecimal digits, 0 for none.
const fn table() -> [bool; 256] {
    let mut is = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        is[byte] = b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
        byte += 1;
    }
    is
}

static BASE64: [bool; 256] = table();

fn in_base64(byte: &u8) -> bool {
    BASE64[usize::from(*byte)]
}

/// Runs of base64 or hexadecimal digits.
fn packed(bytes: &[u8], parts: &mut Vec<Decoded>) {
    let mut at = 0;
    while at < bytes.len() {
        // A run of the least length covers one of these places: only they are looked at first.
        let probe = at + LEAST_BASE64 - 1;
        match bytes.get(probe) {
            None => return,
            Some(byte) if !in_base64(byte) => at = probe + 1,
            Some(_) => {
                let start = probe - bytes[at..probe].iter().rev().take_while(|b| in_base64(b)).count();
                let end = probe + bytes[probe..].iter().take_while(|b| in_base64(b)).count();
                at = end;
                if end - start >= LEAST_BASE64 {
                    at = one_run(bytes, start..end, parts);
                }
            }
        }
    }
}

/// A run that may go on in the next lines. Returns where it ended.
fn one_run(bytes: &[u8], line: Range<usize>, parts: &mut Vec<Decoded>) -> usize {
    let run = &bytes[line.clone()];
    if run.len() >= LEAST_HEX && run.len().is_multiple_of(2) && run.iter().all(u8::is_ascii_hexdigit) {
        if let Some(text) = unhex(run).filter(|text| is_readable(text)) {
            parts.push(Decoded { text, from: line.clone(), coding: Coding::Hex });
        }
        return line.end;
    }
    // What is no text shows in its first bytes, mostly.
    if !(0..4).any(|skip| starts_readable(&run[skip..])) {
        return line.end;
    }
    let (text, end) = lines(bytes, line.clone());
    let from = line.start..end;
    for skip in 0..4 {
        // A run that begins within a longer word (`key=` has an end, `/` has none) is tried at each of the four places.
        if skip > 0 && !begins_within(bytes, &line) {
            break;
        }
        if let Some(decoded) = unbase64(&text[skip.min(text.len())..]).and_then(readable) {
            parts.push(Decoded { text: decoded, from: from.start + skip..from.end, coding: Coding::Base64 });
            break;
        }
    }
    end
}

/// A run that may have begun in front of what is there, or behind a slash or dash that belongs to something else.
fn begins_within(bytes: &[u8], line: &Range<usize>) -> bool {
    line.start == 0 || bytes[line.clone()].iter().take(4).any(|b| b"/-_+".contains(b))
}

/// The run at `line` and, where it is broken into equal lines as MIME and YAML do, the lines that follow; and the end of all.
fn lines(bytes: &[u8], line: Range<usize>) -> (Vec<u8>, usize) {
    let width = line.len();
    let mut text = bytes[line.clone()].to_vec();
    let mut end = line.end;
    if width < 40 || !width.is_multiple_of(4) {
        return (text, end);
    }
    loop {
        let gap = bytes[end..].iter().take(80).take_while(|b| b.is_ascii_whitespace()).count();
        if gap == 0 || !bytes[end..end + gap].contains(&b'\n') {
            return (text, end);
        }
        let next = bytes[end + gap..].iter().take(width + 1).take_while(|b| in_base64(b)).count();
        if next == 0 || next > width || bytes.get(end + gap + next).is_some_and(|b| *b == b':') {
            return (text, end);
        }
        text.extend_from_slice(&bytes[end + gap..end + gap + next]);
        end += gap + next;
        if next < width {
            return (text, end);
        }
    }
}

fn engine(text: &[u8]) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireNone).with_decode_allow_trailing_bits(true);
    let alphabet = if text.iter().any(|b| matches!(b, b'-' | b'_')) { &URL_SAFE } else { &STANDARD };
    GeneralPurpose::new(alphabet, config)
}

/// Decodes as much as there is in whole groups.
fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    let whole = if text.len() % 4 == 1 { text.len() - 1 } else { text.len() };
    engine(text).decode(&text[..whole]).ok()
}

fn starts_readable(run: &[u8]) -> bool {
    let start = &run[..run.len().min(24) / 4 * 4];
    let head = engine(start).decode(start).unwrap_or_default();
    is_readable(&head) || wide_units(&head, 0, Coding::Utf16Le) * 2 >= head.len().max(8) - 2
}

fn unhex(run: &[u8]) -> Option<Vec<u8>> {
    let digit = |b: u8| (b as char).to_digit(16);
    run.chunks_exact(2).map(|pair| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8)).collect()
}

/// Text as it is, or text of two bytes a character (PowerShell's encoded commands).
fn readable(decoded: Vec<u8>) -> Option<Vec<u8>> {
    if is_readable(&decoded) {
        return Some(decoded);
    }
    let units = wide_units(&decoded, 0, Coding::Utf16Le);
    (units >= LEAST_UTF16).then(|| narrow(&decoded[..units * 2], Coding::Utf16Le))
}

/// At most one byte in twelve that no text has. Beyond ASCII, it has to be UTF-8 (the last character may be cut).
fn is_readable(text: &[u8]) -> bool {
    let utf8 = std::str::from_utf8(text).map_or_else(|e| e.error_len().is_none(), |_| true);
    let plain = |b: &u8| is_plain(*b) || utf8 && *b >= 0x80;
    let odd = text.iter().filter(|b| !plain(b)).count();
    odd * 12 <= text.len() && !text.is_empty()
}

/// Words with three escapes and more.
fn percent(bytes: &[u8], parts: &mut Vec<Decoded>) {
    let is_part = |b: &u8| b.is_ascii_graphic() && !b"\"'<>`\\{}|^".contains(b);
    let escape = |at: usize| bytes.get(at + 1..at + 3).is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit));
    let mut done = 0;
    for at in memchr::memchr_iter(b'%', bytes) {
        if at < done || !escape(at) {
            continue;
        }
        let start = at - bytes[done..at].iter().rev().take(4096).take_while(|b| is_part(b)).count();
        let end = at + bytes[at..].iter().take(4096).take_while(|b| is_part(b)).count();
        done = end;
        let escapes = memchr::memchr_iter(b'%', &bytes[start..end]).filter(|offset| escape(start + offset)).count();
        if escapes >= 3 {
            let text = unescape(&bytes[start..end]);
            if is_readable(&text) {
                parts.push(Decoded { text, from: start..end, coding: Coding::Percent });
            }
        }
    }
}

fn unescape(word: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, tail)) = rest.split_first() {
        let byte = (*first == b'%').then(|| tail.get(..2).filter(|pair| pair.iter().all(u8::is_ascii_hexdigit)).and_then(unhex)).flatten();
        match byte {
            Some(byte) => {
                text.extend(byte);
                rest = &tail[2..];
            }
            None => {
                text.push(*first);
                rest = tail;
            }
        }
    }
    text
}

/// Strings of two bytes a character: all of one kind that stand near each other are one text, line by line.
fn wide(bytes: &[u8], parts: &mut Vec<Decoded>) {
    let mut at = 0;
    while let Some(zero) = memchr::memchr(0, &bytes[at..]).map(|offset| at + offset) {
        let (start, coding) = match zero.checked_sub(1) {
            Some(before) if before >= at && is_plain(bytes[before]) => (before, Coding::Utf16Le),
            _ if bytes.get(zero + 1).copied().is_some_and(is_plain) => (zero, Coding::Utf16Be),
            _ => {
                at = zero + 1;
                continue;
            }
        };
        let units = wide_units(bytes, start, coding);
        at = (start + units * 2).max(zero + 1);
        if units >= LEAST_UTF16 {
            let from = start..start + units * 2;
            parts.push(Decoded { text: narrow(&bytes[from.clone()], coding), from, coding });
        }
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// How many characters of two bytes stand from `start` on: ASCII, mostly; others are let pass one by one.
fn wide_units(bytes: &[u8], start: usize, coding: Coding) -> usize {
    let unit = |pair: &[u8]| if coding == Coding::Utf16Le { (pair[0], pair[1]) } else { (pair[1], pair[0]) };
    let (mut units, mut foreign) = (0, 0);
    for pair in bytes[start.min(bytes.len())..].chunks_exact(2) {
        match unit(pair) {
            (low, 0) if is_plain(low) => foreign = 0,
            // Latin, Greek, Cyrillic and general punctuation.
            (_, 1..=5 | 0x20) | (0xa0..=0xff, 0) if foreign < 64 && units > 0 => foreign += 1,
            _ => break,
        }
        units += 1;
    }
    units - foreign
}

fn narrow(bytes: &[u8], coding: Coding) -> Vec<u8> {
    // One byte a character, so that places can be told: what is not ASCII is no part of a secret that a form could tell.
    let low = usize::from(coding == Coding::Utf16Be);
    bytes.chunks_exact(2).map(|pair| if pair[1 - low] == 0 { pair[low] } else { b'?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD as BASE;

    fn texts(bytes: &[u8], binary: bool) -> Vec<(String, &'static str)> {
        parts(bytes, binary).into_iter().map(|p| (String::from_utf8_lossy(&p.text).into_owned(), p.coding.as_str())).collect()
    }

    #[test]
    fn base64_in_one_piece_and_in_lines() {
        let secret = "the password is something that nobody knows, and this is long enough for several lines of base64 text";
        let whole = BASE.encode(secret);
        assert_eq!(texts(format!("data: {whole}\n").as_bytes(), false), [(secret.to_owned(), "base64")]);
        let lines: Vec<&str> = whole.as_bytes().chunks(64).filter_map(|l| std::str::from_utf8(l).ok()).collect();
        let mime = format!("data: |\n    {}\nnext: 1", lines.join("\n    "));
        assert_eq!(texts(mime.as_bytes(), false), [(secret.to_owned(), "base64")]);
        let from = parts(format!("x={whole}").as_bytes(), false)[0].from.clone();
        assert_eq!(from.start, 2);
    }

    #[test]
    fn what_is_no_text_is_not_decoded() {
        let key: Vec<u8> = (0..200u8).map(|i| i.wrapping_mul(37)).collect();
        assert_eq!(texts(BASE.encode(key).as_bytes(), false), []);
        assert_eq!(texts(b"usr/lib/python3/dist-packages/requests/adapters", false), []);
        assert_eq!(texts("0123456789abcdef".repeat(4).as_bytes(), false), []);
    }

    #[test]
    fn hexadecimal_and_percent() {
        let hex: String = b"token=something long enough".iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(texts(hex.as_bytes(), false), [("token=something long enough".to_owned(), "hex")]);
        let url = b"url=postgres%3A%2F%2Fuser%3Apass%40host end";
        assert_eq!(texts(url, false), [("url=postgres://user:pass@host".to_owned(), "percent-encoding")]);
    }

    #[test]
    fn two_bytes_a_character() {
        let text = "password = \"something\"";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(texts(&[&b"\xff\xfe"[..], &little].concat(), true), [(text.to_owned(), "utf-16le")]);
        assert_eq!(texts(&[&b"\xfe\xff"[..], &big].concat(), true), [(text.to_owned(), "utf-16be")]);
        assert_eq!(texts(&[&b"\x01\x02\x03"[..], &little, b"\x00\x00\x01"].concat(), true), [(text.to_owned(), "utf-16le")]);
        let command = BASE.encode(&little);
        assert_eq!(texts(command.as_bytes(), false), [(text.to_owned(), "base64")]);
    }

    #[test]
    fn positions() {
        assert_eq!(Coding::Base64.position(&(10..50), 6), 18);
        assert_eq!(Coding::Utf16Le.position(&(10..50), 6), 22);
        assert_eq!(Coding::Base64.position(&(10..50), 600), 49);
    }

    #[test]
    fn hostile_texts_are_passed_in_linear_time() {
        for text in ["%2".repeat(1 << 20), "%20%".repeat(1 << 19), "QUFB".repeat(1 << 19), "ab\n".repeat(1 << 19), "\0a".repeat(1 << 20)] {
            let found = parts(text.as_bytes(), true);
            assert!(found.iter().map(|p| p.text.len()).sum::<usize>() <= 2 * text.len());
        }
    }
}
