//! Base64 of `user:password`: HTTP Basic (RFC 7617), Docker's `auth`, npm's `_auth`.

use super::{Answer, FactName, decode_base64};

/// Decodes it; the user is told, unless the user is the secret.
pub fn check(value: &[u8]) -> Answer {
    let Some(decoded) = decode_base64(value) else { return Answer::other() };
    if !decoded.iter().all(|b| (0x20..0x7f).contains(b)) {
        return Answer::other();
    }
    let text = String::from_utf8_lossy(&decoded);
    match text.split_once(':') {
        Some((user, password)) if !user.is_empty() && !password.is_empty() => {
            let answer = Answer::valid("decodes to user:password");
            if user == password || looks_like_token(user) { answer } else { answer.with(FactName::User, user) }
        }
        _ => Answer::other(),
    }
}

/// True for what may be a token in the place of a user (`TOKEN:x-oauth-basic`): 20 letters and digits or more in a row.
fn looks_like_token(user: &str) -> bool {
    user.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word.len() >= 20 && word.bytes().any(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::Outcome;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn base64_of_user_and_password() {
        let run = |text: &str| check(STANDARD.encode(text).as_bytes());
        assert!(matches!(run("ci:s3cret").outcome, Outcome::Valid(_)));
        assert_eq!(run("ci:s3cret:more").fact(FactName::User), Some("ci"));
        assert_eq!(run("same:same").fact(FactName::User), None);
        assert_eq!(run(&format!("ghp_{}1:x-oauth-basic", "a".repeat(35))).fact(FactName::User), None);
        for text in ["ci:", ":x", "nocolon", "c\u{1}:x", ""] {
            assert_eq!(run(text), Answer::other());
        }
        assert_eq!(check(b"%%%"), Answer::other());
    }
}
