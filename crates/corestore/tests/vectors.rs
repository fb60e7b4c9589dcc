//! Key pairs, folders and files are those of the Node package.

use std::sync::Arc;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use corestore::{Corestore, Options};
use hypercore_crypto::KeyPair;
use hypercore_storage::{MemoryDir, OpenMode, StorageDir};
use testkit::vectors::{Value, array, bytes, load, number};

fn open(master_key: &Value) -> (MemoryDir, Corestore) {
    let dir = MemoryDir::new();
    let options = Options::new().master_key(array(master_key));
    let store = Corestore::open(Arc::new(dir.clone()), options).expect("the store opens");
    (dir, store)
}

#[test]
fn names_lead_to_the_reference_keys_and_folders() {
    let vectors = load("tests/vectors/corestore.json");
    let mut cases = 0;
    for group in vectors["corestore"].as_array().unwrap() {
        for case in group["cases"].as_array().unwrap() {
            let (dir, store) = open(&group["masterKey"]);
            let feed = store.get_by_name(bytes(&case["nameHex"])).unwrap();
            let how = &case["how"];
            assert_eq!(
                feed.public_key().as_bytes()[..],
                bytes(&case["publicKey"]),
                "{how}"
            );
            assert_eq!(
                feed.discovery_key().as_bytes()[..],
                bytes(&case["discoveryKey"]),
                "{how}"
            );
            let key = format!("{}/key", case["directory"].as_str().unwrap());
            assert!(dir.exists(&key).unwrap(), "{how}: {key}");
            cases += 1;
        }
    }
    assert!(cases >= 12, "{cases}");
}

#[test]
fn secrets_for_other_uses_are_the_references() {
    let options = Options::new().master_key([9; 32]);
    let store = Corestore::open(Arc::new(MemoryDir::new()), options).expect("the store opens");
    let secret = store.derive_secret("hyperdrive-daemon", "replication-keypair");
    // Of derive-key, which the reference's daemon derives its identity with.
    let expected = "e1f524b98e9d00d6cf3bcafcbff2f029c9ff40f9b176cd5b3e126ed83ef99aa8";
    assert_eq!(hex::encode(*secret), expected);
}

#[test]
fn namespaces_lead_to_the_reference_default_cores() {
    let vectors = load("tests/vectors/corestore.json");
    for group in vectors["corestore"].as_array().unwrap() {
        let (_, store) = open(&group["masterKey"]);
        let mut matched = 0;
        for case in group["cases"].as_array().unwrap() {
            let handle = match case["name"].as_str() {
                Some("default") => store.clone(),
                Some("foo") => store.namespace("foo"),
                Some("foo:bar") => store.namespace("foo").namespace("bar"),
                Some("010203") => store.namespace(&[1, 2, 3]),
                _ => continue,
            };
            let key = *handle.default_feed().unwrap().public_key().as_bytes();
            assert_eq!(key[..], bytes(&case["publicKey"]), "{}", case["how"]);
            matched += 1;
        }
        assert_eq!(matched, 4);
    }
}

#[test]
fn files_are_the_reference_files() {
    let vectors = load("tests/vectors/corestore.json");
    let vectors = &vectors["corestoreFiles"];
    let (dir, store) = open(&vectors["masterKey"]);
    let appended: Vec<&str> = vectors["appended"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| block.as_str().unwrap())
        .collect();
    store
        .default_feed()
        .unwrap()
        .append_batch(&appended)
        .unwrap();
    store
        .get_by_key_pair(&KeyPair::from_seed(&[9; 32]))
        .unwrap();
    store.get(&KeyPair::from_seed(&[7; 32]).public).unwrap();
    store.close().unwrap();

    let files = vectors["files"].as_array().unwrap();
    assert_eq!(files.len(), 21);
    for file in files {
        let path = file["path"].as_str().unwrap();
        let size = number(&file["size"]);
        let Ok(stored) = dir.open(path, OpenMode::ReadOnly) else {
            // The reference leaves empty files where ours does not create any.
            assert_eq!(size, 0, "{path} is missing");
            continue;
        };
        assert_eq!(stored.len().unwrap(), size, "{path}");
        let mut content = vec![0; usize::try_from(size).unwrap()];
        stored.read(0, &mut content).unwrap();
        if file["hex"].is_string() {
            assert_eq!(content, bytes(&file["hex"]), "{path}");
        } else {
            let hash: [u8; 32] = Blake2b::<U32>::digest(&content).into();
            assert_eq!(hash[..], bytes(&file["blake2b256"]), "{path}");
        }
    }
}
