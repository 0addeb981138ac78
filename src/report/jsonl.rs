//! The JSON report a line at a time: an object a line, with the fields of the JSON report and a `type`.

use super::{CoverageEntry, GateEntry, ProblemEntry, Report, SuppressedEntry, Tool};
use serde::Serialize;
use std::io;

/// One line.
#[derive(Serialize)]
struct Line<'a, T> {
    r#type: &'static str,
    #[serde(flatten)]
    entry: &'a T,
}

/// The last line: what the JSON report says of the whole.
#[derive(Serialize)]
struct Summary<'a> {
    schema_version: u32,
    tool: &'a Tool,
    verdict: &'a str,
    complete: bool,
    suppressed: &'a [SuppressedEntry],
    gate: &'a GateEntry,
    coverage: &'a CoverageEntry,
}

fn line<T: Serialize>(kind: &'static str, entry: &T, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Line { r#type: kind, entry })?;
    out.write_all(b"\n")
}

/// Writes images (in the order that `image` counts), findings, notes and problems, and last the summary: a report without it is cut.
pub fn write(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    report.images.iter().try_for_each(|image| line("image", image, out))?;
    report.findings.iter().try_for_each(|finding| line("finding", finding, out))?;
    let mut remarks = |kind, entries: &[ProblemEntry]| entries.iter().try_for_each(|entry| line(kind, entry, out));
    remarks("note", &report.notes)?;
    remarks("problem", &report.problems)?;
    let summary = Summary {
        schema_version: report.schema_version,
        tool: &report.tool,
        verdict: &report.verdict,
        complete: report.complete,
        suppressed: &report.suppressed,
        gate: &report.gate,
        coverage: &report.coverage,
    };
    line("summary", &summary, out)
}
