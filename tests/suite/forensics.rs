//! What is told of an image's life: its layers, what is hidden in it, the history of a path, how it differs from another, what is odd.

use crate::support::{TestImage, dir, file, put, rm, run, run_with, symlink, temporary, token};
use serde_json::{Value, json};

fn line(seed: &str) -> String {
    format!("GITHUB_TOKEN={}\n", token(seed))
}

fn image() -> TestImage {
    TestImage::new()
        .step(
            "/bin/sh -c #(nop) COPY dir:x in /",
            &crate::support::layer_tar(&[put("app/.env", line("env")), put("keep", "k"), put("big", "x".repeat(5000)), dir("d")]),
        )
        .step("/bin/sh -c chmod 600 keep; echo x > big", &crate::support::layer_tar(&[put("keep", "k"), put("big", "y"), put("new", "n")]))
        .step("/bin/sh -c rm /app/.env", &crate::support::layer_tar(&[rm("app/.env"), symlink("new", "keep")]))
}

#[test]
fn layers_tell_the_life_of_an_image() {
    let place = temporary();
    let target = file(place.path(), "image.tar", &image().docker_save());
    let lives = run(["layers", &target, "--json"]).json();
    let layers = lives[0]["layers"].as_array().expect("layers");
    let told = |layer: &Value| -> Vec<u64> {
        ["added", "changed", "rewritten", "removed", "hidden", "hidden_bytes", "secrets_born", "secrets_hidden"]
            .iter()
            .map(|key| layer[*key].as_u64().expect("a number"))
            .collect()
    };
    let env = line("env").len() as u64;
    assert_eq!(told(&layers[0]), [3, 0, 0, 0, 2, env + 5000, 1, 0]);
    assert_eq!(told(&layers[1]), [1, 1, 1, 0, 1, 1, 0, 0]);
    assert_eq!(told(&layers[2]), [0, 1, 0, 1, 0, 0, 0, 1]);
    assert_eq!(layers[2]["instruction"], "RUN rm /app/.env");
    assert_eq!(layers[0]["base"], Value::Null);
    // The same from a pipe, and what people read.
    assert_eq!(run_with(["layers", "-", "--json"], &image().docker_save()).json()[0]["layers"], lives[0]["layers"]);
    let files = run(["layers", &target, "--files", "0"]);
    assert_eq!(files.code, 0, "{}", files.stderr);
    assert!(files.stdout.contains("app/.env  deleted by layer 2  1 secret"), "{}", files.stdout);
    assert!(files.stdout.contains("big  overwritten by layer 1"), "{}", files.stdout);
    assert_eq!(run(["layers", &target, "--files", "3"]).code, 2);
}

#[test]
fn the_base_is_told_by_its_layers() {
    let place = temporary();
    let base =
        TestImage::new().layer([put("etc/base.env", line("base"))]).config(json!({ "Env": [format!("TOKEN={}", token("of base"))] }));
    let own = base.clone().layer([put("own.env", line("own"))]);
    let (base, own) = (file(place.path(), "base.tar", &base.docker_save()), file(place.path(), "own.tar", &own.docker_save()));
    let report = run(["scan", &own, "--base", &base, "--format", "json"]).json();
    let paths: Vec<&Value> = report["findings"].as_array().expect("findings").iter().map(|f| &f["location"]["path"]).collect();
    assert_eq!(paths, [&json!("own.env")]);
    assert_eq!(report["suppressed"], json!([{ "reason": "base", "count": 2 }]));
    let layers: Vec<&Value> = report["images"][0]["layers"].as_array().expect("layers").iter().map(|layer| &layer["base"]).collect();
    assert_eq!(layers, [true, false]);
    assert!(run(["scan", &own, "--base", &base]).stdout.contains("NOT shown: 2 findings that came with the base image"));
    let told = run(["layers", &own, "--base", &base]);
    assert!(told.stdout.contains("the first 1 layer came with the base"), "{}", told.stdout);
    // Another image shares nothing: nothing is left out, and that is said.
    let other = file(place.path(), "other.tar", &TestImage::new().layer([put("x", "y")]).docker_save());
    let report = run(["scan", &own, "--base", &other, "--format", "json"]).json();
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(3));
    assert!(report["notes"].as_array().expect("notes").iter().any(|note| note["code"] == "base-differs"));
    // The base alone passes, and is not called clean.
    let alone = run(["scan", &base, "--base", &base, "--format", "json"]);
    assert_eq!((alone.code, &alone.json()["verdict"]), (0, &json!("passed")));
}

#[test]
fn a_declared_diff_id_makes_no_base() {
    let place = temporary();
    let base = TestImage::new().layer([put("etc/base", "b")]);
    let forged = TestImage::new().layer([put("etc/evil.env", line("evil"))]);
    // The forged image calls its layer what the base's is called.
    let text = String::from_utf8_lossy(&forged.docker_save()).into_owned();
    let id = |image: &TestImage| pentimento::digest::Digest::sha256(&crate::support::members(&image.docker_save())[0].1).to_string();
    let forged_bytes = text.replace(&id(&forged), &id(&base)).into_bytes();
    let (base, forged) = (file(place.path(), "base.tar", &base.docker_save()), file(place.path(), "forged.tar", &forged_bytes));
    let report = run(["scan", &forged, "--base", &base, "--format", "json"]).json();
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(1), "{report:#}");
}

#[test]
fn hidden_files_come_by_how_much_they_look_hidden() {
    let place = temporary();
    let image = TestImage::new()
        .layer([
            put("var/cache/apt/x.bin", "cache"),
            put("root/.ssh/id_ed25519", "no rule knows this"),
            put("app/.env", line("env")),
            put("notes", "n"),
            put("empty", ""),
        ])
        .layer([rm("var/cache/apt/x.bin"), rm("root/.ssh/id_ed25519"), rm("app/.env"), rm("notes"), rm("empty")]);
    let target = file(place.path(), "image.tar", &image.docker_save());
    let hidden = run(["hidden", &target, "--json"]).json();
    let paths = |hidden: &Value| -> Vec<String> {
        hidden[0]["files"].as_array().expect("files").iter().map(|file| file["path"].as_str().expect("a path").to_owned()).collect()
    };
    assert_eq!(paths(&hidden), ["app/.env", "root/.ssh/id_ed25519", "notes", "var/cache/apt/x.bin", "empty"], "{hidden:#}");
    for (arguments, expected) in [
        (["--path", "**/.ssh/*"], vec!["root/.ssh/id_ed25519"]),
        (["--path", "*.bin"], vec!["var/cache/apt/x.bin"]),
        (["--min-size", "10"], vec!["app/.env", "root/.ssh/id_ed25519"]),
        (["--max-size", "0"], vec!["empty"]),
        (["--layer", "1"], vec![]),
        (["--hidden-by", "1"], vec!["app/.env", "root/.ssh/id_ed25519", "notes", "var/cache/apt/x.bin", "empty"]),
    ] {
        assert_eq!(paths(&run(["hidden", &target, "--json", arguments[0], arguments[1]]).json()), expected, "{arguments:?}");
    }
    let told = run(["hidden", &target, "--top", "1"]);
    assert!(told.stdout.contains("5 files hidden") && told.stdout.contains("and 4 others"), "{}", told.stdout);
}

#[test]
fn a_path_has_a_history() {
    let place = temporary();
    let target = file(place.path(), "image.tar", &image().docker_save());
    let of = |path: &str| run(["history", &target, path, "--json"]).json()[0]["versions"].as_array().expect("versions").clone();
    let env = of("/app/.env");
    assert_eq!(
        (&env[0]["type"], &env[0]["fate"]["by_layer"], &env[0]["findings"].as_array().map(Vec::len)),
        (&json!("file"), &json!(2), &Some(1))
    );
    assert_eq!(env[0]["sha256"], pentimento::digest::Digest::sha256(line("env").as_bytes()).encoded());
    assert_eq!((&env[1]["type"], &env[1]["layer"]), (&json!("whiteout"), &json!(2)));
    assert_eq!(of("keep")[0]["rewritten_in"], json!([1]));
    let new = of("new");
    assert_eq!(
        (&new[0]["fate"]["state"], &new[1]["type"], &new[1]["fate"]["state"]),
        (&json!("replaced"), &json!("symlink"), &json!("present"))
    );
    assert!(run(["history", &target, "keep"]).stdout.contains("written again with the same content in layer 1"));
    let pipe = run_with(["history", "-", "keep", "--json"], &image().docker_save()).json();
    assert_eq!((&pipe[0]["versions"][0]["sha256"], &pipe[0]["versions"][0]["fate"]["state"]), (&Value::Null, &json!("present")));
    assert_eq!(run(["history", &target, "nothing"]).code, 2);
}

#[test]
fn two_images_differ_by_their_secrets() {
    let place = temporary();
    let old = TestImage::new()
        .layer([
            put("same.env", line("same")),
            put("shown.env", line("shown")),
            put("gone.env", line("gone")),
            put("back.env", line("back")),
        ])
        .layer([rm("back.env")]);
    let new = TestImage::new()
        .layer([
            put("same.env", line("same")),
            put("shown.env", line("shown")),
            put("back.env", line("back")),
            put("added.env", line("added")),
        ])
        .layer([rm("shown.env")]);
    let (old, new) = (file(place.path(), "old.tar", &old.docker_save()), file(place.path(), "new.tar", &new.docker_save()));
    let difference = run(["diff", &old, &new, "--json"]);
    let json = difference.json();
    let paths = |key: &str| -> Vec<&str> {
        json[key].as_array().expect("a list").iter().map(|f| f["location"]["path"].as_str().expect("a path")).collect()
    };
    assert_eq!((paths("added"), paths("dropped")), (vec!["added.env"], vec!["gone.env"]));
    assert_eq!((paths("hidden"), paths("revealed"), &json["unchanged"]), (vec!["shown.env"], vec!["back.env"], &json!(1)));
    assert_eq!(difference.code, 0);
    assert_eq!(run(["diff", &old, &new, "--fail-on", "new"]).code, 1);
    assert_eq!(run(["diff", &old, &new, "--fail-on", "new", "--exit-code", "9"]).code, 9);
    assert_eq!(run(["diff", &old, &old, "--fail-on", "new"]).code, 0);
    assert!(!difference.stdout.contains(&token("added")));
    assert!(run(["diff", &old, &new, "--json", "--show-secrets"]).stdout.contains(&token("added")));
    // Half of an image is no ground for "nothing new".
    let cut = std::fs::read(&new).expect("a file");
    let half = file(place.path(), "half.tar", &cut[..cut.len() / 2]);
    let code = run(["diff", &old, &half]).code;
    assert!(code == 3, "{code}");
}

#[test]
fn what_is_odd_is_told_with_its_meaning() {
    let place = temporary();
    let odd = [crate::support::layer_tar(&[put("a", "b")]), b"smuggled".repeat(100)].concat();
    let target = file(place.path(), "image.tar", &TestImage::new().step("RUN odd", &odd).docker_save());
    let told = run(["inspect", &target]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    assert!(told.stdout.contains("note trailing-data") && told.stdout.contains("layer 0: "), "{}", told.stdout);
    let json = run(["inspect", &target, "--json"]).json();
    let trailing = json.as_array().expect("a list").iter().find(|oddity| oddity["code"] == "trailing-data").expect("one");
    assert!(trailing["meaning"].as_str().is_some_and(|text| text.len() > 40), "{trailing}");
    let bytes = std::fs::read(&target).expect("a file");
    let cut = file(place.path(), "cut.tar", &bytes[..bytes.len() / 2]);
    assert_eq!(run(["inspect", &cut]).code, 3);
}

#[test]
fn nothing_is_said_in_the_clear() {
    let place = temporary();
    let secret = token("clear");
    let image = TestImage::new()
        .step(
            &format!("/bin/sh -c echo {secret} > /{secret}"),
            &crate::support::layer_tar(&[put(&secret, line("clear")), put("f", line("clear"))]),
        )
        .step(&format!("/bin/sh -c rm /f # {secret}"), &crate::support::layer_tar(&[rm("f"), rm(&secret)]));
    let target = file(place.path(), "image.tar", &image.docker_save());
    for arguments in [
        vec!["layers", &target, "--files", "0"],
        vec!["layers", &target, "--json", "--files", "1"],
        vec!["hidden", &target],
        vec!["hidden", &target, "--json"],
        vec!["history", &target, "f"],
        vec!["history", &target, "f", "--json"],
        vec!["diff", &target, &target],
        vec!["inspect", &target],
        vec!["scan", &target, "--format", "json"],
    ] {
        let output = std::process::Command::new(crate::support::program()).args(&arguments).output().expect("it runs");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!said.is_empty() && !said.contains(&secret), "{arguments:?}: {said}");
    }
}
