//! Rule files of other tools: gitleaks (TOML), Nosey Parker and Kingfisher (YAML). Which one it is, the content says.
//!
//! What cannot be honoured is said, once for each thing and file; a rule that cannot be read is left out, and said too.

mod gitleaks;
mod kingfisher;
mod literals;
mod regex;

use super::compile::{self, Rule};
use super::exception::Exception;
use super::spec::{Group, RuleSpec};
use crate::error::Error;
use regex_syntax::hir::{Hir, HirKind};
use std::collections::BTreeMap;
use std::sync::Arc;
use toml::Spanned;

/// Finds the file that a rule file extends: its own name and what it says there give a name and a text.
pub type Load<'a> = &'a dyn Fn(&str, &str) -> Option<(String, String)>;

/// How many files and rules a remark names.
const NAMED: usize = 5;

/// A rule of another tool, in our terms.
pub struct Draft {
    spec: RuleSpec,
    /// Shared by many rules.
    exceptions: Vec<Arc<Exception>>,
}

/// The rules of a file, and what cannot be honoured.
#[derive(Default)]
pub struct Imported {
    drafts: Vec<Draft>,
    remarks: Remarks,
}

/// What cannot be honoured, and where it is asked for.
#[derive(Debug, Default)]
pub struct Remarks(BTreeMap<String, Asked>);

/// The files and the rules that ask for something.
#[derive(Debug, Default)]
struct Asked {
    files: Vec<String>,
    rules: Vec<String>,
}

impl Remarks {
    /// About the whole file.
    fn say(&mut self, what: impl Into<String>) {
        self.0.entry(what.into()).or_default();
    }

    fn of_rule(&mut self, id: &str, what: impl Into<String>) {
        self.0.entry(what.into()).or_default().rules.push(id.to_owned());
    }

    /// Adds what is to be said of `file`.
    pub fn add(&mut self, file: &str, other: Remarks) {
        for (what, asked) in other.0 {
            let own = self.0.entry(what).or_default();
            own.files.push(file.to_owned());
            own.rules.extend(asked.rules);
        }
    }

    /// A sentence for each thing.
    pub fn sentences(self) -> impl Iterator<Item = String> {
        self.0.into_iter().map(|(what, Asked { files, rules })| {
            let files = few(&files, "files");
            if rules.is_empty() { format!("{files}: {what}") } else { format!("{files}: {}: {what}", few(&rules, "rules")) }
        })
    }
}

/// The name of one, or the number of several and the names of the first.
fn few(names: &[String], plural: &str) -> String {
    match names {
        [one] => one.clone(),
        _ => {
            let more = if names.len() > NAMED { ", …" } else { "" };
            format!("{} {plural} ({}{more})", names.len(), names[..names.len().min(NAMED)].join(", "))
        }
    }
}

/// The rules of a file that was written for another tool; `None` if it is one of ours.
pub fn read(file: &str, text: &str, load: Load) -> Result<Option<Imported>, Error> {
    if is_yaml(text) {
        return kingfisher::read(file, text).map(Some);
    }
    if gitleaks::is_one(text) { gitleaks::read(file, text, load).map(Some) } else { Ok(None) }
}

/// True for a YAML file with a list of rules.
pub fn is_yaml(text: &str) -> bool {
    text.lines().any(|line| line.strip_prefix("rules:").is_some_and(|rest| rest.trim().is_empty() || rest.trim().starts_with(['#', '['])))
}

/// Rules that can be run, and what of the file cannot be honoured.
pub fn compile(file: &str, imported: Imported) -> Result<(Vec<Rule>, Remarks), Error> {
    let provider = compile::stem(file);
    let (mut rules, mut remarks) = (Vec::new(), imported.remarks);
    for draft in imported.drafts {
        let id = draft.spec.id.get_ref().clone();
        match compile::imported(file, &provider, draft.spec, draft.exceptions) {
            Ok(rule) => rules.push(rule),
            Err(Error::Rules { message, .. }) => remarks.of_rule(&id, format!("left out: {message}")),
            Err(e) => return Err(e),
        }
    }
    Ok((rules, remarks))
}

/// What all formats have in common: a name, a regex in the syntax of another tool, and keywords (none: those that the regex has). The
/// error says why there is no such rule.
fn draft(id: &str, title: &str, regex: &str, keywords: Vec<String>) -> Result<(RuleSpec, Hir), String> {
    let regex = regex::translate(regex)?;
    let hir = hir(&regex)?;
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let id: String = id.chars().take(128).map(safe).collect();
    if id.is_empty() {
        return Err("it has no id".to_owned());
    }
    let keywords = if keywords.is_empty() { literals::required(&hir).unwrap_or_default() } else { keywords };
    let spec = RuleSpec {
        title: if title.is_empty() { id.clone() } else { title.to_owned() },
        id: plain(id),
        keywords: Some(keywords.into_iter().map(|word| word.to_ascii_lowercase()).collect()),
        regex: Some(plain(regex)),
        boundary: false,
        ..RuleSpec::default()
    };
    Ok((spec, hir))
}

/// A text from a place that is not told.
fn plain(text: String) -> Spanned<String> {
    Spanned::new(0..0, text)
}

/// The regex, read as it will be run.
fn hir(regex: &str) -> Result<Hir, String> {
    regex_automata::util::syntax::parse_with(regex, &compile::config()).map_err(|e| {
        // The message shows the regex, over several lines; its last says what is wrong.
        let text = e.to_string();
        let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        format!("its regex cannot be read: {}", last.trim().trim_start_matches("error: "))
    })
}

/// The groups of a regex: number and name.
fn groups(hir: &Hir) -> Vec<(usize, Option<String>)> {
    let (mut found, mut left) = (Vec::new(), vec![hir]);
    while let Some(hir) = left.pop() {
        match hir.kind() {
            HirKind::Capture(capture) => {
                found.push((capture.index as usize, capture.name.as_deref().map(str::to_owned)));
                left.push(&capture.sub);
            }
            HirKind::Repetition(repetition) => left.push(&repetition.sub),
            HirKind::Concat(parts) | HirKind::Alternation(parts) => left.extend(parts),
            _ => {}
        }
    }
    found.sort();
    found
}

/// An example as a template: it holds no placeholders.
fn literally(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

/// The group with this name, if there is one.
fn named(hir: &Hir, name: &str) -> Option<Group> {
    groups(hir).into_iter().find(|(_, own)| own.as_deref() == Some(name)).map(|(number, _)| Group::Number(number))
}
