//! What every part of the page is made of: escaped text, tables, regions that scroll.

use crate::report::retrieve::shell_word;
use crate::report::words;
use crate::report::{FindingEntry, ImageEntry, Report};
use crate::text::{sanitise, shorten};

/// Text of any origin as text or as a quoted attribute: without control, bidirectional and invisible characters, and without markup.
pub fn esc(text: &str) -> String {
    markup(&spelt(text))
}

/// The same, at most `most` characters of it.
pub fn esc_short(text: &str, most: usize) -> String {
    markup(&shorten(&spelt(text), most))
}

/// The text as it is to be seen, before it is cut and escaped: what is hostile in it, and piles of marks, are written out.
pub fn spelt(text: &str) -> String {
    let mut marks = 0;
    let mut out = String::with_capacity(text.len() + 16);
    for c in sanitise(text).chars() {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        if marks > MOST_MARKS {
            out.push_str(&format!("\\u{{{:x}}}", c as u32));
        } else {
            out.push(c);
        }
    }
    out
}

/// Text of any origin that may have line breaks of ours (blocks of a Dockerfile).
pub fn esc_lines(text: &str) -> String {
    text.lines().map(esc).collect::<Vec<_>>().join("\n")
}

/// More marks than these on one letter leave its line, and lie over others.
const MOST_MARKS: usize = 3;

/// Characters that stand on the one before: those of scripts that put many of them together, and those for any letter.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}')
        || matches!(c, '\u{6d6}'..='\u{6ed}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' | '\u{eb1}'..='\u{ecd}')
        || matches!(c, '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe2f}' | '\u{e0100}'..='\u{e01ef}')
}

fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A severity, as one of the four that there are a colour for.
pub fn severity(finding: &FindingEntry) -> &'static str {
    ["critical", "high", "medium"].into_iter().find(|known| finding.severity == *known).unwrap_or("low")
}

/// A severity as a mark with its word.
pub fn chip(finding: &FindingEntry) -> String {
    let severity = severity(finding);
    format!("<span class=\"chip {severity}\">{severity}</span>")
}

/// A region that scrolls by itself, where what is in it may be wider than the page.
pub fn scroll(label: &str, content: &str) -> String {
    format!("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">{content}</div>", esc(label))
}

/// A table. On a narrow screen its rows are blocks, in which each cell says what it is. Cells are HTML.
pub fn table(class: &str, caption: &str, heads: &[&str], rows: &[Vec<String>]) -> String {
    let head: String = heads.iter().map(|head| format!("<th scope=\"col\" role=\"columnheader\">{head}</th>")).collect();
    let mut body = String::new();
    for row in rows {
        body.push_str("<tr role=\"row\">");
        for (at, (cell, head)) in row.iter().zip(heads).enumerate() {
            body.push_str(&match at {
                0 => format!("<th scope=\"row\" role=\"rowheader\">{cell}</th>"),
                _ => format!("<td role=\"cell\" data-h=\"{head}\">{cell}</td>"),
            });
        }
        body.push_str("</tr>\n");
    }
    format!(
        "<table role=\"table\" class=\"{class}\"><caption>{caption}</caption><thead role=\"rowgroup\"><tr role=\"row\">{head}</tr></thead>\n\
         <tbody role=\"rowgroup\">\n{body}</tbody></table>\n"
    )
}

/// Says what was left out; nothing if nothing was.
pub fn left_out(count: usize, what: &str) -> String {
    if count == 0 {
        return String::new();
    }
    format!("<p class=\"more\">{count} more {what} not shown here; <code>--format json</code> has all of them.</p>\n")
}

/// What an image is called, in a few words.
pub fn image_name(image: &ImageEntry) -> &str {
    image.names.first().map_or(&image.source, |name| name)
}

/// `pentimento recover app.tar 3f…`; none where a shell cannot be given the target.
pub fn recover(report: &Report, finding: &FindingEntry) -> Option<String> {
    let target = words::target(report.images.get(finding.image?)?);
    let target = if target == "-" { "image.tar".to_owned() } else { shell_word(&target)? };
    let plain = finding.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !finding.id.starts_with('-');
    (plain && !finding.id.is_empty()).then(|| format!("pentimento recover {target} {}", finding.id))
}

/// The command in markup, or why there is none.
pub fn recover_html(report: &Report, finding: &FindingEntry) -> String {
    match recover(report, finding) {
        Some(command) => format!("<code class=\"command\">{}</code>", esc(&command)),
        None => "<span class=\"dim\">no command: the target has no name that a shell could be given</span>".to_owned(),
    }
}

/// True where an image came through a pipe.
pub fn from_pipe(report: &Report) -> bool {
    report.images.iter().any(|image| image.source == "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_only_text() {
        assert_eq!(esc("<a href=\"x\">'&\u{202e}\n"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;\\u{202e}\\n");
        assert_eq!(esc_short("<<<<", 3), "&lt;&lt;…");
        assert_eq!(esc_lines("a<\nb\u{1b}"), "a&lt;\nb\\x1b");
        assert_eq!(esc("e\u{301}e\u{301}\u{301}\u{301}\u{301}"), "e\u{301}e\u{301}\u{301}\u{301}\\u{301}");
    }
}
