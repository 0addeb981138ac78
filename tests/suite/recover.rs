//! Getting files back: every version of every file, in every layout, byte for byte; and what a hostile image can do about it.

use crate::raw::{Raw, tar};
use crate::support::{
    Entry, Packing, TestImage, archive, dir, file, layer_tar, opaque, pack, put, rm, run, run_with, symlink, temporary, token, unpack,
};
use pentimento::digest::Digest;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

fn line(seed: &str) -> String {
    format!("GITHUB_TOKEN={}\n", token(seed))
}

/// A jar (a zip, stored) with one member.
fn jar(name: &str, content: &[u8]) -> Vec<u8> {
    let crc = content.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    });
    let (size, length) = ((content.len() as u32).to_le_bytes(), (name.len() as u16).to_le_bytes());
    let common = [&20u16.to_le_bytes()[..], &[0; 8], &(!crc).to_le_bytes(), &size, &size, &length, &[0; 2]].concat();
    let local = [b"PK\x03\x04", &common[..], name.as_bytes(), content].concat();
    let central = [b"PK\x01\x02\x14\0", &common[..], &[0; 14], name.as_bytes()].concat();
    let (at, many) = ((local.len() as u32).to_le_bytes(), (central.len() as u32).to_le_bytes());
    [&local[..], &central, b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &many, &at, &[0; 2]].concat()
}

fn blocks(entries: &[Raw]) -> Vec<u8> {
    tar(&entries.iter().map(Raw::blocks).collect::<Vec<_>>())
}

/// What was planted, by path and inner path: each is told as one finding.
fn planted() -> Vec<(String, Vec<u8>)> {
    ["deleted", "overwritten", "parent/gone", "opaque/hidden", "present", "twice", "behind"]
        .iter()
        .map(|name| (format!("{name}.env"), line(name).into_bytes()))
        .chain([("lib.jar!a.properties".to_owned(), line("jar").into_bytes())])
        .collect()
}

fn image() -> TestImage {
    let put_env = |name: &str| put(&format!("{name}.env"), line(name));
    // Behind the end marker stands another tar, as a smuggler would put it.
    let hidden = [layer_tar(&[put("a", "b")]), layer_tar(&[put_env("behind")])].concat();
    TestImage::new()
        .entries(&[
            put_env("deleted"),
            put_env("overwritten"),
            put_env("parent/gone"),
            dir("opaque"),
            put_env("opaque/hidden"),
            put_env("present"),
        ])
        .entries(&[put("lib.jar", jar("a.properties", line("jar").as_bytes())), put_env("twice"), put("twice.env", "nothing")])
        .step("RUN smuggle", &hidden)
        .entries(&[rm("deleted.env"), put("overwritten.env", "other"), rm("parent"), opaque("opaque"), rm("lib.jar")])
}

fn ids(target: &str) -> Vec<Value> {
    run(["scan", target, "--format", "json"]).json()["findings"].as_array().expect("findings").clone()
}

#[test]
fn every_version_comes_back_from_every_layout() {
    let place = temporary();
    let mut layouts = image().layouts();
    layouts.push(("directory", Vec::new()));
    for (layout, bytes) in layouts {
        let name = layout.replace([' ', ','], "-");
        let target = if layout == "directory" {
            unpack(&image().oci_archive(Packing::Zstd), &place.path().join("layout"));
            place.path().join("layout").display().to_string()
        } else {
            file(place.path(), &name, &bytes)
        };
        let out = place.path().join(format!("{name}-out"));
        let recovered = run(["recover", &target, "--all", "-o", &out.display().to_string()]);
        assert_eq!(recovered.code, 0, "{layout}: {}", recovered.stderr);
        assert!(recovered.stdout.contains("SECRET"), "{}", recovered.stdout);
        let manifest: Value = serde_json::from_slice(&fs::read(out.join("recovered.json")).expect("a manifest")).expect("JSON");
        let files = manifest["files"].as_array().expect("files");
        for (path, content) in planted() {
            let same = files.iter().filter(|f| fs::read(out.join(f["file"].as_str().expect("a name"))).expect("a file") == content);
            let same: Vec<&Value> = same.collect();
            assert_eq!(same.len(), 1, "{layout} {path}: {manifest:#}");
            assert_eq!(same[0]["sha256"], Digest::sha256(&content).encoded(), "{layout} {path}");
            // One by one, to standard output.
            let id = same[0]["findings"][0].as_str().expect("an id");
            let single = run(["recover", &target, id]);
            assert_eq!((single.code, single.stdout.as_bytes()), (0, &content[..]), "{layout} {path}: {}", single.stderr);
            assert!(!single.stderr.contains(&token("deleted")), "{}", single.stderr);
        }
        let of = |path: &str| files.iter().find(|f| f["path"] == path).unwrap_or_else(|| panic!("{path}: {manifest:#}"));
        assert_eq!((&of("deleted.env")["fate"]["state"], &of("deleted.env")["fate"]["by_layer"]), (&json!("deleted"), &json!(3)));
        assert_eq!((&of("deleted.env")["mode"], &of("deleted.env")["verified"]), (&json!("0644"), &json!(true)));
        assert_eq!(of("lib.jar")["inner"], json!(["a.properties"]));
        assert_eq!(of("twice.env")["fate"]["state"], "superseded");
        if layout == "docker save" {
            let at = of("deleted.env")["archive_offset"].as_u64().expect("an offset") as usize;
            assert!(bytes[at..].starts_with(line("deleted").as_bytes()));
        }
    }
}

#[test]
fn a_path_has_versions() {
    let place = temporary();
    let image = TestImage::new()
        .layer([put("a/f", "one"), symlink("a/l", "f"), dir("d")])
        .layer([put("a/f", "two"), put("a/f", "three")])
        .layer([rm("a/f"), Entry::HardLink("a/h".into(), "a/f".into())]);
    let target = file(place.path(), "image.tar", &image.docker_save());
    let get = |arguments: &[&str]| {
        let all = [&["recover", &target, arguments[0]], &arguments[1..]].concat();
        let run = std::process::Command::new(crate::support::program()).args(all).output().expect("it runs");
        (run.status.code(), String::from_utf8(run.stdout).expect("text"), String::from_utf8(run.stderr).expect("text"))
    };
    assert_eq!(get(&["/a/f", "--layer", "0"]).1, "one");
    assert_eq!(get(&["a/f", "--layer", "1"]).1, "three");
    assert_eq!(get(&["a/f", "--layer", "1", "--nth", "1"]).1, "two");
    for (arguments, why) in [
        (&["a/f"][..], "versions"),
        (&["a/f", "--layer", "1", "--nth", "3"], "--nth"),
        (&["a/l", "--layer", "0"], "symbolic link to f"),
        (&["d", "--layer", "0"], "directory"),
        (&["a/x", "--layer", "0"], "holds nothing"),
        (&["a/x"], "neither a finding"),
        (&["a/f", "--layer", "9"], "holds nothing"),
    ] {
        let (code, stdout, stderr) = get(arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(stderr.contains(why), "{arguments:?}: {stderr}");
    }
    let pipe = run_with(["recover", "-", "a/f", "--layer", "0"], &image.docker_save());
    assert!(pipe.code == 2 && pipe.stderr.contains("save it first"), "{}", pipe.stderr);
}

/// All that is below a directory, with what it is.
fn below(dir: &Path, found: &mut Vec<(PathBuf, fs::Metadata)>) {
    for item in fs::read_dir(dir).expect("a directory") {
        let path = item.expect("an item").path();
        let metadata = path.symlink_metadata().expect("metadata");
        if metadata.is_dir() {
            below(&path, found);
        }
        found.push((path, metadata));
    }
}

#[test]
fn a_hostile_image_cannot_leave_the_directory() {
    let place = temporary();
    let secret = |seed: &str| line(seed);
    let escape = place.path().join("escaped").display().to_string();
    let mut entries: Vec<Raw> = vec![
        Raw::new("../../../../../../escape-1", b'0', secret("1")),
        Raw::new(&format!("{escape}-2"), b'0', secret("2")),
        Raw::new("link", b'2', "").link(&place.path().display().to_string()),
        Raw::new("link/escape-3", b'0', secret("3")),
        Raw::new("dot", b'2', "").link(".."),
        Raw::new("dot/escape-4", b'0', secret("4")),
        Raw::new("hard", b'1', "").link("/etc/passwd"),
        Raw::new("device", b'3', ""),
        Raw::new("fifo", b'6', ""),
        Raw::new("file", b'0', secret("5")),
        Raw::new("file/below", b'0', secret("6")),
        Raw::new("new\nline\u{1b}[2J\u{202e}", b'0', secret("7")),
        Raw::new("CON", b'0', secret("8")),
        Raw::new("trailing. ", b'0', secret("9")),
        Raw::new("recovered.json", b'0', secret("10")),
        Raw::new("back\\slash:*?", b'0', secret("11")),
        Raw::new("suid", b'0', secret("12")),
    ];
    entries[16].mode = 0o6755;
    let mut odd = Raw::new("x", b'0', secret("13"));
    odd.name = b"caf\xe9\xff".to_vec();
    entries.push(odd);
    let deep = TestImage::new()
        .step("RUN hostile", &blocks(&entries))
        .entries(&[put(&format!("{}x", "d/".repeat(3000)), secret("14")), put(&"n".repeat(5000), secret("15"))])
        .entries(&[
            put("jar.jar", jar("../../../escape-16", secret("16").as_bytes())),
            put("tar.tar", blocks(&[Raw::new("/abs/escape-17", b'0', secret("17"))])),
        ]);
    let target = file(place.path(), "image.tar", &deep.docker_save());
    let out = place.path().join("deep/out");
    fs::create_dir(place.path().join("deep")).expect("a directory");
    let before: Vec<_> = fs::read_dir(place.path()).expect("a directory").map(|item| item.expect("an item").file_name()).collect();
    let recovered = run(["recover", &target, "--all", "-o", &out.display().to_string()]);
    assert!(recovered.code == 0 || recovered.code == 3, "{} {}", recovered.code, recovered.stderr);
    assert!(!recovered.stdout.contains('\u{1b}') && !recovered.stderr.contains('\u{1b}'));
    let after: Vec<_> = fs::read_dir(place.path()).expect("a directory").map(|item| item.expect("an item").file_name()).collect();
    assert_eq!(before.len(), after.len());
    let beside: Vec<_> = fs::read_dir(place.path().join("deep")).expect("a directory").collect();
    assert_eq!(beside.len(), 1);
    let mut found = Vec::new();
    below(&out, &mut found);
    let mut contents = Vec::new();
    for (path, metadata) in &found {
        assert!(path.starts_with(&out));
        assert!(metadata.is_dir() || metadata.is_file(), "{}", path.display());
        assert_eq!(metadata.permissions().mode() & 0o7777, if metadata.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        if metadata.is_file() {
            assert_eq!(metadata.nlink(), 1);
            contents.push(fs::read_to_string(path).expect("text"));
        }
    }
    for seed in 1..=17 {
        assert_eq!(contents.iter().filter(|content| **content == secret(&seed.to_string())).count(), 1, "{seed}");
    }
    // Again into the same place, and through a link.
    let again = run(["recover", &target, "--all", "-o", &out.display().to_string()]);
    assert!(again.code == 2 && again.stderr.contains("not empty"), "{}", again.stderr);
}

#[test]
fn what_is_said_is_redacted_and_what_is_written_is_not() {
    let place = temporary();
    let target = file(
        place.path(),
        "image.tar",
        &TestImage::new().step(&format!("RUN echo {}", token("said")), &layer_tar(&[put("f", line("said"))])).docker_save(),
    );
    let out = place.path().join("out").display().to_string();
    let recovered = run(["recover", &target, "--all", "-o", &out]);
    let manifest = fs::read_to_string(Path::new(&out).join("recovered.json")).expect("a manifest");
    assert!(!manifest.contains(&token("said")) && !recovered.stdout.contains(&token("said")) && !recovered.stderr.contains(&token("said")));
    // The config, in which the instruction stands, is one of the files.
    let files = serde_json::from_str::<Value>(&manifest).expect("JSON")["files"].as_array().expect("files").clone();
    let document = files.iter().find(|f| f["part"] == "document").expect("the config");
    let config = fs::read_to_string(Path::new(&out).join(document["file"].as_str().expect("a name"))).expect("a file");
    assert!(config.contains(&token("said")) && config.starts_with('{'));
}

#[test]
fn a_damaged_layer_gives_what_it_has_and_says_so() {
    let place = temporary();
    let image = TestImage::new().layer([put("a.env", line("first")), put("z", "x".repeat(200_000))]);
    let layer_bytes = layer_tar(&[put("a.env", line("first")), put("z.env", format!("{}{}", line("last"), "x".repeat(100_000)))]);
    let packed = pack(&layer_bytes, Packing::Gzip);
    let cut = &packed[..packed.len() - 20];
    let members = crate::support::members(&image.docker_save());
    let broken: Vec<(String, Vec<u8>)> =
        members.into_iter().map(|(name, bytes)| if name.ends_with("layer.tar") { (name, cut.to_vec()) } else { (name, bytes) }).collect();
    let target = file(place.path(), "cut.tar", &archive(&broken));
    let findings = ids(&target);
    let first = findings.iter().find(|f| f["location"]["path"] == "a.env").expect("a finding")["id"].as_str().expect("an id").to_owned();
    let got = run(["recover", &target, &first]);
    assert_eq!((got.code, got.stdout), (0, line("first")), "{}", got.stderr);
    let out = place.path().join("out");
    let all = run(["recover", &target, "--all", "-o", &out.display().to_string()]);
    assert_eq!(all.code, 3, "{}", all.stderr);
    assert_eq!(fs::read_to_string(out.join("layer-0/a.env")).expect("a file"), line("first"));
}

#[test]
fn all_that_is_hidden_comes_back_at_once() {
    let place = temporary();
    let target = file(place.path(), "image.tar", &image().docker_save());
    let out = place.path().join("out");
    let hidden = run(["recover", &target, "--hidden", "-o", &out.display().to_string()]);
    assert_eq!(hidden.code, 0, "{}", hidden.stderr);
    assert_eq!(fs::read(out.join("layer-0/deleted.env")).expect("a file"), line("deleted").as_bytes());
    assert_eq!(fs::read(out.join("layer-1/lib.jar")).expect("a file"), jar("a.properties", line("jar").as_bytes()));
    assert!(!out.join("layer-0/present.env").exists());
}

#[test]
fn what_a_review_found() {
    let place = temporary();
    let at = |name: &str| place.path().join(name).display().to_string();
    // The target of a link may be a secret.
    let linked =
        file(place.path(), "link.tar", &TestImage::new().layer([symlink("lnk", &format!("/data/{}/x", token("link")))]).docker_save());
    let refused = run(["recover", &linked, "lnk"]);
    assert!(
        refused.code == 2 && refused.stderr.contains("symbolic link") && !refused.stderr.contains(&token("link")),
        "{}",
        refused.stderr
    );
    // What `hidden` prints is the file that it tells of.
    let twice = file(
        place.path(),
        "twice.tar",
        &TestImage::new().layer([put("app/.env", line("twice")), put("app/.env", "placeholder")]).docker_save(),
    );
    let hidden = run(["hidden", &twice]).stdout;
    assert!(hidden.contains("app/.env --layer 0 --nth 1"), "{hidden}");
    assert_eq!(run(["recover", &twice, "app/.env", "--layer", "0", "--nth", "1"]).stdout, line("twice"));
    // A secret that comes back has an id that is the beginning of another; both can be meant.
    let back = TestImage::new().layer([put("a.env", line("back"))]).layer([rm("a.env")]).layer([put("a.env", line("back"))]);
    let back = file(place.path(), "back.tar", &back.docker_save());
    let report = ids(&back);
    let id = report.iter().map(|f| f["id"].as_str().expect("an id").to_owned()).find(|id| !id.contains('-')).expect("the first");
    assert_eq!(run(["recover", &back, &id]).stdout, line("back"));
    assert_eq!(run(["rewind", &back, "--finding", &id, "-o", &at("back.rewound")]).code, 0);
    let once = file(place.path(), "once.tar", &TestImage::new().layer([put("a.env", line("back"))]).docker_save());
    assert_eq!(run(["diff", &back, &once, "--fail-on", "new"]).code, 0);
    // A file with a secret in its own path has its findings.
    let named = TestImage::new()
        .layer([put(&format!("home/{}/x", token("name")), line("in it"))])
        .layer([rm(&format!("home/{}/x", token("name")))]);
    let named = file(place.path(), "named.tar", &named.docker_save());
    let hidden = run(["hidden", &named]).stdout;
    assert!(hidden.contains("secrets were found in it") && hidden.contains("recover") && hidden.contains("PATH"), "{hidden}");
    assert!(!hidden.contains(&token("name")));
    // As many versions as a layer likes, and each is there.
    let many: Vec<Entry> = (0..1500).map(|i| put("x", format!("{i}"))).collect();
    let many = file(place.path(), "many.tar", &TestImage::new().entries(&many).docker_save());
    let all = run(["recover", &many, "--hidden", "-o", &at("many")]);
    assert!(all.code == 0 && all.stdout.starts_with("1499 files"), "{} {}", all.stdout, all.stderr);
}

#[test]
fn archives_in_a_file_system_come_whole_and_in_parts() {
    let place = temporary();
    let inner = layer_tar(&[put("q/.env", line("inner"))]);
    let exported = archive(&[
        ("etc/a".to_owned(), b"b".to_vec()),
        ("root/plain.tar".to_owned(), inner.clone()),
        ("root/x.env".to_owned(), line("outer").into_bytes()),
    ]);
    let target = file(place.path(), "exported.tar", &exported);
    let whole =
        std::process::Command::new(crate::support::program()).args(["recover", &target, "root/plain.tar"]).output().expect("it runs");
    assert_eq!((whole.status.code(), whole.stdout), (Some(0), inner), "{}", String::from_utf8_lossy(&whole.stderr));
    let out = place.path().join("out");
    let all = run(["recover", &target, "--all", "-o", &out.display().to_string()]);
    assert_eq!(all.code, 0, "{}", all.stderr);
    assert_eq!(fs::read_to_string(out.join("layer-0/root/plain.tar!/q/.env")).expect("the member"), line("inner"));
    assert_eq!(fs::read_to_string(out.join("layer-0/root/x.env")).expect("the file"), line("outer"));
    let history = run(["history", &target, "root/plain.tar", "--json"]).json();
    assert!(history[0]["versions"][0]["sha256"].is_string(), "{history}");
}
