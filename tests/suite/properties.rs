//! Generated images against a naive overlay: layers applied to a map, one after the other (formats.md, part 9, without its cleverness).

use crate::support::{Entry, TestImage, scan};
use pentimento::layer::change::{ChangeKind, FileType};
use pentimento::limits::{Effort, Limits};
use pentimento::timeline::{Fate, How, lives};
use proptest::prelude::*;
use std::collections::BTreeMap;

const PATHS: [&str; 9] = ["a", "b", "d", "d/a", "d/b", "d/e", "d/e/f", "d/e/g", "da"];

fn entry() -> impl Strategy<Value = Entry> {
    let path = || prop::sample::select(&PATHS[..]).prop_map(str::to_owned);
    let content = prop::sample::select(vec![b"x".to_vec(), b"y".to_vec(), b"z".to_vec()]);
    prop_oneof![
        6 => (path(), content).prop_map(|(path, content)| Entry::Put(path, content)),
        2 => path().prop_map(Entry::Dir),
        1 => path().prop_map(|path| Entry::Symlink(path, "/etc".to_owned())),
        3 => path().prop_map(Entry::Remove),
        1 => prop::sample::select(vec!["d", "d/e"]).prop_map(|path| Entry::Opaque(path.to_owned())),
    ]
}

/// A layer in which no path occurs twice and nothing but directories has children: what engines write.
fn layer() -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec(entry(), 0..7).prop_map(|entries| {
        let mut kept: Vec<Entry> = Vec::new();
        for entry in entries {
            let (path, directory) = target(&entry);
            let fits = kept.iter().map(target).all(|(other, other_directory)| {
                path != other
                    && (directory || !other.starts_with(&format!("{path}/")))
                    && (other_directory || !path.starts_with(&format!("{other}/")))
            });
            if fits || matches!(entry, Entry::Remove(_) | Entry::Opaque(_)) {
                kept.push(entry);
            }
        }
        kept
    })
}

/// The layers of an image.
pub fn layers() -> impl Strategy<Value = Vec<Vec<Entry>>> {
    prop::collection::vec(layer(), 1..6)
}

/// The path of an entry that puts something, and whether it is a directory. Markers have none that matters.
fn target(entry: &Entry) -> (String, bool) {
    match entry {
        Entry::Put(path, _) | Entry::Symlink(path, _) | Entry::HardLink(path, _) | Entry::Device(path) => (path.clone(), false),
        Entry::Dir(path) => (path.clone(), true),
        Entry::Remove(path) => (format!("\0whiteout of {path}"), true),
        Entry::Opaque(path) => (format!("\0marker in {path}"), true),
    }
}

/// What lies at a path: a file's content and the version (layer) that it is the first of, or something else.
#[derive(Clone, PartialEq)]
enum Node {
    File { content: Vec<u8>, born: usize },
    Other,
}

/// Fates by path and layer, as a person with pencil and paper would find them.
fn oracle(layers: &[Vec<Entry>]) -> BTreeMap<(String, usize), Fate> {
    let (mut view, mut fates): (BTreeMap<String, Node>, _) = (BTreeMap::new(), BTreeMap::new());
    for (by, layer) in layers.iter().enumerate() {
        let puts: BTreeMap<String, &Entry> =
            layer.iter().filter(|e| !matches!(e, Entry::Remove(_) | Entry::Opaque(_))).map(|e| (target(e).0, e)).collect();
        let below = |path: &str, dir: &str| path.starts_with(&format!("{dir}/"));
        let same = |path: &str, node: &Node| matches!((puts.get(path), node), (Some(Entry::Put(_, new)), Node::File { content, .. }) if new == content);
        let mut next = BTreeMap::new();
        for (path, node) in &view {
            let whiteouts = layer.iter().filter_map(|e| if let Entry::Remove(path) = e { Some(path) } else { None });
            let opaques = layer.iter().filter_map(|e| if let Entry::Opaque(path) = e { Some(path) } else { None });
            let deleted = |how| Some(Fate::Deleted { by, how });
            let file_above = puts.iter().any(|(other, entry)| below(path, other) && !matches!(entry, Entry::Dir(_)));
            let fate = if same(path, node) {
                None
            } else if opaques.into_iter().any(|dir| below(path, dir)) {
                deleted(How::Opaque)
            } else if whiteouts.clone().any(|target| target == path) {
                deleted(How::Whiteout)
            } else if whiteouts.clone().any(|target| below(path, target)) {
                deleted(How::ParentRemoved)
            } else if file_above || matches!(node, Node::File { .. }) && puts.keys().any(|other| below(other, path)) {
                Some(Fate::Replaced { by })
            } else {
                match puts.get(path) {
                    Some(Entry::Put(..)) => Some(Fate::Overwritten { by }),
                    Some(_) if matches!(node, Node::File { .. }) => Some(Fate::Replaced { by }),
                    _ => None,
                }
            };
            match (fate, node) {
                (Some(fate), Node::File { born, .. }) => drop(fates.insert((path.clone(), *born), fate)),
                (Some(_), Node::Other) => {}
                (None, node) => drop(next.insert(path.clone(), node.clone())),
            }
        }
        for (path, entry) in puts {
            match entry {
                Entry::Put(_, content) => drop(next.entry(path).or_insert(Node::File { content: content.clone(), born: by })),
                _ => drop(next.insert(path, Node::Other)),
            }
        }
        view = next;
    }
    for (path, node) in view {
        if let Node::File { born, .. } = node {
            fates.insert((path, born), Fate::Present);
        }
    }
    fates
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn fates_are_those_of_a_naive_overlay(layers in layers()) {
        let image = layers.iter().fold(TestImage::new(), |image, entries| image.entries(entries));
        let scanned = scan(&image.docker_save());
        let scans: Vec<_> = scanned.images.images[0].layers.iter().map(|l| l.blob.and_then(|blob| scanned.archive.layer(blob))).collect();
        let mut found = BTreeMap::new();
        let mut rewrites = Vec::new();
        let wanted: Vec<Vec<u32>> = scans.iter().map(|scan| (0..scan.map_or(0, |scan| scan.len() as u32)).collect()).collect();
        let lives = lives(&scans, &wanted, &mut Effort::regardless(&Limits::default(), 0));
        for (index, scan) in scans.iter().enumerate() {
            // A layer of nothing is no tar.
            let Some(scan) = scan else { continue };
            for (entry, record) in scan.entries() {
                if record.kind == ChangeKind::Put(FileType::Regular) {
                    let path = String::from_utf8_lossy(scan.path(entry)).into_owned();
                    let life = &lives.of[&(index, entry)];
                    rewrites.extend(life.rewritten_in.iter().map(|later| (path.clone(), *later)));
                    found.insert((path, index), life.fate);
                }
            }
        }
        found.retain(|version, _| !rewrites.contains(version));
        prop_assert_eq!(found, oracle(&layers));
    }
}

/// An entry as the `tar` crate can write it.
#[derive(Debug, Clone)]
struct Member {
    path: String,
    kind: tar::EntryType,
    data: Vec<u8>,
    link: String,
    gnu: bool,
    xattr: Option<String>,
}

fn member() -> impl Strategy<Value = Member> {
    let name =
        prop_oneof![4 => "[a-z]{1,8}", 1 => "[a-zü]{90,130}", 1 => "([a-z]{1,40}/){1,8}[a-z]{1,99}", 1 => "[a-z]{1,30}/[a-z]{200,255}"];
    let kind = prop::sample::select(vec![
        tar::EntryType::Regular,
        tar::EntryType::Regular,
        tar::EntryType::Continuous,
        tar::EntryType::Directory,
        tar::EntryType::Symlink,
        tar::EntryType::Link,
        tar::EntryType::Fifo,
        tar::EntryType::Char,
    ]);
    let data = prop_oneof![prop::collection::vec(any::<u8>(), 0..40), prop::collection::vec(any::<u8>(), 500..1100)];
    (name, kind, data, "[a-z/]{1,150}", any::<bool>(), prop::option::of("[a-z]{1,20}")).prop_map(|(path, kind, data, link, gnu, xattr)| {
        let is_link = matches!(kind, tar::EntryType::Symlink | tar::EntryType::Link);
        let data = if matches!(kind, tar::EntryType::Regular | tar::EntryType::Continuous) { data } else { Vec::new() };
        Member { path, kind, data, link: if is_link { link } else { String::new() }, gnu, xattr }
    })
}

fn written(members: &[Member]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for member in members {
        if let Some(value) = &member.xattr {
            builder.append_pax_extensions([("SCHILY.xattr.user.note", value.as_bytes())]).expect("memory");
        }
        let mut header = if member.gnu { tar::Header::new_gnu() } else { tar::Header::new_ustar() };
        header.set_entry_type(member.kind);
        header.set_mode(0o640);
        header.set_size(member.data.len() as u64);
        if member.link.is_empty() {
            builder.append_data(&mut header, &member.path, &member.data[..]).expect("memory");
        } else {
            builder.append_link(&mut header, &member.path, &member.link).expect("memory");
        }
    }
    builder.into_inner().expect("memory")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn well_formed_archives_are_read_as_the_tar_crate_reads_them(members in prop::collection::vec(member(), 0..8)) {
        use pentimento::layer::tar::{Kind, Streamed, TarReader};
        use std::io::Read;
        let archive = written(&members);
        let mut theirs = Vec::new();
        for entry in tar::Archive::new(&archive[..]).entries().expect("a tar") {
            let mut entry = entry.expect("an entry");
            let kind = match entry.header().entry_type() {
                tar::EntryType::Link => Kind::HardLink,
                tar::EntryType::Symlink => Kind::Symlink,
                tar::EntryType::Directory => Kind::Directory,
                tar::EntryType::Char => Kind::CharDevice,
                tar::EntryType::Fifo => Kind::Special,
                _ => Kind::Regular,
            };
            let mut data = Vec::new();
            let xattr = entry.pax_extensions().expect("records").into_iter().flatten().flatten()
                .find(|record| record.key_bytes() == b"SCHILY.xattr.user.note").map(|record| record.value_bytes().to_vec());
            let (path, link) = (entry.path_bytes().to_vec(), entry.link_name_bytes().map(|link| link.to_vec()).unwrap_or_default());
            let offset = entry.raw_file_position();
            entry.read_to_end(&mut data).expect("memory");
            theirs.push((path, kind, data, link, xattr, offset));
        }
        let mut tar = TarReader::new(Streamed(&archive[..]));
        let mut ours = Vec::new();
        while let Some(header) = tar.next_entry().expect("memory") {
            let mut data = Vec::new();
            tar.read_to_end(&mut data).expect("memory");
            prop_assert_eq!(header.size, data.len() as u64);
            // Of a long name or target, the field in the header holds a part in a form of its own.
            prop_assert!(header.aside.is_empty() || header.link.len().max(header.path.len()) > 100);
            let xattr = header.xattrs.into_iter().find(|(name, _)| name == b"user.note").map(|(_, value)| value);
            ours.push((header.path, header.kind, data, header.link, xattr, header.offset));
        }
        prop_assert!(tar.take_problems().finish().is_empty() && tar.has_end_marker());
        prop_assert_eq!(ours, theirs);
    }
}
