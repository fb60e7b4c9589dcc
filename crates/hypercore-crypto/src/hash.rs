use std::fmt;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};

/// A BLAKE2b-256 digest.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Wraps 32 bytes that are already a digest.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({}…)", hex::encode(&self.0[..4]))
    }
}

/// Hashes a block into the leaf that commits to it.
///
/// The input is a type byte, the block's length in bytes as a big-endian `u64`, then the block, so
/// a leaf can never pass for a parent (DEP-0002, "Hash and signature functions").
pub fn leaf_hash(block: &[u8]) -> Hash {
    finish(
        Blake2b::<U32>::new()
            .chain_update(LEAF)
            .chain_update((block.len() as u64).to_be_bytes())
            .chain_update(block),
    )
}

/// Hashes two siblings into their parent.
///
/// `size` is the number of bytes below both of them. Only this sum is committed to, not the two
/// sizes, which is why a size learned from a bare hash is provisional until its block arrives.
pub fn parent_hash(size: u64, left: &Hash, right: &Hash) -> Hash {
    finish(
        Blake2b::<U32>::new()
            .chain_update(PARENT)
            .chain_update(size.to_be_bytes())
            .chain_update(left.0)
            .chain_update(right.0),
    )
}

/// Hashes the roots of a log, given left to right as (hash, node index, size in bytes).
pub fn tree_hash(roots: impl IntoIterator<Item = (Hash, u64, u64)>) -> Hash {
    let mut state = Blake2b::<U32>::new().chain_update(ROOT);
    for (hash, index, size) in roots {
        state.update(hash.0);
        state.update(index.to_be_bytes());
        state.update(size.to_be_bytes());
    }
    finish(state)
}

fn finish(state: Blake2b<U32>) -> Hash {
    Hash(state.finalize().into())
}

// Domain separation bytes (DEP-0002, "Hash and signature functions").
const LEAF: [u8; 1] = [0];
const PARENT: [u8; 1] = [1];
const ROOT: [u8; 1] = [2];
