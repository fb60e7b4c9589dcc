//! Renames are one append, after which the new names are there and the old ones are not.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;

use bytes::Bytes;
use common::{bytes, get, keys, list, open, put};
use futures_lite::StreamExt;
use futures_lite::future::block_on;
use hypercore::FeedEvent;
use hypercore_crypto::KeyPair;
use hypertrie::{GetOptions, IterOptions, KeyError, Mount, Options, PutOptions, Trie, TrieError};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn trie_with(names: &[&str]) -> Trie {
    let trie = common::trie();
    for name in names {
        put(&trie, name, &format!("value of {name}"));
    }
    trie
}

fn rename_prefix(trie: &Trie, from: &str, to: &str) -> u64 {
    block_on(trie.rename_prefix(from, to)).unwrap()
}

/// All visible keys and their values.
fn entries(trie: &Trie) -> BTreeMap<String, String> {
    let nodes = list(trie, "", IterOptions::new()).into_iter();
    let entry = |node: hypertrie::Node| {
        let value = String::from_utf8(node.value.unwrap().to_vec()).unwrap();
        assert_eq!(get(trie, &node.key), Some(value.clone()));
        (node.key, value)
    };
    nodes.map(entry).collect()
}

fn other() -> [u8; 32] {
    *KeyPair::from_seed(&[2; 32]).public.as_bytes()
}

fn record(trie: &Trie, path: &str) -> Option<Mount> {
    let options = GetOptions::new().hidden(true);
    let node = block_on(trie.get_with(&format!("mounts/{path}"), options)).unwrap()?;
    node.mount().unwrap()
}

#[test]
fn one_key_takes_its_value_and_flags_along() {
    let trie = trie_with(&["a", "b"]);
    block_on(trie.put_with("k", bytes("v"), PutOptions::new().flags(6))).unwrap();
    let version = trie.version();
    assert!(block_on(trie.rename("k", "d/new")).unwrap());
    assert_eq!(trie.version(), version + 2, "a put and a deletion");
    assert_eq!(get(&trie, "k"), None);
    let node = block_on(trie.get("d/new")).unwrap().unwrap();
    assert_eq!((node.value, node.flags), (Some(bytes("v")), 6));
    assert_eq!(get(&trie, "a").as_deref(), Some("value of a"));

    assert!(!block_on(trie.rename("k", "x")).unwrap(), "it is gone");
    assert!(block_on(trie.rename("a", "/a")).unwrap(), "onto itself");
    assert_eq!(trie.version(), version + 2);
}

#[test]
fn one_key_leaves_what_is_under_it() {
    let trie = trie_with(&["a", "a/b", "c", "c/d"]);
    assert!(block_on(trie.rename("a", "c")).unwrap());
    let found = entries(&trie);
    let expected = [
        ("a/b", "value of a/b"),
        ("c", "value of a"),
        ("c/d", "value of c/d"),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(found, BTreeMap::from(expected));
}

#[test]
fn a_prefix_is_moved_in_one_append_with_one_node_a_key_and_one_more() {
    let names: Vec<_> = (0..50).map(|i| format!("old/{}/f{i}", i % 7)).collect();
    let mut names: Vec<_> = names.iter().map(String::as_str).collect();
    names.extend(["old", "older", "z/old"]);
    let trie = trie_with(&names);
    let before = trie.snapshot();
    let mut events = trie.feed().events();
    assert_eq!(rename_prefix(&trie, "/old", "far/away/new"), 51);
    assert_eq!(trie.version(), before.version() + 52);
    let length = trie.version();
    assert_eq!(
        block_on(events.next()),
        Some(FeedEvent::Appended { length }),
        "the first append is the whole of it"
    );

    assert_eq!(keys(&trie, "old", IterOptions::new()), [""; 0]);
    assert_eq!(keys(&trie, "far", IterOptions::new()).len(), 51);
    assert_eq!(get(&trie, "far/away/new").as_deref(), Some("value of old"));
    assert_eq!(
        get(&trie, "far/away/new/3/f10").as_deref(),
        Some("value of old/3/f10")
    );
    assert_eq!(get(&trie, "older").as_deref(), Some("value of older"));
    assert_eq!(get(&trie, "z/old").as_deref(), Some("value of z/old"));
    assert_eq!(entries(&trie).len(), 53);
    // Older versions stay.
    assert_eq!(keys(&before, "old", IterOptions::new()).len(), 51);
}

#[test]
fn what_is_at_the_new_prefix_is_replaced() {
    let trie = trie_with(&["a/x", "b", "b/x", "b/y/z", "c"]);
    assert_eq!(rename_prefix(&trie, "a", "b"), 1);
    assert_eq!(entries(&trie).into_keys().collect::<Vec<_>>(), ["b/x", "c"]);
    assert_eq!(get(&trie, "b/x").as_deref(), Some("value of a/x"));
}

#[test]
fn a_prefix_can_take_the_place_of_one_above_it() {
    let trie = trie_with(&["a", "a/b", "a/b/c", "a/d", "e"]);
    assert_eq!(rename_prefix(&trie, "a/b", "a"), 2);
    let found = entries(&trie);
    assert_eq!(found["a"], "value of a/b");
    assert_eq!(found["a/c"], "value of a/b/c");
    assert_eq!(found.into_keys().collect::<Vec<_>>(), ["a", "a/c", "e"]);
}

#[test]
fn what_cannot_be_renamed_is_refused_and_nothing_is_appended() {
    let trie = trie_with(&["a", "a/b", "e"]);
    let version = trie.version();
    let prefix = |from: &str, to: &str| block_on(trie.rename_prefix(from, to));
    assert!(matches!(prefix("a", "a/b/c"), Err(TrieError::IntoItself)));
    assert!(matches!(
        prefix("", "x"),
        Err(TrieError::Key(KeyError::Empty))
    ));
    assert!(matches!(
        prefix("a", "/"),
        Err(TrieError::Key(KeyError::Empty))
    ));
    let long = "x".repeat(65_536);
    let refused = prefix("a", &long);
    assert!(matches!(
        refused,
        Err(TrieError::Key(KeyError::TooLong { .. }))
    ));
    assert_eq!(prefix("a", "/a/").unwrap(), 0, "onto itself");
    assert_eq!(prefix("nothing", "x").unwrap(), 0);
    assert_eq!(trie.version(), version);

    let refused = block_on(trie.checkout(2).rename_prefix("a", "b"));
    assert!(matches!(refused, Err(TrieError::Checkout { .. })));
}

#[test]
fn a_batch_goes_on_after_a_rename_that_failed() {
    let trie = trie_with(&["a/b", "a/c"]);
    block_on(async {
        let mut batch = trie.begin().await.unwrap();
        batch.put("d", bytes("1")).await.unwrap();
        // The key of one of the entries would be too long.
        let long = "x".repeat(65_535);
        assert!(batch.rename_prefix("a", &long).await.is_err());
        assert_eq!(batch.len(), 1);
        assert_eq!(batch.rename_prefix("a", "d").await.unwrap(), 2);
        batch.commit().unwrap();
    });
    assert_eq!(
        entries(&trie).into_keys().collect::<Vec<_>>(),
        ["d/b", "d/c"]
    );
}

#[test]
fn mounts_move_with_their_records() {
    let trie = open(
        common::feed(),
        Options::new().subtype("mountable-hypertrie"),
    );
    put(&trie, "d/x", "1");
    for path in ["d/m", "d/e/n", "keep", "gone/p"] {
        let mount = Mount::new(path, other()).at_version(3);
        block_on(trie.mount(&mount, bytes(path))).unwrap();
    }
    assert_eq!(rename_prefix(&trie, "d", "gone"), 3);
    for path in ["gone/m", "gone/e/n", "keep"] {
        let expected = Mount::new(path, other()).at_version(3);
        assert_eq!(record(&trie, path), Some(expected), "{path}");
        assert!(block_on(trie.get(path)).unwrap().unwrap().is_mount());
    }
    for path in ["d/m", "d/e/n", "gone/p"] {
        assert_eq!(record(&trie, path), None, "{path}");
        assert_eq!(get(&trie, path), None, "{path}");
    }
    // A mount itself, as a key and as a prefix; and a key in its place.
    assert!(block_on(trie.rename("keep", "kept")).unwrap());
    assert_eq!(record(&trie, "kept").unwrap().path, "kept");
    assert_eq!(record(&trie, "keep"), None);
    assert_eq!(rename_prefix(&trie, "gone/m", "m"), 1);
    assert_eq!(record(&trie, "m").unwrap().path, "m");
    assert!(block_on(trie.rename("gone/x", "m")).unwrap());
    assert_eq!(record(&trie, "m"), None);
    assert!(!block_on(trie.get("m")).unwrap().unwrap().is_mount());
}

#[test]
fn keys_move_neither_into_nor_out_of_mounts() {
    let trie = trie_with(&["a/b"]);
    block_on(trie.mount(&Mount::new("m", other()), Bytes::new())).unwrap();
    for (from, to) in [("a", "m/a"), ("m/x", "a"), ("m/x", "m/y")] {
        let refused = block_on(trie.rename_prefix(from, to));
        assert!(
            matches!(refused, Err(TrieError::AcrossMounts)),
            "{from} {to}"
        );
        let refused = block_on(trie.rename(from, to));
        assert!(
            matches!(refused, Err(TrieError::AcrossMounts)),
            "{from} {to}"
        );
    }
    // Onto the mount itself: it is replaced.
    assert_eq!(rename_prefix(&trie, "a", "m"), 1);
    assert_eq!(record(&trie, "m"), None);
    assert_eq!(entries(&trie).into_keys().collect::<Vec<_>>(), ["m/b"]);
}

fn under(key: &str, prefix: &str) -> bool {
    key == prefix || key.starts_with(&format!("{prefix}/"))
}

proptest! {
    #[test]
    fn renames_do_to_a_trie_what_they_do_to_a_map(
        // The first two names have the same hash.
        puts in vec(vec(select(vec!["idgcmnmna", "mpomeiehc", "a", "b"]), 1..4), 1..20),
        renames in vec(
            (any::<bool>(), vec(select(vec!["idgcmnmna", "mpomeiehc", "a", "b"]), 1..3),
                vec(select(vec!["idgcmnmna", "mpomeiehc", "a", "b"]), 1..3)),
            1..6,
        ),
    ) {
        let trie = common::trie();
        let mut model = BTreeMap::new();
        for (i, names) in puts.iter().enumerate() {
            put(&trie, &names.join("/"), &i.to_string());
            model.insert(names.join("/"), i.to_string());
        }
        for (whole, from, to) in renames {
            let (from, to) = (from.join("/"), to.join("/"));
            if !whole {
                let renamed = block_on(trie.rename(&from, &to)).unwrap();
                prop_assert_eq!(renamed, model.contains_key(&from));
                if let Some(value) = model.remove(&from) {
                    model.insert(to, value);
                }
            } else if under(&to, &from) && to != from {
                let refused = block_on(trie.rename_prefix(&from, &to));
                prop_assert!(matches!(refused, Err(TrieError::IntoItself)));
            } else if from != to {
                let moving: Vec<_> = model.keys().filter(|key| under(key, &from)).cloned().collect();
                prop_assert_eq!(rename_prefix(&trie, &from, &to), moving.len() as u64);
                let moved: Vec<_> = moving
                    .iter()
                    .map(|key| (format!("{to}{}", &key[from.len()..]), model.remove(key).unwrap()))
                    .collect();
                if !moved.is_empty() {
                    model.retain(|key, _| !under(key, &to));
                }
                model.extend(moved);
            }
            prop_assert_eq!(&entries(&trie), &model);
        }
    }
}
