//! What the targets share: small limits, so that a run is short, and a report as the program makes it.

use pentimento::detect::Detector;
use pentimento::image::{self, Selection};
use pentimento::limits::Limits;
use pentimento::report::{self, Report, Scanned, View};
use pentimento::rules::{Confidence, RuleSet};
use pentimento::scan::{self, Progress};
use pentimento::source::Source;
use pentimento::{Error, finding};
use std::sync::LazyLock;

static DETECTOR: LazyLock<Detector> = LazyLock::new(|| Detector::new(RuleSet::builtin().expect("rules")).expect("a detector"));

/// Limits that no fuzzer needs to exceed by size.
pub fn limits() -> Limits {
    Limits { layer_size: 8 << 20, entries: 2000, json: 1 << 20, layers: 200, manifests: 200, ..Limits::default() }
}

/// The report on a source.
pub fn report(source: Source) -> Result<Report, Error> {
    let limits = limits();
    let archive = scan::scan(source, &DETECTOR, &limits, scan::Work::default(), &Progress::default())?;
    let mut images = image::images(&archive, &Selection { platform: None, limits });
    let findings = finding::assemble(&archive, &mut images, &DETECTOR, &limits, &Progress::default());
    let scanned = Scanned { target: "fuzz".to_owned(), archive, images, findings };
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
