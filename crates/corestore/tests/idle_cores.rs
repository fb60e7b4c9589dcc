//! A thousand cores that are open and not used take hardly a descriptor. The only test of this file,
//! since it counts those of the process.
#![cfg(target_os = "linux")]

use std::sync::Arc;

use corestore::{Corestore, Options};
use hypercore_storage::DiskDir;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_thousand_open_cores_take_64_descriptors() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let dir = Arc::new(DiskDir::new(folder.path()));
        Corestore::open(dir, Options::new().open_cores(1000)).unwrap()
    };
    let store = open();
    let feeds: Vec<_> = (0..1000_u32)
        .map(|n| store.get_by_name(n.to_le_bytes()).unwrap())
        .collect();
    assert_eq!(store.open_feeds().len(), 1000);
    assert!(descriptors() <= 64, "{} when new", descriptors());
    // Some of them are in use.
    for (n, feed) in (0..1000_u32).zip(&feeds).step_by(50) {
        feed.append(n.to_le_bytes()).unwrap();
        feed.flush().unwrap();
        assert!(descriptors() <= 64, "{} in use", descriptors());
    }
    store.close().unwrap();

    let store = open();
    let keys = feeds.iter().map(|feed| feed.public_key());
    let feeds: Vec<_> = keys.map(|key| store.get(&key).unwrap()).collect();
    assert!(descriptors() <= 64, "{} when opened", descriptors());
    for (n, feed) in (0..1000_u32).zip(&feeds) {
        let block = feed.get_local(0).unwrap();
        let expected = (n % 50 == 0).then(|| n.to_le_bytes().to_vec().into());
        assert_eq!(block, expected);
    }
    assert!(descriptors() <= 64, "{} when read", descriptors());
}
