//! Images of one archive that stand on each other: the layers of one are the lowest of the other.

use super::Notes;
use crate::error::{Code, Problem};
use crate::image::{Image, Kind};
use crate::limits::{Effort, Exhausted};

/// The most digests that a message names.
const MOST_NAMED: usize = 3;

/// Of each image, the largest one that it stands on.
pub struct Stages {
    below: Vec<Option<usize>>,
    /// Images on which others stand, as their own earlier states.
    earlier: Vec<bool>,
}

impl Stages {
    /// The relations of all images of an archive. Without effort, none is an earlier state.
    pub fn of(images: &[Image], effort: &mut Effort) -> Stages {
        let layers = |index: usize| images[index].layers.iter().map(|layer| layer.blob);
        let whole =
            |image: &Image| image.kind == Kind::Image && !image.layers.is_empty() && image.layers.iter().all(|layer| layer.blob.is_some());
        let mut order: Vec<usize> = (0..images.len()).filter(|index| whole(&images[*index])).collect();
        // What an image stands on comes before it, with nothing between them but what stands on that too.
        order.sort_by(|a, b| layers(*a).cmp(layers(*b)).then(images[*a].names.is_empty().cmp(&images[*b].names.is_empty()).reverse()));
        let mut below = vec![None; images.len()];
        let mut around: Vec<usize> = Vec::new();
        for index in order {
            let stands_on = |lower: usize| {
                images[lower].layers.len() <= images[index].layers.len() && layers(lower).eq(layers(index).take(images[lower].layers.len()))
            };
            while around.pop_if(|lower| !stands_on(*lower)).is_some() {}
            match around.last() {
                Some(same) if images[*same].layers.len() == images[index].layers.len() => below[index] = below[*same],
                lower => {
                    below[index] = lower.copied();
                    around.push(index);
                }
            }
        }
        let mut earlier = vec![false; images.len()];
        for (index, lower) in below.iter().enumerate() {
            let Some(lower) = lower else { continue };
            if effort.spend(1 + images[*lower].steps.len()).is_ok() {
                earlier[*lower] |= is_earlier(&images[*lower], &images[index]);
            }
        }
        Stages { below, earlier }
    }

    /// The largest image that this one stands on and that is no earlier state of it: its base.
    pub fn base(&self, index: usize) -> Option<usize> {
        std::iter::successors(self.below[index], |lower| self.below[*lower]).find(|lower| !self.earlier[*lower])
    }

    /// What is to be said of the last image of a chain: that earlier states of it are in the archive.
    pub fn notes(&self, images: &[Image], index: usize, effort: &mut Effort) -> Result<Notes, Exhausted> {
        let mut found = Vec::new();
        let mut next = self.below[index].filter(|_| !self.earlier[index]);
        while let Some(lower) = next {
            effort.spend(1 + images[lower].steps.len())?;
            if is_earlier(&images[lower], &images[index]) {
                found.push(lower);
            }
            next = self.below[lower];
        }
        if found.is_empty() {
            return Ok(Notes::new());
        }
        let digests: Vec<String> =
            found.iter().rev().take(MOST_NAMED).filter_map(|lower| Some(images[*lower].config_digest.as_ref()?.to_string())).collect();
        let more = if found.len() > digests.len() { ", …" } else { "" };
        let message = format!(
            "untagged earlier states of this image are in the archive too ({}: {}{more}): save it by its name alone",
            found.len(),
            digests.join(", ")
        );
        Ok(vec![(None, Problem::new(Code::IntermediateImages, message))])
    }
}

/// Whether `lower` is an earlier state of the same build: untagged, and its history is the beginning of the other's. An orphan is told as
/// one.
fn is_earlier(lower: &Image, image: &Image) -> bool {
    let unnamed = lower.names.is_empty() && !lower.orphan && lower.config_digest.is_some();
    unnamed && !lower.steps.is_empty() && image.steps.starts_with(&lower.steps)
}
