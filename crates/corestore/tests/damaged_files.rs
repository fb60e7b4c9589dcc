//! Files that are cut, changed or missing: a clear error, or mended, and nothing lost.

use std::sync::Arc;

use corestore::{Corestore, GetError, OpenError, Options};
use hypercore_crypto::{KeyPair, PublicKey};
use hypercore_storage::{MemoryDir, OpenMode, StorageDir};

fn open(dir: &MemoryDir) -> Corestore {
    Corestore::open(Arc::new(dir.clone()), Options::new()).expect("the store opens")
}

fn path(key: &PublicKey, file: &str) -> String {
    let id = key.discovery_key().to_string();
    format!("{}/{}/{id}/{file}", &id[..2], &id[2..4])
}

fn read(dir: &MemoryDir, path: &str) -> Vec<u8> {
    let file = dir
        .open(path, OpenMode::ReadOnly)
        .expect("the file is there");
    let mut bytes = vec![0; usize::try_from(file.len().expect("a length")).expect("small")];
    file.read(0, &mut bytes).expect("the bytes");
    bytes
}

fn write(dir: &MemoryDir, path: &str, bytes: &[u8]) {
    let file = dir.open(path, OpenMode::Create).expect("the file opens");
    file.truncate(0).expect("the file is emptied");
    file.write(0, bytes).expect("the file is written");
}

/// A store with a core of each kind, one block in each: by default name, by name, given, foreign.
fn prepared() -> (MemoryDir, [PublicKey; 4]) {
    let dir = MemoryDir::new();
    let store = open(&dir);
    let feeds = [
        store.default_feed(),
        store.get_by_name("named"),
        store.get_by_key_pair(&KeyPair::from_seed(&[1; 32])),
        store.get(&KeyPair::from_seed(&[2; 32]).public),
    ]
    .map(|feed| feed.expect("the core opens"));
    for feed in &feeds[..3] {
        feed.append(b"block").expect("the block is appended");
    }
    store.close().expect("the store closes");
    (dir, feeds.map(|feed| feed.public_key()))
}

#[test]
fn a_cut_name_is_found_again_when_it_is_known() {
    let (dir, [default, named, ..]) = prepared();
    for key in [default, named] {
        let record = read(&dir, &path(&key, "name"));
        for cut in 0..record.len() {
            write(&dir, &path(&key, "name"), &record[..cut]);
            let store = open(&dir);
            let feed = match key == default {
                true => store.get(&key).unwrap(), // tried as a usual name
                false => store.get_by_name("named").unwrap(), // said by the caller
            };
            assert!(feed.is_writable(), "cut to {cut}");
            assert_eq!(feed.length(), 1);
            assert_eq!(read(&dir, &path(&key, "name")), record, "mended");
        }
    }
}

#[test]
fn a_cut_name_that_nobody_knows_leaves_the_core_readable() {
    let (dir, [_, named, ..]) = prepared();
    write(&dir, &path(&named, "name"), b"\x05nam");
    let store = open(&dir);
    let feed = store.get(&named).unwrap();
    assert!(!feed.is_writable());
    assert_eq!(feed.get_local(0).unwrap().as_deref(), Some(&b"block"[..]));
    let listed = store
        .list()
        .map(Result::unwrap)
        .find(|core| core.public_key() == named)
        .unwrap();
    assert!(!listed.is_named() && !listed.is_writable());
    assert_eq!(
        read(&dir, &path(&named, "name")),
        b"\x05nam",
        "left for who can repair it"
    );
}

#[test]
fn a_damaged_key_is_mended_from_what_is_known() {
    let (dir, keys) = prepared();
    for key in keys {
        for bad in [&b""[..], b"short", &[0; 32], &[0xff; 32], &[1; 99]] {
            write(&dir, &path(&key, "key"), bad);
            let store = open(&dir);
            assert_eq!(store.get(&key).unwrap().public_key(), key);
            assert_eq!(read(&dir, &path(&key, "key")), key.as_bytes());
        }
    }
}

#[test]
fn a_damaged_key_is_an_error_when_only_its_hash_is_known() {
    let (dir, [_, named, given, foreign]) = prepared();
    for (key, mends) in [(named, true), (given, true), (foreign, false)] {
        write(&dir, &path(&key, "key"), &[0xff; 32]);
        let store = open(&dir);
        match store.get_by_discovery_key(&key.discovery_key()) {
            Ok(feed) => assert!(mends && feed.unwrap().public_key() == key),
            Err(GetError::Damaged { file: "key", .. }) => assert!(!mends),
            Err(error) => panic!("{error}"),
        }
        assert_eq!(read(&dir, &path(&key, "key")) == key.as_bytes(), mends);
    }
}

/// A key pair whose halves do not belong together signs what nobody believes.
#[test]
fn a_secret_key_of_another_core_is_refused() {
    let (dir, [_, _, given, _]) = prepared();
    let secret = read(&dir, &path(&given, "secret_key"));
    for (bad, opens) in [
        (
            KeyPair::from_seed(&[9; 32]).secret.as_bytes().to_vec(),
            false,
        ),
        ([&[0; 32][..], given.as_bytes()].concat(), false),
        (secret[..31].to_vec(), false),
        (secret[..32].to_vec(), true), // the seed says it all
        ([&secret[..32], &[0xff; 32]].concat(), true),
    ] {
        write(&dir, &path(&given, "secret_key"), &bad);
        let store = open(&dir);
        match store.get(&given) {
            Ok(feed) => assert!(opens && feed.is_writable()),
            Err(GetError::Damaged {
                file: "secret_key", ..
            }) => assert!(!opens),
            Err(error) => panic!("{error}"),
        }
        if opens {
            assert_eq!(read(&dir, &path(&given, "secret_key")), secret, "mended");
        }
    }
}

#[test]
fn another_master_key_is_told_apart() {
    let (dir, [default, named, given, foreign]) = prepared();
    write(&dir, "master_key", &[7; 32]);
    let store = open(&dir);
    for key in [default, named] {
        for result in [
            store.get(&key).map(Some),
            store.get_by_discovery_key(&key.discovery_key()),
        ] {
            let error = result.unwrap_err();
            assert!(matches!(error, GetError::WrongMasterKey { .. }), "{error}");
        }
    }
    // These do not depend on it.
    assert!(store.get(&given).unwrap().is_writable());
    store.get(&foreign).unwrap();
    // The same name is another core.
    assert_ne!(store.default_feed().unwrap().public_key(), default);
}

#[test]
fn a_damaged_master_key_is_not_replaced_while_cores_depend_on_it() {
    let (dir, _) = prepared();
    let key = read(&dir, "master_key");
    for bad in [&key[..0], &key[..1], &key[..31], &[0; 32]] {
        write(&dir, "master_key", bad);
        let error = Corestore::open(Arc::new(dir.clone()), Options::new()).unwrap_err();
        let size = bad.len() as u64;
        assert!(
            matches!(error, OpenError::MasterKey { size: found } if found == size),
            "{error}"
        );
        assert_eq!(read(&dir, "master_key"), bad);
    }
    // What follows the key does not matter.
    write(&dir, "master_key", &[&key[..], b"more"].concat());
    assert!(open(&dir).default_feed().unwrap().is_writable());
}

#[test]
fn a_cut_master_key_of_a_store_without_own_cores_is_made_anew() {
    let dir = MemoryDir::new();
    write(&dir, "master_key", &[1; 31]);
    let store = open(&dir);
    store.get(&KeyPair::from_seed(&[2; 32]).public).unwrap();
    let key = read(&dir, "master_key");
    assert_eq!(key.len(), 32);
    assert_ne!(key[..31], [1; 31]);
}

#[test]
fn folders_that_hold_no_core_are_passed_over() {
    let (dir, keys) = prepared();
    // What Node leaves when it looks for a core that is not there, and other strange things.
    let stranger = KeyPair::from_seed(&[8; 32]).public;
    write(&dir, &path(&stranger, "bitfield"), &[0; 32]);
    write(
        &dir,
        &path(&KeyPair::from_seed(&[7; 32]).public, "key"),
        &[0; 32],
    );
    write(&dir, "aa/bb/cc/key", &[0; 32]);
    write(&dir, "zz/bb/key", b"");
    write(&dir, "ab/README", b"");
    let store = open(&dir);
    let mut listed: Vec<_> = store
        .list()
        .map(|core| core.unwrap().public_key())
        .collect();
    let mut keys = keys.to_vec();
    keys.sort();
    listed.sort();
    assert_eq!(listed, keys);
    assert!(
        store
            .get_by_discovery_key(&stranger.discovery_key())
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_damaged_name_of_a_drive_s_content_is_found_again() {
    let dir = MemoryDir::new();
    let store = open(&dir);
    let metadata = store.get_by_name("paths of a drive").unwrap().public_key();
    let content = store.get_by_name(format!("{metadata}-content")).unwrap();
    content.append(b"block").unwrap();
    let content = content.public_key();
    store.close().unwrap();
    let record = read(&dir, &path(&content, "name"));
    write(&dir, &path(&content, "name"), &record[..10]);

    let store = open(&dir);
    let feed = store.get(&content).unwrap();
    assert!(feed.is_writable());
    feed.append(b"another").unwrap();
    // It is mended for others too.
    assert_eq!(read(&dir, &path(&content, "name")), record);
}
