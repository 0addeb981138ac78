//! WireGuard's keys: 32 bytes in base64. A private key of `wg genkey` is a clamped scalar of Curve25519 (RFC 7748, section 5).

use super::{Answer, FactName, decode_base64};

/// Clamped or not. Preshared keys are not clamped, and every 32nd of them looks as if it were.
pub fn check(value: &[u8]) -> Answer {
    match decode_base64(value).as_deref() {
        Some([first, middle @ .., last]) if middle.len() == 30 => {
            if first & 7 == 0 && last & 0xc0 == 0x40 {
                Answer::valid("a clamped key, as `wg genkey` makes it").with(FactName::Key, "Curve25519 private key")
            } else {
                Answer::unknown()
            }
        }
        _ => Answer::other(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::Outcome;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn clamping() {
        let run = |first: u8, last: u8| check(STANDARD.encode([&[first][..], &[9; 30], &[last]].concat()).as_bytes()).outcome;
        assert!(matches!(run(0xf8, 0x7f), Outcome::Valid(_)));
        assert_eq!([run(1, 0x7f), run(0, 0xff), run(0, 0x3f)], [Outcome::Unknown, Outcome::Unknown, Outcome::Unknown]);
        assert_eq!(
            [check(b""), check(b"AA=="), check(STANDARD.encode([0; 31]).as_bytes())],
            [Answer::other(), Answer::other(), Answer::other()]
        );
    }
}
