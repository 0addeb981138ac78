//! No prefilter changes a result: looking for values and stems first gives the matches that looking for every literal everywhere gives.

use pentimento::detect::{Detector, Match, Medium, Text};
use pentimento::rules::{Example, RuleSet, sample};
use proptest::prelude::*;
use std::sync::LazyLock;

static FAST: LazyLock<Detector> = LazyLock::new(|| Detector::new(RuleSet::builtin().expect("rules")).expect("detector"));
static SLOW: LazyLock<Detector> = LazyLock::new(|| Detector::exhaustive(RuleSet::builtin().expect("rules")).expect("detector"));

/// Every example of every rule, filled in.
static EXAMPLES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for rule in FAST.rules().rules() {
        let secret = sample::of_rule(rule).expect("a sample").unwrap_or_default();
        for (number, example) in rule.matches.iter().chain(&rule.reject).enumerate().filter(|(_, e)| !matches!(e, Example::Bytes { .. })) {
            all.push(sample::fill(rule, example.text(), &secret, &number.to_string()).expect("an example"));
        }
    }
    all
});

fn told(found: Vec<Match>) -> Vec<String> {
    let one = |m: Match| {
        format!("{} {} {} {:?} {:?} {:?}", FAST.rules().rules()[m.rule].id, m.offset, m.secret.len(), m.confidence, m.reasons, m.details)
    };
    found.into_iter().map(one).collect()
}

fn same(bytes: &[u8], path: &[u8], medium: Medium) -> Result<(), TestCaseError> {
    let text = Text::whole(bytes, path, medium);
    prop_assert_eq!(told(FAST.scan(&text)), told(SLOW.scan(&text)));
    Ok(())
}

fn media() -> impl Strategy<Value = Medium> {
    prop_oneof![Just(Medium::Text), Just(Medium::Binary), Just(Medium::Metadata)]
}

#[test]
fn examples_of_all_rules() {
    for example in EXAMPLES.iter() {
        for medium in [Medium::Text, Medium::Binary, Medium::Metadata] {
            same(example.as_bytes(), b"", medium).expect("the same");
        }
    }
}

#[test]
fn this_repository() {
    let mut directories = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"))];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()) {
            let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if entry.is_dir() && !name.starts_with('.') && name != "target" && name != "fuzz" {
                directories.push(entry);
            } else if entry.is_file() {
                let bytes = std::fs::read(&entry).expect("a file");
                let path = entry.to_string_lossy().into_owned();
                bytes.chunks(1 << 20).for_each(|part| same(part, path.as_bytes(), Medium::sniff(part)).expect("the same"));
            }
        }
    }
}

/// Rules of a user, whose words are too short for a stem.
#[test]
fn short_words_are_looked_for_too() {
    let rule =
        |id: &str, reach: &str| format!("[[rule]]\nid = \"own-{id}\"\ntitle = \"x\"\nseverity = \"low\"\n{reach}\nmatch = [\"x\"]\n\n");
    let own = rule("pw", "names = [\"my_pw\", \"a_b\"]\nvalue = { min = 6 }") + &rule("key", "near = [\"a b\"]\nform = [\"{digits:20}\"]");
    let gitleaks = "[[rules]]\nid = \"short\"\nregex = \"sk([0-9]{8})\"\nkeywords = [\"sk\"]\n".to_owned();
    let brackets = rule("brackets", "form = ['tok_{[A-Za-z0-9\\]:24}']");
    for (file, texts) in [
        (("brackets.toml".to_owned(), brackets), &["x tok_ab\\cd1\\ef2\\gh3\\ij4\\kl5\\m"][..]),
        (("own.toml".to_owned(), own), &["MY_PW=kX7qfR2m", "myPw: 'kX7qfR2m'", "a_b=kX7qfR2m", "AB key = 12345678901234567890"][..]),
        (("gitleaks.toml".to_owned(), gitleaks), &["a SK12345678 sk12345678 b"][..]),
    ] {
        let rules = || RuleSet::from_texts(std::slice::from_ref(&file)).expect("rules");
        let (fast, slow) = (Detector::new(rules()).expect("fast"), Detector::exhaustive(rules()).expect("slow"));
        for text in texts {
            let [fast, slow] = [&fast, &slow].map(|detector| {
                let found = detector.scan(&Text::whole(text.as_bytes(), b"", Medium::Text));
                found.into_iter().map(|found| (found.rule, found.offset)).collect::<Vec<_>>()
            });
            assert!(!fast.is_empty() && fast == slow, "{text}: {fast:?} {slow:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Examples that are cut, changed and stuck to each other.
    #[test]
    fn pieces_of_examples(
        pieces in proptest::collection::vec((any::<prop::sample::Index>(), any::<(u16, u16)>(), "[a-zA-Z0-9_=:/.\"' \\n-]{0,12}"), 1..8),
        case in 0..4, medium in media()
    ) {
        let mut text = String::new();
        for (which, (from, length), between) in pieces {
            let example = &EXAMPLES[which.index(EXAMPLES.len())];
            let from = example.floor_char_boundary(if from % 3 == 0 { usize::from(from) % example.len().max(1) } else { 0 });
            let end = example.floor_char_boundary(if length % 3 == 0 { from + usize::from(length) % 80 } else { example.len() });
            text.push_str(&example[from..end.max(from)]);
            text.push_str(&between);
        }
        match case {
            0 => text.make_ascii_uppercase(),
            1 => text.make_ascii_lowercase(),
            _ => {}
        }
        same(text.as_bytes(), b"srv/app/settings.py", medium)?;
    }

    /// Names, signs and values in any order.
    #[test]
    fn assignments(
        words in proptest::collection::vec(prop_oneof![
            "(pass(word)?|PWD|secret|Token|tok|apiKey|access_key|keyid|auth|pat|path|pw|keys|cred|bearer|id|value|base)",
            "[=:_.\"' >-]{1,3}", "[a-zA-Z0-9/+]{1,40}", "[A-Z][a-z]{0,6}", "(AKIA|ghp_|sk-|eyJ|://|-----BEGIN |%3D|\\\\n)"
        ], 1..40),
        medium in media()
    ) {
        same(words.concat().as_bytes(), b"", medium)?;
    }
}

/// A form whose class is none is an error, and not a rule that finds nothing.
#[test]
fn a_form_is_read_when_its_rule_is() {
    let file = |class: &str| {
        let text = format!("[[rule]]\nid = \"own\"\ntitle = \"x\"\nseverity = \"low\"\nform = ['tok_{{[{class}]:20}}']\nmatch = [\"x\"]\n");
        RuleSet::from_texts(&[("own.toml".to_owned(), text)])
    };
    assert!(file("a-z").is_ok());
    for wrong in ["z-a", "a-zé"] {
        assert!(file(wrong).is_err(), "{wrong}");
    }
}
