//! What becomes of a file: a table of small images (formats.md, parts 8 and 9).

use crate::support::{TestImage, codes, device, dir, fates, hard_link, opaque, put, rm, run_with, symlink, token};

/// The fates that the program reports, the same from every layout.
fn reported(image: TestImage) -> Vec<(String, u64, String, Option<u64>)> {
    let mut all: Vec<_> =
        image.layouts().into_iter().map(|(_, archive)| fates(&run_with(["scan", "-", "--format", "json"], &archive).json())).collect();
    all.dedup();
    assert_eq!(all.len(), 1, "the layouts differ: {all:#?}");
    all.remove(0)
}

fn fate(path: &str, layer: u64, state: &str, by: Option<u64>) -> (String, u64, String, Option<u64>) {
    (path.to_owned(), layer, state.to_owned(), by)
}

fn secret() -> String {
    format!("GITHUB_TOKEN={}\n", token("fates"))
}

#[test]
fn present_deleted_overwritten() {
    let image = TestImage::new()
        .layer([put("a", secret()), put("b", secret()), put("d/c", secret()), put("e", secret())])
        .layer([rm("b"), put("e", "x")])
        .layer([rm("d")]);
    assert_eq!(
        reported(image),
        [
            fate("a", 0, "present", None),
            fate("b", 0, "deleted whiteout", Some(1)),
            fate("d/c", 0, "deleted parent-removed", Some(2)),
            fate("e", 0, "overwritten", Some(1))
        ]
    );
}

#[test]
fn opaque_directories_hide_what_is_below_and_not_what_comes_with_them() {
    let image = TestImage::new().layer([put("d/a", secret()), put("d/s/b", secret()), put("da", secret())]).layer([
        dir("d"),
        opaque("d"),
        put("d/new", secret()),
    ]);
    assert_eq!(
        reported(image),
        [
            fate("d/a", 0, "deleted opaque", Some(1)),
            fate("d/new", 1, "present", None),
            fate("d/s/b", 0, "deleted opaque", Some(1)),
            fate("da", 0, "present", None)
        ]
    );
}

#[test]
fn another_type_takes_the_path_or_the_parents() {
    let image = TestImage::new().layer([put("f", secret()), put("d/a", secret()), put("e", secret()), put("p/q", secret())]).layer([
        dir("f"),
        put("d", "now a file"),
        symlink("e", "/etc"),
        symlink("p", "/etc"),
    ]);
    let replaced = |path| fate(path, 0, "replaced", Some(1));
    assert_eq!(reported(image), [replaced("d/a"), replaced("e"), replaced("f"), replaced("p/q")]);
}

#[test]
fn a_rewrite_with_the_same_content_is_one_finding() {
    let image = TestImage::new().layer([put("a", secret())]).layer([put("a", secret())]).layer([put("a", secret())]).layer([rm("a")]);
    let report = run_with(["scan", "-", "--format", "json"], &image.docker_save()).json();
    assert_eq!(fates(&report), [fate("a", 0, "deleted whiteout", Some(3))]);
    assert_eq!(report["findings"][0]["rewritten_in"], serde_json::json!([1, 2]));
}

#[test]
fn a_changed_file_that_still_holds_it_keeps_it() {
    let image = TestImage::new().layer([put("a", secret())]).layer([put("a", secret() + "DEBUG=1\n")]);
    assert_eq!(reported(image), [fate("a", 0, "present", None), fate("a", 1, "present", None)]);
}

#[test]
fn a_copy_that_is_left_is_said() {
    let image = TestImage::new().layer([put("tmp/key", secret())]).layer([rm("tmp/key"), put("root/key", secret())]);
    let report = run_with(["scan", "-", "--format", "json"], &image.docker_save()).json();
    assert_eq!(fates(&report), [fate("root/key", 1, "present", None), fate("tmp/key", 0, "deleted whiteout", Some(1))]);
    let moved = report["findings"].as_array().expect("findings").iter().find(|f| f["location"]["path"] == "tmp/key").expect("the old name");
    assert_eq!(moved["also_visible"], serde_json::json!(["root/key"]));
}

#[test]
fn a_hard_link_keeps_the_content_that_it_was_made_of() {
    let image = TestImage::new().layer([put("f", secret()), hard_link("g", "f")]).layer([put("f", "changed")]);
    assert_eq!(reported(image), [fate("f", 0, "overwritten", Some(1)), fate("g", 0, "present", None)]);
    let image = TestImage::new().layer([put("f", secret()), hard_link("g", "f"), put("f", "changed")]);
    assert_eq!(reported(image), [fate("f", 0, "superseded", Some(0)), fate("g", 0, "present", None)]);
}

#[test]
fn what_one_layer_holds_twice_is_superseded() {
    let image = TestImage::new().layer([put("a", secret()), put("a", "x"), put("d", secret()), put("d/x", "x")]);
    assert_eq!(reported(image), [fate("a", 0, "superseded", Some(0)), fate("d", 0, "superseded", Some(0))]);
}

#[test]
fn a_whiteout_never_hits_its_own_layer() {
    let image = TestImage::new().layer([put("a", "old")]).layer([put("a", secret()), rm("a")]);
    assert_eq!(reported(image), [fate("a", 1, "present", None)]);
}

#[test]
fn nothing_hides_in_a_whiteout_or_behind_the_end() {
    let mut with_tail = crate::support::layer_tar(&[put("a", "x")]);
    with_tail.extend_from_slice(&crate::support::layer_tar(&[put("b", secret())]));
    let image = TestImage::new().step("/bin/sh -c x", &with_tail);
    assert_eq!(reported(image), [fate("#trailing", 0, "hidden", None)]);
    let whiteout = format!("d/.{}.gone", "wh");
    let image = TestImage::new().layer([put(&whiteout, secret())]);
    assert_eq!(reported(image), [fate("d/gone", 0, "hidden", None)]);
}

#[test]
fn created_and_removed_in_one_step_is_no_finding() {
    let image = TestImage::new().layer([put("a", "x")]).layer([put("b", "y"), rm("c")]);
    let run = run_with(["scan", "-"], &image.docker_save());
    assert_eq!((run.code, reported(image)), (0, vec![]), "{}", run.stdout);
}

#[test]
fn where_engines_disagree_it_is_said_and_both_gates_hold() {
    for (what, second) in [
        ("device", vec![device("d/a")]),
        ("device above", vec![device("d")]),
        ("opaque root", vec![opaque(""), put("x", "y")]),
        ("made again without a marker", vec![rm("d"), put("d/new", "y")]),
    ] {
        let image = TestImage::new().layer([put("d/a", secret())]).entries(&second).docker_save();
        let report = run_with(["scan", "-", "--format", "json"], &image).json();
        let finding = &report["findings"][0];
        assert_eq!(
            (finding["fate"]["state"].as_str(), finding["engine_dependent"].is_string()),
            (Some("deleted"), true),
            "{what}: {finding:#}"
        );
        for gate in ["present", "hidden"] {
            assert_eq!(run_with(["scan", "-", "--fail-on", gate], &image).code, 1, "{what} {gate}");
        }
    }
}

#[test]
fn a_rewrite_hides_nothing_else_of_its_layer() {
    let hint = "password=changeme\n";
    let image = TestImage::new().layer([put("a", hint)]).layer([put("a", secret()), put("a", hint)]);
    assert_eq!(reported(image), [fate("a", 1, "superseded", Some(1))]);
}

/// What other tools got wrong (formats.md, part 14), by the number there.
#[test]
fn bugs_of_others() {
    use crate::raw::{Raw, directory, file, hard_link, named, symlink as link, tar};
    let name = |template: &str| String::from_utf8(named(template)).expect("ASCII");
    let wh = |path: &str| file(&name(path), "");
    let base =
        || tar(&[directory("a"), file("a/foo", secret()), directory("target"), file("target/keep.txt", secret()), link("link", "target")]);
    let images: Vec<(&str, Vec<Vec<u8>>, Vec<_>)> = vec![
        (
            "8: a directory that was removed is made again two layers later",
            vec![base(), tar(&[wh("$wha")]), tar(&[file("a/baz", "x")])],
            vec![fate("a/foo", 0, "deleted parent-removed", Some(1)), fate("target/keep.txt", 0, "present", None)],
        ),
        (
            "9: an opaque marker in the only layer",
            vec![tar(&[wh("a/$wh$wh.opq"), file("a/foo", secret())])],
            vec![fate("a/foo", 0, "present", None)],
        ),
        (
            "15: an opaque directory in place of a link empties not what the link leads to",
            vec![base(), tar(&[directory("link"), wh("link/$wh$wh.opq")])],
            vec![fate("a/foo", 0, "present", None), fate("target/keep.txt", 0, "present", None)],
        ),
        (
            "17: a whiteout and a path below it in one layer",
            vec![tar(&[file("a/b", secret())]), tar(&[wh("a/$whb"), file("a/b/c/d", secret())])],
            vec![fate("a/b", 0, "deleted whiteout", Some(1)), fate("a/b/c/d", 1, "present", None)],
        ),
        (
            "18: an opaque directory with a link that was there before",
            vec![
                tar(&[directory("d"), link("d/l", "x"), file("d/f", secret())]),
                tar(&[directory("d"), wh("d/$wh$wh.opq"), link("d/l", "y")]),
            ],
            vec![fate("d/f", 0, "deleted opaque", Some(1))],
        ),
        (
            "19: whiteouts with a link's type and target",
            vec![
                base(),
                tar(&[
                    Raw::new("a/$whfoo", b'1', "").link("target/$whx").blocks(),
                    Raw::new("target/$whkeep.txt", b'0', "").link("d").blocks(),
                ]),
            ],
            vec![fate("a/foo", 0, "deleted whiteout", Some(1)), fate("target/keep.txt", 0, "deleted whiteout", Some(1))],
        ),
        (
            "22: a symbolic link over a file, and a file over a symbolic link",
            vec![base(), tar(&[link("a/foo", "/x"), file("link", secret())])],
            vec![fate("a/foo", 0, "replaced", Some(1)), fate("link", 1, "present", None), fate("target/keep.txt", 0, "present", None)],
        ),
        (
            "24: a hard link in a directory without an entry",
            vec![tar(&[file("f", secret()), hard_link("x/y/l", "f")])],
            vec![fate("f", 0, "present", None), fate("x/y/l", 0, "present", None)],
        ),
    ];
    for (what, layers, expected) in images {
        let image = layers.iter().fold(TestImage::new(), |image, layer| image.step("/bin/sh -c x", layer));
        assert_eq!(reported(image), expected, "{what}");
    }
    // 23: a hard link to a symbolic link is not broken, be it in the same layer or in a lower one.
    let (symbolic, hard) = (link("l", "/x"), hard_link("m", "l"));
    for layers in [vec![tar(&[symbolic.clone(), hard.clone()])], vec![tar(&[symbolic]), tar(&[hard])]] {
        let image = layers.iter().fold(TestImage::new(), |image, layer| image.step("/bin/sh -c x", layer));
        let report = run_with(["scan", "-", "--format", "json"], &image.docker_save()).json();
        assert_eq!((codes(&report), &report["verdict"]), (vec![], &"clean".into()), "{report:#}");
    }
}
