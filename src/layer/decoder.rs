//! Undoing compression piece by piece.
//!
//! A [`Decoder`] reads any number of gzip members (RFC 1952), zstd and lz4 frames (RFC 8878 and the LZ4 frame format, skippable ones
//! included), bzip2 and xz streams, and stops exactly where the compressed data end: what stands behind can be had with
//! [`Decoder::into_rest`]. Bytes that decoders pass over (header fields of gzip, skippable frames) are kept: [`Decoder::take_aside`].

use super::compression::{Compression, is_skippable_frame};
use super::input::{BUFFER, Input};
use super::lz4::Frame;
use flate2::{Decompress, FlushDecompress, Status};
use std::io::{self, BufRead, Read};
use zstd::stream::raw::{self, Operation};

/// The largest zstd window that is accepted, as a power of two: 128 MiB.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// The most memory that an xz stream may ask for, in bytes.
const XZ_MEMORY: u64 = 256 << 20;
/// The most that is kept of bytes that decoders pass over.
const MAX_ASIDE: usize = 16 << 20;

/// The decoder of one format.
enum Codec {
    Plain,
    Gzip(Box<Decompress>),
    Zstd(Box<raw::Decoder<'static>>),
    Bzip2(Box<bzip2::Decompress>),
    Xz(Box<liblzma::stream::Stream>),
    Lz4(Box<Frame>),
}

/// What one call of a codec did; with an error, what it did before.
struct Step {
    consumed: usize,
    written: usize,
    /// Whether the stream ended, or why it cannot go on.
    ended: io::Result<bool>,
}

/// A decoder over a reader.
pub struct Decoder<R> {
    input: Input<R>,
    codec: Codec,
    /// Within a member, frame or stream; between them the next bytes decide whether there is another.
    in_stream: bool,
    ended: bool,
    /// An error that is to be given next.
    failed: Option<io::Error>,
    aside: Vec<u8>,
    aside_left_out: bool,
}

impl<R: Read> Decoder<R> {
    /// A decoder for `compression`; an unsupported one is read as it is.
    pub fn new(inner: R, compression: Compression) -> Self {
        let input = Input::new(inner);
        let plain = matches!(compression, Compression::None | Compression::Unsupported(_));
        Decoder { input, codec: Codec::Plain, in_stream: plain, ended: false, failed: None, aside: Vec::new(), aside_left_out: false }
    }

    /// The input, standing behind the last byte that was taken.
    pub fn into_rest(self) -> impl Read {
        self.input
    }

    /// What was passed over so far and taken by nobody yet: header fields and skippable frames, a line each. The second value tells
    /// whether there was more than is kept (16 MiB).
    pub fn take_aside(&mut self) -> (Vec<u8>, bool) {
        (std::mem::take(&mut self.aside), self.aside_left_out)
    }

    /// Between two streams: begins the next one, of whatever format, passes over what is skippable, or ends.
    fn between(&mut self) -> io::Result<()> {
        let start = self.input.peek(Compression::SNIFFED)?;
        if is_skippable_frame(start) {
            return self.skippable_frame();
        }
        if matches!(self.codec, Codec::Xz(_)) && start.starts_with(&[0; 4]) {
            return self.stream_padding();
        }
        self.codec = match Compression::sniff(start) {
            Compression::None | Compression::Unsupported(_) => {
                self.ended = true;
                return Ok(());
            }
            Compression::Gzip => {
                let (text, cut) = gzip_fields(self.input.peek(BUFFER)?);
                self.keep_aside(&text);
                self.aside_left_out |= cut;
                Codec::Gzip(Box::new(Decompress::new_gzip(15)))
            }
            Compression::Zstd => {
                // A decoder is large, and a frame may be nine bytes.
                let frame = match std::mem::replace(&mut self.codec, Codec::Plain) {
                    Codec::Zstd(mut frame) => {
                        frame.reinit()?;
                        frame
                    }
                    _ => {
                        let mut frame = raw::Decoder::new()?;
                        frame.set_parameter(zstd::zstd_safe::DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
                        Box::new(frame)
                    }
                };
                Codec::Zstd(frame)
            }
            Compression::Bzip2 => Codec::Bzip2(Box::new(bzip2::Decompress::new(false))),
            Compression::Xz => Codec::Xz(Box::new(liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, 0)?)),
            Compression::Lz4 => Codec::Lz4(Box::new(Frame::begin(&mut self.input)?)),
        };
        self.in_stream = true;
        Ok(())
    }

    fn skippable_frame(&mut self) -> io::Result<()> {
        let input = &mut self.input;
        let head: [u8; 8] = input.peek(8)?.get(..8).and_then(|head| head.try_into().ok()).ok_or(io::ErrorKind::UnexpectedEof)?;
        input.consume(8);
        let mut left = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        while left > 0 {
            let chunk = self.input.fill_buf()?;
            let n = chunk.len().min(left);
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let piece = chunk[..n].to_vec();
            self.keep_aside(&piece);
            self.input.consume(n);
            left -= n;
        }
        self.keep_aside(b"\n");
        Ok(())
    }

    /// Zeros behind an xz stream (xz file format, 2.2): they may go on, and another stream may follow.
    fn stream_padding(&mut self) -> io::Result<()> {
        loop {
            let ahead = self.input.fill_buf()?;
            let zeros = ahead.iter().take_while(|b| **b == 0).count();
            let more = zeros == ahead.len() && zeros > 0;
            self.input.consume(zeros);
            if !more {
                break;
            }
        }
        // Zeros that nothing follows are no part of anything: nobody misses them.
        self.ended = Compression::sniff(self.input.peek(Compression::SNIFFED)?) == Compression::None;
        Ok(())
    }

    fn keep_aside(&mut self, bytes: &[u8]) {
        let room = MAX_ASIDE.saturating_sub(self.aside.len());
        self.aside.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.aside_left_out |= bytes.len() > room;
    }

    fn step(&mut self, output: &mut [u8]) -> io::Result<Step> {
        let input = &mut self.input;
        match &mut self.codec {
            Codec::Plain => {
                let written = input.read(output)?;
                Ok(Step { consumed: written, written, ended: Ok(written == 0) })
            }
            Codec::Lz4(frame) => {
                let (written, ended) = frame.step(input, output)?;
                Ok(Step { consumed: 0, written, ended: Ok(ended) })
            }
            Codec::Gzip(member) => on_chunk(input, |chunk| {
                let before = (member.total_in(), member.total_out());
                let ended = member.decompress(chunk, output, FlushDecompress::None).map(|status| status == Status::StreamEnd);
                Step::since(before, (member.total_in(), member.total_out()), ended.map_err(io::Error::from))
            }),
            Codec::Zstd(frame) => on_chunk(input, |chunk| {
                let (mut from, mut to) = (raw::InBuffer::around(chunk), raw::OutBuffer::around(output));
                let ended = frame.run(&mut from, &mut to).map(|remaining| remaining == 0);
                Step { consumed: from.pos(), written: to.pos(), ended }
            }),
            Codec::Bzip2(stream) => on_chunk(input, |chunk| {
                let before = (stream.total_in(), stream.total_out());
                let ended = stream.decompress(chunk, output).map(|status| matches!(status, bzip2::Status::StreamEnd));
                Step::since(before, (stream.total_in(), stream.total_out()), ended.map_err(io::Error::other))
            }),
            Codec::Xz(stream) => on_chunk(input, |chunk| {
                let before = (stream.total_in(), stream.total_out());
                let ended = stream.process(chunk, output, liblzma::stream::Action::Run);
                let ended = ended.map(|status| matches!(status, liblzma::stream::Status::StreamEnd));
                Step::since(before, (stream.total_in(), stream.total_out()), ended.map_err(io::Error::from))
            }),
        }
    }
}

impl Step {
    /// From the totals of input and output before and after.
    fn since(before: (u64, u64), after: (u64, u64), ended: io::Result<bool>) -> Step {
        Step { consumed: (after.0 - before.0) as usize, written: (after.1 - before.1) as usize, ended }
    }
}

/// One step over what the input has; nothing consumed and nothing written at its end is a cut.
fn on_chunk<R: Read>(input: &mut Input<R>, step: impl FnOnce(&[u8]) -> Step) -> io::Result<Step> {
    let chunk = input.fill_buf()?;
    let at_end = chunk.is_empty();
    let step = step(chunk);
    input.consume(step.consumed);
    if at_end && step.written == 0 && !matches!(step.ended, Ok(true)) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(step)
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = self.failed.take() {
            self.ended = true;
            return Err(error);
        }
        while !buf.is_empty() && !self.ended {
            if !self.in_stream {
                self.between()?;
                continue;
            }
            let step = self.step(buf)?;
            match step.ended {
                Ok(ended) => self.in_stream = !ended,
                // What was decoded before comes first.
                Err(error) if step.written > 0 => self.failed = Some(error),
                Err(error) => return Err(error),
            }
            if step.written > 0 {
                return Ok(step.written);
            }
        }
        Ok(0)
    }
}

/// The free fields of a gzip member's header (RFC 1952, 2.3.1: extra, name, comment), a line each, and whether they go on behind `head`.
fn gzip_fields(head: &[u8]) -> (Vec<u8>, bool) {
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let (Some(flags), Some(mut rest)) = (head.get(3), head.get(10..)) else { return (Vec::new(), false) };
    let mut text = Vec::new();
    if flags & EXTRA != 0 {
        let Some((length, extra)) = rest.split_at_checked(2) else { return (text, false) };
        let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
        let Some((extra, behind)) = extra.split_at_checked(length) else { return (extra.to_vec(), false) };
        text.extend_from_slice(extra);
        text.push(b'\n');
        rest = behind;
    }
    for field in [NAME, COMMENT] {
        if flags & field != 0 {
            let length = rest.iter().position(|b| *b == 0);
            text.extend_from_slice(&rest[..length.unwrap_or(rest.len())]);
            text.push(b'\n');
            let Some(length) = length else { return (text, head.len() >= BUFFER) };
            rest = &rest[length + 1..];
        }
    }
    (text, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    }

    fn bzip2(data: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    }

    fn xz(data: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    }

    fn lz4(data: &[u8]) -> Vec<u8> {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(data, 3).expect("memory")
    }

    type Encode = fn(&[u8]) -> Vec<u8>;
    const ENCODERS: [Encode; 5] = [gzip, zstd, bzip2, xz, lz4];

    /// Gives at most so many bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(buf.len());
            self.0.read(&mut buf[..n])
        }
    }

    struct Decoded {
        out: io::Result<Vec<u8>>,
        aside: Vec<u8>,
        rest: Vec<u8>,
    }

    fn decode(packed: &[u8], chunk: usize) -> Decoded {
        let mut decoder = Decoder::new(Slow(packed, chunk), Compression::sniff(packed));
        let mut out = Vec::new();
        let out = decoder.read_to_end(&mut out).map(|_| out);
        let aside = decoder.take_aside().0;
        let mut rest = Vec::new();
        decoder.into_rest().read_to_end(&mut rest).expect("memory");
        Decoded { out, aside, rest }
    }

    #[test]
    fn streams_are_read_to_the_last() {
        let text = b"what the layer remembers ".repeat(500);
        let skippable = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let mut cases: Vec<(Vec<u8>, &[u8])> =
            vec![([&skippable[..], &zstd(&text)].concat(), b"abc\n"), (text.clone(), b""), ([xz(&text), vec![0; 8]].concat(), b"")];
        for encode in ENCODERS {
            cases.push(([encode(&text[..700]), encode(b""), encode(&text[700..])].concat(), b""));
        }
        for encode in [zstd, lz4] {
            cases.push(([&encode(&text[..700])[..], &skippable, &encode(&text[700..])].concat(), b"abc\n"));
        }
        cases.push(([&xz(&text[..700])[..], &[0; 8], &xz(&text[700..])].concat(), b""));
        cases.push(([&xz(&text[..700])[..], &[0; 300_000], &xz(&text[700..])].concat(), b""));
        cases.push(([&gzip(&text[..700])[..], &xz(&text[700..])].concat(), b""));
        cases.push(([&skippable[..], &lz4(&text)].concat(), b"abc\n"));
        let mut empty_block = lz4(&text);
        empty_block.splice(7..7, [0, 0, 0, 0x80]);
        cases.push((empty_block, b""));
        for (packed, aside) in &cases {
            for chunk in [1, 7, 512, 1 << 16] {
                let decoded = decode(packed, chunk);
                assert_eq!(decoded.out.expect("decodes"), text);
                assert_eq!(decoded.aside, *aside);
                assert!(decoded.rest.iter().all(|b| *b == 0));
            }
        }
    }

    #[test]
    fn what_stands_behind_is_left_and_a_cut_is_an_error() {
        for encode in ENCODERS {
            let packed = encode(b"abc");
            for behind in [&b"tail"[..], b"\x1f", b"BZ", b"\x28\xb5"] {
                let decoded = decode(&[&packed[..], behind].concat(), 64);
                assert_eq!((decoded.out.expect("decodes"), &decoded.rest[..]), (b"abc".to_vec(), behind));
            }
            for cut in 14..packed.len() {
                let decoded = decode(&packed[..cut], 64);
                assert_eq!(decoded.out.map_err(|e| e.kind()), Err(io::ErrorKind::UnexpectedEof), "{cut} of {packed:x?}");
            }
        }
    }

    #[test]
    fn corrupt_data_are_an_error() {
        let text = b"what the layer remembers ".repeat(500);
        for encode in [gzip, bzip2, xz] {
            let mut packed = encode(&text);
            let middle = packed.len() / 2;
            packed[middle] ^= 0x55;
            assert!(decode(&packed, 512).out.is_err());
        }
    }

    #[test]
    fn what_comes_before_a_wrong_checksum_is_given() {
        let text = b"what the layer remembers ".repeat(500);
        let mut packed = gzip(&text);
        let at = packed.len() - 8;
        packed[at] ^= 1;
        let mut decoder = Decoder::new(&packed[..], Compression::Gzip);
        let mut out = Vec::new();
        assert!(decoder.read_to_end(&mut out).is_err());
        assert!(out == text);
    }

    #[test]
    fn free_fields_of_gzip_are_kept() {
        let mut encoder =
            flate2::GzBuilder::new().filename("name").comment("a comment").extra(*b"an extra").write(Vec::new(), Default::default());
        encoder.write_all(b"abc").expect("memory");
        let packed = encoder.finish().expect("memory");
        let decoded = decode(&[packed, gzip(b"def")].concat(), 1);
        assert_eq!((decoded.out.expect("decodes"), &decoded.aside[..]), (b"abcdef".to_vec(), &b"an extra\nname\na comment\n"[..]));
    }
}
