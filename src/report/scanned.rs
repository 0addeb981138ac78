//! One target on its way from bytes to findings.

use super::redact::Redactor;
use crate::archive::Archive;
use crate::detect::{Detector, Reason, is_noise};
use crate::error::Error;
use crate::finding::{self, Finding};
use crate::image::platform::Platform;
use crate::image::{self, Images, Selection};
use crate::layer_scan::{FileHit, LayerScan};
use crate::limits::{Effort, Limits};
use crate::posture;
use crate::rules::Confidence;
use crate::scan::{self, Progress, Work};
use crate::secret::Secret;
use crate::source::Source;

/// How a target is read.
#[derive(Debug, Clone)]
pub struct How {
    /// How far to go.
    pub limits: Limits,
    /// Threads, and what is computed.
    pub work: Work,
    /// Only images for this platform; all, if there is none.
    pub platform: Option<Platform>,
    /// Whether the image's hygiene is looked at, too: it gives notes.
    pub posture: bool,
    /// Seconds since 1970, for what is old.
    pub now: Option<u64>,
}

impl Default for How {
    /// With the usual limits and one matcher; all images and their hygiene, but for what depends on the day.
    fn default() -> How {
        How { limits: Limits::default(), work: Work::default(), platform: None, posture: true, now: None }
    }
}

/// One target, scanned.
pub struct Scanned {
    /// As typed.
    pub target: String,
    /// Its blobs.
    pub archive: Archive,
    /// Its images.
    pub images: Images,
    /// All findings, of every confidence.
    pub findings: Vec<Finding>,
}

/// True for what is short and has no digit.
fn is_word(value: &[u8]) -> bool {
    value.len() < 12 && !value.iter().any(u8::is_ascii_digit)
}

impl Scanned {
    /// Reads a source to its end and joins what was found: the whole way from bytes to findings. `target` is what it is called in reports.
    ///
    /// # Errors
    ///
    /// If nothing could be read. What could not be read of the rest is among the problems of [`Scanned::archive`] and [`Scanned::images`], and
    /// [`build`](super::build) says that the report is not complete.
    pub fn read(target: &str, source: Source, detector: &Detector, how: &How, progress: &Progress) -> Result<Scanned, Error> {
        let archive = scan::scan(source, detector, &how.limits, how.work.clone(), progress)?;
        Ok(Scanned::joined(target, archive, detector, how, progress))
    }

    /// The same from what was scanned.
    pub fn joined(target: &str, archive: Archive, detector: &Detector, how: &How, progress: &Progress) -> Scanned {
        let mut images = image::images(&archive, &Selection { platform: how.platform.clone(), limits: how.limits });
        let findings = finding::assemble(&archive, &mut images, detector, &how.limits, progress);
        if how.posture {
            let entries = (0..archive.blobs.len()).filter_map(|blob| archive.layer(blob)).map(LayerScan::len).sum();
            let notes = posture::notes(&archive, &images.images, how.now, &mut Effort::regardless(&how.limits, entries));
            images.images.iter_mut().zip(notes).for_each(|(image, notes)| image.problems.extend(notes));
        }
        Scanned { target: target.to_owned(), archive, images, findings }
    }

    /// Every secret that was found, told or not, and how sure it is. What is published is none, and may be a word that stands everywhere; so are
    /// words behind a name in large programs, of which nobody looked up whether they are published (`scan::Work::least`).
    pub(super) fn secrets(&self, least: Confidence) -> impl Iterator<Item = (&Secret, Confidence)> {
        let layers = (0..self.archive.blobs.len()).filter_map(|blob| self.archive.layer(blob));
        let scans = [&self.archive.members].into_iter().chain(layers);
        let noise = move |confidence, reasons: &[Reason], secret: &Secret| is_noise(least, confidence, reasons) && is_word(secret.reveal());
        let hits = scans.flat_map(move |scan| {
            let unknown = move |hit: &FileHit| {
                !scan.digests.contains_key(&hit.entry) && noise(hit.found.confidence, &hit.found.reasons, &hit.found.secret)
            };
            scan.hits.iter().filter(move |hit| self.archive.publisher(scan, hit).is_none() && !unknown(hit))
        });
        let told = move |f: &&Finding| f.public.is_none() && !noise(f.confidence, &f.reasons, &f.secret);
        let found = self.findings.iter().filter(told);
        let found = found.map(|finding| (&finding.secret, finding.confidence, finding.details.as_deref()));
        let in_files = hits.map(|hit| (&hit.found.secret, hit.found.confidence, hit.found.details.as_deref()));
        let all = found.chain(in_files).flat_map(|(secret, confidence, details)| {
            let parts = details.into_iter().flat_map(|details| &details.parts);
            [(secret, confidence)].into_iter().chain(parts.map(move |part| (&part.value, confidence)))
        });
        all.chain(self.images.unlisted.iter().map(|secret| (secret, Confidence::High)))
    }

    /// What takes them out of whatever is to be shown.
    pub fn redactor(&self, least: Confidence) -> Result<Redactor, serde_json::Error> {
        Redactor::of(self.secrets(least))
    }
}
