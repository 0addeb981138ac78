//! A rule file as it is written.

use super::check;
use super::exception::ExceptionSpec;
use super::pair::PairSpec;
use super::service::ServiceSpec;
use super::{Confidence, Severity};
use regex_syntax::hir::Hir;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// A rule file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// Overrides the provider, which is otherwise the file's name.
    pub provider: Option<String>,
    /// The rules.
    #[serde(default)]
    pub rule: Vec<RuleSpec>,
    /// What stands beside a secret and belongs to it.
    #[serde(default)]
    pub pair: Vec<Spanned<PairSpec>>,
    /// Services whose keys follow from a form; their names are the providers.
    #[serde(default)]
    pub services: BTreeMap<String, Spanned<ServiceSpec>>,
}

/// One `[[rule]]`; the fields are described in RULES.md.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    pub id: Spanned<String>,
    pub title: String,
    pub severity: Severity,
    #[serde(default = "high")]
    pub confidence: Confidence,
    #[serde(default)]
    pub literals: Vec<Spanned<String>>,
    #[serde(default)]
    pub files: Vec<Spanned<String>>,
    #[serde(default)]
    pub names: Vec<Spanned<String>>,
    #[serde(default)]
    pub metadata: bool,
    #[serde(default)]
    pub issued: bool,
    #[serde(default)]
    pub form: Vec<Spanned<String>>,
    #[serde(default)]
    pub near: Vec<Spanned<String>>,
    #[serde(default)]
    pub complete: bool,
    pub regex: Option<Spanned<String>>,
    /// The regex, read, where it was made from forms.
    #[serde(skip)]
    pub hir: Option<Hir>,
    #[serde(default)]
    pub before: usize,
    #[serde(default = "default_after")]
    pub after: usize,
    #[serde(default)]
    pub whole_file: bool,
    pub document: Option<Spanned<String>>,
    #[serde(default = "yes")]
    pub boundary: bool,
    #[serde(default)]
    pub value: ValueSpec,
    pub check: Option<Spanned<String>>,
    /// Ids of rules whose secrets, all together, open this one.
    #[serde(default)]
    pub opened_by: Vec<String>,
    /// A regex for the file's path.
    pub path: Option<Spanned<String>>,
    #[serde(default)]
    pub allow: Vec<ExceptionSpec>,
    /// Of imported rules: where one of these stands in a text, the regex is run over all of it. With none, over every text.
    #[serde(skip)]
    pub keywords: Option<Vec<String>>,
    /// Of imported rules.
    #[serde(skip)]
    pub group: Group,
    pub sample: Option<String>,
    #[serde(default, rename = "match")]
    pub matches: Vec<Example>,
    #[serde(default)]
    pub reject: Vec<Example>,
    pub revoke: Option<String>,
    pub reference: Option<String>,
}

/// Which part of a match is the secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Group {
    /// The group named `secret`, or all.
    #[default]
    Named,
    /// The group with this number.
    Number(usize),
    /// The first that is not empty.
    First,
    /// The last that is not empty.
    Last,
}

impl Default for RuleSpec {
    fn default() -> RuleSpec {
        RuleSpec {
            id: Spanned::new(0..0, String::new()),
            title: String::new(),
            severity: Severity::High,
            confidence: high(),
            literals: Vec::new(),
            files: Vec::new(),
            names: Vec::new(),
            metadata: false,
            issued: false,
            form: Vec::new(),
            near: Vec::new(),
            complete: false,
            regex: None,
            hir: None,
            before: 0,
            after: default_after(),
            whole_file: false,
            document: None,
            boundary: yes(),
            value: ValueSpec::default(),
            check: None,
            opened_by: Vec::new(),
            path: None,
            allow: Vec::new(),
            keywords: None,
            group: Group::Named,
            sample: None,
            matches: Vec::new(),
            reject: Vec::new(),
            revoke: None,
            reference: None,
        }
    }
}

/// Gates on the secret.
#[derive(Debug, Clone, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ValueSpec {
    /// Least length in bytes.
    #[serde(default)]
    pub min: usize,
    /// Greatest length in bytes.
    pub max: Option<usize>,
    /// Least Shannon entropy in bits per byte.
    #[serde(default)]
    pub entropy: f32,
    /// A digit must occur.
    #[serde(default)]
    pub digits: bool,
    /// A letter must occur.
    #[serde(default)]
    pub letters: bool,
    /// An upper-case letter must occur.
    #[serde(default)]
    pub upper: bool,
    /// A lower-case letter must occur.
    #[serde(default)]
    pub lower: bool,
    /// Least share of neighbours that are of different kinds (digit, upper case, lower case): words have few, chance has many.
    #[serde(default)]
    pub changes: f32,
}

/// An example: a text, or a text in a file of a certain path.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(untagged)]
pub enum Example {
    /// Only a text.
    Text(String),
    /// A text and where it stands.
    File {
        /// The path within a layer.
        path: String,
        /// The content.
        text: String,
    },
    /// A file that is no text.
    Bytes {
        /// The path within a layer.
        path: String,
        /// The base64 of the content.
        base64: String,
    },
}

impl Example {
    /// The path, empty where it does not matter.
    pub fn path(&self) -> &str {
        match self {
            Example::Text(_) => "",
            Example::File { path, .. } | Example::Bytes { path, .. } => path,
        }
    }

    /// The text, a template.
    pub fn text(&self) -> &str {
        match self {
            Example::Text(text) | Example::File { text, .. } | Example::Bytes { base64: text, .. } => text,
        }
    }

    /// The content, given the filled template. An error is a sentence.
    pub fn content(&self, filled: String) -> Result<Vec<u8>, String> {
        match self {
            Example::Bytes { .. } => check::decode_base64(filled.as_bytes()).ok_or_else(|| "its base64 does not decode".to_owned()),
            _ => Ok(filled.into_bytes()),
        }
    }
}

fn high() -> Confidence {
    Confidence::High
}

fn default_after() -> usize {
    512
}

fn yes() -> bool {
    true
}
