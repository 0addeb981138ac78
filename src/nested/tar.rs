//! Tars within files: the reader is that of layers.

use super::{HEADER, REST, Sink};
use crate::layer::tar::{Skip, Streamed, TarReader};
use std::io::{self, Cursor, Read};

/// See [`super::walk`].
pub fn walk(reader: &mut dyn Read, sink: &mut dyn Sink) -> io::Result<()> {
    let mut tar = TarReader::new(Streamed(reader));
    while let Some(header) = tar.next_entry()? {
        let mut around = header.path.clone();
        for text in std::iter::once(&header.link).chain(header.xattrs.iter().map(|(_, value)| value)).chain([&header.aside]) {
            around.push(b'\n');
            around.extend_from_slice(text);
        }
        sink.beside(HEADER, &mut &around[..])?;
        if header.size > 0 {
            sink.member(&header.path, header.size, &mut tar)?;
        }
    }
    let aside = tar.take_aside();
    sink.beside(HEADER, &mut &aside[..])?;
    for problem in tar.take_problems().finish().iter().filter(|problem| !problem.code.is_note()) {
        sink.flaw(&problem.message);
    }
    match behind_zeros(&mut tar)? {
        Some(start) => sink.beside(REST, &mut Cursor::new(start).chain(Tail(&mut tar))),
        None => Ok(()),
    }
}

/// The first bytes behind the end that are not zeros.
fn behind_zeros<R: Skip>(tar: &mut TarReader<R>) -> io::Result<Option<Vec<u8>>> {
    let mut start = vec![0; 16 << 10];
    loop {
        let n = tar.read_tail(&mut start)?;
        if n == 0 {
            return Ok(None);
        }
        if start[..n].iter().any(|b| *b != 0) {
            start.truncate(n);
            return Ok(Some(start));
        }
    }
}

struct Tail<'a, R>(&'a mut TarReader<R>);

impl<R: Skip> Read for Tail<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_tail(buf)
    }
}
