//! What follows the end of a tar.

use super::{Skip, TarReader};
use std::io::{self, Read};

/// The tail of a tar as a reader.
pub struct Tail<'a, R>(pub &'a mut TarReader<R>);

impl<R: Skip> Tail<'_, R> {
    /// The first bytes behind the end that are not zeros, and where they stand; none if there are only zeros.
    pub fn behind_zeros(tar: &mut TarReader<R>) -> io::Result<Option<(Vec<u8>, u64)>> {
        let mut start = vec![0; 64 << 10];
        loop {
            let offset = tar.offset();
            let n = tar.read_tail(&mut start)?;
            if n == 0 {
                return Ok(None);
            }
            if start[..n].iter().any(|b| *b != 0) {
                start.truncate(n);
                return Ok(Some((start, offset)));
            }
        }
    }
}

impl<R: Skip> Read for Tail<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_tail(buf)
    }
}
