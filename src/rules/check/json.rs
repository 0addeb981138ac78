//! Tokens that are the base64 of a JSON object, mostly behind a prefix.

use super::jwt::json_time;
use super::{Answer, FactName, decode_lenient};
use serde_json::Value;

/// What the object of one issuer holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The name, behind `json:`.
    name: &'static str,
    /// JSON pointers to members that are always there.
    required: &'static [&'static str],
    /// JSON pointers to what may be told: text, numbers, times (for `issued` and `expires`), or the names of an object's members.
    told: &'static [(&'static str, FactName)],
}

const KINDS: [Kind; 6] = [
    // `sntrys_` JSON `_` secret (develop.sentry.dev: RFC 0091, CI token).
    Kind {
        name: "sentry",
        required: &["/org", "/region_url"],
        told: &[("/url", FactName::Host), ("/org", FactName::Organization), ("/iat", FactName::Issued)],
    },
    // `ops_` JSON, a service account's.
    Kind {
        name: "1password",
        required: &["/signInAddress", "/email"],
        told: &[("/signInAddress", FactName::Host), ("/email", FactName::User)],
    },
    // `glc_` JSON: organization, name, key, region.
    Kind { name: "grafana-cloud", required: &["/n", "/k"], told: &[("/o", FactName::Organization), ("/n", FactName::Id)] },
    // JSON: key, name, the organization's number.
    Kind { name: "grafana", required: &["/k", "/n", "/id"], told: &[("/id", FactName::Organization), ("/n", FactName::Id)] },
    // JSON: the account's tag, the tunnel's number, a secret.
    Kind { name: "cloudflare-tunnel", required: &["/a", "/t", "/s"], told: &[("/a", FactName::Account), ("/t", FactName::Id)] },
    // A Docker config.json: the registries.
    Kind { name: "docker", required: &["/auths"], told: &[("/auths", FactName::Host)] },
];

/// So many names of an object's members are told.
const MOST_NAMES: usize = 3;

impl Kind {
    /// The one with this name.
    pub fn parse(name: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// Whether it decodes to such an object.
    pub fn check(&self, token: &[u8]) -> Answer {
        let Some(object) = decode(token) else { return Answer::invalid("does not decode to a JSON object") };
        if !self.required.iter().all(|pointer| object.pointer(pointer).is_some()) {
            return Answer::invalid("the JSON object lacks what such a token holds");
        }
        let mut answer = Answer::valid("decodes to such a token's JSON object");
        for (pointer, name) in self.told {
            answer = match object.pointer(pointer) {
                Some(Value::Object(members)) => {
                    members.keys().filter(|key| !key.is_empty()).take(MOST_NAMES).fold(answer, |answer, key| answer.with(*name, key))
                }
                Some(value) if matches!(name, FactName::Issued | FactName::Expires) => answer.with_some(*name, json_time(value)),
                Some(Value::String(text)) => answer.with(*name, text),
                Some(Value::Number(number)) => answer.with(*name, number.to_string()),
                _ => answer,
            };
        }
        answer
    }
}

/// The object that begins at the first `ey` or `ew` (`{"`, `{` and a line end), to the end or to the last `_`.
fn decode(token: &[u8]) -> Option<Value> {
    let from = token.windows(2).position(|pair| matches!(pair, b"ey" | b"ew"))?;
    let whole = token.get(from..)?;
    let cut = whole.iter().rposition(|b| *b == b'_').map(|at| &whole[..at]);
    let parse = |text: &[u8]| serde_json::from_slice::<Value>(&decode_lenient(text)?).ok().filter(Value::is_object);
    parse(whole).or_else(|| parse(cut?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::Outcome;
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    fn run(kind: &str, token: &str) -> Answer {
        Kind::parse(kind).unwrap().check(token.as_bytes())
    }

    #[test]
    fn objects_are_read() {
        let json = r#"{"iat":1769166461.25,"url":"https://sentry.io","region_url":"https://us.sentry.io","org":"acme"}"#;
        let answer = run("sentry", &format!("sntrys_{}_{}", STANDARD.encode(json), "a".repeat(43)));
        let facts = [FactName::Host, FactName::Organization, FactName::Issued].map(|name| answer.fact(name).unwrap());
        assert_eq!(facts, ["https://sentry.io", "acme", "2026-01-23T11:07:41Z"]);
        let token = URL_SAFE_NO_PAD.encode(r#"{"signInAddress":"acme.1password.com","email":"x@1passwordserviceaccounts.com","muk":{}}"#);
        let answer = run("1password", &format!("ops_{token}"));
        assert_eq!(answer.fact(FactName::Host), Some("acme.1password.com"));
        let answer = run("docker", &STANDARD.encode("{\n \"auths\": {\"ghcr.io\": {}, \"quay.io\": {}}}"));
        assert_eq!(answer.facts.iter().map(|fact| &fact.value[..]).collect::<Vec<_>>(), ["ghcr.io", "quay.io"]);
        assert_eq!(run("grafana", &STANDARD.encode(r#"{"k":"x","n":"ci","id":1}"#)).fact(FactName::Organization), Some("1"));
    }

    #[test]
    fn what_does_not_decode_is_doubtful() {
        for token in ["", "ey", "sntrys_eyJ", "sntrys_eyJpYXQ_x", &STANDARD.encode("{}"), &STANDARD.encode("[1]")] {
            assert!(matches!(run("sentry", token).outcome, Outcome::Invalid(_)), "{token}");
        }
        assert!(Kind::parse("other").is_none());
    }
}
