//! What is in an image, by directory, and how much of it is hidden: a treemap and a table.

use super::parts::{esc, esc_short, image_name, left_out, scroll, spelt, table};
use super::squares::{Rect, squarify};
use crate::report::human::bytes;
use crate::report::{Report, TreeEntry};

/// Size of the picture.
const WHOLE: Rect = Rect { x: 0.0, y: 0.0, w: 1100.0, h: 520.0 };
/// Cells of one picture, and of all together.
const MOST_CELLS: usize = 500;
const MOST_CELLS_OF_ALL: usize = 900;
/// A cell with less area is not drawn.
const LEAST_AREA: f64 = 30.0;
/// Rows of one table.
const MOST_ROWS: usize = 20;
/// Images with a picture.
const MOST_IMAGES: usize = 6;
/// Deeper directories are not told apart.
const DEEPEST: usize = 8;

/// The section; nothing where no image has a tree.
pub fn section(report: &Report) -> String {
    let trees: Vec<_> = report.images.iter().enumerate().filter_map(|(at, image)| Some((at, image, image.tree.as_ref()?))).collect();
    if trees.is_empty() {
        return String::new();
    }
    let mut out = String::from("<section id=\"tree\" aria-labelledby=\"h-tree\"><h2 id=\"h-tree\">What is below the surface</h2>\n");
    out.push_str(
        "<p>Areas are as large as the content of the files. What is hatched is in the layers and does not show in the final image.</p>\n",
    );
    let mut room = MOST_CELLS_OF_ALL;
    for (at, image, tree) in trees.iter().take(MOST_IMAGES) {
        let name = esc_short(image_name(image), 120);
        out.push_str(&format!("<h3>{name}</h3>\n{}{}", picture(*at, image_name(image), tree, &mut room), largest(&name, tree)));
    }
    out.push_str(&left_out(trees.len().saturating_sub(MOST_IMAGES), "images are"));
    out + "</section>\n"
}

fn size(tree: &TreeEntry) -> u64 {
    tree.visible.saturating_add(tree.hidden)
}

/// A picture on its way.
struct Picture {
    shapes: String,
    /// How many more may be drawn.
    cells: usize,
    left_out: usize,
}

fn picture(index: usize, name: &str, tree: &TreeEntry, room: &mut usize) -> String {
    let mut picture = Picture { shapes: String::new(), cells: MOST_CELLS.min(*room), left_out: 0 };
    *room -= picture.cells;
    picture.draw(tree, "", WHOLE, 0, 0);
    *room += picture.cells;
    let title = format!("{} show, {} are hidden", bytes(tree.visible), bytes(tree.hidden));
    let svg = format!(
        "<svg class=\"tree\" viewBox=\"0 0 1100 520\" role=\"img\" aria-labelledby=\"t{index}\"><title id=\"t{index}\">{title}</title>{}</svg>",
        picture.shapes
    );
    let more = match picture.left_out {
        0 => String::new(),
        count => format!(" {count} parts are too small, or too many, to be drawn."),
    };
    format!(
        "<figure>{}<figcaption>{title}.{more} The table below tells the largest directories.</figcaption></figure>\n",
        scroll(&format!("Treemap of {}", crate::text::shorten(name, 120)), &svg)
    )
}

impl Picture {
    fn draw(&mut self, tree: &TreeEntry, above: &str, rect: Rect, depth: usize, hue: usize) {
        if rect.w * rect.h < LEAST_AREA || rect.w < 3.0 || rect.h < 3.0 || self.cells == 0 {
            self.left_out += 1;
            return;
        }
        self.cells -= 1;
        let path = if depth == 0 { "/".to_owned() } else { format!("{above}/{}", tree.name) };
        let whole = size(tree).max(1) as f64;
        let branch = !tree.children.is_empty() && depth < DEEPEST && rect.w > 44.0 && rect.h > 40.0;
        let title = format!("{}: {} show, {} hidden", esc_short(&path, 120), bytes(tree.visible), bytes(tree.hidden));
        self.shapes.push_str(&format!("<g><title>{title}</title>{}", shape(rect, &format!("p{}", hue % 6))));
        let hidden = rect.h * tree.hidden as f64 / whole;
        if !branch && hidden > 0.5 {
            self.shapes.push_str(&shape(Rect { y: rect.y + rect.h - hidden, h: hidden, ..rect }, "b-hid"));
        }
        if rect.w > 44.0 && rect.h > 20.0 {
            self.label(if depth == 0 { "/" } else { &tree.name }, rect, hidden, branch);
        }
        self.shapes.push_str("</g>");
        if !branch {
            self.left_out += tree.children.len();
            return;
        }
        let mut children: Vec<&TreeEntry> = tree.children.iter().filter(|child| size(child) > 0).collect();
        children.sort_by_key(|child| std::cmp::Reverse(size(child)));
        let told: u64 = children.iter().map(|child| size(child)).fold(0, u64::saturating_add);
        let rest = TreeEntry { name: "…".to_owned(), visible: size(tree).saturating_sub(told), ..TreeEntry::default() };
        // What the children do not account for stands last, whatever its size: squares only get less square by that.
        children.extend((rest.visible > 0).then_some(&rest));
        let weights: Vec<f64> = children.iter().map(|child| size(child) as f64).collect();
        let path = if depth == 0 { "" } else { &path };
        for (at, (child, cell)) in children.iter().zip(squarify(&weights, rect.within(3.0, 18.0))).enumerate() {
            self.draw(child, path, cell, depth + 1, if depth == 0 { at } else { hue });
        }
    }

    /// The name in the corner. On hatching it stands on a plate.
    fn label(&mut self, name: &str, rect: Rect, hidden: f64, branch: bool) {
        let text = crate::text::shorten(&spelt(name), ((rect.w - 8.0) / 7.6) as usize);
        if !branch && rect.h - hidden < 20.0 {
            let width = (text.chars().count() as f64 * 7.6 + 8.0).min(rect.w - 2.0);
            self.shapes.push_str(&shape(Rect { x: rect.x + 1.0, y: rect.y + 1.0, w: width, h: 18.0 }, "plate"));
        }
        self.shapes.push_str(&format!("<text class=\"t-tree\" x=\"{:.1}\" y=\"{:.1}\">{}</text>", rect.x + 5.0, rect.y + 14.0, esc(&text)));
    }
}

fn shape(rect: Rect, class: &str) -> String {
    format!("<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>", rect.x, rect.y, rect.w, rect.h)
}

/// The directories with the most in them, those with hidden content first.
fn largest(name: &str, tree: &TreeEntry) -> String {
    let mut all: Vec<(String, &TreeEntry)> = Vec::new();
    let mut open = vec![(String::new(), tree, 0)];
    while let Some((path, node, depth)) = open.pop() {
        if depth < DEEPEST && all.len() < 100_000 {
            open.extend(node.children.iter().map(|child| (format!("{path}/{}", crate::text::shorten(&child.name, 100)), child, depth + 1)));
        }
        if depth == 0 || !node.children.is_empty() {
            all.push((if depth == 0 { "/".to_owned() } else { path }, node));
        }
    }
    all.sort_by(|(a, one), (b, other)| (other.hidden, size(other)).cmp(&(one.hidden, size(one))).then_with(|| a.cmp(b)));
    let row = |(path, node): &(String, &TreeEntry)| {
        let share = node.hidden as f64 * 100.0 / size(node).max(1) as f64;
        vec![format!("<code>{}</code>", esc_short(path, 200)), bytes(node.visible), bytes(node.hidden), format!("{share:.0} %")]
    };
    let rows: Vec<Vec<String>> = all.iter().take(MOST_ROWS).map(row).collect();
    let more = left_out(all.len().saturating_sub(MOST_ROWS), "directories are");
    let heads = ["Directory", "Shows", "Hidden", "Hidden share"];
    table("numbers", &format!("Directories of {name} with the most hidden content"), &heads, &rows) + &more
}
