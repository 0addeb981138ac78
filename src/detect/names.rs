//! Names of assignments: the words that they are made of, and the rules that they lead to.

use crate::rules::Name;
use std::collections::HashMap;

/// Names and their rules.
#[derive(Default)]
pub struct Names {
    /// Words joined by `_`, and without separators.
    exact: HashMap<String, usize>,
    /// Long ones, for the end of a longer word; the longest first.
    joined: Vec<(String, usize)>,
}

/// A name without separators is looked for at the end of a longer word only from this length on: `dbpassword`, but not `bypass`.
const JOINED_FROM: usize = 6;

/// Words that may follow what a name means: `PASSWORD_PROD`, `api_key_b64`.
const QUALIFIERS: &[&str] = &[
    "prod",
    "production",
    "dev",
    "stage",
    "staging",
    "test",
    "testing",
    "live",
    "local",
    "default",
    "old",
    "new",
    "base64",
    "b64",
    "value",
    "text",
    "plain",
    "string",
    "str",
    "env",
    "primary",
    "secondary",
    "main",
    "ro",
    "rw",
    "v",
];

/// How words of names end, and what is in them. Measured on the files of an image with Python and Node: `key` stands there 750 times in a
/// megabyte, and `pat`, because of `path`, 500 times; at the end of a word, half as often.
const ENDS: &[&str] = &["key", "oken", "auth", "pat", "tok", "pwd", "psk", "jwt"];
const STEMS: &[&str] = &["pass", "secr", "cred", "bear"];

/// What stands wherever something is assigned to a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sign {
    /// In lower case.
    pub text: String,
    /// A word ends behind it.
    pub ends: bool,
}

/// Where there is an assignment to `name`, one of these stands.
pub fn signs(name: &Name) -> Vec<Sign> {
    let sign = |text: &str| Sign { text: text.to_owned(), ends: false };
    let words: Vec<&str> = name.words.split('_').collect();
    if words.iter().all(|word| word.len() < 3) {
        // Too short to be looked for alone.
        let last = words.last().unwrap_or(&"");
        return ["=", ":", "\"", "'", " ="].iter().map(|end| sign(&format!("{last}{end}"))).collect();
    }
    for (at, word) in words.iter().enumerate().rev() {
        if let Some(end) = ENDS.iter().find(|end| word.ends_with(**end)) {
            let one = Sign { ends: true, ..sign(end) };
            // Where there is nothing between the words, the next one follows.
            let joined = words.get(at + 1).map(|next| sign(&format!("{end}{}", &next[..1])));
            return [one].into_iter().chain(joined).collect();
        }
    }
    let stem = STEMS.iter().find(|stem| words.iter().any(|word| word.contains(**stem)));
    vec![stem.map_or_else(|| sign(words.iter().max_by_key(|word| word.len()).unwrap_or(&"")), |stem| sign(stem))]
}

/// True if the word that has a sign up to `end` goes on behind it.
pub fn goes_on(bytes: &[u8], end: usize) -> bool {
    let lower = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_lowercase);
    let upper = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_uppercase);
    // `KEYs` is two words, of which none is `KEY`.
    lower(end) || upper(end - 1) && upper(end) && !lower(end + 1)
}

impl Names {
    /// Adds a name of a rule.
    pub fn add(&mut self, name: &Name, rule: usize) {
        self.exact.entry(name.words.clone()).or_insert(rule);
        self.exact.entry(name.joined.clone()).or_insert(rule);
        if name.joined.len() >= JOINED_FROM {
            let at = self.joined.partition_point(|(other, _)| other.len() >= name.joined.len());
            self.joined.insert(at, (name.joined.clone(), rule));
        }
    }

    /// The rule whose name is the longest run of the last words; a qualifier or a number may follow.
    pub fn rule(&self, words: &Words) -> Option<usize> {
        let mut last = words.ends.len();
        let is_beside = |word: &str| QUALIFIERS.contains(&word) || word.bytes().all(|b| b.is_ascii_digit());
        while last > 1 && is_beside(words.word(last - 1)) {
            last -= 1;
        }
        let end = *words.ends.get(last.checked_sub(1)?)?;
        let exact = (0..last).find_map(|from| self.exact.get(&words.joined[words.begin(from)..end]));
        exact.copied().or_else(|| {
            let all = words.word(last - 1);
            self.joined.iter().find(|(name, _)| all.ends_with(name)).map(|(_, rule)| *rule)
        })
    }
}

/// The words of an identifier in lower case, joined by `_`, and where each ends.
#[derive(Debug, Default)]
pub struct Words {
    joined: String,
    ends: Vec<usize>,
}

impl Words {
    /// Split at what is no letter or digit, where lower case turns to upper, and before digits at the end.
    pub fn of(name: &[u8]) -> Words {
        let mut words = Words { joined: String::with_capacity(name.len() + 8), ends: Vec::with_capacity(8) };
        let mut before = b'_';
        for (at, &byte) in name.iter().enumerate() {
            let next_lower = name.get(at + 1).is_some_and(u8::is_ascii_lowercase);
            let hump = byte.is_ascii_uppercase()
                && (before.is_ascii_lowercase() || before.is_ascii_digit() || before.is_ascii_uppercase() && next_lower);
            let digits = byte.is_ascii_digit() && !before.is_ascii_digit();
            if !byte.is_ascii_alphanumeric() || hump || digits {
                words.end();
            }
            if byte.is_ascii_alphanumeric() {
                if words.ends.last() == Some(&words.joined.len()) {
                    words.joined.push('_');
                }
                words.joined.push(byte.to_ascii_lowercase() as char);
            }
            before = byte;
        }
        words.end();
        words
    }

    fn end(&mut self) {
        let end = self.joined.len();
        if self.ends.last() != Some(&end) && end > 0 {
            self.ends.push(end);
        }
    }

    fn begin(&self, word: usize) -> usize {
        if word == 0 { 0 } else { self.ends[word - 1] + 1 }
    }

    fn word(&self, word: usize) -> &str {
        &self.joined[self.begin(word)..self.ends[word]]
    }
}

/// An identifier as lower-case words.
pub fn words(name: &[u8]) -> Vec<String> {
    let words = Words::of(name);
    (0..words.ends.len()).map(|word| words.word(word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_sign_however_it_is_written() {
        let texts = |name: &str| {
            let name = Name { words: name.to_owned(), joined: name.replace('_', "") };
            signs(&name).into_iter().map(|sign| sign.text + if sign.ends { "." } else { "" }).collect::<Vec<_>>().join(" ")
        };
        for (name, expected) in [
            ("api_key", "key."),
            ("access_key_id", "key. keyi"),
            ("token", "oken."),
            ("password", "pass"),
            ("contrasena", "contrasena"),
            ("pw", "pw= pw: pw\" pw' pw ="),
            ("my_pw", "pw= pw: pw\" pw' pw ="),
            ("a_b", "b= b: b\" b' b ="),
        ] {
            assert_eq!(texts(name), expected);
        }
    }

    #[test]
    fn words_end_or_go_on() {
        for text in ["path", "PATH", "KEYs", "KEYBOARD", "keys"] {
            assert!(goes_on(text.as_bytes(), 3), "{text}");
        }
        for text in ["pat", "patX", "pat_x", "PAT_X", "PATHash", "key2", "KEY="] {
            assert!(!goes_on(text.as_bytes(), 3), "{text}");
        }
    }

    #[test]
    fn identifiers_are_split_into_words() {
        for (name, expected) in [
            ("DB_PASSWORD", "db password"),
            ("dbPassword", "db password"),
            ("spring.datasource.password", "spring datasource password"),
            ("APIKey", "api key"),
            ("password2", "password 2"),
            ("AccountKey", "account key"),
        ] {
            assert_eq!(words(name.as_bytes()).join(" "), expected);
        }
    }
}
