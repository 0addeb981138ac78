//! The life of one place as a strip: a column a layer, and one for the config.

use crate::report::{FindingEntry, ImageEntry};

/// The columns of an image's picture.
pub struct Columns {
    layers: usize,
    /// Behind the layers stands one for metadata.
    pub config: bool,
}

/// How a life goes on, and how it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It shows in the final image.
    Visible,
    /// Hidden, in this way (the id of a mark), and still there.
    Hidden(&'static str),
    /// In the config.
    Config,
    /// In the history alone.
    Historic,
}

/// The life of one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// The column where it begins.
    pub born: usize,
    /// The column where it was hidden.
    pub died: usize,
    /// How.
    pub end: End,
}

impl Columns {
    /// Those of `image`, where some of its findings are metadata or none are.
    pub fn of(image: &ImageEntry, findings: &[&FindingEntry]) -> Columns {
        let layers = image.layers.len();
        Columns { layers, config: layers == 0 || findings.iter().any(|finding| finding.location.kind != "file") }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.layers + usize::from(self.config)
    }

    /// How many of them are layers.
    pub fn layers(&self) -> usize {
        self.layers
    }

    /// Of many columns, only some have a head and a ground of their own.
    pub fn step(&self) -> usize {
        self.count().div_ceil(512).max(1)
    }

    /// Where the middle of a column is, in percent of the width.
    pub fn middle(&self, column: usize) -> f64 {
        (column as f64 + 0.5) * 100.0 / self.count().max(1) as f64
    }

    /// The class that keeps columns from becoming too narrow.
    pub fn class(&self) -> &'static str {
        match self.count() {
            0..=20 => "w20",
            21..=40 => "w40",
            41..=64 => "w64",
            65..=96 => "w96",
            97..=128 => "w128",
            129..=256 => "w256",
            _ => "w512",
        }
    }

    /// The life of a finding. Metadata begins with the layer of its step, where that is the only one with this instruction.
    pub fn life(&self, image: &ImageEntry, finding: &FindingEntry) -> Life {
        let last = self.count().saturating_sub(1);
        if finding.location.kind != "file" {
            let mut layers = image.layers.iter().filter(|layer| layer.instruction.is_some() && layer.instruction == finding.instruction);
            let born = match (layers.next(), layers.next()) {
                (Some(layer), None) => layer.index.min(last),
                _ => last,
            };
            let end = if finding.fate.how.as_deref() == Some("historic") { End::Historic } else { End::Config };
            return Life { born, died: born, end };
        }
        let born = finding.location.layer.unwrap_or_default().min(last);
        let end = match finding.fate.state.as_str() {
            "deleted" => End::Hidden("m-deleted"),
            "overwritten" => End::Hidden("m-overwritten"),
            "replaced" => End::Hidden("m-replaced"),
            "superseded" => End::Hidden("m-superseded"),
            "hidden" => End::Hidden("m-hidden"),
            _ => End::Visible,
        };
        let died = finding.fate.by_layer.map_or(born, |by| by.clamp(born, last));
        Life { born, died, end }
    }

    /// The strip as SVG: what stands in it is ours, but for `title`, which is escaped already.
    pub fn draw(&self, grid: usize, key: &str, title: &str, life: Life, rewritten: &[usize]) -> String {
        let (born, died) = (self.middle(life.born), self.middle(life.died));
        let bar = |class: &str, from: f64, to: f64| match to - from {
            width if width > 0.01 => format!("<rect class=\"{class}\" x=\"{from:.2}%\" y=\"9\" width=\"{width:.2}%\" height=\"8\"/>"),
            _ => String::new(),
        };
        let mark = |id: &str, at: f64| format!("<use href=\"#{id}\" x=\"{at:.2}%\" y=\"13\"/>");
        let mut shapes = match life.end {
            End::Visible => bar("b-vis", born, 100.0),
            End::Hidden(_) => bar("b-vis", born, died) + &bar("b-hid", died, 100.0),
            End::Config => bar("b-meta", born, 100.0),
            End::Historic => bar("b-old", born, 100.0),
        };
        for layer in rewritten.iter().filter(|layer| **layer > life.born && **layer < self.layers).take(64) {
            shapes.push_str(&mark("m-rewritten", self.middle(*layer)));
        }
        shapes.push_str(&match life.end {
            End::Config | End::Historic => mark("m-config", born),
            End::Hidden(id) if life.died > life.born => mark("m-born", born) + &mark(id, died),
            End::Hidden(id) => mark(id, born),
            End::Visible => mark("m-born", born),
        });
        format!(
            "<svg class=\"strip\" width=\"100%\" height=\"26\" role=\"img\" aria-labelledby=\"{key}\"><title id=\"{key}\">{title}</title>\
             <use href=\"#grid{grid}\" width=\"100%\" height=\"26\"/>{shapes}</svg>"
        )
    }

    /// What every strip of the image stands on: its columns, and `?` in those whose layer is not there.
    pub fn grid(&self, grid: usize, image: &ImageEntry) -> String {
        let count = self.count().max(1) as f64;
        let (mut shapes, step) = (String::new(), self.step());
        for column in (0..self.count()).step_by(step) {
            let (at, width) = (column as f64 * 100.0 / count, step as f64 * 100.0 / count);
            let absent = image.layers.get(column).is_some_and(|layer| layer.blob.is_none() && image.kind == "image");
            let class = match column {
                _ if column >= self.layers => "g-config",
                _ if absent => "g-absent",
                _ if column / step % 2 == 0 => "g-even",
                _ => "g-odd",
            };
            shapes.push_str(&format!("<rect class=\"{class}\" x=\"{at:.3}%\" width=\"{width:.3}%\" height=\"26\"/>"));
            if absent {
                shapes.push_str(&format!("<text class=\"t-absent\" x=\"{:.2}%\" y=\"17\">?</text>", self.middle(column)));
            }
        }
        format!("<svg class=\"defs\" width=\"0\" height=\"0\" aria-hidden=\"true\"><symbol id=\"grid{grid}\">{shapes}</symbol></svg>")
    }
}

/// The marks and the hatching, once a page.
pub const DEFINITIONS: &str = r##"<svg class="defs" width="0" height="0" aria-hidden="true"><defs>
<pattern id="hatch" patternUnits="userSpaceOnUse" width="5" height="5" patternTransform="rotate(45)"><rect class="h-ground" width="5" height="5"/><rect class="h-line" width="2" height="5"/></pattern>
<pattern id="hatch-meta" patternUnits="userSpaceOnUse" width="5" height="5" patternTransform="rotate(-45)"><rect class="h-ground" width="5" height="5"/><rect class="h-meta" width="2" height="5"/></pattern>
<g id="m-born"><circle class="m-ring" r="7"/><circle class="m-vis" r="5"/></g>
<g id="m-rewritten"><rect class="m-ring" x="-2.5" y="-7.5" width="5" height="15"/><rect class="m-vis" x="-1" y="-6.5" width="2" height="13"/></g>
<g id="m-deleted"><circle class="m-ring" r="8"/><path class="m-cross" d="M-4.5-4.5 4.5 4.5M4.5-4.5-4.5 4.5"/></g>
<g id="m-overwritten"><path class="m-ring" d="M0-9 9 0 0 9-9 0z"/><path class="m-hid" d="M0-6.5 6.5 0 0 6.5-6.5 0z"/></g>
<g id="m-replaced"><rect class="m-ring" x="-8" y="-8" width="16" height="16"/><rect class="m-open" x="-5" y="-5" width="10" height="10"/></g>
<g id="m-superseded"><circle class="m-ring" r="8"/><circle class="m-open" r="5"/></g>
<g id="m-hidden"><path class="m-ring" d="M0-10 10 8-10 8z"/><path class="m-open" d="M0-6 6 5-6 5z"/></g>
<g id="m-config"><rect class="m-ring" x="-7" y="-7" width="14" height="14"/><rect class="m-meta" x="-5" y="-5" width="10" height="10"/></g>
</defs></svg>
"##;
