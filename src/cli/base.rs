//! `--base`: the image that an image was built from.

use super::read::ReadArgs;
use anyhow::{Context, Result, bail};
use pentimento::base::Base;
use pentimento::detect::Detector;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Reads it. Its digests are computed, whatever they are called.
pub fn read(args: &ReadArgs, detector: &Detector, target: &str, stop: &Arc<AtomicUsize>) -> Result<Base> {
    let scanned = args.scan(detector, target, stop, true).context("--base")?;
    if scanned.archive.omissions.interrupted {
        bail!("--base: reading {target} was stopped");
    }
    Ok(Base::of(&scanned.archive, &scanned.images, &scanned.findings))
}
