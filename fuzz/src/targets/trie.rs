use std::sync::Arc;

use futures_lite::future::block_on;
use hypercore::{Feed, Hypercore};
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;
use hyperdrive::Stat;
use hyperdrive_url::Link;
use hypertrie::{DiffOptions, GetOptions, HistoryOptions, IterOptions, Options, Trie, decode_node};

use crate::input::Input;
use crate::plant;

/// One block as a node of a trie.
pub fn trie_node(bytes: &[u8]) {
    let node = decode_node(bytes);
    // Planted: a flag that nobody uses is too much.
    assert!(!plant::strikes(node.is_ok_and(|node| node.flags > 0xff)));
}

/// A log whose blocks are the pieces of the input, each behind its length in two bytes, walked in all
/// ways. Every walk ends.
pub fn trie_walk(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut blocks = Vec::new();
    while !input.is_empty() && blocks.len() < MAX_BLOCKS {
        blocks.push(input.piece());
    }
    let options = hypercore::Options::new().key_pair(KeyPair::from_seed(&[1; 32]));
    let log = Hypercore::open(Arc::new(MemoryDir::new()), options).expect("memory has room");
    let feed = Feed::new(log);
    if feed.append_batch(&blocks).is_err() {
        return;
    }
    block_on(async {
        let Ok(trie) = Trie::open(feed, Options::new()).await else {
            return;
        };
        let _ = trie.metadata().await;
        let mut keys = vec![String::new(), "a".to_owned(), "a/b".to_owned()];
        for options in [
            IterOptions::new(),
            IterOptions::new().recursive(false).reverse(true),
        ] {
            let mut iter = trie.iter("", options);
            let mut steps = 0;
            while let Ok(Some(node)) = iter.next().await {
                keys.push(node.key);
                steps += 1;
                assert!(steps < MAX_STEPS, "a walk goes on and on");
            }
        }
        keys.truncate(20);
        for key in &keys {
            let _ = trie.get(key).await;
            let _ = trie.get_with(key, GetOptions::new().prefix(true)).await;
            let _ = trie
                .get_with(key, GetOptions::new().hidden(true).closest(true))
                .await;
        }
        let mut diff = trie.diff(1, "", DiffOptions::new());
        let mut steps = 0;
        while let Ok(Some(_)) = diff.next().await {
            steps += 1;
            assert!(steps < MAX_STEPS, "a comparison goes on and on");
        }
        let mut history = trie.history(HistoryOptions::new());
        let mut steps = 0;
        while let Ok(Some(_)) = history.next().await {
            steps += 1;
            assert!(steps < MAX_STEPS, "history goes on and on");
        }
        // Writing onto such a trie may fail; what it says is written can be read.
        if trie
            .put("new", bytes::Bytes::from_static(b"value"))
            .await
            .is_ok()
        {
            let found = trie.get("new").await.expect("the head was just written");
            let mut value = found.and_then(|node| node.value);
            // Planted: a key with a strange neighbour loses its value.
            if plant::strikes(keys.iter().any(|key| key.contains('\u{7f}'))) {
                value = None;
            }
            assert_eq!(value.as_deref(), Some(&b"value"[..]));
        }
        let _ = trie.del(&keys[keys.len() - 1]).await;
    });
}

/// A file's metadata. What is understood is written so that it is understood in the same way.
pub fn stat(bytes: &[u8]) {
    if let Ok(stat) = Stat::decode(bytes) {
        let mut again = Stat::decode(&stat.encode()).expect("our own encoding decodes");
        // Planted: times beyond 2106 wrap.
        if plant::strikes(stat.mtime > u64::from(u32::MAX) * 1000) {
            again.mtime = 0;
        }
        assert_eq!(format!("{stat:?}"), format!("{again:?}"));
    }
}

/// A link as a person types it. What is understood is printed so that it means the same.
pub fn link(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(link) = Link::parse(&text) {
        let mut printed = link.to_string();
        // Planted: a fragment of some length takes the version's mark with it.
        if plant::strikes(link.fragment().is_some_and(|it| it.len() > 3)) {
            printed = printed.replace('+', "");
        }
        assert_eq!(Link::parse(&printed), Ok(link), "{printed}");
    }
}

const MAX_BLOCKS: usize = 64;

/// More than any walk over so few blocks can take.
const MAX_STEPS: usize = 100_000;
