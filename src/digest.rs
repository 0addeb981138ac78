//! Digests: SHA-256 as OCI uses it, BLAKE3 for "same content", and those of package managers.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use std::fmt;

/// A digest, `algorithm:encoded` (OCI image-spec, descriptor.md).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Form);

/// SHA-256 is the one that is computed, and there may be one for every file of a file system.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Form {
    Sha256([u8; 32]),
    Other(Box<str>),
}

impl Digest {
    /// Parses `algorithm:encoded`. `None` where the grammar does not hold, so that a digest is safe as a part of a path.
    pub fn parse(text: &str) -> Option<Digest> {
        let (algorithm, encoded) = text.split_once(':')?;
        let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let algorithm_ok =
            !algorithm.is_empty() && algorithm.bytes().all(|b| word(b) || b"+._-".contains(&b)) && word(algorithm.as_bytes()[0]);
        let hex = |n: usize| encoded.len() == n && encoded.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match algorithm {
            "sha256" => {
                let raw = unhex(encoded.as_bytes())?;
                hex(64).then_some(Digest(Form::Sha256(raw)))
            }
            _ => {
                let encoded_ok = match algorithm {
                    "blake3" => hex(64),
                    "sha512" => hex(128),
                    _ => !encoded.is_empty() && encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"=_-".contains(&b)),
                };
                (algorithm_ok && encoded_ok).then(|| Digest(Form::Other(text.into())))
            }
        }
    }

    /// The SHA-256 of `bytes`.
    pub fn sha256(bytes: &[u8]) -> Digest {
        Digest::of(Sha256::new_with_prefix(bytes))
    }

    /// The SHA-512 of `bytes`, which registries may name things by.
    pub fn sha512(bytes: &[u8]) -> Digest {
        Digest::of_sha512(Sha512::new_with_prefix(bytes))
    }

    /// What such a hash has come to.
    pub fn of_sha512(hash: Sha512) -> Digest {
        Digest(Form::Other(format!("sha512:{}", hex(&hash.finalize())).into()))
    }

    /// What a hash has come to.
    pub fn of(hash: Sha256) -> Digest {
        Digest(Form::Sha256(hash.finalize().into()))
    }

    /// The digest that the name of a member of an OCI layout tells: `blobs/sha256/…`.
    pub fn in_blob_path(path: &[u8]) -> Option<Digest> {
        let encoded = std::str::from_utf8(path).ok()?.strip_prefix("blobs/sha256/")?;
        Digest::parse(&format!("sha256:{encoded}"))
    }

    /// The part behind the colon.
    pub fn encoded(&self) -> String {
        self.to_string().split_once(':').map(|(_, encoded)| encoded.to_owned()).unwrap_or_default()
    }

    /// The path of this blob in an OCI layout.
    pub fn blob_path(&self) -> String {
        format!("blobs/{}", self.to_string().replacen(':', "/", 1))
    }

    /// The algorithm.
    pub fn algorithm(&self) -> &str {
        match &self.0 {
            Form::Sha256(_) => "sha256",
            Form::Other(text) => text.split(':').next().unwrap_or_default(),
        }
    }

    /// True where it can be compared with a computed digest.
    pub fn is_sha256(&self) -> bool {
        matches!(self.0, Form::Sha256(_))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.0 {
            Form::Sha256(raw) => write!(f, "sha256:{}", hex(raw)),
            Form::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)] as char, DIGITS[usize::from(b & 15)] as char]).collect()
}

/// The bytes that exactly `N` pairs of hexadecimal digits, of either case, mean.
pub fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    (text.len() == 2 * N).then_some(bytes)
}

/// The first 128 bits of the BLAKE3 of a regular file's content: equal means "same content".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash([u8; 16]);

/// Computes a [`ContentHash`] piece by piece, and on demand the digests that package managers use.
#[derive(Default)]
pub struct ContentHasher {
    content: blake3::Hasher,
    digests: Option<Box<FileHasher>>,
    /// The digests are never computed.
    content_only: bool,
}

impl ContentHasher {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.content.update(bytes);
        if let Some(digests) = &mut self.digests {
            digests.update(bytes);
        }
    }

    /// One that computes no digests, whoever asks for them: they take several times as long, and whoever can read the file again computes
    /// them when they are needed.
    pub fn content_only() -> ContentHasher {
        ContentHasher { content_only: true, ..ContentHasher::default() }
    }

    /// Computes the digests, too. `before` is what was added so far.
    pub fn with_digests(&mut self, before: &[u8]) {
        if self.content_only {
            return;
        }
        let mut digests = Box::new(FileHasher::new(Algorithms::ALL));
        digests.update(before);
        self.digests = Some(digests);
    }

    /// The digests of all that was added, if they were asked for.
    pub fn digests(&mut self) -> Option<FileDigests> {
        Some(self.digests.take()?.finish())
    }

    /// The hash of all that was added, and of the path where it stands.
    pub fn at(&self, path: &[u8]) -> ContentHash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.finish().0).update(path);
        ContentHash(first(hasher.finalize().as_bytes()))
    }

    /// The hash of all that was added.
    pub fn finish(&self) -> ContentHash {
        ContentHash(first(self.content.finalize().as_bytes()))
    }
}

/// Digests by which package managers know a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Algorithms {
    /// dpkg.
    pub md5: bool,
    /// apk.
    pub sha1: bool,
    /// Python's `RECORD`.
    pub sha256: bool,
}

impl Algorithms {
    /// Every one.
    pub const ALL: Algorithms = Algorithms { md5: true, sha1: true, sha256: true };
}

/// Computes [`FileDigests`] piece by piece.
pub struct FileHasher {
    md5: Option<Md5>,
    sha1: Option<Sha1>,
    sha256: Option<Sha256>,
}

impl FileHasher {
    /// For these algorithms.
    pub fn new(wanted: Algorithms) -> FileHasher {
        FileHasher { md5: wanted.md5.then(Md5::new), sha1: wanted.sha1.then(Sha1::new), sha256: wanted.sha256.then(Sha256::new) }
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.md5.iter_mut().for_each(|digest| digest.update(bytes));
        self.sha1.iter_mut().for_each(|digest| digest.update(bytes));
        self.sha256.iter_mut().for_each(|digest| digest.update(bytes));
    }

    /// The digests of all that was added.
    pub fn finish(self) -> FileDigests {
        FileDigests {
            md5: self.md5.map(|digest| first(&digest.finalize())),
            sha1: self.sha1.map(|digest| first(&digest.finalize())),
            sha256: self.sha256.map(|digest| first(&digest.finalize())),
        }
    }
}

/// The digests of a file by which package managers know it, of each the first 16 bytes; none for those that were not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileDigests {
    /// MD5, all of it: dpkg.
    pub md5: Option<[u8; 16]>,
    /// SHA-1: apk.
    pub sha1: Option<[u8; 16]>,
    /// SHA-256: Python's `RECORD`, rpm.
    pub sha256: Option<[u8; 16]>,
}

impl FileDigests {
    /// All those of `content`.
    pub fn of(content: &[u8]) -> FileDigests {
        let mut hasher = FileHasher::new(Algorithms::ALL);
        hasher.update(content);
        hasher.finish()
    }
}

fn first(digest: &[u8]) -> [u8; 16] {
    let mut kept = [0; 16];
    kept.copy_from_slice(&digest[..16]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_grammar_keeps_paths_safe() {
        let good = format!("sha256:{}", "a".repeat(64));
        assert_eq!(Digest::parse(&good).map(|d| d.blob_path()), Some(format!("blobs/sha256/{}", "a".repeat(64))));
        assert_eq!(Digest::parse(&good).and_then(|d| Digest::in_blob_path(d.blob_path().as_bytes())), Digest::parse(&good));
        assert_eq!(Digest::in_blob_path(b"blobs/sha256/../../x"), None);
        for bad in ["", "sha256", "sha256:", "sha256:../../etc/passwd", "sha256:ABC", "../x:abc", "x:a/b", &good[..70]] {
            assert_eq!(Digest::parse(bad), None, "{bad}");
        }
    }
}
