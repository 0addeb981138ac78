//! Rules: what a secret looks like, as data. RULES.md teaches the format.

mod builtin;
pub mod check;
mod compile;
mod form;
pub mod sample;
mod service;
mod spec;

pub use compile::{Document, MAX_AFTER, MAX_BEFORE, Name, Reach, Rule, Window, try_regex};
pub use spec::{Example, ValueSpec};

use crate::digest::Digest;
use crate::error::Error;
use std::path::Path;

/// How bad a leak is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Little harm.
    Low,
    /// Limited harm.
    Medium,
    /// An account, a host or data.
    High,
    /// Control over an account, code or infrastructure.
    Critical,
}

/// How sure a match is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A hint: not reported unless asked for.
    Low,
    /// Most likely a secret.
    Medium,
    /// Its form, its checksum or its place leaves little doubt.
    High,
}

impl Confidence {
    /// One step less.
    pub fn lowered(self) -> Confidence {
        match self {
            Confidence::High => Confidence::Medium,
            Confidence::Medium | Confidence::Low => Confidence::Low,
        }
    }
}

impl Severity {
    /// The text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

impl Confidence {
    /// The text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
        }
    }
}

/// The rules of a scan, in a fixed order.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    fingerprint: Digest,
}

impl RuleSet {
    /// The rules that are built in.
    pub fn builtin() -> Result<RuleSet, Error> {
        RuleSet::from_texts(&builtin::FILES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect::<Vec<_>>())
    }

    /// Rules from the texts of rule files; the first of each pair is the file's name, for messages and the provider.
    pub fn from_texts(files: &[(String, String)]) -> Result<RuleSet, Error> {
        let mut rules = Vec::new();
        for (name, text) in files {
            rules.extend(compile::rule_file(name, text)?);
        }
        RuleSet::of(rules)
    }

    fn of(rules: Vec<Rule>) -> Result<RuleSet, Error> {
        let mut seen = std::collections::HashMap::new();
        let mut all = String::new();
        for rule in &rules {
            if let Some(first) = seen.insert(&rule.id, &rule.file) {
                let message = format!("rule {}: the id is already taken in {first}", rule.id);
                return Err(Error::Rules { file: rule.file.clone(), message });
            }
            all.push_str(&rule.canonical);
        }
        let fingerprint = Digest::sha256(all.as_bytes());
        Ok(RuleSet { rules, fingerprint })
    }

    /// Adds the rules of every `*.toml` in `dir`, or of one file.
    pub fn with_path(self, path: &Path) -> Result<RuleSet, Error> {
        let mut rules = self.rules;
        for (name, text) in read_rule_files(path)? {
            rules.extend(compile::rule_file(&name, &text)?);
        }
        RuleSet::of(rules)
    }

    /// Removes the rule with this id. An id that no rule has is an error.
    pub fn without(mut self, id: &str) -> Result<RuleSet, Error> {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.id != id);
        if self.rules.len() == before {
            return Err(Error::Rules { file: "--disable".to_owned(), message: format!("there is no rule {id}") });
        }
        RuleSet::of(self.rules)
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule with this id.
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// Digest of all that is in the rules: two scans with equal fingerprints used equal rules.
    pub fn fingerprint(&self) -> &Digest {
        &self.fingerprint
    }
}

/// The names and texts of the rule files at `path`, sorted by name.
pub fn read_rule_files(path: &Path) -> Result<Vec<(String, String)>, Error> {
    let open = |path: &Path, source| Error::Open { target: path.display().to_string(), source };
    let mut files = Vec::new();
    if path.is_dir() {
        for item in std::fs::read_dir(path).map_err(|e| open(path, e))? {
            let file = item.map_err(|e| open(path, e))?.path();
            if file.extension().is_some_and(|e| e == "toml") {
                files.push(file);
            }
        }
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    let read = |file: std::path::PathBuf| match std::fs::read_to_string(&file) {
        Ok(text) => Ok((file.display().to_string(), text)),
        Err(source) => Err(open(&file, source)),
    };
    files.into_iter().map(read).collect()
}
