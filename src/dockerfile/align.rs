//! Which step of an image's history comes from which instruction.
//!
//! Builders add a step an instruction, behind those of the base, which are not in the Dockerfile. So the end of the history has to agree with
//! all of a stage, instruction by instruction; where it does not, the Dockerfile is another one, or was changed since, and no line is told.

use super::lines::words;
use super::{Dockerfile, Expected, Instruction, list};
use crate::image::history::{Step, is_instruction};

/// Instructions that are compared at most, in a stage: a Dockerfile that is written by hand has fewer.
const MOST: usize = 1_000;
/// Bytes of a step that is compared; a longer one agrees with nothing.
const LONGEST: usize = 256 << 10;

/// A history and the instructions that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alignment {
    instructions: Vec<Instruction>,
    steps: Steps,
}

/// By step, from the first: its instruction.
type Steps = Vec<Option<usize>>;

impl Alignment {
    /// The instruction that a step of the history comes from, where that is sure.
    pub fn step(&self, step: usize) -> Option<&Instruction> {
        Some(&self.instructions[self.steps.get(step).copied()??])
    }

    /// The last instruction of its kind, with which the image's configuration was set; of ENV and LABEL the last one that sets `name`. None
    /// if no step comes from it: then nobody knows that the image has it.
    pub fn setting(&self, keyword: &str, name: Option<&str>) -> Option<&Instruction> {
        let sets = |instruction: &Instruction| {
            instruction.keyword == keyword && name.is_none_or(|name| keys(keyword, &instruction.rest).iter().any(|key| key == name))
        };
        let last = self.instructions.iter().rposition(sets)?;
        self.steps.contains(&Some(last)).then(|| &self.instructions[last])
    }

    /// How many steps have an instruction.
    fn explained(&self) -> usize {
        self.steps.iter().flatten().count()
    }

    /// Leaves a step only the line that the other gives it, too.
    fn agree(&mut self, other: &Alignment) {
        for step in 0..self.steps.len() {
            let line = |alignment: &Alignment| alignment.step(step).map(|instruction| instruction.line);
            if line(self) != line(other) {
                self.steps[step] = None;
            }
        }
    }
}

/// Aligns a history with a Dockerfile: with the stage that agrees, since one may ask for any (`--target`). One that has a step for each
/// instruction comes before those of which the builder left some out.
pub fn align(dockerfile: &Dockerfile, steps: &[Step]) -> Option<Alignment> {
    // A step of the base and a label are enough to tell that something stands in front of the rest.
    let first = steps.len().saturating_sub(MOST + 2);
    let comparable: Vec<Comparable> = steps[first..].iter().map(Comparable::of).collect();
    let stages: Vec<Expected> = dockerfile.expected().filter(|stage| (1..=MOST).contains(&stage.instructions.len())).collect();
    let of = |fit: fn(&Expected, &[Comparable]) -> Option<Steps>| {
        best(stages.iter().filter_map(|stage| {
            let steps = [vec![None; first], fit(stage, &comparable)?].concat();
            Some(Alignment { instructions: stage.instructions.clone(), steps })
        }))
    };
    of(complete).or_else(|| of(partial))
}

/// The one that explains most steps. Of several that explain as many, nobody knows which was built: what they do not agree on has no line.
fn best(alignments: impl Iterator<Item = Alignment>) -> Option<Alignment> {
    let all: Vec<Alignment> = alignments.collect();
    let most = all.iter().map(Alignment::explained).max()?;
    let mut all = all.into_iter().filter(|alignment| alignment.explained() == most);
    let mut best = all.next()?;
    all.for_each(|other| best.agree(&other));
    Some(best).filter(|best| best.explained() > 0)
}

/// Docker's, BuildKit's and podman's builders have a step for each instruction.
fn complete(expected: &Expected, steps: &[Comparable]) -> Option<Steps> {
    // `docker build --label` adds an instruction to the end.
    let label = steps.last().is_some_and(|step| step.keyword == "LABEL");
    [0, usize::from(label)].into_iter().find_map(|behind| {
        let steps_of_base = (steps.len() - behind).checked_sub(expected.instructions.len())?;
        let own = &steps[steps_of_base..steps.len() - behind];
        let agree = expected.instructions.iter().zip(own).all(|(instruction, step)| Pattern::of(instruction).fits(step));
        let base = vec![None; steps_of_base];
        let own = (0..expected.instructions.len()).map(Some);
        let all = base.into_iter().chain(own).chain(std::iter::repeat_n(None, behind)).collect();
        (agree && (steps_of_base == 0 || !expected.from_scratch)).then_some(all)
    })
}

/// Others have none for what only sets the configuration (kaniko), or do nothing for ONBUILD (buildah, of which images in OCI's format know
/// nothing). Such instructions may be without a step; a step has a line only if all ways to find as many of them as possible agree on it.
fn partial(expected: &Expected, steps: &[Comparable]) -> Option<Steps> {
    let count = expected.instructions.len();
    let first = steps.len().saturating_sub(count);
    if expected.from_scratch && first > 0 {
        return None;
    }
    let own = &steps[first..];
    let patterns: Vec<Pattern> = expected.instructions.iter().map(Pattern::of).collect();
    let fits: Vec<Vec<bool>> = patterns.iter().map(|pattern| own.iter().map(|step| pattern.fits(step)).collect()).collect();
    let changes_files = |keyword: &str| matches!(keyword, "RUN" | "COPY" | "ADD" | "WORKDIR");
    let optional = |at: usize| expected.instructions[at].triggered || !changes_files(&expected.instructions[at].keyword);
    // The most steps that agree from instruction i and step j on, and up to them; none where something cannot agree.
    let mut behind = vec![vec![None; own.len() + 1]; count + 1];
    let mut before = behind.clone();
    behind[count][own.len()] = Some(0u32);
    for (i, j) in (0..count).rev().flat_map(|i| (0..=own.len()).rev().map(move |j| (i, j))) {
        let without = if optional(i) { behind[i + 1][j] } else { None };
        let with = if j < own.len() && fits[i][j] { behind[i + 1][j + 1].map(|most| most + 1) } else { None };
        behind[i][j] = without.max(with);
    }
    // Of a stage of which no step tells nothing is known.
    let most = if expected.from_scratch { behind[0][0] } else { behind[0].iter().copied().max().flatten() }.filter(|most| *most > 0)?;
    before[0].iter_mut().enumerate().for_each(|(j, best)| *best = (j == 0 || !expected.from_scratch).then_some(0));
    for (i, j) in (0..count).flat_map(|i| (0..=own.len()).map(move |j| (i, j))) {
        if let Some(best) = before[i][j] {
            if optional(i) {
                before[i + 1][j] = before[i + 1][j].max(Some(best));
            }
            if j < own.len() && fits[i][j] {
                before[i + 1][j + 1] = before[i + 1][j + 1].max(Some(best + 1));
            }
        }
    }
    // The first step that may be the stage's own.
    let begins = (0..=own.len()).rev().find(|j| behind[0][*j] == Some(most))?;
    let at = |j: usize| {
        let is = |i: &usize| fits[*i][j] && before[*i][j].zip(behind[*i + 1][j + 1]).is_some_and(|(a, b)| a + 1 + b == most);
        let mut ways = (0..count).filter(is);
        ways.next().filter(|_| ways.next().is_none() && j >= begins)
    };
    Some((0..steps.len()).map(|step| step.checked_sub(first).and_then(at)).collect())
}

/// A step of the history, ready to be compared.
struct Comparable {
    keyword: String,
    /// Of RUN, with white space folded.
    command: String,
    tokens: Vec<String>,
    /// Of COPY and ADD by the classic builder, which tells no names of what is copied: the destination.
    destination: Option<Vec<String>>,
}

impl Comparable {
    fn of(step: &Step) -> Comparable {
        let text = if step.instruction.len() <= LONGEST { step.instruction.as_str() } else { "" };
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let known = is_instruction(word);
        // What runs a program without a shell is told without its keyword.
        let (keyword, rest) = if known { (word, rest) } else { ("RUN", text) };
        let is_digest =
            |text: &str| text.len() >= 64 && text.rsplit(':').next().is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let classic = rest.split_once(" in ").filter(|(sources, _)| is_digest(sources));
        let words: Vec<&str> = rest.split_whitespace().skip_while(|word| word.starts_with("--")).collect();
        Comparable {
            keyword: keyword.to_owned(),
            command: if keyword == "RUN" { folded(rest) } else { String::new() },
            tokens: match keyword {
                "RUN" => Vec::new(),
                "COPY" | "ADD" => tokens(&words.join(" ")),
                _ => tokens(rest),
            },
            destination: classic.map(|(_, destination)| tokens(destination)),
        }
    }
}

/// What the step of an instruction looks like.
struct Pattern {
    keyword: String,
    /// Of RUN: what the command may be.
    commands: Vec<String>,
    items: Vec<Item>,
    /// Of COPY and ADD.
    destination: Vec<Item>,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Token(String),
    /// Nobody knows what the builder put there.
    Any,
}

impl Pattern {
    fn of(instruction: &Instruction) -> Pattern {
        let rest = instruction.rest.as_str();
        let list = if rest.starts_with('[') { list(rest) } else { None };
        let shell = list.is_none();
        let words: Vec<String> = list.unwrap_or_else(|| words(rest, '\\').into_iter().map(str::to_owned).collect());
        let all = || words.iter().flat_map(|word| items(word)).collect::<Vec<_>>();
        let any = || vec![Item::Any];
        let items = match instruction.keyword.as_str() {
            "RUN" | "EXPOSE" => any(),
            "ARG" => keys("ARG", rest).iter().flat_map(|key| [items(key), any()].concat()).collect(),
            "CMD" | "ENTRYPOINT" if shell => [any(), all()].concat(),
            "WORKDIR" if !rest.starts_with('/') => [any(), all()].concat(),
            "HEALTHCHECK" => {
                let command = words.iter().skip(usize::from(words.first().is_some_and(|word| word.eq_ignore_ascii_case("CMD"))));
                [any(), command.flat_map(|word| items(word.trim_start_matches('['))).collect(), any()].concat()
            }
            _ => all(),
        };
        let destination =
            words.last().map(|word| if word.starts_with('/') { self::items(word) } else { [any(), self::items(word)].concat() });
        Pattern {
            keyword: instruction.keyword.clone(),
            commands: commands(instruction),
            items,
            destination: destination.unwrap_or_default(),
        }
    }

    fn fits(&self, step: &Comparable) -> bool {
        if self.keyword != step.keyword {
            return false;
        }
        match (&step.destination, self.keyword.as_str()) {
            (_, "RUN") => self.commands.iter().any(|command| runs(&step.command, command)),
            (Some(destination), "COPY" | "ADD") => fits(&self.destination, destination),
            (_, "LABEL") => fits(&self.items, &step.tokens) || same(&self.items, &step.tokens),
            _ => fits(&self.items, &step.tokens),
        }
    }
}

/// What a RUN may be in the history: its command, the text of its here-document, or the command with its here-documents.
fn commands(instruction: &Instruction) -> Vec<String> {
    if instruction.keyword != "RUN" {
        return Vec::new();
    }
    let rest = instruction.rest.as_str();
    if let Some(words) = list(rest).filter(|_| rest.starts_with('[')) {
        // Podman tells it as it is written.
        return vec![folded(&words.join(" ")), folded(rest)];
    }
    let whole: String = instruction.heredocs.iter().map(|doc| format!("\n{}{}", doc.content, doc.name)).collect();
    match &instruction.heredocs[..] {
        // Its text is the command; with a line `#!` it is a file that is run.
        [only] if !rest.contains(char::is_whitespace) => {
            vec![folded(&only.content), format!("/dev/pipes/{}", only.name), folded(&format!("{rest}{whole}"))]
        }
        _ => vec![folded(&format!("{rest}{whole}"))],
    }
}

/// True if `step` is `command`, run by some shell: its words in front of it end with the option that takes a command.
fn runs(step: &str, command: &str) -> bool {
    let Some(shell) = step.strip_suffix(command) else { return false };
    let option = shell.trim_end().rsplit(' ').next().unwrap_or_default();
    shell.is_empty() || shell.ends_with(' ') && !command.is_empty() && option.len() > 1 && option.starts_with(['-', '/'])
}

/// White space does not matter: builders keep some of it.
fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is left without punctuation, of which builders add and leave out some.
fn tokens(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|token| !token.is_empty()).map(str::to_owned).collect()
}

/// The same of a word of a Dockerfile. With a variable in it nothing is known of it.
fn items(word: &str) -> Vec<Item> {
    let variable = word.match_indices('$').any(|(at, _)| !word[..at].ends_with('\\'));
    if variable { vec![Item::Any] } else { tokens(word).into_iter().map(Item::Token).collect() }
}

/// The names that ARG, ENV or LABEL give values to.
fn keys(keyword: &str, rest: &str) -> Vec<String> {
    let words = words(rest, '\\');
    // `ENV NAME a value`, the old form, is one name; `ARG A B` are two.
    let old = keyword != "ARG" && words.first().is_some_and(|first| !first.contains('='));
    let names = words.into_iter().take(if old { 1 } else { usize::MAX });
    names.map(|word| super::unquoted(word.split('=').next().unwrap_or_default())).collect()
}

/// True if the text is what the items say, each [`Item::Any`] for any number of tokens.
fn fits(items: &[Item], text: &[String]) -> bool {
    let (mut item, mut at, mut last) = (0, 0, None);
    while at < text.len() {
        match items.get(item) {
            Some(Item::Token(token)) if *token == text[at] => (item, at) = (item + 1, at + 1),
            Some(Item::Any) => {
                last = Some((item, at));
                item += 1;
            }
            _ => {
                let Some((any, from)) = last else { return false };
                (item, at, last) = (any + 1, from + 1, Some((any, from + 1)));
            }
        }
    }
    items[item..].iter().all(|item| *item == Item::Any)
}

/// True if it is the same in another order: labels are no list.
fn same(items: &[Item], text: &[String]) -> bool {
    let tokens = items.iter().map(|item| match item {
        Item::Token(token) => Some(token),
        Item::Any => None,
    });
    let Some(mut tokens) = tokens.collect::<Option<Vec<&String>>>() else { return false };
    let mut text: Vec<&String> = text.iter().collect();
    tokens.sort_unstable();
    text.sort_unstable();
    tokens == text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::history::instruction;

    fn history(created_by: &[&str]) -> Vec<Step> {
        let step = |text: &&str| Step { instruction: instruction(text, ""), empty: false, comment: String::new() };
        created_by.iter().map(step).collect()
    }

    /// The line of each step; 0 where none is told. None if the two do not agree.
    fn lines(text: &str, created_by: &[&str]) -> Option<Vec<u64>> {
        let alignment = align(&Dockerfile::parse(text).expect("a Dockerfile"), &history(created_by))?;
        Some((0..created_by.len()).map(|step| alignment.step(step).map_or(0, |instruction| instruction.line)).collect())
    }

    const HASH: &str = "37bf6e6cae71b8f0b0c2d3e4f5a697887766554433221100ffeeddccbbaa9988";

    #[test]
    fn the_classic_builders_history() {
        let copy = |what: &str, to: &str| format!("/bin/sh -c #(nop) COPY {what}:{HASH} in {to} ");
        let (first, second) = (copy("file", "/bin/sh"), copy("dir", "/app"));
        let text = "FROM base\nCOPY busybox /bin/sh\nARG TOKEN=x\nCOPY app /app\nRUN test -n \"$TOKEN\" && \\\n  echo built\nRUN [\"a\", \"b c\"]\n\
                    ENV A=b\\ c D=\"e\"\nWORKDIR sub\nCMD [\"/bin/sh\", \"-c\"]\n";
        let built = [
            "/bin/sh -c #(nop) ADD file:1 in /",
            "/bin/sh -c #(nop)  CMD [\"sh\"]",
            &first,
            "/bin/sh -c #(nop)  ARG TOKEN=x",
            &second,
            "|1 TOKEN=x /bin/sh -c test -n \"$TOKEN\" &&   echo built",
            "a b c",
            "/bin/sh -c #(nop)  ENV A=b c D=e",
            "/bin/sh -c #(nop) WORKDIR /app/sub",
            "/bin/sh -c #(nop)  CMD [\"/bin/sh\" \"-c\"]",
        ];
        assert_eq!(lines(text, &built), Some(vec![0, 0, 2, 3, 4, 5, 7, 8, 9, 10]));
        let labelled = [&built[..], &["/bin/sh -c #(nop)  LABEL ci=1"]].concat();
        assert_eq!(lines(text, &labelled), Some(vec![0, 0, 2, 3, 4, 5, 7, 8, 9, 10, 0]));
        assert_eq!(lines(&text.replace("/app\n", "/other\n"), &built), None);
        assert_eq!(lines(&text.replace("FROM base", "FROM scratch"), &built), None, "something stands in front of it");
        assert_eq!(lines(&text.replace("FROM base", "FROM scratch"), &built[2..]), Some(vec![2, 3, 4, 5, 7, 8, 9, 10]));
    }

    /// What podman 4.3 has of this file, measured.
    #[test]
    fn podmans_history() {
        let text = "FROM scratch AS first\nCOPY busybox /bin/sh\nARG TOKEN\nENV A=1 \\\n    # c\n    B=\"two words\"\nONBUILD RUN echo t > trig\n\
                    FROM first\nLABEL x.y=\"z\" \\\n      q=r\nCOPY app ./app\nRUN echo \"$TOKEN\" > /tok \\\n && echo b\nRUN [\"/bin/sh\", \"-c\", \"x > /y\"]\n\
                    EXPOSE 80\nENTRYPOINT exec /bin/sh\nCMD [\"a\", \"b\"]\nHEALTHCHECK --interval=5s CMD true\nVOLUME /data\n\
                    SHELL [\"/bin/sh\", \"-e\", \"-c\"]\n";
        let (file, dir) =
            (format!("/bin/sh -c #(nop) COPY file:{HASH} in /bin/sh "), format!("/bin/sh -c #(nop) COPY dir:{HASH} in ./app "));
        let built = [
            &file,
            "/bin/sh -c #(nop) ARG TOKEN",
            "/bin/sh -c #(nop) ENV A=1     B=\"two words\"",
            "/bin/sh -c #(nop) ONBUILD RUN echo t > trig",
            "/bin/sh -c echo t > trig",
            "/bin/sh -c #(nop) LABEL x.y=\"z\"       q=r",
            &dir,
            "/bin/sh -c echo \"$TOKEN\" > /tok  && echo b",
            "/bin/sh -c [\"/bin/sh\", \"-c\", \"x > /y\"]",
            "/bin/sh -c #(nop) EXPOSE 80",
            "/bin/sh -c #(nop) ENTRYPOINT exec /bin/sh",
            "/bin/sh -c #(nop) CMD [\"a\", \"b\"]",
            "/bin/sh -c #(nop) HEALTHCHECK --interval=5s CMD true",
            "/bin/sh -c #(nop) VOLUME /data",
            "/bin/sh -c #(nop) SHELL [\"/bin/sh\", \"-e\", \"-c\"]",
        ];
        assert_eq!(lines(text, &built), Some(vec![2, 3, 4, 7, 7, 9, 11, 12, 14, 15, 16, 17, 18, 19, 20]));
    }

    #[test]
    fn buildkits_history() {
        let text = "# syntax=docker/dockerfile:1\nFROM base AS build\nRUN make\nFROM base\nARG V\nCOPY --from=build --chown=1 /a /b ./\n\
                    RUN --mount=type=secret,id=x <<EOF\nset -e\nmake $V\nEOF\nRUN cat <<A >x && cat <<-B\n1\nA\n\t2\n\tB\nEXPOSE 80\n\
                    HEALTHCHECK --interval=5s CMD curl -f http://x/\nENTRYPOINT exec app\nVOLUME /data\nUSER $V\nADD https://x/y.tgz /opt/\n";
        let built = [
            "RUN /bin/sh -c base # buildkit",
            "ARG V=1.2",
            "COPY --chown=1 /a /b ./ # buildkit",
            "RUN |1 V=1.2 /bin/sh -c set -e\nmake $V\n # buildkit",
            "RUN |1 V=1.2 /bin/sh -c cat <<A >x && cat <<-B\n1\nA\n\t2\nB # buildkit",
            "EXPOSE map[80/tcp:{}]",
            "HEALTHCHECK &{[\"CMD-SHELL\" \"curl -f http://x/\"] \"5s\" \"0s\" \"0s\" \"0s\" '\\x00'}",
            "ENTRYPOINT [\"/bin/sh\" \"-c\" \"exec app\"]",
            "VOLUME [/data]",
            "USER app",
            "ADD https://x/y.tgz /opt/ # buildkit",
        ];
        assert_eq!(lines(text, &built), Some(vec![0, 5, 6, 7, 11, 16, 17, 18, 19, 20, 21]));
    }

    #[test]
    fn another_dockerfile_has_no_lines() {
        let built = ["/bin/sh -c a", "/bin/sh -c b", "/bin/sh -c #(nop)  ENV A=1"];
        assert_eq!(lines("FROM x\nRUN a\nRUN b\nENV A=1\n", &built), Some(vec![2, 3, 4]));
        for text in [
            "FROM x\nRUN a\nRUN c\nENV A=1\n",
            "FROM x\nRUN b\nRUN a\nENV A=1\n",
            "FROM x\nRUN a\nRUN b\nENV A=1\nRUN d\n",
            "FROM x\nRUN b\nENV A=2\n",
            "FROM x\nRUN b\nENV A=1 B=2\n",
            "FROM x\n",
        ] {
            assert_eq!(lines(text, &built), None, "{text}");
        }
        assert_eq!(lines("FROM x\nRUN a\n", &[]), None);
        assert!(!runs("rm a", "a") && !runs("/bin/sh -c xa", "a") && runs("/bin/bash -eo pipefail -c a", "a") && runs("cmd /S /C a", "a"));
    }

    #[test]
    fn a_builder_may_leave_out_what_only_sets_the_configuration() {
        let text = "FROM x\nARG A\nCOPY . /app\nENV B=1\nENV B=1\nRUN make\nCMD x\n";
        assert_eq!(lines(text, &["base", "COPY . /app", "RUN make"]), Some(vec![0, 3, 6]));
        // Which of the two it is cannot be told.
        assert_eq!(lines(text, &["COPY . /app", "ENV B=1", "RUN make"]), Some(vec![3, 0, 6]));
        assert_eq!(lines(text, &["ARG A", "COPY . /app", "RUN make", "CMD [\"/bin/sh\" \"-c\" \"x\"]"]), Some(vec![2, 3, 6, 7]));
        assert_eq!(lines(text, &["COPY . /app", "COPY . /app", "RUN make"]), Some(vec![0, 3, 6]));
        assert_eq!(lines(text, &["COPY . /app", "RUN other", "RUN make"]), None);
        let text = "FROM x AS one\nONBUILD RUN t\nFROM one\nRUN a\n";
        assert_eq!(lines(text, &["/bin/sh -c #(nop) ONBUILD RUN t", "/bin/sh -c a"]), Some(vec![2, 4]));
    }

    #[test]
    fn a_stage_without_any_step_agrees_with_nothing() {
        let built = ["base", "COPY a /a", "ENV T=1", "CMD [\"python\"]"];
        assert_eq!(lines("FROM x\nENV T=0\nEXPOSE 80\nCMD [\"a\"]\n", &built), None);
        // A stage that agrees as a whole comes before one behind it that may have left everything out.
        let text = "FROM x AS app\nCOPY a /a\nENV T=1\nCMD [\"python\"]\nFROM x AS debug\nENV T=0\nCMD [\"python\"]\n";
        assert_eq!(lines(text, &built), Some(vec![0, 2, 3, 4]));
    }

    #[test]
    fn the_stage_that_explains_most_is_the_one() {
        let text = "FROM x AS dev\nRUN a\nRUN b\nFROM x\nRUN b\n";
        assert_eq!(lines(text, &["base", "/bin/sh -c a", "/bin/sh -c b"]), Some(vec![0, 2, 3]));
        assert_eq!(lines(text, &["base", "/bin/sh -c c", "/bin/sh -c b"]), Some(vec![0, 0, 5]));
        // Which of two it was nobody knows, but what both of them stand on.
        assert_eq!(lines("FROM x AS one\nCOPY . /\nFROM x AS two\nCOPY . /\n", &["base", "COPY . /"]), None);
        let text = "FROM x AS one\nRUN a\nFROM one AS two\nRUN b\nFROM one AS three\nRUN b\n";
        assert_eq!(lines(text, &["/bin/sh -c a", "/bin/sh -c b"]), Some(vec![2, 0]));
    }

    #[test]
    fn a_stage_brings_the_instructions_of_those_it_stands_on() {
        let text = "FROM x AS one\nRUN a\nONBUILD RUN t\nFROM one AS two\nRUN b\nFROM two\nRUN c\nFROM y AS tool\nRUN d\n";
        let built = ["/bin/sh -c base", "/bin/sh -c a", "/bin/sh -c #(nop)  ONBUILD RUN t", "/bin/sh -c t", "/bin/sh -c b"];
        // As with `--target two`.
        assert_eq!(lines(text, &built), Some(vec![0, 2, 3, 3, 5]));
    }

    #[test]
    fn settings_are_found_by_name() {
        let text = "FROM x\nENV A=1 B=2\nENV A 3 B=4\nLABEL \"c.d\"=e\nCMD a\nCMD b\n";
        let file = Dockerfile::parse(text).expect("a Dockerfile");
        let built =
            ["ENV A=1 B=2", "ENV A=3 B=4", "LABEL c.d=e", "CMD [\"/bin/sh\" \"-c\" \"a\"]", "CMD [\"/bin/sh\" \"-c\" \"b\"]"].map(|s| s);
        let alignment = align(&file, &history(&built)).expect("they agree");
        let line = |keyword, name| alignment.setting(keyword, name).map(|instruction| instruction.line);
        assert_eq!(line("ENV", Some("A")), Some(3));
        assert_eq!(line("ENV", Some("B")), Some(2), "what stands in the old form is one value");
        assert_eq!([line("LABEL", Some("c.d")), line("CMD", None), line("LABEL", Some("x"))], [Some(4), Some(6), None]);
        // The builder told nothing of the last ENV: it may be another's.
        let file = Dockerfile::parse("FROM x\nENV A=1\nRUN a\nENV A=2\n").expect("a Dockerfile");
        let alignment = align(&file, &history(&["ENV A=1", "RUN a"])).expect("they agree");
        assert_eq!(alignment.setting("ENV", Some("A")), None);
    }

    #[test]
    fn names_of_what_is_set() {
        for (keyword, rest, names) in [
            ("ARG", "A", vec!["A"]),
            ("ARG", "A B=1", vec!["A", "B"]),
            ("ENV", "A=1 B=\"x y\"", vec!["A", "B"]),
            ("ENV", "A b c=d", vec!["A"]),
        ] {
            assert_eq!(keys(keyword, rest), names, "{rest}");
        }
    }
}
