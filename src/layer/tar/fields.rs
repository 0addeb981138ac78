//! The fields of tar headers (POSIX.1-2017 ustar and pax, GNU tar).

use super::BLOCK;
use crate::text::percent_decode;

/// True if a block carries a valid tar header checksum (the unsigned sum of POSIX, or the signed one of old tars).
pub fn checksum_holds(block: &[u8]) -> bool {
    let Some(stored) = block.get(148..156).and_then(number) else { return false };
    let byte = |at: usize, b: u8| if (148..156).contains(&at) { b' ' } else { b };
    let unsigned: u64 = block[..BLOCK].iter().enumerate().map(|(at, b)| u64::from(byte(at, *b))).sum();
    let signed: i64 = block[..BLOCK].iter().enumerate().map(|(at, b)| i64::from(byte(at, *b) as i8)).sum();
    stored == unsigned || i64::try_from(stored) == Ok(signed)
}

/// A numeric field: octal with spaces and NULs around it, or base-256 if the first byte's high bit is set. `None` if it is neither,
/// is negative, or does not fit.
pub fn number(field: &[u8]) -> Option<u64> {
    if field.first()? & 0x80 != 0 {
        if field[0] & 0x40 != 0 {
            return None;
        }
        let first = u64::from(field[0] & 0x3f);
        return field[1..].iter().try_fold(first, |n, b| n.checked_mul(256)?.checked_add(u64::from(*b)));
    }
    let text = until_nul(field).trim_ascii();
    text.iter().try_fold(0u64, |n, b| match b {
        b'0'..=b'7' => n.checked_mul(8)?.checked_add(u64::from(b - b'0')),
        _ => None,
    })
}

/// How many bytes are missing to a whole block.
pub fn padding(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}

/// A text field up to its NUL.
pub fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|b| *b == 0).next().unwrap_or_default()
}

/// Name and, for POSIX headers, prefix. GNU headers keep times where POSIX has the prefix.
pub fn ustar_name(block: &[u8; BLOCK]) -> Vec<u8> {
    let name = until_nul(&block[..100]);
    let prefix = if is_posix(block) { until_nul(&block[345..500]) } else { b"" };
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

fn is_posix(block: &[u8; BLOCK]) -> bool {
    &block[257..263] == b"ustar\0"
}

/// Fields that hold numbers, by their begin and end; the last three pairs only in GNU headers, the map only in those of sparse files.
const NUMBERS: [(usize, usize); 7] = [(100, 108), (108, 116), (116, 124), (124, 136), (136, 148), (329, 337), (337, 345)];
const GNU_NUMBERS: [(usize, usize); 3] = [(345, 357), (357, 369), (369, 381)];

/// The whole header, if there is text in it where tools write none and look for none: behind the NUL of a name, in numbers that are
/// none, in long names of owner and group, in unused places. Empty otherwise.
pub fn residue(block: &[u8; BLOCK], kind: u8) -> Vec<u8> {
    let mut rest = *block;
    let text = |from: usize, to: usize| (from, from + until_nul(&block[from..to]).len());
    let mut explained = vec![text(0, 100), (148, 157), (257, 265)];
    explained.extend(matches!(kind, b'1' | b'2').then(|| text(157, 257)));
    let mut numbers = NUMBERS.to_vec();
    if is_posix(block) {
        explained.push(text(345, 500));
    } else {
        numbers.extend(GNU_NUMBERS);
        if kind == b'S' {
            numbers.extend((386..482).step_by(12).map(|at| (at, at + 12)).chain([(483, 495)]));
        }
    }
    explained.extend(numbers.into_iter().filter(|(from, to)| number(&block[*from..*to]).is_some()));
    // An ordinary name of an owner is short.
    explained.extend([text(265, 297), text(297, 329)].into_iter().filter(|(from, to)| to - from <= 8));
    for (from, to) in explained {
        rest[from..to].fill(0);
    }
    if rest.iter().filter(|b| b.is_ascii_graphic()).count() >= 8 { block.to_vec() } else { Vec::new() }
}

/// Key and value of a pax record.
pub type Record = (Vec<u8>, Vec<u8>);

/// The records `length key=value\n` of a pax header. A record with an impossible length ends the list; the second value is what
/// stands behind it.
pub fn pax_records(mut data: &[u8]) -> (Vec<Record>, &[u8]) {
    let mut records = Vec::new();
    while let Some(space) = data.iter().take(20).position(|b| *b == b' ') {
        let length = std::str::from_utf8(&data[..space]).ok().and_then(|n| n.parse::<usize>().ok());
        let Some(record) = length.filter(|n| *n > space + 1).and_then(|n| data.get(space + 1..n - 1)) else { break };
        let equals = record.iter().position(|b| *b == b'=').unwrap_or(record.len());
        records.push((record[..equals].to_vec(), record.get(equals + 1..).unwrap_or_default().to_vec()));
        data = data.get(space + 1 + record.len() + 1..).unwrap_or_default();
    }
    (records, data)
}

/// A decimal number of a pax record.
pub fn decimal(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// `LIBARCHIVE.xattr.`: a percent-encoded name and a base64 value (libarchive, archive_write_set_format_pax.c).
pub fn libarchive_xattr(name: &[u8], value: &[u8]) -> (Vec<u8>, Vec<u8>) {
    use base64::Engine;
    let lenient = base64::engine::GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        base64::engine::GeneralPurposeConfig::new().with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
    );
    (percent_decode(name), lenient.decode(value).unwrap_or_else(|_| value.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b" 644 \0\0\0"), Some(0o644));
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]), Some(256));
        assert_eq!(number(&[0xff; 12]), None);
        assert_eq!(number(&[0xbf; 12]), None);
        assert_eq!(number(b"12x"), None);
    }

    #[test]
    fn pax_records_hold_any_bytes_and_end_where_a_length_lies() {
        let (records, rest) = pax_records(b"12 path=\xc3\xbcn\n8 a=b\nc\n99 x=y\n");
        assert_eq!(records, [(b"path".to_vec(), "ün".into()), (b"a".to_vec(), b"b\nc".to_vec())]);
        assert_eq!(rest, b"99 x=y\n");
        assert_eq!(libarchive_xattr(b"user.a%20b", b"aGk"), (b"user.a b".to_vec(), b"hi".to_vec()));
    }

    #[test]
    fn text_behind_a_name_shows() {
        let mut block = [0; BLOCK];
        block[..26].copy_from_slice(b"name\0hidden behind the NUL");
        block[257..263].copy_from_slice(b"ustar\0");
        block[265..269].copy_from_slice(b"root");
        assert_eq!(residue(&block, b'0'), block);
        block[5..26].fill(0);
        assert_eq!(residue(&block, b'0'), b"");
        block[100..124].copy_from_slice(b"text in place of numbers");
        assert_eq!(residue(&block, b'0'), block);
    }
}
