//! A directory for what is taken out of an image that may be hostile.
//!
//! The directory is empty when it is opened, and only what is made here is in it: directories and regular files. No name leads out of it,
//! no link is made or followed, nothing is overwritten, and nobody else may read it. Names are those of the image as far as the file
//! system can hold them, part by part; what it cannot hold is written as `%` and two digits.

use anyhow::{Context, Result, bail};
use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The longest part of a name, in bytes: file systems hold 255.
const LONGEST_PART: usize = 200;
/// Longer names, in bytes, are not put into directories of their own. Linux holds 4096.
const LONGEST_NAME: usize = 2000;

/// See the module.
#[derive(Debug)]
pub struct Vault {
    root: PathBuf,
    made: HashSet<PathBuf>,
    /// By name, the number that the next file of this name gets.
    next: HashMap<Vec<String>, usize>,
}

impl Vault {
    /// Makes the directory, or takes an empty one.
    pub fn open(root: &Path) -> Result<Vault> {
        let context = || format!("cannot write into {}", root.display());
        if let Err(e) = private_directory(root)
            && e.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(e).with_context(context);
        }
        // Also through a link that whoever runs the program has named.
        let root = root.canonicalize().with_context(context)?;
        if fs::read_dir(&root).with_context(context)?.next().is_some() {
            bail!("{} is not empty: what is taken out of an image goes into a directory of its own", root.display());
        }
        Ok(Vault { root, made: HashSet::new(), next: HashMap::new() })
    }

    /// A new file for what is called so in the image, and its name in the directory. Where a name is taken, a number is added.
    pub fn create(&mut self, parts: &[Vec<u8>]) -> io::Result<(File, String)> {
        let mut names: Vec<String> = parts.iter().flat_map(|part| part.split(|b| *b == b'/')).map(escaped).collect();
        if names.iter().map(|name| name.len() + 1).sum::<usize>() > LONGEST_NAME {
            let digest = pentimento::digest::Digest::sha256(&parts.join(&b'/')).encoded();
            names = vec![names.swap_remove(0), format!("{}~{}", last_part(&names), &digest[..16])];
        }
        let mut number = self.next.get(&names).copied().unwrap_or(1);
        loop {
            let made = self.at(&names, number)?;
            number += 1;
            if let Some(made) = made {
                self.next.insert(names, number);
                return Ok(made);
            }
        }
    }

    fn at(&mut self, names: &[String], number: usize) -> io::Result<Option<(File, String)>> {
        let mut path = PathBuf::new();
        let (last, dirs) = names.split_last().ok_or_else(|| io::Error::other("no name"))?;
        for dir in dirs {
            path.push(dir);
            // A file may stand where a directory has to: the layer held both, one after the other.
            let mut free = path.clone();
            let mut again = 1;
            while !self.made.contains(&free) {
                match private_directory(&self.root.join(&free)) {
                    Ok(()) => drop(self.made.insert(free.clone())),
                    Err(e) if e.kind() == io::ErrorKind::AlreadyExists && again < 1000 => {
                        again += 1;
                        free = path.with_file_name(format!("{dir}~{again}"));
                    }
                    Err(e) => return Err(e),
                }
            }
            path = free;
        }
        path.push(if number == 1 { last.clone() } else { format!("{last}~{number}") });
        match new_file(&self.root.join(&path)) {
            Ok(file) => Ok(Some((file, path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")))),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

fn last_part(names: &[String]) -> String {
    let last = names.last().map(String::as_str).unwrap_or_default();
    last[..last.floor_char_boundary(LONGEST_PART / 2)].to_owned()
}

#[cfg(unix)]
fn private_directory(path: &Path) -> io::Result<()> {
    std::os::unix::fs::DirBuilderExt::mode(&mut DirBuilder::new(), 0o700).create(path)
}

#[cfg(not(unix))]
fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().create(path)
}

/// A file that was not there before; a link in its place is not followed.
pub fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// One part of a name, so that any file system can hold it. Names for Windows' devices and its dots and spaces at the end are escaped
/// wherever we are, so that the directory can be taken along.
fn escaped(part: &[u8]) -> String {
    let mut name = String::new();
    let valid = std::str::from_utf8(part).is_ok_and(|text| pentimento::text::sanitise(text) == text);
    for (at, byte) in part.iter().enumerate() {
        let last = at + 1 == part.len();
        let odd = byte.is_ascii_control() || b"%\\:*?\"<>|/".contains(byte) || last && b". ".contains(byte) || !valid && !byte.is_ascii();
        match odd {
            true => name.push_str(&format!("%{byte:02x}")),
            false if byte.is_ascii() => name.push(char::from(*byte)),
            // A part of a character that is there as a whole.
            false => {}
        }
        if !odd && !byte.is_ascii() && valid {
            name.extend(std::str::from_utf8(part).ok().filter(|t| t.is_char_boundary(at)).and_then(|text| text[at..].chars().next()));
        }
    }
    let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let device = matches!(&stem[..], "con" | "prn" | "aux" | "nul")
        || stem.len() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")) && stem.ends_with(|c: char| c.is_ascii_digit());
    if device {
        name.insert(0, '%');
    }
    if name.len() > LONGEST_PART {
        let digest = pentimento::digest::Digest::sha256(part).encoded();
        name.truncate(name.floor_char_boundary(LONGEST_PART - 17));
        name = format!("{name}~{}", &digest[..16]);
    }
    if name.is_empty() { "%".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_names() {
        for (part, name) in [
            (&b".env"[..], ".env"),
            (b"..", ".%2e"),
            (b".", "%2e"),
            (b"", "%"),
            (b"a/b", "a%2fb"),
            (b"a\0b\x1b", "a%00b%1b"),
            ("grün".as_bytes(), "grün"),
            (b"gr\xfcn", "gr%fcn"),
            ("a\u{202e}b".as_bytes(), "a%e2%80%aeb"),
            (b"NUL.txt", "%NUL.txt"),
            (b"C:\\x", "C%3a%5cx"),
            (b"100%", "100%25"),
        ] {
            assert_eq!(escaped(part), name);
        }
        assert_eq!(escaped(&[b'x'; 5000]).len(), LONGEST_PART);
    }

    #[test]
    fn nothing_leaves_the_directory_and_nothing_is_overwritten() {
        let temporary = tempfile::tempdir().expect("a directory");
        let root = temporary.path().join("out");
        let mut vault = Vault::open(&root).expect("new");
        let names: Vec<String> = [&b"../../etc/passwd"[..], b"/abs", b"a", b"a/b", b"a", b"", b"a/b/../../../x"]
            .into_iter()
            .map(|path| vault.create(&[b"layer-0".to_vec(), path.to_vec()]).expect("a file").1)
            .collect();
        assert_eq!(
            names,
            [
                "layer-0/.%2e/.%2e/etc/passwd",
                "layer-0/%/abs",
                "layer-0/a",
                "layer-0/a~2/b",
                "layer-0/a~3",
                "layer-0/%~2",
                "layer-0/a~2/b~2/.%2e/.%2e/.%2e/x"
            ]
        );
        assert!(Vault::open(&root).expect_err("it is not empty").to_string().contains("not empty"));
        let deep = vault.create(&[b"layer-0".to_vec(), b"d/".repeat(4000)]).expect("a file").1;
        assert!(deep.len() < 300, "{deep}");
    }
}
