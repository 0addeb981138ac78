//! docker-archive: `manifest.json` as an array (formats.md, part 2).

use super::{Image, Images, Listed, assemble, json};
use crate::archive::Archive;
use crate::error::{Code, Problem};
use serde_json::Value;

/// Adds the images that `manifest.json` lists. Where the member occurs twice, all of them are read.
pub fn images(archive: &Archive, found: &mut Images) {
    for &blob in archive.named("manifest.json") {
        match archive.document(blob) {
            Some(Value::Array(items)) => {
                if items.is_empty() {
                    found.problems.push(Problem::new(Code::InvalidDocument, "manifest.json lists no image"));
                }
                for item in items {
                    if let Some(image) = image(archive, item, blob, found) {
                        add(found, image);
                    }
                }
            }
            Some(Value::Object(_)) => {} // One manifest of its own: the `dir:` layout.
            Some(_) => found.problems.push(Problem::new(Code::InvalidDocument, "manifest.json lists no image")),
            None => found.problems.push(Problem::new(Code::InvalidDocument, "manifest.json is no JSON that lists images")),
        }
    }
}

fn image(archive: &Archive, item: &Value, manifest: usize, found: &mut Images) -> Option<Image> {
    let Some(config_name) = json::text(item, "Config") else {
        found.problems.push(Problem::new(Code::InvalidDocument, "an entry of manifest.json names no config"));
        return None;
    };
    let config = archive.named(config_name).last().copied();
    if config.and_then(|blob| archive.document(blob)).is_none() {
        let state = if config.is_some() { "is not JSON" } else { "is not in this input" };
        let message = format!("the config {} {state}", crate::text::sanitise(config_name));
        found.problems.push(Problem::new(Code::BlobMissing, message));
    }
    let listed = json::list(json::get(item, "Layers")).iter().map(|layer| {
        let name = layer.as_str().unwrap_or_default();
        Listed { name: name.to_owned(), blob: archive.named(name).last().copied(), digest: None }
    });
    let mut image = assemble(archive, config, listed.collect());
    image.names = json::list(json::get(item, "RepoTags")).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    image.manifests.push(manifest);
    Some(image)
}

/// Adds an image, or only its names where the same config with the same layers is there already.
pub fn add(found: &mut Images, image: Image) {
    let layers = |image: &Image| image.layers.iter().map(|l| (l.blob, l.diff_id.clone())).collect::<Vec<_>>();
    let same =
        |other: &&mut Image| image.config_digest.is_some() && other.config_digest == image.config_digest && layers(other) == layers(&image);
    match found.images.iter_mut().find(same) {
        Some(other) => {
            other.names.extend(image.names.into_iter().filter(|name| !other.names.contains(name)).collect::<Vec<_>>());
            other.manifests.extend(image.manifests);
        }
        None => found.images.push(image),
    }
}
