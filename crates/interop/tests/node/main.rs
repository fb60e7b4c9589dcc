//! Tests with a real Node peer on the other side, one behaviour a file.
//!
//! They are one program, because linking is what takes the time.

mod dht_node;
mod network;
mod node_log;
mod sample;
mod served;
mod shared;

mod clone_from_node;
mod dht;
mod drive_model;
mod drive_mounts;
mod drive_random;
#[cfg(unix)]
mod drive_storage;
mod found_by_link;
mod live;
mod log_options;
mod log_replication;
mod log_storage;
mod mailboxes;
#[cfg(target_os = "linux")]
mod nats;
mod one_connection;
mod power_cuts;
mod seed;
mod share_to_node;
mod sparse;
mod store_replication;
mod store_storage;
mod swarm;
mod swarm_node;
mod trie_lookups;
mod trie_mounts;
mod trie_random;
mod trie_rename;
mod trie_storage;
mod vectors;
mod wire;
