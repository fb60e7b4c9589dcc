//! A log that names blocks of another: what a power cut may take of each, and how modes change.

mod common;

use common::block;
use hypercore::{Durability, Feed, Hypercore, Options};
use hypercore_crypto::KeyPair;
use hypercore_storage::StorageDir;
use testkit::{Call, Fault, FaultyDir, Keep, Rng};

fn open(dir: &FaultyDir, name: &str, seed: u8) -> Feed {
    let options = Options::new().key_pair(KeyPair::from_seed(&[seed; 32]));
    Feed::new(Hypercore::open(dir.subdir(name), options).unwrap())
}

/// The log of blocks, and the one of their names.
fn both(dir: &FaultyDir) -> (Feed, Feed) {
    (open(dir, "blocks", 1), open(dir, "names", 2))
}

/// Writes blocks and their names, and makes the names durable in one of the ways there are.
fn write(blocks: &Feed, names: &Feed, end: impl Fn(&Feed)) {
    for round in 0..4 {
        for index in 0..3 {
            blocks.append(block(round * 3 + index)).unwrap();
            names.append(block(round * 3 + index)).unwrap();
        }
        end(names);
    }
}

#[test]
fn fault_d4_no_durable_name_outlives_its_block() {
    let flush = |names: &Feed| names.flush().unwrap();
    let clear = |names: &Feed| names.clear_own(0..1).unwrap();
    let repair = |names: &Feed| drop(names.repair().unwrap());
    let durable = |names: &Feed| names.set_durability(Durability::OnFlush).unwrap();
    let ways: [&dyn Fn(&Feed); 4] = [&flush, &clear, &repair, &durable];
    let seed = 11;
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    for end in ways {
        let dir = FaultyDir::new();
        let (blocks, names) = both(&dir);
        names.flush_after(&blocks);
        write(&blocks, &names, end);
        names.close().unwrap();
        for at in 0..=dir.log_len() {
            for keep in [Keep::Nothing, Keep::All, Keep::Seed(rng.next_u64())] {
                let after = dir.crash(at, keep);
                if !after.exists("blocks/key").unwrap() || !after.exists("names/key").unwrap() {
                    continue;
                }
                let (blocks, names) = both(&after);
                let flushed = names.unflushed_at_open().start;
                assert!(
                    flushed <= blocks.length(),
                    "{flushed} of {}",
                    blocks.length()
                );
                assert!(names.unflushed_at_open().end <= names.length());
            }
        }
    }
}

#[test]
fn without_an_order_a_name_can_outlive_its_block() {
    let dir = FaultyDir::new();
    let (blocks, names) = both(&dir);
    write(&blocks, &names, |names| names.flush().unwrap());
    let (blocks, names) = both(&dir.crash(dir.log_len(), Keep::Nothing));
    assert_eq!((blocks.length(), names.unflushed_at_open()), (0, 12..12));
}

#[test]
fn a_log_whose_blocks_cannot_be_made_durable_is_not_either() {
    let dir = FaultyDir::new();
    let (blocks, names) = both(&dir);
    names.flush_after(&blocks);
    blocks.append(block(0)).unwrap();
    names.append(block(0)).unwrap();
    dir.inject(Fault::new(std::io::ErrorKind::Other).on(&[Call::Sync]));
    assert!(names.flush().is_err());
    assert!(names.needs_flush() && names.is_dirty());
    assert!(names.close().is_err());
    dir.heal();
    let names = open(&dir, "names", 2);
    assert_eq!((names.length(), names.unflushed_at_open()), (1, 0..1));
}

#[test]
fn what_was_found_unflushed_is_told_until_the_log_is_closed() {
    let dir = FaultyDir::new();
    let log = open(&dir, "blocks", 1);
    log.append(block(0)).unwrap();
    log.flush().unwrap();
    log.append_batch(&[block(1), block(2)]).unwrap();
    assert_eq!(log.unflushed_at_open(), 0..0);
    drop(log);
    let log = open(&dir, "blocks", 1);
    assert_eq!(log.unflushed_at_open(), 1..3);
    log.flush().unwrap();
    log.append(block(3)).unwrap();
    assert_eq!(log.unflushed_at_open(), 1..3);
    log.close().unwrap();
    assert_eq!(log.unflushed_at_open(), 0..0);
    assert!(open(&dir, "blocks", 1).unflushed_at_open().is_empty());
}

#[test]
fn modes_follow_on_one_another() {
    use Durability::{EachAppend, Never, OnFlush};
    let seed = 12;
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let dir = FaultyDir::new();
    let log = open(&dir, "log", 1);
    for mode in [EachAppend, OnFlush, EachAppend, Never, OnFlush, EachAppend] {
        log.set_durability(mode).unwrap();
        assert_eq!(log.durable_length(), log.length());
        for _ in 0..3 {
            log.append(block(log.length())).unwrap();
            let before = match mode {
                EachAppend => log.length(),
                _ => log.durable_length().min(log.length() - 1),
            };
            let after = dir.crash(dir.log_len(), Keep::Seed(rng.next_u64()));
            let found = open(&after, "log", 1);
            assert!(mode == Never || found.length() >= before, "{mode:?}");
            for index in 0..found.length() {
                assert_eq!(found.get_local(index).unwrap().unwrap(), block(index));
            }
        }
        log.flush().unwrap();
    }
    log.close().unwrap();
    assert!(log.set_durability(OnFlush).is_err());
}
