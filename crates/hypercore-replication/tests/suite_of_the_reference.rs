//! Cases of the reference's own suite that have no other place here.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Link, Ours, World, block, reader, writer, writer_of};
use hypercore::{Codec, CodecError, Feed, ReadError, Stats};
use hypercore_protocol::{Protection, Role, Timestamp, Unprotected};
use hypercore_replication::Config;

const SOON: Duration = Duration::from_secs(5);

fn link_with<'a>(config: &Config, a: &[&Feed], b: &[&Feed]) -> Link<'a> {
    Link::new(
        Ours::new(Role::Initiator, config.clone(), a),
        Ours::new(Role::Responder, config.clone(), b),
    )
}

#[test]
fn a_log_that_is_opened_twice_on_a_connection_is_replicated_once() {
    let (writer, reader) = (writer_of(1), reader());
    let mut config = Config::default();
    config.live = false;
    let mut twice = Ours::new(Role::Initiator, config.clone(), &[&writer]);
    assert_eq!(writer.peers(), 1);
    twice.replicator.open(Timestamp::default(), &writer);
    assert_eq!(writer.peers(), 1);
    let other = Ours::new(Role::Responder, config, &[&reader]);
    let watch = twice.watch.clone();
    let mut world = World::new([Link::new(twice, other)]);
    let all = reader.download(0..1);
    world.run(SOON, all).unwrap().unwrap();
    world.settle();
    assert_eq!((watch.opened(), watch.closed()), (1, 1));
    assert_eq!(watch.error(), None);
    // Nobody is waited for any longer.
    assert_eq!((writer.peers(), reader.peers()), (0, 0));
    assert!(!world.run(SOON, reader.update()).unwrap().unwrap());
}

#[test]
fn a_log_is_not_replicated_over_a_connection_that_has_ended() {
    let writer = writer_of(1);
    let mut ended = Ours::new(Role::Responder, Config::default(), &[]);
    let garbage = [0xff; 100];
    let result = ended
        .replicator
        .handle_input(Timestamp::default(), &garbage);
    assert!(result.is_err());
    ended.replicator.open(Timestamp::default(), &writer);
    assert_eq!(writer.peers(), 0);
}

#[test]
fn without_any_limit_of_time_everything_arrives() {
    let mut config = Config::default();
    config.protocol.idle_timeout = None;
    config.protocol.keep_alive = None;
    let (writer, reader) = (writer_of(5), reader());
    let mut world = World::new([link_with(&config, &[&writer], &[&reader])]);
    for index in 0..5 {
        let got = world.run(SOON, reader.get(index)).unwrap();
        assert_eq!(got.unwrap(), block(index));
    }
    // However long nothing is said.
    world.pass(Duration::from_secs(3600));
    writer.append(block(5)).unwrap();
    let got = world.run(SOON, reader.get(5)).unwrap();
    assert_eq!(got.unwrap(), block(5));
}

#[test]
fn without_a_handshake_blocks_arrive_and_nobody_is_known() {
    let mut config = Config::default();
    let on_purpose = Unprotected::readable_by_anybody_on_the_way();
    config.protocol.protection = Protection::Plain(on_purpose);
    let (writer, reader) = (writer_of(3), reader());
    let ours = Ours::new(Role::Initiator, config.clone(), &[&writer]);
    assert_eq!(ours.replicator.connection().remote_public_key(), None);
    let theirs = Ours::new(Role::Responder, config, &[&reader]);
    let mut world = World::new([Link::new(ours, theirs)]);
    let got = world.run(SOON, reader.get(2)).unwrap();
    assert_eq!(got.unwrap(), block(2));
}

#[test]
fn a_get_is_given_up_when_its_time_is_over() {
    let (writer, reader) = (writer_of(3), reader());
    let mut world = World::of_two(&[&writer], &[&reader]);
    let tenth = Duration::from_millis(100);
    assert!(world.run(tenth, reader.get(42)).is_none());
    assert!(world.run(tenth, reader.get(2)).is_some());
}

#[test]
fn an_update_brings_hashes_and_the_head_its_block() {
    let (writer, reader) = (writer_of(4), reader());
    let mut world = World::of_two(&[&writer], &[&reader]);
    assert!(world.run(SOON, reader.update()).unwrap().unwrap());
    assert!(!reader.has(3));
    let head = world.run(SOON, reader.head()).unwrap().unwrap();
    assert_eq!(head.unwrap(), block(3));
    assert!(reader.has(3));
}

#[test]
fn a_copy_of_the_last_block_alone_brings_the_length() {
    let (writer, middle, last) = (writer_of(4), reader(), reader());
    let config = Config::default();
    let mut world = World::new([
        link_with(&config, &[&writer], &[&middle]),
        link_with(&config, &[&middle], &[&last]),
    ]);
    world.run(SOON, middle.get(3)).unwrap().unwrap();
    assert!(world.run(SOON, last.update()).unwrap().unwrap());
    assert_eq!((middle.length(), last.length()), (4, 4));
}

/// A number in decimal digits.
struct Decimal;

impl Codec for Decimal {
    type Value = u32;

    fn encode(&self, value: &u32) -> Result<Vec<u8>, CodecError> {
        Ok(value.to_string().into_bytes())
    }

    fn decode(&self, bytes: &[u8]) -> Result<u32, CodecError> {
        Ok(std::str::from_utf8(bytes)?.parse()?)
    }
}

#[test]
fn messages_of_mailboxes_are_encoded_as_blocks_are() {
    let (a, b) = (writer(), reader());
    let (at_a, at_b) = (a.mailbox("sums").unwrap(), b.mailbox("sums").unwrap());
    let mut world = World::of_two(&[&a], &[&b]);
    world.settle();
    at_a.broadcast(Decimal.encode(&20).unwrap()).unwrap();
    let (from, question) = world.run(SOON, at_b.receive()).unwrap().unwrap();
    let sum = Decimal.decode(&question).unwrap() + 3;
    at_b.send(from, Decimal.encode(&sum).unwrap()).unwrap();
    let (_, answer) = world.run(SOON, at_a.receive()).unwrap().unwrap();
    assert_eq!(Decimal.decode(&answer).unwrap(), 23);
}

#[test]
fn each_of_two_peers_is_counted_for_itself() {
    let (writer, one, other) = (writer_of(5), reader(), reader());
    let config = Config::default();
    let mut world = World::new([
        link_with(&config, &[&writer], &[&one]),
        link_with(&config, &[&writer], &[&other]),
    ]);
    for copy in [&one, &other] {
        world.run(SOON, copy.download(0..5)).unwrap().unwrap();
    }
    let bytes = writer.byte_length();
    let total = writer.stats();
    assert_eq!(
        (total.uploaded_blocks, total.uploaded_bytes),
        (10, 2 * bytes)
    );
    let peers: Vec<Stats> = writer.peer_stats().into_iter().map(|peer| peer.1).collect();
    assert_eq!(peers.len(), 2);
    for peer in &peers {
        assert_eq!((peer.uploaded_blocks, peer.uploaded_bytes), (5, bytes));
    }
    for copy in [&one, &other] {
        let [(_, peer)] = copy.peer_stats()[..] else {
            panic!("each copy has one peer");
        };
        assert_eq!((peer.downloaded_blocks, peer.downloaded_bytes), (5, bytes));
    }
}

#[test]
fn a_get_goes_on_when_uploading_is_switched_on_again() {
    let (writer, reader) = (writer_of(4), reader());
    let mut world = World::of_two(&[&writer], &[&reader]);
    world.run(SOON, reader.get(0)).unwrap().unwrap();
    writer.set_uploading(false);
    let get = reader.get(3);
    let mut get = std::pin::pin!(get);
    assert!(world.run(SOON, get.as_mut()).is_none());
    writer.set_uploading(true);
    let got: Result<_, ReadError> = world.run(SOON, get).unwrap();
    assert_eq!(got.unwrap(), block(3));
}
