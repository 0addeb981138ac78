//! The posture of images: each note where it belongs, and nowhere else.

use crate::support::{Packing, TestImage, archive, layer_tar, members, opaque, put, rm, scan, symlink, token};
use pentimento::digest::Digest;
use pentimento::error::Code;
use pentimento::limits::{Effort, Limits};
use pentimento::posture;
use serde_json::{Value, json};

/// 2026-01-01T00:00:00Z.
const NOW: u64 = 1_767_225_600;

/// A note, told shortly: code, layer, path.
type Told = (&'static str, Option<usize>, String);
const NONE: [Told; 0] = [];

/// What is said of each image: the notes, and their messages.
fn told(archive: &[u8], now: Option<u64>) -> Vec<(Vec<Told>, Vec<String>)> {
    let scanned = scan(archive);
    let mut effort = Effort::regardless(&Limits::default(), 1000);
    let notes = posture::notes(&scanned.archive, &scanned.images.images, now, &mut effort);
    assert_eq!(notes.len(), scanned.images.images.len());
    let one = |notes: posture::Notes| {
        let path = |path: &Option<Vec<u8>>| String::from_utf8_lossy(path.as_deref().unwrap_or_default()).into_owned();
        let short = notes.iter().map(|(layer, note)| (note.code.as_str(), *layer, path(&note.path))).collect();
        (short, notes.into_iter().map(|(_, note)| note.message).collect())
    };
    notes.into_iter().map(one).collect()
}

/// What is said of the only image, of these codes.
fn of(image: &TestImage, codes: &[Code]) -> Vec<Told> {
    only(&image.docker_save(), codes)
}

fn only(archive: &[u8], codes: &[Code]) -> Vec<Told> {
    let mut all = told(archive, Some(NOW));
    assert_eq!(all.len(), 1);
    all.remove(0).0.into_iter().filter(|(code, ..)| codes.iter().any(|wanted| wanted.as_str() == *code)).collect()
}

fn note(code: Code) -> Told {
    (code.as_str(), None, String::new())
}

fn at(code: Code, layer: usize, path: &str) -> Told {
    (code.as_str(), Some(layer), path.to_owned())
}

/// An archive of Docker with another config.
fn edited(archive_of_docker: &[u8], edit: impl Fn(&mut Value)) -> Vec<u8> {
    let mut all = members(archive_of_docker);
    let position = |all: &[(String, Vec<u8>)], name: &str| all.iter().position(|(other, _)| other == name).expect("a member");
    let at = position(&all, "manifest.json");
    let mut manifest: Value = serde_json::from_slice(&all[at].1).expect("JSON");
    let name = manifest[0]["Config"].as_str().expect("a name").to_owned();
    let of_config = position(&all, &name);
    let mut config: Value = serde_json::from_slice(&all[of_config].1).expect("JSON");
    edit(&mut config);
    let bytes = config.to_string().into_bytes();
    let name = format!("{}.json", Digest::sha256(&bytes).encoded());
    manifest[0]["Config"] = json!(name);
    all[of_config] = (name, bytes);
    all[at].1 = manifest.to_string().into_bytes();
    archive(&all)
}

/// Several archives of Docker as one; layers that are the same are one member. Only those of `tagged` keep their tags.
fn together(archives: &[Vec<u8>], tagged: &[usize]) -> Vec<u8> {
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let mut items: Vec<Value> = Vec::new();
    for (index, one) in archives.iter().enumerate() {
        let own = members(one);
        let get = |name: &str| own.iter().find(|(other, _)| other == name).map(|(_, bytes)| bytes.clone()).expect("a member");
        let manifest: Value = serde_json::from_slice(&get("manifest.json")).expect("JSON");
        let mut item = manifest[0].clone();
        let config = item["Config"].as_str().expect("a name").to_owned();
        all.push((config.clone(), get(&config)));
        for layer in item["Layers"].as_array_mut().expect("layers") {
            let bytes = get(layer.as_str().expect("a name"));
            let name = format!("{}/layer.tar", Digest::sha256(&bytes).encoded());
            if all.iter().all(|(other, _)| *other != name) {
                all.push((name.clone(), bytes));
            }
            *layer = json!(name);
        }
        item["RepoTags"] = if tagged.contains(&index) { json!([format!("test:{index}")]) } else { Value::Null };
        items.push(item);
    }
    all.push(("manifest.json".to_owned(), json!(items).to_string().into_bytes()));
    archive(&all)
}

/// An OCI archive of an image, with these annotations on the manifest and on its descriptor, and one more document about it.
fn annotated(docker: &[u8], of_manifest: &Value, of_descriptor: &Value, predicate: Option<Value>) -> Vec<u8> {
    let own = members(docker);
    let get = |name: &str| own.iter().find(|(other, _)| other == name).map(|(_, bytes)| bytes.clone()).expect("a member");
    let manifest: Value = serde_json::from_slice(&get("manifest.json")).expect("JSON");
    let mut blobs: Vec<(String, Vec<u8>)> = Vec::new();
    let mut blob = |bytes: Vec<u8>, media: &str| {
        let digest = Digest::sha256(&bytes);
        let descriptor = json!({ "mediaType": media, "digest": digest.to_string(), "size": bytes.len() });
        blobs.push((digest.blob_path(), bytes));
        descriptor
    };
    let layers = manifest[0]["Layers"].as_array().expect("layers").iter();
    let layers: Vec<Value> =
        layers.map(|name| blob(get(name.as_str().expect("a name")), "application/vnd.oci.image.layer.v1.tar")).collect();
    let config = blob(get(manifest[0]["Config"].as_str().expect("a name")), "application/vnd.oci.image.config.v1+json");
    let image = json!({ "schemaVersion": 2, "config": config, "layers": layers, "annotations": of_manifest }).to_string();
    let mut descriptor = blob(image.into_bytes(), "application/vnd.oci.image.manifest.v1+json");
    let subject = descriptor["digest"].clone();
    descriptor["annotations"] = of_descriptor.clone();
    let mut listed = vec![descriptor];
    if let Some(predicate) = predicate {
        let statement = json!({ "_type": "https://in-toto.io/Statement/v0.1", "predicate": predicate }).to_string();
        let statement = blob(statement.into_bytes(), "application/vnd.in-toto+json");
        let empty = blob(b"{}".to_vec(), "application/vnd.oci.image.config.v1+json");
        let about = json!({ "schemaVersion": 2, "config": empty, "layers": [statement] }).to_string();
        let mut about = blob(about.into_bytes(), "application/vnd.oci.image.manifest.v1+json");
        about["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": subject });
        listed.push(about);
    }
    blobs.push(("index.json".to_owned(), json!({ "schemaVersion": 2, "manifests": listed }).to_string().into_bytes()));
    blobs.push(("oci-layout".to_owned(), json!({ "imageLayoutVersion": "1.0.0" }).to_string().into_bytes()));
    archive(&blobs)
}

/// A layer with files of these modes.
fn modes(files: &[(&str, u32)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(*mode);
        header.set_size(3);
        builder.append_data(&mut header, path, &b"ELF"[..]).expect("memory");
    }
    builder.into_inner().expect("memory")
}

/// An image on an operating system.
fn on_system() -> TestImage {
    TestImage::new()
        .step("/bin/sh -c #(nop) ADD file:abc in /", &layer_tar(&[put("etc/os-release", "ID=x\n")]))
        .step("COPY . /app", &layer_tar(&[put("app/x", "x")]))
}

#[test]
fn whoever_runs_as_root() {
    let image = |user: &str| TestImage::new().layer([put("x", "x")]).config(json!({ "User": user }));
    for user in ["", "0", "root", "0:0", "root:wheel", "00", ":1000"] {
        assert_eq!(of(&image(user), &[Code::RunsAsRoot]), [note(Code::RunsAsRoot)], "{user}");
    }
    for user in ["1000", "app", "65532:0", "nonroot:nonroot", "rooty", "1000:0"] {
        assert_eq!(of(&image(user), &[Code::RunsAsRoot]), NONE, "{user}");
    }
    let windows = edited(&image("").docker_save(), |config| config["os"] = json!("Windows"));
    assert_eq!(only(&windows, &[Code::RunsAsRoot]), NONE);
    // A file system, and what has no config, say nothing of users.
    let file_system = archive(&[("etc/passwd".to_owned(), b"root:x:0:0".to_vec())]);
    assert_eq!(only(&file_system, &[Code::RunsAsRoot]), NONE);
    let without = edited(&image("").docker_save(), |config| *config = json!({ "hello": 1 }));
    assert_eq!(only(&without, &[Code::RunsAsRoot]), NONE);
}

#[test]
fn bases_that_nothing_names() {
    let codes = [Code::BaseUnknown];
    let unknown = [note(Code::BaseUnknown)];
    assert_eq!(of(&on_system(), &codes), unknown);
    // On nothing, and on itself.
    assert_eq!(of(&TestImage::new().layer([put("etc/os-release", "ID=x\n")]), &codes), NONE);
    assert_eq!(of(&TestImage::new().layer([put("x", "x")]).layer([put("y", "y")]), &codes), NONE);
    // A process that is started twice was two images.
    let twice = |last: &str| {
        edited(&TestImage::new().layer([put("x", "x")]).layer([put("y", "y")]).docker_save(), |config| {
            let layer = |n: u32| json!({ "created_by": format!("COPY {n} /") });
            let empty = |by: &str| json!({ "created_by": by, "empty_layer": true });
            config["history"] = json!([layer(1), empty("CMD [\"sh\"]"), layer(2), empty(last)]);
        })
    };
    assert_eq!(only(&twice("CMD [\"app\"]"), &codes), unknown);
    assert_eq!(only(&twice("ENTRYPOINT [\"app\"]"), &codes), NONE);
    // Whoever says it: annotation, label, builder, provenance, the base itself in the same archive.
    let docker = on_system().docker_save();
    let nothing = json!({});
    let digest = json!({ "org.opencontainers.image.base.digest": "sha256:00" });
    assert_eq!(only(&annotated(&docker, &nothing, &nothing, None), &codes), unknown);
    assert_eq!(only(&annotated(&docker, &digest, &nothing, None), &codes), NONE);
    assert_eq!(only(&annotated(&docker, &nothing, &digest, None), &codes), NONE);
    assert_eq!(of(&on_system().config(json!({ "Labels": { "org.opencontainers.image.base.name": "debian:12" } })), &codes), NONE);
    assert_eq!(only(&edited(&docker, |config| config["history"][1]["comment"] = json!("FROM docker.io/library/debian:12")), &codes), NONE);
    assert_eq!(only(&edited(&docker, |config| config["history"][1]["comment"] = json!("FROM 8d58927d0a49")), &codes), unknown);
    let provenance = |uri: &str| Some(json!({ "materials": [{ "uri": uri }] }));
    assert_eq!(only(&annotated(&docker, &nothing, &nothing, provenance("pkg:docker/debian@12")), &codes), NONE);
    assert_eq!(only(&annotated(&docker, &nothing, &nothing, provenance("pkg:docker/docker/dockerfile@1")), &codes), unknown);
    let base = TestImage::new().step("/bin/sh -c #(nop) ADD file:abc in /", &layer_tar(&[put("etc/os-release", "ID=x\n")]));
    let both = told(&together(&[base.docker_save(), docker], &[0, 1]), None);
    assert!(both.iter().all(|(notes, _)| notes.iter().all(|(code, ..)| *code != "base-unknown")), "{both:?}");
}

#[test]
fn bases_by_their_names() {
    let codes = [Code::BaseUnofficial, Code::BaseFloating];
    let told = |name: &str, digest: Option<&str>| {
        let mut annotations = json!({ "org.opencontainers.image.base.name": name });
        if let Some(digest) = digest {
            annotations["org.opencontainers.image.base.digest"] = json!(digest);
        }
        let notes = only(&annotated(&on_system().docker_save(), &annotations, &json!({}), None), &codes);
        notes.into_iter().map(|(code, ..)| code).collect::<Vec<_>>()
    };
    assert_eq!(told("debian:12", None), [""; 0]);
    assert_eq!(told("debian", None), ["base-floating"]);
    assert_eq!(told("debian:latest", Some("sha256:00")), [""; 0]);
    assert_eq!(told("debian@sha256:00", None), [""; 0]);
    assert_eq!(told("registry.example:5000/x/y:latest", None), ["base-unofficial", "base-floating"]);
    assert_eq!(told("docker.io/somebody/x:1", None), ["base-unofficial"]);
    assert_eq!(told("mcr.microsoft.com/dotnet/aspnet:9.0", None), [""; 0]);
    assert_eq!(told("scratch", None), [""; 0]);
}

#[test]
fn old_bases() {
    let codes = [Code::BaseOld];
    let dated = |dates: &[&str]| {
        edited(&on_system().docker_save(), |config| {
            for (index, date) in dates.iter().enumerate() {
                config["history"][index]["created"] = json!(date);
            }
        })
    };
    let old = |layer: usize| [at(Code::BaseOld, layer, "")];
    assert_eq!(only(&dated(&["2024-12-31T00:00:00Z", "2025-12-31T00:00:00Z"]), &codes), old(0));
    assert_eq!(only(&dated(&["2025-01-01T00:00:00Z", "2025-12-31T00:00:00Z"]), &codes), NONE);
    // What was given a date: the epoch, the future, one for all.
    assert_eq!(only(&dated(&["1970-01-01T00:00:00Z", "2025-12-31T00:00:00Z"]), &codes), NONE);
    assert_eq!(only(&dated(&["1980-01-01T00:00:01Z", "2020-12-31T00:00:00Z"]), &codes), old(1));
    assert_eq!(only(&dated(&["2030-01-01T00:00:00Z", "2025-12-31T00:00:00Z"]), &codes), NONE);
    assert_eq!(only(&dated(&["2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"]), &codes), NONE);
    assert_eq!(only(&dated(&["yesterday"]), &codes), NONE);
    assert_eq!(only(&edited(&dated(&[]), |config| config["created"] = json!("2020-01-01T00:00:00Z")), &codes), [note(Code::BaseOld)]);
    let quiet = told(&dated(&["2020-12-31T00:00:00Z", "2025-12-31T00:00:00Z"]), None);
    assert!(quiet[0].0.iter().all(|(code, ..)| *code != "base-old"), "without a clock, ages are not told");
    let (_, messages) = &told(&dated(&["2024-12-31T00:00:00Z", "2025-12-31T00:00:00Z"]), Some(NOW))[0];
    assert!(messages.iter().any(|message| message.contains("from 2024-12-31, 366 days ago")), "{messages:?}");
}

#[test]
fn what_was_left_behind() {
    let codes = [Code::LeftBehind];
    let image = TestImage::new()
        .layer([put("app/.git/HEAD", "ref: x"), put("app/.git/config", "x"), put("app/.env", "A=1"), put("app/.env.example", "A=")])
        .layer([
            put("root/.bash_history", "ls"),
            put("home/a/.bash_history", ""),
            put("app/Dockerfile", "FROM x"),
            put("b/Dockerfile", "FROM x"),
        ])
        .layer([rm("app/.env"), rm("b"), put("usr/share/x/.env", "A=1")]);
    let left = |layer: usize, path: &str| at(Code::LeftBehind, layer, path);
    assert_eq!(of(&image, &codes), [left(0, "app/.git"), left(0, "app/.env"), left(1, "app/Dockerfile"), left(1, "root/.bash_history")]);
    let messages = told(&image.docker_save(), None).remove(0).1.join("\n");
    assert!(messages.contains("(app/.git, visible in the final image)"), "{messages}");
    assert!(messages.contains("(app/.env, hidden in the final image, and still in its layer)"), "{messages}");
    assert!(messages.contains("(app/Dockerfile and 1 more, 1 of 2 visible in the final image)"), "{messages}");
    assert!(messages.contains("(root/.bash_history, visible in the final image)"), "{messages}");
}

#[test]
fn leftovers_show_unless_something_hides_them() {
    let state = |image: TestImage| {
        let messages = told(&image.docker_save(), None).remove(0).1;
        messages.into_iter().find(|message| message.contains("settings")).map(|message| message.contains("visible in"))
    };
    let image = || TestImage::new().layer([put("app/.env", "A=1")]);
    assert_eq!(state(image()), Some(true));
    assert_eq!(state(image().layer([put("app/x", "x")])), Some(true));
    assert_eq!(state(image().layer([rm("app/.env")])), Some(false));
    assert_eq!(state(image().layer([rm("app")])), Some(false));
    assert_eq!(state(image().layer([opaque("app")])), Some(false));
    assert_eq!(state(image().layer([put("app", "a file")])), Some(false));
    assert_eq!(state(image().layer([symlink("app/.env", "x")])), Some(false));
    assert_eq!(state(image().layer([rm("app")]).layer([put("app/.env", "A=2")])), Some(true));
    assert_eq!(state(TestImage::new().layer([put("app/.env", "")])), None);
    assert_eq!(state(TestImage::new().layer([symlink("app/.env", "x")])), None);
}

#[test]
fn node_modules_over_node_modules() {
    let codes = [Code::LeftBehind];
    let module = |dir: &str| layer_tar(&[put(&format!("{dir}/node_modules/x/package.json"), "{}")]);
    let built =
        |first: (&str, &str), second: (&str, &str)| TestImage::new().step(first.0, &module(first.1)).step(second.0, &module(second.1));
    let run = ("RUN /bin/sh -c npm ci # buildkit", "app");
    let copy = ("COPY . /app # buildkit", "app");
    assert_eq!(of(&built(run, copy), &codes), [at(Code::LeftBehind, 1, "app/node_modules")]);
    assert_eq!(of(&built(copy, run), &codes), NONE);
    assert_eq!(of(&built(run, (copy.0, "web")), &codes), NONE);
    assert_eq!(of(&TestImage::new().step(copy.0, &module("app")), &codes), NONE);
}

#[test]
fn sockets_of_engines() {
    let codes = [Code::DockerSocket];
    let volumes = |path: &str| TestImage::new().layer([put("x", "x")]).config(json!({ "Volumes": { path: {} } }));
    for path in [
        "/var/run/docker.sock",
        "/run/docker.sock/",
        "/run/containerd/containerd.sock",
        "/run/podman/podman.sock",
        "/var/run/crio/crio.sock",
    ] {
        assert_eq!(of(&volumes(path), &codes), [note(Code::DockerSocket)], "{path}");
    }
    for path in ["/data", "/var/run", "/srv/docker.sock", "/run/docker.sock.d"] {
        assert_eq!(of(&volumes(path), &codes), NONE, "{path}");
    }
    let socket = |path: &str| of(&TestImage::new().layer([put(path, "")]), &codes);
    assert_eq!(socket("run/docker.sock"), [at(Code::DockerSocket, 0, "run/docker.sock")]);
    assert_eq!(socket("usr/lib/systemd/docker.sock"), NONE);
    let compose = |path: &str, line: &str| {
        let text = format!("services:\n  a:\n    volumes:\n      {line}\n");
        let image = TestImage::new().layer([put("x", "x")]).layer([put(path, text)]);
        image.layouts().into_iter().map(|(_, archive)| only(&archive, &codes)).collect::<Vec<_>>()
    };
    let mounted = at(Code::DockerSocket, 1, "app/compose.yml");
    assert!(compose("app/compose.yml", "- /var/run/docker.sock:/sock").iter().all(|notes| *notes == [mounted.clone()]));
    assert!(compose("app/compose.yml", "- ./data:/data").iter().all(Vec::is_empty));
    assert!(compose("app/compose.txt", "- /var/run/docker.sock:/sock").iter().all(Vec::is_empty));
    // In a file system, files are members.
    let text = b"services: {a: {volumes: [/var/run/docker.sock:/sock]}}".to_vec();
    let file_system = archive(&[("etc/x".to_owned(), b"x".to_vec()), ("srv/compose.yaml".to_owned(), text)]);
    assert_eq!(only(&file_system, &codes), [at(Code::DockerSocket, 0, "srv/compose.yaml")]);
}

#[test]
fn programs_with_the_rights_of_others() {
    let codes = [Code::SetuidAdded];
    let base = || {
        TestImage::new()
            .step("/bin/sh -c #(nop) ADD file:abc in /", &modes(&[("usr/bin/find", 0o755), ("usr/bin/odd", 0o4755), ("app/odd", 0o4755)]))
    };
    let built = |by: &str, files: &[(&str, u32)]| of(&base().step(by, &modes(files)), &codes);
    let added = |path: &str| [at(Code::SetuidAdded, 1, path)];
    assert_eq!(of(&base(), &codes), NONE, "what the lowest layer has is the base's");
    assert_eq!(built("COPY tool /usr/local/bin/tool # buildkit", &[("usr/local/bin/tool", 0o4755)]), added("usr/local/bin/tool"));
    assert_eq!(built("COPY tool /tool # buildkit", &[("tool", 0o2755), ("b", 0o755)]), added("tool"));
    assert_eq!(built("RUN /bin/sh -c chmod u+s /usr/bin/find # buildkit", &[("usr/bin/find", 0o4755)]), added("usr/bin/find"));
    // Not programs, not new, not one's own, of unknown origin.
    assert_eq!(built("COPY tool /tool # buildkit", &[("tool", 0o4644), ("lock", 0o2644), ("dir/x", 0o1755)]), NONE);
    assert_eq!(built("RUN /bin/sh -c touch /usr/bin/odd # buildkit", &[("usr/bin/odd", 0o4755), ("app/odd", 0o4755)]), NONE);
    assert_eq!(
        built("RUN /bin/sh -c apt-get install -y sudo tool # buildkit", &[("usr/bin/sudo", 0o4755), ("usr/bin/tool", 0o4755)]),
        NONE
    );
    assert_eq!(built("who knows", &[("tool", 0o4755)]), NONE);
    // What is gone, or has lost its bit, in the final image.
    let tool = || base().step("COPY tool /tool", &modes(&[("tool", 0o4755)]));
    assert_eq!(of(&tool().layer([put("x", "x")]), &codes), added("tool"));
    assert_eq!(of(&tool().layer([rm("tool")]), &codes), NONE);
    assert_eq!(of(&tool().step("RUN chmod u-s /tool", &modes(&[("tool", 0o755)])), &codes), NONE);
}

#[test]
fn build_arguments_that_are_secrets() {
    let codes = [Code::BuildArgument];
    let value = token("posture");
    let image = |by: &str| TestImage::new().layer([put("x", "x")]).step(by, &layer_tar(&[put("y", "y")]));
    let used = image(&format!("|2 NPM_TOKEN={value} VERSION=1 /bin/sh -c npm ci"));
    assert_eq!(of(&used, &codes), [at(Code::BuildArgument, 1, "")]);
    assert_eq!(of(&image(&format!("RUN |1 NPM_TOKEN={value} /bin/sh -c npm ci # buildkit")), &codes), [at(Code::BuildArgument, 1, "")]);
    assert_eq!(of(&image("|2 VERSION=1 TOKEN_URL=x /bin/sh -c npm ci"), &codes), NONE);
    assert_eq!(of(&image("RUN /bin/sh -c NPM_TOKEN=x npm ci # buildkit"), &codes), NONE);
    let messages = told(&used.docker_save(), None).remove(0).1.join("\n");
    assert!(messages.contains("NPM_TOKEN") && !messages.contains(&value[..8]), "{messages}");
    // Declared and used is told once, declared alone too.
    let declared = |archive: Vec<u8>| {
        edited(&archive, |config| {
            let history = config["history"].as_array_mut().expect("a history");
            history.insert(1, json!({ "created_by": "/bin/sh -c #(nop)  ARG NPM_TOKEN=x", "empty_layer": true }));
        })
    };
    assert_eq!(only(&declared(used.docker_save()), &codes), [at(Code::BuildArgument, 1, "")]);
    assert_eq!(only(&declared(image("RUN make").docker_save()), &codes), [note(Code::BuildArgument)]);
}

#[test]
fn earlier_states_in_the_archive() {
    let state =
        |layers: u32| (0..layers).fold(TestImage::new(), |image, n| image.layer([put(&format!("f{n}"), format!("{n}"))])).docker_save();
    let notes = |archive: &[u8]| {
        let all = told(archive, None);
        all.iter().map(|(notes, _)| notes.iter().filter(|(code, ..)| *code == "intermediate-images").count()).collect::<Vec<_>>()
    };
    let chain = together(&[state(1), state(2), state(3)], &[2]);
    assert_eq!(notes(&chain), [0, 0, 1]);
    let messages = told(&chain, None).remove(2).1.join("\n");
    assert!(messages.contains("(2: sha256:"), "{messages}");
    assert_eq!(notes(&together(&[state(3), state(1)], &[0])), [1, 0]);
    // Bases that have names, and images beside each other, are none.
    assert_eq!(notes(&together(&[state(1), state(2), state(3)], &[0, 1, 2])), [0, 0, 0]);
    let other = TestImage::new().layer([put("g", "g")]).docker_save();
    assert_eq!(notes(&together(&[other, state(2)], &[1])), [0, 0]);
    // The same layers by another history are another build.
    let foreign = edited(&state(1), |config| config["history"][0]["created_by"] = json!("COPY x /"));
    assert_eq!(notes(&together(&[foreign, state(2)], &[1])), [0, 0]);
}

#[test]
fn nothing_is_said_of_artifacts_and_without_effort() {
    let image = on_system().layer([put("app/.env", "A=1")]);
    let scanned = scan(&image.oci_archive(Packing::Gzip));
    let mut effort = Effort::regardless(&Limits { steps: 0, ..Limits::default() }, 0);
    let notes = posture::notes(&scanned.archive, &scanned.images.images, Some(NOW), &mut effort);
    assert_eq!(notes, [vec![]]);
    let layer = Digest::sha256(b"A=1").to_string();
    let manifest = json!({ "schemaVersion": 2, "artifactType": "application/x", "config": { "mediaType": "application/x", "digest": layer, "size": 3 },
        "layers": [{ "digest": layer, "size": 3, "mediaType": "text/plain" }] });
    let artifact =
        archive(&[(Digest::sha256(b"A=1").blob_path(), b"A=1".to_vec()), ("manifest.json".to_owned(), manifest.to_string().into_bytes())]);
    assert_eq!(only(&artifact, &[Code::RunsAsRoot, Code::BaseUnknown, Code::LeftBehind]), NONE);
}

#[test]
fn every_layout_says_the_same() {
    let image =
        on_system().layer([put("app/.env", "A=1"), put("app/.git/HEAD", "x")]).config(json!({ "Volumes": { "/run/docker.sock": {} } }));
    let all: Vec<_> = image.layouts().into_iter().map(|(_, archive)| told(&archive, Some(NOW))).collect();
    assert!(all[0][0].0.len() >= 5 && all.iter().all(|one| *one == all[0]), "{all:#?}");
}

/// For reading: `cargo test --test suite posture -- --nocapture --ignored`.
#[test]
#[ignore = "prints what is said of the samples"]
fn what_is_said_of_the_samples() {
    let root = format!("{}/testdata", env!("CARGO_MANIFEST_DIR"));
    let samples = std::fs::read_dir(format!("{root}/samples")).expect("samples").flatten().map(|item| item.path());
    let given = std::env::var("POSTURE").into_iter().flat_map(|list| list.split(':').map(Into::into).collect::<Vec<std::path::PathBuf>>());
    for path in samples.chain([format!("{root}/demo/demo.tar").into()]).chain(given) {
        println!("{}", path.display());
        let Ok(source) = pentimento::source::Source::open(&path.display().to_string(), &Limits::default()) else { continue };
        let (limits, progress) = (Limits::default(), pentimento::scan::Progress::default());
        let work = pentimento::scan::Work::default();
        let Ok(archive) = pentimento::scan::scan(source, crate::support::detector(), &limits, work, &progress) else { continue };
        let images = pentimento::image::images(&archive, &pentimento::image::Selection::default());
        let notes = posture::notes(&archive, &images.images, Some(NOW), &mut Effort::regardless(&limits, 1_000_000));
        for (image, notes) in images.images.iter().zip(notes) {
            println!("  {:?}", image.names);
            notes.iter().for_each(|(layer, note)| println!("    {} {layer:?} {}", note.code.as_str(), note.message));
        }
    }
}
