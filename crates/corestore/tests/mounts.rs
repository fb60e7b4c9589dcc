//! Tries in one store can be mounted in each other.
#![cfg(feature = "mounts")]

use std::sync::Arc;

use bytes::Bytes;
use corestore::{Corestore, Options};
use futures_lite::future::block_on;
use hypercore_storage::MemoryDir;
use hypertrie::{IterOptions, Mount, MountableTrie, Trie};

#[test]
fn mounted_tries_are_cores_of_the_store() {
    let store = Corestore::open(Arc::new(MemoryDir::new()), Options::new().open_cores(1)).unwrap();
    block_on(async {
        let trie = async |name: &str| {
            let feed = store.get_by_name(name).unwrap();
            Trie::open(feed, hypertrie::Options::new()).await.unwrap()
        };
        let key = {
            let inner = trie("inner").await;
            inner.put("x", Bytes::from("1")).await.unwrap();
            *inner.feed().public_key().as_bytes()
        };
        let outer = trie("outer").await;
        let outer = MountableTrie::new(outer, Arc::new(store.clone()), hypertrie::Options::new());
        outer
            .mount(&Mount::new("m", key), Bytes::new())
            .await
            .unwrap();
        outer.put("m/y", Bytes::from("2")).await.unwrap();

        let mut listed = Vec::new();
        let mut iter = outer.iter("", IterOptions::new());
        while let Some(node) = iter.next().await.unwrap() {
            listed.push(node.key);
        }
        listed.sort();
        assert_eq!(listed, ["m", "m/x", "m/y"]);
        assert!(trie("inner").await.get("y").await.unwrap().is_some());
    });
}
