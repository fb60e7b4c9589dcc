//! The secret of a store can be kept elsewhere, and gives back what is needed to write, with care.

use std::sync::Arc;

use corestore::{Backup, BackupError, ConfirmError, Corestore, OpenError, Options};
use hypercore::Feed;
use hypercore_crypto::{KeyPair, PublicKey};
use hypercore_storage::{MemoryDir, StorageDir};

fn open(dir: &Arc<dyn StorageDir>) -> Corestore {
    Corestore::open(dir.clone(), Options::new()).expect("the store opens")
}

fn empty() -> Arc<dyn StorageDir> {
    Arc::new(MemoryDir::new())
}

/// A store with a core of each kind that can be written and one that cannot, and its backup.
fn prepared() -> (Arc<dyn StorageDir>, Vec<PublicKey>, Backup) {
    let dir = empty();
    let store = open(&dir);
    let feeds = [
        store.default_feed(),
        store.get_by_name("named"),
        store.create(),
        store.get_by_key_pair(&KeyPair::from_seed(&[1; 32])),
    ];
    let keys = feeds.map(|feed| {
        let feed = feed.expect("the core opens");
        feed.append("block").expect("it is writable");
        feed.public_key()
    });
    store
        .get(&PublicKey::from_bytes([9; 32]))
        .expect("a foreign core");
    let backup = store.backup().expect("the store can be read");
    store.close().expect("the store closes");
    (dir, keys.to_vec(), backup)
}

/// Brings all blocks of one log into another, as a peer would.
fn fetch(from: &Feed, to: &Feed) {
    let (near, far) = (to.join(waker()), from.join(waker()));
    near.handle_open();
    near.handle_uploading(true);
    near.handle_have(0..from.length());
    let _download = to.download(0..from.length());
    let mut known = hypercore::RemoteTree::default();
    let limits = hypercore::RequestLimits { urgent: 8, bulk: 8 };
    let mut requests = Vec::new();
    near.poll_requests(limits, &mut requests);
    for request in requests {
        let hypercore::Answer::Data {
            index,
            value,
            proof,
        } = far.answer(&request, &mut known).expect("a proof")
        else {
            panic!("the block is there");
        };
        near.handle_data(index, value, proof)
            .expect("it is genuine");
    }
}

fn waker() -> std::task::Waker {
    std::task::Waker::noop().clone()
}

#[test]
fn a_backup_gives_back_every_core_that_could_be_written() {
    let (old, keys, backup) = prepared();
    assert_eq!(backup.cores(), 4);
    let bytes = backup.to_bytes();
    let backup = Backup::from_bytes(&bytes).expect("it is one");
    assert_eq!(*Backup::to_bytes(&backup), *bytes);

    let new = empty();
    assert_eq!(Corestore::restore(&new, &backup).expect("it is empty"), 4);
    assert_eq!(Corestore::restore(&new, &backup).expect("it fits"), 0);
    let (old, new) = (open(&old), open(&new));
    for key in &keys {
        let feed = new.get(key).expect("the core opens");
        assert!(!feed.is_writable(), "nobody knows yet what was in it");
        let refused = new.confirm(key, 1);
        assert!(matches!(
            refused,
            Err(ConfirmError::Length {
                known: 0,
                length: 1
            })
        ));
        let original = old.get(key).expect("the core opens");
        fetch(&original, &feed);
        let feed = new.confirm(key, 1).expect("all of it is known");
        assert_eq!(feed.append("next").expect("it is writable"), 1);
        assert_eq!(
            feed.get_local(0).expect("it is stored").as_deref(),
            Some(&b"block"[..])
        );
        // Asked again, it is a core like any other.
        assert!(new.confirm(key, 99).expect("it is writable").is_writable());
    }
    let names = ["default", "named"];
    for (key, name) in keys.iter().zip(names) {
        assert_eq!(new.get_by_name(name).expect("it opens").public_key(), *key);
    }
}

#[test]
fn a_restored_core_stays_guarded_when_the_store_is_opened_again() {
    let (_old, keys, backup) = prepared();
    let new = empty();
    Corestore::restore(&new, &backup).expect("it is empty");
    for _ in 0..2 {
        let store = open(&new);
        assert!(!store.default_feed().expect("it opens").is_writable());
        store.close().expect("it closes");
    }
    let store = open(&new);
    // The owner knows that there was nothing in it.
    let feed = store.confirm(&keys[0], 0).expect("so it is said");
    assert!(feed.is_writable());
    drop(feed);
    store.close().expect("it closes");
    assert!(open(&new).default_feed().expect("it opens").is_writable());
}

#[test]
fn a_store_that_lost_some_secrets_gets_them_back_and_keeps_the_rest() {
    let (dir, keys, backup) = prepared();
    let id = keys[2].discovery_key().to_string();
    let name = format!("{}/{}/{id}/name", &id[..2], &id[2..4]);
    dir.remove(&name).expect("the name is there");
    assert!(!open(&dir).get(&keys[2]).expect("it opens").is_writable());
    assert_eq!(Corestore::restore(&dir, &backup).expect("it fits"), 1);
    let store = open(&dir);
    for key in &keys {
        // Their blocks never went away.
        let feed = store.get(key).expect("it opens");
        assert_eq!((feed.length(), feed.is_writable()), (1, true));
    }
}

#[test]
fn a_directory_of_another_store_is_left_alone() {
    let (_, _, backup) = prepared();
    let (other, keys, _) = prepared();
    let refused = Corestore::restore(&other, &backup);
    assert!(matches!(refused, Err(OpenError::OtherMasterKey)));
    let store = open(&other);
    assert!(store.get(&keys[0]).expect("it opens").is_writable());
    let refused = Corestore::restore(&other, &backup);
    assert!(matches!(refused, Err(OpenError::Locked { .. })));
}

#[test]
fn damaged_backups_are_refused() {
    let (_, _, backup) = prepared();
    let bytes = backup.to_bytes();
    assert_eq!(
        Backup::from_bytes(b"something else").map(drop),
        Err(BackupError::NotABackup)
    );
    for length in 19..bytes.len() {
        let cut = Backup::from_bytes(&bytes[..length]).map(drop);
        assert_eq!(cut, Err(BackupError::Damaged), "{length}");
    }
    for at in (19..bytes.len()).step_by(7) {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        let changed = Backup::from_bytes(&changed).map(drop);
        assert_eq!(changed, Err(BackupError::Damaged), "{at}");
    }
    // Nothing of the secrets shows.
    assert_eq!(format!("{backup:?}"), "Backup { cores: 4, .. }");
}
