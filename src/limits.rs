//! How far a scan goes along with its input. Hitting a limit is a problem of the report, and never the end of the rest.

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
    /// The largest JSON document, in bytes. All documents of an archive may hold four times as much.
    pub json: u64,
    /// The most layers of one image.
    pub layers: usize,
    /// The most manifests, images and indexes of one archive.
    pub manifests: usize,
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
            json: 16 << 20,
            layers: 16_384,
            manifests: 10_000,
        }
    }
}
