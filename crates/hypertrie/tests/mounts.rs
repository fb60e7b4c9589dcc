//! Mounts are written and recognised as in mountable-hypertrie.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use bytes::Bytes;
use common::{blocks, bytes, get, list, open, put, vectors};
use futures_lite::future::block_on;
use hypercore_crypto::KeyPair;
use hypertrie::{GetOptions, IterOptions, Mount, MountError, Options, PutOptions, Trie, TrieError};
use serde_json::json;

fn mountable() -> Trie {
    open(
        common::feed(),
        Options::new().subtype("mountable-hypertrie"),
    )
}

/// The key that the vectors mount.
fn other() -> [u8; 32] {
    *KeyPair::from_seed(&[2; 32]).public.as_bytes()
}

fn mount(trie: &Trie, path: &str, value: &str) {
    block_on(trie.mount(&Mount::new(path, other()), bytes(value))).unwrap();
}

#[test]
fn records_are_the_reference_s() {
    for vector in vectors()["mountable"]["mountRecords"].as_array().unwrap() {
        let bytes = testkit::vectors::bytes(&vector["hex"]);
        let record = &vector["record"];
        let mount = Mount::decode(&bytes).unwrap();
        assert_eq!(hex::encode(mount.key), record["key"]);
        assert_eq!(mount.path, record["localPath"]);
        assert_eq!(json!(mount.version), record["version"]);
        assert_eq!(json!(mount.remote_path), record["remotePath"]);
        // The reserved field is not kept.
        if record["hash"].is_null() {
            assert_eq!(mount.encode(), bytes);
        }
    }
}

#[test]
fn blocks_are_the_reference_s() {
    let vectors = &vectors()["mountable"];

    let trie = mountable();
    put(&trie, "top/t", "t");
    mount(&trie, "/m", "stat");
    let nested = &vectors["nested"];
    assert_eq!(json!(blocks(&trie)), nested["a"]);
    assert!(block_on(trie.unmount("m")).unwrap());
    assert_eq!(json!(blocks(&trie)), nested["aAfterUnmount"]);

    let trie = mountable();
    let mut versioned = Mount::new("m", other()).at_version(2);
    versioned.remote_path = Some("r".to_owned());
    block_on(trie.mount(&versioned, Bytes::new())).unwrap();
    assert_eq!(json!(blocks(&trie)), vectors["versioned"]["a"]);

    let trie = mountable();
    mount(&trie, "m", "");
    assert!(block_on(trie.unmount("/m")).unwrap());
    assert_eq!(json!(blocks(&trie)), vectors["unmountOnly"]["a"]);
}

#[test]
fn a_mount_is_recognised_wherever_it_turns_up() {
    let trie = mountable();
    put(&trie, "a", "1");
    mount(&trie, "m", "stat");
    block_on(trie.put_with("b", bytes("2"), PutOptions::new().flags(3))).unwrap();
    let listed = list(&trie, "", IterOptions::new());
    let mounts: Vec<_> = listed.iter().filter(|node| node.is_mount()).collect();
    assert_eq!(mounts.len(), 1);
    assert_eq!(mounts[0].key, "m");
    assert_eq!(
        mounts[0].mount().unwrap(),
        None,
        "the visible node is not the record"
    );

    let records = list(&trie, "mounts", IterOptions::new().hidden(true));
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].mount().unwrap(), Some(Mount::new("m", other())));
}

#[test]
fn the_mount_above_a_path_is_found() {
    let trie = mountable();
    put(&trie, "d/x", "1");
    mount(&trie, "d/m", "");
    mount(&trie, "mm", "");
    let above = |path: &str| {
        block_on(trie.mount_above(path))
            .unwrap()
            .map(|mount| mount.path)
    };
    assert_eq!(above("d/m").as_deref(), Some("d/m"));
    assert_eq!(above("/d/m/x/y").as_deref(), Some("d/m"));
    assert_eq!(above("mm/d/m").as_deref(), Some("mm"));
    // Names that posix path arithmetic takes for a way out.
    assert_eq!(above("mm/..x").as_deref(), Some("mm"));
    for path in ["", "d", "d/x", "d/mm", "m", "other"] {
        assert_eq!(above(path), None, "{path}");
    }
}

#[test]
fn the_mount_above_a_path_is_found_beside_records_below_it() {
    // As the reference leaves it after mounting over a folder with a mount in it.
    let trie = mountable();
    mount(&trie, "a/b", "");
    let record = Mount::new("a", other()).encode();
    let options = PutOptions::new().hidden(true).flags(1);
    block_on(trie.put_with("mounts/a", Bytes::from(record), options)).unwrap();
    for path in ["a", "a/c", "a/c/d", "a/bb"] {
        let mount = block_on(trie.mount_above(path)).unwrap().unwrap();
        assert_eq!(mount.path, "a", "{path}");
    }
    let mount = block_on(trie.mount_above("a/b/c")).unwrap().unwrap();
    assert_eq!(mount.path, "a/b");
}

#[test]
fn nothing_is_mounted_over_a_folder_with_keys_in_it() {
    let trie = mountable();
    put(&trie, "d/x", "1");
    let refused = block_on(trie.mount(&Mount::new("d", other()), Bytes::new()));
    assert!(matches!(refused, Err(TrieError::NotEmpty)));
    // The same when the folder has an entry of its own, written first or last.
    put(&trie, "d", "dir");
    let refused = block_on(trie.mount(&Mount::new("d", other()), Bytes::new()));
    assert!(matches!(refused, Err(TrieError::NotEmpty)));
    put(&trie, "d/x", "2");
    let refused = block_on(trie.mount(&Mount::new("d", other()), Bytes::new()));
    assert!(matches!(refused, Err(TrieError::NotEmpty)));
    assert_eq!(trie.version(), 4);

    block_on(trie.del("d/x")).unwrap();
    mount(&trie, "d", "mounted");
    assert_eq!(get(&trie, "d").as_deref(), Some("mounted"));
}

#[test]
fn unmounting_takes_away_both_nodes_and_nothing_else() {
    let trie = mountable();
    put(&trie, "a", "1");
    assert!(!block_on(trie.unmount("a")).unwrap(), "an ordinary key");
    assert!(!block_on(trie.unmount("b")).unwrap());
    assert_eq!(trie.version(), 2);
    mount(&trie, "b", "");
    assert!(block_on(trie.unmount("b")).unwrap());
    assert_eq!(get(&trie, "b"), None);
    let hidden = GetOptions::new().hidden(true);
    assert_eq!(block_on(trie.get_with("mounts/b", hidden)).unwrap(), None);
    assert_eq!(get(&trie, "a").as_deref(), Some("1"));
}

#[test]
fn broken_records_are_refused() {
    #[track_caller]
    fn check(record: &[u8], expected: MountError) {
        assert_eq!(Mount::decode(record), Err(expected));
    }
    check(b"", MountError::Key { bytes: 0 });
    check(b"\x0a\x01k\x12\x01m", MountError::Key { bytes: 1 });
    let mut no_path = vec![0x0a, 32];
    no_path.extend([7; 32]);
    check(&no_path, MountError::NoPath);
    assert!(matches!(
        Mount::decode(b"\x0a\xff"),
        Err(MountError::Message(_))
    ));
}
