//! One trie in one store directory, changed in turn by Node and here, against a map.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use corestore::{Corestore, Options as StoreOptions};
use futures_lite::future::block_on;
use hypercore_storage::DiskDir;
use hypertrie::{DiffOptions, HistoryOptions, IterOptions, Node, Options, Trie};
use interop::Peer;
use serde_json::{Value, json};
use tempfile::TempDir;

type Model = BTreeMap<String, String>;

#[test]
fn changes_alternate_on_one_directory() {
    let dir = TempDir::new().expect("a directory");
    let mut model = Model::new();
    let mut node = Peer::start();
    for round in 0..4 {
        let (puts, dels) = changes(2 * round, &model);
        apply(&mut model, &puts, &dels);
        let version = block_on(change_here(dir.path(), &puts, &dels));

        let opened = node.ask("trie.open", json!({ "dir": dir.path() }));
        assert_eq!(opened["version"], version);
        expect(&node.ask("trie.entries", json!({}))["entries"], &model);

        let (puts, dels) = changes(2 * round + 1, &model);
        apply(&mut model, &puts, &dels);
        node.ask("trie.change", json!({ "puts": puts, "dels": dels }));
        node.ask("trie.close", json!({}));
    }
    let found = block_on(entries_here(dir.path()));
    assert_eq!(found, model);

    // Versions that either wrote, and history, look the same from both sides.
    let (versions, here) = block_on(compared_here(dir.path()));
    node.ask("trie.open", json!({ "dir": dir.path() }));
    let there = node.ask("trie.compare", json!({ "versions": versions }));
    for part in ["diffs", "history"] {
        assert_eq!(here[part], there[part], "{part}");
    }
    node.ask("trie.close", json!({}));
}

/// What round `round` changes: new keys that share prefixes with old ones, overwritten keys, and
/// removed ones.
fn changes(round: u32, model: &Model) -> (Model, Vec<String>) {
    let fresh = (0..40).map(|i| format!("a{}/b{}/{}", i % 3, (i * round) % 7, round * 40 + i));
    let names = ["héllo/wörld", "深い/階層", "x", "x/y", "x/y/z", "🦀"].map(str::to_owned);
    let old = model.keys().step_by(5).cloned();
    let puts = fresh.chain(names).chain(old).map(|key| {
        let value = format!("{key} in round {round}");
        (key, value)
    });
    let dels = model.keys().skip(1).step_by(4).cloned().collect();
    (puts.collect(), dels)
}

fn apply(model: &mut Model, puts: &Model, dels: &[String]) {
    model.extend(puts.clone());
    for key in dels {
        model.remove(key);
    }
}

async fn open(dir: &Path) -> (Corestore, Trie) {
    let store = Corestore::open(Arc::new(DiskDir::new(dir)), StoreOptions::new());
    let store = store.expect("the store opens");
    let feed = store.default_feed().expect("the core opens");
    let trie = Trie::open(feed, Options::new())
        .await
        .expect("the trie opens");
    (store, trie)
}

async fn change_here(dir: &Path, puts: &Model, dels: &[String]) -> u64 {
    let (store, trie) = open(dir).await;
    for (key, value) in puts {
        trie.put(key, Bytes::from(value.clone()))
            .await
            .expect("the trie takes the key");
    }
    for key in dels {
        assert!(
            trie.del(key).await.expect("the trie lets go of the key"),
            "{key} is there"
        );
    }
    let version = trie.version();
    store.close().expect("the store closes");
    version
}

async fn entries_here(dir: &Path) -> Model {
    let (store, trie) = open(dir).await;
    let mut entries = Model::new();
    let mut iter = trie.iter("", IterOptions::new());
    while let Some(node) = iter.next().await.expect("the trie can be read") {
        let found = trie.get(&node.key).await.expect("the trie can be read");
        assert_eq!(found.as_ref(), Some(&node));
        let value = node.value.expect("entries have values");
        entries.insert(
            node.key,
            String::from_utf8(value.to_vec()).expect("values are text"),
        );
    }
    store.close().expect("the store closes");
    entries
}

/// Some versions, what differs between the newest one and each of them, and all that was written.
async fn compared_here(dir: &Path) -> (Vec<u64>, Value) {
    let (store, trie) = open(dir).await;
    let versions: Vec<u64> = (1..=trie.version()).step_by(29).collect();
    let mut diffs = Vec::new();
    for version in &versions {
        let mut diff = trie.diff(*version, "", DiffOptions::new());
        let mut changes = Vec::new();
        while let Some(change) = diff.next().await.expect("the trie can be read") {
            let seq = |node: Option<Node>| node.map_or(0, |node| node.seq);
            changes.push(json!([change.key, seq(change.left), seq(change.right)]));
        }
        assert_eq!(changes.is_empty(), *version == trie.version());
        diffs.push(changes);
    }
    let mut history = trie.history(HistoryOptions::new());
    let mut written = Vec::new();
    while let Some(node) = history.next().await.expect("the trie can be read") {
        written.push(json!([node.seq, node.key]));
    }
    store.close().expect("the store closes");
    (versions, json!({ "diffs": diffs, "history": written }))
}

#[track_caller]
fn expect(found: &Value, model: &Model) {
    assert_eq!(found, &json!(model));
}
