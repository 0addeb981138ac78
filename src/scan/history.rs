//! Commits and trees of git, as far as they came by: where in a repository a blob stood.

use crate::digest::{hex, unhex};
use crate::nested::git::{Id, Kind, entries, tree_of};
use crate::text::exact;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// The most entries of trees that are kept of one layer.
const MOST: usize = 500_000;
/// The deepest directory.
const DEEPEST: usize = 100;
/// Digits of a commit's name that are told.
const DIGITS: usize = 12;

/// What is known of the history of repositories.
#[derive(Default)]
pub struct History {
    /// Of a blob or tree, a tree that it is in and its name there: the first by name, whatever the order in which they came by.
    within: HashMap<Id, (Id, Box<[u8]>)>,
    /// Of a tree, a commit whose root it is: the first by name.
    roots: HashMap<Id, Id>,
}

impl History {
    /// Takes note of a commit or tree.
    pub fn add(&mut self, kind: Kind, id: Id, content: &[u8]) {
        match kind {
            Kind::Commit => tree_of(content).into_iter().for_each(|tree| self.root(tree, id)),
            Kind::Tree => {
                entries(content).for_each(|(name, child)| self.child(child, (id, name.into())));
            }
            Kind::Blob | Kind::Tag => {}
        }
    }

    /// Adds what another walk came by.
    pub fn merge(&mut self, other: History) {
        other.within.into_iter().for_each(|(child, place)| self.child(child, place));
        other.roots.into_iter().for_each(|(tree, commit)| self.root(tree, commit));
    }

    fn root(&mut self, tree: Id, commit: Id) {
        self.roots.entry(tree).and_modify(|known| *known = commit.min(*known)).or_insert(commit);
    }

    fn child(&mut self, child: Id, place: (Id, Box<[u8]>)) {
        let full = self.within.len() >= MOST;
        match self.within.entry(child) {
            Entry::Occupied(mut known) if place < *known.get() => drop(known.insert(place)),
            Entry::Vacant(free) if !full => drop(free.insert(place)),
            _ => {}
        }
    }

    /// Where a blob stood, as git takes it: the beginning of a commit's name, a colon, and a path.
    pub fn place(&self, blob: &[u8]) -> Option<Box<[u8]>> {
        let mut id: Id = unhex(blob)?;
        let mut names: Vec<String> = Vec::new();
        while names.len() < DEEPEST {
            if let Some(commit) = self.roots.get(&id).filter(|_| !names.is_empty()) {
                names.reverse();
                return Some(format!("{}:{}", &hex(commit)[..DIGITS], names.join("/")).into_bytes().into());
            }
            let (tree, name) = self.within.get(&id)?;
            names.push(exact(name));
            id = *tree;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_placed_by_its_commit_and_path() {
        let mut history = History::default();
        history.add(Kind::Tree, [3; 20], &[&b"100644 .env\0"[..], &[4; 20]].concat());
        history.add(Kind::Tree, [2; 20], &[&b"40000 config\0"[..], &[3; 20]].concat());
        history.add(Kind::Commit, [1; 20], format!("tree {}\n", "02".repeat(20)).as_bytes());
        assert_eq!(history.place("04".repeat(20).as_bytes()).as_deref(), Some(&b"010101010101:config/.env"[..]));
        assert_eq!(history.place("05".repeat(20).as_bytes()), None);
        // Another tree with the same blob, in whatever order.
        let other = |history: &mut History| history.add(Kind::Tree, [9; 20], &[&b"100644 z\0"[..], &[4; 20]].concat());
        let mut reversed = History::default();
        other(&mut reversed);
        reversed.add(Kind::Tree, [3; 20], &[&b"100644 .env\0"[..], &[4; 20]].concat());
        other(&mut history);
        assert_eq!(history.within[&[4; 20]], reversed.within[&[4; 20]]);
        // A tree within itself.
        history.add(Kind::Tree, [6; 20], &[&b"40000 x\0"[..], &[6; 20]].concat());
        assert_eq!(history.place("06".repeat(20).as_bytes()), None);
    }
}
