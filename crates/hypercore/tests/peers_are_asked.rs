//! What a `Feed` asks of its peers, and what it makes of their answers. No wire, no clock.

#![allow(
    clippy::single_range_in_vec_init,
    reason = "a list of ranges is what is meant"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use futures_lite::future;
use hypercore::{
    Answer, DataError, Feed, HintBudget, Hypercore, Options, Peer, Received, RemoteTree, Request,
    RequestLimits,
};
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;

const LIMITS: RequestLimits = RequestLimits {
    urgent: 32,
    bulk: 16,
};

fn pair() -> KeyPair {
    KeyPair::from_seed(&[1; 32])
}

fn open(options: Options) -> Feed {
    Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap())
}

fn writer(blocks: u64) -> Feed {
    let feed = open(Options::new().key_pair(pair()));
    feed.append_batch(
        &(0..blocks)
            .map(|index| index.to_string())
            .collect::<Vec<_>>(),
    )
    .unwrap();
    feed
}

fn reader() -> Feed {
    open(Options::new().key(pair().public))
}

/// A peer that has opened the log, has said all that it has, and was asked for nothing.
fn peer(feed: &Feed, blocks: u64) -> Peer {
    let peer = feed.join(Waker::noop().clone());
    peer.handle_open();
    assert_eq!(peer.poll_region(), Some(0..1 << 20));
    peer.handle_have(0..blocks);
    peer.handle_region(0);
    peer
}

fn requests(peer: &Peer) -> Vec<Request> {
    let mut requests = Vec::new();
    peer.poll_requests(LIMITS, &mut requests);
    requests
}

fn indexes(peer: &Peer) -> Vec<u64> {
    requests(peer).iter().map(|request| request.index).collect()
}

/// Has `source` answer a request that was made of `peer`.
fn deliver(source: &Feed, peer: &Peer, request: Request) -> Result<Received, DataError> {
    let serving = source.join(Waker::noop().clone());
    match serving
        .answer(&request, &mut RemoteTree::default())
        .unwrap()
    {
        Answer::Data {
            index,
            value,
            proof,
        } => peer.handle_data(index, value, proof),
        Answer::Missing => panic!("the source holds everything"),
    }
}

#[test]
fn no_block_is_asked_of_two_peers() {
    let feed = reader();
    let (a, b) = (peer(&feed, 40), peer(&feed, 40));
    let _download = feed.download(0..40);
    let (of_a, of_b) = (indexes(&a), indexes(&b));
    assert_eq!((of_a.len(), of_b.len()), (16, 16));
    assert!(of_a.iter().all(|index| !of_b.contains(index)));
    assert!(requests(&a).is_empty(), "it has as many as it may");
}

#[test]
fn what_a_stalled_peer_was_asked_for_is_asked_of_others() {
    let (source, feed) = (writer(10), reader());
    let (slow, fast) = (peer(&feed, 10), peer(&feed, 10));
    let _download = feed.download(0..10);
    let asked = requests(&slow);
    assert_eq!(asked.len(), 10);
    assert!(requests(&fast).is_empty());
    slow.handle_stall();
    assert_eq!(indexes(&fast).len(), 10);
    assert!(requests(&slow).is_empty());
    // An answer that comes late counts, and so do those of the other one.
    assert_eq!(deliver(&source, &slow, asked[0]).unwrap(), Received::Stored);
    assert_eq!(
        deliver(&source, &fast, asked[0]).unwrap(),
        Received::Duplicate
    );
    assert_eq!(deliver(&source, &fast, asked[1]).unwrap(), Received::Stored);
    assert_eq!(
        deliver(&source, &slow, asked[1]).unwrap(),
        Received::Duplicate
    );
}

#[test]
fn what_a_lost_peer_was_asked_for_is_asked_of_others() {
    let feed = reader();
    let (a, b) = (peer(&feed, 10), peer(&feed, 10));
    let _download = feed.download(0..10);
    let mut get = Box::pin(feed.get(3));
    assert!(future::block_on(future::poll_once(&mut get)).is_none());
    assert_eq!(indexes(&a)[0], 3);
    assert!(requests(&b).is_empty());
    drop(a);
    assert_eq!(indexes(&b)[0], 3);
    assert_eq!(b.requests_in_flight(), 10);
}

#[test]
fn requests_that_are_given_up_are_not_repeated_until_the_block_is_announced_again() {
    let feed = reader();
    let peer = peer(&feed, 10);
    let _download = feed.download(0..10);
    assert_eq!(indexes(&peer).len(), 10);
    assert_eq!(peer.handle_request_timeout(), 10);
    assert!(requests(&peer).is_empty());
    assert_eq!(
        peer.poll_region(),
        Some(0..1 << 20),
        "it may tell once more what it has"
    );
    assert!(!peer.is_unanswered());
    peer.handle_have(4..5);
    assert_eq!(indexes(&peer), [4]);
}

#[test]
fn blocks_that_somebody_waits_for_come_first_and_in_the_order_of_waiting() {
    let feed = reader();
    let peer = peer(&feed, 1000);
    let _download = feed.download(0..1000);
    let mut gets: Vec<_> = [70, 3, 500].map(|index| Box::pin(feed.get(index))).into();
    for get in &mut gets {
        assert!(future::block_on(future::poll_once(get)).is_none());
    }
    assert_eq!(indexes(&peer)[..3], [70, 3, 500]);
    // A wait that has ended is not asked for.
    let mut short = Box::pin(feed.get(900));
    assert!(future::block_on(future::poll_once(&mut short)).is_none());
    drop(short);
    assert!(!indexes(&peer).contains(&900));
}

#[test]
fn downloads_in_order_and_lists_are_asked_for_from_the_front() {
    let feed = reader();
    let peer = peer(&feed, 100);
    let linear = feed.download_linear(20..100);
    assert_eq!(indexes(&peer), (20..36).collect::<Vec<_>>());
    drop(linear);
    peer.handle_unhave(20..36);
    let _list = feed.download_blocks(vec![90, 7, 30, 91, 7]);
    assert_eq!(indexes(&peer), [7, 90, 91], "30 is not with the peer");
}

#[test]
fn several_downloads_take_turns() {
    let feed = reader();
    let peer = peer(&feed, 1000);
    let _a = feed.download_linear(0..100);
    let _b = feed.download_linear(500..600);
    assert_eq!(indexes(&peer)[..6], [0, 500, 1, 501, 2, 502]);
}

#[test]
fn regions_are_asked_for_where_somebody_looks() {
    let feed = reader();
    let peer = feed.join(Waker::noop().clone());
    assert_eq!(peer.poll_region(), None, "the peer has not opened the log");
    peer.handle_open();
    let region = |at: u64| Some(at << 20..(at + 1) << 20);
    assert_eq!(peer.poll_region(), region(0));
    assert_eq!(peer.poll_region(), None);
    let mut get = Box::pin(feed.get(5 << 20));
    assert!(future::block_on(future::poll_once(&mut get)).is_none());
    assert_eq!(peer.poll_region(), region(5));
    // A download reaches as far as the peer's blocks do.
    let _download = feed.download((1 << 20)..u64::MAX);
    assert_eq!(peer.poll_region(), None);
    peer.handle_have(0..100 << 20);
    for at in [1, 2, 3, 4, 6] {
        assert_eq!(peer.poll_region(), region(at));
    }
    for at in 7..16 {
        assert_eq!(peer.poll_region(), region(at));
    }
    assert_eq!(peer.poll_region(), None, "sixteen are unanswered");
    peer.handle_region(3 << 20);
    assert_eq!(peer.poll_region(), region(16));
}

#[test]
fn the_regions_of_an_endless_log_are_bounded() {
    let feed = reader();
    let peer = feed.join(Waker::noop().clone());
    peer.handle_open();
    peer.handle_have(0..u64::MAX);
    let _download = feed.download(0..u64::MAX);
    let mut asked = 0;
    while let Some(region) = peer.poll_region() {
        peer.handle_region(region.start);
        asked += 1;
    }
    assert_eq!(asked, 4096);
}

#[test]
fn a_new_length_is_asked_of_three_peers_at_most() {
    let (source, feed) = (writer(50), reader());
    let peers = [50, 60, 70, 80].map(|length| peer(&feed, length));
    let mut update = Box::pin(feed.update());
    assert!(future::block_on(future::poll_once(&mut update)).is_none());
    let asked: Vec<Vec<Request>> = peers.iter().map(requests).collect();
    let hashes: Vec<_> = asked
        .iter()
        .flatten()
        .map(|it| (it.index, it.hash))
        .collect();
    assert_eq!(hashes, [(49, true), (59, true), (69, true)]);
    deliver(&source, &peers[0], asked[0][0]).unwrap();
    assert_eq!(feed.length(), 50);
    // The others claim more, and are waited for until they fail to prove it.
    assert!(future::block_on(future::poll_once(&mut update)).is_none());
    peers[1].handle_unhave(59..60);
    assert_eq!(peers[1].remote_length(), 50);
    peers[2].handle_request_timeout();
    requests(&peers[3]);
    peers[3].handle_stall();
    assert!(future::block_on(update).unwrap());
}

#[test]
fn an_update_ends_when_every_peer_has_answered() {
    let feed = reader();
    assert!(!future::block_on(feed.update()).unwrap());
    let hold = feed.hold_available();
    let mut update = Box::pin(feed.update());
    assert!(future::block_on(future::poll_once(&mut update)).is_none());
    let peer = feed.join(Waker::noop().clone());
    drop(hold);
    assert!(
        future::block_on(future::poll_once(&mut update)).is_none(),
        "not open"
    );
    peer.handle_open();
    peer.poll_region().unwrap();
    assert!(
        future::block_on(future::poll_once(&mut update)).is_none(),
        "not answered"
    );
    peer.handle_region(0);
    assert!(!future::block_on(update).unwrap());
    // One that does not answer in time is not waited for.
    let silent = feed.join(Waker::noop().clone());
    let mut update = Box::pin(feed.update());
    assert!(future::block_on(future::poll_once(&mut update)).is_none());
    silent.handle_overdue();
    assert!(!future::block_on(update).unwrap());
}

#[test]
fn what_is_not_available_is_known_when_the_last_peer_says_so() {
    let (source, feed) = (writer(10), reader());
    let (a, b) = (peer(&feed, 10), peer(&feed, 5));
    let mut get = Box::pin(feed.get_available(7));
    assert!(future::block_on(future::poll_once(&mut get)).is_none());
    assert_eq!(indexes(&a), [7]);
    a.handle_unhave(7..8);
    assert!(future::block_on(get).unwrap().is_none());
    let mut get = Box::pin(feed.get_available(3));
    assert!(future::block_on(future::poll_once(&mut get)).is_none());
    let asked = requests(&b);
    deliver(&source, &b, asked[0]).unwrap();
    assert_eq!(future::block_on(get).unwrap().unwrap(), "3");
}

#[test]
fn bad_data_is_refused_and_asked_of_others() {
    let (source, feed) = (writer(10), reader());
    let (liar, honest) = (peer(&feed, 10), peer(&feed, 10));
    let mut get = Box::pin(feed.get(2));
    assert!(future::block_on(future::poll_once(&mut get)).is_none());
    let request = requests(&liar)[0];
    let serving = source.join(Waker::noop().clone());
    let answer = serving
        .answer(&request, &mut RemoteTree::default())
        .unwrap();
    let Answer::Data { index, proof, .. } = answer else {
        panic!("it is there")
    };
    let refused = liar.handle_data(index, Some("lies".into()), proof);
    assert!(matches!(refused, Err(DataError::Refused(_))));
    assert!(requests(&liar).is_empty());
    let request = requests(&honest)[0];
    deliver(&source, &honest, request).unwrap();
    assert_eq!(future::block_on(get).unwrap(), "2");
}

#[test]
fn peers_are_told_of_blocks_that_they_do_not_have() {
    let (source, feed) = (writer(10), reader());
    let (a, b) = (peer(&feed, 10), feed.join(Waker::noop().clone()));
    let _download = feed.download(0..3);
    for request in requests(&a) {
        deliver(&source, &a, request).unwrap();
    }
    assert!(
        b.poll_changes().have.is_empty(),
        "it has not asked to be told"
    );
    a.handle_subscribe();
    b.handle_subscribe();
    let _download = feed.download(0..6);
    for request in requests(&a) {
        deliver(&source, &a, request).unwrap();
    }
    assert_eq!(b.poll_changes().have, [3..6]);
    assert!(a.poll_changes().have.is_empty(), "they came from there");
    feed.clear(2..5).unwrap();
    assert_eq!(b.poll_changes().unhave, [2..5]);
    assert_eq!(b.poll_changes(), Default::default());
}

#[test]
fn hints_of_one_connection_share_a_budget() {
    let budget = HintBudget::new(10);
    let feeds = [reader(), reader()];
    let peers = feeds.each_ref().map(|feed| {
        let peer = feed.join(Waker::noop().clone());
        peer.share_hint_budget(&budget);
        peer.handle_open();
        peer
    });
    for page in 0..8 {
        for peer in &peers {
            peer.handle_have(page * 8192..page * 8192 + 1);
        }
    }
    let known = peers.each_ref().map(|peer| peer.remote_length() / 8192 + 1);
    assert_eq!(known, [5, 5]);
    // What one gives back the other may use.
    peers[0].handle_unhave(0..u64::MAX);
    peers[1].handle_have(9 * 8192..9 * 8192 + 1);
    assert_eq!(peers[1].remote_length(), 9 * 8192 + 1);
}

#[test]
fn the_doorbell_rings_when_there_is_something_to_do() {
    #[derive(Default)]
    struct Bell(AtomicUsize);
    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let bell = Arc::new(Bell::default());
    let rings = || bell.0.swap(0, Ordering::Relaxed);
    let feed = writer(1);
    let peer = feed.join(bell.clone().into());
    peer.handle_open();
    assert!(rings() > 0);
    feed.append("new").unwrap();
    assert!(rings() > 0);
    let mut get = Box::pin(feed.get(9));
    assert!(future::block_on(future::poll_once(&mut get)).is_none());
    assert!(rings() > 0);
    assert!(future::block_on(future::poll_once(&mut get)).is_none());
    assert_eq!(rings(), 0);
    drop(get);
    let download = feed.download(0..10);
    assert!(rings() > 0);
    drop(download);
    feed.close().unwrap();
    assert!(rings() > 0);
    assert!(peer.poll_changes().closed);
}
