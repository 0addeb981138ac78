//! Examples are templates: no committed text looks like a live credential. RULES.md lists what can stand in braces.
//!
//! The fill is random and always the same: it depends on the seed alone.

use super::Rule;
use super::check::fake;
use super::form::expand;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const DIGITS: &str = "0123456789";

/// Fills one example of `rule`. `sample` is what `{sample}` stands for; the error names a placeholder that does not exist.
pub fn fill(rule: &Rule, template: &str, sample: &str, seed: &str) -> Result<String, String> {
    Filler { rule, sample, random: Random::new(seed) }.fill(template)
}

/// The rule's sample, filled.
pub fn of_rule(rule: &Rule) -> Result<Option<String>, String> {
    rule.sample.as_deref().map(|template| fill(rule, template, "", &rule.id)).transpose()
}

struct Filler<'a> {
    rule: &'a Rule,
    sample: &'a str,
    random: Random,
}

impl Filler<'_> {
    fn fill(&mut self, template: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            out.push_str(&rest[..at]);
            let (brace, doubled) = (&rest[at..=at], rest[at + 1..].starts_with(&rest[at..=at]));
            if doubled {
                out.push_str(brace);
                rest = &rest[at + 2..];
            } else if brace == "{" {
                let end = closing(&rest[at..]).ok_or("a brace is not closed")? + at;
                let part = self.placeholder(&rest[at + 1..end], &out)?;
                out.push_str(&part);
                rest = &rest[end + 1..];
            } else {
                return Err("a closing brace stands alone: write `}}`".to_owned());
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn placeholder(&mut self, name: &str, so_far: &str) -> Result<String, String> {
        // A class in brackets may hold a colon.
        let split = if name.starts_with('[') { name.rsplit_once(':') } else { name.split_once(':') };
        let (kind, argument) = split.unwrap_or((name, ""));
        let count = || argument.parse::<usize>().map_err(|_| format!("{{{name}}} needs a number"));
        Ok(match kind {
            "base62" => self.random.text(&[DIGITS, UPPER, LOWER], count()?),
            "hex" => self.random.text(&[DIGITS, "abcdef"], count()?),
            "HEX" => self.random.text(&[DIGITS, "ABCDEF"], count()?),
            "digits" => self.random.text(&[DIGITS], count()?),
            "lower" => self.random.text(&[DIGITS, LOWER], count()?),
            "upper" => self.random.text(&[DIGITS, UPPER], count()?),
            "anyhex" => self.random.text(&[DIGITS, "abcdef", "ABCDEF"], count()?),
            "az" => self.random.text(&[LOWER], count()?),
            "AZ" => self.random.text(&[UPPER], count()?),
            "word" => self.random.text(&[DIGITS, UPPER, LOWER, "_"], count()?),
            "alpha" => self.random.text(&[UPPER, LOWER], count()?),
            "base64" => self.random.text(&[DIGITS, UPPER, LOWER, "+/"], count()?),
            "base64url" => self.random.text(&[DIGITS, UPPER, LOWER, "-_"], count()?),
            "bech32" => self.random.text(&["023456789", "ACDEFGHJKLMNPQRSTUVWXYZ"], count()?),
            "base32" => self.random.text(&["234567", UPPER], count()?),
            "password" => self.random.text(&[DIGITS, UPPER, LOWER, "!#%*_"], count()?),
            "uuid" => self.random.uuid(),
            "dash" => "-".repeat(5),
            "sample" => self.sample.to_owned(),
            "jwt" => self.random.jwt(),
            "pem" => self.random.pem(argument),
            "macaroon" => fake::macaroon(argument, &mut |count| self.random.bytes(count)),
            "b64" => STANDARD.encode(self.fill(argument)?),
            "check" => self.rule.check.and_then(|c| c.checksum(so_far)).ok_or("{check} needs a `check` that has a checksum")?,
            _ if kind.starts_with('[') => self.random.class(kind.trim_matches(['[', ']']), count()?),
            _ => return Err(format!("there is no placeholder {{{name}}}")),
        })
    }
}

/// Where the brace that opens `text` is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.bytes().position(|b| {
        depth += i32::from(b == b'{') - i32::from(b == b'}');
        depth == 0
    })
}

/// BLAKE3's output stream as a source of numbers.
struct Random(blake3::OutputReader);

impl Random {
    fn new(seed: &str) -> Random {
        Random(blake3::Hasher::new().update(seed.as_bytes()).finalize_xof())
    }

    fn below(&mut self, n: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        (u64::from_le_bytes(bytes) % n.max(1) as u64) as usize
    }

    /// `count` characters; each of the alphabets occurs where there is room for it.
    fn text(&mut self, alphabets: &[&str], count: usize) -> String {
        let all: Vec<char> = alphabets.iter().flat_map(|a| a.chars()).collect();
        let mut out: Vec<char> = (0..count).map(|_| all[self.below(all.len())]).collect();
        if count >= alphabets.len() * 2 {
            let step = count / alphabets.len();
            for (at, alphabet) in alphabets.iter().enumerate() {
                let letters: Vec<char> = alphabet.chars().collect();
                out[at * step] = letters[self.below(letters.len())];
            }
        }
        out.into_iter().collect()
    }

    /// `count` characters of a class such as `a-z0-9_`; digits and letters occur if it has them.
    fn class(&mut self, class: &str, count: usize) -> String {
        let all = expand(class);
        let kind = |test: fn(&char) -> bool| all.iter().copied().filter(test).collect::<String>();
        let kinds = [kind(char::is_ascii_digit), kind(char::is_ascii_uppercase), kind(char::is_ascii_lowercase)];
        let rest: String = all.iter().filter(|c| !c.is_ascii_alphanumeric()).collect();
        let alphabets: Vec<&str> = kinds.iter().chain([&rest]).map(String::as_str).filter(|a| !a.is_empty()).collect();
        self.text(&alphabets, count)
    }

    fn uuid(&mut self) -> String {
        let hex = self.text(&[DIGITS, "abcdef"], 32);
        format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }

    fn jwt(&mut self) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"sub":"{}","iat":1700000000}}"#, self.text(&[LOWER], 8)));
        format!("{header}.{claims}.{}", self.text(&[DIGITS, UPPER, LOWER], 43))
    }

    fn pem(&mut self, label: &str) -> String {
        let body = STANDARD.encode(fake::key(label, &mut |count| self.bytes(count)));
        let lines: Vec<&str> = body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        let dash = "-".repeat(5);
        format!("{dash}BEGIN {label}{dash}\n{}\n{dash}END {label}{dash}\n", lines.join("\n"))
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill(&mut bytes);
        bytes
    }
}
