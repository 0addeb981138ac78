//! Regexes of other tools in the syntax of ours.
//!
//! Go takes some characters as they are that mean something here: `[`, `&&`, `--` and `~~` in a class, a `{` that begins no repetition,
//! `\<`, and octal escapes. Comments in parentheses (`(?#…)`) are left out. What has no counterpart is refused when it is compiled.

/// The same regex in our syntax.
pub fn translate(regex: &str) -> Result<String, String> {
    let flags = regex.trim_start().strip_prefix("(?").unwrap_or_default();
    let verbose = flags.bytes().take_while(u8::is_ascii_alphabetic).any(|flag| flag == b'x');
    let mut reader = Reader { text: regex.as_bytes(), at: 0, verbose, out: Vec::new() };
    reader.all()?;
    String::from_utf8(reader.out).map_err(|e| e.to_string())
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// Flag `x`: what follows a `#` on its line is a comment.
    verbose: bool,
    out: Vec<u8>,
}

impl Reader<'_> {
    fn rest(&self) -> &[u8] {
        &self.text[self.at..]
    }

    fn copy(&mut self, count: usize) {
        let end = (self.at + count).min(self.text.len());
        self.out.extend_from_slice(&self.text[self.at..end]);
        self.at = end;
    }

    /// Something in place of the next `count` bytes.
    fn put(&mut self, text: &str, count: usize) {
        self.out.extend_from_slice(text.as_bytes());
        self.at += count;
    }

    fn all(&mut self) -> Result<(), String> {
        while let Some(byte) = self.rest().first() {
            match byte {
                b'\\' => self.escape(),
                b'[' => self.class(),
                b'#' if self.verbose => {
                    let length = memchr::memchr(b'\n', self.rest()).unwrap_or(self.rest().len());
                    self.at += length;
                }
                b'{' if repetition(self.rest()).is_none() => self.put(r"\{", 1),
                b'{' => self.copy(repetition(self.rest()).unwrap_or(1)),
                b'(' if self.rest().starts_with(b"(?#") => {
                    let end = memchr::memchr(b')', self.rest()).ok_or("a comment is not closed")?;
                    self.at += end + 1;
                }
                b'(' if [&b"(?="[..], b"(?!", b"(?<=", b"(?<!"].iter().any(|start| self.rest().starts_with(start)) => {
                    return Err("it looks around (`(?=`, `(?!`, `(?<=`, `(?<!`), which no regex of linear time can do".to_owned());
                }
                _ => self.copy(1),
            }
        }
        Ok(())
    }

    /// A backslash and what follows.
    fn escape(&mut self) {
        match self.rest().get(1) {
            Some(b'<' | b'>') => {
                self.at += 1;
                self.copy(1);
            }
            Some(b'0'..=b'7') => {
                let digits = self.rest()[1..].iter().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
                let value = self.rest()[1..=digits].iter().fold(0, |value, digit| value * 8 + u32::from(digit - b'0'));
                // One digit alone, if it is no zero, is a reference to a group, which is refused later.
                if digits > 1 || value == 0 {
                    self.put(&format!(r"\x{{{value:x}}}"), digits + 1);
                } else {
                    self.copy(2);
                }
            }
            Some(b'Q') => {
                let text = &self.rest()[2..];
                let length = memchr::memmem::find(text, br"\E").unwrap_or(text.len());
                let quoted = text[..length].to_vec();
                for byte in &quoted {
                    if byte.is_ascii_punctuation() || *byte == b' ' {
                        self.out.extend_from_slice(format!(r"\x{byte:02x}").as_bytes());
                    } else {
                        self.out.push(*byte);
                    }
                }
                self.at = (self.at + 2 + length + 2).min(self.text.len());
            }
            // `\x{1F}`, `\p{Name}`: the brace is no repetition.
            Some(b'x' | b'p' | b'P') if self.rest().get(2) == Some(&b'{') => {
                let length = memchr::memchr(b'}', self.rest()).map_or(2, |end| end + 1);
                self.copy(length);
            }
            Some(_) => self.copy(2),
            None => self.copy(1),
        }
    }

    /// A class in brackets: in it, only `]`, `\`, `^` at its begin, `-` between two and `[:name:]` mean something.
    fn class(&mut self) {
        self.copy(1);
        if self.rest().first() == Some(&b'^') {
            self.copy(1);
        }
        if self.rest().first() == Some(&b']') {
            self.put(r"\]", 1);
        }
        while let Some(byte) = self.rest().first().copied() {
            match byte {
                b']' => return self.copy(1),
                b'\\' => self.escape(),
                b'[' => match named_class(self.rest()) {
                    Some(length) => self.copy(length),
                    None => self.put(r"\[", 1),
                },
                b'&' => self.put(r"\&", 1),
                b'~' => self.put(r"\~", 1),
                b'-' if self.rest().starts_with(b"--") => self.put(r"\-", 1),
                _ => self.copy(1),
            }
        }
    }
}

/// The length of `{2}`, `{2,}` or `{2,3}`.
fn repetition(text: &[u8]) -> Option<usize> {
    let end = memchr::memchr(b'}', text)?;
    let inner = std::str::from_utf8(text.get(1..end)?).ok()?;
    let number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let valid = match inner.split_once(',') {
        Some((least, most)) => number(least) && (most.is_empty() || number(most)),
        None => number(inner),
    };
    valid.then_some(end + 1)
}

/// The length of `[:alpha:]`.
fn named_class(text: &[u8]) -> Option<usize> {
    let name = text.strip_prefix(b"[:")?;
    let end = memchr::memmem::find(name, b":]")?;
    name[..end].iter().all(|b| b.is_ascii_alphabetic() || *b == b'^').then_some(end + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_written_as_we_write_it() {
        for (go, ours) in [
            (r"acme_[0-9]{8}", r"acme_[0-9]{8}"),
            (r"\${name}", r"\$\{name}"),
            (r"{{[a-z]+}}", r"\{\{[a-z]+}}"),
            (r"a{,3}b{2,}c{1,2}", r"a\{,3}b{2,}c{1,2}"),
            (r"[a[b]", r"[a\[b]"),
            (r"[[:alpha:]_]", r"[[:alpha:]_]"),
            (r"[]a&&b~~c--d]", r"[\]a\&\&b\~\~c\--d]"),
            (r"[^]x]", r"[^\]x]"),
            (r"\<a\>", r"<a>"),
            (r"\012\0", r"\x{a}\x{0}"),
            (r"\Qa.b\Ec", r"a\x2ebc"),
            (r"(?x) a (?# a comment) b", r"(?x) a  b"),
            (r"[\]\[]", r"[\]\[]"),
            (r"\x{1F}{2}", r"\x{1F}{2}"),
            ("(?x) a # one [ or {\n b", "(?x) a \n b"),
        ] {
            let translated = translate(go).expect("a regex");
            assert_eq!(translated, ours, "{go}");
            assert!(super::super::hir(&translated).is_ok(), "{translated}");
        }
        for around in ["(?=a)", "(?!a)", "(?<=a)", "(?<!a)"] {
            assert!(translate(around).is_err_and(|why| why.contains("looks around")), "{around}");
        }
        for cut in ["[", "[^", "[a\\", "\\", "{", "(?#", "\\Q", "[[:", "\\0", "a{1"] {
            let _ = translate(cut);
        }
    }
}
