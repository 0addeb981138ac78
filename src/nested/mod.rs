//! Files that are archives, or packed: what they are, and their members one after the other.
//!
//! Each format is a function that reads a stream once, from its beginning, and gives what it finds to a [`Sink`]: the members, and all
//! that stands between them. None of them looks at a directory at the end of a file, so what such a directory no longer lists (a
//! member of a zip that was removed from it) is read too.

mod ar;
mod cpio;
pub mod git;
mod rpm;
mod tar;
mod zip;

use crate::layer::compression::Compression;
use crate::layer::decoder::Decoder;
use crate::layer::tar::{BLOCK, checksum_holds};
use std::io::{self, Read};

/// Where the parts of an archive go that are no member's content.
pub const HEADER: &str = "#header";
/// Where what stands behind an archive's end goes, and what cannot be unpacked.
pub const REST: &str = "#rest";

/// What a file is, if there is more in it than its bytes show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A single file, packed.
    Packed(Compression),
    /// The same in the format of zlib (RFC 1950): git's objects and others.
    Zlib,
    /// An archive.
    Archive(Format),
    /// A format that is known and not unpacked.
    Sealed(&'static str),
}

/// A format of archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// POSIX tar.
    Tar,
    /// Zip and what is built on it: jar, war, whl, apk, docx.
    Zip,
    /// Unix ar: deb, static libraries.
    Ar,
    /// cpio: the payload of rpm, the file system that a kernel starts with.
    Cpio,
    /// An rpm package.
    Rpm,
    /// A pack of git's objects.
    GitPack,
}

impl Kind {
    /// How many bytes [`Kind::sniff`] looks at: a block of a tar.
    pub const SNIFFED: usize = BLOCK;

    /// What the first bytes say; compressions are tried out, since text may begin like them.
    pub fn sniff(start: &[u8]) -> Option<Kind> {
        match start {
            [b'P', b'K', 3, 4, ..] => Some(Kind::Archive(Format::Zip)),
            _ if start.starts_with(ar::MAGIC) => Some(Kind::Archive(Format::Ar)),
            _ if cpio::begins(start) => Some(Kind::Archive(Format::Cpio)),
            _ if start.starts_with(git::MAGIC) => Some(Kind::Archive(Format::GitPack)),
            _ if start.starts_with(rpm::MAGIC) => Some(Kind::Archive(Format::Rpm)),
            _ if start.starts_with(b"7z\xbc\xaf\x27\x1c") => Some(Kind::Sealed("7z")),
            _ if start.starts_with(b"Rar!\x1a\x07") => Some(Kind::Sealed("rar")),
            _ if start.starts_with(b"hsqs") => Some(Kind::Sealed("squashfs")),
            _ if start.len() == BLOCK && checksum_holds(start) => Some(Kind::Archive(Format::Tar)),
            // RFC 1950, 2.2: deflate with a window of 32 KiB, no dictionary, a multiple of 31.
            [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => unpacks(flate2::read::ZlibDecoder::new(start)).then_some(Kind::Zlib),
            _ => match Compression::sniff(start) {
                Compression::None => None,
                Compression::Unsupported(name) => Some(Kind::Sealed(name)),
                compression => unpacks(Decoder::new(start, compression)).then_some(Kind::Packed(compression)),
            },
        }
    }
}

/// Whether nothing is wrong with the beginning of packed data. That it is only a beginning is not wrong.
fn unpacks(mut decoder: impl Read) -> bool {
    let mut some = [0; 256];
    !matches!(decoder.read(&mut some), Err(e) if e.kind() != io::ErrorKind::UnexpectedEof)
}

/// What is done with the parts of an archive, in their order. An error ends the walk.
pub trait Sink {
    /// A member. `size` is what its content is expected to have, in bytes, `u64::MAX` where that is not known. What is not read of
    /// the content is passed over.
    fn member(&mut self, name: &[u8], size: u64, content: &mut dyn Read) -> io::Result<()>;

    /// A member whose content cannot be unpacked, and why: it is given as it is stored.
    fn sealed(&mut self, name: &[u8], why: &'static str, stored: &mut dyn Read) -> io::Result<()>;

    /// What is no member's content, under one of the names [`HEADER`] and [`REST`].
    fn beside(&mut self, part: &'static str, content: &mut dyn Read) -> io::Result<()>;

    /// An object of git.
    fn object(&mut self, kind: git::Kind, id: git::Id, content: &[u8]) -> io::Result<()>;

    /// Something is wrong with the archive.
    fn flaw(&mut self, what: &str);

    /// A limit was reached: something was not unpacked that could have been.
    fn limit(&mut self, what: &str);
}

/// Walks the archive that `reader` gives from its first byte to its last. Fails where `reader` or `sink` do, and where the archive is
/// so broken that the rest is none of it: then `reader` stands behind the last bytes that were understood.
pub fn walk(format: Format, reader: &mut dyn Read, sink: &mut dyn Sink) -> io::Result<()> {
    match format {
        Format::Tar => tar::walk(reader, sink),
        Format::Zip => zip::walk(reader, sink),
        Format::Ar => ar::walk(reader, sink),
        Format::Cpio => cpio::walk(reader, sink),
        Format::Rpm => rpm::walk(reader, sink),
        Format::GitPack => git::walk(reader, sink),
    }
}

/// What a decoder passed over, and what stands behind its stream or cannot be decoded.
pub fn after<R: Read>(mut decoder: Decoder<R>, sink: &mut dyn Sink) -> io::Result<()> {
    let (aside, left_out) = decoder.take_aside();
    if left_out {
        sink.limit("more than 16 MiB stand where decoders pass over: the rest was not searched");
    }
    sink.beside(HEADER, &mut &aside[..])?;
    sink.beside(REST, &mut decoder.into_rest())
}

/// Fills `buffer` as far as there is something, and says how far that was, and what went wrong.
pub fn fill(buffer: &mut [u8], reader: &mut dyn Read) -> (usize, Option<io::Error>) {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return (filled, Some(e)),
        }
    }
    (filled, None)
}

/// Reads exactly `N` bytes, or says that there are none left. Fewer are an error.
fn block<const N: usize>(reader: &mut dyn Read) -> io::Result<Option<[u8; N]>> {
    let mut block = [0; N];
    match fill(&mut block, reader) {
        (_, Some(e)) => Err(e),
        (0, None) => Ok(None),
        (filled, None) if filled < N => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(Some(block)),
    }
}

/// Passes over what is left of a part.
fn pass_over(reader: &mut dyn Read) -> io::Result<()> {
    io::copy(reader, &mut io::sink()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// What a walk gave: names with contents, and what stood beside, in their order.
    #[derive(Default)]
    pub struct Told(pub Vec<(String, Vec<u8>)>);

    impl Sink for Told {
        fn member(&mut self, name: &[u8], _: u64, content: &mut dyn Read) -> io::Result<()> {
            let mut bytes = Vec::new();
            let failed = content.read_to_end(&mut bytes).err();
            bytes.extend(failed.into_iter().flat_map(|_| *b"<broken>"));
            self.0.push((String::from_utf8_lossy(name).into_owned(), bytes));
            Ok(())
        }

        fn sealed(&mut self, name: &[u8], why: &'static str, stored: &mut dyn Read) -> io::Result<()> {
            self.member(&[name, b" ", why.as_bytes()].concat(), 0, stored)
        }

        fn beside(&mut self, part: &'static str, content: &mut dyn Read) -> io::Result<()> {
            self.member(part.as_bytes(), 0, content)
        }

        fn object(&mut self, _: git::Kind, id: git::Id, content: &[u8]) -> io::Result<()> {
            self.0.push((crate::digest::hex(&id), content.to_vec()));
            Ok(())
        }

        fn flaw(&mut self, what: &str) {
            self.0.push(("flaw".to_owned(), what.as_bytes().to_vec()));
        }

        fn limit(&mut self, what: &str) {
            self.flaw(what);
        }
    }

    /// The members of an archive (those beside left out).
    pub fn members(format: Format, bytes: &[u8]) -> Vec<(String, String)> {
        let mut told = Told::default();
        walk(format, &mut &bytes[..], &mut told).expect("memory");
        let text = |(name, content): (String, Vec<u8>)| (name, String::from_utf8_lossy(&content).into_owned());
        told.0.into_iter().map(text).filter(|(name, _)| !name.starts_with('#')).collect()
    }

    #[test]
    fn text_that_begins_like_packed_data_is_text() {
        assert_eq!(Kind::sniff(b"x^2 + y^2 = z^2, and so on and on"), None);
        assert_eq!(Kind::sniff(b"BZh91AY&SY is how bzip2 begins"), None);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(b"blob 5\0hello").expect("memory");
        assert_eq!(Kind::sniff(&zlib.finish().expect("memory")), Some(Kind::Zlib));
    }

    #[test]
    fn what_is_not_unpacked_is_known_by_name() {
        assert_eq!(Kind::sniff(b"7z\xbc\xaf\x27\x1c\0\x04"), Some(Kind::Sealed("7z")));
        assert_eq!(Kind::sniff(b"\x1f\x9d\x90abc"), Some(Kind::Sealed("compress (.Z)")));
    }
}
