//! Rules: what a secret looks like, as data. RULES.md teaches the format.

mod builtin;
pub mod check;
mod compile;
mod exception;
mod files;
mod form;
pub mod guarantee;
mod import;
mod pair;
pub mod sample;
mod service;
mod spec;

pub use compile::{Document, MAX_AFTER, MAX_BEFORE, Name, Reach, Rule, Window, try_regex};
pub use exception::Place;
pub use pair::{By, Companion, Late, Pair, What, joined};
pub use spec::{Example, ValueSpec};

use crate::digest::Digest;
use crate::error::Error;
use std::collections::HashMap;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A hint: not reported unless asked for.
    Low,
    /// Most likely a secret.
    #[default]
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
    pairs: Vec<Pair>,
    remarks: Vec<String>,
    fingerprint: Digest,
}

impl RuleSet {
    /// The rules that are built in.
    pub fn builtin() -> Result<RuleSet, Error> {
        let (mut rules, mut pairs) = (Vec::new(), Vec::new());
        for (name, text) in builtin::FILES {
            let (more, more_pairs) = compile::own_file(name, text)?;
            rules.extend(more);
            pairs.extend(more_pairs);
        }
        RuleSet::of(rules, pairs, Vec::new())
    }

    /// Rules from the texts of rule files; the first of each pair is the file's name, for messages and the provider.
    pub fn from_texts(files: &[(String, String)]) -> Result<RuleSet, Error> {
        RuleSet::of(Vec::new(), Vec::new(), Vec::new())?.with(files, &|_, _| None)
    }

    /// The rules of one file, or of the rule files in a directory, alone.
    pub fn from_path(path: &Path) -> Result<RuleSet, Error> {
        RuleSet::of(Vec::new(), Vec::new(), Vec::new())?.with_path(path)
    }

    /// Adds the rules of one file, or of the rule files in a directory.
    pub fn with_path(self, path: &Path) -> Result<RuleSet, Error> {
        self.with(&files::read(path)?, &files::extended)
    }

    fn with(self, files: &[(String, String)], load: import::Load) -> Result<RuleSet, Error> {
        let (mut rules, mut pairs, mut remarks) = (self.rules, self.pairs, self.remarks);
        let mut said = import::Remarks::default();
        for (name, text) in files {
            let (more, more_pairs, of_file) = compile::rule_file(name, text, load)?;
            rules.extend(more);
            pairs.extend(more_pairs);
            said.add(name, of_file);
        }
        remarks.extend(said.sentences());
        RuleSet::of(rules, pairs, remarks)
    }

    fn of(mut rules: Vec<Rule>, pairs: Vec<Pair>, remarks: Vec<String>) -> Result<RuleSet, Error> {
        let mut seen: HashMap<String, String> = HashMap::new();
        let mut all = String::new();
        for rule in &mut rules {
            if rule.imported && seen.contains_key(&rule.id) {
                // Other tools have names of their own for what is built in.
                rule.id = format!("{}.{}", rule.provider, rule.id);
            }
            if let Some(first) = seen.insert(rule.id.clone(), rule.file.clone()) {
                let message = format!("rule {}: the id is already taken in {first}", rule.id);
                return Err(Error::Rules { file: rule.file.clone(), message });
            }
            all.push_str(&rule.canonical);
        }
        pairs.iter().for_each(|pair| all.push_str(&pair.canonical));
        let fingerprint = Digest::sha256(all.as_bytes());
        Ok(RuleSet { rules, pairs, remarks, fingerprint })
    }

    /// Removes the rule with this id. An id that no rule has is an error.
    pub fn without(mut self, id: &str) -> Result<RuleSet, Error> {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.id != id);
        if self.rules.len() == before {
            return Err(Error::Rules { file: "--disable".to_owned(), message: format!("there is no rule {id}") });
        }
        RuleSet::of(self.rules, self.pairs, self.remarks)
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What belongs together.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// The rule with this id.
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// What of imported rule files cannot be honoured, a sentence each. Names in it come from the files: sanitise before printing.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Digest of all that is in the rules: two scans with equal fingerprints used equal rules.
    pub fn fingerprint(&self) -> &Digest {
        &self.fingerprint
    }
}
