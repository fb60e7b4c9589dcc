//! One drive in one storage directory, written in turn by `hyperdrive share` and by Node.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use interop::{Entry, Peer, Tree};
use serde_json::json;

use crate::sample;
use crate::shared::Shared;

#[test]
fn writers_alternate_on_one_directory() {
    let mut shared = Shared::new(sample::everything);
    let key = shared.key.clone();
    let mut from_node = BTreeMap::new();
    for round in 0..3 {
        let folder = shared.folder();
        let (scratch, _) = shared.end();
        let mut node = open_in_node(scratch.path(), &key);
        expect(&mut node, &folder, &from_node);

        let text = format!("written by node in round {round}");
        let path = format!("node/{round}");
        node.ask(
            "drive.write",
            json!({ "path": format!("/{path}"), "text": text }),
        );
        from_node.insert(path, Entry::file(text.as_bytes()));
        from_node.insert("node".to_owned(), Entry::Folder);
        node.ask("drive.close", json!({}));
        drop(node);

        // Our turn: a new file, a changed one, a removed one.
        sample::file(&folder.join(format!("ours/{round}")), 1000 + round);
        sample::file(&folder.join("a.txt"), 20 + round);
        fs::remove_file(folder.join(format!("sizes/{}", [0, 1, 1000][round])))
            .expect("it is there");
        shared = Shared::start(scratch, &[]);
        assert_eq!(shared.key, key, "the drive goes on");
        let mut reader = shared.reader();
        expect(&mut reader, &folder, &from_node);
    }
}

#[test]
fn node_refuses_a_store_in_use() {
    let shared = Shared::new(|folder| sample::file(&folder.join("file"), 10));
    let mut node = Peer::start();
    let store = shared.scratch.path().join("storage/storage/cores");
    node.ask("store.open", json!({ "dir": store, "as": "store" }));
    let log = json!({ "on": "store", "as": "log", "key": shared.key });
    let refusal = node.ask_in_vain("store.log", log);
    assert!(refusal.contains("ELOCKED"), "{refusal}");
}

/// Opens the drive of a share that has ended, as its author.
#[track_caller]
fn open_in_node(scratch: &Path, key: &str) -> Peer {
    let mut node = Peer::start();
    let store = scratch.join("storage/storage/cores");
    let state = node.ask("drive.open", json!({ "store": store, "key": key }));
    assert_eq!(state["key"], key);
    assert_eq!(state["writable"], true);
    node
}

/// Checks that the drive holds what the folder holds and what Node wrote.
#[track_caller]
fn expect(node: &mut Peer, folder: &Path, from_node: &BTreeMap<String, Entry>) {
    let mut expected = Tree::of_folder(folder);
    expected.0.extend(from_node.clone());
    Tree::of_answer(&node.ask("drive.read-tree", json!({}))).expect(&expected);
}
