//! What hypercore 9's own tests of replication expect of copies, between feeds without a wire.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::link::{Link, run, settle};
use common::pair;
use futures_lite::{FutureExt, StreamExt, future};
use hypercore::{Feed, FeedEvent, Hypercore, Options, StaticLog};
use hypercore_crypto::PublicKey;
use hypercore_storage::MemoryDir;

fn author(blocks: &[&str]) -> Feed {
    let options = Options::new().key_pair(pair());
    let feed = Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap());
    feed.append_batch(blocks).unwrap();
    feed
}

fn copy_with(options: Options) -> Feed {
    Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap())
}

fn copy_of(key: PublicKey) -> Feed {
    copy_with(Options::new().key(key))
}

fn copy() -> Feed {
    copy_of(pair().public)
}

const LETTERS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

fn letter(index: u64) -> &'static str {
    LETTERS[usize::try_from(index).unwrap()]
}

#[test]
fn a_copy_is_made_and_made_again_when_the_log_grew() {
    let (feed, clone) = (author(&LETTERS[..5]), copy());
    for length in [5, 8] {
        let mut link = Link::new(&feed, &clone);
        run(&mut [&mut link], clone.update()).unwrap().unwrap();
        run(&mut [&mut link], clone.download(0..length))
            .unwrap()
            .unwrap();
        assert_eq!(
            clone.get_range_local(0..length).unwrap(),
            LETTERS[..usize::try_from(length).unwrap()]
        );
        drop(link);
        if length == 5 {
            feed.append_batch(&LETTERS[5..]).unwrap();
        }
    }
}

#[test]
fn an_empty_log_has_nothing_to_wait_for() {
    let (feed, clone) = (author(&[]), copy());
    let mut link = Link::new(&feed, &clone);
    assert!(!run(&mut [&mut link], clone.update()).unwrap().unwrap());
    assert_eq!(clone.length(), 0);
}

#[test]
fn blocks_pass_through_a_copy_that_reads_sparsely() {
    let (feed, middle, end) = (author(&LETTERS), copy(), copy());
    let (mut first, mut second) = (Link::new(&feed, &middle), Link::new(&middle, &end));
    // What the one in the middle has not fetched it cannot give.
    assert!(run(&mut [&mut first, &mut second], end.get(1)).is_none());
    for index in [1, 7, 4] {
        let links = &mut [&mut first, &mut second];
        run(links, middle.get(index)).unwrap().unwrap();
        let block = run(links, end.get(index)).unwrap().unwrap();
        assert_eq!(block, letter(index));
    }
    assert_eq!(middle.downloaded(0..8), 3);
    assert_eq!(end.downloaded(0..8), 3);
}

#[test]
fn a_static_log_passes_through_a_copy() {
    let mut log = StaticLog::create(Arc::new(MemoryDir::new()), Options::new()).unwrap();
    log.append_batch(&LETTERS).unwrap();
    let feed = Feed::new(log.finish().unwrap());
    let (middle, end) = (copy_of(feed.public_key()), copy_of(feed.public_key()));
    let (mut first, mut second) = (Link::new(&feed, &middle), Link::new(&middle, &end));
    let links = &mut [&mut first, &mut second];
    for index in [1, 6] {
        assert_eq!(
            run(links, middle.get(index)).unwrap().unwrap(),
            letter(index)
        );
        assert_eq!(run(links, end.get(index)).unwrap().unwrap(), letter(index));
    }
}

#[test]
fn a_copy_of_next_to_nothing_is_a_source_of_it() {
    let blocks: Vec<String> = (0..1000).map(|n| format!("#{n}")).collect();
    let blocks: Vec<&str> = blocks.iter().map(String::as_str).collect();
    let (feed, sparse, end) = (author(&blocks), copy(), copy());
    let wanted: Vec<u64> = vec![8, 17, 500, 999];
    let mut link = Link::new(&feed, &sparse);
    run(&mut [&mut link], sparse.download_blocks(wanted.clone()))
        .unwrap()
        .unwrap();
    let mut link = Link::new(&sparse, &end);
    run(&mut [&mut link], end.download_blocks(wanted.clone()))
        .unwrap()
        .unwrap();
    assert_eq!(end.downloaded(0..1000), 4);
    assert!(
        wanted
            .iter()
            .all(|index| end.has(*index) && !end.has(index - 1))
    );
}

#[test]
fn what_is_live_follows_and_events_tell_of_it() {
    let (feed, clone) = (author(&[]), copy());
    let mut events = clone.events();
    let mut link = Link::new(&feed, &clone);
    let _all = clone.download(0..u64::MAX);
    for (index, block) in (0..).zip(LETTERS) {
        feed.append(block).unwrap();
        settle(&mut [&mut link]);
        assert_eq!(clone.get_local(index).unwrap().unwrap(), block);
    }
    drop(link);
    let mut seen = Vec::new();
    while let Some(Some(event)) =
        future::block_on(async { Some(events.next().await) }.or(async { None }))
    {
        seen.push(event);
    }
    assert_eq!(seen.first(), Some(&FeedEvent::PeerAdded));
    assert_eq!(seen.last(), Some(&FeedEvent::PeerRemoved));
    let grown = seen
        .iter()
        .filter(|event| matches!(event, FeedEvent::Appended { .. }));
    assert_eq!(grown.count(), 8);
    let last = FeedEvent::Downloaded { index: 7, bytes: 1 };
    assert!(seen.contains(&last));
    let synced = seen.iter().filter_map(|event| match event {
        FeedEvent::Synced { length } => Some(*length),
        _ => None,
    });
    assert!(synced.eq(1..=8), "once for each length");
}

#[test]
fn who_has_everything_is_told_so_and_again_after_a_gap() {
    let (feed, clone) = (author(&LETTERS), copy());
    let mut link = Link::new(&feed, &clone);
    let mut events = clone.events();
    let mut synced = || {
        let mut count = 0;
        while let Some(Some(event)) =
            future::block_on(async { Some(events.next().await) }.or(async { None }))
        {
            count += usize::from(event == FeedEvent::Synced { length: 8 });
        }
        count
    };
    let part = clone.download(1..8);
    settle(&mut [&mut link]);
    assert_eq!((clone.downloaded(0..8), synced()), (7, 0));
    drop(part);
    let _all = clone.download(0..8);
    settle(&mut [&mut link]);
    assert_eq!((clone.downloaded(0..8), synced()), (8, 1));
    clone.clear(2..5).unwrap();
    assert_eq!(synced(), 0);
    let again = clone.download(3..5);
    settle(&mut [&mut link]);
    assert_eq!((clone.downloaded(0..8), synced()), (7, 0));
    drop(again);
    let _rest = clone.download(2..5);
    settle(&mut [&mut link]);
    assert_eq!((clone.downloaded(0..8), synced()), (8, 1));
}

#[test]
fn an_update_brings_the_length_and_no_block() {
    let (feed, clone) = (author(&LETTERS[..3]), copy());
    let mut link = Link::new(&feed, &clone);
    assert!(run(&mut [&mut link], clone.update()).unwrap().unwrap());
    assert_eq!((clone.length(), clone.downloaded(0..3)), (3, 0));
    assert!(!run(&mut [&mut link], clone.update()).unwrap().unwrap());
    let longer = async {
        let (longer, ()) = future::zip(clone.wait_longer_than(3), async {
            feed.append("d").unwrap();
        })
        .await;
        longer
    };
    assert_eq!(run(&mut [&mut link], longer).unwrap().unwrap(), 4);
    assert_eq!(clone.downloaded(0..4), 0);
}

#[test]
fn a_byte_is_found_while_replicating_and_waited_for() {
    let (feed, clone) = (author(&["hi", "ho", "hi", "ho", "hello"]), copy());
    let mut link = Link::new(&feed, &clone);
    run(&mut [&mut link], clone.update()).unwrap().unwrap();
    for (byte, place) in [
        (9, (4, 1)),
        (3, (1, 1)),
        (9, (4, 1)),
        (0, (0, 0)),
        (12, (4, 4)),
    ] {
        let found = run(&mut [&mut link], clone.seek(byte, 0..u64::MAX));
        assert_eq!(found.unwrap().unwrap(), Some(place), "byte {byte}");
    }
    let end = run(&mut [&mut link], clone.seek(13, 0..u64::MAX))
        .unwrap()
        .unwrap();
    assert_eq!(end, Some((5, 0)));
    let beyond = run(&mut [&mut link], clone.seek(14, 0..u64::MAX))
        .unwrap()
        .unwrap();
    assert_eq!(beyond, None);
}

#[test]
fn a_byte_that_nobody_can_find_is_not_waited_for() {
    let blocks = ["hi"; 16];
    let (feed, clone, other) = (author(&blocks), copy(), copy());
    let mut link = Link::new(&feed, &clone);
    run(&mut [&mut link], clone.update()).unwrap().unwrap();
    let found = run(&mut [&mut link], clone.seek_available(9, 0..u64::MAX));
    assert_eq!(found.unwrap().unwrap(), Some((4, 1)));
    drop(link);
    // Nobody is there any more, and then somebody who does not know either.
    for _ in 0..2 {
        let found = run(&mut [], clone.seek_available(27, 0..u64::MAX));
        assert_eq!(found.unwrap().unwrap(), None);
        let mut link = Link::new(&other, &clone);
        let found = run(&mut [&mut link], clone.seek_available(27, 0..u64::MAX));
        assert_eq!(found.unwrap().unwrap(), None);
    }
    // Of two peers one knows.
    let (mut first, mut second) = (Link::new(&other, &clone), Link::new(&feed, &clone));
    let links = &mut [&mut first, &mut second];
    let _much = clone.download(0..u64::MAX);
    let found = run(links, clone.seek_available(27, 0..u64::MAX));
    assert_eq!(found.unwrap().unwrap(), Some((13, 1)));
}

#[test]
fn blocks_that_are_cleared_or_not_wanted_any_more_do_no_harm() {
    let (feed, clone) = (author(&LETTERS), copy());
    let mut link = Link::new(&feed, &clone);
    drop(clone.download(0..8));
    assert!(run(&mut [&mut link], clone.update()).unwrap().unwrap());
    settle(&mut [&mut link]);
    assert_eq!(
        clone.downloaded(0..8),
        0,
        "a dropped download asks for nothing"
    );
    run(&mut [&mut link], clone.download(0..4))
        .unwrap()
        .unwrap();
    clone.clear(1..3).unwrap();
    settle(&mut [&mut link]);
    assert_eq!(clone.downloaded(0..8), 2);
    // The author clears what nobody has fetched: it is not available, and the rest is.
    feed.clear_own(6..7).unwrap();
    settle(&mut [&mut link]);
    assert_eq!(
        run(&mut [&mut link], clone.get_available(6))
            .unwrap()
            .unwrap(),
        None
    );
    let block = run(&mut [&mut link], clone.get_available(7))
        .unwrap()
        .unwrap();
    assert_eq!(block.unwrap(), "h");
}

#[test]
fn a_hash_comes_first_and_the_block_later() {
    let (feed, clone) = (author(&LETTERS), copy());
    let mut link = Link::new(&feed, &clone);
    // To learn the length it takes the hash of the last block.
    run(&mut [&mut link], clone.update()).unwrap().unwrap();
    assert!(!clone.has(7));
    assert_eq!(run(&mut [&mut link], clone.get(7)).unwrap().unwrap(), "h");
    let (sent, got) = (feed.stats(), clone.stats());
    assert_eq!((sent.uploaded_blocks, sent.uploaded_bytes), (1, 1));
    assert_eq!((got.downloaded_blocks, got.downloaded_bytes), (1, 1));
}

#[test]
fn a_hook_decides_what_a_copy_stores() {
    let seen = Arc::new(AtomicU64::new(0));
    let options = Options::new().key(pair().public).before_store({
        let seen = seen.clone();
        move |index, _| {
            seen.fetch_add(1, Ordering::Relaxed);
            index != 2
        }
    });
    let (feed, clone) = (author(&LETTERS), copy_with(options));
    let mut link = Link::new(&feed, &clone);
    let _all = clone.download(0..u64::MAX);
    settle(&mut [&mut link]);
    assert_eq!(seen.load(Ordering::Relaxed), 8);
    assert_eq!((clone.downloaded(0..8), clone.has(2)), (7, false));
}

#[test]
fn a_log_that_passed_through_copies_in_pieces_has_the_same_files() {
    let blocks: Vec<Vec<u8>> = (0..33).map(common::block).collect();
    let dirs = [(); 2].map(|()| MemoryDir::new());
    let pairs = Options::new().key_pair(pair());
    let log = Hypercore::open(Arc::new(dirs[0].clone()), pairs).unwrap();
    let feed = Feed::new(log);
    for block in &blocks {
        feed.append(block).unwrap();
    }
    let key = Options::new().key(pair().public);
    let clone = Feed::new(Hypercore::open(Arc::new(dirs[1].clone()), key).unwrap());
    let mut link = Link::new(&feed, &clone);
    run(&mut [&mut link], clone.get(20)).unwrap().unwrap();
    run(&mut [&mut link], clone.download(0..33))
        .unwrap()
        .unwrap();
    feed.close().unwrap();
    clone.close().unwrap();
    for name in ["key", "tree", "bitfield", "data"] {
        assert_eq!(
            common::file(&dirs[0], name),
            common::file(&dirs[1], name),
            "{name}"
        );
    }
}
