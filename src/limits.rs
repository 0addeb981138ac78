//! How far a scan goes along with its input. Hitting a limit is a problem of the report, and never the end of the rest.

use std::sync::atomic::{AtomicUsize, Ordering};

/// No file system has longer names (Linux: PATH_MAX). Where an image's are shown, compared or looked at again and again, this much of
/// them is. In bytes.
pub const PATH_MAX: usize = 4096;

/// The limits. The defaults let every honest image through that was ever seen, and keep a hostile one from taking the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most that one blob may unpack to, in bytes.
    pub layer_size: u64,
    /// The most bytes that may come out of one stored byte, counted over the whole blob once it has given [`Limits::RATIO_FROM`].
    pub ratio: u64,
    /// The most entries of one layer.
    pub entries: u64,
    /// The longest name, in bytes.
    pub name: usize,
    /// How many compressions may be around each other.
    pub nesting: usize,
    /// How many archives may be within each other in a file of a layer.
    pub depth: usize,
    /// The largest JSON document, in bytes. All documents of an archive may hold twice as much.
    pub json: u64,
    /// The most layers of one image.
    pub layers: usize,
    /// The most manifests, images and indexes of one archive.
    pub manifests: usize,
    /// Steps of laying layers over each other, besides those that each entry brings: see [`Effort`].
    pub steps: u64,
}

impl Limits {
    /// Bytes that any blob may unpack to, however small it is.
    pub const RATIO_FROM: u64 = 64 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            layer_size: 64 << 30,
            ratio: 1000,
            entries: 4_000_000,
            name: 256 << 10,
            nesting: 3,
            depth: 8,
            json: 16 << 20,
            layers: 16_384,
            manifests: 10_000,
            steps: 20_000_000,
        }
    }
}

/// What joining the layers of an archive may cost, in steps of about a microsecond. Reading ends with the input, but a few bytes of a
/// manifest can list a large layer ten thousand times: so the steps are few for each entry that was read.
#[derive(Debug)]
pub struct Effort<'a> {
    left: u64,
    /// Anything but 0 ends it.
    stop: Option<&'a AtomicUsize>,
}

/// Nothing more may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;

impl<'a> Effort<'a> {
    /// Steps for each entry.
    const PER_ENTRY: u64 = 20;

    /// For an archive of so many entries in all its layers; `stop` is anything but 0 when the scan is to end. Where that was so
    /// before, it is a tenth of the usual: what was found is to be said soon.
    pub fn new(limits: &Limits, entries: usize, stop: &'a AtomicUsize) -> Effort<'a> {
        if stop.load(Ordering::Relaxed) != 0 {
            return Effort { left: limits.steps / 10, stop: None };
        }
        Effort { stop: Some(stop), ..Effort::regardless(limits, entries) }
    }

    /// As much, whether or not the scan is to end: what was found is told all the same.
    pub fn regardless(limits: &Limits, entries: usize) -> Effort<'a> {
        Effort { left: limits.steps.saturating_add(Effort::PER_ENTRY * entries as u64), stop: None }
    }

    /// Takes so many steps, if they are there.
    pub fn spend(&mut self, steps: usize) -> Result<(), Exhausted> {
        self.left = self.left.saturating_sub(steps as u64);
        if self.left == 0 || self.is_stopped() { Err(Exhausted) } else { Ok(()) }
    }

    /// Whether the scan was ended since.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed) != 0)
    }
}
