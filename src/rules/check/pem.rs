//! Private keys in armour: PEM (RFC 7468), OpenSSH's, SSH2's, PuTTY's and OpenPGP's; also once more encoded in base64.

use super::{Answer, FactName, Outcome, decode_lenient, der, openssh, pgp, putty};

/// Looks at what the armour holds: a key, an encrypted one, or only words about keys.
pub fn check(armour: &[u8]) -> Answer {
    if armour.starts_with(b"LS0tLS1CRUdJTi") {
        let whole: Vec<u8> = plain(&String::from_utf8_lossy(armour)).bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        let whole = whole.strip_suffix(b"=").map_or(&whole[..], |rest| rest.strip_suffix(b"=").unwrap_or(rest));
        return match decode_lenient(&whole[..whole.len() - usize::from(whole.len() % 4 == 1)]) {
            Some(inner) if inner.starts_with(b"-----BEGIN") => match inner_key(&inner) {
                Answer { outcome: Outcome::Other, .. } => Answer::invalid("the inner base64 does not hold a key"),
                answer => answer,
            },
            _ => Answer::unknown(),
        };
    }
    inner_key(armour)
}

/// In a JSON or shell string the line ends are written `\n`.
fn plain(text: &str) -> String {
    text.replace("\\r", "").replace("\\n", "\n")
}

fn inner_key(armour: &[u8]) -> Answer {
    let text = plain(&String::from_utf8_lossy(armour));
    if text.trim_start().starts_with("PuTTY") {
        return putty::check(text.trim_start());
    }
    let inside = text.split("BEGIN ").nth(1).unwrap_or_default();
    let label = inside.split("---").next().unwrap_or_default();
    let (content, label) = (inside[label.len()..].trim_start_matches('-'), label.trim());
    if label.starts_with("PGP") {
        return pgp::check(&text);
    }
    let content = content.split("---").next().unwrap_or_default();
    if content.contains("Proc-Type: 4,ENCRYPTED") {
        let cipher = content.lines().find_map(|line| line.trim().strip_prefix("DEK-Info: ")?.split(',').next()).unwrap_or("unknown cipher");
        let kind = label.strip_suffix("PRIVATE KEY").unwrap_or_default();
        return Answer::invalid("encrypted with a passphrase").with(FactName::Key, format!("{kind}key, encrypted ({cipher})"));
    }
    let body: String = content.lines().filter(|line| !line.contains(':')).flat_map(base64_of).collect();
    // What follows the padding is something else; and a key that lacks its end is a key.
    let whole = body.split('=').next().unwrap_or_default();
    let Some(key) = decode_lenient(&whole.as_bytes()[..whole.len() - usize::from(whole.len() % 4 == 1)]) else { return Answer::other() };
    if key.len() < 30 {
        return Answer::other();
    }
    if key.starts_with(openssh::MAGIC) {
        return openssh::check(&key);
    }
    if label.starts_with("SSH2") {
        return openssh::tectia(&key);
    }
    match der::parse(&key) {
        Some(der::Key::Whole(name)) => Answer::valid("the key's structure is whole").with(FactName::Key, name),
        Some(der::Key::Wrong(name)) => Answer::invalid("the modulus is not the product of the primes").with(FactName::Key, name),
        Some(der::Key::Encrypted(method)) => {
            Answer::invalid("encrypted with a passphrase").with(FactName::Key, format!("encrypted ({method})"))
        }
        None if label.starts_with("ENCRYPTED") => Answer::invalid("encrypted with a passphrase"),
        None => Answer::invalid("the base64 does not hold a key's DER structure"),
    }
}

/// The base64 of one line, which may be a string of a program (`"MII…" +`): then its longest part between quotes.
fn base64_of(line: &str) -> impl Iterator<Item = char> + '_ {
    let text = line.split(['"', '\'']).max_by_key(|part| part.len()).unwrap_or_default();
    let text = if text.contains(|c: char| c.is_ascii_alphanumeric() || c == '=') { text } else { "" };
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "+/=".contains(*c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::fake;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    fn armour(label: &str, der: &[u8], newline: &str) -> Vec<u8> {
        let dash = "-".repeat(5);
        let body: Vec<_> = STANDARD.encode(der).as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        format!("{dash}BEGIN {label}{dash}{newline}{}{newline}{dash}END {label}{dash}", body.join(newline)).into_bytes()
    }

    fn key(label: &str, der: &[u8]) -> Option<String> {
        check(&armour(label, der, "\n")).fact(FactName::Key).map(str::to_owned)
    }

    #[test]
    fn kinds_of_keys() {
        let rsa = der::tests::rsa(der::tests::MODULUS);
        for newline in ["\n", "\r\n", "\\n", "\\r\\n", "\n    ", " ", "\\n\" +\n \"", "' +\n '", "\",\n\""] {
            let answer = check(&armour("RSA PRIVATE KEY", &rsa, newline));
            assert!(matches!(answer.outcome, Outcome::Valid(_)), "{newline:?}");
            assert_eq!(answer.fact(FactName::Key), Some("RSA 64 bit"));
        }
        let answer = check(&armour("RSA PRIVATE KEY", &der::tests::rsa(der::tests::MODULUS - 2), "\n"));
        assert_eq!(answer.outcome, Outcome::Invalid("the modulus is not the product of the primes"));
        assert_eq!(
            check(&armour("PRIVATE KEY", &[9; 100], "\n")).outcome,
            Outcome::Invalid("the base64 does not hold a key's DER structure")
        );
        assert_eq!(check(&armour("PRIVATE KEY", &[], "\n")), Answer::other());
        assert_eq!(key("OPENSSH PRIVATE KEY", &fake::openssh(&[1; 64])).as_deref(), Some("Ed25519"));
    }

    #[test]
    fn encrypted_ones_are_named() {
        assert_eq!(check(&armour("ENCRYPTED PRIVATE KEY", &[7; 100], "\n")).outcome, Outcome::Invalid("encrypted with a passphrase"));
        let text = String::from_utf8(armour("RSA PRIVATE KEY", &[7; 100], "\n")).unwrap();
        let text = text.replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\n", 1);
        assert_eq!(check(text.as_bytes()).fact(FactName::Key), Some("RSA key, encrypted (AES-128-CBC)"));
    }

    #[test]
    fn encoded_once_more() {
        let inner = armour("RSA PRIVATE KEY", &der::tests::rsa(der::tests::MODULUS), "\n");
        let once_more = STANDARD.encode(&inner);
        for text in [once_more.clone(), once_more.replacen("QUL", "QUL\n  ", 1), STANDARD.encode([&inner[..], b"\n"].concat())] {
            assert_eq!(check(text.as_bytes()).fact(FactName::Key), Some("RSA 64 bit"), "{text}");
        }
        assert_eq!(check(b"LS0tLS1CRUdJTi!"), Answer::unknown());
        let cut = STANDARD.encode(&inner[..40]);
        assert!(matches!(check(cut.as_bytes()).outcome, Outcome::Invalid(_)));
    }
}
