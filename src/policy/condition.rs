//! Which findings fail the gate: conditions that must all hold.

use super::Subject;
use crate::finding::{Finding, State};
use crate::rules::{Confidence, Severity};
use crate::timeline::Fate;

/// Which findings fail: those for which every condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailOn {
    /// What became of it is one of these.
    pub fates: Vec<Fates>,
    /// It is at least so bad.
    pub severity: Option<Severity>,
    /// It is at least so sure.
    pub confidence: Option<Confidence>,
    /// It is of one of these providers; with none, of any.
    pub providers: Vec<String>,
    /// It is of none of these.
    pub except_providers: Vec<String>,
    /// Its layer, or its document, belongs to whom.
    pub layers: Owner,
}

/// Kinds of fates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fates {
    /// All of them.
    Any,
    /// Visible in the final image.
    Present,
    /// Not visible in it.
    Hidden,
    /// A later layer deleted it.
    Deleted,
    /// A later layer wrote something else over it.
    Overwritten,
    /// Something of another type took its place.
    Replaced,
    /// A later entry of the same layer took its place.
    Superseded,
    /// In the archive's bytes, and in no file system.
    Outside,
    /// In metadata.
    Config,
    /// None of them.
    None,
}

/// To whom layers belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Owner {
    /// What the image adds to its base. Where no base is known, everything.
    #[default]
    Own,
    /// What came with the base.
    Base,
    /// Both.
    Any,
}

/// A condition by its name: what a finding that passes does not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// `FailOn::fates`.
    Fate,
    /// `FailOn::severity`.
    Severity,
    /// `FailOn::confidence`.
    Confidence,
    /// `FailOn::providers` and `FailOn::except_providers`.
    Provider,
    /// `FailOn::layers`.
    Layers,
}

impl Condition {
    /// The text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Condition::Fate => "fate",
            Condition::Severity => "severity",
            Condition::Confidence => "confidence",
            Condition::Provider => "provider",
            Condition::Layers => "layers",
        }
    }
}

impl Fates {
    /// All kinds, in the order of the documentation.
    pub const ALL: [Fates; 10] = [
        Fates::Any,
        Fates::Present,
        Fates::Hidden,
        Fates::Deleted,
        Fates::Overwritten,
        Fates::Replaced,
        Fates::Superseded,
        Fates::Outside,
        Fates::Config,
        Fates::None,
    ];

    /// The text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Fates::Any => "any",
            Fates::Present => "present",
            Fates::Hidden => "hidden",
            Fates::Deleted => "deleted",
            Fates::Overwritten => "overwritten",
            Fates::Replaced => "replaced",
            Fates::Superseded => "superseded",
            Fates::Outside => "outside",
            Fates::Config => "config",
            Fates::None => "none",
        }
    }

    /// The kind with this text form.
    pub fn parse(text: &str) -> Option<Fates> {
        Fates::ALL.into_iter().find(|fates| fates.as_str() == text)
    }

    /// Where engines disagree about what is visible, a finding has every fate.
    fn has(self, finding: &Finding) -> bool {
        if finding.is_doubtful() {
            return self != Fates::None;
        }
        match self {
            Fates::Any => true,
            Fates::None => false,
            Fates::Present => finding.is_present(),
            Fates::Hidden => !finding.is_present(),
            Fates::Config => matches!(finding.state, State::Config { .. }),
            Fates::Deleted => matches!(finding.state, State::File(Fate::Deleted { .. })),
            Fates::Overwritten => matches!(finding.state, State::File(Fate::Overwritten { .. })),
            Fates::Replaced => matches!(finding.state, State::File(Fate::Replaced { .. })),
            Fates::Superseded => matches!(finding.state, State::File(Fate::Superseded)),
            Fates::Outside => matches!(finding.state, State::File(Fate::Hidden)),
        }
    }
}

impl Owner {
    /// The text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Owner::Own => "own",
            Owner::Base => "base",
            Owner::Any => "any",
        }
    }
}

impl Default for FailOn {
    fn default() -> FailOn {
        FailOn {
            fates: vec![Fates::Any],
            severity: None,
            confidence: None,
            providers: Vec::new(),
            except_providers: Vec::new(),
            layers: Owner::Own,
        }
    }
}

impl FailOn {
    /// The first condition that does not hold; none where the finding fails.
    pub fn spares(&self, subject: &Subject) -> Option<Condition> {
        let (finding, rule) = (subject.finding, subject.rule);
        let owned = match self.layers {
            Owner::Own => !subject.base,
            Owner::Base => subject.base,
            Owner::Any => true,
        };
        let named = self.providers.is_empty() || self.providers.contains(&rule.provider);
        let conditions = [
            (Condition::Fate, self.fates.iter().any(|fates| fates.has(finding))),
            (Condition::Severity, self.severity.is_none_or(|least| rule.severity >= least)),
            (Condition::Confidence, self.confidence.is_none_or(|least| finding.confidence >= least)),
            (Condition::Provider, named && !self.except_providers.contains(&rule.provider)),
            (Condition::Layers, owned),
        ];
        conditions.into_iter().find(|(_, holds)| !holds).map(|(condition, _)| condition)
    }

    /// Nothing can fail.
    pub fn is_none(&self) -> bool {
        self.fates.iter().all(|fates| *fates == Fates::None)
    }

    /// The conditions that are not met by everything, in words.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if !self.fates.contains(&Fates::Any) {
            let fates: Vec<&str> = self.fates.iter().map(|fates| fates.as_str()).collect();
            words.push(format!("fate {}", fates.join(" or ")));
        }
        words.extend(self.severity.map(|least| format!("severity {} or worse", least.as_str())));
        words.extend(self.confidence.map(|least| format!("confidence {} or surer", least.as_str())));
        if !self.providers.is_empty() {
            words.push(format!("provider {}", self.providers.join(" or ")));
        }
        if !self.except_providers.is_empty() {
            words.push(format!("provider not {}", self.except_providers.join(" or ")));
        }
        words.extend((self.layers != Owner::Own).then(|| format!("layers {}", self.layers.as_str())));
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_told_in_words() {
        assert!(FailOn::default().words().is_empty() && !FailOn::default().is_none());
        let fail_on = FailOn {
            fates: vec![Fates::Present, Fates::Config],
            severity: Some(Severity::High),
            confidence: Some(Confidence::Medium),
            providers: vec!["github".to_owned(), "aws".to_owned()],
            except_providers: vec!["slack".to_owned()],
            layers: Owner::Any,
        };
        let words = [
            "fate present or config",
            "severity high or worse",
            "confidence medium or surer",
            "provider github or aws",
            "provider not slack",
            "layers any",
        ];
        assert_eq!(fail_on.words(), words);
        assert!(FailOn { fates: vec![Fates::None], ..FailOn::default() }.is_none());
    }

    #[test]
    fn fates_have_names() {
        assert!(Fates::ALL.into_iter().all(|fates| Fates::parse(fates.as_str()) == Some(fates)));
        assert_eq!(Fates::parse("gone"), None);
    }
}
