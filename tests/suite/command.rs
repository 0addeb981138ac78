//! The command line: targets, options, exit codes, output.

use crate::support::{Packing, TestImage, file, put, rm, run, run_with, temporary, token, unpack};

fn image() -> TestImage {
    TestImage::new().layer([put("app/.env", format!("GITHUB_TOKEN={}\n", token("command")))]).layer([rm("app/.env")])
}

fn clean() -> TestImage {
    TestImage::new().layer([put("etc/os-release", "ID=test\n")])
}

#[test]
fn a_file_a_directory_and_a_pipe_give_the_same() {
    let dir = temporary();
    for (name, archive) in image().layouts() {
        let path = file(dir.path(), "image.tar", &archive);
        let strip = |mut report: serde_json::Value| {
            let source = report["images"][0]["source"].take();
            report["findings"][0]["retrieve"].take();
            report["coverage"]["bytes_read"].take();
            report["coverage"]["bytes_scanned"].take();
            report["notes"].as_array_mut().expect("notes").iter_mut().for_each(|note| drop(note["source"].take()));
            (source.is_string(), report)
        };
        let from_file = strip(run(["scan", &path, "--format", "json"]).json());
        assert_eq!(from_file, strip(run_with(["scan", "-", "--format", "json"], &archive).json()), "{name}");
    }
    unpack(&image().oci_archive(Packing::Gzip), &dir.path().join("layout"));
    let report = run(["scan", &dir.path().join("layout").display().to_string(), "--format", "json"]).json();
    assert_eq!(report["findings"][0]["fate"]["state"], "deleted");
    assert_eq!(report["complete"], true);
}

#[test]
fn the_command_that_is_printed_gets_the_secret_back() {
    let dir = temporary();
    for packing in [Packing::None, Packing::Gzip] {
        let path = file(dir.path(), "image.tar", &image().oci_archive(packing));
        let report = run(["scan", &path, "--format", "json"]).json();
        let command = report["findings"][0]["retrieve"].as_str().expect("a command");
        let output = std::process::Command::new("sh").args(["-c", command]).output().expect("a shell");
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("GITHUB_TOKEN={}\n", token("command")), "{command}");
    }
    let superseded = TestImage::new().layer([put("a b", format!("{}\n", token("command"))), put("a b", "x")]);
    let path = file(dir.path(), "superseded.tar", &superseded.docker_save());
    let report = run(["scan", &path, "--format", "json"]).json();
    let command = report["findings"][0]["retrieve"].as_str().expect("a command");
    let output = std::process::Command::new("sh").args(["-c", command]).output().expect("a shell");
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{}\n", token("command")), "{command}");
}

#[test]
fn exit_codes() {
    let dir = temporary();
    let found = file(dir.path(), "found.tar", &image().docker_save());
    let clean = file(dir.path(), "clean.tar", &clean().docker_save());
    for (arguments, code) in [
        (vec!["scan", &clean], 0),
        (vec!["scan", &found], 1),
        (vec!["scan", &found, "--fail-on", "none"], 0),
        (vec!["scan", &found, "--fail-on", "present"], 0),
        (vec!["scan", &found, "--fail-on", "hidden"], 1),
        (vec!["scan", &found, "--exit-code", "7"], 7),
        (vec!["scan", &found, "--exit-code", "3"], 2),
        (vec!["scan", &clean, &found], 1),
        (vec!["scan"], 2),
        (vec!["scan", "./does-not-exist"], 2),
        (vec!["scan", &found, "--rules", "./does-not-exist"], 2),
        (vec!["scan", &found, "--disable", "no-such-rule"], 2),
        (vec!["scan", "-", "-"], 2),
        (vec!["--help"], 0),
        (vec!["--version"], 0),
    ] {
        let output = std::process::Command::new(crate::support::program()).args(&arguments).output().expect("the program runs");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let passed = run(["scan", &found, "--fail-on", "present", "--format", "json"]).json();
    assert_eq!((&passed["verdict"], &passed["complete"]), (&"passed".into(), &true.into()));
}

#[test]
fn what_is_no_image_is_an_error_and_never_clean() {
    let no_members = crate::support::archive(&[]);
    let no_layers = crate::support::archive(&[("manifest.json".into(), b"[]".to_vec())]);
    let not_json = crate::support::archive(&[("manifest.json".into(), b"{".to_vec())]);
    for (name, bytes) in
        [("empty", vec![]), ("text", b"hello".repeat(300)), ("zeros", no_members), ("no image", no_layers), ("not JSON", not_json)]
    {
        let run = run_with(["scan", "-"], &bytes);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{name}: {}", run.stderr);
        assert!(run.stderr.starts_with("pentimento: "), "{name}: {}", run.stderr);
    }
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_reported() {
    let archive = image().oci_archive(Packing::Gzip);
    let mut members = crate::support::members(&archive);
    members[0].1.truncate(40);
    let cut = run_with(["scan", "-", "--format", "json"], &crate::support::archive(&members));
    assert_eq!(cut.code, 3, "{}", cut.stdout);
    let codes = |report: &serde_json::Value| {
        report["problems"]
            .as_array()
            .expect("problems")
            .iter()
            .map(|p| p["code"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(codes(&cut.json()).contains(&"truncated".to_owned()), "{:?}", codes(&cut.json()));
    assert_eq!((&cut.json()["verdict"], &cut.json()["complete"]), (&"incomplete".into(), &false.into()));

    let half = &image().docker_save()[..1500];
    let run = run_with(["scan", "-", "--format", "json"], half);
    assert_eq!(
        (run.code, run.json()["findings"][0]["fate"]["state"].as_str()),
        (1, Some("hidden")),
        "cut before the manifest: {}",
        run.stderr
    );

    let mut missing = crate::support::members(&image().docker_save());
    missing.remove(1);
    let run = run_with(["scan", "-", "--format", "json"], &crate::support::archive(&missing));
    assert_eq!((run.code, codes(&run.json())), (1, vec!["layer-missing".to_owned()]));

    let mut changed = crate::support::members(&image().docker_save());
    let at = changed[0].1.len() - 1;
    changed[0].1[at] = b'x';
    let run = run_with(["scan", "-", "--format", "json"], &crate::support::archive(&changed));
    assert_eq!((run.code, codes(&run.json())), (1, vec!["diff-id-mismatch".to_owned()]));
}

#[test]
fn archives_that_lie_are_never_clean() {
    let honest = crate::support::members(&clean().docker_save());
    let [layer, config, manifest] = [0, 1, 2].map(|at| honest[at].clone());
    let renamed = |with: &str| {
        let text = String::from_utf8_lossy(&manifest.1).replace(&layer.0, with).into_bytes();
        (manifest.0.clone(), text)
    };
    let other = crate::support::layer_tar(&[put("other", "x")]);
    for (what, members, code) in [
        ("no config", vec![layer.clone(), manifest.clone()], "blob-missing"),
        ("a config that is no JSON", vec![layer.clone(), (config.0.clone(), b"x".to_vec()), manifest.clone()], "blob-missing"),
        ("a config without rootfs", vec![layer.clone(), (config.0.clone(), b"{}".to_vec()), manifest.clone()], "invalid-document"),
        ("a layer that is JSON", vec![(layer.0.clone(), b"{\"a\": 1}".to_vec()), config.clone(), manifest.clone()], "diff-id-mismatch"),
        ("an empty layer", vec![(layer.0.clone(), vec![]), config.clone(), manifest.clone()], "diff-id-mismatch"),
        (
            "a config that names a key twice",
            vec![layer.clone(), (config.0.clone(), [b"{\"config\": {}, ", &config.1[1..]].concat()), manifest.clone()],
            "blob-missing",
        ),
        ("no layer", vec![config.clone(), manifest.clone()], "layer-missing"),
        ("a layer outside", vec![layer.clone(), config.clone(), renamed("../../etc/passwd")], "layer-missing"),
        ("a layer twice", vec![(layer.0.clone(), other), layer.clone(), config.clone(), manifest.clone()], "duplicate-member"),
        ("compress", vec![(layer.0.clone(), b"\x1f\x9d\x90....".to_vec()), config.clone(), manifest.clone()], "unsupported-compression"),
        ("a cut bzip2", vec![(layer.0.clone(), b"BZh91AY&SY....".to_vec()), config.clone(), manifest.clone()], "truncated"),
    ] {
        let run = run_with(["scan", "-", "--format", "json"], &crate::support::archive(&members));
        let report = run.json();
        let codes: Vec<&str> = report["problems"].as_array().expect("problems").iter().filter_map(|p| p["code"].as_str()).collect();
        assert!(run.code == 3 && codes.contains(&code), "{what}: exit {} {codes:?}", run.code);
    }
}

#[test]
fn a_document_in_a_layers_place_is_searched() {
    let mut members = crate::support::members(&clean().docker_save());
    members[0].1 = format!("{{\"token\": \"{}\"}}", token("document")).into_bytes();
    let report = run_with(["scan", "-", "--format", "json"], &crate::support::archive(&members)).json();
    assert_eq!(report["findings"][0]["location"]["pointer"], "/token", "{report:#}");
}

#[test]
fn a_cut_archive_is_never_clean() {
    let dir = temporary();
    for archive in [clean().docker_save(), clean().oci_archive(Packing::Zstd)] {
        let end = archive.iter().rposition(|b| *b != 0).expect("bytes");
        for cut in (1..end).step_by(500) {
            let path = file(dir.path(), "cut.tar", &archive[..cut]);
            for run in [run_with(["scan", "-"], &archive[..cut]), run(["scan", &path])] {
                assert!(matches!(run.code, 2 | 3), "{cut} of {end} bytes: exit {}: {} {}", run.code, run.stdout, run.stderr);
            }
        }
    }
}

#[test]
fn hostile_names_do_not_reach_the_terminal() {
    let image = TestImage::new().layer([put("a\x1b[31m\u{202e}/.env", format!("T={}\n", token("hostile")))]);
    let run = run_with(["scan", "-"], &image.docker_save());
    assert!(run.stdout.contains("a\\x1b[31m\\u{202e}/.env"), "{}", run.stdout);
    assert!(!run.stdout.contains('\x1b'));
    let report = run_with(["scan", "-", "--format", "json"], &image.docker_save()).json();
    assert_eq!(report["findings"][0]["location"]["path"], "a\x1b[31m\u{202e}/.env");
}

#[test]
fn colour_only_when_asked() {
    let archive = image().docker_save();
    assert!(!run_with(["scan", "-"], &archive).stdout.contains('\x1b'));
    assert!(run_with(["scan", "-", "--color", "always"], &archive).stdout.contains('\x1b'));
}

#[test]
fn a_report_file_is_whole() {
    let dir = temporary();
    let target = file(dir.path(), "image.tar", &image().docker_save());
    let out = dir.path().join("report.json").display().to_string();
    let run = run(["scan", &target, "--format", "json", "-o", &out]);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&out).expect("the report")).expect("JSON");
    assert_eq!(report["verdict"], "found");
    assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 2, "nothing else is left");
}

#[test]
fn reports_fit_the_schema_that_is_printed() {
    let schema: serde_json::Value = run(["schema"]).json();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for archive in [
        image().docker_save(),
        clean().docker_save(),
        crate::support::archive(&crate::support::members(&image().oci_archive(Packing::Zstd))[1..]),
    ] {
        for values in ["--show-secrets", "--quiet"] {
            let report = run_with(["scan", "-", "--format", "json", values, "--min-confidence", "low"], &archive).json();
            let errors: Vec<String> = validator.iter_errors(&report).map(|e| format!("{}: {e}", e.instance_path())).collect();
            assert!(errors.is_empty(), "{errors:?}");
        }
    }
}

#[test]
fn several_images_of_one_archive_have_their_own_fates() {
    let (one, two) = (image(), TestImage::new().layer([put("app/.env", format!("GITHUB_TOKEN={}\n", token("command")))]));
    let mut members = crate::support::members(&one.docker_save());
    let other = crate::support::members(&two.docker_save());
    let manifests: Vec<serde_json::Value> =
        [&members, &other].iter().map(|m| serde_json::from_slice(&m.last().expect("a manifest").1).expect("JSON")).collect();
    let both = serde_json::json!([manifests[0][0], manifests[1][0]]);
    members.pop();
    members.push(other[1].clone());
    members.push(("manifest.json".into(), both.to_string().into_bytes()));
    let report = run_with(["scan", "-", "--format", "json"], &crate::support::archive(&members)).json();
    let states: Vec<_> =
        report["findings"].as_array().expect("findings").iter().map(|f| (f["image"].as_u64(), f["fate"]["state"].as_str())).collect();
    assert_eq!(states, [(Some(0), Some("deleted")), (Some(1), Some("present"))]);
    assert_eq!(report["findings"][0]["id"], report["findings"][1]["id"]);
    assert_eq!(report["coverage"]["layers"], 2, "the shared layer is scanned once");
}

#[test]
fn ids_outlive_a_rebuild() {
    let line = |n: usize| format!("{}GITHUB_TOKEN={}\n", "X=1\n".repeat(n), token("command"));
    let id = |image: TestImage| run_with(["scan", "-", "--format", "json"], &image.docker_save()).json()["findings"][0]["id"].clone();
    let first = id(TestImage::new().layer([put("app/.env", line(0))]));
    assert_eq!(first, id(TestImage::new().layer([put("x", "y")]).layer([put("app/.env", line(3))])));
    assert_ne!(first, id(TestImage::new().layer([put("app/other", line(0))])));
}

#[test]
fn one_bad_target_does_not_lose_the_others() {
    let dir = temporary();
    let good = file(dir.path(), "good.tar", &image().docker_save());
    let run = run(["scan", &good, "./does-not-exist", "--format", "json"]);
    assert_eq!((run.code, run.json()["findings"].as_array().map(Vec::len)), (1, Some(1)), "{}", run.stderr);
    assert_eq!((&run.json()["problems"][0]["source"], &run.json()["complete"]), (&"./does-not-exist".into(), &false.into()));
    assert_eq!(crate::support::run(["scan", "./nothing", "./nothing-else"]).code, 2);
}

#[test]
fn an_output_never_takes_the_place_of_what_is_no_report() {
    let dir = temporary();
    let target = file(dir.path(), "image.tar", &image().docker_save());
    assert_eq!(run(["scan", &target, "-o", &target]).code, 2);
    assert_eq!(std::fs::read(&target).expect("the target"), image().docker_save());
    #[cfg(unix)]
    {
        let link = dir.path().join("link.json");
        let real = file(dir.path(), "real.json", b"old");
        std::os::unix::fs::symlink(&real, &link).expect("a link");
        assert_eq!(run(["scan", &target, "--format", "json", "-o", &link.display().to_string()]).code, 1);
        assert!(link.symlink_metadata().expect("the link").is_symlink());
        assert!(std::fs::read_to_string(&real).expect("the report").contains("\"verdict\""));
        assert_eq!(run(["scan", &target, "-o", "/dev/null"]).code, 1);
        use std::os::unix::fs::FileTypeExt;
        assert!(std::fs::metadata("/dev/null").expect("the device").file_type().is_char_device());
    }
}

#[test]
fn nothing_is_exempt_by_its_name() {
    let secret = format!("TOKEN={}\n", token("exempt"));
    let mut with = crate::support::members(&clean().docker_save());
    for name in ["x/VERSION", "version", "repositories", "oci-layout"] {
        with.push((name.to_owned(), secret.clone().into_bytes()));
        assert_eq!(run_with(["scan", "-"], &crate::support::archive(&with)).code, 1, "{name}");
        with.pop();
    }
    let behind = [crate::support::pack(&clean().docker_save(), Packing::Gzip), secret.into_bytes()].concat();
    assert_eq!(run_with(["scan", "-"], &behind).code, 1, "bytes behind a compressed archive");
}

#[test]
fn a_cut_document_is_not_taken_for_a_file() {
    let mut members = crate::support::members(&clean().docker_save());
    let json = format!("{{\"a\": \"{}\"}}", (0..2000).map(|i| format!("{}", i * 7919)).collect::<String>());
    let packed = crate::support::pack(json.as_bytes(), Packing::Gzip);
    members.push(("u.json.gz".to_owned(), packed[..packed.len() / 2].to_vec()));
    let run = run_with(["scan", "-"], &crate::support::archive(&members));
    assert_eq!(run.code, 3, "{}", run.stdout);
}

#[test]
fn names_and_platforms_are_redacted_too() {
    let secret = token("name");
    let mut members = crate::support::members(&TestImage::new().layer([put("a", format!("T={secret}\n"))]).docker_save());
    members.insert(0, (format!("{secret}.txt"), format!("T={secret}\n").into_bytes()));
    for format in ["json", "human"] {
        let run = run_with(["scan", "-", "--format", format], &crate::support::archive(&members));
        assert!(run.code == 1 && !run.stdout.contains(&secret), "{}", run.stdout);
    }
}
