//! Where bytes come from. One file per place; nothing else in the crate knows it.
//!
//! Sources differ only in how many readers they can open at once: a file and a directory many ([`Source::Members`]), a pipe one
//! ([`Source::Stream`]).

mod dir;
mod file;

use crate::error::Error;
use crate::layer::compression::{Compression, Decoder};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

pub use file::{FileRange, unmarked};

/// An image archive or layout, opened.
pub enum Source {
    /// Members that can be opened in any order, many at a time.
    Members(Members),
    /// A tar that can be read once.
    Stream(Box<dyn Read + Send>),
}

/// A member of an archive, or a file of a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name as it stands there.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: MemberKind,
}

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberKind {
    /// Bytes.
    Blob {
        /// Where they begin in the archive.
        offset: u64,
        /// How many there are.
        size: u64,
    },
    /// Another name, relative to the directory of this one.
    Symlink(Vec<u8>),
    /// Another name, relative to the archive's root.
    HardLink(Vec<u8>),
}

/// Members and how to open them.
pub struct Members {
    /// All members, in the order of the archive (of a directory: by name).
    pub list: Vec<Member>,
    /// What was wrong with the archive itself.
    pub problems: Vec<crate::error::Problem>,
    opener: Opener,
}

enum Opener {
    Ranges(file::Shared),
    Files(PathBuf),
}

impl Members {
    /// Opens a blob of the list.
    pub fn open(&self, member: &Member) -> io::Result<Box<dyn Read>> {
        match (&self.opener, &member.kind) {
            (Opener::Ranges(file), MemberKind::Blob { offset, size }) => Ok(Box::new(file.range(*offset, *size))),
            (Opener::Files(root), MemberKind::Blob { .. }) => dir::open(root, &member.name),
            _ => Err(io::Error::other("a link has no bytes of its own")),
        }
    }
}

impl Source {
    /// Opens what the user named: `-` for standard input, otherwise a path.
    pub fn open(target: &str) -> Result<Source, Error> {
        let wrong = |source| Error::Open { target: target.to_owned(), source };
        if target == "-" {
            return Source::stream(target, Box::new(io::stdin()));
        }
        let path = Path::new(target.strip_prefix("oci:").unwrap_or(target));
        let metadata = path.metadata().map_err(wrong)?;
        if metadata.is_dir() {
            return dir::layout(target, path).map(Source::Members);
        }
        let file = File::open(path).map_err(wrong)?;
        if !metadata.is_file() {
            return Source::stream(target, Box::new(file));
        }
        let mut start = [0; 10];
        let n = FileRange::new(&file, 0, 10).read(&mut start).map_err(wrong)?;
        if Compression::sniff(&start[..n]) != Compression::None {
            return Source::stream(target, Box::new(file));
        }
        file::archive(target, file).map(Source::Members)
    }

    /// A tar from any reader, unpacked if the whole of it is compressed.
    pub fn stream(target: &str, mut reader: Box<dyn Read + Send>) -> Result<Source, Error> {
        const ROUNDS: usize = 2;
        for round in 0..=ROUNDS {
            let mut buffered = BufReader::with_capacity(1 << 16, reader);
            let read = |source| Error::Read { target: target.to_owned(), source };
            let start = peek(&mut buffered).map_err(read)?;
            if start.is_empty() && round == 0 {
                let why = "the input is empty (`docker save` writes nothing for an image without layers)".to_owned();
                return Err(Error::NotAnImage { target: target.to_owned(), why });
            }
            let compression = Compression::sniff(&start);
            reader = Box::new(Cursor::new(start).chain(buffered));
            match compression {
                Compression::None => break,
                Compression::Unsupported(name) => {
                    let why = format!("the archive is compressed with {name}, which is not supported: decompress it first");
                    return Err(Error::NotAnImage { target: target.to_owned(), why });
                }
                packed => {
                    let decoder = Decoder::new(BufReader::with_capacity(1 << 16, reader), packed).map_err(read)?;
                    reader = Box::new(NothingBehind(Some(decoder)));
                }
            }
        }
        Ok(Source::Stream(reader))
    }

    /// A tar in memory, read as a pipe is.
    pub fn memory(bytes: Vec<u8>) -> Result<Source, Error> {
        Source::stream("memory", Box::new(Cursor::new(bytes)))
    }
}

/// A compressed archive, behind which nothing may stand but zeros: anything else is an error of the last read.
struct NothingBehind<R>(Option<Decoder<R>>);

impl<R: BufRead> Read for NothingBehind<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(decoder) = &mut self.0 else { return Ok(0) };
        let n = decoder.read(buf)?;
        if n == 0 && !buf.is_empty() {
            let mut rest = self.0.take().map(Decoder::into_rest);
            while let Some(input) = &mut rest {
                let chunk = input.fill_buf()?;
                if chunk.iter().any(|b| *b != 0) {
                    return Err(io::Error::other("bytes stand behind the compressed archive; they were not searched"));
                }
                match chunk.len() {
                    0 => break,
                    length => input.consume(length),
                }
            }
        }
        Ok(n)
    }
}

/// The first bytes of a stream, as many as a sniff needs, taken out.
fn peek(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    reader.take(16).read_to_end(&mut start)?;
    Ok(start)
}
