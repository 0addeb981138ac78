//! Archives of real engines (testdata/samples): each is read whole, its digests hold, its fates are those that the engines show.

use crate::support::{TestImage, run, scan};
use pentimento::layer::change::{ChangeKind, FileType};
use pentimento::limits::{Effort, Limits};
use pentimento::timeline::{Fate, How, lives};

fn sample(name: &str) -> String {
    format!("{}/testdata/samples/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_sample_is_read_whole() {
    for (name, names, layers) in [
        ("containerd16-export-hybrid.tar", vec!["fmt-a:1", "fmt-a:2"], 4),
        ("docker20-legacy-duplayer-symlink.tar", vec!["fmt-a:1", "fmt-a:2"], 4),
        ("docker20-legacy-null-repotags.tar", vec![], 4),
        ("podman4-docker-archive.tar", vec!["localhost/fmt-a:1"], 4),
        ("podman4-oci-archive.tar", vec!["localhost/fmt-a:1"], 4),
        ("podman4-docker-dir", vec![], 4),
        ("skopeo-oci-zstd.tar", vec!["v1"], 4),
        ("skopeo-oci-zstdchunked-dotslash.tar", vec!["v1"], 4),
        ("umoci-layout-unpadded-layers.tar", vec!["v1"], 3),
    ] {
        let run = run(["scan", &sample(name), "--format", "json"]);
        let report = run.json();
        // The build argument `TOKEN=dflt` of these images is found; what matters here is that everything was read.
        assert_eq!((run.code.min(1), &report["complete"]), (run.code, &true.into()), "{name}: {report:#}");
        // umoci leaves the manifest of every earlier state behind.
        let orphans = report["images"].as_array().expect("images").iter().filter(|image| image["orphan"] == true).count();
        assert_eq!(orphans, if name.starts_with("umoci") { 3 } else { 0 }, "{name}: {report:#}");
        assert_eq!(report["images"].as_array().map(Vec::len), Some(1 + orphans), "{name}: {report:#}");
        assert_eq!(report["images"][0]["names"], serde_json::json!(names), "{name}");
        let found = report["images"][0]["layers"].as_array().expect("layers");
        assert_eq!(found.len(), layers, "{name}");
        assert!(
            found.iter().all(|layer| layer["blob"].is_string() && layer["instruction"].is_string() || name.starts_with("umoci")),
            "{name}: {found:#?}"
        );
    }
}

/// The layers of a real `docker build`; the fates are what `docker export` of each state shows (formats.md, part 9).
#[test]
fn fates_of_a_real_build() {
    let mut image = TestImage::new();
    for layer in 1..=4 {
        let tar = std::fs::read(sample(&format!("docker20-layers/layer{layer}.tar"))).expect("a sample");
        image = image.step("/bin/sh -c x", &tar);
    }
    let scanned = scan(&image.docker_save());
    let layers: Vec<_> = scanned.images.images[0].layers.iter().map(|l| scanned.archive.layer(l.blob.expect("a blob"))).collect();
    let wanted: Vec<Vec<u32>> = layers.iter().map(|scan| (0..scan.expect("a layer").len() as u32).collect()).collect();
    let lives = lives(&layers, &wanted, &mut Effort::regardless(&Limits::default(), 0));
    let mut fates = Vec::new();
    for (index, scan) in layers.iter().enumerate() {
        let scan = scan.expect("a layer");
        for (entry, record) in scan.entries() {
            if matches!(record.kind, ChangeKind::Put(FileType::Regular | FileType::HardLink)) {
                let life = &lives.of[&(index, entry)];
                fates.push((String::from_utf8_lossy(scan.path(entry)).into_owned(), index, life.fate, life.rewritten_in.clone()));
            }
        }
    }
    let deleted = |by, how| Fate::Deleted { by, how };
    let expected = [
        ("d/keep", 0, deleted(2, How::ParentRemoved), vec![1]),
        ("d/s1", 0, deleted(1, How::Whiteout), vec![]),
        ("d/sub/s2", 0, deleted(2, How::ParentRemoved), vec![]),
        ("f", 0, Fate::Present, vec![]),
        ("f.hard", 0, Fate::Present, vec![]),
        ("fbecomesdir", 0, Fate::Replaced { by: 1 }, vec![]),
        ("opq/o", 0, deleted(1, How::Opaque), vec![]),
        ("ren", 0, deleted(1, How::Whiteout), vec![]),
        ("tofile/tf", 0, Fate::Replaced { by: 1 }, vec![]),
        ("d/keep", 1, deleted(2, How::ParentRemoved), vec![]),
        ("fbecomesdir/x", 1, Fate::Present, vec![]),
        ("opq/new", 1, Fate::Present, vec![]),
        ("ren2", 1, Fate::Present, vec![]),
        ("tofile", 1, Fate::Present, vec![]),
        ("f.hard2", 2, Fate::Present, vec![]),
    ];
    let expected: Vec<_> = expected.into_iter().map(|(path, layer, fate, rewritten)| (path.to_owned(), layer, fate, rewritten)).collect();
    assert_eq!(fates, expected);
}

#[test]
fn a_build_without_layers_blames_a_range_of_steps() {
    let config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(sample("buildah-nolayers-config.json")).expect("a sample")).expect("JSON");
    let steps = pentimento::image::history::steps(&config);
    let layers = config["rootfs"]["diff_ids"].as_array().expect("diff_ids").len();
    let attributed = pentimento::image::history::attribute(&config, &steps, layers).layers;
    let last = attributed.last().expect("a layer");
    assert!(!last.certain && last.steps.len() > 1, "{attributed:?}");
}
