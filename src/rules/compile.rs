//! From a rule as it is written to a rule that can be run. Used for the built-in rules and for `--rules` alike.

use super::check::Check;
use super::exception::{Exception, Place};
use super::guarantee::{self, Way};
use super::import;
use super::pair::{self, Pair};
use super::service;
use super::spec::{Example, Group, RuleFile, RuleSpec, ValueSpec};
use super::{Confidence, Severity};
use crate::error::Error;
use crate::text::unquoted;
use globset::{Glob, GlobBuilder};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_syntax::hir::Hir;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use toml::Spanned;

/// The farthest a rule may look to the right of its literal, in bytes.
pub const MAX_AFTER: usize = 24 << 10;
/// The farthest a rule may look to the left of its literal, in bytes.
pub const MAX_BEFORE: usize = 2 << 10;

/// A rule, ready to run.
#[derive(Debug)]
pub struct Rule {
    /// Unique.
    pub id: String,
    /// Who issues this kind of secret.
    pub provider: String,
    /// What it is, for people.
    pub title: String,
    /// How bad a leak is.
    pub severity: Severity,
    /// How sure a match is, before checks.
    pub confidence: Confidence,
    /// The way in.
    pub reach: Reach,
    /// What is looked for first. Part of the rule's meaning: with [`Way::Value`], what has no such run is no match.
    pub way: Way,
    /// Gates on the value.
    pub value: ValueSpec,
    /// The match says what the document around it is: its values are the secrets.
    pub document: Option<Document>,
    /// Offline validator.
    pub check: Option<Check>,
    /// Its name (RULES.md).
    pub check_name: Option<String>,
    /// Ids of rules: where an image has a secret of each, these open what this rule finds.
    pub opened_by: Vec<String>,
    /// The forms that the regex was made from, if it was.
    pub forms: Vec<String>,
    /// The match may not continue a longer word.
    pub boundary: bool,
    /// It came from the rule file of another tool.
    pub imported: bool,
    /// How to revoke and rotate.
    pub revoke: Option<String>,
    /// Where the format is documented.
    pub reference: Option<String>,
    /// A template of one valid secret.
    pub sample: Option<String>,
    /// Must match.
    pub matches: Vec<Example>,
    /// Must not match.
    pub reject: Vec<Example>,
    /// The file it came from.
    pub file: String,
    /// All of the above as text, for the fingerprint.
    pub(super) canonical: String,
    source: String,
    regex: OnceLock<Regex>,
    group: Group,
    path: Option<Regex>,
    exceptions: Vec<Arc<Exception>>,
}

/// How a rule is reached.
#[derive(Debug)]
pub enum Reach {
    /// Where a literal occurs, in any file or in those that match.
    Literals {
        /// At least one, lower case.
        literals: Vec<String>,
        /// Empty: any file.
        files: Vec<Glob>,
        /// Where the match may lie.
        window: Window,
    },
    /// Anywhere in a text that holds one of the keywords; without keywords, in every text. Only imported rules.
    Anywhere {
        /// Lower case.
        keywords: Vec<String>,
    },
    /// In files whose path matches.
    Files {
        /// At least one.
        files: Vec<Glob>,
        /// Only on whole, small files.
        whole: bool,
    },
    /// In a value of the rule's form behind one of these words.
    Near {
        /// At least one, lower case; a space stands for any separator or none.
        words: Vec<String>,
        /// The longest value, in bytes.
        longest: usize,
        /// The service has no keys of another form.
        complete: bool,
    },
    /// At assignments to these names.
    Names {
        /// At least one.
        names: Vec<Name>,
        /// Only in an image's configuration and history.
        metadata: bool,
        /// Made by a machine: of token characters, and where the name names a service, of the form of its keys.
        issued: bool,
    },
}

/// A kind of document whose values are secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// A manifest of Kubernetes: `data` and `stringData`.
    KubernetesSecret,
}

/// The name of something that holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// Lower-case words joined by `_`.
    pub words: String,
    /// The same without separators.
    pub joined: String,
}

/// Where a match may lie around a literal, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Farthest begin of the match in front of the literal's start.
    pub before: usize,
    /// Farthest end behind the literal's start.
    pub after: usize,
}

impl Rule {
    /// The compiled regex; compiled on first use. `None` for rules that have none.
    pub fn regex(&self) -> Option<&Regex> {
        if self.source.is_empty() {
            return None;
        }
        if self.regex.get().is_none() {
            let _ = self.regex.set(build(&self.source).ok()?);
        }
        self.regex.get()
    }

    /// Where the secret lies, given the captures of a match.
    pub fn secret_span(&self, captures: &regex_automata::util::captures::Captures) -> Option<Range<usize>> {
        let group = |number: usize| captures.get_group(number).filter(|span| !span.is_empty());
        let secret = match self.group {
            Group::Named => captures.get_group_by_name("secret"),
            Group::Number(number) => captures.get_group(number),
            Group::First => (1..captures.group_len()).find_map(group),
            Group::Last => (1..captures.group_len()).rev().find_map(group),
        };
        secret.or_else(|| captures.get_match().map(|m| m.span())).map(|span| span.range())
    }

    /// Which group of the regex is the secret: a number, `first`, `last`, or `secret` for the one of that name, or all.
    pub fn group(&self) -> String {
        match self.group {
            Group::Named => "secret".to_owned(),
            Group::Number(number) => number.to_string(),
            Group::First => "first".to_owned(),
            Group::Last => "last".to_owned(),
        }
    }

    /// How many exceptions it has.
    pub fn exceptions(&self) -> usize {
        self.exceptions.len()
    }

    /// True if the rule is meant for a file of this path, as far as its `path` says.
    pub fn fits_path(&self, path: &[u8]) -> bool {
        self.path.as_ref().is_none_or(|regex| regex.is_match(path))
    }

    /// True if one of the rule's exceptions lets the match pass.
    pub fn excepts<'a>(&self, place: impl FnOnce() -> Place<'a>) -> bool {
        !self.exceptions.is_empty() && {
            let place = place();
            self.exceptions.iter().any(|exception| exception.holds(&place))
        }
    }

    /// The regex as it was written.
    pub fn pattern(&self) -> &str {
        &self.source
    }

    /// How much of `secret` is public knowledge: the literal that it begins with, in bytes.
    pub fn public_prefix(&self, secret: &[u8]) -> usize {
        let Reach::Literals { literals, .. } = &self.reach else { return 0 };
        let begins = |literal: &&String| secret.len() > literal.len() && secret[..literal.len()].eq_ignore_ascii_case(literal.as_bytes());
        literals.iter().filter(begins).map(String::len).max().unwrap_or(0)
    }
}

/// All rules and pairs of one file, whatever tool it was written for, and what of it cannot be honoured. The error names file, rule, line and
/// column.
pub(super) fn rule_file(file: &str, text: &str, load: import::Load) -> Result<(Vec<Rule>, Vec<Pair>, import::Remarks), Error> {
    match import::read(file, text, load)? {
        Some(imported) => import::compile(file, imported).map(|(rules, remarks)| (rules, Vec::new(), remarks)),
        None => own_file(file, text).map(|(rules, pairs)| (rules, pairs, import::Remarks::default())),
    }
}

/// All rules and pairs of a file in our own format.
pub(super) fn own_file(file: &str, text: &str) -> Result<(Vec<Rule>, Vec<Pair>), Error> {
    let parsed: RuleFile = toml::from_str(text).map_err(|e| {
        let place = e.span().map_or_else(|| file.to_owned(), |span| position(file, text, span.start));
        Error::Rules { file: place, message: unquoted(e.message()) }
    })?;
    let provider = parsed.provider.unwrap_or_else(|| stem(file));
    let hash = blake3::hash(text.as_bytes()).to_hex();
    let origin = Origin { file, text, hash: &hash };
    let mut rules: Vec<Rule> = parsed.rule.into_iter().map(|spec| compile(&origin, &provider, spec)).collect::<Result<_, _>>()?;
    for (name, service) in &parsed.services {
        let place = || position(file, text, service.span().start);
        let specs = service::rules(name, service).map_err(|e| Error::Rules { file: place(), message: format!("service {name}: {e}") })?;
        for spec in specs {
            rules.push(compile(&origin, name, spec)?);
        }
    }
    let mut pairs = Vec::new();
    for spec in parsed.pair {
        let place = position(file, text, spec.span().start);
        let wrong = |e: String| Error::Rules { file: place, message: format!("pair: {e}") };
        pairs.push(pair::compile(spec.into_inner()).map_err(wrong)?);
    }
    Ok((rules, pairs))
}

/// The name of a file without its ending.
pub(super) fn stem(file: &str) -> String {
    Path::new(file).file_stem().map_or_else(|| file.to_owned(), |s| s.to_string_lossy().into_owned())
}

pub(super) fn position(file: &str, text: &str, at: usize) -> String {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line = 1 + before.iter().filter(|b| **b == b'\n').count();
    let column = 1 + before.iter().rev().take_while(|b| **b != b'\n').count();
    format!("{file}:{line}:{column}")
}

/// The file that rules come from.
struct Origin<'a> {
    file: &'a str,
    text: &'a str,
    hash: &'a str,
}

/// Reports what is wrong with one rule, at the place of the field it is about.
struct Complaint<'a> {
    origin: &'a Origin<'a>,
    id: &'a str,
    id_at: usize,
}

impl Complaint<'_> {
    fn at<T>(&self, field: &Spanned<T>, message: impl Into<String>) -> Error {
        self.error(field.span().start, message)
    }

    fn rule(&self, message: impl Into<String>) -> Error {
        self.error(self.id_at, message)
    }

    fn error(&self, at: usize, message: impl Into<String>) -> Error {
        Error::Rules { file: position(self.origin.file, self.origin.text, at), message: format!("rule {}: {}", self.id, message.into()) }
    }
}

fn compile(origin: &Origin, provider: &str, spec: RuleSpec) -> Result<Rule, Error> {
    let id = spec.id.get_ref().clone();
    let complaint = Complaint { origin, id: &id, id_at: spec.id.span().start };
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if id.is_empty() || !id.bytes().all(word) {
        return Err(complaint.rule("an id is made of lower-case letters, digits and `-`"));
    }
    let spec = service::fill_in(spec).map_err(|e| complaint.rule(e))?;
    if spec.matches.is_empty() {
        return Err(complaint.rule("at least one `match` example is needed"));
    }
    // All that is in it is in its file.
    let canonical = format!("{id} of {}", origin.hash);
    rule(&complaint, provider, spec, Vec::new(), canonical)
}

/// A rule of another tool, whose regex is compiled at once: what it takes is not known before.
pub(super) fn imported(file: &str, provider: &str, spec: RuleSpec, exceptions: Vec<Arc<Exception>>) -> Result<Rule, Error> {
    let id = spec.id.get_ref().clone();
    let origin = Origin { file, text: "", hash: "" };
    let complaint = Complaint { origin: &origin, id: &id, id_at: 0 };
    let built = build(spec.regex.as_ref().map_or("", |regex| regex.get_ref())).map_err(|e| complaint.rule(e.to_string()))?;
    let shared: String = exceptions.iter().map(|exception| exception.canonical()).collect();
    let canonical = format!("{spec:?}{shared}");
    let rule = rule(&complaint, provider, spec, exceptions, canonical)?;
    let _ = rule.regex.set(built);
    Ok(Rule { imported: true, ..rule })
}

fn rule(
    complaint: &Complaint,
    provider: &str,
    spec: RuleSpec,
    mut exceptions: Vec<Arc<Exception>>,
    canonical: String,
) -> Result<Rule, Error> {
    let reach = reach(complaint, &spec)?;
    let mut way = Way::Literal(None);
    if let Some(regex) = &spec.regex {
        let parsed = spec.hir.map_or_else(|| syntax_check(regex.get_ref()), Ok).map_err(|e| complaint.at(regex, e))?;
        way = match &reach {
            Reach::Literals { window, .. } if window.before == 0 && spec.document.is_none() => {
                guarantee::way(&parsed, false, spec.boundary)
            }
            Reach::Near { .. } => guarantee::way(&parsed, true, spec.boundary),
            _ => Way::Literal(None),
        };
    }
    let path = spec.path.as_ref().map(|path| build(path.get_ref()).map_err(|e| complaint.at(path, format!("the regex is wrong: {e}"))));
    let check = match &spec.check {
        None => None,
        Some(name) => {
            Some(Check::parse(name.get_ref()).ok_or_else(|| complaint.at(name, format!("there is no check {:?}", name.get_ref())))?)
        }
    };
    for allow in spec.allow {
        exceptions.push(Arc::new(Exception::new(allow).map_err(|e| complaint.rule(format!("`allow`: {e}")))?));
    }
    let document = match &spec.document {
        None => None,
        Some(_) if !matches!(reach, Reach::Literals { .. }) => return Err(complaint.rule("`document` goes with `literals`")),
        Some(name) if name.get_ref() == "kubernetes-secret" => Some(Document::KubernetesSecret),
        Some(name) => return Err(complaint.at(name, format!("there is no document {:?}", name.get_ref()))),
    };
    Ok(Rule {
        id: spec.id.into_inner(),
        provider: provider.to_owned(),
        title: spec.title,
        severity: spec.severity,
        confidence: spec.confidence,
        reach,
        way,
        value: spec.value,
        document,
        check,
        check_name: spec.check.map(Spanned::into_inner),
        opened_by: spec.opened_by,
        forms: spec.form.into_iter().map(Spanned::into_inner).collect(),
        boundary: spec.boundary,
        imported: false,
        revoke: spec.revoke,
        reference: spec.reference,
        sample: spec.sample,
        matches: spec.matches,
        reject: spec.reject,
        file: complaint.origin.file.to_owned(),
        canonical,
        source: spec.regex.map(Spanned::into_inner).unwrap_or_default(),
        regex: OnceLock::new(),
        group: spec.group,
        path: path.transpose()?,
        exceptions,
    })
}

fn reach(complaint: &Complaint, spec: &RuleSpec) -> Result<Reach, Error> {
    if let Some(keywords) = &spec.keywords {
        return Ok(Reach::Anywhere { keywords: keywords.clone() });
    }
    let files = spec.files.iter().map(|glob| compile_glob(complaint, glob)).collect::<Result<Vec<_>, _>>()?;
    if spec.complete && spec.near.is_empty() {
        return Err(complaint.rule("`complete` goes with `near`"));
    }
    if !spec.names.is_empty() {
        if spec.regex.is_some() || !spec.literals.is_empty() || !files.is_empty() {
            return Err(complaint.rule("`names` stands alone: no `regex`, `literals` or `files` beside it"));
        }
        let names = spec.names.iter().map(|name| compile_name(complaint, name)).collect::<Result<_, _>>()?;
        return Ok(Reach::Names { names, metadata: spec.metadata, issued: spec.issued });
    }
    if spec.metadata || spec.issued {
        return Err(complaint.rule("`metadata` and `issued` go with `names`"));
    }
    if !spec.near.is_empty() {
        if !files.is_empty() {
            return Err(complaint.rule("`near` and `files` do not go together"));
        }
        if spec.after > MAX_AFTER {
            return Err(complaint.rule(format!("a form has at most {MAX_AFTER} bytes")));
        }
        let words = spec.near.iter().map(|word| compile_word(complaint, word)).collect::<Result<_, _>>()?;
        return Ok(Reach::Near { words, longest: spec.after, complete: spec.complete });
    }
    if spec.regex.is_none() {
        return Err(complaint.rule("a `regex` is needed, or `names`"));
    }
    if spec.literals.is_empty() {
        if files.is_empty() {
            return Err(complaint.rule("`literals`, `files` or `names` is needed: a rule is never run over everything"));
        }
        return Ok(Reach::Files { files, whole: spec.whole_file });
    }
    if spec.whole_file {
        return Err(complaint.rule("`whole_file` goes with `files` alone"));
    }
    if spec.after > MAX_AFTER || spec.before > MAX_BEFORE {
        return Err(complaint.rule(format!("`before` is at most {MAX_BEFORE} and `after` at most {MAX_AFTER}")));
    }
    let mut literals = Vec::new();
    for literal in &spec.literals {
        if literal.get_ref().len() < 3 {
            return Err(complaint.at(literal, "a literal has at least 3 bytes"));
        }
        literals.push(literal.get_ref().to_ascii_lowercase());
    }
    Ok(Reach::Literals { literals, files, window: Window { before: spec.before, after: spec.after } })
}

fn compile_glob(complaint: &Complaint, glob: &Spanned<String>) -> Result<Glob, Error> {
    let built = GlobBuilder::new(glob.get_ref()).case_insensitive(true).literal_separator(true).build();
    built.map_err(|e| complaint.at(glob, e.kind().to_string()))
}

fn compile_name(complaint: &Complaint, name: &Spanned<String>) -> Result<Name, Error> {
    let words = name.get_ref();
    if words.len() < 2 || !words.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Err(complaint.at(name, "a name is made of lower-case words joined by `_`"));
    }
    Ok(Name { words: words.clone(), joined: words.replace('_', "") })
}

fn compile_word(complaint: &Complaint, word: &Spanned<String>) -> Result<String, Error> {
    let text = word.get_ref();
    if text.len() < 3 || !text.bytes().all(|b| (0x20..0x7f).contains(&b) && !b.is_ascii_uppercase()) {
        return Err(complaint.at(word, "a word has at least 3 bytes, all of them printable ASCII in lower case"));
    }
    Ok(text.clone())
}

/// How regexes are read: bytes, and classes of ASCII.
pub(super) fn config() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

/// A regex, read.
pub(super) fn syntax_check(pattern: &str) -> Result<Hir, String> {
    syntax::parse_with(pattern, &config()).map_err(|e| format!("the regex is wrong: {e}"))
}

fn build(pattern: &str) -> Result<Regex, Box<regex_automata::meta::BuildError>> {
    build_many(&[pattern])
}

/// One regex that matches where one of the patterns does.
pub(super) fn build_many<P: AsRef<str>>(patterns: &[P]) -> Result<Regex, Box<regex_automata::meta::BuildError>> {
    let limits = Regex::config().utf8_empty(false).nfa_size_limit(Some(4 << 20));
    Regex::builder().syntax(config()).configure(limits).build_many(patterns).map_err(Box::new)
}

/// Compiles the regex of `rule` as a scan would; for `rules check` and tests.
pub fn try_regex(rule: &Rule) -> Result<(), Error> {
    if rule.source.is_empty() {
        return Ok(());
    }
    let message = |e: String| Error::Rules { file: rule.file.clone(), message: format!("rule {}: {e}", rule.id) };
    build(&rule.source).map(drop).map_err(|e| message(e.to_string()))
}
