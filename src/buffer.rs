//! Bytes that are read piece by piece into memory that is cleared once.

use std::io::{self, Read};
use std::ops::Deref;

/// The first `filled` bytes are what was read; the rest of the memory is kept for what comes.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Buffer {
    /// Adds what one read gives, so that there are at most `most` bytes, and says how many it gave. Interrupted reads are tried again.
    pub fn read(&mut self, reader: &mut (impl Read + ?Sized), most: usize) -> io::Result<usize> {
        if self.bytes.is_empty() {
            // Memory that nobody touches costs nothing.
            self.bytes = vec![0; most];
        } else if self.bytes.len() < most {
            self.bytes.resize(most, 0);
        }
        loop {
            match reader.read(&mut self.bytes[self.filled..most]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Ok(n) => {
                    self.filled += n;
                    return Ok(n);
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Adds bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[self.filled..end].copy_from_slice(bytes);
        self.filled = end;
    }

    /// Takes away all but the first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.filled = self.filled.min(length);
    }

    /// Takes away the first `length` bytes.
    pub fn remove(&mut self, length: usize) {
        self.bytes.copy_within(length..self.filled, 0);
        self.filled -= length;
    }
}
