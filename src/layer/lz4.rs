//! LZ4 frames, the modern and the legacy format (lz4_Frame_format.md), block by block.
//!
//! The frames are ours because lz4_flex's reader ends in silence where its input is cut within a frame, and at an empty block. Block and
//! content checksums are not verified: the digest of the whole is.

use super::input::Input;
use lz4_flex::block::decompress_into_with_dict;
use std::io::{self, Read};

/// How far back a block may refer, in bytes.
const WINDOW: usize = 64 << 10;
/// The most that a block of the legacy format unpacks to, in bytes.
const LEGACY_BLOCK: usize = 8 << 20;

/// A frame under way.
#[derive(Default)]
pub struct Frame {
    legacy: bool,
    /// Blocks refer to the ones before.
    linked: bool,
    block_checksums: bool,
    content_checksum: bool,
    most: usize,
    /// What earlier blocks may be referred to, and the current block, of which `given` bytes were given.
    output: Vec<u8>,
    given: usize,
    /// Room for a block.
    unpacked: Vec<u8>,
}

impl Frame {
    /// Reads a frame's header, magic number included.
    pub fn begin<R: Read>(input: &mut Input<R>) -> io::Result<Frame> {
        let legacy = is_legacy(&take::<4, R>(input)?);
        if legacy {
            return Ok(Frame { legacy, most: LEGACY_BLOCK, ..Frame::default() });
        }
        let [flags, sizes] = take(input)?;
        let most = match sizes >> 4 & 7 {
            4 => 64 << 10,
            5 => 256 << 10,
            6 => 1 << 20,
            7 => 4 << 20,
            _ => return Err(corrupt()),
        };
        if flags >> 6 != 1 || flags & 1 != 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an lz4 frame of an unknown version, or with a dictionary"));
        }
        if flags & 8 != 0 {
            take::<8, R>(input)?;
        }
        take::<1, R>(input)?;
        let (linked, block_checksums, content_checksum) = (flags & 32 == 0, flags & 16 != 0, flags & 4 != 0);
        Ok(Frame { linked, block_checksums, content_checksum, most, ..Frame::default() })
    }

    /// The next bytes: how many were written, and whether the frame ended.
    pub fn step<R: Read>(&mut self, input: &mut Input<R>, output: &mut [u8]) -> io::Result<(usize, bool)> {
        while self.given == self.output.len() {
            if self.block(input)? {
                return Ok((0, true));
            }
        }
        let n = output.len().min(self.output.len() - self.given);
        output[..n].copy_from_slice(&self.output[self.given..][..n]);
        self.given += n;
        Ok((n, false))
    }

    /// Unpacks the next block. True at the end of the frame.
    fn block<R: Read>(&mut self, input: &mut Input<R>) -> io::Result<bool> {
        // Blocks may be small: the window is not moved for each.
        if !self.linked {
            self.output.clear();
        } else if self.output.len() > 8 * WINDOW {
            self.output.drain(..self.output.len() - WINDOW);
        }
        self.given = self.output.len();
        if self.legacy {
            // It ends where the input does, or where another frame begins.
            let next = input.peek(4)?;
            if next.is_empty() || is_legacy(next) || next.starts_with(&[0x04, 0x22, 0x4d, 0x18]) {
                return Ok(true);
            }
        }
        let size = u32::from_le_bytes(take(input)?);
        if size == 0 && !self.legacy {
            if self.content_checksum {
                take::<4, R>(input)?;
            }
            return Ok(true);
        }
        let stored = !self.legacy && size >> 31 == 1;
        let size = if stored { size & 0x7fff_ffff } else { size } as usize;
        // A block that does not get smaller is stored; the legacy format has none of these.
        if size > self.most + self.most / 255 + 16 {
            return Err(corrupt());
        }
        let mut packed = Vec::new();
        if input.take(size as u64).read_to_end(&mut packed)? < size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if self.block_checksums {
            take::<4, R>(input)?;
        }
        if stored {
            self.output.extend_from_slice(&packed);
            return Ok(false);
        }
        let dictionary = &self.output[self.output.len().saturating_sub(WINDOW)..];
        // A packed byte gives 255 at the most: a small block needs no room for a large one.
        let most = self.most.min(packed.len() * 255 + 64);
        if self.unpacked.len() < most {
            self.unpacked.resize(most, 0);
        }
        let written = decompress_into_with_dict(&packed, &mut self.unpacked[..most], dictionary).map_err(|_| corrupt())?;
        self.output.extend_from_slice(&self.unpacked[..written]);
        Ok(false)
    }
}

/// The LZ4 format of old Linux kernels, which has no end mark.
pub fn is_legacy(start: &[u8]) -> bool {
    start.starts_with(&[0x02, 0x21, 0x4c, 0x18])
}

fn corrupt() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the lz4 data are corrupt")
}

fn take<const N: usize, R: Read>(input: &mut Input<R>) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}
