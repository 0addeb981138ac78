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
//! ```no_run
//! use pentimento::{detect::Detector, finding, image, limits::Limits, rules::RuleSet, scan, source::Source};
//!
//! let (detector, limits, progress) = (Detector::new(RuleSet::builtin()?)?, Limits::default(), scan::Progress::default());
//! let archive = scan::scan(Source::open("image.tar", &limits)?, &detector, &limits, scan::Work { threads: 4, ..scan::Work::default() }, &progress)?;
//! let mut images = image::images(&archive, &image::Selection::default());
//! for finding in finding::assemble(&archive, &mut images, &detector, &limits, &progress) {
//!     println!("{} {:?} {:?}", finding.secret, finding.location, finding.state);
//! }
//! # Ok::<(), pentimento::Error>(())
//! ```

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
