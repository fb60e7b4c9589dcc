//! A call that the storage fails is reported, changes nothing, and can be made again; after a failed
//! sync nothing is changed until the log is opened anew.

mod common;

use std::io;
use std::sync::Arc;

use common::{block, make_log, pair};
use hypercore::{Hypercore, Options, RemoteTree};
use hypercore_storage::MemoryDir;
use testkit::{Call, Fault, FaultyDir};

const READS: &[Call] = &[
    Call::Open,
    Call::Exists,
    Call::List,
    Call::Lock,
    Call::Read,
    Call::Len,
];
const WRITES: &[Call] = &[Call::Create, Call::Write, Call::Truncate, Call::Discard];
const SYNCS: &[Call] = &[Call::Sync, Call::SyncDir];

/// An error of a broken disk, which `io::ErrorKind` calls other.
fn broken(calls: &[Call]) -> Fault {
    Fault::new(io::ErrorKind::Other).on(calls)
}

fn open(dir: &FaultyDir) -> Result<Hypercore, hypercore::OpenError> {
    Hypercore::open(Arc::new(dir.clone()), Options::new().key_pair(pair()))
}

/// What somebody sees of a log.
fn view(log: &Hypercore) -> (u64, u64, Vec<bool>, usize) {
    let held = (0..log.length() + 2).map(|index| log.has(index)).collect();
    (log.length(), log.byte_length(), held, log.roots().len())
}

/// Does `act` on a log made by `prepare` with the n-th call of these kinds failing, for all n, and
/// calls `check` with the outcome.
fn for_every_call(
    calls: &[Call],
    torn: usize,
    prepare: impl Fn() -> (FaultyDir, Hypercore),
    act: impl Fn(&mut Hypercore) -> Result<(), Box<dyn std::error::Error>>,
    check: impl Fn(&FaultyDir, Hypercore, bool),
) {
    for nth in 0.. {
        let (dir, mut log) = prepare();
        let before = view(&log);
        dir.inject(broken(calls).after(nth).torn(torn));
        let start = dir.calls(calls);
        let failed = act(&mut log).is_err();
        let met = dir.calls(calls) - start > nth;
        dir.heal();
        assert_eq!(failed, met, "call {nth}: an error must be reported");
        if failed {
            assert_eq!(view(&log), before, "call {nth}: nothing may have changed");
        }
        check(&dir, log, failed);
        if !met {
            assert!(nth > 0, "no call was made to fail");
            return;
        }
    }
}

/// A log of `length` blocks, flushed at all but the last two.
fn author(length: u64) -> (FaultyDir, Hypercore) {
    let dir = FaultyDir::new();
    let mut log = open(&dir).unwrap();
    for index in 0..length {
        log.append(block(index)).unwrap();
        if index + 3 == length {
            log.flush().unwrap();
        }
    }
    (dir, log)
}

/// The log takes a block and gives it, with a proof that somebody else believes.
fn check_goes_on(log: &mut Hypercore) {
    let next = log.length();
    assert_eq!(log.append(block(next)).unwrap(), next);
    let mut copy = common::reader(&MemoryDir::new());
    for index in [next, 0, next / 2] {
        let Some(found) = log.get(index).unwrap() else {
            continue;
        };
        assert_eq!(found, block(index));
        let proof = log.proof(index, copy.digest(index), false, &mut RemoteTree::new());
        copy.put(index, Some(&found), proof.unwrap().unwrap())
            .unwrap();
    }
    assert_eq!(copy.length(), log.length());
}

#[test]
fn fault_s4_failed_write_of_an_append() {
    for torn in [0, 1, 40, 64] {
        for batch in [1, 3, 9] {
            for_every_call(
                WRITES,
                torn,
                || author(6),
                |log| {
                    let blocks: Vec<_> = (6..6 + batch).map(block).collect();
                    log.append_batch(&blocks)?;
                    Ok(())
                },
                |dir, mut log, _| {
                    check_goes_on(&mut log);
                    log.flush().unwrap();
                    let length = log.length();
                    drop(log);
                    let mut log = open(dir).unwrap();
                    assert_eq!(log.length(), length);
                    check_goes_on(&mut log);
                    assert!(log.audit().unwrap().is_clean());
                },
            );
        }
    }
}

#[test]
fn fault_s4_failed_first_append() {
    // The file `data` cannot be created.
    for_every_call(
        WRITES,
        0,
        || {
            let dir = FaultyDir::new();
            let log = open(&dir).unwrap();
            (dir, log)
        },
        |log| {
            log.append(block(0))?;
            Ok(())
        },
        |_, mut log, _| check_goes_on(&mut log),
    );
}

#[test]
fn fault_s4_failed_flush_poisons_until_it_is_opened_again() {
    for calls in [WRITES, SYNCS] {
        for_every_call(
            calls,
            20,
            || author(9),
            |log| Ok(log.flush()?),
            |dir, mut log, failed| {
                if failed {
                    assert!(log.append("more").is_err());
                    assert!(log.flush().is_err());
                    // Reading goes on.
                    assert_eq!(log.get(8).unwrap().unwrap(), block(8));
                }
                drop(log);
                let mut log = open(dir).unwrap();
                assert_eq!(log.length(), 9);
                check_goes_on(&mut log);
            },
        );
    }
}

#[test]
fn fault_s4_failed_open_leaves_the_log_as_it_was() {
    let calls: Vec<Call> = [READS, WRITES].concat();
    for nth in 0.. {
        let (dir, log) = author(9);
        drop(log);
        dir.inject(broken(&calls).after(nth));
        let start = dir.calls(&calls);
        let failed = open(&dir).is_err();
        let met = dir.calls(&calls) - start > nth;
        dir.heal();
        assert_eq!(failed, met, "call {nth}: an error must be reported");
        let mut log = open(&dir).unwrap();
        assert_eq!(log.length(), 9, "call {nth}");
        check_goes_on(&mut log);
        if !met {
            return;
        }
    }
}

#[test]
fn fault_s4_failed_read_of_a_block() {
    for_every_call(
        READS,
        0,
        || {
            let (dir, log) = author(40);
            log.close().unwrap();
            let log = open(&dir).unwrap();
            (dir, log)
        },
        |log| {
            for index in [0, 39, 20] {
                log.get(index)?;
            }
            log.get_range(3..30)?;
            log.seek(100)?;
            log.proof(7, 0, false, &mut RemoteTree::new())?;
            Ok(())
        },
        |_, mut log, _| check_goes_on(&mut log),
    );
}

#[test]
fn fault_s4_failed_put() {
    let source = make_log(&MemoryDir::new(), "single", 12);
    let prepare = || {
        let dir = FaultyDir::new();
        let options = Options::new().key(pair().public);
        let mut log = Hypercore::open(Arc::new(dir.clone()), options).unwrap();
        let proof = source.proof(2, 0, false, &mut RemoteTree::new());
        log.put(2, Some(&block(2)), proof.unwrap().unwrap())
            .unwrap();
        log.flush().unwrap();
        (dir, log)
    };
    let put = |log: &mut Hypercore, index| {
        let proof = source.proof(index, log.digest(index), false, &mut RemoteTree::new());
        log.put(index, Some(&block(index)), proof.unwrap().unwrap())
    };
    for torn in [0, 3, 40] {
        for index in [0, 3, 11] {
            for_every_call(
                &[READS, WRITES].concat(),
                torn,
                prepare,
                |log| {
                    put(log, index)?;
                    Ok(())
                },
                |_, mut log, _| {
                    put(&mut log, index).unwrap();
                    put(&mut log, 7).unwrap();
                    assert_eq!(log.get(index).unwrap().unwrap(), block(index));
                    assert!(log.audit().unwrap().is_clean());
                    log.flush().unwrap();
                },
            );
        }
    }
}

#[test]
fn fault_s4_failed_clear() {
    let calls: Vec<Call> = [READS, WRITES, SYNCS].concat();
    for nth in 0.. {
        let (dir, mut log) = author(12);
        dir.inject(broken(&calls).after(nth));
        let start = dir.calls(&calls);
        let failed = log.clear_own(2..7).is_err();
        let met = dir.calls(&calls) - start > nth;
        dir.heal();
        assert_eq!(failed, met, "call {nth}: an error must be reported");
        drop(log);
        // Cleared or not, what counts as stored is there.
        let mut log = open(&dir).unwrap();
        for index in 0..12 {
            let found = log.get(index).unwrap();
            assert_eq!(found.is_some(), log.has(index));
            assert!(found.is_some() || (2..7).contains(&index));
        }
        check_goes_on(&mut log);
        if !met {
            return;
        }
    }
}
