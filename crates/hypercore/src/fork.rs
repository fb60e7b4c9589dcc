//! Evidence that an author has signed two logs with one key.

use hypercore_crypto::{Hash, PublicKey, Signature, tree_hash};

use crate::index::roots;
use crate::{Node, NodeIndex};

/// Two trees that the author of a log has signed, and that cannot both be trees of it: a node that
/// they both contain differs.
///
/// A log only ever grows at its end, so a full subtree never changes. Whoever knows the log's public
/// key can [`verify`](Self::verify) this without anything else, so it can be passed on. The bytes are
/// described in `docs/formats/log.md`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ForkProof {
    /// The tree that was known first.
    pub first: SignedTree,
    /// The other one.
    pub second: SignedTree,
}

/// The roots of a log at a length, the author's signature, and the way from one node to the roots.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedTree {
    /// In blocks.
    pub length: u64,
    /// Left to right.
    pub roots: Vec<Node>,
    /// Over the roots and the length.
    pub signature: Signature,
    /// A node, then the siblings on its way up to one of the roots.
    pub way: Vec<Node>,
}

/// Why a proof of a fork proves nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ForkProofError {
    /// The bytes are not those of a proof.
    #[error("the bytes are no proof of a fork")]
    Format,
    /// The roots are not those of a log of that length, or the signature does not cover them.
    #[error("a signature of the proof is not valid at length {length}")]
    Signature {
        /// The length, in blocks.
        length: u64,
    },
    /// The way does not lead from the node to a root.
    #[error("the proof does not link its node to the roots at length {length}")]
    Way {
        /// The length, in blocks.
        length: u64,
    },
    /// The two trees can be of one log.
    #[error("the two trees of the proof agree")]
    NoConflict,
}

impl ForkProof {
    /// Checks that the author with this key has signed both trees, and that they conflict.
    pub fn verify(&self, key: &PublicKey) -> Result<(), ForkProofError> {
        let first = self.first.linked(key)?;
        let second = self.second.linked(key)?;
        if first.index != second.index || first.hash == second.hash {
            return Err(ForkProofError::NoConflict);
        }
        Ok(())
    }

    /// The node that differs.
    pub fn node(&self) -> Option<NodeIndex> {
        self.first.way.first().map(|node| node.index)
    }

    /// The bytes to keep or to pass on: 10,332 at most.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for tree in [&self.first, &self.second] {
            tree.encode(&mut bytes);
        }
        bytes
    }

    /// Reads what [`encode`](Self::encode) made. It proves nothing before it was verified.
    pub fn decode(bytes: &[u8]) -> Result<Self, ForkProofError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(ForkProofError::Format)?;
        let (first, rest) = SignedTree::decode(rest).ok_or(ForkProofError::Format)?;
        let (second, rest) = SignedTree::decode(rest).ok_or(ForkProofError::Format)?;
        if rest.is_empty() {
            Ok(Self { first, second })
        } else {
            Err(ForkProofError::Format)
        }
    }
}

impl SignedTree {
    /// The node that the way begins with, if it belongs to a tree that the author signed.
    fn linked(&self, key: &PublicKey) -> Result<Node, ForkProofError> {
        let length = self.length;
        let indexes = self.roots.iter().map(|root| root.index);
        let tree = tree_hash(
            self.roots
                .iter()
                .map(|root| (root.hash, root.index.get(), root.size)),
        );
        let complete = length > 0 && length <= MAX_LENGTH && indexes.eq(roots(length));
        if !complete || !key.verify_tree(&tree, length, &self.signature) {
            return Err(ForkProofError::Signature { length });
        }
        let lost = ForkProofError::Way { length };
        let (node, siblings) = self.way.split_first().ok_or(lost)?;
        let mut top = *node;
        for sibling in siblings {
            if sibling.index != top.index.sibling() {
                return Err(lost);
            }
            top = Node::above_any(top, *sibling).ok_or(lost)?;
        }
        let rooted = self
            .roots
            .iter()
            .any(|root| root.index == top.index && root.hash == top.hash);
        rooted.then_some(*node).ok_or(lost)
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.length.to_be_bytes());
        bytes.extend(self.signature.as_bytes());
        for nodes in [&self.roots, &self.way] {
            let nodes = &nodes[..nodes.len().min(MAX_NODES)];
            bytes.extend((nodes.len() as u64).to_be_bytes().last());
            for node in nodes {
                bytes.extend(node.index.get().to_be_bytes());
                bytes.extend(node.hash.as_bytes());
                bytes.extend(node.size.to_be_bytes());
            }
        }
    }

    fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (length, bytes) = bytes.split_first_chunk()?;
        let (signature, bytes) = bytes.split_first_chunk()?;
        let (roots, bytes) = decode_nodes(bytes)?;
        let (way, bytes) = decode_nodes(bytes)?;
        let tree = Self {
            length: u64::from_be_bytes(*length),
            roots,
            signature: Signature::from_bytes(*signature),
            way,
        };
        Some((tree, bytes))
    }
}

fn decode_nodes(bytes: &[u8]) -> Option<(Vec<Node>, &[u8])> {
    let (count, mut rest) = bytes.split_first()?;
    let count = usize::from(*count);
    if count > MAX_NODES || rest.len() < count * NODE_BYTES {
        return None;
    }
    let mut nodes = Vec::with_capacity(count);
    for _ in 0..count {
        let (index, after) = rest.split_first_chunk()?;
        let (hash, after) = after.split_first_chunk()?;
        let (size, after) = after.split_first_chunk()?;
        nodes.push(Node {
            index: NodeIndex::new(u64::from_be_bytes(*index))?,
            hash: Hash::from_bytes(*hash),
            size: u64::from_be_bytes(*size),
        });
        rest = after;
    }
    Some((nodes, rest))
}

const MAGIC: [u8; 8] = *b"hcfork\0\x01";

/// Longest log that every implementation can express.
const MAX_LENGTH: u64 = 1 << 52;

/// Roots of the longest log, or the way through its tallest tree.
const MAX_NODES: usize = 53;
const NODE_BYTES: usize = 48;
