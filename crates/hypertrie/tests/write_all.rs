//! Writes that come one after the other from a stream.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::cell::Cell;
use std::task::Poll;

use common::{bytes, get};
use futures_lite::future::block_on;
use futures_lite::stream;
use hypertrie::{Op, TrieError};

#[test]
fn a_stream_of_writes_is_written() {
    let trie = common::trie();
    let ops = (0..1000).map(|i| Op::put(format!("foo{i}"), bytes(&i.to_string())));
    assert_eq!(block_on(trie.write_all(stream::iter(ops))).unwrap(), 1000);
    for i in [1, 50, 999] {
        assert_eq!(get(&trie, &format!("foo{i}")), Some(i.to_string()));
    }
    // Deletions of what is absent write nothing.
    let ops = [Op::del("foo1"), Op::del("none"), Op::put("foo2", None)];
    assert_eq!(block_on(trie.write_all(stream::iter(ops))).unwrap(), 2);
    assert_eq!(get(&trie, "foo1"), None);
    assert_eq!(block_on(trie.write_all(stream::empty())).unwrap(), 0);
}

/// Whoever is slow to say what comes next finds what was said before written already.
#[test]
fn what_is_at_hand_does_not_wait_for_more() {
    let trie = common::trie();
    let asked = Cell::new(0);
    let ops = stream::poll_fn(|cx| {
        let i = asked.get();
        asked.set(i + 1);
        match i {
            0..4 => Poll::Ready(Some(Op::put(format!("k{i}"), None))),
            4 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            5 => {
                assert_eq!(trie.version(), 5, "the first four are written");
                Poll::Ready(Some(Op::put("last", None)))
            }
            _ => Poll::Ready(None),
        }
    });
    assert_eq!(block_on(trie.write_all(ops)).unwrap(), 5);
    assert_eq!(trie.version(), 6);
}

#[test]
fn appends_have_a_limit() {
    let trie = common::trie();
    let mut lengths = Vec::new();
    let ops = (0..3000).map(|i| {
        lengths.push(trie.version());
        Op::put(format!("k{i}"), None)
    });
    assert_eq!(block_on(trie.write_all(stream::iter(ops))).unwrap(), 3000);
    lengths.dedup();
    assert_eq!(lengths, [1, 1025, 2049]);
}

#[test]
fn what_was_written_before_an_error_stays() {
    let trie = common::trie();
    let ops = (0..2000).map(|i| match i {
        1500 => Op::put("", None),
        _ => Op::put(format!("k{i}"), None),
    });
    let failed = block_on(trie.write_all(stream::iter(ops)));
    assert!(matches!(failed, Err(TrieError::Key(_))), "{failed:?}");
    assert_eq!(trie.version(), 1025);
}
