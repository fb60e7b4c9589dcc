//! How much is read: by a lookup, by a listing of everything, and by one of a part.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{bytes, list};
use futures_lite::future::block_on;
use hypertrie::{IterOptions, Op, Options, Stats, Trie};

/// So many keys in so many folders, of a trie of which nothing is remembered.
fn filled(keys: usize, folders: usize, options: Options) -> Trie {
    let trie = common::trie();
    let ops = (0..keys).map(|i| Op::put(format!("f{}/k{i}", i % folders), bytes("value")));
    block_on(trie.batch(ops.collect())).unwrap();
    common::open(trie.feed().clone(), options)
}

#[track_caller]
fn listed(trie: &Trie, prefix: &str, expected: usize) -> Stats {
    let before = trie.stats();
    assert_eq!(list(trie, prefix, IterOptions::new()).len(), expected);
    let after = trie.stats();
    let mut spent = after;
    spent.visited -= before.visited;
    spent.read -= before.read;
    spent
}

#[test]
fn a_listing_of_everything_reads_each_block_about_once() {
    let trie = filled(5000, 1, Options::new());
    let first = listed(&trie, "", 5000);
    assert!((5000..5500).contains(&first.visited), "{first:?}");
    // Neighbours are read with those wanted, and remembered, so few are read twice.
    assert!((5000..5200).contains(&first.read), "{first:?}");
    assert_eq!(listed(&trie, "", 5000).read, 0);
}

#[test]
fn a_listing_of_a_small_part_reads_that_part() {
    let trie = filled(5000, 50, Options::new());
    let part = listed(&trie, "f7", 100);
    assert!(part.read < 200, "{part:?}");
    // One folder of two is worth the other one's blocks.
    let trie = filled(5000, 2, Options::new());
    let half = listed(&trie, "f1", 2500);
    assert!((2500..5200).contains(&half.read), "{half:?}");
}

#[test]
fn what_cannot_be_kept_is_not_read_in_advance() {
    let trie = filled(5000, 1, Options::new().cache(500, 1 << 20));
    let all = listed(&trie, "", 5000);
    assert!(all.read < 6000, "{all:?}");
    let trie = filled(5000, 1, Options::new().cache(0, 0));
    let all = listed(&trie, "", 5000);
    assert!(all.read <= 5000 + 100, "{all:?}");
}

#[test]
fn a_block_that_is_broken_is_found_out_by_whom_it_matters_to() {
    let trie = filled(2000, 1, Options::new());
    // No node at all, beside one that is written onto it.
    trie.feed().append(b"\xff").unwrap();
    let trie = common::open(trie.feed().clone(), Options::new());
    let before = trie.checkout(2001);
    assert_eq!(list(&before, "", IterOptions::new()).len(), 2000);
    assert!(block_on(trie.get("f0/k0")).is_err());
}
