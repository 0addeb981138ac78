//! What an image's documents say of how it is run and what it was made from: for whoever judges it, not for finding its layers.

use super::oci::{is_index, is_manifest};
use super::{Image, json};
use crate::archive::Archive;
use crate::limits::{Effort, Exhausted};
use serde_json::Value;

/// What the documents of one image say. Nothing of images without a config (Docker v1, schema 1).
#[derive(Debug, Default)]
pub struct About<'a> {
    /// There is a config to say something.
    pub configured: bool,
    /// `config.User`: empty where nothing is said.
    pub user: &'a str,
    /// The keys of `config.Volumes`.
    pub volumes: Vec<&'a str>,
    /// When the image was made, as it says.
    pub created: Option<&'a str>,
    /// The history: when each step was made, and the command as it was recorded. As many as the image has steps.
    pub steps: Vec<(Option<&'a str>, &'a str)>,
    /// What the image was built from.
    pub base: Base<'a>,
}

/// What an image was built from, as far as anything says so.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Base<'a> {
    /// Its name, as a reference.
    pub name: Option<&'a str>,
    /// Its digest.
    pub digest: Option<&'a str>,
    /// The provenance of the build names the images that went into it, without saying which is the base.
    pub in_provenance: bool,
}

/// Bytes of a command that are one step.
const STEP: usize = 64;
const NAME: &str = "org.opencontainers.image.base.name";
const DIGEST: &str = "org.opencontainers.image.base.digest";
/// The front end that reads the Dockerfile: an image that goes into every build.
const FRONT_END: &str = "pkg:docker/docker/dockerfile";

impl<'a> About<'a> {
    /// What the documents of `image` say. Images may share long ones: each is an effort.
    pub fn of(archive: &'a Archive, image: &Image, effort: &mut Effort) -> Result<About<'a>, Exhausted> {
        let config = image.config.and_then(|blob| archive.document(blob)).filter(|config| json::get(config, "rootfs").is_some());
        let Some(config) = config else { return Ok(About::default()) };
        let inner = json::get(config, "config");
        let volumes = inner.and_then(|inner| json::get(inner, "Volumes")).and_then(Value::as_object);
        let step = |entry: &'a Value| (json::text(entry, "created"), json::text(entry, "created_by").unwrap_or_default());
        let steps: Vec<_> = json::list(json::get(config, "history")).iter().map(step).collect();
        effort.spend(steps.iter().map(|(_, command)| 1 + command.len() / STEP).sum())?;
        Ok(About {
            configured: true,
            user: inner.and_then(|inner| json::text(inner, "User")).unwrap_or_default(),
            volumes: volumes.into_iter().flatten().map(|(path, _)| path.as_str()).collect(),
            created: json::text(config, "created"),
            steps,
            base: base(archive, image, config, effort)?,
        })
    }
}

/// The nearest that is said: by the manifest, by what lists it, by the builder in the history, by a label. Labels come last, since those
/// of a base are inherited.
fn base<'a>(archive: &'a Archive, image: &Image, config: &'a Value, effort: &mut Effort) -> Result<Base<'a>, Exhausted> {
    let documents: Vec<(&Value, usize)> = image.documents.iter().filter_map(|blob| Some((archive.document(*blob)?, *blob))).collect();
    let listed = |(document, _): &(&Value, usize)| 1 + json::list(json::get(document, "manifests")).len();
    effort.spend(documents.iter().map(listed).sum())?;
    let own = |document: &Value| {
        let digest = json::get(document, "config").and_then(|config| json::text(config, "digest"));
        is_manifest(document) && image.config_digest.as_ref().is_some_and(|own| digest == Some(own.to_string().as_str()))
    };
    let manifests: Vec<(&Value, String)> = documents
        .iter()
        .filter(|(document, _)| own(document))
        .map(|(manifest, blob)| (*manifest, archive.blobs[*blob].stored.to_string()))
        .collect();
    let indexes = || documents.iter().map(|(document, _)| *document).filter(|document| is_index(document));
    let listing = indexes()
        .flat_map(|index| json::list(json::get(index, "manifests")))
        .filter(|descriptor| manifests.iter().any(|(_, digest)| json::text(descriptor, "digest") == Some(digest.as_str())));
    let annotated = manifests.iter().map(|(manifest, _)| *manifest).chain(listing).chain(indexes());
    let said = annotated.filter_map(|object| json::get(object, "annotations"));
    let labels = json::get(config, "config").and_then(|config| json::get(config, "Labels"));
    let text = |object: &'a Value, key| json::text(object, key).map(str::trim).filter(|text| !text.is_empty());
    let pair = |object: &'a Value| (text(object, NAME), text(object, DIGEST));
    let found = said
        .map(pair)
        .chain([(from_history(config), None)])
        .chain(labels.map(pair))
        .find(|(name, digest)| name.is_some() || digest.is_some())
        .unwrap_or_default();
    let built = documents.iter().any(|(document, _)| names_images(document)) || json::get(config, "moby.buildkit.buildinfo.v1").is_some();
    Ok(Base { name: found.0, digest: found.1, in_provenance: built })
}

/// What buildah says in the comments of its steps: `FROM docker.io/library/alpine:3.20`. Of steps on each other it says the ids.
fn from_history(config: &Value) -> Option<&str> {
    let comments = json::list(json::get(config, "history")).iter().rev().filter_map(|entry| json::text(entry, "comment"));
    let names = comments.filter_map(|comment| comment.strip_prefix("FROM ")).map(str::trim);
    let is_id = |name: &str| name.len() >= 12 && name.trim_start_matches("sha256:").bytes().all(|b| b.is_ascii_hexdigit());
    names.filter(|name| !name.is_empty() && !name.contains(char::is_whitespace)).find(|name| !is_id(name))
}

/// Whether a document is the provenance of a build (SLSA) and names images that went into it.
fn names_images(document: &Value) -> bool {
    let Some(predicate) = json::get(document, "predicate") else { return false };
    let definition = json::get(predicate, "buildDefinition");
    let materials = [json::get(predicate, "materials"), definition.and_then(|definition| json::get(definition, "resolvedDependencies"))];
    let uris = materials.into_iter().flat_map(json::list).filter_map(|material| json::text(material, "uri"));
    uris.into_iter().any(|uri| uri.starts_with("pkg:docker/") && !uri.starts_with(FRONT_END))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_name_in_the_comments_is_the_base() {
        let config = json!({ "history": [{ "comment": "FROM docker.io/library/old:1" }, { "comment": "FROM quay.io/x/new:2" },
            { "comment": "FROM 8d58927d0a4933f420579d6dadc320ab5a68f87a8d772cfe1b29eda318fdc354" }, { "comment": "FROM a b" }] });
        assert_eq!(from_history(&config), Some("quay.io/x/new:2"));
        assert_eq!(from_history(&json!({ "history": [{ "comment": "buildkit.dockerfile.v0" }] })), None);
    }

    #[test]
    fn provenance_names_what_went_in() {
        let slsa = |uri: &str| json!({ "predicate": { "materials": [{ "uri": uri }] } });
        assert!(names_images(&slsa("pkg:docker/alpine@3.20?platform=linux%2Famd64")));
        assert!(names_images(&json!({ "predicate": { "buildDefinition": { "resolvedDependencies": [{ "uri": "pkg:docker/a@1" }] } } })));
        assert!(!names_images(&slsa("pkg:docker/docker/dockerfile@1")) && !names_images(&slsa("https://github.com/a/b")));
        assert!(!names_images(&json!({ "materials": [] })));
    }
}
