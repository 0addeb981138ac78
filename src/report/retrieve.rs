//! The shell command that prints what a finding stands in, from the saved image, with tar alone.

use crate::archive::{Archive, Content};
use crate::finding::{Location, State};
use crate::layer_scan::{LayerScan, Spelling};
use crate::limits::PATH_MAX;
use crate::source::target::Target;
use crate::timeline::Fate;

/// The command, or `None` where there is none (an extended attribute, a name that a shell cannot be given).
pub fn command(target: &str, archive: &Archive, location: &Location, state: State) -> Option<String> {
    match location {
        Location::Metadata { blob, .. } => member(target, archive, archive.blobs[*blob].member),
        Location::File { inner, .. } if inner.first().is_some_and(|step| step.starts_with(b"#")) => None,
        Location::File { blob: None, entry, xattr: None, .. } => member(target, archive, *entry),
        Location::File { blob: Some(blob), entry, xattr: None, inner, .. } => {
            let blob = &archive.blobs[*blob];
            let mut command = member(target, archive, blob.member)?;
            for filter in blob.packing().iter().filter_map(|packing| packing.shell_filter()) {
                command.push_str(&format!(" | {filter}"));
            }
            match &blob.content {
                Content::Layer(layer) if layer.tar => {
                    let hidden = matches!(state, State::File(Fate::Superseded | Fate::Hidden)) && inner.is_empty();
                    let twice = layer.scan.at(layer.scan.path(*entry)).len() > 1;
                    let by_position = hidden || twice || !layer.scan.end_marker;
                    Some(format!("{command} | {}", entry_of(&layer.scan, *entry, by_position)))
                }
                _ => Some(command),
            }
        }
        Location::File { .. } => None,
    }
}

/// Prints an entry of the tar on standard input: by name where the name leads to this version, else by position.
fn entry_of(scan: &LayerScan, entry: u32, by_position: bool) -> String {
    let record = scan.entry(entry);
    match name_in_tar(scan, entry).filter(|_| !by_position) {
        Some(name) => format!("tar -xOf - {name}"),
        None if record.size > 0 => format!("tail -c +{} | head -c {}", record.offset + 1, record.size),
        None => format!("tail -c +{}", record.offset + 1),
    }
}

/// The name of an entry as it has to be typed for tar.
fn name_in_tar(scan: &LayerScan, entry: u32) -> Option<String> {
    let prefix = match scan.entry(entry).spelling {
        Spelling::Plain => "",
        Spelling::Dot => "./",
        Spelling::Rooted => "/",
        Spelling::Odd => return None,
    };
    let path = Some(scan.path(entry)).filter(|path| path.len() <= PATH_MAX)?;
    quoted(&[prefix.as_bytes(), path].concat())
}

/// Prints one member of the archive, or one file of a layout or a file system. What comes from a registry no usual tool prints.
fn member(target: &str, archive: &Archive, member: u32) -> Option<String> {
    let members = &archive.members;
    let (file, save) = match Target::parse(target).ok()? {
        Target::Stdin => ("image.tar".to_owned(), None),
        Target::Path(path) | Target::FileSystem(path) if path.is_dir() => {
            let file = path.join(String::from_utf8_lossy(members.path(member)).as_ref());
            return Some(format!("cat {}", quoted(file.as_os_str().as_encoded_bytes())?));
        }
        Target::Path(path) | Target::FileSystem(path) => (shell_file(&path.display().to_string())?, None),
        Target::Image(engine, name) => (String::new(), Some(format!("{} save {}", engine.as_str(), quoted(name.as_bytes())?))),
        #[cfg(feature = "docker")]
        Target::Container(engine, name) if members.path(member) == crate::source::daemon::CONTAINER.as_bytes() => {
            return Some(format!("{} inspect {}", engine.as_str(), quoted(name.as_bytes())?));
        }
        Target::Container(engine, name) => (String::new(), Some(format!("{} export {}", engine.as_str(), quoted(name.as_bytes())?))),
        Target::Registry(_) | Target::Name(_) => return None,
    };
    // Of several members with one name, tar would print all.
    let only = members.at(members.path(member)).len() == 1;
    let filters: String =
        archive.packing.iter().filter_map(|packing| packing.shell_filter()).map(|filter| format!(" | {filter}")).collect();
    let bytes = save.clone().unwrap_or_else(|| format!("cat {file}"));
    Some(match name_in_tar(members, member).filter(|_| only) {
        Some(name) if filters.is_empty() && save.is_none() => format!("tar -xOf {file} {name}"),
        Some(name) => format!("{bytes}{filters} | tar -xOf - {name}"),
        None => format!("{bytes}{filters} | {}", entry_of(members, member, true)),
    })
}

/// A target as it is typed in a shell.
pub fn shell_word(target: &str) -> Option<String> {
    match Target::parse(target) {
        Ok(Target::Path(path)) if path.as_os_str() == target => shell_file(target),
        _ => quoted(target.as_bytes()),
    }
}

/// A file as it is typed in a shell.
pub fn shell_file(file: &str) -> Option<String> {
    quoted(&as_file(file))
}

/// A name that tar takes for a file: a colon would make it a host, a dash an option.
fn as_file(target: &str) -> Vec<u8> {
    let odd = !target.starts_with('/') && target.contains(':') || target.starts_with('-');
    format!("{}{target}", if odd { "./" } else { "" }).into_bytes()
}

/// Bytes of a name, as they are typed in a shell.
pub fn shell_bytes(word: &[u8]) -> Option<String> {
    quoted(word)
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
