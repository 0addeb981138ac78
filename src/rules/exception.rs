//! What a rule lets pass: values, lines or files that it is not meant for.

use super::compile;
use aho_corasick::AhoCorasick;
use regex_automata::meta::Regex;
use serde::Deserialize;
use std::sync::OnceLock;

/// One `[[rule.allow]]`; the fields are described in RULES.md.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExceptionSpec {
    /// All kinds of conditions that are given must hold, and not one of them.
    #[serde(default)]
    pub all: bool,
    /// What the regexes look at.
    #[serde(default)]
    pub on: Part,
    /// One of them matches.
    #[serde(default)]
    pub regexes: Vec<String>,
    /// One of them matches the path.
    #[serde(default)]
    pub paths: Vec<String>,
    /// One of them is in the secret; case is ignored.
    #[serde(default)]
    pub words: Vec<String>,
}

/// What an exception's regexes look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The secret.
    #[default]
    Secret,
    /// All that the rule matched.
    Match,
    /// The lines that the match stands on.
    Line,
}

/// A match that a rule has found.
pub struct Place<'a> {
    /// The secret.
    pub secret: &'a [u8],
    /// All that the rule matched.
    pub whole: &'a [u8],
    /// The lines that it stands on.
    pub line: &'a [u8],
    /// The path of the file.
    pub path: &'a [u8],
}

/// An exception, ready to run.
#[derive(Debug)]
pub struct Exception {
    spec: ExceptionSpec,
    regexes: OnceLock<Option<Regex>>,
    paths: OnceLock<Option<Regex>>,
    words: OnceLock<Option<AhoCorasick>>,
}

impl Exception {
    /// The error says which regex is wrong.
    pub fn new(spec: ExceptionSpec) -> Result<Exception, String> {
        spec.regexes.iter().chain(&spec.paths).try_for_each(|regex| compile::syntax_check(regex).map(drop))?;
        Ok(Exception { spec, regexes: OnceLock::new(), paths: OnceLock::new(), words: OnceLock::new() })
    }

    /// As text, for the fingerprint.
    pub fn canonical(&self) -> String {
        format!("{:?}", self.spec)
    }

    /// True if it lets the match pass.
    pub fn holds(&self, place: &Place) -> bool {
        let text = match self.spec.on {
            Part::Secret => place.secret,
            Part::Match => place.whole,
            Part::Line => place.line,
        };
        let regexes = || one_of(&self.regexes, &self.spec.regexes, text);
        let paths = || !place.path.is_empty() && one_of(&self.paths, &self.spec.paths, place.path);
        let words = || self.words().is_some_and(|words| words.is_match(place.secret));
        let given = [!self.spec.regexes.is_empty(), !self.spec.paths.is_empty(), !self.spec.words.is_empty()];
        let conditions: [&dyn Fn() -> bool; 3] = [&regexes, &paths, &words];
        let mut given = given.into_iter().zip(conditions).filter(|(given, _)| *given).map(|(_, holds)| holds).peekable();
        if self.spec.all { given.peek().is_some() && given.all(|holds| holds()) } else { given.any(|holds| holds()) }
    }

    fn words(&self) -> Option<&AhoCorasick> {
        self.words.get_or_init(|| AhoCorasick::builder().ascii_case_insensitive(true).build(&self.spec.words).ok()).as_ref()
    }
}

fn one_of(built: &OnceLock<Option<Regex>>, patterns: &[String], text: &[u8]) -> bool {
    built.get_or_init(|| compile::build_many(patterns).ok()).as_ref().is_some_and(|regex| regex.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(all: bool, on: Part, secret: &str, path: &str) -> bool {
        let [regexes, paths, words] = [["^test"], ["[.]lock$"], ["dummy"]].map(|texts| texts.map(str::to_owned).to_vec());
        let exception = Exception::new(ExceptionSpec { all, on, regexes, paths, words }).expect("an exception");
        let line = format!("test {secret}");
        exception.holds(&Place { secret: secret.as_bytes(), whole: b"key", line: line.as_bytes(), path: path.as_bytes() })
    }

    #[test]
    fn one_condition_or_all_of_them() {
        for (all, on, secret, path, expected) in [
            (false, Part::Secret, "test1", "", true),
            (false, Part::Secret, "a DUMMY", "", true),
            (false, Part::Secret, "abc", "a/b.lock", true),
            (false, Part::Secret, "abc", "a/b", false),
            (false, Part::Line, "abc", "", true),
            (false, Part::Match, "test1", "", false),
            (true, Part::Secret, "test1", "b.lock", false),
            (true, Part::Secret, "test dummy", "b.lock", true),
        ] {
            assert_eq!(holds(all, on, secret, path), expected, "{all} {on:?} {secret} {path}");
        }
        let empty = Exception::new(ExceptionSpec { all: true, ..ExceptionSpec::default() }).expect("an exception");
        assert!(!empty.holds(&Place { secret: b"", whole: b"", line: b"", path: b"" }));
        assert!(Exception::new(ExceptionSpec { regexes: vec!["(".into()], ..ExceptionSpec::default() }).is_err());
    }
}
