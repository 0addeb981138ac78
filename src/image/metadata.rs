//! The texts of an image's documents that may hold a secret, each with a JSON pointer (RFC 6901; formats.md, part 6.2).

use super::{Image, history, json};
use crate::archive::Archive;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashSet;

/// What kind of text it is: the `location.kind` of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A variable of `config.Env`.
    Env,
    /// A label.
    Label,
    /// A word of `Cmd`.
    Cmd,
    /// A word of `Entrypoint`.
    Entrypoint,
    /// The health check.
    Healthcheck,
    /// A trigger for images built on this one.
    OnBuild,
    /// Another field of the config.
    Config,
    /// A step of the history.
    History,
    /// An annotation of a manifest or index.
    Annotation,
    /// A document about an image: provenance, a bill of materials (in-toto).
    Attestation,
    /// A `json` of Docker v1, one a layer: it repeats the config as it was then.
    V1Config,
    /// Anything else in a document.
    Document,
}

impl Kind {
    /// The text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Env => "env",
            Kind::Label => "label",
            Kind::Cmd => "cmd",
            Kind::Entrypoint => "entrypoint",
            Kind::Healthcheck => "healthcheck",
            Kind::OnBuild => "onbuild",
            Kind::Config => "config",
            Kind::History => "history",
            Kind::Annotation => "annotation",
            Kind::Attestation => "attestation",
            Kind::V1Config => "v1-config",
            Kind::Document => "document",
        }
    }
}

/// A text and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// What kind.
    pub kind: Kind,
    /// The document.
    pub blob: usize,
    /// Where in the document.
    pub pointer: String,
    /// For entries of the history, the step.
    pub step: Option<usize>,
    /// What it is called there, for an id that outlives a rebuild: a variable's name, a label's key, an instruction.
    pub name: String,
    /// What is searched. Of a map it is `key=value`.
    pub text: String,
    /// A later step overrode it.
    pub historic: bool,
}

/// The texts of the image's config and other documents, of those that `told` does not name yet: images share documents.
pub fn of_image(archive: &Archive, image: &Image, told: &mut HashSet<usize>) -> Vec<Text> {
    let mut texts = Vec::new();
    for blob in image.config.into_iter().chain(image.documents.iter().copied()) {
        if let Some(document) = archive.document(blob).filter(|_| told.insert(blob)) {
            texts.extend(texts_of(document, blob, &image.steps));
        }
    }
    texts
}

/// The texts of a document that belongs to no image.
pub fn of_document(document: &Value, blob: usize) -> Vec<Text> {
    texts_of(document, blob, &history::steps(document))
}

/// What a document is, by its shape, decides what its texts are called.
fn texts_of(document: &Value, blob: usize, steps: &[history::Step]) -> Vec<Text> {
    let has = |key| json::get(document, key).is_some();
    let env = json::list(json::get(document, "config").and_then(|config| json::get(config, "Env")));
    let env: Vec<&str> = env.iter().filter_map(Value::as_str).collect();
    let v1 = !has("rootfs") && has("id") && (has("config") || has("container_config") || has("parent"));
    let mut texts = Vec::new();
    for leaf in leaves(document) {
        let decoded = decoded(&leaf.value);
        let annotation = leaf.path.iter().any(|part| part == "annotations");
        let made = if v1 {
            Text { kind: Kind::V1Config, ..config_text(leaf, blob, steps, &env) }
        } else if has("rootfs") {
            config_text(leaf, blob, steps, &env)
        } else if has("predicateType") {
            attestation_text(leaf, blob)
        } else {
            text(leaf, blob, if annotation { Kind::Annotation } else { Kind::Document })
        };
        texts.extend(decoded.map(|decoded| Text { text: decoded, ..made.clone() }));
        texts.push(made);
    }
    texts
}

/// The text in a base64 string: BuildKit puts Dockerfiles and build records so into its documents. Nothing for short strings, and for
/// what is no text.
fn decoded(value: &str) -> Option<String> {
    use base64::Engine;
    const LEAST: usize = 32;
    let plausible =
        value.len() >= LEAST && value.len().is_multiple_of(4) && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    let bytes = base64::engine::general_purpose::STANDARD.decode(plausible.then_some(value)?).ok()?;
    String::from_utf8(bytes).ok().filter(|text| !text.contains(|c: char| c.is_control() && !c.is_whitespace()))
}

/// A build argument is called `build-arg:NAME` there (formats.md, part 3.4).
fn attestation_text(leaf: Leaf, blob: usize) -> Text {
    let argument = leaf.key.and_then(|key| key.strip_prefix("build-arg:"));
    match argument {
        Some(name) => {
            let (name, assignment) = (name.to_owned(), format!("{name}={}", leaf.value));
            Text { name, text: assignment, ..text(leaf, blob, Kind::Attestation) }
        }
        None => text(leaf, blob, Kind::Attestation),
    }
}

/// Keys from this length on are searched as texts of their own, in bytes.
const LONG_KEY: usize = 16;

/// A string in a document.
struct Leaf<'a> {
    path: Vec<String>,
    /// A number stands there as its digits.
    value: Cow<'a, str>,
    /// The key, where the string is a value of a map; the option in front of it, where it is an option's value.
    key: Option<&'a str>,
}

impl Leaf<'_> {
    fn pointer(&self) -> String {
        self.path.iter().map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1"))).collect()
    }
}

/// All strings of a document, keys of maps that stand for themselves (`Volumes`) included. Depth is bounded by the parser.
fn leaves(document: &Value) -> Vec<Leaf<'_>> {
    let mut found = Vec::new();
    collect(document, &mut Vec::new(), None, &mut found);
    found
}

fn collect<'a>(value: &'a Value, path: &mut Vec<String>, key: Option<&'a str>, found: &mut Vec<Leaf<'a>>) {
    match value {
        Value::String(text) => found.push(Leaf { path: path.clone(), value: text.into(), key }),
        // One without a name is no secret that anybody could tell.
        Value::Number(number) if key.is_some() => found.push(Leaf { path: path.clone(), value: number.to_string().into(), key }),
        Value::Array(items) => {
            let mut before: Option<&str> = None;
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                // `["--password", "x"]`: the option is what the value is called.
                collect(item, path, before.filter(|word| word.starts_with('-') && !word.contains('=')), found);
                path.pop();
                before = item.as_str();
            }
        }
        Value::Object(map) => {
            for (name, item) in map {
                path.push(name.clone());
                // `Volumes` has its values in its keys; elsewhere too, a long key may be more than a name.
                if item.as_object().is_some_and(serde_json::Map::is_empty) || name.len() >= LONG_KEY {
                    found.push(Leaf { path: path.clone(), value: name.into(), key: None });
                }
                collect(item, path, Some(name), found);
                path.pop();
            }
        }
        _ => {}
    }
}

fn text(leaf: Leaf, blob: usize, kind: Kind) -> Text {
    let text = match leaf.key {
        Some(key) if !leaf.value.trim_end().contains('\n') => format!("{key}={}", leaf.value),
        _ => leaf.value.to_string(),
    };
    Text { kind, blob, pointer: leaf.pointer(), step: None, name: leaf.path.join("/"), text, historic: false }
}

fn config_text(leaf: Leaf, blob: usize, steps: &[history::Step], env: &[&str]) -> Text {
    let parts: Vec<&str> = leaf.path.iter().map(String::as_str).collect();
    let kind = match parts[..] {
        ["history", ..] => Kind::History,
        [_, "Env", _] => Kind::Env,
        [_, "Labels", ..] => Kind::Label,
        [_, "Cmd", ..] => Kind::Cmd,
        [_, "Entrypoint", ..] => Kind::Entrypoint,
        [_, "Healthcheck", ..] => Kind::Healthcheck,
        [_, "OnBuild", _] => Kind::OnBuild,
        _ => Kind::Config,
    };
    let step = leaf.path.get(1).filter(|_| kind == Kind::History).and_then(|part| part.parse().ok());
    let value = leaf.value.clone();
    let of_map = matches!(kind, Kind::Label) || kind == Kind::Config && !value.trim_end().contains('\n');
    let of_map =
        of_map || matches!(kind, Kind::Cmd | Kind::Entrypoint | Kind::Healthcheck) && leaf.key.is_some_and(|key| key.starts_with('-'));
    let mut made = if of_map { text(leaf, blob, kind) } else { Text { text: value.to_string(), ..text(leaf, blob, kind) } };
    match kind {
        Kind::Env => made.name = value.split('=').next().unwrap_or_default().to_owned(),
        Kind::History => {
            made.name = step.and_then(|i: usize| steps.get(i)).map(|s| s.instruction.clone()).unwrap_or_default();
            made.step = step;
            made.historic = overridden(&value, env);
        }
        _ => {}
    }
    made
}

/// An `ENV` of the history that the final configuration no longer has.
fn overridden(created_by: &str, env: &[&str]) -> bool {
    let instruction = history::instruction(created_by, "");
    let Some(assignments) = instruction.strip_prefix("ENV ") else { return false };
    let Some((name, value)) = assignments.split_once('=') else { return false };
    let value = value.trim_matches('"');
    !env.iter().any(|now| now.split_once('=').is_some_and(|(n, v)| n == name && (v == value || value.starts_with(v) && !v.is_empty())))
}
