//! What stands between a walker and the matchers: files go out in batches, matches come back.

use super::history::History;
use super::hits::Hits;
use super::take::SharedTaker;
use super::{Job, Queue, locked};
use crate::content::{Batch, Found, Packer};
use crate::digest::{ContentHasher, FileDigests};
use crate::error::Problems;
use crate::layer::tar::Header;
use crate::layer_scan::{Coverage, Place};
use crate::limits::Limits;
use crate::packages::Packages;
use crossbeam_channel::{Receiver, unbounded};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, Read};
use std::rc::Rc;

/// What came back from the matchers.
#[derive(Default)]
struct Gathered {
    hits: Hits,
    digests: HashMap<u32, FileDigests>,
}

/// Where files go.
enum Output {
    /// To the matchers.
    Matchers(Packer<Box<dyn FnMut(Batch) -> Batch>>),
    /// To whoever wants some of them.
    Taker(SharedTaker),
}

/// Sends off the files of one layer, and gathers their matches.
pub struct Feed {
    output: Output,
    /// The member of the archive whose entries are fed; none where they are the members themselves.
    of: Option<u32>,
    gathered: Rc<RefCell<Gathered>>,
    results: Receiver<Found>,
    queue: Queue,
    /// What is wrong with archives in files.
    pub problems: Problems,
    /// What package managers say of files.
    pub packages: Packages,
    /// Compose files that mount an engine's socket, by entry.
    pub sockets: Vec<u32>,
    /// Commits and trees of git that came by.
    pub history: History,
    /// What files that are packed have unpacked to, in bytes.
    pub unpacked: u64,
    /// Archives, or members of them, that were searched only as they are stored.
    pub not_unpacked: u64,
}

impl Feed {
    /// A feed of this queue, for the entries of the blob that is the member `of`.
    pub fn new(queue: &Queue, of: Option<u32>) -> Feed {
        let (found, results) = unbounded::<Found>();
        let gathered = Rc::new(RefCell::new(Gathered::default()));
        let (jobs, empty, answers, gathering) = (queue.jobs.clone(), queue.empty.clone(), results.clone(), gathered.clone());
        let swap = move |batch: Batch| {
            // The queue ends only with the scan; a closed one means that a matcher panicked, and that ends the scan.
            let _ = jobs.send(Job { batch, found: found.clone() });
            gather(&gathering, answers.try_iter());
            empty.try_recv().unwrap_or_default()
        };
        let output = match &queue.taker {
            Some(taker) => Output::Taker(taker.clone()),
            None => Output::Matchers(Packer::new(queue.clean.clone(), Box::new(swap))),
        };
        let (problems, packages, history) = (Problems::default(), Packages::default(), History::default());
        let sockets = Vec::new();
        Feed { output, of, gathered, results, queue: queue.clone(), problems, packages, sockets, history, unpacked: 0, not_unpacked: 0 }
    }

    /// How far to go.
    pub fn limits(&self) -> &Limits {
        &self.queue.limits
    }

    /// The scan is to end.
    pub fn is_stopped(&self) -> bool {
        self.queue.stopped()
    }

    /// Keeps the digests of a file, for the case that something is found in it.
    pub fn digests(&mut self, entry: u32, digests: Option<FileDigests>) {
        self.gathered.borrow_mut().digests.extend(digests.map(|digests| (entry, digests)));
    }

    /// An entry begins.
    pub fn begin(&mut self, entry: u32, header: &Header) {
        if let Output::Taker(taker) = &self.output {
            locked(taker).begin((self.of, entry), header);
        }
    }

    /// If nobody wants what is in a file, or somebody wants all of it as it is stored, it need not be opened: then this has been done.
    pub fn settled(&mut self, entry: u32, reader: &mut dyn Read) -> Option<io::Result<()>> {
        let Output::Taker(taker) = &self.output else { return None };
        locked(taker).whole((self.of, entry), reader)
    }

    /// Sends what `reader` gives: see [`Packer::file`].
    pub fn send(
        &mut self,
        entry: u32,
        place: Place,
        path: &[u8],
        size: u64,
        reader: &mut dyn Read,
        hasher: Option<&mut ContentHasher>,
    ) -> io::Result<()> {
        match &mut self.output {
            Output::Matchers(packer) => packer.file(entry, place, path, size, reader, hasher),
            Output::Taker(taker) => locked(taker).part((self.of, entry), &place, reader),
        }
    }

    /// Sends a text that is no file.
    pub fn text(&mut self, entry: u32, place: Place, path: &[u8], text: &[u8]) {
        // Reading memory does not fail.
        let _ = self.send(entry, place, path, text.len() as u64, &mut &text[..], None);
    }

    /// Waits for the last match.
    pub fn finish(mut self) -> Fed {
        let bytes_scanned = match &mut self.output {
            Output::Matchers(packer) => {
                packer.flush();
                packer.scanned
            }
            Output::Taker(taker) => {
                locked(taker).end(self.of);
                0
            }
        };
        let coverage = Coverage { bytes_scanned, not_unpacked: self.not_unpacked, ..Coverage::default() };
        drop(self.output);
        gather(&self.gathered, self.results.into_iter());
        let Gathered { hits, digests } = self.gathered.take();
        let Feed { problems, packages, sockets, history, .. } = self;
        Fed { hits, digests, packages, sockets, history, coverage, problems }
    }
}

/// What a feed has gathered.
pub struct Fed {
    /// The matches.
    pub hits: Hits,
    /// Digests of files: of all in which something was found, and of some others.
    pub digests: HashMap<u32, FileDigests>,
    /// What package managers say of files.
    pub packages: Packages,
    /// Compose files that mount an engine's socket, by entry.
    pub sockets: Vec<u32>,
    /// Commits and trees of git.
    pub history: History,
    /// What was searched.
    pub coverage: Coverage,
    /// What could not be searched as what it is.
    pub problems: Problems,
}

fn gather(gathered: &RefCell<Gathered>, batches: impl Iterator<Item = Found>) {
    let mut gathered = gathered.borrow_mut();
    for found in batches {
        gathered.digests.extend(found.digests);
        found.matches.into_iter().for_each(|(entry, place, found)| gathered.hits.add(entry, place, found));
    }
}
