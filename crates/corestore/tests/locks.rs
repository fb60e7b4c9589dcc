//! One store, one core, one owner at a time.

use std::sync::Arc;

use corestore::{Corestore, GetError, OpenError, Options};
use hypercore_storage::{DiskDir, MemoryDir, OpenMode, StorageDir};

/// Two views of the same directory, as two programs would have them.
fn twice() -> (Vec<[Arc<dyn StorageDir>; 2]>, tempfile::TempDir) {
    let memory = MemoryDir::new();
    let folder = tempfile::tempdir().expect("a folder for the test");
    let disk = || Arc::new(DiskDir::new(folder.path())) as Arc<dyn StorageDir>;
    (
        vec![
            [Arc::new(memory.clone()), Arc::new(memory)],
            [disk(), disk()],
        ],
        folder,
    )
}

#[test]
fn a_second_opener_is_told_who_has_it() {
    let (pairs, _folder) = twice();
    for [one, other] in pairs {
        let store = Corestore::open(one, Options::new()).unwrap();
        let error = Corestore::open(other.clone(), Options::new()).unwrap_err();
        let OpenError::Locked { holder } = error else {
            panic!("{error}")
        };
        assert_eq!(holder, Some(std::process::id()));
        let text = OpenError::Locked { holder }.to_string();
        assert!(
            text.contains(&format!("process {}", std::process::id())),
            "{text}"
        );

        store.close().unwrap();
        assert!(!other.exists("master_key.holder").unwrap());
        Corestore::open(other, Options::new()).unwrap();
    }
}

#[test]
fn the_lock_is_told_without_a_holder_too() {
    let (pairs, _folder) = twice();
    for [one, other] in pairs {
        let _held = one.lock("master_key").unwrap();
        let error = Corestore::open(other.clone(), Options::new()).unwrap_err();
        assert!(
            matches!(error, OpenError::Locked { holder: None }),
            "{error}"
        );
        // Whatever is in that file, it is only ever text.
        other
            .open("master_key.holder", OpenMode::Create)
            .unwrap()
            .write(0, &[0xff; 99])
            .unwrap();
        let error = Corestore::open(other, Options::new()).unwrap_err();
        assert!(
            matches!(error, OpenError::Locked { holder: None }),
            "{error}"
        );
    }
}

#[test]
fn a_feed_that_is_still_held_keeps_the_store_locked() {
    let (pairs, _folder) = twice();
    for [one, other] in pairs {
        let feed = {
            let store = Corestore::open(one, Options::new()).unwrap();
            store.default_feed().unwrap()
        };
        assert!(Corestore::open(other.clone(), Options::new()).is_err());
        drop(feed);
        Corestore::open(other, Options::new()).unwrap();
    }
}

/// A Node program locks cores and not the store.
#[test]
fn a_core_that_another_program_has_open_is_refused() {
    let (pairs, _folder) = twice();
    for [one, other] in pairs {
        let store = Corestore::open(one, Options::new()).unwrap();
        let key = store.default_feed().unwrap().discovery_key();
        store.close().unwrap();

        let id = key.to_string();
        let bitfield = format!("{}/{}/{id}/bitfield", &id[..2], &id[2..4]);
        let theirs = other.lock(&bitfield).unwrap();
        let store = Corestore::open(other.clone(), Options::new()).unwrap();
        let error = store.default_feed().unwrap_err();
        assert!(matches!(error, GetError::Locked { discovery_key } if discovery_key == key));
        assert!(store.get_by_name("another").is_ok());
        drop(theirs);

        let feed = store.default_feed().unwrap();
        assert!(other.lock(&bitfield).is_err());
        feed.close().unwrap();
        other.lock(&bitfield).unwrap();
    }
}
