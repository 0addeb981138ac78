//! Files in which nothing was found: the same content at the same path, in another layer or image, need not be searched again.

use crate::digest::ContentHash;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// So many are remembered. An ordinary image has some ten thousand.
const MOST: usize = 500_000;

/// What was searched in vain, by content and path ([`crate::digest::ContentHasher::at`]).
#[derive(Debug, Default)]
pub struct Clean(Mutex<HashSet<ContentHash>>);

impl Clean {
    /// From this size on, in bytes, a file is looked up: to search a smaller one takes no longer.
    pub const LEAST: usize = 512;

    /// Adds some.
    pub fn extend(&self, files: Vec<ContentHash>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MOST.saturating_sub(known.len());
        known.extend(files.into_iter().take(room));
    }

    /// True if nothing was found there.
    pub fn has(&self, file: &ContentHash) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(file)
    }
}
