//! Several cores over one stream, between a store here and a store in Node.

use std::sync::Arc;

use corestore::{Corestore, Options};
use hypercore_crypto::PublicKey;
use hypercore_protocol::Role;
use hypercore_storage::MemoryDir;
use interop::{Peer, digest};
use serde_json::json;
use tempfile::TempDir;

use crate::network::Network;

/// Cores on each side.
const CORES: usize = 10;

#[test]
fn ten_cores_in_each_direction_as_initiator() {
    both_directions(&Network::tokio(), Role::Initiator);
}

#[test]
fn ten_cores_in_each_direction_as_responder() {
    both_directions(&Network::async_std(), Role::Responder);
}

/// Each side writes ten cores and reads the other's ten, over one connection.
#[track_caller]
fn both_directions(network: &Network, role: Role) {
    let mut theirs = NodeStore::open();
    let their_keys: Vec<_> = (0..CORES).map(|core| theirs.write(core)).collect();

    let ours = store();
    let our_keys: Vec<_> = (0..CORES).map(|core| write(&ours, core)).collect();
    network.connect(role, &mut theirs.node, "store", ours.source());

    for (core, key) in our_keys.iter().enumerate() {
        let log = format!("copy {core}");
        let key = hex::encode(key.as_bytes());
        theirs
            .node
            .ask("store.log", json!({ "on": "store", "as": log, "key": key }));
        theirs
            .node
            .ask("log.update", json!({ "on": log, "length": core + 1 }));
        theirs
            .node
            .ask("log.download", json!({ "on": log, "end": core + 1 }));
        let stored = theirs.node.ask("log.digest", json!({ "on": log }));
        assert_eq!(
            stored["digest"],
            digest(blocks("ours", core).concat().as_bytes())
        );
    }
    for (core, key) in their_keys.iter().enumerate() {
        let feed = ours.get(key).expect("the core opens");
        let length = core as u64 + 1;
        network
            .wait("the length", feed.wait_longer_than(length - 1))
            .expect("it grows");
        network
            .wait("the blocks", feed.download(0..length))
            .expect("they arrive");
        let stored = feed.get_range_local(0..length).expect("they are stored");
        assert!(
            stored.iter().eq(&blocks("theirs", core)),
            "core {core} differs"
        );
    }
}

#[test]
fn a_core_opened_later_joins_the_connection() {
    let network = Network::tokio();
    let mut theirs = NodeStore::open();
    let ours = store();
    network.connect(Role::Initiator, &mut theirs.node, "store", ours.source());
    for core in 0..3 {
        let key = theirs.write(core);
        let feed = ours.get(&key).expect("the core opens");
        let block = network
            .wait("a block", feed.get(core as u64))
            .expect("it arrives");
        assert!(block == blocks("theirs", core)[core]);
    }
}

#[test]
fn a_stored_core_is_served_to_who_knows_its_key() {
    // Nothing has opened the core since the store was opened.
    let network = Network::tokio();
    let dir = Arc::new(MemoryDir::new());
    let ours = Corestore::open(dir.clone(), Options::new()).expect("the store opens");
    let key = write(&ours, 2);
    ours.close().expect("the store closes");
    let ours = Corestore::open(dir, Options::new()).expect("the store opens again");

    let mut theirs = NodeStore::open();
    network.connect(Role::Responder, &mut theirs.node, "store", ours.source());
    let key = hex::encode(key.as_bytes());
    theirs.node.ask(
        "store.log",
        json!({ "on": "store", "as": "copy", "key": key }),
    );
    let block = theirs
        .node
        .ask("log.get", json!({ "on": "copy", "index": 1 }));
    assert_eq!(block["hex"], hex::encode(&blocks("ours", 2)[1]));
}

#[test]
fn a_core_that_nobody_has_harms_no_other() {
    let network = Network::tokio();
    let mut theirs = NodeStore::open();
    let known = theirs.write(1);
    let ours = store();
    let unknown = ours
        .get(&PublicKey::from_bytes([9; 32]))
        .expect("the core opens");
    network.connect(Role::Initiator, &mut theirs.node, "store", ours.source());
    let feed = ours.get(&known).expect("the core opens");
    let block = network.wait("a block", feed.get(0)).expect("it arrives");
    assert!(block == blocks("theirs", 1)[0]);
    let nothing = network
        .wait("an answer", unknown.get_available(0))
        .expect("the core is open");
    assert_eq!(nothing, None);
}

/// A store in a Node peer, opened as `store`.
struct NodeStore {
    _dir: TempDir,
    node: Peer,
}

impl NodeStore {
    #[track_caller]
    fn open() -> Self {
        let dir = TempDir::new().expect("a directory");
        let mut node = Peer::start();
        let open = json!({ "dir": dir.path(), "as": "store", "sparse": true });
        node.ask("store.open", open);
        Self { _dir: dir, node }
    }

    /// Writes a core under its number.
    #[track_caller]
    fn write(&mut self, core: usize) -> PublicKey {
        let log = format!("own {core}");
        let state = self.node.ask(
            "store.log",
            json!({ "on": "store", "as": log, "name": log }),
        );
        let blocks = blocks("theirs", core);
        let blocks: Vec<_> = blocks
            .iter()
            .map(|block| json!({ "text": block }))
            .collect();
        self.node.ask(
            "log.append",
            json!({ "on": log, "blocks": blocks, "batch": true }),
        );
        let key = state["key"].as_str().and_then(|key| hex::decode(key).ok());
        let key = key
            .and_then(|key| key.try_into().ok())
            .expect("a key has 32 bytes");
        PublicKey::from_bytes(key)
    }
}

fn store() -> Corestore {
    Corestore::open(Arc::new(MemoryDir::new()), Options::new()).expect("the store opens")
}

#[track_caller]
fn write(store: &Corestore, core: usize) -> PublicKey {
    let feed = store
        .get_by_name(format!("core {core}"))
        .expect("the core opens");
    feed.append_batch(&blocks("ours", core))
        .expect("the core is writable");
    feed.public_key()
}

/// The blocks of a core: one more than its number.
fn blocks(side: &str, core: usize) -> Vec<String> {
    (0..=core)
        .map(|block| format!("{side} {core} {block}"))
        .collect()
}
