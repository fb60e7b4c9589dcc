//! A batch is one append, and nothing comes between what it reads and what it writes.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use bytes::Bytes;
use common::{blocks, bytes, get, keys, list, put, trie};
use futures_lite::future::{block_on, poll_once};
use hypertrie::{IterOptions, Op, PutOptions, TrieError};

#[test]
fn a_batch_reads_its_own_writes() {
    let trie = trie();
    put(&trie, "a", "1");
    block_on(async {
        let mut batch = trie.begin().await.unwrap();
        batch.put("b", bytes("2")).await.unwrap();
        assert!(batch.del("a").await.unwrap());
        assert!(!batch.del("a").await.unwrap());
        assert_eq!(batch.get("a").await.unwrap(), None);
        assert_eq!(
            batch.get("b").await.unwrap().unwrap().value,
            Some(bytes("2"))
        );
        assert_eq!(batch.len(), 2);
        assert_eq!(trie.version(), 2, "nothing is written before the commit");
        let nodes = batch.commit().unwrap();
        assert_eq!(
            nodes.iter().map(|node| node.seq).collect::<Vec<_>>(),
            [2, 3]
        );
    });
    assert_eq!(keys(&trie, "", IterOptions::new()), ["b"]);
}

#[test]
fn an_abandoned_batch_leaves_nothing_behind() {
    let trie = trie();
    block_on(async {
        let mut batch = trie.begin().await.unwrap();
        batch.put("a", bytes("1")).await.unwrap();
        drop(batch);
        assert_eq!(trie.version(), 1);
        trie.put("b", bytes("2")).await.unwrap();
    });
    assert_eq!(keys(&trie, "", IterOptions::new()), ["b"]);
}

#[test]
fn an_error_in_a_batch_appends_nothing() {
    let trie = trie();
    let ops = vec![Op::put("a", bytes("1")), Op::put("", bytes("2"))];
    assert!(matches!(block_on(trie.batch(ops)), Err(TrieError::Key(_))));
    assert_eq!(trie.version(), 1);
}

#[test]
fn an_empty_batch_appends_nothing() {
    let trie = trie();
    assert_eq!(block_on(trie.batch(Vec::new())).unwrap(), []);
    assert_eq!(block_on(trie.batch(vec![Op::del("a")])).unwrap(), []);
    assert_eq!(trie.version(), 1);
}

#[test]
fn writers_take_turns() {
    let trie = trie();
    block_on(async {
        let mut first = trie.begin().await.unwrap();
        let clone = trie.clone();
        let mut second = Box::pin(clone.put("b", bytes("2")));
        assert!(
            poll_once(&mut second).await.is_none(),
            "the first batch is not over"
        );
        first.put("a", bytes("1")).await.unwrap();
        first.commit().unwrap();
        assert_eq!(second.await.unwrap().seq, 2);
    });
    assert_eq!(get(&trie, "a").as_deref(), Some("1"));
}

#[test]
fn a_waiting_writer_can_be_dropped() {
    let trie = trie();
    block_on(async {
        let first = trie.begin().await.unwrap();
        let mut second = Box::pin(trie.put("b", bytes("2")));
        assert!(poll_once(&mut second).await.is_none());
        drop(second);
        drop(first);
        trie.put("c", bytes("3")).await.unwrap();
    });
    assert_eq!(keys(&trie, "", IterOptions::new()), ["c"]);
}

#[test]
fn two_tries_on_one_log_do_not_mix_their_writes() {
    let one = trie();
    let other = common::open(one.feed().clone(), hypertrie::Options::new());
    block_on(async {
        let mut batch = one.begin().await.unwrap();
        batch.put("a", bytes("1")).await.unwrap();
        other.put("b", bytes("2")).await.unwrap();
        let conflict = batch.commit();
        assert!(matches!(
            conflict,
            Err(TrieError::Conflict { base: 1, length: 2 })
        ));
    });
    assert_eq!(keys(&one, "", IterOptions::new()), ["b"]);
    put(&one, "a", "1");
    assert_eq!(list(&other, "", IterOptions::new()).len(), 2);
}

/// The reference goes on from the node that says "empty" and links it; its own iterator then takes
/// the process down.
#[test]
fn fault_t3_a_batch_that_empties_the_trie_goes_on_from_nothing() {
    let trie = trie();
    put(&trie, "a", "1");
    let ops = vec![Op::del("a"), Op::put("b", bytes("2"))];
    block_on(trie.batch(ops)).unwrap();
    let blocks = blocks(&trie);
    assert_eq!(blocks[2], "0a001a010020022800");
    assert_eq!(
        blocks[3], "0a01621201321a010020032800",
        "a first node has no pointers"
    );
    assert_eq!(keys(&trie, "", IterOptions::new()), ["b"]);
}

#[test]
fn conditions_see_what_is_there() {
    let trie = trie();
    block_on(async {
        let options = PutOptions::new();
        let absent = |node: Option<&hypertrie::Node>| node.is_none();
        let created = trie.put_if("a", bytes("1"), options, absent).await.unwrap();
        assert_eq!(created.unwrap().seq, 1);
        assert_eq!(
            trie.put_if("a", bytes("2"), options, absent).await.unwrap(),
            None
        );
        assert_eq!(trie.version(), 2);
        let is_one = |node: Option<&hypertrie::Node>| {
            node.is_some_and(|node| node.value.as_deref() == Some(b"1"))
        };
        trie.put_if("a", bytes("2"), options, is_one)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            trie.put_if("a", bytes("3"), options, is_one).await.unwrap(),
            None
        );

        assert!(
            !trie
                .del_if("a", options, |node| node.seq == 1)
                .await
                .unwrap()
        );
        assert!(
            !trie
                .del_if("b", options, |_| panic!("b is absent"))
                .await
                .unwrap()
        );
        assert!(
            trie.del_if("a", options, |node| node.seq == 2)
                .await
                .unwrap()
        );
        assert_eq!(trie.get("a").await.unwrap(), None);
    });
}

#[test]
fn a_batch_is_one_signature() {
    let trie = trie();
    let events = trie.feed().events();
    let ops = (0..10)
        .map(|i| Op::put(format!("k{i}"), Bytes::new()))
        .collect();
    block_on(trie.batch(ops)).unwrap();
    let mut events = Box::pin(events);
    block_on(async {
        let mut appends = 0;
        while let Some(Some(_)) = poll_once(futures_lite::StreamExt::next(&mut events)).await {
            appends += 1;
        }
        assert_eq!(appends, 1);
    });
}
