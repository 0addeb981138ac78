//! A blob as it comes, and from where it broke off when it does.

use super::api::Registry;
use crate::digest::Digest;
use crate::net::{MOST_TRIES, back_off};
use sha2::{Digest as _, Sha512};
use std::io::{self, Read};
use std::sync::Arc;

/// `size` bytes of a blob. A connection that breaks is opened again at the byte where it broke, as often as it makes progress.
pub struct BlobReader {
    registry: Arc<Registry>,
    repository: Arc<str>,
    digest: Digest,
    at: u64,
    end: u64,
    body: Option<Box<dyn Read + Send>>,
    /// Tries since a byte came.
    tries: u32,
    /// Of what is read from its beginning to its end, where nobody else computes its digest.
    hash: Option<Box<Sha512>>,
}

impl BlobReader {
    /// `size` bytes from `offset` on, which are all of it if `whole`. Nothing is asked before the first read.
    pub fn new(registry: Arc<Registry>, repository: Arc<str>, digest: Digest, (offset, size): (u64, u64), whole: bool) -> BlobReader {
        let hash = (whole && digest.algorithm() == "sha512").then(Box::default);
        BlobReader { registry, repository, digest, at: offset, end: offset.saturating_add(size), body: None, tries: 0, hash }
    }

    /// Asks for what is left.
    fn open(&mut self) -> io::Result<Box<dyn Read + Send>> {
        let (reply, begin) = self.registry.blob(&self.repository, &self.digest, self.at)?;
        let mut body = reply.body;
        let before = self.at - begin;
        if io::copy(&mut body.by_ref().take(before), &mut io::sink())? < before {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(body)
    }

    /// Some bytes; none where the connection ends.
    fn some(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut body = match self.body.take() {
            Some(body) => body,
            None => self.open()?,
        };
        let n = body.read(buf)?;
        if n > 0 {
            self.body = Some(body);
        }
        Ok(n)
    }
}

impl Read for BlobReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let wanted = buf.len().min(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
        if wanted == 0 {
            let hash = self.hash.take_if(|_| self.at == self.end && !buf.is_empty());
            return match hash.is_none_or(|hash| Digest::of_sha512(*hash) == self.digest) {
                true => Ok(0),
                false => Err(io::Error::new(io::ErrorKind::InvalidData, format!("the bytes are not those of {}", self.digest))),
            };
        }
        loop {
            let why = match self.some(&mut buf[..wanted]) {
                Ok(n) if n > 0 => {
                    self.at += n as u64;
                    self.tries = 0;
                    self.hash.iter_mut().for_each(|hash| hash.update(&buf[..n]));
                    return Ok(n);
                }
                Ok(_) => io::Error::new(io::ErrorKind::UnexpectedEof, format!("the registry sent {} of {} bytes", self.at, self.end)),
                Err(e) => e,
            };
            self.tries += 1;
            if self.tries >= MOST_TRIES || matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) {
                return Err(why);
            }
            self.registry.client().wait(back_off(self.tries))?;
        }
    }
}
