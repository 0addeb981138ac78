//! The shell command that prints what a finding stands in, from the saved image, with tar alone.

use crate::archive::{Archive, Blob, Content};
use crate::finding::{Location, State};
use crate::layer_scan::Spelling;
use crate::timeline::Fate;
use std::path::Path;

/// The command, or `None` where there is none (an extended attribute, a name that a shell cannot be given).
pub fn command(target: &str, archive: &Archive, location: &Location, state: State) -> Option<String> {
    match location {
        Location::Metadata { blob, .. } => member(target, &archive.blobs[*blob]),
        Location::File { blob, entry, path, xattr: None, .. } => {
            let blob = &archive.blobs[*blob];
            let mut command = member(target, blob)?;
            for filter in blob.packing.iter().filter_map(|packing| packing.shell_filter()) {
                command.push_str(&format!(" | {filter}"));
            }
            let Content::Layer { scan, tar: true, .. } = &blob.content else { return Some(command) };
            let record = scan.entry(*entry);
            let prefix = match record.spelling {
                Spelling::Plain => Some(""),
                Spelling::Dot => Some("./"),
                Spelling::Rooted => Some("/"),
                Spelling::Odd => None,
            };
            // By name where the name leads to this version, else by position.
            let by_name = prefix
                .filter(|_| !matches!(state, State::File(Fate::Superseded | Fate::Hidden)))
                .and_then(|p| quoted(&[p.as_bytes(), path].concat()));
            Some(match by_name {
                Some(name) => format!("{command} | tar -xOf - {name}"),
                None if record.size > 0 => format!("{command} | tail -c +{} | head -c {}", record.offset + 1, record.size),
                None => format!("{command} | tail -c +{}", record.offset + 1),
            })
        }
        Location::File { .. } => None,
    }
}

/// Prints one member of the archive, or one file of a layout.
fn member(target: &str, blob: &Blob) -> Option<String> {
    let name = quoted(&blob.name)?;
    let target = target.strip_prefix("oci:").unwrap_or(target);
    let path = Path::new(target);
    if path.is_dir() {
        return Some(format!("cat {}", quoted(path.join(String::from_utf8_lossy(&blob.name).as_ref()).as_os_str().as_encoded_bytes())?));
    }
    let file = if target == "-" { "image.tar".to_owned() } else { shell_word(target)? };
    Some(match blob.offset {
        Some(offset) if blob.name.starts_with(b"#") => format!("tail -c +{} {file}", offset + 1),
        _ => format!("tar -xOf {file} {name}"),
    })
}

/// A target as it is typed in a shell.
pub fn shell_word(target: &str) -> Option<String> {
    quoted(&as_file(target))
}

/// A target that tar takes for a file: a colon would make it a host, a dash an option.
fn as_file(target: &str) -> Vec<u8> {
    let odd = !target.starts_with('/') && target.contains(':') || target.starts_with('-');
    format!("{}{target}", if odd { "./" } else { "" }).into_bytes()
}

/// A word for a POSIX shell. `None` for what cannot be typed, would be taken for an option, or means something to tar (a backslash).
fn quoted(word: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(word)
        .ok()
        .filter(|t| !t.starts_with('-') && !t.is_empty() && !t.contains('\\') && crate::text::sanitise(t) == **t)?;
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-:@+,=".contains(&b));
    Some(if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_files() {
        assert_eq!(
            [as_file("app:1.tar"), as_file("-x.tar"), as_file("/a:b")],
            [b"./app:1.tar".to_vec(), b"./-x.tar".to_vec(), b"/a:b".to_vec()]
        );
    }

    #[test]
    fn words_are_safe_in_a_shell() {
        assert_eq!(quoted(b"app/.env").as_deref(), Some("app/.env"));
        assert_eq!(quoted(b"a b'c").as_deref(), Some("'a b'\\''c'"));
        assert_eq!(quoted(b"$(rm -rf x)").as_deref(), Some("'$(rm -rf x)'"));
        assert_eq!(quoted(b"-rf"), None);
        assert_eq!(quoted(b"a\nb"), None);
        assert_eq!(quoted(b"a\\nb"), None);
        assert_eq!(quoted(b"a\xff"), None);
    }
}
