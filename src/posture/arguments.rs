//! Build arguments that are named like secrets: what is passed for them stays in the history.

use super::Notes;
use crate::error::{Code, Problem};
use crate::image::Image;
use crate::image::about::About;
use crate::image::history;
use crate::text::cut;
use std::collections::BTreeSet;

/// Words of names that are those of secrets.
const SECRET: &str =
    " TOKEN TOKENS PASSWORD PASSWORDS PASSWD PASSPHRASE PWD PASS SECRET SECRETS KEY CREDENTIAL CREDENTIALS CREDS APIKEY PAT ";
/// A last word that tells of something about a secret rather than the secret: where it is, whose it is, what it is called.
const ABOUT: &str = " FILE PATH DIR URL URI ENDPOINT ID NAME TYPE KIND SIZE LENGTH BITS TTL EXPIRY EXPIRES EXPIRATION SERVER SERVERS VERSION HOST PORT \
    ALGORITHM ALGO PREFIX SUFFIX FINGERPRINT COUNT ENABLED REQUIRED ISSUER AUDIENCE USER FORMAT ROTATION LIMIT PROVIDER STORE BACKEND MOUNT CACHE HASH SHA256 ";
/// What stands in front of `KEY` where it is none of a lock.
const OPEN: &str = " PUBLIC PUB GPG PGP CACHE SORT PRIMARY FOREIGN PARTITION APT REPO RPM RELEASE PUBLISHABLE SITE HOST IDEMPOTENCY ";

/// The most arguments that are named of one image.
const MOST: usize = 20;
/// Longer names are cut, in bytes.
const LONGEST: usize = 100;

/// Each such argument once, where it was used first, or else declared.
pub fn notes(image: &Image, about: &About) -> Notes {
    let mut told = BTreeSet::new();
    let mut notes = Notes::new();
    let named = |declared: bool| {
        let steps = about
            .steps
            .iter()
            .enumerate()
            .filter(move |(index, _)| image.steps.get(*index).is_some_and(|step| is_declaration(step) == declared));
        steps.flat_map(|(index, (_, command))| history::arguments(command).into_iter().map(move |name| (index, name)))
    };
    for (step, name) in named(false).chain(named(true)) {
        if !is_secret(name) || told.len() >= MOST || !told.insert(name) {
            continue;
        }
        let message = format!(
            "the build argument {} is named like a secret, and what is passed for it stays in the image's history: use RUN --mount=type=secret",
            cut(name, LONGEST)
        );
        notes.push((layer_of(image, step), Problem::new(Code::BuildArgument, message)));
    }
    notes
}

fn is_declaration(step: &history::Step) -> bool {
    step.instruction.starts_with("ARG ")
}

/// The layer that a step made, where that is certain.
pub fn layer_of(image: &Image, step: usize) -> Option<usize> {
    image.layers.iter().position(|layer| layer.attribution.certain && layer.attribution.steps.end == step + 1)
}

/// Whether a name has a word for a secret in it, and is not about something else.
fn is_secret(name: &str) -> bool {
    let words = words(name);
    let among = |list: &str, word: &str| list.contains(&format!(" {word} "));
    let about = words.last().is_some_and(|last| among(ABOUT, last));
    let secret = |(at, word): (usize, &String)| among(SECRET, word) && !(word == "KEY" && at > 0 && among(OPEN, &words[at - 1]));
    !about && words.iter().enumerate().any(secret)
}

/// `NPM_TOKEN`, `npmToken` → the words, in capitals.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for c in name.chars() {
        if c == '_' || small && c.is_ascii_uppercase() {
            words.push(String::new());
        }
        small = c.is_ascii_lowercase();
        if let Some(word) = words.last_mut().filter(|_| c != '_') {
            word.push(c.to_ascii_uppercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in [
            "NPM_TOKEN",
            "npmToken",
            "DB_PASSWORD",
            "SECRET_KEY_BASE",
            "AWS_SECRET_ACCESS_KEY",
            "API_KEY",
            "KEY",
            "github_pat",
            "SSH_PRIVATE_KEY",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "NODE_ENV",
            "VERSION",
            "TOKENIZER",
            "KEYSERVER",
            "MONKEY",
            "GPG_KEY",
            "SSH_PUBLIC_KEY",
            "PASSWORD_FILE",
            "TOKEN_URL",
            "SECRET_NAME",
            "AWS_ACCESS_KEY_ID",
            "BYPASS",
            "COMPASS_VERSION",
            "PATH",
            "CACHE_KEY",
            "",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
