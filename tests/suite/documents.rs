//! Secrets in configuration and history, each with its pointer.

use crate::support::{Packing, Run, TestImage, archive, file, layer_tar, members, pack, put, run, run_with, temporary, token};
use pentimento::digest::Digest;
use serde_json::json;

/// Kind, pointer and value of every finding in metadata.
fn metadata(image: &TestImage) -> Vec<(String, String, String)> {
    let report = run_with(["scan", "-", "--format", "json", "--show-secrets"], &image.docker_save()).json();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<_> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter(|f| f["location"]["pointer"].is_string())
        .map(|f| (text(&f["location"]["kind"]), text(&f["location"]["pointer"]), text(&f["secret"]["value"])))
        .collect();
    all.sort();
    all
}

#[test]
fn every_place_of_the_config_is_searched() {
    let values: Vec<String> = (0..9).map(|i| token(&format!("config {i}"))).collect();
    let config = json!({
        "Env": ["PATH=/bin", format!("A={}", values[0]), "DB_PASSWORD=hunter"],
        "Labels": { "ci/token": values[1] },
        "Cmd": ["/x", "--password", "s3cr3t-word"],
        "Entrypoint": ["/x", values[2]],
        "Healthcheck": { "Test": ["CMD-SHELL", format!("curl -H 'X: {}' http://x", values[3])] },
        "OnBuild": [format!("RUN echo {}", values[4])],
        "Volumes": { format!("/{}", values[5]): {} },
        "User": values[6],
    });
    let found = metadata(&TestImage::new().layer([put("a", "b")]).config(config));
    let expected = [
        ("cmd", "/config/Cmd/2", "s3cr3t-word".to_owned()),
        ("config", "/config/User", values[6].clone()),
        ("entrypoint", "/config/Entrypoint/1", values[2].clone()),
        ("env", "/config/Env/1", values[0].clone()),
        ("env", "/config/Env/2", "hunter".to_owned()),
        ("healthcheck", "/config/Healthcheck/Test/1", values[3].clone()),
        ("label", "/config/Labels/ci~1token", values[1].clone()),
        ("onbuild", "/config/OnBuild/0", values[4].clone()),
    ];
    for (kind, pointer, value) in expected {
        assert!(found.contains(&(kind.to_owned(), pointer.to_owned(), value.clone())), "{kind} {pointer}: {found:#?}");
    }
    assert!(found.iter().any(|(_, pointer, value)| pointer.starts_with("/config/Volumes/") && *value == values[5]), "{found:#?}");
}

#[test]
fn build_arguments_of_both_builders() {
    for created_by in ["|1 TOKEN=tokenvalue_b /bin/sh -c make", "RUN |1 TOKEN=tokenvalue_b /bin/sh -c make # buildkit"] {
        let found = metadata(&TestImage::new().step(created_by, &layer_tar(&[put("a", "b")])));
        assert_eq!(found, [("history".to_owned(), "/history/0/created_by".to_owned(), "tokenvalue_b".to_owned())]);
    }
}

#[test]
fn a_variable_that_was_overridden_is_history() {
    let secret = token("overridden");
    let image =
        TestImage::new().step(&format!("/bin/sh -c #(nop)  ENV K={secret}"), &layer_tar(&[put("a", "b")])).config(json!({ "Env": ["K="] }));
    let report = run_with(["scan", "-", "--format", "json"], &image.docker_save()).json();
    assert_eq!(report["findings"][0]["fate"], json!({ "state": "config", "how": "historic" }));
    let image = TestImage::new()
        .step(&format!("/bin/sh -c #(nop)  ENV K={secret}"), &layer_tar(&[put("a", "b")]))
        .config(json!({ "Env": [format!("K={secret}")] }));
    let report = run_with(["scan", "-", "--format", "json"], &image.docker_save()).json();
    assert!(report["findings"].as_array().expect("findings").iter().all(|f| f["fate"]["how"] == "current"), "{report:#}");
}

#[test]
fn what_no_image_refers_to_is_searched_too() {
    let (layer, document) = (token("unreferenced layer"), token("unreferenced document"));
    let mut members = crate::support::members(&TestImage::new().layer([put("a", "b")]).docker_save());
    members.insert(0, ("blobs/old".into(), layer_tar(&[put("old/.env", format!("T={layer}\n"))])));
    members.insert(1, ("blobs/config".into(), json!({ "config": { "Env": [format!("T={document}")] } }).to_string().into_bytes()));
    let report = run_with(["scan", "-", "--format", "json", "--show-secrets"], &crate::support::archive(&members)).json();
    let mut found: Vec<_> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|f| (f["secret"]["value"].clone(), f["fate"]["state"].clone(), f["image"].clone()))
        .collect();
    found.sort_by_key(|f| f.0.to_string());
    let mut expected = vec![(layer.into(), "hidden".into(), json!(null)), (document.into(), "hidden".into(), json!(null))];
    expected.sort_by_key(|f: &(serde_json::Value, serde_json::Value, serde_json::Value)| f.0.to_string());
    assert_eq!(found, expected);
}

#[test]
fn a_number_with_a_name_may_be_a_password() {
    let found = metadata(&TestImage::new().layer([put("a", "b")]).config(json!({ "Env": [], "db_password": 8273649182736_u64 })));
    assert_eq!(found, [("config".to_owned(), "/config/db_password".to_owned(), "8273649182736".to_owned())]);
}

/// What an OCI layout calls its layers is compared with what they are, unless nobody wants to know; then it is said, and all is searched.
#[test]
fn digests_are_believed_when_that_is_asked_for() {
    let secret = token("no-verify");
    // Larger than a document, and when it is packed, too: each packing is checked with what it unpacks to.
    let noise: String = (0..4000u32).map(|at| Digest::sha256(&at.to_le_bytes()).encoded()).collect();
    let image = TestImage::new().layer([put("noise", &noise), put("app/.env", format!("TOKEN={secret}\n"))]);
    for packing in [Packing::None, Packing::Gzip, Packing::Zstd] {
        let mut members = members(&image.oci_archive(packing));
        let layer = members.iter().position(|(_, bytes)| bytes.len() > 64 << 10).expect("a layer");
        // Another layer under its name: the same file, one byte longer.
        let other = layer_tar(&[put("noise", format!("{noise}x")), put("app/.env", format!("TOKEN={secret}\n"))]);
        members[layer].1 = pack(&other, packing);
        let archive = archive(&members);
        let checked = run_with(["scan", "-", "--format", "json", "--quiet", "--show-secrets"], &archive);
        let believed = run_with(["scan", "-", "--format", "json", "--quiet", "--show-secrets", "--no-verify"], &archive);
        let problems = |run: &Run| run.json()["problems"].as_array().expect("a list").iter().map(|p| p["code"].clone()).collect::<Vec<_>>();
        assert!(
            problems(&checked).iter().any(|code| *code == "diff-id-mismatch" || *code == "digest-mismatch"),
            "{:?}",
            problems(&checked)
        );
        assert!(
            !problems(&believed).iter().any(|code| *code == "diff-id-mismatch" || *code == "digest-mismatch"),
            "{:?}",
            problems(&believed)
        );
        assert!(believed.json()["notes"].as_array().expect("a list").iter().any(|note| note["code"] == "not-verified"));
        assert!(believed.stdout.contains(&secret) && checked.stdout.contains(&secret));
        // What only looks like a file of that name is none.
        let (_, digest) = members[layer].0.rsplit_once('/').expect("a directory");
        let decoy = (format!("blobs/sha256/.wh.{digest}"), pack(&layer_tar(&[put("noise", &noise)]), packing));
        let decoyed = crate::support::archive(&[&[decoy], &members[..]].concat());
        let report = run_with(["scan", "-", "--format", "json", "--quiet", "--no-verify"], &decoyed).json();
        assert_eq!((&report["findings"][0]["location"]["layer"], &report["findings"][0]["fate"]["state"]), (&json!(0), &json!("present")));
    }
}

/// A hint in a program is not shown, and not told elsewhere either.
#[test]
fn what_may_be_a_secret_in_a_program_is_redacted_where_it_stands_in_an_instruction() {
    let value = ["Tr0ub4dor", "Horse9"].concat();
    let program = format!("\0{}\0db_password=\"{value}\"\0{}", "some words \n".repeat(30_000), "more words \n".repeat(60_000));
    let tar = layer_tar(&[put("bin/program", &program), put("app/.env", format!("TOKEN={}\n", token("hint")))]);
    let image = TestImage::new().step(&format!("RUN ./migrate.sh {value}"), &tar).docker_save();
    let directory = temporary();
    let path = file(directory.path(), "image.tar", &image);
    let low = run(["scan", &path, "--quiet", "--format", "json", "--min-confidence", "low", "--show-secrets"]);
    assert!(low.json()["findings"].as_array().expect("a list").iter().any(|f| f["location"]["path"] == "bin/program"), "{}", low.stdout);
    for format in ["json", "human"] {
        let report = run(["scan", &path, "--quiet", "--format", format]);
        assert!(report.stdout.contains("migrate.sh") && !report.stdout.contains(&value), "{}", report.stdout);
    }
}
