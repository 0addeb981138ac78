//! Where a rule is worth trying: values and literals in the bytes, globs on the path, names of assignments.
//!
//! Four fifths of the rules are about long values, and long values are rare: runs of bytes with a digit and a letter in them are looked for
//! first, and literals only near those. What has no such value has a stem, three or four bytes of its literal or name, and all stems are
//! looked for in the same pass (`spots.rs`). So the time hardly depends on the number of rules. `Prefilter::exhaustive` looks for all
//! literals everywhere: nothing else tells the two apart.

use super::Medium;
use super::literals::Literals;
use super::names::{Names, Words, goes_on, signs, words};
use super::near;
use super::spots::{Finder, Run};
use super::stems::{SHORTEST_STEM, cover};
use crate::Error;
use crate::rules::guarantee::{FARTHEST_TOKEN, Way};
use crate::rules::{Name, Reach, Rule};
use globset::{GlobMatcher, GlobSet, GlobSetBuilder};
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
    /// Looked for near values: all of them. In runs that are no values, only how tokens begin.
    near_values: Literals,
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
}

/// What was seen in a text.
pub struct Sight {
    /// Literals and stems of names, by their place.
    pub hits: Vec<(Range<usize>, Target)>,
    /// Long runs of packed bytes, by their place.
    pub runs: Vec<Run>,
}

/// What is shorter may begin anything; what is longer begins as something shorter does.
const SHORTEST_BEGIN: usize = 4;
const LONGEST_BEGIN: usize = 24;

/// What is to be looked for, and how.
#[derive(Default)]
struct Plan {
    /// Everything everywhere.
    exhaustive: bool,
    /// What has a stem: its literal, the parts of it that mean the same, and what it leads to.
    stemmed: Vec<(String, Vec<String>, Target)>,
    /// Those of names behind which a word ends.
    ends: BTreeSet<String>,
    near_values: BTreeMap<String, Vec<Target>>,
    tokens: BTreeMap<String, Vec<Target>>,
    everywhere: BTreeMap<String, Vec<Target>>,
    reach: usize,
}

impl Sight {
    /// True if a long run begins at `to` or before, and does not end at `from` or before.
    pub fn has_run(&self, from: usize, to: usize) -> bool {
        let first = self.runs.partition_point(|run| run.at.end <= from);
        self.runs.get(first).is_some_and(|run| run.at.start <= to)
    }
}

impl Plan {
    /// A literal of a rule. `parts` are what all that mean the same have in them.
    fn literal<'a>(&mut self, literal: String, parts: impl Iterator<Item = &'a str>, way: Way, target: Target) {
        match way {
            // Too short for a stem.
            _ if self.exhaustive || literal.len() < SHORTEST_STEM => {
                let targets = self.everywhere.entry(literal).or_default();
                targets.extend((!targets.contains(&target)).then_some(target));
            }
            Way::Literal(_) => {
                let mut parts: Vec<String> = parts.filter(|part| part.len() >= SHORTEST_STEM).map(str::to_owned).collect();
                if parts.is_empty() {
                    parts.push(literal.clone());
                }
                self.stemmed.push((literal, parts, target));
            }
            Way::Token => {
                self.tokens.entry(literal.clone()).or_default().push(target);
                self.near_values.entry(literal).or_default().push(target);
            }
            Way::Value(before) => {
                let behind = if matches!(target, Target::Near(_)) { near::REACH + literal.len() } else { 0 };
                self.reach = self.reach.max(before + behind);
                self.near_values.entry(literal).or_default().push(target);
            }
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
            if !self.stemmed.iter().any(|(other, ..)| *other == text) {
                self.literal(text.clone(), std::iter::once(&text[..]), Way::Literal(None), Target::Assignment);
            }
        }
    }

    /// The stems of what has one, and what each may be a part of.
    fn stems(&self) -> BTreeMap<Vec<u8>, Stemmed> {
        let parts: Vec<Vec<&str>> = self.stemmed.iter().map(|(_, parts, _)| parts.iter().map(String::as_str).collect()).collect();
        let mut stems: BTreeMap<Vec<u8>, Stemmed> = BTreeMap::new();
        for ((literal, _, target), stem) in self.stemmed.iter().zip(cover(&parts)) {
            let offset = position(literal, &stem).unwrap_or_default();
            let length = stem.len();
            let stemmed = stems.entry(stem).or_default();
            stemmed.length = length;
            match target {
                Target::Assignment if self.ends.contains(literal) => stemmed.ends_name = true,
                Target::Assignment => stemmed.name = true,
                _ => stemmed.literals.push((literal.clone(), offset, *target)),
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
        let mut add_globs = |files: &[GlobMatcher], rule: usize| {
            for glob in files {
                globs.add(glob.glob().clone());
                glob_rules.push(rule);
            }
        };
        let (mut anywhere, mut metadata, mut services) = (Names::default(), Names::default(), HashSet::new());
        let mut begins = HashSet::new();
        let names = rules.iter().filter_map(|rule| if let Reach::Names { names, .. } = &rule.reach { Some(names) } else { None });
        names.flatten().for_each(|name| plan.name(name));
        for (index, rule) in rules.iter().enumerate() {
            match &rule.reach {
                Reach::Literals { literals, files, .. } => {
                    if is_token(rule) {
                        begins.extend(literals.iter().filter(|literal| is_begin(literal)).cloned());
                    }
                    for literal in literals {
                        plan.literal(literal.clone(), std::iter::once(&literal[..]), rule.way, Target::Rule(index));
                    }
                    add_globs(files, index);
                }
                Reach::Files { files, .. } => add_globs(files, index),
                Reach::Near { words, complete, .. } => {
                    services.extend(words.iter().filter(|word| *complete && !is_everyday(word)).map(|word| joined(word)));
                    for (word, literal) in words.iter().flat_map(|word| variants(word).into_iter().map(move |literal| (word, literal))) {
                        plan.literal(literal, word.split(' '), rule.way, Target::Near(index));
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
            near_values: Literals::new(plan.near_values),
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
        let (mut hits, mut runs) = (Vec::new(), Vec::<Run>::new());
        self.finder.find(bytes, |at, stem| self.at_stem(bytes, at, stem, &mut hits), |run| runs.push(run));
        // Literals are looked for once at each place.
        let mut done = 0;
        for run in &runs {
            if run.value {
                self.near_values.find(bytes, run.at.start.saturating_sub(self.reach).max(done)..run.at.end, &mut hits);
                done = run.at.end;
            }
        }
        for run in runs.iter().filter(|run| !run.value) {
            self.tokens_in(bytes, &run.at, medium, &mut hits);
        }
        if !self.everywhere.is_empty() {
            self.everywhere.find(bytes, 0..bytes.len(), &mut hits);
        }
        // Three rows that are sorted, more or less.
        hits.sort_by_key(|(span, target)| (span.start, span.end, *target));
        // A token in one run is near a value in the next.
        hits.dedup();
        Sight { hits, runs }
    }

    /// Tokens that begin in a run, or right in front of it, where words begin; in a binary file everywhere.
    fn tokens_in(&self, bytes: &[u8], run: &Range<usize>, medium: Medium, hits: &mut Vec<(Range<usize>, Target)>) {
        let from = run.start.saturating_sub(FARTHEST_TOKEN);
        if medium == Medium::Binary {
            return self.tokens.find(bytes, from..run.end, hits);
        }
        // Escapes that a word may follow (`\n`, `%3D`) have letters and digits at their end, and those are a part of the run.
        let begin = run.start + 3;
        self.tokens.find(bytes, from..begin, hits);
        for sign in begin..run.end {
            // Behind a sign, or with it.
            if matches!(bytes[sign - 1], b'-' | b'+' | b'/') {
                self.tokens.find(bytes, sign - 1..sign + 1, hits);
            }
        }
    }

    fn at_stem(&self, bytes: &[u8], at: usize, stem: usize, hits: &mut Vec<(Range<usize>, Target)>) {
        let stemmed = &self.stems[stem];
        for (literal, offset, target) in &stemmed.literals {
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
