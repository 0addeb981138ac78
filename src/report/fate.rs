//! What brought a file in, and what became of it, as reports tell it.

use super::FateEntry;
use crate::finding::State;
use crate::image::{Image, history};
use crate::text::cut;
use crate::timeline::{Fate, How};

/// The instruction of a layer, whether it is certain, and if not, the candidates: the nearest, if there is no room for all.
pub fn instruction(image: &Image, layer: usize, room: usize) -> (Option<String>, bool, Vec<String>) {
    /// What a text costs besides its bytes.
    const STRING: usize = 64;
    let Some(attribution) = image.layers.get(layer).map(|l| &l.attribution) else { return (None, false, Vec::new()) };
    let steps = &image.steps[attribution.steps.clone()];
    if attribution.certain {
        return (steps.last().map(|step| cut(&step.instruction, room).into_owned()), true, Vec::new());
    }
    let (mut nearest, mut left) = (Vec::new(), room);
    for step in steps.iter().rev() {
        if left < step.instruction.len() {
            nearest.push(cut(&step.instruction, left).into_owned());
            break;
        }
        left = left.saturating_sub(step.instruction.len() + STRING);
        nearest.push(step.instruction.clone());
    }
    nearest.reverse();
    (None, false, nearest)
}

/// What became of something, and which layer did it.
pub fn fate(state: State, by_layer: Option<usize>, image: Option<&Image>, room: usize) -> FateEntry {
    let how_text = |how| match how {
        How::Whiteout => "whiteout",
        How::ParentRemoved => "parent-removed",
        How::Opaque => "opaque",
    };
    let (state, how) = match state {
        State::File(Fate::Present) => ("present", None),
        State::File(Fate::Deleted { how, .. }) => ("deleted", Some(how_text(how))),
        State::File(Fate::Overwritten { .. }) => ("overwritten", None),
        State::File(Fate::Replaced { .. }) => ("replaced", None),
        State::File(Fate::Superseded) => ("superseded", None),
        State::File(Fate::Hidden) => ("hidden", None),
        State::Config { historic } => ("config", Some(if historic { "historic" } else { "current" })),
    };
    let by_instruction = by_layer.zip(image).and_then(|(layer, image)| {
        let attribution = &image.layers.get(layer)?.attribution;
        let text = |step: &history::Step| cut(&step.instruction, room).into_owned();
        Some(match &image.steps[attribution.steps.clone()] {
            [] => return None,
            [.., last] if attribution.certain => text(last),
            [only] => text(only),
            steps @ [first, .., last] => format!("one of {} steps: {} … {}", steps.len(), text(first), text(last)),
        })
    });
    FateEntry { state: state.to_owned(), how: how.map(str::to_owned), by_layer, by_instruction, by_dockerfile: None }
}

/// How many bytes of instructions one finding (or layer, or file) may show, so that all `count` together stay bounded: an instruction may be as
/// long as a document, and each of them repeats it.
pub fn room(count: usize) -> usize {
    const ALL: usize = 32 << 20;
    const ONE: usize = 32 << 10;
    (ALL / count.max(1)).min(ONE)
}
