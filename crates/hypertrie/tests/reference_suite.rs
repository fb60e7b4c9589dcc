//! What the reference's own tests say of a trie by itself; `docs/parity.md` names the twin of each.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use common::{bytes, changes, drain, first_byte, get, keys, list, open, put};
use futures_lite::future::{block_on, zip};
use hypertrie::{
    Codec, CodecError, DiffOptions, GetOptions, HistoryOptions, IterOptions, Op, Options,
    PutOptions, Trie, TrieError, TypedTrie, Utf8,
};
use serde_json::{Value, json};

/// A trie where each key is its own value.
fn trie_of(names: &[&str]) -> Trie {
    let trie = common::trie();
    for name in names {
        put(&trie, name, name);
    }
    trie
}

fn batch(trie: &Trie, ops: &[(&str, Option<&str>)]) -> usize {
    let ops = ops.iter().map(|(key, value)| match value {
        Some(value) => Op::put(*key, bytes(value)),
        None => Op::del(*key),
    });
    block_on(trie.batch(ops.collect())).unwrap().len()
}

#[track_caller]
fn expect(trie: &Trie, entries: &[(&str, &str)]) {
    for (key, value) in entries {
        let node = block_on(trie.get(key)).unwrap().unwrap();
        assert_eq!((node.key.as_str(), node.value), (*key, Some(bytes(value))));
    }
}

#[test]
fn basic_put_and_get() {
    expect(&trie_of(&["hello"]), &[("hello", "hello")]);
}

#[test]
fn get_on_an_empty_trie_and_of_an_absent_key() {
    assert_eq!(get(&common::trie(), "hello"), None);
    assert_eq!(get(&trie_of(&["hello"]), "hej"), None);
}

#[test]
fn a_leading_slash_is_ignored() {
    let trie = common::trie();
    put(&trie, "/hello", "world");
    expect(&trie, &[("hello", "world")]);
    assert_eq!(get(&trie, "/hello").as_deref(), Some("world"));
}

#[test]
fn several_keys_and_overwrites() {
    let trie = common::trie();
    put(&trie, "hello", "world");
    put(&trie, "world", "hello");
    put(&trie, "lorem", "ipsum");
    expect(
        &trie,
        &[("hello", "world"), ("world", "hello"), ("lorem", "ipsum")],
    );
    put(&trie, "hello", "verden");
    expect(&trie, &[("hello", "verden"), ("world", "hello")]);
}

#[test]
fn keys_below_keys_in_any_order() {
    for order in [
        ["hello", "hello/world", "hello/verden"],
        ["hello/world", "hello", "hello/verden"],
        ["hello/verden", "hello/world", "hello"],
    ] {
        let trie = trie_of(&order);
        put(&trie, "hello", "again");
        expect(
            &trie,
            &[
                ("hello", "again"),
                ("hello/world", "hello/world"),
                ("hello/verden", "hello/verden"),
            ],
        );
    }
}

#[test]
fn a_hundred_values_and_all_of_them_again() {
    let names: Vec<_> = (0..100).map(|i| format!("#{i}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let trie = trie_of(&names);
    expect(
        &trie,
        &names.iter().map(|name| (*name, *name)).collect::<Vec<_>>(),
    );
}

#[test]
fn writers_that_race_all_succeed() {
    let trie = common::trie();
    let writes = (0..10).map(|i| {
        let trie = trie.clone();
        async move {
            trie.put(&format!("#{i}"), bytes(&i.to_string()))
                .await
                .unwrap()
        }
    });
    block_on(futures_util::future::join_all(writes));
    for i in 0..10 {
        assert_eq!(get(&trie, &format!("#{i}")), Some(i.to_string()));
    }
}

#[test]
fn versions_count_blocks() {
    let trie = common::trie();
    assert_eq!(trie.version(), 1);
    put(&trie, "hello", "world");
    assert_eq!(trie.version(), 2);
    put(&trie, "hello", "verden");
    assert_eq!(trie.version(), 3);
    assert_eq!(get(&trie.checkout(2), "hello").as_deref(), Some("world"));
}

#[test]
fn batches_with_and_without_deletions() {
    let trie = common::trie();
    let first = [
        ("hello", Some("world")),
        ("hej", Some("verden")),
        ("hello", Some("welt")),
    ];
    assert_eq!(batch(&trie, &first), 3);
    expect(&trie, &[("hello", "welt"), ("hej", "verden")]);
    batch(&trie, &[("hello", Some("verden")), ("hej", None)]);
    expect(&trie, &[("hello", "verden")]);
    assert_eq!(get(&trie, "hej"), None);
    let more = [
        ("foo", Some("foo2")),
        ("bar", Some("bar2")),
        ("baz", Some("baz")),
    ];
    assert_eq!(batch(&trie, &more), 3);
    expect(&trie, &[("foo", "foo2"), ("bar", "bar2"), ("baz", "baz")]);
}

/// JSON, where null is an entry without a value, as in the reference.
struct Json;

impl Codec for Json {
    type Value = Value;

    fn encode(&self, value: &Value) -> Result<Option<Bytes>, CodecError> {
        match value {
            Value::Null => Ok(None),
            value => Ok(Some(serde_json::to_vec(value)?.into())),
        }
    }

    fn decode(&self, stored: Option<&Bytes>) -> Result<Value, CodecError> {
        stored.map_or(Ok(Value::Null), |stored| {
            Ok(serde_json::from_slice(stored)?)
        })
    }
}

#[test]
fn values_may_be_falsy_and_null() {
    let trie = TypedTrie::new(common::trie(), Json);
    let values = BTreeMap::from([
        ("hello", json!(0)),
        ("world", json!(false)),
        ("no", json!(null)),
    ]);
    for (key, value) in &values {
        block_on(trie.put(key, value)).unwrap();
        let found = block_on(trie.get(key)).unwrap().unwrap();
        assert_eq!(found.value, *value);
    }
    let mut listed = BTreeMap::new();
    let mut iter = trie.iter("", IterOptions::new());
    while let Some(entry) = block_on(iter.next()).unwrap() {
        listed.insert(entry.node.key, entry.value);
    }
    assert_eq!(json!(listed), json!(values));
    assert!(block_on(trie.trie().del("hello")).unwrap());
    assert!(block_on(trie.get("hello")).unwrap().is_none());
}

#[test]
fn values_of_another_kind_are_an_error_that_names_the_block() {
    let trie = TypedTrie::new(common::trie(), Utf8);
    block_on(trie.put("text", &"x".to_owned())).unwrap();
    block_on(trie.trie().put("bytes", Bytes::from_static(b"\xff"))).unwrap();
    block_on(trie.trie().put("none", None)).unwrap();
    assert_eq!(block_on(trie.get("text")).unwrap().unwrap().value, "x");
    for (key, block) in [("bytes", 2), ("none", 3)] {
        let refused = block_on(trie.get(key));
        assert!(matches!(refused, Err(TrieError::Decode { seq, .. }) if seq == block));
    }
    let mut iter = trie.iter("", IterOptions::new());
    let mut found = [0, 0];
    while let Some(entry) = block_on(iter.next()).transpose() {
        found[usize::from(entry.is_err())] += 1;
    }
    assert_eq!(found, [1, 2]);
}

#[test]
fn metadata_is_in_the_header() {
    let trie = open(
        common::feed(),
        Options::new().metadata("A piece of metadata"),
    );
    let metadata = block_on(trie.metadata()).unwrap();
    assert_eq!(metadata.as_deref(), Some(&b"A piece of metadata"[..]));
}

#[test]
fn another_hash_puts_and_deletes() {
    let trie = open(common::feed(), Options::new().component_hash(first_byte));
    put(&trie, "hello", "world");
    expect(&trie, &[("hello", "world")]);
    assert!(block_on(trie.del("hello")).unwrap());
    assert_eq!(get(&trie, "hello"), None);
}

#[test]
fn the_closest_node_to_an_absent_key_is_a_prefix() {
    let trie = common::trie();
    block_on(trie.put_with("a", bytes("hello"), PutOptions::new().flags(1))).unwrap();
    put(&trie, "b", "goodbye");
    let closest = |key: &str| {
        let node = block_on(trie.get_with(key, GetOptions::new().closest(true))).unwrap();
        node.map(|node| node.key)
    };
    assert_eq!(closest("a/b").as_deref(), Some("a"));
    for key in ["a/a", "b/a", "b/b"] {
        put(&trie, key, key);
    }
    assert_eq!(closest("a/a/b").as_deref(), Some("a/a"));
    assert!(!block_on(trie.del("a/a/b")).unwrap());
}

/// The two names have the same hash.
const TWINS: [&str; 2] = ["idgcmnmna", "mpomeiehc"];

#[test]
fn keys_with_one_hash_are_found_listed_and_compared() {
    for (one, other) in [("", ""), ("", "/a"), ("/a", "/a")] {
        let names = [format!("{}{one}", TWINS[0]), format!("{}{other}", TWINS[1])];
        let names = [names[0].as_str(), names[1].as_str()];
        let apart = trie_of(&names);
        let together = common::trie();
        batch(&together, &names.map(|name| (name, Some(name))));
        for trie in [apart, together] {
            expect(&trie, &names.map(|name| (name, name)));
            let found: BTreeSet<_> = keys(&trie, "", IterOptions::new()).into_iter().collect();
            assert_eq!(found, names.map(str::to_owned).into());
            let flat = list(&trie, "", IterOptions::new().recursive(false));
            assert_eq!(flat.len(), 2);
            let compared = changes(trie.diff(0, "", DiffOptions::new()));
            assert_eq!(compared.len(), 2);
        }
    }
}

#[test]
fn the_order_of_keys_with_one_hash_is_not_that_of_writes() {
    let one = trie_of(&[TWINS[0], TWINS[1], "a", "b", "c"]);
    let other = trie_of(&["b", TWINS[1], "a", TWINS[0], "c"]);
    let order = |trie: &Trie| keys(trie, "", IterOptions::new());
    assert_eq!(order(&one), order(&other));
}

#[test]
fn puts_on_conditions() {
    let trie = common::trie();
    let put_if = |key: &str, value: &str, condition: fn(Option<&str>) -> bool| {
        let put = trie.put_if(key, bytes(value), PutOptions::new(), |node| {
            let value = node.and_then(|node| node.value.as_deref());
            condition(value.map(|value| std::str::from_utf8(value).unwrap()))
        });
        block_on(put).unwrap().is_some()
    };
    // Only if it changes.
    assert!(put_if("hello", "world", |old| old != Some("world")));
    assert!(!put_if("hello", "world", |old| old != Some("world")));
    assert_eq!(trie.version(), 2);
    // Only if there is nothing; a key above another one is not that one.
    assert!(!put_if("hello", "mundo", |old| old.is_none()));
    assert!(put_if("a/b/c/d", "1", |old| old.is_none()));
    assert!(put_if("a/b", "2", |old| old.is_none()));
    assert!(!put_if("a/b", "3", |old| old.is_none()));
    expect(&trie, &[("hello", "world"), ("a/b", "2"), ("a/b/c/d", "1")]);
    // Of two keys with one hash, the condition sees the one that is meant.
    assert!(put_if(TWINS[0], "a", |old| old.is_none()));
    assert!(put_if(TWINS[1], "b", |old| old.is_none()));
    assert!(put_if(TWINS[0], "c", |old| old == Some("a")));
    assert!(put_if(TWINS[1], "c", |old| old == Some("b")));
}

#[test]
fn deletions_on_conditions() {
    let trie = trie_of(&["hello"]);
    let del_if = |value: &str| {
        let value = bytes(value);
        let del = trie.del_if("hello", PutOptions::new(), |node| {
            node.value.as_ref() == Some(&value)
        });
        block_on(del).unwrap()
    };
    assert!(!del_if("friend"));
    expect(&trie, &[("hello", "hello")]);
    assert!(del_if("hello"));
    assert_eq!(get(&trie, "hello"), None);
}

/// In the reference a condition may take its time; here the batch does, which nobody else can write
/// to meanwhile.
#[test]
fn a_condition_that_takes_its_time_keeps_writers_out() {
    let trie = trie_of(&["hello"]);
    let slow = async {
        let mut batch = trie.begin().await.unwrap();
        let before = batch.get("hello").await.unwrap().unwrap().value;
        for _ in 0..10 {
            futures_lite::future::yield_now().await;
        }
        assert_eq!(batch.get("hello").await.unwrap().unwrap().value, before);
        batch.put("hello", bytes("slow")).await.unwrap();
        batch.commit().unwrap();
    };
    block_on(zip(slow, async {
        trie.put("hello", bytes("fast")).await.unwrap()
    }));
    assert_eq!(trie.version(), 4);
    expect(&trie, &[("hello", "fast")]);
}

#[test]
fn deletions_leave_all_others() {
    let names: Vec<_> = (0..50).map(|i| i.to_string()).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let found = |trie: &Trie| -> BTreeSet<String> {
        keys(trie, "", IterOptions::new()).into_iter().collect()
    };
    let without = |range: std::ops::Range<usize>| -> BTreeSet<String> {
        let left = names.iter().enumerate().filter(|(i, _)| !range.contains(i));
        left.map(|(_, name)| (*name).to_owned()).collect()
    };
    let trie = trie_of(&names);
    assert!(block_on(trie.del("42")).unwrap());
    assert_eq!(get(&trie, "42"), None);
    assert_eq!(found(&trie), without(42..43));
    let trie = trie_of(&names);
    batch(
        &trie,
        &names[..25]
            .iter()
            .map(|name| (*name, None))
            .collect::<Vec<_>>(),
    );
    assert_eq!(found(&trie), without(0..25));
    let trie = trie_of(&["hello"]);
    assert!(block_on(trie.del("hello")).unwrap());
    assert_eq!(get(&trie, "hello"), None);
}

#[test]
fn deletions_keep_the_flags_beside_them() {
    let trie = trie_of(&["ho"]);
    block_on(trie.put_with("hi", bytes("ho"), PutOptions::new().flags(100))).unwrap();
    assert!(block_on(trie.del("ho")).unwrap());
    assert_eq!(block_on(trie.get("hi")).unwrap().unwrap().flags, 100);
}

#[test]
fn comparisons() {
    let diff = |trie: &Trie, version: u64, prefix: &str| {
        changes(trie.diff(version, prefix, DiffOptions::new()))
    };
    let entry = |key: &str, left: u64, right: u64| (key.to_owned(), left, right);
    // Nothing with nothing, and a version with itself.
    assert_eq!(diff(&common::trie(), 0, ""), []);
    let trie = trie_of(&["a"]);
    assert_eq!(diff(&trie, trie.version(), "a"), []);
    // A new value, once and twice, against a snapshot from before.
    assert_eq!(diff(&trie, 1, "a"), [entry("a", 1, 0)]);
    put(&trie, "/a", "2");
    assert_eq!(diff(&trie, 1, "a"), [entry("a", 2, 0)]);
    assert_eq!(diff(&trie, 2, "a"), [entry("a", 2, 1)]);
    // What lies beside the prefix is not looked at.
    put(&trie, "b", "17");
    assert_eq!(diff(&trie, 2, "a"), [entry("a", 2, 1)]);
    // Two below one prefix, and the same from the root.
    let trie = trie_of(&["a/b", "a/c"]);
    let mut found = diff(&trie, 1, "a");
    found.sort();
    assert_eq!(found, [entry("a/b", 1, 0), entry("a/c", 2, 0)]);
    assert_eq!(diff(&trie, 1, "").len(), 2);
    // From the older version's side.
    assert_eq!(diff(&trie.checkout(2), 3, ""), [entry("a/c", 0, 2)]);
}

#[test]
fn a_small_difference_in_a_large_trie_is_all_that_is_shown() {
    let trie = common::trie();
    let ops = (0..10_000).map(|i| Op::put(format!("#{i}"), bytes("x")));
    block_on(trie.batch(ops.collect())).unwrap();
    let before = trie.version();
    put(&trie, "#400", "something");
    let found = changes(trie.diff(before, "", DiffOptions::new()));
    assert_eq!(found, [("#400".to_owned(), 10_001, 401)]);
}

#[test]
fn comparisons_of_hidden_keys() {
    let trie = trie_of(&["public"]);
    block_on(trie.put_with("secret", bytes("hyper"), PutOptions::new().hidden(true))).unwrap();
    let names = |options: DiffOptions| {
        let found = changes(trie.diff(0, "", options)).into_iter();
        found.map(|(key, ..)| key).collect::<Vec<_>>()
    };
    assert_eq!(names(DiffOptions::new()), ["public"]);
    assert_eq!(names(DiffOptions::new().hidden(true)), ["secret"]);
}

/// Pages of listings and of comparisons, each taken up by a new walk.
#[test]
fn walks_are_resumed_page_by_page() {
    let trie = common::trie();
    let ops = (0..100).map(|i| Op::put(i.to_string(), bytes("x")));
    block_on(trie.batch(ops.collect())).unwrap();
    let mut pages = Vec::new();
    let mut diff = trie.diff(0, "", DiffOptions::new());
    loop {
        let mut page = Vec::new();
        while page.len() < 20
            && let Some(change) = block_on(diff.next()).unwrap()
        {
            page.push(change.key);
        }
        if page.is_empty() {
            break;
        }
        pages.push(page);
        let checkpoint = diff.checkpoint().unwrap();
        diff = trie
            .resume_diff(0, "", DiffOptions::new(), &checkpoint)
            .unwrap();
    }
    assert_eq!(pages.len(), 5);
    let all: BTreeSet<_> = pages.concat().into_iter().collect();
    assert_eq!(all.len(), 100);

    let mut listed = Vec::new();
    let mut iter = trie.iter("", IterOptions::new());
    while let Some(node) = block_on(iter.next()).unwrap() {
        listed.push(node);
        // In a later version, and with other writes in between.
        put(&trie, "later", &listed.len().to_string());
        let checkpoint = iter.checkpoint().unwrap();
        iter = trie
            .resume_iter("", IterOptions::new(), &checkpoint)
            .unwrap();
    }
    assert_eq!(listed, list(&trie.checkout(101), "", IterOptions::new()));
}

#[test]
fn hidden_keys() {
    let trie = trie_of(&["a", "b", "c", "d"]);
    let hidden = PutOptions::new().hidden(true);
    for name in ["a", "hello", "world"] {
        block_on(trie.put_with(name, bytes("hidden"), hidden)).unwrap();
    }
    assert_eq!(get(&trie, "hello"), None);
    expect(&trie, &[("a", "a"), ("d", "d")]);
    let found = |options: IterOptions| {
        let mut found = keys(&trie, "", options);
        found.sort();
        found
    };
    assert_eq!(found(IterOptions::new()), ["a", "b", "c", "d"]);
    assert_eq!(
        found(IterOptions::new().hidden(true)),
        ["a", "hello", "world"]
    );
    let get_hidden = |key: &str| block_on(trie.get_with(key, GetOptions::new().hidden(true)));
    assert!(get_hidden("hello").unwrap().unwrap().hidden);
    assert!(block_on(trie.del_with("a", hidden)).unwrap());
    assert!(get_hidden("a").unwrap().is_none());
    expect(&trie, &[("a", "a")]);
}

#[test]
fn history_has_every_write() {
    assert_eq!(drain(common::trie().history(HistoryOptions::new())), []);
    let trie = trie_of(&["hello", "hej", "hello"]);
    let nodes = drain(trie.history(HistoryOptions::new()));
    let names: Vec<_> = nodes.iter().map(|node| node.key.as_str()).collect();
    assert_eq!(names, ["hello", "hej", "hello"]);
}

#[test]
fn listings() {
    let all = |names: &[&str], prefix: &str| {
        let found: BTreeSet<_> = keys(&trie_of(names), prefix, IterOptions::new())
            .into_iter()
            .collect();
        found.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(all(&["a", "b", "c"], ""), ["a", "b", "c"]);
    let nested = ["a", "a/a", "a/a/a", "a/a/b", "a/a/c", "a/b", "a/c"];
    assert_eq!(all(&nested, ""), nested);
    let prefixed = ["foo/a", "foo/b", "foo/c", "bar/a"];
    assert_eq!(all(&prefixed, "foo"), ["foo/a", "foo/b", "foo/c"]);
    assert_eq!(all(&prefixed, "none"), [""; 0]);
    let large: Vec<_> = (0..1000).map(|i| format!("foo/#{i}")).collect();
    let large: Vec<_> = large.iter().map(String::as_str).collect();
    assert_eq!(all(&large, "").len(), 1000);
    assert_eq!(all(&large, "foo").len(), 1000);

    let trie = trie_of(&["a", "a/b/c/d", "a/c", "b", "b/b/c", "c/a", "c"]);
    let flat = keys(&trie, "", IterOptions::new().recursive(false));
    let mut first: Vec<_> = flat.iter().map(|key| &key[..1]).collect();
    first.sort_unstable();
    assert_eq!(first, ["a", "b", "c"]);
    let trie = trie_of(&["a", "b", "b/c"]);
    assert_eq!(keys(&trie, "b", IterOptions::new().gt(true)), ["b/c"]);
}
