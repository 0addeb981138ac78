//! Memory does not grow with the image.

#![cfg(target_os = "linux")]

use crate::support::program;
use std::io::Write;
use std::process::{Command, Stdio};

/// Scans a stream with one layer of `megabytes` of text, and returns the peak of its anonymous memory in KiB.
fn peak(megabytes: usize) -> u64 {
    let mut child = Command::new(program())
        .args(["scan", "-", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let chunk: Vec<u8> = b"a line of ordinary text, which holds no secret at all\n".iter().copied().cycle().take(1 << 20).collect();
    let mut header = tar::Header::new_gnu();
    let size = (megabytes << 20) as u64;
    header.set_size(size + 512);
    header.set_path("layer.tar").expect("a name");
    header.set_cksum();
    stdin.write_all(header.as_bytes()).expect("the pipe");
    header.set_size(size);
    header.set_path("big.log").expect("a name");
    header.set_cksum();
    stdin.write_all(header.as_bytes()).expect("the pipe");
    for _ in 0..megabytes {
        stdin.write_all(&chunk).expect("the pipe");
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let anonymous = text.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = peak.max(anonymous.unwrap_or(0));
    }
    drop(stdin);
    child.wait().expect("the program ends");
    peak
}

#[test]
fn memory_is_bounded_whatever_the_size() {
    let (small, large) = (peak(24), peak(96));
    assert!(small > 0, "nothing was measured");
    assert!(large < 200 << 10, "{large} KiB");
    assert!(large < small + (20 << 10), "{small} KiB for 24 MB, {large} KiB for 96 MB");
}
