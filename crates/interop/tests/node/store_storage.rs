//! One corestore directory, written in turn by Node and here: the same names mean the same cores.

use std::path::Path;
use std::sync::Arc;

use corestore::{Corestore, Options};
use hypercore::Feed;
use hypercore_storage::DiskDir;
use interop::{Peer, digest};
use serde_json::json;
use tempfile::TempDir;

const NAMES: [&str; 3] = ["first", "second", "ünïcode / with a slash"];

#[test]
fn a_store_begun_here_goes_on_in_node_and_here_again() {
    alternate(open);
}

#[test]
fn a_store_begun_in_node_goes_on_here() {
    alternate(|dir| {
        if !dir.join("master_key").exists() {
            let mut node = Peer::start();
            node.ask("store.open", json!({ "dir": dir, "as": "store" }));
            node.ask("store.close", json!({ "on": "store" }));
        }
        open(dir)
    });
}

/// Appends to each named core and to the default core, on both sides in turn.
#[track_caller]
fn alternate(open: impl Fn(&Path) -> Corestore) {
    let dir = TempDir::new().expect("a directory");
    let mut written = [const { Vec::new() }; NAMES.len() + 1];
    let mut node = Peer::start();
    for round in 0..3 {
        let store = open(dir.path());
        let mut keys = Vec::new();
        for (core, blocks) in written.iter_mut().enumerate() {
            let feed = feed(&store, core);
            keys.push(hex::encode(feed.public_key().as_bytes()));
            expect(&feed, blocks);
            let block = format!("ours {core} {round}");
            feed.append(&block).expect("the core is writable");
            blocks.push(block);
        }
        store.close().expect("the store closes");

        node.ask("store.open", json!({ "dir": dir.path(), "as": "store" }));
        for (core, blocks) in written.iter_mut().enumerate() {
            let mut log = json!({ "on": "store", "as": "log" });
            // By name in one round, by key in the next: either way the core is writable.
            match NAMES.get(core) {
                Some(name) if round % 2 == 0 => log["name"] = json!(name),
                None if round % 2 == 0 => {}
                _ => log["key"] = json!(keys[core]),
            }
            let state = node.ask("store.log", log);
            assert_eq!(state["key"], keys[core]);
            assert_eq!(state["writable"], true);
            let stored = node.ask("log.digest", json!({ "on": "log" }));
            assert_eq!(stored["digest"], digest(blocks.concat().as_bytes()));
            let block = format!("node's {core} {round}");
            node.ask(
                "log.append",
                json!({ "on": "log", "blocks": [{ "text": block }] }),
            );
            blocks.push(block);
        }
        node.ask("store.close", json!({ "on": "store" }));
    }
}

#[test]
fn a_namespace_is_a_name_of_its_default_core() {
    let dir = TempDir::new().expect("a directory");
    let store = open(dir.path());
    let feed = store
        .namespace("drives")
        .default_feed()
        .expect("the core opens");
    feed.append("block").expect("the core is writable");
    let key = hex::encode(feed.public_key().as_bytes());
    store.close().expect("the store closes");

    let mut node = Peer::start();
    node.ask("store.open", json!({ "dir": dir.path(), "as": "store" }));
    let state = node.ask(
        "store.log",
        json!({ "on": "store", "as": "log", "name": "drives" }),
    );
    assert_eq!(state["key"], key);
    assert_eq!(state["length"], 1);
}

#[track_caller]
fn open(dir: &Path) -> Corestore {
    Corestore::open(Arc::new(DiskDir::new(dir)), Options::new()).expect("the store opens")
}

/// The core of the name with this number; after the last name, the default core.
#[track_caller]
fn feed(store: &Corestore, core: usize) -> Feed {
    match NAMES.get(core) {
        Some(name) => store.get_by_name(name).expect("the core opens"),
        None => store.default_feed().expect("the core opens"),
    }
}

#[track_caller]
fn expect(feed: &Feed, blocks: &[String]) {
    assert!(feed.is_writable());
    assert_eq!(feed.length(), blocks.len() as u64);
    let stored = feed
        .get_range_local(0..feed.length())
        .expect("the blocks are stored");
    assert!(stored.iter().eq(blocks), "the blocks differ");
}
