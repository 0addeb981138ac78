//! Tars that list no image: the file system that `docker export` writes, a single layer. They are scanned as one layer.

use super::{Image, Images, Kind, Layer};
use crate::archive::Archive;
use crate::error::{Code, Problem, Problems};
use crate::layer::change::{ChangeKind, FileType};
use crate::layer::path::split;

/// True if `archive`, in which no image was found, is to be read as a file system: it has a member that no image archive has, or it is
/// whole and has none that only an image archive has.
pub fn is_file_system(archive: &Archive) -> bool {
    let members = &archive.members;
    let kind = |kind| match kind {
        ChangeKind::Put(FileType::Directory) | ChangeKind::Nothing => None,
        _ => Some(()),
    };
    let files = members.entries().filter_map(|(index, entry)| kind(entry.kind).map(|()| belongs(members.path(index))));
    let (mut foreign, mut marked) = (false, false);
    for belongs in files {
        foreign |= belongs == Belongs::No;
        marked |= belongs == Belongs::Yes;
    }
    // What was cut may have lost its manifest: tars in it are layers rather than files.
    let cut = archive.is_cut();
    let layers = cut && (0..archive.blobs.len()).any(|blob| archive.is_tar(blob) && archive.blobs[blob].stored_size > 0);
    !members.by_path().is_empty() && !layers && (foreign || !cut && !marked)
}

/// Whether a member is one of an image archive.
#[derive(PartialEq, Eq)]
enum Belongs {
    Yes,
    /// Either has it.
    Perhaps,
    No,
}

/// By the names that image archives have (formats.md, parts 2 to 5).
fn belongs(path: &[u8]) -> Belongs {
    let (directory, base) = split(path);
    let stem = base.strip_prefix(b"sha256:").unwrap_or(base).split(|b| *b == b'.').next().unwrap_or_default();
    let hex = stem.len() >= 32 && stem.iter().all(u8::is_ascii_hexdigit);
    match (directory, base) {
        (b"", b"manifest.json" | b"index.json" | b"oci-layout" | b"repositories") => Belongs::Yes,
        (b"", b"config.json" | b"version") => Belongs::Perhaps,
        (b"", _) if hex => Belongs::Yes,
        (_, b"layer.tar" | b"json") if !directory.contains(&b'/') => Belongs::Yes,
        (_, b"VERSION") => Belongs::Perhaps,
        _ if path.starts_with(b"blobs/") => Belongs::Yes,
        _ => Belongs::No,
    }
}

/// The archive as the only layer of an image without a config. `problems` are those of documents that were to describe an image.
pub fn images(archive: &Archive, problems: Vec<Problem>) -> Images {
    let mut image = Image { kind: Kind::FileSystem, layers: vec![Layer::default()], ..Image::default() };
    let message = match archive.file_system {
        true => "a file system: it was scanned as one layer, so nothing is known of layers below it",
        false => "the tar lists no image: it was scanned as one layer (a file system, or a layer of an image)",
    };
    image.problems.push((None, Problem::new(Code::PlainFileSystem, message)));
    // A broken file in a file system is no broken image.
    for blob in 0..archive.blobs.len() {
        let path = archive.name(blob);
        let mut problems = Problems::default();
        for problem in archive.problems_of(blob) {
            let serious = matches!(problem.code, Code::LimitReached | Code::ReadFailed);
            problems.push(Problem::at(if serious { problem.code } else { Code::NotUnpacked }, path, problem.message.clone()));
        }
        // One is enough to say that a file is not what it begins like.
        let mut problems = problems.finish();
        problems.dedup_by_key(|problem| problem.code);
        image.problems.extend(problems.into_iter().map(|problem| (Some(0), problem)));
    }
    Images { images: vec![image], problems, ..Images::default() }
}
