//! History: what each step was, and which steps a layer may have come from (formats.md, part 6.3).

use super::json;
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;

/// Instructions that only set the configuration.
const METADATA: [&str; 14] = [
    "ARG",
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
];
/// Instructions that can change files.
const FILES: [&str; 4] = ["RUN", "COPY", "ADD", "WORKDIR"];

/// One entry of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The instruction as a Dockerfile would have it: `RUN make`, `COPY file:… in /app`.
    pub instruction: String,
    /// It made no layer.
    pub empty: bool,
    /// How the entry describes itself besides: base images, squashes.
    pub comment: String,
}

/// Which steps a layer came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attribution {
    /// Indices into the history; empty where nothing is known.
    pub steps: Range<usize>,
    /// The last of `steps` is certainly the one.
    pub certain: bool,
}

/// The attributions of all layers, and why they may be wrong.
#[derive(Debug, Default)]
pub struct Attributions {
    /// One per layer.
    pub layers: Vec<Attribution>,
    /// What is odd about the history as a whole.
    pub doubt: Option<&'static str>,
}

/// The entries of `config.history`. From a step `SHELL` on, the steps behind it are run by the shell that it names.
pub fn steps(config: &Value) -> Arc<[Step]> {
    let mut shell = String::new();
    let mut step = |entry: &Value| {
        let comment = json::text(entry, "comment").unwrap_or_default();
        let mut instruction = instruction(json::text(entry, "created_by").unwrap_or_default(), comment);
        if let Some(words) = instruction.strip_prefix("SHELL ") {
            shell = shell_of(words);
        }
        if let Some(command) = run_by(&shell, &instruction) {
            instruction = format!("RUN {command}");
        }
        let empty = json::get(entry, "empty_layer").and_then(Value::as_bool).unwrap_or(false);
        Step { instruction, empty, comment: comment.to_owned() }
    };
    json::list(json::get(config, "history")).iter().map(&mut step).collect()
}

/// The words of `["/bin/bash", "-c"]`, or of `[/bin/bash -c]`, as Docker's builders have it.
fn shell_of(words: &str) -> String {
    let list = serde_json::from_str::<Vec<String>>(words).map(|words| words.join(" "));
    list.unwrap_or_else(|_| words.trim_matches(['[', ']']).to_owned())
}

/// The command of a step that this shell runs.
fn run_by<'a>(shell: &str, instruction: &'a str) -> Option<&'a str> {
    let text = instruction.strip_prefix("RUN ").unwrap_or(instruction);
    let command = text.strip_prefix(shell).filter(|_| !shell.is_empty())?;
    command.strip_prefix(' ').map(str::trim)
}

/// `created_by` as the instruction that it was: without the shell that the builder put around it, without build arguments.
pub fn instruction(created_by: &str, comment: &str) -> String {
    let text = created_by.trim();
    let text = text.strip_suffix("# buildkit").unwrap_or(text).trim_end();
    if let Some(metadata) = no_operation(text) {
        return metadata.to_owned();
    }
    let (run, command) = match text.strip_prefix("RUN ") {
        Some(command) => (true, command),
        None => (false, text),
    };
    let command = split_arguments(command).map_or(command, |(_, command)| command);
    match command.strip_prefix("/bin/sh -c ") {
        Some(command) => format!("RUN {}", command.trim()),
        None if run || command.len() < text.len() => format!("RUN {}", command.trim()),
        None if text.is_empty() => comment.trim().to_owned(),
        None => text.to_owned(),
    }
}

/// `/bin/sh -c #(nop) ENV A=b` → `ENV A=b`: how Docker's classic builder writes what runs nothing. The shell may be another (`SHELL`).
fn no_operation(text: &str) -> Option<&str> {
    const MARK: &str = "#(nop)";
    if let Some(metadata) = text.strip_prefix("/bin/sh -c #(nop)") {
        return Some(metadata.trim());
    }
    let (shell, metadata) = text.split_once(MARK)?;
    let metadata = metadata.trim();
    // A command may say it, too: a shell ends with the option that takes one, or with what PowerShell is to do first.
    let option = shell.trim_end().rsplit(' ').next().unwrap_or_default();
    let is_shell = shell.ends_with(' ') && (option.len() > 1 && option.starts_with(['-', '/']) || option.ends_with(';'));
    let is_command = ["/bin/sh -c ", "RUN ", "|"].iter().any(|begin| text.starts_with(begin));
    let word = metadata.split(' ').next().unwrap_or_default();
    (is_shell && !is_command && is_instruction(word)).then_some(metadata)
}

/// `|2 A=x B=y z /bin/sh -c make` → the text of the arguments, and the command. Values are not quoted, so where one ends is known
/// only from the shell that follows.
pub fn split_arguments(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix('|')?;
    let (count, rest) = rest.split_once(' ')?;
    count.parse::<u32>().ok()?;
    const SHELLS: [&str; 6] = ["/bin/sh -c", "/bin/bash", "/bin/ash", "cmd /S /C", "powershell", "pwsh"];
    let at = SHELLS.iter().filter_map(|shell| rest.find(shell)).min().unwrap_or(rest.len());
    Some((rest[..at].trim_end(), &rest[at..]))
}

/// The name of the build argument whose value stands at `offset` of a `created_by`.
pub fn argument_at(created_by: &str, offset: usize) -> Option<&str> {
    let bar = if created_by.starts_with('|') { 0 } else { created_by.find(" |")? + 1 };
    let (arguments, _) = split_arguments(&created_by[bar..])?;
    let end = bar + created_by[bar..].find(arguments)? + arguments.len();
    let before = created_by.get(..offset).filter(|_| offset < end)?;
    let assignment = before.rfind('=')?;
    let name = before[..assignment].rsplit(' ').next()?;
    (!name.is_empty()).then_some(name)
}

/// The names of the build arguments that a step was run with, or that it declares: `|1 A=x /bin/sh -c make`, `ARG A=x`. Values may hold
/// what looks like another assignment: where there are more than the step says, there is no telling, and none is named.
pub fn arguments(created_by: &str) -> Vec<&str> {
    let is_name = |name: &&str| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_') && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let text = created_by.trim_start();
    let text = no_operation(text).unwrap_or(text);
    if let Some(declared) = text.strip_prefix("ARG ") {
        // One instruction may declare several; a bare word behind a value may be the rest of it.
        let mut valued = false;
        let words = declared.split_whitespace().take_while(|word| {
            let bare = !word.contains('=');
            valued |= !bare;
            !(bare && valued)
        });
        return words.map(|word| word.split('=').next().unwrap_or_default()).take_while(is_name).collect();
    }
    let text = text.strip_prefix("RUN ").unwrap_or(text);
    let Some((arguments, _)) = split_arguments(text) else { return Vec::new() };
    let count = text[1..].split(' ').next().and_then(|count| count.parse().ok());
    let assignments = arguments.split(' ').filter_map(|word| word.split_once('='));
    let names: Vec<&str> = assignments.map(|(name, _)| name).filter(is_name).collect();
    if Some(names.len()) == count { names } else { Vec::new() }
}

/// Whether a Dockerfile's instruction begins with this word.
pub fn is_instruction(word: &str) -> bool {
    METADATA.contains(&word) || FILES.contains(&word)
}

fn is_among(words: &[&str], step: &Step) -> bool {
    step.instruction.split_once(' ').is_some_and(|(word, _)| words.contains(&word))
}

fn writes_files(step: &Step) -> bool {
    is_among(&FILES, step)
}

/// Attributes each of `layers` layers to the entries behind the previous layer's, up to its own.
pub fn attribute(config: &Value, steps: &[Step], layers: usize) -> Attributions {
    let owners: Vec<usize> = (0..steps.len()).filter(|i| !steps[*i].empty).collect();
    let nothing = |doubt| Attributions { layers: vec![Attribution::default(); layers], doubt };
    if steps.is_empty() {
        return nothing(None);
    }
    if owners.len() > layers {
        return nothing(Some("the history has more entries than there are layers: layers are not attributed"));
    }
    // Docker's builders mark a step as empty only if it changed nothing.
    let exact_builder = ["docker_version", "container", "container_config"].iter().any(|key| json::get(config, key).is_some());
    let missing = layers - owners.len();
    let mut result = Attributions::default();
    result.layers.resize(missing, Attribution::default());
    let mut from = 0;
    for &owner in &owners {
        let range = from..owner + 1;
        from = owner + 1;
        let last = &steps[owner];
        let buildkit = last.comment.starts_with("buildkit.");
        let squashed = last.comment.starts_with("merge ") || last.comment.starts_with("create new from ");
        let others = steps[range.start..owner].iter().any(writes_files) && !exact_builder && !buildkit;
        // What runs a program without a shell is told without its keyword.
        let writes = writes_files(last) || exact_builder && !is_among(&METADATA, last);
        let certain = missing == 0 && !squashed && !others && (writes || range.len() == 1);
        result.layers.push(Attribution { steps: range, certain });
    }
    if missing > 0 {
        result.doubt = Some("the history has fewer entries than there are layers: the lowest layers are not attributed");
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn instructions_of_every_builder() {
        for (created_by, expected) in [
            ("/bin/sh -c echo hi > /x", "RUN echo hi > /x"),
            ("/bin/sh -c #(nop)  ENV A=b", "ENV A=b"),
            ("/bin/sh -c #(nop) COPY file:abc in /app/.env ", "COPY file:abc in /app/.env"),
            ("|1 TOKEN=x y /bin/sh -c make all", "RUN make all"),
            ("RUN |1 TOKEN=x /bin/sh -c make all # buildkit", "RUN make all"),
            ("RUN /bin/sh -c make all # buildkit", "RUN make all"),
            ("COPY . /app # buildkit", "COPY . /app"),
            ("", "Imported from -"),
            ("/bin/bash -o pipefail -c #(nop) COPY file:abc in /q.env ", "COPY file:abc in /q.env"),
            ("powershell -Command $ErrorActionPreference = 'Stop'; #(nop)  ENV A=b", "ENV A=b"),
            ("/bin/sh -c echo -n #(nop) ENV A=b", "RUN echo -n #(nop) ENV A=b"),
            ("/bin/echo x #(nop) ENV A=b", "/bin/echo x #(nop) ENV A=b"),
            ("/bin/bash -c #(nop) me", "/bin/bash -c #(nop) me"),
        ] {
            assert_eq!(instruction(created_by, "Imported from -"), expected);
        }
        assert_eq!(argument_at("RUN |2 A=x TOKEN=y /bin/sh -c make z=1", 17), Some("TOKEN"));
        assert_eq!(argument_at("|1 TOKEN=y /bin/sh -c make z=1", 29), None);
        assert_eq!(split_arguments("|2 A=x B=y z /bin/sh -c make"), Some(("A=x B=y z", "/bin/sh -c make")));
    }

    #[test]
    fn a_shell_holds_for_the_steps_behind_it() {
        let told = |history: &[&str]| {
            let history: Vec<Value> = history.iter().map(|created_by| json!({ "created_by": created_by })).collect();
            steps(&json!({ "history": history })).iter().map(|step| step.instruction.clone()).collect::<Vec<String>>()
        };
        let bash = "/bin/bash -o pipefail -c";
        let classic = [
            "/bin/bash -o pipefail -c a".to_owned(),
            format!("{bash} #(nop)  SHELL [/bin/bash -o pipefail -c]"),
            format!("{bash} #(nop) COPY file:1 in /y "),
            format!("{bash} rm /y.env"),
            format!("|1 A=x {bash} make"),
            "/bin/rm -f /x".to_owned(),
            "/bin/sh -c b".to_owned(),
        ];
        let expected = [
            "/bin/bash -o pipefail -c a",
            "SHELL [/bin/bash -o pipefail -c]",
            "COPY file:1 in /y",
            "RUN rm /y.env",
            "RUN make",
            "/bin/rm -f /x",
            "RUN b",
        ];
        assert_eq!(told(&classic.each_ref().map(String::as_str)), expected);
        let buildkit = ["SHELL [/bin/ash -e -c]", "RUN |1 A=x /bin/ash -e -c make # buildkit", "RUN /bin/ash -e -c rm x # buildkit"];
        assert_eq!(told(&buildkit)[1..], ["RUN make", "RUN rm x"]);
        assert_eq!(told(&["SHELL [\"/bin/ash\", \"-c\"]", "/bin/ash -c x"])[1..], ["RUN x"]);
    }

    #[test]
    fn arguments_are_named_where_that_is_sure() {
        for (created_by, names) in [
            ("|2 A=x TOKEN=y z /bin/sh -c make B=1", vec!["A", "TOKEN"]),
            ("RUN |1 TOKEN=y /bin/sh -c make # buildkit", vec!["TOKEN"]),
            ("|1 OPTIONS=-x TOKEN=y /bin/sh -c make", vec![]),
            ("/bin/sh -c #(nop)  ARG TOKEN=dflt", vec!["TOKEN"]),
            ("ARG A B=2 C=3", vec!["A", "B", "C"]),
            ("ARG A=hello TOKEN", vec!["A"]),
            ("RUN /bin/sh -c ARG TOKEN # buildkit", vec![]),
            ("/bin/bash -c #(nop)  ARG TOKEN", vec!["TOKEN"]),
            ("ENV TOKEN=x", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(arguments(created_by), names, "{created_by}");
        }
    }

    fn attributed(config: Value, layers: usize) -> Vec<(Range<usize>, bool)> {
        attribute(&config, &steps(&config), layers).layers.into_iter().map(|a| (a.steps, a.certain)).collect()
    }

    #[test]
    fn a_layer_owns_the_entries_up_to_its_own() {
        let run = |cmd: &str, empty: bool| json!({"created_by": format!("/bin/sh -c {cmd}"), "empty_layer": empty});
        let label = |empty: bool| json!({"created_by": "/bin/sh -c #(nop) LABEL a=b", "empty_layer": empty});
        let docker = json!({"docker_version": "20", "history": [run("a", false), label(true), run("true", true), run("b", false)]});
        assert_eq!(attributed(docker, 2), [(0..1, true), (1..4, true)]);
        // RUN with a list of words.
        let list = json!({"docker_version": "20", "history": [run("a", false), label(true), {"created_by": "/bin/rm -f /x"}]});
        assert_eq!(attributed(list, 2), [(0..1, true), (1..3, true)]);
        let squashed = json!({"docker_version": "20", "history": [run("a", true), label(false)]});
        assert_eq!(attributed(squashed, 1), [(0..2, false)]);
        let buildah = json!({"history": [run("a", true), run("b", true), label(false)]});
        assert_eq!(attributed(buildah, 1), [(0..3, false)]);
        let short = json!({"history": [run("a", false)]});
        assert_eq!(attributed(short, 2), [(0..0, false), (0..1, false)]);
        let long = json!({"history": [run("a", false), run("b", false)]});
        assert_eq!(attributed(long, 1), [(0..0, false)]);
    }
}
