//! Hashing several inputs at once gives what hashing each alone gives.

use hypercore_crypto::{Hash, leaf_hash, leaf_hashes, parent_hash, parent_hashes};
use proptest::prelude::*;

/// Lengths at and around the borders of the hash function's chunks of 128 bytes, of which the first
/// holds 119 of a block.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        0..3_usize,
        (0..6_usize, 0..4_usize).prop_map(|(chunks, off)| 117 + 128 * chunks + off),
        0..3000_usize,
        Just(65_536),
    ]
}

proptest! {
    #[test]
    fn leaves_of_blocks_of_any_lengths(
        lengths in prop::collection::vec(length(), 0..40),
        seed: u64,
    ) {
        let blocks: Vec<Vec<u8>> = lengths
            .into_iter()
            .zip(seed..)
            .map(|(length, seed)| {
                (0..length as u64)
                    .map(|at| (at ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0])
                    .collect()
            })
            .collect();
        let alone: Vec<Hash> = blocks.iter().map(|block| leaf_hash(block)).collect();
        prop_assert_eq!(leaf_hashes(&blocks), alone);
    }

    #[test]
    fn parents_of_any_pairs(pairs in prop::collection::vec(any::<(u64, [u8; 32], [u8; 32])>(), 0..40)) {
        let pairs: Vec<(u64, [Hash; 2])> = pairs
            .into_iter()
            .map(|(size, left, right)| (size, [left, right].map(Hash::from_bytes)))
            .collect();
        let alone: Vec<Hash> = pairs
            .iter()
            .map(|(size, [left, right])| parent_hash(*size, left, right))
            .collect();
        prop_assert_eq!(parent_hashes(&pairs), alone);
    }
}
