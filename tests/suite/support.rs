//! A fixture in memory: an image a layer a line, every layout from one builder, and the program to run on it.

use pentimento::detect::Detector;
use pentimento::digest::Digest;
use pentimento::report::{How, Scanned};
use pentimento::rules::RuleSet;
use pentimento::scan::{Progress, Work};
use pentimento::source::Source;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

/// One entry of a layer.
#[derive(Debug, Clone)]
pub enum Entry {
    Put(String, Vec<u8>),
    Dir(String),
    Symlink(String, String),
    HardLink(String, String),
    Remove(String),
    Opaque(String),
    /// A character device 0,0.
    Device(String),
}

pub fn device(path: &str) -> Entry {
    Entry::Device(path.into())
}

pub fn put(path: &str, content: impl AsRef<[u8]>) -> Entry {
    Entry::Put(path.into(), content.as_ref().to_vec())
}

pub fn dir(path: &str) -> Entry {
    Entry::Dir(path.into())
}

pub fn rm(path: &str) -> Entry {
    Entry::Remove(path.into())
}

pub fn opaque(path: &str) -> Entry {
    Entry::Opaque(path.into())
}

pub fn symlink(path: &str, target: &str) -> Entry {
    Entry::Symlink(path.into(), target.into())
}

pub fn hard_link(path: &str, target: &str) -> Entry {
    Entry::HardLink(path.into(), target.into())
}

/// A GitHub token that has never been one: random letters from `seed`, with a valid checksum.
pub fn token(seed: &str) -> String {
    let body: String = pentimento::digest::hex(blake3::hash(seed.as_bytes()).as_bytes())[..30].to_owned();
    let sum = pentimento::rules::check::Check::parse("crc32-base62").and_then(|c| c.checksum(&format!("x_{body}"))).expect("a checksum");
    format!("gh{}_{body}{sum}", 'p')
}

/// How a layer is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    None,
    Gzip,
    Zstd,
}

/// An image under construction.
#[derive(Debug, Clone, Default)]
pub struct TestImage {
    layers: Vec<(String, Vec<u8>)>,
    config: Value,
    tags: Vec<String>,
}

impl TestImage {
    pub fn new() -> TestImage {
        TestImage { layers: Vec::new(), config: json!({}), tags: vec!["test:1".to_owned()] }
    }

    pub fn layer<const N: usize>(self, entries: [Entry; N]) -> TestImage {
        let created_by = format!("/bin/sh -c step {}", self.layers.len());
        self.step(&created_by, &layer_tar(&entries))
    }

    pub fn entries(self, entries: &[Entry]) -> TestImage {
        let created_by = format!("/bin/sh -c step {}", self.layers.len());
        self.step(&created_by, &layer_tar(entries))
    }

    /// A layer of these exact bytes, made by this instruction.
    pub fn step(mut self, created_by: &str, tar: &[u8]) -> TestImage {
        self.layers.push((created_by.to_owned(), tar.to_vec()));
        self
    }

    /// The `config` object of the image's config.
    pub fn config(mut self, config: Value) -> TestImage {
        self.config = config;
        self
    }

    /// What it is called, in place of `test:1`.
    pub fn tagged(mut self, tag: &str) -> TestImage {
        self.tags = vec![tag.to_owned()];
        self
    }

    fn document(&self) -> Vec<u8> {
        let diff_ids: Vec<String> = self.layers.iter().map(|(_, tar)| Digest::sha256(tar).to_string()).collect();
        let history: Vec<Value> = self.layers.iter().map(|(by, _)| json!({ "created_by": by })).collect();
        let document = json!({ "architecture": "amd64", "os": "linux", "docker_version": "20.10.24", "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": diff_ids }, "history": history });
        document.to_string().into_bytes()
    }

    /// As `docker save` writes it.
    pub fn docker_save(&self) -> Vec<u8> {
        let config = self.document();
        let config_name = format!("{}.json", Digest::sha256(&config).encoded());
        let names: Vec<String> = (0..self.layers.len()).map(|i| format!("{i:064}/layer.tar")).collect();
        let manifest = json!([{ "Config": config_name, "RepoTags": self.tags, "Layers": names }]).to_string();
        let mut members: Vec<(String, Vec<u8>)> = names.iter().cloned().zip(self.layers.iter().map(|(_, tar)| tar.clone())).collect();
        members.push((config_name, config));
        members.push(("manifest.json".to_owned(), manifest.into_bytes()));
        archive(&members)
    }

    /// As an OCI archive, `index.json` behind the blobs.
    pub fn oci_archive(&self, packing: Packing) -> Vec<u8> {
        let mut members: Vec<(String, Vec<u8>)> = Vec::new();
        let mut blob = |bytes: Vec<u8>, media: &str| {
            let digest = Digest::sha256(&bytes);
            let descriptor = json!({ "mediaType": media, "digest": digest.to_string(), "size": bytes.len() });
            members.push((digest.blob_path(), bytes));
            descriptor
        };
        let layers: Vec<Value> =
            self.layers.iter().map(|(_, tar)| blob(pack(tar, packing), "application/vnd.oci.image.layer.v1.tar+gzip")).collect();
        let config = blob(self.document(), "application/vnd.oci.image.config.v1+json");
        let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers }).to_string();
        let mut descriptor = blob(manifest.into_bytes(), "application/vnd.oci.image.manifest.v1+json");
        descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": "v1" });
        members.push(("index.json".to_owned(), json!({ "schemaVersion": 2, "manifests": [descriptor] }).to_string().into_bytes()));
        members.push(("oci-layout".to_owned(), json!({ "imageLayoutVersion": "1.0.0" }).to_string().into_bytes()));
        archive(&members)
    }

    /// Every layout of this image, by name.
    pub fn layouts(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut reversed = members(&self.docker_save());
        reversed.reverse();
        vec![
            ("docker save", self.docker_save()),
            ("docker save, manifest first", archive(&reversed)),
            ("docker save, gzipped whole", pack(&self.docker_save(), Packing::Gzip)),
            ("oci", self.oci_archive(Packing::None)),
            ("oci gzip", self.oci_archive(Packing::Gzip)),
            ("oci zstd", self.oci_archive(Packing::Zstd)),
        ]
    }
}

pub fn pack(bytes: &[u8], packing: Packing) -> Vec<u8> {
    match packing {
        Packing::None => bytes.to_vec(),
        Packing::Zstd => zstd::bulk::compress(bytes, 1).expect("memory"),
        Packing::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).expect("memory");
            encoder.finish().expect("memory")
        }
    }
}

/// A tar of plain members.
pub fn archive(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        append(&mut builder, tar::EntryType::Regular, name, bytes, "");
    }
    builder.into_inner().expect("memory")
}

/// The members of a tar made by [`archive`].
pub fn members(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut reader = tar::Archive::new(archive);
    let entries = reader.entries().expect("a tar").map(|entry| {
        let mut entry = entry.expect("an entry");
        let mut bytes = Vec::new();
        std::io::copy(&mut entry, &mut bytes).expect("memory");
        (entry.path().expect("a path").display().to_string(), bytes)
    });
    entries.collect()
}

fn append(builder: &mut tar::Builder<Vec<u8>>, kind: tar::EntryType, path: &str, bytes: &[u8], link: &str) {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(bytes.len() as u64);
    if link.is_empty() {
        builder.append_data(&mut header, path, bytes).expect("memory");
    } else {
        builder.append_link(&mut header, path, link).expect("memory");
    }
}

/// A layer's tar. The names of whiteouts are made here and never in a file of the repository.
pub fn layer_tar(entries: &[Entry]) -> Vec<u8> {
    let marker = |path: &str, rest: &str| {
        let (dir, base) = path.rsplit_once('/').map_or(("", path), |(dir, base)| (dir, base));
        let slash = if dir.is_empty() { "" } else { "/" };
        format!("{dir}{slash}.wh.{rest}{base}")
    };
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        match entry {
            Entry::Put(path, content) => append(&mut builder, tar::EntryType::Regular, path, content, ""),
            Entry::Dir(path) => append(&mut builder, tar::EntryType::Directory, &format!("{path}/"), b"", ""),
            Entry::Symlink(path, target) => append(&mut builder, tar::EntryType::Symlink, path, b"", target),
            Entry::HardLink(path, target) => append(&mut builder, tar::EntryType::Link, path, b"", target),
            Entry::Device(path) => {
                let mut header = tar::Header::new_gnu();
                header.set_entry_type(tar::EntryType::Char);
                header.set_size(0);
                header.set_device_major(0).expect("a number");
                header.set_device_minor(0).expect("a number");
                builder.append_data(&mut header, path, &b""[..]).expect("memory");
            }
            Entry::Remove(path) => append(&mut builder, tar::EntryType::Regular, &marker(path, ""), b"", ""),
            Entry::Opaque(path) => {
                let inside = format!("{path}/.opq");
                append(&mut builder, tar::EntryType::Regular, &marker(inside.trim_start_matches('/'), ".wh."), b"", "");
            }
        }
    }
    builder.into_inner().expect("memory")
}

/// A detector with the built-in rules, made once.
pub fn detector() -> &'static Detector {
    static DETECTOR: LazyLock<Detector> = LazyLock::new(|| Detector::new(RuleSet::builtin().expect("rules")).expect("detector"));
    &DETECTOR
}

/// Scans an archive in memory, read as a pipe is.
pub fn scan(archive: &[u8]) -> Scanned {
    let how = How { work: Work { threads: 2, ..Work::default() }, posture: false, ..How::default() };
    Scanned::read("memory", Source::memory(archive.to_vec()), detector(), &how, &Progress::default()).expect("a scan")
}

/// The program under test.
pub fn program() -> PathBuf {
    std::env::var_os("PENTIMENTO_TEST_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_pentimento")), PathBuf::from)
}

/// What a run of the program gave.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn of(output: Output) -> Run {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Run { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The JSON report.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("no JSON ({e}): {} {}", self.stdout, self.stderr))
    }
}

/// Runs the program.
pub fn run<const N: usize>(arguments: [&str; N]) -> Run {
    Run::of(Command::new(program()).args(arguments).env_remove("PENTIMENTO_ENGINES").output().expect("the program runs"))
}

/// Runs the program with `input` on its standard input.
pub fn run_with<const N: usize>(arguments: [&str; N], input: &[u8]) -> Run {
    let mut child = Command::new(program())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("the program ends");
    let _ = writer.join();
    Run::of(output)
}

/// A directory that goes with the test.
pub fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

/// Writes `bytes` to a file in `dir` and returns its path.
pub fn file(dir: &Path, name: &str, bytes: &[u8]) -> String {
    let path = dir.join(name);
    std::fs::write(&path, bytes).expect("a file");
    path.display().to_string()
}

/// Writes the members of an archive as files of a directory.
pub fn unpack(archive: &[u8], dir: &Path) {
    for (name, bytes) in members(archive) {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, bytes).expect("a file");
    }
}

/// `state`, `by_layer`, path and layer of each finding in a file.
pub fn fates(report: &Value) -> Vec<(String, u64, String, Option<u64>)> {
    let mut fates: Vec<_> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter(|f| f["location"]["kind"] == "file")
        .map(|f| {
            let how = f["fate"]["how"].as_str().map(|how| format!(" {how}")).unwrap_or_default();
            let state = format!("{}{how}", f["fate"]["state"].as_str().unwrap_or_default());
            (
                f["location"]["path"].as_str().unwrap_or_default().to_owned(),
                f["location"]["layer"].as_u64().unwrap_or(99),
                state,
                f["fate"]["by_layer"].as_u64(),
            )
        })
        .collect();
    fates.sort();
    fates
}

/// The codes of the problems and notes in a JSON report, each once, in order; of its hygiene nothing.
pub fn codes(report: &Value) -> Vec<&str> {
    let list = |key: &str| report[key].as_array().into_iter().flatten().filter_map(|p| p["code"].as_str()).collect::<Vec<_>>();
    let mut codes = [list("problems"), list("notes")].concat();
    codes.retain(|code| !pentimento::error::Code::parse(code).is_some_and(|code| code.is_posture()));
    codes.sort();
    codes.dedup();
    codes
}
