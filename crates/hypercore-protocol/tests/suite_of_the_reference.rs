//! What the reference's own test suites ask of a connection, where no other test of ours does.
//! `docs/parity.md` lists them all.
#![allow(clippy::unwrap_used)]

mod common;

use bytes::Bytes;
use common::{Pair, START, config, events, frame, key, opened, transmit};
use hypercore_protocol::{
    Cancel, Channel, Config, Data, Event, Have, Message, Protection, Request, Status, Unhave,
    Unwant, Want,
};

fn request(index: u64) -> Message {
    Message::Request(Request {
        index,
        ..Request::default()
    })
}

fn data(index: u64, value: &'static str) -> Message {
    Message::Data(Data {
        index,
        value: Some(Bytes::from_static(value.as_bytes())),
        ..Data::default()
    })
}

/// What has arrived on channels, without the events of the connection itself.
fn messages(events: Vec<Event>) -> Vec<(Channel, Message)> {
    let message = |event| match event {
        Event::Message(channel, message) => Some((channel, message)),
        _ => None,
    };
    events.into_iter().filter_map(message).collect()
}

#[test]
fn a_question_and_its_answer() {
    for protection in [Protection::Encrypted, common::AUTHENTICATED, common::PLAIN] {
        let mut pair = Pair::new(config(protection));
        let (a, b) = pair.open(&key(1));
        pair.initiator.send(a, request(42)).unwrap();
        pair.carry().unwrap();
        assert_eq!(
            messages(events(&mut pair.responder)),
            [(b, request(42))],
            "{protection:?}"
        );
        pair.responder.send(b, data(42, "value")).unwrap();
        pair.carry().unwrap();
        assert_eq!(
            messages(events(&mut pair.initiator)),
            [(a, data(42, "value"))]
        );
        // Only a handshake makes a remote known.
        let known = protection != common::PLAIN;
        assert_eq!(pair.initiator.remote_public_key().is_some(), known);
        assert_eq!(pair.responder.remote_public_key().is_some(), known);
    }
}

#[test]
fn every_kind_of_message_arrives_as_it_was_sent() {
    for ack in [false, true] {
        let mut pair = Pair::encrypted();
        let (a, b) = pair.open(&key(1));
        let there = [
            data(42, "hi"),
            request(10),
            Message::Cancel(Cancel {
                index: 100,
                ..Cancel::default()
            }),
        ];
        let (start, length) = (18, 100);
        let back = [
            Message::Want(Want { start: 10, length }),
            Message::Status(Status {
                uploading: false,
                downloading: true,
            }),
            Message::Unwant(Unwant { start: 11, length }),
            Message::Unhave(Unhave { start, length }),
            Message::Have(Have {
                ack,
                ..Have::range(10, 10)
            }),
        ];
        for message in &there {
            pair.initiator.send(a, message.clone()).unwrap();
        }
        for message in &back {
            pair.responder.send(b, message.clone()).unwrap();
        }
        pair.carry().unwrap();
        let arrived = messages(events(&mut pair.responder));
        assert_eq!(arrived, there.map(|message| (b, message)));
        let arrived = messages(events(&mut pair.initiator));
        assert_eq!(arrived, back.map(|message| (a, message)));
    }
}

#[test]
fn blocks_can_be_read_on_the_way_only_without_encryption() {
    for (protection, readable) in [
        (Protection::Encrypted, false),
        (common::AUTHENTICATED, true),
        (common::PLAIN, true),
    ] {
        let mut pair = Pair::new(config(protection));
        let (a, b) = pair.open(&key(1));
        pair.initiator.send(a, data(42, "i am secret")).unwrap();
        pair.carry().unwrap();
        let arrived = messages(events(&mut pair.responder));
        assert_eq!(arrived, [(b, data(42, "i am secret"))]);
        let seen = pair.from_initiator.windows(6).any(|six| six == b"secret");
        assert_eq!(seen, readable, "{protection:?}");
    }
}

#[test]
fn both_sides_compute_one_hash_of_the_handshake() {
    let mut pair = Pair::encrypted();
    assert_eq!(pair.initiator.handshake_hash(), None);
    pair.carry().unwrap();
    assert!(pair.initiator.handshake_hash().is_some());
    assert_eq!(
        pair.initiator.handshake_hash(),
        pair.responder.handshake_hash()
    );
}

#[test]
fn messages_go_on_after_a_keep_alive() {
    let (mut connection, channel) = opened(&key(1));
    let have = |start| frame(1, 3, &[8, start]);
    let bytes = [have(1), vec![0], have(2)].concat();
    connection.handle_input(START, &bytes).unwrap();
    let have = |start| (channel, Message::Have(Have::range(start, 1)));
    assert_eq!(messages(events(&mut connection)), [have(1), have(2)]);
}

#[test]
fn both_sides_number_a_core_that_one_offered() {
    let mut pair = Pair::new(Config::default());
    let a = pair.initiator.open(&key(1)).unwrap();
    pair.carry().unwrap();
    let offered = Event::Offered(key(1).discovery_key());
    assert!(events(&mut pair.responder).contains(&offered));
    let b = pair.responder.open(&key(1)).unwrap();
    pair.carry().unwrap();
    assert!(pair.initiator.is_opened(a) && pair.responder.is_opened(b));
    assert!(transmit(&mut pair.initiator).is_empty());
}
