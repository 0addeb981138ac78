//! Images in registries, also in bad ones.

use crate::server::{Answer, Log, Request, Store, http};
use crate::support::{Entry, Packing, TestImage, codes, fates, file, put, rm, run, run_with, temporary, token};
use pentimento::digest::Digest;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn secret(seed: &str) -> Entry {
    put("app/.env", format!("GITHUB_TOKEN={}\n", token(seed)))
}

/// An image with a secret that is deleted, and enough else that its layer does not come in one piece.
fn image(seed: &str) -> Vec<u8> {
    let noise: Vec<u8> = (0u32..100_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    TestImage::new().layer([put("opt/noise", noise), secret(seed)]).layer([rm("app/.env")]).oci_archive(Packing::Gzip)
}

fn layer_of(archive: &[u8]) -> String {
    let members = crate::support::members(archive);
    let largest = members.iter().filter(|(name, _)| name.starts_with("blobs/")).max_by_key(|(_, bytes)| bytes.len()).expect("a layer");
    format!("sha256:{}", largest.0.rsplit('/').next().expect("a name"))
}

/// Scans what a registry that answers so has under `app:v1`.
fn scanned(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> crate::support::Run {
    let port = http(answer);
    run(["scan", &format!("registry://localhost:{port}/app:v1"), "--no-credentials", "--format", "json"])
}

fn expect_all(report: &Value) {
    assert_eq!(report["complete"], true, "{report:#}");
    let found = fates(report);
    assert_eq!(found.len(), 1, "{report:#}");
    assert_eq!((found[0].0.as_str(), found[0].2.as_str()), ("app/.env", "deleted whiteout"));
}

#[test]
fn an_image_is_read_without_being_stored() {
    let mut store = Store::default();
    let digest = store.push("app", "v1", &image("registry"));
    let log = Log::default();
    let seen = log.clone();
    let port = http(move |request| {
        log.add(request);
        store.answer(request)
    });
    let target = format!("registry://localhost:{port}/app:v1");
    let report = run(["scan", &target, "--no-credentials", "--format", "json"]).json();
    expect_all(&report);
    assert_eq!(report["images"][0]["names"], json!([format!("localhost:{port}/app:v1")]));
    assert_eq!(report["images"][0]["source"], target);
    let by_digest = run(["scan", &format!("registry://localhost:{port}/app@{digest}"), "--no-credentials", "--format", "json"]).json();
    expect_all(&by_digest);
    assert_eq!(by_digest["findings"][0]["id"], report["findings"][0]["id"]);
    assert!(seen.count("GET /v2/app/blobs/") >= 3);
    // What is in a registry can be got back from it.
    let id = report["findings"][0]["id"].as_str().expect("an id");
    let recovered = run(["recover", &target, id, "--no-credentials"]);
    assert_eq!(recovered.stdout, format!("GITHUB_TOKEN={}\n", token("registry")), "{}", recovered.stderr);
    for (target, why) in [("app:v2", "no such image"), ("other:v1", "no such image")] {
        let missing = run(["scan", &format!("registry://localhost:{port}/{target}"), "--no-credentials"]);
        assert_eq!(missing.code, 2);
        assert!(missing.stderr.contains(why), "{}", missing.stderr);
    }
}

#[test]
fn a_connection_that_breaks_is_taken_up_where_it_broke() {
    let mut store = Store::default();
    store.push("app", "v1", &image("cut"));
    let (layer, tries) = (layer_of(&image("cut")), Arc::new(AtomicUsize::new(0)));
    let counted = tries.clone();
    let run = scanned(move |request| {
        let mut answer = store.answer(request);
        if request.path.ends_with(&layer) && counted.fetch_add(1, Ordering::Relaxed) < 4 {
            answer.cut = Some(100_000);
        }
        answer
    });
    expect_all(&run.json());
    assert!(tries.load(Ordering::Relaxed) >= 5);
}

#[test]
fn a_registry_that_knows_no_ranges_sends_it_all_again() {
    let mut store = Store::default();
    store.push("app", "v1", &image("whole"));
    let (layer, tries) = (layer_of(&image("whole")), AtomicUsize::new(0));
    let run = scanned(move |request| {
        let plain =
            Request { headers: HashMap::default(), method: request.method.clone(), path: request.path.clone(), body: String::new() };
        let mut answer = store.answer(&plain);
        if request.path.ends_with(&layer) && tries.fetch_add(1, Ordering::Relaxed) < 2 {
            answer.cut = Some(50_000);
        }
        answer
    });
    expect_all(&run.json());
}

#[test]
fn what_never_comes_is_said() {
    let mut store = Store::default();
    store.push("app", "v1", &image("never"));
    let layer = layer_of(&image("never"));
    let run = scanned(move |request| match request.path.ends_with(&layer) {
        true => Answer::of(404, ""),
        false => store.answer(request),
    });
    assert_eq!(run.code, 3, "{}", run.stdout);
    let report = run.json();
    assert_eq!((&report["complete"], &report["verdict"]), (&json!(false), &json!("incomplete")));
    assert!(codes(&report).contains(&"read-failed"), "{report:#}");
}

#[test]
fn wrong_bytes_are_known_by_their_digest() {
    let mut store = Store::default();
    store.push("app", "v1", &image("right"));
    let (layer, other) = (layer_of(&image("right")), image("wrong"));
    let mut wrong = Store::default();
    wrong.push("app", "v1", &other);
    let bytes = wrong.blobs[&layer_of(&other)].clone();
    let run = scanned(move |request| match request.path.ends_with(&layer) {
        true => Answer::of(200, bytes.clone()),
        false => store.answer(request),
    });
    let report = run.json();
    assert_eq!(report["complete"], false, "{report:#}");
    assert!(codes(&report).iter().any(|code| code.ends_with("-mismatch")), "{report:#}");
}

#[test]
fn a_registry_that_is_busy_or_slow_is_waited_for() {
    let mut store = Store::default();
    store.push("app", "v1", &image("busy"));
    let (layer, tries) = (layer_of(&image("busy")), AtomicUsize::new(0));
    let run = scanned(move |request| {
        let n = tries.fetch_add(1, Ordering::Relaxed);
        if n == 1 {
            return Answer::of(429, "").with("Retry-After", "0");
        }
        if n == 2 {
            return Answer::of(503, "");
        }
        let mut answer = store.answer(request);
        if request.path.ends_with(&layer) {
            answer.slow = Some(100_000);
        }
        answer
    });
    expect_all(&run.json());
}

/// A registry that wants a token, from a service that wants a name and a password.
fn guarded(store: Store, port: Arc<AtomicUsize>, password: String) -> impl Fn(&Request) -> Answer + Send + Sync {
    use base64::Engine;
    let right = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("me:{password}")));
    move |request| {
        if request.path.starts_with("/token") {
            let scoped = request.path.contains("scope=repository%3Aapp%3Apull") && request.path.contains("service=test");
            return match request.headers.get("authorization") {
                Some(header) if *header == right && scoped => Answer::of(200, json!({ "token": "t-1" }).to_string()),
                _ => Answer::of(401, ""),
            };
        }
        if request.headers.get("authorization").map(String::as_str) != Some("Bearer t-1") {
            let realm = format!("http://localhost:{}/token", port.load(Ordering::Relaxed));
            let challenge = format!("Bearer realm=\"{realm}\",service=\"test\",scope=\"repository:app:pull\"");
            return Answer::of(401, "").with("WWW-Authenticate", challenge);
        }
        store.answer(request)
    }
}

#[test]
fn credentials_are_given_read_or_asked_for() {
    use base64::Engine;
    let mut store = Store::default();
    store.push("app", "v1", &image("guarded"));
    let password = format!("pass{}", 42);
    let known = Arc::new(AtomicUsize::new(0));
    let port = http(guarded(store, known.clone(), password.clone()));
    known.store(usize::from(port), Ordering::Relaxed);
    let target = format!("registry://localhost:{port}/app:v1");

    let anonymous = run(["scan", &target, "--no-credentials"]);
    assert_eq!(anonymous.code, 2);
    assert!(anonymous.stderr.contains("log in"), "{}", anonymous.stderr);

    let given = run_with(["scan", &target, "--username", "me", "--password-stdin", "--format", "json"], format!("{password}\n").as_bytes());
    expect_all(&given.json());
    let wrong = run_with(["scan", &target, "--username", "me", "--password-stdin"], b"nonsense\n");
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("not enough") && !wrong.stderr.contains("nonsense"), "{}", wrong.stderr);
    let token = run_with(["scan", &target, "--token-stdin", "--format", "json"], b"t-1\n");
    expect_all(&token.json());

    // The login of docker, of podman, and of a helper.
    let dir = temporary();
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("me:{password}"));
    let host = format!("localhost:{port}");
    let login = json!({ "auths": { &host: { "auth": auth } } }).to_string();
    file(dir.path(), "config.json", login.as_bytes());
    let podman = temporary();
    let auth_file = file(podman.path(), "auth.json", login.as_bytes());
    let helped = temporary();
    file(helped.path(), "config.json", json!({ "credHelpers": { &host: "test" } }).to_string().as_bytes());
    let helper = file(
        helped.path(),
        "docker-credential-test",
        format!("#!/bin/sh\nread host\necho '{}'\n", json!({ "Username": "me", "Secret": password, "ServerURL": host })).as_bytes(),
    );
    std::fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    let path = format!("{}:{}", helped.path().display(), std::env::var("PATH").expect("a path"));
    for (what, variables) in [
        ("docker", vec![("DOCKER_CONFIG", dir.path().display().to_string())]),
        ("podman", vec![("DOCKER_CONFIG", podman.path().join("none").display().to_string()), ("REGISTRY_AUTH_FILE", auth_file)]),
        ("helper", vec![("DOCKER_CONFIG", helped.path().display().to_string()), ("PATH", path)]),
    ] {
        let output = std::process::Command::new(crate::support::program())
            .args(["scan", &target, "--format", "json"])
            .envs(variables)
            .output()
            .expect("the program runs");
        let report: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{what}: {e}: {}", String::from_utf8_lossy(&output.stderr)));
        expect_all(&report);
    }
}

#[test]
fn credentials_do_not_follow_a_redirect() {
    let mut store = Store::default();
    store.push("app", "v1", &image("redirect"));
    let blobs = store.clone();
    let leaked = Arc::new(AtomicUsize::new(0));
    let counted = leaked.clone();
    let elsewhere = http(move |request| {
        counted.fetch_add(usize::from(request.headers.contains_key("authorization")), Ordering::Relaxed);
        blobs.answer(request)
    });
    let port = http(move |request| {
        if !request.headers.contains_key("authorization") {
            return Answer::of(401, "").with("WWW-Authenticate", "Basic realm=\"test\"");
        }
        match request.path.contains("/blobs/") {
            true => Answer::of(307, "").with("Location", format!("http://127.0.0.1:{elsewhere}{}", request.path)),
            false => store.answer(request),
        }
    });
    let target = format!("registry://localhost:{port}/app:v1");
    let report = run_with(["scan", &target, "--username", "me", "--password-stdin", "--format", "json"], b"x1\n").json();
    expect_all(&report);
    assert_eq!(leaked.load(Ordering::Relaxed), 0);
}

#[test]
fn all_platforms_or_one() {
    let mut store = Store::default();
    let amd = store.push("app", "amd", &image("amd"));
    let arm = {
        let archive = TestImage::new().layer([secret("arm")]).oci_archive(Packing::Gzip);
        store.push("app", "arm", &archive)
    };
    let size = |digest: &str| store.manifests[&("app".to_owned(), digest.to_owned())].1.len();
    let descriptor = |digest: &str, architecture: &str| {
        let platform = json!({ "os": "linux", "architecture": architecture });
        json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": size(digest), "platform": platform })
    };
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor(&amd, "amd64"), descriptor(&arm, "arm64")] });
    store.manifest("app", "v1", OCI_INDEX, index.to_string().into_bytes());
    let log = Log::default();
    let seen = log.clone();
    let port = http(move |request| {
        log.add(request);
        store.answer(request)
    });
    let target = format!("registry://localhost:{port}/app:v1");
    let report = run(["scan", &target, "--no-credentials", "--format", "json"]).json();
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(2), "{report:#}");
    let before = seen.count(&arm);
    let report = run(["scan", &target, "--no-credentials", "--platform", "linux/amd64", "--format", "json"]).json();
    expect_all(&report);
    assert_eq!(seen.count(&arm), before, "what is not wanted is not fetched");
}

#[test]
fn what_an_index_lists_and_a_registry_does_not_have_is_missing() {
    let mut store = Store::default();
    let amd = store.push("app", "amd", &image("there"));
    let size = store.manifests[&("app".to_owned(), amd.clone())].1.len();
    let there = json!({ "mediaType": OCI_MANIFEST, "digest": amd, "size": size });
    let gone = json!({ "mediaType": OCI_MANIFEST, "digest": Digest::sha256(b"gone").to_string(), "size": 4, "platform": { "os": "linux", "architecture": "arm64" } });
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [there, gone] });
    store.manifest("app", "v1", OCI_INDEX, index.to_string().into_bytes());
    let report = scanned(move |request| store.answer(request)).json();
    assert_eq!(report["complete"], false, "{report:#}");
    assert!(codes(&report).contains(&"blob-missing"), "{report:#}");
}

#[test]
fn a_repository_and_a_registry_with_what_their_tags_share() {
    let mut store = Store::default();
    let base = image("shared");
    store.push("app", "v1", &base);
    store.push("app", "v2", &base);
    store.push("team/other", "v1", &TestImage::new().layer([secret("other")]).oci_archive(Packing::Gzip));
    let log = Log::default();
    let seen = log.clone();
    let port = http(move |request| {
        log.add(request);
        store.answer(request)
    });
    let options = ["--all-tags", "--no-credentials", "--format", "json"];
    let [a, b, c, d] = options;
    let report = run(["scan", &format!("registry://localhost:{port}/app"), a, b, c, d]).json();
    assert_eq!(report["images"][0]["names"].as_array().map(Vec::len), Some(2), "{report:#}");
    assert_eq!(seen.count(&layer_of(&base)), 1, "a layer that two tags share is fetched once");
    let report = run(["scan", &format!("registry://localhost:{port}"), a, b, c, d]).json();
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(2), "{report:#}");
    assert_eq!(report["complete"], true);
    let unasked = run(["scan", &format!("registry://localhost:{port}"), "--no-credentials"]);
    assert_eq!(unasked.code, 2);
    assert!(unasked.stderr.contains("--all-tags"), "{}", unasked.stderr);
    // Several targets share it, too.
    let before = seen.count(&layer_of(&base));
    let [x, y] = ["v1", "v2"].map(|tag| format!("registry://localhost:{port}/app:{tag}"));
    let report = run(["scan", &x, &y, "--no-credentials", "--format", "json"]).json();
    assert_eq!(report["images"].as_array().map(Vec::len), Some(2));
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(2), "{report:#}");
    assert_eq!(seen.count(&layer_of(&base)), before + 1);
}

#[test]
fn what_refers_to_an_image_is_searched_too() {
    let mut store = Store::default();
    let image = store.push("app", "v1", &image("referred"));
    let blob = json!({ "predicate": { "token": token("attested") } }).to_string().into_bytes();
    let digest = Digest::sha256(&blob).to_string();
    let size = blob.len();
    store.blobs.insert(digest.clone(), blob);
    let empty = b"{}".to_vec();
    store.blobs.insert(Digest::sha256(&empty).to_string(), empty);
    let manifest = json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/vnd.in-toto+json",
        "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::sha256(b"{}").to_string(), "size": 2 },
        "layers": [{ "mediaType": "application/vnd.in-toto+json", "digest": digest, "size": size }],
        "subject": { "mediaType": OCI_MANIFEST, "digest": image, "size": 1 } });
    let attestation = store.manifest("app", "attestation-of-v1", OCI_MANIFEST, manifest.to_string().into_bytes());
    store.referrers.insert(image, vec![json!({ "mediaType": OCI_MANIFEST, "digest": attestation, "size": 1 })]);
    let run = scanned(move |request| store.answer(request));
    let report = run.json();
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(2), "{report:#}");
}

#[test]
fn nothing_is_asked_in_the_clear_or_offline_or_for_a_path() {
    let log = Log::default();
    let seen = log.clone();
    let port = http(move |request| {
        log.add(request);
        Answer::of(404, "")
    });
    let offline = run(["scan", &format!("registry://localhost:{port}/app"), "--offline", "--no-credentials"]);
    assert_eq!(offline.code, 2);
    assert!(offline.stderr.contains("--offline"), "{}", offline.stderr);
    // The address of this machine under a name that nobody said may be asked so.
    let clear = run(["scan", &format!("registry://0.0.0.0:{port}/app"), "--no-credentials"]);
    assert_eq!(clear.code, 2);
    let path = run(["scan", &format!("./localhost:{port}/app"), "--no-credentials"]);
    assert_eq!(path.code, 2);
    assert_eq!(seen.count("/"), 0, "nothing was asked");
    let insecure = run(["scan", &format!("registry://0.0.0.0:{port}/app"), "--no-credentials", "--insecure", &format!("0.0.0.0:{port}")]);
    assert_eq!(insecure.code, 2);
    assert!(insecure.stderr.contains("no such image"), "{}", insecure.stderr);
    assert!(seen.count("/v2/app/manifests/latest") > 0);
}

/// Scans `target` as somebody with a login, and returns which of the requests to `elsewhere` had it.
fn leaks(answer: impl Fn(&Request, u16) -> Answer + Send + Sync + 'static, elsewhere: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
    let leaked = Arc::new(AtomicUsize::new(0));
    let counted = leaked.clone();
    let other = http(move |request| {
        let has = request.headers.contains_key("authorization") || request.body.contains("refresh");
        counted.fetch_add(usize::from(has), Ordering::Relaxed);
        elsewhere(request)
    });
    let port = http(move |request| answer(request, other));
    for options in [vec!["--username", "me", "--password-stdin"], vec!["--all-tags", "--username", "me", "--password-stdin"]] {
        let tag = if options.len() == 4 { "" } else { ":v1" };
        let target = format!("registry://localhost:{port}/app{tag}");
        let arguments: Vec<&str> = ["scan", &target].into_iter().chain(options).collect();
        let mut child = std::process::Command::new(crate::support::program());
        let mut child =
            child.args(arguments).stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().expect("it runs");
        std::io::Write::write_all(&mut child.stdin.take().expect("input"), b"hunter-2\n").expect("written");
        child.wait().expect("it ends");
    }
    assert_eq!(leaked.load(Ordering::Relaxed), 0);
}

#[test]
fn a_login_is_for_the_registry_alone() {
    let mut store = Store::default();
    store.push("app", "v1", &image("login"));
    let challenge = |answer: Answer| answer.with("WWW-Authenticate", "Basic realm=\"x\"");
    let unknown = |request: &Request| !request.headers.contains_key("authorization");
    // Whom it redirects to asks for the login.
    let known = store.clone();
    leaks(
        move |request, other| match request.path.contains("/blobs/") {
            _ if unknown(request) => challenge(Answer::of(401, "")),
            true => Answer::of(307, "").with("Location", format!("http://127.0.0.1:{other}{}", request.path)),
            false => known.answer(request),
        },
        move |request| {
            let bearer = format!("Bearer realm=\"http://127.0.0.1:{}/token\"", request.headers["host"].split(':').nth(1).unwrap_or("1"));
            if request.path.starts_with("/token") { Answer::of(200, "{}") } else { Answer::of(401, "").with("WWW-Authenticate", bearer) }
        },
    );
    // The next page is elsewhere.
    leaks(
        move |request, other| match request.path.contains("/tags/list") {
            _ if unknown(request) => challenge(Answer::of(401, "")),
            true => Answer::of(200, "{\"tags\":[]}").with("Link", format!("<http://127.0.0.1:{other}/steal>; rel=\"next\"")),
            false => store.answer(request),
        },
        |_| Answer::of(200, "{\"tags\":[]}"),
    );
}

#[test]
fn a_token_for_tokens_does_not_follow_a_redirect() {
    let leaked = Arc::new(AtomicUsize::new(0));
    let counted = leaked.clone();
    let other = http(move |request| {
        counted.fetch_add(usize::from(request.body.contains("refresh_token")), Ordering::Relaxed);
        Answer::of(200, "{\"token\":\"t\"}")
    });
    let port = http(move |request| match request.path.starts_with("/token") {
        true => Answer::of(307, "").with("Location", format!("http://127.0.0.1:{other}/token")),
        false => {
            let realm = format!("Bearer realm=\"http://{}/token\"", request.headers["host"]);
            Answer::of(401, "").with("WWW-Authenticate", realm)
        }
    });
    let dir = temporary();
    let login = json!({ "auths": { format!("localhost:{port}"): { "identitytoken": format!("refresh-{}", 1) } } });
    file(dir.path(), "config.json", login.to_string().as_bytes());
    let status = std::process::Command::new(crate::support::program())
        .args(["scan", &format!("registry://localhost:{port}/app:v1")])
        .env("DOCKER_CONFIG", dir.path())
        .output()
        .expect("the program runs")
        .status;
    assert_eq!((status.code(), leaked.load(Ordering::Relaxed)), (Some(2), 0));
}

#[test]
fn this_machine_is_not_asked_through_a_proxy() {
    let mut store = Store::default();
    store.push("app", "v1", &image("direct"));
    let port = http(move |request| store.answer(request));
    let log = Log::default();
    let seen = log.clone();
    let proxy = http(move |request| {
        log.add(request);
        Answer::of(502, "")
    });
    let proxy = format!("http://127.0.0.1:{proxy}");
    let output = std::process::Command::new(crate::support::program())
        .args(["scan", &format!("registry://localhost:{port}/app:v1"), "--no-credentials", "--format", "json"])
        .envs([("HTTP_PROXY", &proxy), ("HTTPS_PROXY", &proxy), ("ALL_PROXY", &proxy)])
        .output()
        .expect("the program runs");
    expect_all(&serde_json::from_slice(&output.stdout).expect("a report"));
    assert_eq!(seen.count(""), 0);
}

/// A manifest with one blob, about an image.
fn about(store: &mut Store, repository: &str, tag: &str, subject: &str, seed: &str) -> Value {
    let blob = json!({ "predicate": { "token": token(seed) } }).to_string().into_bytes();
    let digest = Digest::sha256(&blob).to_string();
    let layer = json!({ "mediaType": "application/vnd.in-toto+json", "digest": digest, "size": blob.len() });
    store.blobs.insert(digest, blob);
    store.blobs.insert(Digest::sha256(b"{}").to_string(), b"{}".to_vec());
    let config = json!({ "mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::sha256(b"{}").to_string(), "size": 2 });
    let manifest = json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer] }).to_string();
    let digest = store.manifest(repository, tag, OCI_MANIFEST, manifest.clone().into_bytes());
    json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": manifest.len(),
        "platform": { "os": "unknown", "architecture": "unknown" }, "annotations": { "vnd.docker.reference.digest": subject } })
}

#[test]
fn attestations_belong_to_the_platform_that_they_are_about() {
    let mut store = Store::default();
    let amd = store.push("app", "amd", &image("amd64"));
    let arm = store.push("app", "arm", &TestImage::new().layer([secret("arm64")]).oci_archive(Packing::Gzip));
    let mut listed = Vec::new();
    for (digest, architecture) in [(&amd, "amd64"), (&arm, "arm64")] {
        let size = store.manifests[&("app".to_owned(), digest.clone())].1.len();
        let platform = json!({ "os": "linux", "architecture": architecture });
        listed.push(json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": size, "platform": platform }));
        listed.push(about(&mut store, "app", architecture, digest, &format!("attested {architecture}")));
    }
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed });
    store.manifest("app", "v1", OCI_INDEX, index.to_string().into_bytes());
    let port = http(move |request| store.answer(request));
    let report =
        run(["scan", &format!("registry://localhost:{port}/app:v1"), "--platform", "linux/amd64", "--no-credentials", "--format", "json"])
            .json();
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(2), "the image's, and its attestation's: {report:#}");
}

#[test]
fn what_hangs_on_a_tag_of_its_own_is_read_where_there_is_a_list_too() {
    let mut store = Store::default();
    let digest = store.push("app", "v1", &image("tagged"));
    about(&mut store, "app", &format!("{}.att", digest.replacen(':', "-", 1)), &digest, "hung on");
    let report = scanned(move |request| store.answer(request)).json();
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(2), "{report:#}");
}

#[test]
fn an_image_in_two_repositories_has_two_lists_of_referrers() {
    let mut store = Store::default();
    let base = image("twice");
    let digest = store.push("app", "v1", &base);
    store.push("prod", "v1", &base);
    about(&mut store, "prod", &format!("{}.att", digest.replacen(':', "-", 1)), &digest, "of prod");
    let port = http(move |request| store.answer(request));
    let report = run(["scan", &format!("registry://localhost:{port}"), "--all-tags", "--no-credentials", "--format", "json"]).json();
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(2), "{report:#}");
}

#[test]
fn tags_that_are_not_told_are_not_clean() {
    let mut store = Store::default();
    store.push("app", "v1", &TestImage::new().layer([put("a", "b")]).oci_archive(Packing::Gzip));
    store.push("lost", "v1", &image("lost"));
    for (status, body) in [(404, "{}"), (405, ""), (500, ""), (200, "{\"errors\":[]}"), (200, "{\"tags\":[0]}")] {
        let store = store.clone();
        let port = http(move |request| match request.path.starts_with("/v2/lost/tags/") {
            true => Answer::of(status, body).with("Retry-After", "0"),
            false => store.answer(request),
        });
        let ran = run(["scan", &format!("registry://localhost:{port}"), "--all-tags", "--no-credentials", "--format", "json"]);
        assert_eq!((ran.code, &ran.json()["complete"]), (3, &json!(false)), "{status} {body}: {}", ran.stdout);
    }
}

#[test]
fn a_digest_of_another_kind_is_compared_or_not_believed() {
    use sha2::{Digest as _, Sha512};
    let mut store = Store::default();
    store.push("app", "v1", &image("sha512"));
    let (media_type, bytes) = store.manifests[&("app".to_owned(), "v1".to_owned())].clone();
    let digest = format!("sha512:{}", pentimento::digest::hex(&Sha512::digest(&bytes)));
    store.manifests.insert(("app".to_owned(), digest.clone()), (media_type.clone(), bytes.clone()));
    let other = format!("sha512:{}", "ab".repeat(64));
    store.manifests.insert(("app".to_owned(), other.clone()), (media_type.clone(), bytes.clone()));
    // A layer under such a name.
    let mut manifest: Value = serde_json::from_slice(&bytes).expect("a manifest");
    let layer = store.blobs[&layer_of(&image("sha512"))].clone();
    for (tag, content) in [("good", layer.clone()), ("bad", b"something else".to_vec())] {
        let name = format!("sha512:{}", pentimento::digest::hex(&Sha512::digest(&content)));
        store.blobs.insert(name.clone(), layer.clone());
        manifest["layers"][0]["digest"] = json!(name);
        manifest["layers"][0]["size"] = json!(layer.len());
        store.manifest("app", tag, &media_type, manifest.to_string().into_bytes());
    }
    let port = http(move |request| store.answer(request));
    let scan =
        |reference: &str| run(["scan", &format!("registry://localhost:{port}/app{reference}"), "--no-credentials", "--format", "json"]);
    assert_eq!(scan(&format!("@{digest}")).code, 1);
    let wrong = scan(&format!("@{other}"));
    assert!(wrong.code == 2 && wrong.stderr.contains("verified"), "{}", wrong.stderr);
    expect_all(&scan(":good").json());
    let bad = scan(":bad").json();
    assert!(bad["complete"] == false && codes(&bad).contains(&"read-failed"), "{bad:#}");
}

#[test]
fn a_list_of_nonsense_is_no_list() {
    let mut store = Store::default();
    store.push("app", "v1", &image("nonsense"));
    let run = scanned(move |request| match request.path.contains("/referrers/") {
        true => Answer::of(200, format!("{{\"manifests\":[{}0]}}", "0,".repeat(100_000))),
        false => store.answer(request),
    });
    let report = run.json();
    assert!(report["complete"] == false && codes(&report).contains(&"read-failed"), "{report:#}");
}

#[test]
fn the_layers_of_a_cache_are_read() {
    let mut store = Store::default();
    let archive = image("cache");
    store.push("app", "image", &archive);
    let layer = layer_of(&archive);
    let listed = json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer, "size": store.blobs[&layer].len() });
    let config = b"{\"layers\":[]}".to_vec();
    let digest = Digest::sha256(&config).to_string();
    let about = json!({ "mediaType": "application/vnd.buildkit.cacheconfig.v0", "digest": digest, "size": config.len() });
    store.blobs.insert(digest, config);
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [listed, about] });
    store.manifest("app", "v1", OCI_INDEX, index.to_string().into_bytes());
    let report = scanned(move |request| store.answer(request)).json();
    assert!(report["findings"].as_array().is_some_and(|found| !found.is_empty()), "{report:#}");
}

/// A desktop's directory for what runs, and no login of podman's in it.
#[test]
fn a_config_without_a_login_is_none() {
    let mut store = Store::default();
    store.push("app", "v1", &image("nologin"));
    let port = http(move |request| store.answer(request));
    let dir = temporary();
    file(dir.path(), "config.json", b"{\"auths\":{}}");
    let output = std::process::Command::new(crate::support::program())
        .args(["scan", &format!("registry://localhost:{port}/app:v1"), "--format", "json"])
        .envs([("DOCKER_CONFIG", dir.path()), ("XDG_RUNTIME_DIR", dir.path())])
        .output()
        .expect("the program runs");
    expect_all(&serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))));
}

#[test]
fn a_password_is_for_the_first_registry_that_is_named_and_for_no_base() {
    let mut store = Store::default();
    store.push("app", "v1", &image("bound"));
    let others = store.clone();
    let leaked = Arc::new(AtomicUsize::new(0));
    let counted = leaked.clone();
    let other = http(move |request| {
        counted.fetch_add(usize::from(request.headers.contains_key("authorization")), Ordering::Relaxed);
        match request.headers.contains_key("authorization") {
            true => others.answer(request),
            false => Answer::of(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
        }
    });
    let port = http(move |request| store.answer(request));
    let [first, second] = [port, other].map(|port| format!("registry://localhost:{port}/app:v1"));
    let dir = temporary();
    let empty = ("DOCKER_CONFIG", dir.path().display().to_string());
    for arguments in [
        vec!["scan", first.as_str(), "--base", &second],
        vec!["scan", &first, &second],
        vec!["scan", &first, &second, "--jobs", "2"],
        vec!["baseline", &first, "--base", &second],
    ] {
        let mut child = std::process::Command::new(crate::support::program());
        child.args(arguments).args(["--username", "me", "--password-stdin"]).envs([empty.clone()]);
        let child =
            child.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn();
        let mut child = child.expect("it runs");
        std::io::Write::write_all(&mut child.stdin.take().expect("input"), b"hunter-2\n").expect("written");
        child.wait().expect("it ends");
    }
    assert_eq!(leaked.load(Ordering::Relaxed), 0);
}

#[test]
fn all_tags_of_one_tag_is_an_error() {
    for target in ["registry://localhost:1/app:v1", "docker://app", &crate::support::file(temporary().path(), "x.tar", b"x")] {
        let ran = run(["scan", target, "--all-tags", "--no-credentials"]);
        assert!(ran.code == 2 && ran.stderr.contains("--all-tags"), "{target}: {}", ran.stderr);
    }
}

/// Podman keeps a login for a part of a registry, and a helper may never answer.
#[test]
fn logins_of_parts_and_helpers_that_hang() {
    use base64::Engine;
    let mut store = Store::default();
    store.push("team/app", "v1", &image("part"));
    let right = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode("me:part-1"));
    let port = http(move |request| match request.headers.get("authorization") == Some(&right) {
        true => store.answer(request),
        false => Answer::of(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let dir = temporary();
    let auth = base64::engine::general_purpose::STANDARD.encode("me:part-1");
    let logins =
        file(dir.path(), "auth.json", json!({ "auths": { format!("localhost:{port}/team"): { "auth": auth } } }).to_string().as_bytes());
    let scan = |variables: Vec<(&str, String)>| {
        let mut command = std::process::Command::new(crate::support::program());
        command.args(["scan", &format!("registry://localhost:{port}/team/app:v1"), "--format", "json", "--timeout", "3"]);
        crate::support::Run::of(command.envs(variables).output().expect("the program runs"))
    };
    let none = dir.path().join("none").display().to_string();
    expect_all(&scan(vec![("DOCKER_CONFIG", none), ("REGISTRY_AUTH_FILE", logins)]).json());
    let hanging = temporary();
    file(hanging.path(), "config.json", b"{\"credsStore\":\"hangs\"}");
    let helper = file(hanging.path(), "docker-credential-hangs", b"#!/bin/sh\nsleep 20\n");
    std::fs::set_permissions(&helper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    let path = format!("{}:{}", hanging.path().display(), std::env::var("PATH").expect("a path"));
    let ran = scan(vec![("DOCKER_CONFIG", hanging.path().display().to_string()), ("PATH", path)]);
    assert!(ran.code == 2 && ran.stderr.contains("credential helper"), "{}", ran.stderr);
}

#[test]
fn a_list_of_referrers_may_be_there_for_one_repository_alone() {
    let mut store = Store::default();
    store.push("app", "v1", &TestImage::new().layer([put("a", "b")]).oci_archive(Packing::Gzip));
    let digest = store.push("prod", "v1", &TestImage::new().layer([put("c", "d")]).oci_archive(Packing::Gzip));
    let descriptor = about(&mut store, "prod", "hung", &digest, "referred");
    store.referrers.insert(digest, vec![descriptor]);
    let port = http(move |request| match request.path.starts_with("/v2/app/referrers/") {
        true => Answer::of(404, "{}"),
        // `hung` has a tag only here.
        false if request.path.starts_with("/v2/prod/tags/list") => Answer::of(200, "{\"tags\":[\"v1\"]}"),
        false => store.answer(request),
    });
    let report = run(["scan", &format!("registry://localhost:{port}"), "--all-tags", "--no-credentials", "--format", "json"]).json();
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(1), "{report:#}");
}

#[test]
fn a_manifest_is_its_digest_in_every_repository() {
    let mut store = Store::default();
    let digest = store.push("bbb", "v1", &image("right one"));
    store.push("aaa", "other", &TestImage::new().layer([put("a", "b")]).oci_archive(Packing::Gzip));
    let wrong = store.manifests[&("aaa".to_owned(), "other".to_owned())].clone();
    store.manifests.insert(("aaa".to_owned(), digest.clone()), wrong);
    let index =
        json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{ "mediaType": OCI_MANIFEST, "digest": digest, "size": 1 }] });
    store.manifest("aaa", "v1", OCI_INDEX, index.to_string().into_bytes());
    let port = http(move |request| store.answer(request));
    let report = run(["scan", &format!("registry://localhost:{port}"), "--all-tags", "--no-credentials", "--format", "json"]).json();
    assert_eq!(report["complete"], false, "{report:#}");
}

#[test]
fn an_address_with_a_login_in_it_is_not_asked() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let other = http(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        Answer::of(200, "{\"token\":\"t\"}")
    });
    let port = http(move |_| {
        let realm = format!("Bearer realm=\"http://localhost:x@127.0.0.1:{other}/token\"");
        Answer::of(401, "").with("WWW-Authenticate", realm)
    });
    let target = format!("registry://localhost:{port}/app:v1");
    let ran = run_with(["scan", &target, "--username", "me", "--password-stdin"], b"hunter-2\n");
    assert_eq!((ran.code, asked.load(Ordering::Relaxed)), (2, 0), "{}", ran.stderr);
}

/// The password comes late, and several targets wait for it.
#[test]
fn what_comes_on_standard_input_is_for_all_who_wait() {
    let mut store = Store::default();
    for tag in ["v1", "v2", "v3"] {
        store.push("app", tag, &image(tag));
    }
    let port = http(move |request| match request.headers.contains_key("authorization") {
        true => store.answer(request),
        false => Answer::of(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let targets = ["v1", "v2", "v3"].map(|tag| format!("registry://localhost:{port}/app:{tag}"));
    let mut child = std::process::Command::new(crate::support::program())
        .args(["scan", "--jobs", "3", "--username", "me", "--password-stdin", "--format", "json"])
        .args(targets)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it runs");
    std::thread::sleep(std::time::Duration::from_millis(500));
    std::io::Write::write_all(&mut child.stdin.take().expect("input"), b"hunter-2\n").expect("written");
    let ran = crate::support::Run::of(child.wait_with_output().expect("it ends"));
    assert_eq!((ran.code, ran.json()["images"].as_array().map(Vec::len)), (1, Some(3)), "{}", ran.stderr);
}

#[test]
fn a_referrer_without_a_digest_is_a_problem() {
    let mut store = Store::default();
    let digest = store.push("app", "v1", &image("odd referrer"));
    store.referrers.insert(digest, vec![json!({ "mediaType": OCI_MANIFEST, "digest": "none", "size": 1 })]);
    let report = scanned(move |request| store.answer(request)).json();
    assert!(report["complete"] == false && codes(&report).contains(&"invalid-document"), "{report:#}");
}
