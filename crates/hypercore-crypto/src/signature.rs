use std::fmt;

use crate::Hash;

/// A detached Ed25519 signature.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Wraps 64 bytes, as received.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}…)", hex::encode(&self.0[..4]))
    }
}

/// The message that a log's signature covers: the tree hash, then the length in blocks as a
/// big-endian `u64`.
pub fn signable(tree: &Hash, length: u64) -> [u8; 40] {
    let mut message = [0; 40];
    message[..32].copy_from_slice(tree.as_bytes());
    message[32..].copy_from_slice(&length.to_be_bytes());
    message
}
