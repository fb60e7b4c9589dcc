//! With lookups exchanged, what a cold reader looks for is found in a few round trips, however deep
//! the trie is; peers that flood it with hints gain nothing.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use common::{bytes, list};
use futures_lite::StreamExt;
use hypercore::{Answer, Feed, Hypercore, Mailbox, Peer, RemoteTree, Request, RequestLimits};
use hypercore_storage::MemoryDir;
use hypertrie::{
    DiffOptions, GetOptions, IterOptions, Lookups, Node, Op, Options, PutOptions, Trie, TrieError,
};

const NAME: &str = "hypertrie";

/// A reader without blocks and a peer that has them all. What both send in one round trip arrives at
/// its end, blocks and messages alike.
struct Network {
    reader: Trie,
    ours: Option<Pin<Box<Lookups>>>,
    theirs: Option<Pin<Box<Lookups>>>,
    near: Peer,
    far: Peer,
    known: RemoteTree,
    rounds: usize,
    blocks: usize,
    messages: usize,
}

impl Network {
    fn new(source: &Trie, exchange: bool) -> Self {
        let options = hypercore::Options::new().key(source.feed().public_key());
        let log = Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap();
        let feed = Feed::new(log);
        let near = feed.join(Waker::noop().clone());
        let far = source.feed().join(Waker::noop().clone());
        for peer in [&near, &far] {
            peer.handle_open();
        }
        near.handle_uploading(true);
        let asked = near.poll_region().expect("a peer is asked what it has");
        near.handle_have(0..source.version());
        near.handle_region(asked.start);
        let reader = common::open(feed, Options::new());
        let lookups = |trie: &Trie| exchange.then(|| Box::pin(trie.lookups().unwrap()));
        let (ours, theirs) = (lookups(&reader), lookups(source));
        if exchange {
            near.handle_mailboxes(&[NAME]);
            far.handle_mailboxes(&[NAME]);
        }
        let mut network = Self {
            reader,
            ours,
            theirs,
            near,
            far,
            known: RemoteTree::default(),
            rounds: 0,
            blocks: 0,
            messages: 0,
        };
        let reader = network.reader.clone();
        assert!(network.run(reader.update()).unwrap());
        (network.rounds, network.blocks) = (0, 0);
        network
    }

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
        let mut requests = Vec::new();
        self.near.poll_requests(LIMITS, &mut requests);
        while let Some((name, message)) = self.near.poll_mail() {
            self.far.handle_mail(&name, message);
            self.messages += 1;
        }
        attend(&mut self.theirs);
        self.rounds += 1;
        assert!(self.rounds < 10_000, "it waits for nothing");
        self.bring(requests);
        while let Some((name, message)) = self.far.poll_mail() {
            self.near.handle_mail(&name, message);
        }
        attend(&mut self.ours);
    }

    /// The other side answers requests for blocks.
    fn bring(&mut self, requests: Vec<Request>) {
        self.blocks += requests.len();
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

    /// Fetches what the reader wants by itself. Gives the number of blocks.
    fn fetch(&mut self) -> usize {
        let mut requests = Vec::new();
        self.near.poll_requests(LIMITS, &mut requests);
        let count = requests.len();
        self.bring(requests);
        count
    }

    fn list(&mut self, prefix: &str, options: IterOptions) -> Vec<Node> {
        let walk = self.reader.iter(prefix, options);
        self.run(walk.map(Result::unwrap).collect())
    }
}

/// As much as anybody wants.
const LIMITS: RequestLimits = RequestLimits {
    urgent: 1 << 20,
    bulk: 1 << 20,
};

/// Lets an exchange do what there is to do, for up to 64 messages.
fn attend(lookups: &mut Option<Pin<Box<Lookups>>>) {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..64 {
        if let Some(lookups) = lookups {
            assert!(lookups.as_mut().poll(&mut cx).is_pending());
        }
    }
}

/// Ten thousand keys in one folder, and as many outside of it.
fn source() -> Trie {
    let trie = common::trie();
    let name = |i: usize| match i % 2 {
        0 => format!("folder/{i}"),
        _ => format!("elsewhere/{}/{i}", i % 50),
    };
    let ops = (0..20_000).map(|i| Op::put(name(i), bytes(&i.to_string())));
    futures_lite::future::block_on(trie.batch(ops.collect())).unwrap();
    trie
}

#[test]
fn a_cold_get_takes_three_round_trips() {
    let source = source();
    let mut alone = 0;
    for key in ["folder/0", "folder/9998", "elsewhere/7/107", "folder/none"] {
        let mut network = Network::new(&source, true);
        let reader = network.reader.clone();
        let found = network.run(reader.get(key)).unwrap();
        let expected = futures_lite::future::block_on(source.get(key)).unwrap();
        assert_eq!(found, expected);
        // The newest node and the hints, then the nodes that these name.
        assert!(network.rounds <= 3, "{key}: {} round trips", network.rounds);
        assert_eq!(network.messages, 1);

        let mut network = Network::new(&source, false);
        let reader = network.reader.clone();
        assert_eq!(network.run(reader.get(key)).unwrap(), expected);
        alone = alone.max(network.rounds);
    }
    assert!(alone >= 6, "without help it took {alone} round trips only");
}

#[test]
fn hidden_keys_are_hinted_at_too() {
    let source = source();
    let hidden = PutOptions::new().hidden(true);
    futures_lite::future::block_on(async {
        for i in 0..500 {
            let key = format!("mounts/{i}");
            source
                .put_with(&key, bytes("record"), hidden)
                .await
                .unwrap();
        }
    });
    let mut network = Network::new(&source, true);
    let reader = network.reader.clone();
    let options = GetOptions::new().hidden(true);
    let found = network.run(reader.get_with("mounts/250", options)).unwrap();
    assert_eq!(found.unwrap().key, "mounts/250");
    assert!(network.rounds <= 3, "{} round trips", network.rounds);
}

#[test]
fn a_cold_listing_takes_two_round_trips_for_each_two_thousand_entries() {
    let source = source();
    for (options, what) in [
        (IterOptions::new(), "forwards"),
        (IterOptions::new().reverse(true), "backwards"),
        (IterOptions::new().recursive(false).gt(true), "flat"),
    ] {
        let mut network = Network::new(&source, true);
        let found = network.list("folder", options);
        assert_eq!(found.len(), 10_000, "{what}");
        assert_eq!(found, list(&source, "folder", options), "{what}");
        // The path to the folder, and then 2048 entries for each question.
        assert!(
            network.rounds <= 14,
            "{what}: {} round trips",
            network.rounds
        );
        assert!(
            network.messages <= 6,
            "{what}: {} questions",
            network.messages
        );
        // What is outside of the folder is not fetched.
        assert!(
            network.blocks <= 11_500,
            "{what}: {} blocks",
            network.blocks
        );
    }
}

/// What was written between two versions is fetched at once; the nodes that it stands in place of are
/// found level by level.
#[test]
fn a_cold_comparison_takes_a_round_trip_for_each_level() {
    let source = source();
    let before = source.version();
    let ops = (0..100).map(|i| Op::put(format!("folder/{}", i * 2), bytes("new")));
    futures_lite::future::block_on(source.batch(ops.collect())).unwrap();
    let expected = common::drain(source.diff(before, "", DiffOptions::new()));
    assert_eq!(expected.len(), 100);
    for (left, right) in [(source.version(), before), (before, source.version())] {
        let mut network = Network::new(&source, true);
        let diff = network
            .reader
            .checkout(left)
            .diff(right, "", DiffOptions::new());
        let found: Vec<_> = network.run(diff.map(Result::unwrap).collect());
        assert_eq!(found.len(), expected.len());
        assert!(network.rounds <= 14, "{} round trips", network.rounds);
        // Both nodes of each change, and those of the old version that lead to its own.
        assert!(network.blocks <= 5 * 100, "{} blocks", network.blocks);
    }
    // With much between the versions, or a part of it wanted, nothing is fetched that may be for
    // nothing.
    let ops = (0..3000).map(|_| Op::put("elsewhere/1/1", bytes("again")));
    futures_lite::future::block_on(source.batch(ops.collect())).unwrap();
    let mut network = Network::new(&source, true);
    let diff = network.reader.diff(before + 100, "", DiffOptions::new());
    let found: Vec<_> = network.run(diff.map(Result::unwrap).collect());
    assert_eq!(found.len(), 1);
    assert!(network.blocks <= 60, "{} blocks", network.blocks);
}

/// Where nearly all of the log is wanted, it is fetched as it lies, however deep the trie is.
#[test]
fn a_cold_listing_of_nearly_everything_takes_few_round_trips() {
    let source = common::trie();
    let ops = (0..10_000).map(|i| Op::put(format!("folder/{i}"), bytes(&i.to_string())));
    futures_lite::future::block_on(source.batch(ops.collect())).unwrap();
    for exchange in [true, false] {
        let mut network = Network::new(&source, exchange);
        let found = network.list("folder", IterOptions::new());
        assert_eq!(found, list(&source, "folder", IterOptions::new()));
        // Without hints, the first two hundred and fifty are found by following pointers.
        let most = if exchange { 6 } else { 20 };
        assert!(network.rounds <= most, "{} round trips", network.rounds);
        assert!(network.blocks <= 10_100, "{} blocks", network.blocks);
    }
    // Who stops early has not fetched everything.
    let mut network = Network::new(&source, false);
    let reader = network.reader.clone();
    let mut iter = reader.iter("folder", IterOptions::new());
    for _ in 0..130 {
        network.run(iter.next()).unwrap().unwrap();
    }
    assert!(network.blocks <= 130 * 64, "{} blocks", network.blocks);
}

#[test]
fn nobody_is_asked_about_what_is_here() {
    let source = source();
    let mut network = Network::new(&source, true);
    assert_eq!(network.list("folder", IterOptions::new()).len(), 10_000);
    let messages = network.messages;
    let reader = network.reader.clone();
    assert!(network.run(reader.get("folder/0")).unwrap().is_some());
    assert_eq!(network.list("folder", IterOptions::new()).len(), 10_000);
    assert_eq!(network.messages, messages);
}

/// Who looks something up asks those who may have it; they answer from what they have, and fetch
/// nothing for it.
#[test]
fn who_has_nothing_fetches_nothing_for_others() {
    let source = source();
    let network = Network::new(&source, true);
    let question = b"\x1a\x0a\x08\xa0\x9c\x01\x12\x04a/b/";
    let answer = network.reader.answer(question);
    // The newest node is named, though it is not here; what it leads to nobody here knows.
    assert_eq!(answer.len(), 1);
    let mut requests = Vec::new();
    network.near.poll_requests(LIMITS, &mut requests);
    assert!(requests.is_empty());
}

#[test]
fn a_watch_sees_what_a_peer_brings() {
    let source = source();
    let mut network = Network::new(&source, true);
    let mut watch = network.reader.watch("folder");
    let mut elsewhere = network.reader.watch("none");
    futures_lite::future::block_on(source.put("folder/new", bytes("1"))).unwrap();
    network.near.handle_have(0..source.version());
    let version = network.run(watch.next()).unwrap();
    assert_eq!(version, source.version());
    // Comparing fetches no more than what differs.
    assert!(network.blocks < 40, "{} blocks", network.blocks);
    let mut next = pin!(elsewhere.next());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(next.as_mut().poll(&mut cx).is_pending());
}

/// What was looked at is kept at hand in newer versions, and nothing else is fetched for it.
#[test]
fn a_part_that_was_looked_at_is_refreshed() {
    let source = common::trie();
    common::put(&source, "hello", "world");
    let mut network = Network::new(&source, true);
    let reader = network.reader.clone();
    let get = |network: &mut Network, key: &str| {
        let found = network.run(reader.get(key)).unwrap().unwrap();
        String::from_utf8(found.value.unwrap().to_vec()).unwrap()
    };
    assert_eq!(get(&mut network, "hello"), "world");

    let put = |key: &str, value: &str| Op::put(key, bytes(value));
    let ops = [("hello", "verden"), ("foo", "bar"), ("bar", "baz")];
    let ops = ops.map(|(key, value)| put(key, value)).into();
    futures_lite::future::block_on(source.batch(ops)).unwrap();
    network.near.handle_have(0..source.version());
    let seen = reader.version();
    assert!(network.run(reader.update()).unwrap());
    assert_eq!(network.run(reader.refresh(seen)).unwrap(), 1);
    let (rounds, blocks) = (network.rounds, network.blocks);
    assert_eq!(get(&mut network, "hello"), "verden");
    assert_eq!((network.rounds, network.blocks), (rounds, blocks));

    // Many new keys beside those that are known.
    let ops = (0..128).map(|i| put(&format!("#{i}"), &i.to_string()));
    futures_lite::future::block_on(source.batch(ops.collect())).unwrap();
    network.near.handle_have(0..source.version());
    let seen = reader.version();
    assert!(network.run(reader.update()).unwrap());
    let before = network.blocks;
    network.run(reader.refresh(seen)).unwrap();
    let fetched = network.blocks - before;
    assert!((1..64).contains(&fetched), "{fetched} blocks");
    let (rounds, blocks) = (network.rounds, network.blocks);
    assert_eq!(get(&mut network, "hello"), "verden");
    assert_eq!((network.rounds, network.blocks), (rounds, blocks));
    // Everything is the same again: there is nothing to do.
    assert_eq!(network.run(reader.refresh(reader.version())).unwrap(), 0);
    assert_eq!(network.blocks, blocks);
}

/// A mailbox of a peer that says what it likes.
fn hostile(source: &Trie) -> (Network, Mailbox) {
    let mut network = Network::new(source, true);
    network.theirs = None;
    let mailbox = source.feed().mailbox(NAME).unwrap();
    (network, mailbox)
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number > 0x7f {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn hints(blocks: impl IntoIterator<Item = u64>) -> Bytes {
    let mut packed = Vec::new();
    for block in blocks {
        varint(block, &mut packed);
    }
    let mut body = vec![0x08, 0x00, 0x10];
    varint(1 << 40, &mut body);
    body.push(0x1a);
    varint(packed.len() as u64, &mut body);
    body.extend(packed);
    let mut message = vec![0x0a];
    varint(body.len() as u64, &mut message);
    message.extend(body);
    message.into()
}

#[test]
fn fault_t4_hints_that_nobody_asked_for_are_not_fetched() {
    let source = source();
    let (mut network, _mailbox) = hostile(&source);
    for batch in 0..200 {
        let message = hints((0..128).map(|i| batch * 100 + i));
        network.near.handle_mail(NAME, message);
        attend(&mut network.ours);
    }
    assert_eq!(network.fetch(), 0);
}

#[test]
fn fault_t4_a_flood_of_hints_is_cut_at_what_was_asked() {
    let source = source();
    let (mut network, _mailbox) = hostile(&source);
    let reader = network.reader.clone();
    let mut get = pin!(reader.get("folder/0"));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(get.as_mut().poll(&mut cx).is_pending());
    // Each block once, some many times over, and some beyond the end of the log.
    for batch in 0..150 {
        let message = hints((0..128).map(|i| batch * 128 + i + 1));
        network.near.handle_mail(NAME, message);
        network.near.handle_mail(NAME, hints([1; 128]));
        network
            .near
            .handle_mail(NAME, hints((0..128).map(|i| (1 << 39) + i)));
        attend(&mut network.ours);
    }
    let asked = network.fetch();
    assert!((1000..=2177).contains(&asked), "{asked} blocks");
    // The lookup itself is answered all the same.
    let found = network.run(get).unwrap().unwrap();
    assert_eq!(found.key, "folder/0");
}

#[test]
fn fault_t4_broken_messages_change_nothing() {
    let source = source();
    let (mut network, mailbox) = hostile(&source);
    for length in 0..64_u8 {
        let message: Vec<u8> = (0..length)
            .map(|i: u8| i.wrapping_mul(37) ^ length)
            .collect();
        network.near.handle_mail(NAME, message.into());
        attend(&mut network.ours);
    }
    network.near.handle_mail(NAME, vec![0x0a; 1 << 20].into());
    attend(&mut network.ours);
    assert_eq!(network.fetch(), 0);
    assert!(mailbox.try_receive().is_none(), "nothing was answered");
    let reader = network.reader.clone();
    assert!(network.run(reader.get("folder/0")).unwrap().is_some());
}

#[test]
fn a_log_has_one_exchange_which_ends_with_the_trie() {
    let trie = common::trie();
    let mut lookups = Box::pin(trie.lookups().unwrap());
    assert!(matches!(trie.lookups(), Err(TrieError::Mailbox(_))));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(lookups.as_mut().poll(&mut cx).is_pending());
    let feed = trie.feed().clone();
    drop(trie);
    assert!(lookups.as_mut().poll(&mut cx).is_ready());
    drop(lookups);
    let again = common::open(feed.clone(), Options::new());
    let mut lookups = Box::pin(again.lookups().unwrap());
    assert!(lookups.as_mut().poll(&mut cx).is_pending());
    feed.close().unwrap();
    assert!(lookups.as_mut().poll(&mut cx).is_ready());
}
