//! Which keys can be stored, and under which other spellings they are found.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use bytes::Bytes;
use common::{bytes, get, keys, put, trie};
use futures_lite::future::block_on;
use hypertrie::{GetOptions, IterOptions, KeyError, PutOptions, TrieError};

/// In the reference such a node passes for the mark of an empty trie and wipes the database.
#[test]
fn fault_t3_empty_keys_are_refused() {
    let trie = trie();
    put(&trie, "a", "1");
    for key in ["", "/", "//"] {
        let refused = block_on(trie.put(key, bytes("x")));
        assert!(
            matches!(refused, Err(TrieError::Key(KeyError::Empty))),
            "{key:?}"
        );
        assert_eq!(get(&trie, key), None);
        assert!(!block_on(trie.del(key)).unwrap());
    }
    assert_eq!(get(&trie, "a").as_deref(), Some("1"));
    assert_eq!(trie.version(), 2);
}

/// Readers strip a slash that the writer left, and would look for the key elsewhere.
#[test]
fn keys_that_readers_would_misplace_are_refused() {
    let trie = trie();
    for key in ["///", "///a", "////a"] {
        let refused = block_on(trie.put(key, bytes("x")));
        assert!(
            matches!(refused, Err(TrieError::Key(KeyError::LeadingSlashes))),
            "{key:?}"
        );
    }
    assert_eq!(put(&trie, "//a", "x").key, "a");
    assert_eq!(get(&trie, "a").as_deref(), Some("x"));
}

#[test]
fn fault_t2_keys_may_be_long_and_deep_up_to_a_limit() {
    let trie = trie();
    let deep = vec!["a"; 10_000].join("/");
    let sibling = format!("{}/b", vec!["a"; 9_999].join("/"));
    put(&trie, &deep, "deep");
    put(&trie, &sibling, "sibling");
    put(&trie, "a", "top");
    assert_eq!(get(&trie, &deep).as_deref(), Some("deep"));
    assert_eq!(get(&trie, &sibling).as_deref(), Some("sibling"));
    assert_eq!(
        keys(&trie, "a", IterOptions::new().recursive(false).gt(true)).len(),
        1
    );
    assert!(block_on(trie.del(&deep)).unwrap());
    assert_eq!(keys(&trie, "", IterOptions::new()).len(), 2);

    let longest = "k".repeat(65_536);
    put(&trie, &longest, "long");
    assert_eq!(get(&trie, &longest).as_deref(), Some("long"));
    let refused = block_on(trie.put(&format!("{longest}k"), bytes("x")));
    let expected = KeyError::TooLong {
        bytes: 65_537,
        limit: 65_536,
    };
    assert!(matches!(refused, Err(TrieError::Key(error)) if error == expected));
}

#[test]
fn flags_have_23_bits() {
    let trie = trie();
    for flags in [0, 1, 255, (1 << 23) - 1] {
        let node = block_on(trie.put_with("a", None, PutOptions::new().flags(flags))).unwrap();
        assert_eq!(node.flags, flags);
        assert_eq!(block_on(trie.get("a")).unwrap(), Some(node));
    }
    let refused = block_on(trie.put_with("a", None, PutOptions::new().flags(1 << 23)));
    assert!(matches!(
        refused,
        Err(TrieError::Flags { flags: 0x80_0000 })
    ));
}

#[test]
fn no_value_and_an_empty_one_are_two_things() {
    let trie = trie();
    block_on(async {
        trie.put("none", None).await.unwrap();
        trie.put("empty", Bytes::new()).await.unwrap();
        assert_eq!(trie.get("none").await.unwrap().unwrap().value, None);
        assert_eq!(
            trie.get("empty").await.unwrap().unwrap().value,
            Some(Bytes::new())
        );
    });
}

#[test]
fn hidden_and_visible_keys_live_apart() {
    let trie = trie();
    let hidden = PutOptions::new().hidden(true);
    block_on(async {
        trie.put("a", bytes("seen")).await.unwrap();
        trie.put_with("a", bytes("unseen"), hidden).await.unwrap();
        let get = GetOptions::new().hidden(true);
        assert_eq!(
            trie.get("a").await.unwrap().unwrap().value,
            Some(bytes("seen"))
        );
        assert_eq!(
            trie.get_with("a", get).await.unwrap().unwrap().value,
            Some(bytes("unseen"))
        );
        assert!(trie.del("a").await.unwrap());
        assert_eq!(trie.get("a").await.unwrap(), None);
        assert!(trie.get_with("a", get).await.unwrap().is_some());
        assert!(trie.del_with("a", hidden).await.unwrap());
        assert_eq!(trie.get_with("a", get).await.unwrap(), None);
    });
}

#[test]
fn the_closest_node_is_where_the_search_ended() {
    let trie = trie();
    put(&trie, "m", "mount");
    put(&trie, "other", "x");
    let closest = |key: &str| {
        block_on(trie.get_with(key, GetOptions::new().closest(true)))
            .unwrap()
            .map(|node| node.key)
    };
    assert_eq!(closest("m/below/it").as_deref(), Some("m"));
    assert_eq!(closest("m").as_deref(), Some("m"));
    assert!(closest("absent").is_some());
    assert_eq!(get(&trie, "m/below/it"), None);
}
