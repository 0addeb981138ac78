//! Compression by magic bytes, never by media type or file name (formats.md, part 10).

/// How a blob is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878, also where a skippable frame comes first.
    Zstd,
    /// bzip2.
    Bzip2,
    /// The .xz file format.
    Xz,
    /// The LZ4 frame format, also the legacy one.
    Lz4,
    /// A format that is known by its magic bytes and not decoded.
    Unsupported(&'static str),
}

impl Compression {
    /// How many bytes [`Compression::sniff`] looks at.
    pub const SNIFFED: usize = 13;

    /// What the first bytes say.
    pub fn sniff(start: &[u8]) -> Compression {
        match start {
            [0x1f, 0x8b, 0x08, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            _ if is_skippable_frame(start) => Compression::Zstd,
            // Behind the level stands a block, or the end of an empty stream.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Compression::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
            [0x04, 0x22, 0x4d, 0x18, ..] => Compression::Lz4,
            _ if super::lz4::is_legacy(start) => Compression::Lz4,
            [0x1f, 0x9d, ..] => Compression::Unsupported("compress (.Z)"),
            // No magic number: properties, a dictionary size, an unknown length (LZMA SDK, lzma.txt).
            [0x5d, 0, 0, _, _, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff] => Compression::Unsupported("lzma"),
            _ => Compression::None,
        }
    }

    /// The command that undoes it in a shell pipe, if there is one.
    pub fn shell_filter(self) -> Option<&'static str> {
        match self {
            Compression::Gzip => Some("gzip -dc"),
            Compression::Zstd => Some("zstd -dc --long=27"),
            Compression::Bzip2 => Some("bzip2 -dc"),
            Compression::Xz => Some("xz -dc"),
            Compression::Lz4 => Some("lz4 -dc"),
            Compression::None | Compression::Unsupported(_) => None,
        }
    }
}

/// The name of what is packed under this name.
pub fn unpacked_name(packed: &[u8]) -> &[u8] {
    let suffixes: [&[u8]; 5] = [b".gz", b".zst", b".bz2", b".xz", b".lz4"];
    suffixes.iter().find_map(|suffix| packed.strip_suffix(*suffix)).unwrap_or(packed)
}

/// A frame that zstd and lz4 decoders pass over, `0x184D2A5?` (RFC 8878, 3.1.2).
pub fn is_skippable_frame(start: &[u8]) -> bool {
    matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}
