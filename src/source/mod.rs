//! Where bytes come from. One file per place; nothing else in the crate knows it.
//!
//! Sources differ only in how many readers they can open at once: a file, a directory and a registry many ([`Source::Members`]), a pipe and
//! an engine's export one ([`Source::Stream`]).

#[cfg(all(feature = "docker", feature = "registry"))]
pub mod access;
#[cfg(feature = "docker")]
pub mod daemon;
mod dir;
mod file;
pub mod reference;
#[cfg(feature = "registry")]
pub mod registry;
mod rootfs;
pub mod target;

use crate::error::{Error, Problems};
use crate::layer::compression::Compression;
use crate::layer::tar::Header;
use crate::limits::Limits;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use target::Target;

pub use file::{FileRange, unmarked};

/// An image archive or layout, opened.
pub enum Source {
    /// Members that can be opened in any order, many at a time.
    Members(Members),
    /// A tar that can be read once, packed or not.
    Stream(Stream),
}

/// See [`Source::Stream`].
pub struct Stream {
    /// What it was called, for messages.
    pub target: String,
    /// Its bytes.
    pub reader: Box<dyn Read + Send>,
    /// What is to be said of how it was come by.
    pub problems: Problems,
    /// A file system, of which some members are read; else all are, and what it is shows.
    pub only: Option<Only>,
    /// An engine wrote it a moment ago: what it calls a layer stands for that layer's content.
    pub by_engine: bool,
}

/// Members of a stream that are wanted.
pub struct Only {
    /// Their paths. Each byte that is no UTF-8 is U+FFFD here, as engines have it in JSON: such a path may stand for several files.
    pub paths: HashSet<String>,
    /// Whether there is something at a path that should have come, and did not.
    pub is_there: Box<dyn Fn(&str) -> bool + Send>,
}

/// Members and how to open them.
pub struct Members {
    /// All members, in the order of the archive (of a directory: by name).
    pub list: Vec<Header>,
    /// What stands behind the archive's end, under a name of our own.
    pub tail: Option<Box<Header>>,
    /// What was wrong with the archive itself, and what is to be said of how it was come by.
    pub problems: Problems,
    /// It is a file system, even if it has the files of an image layout.
    pub file_system: bool,
    opener: Opener,
}

enum Opener {
    Ranges(file::Shared),
    Files(PathBuf),
    Remote(Box<dyn Remote>),
}

/// Opens members that are elsewhere.
pub trait Remote: Send + Sync {
    /// `size` bytes of a member, from `offset` on.
    fn open(&self, member: &Header, offset: u64, size: u64) -> io::Result<Box<dyn Read + Send>>;
}

impl Members {
    /// Members that are elsewhere, called as an OCI layout calls them: what is below `blobs/` is what its name says.
    pub fn remote(list: Vec<Header>, problems: Problems, opener: Box<dyn Remote>) -> Members {
        Members { list, tail: None, problems, file_system: false, opener: Opener::Remote(opener) }
    }

    /// Opens the content of a member of the list.
    pub fn open(&self, member: &Header) -> io::Result<Box<dyn Read + Send>> {
        match &self.opener {
            Opener::Ranges(file) => Ok(Box::new(file.range(member.offset, member.size))),
            Opener::Files(root) => Ok(Box::new(dir::open(root, &member.path)?)),
            Opener::Remote(remote) => remote.open(member, 0, member.size),
        }
    }

    /// Whether it costs little to read a member again.
    pub fn is_near(&self) -> bool {
        !matches!(self.opener, Opener::Remote(_))
    }

    /// Opens `size` bytes of it, from `offset` on.
    pub fn open_part(&self, member: &Header, offset: u64, size: u64) -> io::Result<Box<dyn Read + Send>> {
        match &self.opener {
            Opener::Ranges(file) => Ok(Box::new(file.range(member.offset.saturating_add(offset), size))),
            Opener::Files(root) => Ok(Box::new(FileRange::new(dir::open(root, &member.path)?, offset, size))),
            Opener::Remote(remote) => remote.open(member, offset, size),
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
    /// Opens a target of this machine: `-` for standard input, a path, `oci:PATH`, `rootfs:PATH`. Never touches the network; for what is
    /// elsewhere there is [`access::Access::open`].
    pub fn open(target: &str, limits: &Limits) -> Result<Source, Error> {
        let wrong = |why: String| Error::Open { target: target.to_owned(), source: io::Error::new(io::ErrorKind::Unsupported, why) };
        match Target::parse(target).map_err(wrong)? {
            Target::Stdin => Ok(Source::stream(target, Box::new(io::stdin()))),
            Target::FileSystem(path) => rootfs::files(target, &path, limits).map(Source::Members),
            Target::Path(path) => Source::path(target, &path, limits),
            _ => Err(wrong("it is not on this machine's disk".to_owned())),
        }
    }

    /// A file or directory that holds images.
    fn path(target: &str, path: &Path, limits: &Limits) -> Result<Source, Error> {
        let wrong = |source| Error::Open { target: target.to_owned(), source };
        let metadata = path.metadata().map_err(wrong)?;
        if metadata.is_dir() {
            return dir::layout(target, path, limits).map(Source::Members);
        }
        if !metadata.is_file() {
            // Opening a named pipe waits for whoever writes: the scan can be stopped only once it runs.
            return Ok(Source::stream(target, Box::new(Late::Path(path.to_owned()))));
        }
        let file = File::open(path).map_err(wrong)?;
        let mut start = Vec::new();
        FileRange::new(&file, 0, Compression::SNIFFED as u64).read_to_end(&mut start).map_err(wrong)?;
        if Compression::sniff(&start) != Compression::None {
            return Ok(Source::stream(target, Box::new(file)));
        }
        Ok(match file::archive(target, &file, limits)? {
            Some(members) => Source::Members(members),
            None => Source::stream(target, Box::new(File::open(path).map_err(wrong)?)),
        })
    }

    fn stream(target: &str, reader: Box<dyn Read + Send>) -> Source {
        Source::Stream(Stream { target: target.to_owned(), reader, problems: Problems::default(), only: None, by_engine: false })
    }

    /// A tar that comes from anywhere, packed or not, and is read once.
    pub fn reader(name: &str, reader: impl Read + Send + 'static) -> Source {
        Source::stream(name, Box::new(reader))
    }

    /// A tar in memory, read as a pipe is.
    pub fn memory(bytes: Vec<u8>) -> Source {
        Source::stream("memory", Box::new(Cursor::new(bytes)))
    }

    /// Whether its layers can be told from those of other sources, so that none is scanned twice: by what they are called, where that
    /// stands for their content, or by their bytes, where these are near.
    pub fn can_share_layers(&self) -> bool {
        match self {
            Source::Members(members) => !members.file_system,
            Source::Stream(stream) => stream.by_engine && stream.only.is_none(),
        }
    }

    /// Whether it costs little to read it again.
    pub fn is_near(&self) -> bool {
        matches!(self, Source::Members(members) if members.is_near())
    }
}
