//! What a check answers: how it went, and what the value says about itself.

use super::fact::{Fact, FactName};
use std::borrow::Cow;

/// How a check went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The value proves itself; the reason may be shown.
    Valid(Cow<'static, str>),
    /// The form is right and the proof fails.
    Invalid(&'static str),
    /// It is not what the rule is about: the match is dropped.
    Other,
    /// Nothing can be said.
    Unknown,
}

/// The outcome of a check, and the facts that the value holds; few, and never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How it went.
    pub outcome: Outcome,
    /// What can be read from the value.
    pub facts: Vec<Fact>,
}

/// An answer has at most so many facts.
const MOST_FACTS: usize = 12;

impl Answer {
    /// The value proves itself.
    pub fn valid(reason: impl Into<Cow<'static, str>>) -> Answer {
        Outcome::Valid(reason.into()).into()
    }

    /// The form is right and the proof fails.
    pub fn invalid(reason: &'static str) -> Answer {
        Outcome::Invalid(reason).into()
    }

    /// Nothing can be said.
    pub fn unknown() -> Answer {
        Outcome::Unknown.into()
    }

    /// It is something else.
    pub fn other() -> Answer {
        Outcome::Other.into()
    }

    /// Of a format with a checksum.
    pub fn checksum(fits: bool) -> Answer {
        if fits { Answer::valid("checksum valid") } else { Answer::invalid("checksum does not fit") }
    }

    /// The same with one more fact, if there is something to show and room for it.
    #[must_use]
    pub fn with(mut self, name: FactName, value: impl AsRef<str>) -> Answer {
        if self.facts.len() < MOST_FACTS {
            self.facts.extend(Fact::new(name, value.as_ref()));
        }
        self
    }

    /// The same with one more fact, if there is one.
    #[must_use]
    pub fn with_some(self, name: FactName, value: Option<impl AsRef<str>>) -> Answer {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The first fact of this name.
    pub fn fact(&self, name: FactName) -> Option<&str> {
        self.facts.iter().find(|fact| fact.name == name).map(|fact| &fact.value[..])
    }
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Answer {
        Answer { outcome, facts: Vec::new() }
    }
}
