//! Bytes that can be looked at before they are taken.

use crate::buffer::Buffer;
use std::io::{self, BufRead, Read};

/// Bytes that one read asks for, and the most that can be looked at.
pub const BUFFER: usize = 128 << 10;
/// Bytes that the first read asks for.
const FIRST: usize = 8 << 10;

/// A buffered reader that can look ahead, and knows whether its source has ended.
pub struct Input<R> {
    inner: R,
    buffer: Buffer,
    at: usize,
    /// Bytes that were read so far.
    passed: usize,
    ended: bool,
}

impl<R: Read> Input<R> {
    /// Over `inner`, of which nothing is read yet.
    pub fn new(inner: R) -> Self {
        Input { inner, buffer: Buffer::default(), at: 0, passed: 0, ended: false }
    }

    /// At least the next `n` bytes, fewer only at the end of the source. `n` is at most [`BUFFER`].
    pub fn peek(&mut self, n: usize) -> io::Result<&[u8]> {
        if self.buffer.len() - self.at < n && !self.ended {
            self.buffer.remove(self.at);
            self.at = 0;
            while self.buffer.len() < n && !self.ended {
                self.fill()?;
            }
        }
        Ok(&self.buffer[self.at..])
    }

    /// Adds what one read gives; of what may be small, not much at first.
    fn fill(&mut self) -> io::Result<()> {
        let most = (self.passed.max(FIRST) + self.buffer.len()).min(BUFFER.max(self.buffer.len() + 1));
        let read = self.buffer.read(&mut self.inner, most);
        self.ended = matches!(read, Ok(0));
        self.passed += read.as_ref().copied().unwrap_or(0);
        read.map(drop)
    }
}

impl<R: Read> BufRead for Input<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.buffer.len() && !self.ended {
            self.buffer.truncate(0);
            self.at = 0;
            self.fill()?;
        }
        Ok(&self.buffer[self.at..])
    }

    fn consume(&mut self, n: usize) {
        self.at += n;
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let chunk = self.fill_buf()?;
        let n = chunk.len().min(buf.len());
        buf[..n].copy_from_slice(&chunk[..n]);
        self.consume(n);
        Ok(n)
    }
}
