//! Holds the architecture: who may import whom, what no room may contain, and that the text stays readable (ARCHITECTURE.md).

#![allow(clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, left to right: a module imports only what stands to its left.
const ORDER: [&str; 29] = [
    "error",
    "limits",
    "buffer",
    "text",
    "digest",
    "secret",
    "rules",
    "layer",
    "nested",
    "packages",
    "compose",
    "detect",
    "layer_scan",
    "content",
    "net",
    "source",
    "archive",
    "scan",
    "image",
    "dockerfile",
    "timeline",
    "census",
    "suspicion",
    "rewind",
    "posture",
    "finding",
    "base",
    "policy",
    "report",
];

/// Words that a file may not contain, and the only places that may.
const RESERVED: [(&str, &[&str]); 9] = [
    ("thread::", &["src/scan/", "src/cli/", "src/net/"]),
    // No command touches the network unless its target says so.
    ("ureq", &["src/net/"]),
    ("std::net", &["src/net/"]),
    ("crate::net", &["src/source/access.rs", "src/source/daemon.rs", "src/source/registry/"]),
    ("println!", &["src/cli/", "src/lib.rs"]),
    ("std::env", &["src/cli/"]),
    ("Instant::now", &["src/cli/"]),
    ("use clap", &["src/cli/"]),
    ("\".wh.\"", &["src/layer/change.rs"]),
];

const MOST_LINES: usize = 500;
const MOST_LINES_OF_A_FUNCTION: usize = 70;

fn sources() -> Vec<(String, String)> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for item in fs::read_dir(dir).expect("a directory") {
            let path = item.expect("an item").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(&root.join("src"), &mut paths);
    paths.sort();
    let name = |path: &Path| path.strip_prefix(root).expect("below the root").display().to_string();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).expect("text"))).collect()
}

/// The program text without its tests.
fn own(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

/// The room that a file belongs to; none for `lib.rs`, `main.rs` and the command line.
fn room(file: &str) -> Option<usize> {
    let name = file.strip_prefix("src/")?.split(['/', '.']).next()?;
    ORDER.iter().position(|room| *room == name)
}

#[test]
fn modules_import_only_what_stands_to_their_left() {
    for (file, text) in sources() {
        let Some(own_room) = room(&file) else { continue };
        for (at, _) in own(&text).match_indices("crate::") {
            let rest = &text[at + 7..];
            let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
            if let Some(other) = ORDER.iter().position(|room| *room == name) {
                assert!(other <= own_room, "{file} imports {name}, which stands to its right");
            }
        }
    }
}

#[test]
fn every_module_of_the_library_has_its_place() {
    for (file, _) in sources() {
        let elsewhere = file == "src/lib.rs" || file == "src/main.rs" || file.starts_with("src/cli/");
        assert!(elsewhere || room(&file).is_some(), "{file} is in no room: add it to ORDER and to ARCHITECTURE.md");
    }
}

#[test]
fn what_is_reserved_stays_where_it_belongs() {
    for (file, text) in sources() {
        for (word, places) in RESERVED {
            let allowed = places.iter().any(|place| file.starts_with(place));
            assert!(allowed || !own(&text).contains(word), "{file} contains {word}");
        }
        assert!(file == "src/detect/blocks.rs" || !text.contains("unsafe "), "{file} contains unsafe code");
        let asserts = [".unwrap()", ".expect("].iter().map(|word| own(&text).matches(word).count()).sum::<usize>();
        assert_eq!(asserts, 0, "{file} may panic");
    }
}

#[test]
fn files_and_functions_stay_readable() {
    for (file, text) in sources() {
        assert!(text.starts_with("//!"), "{file} does not say what it is");
        let lines = own(&text).lines().count();
        assert!(lines <= MOST_LINES, "{file} has {lines} lines");
        let mut begun: Option<(usize, usize)> = None;
        for (number, line) in own(&text).lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let head = line.trim_start();
            if begun.is_none()
                && ["fn ", "pub fn ", "pub(super) fn ", "const fn "].iter().any(|start| head.starts_with(start))
                && !head.ends_with('}')
            {
                begun = Some((number, indent));
            } else if let Some((start, at)) = begun
                && indent == at
                && head.starts_with('}')
            {
                assert!(number - start <= MOST_LINES_OF_A_FUNCTION, "{file}:{} is a function of {} lines", start + 1, number - start);
                begun = None;
            }
        }
    }
}

#[test]
fn no_committed_text_looks_like_a_live_key() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let armour = format!("-----BEGIN {}", "RSA PRIVATE KEY-----\nMII");
    for dir in ["src", "patterns", "tests"] {
        for item in fs::read_dir(root.join(dir)).expect("a directory").flatten() {
            if let Ok(text) = fs::read_to_string(item.path()) {
                assert!(!text.contains(&armour), "{}", item.path().display());
            }
        }
    }
}
