//! Engines, containers, file systems and bare names.

use crate::raw::Raw;
use crate::server::{Answer, Log, Store, http, socket};
use crate::support::{
    Packing, Run, TestImage, archive, codes, dir, fates, file, layer_tar, members, program, put, rm, run, temporary, token,
};
use pentimento::digest::Digest;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn env_file(seed: &str) -> String {
    format!("GITHUB_TOKEN={}\n", token(seed))
}

fn image(seed: &str) -> Vec<u8> {
    TestImage::new().layer([put("app/.env", env_file(seed))]).layer([rm("app/.env")]).docker_save()
}

/// Runs the program with these variables, and no other that says where engines are.
fn run_in(variables: &[(&str, String)], arguments: &[&str]) -> Run {
    let mut command = Command::new(program());
    for name in ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "CONTAINER_HOST", "XDG_RUNTIME_DIR", "DOCKER_TLS_VERIFY"] {
        command.env_remove(name);
    }
    Run::of(command.args(arguments).envs(variables.iter().cloned()).output().expect("the program runs"))
}

/// An engine with one image, and one container.
fn engine(at: &Path, name: &'static str, archive: Vec<u8>) -> Log {
    let log = Log::default();
    let seen = log.clone();
    let export = layer_tar(&[dir("app"), put("app/.env", env_file("container")), put("etc/base", env_file("of the image"))]);
    socket(at, move |request| {
        log.add(request);
        let known = |path: &str| request.path.replace("%3A", ":") == format!("{path}{name}/json");
        match request.path.as_str() {
            _ if known("/images/") => Answer::of(200, json!({ "Id": "sha256:1" }).to_string()),
            path if path.starts_with("/images/get?names=") => Answer::of(200, archive.clone()),
            "/images/json" => Answer::of(200, json!([{ "Id": "sha256:1", "RepoTags": [name] }]).to_string()),
            "/containers/web/json" => {
                let env = [format!("GH_TOKEN={}", token("created")), format!("OF_IMAGE={}", token("of the image"))];
                let mounts = json!([{ "Type": "volume", "Destination": "/data" }]);
                Answer::of(200, json!({ "Image": "sha256:1", "Config": { "Env": env, "Cmd": ["x"] }, "Mounts": mounts }).to_string())
            }
            "/images/sha256%3A1/json" => {
                Answer::of(200, json!({ "Config": { "Env": [format!("OF_IMAGE={}", token("of the image"))], "Cmd": ["x"] } }).to_string())
            }
            "/containers/web/changes" => {
                let changes = json!([{ "Path": "/app", "Kind": 0 }, { "Path": "/app/.env", "Kind": 1 }, { "Path": "/gone", "Kind": 2 }]);
                Answer::of(200, changes.to_string())
            }
            "/containers/web/export" => Answer::of(200, export.clone()),
            _ => Answer::of(404, json!({ "message": "no such thing" }).to_string()),
        }
    });
    seen
}

#[test]
fn an_engine_exports_and_nothing_is_stored() {
    let place = temporary();
    let at = place.path().join("docker.sock");
    engine(&at, "app:v1", image("engine"));
    let host = [("DOCKER_HOST", format!("unix://{}", at.display()))];
    let report = run_in(&host, &["scan", "docker://app:v1", "--format", "json"]).json();
    assert_eq!(report["complete"], true, "{report:#}");
    assert_eq!(fates(&report)[0].2, "deleted whiteout");
    let retrieve = report["findings"][0]["retrieve"].as_str().expect("a command");
    assert!(retrieve.starts_with("docker save app:v1 | tar -xOf - "), "{retrieve}");
    let id = report["findings"][0]["id"].as_str().expect("an id");
    assert_eq!(run_in(&host, &["recover", "docker://app:v1", id]).stdout, env_file("engine"));
    let missing = run_in(&host, &["scan", "docker://other"]);
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("no such thing"), "{}", missing.stderr);
    let away = run_in(&[("DOCKER_HOST", "unix:///nowhere/docker.sock".to_owned())], &["scan", "docker://app:v1"]);
    assert_eq!(away.code, 2);
}

/// A program called `ssh` stands for the real one: it keeps what it is called with, and answers for the engine.
#[test]
fn an_engine_is_asked_through_ssh() {
    let place = temporary();
    let answer = |name: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        file(place.path(), name, &[head.as_bytes(), body].concat())
    };
    let (known, image) = (answer("known", b"{}"), answer("image", &image("ssh")));
    let called = place.path().join("called");
    let ssh = format!(
        "#!/bin/sh\necho \"$@\" >>'{}'\nread method path rest\ncase $path in */json) cat '{known}';; *) cat '{image}';; esac\n",
        called.display()
    );
    executable(place.path(), "ssh", &ssh);
    let path = std::env::var("PATH").unwrap_or_default();
    let path = |place: &Path| ("PATH", format!("{}:{path}", place.display()));
    let host = ("DOCKER_HOST", "ssh://me@box:2222".to_owned());
    let report = run_in(&[host.clone(), path(place.path())], &["scan", "docker://app:v1", "--format", "json"]).json();
    assert_eq!((&report["complete"], &fates(&report)[0].2[..]), (&json!(true), "deleted whiteout"), "{report:#}");
    let called = std::fs::read_to_string(called).expect("it was called");
    assert_eq!(called.lines().next(), Some("-T -o ConnectTimeout=30 -l me -p 2222 -- box docker system dial-stdio"));
    let away = run_in(&[host.clone(), path(place.path())], &["scan", "docker://app:v1", "--offline"]);
    assert!(away.code == 2 && away.stderr.contains("--offline"), "{}", away.stderr);

    let refusing = temporary();
    executable(refusing.path(), "ssh", "#!/bin/sh\necho once >>\"$0.log\"\nexit 255\n");
    let failed = run_in(&[host, path(refusing.path())], &["scan", "docker://app:v1"]);
    assert!(failed.code == 2 && failed.stderr.contains("without an answer"), "{}", failed.stderr);
    assert_eq!(std::fs::read_to_string(refusing.path().join("ssh.log")).expect("a log"), "once\n", "it may ask for a password: once");
}

/// Writes a program.
fn executable(dir: &Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = file(dir, name, text.as_bytes());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("permissions");
}

#[test]
fn contexts_and_other_engines_are_found() {
    let place = temporary();
    let at = place.path().join("docker.sock");
    engine(&at, "app:v1", image("context"));
    let id = Digest::sha256(b"mine").encoded();
    let meta = place.path().join("contexts/meta").join(id);
    std::fs::create_dir_all(&meta).expect("a directory");
    let endpoint = json!({ "Name": "mine", "Endpoints": { "docker": { "Host": format!("unix://{}", at.display()) } } });
    file(&meta, "meta.json", endpoint.to_string().as_bytes());
    let config = ("DOCKER_CONFIG", place.path().display().to_string());
    let named = run_in(&[config.clone(), ("DOCKER_CONTEXT", "mine".to_owned())], &["scan", "docker://app:v1"]);
    assert_eq!(named.code, 1, "{}", named.stderr);
    file(place.path(), "config.json", json!({ "currentContext": "mine" }).to_string().as_bytes());
    assert_eq!(run_in(std::slice::from_ref(&config), &["scan", "docker://app:v1"]).code, 1);
    let unknown = run_in(&[config, ("DOCKER_CONTEXT", "other".to_owned())], &["scan", "docker://app:v1"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("context other"), "{}", unknown.stderr);
    let podman = run_in(&[("CONTAINER_HOST", format!("unix://{}", at.display()))], &["scan", "podman://app:v1"]);
    assert_eq!(podman.code, 1, "{}", podman.stderr);
}

#[test]
fn of_a_container_what_it_changed_is_read() {
    let place = temporary();
    let at = place.path().join("docker.sock");
    engine(&at, "app:v1", image("x"));
    let host = [("DOCKER_HOST", format!("unix://{}", at.display()))];
    let report = run_in(&host, &["scan", "docker://container/web", "--format", "json"]).json();
    assert_eq!(report["complete"], true, "{report:#}");
    let found: Vec<String> = fates(&report).into_iter().map(|(path, ..)| path).collect();
    assert_eq!(found, ["#container.json", "app/.env"], "{report:#}");
    let told = |code: &str| report["notes"].as_array().expect("notes").iter().find(|note| note["code"] == code).cloned();
    assert!(told("other-file-system").is_some_and(|note| note["message"].as_str().is_some_and(|m| m.contains("/data"))), "{report:#}");
    assert_eq!(report["findings"][0]["retrieve"], "docker inspect web");
}

/// JSON cannot say what a name is that is no UTF-8; and what has changed may not come.
#[test]
fn of_a_container_nothing_is_left_out_in_silence() {
    for (missing, mode, complete) in [("app/gone", 0o644u64, false), ("run/a.sock", 1 << 24, true)] {
        let place = temporary();
        let at = place.path().join("docker.sock");
        let odd = |name: &[u8], content: &str| Raw { name: name.to_vec(), ..Raw::new("", b'0', content) }.blocks();
        // Two files of one name in JSON, and a sequence of two bytes, each of which is replaced.
        let export = [
            odd(b"srv/caf\xe8.env", "A=1\n"),
            odd(b"srv/caf\xe9.env", &env_file("odd")),
            odd(b"srv/\xe4\xbd.env", &env_file("longer")),
            layer_tar(&[put("app/.env", "A=1\n")]),
        ]
        .concat();
        socket(&at, move |request| {
            let stat = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, json!({ "mode": mode }).to_string());
            match request.path.as_str() {
                "/containers/web/json" => Answer::of(200, "{}"),
                "/containers/web/changes" => {
                    let change = |path: &str| json!({ "Path": path, "Kind": 1 });
                    Answer::of(
                        200,
                        json!([
                            change("/srv/caf\u{fffd}.env"),
                            change("/srv/\u{fffd}\u{fffd}.env"),
                            change("/app/.env"),
                            change(&format!("/{missing}"))
                        ])
                        .to_string(),
                    )
                }
                "/containers/web/export" => Answer::of(200, export.clone()),
                path if path.starts_with("/containers/web/archive") => Answer::of(200, "").with("X-Docker-Container-Path-Stat", stat),
                _ => Answer::of(404, ""),
            }
        });
        let host = [("DOCKER_HOST", format!("unix://{}", at.display()))];
        let report = run_in(&host, &["scan", "docker://container/web", "--format", "json"]).json();
        assert_eq!(report["findings"].as_array().map(Vec::len), Some(2), "{report:#}");
        assert_eq!(report["complete"], complete, "{report:#}");
    }
}

#[test]
fn a_bare_name_is_looked_up_and_it_is_said_where() {
    let place = temporary();
    let (docker, podman) = (place.path().join("docker.sock"), place.path().join("podman.sock"));
    engine(&docker, "here:v1", image("docker"));
    engine(&podman, "there:v1", image("podman"));
    let mut store = Store::default();
    store.push("app", "v1", &TestImage::new().layer([put("app/.env", env_file("registry"))]).oci_archive(crate::support::Packing::Gzip));
    let port = http(move |request| store.answer(request));
    let variables = [
        ("DOCKER_HOST", format!("unix://{}", docker.display())),
        ("CONTAINER_HOST", format!("unix://{}", podman.display())),
        ("DOCKER_CONFIG", place.path().display().to_string()),
    ];
    for (name, where_) in [("here:v1", "docker"), ("there:v1", "podman"), (&format!("localhost:{port}/app:v1"), "the registry localhost")] {
        let report = run_in(&variables, &["scan", name, "--format", "json"]).json();
        assert_eq!(report["findings"].as_array().map(Vec::len), Some(1), "{name}: {report:#}");
        let note = report["notes"].as_array().expect("notes").iter().find(|note| note["code"] == "name-resolved").expect("a note");
        assert!(note["message"].as_str().is_some_and(|m| m.contains(where_)), "{note:#}");
        assert_eq!(report["images"][0]["source"], name);
    }
    let offline = run_in(&variables, &["scan", &format!("localhost:{port}/app:v1"), "--offline"]);
    assert!(offline.code == 2 && offline.stderr.contains("--offline"), "{}", offline.stderr);
    // What looks like a file is never looked up.
    let log = engine(&place.path().join("third.sock"), "image.tar", image("never"));
    let third = [("DOCKER_HOST", format!("unix://{}", place.path().join("third.sock").display()))];
    assert_eq!(run_in(&third, &["scan", "image.tar"]).code, 2);
    assert_eq!(log.count("/"), 0);
}

#[test]
fn a_file_system_is_read_as_it_lies() {
    let place = temporary();
    let root = place.path().join("root");
    std::fs::create_dir_all(root.join("app")).expect("a directory");
    file(&root, "app/.env", env_file("rootfs").as_bytes());
    std::fs::hard_link(root.join("app/.env"), root.join("app/again")).expect("a link");
    file(&root, "manifest.json", b"[{\"Config\":\"x.json\",\"Layers\":[\"app/.env\"]}]");
    file(place.path(), "outside", env_file("outside").as_bytes());
    std::os::unix::fs::symlink("../outside", root.join("link")).expect("a link");
    std::os::unix::fs::symlink("..", root.join("up")).expect("a link");
    let _pipe = Command::new("mkfifo").arg(root.join("pipe")).status();
    let report = run(["scan", &format!("rootfs:{}", root.display()), "--format", "json"]).json();
    assert_eq!(report["complete"], true, "{report:#}");
    let found: Vec<String> = fates(&report).into_iter().map(|(path, ..)| path).collect();
    // One file with two names is found under both, and read once.
    assert_eq!(found, ["app/.env", "app/again"], "{report:#}");
    assert_eq!(report["images"][0]["kind"], "file-system");
    let retrieve = report["findings"][0]["retrieve"].as_str().expect("a command");
    let printed = Command::new("sh").args(["-c", retrieve]).output().expect("a shell");
    assert_eq!(String::from_utf8_lossy(&printed.stdout), env_file("rootfs"));
    // A directory that is an image layout is no image when it is a file system that is asked for, and an error when it is neither.
    assert_eq!(run(["scan", &format!("dir:{}", root.display())]).code, 1);
    assert_eq!(run(["scan", "rootfs:/no/such/place"]).code, 2);
    assert_eq!(run(["scan", "rootfs:"]).code, 2);
}

#[test]
fn what_lies_on_other_file_systems_is_not_read_and_is_said() {
    // /proc is one on any Linux; below / it is left out in any case.
    let report = run(["scan", "rootfs:/", "--format", "json", "--max-entries", "50", "--timeout", "20"]);
    assert_eq!(report.code, 3, "{}", report.stderr);
    let report: Value = report.json();
    let note =
        report["notes"].as_array().expect("notes").iter().find(|note| note["code"] == "other-file-system").map(|n| n["message"].clone());
    assert!(note.as_ref().is_none_or(|note| note.as_str().is_some_and(|note| note.contains("proc"))), "{report:#}");
    assert!(codes(&report).contains(&"limit-reached"));
}

#[test]
fn extended_attributes_of_files_are_read() {
    let place = temporary();
    let path = file(place.path(), "app", b"x");
    if xattr::set(&path, "user.note", format!("GITHUB_TOKEN={}", token("attribute")).as_bytes()).is_err() {
        return eprintln!("skipped: this file system has no attributes of users");
    }
    let report = run(["scan", &format!("rootfs:{}", place.path().display()), "--format", "json"]).json();
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(1), "{report:#}");
    assert!(report["findings"][0]["location"].to_string().contains("user.note"), "{report:#}");
}

/// An engine that is away for a while is waited for; what it has afterwards is scanned, and what was scanned is not scanned again.
#[test]
fn an_engine_is_watched() {
    let place = temporary();
    let at = place.path().join("docker.sock");
    let second = Arc::new(AtomicBool::new(false));
    let seen = Log::default();
    let log = seen.clone();
    let has_second = second.clone();
    let base = [put("app/.env", env_file("watched"))];
    let first = TestImage::new().layer(base.clone()).docker_save();
    let next = TestImage::new().layer(base).layer([put("app/more", env_file("appeared"))]).docker_save();
    let (first_id, next_id) = (id_of(&first), id_of(&next));
    let by_id = next_id.clone();
    socket(&at, move |request| {
        log.add(request);
        let two = has_second.load(Ordering::Relaxed);
        match request.path.as_str() {
            "/images/json" if two => {
                // The name has moved on: the first image is no longer called so.
                Answer::of(200, json!([{ "Id": first_id, "RepoTags": null }, { "Id": next_id, "RepoTags": ["a:1"] }]).to_string())
            }
            "/images/json" => Answer::of(200, json!([{ "Id": first_id, "RepoTags": ["a:1"] }]).to_string()),
            path if path.ends_with("/json") => Answer::of(200, "{}"),
            path if path.starts_with("/images/get") && path.contains("sha256") => {
                // The first time, the engine is about to end.
                let mut answer = Answer::of(200, next.clone());
                answer.cut = (log.count("GET /images/get?names=sha256") == 1).then_some(2000);
                answer
            }
            // What the name means is not looked at again in the list.
            path if path.starts_with("/images/get") => Answer::of(200, first.clone()),
            path if path.starts_with("/events") => {
                std::thread::sleep(std::time::Duration::from_millis(300));
                Answer::of(200, "{\"Action\":\"load\",\"Type\":\"image\"}\n")
            }
            _ => Answer::of(404, ""),
        }
    });
    let mut child = Command::new(program())
        .args(["scan", "--watch", "docker://"])
        .env("DOCKER_HOST", format!("unix://{}", at.display()))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("output")));
    let report: Value = serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON");
    assert_eq!((&report["verdict"], &report["images"][0]["source"]), (&json!("found"), &json!("docker://a:1")));
    second.store(true, Ordering::Relaxed);
    let cut: Value = serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON");
    assert_eq!(cut["complete"], false, "{cut:#}");
    let report: Value = serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON");
    assert_eq!(report["images"][0]["source"], format!("docker://{by_id}"), "the name is that of another image");
    assert_eq!((&report["complete"], report["findings"].as_array().map(Vec::len)), (&json!(true), Some(2)), "{report:#}");
    let killed = Command::new("kill").arg(child.id().to_string()).status().expect("kill");
    assert!(killed.success());
    assert_eq!(child.wait().expect("an end").code(), Some(1), "the worst that was seen");
    assert_eq!((seen.count("GET /images/get?names=a"), seen.count("GET /images/get?names=sha256")), (3, 2));
}

/// The digest of the config of a saved image.
fn id_of(archive: &[u8]) -> String {
    let (_, bytes) = members(archive).into_iter().find(|(name, _)| name == "manifest.json").expect("a manifest");
    let manifest: Value = serde_json::from_slice(&bytes).expect("JSON");
    let config = manifest[0]["Config"].as_str().expect("a config").to_owned();
    let (_, bytes) = members(archive).into_iter().find(|(name, _)| *name == config).expect("the config");
    Digest::sha256(&bytes).to_string()
}

/// An engine prepares an export before it sends the first byte, and may never do so.
#[test]
fn whoever_waits_can_be_stopped() {
    let place = temporary();
    let at = place.path().join("docker.sock");
    socket(&at, |_| {
        std::thread::sleep(std::time::Duration::from_secs(60));
        Answer::of(404, "")
    });
    let host = [("DOCKER_HOST", format!("unix://{}", at.display()))];
    let started = std::time::Instant::now();
    let ran = run_in(&host, &["scan", "docker://app:v1", "--timeout", "1"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("stopped while waiting"), "{}", ran.stderr);
    let port = http(|request| {
        std::thread::sleep(std::time::Duration::from_secs(if request.path == "/v2/" { 0 } else { 60 }));
        Answer::of(404, "")
    });
    let ran = run_in(&[], &["scan", &format!("registry://localhost:{port}/app:v1"), "--timeout", "1", "--no-credentials"]);
    assert!(ran.code == 2 && ran.stderr.contains("stopped while waiting"), "{}", ran.stderr);
    assert!(started.elapsed().as_secs() < 60, "it waited for the servers");
}

#[test]
fn a_name_without_a_tag_is_the_latest() {
    let place = temporary();
    let at = place.path().join("docker.sock");
    let log = Log::default();
    let seen = log.clone();
    let archive = image("latest");
    socket(&at, move |request| {
        log.add(request);
        match request.path.as_str() {
            "/images/app/json" => {
                Answer::of(200, json!({ "Id": "sha256:abc", "RepoTags": ["other:1", "localhost/app:latest"] }).to_string())
            }
            "/images/docker.io/library/hub/json" => {
                Answer::of(200, json!({ "Id": "sha256:f", "RepoTags": ["hub:latest", "hub:old"] }).to_string())
            }
            "/images/abc/json" => Answer::of(200, json!({ "Id": "sha256:abc", "RepoTags": ["app:latest"] }).to_string()),
            path if path.starts_with("/images/get") => Answer::of(200, archive.clone()),
            _ => Answer::of(404, ""),
        }
    });
    let host = [("DOCKER_HOST", format!("unix://{}", at.display()))];
    assert_eq!(run_in(&host, &["scan", "docker://app"]).code, 1);
    assert_eq!(run_in(&host, &["scan", "docker://abc"]).code, 1);
    assert_eq!((seen.count("names=app%3Alatest"), seen.count("names=abc")), (1, 1));
    // The engine leaves out what stands for Docker Hub.
    assert_eq!(run_in(&host, &["scan", "docker://docker.io/library/hub"]).code, 1);
    assert_eq!(seen.count("names=docker.io%2Flibrary%2Fhub%3Alatest"), 1);
}

#[test]
fn several_targets_at_once_give_what_one_after_the_other_gives() {
    let place = temporary();
    let names = ["a", "b", "c"].map(|seed| file(place.path(), &format!("{seed}.tar"), &image(seed)));
    let [a, b, c] = &names;
    let one = run(["scan", a, b, c, "/no/such.tar", "--format", "json"]);
    let many = run(["scan", a, b, c, "/no/such.tar", "--format", "json", "--jobs", "3"]);
    assert_eq!((one.code, one.stdout), (many.code, many.stdout));
    assert_eq!(one.code, 1);
}

/// Files may call a layer what they like: only its bytes tell that it was scanned before.
#[test]
fn layers_that_files_share_are_known_by_their_bytes() {
    let place = temporary();
    let filler = |letter: &str| put("usr/share/filler", letter.repeat(200_000));
    let shared = TestImage::new().layer([filler("a"), put("srv/.env", env_file("shared"))]);
    let base = shared.docker_save();
    let child = TestImage::new().layer([filler("a"), put("srv/.env", env_file("shared"))]).layer([rm("srv/.env")]);
    let (saved, packed) = (child.docker_save(), child.oci_archive(Packing::Gzip));
    // The base's layer has no secret under this name; the other archive has bytes of the same length in its place.
    let clean = TestImage::new().layer([filler("b"), put("srv/.env", "x".repeat(env_file("hostile").len()))]);
    let hostile = TestImage::new().layer([filler("b"), put("srv/.env", env_file("hostile"))]);
    let honest = clean.oci_archive(Packing::None);
    let forged: Vec<_> = members(&honest)
        .into_iter()
        .zip(members(&hostile.oci_archive(Packing::None)))
        .map(|((name, bytes), (_, other))| (name, if bytes.len() > 100_000 { other } else { bytes }))
        .collect();
    let names = [base, saved, packed.clone(), packed, honest, archive(&forged)];
    let names: Vec<_> = names.iter().enumerate().map(|(index, bytes)| file(place.path(), &format!("{index}.tar"), bytes)).collect();
    let mut alone: Vec<_> = names.iter().flat_map(|name| told(&run(["scan", name, "--format", "json"]).json())).collect();
    alone.sort();
    for jobs in ["1", "4"] {
        let arguments: Vec<_> = ["scan", "--format", "json", "--jobs", jobs].into_iter().chain(names.iter().map(String::as_str)).collect();
        let report = run_in(&[], &arguments).json();
        assert_eq!(told(&report), alone, "{jobs} at a time: {report:#}");
        assert!(codes(&report).contains(&"diff-id-mismatch"), "{report:#}");
    }
    assert!(alone.iter().any(|told| told.contains("5.tar")), "{alone:#?}");
}

/// Where the findings are, and what became of them.
fn told(report: &Value) -> Vec<String> {
    let of = |finding: &Value| {
        let target = finding["image"].as_u64().map(|index| report["images"][index as usize]["source"].clone());
        format!("{target:?} {} {} {}", finding["location"], finding["fate"], finding["id"])
    };
    let mut told: Vec<_> = report["findings"].as_array().expect("findings").iter().map(of).collect();
    told.sort();
    told
}

/// What a rule says of paths holds for a packed file, which is no layer.
#[test]
fn a_packed_file_is_searched_under_each_of_its_names() {
    use crate::support::pack;
    let place = temporary();
    let rule = "[[rule]]\nid = \"acme\"\ntitle = \"Acme\"\nseverity = \"high\"\nconfidence = \"high\"\nliterals = [\"acme_\"]\n\
        regex = '''(?P<secret>acme_[0-9a-f]{32})'''\npath = '\\.conf'\nsample = \"acme_{hex:32}\"\nmatch = [{ path = \"x.conf\", text = \"{sample}\" }]\n";
    let rules = file(place.path(), "rules.toml", rule.as_bytes());
    let noise: Vec<u8> = (0u32..60_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let text = [&noise[..], format!("\nkey acme_{}\n", "0123456789abcdef".repeat(2)).as_bytes()].concat();
    let packed = pack(&text, Packing::Gzip);
    let names = ["one.bak.gz", "two.conf.gz"].map(|name| {
        let tar = layer_tar(&[put("etc/hostname", "x"), put(&format!("app/{name}"), &packed)]);
        file(place.path(), &format!("{name}.tar"), &tar)
    });
    let [one, two] = &names;
    let ids = |targets: &[&str]| {
        let ran = run_in(&[], &[&["scan", "--rules", &rules, "--format", "json"], targets].concat());
        assert!(ran.code < 2, "{}", ran.stderr);
        ran.json()["findings"].as_array().map(Vec::len)
    };
    let alone = (ids(&[one]), ids(&[two]));
    assert_eq!((ids(&[one, two]), ids(&[two, one])), (alone.1, alone.1), "{alone:?}");
}
