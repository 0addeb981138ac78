//! Private keys in PEM armour (RFC 7468), OpenSSH's own form included.

use super::{Outcome, decode_base64};

/// Looks at what the armour holds: a key, an encrypted one, or only words about keys.
pub fn check(armour: &[u8]) -> Outcome {
    // In a JSON or shell string the line ends are written `\n`.
    let text = String::from_utf8_lossy(armour).replace("\\r", "").replace("\\n", "\n");
    if text.contains("PGP") || text.contains("SSH2") {
        return Outcome::Unknown;
    }
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        return Outcome::Invalid("encrypted with a passphrase");
    }
    let body: String = text
        .lines()
        .filter(|line| !line.contains("-----") && !line.contains(':'))
        .flat_map(|line| line.chars().filter(|c| c.is_ascii_alphanumeric() || "+/=".contains(*c)))
        .collect();
    // A truncated key is a key: the padding of what is left need not fit.
    let whole = body.trim_end_matches('=');
    let Some(key) = decode_base64(&whole.as_bytes()[..whole.len() / 4 * 4]) else { return Outcome::Other };
    if let Some(rest) = key.strip_prefix(b"openssh-key-v1\0") {
        let clear = rest.starts_with(b"\0\0\0\x04none");
        return if clear {
            Outcome::Valid("an OpenSSH private key without a passphrase".to_owned())
        } else {
            Outcome::Invalid("encrypted with a passphrase")
        };
    }
    if text.contains("BEGIN ENCRYPTED") {
        return Outcome::Invalid("encrypted with a passphrase");
    }
    match key.first() {
        Some(0x30) if key.len() >= 30 => Outcome::Valid("the key's DER structure begins as it should".to_owned()),
        Some(_) if key.len() >= 30 => Outcome::Invalid("the base64 does not hold a key's DER structure"),
        _ => Outcome::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;

    fn armour(label: &str, der: &[u8], newline: &str) -> Vec<u8> {
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        let dash = "-".repeat(5);
        format!("{dash}BEGIN {label}{dash}{newline}{body}{newline}{dash}END {label}{dash}").into_bytes()
    }

    #[test]
    fn kinds_of_keys() {
        let der = [&[0x30, 0x82][..], &[7; 100]].concat();
        for newline in ["\n", "\r\n", "\\n"] {
            assert!(matches!(check(&armour("RSA PRIVATE KEY", &der, newline)), Outcome::Valid(_)));
        }
        assert!(matches!(check(&armour("ENCRYPTED PRIVATE KEY", &der, "\n")), Outcome::Invalid(_)));
        assert!(matches!(check(&armour("PRIVATE KEY", &[9; 100], "\n")), Outcome::Invalid(_)));
        assert_eq!(check(&armour("PRIVATE KEY", &[], "\n")), Outcome::Other);
        let openssh = [&b"openssh-key-v1\0\0\0\0\x04none"[..], &[1; 50]].concat();
        assert!(matches!(check(&armour("OPENSSH PRIVATE KEY", &openssh, "\n")), Outcome::Valid(_)));
    }
}
