//! The frame of the page: head, what was found, images, problems, coverage.

use super::parts::{esc_short, image_name, left_out, table};
use super::{details, layers, life, matrix, strip, treemap};
use crate::report::human::{bytes, groups, plural};
use crate::report::outcome::{self, Tone};
use crate::report::{ImageEntry, ProblemEntry, Report};
use base64::Engine;
use sha2::{Digest, Sha256};

/// The one style sheet; its hash is in the policy.
pub const STYLE: &str = include_str!("style.css");

/// Problems, and notes, that are listed.
const MOST_PROBLEMS: usize = 100;
/// Images that the head lists.
const MOST_IMAGES: usize = 24;

/// The page.
pub fn page(report: &Report) -> String {
    let (secrets, told) = details::section(report);
    let sections = [
        ("gate", "The gate", gate(report)),
        ("life", "Life lines", life::section(report, &told)),
        ("secrets", "Secrets and fixes", secrets),
        ("matrix", "Secrets by image", matrix::section(report, &told)),
        ("layers", "Layers", layers::section(report)),
        ("tree", "What is below", treemap::section(report)),
        ("problems", "Problems and notes", problems(report)),
        ("coverage", "Coverage", coverage(report)),
    ];
    let there = || sections.iter().filter(|(.., content)| !content.is_empty());
    let links: String = there().map(|(id, name, _)| format!("<li><a href=\"#{id}\">{name}</a></li>")).collect();
    let content: String = there().map(|(.., content)| content.as_str()).collect();
    format!(
        "{}<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n{}{}<nav aria-label=\"Sections\"><ul>{links}</ul></nav>\n\
         <main id=\"main\">\n{content}</main>\n{}</body>\n</html>\n",
        head(report),
        strip::DEFINITIONS,
        header(report),
        footer(report)
    )
}

/// What the browser may load: this one style sheet, and nothing else.
pub fn policy() -> String {
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}

fn head(report: &Report) -> String {
    let names: Vec<&str> = report.images.iter().take(3).map(image_name).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"robots\" content=\"noindex, nofollow\">\n\
         <title>pentimento: {} – {}</title>\n<style>{STYLE}</style>\n</head>\n",
        policy(),
        esc_short(&report.verdict, 40),
        esc_short(&names.join(", "), 120)
    )
}

fn header(report: &Report) -> String {
    let (class, verdict) = match report.verdict.as_str() {
        "clean" => ("good", "Clean".to_owned()),
        "passed" => ("good", "Passed".to_owned()),
        "found" => ("bad", format!("{} found", plural(groups(report).len(), "secret"))),
        "incomplete" => ("warn", "Incomplete".to_owned()),
        other => ("warn", esc_short(other, 40)),
    };
    let targets: Vec<String> = report.images.iter().take(MOST_IMAGES).map(image).collect();
    let more = report.images.len().saturating_sub(MOST_IMAGES);
    format!(
        "<header>\n<div class=\"canvas\">{PAINTING}</div>\n<p class=\"brand\">pentimento</p>\n<h1 class=\"{class}\">{verdict}</h1>\n\
         <p class=\"sub\">{}</p>\n{}{}<ul class=\"targets\">{}</ul>\n{}</header>\n",
        sub(report),
        complete(report),
        counts(report),
        targets.concat(),
        left_out(more, "images are"),
    )
}

fn sub(report: &Report) -> &'static str {
    match report.verdict.as_str() {
        "clean" => "Nothing was found in any layer, visible or hidden, nor in the metadata.",
        "passed" => "Nothing that was found makes this scan fail.",
        "found" => "What a later layer paints over is still in the image, for everybody who can pull it.",
        _ => "Not everything could be read: what is not listed here may still be there.",
    }
}

fn complete(report: &Report) -> String {
    if report.complete {
        return "<p class=\"complete\">Complete: everything was read.</p>\n".to_owned();
    }
    format!(
        "<div class=\"incomplete\"><p><strong>NOT complete.</strong> {} kept the scan from reading everything. What is not listed here may \
         still be in the image. <a href=\"#problems\">See the problems</a>.</p></div>\n",
        plural(report.problems.len(), "problem")
    )
}

/// What failed, what was let pass and why, and what to do next.
fn gate(report: &Report) -> String {
    let lines: String = outcome::lines(report)
        .iter()
        .map(|(tone, line)| match tone {
            Tone::Bad => format!("<li><strong>{}</strong></li>\n", esc_short(line, 400)),
            Tone::Doubtful | Tone::Quiet => format!("<li>{}</li>\n", esc_short(line, 400)),
        })
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    let next: String = outcome::next(report).iter().map(|next| format!("<pre><code>{}</code></pre>\n", esc_short(next, 400))).collect();
    let next = if next.is_empty() { next } else { format!("<h3>Next</h3>\n{next}") };
    format!("<section id=\"gate\"><h2>The gate</h2>\n<ul>\n{lines}</ul>\n{next}</section>\n")
}

fn counts(report: &Report) -> String {
    let count = |state: &str| report.findings.iter().filter(|finding| finding.fate.state == state).count();
    let (visible, metadata) = (count("present"), count("config"));
    let hidden = report.findings.len() - visible - metadata;
    let numbers = [
        (groups(report).len(), "secrets", "all"),
        (hidden, "places in hidden files", "hid"),
        (visible, "places in visible files", "vis"),
        (metadata, "places in metadata", "meta"),
    ];
    let items: String =
        numbers.iter().map(|(count, what, class)| format!("<li class=\"{class}\"><b>{count}</b> <span>{what}</span></li>")).collect();
    format!("<ul class=\"counts\" aria-label=\"Counts\">{items}</ul>\n")
}

fn image(image: &ImageEntry) -> String {
    let size: u64 = image.layers.iter().map(|layer| layer.size).sum();
    let mut words = vec![match image.kind.as_str() {
        "file-system" => "no image: a file system".to_owned(),
        "artifact" => "an artifact".to_owned(),
        _ => esc_short(image.platform.as_deref().unwrap_or("unknown platform"), 60),
    }];
    if image.orphan {
        words.push("orphan: nothing names it".to_owned());
    }
    words.extend([plural(image.layers.len(), "layer"), bytes(size)]);
    let absent = image.layers.iter().filter(|layer| layer.blob.is_none() && image.kind == "image").count();
    if absent > 0 {
        words.push(format!("<span class=\"mark loud\">{} not there</span>", plural(absent, "layer")));
    }
    let names = match &image.names[..] {
        [] => "untagged".to_owned(),
        names => esc_short(&names.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", "), 300),
    };
    let config = image.config.as_deref().map(|digest| format!("<br><small class=\"dim\">{}</small>", esc_short(digest, 80)));
    format!(
        "<li><b>{}</b> <span>{names}</span><br><span class=\"dim\">{}</span>{}</li>",
        esc_short(&image.source, 200),
        words.join(" · "),
        config.unwrap_or_default()
    )
}

fn problems(report: &Report) -> String {
    let mut out = String::from("<section id=\"problems\" aria-labelledby=\"h-problems\"><h2 id=\"h-problems\">Problems and notes</h2>\n");
    let kinds = [("Problems", "keep the scan from being complete", &report.problems), ("Notes", "left nothing unread", &report.notes)];
    if report.problems.is_empty() && report.notes.is_empty() {
        out.push_str("<p>There are none.</p>\n");
    }
    for (title, what, entries) in kinds.iter().filter(|(.., entries)| !entries.is_empty()) {
        let rows: Vec<Vec<String>> = entries.iter().take(MOST_PROBLEMS).map(|entry| problem(report, entry)).collect();
        out.push_str(&table("problems", &format!("{title}: {} that {what}", entries.len()), &["Kind", "Place", "Message"], &rows));
        out.push_str(&left_out(entries.len().saturating_sub(MOST_PROBLEMS), "are"));
    }
    out + "</section>\n"
}

fn problem(report: &Report, entry: &ProblemEntry) -> Vec<String> {
    let mut place = vec![esc_short(&entry.source, 160)];
    place.extend(entry.image.filter(|_| report.images.len() > 1).map(|image| format!("image [{image}]")));
    place.extend(entry.layer.map(|layer| format!("layer {layer}")));
    place.extend(entry.path.as_ref().map(|path| esc_short(path, 200)));
    vec![format!("<code>{}</code>", esc_short(&entry.code, 60)), place.join(", "), esc_short(&entry.message, 400)]
}

fn coverage(report: &Report) -> String {
    let coverage = &report.coverage;
    let mut out = format!(
        "<section id=\"coverage\" aria-labelledby=\"h-coverage\"><h2 id=\"h-coverage\">Coverage</h2>\n<dl class=\"facts\">\n\
         <div><dt>Read</dt><dd>{}, {}, {}</dd></div>\n<div><dt>Searched</dt><dd>{}</dd></div>\n",
        plural(coverage.layers as usize, "layer"),
        plural(coverage.files as usize, "file"),
        bytes(coverage.bytes_read),
        bytes(coverage.bytes_scanned)
    );
    for skipped in coverage.skipped.iter().take(50) {
        let size = if skipped.bytes > 0 { format!(", {}", bytes(skipped.bytes)) } else { String::new() };
        out.push_str(&format!(
            "<div><dt>Skipped</dt><dd>{}{size}: {}</dd></div>\n",
            plural(skipped.count as usize, "file"),
            esc_short(&skipped.reason, 300)
        ));
    }
    for suppressed in &report.suppressed {
        let why = match suppressed.reason.as_str() {
            "public" => "in files that are as a public package has them; <code>--include-public</code> shows them".to_owned(),
            "allow-comment" => {
                "with <code>pentimento:allow</code> in the image itself; <code>--no-allow</code> shows what it allows".to_owned()
            }
            "base" => "that came with the image that <code>--base</code> names".to_owned(),
            "ignored" => "let pass by an ignore; <code>--show-ignored</code> shows them".to_owned(),
            "baseline" => "known to the baseline; <code>--show-ignored</code> shows them".to_owned(),
            other => esc_short(other, 200),
        };
        let count = plural(suppressed.count as usize, "finding");
        out.push_str(&format!("<div><dt>NOT shown</dt><dd><strong>{count}</strong> {why}</dd></div>\n"));
    }
    out + "</dl></section>\n"
}

fn footer(report: &Report) -> String {
    format!(
        "<footer><p>Written by {} {} with the rules <code>{}</code>. The page is complete in itself: it has no script and loads nothing. Values \
         are {}.</p></footer>\n",
        esc_short(&report.tool.name, 40),
        esc_short(&report.tool.version, 40),
        esc_short(&report.tool.rules, 100),
        if report.findings.iter().any(|finding| finding.secret.value.is_some()) {
            "<strong>shown</strong>: keep this file as secret as they are"
        } else {
            "redacted"
        }
    )
}

/// A key under coats of paint.
const PAINTING: &str = r#"<svg viewBox="0 0 220 150" width="220" height="150" aria-hidden="true">
<path class="under" d="M52 75a26 26 0 1 1 0 .1M78 75h96m-14 0v22m-20-22v16m-20-16v11M42 75a10 10 0 1 0 0-.1"/>
<path class="coat a" d="M8 18C60 8 150 6 206 14c6 28 5 62 2 84-58 12-140 10-198 4C4 76 4 44 8 18z"/>
<path class="coat b" d="M92 30c40-6 84-6 112-2 8 34 8 72 4 104-36 8-82 8-112 2-8-34-8-72-4-104z"/>
<path class="coat c" d="M140 20c22-4 50-3 66 0 6 36 6 78 3 116-22 5-50 5-68 1-6-38-6-80-1-117z"/>
<path class="stroke" d="M14 30c60-9 130-10 188-5M12 52c62-7 132-8 192-3M98 118c34 4 74 4 104 1M146 132c18 2 40 2 56 0"/>
</svg>"#;
