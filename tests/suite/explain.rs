//! `rules explain`: the same decision as a scan's, and why.

use crate::support::{TestImage, file, put, run, run_with, temporary, token};
use serde_json::json;

#[test]
fn a_text_a_file_and_a_pipe() {
    let dir = temporary();
    let text = format!("GITHUB_TOKEN={}\n", token("explain"));
    let path = file(dir.path(), "env", text.as_bytes());
    for run in [run(["rules", "explain", &text]), run(["rules", "explain", &path]), run_with(["rules", "explain", "-"], text.as_bytes())] {
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stdout.contains("1:14") && run.stdout.contains("reported: its confidence is high"), "{}", run.stdout);
        assert!(!run.stdout.contains(&token("explain")), "{}", run.stdout);
    }
    assert!(run(["rules", "explain", &text, "--show-secrets"]).stdout.contains(&token("explain")));
}

#[test]
fn every_candidate_has_a_verdict() {
    for (text, rule, verdict) in [
        (format!("{} # pentimento:allow", token("explain")), "github-personal-access-token", "allowed"),
        ("DB_PASSWORD=${DB_PASSWORD}".to_owned(), "generic-password", "assignment"),
        ("DB_PASSWORD=changeme1".to_owned(), "generic-password", "confidence"),
        (format!("gh{}_short", 'p'), "github-personal-access-token", "form"),
    ] {
        let report = run(["rules", "explain", &text, "--format", "json"]).json();
        let candidates = report["candidates"].as_array().expect("candidates");
        let found = candidates.iter().find(|c| c["rule"] == rule).unwrap_or_else(|| panic!("{text}: {report:#}"));
        assert_eq!((&found["verdict"], &found["reported"]), (&json!(verdict), &json!(false)), "{text}: {report:#}");
        assert!(found["why"].as_str().is_some_and(|why| !why.is_empty()));
    }
}

#[test]
fn what_is_reported_is_what_a_scan_reports() {
    for text in [format!("a={}\npassword: Xy7!kQp2w\npassword: example\n", token("explain")), "password=hunter2\n".to_owned()] {
        let explained = run(["rules", "explain", &text, "--path", "app/config.yml", "--format", "json"]).json();
        let archive = TestImage::new().layer([put("app/config.yml", &text)]).docker_save();
        let scanned = run_with(["scan", "-", "--format", "json"], &archive).json();
        let mut found: Vec<_> = scanned["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .map(|f| (f["location"]["offset"].as_u64(), f["rule"].as_str()))
            .collect();
        found.sort();
        let listed = explained["candidates"].as_array().expect("candidates").iter().filter(|c| c["reported"] == true);
        assert_eq!(listed.map(|c| (c["offset"].as_u64(), c["rule"].as_str())).collect::<Vec<_>>(), found, "{explained:#}");
    }
}

#[test]
fn hostile_texts_and_values_are_not_printed_as_they_are() {
    let run = run(["rules", "explain", "password=\"ab\u{1b}[31mcd9!xyz\"", "--show-secrets"]);
    assert!(!run.stdout.contains('\u{1b}'), "{:?}", run.stdout);
}
