//! The secrets one by one, worst first: what is known of each, where it is, how to get it back, how to fix and how to rotate it.

use super::life::in_words;
use super::parts::{chip, esc, esc_lines, esc_short, image_name, left_out, recover_html};
use crate::report::fix::{Fix, fix};
use crate::report::human::{came_from, groups, location, plural, short_digests};
use crate::report::words;
use crate::report::{FindingEntry, Report};
use std::collections::{HashMap, HashSet};

/// Places that are told in full.
const MOST_PLACES: usize = 500;
/// Places of one secret that are told in full.
const MOST_OF_ONE: usize = 25;
/// What all of them may take, in bytes.
const MOST_BYTES: usize = 400_000;
/// With more secrets, those that are not the worst are folded.
const MOST_OPEN: usize = 6;

/// What there is to link to.
#[derive(Default)]
pub struct Told {
    places: HashSet<usize>,
    groups: HashSet<usize>,
}

impl Told {
    /// Where a place is told; the section as a whole, where it is not.
    pub fn place(&self, at: usize) -> String {
        if self.places.contains(&at) { format!("#f{at}") } else { "#secrets".to_owned() }
    }

    /// The same of a secret.
    pub fn group(&self, group: usize) -> String {
        if self.groups.contains(&group) { format!("#g{group}") } else { "#secrets".to_owned() }
    }
}

/// The section, and what it tells.
pub fn section(report: &Report) -> (String, Told) {
    let mut what = Told::default();
    let mut out =
        String::from("<section id=\"secrets\" aria-labelledby=\"h-secrets\"><h2 id=\"h-secrets\">Secrets, and how to fix them</h2>\n");
    if report.findings.is_empty() {
        return (out + "<p>None was found.</p></section>\n", what);
    }
    out.push_str(
        "<p>A secret that was in a pushed image is known: rotate it first. Then fix the Dockerfile, build anew, push, and delete the old \
         tags and digests from the registry. Commands that are repeated here are taken from the image: see that they are yours.</p>\n",
    );
    // Findings are told apart by where they stand in the report: ids may repeat.
    let numbers: HashMap<*const FindingEntry, usize> =
        report.findings.iter().enumerate().map(|(at, f)| (std::ptr::from_ref(f), at)).collect();
    let groups = groups(report);
    for (number, group) in groups.iter().enumerate() {
        if what.places.len() >= MOST_PLACES || out.len() > MOST_BYTES {
            break;
        }
        let places = group.iter().map(|finding| (numbers.get(&std::ptr::from_ref(*finding)).copied().unwrap_or_default(), *finding));
        let places: Vec<_> = places.take(MOST_OF_ONE.min(MOST_PLACES - what.places.len())).collect();
        let room = MOST_BYTES - out.len();
        what.groups.extend(places.iter().map(|(_, finding)| finding.secret.group));
        out.push_str(&secret(report, &places, (group.len(), room, number < MOST_OPEN), &mut what));
    }
    out.push_str(&left_out(groups.len() - what.groups.len(), "secrets are"));
    (out + "</section>\n", what)
}

fn secret(report: &Report, places: &[(usize, &FindingEntry)], (all, room, open): (usize, usize, bool), what: &mut Told) -> String {
    let Some((_, worst)) = places.first() else { return String::new() };
    let value = match &worst.secret.value {
        Some(value) => esc_short(value, 400),
        None => esc_short(&worst.secret.redacted, 120),
    };
    let mut body = String::new();
    let mut row = |name: &str, value: String| body.push_str(&format!("<div><dt>{}</dt><dd>{value}</dd></div>\n", esc_short(name, 60)));
    row("Value", format!("<code>{value}</code> <span class=\"dim\">{} bytes</span>", worst.secret.length));
    row("Confidence", esc(&worst.confidence) + &because(worst));
    row("Provider", esc_short(&worst.provider, 80));
    row("Rule", format!("<code>{}</code>", esc_short(&worst.rule, 80)));
    for part in worst.parts.iter().take(12) {
        let value = part.value.as_deref().unwrap_or(&part.redacted);
        row(&part.name, format!("<code>{}</code>", esc_short(value, 200)));
    }
    for (name, value) in worst.facts.iter().take(24) {
        row(&name.replace('_', " "), esc_short(value, 300));
    }
    let mut out = format!(
        "<details class=\"secret\"{}><summary><h3>{} {} <code>{value}</code></h3> <span class=\"dim\">{}</span></summary>\n\
         <div id=\"g{}\"><dl class=\"facts\">\n{body}</dl>\n",
        if open { " open" } else { "" },
        chip(worst),
        esc_short(&worst.title, 120),
        plural(all, "place"),
        worst.secret.group,
    );
    let (mut last, mut told): (Option<(usize, Fix)>, usize) = (None, 0);
    for (at, finding) in places {
        if told > 0 && out.len() > room {
            break;
        }
        told += 1;
        what.places.insert(*at);
        out.push_str(&place(report, *at, finding));
        let fix = fix(finding);
        out.push_str(&fix_html(&fix, last.as_ref().filter(|(_, before)| before.blocks == fix.blocks).map(|(at, _)| *at)));
        out.push_str("</div></article>\n");
        if !last.as_ref().is_some_and(|(_, before)| before.blocks == fix.blocks) {
            last = Some((*at, fix));
        }
    }
    if let Some((_, fix)) = &last {
        out.push_str(&format!("<p class=\"rotate\"><b>Rotate it.</b> {}</p>\n", esc_short(&fix.rotate, 600)));
    }
    out.push_str(&left_out(all - told, "places of this secret are"));
    out + "</div></details>\n"
}

fn because(finding: &FindingEntry) -> String {
    match &finding.reasons[..] {
        [] => String::new(),
        reasons => format!(": {}", esc_short(&reasons.join("; "), 400)),
    }
}

/// One place, without its fix; what is open at its end is closed by the caller.
fn place(report: &Report, at: usize, finding: &FindingEntry) -> String {
    let mut body = String::new();
    let mut row = |name: &str, value: String| body.push_str(&format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n"));
    if let Some((index, image)) =
        finding.image.and_then(|index| Some((index, report.images.get(index)?))).filter(|_| report.images.len() > 1)
    {
        row("Image", format!("[{index}] {}", esc_short(image_name(image), 120)));
    }
    row("Life", esc_short(&in_words(finding), 400));
    let code = |text: &str, most: usize| format!("<code>{}</code>", esc_short(text, most));
    if finding.location.layer.is_some() || finding.instruction.is_some() {
        row("Brought in by", code(&short_digests(&came_from(finding)), 500));
    }
    if let Some(text) = &finding.fate.by_instruction {
        row("Hidden by", format!("layer {}: {}", finding.fate.by_layer.unwrap_or_default(), code(&short_digests(text), 500)));
    }
    for (name, at) in [("Dockerfile", &finding.dockerfile), ("Hidden at", &finding.fate.by_dockerfile)] {
        if let Some(at) = at {
            row(name, code(&words::line(at), 200));
        }
    }
    if let Some(pointer) = &finding.location.pointer {
        row("Pointer", code(pointer, 300));
    }
    if let Some(context) = &finding.context {
        row("Its line", code(context, 400));
    }
    if !finding.also_visible.is_empty() {
        let more = finding.also_visible.len().saturating_sub(4);
        let paths: Vec<String> = finding.also_visible.iter().take(4).map(|path| code(path, 200)).collect();
        row("Also visible as", paths.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() });
    }
    if let Some(package) = &finding.public {
        row("Published in", esc_short(package, 120));
    }
    if let Some(reason) = &finding.engine_dependent {
        row("Engines differ", esc_short(reason, 300));
    }
    row("Get it back", recover_html(report, finding));
    if let Some(command) = &finding.retrieve {
        row("… with tar alone", format!("<code class=\"command\">{}</code>", esc(&crate::text::cut(command, 4000))));
    }
    format!(
        "<article class=\"place\" id=\"f{at}\"><h4>{}</h4><dl class=\"facts\">\n{body}</dl>\n<div class=\"fix\">",
        esc_short(&location(finding), 400)
    )
}

fn fix_html(fix: &Fix, same_as: Option<usize>) -> String {
    let mut out = format!("<h5>How to fix it</h5>\n<p>{}</p>\n", prose(&fix.why));
    if let Some(at) = same_as {
        return out + &format!("<p>The fix is the same as <a href=\"#f{at}\">above</a>.</p>\n");
    }
    for block in &fix.blocks {
        out.push_str(&format!("<p class=\"say\"><span class=\"mark\">{}</span> {}</p>\n", block.file, prose(&block.say)));
        if !block.text.is_empty() {
            out.push_str(&format!("<pre><code>{}</code></pre>\n", esc_lines(&block.text)));
        }
    }
    out
}

/// A sentence in which code stands between backquotes.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for (at, part) in text.split('`').enumerate() {
        out.push_str(&if at % 2 == 1 { format!("<code>{}</code>", esc(part)) } else { esc(part) });
    }
    out
}
