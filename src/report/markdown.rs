//! The report as a comment on a pull request, and as a step's summary: short, the worst first, in GitHub's Markdown (GitLab reads it, too).
//!
//! What comes from an image stands in code spans and code blocks only, where nothing is markup, a link or a mention.

use super::human::{groups, plural};
use super::words;
use super::{FindingEntry, ProblemEntry, Report, fix, outcome};
use crate::text::{sanitise, shorten};
use std::io;

/// GitHub takes 65,536 characters in a comment; a step's summary may have 1 MiB. Counted in bytes, which are never fewer.
const MOST: usize = 65_536;
/// What is kept free for the last lines.
const END: usize = 1_500;
/// Where what is told of the gate ends: it does not take the place of what failed.
const MOST_OF_GATE: usize = MOST / 4;
/// Secrets in the table.
const MOST_ROWS: usize = 100;
/// Secrets whose fixes are told.
const MOST_FIXES: usize = 20;
/// Problems, and notes, that are listed.
const MOST_REMARKS: usize = 10;

/// Text that may not grow beyond [`MOST`].
struct Page {
    text: String,
}

impl Page {
    /// Adds `part` as a whole, or not at all.
    fn add(&mut self, part: &str) -> bool {
        let fits = self.text.len() + part.len() + END <= MOST;
        if fits {
            self.text.push_str(part);
        }
        fits
    }
}

/// Writes it.
pub fn write(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    let mut page = Page { text: head(report) };
    // In front of the rows, which may be too many.
    gate(report, &mut page);
    let mut secrets = groups(report);
    secrets.iter_mut().for_each(|group| group.sort_by_key(|finding| words::worst(finding)));
    secrets.sort_by_key(|group| group.first().map(|finding| words::worst(finding)));
    let mut rows = 0;
    if !secrets.is_empty() {
        page.add("| severity | secret | where | what became of it | brought in by |\n|---|---|---|---|---|\n");
        rows = secrets.iter().take(MOST_ROWS).take_while(|group| page.add(&row(report, group))).count();
        page.add("\n");
    }
    remarks(report, &mut page);
    let fixes = secrets.iter().take(rows.min(MOST_FIXES)).take_while(|group| page.add(&details(group))).count();
    page.text.push_str(&end(report, secrets.len(), rows, fixes));
    out.write_all(page.text.as_bytes())
}

fn head(report: &Report) -> String {
    let verdict = match report.verdict.as_str() {
        "clean" => "clean: nothing was found, and everything was read",
        "passed" => "passed: what was found is let pass by the policy",
        "found" => "found: the image remembers what it should not",
        _ => "incomplete: nothing that fails, but not everything was read",
    };
    let names: Vec<String> = report.images.iter().take(5).map(|image| code(&shorten(&words::image_name(image), 100))).collect();
    let more = report.images.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let mut text = format!("## pentimento: {verdict}\n\n");
    if !names.is_empty() {
        text.push_str(&format!("{}{more}: ", names.join(", ")));
    }
    text.push_str(&format!("**{}**; {}.\n\n", words::counts(report), words::coverage(report)));
    if !report.complete {
        text.push_str("> **The scan is incomplete.** What is not listed here may still be in the image.\n\n");
    }
    text
}

/// What failed, and what was let pass and why.
fn gate(report: &Report, page: &mut Page) {
    let lines = outcome::lines(report);
    if !lines.is_empty() {
        page.add("**The gate**\n\n");
        let mut add = |(_, line): &(_, String)| page.text.len() < MOST_OF_GATE && page.add(&format!("- {}\n", plain(&shorten(line, 400))));
        let told = lines.iter().take_while(|line| add(line)).count();
        let more = if told < lines.len() { format!("- and {}\n", plural(lines.len() - told, "more line")) } else { String::new() };
        page.add(&format!("{more}\n"));
    }
}

/// One secret of the table.
fn row(report: &Report, group: &[&FindingEntry]) -> String {
    let Some(worst) = group.first() else { return String::new() };
    let more = match group.len() - 1 {
        0 => String::new(),
        more => format!(" and {}", plural(more, "more place")),
    };
    let image = match worst.image.and_then(|index| report.images.get(index)) {
        Some(image) if report.images.len() > 1 => format!("{}: ", code(&shorten(&words::image_name(image), 80))),
        _ => String::new(),
    };
    let origin = match (&worst.dockerfile, worst.location.layer) {
        (Some(entry), Some(_)) => code(&format!("{} {}", words::line(entry), shorten(&words::origin(worst), 60))),
        // What is no file is called after its instruction already.
        (Some(entry), None) => code(&words::line(entry)),
        (None, Some(layer)) => format!("layer {layer}: {}", code(&shorten(&words::origin(worst), 80))),
        (None, None) => String::new(),
    };
    let by = worst.fate.by_layer.map(|by| format!(" by layer {by}")).unwrap_or_default();
    format!(
        "| {}{} | {} {} | {image}{}{more} | {}{by} | {origin} |\n",
        plain(&worst.severity),
        if worst.fails { "" } else { " (passes)" },
        plain(&worst.title),
        code(&words::value(worst)),
        code(&shorten(&words::place(worst), 120)),
        super::human::fate_words(&worst.fate),
    )
}

/// How to fix one secret.
fn details(group: &[&FindingEntry]) -> String {
    let Some(worst) = group.first() else { return String::new() };
    let fix = fix::fix(worst);
    let mut text = format!(
        "<details><summary>Fix: {} in {}</summary>\n\n{}\n\n",
        plain(&worst.title),
        html(&shorten(&words::place(worst), 120)),
        plain(&fix.why)
    );
    for block in &fix.blocks {
        text.push_str(&format!("{} (`{}`)\n\n", plain(&block.say), block.file));
        if !block.text.is_empty() {
            text.push_str(&fenced(&block.text));
        }
    }
    text.push_str(&format!("**Then revoke it**, since whoever pulled the image has it: {}\n\n", plain(&fix.rotate)));
    if let Some(command) = &worst.retrieve {
        text.push_str(&format!("To see it:\n\n{}", fenced(command)));
    }
    text.push_str("</details>\n\n");
    text
}

fn remarks(report: &Report, page: &mut Page) {
    let mut list = |title: &str, entries: &[ProblemEntry]| {
        if entries.is_empty() {
            return;
        }
        let mut text = format!("<details><summary>{}</summary>\n\n", plural(entries.len(), title));
        for entry in entries.iter().take(MOST_REMARKS) {
            text.push_str(&format!("- {}\n", code(&shorten(&words::remark(report, entry), 300))));
        }
        if entries.len() > MOST_REMARKS {
            text.push_str(&format!("- and {} more\n", entries.len() - MOST_REMARKS));
        }
        text.push_str("\n</details>\n\n");
        page.add(&text);
    };
    list("problem", &report.problems);
    list("note", &report.notes);
}

/// What was left out, and who says all this. Never more than [`END`].
fn end(report: &Report, secrets: usize, rows: usize, fixes: usize) -> String {
    let mut lines: Vec<String> = report.suppressed.iter().map(words::left_out).collect();
    if rows < secrets {
        lines.push(format!("CUT: the {rows} worst of {secrets} secrets are listed, what fails first; `--format json` has all."));
    }
    if fixes < rows {
        let shown = if fixes == 0 { "No fixes are shown".to_owned() } else { format!("Fixes of the {fixes} worst are shown") };
        lines.push(format!("{shown}; `--format html` has all."));
    }
    lines.push(format!("verdict: **{}** · pentimento {}", plain(&report.verdict), plain(&report.tool.version)));
    format!("{}\n", lines.join("  \n"))
}

/// A code span, also within a table.
fn code(text: &str) -> String {
    let text = sanitise(text);
    match text.is_empty() {
        true => String::new(),
        // A bar would end the cell of a table, and what escapes it in there depends on what stands in front of it.
        false if text.contains(['`', '|']) => format!("<code>{}</code>", html(&text)),
        false => format!("`{text}`"),
    }
}

/// Text as HTML, with everything that Markdown could take for its own as a character reference.
fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in sanitise(text).chars() {
        match c {
            ' ' | '/' | '.' | ',' | '-' => out.push(c),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => out.push_str(&format!("&#{};", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// Words of ours or of a rule: what they have in backticks is code, and all other markup is escaped.
fn plain(text: &str) -> String {
    let text = sanitise(text);
    let parts: Vec<&str> = text.split('`').collect();
    let paired = parts.len() % 2 == 1;
    let part = |(number, part): (usize, &&str)| match number % 2 {
        1 if paired => code(part),
        _ => escaped(part),
    };
    parts.iter().enumerate().map(part).collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // An address stays one: rules say where to revoke.
            '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&' | '!' | '@' => out.push_str(&format!("&#{};", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// A block of code. The fence is longer than any that stands in it.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let lines: Vec<String> = text.split('\n').map(sanitise).collect();
    format!("{fence}\n{}\n{fence}\n\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_an_image_is_markup() {
        assert_eq!(code("app/.env"), "`app/.env`");
        assert_eq!(code("a`|@me"), "<code>a&#96;&#124;&#64;me</code>");
        assert_eq!(code("a\n# b"), "`a\\n# b`");
        assert_eq!(html("</details><b>"), "&#60;/details&#62;&#60;b&#62;");
        assert_eq!(fenced("a\n```\nb"), "````\na\n```\nb\n````\n\n");
        assert_eq!(plain("Keep `a|b` out, *now* @all"), "Keep <code>a&#124;b</code> out, &#42;now&#42; &#64;all");
        assert_eq!(plain("one ` alone"), "one  alone");
    }

    #[test]
    fn a_page_never_grows_beyond_a_comment() {
        let mut page = Page { text: String::new() };
        while page.add("0123456789") {}
        assert!(page.text.len() <= MOST - END && page.text.len() > MOST - END - 20);
    }
}
