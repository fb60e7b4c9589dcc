//! Lookups are exchanged with Node, whoever reads and whoever dials: what a reader looks for is hinted
//! at by the other side.

use std::sync::Arc;

use bytes::Bytes;
use corestore::{Corestore, Options as StoreOptions};
use futures_lite::future::block_on;
use hypercore::Feed;
use hypercore_crypto::PublicKey;
use hypercore_protocol::Role;
use hypercore_storage::MemoryDir;
use hypertrie::{IterOptions, Node, Op, Options, Trie};
use interop::Peer;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::network::Network;

/// Entries in the folder that is listed: more than Node gives hints for in one answer.
const ENTRIES: usize = 5000;

#[test]
fn we_read_from_node_as_initiator() {
    we_read(&Network::tokio(), Role::Initiator);
}

#[test]
fn we_read_from_node_as_responder() {
    we_read(&Network::async_std(), Role::Responder);
}

#[test]
fn node_reads_from_us_as_initiator() {
    node_reads(&Network::tokio(), Role::Initiator);
}

#[test]
fn node_reads_from_us_as_responder() {
    node_reads(&Network::async_std(), Role::Responder);
}

#[track_caller]
fn we_read(network: &Network, role: Role) {
    let dir = TempDir::new().expect("a directory");
    let mut node = Peer::start();
    let open = json!({ "dir": dir.path(), "as": "store", "sparse": true });
    node.ask("store.open", open);
    let opened = node.ask("trie.open", json!({ "store": "store" }));
    let filled = node.ask("trie.fill", json!({ "count": ENTRIES, "prefix": "f" }));

    let store = store();
    let key = opened["key"].as_str().and_then(|key| hex::decode(key).ok());
    let key = key.and_then(|key| key.try_into().ok());
    let feed = store.get(&PublicKey::from_bytes(key.expect("a key has 32 bytes")));
    let trie = open_trie(network, feed.expect("the core opens"));
    network.connect(role, &mut node, "store", store.source());
    let version = filled["version"].as_u64().expect("a version");
    let grown = network.wait("the length", trie.feed().wait_longer_than(version - 1));
    grown.expect("it grows");

    let found = network.wait("a lookup", trie.get("f/4321"));
    let value = found.expect("it can be read").and_then(|node| node.value);
    assert_eq!(value.as_deref(), Some(&b"4321"[..]));
    let asked = node.ask("trie.asked", json!({}));
    assert_eq!((&asked["get"], &asked["iterator"]), (&json!(1), &json!(0)));

    let listed = network.wait("a listing", list(&trie));
    assert_eq!(listed.len(), ENTRIES);
    // Once for each two thousand entries, and where Node had given hints enough not at all.
    let asked = node.ask("trie.asked", json!({}))["iterator"].as_u64();
    let asked = asked.expect("a number");
    assert!((1..=4).contains(&asked), "asked {asked} times");
    // Node lists in the same order.
    let theirs = node.ask("trie.list", json!({ "prefix": "f" }));
    let ours: Vec<_> = listed.into_iter().map(|node| node.key).collect();
    assert_eq!(theirs["keys"], json!(ours));
}

#[track_caller]
fn node_reads(network: &Network, role: Role) {
    let store = store();
    let trie = open_trie(network, store.default_feed().expect("the core opens"));
    let ops = (0..ENTRIES).map(|i| Op::put(format!("f/{i}"), Bytes::from(i.to_string())));
    block_on(trie.batch(ops.collect())).expect("the trie takes the keys");

    let dir = TempDir::new().expect("a directory");
    let mut node = Peer::start();
    let open = json!({ "dir": dir.path(), "as": "store", "sparse": true });
    node.ask("store.open", open);
    let key = hex::encode(trie.feed().public_key().as_bytes());
    node.ask("trie.open", json!({ "store": "store", "key": key }));
    network.connect(role, &mut node, "store", store.source());
    node.ask("trie.update", json!({ "version": trie.version() }));

    let found = node.ask("trie.get", json!({ "key": "f/4321" }));
    assert_eq!(found["value"], "4321");
    let hints = |asked: Value| asked["hints"].as_u64().expect("a number");
    let after_get = hints(node.ask("trie.asked", json!({})));
    assert!((2..=32).contains(&after_get), "{after_get} hints");

    let listed = node.ask("trie.list", json!({ "prefix": "f" }));
    let ours = block_on(list(&trie)).into_iter();
    let ours: Vec<_> = ours.map(|node| node.key).collect();
    assert_eq!(listed["keys"], json!(ours));
    let all = hints(node.ask("trie.asked", json!({})));
    // Answers go on where the reader stands, where Node's own begin from the start each time.
    assert!(all >= ENTRIES as u64 / 2, "{all} hints");
}

async fn list(trie: &Trie) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut iter = trie.iter("f", IterOptions::new());
    while let Some(node) = iter.next().await.expect("the trie can be read") {
        nodes.push(node);
    }
    nodes
}

fn store() -> Corestore {
    Corestore::open(Arc::new(MemoryDir::new()), StoreOptions::new()).expect("the store opens")
}

#[track_caller]
fn open_trie(network: &Network, feed: Feed) -> Trie {
    let trie = block_on(Trie::open(feed, Options::new())).expect("the trie opens");
    network.spawn(trie.lookups().expect("nobody else exchanges lookups"));
    trie
}
