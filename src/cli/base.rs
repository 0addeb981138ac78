//! `--base`: the image that an image was built from.

use super::read::ReadArgs;
use super::stop;
use anyhow::{Context, Result, bail};
use pentimento::base::Base;
use pentimento::detect::Detector;

/// Reads it.
pub fn read(args: &ReadArgs, detector: &Detector, target: &str) -> Result<Base> {
    let scanned = args.scan(detector, target, &stop::when(None)?, true).context("--base")?;
    if scanned.archive.omissions.interrupted {
        bail!("--base: reading {target} was stopped");
    }
    Ok(Base::of(&scanned.archive, &scanned.images, &scanned.findings))
}
