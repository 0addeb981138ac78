//! The matcher: bytes in, matches out.
//!
//! Prefilter (where do literals and names stand?) → the rule in a bounded window → gates → validator → confidence with reasons →
//! one winner where rules overlap. Everything is a function of the bytes, the path and the rules.

mod allow;
mod anywhere;
mod assignment;
mod blocks;
pub mod context;
mod decode;
mod entropy;
pub mod examples;
pub mod explain;
mod index;
mod literals;
mod located;
mod manifest;
mod names;
mod near;
mod nested;
mod pairs;
mod place;
mod placeholder;
mod prefilter;
mod published;
mod spots;
mod stems;
mod text;
mod value;
pub mod watch;
mod winners;

use crate::rules::check::{Answer, Check, Fact, Outcome};
use crate::rules::guarantee::{FARTHEST_TOKEN, Way, has_value};
use crate::rules::{Confidence, MAX_AFTER, MAX_BEFORE, Place, Reach, Rule, RuleSet, Window};
use crate::secret::Secret;
use located::{locate, located};
use pairs::Pairs;
use prefilter::{Prefilter, Sight, Target};
use regex_automata::{Anchored, Input};
use std::collections::BTreeSet;
use std::ops::Range;
pub use text::{Medium, Text};
use watch::{Refusal, Watch};
use winners::{has_form, specificity};

/// How many bytes to the right of its begin a match may need: its own, and the rest of its line.
pub const RIGHT_CONTEXT: usize = MAX_AFTER + MAX_BEFORE + allow::REACH;
/// How many bytes to the left of a match may matter: another one that begins there and reaches over it.
pub const LEFT_CONTEXT: usize = RIGHT_CONTEXT;

/// How many codings may lie around each other.
const DEEPEST: usize = 3;
/// The name of the part that is the encoded text.
const ENCODED: &str = "encoded";

/// Why an assignment in a program's file, or a value without a form of its own, is a hint at most.
const NO_TEXT: &str = "in a file that is no text";

/// A secret that was found.
#[derive(Debug, Clone)]
pub struct Match {
    /// Index of the rule in the rule set.
    pub rule: usize,
    /// Where the secret begins, in bytes from the start of the window (later: of the file).
    pub offset: u64,
    /// 1-based.
    pub line: u64,
    /// 1-based, in bytes.
    pub column: u64,
    /// The value.
    pub secret: Secret,
    /// How sure it is.
    pub confidence: Confidence,
    /// What raised or lowered the confidence.
    pub reasons: Vec<Reason>,
    /// What else is known of it; most matches have nothing of the kind.
    pub details: Option<Box<Details>>,
    /// What stands around it on its line: see [`context`]. Of hints there is none.
    pub context: Option<Box<str>>,
}

/// What else is known of a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// How it is encoded where it stands, the outermost coding first.
    pub codings: Vec<&'static str>,
    /// The other parts of the same credential.
    pub parts: Vec<Part>,
    /// What the value says about itself; never the value.
    pub facts: Vec<Fact>,
    /// Its line says that it may stay (`pentimento:allow`).
    pub allowed: bool,
}

impl Match {
    /// True if its line says that it may stay.
    pub fn is_allowed(&self) -> bool {
        self.details.as_ref().is_some_and(|details| details.allowed)
    }

    fn allow(&mut self) {
        if !self.is_allowed() {
            self.details.get_or_insert_default().allowed = true;
            self.reasons.push("allowed by a comment on its line".into());
        }
    }
}

/// True for a hint in a file that is no text, where hints are less sure than `least`: a name, and what happens to stand behind it.
pub fn is_noise(least: Confidence, confidence: Confidence, reasons: &[Reason]) -> bool {
    confidence == Confidence::Low && confidence < least && reasons.iter().any(|reason| reason == NO_TEXT)
}

/// A part of a credential, beside the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is: `encoded`, `access_key_id`, `user`, …
    pub name: std::borrow::Cow<'static, str>,
    /// Its value.
    pub value: Secret,
}

/// Why a match is more or less sure.
pub type Reason = std::borrow::Cow<'static, str>;

/// The rules, ready to search.
pub struct Detector {
    rules: RuleSet,
    prefilter: Prefilter,
    pairs: Pairs,
}

/// A match before the winners are chosen.
#[derive(Debug)]
struct Candidate {
    rule: usize,
    secret: Range<usize>,
    confidence: Confidence,
    reasons: Vec<Reason>,
    facts: Vec<Fact>,
}

impl Detector {
    /// A detector for these rules.
    pub fn new(rules: RuleSet) -> Result<Detector, crate::Error> {
        let prefilter = Prefilter::new(rules.rules())?;
        let pairs = Pairs::of(&rules);
        Ok(Detector { rules, prefilter, pairs })
    }

    /// One that looks for every literal everywhere: slow, and with the same matches. What it refuses is all that could be thought of.
    pub fn exhaustive(rules: RuleSet) -> Result<Detector, crate::Error> {
        let prefilter = Prefilter::exhaustive(rules.rules())?;
        let pairs = Pairs::of(&rules);
        Ok(Detector { rules, prefilter, pairs })
    }

    /// The rules that it uses.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// All matches whose secret begins in the text's own part, in the order of their offsets. Lines and columns are counted from
    /// the window's start. What is encoded in it is searched too; such a match stands where it is written.
    pub fn scan(&self, text: &Text) -> Vec<Match> {
        self.watched(text, &mut ())
    }

    /// The same, and `watch` sees what is refused on the way.
    pub fn watched<W: Watch>(&self, text: &Text, watch: &mut W) -> Vec<Match> {
        let sight = self.prefilter.look(text.bytes, text.medium);
        let mut matches = self.plain(text, &sight, watch);
        self.encoded(text, &sight.spots, DEEPEST, &mut matches, watch);
        matches
    }

    /// Matches in the text as it stands.
    fn plain<W: Watch>(&self, text: &Text, sight: &Sight, watch: &mut W) -> Vec<Match> {
        let mut found = Vec::new();
        self.at_literals(text, sight, &mut found, watch);
        self.in_files(text, &mut found, watch);
        for candidate in &mut found {
            if let Some(what) = published::what(&text.bytes[candidate.secret.clone()]) {
                candidate.confidence = Confidence::Low;
                candidate.reasons.push(format!("published: {what}").into());
            }
        }
        let winners = self.winners(text, found, watch);
        let mut matches = located(text.bytes, winners, |c| self.rules.rules()[c.rule].public_prefix(&text.bytes[c.secret.clone()]));
        for found in &mut matches {
            let start = found.offset as usize;
            if allow::allows(text.bytes, start..start + found.secret.len(), &self.rules.rules()[found.rule].id) {
                found.allow();
            }
        }
        self.join(text, &mut matches, watch);
        matches.retain(|found| text.own.contains(&(found.offset as usize)));
        matches
    }

    fn at_literals<W: Watch>(&self, text: &Text, sight: &Sight, found: &mut Vec<Candidate>, watch: &mut W) {
        // Per rule, where its last match ended: literals within it are a part of it.
        let mut done: Vec<(usize, usize)> = Vec::new();
        let mut assignments_done = 0;
        let wanted_files = self.prefilter.file_rules(text.path);
        let mut anywhere: BTreeSet<usize> = self.prefilter.always().iter().copied().collect();
        for (span, target) in &sight.hits {
            match *target {
                Target::Assignment => {
                    if span.start >= assignments_done {
                        assignments_done = self.assignment(text, span.clone(), found, watch);
                    }
                }
                Target::Anywhere(index) => drop(anywhere.insert(index)),
                Target::Near(index) => self.near(text, index, span.clone(), found, watch),
                Target::Rule(index) => {
                    let rule = &self.rules.rules()[index];
                    let Reach::Literals { files, window, .. } = &rule.reach else { continue };
                    if !files.is_empty() && !wanted_files.contains(&index) {
                        continue;
                    }
                    if matches!(rule.way, Way::Literal(Some(before)) | Way::Value(before) if !sight.has_run(span.start, span.start + before))
                    {
                        watch.refused(index, text.bytes, span.clone(), Refusal::Form);
                        continue;
                    }
                    if done.iter().any(|(r, end)| *r == index && span.start < *end) {
                        continue;
                    }
                    if let Some(end) = self.confirm(text, index, *window, span.clone(), found, watch) {
                        done.retain(|(r, _)| *r != index);
                        done.push((index, end));
                    } else {
                        watch.refused(index, text.bytes, span.clone(), Refusal::Form);
                    }
                }
            }
        }
        for index in anywhere {
            self.anywhere(text, index, found, watch);
        }
    }

    /// The regex of a rule around a literal. Returns where the match ended.
    fn confirm<W: Watch>(
        &self,
        text: &Text,
        index: usize,
        window: Window,
        literal: Range<usize>,
        found: &mut Vec<Candidate>,
        watch: &mut W,
    ) -> Option<usize> {
        let rule = &self.rules.rules()[index];
        let regex = rule.regex()?;
        let end = (literal.start + window.after).min(text.bytes.len());
        let mut start = literal.start.saturating_sub(window.before);
        // A match may lie wholly in front of the literal: look on behind its begin, within a bounded number of bytes.
        let mut left = 8 * (end - start);
        let anchored = if window.before == 0 { Anchored::Yes } else { Anchored::No };
        if anchored.is_anchored() && rule.boundary && text.medium != Medium::Binary && !value::begins_alone(text.bytes, start) {
            // Where a literal stands again and again, each try would look on for the whole window.
            return None;
        }
        // Most of the time there is no match, and that is found out without asking for its parts.
        if !regex.is_match(Input::new(text.bytes).range(start..end).anchored(anchored)) {
            return None;
        }
        let mut captures = regex.create_captures();
        while start <= literal.start {
            regex.captures(Input::new(text.bytes).range(start..end).anchored(anchored), &mut captures);
            let whole = captures.get_match()?.range();
            if whole.start <= literal.start && whole.end >= literal.end {
                if rule.document.is_some() {
                    return Some(manifest::candidates(text.bytes, index, rule.confidence, whole, found));
                }
                let secret = rule.secret_span(&captures)?;
                return self.judge(text, index, &whole, secret, found, watch).then_some(whole.end);
            }
            left = left.checked_sub((whole.end - start).max(1))?;
            // One that ends in front of the literal is passed as a whole.
            start = if whole.end <= literal.start { whole.end.max(whole.start + 1) } else { whole.start + 1 };
        }
        None
    }

    /// Values of a rule's form behind a word of its service.
    fn near<W: Watch>(&self, text: &Text, index: usize, word: Range<usize>, found: &mut Vec<Candidate>, watch: &mut W) {
        let rule = &self.rules.rules()[index];
        let (Reach::Near { longest, .. }, Some(regex)) = (&rule.reach, rule.regex()) else { return };
        if !near::stands(text.bytes, word.clone()) {
            return;
        }
        let end = (word.end + near::REACH + longest).min(text.bytes.len());
        let mut at = word.end;
        while at <= word.end + near::REACH
            && let Some(hit) = regex.find(Input::new(text.bytes).range(at..end))
        {
            at = hit.end().max(hit.start() + 1);
            let value = hit.range();
            if value.start > word.end + near::REACH {
                break;
            }
            let Some(strong) = near::judge(text.bytes, word.clone(), value.clone()) else {
                watch.refused(index, text.bytes, value, Refusal::Near);
                continue;
            };
            if self.judge(text, index, &value, value.clone(), found, watch)
                && !(strong && text.medium != Medium::Binary)
                && let Some(candidate) = found.last_mut()
            {
                candidate.confidence = Confidence::Low;
                candidate.reasons.push("the service is named near it, and nothing says that it is a secret".into());
            }
        }
    }

    /// An assignment whose name holds one of the name rules' words. Returns where the name ended.
    fn assignment<W: Watch>(&self, text: &Text, word: Range<usize>, found: &mut Vec<Candidate>, watch: &mut W) -> usize {
        let name = assignment::name_around(text.bytes, word);
        let end = name.end;
        if !assignment::is_assigned(text.bytes, &name) {
            return end;
        }
        let mut rules = self.prefilter.named_rules(&text.bytes[name.clone()], text.medium).peekable();
        if rules.peek().is_none() {
            return end;
        }
        let place = text.place;
        let Some(assigned) = assignment::value_after(text.bytes, name.clone(), text.medium, place) else { return end };
        let value = &text.bytes[assigned.value.clone()];
        let mut refuse = |index, why| watch.refused(index, text.bytes, assigned.value.clone(), why);
        let passes = |index: &usize| {
            let failed = value::failed(&self.rules.rules()[*index].value, value);
            failed.map(|gate| refuse(*index, Refusal::Gate(gate))).is_none()
        };
        let Some(index) = rules.find(passes) else { return end };
        let judged = match assignment::judge(&text.bytes[name.clone()], value, &assigned, text.medium, place) {
            Ok(judged) => judged,
            Err(why) => {
                watch.refused(index, text.bytes, assigned.value, Refusal::Assigned(why));
                return end;
            }
        };
        let rule = &self.rules.rules()[index];
        let refused = if !rule.fits_path(text.path) {
            Some(Refusal::Path)
        } else {
            self.excepted(text, index, &(name.start..assigned.value.end), &assigned.value).then_some(Refusal::Excepted)
        };
        if let Some(why) = refused {
            watch.refused(index, text.bytes, assigned.value, why);
            return end;
        }
        let mut confidence = judged.confidence.min(rule.confidence);
        let mut reasons = vec![judged.reason.into()];
        let name = &text.bytes[name];
        let doubt = || assignment::doubt_of_name(name).or_else(|| self.prefilter.doubt_of_token(value));
        let issued = || assignment::doubt_if_issued(name, value).or_else(|| self.prefilter.doubt_of_service(name));
        if let Some(doubt) = doubt().or_else(|| if matches!(rule.reach, Reach::Names { issued: true, .. }) { issued() } else { None }) {
            confidence = Confidence::Low;
            reasons.push(doubt.into());
        }
        found.push(Candidate { rule: index, secret: assigned.value, confidence, reasons, facts: Vec::new() });
        end
    }

    /// Boundaries, gates, validator. Returns whether there is a candidate.
    fn judge<W: Watch>(
        &self,
        text: &Text,
        index: usize,
        whole: &Range<usize>,
        secret: Range<usize>,
        found: &mut Vec<Candidate>,
        watch: &mut W,
    ) -> bool {
        match self.weigh(text, index, whole, secret.clone()) {
            Ok(candidate) => found.push(candidate),
            Err(why) => {
                watch.refused(index, text.bytes, secret, why);
                return false;
            }
        }
        true
    }

    /// True if an exception of the rule lets it pass.
    fn excepted(&self, text: &Text, index: usize, whole: &Range<usize>, secret: &Range<usize>) -> bool {
        self.rules.rules()[index].excepts(|| Place {
            secret: &text.bytes[secret.clone()],
            whole: &text.bytes[whole.clone()],
            line: &text.bytes[allow::lines(text.bytes, whole.clone())],
            path: text.path,
        })
    }

    /// What a value is worth, or why it is none.
    fn weigh(&self, text: &Text, index: usize, whole: &Range<usize>, secret: Range<usize>) -> Result<Candidate, Refusal> {
        let rule = &self.rules.rules()[index];
        let value = &text.bytes[secret.clone()];
        if value.is_empty() {
            return Err(Refusal::Form);
        }
        if matches!(rule.way, Way::Value(before) if !has_value(&text.bytes[whole.clone()], before)) {
            return Err(Refusal::Plain);
        }
        if !rule.fits_path(text.path) {
            return Err(Refusal::Path);
        }
        if let Some(gate) = value::failed(&rule.value, value) {
            return Err(Refusal::Gate(gate));
        }
        let unmistakable = text.medium == Medium::Binary && is_unmistakable(rule, text.bytes, whole, value);
        let alone = !rule.boundary || unmistakable || value::stands_alone(text.bytes, whole.start, secret.end);
        let run = |check: Check| check.run(value, &text.bytes[whole.clone()]);
        let Answer { outcome, facts } = rule.check.map_or_else(Answer::unknown, run);
        // What is stuck to a long token that says what it is does not make it another one.
        let clear = rule.public_prefix(value) >= 5 && rule.check.is_none() || matches!(outcome, Outcome::Valid(_));
        let stuck = !alone && clear && value.len() >= 24 && value::begins_alone(text.bytes, whole.start);
        if !alone && !stuck {
            return Err(Refusal::Continues);
        }
        if value::names_a_file(text.bytes, secret.end) {
            return Err(Refusal::File);
        }
        // A file that is a secret as a whole, and no text, refers to nothing.
        let is_bytes = text.medium == Medium::Binary && matches!(rule.reach, Reach::Files { .. });
        if !is_bytes && placeholder::is_reference(value) {
            return Err(Refusal::Reference);
        }
        if self.excepted(text, index, whole, &secret) {
            return Err(Refusal::Excepted);
        }
        let mut confidence = rule.confidence;
        let mut reasons = Vec::new();
        if stuck {
            confidence = if text.bytes[secret.end].is_ascii_alphanumeric() { confidence.lowered() } else { Confidence::Low };
            reasons.push("more is stuck to its end".into());
        }
        match outcome {
            Outcome::Valid(reason) => {
                confidence = Confidence::High;
                reasons.push(reason);
            }
            Outcome::Invalid(reason) => {
                confidence = confidence.lowered();
                reasons.push(reason.into());
            }
            Outcome::Other => return Err(Refusal::Check),
            Outcome::Unknown => {}
        }
        let shown = text.medium == Medium::Text && text.place != place::Place::Settings;
        let word = if has_form(rule) { None } else { placeholder::looks_chosen(value, shown) };
        // So many letters and no digit are names that stand side by side.
        let names = value.len() >= 20 && rule.public_prefix(value) == 0 && !value.iter().any(u8::is_ascii_digit);
        let formless = !has_form(rule) || names;
        let word = word.or_else(|| (text.medium == Medium::Binary && formless).then_some(NO_TEXT));
        let keyword = placeholder::is_keyword(value).then_some("a word that means no value");
        if let Some(reason) = placeholder::looks_invented(value).or(keyword).or(word) {
            confidence = Confidence::Low;
            reasons.push(reason.into());
        }
        Ok(Candidate { rule: index, secret, confidence, reasons, facts })
    }
}

/// The hash at the end of a symbol of Rust's: `17h`, 16 hexadecimal digits, `E`.
fn is_mangled(value: &[u8]) -> bool {
    value.windows(20).any(|end| end.starts_with(b"17h") && end[3..19].iter().all(u8::is_ascii_hexdigit) && end[19] == b'E')
}

/// In binaries, strings stand side by side: a long token with a prefix, and a digit and a letter in its run, is found there all the same. But
/// a short prefix that goes on as a word does is a part of one (`compare_…` has `re_`), unless what follows is none of a name.
fn is_unmistakable(rule: &Rule, bytes: &[u8], whole: &Range<usize>, value: &[u8]) -> bool {
    let digits = || value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_name = || rule.check.is_none() && (digits() < 2 || is_mangled(value));
    let goes_on = || bytes[..whole.start].last().is_some_and(u8::is_ascii_lowercase) && value.first().is_some_and(u8::is_ascii_lowercase);
    let marked = match rule.public_prefix(value) {
        0 => false,
        1..=4 if goes_on() && is_name() => false,
        1..=3 => value::changes(value) >= 0.4,
        // Digits alone stand in every digest.
        length => !value[..length].iter().all(u8::is_ascii_hexdigit),
    };
    marked && value.len() >= 24 && (rule.way != Way::Token || has_value(&bytes[whole.clone()], FARTHEST_TOKEN))
}
