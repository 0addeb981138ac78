//! Compression by magic bytes, never by media type or file name (formats.md, part 10).
//!
//! [`Decoder`] reads gzip with any number of members (RFC 1952) and zstd with any number of frames, skippable ones included
//! (RFC 8878), and stops exactly where the compressed data end: what stands behind can be had with [`Decoder::into_rest`].

use flate2::{Decompress, FlushDecompress, Status};
use std::io::{self, BufRead, Read};
use zstd::stream::raw::{self, Operation};

/// How a blob is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// A format that is known by its magic bytes and not decoded.
    Unsupported(&'static str),
}

/// The largest zstd window that is accepted, as a power of two: 128 MiB.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;

impl Compression {
    /// What the first bytes say (at most 10 are looked at).
    pub fn sniff(start: &[u8]) -> Compression {
        match start {
            [0x1f, 0x8b, 0x08, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => Compression::Unsupported("bzip2"),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Unsupported("xz"),
            [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..] => Compression::Unsupported("lz4"),
            [0x1f, 0x9d, ..] => Compression::Unsupported("compress (.Z)"),
            _ => Compression::None,
        }
    }

    /// The command that undoes it in a shell pipe, if there is one.
    pub fn shell_filter(self) -> Option<&'static str> {
        match self {
            Compression::Gzip => Some("gzip -dc"),
            Compression::Zstd => Some("zstd -dc"),
            Compression::None | Compression::Unsupported(_) => None,
        }
    }
}

/// A decoder over a buffered reader.
pub struct Decoder<R> {
    input: R,
    codec: Codec,
    /// Within a gzip member or a zstd frame; between them the next bytes decide whether there is another.
    in_stream: bool,
    ended: bool,
}

enum Codec {
    Plain,
    Gzip(Decompress),
    Zstd(Box<raw::Decoder<'static>>),
}

/// What one call of a codec did.
struct Step {
    consumed: usize,
    written: usize,
    stream_ended: bool,
}

impl Codec {
    fn new(compression: Compression) -> io::Result<Codec> {
        Ok(match compression {
            Compression::None | Compression::Unsupported(_) => Codec::Plain,
            Compression::Gzip => Codec::Gzip(gzip_member()),
            Compression::Zstd => {
                let mut frame = raw::Decoder::new()?;
                frame.set_parameter(zstd::zstd_safe::DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
                Codec::Zstd(Box::new(frame))
            }
        })
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> io::Result<Step> {
        match self {
            Codec::Plain => {
                let n = input.len().min(output.len());
                output[..n].copy_from_slice(&input[..n]);
                Ok(Step { consumed: n, written: n, stream_ended: false })
            }
            Codec::Gzip(member) => {
                let (before_in, before_out) = (member.total_in(), member.total_out());
                let status = member.decompress(input, output, FlushDecompress::None)?;
                Ok(Step {
                    consumed: (member.total_in() - before_in) as usize,
                    written: (member.total_out() - before_out) as usize,
                    stream_ended: status == Status::StreamEnd,
                })
            }
            Codec::Zstd(frame) => {
                let status = frame.run_on_buffers(input, output)?;
                Ok(Step { consumed: status.bytes_read, written: status.bytes_written, stream_ended: status.remaining == 0 })
            }
        }
    }

    /// Whether a byte can begin another member or frame; if so the codec is made ready for it.
    fn restart(&mut self, next: u8) -> io::Result<bool> {
        match self {
            Codec::Gzip(member) if next == 0x1f => *member = gzip_member(),
            Codec::Zstd(frame) if matches!(next, 0x28 | 0x50..=0x5f) => frame.reinit()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn gzip_member() -> Decompress {
    Decompress::new_gzip(15)
}

impl<R: BufRead> Decoder<R> {
    /// A decoder for `compression`; an unsupported one is read as it is.
    pub fn new(input: R, compression: Compression) -> io::Result<Self> {
        Ok(Decoder { input, codec: Codec::new(compression)?, in_stream: true, ended: false })
    }

    /// The input, standing behind the last byte that was taken.
    pub fn into_rest(self) -> R {
        self.input
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if matches!(self.codec, Codec::Plain) {
            return self.input.read(buf);
        }
        while !buf.is_empty() && !self.ended {
            let chunk = self.input.fill_buf()?;
            if !self.in_stream {
                self.in_stream = chunk.first().map_or(Ok(false), |next| self.codec.restart(*next))?;
                self.ended = !self.in_stream;
                continue;
            }
            let at_end = chunk.is_empty();
            let step = self.codec.step(chunk, buf)?;
            self.input.consume(step.consumed);
            self.in_stream = !step.stream_ended;
            if step.written > 0 {
                return Ok(step.written);
            }
            if at_end && self.in_stream {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Write};

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    }

    fn decode(packed: &[u8], chunk: usize) -> (io::Result<Vec<u8>>, Vec<u8>) {
        let input = BufReader::with_capacity(chunk, packed);
        let mut decoder = Decoder::new(input, Compression::sniff(packed)).expect("memory");
        let mut out = Vec::new();
        let result = decoder.read_to_end(&mut out).map(|_| out);
        let mut rest = Vec::new();
        decoder.into_rest().read_to_end(&mut rest).expect("memory");
        (result, rest)
    }

    #[test]
    fn members_and_frames_are_read_to_the_last() {
        let text = b"what the layer remembers ".repeat(500);
        let skippable = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let zstd = |data: &[u8]| zstd::bulk::compress(data, 3).expect("memory");
        let cases = [
            [gzip(&text[..700]), gzip(b""), gzip(&text[700..])].concat(),
            [zstd(&text[..700]), skippable.clone(), zstd(&text[700..])].concat(),
            [skippable, zstd(&text)].concat(),
            text.clone(),
        ];
        for packed in &cases {
            for chunk in [1, 7, 512, 1 << 16] {
                let (out, rest) = decode(packed, chunk);
                assert_eq!(out.expect("decodes"), text);
                assert!(rest.is_empty());
            }
        }
    }

    #[test]
    fn what_stands_behind_is_left_and_a_cut_is_an_error() {
        for packed in [gzip(b"abc"), zstd::bulk::compress(b"abc", 3).expect("memory")] {
            let (out, rest) = decode(&[&packed[..], b"\0\0tail"].concat(), 64);
            assert_eq!((out.expect("decodes"), rest), (b"abc".to_vec(), b"\0\0tail".to_vec()));
            let (out, _) = decode(&packed[..packed.len() - 2], 64);
            assert_eq!(out.map_err(|e| e.kind()), Err(io::ErrorKind::UnexpectedEof));
        }
    }
}
