//! What package managers say of the files that they put into an image: lists of digests.
//!
//! A file whose content is in such a list came from a package, and is as the package has it: whoever wants it can download it, and
//! what is found in it is published. What was changed since is in no list. Contents are compared, not paths: a copy is as public as
//! the file itself.

mod apk;
mod dpkg;
mod record;

use crate::digest::{Algorithms, FileDigests};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// The most files that the lists of one layer may name: a Debian with everything in it has 400,000.
const MOST: usize = 2_000_000;
/// The longest name of a package that is told.
const LONGEST_NAME: usize = 100;

/// A kind of list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// `/var/lib/dpkg/info/NAME.md5sums`.
    Dpkg,
    /// `/var/lib/dpkg/status`, which has the digests of configuration files.
    DpkgStatus,
    /// `/lib/apk/db/installed`.
    Apk,
    /// `*.dist-info/RECORD` of Python.
    Record,
}

impl List {
    /// The largest list that is read, in bytes.
    pub const MOST: u64 = 32 << 20;

    /// What list a file of this path is, if it is one.
    pub fn of(path: &[u8]) -> Option<List> {
        let (dir, name) = path.iter().rposition(|b| *b == b'/').map_or((&b""[..], path), |at| (&path[..at], &path[at + 1..]));
        match name {
            b"RECORD" if dir.ends_with(b".dist-info") => Some(List::Record),
            b"installed" if dir.ends_with(b"lib/apk/db") => Some(List::Apk),
            b"status" if dir.ends_with(b"lib/dpkg") => Some(List::DpkgStatus),
            _ if name.ends_with(b".md5sums") && (dir.ends_with(b"dpkg/info") || dir.ends_with(b"dpkg/status.d")) => Some(List::Dpkg),
            _ => None,
        }
    }
}

/// Contents that packages have: of each the first 16 bytes of its digest, and whose it is.
#[derive(Debug, Clone, Default)]
pub struct Packages {
    names: Vec<Box<str>>,
    contents: HashMap<[u8; 16], u32>,
    algorithms: Algorithms,
}

impl Packages {
    /// Adds what the list of this path says.
    pub fn read(&mut self, list: List, path: &[u8], text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        let path = String::from_utf8_lossy(path);
        match list {
            List::Dpkg => dpkg::sums(&path, &text, self),
            List::DpkgStatus => dpkg::status(&text, self),
            List::Apk => apk::installed(&text, self),
            List::Record => record::record(&path, &text, self),
        }
        let algorithm = match list {
            List::Dpkg | List::DpkgStatus => &mut self.algorithms.md5,
            List::Apk => &mut self.algorithms.sha1,
            List::Record => &mut self.algorithms.sha256,
        };
        *algorithm |= !self.contents.is_empty();
    }

    /// Adds what other lists say.
    pub fn merge(&mut self, other: &Packages) {
        let offset = self.names.len() as u32;
        self.names.extend(other.names.iter().cloned());
        other.contents.iter().for_each(|(digest, name)| self.insert(*digest, offset + name));
        let (own, other) = (&mut self.algorithms, other.algorithms);
        (own.md5, own.sha1, own.sha256) = (own.md5 | other.md5, own.sha1 | other.sha1, own.sha256 | other.sha256);
    }

    /// Which digests of a file may be in the lists.
    pub fn algorithms(&self) -> Algorithms {
        self.algorithms
    }

    /// The package that has a file with these digests: `python3.11 (dpkg)`.
    pub fn owner(&self, digests: &FileDigests) -> Option<&str> {
        let owner = [digests.md5, digests.sha1, digests.sha256].into_iter().flatten().find_map(|digest| self.contents.get(&digest))?;
        Some(&self.names[*owner as usize])
    }

    /// Of several packages with the same content, the first by name, whatever the order in which they come.
    fn insert(&mut self, digest: [u8; 16], name: u32) {
        let full = self.contents.len() >= MOST;
        match self.contents.entry(digest) {
            Entry::Occupied(mut owner) if self.names[name as usize] < self.names[*owner.get() as usize] => drop(owner.insert(name)),
            Entry::Vacant(free) if !full => drop(free.insert(name)),
            _ => {}
        }
    }

    /// Adds the contents of one package. A name with unusual characters is hostile, or none.
    fn add(&mut self, package: &str, manager: &str, digests: impl IntoIterator<Item = [u8; 16]>) {
        let usual = |b: u8| b.is_ascii_alphanumeric() || b"+-._ ".contains(&b);
        if package.is_empty() || package.len() > LONGEST_NAME || !package.bytes().all(usual) {
            return;
        }
        let name = self.names.len() as u32;
        self.names.push(format!("{package} ({manager})").into());
        digests.into_iter().for_each(|digest| self.insert(digest, name));
    }
}

/// Directories that no package of a distribution installs to (Filesystem Hierarchy Standard 3.0: `/opt`, `/srv`, `/usr/local`, homes):
/// one that does is somebody's own, and not published by being a package.
fn is_local(path: &str) -> bool {
    let path = path.trim_start_matches(['.', '/']);
    ["opt/", "srv/", "usr/local/", "home/", "root/", "app/"].iter().any(|dir| path.starts_with(dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The owner of a file with this content, after reading one list.
    pub fn owner(list: List, path: &str, text: &str, content: &[u8]) -> Option<String> {
        let mut packages = Packages::default();
        packages.read(list, path.as_bytes(), text.as_bytes());
        packages.owner(&FileDigests::of(content)).map(str::to_owned)
    }

    #[test]
    fn lists_are_known_by_their_paths() {
        for (path, list) in [
            ("var/lib/dpkg/info/libc6:amd64.md5sums", Some(List::Dpkg)),
            ("var/lib/dpkg/status.d/base.md5sums", Some(List::Dpkg)),
            ("var/lib/dpkg/status", Some(List::DpkgStatus)),
            ("lib/apk/db/installed", Some(List::Apk)),
            ("usr/lib/python3/dist-packages/Django-4.2.dist-info/RECORD", Some(List::Record)),
            ("srv/RECORD", None),
            ("srv/app.md5sums", None),
        ] {
            assert_eq!(List::of(path.as_bytes()), list, "{path}");
        }
    }

    #[test]
    fn packages_of_several_lists_keep_their_names() {
        let (mut one, mut all) = (Packages::default(), Packages::default());
        one.add("a", "x", [[1; 16]]);
        one.add("b", "x", [[2; 16]]);
        all.merge(&one);
        let digests = FileDigests { md5: Some([0; 16]), sha1: Some([2; 16]), sha256: None };
        assert_eq!(all.owner(&digests), Some("b (x)"));
        one.add("a", "y", [[2; 16]]);
        all.merge(&one);
        assert_eq!((one.owner(&digests), all.owner(&digests)), (Some("a (y)"), Some("a (y)")));
        one.add("b", "x", [[2; 16]]);
        one.add("a\u{1b}[31m", "x", [[3; 16]]);
        assert_eq!(one.owner(&FileDigests { md5: Some([3; 16]), sha1: None, ..digests }), None);
    }
}
