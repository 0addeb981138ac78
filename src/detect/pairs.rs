//! What belongs together is one finding: a secret takes the id, the user, the host beside it (`[[pair]]` in rule files).
//!
//! "Beside" is a block: the lines around the secret, as far as its object or its section goes. Every block is of bounded size, so all
//! of it is linear in the text.

use super::assignment::{name_around, value_after};
use super::watch::{Refusal, Watch};
use super::{Detector, Match, Part, Text, placeholder};
use crate::rules::check::{Fact, FactName};
use crate::rules::{By, Companion, Confidence, Late, Pair, RuleSet, What, joined};
use crate::secret::Secret;
use regex_automata::Input;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// How far a block goes from the secret to each side.
const REACH: usize = 1024;
const LINES: usize = 10;
/// The longest name and the longest value of a companion, in bytes.
const LONGEST_NAME: usize = 64;
const LONGEST: usize = 256;
/// What was issued is that long, and has a digit; a shorter id is a name.
const ISSUED: usize = 12;

/// The pairs of a rule set, and which rules they are about.
#[derive(Default)]
pub struct Pairs {
    /// By rule, its pairs.
    of_rule: HashMap<usize, Vec<usize>>,
    /// By pair and companion, the rules whose matches it is.
    companions: HashMap<(usize, usize), HashSet<usize>>,
    /// How names of companions end.
    names: Vec<String>,
}

impl Pairs {
    /// The pairs of these rules. A rule that is not there has no matches.
    pub fn of(rules: &RuleSet) -> Pairs {
        let index: HashMap<&str, usize> = rules.rules().iter().enumerate().map(|(at, rule)| (&rule.id[..], at)).collect();
        let mut pairs = Pairs::default();
        for (number, pair) in rules.pairs().iter().enumerate() {
            for rule in pair.rules.iter().filter_map(|id| index.get(&id[..])) {
                pairs.of_rule.entry(*rule).or_default().push(number);
            }
            for (at, companion) in pair.with.iter().enumerate() {
                match &companion.by {
                    By::Rules(ids) => {
                        let known = ids.iter().filter_map(|id| index.get(&id[..]).copied()).collect();
                        pairs.companions.insert((number, at), known);
                    }
                    By::Names(names) => pairs.names.extend(names.iter().cloned()),
                    By::Before(_) | By::After(_) => {}
                }
            }
        }
        pairs.names.sort();
        pairs.names.dedup();
        pairs
    }
}

/// A value to which a companion's name is given.
struct Named {
    name: String,
    value: Range<usize>,
}

/// What is beside a secret.
struct Beside {
    value: Range<usize>,
    /// The match that it is.
    found: Option<usize>,
}

/// One text, while its matches are joined.
struct Joining<'a> {
    detector: &'a Detector,
    text: &'a Text<'a>,
    named: Vec<Named>,
    /// Up to where names were looked for.
    until: usize,
    /// Where companions stand that have a secret.
    taken: HashSet<usize>,
    /// Matches that are parts of others: by index, the rule of the other.
    parts: HashMap<usize, usize>,
}

impl Detector {
    /// Gives secrets the parts and facts that stand beside them. A match that is a part is no match of its own any more.
    pub(super) fn join<W: Watch>(&self, text: &Text, matches: &mut Vec<Match>, watch: &mut W) {
        let mut joining = Joining { detector: self, text, named: Vec::new(), until: 0, taken: HashSet::new(), parts: HashMap::new() };
        for at in 0..matches.len() {
            joining.secret(at, matches);
        }
        let parts = joining.parts;
        for (at, rule) in &parts {
            watch.refused(matches[*at].rule, text.bytes, span(&matches[*at]), Refusal::Part(*rule));
        }
        let mut at = 0..;
        matches.retain(|_| at.next().is_none_or(|at| !parts.contains_key(&at)));
    }
}

impl Joining<'_> {
    /// Looks for what belongs to the match at this index.
    fn secret(&mut self, at: usize, matches: &mut [Match]) {
        let own = span(&matches[at]);
        let name = name_before(self.text.bytes, own.start);
        let rules = &self.detector.rules;
        let of_rule = self.detector.pairs.of_rule.get(&matches[at].rule);
        let wanted = |(number, pair): (usize, &'_ Pair)| {
            let begin = pair.names.iter().find_map(|end| name.strip_suffix(&end[..])).map(str::to_owned);
            (begin.is_some() || of_rule.is_some_and(|pairs| pairs.contains(&number))).then_some((number, begin.unwrap_or_default()))
        };
        let wanted: Vec<(usize, String)> = rules.pairs().iter().enumerate().filter_map(wanted).collect();
        if wanted.is_empty() || self.parts.contains_key(&at) {
            return;
        }
        let block = block(self.text.bytes, own.clone());
        self.read_names(&block);
        for (number, begin) in wanted {
            for (which, companion) in rules.pairs()[number].with.iter().enumerate() {
                if has(&matches[at], &companion.what) {
                    continue;
                }
                let beside = match &companion.by {
                    By::Rules(_) => self.found((number, which), &block, &own, matches),
                    By::Names(names) => self.assigned(names, &begin, &block, &own, matches),
                    By::Before(regex) => self.around(regex, self.back(own.start)..own.start),
                    By::After(regex) => self.around(regex, own.end..self.text.bytes.len().min(own.end + REACH)),
                };
                if let Some(beside) = beside {
                    self.give(at, companion, beside, matches);
                }
            }
        }
    }

    fn back(&self, at: usize) -> usize {
        at.saturating_sub(REACH)
    }

    /// Reads assignments to names of companions, as far as this was not done for the block before.
    fn read_names(&mut self, block: &Range<usize>) {
        let bytes = self.text.bytes;
        let place = self.text.place;
        let mut at = self.until.max(block.start);
        while at < block.end {
            if !bytes[at].is_ascii_alphanumeric() {
                at += 1;
                continue;
            }
            let name = name_around(bytes, at..at + 1);
            at = name.end.max(at + 1);
            if name.len() > LONGEST_NAME {
                continue;
            }
            let joined = joined(&bytes[name.clone()]);
            if self.detector.pairs.names.iter().any(|end| joined.ends_with(&end[..]))
                && let Some(assigned) = value_after(bytes, name, self.text.medium, place)
                && assigned.value.len() <= LONGEST
                && !placeholder::is_reference(&bytes[assigned.value.clone()])
            {
                self.named.push(Named { name: joined, value: assigned.value });
            }
        }
        self.until = self.until.max(block.end);
    }

    /// A match of one of the companion's rules.
    fn found(&self, companion: (usize, usize), block: &Range<usize>, own: &Range<usize>, matches: &[Match]) -> Option<Beside> {
        let rules = self.detector.pairs.companions.get(&companion)?;
        let from = matches.partition_point(|other| (other.offset as usize) < block.start);
        let within = matches[from..].iter().enumerate().take_while(|(_, other)| (other.offset as usize) < block.end);
        let all = within.filter(|(_, other)| rules.contains(&other.rule));
        self.nearest(all.map(|(at, other)| Beside { value: span(other), found: Some(from + at) }), own)
    }

    /// A value that is assigned to one of the companion's names: the secret's own, with another end.
    fn assigned(&self, names: &[String], begin: &str, block: &Range<usize>, own: &Range<usize>, matches: &[Match]) -> Option<Beside> {
        let from = self.named.partition_point(|named| named.value.start < block.start);
        let within = self.named[from..].iter().take_while(|named| named.value.start < block.end);
        let fits = |named: &&Named| {
            let end = named.name.strip_prefix(begin);
            names.iter().any(|name| end == Some(name) || named.name == *name && name.starts_with(begin))
        };
        let mut beside = self.nearest(within.filter(fits).map(|named| Beside { value: named.value.clone(), found: None }), own)?;
        let same = matches.partition_point(|other| span(other).end <= beside.value.start);
        beside.found = matches.get(same).filter(|other| span(other).start < beside.value.end).map(|_| same);
        Some(beside)
    }

    fn around(&self, regex: &Late, window: Range<usize>) -> Option<Beside> {
        let regex = regex.get()?;
        let mut captures = regex.create_captures();
        regex.captures(Input::new(&self.text.bytes[window.clone()]), &mut captures);
        let value = captures.get_group(1).filter(|value| !value.is_empty())?;
        let value = window.start + value.start..window.start + value.end;
        (!placeholder::is_reference(&self.text.bytes[value.clone()])).then_some(Beside { value, found: None })
    }

    /// The last in front of the secret, unless that has another secret; then the first behind it.
    fn nearest(&self, all: impl Iterator<Item = Beside>, own: &Range<usize>) -> Option<Beside> {
        let (mut before, mut after) = (None, None);
        for beside in all {
            if beside.value.end <= own.start {
                before = Some(beside);
            } else if beside.value.start >= own.end && after.is_none() {
                after = Some(beside);
            }
        }
        let free = |beside: &Beside| !self.taken.contains(&beside.value.start);
        match (before, after) {
            (Some(before), Some(after)) => Some(if free(&before) || !free(&after) { before } else { after }),
            (before, after) => before.or(after),
        }
    }

    /// Gives the match what belongs to it.
    fn give(&mut self, at: usize, companion: &Companion, beside: Beside, matches: &mut [Match]) {
        let bytes = &self.text.bytes[beside.value.clone()];
        let lossy = String::from_utf8_lossy(bytes);
        let issued = beside.found.is_some() || bytes.len() >= ISSUED && bytes.iter().any(u8::is_ascii_digit);
        match &companion.what {
            // What a match is about may not be shown.
            What::Fact(_) if beside.found.is_some() => return,
            What::Fact(name) => self.tell(&mut matches[at], Fact::new(*name, &lossy)),
            What::Part(_) if !issued => self.tell(&mut matches[at], Fact::new(FactName::Id, &lossy)),
            What::Part(name) => {
                let of_match = beside.found.map(|other| matches[other].secret.clone());
                let value = of_match.unwrap_or_else(|| Secret::new(bytes, 0));
                let owner = &mut matches[at];
                if companion.sure {
                    owner.reasons.push(format!("its {} stands beside it", name.replace('_', " ")).into());
                    if owner.confidence == Confidence::Medium {
                        owner.confidence = Confidence::High;
                    }
                }
                owner.details.get_or_insert_default().parts.push(Part { name: name.clone().into(), value });
                self.taken.insert(beside.value.start);
                self.absorb(at, beside.found, matches);
            }
        }
        self.taken.insert(beside.value.start);
    }

    fn tell(&self, owner: &mut Match, fact: Option<Fact>) {
        if let Some(fact) = fact {
            owner.details.get_or_insert_default().facts.push(fact);
        }
    }

    /// The match of a part is a finding of its own only where its owner would be listed less often.
    fn absorb(&mut self, at: usize, part: Option<usize>, matches: &mut [Match]) {
        let Some(part) = part else { return };
        let (owner, other) = (&matches[at], &matches[part]);
        if owner.is_allowed() == other.is_allowed() && owner.confidence >= other.confidence.min(Confidence::Medium) {
            self.parts.insert(part, owner.rule);
            let facts = other.details.as_ref().map(|details| details.facts.clone()).unwrap_or_default();
            if !facts.is_empty() {
                let known = &mut matches[at].details.get_or_insert_default().facts;
                known.extend(facts.into_iter().filter(|fact| known.iter().all(|other| other.name != fact.name)).collect::<Vec<_>>());
            }
        }
    }
}

fn span(found: &Match) -> Range<usize> {
    found.offset as usize..found.offset as usize + found.secret.len()
}

/// Whether the match has such a part or fact already.
fn has(found: &Match, what: &What) -> bool {
    let Some(details) = &found.details else { return false };
    match what {
        What::Part(name) => details.parts.iter().any(|part| part.name == name[..]),
        What::Fact(name) => details.facts.iter().any(|fact| fact.name == *name),
    }
}

/// The name to which the value at `start` is assigned, joined; empty if there is none.
fn name_before(bytes: &[u8], start: usize) -> String {
    let between = bytes[..start].iter().rev().take(40).take_while(|b| b" \t\"'`:=>,([\\".contains(b)).count();
    let end = start - between;
    let length = bytes[..end].iter().rev().take(LONGEST_NAME).take_while(|b| b.is_ascii_alphanumeric() || b"_-.".contains(b)).count();
    joined(&bytes[end - length..end])
}

/// The lines around a secret, as far as its object (`{…}`) and its section (`[…]`) go.
fn block(bytes: &[u8], secret: Range<usize>) -> Range<usize> {
    let begins_section = |at: usize| matches!(bytes.get(at), Some(b'[')) || bytes[at..].starts_with(b"---");
    let (mut start, mut depth, mut lines) = (secret.start, 0, 0);
    while start > 0 && secret.start - start < REACH {
        match bytes[start - 1] {
            b'\n' if lines == LINES || begins_section(start) => break,
            b'\n' => lines += 1,
            b'}' => depth += 1,
            b'{' if depth == 0 => break,
            b'{' => depth -= 1,
            _ => {}
        }
        start -= 1;
    }
    let (mut end, mut depth, mut lines) = (secret.end, 0, 0);
    while end < bytes.len() && end - secret.end < REACH {
        match bytes[end] {
            b'\n' if lines == LINES || begins_section(end + 1) => break,
            b'\n' => lines += 1,
            b'{' => depth += 1,
            b'}' if depth == 0 => break,
            b'}' => depth -= 1,
            _ => {}
        }
        end += 1;
    }
    start..end
}
