//! Running a scan. **Threads live here and nowhere else.**
//!
//! Walkers read blobs (as many at once as the source can open) and pack what they read into batches; matchers search batches. The
//! queue between them and the pool of buffers are bounded, so memory does not grow with the image. Results are sorted at the end.

mod again;
mod blob;
mod document;
mod feed;
mod history;
mod hits;
mod known;
mod nested;
mod pump;
mod take;
mod tally;
mod unpack;
mod walk;

use crate::archive::{Archive, Blob, Content, Omissions};
use crate::content::{Batch, Clean, Found};
use crate::detect::Detector;
use crate::digest::ContentHash;
use crate::error::{Code, Error, Problem};
use crate::layer::change::{ChangeKind, FileType};
use crate::layer::compression::Compression;
use crate::layer::path::clean;
use crate::layer::tar::{Header, Skip, Streamed, Tail, TarReader};
use crate::limits::Limits;
use crate::rules::Confidence;
use crate::source::{Members, Only, Source, Stream, unmarked};
use crate::text::lossy;
use blob::{Member, Walker};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use feed::Fed;
use known::Claim;
use pump::Pump;
use std::collections::HashSet;
use std::io::{self, Cursor, Read};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use take::SharedTaker;
use unpack::{Count, Stop, Unpacking, failure, stop_in, unpack};
use walk::{LayerWalk, has_content};

pub use known::Known;
pub use take::{Open, Part, Take, Wanted, take};

/// [`Progress::stop`]: somebody asked for the end.
pub const INTERRUPTED: usize = 1;
/// [`Progress::stop`]: time ran out.
pub const TIMED_OUT: usize = 2;

/// How far a scan is; another thread may read it, and may end it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Stored bytes that were read.
    pub bytes: AtomicU64,
    /// Stored bytes in all, where that is known; else 0.
    pub total: AtomicU64,
    /// Layers that were finished.
    pub layers: AtomicU64,
    /// Anything but 0 ends the scan soon; what was found so far is returned.
    pub stop: Arc<AtomicUsize>,
}

impl Progress {
    fn finished(&self, blob: &Blob) {
        if matches!(&blob.content, Content::Layer(layer) if layer.tar) {
            self.layers.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A layer that did not have to be scanned counts as if it had been.
    fn known(&self, blob: Blob) -> Blob {
        self.bytes.fetch_add(blob.stored_size, Ordering::Relaxed);
        self.finished(&blob);
        blob
    }
}

/// A batch on its way to a matcher, and where the matches go.
struct Job {
    batch: Batch,
    found: Sender<Found>,
}

/// What walkers share: the queue to the matchers, and batches that can be used again. The queue is what bounds memory: a batch in
/// the hands of each walk, one in each matcher's, and a full queue.
#[derive(Clone)]
struct Queue {
    jobs: Sender<Job>,
    empty: Receiver<Batch>,
    limits: Limits,
    /// JSON that was read as documents, in bytes: they are kept to the end.
    documents: Arc<AtomicU64>,
    stop: Arc<AtomicUsize>,
    /// The source can be read again.
    again: bool,
    work: Work,
    /// Files in which nothing was found.
    clean: Arc<Clean>,
    /// Somebody wants the bytes of some entries; nothing is searched.
    taker: Option<SharedTaker>,
}

impl Queue {
    /// All documents of an archive together, in bytes. An ordinary image has a few dozen kB.
    fn most_documents(&self) -> u64 {
        2 * self.limits.json
    }

    /// Whether a document may be kept. Each of its values takes many times its text: `[0,0,…` is counted by its commas.
    fn allows_document(&self, text: &[u8]) -> bool {
        const VALUE: u64 = 64;
        let values = memchr::memchr3_iter(b',', b'[', b'{', text).count() as u64;
        let size = text.len() as u64 + VALUE * values;
        self.documents.fetch_add(size, Ordering::Relaxed) + size <= self.most_documents()
    }

    /// Whether a member has to be read.
    fn wants(&self, member: u32) -> bool {
        self.taker.as_ref().is_none_or(|taker| locked(taker).wants(member))
    }

    /// Waits until no other scan is at this layer: of what is near no more than the size is known before it is read.
    fn claim(&self, path: &[u8], size: u64) -> Option<Claim<'_>> {
        let known = self.work.known.as_ref().filter(|_| size > SMALL)?;
        known.claim(if self.again { b"" } else { path }, size, || self.stopped())
    }

    /// A layer that another scan has read.
    fn known(&self, path: &[u8], size: u64, entry: u32) -> Option<Blob> {
        self.work.known.as_ref()?.get(path, size, entry)
    }

    /// Keeps a layer for other scans.
    fn remember(&self, path: &[u8], size: u64, blob: &Blob) {
        match &self.work.known {
            Some(known) if self.again => known.insert_near(size, blob),
            Some(known) => known.insert(path, size, blob),
            None => {}
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) != 0
    }
}

/// How a scan goes about its work.
#[derive(Debug, Clone)]
pub struct Work {
    /// Matchers, at least 1. With more than one, large blobs are hashed and unpacked on threads of their own, too.
    pub threads: usize,
    /// Whether digests are computed and compared. Without, large blobs are taken for what an OCI layout calls them.
    pub verify: bool,
    /// Hints in programs that are less sure than this are not looked up in lists of packages, where that would need reading again.
    pub least: Confidence,
    /// Layers that other scans have read, with the same rules and limits. They are not read again where names stand for contents, and
    /// digests are verified.
    pub known: Option<Arc<Known>>,
}

impl Default for Work {
    /// One matcher; everything is verified, everything looked up.
    fn default() -> Work {
        Work { threads: 1, verify: true, least: Confidence::Low, known: None }
    }
}

/// Scans every blob of `source`. Fails only if nothing could be read.
pub fn scan(source: Source, detector: &Detector, limits: &Limits, work: Work, progress: &Progress) -> Result<Archive, Error> {
    let threads = work.threads.max(1);
    std::thread::scope(|scope| {
        let (jobs, waiting) = bounded::<Job>(threads);
        let (give_back, empty) = unbounded();
        let contents: Arc<Clean> = Arc::default();
        for _ in 0..threads {
            let (waiting, give_back, clean) = (waiting.clone(), give_back.clone(), contents.clone());
            scope.spawn(move || matcher(detector, &clean, &waiting, &give_back));
        }
        let queue = Queue {
            jobs,
            empty,
            limits: *limits,
            documents: Arc::default(),
            stop: progress.stop.clone(),
            again: source.is_near(),
            work: Work { threads, known: work.known.filter(|_| work.verify && source.can_share_layers()), ..work },
            clean: contents.clone(),
            taker: None,
        };
        match source {
            Source::Members(members) => Ok(all_members(members, &queue, progress)),
            Source::Stream(source) => stream(source, &queue, progress),
        }
    })
}

fn matcher(detector: &Detector, clean: &Clean, work: &Receiver<Job>, give_back: &Sender<Batch>) {
    for mut job in work {
        let mut found = job.batch.search(detector);
        clean.extend(std::mem::take(&mut found.clean));
        if !found.matches.is_empty() {
            let _ = job.found.send(found);
        }
        drop(job.found);
        job.batch.clear();
        let _ = give_back.send(job.batch);
    }
}

/// An archive that is packed as a whole may unpack to so many times what one layer may.
const LAYERS_OF_AN_ARCHIVE: u64 = 16;

/// Blobs up to this size may be documents: they are walked first, so that these are there when a scan is stopped, and always verified. In
/// bytes.
const SMALL: u64 = 64 << 10;

/// A member that has content: its entry, and where it is.
type Task = (u32, Header);

/// Members in any order: several walkers, the small blobs first, then the largest.
fn all_members(mut members: Members, queue: &Queue, progress: &Progress) -> Archive {
    let threads = queue.work.threads;
    let mut walk = LayerWalk::new(queue, None);
    walk.problems.append(std::mem::take(&mut members.problems));
    let mut tasks: Vec<Task> = Vec::new();
    for header in std::mem::take(&mut members.list) {
        let (entry, change) = match walk.begin(&header) {
            Ok(begun) => begun,
            Err(e) => {
                walk.unreadable(&e, header.offset);
                break;
            }
        };
        if has_content(&header, &change) {
            tasks.push((entry, header));
        }
    }
    if let Some(header) = members.tail.take() {
        tasks.extend(walk.nothing(&header.path, header.offset, header.size).map(|entry| (entry, *header)));
    }
    progress.total.store(tasks.iter().map(|(_, header)| header.size).sum(), Ordering::Relaxed);
    tasks.sort_by_key(|(entry, header)| (header.size > SMALL, std::cmp::Reverse(header.size), *entry));
    let next = AtomicUsize::new(0);
    let (blobs, hashes, fed) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let (tasks, members) = (&tasks, &members);
    let scan = &walk.scan;
    std::thread::scope(|scope| {
        for _ in 0..threads.min(tasks.len()) {
            scope.spawn(|| {
                let mut walker = Walker::new(queue);
                while let Some((entry, header)) = tasks.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !queue.stopped()) {
                    let regular = scan.entry(*entry).kind == ChangeKind::Put(FileType::Regular);
                    let member = Member { entry: *entry, path: scan.path(*entry), size: header.size, regular };
                    let _claim = queue.claim(member.path, header.size);
                    let known = match queue.again {
                        true => known_near(queue, members, member, header),
                        false => queue.known(member.path, header.size, *entry),
                    };
                    let (blob, hash) = match known {
                        Some(blob) => (progress.known(blob), None),
                        None => one_member(&mut walker, members, member, header, progress),
                    };
                    queue.remember(member.path, header.size, &blob);
                    locked(&hashes).extend(hash.map(|hash| (*entry, hash)));
                    locked(&blobs).push(blob);
                }
                let own = walker.finish();
                locked(&fed).push(own);
            });
        }
    });
    for (entry, hash) in locked(&hashes).drain(..) {
        walk.scan.set_content(entry, hash);
    }
    let (blobs, fed) = (std::mem::take(&mut *locked(&blobs)), std::mem::take(&mut *locked(&fed)));
    let mut archive = finish(walk, fed, blobs, queue);
    archive.file_system = members.file_system;
    again::digests(&mut archive, members, tasks, queue);
    archive
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

fn one_member(walker: &mut Walker, members: &Members, member: Member, header: &Header, progress: &Progress) -> (Blob, Option<ContentHash>) {
    let (reader, failed): (Box<dyn Read + Send>, _) = match members.open(header) {
        Ok(reader) => (reader, None),
        Err(e) => (Box::new(io::empty()), Some(Problem::new(Code::ReadFailed, format!("a blob cannot be opened: {e}")))),
    };
    let (mut blob, hash) = walker.blob(member, Counted { inner: reader, progress });
    progress.finished(&blob);
    blob.problems.extend(failed);
    (blob, hash)
}

/// A layer that another scan has read, by its bytes: what it is called in a file proves nothing.
fn known_near(queue: &Queue, members: &Members, member: Member, header: &Header) -> Option<Blob> {
    let known = queue.work.known.as_ref().filter(|known| header.size > SMALL && known.has_size(header.size))?;
    // What is read here counts once it turns out to be known.
    let uncounted = Progress { stop: queue.stop.clone(), ..Progress::default() };
    known.get_near(Counted { inner: members.open(header).ok()?, progress: &uncounted }, header.size, member.entry)
}

/// A tar that can be read once: one walker.
fn stream(source: Stream, queue: &Queue, progress: &Progress) -> Result<Archive, Error> {
    let Stream { target, reader, problems, only, .. } = source;
    let mut came: HashSet<String> = HashSet::new();
    let counted = Counted { inner: Pump::detached(reader, queue.stop.clone()), progress };
    let count: Count = Arc::new(|| progress.bytes.load(Ordering::Relaxed));
    // An archive holds many layers: it may unpack to more than one of them.
    let limits = Limits { layer_size: queue.limits.layer_size.saturating_mul(LAYERS_OF_AN_ARCHIVE), ..queue.limits };
    let unpacking = unpack(counted, &count, &limits, &queue.stop);
    if !queue.stopped() {
        not_an_image(&target, &unpacking)?;
    }
    let reader = Cursor::new(unpacking.start).chain(unpacking.reader);
    let mut tar = TarReader::new(Streamed(io::BufReader::with_capacity(1 << 16, reader)));
    let (mut walk, mut walker, mut blobs) = (LayerWalk::new(queue, None), Walker::new(queue), Vec::new());
    walk.problems.append(problems);
    let end: io::Result<()> = loop {
        let step = match tar.next_entry() {
            Ok(None) => break Ok(()),
            Ok(Some(header)) if only.as_ref().is_some_and(|only| !is_wanted(only, &header.path, &mut came)) => continue,
            Ok(Some(header)) => walk.begin(&header).map(|(entry, change)| (header, entry, change)),
            Err(e) => Err(e),
        };
        match step {
            Err(e) => break Err(e),
            Ok((header, entry, change)) if has_content(&header, &change) => {
                let regular = change.kind == ChangeKind::Put(FileType::Regular);
                let member = Member { entry, path: &change.path, size: header.size, regular };
                let _claim = queue.claim(&change.path, header.size);
                let known = queue.known(&change.path, header.size, entry);
                let (blob, hash) = known.map_or_else(|| walker.blob(member, &mut tar), |blob| (blob, None));
                queue.remember(&change.path, header.size, &blob);
                progress.finished(&blob);
                if let Some(hash) = hash {
                    walk.scan.set_content(entry, hash);
                }
                blobs.push(blob);
            }
            Ok(_) => {}
        }
    };
    if let (Err(e), true) = (&end, blobs.is_empty() && walk.scan.is_empty() && !queue.stopped()) {
        return Err(Error::Read { target, source: io::Error::new(e.kind(), e.to_string()) });
    }
    walk.problems.append(tar.take_problems());
    let aside = tar.take_aside();
    walk.aside_of_last(&aside);
    match end {
        Err(e) => {
            walk.problems.extend(failure(&e, &format!("at byte {} of the archive", tar.offset())));
            if matches!(stop_in(&e), Some(Stop::Limit(_))) {
                rest(&mut walk, &mut walker, &mut tar, &mut blobs);
            }
        }
        Ok(()) => {
            walk.problems.extend(unmarked(&tar));
            walk.problems.extend(only.iter().flat_map(|only| missed(only, &came)));
            rest(&mut walk, &mut walker, &mut tar, &mut blobs);
        }
    }
    drop(tar);
    walk.beside(&unpacking.beside.take());
    let mut archive = finish(walk, vec![walker.finish()], blobs, queue);
    archive.packing = unpacking.packing;
    archive.file_system = only.is_some();
    Ok(archive)
}

/// Whether a member is one of those that are wanted; then it has come.
fn is_wanted(only: &Only, path: &[u8], came: &mut HashSet<String>) -> bool {
    let name = lossy(&clean(path).0, char::REPLACEMENT_CHARACTER);
    let is_wanted = only.paths.contains(&name);
    if is_wanted {
        came.insert(name);
    }
    is_wanted
}

/// What was wanted, is there, and did not come. Nobody can be asked about a name that is not known exactly.
fn missed(only: &Only, came: &HashSet<String>) -> Option<Problem> {
    let is_there = |path: &&String| path.contains(char::REPLACEMENT_CHARACTER) || (only.is_there)(path);
    let mut paths: Vec<&String> = only.paths.iter().filter(|path| !came.contains(*path)).filter(is_there).collect();
    paths.sort();
    let first = paths.first()?;
    Some(Problem::at(Code::ReadFailed, first.as_bytes(), format!("{} that changed did not come with the others", paths.len())))
}

/// Why a stream cannot be an archive.
fn not_an_image(target: &str, unpacking: &Unpacking) -> Result<(), Error> {
    let why = match unpacking.packing.last() {
        _ if unpacking.start.is_empty() && unpacking.packing.is_empty() => {
            "the input is empty: did the command in front of the pipe fail? (`docker save` writes nothing for an image without layers)"
                .to_owned()
        }
        Some(Compression::Unsupported(name)) => {
            format!("the archive is compressed with {name}, which is not supported: decompress it first")
        }
        Some(_) if unpacking.too_deep => "the archive is packed too often (--max-nesting)".to_owned(),
        _ => return Ok(()),
    };
    Err(Error::NotAnImage { target: target.to_owned(), why })
}

/// What stands behind the end of a streamed archive, as a blob of its own, if it is more than zeros.
fn rest<R: Skip + Send>(walk: &mut LayerWalk, walker: &mut Walker, tar: &mut TarReader<R>, blobs: &mut Vec<Blob>) {
    match Tail::behind_zeros(tar) {
        Ok(None) => {}
        Ok(Some((start, offset))) => {
            walk.problems.push(Problem::new(Code::TrailingData, "bytes stand behind the archive's end"));
            if let Some(entry) = walk.nothing(b"#trailing", offset, 0) {
                let member = Member { entry, path: b"", size: u64::MAX, regular: false };
                blobs.push(walker.blob(member, Cursor::new(start).chain(Tail(tar))).0);
            }
        }
        Err(e) => walk.problems.extend(failure(&e, "behind the archive's end")),
    }
}

/// Puts the archive together.
fn finish(mut walk: LayerWalk, fed: Vec<Fed>, blobs: Vec<Blob>, queue: &Queue) -> Archive {
    let interrupted = match queue.stop.load(Ordering::Relaxed) {
        0 => None,
        TIMED_OUT => Some("time ran out (--timeout): what was found so far is reported"),
        _ => Some("by a signal: what was found so far is reported"),
    };
    if !queue.work.verify {
        let message = "digests were not verified (--no-verify): blobs are taken for what the archive calls them";
        walk.problems.push(Problem::new(Code::NotVerified, message));
    }
    walk.problems.extend(interrupted.map(|message| Problem::new(Code::Interrupted, message)));
    let mut members = walk.finish(fed);
    let problems = std::mem::take(&mut members.problems);
    let too_much_json = queue.documents.load(Ordering::Relaxed) > queue.most_documents();
    Archive::new(members, blobs, problems, Omissions { interrupted: interrupted.is_some(), too_much_json })
}

/// Counts what is read, and ends it when the scan is to end.
struct Counted<'a, R> {
    inner: R,
    progress: &'a Progress,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.progress.stop.load(Ordering::Relaxed) != 0 {
            return Err(Stop::Interrupted.into());
        }
        match self.inner.read(buf) {
            Ok(n) => {
                self.progress.bytes.fetch_add(n as u64, Ordering::Relaxed);
                Ok(n)
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted || stop_in(&e).is_some() => Err(e),
            Err(e) => Err(Stop::Source(e.to_string()).into()),
        }
    }
}
