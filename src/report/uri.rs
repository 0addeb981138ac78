//! Names from an image as relative URIs (RFC 3986, 4.2).

use super::FindingEntry;
use crate::text::sanitise;

/// `path` as a relative reference that stays below its base: without empty parts, `.` and `..`, and with everything escaped that could be
/// taken for something else. A colon in the first part would make it a scheme.
pub fn relative(path: &str) -> String {
    let path = sanitise(path);
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "." | ".."));
    let uri = parts.map(escaped).collect::<Vec<_>>().join("/");
    if uri.is_empty() { "-".to_owned() } else { uri }
}

/// A path for what a finding is in, the same for every build and every tag: the file in its image, or for metadata a path that no file has.
pub fn place(finding: &FindingEntry) -> String {
    let at = &finding.location;
    match (&at.path, &at.name, at.step) {
        (Some(path), ..) => path.clone(),
        // Steps move: build arguments are called by their names, other texts by their ids.
        (None, Some(name), _) => format!("image-config/{}/{name}", at.kind),
        (None, None, Some(_)) => format!("image-config/{}/{}", at.kind, finding.id),
        (None, None, None) => format!("image-config/{}/{}", at.kind, at.pointer.as_deref().unwrap_or_default()),
    }
}

fn escaped(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for byte in part.bytes() {
        match byte {
            // Unreserved characters (2.3).
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_place() {
        for (path, expected) in [
            ("app/.env", "app/.env"),
            ("/../a//./b c", "a/b%20c"),
            ("a:b/c:d", "a%3Ab/c%3Ad"),
            ("50%/ü\n#?", "50%25/%C3%BC%5Cn%23%3F"),
            ("", "-"),
            ("..", "-"),
        ] {
            assert_eq!(relative(path), expected);
        }
    }
}
