//! PuTTY's private keys (PPK; appendix C of PuTTY's manual).

use super::openssh::{public, string};
use super::{Answer, FactName, decode_lenient};

/// The header says whether it is encrypted; the public half must be of the kind that the first line names.
pub fn check(text: &str) -> Answer {
    let mut lines = text.lines().map(str::trim);
    let field = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "));
    let kind = lines.next().and_then(|line| line.split_once(": ")).map_or("", |(_, kind)| kind);
    let mut count = 0;
    for line in lines.by_ref() {
        if let Some(number) = line.strip_prefix("Public-Lines: ") {
            count = number.parse::<u16>().unwrap_or(0);
            break;
        }
    }
    let body: String = lines.take(count.into()).collect();
    let blob = decode_lenient(body.as_bytes()).unwrap_or_default();
    let fits = !kind.is_empty() && string(&mut &blob[..]) == Some(kind.as_bytes());
    let name = public(&blob).filter(|_| fits).unwrap_or_else(|| kind.to_owned());
    let answer = match field("Encryption") {
        Some("none") if fits => Answer::valid("a PuTTY key without a passphrase").with(FactName::Key, name),
        Some("none") => Answer::invalid("the PuTTY key's public half does not parse").with(FactName::Key, name),
        Some(cipher) => Answer::invalid("encrypted with a passphrase").with(FactName::Key, format!("{name}, encrypted ({cipher})")),
        None => Answer::unknown(),
    };
    answer.with_some(FactName::Comment, field("Comment"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::Outcome;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn the_header_tells() {
        let blob = STANDARD.encode([b"\0\0\0\x07ssh-rsa\0\0\0\x03\x01\0\x01\0\0\x01\x01\0\x80".as_slice(), &[9; 255]].concat());
        let (one, two) = blob.split_at(64);
        let key = |encryption: &str| {
            format!(
                "PuTTY-User-Key-File-2: ssh-rsa\r\nEncryption: {encryption}\r\nComment: ci@build\r\nPublic-Lines: 2\r\n{one}\r\n{two}\r\nPrivate-Lines: 1\r\nAAAA\r\n"
            )
        };
        let answer = check(&key("none"));
        assert!(matches!(answer.outcome, Outcome::Valid(_)), "{answer:?}");
        assert_eq!([FactName::Key, FactName::Comment].map(|name| answer.fact(name)), [Some("RSA 2048 bit"), Some("ci@build")]);
        assert_eq!(check(&key("aes256-cbc")).fact(FactName::Key), Some("RSA 2048 bit, encrypted (aes256-cbc)"));
        assert!(matches!(check(&key("none").replace("Public-Lines: 2", "Public-Lines: 0")).outcome, Outcome::Invalid(_)));
        assert_eq!([check(""), check("PuTTY-User-Key-File-2: x")], [Answer::unknown(), Answer::unknown()]);
    }
}
