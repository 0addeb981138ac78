//! Where a rule is worth trying: values and literals in the bytes, globs on the path, names of assignments.
//!
//! Four fifths of the rules are about long values, and long values are rare: runs of bytes with a digit and a letter in them are looked for
//! first, and literals only near those. What has no such value has a stem, three or four bytes of its literal or name, and all stems are
//! looked for in the same pass (`spots.rs`). So the time hardly depends on the number of rules. `Prefilter::exhaustive` looks for all
//! literals everywhere: nothing else tells the two apart.

use super::Medium;
use super::blocks::class;
use super::literals::Literals;
use super::names::{Names, Words, goes_on, signs, words};
use super::near;
use super::spots::{Finder, Spots};
use super::stems::{SHORTEST_STEM, cover};
use crate::Error;
use crate::rules::guarantee::{FARTHEST_TOKEN, Way};
use crate::rules::{Name, Reach, Rule};
use globset::{Glob, GlobSet, GlobSetBuilder};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;
use std::path::Path;

/// What a literal leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// This rule is tried.
    Rule(usize),
    /// A value of this rule's form is looked for behind it.
    Near(usize),
    /// This rule is run over the whole text.
    Anywhere(usize),
    /// A name that may be assigned to is looked at.
    Assignment,
}

/// See the module.
pub struct Prefilter {
    finder: Finder,
    /// By stem, what it may be a part of.
    stems: Vec<Stemmed>,
    /// Looked for near values: what begins a word in any file, and what does so in files that are text.
    words: Literals,
    begins_in_text: Literals,
    /// Looked for in runs that are no values, where words begin: how tokens begin.
    tokens: Literals,
    /// Looked for everywhere: the keywords of imported rules, and what is too short for a stem.
    everywhere: Literals,
    /// How far in front of a value its literal may begin, in bytes.
    reach: usize,
    /// Rules that are run over every text.
    always: Vec<usize>,
    globs: GlobSet,
    /// Per glob, its rule.
    glob_rules: Vec<usize>,
    anywhere: Names,
    metadata: Names,
    /// Services whose keys have a known form, without separators.
    services: HashSet<String>,
    /// What tokens of a known form begin with, up to a separator.
    begins: HashSet<String>,
}

/// What a stem may be a part of.
#[derive(Default)]
struct Stemmed {
    /// Bytes of the stem.
    length: usize,
    /// A name of an assignment: where a word ends behind it, and anywhere.
    ends_name: bool,
    name: bool,
    /// Literals, where the stem stands in them, and what they lead to.
    literals: Vec<(String, usize, Target)>,
    /// What may stand in front of the stem and behind it in one of them: classes of bytes, a bit for each.
    before: u64,
    behind: u64,
}

impl Stemmed {
    fn add(&mut self, literal: &str, offset: usize, target: Target) {
        let bit = |at: Option<usize>| match at.and_then(|at| literal.as_bytes().get(at)) {
            Some(byte) => class(*byte).map_or(0, |class| 1 << class),
            None => !0,
        };
        self.before |= bit(offset.checked_sub(1));
        self.behind |= bit(Some(offset + self.length));
        self.literals.push((literal.to_owned(), offset, target));
    }

    /// True if one of the literals may be where the stem stands at `at`.
    fn may_be(&self, bytes: &[u8], at: usize) -> bool {
        let is = |classes: u64, at: Option<usize>| {
            classes == !0 || at.and_then(|at| class(*bytes.get(at)?)).is_some_and(|class| classes >> class & 1 == 1)
        };
        is(self.behind, Some(at + self.length)) && is(self.before, at.checked_sub(1))
    }
}

/// What was seen in a text.
pub struct Sight {
    /// Literals and stems of names, by their place.
    pub hits: Vec<(Range<usize>, Target)>,
    /// What else was found.
    pub spots: Spots,
}

/// What is shorter may begin anything; what is longer begins as something shorter does.
const SHORTEST_BEGIN: usize = 4;
const LONGEST_BEGIN: usize = 24;

/// What is to be looked for, and how.
#[derive(Default)]
struct Plan {
    /// Everything everywhere.
    exhaustive: bool,
    /// What has a stem: its literal, and what that leads to.
    stemmed: Vec<(String, Target)>,
    /// Those of names behind which a word ends.
    ends: BTreeSet<String>,
    words: BTreeMap<String, Vec<Target>>,
    begins: BTreeMap<String, Vec<Target>>,
    tokens: BTreeMap<String, Vec<Target>>,
    everywhere: BTreeMap<String, Vec<Target>>,
    reach: usize,
}

impl Sight {
    /// True if a long run begins at `to` or before, and does not end at `from` or before.
    pub fn has_run(&self, from: usize, to: usize) -> bool {
        let first = self.spots.runs.partition_point(|run| run.at.end <= from);
        self.spots.runs.get(first).is_some_and(|run| run.at.start <= to)
    }
}

impl Plan {
    /// A literal of a rule; `begins` if it stands only where words begin.
    fn literal(&mut self, literal: String, way: Way, begins: bool, target: Target) {
        let begins = begins && literal.starts_with(|first: char| first.is_ascii_alphanumeric());
        match way {
            // Too short for a stem, or of other bytes.
            _ if self.exhaustive || literal.len() < SHORTEST_STEM || !literal.bytes().all(|byte| class(byte).is_some()) => {
                let targets = self.everywhere.entry(literal).or_default();
                targets.extend((!targets.contains(&target)).then_some(target));
            }
            Way::Value(before) if begins => {
                let near = matches!(target, Target::Near(_));
                self.reach = self.reach.max(before + if near { near::REACH + literal.len() } else { 0 });
                let table = if near { &mut self.words } else { &mut self.begins };
                table.entry(literal).or_default().push(target);
            }
            Way::Token if begins => {
                self.tokens.entry(literal.clone()).or_default().push(target);
                self.begins.entry(literal).or_default().push(target);
            }
            _ => self.stemmed.push((literal, target)),
        }
    }

    /// A name that may be assigned to.
    fn name(&mut self, name: &Name) {
        for sign in signs(name) {
            let last = name.words.rsplit('_').next().filter(|last| self.exhaustive && last.len() >= SHORTEST_STEM);
            let text = last.map_or(sign.text, str::to_owned);
            if sign.ends {
                self.ends.insert(text.clone());
            }
            if !self.stemmed.iter().any(|(other, _)| *other == text) {
                self.literal(text, Way::Literal(None), false, Target::Assignment);
            }
        }
    }

    /// The stems of what has one, and what each may be a part of.
    fn stems(&self) -> BTreeMap<Vec<u8>, Stemmed> {
        let literals: Vec<&str> = self.stemmed.iter().map(|(literal, _)| literal.as_str()).collect();
        let mut stems: BTreeMap<Vec<u8>, Stemmed> = BTreeMap::new();
        for ((literal, target), stem) in self.stemmed.iter().zip(cover(&literals)) {
            let offset = position(literal, &stem).unwrap_or_default();
            let length = stem.len();
            let stemmed = stems.entry(stem).or_default();
            stemmed.length = length;
            match target {
                Target::Assignment if self.ends.contains(literal) => stemmed.ends_name = true,
                Target::Assignment => stemmed.name = true,
                _ => stemmed.add(literal, offset, *target),
            }
        }
        stems
    }
}

fn position(text: &str, stem: &[u8]) -> Option<usize> {
    text.as_bytes().windows(stem.len()).position(|window| window == stem)
}

impl Prefilter {
    /// Built once per rule set.
    pub fn new(rules: &[Rule]) -> Result<Prefilter, Error> {
        Prefilter::build(rules, Plan::default())
    }

    /// The slow way, which takes nothing for granted but the rules.
    pub fn exhaustive(rules: &[Rule]) -> Result<Prefilter, Error> {
        Prefilter::build(rules, Plan { exhaustive: true, ..Plan::default() })
    }

    fn build(rules: &[Rule], mut plan: Plan) -> Result<Prefilter, Error> {
        plan.reach = FARTHEST_TOKEN;
        let (mut globs, mut glob_rules, mut always) = (GlobSetBuilder::new(), Vec::new(), Vec::new());
        let mut add_globs = |files: &[Glob], rule: usize| {
            for glob in files {
                globs.add(glob.clone());
                glob_rules.push(rule);
            }
        };
        let (mut anywhere, mut metadata, mut services) = (Names::default(), Names::default(), HashSet::new());
        let mut begins = HashSet::new();
        let names = rules.iter().filter_map(|rule| if let Reach::Names { names, .. } = &rule.reach { Some(names) } else { None });
        names.flatten().for_each(|name| plan.name(name));
        for (index, rule) in rules.iter().enumerate() {
            match &rule.reach {
                Reach::Literals { literals, files, window } => {
                    let at_begin = window.before == 0 && rule.boundary;
                    if is_token(rule) {
                        begins.extend(literals.iter().filter(|literal| is_begin(literal)).cloned());
                    }
                    for literal in literals {
                        plan.literal(literal.clone(), rule.way, at_begin, Target::Rule(index));
                    }
                    add_globs(files, index);
                }
                Reach::Files { files, .. } => add_globs(files, index),
                Reach::Near { words, complete, .. } => {
                    services.extend(words.iter().filter(|word| *complete && !is_everyday(word)).map(|word| joined(word)));
                    for literal in words.iter().flat_map(|word| variants(word)) {
                        plan.literal(literal, rule.way, true, Target::Near(index));
                    }
                }
                Reach::Anywhere { keywords } => {
                    always.extend(keywords.iter().all(String::is_empty).then_some(index));
                    for keyword in keywords.iter().filter(|keyword| !keyword.is_empty()) {
                        plan.everywhere.entry(keyword.clone()).or_default().push(Target::Anywhere(index));
                    }
                }
                Reach::Names { names, metadata: only, .. } => {
                    let table = if *only { &mut metadata } else { &mut anywhere };
                    names.iter().for_each(|name| table.add(name, index));
                }
            }
        }
        let internal = |message: String| Error::Rules { file: "rules".to_owned(), message };
        let globs = globs.build().map_err(|e| internal(e.to_string()))?;
        let (stems, stemmed): (Vec<Vec<u8>>, Vec<Stemmed>) = plan.stems().into_iter().unzip();
        Ok(Prefilter {
            finder: Finder::new(&stems),
            stems: stemmed,
            words: Literals::new(plan.words),
            begins_in_text: Literals::new(plan.begins),
            tokens: Literals::new(plan.tokens),
            everywhere: Literals::new(plan.everywhere),
            reach: plan.reach,
            always,
            globs,
            glob_rules,
            anywhere,
            metadata,
            services,
            begins,
        })
    }

    /// Everything in `bytes` that a rule may be about.
    pub fn look(&self, bytes: &[u8], medium: Medium) -> Sight {
        let mut hits = Vec::new();
        let spots = self.finder.find(bytes, |at, stem| self.at_stem(bytes, at, stem, &mut hits));
        // Literals are looked for once at each place.
        let mut done = 0;
        for run in &spots.runs {
            if run.value {
                let part = run.at.start.saturating_sub(self.reach).max(done)..run.at.end;
                spots.begins(part.clone(), |at| self.words.at(bytes, at, &mut hits));
                if medium == Medium::Binary {
                    self.begins_in_text.find(bytes, part, &mut hits);
                } else {
                    spots.begins(part, |at| self.begins_in_text.at(bytes, at, &mut hits));
                }
                done = run.at.end;
            } else {
                let part = run.at.start.saturating_sub(FARTHEST_TOKEN)..run.at.end;
                spots.begins(part, |at| self.tokens.at(bytes, at, &mut hits));
            }
        }
        if !self.everywhere.is_empty() {
            self.everywhere.find(bytes, 0..bytes.len(), &mut hits);
        }
        // Several rows that are sorted, more or less.
        hits.sort_by_key(|(span, target)| (span.start, span.end, *target));
        // A token in one run is near a value in the next.
        hits.dedup();
        Sight { hits, spots }
    }

    fn at_stem(&self, bytes: &[u8], at: usize, stem: usize, hits: &mut Vec<(Range<usize>, Target)>) {
        let stemmed = &self.stems[stem];
        let literals = if stemmed.may_be(bytes, at) { &stemmed.literals[..] } else { &[] };
        for (literal, offset, target) in literals {
            let there = at.checked_sub(*offset).and_then(|start| Some((start, bytes.get(start..start + literal.len())?)));
            if let Some((start, text)) = there
                && text[0].eq_ignore_ascii_case(&literal.as_bytes()[0])
                && text.eq_ignore_ascii_case(literal.as_bytes())
            {
                hits.push((start..start + literal.len(), *target));
            }
        }
        if stemmed.name || stemmed.ends_name && !goes_on(bytes, at + stemmed.length) {
            hits.push((at..at + 1, Target::Assignment));
        }
    }

    /// The rules that are run over every text.
    pub fn always(&self) -> &[usize] {
        &self.always
    }

    /// The rules that are meant for a file of this path.
    pub fn file_rules(&self, path: &[u8]) -> Vec<usize> {
        if path.is_empty() {
            return Vec::new();
        }
        let path = String::from_utf8_lossy(path);
        let mut rules: Vec<usize> = self.globs.matches(Path::new(path.as_ref())).into_iter().map(|glob| self.glob_rules[glob]).collect();
        rules.dedup();
        rules
    }

    /// Why a value is no key of the service that the name of its assignment names: no rule for that service found it.
    pub fn doubt_of_service(&self, name: &[u8]) -> Option<&'static str> {
        const MOST: usize = 8;
        let words = words(name);
        let words = &words[..words.len().min(MOST)];
        let named = (0..words.len()).any(|from| (from..words.len()).any(|to| self.services.contains(&words[from..=to].concat())));
        named.then_some("the keys of the service that is named have another form")
    }

    /// Why a value that begins as tokens of a known form do is none of them: no rule for that form found it.
    pub fn doubt_of_token(&self, value: &[u8]) -> Option<&'static str> {
        let longest = value.len().min(LONGEST_BEGIN);
        let begin = String::from_utf8_lossy(&value[..longest]).to_ascii_lowercase();
        let known = (SHORTEST_BEGIN..=longest).any(|length| begin.get(..length).is_some_and(|begin| self.begins.contains(begin)));
        known.then_some("it begins as tokens of a known form do, and has another")
    }

    /// The rules for an assignment to `name`, in the order in which they are tried.
    pub fn named_rules(&self, name: &[u8], medium: Medium) -> impl Iterator<Item = usize> {
        let words = Words::of(name);
        let metadata = (medium == Medium::Metadata).then_some(&self.metadata);
        [Some(&self.anywhere), metadata].into_iter().flatten().filter_map(move |names| names.rule(&words))
    }
}

/// True for a rule whose match begins with its literal and is the secret.
fn is_token(rule: &Rule) -> bool {
    let Reach::Literals { window, .. } = &rule.reach else { return false };
    window.before == 0 && rule.boundary && !rule.pattern().contains("(?P<secret>")
}

/// True for a text that only tokens begin with: three letters and more, and a separator.
fn is_begin(literal: &str) -> bool {
    literal.ends_with(['_', '-', '.']) && literal.bytes().filter(u8::is_ascii_alphabetic).count() >= 3
}

/// True for words that any service may have in its names: `private key`.
fn is_everyday(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "private", "secret", "public", "license", "api", "access", "app", "client", "auth", "key", "token", "password", "server",
        "service", "admin", "user", "master", "site", "account", "webhook", "org", "com", "id", "code",
    ];
    word.split(|c: char| !c.is_ascii_alphanumeric()).all(|part| part.is_empty() || WORDS.contains(&part))
}

/// A word without separators.
fn joined(word: &str) -> String {
    word.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// How a word of several parts is written.
fn variants(word: &str) -> BTreeSet<String> {
    ["", " ", "_", "-", "."].iter().map(|separator| word.replace(' ', separator)).collect()
}
