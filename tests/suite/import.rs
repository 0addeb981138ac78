//! Rule files of other tools: what they find, what they let pass, and what of them cannot be honoured.

use crate::support::{TestImage, file, put, run, run_with, temporary};
use std::path::Path;

const GITLEAKS: &str = r#"
title = "a test"

[extend]
useDefault = true

[[allowlists]]
paths = ['''(?:^|/)vendored/''']
[[allowlists]]
targetRules = ["acme-line"]
regexTarget = "line"
regexes = ["for tests"]

[[rules]]
id = "acme-key"
description = "Acme key"
regex = '''(?i)\bacme[-_.]?{0,3}key["' =:]{1,5}([a-z0-9]{16})(?:[^a-z0-9]|$)'''
entropy = 3
keywords = ["ACME"]
[[rules.allowlists]]
stopwords = ["sample"]
[[rules.allowlists]]
condition = "AND"
paths = ['''\.md$''']
regexes = ['''^0''']

[[rules]]
id = "acme-line"
regex = '''acmeline-([0-9]+)-([a-f0-9]{12})'''
secretGroup = 2
path = '''\.conf$'''
[rules.allowlist]
commits = ["0123456"]

[[rules]]
id = "acme-around"
regex = '''acme(?!dog)'''

[[rules]]
id = "jwt-token"
regex = '''acmejwt[0-9]{9}'''

[[rules]]
id = "acme-file"
path = '''\.acme$'''
"#;

const KINGFISHER: &str = r#"
rules:
  - name: Acme token
    id: kf.acme.1
    pattern: |
      (?x)(?i)
      acme             # the word [
      (?:.|[\n\r]){0,16}?
      \b
      ([a-z0-9]{16})
      \b
    min_entropy: 3.0
    confidence: high
    examples:
      - 'acme: "{}"'
    negative_examples: [{ no: text }, 'acme: "aaaaaaaaaaaaaaaa"']
    pattern_requirements:
      min_digits: 3
      ignore_if_contains: [sample]
    references: [https://docs.acme.example/]
    validation: { type: Http, content: { request: { url: 'https://{{ TOKEN }}' } } }
    depends_on_rule: [{ rule_id: kf.acme.2, variable: ID }]
  - name: Acme id
    id: kf.acme.2
    pattern: 'acmeid-([0-9]{6})'
    visible: false
  - name: Two groups
    id: np.acme.1
    pattern: 'acmeuser ([a-z]+) pass ([a-z0-9]{12})'
  - name: Around
    id: kf.acme.3
    pattern: '(?<=acme)[0-9]{9}'
"#;

fn value() -> String {
    ["7f3k9x2m", "5q8w1z4v"].concat()
}

/// Values that are found, by rule.
fn found(rules: &str, path: &str, text: &str) -> Vec<(String, String)> {
    let archive = TestImage::new().layer([put(path, text)]).docker_save();
    let run = run_with(["scan", "-", "--rules", rules, "--show-secrets", "--format", "json", "--min-confidence", "low"], &archive);
    let report = run.json();
    let mut found: Vec<_> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|f| (f["rule"].as_str().unwrap_or_default().to_owned(), f["secret"]["value"].as_str().unwrap_or_default().to_owned()))
        .filter(|(rule, _)| rule.contains("acme") || rule.contains("gitleaks"))
        .collect();
    found.sort();
    found
}

fn pair(rule: &str, value: &str) -> Vec<(String, String)> {
    vec![(rule.to_owned(), value.to_owned())]
}

#[test]
fn rules_of_gitleaks() {
    let dir = temporary();
    let rules = file(dir.path(), "gitleaks.toml", GITLEAKS.as_bytes());
    let key = value();
    assert_eq!(found(&rules, "a.txt", &format!("acme_key = '{key}'")), pair("acme-key", &key));
    // Entropy, stopword, global path, both conditions.
    assert_eq!(found(&rules, "a.txt", "acme_key = '1111111111111111'"), []);
    assert_eq!(found(&rules, "a.txt", &format!("acme_key = 'sample{}'", &key[6..])), []);
    assert_eq!(found(&rules, "vendored/a.txt", &format!("acme_key = '{key}'")), []);
    assert_eq!(found(&rules, "a.md", &format!("acme_key = '0{}'", &key[1..])), []);
    assert_eq!(found(&rules, "a.md", &format!("acme_key = '{key}'")), pair("acme-key", &key));
    // Group, path, line.
    let line = "acmeline-7-0a1b2c3d4e5f";
    assert_eq!(found(&rules, "a.conf", line), pair("acme-line", "0a1b2c3d4e5f"));
    assert_eq!(found(&rules, "a.txt", line), []);
    assert_eq!(found(&rules, "a.conf", &format!("{line} for tests")), []);
    // A name that is taken.
    assert_eq!(found(&rules, "a.txt", "acmejwt304958217"), pair("gitleaks.jwt-token", "acmejwt304958217"));
}

#[test]
fn what_cannot_be_honoured_is_said_once() {
    let dir = temporary();
    let rules = file(dir.path(), "gitleaks.toml", GITLEAKS.as_bytes());
    let stderr = run(["rules", "list", "--rules", &rules]).stderr;
    for word in ["useDefault", "acme-line: `commits`", "acme-around: left out: it looks around", "acme-file: left out"] {
        assert_eq!(stderr.matches(word).count(), 1, "{word}: {stderr}");
    }
    let rules = file(dir.path(), "kf.yml", KINGFISHER.as_bytes());
    let stderr = run_with(["scan", "-", "--rules", &rules], &TestImage::new().layer([put("a", "b")]).docker_save()).stderr;
    for word in ["`validation` and `revocation`", "kf.acme.3: left out: it looks around"] {
        assert_eq!(stderr.matches(word).count(), 1, "{word}: {stderr}");
    }
}

#[test]
fn gitleaks_files_extend_each_other() {
    let dir = temporary();
    file(dir.path(), "base.toml", GITLEAKS.as_bytes());
    let rules = r#"
[extend]
path = "base.toml"
disabledRules = ["acme-line", "acme-around", "acme-file", "jwt-token"]
[[rules]]
id = "acme-key"
description = "Changed"
[rules.allowlist]
stopwords = ["DUMMY"]
[[rules]]
id = "acme-more"
regex = "acmemore[0-9]{8}"
"#;
    let rules = file(dir.path(), "gitleaks.toml", rules.as_bytes());
    let list = run(["rules", "list", "--rules", &rules]);
    assert!(list.stdout.contains("acme-more") && !list.stdout.contains("acme-line"), "{}", list.stderr);
    assert!(list.stdout.lines().any(|line| line.starts_with("acme-key") && line.ends_with("Changed")), "{}", list.stdout);
    let key = value();
    assert_eq!(found(&rules, "a.txt", &format!("acme_key = '{key}'")), pair("acme-key", &key));
    assert_eq!(found(&rules, "a.txt", &format!("acme_key = 'dummy{}'", &key[5..])), []);
    let itself = file(dir.path(), "itself.toml", b"[extend]\npath = \"itself.toml\"\n");
    assert!(run(["rules", "list", "--rules", &itself]).stderr.contains("extends too many others"));
    let nothing = file(dir.path(), "nothing.toml", b"[extend]\npath = \"nothing\"\n");
    assert!(run(["rules", "list", "--rules", &nothing]).stderr.contains("cannot be read"));
}

#[test]
fn rules_of_nosey_parker_and_kingfisher() {
    let dir = temporary();
    let key = value();
    let rules = file(dir.path(), "kf.yml", KINGFISHER.replace("{}", &key).as_bytes());
    assert_eq!(found(&rules, "a.txt", &format!("the ACME\n  key is {key}\n")), pair("kf.acme.1", &key));
    assert_eq!(found(&rules, "a.txt", "acme key: abcd1fghijk2mnop"), []);
    assert_eq!(found(&rules, "a.txt", &format!("acme key: sample{}", &key[6..])), []);
    assert_eq!(found(&rules, "a.txt", "acmeuser bob pass 7f3k9x2m5q8w"), pair("np.acme.1", "7f3k9x2m5q8w"));
    assert_eq!(found(&rules, "a.txt", "acmeid-304958"), []);
    let checked = run(["rules", "check", &rules]);
    assert_eq!((checked.code, checked.stdout.trim()), (0, "2 rules, 0 failures"), "{}", checked.stderr);
    // A directory has rule files of all kinds, and other YAML; of what several files ask for, one sentence is enough.
    file(dir.path(), "more.yml", KINGFISHER.replace(".acme.", ".more.").as_bytes());
    file(dir.path(), "other.yaml", b"a: b\n");
    file(dir.path(), "gitleaks.toml", GITLEAKS.as_bytes());
    let all = run(["rules", "list", "--rules", &dir.path().display().to_string()]);
    assert!(all.stdout.contains("kf.acme.1") && all.stdout.contains("acme-line"), "{}", all.stderr);
    assert_eq!(all.stderr.matches("`validation`").count(), 1, "{}", all.stderr);
    assert!(all.stderr.contains("2 files (") && all.stderr.contains("3 rules (acme-around, kf.acme.3, kf.more.3)"), "{}", all.stderr);
}

#[test]
fn a_match_is_found_wherever_it_stands_in_a_large_file() {
    let dir = temporary();
    let rules =
        file(dir.path(), "gitleaks.toml", b"[[rules]]\nid = \"acme-long\"\nregex = '''acme<[a-z0-9\\s]+>'''\nkeywords = [\"acme\"]\n");
    let long = format!("acme<{}\n>", "k3v9 x2m5\n".repeat(2000));
    let mut text = String::new();
    for shift in [30_000, 31_000, 33_000, 64_000] {
        text.push_str(&".\n".repeat(shift / 2));
        text.push_str(&long.replace("k3v9", &format!("k{shift}")));
    }
    assert_eq!(found(&rules, "a.txt", &text).len(), 4);
    // A hundred thousand matches, each followed by what could go on without end.
    let many = "acme<0>".repeat(100_000);
    let begun = std::time::Instant::now();
    found(&rules, "a.txt", &many);
    assert!(begun.elapsed().as_secs() < 60);
}

#[test]
fn files_that_want_to_be_too_much_are_refused() {
    let dir = temporary();
    let mut bomb = "rules:\n- name: a\n  id: a\n  pattern: abc\n  examples: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("- more: &a{level} [{aliases}]\n"));
    }
    for (name, text) in [
        ("bomb.yml", bomb),
        ("deep.yml", format!("rules:\n- a: {}{}\n", "[".repeat(10_000), "]".repeat(10_000))),
        ("no.yml", "rules:\n- name: [a\n".to_owned()),
        ("no.toml", "[[rules]]\nid = 7\n".to_owned()),
    ] {
        let path = file(dir.path(), name, text.as_bytes());
        let run = run(["rules", "check", &path]);
        assert_eq!(run.code, 2, "{name}: {} {}", run.stdout, run.stderr);
        assert!(run.stderr.contains(name) && run.stderr.len() < 600, "{}", run.stderr);
    }
    let hostile = "[[rules]]\nid = \"a\\u001b[31mb\"\nregex = \"acme(?=x)\"\n";
    let path = file(dir.path(), "hostile.toml", hostile.as_bytes());
    assert!(!run(["rules", "check", &path]).stderr.contains('\u{1b}'));
    assert!(Path::new(&path).exists());
}
