//! Paths of members: bytes with `/`, compared byte by byte, whatever the platform (formats.md, part 7.5).

use std::cmp::Ordering;

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
pub fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

/// `base` within `dir`, where the root is the empty path.
pub fn join(dir: &[u8], base: &[u8]) -> Vec<u8> {
    if dir.is_empty() { base.to_vec() } else { [dir, b"/", base].concat() }
}

/// The proper ancestors of a cleaned path, nearest first, without the root.
pub fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter().enumerate().rev().filter(|(_, b)| **b == b'/').map(|(at, _)| &path[..at])
}

/// The cleaned path that a symbolic link at `link` (cleaned) names, if nothing on the way is a link itself.
pub fn link_target(link: &[u8], target: &[u8]) -> Vec<u8> {
    if target.starts_with(b"/") { clean(target).0 } else { clean(&join(split(link).0, target)).0 }
}

/// True if `path` is strictly below `dir`; everything is below the root, which is the empty path.
pub fn is_below(path: &[u8], dir: &[u8]) -> bool {
    dir.is_empty() && !path.is_empty() || path.len() > dir.len() && path.starts_with(dir) && path[dir.len()] == b'/'
}

/// Orders paths so that everything below a directory follows it at once: `/` sorts before every other byte.
pub fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let common = common_len(a, b);
    match (a.get(common), b.get(common)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(b'/'), Some(_)) => Ordering::Less,
        (Some(_), Some(b'/')) => Ordering::Greater,
        (Some(x), Some(y)) => x.cmp(y),
    }
}

/// A path as the key of a map in the order of [`compare`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a>(pub &'a [u8]);

impl Ord for Key<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.0, other.0)
    }
}

impl PartialOrd for Key<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The longest path that is an ancestor of both, or one of them itself: whole components that they share. The root is the empty path.
pub fn common<'a>(a: &'a [u8], b: &[u8]) -> &'a [u8] {
    let common = common_len(a, b);
    let ends = |path: &[u8]| path.get(common).is_none_or(|byte| *byte == b'/');
    if ends(a) && ends(b) {
        return &a[..common];
    }
    &a[..a[..common].iter().rposition(|b| *b == b'/').unwrap_or(0)]
}

fn common_len(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn ancestors_are_proper_and_nearest_first() {
        assert_eq!(ancestors(b"a/b/c").collect::<Vec<_>>(), [&b"a/b"[..], b"a"]);
        assert_eq!(ancestors(b"a").count(), 0);
    }

    #[test]
    fn links_are_relative_to_their_directory() {
        for (link, target, expected) in [("a/l", "x", "a/x"), ("a/l", "../x", "x"), ("a/l", "/x/y", "x/y"), ("l", "../../x", "x")] {
            assert_eq!(link_target(link.as_bytes(), target.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn everything_below_a_directory_follows_it_at_once() {
        let mut paths = ["da", "d/b", "d-", "d", "d/a/x", "d/a"].map(str::as_bytes);
        paths.sort_by(|a, b| compare(a, b));
        assert_eq!(paths, ["d", "d/a", "d/a/x", "d/b", "d-", "da"].map(str::as_bytes));
    }

    #[test]
    fn what_two_paths_share_is_whole_components() {
        for (a, b, shared) in [("a/b/c", "a/b/d", "a/b"), ("a/b", "a/bc", "a"), ("a", "a/b", "a"), ("a/b", "a/b", "a/b"), ("x", "y", "")] {
            assert_eq!(common(a.as_bytes(), b.as_bytes()), shared.as_bytes(), "{a} {b}");
        }
    }
}
