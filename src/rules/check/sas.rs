//! Azure's shared access signatures (learn.microsoft.com: “Create a service SAS”).

use super::fact::time;
use super::{Answer, FactName, decode_lenient};
use crate::text::percent_decode;

/// The signature is an HMAC-SHA-256; the parameters beside it say what it opens, and until when.
pub fn check(value: &[u8], around: &[u8]) -> Answer {
    let around = String::from_utf8_lossy(around);
    let parameter = |name: &str| {
        let value = around.split(['?', '&', ' ', ';']).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value.map(unescape)
    };
    let signature = decode_lenient(unescape(&String::from_utf8_lossy(value)).as_bytes());
    let answer = match signature {
        Some(signature) if signature.len() == 32 => Answer::valid("decodes to a signature of 32 bytes"),
        _ => Answer::invalid("does not decode to a signature of 32 bytes"),
    };
    let expires = parameter("se").map(|end| end.parse().ok().and_then(time).unwrap_or(end));
    let answer = answer.with_some(FactName::Expires, expires).with_some(FactName::Scope, parameter("sp"));
    answer.with_some(FactName::Host, parameter("sr").filter(|resource| resource.contains('.'))).with_some(FactName::Id, parameter("skn"))
}

fn unescape(text: &str) -> String {
    String::from_utf8_lossy(&percent_decode(text.as_bytes())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::Outcome;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn shared_access_signatures_say_when_they_end() {
        let signature = STANDARD.encode([0xfb; 32]).replace('+', "%2B").replace('/', "%2f").replace('=', "%3D");
        let answer = check(signature.as_bytes(), b"sp=rwd&st=2024-01-01&se=2031-01-02T03%3A04%3A05Z&sv=2022&sig=");
        assert!(matches!(answer.outcome, Outcome::Valid(_)));
        assert_eq!([FactName::Expires, FactName::Scope].map(|name| answer.fact(name)), [Some("2031-01-02T03:04:05Z"), Some("rwd")]);
        let answer = check(b"x%", b"SharedAccessSignature sr=acme.servicebus.windows.net%2Fq&se=1769166461&skn=root&sig=");
        assert!(matches!(answer.outcome, Outcome::Invalid(_)));
        let facts = [FactName::Expires, FactName::Host, FactName::Id].map(|name| answer.fact(name));
        assert_eq!(facts, [Some("2026-01-23T11:07:41Z"), Some("acme.servicebus.windows.net/q"), Some("root")]);
        assert_eq!([unescape("%41%4"), unescape("%%41ü%ü"), unescape("%+1")], ["A%4", "%Aü%ü", "%+1"]);
    }
}
