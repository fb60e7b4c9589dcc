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

    pub(crate) fn insert(&mut self, node: &Arc<Stored>) {
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
