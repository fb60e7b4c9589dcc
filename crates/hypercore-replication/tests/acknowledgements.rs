//! Whoever asks for it is told which blocks a peer has stored.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{Link, Ours, World, block, reader, writer};
use futures_lite::{StreamExt, future};
use hypercore::{Events, Feed, FeedEvent};
use hypercore_protocol::Role;
use hypercore_replication::Config;

const SOON: Duration = Duration::from_secs(10);

fn config(live: bool, ack: bool) -> Config {
    let mut config = Config::default();
    config.live = live;
    config.ack = ack;
    config
}

fn link<'a>(live: bool, (a, asks): (&Feed, bool), (b, other_asks): (&Feed, bool)) -> Link<'a> {
    Link::new(
        Ours::new(Role::Initiator, config(live, asks), &[a]),
        Ours::new(Role::Responder, config(live, other_asks), &[b]),
    )
}

/// The blocks that were acknowledged since the last call, in order of their index.
fn acknowledged(events: &mut Events) -> Vec<u64> {
    let mut blocks = Vec::new();
    while let Some(Some(event)) = future::block_on(future::poll_once(events.next())) {
        if let FeedEvent::Acknowledged { index, .. } = event {
            blocks.push(index);
        }
    }
    blocks.sort_unstable();
    blocks
}

/// Connects two logs until one has all that the other has.
fn exchange(a: (&Feed, bool), b: (&Feed, bool)) {
    let mut world = World::new([link(false, a, b)]);
    let length = a.0.length().max(b.0.length());
    let all = [a.0, b.0].map(|feed| feed.download(0..length));
    let [one, other] = all;
    let both = future::zip(one, other);
    let (one, other) = world.run(SOON, both).expect("both have everything");
    one.and(other).unwrap();
    world.settle();
}

fn append(feed: &Feed, blocks: u64) {
    for _ in 0..blocks {
        feed.append(block(feed.length())).unwrap();
    }
}

#[test]
fn what_is_appended_to_a_live_log_is_acknowledged() {
    let (author, copy) = (writer(), reader());
    let (mut told, mut other) = (author.events(), copy.events());
    let mut world = World::new([link(true, (&author, true), (&copy, false))]);
    let all = copy.download(0..3);
    append(&author, 3);
    world.run(SOON, all).unwrap().unwrap();
    world.settle();
    assert_eq!(acknowledged(&mut told), [0, 1, 2]);
    assert!(acknowledged(&mut other).is_empty());
}

#[test]
fn only_what_is_stored_is_acknowledged() {
    let (author, copy) = (writer(), reader());
    let mut told = author.events();
    append(&author, 3);
    exchange((&author, false), (&copy, false));
    assert!(acknowledged(&mut told).is_empty());
    append(&author, 2);
    exchange((&author, true), (&copy, false));
    assert_eq!(acknowledged(&mut told), [3, 4]);
}

#[test]
fn each_connection_asks_for_itself() {
    let author = writer();
    append(&author, 3);
    let mut told = author.events();
    let copies = [reader(), reader(), reader()];
    for (asks, copy) in [true, false, true].into_iter().zip(&copies) {
        let mut others = copy.events();
        // That the copy asks too changes nothing: it sends no blocks.
        exchange((&author, asks), (copy, true));
        let expected: &[u64] = if asks { &[0, 1, 2] } else { &[] };
        assert_eq!(acknowledged(&mut told), expected);
        assert!(acknowledged(&mut others).is_empty());
    }
}

#[test]
fn the_peer_that_stored_a_block_is_named() {
    let author = writer();
    append(&author, 2);
    let mut told = author.events();
    let (one, other) = (reader(), reader());
    let mut world = World::new([
        link(true, (&author, true), (&one, false)),
        link(true, (&author, true), (&other, false)),
    ]);
    world.run(SOON, one.get(0)).unwrap().unwrap();
    world.run(SOON, other.get(1)).unwrap().unwrap();
    world.settle();
    let mut peers = BTreeMap::new();
    while let Some(Some(event)) = future::block_on(future::poll_once(told.next())) {
        if let FeedEvent::Acknowledged { peer, index } = event {
            assert!(peers.insert(index, peer).is_none(), "block {index} twice");
        }
    }
    let stats: BTreeMap<_, _> = author.peer_stats().into_iter().collect();
    assert_eq!(peers.len(), 2);
    assert_ne!(peers[&0], peers[&1]);
    assert!(peers.values().all(|peer| stats[peer].uploaded_blocks == 1));
}

#[test]
fn copies_acknowledge_to_copies() {
    let (author, middle, last) = (writer(), reader(), reader());
    append(&author, 3);
    let mut told = [author.events(), middle.events(), last.events()];
    let mut world = World::new([
        link(true, (&author, true), (&middle, true)),
        link(true, (&middle, true), (&last, true)),
    ]);
    let (all, _also) = (last.download(0..3), middle.download(0..3));
    world.run(SOON, all).unwrap().unwrap();
    world.settle();
    assert_eq!(
        told.each_mut().map(acknowledged),
        [vec![0, 1, 2], vec![0, 1, 2], vec![]]
    );
}

/// An author and nine copies that meet two at a time.
#[test]
fn a_network_of_copies_acknowledges_along_the_way_of_the_blocks() {
    enum Step {
        Append(u64),
        Meet(usize, usize, &'static [u64], &'static [u64]),
    }
    use Step::{Append, Meet};

    let nodes: Vec<Feed> = (0..10)
        .map(|node| if node == 0 { writer() } else { reader() })
        .collect();
    let mut told: Vec<Events> = nodes.iter().map(Feed::events).collect();
    for step in [
        Append(1),
        Meet(0, 1, &[0], &[]),
        Append(2),
        Meet(1, 2, &[0], &[]),
        Meet(0, 1, &[1, 2], &[]),
        Append(3),
        Meet(0, 5, &[0, 1, 2, 3, 4, 5], &[]),
        Meet(2, 5, &[], &[1, 2, 3, 4, 5]),
        Meet(5, 6, &[0, 1, 2, 3, 4, 5], &[]),
        Meet(1, 6, &[], &[3, 4, 5]),
        Append(2),
        Meet(4, 2, &[], &[0, 1, 2, 3, 4, 5]),
        Meet(0, 7, &[0, 1, 2, 3, 4, 5, 6, 7], &[]),
        Meet(4, 7, &[], &[6, 7]),
        Meet(4, 5, &[6, 7], &[]),
        Meet(5, 8, &[0, 1, 2, 3, 4, 5, 6, 7], &[]),
        Append(3),
        Meet(0, 8, &[8, 9, 10], &[]),
        Meet(5, 9, &[0, 1, 2, 3, 4, 5, 6, 7], &[]),
        Meet(8, 4, &[8, 9, 10], &[]),
        Append(4),
        Meet(9, 0, &[], &[8, 9, 10, 11, 12, 13, 14]),
        Meet(2, 9, &[], &[6, 7, 8, 9, 10, 11, 12, 13, 14]),
    ] {
        match step {
            Append(blocks) => append(&nodes[0], blocks),
            Meet(a, b, of_a, of_b) => {
                exchange((&nodes[a], true), (&nodes[b], true));
                assert_eq!(acknowledged(&mut told[a]), of_a, "{a} of {b}");
                assert_eq!(acknowledged(&mut told[b]), of_b, "{b} of {a}");
            }
        }
    }
}
