//! Tries of many keys: what is read grows with the logarithm of their number, and what is kept in memory
//! does not grow. `cargo xtask many-keys` does it with a million, and measures.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{bytes, get};
use futures_lite::future::block_on;
use hypertrie::{IterOptions, Op, Options, Stats, Trie};

const KEYS: u32 = 50_000;

/// A small part of what they take.
const CACHE_BYTES: usize = 1 << 20;

fn key(i: u32) -> String {
    format!("dir/{i}")
}

fn filled(keys: u32) -> Trie {
    let options = Options::new().cache(usize::MAX, CACHE_BYTES);
    let trie = common::open(common::feed(), options);
    let mut spent = 0;
    for start in (0..keys).step_by(1000) {
        let before = trie.stats().visited;
        let ops = (start..start + 1000).map(|i| Op::put(key(i), bytes("value")));
        block_on(trie.batch(ops.collect())).unwrap();
        spent = trie.stats().visited - before;
        assert_small(trie.stats());
    }
    // One more to begin with, and ¾ of a level for each power of four.
    let most = 1000.0 * (1.5 + 0.75 * f64::from(keys).log(4.0));
    assert!(f64::from(u32::try_from(spent).unwrap()) < most, "{spent}");
    trie
}

#[track_caller]
fn assert_small(stats: Stats) {
    assert!(stats.kept_bytes <= CACHE_BYTES, "{stats:?}");
}

#[test]
fn lookups_among_many_keys_read_a_few_blocks() {
    for keys in [KEYS / 10, KEYS] {
        let trie = filled(keys);
        let before = trie.stats();
        let mut lookups = 0;
        for i in (0..keys).step_by(7) {
            assert!(get(&trie, &key(i)).is_some());
            lookups += 1;
        }
        let visited = trie.stats().visited - before.visited;
        let each = f64::from(u32::try_from(visited).unwrap()) / f64::from(lookups);
        let levels = 0.75 * f64::from(keys).log(4.0);
        assert!(
            (levels - 0.5..levels + 1.5).contains(&each),
            "{each} blocks, {levels} levels"
        );
        assert_small(trie.stats());
    }
}

#[test]
fn a_listing_of_many_keys_reads_each_block_once_and_keeps_few() {
    let trie = filled(KEYS);
    for options in [IterOptions::new(), IterOptions::new().recursive(false)] {
        let before = trie.stats();
        let mut iter = trie.iter("dir", options);
        let mut listed = 0;
        while let Some(node) = block_on(iter.next()).unwrap() {
            assert!(node.key.starts_with("dir/"));
            listed += 1;
            if listed % 100 == 0 {
                // What is left is known by its places: three or fewer for each level.
                let left = iter.checkpoint().unwrap().len();
                assert!(left < 600, "{left} bytes");
                assert_small(trie.stats());
            }
        }
        assert_eq!(listed, KEYS);
        let after = trie.stats();
        let (visited, read) = (after.visited - before.visited, after.read - before.read);
        let all = u64::from(KEYS);
        assert!((all..all + 50).contains(&visited), "{visited} visited");
        assert!(read <= all + 50, "{read} read");
    }
}

/// A page ends anywhere, and the next one costs what is in it.
#[test]
fn pages_of_a_large_directory_cost_what_is_in_them() {
    let trie = filled(KEYS);
    let mut iter = trie.iter("dir", IterOptions::new());
    for _ in 0..KEYS / 2 {
        block_on(iter.next()).unwrap().unwrap();
    }
    let mut checkpoint = iter.checkpoint().unwrap();
    let mut last = String::new();
    for _ in 0..20 {
        let before = trie.stats().visited;
        let mut page = trie
            .resume_iter("dir", IterOptions::new(), &checkpoint)
            .unwrap();
        for _ in 0..100 {
            let node = block_on(page.next()).unwrap().unwrap();
            assert_ne!(node.key, last);
            last = node.key;
        }
        checkpoint = page.checkpoint().unwrap();
        let visited = trie.stats().visited - before;
        assert!(visited <= 150, "{visited} visited for 100 entries");
    }
}
