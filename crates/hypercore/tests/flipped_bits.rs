//! A bit that flips on disk is found before what it belongs to is used, costs at most what it lies
//! in, and can be mended.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{block, file, make_log, pair};
use hypercore::{AppendError, Hypercore, OpenError, Options, RemoteTree};
use hypercore_storage::{MemoryDir, OpenMode, StorageDir};

const LENGTH: u64 = 33;
const FILES: [&str; 6] = [
    "key",
    "secret_key",
    "tree",
    "signatures",
    "bitfield",
    "data",
];

fn options() -> Options {
    Options::new().key(pair().public)
}

/// The six files of a log of 33 blocks.
fn files() -> BTreeMap<&'static str, Vec<u8>> {
    let dir = MemoryDir::new();
    make_log(&dir, "single", LENGTH).close().unwrap();
    FILES.iter().map(|name| (*name, file(&dir, name))).collect()
}

fn dir_of(files: &BTreeMap<&'static str, Vec<u8>>) -> MemoryDir {
    let dir = MemoryDir::new();
    for (name, bytes) in files {
        let file = dir.open(name, OpenMode::Create).unwrap();
        file.write(0, bytes).unwrap();
    }
    dir
}

/// Flips one bit of each byte of a file, a different one each time, and calls `check`.
fn for_each_flip(name: &'static str, check: impl Fn(usize, MemoryDir)) {
    let mut files = files();
    for at in 0..files[name].len() {
        let bit = 1 << (at % 8);
        files.get_mut(name).unwrap()[at] ^= bit;
        check(at, dir_of(&files));
        files.get_mut(name).unwrap()[at] ^= bit;
    }
}

/// Opens a log, sees that it hands out nothing wrong, repairs it and fetches what it lost.
/// Returns how many blocks that were.
fn mend(dir: MemoryDir, source: &Hypercore, context: &str) -> usize {
    let open = || Hypercore::open(Arc::new(dir.clone()), options());
    let mut log = open().unwrap_or_else(|error| panic!("{context}: {error}"));
    for index in 0..LENGTH {
        if let Ok(Some(found)) = log.get(index) {
            assert_eq!(found, block(index), "{context}: block {index}");
        }
    }
    log.repair().unwrap();
    let lost: Vec<u64> = (0..LENGTH).filter(|at| !log.has(*at)).collect();
    for index in (0..LENGTH).filter(|at| log.has(*at)) {
        assert_eq!(log.get(index).unwrap().unwrap(), block(index), "{context}");
    }
    for index in &lost {
        let proof = source.proof(*index, log.digest(*index), false, &mut RemoteTree::new());
        log.put(*index, Some(&block(*index)), proof.unwrap().unwrap())
            .unwrap_or_else(|error| panic!("{context}: {error}"));
    }
    log.flush().unwrap();
    let audit = log.audit().unwrap();
    assert!(audit.is_clean(), "{context}: {audit:?}");
    assert_eq!(log.length(), LENGTH, "{context}");
    drop(log);

    let mut log = open().unwrap();
    assert_eq!(log.downloaded(0..LENGTH), LENGTH, "{context}");
    match log.append(block(LENGTH)) {
        Ok(index) => assert_eq!(index, LENGTH),
        // What is left says that there once was more, and nobody can tell here.
        Err(AppendError::Fork { signed, .. }) => assert!(signed > LENGTH, "{context}"),
        Err(error) => panic!("{context}: {error}"),
    }
    lost.len()
}

#[test]
fn fault_s5_flipped_bit_in_a_key_is_refused() {
    for name in ["key", "secret_key"] {
        for_each_flip(name, |at, dir| {
            let before: Vec<_> = FILES.iter().map(|name| file(&dir, name)).collect();
            let error = Hypercore::open(Arc::new(dir.clone()), options()).unwrap_err();
            assert!(
                matches!(
                    error,
                    OpenError::OtherLog { .. } | OpenError::SecretMismatch
                ),
                "byte {at} of {name}: {error}"
            );
            let after: Vec<_> = FILES.iter().map(|name| file(&dir, name)).collect();
            assert_eq!(after, before);
        });
    }
}

#[test]
fn fault_s5_flipped_bit_in_a_header_is_refused() {
    for name in ["tree", "signatures", "bitfield"] {
        for_each_flip(name, |at, dir| {
            if at < 32 {
                let before = file(&dir, name);
                let error = Hypercore::open(Arc::new(dir.clone()), options()).unwrap_err();
                assert!(
                    matches!(error, OpenError::Format { .. }),
                    "byte {at}: {error}"
                );
                assert_eq!(file(&dir, name), before);
            }
        });
    }
}

#[test]
fn fault_s5_flipped_bit_in_a_node_is_mended() {
    let source = make_log(&MemoryDir::new(), "single", LENGTH);
    for_each_flip("tree", |at, dir| {
        if at >= 32 {
            let lost = mend(dir, &source, &format!("byte {at} of tree"));
            // The last leaf is a root itself: no node above it says what it was.
            let last = at >= 32 + 40 * 64;
            assert_eq!(lost, usize::from(last), "byte {at}");
        }
    });
}

#[test]
fn fault_s5_flipped_bit_in_a_signature_is_mended_or_not_used() {
    let source = make_log(&MemoryDir::new(), "single", LENGTH);
    for_each_flip("signatures", |at, dir| {
        if at >= 32 {
            let lost = mend(dir, &source, &format!("byte {at} of signatures"));
            assert_eq!(lost, 0, "byte {at}");
        }
    });
}

#[test]
fn fault_s5_flipped_bit_in_the_bitfield_is_mended() {
    let source = make_log(&MemoryDir::new(), "single", LENGTH);
    for_each_flip("bitfield", |at, dir| {
        if at >= 32 {
            let lost = mend(dir, &source, &format!("byte {at} of bitfield"));
            assert_eq!(lost, 0, "byte {at}");
        }
    });
}

#[test]
fn fault_s5_flipped_bit_in_a_block_costs_that_block() {
    let source = make_log(&MemoryDir::new(), "single", LENGTH);
    for_each_flip("data", |at, dir| {
        let lost = mend(dir, &source, &format!("byte {at} of data"));
        assert_eq!(lost, 1, "byte {at}");
    });
}
