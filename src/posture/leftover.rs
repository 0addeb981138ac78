//! What is left behind by those who made an image: told by the path alone.

use crate::compose::is_compose;
use crate::layer::path::{ancestors, is_below, split};

/// A kind of leftover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leftover {
    /// A git repository: its directory `.git`.
    Git,
    /// `.env` and the like, if they are no examples.
    Env,
    /// A recipe for an image.
    Recipe,
    /// A compose file.
    Compose,
    /// The history of a shell or of another tool.
    History,
    /// Settings of an editor, and copies that it made.
    Editor,
}

/// Files in which shells and tools keep what was typed.
const HISTORIES: &[&str] = &[
    ".ash_history",
    ".bash_history",
    ".irb_history",
    ".lesshst",
    ".mariadb_history",
    ".mysql_history",
    ".node_repl_history",
    ".php_history",
    ".psql_history",
    ".python_history",
    ".rediscli_history",
    ".sh_history",
    ".sqlite_history",
    ".viminfo",
    ".zsh_history",
    "fish_history",
];

/// Endings of `.env.` that say that the values are none, or are locked.
const NO_VALUES: &[&str] = &[
    "age",
    "default",
    "defaults",
    "dist",
    "enc",
    "encrypted",
    "example",
    "examples",
    "gpg",
    "js",
    "json",
    "md",
    "sample",
    "samples",
    "schema",
    "template",
    "tmpl",
    "tpl",
    "ts",
    "vault",
];

/// Where packages are: what they bring along is theirs.
const PACKAGED: &[&str] = &[
    "gnu/store",
    "go/pkg",
    "lib",
    "lib64",
    "nix/store",
    "opt/conda",
    "root/go/pkg",
    "snap",
    "usr/include",
    "usr/lib",
    "usr/lib32",
    "usr/lib64",
    "usr/libexec",
    "usr/local/bundle",
    "usr/local/go",
    "usr/local/include",
    "usr/local/lib",
    "usr/local/lib64",
    "usr/local/share",
    "usr/share",
    "var/cache",
    "var/lib/dpkg",
    "var/lib/gems",
];
/// Directories of packages, wherever they are.
const OF_PACKAGES: &[&str] = &[
    ".bundle",
    ".cache",
    ".cargo",
    ".gradle",
    ".m2",
    ".npm",
    ".nvm",
    ".oh-my-zsh",
    ".pyenv",
    ".rbenv",
    ".rustup",
    ".terraform",
    "bower_components",
    "dist-packages",
    "gems",
    "node_modules",
    "site-packages",
    "vendor",
];

impl Leftover {
    /// What a file of this path is left from, if it is, and the path that tells it: of what is in a directory, the directory.
    pub fn of(path: &[u8]) -> Option<(Leftover, &[u8])> {
        let (dir, name) = split(path);
        let text = std::str::from_utf8(name).ok()?;
        let kind = match text {
            "HEAD" if split(dir).1 == b".git" => return Some((Leftover::Git, dir)).filter(|_| !is_packaged(dir)),
            "Dockerfile" | "Containerfile" => Leftover::Recipe,
            _ if text.len() > 11 && text.to_ascii_lowercase().ends_with(".dockerfile") => Leftover::Recipe,
            _ if is_compose(path) => Leftover::Compose,
            _ if HISTORIES.contains(&text) => Leftover::History,
            _ if text == ".env" || text.strip_prefix(".env.").is_some_and(has_values) => Leftover::Env,
            _ if text.starts_with('.') && text.ends_with(".swp") || text.len() > 1 && text.ends_with('~') => Leftover::Editor,
            _ => {
                let editor = ancestors(path).find(|dir| matches!(split(dir).1, b".vscode" | b".idea"))?;
                return Some((Leftover::Editor, editor)).filter(|_| !is_packaged(editor));
            }
        };
        (!is_packaged(path)).then_some((kind, path))
    }

    /// What it is, for a message.
    pub fn what(self) -> &'static str {
        match self {
            Leftover::Git => "a git repository, with all that was ever in it,",
            Leftover::Env => "a file of settings",
            Leftover::Recipe => "the recipe of an image",
            Leftover::Compose => "a compose file",
            Leftover::History => "what somebody typed into a shell or tool",
            Leftover::Editor => "settings or copies of an editor",
        }
    }

    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Leftover::Git => "name .git in .dockerignore, and clone in a stage of its own",
            Leftover::Env => "name it in .dockerignore, and give the values when the container starts",
            Leftover::History => "delete it in the step that writes it",
            Leftover::Recipe | Leftover::Compose | Leftover::Editor => "name it in .dockerignore",
        }
    }
}

fn has_values(suffix: &str) -> bool {
    !suffix.is_empty() && !suffix.ends_with('~') && !suffix.split('.').any(|part| NO_VALUES.contains(&part.to_ascii_lowercase().as_str()))
}

/// Whether a package has put a file of this path there.
fn is_packaged(path: &[u8]) -> bool {
    let below = |dir: &&str| is_below(path, dir.as_bytes());
    PACKAGED.iter().any(below) || ancestors(path).any(|dir| OF_PACKAGES.iter().any(|name| split(dir).1 == name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_by_their_paths() {
        for (path, expected) in [
            ("app/.git/HEAD", Some((Leftover::Git, "app/.git"))),
            (".git/HEAD", Some((Leftover::Git, ".git"))),
            ("app/.git/refs/remotes/origin/HEAD", None),
            ("root/.nvm/.git/HEAD", None),
            ("app/.env", Some((Leftover::Env, "app/.env"))),
            (".env.production", Some((Leftover::Env, ".env.production"))),
            ("app/.env.example", None),
            ("app/.env.production.SAMPLE", None),
            ("app/.env.", None),
            ("app/x.env", None),
            ("app/.env/bin/python", None),
            ("usr/src/app/Dockerfile", Some((Leftover::Recipe, "usr/src/app/Dockerfile"))),
            ("build/web.Dockerfile", Some((Leftover::Recipe, "build/web.Dockerfile"))),
            ("root/buildinfo/Dockerfile-ubi8-8.9", None),
            ("app/Dockerfile.md", None),
            ("app/node_modules/x/Dockerfile", None),
            ("usr/local/lib/python3.12/site-packages/x/.env", None),
            ("usr/lib/python3/dist-packages/x/compose.yml", None),
            ("app/vendor/x/docker-compose.yml", None),
            ("app/docker-compose.yml", Some((Leftover::Compose, "app/docker-compose.yml"))),
            ("root/.bash_history", Some((Leftover::History, "root/.bash_history"))),
            ("root/.bash_history.d/x", None),
            ("app/.idea/inspections/x.xml", Some((Leftover::Editor, "app/.idea"))),
            ("app/.main.c.swp", Some((Leftover::Editor, "app/.main.c.swp"))),
            ("app/main.c~", Some((Leftover::Editor, "app/main.c~"))),
            ("app/main.swp", None),
            ("app/.vscode-server/x", None),
            ("usr/share/doc/x/Dockerfile", None),
            ("etc/passwd", None),
        ] {
            let found = Leftover::of(path.as_bytes()).map(|(kind, path)| (kind, String::from_utf8_lossy(path).into_owned()));
            assert_eq!(found, expected.map(|(kind, path)| (kind, path.to_owned())), "{path}");
        }
    }
}
