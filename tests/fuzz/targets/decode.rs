//! Decompression: any bytes in any format. Nothing is lost at the end: what is behind the stream is what is left of the input.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pentimento::layer::compression::Compression;
use pentimento::layer::decoder::Decoder;
use std::io::Read;

fuzz_target!(|data: &[u8]| {
    let compression = Compression::sniff(&data[..data.len().min(Compression::SNIFFED)]);
    let mut decoder = Decoder::new(data, compression);
    let decoded = (&mut decoder).take(4 << 20).read_to_end(&mut Vec::new());
    let (aside, _) = decoder.take_aside();
    assert!(aside.len() <= data.len() * 2 + 64);
    let mut rest = Vec::new();
    decoder.into_rest().read_to_end(&mut rest).expect("memory");
    assert!(data.ends_with(&rest));
    if compression == Compression::None {
        assert!(decoded.expect("memory") + rest.len() == data.len());
    }
});
