//! `pentimento:allow`: not listed, always counted, shown on request.

use crate::support::{TestImage, put, run_with, token};
use serde_json::{Value, json};

fn report(archive: &[u8], shown: bool) -> (i32, Value) {
    let run = run_with(["scan", "-", "--format", "json", if shown { "--no-allow" } else { "--quiet" }], archive);
    (run.code, run.json())
}

#[test]
fn what_a_comment_allows_is_counted_and_shown_on_request() {
    let line = format!("GITHUB_TOKEN={} # pentimento:allow\n", token("allow"));
    let archive = TestImage::new().layer([put("app/.env", &line)]).docker_save();
    let (code, silent) = report(&archive, false);
    assert_eq!((code, &silent["verdict"], &silent["findings"]), (0, &json!("passed"), &json!([])));
    assert_eq!(silent["suppressed"], json!([{ "reason": "allow-comment", "count": 1 }]));
    let (code, shown) = report(&archive, true);
    assert_eq!((code, &shown["verdict"], &shown["suppressed"]), (1, &json!("found"), &json!([])));
    let reasons = shown["findings"][0]["reasons"].as_array().expect("reasons");
    assert!(reasons.contains(&json!("allowed by a comment on its line")), "{reasons:?}");
    let human = run_with(["scan", "-"], &archive);
    assert!(human.stdout.contains("NOT shown: 1 finding") && human.stdout.contains("verdict: passed"), "{}", human.stdout);
    assert!(!human.stdout.contains("NOT shown: 1 findings"));
}

#[test]
fn the_same_value_elsewhere_in_the_file_is_not_allowed() {
    let token = token("allow");
    for text in [format!("{token} # pentimento:allow\n{token}\n"), format!("{token}\n{token} # pentimento:allow\n")] {
        let archive = TestImage::new().layer([put("app/.env", &text)]).docker_save();
        let (code, report) = report(&archive, false);
        assert_eq!((code, report["findings"].as_array().map(Vec::len), &report["suppressed"]), (1, Some(1), &json!([])), "{text}");
        let line = if text.find('#') < text.find('\n') { 2 } else { 1 };
        assert_eq!(report["findings"][0]["location"]["line"], line);
    }
}

#[test]
fn a_comment_may_name_rules() {
    let token = token("allow");
    for (rules, count) in
        [("github-personal-access-token", 0), ("aws-access-key-id, github-personal-access-token: a test", 0), ("jwt-token", 1)]
    {
        let archive = TestImage::new().layer([put("a", format!("{token} # pentimento:allow {rules}\n"))]).docker_save();
        assert_eq!(report(&archive, false).1["findings"].as_array().map(Vec::len), Some(count), "{rules}");
    }
}

#[test]
fn in_what_is_encoded_and_in_the_history() {
    use base64::Engine;
    let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    let token = token("allow");
    let inside = encode(format!("the token is {token} # pentimento:allow"));
    let beside = format!("{} # pentimento:allow", encode(format!("the token is {token} and more")));
    let neither = format!("{token} # pentimento:allow\n{}", encode(format!("the token is {token} and more")));
    for (text, count) in [(inside, 0), (beside, 0), (neither, 1)] {
        let archive = TestImage::new().layer([put("a", format!("{text}\n"))]).docker_save();
        assert_eq!(report(&archive, false).1["findings"].as_array().map(Vec::len), Some(count), "{text}");
    }
    let history = TestImage::new().step(&format!("RUN login {token} # pentimento:allow"), &[0; 1024]).docker_save();
    let report = report(&history, false).1;
    assert_eq!((&report["findings"], &report["suppressed"][0]["count"]), (&json!([]), &json!(1)));
}
