//! The tar reader: any bytes, read to the end. What it gives must come from the input, and its offsets must lie in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pentimento::layer::change::Change;
use pentimento::layer::tar::{Streamed, TarReader};
use std::io::Read;

fuzz_target!(|data: &[u8]| {
    let mut tar = TarReader::new(Streamed(data));
    let mut stored = 0;
    while let Some(header) = tar.next_entry().expect("memory") {
        let change = Change::of(&header);
        assert!(!change.path.starts_with(b"/") && !change.path.split(|b| *b == b'/').any(|part| part == b".."));
        assert!(header.offset as usize <= data.len(), "an entry at {} of {}", header.offset, data.len());
        // A sparse file may have holes of 64 MiB: a few bytes of each entry are enough here.
        stored += (&mut tar).take(1 << 12).read_to_end(&mut Vec::new()).expect("memory");
        assert!(stored <= data.len() + (64 << 20));
    }
    let (mut tail, at) = (Vec::new(), tar.offset() as usize);
    let mut buf = [0; 4096];
    while let Ok(n @ 1..) = tar.read_tail(&mut buf) {
        tail.extend_from_slice(&buf[..n]);
    }
    assert_eq!(tail, data[at..], "the tail is what is left");
});
