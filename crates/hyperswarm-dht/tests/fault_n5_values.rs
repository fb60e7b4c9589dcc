//! Values of others are kept only when they are right, and never replaced by older ones.
#![allow(clippy::unwrap_used)]

mod common;

use common::{
    START, address, after, events, give, id, pass, query, response_to, sent, with_config,
};
use hypercore_crypto::{KeyPair, Signature};
use hyperswarm_dht::wire::{Kind, Message, Mutable, Node, command, encode_nodes};
use hyperswarm_dht::{Dht, Event, FoundValue, Id, SignedValue};

fn pair() -> KeyPair {
    KeyPair::from_seed(&[1; 32])
}

fn key() -> Id {
    Id::from_bytes(*pair().public.as_bytes())
}

fn signed(value: &[u8], seq: u64) -> SignedValue {
    SignedValue::sign(&pair(), value, seq, None).unwrap()
}

fn encode(value: &SignedValue) -> Vec<u8> {
    let record = Mutable {
        value: Some(&value.value),
        signature: Some(value.signature.as_bytes()),
        seq: Some(value.seq),
        salt: value.salt.as_deref(),
    };
    record.encode()
}

/// Orders a node to store something; the error, if there is one.
fn store(dht: &mut Dht, from: u32, command: &str, target: Id, value: &[u8]) -> Option<String> {
    let from = address(from);
    let pong = give(dht, START, from, &query(1, command::PING, None).encode());
    let token = Message::decode(&pong[0].bytes)
        .unwrap()
        .token
        .unwrap()
        .to_vec();
    let order = Message {
        kind: Kind::Update,
        token: Some(&token),
        value: Some(value),
        ..query(2, command, Some(&target))
    };
    let sent = give(dht, START, from, &order.encode());
    assert_eq!(sent.len(), 1, "one answer to one request");
    let answer = Message::decode(&sent[0].bytes).unwrap();
    answer.error.map(str::to_owned)
}

fn stored(dht: &mut Dht) -> SignedValue {
    let key = key();
    let question = Message {
        value: Some(b""),
        ..query(3, command::MUTABLE, Some(&key))
    };
    let sent = give(dht, START, address(900), &question.encode());
    let answer = Message::decode(&sent[0].bytes).unwrap();
    let record = Mutable::decode(answer.value.unwrap()).unwrap();
    SignedValue {
        key: pair().public,
        salt: None,
        seq: record.seq.unwrap(),
        value: record.value.unwrap().to_vec(),
        signature: Signature::from_bytes(record.signature.unwrap().try_into().unwrap()),
    }
}

#[test]
fn fault_n5_older_and_forged_values_are_refused() {
    let mut dht = with_config(1, |_| ());
    let newest = signed(b"newest", 5);
    let put =
        |dht: &mut Dht, value: &SignedValue| store(dht, 1, command::MUTABLE, key(), &encode(value));
    assert_eq!(put(&mut dht, &newest), None);
    let older = put(&mut dht, &signed(b"older", 4));
    assert_eq!(older.as_deref(), Some("ERR_SEQ_MUST_EXCEED_CURRENT"));
    let conflict = put(&mut dht, &signed(b"other", 5));
    assert_eq!(conflict.as_deref(), Some("ERR_INVALID_SEQ"));
    let mut forged = signed(b"forged", 6);
    forged.value = b"other".to_vec();
    assert_eq!(put(&mut dht, &forged).as_deref(), Some("ERR_INVALID_INPUT"));
    assert_eq!(stored(&mut dht), newest);
    // The very same again keeps it alive; a newer one takes its place.
    assert_eq!(put(&mut dht, &newest), None);
    let next = signed(b"next", 6);
    assert_eq!(put(&mut dht, &next), None);
    assert_eq!(stored(&mut dht), next);
    assert_eq!(dht.stored_values(), 1);
}

#[test]
fn fault_n5_immutable_values_are_what_their_name_says() {
    let mut dht = with_config(1, |_| ());
    let (name, query) = with_config(2, |_| ())
        .immutable_put(START, b"value")
        .unwrap();
    let _unused = query;
    let put = |dht: &mut Dht, value: &[u8]| store(dht, 1, command::IMMUTABLE, name, value);
    assert_eq!(
        put(&mut dht, b"valuf").as_deref(),
        Some("ERR_INVALID_INPUT")
    );
    assert_eq!(dht.stored_values(), 0);
    assert_eq!(put(&mut dht, b"value"), None);
    assert_eq!(dht.stored_values(), 1);
    let long = vec![7; 1001];
    let error = store(&mut dht, 1, command::IMMUTABLE, name, &long);
    assert_eq!(error.as_deref(), Some("ERR_INVALID_INPUT"));
}

/// The first answers may be old or wrong: the last value that is told is the newest valid one.
#[test]
fn fault_n5_the_highest_valid_number_is_found() {
    let mut dht = with_config(1, |config| config.bootstrap = vec![address(1)]);
    dht.mutable_get(START, &pair().public, None, 2).unwrap();
    let mut outgoing = sent(&mut dht);
    let nodes: Vec<Node> = (0..6_u8)
        .map(|i| Node {
            id: id(0x10 * (i + 1)),
            address: address(10 + u32::from(i)),
        })
        .collect();
    let mut forged = signed(b"forged", 99);
    forged.value = b"another".to_vec();
    let answers = [
        signed(b"two", 2),
        forged,
        signed(b"one", 1),
        signed(b"four", 4),
        signed(b"three", 3),
        SignedValue::sign(&KeyPair::from_seed(&[2; 32]), b"stranger", 50, None).unwrap(),
    ];
    while let Some(request) = outgoing.pop() {
        let at = nodes.iter().position(|it| it.address == request.to);
        let list = encode_nodes(&nodes);
        let value = at.map(|at| encode(&answers[at]));
        let name = at.map_or(id(0xee), |at| nodes[at].id);
        let answer = Message {
            closer_nodes: Some(&list),
            value: value.as_deref(),
            ..response_to(&request, &name)
        };
        outgoing.extend(give(&mut dht, START, request.to, &answer.encode()));
    }
    let found: Vec<u64> = events(&mut dht)
        .into_iter()
        .filter_map(|event| match event {
            Event::Value {
                value: FoundValue::Mutable(value),
                ..
            } => Some(value.seq),
            _ => None,
        })
        .collect();
    assert_eq!(found.last(), Some(&4), "{found:?}");
    assert!(found.is_sorted(), "{found:?}");
}

#[test]
fn values_have_limits() {
    let mut dht = with_config(1, |config| {
        config.max_values = 10;
        config.max_values_per_ip = 3;
    });
    let put = |dht: &mut Dht, from: u32, i: u8| {
        let value = [i, 1];
        let (name, _) = with_config(2, |_| ()).immutable_put(START, &value).unwrap();
        assert_eq!(store(dht, from, command::IMMUTABLE, name, &value), None);
    };
    (0..20).for_each(|i| put(&mut dht, 1, i));
    assert_eq!(dht.stored_values(), 3);
    (20..60).for_each(|i| put(&mut dht, u32::from(i), i));
    assert_eq!(dht.stored_values(), 10);
    pass(&mut dht, after(25 * 3_600_000));
    assert_eq!(dht.stored_values(), 0);
}

/// The longest record there is, beside a full table, still fits.
#[test]
fn the_longest_value_fits_an_answer() {
    let mut dht = with_config(1, |_| ());
    let salt = [9; 64];
    let seq = (1 << 53) - 1;
    let value = SignedValue::sign(&pair(), &[7; 1000], seq, Some(&salt)).unwrap();
    assert_eq!(
        store(&mut dht, 1, command::MUTABLE, key(), &encode(&value)),
        None
    );
    let request = Mutable {
        seq: Some(0),
        salt: Some(&salt),
        ..Mutable::default()
    };
    let key = key();
    let question = Message {
        value: Some(&request.encode()),
        ..query(u64::from(u32::MAX), command::MUTABLE, Some(&key))
    };
    let sent = give(&mut dht, START, address(5), &question.encode());
    println!("{} bytes", sent[0].bytes.len());
    assert!(sent[0].bytes.len() <= hyperswarm_dht::MAX_REPLY_BYTES);
    let answer = Message::decode(&sent[0].bytes).unwrap();
    assert_eq!(answer.value, Some(&encode(&value)[..]));
}
