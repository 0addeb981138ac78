//! `pentimento.toml`: options of a scan, what fails it, and what is let pass.

use super::ignore::{Ignore, What, expiry};
use crate::error::Error;
use crate::text::unquoted;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::{Spanned, Value};

/// Keys of `[fail-on]`, and the options that they stand for.
const FAIL_ON: [(&str, &str); 7] = [
    ("fate", "fail-on"),
    ("severity", "fail-on-severity"),
    ("confidence", "fail-on-confidence"),
    ("providers", "fail-on-provider"),
    ("except-providers", "except-provider"),
    ("layers", "fail-on-layers"),
    ("notes", "fail-on-notes"),
];

/// Keys of `[scan]`, which are options. None of them writes a file or shows a value.
const SCAN: [&str; 26] = [
    "min-confidence",
    "rules",
    "disable",
    "platform",
    "threads",
    "jobs",
    "offline",
    "dockerfile",
    "exit-code",
    "base",
    "baseline",
    "ignore-file",
    "allow-missing-layers",
    "include-public",
    "no-allow",
    "timeout",
    "max-layer-size",
    "max-ratio",
    "max-entries",
    "max-name",
    "max-nesting",
    "max-depth",
    "max-json",
    "max-layers",
    "max-manifests",
    "max-steps",
];

/// Options whose values are paths: those count from the file that they stand in.
const PATHS: [&str; 5] = ["rules", "base", "baseline", "ignore-file", "dockerfile"];

/// What a file says.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Options and their values.
    pub settings: Vec<Setting>,
    /// What is let pass.
    pub ignores: Vec<Ignore>,
}

/// An option, as the command line has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its long name, without the dashes.
    pub option: &'static str,
    /// Its values; of one that takes none, `true` or `false`.
    pub values: Vec<String>,
    /// The values are paths, which count from the file.
    pub paths: bool,
    /// `file:line:column`.
    pub place: String,
}

type Table = BTreeMap<Spanned<String>, Spanned<Value>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSpec {
    #[serde(default)]
    scan: Table,
    #[serde(default, rename = "fail-on")]
    fail_on: Table,
    #[serde(default)]
    ignore: Vec<Spanned<IgnoreSpec>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IgnoreSpec {
    id: Option<Spanned<String>>,
    rule: Option<Spanned<String>>,
    path: Option<Spanned<String>>,
    secret: Option<Spanned<String>>,
    reason: Spanned<String>,
    expires: Spanned<Value>,
}

/// A file, for messages.
struct Text<'a> {
    file: &'a str,
    text: &'a str,
}

impl Text<'_> {
    fn line(&self, at: usize) -> usize {
        1 + self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|b| **b == b'\n').count()
    }

    fn place(&self, at: usize) -> String {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let column = 1 + before.iter().rev().take_while(|b| **b != b'\n').count();
        format!("{}:{}:{column}", self.file, self.line(at))
    }

    fn wrong(&self, at: usize, message: impl Into<String>) -> Error {
        Error::Policy { file: self.place(at), message: message.into() }
    }
}

impl Config {
    /// Reads the text of a file. The error names file, line and column.
    pub fn read(file: &str, text: &str) -> Result<Config, Error> {
        let source = Text { file, text };
        let spec: FileSpec = toml::from_str(text).map_err(|e| match e.span() {
            Some(span) => source.wrong(span.start, unquoted(e.message())),
            None => Error::Policy { file: file.to_owned(), message: unquoted(e.message()) },
        })?;
        let known = |table: &str, keys: &[&str], key: &Spanned<String>| {
            let message = unquoted(&format!("[{table}] has no key `{}`: it has {}", key.get_ref(), keys.join(", ")));
            source.wrong(key.span().start, message)
        };
        let mut settings = Vec::new();
        for (key, value) in &spec.scan {
            let option = SCAN.into_iter().find(|option| option == key.get_ref()).ok_or_else(|| known("scan", &SCAN, key))?;
            settings.push(setting(&source, option, value)?);
        }
        for (key, value) in &spec.fail_on {
            let option = FAIL_ON.into_iter().find(|(name, _)| name == key.get_ref());
            let (_, option) = option.ok_or_else(|| known("fail-on", &FAIL_ON.map(|(name, _)| name), key))?;
            settings.push(setting(&source, option, value)?);
        }
        let ignores = spec.ignore.iter().map(|spec| ignore(&source, spec)).collect::<Result<_, _>>()?;
        Ok(Config { settings, ignores })
    }
}

fn setting(source: &Text, option: &'static str, value: &Spanned<Value>) -> Result<Setting, Error> {
    let at = value.span().start;
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Boolean(yes) => Ok(yes.to_string()),
        _ => Err(source.wrong(at, "a text, a number, true or false, or a list of texts is expected")),
    };
    let values = match value.get_ref() {
        // No condition at all, or one that nothing meets: whoever writes it has to say which.
        Value::Array(all) if all.is_empty() => return Err(source.wrong(at, "the list is empty: leave the key away")),
        Value::Array(all) => all.iter().map(one).collect::<Result<_, _>>()?,
        value => vec![one(value)?],
    };
    Ok(Setting { option, values, paths: PATHS.contains(&option), place: source.place(at) })
}

fn ignore(source: &Text, spec: &Spanned<IgnoreSpec>) -> Result<Ignore, Error> {
    let begin = spec.span().start;
    let spec = spec.get_ref();
    let mut what = What::default();
    for (kind, value) in [("id", &spec.id), ("rule", &spec.rule), ("path", &spec.path), ("secret", &spec.secret)] {
        if let Some(value) = value {
            what.add(kind, value.get_ref()).map_err(|message| source.wrong(value.span().start, message))?;
        }
    }
    let day = match spec.expires.get_ref() {
        Value::String(text) => text.clone(),
        Value::Datetime(day) => day.to_string(),
        other => other.to_string(),
    };
    let expires = expiry(&day).map_err(|message| source.wrong(spec.expires.span().start, message))?;
    Ignore::new(what, spec.reason.get_ref(), expires, source.file, source.line(begin)).map_err(|message| source.wrong(begin, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read() {
        let text = "# ours\n[scan]\nmin-confidence = \"high\"\nrules = [\"a.toml\", \"b.toml\"]\nmax-depth = 3\ninclude-public = true\n\n\
                    [fail-on]\nfate = [\"present\", \"config\"]\nseverity = \"high\"\n\n\
                    [[ignore]]\nrule = \"jwt-token\"\npath = \"tests/**\"\nreason = \"made up\"\nexpires = \"never\"\n\n\
                    [[ignore]]\nid = \"0123456789abcdef0123\"\nreason = \"revoked\"\nexpires = 2027-01-31\n";
        let config = Config::read("p.toml", text).expect("a file");
        let told: Vec<_> = config.settings.iter().map(|s| (s.option, s.values.join(" "), s.paths, s.place.as_str())).collect();
        let expected = [
            ("include-public", "true".to_owned(), false, "p.toml:6:18"),
            ("max-depth", "3".to_owned(), false, "p.toml:5:13"),
            ("min-confidence", "high".to_owned(), false, "p.toml:3:18"),
            ("rules", "a.toml b.toml".to_owned(), true, "p.toml:4:9"),
            ("fail-on", "present config".to_owned(), false, "p.toml:9:8"),
            ("fail-on-severity", "high".to_owned(), false, "p.toml:10:12"),
        ];
        assert_eq!(told, expected);
        let told: Vec<_> = config.ignores.iter().map(|i| (i.what(), i.line(), i.expires().map(|day| day.to_string()))).collect();
        let expected =
            [("rule:jwt-token path:tests/**".to_owned(), 12, None), ("0123456789abcdef0123".to_owned(), 18, Some("2027-01-31".to_owned()))];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let ignore = |rest: &str| format!("[[ignore]]\nrule = \"x\"\n{rest}\n");
        for (text, place, why) in [
            ("[fail_on]\n".to_owned(), "p.toml:1:2", "fail_on"),
            ("x = 1\n".to_owned(), "p.toml:1:1", "x"),
            ("[fail-on]\nseverty = \"high\"\n".to_owned(), "p.toml:2:1", "no key `severty`"),
            ("[scan]\nshow-secrets = true\n".to_owned(), "p.toml:2:1", "no key `show-secrets`"),
            ("[scan]\noutput = \"x\"\n".to_owned(), "p.toml:2:1", "no key `output`"),
            ("[fail-on]\nfate = []\n".to_owned(), "p.toml:2:8", "empty"),
            ("[fail-on]\nseverity = 1.5\n".to_owned(), "p.toml:2:12", "expected"),
            ("[fail-on\n".to_owned(), "p.toml:1:", ""),
            (ignore("reason = \"y\""), "p.toml:1:1", "expires"),
            (ignore("expires = \"never\""), "p.toml:1:1", "reason"),
            (ignore("reason = \" \"\nexpires = \"never\""), "p.toml:1:1", "has a reason"),
            (ignore("reason = \"y\"\nexpires = \"2027-02-30\""), "p.toml:4:11", "a day is written"),
            (ignore("reason = \"y\"\nexpires = true"), "p.toml:4:11", "a day is written"),
            (ignore("reason = \"y\"\nexpires = \"never\"\nfile = \"z\""), "p.toml:5:1", "file"),
            ("[[ignore]]\nreason = \"y\"\nexpires = \"never\"\n".to_owned(), "p.toml:1:1", "what it is for"),
            ("[[ignore]]\nid = \"12\"\nreason = \"y\"\nexpires = \"never\"\n".to_owned(), "p.toml:2:6", "hexadecimal"),
        ] {
            let error = Config::read("p.toml", &text).expect_err(&text).to_string();
            assert!(error.starts_with(place) && error.contains(why), "{text}{error}");
        }
    }
}
