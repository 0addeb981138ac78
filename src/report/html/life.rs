//! Life lines: for every image a picture of where each secret was born, what hid it, and that it is still there; and the same as a table.

use super::details::Told;
use super::parts::{chip, esc, esc_short, from_pipe, image_name, left_out, recover_html, scroll, table};
use super::strip::{Columns, End, Life};
use crate::report::human::{came_from, fate_words, location, short_digests};
use crate::report::{FindingEntry, ImageEntry, Report};

/// Strips that one picture has.
const MOST_STRIPS: usize = 60;
/// Strips that all pictures have together.
const MOST_STRIPS_OF_ALL: usize = 150;
/// What all tables may take together, in bytes.
const MOST_BYTES: usize = 200_000;
/// Pictures that a page has.
const MOST_IMAGES: usize = 12;
/// With more columns, heads are written upwards.
const WIDE: usize = 14;

/// What is left of it for the pictures and tables to come.
struct Room {
    strips: usize,
    bytes: usize,
}

/// The section.
pub fn section(report: &Report, told: &Told) -> String {
    let mut out = String::from("<section id=\"life\" aria-labelledby=\"h-life\"><h2 id=\"h-life\">Life lines</h2>\n");
    if report.findings.is_empty() {
        return out + "<p>No secret was found, so there is no life to draw.</p></section>\n";
    }
    out.push_str(LEGEND);
    if from_pipe(report) {
        out.push_str("<p class=\"note\">The image came through a pipe: save it as <code>image.tar</code> first, which is what the commands read.</p>");
    }
    let mut room = Room { strips: MOST_STRIPS_OF_ALL, bytes: MOST_BYTES };
    for (index, image) in report.images.iter().enumerate().take(MOST_IMAGES) {
        let findings = of_image(report, Some(index));
        if !findings.is_empty() {
            out.push_str(&picture(report, told, (index, image), &findings, &mut room));
            out.push_str(&as_table(report, told, index, &findings, &mut room));
        }
    }
    let without: Vec<_> = of_image(report, None);
    if !without.is_empty() {
        out.push_str("<h3>In no image</h3>\n<p>What no image refers to has no life: it is there.</p>\n");
        out.push_str(&as_table(report, told, usize::MAX, &without, &mut room));
    }
    out.push_str(&left_out(report.images.len().saturating_sub(MOST_IMAGES), "images are"));
    out + "</section>\n"
}

/// The findings of an image with their places in the report, worst first: what fails before what passes.
fn of_image(report: &Report, image: Option<usize>) -> Vec<(usize, &FindingEntry)> {
    let mut findings: Vec<_> = report.findings.iter().enumerate().filter(|(_, finding)| finding.image == image).collect();
    findings.sort_by_key(|(_, finding)| !finding.fails);
    findings
}

fn picture(
    report: &Report,
    told: &Told,
    (index, image): (usize, &ImageEntry),
    findings: &[(usize, &FindingEntry)],
    room: &mut Room,
) -> String {
    let shown: Vec<&FindingEntry> = findings.iter().map(|(_, finding)| *finding).collect();
    let columns = Columns::of(image, &shown);
    let mut rows = String::new();
    let count = findings.len().min(MOST_STRIPS).min(room.strips);
    room.strips -= count;
    for (at, finding) in findings.iter().take(count) {
        let life = columns.life(image, finding);
        let strip = columns.draw(index, &format!("l{at}"), &esc_short(&in_words(finding), 400), life, &finding.rewritten_in);
        rows.push_str(&format!(
            "<li><p class=\"who\">{} <a href=\"{}\">{}</a> <span class=\"dim\">{}</span></p>{strip}<p class=\"how\"><span class=\"{}\">{}</span> <span class=\"dim\">{}</span> {}</p></li>\n",
            chip(finding),
            told.place(*at),
            esc_short(&location(finding), 160),
            esc_short(&finding.title, 80),
            tone(life.end),
            esc(fate_words(&finding.fate)),
            layers(&columns, life),
            recover_html(report, finding),
        ));
    }
    let name = esc_short(image_name(image), 120);
    let content = format!("<div class=\"life {}\">{}<ol class=\"strips\">\n{rows}</ol></div>", columns.class(), heads(&columns, image));
    format!(
        "<h3>{name}</h3>\n{}{}{}",
        columns.grid(index, image),
        scroll(&format!("Life lines of {}", crate::text::shorten(image_name(image), 120)), &content),
        left_out(findings.len() - count, "life lines are"),
    )
}

fn tone(end: End) -> &'static str {
    match end {
        End::Visible => "vis",
        End::Hidden(_) => "hid",
        End::Config | End::Historic => "meta",
    }
}

/// What stands above the columns: the number of the layer and its instruction, shortened.
fn heads(columns: &Columns, image: &ImageEntry) -> String {
    let count = columns.count();
    let wide = count <= WIDE;
    let most = match count {
        0..=4 => 44,
        5..=9 => 30,
        _ => 20,
    };
    let mut out = String::new();
    for column in (0..count).step_by(columns.step()) {
        let layer = image.layers.get(column);
        let text = match layer {
            Some(layer) => esc_short(&short_digests(layer.instruction.as_deref().unwrap_or("unknown")), most),
            None => "metadata".to_owned(),
        };
        let number = layer.map_or_else(|| "config".to_owned(), |_| column.to_string());
        out.push_str(&match wide {
            true => format!("<li><b{}>{number}</b> <span>{text}</span></li>", if layer.is_none() { " class=\"word\"" } else { "" }),
            false => format!(
                "<svg x=\"{:.2}%\" y=\"170\" overflow=\"visible\"><text class=\"t-up\" transform=\"rotate(-90)\" y=\"4\"><tspan>{number}</tspan> \
                 {text}</text></svg>",
                columns.middle(column)
            ),
        });
    }
    match wide {
        true => format!("<ol class=\"heads c{count}\" aria-hidden=\"true\">{out}</ol>"),
        false => format!("<svg class=\"heads\" width=\"100%\" height=\"174\" aria-hidden=\"true\">{out}</svg>"),
    }
}

/// From which layer to which: `layer 2 → 5`.
fn layers(columns: &Columns, life: Life) -> String {
    let name = |column: usize| if column < columns.layers() { column.to_string() } else { "config".to_owned() };
    match life.end {
        End::Hidden(_) if life.died > life.born => format!("layer {} → {}", name(life.born), name(life.died)),
        _ if life.born < columns.layers() => format!("layer {} →", name(life.born)),
        _ => String::new(),
    }
}

/// A life as a sentence.
pub fn in_words(finding: &FindingEntry) -> String {
    let at = &finding.location;
    if at.kind != "file" {
        return match finding.fate.how.as_deref() {
            Some("historic") => "In the history; a later step overrode it.".to_owned(),
            _ => "In the metadata of the image, which everybody with the image can read.".to_owned(),
        };
    }
    let layer = at.layer.map_or_else(|| "Born in a blob that no image has".to_owned(), |layer| format!("Born in layer {layer}"));
    let again = match &finding.rewritten_in[..] {
        [] => String::new(),
        layers => format!(", written again by layer {}", layers.iter().take(8).map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    };
    match (finding.fate.state.as_str(), finding.fate.by_layer) {
        ("present", _) => format!("{layer}{again}, visible in the final image."),
        (_, Some(by)) => {
            format!("{layer}{again}, visible up to layer {by}, which hid it ({}); still recoverable.", fate_words(&finding.fate))
        }
        _ => format!("{layer}{again}, {}; still recoverable.", fate_words(&finding.fate)),
    }
}

fn as_table(report: &Report, told: &Told, index: usize, findings: &[(usize, &FindingEntry)], room: &mut Room) -> String {
    let row = |(at, finding): &(usize, &FindingEntry)| {
        let place = &finding.location;
        let born = match place.layer {
            Some(layer) => format!("<b>layer {layer}</b> <code>{}</code>", esc_short(&short_digests(&came_from(finding)), 160)),
            None => finding
                .instruction
                .as_deref()
                .map_or_else(|| "metadata".to_owned(), |text| format!("<code>{}</code>", esc_short(text, 160))),
        };
        let until = match (finding.fate.state.as_str(), finding.fate.by_layer) {
            ("present", _) => "the end".to_owned(),
            (_, Some(by)) => format!("layer {by}"),
            ("config", _) => "the end, in the metadata".to_owned(),
            _ => "never visible".to_owned(),
        };
        let by = finding.fate.by_instruction.as_deref().map(|text| format!("<code>{}</code> ", esc_short(&short_digests(text), 160)));
        vec![
            format!("<a href=\"{}\">{}</a>", told.place(*at), esc_short(&finding.title, 80)),
            esc_short(&location(finding), 240),
            born,
            until,
            format!("{}{}", by.unwrap_or_default(), esc(fate_words(&finding.fate))),
            recover_html(report, finding),
        ]
    };
    let fits = |row: &Vec<String>| {
        let size = 200 + row.iter().map(String::len).sum::<usize>();
        let fits = size <= room.bytes;
        room.bytes = if fits { room.bytes - size } else { 0 };
        fits
    };
    let rows: Vec<Vec<String>> = findings.iter().map(row).take_while(fits).collect();
    let name = report.images.get(index).map_or_else(|| "no image".to_owned(), |image| esc_short(image_name(image), 120));
    let heads = ["Secret", "Place", "Born in", "Visible until", "Hidden by, and how", "Command"];
    format!(
        "<details class=\"as-table\"><summary>The same as a table</summary>\n{}{}</details>\n",
        table("lives", &format!("Life lines of {name}"), &heads, &rows),
        left_out(findings.len() - rows.len(), "places are")
    )
}

const LEGEND: &str = r##"<p>Layers are laid over each other from left to right, as coats of paint. A later coat hides what is below it and takes nothing away.</p>
<ul class="legend" aria-label="Legend">
<li><svg width="46" height="26" aria-hidden="true"><rect class="b-vis" x="13" y="9" width="33" height="8"/><use href="#m-born" x="13" y="13"/></svg> born, and visible</li>
<li><svg width="26" height="26" aria-hidden="true"><rect class="b-vis" y="9" width="26" height="8"/><use href="#m-rewritten" x="13" y="13"/></svg> written again</li>
<li><svg width="26" height="26" aria-hidden="true"><use href="#m-deleted" x="13" y="13"/></svg> deleted</li>
<li><svg width="26" height="26" aria-hidden="true"><use href="#m-overwritten" x="13" y="13"/></svg> overwritten</li>
<li><svg width="26" height="26" aria-hidden="true"><use href="#m-replaced" x="13" y="13"/></svg> replaced</li>
<li><svg width="26" height="26" aria-hidden="true"><use href="#m-superseded" x="13" y="13"/></svg> superseded</li>
<li><svg width="26" height="26" aria-hidden="true"><use href="#m-hidden" x="13" y="13"/></svg> in no file</li>
<li><svg width="46" height="26" aria-hidden="true"><rect class="b-hid" y="9" width="46" height="8"/></svg> hidden, still recoverable</li>
<li><svg width="46" height="26" aria-hidden="true"><rect class="b-meta" x="13" y="9" width="33" height="8"/><use href="#m-config" x="13" y="13"/></svg> in the metadata</li>
<li><svg width="46" height="26" aria-hidden="true"><rect class="b-old" y="9" width="46" height="8"/></svg> in the history alone</li>
<li><b class="q">?</b> this layer is not there</li>
</ul>
"##;
