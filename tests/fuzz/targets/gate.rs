//! What somebody writes beside an image: Dockerfiles (with a history that they may fit), configurations, ignores, baselines, names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pentimento::dockerfile::{Dockerfile, align};
use pentimento::image::history::Step;
use pentimento::policy::{Baseline, Config, Ignore, glob};
use pentimento::source::reference::Reference;

fuzz_target!(|data: &[u8]| {
    let parts: Vec<String> = data.split(|b| *b == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    let Some((first, rest)) = parts.split_first() else { return };
    if let Ok(dockerfile) = Dockerfile::parse(first) {
        let lines = first.lines().count();
        let steps: Vec<Step> =
            rest.iter().map(|text| Step { instruction: text.clone(), empty: text.len() % 2 == 0, comment: String::new() }).collect();
        if let Some(alignment) = align(&dockerfile, &steps) {
            for step in 0..steps.len() {
                if let Some(instruction) = alignment.step(step) {
                    assert!(instruction.line >= 1 && instruction.line <= instruction.end_line && instruction.end_line as usize <= lines);
                }
            }
        }
    }
    let _ = (Config::read("c", first), Ignore::lines("i", first), Baseline::read("b", first), glob(first));
    if let Ok(reference) = Reference::parse(first) {
        // What is a reference is one again under its whole name.
        if let (Some(repository), Some(tag)) = (&reference.repository, &reference.tag) {
            let again = Reference::parse(&reference.name(repository, tag)).expect("a reference");
            assert_eq!((&again.host, &again.repository, &again.tag), (&reference.host, &reference.repository, &reference.tag));
        }
    }
});
