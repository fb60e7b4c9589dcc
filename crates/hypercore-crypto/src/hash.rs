use std::cmp::Reverse;
use std::fmt;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};

use crate::lanes::{self, Input, LANES, PREFIX_BYTES};

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

/// The [`leaf_hash`] of each of several blocks. They are hashed side by side, which is much faster than
/// one after the other where the processor has wide vectors, and on several threads with the feature
/// `parallel`.
pub fn leaf_hashes<B: AsRef<[u8]>>(blocks: &[B]) -> Vec<Hash> {
    let inputs = blocks.iter().map(|block| {
        let body = block.as_ref();
        Input {
            prefix: prefix(LEAF, body.len() as u64),
            body,
        }
    });
    hash_all(&inputs.collect::<Vec<_>>())
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

/// The [`parent_hash`] of each of several pairs of siblings, side by side as in [`leaf_hashes`]. Each is
/// given as the bytes below both, the left and the right one's hash.
pub fn parent_hashes(pairs: &[(u64, [Hash; 2])]) -> Vec<Hash> {
    let bodies: Vec<[u8; 64]> = pairs
        .iter()
        .map(|(_, [left, right])| {
            let mut body = [0; 64];
            body[..32].copy_from_slice(&left.0);
            body[32..].copy_from_slice(&right.0);
            body
        })
        .collect();
    let inputs = pairs.iter().zip(&bodies).map(|((size, _), body)| Input {
        prefix: prefix(PARENT, *size),
        body,
    });
    hash_all(&inputs.collect::<Vec<_>>())
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

fn prefix(kind: [u8; 1], size: u64) -> [u8; PREFIX_BYTES] {
    let mut prefix = [kind[0]; PREFIX_BYTES];
    prefix[1..].copy_from_slice(&size.to_be_bytes());
    prefix
}

/// Hashes inputs in groups of about the same length.
fn hash_all(inputs: &[Input<'_>]) -> Vec<Hash> {
    let mut order: Vec<usize> = (0..inputs.len()).collect();
    order.sort_by_key(|at| Reverse(inputs[*at].chunks()));
    let mut groups = Vec::with_capacity(inputs.len().div_ceil(LANES));
    let mut rest = &order[..];
    while let Some(first) = rest.first() {
        let size = rest.len().min(LANES);
        let chunks = rest[..size].iter().map(|at| inputs[*at].chunks());
        let worthwhile = chunks.sum::<usize>() >= inputs[*first].chunks() * BUSY_LANES;
        let (group, others) = rest.split_at(if worthwhile { size } else { 1 });
        groups.push(group);
        rest = others;
    }
    let mut hashes = vec![Hash([0; 32]); inputs.len()];
    for (group, digests) in groups.iter().zip(digests(inputs, &groups)) {
        for (at, digest) in group.iter().zip(digests) {
            hashes[*at] = Hash(digest);
        }
    }
    hashes
}

#[cfg(not(feature = "parallel"))]
fn digests(inputs: &[Input<'_>], groups: &[&[usize]]) -> Vec<[[u8; 32]; LANES]> {
    groups
        .iter()
        .map(|group| hash_group(inputs, group))
        .collect()
}

#[cfg(feature = "parallel")]
fn digests(inputs: &[Input<'_>], groups: &[&[usize]]) -> Vec<[[u8; 32]; LANES]> {
    let bytes = inputs.iter().map(|input| input.body.len()).sum();
    digests_on(crate::parallel::threads(bytes), inputs, groups)
}

/// As `digests`, on so many threads.
#[cfg(any(feature = "parallel", test))]
fn digests_on(threads: usize, inputs: &[Input<'_>], groups: &[&[usize]]) -> Vec<[[u8; 32]; LANES]> {
    crate::parallel::map(groups, threads, |group| hash_group(inputs, group))
}

fn hash_group(inputs: &[Input<'_>], group: &[usize]) -> [[u8; 32]; LANES] {
    if let [at] = group {
        let Input { prefix, body } = &inputs[*at];
        let state = Blake2b::<U32>::new().chain_update(prefix);
        let mut digests = [[0; 32]; LANES];
        digests[0] = finish(state.chain_update(body)).0;
        return digests;
    }
    let mut together = [Input {
        prefix: [0; PREFIX_BYTES],
        body: &[],
    }; LANES];
    for (slot, at) in together.iter_mut().zip(group) {
        *slot = inputs[*at];
    }
    lanes::hash(&together[..group.len()])
}

fn finish(state: Blake2b<U32>) -> Hash {
    Hash(state.finalize().into())
}

// Domain separation bytes (DEP-0002, "Hash and signature functions").
const LEAF: [u8; 1] = [0];
const PARENT: [u8; 1] = [1];
const ROOT: [u8; 1] = [2];

/// Hashing a group side by side takes about as long as hashing so many of its longest input one after
/// the other.
const BUSY_LANES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    /// Here and not in `tests/`, so that it runs without the feature and on a single processor too.
    #[test]
    fn threads_find_what_one_finds() {
        let blocks: Vec<Vec<u8>> = (0..100_u8)
            .map(|n| vec![n; usize::from(n) * 131 % 1777])
            .collect();
        let inputs: Vec<Input<'_>> = blocks
            .iter()
            .map(|block| Input {
                prefix: prefix(LEAF, block.len() as u64),
                body: block,
            })
            .collect();
        let order: Vec<usize> = (0..inputs.len()).collect();
        let groups: Vec<&[usize]> = order.chunks(LANES).collect();
        let expected = digests(&inputs, &groups);
        for threads in 1..6 {
            assert_eq!(digests_on(threads, &inputs, &groups), expected);
        }
    }
}
