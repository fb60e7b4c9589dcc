//! Logs that nobody uses hold no descriptors, and never write over what another program wrote then.
#![cfg(unix)]

use std::path::Path;

use hypercore::{AppendError, Hypercore, Options, ReadError};
use hypercore_crypto::KeyPair;
use hypercore_storage::{DiskDir, FilePool, LockLost, StorageDir};

/// Programs that have the folder open: each has its own descriptors.
fn open(folder: &Path, pool: &FilePool, name: &str) -> Hypercore {
    let dir = DiskDir::with_pool(folder, pool.clone());
    let options = Options::new().key_pair(KeyPair::from_seed(&[7; 32]));
    Hypercore::open(dir.subdir(name), options).expect("the log")
}

/// A log with one block whose descriptors and lock another log has taken.
fn resting(folder: &Path, pool: &FilePool) -> (Hypercore, Hypercore) {
    let mut log = open(folder, pool, "log");
    log.append("first").unwrap();
    log.flush().unwrap();
    let mut other = open(folder, pool, "other");
    other.append("elsewhere").unwrap();
    other.flush().unwrap();
    assert!(!is_locked(folder, "log"));
    (log, other)
}

fn is_locked(folder: &Path, name: &str) -> bool {
    DiskDir::new(folder).subdir(name).lock("bitfield").is_err()
}

#[test]
fn a_log_is_locked_while_something_is_not_flushed() {
    let folder = tempfile::tempdir().unwrap();
    let pool = FilePool::new(5);
    let mut log = open(folder.path(), &pool, "log");
    let mut other = open(folder.path(), &pool, "other");
    let mut use_other = |n: u8| {
        other.append([n]).unwrap();
        other.flush().unwrap();
    };
    use_other(0);
    assert!(!is_locked(folder.path(), "log"));
    log.append("block").unwrap();
    use_other(1);
    assert!(is_locked(folder.path(), "log"));
    log.flush().unwrap();
    use_other(2);
    assert!(!is_locked(folder.path(), "log"));
    log.append("another").unwrap();
    use_other(3);
    assert!(is_locked(folder.path(), "log"));
    let mut flush = log.begin_flush().unwrap().unwrap();
    loop {
        let synced = flush.sync();
        if log.continue_flush(&mut flush, synced).unwrap() {
            break;
        }
        use_other(4);
        assert!(is_locked(folder.path(), "log"));
    }
    use_other(5);
    assert!(!is_locked(folder.path(), "log"));
    assert!(pool.open_files() <= 5);
}

#[test]
fn a_log_that_another_program_has_written_meanwhile_changes_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let pool = FilePool::new(5);
    let (mut log, _other) = resting(folder.path(), &pool);

    let mut theirs = open(folder.path(), &FilePool::default(), "log");
    let AppendError::Storage(error) = log.append("mine").unwrap_err() else {
        panic!("the other has the lock");
    };
    assert_eq!(LockLost::of(&error), Some(LockLost::Held));
    theirs.append("theirs").unwrap();
    theirs.close().unwrap();

    for _ in 0..2 {
        let AppendError::Storage(error) = log.append("mine").unwrap_err() else {
            panic!("the other has changed the log");
        };
        assert_eq!(LockLost::of(&error), Some(LockLost::Changed));
        let ReadError::Storage(error) = log.get(0).unwrap_err() else {
            panic!("nothing can be told of the files");
        };
        assert_eq!(LockLost::of(&error), Some(LockLost::Changed));
    }
    drop(log);
    let log = open(folder.path(), &pool, "log");
    assert_eq!(log.length(), 2);
    assert_eq!(log.get(1).unwrap().unwrap(), "theirs");
}

#[test]
fn a_log_that_another_program_has_read_meanwhile_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let pool = FilePool::new(5);
    let (mut log, _other) = resting(folder.path(), &pool);

    let theirs = open(folder.path(), &FilePool::default(), "log");
    assert_eq!(theirs.get(0).unwrap().unwrap(), "first");
    drop(theirs);
    assert_eq!(log.append("second").unwrap(), 1);
    assert_eq!(log.get(0).unwrap().unwrap(), "first");
}

/// Random work on more logs than there are descriptors for.
#[test]
fn few_descriptors_serve_many_logs() {
    let folder = tempfile::tempdir().unwrap();
    let pool = FilePool::new(12);
    let mut logs: Vec<_> = (0..40)
        .map(|n| open(folder.path(), &pool, &format!("{n}")))
        .collect();
    for round in 0..4_u64 {
        for (n, log) in logs.iter_mut().enumerate() {
            assert_eq!(log.append(format!("{n} {round}")).unwrap(), round);
            if !(n as u64 + round).is_multiple_of(3) {
                log.flush().unwrap();
            }
            assert!(pool.open_files() <= 12);
        }
    }
    for (n, log) in logs.into_iter().enumerate() {
        for round in 0..4 {
            let block = log.get(round).unwrap().unwrap();
            assert_eq!(block, format!("{n} {round}"));
        }
        log.close().unwrap();
    }
    for n in 0..40 {
        assert_eq!(open(folder.path(), &pool, &format!("{n}")).length(), 4);
    }
}

#[test]
fn a_log_is_locked_again_before_it_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let pool = FilePool::new(5);
    let rested = |name| {
        let log = open(folder.path(), &pool, name);
        let mut other = open(folder.path(), &pool, &format!("after-{name}"));
        other.append("elsewhere").unwrap();
        other.flush().unwrap();
        log
    };
    let log = rested("theirs");
    let theirs = open(folder.path(), &FilePool::default(), "theirs");
    let error = log.destroy().unwrap_err();
    assert_eq!(LockLost::of(&error), Some(LockLost::Held));
    assert!(folder.path().join("theirs/tree").exists());
    drop(theirs);
    rested("ours").destroy().unwrap();
    assert!(!folder.path().join("ours/tree").exists());
}
