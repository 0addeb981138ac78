//! Reads a JSON report from standard input and writes it as a page. `tests/html/check.py` looks at such pages in a browser.

use pentimento::report::{Format, Report, Span, Style, write};
use std::io;

fn main() -> io::Result<()> {
    let report: Report = serde_json::from_reader(io::stdin().lock())?;
    write(Format::Html, Style { color: false, width: 100 }, Span::default(), &report, &mut io::stdout().lock())
}
