//! The targets. What an input means is said at each.

mod log;
mod trie;
mod wire;

pub(crate) use log::FILES as LOG_FILES;
pub use log::storage;
pub use trie::{link, stat, trie_node, trie_walk};
pub use wire::{frames, handshake, messages, session};
