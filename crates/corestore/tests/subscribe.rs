//! Hearing of every feed that opens.

use std::sync::Arc;

use corestore::{Corestore, Opened, Options};
use futures_lite::future::{block_on, poll_once};
use hypercore_storage::MemoryDir;

fn open(options: Options) -> Corestore {
    Corestore::open(Arc::new(MemoryDir::new()), options).expect("the store opens")
}

fn waiting(opened: &mut Opened) -> Vec<hypercore_crypto::PublicKey> {
    block_on(async {
        let mut keys = Vec::new();
        while let Some(Some(feed)) = poll_once(opened.next()).await {
            keys.push(feed.public_key());
        }
        keys
    })
}

#[test]
fn feeds_are_told_once_each_those_already_open_first() {
    let store = open(Options::new());
    let one = store.get_by_name("1").unwrap().public_key();
    let mut opened = store.subscribe();
    let two = store.namespace("2").default_feed().unwrap().public_key();
    store.get(&one).unwrap();
    let three = store.get_by_name("3").unwrap().public_key();
    assert_eq!(waiting(&mut opened), [one, two, three]);
    assert_eq!(waiting(&mut opened), []);
    let four = store.get_by_name("4").unwrap().public_key();
    assert_eq!(waiting(&mut opened), [four]);
}

#[test]
fn a_subscriber_that_waits_is_woken() {
    let store = open(Options::new());
    let mut opened = store.subscribe();
    let waiter = std::thread::spawn(move || block_on(opened.next()).map(|feed| feed.public_key()));
    let key = store.get_by_name("late").unwrap().public_key();
    assert_eq!(waiter.join().unwrap(), Some(key));
}

#[test]
fn closing_the_store_ends_it() {
    let store = open(Options::new());
    let mut opened = store.subscribe();
    let mut dropped = store.subscribe();
    let waiter = std::thread::spawn(move || block_on(opened.next()).is_none());
    store.close().unwrap();
    assert!(waiter.join().unwrap());
    assert!(block_on(dropped.next()).is_none());
    let mut late = store.subscribe();
    assert!(block_on(late.next()).is_none());
}

#[test]
fn losing_the_last_handle_ends_it() {
    let store = open(Options::new());
    let mut opened = store.subscribe();
    drop(store);
    assert!(block_on(opened.next()).is_none());
}

#[test]
fn a_subscriber_that_never_looks_keeps_no_core_open() {
    let store = open(Options::new().open_cores(4));
    let mut opened = store.subscribe();
    for n in 0..200_u32 {
        store.get_by_name(n.to_le_bytes()).unwrap();
    }
    assert!(store.open_feeds().len() <= 5);
    assert!(waiting(&mut opened).len() <= 5, "closed ones are left out");
}

/// Whoever takes the feeds connects them with peers, who may have what is looked for.
#[test]
fn the_feeds_opened_last_wait_for_being_taken_and_no_others() {
    let store = open(Options::new());
    let mut opened = store.subscribe();
    let key = |n: u8| hypercore_crypto::KeyPair::from_seed(&[n; 32]).public;
    let feeds: Vec<_> = (0..65).map(|n| store.get(&key(n)).unwrap()).collect();
    let answered = |n: usize| block_on(poll_once(feeds[n].update())).is_some();
    assert!(answered(0), "64 wait at most");
    assert!(!answered(1) && !answered(64));
    assert_eq!(waiting(&mut opened).len(), 65);
    assert!((0..65).all(answered));
    drop(opened);
    let other = store.get(&key(70)).unwrap();
    assert!(block_on(poll_once(other.update())).is_some());
}
