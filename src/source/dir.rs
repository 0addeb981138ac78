//! An image layout in a directory (OCI image-spec, image-layout.md). Links are not followed: nothing outside is read.

use super::{Member, MemberKind, Members, Opener};
use crate::error::{Code, Error, Problem};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The files of the layout at `root`.
pub fn layout(target: &str, root: &Path) -> Result<Members, Error> {
    let marks = ["index.json", "manifest.json", "oci-layout", "repositories"];
    if !marks.iter().any(|mark| root.join(mark).is_file()) {
        let why = "the directory holds no image layout (no index.json, manifest.json or oci-layout)".to_owned();
        return Err(Error::NotAnImage { target: target.to_owned(), why });
    }
    let (mut list, mut problems, mut todo) = (Vec::new(), Vec::new(), vec![PathBuf::new()]);
    while let Some(dir) = todo.pop() {
        let read = |source| Error::Read { target: target.to_owned(), source };
        for item in fs::read_dir(root.join(&dir)).map_err(read)? {
            let item = item.map_err(read)?;
            let path = dir.join(item.file_name());
            let metadata = item.metadata().map_err(read)?;
            let name = bytes(&path);
            if metadata.is_dir() {
                todo.push(path);
            } else if metadata.is_file() {
                list.push(Member { name, kind: MemberKind::Blob { offset: 0, size: metadata.len() } });
            } else {
                problems.push(Problem::at(Code::BrokenLink, &name, "a link or special file in the layout is not followed"));
            }
        }
    }
    list.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Members { list, problems, opener: Opener::Files(root.to_owned()) })
}

/// Opens a file of the layout; what became a link since it was listed is refused.
pub fn open(root: &Path, name: &[u8]) -> io::Result<Box<dyn Read>> {
    let path = root.join(native(name));
    if !path.symlink_metadata()?.is_file() {
        return Err(io::Error::other("no longer a regular file"));
    }
    Ok(Box::new(File::open(path)?))
}

/// A relative path with `/`, as archives have it.
fn bytes(path: &Path) -> Vec<u8> {
    let parts: Vec<&[u8]> = path.iter().map(|part| part.as_encoded_bytes()).collect();
    parts.join(&b'/')
}

#[cfg(unix)]
fn native(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(name))
}

#[cfg(windows)]
fn native(name: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(name).into_owned())
}
