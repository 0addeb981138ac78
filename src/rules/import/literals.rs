//! Texts one of which every match of a regex holds: where none of them stands, the regex need not be run.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Shorter ones stand everywhere.
const LEAST: usize = 3;
/// More of them lead nowhere.
const MOST: usize = 64;

/// The texts, in lower case; `None` if there are none of a useful length.
pub fn required(hir: &Hir) -> Option<Vec<String>> {
    let mut texts = in_any_case(hir)?;
    texts.sort();
    texts.dedup();
    Some(texts)
}

fn in_any_case(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Literal(_) | HirKind::Class(_) => one(exact(hir)?),
        HirKind::Capture(capture) => in_any_case(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => in_any_case(&repetition.sub),
        HirKind::Alternation(parts) => {
            let all: Vec<Vec<String>> = parts.iter().map(in_any_case).collect::<Option<_>>()?;
            let all = all.concat();
            (all.len() <= MOST).then_some(all)
        }
        HirKind::Concat(parts) => {
            let mut best: Option<Vec<String>> = None;
            let mut keep = |texts: Option<Vec<String>>| {
                let shortest = |texts: &Vec<String>| texts.iter().map(String::len).min().unwrap_or(0);
                if texts.as_ref().map(shortest) > best.as_ref().map(shortest) {
                    best = texts;
                }
            };
            // Characters that stand side by side are one text.
            let mut text = String::new();
            for part in parts {
                match exact(part) {
                    Some(next) => text.push_str(&next),
                    None => {
                        keep(one(std::mem::take(&mut text)));
                        keep(in_any_case(part));
                    }
                }
            }
            keep(one(text));
            best
        }
        _ => None,
    }
}

fn one(text: String) -> Option<Vec<String>> {
    (text.len() >= LEAST).then(|| vec![text])
}

/// The only text that matches, whatever its case.
fn exact(hir: &Hir) -> Option<String> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok().filter(|text| text.is_ascii())?;
            Some(text.to_ascii_lowercase())
        }
        HirKind::Class(Class::Bytes(class)) => {
            let mut bytes = class.iter().flat_map(|range| range.start()..=range.end()).map(|b| b.to_ascii_lowercase());
            let first = bytes.next().filter(u8::is_ascii)?;
            bytes.all(|b| b == first).then(|| char::from(first).to_string())
        }
        HirKind::Capture(capture) => exact(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(exact).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_match_holds() {
        for (regex, expected) in [
            ("acme_[0-9]{8}", "acme_"),
            ("(?i)[a-z]{0,9}(?:acme|emca)[ ]{0,3}=", "acme emca"),
            ("(?i)AcMe[-_]?key", "acme"),
            ("(abc|(?i:def))ghi+", "abc def"),
            ("ab[cC]d|xyz", "abcd xyz"),
            ("x{3}acme{2}", "acm"),
            ("ab|acme", ""),
            ("[0-9]{32}", ""),
            ("(?:acme)?[0-9]{32}", ""),
        ] {
            let hir = super::super::hir(regex).expect("a regex");
            assert_eq!(required(&hir).unwrap_or_default().join(" "), expected, "{regex}");
        }
    }
}
