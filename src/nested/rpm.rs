//! rpm packages: a lead, two headers, and a packed cpio archive (rpm's own `docs/manual/format_v4.md`).

use super::{HEADER, Sink, block};
use std::io::{self, Read};

/// How a lead begins.
pub const MAGIC: &[u8] = b"\xed\xab\xee\xdb";
const LEAD: usize = 96;
/// How a header begins.
const HEADER_MAGIC: &[u8] = b"\x8e\xad\xe8\x01";
/// Bytes of an entry in a header's index.
const INDEX: u64 = 16;

/// See [`super::walk`].
pub fn walk(reader: &mut dyn Read, sink: &mut dyn Sink) -> io::Result<()> {
    let lead: [u8; LEAD] = block(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    sink.beside(HEADER, &mut &lead[..])?;
    // The signature is filled up to eight bytes, the header proper is not.
    for align in [8, 1] {
        let start: [u8; 16] = block(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if !start.starts_with(HEADER_MAGIC) {
            sink.flaw("a header of an rpm package is damaged");
            return sink.beside(HEADER, &mut (&start[..]).chain(reader));
        }
        let field = |at: usize| u64::from(u32::from_be_bytes([start[at], start[at + 1], start[at + 2], start[at + 3]]));
        let size = INDEX * field(8) + field(12);
        sink.beside(HEADER, &mut reader.take(size.next_multiple_of(align)))?;
    }
    sink.member(b"", u64::MAX, reader)
}
