//! What stands between a walker and the matchers: files go out in batches, matches come back.

use super::hits::Hits;
use super::{Job, Queue};
use crate::content::{Batch, Packer};
use crate::detect::Match;
use crate::digest::ContentHasher;
use crate::layer_scan::{Coverage, Place};
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
}

impl Feed {
    /// A feed of this queue.
    pub fn new(queue: &Queue) -> Feed {
        let (found, results) = unbounded::<Found>();
        let hits = Rc::new(RefCell::new(Hits::default()));
        let (queue, answers, gathered) = (queue.clone(), results.clone(), hits.clone());
        let swap = move |batch: Batch| {
            // The queue ends only with the scan; a closed one means that a matcher panicked, and that ends the scan.
            let _ = queue.jobs.send(Job { batch, found: found.clone() });
            gather(&gathered, answers.try_iter());
            queue.empty.try_recv().unwrap_or_default()
        };
        Feed { packer: Packer::new(Box::new(swap)), hits, results }
    }

    /// Sends a text that is no file.
    pub fn text(&mut self, entry: u32, place: Place, path: &[u8], text: &[u8]) {
        let mut unused = ContentHasher::default();
        // Reading memory does not fail.
        let _ = self.packer.file(entry, place, path, text.len() as u64, &mut &text[..], &mut unused);
    }

    /// Waits for the last match.
    pub fn finish(mut self) -> Fed {
        self.packer.flush();
        let (bytes_scanned, (nested, nested_bytes)) = (self.packer.scanned, self.packer.nested);
        drop(self.packer);
        gather(&self.hits, self.results.into_iter());
        Fed { hits: self.hits.take(), coverage: Coverage { bytes_scanned, nested, nested_bytes, ..Coverage::default() } }
    }
}

/// What a feed has gathered.
pub struct Fed {
    /// The matches.
    pub hits: Hits,
    /// What was searched.
    pub coverage: Coverage,
}

fn gather(hits: &RefCell<Hits>, batches: impl Iterator<Item = Found>) {
    let mut hits = hits.borrow_mut();
    batches.flatten().for_each(|(entry, place, found)| hits.add(entry, place, found));
}
