//! A listing that goes through mounts is shown page by page: each page goes on where the one before
//! ended, in another view of the same tries.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use common::{bytes, open};
use futures_lite::future::block_on;
use hypercore::{Feed, Hypercore};
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;
use hypertrie::{
    IterOptions, Mount, MountableTrie, MountedIter, Op, OpenFeed, OpenFeedError, Options, TrieError,
};

#[derive(Clone, Debug, Default)]
struct Logs(Arc<Mutex<HashMap<[u8; 32], Feed>>>);

impl OpenFeed for Logs {
    fn open_feed(&self, key: &[u8; 32]) -> Result<Feed, OpenFeedError> {
        let logs = self.0.lock().unwrap();
        logs.get(key).cloned().ok_or("there is no such log".into())
    }
}

impl Logs {
    /// A view of the trie of a seed; nothing of it is remembered from others.
    fn view(&self, seed: u8) -> MountableTrie {
        let pair = KeyPair::from_seed(&[seed; 32]);
        let key = *pair.public.as_bytes();
        let log = {
            let mut logs = self.0.lock().unwrap();
            let log = logs.entry(key).or_insert_with(|| {
                let options = hypercore::Options::new().key_pair(pair);
                Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap())
            });
            log.clone()
        };
        MountableTrie::new(
            open(log, Options::new()),
            Arc::new(self.clone()),
            Options::new(),
        )
    }
}

fn key(seed: u8) -> [u8; 32] {
    *KeyPair::from_seed(&[seed; 32]).public.as_bytes()
}

/// Three tries of thirty keys each, one in the other, the innermost twice.
fn filled() -> Logs {
    let logs = Logs::default();
    for seed in 1..=3 {
        let ops = (0..30).map(|i| Op::put(format!("d{}/k{i}", i % 3), bytes(&seed.to_string())));
        block_on(logs.view(seed).trie().batch(ops.collect())).unwrap();
    }
    for (into, path, seed) in [(2, "d1/n", 3), (1, "m", 2), (1, "d2/twice", 3)] {
        let mount = Mount::new(path, key(seed));
        block_on(logs.view(into).mount(&mount, Bytes::new())).unwrap();
    }
    logs
}

fn page(iter: &mut MountedIter, size: usize) -> Vec<String> {
    let mut keys = Vec::new();
    while keys.len() < size
        && let Some(node) = block_on(iter.next()).unwrap()
    {
        keys.push(node.key);
    }
    keys
}

fn pages(logs: &Logs, prefix: &str, options: IterOptions, size: usize) -> Vec<String> {
    let mut iter = logs.view(1).iter(prefix, options);
    let mut keys = page(&mut iter, size);
    while keys.len().is_multiple_of(size) && !keys.is_empty() {
        let checkpoint = iter.checkpoint().unwrap();
        let resumed = logs.view(1);
        iter = block_on(resumed.resume_iter(prefix, options, &checkpoint)).unwrap();
        let more = page(&mut iter, size);
        if more.is_empty() {
            break;
        }
        keys.extend(more);
    }
    keys
}

#[test]
fn pages_of_any_size_make_up_the_listing() {
    let logs = filled();
    for options in [
        IterOptions::new(),
        IterOptions::new().reverse(true),
        IterOptions::new().gt(true),
        IterOptions::new().recursive(false),
        IterOptions::new().mounts(false),
    ] {
        for prefix in ["", "m", "m/d1", "m/d1/n", "d2", "d2/twice/d0", "none"] {
            let all = page(&mut logs.view(1).iter(prefix, options), usize::MAX);
            for size in [1, 2, 7, 1000] {
                assert_eq!(pages(&logs, prefix, options, size), all, "{prefix} {size}");
            }
        }
    }
    let all = page(&mut logs.view(1).iter("", IterOptions::new()), usize::MAX);
    assert_eq!(all.len(), 4 * 30 + 3);
}

#[test]
fn there_is_no_checkpoint_before_the_first_node() {
    let logs = filled();
    let mut iter = logs.view(1).iter("", IterOptions::new());
    assert_eq!(iter.checkpoint(), None);
    page(&mut iter, 1);
    assert!(iter.checkpoint().is_some());
}

#[test]
fn what_was_written_meanwhile_changes_no_page_and_what_was_mounted_ends_it() {
    let logs = filled();
    let options = IterOptions::new();
    let mut iter = logs.view(1).iter("m", options);
    let all = page(&mut logs.view(1).iter("m", options), usize::MAX);
    let mut keys = page(&mut iter, 20);
    let checkpoint = iter.checkpoint().unwrap();
    for seed in 1..=3 {
        block_on(logs.view(seed).put("d0/new", bytes("new"))).unwrap();
    }
    let view = logs.view(1);
    let mut rest = block_on(view.resume_iter("m", options, &checkpoint)).unwrap();
    keys.extend(page(&mut rest, usize::MAX));
    // Tries that were not yet gone into are shown as they are then.
    keys.retain(|key| !key.ends_with("d0/new"));
    assert_eq!(keys, all);

    // Another trie in the place of one that the checkpoint is in.
    block_on(view.unmount("m")).unwrap();
    block_on(view.mount(&Mount::new("m", key(3)), Bytes::new())).unwrap();
    let refused = block_on(view.resume_iter("m", options, &checkpoint));
    assert!(matches!(refused, Err(TrieError::Checkpoint)));
    block_on(view.unmount("m")).unwrap();
    let refused = block_on(view.resume_iter("m", options, &checkpoint));
    assert!(matches!(refused, Err(TrieError::Checkpoint)));
}

/// A checkpoint may have been in anybody's hands.
#[test]
fn broken_checkpoints_are_refused_or_end() {
    let logs = filled();
    let options = IterOptions::new();
    let mut iter = logs.view(1).iter("", options);
    let mut tried = 0;
    while !page(&mut iter, 9).is_empty() {
        let good = iter.checkpoint().unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            for bytes in [&bad[..], &good[..at]] {
                tried += 1;
                let view = logs.view(1);
                let Ok(mut iter) = block_on(view.resume_iter("", options, bytes)) else {
                    continue;
                };
                let mut nodes = 0;
                while let Ok(Some(_)) = block_on(iter.next()) {
                    nodes += 1;
                    assert!(nodes < 10_000, "it goes on and on");
                }
            }
        }
        let longer = [&good[..], &[0]].concat();
        let refused = block_on(logs.view(1).resume_iter("", options, &longer));
        assert!(matches!(refused, Err(TrieError::Checkpoint)));
    }
    assert!(tried > 1000);
}
