//! What cannot be right is refused before anything is changed.

mod common;

use std::sync::Arc;

use common::{block, file, make_log, pair, reader, writer};
use hypercore::{AppendError, Hypercore, OpenError, Options, RemoteTree};
use hypercore_crypto::KeyPair;
use hypercore_storage::{MemoryDir, OpenMode, StorageDir};
use testkit::{Call, Fault, FaultyDir, Rng};

fn write(dir: &MemoryDir, name: &str, offset: u64, bytes: &[u8]) {
    let file = dir.open(name, OpenMode::Existing).unwrap();
    file.write(offset, bytes).unwrap();
}

#[test]
fn fault_s6_bitfield_page_sizes() {
    for (size, accepted) in [
        (0, false),
        (1, false),
        (3328, true),
        (3583, false),
        (3584, true),
        (3585, false),
        (65_535, false),
    ] {
        let dir = MemoryDir::new();
        make_log(&dir, "single", 5).close().unwrap();
        write(&dir, "bitfield", 5, &u16::to_be_bytes(size));
        let before = file(&dir, "bitfield");
        let opened = Hypercore::open(Arc::new(dir.clone()), Options::new());
        match opened {
            Ok(log) => {
                assert!(accepted, "{size}");
                assert_eq!(log.length(), 5);
                assert_eq!(log.get(4).unwrap().unwrap(), block(4));
            }
            Err(error) => {
                assert!(!accepted, "{size}: {error}");
                assert!(matches!(
                    error,
                    OpenError::Format {
                        file: "bitfield",
                        ..
                    }
                ));
                assert_eq!(file(&dir, "bitfield"), before);
            }
        }
    }
}

#[test]
fn fault_s6_bad_magic() {
    for name in ["bitfield", "tree", "signatures"] {
        for at in 0..5 {
            let dir = MemoryDir::new();
            make_log(&dir, "single", 5).close().unwrap();
            write(&dir, name, at, &[0x77]);
            let before = file(&dir, name);
            let error = Hypercore::open(Arc::new(dir.clone()), Options::new()).unwrap_err();
            assert!(matches!(error, OpenError::Format { .. }), "{name}: {error}");
            assert_eq!(file(&dir, name), before);
        }
    }
}

/// A page of the old layout, whose summary is half as long.
#[test]
fn fault_s6_old_page_size_is_kept() {
    let dir = MemoryDir::new();
    let mut log = writer(&dir);
    log.flush().unwrap();
    drop(log);
    write(&dir, "bitfield", 5, &u16::to_be_bytes(3328));
    let mut log = writer(&dir);
    let blocks: Vec<[u8; 1]> = (0..8200_u16).map(|n| [n.to_be_bytes()[1]]).collect();
    log.append_batch(&blocks).unwrap();
    log.close().unwrap();
    assert_eq!(file(&dir, "bitfield").len(), 32 + 2 * 3328);
    assert_eq!(file(&dir, "bitfield")[5..7], u16::to_be_bytes(3328));
    let log = writer(&dir);
    assert_eq!(log.downloaded(0..u64::MAX), 8200);
}

/// The reference advances its tree before it looks at the size, and signs a wrong one ever after.
#[test]
fn fault_s7_appends_that_fail_leave_no_trace() {
    for seed in 0..40 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let dir = FaultyDir::new();
        let options = Options::new().key_pair(pair()).max_block_bytes(64);
        let mut log = Hypercore::open(Arc::new(dir.clone()), options).unwrap();
        for _ in 0..30 {
            let first = log.length();
            let count = 1 + rng.below(4);
            let mut blocks: Vec<Vec<u8>> = (first..first + count).map(block).collect();
            match rng.below(3) {
                0 => {
                    // One block too many, or one too large, anywhere in the batch.
                    let at = usize::try_from(rng.below(count)).unwrap();
                    blocks[at] = vec![0; 65];
                    let error = log.append_batch(&blocks).unwrap_err();
                    assert!(matches!(
                        error,
                        AppendError::TooLarge {
                            size: 65,
                            limit: 64
                        }
                    ));
                }
                1 => {
                    let torn = usize::try_from(rng.below(90)).unwrap();
                    let fault = Fault::new(std::io::ErrorKind::StorageFull)
                        .on(&[Call::Write])
                        .after(rng.below(3))
                        .torn(torn);
                    dir.inject(fault);
                    let failed = log.append_batch(&blocks);
                    dir.heal();
                    if failed.is_ok() {
                        continue;
                    }
                }
                _ => {
                    log.append_batch(&blocks).unwrap();
                    continue;
                }
            }
            assert_eq!(log.length(), first);
        }
        let last = log.append(block(log.length())).unwrap();
        let mut copy = reader(&MemoryDir::new());
        for index in 0..=last {
            let proof = log.proof(index, copy.digest(index), false, &mut RemoteTree::new());
            let found = log.get(index).unwrap().unwrap();
            assert_eq!(found, block(index));
            copy.put(index, Some(&found), proof.unwrap().unwrap())
                .unwrap();
        }
        assert!(log.audit().unwrap().is_clean());
    }
}

#[test]
fn fault_s7_limits_are_exact() {
    let options = || {
        Options::new()
            .key_pair(pair())
            .max_block_bytes(64)
            .max_length(3)
    };
    let mut log = Hypercore::open(Arc::new(MemoryDir::new()), options()).unwrap();
    log.append([0; 64]).unwrap();
    assert!(matches!(
        log.append([0; 65]),
        Err(AppendError::TooLarge { .. })
    ));
    let two = [[1], [2]];
    let three = [[1], [2], [3]];
    assert!(matches!(
        log.append_batch(&three),
        Err(AppendError::TooLong { limit: 3 })
    ));
    log.append_batch(&two).unwrap();
    assert!(matches!(
        log.append([3]),
        Err(AppendError::TooLong { limit: 3 })
    ));
    assert_eq!(log.length(), 3);

    // The default leaves 64 KiB of a frame for the proof.
    let most = (8 << 20) - (64 << 10);
    let options = Options::new().key_pair(pair()).max_block_bytes(usize::MAX);
    let mut log = Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap();
    log.append(vec![7; most]).unwrap();
    assert!(matches!(
        log.append(vec![7; most + 1]),
        Err(AppendError::TooLarge { .. })
    ));
}

#[test]
fn fault_s8_secret_key_of_another_log() {
    let other = KeyPair::from_seed(&[9; 32]);
    // On disk.
    let dir = MemoryDir::new();
    make_log(&dir, "single", 3).close().unwrap();
    write(&dir, "secret_key", 0, other.secret.as_bytes());
    let error = Hypercore::open(Arc::new(dir.clone()), Options::new()).unwrap_err();
    assert!(matches!(error, OpenError::SecretMismatch), "{error}");
    assert_eq!(file(&dir, "secret_key"), other.secret.as_bytes());
    // Two halves that do not belong together.
    let mut halves = *pair().secret.as_bytes();
    halves[0] ^= 1;
    write(&dir, "secret_key", 0, &halves);
    let error = Hypercore::open(Arc::new(dir.clone()), Options::new()).unwrap_err();
    assert!(matches!(error, OpenError::SecretMismatch), "{error}");
    // Given by the caller.
    let mixed = KeyPair {
        public: pair().public,
        secret: other.secret,
    };
    let options = Options::new().key_pair(mixed);
    let error = Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap_err();
    assert!(matches!(error, OpenError::SecretMismatch), "{error}");
}

#[test]
fn fault_s10_index_of_the_bitfield_all_ones() {
    let dir = MemoryDir::new();
    let mut log = reader(&dir);
    let source = make_log(&MemoryDir::new(), "single", 33);
    for index in [0, 1, 2, 30] {
        let proof = source.proof(index, log.digest(index), false, &mut RemoteTree::new());
        log.put(index, Some(&block(index)), proof.unwrap().unwrap())
            .unwrap();
    }
    log.close().unwrap();
    let honest = file(&dir, "bitfield");
    write(&dir, "bitfield", 32 + 3072, &[0xff; 512]);

    let mut log = reader(&dir);
    assert_eq!(log.next_missing(0, 33), Some(3));
    assert_eq!(log.next_missing(30, 33), Some(31));
    assert_eq!(log.downloaded(0..33), 4);
    // The next change writes an index that is right.
    let proof = source.proof(3, log.digest(3), false, &mut RemoteTree::new());
    log.put(3, Some(&block(3)), proof.unwrap().unwrap())
        .unwrap();
    log.clear(3..4).unwrap();
    log.close().unwrap();
    let after = file(&dir, "bitfield");
    assert_eq!(after[32 + 3072..], honest[32 + 3072..]);
}
