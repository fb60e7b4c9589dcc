//! The packets that end a process of the reference are answered with an error, or not at all.
#![allow(clippy::unwrap_used)]

mod common;

use common::{START, address, events, give, id, persistent, query, response_to, sent};
use hypercore_crypto::KeyPair;
use hyperswarm_dht::wire::{Kind, Message, Mutable, PeersRequest, command};
use hyperswarm_dht::{Dht, Id, SignedValue};

const FROM: u32 = 7;

#[test]
fn queries_without_a_value() {
    for command in [command::PEERS, command::MUTABLE] {
        let mut dht = persistent(1);
        let sent = give(
            &mut dht,
            START,
            address(FROM),
            &query(1, command, Some(&id(3))).encode(),
        );
        let answer = Message::decode(&sent[0].bytes).unwrap();
        assert_eq!(answer.error, Some("ERR_INVALID_INPUT"), "{command}");
        assert_eq!(answer.token, None);
        assert!(answer.closer_nodes.is_some());
    }
}

#[test]
fn updates_without_a_value() {
    for command in [command::PEERS, command::MUTABLE, command::IMMUTABLE] {
        let error = update(&mut persistent(1), command, Some(&id(3)), None);
        assert_eq!(error.unwrap(), "ERR_INVALID_INPUT", "{command}");
    }
}

#[test]
fn mutable_values_of_wrong_sizes() {
    let pair = KeyPair::from_seed(&[1; 32]);
    let target = Id::from_bytes(*pair.public.as_bytes());
    let good = SignedValue::sign(&pair, b"value", 1, None).unwrap();
    let record = Mutable {
        value: Some(&good.value),
        signature: Some(good.signature.as_bytes()),
        seq: Some(1),
        salt: None,
    };
    let long = [0; 1001];
    let signature = good.signature.as_bytes();
    let longer = [&signature[..], &[0]].concat();
    let records = [
        Mutable {
            signature: Some(&signature[..63]),
            ..record
        },
        Mutable {
            signature: Some(&longer),
            ..record
        },
        Mutable {
            value: Some(&long),
            ..record
        },
        Mutable {
            salt: Some(&long[..65]),
            ..record
        },
    ];
    let mut dht = persistent(1);
    for record in records {
        let error = update(
            &mut dht,
            command::MUTABLE,
            Some(&target),
            Some(&record.encode()),
        );
        assert_eq!(error.unwrap(), "ERR_INVALID_INPUT", "{record:?}");
    }
    assert_eq!(dht.stored_values(), 0);
    assert_eq!(
        update(
            &mut dht,
            command::MUTABLE,
            Some(&target),
            Some(&record.encode())
        ),
        None
    );
    assert_eq!(dht.stored_values(), 1);
}

#[test]
fn targets_that_are_no_ids() {
    let short = [1; 31];
    for kind in [Kind::Query, Kind::Update] {
        for target in [None, Some(&short[..]), Some(&[][..])] {
            let mut dht = persistent(1);
            let token = token(&mut dht);
            let message = Message {
                command: Some(command::MUTABLE),
                target,
                token: (kind == Kind::Update).then_some(&token),
                value: Some(b""),
                ..Message::new(kind, 1)
            };
            assert_eq!(give(&mut dht, START, address(FROM), &message.encode()), []);
        }
    }
}

/// An asker of the reference dies of an answer whose `to` has port 0.
#[test]
fn answers_with_a_port_of_zero() {
    let mut dht = persistent(1);
    let ping = dht.ping(START, address(FROM));
    let sent = sent(&mut dht);
    let mut answer = response_to(&sent[0], &Id::from_bytes([9; 32])).encode();
    let mut message = Message::decode(&answer).unwrap();
    message.to = Some(&[1, 2, 3, 4, 0, 0]);
    answer = message.encode();
    give(&mut dht, START, address(FROM), &answer);
    let seen = events(&mut dht);
    assert!(
        matches!(&seen[0], hyperswarm_dht::Event::Pong { query, observed: None, .. } if *query == ping),
        "{seen:?}"
    );
}

#[test]
fn ports_beyond_the_last() {
    let mut dht = persistent(1);
    for (port, error) in [(65_535, None), (65_536, Some("Invalid port"))] {
        let value = PeersRequest {
            port: Some(port),
            ..PeersRequest::default()
        }
        .encode();
        let answer = update(&mut dht, command::PEERS, Some(&id(3)), Some(&value));
        assert_eq!(answer.as_deref(), error);
    }
}

#[test]
fn datagrams_that_are_none() {
    let good = query(1, command::FIND_NODE, Some(&id(3))).encode();
    let short_id = Message {
        id: Some(&[1; 31]),
        ..Message::decode(&good).unwrap()
    }
    .encode();
    let long_error = "e".repeat(257);
    let text = Message {
        error: Some(&long_error),
        ..Message::decode(&good).unwrap()
    }
    .encode();
    let mut too_long = good.clone();
    too_long.extend([0x7a, 0xff, 0x0f]);
    too_long.resize(2049, 0);
    let bad: &[&[u8]] = &[
        b"",
        b"\x08",
        &good[..good.len() - 1],
        &[&good[..], &[0x7b]].concat(),
        &[&good[..], &[0x3a, 0x02, 0xff, 0xfe]].concat(),
        &[0x08, 0x04, 0x10, 0x01],
        &[0x08, 0x01],
        &[0x10, 0x01],
        &[
            0x08, 0x01, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02,
        ],
        &short_id,
        &text,
        &too_long,
    ];
    let mut dht = persistent(1);
    for bytes in bad {
        assert_eq!(
            give(&mut dht, START, address(FROM), bytes),
            [],
            "{bytes:02x?}"
        );
    }
    assert_eq!(give(&mut dht, START, address(FROM), &good).len(), 1);
    // Unknown fields are nobody's business, and the order is free.
    let unknown = [&[0x7a, 2, 1, 2, 0xf8, 1, 5][..], &good].concat();
    assert_eq!(give(&mut dht, START, address(FROM), &unknown).len(), 1);
}

/// The error that an order is answered with.
fn update(
    dht: &mut Dht,
    command: &str,
    target: Option<&Id>,
    value: Option<&[u8]>,
) -> Option<String> {
    let token = token(dht);
    let message = Message {
        kind: Kind::Update,
        token: Some(&token),
        value,
        ..query(2, command, target)
    };
    let sent = give(dht, START, address(FROM), &message.encode());
    let answer = Message::decode(&sent[0].bytes).unwrap();
    answer.error.map(str::to_owned)
}

fn token(dht: &mut Dht) -> Vec<u8> {
    let sent = give(
        dht,
        START,
        address(FROM),
        &query(1, command::PING, None).encode(),
    );
    let answer = Message::decode(&sent[0].bytes).unwrap();
    answer.token.unwrap().to_vec()
}
