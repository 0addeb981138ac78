//! The `RECORD` of an installed Python distribution (PyPA, "Recording installed projects"): path, `sha256=` and base64 for URLs, size.

use super::Packages;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a distribution has that was not installed from an index, but from a directory, a repository or a file (PEP 610): such a one
/// may be anybody's own.
const DIRECT: &str = "direct_url.json";

/// One list: `NAME-VERSION.dist-info/RECORD`.
pub fn record(path: &str, text: &str, packages: &mut Packages) {
    let directory = path.rsplit('/').nth(1).unwrap_or_default().trim_end_matches(".dist-info");
    let rows = || text.lines().filter_map(row);
    if !rows().any(|(path, _)| path.trim_matches('"').ends_with(DIRECT)) {
        packages.add(&directory.replacen('-', " ", 1), "pip", rows().filter_map(|(_, hash)| sha256(hash)));
    }
}

/// Path and hash of a line. A path may have commas of its own.
fn row(line: &str) -> Option<(&str, &str)> {
    line.rsplit_once(',')?.0.rsplit_once(',')
}

fn sha256(hash: &str) -> Option<[u8; 16]> {
    URL_SAFE_NO_PAD.decode(hash.strip_prefix("sha256=")?).ok()?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::super::List;
    use super::super::tests::owner;
    use base64::Engine;
    use sha2::Digest as _;

    #[test]
    fn what_an_index_has_is_public_and_what_was_installed_from_a_directory_is_not() {
        let sum = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(b"settings"));
        let text = format!("app/settings.py,sha256={sum},8\n\"app/a,b.py\",sha256={sum},8\napp-1.0.dist-info/RECORD,,\n");
        let path = "usr/lib/python3/site-packages/app-1.0.dist-info/RECORD";
        assert_eq!(owner(List::Record, path, &text, b"settings").as_deref(), Some("app 1.0 (pip)"));
        let direct = format!("{text}app-1.0.dist-info/direct_url.json,sha256={sum},9\n");
        assert_eq!(owner(List::Record, path, &direct, b"settings"), None);
    }
}
