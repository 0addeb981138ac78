//! What each kind of problem means to whoever looks at an image, in words.

use super::Code;

/// Every code: what was seen, and what it may mean.
const MEANINGS: &[(Code, &str)] = &[
    (
        Code::Truncated,
        "The bytes end before they should: a download that broke off, a full disk, or a cut on purpose. What is missing was not searched.",
    ),
    (
        Code::CorruptCompression,
        "Compressed data cannot be decoded to its end. Damage is usual; data that only one engine's decoder accepts can also be made on purpose.",
    ),
    (
        Code::UnsupportedCompression,
        "The data is compressed in a way that is known and not undone here. No usual engine reads it either: ask why it is there, and decompress it to scan it.",
    ),
    (
        Code::InvalidHeader,
        "A header of a tar has a wrong checksum or impossible numbers. Tools differ in what they do then, so that one may see files that another does not.",
    ),
    (Code::ReadFailed, "The input could not be read to its end: a matter of the disk, the file or the pipe, and not of the image."),
    (
        Code::DiffIdMismatch,
        "The config promises a layer with another digest: the layer was changed after the image was made, or the config was. Engines refuse such an image.",
    ),
    (
        Code::DigestMismatch,
        "A blob's bytes are not those that its name or descriptor promises: it was damaged or exchanged after the image was made.",
    ),
    (Code::LayerMissing, "A layer that the image lists is not in the input. What is in it is not known, and it was not searched."),
    (
        Code::BlobMissing,
        "A config or manifest that is referred to is not in the input: the image is not complete, and part of it is not known.",
    ),
    (
        Code::InvalidDocument,
        "A document that should describe an image does not, or says two things at once. Tools may differ in which image they see.",
    ),
    (
        Code::CountMismatch,
        "The numbers of layers, digests and history entries do not fit together: layers were added, removed or edited by hand. Engines refuse such an image.",
    ),
    (
        Code::DuplicateMember,
        "Two members of the archive have one name. Some engines read the first and others the last: a scanner can be shown another image than the one that runs.",
    ),
    (
        Code::InvalidWhiteout,
        "A whiteout, which should delete a file, names none. Build tools do not write such: the layer was made or edited by hand or by a broken tool.",
    ),
    (Code::BrokenLink, "A link in the archive leads nowhere or in a circle: what it should lead to could not be looked at."),
    (
        Code::LimitReached,
        "Something is larger, deeper or more than is looked at, and was not read to its end. Honest images seldom come near; bombs, and places to hide, do.",
    ),
    (
        Code::ForeignLayer,
        "The layer is not in the file by design: its bytes are at a URL, as those of Windows' base images are. Whoever owns that URL decides what is run.",
    ),
    (
        Code::EncryptedLayer,
        "The layer is encrypted, and only its ciphertext was searched. Who has the key sees files that no scanner sees.",
    ),
    (Code::SizeMismatch, "A descriptor promises another size than the bytes have: they were cut, lengthened or exchanged."),
    (Code::Interrupted, "The scan was stopped before its end: what was found is true, and what is missing is not known."),
    (
        Code::UnknownEntry,
        "An entry of the tar has a type that no standard names. It is read like a file; engines may skip it, refuse it or do the same.",
    ),
    (
        Code::BrokenHardLink,
        "A hard link leads to a file that is not there. Engines refuse such a layer: the image was never run, or the layers were edited.",
    ),
    (
        Code::NameMismatch,
        "A config is stored under a name that is the digest of something else. Engines do not compare them: the config may have been edited after the image was made.",
    ),
    (
        Code::PlainFileSystem,
        "The tar lists no image: it is a file system, as docker export writes it, or a single layer. What other layers deleted is not in it.",
    ),
    (
        Code::Artifact,
        "The manifest describes no container image but something else that is kept in a registry: a chart, a module, a signature. Its blobs were searched as files.",
    ),
    (
        Code::ListsDiffer,
        "manifest.json and the OCI manifest of one image list other layers, or in another order. Docker and OCI tools then see different images under one name.",
    ),
    (
        Code::Orphan,
        "A manifest that no index and no manifest.json names. It is an old state that was left behind, which still holds what was removed since, or a hidden image.",
    ),
    (
        Code::PathTraversal,
        "A name climbs out of the layer's root with `..`. Engines keep it inside and careless tools would write to the host; build tools do not write such names.",
    ),
    (
        Code::TrailingData,
        "Bytes stand behind the end of an archive, a compressed stream or a JSON document. Engines ignore them: a place to hide or smuggle data.",
    ),
    (
        Code::NotATar,
        "What is listed as a layer is no tar. Engines cannot unpack it: it is damaged, or data that only uses the registry as a store.",
    ),
    (
        Code::NotUnpacked,
        "An archive in a file was searched only as it is stored: it is damaged, encrypted, or of a kind that is not unpacked. What is in it may hold more.",
    ),
    (
        Code::PlatformAbsent,
        "An index lists images for platforms whose blobs are not in this file. That is usual for what one machine pulled; these were not searched.",
    ),
    (
        Code::AmbiguousHistory,
        "The history cannot be attributed to the layers with certainty: it was squashed, shortened or written by hand. Which step made a layer is then a guess.",
    ),
    (
        Code::NotVerified,
        "Digests were not compared, because that was asked for, or because they are of another kind than SHA-256: that the bytes are those that the documents promise is not known.",
    ),
    (
        Code::BaseDiffers,
        "The image has not all layers of what is said to be its base: it was built from another version of that, or from something else. Only the layers that are the same were taken for the base's.",
    ),
    (
        Code::IgnoreExpired,
        "An ignore (pentimento.toml, .pentimentoignore) was to hold until a day that is over. What it let pass fails now: look at it again, and give it a new day or take it out.",
    ),
    (
        Code::IgnoreUnused,
        "An ignore (pentimento.toml, .pentimentoignore) fits nothing that was found. What it was for is gone, or its path or id has a slip of the pen.",
    ),
    (
        Code::RunsAsRoot,
        "The config names no user, or root. Whoever breaks into a process of the container is root in it, and one flaw of the kernel or one mount away from the host.",
    ),
    (
        Code::BaseUnknown,
        "The image stands on an operating system that it did not make, and nothing says which. Neither its flaws nor its author can be looked up.",
    ),
    (
        Code::BaseUnofficial,
        "The image was built from one that is neither of Docker's library nor of a well-known vendor. Whoever publishes it can put anything into what is built on it.",
    ),
    (
        Code::BaseFloating,
        "The image was built from a tag that is moved all the time, and nothing says to which image it led then. The build cannot be repeated or checked.",
    ),
    (Code::BaseOld, "The lowest layer was made more than a year ago and is as it was then. Flaws that were mended since are still in it."),
    (
        Code::LeftBehind,
        "Files of the build or of its author are in a layer: a repository, settings, recipes, a shell's history. They tell how it was made, and often hold secrets.",
    ),
    (
        Code::DockerSocket,
        "The image, or a compose file in it, expects the socket of the engine. Whoever controls the container then controls the engine, and with it the host.",
    ),
    (
        Code::SetuidAdded,
        "A program that runs with its owner's rights was added on top of the base, and belongs to no usual package. It is a way to become root in the container, or a back door.",
    ),
    (
        Code::BuildArgument,
        "A build argument is named like a secret. The value that is passed stands in the history of the image, readable for whoever can pull it.",
    ),
    (
        Code::IntermediateImages,
        "The archive holds untagged images that are earlier states of this one. They show what later steps removed, also where the last image was squashed.",
    ),
    (
        Code::NameResolved,
        "What was asked for is no file and has no prefix, so engines were asked for an image of that name, and then a registry. It says which of them had it.",
    ),
    (
        Code::OtherFileSystem,
        "A scan of a file system stays on the one it begins on: mounts are not part of an image. What is on them was not read, and is scanned when it is named itself.",
    ),
];

impl Code {
    /// Every code, in the order of the documentation.
    pub fn all() -> impl Iterator<Item = Code> {
        MEANINGS.iter().map(|(code, _)| *code)
    }

    /// What was seen, and what it may mean for whoever looks at a suspicious image: one sentence or two. A test holds that every code has
    /// its own.
    pub fn meaning(self) -> &'static str {
        MEANINGS.iter().find(|(code, _)| *code == self).map_or("", |(_, meaning)| meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_has_a_meaning_of_its_own() {
        // `as_str` has an arm for each code: the compiler sees to that.
        let arms = include_str!("../error.rs").lines().filter(|line| line.trim_start().starts_with("Code::") && line.contains(" => \""));
        let names: BTreeSet<&str> = Code::all().map(Code::as_str).collect();
        assert_eq!((arms.count(), Code::all().count()), (names.len(), names.len()));
        let meanings: BTreeSet<&str> = Code::all().map(Code::meaning).collect();
        assert_eq!(meanings.len(), names.len());
        for meaning in meanings {
            assert!(meaning.ends_with('.') && meaning.len() > 60 && meaning.matches(". ").count() <= 1, "{meaning}");
        }
    }
}
