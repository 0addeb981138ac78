//! Bytes that can be looked at before they are taken.

use std::io::{self, BufRead, Read};

/// Bytes that one read asks for, and the most that can be looked at.
pub const BUFFER: usize = 128 << 10;

/// A buffered reader that can look ahead, and knows whether its source has ended.
pub struct Input<R> {
    inner: R,
    buffer: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<R: Read> Input<R> {
    /// Over `inner`, of which nothing is read yet.
    pub fn new(inner: R) -> Self {
        Input { inner, buffer: Vec::new(), at: 0, ended: false }
    }

    /// At least the next `n` bytes, fewer only at the end of the source. `n` is at most [`BUFFER`].
    pub fn peek(&mut self, n: usize) -> io::Result<&[u8]> {
        if self.buffer.len() - self.at < n && !self.ended {
            self.buffer.drain(..self.at);
            self.at = 0;
            while self.buffer.len() < n && !self.ended {
                self.fill()?;
            }
        }
        Ok(&self.buffer[self.at..])
    }

    /// Adds what one read gives.
    fn fill(&mut self) -> io::Result<()> {
        let filled = self.buffer.len();
        self.buffer.resize(BUFFER.max(filled + 1), 0);
        let read = loop {
            match self.inner.read(&mut self.buffer[filled..]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.buffer.truncate(filled + read.as_ref().copied().unwrap_or(0));
        self.ended = matches!(read, Ok(0));
        read.map(drop)
    }
}

impl<R: Read> BufRead for Input<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.buffer.len() && !self.ended {
            self.buffer.clear();
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
