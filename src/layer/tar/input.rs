//! Where a tar comes from: bytes that can be passed over, and given back.

use std::io::{self, Read};

/// Bytes that can be passed over. For a file this is a seek, for a stream a read.
pub trait Skip: Read {
    /// Passes over at most `n` bytes and says how many there were.
    fn skip(&mut self, n: u64) -> io::Result<u64>;
}

/// A stream: skipping reads and drops.
pub struct Streamed<R>(pub R);

impl<R: Read> Read for Streamed<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl<R: Read> Skip for Streamed<R> {
    fn skip(&mut self, n: u64) -> io::Result<u64> {
        io::copy(&mut (&mut self.0).take(n), &mut io::sink())
    }
}

/// An input that takes bytes back, and knows its position.
pub struct Input<R> {
    /// Where bytes come from.
    pub inner: R,
    /// Bytes given back, next to be read.
    front: Vec<u8>,
    /// How many bytes have been passed.
    pub offset: u64,
}

impl<R: Skip> Read for Input<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = if self.front.is_empty() {
            self.inner.read(buf)?
        } else {
            let n = self.front.len().min(buf.len());
            buf[..n].copy_from_slice(&self.front[..n]);
            self.front.drain(..n);
            n
        };
        self.offset += n as u64;
        Ok(n)
    }
}

impl<R: Skip> Input<R> {
    /// At its begin.
    pub fn new(inner: R) -> Self {
        Input { inner, front: Vec::new(), offset: 0 }
    }

    /// Passes over at most `wanted` bytes and says how many there were.
    pub fn skip(&mut self, wanted: u64) -> io::Result<u64> {
        let from_front = wanted.min(self.front.len() as u64);
        self.front.drain(..from_front as usize);
        let passed = from_front + if wanted > from_front { self.inner.skip(wanted - from_front)? } else { 0 };
        self.offset += passed;
        Ok(passed)
    }

    /// Takes bytes back: they are read next.
    pub fn unread(&mut self, bytes: &[u8]) {
        self.front.splice(0..0, bytes.iter().copied());
        self.offset -= bytes.len() as u64;
    }
}
