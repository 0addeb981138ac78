//! Zip (PKWARE's APPNOTE.TXT 6.3.10), read from the front: each member has a header of its own, and what stands between members (the
//! directory at the end, signatures, what a directory no longer lists) is told too.

use super::{HEADER, REST, Sink, after, pass_over};
use crate::layer::compression::Compression;
use crate::layer::decoder::Decoder;
use crate::layer::input::Input;
use flate2::bufread::DeflateDecoder;
use std::io::{self, BufRead, Read};

/// The fixed part of a member's header.
const LOCAL: usize = 30;
/// Flags: encrypted; the sizes follow the content.
const ENCRYPTED: u16 = 1;
const SIZES_BEHIND: u16 = 8;
/// What stands for a size that is told in the extra field.
const IN_EXTRA: u64 = 0xffff_ffff;

struct Member {
    name: Vec<u8>,
    method: u16,
    encrypted: bool,
    /// Bytes as stored, if they are known.
    stored: Option<u64>,
    size: u64,
}

/// See [`super::walk`].
pub fn walk(reader: &mut dyn Read, sink: &mut dyn Sink) -> io::Result<()> {
    let mut input = Input::new(reader);
    loop {
        let start = input.peek(LOCAL)?;
        if start.is_empty() {
            return Ok(());
        }
        let is_member = is_local(start);
        if !is_member {
            // The first byte is none of a member, whatever it looks like.
            let first = start[..1].to_vec();
            input.consume(1);
            sink.beside(HEADER, &mut (&first[..]).chain(Until { input: &mut input, is_end: |kind| kind == [3, 4] }))?;
            continue;
        }
        let member = header(&mut input, sink)?;
        content(&mut input, &member, sink)?;
    }
}

/// A header is believed where its fields make sense: its signature may stand anywhere.
fn is_local(start: &[u8]) -> bool {
    let Some(start) = start.first_chunk::<LOCAL>().filter(|start| start.starts_with(b"PK\x03\x04")) else { return false };
    start[4] <= 63 && method_name(u16_at(start, 8)).is_some() && u16_at(start, 26) > 0
}

/// The methods that there are (APPNOTE, 4.4.5).
fn method_name(method: u16) -> Option<&'static str> {
    Some(match method {
        0 => "not at all",
        1..=6 => "a method of the eighties",
        8 => "deflate",
        9 => "deflate64",
        12 => "bzip2",
        14 => "lzma",
        93 => "zstd",
        95 => "xz",
        99 => "AES",
        _ if method < 100 => "a rare method",
        _ => return None,
    })
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Reads a member's header; its name and its extra field are told.
fn header(input: &mut Input<&mut dyn Read>, sink: &mut dyn Sink) -> io::Result<Member> {
    let fixed: [u8; LOCAL] = super::block(input)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let (mut name, mut extra) = (Vec::new(), Vec::new());
    input.by_ref().take(u64::from(u16_at(&fixed, 26))).read_to_end(&mut name)?;
    input.by_ref().take(u64::from(u16_at(&fixed, 28))).read_to_end(&mut extra)?;
    sink.beside(HEADER, &mut (&name[..]).chain(&b"\n"[..]).chain(&extra[..]))?;
    let (flags, mut stored, mut size) = (u16_at(&fixed, 6), number(&fixed[18..22]), number(&fixed[22..26]));
    if let Some(long) = field(&extra, 1).filter(|long| (stored == IN_EXTRA || size == IN_EXTRA) && long.len() >= 16) {
        (size, stored) = (number(&long[..8]), number(&long[8..16]));
    }
    let known = flags & SIZES_BEHIND == 0 || stored > 0;
    let encrypted = flags & ENCRYPTED != 0;
    Ok(Member { name, method: u16_at(&fixed, 8), encrypted, stored: known.then_some(stored), size: if known { size } else { u64::MAX } })
}

/// A field of the extra fields, by its number.
fn field(mut extra: &[u8], wanted: u16) -> Option<&[u8]> {
    while extra.len() >= 4 {
        let (id, length) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let (content, rest) = extra[4..].split_at_checked(length)?;
        if id == wanted {
            return Some(content);
        }
        extra = rest;
    }
    None
}

fn content(input: &mut Input<&mut dyn Read>, member: &Member, sink: &mut dyn Sink) -> io::Result<()> {
    if member.stored == Some(0) {
        return Ok(());
    }
    let Some(stored) = member.stored else {
        // Deflate knows its end. Anything else goes to the next signature.
        return match member.method {
            8 if !member.encrypted => sink.member(&member.name, member.size, &mut DeflateDecoder::new(input)),
            _ => unpack(member, &mut Until { input, is_end: |kind| matches!(kind, [3, 4] | [1, 2] | [7, 8]) }, sink),
        };
    };
    let mut stored = input.take(stored);
    if member.method == 8 && !member.encrypted {
        sink.member(&member.name, member.size, &mut DeflateDecoder::new(&mut stored))?;
    } else {
        unpack(member, &mut stored, sink)?;
    }
    // What stands behind the compressed data, or cannot be decoded.
    sink.beside(REST, &mut stored)?;
    pass_over(&mut stored)
}

/// All but deflate.
fn unpack(member: &Member, stored: &mut dyn Read, sink: &mut dyn Sink) -> io::Result<()> {
    if member.encrypted || member.method == 99 {
        return sink.sealed(&member.name, "encrypted", stored);
    }
    let compression = match member.method {
        0 => return sink.member(&member.name, member.size, stored),
        12 => Compression::Bzip2,
        93 => Compression::Zstd,
        95 => Compression::Xz,
        method => return sink.sealed(&member.name, method_name(method).unwrap_or_default(), stored),
    };
    let mut decoder = Decoder::new(stored, compression);
    sink.member(&member.name, member.size, &mut decoder)?;
    after(decoder, sink)
}

/// Bytes up to a signature: `PK`, and two bytes that end it.
struct Until<'a, R> {
    input: &'a mut Input<R>,
    is_end: fn([u8; 2]) -> bool,
}

impl<R: Read> Read for Until<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let ahead = self.input.peek(4)?;
        let end = memchr::memmem::find_iter(ahead, b"PK").find(|at| match ahead[*at..] {
            [_, _, a, b, ..] => (self.is_end)([a, b]),
            _ => false,
        });
        // A signature may be cut by the end of what is ahead.
        let free = end.unwrap_or(if ahead.len() < 4 { ahead.len() } else { ahead.len() - 3 });
        let n = free.min(buf.len());
        buf[..n].copy_from_slice(&ahead[..n]);
        self.input.consume(n);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::tests::members;
    use super::*;
    use std::io::Write;

    fn local(name: &str, method: u16, flags: u16, stored: &[u8], size: usize, sizes: bool) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04\x14\0".to_vec();
        bytes.extend(flags.to_le_bytes());
        bytes.extend(method.to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(if sizes { stored.len() as u32 } else { 0 }.to_le_bytes());
        bytes.extend(if sizes { size as u32 } else { 0 }.to_le_bytes());
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend([0; 2]);
        bytes.extend(name.as_bytes());
        bytes.extend(stored);
        bytes
    }

    fn deflated(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    }

    fn told(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
        wanted.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect()
    }

    #[test]
    fn members_with_sizes_in_front_and_behind() {
        let zstd = zstd::encode_all(&b"in zstd"[..], 1).expect("memory");
        let zip = [
            local("a.txt", 0, 0, b"stored", 6, true),
            local("b.txt", 8, 0, &deflated("deflated"), 8, true),
            local("c.txt", 8, SIZES_BEHIND, &deflated("streamed"), 8, false),
            b"PK\x07\x08crc_siz1siz2".to_vec(),
            local("d.txt", 93, 0, &zstd, 7, true),
            local("e.txt", 0, SIZES_BEHIND, b"stored and streamed", 19, false),
            b"PK\x01\x02 the directory, with a comment".to_vec(),
        ];
        let wanted = told(&[
            ("a.txt", "stored"),
            ("b.txt", "deflated"),
            ("c.txt", "streamed"),
            ("d.txt", "in zstd"),
            ("e.txt", "stored and streamed"),
        ]);
        assert_eq!(members(Format::Zip, &zip.concat()), wanted);
    }

    #[test]
    fn a_broken_member_and_an_encrypted_one_do_not_end_the_walk() {
        let zip = [
            local("broken", 8, 0, b"\xff\xff\xff\xff secret", 9, true),
            local("locked", 8, ENCRYPTED, b"cipher", 9, true),
            local("fine", 0, 0, b"text", 4, true),
        ];
        let wanted = told(&[("broken", "<broken>"), ("locked encrypted", "cipher"), ("fine", "text")]);
        assert_eq!(members(Format::Zip, &zip.concat()), wanted);
    }

    #[test]
    fn what_stands_behind_compressed_data_within_its_size_is_told() {
        let zstd = zstd::encode_all(&b"in zstd"[..], 1).expect("memory");
        for (method, packed) in [(8, deflated("deflated")), (93, zstd), (93, Vec::new())] {
            let zip = local("a", method, 0, &[&packed[..], b" secret"].concat(), 8, true);
            let mut told = super::super::tests::Told::default();
            walk(&mut &zip[..], &mut told).expect("memory");
            assert!(told.0.iter().any(|(name, text)| name == REST && text == b" secret"), "{method} {:?}", told.0);
        }
    }

    #[test]
    fn what_stands_between_members_is_told_in_one_piece() {
        let zip =
            [local("a", 0, 0, b"text", 4, true), b"PK\x03\x04 no header, and PK alone ".repeat(9000), local("b", 0, 0, b"x", 1, true)];
        let mut told = super::super::tests::Told::default();
        walk(&mut &zip.concat()[..], &mut told).expect("memory");
        let between: Vec<u8> = told.0.iter().filter(|(name, _)| name == HEADER).flat_map(|(_, text)| text.clone()).collect();
        let wanted = [b"a\n".to_vec(), zip[1].clone(), b"b\n".to_vec()].concat();
        assert!(between == wanted, "{} {}", between.len(), wanted.len());
    }
}
