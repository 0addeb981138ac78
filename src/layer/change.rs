//! What a member of a layer's tar means: a file that is put, a name that is whited out, a directory made opaque.
//!
//! This is the only place that knows how whiteouts are written (OCI image-spec, layer.md; formats.md, parts 7.5 and 8.1).

use super::path::{clean, join, split};
use super::tar::{Header, Kind};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const BOOKKEEPING: &[u8] = b".wh..wh.";
/// AUFS' hard links to files without another name point in here.
const LINK_POOL: &[u8] = b".wh..wh.plnk/";
/// The extended attributes with which overlayfs marks a directory as opaque.
const OPAQUE_XATTRS: [&[u8]; 2] = [b"trusted.overlay.opaque", b"user.overlay.opaque"];

/// The type of what a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    /// A regular file.
    Regular,
    /// Another name for a file.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A directory.
    Directory,
    /// A device, FIFO or socket.
    Special,
}

/// What a member does to the file system below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// The path exists from here on.
    Put(FileType),
    /// The path, and all below it, of lower layers is removed.
    Whiteout,
    /// The same, said with overlayfs' character device 0,0: engines without overlayfs see a device.
    OverlayWhiteout,
    /// All that lower layers have below the path is hidden.
    Opaque,
    /// The same, said with overlayfs' extended attribute: engines without overlayfs do not see it.
    OverlayOpaque,
    /// A file of AUFS' link pool: some engines show it under its own name, all under the names of the links to it.
    LinkPool,
    /// AUFS bookkeeping, an invalid whiteout, or an entry without a name: no part of the file system.
    Nothing,
}

/// A member, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path it is about, cleaned: the target of a whiteout, the directory of an opaque marker.
    pub path: Vec<u8>,
    /// What happens to it.
    pub kind: ChangeKind,
    /// The directory is opaque too, by overlayfs' extended attribute.
    pub overlay_opaque: bool,
    /// The member's own name climbs out of the root with `..`.
    pub traversal: bool,
    /// A whiteout with an impossible target.
    pub invalid_whiteout: bool,
}

impl Change {
    /// What `header` means.
    pub fn of(header: &Header) -> Change {
        let (path, traversal) = clean(&header.path);
        let mut change = Change { path, kind: ChangeKind::Nothing, overlay_opaque: false, traversal, invalid_whiteout: false };
        let (dir, base) = split(&change.path);
        if base == OPAQUE {
            change.path = dir.to_vec();
            change.kind = ChangeKind::Opaque;
        } else if change.path.starts_with(LINK_POOL) && matches!(header.kind, Kind::Regular | Kind::HardLink) {
            change.kind = ChangeKind::LinkPool;
        } else if base.starts_with(BOOKKEEPING) || change.path.starts_with(BOOKKEEPING) {
            change.kind = ChangeKind::Nothing;
        } else if let Some(target) = base.strip_prefix(WHITEOUT) {
            if matches!(target, b"" | b"." | b"..") {
                change.invalid_whiteout = true;
            } else {
                change.path = join(dir, target);
                change.kind = ChangeKind::Whiteout;
            }
        } else if header.kind == Kind::CharDevice && header.device == (0, 0) {
            change.kind = ChangeKind::OverlayWhiteout;
        } else if !change.path.is_empty() {
            change.kind = ChangeKind::Put(match header.kind {
                Kind::Regular => FileType::Regular,
                Kind::HardLink => FileType::HardLink,
                Kind::Symlink => FileType::Symlink,
                Kind::Directory => FileType::Directory,
                Kind::CharDevice | Kind::Special => FileType::Special,
            });
            let opaque = |(name, value): &(Vec<u8>, Vec<u8>)| OPAQUE_XATTRS.contains(&&name[..]) && value == b"y";
            change.overlay_opaque = header.kind == Kind::Directory && header.xattrs.iter().any(opaque);
        }
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str) -> (String, ChangeKind) {
        let change = Change::of(&Header { path: name.into(), ..Header::default() });
        (String::from_utf8(change.path).expect("ascii"), change.kind)
    }

    #[test]
    fn whiteouts_are_decided_by_name() {
        let file = ChangeKind::Put(FileType::Regular);
        // Assembled, so that no tool takes this source for a layer.
        let wh = |rest: &str| format!("d/{}{rest}", ".wh.");
        assert_eq!(change(&wh("s1")), ("d/s1".into(), ChangeKind::Whiteout));
        assert_eq!(change(&wh(".wh..opq")), ("d".into(), ChangeKind::Opaque));
        assert_eq!(change(&wh(".wh.aufs")).1, ChangeKind::Nothing);
        for bad in ["", ".", ".."] {
            assert_eq!(change(&wh(bad)).1, ChangeKind::Nothing, "{bad}");
        }
        assert_eq!(change(&format!("{}{}", ".wh.", ".wh.plnk/1.2")).1, ChangeKind::LinkPool);
        assert_eq!(change(".WH.x"), (".WH.x".into(), file));
        assert_eq!(change(".wh.d/inner"), (".wh.d/inner".into(), file));
    }
}
