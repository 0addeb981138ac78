//! apk of Alpine: one list of all packages (apk-tools, `doc/apk-package.5`): fields of a letter, `P` the name, `F` a directory, `R` a
//! file in it, `Z` its checksum, `Q1` and base64 of a SHA-1.

use super::{Packages, is_local};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The list.
pub fn installed(text: &str, packages: &mut Packages) {
    for stanza in text.split("\n\n") {
        let fields = || stanza.lines().filter_map(|line| line.split_once(':'));
        let Some((_, name)) = fields().find(|(field, _)| *field == "P") else { continue };
        if !fields().any(|(field, dir)| field == "F" && is_local(&format!("{dir}/"))) {
            packages.add(name, "apk", fields().filter(|(field, _)| *field == "Z").filter_map(|(_, sum)| checksum(sum)));
        }
    }
}

fn checksum(text: &str) -> Option<[u8; 16]> {
    STANDARD.decode(text.strip_prefix("Q1")?).ok()?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::super::List;
    use super::super::tests::owner;
    use base64::Engine;
    use sha1::Digest as _;

    #[test]
    fn a_file_as_its_package_has_it_is_known() {
        let sum = |content: &str| format!("Q1{}", base64::engine::general_purpose::STANDARD.encode(sha1::Sha1::digest(content)));
        let text =
            format!("C:Q1abc=\nP:busybox\nV:1\nF:bin\nR:sh\na:0:0:755\nZ:{}\n\nP:own\nF:opt/own\nR:x\nZ:{}\n", sum("shell"), sum("own"));
        assert_eq!(owner(List::Apk, "lib/apk/db/installed", &text, b"shell").as_deref(), Some("busybox (apk)"));
        assert_eq!(owner(List::Apk, "lib/apk/db/installed", &text, b"own"), None);
    }
}
