//! Dockerfiles: what they say, at which line, and which line a step of an image's history comes from.

mod align;
mod lines;

pub use align::{Alignment, align};
pub use lines::Heredoc;

use crate::image::history::is_instruction;
use lines::{Logical, logical, words};

/// What is wrong with a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Wrong {
    /// From 1.
    pub line: u64,
    /// In a few words.
    pub why: String,
}

/// An instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// In capitals.
    pub keyword: String,
    /// What stands behind keyword and options, in one line.
    pub rest: String,
    /// Its here-documents.
    pub heredocs: Vec<Heredoc>,
    /// Where it begins, from 1.
    pub line: u64,
    /// Where it ends.
    pub end_line: u64,
    /// ONBUILD of a stage left it for those that stand on that.
    pub triggered: bool,
}

/// A stage.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stage {
    name: Option<String>,
    base: String,
    instructions: Vec<Instruction>,
}

/// A Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerfile {
    stages: Vec<Stage>,
    /// Arguments in front of the first stage that have a value.
    arguments: Vec<(String, String)>,
}

/// What the history of an image built from a stage should end with.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Expected {
    instructions: Vec<Instruction>,
    /// Nothing stands in front of it.
    from_scratch: bool,
}

impl Dockerfile {
    /// Reads a Dockerfile.
    pub fn parse(text: &str) -> Result<Dockerfile, Wrong> {
        let mut file = Dockerfile { stages: Vec::new(), arguments: Vec::new() };
        for line in logical(text)? {
            let instruction = instruction(line)?;
            match (instruction.keyword.as_str(), file.stages.last_mut()) {
                ("FROM", _) => {
                    let stage = file.stage(&instruction)?;
                    file.stages.push(stage);
                }
                (_, Some(stage)) => stage.instructions.push(instruction),
                ("ARG", None) => {
                    for (name, value) in words(&instruction.rest, '\\').into_iter().filter_map(|word| word.split_once('=')) {
                        let value = file.expanded(&unquoted(value));
                        file.arguments.push((name.to_owned(), value));
                    }
                }
                (_, None) => return Err(Wrong { line: instruction.line, why: "only ARG may stand in front of the first FROM".to_owned() }),
            }
        }
        if file.stages.is_empty() {
            return Err(Wrong { line: 1, why: "it has no FROM".to_owned() });
        }
        Ok(file)
    }

    fn stage(&self, from: &Instruction) -> Result<Stage, Wrong> {
        let words = words(&from.rest, '\\');
        let (base, name) = match words[..] {
            [base] => (base, None),
            [base, word, name] if word.eq_ignore_ascii_case("AS") => (base, Some(name.to_owned())),
            _ => return Err(Wrong { line: from.line, why: "FROM wants an image, and AS with a name".to_owned() }),
        };
        Ok(Stage { name, base: self.expanded(base), instructions: Vec::new() })
    }

    /// A text with the arguments that have a default: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:+instead}`. What has none stays as it
    /// is.
    fn expanded(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let length = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            let (inner, behind) = braced.unwrap_or_else(|| after.split_at(length));
            match self.value(inner) {
                Some(value) => out.push_str(value),
                None => out.push_str(&rest[before.len()..rest.len() - behind.len()]),
            }
            rest = behind;
        }
        out + rest
    }

    /// What stands for an argument, as it is written between the braces.
    fn value<'a>(&'a self, inner: &'a str) -> Option<&'a str> {
        let known = |name: &str| self.arguments.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let set = |name: &str| known(name).filter(|value| !value.is_empty());
        match (inner.split_once(":-"), inner.split_once(":+")) {
            (Some((name, default)), _) => set(name).or(Some(default)),
            (None, Some((name, instead))) => Some(set(name).map_or("", |_| instead)),
            (None, None) => known(inner),
        }
    }

    /// What each stage makes of its own instructions and those of the stages it stands on; the last stage first, since that is the image
    /// where nobody asks for another.
    fn expected(&self) -> impl Iterator<Item = Expected> + '_ {
        (0..self.stages.len()).rev().map(|stage| self.expected_of(stage))
    }

    fn expected_of(&self, stage: usize) -> Expected {
        let mut chain = vec![stage];
        let mut at = stage;
        let named = |name: &str, before: usize| {
            let is = |stage: &Stage| stage.name.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(name));
            self.stages[..before].iter().rposition(is)
        };
        while let Some(parent) = named(&self.stages[at].base, at) {
            chain.push(parent);
            at = parent;
        }
        let mut instructions: Vec<Instruction> = Vec::new();
        let mut triggers: Vec<Instruction> = Vec::new();
        for stage in chain.into_iter().rev().map(|stage| &self.stages[stage]) {
            // What a stage leaves for those that stand on it comes first in them.
            instructions.append(&mut triggers);
            instructions.extend(stage.instructions.iter().cloned());
            triggers = stage.instructions.iter().filter_map(triggered).collect();
        }
        Expected { instructions, from_scratch: self.stages[at].base == "scratch" }
    }
}

/// The instruction that ONBUILD leaves for later.
fn triggered(instruction: &Instruction) -> Option<Instruction> {
    if instruction.keyword != "ONBUILD" {
        return None;
    }
    let (keyword, rest) = split(&instruction.rest);
    Some(Instruction { keyword, rest: rest.to_owned(), triggered: true, ..instruction.clone() })
}

/// Keyword, in capitals, and what stands behind it and its options.
fn split(text: &str) -> (String, &str) {
    let text = text.trim_start();
    let (keyword, mut rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    rest = rest.trim();
    while rest.starts_with("--")
        && let Some(option) = words(rest, '\\').first()
    {
        rest = rest[option.len()..].trim_start();
    }
    (keyword.to_ascii_uppercase(), rest)
}

fn instruction(logical: Logical) -> Result<Instruction, Wrong> {
    let (keyword, rest) = split(&logical.text);
    let rest = rest.to_owned();
    if !is_instruction(&keyword) {
        // It may be no Dockerfile at all, but something that is nobody's business.
        let is_word = (1..=20).contains(&keyword.len()) && keyword.bytes().all(|b| b.is_ascii_alphabetic());
        let why = if is_word { format!("no instruction is called {keyword}") } else { "it begins with no instruction".to_owned() };
        return Err(Wrong { line: logical.line, why });
    }
    let Logical { heredocs, line, end_line, .. } = logical;
    Ok(Instruction { rest, keyword, heredocs, line, end_line, triggered: false })
}

/// The words of the JSON form, `["a", "b"]`, that a text ends with.
fn list(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(&text[text.find('[')?..]).ok()
}

fn unquoted(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '"' | '\'')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<Vec<(String, u64)>> {
        let file = Dockerfile::parse(text).expect("a Dockerfile");
        let all = file.expected().map(|expected| {
            let told = expected.instructions.into_iter().map(|i| (format!("{} {}", i.keyword, i.rest), i.line));
            told.collect()
        });
        all.collect()
    }

    #[test]
    fn a_stage_stands_on_others() {
        let text = "ARG BASE=one\nFROM scratch AS One\nONBUILD COPY --chown=a x /y\nrun --mount=type=secret,id=a  make\nFROM ${BASE} as two\n\
                    ENV A=b\nFROM other\nCOPY --from=two / /\n";
        let line = |text: &str, line| (text.to_owned(), line);
        let one = [line("ONBUILD COPY --chown=a x /y", 3), line("RUN make", 4)];
        let two = [one.to_vec(), vec![line("COPY x /y", 3), line("ENV A=b", 6)]].concat();
        assert_eq!(told(text), [vec![line("COPY / /", 8)], two, one.to_vec()]);
        let file = Dockerfile::parse(text).expect("a Dockerfile");
        assert_eq!(file.expected().map(|expected| expected.from_scratch).collect::<Vec<_>>(), [false, true, true]);
    }

    #[test]
    fn arguments_are_expanded_where_they_have_a_value() {
        let file = Dockerfile::parse("ARG A=x B\nARG C=\"y\" E=\nARG D=${A}/$C\nFROM $A").expect("a Dockerfile");
        for (text, expected) in [
            ("$A-${C}", "x-y"),
            ("${B:-z}/$B", "z/$B"),
            ("$AB", "$AB"),
            ("a$", "a$"),
            ("${A", "${A"),
            ("$D", "x/y"),
            ("a${A:+-b}${B:+-c}${E:+-d}${E:-e}$E", "a-be"),
        ] {
            assert_eq!(file.expanded(text), expected, "{text}");
        }
        let text = "ARG A=build\nARG B=${A}\nFROM x AS build\nRUN a\nFROM $B\nRUN b\n";
        assert_eq!(told(text)[0].len(), 2, "the last stage stands on the first");
    }

    #[test]
    fn what_is_no_dockerfile_is_told() {
        for (text, line) in [("", 1), ("RUN x", 1), ("FROM a\nservices:\n", 2), ("FROM a b", 1), ("# x\nFROM", 2)] {
            assert_eq!(Dockerfile::parse(text).expect_err(text).line, line, "{text}");
        }
        for (text, why) in [("FROM a\nrnu x\n", "no instruction is called RNU"), ("KEY=value\n", "it begins with no instruction")] {
            assert_eq!(Dockerfile::parse(text).expect_err(text).why, why);
        }
    }
}
