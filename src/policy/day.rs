//! Days: `2027-01-31`. All of them are days of UTC.

use crate::posture::date;
use std::fmt;

/// A day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(i64);

impl Day {
    /// The day in which a second lies, counted from 1970-01-01T00:00:00Z.
    pub fn of(seconds: u64) -> Day {
        Day(i64::try_from(seconds).unwrap_or(i64::MAX) / date::DAY)
    }

    /// `2027-01-31`, and nothing else.
    pub fn parse(text: &str) -> Option<Day> {
        let midnight = if text.len() == 10 { date::seconds(&format!("{text}T00:00:00Z")) } else { None };
        midnight.map(|seconds| Day(seconds.div_euclid(date::DAY)))
    }

    /// So many days later.
    pub fn plus(self, days: i64) -> Day {
        Day(self.0.saturating_add(days))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (year, month, day) = date::written(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_written() {
        for text in ["1970-01-01", "1969-12-31", "2000-02-29", "2026-11-26", "2027-01-31", "2100-12-31", "0001-01-01", "9999-12-31"] {
            assert_eq!(Day::parse(text).map(|day| day.to_string()).as_deref(), Some(text));
        }
        for wrong in ["2027-02-29", "2027-1-31", "27-01-31", "2027-01-31T", "2027/01/31", "", "never", "2027-01-3é", " 2027-01-3"] {
            assert_eq!(Day::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Day::of(951_825_600 + 43_199).to_string(), "2000-02-29");
        assert_eq!(Day::of(951_825_600).plus(366).to_string(), "2001-03-01");
        assert!(Day::parse("2027-01-31") < Day::parse("2027-02-01"));
        let all = (-800_000..2_000_000).step_by(13).map(Day);
        assert!(all.into_iter().filter(|day| day.0.abs() < 700_000).all(|day| Day::parse(&day.to_string()) == Some(day)));
    }
}
