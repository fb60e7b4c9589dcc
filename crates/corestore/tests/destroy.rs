//! All that is stored of a core can be removed, and what its author signed is never signed anew.
#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use std::sync::Arc;

use corestore::{Corestore, GetError, Options};
use hypercore::Feed;
use hypercore_crypto::KeyPair;
use hypercore_storage::{DiskDir, MemoryDir, StorageDir};
use testkit::{FaultyDir, Keep};

fn open(dir: &(impl StorageDir + Clone + 'static)) -> Corestore {
    Corestore::open(Arc::new(dir.clone()), Options::new()).unwrap()
}

/// The folder of a core.
fn folder(feed: &Feed) -> String {
    let id = hex::encode(feed.discovery_key().as_bytes());
    format!("{}/{}/{id}", &id[..2], &id[2..4])
}

#[test]
fn an_own_core_leaves_nothing_but_the_mark_and_is_read_only_from_then_on() {
    let place = tempfile::tempdir().unwrap();
    let dir = DiskDir::new(place.path());
    let store = open(&dir);
    let pair = KeyPair::from_seed(&[1; 32]);
    let named = store.get_by_name("a").unwrap();
    let given = store.get_by_key_pair(&pair).unwrap();
    for feed in [&named, &given] {
        feed.append(b"signed").unwrap();
        store.destroy(&feed.discovery_key()).unwrap();
        assert!(feed.is_closed());
        assert_eq!(dir.list(&folder(feed)).unwrap(), ["destroyed"]);
    }
    assert_eq!(store.list().count(), 0);
    let stored = store.get_by_discovery_key(&named.discovery_key());
    assert!(stored.unwrap().is_none());
    store.close().unwrap();
    let store = open(&dir);
    for again in [
        store.get_by_name("a").unwrap(),
        store.get_by_key_pair(&pair).unwrap(),
        store.get(&named.public_key()).unwrap(),
    ] {
        assert_eq!((again.length(), again.is_writable()), (0, false));
        again.append(b"another").unwrap_err();
    }
    // What was fetched of it can be removed like anything that is somebody else's.
    store.destroy(&named.discovery_key()).unwrap();
    assert_eq!(dir.list(&folder(&named)).unwrap(), ["destroyed"]);
    let again = store.get_by_name("a").unwrap();
    assert!(!again.is_writable());
}

#[test]
fn of_a_core_of_somebody_else_nothing_stays() {
    let dir = MemoryDir::new();
    let store = open(&dir);
    let feed = store.get(&KeyPair::from_seed(&[1; 32]).public).unwrap();
    store.destroy(&feed.discovery_key()).unwrap();
    assert!(dir.list(&folder(&feed)).unwrap().is_empty());
    // Nor does asking for what is not here leave anything.
    store.destroy(&feed.discovery_key()).unwrap();
    assert!(dir.list(&folder(&feed)).unwrap().is_empty());
    let again = store.get(&feed.public_key()).unwrap();
    assert_eq!(again.length(), 0);
}

#[test]
fn a_core_that_another_program_has_open_is_left_alone() {
    let dir = MemoryDir::new();
    let store = open(&dir);
    let feed = store.get_by_name("a").unwrap();
    feed.append(b"kept").unwrap();
    store.close().unwrap();
    let store = open(&dir);
    let lock = dir.subdir(&folder(&feed)).lock("bitfield").unwrap();
    let refused = store.destroy(&feed.discovery_key());
    assert!(matches!(refused, Err(GetError::Locked { .. })));
    drop(lock);
    let again = store.get_by_name("a").unwrap();
    assert_eq!(again.get_local(0).unwrap().as_deref(), Some(&b"kept"[..]));
    assert!(again.is_writable());
    store.close().unwrap();
    let closed = store.destroy(&feed.discovery_key());
    assert!(matches!(closed, Err(GetError::Closed)));
}

#[test]
fn a_power_cut_leaves_the_core_as_it_was_or_removed() {
    let dir = FaultyDir::new();
    let store = open(&dir);
    let feed = store.get_by_name("a").unwrap();
    feed.append(b"signed").unwrap();
    store.flush().unwrap();
    let before = dir.log_len();
    store.destroy(&feed.discovery_key()).unwrap();
    let mut removed = 0;
    for at in before..=dir.log_len() {
        let seeds = (0..8).map(Keep::Seed);
        for keep in seeds.chain([Keep::Nothing, Keep::All, Keep::Torn(1)]) {
            let store = open(&dir.crash(at, keep));
            let after = store.get_by_name("a").unwrap();
            if after.is_writable() {
                let block = after.get_local(0).unwrap();
                assert_eq!(block.as_deref(), Some(&b"signed"[..]), "{at} {keep:?}");
            } else {
                assert_eq!(after.length(), 0, "{at} {keep:?}");
                removed += 1;
            }
        }
    }
    assert!(removed > 0);
}
