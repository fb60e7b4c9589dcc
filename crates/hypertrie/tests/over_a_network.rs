//! Blocks that have to come from a peer are asked for many at a time, and in no more round trips
//! than the shape of the trie makes necessary.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use common::{bytes, list};
use futures_lite::{Stream, StreamExt};
use hypercore::{Answer, Feed, Hypercore, Peer, RemoteTree, RequestLimits};
use hypercore_storage::MemoryDir;
use hypertrie::{
    DiffOptions, GetOptions, HistoryOptions, IterOptions, Node, Op, Options, Trie, TrieError,
};

/// A reader without blocks and a peer that has them all, with a network between them on which all
/// that was asked for arrives at once, one round trip later.
struct Network {
    reader: Trie,
    near: Peer,
    far: Peer,
    known: RemoteTree,
    rounds: usize,
    blocks: usize,
    most_at_once: usize,
}

impl Network {
    fn new(source: &Trie) -> Self {
        let options = hypercore::Options::new().key(source.feed().public_key());
        let log = Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap();
        let feed = Feed::new(log);
        let near = feed.join(Waker::noop().clone());
        let far = source.feed().join(Waker::noop().clone());
        near.handle_open();
        near.handle_uploading(true);
        let asked = near.poll_region().expect("a peer is asked what it has");
        near.handle_have(0..source.version());
        near.handle_region(asked.start);
        let reader = common::open(feed, Options::new());
        let mut network = Self {
            reader,
            near,
            far,
            known: RemoteTree::default(),
            rounds: 0,
            blocks: 0,
            most_at_once: 0,
        };
        let reader = network.reader.clone();
        assert!(network.run(reader.update()).unwrap());
        assert_eq!(network.reader.version(), source.version());
        network.reset();
        network
    }

    fn reset(&mut self) {
        (self.rounds, self.blocks, self.most_at_once) = (0, 0, 0);
    }

    /// Runs a future to its end, carrying blocks whenever it waits.
    fn run<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        loop {
            let mut cx = Context::from_waker(Waker::noop());
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
            self.round_trip();
        }
    }

    fn round_trip(&mut self) {
        let limits = RequestLimits {
            urgent: 1024,
            bulk: 0,
        };
        let mut requests = Vec::new();
        self.near.poll_requests(limits, &mut requests);
        assert!(!requests.is_empty(), "it waits for nothing");
        self.rounds += 1;
        self.blocks += requests.len();
        self.most_at_once = self.most_at_once.max(requests.len());
        for request in requests {
            match self.far.answer(&request, &mut self.known).unwrap() {
                Answer::Data {
                    index,
                    value,
                    proof,
                } => {
                    self.near.handle_data(index, value, proof).unwrap();
                }
                Answer::Missing => panic!("the source has everything"),
            }
        }
    }

    fn drain<T>(&mut self, walk: impl Stream<Item = Result<T, TrieError>>) -> Vec<T> {
        self.run(walk.map(Result::unwrap).collect())
    }
}

const KEYS: usize = 3000;

/// Three thousand keys in thirty folders.
fn source() -> Trie {
    let trie = common::trie();
    let ops = (0..KEYS).map(|i| Op::put(format!("f{}/k{i}", i % 30), bytes(&i.to_string())));
    futures_lite::future::block_on(trie.batch(ops.collect())).unwrap();
    trie
}

#[test]
fn a_listing_takes_few_round_trips_and_keeps_its_order() {
    let source = source();
    let expected = list(&source, "", IterOptions::new());
    let mut last = usize::MAX;
    for prefetch in [1, 8, 64, 256] {
        let mut network = Network::new(&source);
        let iter = network
            .reader
            .iter("", IterOptions::new().prefetch(prefetch));
        assert_eq!(network.drain(iter), expected);
        assert_eq!(network.blocks, KEYS, "each block once");
        assert!(network.most_at_once <= prefetch);
        let ideal = KEYS.div_ceil(prefetch);
        assert!(
            network.rounds <= ideal * 5 / 4 + 20,
            "{} for {ideal}",
            network.rounds
        );
        assert!(network.rounds < last);
        last = network.rounds;
    }
}

#[test]
fn reading_ahead_in_reverse_and_by_folder_is_the_same() {
    let source = source();
    for options in [
        IterOptions::new().reverse(true),
        IterOptions::new().recursive(false),
        IterOptions::new().recursive(false).reverse(true),
        IterOptions::new().gt(true),
    ] {
        for prefix in ["", "f7"] {
            let mut network = Network::new(&source);
            let iter = network.reader.iter(prefix, options);
            assert_eq!(network.drain(iter), list(&source, prefix, options));
        }
    }
    // Listing folders does not fetch what is in them.
    let mut network = Network::new(&source);
    let iter = network.reader.iter("", IterOptions::new().recursive(false));
    assert_eq!(network.drain(iter).len(), 30);
    assert!(network.blocks <= 30 + 5, "{}", network.blocks);
    assert!(network.rounds <= 8, "{}", network.rounds);
}

#[test]
fn stopping_early_fetches_little_more_than_was_shown() {
    let source = source();
    let mut network = Network::new(&source);
    let mut iter = network.reader.iter("", IterOptions::new().prefetch(16));
    for _ in 0..10 {
        network.run(iter.next()).unwrap().unwrap();
    }
    assert!(network.blocks <= 10 + 16 * 4, "{}", network.blocks);
    let checkpoint = iter.checkpoint().unwrap();
    drop(iter);
    let rest = network
        .reader
        .resume_iter("", IterOptions::new(), &checkpoint)
        .unwrap();
    let expected: Vec<Node> = list(&source, "", IterOptions::new()).split_off(10);
    assert_eq!(network.drain(rest), expected);
}

#[test]
fn a_lookup_fetches_a_handful_of_blocks() {
    let source = source();
    let mut network = Network::new(&source);
    let reader = network.reader.clone();
    for i in [0, 1, KEYS / 2, KEYS - 1] {
        network.reset();
        let node = network
            .run(reader.get(&format!("f{}/k{i}", i % 30)))
            .unwrap()
            .unwrap();
        assert_eq!(node.value, Some(bytes(&i.to_string())));
        assert!(network.blocks <= 14, "{}", network.blocks);
    }
    network.reset();
    let absent = network
        .run(reader.get_with("f3/absent", GetOptions::new()))
        .unwrap();
    assert_eq!(absent, None);
    assert!(network.blocks <= 14);
}

#[test]
fn comparing_versions_fetches_what_differs_only() {
    let source = source();
    let before = source.version();
    let ops = (0..50).map(|i| Op::put(format!("f5/k{}", i * 30 + 5), bytes("new")));
    futures_lite::future::block_on(source.batch(ops.collect())).unwrap();
    let expected = common::drain(source.diff(before, "", DiffOptions::new()));
    assert_eq!(expected.len(), 50);

    let mut network = Network::new(&source);
    let diff = network.reader.diff(before, "", DiffOptions::new());
    assert_eq!(network.drain(diff), expected);
    assert!(network.blocks <= 50 * 2 + 30, "{}", network.blocks);
    assert!(network.rounds <= 20, "{}", network.rounds);
}

#[test]
fn history_is_fetched_ahead() {
    let source = source();
    for reverse in [false, true] {
        let mut network = Network::new(&source);
        let options = HistoryOptions::new().reverse(reverse).prefetch(100);
        let nodes = network.drain(network.reader.history(options));
        assert_eq!(nodes, common::drain(source.history(options)));
        assert!(network.rounds <= KEYS / 50, "{}", network.rounds);
        assert!(network.most_at_once <= 100);
    }
}

#[test]
fn dropping_a_walk_withdraws_its_requests() {
    let source = source();
    let mut network = Network::new(&source);
    let mut iter = network.reader.iter("", IterOptions::new());
    network.run(iter.next()).unwrap();
    {
        let mut next = pin!(async { while iter.next().await.unwrap().is_some() {} });
        let mut cx = Context::from_waker(Waker::noop());
        assert!(next.as_mut().poll(&mut cx).is_pending());
    }
    assert!(
        network.near.is_needed(),
        "the walk itself still wants blocks"
    );
    drop(iter);
    assert!(!network.near.is_needed());
}

/// A future dropped half-way loses neither nodes nor their order.
#[test]
fn an_interrupted_step_can_be_taken_again() {
    let source = source();
    let mut network = Network::new(&source);
    let mut iter = network.reader.iter("f3", IterOptions::new().prefetch(4));
    let mut nodes = Vec::new();
    loop {
        let mut cx = Context::from_waker(Waker::noop());
        // Each poll is of a new future.
        match pin!(iter.next()).poll(&mut cx) {
            Poll::Ready(Ok(Some(node))) => nodes.push(node),
            Poll::Ready(Ok(None)) => break,
            Poll::Ready(Err(error)) => panic!("{error}"),
            Poll::Pending => network.round_trip(),
        }
    }
    assert_eq!(nodes, list(&source, "f3", IterOptions::new()));
}

#[test]
fn a_reader_cannot_write() {
    let source = source();
    let mut network = Network::new(&source);
    let reader = network.reader.clone();
    let refused = network.run(reader.put("a", None));
    assert!(matches!(refused, Err(TrieError::Append(_))));
    assert_eq!(network.blocks, 0, "nothing was fetched to find out");
}

#[test]
fn an_unknown_length_is_an_empty_trie() {
    let source = source();
    let options = hypercore::Options::new().key(source.feed().public_key());
    let log = Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap();
    let reader = common::open(Feed::new(log), Options::new());
    assert_eq!(reader.version(), 0);
    assert_eq!(common::get(&reader, "f1/k1"), None);
    assert_eq!(list(&reader, "", IterOptions::new()), []);
    assert!(!futures_lite::future::block_on(reader.update()).unwrap());
}
