//! Services whose keys need no rule of their own: a form, and the word that stands near it. `patterns/services.toml` lists them.

use super::form::Form;
use super::spec::{Example, RuleSpec, ValueSpec};
use super::{Confidence, Severity};
use regex_syntax::hir::Hir;
use serde::Deserialize;
use toml::Spanned;

/// One entry of `[services]`; the fields are described in RULES.md.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    pub title: String,
    #[serde(default)]
    pub words: Vec<String>,
    #[serde(default)]
    pub token: Forms,
    #[serde(default)]
    pub key: Forms,
    #[serde(default = "high")]
    pub severity: Severity,
    pub check: Option<String>,
    pub revoke: Option<String>,
    pub reference: Option<String>,
}

/// One form, or several.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
pub enum Forms {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl Forms {
    fn texts(&self) -> &[String] {
        match self {
            Forms::None => &[],
            Forms::One(text) => std::slice::from_ref(text),
            Forms::Many(texts) => texts,
        }
    }
}

/// The rules of a service: one for its tokens, one for its keys.
pub fn rules(name: &str, spec: &Spanned<ServiceSpec>) -> Result<Vec<RuleSpec>, String> {
    let (span, spec) = (spec.span(), spec.get_ref());
    let words = if spec.words.is_empty() { vec![name.replace('-', " ")] } else { spec.words.clone() };
    let spanned = |text: String| Spanned::new(span.clone(), text);
    let rule = |kind: &str, forms: &Forms, near: Vec<String>, confidence| RuleSpec {
        id: spanned(format!("{name}-{kind}")),
        title: format!("{} {kind}", spec.title),
        severity: spec.severity,
        confidence,
        form: forms.texts().iter().cloned().map(spanned).collect(),
        complete: !near.is_empty(),
        near: near.into_iter().map(spanned).collect(),
        check: spec.check.clone().map(spanned),
        revoke: Some(spec.revoke.clone().unwrap_or_else(|| format!("Revoke it in the account of {} and make a new one", spec.title))),
        reference: spec.reference.clone(),
        ..RuleSpec::default()
    };
    let mut rules = Vec::new();
    if !spec.token.texts().is_empty() {
        rules.push(rule("token", &spec.token, Vec::new(), Confidence::High));
    }
    if !spec.key.texts().is_empty() {
        rules.push(rule("key", &spec.key, words, Confidence::Medium));
    }
    if rules.is_empty() { Err("a `token` or a `key` is needed".to_owned()) } else { Ok(rules) }
}

/// Fills in what follows from a rule's `form` and `near`: regex, literals, window, gates, sample and examples, as far as the rule
/// does not say them itself. A rule without a form is left as it is.
pub fn fill_in(mut spec: RuleSpec) -> Result<RuleSpec, String> {
    if spec.form.is_empty() {
        return if spec.near.is_empty() { Ok(spec) } else { Err("`near` goes with `form`".to_owned()) };
    }
    if spec.regex.is_some() || !spec.literals.is_empty() || !spec.names.is_empty() {
        return Err("`form` stands for `regex` and `literals`: give it alone, or with `near` or `files`".to_owned());
    }
    let parse = |text: &Spanned<String>| Form::parse(text.get_ref()).map_err(|e| format!("{:?}: {e}", text.get_ref()));
    let forms: Vec<Form> = spec.form.iter().map(parse).collect::<Result<_, _>>()?;
    let span = spec.form[0].span();
    let spanned = |text: String| Spanned::new(span.clone(), text);
    let longest = forms.iter().map(Form::max).max().unwrap_or(0);
    spec.after = longest + 8;
    if spec.near.is_empty() {
        for (form, text) in forms.iter().zip(&spec.form) {
            let none = || format!("{:?} has no literal of 3 bytes: it needs a word `near` it", text.get_ref());
            let anchor = form.anchor().ok_or_else(none)?;
            spec.before = spec.before.max(anchor.before);
            spec.literals.extend(anchor.literals.into_iter().map(spanned));
        }
    }
    // The longest first, so that a form that is the beginning of another does not win.
    let mut sorted: Vec<&Form> = forms.iter().collect();
    sorted.sort_by_key(|form| std::cmp::Reverse(form.max()));
    spec.hir = sorted.iter().map(|form| form.hir()).collect::<Option<Vec<Hir>>>().map(Hir::alternation);
    let sources: Vec<String> = sorted.iter().map(|form| form.regex()).collect();
    spec.regex = Some(spanned(if let [one] = &sources[..] { one.clone() } else { format!("(?:{})", sources.join("|")) }));
    if spec.value == ValueSpec::default() {
        spec.value = gates(&forms);
    }
    let samples: Vec<String> = forms.iter().map(Form::sample).collect();
    if spec.matches.is_empty() {
        let begin = spec.near.first().map(|word| assignment(word.get_ref()));
        let example = |sample: &String| match &begin {
            Some(begin) => format!("{begin}\"{sample}\"\n"),
            None => format!("use {sample}\n"),
        };
        spec.matches = samples.iter().map(|sample| Example::Text(example(sample))).collect();
        spec.reject.push(Example::Text(match spec.literals.first() {
            Some(literal) => format!("token: {}\n", literal.get_ref()),
            None => format!("digest: {}\n", samples[0]),
        }));
    }
    spec.sample = spec.sample.or_else(|| samples.into_iter().next());
    Ok(spec)
}

/// The least that all forms ask for.
fn gates(forms: &[Form]) -> ValueSpec {
    let all: Vec<ValueSpec> = forms.iter().map(Form::gates).collect();
    let least = |of: fn(&ValueSpec) -> f32| all.iter().map(of).fold(f32::INFINITY, f32::min);
    ValueSpec { entropy: least(|g| g.entropy), changes: least(|g| g.changes), ..ValueSpec::default() }
}

/// What may stand in front of a key of the service that the word names.
fn assignment(word: &str) -> String {
    if word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ') {
        format!("{}_API_KEY=", word.to_ascii_uppercase().replace(' ', "_"))
    } else {
        format!("{word} key=")
    }
}

fn high() -> Severity {
    Severity::High
}
