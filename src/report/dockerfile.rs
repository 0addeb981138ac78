//! Points findings at the lines of the Dockerfile that the image was built from.

use super::{DockerfileEntry, FindingEntry, Report, Scanned};
use crate::dockerfile::{Alignment, Dockerfile, Instruction, align};
use crate::image::Image;

/// Gives each finding the line of the instruction that brought it in, and of the one that hid it, where they are sure. Returns the images
/// (by index) whose history does not agree with the Dockerfile: their findings have none.
pub fn locate(report: &mut Report, targets: &[Scanned], dockerfile: &Dockerfile, path: &str) -> Vec<usize> {
    let images: Vec<&Image> = targets.iter().flat_map(|target| &target.images.images).collect();
    let alignments: Vec<Option<Alignment>> = images.iter().map(|image| align(dockerfile, &image.steps)).collect();
    for finding in &mut report.findings {
        let Some((image, alignment)) = finding.image.and_then(|index| Some((*images.get(index)?, alignments.get(index)?.as_ref()?))) else {
            continue;
        };
        let entry =
            |instruction: &Instruction| DockerfileEntry { path: path.to_owned(), line: instruction.line, end_line: instruction.end_line };
        finding.dockerfile = origin(finding, image, alignment).map(entry);
        finding.fate.by_dockerfile = finding.fate.by_layer.and_then(|layer| of_layer(layer, image, alignment)).map(entry);
    }
    (0..images.len()).filter(|index| alignments[*index].is_none()).collect()
}

fn of_layer<'a>(layer: usize, image: &Image, alignment: &'a Alignment) -> Option<&'a Instruction> {
    let attribution = &image.layers.get(layer)?.attribution;
    let last = attribution.steps.clone().next_back().filter(|_| attribution.certain)?;
    alignment.step(last)
}

fn origin<'a>(finding: &FindingEntry, image: &Image, alignment: &'a Alignment) -> Option<&'a Instruction> {
    let at = &finding.location;
    match (at.kind.as_str(), at.layer, at.step) {
        ("file", Some(layer), _) => of_layer(layer, image, alignment),
        (_, _, Some(step)) => alignment.step(step),
        ("env", ..) => alignment.setting("ENV", Some(at.name.as_deref()?)),
        ("label", ..) => alignment.setting("LABEL", Some(at.name.as_deref()?)),
        (kind @ ("cmd" | "entrypoint" | "healthcheck"), ..) => alignment.setting(&kind.to_ascii_uppercase(), None),
        _ => None,
    }
}
