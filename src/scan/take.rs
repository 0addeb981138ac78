//! Reading an archive once more, for the bytes of some of its entries. The walk is the one of a scan, with a taker in place of the
//! matchers: whatever a scan looks into can be taken out, wherever it stands.

use super::{Progress, Queue, Work, all_members, locked, stream};
use crate::archive::Archive;
use crate::error::Error;
use crate::layer::tar::Header;
use crate::layer_scan::Place;
use crate::limits::Limits;
use crate::source::Source;
use crossbeam_channel::{bounded, unbounded};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Something to be taken out of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The blob whose entry it is; none for a member of the archive.
    pub blob: Option<usize>,
    /// The entry, of a hard link the file's; or [`Wanted::WHOLE`].
    pub entry: u32,
    /// What of it.
    pub place: Place,
}

impl Wanted {
    /// In place of an entry: all of the blob, unpacked.
    pub const WHOLE: u32 = u32::MAX;
}

/// One of those that are wanted, as it is read.
pub struct Part<'a> {
    /// Which one.
    pub index: usize,
    /// The header in front of it; none where there is none (a layout in a directory, bytes that are no entry).
    pub header: Option<&'a Header>,
    /// Its bytes.
    pub content: &'a mut dyn Read,
}

/// Takes the parts, in whatever order they come. An error ends the reading.
pub type Take = Box<dyn FnMut(Part) -> io::Result<()> + Send>;

/// An entry, and the member of the archive whose entry it is.
type Key = (Option<u32>, u32);

/// Who gets what is wanted.
pub struct Taker {
    wanted: HashMap<Key, Vec<(Place, usize)>>,
    /// By index, the member in which it stands.
    member_of: Vec<u32>,
    /// Those that have to be read.
    members: HashSet<u32>,
    /// Wanted and not taken yet.
    left: HashSet<usize>,
    /// The header of the entry that is read.
    header: Option<(Key, Header)>,
    /// Parts of headers that nobody reads: an entry may have several.
    aside: BTreeMap<usize, Vec<u8>>,
    to: Take,
    failed: Option<io::Error>,
    /// Ends the walk once there is nothing left to take.
    stop: Arc<AtomicUsize>,
}

/// The walk ended because there was nothing left to take.
const DONE: usize = 3;

/// Opens what is read, again and again.
pub type Open<'a> = &'a dyn Fn() -> Result<Source, Error>;

/// Walkers share it.
pub type SharedTaker = Arc<Mutex<Taker>>;

impl Taker {
    /// Whether something in this member is wanted.
    pub fn wants(&self, member: u32) -> bool {
        self.members.contains(&member)
    }

    /// A member as it is stored: true if it was wanted, and is taken.
    pub fn stored(&mut self, member: u32, reader: &mut dyn Read) -> bool {
        self.all_of((None, member), reader)
    }

    /// All of a blob, unpacked: true if it was wanted, and is taken.
    pub fn blob(&mut self, member: u32, reader: &mut dyn Read) -> bool {
        self.all_of((Some(member), Wanted::WHOLE), reader)
    }

    fn all_of(&mut self, at: Key, reader: &mut dyn Read) -> bool {
        let Some(index) = self.left_of(at, &Place::Content) else { return false };
        // What went wrong is kept, and ends the walk.
        let _ = self.give(index, reader);
        true
    }

    /// What is wanted there, and not taken yet.
    fn left_of(&self, at: Key, place: &Place) -> Option<usize> {
        let wanted = self.wanted.get(&at).into_iter().flatten();
        wanted.filter(|(wanted, index)| wanted == place && self.left.contains(index)).map(|(_, index)| *index).next()
    }

    /// An entry begins.
    pub fn begin(&mut self, at: Key, header: &Header) {
        self.header = self.wanted.contains_key(&at).then(|| (at, header.clone()));
    }

    /// Nothing in a file is wanted, or all of it as it is.
    pub fn whole(&mut self, at: Key, reader: &mut dyn Read) -> Option<io::Result<()>> {
        match self.left_of(at, &Place::Content) {
            Some(_) => Some(self.part(at, &Place::Content, reader)),
            None if !self.wanted.contains_key(&at) => Some(Ok(())),
            None => None,
        }
    }

    /// A part of an entry.
    pub fn part(&mut self, at: Key, place: &Place, reader: &mut dyn Read) -> io::Result<()> {
        if let Some(index) = self.left_of(at, place) {
            match place {
                Place::Header => {
                    let aside = self.aside.entry(index).or_default();
                    reader.read_to_end(aside)?;
                    aside.push(b'\n');
                }
                _ => self.give(index, reader)?,
            }
        }
        // What is around it goes on behind its end.
        io::copy(reader, &mut io::sink()).map(drop)
    }

    fn give(&mut self, index: usize, content: &mut dyn Read) -> io::Result<()> {
        let header = self.header.take();
        let given = (self.to)(Part { index, header: header.as_ref().map(|(_, header)| header), content });
        self.header = header;
        self.left.remove(&index);
        if self.left.is_empty() || given.is_err() {
            let _ = self.stop.compare_exchange(0, DONE, Ordering::Relaxed, Ordering::Relaxed);
        }
        given.map_err(|e| {
            let kind = e.kind();
            self.failed.get_or_insert(e);
            kind.into()
        })
    }

    /// The last entry of a blob has been read.
    pub fn end(&mut self, of: Option<u32>) {
        self.header = None;
        for (index, text) in std::mem::take(&mut self.aside) {
            let ours = self.wanted.iter().any(|(at, all)| at.0 == of && all.iter().any(|(_, other)| *other == index));
            if !ours {
                self.aside.insert(index, text);
            } else if self.give(index, &mut &text[..]).is_err() {
                break;
            }
        }
    }
}

/// Takes what is `wanted`, each thing once, out of what `open` opens, which must be what `archive` was read from. `stop` is anything but 0
/// when the reading is to end. Where something is wanted as it is and something within it, it takes two walks. Returns the indexes of what
/// was not there to be taken. Fails where the source cannot be read, and where `to` does.
pub fn take(
    open: Open,
    archive: &Archive,
    wanted: &[Wanted],
    limits: &Limits,
    stop: &Arc<AtomicUsize>,
    to: Take,
) -> Result<Vec<usize>, Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let progress = Progress { stop: stop.clone(), ..Progress::default() };
    let mut taker = Taker {
        wanted: HashMap::new(),
        member_of: Vec::new(),
        members: HashSet::new(),
        left: (0..wanted.len()).collect(),
        header: None,
        aside: BTreeMap::new(),
        to,
        failed: None,
        stop: progress.stop.clone(),
    };
    for (index, wanted) in wanted.iter().enumerate() {
        let member = wanted.blob.map(|blob| archive.blobs[blob].member);
        let scan = wanted.blob.and_then(|blob| archive.layer(blob)).unwrap_or(&archive.members);
        taker.member_of.push(member.unwrap_or(wanted.entry));
        let place = match &wanted.place {
            // Names are in the tables.
            Place::Name if wanted.entry != Wanted::WHOLE => {
                let name = [scan.path(wanted.entry), scan.target(wanted.entry)].join(&b'\n');
                let _ = taker.give(index, &mut &name[..]);
                continue;
            }
            Place::Inner(way) => Place::Inner(scan.git_ways.get(&(wanted.entry, way.clone())).unwrap_or(way).clone()),
            place => place.clone(),
        };
        taker.wanted.entry((member, wanted.entry)).or_default().push((place, index));
    }
    let taker = Arc::new(Mutex::new(taker));
    loop {
        let before = {
            let mut taker = locked(&taker);
            taker.members = taker.left.iter().map(|index| taker.member_of[*index]).collect();
            taker.left.len()
        };
        if before == 0 || progress.stop.load(Ordering::Relaxed) != 0 {
            break;
        }
        walk(open()?, limits, &taker, &progress)?;
        if locked(&taker).left.len() == before {
            break;
        }
    }
    let _ = progress.stop.compare_exchange(DONE, 0, Ordering::Relaxed, Ordering::Relaxed);
    let mut taker = locked(&taker);
    match taker.failed.take() {
        Some(source) => Err(Error::Read { target: "what is to be taken out".to_owned(), source }),
        None => Ok(std::mem::take(&mut taker.left).into_iter().collect()),
    }
}

fn walk(source: Source, limits: &Limits, taker: &SharedTaker, progress: &Progress) -> Result<(), Error> {
    // Nothing is sent to matchers.
    let ((jobs, _), (_, empty)) = (bounded(1), unbounded());
    let queue = Queue {
        jobs,
        empty,
        limits: *limits,
        documents: Arc::default(),
        stop: progress.stop.clone(),
        again: false,
        work: Work { verify: false, ..Work::default() },
        clean: Arc::default(),
        taker: Some(taker.clone()),
    };
    match source {
        Source::Members(members) => drop(all_members(members, &queue, progress)),
        Source::Stream(source) => drop(stream(source, &queue, progress)?),
    }
    Ok(())
}
