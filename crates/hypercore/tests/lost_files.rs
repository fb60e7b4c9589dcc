//! What was flushed and is lost all the same is never signed anew: disks lie, and files go missing.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{block, pair};
use hypercore::{AppendError, Durability, Hypercore, Options};
use testkit::FaultyDir;

const LENGTH: u64 = 13;

type Files = BTreeMap<String, Vec<u8>>;

fn open(dir: &FaultyDir, durability: Durability) -> Hypercore {
    let options = Options::new().key_pair(pair()).durability(durability);
    Hypercore::open(Arc::new(dir.clone()), options).unwrap()
}

/// Ways to make a log durable that then has `LENGTH` blocks, and what is on disk after each.
fn flushed() -> Vec<(&'static str, Files)> {
    type Way = fn(Hypercore) -> Option<Hypercore>;
    let ways: [(&str, Durability, Way); 5] = [
        ("flushed", Durability::OnFlush, |mut log| {
            log.flush().unwrap();
            Some(log)
        }),
        ("flushed twice", Durability::OnFlush, |mut log| {
            log.flush().unwrap();
            log.flush().unwrap();
            Some(log)
        }),
        ("flushed aside", Durability::OnFlush, |mut log| {
            let mut flush = log.begin_flush().unwrap().unwrap();
            loop {
                let synced = flush.sync();
                if log.continue_flush(&mut flush, synced).unwrap() {
                    return Some(log);
                }
            }
        }),
        ("closed", Durability::OnFlush, |log| {
            log.close().unwrap();
            None
        }),
        ("closed with a journal", Durability::EachAppend, |log| {
            log.close().unwrap();
            None
        }),
    ];
    let done = ways.map(|(name, durability, way)| {
        let dir = FaultyDir::new();
        let mut log = open(&dir, durability);
        log.append_batch(&(0..5).map(block).collect::<Vec<_>>())
            .unwrap();
        log.flush().unwrap();
        for index in 5..LENGTH {
            log.append(block(index)).unwrap();
        }
        drop(way(log));
        (name, dir.files())
    });
    done.into()
}

/// The log is whole and goes on, or can be read as far as it goes, and is never appended to.
#[track_caller]
fn check(files: &Files, what: &str) {
    let mut dir = FaultyDir::with_files(files.clone());
    for _ in 0..3 {
        let mut log = open(&dir, Durability::OnFlush);
        let length = log.length();
        let end = (0..length).take_while(|index| log.has(*index)).count() as u64;
        for index in 0..end {
            assert_eq!(log.get(index).unwrap().unwrap(), block(index), "{what}");
        }
        if length >= LENGTH {
            assert_eq!((length, end), (LENGTH, LENGTH), "{what}");
            return;
        }
        let error = log.append("something else").unwrap_err();
        let AppendError::Fork { signed: LENGTH, .. } = error else {
            panic!("{what}: {error} at {length}");
        };
        log.flush().unwrap();
        log.close().unwrap();
        dir = FaultyDir::with_files(dir.files());
    }
}

#[test]
fn fault_s1_bits_lost_and_the_tree_cut() {
    for (way, files) in flushed() {
        let tree = files["tree"].len();
        for cut in (32..=tree).step_by(20) {
            for bits in [None, Some(0), Some(32), Some(700)] {
                let mut files = files.clone();
                match bits {
                    None => drop(files.remove("bitfield")),
                    Some(bytes) => files.get_mut("bitfield").unwrap().truncate(bytes),
                }
                files.get_mut("tree").unwrap().truncate(cut);
                check(
                    &files,
                    &format!("{way}, {bits:?} bytes of bits, {cut} of tree"),
                );
            }
        }
    }
}

#[test]
fn fault_s1_bits_lost_and_other_files_cut() {
    for (way, files) in flushed() {
        for name in ["signatures", "data"] {
            let len = files[name].len();
            for cut in (0..=len)
                .step_by(8)
                .filter(|cut| name == "data" || *cut >= 32)
            {
                let mut files = files.clone();
                files.remove("bitfield");
                files.get_mut(name).unwrap().truncate(cut);
                check(&files, &format!("{way}, {cut} bytes of {name}"));
            }
        }
    }
}

/// What tells that blocks are lost is not lost itself when another program goes on with the log.
#[test]
fn a_log_that_another_program_has_gone_on_with_is_gone_on_with_here() {
    for (way, files) in flushed() {
        let old = FaultyDir::with_files(files.clone());
        let mut log = open(&old, Durability::Never);
        log.append(block(LENGTH)).unwrap();
        log.close().unwrap();
        let mut newer = old.files();
        newer.insert("journal".to_owned(), files["journal"].clone());
        let mut log = open(&FaultyDir::with_files(newer), Durability::OnFlush);
        assert_eq!(log.append(block(LENGTH + 1)).unwrap(), LENGTH + 1, "{way}");
    }
}
