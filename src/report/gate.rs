//! What the gate makes of the findings: which are listed, which fail, and what let the others pass.

use super::build::View;
use super::human::plural;
use super::scanned::Scanned;
use super::{BaselineEntry, FailedEntry, GateEntry, IgnoreEntry, PassedEntry, ProblemEntry, SuppressedEntry};
use crate::error::Code;
use crate::finding::Finding;
use crate::policy::{Condition, Day, Decision, Ignore, Owner, Policy, Subject, base_id};
use crate::rules::RuleSet;
use std::collections::{BTreeMap, HashSet};

/// Why findings are not listed.
const BASE: &str = "base";
const PUBLIC: &str = "public";
const ALLOWED: &str = "allow-comment";
const IGNORED: &str = "ignored";
const BASELINE: &str = "baseline";

/// In the order in which they are asked, and told.
const REASONS: [&str; 5] = [BASE, PUBLIC, ALLOWED, IGNORED, BASELINE];

/// So many places of ignores are named in a note.
const MOST_PLACES: usize = 20;

/// What becomes of one finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judgement {
    /// It is not sure enough, or not listed for this reason.
    LeftOut(Option<&'static str>),
    /// It is listed.
    Listed(Standing),
}

/// What the gate says of a finding that is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Standing {
    /// It fails.
    pub(super) fails: bool,
    /// What lets it pass, other than the conditions.
    pub(super) let_pass: Option<&'static str>,
}

/// How often an ignore fitted, and how often it decided.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    fitted: u64,
    decided: u64,
}

/// What becomes of all findings.
pub(super) struct Gate<'a> {
    policy: &'a Policy,
    /// By target, in the order of the findings.
    judged: Vec<Vec<Judgement>>,
    suppressed: BTreeMap<&'static str, u64>,
    passed: BTreeMap<Condition, u64>,
    /// By ignore.
    tallies: Vec<Tally>,
    /// How many findings the baseline let pass, and which of its ids were seen.
    known: u64,
    seen: HashSet<&'a str>,
}

impl<'a> Gate<'a> {
    /// Judges all findings. `shared` says of each target's images how many layers came with the base.
    pub(super) fn of(targets: &'a [Scanned], rules: &'a RuleSet, view: &View, policy: &'a Policy, shared: &[Vec<usize>]) -> Gate<'a> {
        let mut gate = Gate {
            policy,
            judged: Vec::new(),
            suppressed: BTreeMap::new(),
            passed: BTreeMap::new(),
            tallies: vec![Tally::default(); policy.ignores.len()],
            known: 0,
            seen: HashSet::new(),
        };
        for (scanned, shared) in targets.iter().zip(shared) {
            let base = |finding: &Finding| view.base.zip(finding.image).is_some_and(|(base, image)| base.brought(finding, shared[image]));
            let judged = scanned.findings.iter().map(|finding| gate.judge(finding, rules, view, base(finding))).collect();
            gate.judged.push(judged);
        }
        gate
    }

    fn judge(&mut self, finding: &'a Finding, rules: &'a RuleSet, view: &View, base: bool) -> Judgement {
        if finding.confidence < view.min_confidence {
            return Judgement::LeftOut(None);
        }
        let reason = match () {
            () if base && self.policy.fail_on.layers == Owner::Own => BASE,
            () if !view.include_public && finding.public.is_some() => PUBLIC,
            () if !view.show_allowed && finding.is_allowed() => ALLOWED,
            () => return self.decide(&Subject::new(finding, &rules.rules()[finding.rule], base), view.show_ignored),
        };
        self.leave_out(reason)
    }

    fn leave_out(&mut self, reason: &'static str) -> Judgement {
        *self.suppressed.entry(reason).or_default() += 1;
        Judgement::LeftOut(Some(reason))
    }

    fn decide(&mut self, subject: &Subject<'a>, show_ignored: bool) -> Judgement {
        if self.policy.baseline.as_ref().is_some_and(|baseline| baseline.has(&subject.finding.id)) {
            self.seen.insert(base_id(&subject.finding.id));
        }
        let (policy, tallies) = (self.policy, &mut self.tallies);
        let decision = policy.decide(subject, |ignore| tallies[ignore].fitted += 1);
        let let_pass = match decision {
            Decision::Ignored(ignore) => {
                tallies[ignore].decided += 1;
                Some(IGNORED)
            }
            Decision::Known => {
                self.known += 1;
                Some(BASELINE)
            }
            Decision::Expired(ignore) => {
                tallies[ignore].decided += 1;
                None
            }
            Decision::Passes(condition) => {
                *self.passed.entry(condition).or_default() += 1;
                None
            }
            Decision::Fails => None,
        };
        match let_pass {
            Some(reason) if !show_ignored => self.leave_out(reason),
            _ => Judgement::Listed(Standing { fails: decision.fails(), let_pass }),
        }
    }

    /// The findings of a target that are listed.
    pub(super) fn listed<'b>(&'b self, target: usize, scanned: &'b Scanned) -> impl Iterator<Item = (&'b Finding, Standing)> {
        scanned.findings.iter().zip(&self.judged[target]).filter_map(|(finding, judgement)| match judgement {
            Judgement::Listed(standing) => Some((finding, *standing)),
            Judgement::LeftOut(_) => None,
        })
    }

    /// What is not listed, counted.
    pub(super) fn suppressed(&self) -> Vec<SuppressedEntry> {
        let counts = REASONS.iter().filter_map(|reason| Some((reason, self.suppressed.get(reason)?)));
        counts.map(|(reason, count)| SuppressedEntry { reason: (*reason).to_owned(), count: *count }).collect()
    }

    /// Something was let pass that is not listed. What everybody can download is no such thing.
    pub(super) fn let_pass(&self) -> bool {
        self.suppressed.keys().any(|reason| *reason != PUBLIC)
    }

    /// What is to be said of ignores. Only a complete scan can tell that one fits nothing.
    pub(super) fn notes(&self, complete: bool) -> Vec<ProblemEntry> {
        let mut notes = Vec::new();
        let mut note = |code: Code, file: &str, message: String| {
            let (code, source) = (code.as_str().to_owned(), file.to_owned());
            notes.push(ProblemEntry { code, message, source, image: None, layer: None, path: None });
        };
        // By file, the lines of those that nothing needs any more, and of those that nothing fits.
        let mut idle: BTreeMap<(&str, bool), Vec<usize>> = BTreeMap::new();
        for (ignore, tally) in self.policy.ignores.iter().zip(&self.tallies) {
            let expired = self.policy.has_expired(ignore);
            match ignore.expires().filter(|_| expired) {
                Some(day) if tally.decided > 0 => {
                    note(Code::IgnoreExpired, ignore.file(), format!("{}: what it let pass fails", still_fits(ignore, day, tally.decided)));
                }
                // Where nothing is to fail, no expired ignore decides.
                Some(day) if tally.fitted > 0 && self.policy.fail_on.is_none() => {
                    let fits = still_fits(ignore, day, tally.fitted);
                    note(Code::IgnoreExpired, ignore.file(), format!("{fits}; with --fail-on none that fails nothing"));
                }
                _ if complete && (expired || tally.fitted == 0) => idle.entry((ignore.file(), expired)).or_default().push(ignore.line()),
                _ => {}
            }
        }
        for ((file, expired), lines) in idle {
            let told: Vec<String> = lines.iter().take(MOST_PLACES).map(usize::to_string).collect();
            let more = if lines.len() > MOST_PLACES { format!(" and {} more", lines.len() - MOST_PLACES) } else { String::new() };
            let (code, what) = match expired {
                true => (Code::IgnoreExpired, "that have expired and that nothing needs any more"),
                false => (Code::IgnoreUnused, "that fit nothing that was found"),
            };
            note(code, file, format!("{file}: ignores {what}, at line {}{more}", told.join(", ")));
        }
        notes
    }

    /// The gate as the report has it. `failed` are the ids of the findings that fail, `notes` the codes of notes that do.
    pub(super) fn entry(&self, failed: Vec<String>, notes: Vec<String>, base_known: bool) -> GateEntry {
        let policy = self.policy;
        let mut conditions = policy.fail_on.words();
        if policy.fail_on.layers != Owner::Own && !base_known {
            conditions.push("no base is known: every layer is the image's own".to_owned());
        }
        let passed = self.passed.iter().map(|(condition, count)| PassedEntry { condition: condition.as_str().to_owned(), count: *count });
        let (mut ignored, mut expired) = (Vec::new(), Vec::new());
        for (ignore, tally) in policy.ignores.iter().zip(&self.tallies).filter(|(_, tally)| tally.decided > 0) {
            let list = if policy.has_expired(ignore) { &mut expired } else { &mut ignored };
            list.push(ignore_entry(ignore, tally.decided));
        }
        let baseline = policy.baseline.as_ref().map(|baseline| BaselineEntry {
            file: baseline.file().to_owned(),
            findings: baseline.len() as u64,
            known: self.known,
            gone: baseline.len().saturating_sub(self.seen.len()) as u64,
        });
        GateEntry {
            date: policy.today.map(|day| day.to_string()),
            config: policy.config.clone(),
            ignore_file: policy.ignore_file.clone(),
            conditions,
            failed: FailedEntry { count: failed.len() as u64, ids: failed, notes },
            passed: passed.collect(),
            ignored,
            expired,
            baseline,
        }
    }
}

fn still_fits(ignore: &Ignore, day: Day, count: u64) -> String {
    let (file, line, what, reason) = (ignore.file(), ignore.line(), ignore.what(), ignore.reason());
    format!("{file}:{line}: `{what}` held until {day} ({reason}) and still fits {}", plural(count as usize, "finding"))
}

fn ignore_entry(ignore: &Ignore, count: u64) -> IgnoreEntry {
    IgnoreEntry {
        what: ignore.what(),
        because: ignore.reason().to_owned(),
        until: ignore.expires().map(|day| day.to_string()),
        file: ignore.file().to_owned(),
        line: ignore.line(),
        count,
    }
}
