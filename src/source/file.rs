//! An archive in a file: its headers are read by seeking, its members in any order.

use super::{Members, Opener};
use crate::error::{Code, Error, Problem, Problems};
use crate::layer::tar::{Header, Skip, TarReader};
use crate::limits::Limits;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::sync::Arc;

/// A file that many readers share; each has its own position.
#[derive(Clone)]
pub struct Shared(Arc<File>);

impl Shared {
    /// A reader of `size` bytes from `offset` on.
    pub fn range(&self, offset: u64, size: u64) -> FileRange<Arc<File>> {
        FileRange::new(self.0.clone(), offset, size)
    }
}

/// A part of a file as a reader. It has its own position; that of the file does not count.
pub struct FileRange<F> {
    file: F,
    at: u64,
    end: u64,
}

impl<F: std::borrow::Borrow<File>> FileRange<F> {
    /// `size` bytes from `offset` on.
    pub fn new(file: F, offset: u64, size: u64) -> Self {
        FileRange { file, at: offset, end: offset.saturating_add(size) }
    }
}

impl<F: std::borrow::Borrow<File>> Read for FileRange<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let wanted = buf.len().min(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
        let n = read_at(self.file.borrow(), &mut buf[..wanted], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buf, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buf, offset)
}

/// Skipping seeks, but not behind the end of the file: a cut archive must show.
struct Seeking {
    input: BufReader<File>,
    at: u64,
    size: u64,
}

impl Read for Seeking {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(buf)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Skip for Seeking {
    fn skip(&mut self, n: u64) -> io::Result<u64> {
        let passed = n.min(self.size - self.at.min(self.size));
        self.input.seek_relative(i64::try_from(passed).map_err(io::Error::other)?)?;
        self.at += passed;
        Ok(passed)
    }
}

/// The members of the archive in `file`; none if they cannot be opened one by one, because one of them is a sparse file (`tar -S`).
pub fn archive(target: &str, file: &File, limits: &Limits) -> Result<Option<Members>, Error> {
    let read = |source| Error::Read { target: target.to_owned(), source };
    let size = file.metadata().map_err(read)?.len();
    if size == 0 {
        let why =
            "the file is empty: did the command that made it fail? (`docker save` writes nothing for an image without layers)".to_owned();
        return Err(Error::NotAnImage { target: target.to_owned(), why });
    }
    let mut walk = file.try_clone().map_err(read)?;
    // On Windows, reading elsewhere in the file has moved its position.
    walk.rewind().map_err(read)?;
    let mut tar = TarReader::new(Seeking { input: BufReader::with_capacity(4096, walk), at: 0, size });
    let (mut list, mut problems, mut all) = (Vec::new(), Problems::default(), true);
    while let Some(header) = tar.next_entry().map_err(read)? {
        if list.len() as u64 == limits.entries {
            let message = format!("the archive has more than {} members (--max-entries)", limits.entries);
            problems.push(Problem::new(Code::LimitReached, message));
            all = false;
            break;
        }
        if tar.is_sparse() {
            return Ok(None);
        }
        list.push(header);
    }
    let aside = tar.take_aside();
    match list.last_mut() {
        Some(last) => last.aside.extend_from_slice(&aside),
        // Nothing but extension headers: an entry without a name holds what they say.
        None if !aside.is_empty() => list.push(Header { aside, ..Header::default() }),
        None => {}
    }
    problems.append(tar.take_problems());
    problems.extend(unmarked(&tar).filter(|_| all));
    let tail = tail(file, tar.offset(), size).map_err(read)?;
    if tail.is_some() {
        problems.push(Problem::new(Code::TrailingData, "bytes stand behind the archive's end"));
    }
    let shared = Shared(Arc::new(file.try_clone().map_err(read)?));
    Ok(Some(Members { list, tail, problems, file_system: false, opener: Opener::Ranges(shared) }))
}

/// An archive of blobs that just ends may lack what followed: that cannot be told from the bytes that are there.
pub fn unmarked<R: Skip>(tar: &TarReader<R>) -> Option<Problem> {
    (!tar.has_end_marker()).then(|| Problem::new(Code::Truncated, "the archive has no end marker: it may be cut"))
}

/// What stands behind the archive's end, if anything but zeros does.
fn tail(file: &File, from: u64, size: u64) -> io::Result<Option<Box<Header>>> {
    let mut rest = FileRange::new(file, from, size.saturating_sub(from));
    let mut buf = vec![0; 1 << 16];
    loop {
        let n = rest.read(&mut buf)?;
        if n == 0 {
            return Ok(None);
        }
        if buf[..n].iter().any(|b| *b != 0) {
            return Ok(Some(Box::new(Header { path: b"#trailing".to_vec(), offset: from, size: size - from, ..Header::default() })));
        }
    }
}
