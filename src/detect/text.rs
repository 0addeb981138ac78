//! What is searched.

use super::place::{Place, place};
use std::ops::Range;

/// A text to search.
#[derive(Debug, Clone)]
pub struct Text<'a> {
    /// The window: context, own bytes, context.
    pub bytes: &'a [u8],
    /// The part of `bytes` whose matches are wanted: those whose secret begins in it.
    pub own: Range<usize>,
    /// The path of the file, for rules that look at it; empty if there is none.
    pub path: &'a [u8],
    /// True if `bytes` is the whole file.
    pub whole: bool,
    /// What kind of text it is.
    pub medium: Medium,
    pub(super) place: Place,
}

/// What kind of text is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// A file with text in it.
    Text,
    /// A file that is no text: assignments in it mean little.
    Binary,
    /// A value of an image's configuration or history.
    Metadata,
}

impl<'a> Text<'a> {
    /// A whole text.
    pub fn whole(bytes: &'a [u8], path: &'a [u8], medium: Medium) -> Text<'a> {
        Text { bytes, own: 0..bytes.len(), path, whole: true, medium, place: place(path) }
    }

    /// A part of a larger one: of `bytes`, the matches in `own` are wanted.
    pub fn part(bytes: &'a [u8], own: Range<usize>, path: &'a [u8], medium: Medium) -> Text<'a> {
        Text { own, whole: false, ..Text::whole(bytes, path, medium) }
    }
}

impl Medium {
    /// Text or binary, by the first KiB: a NUL byte makes it binary.
    pub fn sniff(bytes: &[u8]) -> Medium {
        if memchr::memchr(0, &bytes[..bytes.len().min(1024)]).is_some() { Medium::Binary } else { Medium::Text }
    }
}
