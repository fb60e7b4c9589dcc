//! What a store remembers when it is closed and opened again.

use std::sync::Arc;

use corestore::{Corestore, GetError, Options};
use hypercore_crypto::KeyPair;
use hypercore_storage::{DiskDir, MemoryDir, StorageDir};

fn open(dir: &(impl StorageDir + Clone + 'static)) -> Corestore {
    Corestore::open(Arc::new(dir.clone()), Options::new()).expect("the store opens")
}

/// Runs a case over memory and disk.
fn over_both(case: impl Fn(Arc<dyn Fn() -> Corestore>)) {
    let memory = MemoryDir::new();
    case(Arc::new(move || open(&memory)));
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("store");
    case(Arc::new(move || open(&DiskDir::new(&path))));
}

#[test]
fn the_default_core_is_the_same_again() {
    over_both(|open| {
        let store = open();
        let feed = store.default_feed().unwrap();
        feed.append(b"hello").unwrap();
        store.close().unwrap();
        assert!(feed.is_closed());

        let again = open().default_feed().unwrap();
        assert_eq!(again.public_key(), feed.public_key());
        assert_eq!(again.get_local(0).unwrap().as_deref(), Some(&b"hello"[..]));
    });
}

#[test]
fn own_cores_are_writable_however_they_are_asked_for() {
    over_both(|open| {
        let pair = KeyPair::from_seed(&[5; 32]);
        let keys = {
            let store = open();
            let named = store.get_by_name("n").unwrap();
            let random = store.create().unwrap();
            let given = store.get_by_key_pair(&pair).unwrap();
            [named, random, given].map(|feed| {
                feed.append(b"1").unwrap();
                feed.public_key()
            })
        };
        for key in keys {
            for by_discovery_key in [false, true] {
                let store = open();
                let feed = match by_discovery_key {
                    true => store
                        .get_by_discovery_key(&key.discovery_key())
                        .unwrap()
                        .unwrap(),
                    false => store.get(&key).unwrap(),
                };
                assert!(feed.is_writable());
                let length = feed.length();
                assert_eq!(feed.append(b"more").unwrap(), length);
            }
        }
        let store = open();
        assert_eq!(keys.map(|key| store.get(&key).unwrap().length()), [3, 3, 3]);
    });
}

#[test]
fn a_store_that_is_dropped_without_closing_loses_nothing() {
    over_both(|open| {
        let key = {
            let store = open();
            let feed = store.default_feed().unwrap();
            drop(store);
            // The feed outlives every handle on its store, and keeps the directory locked.
            feed.append(b"late").unwrap();
            feed.public_key()
        };
        assert_eq!(open().get(&key).unwrap().length(), 1);
    });
}

#[test]
fn the_pair_makes_a_core_writable_that_was_not() {
    over_both(|open| {
        let pair = KeyPair::from_seed(&[5; 32]);
        let store = open();
        assert!(!store.get(&pair.public).unwrap().is_writable());
        store.close().unwrap();
        let store = open();
        assert!(store.get_by_key_pair(&pair).unwrap().is_writable());
        store.close().unwrap();
        assert!(open().get(&pair.public).unwrap().is_writable());
    });
}

#[test]
fn a_closed_store_answers_closed() {
    over_both(|open| {
        let store = open();
        let other = store.namespace("other");
        let key = store.default_feed().unwrap().public_key();
        store.close().unwrap();
        assert!(matches!(other.default_feed(), Err(GetError::Closed)));
        assert!(matches!(store.get(&key), Err(GetError::Closed)));
        let found = store.get_by_discovery_key(&key.discovery_key());
        assert!(matches!(found, Err(GetError::Closed)));
        assert!(store.open_feeds().is_empty());
        store.flush().unwrap();
        store.close().unwrap();
    });
}

#[test]
fn a_master_key_that_is_given_is_neither_read_nor_written() {
    let dir = MemoryDir::new();
    let options = || Options::new().master_key([9; 32]);
    let store = Corestore::open(Arc::new(dir.clone()), options()).unwrap();
    let key = store.default_feed().unwrap().public_key();
    store.close().unwrap();
    // Only locked: a lock needs a file.
    let size = dir
        .open("master_key", hypercore_storage::OpenMode::ReadOnly)
        .unwrap()
        .len()
        .unwrap();
    assert_eq!(size, 0);
    let store = Corestore::open(Arc::new(dir), options()).unwrap();
    assert_eq!(store.default_feed().unwrap().public_key(), key);
}
