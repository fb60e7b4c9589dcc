use std::sync::Arc;

use hypercore_crypto::{Hash, leaf_hash, leaf_hashes, parent_hash, parent_hashes};
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
pub(crate) fn grow(roots: &[Node], blocks: &[&[u8]]) -> Growth {
    if blocks.len() < SIDE_BY_SIDE {
        let leaves = blocks
            .iter()
            .map(|block| (leaf_hash(block), block.len() as u64));
        return grow_one_by_one(roots, leaves);
    }
    let sizes = blocks.iter().map(|block| block.len() as u64);
    let leaves: Vec<(Hash, u64)> = leaf_hashes(blocks).into_iter().zip(sizes).collect();
    grow_by_level(roots, &leaves)
}

/// As [`grow`], for blocks of which the leaves are known: hashes and sizes in bytes.
pub(crate) fn grow_leaves(roots: &[Node], leaves: &[(Hash, u64)]) -> Growth {
    if leaves.len() < SIDE_BY_SIDE {
        grow_one_by_one(roots, leaves.iter().copied())
    } else {
        grow_by_level(roots, leaves)
    }
}

/// From how many leaves on they are hashed side by side.
const SIDE_BY_SIDE: usize = 8;

/// One level of the tree after the other, so that the parents of a level are hashed side by side.
fn grow_by_level(roots: &[Node], leaves: &[(Hash, u64)]) -> Growth {
    // The place of the first new node among those of its depth. It is odd where an old root of that
    // depth is the left sibling.
    let mut first: u64 = roots.iter().map(|root| 1 << root.index.depth()).sum();
    let mut level: Vec<Node> = (first..)
        .zip(leaves)
        .map(|(block, (hash, size))| Node {
            index: NodeIndex::leaf(block),
            hash: *hash,
            size: *size,
        })
        .collect();
    let mut old = roots.to_vec();
    let mut rightmost = Vec::new();
    let mut nodes = Vec::with_capacity(2 * leaves.len());
    while !level.is_empty() {
        nodes.extend_from_slice(&level);
        if first % 2 == 1 {
            level.splice(..0, old.pop());
        }
        let (pairs, alone) = level.as_chunks::<2>();
        rightmost.extend_from_slice(alone);
        let inputs: Vec<_> = pairs
            .iter()
            .map(|[left, right]| (left.size + right.size, [left.hash, right.hash]))
            .collect();
        let parents = pairs.iter().zip(&inputs).zip(parent_hashes(&inputs));
        level = parents
            .map(|(([left, _], (size, _)), hash)| Node {
                index: left.index.parent(),
                hash,
                size: *size,
            })
            .collect();
        first /= 2;
    }
    old.extend(rightmost.into_iter().rev());
    Growth { nodes, roots: old }
}

fn grow_one_by_one(roots: &[Node], leaves: impl Iterator<Item = (Hash, u64)>) -> Growth {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Here and not in `tests/`, since from outside only one of the two can be reached at a time.
    #[test]
    fn level_by_level_gives_the_tree_that_the_package_gives() {
        let leaf = |at: u64| (leaf_hash(&at.to_be_bytes()), at % 7);
        for length in (0..70).chain([127, 128, 129, 1000]) {
            let before: Vec<_> = (0..length).map(leaf).collect();
            let roots = grow_one_by_one(&[], before.into_iter()).roots;
            for count in (0..40).chain([63, 64, 65, 300]) {
                let leaves: Vec<_> = (length..length + count).map(leaf).collect();
                let expected = grow_one_by_one(&roots, leaves.iter().copied());
                let mut found = grow_by_level(&roots, &leaves);
                assert_eq!(found.roots, expected.roots, "{count} after {length}");
                // Only the order differs.
                let mut nodes = expected.nodes;
                nodes.sort_by_key(|node| (node.index.depth(), node.index));
                found
                    .nodes
                    .sort_by_key(|node| (node.index.depth(), node.index));
                assert_eq!(found.nodes, nodes, "{count} after {length}");
            }
        }
    }
}
