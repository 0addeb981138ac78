//! Matching alone, in memory, on one core: the whole rule set over files, beside a search for one rare literal in the same run.
//!
//! `cargo bench --bench matching -- FILE…` takes files of its own, each searched in windows of a mebibyte as a scan does. With `--check` it
//! compares the matches with those of the slow way, which looks for all literals everywhere, and measures nothing. Of a packed file it tells how
//! long decoding alone takes.

#![allow(clippy::expect_used)]

use pentimento::content::{Batch, Packer};
use pentimento::detect::{Detector, Match};
use pentimento::layer::compression::Compression;
use pentimento::layer::decoder::Decoder;
use pentimento::layer_scan::Place;
use pentimento::rules::RuleSet;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// Runs of each; the fastest counts, since a machine is never faster than it is.
const RUNS: usize = 15;

fn main() {
    let detector = Detector::new(RuleSet::builtin().expect("rules")).expect("a detector");
    let slow = std::env::args()
        .any(|argument| argument == "--check")
        .then(|| Detector::exhaustive(RuleSet::builtin().expect("rules")).expect("a detector"));
    let files: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    println!("{:<24} {:>8} {:>10} {:>10} {:>8}  matches", "file", "MB", "rules MB/s", "memmem", "share");
    for path in files {
        let bytes = std::fs::read(&path).expect("the file");
        let compression = Compression::sniff(&bytes);
        if compression != Compression::None {
            let mut size = 0;
            let seconds =
                fastest(|| size = std::io::copy(&mut Decoder::new(&bytes[..], compression), &mut std::io::sink()).expect("memory"));
            println!("{path}: {:.1} MB, decoded in {seconds:.2} s", size as f64 / 1e6);
            continue;
        }
        let batches = batches(&path, &bytes);
        if let Some(slow) = &slow {
            check(&batches, &detector, slow);
            continue;
        }
        let mut matches = 0;
        let rules = fastest(|| matches = batches.iter().map(|batch| batch.search(&detector).matches.len()).sum());
        let literal = memchr::memmem::Finder::new(b"AKIAZZZZQQQQ0000");
        let memmem = fastest(|| assert_eq!(literal.find_iter(&bytes).count(), 0));
        let megabytes = bytes.len() as f64 / 1e6;
        let name = path.rsplit('/').next().unwrap_or(&path);
        println!(
            "{name:<24} {megabytes:>8.1} {:>10.0} {:>10.0} {:>7.1}%  {matches}",
            megabytes / rules,
            megabytes / memmem,
            100.0 * memmem / rules
        );
    }
}

fn check(batches: &[Batch], fast: &Detector, slow: &Detector) {
    let rule = |found: &Match| fast.rules().rules()[found.rule].id.clone();
    let all = |detector: &Detector| -> BTreeSet<(u64, String, String)> {
        let matches = batches.iter().flat_map(|batch| batch.search(detector).matches);
        matches.map(|(_, _, found)| (found.offset, rule(&found), format!("{:?} {:?}", found.confidence, found.secret.len()))).collect()
    };
    let (fast, slow) = (all(fast), all(slow));
    println!("{} matches, {} only fast, {} only slow", fast.len(), fast.difference(&slow).count(), slow.difference(&fast).count());
    fast.symmetric_difference(&slow).take(50).for_each(|found| println!("  {found:?}"));
}

fn batches(path: &str, bytes: &[u8]) -> Vec<Batch> {
    let all: Rc<RefCell<Vec<Batch>>> = Rc::default();
    let kept = all.clone();
    let mut packer = Packer::new(Arc::default(), move |batch| {
        kept.borrow_mut().push(batch);
        Batch::default()
    });
    packer.file(0, Place::Content, path.as_bytes(), bytes.len() as u64, &mut &bytes[..], None).expect("memory");
    packer.flush();
    drop(packer);
    all.take()
}

fn fastest(mut run: impl FnMut()) -> f64 {
    let once = |_| {
        let begin = Instant::now();
        run();
        begin.elapsed().as_secs_f64()
    };
    (0..RUNS).map(once).fold(f64::INFINITY, f64::min)
}
