//! Gates on a value, and whether it stands alone.

use super::entropy::shannon;
use super::watch::Gate;
use crate::rules::ValueSpec;

/// The first thing that the rule requires of a value and that `value` has not.
pub fn failed(spec: &ValueSpec, value: &[u8]) -> Option<Gate> {
    let lacks =
        |name, wanted: bool, test: fn(&u8) -> bool| (wanted && !value.iter().any(test)).then_some(Gate { name, has: 0.0, wants: 1.0 });
    let short = |name, has: f32, wants: f32| (has < wants).then_some(Gate { name, has, wants });
    let length = value.len() as f32;
    if value.len() < spec.min {
        return Some(Gate { name: "min", has: length, wants: spec.min as f32 });
    }
    if let Some(max) = spec.max.filter(|max| value.len() > *max) {
        return Some(Gate { name: "max", has: length, wants: max as f32 });
    }
    lacks("digits", spec.digits, u8::is_ascii_digit)
        .or_else(|| lacks("letters", spec.letters, u8::is_ascii_alphabetic))
        .or_else(|| lacks("upper", spec.upper, u8::is_ascii_uppercase))
        .or_else(|| lacks("lower", spec.lower, u8::is_ascii_lowercase))
        .or_else(|| if spec.changes > 0.0 { short("changes", changes(value), spec.changes) } else { None })
        .or_else(|| if spec.entropy > 0.0 { short("entropy", shannon(value), spec.entropy) } else { None })
}

/// The share of neighbours that are of different kinds, of those that are letters and digits: 0.62 in random base62, 0.4 in random
/// lower-case letters and digits, under 0.15 in names and words.
pub fn changes(value: &[u8]) -> f32 {
    let kind = |b: u8| u8::from(b.is_ascii_digit()) + 2 * u8::from(b.is_ascii_uppercase()) + 4 * u8::from(b.is_ascii_lowercase());
    let (mut pairs, mut different) = (0u32, 0u32);
    for pair in value.windows(2) {
        let (a, b) = (kind(pair[0]), kind(pair[1]));
        if a != 0 && b != 0 {
            pairs += 1;
            different += u32::from(a != b);
        }
    }
    if pairs == 0 { 0.0 } else { different as f32 / pairs as f32 }
}

/// Letters that are no words in camel case: long, and capitals stand beside capitals as often as chance has it.
pub fn is_random_letters(value: &[u8]) -> bool {
    let pairs = |test: fn(u8, u8) -> bool| value.windows(2).filter(|w| test(w[0], w[1])).count();
    let capitals = pairs(|a, b| a.is_ascii_uppercase() && b.is_ascii_uppercase());
    let turns = pairs(|a, b| a.is_ascii_uppercase() != b.is_ascii_uppercase());
    let enough = if value.len() >= 16 { 3 } else { 4 };
    value.len() >= 10 && value.iter().all(u8::is_ascii_alphabetic) && capitals >= 2 && turns * 10 >= value.len() * enough
}

/// `8-4-4-4-12` hexadecimal digits.
pub fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, b)| if [8, 13, 18, 23].contains(&at) { *b == b'-' } else { b.is_ascii_hexdigit() })
}

/// A UUID of version 4 (RFC 9562): 122 of its bits are random.
pub fn is_random_uuid(value: &[u8]) -> bool {
    is_uuid(value) && value[14] == b'4' && b"89abAB".contains(&value[19])
}

/// A name by which a service gives out what lets its holder in; a token may also be an id.
pub fn says_secret(name: &[u8]) -> bool {
    const NAMES: &[&[u8]] =
        &[b"apikey", b"secret", b"secretkey", b"password", b"passwd", b"accesskey", b"authkey", b"authtoken", b"accesstoken", b"apitoken"];
    let plain: Vec<u8> = name.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    NAMES.iter().any(|end| plain.ends_with(end))
}

/// True if one of `parts` stands in `text`.
pub fn holds_any(text: &[u8], parts: &[&[u8]]) -> bool {
    parts.iter().any(|part| memchr::memmem::find(text, part).is_some())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// True if the match that begins at `start` and whose secret ends at `end` does not continue a longer word. An escape in front
/// (`\n`, `%3D`) is no word.
pub fn stands_alone(bytes: &[u8], start: usize, end: usize) -> bool {
    let right = bytes.get(end).is_none_or(|next| !is_word(*next)) || bytes.get(end - 1).is_some_and(|last| !is_word(*last));
    right && begins_alone(bytes, start)
}

/// True if what ends at `end` goes on as the name of a picture, a style or a script: `logo-4f2a….png`.
pub fn names_a_file(bytes: &[u8], end: usize) -> bool {
    const ENDINGS: &[&[u8]] =
        &[b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"ico", b"css", b"js", b"mjs", b"map", b"woff", b"woff2", b"html"];
    let Some(rest) = bytes.get(end..).and_then(|rest| rest.strip_prefix(b".")) else { return false };
    let length = rest.iter().take_while(|b| is_word(**b)).count();
    ENDINGS.contains(&&rest[..length])
}

/// The first half of [`stands_alone`].
pub fn begins_alone(bytes: &[u8], start: usize) -> bool {
    let starts_word = bytes.get(start).is_some_and(|first| is_word(*first));
    !starts_word
        || match &bytes[..start] {
            [.., b'\\', b'n' | b'r' | b't'] => true,
            [.., b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => true,
            [.., last] => !is_word(*last),
            [] => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates() {
        let spec = ValueSpec { min: 4, max: Some(8), digits: true, letters: true, entropy: 1.5, ..ValueSpec::default() };
        assert_eq!(failed(&spec, b"ab12"), None);
        for (bad, gate) in [("ab1", "min"), ("abcd", "digits"), ("1234", "letters"), ("aaaaaaa1", "entropy"), ("abcdefgh1", "max")] {
            assert_eq!(failed(&spec, bad.as_bytes()).map(|gate| gate.name), Some(gate), "{bad}");
        }
    }

    #[test]
    fn words_have_ends() {
        assert!(stands_alone(b"x=tok1;", 2, 6));
        assert!(!stands_alone(b"xtok1;", 1, 5));
        assert!(!stands_alone(b"tok12", 0, 4));
        assert!(names_a_file(b"tok1.png?x", 4) && !names_a_file(b"tok1.pngx", 4) && !names_a_file(b"tok1", 4));
        assert!(stands_alone(b"a\\ntok1", 3, 7));
        assert!(stands_alone(b"a%3Dtok1", 4, 8));
    }
}
