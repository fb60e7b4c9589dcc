//! After a rename, readers that know of no such thing see the new names and no others: the plain
//! trie and the mountable one, whose mounts have moved along.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use corestore::{Corestore, Options as StoreOptions};
use futures_lite::future::block_on;
use hypercore_storage::DiskDir;
use hypertrie::{Mount, Options, Trie};
use interop::Peer;
use serde_json::{Value, json};
use tempfile::TempDir;

#[test]
fn node_reads_the_new_names_and_no_others() {
    let dir = TempDir::new().expect("a directory");
    let expected = block_on(write(dir.path()));

    let mut node = Peer::start();
    node.ask("trie.open", json!({ "dir": dir.path() }));
    let found = node.ask("trie.entries", json!({}));
    assert_eq!(found["entries"], json!(expected));
    node.ask("trie.close", json!({}));

    node.ask("mounts.open", json!({ "dir": dir.path() }));
    let listed = node.ask("mounts.list", json!({ "options": { "recursive": true } }));
    let mut across = expected.clone();
    across.insert("new/place/m/inner".to_owned(), "inner".to_owned());
    let entry = |entry: &Value| {
        let text = |field: &str| entry[field].as_str().expect("text").to_owned();
        (text("key"), text("value"))
    };
    let listed = listed["entries"].as_array().expect("entries").iter();
    assert_eq!(listed.map(entry).collect::<BTreeMap<_, _>>(), across);
    for (key, value) in &across {
        let found = node.ask("mounts.get", json!({ "key": key }));
        assert_eq!(found["entry"]["value"], json!(value), "{key}");
    }
    for key in ["old", "old/a/1", "old/m", "old/m/inner", "single"] {
        let found = node.ask("mounts.get", json!({ "key": key }));
        assert_eq!(found["entry"], Value::Null, "{key}");
    }
    let mounts = node.ask("mounts.mounts", json!({}));
    assert_eq!(mounts["paths"], json!(["/new/place/m"]));
    node.ask("mounts.close", json!({}));
}

/// Writes a trie here, renames a folder with a mount in it and a single key. Gives what is in the
/// trie itself afterwards.
async fn write(dir: &std::path::Path) -> BTreeMap<String, String> {
    let store = Corestore::open(Arc::new(DiskDir::new(dir)), StoreOptions::new());
    let store = store.expect("the store opens");
    let trie = async |name: &str| {
        let feed = match name {
            "" => store.default_feed(),
            name => store.get_by_name(name),
        };
        let options = Options::new().subtype("mountable-hypertrie");
        let trie = Trie::open(feed.expect("the core opens"), options).await;
        trie.expect("the trie opens")
    };
    let inner = trie("inner").await;
    put(&inner, "inner", "inner").await;
    let outer = trie("").await;
    for i in 0..200 {
        put(&outer, &format!("old/{}/{i}", i % 9), &format!("value {i}")).await;
    }
    put(&outer, "single", "one").await;
    put(&outer, "older", "stays").await;
    put(&outer, "new/place/gone", "gone").await;
    let mount = Mount::new("old/m", *inner.feed().public_key().as_bytes());
    let mounted = outer.mount(&mount, Bytes::from("stat")).await;
    mounted.expect("the place is free");

    let moved = outer.rename_prefix("old", "new/place").await;
    assert_eq!(moved.expect("it can be renamed"), 201);
    let renamed = outer.rename("single", "double").await;
    assert!(renamed.expect("it can be renamed"));
    store.close().expect("the store closes");

    let entries = (0..200).map(|i| (format!("new/place/{}/{i}", i % 9), format!("value {i}")));
    let others = [
        ("double", "one"),
        ("older", "stays"),
        ("new/place/m", "stat"),
    ];
    let others = others.map(|(key, value)| (key.to_owned(), value.to_owned()));
    entries.chain(others).collect()
}

async fn put(trie: &Trie, key: &str, value: &str) {
    let put = trie.put(key, Bytes::copy_from_slice(value.as_bytes()));
    put.await.expect("the trie takes the key");
}
