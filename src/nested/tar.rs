//! Tars within files: the reader is that of layers.

use super::{HEADER, REST, Sink};
use crate::layer::tar::{Streamed, Tail, TarReader};
use std::io::{self, Cursor, Read};

/// See [`super::walk`].
pub fn walk(reader: &mut dyn Read, sink: &mut dyn Sink) -> io::Result<()> {
    let mut tar = TarReader::new(Streamed(reader));
    while let Some(header) = tar.next_entry()? {
        let mut around = header.path.clone();
        let attributes = header.xattrs.iter().flat_map(|(name, value)| [name, value]);
        for text in [&header.link, &header.aside].into_iter().chain(attributes) {
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
    match Tail::behind_zeros(&mut tar)? {
        Some((start, _)) => sink.beside(REST, &mut Cursor::new(start).chain(Tail(&mut tar))),
        None => Ok(()),
    }
}
