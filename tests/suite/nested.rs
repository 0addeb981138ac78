//! Archives within the files of a layer: what is in them is found, with the way to it, and what cannot be read is said.

use crate::support::{Packing, TestImage, archive, codes, fates, pack, put, rm, run_with, token};
use serde_json::{Value, json};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    pack(bytes, Packing::Gzip)
}

/// A zip with one stored member.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let head = |signature: &[u8], version: &[u8]| [signature, version, &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    let size = (content.len() as u32).to_le_bytes();
    let name_len = (name.len() as u16).to_le_bytes();
    [&head(b"PK\x03\x04", b"")[..], &size, &size, &name_len, &[0, 0], name.as_bytes(), content, b"PK\x05\x06", &[0; 18]].concat()
}

fn report(image: &TestImage, arguments: &[&str]) -> (i32, Value) {
    let [a, b] = [arguments.first().unwrap_or(&"--min-confidence"), arguments.get(1).unwrap_or(&"medium")];
    let run = run_with(["scan", "-", "--format", "json", "--show-secrets", a, b], &image.docker_save());
    (run.code, run.json())
}

/// The values that were found, each with the way into its file.
fn found(report: &Value) -> Vec<(String, Value)> {
    let list = report["findings"].as_array().expect("findings");
    list.iter().map(|f| (f["secret"]["value"].as_str().unwrap_or_default().to_owned(), f["location"]["inner"].clone())).collect()
}

#[test]
fn what_is_in_an_archive_is_found_with_the_way_to_it() {
    let secret = token("nested");
    let env = format!("A=1\nTOKEN={secret}\n").into_bytes();
    let tar = archive(&[("readme".into(), b"nothing".to_vec()), ("srv/.env".into(), env.clone())]);
    for (name, content, inner) in [
        ("b.tar", tar.clone(), vec!["srv/.env"]),
        ("b.tar.gz", gzip(&tar), vec!["srv/.env"]),
        ("b.tgz.zst", pack(&gzip(&tar), Packing::Zstd), vec!["srv/.env"]),
        ("app.jar", zip("a.properties", &env), vec!["a.properties"]),
        ("app.log.gz", gzip(&env), vec!["app.log"]),
        ("war.tar.gz", gzip(&archive(&[("app.war".into(), zip("web.xml.gz", &gzip(&env)))])), vec!["app.war", "web.xml.gz", "web.xml"]),
        ("behind", [gzip(b"nothing"), env.clone()].concat(), vec!["#rest"]),
        ("a.zip", zip(&secret, b"x"), vec!["#header"]),
        ("image.tar", archive(&[("l/layer.tar".into(), tar.clone())]), vec!["l/layer.tar", "srv/.env"]),
    ] {
        let image = TestImage::new().layer([put(&format!("opt/{name}"), content)]).layer([rm(&format!("opt/{name}"))]);
        let (code, report) = report(&image, &[]);
        assert_eq!(found(&report), [(secret.clone(), json!(inner))], "{name}");
        assert_eq!((code, codes(&report)), (1, vec![]), "{name}");
        assert_eq!(fates(&report), [(format!("opt/{name}"), 0, "deleted whiteout".to_owned(), Some(1))]);
        if inner.last() == Some(&"srv/.env") {
            assert_eq!(report["findings"][0]["location"]["line"], 2, "{name}");
        }
    }
}

#[test]
fn a_later_version_of_the_archive_that_holds_the_secret_keeps_it() {
    let secret = token("kept");
    let version = |more: &str| gzip(&archive(&[("a".into(), format!("{more} {secret}").into_bytes())]));
    let image = TestImage::new().layer([put("a.tgz", version("one"))]).layer([put("a.tgz", version("two"))]);
    let (_, both) = report(&image, &[]);
    assert_eq!(fates(&both), [("a.tgz".to_owned(), 0, "present".to_owned(), None), ("a.tgz".to_owned(), 1, "present".to_owned(), None)]);
    let (_, gone) = report(&image.layer([put("a.tgz", gzip(b"nothing"))]), &[]);
    assert!(fates(&gone).iter().all(|(_, _, state, by)| state == "overwritten" && *by == Some(2)));
}

#[test]
fn what_cannot_be_unpacked_is_searched_as_it_is_and_said() {
    let secret = token("damaged");
    let packed = gzip(&archive(&[("a".into(), format!("{secret} {:?}", blake3::hash(b"tail")).into_bytes())]));
    let cut = packed[..packed.len() - 30].to_vec();
    let (code, report_of_cut) = report(&TestImage::new().layer([put("a.tgz", cut)]), &[]);
    assert_eq!((code, codes(&report_of_cut)), (1, vec!["not-unpacked"]));
    // A second member with a block of a type that there is not.
    let broken = [&gzip(b"first")[..], b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xff\xff", format!(" {secret} ").as_bytes()].concat();
    let (code, broken) = report(&TestImage::new().layer([put("a.tgz", broken)]), &[]);
    assert_eq!((code, codes(&broken), found(&broken)[0].0.clone()), (1, vec!["not-unpacked"], secret.clone()));
    assert_eq!(broken["complete"], true);
    // What only begins like an archive is a file.
    for start in ["x^2 is no zlib, ", "BZh91AY&SY no bzip2 ", "PK\x03\x04 no zip ", "070701 no cpio "] {
        let (_, report) = report(&TestImage::new().layer([put("a", format!("{start}{secret}"))]), &[]);
        assert_eq!(found(&report).len(), 1, "{start}");
    }
}

#[test]
fn a_limit_within_an_archive_is_said_and_what_stands_beside_it_is_found() {
    let secret = token("beside");
    let mut deep = format!("token {secret}").into_bytes();
    for _ in 0..12 {
        deep = archive(&[("t".into(), deep)]);
    }
    let image = TestImage::new().layer([put("deep.tar", deep)]);
    let (code, said) = report(&image, &[]);
    // Tars are not packed: it is found all the same.
    assert_eq!((code, codes(&said), found(&said).len()), (1, vec!["limit-reached"], 1));
    let (_, said) = report(&image, &["--max-depth", "20"]);
    assert_eq!((codes(&said), found(&said).len()), (vec![], 1));

    let bomb = gzip(&vec![b'a'; 80 << 20]);
    let image = TestImage::new().layer([put("a.gz", bomb), put("b", format!("token {secret}"))]);
    let (code, said) = report(&image, &["--max-ratio", "100"]);
    assert_eq!((code, codes(&said), found(&said).len()), (1, vec!["limit-reached"], 1));
    assert_eq!(said["complete"], false);
    let clean = TestImage::new().layer([put("a.gz", gzip(&vec![b'a'; 80 << 20]))]);
    assert_eq!(report(&clean, &["--max-ratio", "100"]).0, 3);
}

#[test]
fn a_layer_that_ends_within_an_archive_is_incomplete() {
    let random: Vec<u8> = (0..4000u32).flat_map(|n| *blake3::hash(&n.to_le_bytes()).as_bytes()).collect();
    let layer = crate::support::layer_tar(&[put("a.gz", gzip(&random))]);
    let image = TestImage::new().step("COPY a.gz", &layer[..60_000]);
    let (code, said) = report(&image, &[]);
    assert_eq!((code, codes(&said).contains(&"truncated")), (3, true), "{:?}", codes(&said));
}

/// A loose object of git: its path below `.git`, its name, and its bytes.
fn loose(kind: &str, content: &[u8]) -> (String, [u8; 20], Vec<u8>) {
    let object = [format!("{kind} {}\0", content.len()).as_bytes(), content].concat();
    let id: [u8; 20] = <sha1::Sha1 as sha1::Digest>::digest(&object).into();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut zlib, &object).expect("memory");
    let name = pentimento::digest::hex(&id);
    (format!("srv/.git/objects/{}/{}", &name[..2], &name[2..]), id, zlib.finish().expect("memory"))
}

#[test]
fn what_a_repository_remembers_is_found_with_commit_and_path() {
    let secret = token("committed");
    let blob = loose("blob", format!("TOKEN={secret}\n").as_bytes());
    let config = loose("tree", &[b"100644 .env\0", &blob.1[..]].concat());
    let root = loose("tree", &[b"40000 config\0", &config.1[..]].concat());
    let tree = pentimento::digest::hex(&root.1);
    let commit = loose("commit", format!("tree {tree}\nauthor a <a@b> 1 +0000\n\nfirst\n").as_bytes());
    let place = format!("{}:config/.env", &pentimento::digest::hex(&commit.1)[..12]);
    let image = TestImage::new().layer([&blob, &config, &root, &commit].map(|(path, _, bytes)| put(path, bytes)));
    let (_, report) = report(&image, &[]);
    assert_eq!(found(&report), [(secret, json!([place]))]);
}

/// A pack of whole objects: kinds as packs number them, and contents.
fn git_pack(objects: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut pack = [&b"PACK\0\0\0\x02"[..], &(objects.len() as u32).to_be_bytes()].concat();
    for (kind, content) in objects {
        assert!(content.len() < 2048);
        pack.extend([0x80 | kind << 4 | content.len() as u8 & 15, (content.len() >> 4) as u8]);
        let mut zlib = flate2::write::ZlibEncoder::new(&mut pack, flate2::Compression::default());
        std::io::Write::write_all(&mut zlib, content).expect("memory");
        zlib.finish().expect("memory");
    }
    pack.extend([0; 20]);
    pack
}

#[test]
fn of_the_versions_of_a_file_in_a_pack_none_hides_a_surer_one() {
    let secret = token("versions");
    let mut objects = Vec::new();
    for (message, comment) in [("one", " # pentimento:allow"), ("two", ""), ("three", " # the same")] {
        let blob = format!("TOKEN={secret}{comment}\n").into_bytes();
        let tree = [b"100644 .env\0", &loose("blob", &blob).1[..]].concat();
        let root = pentimento::digest::hex(&loose("tree", &tree).1);
        objects.extend([(3, blob), (2, tree), (1, format!("tree {root}\n\n{message}\n").into_bytes())]);
    }
    let image = TestImage::new().layer([put("srv/.git/objects/pack/a.pack", git_pack(&objects))]);
    let (code, report) = report(&image, &[]);
    assert_eq!((code, found(&report).len(), &report["suppressed"][0]["count"]), (1, 1, &json!(1)));
    let inner = report["findings"][0]["location"]["inner"][0].as_str().unwrap_or_default();
    assert!(inner.ends_with(":.env") && inner.len() == 17, "{inner}");
}
