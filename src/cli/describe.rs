//! One rule, for people and as JSON.

use anyhow::Result;
use pentimento::rules::{Example, Reach, Rule, ValueSpec, sample};
use pentimento::text::sanitise;
use serde_json::{Value, json};
use std::fmt::Write;

/// All that is in a rule. Examples are filled as `rules check` fills them.
pub fn text(rule: &Rule) -> Result<String> {
    let mut text = String::new();
    writeln!(text, "{}  {}", rule.id, sanitise(&rule.title))?;
    let mut line = |label: &str, value: &str| writeln!(text, "  {label:<9} {}", sanitise(value));
    line("severity", rule.severity.as_str())?;
    line("sure", &format!("{} confidence, before its check and what stands around it", rule.confidence.as_str()))?;
    line("provider", &rule.provider)?;
    line("matches", &in_words(rule))?;
    for form in &rule.forms {
        line("form", form)?;
    }
    if !rule.pattern().is_empty() {
        line("regex", rule.pattern())?;
    }
    let gates = gates(&rule.value);
    if !gates.is_empty() {
        line("gates", &gates.join(", "))?;
    }
    if let Some(check) = &rule.check_name {
        line("check", check)?;
    }
    if !rule.opened_by.is_empty() {
        line("opened by", &rule.opened_by.join(", "))?;
    }
    if rule.exceptions() > 0 {
        line("except", &format!("what {} exceptions let pass", rule.exceptions()))?;
    }
    for (label, examples) in [("example", &rule.matches), ("not", &rule.reject)] {
        for (number, example) in examples.iter().enumerate() {
            let path = if example.path().is_empty() { String::new() } else { format!("{}: ", example.path()) };
            line(label, &format!("{path}{}", filled(rule, example, label, number)))?;
        }
    }
    line("revoke", rule.revoke.as_deref().unwrap_or("the rule does not say how"))?;
    if let Some(reference) = &rule.reference {
        line("see", reference)?;
    }
    line("file", &rule.file)?;
    Ok(text)
}

/// The same for programs.
pub fn json(rule: &Rule) -> Value {
    let examples = |examples: &[Example], label: &str| -> Vec<Value> {
        let one = |(number, example)| json!({ "path": Example::path(example), "text": filled(rule, example, label, number) });
        examples.iter().enumerate().map(one).collect()
    };
    let mut value = summary(rule);
    value["matches"] = in_words(rule).into();
    value["forms"] = json!(rule.forms);
    value["regex"] = Some(rule.pattern()).filter(|regex| !regex.is_empty()).into();
    value["gates"] = json!(gates(&rule.value));
    value["opened_by"] = json!(rule.opened_by);
    value["exceptions"] = rule.exceptions().into();
    value["examples"] = examples(&rule.matches, "example").into();
    value["counter_examples"] = examples(&rule.reject, "not").into();
    value["revoke"] = rule.revoke.clone().into();
    value["reference"] = rule.reference.clone().into();
    value
}

/// What a list says of a rule.
pub fn summary(rule: &Rule) -> Value {
    let (reach, keywords): (&str, Vec<String>) = match &rule.reach {
        Reach::Literals { literals, .. } => ("literals", literals.clone()),
        Reach::Anywhere { keywords } => ("anywhere", keywords.clone()),
        Reach::Files { .. } => ("files", Vec::new()),
        Reach::Near { words, .. } => ("near", words.clone()),
        Reach::Names { names, .. } => ("names", names.iter().map(|name| name.words.clone()).collect()),
    };
    json!({
        "id": rule.id,
        "title": rule.title,
        "provider": rule.provider,
        "severity": rule.severity.as_str(),
        "confidence": rule.confidence.as_str(),
        "reach": reach,
        "keywords": keywords,
        "files": files(rule),
        "group": rule.group(),
        "check": rule.check_name,
        "file": rule.file,
        "imported": rule.imported,
    })
}

/// Where the rule is tried and what it takes there.
fn in_words(rule: &Rule) -> String {
    let list = |words: &[String]| words.join(", ");
    let files = files(rule);
    let within = if files.is_empty() { String::new() } else { format!(", in files such as {}", list(&files)) };
    match &rule.reach {
        Reach::Literals { literals, window, .. } => {
            let before = if window.before > 0 { format!(" begins at most {} bytes before it,", window.before) } else { String::new() };
            format!("where {} stands: what{before} ends at most {} bytes behind its begin{within}", list(literals), window.after)
        }
        Reach::Anywhere { keywords } if keywords.is_empty() => "in every text, which is slow".to_owned(),
        Reach::Anywhere { keywords } => format!("in texts that hold {}", list(keywords)),
        Reach::Files { whole: true, .. } => format!("whole files of up to 64 KiB{within}"),
        Reach::Files { .. } => format!("whatever stands there{within}"),
        Reach::Near { words, .. } => format!("values of its form at most 96 bytes behind {}", list(words)),
        Reach::Names { names, metadata, .. } => {
            let names: Vec<String> = names.iter().map(|name| name.words.clone()).collect();
            format!("what is assigned to {}{}", list(&names), if *metadata { ", in configuration and history alone" } else { "" })
        }
    }
}

fn files(rule: &Rule) -> Vec<String> {
    match &rule.reach {
        Reach::Literals { files, .. } | Reach::Files { files, .. } => files.iter().map(|glob| glob.glob().to_owned()).collect(),
        _ => Vec::new(),
    }
}

fn gates(value: &ValueSpec) -> Vec<String> {
    let number = |name: &str, least: f32| (least > 0.0).then(|| format!("{name} of at least {least:.2}"));
    let kind = |name: &str, wanted: bool| wanted.then(|| format!("a {name}"));
    let gates = [
        (value.min > 0).then(|| format!("at least {} bytes", value.min)),
        value.max.map(|max| format!("at most {max} bytes")),
        number("an entropy", value.entropy),
        number("changes", value.changes),
        kind("digit", value.digits),
        kind("letter", value.letters),
        kind("capital letter", value.upper),
        kind("small letter", value.lower),
    ];
    gates.into_iter().flatten().collect()
}

/// An example with made-up values; as a template, if it cannot be filled.
fn filled(rule: &Rule, example: &Example, label: &str, number: usize) -> String {
    let secret = sample::of_rule(rule).ok().flatten().unwrap_or_default();
    let seed = format!("{} {label} {number}", rule.id);
    sample::fill(rule, example.text(), &secret, &seed).unwrap_or_else(|_| example.text().to_owned())
}
