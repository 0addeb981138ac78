//! The rule files of `patterns/`, put here by `patterns/embed.rs`.

include!(concat!(env!("OUT_DIR"), "/patterns.rs"));
