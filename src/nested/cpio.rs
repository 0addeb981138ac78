//! cpio, in its portable variants (cpio(5) of FreeBSD: "newc" with and without checksums, and "odc"), also several behind each other as
//! the Linux kernel takes them.

use super::{HEADER, REST, Sink, block, pass_over};
use crate::layer::tar::until_nul;
use std::io::{self, Read};

/// The longest name that is believed, in bytes.
const MOST_NAME: u64 = 64 << 10;

/// Whether an archive begins here.
pub fn begins(start: &[u8]) -> bool {
    let digits =
        |n: usize, hex: bool| start.len() >= n && start[6..n].iter().all(|b| if hex { b.is_ascii_hexdigit() } else { b.is_ascii_digit() });
    start.starts_with(b"07070")
        && match start.get(5) {
            Some(b'1' | b'2') => digits(110, true),
            Some(b'7') => digits(76, false),
            _ => false,
        }
}

/// What a header says of its member.
struct Header {
    name: u64,
    size: u64,
    /// What names and contents are filled up to, counted with the header.
    align: u64,
    length: u64,
}

/// See [`super::walk`].
pub fn walk(reader: &mut dyn Read, sink: &mut dyn Sink) -> io::Result<()> {
    while let Some(magic) = block::<6>(reader)? {
        let Some(header) = header(&magic, reader)?.filter(|header| (1..=MOST_NAME).contains(&header.name)) else {
            if magic != [0; 6] {
                sink.flaw("a header of a cpio archive is damaged");
            }
            return rest(&magic, reader, sink);
        };
        let mut name = Vec::new();
        reader.take(header.name).read_to_end(&mut name)?;
        pass_over(&mut reader.take(padding(header.length + header.name, header.align)))?;
        sink.beside(HEADER, &mut &name[..])?;
        let name = until_nul(&name);
        if name == b"TRAILER!!!" {
            return rest(b"", reader, sink);
        }
        let mut content = reader.take(header.size);
        if header.size > 0 {
            sink.member(name, header.size, &mut content)?;
        }
        pass_over(&mut content)?;
        pass_over(&mut reader.take(padding(header.size, header.align)))?;
    }
    Ok(())
}

/// What follows the last member: zeros, and perhaps another archive.
fn rest(taken: &[u8], reader: &mut dyn Read, sink: &mut dyn Sink) -> io::Result<()> {
    let mut reader = taken.chain(reader);
    let mut first = [0; 1];
    while reader.read(&mut first)? == 1 {
        if first != [0] {
            return sink.beside(REST, &mut (&first[..]).chain(reader));
        }
    }
    Ok(())
}

fn header(magic: &[u8; 6], reader: &mut dyn Read) -> io::Result<Option<Header>> {
    match magic {
        b"070701" | b"070702" => {
            let fields: [u8; 104] = block(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let field = |n: usize| number(&fields[8 * n..][..8], 16);
            Ok(field(6).zip(field(11)).map(|(size, name)| Header { name, size, align: 4, length: 110 }))
        }
        b"070707" => {
            let fields: [u8; 70] = block(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let (name, size) = (number(&fields[53..59], 8), number(&fields[59..70], 8));
            Ok(name.zip(size).map(|(name, size)| Header { name, size, align: 1, length: 76 }))
        }
        _ => Ok(None),
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

fn padding(size: u64, align: u64) -> u64 {
    size.next_multiple_of(align) - size
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::tests::members;

    fn newc(name: &str, content: &str) -> String {
        let zero = "0".repeat(8);
        let head = format!("070701{}{:08X}{}{:08X}{zero}{name}\0", zero.repeat(6), content.len(), zero.repeat(4), name.len() + 1);
        let pad = |n: usize| "\0".repeat(n.next_multiple_of(4) - n);
        format!("{head}{}{content}{}", pad(head.len()), pad(content.len()))
    }

    fn odc(name: &str, content: &str) -> String {
        format!("070707{}{}{:06o}{:011o}{name}\0{content}", "0".repeat(42), "0".repeat(11), name.len() + 1, content.len())
    }

    #[test]
    fn members_of_both_variants() {
        let wanted = [("etc/a", "one"), ("etc/bb", "three")].map(|(n, c)| (n.to_owned(), c.to_owned()));
        let end = newc("TRAILER!!!", "");
        assert_eq!(members(Format::Cpio, [newc("etc/a", "one"), newc("etc/bb", "three"), end].concat().as_bytes()), wanted);
        assert_eq!(members(Format::Cpio, [odc("etc/a", "one"), odc("etc/bb", "three")].concat().as_bytes()), wanted);
    }

    #[test]
    fn another_archive_behind_the_zeros_is_the_rest() {
        let mut told = super::super::tests::Told::default();
        let second = newc("b", "two");
        let text = [newc("a", "one"), newc("TRAILER!!!", ""), "\0".repeat(400), second.clone()].concat();
        super::walk(&mut text.as_bytes(), &mut told).expect("memory");
        assert_eq!(told.0.last(), Some(&("#rest".to_owned(), second.into_bytes())));
    }
}
