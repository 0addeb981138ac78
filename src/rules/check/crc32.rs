//! CRC-32 (IEEE 802.3, reflected) over a token's body, written in base62.

use super::Outcome;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn crc32(bytes: &[u8]) -> u32 {
    !bytes
        .iter()
        .fold(!0u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())))
}

/// The CRC-32 of `body` as six base62 digits, most significant first.
pub fn base62_sum(body: &[u8]) -> String {
    let mut rest = crc32(body);
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|d| *d as char).collect()
}

/// `prefix_BODYcccccc`: GitHub's tokens since 2021, npm's.
pub fn base62(token: &[u8]) -> Outcome {
    let Some(at) = token.iter().position(|b| *b == b'_') else { return Outcome::Unknown };
    let body = &token[at + 1..];
    let Some((body, sum)) = body.len().checked_sub(6).map(|cut| body.split_at(cut)) else { return Outcome::Unknown };
    if base62_sum(body).as_bytes() == sum { Outcome::Valid("checksum valid".to_owned()) } else { Outcome::Invalid("checksum does not fit") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_vectors() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let body = "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO";
        assert_eq!(base62_sum(body.as_bytes()), "0pINUx");
        assert!(matches!(base62(format!("ghp_{body}0pINUx").as_bytes()), Outcome::Valid(_)));
        assert!(matches!(base62(format!("ghp_{body}0pINUy").as_bytes()), Outcome::Invalid(_)));
    }
}
