use std::collections::HashMap;

use crate::NodeIndex;

/// The nodes that a peer has said to hold, which need not be sent to it again.
///
/// One belongs to each peer and log, for as long as they are connected. It grows by what the peer's
/// requests say ([`Hypercore::proof`](crate::Hypercore::proof)), and only by nodes that are stored
/// here too, so a peer cannot make it larger than our own bitfield.
#[derive(Clone, Debug, Default)]
pub struct RemoteTree {
    words: HashMap<u64, u64>,
}

impl RemoteTree {
    /// A peer that holds nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the peer holds a node.
    pub fn has(&self, node: NodeIndex) -> bool {
        let (word, mask) = place(node);
        self.words.get(&word).is_some_and(|bits| bits & mask != 0)
    }

    /// Notes that the peer holds a node, and so each parent whose children it now holds both.
    pub(crate) fn set(&mut self, mut node: NodeIndex) {
        while self.set_alone(node) && self.has(node.sibling()) {
            node = node.parent();
        }
    }

    fn set_alone(&mut self, node: NodeIndex) -> bool {
        let (word, mask) = place(node);
        let bits = self.words.entry(word).or_default();
        let before = *bits;
        *bits |= mask;
        *bits != before
    }
}

fn place(node: NodeIndex) -> (u64, u64) {
    (node.get() / 64, 1 << (node.get() % 64))
}
