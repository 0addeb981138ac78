//! What a header says, with all that stands in front of it.

use super::fields::Record;

/// The type of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// A regular file; also contiguous, sparse and unknown types, whose bytes are read like a file's.
    #[default]
    Regular,
    /// A hard link to `link`, which is relative to the archive's root.
    HardLink,
    /// A symbolic link to `link`.
    Symlink,
    /// A directory.
    Directory,
    /// A character device.
    CharDevice,
    /// A block device or FIFO.
    Special,
}

/// One entry of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// The name as it stands in the archive: bytes, not cleaned.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Stored bytes of content.
    pub size: u64,
    /// Permission bits (07777).
    pub mode: u16,
    /// Numbers of the owner and the group, where they are numbers.
    pub owner: Option<(u64, u64)>,
    /// When it was last changed, in seconds since 1970; none before that, and where it is no number.
    pub mtime: Option<u64>,
    /// The target of a link.
    pub link: Vec<u8>,
    /// Major and minor number of a device.
    pub device: (u64, u64),
    /// Extended attributes, names as the kernel has them (`user.x`).
    pub xattrs: Vec<Record>,
    /// Where the content begins, in bytes from the archive's start.
    pub offset: u64,
    /// Text in places where tools look for none: padding of the entry before, records of pax headers that mean nothing for a file,
    /// unused bytes of the header. A line each.
    pub aside: Vec<u8>,
}
