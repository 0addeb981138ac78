//! Where files come from: what a package has as it is in the image is published, and what was changed is not.

use crate::support::{Packing, TestImage, file, pack, put, run_with, temporary, token};
use pentimento::digest::{FileDigests, hex};
use serde_json::{Value, json};

fn sums(files: &[(&str, &[u8])]) -> String {
    files.iter().map(|(path, content)| format!("{}  {path}\n", hex(&FileDigests::of(content).md5.expect("MD5")))).collect()
}

/// From a pipe and from a file, where large files are read again: both say the same.
fn scan(image: &TestImage, more: &str) -> Value {
    let dir = temporary();
    let path = file(dir.path(), "image.tar", &image.docker_save());
    let [piped, stored] = ["-", &path].map(|target| run_with(["scan", target, "--format", "json", more], &image.docker_save()).json());
    assert_eq!(piped["suppressed"], stored["suppressed"]);
    assert_eq!(paths(&piped), paths(&stored));
    stored
}

fn paths(report: &Value) -> Vec<&str> {
    report["findings"].as_array().expect("findings").iter().filter_map(|f| f["location"]["path"].as_str()).collect()
}

#[test]
fn files_as_their_package_has_them_are_counted_and_shown_when_asked_for() {
    let text = |name: &str| format!("token = {}\n", token(name)).into_bytes();
    let large = [vec![b'x'; 3 << 20], b"\n".to_vec(), text("large")].concat();
    let packed = pack(&text("packed"), Packing::Gzip);
    let (small, changed) = (text("small"), text("changed"));
    let list = sums(&[
        ("usr/share/doc/a/small.txt", &small),
        ("usr/share/doc/a/large.txt", &large),
        ("usr/share/doc/a/packed.gz", &packed),
        ("etc/a.conf", b"as it was\n"),
    ]);
    let image = TestImage::new()
        .layer([
            put("usr/share/doc/a/small.txt", &small),
            put("usr/share/doc/a/large.txt", &large),
            put("usr/share/doc/a/packed.gz", &packed),
            put("var/lib/dpkg/info/a:amd64.md5sums", list),
        ])
        // Whatever the layer, and a copy is as public as the file.
        .layer([put("etc/a.conf", &changed), put("srv/copy.txt", &small)]);
    let default = scan(&image, "--quiet");
    assert_eq!(paths(&default), ["etc/a.conf"]);
    assert_eq!(default["suppressed"], json!([{"reason": "public", "count": 4}]));
    let all = scan(&image, "--include-public");
    assert_eq!((paths(&all).len(), &all["suppressed"]), (5, &json!([])));
    for finding in all["findings"].as_array().expect("findings") {
        let changed = finding["location"]["path"] == "etc/a.conf";
        assert_eq!(finding["public"], if changed { Value::Null } else { json!("a (dpkg)") });
    }
}

#[test]
fn nothing_but_published_files_is_clean() {
    let text = format!("token = {}\n", token("only")).into_bytes();
    let image = TestImage::new().layer([put("usr/share/x", &text), put("var/lib/dpkg/info/x.md5sums", sums(&[("usr/share/x", &text)]))]);
    let run = run_with(["scan", "-"], &image.docker_save());
    assert_eq!(run.code, 0);
    assert!(run.stdout.contains("NOT shown: 1 finding") && run.stdout.contains("verdict: clean"), "{}", run.stdout);
    // What is published is not taken out of names.
    assert!(!run.stdout.contains("***"), "{}", run.stdout);
}
