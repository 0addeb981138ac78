//! A layer's bytes: what they are packed in, the tar in them, and what each member changes.

pub mod change;
pub mod compression;
pub mod decoder;
pub mod input;
mod lz4;
pub mod path;
pub mod tar;
