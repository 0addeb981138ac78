//! The shapes in which producers write images (formats.md, parts 2 to 5 and 14), and things with a manifest that are no images.

use crate::raw::{directory, file, symlink, tar};
use crate::support::{Packing, archive, codes, pack, run, run_with, temporary, token};
use pentimento::digest::Digest;
use serde_json::{Value, json};

/// A layout under construction: blobs, and what describes them.
#[derive(Default)]
struct Layout {
    members: Vec<(String, Vec<u8>)>,
}

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Layout {
    /// Adds a blob and returns its descriptor.
    fn blob(&mut self, media_type: &str, bytes: impl AsRef<[u8]>) -> Value {
        let bytes = bytes.as_ref().to_vec();
        let digest = Digest::sha256(&bytes);
        let descriptor = json!({ "mediaType": media_type, "digest": digest.to_string(), "size": bytes.len() });
        if !self.members.iter().any(|(name, _)| *name == digest.blob_path()) {
            self.members.push((digest.blob_path(), bytes));
        }
        descriptor
    }

    fn config(&mut self, platform: &str, layers: &[&[u8]]) -> Value {
        let (os, architecture) = platform.split_once('/').expect("a platform");
        let diff_ids: Vec<String> = layers.iter().map(|tar| Digest::sha256(tar).to_string()).collect();
        let history: Vec<Value> = (0..layers.len()).map(|i| json!({ "created_by": format!("RUN step {i}") })).collect();
        let config =
            json!({ "os": os, "architecture": architecture, "rootfs": { "type": "layers", "diff_ids": diff_ids }, "history": history });
        self.blob(CONFIG, config.to_string())
    }

    /// Adds an image and returns the descriptor of its manifest.
    fn image(&mut self, platform: &str, layers: &[&[u8]]) -> Value {
        let descriptors: Vec<Value> = layers.iter().map(|tar| self.blob(LAYER, tar)).collect();
        let config = self.config(platform, layers);
        self.manifest(&config, &descriptors)
    }

    fn manifest(&mut self, config: &Value, layers: &[Value]) -> Value {
        self.blob(MANIFEST, json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers }).to_string())
    }

    fn index(&mut self, manifests: &[Value]) -> Value {
        self.blob(INDEX, json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }).to_string())
    }

    /// Without a blob that was added: one that is elsewhere.
    fn without(mut self, descriptor: &Value) -> Layout {
        let digest = descriptor["digest"].as_str().and_then(Digest::parse).expect("a digest");
        self.members.retain(|(name, _)| *name != digest.blob_path());
        self
    }

    /// As an OCI archive.
    fn archive(mut self, manifests: &[Value]) -> Vec<u8> {
        self.members.push(("index.json".into(), json!({ "schemaVersion": 2, "manifests": manifests }).to_string().into_bytes()));
        self.members.push(("oci-layout".into(), br#"{"imageLayoutVersion": "1.0.0"}"#.to_vec()));
        archive(&self.members)
    }
}

fn secret(name: &str) -> String {
    format!("TOKEN={}\n", token(name))
}

/// A layer with a secret in a file of that name.
fn layer(name: &str) -> Vec<u8> {
    tar(&[file(name, secret(name))])
}

fn named(mut descriptor: Value, name: &str) -> Value {
    descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
    descriptor
}

/// From a pipe, and from a file: the same.
fn report(archive: &[u8], arguments: &[&str]) -> (i32, Value) {
    let dir = temporary();
    let target = crate::support::file(dir.path(), "image.tar", archive);
    let output = std::process::Command::new(crate::support::program())
        .args(["scan", &target, "--format", "json", "--show-secrets"])
        .args(arguments)
        .output()
        .expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout).replace(&target, "-").replace("image.tar ", "");
    if arguments.is_empty() {
        let piped = run_with(["scan", "-", "--format", "json", "--show-secrets"], archive);
        let findings = |report: &Value| {
            let list = report["findings"].as_array().cloned().unwrap_or_default();
            list.into_iter().map(|f| (f["id"].clone(), f["location"].clone(), f["fate"].clone())).collect::<Vec<_>>()
        };
        let (piped, filed): (Value, Value) = (piped.json(), serde_json::from_str(&text).expect("JSON"));
        assert_eq!(findings(&piped), findings(&filed));
        assert_eq!((&piped["images"], &piped["complete"]), (&filed["images"], &filed["complete"]));
    }
    let report = serde_json::from_str(&text).unwrap_or_else(|_| json!({ "error": String::from_utf8_lossy(&output.stderr) }));
    (output.status.code().unwrap_or(-1), report)
}

/// Path (or pointer), fate and value of each finding.
fn found(report: &Value) -> Vec<(String, String)> {
    let place = |f: &Value| {
        let at = &f["location"];
        let inner: String =
            at["inner"].as_array().into_iter().flatten().map(|part| format!("!{}", part.as_str().unwrap_or_default())).collect();
        format!("{}{inner}", at["path"].as_str().or(at["pointer"].as_str()).unwrap_or_default())
    };
    let list = report["findings"].as_array().expect("findings");
    let mut all: Vec<_> = list.iter().map(|f| (place(f), f["fate"]["state"].as_str().unwrap_or_default().to_owned())).collect();
    all.sort();
    all
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

// ---- docker archives of other producers --------------------------------------------------------------------------------------------

/// A docker archive with these names of config and layers.
fn docker(config_name: &str, layer_names: &[&str], packing: Packing, manifest_first: bool) -> Vec<u8> {
    let layers = [layer("a"), tar(&[file(&crate::raw::named("$wha").iter().map(|b| *b as char).collect::<String>(), "")])];
    let diff_ids: Vec<String> = layers.iter().map(|tar| Digest::sha256(tar).to_string()).collect();
    let config = json!({ "os": "linux", "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": [{ "created_by": "RUN one" }, { "created_by": "RUN two" }] });
    let config = config.to_string().into_bytes();
    let hex = Digest::sha256(&config).encoded();
    let stored: Vec<Vec<u8>> = layers.iter().map(|tar| pack(tar, packing)).collect();
    let name = |template: &str, bytes: &[u8]| template.replace("HEX", &Digest::sha256(bytes).encoded());
    let names: Vec<String> = layer_names.iter().zip(&stored).map(|(template, bytes)| name(template, bytes)).collect();
    let config_name = config_name.replace("HEX", &hex);
    let manifest = json!([{ "Config": config_name, "RepoTags": ["x:1"], "Layers": names,
        "LayerSources": { diff_ids[0].clone(): { "mediaType": "x", "size": 1, "digest": format!("sha256:{}", "0".repeat(64)) } } }]);
    let mut members: Vec<(String, Vec<u8>)> = vec![(config_name, config)];
    members.extend(names.into_iter().zip(stored));
    let manifest = ("manifest.json".to_owned(), manifest.to_string().into_bytes());
    if manifest_first {
        members.insert(0, manifest)
    } else {
        members.push(manifest)
    }
    archive(&members)
}

#[test]
fn docker_archives_of_every_producer() {
    let cases = [
        ("kaniko, ko, crane", docker("sha256:HEX", &["HEX.tar.gz", "HEX.tar.gz"], Packing::Gzip, false)),
        ("ggcr zstd", docker("sha256:HEX", &["HEX.tar.zst", "HEX.tar.zst"], Packing::Zstd, false)),
        ("jib", docker("config.json", &["HEX.tar.gz", "HEX.tar.gz"], Packing::Gzip, false)),
        ("bazel rules_oci", docker("blobs/sha256/HEX", &["blobs/sha256/HEX.tar.gz", "blobs/sha256/HEX.tar.gz"], Packing::None, true)),
        ("nix", docker("HEX.json", &["HEX/layer.tar", "HEX/layer.tar"], Packing::None, false)),
        ("podman", docker("HEX.json", &["HEX.tar", "HEX.tar"], Packing::None, false)),
        ("docker 25", docker("blobs/sha256/HEX", &["blobs/sha256/HEX", "blobs/sha256/HEX"], Packing::None, false)),
    ];
    for (name, archive) in cases {
        let (code, report) = report(&archive, &[]);
        assert_eq!((code, codes(&report)), (1, vec![]), "{name}: {report:#}");
        assert_eq!(found(&report), pairs(&[("a", "deleted")]), "{name}");
        assert_eq!(report["findings"][0]["fate"]["by_instruction"], "RUN two", "{name}");
    }
}

#[test]
fn docker_archives_before_manifest_json() {
    let node = |id: &str, parent: Option<&str>, command: &str| {
        json!({ "id": id, "parent": parent, "os": "linux", "architecture": "amd64",
            "container_config": { "Cmd": ["/bin/sh", "-c", command] }, "config": { "Env": [format!("K={}", token(id))] } })
    };
    let gone = tar(&[file(&String::from_utf8(crate::raw::named("$wha")).expect("ASCII"), "")]);
    let member = |id: &str, parent, command: &str, tar: Vec<u8>| {
        [
            (format!("{id}/VERSION"), b"1.0".to_vec()),
            (format!("{id}/json"), node(id, parent, command).to_string().into_bytes()),
            (format!("{id}/layer.tar"), tar),
        ]
    };
    let (one, two, three) = ("1".repeat(64), "2".repeat(64), "3".repeat(64));
    let mut members = member(&three, Some(&two), "make", vec![]).to_vec();
    members.extend(member(&one, None, "echo > a", layer("a")));
    members.extend(member(&two, Some(&one), "rm a", gone));
    members.push(("repositories".into(), json!({ "old": { "1": three } }).to_string().into_bytes()));
    let (code, report) = report(&archive(&members), &[]);
    assert_eq!((code, codes(&report)), (1, vec![]), "{report:#}");
    assert_eq!((report["images"].as_array().map(Vec::len), &report["images"][0]["names"][0]), (Some(1), &json!("old:1")));
    let file = &report["findings"].as_array().expect("findings").iter().find(|f| f["location"]["path"] == "a").expect("the file");
    assert_eq!((&file["instruction"], &file["fate"]["by_instruction"]), (&json!("RUN echo > a"), &json!("RUN rm a")));
    let metadata: Vec<&Value> =
        report["findings"].as_array().expect("findings").iter().filter(|f| f["location"]["pointer"].is_string()).collect();
    assert_eq!(metadata.len(), 3, "{metadata:#?}");
    assert!(metadata.iter().all(|f| f["location"]["kind"] == "v1-config" && f["location"]["pointer"] == "/config/Env/0"), "{metadata:#?}");

    // A parent that is not there, an image that is its own parent, no `repositories`.
    let mut cut = members[3..6].to_vec();
    cut.extend_from_slice(&members[..3]);
    let (code, report) = self::report(&archive(&cut), &[]);
    assert!(code == 1 && codes(&report) == ["layer-missing"], "{report:#}");
    assert!(found(&report).contains(&("a".to_owned(), "present".to_owned())), "the lowest image is whole: {report:#}");
    let circle = member(&one, Some(&one), "x", layer("a"));
    let mut circle = circle.to_vec();
    circle.push(("repositories".into(), json!({ "x": { "1": one } }).to_string().into_bytes()));
    let (code, report) = self::report(&archive(&circle), &[]);
    assert!(code == 1 && codes(&report) == ["invalid-document", "layer-missing"], "{report:#}");
}

#[test]
fn links_in_place_of_layers() {
    let image = crate::support::TestImage::new().layer([crate::support::put("a", secret("links"))]);
    let mut members = crate::support::members(&image.docker_save());
    let (name, layer) = members[0].clone();
    members.remove(0);
    let rest: Vec<_> = members.iter().map(|(name, bytes)| file(name, bytes)).collect();
    let dir = name.split('/').next().expect("a directory");
    let link = |to: &str| symlink(&name, to);
    let hard = |to: &str| crate::raw::hard_link(&name, to);
    for (what, entries, code) in [
        ("a link behind its target", vec![file("x/layer.tar", &layer), link("../x/layer.tar")], vec![]),
        ("a link in front of its target", vec![link("../x/layer.tar"), file("x/layer.tar", &layer)], vec![]),
        ("a link to a link", vec![link("../y"), symlink("y", "x"), file("x", &layer)], vec![]),
        ("a hard link", vec![file("x", &layer), hard("x")], vec![]),
        ("a circle", vec![link("../y"), symlink("y", &name)], vec!["layer-missing"]),
        ("a link to itself", vec![link("layer.tar")], vec!["layer-missing"]),
        ("a link to nothing", vec![link("../nothing")], vec!["layer-missing"]),
        ("a link out of the archive", vec![link("/etc/passwd")], vec!["layer-missing"]),
        ("a directory", vec![directory(dir), directory(&name)], vec!["layer-missing"]),
    ] {
        let entries: Vec<_> = entries.into_iter().chain(rest.clone()).collect();
        let (exit, report) = report(&tar(&entries), &[]);
        assert_eq!(codes(&report), code, "{what}: {:#}", report["problems"]);
        assert_eq!(exit, if code.is_empty() { 1 } else { 3 }, "{what}");
    }
}

// ---- OCI ---------------------------------------------------------------------------------------------------------------------------

#[test]
fn indexes_in_indexes_and_several_platforms() {
    let mut layout = Layout::default();
    let (amd, arm) = (layer("amd"), layer("arm"));
    let (one, two) = (layout.image("linux/amd64", &[&amd]), layout.image("linux/arm64", &[&arm]));
    let inner = layout.index(&[one, two]);
    let outer = layout.index(&[inner]);
    let archive = layout.archive(&[named(outer, "v1")]);
    let (code, all) = report(&archive, &[]);
    assert_eq!((code, codes(&all)), (1, vec![]), "{all:#}");
    assert_eq!(found(&all), pairs(&[("amd", "present"), ("arm", "present")]));
    assert!(all["images"].as_array().expect("images").iter().all(|image| image["names"][0] == "v1"), "{all:#}");
    for (platform, expected) in [("linux/arm64", vec!["arm"]), ("linux", vec!["amd", "arm"])] {
        let (code, some) = report(&archive, &["--platform", platform]);
        let names: Vec<String> = found(&some).into_iter().map(|(path, _)| path).collect();
        assert_eq!((code, names), (1, expected.iter().map(|name| (*name).to_owned()).collect()), "{platform}");
        assert_eq!(codes(&some), if expected.len() == 1 { vec!["platform-absent"] } else { vec![] });
    }
    let (code, none) = report(&archive, &["--platform", "linux/s390x"]);
    assert!(code == 2 && none["error"].as_str().is_some_and(|e| e.contains("linux/amd64, linux/arm64")), "{none:#}");
}

#[test]
fn what_an_index_lists_may_be_elsewhere() {
    let mut layout = Layout::default();
    let (here, there) = (layer("here"), layer("there"));
    let one = layout.image("linux/amd64", &[&here]);
    let mut two = layout.image("linux/arm64", &[&there]);
    two["platform"] = json!({ "os": "linux", "architecture": "arm64" });
    let manifest_alone = layout.image("linux/s390x", &[&layer("other")]);
    let config = json!({ "digest": Digest::sha256(&layout.members[7].1).to_string() });
    let other = json!({ "digest": Digest::sha256(&layer("other")).to_string() });
    let there = json!({ "digest": Digest::sha256(&there).to_string() });
    let archive = layout.without(&two).without(&config).without(&other).without(&there).archive(&[one.clone(), two, manifest_alone]);
    let (code, report) = report(&archive, &[]);
    assert_eq!((code, codes(&report)), (1, vec!["platform-absent"]), "{report:#}");
    assert_eq!((&report["complete"], found(&report)), (&json!(true), pairs(&[("here", "present")])));
    // Nothing at all is an error.
    let nothing = Layout::default().archive(&[one]);
    assert_eq!(run_with(["scan", "-"], &nothing).code, 2);
}

#[test]
fn a_layer_that_is_missing_is_a_problem() {
    let mut layout = Layout::default();
    let (a, b) = (layer("a"), layer("b"));
    let image = layout.image("linux/amd64", &[&a, &b]);
    let gone = json!({ "digest": Digest::sha256(&a).to_string() });
    let (code, report) = report(&layout.without(&gone).archive(&[image]), &[]);
    assert_eq!((code, codes(&report), found(&report)), (1, vec!["layer-missing"], pairs(&[("b", "present")])));
}

#[test]
fn foreign_and_encrypted_layers_are_named() {
    let build = |media_type: &str, here: bool| {
        let mut layout = Layout::default();
        let (base, own) = (tar(&[file("Files/Windows/x", "y")]), layer("Files/app/.env"));
        let base_layer = layout.blob(media_type, &base);
        let own_layer = layout.blob(LAYER, &own);
        let config = layout.config("windows/amd64", &[&base, &own]);
        let manifest = layout.manifest(&config, &[base_layer.clone(), own_layer]);
        if here { layout.archive(&[manifest]) } else { layout.without(&base_layer).archive(&[manifest]) }
    };
    for media_type in
        ["application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"]
    {
        let (code, all) = report(&build(media_type, false), &[]);
        assert_eq!((code, codes(&all), &all["complete"]), (1, vec!["foreign-layer"], &json!(false)), "{all:#}");
        assert_eq!(found(&all), pairs(&[("Files/app/.env", "present")]));
        let (_, allowed) = report(&build(media_type, false), &["--allow-missing-layers"]);
        assert_eq!((codes(&allowed), &allowed["complete"]), (vec!["foreign-layer"], &json!(true)));
        let (_, there) = report(&build(media_type, true), &[]);
        assert_eq!(codes(&there), Vec::<&str>::new());
    }
    let (code, encrypted) = report(&build("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", true), &[]);
    assert_eq!((code, codes(&encrypted), &encrypted["complete"]), (1, vec!["encrypted-layer"], &json!(false)));
}

#[test]
fn windows_layers_have_their_whiteouts_below_files() {
    let (base, own) =
        (layer("Files/app/.env"), tar(&[file(&String::from_utf8(crate::raw::named("Files/app/$wh.env")).expect("ASCII"), "")]));
    let mut layout = Layout::default();
    let image = layout.image("windows/amd64", &[&base, &own]);
    let (_, report) = report(&layout.archive(&[image]), &[]);
    assert_eq!(found(&report), pairs(&[("Files/app/.env", "deleted")]));
}

#[test]
fn attestations_are_texts_about_an_image() {
    use base64::Engine;
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", &[&tar(&[file("a", "b")])]);
    let dockerfile = base64::engine::general_purpose::STANDARD.encode(format!("FROM scratch\nENV API_TOKEN={}\n", token("dockerfile")));
    let provenance = json!({ "_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2",
        "predicate": { "invocation": { "parameters": { "args": { "build-arg:NPM_TOKEN": token("argument"), "label:x": "y" } } },
            "metadata": { "source": { "infos": [{ "filename": "Dockerfile", "data": dockerfile }] } } } });
    let sbom = json!({ "_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://spdx.dev/Document",
        "predicate": { "packages": [{ "name": "x", "downloadLocation": format!("https://u:{}@example.org/x", token("sbom")) }] } });
    let documents = [
        layout.blob("application/vnd.in-toto+json", provenance.to_string()),
        layout.blob("application/vnd.in-toto+json", sbom.to_string()),
    ];
    let config = layout
        .blob(CONFIG, json!({ "os": "unknown", "architecture": "unknown", "rootfs": { "type": "layers", "diff_ids": [] } }).to_string());
    let mut attestation = layout.manifest(&config, &documents);
    attestation["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
    attestation["annotations"] =
        json!({ "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image["digest"] });
    let (code, report) = report(&layout.archive(&[image, attestation]), &[]);
    assert_eq!((code, codes(&report)), (1, vec![]), "{report:#}");
    assert_eq!(report["images"].as_array().map(Vec::len), Some(1));
    let expected = [
        ("/predicate/invocation/parameters/args/build-arg:NPM_TOKEN", "config"),
        ("/predicate/metadata/source/infos/0/data!base64", "config"),
        ("/predicate/packages/0/downloadLocation", "config"),
    ];
    assert_eq!(found(&report), pairs(&expected));
    let findings = report["findings"].as_array().expect("findings");
    assert!(findings.iter().all(|f| f["location"]["kind"] == "attestation" && f["image"] == 0), "{findings:#?}");
    assert!(findings.iter().any(|f| f["location"]["name"] == "NPM_TOKEN"), "{findings:#?}");
}

#[test]
fn annotations_are_searched() {
    let mut layout = Layout::default();
    let mut image = layout.image("linux/amd64", &[&tar(&[file("a", "b")])]);
    image["annotations"] = json!({ "org.example.token": token("annotation") });
    let (_, report) = report(&layout.archive(&[image]), &[]);
    assert_eq!(found(&report), pairs(&[("/manifests/0/annotations/org.example.token", "config")]));
    assert_eq!(report["findings"][0]["location"]["kind"], "annotation");
}

#[test]
fn manifests_that_nothing_names_are_images_too() {
    let mut layout = Layout::default();
    let (old, shared) = (layer("old"), layer("shared"));
    let gone = tar(&[file(&String::from_utf8(crate::raw::named("$whold")).expect("ASCII"), "")]);
    layout.image("linux/amd64", &[&shared, &old, &gone]);
    let new = layout.image("linux/amd64", &[&shared]);
    let (code, report) = report(&layout.archive(&[named(new, "v2")]), &[]);
    assert_eq!((code, codes(&report)), (1, vec!["orphan"]), "{report:#}");
    assert_eq!(found(&report), pairs(&[("old", "deleted"), ("shared", "present")]));
    let orphans: Vec<&Value> = report["images"].as_array().expect("images").iter().map(|image| &image["orphan"]).collect();
    assert_eq!(orphans, [&json!(false), &json!(true)]);
}

#[test]
fn a_config_that_no_manifest_names_is_named_for_what_it_is() {
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", &[&tar(&[file("a", "b")])]);
    let old =
        json!({ "os": "linux", "rootfs": { "type": "layers", "diff_ids": [] }, "config": { "Env": [format!("K={}", token("config"))] } });
    layout.blob(CONFIG, old.to_string());
    let (_, report) = report(&layout.archive(&[image]), &[]);
    assert_eq!(found(&report), pairs(&[("/config/Env/0", "hidden")]));
    let location = &report["findings"][0]["location"];
    assert_eq!((&location["kind"], &location["name"]), (&json!("env"), &json!("K")));
}

#[test]
fn artifacts_are_scanned_as_files() {
    let mut layout = Layout::default();
    let chart = layout.blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", pack(&layer("app/values.yaml"), Packing::Gzip));
    let signature = layout.blob("application/vnd.cncf.helm.chart.provenance.v1.prov", secret("plain"));
    let config =
        layout.blob("application/vnd.cncf.helm.config.v1+json", json!({ "name": "app", "note": token("helm config") }).to_string());
    let manifest = layout.manifest(&config, &[chart, signature]);
    let (code, report) = report(&layout.archive(&[named(manifest, "chart")]), &[]);
    assert_eq!((code, codes(&report), &report["complete"]), (1, vec!["artifact"], &json!(true)), "{report:#}");
    assert_eq!(report["images"][0]["kind"], "artifact");
    let places: Vec<String> = found(&report)
        .into_iter()
        .map(|(place, state)| format!("{place} {state}").rsplit("blobs").next().map(|s| s.to_owned()).unwrap_or_default())
        .collect();
    assert_eq!(places.len(), 3, "{places:?}");
    assert!(places.contains(&"/note config".to_owned()) && places.contains(&"app/values.yaml present".to_owned()), "{places:?}");
}

#[test]
fn build_caches_are_scanned_as_files() {
    let mut layout = Layout::default();
    let parts = [layout.blob(LAYER, layer("a")), layout.blob(LAYER, layer("b"))];
    let config = layout.blob("application/vnd.buildkit.cacheconfig.v0", json!({ "layers": [], "records": [] }).to_string());
    let list = layout.index(&[parts[0].clone(), parts[1].clone(), config]);
    let (code, report) = report(&layout.archive(&[named(list, "latest")]), &[]);
    assert_eq!((code, codes(&report)), (1, vec!["artifact"]), "{report:#}");
    assert_eq!(found(&report), pairs(&[("a", "present"), ("b", "present")]));
}

#[test]
fn first_manifests_of_registries_have_their_layers_top_first() {
    let mut layout = Layout::default();
    let gone = tar(&[file(&String::from_utf8(crate::raw::named("$wha")).expect("ASCII"), "")]);
    let (bottom, top) = (layout.blob(LAYER, layer("a")), layout.blob(LAYER, &gone));
    let v1 = |command: &str| json!({ "v1Compatibility": json!({ "container_config": { "Cmd": ["/bin/sh", "-c", command] } }).to_string() });
    let manifest = json!({ "schemaVersion": 1, "architecture": "amd64", "fsLayers": [{ "blobSum": top["digest"] }, { "blobSum": bottom["digest"] }],
        "history": [v1("rm a"), v1("echo > a")] });
    let descriptor = layout.blob("application/vnd.docker.distribution.manifest.v1+prettyjws", manifest.to_string());
    let (_, report) = report(&layout.archive(&[descriptor]), &[]);
    assert_eq!((found(&report), codes(&report)), (pairs(&[("a", "deleted")]), vec![]), "{report:#}");
    assert_eq!(report["findings"][0]["fate"]["by_instruction"], "RUN rm a");
}

// ---- archives that are both --------------------------------------------------------------------------------------------------------

/// docker-archive and OCI in one; `order` gives the OCI manifest's layers.
fn hybrid(order: &[usize], in_index: bool) -> Vec<u8> {
    let mut layout = Layout::default();
    let layers = [layer("a"), tar(&[file(&String::from_utf8(crate::raw::named("$wha")).expect("ASCII"), "")])];
    let descriptors: Vec<Value> = layers.iter().map(|tar| layout.blob(LAYER, tar)).collect();
    let config = layout.config("linux/amd64", &[&layers[0], &layers[1]]);
    let listed: Vec<Value> = order.iter().map(|i| descriptors[*i].clone()).collect();
    let manifest = layout.manifest(&config, &listed);
    let path = |descriptor: &Value| descriptor["digest"].as_str().and_then(Digest::parse).expect("a digest").blob_path();
    let docker = json!([{ "Config": path(&config), "RepoTags": ["x:1"], "Layers": descriptors.iter().map(path).collect::<Vec<_>>() }]);
    layout.members.push(("manifest.json".into(), docker.to_string().into_bytes()));
    if in_index { layout.archive(&[manifest]) } else { layout.archive(&[]) }
}

#[test]
fn where_both_lists_are_there_manifest_json_has_the_order() {
    for (what, archive) in [
        ("docker 25", hybrid(&[0, 1], true)),
        ("moby#47150: layers in any order", hybrid(&[1, 0], true)),
        ("moby#47065: no layers in the OCI manifest", hybrid(&[], true)),
        ("an untagged image is missing in index.json", hybrid(&[0, 1], false)),
    ] {
        let (code, report) = report(&archive, &[]);
        assert_eq!((code, found(&report)), (1, pairs(&[("a", "deleted")])), "{what}: {report:#}");
        assert_eq!(report["images"].as_array().map(Vec::len), Some(1), "{what}: {report:#}");
        assert_eq!(codes(&report), if what.contains("47150") { vec!["lists-differ"] } else { vec![] }, "{what}");
    }
    // One list hides what the other shows: both are images.
    let (_, report) = report(&hybrid(&[0], true), &[]);
    assert_eq!(found(&report), pairs(&[("a", "deleted"), ("a", "present")]), "{report:#}");
    assert!(codes(&report).contains(&"lists-differ"), "{report:#}");
}

#[test]
fn a_manifest_may_be_come_by_in_many_ways() {
    let build = |tags: Value| {
        let mut layout = Layout::default();
        let tar = layer("a");
        let manifest = layout.image("linux/amd64", &[&tar]);
        let annotated = |layout: &mut Layout, text: &str| {
            let inner = json!({ "manifests": [manifest], "annotations": { "note": format!("token={}", token(text)) } });
            layout.blob(INDEX, inner.to_string())
        };
        let (one, two) = (annotated(&mut layout, "one"), annotated(&mut layout, "two"));
        if !tags.is_null() {
            let of = |digest: &Value| digest["digest"].as_str().and_then(Digest::parse).expect("a digest").blob_path();
            let text = |layout: &Layout, path: &str| layout.members.iter().find(|(name, _)| name == path).expect("a blob").1.clone();
            let parsed: Value = serde_json::from_slice(&text(&layout, &of(&manifest))).expect("JSON");
            let list = json!([{ "Config": of(&parsed["config"]), "RepoTags": tags, "Layers": [of(&parsed["layers"][0])] }]);
            layout.members.push(("manifest.json".into(), list.to_string().into_bytes()));
        }
        layout.archive(&[manifest.clone(), named(manifest.clone(), "first"), named(manifest, "second"), one, two])
    };
    for (tags, names) in [(json!(null), json!(["first", "second"])), (json!([]), json!(["first"])), (json!(["x:1"]), json!(["x:1"]))] {
        let (_, report) = report(&build(tags), &[]);
        assert_eq!((report["images"].as_array().map(Vec::len), &report["images"][0]["names"]), (Some(1), &names), "{report:#}");
        let notes = report["findings"].as_array().expect("findings").iter().filter(|f| f["location"]["kind"] == "annotation");
        assert_eq!(notes.map(|f| f["image"].clone()).collect::<Vec<_>>(), [json!(0), json!(0)], "{report:#}");
    }
}

#[test]
fn several_images_share_a_layer_and_have_fates_of_their_own() {
    let mut layout = Layout::default();
    let (shared, gone) = (layer("a"), tar(&[file(&String::from_utf8(crate::raw::named("$wha")).expect("ASCII"), "")]));
    let (one, two) = (layout.image("linux/amd64", &[&shared]), layout.image("linux/amd64", &[&shared, &gone]));
    let archive = layout.archive(&[named(one.clone(), "v1"), named(one, "latest"), named(two, "v2")]);
    let (_, report) = report(&archive, &[]);
    assert_eq!(found(&report), pairs(&[("a", "deleted"), ("a", "present")]));
    assert_eq!(report["images"][0]["names"], json!(["v1", "latest"]), "{report:#}");
    let ids: Vec<&Value> = report["findings"].as_array().expect("findings").iter().map(|f| &f["id"]).collect();
    assert_eq!(ids[0], ids[1], "one secret at one path has one id, whatever the image");
}

#[test]
fn one_layer_twice_and_one_diff_id_under_two_blobs() {
    let mut layout = Layout::default();
    let tar = layer("a");
    let blobs = [layout.blob(LAYER, &tar), layout.blob(LAYER, pack(&tar, Packing::Gzip)), layout.blob(LAYER, &tar)];
    let config = layout.config("linux/amd64", &[&tar, &tar, &tar]);
    let manifest = layout.manifest(&config, &blobs);
    let (code, report) = report(&layout.archive(&[manifest]), &[]);
    assert_eq!((code, codes(&report), found(&report)), (1, vec![], pairs(&[("a", "present")])), "{report:#}");
    assert_eq!(report["findings"][0]["rewritten_in"], json!([1, 2]));
}

#[test]
fn descriptors_that_lie() {
    let mut layout = Layout::default();
    let mut image = layout.image("linux/amd64", &[&layer("a")]);
    image["size"] = 7.into();
    let (code, report) = report(&layout.archive(&[image]), &[]);
    assert_eq!((code, codes(&report)), (1, vec!["size-mismatch"]));
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", &[&layer("a")]);
    layout.members[0].1[600] ^= 1;
    let (code, report) = self::report(&layout.archive(&[image]), &[]);
    assert!(code == 1 && codes(&report).contains(&"diff-id-mismatch"), "{:?}", codes(&report));
    let mut layout = Layout::default();
    layout.image("linux/amd64", &[&layer("a")]);
    let both = json!({ "schemaVersion": 2, "layers": [], "config": {}, "manifests": [] });
    let (code, report) = self::report(
        &{
            let descriptor = layout.blob(MANIFEST, both.to_string());
            layout.archive(&[descriptor])
        },
        &[],
    );
    assert!(code == 1 && codes(&report).contains(&"invalid-document"), "{report:#}");
}

// ---- no images ---------------------------------------------------------------------------------------------------------------------

#[test]
fn a_file_system_is_scanned_as_one_layer() {
    let nested = pack(&layer("inner/.env"), Packing::Gzip);
    let broken = [&nested[..nested.len() - 20], b"xxxxxxxxxxxxxxxxxxxx"].concat();
    let json = format!("{{\"token\": \"{}\"}}", token("json"));
    for root in ["etc", "a"] {
        let tar = tar(&[
            directory(root),
            file(&format!("{root}/.env"), secret("env")),
            file(&format!("{root}/config.json"), &json),
            file(&format!("{root}/backup.tar.gz"), &nested),
            file(&format!("{root}/broken.gz"), &broken),
            symlink("bin", "usr/bin"),
        ]);
        let (code, report) = report(&tar, &[]);
        assert_eq!((code, codes(&report), &report["complete"]), (1, vec!["not-unpacked", "plain-file-system"], &json!(true)), "{report:#}");
        let path = |name: &str| format!("{root}/{name}");
        let (env, config, backup, broken) =
            (path(".env"), path("config.json"), path("backup.tar.gz!inner/.env"), path("broken.gz!inner/.env"));
        let expected = [(&backup[..], "present"), (&broken, "present"), (&config, "present"), (&env, "present")];
        let mut expected = pairs(&expected);
        expected.sort();
        assert_eq!(found(&report), expected);
        assert_eq!(report["images"][0]["kind"], "file-system");
        let dir = temporary();
        let target = crate::support::file(dir.path(), "root.tar", &tar);
        let filed = run(["scan", &target, "--format", "json"]).json();
        for finding in filed["findings"].as_array().expect("findings") {
            let command = finding["retrieve"].as_str().expect("a command");
            let output = std::process::Command::new("sh").args(["-c", command]).output().expect("a shell");
            assert!(
                String::from_utf8_lossy(&output.stdout).contains("oken") || String::from_utf8_lossy(&output.stdout).contains("TOKEN"),
                "{command}"
            );
        }
    }
}

#[test]
fn a_layer_alone_is_scanned_with_its_whiteouts() {
    let whiteout = String::from_utf8(crate::raw::named("a/$whold")).expect("ASCII");
    let tar = tar(&[file("a/.env", secret("env")), file(&whiteout, secret("whiteout")), file("a/.env", "x")]);
    let (code, report) = report(&tar, &[]);
    assert_eq!((code, codes(&report)), (1, vec!["plain-file-system"]), "{report:#}");
    assert_eq!(found(&report), pairs(&[("a/.env", "superseded"), ("a/old", "hidden")]));
}

#[test]
fn a_directory_layout_with_a_list_of_manifests() {
    let dir = temporary();
    let mut layout = Layout::default();
    let image = layout.image("linux/amd64", &[&layer("a")]);
    let list = json!({ "schemaVersion": 2, "manifests": [image] });
    for (name, bytes) in &layout.members {
        let hex = name.rsplit('/').next().expect("hex");
        let suffix = if bytes.starts_with(b"{\"config\"") { ".manifest.json" } else { "" };
        std::fs::write(dir.path().join(format!("{hex}{suffix}")), bytes).expect("a file");
    }
    std::fs::write(dir.path().join("manifest.json"), list.to_string()).expect("a file");
    std::fs::write(dir.path().join("version"), "Directory Transport Version: 1.1\n").expect("a file");
    let report = run(["scan", &dir.path().display().to_string(), "--format", "json"]).json();
    assert_eq!((found(&report), codes(&report)), (pairs(&[("a", "present")]), vec![]), "{report:#}");
}
