//! A lenient tar reader that says what it saw (POSIX.1-2017 pax, GNU tar's extensions; formats.md, parts 7 and 16).
//!
//! It reads what engines read, and goes on where they stop: behind a lone zero block, behind the end marker
//! ([`TarReader::read_tail`]), at a cut end. It gives what stands in places that nobody reads ([`Header::aside`]), and sparse files at
//! their offsets. It never allocates by a size that a header claims.

mod fields;
mod header;
mod input;
mod sparse;
mod tail;

use crate::error::{Code, Problem, Problems};
use fields::{Record, decimal, libarchive_xattr, number, padding, pax_records, residue, ustar_name};
use input::Input;
use sparse::{Fragments, Run, Sparse};
use std::io::{self, Read};

pub use fields::{checksum_holds, until_nul};
pub use header::{Header, Kind};
pub use input::{Skip, Streamed};
pub use tail::Tail;

/// The size of a tar block, in bytes.
pub const BLOCK: usize = 512;

/// The most that all extension headers of one entry may hold, in bytes.
const MAX_EXTENSION: u64 = 1 << 20;
/// The most zeros that stand in for the holes of an archive's sparse files; further holes are left out. In bytes.
const MAX_HOLES: u64 = 64 << 20;

/// Reads a tar entry by entry; between two calls of [`TarReader::next_entry`] it is the reader of the entry's content.
pub struct TarReader<R> {
    input: Input<R>,
    content_left: u64,
    padding: u64,
    /// The map of the current entry, if its file is sparse.
    sparse: Option<Sparse>,
    holes_left: u64,
    ended: bool,
    /// A zero block was seen where a header could stand.
    marked: bool,
    problems: Problems,
    aside: Vec<u8>,
}

/// What the extension headers in front of an entry said.
#[derive(Default)]
struct Extensions {
    gnu_name: Option<Vec<u8>>,
    gnu_link: Option<Vec<u8>>,
    pax: Vec<Record>,
    /// Names of these headers themselves: nobody reads them.
    names: Vec<Vec<u8>>,
    bytes: u64,
}

impl<R: Skip> TarReader<R> {
    /// A reader that stands at an archive's first header.
    pub fn new(input: R) -> Self {
        let input = Input::new(input);
        TarReader {
            input,
            content_left: 0,
            padding: 0,
            sparse: None,
            holes_left: MAX_HOLES,
            ended: false,
            marked: false,
            problems: Problems::default(),
            aside: Vec::new(),
        }
    }

    /// What was wrong with the archive so far; taken out.
    pub fn take_problems(&mut self) -> Problems {
        std::mem::take(&mut self.problems)
    }

    /// What [`Header::aside`] would have held, where no entry follows; taken out.
    pub fn take_aside(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.aside)
    }

    /// True if the current entry is a file with holes: its content is not what is stored.
    pub fn is_sparse(&self) -> bool {
        self.sparse.is_some()
    }

    /// True if the archive ended with a marker, if only half of one. Engines accept a layer without; whoever saves an image writes one.
    pub fn has_end_marker(&self) -> bool {
        self.marked
    }

    /// How many bytes of the archive have been passed.
    pub fn offset(&self) -> u64 {
        self.input.offset
    }

    /// The next entry; what is left of the current one's content is passed over. `None` at the end, also at an early one (then
    /// there is a problem, and what was not understood comes from [`TarReader::read_tail`]).
    pub fn next_entry(&mut self) -> io::Result<Option<Header>> {
        self.skip_content()?;
        let mut extensions = Extensions::default();
        let mut zero_blocks = 0;
        while !self.ended {
            let Some(block) = self.read_block()? else { break };
            if block.iter().all(|b| *b == 0) {
                zero_blocks += 1;
                self.marked = true;
                self.ended = zero_blocks == 2;
                continue;
            }
            if !checksum_holds(&block) {
                if zero_blocks == 0 {
                    self.problem(Code::InvalidHeader, "a tar header's checksum is wrong; the rest is scanned as raw bytes");
                }
                self.end_with(&block);
                break;
            }
            if zero_blocks == 1 {
                self.problem(Code::TrailingData, "entries stand behind a lone zero block, where engines stop or fail");
                zero_blocks = 0;
            }
            if let Some(header) = self.entry(&block, &mut extensions)? {
                return Ok(Some(header));
            }
        }
        self.ended = true;
        self.left_over(extensions);
        Ok(None)
    }

    /// Extension headers that no entry follows.
    fn left_over(&mut self, extensions: Extensions) {
        for name in [extensions.gnu_name, extensions.gnu_link].into_iter().flatten() {
            self.put_aside(&name);
        }
        for name in extensions.names {
            self.put_aside(&name);
        }
        for (key, value) in extensions.pax {
            self.put_aside(&[&key[..], b"=", &value].concat());
        }
    }

    /// The content of a GNU header for a long name or link; what stands behind its NUL, and one before it, is put aside.
    fn long_name(&mut self, before: Option<Vec<u8>>, already: u64) -> io::Result<Vec<u8>> {
        let data = self.extension(already)?;
        let name = until_nul(&data).to_vec();
        if data[name.len()..].iter().any(|b| *b != 0) {
            self.put_aside(&data[name.len()..]);
        }
        self.put_aside(&before.unwrap_or_default());
        Ok(name)
    }

    /// What follows the end marker (or the first block that is not a header), once [`TarReader::next_entry`] has returned `None`.
    pub fn read_tail(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.input.read(buf)
    }

    /// One header block: an entry, or an extension that is kept for the entry it belongs to.
    fn entry(&mut self, block: &[u8; BLOCK], extensions: &mut Extensions) -> io::Result<Option<Header>> {
        let Some(stored) = number(&block[124..136]) else {
            self.problem(Code::InvalidHeader, "a tar header's size is not a number; the rest is scanned as raw bytes");
            self.end_with(block);
            return Ok(None);
        };
        self.content_left = stored;
        self.padding = padding(stored);
        if matches!(block[156], b'L' | b'K' | b'x' | b'g') && extensions.bytes < MAX_EXTENSION {
            extensions.names.push(ustar_name(block));
            extensions.bytes += BLOCK as u64;
            self.put_aside(&residue(block, block[156]));
        }
        match block[156] {
            b'L' => extensions.gnu_name = Some(self.long_name(extensions.gnu_name.take(), extensions.bytes)?),
            b'K' => extensions.gnu_link = Some(self.long_name(extensions.gnu_link.take(), extensions.bytes)?),
            b'x' => {
                let data = self.extension(extensions.bytes)?;
                let (records, rest) = pax_records(&data);
                extensions.pax.extend(records);
                self.put_aside(rest);
            }
            // Engines ignore what a global header says of paths and sizes; it is a place to hide text all the same.
            b'g' => {
                let data = self.extension(extensions.bytes)?;
                self.put_aside(&data);
            }
            kind => return self.file(block, kind, extensions).map(Some),
        }
        extensions.bytes += stored;
        Ok(None)
    }

    fn file(&mut self, block: &[u8; BLOCK], kind: u8, extensions: &mut Extensions) -> io::Result<Header> {
        let mut header = Header { path: ustar_name(block), link: until_nul(&block[157..257]).to_vec(), ..Header::default() };
        let named_directory = kind == 0 && header.path.ends_with(b"/");
        header.mode = (number(&block[100..108]).unwrap_or(0) & 0o7777) as u16;
        header.owner = number(&block[108..116]).zip(number(&block[116..124]));
        header.mtime = number(&block[136..148]);
        header.kind = match kind {
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' => Kind::CharDevice,
            b'4' | b'6' => Kind::Special,
            b'5' => Kind::Directory,
            0 if named_directory => Kind::Directory,
            _ => Kind::Regular,
        };
        if !matches!(kind, 0 | b'0'..=b'7' | b'S') {
            let message = format!("an entry of the unknown type {:?} is read like a file; engines refuse it", kind as char);
            self.problem(Code::UnknownEntry, message);
        }
        if header.kind == Kind::CharDevice {
            header.device = (number(&block[329..337]).unwrap_or(0), number(&block[337..345]).unwrap_or(0));
        }
        let pax = std::mem::take(&mut extensions.pax);
        let own_names = (header.path.clone(), header.link.clone());
        for (key, value) in &pax {
            self.apply_pax(&mut header, key, value);
        }
        header.path = extensions.gnu_name.take().unwrap_or(header.path);
        header.link = extensions.gnu_link.take().unwrap_or(header.link);
        if matches!(header.kind, Kind::Symlink | Kind::CharDevice | Kind::Special | Kind::Directory) {
            (self.content_left, self.padding) = (0, 0);
        } else if header.kind == Kind::HardLink && self.content_left > 0 {
            self.resolve_link_data()?;
        } else if kind == b'S' {
            self.old_gnu_sparse(block)?;
        } else if pax.iter().any(|(key, _)| key.starts_with(b"GNU.sparse.")) {
            self.pax_sparse(&mut header, &pax)?;
        }
        let names = std::mem::take(&mut extensions.names);
        self.unseen(&header, [own_names.0, own_names.1].into_iter().chain(names), &pax);
        self.put_aside(&residue(block, kind));
        header.aside = self.take_aside();
        header.size = self.content_left;
        header.offset = self.input.offset;
        Ok(header)
    }

    /// Puts aside what the extension headers said and the entry does not show.
    fn unseen(&mut self, header: &Header, names: impl Iterator<Item = Vec<u8>>, pax: &[Record]) {
        let is_link = matches!(header.kind, Kind::HardLink | Kind::Symlink);
        let shown = |text: &[u8]| {
            text.is_empty()
                || memchr::memmem::find(&header.path, text).is_some()
                || is_link && memchr::memmem::find(&header.link, text).is_some()
        };
        for name in names.chain([header.link.clone()]) {
            // `PaxHeaders.0/f`, `././@LongLink`: part by part, and only what is long enough to be something.
            if name.split(|b| *b == b'/').any(|part| part.len() >= 12 && !part.starts_with(b"PaxHeader") && !shown(part)) {
                self.put_aside(&name);
            }
        }
        for (key, value) in pax {
            let number = !value.is_empty() && value.iter().all(|b| b"0123456789.,-".contains(b));
            let name = matches!(&key[..], b"path" | b"linkpath" | b"GNU.sparse.name") && shown(value);
            let encoded = key.starts_with(b"LIBARCHIVE.xattr.");
            let xattr = encoded || key.starts_with(b"SCHILY.xattr.");
            // Of an attribute the value is searched; a long name, and what was not decoded, may be more than that.
            match (xattr, number || name) {
                (false, false) => self.put_aside(&[&key[..], b"=", value].concat()),
                (true, _) if encoded && libarchive_xattr(b"", value).1 == *value => self.put_aside(value),
                _ => {}
            }
            if (xattr || number) && key.len() >= 32 {
                self.put_aside(key);
            }
        }
    }

    fn apply_pax(&mut self, header: &mut Header, key: &[u8], value: &[u8]) {
        match key {
            b"path" if !value.is_empty() => header.path = value.to_vec(),
            b"linkpath" if !value.is_empty() => header.link = value.to_vec(),
            b"size" if !value.is_empty() => match decimal(value) {
                Some(size) => (self.content_left, self.padding) = (size, padding(size)),
                None => self.problem(Code::InvalidHeader, "the size in a pax header is not a number; the header's own is taken"),
            },
            b"uid" => header.owner = decimal(value).zip(header.owner.map(|owner| owner.1)),
            b"gid" => header.owner = header.owner.map(|owner| owner.0).zip(decimal(value)),
            b"mtime" => header.mtime = value.split(|b| *b == b'.').next().and_then(decimal),
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    header.xattrs.push((name.to_vec(), value.to_vec()));
                } else if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
                    header.xattrs.push(libarchive_xattr(name, value));
                }
            }
        }
    }

    /// Old GNU sparse files: a map in the header, and further blocks of it between header and data.
    fn old_gnu_sparse(&mut self, block: &[u8; BLOCK]) -> io::Result<()> {
        let mut fragments: Fragments = sparse::old_gnu_entries(&block[386..482]).collect();
        let mut extended = block[482] != 0;
        while extended {
            let Some(map) = self.read_block()? else { break };
            extended = map[504] != 0;
            self.put_aside(&sparse::residue(&map));
            if fragments.len() < sparse::MAX_FRAGMENTS {
                fragments.extend(sparse::old_gnu_entries(&map[..504]));
            }
        }
        self.place(fragments, number(&block[483..495]).unwrap_or(0));
        Ok(())
    }

    /// The three forms of sparse files in pax headers.
    fn pax_sparse(&mut self, header: &mut Header, pax: &[Record]) -> io::Result<()> {
        let get = |key: &[u8]| pax.iter().rev().find(|(k, _)| k == key).map(|(_, value)| &value[..]);
        if let Some(name) = get(b"GNU.sparse.name").filter(|name| !name.is_empty()) {
            header.path = name.to_vec();
        }
        let real_size = get(b"GNU.sparse.realsize").or(get(b"GNU.sparse.size")).and_then(decimal).unwrap_or(0);
        if get(b"GNU.sparse.major") != Some(b"1") {
            self.place(sparse::in_records(pax.iter().map(|(key, value)| (&key[..], &value[..]))), real_size);
            return Ok(());
        }
        let (mut data, mut wanted) = (Vec::new(), BLOCK);
        let map = loop {
            Read::by_ref(self).take((wanted - data.len()) as u64).read_to_end(&mut data)?;
            match sparse::in_data(&data) {
                None if data.len() == wanted && wanted < sparse::MAX_MAP_IN_DATA => wanted *= 2,
                map => break map.flatten().filter(|(_, length)| *length <= data.len()),
            }
        };
        let (fragments, text) = map.unwrap_or((vec![(0, u64::MAX)], 0));
        let length = text.next_multiple_of(BLOCK).min(data.len());
        if data[text..length].iter().any(|b| *b != 0) {
            self.put_aside(&data[text..length]);
        }
        self.input.unread(&data[length..]);
        self.content_left += (data.len() - length) as u64;
        self.place(fragments, real_size);
        Ok(())
    }

    /// Makes the entry's content one with holes, if the map can be one.
    fn place(&mut self, fragments: Fragments, real_size: u64) {
        self.sparse = Sparse::new(fragments, real_size, self.content_left);
        if self.sparse.is_none() {
            self.problem(Code::InvalidHeader, "the map of a sparse file contradicts its size; its bytes are read as they are stored");
        }
    }

    /// A hard link with a size: old tars give one without data. If a header follows at once, there are none (libarchive's rule).
    fn resolve_link_data(&mut self) -> io::Result<()> {
        let Some(next) = self.read_block()? else { return Ok(()) };
        if checksum_holds(&next) {
            (self.content_left, self.padding) = (0, 0);
        }
        self.input.unread(&next);
        Ok(())
    }

    /// The content of an extension header.
    fn extension(&mut self, already: u64) -> io::Result<Vec<u8>> {
        let room = MAX_EXTENSION.saturating_sub(already);
        if self.content_left > room {
            self.problem(Code::LimitReached, "extension headers of one entry hold more than 1 MiB; the rest of them is ignored");
        }
        let mut data = Vec::new();
        Read::by_ref(self).take(room).read_to_end(&mut data)?;
        self.skip_content()?;
        Ok(data)
    }

    fn skip_content(&mut self) -> io::Result<()> {
        let wanted = std::mem::take(&mut self.content_left);
        let padding = std::mem::take(&mut self.padding);
        self.sparse = None;
        if wanted > 0 && self.input.skip(wanted)? < wanted {
            self.cut("an entry's content");
        } else if padding > 0 {
            // A missing padding at the very end is usual (umoci) and loses nothing.
            let mut filling = Vec::with_capacity(padding as usize);
            self.input.by_ref().take(padding).read_to_end(&mut filling)?;
            if filling.iter().any(|b| *b != 0) {
                self.put_aside(&filling);
            }
        }
        Ok(())
    }

    fn put_aside(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        if self.aside.len() as u64 >= 2 * MAX_EXTENSION {
            return self
                .problem(Code::LimitReached, "more than 2 MiB of text in unused places of one entry's headers: the rest is not searched");
        }
        self.aside.extend_from_slice(text);
        self.aside.push(b'\n');
    }

    fn read_block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.input.read(&mut block[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        if filled == BLOCK {
            return Ok(Some(block));
        }
        self.ended = true;
        if block[..filled].iter().any(|b| *b != 0) {
            self.cut("a header");
            self.input.unread(&block[..filled]);
        }
        Ok(None)
    }

    /// Ends before `block`, which becomes the first part of the tail.
    fn end_with(&mut self, block: &[u8; BLOCK]) {
        self.input.unread(block);
        self.ended = true;
    }

    fn cut(&mut self, within: &str) {
        self.ended = true;
        self.problem(Code::Truncated, format!("the tar ends within {within}, at byte {}", self.input.offset));
    }

    fn problem(&mut self, code: Code, message: impl Into<String>) {
        self.problems.push(Problem::new(code, message));
    }
}

impl<R: Skip> Read for TarReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut wanted = self.content_left;
        while let Some(map) = &mut self.sparse {
            match map.next() {
                Run::End => return Ok(0),
                Run::Data(stored) => {
                    wanted = stored;
                    break;
                }
                Run::Hole(zeros) if zeros > self.holes_left => map.advance(zeros),
                Run::Hole(zeros) => {
                    let n = buf.len().min(usize::try_from(zeros).unwrap_or(usize::MAX));
                    buf[..n].fill(0);
                    map.advance(n as u64);
                    self.holes_left -= n as u64;
                    return Ok(n);
                }
            }
        }
        let wanted = buf.len().min(usize::try_from(wanted.min(self.content_left)).unwrap_or(usize::MAX));
        let n = if wanted == 0 { 0 } else { self.input.read(&mut buf[..wanted])? };
        self.content_left -= n as u64;
        if let Some(map) = &mut self.sparse {
            map.advance(n as u64);
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ustar header block with a valid checksum.
    fn block(name: &str, kind: u8, size: u64) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..136].copy_from_slice(format!("{size:011o} ").as_bytes());
        block[156] = kind;
        block[257..265].copy_from_slice(b"ustar\x0000");
        block[148..156].copy_from_slice(b"        ");
        let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    fn padded(data: &[u8]) -> Vec<u8> {
        let mut data = data.to_vec();
        data.resize(data.len().next_multiple_of(BLOCK), 0);
        data
    }

    struct Seen {
        entries: Vec<(String, String)>,
        tail: Vec<u8>,
        codes: Vec<Code>,
    }

    fn read(archive: &[u8]) -> Seen {
        let mut tar = TarReader::new(Streamed(archive));
        let (mut entries, mut tail) = (Vec::new(), Vec::new());
        while let Some(header) = tar.next_entry().expect("memory") {
            let mut content = String::new();
            tar.read_to_string(&mut content).expect("text");
            entries.push((String::from_utf8_lossy(&header.path).into_owned(), content));
        }
        let mut buf = [0; 300];
        while let Ok(n @ 1..) = tar.read_tail(&mut buf) {
            tail.extend_from_slice(&buf[..n]);
        }
        Seen { entries, tail, codes: tar.take_problems().finish().iter().map(|p| p.code).collect() }
    }

    fn pair(name: &str, content: &str) -> (String, String) {
        (name.to_owned(), content.to_owned())
    }

    #[test]
    fn every_usual_end_is_accepted() {
        let entry = [block("a", b'0', 3), padded(b"abc")].concat();
        for end in [0, 512, 1024, 10240] {
            let seen = read(&[entry.clone(), vec![0; end]].concat());
            assert_eq!((seen.entries, seen.codes), (vec![pair("a", "abc")], vec![]), "{end}");
        }
        assert_eq!(read(&[block("a", b'0', 3), b"abc".to_vec()].concat()).codes, []);
    }

    #[test]
    fn a_cut_end_is_said_and_what_is_there_is_read() {
        let cut = read(&[block("a", b'0', 600), b"abc".to_vec()].concat());
        assert_eq!((cut.entries, cut.codes), (vec![pair("a", "abc")], vec![Code::Truncated]));
        let header = read(&block("a", b'0', 0)[..200]);
        assert_eq!((header.entries.len(), header.codes, header.tail.len()), (0, vec![Code::Truncated], 200));
    }

    #[test]
    fn nothing_hides_behind_the_end() {
        let (a, b) = ([block("a", b'0', 1), padded(b"a")].concat(), [block("b", b'0', 1), padded(b"b")].concat());
        let one_zero = read(&[a.clone(), vec![0; 512], b.clone(), vec![0; 1024]].concat());
        assert_eq!((one_zero.entries, one_zero.codes), (vec![pair("a", "a"), pair("b", "b")], vec![Code::TrailingData]));
        let two_zero = read(&[a.clone(), vec![0; 1024], b.clone()].concat());
        assert_eq!((two_zero.entries.len(), two_zero.tail), (1, b));
        let garbage = read(&[a, b"garbage".repeat(100)].concat());
        assert_eq!((garbage.entries.len(), garbage.tail, garbage.codes), (1, b"garbage".repeat(100), vec![Code::InvalidHeader]));
    }

    #[test]
    fn long_names_and_pax_records() {
        let long = "d/".repeat(80) + "x";
        let gnu = [block("././@LongLink", b'L', 162), padded(format!("{long}\0").as_bytes()), block("short", b'0', 0)].concat();
        assert_eq!(read(&gnu).entries, [pair(&long, "")]);
        let records = b"12 path=\xc3\xbcn\n9 size=1\n".to_vec();
        let pax = [block("pax", b'x', records.len() as u64), padded(&records), block("n", b'0', 0), padded(b"y")].concat();
        assert_eq!(read(&pax).entries, [pair("ün", "y")]);
        let empty = b"8 path=\n".to_vec();
        let pax = [block("pax", b'x', 8), padded(&empty), block("n", b'0', 0)].concat();
        assert_eq!(read(&pax).entries, [pair("n", "")]);
    }

    #[test]
    fn a_link_may_have_data_or_only_claim_it() {
        let with = [block("l", b'1', 3), padded(b"abc"), block("b", b'0', 0)].concat();
        assert_eq!(read(&with).entries, [pair("l", "abc"), pair("b", "")]);
        let without = [block("l", b'1', 3), block("b", b'0', 1), padded(b"b")].concat();
        assert_eq!(read(&without).entries, [pair("l", ""), pair("b", "b")]);
    }

    #[test]
    fn a_claimed_size_allocates_nothing() {
        let mut huge = block("a", b'0', 0);
        huge[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        huge[148..156].copy_from_slice(b"        ");
        let sum: u64 = huge.iter().map(|b| u64::from(*b)).sum();
        huge[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert_eq!(read(&[huge, b"abc".to_vec()].concat()).codes, [Code::Truncated]);
    }
}
