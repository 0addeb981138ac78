//! Tokens with a mark, a number or a length at a fixed place: OpenAI, SendGrid, Discord, Telegram, JFrog, Vault.

use super::fact::time;
use super::{Answer, FactName, decode_lenient};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Whose mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// `T3BlbkFJ`, the base64 of “OpenAI”, within the key.
    OpenAi,
    /// `SG.` and the base64url of 16 and of 32 bytes.
    SendGrid,
    /// The first part is the base64 of the bot's number.
    DiscordBot,
    /// The bot's number stands before the colon.
    TelegramBot,
    /// Base64 of `reftkn:01:EXPIRY:…`.
    JfrogReference,
    /// `hvs.` and the base64url of a signed token in Protocol Buffers: version 1, an HMAC of 32 bytes, the token.
    Vault,
}

impl Mark {
    /// The one with this name.
    pub fn parse(name: &str) -> Option<Mark> {
        Some(match name {
            "openai" => Mark::OpenAi,
            "sendgrid" => Mark::SendGrid,
            "discord-bot" => Mark::DiscordBot,
            "telegram-bot" => Mark::TelegramBot,
            "jfrog-reference" => Mark::JfrogReference,
            "vault" => Mark::Vault,
            _ => return None,
        })
    }

    /// Whether the mark is there.
    pub fn check(self, token: &[u8]) -> Answer {
        match self {
            Mark::OpenAi if memchr::memmem::find(token, b"T3BlbkFJ").is_some() => Answer::valid("holds OpenAI's mark"),
            Mark::OpenAi => Answer::invalid("OpenAI's mark is missing"),
            Mark::SendGrid => sendgrid(token),
            Mark::DiscordBot => discord(token),
            Mark::TelegramBot => telegram(token),
            Mark::JfrogReference => jfrog(token),
            Mark::Vault => vault(token),
        }
    }
}

fn sendgrid(key: &[u8]) -> Answer {
    let mut lengths = key.split(|b| *b == b'.').skip(1).map(|part| URL_SAFE_NO_PAD.decode(part).ok().map(|bytes| bytes.len()));
    if [lengths.next(), lengths.next(), lengths.next()] == [Some(Some(16)), Some(Some(32)), None] {
        Answer::valid("decodes to an id and a key of the right lengths")
    } else {
        Answer::invalid("does not decode to an id and a key of the right lengths")
    }
}

fn discord(token: &[u8]) -> Answer {
    let first = token.split(|b| *b == b'.').next().unwrap_or_default();
    match decode_lenient(first).and_then(|number| String::from_utf8(number).ok()) {
        Some(number) if (17..=20).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()) => {
            Answer::valid("begins with a bot's number").with(FactName::Id, number)
        }
        _ => Answer::invalid("does not begin with a bot's number"),
    }
}

fn telegram(token: &[u8]) -> Answer {
    let number = token.split(|b| *b == b':').next().unwrap_or_default();
    if number.is_empty() || number.len() == token.len() || !number.iter().all(u8::is_ascii_digit) {
        return Answer::unknown();
    }
    Answer::unknown().with(FactName::Id, String::from_utf8_lossy(number))
}

fn jfrog(token: &[u8]) -> Answer {
    let decoded = decode_lenient(token).unwrap_or_default();
    let mut parts = decoded.split(|b| *b == b':');
    let text = |part: Option<&[u8]>| part.and_then(|part| std::str::from_utf8(part).ok()).map(str::to_owned);
    if parts.next() != Some(b"reftkn") || parts.next().is_none() {
        return Answer::invalid("does not decode to a reference token");
    }
    match text(parts.next()).and_then(|expiry| expiry.parse::<u32>().ok()) {
        Some(0) => Answer::valid("decodes to a reference token").with(FactName::Expires, "never"),
        Some(expiry) => Answer::valid("decodes to a reference token").with_some(FactName::Expires, time(expiry.into())),
        None => Answer::invalid("does not decode to a reference token"),
    }
}

/// The other form, 24 characters, is nothing but random.
fn vault(token: &[u8]) -> Answer {
    let Some(body) = token.strip_prefix(b"hvs.").filter(|body| body.starts_with(b"CAES")) else { return Answer::unknown() };
    // The rest is cut to whole groups of base64, so that a token that lacks its end is one too.
    match decode_lenient(&body[..body.len() / 4 * 4]).as_deref() {
        Some([0x08, 0x01, 0x12, 0x20, ..]) => Answer::valid("decodes to a signed token"),
        _ => Answer::invalid("does not decode to a signed token"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::Outcome;
    use base64::engine::general_purpose::STANDARD;

    fn valid(mark: Mark, token: &str) -> bool {
        matches!(mark.check(token.as_bytes()).outcome, Outcome::Valid(_))
    }

    #[test]
    fn marks() {
        assert!(valid(Mark::OpenAi, &format!("sk-{0}T3Blbk{1}{0}", "a".repeat(20), "FJ")));
        assert!(!valid(Mark::OpenAi, "sk-proj-x"));
        let key = |id: usize, key: usize| format!("SG.{}.{}", URL_SAFE_NO_PAD.encode(vec![7; id]), URL_SAFE_NO_PAD.encode(vec![9; key]));
        assert!(valid(Mark::SendGrid, &key(16, 32)));
        assert!(
            !valid(Mark::SendGrid, &key(16, 31)) && !valid(Mark::SendGrid, &format!("{}.x", key(16, 32))) && !valid(Mark::SendGrid, "")
        );
    }

    #[test]
    fn numbers() {
        let token = format!("{}.GAbcde.{}", STANDARD.encode("123456789012345678"), "x".repeat(38));
        assert_eq!(Mark::DiscordBot.check(token.as_bytes()).fact(FactName::Id), Some("123456789012345678"));
        assert!(!valid(Mark::DiscordBot, &token[1..]) && !valid(Mark::DiscordBot, ""));
        assert_eq!(Mark::TelegramBot.check(b"123456789:AAx").fact(FactName::Id), Some("123456789"));
        assert_eq!([Mark::TelegramBot.check(b"12345"), Mark::TelegramBot.check(b":")], [Answer::unknown(), Answer::unknown()]);
    }

    #[test]
    fn reference_tokens_say_when_they_end() {
        let expires = |text: &str| Mark::JfrogReference.check(STANDARD.encode(text).as_bytes()).fact(FactName::Expires).map(str::to_owned);
        assert_eq!(expires("reftkn:01:1769166461:abcdef").as_deref(), Some("2026-01-23T11:07:41Z"));
        assert_eq!(expires("reftkn:01:0000000000:abcdef").as_deref(), Some("never"));
        assert!([expires("reftkn:01:x:"), expires("reftkn:01"), expires("other:01:5:x")].iter().all(Option::is_none));
    }

    #[test]
    fn signed_tokens_of_vault() {
        let token = |bytes: &[u8]| format!("hvs.{}", URL_SAFE_NO_PAD.encode(bytes));
        assert!(valid(Mark::Vault, &token(&[&[8, 1, 18, 32][..], &[7; 64]].concat())));
        assert!(!valid(Mark::Vault, &token(&[&[8, 1, 18, 36][..], &[7; 64]].concat())));
        assert_eq!(Mark::Vault.check(format!("hvs.{}", "a".repeat(24)).as_bytes()), Answer::unknown());
    }
}
