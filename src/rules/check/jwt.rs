//! JSON Web Tokens (RFC 7519): signed (RFC 7515) or encrypted (RFC 7516).

use super::fact::time;
use super::{Answer, FactName, decode_lenient};
use serde_json::Value;

/// What a header may say, as registered for JOSE; claims may stand in it too (RFC 7519, 5.3). One of them has to be there.
const PARAMETERS: &[&str] = &[
    "alg",
    "jku",
    "jwk",
    "kid",
    "x5u",
    "x5c",
    "x5t",
    "x5t#S256",
    "typ",
    "cty",
    "crit",
    "enc",
    "zip",
    "epk",
    "apu",
    "apv",
    "iv",
    "tag",
    "p2s",
    "p2c",
    "b64",
    "url",
    "nonce",
    "ppt",
    "svt",
    "trust_chain",
    "iss",
    "sub",
    "aud",
];

/// A header that is a JSON object with a parameter of JOSE; behind it claims and a signature, or the four parts of what is encrypted.
/// A prefix that ends before the header's `eyJ` (`ghs_…_`, `glcbt-`) is passed.
pub fn check(token: &[u8]) -> Answer {
    let parts: Vec<&[u8]> = token.splitn(6, |b| *b == b'.').collect();
    let Some(header) = parts.first().and_then(|part| header(part)) else { return Answer::other() };
    match parts[..] {
        [_, claims, signature] => signed(&header, claims, signature),
        [_, key, iv, text, tag] => encrypted(&header, [key, iv, text, tag]),
        _ => Answer::other(),
    }
}

fn header(part: &[u8]) -> Option<Value> {
    let begin = memchr::memmem::find(part, b"eyJ").filter(|at| *at <= 64).unwrap_or(0);
    let header = object(part).or_else(|| object(&part[begin..]))?;
    PARAMETERS.iter().any(|name| header.get(name).is_some()).then_some(header)
}

/// Claims are a JSON object, and the signature is as long as its algorithm makes it.
fn signed(header: &Value, claims: &[u8], signature: &[u8]) -> Answer {
    let Some(claims) = object(claims) else { return Answer::other() };
    let Some(algorithm) = header.get("alg").and_then(Value::as_str) else {
        return facts(Answer::invalid("its header names no algorithm"), None, &claims);
    };
    let answer = if algorithm.eq_ignore_ascii_case("none") || signature.is_empty() {
        Answer::invalid("an unsigned token")
    } else if !fits(algorithm, signature.len() * 3 / 4) {
        Answer::invalid("the signature is not as long as its algorithm makes it")
    } else if kubernetes(&claims).is_some() {
        Answer::valid("a Kubernetes service account's token")
    } else {
        Answer::valid("a well-formed, signed token")
    };
    facts(answer, Some(algorithm), &claims)
}

/// A signature of `length` bytes.
fn fits(algorithm: &str, length: usize) -> bool {
    match algorithm.get(..2) {
        Some("RS" | "PS") => length >= 128,
        Some("HS" | "ES") => match algorithm {
            "HS256" => length == 32,
            "HS384" => length == 48,
            "HS512" => length == 64,
            "ES256" | "ES256K" => length == 64,
            "ES384" => length == 96,
            "ES512" => length == 132,
            _ => true,
        },
        _ => true,
    }
}

/// Content that is encrypted: the initialisation vector and the tag are as long as the method makes them (RFC 7518, 5.1).
fn encrypted(header: &Value, [key, iv, text, tag]: [&[u8]; 4]) -> Answer {
    let name = |name: &str| header.get(name).and_then(Value::as_str);
    let Some(method) = name("enc") else { return Answer::other() };
    let lengths = match method {
        "A128GCM" | "A192GCM" | "A256GCM" => Some((12, 16)),
        "A128CBC-HS256" => Some((16, 16)),
        "A192CBC-HS384" => Some((16, 24)),
        "A256CBC-HS512" => Some((16, 32)),
        _ => None,
    };
    let direct = matches!(name("alg"), Some("dir" | "ECDH-ES"));
    let right = lengths.is_none_or(|lengths| lengths == (iv.len() * 3 / 4, tag.len() * 3 / 4));
    let answer = if right && key.is_empty() == direct && !text.is_empty() {
        Answer::valid("a well-formed, encrypted token")
    } else {
        Answer::invalid("its parts are not as long as its algorithms make them")
    };
    answer.with_some(FactName::Algorithm, name("alg"))
}

fn object(part: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(&decode_lenient(part)?).ok()?;
    value.is_object().then_some(value)
}

/// Namespace and name of a Kubernetes service account.
fn kubernetes(claims: &Value) -> Option<(&str, &str)> {
    claims.get("sub")?.as_str()?.strip_prefix("system:serviceaccount:")?.split_once(':')
}

fn facts(mut answer: Answer, algorithm: Option<&str>, claims: &Value) -> Answer {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    answer = answer.with_some(FactName::Algorithm, algorithm).with_some(FactName::Issuer, text("iss"));
    answer = match kubernetes(claims) {
        Some((namespace, name)) => answer.with(FactName::Namespace, namespace).with(FactName::Account, name),
        None => answer.with_some(FactName::Subject, text("sub")),
    };
    let audience = claims.get("aud").and_then(|audience| audience.as_str().or_else(|| audience.get(0)?.as_str()));
    answer = answer.with_some(FactName::Audience, audience);
    answer = answer.with_some(FactName::Scope, text("scope").or_else(|| text("scp")).or_else(|| text("role")));
    answer = answer.with_some(FactName::Issued, claims.get("iat").and_then(json_time));
    answer.with_some(FactName::Expires, claims.get("exp").and_then(json_time))
}

/// A Unix time in JSON: a number, or one in quotes.
pub fn json_time(value: &Value) -> Option<String> {
    let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64));
    time(seconds.or_else(|| value.as_str()?.parse().ok())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::Outcome;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn token(header: &str, claims: &str, signature: usize) -> String {
        let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
        format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(vec![7; signature]))
    }

    #[test]
    fn structure_decides() {
        let outcome = |header: &str, signature: usize| check(token(header, r#"{"sub":"x"}"#, signature).as_bytes()).outcome;
        for (algorithm, length) in
            [("HS256", 32), ("HS384", 48), ("HS512", 64), ("ES256", 64), ("ES384", 96), ("ES512", 132), ("RS256", 256)]
        {
            let header = format!(r#"{{"alg":"{algorithm}"}}"#);
            assert!(matches!(outcome(&header, length), Outcome::Valid(_)), "{algorithm}");
            assert!(matches!(outcome(&header, length / 3), Outcome::Invalid(_)), "{algorithm}");
        }
        assert!(matches!(outcome(r#"{"alg":"none"}"#, 0), Outcome::Invalid(_)));
        assert!(matches!(outcome(r#"{"alg":"ü"}"#, 5), Outcome::Valid(_)));
        assert_eq!(
            [outcome("[]", 32), check(b"a.b").outcome, check(b"").outcome, check(b"..").outcome].map(|o| o == Outcome::Other),
            [true; 4]
        );
    }

    #[test]
    fn a_header_needs_no_algorithm_but_a_parameter_of_jose() {
        let outcome = |header: &str| check(token(header, r#"{"iss":"x"}"#, 32).as_bytes()).outcome;
        for header in [r#"{"typ":"JWT"}"#, r#"{"kid":"1"}"#, r#"{"zip":"DEF"}"#, r#"{"p2c":1000}"#, r#"{"iss":"x"}"#] {
            assert_eq!(outcome(header), Outcome::Invalid("its header names no algorithm"), "{header}");
        }
        assert_eq!(outcome(r#"{"version":3}"#), Outcome::Other);
    }

    #[test]
    fn encrypted_tokens_have_five_parts() {
        let part = |length: usize| URL_SAFE_NO_PAD.encode(vec![7; length]);
        let token = |alg: &str, enc: &str, parts: [usize; 4]| {
            let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","enc":"{enc}"}}"#));
            check(format!("{header}.{}", parts.map(part).join(".")).as_bytes()).outcome
        };
        assert!(matches!(token("dir", "A256GCM", [0, 12, 80, 16]), Outcome::Valid(_)));
        assert!(matches!(token("RSA-OAEP", "A256CBC-HS512", [256, 16, 80, 32]), Outcome::Valid(_)));
        assert!(matches!(token("dir", "A256GCM", [0, 16, 80, 16]), Outcome::Invalid(_)));
        assert!(matches!(token("RSA-OAEP", "A256GCM", [0, 12, 80, 16]), Outcome::Invalid(_)));
        assert_eq!(check(b"eyJhbGciOiJkaXIifQ....").outcome, Outcome::Other);
    }

    #[test]
    fn claims_are_told() {
        let claims = r#"{"iss":"https://id.acme.example","sub":"ci","aud":["api","x"],"exp":1769166461,"iat":"0","scope":"read"}"#;
        let prefixed = format!("ghs_1234567_{}", token(r#"{"alg":"RS256"}"#, claims, 256));
        let answer = check(prefixed.as_bytes());
        let names = [FactName::Issuer, FactName::Subject, FactName::Audience, FactName::Expires, FactName::Issued, FactName::Algorithm];
        let facts = names.map(|name| answer.fact(name).unwrap());
        assert_eq!(facts, ["https://id.acme.example", "ci", "api", "2026-01-23T11:07:41Z", "1970-01-01T00:00:00Z", "RS256"]);
        let account = check(token(r#"{"alg":"RS256"}"#, r#"{"sub":"system:serviceaccount:prod:deployer"}"#, 256).as_bytes());
        assert_eq!([FactName::Namespace, FactName::Account].map(|name| account.fact(name)), [Some("prod"), Some("deployer")]);
    }
}
