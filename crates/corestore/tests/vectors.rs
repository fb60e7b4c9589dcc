//! Keys, folders and files are those of corestore 5.8.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::sync::Arc;

use corestore::{Corestore, Options};
use hypercore_crypto::{KeyPair, PublicKey};
use hypercore_storage::{MemoryDir, OpenMode, StorageDir};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/corestore.json")).unwrap()
}

fn bytes(hex: &Value) -> Vec<u8> {
    hex::decode(hex.as_str().unwrap()).unwrap()
}

fn store(dir: MemoryDir, master_key: &Value) -> Corestore {
    let key = bytes(master_key).try_into().unwrap();
    Corestore::open(Arc::new(dir), Options::new().master_key(key)).unwrap()
}

#[test]
fn keys_come_from_names() {
    let vectors = vectors();
    let stores = vectors["corestore"].as_array().unwrap();
    assert_eq!(stores.len(), 2);
    for case in stores {
        let dir = MemoryDir::new();
        let store = store(dir.clone(), &case["masterKey"]);
        let of = |how: &str| {
            let cases = case["cases"].as_array().unwrap();
            let found = cases
                .iter()
                .find(|case| case["how"].as_str().unwrap().starts_with(how));
            found.unwrap().clone()
        };
        let check = |feed: hypercore::Feed, expected: &Value| {
            assert_eq!(
                feed.public_key().to_string(),
                expected["publicKey"].as_str().unwrap()
            );
            assert_eq!(
                feed.discovery_key().to_string(),
                expected["discoveryKey"].as_str().unwrap()
            );
            let folder = expected["directory"].as_str().unwrap();
            assert!(dir.exists(&format!("{folder}/key")).unwrap());
            assert!(feed.is_writable());
        };
        check(store.default_feed().unwrap(), &of("store.default()"));
        let foo = store.namespace("foo");
        check(
            foo.default_feed().unwrap(),
            &of("store.namespace('foo').default()"),
        );
        check(
            store.get_by_name("foo").unwrap(),
            &of("store.namespace('foo').default()"),
        );
        check(
            store.namespace("x").get_by_name("foo").unwrap(),
            &of("store.namespace('foo').default()"),
        );
        let bar = foo.namespace("bar").default_feed().unwrap();
        check(bar, &of("store.namespace('foo').namespace('bar')"));
        check(
            store.namespace("010203").default_feed().unwrap(),
            &of("store.namespace(<01 02 03>)"),
        );
        check(store.get_by_name("naïve").unwrap(), &of("non-ascii name"));
        check(store.get_by_name([0xab; 32]).unwrap(), &of("unnamed core"));
    }
}

#[test]
fn files_are_the_same_to_the_byte() {
    let vectors = vectors();
    let case = &vectors["corestoreFiles"];
    let dir = MemoryDir::new();
    let store = store(dir.clone(), &case["masterKey"]);
    store
        .default_feed()
        .unwrap()
        .append_batch(&["a", "bc"])
        .unwrap();
    store
        .get_by_key_pair(&KeyPair::from_seed(&[9; 32]))
        .unwrap();
    store.get(&KeyPair::from_seed(&[7; 32]).public).unwrap();
    store.close().unwrap();
    let files = case["files"].as_array().unwrap();
    assert_eq!(files.len(), 21);
    for file in files {
        let path = file["path"].as_str().unwrap();
        if !file["exists"].as_bool().unwrap() {
            assert!(!dir.exists(path).unwrap(), "{path}");
            continue;
        }
        let stored = dir.open(path, OpenMode::ReadOnly).unwrap();
        let mut content = vec![0; usize::try_from(stored.len().unwrap()).unwrap()];
        stored.read(0, &mut content).unwrap();
        assert_eq!(
            content.len() as u64,
            file["size"].as_u64().unwrap(),
            "{path}"
        );
        if file.get("hex").is_some() {
            assert_eq!(
                hex::encode(&content),
                file["hex"].as_str().unwrap(),
                "{path}"
            );
        }
    }
}

#[test]
fn a_key_of_nobody_is_for_reading() {
    let store = store(MemoryDir::new(), &Value::from("00".repeat(32)));
    let feed = store.get(&PublicKey::from_bytes([3; 32])).unwrap();
    assert!(!feed.is_writable());
}
