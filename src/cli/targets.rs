//! Several targets in one run.

use super::read::ReadArgs;
use anyhow::{Result, bail};
use pentimento::detect::Detector;
use pentimento::report::Scanned;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Targets that were read, and those that could not be, with the reason; both in the order in which they were named.
pub type Outcome = (Vec<Scanned>, Vec<(String, String)>);

/// Scans the targets, `jobs` of them at a time. Layers that they share are scanned once (a pipe's each time). Fails if
/// nothing could be read.
pub fn scan(
    read: &ReadArgs,
    detector: &Detector,
    targets: &[String],
    jobs: usize,
    verify: bool,
    stop: &Arc<AtomicUsize>,
) -> Result<Outcome> {
    if targets.iter().filter(|target| *target == "-").count() > 1 {
        bail!("standard input can be read once: name `-` once");
    }
    if let [target] = targets {
        return Ok((vec![read.scan(detector, target, stop, verify)?], Vec::new()));
    }
    let _ = read.known.set(Arc::default());
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((index, target)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|index| Some((index, targets.get(index)?))) {
            let outcome = match index > 0 && stop.load(Ordering::Relaxed) != 0 {
                true => Err("the scan was stopped before it came to this target".to_owned()),
                false => read.scan(detector, target, stop, verify).map_err(|e| format!("{e:#}")),
            };
            outcomes.lock().unwrap_or_else(|e| e.into_inner()).push((index, outcome));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..jobs.min(targets.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(|e| e.into_inner());
    outcomes.sort_by_key(|(index, _)| *index);
    let (mut scanned, mut failed) = (Vec::new(), Vec::new());
    for (index, outcome) in outcomes {
        match outcome {
            Ok(target) => scanned.push(target),
            Err(why) => failed.push((targets[index].clone(), why)),
        }
    }
    if scanned.is_empty() {
        let mut lines: Vec<String> = failed.into_iter().map(|(_, why)| why).collect();
        lines.dedup();
        bail!("{}", lines.join("\n"));
    }
    Ok((scanned, failed))
}
