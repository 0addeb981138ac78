//! The whole scan: what a pipe gives and what a file gives is the same report.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use pentimento::source::Source;
use std::io::Write;

fuzz_target!(|data: &[u8]| {
    let mut file = tempfile::NamedTempFile::new_in("/dev/shm").expect("a file");
    file.write_all(data).expect("memory");
    let from_file = Source::open(&file.path().display().to_string(), &common::limits()).and_then(common::report);
    let from_pipe = common::report(Source::memory(data.to_vec()));
    match (from_file, from_pipe) {
        (Ok(file), Ok(pipe)) => {
            let findings = |report: &pentimento::report::Report| {
                let mut ids: Vec<_> = report.findings.iter().map(|f| format!("{} {:?} {:?}", f.id, f.location, f.fate)).collect();
                ids.sort();
                ids
            };
            assert_eq!(findings(&file), findings(&pipe));
            assert_eq!(file.complete, pipe.complete, "{:#?} {:#?}", file.problems, pipe.problems);
        }
        (Err(_), Err(_)) => {}
        (file, pipe) => panic!("from file {:?}, from pipe {:?}", file.err(), pipe.err()),
    }
});
