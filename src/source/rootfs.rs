//! A file system as it lies in a directory: for the last step of a build, and for a container from within. It stays on the file system
//! that it begins on, so that mounts (`/proc`, `/sys`, `/dev`, secrets of a build, volumes) are not read; no link is followed.
//!
//! What is mounted is in `/proc/self/mountinfo` (proc(5)). The number of the device does not tell: files of an overlay may have others than
//! its directories, and a bind mount may have the same. Since the table has mounts that others cover, too, what is at such a place is asked
//! what mount it is on.

use super::{Members, Opener, dir};
use crate::error::{Code, Error, Problem, Problems};
use crate::layer::tar::{Header, Kind};
use crate::limits::Limits;
use std::collections::{HashMap, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// Never read below `/`, not even where they are no mounts: what the kernel shows there are no files.
const KERNEL: [&str; 3] = ["proc", "sys", "dev"];

/// The files of the file system at `root`.
pub fn files(target: &str, root: &Path, limits: &Limits) -> Result<Members, Error> {
    let wrong = |source| Error::Open { target: target.to_owned(), source };
    let root = root.canonicalize().map_err(wrong)?;
    let metadata = root.metadata().map_err(wrong)?;
    if !metadata.is_dir() {
        return Err(Error::NotAnImage { target: target.to_owned(), why: "it is no directory".to_owned() });
    }
    let mut walk = Walk {
        is_top: root.parent().is_none(),
        device: device(&metadata),
        mount: mount(&root),
        mounted: fs::read("/proc/self/mountinfo").ok().map(|text| mounted(&text, &root)),
        mounts: Vec::new(),
        links: HashMap::new(),
        list: Vec::new(),
        problems: Problems::default(),
    };
    let has = |name: &str| root.join(name).is_file();
    if has("oci-layout") || has("version") && has("manifest.json") {
        let message = "it looks like an image in a directory, and was read as a file system: without the prefix it is read as an image";
        walk.problems.push(Problem::new(Code::PlainFileSystem, message));
    }
    let mut todo = vec![PathBuf::new()];
    while let Some(folder) = todo.pop() {
        let items = match fs::read_dir(root.join(&folder)).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(items) => items,
            Err(source) if folder.as_os_str().is_empty() => return Err(Error::Read { target: target.to_owned(), source }),
            Err(e) => {
                walk.problems.push(Problem::at(Code::ReadFailed, &dir::bytes(&folder), format!("a directory cannot be read: {e}")));
                continue;
            }
        };
        for item in items {
            let path = folder.join(item.file_name());
            match item.metadata() {
                Ok(metadata) => todo.extend(walk.item(&root, path, &metadata)),
                Err(e) => walk.problems.push(Problem::at(Code::ReadFailed, &dir::bytes(&path), format!("a file cannot be read: {e}"))),
            }
        }
        if walk.list.len() as u64 > limits.entries {
            let message = format!("the file system has more than {} files (--max-entries)", limits.entries);
            walk.problems.push(Problem::new(Code::LimitReached, message));
            walk.list.truncate(usize::try_from(limits.entries).unwrap_or(usize::MAX));
            break;
        }
    }
    Ok(walk.finish(root))
}

struct Walk {
    /// It begins at `/`.
    is_top: bool,
    device: u64,
    /// The mount that it begins on, where that can be known.
    mount: Option<u64>,
    /// Where something else is mounted, where that can be known.
    mounted: Option<HashSet<Vec<u8>>>,
    /// What lies on other file systems.
    mounts: Vec<Vec<u8>>,
    /// Files with several names: by device and number, the first name.
    links: HashMap<(u64, u64), Vec<u8>>,
    list: Vec<Header>,
    problems: Problems,
}

impl Walk {
    /// Lists one item. A directory that is to be read is returned.
    fn item(&mut self, root: &Path, path: PathBuf, metadata: &Metadata) -> Option<PathBuf> {
        let name = dir::bytes(&path);
        let elsewhere = match &self.mounted {
            Some(mounted) => {
                let plain = metadata.is_dir() || metadata.is_file();
                mounted.contains(&name) && !(plain && self.mount.is_some() && mount(&root.join(&path)) == self.mount)
            }
            None => metadata.is_dir() && device(metadata) != self.device,
        };
        if elsewhere || self.is_top && KERNEL.iter().any(|kernel| path == Path::new(kernel)) {
            self.mounts.push(name);
            return None;
        }
        let mut header = Header { path: name.clone(), ..about(metadata) };
        match attributes(&root.join(&path)) {
            Ok(xattrs) => header.xattrs = xattrs,
            Err(e) => self.problems.push(Problem::at(Code::ReadFailed, &name, format!("extended attributes cannot be read: {e}"))),
        }
        let kind = metadata.file_type();
        header.kind = match () {
            () if kind.is_dir() => Kind::Directory,
            () if kind.is_symlink() => Kind::Symlink,
            () if kind.is_file() => Kind::Regular,
            () => Kind::Special,
        };
        match header.kind {
            Kind::Regular => match number(metadata).map(|number| self.links.entry(number).or_insert_with(|| name.clone()).clone()) {
                Some(first) if first != name => (header.kind, header.link) = (Kind::HardLink, first),
                _ => header.size = metadata.len(),
            },
            Kind::Symlink => match fs::read_link(root.join(&path)) {
                Ok(link) => header.link = link.as_os_str().as_encoded_bytes().to_vec(),
                Err(e) => self.problems.push(Problem::at(Code::ReadFailed, &name, format!("a link cannot be read: {e}"))),
            },
            _ => {}
        }
        let below = (header.kind == Kind::Directory).then_some(path);
        self.list.push(header);
        below
    }

    fn finish(mut self, root: PathBuf) -> Members {
        if !self.mounts.is_empty() {
            self.mounts.sort();
            let names: Vec<String> = self.mounts.iter().take(8).map(|name| crate::text::sanitise(&crate::text::exact(name))).collect();
            let more = if self.mounts.len() > names.len() { ", …" } else { "" };
            let message = format!("{} on other file systems were not read: {}{more}", self.mounts.len(), names.join(", "));
            self.problems.push(Problem::new(Code::OtherFileSystem, message));
        }
        // Links follow what they lead to.
        self.list.sort_by(|a, b| (a.kind == Kind::HardLink).cmp(&(b.kind == Kind::HardLink)).then_with(|| a.path.cmp(&b.path)));
        Members { list: self.list, tail: None, problems: self.problems, file_system: true, opener: Opener::Files(root) }
    }
}

/// The number of the mount that a file or directory is on (proc(5), `/proc/PID/fdinfo`).
#[cfg(unix)]
fn mount(path: &Path) -> Option<u64> {
    use std::os::fd::AsRawFd;
    let file = fs::File::open(path).ok()?;
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    text.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok())
}

/// The mount points below `root`, relative to it. In a field of the table, white space and backslashes are octal.
fn mounted(table: &[u8], root: &Path) -> HashSet<Vec<u8>> {
    let root = root.as_os_str().as_encoded_bytes();
    let root = root.strip_suffix(b"/").unwrap_or(root);
    let below = |line: &[u8]| {
        let point = unescaped(line.split(|b| *b == b' ').nth(4)?);
        Some(point.strip_prefix(root)?.strip_prefix(b"/")?.to_vec()).filter(|path| !path.is_empty())
    };
    table.split(|b| *b == b'\n').filter_map(below).collect()
}

fn unescaped(field: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), field);
    while let Some((first, more)) = rest.split_first() {
        let octal =
            more.get(..3).filter(|_| *first == b'\\').and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &more[3..] } else { more };
    }
    bytes
}

#[cfg(unix)]
fn device(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::dev(metadata)
}

/// Device and number of a file with several names.
#[cfg(unix)]
fn number(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    (metadata.nlink() > 1).then(|| (metadata.dev(), metadata.ino()))
}

#[cfg(unix)]
fn about(metadata: &Metadata) -> Header {
    use std::os::unix::fs::MetadataExt;
    Header {
        mode: (metadata.mode() & 0o7777) as u16,
        owner: Some((u64::from(metadata.uid()), u64::from(metadata.gid()))),
        mtime: u64::try_from(metadata.mtime()).ok(),
        ..Header::default()
    }
}

/// Extended attributes, as pax records have them; none where the file system knows of none.
#[cfg(unix)]
fn attributes(path: &Path) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let names = match xattr::list(path) {
        Err(e) if e.kind() == io::ErrorKind::Unsupported => return Ok(Vec::new()),
        names => names?,
    };
    let value = |name: std::ffi::OsString| {
        // It may have been removed since.
        let value = xattr::get(path, &name).transpose()?;
        Some(value.map(|value| (name.into_encoded_bytes(), value)))
    };
    names.filter_map(value).collect()
}

#[cfg(not(unix))]
fn attributes(_: &Path) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    Ok(Vec::new())
}

#[cfg(not(unix))]
fn device(_: &Metadata) -> u64 {
    0
}

#[cfg(not(unix))]
fn mount(_: &Path) -> Option<u64> {
    None
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(not(unix))]
fn about(_: &Metadata) -> Header {
    Header::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_those_below_the_root() {
        let table =
            b"22 1 0:21 / / rw - overlay overlay rw\n23 22 0:5 / /proc rw - proc proc rw\n24 22 8:1 /x /a\\040b rw - ext4 /dev/sda rw\n\
            25 22 8:1 / /srv/root/vol rw - ext4 d rw\n26 22 8:1 / /srv/rootless rw - ext4 d rw\n";
        let told = |root: &str| {
            let mut all: Vec<String> =
                mounted(table, Path::new(root)).iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect();
            all.sort();
            all
        };
        assert_eq!(told("/"), ["a b", "proc", "srv/root/vol", "srv/rootless"]);
        assert_eq!(told("/srv/root"), ["vol"]);
        assert!(told("/proc").is_empty());
    }
}
