//! Ways to ask for a core, and that each gives the same shared feed.

use std::sync::Arc;

use corestore::{Corestore, GetError, Options};
use hypercore_crypto::KeyPair;
use hypercore_storage::{MemoryDir, StorageDir};

fn open() -> (MemoryDir, Corestore) {
    let dir = MemoryDir::new();
    let store = Corestore::open(Arc::new(dir.clone()), Options::new()).expect("the store opens");
    (dir, store)
}

#[test]
fn every_way_of_asking_gives_the_same_feed() {
    let (_, store) = open();
    let feed = store.get_by_name("a").unwrap();
    feed.append(b"shared").unwrap();
    let pair = KeyPair::from_seed(&[1; 32]);
    let given = store.get_by_key_pair(&pair).unwrap();
    given.append(b"given").unwrap();

    for (feed, others) in [
        (
            &feed,
            [
                store.get_by_name("a").unwrap(),
                store.get(&feed.public_key()).unwrap(),
                store
                    .get_by_discovery_key(&feed.discovery_key())
                    .unwrap()
                    .unwrap(),
            ],
        ),
        (
            &given,
            [
                store.get_by_key_pair(&pair).unwrap(),
                store.get(&pair.public).unwrap(),
                store
                    .get_by_discovery_key(&pair.public.discovery_key())
                    .unwrap()
                    .unwrap(),
            ],
        ),
    ] {
        // One object: the registry's handle, the three, and the first.
        assert_eq!(feed.handles(), 5);
        for other in &others {
            assert_eq!(other.public_key(), feed.public_key());
            assert_eq!(other.length(), 1);
        }
    }
    assert_eq!(store.open_feeds().len(), 2);
}

#[test]
fn handles_and_namespaces_share_feeds() {
    let (_, store) = open();
    let first = store.namespace("one").default_feed().unwrap();
    let second = store.namespace("two").get(&first.public_key()).unwrap();
    let third = store.clone().get_by_name("one").unwrap();
    assert_eq!(first.handles(), 4);
    first.append(b"x").unwrap();
    assert_eq!((second.length(), third.length()), (1, 1));
}

#[test]
fn namespaces_have_default_cores_of_their_own() {
    let (_, store) = open();
    let keys: std::collections::HashSet<_> = [
        store.clone(),
        store.namespace("a"),
        store.namespace("b"),
        store.namespace("b").namespace("a"),
        store.namespace(&[0xa; 32]),
    ]
    .iter()
    .map(|handle| handle.default_feed().unwrap().public_key())
    .collect();
    assert_eq!(keys.len(), 5);
    assert_eq!(
        store
            .namespace("default")
            .default_feed()
            .unwrap()
            .public_key(),
        store.default_feed().unwrap().public_key(),
    );
    let nested = store.namespace("a").namespace("b");
    assert_eq!(nested.default_name(), b"a:b");
}

#[test]
fn a_core_that_is_not_stored_is_not_found_and_leaves_nothing() {
    let (dir, store) = open();
    let before = dir.list("").unwrap();
    let key = KeyPair::from_seed(&[3; 32]).public.discovery_key();
    assert!(store.get_by_discovery_key(&key).unwrap().is_none());
    assert_eq!(dir.list("").unwrap(), before);
    assert!(store.open_feeds().is_empty());
}

#[test]
fn a_core_of_somebody_else_is_read_only() {
    let (_, store) = open();
    let feed = store.get(&KeyPair::from_seed(&[3; 32]).public).unwrap();
    assert!(!feed.is_writable());
    assert!(feed.append(b"x").is_err());
    assert_eq!(feed.length(), 0);
}

#[test]
fn created_cores_differ() {
    let (_, store) = open();
    let (one, other) = (store.create().unwrap(), store.create().unwrap());
    assert_ne!(one.public_key(), other.public_key());
    assert!(one.is_writable());
}

#[test]
fn names_have_a_size() {
    let (_, store) = open();
    assert!(matches!(
        store.get_by_name(""),
        Err(GetError::Name { size: 0 })
    ));
    store.get_by_name(vec![7; 65_536]).unwrap();
    let refused = store.get_by_name(vec![7; 65_537]);
    assert!(matches!(refused, Err(GetError::Name { size: 65_537 })));
}

#[test]
fn a_feed_that_its_user_closed_is_opened_anew() {
    let (_, store) = open();
    let feed = store.get_by_name("a").unwrap();
    feed.append(b"kept").unwrap();
    feed.close().unwrap();
    assert!(store.open_feeds().is_empty());
    let again = store.get_by_name("a").unwrap();
    assert_eq!(again.length(), 1);
    assert!(feed.is_closed());
}

#[test]
fn threads_that_ask_for_one_core_get_one_feed() {
    let (_, store) = open();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            std::thread::spawn(move || {
                (0..20)
                    .map(|n| store.get_by_name(format!("{n}")).unwrap())
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    let feeds: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    for feed in &feeds[0] {
        assert_eq!(feed.handles(), 9);
    }
    assert_eq!(store.open_feeds().len(), 20);
}
