//! Keys, hashes and signatures of the Hypercore protocol (generation 8–9, 2020).
//!
//! This crate is in the public interface of every other one, so it holds little: the 32-byte types
//! that must not be confused, the three hashes of a log's tree, the signature over a tree, and the
//! derivation of key pairs by name. It does no I/O and draws no randomness: seeds come from the
//! caller.
//!
//! ```
//! use hypercore_crypto::{KeyPair, leaf_hash, tree_hash};
//!
//! let pair = KeyPair::from_seed(&[7; 32]);
//! let block = b"hello";
//! // A log of one block has one root, the leaf at node index 0.
//! let root = leaf_hash(block);
//! let tree = tree_hash([(root, 0, block.len() as u64)]);
//! let signature = pair.sign_tree(&tree, 1);
//! assert!(pair.public.verify_tree(&tree, 1, &signature));
//! assert!(!pair.public.verify_tree(&tree, 2, &signature));
//! ```

mod discovery;
mod hash;
mod keys;
mod lanes;
mod namespace;
#[cfg(any(feature = "parallel", test))]
mod parallel;
mod signature;

pub use discovery::DiscoveryKey;
pub use hash::{Hash, leaf_hash, leaf_hashes, parent_hash, parent_hashes, tree_hash};
pub use keys::{KeyError, KeyPair, PublicKey, SecretKey};
pub use namespace::{derive_key_pair, derive_secret};
pub use signature::{Signature, signable};
