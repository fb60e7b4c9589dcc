//! What survives a power cut in each mode, and that nobody hears of what would not.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use common::{block, file, make_log, pair, reader};
use hypercore::{
    Answer, AppendError, Changes, Durability, Feed, Hypercore, Options, RemoteTree, Request,
};
use hypercore_storage::{MemoryDir, OpenMode, StorageDir};
use testkit::{Call, Fault, FaultyDir, Keep, Rng};

fn options(durability: Durability) -> Options {
    Options::new().key_pair(pair()).durability(durability)
}

fn open(dir: &FaultyDir, durability: Durability) -> Hypercore {
    Hypercore::open(Arc::new(dir.clone()), options(durability)).unwrap()
}

#[track_caller]
fn check_blocks(log: &Hypercore, length: u64) {
    assert_eq!(log.length(), length);
    for index in 0..length {
        assert_eq!(log.get(index).unwrap().unwrap(), block(index));
    }
}

/// Appends batches of `sizes` durably; after each, whatever a power cut takes, nothing of it is lost.
fn check_each_append(options: &Options, sizes: &[u64]) {
    let dir = FaultyDir::new();
    let mut log = Hypercore::open(Arc::new(dir.clone()), options.clone()).unwrap();
    let mut rng = Rng::new(3);
    for size in sizes {
        let first = log.length();
        let blocks: Vec<Vec<u8>> = (first..first + size).map(block).collect();
        let began = dir.log_len();
        log.append_batch(&blocks).unwrap();
        assert_eq!(log.durable_length(), first + size);
        for at in began..=dir.log_len() {
            for keep in [Keep::Nothing, Keep::All, Keep::Seed(rng.next_u64())] {
                let after = dir.crash(at, keep);
                let mut log = open(&after, Durability::EachAppend);
                let length = log.length();
                let whole = at == dir.log_len();
                assert!(
                    length == first + size || length == first && !whole,
                    "{keep:?}"
                );
                check_blocks(&log, length);
                // And cut again while it was brought up to date, or goes on.
                log.append(block(length)).unwrap();
                let at = usize::try_from(rng.below(after.log_len() as u64 + 1)).unwrap();
                let again = after.crash(at, Keep::Seed(rng.next_u64()));
                let durable = if whole { length } else { first };
                assert!(open(&again, Durability::OnFlush).length() >= durable);
                let end = after.crash(after.log_len(), Keep::Seed(rng.next_u64()));
                check_blocks(&open(&end, Durability::OnFlush), length + 1);
            }
        }
    }
}

#[test]
fn each_append_survives_when_it_has_returned() {
    check_each_append(&options(Durability::EachAppend), &[1, 1, 3, 1, 8, 40, 1]);
}

#[test]
fn a_journal_that_is_full_is_brought_up_to_date() {
    for bytes in [0, 250, 400, 600] {
        let options = options(Durability::EachAppend).journal_bytes(bytes);
        check_each_append(&options, &[1, 2, 1, 9, 1, 1, 1, 5]);
    }
}

#[test]
fn a_group_costs_one_sync_of_one_file() {
    let dir = FaultyDir::new();
    let mut log = open(&dir, Durability::EachAppend);
    log.append(block(0)).unwrap();
    for size in [1, 7, 300] {
        let before = dir.calls(&[Call::Sync, Call::SyncDir]);
        let blocks: Vec<Vec<u8>> = (0..size).map(block).collect();
        log.append_batch(&blocks).unwrap();
        assert_eq!(dir.calls(&[Call::Sync, Call::SyncDir]) - before, 1);
    }
    log.close().unwrap();
    assert_eq!(dir.files()["journal"].len(), 136, "its space is given back");
}

#[test]
fn the_reference_files_are_the_same_in_every_mode() {
    let names = [
        "key",
        "secret_key",
        "tree",
        "signatures",
        "bitfield",
        "data",
    ];
    let plain = MemoryDir::new();
    make_log(&plain, "single", 33).close().unwrap();
    for mode in [
        Durability::OnFlush,
        Durability::EachAppend,
        Durability::Never,
    ] {
        let dir = MemoryDir::new();
        let mut log = Hypercore::open(Arc::new(dir.clone()), options(mode)).unwrap();
        for index in 0..33 {
            log.append(block(index)).unwrap();
        }
        log.close().unwrap();
        for name in names {
            assert_eq!(file(&dir, name), file(&plain, name), "{name}, {mode:?}");
        }
    }
}

#[test]
fn a_journal_that_does_not_fit_is_ignored() {
    // What another program wrote meanwhile stands; the journal is of a log that went elsewhere.
    let dir = FaultyDir::new();
    let mut log = open(&dir, Durability::EachAppend);
    log.append_batch(&[block(0), block(1)]).unwrap();
    log.flush().unwrap();
    log.append(block(2)).unwrap();
    let journal = dir.files()["journal"].clone();
    log.close().unwrap();
    let mut log = open(&dir, Durability::OnFlush);
    log.append(block(3)).unwrap();
    log.close().unwrap();

    let mut files = dir.files();
    files.insert("journal".to_owned(), journal.clone());
    check_blocks(&open(&FaultyDir::with_files(files), Durability::OnFlush), 4);

    // Any byte of it may be damaged: what it says is used only if it is signed.
    let dir = FaultyDir::new();
    let mut log = open(&dir, Durability::OnFlush);
    log.append_batch(&[block(0), block(1)]).unwrap();
    log.close().unwrap();
    let mut files = dir.files();
    let mut log = open(&dir, Durability::EachAppend);
    log.append(block(2)).unwrap();
    let journal = dir.files()["journal"].clone();
    for at in 0..journal.len() {
        let mut bytes = journal.clone();
        bytes[at] ^= 1 << (at % 8);
        files.insert("journal".to_owned(), bytes);
        let damaged = FaultyDir::with_files(files.clone());
        check_blocks(&open(&damaged, Durability::OnFlush), 2);
    }
    files.insert("journal".to_owned(), journal);
    check_blocks(&open(&FaultyDir::with_files(files), Durability::OnFlush), 3);
}

#[test]
fn an_older_copy_of_the_files_beside_its_journal_is_not_gone_on_with() {
    let dir = FaultyDir::new();
    let mut log = open(&dir, Durability::EachAppend);
    log.append(block(0)).unwrap();
    log.flush().unwrap();
    let old = dir.files();
    log.append(block(1)).unwrap();
    log.flush().unwrap();
    log.append(block(2)).unwrap();
    let mut files = old;
    files.insert("journal".to_owned(), dir.files()["journal"].clone());
    let dir = FaultyDir::with_files(files);
    let mut log = open(&dir, Durability::OnFlush);
    check_blocks(&log, 1);
    let error = log.append("something else").unwrap_err();
    assert!(
        matches!(
            error,
            AppendError::Fork {
                length: 1,
                signed: 2
            }
        ),
        "{error}"
    );
}

#[test]
fn fault_s4_failed_write_of_the_journal() {
    let calls = [Call::Create, Call::Write, Call::Sync, Call::SyncDir];
    for nth in 0.. {
        for torn in [0, 60, 300] {
            let dir = FaultyDir::new();
            let mut log = open(&dir, Durability::EachAppend);
            if nth % 2 == 0 {
                log.append(block(0)).unwrap();
            }
            let length = log.length();
            dir.inject(
                Fault::new(std::io::ErrorKind::Other)
                    .on(&calls)
                    .after(nth / 2)
                    .torn(torn),
            );
            let failed = log
                .append_batch(&[block(length), block(length + 1)])
                .is_err();
            dir.heal();
            if !failed {
                assert!(nth > 8);
                return;
            }
            check_blocks(&log, length);
            let again = log.append(block(length));
            let expected = length + u64::from(again.is_ok());
            // After a failed sync nothing more is taken until it is opened again.
            assert!(matches!(again, Ok(_) | Err(AppendError::Poisoned)));
            drop(log);
            let log = open(&dir, Durability::EachAppend);
            assert!([expected, length + 2].contains(&log.length()));
            check_blocks(&log, log.length());
        }
    }
}

#[test]
fn without_durability_nothing_is_synced() {
    let dir = FaultyDir::new();
    let mut log = open(&dir, Durability::Never);
    let before = dir.calls(&[Call::Sync, Call::SyncDir]);
    log.append(block(0)).unwrap();
    log.flush().unwrap();
    assert_eq!(log.durable_length(), 1);
    assert_eq!(dir.calls(&[Call::Sync, Call::SyncDir]), before);
    drop(log);
    check_blocks(&open(&dir, Durability::OnFlush), 1);
}

/// A feed with a peer that wants to hear of everything.
fn announced(durability: Durability) -> (FaultyDir, Feed, hypercore::Peer) {
    let dir = FaultyDir::new();
    let feed = Feed::new(open(&dir, durability));
    let peer = feed.join(Waker::noop().clone());
    peer.handle_open();
    peer.handle_subscribe();
    (dir, feed, peer)
}

#[test]
fn peers_hear_of_a_block_only_when_it_is_durable() {
    let (_, feed, peer) = announced(Durability::OnFlush);
    feed.append_batch(&[block(0), block(1)]).unwrap();
    assert!(feed.needs_flush());
    assert_eq!((feed.length(), feed.durable_length()), (2, 0));
    assert_eq!(peer.poll_changes(), Changes::default());
    feed.flush().unwrap();
    assert!(!feed.needs_flush());
    assert_eq!(peer.poll_changes().have, vec![0..2]);
    feed.append(block(2)).unwrap();
    assert!(peer.poll_changes().have.is_empty());
    // Clearing flushes.
    feed.clear_own(0..1).unwrap();
    assert_eq!(peer.poll_changes().have, vec![2..3]);
}

#[test]
fn who_asks_what_is_here_hears_of_all_that_can_be_made_durable() {
    let (dir, feed, peer) = announced(Durability::OnFlush);
    feed.append_batch(&[block(0), block(1)]).unwrap();
    assert_eq!(peer.bitfield(0, 1 << 20), [2, 0xc0]);
    assert!(!feed.needs_flush());
    feed.append(block(2)).unwrap();
    dir.inject(Fault::new(std::io::ErrorKind::Other).on(&[Call::Sync]));
    // Two blocks of three: c0, not e0.
    assert_eq!(peer.bitfield(0, 1 << 20), [2, 0xc0]);
    assert!(feed.flush().is_err());
}

#[test]
fn durable_appends_are_announced_at_once() {
    for mode in [Durability::EachAppend, Durability::Never] {
        let (_, feed, peer) = announced(mode);
        feed.append(block(0)).unwrap();
        assert!(!feed.needs_flush());
        assert_eq!(peer.poll_changes().have, vec![0..1]);
    }
}

#[test]
fn an_answer_that_shows_a_new_length_waits_for_the_disk() {
    let (dir, feed, peer) = announced(Durability::OnFlush);
    feed.append(block(0)).unwrap();
    feed.flush().unwrap();
    feed.append(block(1)).unwrap();
    let request = |index| Request {
        index,
        bytes: 0,
        hash: false,
        nodes: 0,
    };
    // The proof of the old block ends in a signature of the new length.
    let answer = peer.answer(&request(0), &mut RemoteTree::new()).unwrap();
    let Answer::Data {
        index,
        value,
        proof,
    } = answer
    else {
        panic!("the block is here")
    };
    let mut copy = reader(&MemoryDir::new());
    copy.put(index, value.as_deref(), proof).unwrap();
    assert_eq!(copy.length(), 2);
    let after = dir.crash(dir.log_len(), Keep::Nothing);
    assert_eq!(open(&after, Durability::OnFlush).length(), 2);

    // If the disk fails, nothing is said.
    feed.append(block(2)).unwrap();
    dir.inject(Fault::new(std::io::ErrorKind::Other).on(&[Call::Sync]));
    assert!(peer.answer(&request(2), &mut RemoteTree::new()).is_err());
}

/// A feed took a log for clean that had been written without one, and flushed nothing: what was
/// appended before was never announced.
#[test]
fn what_was_appended_before_there_was_a_feed_is_flushed_through_it() {
    let dir = FaultyDir::new();
    let mut log = open(&dir, Durability::OnFlush);
    log.append(block(0)).unwrap();
    let feed = Feed::new(log);
    assert!(feed.is_dirty() && feed.needs_flush());
    feed.flush().unwrap();
    assert_eq!(feed.durable_length(), 1);
    let after = dir.crash(dir.log_len(), Keep::Nothing);
    check_blocks(&open(&after, Durability::OnFlush), 1);
}

#[test]
fn a_directory_without_a_journal_opens_as_before() {
    let dir = MemoryDir::new();
    make_log(&dir, "single", 3).close().unwrap();
    dir.remove("journal").unwrap();
    let log = Hypercore::open(Arc::new(dir.clone()), options(Durability::EachAppend)).unwrap();
    check_blocks(&log, 3);
    drop(log);
    let file = dir.open("journal", OpenMode::Create).unwrap();
    file.write(0, &[0x5a; 700]).unwrap();
    let log = Hypercore::open(Arc::new(dir), options(Durability::EachAppend)).unwrap();
    check_blocks(&log, 3);
}

/// The tail that a killed process left is not durable when it is found, and nothing is appended
/// that would have it flushed.
#[test]
fn what_a_killed_process_left_is_flushed_before_anybody_hears_of_it() {
    let dir = FaultyDir::new();
    let mut log = open(&dir, Durability::OnFlush);
    log.append(block(0)).unwrap();
    drop(log);
    let feed = Feed::new(open(&dir, Durability::OnFlush));
    assert_eq!((feed.length(), feed.durable_length()), (1, 0));
    assert!(feed.needs_flush() && feed.is_dirty());
    let peer = feed.join(Waker::noop().clone());
    peer.handle_open();
    assert_eq!(peer.bitfield(0, 1 << 20), [2, 0x80]);
    let after = dir.crash(dir.log_len(), Keep::Nothing);
    check_blocks(&open(&after, Durability::OnFlush), 1);
}

/// A doorbell that rang before the feed counted as unflushed would be answered too early, and the
/// block never announced.
#[test]
fn who_is_told_of_an_append_finds_that_it_needs_a_flush() {
    struct Bell(Feed, AtomicBool);
    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.1.fetch_or(self.0.is_dirty(), Ordering::Relaxed);
        }
    }
    let (_, feed, _peer) = announced(Durability::OnFlush);
    feed.flush().unwrap();
    let bell = Arc::new(Bell(feed.clone(), AtomicBool::new(false)));
    let _other = feed.join(bell.clone().into());
    feed.append(block(0)).unwrap();
    assert!(bell.1.load(Ordering::Relaxed));
}
