//! Older versions can be read for ever, and written on top of only when that is what is meant.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{bytes, changes, get, keys, list, put, trie};
use futures_lite::future::block_on;
use hypertrie::{DiffOptions, IterOptions, Op, Options, TrieError};

#[test]
fn a_checkout_stays_as_it_was() {
    let trie = trie();
    put(&trie, "a", "1");
    let first = trie.snapshot();
    put(&trie, "a", "2");
    put(&trie, "b", "2");
    assert_eq!((first.version(), trie.version()), (2, 4));
    assert_eq!(first.checked_out(), Some(2));
    assert_eq!(get(&first, "a").as_deref(), Some("1"));
    assert_eq!(keys(&first, "", IterOptions::new()), ["a"]);
    assert_eq!(get(&trie, "a").as_deref(), Some("2"));
    // A checkout of a checkout is one of the trie.
    assert_eq!(get(&first.checkout(4), "b").as_deref(), Some("2"));
}

#[test]
fn versions_zero_and_one_are_empty() {
    let trie = trie();
    put(&trie, "a", "1");
    for version in [0, 1] {
        let empty = trie.checkout(version);
        assert_eq!(empty.version(), 1);
        assert_eq!(get(&empty, "a"), None);
        assert_eq!(list(&empty, "", IterOptions::new()), []);
        let all = changes(trie.diff(version, "", DiffOptions::new()));
        assert_eq!(all, [("a".to_owned(), 1, 0)]);
        let none = changes(empty.diff(2, "", DiffOptions::new()));
        assert_eq!(none, [("a".to_owned(), 0, 1)]);
    }
}

/// In the reference, a write through a checkout appends a node that knows the old version only, and
/// everything since drops out of the newest one.
#[test]
fn checkouts_refuse_to_write() {
    let trie = trie();
    put(&trie, "a", "1");
    put(&trie, "b", "2");
    let old = trie.checkout(2);
    block_on(async {
        let refused = |result: Result<(), TrieError>| {
            assert!(matches!(result, Err(TrieError::Checkout { version: 2 })));
        };
        refused(old.put("c", bytes("3")).await.map(drop));
        refused(old.del("a").await.map(drop));
        refused(old.batch(vec![Op::del("a")]).await.map(drop));
        refused(old.remove_prefix("a").await.map(drop));
        refused(old.revert(1).await);
        refused(old.begin().await.map(drop));
    });
    assert_eq!(trie.version(), 3);
}

#[test]
fn reverting_brings_a_version_back_on_top() {
    let trie = trie();
    put(&trie, "a", "1");
    put(&trie, "d/b", "1");
    put(&trie, "a", "2");
    put(&trie, "d/c", "2");
    block_on(trie.revert(3)).unwrap();
    assert_eq!(trie.version(), 6, "it takes one node");
    assert_eq!(get(&trie, "a").as_deref(), Some("1"));
    assert_eq!(get(&trie, "d/c"), None);
    assert_eq!(get(&trie.checkout(5), "d/c").as_deref(), Some("2"));
    block_on(trie.revert(6)).unwrap();
    block_on(trie.revert(100)).unwrap();
    assert_eq!(trie.version(), 6, "that is what is there already");
    block_on(trie.revert(1)).unwrap();
    assert_eq!(list(&trie, "", IterOptions::new()), []);
    block_on(trie.revert(5)).unwrap();
    assert_eq!(list(&trie, "", IterOptions::new()).len(), 3);
}

#[test]
fn an_older_program_s_log_opens_without_its_header_being_read() {
    // The reference never looks at block 0 to operate.
    let source = trie();
    put(&source, "a", "1");
    let node = source.feed().get_local(1).unwrap().unwrap();
    let trie = common::trie_of(&[&b"anything"[..], &node], Options::new());
    assert_eq!(get(&trie, "a").as_deref(), Some("1"));
    assert!(matches!(block_on(trie.metadata()), Err(TrieError::Header)));
}
