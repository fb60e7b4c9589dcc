//! What a store wrote is there for the next one, and for one at a time.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::sync::Arc;

use corestore::{Corestore, GetError, OpenError, Options};
use futures_lite::future::block_on;
use hypercore_crypto::{DiscoveryKey, KeyPair};
use hypercore_storage::{DiskDir, MemoryDir, OpenMode, StorageDir};

/// Runs a test in memory and on disk.
fn everywhere(test: impl Fn(Arc<dyn StorageDir>)) {
    test(Arc::new(MemoryDir::new()));
    let dir = tempfile::tempdir().unwrap();
    test(Arc::new(DiskDir::new(dir.path().join("store"))));
}

fn open(dir: &Arc<dyn StorageDir>) -> Corestore {
    Corestore::open(dir.clone(), Options::new()).unwrap()
}

#[test]
fn names_keys_and_pairs_are_found_again() {
    everywhere(|dir| {
        let store = open(&dir);
        let named = store.get_by_name("log").unwrap();
        named.append("block").unwrap();
        let pair = KeyPair::from_seed(&[5; 32]);
        store
            .get_by_key_pair(&pair)
            .unwrap()
            .append("of a pair")
            .unwrap();
        let unnamed = store.create().unwrap();
        unnamed.append("unnamed").unwrap();
        let keys = [named.public_key(), pair.public, unnamed.public_key()];
        store.close().unwrap();

        let store = open(&dir);
        for (key, block) in keys.iter().zip(["block", "of a pair", "unnamed"]) {
            let feed = store.get(key).unwrap();
            assert!(feed.is_writable());
            assert_eq!(block_on(feed.get(0)).unwrap(), block);
            let again = store
                .get_by_discovery_key(&key.discovery_key())
                .unwrap()
                .unwrap();
            again.append("more").unwrap();
            assert_eq!(feed.length(), 2, "one object for a core");
        }
        let mut listed: Vec<_> = store
            .list()
            .map(|core| core.unwrap().public_key())
            .collect();
        listed.sort_unstable();
        let mut expected = keys.to_vec();
        expected.sort_unstable();
        assert_eq!(listed, expected);
    });
}

#[test]
fn a_store_is_open_once() {
    everywhere(|dir| {
        let store = open(&dir);
        let error = Corestore::open(dir.clone(), Options::new()).unwrap_err();
        let OpenError::Locked { holder } = error else {
            panic!("{error}")
        };
        assert_eq!(holder, Some(std::process::id()));
        store.close().unwrap();
        open(&dir);
    });
}

#[test]
fn asking_for_what_is_not_here_leaves_nothing() {
    everywhere(|dir| {
        let store = open(&dir);
        let before = dir.list("").unwrap();
        let unknown = DiscoveryKey::from_bytes([1; 32]);
        assert!(store.get_by_discovery_key(&unknown).unwrap().is_none());
        assert_eq!(dir.list("").unwrap(), before);
    });
}

#[test]
fn another_master_key_is_noticed() {
    everywhere(|dir| {
        let store = open(&dir);
        let key = store.get_by_name("log").unwrap().public_key();
        store.close().unwrap();
        let store = Corestore::open(dir.clone(), Options::new().master_key([1; 32])).unwrap();
        let error = store.get(&key).unwrap_err();
        assert!(matches!(error, GetError::WrongMasterKey { .. }), "{error}");
    });
}

#[test]
fn a_cut_master_key_is_not_replaced() {
    everywhere(|dir| {
        let store = open(&dir);
        store.get_by_name("log").unwrap();
        store.close().unwrap();
        dir.open("master_key", OpenMode::Existing)
            .unwrap()
            .truncate(10)
            .unwrap();
        let error = Corestore::open(dir.clone(), Options::new()).unwrap_err();
        assert!(
            matches!(error, OpenError::MasterKey { size: 10 }),
            "{error}"
        );
        assert_eq!(
            dir.open("master_key", OpenMode::ReadOnly)
                .unwrap()
                .len()
                .unwrap(),
            10
        );
    });
}

#[test]
fn thousands_of_cores_are_closed_when_nobody_holds_them() {
    let dir = Arc::new(MemoryDir::new());
    let store = Corestore::open(dir, Options::new().open_cores(10)).unwrap();
    let held = store.get_by_name("held").unwrap();
    for number in 0..2000_u32 {
        store
            .get_by_name(number.to_le_bytes())
            .unwrap()
            .append("x")
            .unwrap();
        assert!(store.open_feeds().len() <= 11);
    }
    assert!(!held.is_closed());
    let first = store.get_by_name(0_u32.to_le_bytes()).unwrap();
    assert_eq!(block_on(first.get(0)).unwrap(), "x");
}
