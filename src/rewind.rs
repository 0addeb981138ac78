//! An image as it was after one of its layers: the recipe of formats.md, part 13, which docker, podman and containerd load.
//!
//! What comes out is a docker-archive: the unpacked layers up to there, the config with as many diff_ids and as much of the history, and a
//! `manifest.json` with a tag of its own. Layers are copied from the one archive to the other; none is held in memory.

use crate::archive::Archive;
use crate::digest::Digest;
use crate::error::Error;
use crate::image::Image;
use crate::layer_scan::Place;
use crate::limits::Limits;
use crate::scan::{Open, Part, Wanted, take};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};

/// What is to be written.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The layers up to that one, as blobs of the archive.
    pub blobs: Vec<usize>,
    /// The SHA-256 of each unpacked layer, as computed: an engine compares it.
    pub diff_ids: Vec<Digest>,
    /// The config, and its name in the archive.
    pub config: Vec<u8>,
    /// The tag.
    pub tag: String,
    /// What is not as it was, in words for people.
    pub remarks: Vec<String>,
}

/// Plans the image after `layer`, under the name `tag`. Fails, in words, where that cannot be built.
pub fn plan(archive: &Archive, image: &Image, layer: usize, tag: &str) -> Result<Plan, String> {
    let mut plan = Plan { blobs: Vec::new(), diff_ids: Vec::new(), config: Vec::new(), tag: tag.to_owned(), remarks: Vec::new() };
    for (index, layer) in image.layers.iter().enumerate().take(layer + 1) {
        let blob = layer.blob.ok_or_else(|| format!("layer {index} is not in this archive"))?;
        if !archive.is_tar(blob) {
            return Err(format!("layer {index} is not a tar: no engine would load it"));
        }
        if archive.blobs[blob].cut {
            return Err(format!("layer {index} could not be read to its end"));
        }
        let computed = archive.blobs[blob].diff_id().ok_or("the digests of the layers were not computed")?;
        if layer.diff_id.as_ref().is_some_and(|declared| declared != computed) {
            plan.remarks.push(format!("layer {index} is not what the config calls it: the new config has its true diff_id"));
        }
        if archive.problems_of(blob).any(|problem| !problem.code.is_note()) {
            plan.remarks.push(format!("layer {index} is damaged: engines may refuse it"));
        }
        plan.blobs.push(blob);
        plan.diff_ids.push(computed.clone());
    }
    let empty = Value::Object(Map::new());
    let document = image.config.and_then(|blob| archive.document(blob)).unwrap_or(&empty);
    let (config, remark) = config(document, &plan.diff_ids, image.layers.len());
    plan.remarks.extend(remark);
    plan.config = config.to_string().into_bytes();
    Ok(plan)
}

/// The config with these layers. The history goes along as far as it belongs to them; where it does not fit the layers, it is left out.
fn config(document: &Value, diff_ids: &[Digest], layers: usize) -> (Value, Option<String>) {
    let mut config = document.as_object().cloned().unwrap_or_default();
    let history = config.iter().find(|(key, _)| key.eq_ignore_ascii_case("history")).and_then(|(_, value)| value.as_array().cloned());
    // Engines do not look at the case of names (encoding/json of Go): no other spelling may stay.
    config.retain(|key, _| !["history", "rootfs"].iter().any(|own| key.eq_ignore_ascii_case(own)));
    let ids: Vec<String> = diff_ids.iter().map(ToString::to_string).collect();
    config.insert("rootfs".to_owned(), json!({ "type": "layers", "diff_ids": ids }));
    for (key, value) in [("architecture", "amd64"), ("os", "linux")] {
        config.entry(key).or_insert_with(|| json!(value));
    }
    let Some(history) = history else { return (Value::Object(config), None) };
    let is_empty = |step: &Value| {
        let flag = step.as_object().and_then(|step| step.iter().find(|(key, _)| key.eq_ignore_ascii_case("empty_layer")));
        flag.is_some_and(|(_, value)| value.as_bool() == Some(true))
    };
    let filled: Vec<usize> = (0..history.len()).filter(|step| !is_empty(&history[*step])).collect();
    match filled.get(diff_ids.len().wrapping_sub(1)) {
        Some(last) if filled.len() == layers => {
            config.insert("history".to_owned(), Value::Array(history[..=*last].to_vec()));
            (Value::Object(config), None)
        }
        _ => (Value::Object(config), Some("the history does not fit the layers: it is left out".to_owned())),
    }
}

/// A tar under way: its members one after the other.
struct Writing<W>(W);

impl<W: Write> Writing<W> {
    /// A member of exactly `size` bytes.
    fn member(&mut self, name: &str, size: u64, content: &mut dyn Read) -> io::Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_path(name)?;
        header.set_size(size);
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        self.0.write_all(header.as_bytes())?;
        let copied = io::copy(&mut content.take(size), &mut self.0)?;
        let more = io::copy(content, &mut io::sink())?;
        if copied != size || more > 0 {
            return Err(io::Error::other(format!("{name}: {} bytes are there, and not {size}: has the target changed?", copied + more)));
        }
        let padding = (512 - size % 512) % 512;
        self.0.write_all(&[0; 512][..padding as usize])
    }
}

/// Writes what is planned. `open` opens what `archive` was read from, and `stop` anything but 0 when the reading is to end.
pub fn write(
    plan: &Plan,
    open: Open,
    archive: &Archive,
    limits: &Limits,
    stop: &Arc<AtomicUsize>,
    out: impl Write + Send + 'static,
) -> Result<(), Error> {
    let failed = |source| Error::Read { target: "the new archive".to_owned(), source };
    // A layer may be listed twice, and be there in two packings: it is written once.
    let layers: BTreeMap<Digest, usize> = plan.diff_ids.iter().cloned().zip(plan.blobs.iter().copied()).collect();
    let wanted: Vec<Wanted> =
        layers.values().map(|blob| Wanted { blob: Some(*blob), entry: Wanted::WHOLE, place: Place::Content }).collect();
    let layers: Vec<(Digest, u64)> = layers.into_iter().map(|(id, blob)| (id, archive.blobs[blob].size())).collect();
    let writing = Arc::new(Mutex::new(Writing(out)));
    let shared = writing.clone();
    let to = Box::new(move |part: Part| {
        let mut writing = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let (id, size) = &layers[part.index];
        let mut content = Hashed { inner: part.content, hash: Sha256::new() };
        writing.member(&member_name(id), *size, &mut content)?;
        if *id != Digest::of(content.hash) {
            return Err(io::Error::other(format!("{id}: these are not the bytes that were scanned: has the target changed?")));
        }
        Ok(())
    });
    let missing = take(open, archive, &wanted, limits, stop, to)?;
    if !missing.is_empty() {
        return Err(failed(io::Error::other("a layer could not be read again: the reading was stopped, or the target has changed")));
    }
    let mut writing = writing.lock().unwrap_or_else(PoisonError::into_inner);
    let config = format!("{}.json", Digest::sha256(&plan.config).encoded());
    let layers: Vec<String> = plan.diff_ids.iter().map(member_name).collect();
    let manifest = json!([{ "Config": config, "RepoTags": [plan.tag], "Layers": layers }]).to_string();
    let end = [0; 1024];
    writing
        .member(&config, plan.config.len() as u64, &mut &plan.config[..])
        .and_then(|()| writing.member("manifest.json", manifest.len() as u64, &mut manifest.as_bytes()))
        .and_then(|()| writing.0.write_all(&end))
        .and_then(|()| writing.0.flush())
        .map_err(failed)
}

/// What a layer is called in the archive.
fn member_name(diff_id: &Digest) -> String {
    format!("{}.tar", diff_id.encoded())
}

struct Hashed<'a> {
    inner: &'a mut dyn Read,
    hash: Sha256,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.hash.update(&buf[..n]);
        Ok(n)
    }
}

/// Whether a text is a name with a tag that engines take (distribution reference grammar: `host/path:tag`), and which one: with the parts
/// that they add. `app` is `docker.io/library/app:latest`.
pub fn full_name(name: &str) -> Option<String> {
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        _ => (name, "latest"),
    };
    let tag_ok = !tag.is_empty()
        && tag.len() <= 128
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        && !tag.starts_with(['.', '-']);
    let (host, rest) = match path.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest),
        _ => ("docker.io", path),
    };
    // What Docker's own registry is called, too (distribution/reference, normalize.go).
    let host = if host == "index.docker.io" { "docker.io" } else { host };
    let host_ok = host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:".contains(&b)) && !host.starts_with(['.', '-', ':']);
    let part = |part: &str| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b))
            && ends(part.chars().next())
            && ends(part.chars().next_back())
    };
    if !tag_ok || !host_ok || path.len() > 255 || !rest.split('/').all(part) {
        return None;
    }
    let library = if host == "docker.io" && !rest.contains('/') { "library/" } else { "" };
    Some(format!("{host}/{library}{rest}:{tag}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_engines_read_them() {
        for (name, full) in [
            ("app", "docker.io/library/app:latest"),
            ("app:1", "docker.io/library/app:1"),
            ("docker.io/library/app:1", "docker.io/library/app:1"),
            ("index.docker.io/library/app:1", "docker.io/library/app:1"),
            ("me/app:1", "docker.io/me/app:1"),
            ("localhost/app", "localhost/app:latest"),
            ("host:5000/a/b-c_d.e:T.1", "host:5000/a/b-c_d.e:T.1"),
        ] {
            assert_eq!(full_name(name).as_deref(), Some(full), "{name}");
        }
        for bad in ["", "App", "a b", "app:", "-x", "a//b", "app:.x", "app@sha256:00", "a/-b", "x:y/z:a:b"] {
            assert_eq!(full_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_config_keeps_what_belongs_to_its_layers() {
        let ids: Vec<Digest> = ["a", "b"].iter().map(|layer| Digest::sha256(layer.as_bytes())).collect();
        let step = |by: &str, empty: bool| json!({ "created_by": by, "empty_layer": empty });
        let document = json!({ "os": "linux", "ROOTFS": { "diff_ids": ["x", "y", "z"] }, "config": { "Env": ["A=b"] },
            "history": [step("FROM", false), step("ENV", true), step("COPY", false), step("CMD", true), step("RUN rm", false)] });
        let (made, remark) = config(&document, &ids, 3);
        assert_eq!(remark, None);
        assert_eq!(made["rootfs"]["diff_ids"].as_array().map(Vec::len), Some(2));
        assert_eq!(made["history"].as_array().map(Vec::len), Some(3));
        assert_eq!((made.get("ROOTFS"), &made["config"]["Env"][0]), (None, &json!("A=b")));
        let (made, remark) = config(&document, &ids, 7);
        assert!(made.get("history").is_none() && remark.is_some());
    }
}
