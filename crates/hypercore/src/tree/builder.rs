use std::sync::Arc;

use hypercore_crypto::{Hash, leaf_hash, parent_hash};
use merkle_tree_stream::{HashMethods, MerkleTreeStream, NodeKind, NodeParts, PartialNode};

use crate::{Node, NodeIndex};

/// What appending blocks adds to a tree.
#[derive(Debug)]
pub(crate) struct Growth {
    /// The new nodes, each after its children.
    pub(crate) nodes: Vec<Node>,
    /// The roots of the longer log.
    pub(crate) roots: Vec<Node>,
}

/// Computes the nodes that blocks add to the tree with these roots, which stay untouched.
pub(crate) fn grow<'a>(roots: &[Node], blocks: impl Iterator<Item = &'a [u8]>) -> Growth {
    grow_leaves(
        roots,
        blocks.map(|block| (leaf_hash(block), block.len() as u64)),
    )
}

pub(crate) fn grow_leaves(roots: &[Node], leaves: impl Iterator<Item = (Hash, u64)>) -> Growth {
    let roots = roots.iter().copied().map(Arc::new).collect();
    let mut stream = MerkleTreeStream::new(Hashing, roots);
    let mut nodes = Vec::with_capacity(2 * leaves.size_hint().0);
    for (hash, size) in leaves {
        // The package copies what it is given into the leaf. It is given the leaf's hash and size,
        // not the block.
        let mut leaf = [0; 40];
        leaf[..32].copy_from_slice(hash.as_bytes());
        leaf[32..].copy_from_slice(&size.to_be_bytes());
        stream.next(&leaf, &mut nodes);
    }
    Growth {
        nodes: nodes.iter().map(|node| **node).collect(),
        roots: stream.roots().iter().map(|node| **node).collect(),
    }
}

struct Hashing;

impl HashMethods for Hashing {
    type Node = Node;
    type Hash = (Hash, u64);

    fn leaf(&self, leaf: &PartialNode, _: &[Arc<Node>]) -> (Hash, u64) {
        let NodeKind::Leaf(bytes) = leaf.data() else {
            unreachable!("the package passes leaves")
        };
        let (hash, size) = bytes
            .split_first_chunk::<32>()
            .expect("made by `grow_leaves`");
        let size = size.try_into().expect("made by `grow_leaves`");
        (Hash::from_bytes(*hash), u64::from_be_bytes(size))
    }

    fn parent(&self, left: &Node, right: &Node) -> (Hash, u64) {
        let size = left.size + right.size;
        (parent_hash(size, &left.hash, &right.hash), size)
    }
}

impl From<NodeParts<(Hash, u64)>> for Node {
    fn from(parts: NodeParts<(Hash, u64)>) -> Self {
        let (hash, size) = *parts.hash();
        Self {
            index: NodeIndex::raw(parts.node().index()),
            hash,
            size,
        }
    }
}

impl merkle_tree_stream::Node for Node {
    fn len(&self) -> u64 {
        self.size
    }

    fn is_empty(&self) -> bool {
        self.size == 0
    }

    fn parent(&self) -> u64 {
        self.index.parent().get()
    }

    fn index(&self) -> u64 {
        self.index.get()
    }

    fn hash(&self) -> &[u8] {
        self.hash.as_bytes()
    }
}
