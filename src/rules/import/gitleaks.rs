//! gitleaks: `[[rules]]`, allowlists, `[extend]`.

use super::{Draft, Imported, Load, Remarks, draft, plain};
use crate::error::Error;
use crate::rules::compile::position;
use crate::rules::exception::{Exception, ExceptionSpec, Part};
use crate::rules::spec::Group;
use crate::rules::{Confidence, import::regex};
use crate::text::unquoted;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;

/// How many files may extend each other.
const DEEPEST: usize = 4;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    extend: Extend,
    rules: Vec<RuleEntry>,
    allowlist: Option<Allowlist>,
    allowlists: Vec<Allowlist>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Extend {
    #[serde(alias = "usedefault")]
    use_default: bool,
    path: String,
    url: String,
    #[serde(alias = "disabledrules")]
    disabled_rules: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RuleEntry {
    id: String,
    description: String,
    regex: String,
    #[serde(alias = "secretgroup")]
    secret_group: usize,
    entropy: f32,
    keywords: Vec<String>,
    path: String,
    allowlist: Option<Allowlist>,
    allowlists: Vec<Allowlist>,
    #[serde(alias = "skipreport")]
    skip_report: bool,
    required: Option<toml::Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Allowlist {
    condition: String,
    #[serde(alias = "regextarget")]
    regex_target: String,
    regexes: Vec<String>,
    paths: Vec<String>,
    stopwords: Vec<String>,
    commits: Vec<String>,
    #[serde(alias = "targetrules")]
    target_rules: Vec<String>,
}

/// True for a text with one of the tables that only such files have.
pub fn is_one(text: &str) -> bool {
    let head = |line: &str| line.split('#').next().unwrap_or_default().replace(' ', "");
    text.lines().any(|line| matches!(&head(line)[..], "[[rules]]" | "[extend]" | "[allowlist]" | "[[allowlists]]"))
}

/// Reads a file and those that it extends.
pub fn read(file: &str, text: &str, load: Load) -> Result<Imported, Error> {
    let mut imported = Imported::default();
    let config = config(file, text, load, &mut imported.remarks, DEEPEST)?;
    let remarks = &mut imported.remarks;
    let everywhere: Vec<(Vec<String>, Arc<Exception>)> = config
        .allowlist
        .iter()
        .chain(&config.allowlists)
        .filter_map(|list| Some((list.target_rules.clone(), exception(list, "", remarks)?)))
        .collect();
    for entry in &config.rules {
        if entry.skip_report {
            continue;
        }
        let shared = everywhere.iter().filter(|(targets, _)| targets.is_empty() || targets.contains(&entry.id));
        let mut exceptions: Vec<Arc<Exception>> = shared.map(|(_, exception)| exception.clone()).collect();
        exceptions.extend(entry.allowlist.iter().chain(&entry.allowlists).filter_map(|list| exception(list, &entry.id, remarks)));
        match rule(entry, remarks) {
            Ok(spec) => imported.drafts.push(Draft { spec, exceptions }),
            Err(why) => remarks.of_rule(&entry.id, format!("left out: {why}")),
        }
    }
    Ok(imported)
}

/// One file over those that it extends.
fn config(file: &str, text: &str, load: Load, remarks: &mut Remarks, depth: usize) -> Result<Config, Error> {
    let mut config: Config = toml::from_str(text).map_err(|e| {
        let place = e.span().map_or_else(|| file.to_owned(), |span| position(file, text, span.start));
        Error::Rules { file: place, message: unquoted(e.message()) }
    })?;
    let extend = std::mem::take(&mut config.extend);
    if extend.use_default {
        remarks.say("`useDefault`: the built-in rules of pentimento take the place of those of gitleaks");
    }
    if !extend.url.is_empty() {
        remarks.say("`extend.url` is not asked: nothing is looked up on a network");
    }
    if extend.path.is_empty() {
        return Ok(config);
    }
    let Some((name, text)) = load(file, &extend.path).filter(|_| depth > 1) else {
        remarks.say("the file that `extend.path` names cannot be read, or extends too many others: its rules are left out");
        return Ok(config);
    };
    let mut base = self::config(&name, &text, load, remarks, depth - 1)?;
    base.rules.retain(|rule| !extend.disabled_rules.contains(&rule.id));
    merge(&mut base, config);
    Ok(base)
}

/// Puts `over` over `base`: what a rule of the same id says again counts, and its lists are added.
fn merge(base: &mut Config, over: Config) {
    let mut known: HashMap<String, usize> = base.rules.iter().enumerate().map(|(at, rule)| (rule.id.clone(), at)).collect();
    for rule in over.rules {
        let Some(below) = known.get(&rule.id).and_then(|at| base.rules.get_mut(*at)) else {
            known.insert(rule.id.clone(), base.rules.len());
            base.rules.push(rule);
            continue;
        };
        for (old, new) in [(&mut below.description, rule.description), (&mut below.regex, rule.regex), (&mut below.path, rule.path)] {
            if !new.is_empty() {
                *old = new;
            }
        }
        below.secret_group = if rule.secret_group > 0 { rule.secret_group } else { below.secret_group };
        below.entropy = if rule.entropy > 0.0 { rule.entropy } else { below.entropy };
        below.keywords.extend(rule.keywords);
        below.allowlists.extend(rule.allowlist.into_iter().chain(rule.allowlists));
    }
    base.allowlists.extend(over.allowlist.into_iter().chain(over.allowlists));
}

fn rule(entry: &RuleEntry, remarks: &mut Remarks) -> Result<crate::rules::spec::RuleSpec, String> {
    if entry.regex.is_empty() {
        return Err(match entry.path.is_empty() {
            true => "it has no regex: it may change a rule of gitleaks that is not in the file".to_owned(),
            false => "it has no regex: that a file exists is no finding".to_owned(),
        });
    }
    let (mut spec, hir) = draft(&entry.id, &entry.description, &entry.regex, entry.keywords.clone())?;
    let groups = super::groups(&hir).len();
    if entry.secret_group > groups {
        return Err(format!("`secretGroup` is {}, and its regex has {groups} groups", entry.secret_group));
    }
    spec.group = if entry.secret_group > 0 { Group::Number(entry.secret_group) } else { Group::First };
    spec.value.entropy = entry.entropy;
    spec.confidence = Confidence::Medium;
    if !entry.path.is_empty() {
        spec.path = Some(plain(regex::translate(&entry.path)?));
    }
    if entry.required.is_some() {
        remarks.of_rule(&entry.id, "`required`: that other rules match near it is not asked for");
    }
    if spec.keywords.as_ref().is_some_and(Vec::is_empty) {
        remarks.of_rule(&entry.id, "neither keywords nor a text that all matches hold: it is run over everything, which is slow");
    }
    Ok(spec)
}

/// An allowlist in our terms; `None` if nothing of it can hold. `id` is the rule's, if it is one of a rule.
fn exception(list: &Allowlist, id: &str, remarks: &mut Remarks) -> Option<Arc<Exception>> {
    let mut say = |what: String| if id.is_empty() { remarks.say(what) } else { remarks.of_rule(id, what) };
    let all = matches!(&list.condition.to_ascii_uppercase()[..], "AND" | "&&");
    if !list.commits.is_empty() {
        say("`commits` of an allowlist: an image has none".to_owned());
        if all {
            return None;
        }
    }
    let on = match &list.regex_target.to_ascii_lowercase()[..] {
        "" | "secret" => Part::Secret,
        "match" => Part::Match,
        "line" => Part::Line,
        other => {
            say(format!("an allowlist is left out: there is no `regexTarget` {other:?}"));
            return None;
        }
    };
    let mut translated = |texts: &[String]| -> Option<Vec<String>> {
        let mut all_read = true;
        let mut kept = Vec::new();
        for text in texts {
            match regex::translate(text).and_then(|regex| super::hir(&regex).map(|_| regex)) {
                Ok(regex) => kept.push(regex),
                Err(why) => {
                    say(format!("a regex of an allowlist is left out: {why}"));
                    all_read = false;
                }
            }
        }
        // Without one of its conditions, a list that asks for all of them would let too much pass.
        (all_read || !all || !kept.is_empty()).then_some(kept)
    };
    let (regexes, paths) = (translated(&list.regexes)?, translated(&list.paths)?);
    let spec = ExceptionSpec { all, on, regexes, paths, words: list.stopwords.clone() };
    Exception::new(spec).map(Arc::new).ok()
}
