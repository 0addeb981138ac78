//! GitLab's routable tokens: `PREFIX payload . [version .] length crc` (gitlab: `lib/authn/token_field/generator/routable_token.rb`).

use super::{Answer, FactName, crc32, decode_lenient, jwt, last_word};

/// Length (two digits of base 36) and CRC-32 (seven) of the payload and of all before the sum. Tokens without a dot carry no sum.
pub fn check(token: &[u8]) -> Answer {
    let Some(dot) = token.iter().rposition(|b| *b == b'.') else { return Answer::unknown() };
    let (before, tail) = token.split_at(dot + 1);
    if tail.len() != 9 {
        // The job token of CI is a JSON web token in some installations.
        return if memchr::memmem::find(token, b"eyJ").is_some() { jwt::check(token) } else { Answer::unknown() };
    }
    let (length, sum) = tail.split_at(2);
    let head = before.split(|b| *b == b'.').next().unwrap_or_default();
    let payload = digits(length).and_then(|length| head.get(head.len().checked_sub(usize::try_from(length).ok()?)?..));
    let fits = payload.is_some() && crc32::base36(crc32::crc32(&token[..dot + 3]).into(), 7).as_bytes() == sum;
    let answer = Answer::checksum(fits);
    if fits { payload.and_then(decode_lenient).map_or(answer.clone(), |payload| routing(answer, &payload)) } else { answer }
}

/// Length and sum for what ends in the dot behind the payload or the version.
pub fn checksum(before: &str) -> Option<String> {
    let before = last_word(before, "_-.");
    let head = before.strip_suffix('.')?.split('.').next()?;
    let payload = head.split_once('-')?.1;
    let length = crc32::base36(payload.len() as u64, 2);
    let sum = crc32::crc32(format!("{before}{length}").as_bytes());
    Some(format!("{length}{}", crc32::base36(sum.into(), 7)))
}

fn digits(text: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(text).ok()?, 36).ok()
}

/// The payload ends in random bytes and one byte that counts them; before them stand lines of `key:number`, the number in base 36.
fn routing(mut answer: Answer, payload: &[u8]) -> Answer {
    let Some((random, rest)) = payload.split_last() else { return answer };
    let Some(lines) = rest.len().checked_sub((*random).into()).and_then(|end| rest.get(..end)) else { return answer };
    for line in lines.split(|b| *b == b'\n') {
        let Some((key, number)) = line.split_at_checked(2) else { continue };
        let name = match key {
            b"o:" => FactName::Organization,
            b"g:" => FactName::Group,
            b"p:" => FactName::Project,
            b"u:" => FactName::User,
            _ => continue,
        };
        if let Some(number) = digits(number) {
            answer = answer.with(name, number.to_string());
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::check::Outcome;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    #[test]
    fn the_sum_decides() {
        let token = |sum: &str| format!("glpat-{}.{sum}", "bzox79Of-KE9FD2LjoXXF4CvyxA");
        let answer = check(token("0r03gxo7s").as_bytes());
        assert!(matches!(answer.outcome, Outcome::Valid(_)));
        assert_eq!(answer.fact(FactName::Organization), Some("1"));
        assert!(matches!(check(token("0r03gxo7a").as_bytes()).outcome, Outcome::Invalid(_)));
        assert!(matches!(check(token("zz03gxo7s").as_bytes()).outcome, Outcome::Invalid(_)));
        assert_eq!(checksum(&token("")).as_deref(), Some("0r03gxo7s"));
    }

    #[test]
    fn the_payload_tells_whose_it_is() {
        let payload = URL_SAFE_NO_PAD.encode([&b"o:1\nu:2s\np:zz\nx"[..], &[0xfe; 16], &[16]].concat());
        let before = format!("glrt-{payload}.01.");
        let answer = check(format!("{before}{}", checksum(&before).unwrap()).as_bytes());
        assert_eq!([FactName::User, FactName::Project].map(|name| answer.fact(name)), [Some("100"), Some("1295")]);
    }

    #[test]
    fn others_are_not_judged() {
        for token in ["", ".", "glpat-abcdefghijklmnopqrst", "glpat-a.b", "glcbt-1_x"] {
            assert_eq!(check(token.as_bytes()).outcome, Outcome::Unknown);
        }
        assert!(matches!(check(b".+10000000").outcome, Outcome::Invalid(_)));
    }
}
