//! The verdict: what findings and problems mean for whoever waits for an answer (decisions.md).

use crate::finding::Finding;

/// Which findings fail the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailOn {
    /// All of them.
    #[default]
    Any,
    /// Those that are visible in the final image.
    Present,
    /// Those that are not.
    Hidden,
    /// None.
    None,
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

impl FailOn {
    fn fails(self, finding: &Finding) -> bool {
        match self {
            FailOn::Any => true,
            FailOn::Present => finding.is_present() || finding.is_doubtful(),
            FailOn::Hidden => !finding.is_present() || finding.is_doubtful(),
            FailOn::None => false,
        }
    }
}

impl Verdict {
    /// The verdict on the findings that are reported, besides those that are `suppressed`; `complete` says whether every byte was read
    /// that should have been.
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>, suppressed: u64, complete: bool, fail_on: FailOn) -> Verdict {
        let (mut any, mut failed) = (suppressed > 0, false);
        for finding in findings {
            any = true;
            failed |= fail_on.fails(finding);
        }
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
        assert_eq!(Verdict::of([], 0, true, FailOn::Any), Verdict::Clean);
        assert_eq!(Verdict::of([], 0, false, FailOn::Any), Verdict::Incomplete);
        assert_eq!(Verdict::of([], 1, false, FailOn::None), Verdict::Incomplete);
        assert_eq!(Verdict::Incomplete.exit_code(7), 3);
        assert_eq!(Verdict::Found.exit_code(7), 7);
    }

    #[test]
    fn what_a_comment_allows_is_let_pass_and_not_clean() {
        assert_eq!(Verdict::of([], 1, true, FailOn::Any), Verdict::Passed);
    }
}
