//! Documents that declare their values to be secrets: manifests of Kubernetes (`kind: Secret`), in YAML and JSON.
//!
//! What such a value is called says nothing, and it may look like anything: that it stands in `data` or `stringData` is the proof. A rule
//! with `document` finds the line that says so; this reads the document around it, no farther than [`REACH`] to each side.

use super::{Candidate, placeholder};
use crate::rules::Confidence;
use crate::rules::check::decode_lenient;
use std::ops::Range;

/// How far from its `kind` a document is read, in bytes: from any value to both ends is less than the context of a window.
const REACH: usize = 12 << 10;

/// A value that is declared to be a secret.
#[derive(Debug, PartialEq, Eq)]
struct Declared {
    /// Where it stands, without quotes.
    value: Range<usize>,
    /// Why it may be none.
    doubt: Option<&'static str>,
}

/// Adds the values of the document that `kind` stands in. Returns where it ends.
pub fn candidates(bytes: &[u8], rule: usize, confidence: Confidence, kind: Range<usize>, found: &mut Vec<Candidate>) -> usize {
    let (values, end) = values(bytes, kind.start);
    found.extend(values.into_iter().map(|Declared { value, doubt }| Candidate {
        rule,
        secret: value,
        confidence: if doubt.is_some() { Confidence::Low } else { confidence },
        reasons: vec![doubt.unwrap_or("the document declares it to be a secret").into()],
        facts: Vec::new(),
    }));
    end.max(kind.end)
}

/// The values of the document whose `kind` stands at `kind`, and where the document ends.
fn values(bytes: &[u8], kind: usize) -> (Vec<Declared>, usize) {
    let window = kind.saturating_sub(REACH)..(kind + REACH).min(bytes.len());
    if bytes[..kind].ends_with(b"\"") { in_json(bytes, kind, window) } else { in_yaml(bytes, kind, window) }
}

/// How the values of a section are written.
#[derive(Clone, Copy)]
struct Section {
    encoded: bool,
}

fn section(key: &[u8]) -> Option<Section> {
    match key {
        b"data" => Some(Section { encoded: true }),
        b"stringData" => Some(Section { encoded: false }),
        _ => None,
    }
}

fn declared(bytes: &[u8], section: Section, key: &[u8], value: Range<usize>) -> Option<Declared> {
    let raw = bytes[value.clone()].trim_ascii();
    if raw.is_empty() || placeholder::is_reference(raw) || raw.starts_with(b"ENC[") {
        return None;
    }
    let text = if section.encoded {
        let packed: Vec<u8> = raw.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
        decode_lenient(&packed)?
    } else {
        raw.to_vec()
    };
    let text = text.trim_ascii();
    let doubt = if text.is_empty() || placeholder::is_reference(text) { return None } else { doubt(key, text) };
    Some(Declared { value, doubt })
}

/// Why a value may be no secret, though it stands among secrets.
fn doubt(key: &[u8], text: &[u8]) -> Option<&'static str> {
    const NAMES: &[&str] = &[
        "user",
        "username",
        "name",
        "host",
        "hostname",
        "port",
        "server",
        "endpoint",
        "url",
        "uri",
        "address",
        "database",
        "dbname",
        "region",
        "namespace",
        "email",
        "bucket",
        "type",
        "crt",
        "pem",
        "cert",
        "ca",
        "pub",
        "public",
        "id",
        "enabled",
        "path",
        "project",
    ];
    const PUBLIC: &[&[u8]] = &[b"-----BEGIN CERTIFICATE", b"-----BEGIN PUBLIC", b"-----BEGIN TRUSTED", b"ssh-", b"ecdsa-"];
    let last = super::names::words(key).pop().unwrap_or_default();
    if NAMES.contains(&&last[..]) && !text.starts_with(b"-----BEGIN ") || PUBLIC.iter().any(|begin| text.starts_with(begin)) {
        return Some("it stands among secrets, and its name says that it is public");
    }
    if text.len() < 4 || placeholder::is_keyword(text) {
        return Some("it stands among secrets, and looks like a setting");
    }
    placeholder::looks_invented(text)
}

/// One line, and where its text begins.
struct Line {
    text: Range<usize>,
    indent: usize,
}

fn line_at(bytes: &[u8], start: usize, limit: usize) -> Line {
    let end = memchr::memchr(b'\n', &bytes[start..limit]).map_or(limit, |at| start + at);
    let indent = bytes[start..end].iter().take_while(|b| b" \t".contains(b)).count();
    Line { text: start + indent..end, indent }
}

fn is_blank(text: &[u8]) -> bool {
    text.trim_ascii().is_empty() || text.starts_with(b"#")
}

/// The value of an entry of a list, which begins behind its dash: `- kind: Secret`.
fn behind_dash(bytes: &[u8], line: &mut Line) {
    if bytes[line.text.clone()].starts_with(b"- ") {
        let skip = 1 + bytes[line.text.start + 1..line.text.end].iter().take_while(|b| **b == b' ').count();
        line.text.start += skip;
        line.indent += skip;
    }
}

fn in_yaml(bytes: &[u8], kind: usize, window: Range<usize>) -> (Vec<Declared>, usize) {
    let own_start = memchr::memrchr(b'\n', &bytes[window.start..kind]).map_or(window.start, |at| window.start + at + 1);
    let mut own = line_at(bytes, own_start, window.end);
    let dashed = bytes[own.text.clone()].starts_with(b"- ");
    behind_dash(bytes, &mut own);
    if own.text.start != kind {
        return (Vec::new(), kind + 1);
    }
    let column = own.indent;
    let start = if dashed { own_start } else { document_start(bytes, own_start, column, window.start) };
    let mut found = Vec::new();
    let (mut at, mut current, mut child) = (start, None, None);
    while at < window.end {
        let mut line = line_at(bytes, at, window.end);
        let next = line.text.end + 1;
        let first = at == start;
        at = next;
        if is_blank(&bytes[line.text.clone()]) {
            continue;
        }
        if first {
            behind_dash(bytes, &mut line);
        }
        if line.indent < column || bytes[line.text.clone()].starts_with(b"---") && line.indent == 0 {
            return (found, line.text.start.max(kind + 1));
        }
        let Some((key, value)) = entry(bytes, line.text.clone()) else { continue };
        if line.indent == column {
            (current, child) = (section(&bytes[key]), None);
        } else if let Some(section) = current
            && line.indent == *child.get_or_insert(line.indent)
        {
            let block = matches!(bytes.get(value.start), Some(b'|' | b'>'));
            let value = if block { block_of(bytes, next, line.indent, window.end) } else { value };
            // The lines of a file are searched for what they are; only what is encoded is one value.
            if !block || section.encoded {
                found.extend(declared(bytes, section, &bytes[key], value));
            }
        }
    }
    (found, window.end.max(kind + 1))
}

/// Where the document begins whose keys stand in this column, walking back from the line at `at`.
fn document_start(bytes: &[u8], mut at: usize, column: usize, limit: usize) -> usize {
    while at > limit {
        let start = memchr::memrchr(b'\n', &bytes[limit..at - 1]).map_or(limit, |end| limit + end + 1);
        let mut line = line_at(bytes, start, at - 1);
        let text = &bytes[line.text.clone()];
        if text.starts_with(b"---") && line.indent == 0 {
            return at;
        }
        if !is_blank(text) && line.indent < column {
            behind_dash(bytes, &mut line);
            return if line.indent == column { start } else { at };
        }
        at = start;
    }
    at
}

/// `key: value`, each without quotes.
fn entry(bytes: &[u8], line: Range<usize>) -> Option<(Range<usize>, Range<usize>)> {
    let text = &bytes[line.clone()];
    let quote = text.first().copied().filter(|b| b"\"'".contains(b));
    let key = match quote {
        Some(quote) => 1..1 + memchr::memchr(quote, &text[1..])?,
        None => 0..memchr::memchr(b':', text)?,
    };
    let colon = key.end + usize::from(quote.is_some());
    let rest = text.get(colon..)?.strip_prefix(b":")?;
    if rest.first().is_some_and(|b| !b.is_ascii_whitespace()) {
        return None;
    }
    let lead = rest.iter().take_while(|b| b" \t".contains(b)).count();
    let value = &rest[lead..];
    let start = line.start + colon + 1 + lead;
    let (from, length) = match value.first() {
        Some(quote @ (b'"' | b'\'')) => (1, memchr::memchr(*quote, &value[1..])?),
        _ => (0, memchr::memmem::find(value, b" #").map_or(value.len(), |at| at)),
    };
    let trimmed = value[from..from + length].trim_ascii_end().len();
    Some((line.start + key.start..line.start + key.end, start + from..start + from + trimmed))
}

/// The lines from `start` on that stand deeper than `indent`.
fn block_of(bytes: &[u8], start: usize, indent: usize, limit: usize) -> Range<usize> {
    let (mut at, mut from, mut end) = (start, None, start.min(limit));
    while at < limit {
        let line = line_at(bytes, at, limit);
        at = line.text.end + 1;
        if line.text.is_empty() {
            continue;
        }
        if line.indent <= indent {
            break;
        }
        from = from.or(Some(line.text.start));
        end = line.text.end;
    }
    from.unwrap_or(end)..end
}

fn in_json(bytes: &[u8], kind: usize, window: Range<usize>) -> (Vec<Declared>, usize) {
    let Some(start) = opening_brace(&bytes[window.start..kind]).map(|at| window.start + at) else { return (Vec::new(), kind + 1) };
    let mut found = Vec::new();
    let (mut at, mut depth, mut current) = (start + 1, 1, None);
    let mut key = None;
    while at < window.end && depth > 0 {
        match bytes[at] {
            b'{' => {
                depth += 1;
                current = key.take().filter(|_| depth == 2).and_then(|key: Range<usize>| section(&bytes[key]));
            }
            b'}' => {
                depth -= 1;
                current = None;
            }
            b',' => key = None,
            b'"' => {
                let Some(end) = string_end(&bytes[at + 1..window.end]).map(|length| at + 1 + length) else { break };
                match (key.take(), current) {
                    (None, _) => key = Some(at + 1..end),
                    (Some(key), Some(section)) if depth == 2 => found.extend(declared(bytes, section, &bytes[key], at + 1..end)),
                    _ => {}
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    (found, at.max(kind + 1))
}

/// The last brace that is not closed. Braces in strings count too: then a document is missed.
fn opening_brace(text: &[u8]) -> Option<usize> {
    let mut depth = 0;
    text.iter().rposition(|b| {
        depth += i32::from(*b == b'}') - i32::from(*b == b'{');
        depth < 0
    })
}

/// The length of a string up to its closing quote.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|b| {
        let closes = *b == b'"' && !escaped;
        escaped = *b == b'\\' && !escaped;
        closes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, bool)> {
        let kind = text.find("kind").expect("a kind");
        values(text.as_bytes(), kind).0.into_iter().map(|d| (&text[d.value], d.doubt.is_none())).collect()
    }

    #[test]
    fn yaml_in_any_order() {
        let text = "a: 1\n---\napiVersion: v1\ndata:\n  # a comment\n  one: b25lIG9mIHRoZW0=\n  \"two\": 'dHdvIG9mIHRoZW0='  # x\n  \
                    none: \n  ref: {{ .Values.x }}\n  odd: not base64!\nkind: Secret\nmetadata:\n  labels:\n    data: x\nstringData:\n  \
                    three: plain text # why\n  file: |\n    a: b\n    c: d\n  username: admin\n---\nstringData:\n  four: other\n";
        assert_eq!(found(text), [("b25lIG9mIHRoZW0=", true), ("dHdvIG9mIHRoZW0=", true), ("plain text", true), ("admin", false)]);
    }

    #[test]
    fn entries_of_a_list_end_with_it() {
        let list =
            "items:\n- apiVersion: v1\n  kind: Secret\n  data:\n    one: b25lIG9mIHRoZW0=\n- kind: ConfigMap\n  data:\n    two: dHdv\n";
        assert_eq!(found(list), [("b25lIG9mIHRoZW0=", true)]);
        let first = "items:\n  - kind: Secret\n    stringData: {}\n    data:\n      one: |\n        b25lIG9m\n        IHRoZW0=\n  - data:\n      two: dHdv\n";
        assert_eq!(found(first), [("b25lIG9m\n        IHRoZW0=", true)]);
        assert_eq!(found("secretRef:\n  kind: Secret\n  name: x\ndata:\n  a: b25lIG9mIHRoZW0=\n"), []);
    }

    #[test]
    fn json() {
        let text = r#"{"items":[{"data":{"one":"b25lIG9mIHRoZW0=","u":""},"kind":"Secret","metadata":{"data":{"x":"dHdvIG9mIHRoZW0="}},
            "stringData":{"two":"a \" b","changed":"changeme"}},{"data":{"three":"dHdvIG9mIHRoZW0="}}]}"#;
        assert_eq!(found(text), [("b25lIG9mIHRoZW0=", true), (r#"a \" b"#, true), ("changeme", false)]);
    }

    #[test]
    fn what_is_public_or_sealed() {
        let certificate = format!("{}BEGIN CERTIFICATE-----", "-----");
        let text = format!("kind: Secret\nstringData:\n  ca.crt: {certificate}\n  sops: ENC[AES256_GCM,data:abc]\n  key: changeme\n");
        assert_eq!(found(&text), [(&certificate[..], false), ("changeme", false)]);
    }

    #[test]
    fn nothing_stumbles() {
        for text in [
            "kind",
            "\"kind\"",
            "{\"kind\":\"Secret\",\"data\":{\"",
            "- kind: Secret\ndata:",
            "kind: Secret\ndata:\n  a: |",
            "  kind:\n data",
        ] {
            found(text);
        }
    }
}
