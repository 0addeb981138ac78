//! How much a hidden file looks like something that somebody wanted to hide: a sum of what speaks for it and against it.
//!
//! No rule of the matcher is asked, beyond whether something was found in the file: what is hidden may be of any kind.

use crate::layer::path::split;
use crate::timeline::{Fate, How};

/// What is known of a hidden file.
#[derive(Debug, Clone, Copy)]
pub struct Hidden<'a> {
    /// Its path.
    pub path: &'a [u8],
    /// Its size in bytes.
    pub size: u64,
    /// What became of it.
    pub fate: Fate,
    /// What the instruction that hid it says.
    pub hidden_by: Option<&'a str>,
    /// Findings in it.
    pub findings: usize,
    /// The same content shows elsewhere in the final image.
    pub copied: bool,
    /// Something stands at its path in the final image.
    pub succeeded: bool,
}

/// Names that secrets go by. Compared with the last part of the path in lower case: whole, or as its end where they begin with a dot.
const NAMES: &[&str] = &[
    ".env",
    ".npmrc",
    ".pypirc",
    ".netrc",
    ".pgpass",
    ".my.cnf",
    ".git-credentials",
    ".dockercfg",
    ".dockerconfigjson",
    ".htpasswd",
    ".vault-token",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "credentials",
    "shadow",
    "kubeconfig",
    ".kdbx",
    ".pem",
    ".key",
    ".p12",
    ".pfx",
    ".jks",
    ".keystore",
    ".ovpn",
    ".ppk",
    ".asc",
    ".gpg",
    ".tfstate",
    ".tfvars",
    ".bash_history",
    ".zsh_history",
    ".ash_history",
    ".python_history",
    ".mysql_history",
    ".psql_history",
    ".sql",
    ".dump",
    ".bak",
    ".sqlite",
    ".sqlite3",
    ".db",
    ".pcap",
    ".mdb",
    ".wallet",
];

/// Words in a name that say so.
const WORDS: &[&str] = &[
    "secret",
    "passw",
    "token",
    "credential",
    "private",
    "apikey",
    "api_key",
    "api-key",
    "backup",
    "auth",
    "dump",
    "cert",
    "vault",
    "license",
    "login",
    "wallet",
    "master",
];

/// Directories that private things are kept in.
const PLACES: &[&str] = &[".ssh", ".aws", ".gnupg", ".kube", ".docker", ".azure", ".config/gcloud", ".git", "run/secrets", "secrets"];

/// Where tools keep what anybody may see, and what they write anew again and again.
const NOISE: &[&str] = &[
    "var/cache",
    "var/lib/apt",
    "var/lib/dpkg",
    "var/lib/rpm",
    "lib/apk/db",
    "var/log",
    "usr/share",
    "usr/include",
    "usr/lib/python3",
    "usr/local/lib/python3",
    "etc/ld.so.cache",
    "root/.cache",
    "root/.npm",
    "tmp/npm-",
    "tmp/pip-",
    "usr/local/lib/node_modules",
    "proc",
    "sys",
    "var/lib/yum",
    "var/lib/dnf",
];

/// Endings of what is built or published.
const BUILT: &[&str] = &[
    ".pyc", ".pyo", ".o", ".a", ".so", ".la", ".h", ".hpp", ".md", ".rst", ".html", ".css", ".map", ".png", ".svg", ".mo", ".gz", ".deb",
    ".rpm", ".apk", ".whl",
];

impl Hidden<'_> {
    /// The sum, and what made it, the weightiest first. Larger is more.
    pub fn suspicion(&self) -> (i32, Vec<&'static str>) {
        let path = String::from_utf8_lossy(self.path).to_ascii_lowercase();
        let name = split(path.as_bytes()).1;
        let name = std::str::from_utf8(name).unwrap_or_default();
        let within = |place: &&str| {
            path.starts_with(&format!("{place}/"))
                || path.contains(&format!("/{place}/"))
                || path.starts_with(*place) && place.contains('/')
        };
        let named = NAMES
            .iter()
            .any(|known| name == *known || known.starts_with('.') && name.ends_with(known) || name.starts_with(&format!("{known}.")));
        let reasons = [
            (self.findings > 0, 60, "secrets were found in it"),
            (named, 30, "a name that secrets go by"),
            (PLACES.iter().any(within), 20, "in a directory for private things"),
            (!named && WORDS.iter().any(|word| name.contains(word)), 15, "a name that speaks of secrets"),
            (self.fate == Fate::Hidden, 40, "never part of the file system"),
            (self.fate == Fate::Superseded, 25, "superseded within its own layer"),
            (self.by_name(name), 25, "named by the instruction that hid it"),
            (matches!(self.fate, Fate::Deleted { how: How::Whiteout, .. }), 5, "deleted for itself"),
            (matches!(self.fate, Fate::Replaced { .. }), 5, "replaced by something of another type"),
            (self.copied, -30, "the same content shows elsewhere"),
            (NOISE.iter().any(within), -30, "where tools write and clean up"),
            (BUILT.iter().any(|end| name.ends_with(end)), -15, "built, or published"),
            (self.size == 0, -40, "empty"),
            (self.size > 64 << 20, -10, "very large"),
            (self.succeeded && self.fate != Fate::Hidden && self.findings == 0 && !named, -5, "a newer version shows"),
        ];
        let mut told: Vec<(i32, &'static str)> =
            reasons.into_iter().filter(|(holds, ..)| *holds).map(|(_, weight, why)| (weight, why)).collect();
        told.sort_by_key(|(weight, _)| std::cmp::Reverse(weight.abs()));
        (told.iter().map(|(weight, _)| weight).sum(), told.into_iter().map(|(_, why)| why).collect())
    }

    /// The instruction that hid it names it.
    fn by_name(&self, name: &str) -> bool {
        name.len() >= 3 && self.hidden_by.is_some_and(|by| by.to_ascii_lowercase().contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_hid_stands_in_front_of_what_a_tool_cleaned_up() {
        let deleted = Fate::Deleted { by: 1, how: How::Whiteout };
        let hidden = |path: &'static str, fate, hidden_by| Hidden {
            path: path.as_bytes(),
            size: 100,
            fate,
            hidden_by,
            findings: 0,
            copied: false,
            succeeded: false,
        };
        let score = |hidden: Hidden| hidden.suspicion().0;
        let order = [
            hidden("root/.ssh/id_rsa", deleted, Some("RUN rm /root/.ssh/id_rsa")),
            hidden("app/config/db_password.txt", deleted, Some("RUN rm -rf /app/config")),
            hidden("app/notes.txt", deleted, None),
            hidden("var/cache/apt/pkgcache.bin", deleted, Some("RUN apt-get clean")),
        ];
        assert!(order.windows(2).all(|pair| score(pair[0]) > score(pair[1])), "{:?}", order.map(|hidden| hidden.suspicion()));
        assert!(score(Hidden { findings: 1, ..order[2] }) > score(order[1]));
        assert!(score(Hidden { copied: true, ..order[1] }) < score(order[2]));
    }
}
