//! What every match of a regex has in it: a run of bytes that keys are made of. Derived from the regex, never typed by hand; the matcher
//! looks for runs first, and for rules only near them.

use regex_syntax::hir::{Class, Hir, HirKind};

/// A run is worth looking for from this length on, in bytes: shorter ones are words.
pub const LEAST_RUN: usize = 16;

/// True for bytes that runs are made of: both alphabets of base64 (RFC 4648), and so hexadecimal digits.
pub const fn is_packed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// A run of packed bytes that every match has.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Run {
    /// Its length at least, in bytes.
    length: usize,
    /// Where it begins at most, in bytes from the begin of the match; none if that has no bound.
    before: Option<usize>,
    /// How likely it is that random bytes of its classes have no digit, or no letter.
    plain: f64,
}

/// How a rule with literals is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Every match has a long run with a digit and a letter in it, which begins at most so many bytes behind the begin of the match:
    /// such runs are looked for.
    Value(usize),
    /// The literal begins a word, and stands at the begin of a long run, whatever is in that.
    Token,
    /// Neither is known: the literal itself is looked for. A long run may be known to begin at most so many bytes behind it.
    Literal(Option<usize>),
}

/// A value without a digit, or without a letter, is given up where chance makes one less often than this.
const RARE_NEAR_A_WORD: f64 = 0.06;
const RARE: f64 = 0.002;
/// A run that begins farther behind the begin of the match is not looked for, in bytes.
const FARTHEST_RUN: usize = 256;
/// The same for tokens.
pub const FARTHEST_TOKEN: usize = 8;

/// How the matches of `regex` are reached that begin with a literal, or where `near` holds, stand behind the word of a service.
pub fn way(regex: &Hir, near: bool, boundary: bool) -> Way {
    let run = run(regex);
    match run.before.filter(|_| run.length >= LEAST_RUN) {
        Some(before) if !near && boundary && before <= FARTHEST_TOKEN => Way::Token,
        Some(before) if before <= FARTHEST_RUN && run.plain < if near { RARE_NEAR_A_WORD } else { RARE } => Way::Value(before),
        before => Way::Literal(before.filter(|_| !near)),
    }
}

/// True if a long run with a digit and a letter in it begins in `bytes` at `before` or in front of that.
pub fn has_value(bytes: &[u8], before: usize) -> bool {
    let mut begin = 0;
    bytes.split(|byte| !is_packed(*byte)).any(|run| {
        let at = begin;
        begin += run.len() + 1;
        at <= before && run.len() >= LEAST_RUN && run.iter().any(u8::is_ascii_digit) && run.iter().any(u8::is_ascii_alphabetic)
    })
}

/// The first run of every match that is long enough, or else its longest.
fn run(regex: &Hir) -> Run {
    let best = shape(regex).best;
    Run { length: best.length, before: best.before, plain: (best.no_digit + best.no_letter).min(1.0) }
}

/// What random bytes are: how likely none is a digit, how likely none is a letter, and how many they are.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    length: usize,
    no_digit: f64,
    no_letter: f64,
    before: Option<usize>,
}

impl Stretch {
    const NONE: Stretch = Stretch { length: 0, no_digit: 1.0, no_letter: 1.0, before: Some(0) };

    fn then(self, next: Stretch) -> Stretch {
        Stretch {
            length: self.length + next.length,
            no_digit: self.no_digit * next.no_digit,
            no_letter: self.no_letter * next.no_letter,
            before: self.before,
        }
    }

    fn behind(self, before: Option<usize>) -> Stretch {
        Stretch { before: before.zip(self.before).map(|(a, b)| a + b), ..self }
    }

    /// The one to look for: of those that are long enough the first, and of these the longest; else the longest.
    fn or(self, other: Stretch) -> Stretch {
        let order = |s: &Stretch| (s.before.unwrap_or(usize::MAX), std::cmp::Reverse(s.length));
        match (self.length >= LEAST_RUN, other.length >= LEAST_RUN) {
            (true, true) if order(&other) < order(&self) => other,
            (true, _) => self,
            (false, true) => other,
            (false, false) if other.length > self.length => other,
            _ => self,
        }
    }

    /// What both have at least.
    fn and(self, other: Stretch) -> Stretch {
        Stretch {
            length: self.length.min(other.length),
            no_digit: self.no_digit.max(other.no_digit),
            no_letter: self.no_letter.max(other.no_letter),
            before: self.before.zip(other.before).map(|(a, b)| a.max(b)),
        }
    }
}

/// How the matches of a part of a regex begin and end.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// All bytes are packed.
    all: bool,
    /// Packed bytes at the begin, at the end, and the best anywhere.
    first: Stretch,
    last: Stretch,
    best: Stretch,
    /// The longest match; none if it has no bound.
    longest: Option<usize>,
}

fn shape(hir: &Hir) -> Shape {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => packed(Stretch::NONE, Some(0)),
        HirKind::Literal(literal) => {
            let bytes = literal.0.iter().map(|byte| one(is_packed(*byte), class_of(std::iter::once(*byte))));
            bytes.reduce(then).unwrap_or_else(|| packed(Stretch::NONE, Some(0)))
        }
        HirKind::Class(class) => {
            let bytes: Vec<u8> = match class {
                Class::Bytes(class) => class.ranges().iter().flat_map(|range| range.start()..=range.end()).collect(),
                Class::Unicode(class) => {
                    let ranges = class.ranges().iter();
                    ranges.flat_map(|range| range.start()..=range.end()).map(|c| if c.is_ascii() { c as u8 } else { 0xff }).collect()
                }
            };
            one(bytes.iter().all(|byte| is_packed(*byte)), class_of(bytes.into_iter()))
        }
        HirKind::Repetition(repetition) => repeated(shape(&repetition.sub), repetition.min, repetition.max),
        HirKind::Capture(capture) => shape(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(shape).reduce(then).unwrap_or_else(|| packed(Stretch::NONE, Some(0))),
        HirKind::Alternation(parts) => parts.iter().map(shape).reduce(either).unwrap_or_else(|| packed(Stretch::NONE, Some(0))),
    }
}

fn packed(stretch: Stretch, longest: Option<usize>) -> Shape {
    Shape { all: true, first: stretch, last: stretch, best: stretch, longest }
}

/// One byte of a class.
fn one(all: bool, stretch: Stretch) -> Shape {
    let stretch = if all { stretch } else { Stretch::NONE };
    Shape { all, first: stretch, last: stretch, best: stretch, longest: Some(1) }
}

fn class_of(bytes: impl Iterator<Item = u8>) -> Stretch {
    let (mut all, mut digits, mut letters) = (0u32, 0u32, 0u32);
    for byte in bytes {
        all += 1;
        digits += u32::from(byte.is_ascii_digit());
        letters += u32::from(byte.is_ascii_alphabetic());
    }
    let without = |count: u32| f64::from(all - count) / f64::from(all.max(1));
    Stretch { length: 1, no_digit: without(digits), no_letter: without(letters), before: Some(0) }
}

fn then(a: Shape, b: Shape) -> Shape {
    let joined = Stretch { before: if a.all { Some(0) } else { a.longest }, ..a.last.then(b.first) };
    Shape {
        all: a.all && b.all,
        first: if a.all { a.first.then(b.first) } else { a.first },
        last: if b.all { a.last.then(b.last) } else { b.last },
        best: a.best.or(joined).or(b.best.behind(a.longest)),
        longest: a.longest.zip(b.longest).map(|(a, b)| a + b),
    }
}

fn either(a: Shape, b: Shape) -> Shape {
    Shape {
        all: a.all && b.all,
        first: a.first.and(b.first),
        last: a.last.and(b.last),
        best: a.best.and(b.best),
        longest: a.longest.zip(b.longest).map(|(a, b)| a.max(b)),
    }
}

fn repeated(part: Shape, min: u32, max: Option<u32>) -> Shape {
    let longest = if max == Some(0) { Some(0) } else { part.longest.zip(max).map(|(longest, max)| longest.saturating_mul(max as usize)) };
    if min == 0 {
        return Shape { all: part.all, longest, ..packed(Stretch::NONE, longest) };
    }
    let stretch = |s: Stretch| Stretch {
        length: s.length.saturating_mul(min as usize),
        no_digit: s.no_digit.powi(min as i32),
        no_letter: s.no_letter.powi(min as i32),
        before: s.before,
    };
    if part.all {
        let all = stretch(part.best);
        return Shape { longest, ..packed(all, longest) };
    }
    Shape { longest, ..part }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(regex: &str) -> Run {
        run(&regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(regex).expect("a regex"))
    }

    #[test]
    fn runs_of_every_match() {
        for (regex, length, before) in [
            ("ghp_[0-9A-Za-z]{36}", 40, Some(0)),
            ("[0-9a-f]{32}", 32, Some(0)),
            ("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", 36, Some(0)),
            (r"SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}", 22, Some(3)),
            ("acme[a-z ]{0,24}[=:]{1,4}(?P<secret>[0-9a-f]{32}|[0-9A-Za-z]{20})", 20, Some(32)),
            ("pass=[^ ]{6,}", 4, Some(0)),
            ("(?:a{20}|b.c)", 1, Some(0)),
            ("x*[0-9a-f]{20}", 20, Some(0)),
            (" *[0-9a-f]{20}", 20, None),
            ("(?i:key)=.+?[0-9a-f]{20}", 20, None),
            ("(?:ab){10}", 20, Some(0)),
            ("a?[0-9]{16}", 16, Some(0)),
            ("", 0, Some(0)),
        ] {
            let run = of(regex);
            assert_eq!((run.length, run.before), (length, before), "{regex}");
        }
    }

    #[test]
    fn a_value_is_where_it_is_looked_for() {
        let text = b"abcdefghijklmnopqrst.abcdefghijklmnop1";
        assert!(has_value(text, 21) && !has_value(text, 20) && !has_value(b"abcdefghijklmn1", 0));
    }

    #[test]
    fn how_likely_a_run_is_plain() {
        assert!(of("[0-9a-f]{32}").plain < 1e-6);
        assert!((of("ghp_[0-9A-Za-z]{36}").plain - (52.0f64 / 62.0).powi(36)).abs() < 1e-9);
        assert!((of("[0-9A-Za-z]{20}").plain - 0.0297).abs() < 0.001);
        assert_eq!(of("[a-z]{20}").plain, 1.0);
        assert_eq!(of("(?:[a-z]{20}|[0-9a-f]{40})").plain, 1.0);
    }
}
