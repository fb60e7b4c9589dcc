use std::fmt;
use std::sync::Arc;

use lru::LruCache;

use crate::node::Stored;

/// Nodes decoded before, the least recently used leaving first.
pub(crate) struct Cache {
    nodes: LruCache<u64, Arc<Stored>>,
    bytes: usize,
    max_nodes: usize,
    max_bytes: usize,
}

impl Cache {
    pub(crate) fn new(max_nodes: usize, max_bytes: usize) -> Self {
        Self {
            nodes: LruCache::unbounded(),
            bytes: 0,
            max_nodes,
            max_bytes,
        }
    }

    pub(crate) fn get(&mut self, seq: u64) -> Option<Arc<Stored>> {
        self.nodes.get(&seq).cloned()
    }

    /// Remembers a node, unless it is larger than all that may be kept.
    pub(crate) fn insert(&mut self, node: &Arc<Stored>) {
        if node.size() > self.max_bytes {
            return;
        }
        self.bytes += node.size();
        if let Some(replaced) = self.nodes.put(node.seq, Arc::clone(node)) {
            self.bytes -= replaced.size();
        }
        while self.nodes.len() > self.max_nodes || self.bytes > self.max_bytes {
            let Some((_, oldest)) = self.nodes.pop_lru() else {
                break;
            };
            self.bytes -= oldest.size();
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("nodes", &self.nodes.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::Links;
    use crate::path::{Path, siphash};

    fn node(seq: u64, value: usize) -> Arc<Stored> {
        Arc::new(Stored {
            seq,
            path: Path::new("key", false, siphash),
            value: Some(vec![0; value].into()),
            flags: 0,
            links: Links::default(),
        })
    }

    fn held(cache: &Cache) -> Vec<u64> {
        let mut held: Vec<_> = cache.nodes.iter().map(|(seq, _)| *seq).collect();
        held.sort_unstable();
        held
    }

    #[test]
    fn nodes_used_least_recently_leave_first() {
        let mut cache = Cache::new(3, usize::MAX);
        for seq in 1..=3 {
            cache.insert(&node(seq, 0));
        }
        assert!(cache.get(1).is_some());
        cache.insert(&node(4, 0));
        assert_eq!(held(&cache), [1, 3, 4]);
        assert!(cache.get(2).is_none());
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut cache = Cache::new(100, node(0, 1000).size() * 3);
        for seq in 1..=9 {
            cache.insert(&node(seq, 1000));
        }
        assert_eq!(held(&cache), [7, 8, 9]);
        // The same node again counts once; one that is too large for the cache is not kept.
        cache.insert(&node(9, 1000));
        assert_eq!(held(&cache), [7, 8, 9]);
        cache.insert(&node(10, 100_000));
        assert_eq!(held(&cache), [7, 8, 9]);
        cache.insert(&node(11, 1500));
        assert_eq!(held(&cache), [9, 11]);
    }
}
