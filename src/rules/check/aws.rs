//! AWS: the account is part of the newer access key ids, and of the keys of Bedrock (checksums.md, part B).

use super::fact::{time, unix};
use super::{Answer, FactName, decode_lenient};

/// An access key id: decodes the account number.
pub fn key_id(id: &[u8]) -> Answer {
    let Some(encoded) = id.get(4..20) else { return Answer::unknown() };
    let mut bits: u128 = 0;
    for byte in encoded {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return Answer::invalid("not the alphabet of AWS ids"),
        };
        bits = bits << 5 | u128::from(digit);
    }
    // 16 digits of 5 bits: 10 bytes, of which the first 6 hold the account.
    let first = (bits >> 32) as u64;
    if first >> 47 == 0 {
        return Answer::unknown();
    }
    let account = (first & 0x7fff_ffff_ff80) >> 7;
    if account > 999_999_999_999 {
        return Answer::invalid("the account number is impossible");
    }
    Answer::valid(format!("AWS account {account:012}")).with(FactName::Account, format!("{account:012}"))
}

/// A key of Bedrock: `ABSK` and the base64 of `BedrockAPIKey-…-at-ACCOUNT:secret`, or `bedrock-api-key-` and the base64 of a signed URL.
pub fn bedrock(key: &[u8]) -> Answer {
    let text = |prefix: &[u8]| key.strip_prefix(prefix).and_then(decode_lenient).and_then(|decoded| String::from_utf8(decoded).ok());
    if let Some(url) = text(b"bedrock-api-key-").filter(|url| url.starts_with("bedrock.amazonaws.com")) {
        return signed_url(&url);
    }
    match text(b"ABSK").as_deref().and_then(|text| text.strip_prefix("BedrockAPIKey-")?.split_once(':')) {
        Some((name, secret)) if !secret.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => {
            let answer = Answer::valid("decodes to a key of Bedrock").with(FactName::User, format!("BedrockAPIKey-{name}"));
            match name.rsplit_once("-at-") {
                Some((_, account)) if account.len() == 12 => answer.with(FactName::Account, account),
                _ => answer,
            }
        }
        _ => Answer::invalid("does not decode to a key of Bedrock"),
    }
}

/// What a URL signed by AWS's fourth method says of itself.
fn signed_url(url: &str) -> Answer {
    let parameter = |name: &str| url.split(['?', '&']).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let mut answer = Answer::valid("decodes to a signed URL of Bedrock").with(FactName::Host, "bedrock.amazonaws.com");
    let id = parameter("X-Amz-Credential").and_then(|credential| credential.split(['/', '%']).next()).unwrap_or_default();
    answer.facts.extend(key_id(id.as_bytes()).facts);
    let begin = parameter("X-Amz-Date").and_then(compact_time);
    let seconds = parameter("X-Amz-Expires").and_then(|seconds| seconds.parse::<u32>().ok());
    if let (Some(begin), Some(seconds)) = (begin, seconds) {
        answer = answer.with(FactName::Expires, time(begin + i64::from(seconds)).unwrap_or_default());
    }
    answer
}

/// `20310102T030405Z` as a Unix time.
fn compact_time(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to).filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?.parse::<i64>().ok();
    let (month, day) = (number(4, 6)?, number(6, 8)?);
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day) && text.as_bytes().get(8) == Some(&b'T');
    valid.then_some(unix(number(0, 4)?, month, day, number(9, 11)? * 3600 + number(11, 13)? * 60 + number(13, 15)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::Outcome;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn the_account_is_decoded() {
        let answer = key_id(format!("ASIA{}", "Y34FZKBOKMUTVV7A").as_bytes());
        assert_eq!(answer.outcome, Outcome::Valid("AWS account 609629065308".into()));
        assert_eq!(answer.fact(FactName::Account), Some("609629065308"));
        assert_eq!(key_id(format!("AKIA{}", "IOSFODNN7QQQQQQQ").as_bytes()), Answer::unknown());
        assert_eq!(key_id(b"AKIA"), Answer::unknown());
        assert!(matches!(key_id(format!("AKIA{}", "7777777777777777").as_bytes()).outcome, Outcome::Invalid(_)));
    }

    #[test]
    fn keys_of_bedrock() {
        let key = |text: &str| bedrock(format!("ABSK{}", STANDARD.encode(text)).as_bytes());
        let answer = key("BedrockAPIKey-ab1c-at-609629065308:c2VjcmV0c2VjcmV0");
        assert!(matches!(answer.outcome, Outcome::Valid(_)));
        assert_eq!(
            [FactName::Account, FactName::User].map(|name| answer.fact(name)),
            [Some("609629065308"), Some("BedrockAPIKey-ab1c-at-609629065308")]
        );
        assert!(matches!(key("BedrockAPIKey-x:").outcome, Outcome::Invalid(_)));
        assert!(matches!(bedrock(b"ABSK\xff").outcome, Outcome::Invalid(_)));
        let credential = format!("X-Amz-Credential=ASIA{}%2F20310101%2Fx", "Y34FZKBOKMUTVV7A");
        let url = format!("bedrock.amazonaws.com/?Action=CallWithBearerToken&{credential}&X-Amz-Date=20310102T030405Z&X-Amz-Expires=43200");
        let answer = bedrock(format!("bedrock-api-key-{}", STANDARD.encode(url)).as_bytes());
        assert_eq!(
            [FactName::Account, FactName::Expires].map(|name| answer.fact(name)),
            [Some("609629065308"), Some("2031-01-02T15:04:05Z")]
        );
        assert_eq!([compact_time(""), compact_time("20311302T030405Z"), compact_time("2031010²T030405Z")], [None, None, None]);
    }
}
