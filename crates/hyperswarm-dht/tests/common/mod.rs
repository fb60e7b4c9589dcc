//! What the tests share: the vectors, datagrams written by hand, and two nodes and a wire.
#![allow(dead_code, clippy::unwrap_used)]

use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use hyperswarm_dht::wire::{Kind, Message};
use hyperswarm_dht::{Config, Dht, Event, Id, Timestamp, Transmit};
use testkit::vectors::Value;

pub(crate) const START: Timestamp = Timestamp::from_start(Duration::ZERO);

pub(crate) fn vectors() -> Value {
    testkit::vectors::load("tests/vectors/hyperswarm.json")
}

/// A moment after the start.
pub(crate) fn after(millis: u64) -> Timestamp {
    START + Duration::from_millis(millis)
}

/// An address by number: each in a network of its own.
pub(crate) fn address(n: u32) -> SocketAddrV4 {
    let [_, a, b, c] = n.to_be_bytes();
    SocketAddrV4::new([20 + a, b, c, 1].into(), 4000)
}

pub(crate) fn id(byte: u8) -> Id {
    Id::from_bytes([byte; 32])
}

/// A node that shows its id and knows nobody.
pub(crate) fn persistent(seed: u8) -> Dht {
    with_config(seed, |_| ())
}

pub(crate) fn with_config(seed: u8, change: impl FnOnce(&mut Config)) -> Dht {
    let mut config = Config::default();
    config.ephemeral = false;
    change(&mut config);
    Dht::new(config, [seed; 32], START)
}

/// Gives the node a datagram and returns what it sends.
pub(crate) fn give(
    dht: &mut Dht,
    now: Timestamp,
    from: SocketAddrV4,
    bytes: &[u8],
) -> Vec<Transmit> {
    dht.handle_datagram(now, SocketAddr::V4(from), bytes);
    sent(dht)
}

pub(crate) fn sent(dht: &mut Dht) -> Vec<Transmit> {
    std::iter::from_fn(|| dht.poll_transmit()).collect()
}

pub(crate) fn events(dht: &mut Dht) -> Vec<Event> {
    std::iter::from_fn(|| dht.poll_event()).collect()
}

/// A question of an ephemeral node.
pub(crate) fn query<'a>(rid: u64, command: &'a str, target: Option<&'a Id>) -> Message<'a> {
    Message {
        command: Some(command),
        target: target.map(|it| it.as_bytes().as_slice()),
        ..Message::new(Kind::Query, rid)
    }
}

/// An answer to a request that was sent, from a node with an id.
pub(crate) fn response_to<'a>(request: &Transmit, id: &'a Id) -> Message<'a> {
    let rid = Message::decode(&request.bytes).unwrap().rid;
    Message {
        id: Some(id.as_bytes()),
        token: Some(&[7; 32]),
        ..Message::new(Kind::Response, rid)
    }
}

/// Lets time pass until the moment, doing what falls due on the way. Returns what was sent.
pub(crate) fn pass(dht: &mut Dht, until: Timestamp) -> Vec<Transmit> {
    let mut all = sent(dht);
    while let Some(due) = dht.poll_timeout().filter(|due| *due <= until) {
        dht.handle_timeout(due);
        all.extend(sent(dht));
    }
    dht.handle_timeout(until);
    all.extend(sent(dht));
    all
}
