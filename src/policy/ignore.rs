//! What is let pass: an entry says what, until when, and why. The same entries can be written in `pentimento.toml` and, a line each, in an
//! ignore file:
//!
//! ```text
//! # a remark
//! 9ff549d5f8ae6b17562d                      until 2027-01-31  # revoked in TICKET-1; gone with the next base image
//! rule:generic-password path:tests/**       until never       # made up for the tests
//! ```
//!
//! Words are separated by white space; `?` in a glob stands for a space in a name. What is not understood is never quoted: it may be another
//! file, and a secret.

use super::{Day, Subject, base_id};
use crate::error::Error;
use crate::finding::Location;
use crate::text::exact;
use globset::{GlobBuilder, GlobMatcher};
use std::fmt;

/// How many hexadecimal digits an id has.
const ID: usize = 20;
/// And the hash of a value.
const HASH: usize = 32;

/// Something that is let pass.
#[derive(Debug, Clone)]
pub struct Ignore {
    what: What,
    reason: String,
    /// The last day; none where it holds for ever.
    expires: Option<Day>,
    /// The file that it stands in, and its line.
    file: String,
    line: usize,
}

/// What is let pass: what fits all that is given.
#[derive(Debug, Clone, Default)]
pub(super) struct What {
    id: Option<String>,
    rule: Option<String>,
    path: Option<(String, GlobMatcher)>,
    secret: Option<String>,
}

impl What {
    /// Adds one of `id`, `rule`, `path` and `secret`. The error is a sentence.
    pub(super) fn add(&mut self, kind: &str, value: &str) -> Result<(), String> {
        let hexadecimal = |text: &str, digits| text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let twice = match kind {
            "id" => {
                let value = value.to_ascii_lowercase();
                let value = value.as_str();
                let number = value.split_once('-').map(|(_, number)| number);
                if !hexadecimal(base_id(value), ID) || number.is_some_and(|number| number.parse::<u32>().is_err()) {
                    return Err(format!("the id of a finding has {ID} hexadecimal digits"));
                }
                self.id.replace(base_id(value).to_owned()).is_some()
            }
            "rule" if value.is_empty() => return Err("the rule has no name".to_owned()),
            "rule" => self.rule.replace(value.to_owned()).is_some(),
            "path" => self.path.replace((value.to_owned(), glob(value)?)).is_some(),
            "secret" if !hexadecimal(&value.to_ascii_lowercase(), HASH) => {
                return Err(format!("the hash of a secret has {HASH} hexadecimal digits (`secret.hash` in the JSON report)"));
            }
            "secret" => self.secret.replace(value.to_ascii_lowercase()).is_some(),
            _ => return Err("an ignore has an id, rule:, path: or secret:".to_owned()),
        };
        if twice { Err(format!("{kind} is given twice")) } else { Ok(()) }
    }

    fn is_empty(&self) -> bool {
        self.id.is_none() && self.rule.is_none() && self.path.is_none() && self.secret.is_none()
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let words = [
            self.id.clone(),
            self.rule.as_ref().map(|rule| format!("rule:{rule}")),
            self.path.as_ref().map(|(glob, _)| format!("path:{glob}")),
            self.secret.as_ref().map(|hash| format!("secret:{hash}")),
        ];
        f.write_str(&words.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}

/// A glob for paths of files: `*` within a part, `**` across parts, without a `/` the file's name. Fails with what is wrong with it.
pub fn glob(text: &str) -> Result<GlobMatcher, String> {
    if text.is_empty() {
        return Err("the path is empty".to_owned());
    }
    let whole = if text.contains('/') { text.trim_start_matches('/').to_owned() } else { format!("**/{text}") };
    let glob = GlobBuilder::new(&whole).literal_separator(true).build().map_err(|e| format!("the glob is wrong: {}", e.kind()))?;
    Ok(glob.compile_matcher())
}

/// The last day: a day, or `never`.
pub(super) fn expiry(text: &str) -> Result<Option<Day>, String> {
    match text {
        "never" => Ok(None),
        _ => Day::parse(text).map(Some).ok_or_else(|| "a day is written 2027-01-31, or `never`".to_owned()),
    }
}

impl Ignore {
    /// The error is a sentence.
    pub(super) fn new(what: What, reason: &str, expires: Option<Day>, file: &str, line: usize) -> Result<Ignore, String> {
        if what.is_empty() {
            return Err("an ignore says what it is for: id, rule, path or secret".to_owned());
        }
        if reason.trim().is_empty() {
            return Err("an ignore has a reason".to_owned());
        }
        Ok(Ignore { what, reason: reason.trim().to_owned(), expires, file: file.to_owned(), line })
    }

    /// The entries of an ignore file, see the module. The error names file and line.
    pub fn lines(file: &str, text: &str) -> Result<Vec<Ignore>, Error> {
        let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
        let told = lines.map(|(at, line)| (at + 1, line.trim())).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let wrong = |line: usize, message| Error::Policy { file: format!("{file}:{line}"), message };
        told.map(|(number, line)| entry(file, number, line).map_err(|message| wrong(number, message))).collect()
    }

    /// Whether it is for this finding: all that is given fits.
    pub fn matches(&self, subject: &Subject) -> bool {
        let finding = subject.finding;
        self.what.id.as_ref().is_none_or(|id| base_id(&finding.id) == id)
            && self.what.rule.as_ref().is_none_or(|rule| subject.rule.id == *rule)
            && self.what.path.as_ref().is_none_or(|(_, glob)| fits(glob, &finding.location))
            && self.what.secret.as_ref().is_none_or(|hash| subject.hash() == hash)
    }

    /// What it is for, as an ignore file has it.
    pub fn what(&self) -> String {
        self.what.to_string()
    }

    /// Why.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The last day on which it holds; none where that is for ever.
    pub fn expires(&self) -> Option<Day> {
        self.expires
    }

    /// The file that it stands in.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line that it begins on, from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

/// A path, alone or with the way into an archive (`lib/app.jar!config.yml`). What stands in metadata has none.
fn fits(glob: &GlobMatcher, location: &Location) -> bool {
    let Location::File { path, inner, .. } = location else { return false };
    let mut whole = exact(path);
    glob.is_match(&whole)
        || !inner.is_empty() && {
            inner.iter().for_each(|step| whole.push_str(&format!("!{}", exact(step))));
            glob.is_match(&whole)
        }
}

/// One line of an ignore file.
fn entry(file: &str, number: usize, line: &str) -> Result<Ignore, String> {
    const FORM: &str = "a line is: ID, rule:, path: or secret: … until 2027-01-31 # reason";
    let mut rest = line;
    let mut word = || {
        let word = rest.split_whitespace().next()?;
        // What follows the word, which is where a reason begins.
        let end = rest.find(word).map_or(0, |at| at + word.len());
        let before = rest;
        rest = &rest[end..];
        Some((word, before))
    };
    let mut what = What::default();
    loop {
        let Some((next, _)) = word() else { return Err(format!("it says not until when it holds: {FORM}")) };
        match next.split_once(':') {
            _ if next == "until" => break,
            _ if next.starts_with('#') => return Err(format!("it says not until when it holds: {FORM}")),
            Some((kind, value)) => what.add(kind, value)?,
            None => what.add("id", next)?,
        }
    }
    let (day, _) = word().ok_or_else(|| format!("there is no day behind `until`: {FORM}"))?;
    let expires = expiry(day)?;
    let (_, reason) = word().filter(|(word, _)| word.starts_with('#')).ok_or_else(|| format!("it has no reason: {FORM}"))?;
    Ignore::new(what, reason.trim_start().trim_start_matches('#'), expires, file, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Result<Ignore, String> {
        match Ignore::lines(".pentimentoignore", line) {
            Ok(mut all) if all.len() == 1 => Ok(all.remove(0)),
            Ok(all) => Err(format!("{} entries", all.len())),
            Err(e) => Err(e.to_string()),
        }
    }

    #[test]
    fn lines_of_an_ignore_file() {
        let id = "0123456789abcdef0123";
        let hash = "ab".repeat(16);
        let text = format!(
            "\u{feff}# a remark\n\n{id} until 2027-01-31 # why\r\n  rule:a-b\tpath:/x/*.env   until never   #   because #2  \n\
             secret:{hash} id:{id}-2 until 2027-02-01 #x"
        );
        let all = Ignore::lines("i", &text).expect("entries");
        let told: Vec<_> = all.iter().map(|i| (i.what(), i.reason(), i.expires().map(|d| d.to_string()), i.line())).collect();
        assert_eq!(told[0], (id.to_owned(), "why", Some("2027-01-31".to_owned()), 3));
        assert_eq!(told[1], ("rule:a-b path:/x/*.env".to_owned(), "because #2", None, 4));
        assert_eq!(told[2], (format!("{id} secret:{hash}"), "x", Some("2027-02-01".to_owned()), 5));
        let capitals = one(&format!("{} secret:{} until never # x", id.to_uppercase(), hash.to_uppercase())).expect("an entry");
        assert_eq!(capitals.what(), format!("{id} secret:{hash}"));
    }

    #[test]
    fn a_wrong_line_is_told_with_its_number() {
        let id = "0123456789abcdef0123";
        for (line, why) in [
            (id.to_string(), "until when"),
            (format!("{id} # why"), "until when"),
            (format!("{id} until"), "no day"),
            (format!("{id} until 2027-02-30 # why"), "a day is written"),
            (format!("{id} until soon # why"), "a day is written"),
            (format!("{id} until 2027-01-31"), "no reason"),
            (format!("{id} until 2027-01-31 why"), "no reason"),
            (format!("{id} until 2027-01-31 #  "), "has a reason"),
            ("until 2027-01-31 # why".to_owned(), "what it is for"),
            ("0123 until never # why".to_owned(), "20 hexadecimal"),
            (format!("{id}-x until never # why"), "20 hexadecimal"),
            ("secret:abc until never # why".to_owned(), "32 hexadecimal"),
            ("paht:x until never # why".to_owned(), "rule:, path: or secret:"),
            ("path:a[ until never # why".to_owned(), "glob"),
            ("path: until never # why".to_owned(), "empty"),
            ("rule: until never # why".to_owned(), "no name"),
            ("rule:a rule:b until never # why".to_owned(), "twice"),
        ] {
            let error = Ignore::lines("i", &format!("# first\n{line}\n")).expect_err(&line).to_string();
            assert!(error.starts_with("i:2: ") && error.contains(why), "{line}: {error}");
            assert!(!["paht", "0123", "abc", "soon", "02-30", "a["].iter().any(|word| error.contains(word)), "{error} quotes the line");
        }
        assert_eq!(one("").expect_err("nothing"), "0 entries");
    }

    #[test]
    fn globs_are_those_of_the_other_commands() {
        for (pattern, path, expected) in [
            (".env", ".env", true),
            (".env", "app/.env", true),
            ("*.env", "a/b/x.env", true),
            ("app/*.env", "app/x.env", true),
            ("app/*.env", "app/b/x.env", false),
            ("/app/**", "app/b/x.env", true),
            ("app", "app/x", false),
        ] {
            assert_eq!(glob(pattern).expect("a glob").is_match(path), expected, "{pattern} {path}");
        }
    }
}
