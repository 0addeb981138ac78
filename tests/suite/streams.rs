//! How a layer is packed, where its tar ends, what its config claims: the cases of formats.md parts 7.4, 10 and 12
//! (samples/experiments/t2.py), each with what it must say and that the secret is found all the same.

use crate::raw::{file, tar};
use crate::support::{archive, codes, run_with, token};
use pentimento::digest::Digest;
use serde_json::{Value, json};
use std::io::Write;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    crate::support::pack(bytes, crate::support::Packing::Gzip)
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 3).expect("memory")
}

fn long_zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("memory");
    encoder.window_log(27).expect("a window");
    encoder.long_distance_matching(true).expect("a parameter");
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn secret() -> String {
    format!("TOKEN={}\n", token("streams"))
}

fn base() -> Vec<u8> {
    tar(&[file("a", secret()), file("b", "1".repeat(600))])
}

/// What a case changes of an honest image.
#[derive(Default)]
struct Case {
    /// Stored and unpacked bytes of the layers.
    layers: Vec<(Vec<u8>, Vec<u8>)>,
    config: Option<fn(&mut Value)>,
    manifest: Option<fn(&mut Value)>,
}

fn image(case: &Case) -> Vec<u8> {
    let diff_ids: Vec<String> = case.layers.iter().map(|(_, unpacked)| Digest::sha256(unpacked).to_string()).collect();
    let history: Vec<Value> = (0..case.layers.len()).map(|i| json!({ "created_by": format!("/bin/sh -c l{i}") })).collect();
    let mut config = json!({ "architecture": "amd64", "os": "linux", "config": { "Cmd": ["/x"] },
        "rootfs": { "type": "layers", "diff_ids": diff_ids }, "history": history });
    if let Some(change) = case.config {
        change(&mut config);
    }
    let config = config.to_string().into_bytes();
    let name = format!("{}.json", Digest::sha256(&config).encoded());
    let names: Vec<String> = (0..case.layers.len()).map(|i| format!("l{i}/layer.tar")).collect();
    let mut manifest = json!([{ "Config": name, "RepoTags": ["x:1"], "Layers": names }]);
    if let Some(change) = case.manifest {
        change(&mut manifest);
    }
    let mut members: Vec<(String, Vec<u8>)> = names.into_iter().zip(case.layers.iter().map(|(stored, _)| stored.clone())).collect();
    members.push((name, config));
    members.push(("manifest.json".into(), manifest.to_string().into_bytes()));
    archive(&members)
}

fn check(name: &str, case: &Case, expected: &[&str], exit: i32) {
    let run = run_with(["scan", "-", "--format", "json", "--show-secrets"], &image(case));
    let report = run.json();
    assert_eq!(codes(&report), expected, "{name}: {:#}", report["problems"]);
    assert_eq!(run.code, exit, "{name}");
    let found = report["findings"].as_array().expect("findings").iter().any(|f| f["secret"]["value"] == token("streams").as_str());
    assert_eq!(found, exit == 1, "{name}: {report:#}");
}

fn stored(stored: Vec<u8>) -> Case {
    Case { layers: vec![(stored, base())], ..Case::default() }
}

#[test]
fn every_way_to_pack_a_layer() {
    let base = base();
    let skippable = |n: u8| [&[n, 0x2a, 0x4d, 0x18, 4, 0, 0, 0][..], b"abcd"].concat();
    let (one, two) = (&base[..700], &base[700..]);
    let chunked = [zstd(&base[..512]), zstd(&base[512..]), skippable(0x50), skippable(0x50)].concat();
    for (name, packed) in [
        ("gzip", gzip(&base)),
        ("gzip, 2 members split within a file", [gzip(one), gzip(two)].concat()),
        ("gzip, an empty member first", [gzip(b""), gzip(&base)].concat()),
        ("zstd", zstd(&base)),
        ("zstd, long window", long_zstd(&base)),
        ("zstd, 2 frames", [zstd(one), zstd(two)].concat()),
        ("zstd, skippable first", [skippable(0x50), zstd(&base)].concat()),
        ("zstd, skippable last", [zstd(&base), skippable(0x5f)].concat()),
        ("zstd:chunked", chunked),
        ("bzip2", bzip2(&base)),
        ("bzip2, 2 streams", [bzip2(one), bzip2(two)].concat()),
        ("xz", xz(&base)),
        ("xz, 2 streams and padding", [&xz(one)[..], &[0; 4], &xz(two)].concat()),
        ("lz4", lz4(&base)),
        ("lz4, 2 frames", [lz4(one), lz4(two)].concat()),
    ] {
        check(name, &stored(packed), &[], 1);
    }
    // eStargz: a gzip member a file, a table of contents as the last entry, an empty member with a pointer to it.
    let toc = tar(&[file("stargz.index.json", r#"{"version":1,"entries":[]}"#)]);
    let whole = [&base[..base.len() - 1024], &toc].concat();
    let mut footer = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x1a\0SG\x16\x000000000000000200STARGZ".to_vec();
    footer.extend_from_slice(b"\x01\0\0\xff\xff\0\0\0\0\0\0\0\0");
    let packed = [gzip(&base[..1024]), gzip(&base[1024..base.len() - 1024]), gzip(&toc), footer].concat();
    check("eStargz", &Case { layers: vec![(packed, whole)], ..Case::default() }, &[], 1);
    let twice = Case { layers: vec![(gzip(&gzip(&base)), base.clone())], ..Case::default() };
    check("gzip in gzip", &twice, &[], 1);
    let often = Case { layers: vec![(gzip(&zstd(&bzip2(&xz(&base)))), base)], ..Case::default() };
    check("four times", &often, &["diff-id-mismatch", "limit-reached"], 1);
}

#[test]
fn packed_layers_that_are_broken() {
    let base = base();
    let packed = gzip(&base);
    let bad_sum = [&packed[..packed.len() - 8], &[1, 2, 3, 4], &packed[packed.len() - 4..]].concat();
    check("gzip + bytes behind", &stored([&packed[..], b"GARBAGEGARBAGE"].concat()), &["trailing-data"], 1);
    check("gzip + zeros behind", &stored([packed.clone(), vec![0; 512]].concat()), &[], 1);
    check("gzip, cut", &stored(packed[..packed.len() - 12].to_vec()), &["diff-id-mismatch", "truncated"], 1);
    check("gzip, wrong CRC", &stored(bad_sum), &["corrupt-compression", "trailing-data"], 1);
    let behind = [&gzip(&tar(&[file("b", "1")]))[..], secret().as_bytes()].concat();
    let case = Case { layers: vec![(behind, tar(&[file("b", "1")]))], ..Case::default() };
    check("a secret behind the gzip stream", &case, &["trailing-data"], 1);
    let plain = tar(&[file("b", "1")]);
    for tail in [gzip(secret().as_bytes()), xz(&tar(&[file("s", secret())])), lz4(secret().as_bytes())] {
        let bytes = [plain.clone(), tail].concat();
        let case = Case { layers: vec![(bytes.clone(), bytes)], ..Case::default() };
        check("a packed secret behind the tar's end", &case, &["trailing-data"], 1);
    }
    let glued = Case { layers: vec![([gzip(&plain), xz(&base)].concat(), plain.clone())], ..Case::default() };
    check("streams of two formats", &glued, &["diff-id-mismatch", "trailing-data"], 1);
    let mut header = b"\x1f\x8b\x08\x10\0\0\0\0\0\x03".to_vec();
    header.extend_from_slice(format!("{}\0", token("streams")).as_bytes());
    header.extend_from_slice(&gzip(&tar(&[file("b", "1")]))[10..]);
    let case = Case { layers: vec![(header, tar(&[file("b", "1")]))], ..Case::default() };
    check("a secret in a gzip comment", &case, &[], 1);
    for packed in [zstd(&base), bzip2(&base), xz(&base), lz4(&base)] {
        let cut = Case { layers: vec![(packed[..packed.len() - 10].to_vec(), base.clone())], ..Case::default() };
        let report = run_with(["scan", "-", "--format", "json"], &image(&cut));
        assert!(report.code == 1 || report.code == 3, "{}", report.stdout);
        assert!(codes(&report.json()).contains(&"truncated"), "{:?}", codes(&report.json()));
    }
    for (name, start) in [("compress", &b"\x1f\x9d\x90xxxxxxxxx"[..]), ("lzma", b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0")] {
        check(name, &stored(start.to_vec()), &["diff-id-mismatch", "unsupported-compression"], 3);
    }
}

#[test]
fn every_way_to_end_a_tar() {
    let base = base();
    let plain = |bytes: Vec<u8>| Case { layers: vec![(bytes.clone(), bytes)], ..Case::default() };
    let with = |second: Vec<u8>| Case { layers: vec![(base.clone(), base.clone()), (second.clone(), second)], ..Case::default() };
    for (name, zeros) in [("0 bytes", 0), ("512 zeros", 512), ("1024 zeros", 1024), ("10240 zeros", 10240)] {
        check(name, &with(vec![0; zeros]), &[], 1);
    }
    let packed_zeros = Case { layers: vec![(base.clone(), base.clone()), (gzip(&[0; 1024]), vec![0; 1024])], ..Case::default() };
    check("1024 zeros, gzip", &packed_zeros, &[], 1);
    check("no end blocks", &plain(base[..base.len() - 1024].to_vec()), &[], 1);
    check("one end block", &plain(base[..base.len() - 512].to_vec()), &[], 1);
    let harmless = tar(&[file("x", "y")]);
    check("a secret behind the end", &plain([harmless.clone(), secret().into_bytes()].concat()), &["trailing-data"], 1);
    check("a tar behind the end", &plain([harmless.clone(), base.clone()].concat()), &["trailing-data"], 1);
    check("cut within data", &plain(base[..512 + secret().len() - 1].to_vec()), &["truncated"], 1);
    check("cut within a header", &plain(base[..1024 + 300].to_vec()), &["trailing-data", "truncated"], 1);
    let mut wrong = base.clone();
    wrong[148..156].copy_from_slice(b"000000\0 ");
    let wrong = [harmless[..1024].to_vec(), wrong].concat();
    check("a wrong header checksum", &plain(wrong), &["invalid-header", "trailing-data"], 1);
    let lone = [&harmless[..1024], &[0; 512], &base].concat();
    check("a lone zero block", &plain(lone), &["trailing-data"], 1);
}

#[test]
fn digests_and_configs_that_lie() {
    let two = || vec![(base(), base()), (tar(&[file("c", "2")]), tar(&[file("c", "2")]))];
    let with = |config: fn(&mut Value)| Case { layers: two(), config: Some(config), ..Case::default() };
    let manifest = |change: fn(&mut Value)| Case { layers: two(), manifest: Some(change), ..Case::default() };
    let zero = |c: &mut Value| c["rootfs"]["diff_ids"][0] = format!("sha256:{}", "0".repeat(64)).into();
    check("a wrong diff_id", &with(zero), &["diff-id-mismatch"], 1);
    let packed = Case { layers: vec![(gzip(&base()), gzip(&base()))], ..Case::default() };
    check("the digest of the packed bytes as diff_id", &packed, &["diff-id-mismatch"], 1);
    check("fewer diff_ids than layers", &with(|c| drop(c["rootfs"]["diff_ids"].as_array_mut().map(Vec::pop))), &["count-mismatch"], 1);
    check("no rootfs", &with(|c| drop(c.as_object_mut().map(|c| c.remove("rootfs")))), &["invalid-document"], 1);
    check("no rootfs.type", &with(|c| drop(c["rootfs"].as_object_mut().map(|c| c.remove("type")))), &[], 1);
    check("no history", &with(|c| drop(c.as_object_mut().map(|c| c.remove("history")))), &[], 1);
    check("a null history", &with(|c| c["history"] = Value::Null), &[], 1);
    check("too short a history", &with(|c| drop(c["history"].as_array_mut().map(Vec::pop))), &["ambiguous-history"], 1);
    let longer = |c: &mut Value| c["history"].as_array_mut().expect("a list").push(json!({ "created_by": "extra" }));
    check("too long a history", &with(longer), &["ambiguous-history"], 1);
    check("no os and architecture", &with(|c| drop(c.as_object_mut().map(|c| (c.remove("os"), c.remove("architecture"))))), &[], 1);
    check("os windows", &with(|c| c["os"] = "windows".into()), &[], 1);
    let same = Case { layers: vec![(base(), base()), two().remove(1), (base(), base())], ..Case::default() };
    check("one layer twice", &same, &[], 1);
    check("`./` in Layers", &manifest(|m| m[0]["Layers"][0] = "./l0/layer.tar".into()), &[], 1);
    check("unknown fields", &manifest(|m| m[0]["Foo"] = 1.into()), &[], 1);
    let lower = |m: &mut Value| {
        let item = m[0].as_object().expect("an object").iter().map(|(k, v)| (k.to_lowercase(), v.clone())).collect();
        m[0] = Value::Object(item);
    };
    check("keys in lower case", &manifest(lower), &[], 1);
    let named = |m: &mut Value| m[0]["Config"] = format!("{}.json", "0".repeat(64)).into();
    check("a config that is not there", &manifest(named), &["blob-missing"], 1);
    check("layers null, as docker loads it", &manifest(|m| m[0]["Layers"] = Value::Null), &["ambiguous-history", "count-mismatch"], 1);
}

#[test]
fn a_config_may_have_another_name_than_its_digest_and_that_is_said() {
    let mut members = crate::support::members(&image(&stored(base())));
    let wrong = format!("{}.json", "0".repeat(64));
    let text = String::from_utf8(members[2].1.clone()).expect("JSON").replace(&members[1].0, &wrong);
    (members[1].0, members[2].1) = (wrong, text.into_bytes());
    let run = run_with(["scan", "-", "--format", "json"], &archive(&members));
    assert_eq!((run.code, codes(&run.json())), (1, vec!["name-mismatch"]));
}

#[test]
fn a_manifest_may_begin_with_white_space() {
    let mut members = crate::support::members(&image(&stored(base())));
    members[2].1.splice(0..0, [b' '; 600]);
    let run = run_with(["scan", "-", "--format", "json"], &archive(&members));
    assert_eq!((run.code, codes(&run.json()).len()), (1, 0), "{}", run.stdout);
}

#[test]
fn a_whole_archive_may_be_packed_in_any_way() {
    let plain = image(&stored(base()));
    for (name, packed) in [
        ("gzip", gzip(&plain)),
        ("zstd", zstd(&plain)),
        ("bzip2", bzip2(&plain)),
        ("xz", xz(&plain)),
        ("lz4", lz4(&plain)),
        ("zstd of gzip", zstd(&gzip(&plain))),
    ] {
        let dir = crate::support::temporary();
        let target = crate::support::file(dir.path(), "packed", &packed);
        for run in [run_with(["scan", "-", "--format", "json"], &packed), crate::support::run(["scan", &target, "--format", "json"])] {
            let report = run.json();
            assert_eq!((run.code, codes(&report).len()), (1, 0), "{name}: {:#}", report["problems"]);
            if let Some(command) = report["findings"][0]["retrieve"].as_str().filter(|_| report["images"][0]["source"] != "-") {
                // lz4 and the like may not be installed; what is, must print the secret.
                let output = std::process::Command::new("sh").args(["-c", command]).output().expect("a shell");
                assert!(!output.status.success() || String::from_utf8_lossy(&output.stdout).contains(secret().trim()), "{name}: {command}");
            }
        }
    }
}
