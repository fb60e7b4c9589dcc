//! Tries mounted in each other, in one store directory: what one side mounts and writes, the other
//! sees through the mounts, and goes on writing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use corestore::{Corestore, Options as StoreOptions};
use futures_lite::future::block_on;
use hypercore_storage::DiskDir;
use hypertrie::{IterOptions, Mount, MountableTrie, Options, Trie};
use interop::Peer;
use serde_json::{Value, json};
use tempfile::TempDir;

type Entries = BTreeMap<String, String>;

const NAMES: [&str; 3] = ["outer", "middle", "inner"];

#[test]
fn mounts_made_here_are_read_and_written_in_node() {
    let dir = TempDir::new().expect("a directory");
    block_on(mount_here(dir.path()));
    let mut expected = first();

    let mut node = Node::open(dir.path());
    assert_eq!(node.entries(), expected);
    for (key, value) in [("m/n/theirs", "1"), ("m/theirs", "2"), ("theirs", "3")] {
        node.peer.ask(
            "mounts.put",
            json!({ "on": "outer", "key": key, "value": value }),
        );
        expected.insert(key.to_owned(), value.to_owned());
    }
    node.peer
        .ask("mounts.del", json!({ "on": "outer", "key": "m/n/z" }));
    expected.remove("m/n/z");
    assert_eq!(node.entries(), expected);
    node.close();
    assert_eq!(block_on(entries_here(dir.path())), expected);
}

#[test]
fn mounts_made_in_node_are_read_and_written_here() {
    let dir = TempDir::new().expect("a directory");
    let mut node = Node::open(dir.path());
    for (on, key, value) in [
        ("inner", "z", "z"),
        ("middle", "y", "y"),
        ("outer", "top/t", "t"),
    ] {
        node.peer.ask(
            "mounts.put",
            json!({ "on": on, "key": key, "value": value }),
        );
    }
    for (on, path, key) in [("middle", "n", "inner"), ("outer", "m", "middle")] {
        let key = &node.keys[key];
        let mount = json!({ "on": on, "path": path, "key": key, "value": "stat" });
        node.peer.ask("mounts.mount", mount);
    }
    let mut expected = node.entries();
    assert_eq!(expected, first());
    node.close();
    assert_eq!(block_on(entries_here(dir.path())), expected);

    block_on(async {
        let (store, outer) = open(dir.path()).await;
        for (key, value) in [("m/n/ours", "1"), ("m/ours", "2"), ("ours", "3")] {
            put(&outer, key, value).await;
            expected.insert(key.to_owned(), value.to_owned());
        }
        let moved = outer.rename("m/y", "m/renamed").await;
        assert!(moved.expect("both are in the middle one"));
        let value = expected.remove("m/y").expect("it was there");
        expected.insert("m/renamed".to_owned(), value);
        store.close().expect("the store closes");
    });
    let mut node = Node::open(dir.path());
    assert_eq!(node.entries(), expected);
    let paths = node.peer.ask("mounts.mounts", json!({ "on": "outer" }));
    assert_eq!(paths["paths"], json!(["/m", "/m/n"]));
    node.peer
        .ask("mounts.unmount", json!({ "on": "outer", "path": "m" }));
    node.close();
    expected.retain(|key, _| !key.starts_with('m'));
    assert_eq!(block_on(entries_here(dir.path())), expected);
}

/// What is there when the mounts have been made.
fn first() -> Entries {
    let entries = [
        ("top/t", "t"),
        ("m", "stat"),
        ("m/y", "y"),
        ("m/n", "stat"),
        ("m/n/z", "z"),
    ];
    let entries = entries.map(|(key, value)| (key.to_owned(), value.to_owned()));
    entries.into()
}

/// A store in Node whose tries are open under their names.
struct Node {
    peer: Peer,
    keys: BTreeMap<&'static str, String>,
}

impl Node {
    #[track_caller]
    fn open(dir: &Path) -> Self {
        let mut peer = Peer::start();
        peer.ask("store.open", json!({ "dir": dir, "as": "store" }));
        let mut keys = BTreeMap::new();
        for name in NAMES {
            let open = json!({ "store": "store", "name": name, "as": name });
            let opened = peer.ask("mounts.open", open);
            let key = opened["key"].as_str().expect("a key");
            keys.insert(name, key.to_owned());
        }
        Self { peer, keys }
    }

    /// Everything, by listing it and by asking for each key.
    #[track_caller]
    fn entries(&mut self) -> Entries {
        let list = json!({ "on": "outer", "options": { "recursive": true } });
        let listed = self.peer.ask("mounts.list", list);
        let mut entries = Entries::new();
        for entry in listed["entries"].as_array().expect("entries") {
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            let (key, value) = (text(&entry["key"]), text(&entry["value"]));
            let found = self
                .peer
                .ask("mounts.get", json!({ "on": "outer", "key": key }));
            assert_eq!(found["entry"]["value"], json!(value), "{key}");
            entries.insert(key, value);
        }
        entries
    }

    #[track_caller]
    fn close(mut self) {
        self.peer.ask("store.close", json!({ "on": "store" }));
    }
}

async fn open(dir: &Path) -> (Corestore, MountableTrie) {
    let store = Corestore::open(Arc::new(DiskDir::new(dir)), StoreOptions::new());
    let store = store.expect("the store opens");
    let outer = view(&store, "outer").await;
    (store, outer)
}

async fn view(store: &Corestore, name: &str) -> MountableTrie {
    let options = Options::new().subtype("mountable-hypertrie");
    let feed = store.get_by_name(name).expect("the core opens");
    let trie = Trie::open(feed, options.clone()).await;
    MountableTrie::new(
        trie.expect("the trie opens"),
        Arc::new(store.clone()),
        options,
    )
}

async fn mount_here(dir: &Path) {
    let (store, outer) = open(dir).await;
    let (middle, inner) = (view(&store, "middle").await, view(&store, "inner").await);
    put(&inner, "z", "z").await;
    put(&middle, "y", "y").await;
    put(&outer, "top/t", "t").await;
    for (trie, path, mounted) in [(&middle, "n", &inner), (&outer, "m", &middle)] {
        let key = *mounted.trie().feed().public_key().as_bytes();
        let mount = Mount::new(path, key);
        let mounted = trie.mount(&mount, Bytes::from("stat")).await;
        mounted.expect("the place is free");
    }
    store.close().expect("the store closes");
}

async fn put(trie: &MountableTrie, key: &str, value: &str) {
    let put = trie.put(key, Bytes::copy_from_slice(value.as_bytes()));
    put.await.expect("the trie takes the key");
}

/// Everything, by listing it and by asking for each key.
async fn entries_here(dir: &Path) -> Entries {
    let (store, outer) = open(dir).await;
    let mut entries = Entries::new();
    let mut iter = outer.iter("", IterOptions::new());
    while let Some(node) = iter.next().await.expect("it can be read") {
        let found = outer.get(&node.key).await.expect("it can be read");
        assert_eq!(found.expect("it is there").node, node);
        let value = node.value.expect("a value").to_vec();
        entries.insert(node.key, String::from_utf8(value).expect("text"));
    }
    store.close().expect("the store closes");
    entries
}
