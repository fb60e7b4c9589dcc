//! The wire layer alone: two connections in one thread, no socket and no clock.
#![allow(missing_docs, clippy::unwrap_used)]

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hypercore_crypto::{Hash, KeyPair};
use hypercore_protocol::{
    Channel, Config, Connection, Data, Event, Message, Node, Protection, Request, Role, Secrets,
    Timestamp, Unprotected,
};

const NOW: Timestamp = Timestamp::from_start(std::time::Duration::ZERO);

/// Both sides of a handshake: four key exchanges, three messages.
fn handshake(c: &mut Criterion) {
    c.bench_function("wire/handshake", |b| {
        b.iter(|| connected(Protection::Encrypted))
    });
}

/// Data frames from one side to the other: encode, encrypt, cut, decrypt, decode.
fn data(c: &mut Criterion) {
    for (name, protection) in [
        ("encrypted", Protection::Encrypted),
        (
            "plain",
            Protection::Plain(Unprotected::readable_by_anybody_on_the_way()),
        ),
    ] {
        let mut group = c.benchmark_group(format!("wire/data/{name}"));
        for size in [512, 16 << 10, 64 << 10] {
            let (mut sender, mut receiver, channel) = opened(protection);
            let block = Message::Data(Data {
                index: 1 << 20,
                value: Some(Bytes::from(vec![7; size])),
                // As many as a block costs on average when a log is read in order.
                nodes: vec![Node {
                    index: 2,
                    hash: Hash::from_bytes([9; 32]),
                    size: size as u64,
                }],
                signature: None,
            });
            // About what a socket takes and gives at once.
            let batch = (64 << 10) / size;
            group.throughput(Throughput::Bytes((batch * size) as u64));
            group.bench_function(BenchmarkId::from_parameter(size), |b| {
                b.iter(|| {
                    for _ in 0..batch {
                        sender.send(channel, block.clone()).unwrap();
                    }
                    assert_eq!(carry(&mut sender, &mut receiver), batch);
                });
            });
        }
    }
}

/// Small messages, which are what a peer reads most of.
fn requests(c: &mut Criterion) {
    let (mut sender, mut receiver, channel) = opened(Protection::Encrypted);
    let request = Message::Request(Request {
        index: 1 << 20,
        nodes: 1,
        ..Request::default()
    });
    let batch = 1000;
    let mut group = c.benchmark_group("wire");
    group.throughput(Throughput::Elements(batch as u64));
    group.bench_function("requests", |b| {
        b.iter(|| {
            for _ in 0..batch {
                sender.send(channel, request.clone()).unwrap();
            }
            assert_eq!(carry(&mut sender, &mut receiver), batch);
        });
    });
}

/// Carries what waits, in pieces of at most 64 KiB; returns the number of messages that arrived.
fn carry(from: &mut Connection, to: &mut Connection) -> usize {
    let mut arrived = 0;
    while let Some(bytes) = from.poll_transmit() {
        for piece in bytes.chunks(64 << 10) {
            to.handle_input(NOW, piece).unwrap();
        }
        while let Some(event) = to.poll_event() {
            arrived += usize::from(matches!(event, Event::Message(..)));
        }
    }
    arrived
}

fn opened(protection: Protection) -> (Connection, Connection, Channel) {
    let (mut sender, mut receiver) = connected(protection);
    let key = KeyPair::from_seed(&[5; 32]).public;
    let channel = sender.open(&key).unwrap();
    receiver.open(&key).unwrap();
    carry(&mut sender, &mut receiver);
    carry(&mut receiver, &mut sender);
    (sender, receiver, channel)
}

fn connected(protection: Protection) -> (Connection, Connection) {
    let mut config = Config::default();
    config.protection = protection;
    let secrets = |i: u8| Secrets {
        static_key: [i; 32],
        ephemeral_key: [i + 1; 32],
        nonce: [i; 24],
    };
    let mut initiator = Connection::new(Role::Initiator, secrets(1), config.clone(), NOW);
    let mut responder = Connection::new(Role::Responder, secrets(3), config, NOW);
    carry(&mut initiator, &mut responder);
    carry(&mut responder, &mut initiator);
    carry(&mut initiator, &mut responder);
    (initiator, responder)
}

criterion_group!(benches, handshake, data, requests);
criterion_main!(benches);
