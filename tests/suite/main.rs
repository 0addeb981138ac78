//! The tests that see pentimento from outside, as one binary. Set `PENTIMENTO_TEST_BIN` to run them against another build.

#![allow(clippy::expect_used)]

mod support;

mod allow;
mod canonical;
mod command;
mod detection;
mod documents;
mod engines;
mod explain;
mod fates;
mod forensics;
mod hostile;
mod import;
mod layouts;
mod matrix;
mod memory;
mod nested;
mod opened;
mod origin;
mod pairs;
mod policy;
mod posture;
mod prefilter;
mod properties;
mod raw;
mod recover;
mod registry;
mod reports;
mod rewind;
mod rules;
mod samples;
mod server;
mod sources;
mod streams;
