//! Names with the same hash are kept apart. The reference loses some of them when one is deleted,
//! and its comparison of versions pairs the wrong ones or never ends.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{apply, bytes, changes, first_byte, get, keys, list, open, put, trie, vectors};
use futures_lite::future::block_on;
use hypertrie::{DiffOptions, IterOptions, Op, Options, TrieError};

const FIRST: &str = "idgcmnmna";
const SECOND: &str = "mpomeiehc";

#[test]
fn deleting_one_name_keeps_the_others() {
    let colliding = ["xa", "xb", "xc", "xd"];
    for doomed in colliding {
        for last in colliding {
            let trie = open(common::feed(), Options::new().component_hash(first_byte));
            for name in colliding {
                put(&trie, name, name);
                put(&trie, &format!("{name}/child"), name);
            }
            put(&trie, last, "again");
            assert!(block_on(trie.del(doomed)).unwrap());
            assert_eq!(get(&trie, doomed), None);
            let mut left = keys(&trie, "", IterOptions::new());
            left.sort();
            let mut expected: Vec<_> = colliding
                .iter()
                .map(|name| format!("{name}/child"))
                .collect();
            expected.extend(
                colliding
                    .iter()
                    .filter(|name| **name != doomed)
                    .map(|&name| name.into()),
            );
            expected.sort();
            assert_eq!(left, expected, "{doomed} deleted, {last} written last");
        }
    }
}

#[test]
fn the_reference_s_failed_deletions_succeed() {
    let vectors = vectors();
    let scenarios = vectors["scenarios"].as_array().unwrap();
    let scenario = scenarios
        .iter()
        .find(|s| s["name"] == "siphash-collision-delete")
        .unwrap();
    let trie = trie();
    apply(&trie, scenario["ops"].as_array().unwrap());
    assert_eq!(keys(&trie, "", IterOptions::new()), ["foo"]);
}

/// This sequence, compared with version 2, keeps the reference busy for ever.
#[test]
fn versions_with_collisions_are_compared_by_name() {
    let trie = trie();
    let children = [FIRST, SECOND].map(|name| format!("{name}/a"));
    for key in [FIRST, SECOND, "foo", &children[0], &children[1]] {
        put(&trie, key, key);
    }
    for options in [DiffOptions::new(), DiffOptions::new().skip_left_null(true)] {
        let mut found = changes(trie.diff(2, "", options));
        found.sort_by_key(|change| change.1);
        let expected = [
            (SECOND, 2),
            ("foo", 3),
            (&children[0], 4),
            (&children[1], 5),
        ];
        let expected = expected.map(|(key, seq)| (key.to_owned(), seq, 0));
        assert_eq!(found, expected);
    }
    let known = changes(trie.diff(2, "", DiffOptions::new().skip_right_null(true)));
    assert_eq!(known, [], "the one key that was there is unchanged");

    put(&trie, SECOND, "new");
    put(&trie, FIRST, "new");
    let mut found = changes(trie.diff(6, "", DiffOptions::new()));
    found.sort();
    assert_eq!(found, [(FIRST.to_owned(), 7, 1), (SECOND.to_owned(), 6, 2)]);
}

#[test]
fn colliding_folders_are_listed_and_removed_apart() {
    let trie = trie();
    for key in [FIRST, SECOND] {
        for child in ["a", "b", "c/d"] {
            put(&trie, &format!("{key}/{child}"), "x");
        }
    }
    assert_eq!(list(&trie, FIRST, IterOptions::new()).len(), 3);
    assert_eq!(
        list(&trie, "", IterOptions::new().recursive(false)).len(),
        2
    );
    assert!(block_on(trie.remove_prefix(FIRST)).unwrap());
    assert_eq!(list(&trie, FIRST, IterOptions::new()), []);
    assert_eq!(list(&trie, SECOND, IterOptions::new()).len(), 3);
    assert!(!block_on(trie.remove_prefix(FIRST)).unwrap());
    assert!(block_on(trie.remove_prefix(SECOND)).unwrap());
    assert_eq!(list(&trie, "", IterOptions::new()), []);
}

/// A digit has slots for seven pointers of each value. The reference goes on silently and writes a
/// node that it cannot read.
#[test]
fn fault_t2_too_many_collisions_are_refused() {
    let trie = open(common::feed(), Options::new().component_hash(|_| [0x55; 8]));
    let put = |i: u32| block_on(trie.put(&format!("k{i}"), bytes("v")));
    let stored = (0..20).take_while(|i| put(*i).is_ok()).count();
    assert_eq!(stored, 7, "six others can be told from a node");
    assert!(matches!(put(7), Err(TrieError::TooManyCollisions)));
    assert_eq!(list(&trie, "", IterOptions::new()).len(), stored);
    assert_eq!(trie.version(), 8);
    // What is there can be overwritten and deleted.
    put(3).unwrap();
    assert!(block_on(trie.del("k5")).unwrap());
    put(7).unwrap();
    let ops = (0..8).map(|i| Op::del(format!("k{i}"))).collect();
    assert_eq!(block_on(trie.batch(ops)).unwrap().len(), 7);
    assert_eq!(list(&trie, "", IterOptions::new()), []);
}
