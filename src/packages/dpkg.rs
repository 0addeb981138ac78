//! dpkg: a list of MD5 sums for each package, and the sums of configuration files in the status (dpkg(1), deb-md5sums(5)).

use super::{Packages, is_local};
use crate::digest::unhex;

/// A file of sums: `NAME.md5sums` or `NAME:ARCHITECTURE.md5sums`, each line a sum, two blanks and a path.
pub fn sums(path: &str, text: &str, packages: &mut Packages) {
    let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".md5sums");
    let name = name.split(':').next().unwrap_or(name);
    let files = || text.lines().filter_map(|line| line.split_once(' '));
    if !files().any(|(_, path)| is_local(path.trim_start())) {
        packages.add(name, "dpkg", files().filter_map(|(sum, _)| unhex(sum.as_bytes())));
    }
}

/// The status: stanzas, of which each may have a field `Conffiles` with a path and a sum in each line.
pub fn status(text: &str, packages: &mut Packages) {
    for stanza in text.split("\n\n") {
        let Some(name) = stanza.lines().find_map(|line| line.strip_prefix("Package: ")) else { continue };
        let lines = stanza.lines().skip_while(|line| *line != "Conffiles:").skip(1).take_while(|line| line.starts_with(' '));
        let sums = lines.filter_map(|line| line.trim_start().split(' ').nth(1)).filter_map(|sum| unhex(sum.as_bytes()));
        packages.add(name.trim(), "dpkg", sums);
    }
}

#[cfg(test)]
mod tests {
    use super::super::List;
    use super::super::tests::owner;
    use crate::digest::{FileDigests, hex};

    fn sum(content: &str) -> String {
        hex(&FileDigests::of(content.as_bytes()).md5.expect("MD5"))
    }

    #[test]
    fn a_file_as_its_package_has_it_is_known_and_a_changed_one_is_not() {
        let text = format!("{}  usr/bin/x\n{}  usr/share/doc/x/README\n", sum("one"), sum("two"));
        let path = "var/lib/dpkg/info/libx1:amd64.md5sums";
        assert_eq!(owner(List::Dpkg, path, &text, b"two").as_deref(), Some("libx1 (dpkg)"));
        assert_eq!(owner(List::Dpkg, path, &text, b"changed"), None);
    }

    #[test]
    fn a_package_of_ones_own_is_not_published() {
        let text = format!("{}  opt/app/settings.py\n{}  usr/bin/app\n", sum("one"), sum("two"));
        assert_eq!(owner(List::Dpkg, "var/lib/dpkg/info/app.md5sums", &text, b"two"), None);
    }

    #[test]
    fn configuration_files_are_in_the_status() {
        let text =
            format!("Package: a\nVersion: 1\n\nPackage: b\nConffiles:\n /etc/b {}\n /etc/c {} obsolete\nVersion: 2\n", sum("b"), sum("c"));
        assert_eq!(owner(List::DpkgStatus, "var/lib/dpkg/status", &text, b"c").as_deref(), Some("b (dpkg)"));
        assert_eq!(owner(List::DpkgStatus, "var/lib/dpkg/status", &text, b"x"), None);
    }
}
