//! What stands between a walker and the matchers: files go out in batches, matches come back.

use super::hits::Hits;
use super::{Job, Queue};
use crate::content::{Batch, Packer};
use crate::detect::Match;
use crate::error::Problems;
use crate::layer_scan::{Coverage, Place};
use crate::limits::Limits;
use crossbeam_channel::{Receiver, unbounded};
use std::cell::RefCell;
use std::rc::Rc;

/// Matches of a batch: entry, place in it, match.
pub type Found = Vec<(u32, Place, Match)>;

/// Packs the files of one layer and gathers their matches.
pub struct Feed {
    /// What is packed here is searched.
    pub packer: Packer<Box<dyn FnMut(Batch) -> Batch>>,
    hits: Rc<RefCell<Hits>>,
    results: Receiver<Found>,
    queue: Queue,
    /// What is wrong with archives in files.
    pub problems: Problems,
    /// What files that are packed have unpacked to, in bytes.
    pub unpacked: u64,
    /// Archives, or members of them, that were searched only as they are stored.
    pub not_unpacked: u64,
}

impl Feed {
    /// A feed of this queue.
    pub fn new(queue: &Queue) -> Feed {
        let (found, results) = unbounded::<Found>();
        let hits = Rc::new(RefCell::new(Hits::default()));
        let (jobs, empty, answers, gathered) = (queue.jobs.clone(), queue.empty.clone(), results.clone(), hits.clone());
        let swap = move |batch: Batch| {
            // The queue ends only with the scan; a closed one means that a matcher panicked, and that ends the scan.
            let _ = jobs.send(Job { batch, found: found.clone() });
            gather(&gathered, answers.try_iter());
            empty.try_recv().unwrap_or_default()
        };
        let packer: Packer<Box<dyn FnMut(Batch) -> Batch>> = Packer::new(Box::new(swap));
        Feed { packer, hits, results, queue: queue.clone(), problems: Problems::default(), unpacked: 0, not_unpacked: 0 }
    }

    /// How far to go.
    pub fn limits(&self) -> &Limits {
        &self.queue.limits
    }

    /// The scan is to end.
    pub fn is_stopped(&self) -> bool {
        self.queue.stopped()
    }

    /// Sends a text that is no file.
    pub fn text(&mut self, entry: u32, place: Place, path: &[u8], text: &[u8]) {
        // Reading memory does not fail.
        let _ = self.packer.file(entry, place, path, text.len() as u64, &mut &text[..], None);
    }

    /// Waits for the last match.
    pub fn finish(mut self) -> Fed {
        self.packer.flush();
        let coverage = Coverage { bytes_scanned: self.packer.scanned, not_unpacked: self.not_unpacked, ..Coverage::default() };
        drop(self.packer);
        gather(&self.hits, self.results.into_iter());
        Fed { hits: self.hits.take(), coverage, problems: self.problems }
    }
}

/// What a feed has gathered.
pub struct Fed {
    /// The matches.
    pub hits: Hits,
    /// What was searched.
    pub coverage: Coverage,
    /// What could not be searched as what it is.
    pub problems: Problems,
}

fn gather(hits: &RefCell<Hits>, batches: impl Iterator<Item = Found>) {
    let mut hits = hits.borrow_mut();
    batches.flatten().for_each(|(entry, place, found)| hits.add(entry, place, found));
}
