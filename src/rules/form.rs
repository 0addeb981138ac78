//! The form of a token, as facts are told: `sk_(live|test)_{base62:24}` is a literal, one of two words, and 24 letters or digits.
//!
//! A form gives the regex that finds the value, the literals that lead to it, and a sample, so that none of them can disagree.

use super::spec::ValueSpec;
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, Repetition};

/// A parsed form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// One of these texts; one alone for a literal.
    Literals(Vec<String>),
    /// Characters of one alphabet.
    Run { alphabet: Alphabet, min: usize, max: usize },
    /// 8-4-4-4-12 hexadecimal digits.
    Uuid,
    /// Three base64url parts.
    Jwt,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Alphabet {
    /// As in the form: a name, or a class in brackets.
    name: String,
    /// The inner part of a character class of a regex.
    class: String,
}

/// The literal part of a form that leads to it.
#[derive(Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Each at least 3 bytes.
    pub literals: Vec<String>,
    /// How far the form may begin in front of it, in bytes.
    pub before: usize,
}

/// The longest run in a form.
const LONGEST_RUN: usize = 4096;

impl Form {
    /// Reads a form. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Form, String> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (piece, length) = match first {
                '{' => {
                    let end = rest.find('}').ok_or("a brace is not closed")?;
                    (run(&rest[1..end])?, end + 1)
                }
                '(' => {
                    let end = rest.find(')').ok_or("a parenthesis is not closed")?;
                    (Piece::Literals(rest[1..end].split('|').map(str::to_owned).collect()), end + 1)
                }
                '}' | ')' | '|' => return Err(format!("{first} stands alone")),
                _ => {
                    let end = rest.find(['{', '(', '}', ')', '|']).unwrap_or(rest.len());
                    (Piece::Literals(vec![rest[..end].to_owned()]), end)
                }
            };
            pieces.push(piece);
            rest = &rest[length..];
        }
        if !pieces.iter().any(|p| !matches!(p, Piece::Literals(_))) {
            return Err("a form needs a part that varies, such as {base62:20}".to_owned());
        }
        Ok(Form { pieces })
    }

    /// The regex, without anchors and groups.
    pub fn regex(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Literals(texts) if texts.len() == 1 => escape(&texts[0]),
            Piece::Literals(texts) => format!("(?:{})", texts.iter().map(|t| escape(t)).collect::<Vec<_>>().join("|")),
            Piece::Run { alphabet, min, max } if min == max => format!("[{}]{{{min}}}", alphabet.class),
            Piece::Run { alphabet, min, max } => format!("[{}]{{{min},{max}}}", alphabet.class),
            Piece::Uuid => "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}".to_owned(),
            Piece::Jwt => r"ey[0-9A-Za-z_\-]{8,2048}\.[0-9A-Za-z_\-]{8,4096}\.[0-9A-Za-z_\-]{8,1024}".to_owned(),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// The same, read, if its alphabets are known by name: to parse the regexes of a thousand forms takes longer than to search a small image.
    pub fn hir(&self) -> Option<Hir> {
        let class = |all: Vec<char>| {
            let range = |c: char| ClassBytesRange::new(c as u8, c as u8);
            Hir::class(Class::Bytes(ClassBytes::new(all.into_iter().map(range))))
        };
        let run = |class: &Hir, min: usize, max: usize| {
            let (min, max) = (min as u32, Some(max as u32));
            Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(class.clone()) })
        };
        let piece = |piece: &Piece| {
            Some(match piece {
                Piece::Literals(texts) => Hir::alternation(texts.iter().map(|text| Hir::literal(text.as_bytes())).collect()),
                // What stands in brackets may be no class at all.
                Piece::Run { alphabet, .. } if alphabet.name.starts_with('[') => return None,
                Piece::Run { alphabet, min, max } => run(&class(alphabet.all()), *min, *max),
                Piece::Uuid => {
                    let (digit, dash) = (class(expand("0-9A-Fa-f")), Hir::literal(*b"-"));
                    let groups = [8, 4, 4, 4, 12].iter().flat_map(|count| [dash.clone(), run(&digit, *count, *count)]);
                    Hir::concat(groups.skip(1).collect())
                }
                Piece::Jwt => {
                    let (part, dot) = (class(expand("0-9A-Za-z_-")), Hir::literal(*b"."));
                    let parts = [run(&part, 8, 2048), dot.clone(), run(&part, 8, 4096), dot, run(&part, 8, 1024)];
                    Hir::concat([Hir::literal(*b"ey")].into_iter().chain(parts).collect())
                }
            })
        };
        Some(Hir::concat(self.pieces.iter().map(piece).collect::<Option<_>>()?))
    }

    /// A template of a value of this form, for examples (see `sample.rs`).
    pub fn sample(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Literals(texts) => texts[0].clone(),
            Piece::Run { alphabet, min, .. } => format!("{{{}:{min}}}", alphabet.name),
            Piece::Uuid => "{uuid}".to_owned(),
            Piece::Jwt => "{jwt}".to_owned(),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// The longest value, in bytes.
    pub fn max(&self) -> usize {
        let longest = |piece: &Piece| match piece {
            Piece::Literals(texts) => texts.iter().map(String::len).max().unwrap_or(0),
            Piece::Run { max, .. } => *max,
            Piece::Uuid => 36,
            Piece::Jwt => 7184,
        };
        self.pieces.iter().map(longest).sum()
    }

    /// The literals that lead to a value of this form; `None` if it has none of 3 bytes and more.
    pub fn anchor(&self) -> Option<Anchor> {
        let mut best: Option<Anchor> = None;
        let mut at = 0;
        let mut before = 0;
        while at < self.pieces.len() {
            // Literals that stand side by side are one.
            let mut texts = vec![String::new()];
            let start = at;
            while let Some(Piece::Literals(next)) = self.pieces.get(at).filter(|_| texts.len() < 16) {
                texts = texts.iter().flat_map(|head| next.iter().map(move |tail| format!("{head}{tail}"))).collect();
                at += 1;
            }
            let shortest = |texts: &[String]| texts.iter().map(String::len).min().unwrap_or(0);
            let better = best.as_ref().is_none_or(|best| shortest(&texts) > shortest(&best.literals));
            if shortest(&texts) >= 3 && better {
                best = Some(Anchor { literals: texts, before });
            }
            let taken = Form { pieces: self.pieces[start..(at + 1).min(self.pieces.len())].to_vec() };
            before += taken.max();
            at += 1;
        }
        best
    }

    /// Gates that every value of this form passes, unless somebody made it up: the entropy of a random value, less a margin that
    /// chance does not reach.
    pub fn gates(&self) -> ValueSpec {
        let (mut symbols, mut length, mut kinds) = (0, 0, 0);
        for piece in &self.pieces {
            let (size, count, of) = match piece {
                Piece::Literals(_) => continue,
                Piece::Run { alphabet, min, .. } => {
                    let all = alphabet.all();
                    (all.len(), *min, kinds_of(&all))
                }
                Piece::Uuid => (16, 32, 2),
                Piece::Jwt => (64, 30, 3),
            };
            symbols = symbols.max(size);
            kinds = kinds.max(of);
            length += count;
        }
        let most = (symbols.min(length).max(1) as f32).log2();
        let changes = match kinds {
            3 if length >= 16 => 0.2,
            2 if length >= 16 => 0.1,
            _ => 0.0,
        };
        ValueSpec { entropy: 0.65 * most, changes, ..ValueSpec::default() }
    }
}

impl Alphabet {
    fn of(name: &str) -> Option<Alphabet> {
        let class = match name {
            "digits" => "0-9",
            "hex" => "0-9a-f",
            "HEX" => "0-9A-F",
            "anyhex" => "0-9A-Fa-f",
            "lower" => "0-9a-z",
            "upper" => "0-9A-Z",
            "az" => "a-z",
            "AZ" => "A-Z",
            "alpha" => "A-Za-z",
            "base62" => "0-9A-Za-z",
            "base64" => "0-9A-Za-z+/",
            "base64url" => r"0-9A-Za-z_\-",
            "base32" => "A-Z2-7",
            "word" => "0-9A-Za-z_",
            _ => {
                let inner = name.strip_prefix('[')?.strip_suffix(']')?;
                return (!inner.is_empty()).then(|| Alphabet { name: name.to_owned(), class: class_of(inner) });
            }
        };
        Some(Alphabet { name: name.to_owned(), class: class.to_owned() })
    }

    /// Its characters.
    fn all(&self) -> Vec<char> {
        expand(&self.class.replace('\\', ""))
    }
}

/// How many of the kinds digit, upper case and lower case there are, beyond a few letters.
fn kinds_of(all: &[char]) -> usize {
    let has = |test: fn(&char) -> bool| usize::from(all.iter().filter(|c| test(c)).count() >= 5);
    has(char::is_ascii_digit) + has(char::is_ascii_uppercase) + has(char::is_ascii_lowercase)
}

/// A class as written in a form, with all but `a-z` ranges escaped.
fn class_of(inner: &str) -> String {
    let chars: Vec<char> = inner.chars().collect();
    let mut out = String::new();
    let mut at = 0;
    while at < chars.len() {
        if chars.get(at + 1) == Some(&'-') && at + 2 < chars.len() {
            out.extend([chars[at], '-', chars[at + 2]]);
            at += 3;
        } else {
            out.push_str(&escape(&chars[at].to_string()));
            at += 1;
        }
    }
    out
}

/// All characters of a class such as `0-9a-z_-`.
pub fn expand(class: &str) -> Vec<char> {
    let chars: Vec<char> = class.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        if chars.get(at + 1) == Some(&'-') && at + 2 < chars.len() {
            out.extend(chars[at]..=chars[at + 2]);
            at += 3;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

fn run(text: &str) -> Result<Piece, String> {
    match text {
        "uuid" => return Ok(Piece::Uuid),
        "jwt" => return Ok(Piece::Jwt),
        _ => {}
    }
    let (name, count) = text.rsplit_once(':').ok_or_else(|| format!("{{{text}}} needs a length"))?;
    let alphabet = Alphabet::of(name).ok_or_else(|| format!("there is no alphabet {name}"))?;
    let number = |digits: &str| digits.parse::<usize>().map_err(|_| format!("{{{text}}} needs a number"));
    let (min, max) = match count.split_once('-') {
        Some((min, max)) => (number(min)?, number(max)?),
        None => (number(count)?, number(count)?),
    };
    if min == 0 || min > max || max > LONGEST_RUN {
        return Err(format!("{{{text}}}: a length is 1 to {LONGEST_RUN}"));
    }
    Ok(Piece::Run { alphabet, min, max })
}

fn escape(text: &str) -> String {
    text.chars().flat_map(|c| [(!c.is_ascii_alphanumeric() && c.is_ascii()).then_some('\\'), Some(c)]).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::guarantee::way;

    fn form(text: &str) -> Form {
        Form::parse(text).expect("a form")
    }

    #[test]
    fn regex_sample_and_anchor() {
        let stripe = form("sk_(live|test)_{base62:24-30}");
        assert_eq!(stripe.regex(), r"sk\_(?:live|test)\_[0-9A-Za-z]{24,30}");
        assert_eq!(stripe.sample(), "sk_live_{base62:24}");
        assert_eq!(stripe.anchor(), Some(Anchor { literals: vec!["sk_live_".into(), "sk_test_".into()], before: 0 }));
        assert_eq!(stripe.max(), 38);
        let inner = form("{digits:8}-abc{[a-z_-]:4}");
        assert_eq!(inner.anchor(), Some(Anchor { literals: vec!["-abc".into()], before: 8 }));
        assert_eq!(inner.regex(), r"[0-9]{8}\-abc[a-z\_\-]{4}");
        assert_eq!(form("{uuid}").anchor(), None);
    }

    #[test]
    fn what_is_read_is_what_is_written() {
        let way = |hir: &Hir| [(false, true), (true, true), (false, false)].map(|(near, boundary)| way(hir, near, boundary));
        for text in
            ["sk_(live|test)_{base62:24-30}", "{uuid}", "x-{jwt}", "{digits:8}-abc{[a-z_-]:4}", "{[A-F+-]:16}.{base64:3}", "ü{hex:20}"]
        {
            let form = form(text);
            let parsed = crate::rules::compile::syntax_check(&form.regex()).expect("a regex");
            assert!(form.hir().is_none_or(|hir| way(&hir) == way(&parsed)), "{text}");
            assert_eq!(form.hir().is_none(), text.contains("{["), "{text}");
        }
    }

    #[test]
    fn what_is_no_form() {
        for bad in ["abc", "{base62}", "{base61:3}", "{hex:0}", "{hex:9-3}", "{hex:9", "a|b{hex:3}", "(a{hex:3}", "{hex:99999}", "{[]:3}"] {
            assert!(Form::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn gates_follow_the_alphabet() {
        let gates = form("{hex:32}").gates();
        assert!((gates.entropy - 2.6).abs() < 0.01 && gates.changes == 0.1);
        assert!(form("{base62:32}").gates().changes == 0.2);
        assert!(form("{az:32}").gates().changes == 0.0);
    }
}
