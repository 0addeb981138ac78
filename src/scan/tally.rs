//! The digest and the length of what is read. For large blobs the digest is computed on a thread of its own: one that reads a layer has
//! enough to do.

use super::unpack::Count;
use crate::digest::Digest;
use crossbeam_channel::{Receiver, Sender, bounded};
use sha2::{Digest as _, Sha256};
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

/// Bytes that are handed to the thread at once.
const PIECE: usize = 256 << 10;
/// Such pieces under way.
const PIECES: usize = 2;

/// Where a digest is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hashing {
    /// Nowhere.
    None,
    /// By whoever reads.
    Here,
    /// On a thread of its own.
    Beside,
}

/// A reader that hashes and counts what is read through it.
pub struct TallyReader<R> {
    inner: R,
    bytes: Arc<AtomicU64>,
    hash: Hash,
}

enum Hash {
    None,
    Here(Sha256),
    Beside { piece: Vec<u8>, full: Sender<Vec<u8>>, empty: Receiver<Vec<u8>>, thread: JoinHandle<Sha256> },
}

impl<R: Read> TallyReader<R> {
    /// Over `inner`.
    pub fn new(inner: R, hashing: Hashing) -> Self {
        let hash = match hashing {
            Hashing::None => Hash::None,
            Hashing::Here => Hash::Here(Sha256::new()),
            Hashing::Beside => beside(),
        };
        TallyReader { inner, bytes: Arc::default(), hash }
    }

    /// Tells how many bytes were read, whenever it is asked.
    pub fn count(&self) -> Count<'static> {
        let bytes = self.bytes.clone();
        Arc::new(move || bytes.load(Ordering::Relaxed))
    }

    /// How many bytes were read so far.
    pub fn seen(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// SHA-256 of all that was read, unless it was not to be computed.
    pub fn finish(self) -> Option<Digest> {
        Some(Digest::of(match self.hash {
            Hash::None => return None,
            Hash::Here(hash) => hash,
            Hash::Beside { piece, full, thread, .. } => {
                // It takes whatever comes, until there is no more.
                let _ = full.send(piece);
                drop(full);
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
        }))
    }
}

fn beside() -> Hash {
    let (full, filled) = bounded::<Vec<u8>>(PIECES);
    let (emptied, empty) = bounded(PIECES + 1);
    let run = move || {
        let mut hash = Sha256::new();
        for mut piece in filled {
            hash.update(&piece);
            piece.clear();
            let _ = emptied.try_send(piece);
        }
        hash
    };
    match std::thread::Builder::new().spawn(run) {
        Ok(thread) => Hash::Beside { piece: Vec::with_capacity(PIECE), full, empty, thread },
        // There may be no more threads than there are.
        Err(_) => Hash::Here(Sha256::new()),
    }
}

impl<R: Read> Read for TallyReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.bytes.fetch_add(n as u64, Ordering::Relaxed);
        match &mut self.hash {
            Hash::None => {}
            Hash::Here(hash) => hash.update(&buf[..n]),
            Hash::Beside { piece, full, empty, .. } => {
                for part in buf[..n].chunks(PIECE) {
                    if piece.len() + part.len() > PIECE {
                        let next = empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(PIECE));
                        let _ = full.send(std::mem::replace(piece, next));
                    }
                    piece.extend_from_slice(part);
                }
            }
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_hashed_wherever_that_is() {
        let bytes: Vec<u8> = (0..5_000_000u32).map(|at| (at % 251) as u8).collect();
        for length in [0, 3, PIECE, PIECE + 1, bytes.len()] {
            let expected = [None, Some(Digest::sha256(&bytes[..length])), Some(Digest::sha256(&bytes[..length]))];
            let found = [Hashing::None, Hashing::Here, Hashing::Beside].map(|hashing| {
                let mut reader = TallyReader::new(&bytes[..length], hashing);
                let mut buffer = vec![0; 300_000];
                while reader.read(&mut buffer).expect("memory") > 0 {}
                assert_eq!(reader.seen(), length as u64);
                reader.finish()
            });
            assert_eq!(found, expected);
        }
    }
}
