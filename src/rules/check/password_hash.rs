//! Hashes of passwords: which algorithm (crypt(5)), and whether bcrypt's is one.

use super::{Answer, FactName};

/// `$2b$COST$` and 53 characters: a salt of 16 bytes and a hash of 23, in bcrypt's base64. The others are only named.
pub fn check(hash: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(hash);
    let mut parts = text.split('$').skip(1);
    let algorithm = match parts.next().unwrap_or_default() {
        "1" => "MD5-crypt",
        "apr1" => "MD5-crypt of Apache",
        "5" => "SHA-256-crypt",
        "6" => "SHA-512-crypt",
        "7" => "scrypt",
        "y" => "yescrypt",
        "gy" => "gost-yescrypt",
        "sha1" => "SHA-1-crypt",
        "argon2i" | "argon2d" | "argon2id" => "Argon2",
        "2" | "2a" | "2b" | "2x" | "2y" => return bcrypt(parts.next().unwrap_or_default(), parts.next().unwrap_or_default()),
        _ => return Answer::unknown(),
    };
    Answer::unknown().with(FactName::Algorithm, algorithm)
}

fn bcrypt(cost: &str, rest: &str) -> Answer {
    let cost = cost.parse::<u8>().ok().filter(|cost| (4..=31).contains(cost));
    // 22 characters hold 4 bits more than a salt, the 31 of the hash 2 more: these are zero. Old libraries left the salt's as they were.
    let ends_right = rest.len() == 53 && rest.bytes().last().is_some_and(|b| b".CGKOSWaeimquy26".contains(&b));
    match cost {
        Some(cost) if ends_right => Answer::valid("the form of a bcrypt hash").with(FactName::Algorithm, format!("bcrypt, cost {cost}")),
        _ => Answer::invalid("not quite the form of a bcrypt hash"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::Outcome;

    #[test]
    fn forms() {
        // The test vector of OpenBSD's bcrypt for the password `U*U`.
        let hash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        assert_eq!(check(hash.as_bytes()).fact(FactName::Algorithm), Some("bcrypt, cost 5"));
        for wrong in [hash.replace("$05$", "$99$"), hash.replace("OeW", "OeX"), hash.replace("OeW", ""), "$2b$".to_owned()] {
            assert!(matches!(check(wrong.as_bytes()).outcome, Outcome::Invalid(_)), "{wrong}");
        }
        assert_eq!(check(b"$6$salt$hash").fact(FactName::Algorithm), Some("SHA-512-crypt"));
        assert_eq!([check(b""), check(b"$"), check(b"$9$x")], [Answer::unknown(), Answer::unknown(), Answer::unknown()]);
    }
}
