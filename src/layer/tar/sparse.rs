//! Sparse files: where the stored fragments belong (GNU tar manual, "Storing Sparse Files"; formats.md, part 7.2).

use super::BLOCK;
use super::fields::{decimal, number};
use std::collections::VecDeque;

/// The most fragments of one file that are placed.
pub const MAX_FRAGMENTS: usize = 1 << 17;

/// Offset in the file and stored bytes of each fragment.
pub type Fragments = Vec<(u64, u64)>;

/// The map of one file under way: what is stored, and the holes between.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sparse {
    /// Offset in the file and stored bytes, ascending.
    fragments: VecDeque<(u64, u64)>,
    /// The file's own size.
    real_size: u64,
    /// The position in the file.
    at: u64,
}

/// What comes next in a sparse file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// So many zeros that are not stored.
    Hole(u64),
    /// So many stored bytes.
    Data(u64),
    /// The end.
    End,
}

impl Sparse {
    /// A map, if it can be one: fragments in order, without overlap, and as many bytes as are `stored`.
    pub fn new(fragments: impl IntoIterator<Item = (u64, u64)>, real_size: u64, stored: u64) -> Option<Sparse> {
        let mut map = Sparse { real_size, ..Sparse::default() };
        let (mut end, mut sum) = (0u64, 0u64);
        for (offset, length) in fragments.into_iter().filter(|(_, length)| *length > 0) {
            if offset < end || map.fragments.len() == MAX_FRAGMENTS {
                return None;
            }
            end = offset.checked_add(length)?;
            sum = sum.checked_add(length)?;
            map.fragments.push_back((offset, length));
        }
        (sum == stored && end <= real_size.max(end)).then_some(map)
    }

    /// What comes next.
    pub fn next(&self) -> Run {
        match self.fragments.front() {
            Some((offset, _)) if *offset > self.at => Run::Hole(offset - self.at),
            Some((offset, length)) => Run::Data(offset + length - self.at),
            None if self.real_size > self.at => Run::Hole(self.real_size - self.at),
            None => Run::End,
        }
    }

    /// Goes on by `n` bytes of what [`Sparse::next`] gave.
    pub fn advance(&mut self, n: u64) {
        self.at += n;
        if self.fragments.front().is_some_and(|(offset, length)| offset + length == self.at) {
            self.fragments.pop_front();
        }
    }
}

/// The entries `offset, size` of a row of 24 bytes each, as old GNU headers have them.
pub fn old_gnu_entries(field: &[u8]) -> impl Iterator<Item = (u64, u64)> {
    field.chunks_exact(24).map_while(|entry| Some((number(&entry[..12])?, number(&entry[12..])?)))
}

/// Text in a block of an old GNU map, which has room for 21 numbers of each kind and a flag; empty if there is none.
pub fn residue(map: &[u8]) -> Vec<u8> {
    let numbers = map[..504].chunks_exact(12).all(|field| number(field).is_some());
    if numbers && map[505..].iter().all(|b| *b == 0) { Vec::new() } else { map.to_vec() }
}

/// The map in the pax records of format 0.0 (a record a number) and 0.1 (`offset,size,…`).
pub fn in_records<'a>(records: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Fragments {
    let (mut numbers, mut map) = (Vec::new(), Vec::new());
    for (key, value) in records {
        match key {
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => numbers.extend(decimal(value)),
            b"GNU.sparse.map" => map = value.split(|b| *b == b',').map_while(decimal).collect(),
            _ => {}
        }
    }
    let numbers = if map.is_empty() { numbers } else { map };
    numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

/// The map that stands in front of the data in format 1.0 (lines of decimal numbers, the first their count; then it is filled up to a
/// block), and the length of its text in bytes. `None` while there is not all of it, `Some(None)` if it is none.
pub fn in_data(data: &[u8]) -> Option<Option<(Fragments, usize)>> {
    let mut length = 0;
    let mut next = || {
        let line = data[length..].split(|b| *b == b'\n').next().filter(|line| length + line.len() < data.len())?;
        length += line.len() + 1;
        Some(decimal(line))
    };
    let count = match next()? {
        Some(count) if count <= MAX_FRAGMENTS as u64 => count,
        _ => return Some(None),
    };
    let mut fragments = Vec::new();
    for _ in 0..count {
        match (next()?, next()?) {
            (Some(offset), Some(stored)) => fragments.push((offset, stored)),
            _ => return Some(None),
        }
    }
    Some(Some((fragments, length)))
}

/// The bytes that a map in the data may take, in whole blocks: a line has at most 21 bytes.
pub const MAX_MAP_IN_DATA: usize = (MAX_FRAGMENTS * 2 + 1) * 21 / BLOCK * BLOCK + BLOCK;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_walked_run_by_run() {
        let mut map = Sparse::new([(2, 3), (8, 1), (10, 0)], 10, 4).expect("a map");
        let mut runs = Vec::new();
        loop {
            let run = map.next();
            runs.push(run);
            match run {
                Run::Hole(n) | Run::Data(n) => map.advance(n),
                Run::End => break,
            }
        }
        assert_eq!(runs, [Run::Hole(2), Run::Data(3), Run::Hole(3), Run::Data(1), Run::Hole(1), Run::End]);
    }

    #[test]
    fn maps_that_cannot_be_are_none() {
        for fragments in [vec![(4, 4), (0, 4)], vec![(0, 5), (4, 3)], vec![(0, 7)], vec![(u64::MAX, 8)]] {
            assert_eq!(Sparse::new(fragments, 8, 8), None);
        }
    }

    #[test]
    fn maps_in_records_and_in_data() {
        let records: [(&[u8], &[u8]); 4] =
            [(b"GNU.sparse.offset", b"0"), (b"GNU.sparse.numbytes", b"4"), (b"GNU.sparse.offset", b"9"), (b"GNU.sparse.numbytes", b"1")];
        assert_eq!(in_records(records.into_iter()), [(0, 4), (9, 1)]);
        assert_eq!(in_records([(&b"GNU.sparse.map"[..], &b"0,4,9,1"[..])].into_iter()), [(0, 4), (9, 1)]);
        assert_eq!(in_data(b"2\n0\n4\n9\n1\n\0\0"), Some(Some((vec![(0, 4), (9, 1)], 10))));
        assert_eq!(in_data(b"2\n0\n4\n9"), None);
        assert_eq!(in_data(b"x\n"), Some(None));
    }
}
