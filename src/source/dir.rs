//! An image layout in a directory (OCI image-spec, image-layout.md). Links are not followed: nothing outside is read.

use super::{Members, Opener};
use crate::error::{Code, Error, Problem, Problems};
use crate::layer::tar::Header;
use crate::limits::Limits;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The files of the layout at `root`.
pub fn layout(target: &str, root: &Path, limits: &Limits) -> Result<Members, Error> {
    let marks = ["index.json", "manifest.json", "oci-layout", "repositories"];
    if !marks.iter().any(|mark| root.join(mark).is_file()) {
        let why = "the directory holds no image layout (no index.json, manifest.json or oci-layout)".to_owned();
        return Err(Error::NotAnImage { target: target.to_owned(), why });
    }
    let (mut list, mut problems, mut todo) = (Vec::new(), Problems::default(), vec![PathBuf::new()]);
    while let Some(dir) = todo.pop() {
        let items = fs::read_dir(root.join(&dir)).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let items = match items {
            Ok(items) => items,
            Err(source) if dir.as_os_str().is_empty() => return Err(Error::Read { target: target.to_owned(), source }),
            Err(e) => {
                problems.push(Problem::at(Code::ReadFailed, &bytes(&dir), format!("a directory cannot be read: {e}")));
                continue;
            }
        };
        for item in items {
            let path = dir.join(item.file_name());
            let name = bytes(&path);
            match item.metadata() {
                Ok(metadata) if metadata.is_dir() => todo.push(path),
                Ok(metadata) if metadata.is_file() => list.push(Header { path: name, size: metadata.len(), ..Header::default() }),
                Ok(_) => problems.push(Problem::at(Code::BrokenLink, &name, "a link or special file in the layout is not followed")),
                Err(e) => problems.push(Problem::at(Code::ReadFailed, &name, format!("a file cannot be read: {e}"))),
            }
        }
        if list.len() as u64 > limits.entries {
            let message = format!("the layout has more than {} files (--max-entries)", limits.entries);
            problems.push(Problem::new(Code::LimitReached, message));
            list.truncate(limits.entries as usize);
            break;
        }
    }
    list.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Members { list, tail: None, problems, file_system: false, opener: Opener::Files(root.to_owned()) })
}

/// Opens a file of the layout; what became a link, a device or a pipe since it was listed is refused.
pub fn open(root: &Path, name: &[u8]) -> io::Result<File> {
    let path = root.join(native(name));
    let changed = || io::Error::other("no longer a regular file of this directory");
    // A directory on the way may have become a link.
    let within =
        path.parent().map(Path::canonicalize).transpose()?.is_some_and(|dir| root.canonicalize().is_ok_and(|r| dir.starts_with(r)));
    if !within || !path.symlink_metadata()?.is_file() {
        return Err(changed());
    }
    let file = open_no_follow(&path)?;
    if !file.metadata()?.is_file() {
        return Err(changed());
    }
    Ok(file)
}

/// A relative path with `/`, as archives have it.
pub fn bytes(path: &Path) -> Vec<u8> {
    let parts: Vec<&[u8]> = path.iter().map(|part| part.as_encoded_bytes()).collect();
    parts.join(&b'/')
}

/// Opens a file without following a link and without waiting for the other end of a pipe.
#[cfg(unix)]
fn open_no_follow(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
}

#[cfg(unix)]
fn native(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(name))
}

#[cfg(windows)]
fn open_no_follow(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

#[cfg(windows)]
fn native(name: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(name).into_owned())
}
