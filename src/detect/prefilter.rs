//! Where a rule is worth trying: literals in the bytes, globs on the path, names of assignments.

use super::Medium;
use crate::Error;
use crate::rules::{Name, Reach, Rule};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use globset::{GlobSet, GlobSetBuilder};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

/// What a literal leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// This rule is tried.
    Rule(usize),
    /// A value of this rule's form is looked for behind it.
    Near(usize),
    /// This rule is run over the whole text.
    Anywhere(usize),
    /// A name that may be assigned to is looked at.
    Assignment,
}

/// See the module.
pub struct Prefilter {
    automaton: AhoCorasick,
    /// Per literal, what it leads to.
    targets: Vec<Vec<Target>>,
    /// Rules that are run over every text.
    always: Vec<usize>,
    globs: GlobSet,
    /// Per glob, its rule.
    glob_rules: Vec<usize>,
    anywhere: Names,
    metadata: Names,
    /// Services whose keys have a known form, without separators.
    services: HashSet<String>,
    /// What tokens of a known form begin with, up to a separator.
    begins: HashSet<String>,
}

/// Names of assignments and their rules.
#[derive(Default)]
struct Names {
    /// Words joined by `_`, and without separators.
    exact: HashMap<String, usize>,
    /// Long ones, for the end of a longer word; the longest first.
    joined: Vec<(String, usize)>,
}

/// A name without separators is looked for at the end of a longer word only from this length on: `dbpassword`, but not `bypass`.
const JOINED_FROM: usize = 6;

/// What is shorter may begin anything; what is longer begins as something shorter does.
const SHORTEST_BEGIN: usize = 4;
const LONGEST_BEGIN: usize = 24;

/// Words that may follow what a name means: `PASSWORD_PROD`, `api_key_b64`.
const QUALIFIERS: &[&str] = &[
    "prod",
    "production",
    "dev",
    "stage",
    "staging",
    "test",
    "testing",
    "live",
    "local",
    "default",
    "old",
    "new",
    "base64",
    "b64",
    "value",
    "text",
    "plain",
    "string",
    "str",
    "env",
    "primary",
    "secondary",
    "main",
    "ro",
    "rw",
    "v",
];

impl Prefilter {
    /// Built once per rule set.
    pub fn new(rules: &[Rule]) -> Result<Prefilter, Error> {
        let mut literals: HashMap<String, Vec<Target>> = HashMap::new();
        let (mut globs, mut glob_rules, mut always) = (GlobSetBuilder::new(), Vec::new(), Vec::new());
        let (mut anywhere, mut metadata, mut services) = (Names::default(), Names::default(), HashSet::new());
        let mut begins = HashSet::new();
        for (index, rule) in rules.iter().enumerate() {
            let files = match &rule.reach {
                Reach::Literals { literals: own, files, .. } => {
                    if is_token(rule) {
                        begins.extend(own.iter().filter(|literal| is_begin(literal)).cloned());
                    }
                    for literal in own {
                        literals.entry(literal.clone()).or_default().push(Target::Rule(index));
                    }
                    files
                }
                Reach::Near { words, complete, .. } => {
                    services.extend(words.iter().filter(|word| *complete && !is_everyday(word)).map(|word| joined(word)));
                    for literal in words.iter().flat_map(|word| variants(word)) {
                        literals.entry(literal).or_default().push(Target::Near(index));
                    }
                    continue;
                }
                Reach::Anywhere { keywords } => {
                    always.extend(keywords.iter().all(String::is_empty).then_some(index));
                    for keyword in keywords.iter().filter(|keyword| !keyword.is_empty()) {
                        literals.entry(keyword.clone()).or_default().push(Target::Anywhere(index));
                    }
                    continue;
                }
                Reach::Files { files, .. } => files,
                Reach::Names { names: own, metadata: only, .. } => {
                    let table = if *only { &mut metadata } else { &mut anywhere };
                    for name in own {
                        table.add(name, index);
                        let last = name.words.rsplit('_').next().unwrap_or(&name.words);
                        for literal in BTreeSet::from([last, &name.joined]).into_iter().flat_map(name_literals) {
                            let targets = literals.entry(literal).or_default();
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
        let (texts, targets): (Vec<String>, Vec<Vec<Target>>) =
            literals.into_iter().collect::<std::collections::BTreeMap<_, _>>().into_iter().unzip();
        let internal = |message: String| Error::Rules { file: "rules".to_owned(), message };
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&texts)
            .map_err(|e| internal(e.to_string()))?;
        let globs = globs.build().map_err(|e| internal(e.to_string()))?;
        Ok(Prefilter { automaton, targets, always, globs, glob_rules, anywhere, metadata, services, begins })
    }

    /// Every literal in `bytes`, by its end, and what it leads to.
    pub fn hits<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = (Range<usize>, Target)> + 'a {
        let found = self.automaton.find_overlapping_iter(bytes);
        found.flat_map(|hit| self.targets[hit.pattern().as_usize()].iter().map(move |target| (hit.range(), *target)))
    }

    /// The rules that are run over every text.
    pub fn always(&self) -> &[usize] {
        &self.always
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

    /// Why a value is no key of the service that the name of its assignment names: no rule for that service found it.
    pub fn doubt_of_service(&self, name: &[u8]) -> Option<&'static str> {
        const MOST: usize = 8;
        let words = words(name);
        let words = &words[..words.len().min(MOST)];
        let named = (0..words.len()).any(|from| (from..words.len()).any(|to| self.services.contains(&words[from..=to].concat())));
        named.then_some("the keys of the service that is named have another form")
    }

    /// Why a value that begins as tokens of a known form do is none of them: no rule for that form found it.
    pub fn doubt_of_token(&self, value: &[u8]) -> Option<&'static str> {
        let longest = value.len().min(LONGEST_BEGIN);
        let begin = String::from_utf8_lossy(&value[..longest]).to_ascii_lowercase();
        let known = (SHORTEST_BEGIN..=longest).any(|length| begin.get(..length).is_some_and(|begin| self.begins.contains(begin)));
        known.then_some("it begins as tokens of a known form do, and has another")
    }

    /// The rules for an assignment to `name`, in the order in which they are tried.
    pub fn named_rules(&self, name: &[u8], medium: Medium) -> impl Iterator<Item = usize> {
        let words = words(name);
        let metadata = (medium == Medium::Metadata).then_some(&self.metadata);
        [Some(&self.anywhere), metadata].into_iter().flatten().filter_map(move |names| names.rule(&words))
    }
}

impl Names {
    fn add(&mut self, name: &Name, rule: usize) {
        self.exact.entry(name.words.clone()).or_insert(rule);
        self.exact.entry(name.joined.clone()).or_insert(rule);
        if name.joined.len() >= JOINED_FROM {
            let at = self.joined.partition_point(|(other, _)| other.len() >= name.joined.len());
            self.joined.insert(at, (name.joined.clone(), rule));
        }
    }

    /// The rule whose name is the longest run of the last words; a qualifier or a number may follow.
    fn rule(&self, words: &[String]) -> Option<usize> {
        let mut last = words.len();
        while last > 1 && (QUALIFIERS.contains(&words[last - 1].as_str()) || words[last - 1].bytes().all(|b| b.is_ascii_digit())) {
            last -= 1;
        }
        let words = &words[..last];
        let exact = (0..last).find_map(|from| self.exact.get(&words[from..].join("_")));
        exact.copied().or_else(|| {
            let all = words.last()?;
            self.joined.iter().find(|(name, _)| all.ends_with(name)).map(|(_, rule)| *rule)
        })
    }
}

/// True for a rule whose match begins with its literal and is the secret.
fn is_token(rule: &Rule) -> bool {
    let Reach::Literals { window, .. } = &rule.reach else { return false };
    window.before == 0 && rule.boundary && !rule.pattern().contains("(?P<secret>")
}

/// True for a text that only tokens begin with: three letters and more, and a separator.
fn is_begin(literal: &str) -> bool {
    literal.ends_with(['_', '-', '.']) && literal.bytes().filter(u8::is_ascii_alphabetic).count() >= 3
}

/// What to look for to find a name: itself, or if it is too short for that, it and what may follow it.
fn name_literals(name: &str) -> Vec<String> {
    if name.len() >= 3 { vec![name.to_owned()] } else { ["=", ":", "\"", "'", " ="].iter().map(|end| format!("{name}{end}")).collect() }
}

/// True for words that any service may have in its names: `private key`.
fn is_everyday(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "private", "secret", "public", "license", "api", "access", "app", "client", "auth", "key", "token", "password", "server",
        "service", "admin", "user", "master", "site", "account", "webhook", "org", "com", "id", "code",
    ];
    word.split(|c: char| !c.is_ascii_alphanumeric()).all(|part| part.is_empty() || WORDS.contains(&part))
}

/// A word without separators.
fn joined(word: &str) -> String {
    word.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// How a word of several parts is written.
fn variants(word: &str) -> BTreeSet<String> {
    ["", " ", "_", "-", "."].iter().map(|separator| word.replace(' ', separator)).collect()
}

/// An identifier as lower-case words: split at what is no letter or digit, where lower case turns to upper, and before digits at
/// the end.
pub fn words(name: &[u8]) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = b'_';
    for (at, &byte) in name.iter().enumerate() {
        let next_lower = name.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        let hump = byte.is_ascii_uppercase()
            && (before.is_ascii_lowercase() || before.is_ascii_digit() || before.is_ascii_uppercase() && next_lower);
        let digits = byte.is_ascii_digit() && !before.is_ascii_digit();
        if !byte.is_ascii_alphanumeric() || hump || digits {
            words.push(String::new());
        }
        if byte.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(byte.to_ascii_lowercase() as char);
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
