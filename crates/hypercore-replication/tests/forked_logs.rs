//! An author who has signed two logs is found out between peers, also where the proofs that they exchange
//! have no node in common.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Link, Ours, World, block, pair, reader, writer, writer_of};
use futures_lite::{StreamExt, future};
use hypercore::{Events, Feed, FeedEvent};
use hypercore_protocol::Role;
use hypercore_replication::Config;

const SOON: Duration = Duration::from_secs(30);

/// A log of the same author that has so many blocks in common with others, and is another one after.
fn forked(common: u64, length: u64) -> Feed {
    let feed = writer();
    for index in 0..length {
        match index < common {
            true => feed.append(block(index)).unwrap(),
            false => feed.append(format!("other {index}")).unwrap(),
        };
    }
    feed
}

fn meet<'a>(copy: &Feed, other: &Feed) -> World<'a> {
    let ours = Ours::new(Role::Initiator, Config::default(), &[copy]);
    let theirs = Ours::new(Role::Responder, Config::default(), &[other]);
    World::new([Link::new(ours, theirs).delayed(Duration::from_millis(10))])
}

fn told(events: &mut Events) -> Vec<FeedEvent> {
    let mut all = Vec::new();
    while let Some(Some(event)) = future::block_on(future::poll_once(events.next())) {
        all.push(event);
    }
    all
}

#[track_caller]
fn check_fork(copy: &Feed, events: &mut Events, lengths: (u64, u64)) {
    let proof = copy.fork().expect("the evidence is kept");
    proof.verify(&pair().public).unwrap();
    assert_eq!((proof.first.length, proof.second.length), lengths);
    let told = told(events);
    let forks = told
        .iter()
        .filter(|event| matches!(event, FeedEvent::Forked(_)));
    assert_eq!(forks.count(), 1, "{told:?}");
    let blames = told
        .iter()
        .any(|event| matches!(event, FeedEvent::Refused { .. }));
    assert!(!blames, "nobody has lied: {told:?}");
}

#[test]
fn a_longer_log_whose_proof_shares_no_node_is_compared() {
    // The proof of the greater length has neither root of the shorter one.
    for (common, short, long) in [
        (2, 5, 9),
        (0, 1, 4),
        (3, 4, 64),
        (100, 101, 1000),
        (6, 7, 33),
    ] {
        let copy = reader();
        let mut world = meet(&copy, &writer_of(short));
        world.run(SOON, copy.get(short - 1)).unwrap().unwrap();
        drop(world);
        assert_eq!(copy.length(), short);
        let mut events = copy.events();
        let mut world = meet(&copy, &forked(common, long));
        let grew = world.run(SOON, copy.update());
        world.pass(Duration::from_secs(1));
        assert!(grew.unwrap().unwrap(), "the proof of the length is good");
        check_fork(&copy, &mut events, (short, long));
    }
}

#[test]
fn a_log_that_grew_is_no_fork() {
    for (short, long) in [(5, 9), (1, 2), (4, 64), (101, 1000)] {
        let copy = reader();
        let mut world = meet(&copy, &writer_of(short));
        world.run(SOON, copy.get(short - 1)).unwrap().unwrap();
        drop(world);
        let mut world = meet(&copy, &writer_of(long));
        assert!(world.run(SOON, copy.update()).unwrap().unwrap());
        world.pass(Duration::from_secs(1));
        assert_eq!((copy.length(), copy.fork()), (long, None));
        world.run(SOON, copy.download(0..long)).unwrap().unwrap();
    }
}

/// The remote's proofs lean on nodes that we have said to know, and that are others with it.
#[test]
fn a_remote_that_extends_another_log_is_not_taken_for_a_liar_for_ever() {
    for (common, length) in [(2, 5), (0, 3), (7, 8), (90, 100)] {
        let copy = reader();
        let mut world = meet(&copy, &writer_of(length));
        world.run(SOON, copy.download(0..length)).unwrap().unwrap();
        drop(world);
        let mut events = copy.events();
        let other = forked(common, length);
        let mut world = meet(&copy, &other);
        world.settle();
        other.append("one more").unwrap();
        assert!(world.run(SOON, copy.get(length)).is_none());
        let proof = copy.fork().expect("the evidence is kept");
        proof.verify(&pair().public).unwrap();
        let found = told(&mut events);
        assert!(
            found
                .iter()
                .any(|event| matches!(event, FeedEvent::Forked(_)))
        );
    }
}
