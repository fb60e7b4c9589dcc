use std::io;

use hypercore_crypto::Signature;

use crate::{ForkProof, Node, NodeIndex};

/// What vouches for a block: tree nodes, and a signature if the asker holds nothing to link to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Proof {
    /// The block's own leaf if only hashes were asked for, the siblings on the way up from the
    /// block, then roots left to right.
    pub nodes: Vec<Node>,
    /// The signature over the roots that the nodes lead to.
    pub signature: Option<Signature>,
}

/// What storing a block or a leaf changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Put {
    /// The proof's signature covered a greater length than was known.
    pub grew: bool,
    /// The block was not stored before and is now.
    pub stored: bool,
}

/// Why a block or leaf was refused. The log is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// The block is too large to be one.
    #[error("a block of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// The block's size in bytes.
        size: usize,
        /// The largest size allowed, in bytes.
        limit: usize,
    },
    /// The block, or the length that the proof claims, is beyond the greatest length believed.
    #[error("a length of {length} blocks exceeds the limit of {limit}")]
    TooLong {
        /// The length claimed, in blocks.
        length: u64,
        /// The greatest length, in blocks.
        limit: u64,
    },
    /// More nodes than any proof has.
    #[error("a proof of {nodes} nodes exceeds the limit of {limit}")]
    TooManyNodes {
        /// The number of nodes.
        nodes: usize,
        /// The greatest number.
        limit: usize,
    },
    /// A reply without a block does not begin with the leaf that was asked for.
    #[error("the proof does not begin with the leaf of block {index}")]
    MissingLeaf {
        /// The block asked for.
        index: u64,
    },
    /// A root of the length that the proof claims is neither in the proof nor held.
    #[error("the proof lacks node {node}")]
    MissingNode {
        /// The root's place.
        node: NodeIndex,
    },
    /// The proof holds nodes that lead nowhere.
    #[error("the proof holds node {node}, which leads nowhere")]
    SurplusNode {
        /// The first such node.
        node: NodeIndex,
    },
    /// The sizes of the nodes contradict what is known or add up to more than can be.
    #[error("the size of node {node} is wrong")]
    Size {
        /// The node's place.
        node: NodeIndex,
    },
    /// The nodes lead to nothing that is trusted, and there is no signature.
    #[error("the proof ends in no node that is trusted, and has no signature")]
    Unsigned,
    /// The signature does not cover the roots that the nodes lead to.
    #[error("the signature does not cover the roots at length {length}")]
    Signature {
        /// The length that the proof claims, in blocks.
        length: u64,
    },
    /// The author signed two different logs. Nothing of the second is stored, and this log takes no
    /// more changes. The evidence is kept with it.
    #[error("the author has signed another log: its node {node} differs, at length {length}")]
    Conflict {
        /// The first node that differs from one that is stored and vouched for.
        node: NodeIndex,
        /// The length of the other log, in blocks.
        length: u64,
        /// The evidence, which convinces everybody who knows the public key. `None` if what is stored
        /// here is too damaged to be part of it, or the log has no signatures.
        proof: Option<Box<ForkProof>>,
    },
    /// The log was found to be forked earlier, and takes no more changes.
    #[error("the author has signed two different logs; this one takes no more changes")]
    Frozen,
    /// A node that should be stored is not.
    #[error("the stored tree is damaged at node {node}")]
    Damaged {
        /// The node's place.
        node: NodeIndex,
    },
    /// The hook did not want the block; see [`Options::before_store`](crate::Options::before_store).
    #[error("block {index} was declined")]
    Declined {
        /// The block's index.
        index: u64,
    },
    /// The log is open for reading only.
    #[error("the log is open for reading only")]
    ReadOnly,
    /// An earlier write or sync failed in a way that leaves open what is on disk. Open the log
    /// again.
    #[error("an earlier write failed; open the log again")]
    Poisoned,
    /// The storage failed.
    #[error("storage failed")]
    Storage(#[from] io::Error),
}

impl PutError {
    /// Whether the block or proof is at fault, and not our storage or state: who sent it
    /// misbehaved. A fork is the author's fault, whoever brings it.
    pub fn is_senders_fault(&self) -> bool {
        match self {
            Self::TooLarge { .. }
            | Self::TooLong { .. }
            | Self::TooManyNodes { .. }
            | Self::MissingLeaf { .. }
            | Self::MissingNode { .. }
            | Self::SurplusNode { .. }
            | Self::Size { .. }
            | Self::Unsigned
            | Self::Signature { .. } => true,
            Self::Conflict { .. }
            | Self::Declined { .. }
            | Self::Frozen
            | Self::Damaged { .. }
            | Self::ReadOnly
            | Self::Poisoned
            | Self::Storage(_) => false,
        }
    }
}
