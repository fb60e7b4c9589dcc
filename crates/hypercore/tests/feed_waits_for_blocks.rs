//! A `Feed` on its own, without any peer.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use futures_lite::{FutureExt, StreamExt, future};
use hypercore::{Feed, FeedEvent, Hypercore, Options, ReadError};
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;

fn feed() -> Feed {
    let options = Options::new().key_pair(KeyPair::from_seed(&[1; 32]));
    Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap())
}

#[test]
fn a_get_waits_for_the_block_to_be_appended() {
    let feed = feed();
    let (first, second) = future::block_on(future::zip(feed.get(1), async {
        feed.append("a").unwrap();
        feed.append("b").unwrap();
        feed.get(0).await
    }));
    assert_eq!(
        (&first.unwrap()[..], &second.unwrap()[..]),
        (&b"b"[..], &b"a"[..])
    );
}

#[test]
fn a_dropped_get_leaves_nothing_behind() {
    let feed = feed();
    let dropped = future::block_on(feed.get(7).or(async { Err(ReadError::Closed) }));
    assert!(dropped.is_err());
    for _ in 0..9 {
        feed.append("x").unwrap();
    }
    assert!(future::block_on(feed.get(7)).is_ok());
}

#[test]
fn a_download_resolves_when_all_is_here() {
    let feed = feed();
    feed.append_batch(&["0", "1", "2"]).unwrap();
    future::block_on(feed.download(0..3)).unwrap();
    let more = feed.download(2..6);
    let list = feed.download_blocks(vec![4, 1, 4]);
    feed.append_batch(&["3", "4"]).unwrap();
    future::block_on(list).unwrap();
    feed.append("5").unwrap();
    future::block_on(more).unwrap();
}

#[test]
fn without_peers_nothing_is_available_and_no_update_comes() {
    let feed = feed();
    assert!(!future::block_on(feed.update()).unwrap());
    assert!(future::block_on(feed.get_available(0)).unwrap().is_none());
}

#[test]
fn closing_ends_what_waits() {
    let feed = feed();
    let other = feed.clone();
    let (got, downloaded, longer) = future::block_on(async {
        let waiting = future::zip(feed.get(0), feed.download(0..1));
        let waiting = future::zip(waiting, feed.wait_longer_than(0));
        let (((got, downloaded), longer), closed) =
            future::zip(waiting, async { other.close() }).await;
        closed.unwrap();
        (got, downloaded, longer)
    });
    assert!(matches!(got, Err(ReadError::Closed)));
    assert!(matches!(downloaded, Err(ReadError::Closed)));
    assert!(matches!(longer, Err(ReadError::Closed)));
    assert!(feed.append("late").is_err());
}

#[test]
fn events_tell_of_appends_and_the_close() {
    let feed = feed();
    let events = feed.events();
    feed.append_batch(&["a", "b"]).unwrap();
    feed.close().unwrap();
    let seen: Vec<FeedEvent> = future::block_on(events.collect());
    assert_eq!(seen, [FeedEvent::Appended { length: 2 }, FeedEvent::Closed]);
}
