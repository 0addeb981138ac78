//! The parts of a scan, each alone and on generated content: `cargo bench --bench parts [-- NAME]`.
//!
//! Numbers of one machine mean little to another; criterion compares a run with the one before.

#![allow(clippy::expect_used)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pentimento::detect::{Detector, Medium, Text};
use pentimento::digest::ContentHasher;
use pentimento::layer::change::{ChangeKind, FileType};
use pentimento::layer::compression::Compression;
use pentimento::layer::decoder::Decoder;
use pentimento::layer::tar::{Streamed, TarReader};
use pentimento::layer_scan::{LayerScan, NewEntry, Spelling};
use pentimento::limits::{Effort, Limits};
use pentimento::rules::RuleSet;
use pentimento::timeline::lives;
use std::hint::black_box;
use std::io::{self, Read, Write};

const SIZE: usize = 4 << 20;

/// Numbers that look random, the same each time.
fn numbers() -> impl Iterator<Item = u64> {
    std::iter::successors(Some(0x9e37_79b9_7f4a_7c15u64), |state| {
        let mut next = *state;
        next ^= next << 13;
        next ^= next >> 7;
        Some(next ^ next << 17)
    })
}

/// Lines as programs have them: words, some of them names that may hold a secret, numbers, calls.
fn program() -> Vec<u8> {
    const WORDS: &[&str] =
        &["return", "value", "self.key", "token", "for item in", "config", "request.path", "import", "password", "user", "x"];
    let mut text = Vec::new();
    let mut numbers = numbers();
    while text.len() < SIZE {
        for number in numbers.by_ref().take(6) {
            text.extend_from_slice(WORDS[number as usize % WORDS.len()].as_bytes());
            text.extend_from_slice([" ", " = ", "(", "): ", ", ", " "][(number >> 8) as usize % 6].as_bytes());
        }
        writeln!(text, "{}", numbers.next().unwrap_or_default() % 1000).expect("memory");
    }
    text
}

/// A list of digests, which are values for many rules.
fn digests() -> Vec<u8> {
    let mut text = Vec::new();
    let mut numbers = numbers();
    while let (true, Some(a), Some(b)) = (text.len() < SIZE, numbers.next(), numbers.next()) {
        writeln!(text, "{a:016x}{b:016x}  usr/share/doc/package-{}/copyright", a % 1000).expect("memory");
    }
    text
}

/// Machine code, in so far as nothing repeats, and names between.
fn binary() -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in numbers().take(SIZE / 10) {
        bytes.extend_from_slice(&number.to_le_bytes()[..(number % 8) as usize]);
        bytes.extend_from_slice(if number % 16 == 0 { b"_ZN4core3fmt9Formatter9write_str\0" } else { &[0; 5] });
    }
    bytes
}

fn matching(criterion: &mut Criterion) {
    let detector = Detector::new(RuleSet::builtin().expect("rules")).expect("a detector");
    let mut group = criterion.benchmark_group("matching");
    for (name, bytes, medium) in
        [("program", program(), Medium::Text), ("digests", digests(), Medium::Text), ("binary", binary(), Medium::Binary)]
    {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| detector.scan(&Text::whole(black_box(&bytes), b"", medium))));
    }
    group.finish();
}

fn rules(criterion: &mut Criterion) {
    criterion.bench_function("rules/read", |bencher| bencher.iter(|| RuleSet::builtin().expect("rules")));
    criterion.bench_function("rules/prefilter", |bencher| {
        bencher.iter_batched(
            || RuleSet::builtin().expect("rules"),
            |rules| Detector::new(rules).expect("a detector"),
            BatchSize::LargeInput,
        )
    });
}

fn decode(criterion: &mut Criterion) {
    let text = program();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&text).expect("memory");
    let packed = [
        ("gzip", Compression::Gzip, gzip.finish().expect("memory")),
        ("zstd", Compression::Zstd, zstd::encode_all(&text[..], 3).expect("memory")),
    ];
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Bytes(text.len() as u64));
    for (name, compression, packed) in packed {
        group.bench_function(name, |bencher| {
            bencher.iter(|| io::copy(&mut Decoder::new(&packed[..], compression), &mut io::sink()).expect("memory"))
        });
    }
    group.finish();
}

fn tar_walk(criterion: &mut Criterion) {
    const ENTRIES: u64 = 10_000;
    let mut builder = tar::Builder::new(Vec::new());
    for entry in 0..ENTRIES {
        let mut header = tar::Header::new_ustar();
        header.set_size(700);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, format!("usr/share/some/directory/{}/file-{entry}", entry / 100), &[b'x'; 700][..])
            .expect("memory");
    }
    let archive = builder.into_inner().expect("memory");
    let mut group = criterion.benchmark_group("tar");
    group.throughput(Throughput::Elements(ENTRIES));
    group.bench_function("walk", |bencher| {
        bencher.iter(|| {
            let mut tar = TarReader::new(Streamed(&archive[..]));
            let mut content = Vec::new();
            while tar.next_entry().expect("memory").is_some() {
                content.clear();
                tar.read_to_end(&mut content).expect("memory");
            }
        })
    });
    group.finish();
}

fn timeline(criterion: &mut Criterion) {
    const LAYERS: usize = 60;
    let layer = |number: usize| {
        let mut scan = LayerScan::default();
        for file in 0..1000 {
            let path = format!("usr/lib/{}/{}", file / 50, if file % 2 == 0 { file } else { file * LAYERS + number });
            let kind = ChangeKind::Put(FileType::Regular);
            let new = NewEntry { path: path.as_bytes(), target: b"", kind, spelling: Spelling::Plain, mode: 0o644, size: 3, offset: 0 };
            let entry = scan.push(&new).expect("room");
            let mut hasher = ContentHasher::default();
            hasher.update(&[file as u8, number as u8]);
            scan.set_content(entry, hasher.finish());
        }
        scan.finish();
        scan
    };
    let scans: Vec<LayerScan> = (0..LAYERS).map(layer).collect();
    let layers: Vec<Option<&LayerScan>> = scans.iter().map(Some).collect();
    let wanted: Vec<Vec<u32>> = (0..LAYERS).map(|_| (0..1000).step_by(100).collect()).collect();
    criterion.bench_function("timeline/60 layers", |bencher| {
        bencher.iter(|| lives(&layers, black_box(&wanted), &mut Effort::regardless(&Limits::default(), LAYERS * 1000)))
    });
}

criterion_group!(benches, matching, rules, decode, tar_walk, timeline);
criterion_main!(benches);
