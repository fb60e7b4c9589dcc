//! Thousands of cores, few of them open.

use std::sync::Arc;

use corestore::{Corestore, Options};
use hypercore_storage::{DiskDir, FilePool, MemoryDir};

#[test]
fn idle_cores_are_closed_beyond_the_budget() {
    let options = Options::new().open_cores(10);
    let store = Corestore::open(Arc::new(MemoryDir::new()), options).unwrap();
    let mut keys = Vec::new();
    for n in 0..2000_u32 {
        let feed = store.get_by_name(n.to_le_bytes()).unwrap();
        feed.append(n.to_le_bytes()).unwrap();
        keys.push(feed.public_key());
        drop(feed);
        // The one just opened is counted before the oldest goes.
        assert!(store.open_feeds().len() <= 11);
    }
    for (n, key) in keys.iter().enumerate() {
        let block = store.get(key).unwrap().get_local(0).unwrap().unwrap();
        assert_eq!(block[..], u32::try_from(n).unwrap().to_le_bytes());
    }
    assert_eq!(store.list().count(), 2000);
}

#[test]
fn cores_that_are_held_stay_open_beyond_the_budget() {
    let options = Options::new().open_cores(4);
    let store = Corestore::open(Arc::new(MemoryDir::new()), options).unwrap();
    let held: Vec<_> = (0..100_u32)
        .map(|n| store.get_by_name(n.to_le_bytes()).unwrap())
        .collect();
    assert_eq!(store.open_feeds().len(), 100);
    assert!(held.iter().all(|feed| !feed.is_closed()));
    drop(held);
    // Each further opening closes some, until the budget is met.
    for n in 0..100_u32 {
        store.get_by_name((1000 + n).to_le_bytes()).unwrap();
    }
    assert!(
        store.open_feeds().len() <= 5,
        "{}",
        store.open_feeds().len()
    );
}

#[test]
fn the_cores_asked_for_last_stay_open() {
    let options = Options::new().open_cores(3);
    let store = Corestore::open(Arc::new(MemoryDir::new()), options).unwrap();
    let favourite = store.get_by_name("favourite").unwrap().discovery_key();
    for n in 0..20_u32 {
        store.get_by_name(n.to_le_bytes()).unwrap();
        store.get_by_name("favourite").unwrap();
    }
    assert!(
        store
            .open_feeds()
            .iter()
            .any(|feed| feed.discovery_key() == favourite)
    );
}

#[test]
fn a_hundred_cores_on_disk_take_few_descriptors() {
    let folder = tempfile::tempdir().unwrap();
    let pool = FilePool::new(32);
    let dir = Arc::new(DiskDir::with_pool(folder.path(), pool.clone()));
    let store = Corestore::open(dir, Options::new().open_cores(16)).unwrap();
    let keys: Vec<_> = (0..100_u32)
        .map(|n| {
            let feed = store.get_by_name(n.to_le_bytes()).unwrap();
            feed.append(n.to_le_bytes()).unwrap();
            assert!(pool.open_files() <= 32);
            feed.public_key()
        })
        .collect();
    store.close().unwrap();
    assert_eq!(pool.open_files(), 0);

    let dir = Arc::new(DiskDir::with_pool(folder.path(), pool));
    let store = Corestore::open(dir, Options::new().open_cores(16)).unwrap();
    for key in &keys {
        assert_eq!(store.get(key).unwrap().length(), 1);
    }
    assert_eq!(
        store
            .list()
            .filter(|core| core.as_ref().is_ok_and(|core| core.is_named()))
            .count(),
        100
    );
}
