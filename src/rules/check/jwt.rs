//! JSON Web Tokens (RFC 7519).

use super::fact::time;
use super::{Answer, FactName, decode_lenient};
use serde_json::Value;

/// Header and claims are JSON objects, the header names an algorithm, and there is a signature as long as that algorithm makes it.
/// A prefix that ends before the header's `eyJ` (`ghs_…_`, `glcbt-`) is passed.
pub fn check(token: &[u8]) -> Answer {
    let mut parts = token.split(|b| *b == b'.');
    let (Some(header), Some(claims), Some(signature)) = (parts.next(), parts.next(), parts.next()) else { return Answer::other() };
    let begin = memchr::memmem::find(header, b"eyJ").filter(|at| *at <= 64).unwrap_or(0);
    let (Some(header), Some(claims)) = (object(header).or_else(|| object(&header[begin..])), object(claims)) else {
        return Answer::other();
    };
    let Some(algorithm) = header.get("alg").and_then(Value::as_str) else { return Answer::other() };
    let length = signature.len() * 3 / 4;
    let fits = match algorithm.get(..2) {
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
    };
    let answer = if algorithm.eq_ignore_ascii_case("none") || signature.is_empty() {
        Answer::invalid("an unsigned token")
    } else if !fits {
        Answer::invalid("the signature is not as long as its algorithm makes it")
    } else if kubernetes(&claims).is_some() {
        Answer::valid("a Kubernetes service account's token")
    } else {
        Answer::valid("a well-formed, signed token")
    };
    facts(answer, algorithm, &claims)
}

fn object(part: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(&decode_lenient(part)?).ok()?;
    value.is_object().then_some(value)
}

/// Namespace and name of a Kubernetes service account.
fn kubernetes(claims: &Value) -> Option<(&str, &str)> {
    claims.get("sub")?.as_str()?.strip_prefix("system:serviceaccount:")?.split_once(':')
}

fn facts(mut answer: Answer, algorithm: &str, claims: &Value) -> Answer {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    answer = answer.with(FactName::Algorithm, algorithm).with_some(FactName::Issuer, text("iss"));
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
