//! Offline validators: what a value says about itself (checksums.md). A check decides confidence, never existence.
//!
//! Values are hostile: every check is total, and runs in time linear in the value.

mod answer;
mod aws;
mod azure;
mod bech32;
mod crc32;
mod der;
mod fact;
pub mod fake;
mod gcp;
mod gitlab;
mod json;
mod jwt;
mod keystore;
mod macaroon;
mod marks;
mod marvin;
mod openssh;
mod password_hash;
mod pem;
mod pgp;
mod product;
mod putty;
mod sas;
mod userpass;
mod wireguard;

pub use answer::{Answer, Outcome};
pub use fact::{Fact, FactName};

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A validator, as named by a rule's `check`; RULES.md says what each verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// A CRC-32 at the end.
    Crc32(crc32::Form),
    /// GitLab's routable tokens.
    GitLab,
    /// Bech32, as age writes it.
    Bech32,
    /// A macaroon of a Python package index.
    Macaroon,
    /// A JSON Web Token.
    Jwt,
    /// A private key in armour.
    PemKey,
    /// Base64 of `user:password`.
    Base64UserPass,
    /// Base64 of exactly so many bytes.
    Base64Key(usize),
    /// Base64 of a JSON object with certain members.
    Json(&'static json::Kind),
    /// A Google service account's key file.
    GcpServiceAccount,
    /// An AWS access key id.
    AwsKeyId,
    /// A key of Amazon Bedrock.
    AwsBedrock,
    /// A key of Azure.
    Azure(azure::Kind),
    /// A keystore with a private key.
    Keystore,
    /// A WireGuard key.
    WireGuard,
    /// The hash of a password.
    PasswordHash,
    /// A token with a mark or a number at a fixed place.
    Mark(marks::Mark),
}

impl Check {
    /// The check with this name.
    pub fn parse(name: &str) -> Option<Check> {
        if let Some(form) = name.strip_prefix("crc32-") {
            return crc32::Form::parse(form).map(Check::Crc32);
        }
        if let Some(kind) = name.strip_prefix("json:") {
            return json::Kind::parse(kind).map(Check::Json);
        }
        if let Some(length) = name.strip_prefix("base64-key:") {
            return length.parse().ok().map(Check::Base64Key);
        }
        Some(match name {
            "gitlab" => Check::GitLab,
            "bech32" => Check::Bech32,
            "macaroon" => Check::Macaroon,
            "jwt" => Check::Jwt,
            "pem-key" => Check::PemKey,
            "base64-userpass" => Check::Base64UserPass,
            "gcp-service-account" => Check::GcpServiceAccount,
            "aws-key-id" => Check::AwsKeyId,
            "aws-bedrock" => Check::AwsBedrock,
            "keystore" => Check::Keystore,
            "wireguard" => Check::WireGuard,
            "password-hash" => Check::PasswordHash,
            _ => return azure::Kind::parse(name).map(Check::Azure).or_else(|| marks::Mark::parse(name).map(Check::Mark)),
        })
    }

    /// Looks at `value`; `around` is all that the rule matched.
    pub fn run(self, value: &[u8], around: &[u8]) -> Answer {
        match self {
            Check::Crc32(form) => form.check(value),
            Check::GitLab => gitlab::check(value),
            Check::Bech32 => bech32::check(value),
            Check::Macaroon => macaroon::check(value),
            Check::Jwt => jwt::check(value),
            Check::PemKey => pem::check(value),
            Check::Base64UserPass => userpass::check(value),
            Check::Base64Key(length) => base64_key(value, length),
            Check::Json(kind) => kind.check(value),
            Check::GcpServiceAccount => gcp::check(value),
            Check::AwsKeyId => aws::key_id(value),
            Check::AwsBedrock => aws::bedrock(value),
            Check::Azure(kind) => kind.check(value, around),
            Check::Keystore => keystore::check(value),
            Check::WireGuard => wireguard::check(value),
            Check::PasswordHash => password_hash::check(value),
            Check::Mark(mark) => mark.check(value),
        }
    }

    /// The checksum to put behind `before`, for examples; none if the format has no such checksum.
    pub fn checksum(self, before: &str) -> Option<String> {
        match self {
            Check::Crc32(form) => form.sum(before.as_bytes()),
            Check::GitLab => gitlab::checksum(before),
            Check::Bech32 => bech32::checksum(before),
            Check::Azure(kind) => kind.checksum(before),
            Check::PemKey => pgp::checksum(before),
            _ => None,
        }
    }
}

/// The word that `text` ends with: letters, digits and these. So a checksum can be asked for behind other text.
fn last_word<'a>(text: &'a str, also: &str) -> &'a str {
    text.rsplit(|c: char| !c.is_ascii_alphanumeric() && !also.contains(c)).next().unwrap_or_default()
}

/// Base64 of the standard alphabet, padded or not.
pub(super) fn decode_base64(value: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(value).or_else(|_| STANDARD_NO_PAD.decode(value)).ok()
}

/// Base64 of either alphabet, padded or not; what is left over of the last character may be anything.
pub fn decode_lenient(value: &[u8]) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
    const ENGINES: [GeneralPurpose; 2] =
        [GeneralPurpose::new(&alphabet::STANDARD, CONFIG), GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG)];
    let url_safe = value.iter().any(|b| matches!(b, b'-' | b'_'));
    ENGINES[usize::from(url_safe)].decode(value).ok()
}

fn base64_key(value: &[u8], length: usize) -> Answer {
    match decode_base64(value) {
        Some(key) if key.len() == length => Answer::valid(format!("decodes to a key of {length} bytes")),
        _ => Answer::other(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_a_key() {
        assert!(matches!(Check::Base64Key(32).run(STANDARD.encode([7; 32]).as_bytes(), b"").outcome, Outcome::Valid(_)));
        assert_eq!(Check::Base64Key(32).run(STANDARD.encode([7; 31]).as_bytes(), b""), Answer::other());
        assert_eq!(Check::parse("base64-key:x"), None);
    }

    #[test]
    fn the_manual_names_every_fact_and_the_checks_of_the_rules() {
        let manual = include_str!("../../../RULES.md");
        for name in FactName::ALL {
            assert!(manual.contains(&format!("`{name}`")), "{name}");
        }
        for (_, text) in crate::rules::builtin::FILES {
            for name in text.lines().filter_map(|line| line.strip_prefix("check = \"")?.strip_suffix('"')) {
                assert!(Check::parse(name).is_some() && manual.contains(&format!("`{}", name.split([':', '-']).next().unwrap())), "{name}");
            }
        }
    }

    #[test]
    fn no_check_stumbles() {
        let names = [
            "crc32-base62",
            "crc32-hex:0",
            "gitlab",
            "bech32",
            "macaroon",
            "jwt",
            "pem-key",
            "base64-userpass",
            "base64-key:32",
            "json:sentry",
            "json:docker",
            "gcp-service-account",
            "aws-key-id",
            "aws-bedrock",
            "azure-key",
            "azure-cask",
            "azure-client-secret",
            "azure-devops",
            "azure-sas",
            "vault",
            "keystore",
            "wireguard",
            "password-hash",
            "openai",
            "sendgrid",
            "discord-bot",
            "telegram-bot",
            "jfrog-reference",
        ];
        let starts: [&[u8]; 14] = [
            b"",
            b"ghp_",
            b"pypi-AgEI",
            b"hvs.CAESI",
            b"sntrys_eyJ",
            b"ABSK",
            b"-----BEGIN RSA PRIVATE KEY-----\n",
            b"$2b$",
            b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n",
            b"PuTTY-User-Key-File-2: ssh-rsa\n",
            b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
            b"cmVmdGtuOjAx",
            b"SG.",
            b"LS0tLS1CRUdJTiBSU0E",
        ];
        for name in names {
            let check = Check::parse(name).unwrap();
            for (seed, start) in starts.iter().enumerate() {
                for length in 0..200 {
                    let text = fill(start, b"Az09+/=_-.~\n\\:\xff\0$1", seed, length);
                    check.run(&text, &text);
                    check.run(&fill(start, b"ABCDEFGHIJKLMNOPabcdefghijk0123456789+/", seed + length, length), b"se=&sp=%");
                    let _ = check.checksum(&String::from_utf8_lossy(&text));
                }
            }
        }
    }

    fn fill(start: &[u8], alphabet: &[u8], seed: usize, length: usize) -> Vec<u8> {
        let pick = |at: usize| alphabet[(at * 7919 + seed * 104_729 + at * at * 31) % alphabet.len()];
        start.iter().copied().chain((0..length).map(pick)).collect()
    }
}
