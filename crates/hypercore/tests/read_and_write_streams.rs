//! Streams of blocks out of a feed, and bytes into it.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use futures_lite::{FutureExt, StreamExt, future};
use hypercore::{Blocks, Feed, Hypercore, Options, ReadError, ReadRange};
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;

fn feed(blocks: &[&str]) -> Feed {
    let options = Options::new().key_pair(KeyPair::from_seed(&[1; 32]));
    let feed = Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap());
    feed.append_batch(blocks).unwrap();
    feed
}

fn all(stream: Blocks) -> Vec<Bytes> {
    future::block_on(stream.try_collect()).unwrap()
}

/// What the stream has to give now, without waiting; `None` if it waits.
fn now(stream: &mut Blocks) -> Option<Option<Bytes>> {
    future::block_on(async { Some(stream.next().await.map(Result::unwrap)) }.or(async { None }))
}

#[test]
fn a_stream_yields_the_log_as_it_was_when_it_was_made() {
    let feed = feed(&["a", "b", "c"]);
    let stream = feed.read(ReadRange::new());
    feed.append("d").unwrap();
    assert_eq!(all(stream), ["a", "b", "c"]);
    assert!(all(feed.read(ReadRange::new().start(4))).is_empty());
    assert_eq!(all(feed.read(ReadRange::new().start(1).end(3))), ["b", "c"]);
}

#[test]
fn without_a_snapshot_it_ends_where_the_log_ends_on_arrival() {
    let feed = feed(&["a"]);
    let mut stream = feed.read(ReadRange::new().snapshot(false));
    assert_eq!(now(&mut stream).unwrap().unwrap(), "a");
    feed.append("b").unwrap();
    assert_eq!(now(&mut stream).unwrap().unwrap(), "b");
    assert_eq!(now(&mut stream), Some(None));
}

#[test]
fn an_end_beyond_the_log_is_waited_for() {
    let feed = feed(&["a"]);
    let mut stream = feed.read(ReadRange::new().end(2));
    assert_eq!(now(&mut stream).unwrap().unwrap(), "a");
    assert_eq!(now(&mut stream), None);
    feed.append_batch(&["b", "c"]).unwrap();
    assert_eq!(now(&mut stream).unwrap().unwrap(), "b");
    assert_eq!(now(&mut stream), Some(None));
}

#[test]
fn a_live_stream_follows_the_log_and_a_tail_begins_at_its_end() {
    let feed = feed(&["a", "b"]);
    let mut live = feed.read(ReadRange::new().start(1).live(true));
    let mut tail = feed.read(ReadRange::new().tail());
    assert_eq!(now(&mut live).unwrap().unwrap(), "b");
    assert_eq!((now(&mut live), now(&mut tail)), (None, None));
    for block in ["c", "d"] {
        feed.append(block).unwrap();
        assert_eq!(now(&mut live).unwrap().unwrap(), block);
        assert_eq!(now(&mut tail).unwrap().unwrap(), block);
    }
}

#[test]
fn closing_the_log_ends_a_stream_with_an_error() {
    let feed = feed(&["a"]);
    let mut stream = feed.read(ReadRange::new().live(true));
    assert_eq!(now(&mut stream).unwrap().unwrap(), "a");
    assert_eq!(now(&mut stream), None);
    feed.close().unwrap();
    let last = future::block_on(stream.next());
    assert!(matches!(last, Some(Err(ReadError::Closed))));
    assert!(future::block_on(stream.next()).is_none());
}

#[test]
fn ranges_and_the_head_wait_for_their_blocks() {
    let feed = feed(&[]);
    assert_eq!(future::block_on(feed.head()).unwrap(), None);
    let (blocks, ()) = future::block_on(future::zip(feed.get_range(1..3), async {
        feed.append("a").unwrap();
        feed.append_batch(&["b", "c"]).unwrap();
    }));
    assert_eq!(blocks.unwrap(), ["b", "c"]);
    assert_eq!(future::block_on(feed.head()).unwrap().unwrap(), "c");
    assert!(future::block_on(feed.get_range(2..2)).unwrap().is_empty());
}

#[test]
fn a_writer_cuts_bytes_into_blocks_of_one_size() {
    let feed = feed(&["head"]);
    let mut writer = feed.writer(4);
    writer.write_all(b"0123").unwrap();
    writer.write_all(b"45").unwrap();
    writer.write_all(b"6789ab").unwrap();
    assert_eq!(feed.length(), 1, "blocks are appended in batches");
    writer.flush().unwrap();
    writer.write_all(b"cd").unwrap();
    writer.finish().unwrap();
    writer.finish().unwrap();
    assert_eq!(
        all(feed.read(ReadRange::new().start(1))),
        ["0123", "4567", "89ab", "cd"]
    );

    // Much is appended on the way.
    let mut writer = feed.writer(64 << 10);
    for _ in 0..40 {
        writer.write_all(&[7; 64 << 10]).unwrap();
    }
    assert!(feed.length() >= 5 + 16);
    drop(writer);
    assert!(feed.length() < 5 + 40, "what was not finished is dropped");
}
