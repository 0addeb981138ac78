//! Pairs: what stands beside a secret and belongs to it. RULES.md, "Pairs", teaches the format.

use super::check::FactName;
use super::compile::{build_many, syntax_check};
use regex_automata::meta::Regex;
use serde::Deserialize;
use std::sync::OnceLock;

/// One `[[pair]]` as it is written: which secrets it is about, and what belongs to them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairSpec {
    /// The secrets: ids of rules.
    #[serde(default)]
    rules: Vec<String>,
    /// The secrets: how the names end that they are assigned to.
    #[serde(default)]
    names: Vec<String>,
    with: Vec<CompanionSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CompanionSpec {
    part: Option<String>,
    fact: Option<String>,
    #[serde(default)]
    rules: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    before: Option<String>,
    after: Option<String>,
    #[serde(default)]
    sure: bool,
}

/// Secrets, and what belongs to them.
#[derive(Debug)]
pub struct Pair {
    /// Ids of rules whose matches are such secrets.
    pub rules: Vec<String>,
    /// How names end to which such secrets are assigned, as [`joined`] writes them.
    pub names: Vec<String>,
    /// What belongs to them.
    pub with: Vec<Companion>,
    /// All of it as text, for the fingerprint.
    pub(super) canonical: String,
}

/// Something that belongs to a secret.
#[derive(Debug)]
pub struct Companion {
    /// What it is.
    pub what: What,
    /// How it is found.
    pub by: By,
    /// A secret beside it is one.
    pub sure: bool,
}

/// What a companion becomes.
#[derive(Debug)]
pub enum What {
    /// A part of this name.
    Part(String),
    /// A fact.
    Fact(FactName),
}

/// How a companion is found.
#[derive(Debug)]
pub enum By {
    /// It is a match of one of these rules.
    Rules(Vec<String>),
    /// It is assigned to such a name, as [`joined`] writes it, behind what the secret's name begins with.
    Names(Vec<String>),
    /// The first group of this regex, which ends where the secret begins.
    Before(Late),
    /// The first group of this regex, which begins where the secret ends.
    After(Late),
}

/// A name without separators, in lower case.
pub fn joined(name: &[u8]) -> String {
    name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(|byte| byte.to_ascii_lowercase() as char).collect()
}

/// A pair that can be looked for; an error is a sentence.
pub fn compile(spec: PairSpec) -> Result<Pair, String> {
    let canonical = format!("{spec:?}");
    if spec.rules.is_empty() && spec.names.is_empty() || spec.with.is_empty() {
        return Err("a pair has `rules` or `names`, and something `with` them".to_owned());
    }
    let with = spec.with.into_iter().map(companion).collect::<Result<_, _>>()?;
    let mut names = all_joined(&spec.names);
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    Ok(Pair { rules: spec.rules, names, with, canonical })
}

fn companion(spec: CompanionSpec) -> Result<Companion, String> {
    let what = match (spec.part, spec.fact) {
        (Some(part), None) => What::Part(part),
        (None, Some(fact)) => What::Fact(FactName::parse(&fact).ok_or_else(|| format!("there is no fact {fact:?}"))?),
        _ => return Err("a companion is either a `part` or a `fact`".to_owned()),
    };
    let by = match (&spec.rules[..], &spec.names[..], spec.before, spec.after) {
        ([_, ..], [], None, None) => By::Rules(spec.rules),
        ([], [_, ..], None, None) => By::Names(all_joined(&spec.names)),
        ([], [], Some(regex), None) => By::Before(with_group(format!("(?:{regex})\\z"))?),
        ([], [], None, Some(regex)) => By::After(with_group(format!("\\A(?:{regex})"))?),
        _ => return Err("a companion is found by one of `rules`, `names`, `before` and `after`".to_owned()),
    };
    Ok(Companion { what, by, sure: spec.sure })
}

fn all_joined(names: &[String]) -> Vec<String> {
    names.iter().map(|name| joined(name.as_bytes())).collect()
}

fn with_group(regex: String) -> Result<Late, String> {
    let parsed = syntax_check(&regex)?;
    if parsed.properties().explicit_captures_len() == 0 {
        return Err("the regex has no group".to_owned());
    }
    Ok(Late { regex, built: OnceLock::new() })
}

/// A regex that is compiled when it is first asked for.
#[derive(Debug)]
pub struct Late {
    regex: String,
    built: OnceLock<Option<Regex>>,
}

impl Late {
    /// None if it is too large to be compiled.
    pub fn get(&self) -> Option<&Regex> {
        self.built.get_or_init(|| build_many(&[&self.regex]).ok()).as_ref()
    }
}
