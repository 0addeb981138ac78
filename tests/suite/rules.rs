//! The rules as a product: their examples, the errors of rule files, adding and removing.

use crate::support::{TestImage, file, put, run, run_with, temporary};

#[test]
fn every_built_in_rule_passes_its_examples() {
    let run = run(["rules", "check"]);
    assert_eq!(run.code, 0, "{}", run.stdout);
}

#[test]
fn a_bad_rule_is_named_with_its_file_line_and_column() {
    let dir = temporary();
    let good =
        "[[rule]]\nid = \"a-b\"\ntitle = \"x\"\nseverity = \"low\"\nliterals = [\"abc\"]\nregex = 'abc[0-9]{4}'\nmatch = [\"abc1234\"]\n";
    for (text, place, word) in [
        (good.replace("{4}", "{4"), ":6:9:", "a-b"),
        (good.replace("[\"abc\"]", "[\"ab\"]"), ":5:13:", "3 bytes"),
        (good.replace("severity", "severety"), ":4:1:", "severety"),
        (good.replace("literals = [\"abc\"]\n", ""), ":2:6:", "never run over everything"),
        (good.replace("id = \"a-b\"", "id = \"A b\""), ":2:6:", "lower-case"),
        (format!("{good}check = \"none\"\n"), ":8:9:", "no check"),
        (good.replace("match = [\"abc1234\"]", "match = []"), ":2:6:", "match"),
    ] {
        let path = file(dir.path(), "bad.toml", text.as_bytes());
        let run = run(["rules", "check", &path]);
        assert_eq!(run.code, 2, "{text}");
        assert!(run.stderr.contains(&format!("bad.toml{place}")) && run.stderr.contains(word), "{place} {word}: {}", run.stderr);
    }
    let wrong_example = good.replace("[\"abc1234\"]", "[\"abc123\"]");
    let run = run(["rules", "check", &file(dir.path(), "example.toml", wrong_example.as_bytes())]);
    assert_eq!(run.code, 2);
    assert!(run.stdout.contains("is not found"), "{}", run.stdout);
}

#[test]
fn rules_are_added_and_removed() {
    let dir = temporary();
    let rule = "[[rule]]\nid = \"acme-token\"\ntitle = \"Acme\"\nseverity = \"low\"\nliterals = [\"acme_\"]\nregex = 'acme_[0-9]{12}'\nmatch = [\"acme_{digits:12}\"]\n";
    let path = file(dir.path(), "acme.toml", rule.as_bytes());
    let archive = TestImage::new().layer([put("a", "acme_304958217346\n")]).docker_save();
    assert_eq!(run_with(["scan", "-"], &archive).code, 0);
    let with = run_with(["scan", "-", "--rules", &path, "--format", "json"], &archive);
    assert_eq!((with.code, &with.json()["findings"][0]["provider"]), (1, &"acme".into()));
    assert_eq!(run_with(["scan", "-", "--rules", &dir.path().display().to_string(), "--disable", "acme-token"], &archive).code, 0);
    let twice = run_with(["scan", "-", "--rules", &path, "--rules", &path], &archive);
    assert_eq!(twice.code, 2);
    assert!(twice.stderr.contains("already taken"), "{}", twice.stderr);
}

#[test]
fn list_and_show() {
    assert!(run(["rules", "list"]).stdout.contains("github-personal-access-token"));
    assert!(run(["rules", "show", "github-personal-access-token"]).stdout.contains("ghp_"));
    assert_eq!(run(["rules", "show", "nothing"]).code, 2);
    let all = run(["rules", "list", "--format", "json"]).json();
    let one = all.as_array().expect("a list").iter().find(|rule| rule["id"] == "github-personal-access-token").expect("a rule");
    assert_eq!((&one["reach"], &one["severity"], &one["imported"]), (&"literals".into(), &"critical".into(), &false.into()));
    assert!(one["check"].as_str().is_some_and(|check| check.starts_with("crc32")) && one["keywords"][0] == "ghp_", "{one}");
}

#[test]
fn a_rule_is_shown_with_examples_that_it_finds() {
    for id in ["github-personal-access-token", "stripe-secret-key", "pgpass-password", "generic-password"] {
        let shown = run(["rules", "show", id, "--format", "json"]);
        if shown.code != 0 {
            continue;
        }
        let rule = shown.json();
        let example = &rule["examples"][0];
        let (text, path) = (example["text"].as_str().expect("a text"), example["path"].as_str().expect("a path"));
        let explained = run(["rules", "explain", text, "--path", path, "--min-confidence", "low", "--format", "json"]).json();
        let found = explained["candidates"].as_array().expect("candidates").iter().any(|c| c["rule"] == id && c["reported"] == true);
        assert!(found, "{id}: {explained:#}");
        let human = run(["rules", "show", id]).stdout;
        for label in ["severity", "matches", "example", "not ", "revoke", "file"] {
            assert!(human.contains(&format!("\n  {label}")), "{id} {label}: {human}");
        }
    }
}

#[test]
fn exceptions_and_a_path_of_own_rules() {
    let dir = temporary();
    let rule = "[[rule]]\nid = \"acme-token\"\ntitle = \"Acme\"\nseverity = \"low\"\nliterals = [\"acme_\"]\nregex = 'acme_[0-9]{12}'\npath = '[.]conf$'\n\
        allow = [{ words = [\"0000\"] }, { on = \"line\", regexes = ['for tests'] }]\nmatch = [{ path = \"a.conf\", text = \"acme_{digits:12}\" }]\n\
        reject = [\"acme_304958217346\", { path = \"a.conf\", text = \"acme_300008217346\" }, { path = \"a.conf\", text = \"acme_304958217346 for tests\" }]\n";
    let path = file(dir.path(), "acme.toml", rule.as_bytes());
    let checked = run(["rules", "check", &path]);
    assert_eq!((checked.code, checked.stdout.trim()), (0, "1 rules, 0 failures"), "{}", checked.stderr);
    for (text, place, verdict) in
        [("acme_304958217346", "a.txt", "path"), ("acme_300008217346", "a.conf", "exception"), ("acme_304958217346", "a.conf", "reported")]
    {
        let explained = run(["rules", "explain", text, "--path", place, "--rules", &path, "--format", "json"]).json();
        assert_eq!(explained["candidates"][0]["verdict"], verdict, "{explained:#}");
    }
    let wrong = file(dir.path(), "wrong.toml", rule.replace("for tests'", "for tests('").as_bytes());
    assert!(run(["rules", "check", &wrong]).stderr.contains("`allow`"));
}

#[test]
fn every_built_in_rule_says_what_it_rejects_and_how_to_revoke() {
    for rule in pentimento::rules::RuleSet::builtin().expect("rules").rules() {
        assert!(!rule.reject.is_empty() && rule.revoke.is_some(), "{}", rule.id);
    }
}
