//! Where a rule is worth trying: literals in the bytes, globs on the path, names of assignments.

use crate::Error;
use crate::rules::{Reach, Rule};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use globset::{GlobSet, GlobSetBuilder};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::path::Path;

/// What a literal leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// This rule is tried.
    Rule(usize),
    /// A name that may be assigned to is looked at.
    Assignment,
}

/// See the module.
pub struct Prefilter {
    automaton: AhoCorasick,
    /// Per literal, what it leads to.
    targets: Vec<Vec<Target>>,
    globs: GlobSet,
    /// Per glob, its rule.
    glob_rules: Vec<usize>,
    /// Words joined by `_`, and long ones without separators, to the rule of that name.
    names: HashMap<String, usize>,
    joined: Vec<(String, usize)>,
}

/// A name without separators is looked for at the end of a longer word only from this length on: `dbpassword`, but not `bypass`.
const JOINED_FROM: usize = 6;

/// Words that may follow what a name means: `PASSWORD_PROD`, `api_key_b64`.
const QUALIFIERS: &[&str] = &[
    "prod", "production", "dev", "stage", "staging", "test", "testing", "live", "local", "default", "old", "new", "base64", "b64", "value", "text",
    "plain", "string", "str", "env", "primary", "secondary", "main", "ro", "rw",
];

impl Prefilter {
    /// Built once per rule set.
    pub fn new(rules: &[Rule]) -> Result<Prefilter, Error> {
        let mut literals: HashMap<String, Vec<Target>> = HashMap::new();
        let (mut globs, mut glob_rules) = (GlobSetBuilder::new(), Vec::new());
        let (mut names, mut joined) = (HashMap::new(), Vec::new());
        for (index, rule) in rules.iter().enumerate() {
            let files = match &rule.reach {
                Reach::Literals { literals: own, files, .. } => {
                    for literal in own {
                        literals.entry(literal.clone()).or_default().push(Target::Rule(index));
                    }
                    files
                }
                Reach::Files { files, .. } => files,
                Reach::Names(own) => {
                    for name in own {
                        names.entry(name.words.clone()).or_insert(index);
                        names.entry(name.joined.clone()).or_insert(index);
                        if name.joined.len() >= JOINED_FROM {
                            joined.push((name.joined.clone(), index));
                        }
                        let last = name.words.rsplit('_').next().unwrap_or(&name.words);
                        for word in BTreeSet::from([last, &name.joined]).into_iter().filter(|w| w.len() >= 3) {
                            let targets = literals.entry(word.to_owned()).or_default();
                            if !targets.contains(&Target::Assignment) {
                                targets.push(Target::Assignment);
                            }
                        }
                    }
                    continue;
                }
            };
            for glob in files {
                globs.add(glob.glob().clone());
                glob_rules.push(index);
            }
        }
        let (texts, targets): (Vec<String>, Vec<Vec<Target>>) = literals.into_iter().collect::<std::collections::BTreeMap<_, _>>().into_iter().unzip();
        let internal = |message: String| Error::Rules { file: "rules".to_owned(), message };
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&texts)
            .map_err(|e| internal(e.to_string()))?;
        joined.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        let globs = globs.build().map_err(|e| internal(e.to_string()))?;
        Ok(Prefilter { automaton, targets, globs, glob_rules, names, joined })
    }

    /// Every literal in `bytes`, by its end, and what it leads to.
    pub fn hits<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = (Range<usize>, Target)> + 'a {
        let found = self.automaton.find_overlapping_iter(bytes);
        found.flat_map(|hit| self.targets[hit.pattern().as_usize()].iter().map(move |target| (hit.range(), *target)))
    }

    /// The rules that are meant for a file of this path.
    pub fn file_rules(&self, path: &[u8]) -> Vec<usize> {
        if path.is_empty() {
            return Vec::new();
        }
        let path = String::from_utf8_lossy(path);
        let mut rules: Vec<usize> = self.globs.matches(Path::new(path.as_ref())).into_iter().map(|glob| self.glob_rules[glob]).collect();
        rules.dedup();
        rules
    }

    /// The rule for an assignment to `name`: the longest run of its last words that is the name of a rule.
    pub fn named_rule(&self, name: &[u8]) -> Option<usize> {
        let words = words(name);
        let mut last = words.len();
        while last > 1 && (QUALIFIERS.contains(&words[last - 1].as_str()) || words[last - 1].bytes().all(|b| b.is_ascii_digit())) {
            last -= 1;
        }
        let words = &words[..last];
        let exact = (0..last).find_map(|from| self.names.get(&words[from..].join("_")));
        exact.copied().or_else(|| {
            let all = words.last()?;
            self.joined.iter().find(|(name, _)| all.ends_with(name)).map(|(_, rule)| *rule)
        })
    }
}

/// An identifier as lower-case words: split at what is no letter or digit, where lower case turns to upper, and before digits at
/// the end.
fn words(name: &[u8]) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = b'_';
    for (at, &byte) in name.iter().enumerate() {
        let next_lower = name.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        let hump = byte.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit() || before.is_ascii_uppercase() && next_lower);
        let digits = byte.is_ascii_digit() && !before.is_ascii_digit();
        if !byte.is_ascii_alphanumeric() || hump || digits {
            words.push(String::new());
        }
        if byte.is_ascii_alphanumeric() {
            if let Some(word) = words.last_mut() {
                word.push(byte.to_ascii_lowercase() as char);
            }
        }
        before = byte;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_split_into_words() {
        for (name, expected) in [
            ("DB_PASSWORD", "db password"),
            ("dbPassword", "db password"),
            ("spring.datasource.password", "spring datasource password"),
            ("APIKey", "api key"),
            ("password2", "password 2"),
            ("AccountKey", "account key"),
        ] {
            assert_eq!(words(name.as_bytes()).join(" "), expected);
        }
    }
}
