//! Facts: what a value says about itself and may be shown to people. Never the secret.

use std::fmt;

/// A fact: a name from a small set, and a value that came from hostile bytes: under 128 bytes, and safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What the value is.
    pub name: FactName,
    /// The value, cut with `…` where it is long.
    pub value: String,
}

/// The names of facts; RULES.md lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FactName {
    /// The account that it opens: a number, a name.
    Account,
    /// How it is signed or hashed.
    Algorithm,
    /// Who is to accept it.
    Audience,
    /// The comment of a key file, mostly `user@host`.
    Comment,
    /// The database that it opens.
    Database,
    /// When it ends, RFC 3339 in UTC; `never`.
    Expires,
    /// The group it belongs to.
    Group,
    /// The host or URL that takes it.
    Host,
    /// What its issuer calls it: an id, a name.
    Id,
    /// When it was made, RFC 3339 in UTC or only a month.
    Issued,
    /// Who issued it.
    Issuer,
    /// What kind of key it is, and whether it is encrypted.
    Key,
    /// The Kubernetes namespace of the account.
    Namespace,
    /// The rules whose secrets, in the same image, open it.
    OpenedBy,
    /// The organization it belongs to.
    Organization,
    /// The port of the host.
    Port,
    /// The project it belongs to.
    Project,
    /// What it allows.
    Scope,
    /// The service that it is for.
    Service,
    /// Whom it speaks of.
    Subject,
    /// The user whose it is.
    User,
}

/// A value is at most so many bytes long, and the ellipsis.
const MOST_BYTES: usize = 124;

impl FactName {
    /// All of them.
    pub const ALL: [FactName; 21] = [
        FactName::Account,
        FactName::Algorithm,
        FactName::Audience,
        FactName::Comment,
        FactName::Database,
        FactName::Expires,
        FactName::Group,
        FactName::Host,
        FactName::Id,
        FactName::Issued,
        FactName::Issuer,
        FactName::Key,
        FactName::Namespace,
        FactName::OpenedBy,
        FactName::Organization,
        FactName::Port,
        FactName::Project,
        FactName::Scope,
        FactName::Service,
        FactName::Subject,
        FactName::User,
    ];

    /// The fact of this name.
    pub fn parse(name: &str) -> Option<FactName> {
        FactName::ALL.into_iter().find(|fact| fact.as_str() == name)
    }

    /// The text form.
    pub fn as_str(self) -> &'static str {
        match self {
            FactName::Account => "account",
            FactName::Algorithm => "algorithm",
            FactName::Audience => "audience",
            FactName::Comment => "comment",
            FactName::Database => "database",
            FactName::Expires => "expires",
            FactName::Group => "group",
            FactName::Host => "host",
            FactName::Id => "id",
            FactName::Issued => "issued",
            FactName::Issuer => "issuer",
            FactName::Key => "key",
            FactName::Namespace => "namespace",
            FactName::OpenedBy => "opened_by",
            FactName::Organization => "organization",
            FactName::Port => "port",
            FactName::Project => "project",
            FactName::Scope => "scope",
            FactName::Service => "service",
            FactName::Subject => "subject",
            FactName::User => "user",
        }
    }
}

impl fmt::Display for FactName {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Fact {
    /// A fact; none if nothing of the value can be shown.
    pub fn new(name: FactName, value: &str) -> Option<Fact> {
        // A URL may hold a password in front of its host.
        let value = if name == FactName::Host { value.rsplit('@').next().unwrap_or(value) } else { value };
        // Cut first: what is written out grows.
        let most = crate::text::cut(value.trim(), MOST_BYTES);
        let value = crate::text::cut(&crate::text::sanitise(&most), MOST_BYTES).into_owned();
        (!value.is_empty()).then_some(Fact { name, value })
    }
}

/// A Unix time in seconds as RFC 3339 in UTC; none outside of the years 1970 to 9999.
pub fn time(seconds: i64) -> Option<String> {
    if !(0..=253_402_300_799).contains(&seconds) {
        return None;
    }
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}

/// Year, month and day of a day after 1970-01-01, by the Gregorian calendar (H. Hinnant, “chrono-compatible low-level date
/// algorithms”): years begin in March, eras of 400 years have 146,097 days.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The Unix time of a day and a second of it; the inverse of [`time`] for what is written as date and time.
pub fn unix(year: i64, month: i64, day: i64, second: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = year.rem_euclid(400) * 365 + year.rem_euclid(400) / 4 - year.rem_euclid(400) / 100 + of_year;
    (year.div_euclid(400) * 146_097 + of_era - 719_468) * 86_400 + second
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_000_000_000, "2001-09-09T01:46:40Z"),
            (1_769_166_461, "2026-01-23T11:07:41Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(time(seconds).as_deref(), Some(text));
        }
        assert_eq!([time(-1), time(253_402_300_800), time(i64::MAX), time(i64::MIN)], [None, None, None, None]);
        assert_eq!([unix(2000, 2, 29, 0), unix(2026, 1, 23, 11 * 3600 + 7 * 60 + 41)], [951_782_400, 1_769_166_461]);
    }

    #[test]
    fn values_are_short_and_harmless() {
        let value = |text: &str| Fact::new(FactName::User, text).map(|fact| fact.value);
        assert_eq!(value(" deploy\n").as_deref(), Some("deploy"));
        assert_eq!(value("a\x1b[2J\u{202e}b").as_deref(), Some("a\\x1b[2J\\u{202e}b"));
        assert_eq!(value(" \n"), None);
        for long in ["ü".repeat(500), "\x1b".repeat(500), "x".repeat(125)] {
            let shown = value(&long).unwrap();
            assert!(shown.len() < 128 && shown.ends_with('…'), "{shown}");
        }
    }
}
