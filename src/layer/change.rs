//! What a member of a layer's tar means: a file that is put, a name that is whited out, a directory made opaque.
//!
//! This is the only place that knows how whiteouts are written (OCI image-spec, layer.md; formats.md, parts 7.5 and 8.1).

use super::tar::{Header, Kind};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const BOOKKEEPING: &[u8] = b".wh..wh.";

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
    /// The member's own name climbs out of the root with `..`.
    pub traversal: bool,
    /// A whiteout with an impossible target.
    pub invalid_whiteout: bool,
}

impl Change {
    /// What `header` means.
    pub fn of(header: &Header) -> Change {
        let (path, traversal) = clean(&header.path);
        let mut change = Change { path, kind: ChangeKind::Nothing, traversal, invalid_whiteout: false };
        let (dir, base) = split(&change.path);
        if base == OPAQUE {
            change.path = dir.to_vec();
            change.kind = ChangeKind::Opaque;
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
        }
        change
    }
}

/// A member name as engines read it: relative, without `.`, `//` or a slash at the end, `..` resolved and clamped at the root.
/// The second value tells whether there was a `..`.
pub fn clean(name: &[u8]) -> (Vec<u8>, bool) {
    let mut path = Vec::with_capacity(name.len());
    let mut traversal = false;
    for part in name.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                traversal = true;
                path.truncate(path.iter().rposition(|b| *b == b'/').unwrap_or(0));
            }
            _ => {
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(part);
            }
        }
    }
    (path, traversal)
}

/// Directory and base name of a cleaned path.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

fn join(dir: &[u8], base: &[u8]) -> Vec<u8> {
    if dir.is_empty() { base.to_vec() } else { [dir, b"/", base].concat() }
}

/// The proper ancestors of a cleaned path, nearest first, without the root.
pub fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter().enumerate().rev().filter(|(_, b)| **b == b'/').map(|(at, _)| &path[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str) -> (String, ChangeKind) {
        let change = Change::of(&Header { path: name.into(), ..Header::default() });
        (String::from_utf8(change.path).expect("ascii"), change.kind)
    }

    #[test]
    fn names_are_cleaned_as_engines_do() {
        for (raw, cleaned) in [
            ("./a", "a"),
            ("/a", "a"),
            ("m//b", "m/b"),
            ("m/./c", "m/c"),
            ("d/../n2", "n2"),
            ("../esc", "esc"),
            ("d/../../esc", "esc"),
            ("dir/", "dir"),
            ("./", ""),
            ("/", ""),
        ] {
            assert_eq!(clean(raw.as_bytes()).0, cleaned.as_bytes(), "{raw}");
        }
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
        assert_eq!(change(".WH.x"), (".WH.x".into(), file));
        assert_eq!(change(".wh.d/inner"), (".wh.d/inner".into(), file));
    }

    #[test]
    fn ancestors_are_proper_and_nearest_first() {
        assert_eq!(ancestors(b"a/b/c").collect::<Vec<_>>(), [&b"a/b"[..], b"a"]);
        assert_eq!(ancestors(b"a").count(), 0);
    }
}
