//! Dates as documents write them (RFC 3339): `2024-05-06T07:08:09.123Z`, `2024-05-06T07:08:09+02:00`.

/// Seconds in a day.
pub const DAY: i64 = 24 * 60 * 60;

/// Seconds since 1970-01-01T00:00:00Z. A leap second is the next one.
pub fn seconds(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, digits: usize| {
        let digits = bytes.get(from..from + digits)?;
        digits.iter().try_fold(0i64, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0')))
    };
    let has = |at: usize, any: &[u8]| bytes.get(at).is_some_and(|b| any.contains(b));
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let marks = has(4, b"-") && has(7, b"-") && has(10, b"Tt ") && has(13, b":") && has(16, b":");
    let day_is = (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !marks || !day_is || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut at = 19;
    if has(at, b".") {
        let digits = bytes[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
        at += if digits > 0 { 1 + digits } else { return None };
    }
    let offset = match bytes.get(at)? {
        b'Z' | b'z' if bytes.len() == at + 1 => 0,
        sign @ (b'+' | b'-') if bytes.len() == at + 6 && has(at + 3, b":") => {
            let (hours, minutes) = (number(at + 1, 2)?, number(at + 4, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if *sign == b'-' { -60 } else { 60 }
        }
        _ => return None,
    };
    Some(days(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Leap days from the year 0 up to the end of a year.
    let leaps = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let years = (year - 1970) * 365 + leaps(year - 1) - leaps(1969);
    years + (1..month).map(|month| days_in(year, month)).sum::<i64>() + day - 1
}

/// Year, month and day of a day that is counted from 1970-01-01.
pub fn written(day: i64) -> (i64, i64, i64) {
    // A year has 365.2425 days: the estimate is off by one at most.
    let guess = 1970 + day * 10_000 / 3_652_425;
    let year = [guess + 1, guess, guess - 1].into_iter().find(|year| days(*year, 1, 1) <= day).unwrap_or(guess - 2);
    let month = (1..=12).rev().find(|month| days(year, *month, 1) <= day).unwrap_or(1);
    (year, month, day - days(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_documents() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1969-12-31T23:59:59Z", Some(-1)),
            ("2000-02-29T12:00:00Z", Some(951_825_600)),
            ("2024-10-17T00:00:00Z", Some(1_729_123_200)),
            ("2024-10-17T02:00:00.123456789+02:00", Some(1_729_123_200)),
            ("2024-10-16t23:30:00-00:30", Some(1_729_123_200)),
            ("2100-03-01T00:00:00z", Some(4_107_542_400)),
            ("0001-01-01T00:00:00Z", Some(-62_135_596_800)),
            ("2023-02-29T00:00:00Z", None),
            ("2024-13-01T00:00:00Z", None),
            ("2024-10-17T24:00:00Z", None),
            ("2024-10-17T00:00:00", None),
            ("2024-10-17T00:00:00.Z", None),
            ("2024-10-17T00:00:00+2:00", None),
            ("2024-10-17", None),
            ("", None),
            ("20é4-10-17T00:00:00Z", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
