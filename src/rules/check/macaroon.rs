//! Macaroons of version 2 (github.com/rescrv/libmacaroons, `doc/format.txt`), as the Python package index makes them: `pypi-` and the
//! base64url of a location, an identifier, caveats and a signature.

use super::jwt::json_time;
use super::{Answer, FactName, decode_lenient};
use serde_json::Value;

/// A packet's type, and its data.
type Packet<'a> = (u8, &'a [u8]);

const LOCATION: u8 = 1;
const IDENTIFIER: u8 = 2;
const SIGNATURE: u8 = 6;

/// Whether it parses to its end, and what its caveats allow.
pub fn check(token: &[u8]) -> Answer {
    let body = token.strip_prefix(b"pypi-").and_then(decode_lenient).unwrap_or_default();
    match parse(&body) {
        Some((location, caveats)) => {
            let answer = Answer::valid("a well-formed macaroon").with(FactName::Host, String::from_utf8_lossy(location));
            caveats.iter().fold(answer, restriction)
        }
        None => Answer::invalid("the macaroon does not parse"),
    }
}

/// The location, and the caveats that are JSON.
fn parse(mut bytes: &[u8]) -> Option<(&[u8], Vec<Value>)> {
    bytes = bytes.strip_prefix(&[2])?;
    let location = packet(&mut bytes).filter(|(kind, _)| *kind == LOCATION)?.1;
    packet(&mut bytes).filter(|(kind, _)| *kind == IDENTIFIER)?;
    end(&mut bytes)?;
    let mut caveats = Vec::new();
    while bytes.first() != Some(&0) {
        while bytes.first() != Some(&0) {
            let (kind, data) = packet(&mut bytes)?;
            if kind == IDENTIFIER {
                caveats.extend(serde_json::from_slice::<Value>(data));
            }
        }
        end(&mut bytes)?;
    }
    end(&mut bytes)?;
    let (kind, signature) = packet(&mut bytes)?;
    (kind == SIGNATURE && signature.len() == 32 && bytes.is_empty()).then_some((location, caveats))
}

/// A section's end.
fn end(bytes: &mut &[u8]) -> Option<()> {
    *bytes = bytes.strip_prefix(&[0])?;
    Some(())
}

/// Type, length (a varint), data.
fn packet<'a>(bytes: &mut &'a [u8]) -> Option<Packet<'a>> {
    let (kind, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        _ => {
            let (second, rest) = rest.split_first().filter(|(second, _)| **second < 0x80)?;
            (usize::from(first & 0x7f) | usize::from(*second) << 7, rest)
        }
    };
    let (data, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some((*kind, data))
}

/// A caveat of the index (warehouse: `warehouse/macaroons/caveats`): `[0, expiry, not before]`, `[1, [project names]]`,
/// `[2, [project ids]]`, `[3, user id]`; older ones are objects.
fn restriction(answer: Answer, caveat: &Value) -> Answer {
    let texts = |answer: Answer, list: Option<&Value>| {
        let texts = list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        texts.fold(answer, |answer, text| answer.with(FactName::Project, text))
    };
    match caveat.get(0).and_then(Value::as_i64) {
        Some(0) => answer.with_some(FactName::Expires, caveat.get(1).and_then(json_time)),
        Some(1 | 2) => texts(answer, caveat.get(1)),
        Some(3) => answer.with_some(FactName::User, caveat.get(1).and_then(Value::as_str)),
        _ => {
            let answer = answer.with_some(FactName::Scope, caveat.get("permissions").and_then(Value::as_str));
            let answer = answer.with_some(FactName::Expires, caveat.get("exp").and_then(json_time));
            texts(answer, caveat.pointer("/permissions/projects"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::Outcome;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn token(caveats: &[&str]) -> Vec<u8> {
        let mut bytes = b"\x02\x01\x08pypi.org\x02\x04abcd\0".to_vec();
        for caveat in caveats {
            bytes.push(2);
            if caveat.len() > 127 {
                bytes.push(caveat.len() as u8 | 0x80);
            }
            bytes.push((if caveat.len() > 127 { caveat.len() >> 7 } else { caveat.len() }) as u8);
            bytes.extend(caveat.bytes());
            bytes.push(0);
        }
        bytes.extend(b"\0\x06\x20");
        bytes.extend([7; 32]);
        bytes
    }

    fn run(bytes: &[u8]) -> Answer {
        check(format!("pypi-{}", URL_SAFE_NO_PAD.encode(bytes)).as_bytes())
    }

    #[test]
    fn caveats_are_told() {
        let answer = run(&token(&["[0,1769166461,0]", r#"[1,["acme-app","acme-lib"]]"#, r#"[3,"6a1f"]"#, &"x".repeat(300)]));
        assert!(matches!(answer.outcome, Outcome::Valid(_)));
        let facts: Vec<_> = answer.facts.iter().map(|fact| &fact.value[..]).collect();
        assert_eq!(facts, ["pypi.org", "2026-01-23T11:07:41Z", "acme-app", "acme-lib", "6a1f"]);
        let old = run(&token(&[r#"{"version": 1, "permissions": {"projects": ["acme"]}}"#]));
        assert_eq!(old.fact(FactName::Project), Some("acme"));
        assert_eq!(run(&token(&[r#"{"version": 1, "permissions": "user"}"#])).fact(FactName::Scope), Some("user"));
    }

    #[test]
    fn it_must_parse_to_its_end() {
        let whole = token(&["[]"]);
        assert!(matches!(run(&whole).outcome, Outcome::Valid(_)));
        for cut in 0..whole.len() {
            assert!(matches!(run(&whole[..cut]).outcome, Outcome::Invalid(_)), "{cut}");
        }
        assert!(matches!(run(&[&whole[..], b"x"].concat()).outcome, Outcome::Invalid(_)));
        assert!(matches!(check(b"pypi-%").outcome, Outcome::Invalid(_)));
        let example = crate::rules::check::fake::macaroon("pypi.org", &mut |count| vec![9; count]);
        assert!(matches!(check(example.as_bytes()).outcome, Outcome::Valid(_)));
    }
}
