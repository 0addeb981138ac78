//! pentimento finds the secrets that a container image still remembers: in every layer, also in files that a later layer deleted,
//! overwrote or hid, in the configuration and in the history.
//!
//! One idea carries the program:
//!
//! > A layer's scan is a pure function of (layer bytes, rules, limits). A file's fate is a pure function of the ordered layer scans.
//!
//! ```text
//!  bytes                  one layer, no knowledge of its image              one image, pure              words
//!  source ──► archive ──► layer ───► content ───► detect ══► LayerScan ──► timeline ──► finding ──► policy ──► report
//! ```
//!
//! Data flows left to right; a module imports only what stands to its left (`tests/tidy.rs` holds the order). In reading order:
//! [`source`], [`layer`], [`rules`], [`detect`], [`content`], [`layer_scan`], [`archive`], [`scan`], [`image`], [`timeline`],
//! [`posture`], [`finding`], [`policy`], [`report`]; the leaves are [`error`], [`digest`], [`secret`], [`text`] and [`limits`].
//!
//! ```
//! use pentimento::{detect::Detector, report::{How, Scanned, View, build}, rules::RuleSet, scan::Progress, source::Source};
//!
//! // Any reader will do: a file, a socket, a decoder.
//! let tar = std::fs::File::open("testdata/demo/demo.tar")?;
//! let detector = Detector::new(RuleSet::builtin()?)?;
//! let scanned = Scanned::read("demo", Source::reader("demo", tar), &detector, &How::default(), &Progress::default())?;
//! for finding in &scanned.findings {
//!     println!("{} {:?} {:?}", finding.secret, finding.location, finding.state);
//! }
//! // The same, redacted and ready to be written, and the verdict.
//! let (report, verdict) = build(&[scanned], &[], detector.rules(), View::default())?;
//! assert_eq!((verdict.as_str(), report.complete), ("found", true));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Features: `cli` (the program, and the default), `docker`, `registry` (images that are elsewhere: [`source`]) and `html` (the report as a page).
//! Without any of them (`cargo add pentimento --no-default-features`) the library reads archives and layouts, and opens no connection.

pub mod archive;
pub mod base;
mod buffer;
pub mod census;
mod compose;
pub mod content;
pub mod detect;
pub mod digest;
pub mod dockerfile;
pub mod error;
pub mod finding;
pub mod image;
pub mod layer;
pub mod layer_scan;
pub mod limits;
pub mod nested;
#[cfg(any(feature = "docker", feature = "registry"))]
pub mod net;
pub mod packages;
pub mod policy;
pub mod posture;
pub mod report;
pub mod rewind;
pub mod rules;
pub mod scan;
pub mod secret;
pub mod source;
pub mod suspicion;
pub mod text;
pub mod timeline;

pub use error::Error;
