//! Texts within a text: base64, hexadecimal digits, percent-encoding, UTF-16.
//!
//! Only what decodes to readable text is given back: images, keys and certificates in base64 are no texts. There is one pass for each
//! kind of coding, and the texts that it gives are together no longer than what they were decoded from.

use super::spots::{Run, Spots};
use crate::rules::check::decode_lenient;
use crate::rules::guarantee::is_packed;
use crate::text::percent_decode;
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
    /// Of base64, how its characters stand.
    layout: Layout,
}

/// How base64 stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    /// Characters of a line; all of them, if there is one line.
    width: usize,
    /// Bytes between two lines: the line end and what the next line is indented by.
    gap: usize,
    /// Bytes that it encodes for each byte of the text: 2 if it is text of two bytes a character.
    unit: usize,
}

impl Layout {
    const PLAIN: Layout = Layout { width: usize::MAX, gap: 0, unit: 1 };
}

impl Decoded {
    fn new(text: Vec<u8>, from: Range<usize>, coding: Coding) -> Decoded {
        Decoded { text, from, coding, layout: Layout::PLAIN }
    }

    /// Where the bytes `at` of the decoded text stand in `bytes`, in whose `from` it is encoded.
    pub fn written(&self, bytes: &[u8], at: Range<usize>) -> Range<usize> {
        let Layout { width, gap, unit } = self.layout;
        let (start, end) = match self.coding {
            Coding::Base64 => {
                let (first, last) = (at.start * unit / 3 * 4, (at.end * unit).div_ceil(3) * 4);
                (first + first / width * gap, last + last.saturating_sub(1) / width * gap)
            }
            Coding::Hex | Coding::Utf16Le | Coding::Utf16Be => (at.start * 2, at.end * 2),
            Coding::Percent => {
                let start = escaped(&bytes[self.from.clone()], at.start);
                (start, start + escaped(&bytes[self.from.start + start..self.from.end], at.len()))
            }
        };
        let last = self.from.end.saturating_sub(1).max(self.from.start);
        let start = (self.from.start + start).min(last);
        start..(self.from.start + end).clamp(start, self.from.end.max(start))
    }
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
}

/// Shorter ones hold no secret that its form could tell.
const LEAST_BASE64: usize = 20;
const LEAST_HEX: usize = 32;
const LEAST_UTF16: usize = 8;

/// All texts that are encoded in `bytes`, by their begin; `spots` are what was found in it. With `binary`, strings of two bytes a character
/// are among them.
pub fn parts(bytes: &[u8], spots: &Spots, binary: bool) -> Vec<Decoded> {
    let mut parts = Vec::new();
    packed(bytes, &spots.runs, &mut parts);
    percent(bytes, &mut parts);
    if binary {
        wide(bytes, &spots.wide, &mut parts);
    }
    parts.sort_by_key(|part| part.from.start);
    parts
}

/// Runs of base64 or hexadecimal digits.
fn packed(bytes: &[u8], runs: &[Run], parts: &mut Vec<Decoded>) {
    let mut done = 0;
    for run in runs.iter().map(|run| &run.at).filter(|run| run.len() >= LEAST_BASE64) {
        if run.start >= done {
            done = one_run(bytes, run.clone(), parts);
        }
    }
}

/// A run that may go on in the next lines. Returns where it ended.
fn one_run(bytes: &[u8], line: Range<usize>, parts: &mut Vec<Decoded>) -> usize {
    let run = &bytes[line.clone()];
    if run.len() >= LEAST_HEX && run.len().is_multiple_of(2) && is_hex(run) {
        if let Some(text) = unhex(run).filter(|text| is_readable(text)) {
            parts.push(Decoded::new(text, line.clone(), Coding::Hex));
        }
        return line.end;
    }
    // What is no text shows in its first bytes, mostly in the first three.
    let skips = if begins_within(bytes, &line) { 0..4 } else { 0..1 };
    if !skips.clone().any(|skip| starts_readable(&run[skip..])) {
        return line.end;
    }
    let (text, gap, end) = lines(bytes, line.clone());
    let width = if gap == 0 { usize::MAX } else { line.len() };
    // A run that begins within a longer word (`key=` has an end, `/` has none) is tried at each of the four places.
    for skip in skips {
        if let Some((text, unit)) = unbase64(&text[skip.min(text.len())..]).and_then(readable) {
            let (from, layout) = (line.start + skip..end, Layout { width, gap, unit });
            parts.push(Decoded { text, from, coding: Coding::Base64, layout });
            break;
        }
    }
    end
}

/// A run that may have begun in front of what is there, or behind a slash or dash that belongs to something else.
fn begins_within(bytes: &[u8], line: &Range<usize>) -> bool {
    line.start == 0 || bytes[line.clone()].iter().take(4).any(|b| b"/-_+".contains(b))
}

/// The run at `line` and, where it is broken into equal lines as MIME and YAML do, the lines that follow; the bytes between the first
/// two lines; and the end of all.
fn lines(bytes: &[u8], line: Range<usize>) -> (Vec<u8>, usize, usize) {
    let width = line.len();
    let mut text = bytes[line.clone()].to_vec();
    let (mut end, mut first_gap) = (line.end, 0);
    let mut whole = width >= 40 && width.is_multiple_of(4);
    while whole {
        let gap = bytes[end..].iter().take(80).take_while(|b| b.is_ascii_whitespace()).count();
        if gap == 0 || !bytes[end..end + gap].contains(&b'\n') {
            break;
        }
        let next = bytes[end + gap..].iter().take(width + 1).take_while(|b| is_packed(**b)).count();
        if next == 0 || next > width || bytes.get(end + gap + next).is_some_and(|b| *b == b':') {
            break;
        }
        text.extend_from_slice(&bytes[end + gap..end + gap + next]);
        end += gap + next;
        first_gap = if first_gap == 0 { gap } else { first_gap };
        whole = next == width;
    }
    (text, first_gap, end)
}

/// Decodes as much as there is in whole groups.
fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    let whole = if text.len() % 4 == 1 { text.len() - 1 } else { text.len() };
    decode_lenient(&text[..whole])
}

fn starts_readable(run: &[u8]) -> bool {
    let start = &run[..run.len().min(24) / 4 * 4];
    if is_noise(start) {
        return false;
    }
    let head = decode_lenient(start).unwrap_or_default();
    is_readable(&head) || wide_units(&head, 0, Coding::Utf16Le) * 2 >= head.len().max(8) - 2
}

/// True if the base64 in `start` surely decodes to no text: not even its first bytes can be.
fn is_noise(start: &[u8]) -> bool {
    let mut odd = Odd::default();
    for four in start.chunks_exact(4) {
        let bits = four.iter().fold(0u32, |bits, byte| bits << 6 | u32::from(SIX_BITS[usize::from(*byte)]));
        let [_, bytes @ ..] = bits.to_be_bytes();
        if odd.after == 0 && matches!(bytes[1], 0..=5 | 0x20) {
            // Perhaps two bytes a character.
            return false;
        }
        bytes.into_iter().for_each(|byte| odd.add(byte));
        if odd.count > 1 {
            return true;
        }
    }
    false
}

/// Counts bytes that no text has; those beyond ASCII as far as they are surely no UTF-8.
#[derive(Default)]
struct Odd {
    count: usize,
    /// The byte before; 1 for NUL, and 0 where there is none.
    after: u8,
}

impl Odd {
    fn add(&mut self, byte: u8) {
        // What continues a character stands behind another such byte.
        let stray = matches!(byte, 0x80..=0xbf) && self.after < 0x80
            || matches!(byte, 0xc0 | 0xc1 | 0xf5..)
            || matches!(self.after, 0xc2..=0xf4) && !matches!(byte, 0x80..=0xbf);
        self.count += usize::from(stray || byte < 0x80 && !is_plain(byte));
        self.after = byte.max(1);
    }
}

/// True for hexadecimal digits alone.
fn is_hex(run: &[u8]) -> bool {
    run.iter().all(|digit| NIBBLES[usize::from(*digit)] < 16)
}

/// What a hexadecimal digit stands for; 16 for what is none.
const NIBBLES: [u8; 256] = {
    let mut nibbles = [16; 256];
    let mut at = 0;
    while at < 16 {
        nibbles[b"0123456789abcdef"[at] as usize] = at as u8;
        nibbles[b"0123456789ABCDEF"[at] as usize] = at as u8;
        at += 1;
    }
    nibbles
};

/// What a character of base64 stands for, of either alphabet.
const SIX_BITS: [u8; 256] = {
    let mut bits = [0; 256];
    let mut at = 0;
    while at < 64 {
        bits[b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[at] as usize] = at as u8;
        at += 1;
    }
    bits[b'-' as usize] = 62;
    bits[b'_' as usize] = 63;
    bits
};

/// The bytes that hexadecimal digits stand for; none if they are surely no text.
fn unhex(run: &[u8]) -> Option<Vec<u8>> {
    let bytes = || run.chunks_exact(2).map(|pair| NIBBLES[usize::from(pair[0])] << 4 | NIBBLES[usize::from(pair[1])]);
    let (mut odd, most) = (Odd::default(), most_odd(run.len() / 2));
    let is_noise = bytes().any(|byte| {
        odd.add(byte);
        odd.count > most
    });
    (!is_noise).then(|| bytes().collect())
}

/// How many bytes that no text has may be in a text of so many bytes.
fn most_odd(length: usize) -> usize {
    length / 12
}

/// Text as it is, or text of two bytes a character (PowerShell's encoded commands); and how many bytes a character has.
fn readable(decoded: Vec<u8>) -> Option<(Vec<u8>, usize)> {
    if is_readable(&decoded) {
        return Some((decoded, 1));
    }
    let units = wide_units(&decoded, 0, Coding::Utf16Le);
    (units >= LEAST_UTF16).then(|| (narrow(&decoded[..units * 2], Coding::Utf16Le), 2))
}

/// At most one byte in twelve that no text has. Beyond ASCII, it has to be UTF-8 (the last character may be cut).
fn is_readable(text: &[u8]) -> bool {
    let utf8 = std::str::from_utf8(text).map_or_else(|e| e.error_len().is_none(), |_| true);
    let plain = |b: &u8| is_plain(*b) || utf8 && *b >= 0x80;
    let odd = text.iter().filter(|b| !plain(b)).count();
    odd <= most_odd(text.len()) && !text.is_empty()
}

/// Words with three escapes and more.
fn percent(bytes: &[u8], parts: &mut Vec<Decoded>) {
    let is_part = |b: &u8| b.is_ascii_graphic() && !b"\"'<>`\\{}|^".contains(b);
    let escape = |at: usize| is_escape(&bytes[at..]);
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
            let text = percent_decode(&bytes[start..end]);
            if is_readable(&text) {
                parts.push(Decoded::new(text, start..end, Coding::Percent));
            }
        }
    }
}

fn is_escape(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// How many bytes of a percent-encoded word the first `count` bytes of its text take.
fn escaped(word: &[u8], count: usize) -> usize {
    (0..count).fold(0, |at, _| at + if word.get(at..).is_some_and(is_escape) { 3 } else { 1 })
}

/// Strings of two bytes a character: all of one kind that stand near each other are one text, line by line. They are long enough to fill
/// eight bytes at a place that can be divided by eight: `places`, where every second is NUL.
fn wide(bytes: &[u8], places: &[usize], parts: &mut Vec<Decoded>) {
    let mut done = 0;
    for place in places.iter().copied() {
        if place < done || !bytes[place..].iter().take(8).all(|byte| *byte == 0 || is_plain(*byte)) {
            continue;
        }
        // Back to its begin.
        let mut start = place;
        let zero_first = usize::from(bytes[start] != 0);
        while start >= done + 2 && bytes[start - 2 + zero_first] == 0 && is_plain(bytes[start - 1 - zero_first]) {
            start -= 2;
        }
        let zero = if bytes[start] == 0 { start } else { start + 1 };
        let (start, coding) = match zero.checked_sub(1) {
            Some(before) if before >= done && is_plain(bytes[before]) => (before, Coding::Utf16Le),
            _ => (zero, Coding::Utf16Be),
        };
        let units = wide_units(bytes, start, coding);
        if units >= LEAST_UTF16 {
            let from = start..start + units * 2;
            done = from.end;
            parts.push(Decoded::new(narrow(&bytes[from.clone()], coding), from, coding));
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
    use crate::detect::spots::Finder;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD as BASE;

    fn all(bytes: &[u8], binary: bool) -> Vec<Decoded> {
        parts(bytes, &Finder::new(&[]).find(bytes, |_, _| {}), binary)
    }

    fn texts(bytes: &[u8], binary: bool) -> Vec<(String, &'static str)> {
        all(bytes, binary).into_iter().map(|p| (String::from_utf8_lossy(&p.text).into_owned(), p.coding.as_str())).collect()
    }

    #[test]
    fn base64_in_one_piece_and_in_lines() {
        let secret = "the password is something that nobody knows, and this is long enough for several lines of base64 text";
        let whole = BASE.encode(secret);
        assert_eq!(texts(format!("data: {whole}\n").as_bytes(), false), [(secret.to_owned(), "base64")]);
        let lines: Vec<&str> = whole.as_bytes().chunks(64).filter_map(|l| std::str::from_utf8(l).ok()).collect();
        let mime = format!("data: |\n    {}\nnext: 1", lines.join("\n    "));
        assert_eq!(texts(mime.as_bytes(), false), [(secret.to_owned(), "base64")]);
        let from = all(format!("x={whole}").as_bytes(), false)[0].from.clone();
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
        let start = |coding, at| Decoded::new(Vec::new(), 10..50, coding).written(&[b'a'; 60], at..at).start;
        assert_eq!(start(Coding::Base64, 6), 18);
        assert_eq!(start(Coding::Utf16Le, 6), 22);
        assert_eq!(start(Coding::Base64, 600), 49);
    }

    #[test]
    fn what_is_written_for_a_piece_of_the_text_decodes_to_it() {
        let text = "the first words of it, THE PIECE, and the last words of it, which make several lines of this";
        let whole = BASE.encode(text);
        let lines: Vec<&str> = whole.as_bytes().chunks(44).filter_map(|l| std::str::from_utf8(l).ok()).collect();
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let percent = "a=%2Fthe%20THE PIECE%2Fend%20%20".replace("THE PIECE", "THE%20PIECE");
        for bytes in [whole.clone(), lines.join("\n    "), BASE.encode(wide), percent] {
            let part = all(bytes.as_bytes(), false).remove(0);
            let at = String::from_utf8_lossy(&part.text).find("THE PIECE").expect("it is there");
            let written = bytes[part.written(bytes.as_bytes(), at..at + 9)].to_owned();
            let again = match part.coding {
                Coding::Percent => percent_decode(written.as_bytes()),
                _ => unbase64(&written.bytes().filter(|b| !b.is_ascii_whitespace()).collect::<Vec<_>>()).expect("base64"),
            };
            let again: Vec<u8> = again.into_iter().filter(|b| *b != 0).collect();
            assert!(again.len() <= 13 && String::from_utf8_lossy(&again).contains("THE PIECE"), "{written}");
        }
    }

    #[test]
    fn hostile_texts_are_passed_in_linear_time() {
        for text in ["%2".repeat(1 << 20), "%20%".repeat(1 << 19), "QUFB".repeat(1 << 19), "ab\n".repeat(1 << 19), "\0a".repeat(1 << 20)] {
            let found = all(text.as_bytes(), true);
            assert!(found.iter().map(|p| p.text.len()).sum::<usize>() <= 2 * text.len());
        }
    }
}
