//! The texts of an image's documents that may hold a secret, each with a JSON pointer (RFC 6901; formats.md, part 6.2).

use super::oci::{is_index, is_manifest};
use super::{Image, history, json};
use crate::archive::Archive;
use crate::limits::PATH_MAX;
use crate::text::cut;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

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

/// The way to a value in a document. What stands below a key shares it: keys may be long, and values many.
#[derive(Debug, Clone, Default)]
pub struct Way(Option<Rc<(Way, String)>>);

impl Way {
    fn to(&self, part: impl Into<String>) -> Way {
        Way(Some(Rc::new((self.clone(), part.into()))))
    }

    fn parts(&self) -> Vec<&str> {
        let mut parts: Vec<&str> =
            std::iter::successors(self.0.as_deref(), |(above, _)| above.0.as_deref()).map(|(_, part)| &**part).collect();
        parts.reverse();
        parts
    }

    /// The outermost key.
    pub fn root(&self) -> Option<&str> {
        self.parts().first().copied()
    }

    /// As a JSON pointer (RFC 6901).
    pub fn pointer(&self) -> String {
        let escaped = self.parts().into_iter().map(|part| format!("/{}", cut(part, PATH_MAX).replace('~', "~0").replace('/', "~1")));
        cut(&escaped.collect::<String>(), PATH_MAX).into_owned()
    }
}

/// A text and where it stands.
#[derive(Debug, Clone)]
pub struct Text {
    /// What kind.
    pub kind: Kind,
    /// The document.
    pub blob: usize,
    /// Where in the document.
    pub way: Way,
    /// For entries of the history, the step.
    pub step: Option<usize>,
    /// What it is called, if not after the way to it: see [`Text::name`].
    called: Option<Arc<str>>,
    /// What is searched. Of a map it is `key=value`.
    pub text: String,
    /// A later step overrode it.
    pub historic: bool,
}

impl Text {
    /// What it is called there, for an id that outlives a rebuild: a variable's name, a label's key, an instruction.
    pub fn name(&self) -> Arc<str> {
        self.called.clone().unwrap_or_else(|| cut(&self.way.parts().join("/"), PATH_MAX).into())
    }
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

/// True for JSON that is no document of any format that is known here: then it is a file, and its texts alone may not tell all.
pub fn is_unknown(document: &Value) -> bool {
    let has = |key| json::get(document, key).is_some();
    let list = json::list(Some(document)).iter().any(|item| json::get(item, "Layers").is_some());
    !(has("rootfs") || has("predicateType") || is_v1(document) || is_index(document) || is_manifest(document) || list)
}

fn is_v1(document: &Value) -> bool {
    let has = |key| json::get(document, key).is_some();
    !has("rootfs") && has("id") && (has("config") || has("container_config") || has("parent"))
}

/// What a document is, by its shape, decides what its texts are called.
fn texts_of(document: &Value, blob: usize, steps: &[history::Step]) -> Vec<Text> {
    let has = |key| json::get(document, key).is_some();
    let env = json::list(json::get(document, "config").and_then(|config| json::get(config, "Env")));
    let env: HashMap<&str, &str> = env.iter().filter_map(|variable| variable.as_str()?.split_once('=')).collect();
    let v1 = is_v1(document);
    let steps: Vec<Arc<str>> = steps.iter().map(|step| cut(&step.instruction, PATH_MAX).into()).collect();
    let mut texts = Vec::new();
    for leaf in leaves(document).into_iter().filter(|leaf| !leaf.value.is_empty()) {
        let annotation = leaf.way.parts().contains(&"annotations");
        let made = if v1 {
            Text { kind: Kind::V1Config, ..config_text(leaf, blob, &steps, &env) }
        } else if has("rootfs") {
            config_text(leaf, blob, &steps, &env)
        } else if has("predicateType") {
            attestation_text(leaf, blob)
        } else {
            text(leaf, blob, if annotation { Kind::Annotation } else { Kind::Document })
        };
        texts.push(made);
    }
    texts
}

/// A build argument is called `build-arg:NAME` there (formats.md, part 3.4).
fn attestation_text(leaf: Leaf, blob: usize) -> Text {
    let argument = leaf.key.and_then(|key| key.strip_prefix("build-arg:"));
    match argument {
        Some(name) => {
            let (called, assignment) = (Some(cut(name, PATH_MAX).into()), named(name, &leaf.value));
            Text { called, text: assignment, ..text(leaf, blob, Kind::Attestation) }
        }
        None => text(leaf, blob, Kind::Attestation),
    }
}

/// Keys from this length on are searched as texts of their own, in bytes.
const LONG_KEY: usize = 16;

/// A string in a document.
struct Leaf<'a> {
    way: Way,
    /// A number stands there as its digits.
    value: Cow<'a, str>,
    /// The key, where the string is a value of a map; the option in front of it, where it is an option's value.
    key: Option<&'a str>,
}

/// All strings of a document, keys of maps that stand for themselves (`Volumes`) included. Depth is bounded by the parser.
fn leaves(document: &Value) -> Vec<Leaf<'_>> {
    let mut found = Vec::new();
    collect(document, &Way::default(), None, &mut found);
    found
}

fn collect<'a>(value: &'a Value, way: &Way, key: Option<&'a str>, found: &mut Vec<Leaf<'a>>) {
    match value {
        Value::String(text) => found.push(Leaf { way: way.clone(), value: text.into(), key }),
        // One without a name is no secret that anybody could tell.
        Value::Number(number) if key.is_some() => found.push(Leaf { way: way.clone(), value: number.to_string().into(), key }),
        Value::Array(items) => {
            let mut before: Option<&str> = None;
            for (index, item) in items.iter().enumerate() {
                // `["--password", "x"]`: the option is what the value is called.
                let option = before.filter(|word| word.starts_with('-') && !word.contains('='));
                collect(item, &way.to(index.to_string()), option, found);
                before = item.as_str();
            }
        }
        Value::Object(map) => {
            for (name, item) in map {
                let way = way.to(name);
                // `Volumes` has its values in its keys; elsewhere too, a long key may be more than a name.
                if item.as_object().is_some_and(serde_json::Map::is_empty) || name.len() >= LONG_KEY {
                    found.push(Leaf { way: way.clone(), value: name.into(), key: None });
                }
                collect(item, &way, Some(name), found);
            }
        }
        _ => {}
    }
}

/// An assignment. Of a name that is longer than names are, the end.
fn named(name: &str, value: &str) -> String {
    const MOST: usize = 256;
    format!("{}={value}", &name[name.ceil_char_boundary(name.len().saturating_sub(MOST))..])
}

fn text(leaf: Leaf, blob: usize, kind: Kind) -> Text {
    let text = match leaf.key {
        Some(key) if !leaf.value.trim_end().contains('\n') => named(key, &leaf.value),
        _ => leaf.value.into_owned(),
    };
    Text { kind, blob, way: leaf.way, step: None, called: None, text, historic: false }
}

fn config_text(leaf: Leaf, blob: usize, steps: &[Arc<str>], env: &HashMap<&str, &str>) -> Text {
    let parts = leaf.way.parts();
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
    let step = parts.get(1).filter(|_| kind == Kind::History).and_then(|part| part.parse().ok());
    let value = leaf.value.clone();
    let label = leaf.key.or(parts.get(2).copied()).map(|key| Arc::from(cut(key, PATH_MAX)));
    let of_map = matches!(kind, Kind::Label) || kind == Kind::Config && !value.trim_end().contains('\n');
    let of_map =
        of_map || matches!(kind, Kind::Cmd | Kind::Entrypoint | Kind::Healthcheck) && leaf.key.is_some_and(|key| key.starts_with('-'));
    let mut made = if of_map { text(leaf, blob, kind) } else { Text { text: value.to_string(), ..text(leaf, blob, kind) } };
    match kind {
        Kind::Label => made.called = label,
        Kind::Env => made.called = value.split('=').next().map(|name| cut(name, PATH_MAX).into()),
        Kind::History => {
            made.called = Some(step.and_then(|i: usize| steps.get(i)).cloned().unwrap_or_default());
            made.step = step;
            made.historic = overridden(&value, env);
        }
        _ => {}
    }
    made
}

/// An `ENV` of the history that the final configuration no longer has.
fn overridden(created_by: &str, env: &HashMap<&str, &str>) -> bool {
    let instruction = history::instruction(created_by, "");
    let Some(assignments) = instruction.strip_prefix("ENV ") else { return false };
    let Some((name, value)) = assignments.split_once('=') else { return false };
    let value = value.trim_matches('"');
    !env.get(name).is_some_and(|now| *now == value || value.starts_with(now) && !now.is_empty())
}
