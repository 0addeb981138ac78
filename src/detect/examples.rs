//! Runs the examples that rules carry: every `match` must be found, by its own rule; no `reject` may be.

use super::{Detector, Match, Medium, Text};
use crate::Error;
use crate::rules::{Example, Reach, Rule, RuleSet, sample, try_regex};

/// What does not hold, one sentence each. Values in the sentences are templates, never filled.
pub fn check(rules: RuleSet) -> Result<Vec<String>, Error> {
    let detector = Detector::new(rules)?;
    let mut failures = Vec::new();
    for (index, rule) in detector.rules().rules().iter().enumerate() {
        try_regex(rule)?;
        if let Err(message) = rule_examples(&detector, index, rule, &mut failures) {
            failures.push(format!("{}: {}: {message}", rule.file, rule.id));
        }
    }
    Ok(failures)
}

fn rule_examples(detector: &Detector, index: usize, rule: &Rule, failures: &mut Vec<String>) -> Result<(), String> {
    let secret = sample::of_rule(rule)?.unwrap_or_default();
    for (number, example) in rule.matches.iter().enumerate() {
        let text = sample::fill(rule, example.text(), &secret, &format!("{} match {number}", rule.id))?;
        let found = run(detector, rule, example, text.clone())?;
        let own = found.iter().find(|m| m.rule == index);
        let problem = match own {
            None => match found.iter().map(|m| &detector.rules().rules()[m.rule].id[..]).next() {
                Some(other) => format!("is found by {other} instead"),
                None => "is not found".to_owned(),
            },
            Some(own) if example.text().contains("{sample}") && !overlaps(own, &text, &secret) => "is found, but not its sample".to_owned(),
            Some(_) => continue,
        };
        failures.push(format!("{}: {}: match {:?} {problem}", rule.file, rule.id, example.text()));
    }
    for (number, example) in rule.reject.iter().enumerate() {
        let text = sample::fill(rule, example.text(), &secret, &format!("{} reject {number}", rule.id))?;
        if run(detector, rule, example, text)?.iter().any(|m| m.rule == index) {
            failures.push(format!("{}: {}: reject {:?} is found", rule.file, rule.id, example.text()));
        }
    }
    Ok(())
}

fn run(detector: &Detector, rule: &Rule, example: &Example, text: String) -> Result<Vec<Match>, String> {
    let medium = match (&rule.reach, example) {
        (Reach::Names { metadata: true, .. }, _) => Medium::Metadata,
        (_, Example::Bytes { .. }) => Medium::Binary,
        _ => Medium::Text,
    };
    Ok(detector.scan(&Text::whole(&example.content(text)?, example.path().as_bytes(), medium)))
}

fn overlaps(found: &Match, text: &str, secret: &str) -> bool {
    let (from, to) = (found.offset as usize, found.offset as usize + found.secret.len());
    text.match_indices(secret).any(|(at, _)| from < at + secret.len() && at < to)
}
