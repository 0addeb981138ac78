//! The gate: what each finding means for whoever waits for an answer (decisions.md). Nothing here knows a clock or a file system: the
//! day and the texts of the files are handed in.

mod baseline;
mod condition;
mod day;
mod file;
mod ignore;

pub use baseline::{Baseline, Known};
pub use condition::{Condition, FailOn, Fates, Owner};
pub use day::Day;
pub use file::{Config, Setting};
pub use ignore::{Ignore, glob};

use crate::finding::Finding;
use crate::rules::{Rule, RuleSet};
use std::cell::OnceCell;

/// What decides.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Which findings fail.
    pub fail_on: FailOn,
    /// Notes with these codes fail, too; any, where there are none.
    pub notes: Option<Vec<String>>,
    /// What is let pass, each for a reason and for a time.
    pub ignores: Vec<Ignore>,
    /// What was known before.
    pub baseline: Option<Baseline>,
    /// The day of the verdict. Without one nothing has expired.
    pub today: Option<Day>,
    /// The file that the conditions are from, for reports.
    pub config: Option<String>,
    /// The ignore file, for reports.
    pub ignore_file: Option<String>,
}

/// A finding, with what the gate asks of it.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The finding.
    pub finding: &'a Finding,
    /// Its rule.
    pub rule: &'a Rule,
    /// It came with the base image. Where no base is known, nothing did.
    pub base: bool,
    /// The hash of its value, made when it is asked for.
    hash: OnceCell<String>,
}

impl<'a> Subject<'a> {
    /// See the fields.
    pub fn new(finding: &'a Finding, rule: &'a Rule, base: bool) -> Subject<'a> {
        Subject { finding, rule, base, hash: OnceCell::new() }
    }

    fn hash(&self) -> &str {
        self.hash.get_or_init(|| self.finding.secret.hash())
    }
}

/// What becomes of a finding. Indexes are those of `Policy::ignores`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It fails.
    Fails,
    /// It fails because what let it pass has expired.
    Expired(usize),
    /// It passes: this condition does not hold.
    Passes(Condition),
    /// It is ignored.
    Ignored(usize),
    /// The baseline has it.
    Known,
}

impl Decision {
    /// True for what fails.
    pub fn fails(self) -> bool {
        matches!(self, Decision::Fails | Decision::Expired(_))
    }
}

impl Policy {
    /// Whether `ignore` has expired.
    pub fn has_expired(&self, ignore: &Ignore) -> bool {
        ignore.expires().zip(self.today).is_some_and(|(last, today)| today > last)
    }

    /// What becomes of a finding; `matched` is told of each ignore that fits it. What still holds wins over what has expired, and that
    /// over the baseline and the conditions: whoever let something pass for a time wants to be asked again.
    pub fn decide(&self, subject: &Subject, mut matched: impl FnMut(usize)) -> Decision {
        let (mut holds, mut expired) = (None, None);
        for (index, ignore) in self.ignores.iter().enumerate().filter(|(_, ignore)| ignore.matches(subject)) {
            matched(index);
            let first = if self.has_expired(ignore) { &mut expired } else { &mut holds };
            first.get_or_insert(index);
        }
        let is_known = || self.baseline.as_ref().is_some_and(|baseline| baseline.has(&subject.finding.id));
        match (holds, expired) {
            (Some(index), _) => Decision::Ignored(index),
            (_, Some(index)) if !self.fail_on.is_none() => Decision::Expired(index),
            _ if is_known() => Decision::Known,
            _ => self.fail_on.spares(subject).map_or(Decision::Fails, Decision::Passes),
        }
    }

    /// Providers that the conditions name and no rule has: a condition with a slip of the pen would let everything pass.
    pub fn unknown_providers<'a>(&'a self, rules: &'a RuleSet) -> impl Iterator<Item = &'a str> {
        let named = self.fail_on.providers.iter().chain(&self.fail_on.except_providers);
        named.map(String::as_str).filter(|name| !rules.rules().iter().any(|rule| rule.provider == *name))
    }
}

/// An id without the number behind it. The same secret again in the same place, after it was hidden, has one: it is the same.
pub fn base_id(id: &str) -> &str {
    id.split('-').next().unwrap_or(id)
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing found, everything read.
    Clean,
    /// Found, but the policy lets it pass.
    Passed,
    /// Something fails the policy.
    Found,
    /// Nothing fails the policy, but not everything was read.
    Incomplete,
}

impl Verdict {
    /// The verdict where `failed` says whether anything fails, `any` whether anything was found, listed or not, and `complete` whether
    /// every byte was read that should have been.
    pub fn of(failed: bool, any: bool, complete: bool) -> Verdict {
        match (failed, complete, any) {
            (true, _, _) => Verdict::Found,
            (false, false, _) => Verdict::Incomplete,
            (false, true, true) => Verdict::Passed,
            (false, true, false) => Verdict::Clean,
        }
    }

    /// The text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Clean => "clean",
            Verdict::Passed => "passed",
            Verdict::Found => "found",
            Verdict::Incomplete => "incomplete",
        }
    }

    /// The exit code; `found` takes the place of the 1.
    pub fn exit_code(self, found: u8) -> u8 {
        match self {
            Verdict::Clean | Verdict::Passed => 0,
            Verdict::Found => found,
            Verdict::Incomplete => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incomplete_scan_is_never_clean() {
        assert_eq!(Verdict::of(false, false, true), Verdict::Clean);
        assert_eq!(Verdict::of(false, false, false), Verdict::Incomplete);
        assert_eq!(Verdict::of(false, true, false), Verdict::Incomplete);
        assert_eq!(Verdict::of(true, true, false), Verdict::Found);
        assert_eq!(Verdict::Incomplete.exit_code(7), 3);
        assert_eq!(Verdict::Found.exit_code(7), 7);
    }

    #[test]
    fn what_is_let_pass_is_not_clean() {
        assert_eq!(Verdict::of(false, true, true), Verdict::Passed);
    }
}
