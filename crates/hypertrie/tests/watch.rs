//! A watch tells of what changed under its prefix, and of nothing else.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use common::{bytes, put};
use futures_lite::future::block_on;
use hypertrie::{Op, Watch};

/// The version told of without anything happening meanwhile.
fn told(watch: &mut Watch) -> Option<u64> {
    match pin!(watch.next()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(version) => Some(version.unwrap()),
        Poll::Pending => None,
    }
}

#[test]
fn changes_at_and_under_the_prefix_are_told_of() {
    let trie = common::trie();
    put(&trie, "a/x", "1");
    let mut watch = trie.watch("a");
    assert_eq!(told(&mut watch), None, "nothing happened yet");
    put(&trie, "b", "1");
    put(&trie, "ab", "1");
    assert_eq!(told(&mut watch), None);
    put(&trie, "a/y", "1");
    assert_eq!(told(&mut watch), Some(trie.version()));
    assert_eq!(told(&mut watch), None);
    put(&trie, "a", "1");
    put(&trie, "a/x", "2");
    assert_eq!(told(&mut watch), Some(trie.version()));
    assert_eq!(told(&mut watch), None, "two changes were told of as one");
}

/// The reference does not tell when a prefix becomes empty, and tells when a node under it is only
/// written again.
#[test]
fn deletions_are_told_of_where_they_happen() {
    let trie = common::trie();
    put(&trie, "a/x", "1");
    put(&trie, "b/y", "1");
    let [mut a, mut b] = ["a", "b"].map(|prefix| trie.watch(prefix));
    assert!(block_on(trie.del("a/x")).unwrap());
    assert_eq!(told(&mut a), Some(trie.version()));
    assert_eq!(told(&mut b), None);
    assert!(block_on(trie.del("b/y")).unwrap());
    assert_eq!(told(&mut b), Some(trie.version()));
    assert_eq!(told(&mut a), None);
}

#[test]
fn what_came_and_went_meanwhile_is_no_change() {
    let trie = common::trie();
    put(&trie, "a/x", "1");
    let mut watch = trie.watch("a");
    put(&trie, "a/x", "2");
    put(&trie, "a/x", "1");
    assert_eq!(told(&mut watch), None);
}

#[test]
fn a_checkout_is_watched_from_its_version_on() {
    let trie = common::trie();
    put(&trie, "a", "1");
    let then = trie.snapshot();
    put(&trie, "a", "2");
    assert_eq!(told(&mut trie.watch("")), None);
    assert_eq!(told(&mut then.watch("")), Some(3));
}

#[test]
fn dropping_a_watch_ends_it() {
    let trie = common::trie();
    let [first, mut second] = ["foo", "foo"].map(|prefix| trie.watch(prefix));
    put(&trie, "foo/bar", "1");
    drop(first);
    for i in 0..5 {
        put(&trie, "foo/bar", &format!("again {i}"));
        assert_eq!(told(&mut second), Some(trie.version()));
    }
}

#[test]
fn a_waiting_watch_is_woken() {
    let trie = common::trie();
    let mut watch = trie.watch("a");
    let writer = trie.clone();
    let (version, _) = block_on(futures_lite::future::zip(watch.next(), async {
        writer.batch(vec![Op::put("b", bytes("1"))]).await.unwrap();
        writer
            .batch(vec![Op::put("a/1", bytes("1"))])
            .await
            .unwrap();
    }));
    assert_eq!(version.unwrap(), 3);
}
