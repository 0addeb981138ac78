//! Tar headers byte by byte, for layers that no library would write. Names of whiteouts are put together here: `$wh` stands for the
//! prefix, so that no text of the repository is taken for a layer.

/// One block, or a few: a header and its content.
pub type Blocks = Vec<u8>;

/// What a header says; the rest is as Go's writer has it.
#[derive(Debug, Clone)]
pub struct Raw {
    pub name: Vec<u8>,
    pub kind: u8,
    pub data: Vec<u8>,
    pub link: Vec<u8>,
    pub size: Option<[u8; 12]>,
    pub magic: [u8; 8],
    pub mode: u32,
}

/// `$wh` in a name is the prefix of whiteouts.
pub fn named(name: &str) -> Vec<u8> {
    name.replace("$wh", concat!(".", "wh.")).into_bytes()
}

impl Raw {
    pub fn new(name: &str, kind: u8, data: impl AsRef<[u8]>) -> Raw {
        let data = data.as_ref().to_vec();
        Raw { name: named(name), kind, data, link: Vec::new(), size: None, magic: *b"ustar\x0000", mode: 0o644 }
    }

    pub fn link(mut self, target: &str) -> Raw {
        self.link = named(target);
        self
    }

    pub fn size(mut self, size: u64) -> Raw {
        let mut field = [0; 12];
        field.copy_from_slice(format!("{size:011o}\0").as_bytes());
        self.size = Some(field);
        self
    }

    pub fn blocks(&self) -> Blocks {
        let mut block = vec![0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.name[..self.name.len().min(100)]);
        put(100, format!("{:07o}\0", self.mode).as_bytes());
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, &self.size.unwrap_or_else(|| Raw::new("", 0, "").size(self.data.len() as u64).size.expect("a size")));
        put(136, b"14500000000\0");
        put(148, b"        ");
        put(156, &[self.kind]);
        put(157, &self.link[..self.link.len().min(100)]);
        put(257, &self.magic);
        put(329, b"0000000\0");
        put(337, b"0000000\0");
        seal(&mut block);
        block.extend_from_slice(&self.data);
        block.resize(block.len().next_multiple_of(512), 0);
        block
    }
}

/// Writes the checksum of a header block.
pub fn seal(block: &mut [u8]) {
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block[..512].iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

pub fn file(name: &str, data: impl AsRef<[u8]>) -> Blocks {
    Raw::new(name, b'0', data).blocks()
}

pub fn directory(name: &str) -> Blocks {
    Raw { mode: 0o755, ..Raw::new(&format!("{name}/"), b'5', "") }.blocks()
}

pub fn symlink(name: &str, target: &str) -> Blocks {
    Raw::new(name, b'2', "").link(target).blocks()
}

pub fn hard_link(name: &str, target: &str) -> Blocks {
    Raw::new(name, b'1', "").link(target).blocks()
}

/// A pax header (`x`, or `g` for a global one).
pub fn pax(kind: u8, records: &[(&str, &str)]) -> Blocks {
    let mut data = Vec::new();
    for (key, value) in records {
        let body = key.len() + value.len() + 3;
        let mut length = body + 1;
        while body + length.to_string().len() != length {
            length += 1;
        }
        data.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
    }
    Raw::new("PaxHeaders.0/x", kind, data).blocks()
}

/// GNU's header for a long name (`L`) or link (`K`).
pub fn gnu_long(kind: u8, name: &str) -> Blocks {
    Raw { magic: *b"ustar  \0", ..Raw::new("././@LongLink", kind, format!("{name}\0")) }.blocks()
}

/// A tar of these entries, with its end.
pub fn tar(entries: &[Blocks]) -> Vec<u8> {
    let mut tar = entries.concat();
    tar.extend_from_slice(&[0; 1024]);
    tar
}
