//! One file, searched: as it is, or, if it is an archive or packed, what is in it.

use super::blob::Keeping;
use super::feed::Feed;
use super::unpack::{Stop, stop_in};
use crate::compose;
use crate::digest::{ContentHasher, hex};
use crate::error::{Code, Problem};
use crate::layer::compression::unpacked_name;
use crate::layer::decoder::Decoder;
use crate::layer_scan::Place;
use crate::limits::Limits;
use crate::nested::{Format, Kind, REST, Sink, after, fill, git, walk};
use crate::packages::List;
use std::cell::RefCell;
use std::io::{self, Cursor, Read};
use std::rc::Rc;

impl Feed {
    /// Searches the file of an entry. `size` is what `reader` is expected to give (a guess is enough). Fails where `reader` does; what
    /// is wrong with archives in the file is a problem, and their bytes are searched as they are.
    pub fn file(&mut self, entry: u32, path: &[u8], size: u64, reader: &mut dyn Read, hasher: &mut ContentHasher) -> io::Result<()> {
        if let Some(done) = self.settled(entry, reader) {
            return done;
        }
        let most = match List::of(path) {
            Some(_) => List::MOST,
            None if compose::is_compose(path) => compose::MOST,
            None => return self.contents(entry, path, size, reader, hasher),
        };
        let mut reader = Keeping::new(reader, most);
        let searched = self.contents(entry, path, size, &mut reader, hasher);
        match List::of(path) {
            Some(list) => self.packages.read(list, path, &reader.kept),
            None => self.sockets.extend(compose::mounts_socket(&reader.kept).then_some(entry)),
        }
        searched
    }

    fn contents(&mut self, entry: u32, path: &[u8], size: u64, reader: &mut dyn Read, hasher: &mut ContentHasher) -> io::Result<()> {
        let mut start = [0; Kind::SNIFFED];
        let (taken, failed) = fill(&mut start, reader);
        let start = &start[..taken];
        if failed.is_none() && Kind::sniff(start).is_none() {
            let searched = self.send(entry, Place::Content, path, size, &mut start.chain(reader), Some(hasher));
            self.digests(entry, hasher.digests());
            return searched;
        }
        if let Some(e) = failed {
            self.send(entry, Place::Content, path, size, &mut &start[..], Some(hasher))?;
            return Err(e);
        }
        hasher.with_digests(b"");
        let meter = Rc::new(RefCell::new(Meter { stored: 0, given: 0, over: None, failed: None }));
        let mut origin = Origin { inner: &mut start.chain(reader), hasher: &mut *hasher, meter: meter.clone() };
        let mut opening = Opening { feed: self, entry, path, way: Vec::new(), depth: 0, unpacks: false, meter: meter.clone() };
        let searched = opening.content(path, size, false, &mut origin);
        let drained = io::copy(&mut origin, &mut io::sink());
        self.digests(entry, hasher.digests());
        let mut meter = meter.borrow_mut();
        self.unpacked += meter.given;
        if let Some(over) = meter.over.take() {
            self.problems.push(Problem::at(Code::LimitReached, path, format!("{over}; what follows in it was not searched")));
        }
        // What failed within is said. What failed here is for the caller.
        match (meter.failed.take(), searched.and(drained)) {
            (Some(e), _) => Err(e),
            (None, Err(e)) if matches!(stop_in(&e), Some(Stop::Interrupted)) => Err(e),
            _ => Ok(()),
        }
    }
}

/// What was read of a file and unpacked from it so far.
struct Meter {
    stored: u64,
    given: u64,
    /// The limit that was reached.
    over: Option<String>,
    /// The file itself could not be read.
    failed: Option<io::Error>,
}

/// The stored bytes of a file that is opened.
struct Origin<'a> {
    inner: &'a mut dyn Read,
    hasher: &'a mut ContentHasher,
    meter: Rc<RefCell<Meter>>,
}

impl Read for Origin<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut meter = self.meter.borrow_mut();
        if meter.failed.is_some() {
            return Ok(0);
        }
        match self.inner.read(buf) {
            Ok(n) => {
                self.hasher.update(&buf[..n]);
                meter.stored += n as u64;
                Ok(n)
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Err(e),
            Err(e) => {
                let kind = e.kind();
                meter.failed = Some(e);
                Err(kind.into())
            }
        }
    }
}

/// What a decoder gives, counted. After an error there is nothing more.
struct Metered<'a> {
    inner: &'a mut dyn Read,
    meter: Rc<RefCell<Meter>>,
    limits: Limits,
    /// What other files of the layer have unpacked to.
    before: u64,
    ended: bool,
    flaw: Option<String>,
}

impl Read for Metered<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        let read = self.inner.read(buf);
        let mut meter = self.meter.borrow_mut();
        match read {
            Ok(n) => {
                meter.given += n as u64;
                let Limits { ratio, layer_size, .. } = self.limits;
                let many = meter.given > Limits::RATIO_FROM && meter.given / ratio.max(1) > meter.stored;
                if many || meter.given + self.before > layer_size {
                    let limit = if many { "--max-ratio" } else { "--max-layer-size" };
                    let message = format!("{} bytes came out of {} of an archive ({limit})", meter.given, meter.stored);
                    meter.over.get_or_insert(message);
                    self.ended = true;
                    return Ok(0);
                }
                Ok(n)
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Err(e),
            Err(e) => {
                self.ended = true;
                self.flaw = Some(e.to_string());
                Err(e)
            }
        }
    }
}

/// A file that is opened, and the way to where in it we are.
struct Opening<'a> {
    feed: &'a mut Feed,
    entry: u32,
    path: &'a [u8],
    way: Vec<Box<[u8]>>,
    /// Archives and compressions that are around us.
    depth: usize,
    /// The members of the archive that we are in were packed, each for itself.
    unpacks: bool,
    meter: Rc<RefCell<Meter>>,
}

impl Opening<'_> {
    /// Searches what `reader` gives, which is called `name` and may be an archive. `unpacked` if it has come out of a decoder: then a
    /// plain file has a step of its own.
    fn content(&mut self, name: &[u8], size: u64, unpacked: bool, reader: &mut dyn Read) -> io::Result<()> {
        let mut start = [0; Kind::SNIFFED];
        let (taken, failed) = fill(&mut start, reader);
        let kind = Kind::sniff(&start[..taken]).filter(|_| failed.is_none());
        let mut reader = Cursor::new(&start[..taken]).chain(reader);
        let deep = self.is_deep();
        match kind {
            Some(_) if deep => {
                let message =
                    format!("more than {} archives within each other (--max-depth); it was searched as it is", self.feed.limits().depth);
                self.feed.problems.push(Problem::at(Code::LimitReached, self.path, message));
                self.leaf(name, size, unpacked, &mut reader)
            }
            Some(Kind::Packed(compression)) => {
                let mut decoder = Decoder::new(&mut reader, compression);
                self.packed(name, &mut decoder)?;
                after(decoder, self)
            }
            Some(Kind::Zlib) => {
                let mut decoder = flate2::read::ZlibDecoder::new(&mut reader);
                self.packed(name, &mut decoder)?;
                self.beside(REST, &mut decoder.into_inner())
            }
            Some(Kind::Archive(format)) => self.archive(format, &mut reader),
            Some(Kind::Sealed(format)) => {
                self.not_unpacked(&format!("{format} is not unpacked"));
                self.leaf(name, size, unpacked, &mut reader)
            }
            None if unpacked && git::loose(&start[..taken]).is_some() => self.loose(name, &mut reader),
            None => {
                self.leaf(name, size, unpacked, &mut reader)?;
                failed.map_or(Ok(()), Err)
            }
        }
    }

    /// An object of git that is a file of its own.
    fn loose(&mut self, name: &[u8], reader: &mut dyn Read) -> io::Result<()> {
        let mut object = Vec::new();
        reader.take(git::MOST_OBJECT as u64).read_to_end(&mut object)?;
        match git::loose(&object).filter(|_| object.len() < git::MOST_OBJECT) {
            Some((kind, header)) => git::tell(kind, &object[header..], self),
            None => self.leaf(name, u64::MAX, true, &mut object.chain(reader)),
        }
    }

    fn packed(&mut self, name: &[u8], decoder: &mut dyn Read) -> io::Result<()> {
        let name = unpacked_name(name);
        let mut metered = self.metered(decoder);
        self.depth += 1;
        let searched = self.content(name, u64::MAX, true, &mut metered);
        self.depth -= 1;
        if let Some(flaw) = metered.flaw {
            self.not_unpacked(&format!("it cannot be unpacked to its end: {flaw}"));
        }
        self.settle(searched)
    }

    fn archive(&mut self, format: Format, reader: &mut dyn Read) -> io::Result<()> {
        let around = std::mem::replace(&mut self.unpacks, matches!(format, Format::Zip | Format::GitPack));
        self.depth += 1;
        let walked = walk(format, reader, self);
        self.depth -= 1;
        self.unpacks = around;
        if let Err(e) = &walked
            && stop_in(e).is_none()
        {
            self.not_unpacked(&format!("an archive in it ends too early or is damaged: {e}"));
        }
        self.settle(walked)?;
        self.beside(REST, reader)
    }

    fn metered<'b>(&self, inner: &'b mut dyn Read) -> Metered<'b> {
        let (limits, before) = (*self.feed.limits(), self.feed.unpacked);
        Metered { inner, meter: self.meter.clone(), limits, before, ended: false, flaw: None }
    }

    /// What went wrong in a part does not end the whole, unless the file itself cannot be read or enough was unpacked.
    fn settle(&mut self, result: io::Result<()>) -> io::Result<()> {
        let meter = self.meter.borrow();
        match result {
            Err(e) if meter.failed.is_some() || meter.over.is_some() || stop_in(&e).is_some() => Err(e),
            _ if meter.over.is_some() => Err(Stop::Limit(String::new()).into()),
            _ if self.feed.is_stopped() => Err(Stop::Interrupted.into()),
            _ => Ok(()),
        }
    }

    fn leaf(&mut self, name: &[u8], size: u64, unpacked: bool, reader: &mut dyn Read) -> io::Result<()> {
        if unpacked {
            let base = name.rsplit(|b| *b == b'/').next().unwrap_or(name);
            self.way.push(base.into());
        }
        let place = self.place();
        let searched = self.feed.send(self.entry, place, name, size, reader, None);
        if unpacked {
            self.way.pop();
        }
        searched
    }

    fn place(&self) -> Place {
        if self.way.is_empty() { Place::Content } else { Place::Inner(self.way.as_slice().into()) }
    }

    fn is_deep(&self) -> bool {
        self.depth >= self.feed.limits().depth
    }

    /// Something was searched only as it is stored.
    fn not_unpacked(&mut self, why: &str) {
        self.feed.not_unpacked += 1;
        self.feed.problems.push(Problem::at(Code::NotUnpacked, self.path, format!("not all of an archive could be unpacked: {why}")));
    }
}

impl Sink for Opening<'_> {
    fn member(&mut self, name: &[u8], size: u64, content: &mut dyn Read) -> io::Result<()> {
        if !name.is_empty() {
            self.way.push(name[..name.len().min(self.feed.limits().name)].into());
        }
        let depth = self.way.len();
        let searched = match self.unpacks {
            true => self.content(name, size, false, &mut self.metered(content)),
            false => self.content(name, size, false, content),
        };
        self.way.truncate(depth - usize::from(!name.is_empty()));
        if let Err(e) = &searched {
            self.not_unpacked(&format!("a member is damaged: {e}"));
        }
        self.settle(searched)
    }

    fn sealed(&mut self, name: &[u8], why: &'static str, stored: &mut dyn Read) -> io::Result<()> {
        self.not_unpacked(&format!("a member is {why}"));
        self.way.push(name.into());
        let searched = self.leaf(name, u64::MAX, false, stored);
        self.way.pop();
        self.settle(searched)
    }

    fn beside(&mut self, part: &'static str, content: &mut dyn Read) -> io::Result<()> {
        let mut first = [0; 1];
        if fill(&mut first, content).0 == 0 {
            return Ok(());
        }
        self.way.push(part.as_bytes().into());
        let mut content = Cursor::new(first).chain(content);
        // What stands behind an archive may be another one.
        let searched = if part == REST && !self.is_deep() {
            self.depth += 1;
            let searched = self.content(b"", u64::MAX, false, &mut content);
            self.depth -= 1;
            searched
        } else {
            self.leaf(b"", u64::MAX, false, &mut content)
        };
        self.way.pop();
        self.settle(searched)
    }

    fn object(&mut self, kind: git::Kind, id: git::Id, content: &[u8]) -> io::Result<()> {
        self.feed.history.add(kind, id, content);
        match kind {
            git::Kind::Tree => git::names(content, self),
            _ => self.member(hex(&id).as_bytes(), content.len() as u64, &mut &content[..]),
        }
    }

    fn flaw(&mut self, what: &str) {
        self.not_unpacked(what);
    }

    fn limit(&mut self, what: &str) {
        self.feed.problems.push(Problem::at(Code::LimitReached, self.path, what.to_owned()));
    }
}
