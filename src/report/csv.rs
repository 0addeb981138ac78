//! The report for spreadsheets (RFC 4180): a header, a line a finding, a note or a problem, and last one with the verdict.

use super::words;
use super::{FindingEntry, Report};
use crate::text::sanitise;
use std::io;

/// The columns. Only what `type` calls a finding fills more than the first and the last few.
const HEADER: [&str; 28] = [
    "type",
    "id",
    "severity",
    "confidence",
    "rule",
    "provider",
    "title",
    "secret",
    "image",
    "layer",
    "diff_id",
    "kind",
    "path",
    "inner",
    "pointer",
    "name",
    "line",
    "column",
    "fate",
    "fate_how",
    "by_layer",
    "instruction",
    "by_instruction",
    "dockerfile",
    "recoverable",
    "fails",
    "verdict",
    "message",
];

/// Writes the table.
pub fn write(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    row(HEADER.map(str::to_owned), out)?;
    for finding in &report.findings {
        row(cells(report, finding), out)?;
    }
    for (kind, remarks) in [("note", &report.notes), ("problem", &report.problems)] {
        for remark in remarks {
            row(other(kind, &report.verdict, words::remark(report, remark)), out)?;
        }
    }
    let left_out = report.suppressed.iter().map(words::left_out);
    let said: Vec<String> = [words::counts(report), words::coverage(report)].into_iter().chain(left_out).collect();
    row(other("summary", &report.verdict, said.join("; ")), out)
}

fn other(kind: &str, verdict: &str, message: String) -> [String; HEADER.len()] {
    let mut cells = [const { String::new() }; HEADER.len()];
    let [first, .., last_but_one, last] = &mut cells;
    (*first, *last_but_one, *last) = (kind.to_owned(), verdict.to_owned(), message);
    cells
}

fn cells(report: &Report, finding: &FindingEntry) -> [String; HEADER.len()] {
    let at = &finding.location;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let number = |number: Option<usize>| number.map(|n| n.to_string()).unwrap_or_default();
    [
        "finding".to_owned(),
        finding.id.clone(),
        finding.severity.clone(),
        finding.confidence.clone(),
        finding.rule.clone(),
        finding.provider.clone(),
        finding.title.clone(),
        finding.secret.value.clone().unwrap_or_else(|| finding.secret.redacted.clone()),
        words::image_of(report, finding),
        number(at.layer),
        text(&at.diff_id),
        at.kind.clone(),
        at.path.clone().or_else(|| at.member.clone()).unwrap_or_default(),
        at.inner.join("!"),
        text(&at.pointer),
        at.name.clone().or_else(|| at.xattr.clone()).unwrap_or_default(),
        at.line.to_string(),
        at.column.to_string(),
        finding.fate.state.clone(),
        text(&finding.fate.how),
        number(finding.fate.by_layer),
        words::origin(finding),
        text(&finding.fate.by_instruction),
        finding.dockerfile.as_ref().map(words::line).unwrap_or_default(),
        finding.recoverable.to_string(),
        finding.fails.to_string(),
        report.verdict.clone(),
        String::new(),
    ]
}

fn row(cells: [String; HEADER.len()], out: &mut dyn io::Write) -> io::Result<()> {
    out.write_all(cells.map(|cell| quoted(&cell)).join(",").as_bytes())?;
    out.write_all(b"\r\n")
}

/// A cell. A spreadsheet calculates what begins like a formula, and a quotation mark does not keep it from that: an apostrophe does.
fn quoted(cell: &str) -> String {
    let cell = sanitise(cell);
    let formula = cell.trim_start().starts_with(['=', '+', '-', '@', '|', '%', '＝', '＋', '－', '＠']);
    let cell = if formula { format!("'{cell}") } else { cell };
    if cell.contains([',', '"', ';']) || cell.starts_with([' ', '\'']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_another_line() {
        for (cell, expected) in [
            ("app/.env", "app/.env"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("@a;b", "\"'@a;b\""),
            (" +1", "\"' +1\""),
            ("a\r\n=b", "a\\x0d\\n=b"),
            ("\t=b", "\\t=b"),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }
}
