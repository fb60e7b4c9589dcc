//! Key pairs that are the same in every run.

use hypercore_crypto::KeyPair;

/// The pair of the seed of 32 bytes `n`.
pub fn pair(n: u8) -> KeyPair {
    KeyPair::from_seed(&[n; 32])
}

/// The pair of the seed 00, 01, … 1f, which most vectors use.
pub fn vector_pair() -> KeyPair {
    let mut seed = [0; 32];
    for (byte, value) in seed.iter_mut().zip(0..) {
        *byte = value;
    }
    KeyPair::from_seed(&seed)
}
