//! What opens what: an encrypted secret, and the keys to it elsewhere in the same image (`opened_by` of rules).

use super::Finding;
use crate::rules::check::{Fact, FactName};
use crate::rules::{Confidence, RuleSet};
use std::collections::HashSet;

/// Of the findings of one image: those that its other findings open are sure, and say by what. A key may be opened itself, and is one
/// then. A hint opens nothing.
pub fn open(findings: &mut [Finding], rules: &RuleSet) {
    let rule_of = |finding: &Finding| &rules.rules()[finding.rule];
    let mut shut: Vec<&mut Finding> = Vec::new();
    let mut held: HashSet<&str> = HashSet::new();
    for finding in findings {
        if finding.confidence > Confidence::Low {
            held.insert(&rule_of(finding).id);
        }
        if finding.confidence < Confidence::High && !rule_of(finding).opened_by.is_empty() {
            shut.push(finding);
        }
    }
    loop {
        let opens = |finding: &mut &mut Finding| rule_of(finding).opened_by.iter().all(|key| held.contains(&key[..]));
        let opened: Vec<&mut Finding> = shut.extract_if(.., opens).collect();
        if opened.is_empty() {
            return;
        }
        for finding in opened {
            let rule = rule_of(finding);
            held.insert(&rule.id);
            finding.confidence = Confidence::High;
            finding.reasons.push("what opens it is in the image too".into());
            finding.details.get_or_insert_default().facts.extend(Fact::new(FactName::OpenedBy, &rule.opened_by.join(", ")));
        }
    }
}
