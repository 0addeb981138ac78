//! Running a scan. **Threads live here and nowhere else.**
//!
//! Walkers read blobs (as many at once as the source can open) and pack what they read into batches; matchers search batches. The
//! queue between them and the pool of buffers are bounded, so memory does not grow with the image. Results are sorted at the end.

mod document;
mod hits;
mod walk;

use crate::archive::{Archive, Blob, Content, Link};
use crate::content::Batch;
use crate::detect::{Detector, Match};
use crate::error::{Code, Error, Problem};
use crate::layer::change::clean;
use crate::layer::tar::{Kind, Streamed, TarReader};
use crate::layer_scan::Place;
use crate::source::{Member, MemberKind, Members, Source, unmarked};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use walk::Walker;

/// How far a scan is; another thread may read it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Stored bytes that were read.
    pub bytes: AtomicU64,
    /// Stored bytes in all, where that is known; else 0.
    pub total: AtomicU64,
    /// Layers that were finished.
    pub layers: AtomicU64,
}

impl Progress {
    fn finished(&self, blob: &Blob) {
        if matches!(blob.content, Content::Layer { tar: true, .. }) {
            self.layers.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A batch on its way to a matcher, and where the matches go.
struct Job {
    batch: Batch,
    found: Sender<Vec<(u32, Place, Match)>>,
}

/// What walkers share: the queue to the matchers, and batches that can be used again. The queue is what bounds memory: one batch in
/// each walker's hands, one in each matcher's, and a full queue.
#[derive(Clone)]
struct Queue {
    jobs: Sender<Job>,
    empty: Receiver<Batch>,
    /// JSON that was read as documents, in bytes: they are kept to the end.
    documents: Arc<AtomicU64>,
}

/// All documents of an archive together, in bytes. An ordinary image has a few dozen kB.
const MAX_DOCUMENTS: u64 = 32 << 20;

impl Queue {
    /// Whether a document of `size` bytes may be kept.
    fn allows_document(&self, size: u64) -> bool {
        self.documents.fetch_add(size, Ordering::Relaxed) + size <= MAX_DOCUMENTS
    }
}

/// Scans every blob of `source` with `threads` matchers (at least 1). Fails only if nothing could be read.
pub fn scan(source: Source, detector: &Detector, threads: usize, progress: &Progress) -> Result<Archive, Error> {
    let threads = threads.max(1);
    std::thread::scope(|scope| {
        let (jobs, work) = bounded::<Job>(threads);
        let (give_back, empty) = unbounded();
        for _ in 0..threads {
            let (work, give_back) = (work.clone(), give_back.clone());
            scope.spawn(move || matcher(detector, &work, &give_back));
        }
        let queue = Queue { jobs, empty, documents: Arc::default() };
        match source {
            Source::Members(members) => Ok(all_members(&members, threads, &queue, progress)),
            Source::Stream(reader) => stream(reader, &queue, progress),
        }
    })
}

fn matcher(detector: &Detector, work: &Receiver<Job>, give_back: &Sender<Batch>) {
    for mut job in work {
        let found = job.batch.search(detector);
        if !found.is_empty() {
            let _ = job.found.send(found);
        }
        drop(job.found);
        job.batch.clear();
        let _ = give_back.send(job.batch);
    }
}

/// Members in any order: several walkers, the largest blob first.
fn all_members(members: &Members, threads: usize, queue: &Queue, progress: &Progress) -> Archive {
    let mut order: Vec<(usize, u64, u64)> = Vec::new();
    let mut links = Vec::new();
    for (index, member) in members.list.iter().enumerate() {
        match &member.kind {
            MemberKind::Blob { offset, size } => order.push((index, *offset, *size)),
            MemberKind::Symlink(target) => links.push((member.name.clone(), Link::Symbolic(target.clone()))),
            MemberKind::HardLink(target) => links.push((member.name.clone(), Link::Hard(target.clone()))),
        }
    }
    progress.total.store(order.iter().map(|(_, _, size)| size).sum(), Ordering::Relaxed);
    order.sort_by_key(|(index, _, size)| (std::cmp::Reverse(*size), *index));
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..threads.min(order.len()) {
            scope.spawn(|| {
                let mut walker = Walker::new(queue.clone());
                while let Some((index, offset, size)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let blob = one_member(&mut walker, members, &members.list[*index], (*offset, *size), progress);
                    done.lock().unwrap_or_else(|e| e.into_inner()).push((*index, blob));
                }
            });
        }
    });
    let mut blobs = done.into_inner().unwrap_or_else(|e| e.into_inner());
    blobs.sort_by_key(|(index, _)| *index);
    Archive::new(blobs.into_iter().map(|(_, blob)| blob).collect(), links, members.problems.clone())
}

fn one_member(walker: &mut Walker, members: &Members, member: &Member, (offset, size): (u64, u64), progress: &Progress) -> Blob {
    let (reader, failed): (Box<dyn Read>, _) = match members.open(member) {
        Ok(reader) => (reader, None),
        Err(e) => (Box::new(io::empty()), Some(Problem::new(Code::ReadFailed, format!("a blob cannot be opened: {e}")))),
    };
    let mut blob = walker.blob(&member.name, size, Counted { inner: reader, progress });
    progress.finished(&blob);
    blob.offset = Some(offset);
    blob.problems.extend(failed);
    blob
}

/// A tar that can be read once: one walker.
fn stream(reader: Box<dyn Read + Send>, queue: &Queue, progress: &Progress) -> Result<Archive, Error> {
    let counted = Counted { inner: reader, progress };
    let mut tar = TarReader::new(Streamed(io::BufReader::with_capacity(1 << 16, counted)));
    let mut walker = Walker::new(queue.clone());
    let (mut blobs, mut links, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let header = match tar.next_entry() {
            Ok(Some(header)) => header,
            Ok(None) => break,
            Err(e) => {
                problems.push(Problem::new(Code::ReadFailed, format!("the archive could not be read to its end: {e}")));
                break;
            }
        };
        let name = clean(&header.path).0;
        match header.kind {
            Kind::Regular | Kind::HardLink if header.kind == Kind::Regular || header.size > 0 => {
                let mut blob = walker.blob(&name, header.size, &mut tar);
                blob.offset = Some(header.offset);
                progress.finished(&blob);
                blobs.push(blob);
            }
            Kind::Symlink => links.push((name, Link::Symbolic(header.link))),
            Kind::HardLink => links.push((name, Link::Hard(header.link))),
            _ => {}
        }
    }
    problems.extend(tar.take_problems());
    problems.extend(unmarked(&tar));
    match walker.tail(&mut tar) {
        Ok(None) => {}
        Ok(Some(tail)) => {
            problems.push(Problem::new(Code::TrailingData, "bytes stand behind the archive's end"));
            blobs.push(tail);
        }
        Err(e) => problems.push(Problem::new(Code::ReadFailed, format!("the archive could not be read to its end: {e}"))),
    }
    Ok(Archive::new(blobs, links, problems))
}

/// Counts what is read.
struct Counted<'a, R> {
    inner: R,
    progress: &'a Progress,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.progress.bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}
