//! Tries mounted in each other are read and written as one.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use common::{blocks, bytes, open, vectors};
use futures_lite::future::block_on;
use hypercore::{Feed, Hypercore};
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;
use hypertrie::{
    ChangeKind, DiffOptions, GetOptions, HistoryOptions, IterOptions, MAX_MOUNT_DEPTH,
    MAX_MOUNTS_OF_A_WALK, Mount, MountableTrie, OpenFeed, OpenFeedError, Options, PutOptions,
    TrieError, Written,
};
use serde_json::{Value, json};

/// The logs of a test, by their keys.
#[derive(Clone, Debug, Default)]
struct Logs(Arc<Mutex<HashMap<[u8; 32], Feed>>>);

impl Logs {
    fn log(&self, pair: KeyPair) -> Feed {
        let key = *pair.public.as_bytes();
        let mut logs = self.0.lock().unwrap();
        let log = logs.entry(key).or_insert_with(|| {
            let options = hypercore::Options::new().key_pair(pair);
            Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap())
        });
        log.clone()
    }

    /// The trie whose log has the key pair of this seed.
    fn trie(&self, seed: u8) -> MountableTrie {
        let options = Options::new().subtype("mountable-hypertrie");
        let trie = open(self.log(KeyPair::from_seed(&[seed; 32])), options.clone());
        MountableTrie::new(trie, Arc::new(self.clone()), options)
    }
}

impl OpenFeed for Logs {
    fn open_feed(&self, key: &[u8; 32]) -> Result<Feed, OpenFeedError> {
        let logs = self.0.lock().unwrap();
        logs.get(key).cloned().ok_or("there is no such log".into())
    }
}

fn key(seed: u8) -> [u8; 32] {
    *KeyPair::from_seed(&[seed; 32]).public.as_bytes()
}

fn put(trie: &MountableTrie, key: &str, value: &str) {
    block_on(trie.put(key, bytes(value))).unwrap();
}

fn mount(trie: &MountableTrie, path: &str, seed: u8) {
    mount_as(trie, Mount::new(path, key(seed)));
}

fn mount_as(trie: &MountableTrie, mount: Mount) {
    block_on(trie.mount(&mount, Bytes::new())).unwrap();
}

fn get(trie: &MountableTrie, key: &str) -> Option<String> {
    let found = block_on(trie.get(key)).unwrap()?;
    Some(String::from_utf8(found.node.value?.to_vec()).unwrap())
}

fn list(trie: &MountableTrie, prefix: &str, options: IterOptions) -> Vec<(String, String, u64)> {
    let mut nodes = Vec::new();
    let mut iter = trie.iter(prefix, options);
    while let Some(node) = block_on(iter.next()).unwrap() {
        let value = node.value.unwrap_or_default().to_vec();
        nodes.push((node.key, String::from_utf8(value).unwrap(), node.flags));
    }
    nodes
}

fn keys(trie: &MountableTrie, prefix: &str, options: IterOptions) -> Vec<String> {
    let nodes = list(trie, prefix, options).into_iter();
    nodes.map(|(key, _, _)| key).collect()
}

fn mounts(trie: &MountableTrie) -> Vec<String> {
    let mut paths = Vec::new();
    let mut mounts = trie.mounts(true);
    while let Some(at) = block_on(mounts.next()).unwrap() {
        paths.push(at.path);
    }
    paths
}

fn changes(trie: &MountableTrie, version: u64, prefix: &str) -> Vec<(ChangeKind, String)> {
    let mut changes = Vec::new();
    let mut diff = trie.diff(version, prefix, DiffOptions::new());
    while let Some(change) = block_on(diff.next()).unwrap() {
        changes.push((change.kind(), change.change.key));
    }
    changes
}

/// The three tries of the vectors: the first has the second at `m`, that one the third at `n`.
fn nested() -> (Logs, [MountableTrie; 3], u64) {
    let logs = Logs::default();
    let [a, b, c] = [1, 2, 3].map(|seed| logs.trie(seed));
    put(&c, "z", "z");
    put(&b, "y", "y");
    mount(&b, "n", 3);
    put(&a, "top/t", "t");
    let before = a.version();
    block_on(a.mount(&Mount::new("/m", key(2)), bytes("stat"))).unwrap();
    (logs, [a, b, c], before)
}

#[test]
fn listings_are_the_reference_s() {
    let (_logs, [a, ..], _) = nested();
    for vector in vectors()["mountable"]["nested"]["lists"]
        .as_array()
        .unwrap()
    {
        let options = &vector["opts"];
        let is = |name: &str| options[name].as_bool();
        // The reference goes into mounts if told to be recursive, and is recursive untold.
        let options = IterOptions::new()
            .recursive(is("recursive") != Some(false))
            .mounts(is("recursive") == Some(true) && is("noMounts") != Some(true));
        let nodes = list(&a, vector["prefix"].as_str().unwrap(), options);
        assert_eq!(json!(nodes), vector["nodes"], "{vector}");
    }
}

#[test]
fn lookups_are_the_reference_s() {
    let (_logs, [a, ..], _) = nested();
    for vector in vectors()["mountable"]["nested"]["gets"].as_array().unwrap() {
        let wanted = vector["key"].as_str().unwrap();
        let found = block_on(a.get(wanted)).unwrap();
        assert_eq!(json!(get(&a, wanted)), vector["value"], "{vector}");
        let flags = found.as_ref().map(|found| found.node.flags);
        assert_eq!(json!(flags), vector["flags"], "{vector}");
        if let Some(found) = &found {
            assert_eq!(found.node.key, wanted);
            assert_eq!(found.path, vector["innerPath"].as_str().unwrap());
        }
        // Where the key belongs is told for absent ones too.
        let (trie, inner) = block_on(a.locate(wanted)).unwrap();
        let log = hex::encode(trie.feed().public_key().as_bytes());
        assert_eq!(json!(log), vector["mountKey"], "{vector}");
        assert_eq!(json!(inner), vector["innerPath"], "{vector}");
    }
}

#[test]
fn differences_and_mounts_are_the_reference_s() {
    let (_logs, [a, ..], before) = nested();
    let expected = &vectors()["mountable"]["nested"];
    let kind = |kind| match kind {
        ChangeKind::Put => "put",
        ChangeKind::Del => "del",
        ChangeKind::Mount => "mount",
        ChangeKind::Unmount => "unmount",
    };
    let found: Vec<_> = changes(&a, before, "")
        .into_iter()
        .map(|(change, key)| (kind(change), key))
        .collect();
    assert_eq!(json!(found), expected["diff"]);
    let paths: Vec<_> = mounts(&a).iter().map(|path| format!("/{path}")).collect();
    assert_eq!(json!(paths), expected["mounts"]);
}

#[test]
fn blocks_written_through_mounts_are_the_reference_s() {
    let (_logs, [a, b, c], _) = nested();
    let expected = &vectors()["mountable"]["nested"];
    for (trie, blocks_of) in [(&a, "a"), (&b, "b"), (&c, "c")] {
        assert_eq!(json!(blocks(trie.trie())), expected[blocks_of]);
    }
    put(&a, "m/n/w", "w");
    assert_eq!(json!(blocks(c.trie())), expected["cAfterPutThroughMounts"]);
    assert!(block_on(a.unmount("m")).unwrap());
    assert_eq!(json!(blocks(a.trie())), expected["aAfterUnmount"]);
    let expected: &Value = &vectors()["mountable"]["keys"];
    for (seed, pair) in (1..).zip(expected.as_array().unwrap()) {
        assert_eq!(json!(hex::encode(key(seed))), pair["key"]);
    }
}

#[test]
fn writes_go_to_the_trie_that_holds_the_key() {
    let (_logs, [a, b, c], _) = nested();
    let versions = || [&a, &b, &c].map(MountableTrie::version);
    let start = versions();
    put(&a, "m/n/d/e", "new");
    assert_eq!(get(&c, "d/e").as_deref(), Some("new"));
    assert_eq!(get(&b, "n/d/e").as_deref(), Some("new"));
    assert!(block_on(a.del("m/n/z")).unwrap());
    assert!(!block_on(a.del("m/n/z")).unwrap());
    assert_eq!(get(&c, "z"), None);
    assert_eq!(versions(), [start[0], start[1], start[2] + 2]);

    // Hidden keys stay in the outer trie.
    let hidden = PutOptions::new().hidden(true);
    block_on(a.put_with("m/h", bytes("hidden"), hidden)).unwrap();
    assert_eq!(a.version(), start[0] + 1);
    // A mount inside of a mount is recorded where it is.
    mount(&a, "m/other", 3);
    assert_eq!(get(&b, "other/d/e").as_deref(), Some("new"));
    assert_eq!(b.version(), start[1] + 2);
}

#[test]
fn a_mount_stays_when_its_value_changes_and_ends_when_it_is_deleted() {
    let (_logs, [a, ..], _) = nested();
    put(&a, "m", "another stat");
    assert_eq!(get(&a, "m").as_deref(), Some("another stat"));
    assert_eq!(get(&a, "m/y").as_deref(), Some("y"));
    assert!(block_on(a.del("m")).unwrap());
    assert_eq!(get(&a, "m"), None);
    assert_eq!(get(&a, "m/y"), None);
    assert_eq!(mounts(&a), [""; 0]);
}

#[test]
fn deep_mounts_and_what_is_in_them_can_be_deleted() {
    let (_logs, [a, b, c], _) = nested();
    for name in ["d/1", "d/2", "d/e/3", "f"] {
        put(&a, &format!("m/n/{name}"), name);
    }
    for name in ["d/1", "d/e/3"] {
        assert!(block_on(a.del(&format!("m/n/{name}"))).unwrap());
    }
    assert_eq!(get(&a, "m/n/d/2").as_deref(), Some("d/2"));
    assert_eq!(get(&c, "d/1"), None);
    assert!(block_on(a.unmount("m/n")).unwrap());
    assert_eq!(get(&a, "m/n/f"), None);
    assert_eq!(get(&b, "n/f"), None);
    // What was mounted is untouched.
    assert_eq!(get(&c, "f").as_deref(), Some("f"));
    assert_eq!(mounts(&a), ["m"]);
}

#[test]
fn mounts_are_listed_with_and_without_those_below() {
    let (_logs, [a, ..], _) = nested();
    mount(&a, "top/x", 3);
    let listed = |recursive: bool| {
        let mut paths = Vec::new();
        let mut mounts = a.mounts(recursive);
        while let Some(at) = block_on(mounts.next()).unwrap() {
            let key = *at.trie.feed().public_key().as_bytes();
            assert_eq!(key, at.mount.key);
            paths.push(at.path);
        }
        paths.sort();
        paths
    };
    assert_eq!(listed(false), ["m", "top/x"]);
    assert_eq!(listed(true), ["m", "m/n", "top/x"]);
}

/// Until somebody comes to it, what is mounted is not open.
#[test]
fn mounts_that_are_open_are_listed_by_themselves() {
    let (logs, [outer, ..], _) = nested();
    let open = |view: &MountableTrie| {
        let mut mounts = view.mounts(true).open_only();
        std::iter::from_fn(|| block_on(mounts.next()).unwrap().map(|at| at.path))
            .collect::<Vec<_>>()
    };
    let view = MountableTrie::new(outer.trie().clone(), Arc::new(logs), Options::new());
    assert_eq!(open(&view), [""; 0]);
    get(&view, "m/none");
    assert_eq!(open(&view), ["m"]);
    get(&view, "m/n/none");
    assert_eq!(open(&view), ["m", "m/n"]);
    assert_eq!(mounts(&view), ["m", "m/n"]);
}

#[test]
fn an_empty_log_of_ours_does_not_become_a_trie_because_somebody_mounts_it() {
    let logs = Logs::default();
    let trie = logs.trie(1);
    let empty = logs.log(KeyPair::from_seed(&[9; 32]));
    mount(&trie, "m", 9);
    let error = block_on(trie.get("m/x")).unwrap_err();
    assert!(matches!(error, TrieError::Header), "{error}");
    assert_eq!(empty.length(), 0);
}

#[test]
fn names_of_any_kind_are_found_below_a_mount() {
    let (_logs, [a, b, _], _) = nested();
    for name in ["..x", "y/..", "deep/..z/w", "y/"] {
        put(&b, name, name);
        assert_eq!(get(&a, &format!("m/{name}")).as_deref(), Some(name));
        assert_eq!(get(&a, &format!("/m/{name}")).as_deref(), Some(name));
    }
    assert_eq!(get(&a, "mm/y"), None);
}

#[test]
fn listings_take_the_prefix_itself_or_not() {
    let (_logs, [a, ..], _) = nested();
    let all = ["m", "m/y", "m/n", "m/n/z", "top/t"];
    assert_eq!(keys(&a, "", IterOptions::new()), all);
    let gt = IterOptions::new().gt(true);
    assert_eq!(keys(&a, "", gt), all);
    assert_eq!(keys(&a, "/m/", gt), ["m/y", "m/n", "m/n/z"]);
    assert_eq!(keys(&a, "top/t", IterOptions::new()), ["top/t"]);
    assert_eq!(keys(&a, "top/t", gt), [""; 0]);
    assert_eq!(keys(&a, "m/n/z", IterOptions::new()), ["m/n/z"]);
    assert_eq!(keys(&a, "m/none", IterOptions::new()), [""; 0]);
    let reverse = IterOptions::new().reverse(true);
    let mut reversed = keys(&a, "", reverse);
    reversed.sort();
    let mut sorted = all.map(str::to_owned);
    sorted.sort();
    assert_eq!(reversed, sorted);
    let outer = IterOptions::new().mounts(false);
    assert_eq!(keys(&a, "", outer), ["m", "top/t"]);
}

/// The reference resolves the inner mount's name in the outer trie, and lists what is there.
#[test]
fn what_is_called_like_an_inner_mount_is_not_listed_in_its_place() {
    let (_logs, [a, ..], _) = nested();
    put(&a, "n/secret", "of the outer trie");
    let listed = keys(&a, "m", IterOptions::new());
    assert_eq!(listed, ["m/y", "m/n", "m/n/z"]);
}

#[test]
fn versioned_mounts_stay_as_they_were() {
    let logs = Logs::default();
    let [a, b] = [1, 2].map(|seed| logs.trie(seed));
    put(&b, "x", "1");
    mount_as(&a, Mount::new("old", key(2)).at_version(b.version()));
    mount(&a, "new", 2);
    put(&b, "x", "2");
    put(&b, "y", "3");
    assert_eq!(get(&a, "old/x").as_deref(), Some("1"));
    assert_eq!(get(&a, "old/y"), None);
    assert_eq!(get(&a, "new/x").as_deref(), Some("2"));
    assert_eq!(keys(&a, "old", IterOptions::new()), ["old/x"]);
    let refused = block_on(a.put("old/z", bytes("no")));
    assert!(matches!(refused, Err(TrieError::Checkout { version: 2 })));
    // A checkout of the outer trie shows the newest of what is mounted without a version.
    let then = a.checkout(a.version());
    put(&b, "x", "4");
    assert_eq!(get(&then, "new/x").as_deref(), Some("4"));
}

#[test]
fn part_of_a_trie_can_be_mounted() {
    let logs = Logs::default();
    let [a, b, _c] = [1, 2, 3].map(|seed| logs.trie(seed));
    put(&b, "part/x", "1");
    put(&b, "part/y/z", "2");
    put(&b, "other", "3");
    mount(&b, "part/c", 3);
    let mut part = Mount::new("p", key(2));
    part.remote_path = Some("/part/".to_owned());
    mount_as(&a, part);
    assert_eq!(get(&a, "p/x").as_deref(), Some("1"));
    assert_eq!(get(&a, "p/other"), None);
    put(&a, "p/c/in", "in c");
    assert_eq!(get(&b, "part/c/in").as_deref(), Some("in c"));
    let mut listed = keys(&a, "p", IterOptions::new());
    listed.sort();
    assert_eq!(listed, ["p/c", "p/c/in", "p/x", "p/y/z"]);
    assert_eq!(mounts(&a), ["p", "p/c"]);
}

#[test]
fn circles_end() {
    let logs = Logs::default();
    let [a, b] = [1, 2].map(|seed| logs.trie(seed));
    mount(&a, "b", 2);
    mount(&b, "a", 1);
    mount(&b, "me", 2);
    put(&a, "x", "1");
    let mut listed = keys(&a, "", IterOptions::new());
    listed.sort();
    assert_eq!(listed, ["b", "b/a", "b/me", "x"]);
    assert_eq!(mounts(&a).len(), 3);
    // A path goes round as often as it says.
    assert_eq!(get(&a, "b/a/b/me/a/x").as_deref(), Some("1"));
}

/// Mounts of a trie in itself, each in another version, are no circle and yet have no end: there are as
/// many ways down as there are orders of the versions.
#[test]
fn mounts_without_end_come_to_the_limit() {
    let logs = Logs::default();
    let trie = logs.trie(1);
    for version in 1..=8 {
        let mut mount_of_old = Mount::new(&format!("v{version}"), key(1));
        mount_of_old.version = Some(100 + version);
        mount_as(&trie, mount_of_old);
    }
    while trie.version() < 120 {
        put(&trie, "filler", "");
    }
    let mut iter = trie.iter("", IterOptions::new());
    let end = loop {
        match block_on(iter.next()) {
            Ok(node) => assert!(node.is_some(), "it has no end"),
            Err(error) => break error,
        }
    };
    let limit = MAX_MOUNTS_OF_A_WALK;
    assert!(matches!(end, TrieError::TooManyMounts { limit: at } if at == limit));
    let mut mounts = trie.mounts(true);
    let end = loop {
        match block_on(mounts.next()) {
            Ok(mount) => assert!(mount.is_some(), "it has no end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(end, TrieError::TooManyMounts { limit: at } if at == limit));
    // Page by page there is more to see.
    let mut iter = trie.iter("", IterOptions::new());
    block_on(iter.next()).unwrap();
    let checkpoint = iter.checkpoint().unwrap();
    let mut more = block_on(trie.resume_iter("", IterOptions::new(), &checkpoint)).unwrap();
    assert!(block_on(more.next()).unwrap().is_some());
}

#[test]
fn mounts_lie_within_each_other_up_to_the_limit() {
    let logs = Logs::default();
    let a = logs.trie(1);
    mount(&a, "m", 1);
    put(&a, "x", "1");
    let path = |depth: usize| format!("{}x", "m/".repeat(depth));
    assert_eq!(get(&a, &path(MAX_MOUNT_DEPTH)).as_deref(), Some("1"));
    let beyond = block_on(a.get(&path(MAX_MOUNT_DEPTH + 1)));
    assert!(matches!(
        beyond,
        Err(TrieError::TooManyMounts {
            limit: MAX_MOUNT_DEPTH
        })
    ));
}

#[test]
fn what_cannot_be_opened_is_an_error_where_it_is_needed() {
    let logs = Logs::default();
    let a = logs.trie(1);
    mount(&a, "m", 9);
    put(&a, "x", "1");
    assert_eq!(get(&a, "x").as_deref(), Some("1"));
    assert_eq!(get(&a, "m").as_deref(), Some(""));
    let missing = block_on(a.get("m/x"));
    assert!(matches!(missing, Err(TrieError::OpenMount { .. })));
    let mut iter = a.iter("", IterOptions::new());
    let mut failed = false;
    while let Some(next) = block_on(iter.next()).transpose() {
        failed |= matches!(next, Err(TrieError::OpenMount { .. }));
    }
    assert!(failed, "the listing ended without saying why");
    assert_eq!(keys(&a, "", IterOptions::new().mounts(false)).len(), 2);
}

#[test]
fn differences_go_into_mounts_of_two_versions() {
    let logs = Logs::default();
    let [a, b] = [1, 2].map(|seed| logs.trie(seed));
    put(&b, "x", "1");
    put(&b, "y", "1");
    mount_as(&a, Mount::new("m", key(2)).at_version(b.version()));
    put(&a, "t", "1");
    let before = a.version();
    put(&b, "x", "2");
    put(&b, "z", "3");
    block_on(b.del("y")).unwrap();
    block_on(a.unmount("m")).unwrap();
    mount_as(&a, Mount::new("m", key(2)).at_version(b.version()));
    let mut found = changes(&a, before, "");
    found.retain(|(_, key)| key != "t");
    found.sort_by_key(|(_, key)| key.clone());
    let expected = [
        (ChangeKind::Put, "m/x"),
        (ChangeKind::Del, "m/y"),
        (ChangeKind::Put, "m/z"),
    ];
    assert_eq!(found, expected.map(|(kind, key)| (kind, key.to_owned())));
    // The same, looked at from inside.
    let mut found = changes(&a, before, "m/x");
    found.sort_by_key(|(_, key)| key.clone());
    assert_eq!(found, [(ChangeKind::Put, "m/x".to_owned())]);

    // What was mounted, and is no more.
    block_on(a.unmount("m")).unwrap();
    let found = changes(&a, before, "m");
    assert_eq!(found, [(ChangeKind::Unmount, "m".to_owned())]);
    let found = changes(&a, before, "m/x");
    assert_eq!(found, [(ChangeKind::Del, "m/x".to_owned())]);
}

#[test]
fn history_tells_mounts_from_values() {
    let (_logs, [a, ..], _) = nested();
    let written = |path: &str| {
        let mut history = block_on(a.history(path, HistoryOptions::new())).unwrap();
        let mut written = Vec::new();
        while let Some(next) = block_on(history.next()).unwrap() {
            written.push(match next {
                Written::Put(node) => (node.key, None),
                Written::Mount(node, mount) => (node.key, Some(mount.key)),
                other => panic!("{other:?}"),
            });
        }
        written
    };
    let outer = [("top/t".to_owned(), None), ("m".to_owned(), Some(key(2)))];
    assert_eq!(written(""), outer);
    let inner = [("m/y".to_owned(), None), ("m/n".to_owned(), Some(key(3)))];
    assert_eq!(written("m/y"), inner);
    assert_eq!(written("m/n/z"), [("m/n/z".to_owned(), None)]);
}

/// Whether a future is ready without anything happening meanwhile.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[test]
fn a_watch_sees_changes_in_what_is_mounted() {
    let (_logs, [a, b, c], _) = nested();
    let mut all = a.watch("");
    let mut inner = a.watch("m/n");
    let mut elsewhere = a.watch("top");
    assert!(ready(all.next()).is_none());
    assert!(ready(inner.next()).is_none());
    assert!(ready(elsewhere.next()).is_none());
    put(&c, "w", "1");
    assert!(ready(all.next()).is_some());
    assert!(ready(inner.next()).is_some());
    assert!(ready(elsewhere.next()).is_none());
    assert!(ready(all.next()).is_none());

    put(&b, "q", "1");
    assert!(ready(all.next()).is_some());
    assert!(ready(inner.next()).is_none());
    // What is mounted later is watched from then on.
    mount(&a, "top/late", 3);
    assert!(ready(elsewhere.next()).is_some());
    assert!(ready(elsewhere.next()).is_none());
    put(&c, "late", "1");
    assert!(ready(elsewhere.next()).is_some());
}

#[test]
fn keys_are_renamed_within_the_trie_that_holds_them() {
    let (_logs, [a, _b, c], _) = nested();
    put(&a, "m/n/d/1", "1");
    put(&a, "m/n/d/2", "2");
    assert_eq!(block_on(a.rename_prefix("m/n/d", "m/n/e")).unwrap(), 2);
    assert_eq!(get(&c, "e/1").as_deref(), Some("1"));
    assert_eq!(get(&a, "m/n/d/1"), None);
    assert!(block_on(a.rename("m/n/e/1", "m/n/f")).unwrap());
    // A mount within the trie that it is mounted in.
    assert!(block_on(a.rename("m/n", "m/o")).unwrap());
    assert_eq!(get(&a, "m/o/f").as_deref(), Some("1"));
    assert_eq!(mounts(&a), ["m", "m/o"]);
    for (from, to) in [
        ("m/o/f", "f"),
        ("top/t", "m/t"),
        ("m/y", "m/o/y"),
        ("m/y", "m"),
    ] {
        let refused = block_on(a.rename(from, to));
        assert!(matches!(refused, Err(TrieError::AcrossMounts)), "{from}");
        let refused = block_on(a.rename_prefix(from, to));
        assert!(matches!(refused, Err(TrieError::AcrossMounts)), "{from}");
    }
}

#[test]
fn hidden_keys_are_found_through_mounts() {
    let (_logs, [a, b, _], _) = nested();
    block_on(b.put_with("h", bytes("hidden"), PutOptions::new().hidden(true))).unwrap();
    let options = GetOptions::new().hidden(true);
    let found = block_on(a.get_with("m/h", options)).unwrap().unwrap();
    assert_eq!((found.node.key.as_str(), found.path.as_str()), ("m/h", "h"));
    assert!(block_on(a.get_with("m/y", options)).unwrap().is_none());
}

#[test]
fn everything_can_be_sent_to_another_thread() {
    fn sendable<T: Send>(value: T) -> T {
        value
    }
    let (_logs, [a, ..], before) = nested();
    block_on(sendable(a.put("m/s", bytes("1")))).unwrap();
    block_on(sendable(a.get("m/s"))).unwrap();
    block_on(sendable(a.rename_prefix("m/s", "m/t"))).unwrap();
    block_on(sendable(sendable(a.mounts(true)).next())).unwrap();
    block_on(sendable(sendable(a.iter("", IterOptions::new())).next())).unwrap();
    let mut diff = sendable(a.diff(before, "", DiffOptions::new()));
    block_on(sendable(diff.next())).unwrap();
    let mut history = block_on(sendable(a.history("m", HistoryOptions::new()))).unwrap();
    block_on(sendable(history.next())).unwrap();
    let mut watch = sendable(a.watch(""));
    assert!(ready(sendable(watch.next())).is_none());
}
