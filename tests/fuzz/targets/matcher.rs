//! Any bytes: what is looked for first changes no match.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pentimento::detect::{Detector, Match, Medium, Text};
use pentimento::rules::RuleSet;
use std::sync::LazyLock;

static FAST: LazyLock<Detector> = LazyLock::new(|| Detector::new(RuleSet::builtin().unwrap()).unwrap());
static SLOW: LazyLock<Detector> = LazyLock::new(|| Detector::exhaustive(RuleSet::builtin().unwrap()).unwrap());

fn told(found: Vec<Match>) -> Vec<String> {
    found.into_iter().map(|found| format!("{} {} {} {:?}", found.rule, found.offset, found.secret.len(), found.confidence)).collect()
}

fuzz_target!(|bytes: &[u8]| {
    for medium in [Medium::Text, Medium::Binary, Medium::Metadata] {
        let text = Text::whole(bytes, b"srv/app/.env", medium);
        assert_eq!(told(FAST.scan(&text)), told(SLOW.scan(&text)));
    }
});
