//! What became of each place where a rule was tried: the matcher's own account of it, for `rules explain`.

use super::watch::{Refusal, Watch};
use super::{Detector, ENCODED, Match, Reason, Text};
use crate::rules::{Confidence, RuleSet};
use crate::secret::Secret;
use std::collections::HashSet;
use std::ops::Range;

/// The most refusals that are kept.
const MOST: usize = 10_000;

/// A place where a rule was tried.
#[derive(Debug)]
pub struct Candidate {
    /// Index of the rule.
    pub rule: usize,
    /// Where it stands in the text, in bytes; of what is encoded, where that is written.
    pub place: Range<usize>,
    /// 1-based.
    pub line: u64,
    /// 1-based, in bytes.
    pub column: u64,
    /// How it is encoded, the outermost coding first.
    pub codings: Vec<&'static str>,
    /// What the rule took, or would have taken.
    pub value: Secret,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a candidate.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// A match, which a report lists if it is sure enough and not allowed.
    Match {
        /// How sure it is.
        confidence: Confidence,
        /// What raised or lowered that.
        reasons: Vec<Reason>,
        /// Its line says that it may stay.
        allowed: bool,
    },
    /// No match.
    Refused(Refusal),
}

/// All candidates of a text, by place; and how many refusals were too many to keep.
pub fn explain(detector: &Detector, text: &Text) -> (Vec<Candidate>, usize) {
    let mut notes = Notes { rules: detector.rules(), way: Vec::new(), refused: Vec::new(), seen: HashSet::new(), left_out: 0 };
    let matches = detector.watched(text, &mut notes);
    let left_out = notes.left_out;
    let mut all: Vec<Candidate> = matches.into_iter().map(of_match).collect();
    let (forms, others): (Vec<_>, Vec<_>) = notes.refused.into_iter().partition(|c| c.outcome == Outcome::Refused(Refusal::Form));
    all.extend(others);
    all.sort_by_key(|candidate| candidate.place.start);
    // Where something stands that has a form, the literals of other forms are no news.
    let mut ends = 0;
    let covered: Vec<(usize, usize)> = all
        .iter()
        .map(|candidate| {
            ends = candidate.place.end.max(ends);
            (candidate.place.start, ends)
        })
        .collect();
    let news = |form: &Candidate| match covered.partition_point(|(start, _)| *start < form.place.end) {
        0 => true,
        before => covered[before - 1].1 <= form.place.start,
    };
    all.extend(forms.into_iter().filter(news));
    all.sort_by_key(|candidate| (candidate.place.start, candidate.rule));
    locate(text.bytes, &mut all);
    (all, left_out)
}

fn of_match(found: Match) -> Candidate {
    let allowed = found.is_allowed();
    let details = found.details.unwrap_or_default();
    let written = details.parts.iter().find(|part| part.name == ENCODED).map_or(found.secret.len(), |part| part.value.len());
    let start = found.offset as usize;
    Candidate {
        rule: found.rule,
        place: start..start + written,
        line: found.line,
        column: found.column,
        codings: details.codings,
        value: found.secret,
        outcome: Outcome::Match { confidence: found.confidence, reasons: found.reasons, allowed },
    }
}

fn locate(bytes: &[u8], candidates: &mut [Candidate]) {
    let (mut line, mut begin, mut counted) = (1, 0, 0);
    for candidate in candidates {
        let at = candidate.place.start;
        for newline in memchr::memchr_iter(b'\n', &bytes[counted..at]) {
            line += 1;
            begin = counted + newline + 1;
        }
        counted = at;
        (candidate.line, candidate.column) = (line, (at - begin) as u64 + 1);
    }
}

/// Collects refusals, each once.
struct Notes<'a> {
    rules: &'a RuleSet,
    /// The codings around what is searched just now, and where the outermost text is.
    way: Vec<(&'static str, Range<usize>)>,
    refused: Vec<Candidate>,
    seen: HashSet<(usize, usize, Range<usize>)>,
    left_out: usize,
}

impl Watch for Notes<'_> {
    fn refused(&mut self, rule: usize, text: &[u8], place: Range<usize>, why: Refusal) {
        let outer = self.way.first().map_or(place.clone(), |(_, from)| from.clone());
        if !self.seen.insert((rule, outer.start, place.clone())) {
            return;
        }
        if self.refused.len() >= MOST {
            self.left_out += 1;
            return;
        }
        let value = &text[place];
        self.refused.push(Candidate {
            rule,
            place: outer,
            line: 0,
            column: 0,
            codings: self.way.iter().map(|(coding, _)| *coding).collect(),
            value: Secret::new(value, self.rules.rules()[rule].public_prefix(value)),
            outcome: Outcome::Refused(why),
        });
    }

    fn enter(&mut self, coding: &'static str, from: Range<usize>) {
        self.way.push((coding, from));
    }

    fn leave(&mut self) {
        self.way.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Medium;

    const RULES: &str = r#"
[[rule]]
id = "acme-token"
title = "x"
severity = "low"
literals = ["acme_"]
regex = 'acme_[0-9a-z]{12}'
value = { entropy = 2.5, digits = true }
match = ["acme_{lower:12}"]

[[rule]]
id = "acme-password"
title = "x"
severity = "low"
names = ["password"]
value = { min = 4 }
match = ["password={password:12}"]
"#;

    fn codes(text: &str) -> Vec<String> {
        let rules = RuleSet::from_texts(&[("acme.toml".into(), RULES.into())]).expect("rules");
        let detector = Detector::exhaustive(rules).expect("a detector");
        let (all, left_out) = explain(&detector, &Text::whole(text.as_bytes(), b"", Medium::Text));
        assert_eq!(left_out, 0);
        let code = |candidate: &Candidate| match &candidate.outcome {
            Outcome::Match { allowed: true, .. } => "allowed".to_owned(),
            Outcome::Match { confidence, .. } => confidence.as_str().to_owned(),
            Outcome::Refused(why) => why.code().to_owned(),
        };
        all.iter().map(|c| format!("{}:{} {} {}", c.line, c.column, detector.rules().rules()[c.rule].id, code(c))).collect()
    }

    #[test]
    fn every_gate_says_that_it_refused() {
        let token = format!("acme_{}", "7f3k9x2m5q8w");
        for (text, expected) in [
            (token.clone(), "1:1 acme-token high"),
            (format!("\n  {token} # pentimento:allow"), "2:3 acme-token allowed"),
            (format!("{token}more"), "1:1 acme-token boundary"),
            ("acme_short".to_owned(), "1:1 acme-token form"),
            ("acme_aaaaaaaaaaa1".to_owned(), "1:1 acme-token entropy"),
            ("acme_qwertzuiopas".to_owned(), "1:1 acme-token digits"),
            ("password=abc".to_owned(), "1:10 acme-password min"),
            ("password=/run/secrets/db".to_owned(), "1:10 acme-password assignment"),
            ("password=letters".to_owned(), "1:10 acme-password low"),
        ] {
            assert_eq!(codes(&text), [expected], "{text}");
        }
        assert_eq!(codes(&format!("password={token}")), ["1:10 acme-token high", "1:10 acme-password beaten"]);
        assert_eq!(codes("nothing to see"), [""; 0]);
    }

    #[test]
    fn what_is_encoded_is_told_where_it_is_written() {
        use base64::Engine;
        let inner = format!("the token is {} or so", "acme_aaaaaaaaaaa1");
        let text = format!("x: {}", base64::engine::general_purpose::STANDARD.encode(inner));
        assert_eq!(codes(&text), ["1:4 acme-token entropy"]);
    }

    #[test]
    fn refusals_without_end_are_counted() {
        let rules = RuleSet::from_texts(&[("acme.toml".into(), RULES.into())]).expect("rules");
        let detector = Detector::exhaustive(rules).expect("a detector");
        let text = "acme_short ".repeat(MOST + 5);
        let (all, left_out) = explain(&detector, &Text::whole(text.as_bytes(), b"", Medium::Text));
        assert_eq!((all.len(), left_out), (MOST, 5));
    }
}
