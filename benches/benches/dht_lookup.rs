//! The DHT: messages, what one node answers, and whole lookups through a simulated network. No socket
//! and no clock.
#![allow(missing_docs, clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hyperswarm_dht::wire::{Kind, Message, Node, command, encode_nodes, encode_peer};
use hyperswarm_dht::{Config, Dht, Id, Timestamp};

#[path = "../../crates/hyperswarm-dht/tests/sim/mod.rs"]
mod sim;

use sim::{Link, World};

const NOW: Timestamp = Timestamp::from_start(Duration::ZERO);

/// The longest message that is common: an answer with 20 nodes.
fn message(c: &mut Criterion) {
    let nodes: Vec<Node> = (0..20).map(node).collect();
    let (to, nodes) = (encode_peer(nodes[0].address), encode_nodes(&nodes));
    let id = id(1);
    let message = Message {
        to: Some(&to),
        id: Some(id.as_bytes()),
        closer_nodes: Some(&nodes),
        token: Some(&[7; 32]),
        ..Message::new(Kind::Response, 1 << 20)
    };
    let datagram = message.encode();
    let mut group = c.benchmark_group("dht/message");
    group.throughput(Throughput::Bytes(datagram.len() as u64));
    group.bench_function("encode", |b| b.iter(|| message.encode()));
    group.bench_function("decode", |b| b.iter(|| Message::decode(&datagram).unwrap()));
    group.finish();
}

/// A question taken in and answered by a node that knows many others and keeps many records.
fn answer(c: &mut Criterion) {
    let mut group = c.benchmark_group("dht/answer");
    group.throughput(Throughput::Elements(1));
    for nodes in [20, 200, 2000] {
        let mut dht = knowing(nodes);
        for (name, command, value) in [
            ("ping", command::PING, None),
            ("find_node", command::FIND_NODE, None),
            ("lookup", command::PEERS, Some(&b""[..])),
        ] {
            let mut count = 0_u32;
            let name = BenchmarkId::new(name, nodes);
            group.bench_function(name, |b| {
                b.iter(|| {
                    // Another target each time, as from many askers on this machine, which no limit
                    // holds back.
                    count += 1;
                    let target = id(count % 4096);
                    let target = (command != command::PING).then_some(&target.as_bytes()[..]);
                    let question = Message {
                        command: Some(command),
                        target,
                        value,
                        ..Message::new(Kind::Query, count.into())
                    };
                    let from = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5000);
                    dht.handle_datagram(NOW, from.into(), &question.encode());
                    while dht.poll_event().is_some() {}
                    dht.poll_transmit().unwrap()
                });
            });
        }
    }
    group.finish();
}

/// A whole lookup, from the question of a fresh client to its end, with all that the nodes asked do.
fn lookup(c: &mut Criterion) {
    let mut group = c.benchmark_group("dht/lookup");
    group.sample_size(20);
    for nodes in [100, 300] {
        let mut world = World::of(nodes, 1, Link::world());
        let topic = world.random_id();
        let announcer = world.client();
        world.announce(announcer, topic).unwrap();
        let address = world.hosts[announcer].address;
        let client = world.client();
        group.bench_function(BenchmarkId::from_parameter(nodes), |b| {
            b.iter(|| {
                let (found, summary) = world.look_up(client, topic, address);
                // Its clock goes on, and records are forgotten after a while.
                if found.is_none() {
                    world.announce(announcer, topic).unwrap();
                }
                summary.unwrap()
            });
        });
    }
    group.finish();
}

/// A persistent node that so many have answered.
fn knowing(nodes: u32) -> Dht {
    let mut config = Config::default();
    config.ephemeral = false;
    config.max_table_nodes = 4096;
    let mut dht = Dht::new(config, [9; 32], NOW);
    for i in 0..nodes {
        let node = node(i);
        dht.ping(NOW, node.address);
        let ping = dht.poll_transmit().unwrap();
        let rid = Message::decode(&ping.bytes).unwrap().rid;
        let answer = Message {
            id: Some(node.id.as_bytes()),
            ..Message::new(Kind::Response, rid)
        };
        dht.handle_datagram(NOW, node.address.into(), &answer.encode());
        while dht.poll_transmit().is_some() {}
        while dht.poll_event().is_some() {}
    }
    dht
}

fn node(i: u32) -> Node {
    let [_, a, b, c] = i.to_be_bytes();
    Node {
        id: id(i),
        address: SocketAddrV4::new(Ipv4Addr::new(20 + a, b, c, 1), 49_737),
    }
}

/// Ids by number, all over the space.
fn id(i: u32) -> Id {
    let mut bytes = [0; 32];
    for (at, piece) in (0..).zip(bytes.chunks_mut(4)) {
        let mixed = (i.wrapping_add(77 * at)).wrapping_mul(0x9e37_79b9);
        piece.copy_from_slice(
            &(mixed ^ mixed >> 15)
                .wrapping_mul(0x85eb_ca6b)
                .to_be_bytes(),
        );
    }
    Id::from_bytes(bytes)
}

criterion_group!(benches, message, answer, lookup);
criterion_main!(benches);
