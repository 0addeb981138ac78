//! Images that real engines build and save. They need docker, podman and skopeo: `.ci/run` installs and starts them.

use crate::support::{codes, fates, run, run_with, temporary, token};
use std::path::Path;
use std::process::Command;

fn shell(command: &str) -> Vec<u8> {
    let output = Command::new("sh").args(["-ec", command]).output().expect("a shell");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The context of a small image: busybox as its only file, and a secret that is copied in and removed.
fn context(dir: &Path) -> String {
    std::fs::copy("/bin/busybox", dir.join("busybox")).expect("busybox-static");
    std::fs::write(dir.join("env"), format!("GITHUB_TOKEN={}\n", token("engines"))).expect("a file");
    let dockerfile = "FROM scratch\nCOPY busybox /bin/sh\nCOPY env /app/.env\nRUN [\"/bin/sh\", \"-c\", \"echo x > /app/ok\"]\nRUN [\"/bin/sh\", \"-c\", \"rm /app/.env\"]\n";
    std::fs::write(dir.join("Dockerfile"), dockerfile).expect("a file");
    dir.display().to_string()
}

fn expect(report: &serde_json::Value, what: &str) {
    let fates = fates(report);
    assert_eq!(fates.len(), 1, "{what}: {report:#}");
    assert_eq!((fates[0].0.as_str(), fates[0].2.as_str()), ("app/.env", "deleted whiteout"), "{what}");
    assert_eq!(report["complete"], true, "{what}: {report:#}");
    let finding = &report["findings"][0];
    assert!(finding["instruction"].as_str().is_some_and(|i| i.starts_with("COPY ") && i.ends_with("/app/.env")), "{what}: {finding:#}");
    assert!(finding["fate"]["by_instruction"].as_str().is_some_and(|i| i.contains("rm /app/.env")), "{what}: {finding:#}");
}

#[test]
#[ignore = "needs docker: .ci/run starts it"]
fn docker_save_in_a_file_and_through_a_pipe() {
    let dir = temporary();
    let context = context(dir.path());
    shell(&format!("DOCKER_BUILDKIT=0 docker build -q --network=none -t pentimento-test:1 {context}"));
    let saved = dir.path().join("saved.tar").display().to_string();
    shell(&format!("docker save pentimento-test:1 -o {saved}"));
    let from_file = run(["scan", &saved, "--format", "json"]).json();
    expect(&from_file, "file");
    assert_eq!(from_file["images"][0]["names"], serde_json::json!(["pentimento-test:1"]));
    let from_pipe = run_with(["scan", "-", "--format", "json"], &shell("docker save pentimento-test:1")).json();
    expect(&from_pipe, "pipe");
    assert_eq!(from_file["findings"][0]["id"], from_pipe["findings"][0]["id"]);
    let command = from_file["findings"][0]["retrieve"].as_str().expect("a command");
    assert_eq!(String::from_utf8_lossy(&shell(command)).trim(), format!("GITHUB_TOKEN={}", token("engines")));
}

#[test]
#[ignore = "needs docker and skopeo: .ci/run starts them"]
fn skopeo_copies_to_every_layout() {
    let dir = temporary();
    let context = context(dir.path());
    let out = temporary();
    let path = |name: &str| out.path().join(name).display().to_string();
    shell(&format!(
        "DOCKER_BUILDKIT=0 docker build -q --network=none -t pentimento-test:2 {context} && docker save pentimento-test:2 -o {}",
        path("saved.tar")
    ));
    for (name, destination) in [
        ("copied.tar", format!("docker-archive:{}", path("copied.tar"))),
        ("oci.tar", format!("oci-archive:{}:v1", path("oci.tar"))),
        ("zstd", format!("--dest-compress-format zstd oci:{}:v1", path("zstd"))),
        ("dir", format!("dir:{}", path("dir"))),
    ] {
        let (options, destination) = destination.rsplit_once(' ').map_or(("", destination.as_str()), |(o, d)| (o, d));
        shell(&format!("skopeo copy -q {options} docker-archive:{} {destination}", path("saved.tar")));
        expect(&run(["scan", &path(name), "--format", "json"]).json(), name);
    }
}

#[test]
#[ignore = "needs podman: .ci/run installs it"]
fn podman_builds_and_saves() {
    let dir = temporary();
    let context = context(dir.path());
    let out = temporary();
    let podman = format!("podman --storage-driver vfs --root {0}/root --runroot {0}/run", out.path().display());
    // podman cannot run containers everywhere: the image comes from docker's archive where that is so.
    shell(&format!(
        "DOCKER_BUILDKIT=0 docker build -q --network=none -t pentimento-test:3 {context} && docker save pentimento-test:3 | {podman} load -q"
    ));
    for format in ["docker-archive", "oci-archive", "docker-dir"] {
        let saved = out.path().join(format).display().to_string();
        shell(&format!("{podman} save -q --format {format} -o {saved} pentimento-test:3"));
        expect(&run(["scan", &saved, "--format", "json"]).json(), format);
    }
    shell(&format!("{podman} rmi -af"));
}

/// An image whose only secret is still there, in an archive that docker saved.
fn kept(dir: &Path, tag: &str) -> String {
    std::fs::copy("/bin/busybox", dir.join("busybox")).expect("busybox-static");
    std::fs::write(dir.join("keep"), format!("GITHUB_TOKEN={}\n", token("kept"))).expect("a file");
    std::fs::write(dir.join("Dockerfile"), "FROM scratch\nCOPY busybox /bin/sh\nCOPY keep /app/keep\n").expect("a file");
    let saved = dir.join("saved.tar").display().to_string();
    shell(&format!("DOCKER_BUILDKIT=0 docker build -q --network=none -t {tag} {} && docker save {tag} -o {saved}", dir.display()));
    saved
}

#[test]
#[ignore = "needs docker: .ci/run starts it"]
fn docker_export_is_one_layer() {
    let dir = temporary();
    kept(dir.path(), "pentimento-test:4");
    let exported = dir.path().join("exported.tar").display().to_string();
    shell(&format!("id=$(docker create pentimento-test:4 /bin/sh); docker export $id -o {exported}; docker rm $id"));
    let from_file = run(["scan", &exported, "--format", "json"]).json();
    let from_pipe = run_with(["scan", "-", "--format", "json"], &std::fs::read(&exported).expect("a file")).json();
    for report in [&from_file, &from_pipe] {
        assert_eq!((codes(report), &report["complete"]), (vec!["plain-file-system"], &true.into()), "{report:#}");
        assert_eq!(fates(report), [("app/keep".to_owned(), 0, "present".to_owned(), None)]);
    }
    let command = from_file["findings"][0]["retrieve"].as_str().expect("a command");
    assert!(String::from_utf8_lossy(&shell(command)).contains(&token("kept")));
}

#[test]
#[ignore = "needs docker, skopeo and umoci: .ci/run starts them"]
fn umoci_leaves_the_old_manifest_behind() {
    let dir = temporary();
    let saved = kept(dir.path(), "pentimento-test:5");
    let layout = dir.path().join("layout").display().to_string();
    shell(&format!("skopeo copy -q docker-archive:{saved} oci:{layout}:v1 && umoci insert --image {layout}:v1 --whiteout /app/keep"));
    let report = run(["scan", &layout, "--format", "json"]).json();
    assert_eq!((codes(&report), &report["complete"]), (vec!["orphan"], &true.into()), "{report:#}");
    assert_eq!(fates(&report), [("app/keep".to_owned(), 1, "deleted whiteout".to_owned(), Some(2))]);
}

#[test]
#[ignore = "needs docker and xz: .ci/run starts them"]
fn a_saved_image_packed_as_a_whole() {
    let dir = temporary();
    let saved = kept(dir.path(), "pentimento-test:6");
    for packer in ["xz", "bzip2", "gzip"] {
        let packed = dir.path().join(packer).display().to_string();
        shell(&format!("{packer} -1 -c {saved} > {packed}"));
        let report = run(["scan", &packed, "--format", "json"]).json();
        assert_eq!(fates(&report), [("app/keep".to_owned(), 1, "present".to_owned(), None)], "{packer}");
        let command = report["findings"][0]["retrieve"].as_str().expect("a command");
        assert!(String::from_utf8_lossy(&shell(command)).contains(&token("kept")), "{packer}: {command}");
    }
}

/// What an engine prints of the file that was deleted; nothing if it is not there.
fn printed(engine: &str, tag: &str, path: &str) -> String {
    let command = format!(
        "id=$({engine} create {tag} x); {{ {engine} cp \"$id\":{path} - 2>/dev/null | tar -xO 2>/dev/null; }} || true; {engine} rm \"$id\" >/dev/null"
    );
    String::from_utf8(shell(&command)).expect("text").trim().to_owned()
}

#[test]
#[ignore = "needs docker, podman and containerd: .ci/run starts them"]
fn a_rewound_image_shows_the_deleted_file_in_every_engine() {
    let dir = temporary();
    let context = context(dir.path());
    let out = temporary();
    let path = |name: &str| out.path().join(name).display().to_string();
    let podman = format!("podman --storage-driver vfs --root {0}/root --runroot {0}/run", out.path().display());
    shell(&format!(
        "DOCKER_BUILDKIT=0 docker build -q --network=none -t pentimento-test:7 {context} && docker save pentimento-test:7 -o {saved} \
         && skopeo copy -q docker-archive:{saved} --dest-compress-format zstd oci:{oci}:v1 && {podman} load -q -i {saved} && {podman} save -q --format oci-archive -o {podmans} pentimento-test:7",
        saved = path("saved.tar"),
        oci = path("oci"),
        podmans = path("podmans.tar"),
    ));
    let secret = format!("GITHUB_TOKEN={}", token("engines"));
    for name in ["saved.tar", "oci", "podmans.tar"] {
        let target = path(name);
        let report = run(["scan", &target, "--format", "json"]).json();
        let id = report["findings"][0]["id"].as_str().expect("an id").to_owned();
        let recovered = run(["recover", &target, &id]);
        assert_eq!((recovered.code, recovered.stdout.trim()), (0, secret.as_str()), "{name}: {}", recovered.stderr);
        let visible = path(&format!("{name}.visible.tar"));
        assert_eq!(
            run(["rewind", &target, "--finding", &id, "-o", &visible, "--tag", "localhost/pentimento-test:visible"]).code,
            0,
            "{name}"
        );
        // One layer later it is gone.
        let gone = path(&format!("{name}.gone.tar"));
        let by = report["findings"][0]["fate"]["by_layer"].as_u64().expect("a layer").to_string();
        assert_eq!(run(["rewind", &target, "--layer", &by, "-o", &gone, "--tag", "localhost/pentimento-test:gone"]).code, 0, "{name}");
        for engine in ["docker", &podman] {
            shell(&format!("{engine} load -q -i {visible} && {engine} load -q -i {gone}"));
            assert_eq!(printed(engine, "localhost/pentimento-test:visible", "/app/.env"), secret, "{name} {engine}");
            assert_eq!(printed(engine, "localhost/pentimento-test:gone", "/app/.env"), "", "{name} {engine}");
            assert_eq!(printed(engine, "localhost/pentimento-test:gone", "/app/ok"), "x", "{name} {engine}");
            shell(&format!("{engine} rmi -f localhost/pentimento-test:visible localhost/pentimento-test:gone"));
        }
        let ctr = "s=/run/containerd/containerd.sock; [ -S $s ] || s=/var/run/docker/containerd/containerd.sock; ctr -a $s -n pentimento";
        let mount = path("mount");
        shell(&format!(
            "{ctr} image import {visible} >/dev/null && mkdir -p {mount} && {ctr} image mount localhost/pentimento-test:visible {mount} >/dev/null"
        ));
        let seen = std::fs::read_to_string(format!("{mount}/app/.env")).expect("the file, in containerd");
        shell(&format!("{ctr} image unmount --rm {mount} >/dev/null && {ctr} image rm localhost/pentimento-test:visible >/dev/null"));
        assert_eq!(seen.trim(), secret, "{name} containerd");
    }
    shell(&format!("{podman} rmi -af"));
}

/// What is started for a test, and goes with it.
struct Background(std::process::Child);

impl Background {
    /// Runs a command until the end of the test, once `ready` holds.
    fn start(command: &str, ready: &str) -> Background {
        let child = Command::new("sh").args(["-c", &format!("exec {command}")]).spawn().expect("a shell");
        let background = Background(child);
        for _ in 0..300 {
            if Command::new("sh").args(["-c", ready]).output().expect("a shell").status.success() {
                return background;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{command}: it does not come up");
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs docker: .ci/run starts it"]
fn the_daemon_is_asked_and_a_container_and_a_watch_too() {
    use std::io::BufRead;
    let dir = temporary();
    let context = context(dir.path());
    let tag = "pentimento-test:daemon";
    shell(&format!("DOCKER_BUILDKIT=0 docker build -q --network=none -t {tag} {context}"));
    let report = run(["scan", &format!("docker://{tag}"), "--format", "json"]).json();
    expect(&report, "docker://");
    let command = report["findings"][0]["retrieve"].as_str().expect("a command");
    assert_eq!(String::from_utf8_lossy(&shell(command)).trim(), format!("GITHUB_TOKEN={}", token("engines")));
    let named = run(["scan", tag, "--format", "json"]).json();
    assert_eq!(named["findings"][0]["id"], report["findings"][0]["id"]);
    assert_eq!(codes(&named), ["name-resolved"]);

    // A container: created with a file of its own, which docker copies in.
    shell(&format!(
        "docker rm -f pentimento-test-c >/dev/null 2>&1 || true; docker create --name pentimento-test-c {tag} /bin/sh >/dev/null"
    ));
    shell(&format!("docker cp {context}/env pentimento-test-c:/own.env"));
    let report = run(["scan", "docker://container/pentimento-test-c", "--format", "json"]).json();
    let found: Vec<String> = fates(&report).into_iter().map(|(path, ..)| path).collect();
    assert_eq!(found, ["own.env"], "{report:#}");
    shell("docker rm pentimento-test-c");

    // A watch sees what is loaded. The image is one that the engine does not have under another name.
    let tag = "pentimento-test:watched";
    let saved = dir.path().join("saved.tar").display().to_string();
    let unique = format!("--label unique={}", std::process::id());
    shell(&format!(
        "DOCKER_BUILDKIT=0 docker build -q --network=none {unique} -t {tag} {context} && docker save {tag} -o {saved} && docker rmi {tag}"
    ));
    let mut child = Command::new(crate::support::program())
        .args(["scan", "--watch", "docker://", "--new-only"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program runs");
    std::thread::sleep(std::time::Duration::from_secs(5));
    shell(&format!("docker load -q -i {saved}"));
    let (told, hears) = std::sync::mpsc::channel();
    let output = std::io::BufReader::new(child.stdout.take().expect("output"));
    std::thread::spawn(move || told.send(output.lines().next()));
    let line = hears.recv_timeout(std::time::Duration::from_secs(90));
    if line.is_err() {
        let _ = child.kill();
    }
    let line = line.expect("a line in time").expect("a line").expect("text");
    expect(&serde_json::from_str(&line).expect("JSON"), "watch");
    shell(&format!("kill {}", child.id()));
    assert_eq!(child.wait().expect("an end").code(), Some(1));
    shell(&format!("docker rmi {tag}"));
}

#[test]
#[ignore = "needs podman and docker: .ci/run installs them"]
fn podmans_service_is_asked() {
    let dir = temporary();
    let context = context(dir.path());
    let at = |name: &str| dir.path().join(name).display().to_string();
    shell(&format!(
        "DOCKER_BUILDKIT=0 docker build -q --network=none -t pentimento-test:podman {context} && docker save pentimento-test:podman -o {}",
        at("saved.tar")
    ));
    let podman = format!("podman --storage-driver vfs --root {} --runroot {}", at("root"), at("run"));
    shell(&format!("{podman} load -q -i {}", at("saved.tar")));
    let socket = at("podman.sock");
    let _service = Background::start(&format!("{podman} system service -t 0 unix://{socket}"), &format!("test -S {socket}"));
    let output = Command::new(crate::support::program())
        .args(["scan", "podman://pentimento-test:podman", "--format", "json"])
        .env("CONTAINER_HOST", format!("unix://{socket}"))
        .output()
        .expect("the program runs");
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    expect(&report, "podman://");
}

#[test]
#[ignore = "needs docker, skopeo and docker-registry: .ci/run installs them"]
fn a_real_registry_with_a_password_and_a_bad_line() {
    let dir = temporary();
    let context = context(dir.path());
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (port, password) = (15871, format!("pw-{}", std::process::id()));
    let hash = format!("import crypt; print('me:' + crypt.crypt('{password}', crypt.mksalt(crypt.METHOD_BLOWFISH)))");
    std::fs::write(at("htpasswd"), shell(&format!("python3 -W ignore -c \"{hash}\""))).expect("a file");
    let config = format!(
        "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\nauth:\n  htpasswd:\n    realm: test\n    path: {}\n",
        at("store"),
        at("htpasswd")
    );
    std::fs::write(at("registry.yml"), config).expect("a file");
    let _registry = Background::start(
        &format!("docker-registry serve {} >/dev/null 2>&1", at("registry.yml")),
        &format!("curl -s -o /dev/null http://127.0.0.1:{port}/v2/"),
    );
    shell(&format!(
        "DOCKER_BUILDKIT=0 docker build -q --network=none -t pentimento-test:registry {context} && docker save pentimento-test:registry -o {saved} \
         && skopeo copy -q --dest-tls-verify=false --dest-creds me:{password} docker-archive:{saved} docker://127.0.0.1:{port}/team/app:v1",
        saved = at("saved.tar")
    ));
    let scan = |port: u16, extra: &[&str]| {
        let mut arguments = vec!["scan", "--username", "me", "--password-stdin", "--format", "json"];
        let target = format!("registry://127.0.0.1:{port}/team/app");
        let target = if extra.contains(&"--all-tags") { target } else { format!("{target}:v1") };
        arguments.extend([target.as_str()].iter().chain(extra));
        let arguments: [&str; 8] = {
            arguments.resize(8, "--quiet");
            arguments.try_into().expect("eight")
        };
        run_with(arguments, password.as_bytes())
    };
    expect(&scan(port, &[]).json(), "registry://");
    expect(&scan(port, &["--all-tags"]).json(), "--all-tags");
    let nobody = run(["scan", &format!("registry://127.0.0.1:{port}/team/app:v1"), "--no-credentials"]);
    assert!(nobody.code == 2 && nobody.stderr.contains("access is denied"), "{}", nobody.stderr);
    // The first connections that carry much are cut.
    let bad = crate::server::cutting_proxy(port, 4, 300_000);
    expect(&scan(bad, &[]).json(), "through a bad line");
}

/// `connect` to anything but a socket of this machine would show.
#[test]
#[ignore = "needs strace: .ci/run installs it"]
fn files_are_scanned_without_touching_the_network() {
    let dir = temporary();
    let trace = dir.path().join("trace").display().to_string();
    let program = crate::support::program().display().to_string();
    let traced = |arguments: &str| {
        let command = format!("strace -f -qq -e trace=socket,connect -o {trace} {program} {arguments} >/dev/null 2>&1 || true");
        shell(&command);
        std::fs::read_to_string(&trace).expect("a trace")
    };
    for arguments in [
        "scan testdata/demo/demo.tar",
        "scan testdata/demo/demo.tar --format html",
        "layers testdata/demo/demo.tar",
        "recover testdata/demo/demo.tar --all -o /nowhere/x",
        "scan ./no/such/file",
        "scan no-such.tar",
        "rules list",
        "scan registry://localhost:1/x --offline",
        "scan rootfs:src",
    ] {
        let trace = traced(arguments);
        assert!(!trace.contains("AF_INET"), "{arguments}: {trace}");
    }
    // The trace shows what it should.
    assert!(traced("scan registry://localhost:1/x").contains("AF_INET"));
}
