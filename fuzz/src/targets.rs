//! The targets. What an input means is said at each.

mod dht;
mod lan;
mod log;
mod proof;
mod replication;
mod trie;
mod trie_lookups;
mod trie_pair;
mod trie_remote;
mod utp;
mod wire;

pub use dht::dht;
pub use lan::lan;
pub(crate) use log::FILES as LOG_FILES;
pub use log::storage;
pub(crate) use proof::block as log_block;
pub use proof::{bitfield, proof};
pub use replication::replication;
pub use trie::{link, stat, trie_node, trie_walk};
pub use trie_lookups::trie_lookups;
pub use trie_remote::trie_remote;
pub use utp::utp;
pub use wire::{frames, handshake, messages, session};
