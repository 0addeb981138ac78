//! The JSON report, and its schema.

use super::Report;
use std::io;

/// JSON Schema (draft 2020-12) of the report.
pub const SCHEMA: &str = include_str!("../../schema/report.schema.json");

/// One document, indented, with a line end.
pub fn write(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")
}
