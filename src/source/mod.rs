//! Where bytes come from. One file per place; nothing else in the crate knows it.
//!
//! Sources differ only in how many readers they can open at once: a file and a directory many ([`Source::Members`]), a pipe one
//! ([`Source::Stream`]).

mod dir;
mod file;

use crate::error::{Error, Problems};
use crate::layer::compression::Compression;
use crate::layer::tar::Header;
use crate::limits::Limits;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

pub use file::{FileRange, unmarked};

/// An image archive or layout, opened.
pub enum Source {
    /// Members that can be opened in any order, many at a time.
    Members(Members),
    /// A tar that can be read once, packed or not, and what it was called.
    Stream(String, Box<dyn Read + Send>),
}

/// Members and how to open them.
pub struct Members {
    /// All members, in the order of the archive (of a directory: by name).
    pub list: Vec<Header>,
    /// What stands behind the archive's end, under a name of our own.
    pub tail: Option<Box<Header>>,
    /// What was wrong with the archive itself.
    pub problems: Problems,
    opener: Opener,
}

enum Opener {
    Ranges(file::Shared),
    Files(PathBuf),
}

impl Members {
    /// Opens the content of a member of the list.
    pub fn open(&self, member: &Header) -> io::Result<Box<dyn Read + Send>> {
        match &self.opener {
            Opener::Ranges(file) => Ok(Box::new(file.range(member.offset, member.size))),
            Opener::Files(root) => Ok(Box::new(dir::open(root, &member.path)?)),
        }
    }

    /// Opens `size` bytes of it, from `offset` on.
    pub fn open_part(&self, member: &Header, offset: u64, size: u64) -> io::Result<Box<dyn Read + Send>> {
        match &self.opener {
            Opener::Ranges(file) => Ok(Box::new(file.range(member.offset.saturating_add(offset), size))),
            Opener::Files(root) => Ok(Box::new(FileRange::new(dir::open(root, &member.path)?, offset, size))),
        }
    }
}

/// A file that is opened when it is read.
enum Late {
    Path(PathBuf),
    File(File),
}

impl Read for Late {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Late::Path(path) = self {
            *self = Late::File(File::open(path)?);
        }
        match self {
            Late::File(file) => file.read(buf),
            Late::Path(_) => Ok(0),
        }
    }
}

impl Source {
    /// Opens what the user named: `-` for standard input, otherwise a path.
    pub fn open(target: &str, limits: &Limits) -> Result<Source, Error> {
        let wrong = |source| Error::Open { target: target.to_owned(), source };
        if target == "-" {
            return Ok(Source::Stream(target.to_owned(), Box::new(io::stdin())));
        }
        let path = Path::new(target.strip_prefix("oci:").unwrap_or(target));
        let metadata = path.metadata().map_err(wrong)?;
        if metadata.is_dir() {
            return dir::layout(target, path, limits).map(Source::Members);
        }
        if !metadata.is_file() {
            // Opening a named pipe waits for whoever writes: the scan can be stopped only once it runs.
            return Ok(Source::Stream(target.to_owned(), Box::new(Late::Path(path.to_owned()))));
        }
        let file = File::open(path).map_err(wrong)?;
        let mut start = Vec::new();
        FileRange::new(&file, 0, Compression::SNIFFED as u64).read_to_end(&mut start).map_err(wrong)?;
        if Compression::sniff(&start) != Compression::None {
            return Ok(Source::Stream(target.to_owned(), Box::new(file)));
        }
        Ok(match file::archive(target, &file, limits)? {
            Some(members) => Source::Members(members),
            None => Source::Stream(target.to_owned(), Box::new(File::open(path).map_err(wrong)?)),
        })
    }

    /// A tar in memory, read as a pipe is.
    pub fn memory(bytes: Vec<u8>) -> Source {
        Source::Stream("memory".to_owned(), Box::new(Cursor::new(bytes)))
    }
}
