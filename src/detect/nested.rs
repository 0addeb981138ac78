//! Matches in what a text encodes, and where they stand in it.

use super::decode::{self, Decoded};
use super::spots::Spots;
use super::watch::{Refusal, Watch};
use super::{Detector, ENCODED, Match, Medium, Part, Text, allow, locate, specificity};
use crate::secret::Secret;
use std::collections::HashSet;

impl Detector {
    /// Adds matches in what is encoded in the text to those that were found in it, which are sorted by offset.
    pub(super) fn encoded<W: Watch>(&self, text: &Text, spots: &Spots, depth: usize, matches: &mut Vec<Match>, watch: &mut W) {
        let named = |found: &Match| specificity(&self.rules.rules()[found.rule]).0 == 0;
        let told: HashSet<(usize, &Secret)> =
            matches.iter().filter(|found| !found.is_allowed()).map(|found| (found.rule, &found.secret)).collect();
        let (mut added, mut beaten) = (Vec::new(), HashSet::new());
        for part in decode::parts(text.bytes, spots, text.medium == Medium::Binary) {
            watch.enter(part.coding.as_str(), part.from.clone());
            let mut found = self.within(text, &part, depth, watch);
            watch.leave();
            found.retain(|found| !told.contains(&(found.rule, &found.secret)));
            let Some(surest) = found.iter().map(|found| found.confidence).max() else { continue };
            let until = |end: usize| matches.partition_point(|other| other.offset < end as u64);
            let covered = until(part.from.start)..until(part.from.end);
            // What only a name said of the encoded text is said better by what it holds; anything else that was found there stays.
            beaten.extend(covered.clone().filter(|at| named(&matches[*at]) && matches[*at].confidence <= surest));
            if matches[covered].iter().all(named) {
                added.extend(found);
            }
        }
        if !added.is_empty() || !beaten.is_empty() {
            for found in beaten.iter().map(|at| &matches[*at]) {
                let start = found.offset as usize;
                watch.refused(found.rule, text.bytes, start..start + found.secret.len(), Refusal::Decoded);
            }
            let mut at = 0..;
            matches.retain(|_| at.next().is_none_or(|at| !beaten.contains(&at)));
            locate(text.bytes, &mut added);
            matches.extend(added);
            matches.sort_by_key(|found| found.offset);
        }
    }

    /// The matches in what `part` of the text encodes, placed where they are written; those that begin in the text's own part.
    fn within<W: Watch>(&self, text: &Text, part: &Decoded, depth: usize, watch: &mut W) -> Vec<Match> {
        let medium = if text.medium == Medium::Metadata { Medium::Metadata } else { Medium::Text };
        let decoded = Text::whole(&part.text, b"", medium);
        let sight = self.prefilter.look(decoded.bytes, medium);
        let mut found = self.plain(&decoded, &sight, watch);
        if depth > 1 {
            self.encoded(&decoded, &sight.spots, depth - 1, &mut found, watch);
        }
        found.retain_mut(|found| {
            let details = found.details.get_or_insert_default();
            let inner = details.parts.iter().position(|part| part.name == ENCODED).map(|at| details.parts.remove(at).value);
            let (start, length) = (found.offset as usize, inner.map_or(found.secret.len(), |inner| inner.len()));
            let written = part.written(text.bytes, start..start + length);
            details.codings.insert(0, part.coding.as_str());
            details.parts.push(Part { name: ENCODED.into(), value: Secret::encoding(&text.bytes[written.clone()], &found.secret) });
            found.offset = written.start as u64;
            if allow::allows(text.bytes, written.clone(), &self.rules.rules()[found.rule].id) {
                found.allow();
            }
            text.own.contains(&written.start)
        });
        found
    }
}
