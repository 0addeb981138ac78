//! Offline validators: what a value says about itself (checksums.md). A check decides confidence, never existence.

mod aws;
mod crc32;
mod jwt;
mod pem;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// A validator, as named by a rule's `check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The last 6 characters are the base62 CRC-32 of what stands between the first `_` and them.
    Crc32Base62,
    /// A JSON Web Token.
    Jwt,
    /// A private key in PEM armour.
    PemKey,
    /// Base64 of `user:password`.
    Base64UserPass,
    /// An AWS access key id.
    AwsKeyId,
    /// Base64 of exactly so many bytes.
    Base64Key(usize),
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The value proves itself; the reason may be shown.
    Valid(String),
    /// The form is right and the proof fails.
    Invalid(&'static str),
    /// It is not what the rule is about: the match is dropped.
    Other,
    /// Nothing can be said.
    Unknown,
}

impl Check {
    /// The check with this name.
    pub fn parse(name: &str) -> Option<Check> {
        Some(match name {
            "crc32-base62" => Check::Crc32Base62,
            "jwt" => Check::Jwt,
            "pem-key" => Check::PemKey,
            "base64-userpass" => Check::Base64UserPass,
            "aws-key-id" => Check::AwsKeyId,
            _ => Check::Base64Key(name.strip_prefix("base64-key:")?.parse().ok()?),
        })
    }

    /// Looks at `value`.
    pub fn run(self, value: &[u8]) -> Outcome {
        match self {
            Check::Crc32Base62 => crc32::base62(value),
            Check::Jwt => jwt::check(value),
            Check::PemKey => pem::check(value),
            Check::Base64UserPass => user_and_password(value),
            Check::AwsKeyId => aws::key_id(value),
            Check::Base64Key(length) => base64_key(value, length),
        }
    }

    /// The checksum to put behind `body`, for examples.
    pub fn checksum(self, body: &str) -> Option<String> {
        match self {
            Check::Crc32Base62 => Some(crc32::base62_sum(body.split_once('_')?.1.as_bytes())),
            _ => None,
        }
    }
}

/// Base64 of the standard alphabet, padded or not.
fn decode_base64(value: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(value).or_else(|_| STANDARD_NO_PAD.decode(value)).ok()
}

fn user_and_password(value: &[u8]) -> Outcome {
    let Some(decoded) = decode_base64(value) else { return Outcome::Other };
    let printable = decoded.iter().all(|b| (0x20..0x7f).contains(b));
    match decoded.iter().position(|b| *b == b':') {
        Some(at) if printable && at > 0 && at + 1 < decoded.len() => Outcome::Valid("decodes to user:password".to_owned()),
        _ => Outcome::Other,
    }
}

fn base64_key(value: &[u8], length: usize) -> Outcome {
    match decode_base64(value) {
        Some(key) if key.len() == length => Outcome::Valid(format!("decodes to a key of {length} bytes")),
        _ => Outcome::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_user_and_password() {
        let valid = |text: &str| matches!(Check::Base64UserPass.run(STANDARD.encode(text).as_bytes()), Outcome::Valid(_));
        assert!(valid("ci:s3cret"));
        assert!(!valid("ci:"));
        assert!(!valid("nocolon"));
        assert_eq!(Check::Base64UserPass.run(b"%%%"), Outcome::Other);
        assert!(matches!(Check::Base64Key(32).run(STANDARD.encode([7; 32]).as_bytes()), Outcome::Valid(_)));
        assert_eq!(Check::Base64Key(32).run(STANDARD.encode([7; 31]).as_bytes()), Outcome::Other);
    }
}
