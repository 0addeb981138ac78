//! Rules that are run over a whole text: because of its path, or imported ones, because one of their keywords stands in it.
//!
//! The latter is what the tools do that they were written for. Their regexes may have no longest match. So that time stays linear, each
//! search sees a bounded part of the text, and a smaller one where there are very many matches.

use super::watch::Watch;
use super::{Candidate, Detector, Text};
use crate::rules::Reach;
use regex_automata::Input;

/// How much of the text a search sees, in bytes; half of it is the longest match that is surely found whole.
const SPAN: usize = 64 << 10;
/// The same, behind so many matches in one text.
const SHORT_SPAN: usize = 4 << 10;
const MANY: usize = 1000;

impl Detector {
    /// Rules that are run over the whole of certain files.
    pub(super) fn in_files<W: Watch>(&self, text: &Text, found: &mut Vec<Candidate>, watch: &mut W) {
        for &index in &self.prefilter.file_rules(text.path) {
            let rule = &self.rules.rules()[index];
            let Reach::Files { whole, .. } = rule.reach else { continue };
            if whole && (!text.whole || text.bytes.len() > 64 << 10) {
                continue;
            }
            let Some(regex) = rule.regex() else { continue };
            let mut captures = regex.create_captures();
            let mut at = 0;
            while at <= text.bytes.len() {
                regex.captures(Input::new(text.bytes).range(at..), &mut captures);
                let Some(hit) = captures.get_match() else { break };
                at = hit.end().max(hit.start() + 1);
                if let Some(secret) = rule.secret_span(&captures) {
                    self.judge(text, index, &hit.range(), secret, found, watch);
                }
            }
        }
    }

    /// All matches of one imported rule.
    pub(super) fn anywhere<W: Watch>(&self, text: &Text, index: usize, found: &mut Vec<Candidate>, watch: &mut W) {
        let rule = &self.rules.rules()[index];
        let Some(regex) = rule.regex().filter(|_| rule.fits_path(text.path)) else { return };
        let mut captures = regex.create_captures();
        let (mut at, mut count) = (0, 0);
        while at <= text.bytes.len() {
            let span = if count < MANY { SPAN } else { SHORT_SPAN };
            let end = (at + span).min(text.bytes.len());
            regex.captures(Input::new(text.bytes).range(at..end), &mut captures);
            match captures.get_match().map(|hit| hit.range()) {
                None if end == text.bytes.len() => return,
                None => at += span / 2,
                // It may go on behind what was seen: once more, with all of a span in front of it.
                Some(hit) if end < text.bytes.len() && hit.start > at + span / 2 => at = hit.start,
                Some(hit) => {
                    count += 1;
                    at = hit.end.max(hit.start + 1);
                    if let Some(secret) = rule.secret_span(&captures) {
                        self.judge(text, index, &hit, secret, found, watch);
                    }
                }
            }
        }
    }
}
