//! What the targets share: small limits, so that a run is short, and a report as the program makes it.

use pentimento::detect::Detector;
use pentimento::limits::Limits;
use pentimento::report::{self, How, Report, Scanned, View};
use pentimento::rules::{Confidence, RuleSet};
use pentimento::scan::Progress;
use pentimento::source::Source;
use pentimento::Error;
use std::sync::LazyLock;

static DETECTOR: LazyLock<Detector> = LazyLock::new(|| Detector::new(RuleSet::builtin().expect("rules")).expect("a detector"));

/// Limits that no fuzzer needs to exceed by size.
pub fn limits() -> Limits {
    Limits { layer_size: 8 << 20, entries: 2000, json: 1 << 20, layers: 200, manifests: 200, ..Limits::default() }
}

/// The report on a source.
pub fn report(source: Source) -> Result<Report, Error> {
    let how = How { limits: limits(), posture: false, ..How::default() };
    let scanned = Scanned::read("fuzz", source, &DETECTOR, &how, &Progress::default())?;
    let view = View {
        min_confidence: Confidence::Low,
        show_secrets: false,
        show_allowed: false,
        include_public: true,
        allow_missing_layers: false,
        ..View::default()
    };
    let (report, _) = report::build(&[scanned], &[], DETECTOR.rules(), view).expect("a report");
    Ok(report)
}
