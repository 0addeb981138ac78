//! Options that bound a scan.

use pentimento::limits::Limits;
use std::time::Duration;

/// How far to go along with a hostile image. Hitting a limit makes the scan incomplete, and never ends it.
#[derive(clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// The most that one layer may unpack to [default: 64G]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_layer_size: Option<u64>,
    /// The most bytes out of one packed byte, beyond the first 64 MiB [default: 1000]
    #[arg(long, value_name = "N")]
    max_ratio: Option<u64>,
    /// The most entries of one layer [default: 4000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_entries: Option<u64>,
    /// The longest name in a layer [default: 256K]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_name: Option<u64>,
    /// How many compressions may be around each other [default: 3]
    #[arg(long, value_name = "N")]
    max_nesting: Option<usize>,
    /// How many archives may be within each other in a file [default: 8]
    #[arg(long, value_name = "N")]
    max_depth: Option<usize>,
    /// The largest JSON document [default: 16M]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_json: Option<u64>,
    /// The most layers of one image [default: 16384]
    #[arg(long, value_name = "N")]
    max_layers: Option<usize>,
    /// The most manifests, images and indexes of one archive [default: 10000]
    #[arg(long, value_name = "N")]
    max_manifests: Option<usize>,
    /// Steps of laying layers over each other, besides 20 for each entry: for images that list large layers again and again
    /// [default: 20000000]
    #[arg(long, value_name = "N")]
    max_steps: Option<u64>,
    /// Stop after so long (90, 90s, 5m, 1h), report what was found so far, and say that it is not all
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
}

impl LimitArgs {
    /// The limits that were asked for.
    pub fn limits(&self) -> Limits {
        let default = Limits::default();
        Limits {
            layer_size: self.max_layer_size.unwrap_or(default.layer_size),
            ratio: self.max_ratio.unwrap_or(default.ratio),
            entries: self.max_entries.unwrap_or(default.entries),
            name: self.max_name.map_or(default.name, |name| usize::try_from(name).unwrap_or(usize::MAX)),
            nesting: self.max_nesting.unwrap_or(default.nesting),
            depth: self.max_depth.unwrap_or(default.depth),
            json: self.max_json.unwrap_or(default.json),
            layers: self.max_layers.unwrap_or(default.layers),
            manifests: self.max_manifests.unwrap_or(default.manifests),
            steps: self.max_steps.unwrap_or(default.steps),
        }
    }
}

/// A number of bytes: `500`, `64K`, `16M`, `16MiB`, `2G`, in powers of 1024.
/// A size with its unit.
pub fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().trim_end_matches("ib").trim_end_matches('b') {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return Err("a size is a number with K, M, G or T behind it".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "a size is a number with K, M, G or T behind it".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "the size is too large".to_owned())
}

/// A time: `90`, `90s`, `5m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("a time is a number with s, m or h behind it".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "a time is a number with s, m or h behind it".to_owned())?;
    number.checked_mul(unit).filter(|seconds| *seconds > 0).map(Duration::from_secs).ok_or_else(|| "the time is out of range".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times() {
        assert_eq!(["7", "64K", "16MiB", "2g", "1TB"].map(size), [7, 64 << 10, 16 << 20, 2 << 30, 1 << 40].map(Ok));
        assert!(["", "K", "1.5G", "-1", "3X", "99999999999T"].into_iter().all(|text| size(text).is_err()));
        assert_eq!(["90", "90s", "5m", "1h"].map(duration), [90, 90, 300, 3600].map(|s| Ok(Duration::from_secs(s))));
        assert!(["", "0", "5d", "x"].into_iter().all(|text| duration(text).is_err()));
    }
}
