//! Entries and blocks are those of hyperdrive 10.21.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::sync::Arc;

use bytes::Bytes;
use corestore::Corestore;
use futures_lite::future::block_on;
use hypercore::Feed;
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;
use hyperdrive::{Attributes, Drive, DriveError, Options, Stat};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/hyperdrive.json")).unwrap()
}

fn bytes(hex: &Value) -> Vec<u8> {
    hex::decode(hex.as_str().unwrap()).unwrap()
}

fn store(master_key: &Value) -> Corestore {
    let key = bytes(master_key).try_into().unwrap();
    let options = corestore::Options::new().master_key(key);
    Corestore::open(Arc::new(MemoryDir::new()), options).unwrap()
}

fn like_the_reference() -> Options {
    Options::new().block_size(Options::REFERENCE_BLOCK_SIZE)
}

/// The clock of the vectors stands still.
fn at(vectors: &Value) -> Attributes {
    let now = vectors["drive"]["clockMs"].as_u64().unwrap();
    Attributes::new().mtime(now).ctime(now)
}

#[test]
fn stats_are_read_and_written_alike() {
    let vectors = vectors();
    let cases = vectors["stat"]["encode"].as_array().unwrap();
    let decode_only = vectors["stat"]["decodeOnly"].as_array().unwrap();
    assert!(cases.len() > 10 && decode_only.len() > 3);
    for case in cases.iter().chain(decode_only) {
        let label = &case["label"];
        let stat = Stat::decode(&bytes(&case["hex"])).unwrap();
        let decoded = &case["decoded"];
        let number = |field: &str| decoded[field].as_u64().unwrap();
        assert_eq!(u64::from(stat.mode), number("mode"), "{label}");
        assert_eq!(
            (u64::from(stat.uid), u64::from(stat.gid)),
            (number("uid"), number("gid"))
        );
        assert_eq!(
            (stat.size, stat.blocks),
            (number("size"), number("blocks")),
            "{label}"
        );
        assert_eq!(
            (stat.offset, stat.byte_offset),
            (number("offset"), number("byteOffset"))
        );
        assert_eq!(
            stat.linkname.as_deref(),
            decoded["linkname"].as_str(),
            "{label}"
        );
        let metadata = decoded["metadata"].as_object().unwrap();
        assert_eq!(stat.metadata.len(), metadata.len(), "{label}");
        for (key, value) in &stat.metadata {
            let expected = metadata[key].as_str();
            assert_eq!(
                value.as_ref().map(hex::encode).as_deref(),
                expected,
                "{label}"
            );
        }
        match (&stat.mount, &decoded["mount"]) {
            (None, Value::Null) => {}
            (Some(mount), expected) => {
                assert_eq!(mount.key.as_bytes()[..], bytes(&expected["key"]), "{label}");
                assert_eq!(
                    mount.version.unwrap_or(0),
                    expected["version"].as_u64().unwrap_or(0)
                );
            }
            (None, expected) => panic!("{label}: {expected} was not read"),
        }
        // Times that are absent stay absent here; the reference takes them for "now".
        if stat.mtime != 0 {
            assert_eq!(
                (stat.mtime, stat.ctime),
                (number("mtime"), number("ctime")),
                "{label}"
            );
        }
        if let Some(hex) = case["hex"]
            .as_str()
            .filter(|_| case.get("reencoded").is_some())
        {
            assert_eq!(hex::encode(stat.encode()), hex, "{label}");
        }
    }
}

/// Each step that this crate can do is done; the blocks of the others are taken from the vectors, so
/// that what follows builds on them.
#[test]
fn a_drive_is_written_block_by_block() {
    block_on(async {
        let vectors = vectors();
        let steps = vectors["drive"]["steps"].as_array().unwrap();
        let store = store(&vectors["drive"]["masterKey"]);
        let drive = Drive::create(&store.namespace("main"), like_the_reference())
            .await
            .unwrap();
        let content = drive.content().await.unwrap();
        let of = |field: &str| vectors["drive"][field].as_str().unwrap();
        assert_eq!(drive.key().to_string(), of("metadataKey"));
        assert_eq!(
            drive.discovery_key().to_string(),
            of("metadataDiscoveryKey")
        );
        assert_eq!(content.public_key().to_string(), of("contentKey"));

        let mut done = 0;
        for step in steps {
            let label = step["label"].as_str().unwrap();
            if perform(&drive, label, &at(&vectors)).await {
                done += 1;
            } else {
                take(drive.metadata(), &step["metadata"]);
                take(&content, &step["content"]);
            }
            assert_eq!(
                drive.version(),
                step["version"].as_u64().unwrap(),
                "{label}"
            );
            for block in step["metadata"].as_array().unwrap() {
                let seq = block["seq"].as_u64().unwrap();
                let written = drive.metadata().get_local(seq).unwrap().unwrap();
                assert_eq!(
                    hex::encode(written),
                    block["hex"].as_str().unwrap(),
                    "{label}"
                );
            }
            for block in step["content"].as_array().unwrap() {
                let index = block["index"].as_u64().unwrap();
                let written = content.get_local(index).unwrap().unwrap();
                match block["hex"].as_str() {
                    Some(hex) => assert_eq!(hex::encode(written), hex, "{label}"),
                    None => assert_eq!(written.len() as u64, block["length"], "{label}"),
                }
            }
        }
        assert_eq!(done, 19);
        for (log, feed) in [
            ("metadataFeed", drive.metadata()),
            ("contentFeed", &content),
        ] {
            assert_eq!(
                feed.length(),
                vectors["drive"][log]["length"].as_u64().unwrap()
            );
            assert_eq!(
                feed.byte_length(),
                vectors["drive"][log]["byteLength"].as_u64().unwrap()
            );
        }

        let mut names = Vec::new();
        let mut list = drive.read_dir("/", false).await.unwrap();
        while let Some(entry) = list.next().await {
            names.push(entry.unwrap().name);
        }
        let expected: Vec<&str> = vectors["drive"]["views"]["readdirRoot"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        assert_eq!(names, expected);
    });
}

/// Performs a step of the vectors; false if this crate has no such operation.
async fn perform(drive: &Drive, label: &str, now: &Attributes) -> bool {
    match label {
        "create drive" => {}
        "writeFile /a.txt 'hello'" => write(drive, "/a.txt", b"hello", now).await,
        label if label.starts_with("writeFile docs/readme") => {
            let attributes = Attributes::new()
                .mode(0o600)
                .owner(7, 8)
                .mtime(1000)
                .ctime(2000)
                .metadata("k", &b"v"[..]);
            write(drive, "docs/readme", &[b'x'; 300], &attributes).await;
        }
        label if label.starts_with("writeFile empty") => write(drive, "empty", b"", now).await,
        label if label.starts_with("writeFile big") => {
            write(drive, "big", &vec![1; 524_288 * 2 + 10], now).await;
        }
        "overwrite /a.txt 'hello again'" => write(drive, "/a.txt", b"hello again", now).await,
        "mkdir dir" => drop(drive.mkdir("dir", now).await.unwrap()),
        "mkdir dir/sub mode 0700 uid 3" => {
            let attributes = now.clone().mode(0o700).owner(3, 0);
            drive.mkdir("dir/sub", &attributes).await.unwrap();
        }
        "mkdir dir again (EEXIST, nothing appended)" => {
            let error = drive.mkdir("dir", now).await.unwrap_err();
            assert_eq!(error.errno_name(), Some("EEXIST"));
        }
        "symlink docs/readme -> link" => {
            drive.symlink("docs/readme", "link", now).await.unwrap();
        }
        "symlink ../a.txt -> dir/up" => {
            drive.symlink("../a.txt", "dir/up", now).await.unwrap();
        }
        "setMetadata /a.txt foo='bar'" => {
            let value = Some(Bytes::from_static(b"bar"));
            drive.set_metadata("/a.txt", "foo", value).await.unwrap();
        }
        "removeMetadata /a.txt foo" => {
            drive.set_metadata("/a.txt", "foo", None).await.unwrap();
        }
        "unmount m/other" => drive.unlink("m/other").await.unwrap(),
        "unmount core" => drive.unlink("core").await.unwrap(),
        "unlink docs/readme" => drive.unlink("docs/readme").await.unwrap(),
        "unlink missing (ENOENT, nothing appended)" => {
            let error = drive.unlink("missing").await.unwrap_err();
            assert_eq!(error.errno_name(), Some("ENOENT"));
        }
        "rmdir dir (ENOTEMPTY, nothing appended)" => {
            let error = drive.rmdir("dir").await.unwrap_err();
            assert_eq!(error.errno_name(), Some("ENOTEMPTY"));
        }
        "rmdir dir/sub" => drive.rmdir("dir/sub").await.unwrap(),
        _ => return false,
    }
    true
}

async fn write(drive: &Drive, path: &str, content: &[u8], attributes: &Attributes) {
    drive
        .write_file(path, content.to_vec(), attributes)
        .await
        .unwrap();
}

/// Appends the blocks of a step.
fn take(feed: &Feed, blocks: &Value) {
    let blocks: Vec<Vec<u8>> = blocks
        .as_array()
        .unwrap()
        .iter()
        .map(|block| bytes(&block["hex"]))
        .collect();
    feed.append_batch(&blocks).unwrap();
}

#[test]
fn a_drive_can_have_a_key_pair_from_elsewhere() {
    block_on(async {
        let vectors = vectors();
        let case = &vectors["otherDrives"]["explicitKeyPair"];
        let of = |field: &str| case[field].as_str().unwrap();
        let store = store(&case["masterKey"]);
        let seed = bytes(&case["seed"]).try_into().unwrap();
        let metadata = store.get_by_key_pair(&KeyPair::from_seed(&seed)).unwrap();
        let drive = Drive::open(&store, &metadata.public_key(), like_the_reference())
            .await
            .unwrap();
        assert!(drive.is_writable());
        assert_eq!(drive.key().to_string(), of("key"));
        let content = drive.content().await.unwrap();
        assert_eq!(content.public_key().to_string(), of("contentKey"));
        check_metadata(&drive, &Value::from(vec![case["header"].clone()]));
    });
}

#[test]
fn the_last_entry_removed_leaves_an_empty_drive() {
    block_on(async {
        let vectors = vectors();
        let case = &vectors["otherDrives"]["lastKeyDeleted"];
        let drive = Drive::create(&store(&case["masterKey"]), like_the_reference())
            .await
            .unwrap();
        write(&drive, "o", b"1", &at(&vectors)).await;
        drive.unlink("o").await.unwrap();
        assert!(
            drive
                .read_dir("/", true)
                .await
                .unwrap()
                .next()
                .await
                .is_none()
        );
        write(&drive, "p", b"2", &at(&vectors)).await;
        check_metadata(&drive, &case["metadata"]);
    });
}

/// The reference appends an entry that drops the newer ones. Here that is an error.
#[test]
fn a_checkout_is_not_written_to() {
    block_on(async {
        let vectors = vectors();
        let case = &vectors["otherDrives"]["writeThroughCheckout"];
        let drive = Drive::create(&store(&case["masterKey"]), like_the_reference())
            .await
            .unwrap();
        write(&drive, "one", b"1", &at(&vectors)).await;
        write(&drive, "two", b"2", &at(&vectors)).await;
        let before = drive.checkout(2);
        let error = before
            .write_file("three", "3", &at(&vectors))
            .await
            .unwrap_err();
        assert!(matches!(error, DriveError::Checkout { version: 2 }));
        let ours: Value = case["metadata"].as_array().unwrap()[..3].into();
        check_metadata(&drive, &ours);
        // A drive to which the reference has done so reads as the reference reads it.
        take(
            drive.metadata(),
            &Value::from(vec![serde_json::json!({ "hex": case["metadata"][3] })]),
        );
        assert!(drive.exists("one").await.unwrap());
        assert!(drive.exists("three").await.unwrap());
        assert!(!drive.exists("two").await.unwrap());
    });
}

fn check_metadata(drive: &Drive, expected: &Value) {
    let expected = expected.as_array().unwrap();
    assert_eq!(drive.version(), expected.len() as u64);
    for (seq, block) in expected.iter().enumerate() {
        let written = drive.metadata().get_local(seq as u64).unwrap().unwrap();
        assert_eq!(hex::encode(written), block.as_str().unwrap(), "block {seq}");
    }
}
