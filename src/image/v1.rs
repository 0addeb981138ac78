//! Docker v1 archives, before `manifest.json`: a directory an image, each naming its parent (formats.md, part 2.4).

use super::{Gathering, Image, Listed, history, json};
use crate::archive::Archive;
use crate::error::Code;
use serde_json::{Value, json as value};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// One `<id>/json`.
struct Node<'a> {
    document: &'a Value,
    blob: usize,
}

/// Adds an image for every tag in `repositories`, and for every image that is nobody's parent.
pub fn images(gathering: &mut Gathering) {
    let archive = gathering.archive;
    // Newer archives hold the same directories, and in one that was cut the last ones, and so the fates, are missing.
    if archive.is_cut() {
        return;
    }
    let nodes = nodes(archive);
    let mut heads: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for blob in archive.named("repositories") {
        for (repository, tags) in archive.document(blob).and_then(Value::as_object).into_iter().flatten() {
            for (tag, id) in tags.as_object().into_iter().flatten() {
                let id = id.as_str().filter(|id| nodes.contains_key(*id));
                heads.entry(id.unwrap_or_default().to_owned()).or_default().push(format!("{repository}:{tag}"));
            }
        }
    }
    let untold = heads.remove("").is_some_and(|_| !nodes.is_empty());
    if untold {
        gathering.problem(Code::BlobMissing, "`repositories` names an image that is not in this input");
    }
    let parents: HashSet<&str> = nodes.values().filter_map(|node| json::text(node.document, "parent")).collect();
    for id in nodes.keys().filter(|id| !parents.contains(id.as_str())) {
        heads.entry(id.clone()).or_default();
    }
    for (head, names) in heads {
        if gathering.is_full() {
            break;
        }
        image(gathering, &nodes, &head, names);
    }
}

/// The images by id. An id is the name of a directory at the root that holds a `json` and a layer.
fn nodes(archive: &Archive) -> BTreeMap<String, Node<'_>> {
    let mut nodes = BTreeMap::new();
    for blob in 0..archive.blobs.len() {
        let Some(id) = archive.name(blob).strip_suffix(b"/json").and_then(|id| std::str::from_utf8(id).ok()) else { continue };
        let Some(document) = archive.document(blob).filter(|document| document.is_object() && !id.contains('/')) else { continue };
        nodes.insert(id.to_owned(), Node { document, blob });
    }
    nodes
}

fn image(gathering: &mut Gathering, nodes: &BTreeMap<String, Node>, head: &str, names: Vec<String>) {
    let mut chain: Vec<(&str, &Node)> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = Some(head);
    while let Some(id) = next {
        let broken = match nodes.get_key_value(id) {
            Some(_) if !seen.insert(id) => "is its own ancestor",
            Some(_) if chain.len() >= gathering.limits.layers => "has more ancestors than are followed (--max-layers)",
            None => "has an ancestor that is not in this input",
            Some((id, node)) => {
                chain.push((id, node));
                next = json::text(node.document, "parent").filter(|parent| !parent.is_empty());
                continue;
            }
        };
        // Which layer is the how-manieth, and what became of its files, cannot be known.
        let message = format!("the image {} {broken}: its layers are reported without their fates", crate::text::sanitise(head));
        return gathering.problem(Code::LayerMissing, message);
    }
    chain.reverse();
    let archive = gathering.archive;
    let layers = chain.iter().map(|(id, _)| Listed::named(archive, &format!("{id}/layer.tar")));
    let mut image = gathering.assemble(None, layers.collect());
    image.names = names;
    image.documents = chain.iter().map(|(_, node)| node.blob).collect();
    image.documents.extend(archive.named("repositories"));
    image.attribute_v1(chain.iter().map(|(_, node)| node.document));
    if let Some((_, top)) = chain.last() {
        image.platform = super::Platform::of(top.document);
    }
    gathering.add(image);
}

impl Image {
    /// Attributes each layer to the command in its own document: a v1 config, base first.
    pub(super) fn attribute_v1<'a>(&mut self, documents: impl Iterator<Item = &'a Value>) {
        let step = |document: &Value| {
            let words = json::list(json::get(document, "container_config").and_then(|config| json::get(config, "Cmd")));
            let command: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            value!({ "created_by": command.join(" "), "comment": json::text(document, "comment").unwrap_or_default() })
        };
        let config = value!({ "docker_version": "1", "history": documents.map(step).collect::<Vec<_>>() });
        self.attribute(&config, history::steps(&config));
    }
}
