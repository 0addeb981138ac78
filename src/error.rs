//! What can go wrong: an [`Error`] stops the scan, a [`Problem`] does not.

mod meaning;

use std::collections::BTreeMap;
use std::io;

/// Why a scan could not be done at all. Every variant names the thing that it is about.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The target does not exist or cannot be opened.
    #[error("cannot open {target}")]
    Open {
        /// What was asked for.
        target: String,
        /// Why it failed.
        source: io::Error,
    },
    /// Reading stopped before anything was known.
    #[error("cannot read {target}")]
    Read {
        /// What was asked for.
        target: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The target is readable and is not an image.
    #[error("{target}: {why}")]
    NotAnImage {
        /// What was asked for.
        target: String,
        /// What was seen instead.
        why: String,
    },
    /// A rule file is wrong.
    #[error("{file}: {message}")]
    Rules {
        /// The rule file, with `:line:column` where they are known.
        file: String,
        /// What is wrong, with the rule's id where it is known.
        message: String,
    },
    /// A configuration, an ignore file or a baseline is wrong.
    #[error("{file}: {message}")]
    Policy {
        /// The file, with `:line:column` as far as they are known.
        file: String,
        /// What is wrong.
        message: String,
    },
}

/// The kinds of [`Problem`]; the text form is what reports and the documentation use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// A layer's bytes end before they should.
    Truncated,
    /// Compressed data that cannot be decoded to its end.
    CorruptCompression,
    /// A compression format that is known and not supported.
    UnsupportedCompression,
    /// A tar header whose checksum or numbers are wrong.
    InvalidHeader,
    /// The input could not be read to its end.
    ReadFailed,
    /// `rootfs.diff_ids[i]` is not the SHA-256 of the layer's tar.
    DiffIdMismatch,
    /// A descriptor's digest, or a blob's name, is not the SHA-256 of the stored bytes.
    DigestMismatch,
    /// A layer that the image lists is not in the input.
    LayerMissing,
    /// A config or manifest that is referred to is not in the input.
    BlobMissing,
    /// JSON that should describe an image and does not.
    InvalidDocument,
    /// The numbers of layers, diff_ids and history entries do not fit together.
    CountMismatch,
    /// Two members of the archive have one name: tools differ in which they see.
    DuplicateMember,
    /// A whiteout whose target is empty, `.` or `..`.
    InvalidWhiteout,
    /// A link in the archive that leads nowhere or in a circle.
    BrokenLink,
    /// A stated limit was reached and something was not read.
    LimitReached,
    /// A layer that is absent by design: its bytes are at a URL (Windows base images).
    ForeignLayer,
    /// An encrypted layer: only its ciphertext is there.
    EncryptedLayer,
    /// A descriptor's size is not that of the bytes.
    SizeMismatch,
    /// The scan was stopped before its end.
    Interrupted,
    /// An entry of a type that no standard names (it is read like a file).
    UnknownEntry,
    /// A hard link to nothing: engines refuse such a layer.
    BrokenHardLink,
    /// A config is stored under a name that is the digest of something else.
    NameMismatch,
    /// A tar that lists no image: scanned as one layer.
    PlainFileSystem,
    /// A manifest that describes no image: its blobs are scanned as files.
    Artifact,
    /// `manifest.json` and the OCI manifest of one image do not list the same layers.
    ListsDiffer,
    /// A manifest that no index and no `manifest.json` names.
    Orphan,
    /// A name that climbs out of the layer's root (it is clamped, as engines do).
    PathTraversal,
    /// Bytes behind the end of an archive or a compressed stream (they are scanned).
    TrailingData,
    /// A layer in a form that is not a tar (it is scanned as one file).
    NotATar,
    /// A nested archive that was scanned as raw bytes only.
    NotUnpacked,
    /// An index lists a platform whose blobs are not in this file.
    PlatformAbsent,
    /// History cannot be attributed to layers with certainty.
    AmbiguousHistory,
    /// Digests were not compared, because that was asked for, or because they are of another kind than SHA-256.
    NotVerified,
    /// The image has not all layers of what is said to be its base.
    BaseDiffers,
    /// What let findings pass has expired.
    IgnoreExpired,
    /// What should let findings pass fits none.
    IgnoreUnused,
    /// The image's processes run as root.
    RunsAsRoot,
    /// Nothing says what the image was built from.
    BaseUnknown,
    /// It was built from an image of neither Docker's library nor a well-known vendor.
    BaseUnofficial,
    /// It was built from a tag that moves, and no digest says which image that was.
    BaseFloating,
    /// Its lowest layer is more than a year old.
    BaseOld,
    /// Files of the build or of its author came along.
    LeftBehind,
    /// The image, or a compose file in it, expects the socket of the engine that runs it.
    DockerSocket,
    /// A layer of the image's own adds a program that runs with its owner's rights.
    SetuidAdded,
    /// A build argument is named like a secret.
    BuildArgument,
    /// Untagged earlier states of the image are in the archive too.
    IntermediateImages,
    /// A name that was looked up in several places: where it was found.
    NameResolved,
    /// Files that were left out because they are on other file systems than the one that was asked for.
    OtherFileSystem,
}

impl Code {
    /// The stable text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Truncated => "truncated",
            Code::CorruptCompression => "corrupt-compression",
            Code::UnsupportedCompression => "unsupported-compression",
            Code::InvalidHeader => "invalid-header",
            Code::ReadFailed => "read-failed",
            Code::DiffIdMismatch => "diff-id-mismatch",
            Code::DigestMismatch => "digest-mismatch",
            Code::LayerMissing => "layer-missing",
            Code::BlobMissing => "blob-missing",
            Code::InvalidDocument => "invalid-document",
            Code::CountMismatch => "count-mismatch",
            Code::DuplicateMember => "duplicate-member",
            Code::InvalidWhiteout => "invalid-whiteout",
            Code::BrokenLink => "broken-link",
            Code::LimitReached => "limit-reached",
            Code::ForeignLayer => "foreign-layer",
            Code::EncryptedLayer => "encrypted-layer",
            Code::SizeMismatch => "size-mismatch",
            Code::Interrupted => "interrupted",
            Code::UnknownEntry => "unknown-entry",
            Code::BrokenHardLink => "broken-hard-link",
            Code::NameMismatch => "name-mismatch",
            Code::PlainFileSystem => "plain-file-system",
            Code::Artifact => "artifact",
            Code::ListsDiffer => "lists-differ",
            Code::Orphan => "orphan",
            Code::PathTraversal => "path-traversal",
            Code::TrailingData => "trailing-data",
            Code::NotATar => "not-a-tar",
            Code::NotUnpacked => "not-unpacked",
            Code::PlatformAbsent => "platform-absent",
            Code::AmbiguousHistory => "ambiguous-history",
            Code::NotVerified => "not-verified",
            Code::BaseDiffers => "base-differs",
            Code::IgnoreExpired => "ignore-expired",
            Code::IgnoreUnused => "ignore-unused",
            Code::RunsAsRoot => "runs-as-root",
            Code::BaseUnknown => "base-unknown",
            Code::BaseUnofficial => "base-unofficial",
            Code::BaseFloating => "base-floating",
            Code::BaseOld => "base-old",
            Code::LeftBehind => "left-behind",
            Code::DockerSocket => "docker-socket",
            Code::SetuidAdded => "setuid-added",
            Code::BuildArgument => "build-argument",
            Code::IntermediateImages => "intermediate-images",
            Code::NameResolved => "name-resolved",
            Code::OtherFileSystem => "other-file-system",
        }
    }

    /// The kind with this text form.
    pub fn parse(text: &str) -> Option<Code> {
        Code::all().find(|code| code.as_str() == text)
    }

    /// True for what is said of an image's hygiene (`posture`).
    pub fn is_posture(self) -> bool {
        matches!(
            self,
            Code::RunsAsRoot
                | Code::BaseUnknown
                | Code::BaseUnofficial
                | Code::BaseFloating
                | Code::BaseOld
                | Code::LeftBehind
                | Code::DockerSocket
                | Code::SetuidAdded
                | Code::BuildArgument
                | Code::IntermediateImages
        )
    }

    /// True for what is worth knowing and left nothing unread: it does not make a scan incomplete.
    pub fn is_note(self) -> bool {
        self.is_posture()
            || matches!(
                self,
                Code::UnknownEntry
                    | Code::BrokenHardLink
                    | Code::NameMismatch
                    | Code::PlainFileSystem
                    | Code::Artifact
                    | Code::ListsDiffer
                    | Code::Orphan
                    | Code::PathTraversal
                    | Code::TrailingData
                    | Code::NotATar
                    | Code::NotUnpacked
                    | Code::PlatformAbsent
                    | Code::AmbiguousHistory
                    | Code::NotVerified
                    | Code::BaseDiffers
                    | Code::NameResolved
                    | Code::OtherFileSystem
                    | Code::IgnoreExpired
                    | Code::IgnoreUnused
            )
    }
}

/// Something that is wrong with the input and did not stop the scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which kind.
    pub code: Code,
    /// One sentence for people. Names in it come from the image: sanitise before printing.
    pub message: String,
    /// The path within the layer, where the problem is about one file.
    pub path: Option<Vec<u8>>,
}

impl Problem {
    /// A problem of a whole blob or image.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Problem { code, message: message.into(), path: None }
    }

    /// A problem of one file of a layer.
    pub fn at(code: Code, path: &[u8], message: impl Into<String>) -> Self {
        Problem { code, message: message.into(), path: Some(path.to_vec()) }
    }
}

/// Problems as they are found. A hostile layer has as many as it likes: of each kind the first are kept and the rest is counted.
#[derive(Debug, Default)]
pub struct Problems {
    kept: Vec<Problem>,
    counts: BTreeMap<Code, u64>,
}

impl Problems {
    /// How many of one kind are kept.
    const MOST: u64 = 20;

    /// Adds a problem.
    pub fn push(&mut self, problem: Problem) {
        let count = self.counts.entry(problem.code).or_default();
        *count += 1;
        if *count <= Problems::MOST {
            self.kept.push(problem);
        }
    }

    /// Adds those that were found elsewhere.
    pub fn append(&mut self, other: Problems) {
        self.extend(other.kept);
        for (code, count) in other.counts {
            *self.counts.entry(code).or_default() += count.saturating_sub(Problems::MOST);
        }
    }

    /// What was kept, and how many are left out.
    pub fn finish(self) -> Vec<Problem> {
        let mut all = self.kept;
        let more = self.counts.into_iter().filter(|(_, count)| *count > Problems::MOST);
        all.extend(more.map(|(code, count)| Problem::new(code, format!("and {} more of this kind", count - Problems::MOST))));
        all
    }
}

impl Extend<Problem> for Problems {
    fn extend<T: IntoIterator<Item = Problem>>(&mut self, problems: T) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_problems_are_counted() {
        let mut problems = Problems::default();
        problems.extend((0..1000).map(|i| Problem::new(Code::PathTraversal, i.to_string())));
        problems.push(Problem::new(Code::Truncated, "cut"));
        let all = problems.finish();
        assert_eq!(all.len(), 22);
        assert_eq!(all[21].message, "and 980 more of this kind");
        let (mut one, mut other) = (Problems::default(), Problems::default());
        one.push(Problem::new(Code::PathTraversal, "first"));
        other.extend((0..30).map(|i| Problem::new(Code::PathTraversal, i.to_string())));
        one.append(other);
        let all = one.finish();
        assert_eq!((all.len(), &all[20].message[..]), (21, "and 11 more of this kind"));
    }
}
