//! Input that is made to hide something or to break something (formats.md, part 15): what is said, the exit code, what is still found.
//! Sizes are kept small here; benches/growth.py measures the large ones.

use crate::raw::{Raw, directory, file, gnu_long, hard_link, named, pax, seal, symlink, tar};
use crate::support::{Packing, TestImage, archive, codes, members, pack, program, run, run_with, temporary, token};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

fn secret() -> String {
    format!("TOKEN={}\n", token("hostile"))
}

fn name(template: &str) -> String {
    String::from_utf8(named(template)).expect("ASCII")
}

/// An image with one layer of these bytes.
fn image(layer: &[u8]) -> Vec<u8> {
    TestImage::new().step("/bin/sh -c x", layer).docker_save()
}

fn scan(archive: &[u8], arguments: &[&str]) -> (i32, Value) {
    let dir = temporary();
    let target = crate::support::file(dir.path(), "image.tar", archive);
    let output =
        Command::new(program()).args(["scan", &target, "--format", "json", "--show-secrets"]).args(arguments).output().expect("a run");
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| json!({ "error": String::from_utf8_lossy(&output.stderr) }));
    (output.status.code().unwrap_or(-1), report)
}

/// Whether the secret was found, and its fates.
fn fates(report: &Value) -> Vec<&str> {
    let list = report["findings"].as_array().into_iter().flatten();
    let mut fates: Vec<&str> =
        list.filter(|f| f["secret"]["value"] == token("hostile").as_str()).filter_map(|f| f["fate"]["state"].as_str()).collect();
    fates.sort();
    fates
}

// ---- places to hide in a tar -------------------------------------------------------------------------------------------------------

#[test]
fn places_where_tools_do_not_look() {
    let secret = secret();
    let text = secret.trim().to_owned();
    let padded = {
        let mut blocks = file("a", "x");
        blocks[512 + 100..][..text.len()].copy_from_slice(text.as_bytes());
        blocks
    };
    let behind_name = {
        let mut blocks = file("a", "x");
        blocks[2..2 + text.len()].copy_from_slice(text.as_bytes());
        seal(&mut blocks);
        blocks
    };
    let xattr = |key: &str, value: &str| [pax(b'x', &[(key, value)]), file("a", "x")].concat();
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(&text);
    let plain = file("b", "y");
    let other = format!("TOKEN={}", token("another"));
    let padded_map = {
        let mut map = format!("1\n0\n1\n{text}").into_bytes();
        map.resize(512, 0);
        map.push(b'y');
        let records = [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "s"), ("GNU.sparse.realsize", "1")];
        [pax(b'x', &records), file("GNUSparseFile.0/s", map)].concat()
    };
    let extended_map = {
        let mut block = Raw::new("s", b'S', "").blocks();
        block[257..265].copy_from_slice(b"ustar  \0");
        block[482] = 1;
        seal(&mut block);
        let mut extension = vec![0; 512];
        extension[..text.len()].copy_from_slice(text.as_bytes());
        vec![block, extension, plain.clone()]
    };
    let in_numbers = {
        let mut blocks = file("a", "x");
        // Name, mode, owner and group: 124 bytes that nobody needs.
        blocks[70..70 + text.len()].copy_from_slice(text.as_bytes());
        seal(&mut blocks);
        blocks
    };
    for (place, entries, expected) in [
        ("a whiteout's content", vec![file(&name("$whgone"), &secret)], vec!["hidden"]),
        ("an opaque marker's content", vec![file(&name("d/$wh$wh.opq"), &secret)], vec!["hidden"]),
        ("AUFS bookkeeping", vec![file(&name("$wh$whaufs"), &secret)], vec!["hidden"]),
        ("an invalid whiteout", vec![file(&name("d/$wh"), &secret)], vec!["hidden"]),
        ("a superseded entry", vec![file("a", &secret), file("a", "x")], vec!["superseded"]),
        ("a file under a file", vec![file("a/b", &secret), file("a", "x")], vec!["superseded"]),
        ("data on a hard link", vec![plain.clone(), Raw::new("l", b'1', &secret).link("b").blocks()], vec!["present"]),
        ("an entry of an unknown type", vec![Raw::new("u", b'Z', &secret).blocks()], vec!["present"]),
        ("a contiguous file", vec![Raw::new("c", b'7', &secret).blocks()], vec!["present"]),
        ("a volume header", vec![Raw::new("v", b'V', &secret).blocks()], vec!["present"]),
        ("a user xattr", vec![xattr("SCHILY.xattr.user.note", &text)], vec!["present"]),
        ("another xattr", vec![xattr("SCHILY.xattr.trusted.note", &text)], vec!["present"]),
        ("a libarchive xattr", vec![xattr("LIBARCHIVE.xattr.user.n%6fte", &encoded)], vec!["present"]),
        ("a pax comment", vec![xattr("comment", &text)], vec!["hidden"]),
        ("an unknown pax record", vec![xattr("ACME.x", &text)], vec!["hidden"]),
        ("a global pax header", vec![pax(b'g', &[("comment", &text)]), file("a", "x")], vec!["hidden"]),
        ("a broken pax header", vec![Raw::new("p", b'x', &text).blocks(), file("a", "x")], vec!["hidden"]),
        ("padding", vec![padded.clone(), plain.clone()], vec!["hidden"]),
        ("padding of the last entry", vec![plain.clone(), padded], vec!["hidden"]),
        ("behind a name's NUL", vec![behind_name], vec!["hidden"]),
        ("a pax header that no entry follows", vec![plain.clone(), pax(b'x', &[("comment", &text)])], vec!["hidden"]),
        ("a long name that no entry follows", vec![plain.clone(), gnu_long(b'L', &text)], vec!["hidden"]),
        (
            "a pax record without `=`",
            vec![Raw::new("p", b'x', format!("{} {}\n", token("hostile").len() + 4, token("hostile"))).blocks(), file("a", "x")],
            vec!["hidden"],
        ),
        ("a path that is replaced", vec![pax(b'x', &[("path", &text), ("path", "p")]), file("a", "x")], vec!["hidden"]),
        ("a long name that is replaced", vec![gnu_long(b'L', &text), gnu_long(b'L', "p"), file("a", "x")], vec!["hidden"]),
        ("behind a long name's NUL", vec![gnu_long(b'L', &format!("p\0{text}")), file("a", "x")], vec!["hidden"]),
        ("a plain file's link target", vec![pax(b'x', &[("linkpath", &text)]), file("a", "x")], vec!["hidden"]),
        ("a plain file's link field", vec![Raw::new("a", b'0', "x").link(&text).blocks()], vec!["hidden"]),
        ("a security xattr", vec![xattr("SCHILY.xattr.security.note", &text)], vec!["present"]),
        (
            "an xattr twice",
            vec![[pax(b'x', &[("SCHILY.xattr.user.n", &text), ("SCHILY.xattr.user.n", &other)]), file("a", "x")].concat()],
            vec!["present"],
        ),
        ("an xattr's name", vec![xattr(&format!("SCHILY.xattr.user.{}", token("hostile")), "1")], vec!["hidden"]),
        ("a record's key", vec![xattr(&token("hostile"), "1")], vec!["hidden"]),
        ("a base64 value that is no base64", vec![xattr("LIBARCHIVE.xattr.user.x", &token("hostile"))], vec!["hidden", "present"]),
        ("the name of a pax header", vec![Raw::new(&token("hostile"), b'x', "9 a=bcde\n").blocks(), file("a", "x")], vec!["hidden"]),
        ("the target of a hard link with data", vec![Raw::new("l", b'1', "data").link(&token("hostile")).blocks()], vec!["hidden"]),
        ("the target of a whiteout", vec![symlink(&name("$whx"), &token("hostile"))], vec!["hidden"]),
        ("the way of a name that climbs", vec![file(&format!("k/{}/../../f", token("hostile")), "x")], vec!["hidden"]),
        ("a layer of nothing but a pax header", vec![pax(b'x', &[("comment", &text)])], vec!["hidden"]),
        ("padding of a sparse map", vec![padded_map], vec!["hidden"]),
        ("a sparse map's extension", extended_map, vec!["hidden"]),
        ("numbers of a header", vec![in_numbers], vec!["hidden"]),
        ("a tar that a zero block hides", vec![vec![0; 512], file("a", &secret)], vec!["present"]),
        ("a name", vec![file(&format!("d/{}", token("hostile")), "x")], vec!["present"]),
        ("a link's target", vec![symlink("l", &token("hostile"))], vec!["present"]),
        ("a hard link's target", vec![hard_link("l", &token("hostile"))], vec!["present"]),
        ("a whiteout's name", vec![file(&name(&format!("d/$wh{}", token("hostile"))), "x")], vec!["hidden"]),
        ("the root directory's entry", vec![Raw::new("./", b'0', &secret).blocks()], vec!["hidden"]),
    ] {
        let (code, report) = scan(&image(&tar(&entries)), &[]);
        assert_eq!((code, fates(&report)), (1, expected), "{place}: {report:#}");
    }
}

#[test]
fn places_in_the_archive_itself() {
    let honest = tar(&[file("a", "x")]);
    let save = image(&honest);
    let text = secret().trim().to_owned();
    let inside = |extra: Vec<Vec<u8>>| {
        let members = members(&save).into_iter().map(|(name, bytes)| file(&name, &bytes));
        tar(&members.chain(extra).collect::<Vec<_>>())
    };
    for (place, archive) in [
        ("a member that is no blob", inside(vec![file("README", &text)])),
        ("a blob that nothing names", inside(vec![file("blobs/sha256/x", tar(&[file("f", &text)]))])),
        ("behind the end", [save.clone(), vec![0; 512], text.clone().into_bytes()].concat()),
        ("a whole archive behind the end", [save.clone(), image(&tar(&[file("f", &text)]))].concat()),
        ("a member's xattr", inside(vec![[pax(b'x', &[("SCHILY.xattr.user.x", &text)]), file("m", "x")].concat()])),
        ("a pax comment", inside(vec![[pax(b'g', &[("comment", &text)]), file("m", "x")].concat()])),
        ("a whiteout among the members", inside(vec![file(&name("$whmanifest.json"), &text)])),
    ] {
        let (code, report) = scan(&archive, &[]);
        assert_eq!((code, fates(&report)), (1, vec!["hidden"]), "{place}: {report:#}");
        let piped = run_with(["scan", "-", "--format", "json", "--show-secrets"], &archive);
        assert_eq!((piped.code, fates(&piped.json())), (1, vec!["hidden"]), "{place}, piped");
    }
}

#[test]
fn sparse_files_of_all_kinds_are_read_at_their_offsets() {
    let secret = secret();
    let fragment = |at: u64| format!("{at},{}", secret.len());
    let length = secret.len().to_string();
    let old = {
        let mut block = Raw::new("s", b'S', &secret).blocks();
        block[257..265].copy_from_slice(b"ustar  \0");
        block[386..398].copy_from_slice(format!("{:011o}\0", 4096).as_bytes());
        block[398..410].copy_from_slice(format!("{:011o}\0", secret.len()).as_bytes());
        block[483..495].copy_from_slice(format!("{:011o}\0", 10_000).as_bytes());
        seal(&mut block);
        block
    };
    let mut map = format!("1\n4096\n{}\n", secret.len()).into_bytes();
    map.resize(512, 0);
    let in_data = [map, secret.clone().into_bytes()].concat();
    let sparse = |records: &[(&str, &str)], data: &[u8]| [pax(b'x', records), Raw::new("GNUSparseFile.0/s", b'0', data).blocks()].concat();
    let v00 = [
        ("GNU.sparse.size", "10000"),
        ("GNU.sparse.numblocks", "1"),
        ("GNU.sparse.offset", "4096"),
        ("GNU.sparse.numbytes", &length),
        ("path", "s"),
    ];
    let v01 = [("GNU.sparse.size", "10000"), ("GNU.sparse.numblocks", "1"), ("GNU.sparse.name", "s"), ("GNU.sparse.map", &fragment(4096))];
    let v10 = [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "s"), ("GNU.sparse.realsize", "10000")];
    for (kind, entry) in [
        ("GNU", old),
        ("pax 0.0", sparse(&v00, secret.as_bytes())),
        ("pax 0.1", sparse(&v01, secret.as_bytes())),
        ("pax 1.0", sparse(&v10, &in_data)),
    ] {
        let (code, report) = scan(&image(&tar(&[entry, file("z", "y")])), &[]);
        let at = &report["findings"][0]["location"];
        assert_eq!((code, &at["path"], &at["offset"]), (1, &json!("s"), &json!(4096 + 6)), "{kind}: {report:#}");
        assert_eq!(codes(&report), Vec::<&str>::new(), "{kind}");
    }
    // A hole of 8 EiB, a map that contradicts the size, fragments out of order.
    let huge = sparse(
        &[("GNU.sparse.size", "9223372036854775807"), ("GNU.sparse.map", &fragment(9_000_000_000_000_000_000)), ("GNU.sparse.name", "s")],
        secret.as_bytes(),
    );
    let (code, report) = scan(&image(&tar(&[huge])), &[]);
    assert_eq!((code, codes(&report)), (1, vec![]), "{report:#}");
    for map in ["0,7", "5,3,0,3", "x", "0,18446744073709551615,1,1"] {
        let wrong = sparse(&[("GNU.sparse.size", "100"), ("GNU.sparse.map", map), ("GNU.sparse.name", "s")], secret.as_bytes());
        let (code, report) = scan(&image(&tar(&[wrong, file("z", "y")])), &[]);
        assert_eq!((code, codes(&report)), (1, vec!["invalid-header"]), "{map}: {report:#}");
    }
}

#[test]
fn the_samples_of_sparse_files() {
    for kind in ["gnu", "pax0_0", "pax0_1", "pax1_0"] {
        let path = format!("{}/testdata/samples/sp-{kind}.tar", env!("CARGO_MANIFEST_DIR"));
        let run = run(["scan", &path, "--format", "json"]);
        assert_eq!((run.code, codes(&run.json())), (0, vec!["plain-file-system"]), "{kind}: {}", run.stdout);
    }
}

#[test]
fn names_of_every_kind() {
    let long = "d/".repeat(300) + "x";
    let deep = "a/".repeat(50_000) + "x";
    let entries = [
        [gnu_long(b'L', &long), file("short", secret())].concat(),
        [pax(b'x', &[("path", &deep)]), file("short", secret())].concat(),
        Raw { name: b"caf\xe9".to_vec(), ..Raw::new("", b'0', secret()) }.blocks(),
        file("nl\nx", secret()),
        file("esc\x1b[31m", secret()),
    ];
    let (code, report) = scan(&image(&tar(&entries)), &[]);
    assert_eq!((code, fates(&report).len(), codes(&report)), (1, 5, vec![]), "{:?}", codes(&report));
    let shown: Vec<&str> = report["findings"].as_array().expect("findings").iter().filter_map(|f| f["location"]["path"].as_str()).collect();
    assert!(shown.contains(&long.as_str()) && shown.contains(&"caf\\xe9") && shown.contains(&"nl\nx"), "{shown:?}");
    assert!(shown.iter().all(|path| path.len() <= 4100), "a name of 100 kB is shortened");
    let human = run_with(["scan", "-"], &image(&tar(&entries)));
    assert!(!human.stdout.contains('\x1b') && human.stdout.lines().all(|line| line.len() < 20_000));
    let (code, cut) = scan(&image(&tar(&entries)), &["--max-name", "1K"]);
    assert_eq!((code, fates(&cut).len(), codes(&cut)), (1, 5, vec!["limit-reached"]));
}

#[test]
fn headers_that_lie_about_sizes() {
    let sized = |field: [u8; 12]| Raw { size: Some(field), ..Raw::new("a", b'0', secret()) }.blocks();
    let mut most = [0xff; 12];
    most[0] = 0x80;
    let mut wide = [0; 12];
    (wide[0], wide[4]) = (0x80, 0x7f);
    for (what, field, code) in [
        ("the largest octal number", *b"777777777777", "truncated"),
        ("the largest number in base 256", most, "invalid-header"),
        ("8 EiB in base 256", wide, "truncated"),
        ("a negative number", [0xff; 12], "invalid-header"),
        ("no number", *b"abcdefghijk\0", "invalid-header"),
    ] {
        let (exit, report) = scan(&image(&tar(&[sized(field)])), &[]);
        assert!(exit == 1 && codes(&report).contains(&code), "{what}: {exit} {:?}", codes(&report));
        assert_eq!(fates(&report).len(), 1, "{what}");
    }
    // Times before 1970, owners beyond 31 bits.
    let mut odd = file("a", secret());
    odd[136..148].copy_from_slice(&[0xff; 12]);
    odd[108..116].copy_from_slice(&[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    seal(&mut odd);
    let (exit, report) = scan(&image(&tar(&[odd])), &[]);
    assert_eq!((exit, codes(&report)), (1, vec![]));
    // A size in a pax header wins, always.
    let entry =
        [pax(b'x', &[("size", &secret().len().to_string())]), Raw::new("a", b'0', secret()).size(0).blocks(), file("z", "y")].concat();
    let (exit, report) = scan(&image(&tar(&[entry])), &[]);
    assert_eq!((exit, codes(&report)), (1, vec![]));
}

#[test]
fn oddities_of_entries_are_said() {
    let climbing = file("d/../../esc", secret());
    for (entries, code) in [
        (vec![climbing], "path-traversal"),
        (vec![file("a", secret()), file(&name("d/$wh."), "")], "invalid-whiteout"),
        (vec![file("a", secret()), Raw::new("u", b'Z', "x").blocks()], "unknown-entry"),
        (vec![file("a", secret()), hard_link("l", "nothing")], "broken-hard-link"),
    ] {
        let (exit, report) = scan(&image(&tar(&entries)), &[]);
        assert_eq!((exit, codes(&report), fates(&report)), (1, vec![code], vec!["present"]), "{report:#}");
    }
}

#[test]
fn a_deep_chain_of_whiteouts() {
    let mut image = TestImage::new();
    for layer in 0..127 {
        let (whiteout, next) = (name(&format!("d{}/$whf", layer.max(1) - 1)), format!("d{layer}/f"));
        image = image.step("/bin/sh -c x", &tar(&[file(&whiteout, ""), file(&next, format!("{}{layer}", secret()))]));
    }
    let (_, report) = scan(&image.docker_save(), &[]);
    let deleted = fates(&report).iter().filter(|state| **state == "deleted").count();
    assert_eq!((deleted, fates(&report).len()), (126, 127));
}

// ---- documents ---------------------------------------------------------------------------------------------------------------------

#[test]
fn documents_that_lie_or_are_too_much() {
    let honest = members(&image(&tar(&[file("a", secret())])));
    let with = |at: usize, bytes: Vec<u8>| {
        let mut members = honest.clone();
        members[at].1 = bytes;
        archive(&members)
    };
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    for (what, archive, arguments, code) in [
        ("manifest.json null", with(2, b"null".to_vec()), vec![], "invalid-document"),
        ("manifest.json a number", with(2, b"[1]".to_vec()), vec![], "invalid-document"),
        ("manifest.json deep", with(2, deep.clone()), vec![], "invalid-document"),
        ("a config that is deep", with(1, deep), vec![], "blob-missing"),
        ("manifest.json over the limit", with(2, honest[2].1.clone()), vec!["--max-json", "50"], "invalid-document"),
    ] {
        let (exit, report) = scan(&archive, &arguments);
        assert!(exit == 1 && codes(&report).contains(&code), "{what}: {exit} {report:#}");
        assert_eq!(fates(&report).len(), 1, "{what}");
    }
    let digests = ["sha256:../../../../etc/passwd", "sha256:ABC", "", "sha999:x/../..", "sha256:zz"];
    for digest in digests {
        let index = json!({ "schemaVersion": 2, "manifests": [{ "digest": digest, "size": 1 }] }).to_string();
        let (exit, report) = scan(&archive(&[("index.json".into(), index.into_bytes()), ("x".into(), tar(&[file("a", secret())]))]), &[]);
        assert!(exit == 1 && codes(&report).contains(&"invalid-document"), "{digest}: {report:#}");
    }
}

#[test]
fn secrets_in_documents_that_are_not_what_they_should_be() {
    let honest = members(&image(&tar(&[file("a", "x")])));
    let text = secret().trim().to_owned();
    let config = String::from_utf8(honest[1].1.clone()).expect("JSON");
    let twice = config.replacen('{', &format!("{{\"config\": {{\"Env\": [\"{text}\"]}},"), 1);
    let behind = |at: usize| [&honest[at].1[..], b"\n", text.as_bytes()].concat();
    for (what, at, bytes) in [
        ("a key twice in the config", 1, twice.into_bytes()),
        ("no JSON in the config's place", 1, text.clone().into_bytes()),
        ("bytes behind the config", 1, behind(1)),
        ("bytes behind manifest.json", 2, behind(2)),
        ("no JSON in manifest.json's place", 2, text.clone().into_bytes()),
    ] {
        let mut members = honest.clone();
        members[at].1 = bytes;
        let (exit, report) = scan(&archive(&members), &[]);
        assert_eq!((exit, fates(&report)), (1, vec!["hidden"]), "{what}: {report:#}");
        assert!(!codes(&report).is_empty(), "{what}");
    }
    // Docker reads such a manifest: so do we.
    let mut members = honest.clone();
    members[2].1 = behind(2);
    let (_, report) = scan(&archive(&members), &[]);
    assert_eq!((report["images"].as_array().map(Vec::len), codes(&report)), (Some(1), vec!["trailing-data"]), "{report:#}");
}

#[test]
fn indexes_that_lead_in_circles_or_too_deep() {
    let hex = "a".repeat(64);
    let circle = json!({ "schemaVersion": 2, "manifests": [{ "digest": format!("sha256:{hex}"), "size": 1 }] }).to_string().into_bytes();
    let secret = ("x".to_owned(), tar(&[file("a", secret())]));
    let (exit, report) =
        scan(&archive(&[(format!("blobs/sha256/{hex}"), circle.clone()), ("index.json".into(), circle), secret.clone()]), &[]);
    assert!(exit == 1 && codes(&report).contains(&"digest-mismatch"), "{report:#}");
    let mut layout = vec![secret];
    let mut below = json!({ "schemaVersion": 2, "manifests": [] }).to_string();
    for _ in 0..12 {
        let digest = pentimento::digest::Digest::sha256(below.as_bytes());
        layout.push((digest.blob_path(), below.clone().into_bytes()));
        below = json!({ "schemaVersion": 2, "manifests": [{ "digest": digest.to_string(), "size": below.len() }] }).to_string();
    }
    layout.push(("index.json".into(), below.into_bytes()));
    let (exit, report) = scan(&archive(&layout), &[]);
    assert!(exit == 1 && codes(&report).contains(&"limit-reached"), "{report:#}");
}

#[test]
fn broken_streams_within_streams_lose_only_themselves() {
    let inner = pack(&tar(&[file("b", "x".repeat(5000))]), Packing::Zstd);
    let broken = pack(&[&inner[..], &b"bytes behind the inner stream".repeat(100)].concat(), Packing::Gzip);
    let mut save = members(&TestImage::new().step("/bin/sh -c x", &tar(&[file("a", secret())])).step("/bin/sh -c y", b"").docker_save());
    save[1].1 = broken;
    let (exit, report) = scan(&archive(&save), &[]);
    assert_eq!((exit, fates(&report)), (1, vec!["present"]), "{report:#}");
    assert!(codes(&report).contains(&"trailing-data"), "{report:#}");
}

#[test]
fn blocks_of_two_bytes_are_no_work() {
    let frame = [&[0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73][..], &[2, 0, 0, 0, 0x10, b'a'].repeat(100_000), &[0; 4]].concat();
    let mut save = members(&image(&tar(&[file("a", secret())])));
    save.push(("x".into(), frame));
    let (exit, report) = scan(&archive(&save), &[]);
    assert_eq!((exit, fates(&report)), (1, vec!["present"]), "{report:#}");
}

// ---- limits ------------------------------------------------------------------------------------------------------------------------

#[test]
fn limits_are_said_and_never_stop_the_rest() {
    let bomb = pack(&tar(&[file("a", secret()), file("zeros", vec![0; 3 << 20])]), Packing::Gzip);
    let small = tar(&[file("b", secret())]);
    let two = |first: &[u8]| {
        let mut save = members(&TestImage::new().step("/bin/sh -c x", &small).step("/bin/sh -c y", &small).docker_save());
        save[0].1 = first.to_vec();
        archive(&save)
    };
    for (what, archive, arguments) in [
        ("a layer that is too large", two(&bomb), vec!["--max-layer-size", "1M"]),
        ("too many entries", two(&tar(&[file("x", "y"), file("a", secret())])), vec!["--max-entries", "1"]),
        ("too many compressions", two(&pack(&pack(&small, Packing::Gzip), Packing::Zstd)), vec!["--max-nesting", "1"]),
        ("too many layers", two(&small), vec!["--max-layers", "1"]),
    ] {
        let (exit, report) = scan(&archive, &arguments);
        assert!(exit == 1 && codes(&report).contains(&"limit-reached"), "{what}: {report:#}");
        assert!(!fates(&report).is_empty(), "{what}");
        assert_eq!(report["complete"], false, "{what}");
    }
    let ratio = pack(&vec![0; 80 << 20], Packing::Zstd);
    let (exit, report) = scan(&two(&ratio), &[]);
    assert!(exit == 1 && codes(&report).contains(&"limit-reached"), "{report:#}");
    let (_, allowed) = scan(&two(&ratio), &["--max-ratio", "100000"]);
    assert!(!codes(&allowed).contains(&"limit-reached"), "{allowed:#}");
    let manifest = json!([{ "Config": "c", "Layers": [] }, { "Config": "c", "Layers": [] }]).to_string().into_bytes();
    let (_, report) = scan(&archive(&[("manifest.json".into(), manifest), ("x".into(), small)]), &["--max-manifests", "1"]);
    assert!(codes(&report).contains(&"limit-reached"), "{report:#}");
}

#[test]
fn many_problems_of_one_kind_are_counted() {
    let entries: Vec<_> = (0..500).map(|i| file(&format!("../{i}"), "x")).collect();
    let (_, report) = scan(&image(&tar(&entries)), &[]);
    let notes: Vec<_> = report["notes"].as_array().expect("notes").iter().filter(|note| note["code"] == "path-traversal").collect();
    assert!(notes.len() == 21 && notes[20]["message"] == "and 480 more of this kind", "{notes:#?}");
}

#[test]
fn json_of_nothing_but_values_is_a_limit() {
    let mut members = members(&image(&tar(&[file("a", secret())])));
    members.push(("x.json".into(), format!("[{}0]", "0,".repeat(2 << 20)).into_bytes()));
    let (exit, report) = scan(&archive(&members), &[]);
    assert_eq!((exit, codes(&report), fates(&report)), (1, vec!["limit-reached"], vec!["present"]), "{report:#}");
}

#[test]
fn a_layer_listed_again_and_again_is_bounded() {
    let many: Vec<_> = (0..400).map(|i| file(&format!("f{i}"), secret())).collect();
    let gone: Vec<_> = (0..400).map(|i| file(&name(&format!("$whf{i}")), "")).collect();
    let (full, empty) = (tar(&many), tar(&gone));
    let image = (0..600).fold(TestImage::new(), |image, _| image.step("/bin/sh -c x", &full).step("/bin/sh -c y", &empty));
    let (exit, report) = scan(&image.docker_save(), &[]);
    assert_eq!((exit, codes(&report)), (1, vec!["limit-reached"]));
}

/// Layers with a secret, one that links all over the place and is listed fifty times, and one that removes the first secret.
fn one_layer_fifty_times() -> Vec<u8> {
    let links: Vec<_> = (0..100).map(|i| symlink(&format!("l{i}"), "x")).collect();
    let (links, last) = (tar(&links), tar(&[file(&name("$wha"), ""), file("b", secret())]));
    let listed: Vec<&str> = ["a"].into_iter().chain(std::iter::repeat_n("links", 50)).chain(["last"]).collect();
    let manifest = json!([{ "Config": "c.json", "Layers": listed }]).to_string().into_bytes();
    let config = json!({ "os": "linux", "rootfs": { "diff_ids": vec![Value::Null; listed.len()] } }).to_string().into_bytes();
    let first = tar(&[file("a", secret())]);
    let members = [("a", first), ("links", links), ("last", last), ("c.json", config), ("manifest.json", manifest)];
    archive(&members.map(|(name, bytes)| (name.to_owned(), bytes)))
}

#[test]
fn what_takes_too_many_steps_is_said_and_no_match_is_lost() {
    let archive = one_layer_fifty_times();
    let (exit, report) = scan(&archive, &[]);
    assert_eq!((exit, fates(&report), codes(&report)), (1, vec!["deleted", "present"], vec![]), "{report:#}");
    let (exit, report) = scan(&archive, &["--max-steps", "0"]);
    assert_eq!((exit, fates(&report), codes(&report)), (1, vec!["hidden", "present"], vec!["limit-reached"]), "{report:#}");
    let unknown = |finding: &Value| finding["reasons"].to_string().contains("what became of it is not known");
    assert!(report["findings"].as_array().expect("findings").iter().all(unknown), "{report:#}");
}

#[test]
fn laying_layers_over_each_other_can_be_stopped() {
    use pentimento::limits::{Effort, Limits};
    let scanned = crate::support::scan(&one_layer_fifty_times());
    let layers: Vec<_> = scanned.images.images[0].layers.iter().map(|layer| scanned.archive.layer(layer.blob.expect("a blob"))).collect();
    let wanted: Vec<Vec<u32>> = layers.iter().map(|scan| (0..scan.expect("a layer").len() as u32).collect()).collect();
    let stop = std::sync::atomic::AtomicUsize::new(0);
    let mut effort = Effort::new(&Limits::default(), 0, &stop);
    assert_eq!(pentimento::timeline::lives(&layers, &wanted, &mut effort).end, None);
    stop.store(pentimento::scan::INTERRUPTED, std::sync::atomic::Ordering::Relaxed);
    assert_eq!((pentimento::timeline::lives(&layers, &wanted, &mut effort).end, effort.is_stopped()), (Some(0), true));
}

#[test]
fn texts_of_documents_are_not_multiplied() {
    let long = "k".repeat(1 << 20);
    let mut members = members(&image(&tar(&[file("a", "x")])));
    members.push(("x.json".into(), json!({ &long: vec![secret().trim(); 20_000] }).to_string().into_bytes()));
    let (exit, report) = scan(&archive(&members), &[]);
    assert_eq!((exit, fates(&report), codes(&report)), (1, vec!["hidden"], vec![]), "{report:#}");
    assert!(report["findings"][0]["location"]["pointer"].as_str().expect("a pointer").len() < 5000);
    let instruction = format!("/bin/sh -c echo {}", "x".repeat(1 << 20));
    let (exit, report) = scan(&TestImage::new().step(&instruction, &tar(&[file("a", secret())])).docker_save(), &[]);
    assert_eq!((exit, fates(&report), codes(&report)), (1, vec!["present"], vec![]));
    let shown = report["findings"][0]["instruction"].as_str().expect("an instruction");
    assert!(shown.ends_with('…') && shown.len() < 40_000, "{}", shown.len());
}

#[test]
fn a_value_is_told_where_it_is_surest() {
    let password = ["Xk29fjwQ", "8zLmT4"].concat();
    let text = format!("# password: {password} (the old one)\npassword: \"{password}\"\n");
    let (exit, report) = scan(&image(&tar(&[file("app/.env", text)])), &[]);
    assert_eq!((exit, &report["findings"][0]["location"]["line"]), (1, &json!(2)), "{report:#}");
}

#[test]
fn values_in_digests_and_in_cut_names_are_redacted() {
    let value = token("hostile");
    let config = json!({ "os": "linux", "rootfs": { "diff_ids": [format!("x:{value}")] }, "history": [] }).to_string();
    let manifest = json!([{ "Config": "c.json", "RepoTags": [], "Layers": ["l"] }]).to_string();
    let cut = format!("{}/{value}{}", "d".repeat(4096 - 16), "x".repeat(100));
    let layer = tar(&[[pax(b'x', &[("path", &cut)]), file("short", secret())].concat()]);
    let archive = archive(&[("l".into(), layer), ("c.json".into(), config.into_bytes()), ("manifest.json".into(), manifest.into_bytes())]);
    for format in ["json", "human"] {
        let run = run_with(["scan", "-", "--format", format], &archive);
        assert!(run.code == 1 && !run.stdout.contains(&value[..12]), "{}", run.stdout);
    }
}

/// An image whose config and manifest are these, beside its layers.
fn image_of(config: Value, layers: &[Vec<u8>]) -> Vec<u8> {
    let names: Vec<String> = (0..layers.len()).map(|i| format!("l{i}")).collect();
    let manifest = json!([{ "Config": "c.json", "RepoTags": ["x:1"], "Layers": names }]).to_string().into_bytes();
    let mut members: Vec<_> = names.into_iter().zip(layers.iter().cloned()).collect();
    members.extend([("c.json".to_owned(), config.to_string().into_bytes()), ("manifest.json".to_owned(), manifest)]);
    archive(&members)
}

#[test]
fn no_value_is_left_where_a_text_is_cut_or_made_anew() {
    let key = token("shown");
    let layers = [tar(&[file("f", secret())]), tar(&[file(&name("$whf"), "")])];
    // One of several instructions, cut within the value: the nearest has 5 bytes, and each text counts 64 more.
    let before = (32 << 10) - (5 + 64) - (key.len() - 1) - "RUN  ".len();
    let cut = format!("RUN {} {key} and on", "x".repeat(before));
    let history = json!([{ "created_by": "RUN base" }, { "created_by": cut, "empty_layer": true }, { "created_by": "RUN y" }]);
    let by_instruction = image_of(json!({ "os": "linux", "rootfs": { "diff_ids": [null, null] }, "history": history }), &layers);
    // A name with a slash in it, of a label and of a variable.
    let (front, back) = key.split_at(8);
    let slash = format!("{front}/{back}");
    let config = json!({ "Labels": { format!("password={slash}"): "1" }, "Env": [format!("password: {slash}")] });
    let names = image_of(json!({ "os": "linux", "rootfs": { "diff_ids": [null] }, "config": config }), &layers[..1]);
    // A media type, and the platform of an image that is left out.
    let config = br#"{"a":"b"}"#.to_vec();
    let blob = |bytes: &[u8]| (format!("blobs/sha256/{}", pentimento::digest::Digest::sha256(bytes).encoded()), bytes.to_vec());
    let descriptor =
        |bytes: &[u8], kind: &str| json!({ "digest": pentimento::digest::Digest::sha256(bytes).to_string(), "mediaType": kind });
    let manifest = json!({ "schemaVersion": 2, "config": descriptor(&config, &key), "layers": [descriptor(&layers[0], "text")] });
    let manifest = manifest.to_string().into_bytes();
    let index = json!({ "manifests": [descriptor(&manifest, "")] }).to_string().into_bytes();
    let artifact = archive(&[blob(&config), blob(&layers[0]), blob(&manifest), ("index.json".to_owned(), index)]);
    let other = json!({ "os": key, "rootfs": { "diff_ids": [] } }).to_string().into_bytes();
    let mut platforms = members(&image_of(json!({ "os": "linux", "rootfs": { "diff_ids": [null] } }), &layers[..1]));
    let both = json!([{ "Config": "c.json", "Layers": ["l0"] }, { "Config": "d.json", "Layers": ["l0"] }]).to_string().into_bytes();
    platforms.retain(|(name, _)| name != "manifest.json");
    platforms.extend([("d.json".to_owned(), other), ("manifest.json".to_owned(), both)]);
    // A path that is cut within a character of a value.
    let password = format!("{}\u{e4}nP4", &key[8..32]);
    let path = format!("{}/password={password}/z", "d".repeat(4096 - "/password=".len() - 25));
    // The names of an archive that is no image.
    let twice = (format!("blobs/x/{key}"), b"1".to_vec());
    let unreadable = archive(&[twice.clone(), twice, ("index.json".to_owned(), br#"{"manifests":[]}"#.to_vec())]);
    for (what, archive, arguments) in [
        ("an instruction", by_instruction, vec![]),
        ("names", names, vec![]),
        ("a media type", artifact, vec![]),
        ("a platform", archive(&platforms), vec!["--platform", "linux"]),
        ("a path", image(&tar(&[file(&path, secret())])), vec!["--min-confidence", "low"]),
        ("a message", unreadable, vec![]),
    ] {
        for format in ["json", "human"] {
            let dir = temporary();
            let target = crate::support::file(dir.path(), "image.tar", &archive);
            let output = Command::new(program()).args(["scan", &target, "--format", format]).args(&arguments).output().expect("a run");
            let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).to_lowercase()).concat();
            assert!(!said.contains(&key[8..20].to_lowercase()), "{what}, {format}: {said}");
        }
    }
}

#[test]
fn files_of_json_beside_an_image_are_searched_as_files() {
    let value = |seed: &str| token(seed).replace('_', "");
    let document = json!({ "verifier": { "salt": &value("salt")[..22], "localHash": value("hash") }, "version": "2" }).to_string();
    let found = |members: &[(String, Vec<u8>)]| {
        let (exit, report) = scan(&archive(members), &[]);
        let rules: Vec<String> =
            report["findings"].as_array().expect("findings").iter().map(|f| f["rule"].as_str().unwrap_or_default().to_owned()).collect();
        (exit, rules)
    };
    let path = "etc/op/1password-credentials.json";
    let alone = found(&[(path.to_owned(), document.clone().into_bytes())]);
    assert_eq!(alone, (1, vec!["1password-connect-credentials".to_owned()]));
    let mut beside = members(&image(&tar(&[file("f", "x")])));
    beside.push((path.to_owned(), document.into_bytes()));
    assert_eq!(found(&beside), alone);
    // A value that is escaped there is one value all the same.
    let key = |dashes: &str| format!("-----{dashes} {}-----", ["PRIVATE", "KEY"].join(" "));
    let body = value("body").repeat(20);
    let account = json!({ "private_key": format!("{}\n{body}\n{}\n", key("BEGIN"), key("END")), "type": "x" }).to_string().into_bytes();
    let mut beside = members(&image(&tar(&[file("f", "x")])));
    beside.push(("sa.json".to_owned(), account));
    assert_eq!(found(&beside).1.len(), 1);
}

#[test]
fn a_match_behind_many_that_are_none_is_found() {
    let password = ["Zk8xY", "9qLm2"].concat();
    let line = format!("{}echo root:{password}|chpasswd\n", "echo a:xxx|chpasswd;".repeat(12));
    let (exit, report) = scan(&image(&tar(&[file("f", line)])), &[]);
    assert!(exit == 1 && report["findings"][0]["secret"]["value"] == password.as_str(), "{report:#}");
}

#[test]
fn a_saved_archive_with_holes_is_read_as_it_is() {
    let layer = tar(&[file("a", secret())]);
    let map = format!("0,{},{},1024", layer.len() - 1024, layer.len() - 1024);
    let records = [("GNU.sparse.size", &layer.len().to_string()[..]), ("GNU.sparse.name", "l/layer.tar"), ("GNU.sparse.map", &map)];
    let config = json!({ "rootfs": { "diff_ids": [pentimento::digest::Digest::sha256(&layer).to_string()] }, "history": [] }).to_string();
    let manifest = json!([{ "Config": "c.json", "RepoTags": [], "Layers": ["l/layer.tar"] }]).to_string();
    let sparse = tar(&[pax(b'x', &records), file("GNUSparseFile.0/x", &layer), file("c.json", config), file("manifest.json", manifest)]);
    let (exit, report) = scan(&sparse, &[]);
    assert_eq!((exit, codes(&report), fates(&report)), (1, vec![], vec!["present"]), "{report:#}");
}

// ---- fates -------------------------------------------------------------------------------------------------------------------------

#[test]
fn a_hard_link_to_a_lower_layer_keeps_its_content() {
    let image = TestImage::new()
        .step("/bin/sh -c one", &tar(&[file("f", secret())]))
        .step("/bin/sh -c two", &tar(&[hard_link("g", "f"), file(&name("$whf"), "")]))
        .step("/bin/sh -c three", &tar(&[hard_link("h", "g")]))
        .step("/bin/sh -c four", &tar(&[file(&name("$whg"), "")]));
    let (_, report) = scan(&image.docker_save(), &[]);
    let mut found: Vec<_> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|f| {
            (f["location"]["path"].clone(), f["location"]["layer"].clone(), f["fate"]["state"].clone(), f["engine_dependent"].is_string())
        })
        .collect();
    found.sort_by_key(|f| f.0.to_string());
    let expected = [
        (json!("f"), json!(0), json!("deleted"), false),
        (json!("g"), json!(1), json!("deleted"), true),
        (json!("h"), json!(2), json!("present"), true),
    ];
    assert_eq!(found, expected, "{report:#}");
    assert_eq!(report["findings"][0]["also_visible"], json!(["h"]));
}

#[test]
fn a_link_through_a_lower_symlink_is_said() {
    let image = TestImage::new()
        .step("/bin/sh -c one", &tar(&[directory("real"), file("real/f", secret()), symlink("link", "real")]))
        .step("/bin/sh -c two", &tar(&[file("link/f", "x")]));
    let (_, report) = scan(&image.docker_save(), &[]);
    assert_eq!(fates(&report), ["present"]);
    assert!(report["findings"][0]["engine_dependent"].as_str().is_some_and(|why| why.contains("symbolic link")), "{report:#}");
    for fail_on in ["present", "hidden"] {
        let (code, _) = scan(&image.docker_save(), &["--fail-on", fail_on]);
        assert_eq!(code, 1, "it is visible in one engine and hidden in another");
    }
}

// ---- the file system and signals ---------------------------------------------------------------------------------------------------

#[cfg(unix)]
#[test]
fn nothing_outside_a_directory_is_read() {
    let (dir, outside) = (temporary(), temporary());
    let image = image(&tar(&[file("a", "x")]));
    crate::support::unpack(&image, dir.path());
    std::fs::write(outside.path().join("f"), secret()).expect("a file");
    std::os::unix::fs::symlink(outside.path().join("f"), dir.path().join("link")).expect("a link");
    std::os::unix::fs::symlink(outside.path(), dir.path().join("directory")).expect("a link");
    let made = Command::new("mkfifo").arg(dir.path().join("pipe")).status().expect("mkfifo");
    assert!(made.success());
    let run = run(["scan", &dir.path().display().to_string(), "--format", "json"]);
    assert_eq!((run.code, codes(&run.json()), fates(&run.json()).len()), (3, vec!["broken-link"], 0), "{}", run.stdout);
}

#[test]
fn a_closed_pipe_is_no_error_and_the_verdict_stands() {
    let dir = temporary();
    let target = crate::support::file(dir.path(), "image.tar", &image(&tar(&[file("a", secret())])));
    let mut child = Command::new(program())
        .args(["scan", &target, "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(1), ""));
}

/// Starts a scan of a pipe that gives a layer with a secret, and then nothing more.
#[cfg(unix)]
fn stuck(arguments: &[&str]) -> std::process::Child {
    use std::io::Write;
    let mut child = Command::new(program())
        .args(["scan", "-", "--format", "json", "--show-secrets"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let archive = image(&tar(&[file("a", secret())]));
    let stdin = child.stdin.as_mut().expect("a pipe");
    stdin.write_all(&archive[..3000]).expect("the pipe");
    stdin.flush().expect("the pipe");
    child
}

#[cfg(unix)]
#[test]
fn a_stopped_scan_says_what_it_found_and_that_it_is_not_all() {
    let signal = |child: &std::process::Child, name: &str| {
        Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill");
    };
    for stop in ["-INT", "-TERM", "timeout"] {
        let mut child = stuck(if stop == "timeout" { &["--timeout", "1"] } else { &[] });
        let stdin = child.stdin.take();
        std::thread::sleep(std::time::Duration::from_millis(700));
        if stop != "timeout" {
            signal(&child, stop);
        }
        let output = child.wait_with_output().expect("it ends");
        drop(stdin);
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
        assert_eq!((output.status.code(), fates(&report).len(), &report["complete"]), (Some(1), 1, &json!(false)), "{stop}: {report:#}");
        assert_eq!(codes(&report), ["interrupted"], "{stop}: {report:#}");
    }
}

#[cfg(unix)]
#[test]
fn a_named_pipe_that_nobody_writes_to_can_be_given_up() {
    let dir = temporary();
    let pipe = dir.path().join("pipe").display().to_string();
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let run = run(["scan", &pipe, "--timeout", "1", "--format", "json"]);
    assert_eq!((run.code, codes(&run.json())), (3, vec!["interrupted"]));
}

#[test]
fn a_report_never_takes_the_place_of_what_is_read() {
    let dir = temporary();
    let saved = image(&tar(&[file("a", secret())]));
    crate::support::unpack(&saved, dir.path());
    let manifest = dir.path().join("manifest.json");
    let before = std::fs::read(&manifest).expect("a file");
    let layout = dir.path().display().to_string();
    assert_eq!(run(["scan", &layout, "-o", &manifest.display().to_string()]).code, 2);
    assert_eq!(run(["scan", &layout, "-o", &dir.path().join("new.json").display().to_string()]).code, 2);
    assert_eq!(std::fs::read(&manifest).expect("a file"), before);
}

#[cfg(unix)]
#[test]
fn a_killed_scan_leaves_nothing_behind() {
    let dir = temporary();
    let report = dir.path().join("report.json").display().to_string();
    let mut child = stuck(&["-o", &report]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    child.kill().expect("killed");
    child.wait().expect("it ends");
    assert_eq!(std::fs::read_dir(dir.path()).expect("a directory").count(), 0);
}
