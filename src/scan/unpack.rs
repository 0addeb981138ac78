//! A blob's stored bytes, made into what they say: compressions undone, within limits, to the last byte.

use super::locked;
use crate::error::{Code, Problem};
use crate::layer::compression::Compression;
use crate::layer::decoder::Decoder;
use crate::layer::tar::BLOCK;
use crate::limits::Limits;
use std::fmt;
use std::io::{self, Cursor, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What is kept of bytes behind a compressed stream.
const MAX_TRAILING: u64 = 16 << 20;

/// Why reading stopped, where that is not the bytes' fault. Travels within an [`io::Error`].
#[derive(Debug, Clone)]
pub enum Stop {
    /// The scan is to end.
    Interrupted,
    /// A limit was reached.
    Limit(String),
    /// The source itself cannot be read.
    Source(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Stop::Interrupted => f.write_str("the scan was stopped"),
            Stop::Limit(message) | Stop::Source(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Stop {}

impl From<Stop> for io::Error {
    fn from(stop: Stop) -> io::Error {
        io::Error::other(stop)
    }
}

/// The reason within an error of a reader.
pub fn stop_in(error: &io::Error) -> Option<&Stop> {
    error.get_ref()?.downcast_ref()
}

/// What an error of a reader means for the report; nothing where the scan as a whole was stopped. `place` goes behind "at" or the like.
pub fn failure(error: &io::Error, place: &str) -> Option<Problem> {
    Some(match stop_in(error) {
        Some(Stop::Interrupted) => return None,
        Some(Stop::Limit(message)) => Problem::new(Code::LimitReached, format!("{message}; what follows was not read")),
        Some(Stop::Source(message)) => Problem::new(Code::ReadFailed, format!("it could not be read to its end: {message}")),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            Problem::new(Code::Truncated, format!("the compressed data end too early, {place}"))
        }
        None => Problem::new(Code::CorruptCompression, format!("the compressed data are corrupt, {place}: {error}")),
    })
}

/// Bytes that are no part of what a stream unpacks to, as they come to light.
#[derive(Clone, Default)]
pub struct Beside(Arc<Mutex<BesideBytes>>);

#[derive(Default)]
pub(super) struct BesideBytes {
    /// What stands behind a compressed stream, or cannot be decoded.
    pub trailing: Vec<u8>,
    /// What decoders pass over.
    pub aside: Vec<u8>,
    /// There was more than is kept.
    pub left_out: bool,
}

impl Beside {
    /// What there is so far; taken out.
    pub fn take(&self) -> BesideBytes {
        std::mem::take(&mut locked(&self.0))
    }
}

/// A decoder that, at the end of its stream, reads its input to the end too: for the digest, and for what may be hidden there.
struct ToTheEnd<R: Read> {
    decoder: Option<Decoder<R>>,
    beside: Beside,
}

impl<R: Read> ToTheEnd<R> {
    fn finish(&mut self) -> io::Result<()> {
        let Some(mut decoder) = self.decoder.take() else { return Ok(()) };
        let (aside, left_out) = decoder.take_aside();
        // Reading the rest may end the stream around this one, which has something to put beside, too.
        let (mut rest, mut trailing) = (decoder.into_rest(), Vec::new());
        let read = rest.by_ref().take(MAX_TRAILING).read_to_end(&mut trailing);
        let unread = read.and_then(|_| io::copy(&mut rest, &mut io::sink()));
        let mut beside = locked(&self.beside.0);
        beside.aside.extend_from_slice(&aside);
        beside.trailing.extend_from_slice(&trailing);
        beside.left_out |= left_out || *unread.as_ref().unwrap_or(&0) > 0;
        unread.map(drop)
    }
}

impl<R: Read> Read for ToTheEnd<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(decoder) = &mut self.decoder else { return Ok(0) };
        match decoder.read(buf) {
            Ok(0) if !buf.is_empty() => self.finish().map(|()| 0),
            Err(e) if e.kind() != io::ErrorKind::Interrupted => {
                // What is left cannot be decoded; it is still a part of the stored bytes.
                let _ = self.finish();
                Err(e)
            }
            result => result,
        }
    }
}

/// Stops a stream that gives too much: a bomb.
struct Bounded<'a, R> {
    inner: R,
    stored: Count<'a>,
    given: u64,
    limits: Limits,
    stop: Arc<AtomicUsize>,
}

/// How many stored bytes were read so far.
pub type Count<'a> = Arc<dyn Fn() -> u64 + Send + Sync + 'a>;

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // A few packed bytes can keep a decoder busy for long.
        if self.stop.load(Ordering::Relaxed) != 0 {
            return Err(Stop::Interrupted.into());
        }
        let n = self.inner.read(buf)?;
        self.given += n as u64;
        let (given, stored) = (self.given, (self.stored)());
        if given > self.limits.layer_size {
            let most = self.limits.layer_size;
            return Err(Stop::Limit(format!("it unpacks to more than {most} bytes (--max-layer-size)")).into());
        }
        if given > Limits::RATIO_FROM && given / self.limits.ratio.max(1) > stored {
            let message = format!("{given} bytes came out of {stored}, more than {} to one (--max-ratio)", self.limits.ratio);
            return Err(Stop::Limit(message).into());
        }
        Ok(n)
    }
}

/// A blob's bytes, unpacked.
pub struct Unpacking<'a> {
    /// The first bytes, taken out of `reader`: a block, less only where there is less.
    pub start: Vec<u8>,
    /// What follows them.
    pub reader: Box<dyn Read + Send + 'a>,
    /// The compressions that were undone, outermost first, and one that could not be.
    pub packing: Vec<Compression>,
    /// The limit on compressions around each other was reached: the last one of `packing` was not undone.
    pub too_deep: bool,
    /// What comes to light beside the stream.
    pub beside: Beside,
}

/// A reader that gives an error, once.
struct Fails(Option<io::Error>);

impl Read for Fails {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Undoes the compressions of `stored`, whose bytes `count` counts.
pub fn unpack<'a>(stored: impl Read + Send + 'a, count: &Count<'a>, limits: &Limits, stop: &Arc<AtomicUsize>) -> Unpacking<'a> {
    let beside = Beside::default();
    let (mut packing, mut too_deep) = (Vec::new(), false);
    let mut reader: Box<dyn Read + Send + 'a> = Box::new(stored);
    loop {
        let mut start = Vec::with_capacity(BLOCK);
        let failed = reader.by_ref().take(BLOCK as u64).read_to_end(&mut start).err();
        let compression = Compression::sniff(&start[..start.len().min(Compression::SNIFFED)]);
        let ends = matches!(compression, Compression::None | Compression::Unsupported(_)) || failed.is_some();
        if failed.is_some() {
            reader = Box::new(Fails(failed));
        }
        if ends || packing.len() >= limits.nesting {
            too_deep |= !ends;
            packing.extend((compression != Compression::None).then_some(compression));
            return Unpacking { start, reader, packing, too_deep, beside };
        }
        packing.push(compression);
        let decoder = Decoder::new(Cursor::new(start).chain(reader), compression);
        let inner = ToTheEnd { decoder: Some(decoder), beside: beside.clone() };
        reader = Box::new(Bounded { inner, stored: count.clone(), given: 0, limits: *limits, stop: stop.clone() });
    }
}
