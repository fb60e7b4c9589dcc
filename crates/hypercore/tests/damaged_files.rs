//! Whatever happened to the files, a log opens with what a signature covers, or says what is wrong.

mod common;

use std::sync::Arc;

use common::{block, file, make_log, pair, reader, unhex, writer};
use hypercore::{AppendError, Hypercore, OpenError, Options, ReadError};
use hypercore_storage::{MemoryDir, OpenMode, StorageDir};

/// A log of blocks appended one by one, flushed at `flushed` and dropped at `length`.
fn left_behind(flushed: u64, length: u64) -> MemoryDir {
    let dir = MemoryDir::new();
    let mut log = writer(&dir);
    for index in 0..length {
        log.append(block(index)).unwrap();
        if index + 1 == flushed {
            log.flush().unwrap();
        }
    }
    drop(log);
    dir
}

#[track_caller]
fn check_blocks(log: &Hypercore, length: u64) {
    assert_eq!(log.length(), length);
    for index in 0..length {
        assert_eq!(
            log.get(index).unwrap().unwrap(),
            block(index),
            "block {index}"
        );
    }
}

fn cut(dir: &MemoryDir, name: &str, len: u64) {
    dir.open(name, OpenMode::Existing)
        .unwrap()
        .truncate(len)
        .unwrap();
}

#[test]
fn what_was_appended_is_found_without_a_flush() {
    for (flushed, length) in [(0, 1), (0, 5), (3, 4), (3, 33), (32, 33)] {
        let dir = left_behind(flushed, length);
        let mut log = writer(&dir);
        check_blocks(&log, length);
        // And going on gives what an unbroken log has.
        log.append(block(length)).unwrap();
        log.close().unwrap();
        let whole = MemoryDir::new();
        make_log(&whole, "single", length + 1).close().unwrap();
        for name in ["tree", "signatures", "data", "bitfield"] {
            assert_eq!(
                file(&dir, name),
                file(&whole, name),
                "{name}, {flushed} of {length}"
            );
        }
    }
}

#[test]
fn a_batch_that_was_not_finished_is_not_there() {
    // Its nodes were written and its signature was not.
    let dir = left_behind(3, 3);
    let signatures = file(&dir, "signatures").len() as u64;
    let mut log = writer(&dir);
    log.append_batch(&[block(3), block(4)]).unwrap();
    drop(log);
    cut(&dir, "signatures", signatures);
    let mut log = writer(&dir);
    check_blocks(&log, 3);
    log.append(block(3)).unwrap();
    check_blocks(&log, 4);
}

#[test]
fn a_lost_bitfield_is_made_again() {
    let dir = left_behind(33, 33);
    cut(&dir, "bitfield", 32);
    check_blocks(&writer(&dir), 33);
    dir.remove("bitfield").unwrap();
    check_blocks(&writer(&dir), 33);
}

#[test]
fn a_lost_signature_is_made_again_by_the_writer_alone() {
    let dir = left_behind(33, 33);
    let complete = file(&dir, "signatures");
    let last = complete.len() as u64 - 64;
    cut(&dir, "signatures", last);
    check_blocks(&writer(&dir), 33);
    assert_eq!(file(&dir, "signatures"), complete);

    // A reader goes back to what is signed.
    cut(&dir, "signatures", last);
    dir.remove("secret_key").unwrap();
    check_blocks(&reader(&dir), 32);
}

#[test]
fn a_writer_that_lost_blocks_signs_nothing_else() {
    let dir = left_behind(33, 33);
    let last = file(&dir, "signatures").len() as u64 - 64;
    cut(&dir, "signatures", last);
    cut(&dir, "data", file(&dir, "data").len() as u64 - 1);
    let mut log = writer(&dir);
    check_blocks(&log, 32);
    let error = log.append("other").unwrap_err();
    assert!(
        matches!(
            error,
            AppendError::Fork {
                length: 32,
                signed: 33
            }
        ),
        "{error}"
    );
}

/// Closing the log wrote the bits of what was left, and the next writer knew of no loss.
#[test]
fn a_writer_that_lost_nodes_signs_nothing_else_however_often_it_is_opened() {
    let whole = file(&left_behind(33, 33), "tree").len() as u64;
    for len in (0..whole).step_by(40).chain([5, 31, 33]) {
        let dir = left_behind(33, 33);
        cut(&dir, "tree", len);
        for round in 0..3 {
            let Ok(mut log) =
                Hypercore::open(Arc::new(dir.clone()), Options::new().key_pair(pair()))
            else {
                break;
            };
            let length = log.length();
            if length < 33 {
                let appended = log.append("other");
                assert!(
                    matches!(appended, Err(AppendError::Fork { .. })),
                    "a tree of {len} bytes, opened {round} times before, {length} blocks"
                );
            }
            log.close().unwrap();
        }
    }
}

#[test]
fn blocks_that_are_cut_off_or_flipped_are_named() {
    let dir = left_behind(33, 33);
    let bytes = file(&dir, "data").len() as u64;
    cut(&dir, "data", bytes - 1);
    let data = dir.open("data", OpenMode::Existing).unwrap();
    data.write(0, &[0xff]).unwrap();
    let log = writer(&dir);
    assert_eq!(log.length(), 33);
    assert!(matches!(log.get(32), Err(ReadError::Corrupt { index: 32 })));
    assert!(matches!(log.get(0), Err(ReadError::Corrupt { index: 0 })));
    assert_eq!(log.get(3).unwrap().unwrap(), block(3));
}

#[test]
fn headers_that_are_not_ours_are_left_as_they_are() {
    for (name, at, byte) in [("bitfield", 6, 1), ("tree", 0, 9), ("signatures", 3, 7)] {
        let dir = left_behind(5, 5);
        dir.open(name, OpenMode::Existing)
            .unwrap()
            .write(at, &[byte])
            .unwrap();
        let before = file(&dir, name);
        let options = Options::new().key_pair(pair());
        let error = Hypercore::open(Arc::new(dir.clone()), options).unwrap_err();
        assert!(
            matches!(error, OpenError::Format { file, .. } if file == name),
            "{error}"
        );
        assert_eq!(file(&dir, name), before);
    }
}

#[test]
fn another_key_is_refused() {
    let dir = left_behind(5, 5);
    let other = hypercore_crypto::KeyPair::from_seed(&unhex(&"77".repeat(32)));
    let error = Hypercore::open(Arc::new(dir.clone()), Options::new().key_pair(other)).unwrap_err();
    assert!(
        matches!(
            error,
            OpenError::OtherLog { .. } | OpenError::SecretMismatch
        ),
        "{error}"
    );
    check_blocks(&writer(&dir), 5);
}
