//! Rewinding: the image after layer N is what a naive overlay of the first N layers says, whatever the layers are.

use crate::properties::layers;
use crate::support::{
    Entry, Packing, TestImage, archive, codes, fates, file, layer_tar, members, put, rm, run, run_with, scan, temporary, token, unpack,
};
use pentimento::limits::Limits;
use pentimento::source::Source;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("one thread").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The files that show once these layers lie over each other: a map, one entry after the other. A whiteout is what its name says.
fn overlay(layers: &[Vec<u8>]) -> BTreeMap<String, Vec<u8>> {
    let mut view: BTreeMap<String, Option<Vec<u8>>> = BTreeMap::new();
    for layer in layers {
        let mut puts = Vec::new();
        for entry in tar::Archive::new(&layer[..]).entries().expect("a tar") {
            let mut entry = entry.expect("an entry");
            let path = entry.path().expect("a path").display().to_string().trim_end_matches('/').to_owned();
            let (parent, base) = path.rsplit_once('/').map_or(("", path.as_str()), |(parent, base)| (parent, base));
            let below = |dir: &str, path: &str| dir.is_empty() || path.starts_with(&format!("{dir}/"));
            match base.strip_prefix(concat!(".", "wh.")) {
                Some(rest) if rest.starts_with(".wh") => view.retain(|known, _| !below(parent, known)),
                Some(target) => {
                    let target = if parent.is_empty() { target.to_owned() } else { format!("{parent}/{target}") };
                    view.retain(|known, _| *known != target && !below(&target, known));
                }
                None => {
                    let mut content = Vec::new();
                    entry.read_to_end(&mut content).expect("memory");
                    puts.push((path, entry.header().entry_type(), content));
                }
            }
        }
        for (path, kind, content) in puts {
            // Whatever is no directory goes where a directory has to stand, and takes away what is below it.
            let above: Vec<String> = path.match_indices('/').map(|(at, _)| path[..at].to_owned()).collect();
            view.retain(|known, node| !(above.contains(known) && node.is_some()));
            if kind == tar::EntryType::Directory {
                view.remove(&path);
                continue;
            }
            view.retain(|known, _| !known.starts_with(&format!("{path}/")));
            view.insert(path, Some(if kind == tar::EntryType::Regular { content } else { b"link".to_vec() }));
        }
    }
    view.into_iter().filter_map(|(path, content)| Some((path, content?))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn rewound_to_a_layer_an_image_is_the_overlay_up_to_there(layers in layers(), at in 0usize..6, packing in 0usize..3) {
        let packing = [Packing::None, Packing::Gzip, Packing::Zstd][packing];
        // A layer of nothing is no tar.
        let layers: Vec<Vec<Entry>> = layers.into_iter().map(|mut entries| { entries.push(put("always", "there")); entries }).collect();
        let at = at % layers.len();
        let image = layers.iter().fold(TestImage::new(), |image, entries| image.entries(entries));
        let bytes = image.oci_archive(packing);
        let scanned = scan(&bytes);
        let plan = pentimento::rewind::plan(&scanned.archive, &scanned.images.images[0], at, "localhost/rewound:1").expect("a plan");
        let out = Shared::default();
        pentimento::rewind::write(&plan, &|| Ok(Source::memory(bytes.clone())), &scanned.archive, &Limits::default(), &Default::default(), out.clone()).expect("memory");
        let rewound = out.0.lock().expect("one thread").clone();
        let files: BTreeMap<String, Vec<u8>> = members(&rewound).into_iter().collect();
        let manifest: Value = serde_json::from_slice(&files["manifest.json"]).expect("JSON");
        let listed: Vec<Vec<u8>> = manifest[0]["Layers"].as_array().expect("layers").iter()
            .map(|name| files[name.as_str().expect("a name")].clone()).collect();
        let tars: Vec<Vec<u8>> = layers.iter().map(|entries| layer_tar(entries)).collect();
        prop_assert_eq!(overlay(&listed), overlay(&tars[..=at]));
        // And the program reads it back as an image with nothing wrong, in which the same files show.
        let again = scan(&rewound);
        prop_assert_eq!(again.images.images.len(), 1);
        prop_assert_eq!(again.images.images[0].layers.len(), at + 1);
        prop_assert!(again.images.images[0].problems.is_empty() && again.archive.problems.is_empty());
        let census = pentimento::census::Census::of(&again.archive, &again.images.images[0], &Limits::default(), &Default::default());
        let shown: std::collections::BTreeSet<String> = census.files()
            .filter(|(version, _)| census.fate(*version) == Some(pentimento::timeline::Fate::Present))
            .map(|(version, _)| String::from_utf8_lossy(census.path(version)).into_owned()).collect();
        prop_assert_eq!(shown, overlay(&listed).into_keys().collect());
    }
}

fn line(seed: &str) -> String {
    format!("GITHUB_TOKEN={}\n", token(seed))
}

fn image() -> TestImage {
    TestImage::new()
        .layer([put("base", "b")])
        .layer([put("app/.env", line("rewind"))])
        .layer([put("other", "o")])
        .layer([rm("app/.env")])
        .config(json!({ "Cmd": ["/bin/sh"] }))
}

#[test]
fn a_finding_chooses_the_layer_in_which_it_was_last_visible() {
    let place = temporary();
    for (layout, bytes) in image().layouts() {
        let name = layout.replace([' ', ','], "-");
        let target = file(place.path(), &name, &bytes);
        let report = run(["scan", &target, "--format", "json"]).json();
        let id = report["findings"][0]["id"].as_str().expect("an id").to_owned();
        let out = place.path().join(format!("{name}.rewound")).display().to_string();
        let made = run(["rewind", &target, "--finding", &id, "-o", &out]);
        assert_eq!(made.code, 0, "{layout}: {}", made.stderr);
        assert!(made.stdout.contains("after layer 2") && made.stdout.contains("docker load -i"), "{}", made.stdout);
        assert!(made.stdout.contains(":/app/.env - | tar -xO") && !made.stdout.contains(&token("rewind")), "{}", made.stdout);
        let rewound = run(["scan", &out, "--format", "json"]).json();
        assert_eq!(codes(&rewound), Vec::<&str>::new(), "{layout}: {rewound:#}");
        assert_eq!(fates(&rewound), [("app/.env".to_owned(), 1, "present".to_owned(), None)]);
        let tag = rewound["images"][0]["names"][0].as_str().expect("a name");
        assert!(tag.starts_with("localhost/pentimento-rewind:layer-2-"), "{tag}");
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&out).expect("a file").permissions().mode() & 0o777, 0o600);
        let again = run(["rewind", &target, "--layer", "0", "-o", &out]);
        assert!(again.code == 2 && again.stderr.contains("not overwritten"), "{}", again.stderr);
    }
}

#[test]
fn what_cannot_be_rewound_is_refused_and_leaves_nothing_behind() {
    let place = temporary();
    let target = file(place.path(), "image.tar", &image().docker_save());
    let out = place.path().join("out.tar").display().to_string();
    let superseded = TestImage::new().layer([put("f", line("first")), put("f", "second")]);
    let superseded = file(place.path(), "superseded.tar", &superseded.docker_save());
    let id = run(["scan", &superseded, "--format", "json"]).json()["findings"][0]["id"].as_str().expect("an id").to_owned();
    let in_config = file(
        place.path(),
        "config.tar",
        &TestImage::new().layer([put("f", "x")]).config(json!({ "Env": [line("env").trim()] })).docker_save(),
    );
    let env = run(["scan", &in_config, "--format", "json"]).json()["findings"][0]["id"].as_str().expect("an id").to_owned();
    let plain = file(place.path(), "plain.tar", &archive(&[("a".to_owned(), b"b".to_vec())]));
    for (arguments, why) in [
        (vec!["rewind", &target, "--layer", "4", "-o", &out], "counted from 0"),
        (vec!["rewind", &target, "--layer", "1", "-o", &out, "--tag", "test:1"], "what the original is called"),
        (vec!["rewind", &target, "--layer", "1", "-o", &out, "--tag", "docker.io/library/test:1"], "what the original is called"),
        (vec!["rewind", &target, "--layer", "1", "-o", &out, "--tag", "No Name"], "no name"),
        (vec!["rewind", &target, "--finding", "0000", "-o", &out], "no finding"),
        (vec!["rewind", &superseded, "--finding", &id, "-o", &out], "never visible"),
        (vec!["rewind", &in_config, "--finding", &env, "-o", &out], "not in a file"),
        (vec!["rewind", &plain, "--layer", "0", "-o", &out], "no image"),
    ] {
        let output = std::process::Command::new(crate::support::program()).args(&arguments).output().expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && stderr.contains(why), "{arguments:?}: {stderr}");
        assert!(!std::path::Path::new(&out).exists());
    }
    let pipe = run_with(["rewind", "-", "--layer", "0", "-o", &out], &image().docker_save());
    assert!(pipe.code == 2 && pipe.stderr.contains("save it first"), "{}", pipe.stderr);
    // A layer that is not there.
    let without: Vec<(String, Vec<u8>)> =
        members(&image().docker_save()).into_iter().filter(|(name, _)| !name.starts_with(&format!("{:064}", 1))).collect();
    let without = file(place.path(), "without.tar", &archive(&without));
    assert_eq!(run(["rewind", &without, "--layer", "0", "-o", &out]).code, 0);
    std::fs::remove_file(&out).expect("a file");
    let missing = run(["rewind", &without, "--layer", "2", "-o", &out]);
    assert!(missing.code == 2 && missing.stderr.contains("layer 1 is not in this archive"), "{}", missing.stderr);
    assert!(
        std::fs::read_dir(place.path()).expect("a directory").all(|item| !item
            .expect("an item")
            .file_name()
            .to_string_lossy()
            .starts_with(".pentimento"))
    );
}

#[test]
fn a_config_that_lies_is_made_true_and_a_directory_will_do() {
    let place = temporary();
    let bytes = image().docker_save();
    let lying = String::from_utf8_lossy(&bytes)
        .replace(&pentimento::digest::Digest::sha256(&layer_tar(&[put("base", "b")])).encoded(), &"0".repeat(64));
    let target = file(place.path(), "lying.tar", lying.as_bytes());
    let out = place.path().join("out.tar").display().to_string();
    let made = run(["rewind", &target, "--layer", "1", "-o", &out]);
    assert!(made.code == 0 && made.stdout.contains("true diff_id"), "{} {}", made.stdout, made.stderr);
    assert_eq!(codes(&run(["scan", &out, "--format", "json"]).json()), Vec::<&str>::new());
    unpack(&image().oci_archive(Packing::Gzip), &place.path().join("layout"));
    let layout = place.path().join("layout").display().to_string();
    let out = place.path().join("second.tar").display().to_string();
    assert_eq!(run(["rewind", &layout, "--layer", "3", "-o", &out, "--tag", "mine:2"]).code, 0);
    let names = run(["scan", &out, "--format", "json"]).json()["images"][0]["names"].clone();
    assert_eq!(names, json!(["mine:2"]));
}
