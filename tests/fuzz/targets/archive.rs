//! The outer archive, packed or not, read as a pipe is.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use pentimento::source::Source;

fuzz_target!(|data: &[u8]| {
    let _ = common::report(Source::memory(data.to_vec()));
});
