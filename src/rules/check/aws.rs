//! AWS access key ids: the account is part of the newer ones.

use super::Outcome;

/// Decodes the account number (checksums.md, part B).
pub fn key_id(id: &[u8]) -> Outcome {
    let Some(encoded) = id.get(4..20) else { return Outcome::Unknown };
    let mut bits: u128 = 0;
    for byte in encoded {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return Outcome::Invalid("not the alphabet of AWS ids"),
        };
        bits = bits << 5 | u128::from(digit);
    }
    // 16 digits of 5 bits: 10 bytes, of which the first 6 hold the account.
    let first = (bits >> 32) as u64;
    if first >> 47 == 0 {
        return Outcome::Unknown;
    }
    let account = (first & 0x7fff_ffff_ff80) >> 7;
    if account > 999_999_999_999 {
        return Outcome::Invalid("the account number is impossible");
    }
    Outcome::Valid(format!("AWS account {account:012}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_decoded() {
        assert_eq!(key_id(format!("ASIA{}", "Y34FZKBOKMUTVV7A").as_bytes()), Outcome::Valid("AWS account 609629065308".to_owned()));
        assert_eq!(key_id(format!("AKIA{}", "IOSFODNN7QQQQQQQ").as_bytes()), Outcome::Unknown);
    }
}
