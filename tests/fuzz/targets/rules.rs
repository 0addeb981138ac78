//! Rule files: any text is refused with a place, or makes rules that can be run.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pentimento::detect::{Detector, Medium, Text};
use pentimento::rules::RuleSet;

fuzz_target!(|data: &str| {
    let Ok(rules) = RuleSet::from_texts(&[("fuzz.toml".into(), data.into())]) else { return };
    let Ok(detector) = Detector::new(rules) else { return };
    let text = Text::whole(data.as_bytes(), b"app/.env", Medium::Text);
    for found in detector.scan(&text) {
        assert_eq!(&data.as_bytes()[found.offset as usize..][..found.secret.len()], found.secret.reveal());
    }
});
