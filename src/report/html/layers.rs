//! The layers of an image: how large each is, what it did, and how much of it is hidden.

use super::parts::{esc_short, image_name, left_out, table};
use crate::report::human::{bytes, short_digests};
use crate::report::{ImageEntry, LayerEntry, Report};

/// Layers that are listed, of all images together.
const MOST_LAYERS: usize = 300;
/// Images whose layers are listed.
const MOST_IMAGES: usize = 12;
/// A narrower part of the strip has no number, in percent.
const LEAST_NUMBERED: f64 = 5.0;

/// The section.
pub fn section(report: &Report) -> String {
    let mut out = String::from("<section id=\"layers\" aria-labelledby=\"h-layers\"><h2 id=\"h-layers\">Layers</h2>\n");
    let mut room = MOST_LAYERS;
    for (index, image) in report.images.iter().enumerate().take(MOST_IMAGES) {
        out.push_str(&format!("<h3>{}</h3>\n", esc_short(image_name(image), 120)));
        match image.layers.is_empty() {
            true => out.push_str("<p>It has no layers.</p>\n"),
            false => out.push_str(&(strip(index, image) + &list(image, &mut room))),
        }
    }
    out.push_str(&left_out(report.images.len().saturating_sub(MOST_IMAGES), "images are"));
    out + "</section>\n"
}

/// Hidden bytes of a layer, which are never more than it has.
fn hidden(layer: &LayerEntry) -> u64 {
    layer.changes.as_ref().map_or(0, |changes| changes.hidden_bytes).min(layer.size)
}

/// All layers side by side, as wide as they are large.
fn strip(index: usize, image: &ImageEntry) -> String {
    let whole: u64 = image.layers.iter().map(|layer| layer.size).sum();
    if whole == 0 {
        return String::new();
    }
    let percent = |size: u64| size as f64 * 100.0 / whole as f64;
    let (mut shapes, mut at) = (String::new(), 0.0);
    for (number, layer) in image.layers.iter().enumerate() {
        let width = percent(layer.size);
        if width >= 0.05 {
            let class = if number % 2 == 0 { "s-even" } else { "s-odd" };
            shapes.push_str(&format!("<rect class=\"{class}\" x=\"{at:.2}%\" width=\"{width:.2}%\" height=\"40\"/>"));
            let hidden = percent(hidden(layer));
            if hidden >= 0.05 {
                shapes.push_str(&format!("<rect class=\"b-hid\" x=\"{at:.2}%\" y=\"24\" width=\"{hidden:.2}%\" height=\"16\"/>"));
            }
            if width >= LEAST_NUMBERED {
                shapes.push_str(&format!("<text class=\"t-size\" x=\"{:.2}%\" y=\"17\">{number}</text>", at + width / 2.0));
            }
        }
        at += width;
    }
    let lost: u64 = image.layers.iter().map(hidden).sum();
    let known = image.layers.iter().any(|layer| layer.changes.is_some());
    let lost = if known { format!(", of which {} are hidden (hatched)", bytes(lost)) } else { String::new() };
    let title = format!("{} layers, {}{lost}", image.layers.len(), bytes(whole));
    let key = format!("s{index}");
    format!(
        "<figure class=\"sizes\"><svg width=\"100%\" height=\"40\" role=\"img\" aria-labelledby=\"{key}\"><title id=\"{key}\">{title}</title>{shapes}</svg>\
         <figcaption>{title}. Each layer is as wide as it is large.</figcaption></figure>\n"
    )
}

fn list(image: &ImageEntry, room: &mut usize) -> String {
    let changes = image.layers.iter().any(|layer| layer.changes.is_some());
    let mut heads = vec!["Layer", "Instruction", "Size"];
    if changes {
        heads.extend(["Files", "Hidden in the end"]);
    }
    let row = |layer: &LayerEntry| {
        let mut marks = String::new();
        if layer.base {
            marks.push_str(" <span class=\"mark\">base</span>");
        }
        if layer.blob.is_none() {
            marks.push_str(" <span class=\"mark loud\">not there</span>");
        }
        let instruction = match &layer.instruction {
            Some(text) => format!("<code>{}</code>", esc_short(&short_digests(text), 300)),
            None => "<span class=\"dim\">not certain</span>".to_owned(),
        };
        let digest = layer.diff_id.as_deref().map(|digest| format!("<br><small class=\"dim\">{}</small>", esc_short(digest, 20)));
        let mut cells = vec![format!("{}{marks}", layer.index), instruction + &digest.unwrap_or_default(), bytes(layer.size)];
        if changes {
            cells.extend(match &layer.changes {
                Some(changes) => {
                    let counts = [
                        (changes.added, "added"),
                        (changes.changed, "changed"),
                        (changes.rewritten, "written again"),
                        (changes.removed, "removed"),
                    ];
                    let told: Vec<String> =
                        counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
                    let hidden = match changes.hidden {
                        0 => "nothing".to_owned(),
                        count => format!("<span class=\"hid\">{count} files, {}</span>", bytes(changes.hidden_bytes)),
                    };
                    [if told.is_empty() { "none".to_owned() } else { told.join(", ") }, hidden]
                }
                None => ["not known".to_owned(), "not known".to_owned()],
            });
        }
        cells
    };
    let rows: Vec<Vec<String>> = image.layers.iter().take(*room).map(row).collect();
    *room -= rows.len();
    let caption = format!("Layers of {}, base first", esc_short(image_name(image), 120));
    let more = left_out(image.layers.len() - rows.len(), "layers are");
    format!(
        "<details{}><summary>All {} layers with their instructions</summary>\n{}{more}</details>\n",
        if image.layers.len() <= 12 { " open" } else { "" },
        image.layers.len(),
        table("layers", &caption, &heads, &rows)
    )
}
