use std::sync::atomic::{AtomicU64, Ordering};

use crate::cache::Cache;

/// What the lookups, writes and walks of a trie have cost since it was opened, and what it remembers; see
/// [`Trie::stats`](crate::Trie::stats).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// How many nodes they came by, each as often as that happened.
    pub visited: u64,
    /// How many of them were not remembered, so that their blocks were read.
    pub read: u64,
    /// How many nodes are remembered.
    pub kept: usize,
    /// How much memory these take, in bytes.
    pub kept_bytes: usize,
}

/// The same, while it goes on.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    visited: AtomicU64,
    read: AtomicU64,
}

impl Counts {
    pub(crate) fn visit(&self) {
        self.visited.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) {
        self.read.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self, cache: &Cache) -> Stats {
        let (kept, kept_bytes) = cache.size();
        Stats {
            visited: self.visited.load(Ordering::Relaxed),
            read: self.read.load(Ordering::Relaxed),
            kept,
            kept_bytes,
        }
    }
}
