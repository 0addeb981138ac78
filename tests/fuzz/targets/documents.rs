//! Manifests and configs: the input is cut at NUL bytes into members that lead to each other.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use pentimento::digest::Digest;
use pentimento::source::Source;

/// The header of a member.
fn header(name: &str, size: usize) -> [u8; 512] {
    let mut block = [0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[148..156].copy_from_slice(b"        ");
    block[156] = b'0';
    block[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

fuzz_target!(|data: &[u8]| {
    let names = ["manifest.json", "index.json", "config.json", "a/json", "repositories", "b/json", "a/layer.tar"];
    let mut archive = Vec::new();
    for (index, text) in data.split(|b| *b == 0).take(12).enumerate() {
        // A document may name the ones behind it by their place: `@3` stands for the digest of the fourth.
        let mut text = String::from_utf8_lossy(text).into_owned();
        for (other, bytes) in data.split(|b| *b == 0).take(12).enumerate().skip(index + 1) {
            text = text.replace(&format!("@{other}"), &Digest::sha256(bytes).to_string());
        }
        let name = names.get(index).map_or_else(|| Digest::sha256(text.as_bytes()).blob_path(), |name| (*name).to_owned());
        archive.extend_from_slice(&header(&name, text.len()));
        archive.extend_from_slice(text.as_bytes());
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.extend_from_slice(&[0; 1024]);
    let _ = common::report(Source::memory(archive));
});
