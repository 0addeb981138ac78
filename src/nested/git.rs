//! git's objects: loose ones, and packs with deltas (gitformat-pack(5), gitformat-loose(5)).
//!
//! A pack is read into memory, since an object may be built on any other. Objects that are whole are told as they come; those that are
//! deltas are built from their bases on, each once.

use super::{HEADER, Sink};
use crate::digest::unhex;
use flate2::{Decompress, FlushDecompress, Status};
use sha1::{Digest, Sha1};
use std::collections::HashMap;
use std::io::{self, Read};

/// How a pack begins: its name and the version.
pub const MAGIC: &[u8] = b"PACK\0\0\0\x02";
/// The largest pack that is opened.
const MOST_PACK: u64 = 256 << 20;
/// The largest object that is built, and all of those that stand on each other. In bytes.
pub const MOST_OBJECT: usize = 64 << 20;
/// Room that is made for an object before anything of it is there.
const FIRST_ROOM: usize = 64 << 10;

/// The name of an object: the SHA-1 of what it is and has.
pub type Id = [u8; 20];

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A state of all files, and how it came about.
    Commit,
    /// A directory.
    Tree,
    /// A file.
    Blob,
    /// A name for another object.
    Tag,
}

impl Kind {
    const ALL: [(Kind, &'static str); 4] = [(Kind::Commit, "commit"), (Kind::Tree, "tree"), (Kind::Blob, "blob"), (Kind::Tag, "tag")];

    /// The number of a kind in a pack.
    fn numbered(number: u8) -> Option<Kind> {
        Kind::ALL.get(usize::from(number).checked_sub(1)?).map(|(kind, _)| *kind)
    }

    /// The name of an object of this kind.
    fn id(self, content: &[u8]) -> Id {
        let word = Kind::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word);
        let header = format!("{word} {}\0", content.len());
        Sha1::new_with_prefix(header).chain_update(content).finalize().into()
    }
}

/// What a loose object is, and how long its header: `blob 12` and a NUL.
pub fn loose(start: &[u8]) -> Option<(Kind, usize)> {
    let end = start.iter().take(32).position(|b| *b == 0)?;
    let (word, size) = std::str::from_utf8(&start[..end]).ok()?.split_once(' ')?;
    size.parse::<u64>().ok()?;
    Kind::ALL.iter().find(|(_, name)| *name == word).map(|(kind, _)| (*kind, end + 1))
}

/// Tells a loose object whose content (without its header) is `content`.
pub fn tell(kind: Kind, content: &[u8], sink: &mut dyn Sink) -> io::Result<()> {
    sink.object(kind, kind.id(content), content)
}

/// The entries of a tree: a name, and the object that it leads to.
pub fn entries(mut tree: &[u8]) -> impl Iterator<Item = (&[u8], Id)> {
    std::iter::from_fn(move || {
        let end = memchr::memchr(0, tree)?;
        let name = &tree[memchr::memchr(b' ', &tree[..end])? + 1..end];
        let (id, rest) = tree[end + 1..].split_first_chunk::<20>()?;
        tree = rest;
        Some((name, *id))
    })
}

/// The tree of a commit.
pub fn tree_of(commit: &[u8]) -> Option<Id> {
    unhex(commit.strip_prefix(b"tree ")?.get(..40)?)
}

/// What a delta is built on.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Base {
    At(usize),
    Named(Id),
}

/// See [`super::walk`].
pub fn walk(reader: &mut dyn Read, sink: &mut dyn Sink) -> io::Result<()> {
    let mut pack = Vec::new();
    reader.take(MOST_PACK).read_to_end(&mut pack)?;
    if pack.len() as u64 == MOST_PACK {
        sink.limit("a pack of git is larger than 256 MiB: what follows in it was searched as it is");
    }
    let mut deltas: HashMap<Base, Vec<usize>> = HashMap::new();
    let mut whole: Vec<(usize, Kind, Id)> = Vec::new();
    let count = pack.get(8..12).map_or(0, |n| u32::from_be_bytes([n[0], n[1], n[2], n[3]]));
    let mut at = 12;
    for _ in 0..count {
        let (object, content, end) = match Object::read(&pack, at) {
            Ok(read) => read,
            Err(flaw) => {
                flaw.say(sink);
                sink.beside(super::REST, &mut &pack[at.min(pack.len())..])?;
                break;
            }
        };
        match object.base {
            Err(kind) => {
                let id = kind.id(&content);
                sink.object(kind, id, &content)?;
                whole.push((at, kind, id));
            }
            Ok(base) => deltas.entry(base).or_default().push(at),
        }
        at = end;
    }
    for (at, kind, id) in whole {
        let children = take(&mut deltas, at, id);
        if !children.is_empty()
            && let Ok((_, content, _)) = Object::read(&pack, at)
        {
            build(&pack, kind, content, children, &mut deltas, sink)?;
        }
    }
    if !deltas.is_empty() {
        sink.flaw("deltas in a pack of git are built on objects that are not in it");
    }
    Ok(())
}

/// The deltas that are built on an object.
fn take(deltas: &mut HashMap<Base, Vec<usize>>, at: usize, id: Id) -> Vec<usize> {
    let mut children = deltas.remove(&Base::At(at)).unwrap_or_default();
    children.extend(deltas.remove(&Base::Named(id)).into_iter().flatten());
    children
}

/// Builds and tells all that stands on `base`, depth first.
fn build(
    pack: &[u8],
    kind: Kind,
    base: Vec<u8>,
    children: Vec<usize>,
    deltas: &mut HashMap<Base, Vec<usize>>,
    sink: &mut dyn Sink,
) -> io::Result<()> {
    let mut held = base.len();
    let mut stack = vec![(base, children)];
    while let Some((base, children)) = stack.last_mut() {
        let Some(at) = children.pop() else {
            held -= base.len();
            stack.pop();
            continue;
        };
        let content = match Object::read(pack, at).and_then(|(_, delta, _)| apply(base, &delta)) {
            Ok(content) => content,
            Err(flaw) => {
                flaw.say(sink);
                continue;
            }
        };
        let id = kind.id(&content);
        sink.object(kind, id, &content)?;
        if children.is_empty() {
            // Nothing more is built on it: a chain takes no more than two of its versions.
            held -= base.len();
            stack.pop();
        }
        let children = take(deltas, at, id);
        if held + content.len() > 2 * MOST_OBJECT {
            sink.limit("objects of git that are built on each other take more than 128 MiB: some were not built");
        } else if !children.is_empty() {
            held += content.len();
            stack.push((content, children));
        }
    }
    Ok(())
}

/// Why there is no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Damaged,
    TooLarge,
}

impl Flaw {
    fn say(self, sink: &mut dyn Sink) {
        match self {
            Flaw::Damaged => sink.flaw("an object in a pack of git is damaged"),
            Flaw::TooLarge => {
                sink.limit("an object in a pack of git is larger than 64 MiB: it and what follows or needs it was not unpacked")
            }
        }
    }
}

/// An object as a pack has it.
struct Object {
    /// What it is built on; where it is whole, what it is.
    base: Result<Base, Kind>,
}

impl Object {
    /// The object at this place, its bytes unpacked, and where it ends.
    fn read(pack: &[u8], at: usize) -> Result<(Object, Vec<u8>, usize), Flaw> {
        let (base, size, end) = Object::header(pack, at).ok_or(Flaw::Damaged)?;
        let (content, taken) = inflate(pack.get(end..).ok_or(Flaw::Damaged)?, size)?;
        Ok((Object { base }, content, end + taken))
    }

    /// What it is or is built on, its size, and where its packed bytes begin.
    fn header(pack: &[u8], at: usize) -> Option<(Result<Base, Kind>, usize, usize)> {
        let first = *pack.get(at)?;
        let (mut size, mut shift, mut end, mut byte) = (usize::from(first & 15), 4, at + 1, first);
        while byte & 0x80 != 0 {
            byte = *pack.get(end)?;
            size |= usize::from(byte & 0x7f).checked_shl(shift)?;
            (shift, end) = (shift + 7, end + 1);
        }
        let base = match first >> 4 & 7 {
            6 => {
                byte = *pack.get(end)?;
                let mut back = usize::from(byte & 0x7f);
                end += 1;
                while byte & 0x80 != 0 {
                    byte = *pack.get(end)?;
                    back = (back + 1).checked_mul(128)? | usize::from(byte & 0x7f);
                    end += 1;
                }
                Ok(Base::At(at.checked_sub(back)?))
            }
            7 => {
                let id = *pack.get(end..)?.first_chunk::<20>()?;
                end += 20;
                Ok(Base::Named(id))
            }
            number => Err(Kind::numbered(number)?),
        };
        Some((base, size, end))
    }
}

/// Exactly `size` bytes of a zlib stream, and how many bytes it took.
fn inflate(packed: &[u8], size: usize) -> Result<(Vec<u8>, usize), Flaw> {
    if size > MOST_OBJECT {
        return Err(Flaw::TooLarge);
    }
    let mut stream = Decompress::new(true);
    // A size is only a claim: room is made as it is needed.
    let mut content = Vec::with_capacity(size.min(FIRST_ROOM) + 1);
    loop {
        let taken = stream.total_in() as usize;
        match stream.decompress_vec(&packed[taken..], &mut content, FlushDecompress::None).map_err(|_| Flaw::Damaged)? {
            Status::StreamEnd => break,
            _ if content.len() > size || stream.total_in() as usize == taken && content.len() < content.capacity() => {
                return Err(Flaw::Damaged);
            }
            _ => content.reserve(1),
        }
    }
    if content.len() == size { Ok((content, stream.total_in() as usize)) } else { Err(Flaw::Damaged) }
}

/// What a delta makes of its base.
fn apply(base: &[u8], mut delta: &[u8]) -> Result<Vec<u8>, Flaw> {
    length(&mut delta).ok_or(Flaw::Damaged)?;
    let size = length(&mut delta).ok_or(Flaw::Damaged)?;
    if size > MOST_OBJECT { Err(Flaw::TooLarge) } else { made(base, delta, size).ok_or(Flaw::Damaged) }
}

/// Exactly `size` bytes, copied from the base and from the delta.
fn made(base: &[u8], mut delta: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut made = Vec::new();
    while let Some((code, rest)) = delta.split_first() {
        delta = rest;
        if code & 0x80 == 0 {
            let (text, rest) = delta.split_at_checked(usize::from(*code)).filter(|_| *code > 0)?;
            made.extend_from_slice(text);
            delta = rest;
        } else {
            let mut field = |bits: std::ops::Range<u8>| {
                let mut value = 0;
                for (byte, bit) in bits.enumerate() {
                    if code >> bit & 1 == 1 {
                        let (first, rest) = delta.split_first()?;
                        value |= usize::from(*first) << (8 * byte);
                        delta = rest;
                    }
                }
                Some(value)
            };
            let (from, count) = (field(0..4)?, field(4..7)?);
            made.extend_from_slice(base.get(from..)?.get(..if count == 0 { 0x10000 } else { count })?);
        }
        if made.len() > size {
            return None;
        }
    }
    (made.len() == size).then_some(made)
}

/// A number in seven bits a byte, the lowest first.
fn length(delta: &mut &[u8]) -> Option<usize> {
    let (mut value, mut shift) = (0usize, 0);
    loop {
        let (byte, rest) = delta.split_first()?;
        *delta = rest;
        value |= usize::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
}

/// The names in a tree, for whoever searches them.
pub fn names(tree: &[u8], sink: &mut dyn Sink) -> io::Result<()> {
    let names: Vec<u8> = entries(tree).flat_map(|(name, _)| [name, b"\n"].concat()).collect();
    sink.beside(HEADER, &mut &names[..])
}

#[cfg(test)]
mod tests {
    use super::super::tests::Told;
    use super::*;
    use std::io::Write;

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn object(kind: u8, base: &[u8], content: &[u8]) -> Vec<u8> {
        assert!(content.len() < 2048);
        [&[0x80 | kind << 4 | content.len() as u8 & 15, (content.len() >> 4) as u8][..], base, &zlib(content)].concat()
    }

    fn pack(objects: &[Vec<u8>]) -> Vec<u8> {
        [MAGIC, &(objects.len() as u32).to_be_bytes(), &objects.concat(), &[0; 20]].concat()
    }

    /// Copies `count` bytes from `from`, and puts `text` behind them.
    fn delta(base: usize, from: u8, count: u8, text: &[u8]) -> Vec<u8> {
        let size = usize::from(count) + text.len();
        [&[base as u8, size as u8, 0x80 | 0x01 | 0x10, from, count, text.len() as u8][..], text].concat()
    }

    #[test]
    fn deltas_on_deltas_are_built_whatever_their_order() {
        let first = b"the first version";
        let one = object(3, b"", first);
        let second = delta(first.len(), 0, 10, b"second");
        let by_name = object(7, &Kind::Blob.id(b"the first second"), &delta(16, 4, 12, b"!"));
        let two = object(6, &[(one.len() + by_name.len()) as u8], &second);
        let mut told = Told::default();
        walk(&mut &pack(&[one, by_name, two])[..], &mut told).expect("memory");
        let contents: Vec<&[u8]> = told.0.iter().map(|(_, content)| &content[..]).collect();
        assert_eq!(contents, [&first[..], b"the first second", b"first second!"]);
        assert_eq!(told.0[0].0, crate::digest::hex(&Kind::Blob.id(first)));
    }

    #[test]
    fn what_is_damaged_is_said_and_the_rest_is_told() {
        let lost = object(7, &[7; 20], &delta(3, 0, 1, b"x"));
        let bad = object(6, &[0], b"x");
        let mut told = Told::default();
        walk(&mut &pack(&[object(3, b"", b"fine"), lost, bad, vec![0xff; 30]])[..], &mut told).expect("memory");
        assert_eq!(told.0[0].1, b"fine");
        assert_eq!(told.0.iter().filter(|(name, _)| name == "flaw").count(), 2);
        // A claim of a size is no allocation.
        assert!(inflate(&zlib(b"small"), MOST_OBJECT).is_err());
        assert_eq!(inflate(&zlib(b"small"), MOST_OBJECT + 1), Err(Flaw::TooLarge));
    }

    #[test]
    fn a_loose_object_is_known_by_its_header() {
        assert_eq!(loose(b"blob 12\0abc"), Some((Kind::Blob, 8)));
        assert_eq!(loose(b"blob x\0abc"), None);
        let tree = [&b"100644 a.env\0"[..], &[1; 20], b"40000 dir\0", &[2; 20]].concat();
        assert_eq!(entries(&tree).collect::<Vec<_>>(), [(&b"a.env"[..], [1; 20]), (&b"dir"[..], [2; 20])]);
        assert_eq!(tree_of(format!("tree {}\nauthor", "01".repeat(20)).as_bytes()), Some([1; 20]));
    }
}
