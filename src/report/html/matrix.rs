//! Secrets and images: which image has which secret, and whether it shows.

use super::details::Told;
use super::parts::{esc, esc_short, image_name, left_out, scroll};
use crate::report::human::groups;
use crate::report::{FindingEntry, Report};

/// Secrets that are listed.
const MOST_SECRETS: usize = 100;
/// Images that are listed.
const MOST_IMAGES: usize = 16;

/// The section; nothing for one image.
pub fn section(report: &Report, told: &Told) -> String {
    if report.images.len() < 2 || report.findings.is_empty() {
        return String::new();
    }
    let shown = report.images.len().min(MOST_IMAGES);
    let mut heads = String::new();
    for (index, image) in report.images.iter().enumerate().take(shown) {
        heads.push_str(&format!("<th scope=\"col\">[{index}] {}</th>", esc_short(image_name(image), 48)));
    }
    let groups = groups(report);
    let mut rows = String::new();
    for group in groups.iter().take(MOST_SECRETS) {
        let Some(worst) = group.first() else { continue };
        let cells: String = (0..shown).map(|image| cell(group, image)).collect();
        let name = esc_short(&worst.title, 60);
        rows.push_str(&format!(
            "<tr><th scope=\"row\"><a href=\"{}\">{name}</a> <code>{}</code></th>{cells}</tr>\n",
            told.group(worst.secret.group),
            esc_short(&worst.secret.redacted, 40)
        ));
    }
    let content = format!(
        "<table class=\"matrix\"><caption>Which image has which secret</caption><thead><tr><th scope=\"col\">Secret</th>{heads}</tr></thead>\n\
         <tbody>\n{rows}</tbody></table>"
    );
    format!(
        "<section id=\"matrix\" aria-labelledby=\"h-matrix\"><h2 id=\"h-matrix\">Secrets by image</h2>\n{}{}{}</section>\n",
        scroll("Secrets by image", &content),
        left_out(groups.len().saturating_sub(MOST_SECRETS), "secrets are"),
        left_out(report.images.len() - shown, "images are")
    )
}

/// The worst that can be said of a secret in an image: that it shows.
fn cell(group: &[&FindingEntry], image: usize) -> String {
    let here = || group.iter().filter(|finding| finding.image == Some(image));
    let count = here().count();
    let (class, mark, word) = match count {
        0 => ("none", "–", "absent"),
        _ if here().any(|finding| finding.fate.state == "present") => ("vis", "●", "visible"),
        _ if here().any(|finding| finding.fate.state == "config") => ("meta", "■", "metadata"),
        _ => ("hid", "✕", "hidden"),
    };
    let places = if count > 1 { format!(", {count} places") } else { String::new() };
    format!("<td class=\"{class}\"><span aria-hidden=\"true\">{}</span> {word}{places}</td>", esc(mark))
}
