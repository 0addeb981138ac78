//! Tars that list no image: the file system that `docker export` writes, a single layer. They are scanned as one layer.

use super::{Image, Images, Kind, Layer};
use crate::archive::Archive;
use crate::error::{Code, Problem};

/// Names at the root that an image archive has and a file system hardly ever.
const MARKS: [&str; 4] = ["manifest.json", "index.json", "oci-layout", "repositories"];
/// Names at the root that a file system has and an image archive never.
const DIRECTORIES: [&str; 12] = [".dockerenv", "bin", "dev", "etc", "home", "lib", "opt", "root", "tmp", "usr", "var", "Files"];

/// True if `archive`, in which no image was found, is to be read as a file system.
pub fn is_file_system(archive: &Archive) -> bool {
    let has = |name: &&str| {
        let members = &archive.members;
        !members.at(name.as_bytes()).is_empty() || members.below(name.as_bytes()).next().is_some()
    };
    // An image that was cut before its manifest lists none either.
    let cut =
        archive.omissions.interrupted || archive.problems.iter().any(|problem| matches!(problem.code, Code::Truncated | Code::ReadFailed));
    let any = !archive.members.by_path().is_empty();
    any && (DIRECTORIES.iter().any(has) || !cut && !MARKS.iter().any(has))
}

/// The archive as the only layer of an image without a config.
pub fn images(archive: &Archive) -> Images {
    let mut image = Image { kind: Kind::FileSystem, layers: vec![Layer::default()], ..Image::default() };
    let message = "the tar lists no image: it was scanned as one layer (a file system, or a layer of an image)";
    image.problems.push((None, Problem::new(Code::PlainFileSystem, message)));
    // A broken file in a file system is no broken image.
    for blob in 0..archive.blobs.len() {
        let path = archive.name(blob);
        for problem in archive.problems_of(blob) {
            let code = match problem.code {
                Code::LimitReached | Code::ReadFailed => problem.code,
                _ => Code::NotUnpacked,
            };
            image.problems.push((Some(0), Problem::at(code, path, problem.message.clone())));
        }
    }
    Images { images: vec![image], ..Images::default() }
}
