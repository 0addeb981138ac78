//! docker-archive: `manifest.json` as an array (formats.md, part 2).

use super::{Gathering, Listed, json, no_document};
use crate::digest::Digest;
use crate::error::{Code, Problem};
use serde_json::Value;

/// Adds the images that `manifest.json` lists. Where the member occurs twice, all of them are read.
pub fn images(gathering: &mut Gathering) {
    let archive = gathering.archive;
    for blob in archive.named("manifest.json") {
        match archive.document(blob) {
            Some(Value::Array(items)) => {
                if items.is_empty() {
                    gathering.problem(Code::InvalidDocument, "manifest.json lists no image");
                }
                for item in items.iter().take(gathering.limits.manifests) {
                    image(gathering, item, blob);
                }
                if items.len() > gathering.limits.manifests {
                    let message = format!("manifest.json lists {} images (--max-manifests)", items.len());
                    gathering.problem(Code::LimitReached, message);
                }
            }
            Some(Value::Object(_)) => {} // One manifest of its own: the `dir:` layout.
            Some(_) => gathering.problem(Code::InvalidDocument, "manifest.json lists no image"),
            None => {
                let message = format!("manifest.json {}", no_document(archive, blob, &gathering.limits));
                gathering.problem(Code::InvalidDocument, message);
            }
        }
    }
}

fn image(gathering: &mut Gathering, item: &Value, manifest: usize) {
    let archive = gathering.archive;
    let Some(config_name) = json::text(item, "Config") else {
        gathering.problem(Code::InvalidDocument, "an entry of manifest.json names no config");
        return;
    };
    let resolved = archive.resolve(config_name);
    let config = resolved.ok();
    if config.and_then(|blob| archive.document(blob)).is_none() {
        let state = match resolved {
            Ok(blob) => no_document(archive, blob, &gathering.limits),
            Err(why) => format!("is {why}"),
        };
        gathering.problem(Code::BlobMissing, format!("the config {} {state}", crate::text::sanitise(config_name)));
    }
    let layers = json::list(json::get(item, "Layers")).iter().map(|layer| Listed::named(archive, layer.as_str().unwrap_or_default()));
    let mut image = gathering.assemble(config, layers.collect());
    if let Some(problem) = config.and_then(|blob| misnamed(config_name, &archive.blobs[blob].stored)) {
        image.problems.push((None, problem));
    }
    image.names = json::list(json::get(item, "RepoTags")).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    image.documents.push(manifest);
    gathering.add(image);
}

/// Engines name a config by its digest, and do not look whether it is so.
fn misnamed(name: &str, actual: &Digest) -> Option<Problem> {
    let base = name.rsplit('/').next().unwrap_or(name);
    let stem = base.strip_suffix(".json").unwrap_or(base);
    let claimed = Digest::parse(stem).or_else(|| Digest::parse(&format!("sha256:{stem}"))).filter(|claimed| claimed != actual)?;
    Some(Problem::new(Code::NameMismatch, format!("the config has the digest {actual} and the name of {claimed}")))
}
