//! How to fix the Dockerfile: why the secret is still there, what to write instead, and how to make the secret worthless.
//!
//! What an image says of itself is hostile: it comes into a line only through `words`, where it can break no line and begin no other.

mod files;
mod words;

use super::FindingEntry;
use crate::image::history;
use words::{command, id, path_in_mount, quoted, variable, with_variable};

/// What to do about one finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// Why it can still be read.
    pub why: String,
    /// What to change, in this order.
    pub blocks: Vec<Block>,
    /// How to revoke and rotate it.
    pub rotate: String,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Where: `Dockerfile`, `.dockerignore` or `shell`.
    pub file: &'static str,
    /// What it does, in a sentence.
    pub say: String,
    /// The lines; may be empty.
    pub text: String,
}

const DOCKERFILE: &str = "Dockerfile";
const IGNORE: &str = ".dockerignore";
const SHELL: &str = "shell";

fn block(file: &'static str, say: impl Into<String>, text: impl Into<String>) -> Block {
    Block { file, say: say.into(), text: text.into() }
}

/// How to fix what brought `finding` in.
pub fn fix(finding: &FindingEntry) -> Fix {
    let mut fix = Fix { why: why(finding), blocks: blocks(finding), rotate: rotate(finding) };
    // Names and paths may hold the value, too.
    let parts = finding.parts.iter().filter_map(|part| part.value.as_deref());
    for value in finding.secret.value.as_deref().into_iter().chain(parts).filter(|value| value.len() >= 6) {
        let clean = |text: &mut String| *text = text.replace(value, "****");
        clean(&mut fix.why);
        fix.blocks.iter_mut().for_each(|block| {
            clean(&mut block.say);
            clean(&mut block.text);
        });
    }
    fix
}

/// What brought it in decides.
fn blocks(finding: &FindingEntry) -> Vec<Block> {
    let at = &finding.location;
    match at.kind.as_str() {
        "file" => in_file(finding),
        "env" => environment(&name_of(finding)),
        "label" | "annotation" => label(&at.kind),
        "cmd" | "entrypoint" | "healthcheck" => start(&at.kind),
        "attestation" if at.name.is_some() => attested(finding),
        "attestation" => vec![block(
            SHELL,
            "The document describes the build. Find what it took the secret from, then build without details, or without it:",
            "docker build --provenance=mode=min .\ndocker build --provenance=false --sbom=false .",
        )],
        "history" | "onbuild" | "v1-config" | "config" => in_history(finding),
        _ => vec![block(
            DOCKERFILE,
            "It stands in a document of the image. Find the option or the tool that writes it there, and give it no secret.",
            "",
        )],
    }
}

/// A step of the history: the instruction itself has the secret, or the build arguments that it was run with.
fn in_history(finding: &FindingEntry) -> Vec<Block> {
    if finding.location.name.is_some() {
        return argument(&name_of(finding), command(finding).as_deref());
    }
    let text = history::instruction(finding.instruction.as_deref().unwrap_or_default(), "");
    let text = text.strip_prefix("ONBUILD ").unwrap_or(&text);
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match word.to_ascii_uppercase().as_str() {
        "ARG" => argument(&assigned(rest).unwrap_or_else(|| name_of(finding)), None),
        "ENV" => environment(&assigned(rest).unwrap_or_else(|| name_of(finding))),
        "LABEL" | "MAINTAINER" => label("label"),
        kind @ ("CMD" | "ENTRYPOINT" | "HEALTHCHECK") => start(&kind.to_ascii_lowercase()),
        "COPY" | "ADD" => fetched(finding),
        "RUN" => run(finding),
        _ => vec![block(
            DOCKERFILE,
            "An instruction has the secret in its text, and the image keeps that text. Write it without the secret.",
            format!("RUN --mount=type=secret,id={} …", id(&name_of(finding))),
        )],
    }
}

/// `NAME=value` or `NAME value`: the name.
fn assigned(rest: &str) -> Option<String> {
    let name = rest.split(['=', ' ']).next().filter(|name| !name.is_empty())?;
    Some(variable(name))
}

/// The name of the secret: its own, the one in front of it, or its rule's.
fn name_of(finding: &FindingEntry) -> String {
    match &finding.location.name {
        Some(name) => variable(name),
        None => words::name_before(finding)
            .unwrap_or_else(|| variable(&finding.rule.trim_start_matches("generic-").replace('-', "_").to_ascii_uppercase())),
    }
}

/// Commands that do nothing with a secret in their environment.
const IDLE: [&str; 8] = ["rm ", "mv ", "cp ", "echo ", "mkdir ", "chmod ", "chown ", "ln "];

fn argument(name: &str, command: Option<&str>) -> Vec<Block> {
    // Every step behind the ARG has the argument in its text, also those that do nothing with it.
    let idle = |command: &&str| IDLE.iter().any(|word| command.starts_with(word)) && !command.contains(name);
    let (id, command) = (id(name), command.filter(|command| !idle(command)).unwrap_or("…"));
    vec![
        block(
            DOCKERFILE,
            format!("In place of `ARG {name}`: the step that needs it gets it as a secret, which is in no layer and no history."),
            format!("# syntax=docker/dockerfile:1\nRUN --mount=type=secret,id={id},env={name} {command}"),
        ),
        block(
            SHELL,
            format!("In place of `--build-arg {name}=…`, with {name} in the environment:"),
            format!("docker build --secret id={id},env={name} ."),
        ),
    ]
}

fn environment(name: &str) -> Vec<Block> {
    let id = id(name);
    vec![
        block(
            DOCKERFILE,
            format!("Remove the `ENV {name}` line. Where a build step needs it, that step alone gets it:"),
            format!("# syntax=docker/dockerfile:1\nRUN --mount=type=secret,id={id},env={name} …"),
        ),
        block(SHELL, "Build:", format!("docker build --secret id={id},env={name} .")),
        block(
            SHELL,
            format!(
                "Where the program needs it, give it to the container and not to the image: a file with {name}=… outside the build context, or \
                 a secret of the orchestrator."
            ),
            "docker run --env-file ../run.env …",
        ),
    ]
}

fn label(kind: &str) -> Vec<Block> {
    let what = if kind == "label" { "A label is there to be read" } else { "An annotation is there to be read" };
    vec![block(
        DOCKERFILE,
        format!(
            "{what}: registries index it and show it to everybody. Remove it, from the Dockerfile and from whatever adds it in CI; a \
             URL with a password goes in without it."
        ),
        "",
    )]
}

fn start(kind: &str) -> Vec<Block> {
    let word = kind.to_ascii_uppercase();
    vec![
        block(
            DOCKERFILE,
            format!("Take the secret out of the {word}: let the program read it from a file that is there only when the container runs."),
            format!("{word} [\"/bin/sh\", \"-c\", \"exec … --password-file /run/secrets/password\"]"),
        ),
        block(
            SHELL,
            "Give it to the container:",
            "docker run --mount type=bind,src=/etc/app/password,dst=/run/secrets/password,readonly …",
        ),
    ]
}

fn attested(finding: &FindingEntry) -> Vec<Block> {
    let mut blocks = argument(&name_of(finding), None);
    blocks.push(block(
        SHELL,
        "Full provenance records the build arguments. It can be less, but an argument stays in the history all the same:",
        "docker build --provenance=mode=min .",
    ));
    blocks
}

/// `ADD https://user:password@host/file`.
fn fetched(finding: &FindingEntry) -> Vec<Block> {
    let id = id(&name_of(finding));
    vec![
        block(
            DOCKERFILE,
            "ADD and COPY keep their text, a URL with its password too. Fetch it in a step that has the password as a secret:",
            format!(
                "# syntax=docker/dockerfile:1\nRUN --mount=type=secret,id={id},target=/root/.netrc \\\n    curl -fsSL --netrc -o … https://…"
            ),
        ),
        block(SHELL, "Build:", format!("docker build --secret id={id},src=$HOME/.netrc .")),
    ]
}

/// RUN whose own text has the secret.
fn run(finding: &FindingEntry) -> Vec<Block> {
    let name = name_of(finding);
    let id = id(&name);
    let Some(command) = command(finding) else {
        return vec![
            block(
                DOCKERFILE,
                format!("The step with the secret in its text reads it from ${name} instead:"),
                format!("# syntax=docker/dockerfile:1\nRUN --mount=type=secret,id={id},env={name} …"),
            ),
            block(SHELL, "Build:", format!("docker build --secret id={id},env={name} .")),
        ];
    };
    if let Some(blocks) = words::over_ssh(&command, &finding.secret.redacted).map(cloned) {
        return blocks;
    }
    if let Some(target) = words::written_to(&command, &finding.secret.redacted) {
        if let Some(known) = files::known(&target) {
            return known.blocks("Do not write it in a step: mount it, for the step that reads it.");
        }
        let id = self::id(files::base(&target));
        return mounted(&target, &id, "The step writes the secret into a layer. Do not write it: mount it, for the step that reads it.");
    }
    if command.starts_with("npm config set") || command.starts_with("yarn config set") {
        return files::known(".npmrc").map_or_else(Vec::new, |known| known.blocks("In place of setting it with a command:"));
    }
    vec![
        block(
            DOCKERFILE,
            "The same step, without the value in its text:",
            format!(
                "# syntax=docker/dockerfile:1\nRUN --mount=type=secret,id={id},env={name} {}",
                with_variable(&command, &finding.secret.redacted, &name)
            ),
        ),
        block(SHELL, format!("With {name} in the environment:"), format!("docker build --secret id={id},env={name} .")),
    ]
}

/// A clone over ssh, in place of one with a password in its URL.
fn cloned(command: String) -> Vec<Block> {
    vec![
        block(
            DOCKERFILE,
            "Clone with the key of your ssh agent, which stays outside. (A clone keeps its URL, with the password, in `.git/config`.)",
            format!("# syntax=docker/dockerfile:1\nRUN --mount=type=ssh {command}"),
        ),
        block(SHELL, "Build, with the agent running:", "docker build --ssh default ."),
    ]
}

/// A file that is there only while one step runs.
fn mounted(path: &str, id: &str, say: &str) -> Vec<Block> {
    let target = path_in_mount(path).map_or_else(|| format!("/run/secrets/{id}"), |path| path.to_owned());
    let outside = path_in_mount(&target).map_or(id, files::base);
    vec![
        block(
            DOCKERFILE,
            say,
            format!("# syntax=docker/dockerfile:1\nRUN --mount=type=secret,id={id},target={target} …   # the command that reads it"),
        ),
        block(SHELL, "Build, with the file outside the build context:", format!("docker build --secret id={id},src=../{outside} .")),
    ]
}

fn in_file(finding: &FindingEntry) -> Vec<Block> {
    let path = finding.location.path.as_deref().unwrap_or_default();
    let brought: Vec<String> = candidates(finding).iter().map(|text| history::instruction(text, "")).collect();
    let copied = |text: &&String| text.starts_with("COPY ") || text.starts_with("ADD ");
    let runs = brought.iter().filter(|text| text.starts_with("RUN ")).count();
    match (brought.iter().filter(copied).count(), runs) {
        (0, 0) => files::unknown(path),
        (_, 0) => files::copied(finding, path),
        (0, 1) => written(finding, path),
        (0, _) => mounted(
            &format!("/{path}"),
            &id(files::base(path)),
            "One of several steps wrote it. Mount it instead, for the step that reads it:",
        ),
        _ => {
            let mut blocks = files::copied(finding, path);
            blocks.extend(mounted(&format!("/{path}"), &id(files::base(path)), "If a RUN wrote it:").into_iter().take(1));
            blocks
        }
    }
}

/// The instructions that it may have come from.
fn candidates(finding: &FindingEntry) -> Vec<&str> {
    match &finding.instruction {
        Some(instruction) => vec![instruction],
        None => finding.instructions.iter().map(String::as_str).collect(),
    }
}

/// A RUN that wrote the file.
fn written(finding: &FindingEntry, path: &str) -> Vec<Block> {
    let name = files::base(path);
    let target = format!("/{path}");
    let command = command(finding);
    let moved = command.as_deref().and_then(|command| words::moved_from(command, path));
    if let Some(blocks) = command.as_deref().and_then(|c| words::over_ssh(c, &finding.secret.redacted)).map(cloned) {
        return blocks;
    }
    if let Some(source) = moved {
        let mut blocks = files::copied(finding, &source);
        if let Some(first) = blocks.first_mut() {
            first.say = format!("The step moved it: an earlier one brought it in as `{}`. {}", words::shown(&source), first.say);
        }
        return blocks;
    }
    if let Some(known) = files::known(path) {
        return known.blocks("Do not write it in a step: mount it, for the step that reads it.");
    }
    let mut blocks =
        mounted(&target, &id(name), "The step that wrote it keeps it in its layer. Mount it instead, for the step that reads it:");
    if finding.fate.state == "present" {
        blocks.push(block(
            SHELL,
            "If the program needs it when it runs, give it to the container:",
            format!("docker run --mount type=bind,src=…,dst={},readonly …", path_in_mount(&target).unwrap_or("/run/secrets/secret")),
        ));
    }
    blocks
}

/// Why it can still be read.
fn why(finding: &FindingEntry) -> String {
    let at = &finding.location;
    let layer = at.layer.map_or_else(|| "A layer".to_owned(), |layer| format!("Layer {layer}"));
    match (finding.fate.state.as_str(), finding.fate.by_layer, at.kind.as_str()) {
        ("present", _, _) => {
            let by = quoted(finding, finding.instruction.as_deref()).map(|text| format!(" ({text})")).unwrap_or_default();
            format!("{layer}{by} has it, and it shows in the final image: whoever can pull or run the image can read it.")
        }
        ("superseded", _, _) => {
            format!(
                "{layer} holds the file twice. The later entry is the one that shows; the bytes of the earlier one are still in the layer."
            )
        }
        ("hidden", _, _) => {
            "It stands in the bytes of the layer's archive, in no file of it. Whoever saves the image has these bytes.".to_owned()
        }
        (state @ ("deleted" | "overwritten" | "replaced"), Some(by), _) => {
            let what = match state {
                "deleted" => "hid it",
                "overwritten" => "wrote other content over it",
                _ => "put something else in its place",
            };
            let with = quoted(finding, finding.fate.by_instruction.as_deref()).map(|text| format!(" with {text}")).unwrap_or_default();
            format!(
                "Layers only add, none takes anything out of another. Layer {by} {what}{with}; {} still has it, and whoever can pull the image \
                 can read it.",
                lower(&layer)
            )
        }
        (_, _, "env") if finding.fate.how.as_deref() != Some("historic") => {
            "The environment is a part of the image: `docker inspect` shows it, and every process in the container inherits it.".to_owned()
        }
        (_, _, "history" | "env") => {
            let what = if at.name.is_some() { "also the values of build arguments" } else { "word for word" };
            format!("The history keeps every step, {what}: `docker history --no-trunc` shows it, whatever later steps do.")
        }
        (_, _, "attestation") => "The attestation is pushed with the image: `docker buildx imagetools inspect` shows it.".to_owned(),
        _ if at.kind != "file" => "It is in a document of the image, which whoever can pull the image can read.".to_owned(),
        _ => format!("{layer} still has it: whoever can pull the image can read it."),
    }
}

fn lower(text: &str) -> String {
    text.replacen("Layer", "layer", 1).replacen("A layer", "a layer", 1)
}

fn rotate(finding: &FindingEntry) -> String {
    match &finding.revoke {
        Some(revoke) => revoke.clone(),
        None => {
            let issuer = match finding.provider.as_str() {
                "" | "generic" => "where it was issued".to_owned(),
                provider => format!("at {}", words::shown(provider)),
            };
            format!("Revoke it {issuer} and issue a new one: since the first push it has to be taken for known.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A finding: what stands in `parts` in place of an ordinary one.
    fn finding(parts: Value) -> FindingEntry {
        let mut entry = json!({
            "id": "0", "image": 0, "rule": "generic-password", "provider": "generic", "title": "Password", "severity": "high",
            "confidence": "high", "secret": {"redacted": "********", "length": 10, "group": 0},
            "location": {"kind": "file", "layer": 2, "path": "app/.env", "line": 1, "column": 1, "offset": 0},
            "instruction": null, "instruction_certain": true, "fate": {"state": "present"}, "also_visible": [], "recoverable": true,
            "retrieve": null, "rewritten_in": [], "engine_dependent": null, "public": null, "parts": [], "facts": {}, "reasons": [],
            "revoke": null, "instructions": []
        });
        for (key, value) in parts.as_object().expect("an object") {
            entry[key] = value.clone();
        }
        serde_json::from_value(entry).expect("a finding")
    }

    fn metadata(kind: &str, name: Option<&str>, instruction: &str) -> FindingEntry {
        finding(json!({
            "location": {"kind": kind, "name": name, "pointer": "/x", "line": 1, "column": 1, "offset": 0},
            "instruction": instruction, "fate": {"state": "config", "how": "current"}
        }))
    }

    fn file(path: &str, state: &str, instruction: &str) -> FindingEntry {
        let fate = json!({"state": state, "by_layer": 4, "by_instruction": "/bin/sh -c rm /app/.env"});
        let location = json!({"kind": "file", "layer": 2, "path": path, "line": 1, "column": 1, "offset": 0});
        finding(json!({"location": location, "instruction": instruction, "fate": fate}))
    }

    fn text(finding: &FindingEntry) -> String {
        fix(finding).blocks.iter().map(|block| format!("[{}] {}\n{}\n", block.file, block.say, block.text)).collect()
    }

    fn has(finding: &FindingEntry, parts: &[&str]) {
        let text = text(finding);
        parts.iter().for_each(|part| assert!(text.contains(part), "{part} is not in\n{text}"));
    }

    #[test]
    fn build_arguments_become_secrets() {
        let mounted = "RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN npm ci";
        for instruction in ["RUN npm ci", "RUN |1 NPM_TOKEN=**** /bin/sh -c npm ci # buildkit", "|1 NPM_TOKEN=**** /bin/sh -c npm  ci"] {
            has(&metadata("history", Some("NPM_TOKEN"), instruction), &[mounted, "docker build --secret id=npm_token,env=NPM_TOKEN ."]);
        }
        has(&metadata("history", Some("NPM_TOKEN"), "RUN rm /app/.env"), &["id=npm_token,env=NPM_TOKEN …"]);
        has(&metadata("history", None, "/bin/sh -c #(nop)  ARG TOKEN=****"), &["In place of `ARG TOKEN`", "env=TOKEN …"]);
        has(&metadata("attestation", Some("TOKEN"), ""), &["env=TOKEN", "--provenance=mode=min"]);
    }

    #[test]
    fn metadata_says_what_to_do() {
        has(&metadata("env", Some("DB_PASSWORD"), ""), &["Remove the `ENV DB_PASSWORD`", "id=db_password,env=DB_PASSWORD", "--env-file"]);
        has(&metadata("history", None, "ENV DB_PASSWORD=********"), &["Remove the `ENV DB_PASSWORD`"]);
        has(&metadata("label", Some("x"), ""), &["A label is there to be read"]);
        has(&metadata("annotation", None, ""), &["An annotation"]);
        has(&metadata("history", None, "LABEL a=********"), &["A label"]);
        for kind in ["cmd", "entrypoint", "healthcheck"] {
            has(&metadata(kind, None, ""), &[&kind.to_uppercase(), "/run/secrets/password"]);
        }
        has(&metadata("history", None, "CMD [\"x\" \"********\"]"), &["CMD"]);
        has(&metadata("history", None, "ADD https://u:********@h/x /x"), &["--netrc"]);
        has(&metadata("attestation", None, ""), &["--provenance=false"]);
        assert!(fix(&metadata("history", None, "RUN x")).why.contains("docker history"));
        assert!(fix(&metadata("env", Some("A"), "")).why.contains("docker inspect"));
    }

    #[test]
    fn commands_take_the_value_from_a_variable() {
        has(
            &metadata("history", None, "/bin/sh -c curl -H \"Authorization: Bearer ********\" https://x"),
            &["id=password,env=PASSWORD curl -H \"Authorization: Bearer ${PASSWORD}\" https://x"],
        );
        has(&metadata("history", None, "RUN TOKEN=******** make"), &["env=TOKEN TOKEN=\"${TOKEN}\" make"]);
        has(&metadata("history", None, "RUN x --api-key '********'"), &["env=API_KEY x --api-key ''\"${API_KEY}\"''"]);
        has(&metadata("history", None, "RUN npm config set //r/:_authToken=********"), &["target=/root/.npmrc npm ci"]);
        has(&metadata("onbuild", None, "ONBUILD RUN TOKEN=******** make"), &["env=TOKEN"]);
        has(
            &metadata("history", None, "RUN git clone https://u:********@git.example/a/b.git /src && make"),
            &["RUN --mount=type=ssh git clone git@git.example:a/b.git /src && make", "docker build --ssh default ."],
        );
        has(&metadata("history", None, "RUN echo \"********\" > /tmp/pass.txt"), &["id=pass.txt,target=/tmp/pass.txt …"]);
        has(&metadata("history", None, "RUN echo //r/:_authToken=******** >> ~/.npmrc && npm ci"), &["target=/root/.npmrc npm ci"]);
    }

    #[test]
    fn copied_files_are_ignored_and_mounted() {
        has(&file("app/.git/config", "present", "COPY . /app # buildkit"), &["**/.git\n"]);
        has(&file("app/.env", "deleted", "COPY . /app"), &["**/.env\n", "id=env,target=/app/.env", "COPY --from=build"]);
        has(&file("root/.npmrc", "present", "/bin/sh -c #(nop) COPY file:ab in /root/"), &["**/.npmrc", "target=/root/.npmrc npm ci"]);
        has(&file("root/.ssh/id_rsa", "deleted", "COPY id_rsa /root/.ssh/"), &["**/.ssh", "--mount=type=ssh"]);
        has(&file("app/.env", "present", "COPY prod.env /app/.env"), &["**/prod.env"]);
        has(&file("app/settings.py", "present", "COPY . /app"), &["may belong in the image"]);
        has(&file("app/dump.sql", "deleted", "COPY . /app"), &["**/dump.sql"]);
        has(&file("x/y", "present", ""), &["does not say what brought it in"]);
    }

    #[test]
    fn written_files_are_mounted() {
        has(&file("tmp/pass.txt", "overwritten", "RUN echo ******** > /tmp/pass.txt"), &["id=pass.txt,target=/tmp/pass.txt"]);
        has(
            &file("root/id_ed25519", "present", "RUN mv /app/deploy_key /root/id_ed25519"),
            &["brought it in as `app/deploy_key`", "**/deploy_key"],
        );
        has(
            &file("src/.git/config", "present", "RUN git clone https://u:********@h.example/a.git /src"),
            &["--mount=type=ssh git clone git@h.example:a.git /src"],
        );
        has(&file("root/.npmrc", "present", "RUN npm config set a ********"), &["target=/root/.npmrc"]);
    }

    #[test]
    fn why_names_the_layers() {
        let why = fix(&file("app/.env", "deleted", "COPY . /app")).why;
        assert!(why.contains("Layer 4 hid it with `RUN rm /app/.env`; layer 2 still has it"), "{why}");
        assert!(fix(&file("app/.env", "present", "COPY . /app")).why.starts_with("Layer 2 (`COPY . /app`) has it"));
        assert!(fix(&file("app/.env", "superseded", "")).why.contains("twice"));
        assert!(fix(&file("app/.env", "hidden", "")).why.contains("in no file"));
    }

    #[test]
    fn no_line_is_broken_and_no_value_is_told() {
        let evil = "x\nRUN evil\r\u{2028}\u{202e}\u{1b}[31m`,source=/ y";
        let lines = |finding: &FindingEntry| text(finding).lines().filter(|line| line.starts_with("RUN evil")).count();
        for entry in [
            metadata("history", Some(evil), evil),
            metadata("env", Some(evil), evil),
            metadata("history", None, &format!("RUN {evil}")),
            metadata("history", None, &format!("ARG {evil}=1")),
            file(evil, "deleted", &format!("COPY {evil} /app")),
            file(evil, "present", &format!("RUN {evil}")),
            file(&format!("a/.ssh/{evil}"), "overwritten", evil),
            file(&format!("a/{evil}.pem"), "deleted", evil),
        ] {
            let (fix, text) = (fix(&entry), text(&entry));
            assert_eq!(lines(&entry), 0, "{text}");
            assert!(!text.contains(['\r', '\u{2028}', '\u{202e}', '\u{1b}']) && !text.contains(",source="), "{text}");
            assert!(!fix.why.contains(['\n', '\u{1b}']), "{}", fix.why);
        }
        for unsafe_command in ["RUN cat <<E", "RUN x \\", "RUN a\nb"] {
            assert!(!text(&metadata("history", None, unsafe_command)).contains(&unsafe_command[4..]));
        }
        let mut entry = metadata("history", None, "RUN echo hunter2hunter2 > /x/hunter2hunter2");
        entry.secret.value = Some("hunter2hunter2".to_owned());
        assert!(!text(&entry).contains("hunter2"));
        let mut entry = file("hunter2hunter2.pem", "deleted", "COPY hunter2hunter2 /");
        entry.secret.value = Some("hunter2hunter2".to_owned());
        assert!(!text(&entry).contains("hunter2") && !fix(&entry).why.contains("hunter2"));
    }

    #[test]
    fn rotation_is_told() {
        assert!(fix(&metadata("env", None, "")).rotate.contains("where it was issued"));
        assert!(fix(&finding(json!({"provider": "GitHub"}))).rotate.contains("at GitHub"));
        assert_eq!(fix(&finding(json!({"revoke": "there → revoke"}))).rotate, "there → revoke");
    }
}
