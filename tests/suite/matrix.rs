//! 68 layer cases, each loaded into docker, podman (overlay and vfs), umoci and containerd; their recorded outcomes
//! (testdata/experiments; formats.md, part 8) against our fates. Where the engines that accept a layer agree, we say what they show;
//! where they do not, the finding says that it depends on the engine.

use crate::raw::{Blocks, Raw, directory, file, gnu_long, hard_link, pax, symlink, tar};
use crate::support::{TestImage, scan};
use pentimento::layer::change::{ChangeKind, FileType};
use pentimento::layer_scan::LayerScan;
use pentimento::limits::{Effort, Limits};
use pentimento::timeline::{Fate, lives};
use std::collections::{BTreeMap, BTreeSet};

fn base() -> Vec<u8> {
    tar(&[
        file("a", "1"),
        directory("d"),
        file("d/a", "1"),
        file("d/b", "1"),
        directory("real"),
        file("real/x", "1"),
        symlink("link", "real"),
        file("p", "pfile"),
        directory("q"),
        file("q/r", "1"),
    ])
}

fn old(name: &str, data: &str) -> Blocks {
    Raw { magic: [0; 8], ..Raw::new(name, 0, data) }.blocks()
}

/// The name of the case in the records, whether it stands on the base layer, and its layers.
#[rustfmt::skip]
fn cases() -> Vec<(&'static str, bool, Vec<Vec<Blocks>>)> {
    let f = |name: &str, data: &str| file(name, data);
    let on_base = |name, entries: Vec<Blocks>| (name, true, vec![entries]);
    let alone = |name, entries: Vec<Blocks>| (name, false, vec![entries]);
    let long = |letter: &str, count: usize| letter.repeat(count);
    vec![
        on_base("wh_then_file", vec![f("$wha", ""), f("a", "2")]),
        on_base("file_then_wh", vec![f("a", "2"), f("$wha", "")]),
        on_base("newfile_then_wh (not in lower)", vec![f("n", "2"), f("$whn", "")]),
        on_base("wh_nonexist", vec![f("$whnope", ""), f("x", "2")]),
        on_base("opq_first", vec![directory("d"), f("d/$wh$wh.opq", ""), f("d/c", "2")]),
        on_base("opq_last", vec![directory("d"), f("d/c", "2"), f("d/$wh$wh.opq", "")]),
        on_base("opq_mid_sub", vec![directory("d"), directory("d/sub"), f("d/sub/c", "2"), f("d/$wh$wh.opq", ""), f("d/e", "2")]),
        on_base("opq_no_dirhdr", vec![f("d/$wh$wh.opq", ""), f("d/c", "2")]),
        on_base("opq_root", vec![f("$wh$wh.opq", ""), f("c", "2")]),
        on_base("opq + same name file first", vec![directory("d"), f("d/a", "2"), f("d/$wh$wh.opq", "")]),
        on_base("file->dir implicit (p/q no p/ hdr)", vec![f("p/q", "2")]),
        on_base("file->dir with hdr", vec![directory("p"), f("p/q", "2")]),
        on_base("dir->file", vec![f("q", "2")]),
        on_base("dir->symlink", vec![symlink("q", "d")]),
        on_base("dir->symlink then child q/z", vec![symlink("q", "d"), f("q/z", "2")]),
        on_base("symlink parent write link/f", vec![f("link/f", "2")]),
        on_base("symlink parent overwrite link/x", vec![f("link/x", "2")]),
        on_base("symlink->dir hdr link/", vec![directory("link"), f("link/f", "2")]),
        on_base("wh via symlink parent link/.wh.x", vec![f("link/$whx", "")]),
        on_base("wh_dir then recreate", vec![f("$whd", ""), directory("d"), f("d/new", "2")]),
        on_base("recreate then wh_dir", vec![directory("d"), f("d/new", "2"), f("$whd", "")]),
        on_base("wh child + wh parent", vec![f("d/$wha", ""), f("$whd", "")]),
        on_base("abs /abs/f and /d/a", vec![f("/abs/f", "2"), f("/d/a", "2")]),
        on_base("abs whiteout /.wh.a /d/.wh.b", vec![f("/$wha", ""), f("/d/$whb", "")]),
        on_base("./ whiteout ./.wh.a ./d/.wh.b", vec![directory("."), f("./$wha", ""), f("./d/$whb", "")]),
        on_base("a//b a/./b", vec![f("m//b", "2"), f("m/./c", "2")]),
        on_base("d/../n2", vec![f("d/../n2", "2")]),
        on_base("../esc", vec![f("../esc", "2"), f("after", "2")]),
        on_base("d/../../esc", vec![f("d/../../esc", "2"), f("after", "2")]),
        on_base("wh ../.wh.x", vec![f("d/../$wha", ""), f("after", "2")]),
        alone("dup f=1 f=2", vec![f("f", "1"), f("f", "2")]),
        alone("dup file then symlink", vec![f("t", "1"), f("f", "1"), symlink("f", "t")]),
        alone("dup dir then file", vec![directory("f"), f("f/c", "1"), f("f", "2")]),
        alone("dup file then dir", vec![f("f", "2"), directory("f"), f("f/c", "1")]),
        alone("dup symlink then file (write through?)", vec![f("t", "1"), symlink("f", "t"), f("f", "2")]),
        on_base("hardlink to lower", vec![hard_link("g", "a")]),
        on_base("hardlink to lower then wh target", vec![hard_link("g", "a"), f("$wha", "")]),
        on_base("wh target then hardlink", vec![f("$wha", ""), hard_link("g", "a")]),
        on_base("hardlink missing", vec![hard_link("g", "nope")]),
        on_base("hardlink abs /a, ./a", vec![f("h1", "2"), hard_link("g1", "/h1"), hard_link("g2", "./h1")]),
        alone("hardlink before target", vec![hard_link("g", "f"), f("f", "1")]),
        alone("hardlink same layer then overwrite target", vec![f("f", "1"), hard_link("g", "f"), f("f", "2")]),
        ("hardlink overwrite in next layer", false, vec![vec![f("f", "1"), hard_link("g", "f")], vec![f("f", "2")]]),
        on_base("hardlink via symlink parent", vec![hard_link("g", "link/x")]),
        alone("hardlink with data (pax)", vec![f("f", "1"), Raw::new("g", b'1', "zz").link("f").blocks()]),
        on_base(".wh. bare", vec![f("$wh", ""), f("z", "2")]),
        on_base("d/.wh. bare", vec![f("d/$wh", ""), f("z", "2")]),
        on_base(".wh..", vec![f("d/$wh.", ""), f("z", "2")]),
        on_base(".wh...", vec![f("d/$wh..", ""), f("z", "2")]),
        on_base(".wh..wh.foo", vec![f("$wh$whfoo", ""), f("z", "2")]),
        on_base(".wh..wh.plnk/ & aufs", vec![
            directory("$wh$whplnk"), f("$wh$whplnk/1.2", "hl"), f("$wh$whaufs", ""), f("$wh$whorph", ""), hard_link("z", "$wh$whplnk/1.2"),
        ]),
        on_base(".wh.a as symlink", vec![symlink("$wha", "x")]),
        on_base(".wh.d as dir", vec![directory("$whd"), f("z", "2")]),
        on_base(".wh.d/ dir with child", vec![directory("$whd"), f("$whd/inner", "2")]),
        on_base(".wh.a with content", vec![f("$wha", "SECRET")]),
        on_base("chardev 0:0 named a", vec![Raw::new("a", b'3', "").blocks()]),
        on_base("dir hdr only, child dirs", vec![directory("d")]),
        on_base("child before dir hdr", vec![f("d/x", "2"), directory("d")]),
        on_base("file name trailing slash type0", vec![f("td/", ""), f("td/c", "2")]),
        alone("non-utf8", vec![Raw { name: b"caf\xe9".to_vec(), ..Raw::new("", b'0', "1") }.blocks(), f("nl\nx", "1")]),
        alone("pax long + gnu long", vec![
            pax(b'x', &[("path", &long("P", 120))]), f(&long("P", 100), "1"), gnu_long(b'L', &long("G", 130)), f(&long("G", 100), "1"),
        ]),
        alone("pax global path", vec![pax(b'g', &[("path", "gpath"), ("mtime", "1")]), f("f1", "1"), f("f2", "2")]),
        alone("pax empty path value", vec![pax(b'x', &[("path", "")]), f("f1", "1")]),
        alone("pax size override", vec![pax(b'x', &[("size", "3")]), Raw::new("f1", b'0', "abc").size(0).blocks()]),
        on_base("xattr overlay opaque", vec![pax(b'x', &[("SCHILY.xattr.trusted.overlay.opaque", "y")]), directory("d"), f("d/c", "2")]),
        alone("type 7 contiguous", vec![Raw::new("c7", b'7', "abc").blocks(), f("z", "1")]),
        alone("type A unknown", vec![Raw::new("cA", b'A', "abc").blocks(), f("z", "1")]),
        alone("type NUL old", vec![old("c0", "abc"), f("z", "1")]),
    ]
}

/// Files and their content.
type View = BTreeSet<(String, String)>;

/// What each engine that accepted the layers of a case showed.
fn recorded() -> BTreeMap<String, BTreeMap<String, View>> {
    let mut all: BTreeMap<String, BTreeMap<String, View>> = BTreeMap::new();
    for name in ["t1.out", "t1.containerd.out", "t1.podman-overlay.out"] {
        let path = format!("{}/testdata/experiments/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).expect("the records").replace("nl\nx", "nl\\nx");
        let mut case = String::new();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("## ") {
                case = name.to_owned();
            } else if let Some((engines, outcome)) = line.strip_prefix("   [").and_then(|line| line.split_once("] ")) {
                // The first case of that run shows a mount that was left over from the run before.
                let stale = name == "t1.containerd.out" && case == "wh_then_file";
                let failed = outcome.starts_with("ERR") || outcome.starts_with("EXC");
                for engine in engines.split(',').filter(|_| !stale && !failed) {
                    all.entry(case.clone()).or_default().insert(engine.to_owned(), view(outcome));
                }
            }
        }
    }
    all
}

/// `a=1 d/ g=>a l->d` as files: directories and symbolic links are left out, a hard link has the content of what it is linked to.
fn view(outcome: &str) -> View {
    let words: Vec<&str> = outcome.split(' ').map(|word| word.split('[').next().unwrap_or(word)).collect();
    let content = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
    let file = |word: &&str| -> Option<(String, String)> {
        if let Some((name, target)) = word.split_once("=>") {
            return Some((name.to_owned(), content(target).to_owned()));
        }
        let (name, content) = word.split_once('=')?;
        Some((name.to_owned(), content.to_owned()))
    };
    words.iter().filter_map(file).collect()
}

/// A version of a file: path, content, whether it is visible, and whether that depends on the engine.
type Version = (String, String, bool, bool);

fn ours(layers: &[Vec<u8>]) -> Vec<Version> {
    let mut image = TestImage::new();
    for layer in layers {
        image = image.step("/bin/sh -c x", layer);
    }
    let scanned = scan(&image.docker_save());
    let scans: Vec<Option<&LayerScan>> = scanned.images.images[0].layers.iter().map(|l| scanned.archive.layer(l.blob?)).collect();
    let wanted: Vec<Vec<u32>> = scans.iter().map(|scan| (0..scan.map_or(0, LayerScan::len) as u32).collect()).collect();
    let lives = lives(&scans, &wanted, &mut Effort::regardless(&Limits::default(), 0));
    let mut versions = Vec::new();
    for ((layer, entry), life) in &lives.of {
        let scan = scans[*layer].expect("a layer");
        let (file_layer, file) = lives.bound.get(&(*layer, *entry)).copied().unwrap_or((*layer, *entry));
        let home = scans[file_layer].expect("a layer");
        let file = home.entry(file).link_to.unwrap_or(file);
        let record = home.entry(file);
        let kind = scan.entry(*entry).kind;
        let is_file = matches!(kind, ChangeKind::Put(FileType::Regular | FileType::HardLink) | ChangeKind::LinkPool);
        if !is_file || lives.broken.contains(&(*layer, *entry)) {
            continue;
        }
        let bytes = &layers[file_layer][record.offset as usize..][..record.size as usize];
        let path = scan.path(*entry).utf8_chunks().fold(String::new(), |mut path, chunk| {
            path.push_str(&chunk.valid().replace('\n', "\\n"));
            chunk.invalid().iter().for_each(|b| path.push_str(&format!("\\x{b:02x}")));
            path
        });
        let content = String::from_utf8_lossy(bytes).into_owned();
        versions.push((path, content, life.fate == Fate::Present, life.engine_dependent.is_some()));
    }
    versions.sort();
    versions
}

#[test]
fn fates_are_what_the_engines_show() {
    let recorded = recorded();
    let cases = cases();
    assert_eq!(cases.len(), 68);
    let (mut agree, mut depend) = (0, 0);
    for (name, on_base, layers) in cases {
        let layers: Vec<Vec<u8>> = on_base.then(base).into_iter().chain(layers.iter().map(|entries| tar(entries))).collect();
        let versions = ours(&layers);
        let empty = BTreeMap::new();
        // An invalid whiteout hides nothing, whatever podman's vfs makes of it (image-spec#1301).
        let invalid = name.ends_with(".wh. bare") || [".wh..", ".wh..."].contains(&name);
        let engines: Vec<&View> = recorded.get(name).unwrap_or(&empty).values().filter(|_| !invalid).collect();
        for (path, content, visible, depends) in &versions {
            let seen = engines.iter().filter(|view| view.contains(&(path.clone(), content.clone()))).count();
            let unanimous = seen == engines.len() || seen == 0;
            if !unanimous {
                assert!(depends, "{name}: engines differ about {path}={content}, and we do not say so: {versions:#?}");
            }
            if !depends && !engines.is_empty() {
                // The same content may be there twice: a rewrite is visible too.
                let shown = versions.iter().any(|(p, c, v, _)| (p, c) == (path, content) && *v);
                assert_eq!(shown, seen > 0, "{name}: {path}={content}: {versions:#?} {engines:#?}");
            }
            // A device in the file's place hides it as well as a whiteout does: the engines differ only in what is there instead.
            if engines.len() == 5 && engines.windows(2).all(|pair| pair[0] == pair[1]) && !name.starts_with("chardev") {
                assert!(!depends, "{name}: all engines agree about {path}={content}: {versions:#?}");
            }
            if invalid {
                assert!(visible, "{name}: {path} is hidden by a whiteout of nothing");
            }
            depend += usize::from(*depends);
            agree += usize::from(!depends);
        }
        // What an engine shows, and we do not know of, may only be a file behind a link.
        for (path, content) in engines.iter().flat_map(|view| view.iter()) {
            let known = versions.iter().any(|(p, c, ..)| (p, c) == (path, content));
            let through =
                versions.iter().any(|(p, c, _, depends)| c == content && *depends && p.rsplit('/').next() == path.rsplit('/').next());
            assert!(known || through, "{name}: an engine shows {path}={content}: {versions:#?}");
        }
    }
    assert!(agree > 300 && depend >= 20, "{agree} agree, {depend} depend on the engine");
}
