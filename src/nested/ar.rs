//! Unix ar, in the variants of GNU and BSD (ar(5) of FreeBSD; deb(5)).

use super::{HEADER, REST, Sink, block, pass_over};
use crate::layer::tar::until_nul;
use std::io::{self, Read};

/// How an archive begins.
pub const MAGIC: &[u8] = b"!<arch>\n";
/// The longest table of long names, and the longest name of BSD, that is kept. In bytes.
const MOST_NAMES: u64 = 1 << 20;
const HEADER_SIZE: usize = 60;

/// See [`super::walk`].
pub fn walk(reader: &mut dyn Read, sink: &mut dyn Sink) -> io::Result<()> {
    block::<{ MAGIC.len() }>(reader)?;
    let mut long_names = Vec::new();
    while let Some(header) = block::<HEADER_SIZE>(reader)? {
        let Some(size) = decimal(&header[48..58]).filter(|_| header.ends_with(b"`\n")) else {
            sink.flaw("a header of an ar archive is damaged");
            return sink.beside(REST, &mut (&header[..]).chain(reader));
        };
        let mut content = reader.take(size);
        let stored = header[..16].trim_ascii_end();
        let name = match stored {
            b"//" => {
                content.by_ref().take(MOST_NAMES).read_to_end(&mut long_names)?;
                sink.beside(HEADER, &mut (&long_names[..]).chain(&mut content))?;
                b"//".to_vec()
            }
            [b'#', b'1', b'/', length @ ..] => {
                let mut name = Vec::new();
                content.by_ref().take(decimal(length).unwrap_or(0).min(MOST_NAMES)).read_to_end(&mut name)?;
                name
            }
            [b'/', at @ ..] if decimal(at).is_some() => long_name(&long_names, at).unwrap_or(stored).to_vec(),
            _ => stored.strip_suffix(b"/").unwrap_or(stored).to_vec(),
        };
        sink.beside(HEADER, &mut &name[..])?;
        if stored != b"//" {
            sink.member(until_nul(&name), size, &mut content)?;
        }
        pass_over(&mut content)?;
        // Members begin at even places.
        pass_over(&mut reader.take(size % 2))?;
    }
    Ok(())
}

/// A name of GNU's table: it ends with `/` and a line end.
fn long_name<'a>(table: &'a [u8], at: &[u8]) -> Option<&'a [u8]> {
    let rest = table.get(usize::try_from(decimal(at)?).ok()?..)?;
    let line = rest.split(|b| *b == b'\n').next()?;
    Some(line.strip_suffix(b"/").unwrap_or(line))
}

fn decimal(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field.trim_ascii()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::tests::members;
    use super::super::{Format, walk};

    fn member(name: &str, content: &str) -> String {
        let padding = if content.len() % 2 == 1 { "\n" } else { "" };
        format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n{content}{padding}", 0, 0, 0, "100644", content.len())
    }

    #[test]
    fn members_have_their_names_in_all_variants() {
        let table = "a-name-that-is-too-long.txt/\nanother-one-of-these.txt/\n";
        let text = [
            "!<arch>\n".to_owned(),
            member("debian-binary", "2.0\n"),
            member("//", table),
            member("/29", "long"),
            member("short.txt/", "odd"),
            member("#1/20", "a-name-of-bsd.txt\0\0\0bsd"),
        ];
        let wanted = [("debian-binary", "2.0\n"), ("another-one-of-these.txt", "long"), ("short.txt", "odd"), ("a-name-of-bsd.txt", "bsd")];
        assert_eq!(members(Format::Ar, text.concat().as_bytes()), wanted.map(|(n, c)| (n.to_owned(), c.to_owned())));
    }

    #[test]
    fn what_follows_a_damaged_header_is_given_as_it_is() {
        let text = ["!<arch>\n", &member("a", "one\n"), &"secret ".repeat(10)].concat();
        let mut told = super::super::tests::Told::default();
        walk(Format::Ar, &mut text.as_bytes(), &mut told).expect("memory");
        assert_eq!(told.0.last(), Some(&("#rest".to_owned(), "secret ".repeat(10).into_bytes())));
    }
}
