//! Squarified treemaps (Bruls, Huizing, van Wijk 2000): rectangles with given areas, as square as can be.

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    /// Left.
    pub x: f64,
    /// Top.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
}

impl Rect {
    /// Without a margin of `all`, and of `top` more above.
    pub fn within(&self, all: f64, top: f64) -> Rect {
        Rect { x: self.x + all, y: self.y + all + top, w: (self.w - 2.0 * all).max(0.0), h: (self.h - 2.0 * all - top).max(0.0) }
    }
}

/// Divides `rect` in proportion to `weights`, which go from the largest to the smallest and are positive.
pub fn squarify(weights: &[f64], mut rect: Rect) -> Vec<Rect> {
    let mut cells = Vec::with_capacity(weights.len());
    let mut left: f64 = weights.iter().sum();
    let mut rest = weights;
    while !rest.is_empty() && left > 0.0 {
        let scale = rect.w * rect.h / left;
        let side = rect.w.min(rect.h);
        // A row takes what makes its worst cell better.
        let (mut row, mut sum, mut worst) = (0, 0.0, f64::INFINITY);
        for weight in rest {
            let next = sum + weight;
            let length = next * scale / side;
            let ratio = |weight: f64| (weight * scale / length / length).max(length * length / (weight * scale));
            let now = rest[..=row].iter().map(|weight| ratio(*weight)).fold(0.0, f64::max);
            if row > 0 && now > worst {
                break;
            }
            (row, sum, worst) = (row + 1, next, now);
        }
        let across = rect.w < rect.h;
        let depth = if row == rest.len() { rect.w.max(rect.h) } else { sum * scale / side };
        let mut at = 0.0;
        for weight in &rest[..row] {
            let length = side * weight / sum;
            cells.push(match across {
                true => Rect { x: rect.x + at, y: rect.y, w: length, h: depth },
                false => Rect { x: rect.x, y: rect.y + at, w: depth, h: length },
            });
            at += length;
        }
        rect = match across {
            true => Rect { y: rect.y + depth, h: (rect.h - depth).max(0.0), ..rect },
            false => Rect { x: rect.x + depth, w: (rect.w - depth).max(0.0), ..rect },
        };
        left -= sum;
        rest = &rest[row..];
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_add_up_and_nothing_overlaps() {
        let whole = Rect { x: 3.0, y: 5.0, w: 600.0, h: 400.0 };
        for weights in [vec![6.0, 6.0, 4.0, 3.0, 2.0, 2.0, 1.0], vec![1.0], vec![1e9, 1.0, 1.0], (1..200).rev().map(f64::from).collect()] {
            let cells = squarify(&weights, whole);
            let sum: f64 = weights.iter().sum();
            assert_eq!(cells.len(), weights.len());
            for (cell, weight) in cells.iter().zip(&weights) {
                let share = cell.w * cell.h / (whole.w * whole.h);
                assert!((share - weight / sum).abs() < 1e-6, "{cell:?} {weight}");
                assert!(cell.x >= 2.999 && cell.y >= 4.999 && cell.x + cell.w <= 603.001 && cell.y + cell.h <= 405.001, "{cell:?}");
            }
            for (at, a) in cells.iter().enumerate() {
                for b in &cells[at + 1..] {
                    let wide = (a.x + a.w).min(b.x + b.w) - a.x.max(b.x);
                    let high = (a.y + a.h).min(b.y + b.h) - a.y.max(b.y);
                    assert!(wide < 1e-3 || high < 1e-3, "{a:?} {b:?}");
                }
            }
        }
    }
}
