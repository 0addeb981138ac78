//! JSON Web Tokens (RFC 7519).

use super::Outcome;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Header and claims are JSON objects, the header names an algorithm, and there is a signature.
pub fn check(token: &[u8]) -> Outcome {
    let parts: Vec<&[u8]> = token.split(|b| *b == b'.').collect();
    let [header, claims, signature, ..] = parts[..] else { return Outcome::Other };
    let (Some(header), Some(claims)) = (object(header), object(claims)) else { return Outcome::Other };
    let Some(algorithm) = header.get("alg").and_then(Value::as_str) else { return Outcome::Other };
    if algorithm.eq_ignore_ascii_case("none") || signature.is_empty() {
        return Outcome::Invalid("an unsigned token");
    }
    let kubernetes = claims.get("sub").and_then(Value::as_str).is_some_and(|s| s.starts_with("system:serviceaccount:"));
    Outcome::Valid(if kubernetes { "a Kubernetes service account's token".to_owned() } else { "a well-formed, signed token".to_owned() })
}

fn object(part: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
    value.is_object().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structure_decides() {
        let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let token = |header: &str, claims: &str, signature: &str| format!("{}.{}.{signature}", part(header), part(claims));
        assert!(matches!(check(token(r#"{"alg":"HS256"}"#, r#"{"sub":"x"}"#, "abc").as_bytes()), Outcome::Valid(_)));
        assert!(matches!(check(token(r#"{"alg":"none"}"#, r#"{"sub":"x"}"#, "").as_bytes()), Outcome::Invalid(_)));
        assert_eq!(check(token("[]", "{}", "abc").as_bytes()), Outcome::Other);
        assert_eq!(check(b"a.b"), Outcome::Other);
    }
}
