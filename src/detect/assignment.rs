//! Assignments: `name = value`, `"name": "value"`, `<name>value</name>`, `--name value`, `define('NAME', 'value')`, …
//!
//! A name that says "password" is no proof: the value decides. It is read as the syntax around it says where it ends, and then
//! judged: a reference, a type, a path, a sentence is no secret.

use super::NO_TEXT;
use super::place::Place;
use super::{Medium, entropy, placeholder, value};
use crate::rules::Confidence;
use std::ops::Range;

/// The longest name that is looked at, in bytes.
const LONGEST_NAME: usize = 512;
/// The longest value: tokens of sessions have more than a thousand bytes.
const LONGEST: usize = 1280;

/// A value and how it was written.
#[derive(Debug, PartialEq, Eq)]
pub struct Assigned {
    /// Where the value is.
    pub value: Range<usize>,
    /// In quotes, or between tags: its end is certain.
    pub delimited: bool,
    /// Nothing but the value stands behind the operator on its line: not code.
    pub ends_line: bool,
}

/// What is thought of a value.
#[derive(Debug, PartialEq, Eq)]
pub struct Judged {
    /// How sure.
    pub confidence: Confidence,
    /// Why.
    pub reason: &'static str,
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// The identifier around `word` (or around its begin, where `word` holds the operator too), without dashes and dots at its begin.
pub fn name_around(bytes: &[u8], word: Range<usize>) -> Range<usize> {
    let length = bytes[word.clone()].iter().take_while(|b| is_name(**b)).count();
    let word = word.start..word.start + length;
    let left = bytes[..word.start].iter().rev().take(LONGEST_NAME).take_while(|b| is_name(**b)).count();
    let right = bytes[word.end..].iter().take(LONGEST_NAME).take_while(|b| is_name(**b)).count();
    let (mut start, mut end) = (word.start - left, word.end + right);
    while start < word.start && matches!(bytes[start], b'-' | b'.') {
        start += 1;
    }
    // `"token.":`? A dot at the end is punctuation.
    while end > word.end && matches!(bytes[end - 1], b'-' | b'.') {
        end -= 1;
    }
    start..end
}

/// False if nothing can be assigned to the name at `name`: [`value_after`] would find nothing either.
pub fn is_assigned(bytes: &[u8], name: &Range<usize>) -> bool {
    let mut cursor = Cursor { bytes, at: name.end };
    let quoted = cursor.skip_quote();
    cursor.skip_while(b"])", 2);
    cursor.skip_while(b" \t", 64);
    match (bytes[..name.start].last(), cursor.peek()) {
        (Some(b'<' | b'-'), _) => true,
        (_, Some(b'=' | b':' | b'?' | b'+' | b'-' | b'!')) => true,
        (_, Some(b',' | b'v')) => quoted,
        // `password "x"` at the begin of a line.
        (_, Some(b'"' | b'\'')) => cursor.at > name.end,
        _ => false,
    }
}

/// The value that is assigned to the name at `name`, if something is. In a program, only what stands in quotes is a value.
pub fn value_after(bytes: &[u8], name: Range<usize>, medium: Medium, place: Place) -> Option<Assigned> {
    let mut cursor = Cursor { bytes, at: name.end };
    let before = bytes[..name.start].last().copied();
    let flag = bytes[..name.start].ends_with(b"-");
    let quoted_name = cursor.skip_quote();
    cursor.skip_while(b"])", 2);
    cursor.skip_while(b" \t", 64);
    if before == Some(b'<')
        && let Some(content) = cursor.end_of_tag()
    {
        return element(bytes, content);
    }
    let spaced = cursor.at > name.end;
    let operator = cursor.operator();
    let mut quotes = false;
    if operator == Operator::None {
        let defined = quoted_name && is_definition(bytes, &name);
        let listed = quoted_name && (flag || defined && constant(&bytes[name.clone()])) && cursor.take(b",");
        let attribute = quoted_name && cursor.take(b"value=");
        let called = spaced && !quoted_name && begins_line(bytes, name.start);
        quotes = listed || called;
        if !(listed || attribute || called || (flag && spaced && !quoted_name)) {
            return None;
        }
    }
    cursor.skip_while(b" \t", 64);
    if quotes && !flag && !matches!(cursor.peek(), Some(b'"' | b'\'')) {
        return None;
    }
    // A type between name and value: `password: str = "x"`.
    if operator == Operator::Colon {
        cursor.skip_type();
    }
    // `PGPASSWORD=x psql …`: what follows is a command, not a part of an expression.
    let shell = operator == Operator::Equals && bytes.get(name.end) == Some(&b'=') && constant(&bytes[name.clone()]);
    let query = matches!(before, Some(b'?' | b'&'));
    // `-H "Token: x"`, `"token=x\ny=z"`: the text around the assignment is in quotes.
    let within = before.filter(|b| matches!(b, b'"' | b'\'') && !quoted_name);
    let form = Form { line_of_its_own: flag || shell || medium == Medium::Metadata, json: quoted_name, query, within };
    cursor.value(form).filter(|assigned| assigned.delimited || place != Place::Program || flag || query)
}

/// True if a quoted name is the first argument of a call, or the second of one that builds an Android app: `buildConfigField "String", "KEY"`.
fn is_definition(bytes: &[u8], name: &Range<usize>) -> bool {
    const BUILDERS: &[&[u8]] = &[b"buildConfigField", b"resValue"];
    let far = name.start.saturating_sub(80);
    let line = memchr::memrchr(b'\n', &bytes[far..name.start]).map_or(far, |at| far + at + 1);
    let before = bytes[line..name.start.saturating_sub(1).max(line)].trim_ascii();
    before.ends_with(b"(") || before.ends_with(b",") && BUILDERS.iter().any(|builder| before.starts_with(builder))
}

/// True if nothing but space stands in front of `at` on its line.
fn begins_line(bytes: &[u8], at: usize) -> bool {
    bytes[..at].iter().rev().take(64).find(|b| !b" \t".contains(b)).is_none_or(|b| *b == b'\n')
}

/// A name in capitals, as constants are written.
fn constant(name: &[u8]) -> bool {
    !name.iter().any(u8::is_ascii_lowercase)
}

/// What is known of the surroundings of a value that has no quotes.
struct Form {
    /// Whatever stands behind it on the line does not make it an expression.
    line_of_its_own: bool,
    json: bool,
    query: bool,
    /// The quote that stands in front of the name.
    within: Option<u8>,
}

#[derive(PartialEq, Eq)]
enum Operator {
    None,
    Equals,
    Colon,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn take(&mut self, text: &[u8]) -> bool {
        let there = self.rest().starts_with(text);
        self.at += if there { text.len() } else { 0 };
        there
    }

    fn skip_while(&mut self, set: &[u8], most: usize) {
        self.at += self.rest().iter().take(most).take_while(|b| set.contains(b)).count();
    }

    fn skip_quote(&mut self) -> bool {
        let escaped = self.rest().starts_with(b"\\\"") || self.rest().starts_with(b"\\'");
        self.at += usize::from(escaped);
        let quote = matches!(self.peek(), Some(b'"' | b'\'' | b'`'));
        self.at += usize::from(quote);
        quote
    }

    /// Behind the `>` of a tag that may have attributes: `<Pass encoding="base64">`.
    fn end_of_tag(&self) -> Option<usize> {
        let end = self.rest().iter().take(80).position(|b| b"<>\n".contains(b))?;
        let attributes = end == 0 || self.bytes[self.at - 1].is_ascii_whitespace() && self.rest()[..end].contains(&b'=');
        (attributes && self.rest()[end] == b'>').then_some(self.at + end + 1)
    }

    fn operator(&mut self) -> Operator {
        for text in [&b"=>"[..], b":=", b"?=", b"+=", b"->", b"===", b"!==", b"==", b"!=", b"::=", b"="] {
            if self.take(text) {
                return Operator::Equals;
            }
        }
        if self.peek() == Some(b':') && !self.rest().starts_with(b"://") && !self.rest().starts_with(b"::") {
            self.at += 1;
            return Operator::Colon;
        }
        Operator::None
    }

    fn skip_type(&mut self) {
        let word = self.rest().iter().take(32).take_while(|b| b.is_ascii_alphanumeric() || b"_.[]<>?| ".contains(b)).count();
        if word > 0 && self.bytes.get(self.at + word) == Some(&b'=') && self.bytes.get(self.at + word + 1) != Some(&b'=') {
            let before = self.at;
            self.at += word + 1;
            self.skip_while(b" \t", 8);
            if !matches!(self.peek(), Some(b'"' | b'\'')) {
                self.at = before;
            }
        }
    }

    fn value(&mut self, form: Form) -> Option<Assigned> {
        // String prefixes: b"", r'', f"", u"", @"".
        if matches!(self.peek(), Some(b'b' | b'r' | b'f' | b'u' | b'@')) && matches!(self.bytes.get(self.at + 1), Some(b'"' | b'\'')) {
            self.at += 1;
        }
        let escaped = self.peek() == Some(b'\\') && matches!(self.bytes.get(self.at + 1), Some(b'"' | b'\''));
        let quote_at = self.at + usize::from(escaped);
        if let Some(quote @ (b'"' | b'\'' | b'`')) = self.bytes.get(quote_at).copied() {
            return self.quoted(quote_at, quote, escaped);
        }
        let start = self.at;
        let stop = |b: u8| match b {
            b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\'' | b'`' | b'<' | b'>' | 0 => true,
            b'&' => form.query,
            b',' | b'}' | b']' => form.json,
            _ => b < 0x20 || b == 0x7f,
        };
        let mut length = self.rest().iter().take(LONGEST).take_while(|b| !stop(**b)).count();
        // Lines of a text in quotes: `"a=1\nb=2"`.
        let line = form.within.and_then(|_| memchr::memmem::find(&self.rest()[..length], b"\\n"));
        length = line.unwrap_or(length);
        let mut end = start + length;
        while end > start && matches!(self.bytes[end - 1], b';' | b',') {
            end -= 1;
        }
        // Brackets that were opened before the value.
        while end > start
            && matches!(self.bytes[end - 1], b')' | b']' | b'}')
            && !self.bytes[start..end].contains(&opener(self.bytes[end - 1]))
        {
            end -= 1;
        }
        let after = &self.bytes[start + length..];
        let after = &after[after.iter().take_while(|b| b" \t\r".contains(b)).count()..];
        let ends_line = form.line_of_its_own
            || line.is_some()
            || form.within.is_some_and(|quote| self.bytes.get(start + length) == Some(&quote))
            || matches!(after, [] | [b'\n' | b'#', ..] | [b'\\', b'\n', ..] | [b'\\', b'\r', b'\n', ..]);
        (length < LONGEST && end > start).then_some(Assigned { value: start..end, delimited: false, ends_line })
    }

    fn quoted(&self, quote_at: usize, quote: u8, escaped: bool) -> Option<Assigned> {
        let start = quote_at + 1;
        // Quotes within quotes: the value is text of a program that is made.
        let inner = match self.bytes[start..] {
            [b'\\', b'"', ..] if !escaped && quote == b'"' => Some((start + 1, true)),
            [b'"', ..] if quote == b'\'' => Some((start, false)),
            _ => None,
        };
        if let Some((at, escaped)) = inner
            && let Some(assigned) = self.quoted(at, b'"', escaped)
        {
            return Some(assigned);
        }
        let mut at = start;
        loop {
            match self.bytes.get(at)? {
                b'\n' | 0 => return None,
                b'\\' if escaped && self.bytes.get(at + 1) == Some(&quote) => break,
                b'\\' if !escaped => at += 2,
                b if *b == quote => break,
                _ => at += 1,
            }
            if at - start > LONGEST {
                return None;
            }
        }
        (at > start).then_some(Assigned { value: start..at, delimited: true, ends_line: true })
    }
}

fn opener(close: u8) -> u8 {
    match close {
        b')' => b'(',
        b']' => b'[',
        _ => b'{',
    }
}

/// `<name>value</`.
fn element(bytes: &[u8], start: usize) -> Option<Assigned> {
    let length = bytes[start..].iter().take(LONGEST).position(|b| *b == b'<')?;
    let text = &bytes[start..start + length];
    let lead = text.len() - text.trim_ascii_start().len();
    let value = start + lead..start + lead + text.trim_ascii().len();
    (!value.is_empty() && bytes[start + length..].starts_with(b"</")).then_some(Assigned { value, delimited: true, ends_line: true })
}

/// What is thought of `value`, assigned to `name`; or why it is no secret.
pub fn judge(name: &[u8], value: &[u8], assigned: &Assigned, medium: Medium, place: Place) -> Result<Judged, &'static str> {
    let low = |reason| Ok(Judged { confidence: Confidence::Low, reason });
    let medium_sure = |reason| Ok(Judged { confidence: Confidence::Medium, reason });
    if placeholder::is_reference(value) {
        return Err("it refers to a value that is kept elsewhere, or stands for one");
    }
    if placeholder::is_keyword(value) || value.eq_ignore_ascii_case(name) {
        return Err("a word that means no value");
    }
    if is_location(value) {
        return Err("a path, a file's name or a URL: it says where something is");
    }
    // A quote closed a text, and the value is what a program puts between two of them.
    if value.starts_with(b"+") && value.ends_with(b"+") || value.starts_with(b" +") && value.ends_with(b"+ ") {
        return Err("an expression between two texts of a program");
    }
    if value.iter().any(|b| *b < 0x20) || value.iter().filter(|b| **b == b' ').count() > 3 {
        return Err("a sentence, or more than one line");
    }
    if !assigned.delimited && is_expression(value) || is_regex(value) {
        return Err("an expression of a program, or a regex");
    }
    if placeholder::looks_invented(value).is_some() {
        return low("looks like a placeholder");
    }
    if value.contains(&b' ') {
        return low("several words");
    }
    if medium != Medium::Metadata
        && let Some(other) = what_else(name, value)
    {
        return low(other);
    }
    if medium == Medium::Binary {
        return low(NO_TEXT);
    }
    if !assigned.delimited && !assigned.ends_line {
        return low("more stands on the line: it may be code");
    }
    if place != Place::Settings && medium != Medium::Metadata && is_chosen(name, value, assigned) {
        return low("a word, in the text of a program or a document");
    }
    let has = |test: fn(&u8) -> bool| value.iter().any(test);
    let symbols = has(|b| b.is_ascii_punctuation() && !b"._-/".contains(b));
    let digits = has(u8::is_ascii_digit);
    let letters = has(u8::is_ascii_alphabetic);
    if value::is_uuid(value) {
        return if value::is_random_uuid(value) && value::says_secret(name) {
            medium_sure("a random id, and its name says that it is a secret")
        } else {
            low("an id rather than a secret")
        };
    }
    if is_phrase(value) {
        return low("the value reads like words");
    }
    if (letters && (digits || symbols) || value::is_random_letters(value)) && entropy::shannon(value) >= 2.5 {
        return medium_sure("its name says what it is, and the value does not look like a word");
    }
    if is_unusual_word(name, value, assigned) {
        return medium_sure("its name says that it is a password, and the value is no everyday word");
    }
    if medium == Medium::Metadata && value.len() >= 4 {
        return medium_sure("a build argument or variable whose name says what it is");
    }
    low("the value looks like a word or a number")
}

/// A password that a person chose to be read: it says that it is one, or is a word and no more.
fn is_chosen(name: &[u8], value: &[u8], assigned: &Assigned) -> bool {
    placeholder::looks_like_word(&placeholder::plain_letters(value)).is_some() || is_unusual_word(name, value, assigned)
}

/// What a value is, if it is no secret though its characters look like one.
fn what_else(name: &[u8], value: &[u8]) -> Option<&'static str> {
    let constant = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_';
    let last = name.rsplit(|b| !b.is_ascii_alphanumeric()).next().unwrap_or_default();
    if value.contains(&b'_') && value.iter().all(constant) && last.len() >= 3 && value.len() > last.len() {
        let end = &value[value.len() - last.len()..];
        if end.eq_ignore_ascii_case(last) {
            return Some("the name of a variable");
        }
    }
    let word = value.trim_ascii_end().len() - value.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    if placeholder::is_keyword(&value[..word]) {
        return Some("a word that means no value, and a number");
    }
    if value.starts_with(b"{") && value.ends_with(b"=}") {
        return Some("encrypted: the key is kept elsewhere");
    }
    let address =
        |at: usize| at > 0 && value[at + 1..].contains(&b'.') && value[at + 1..].iter().all(|b| b.is_ascii_alphabetic() || *b == b'.');
    let is_address = value.iter().filter(|b| **b == b'@').count() == 1 && memchr::memchr(b'@', value).is_some_and(address);
    is_address.then_some("an address")
}

/// Why a value whose name is `name` may be made up, or good for little.
pub fn doubt_of_name(name: &[u8]) -> Option<&'static str> {
    const INVENTED: &[&str] = &["fake", "dummy", "mock", "mocked", "example", "sample", "invalid", "wrong", "bad", "bogus", "incorrect"];
    const PAGES: &[&str] = &["next", "page", "pagination", "continuation"];
    let words = super::names::words(name);
    let holds = |list: &[&str]| words.iter().any(|word| list.contains(&&word[..]));
    let unlike = words.windows(2).any(|pair| pair[0] == "non" && pair[1] == "matching");
    if holds(INVENTED) || unlike {
        Some("its name says that it is made up")
    } else if holds(PAGES) && words.last().is_some_and(|last| last == "token") {
        Some("its name says that it is a place in a list")
    } else {
        None
    }
}

/// Why a value that a machine should have made may be something else.
pub fn doubt_if_issued(name: &[u8], value: &[u8]) -> Option<&'static str> {
    if !value.iter().all(|b| b.is_ascii_alphanumeric() || b"_-.=+/~:|%".contains(b)) {
        return Some("no token has such characters");
    }
    let once = value::holds_any(&name.to_ascii_lowercase(), &[b"csrf", b"xsrf", b"authenticity", b"nonce"]);
    once.then_some("a token for one page, as forms have it")
}

/// A pattern, not a value.
fn is_regex(value: &[u8]) -> bool {
    value::holds_any(value, &[b"(?", b"[a-z", b"[A-Z", b"[0-9", b"\\d", b"\\w", b"\\s", b".*", b"[^"])
}

/// A path, a file name, a URL: where something is, not what it is.
fn is_location(value: &[u8]) -> bool {
    const ENDINGS: &[&[u8]] = &[
        b".pem", b".key", b".json", b".txt", b".yml", b".yaml", b".crt", b".cer", b".p12", b".jks", b".pub", b".py", b".js", b".ts",
        b".go", b".php", b".rb", b".java", b".html", b".xml", b".env", b".conf", b".ini", b".cfg", b".sh", b".gpg", b".asc", b".md",
        b".so", b".h", b".c",
    ];
    let lower = value.to_ascii_lowercase();
    let rooted = lower.starts_with(b"/") && !lower.contains(&b'+') && !lower.ends_with(b"=");
    rooted
        || [&b"./"[..], b"../", b"~/", b"file:"].iter().any(|p| lower.starts_with(p))
        || lower.windows(3).any(|w| w == b"://")
        || lower.get(1..3) == Some(b":\\")
        || ENDINGS.iter().any(|e| lower.ends_with(e))
}

/// A word that somebody may have chosen as a password: written for a name that says so, in quotes or as the value of a variable.
fn is_unusual_word(name: &[u8], value: &[u8], assigned: &Assigned) -> bool {
    let password = value::holds_any(&name.to_ascii_lowercase(), &[b"pass", b"pwd", b"pswd"]);
    let cased = value.iter().skip(1).all(u8::is_ascii_lowercase);
    password
        && value.len() >= 7
        && value[0].is_ascii_alphabetic()
        && cased
        && (assigned.delimited || constant(name))
        && placeholder::looks_like_word(value).is_none()
}

/// Several words and a number: a name or a sentence, as documents make up passwords.
fn is_phrase(value: &[u8]) -> bool {
    let (mut words, mut at) = (0, 0);
    while at < value.len() {
        let capital = usize::from(value[at].is_ascii_uppercase());
        let lower = value[at + capital..].iter().take_while(|b| b.is_ascii_lowercase()).count();
        if lower >= 2 {
            words += 1;
            at += capital + lower;
        } else if b"-_. !".contains(&value[at]) || at > 0 && value[at].is_ascii_digit() && value.len() - at <= 8 {
            at += 1;
        } else {
            return false;
        }
    }
    words >= 3
}

/// Something that a program would compute: a call, a dotted or bare identifier, an index.
fn is_expression(value: &[u8]) -> bool {
    let call = value.contains(&b'(') || value.contains(&b'[') || value.contains(&b'{');
    let identifier = |part: &[u8]| !part.is_empty() && part.iter().all(|b| b.is_ascii_alphabetic() || *b == b'_');
    let argument =
        memchr::memchr(b'=', value).is_some_and(|at| identifier(&value[..at]) && value[at + 1..].split(|b| *b == b'.').all(identifier));
    let dotted = value.contains(&b'.') && value.split(|b| *b == b'.').all(identifier);
    call || dotted
        || argument && value.contains(&b'.')
        || value.starts_with(b"&")
        || value.starts_with(b"*")
        || value.starts_with(b"!") && value.len() < 12
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str, word: &str) -> Option<(String, Confidence)> {
        find_in(text, word, Medium::Text)
    }

    fn find_in(text: &str, word: &str, medium: Medium) -> Option<(String, Confidence)> {
        let bytes = text.as_bytes();
        let at = text.find(word).expect("the word is there");
        let name = name_around(bytes, at..at + word.len());
        let assigned = value_after(bytes, name.clone(), medium, Place::Settings)?;
        let value = &bytes[assigned.value.clone()];
        let judged = judge(&bytes[name], value, &assigned, medium, Place::Settings).ok()?;
        Some((String::from_utf8_lossy(value).into_owned(), judged.confidence))
    }

    #[test]
    fn the_forms_of_an_assignment() {
        for text in [
            "DB_PASSWORD=aB3!xY9q",
            "export DB_PASSWORD=aB3!xY9q # comment",
            "db_password: aB3!xY9q",
            "db_password: 'aB3!xY9q'",
            "\"password\": \"aB3!xY9q\",",
            "{\\\"password\\\": \\\"aB3!xY9q\\\"}",
            "$cfg['password'] = 'aB3!xY9q';",
            "define('DB_PASSWORD', 'aB3!xY9q');",
            "'password' => 'aB3!xY9q',",
            "password := \"aB3!xY9q\"",
            "password: str = \"aB3!xY9q\"",
            "<password>aB3!xY9q</password>",
            "<add key=\"password\" value=\"aB3!xY9q\"/>",
            "mysql --password=aB3!xY9q db",
            "mysql --password aB3!xY9q",
            "DB_PASSWORD=aB3!xY9q psql -h db",
            "[\"--user=x\",\"--password=aB3!xY9q\"]",
            "https://h/?user=x&password=aB3!xY9q&z=1",
            "if password == \"aB3!xY9q\" {",
            "if (password !== 'aB3!xY9q')",
            "<password encoding=\"plain\">aB3!xY9q</password>",
            "  password 'aB3!xY9q'",
            "buildConfigField \"String\", \"DB_PASSWORD\", \"\\\"aB3!xY9q\\\"\"",
            "buildConfigField 'String' , 'DB_PASSWORD' , '\"aB3!xY9q\"'",
        ] {
            let word = if text.contains("PASSWORD") { "PASSWORD" } else { "password" };
            assert_eq!(find(text, word).map(|f| f.0), Some("aB3!xY9q".to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_secret() {
        for text in [
            "password = getpass.getpass()",
            "password = self.password",
            "password: string",
            "password=${DB_PASSWORD}",
            "password=$DB_PASSWORD",
            "password = None",
            "password_file: /run/secrets/db",
            "password: /run/secrets/db",
            "the password is kept safe",
            "password",
            "password = \"Please enter the password of this account here\"",
        ] {
            assert_eq!(find(text, "password"), None, "{text}");
        }
    }

    #[test]
    fn in_code_a_value_has_quotes() {
        let code = |text: &str| value_after(text.as_bytes(), 0..8, Medium::Text, Place::Program).is_some();
        assert!(code("password = 'aB3!xY9q'"));
        assert!(!code("password = default_password2"));
    }

    #[test]
    fn nothing_stumbles() {
        let text = "\nSECRET\", \"x\" <secret a=\"b\">\\\"c\\\"</secret> secret '\"a\"' secret === \"\\\"a\\\"\" --secret \"{=}\" secret: str = 'a_SECRET'";
        for (from, _) in text.match_indices(|c: char| c.eq_ignore_ascii_case(&'s')) {
            for end in from + 6..=text.len() {
                for bytes in [&text.as_bytes()[..end], &text.as_bytes()[from..end]] {
                    let name = name_around(bytes, bytes.len() - (end - from)..bytes.len() - (end - from) + 6);
                    for place in [Place::Settings, Place::Program] {
                        if let Some(assigned) = value_after(bytes, name.clone(), Medium::Text, place) {
                            let _ = judge(&bytes[name.clone()], &bytes[assigned.value.clone()], &assigned, Medium::Text, place);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_a_program_or_a_document_calls_a_password_may_be_a_word() {
        let judged = |value: &str, place| {
            let assigned = Assigned { value: 0..value.len(), delimited: true, ends_line: true };
            judge(b"password", value.as_bytes(), &assigned, Medium::Text, place).map(|judged| judged.confidence)
        };
        for value in ["s00pers3cret", "P@ssw0rd!", "bazquux"] {
            assert_eq!(judged(value, Place::Settings), Ok(Confidence::Medium), "{value}");
            assert_eq!([Place::Program, Place::Document].map(|place| judged(value, place)), [Ok(Confidence::Low); 2], "{value}");
        }
        assert_eq!(judged("aB3!xY9q", Place::Program), Ok(Confidence::Medium));
    }

    #[test]
    fn what_looks_like_a_secret_and_is_something_else() {
        for text in ["password=KRB5_PASSWORD", "password=\"{aB3xY9q+aB3xY9q=}\"", "password=someone@acme.example", "password=secret123"] {
            assert_eq!(find(text, "password").map(|f| f.1), Some(Confidence::Low), "{text}");
        }
        for name in ["fakeToken", "INVALID_PASSWORD", "NextContinuationToken", "nonMatchingToken"] {
            assert!(doubt_of_name(name.as_bytes()).is_some(), "{name}");
        }
        for name in ["token", "page_access_token_secret", "NON_PROD_PASSWORD"] {
            assert!(doubt_of_name(name.as_bytes()).is_none(), "{name}");
        }
    }

    #[test]
    fn random_letters_are_no_words() {
        assert!(value::is_random_letters(b"DFvAhCIXcgCFPAuyxDuEFO") && value::is_random_letters(b"kEMKdPAOqRtr"));
        for word in ["PassWordMustBeAtLeastSixChars", "correcthorsebatterystaple", "XMLHttpRequestFactoryBean", "XMLHttpReq", "mypassword"]
        {
            assert!(!value::is_random_letters(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn a_text_in_quotes_and_a_line_that_goes_on_end_a_value() {
        for text in [
            "curl -d \"password=aB3!xY9q\" https://acme.example",
            "curl -d password=aB3!xY9q \\\n x",
            "{\"a\": \"password=aB3!xY9q\\nb=c\"}",
        ] {
            assert_eq!(find(text, "password"), Some(("aB3!xY9q".to_owned(), Confidence::Medium)), "{text}");
        }
    }

    #[test]
    fn a_random_id_is_a_secret_where_its_name_says_so() {
        let id = |version| format!("5b98ec22-cdb2-{version}340-b7bd-9617fc719d1d");
        let judged = |name: &str, version| find(&format!("{name}={}", id(version)), name).map(|found| found.1);
        assert_eq!(judged("api_key", 4), Some(Confidence::Medium));
        assert_eq!([judged("api_key", 1), judged("token", 4)], [Some(Confidence::Low); 2]);
    }

    #[test]
    fn words_are_a_hint_in_files_and_more_in_metadata() {
        assert_eq!(find("password=mypassword", "password").map(|f| f.1), Some(Confidence::Low));
        assert_eq!(find_in("DB_PASSWORD=hunter", "PASSWORD", Medium::Metadata).map(|f| f.1), Some(Confidence::Medium));
    }
}
