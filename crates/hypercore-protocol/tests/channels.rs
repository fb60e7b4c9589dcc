//! Opening, refusing, closing and opening again, in every order that two peers can meet.
#![allow(clippy::unwrap_used)]

mod common;

use bytes::Bytes;
use common::{Pair, START, events, frame, key, open_frame, opened, plain, transmit, varint};
use hypercore_protocol::{
    Config, Connection, Event, Have, Message, OpenError, Role, SendError, Timestamp, Want,
};

const WANT: Message = Message::Want(Want {
    start: 0,
    length: 1 << 20,
});

/// What travels with an offer need not be asked again.
#[test]
fn questions_about_an_offered_core_wait_until_it_is_open() {
    let mut connection = plain();
    connection
        .handle_input(START, &open_frame(1, &key(1)))
        .unwrap();
    for region in 0..5 {
        let mut body = vec![8];
        varint(&mut body, region << 20);
        body.extend([0x10, 0x80, 0x80, 0x40]);
        connection.handle_input(START, &frame(1, 5, &body)).unwrap();
    }
    // Neither a malformed one nor anything else waits.
    connection.handle_input(START, &frame(1, 5, &[])).unwrap();
    connection
        .handle_input(START, &frame(1, 3, &[8, 0]))
        .unwrap();
    assert_eq!(
        events(&mut connection),
        [Event::Offered(key(1).discovery_key())]
    );
    let channel = connection.open(&key(1)).unwrap();
    let want = |region: u64| {
        let (start, length) = (region << 20, 1 << 20);
        Event::Message(channel, Message::Want(Want { start, length }))
    };
    let expected = [Event::Opened(channel), want(0), want(1), want(2), want(3)];
    assert_eq!(events(&mut connection), expected, "four at most");
}

#[test]
fn several_cores_share_a_connection() {
    let mut pair = Pair::encrypted();
    let first = pair.open(&key(1));
    let second = pair.open(&key(2));
    assert_ne!(first.0, second.0);
    let have = |start| Message::Have(Have::range(start, 1));
    pair.initiator.send(first.0, have(1)).unwrap();
    pair.initiator.send(second.0, have(2)).unwrap();
    pair.carry().unwrap();
    let expected = [
        Event::Message(first.1, have(1)),
        Event::Message(second.1, have(2)),
    ];
    assert_eq!(events(&mut pair.responder), expected);
    assert_eq!(
        pair.initiator.discovery_key(first.0),
        Some(&key(1).discovery_key())
    );
}

#[test]
fn an_offer_is_opened_later() {
    let mut pair = Pair::encrypted();
    let initiator = pair.initiator.open(&key(1)).unwrap();
    pair.carry().unwrap();
    let offered = Event::Offered(key(1).discovery_key());
    assert_eq!(events(&mut pair.responder).last(), Some(&offered));
    assert!(!pair.initiator.is_opened(initiator));
    assert_eq!(pair.responder.channel_count(), 1);

    let responder = pair.responder.open(&key(1)).unwrap();
    // On this side there is nothing to wait for.
    assert_eq!(events(&mut pair.responder), [Event::Opened(responder)]);
    pair.carry().unwrap();
    assert_eq!(
        events(&mut pair.initiator).last(),
        Some(&Event::Opened(initiator))
    );
    assert!(pair.initiator.is_opened(initiator));
    assert_eq!(pair.responder.channel_count(), 1);
    assert_eq!(pair.responder.open(&key(1)), Err(OpenError::AlreadyOpen));
}

#[test]
fn an_offer_is_refused() {
    let mut pair = Pair::encrypted();
    let initiator = pair.initiator.open(&key(1)).unwrap();
    pair.carry().unwrap();
    events(&mut pair.responder);
    pair.responder.refuse(&key(1).discovery_key());
    pair.responder.refuse(&key(1).discovery_key());
    pair.responder.refuse(&key(2).discovery_key());
    pair.carry().unwrap();
    assert_eq!(
        events(&mut pair.initiator).last(),
        Some(&Event::Closed(initiator))
    );
    // The answer to a refusal is no news.
    assert_eq!(events(&mut pair.responder), []);
    assert_eq!(
        (
            pair.initiator.channel_count(),
            pair.responder.channel_count()
        ),
        (0, 0)
    );
    // Both may think again.
    pair.open(&key(1));
}

#[test]
fn an_offer_is_withdrawn() {
    let mut pair = Pair::encrypted();
    let initiator = pair.initiator.open(&key(1)).unwrap();
    pair.carry().unwrap();
    events(&mut pair.responder);
    pair.initiator.close(initiator);
    pair.carry().unwrap();
    assert_eq!(
        events(&mut pair.responder),
        [Event::Withdrawn(key(1).discovery_key())]
    );
    assert_eq!(pair.responder.channel_count(), 0);
    pair.open(&key(1));
}

#[test]
fn a_closed_channel_is_gone_and_can_come_back() {
    let mut pair = Pair::encrypted();
    let (initiator, responder) = pair.open(&key(1));
    pair.responder.close(responder);
    pair.responder.close(responder);
    // Still on its way when the remote has closed.
    pair.initiator.send(initiator, WANT).unwrap();
    pair.carry().unwrap();
    assert_eq!(events(&mut pair.initiator), [Event::Closed(initiator)]);
    assert_eq!(events(&mut pair.responder), []);
    assert_eq!(pair.initiator.send(initiator, WANT), Err(SendError::Closed));
    assert_eq!(pair.initiator.discovery_key(initiator), None);
    let again = pair.open(&key(1));
    assert_ne!(again.0, initiator);
    assert_ne!(again.1, responder);
}

#[test]
fn closes_may_cross() {
    let mut pair = Pair::encrypted();
    let (initiator, responder) = pair.open(&key(1));
    pair.initiator.close(initiator);
    pair.responder.close(responder);
    pair.carry().unwrap();
    assert_eq!(events(&mut pair.initiator), []);
    assert_eq!(events(&mut pair.responder), []);
    pair.open(&key(1));
}

/// A side closes and opens again before the other has heard of either.
#[test]
fn close_and_open_in_one_breath() {
    let mut pair = Pair::encrypted();
    let (initiator, responder) = pair.open(&key(1));
    pair.initiator.close(initiator);
    let again = pair.initiator.open(&key(1)).unwrap();
    pair.carry().unwrap();
    let offered = Event::Offered(key(1).discovery_key());
    assert_eq!(
        events(&mut pair.responder),
        [Event::Closed(responder), offered]
    );
    pair.responder.open(&key(1)).unwrap();
    pair.carry().unwrap();
    assert_eq!(events(&mut pair.initiator), [Event::Opened(again)]);
}

/// The reference closes by discovery key what it never opened, and opens it when asked again.
#[test]
fn a_refusal_and_an_open_may_cross() {
    let mut connection = plain();
    let channel = connection.open(&key(1)).unwrap();
    connection.handle_input(START, &close_by_key(1, 1)).unwrap();
    assert_eq!(events(&mut connection), [Event::Closed(channel)]);
    connection
        .handle_input(START, &open_frame(2, &key(1)))
        .unwrap();
    assert_eq!(
        events(&mut connection),
        [Event::Offered(key(1).discovery_key())]
    );
    // Withdrawn by key, under an id that means nothing.
    connection.handle_input(START, &close_by_key(3, 1)).unwrap();
    assert_eq!(
        events(&mut connection),
        [Event::Withdrawn(key(1).discovery_key())]
    );
    connection.handle_input(START, &close_by_key(4, 1)).unwrap();
    assert_eq!(events(&mut connection), []);
}

#[test]
fn messages_before_both_sides_opened_are_dropped() {
    let mut connection = plain();
    let channel = connection.open(&key(1)).unwrap();
    let want = frame(1, 5, &[8, 0]);
    connection.handle_input(START, &want).unwrap();
    connection
        .handle_input(START, &open_frame(2, &key(2)))
        .unwrap();
    connection
        .handle_input(START, &frame(2, 5, &[8, 0]))
        .unwrap();
    assert_eq!(
        events(&mut connection),
        [Event::Offered(key(2).discovery_key())]
    );
    connection
        .handle_input(START, &open_frame(1, &key(1)))
        .unwrap();
    connection.handle_input(START, &want).unwrap();
    let want = Message::Want(Want {
        start: 0,
        length: 0,
    });
    assert_eq!(
        events(&mut connection),
        [Event::Opened(channel), Event::Message(channel, want)]
    );
}

/// Everything that is sent before the handshake arrives after it, in order.
#[test]
fn calls_before_the_handshake_wait_for_it() {
    let mut pair = Pair::encrypted();
    let gone = pair.responder.open(&key(2)).unwrap();
    let channel = pair.responder.open(&key(1)).unwrap();
    pair.responder.send(channel, WANT).unwrap();
    pair.responder.close(gone);
    let queued = pair.responder.queued_bytes();
    assert!(queued > 100, "{queued}");
    let initiator = pair.initiator.open(&key(1)).unwrap();
    pair.carry().unwrap();
    let arrived = events(&mut pair.initiator);
    let [Event::Connected { .. }, rest @ ..] = &arrived[..] else {
        panic!("{arrived:?}")
    };
    let other = key(2).discovery_key();
    let expected = [
        Event::Offered(other),
        Event::Opened(initiator),
        Event::Message(initiator, WANT),
        Event::Withdrawn(other),
    ];
    assert_eq!(rest, expected);
}

#[test]
fn the_queue_before_the_handshake_is_bounded() {
    let config = Config::default();
    let limit = config.max_early_bytes;
    let mut connection = common::connection(Role::Responder, config);
    let channel = connection.open(&key(1)).unwrap();
    while connection.send(channel, WANT).is_ok() {
        assert!(connection.queued_bytes() <= limit);
    }
    assert_eq!(connection.send(channel, WANT), Err(SendError::QueueFull));
    assert_eq!(connection.open(&key(2)), Err(OpenError::QueueFull));
}

#[test]
fn open_channels_are_bounded() {
    let mut config = common::config(common::PLAIN);
    config.max_channels = 2;
    let mut connection = common::connection(Role::Initiator, config);
    let first = connection.open(&key(1)).unwrap();
    connection.open(&key(2)).unwrap();
    assert_eq!(connection.open(&key(3)), Err(OpenError::TooManyChannels));
    connection.close(first);
    connection.open(&key(3)).unwrap();
    assert_eq!(Config::default().max_channels, 4096);
}

#[test]
fn what_cannot_be_sent_is_refused_and_changes_nothing() {
    use hypercore_protocol::{Data, MAX_BODY_BYTES, MAX_PROOF_NODES, Node, Request};
    let (mut connection, channel) = opened(&key(1));
    let data = |value: usize, nodes: usize| {
        let node = Node {
            index: 0,
            hash: hypercore_crypto::Hash::from_bytes([0; 32]),
            size: 0,
        };
        Message::Data(Data {
            index: 0,
            value: Some(Bytes::from(vec![0; value])),
            nodes: vec![node; nodes],
            signature: None,
        })
    };
    // Index, key and length of the value take 7 bytes.
    let too_long = MAX_BODY_BYTES - 7 + 1;
    let cases = [
        (
            data(too_long, 0),
            SendError::FrameLength {
                length: MAX_BODY_BYTES + 1,
            },
        ),
        (data(1, MAX_PROOF_NODES + 1), SendError::TooManyNodes),
        (
            Message::Request(Request {
                index: 1 << 53,
                ..Request::default()
            }),
            SendError::TooLarge { field: "index" },
        ),
        (
            Message::Have(Have::range(0, u64::MAX)),
            SendError::TooLarge { field: "length" },
        ),
        (
            common::extension("unknown", ""),
            SendError::UnknownExtension,
        ),
    ];
    for (message, error) in cases {
        assert_eq!(connection.send(channel, message), Err(error));
        assert!(transmit(&mut connection).is_empty());
    }
    // At the limits, all of it arrives.
    let (mut remote, remote_channel) = opened(&key(1));
    for message in [
        data(too_long - 1, 0),
        data(1, MAX_PROOF_NODES),
        Message::Request(Request {
            index: (1 << 53) - 1,
            ..Request::default()
        }),
    ] {
        connection.send(channel, message.clone()).unwrap();
        remote
            .handle_input(START, &transmit(&mut connection))
            .unwrap();
        assert_eq!(
            events(&mut remote),
            [Event::Message(remote_channel, message)]
        );
    }
}

#[test]
fn a_connection_that_ended_takes_nothing() {
    let mut connection = plain();
    let channel = connection.open(&key(1)).unwrap();
    let error = connection.handle_input(START, &[0xff; 8]).unwrap_err();
    assert_eq!(connection.handle_input(START, &[0]), Err(error.clone()));
    assert_eq!(connection.handle_timeout(Timestamp::default()), Err(error));
    assert_eq!(connection.open(&key(1)), Err(OpenError::Ended));
    assert_eq!(connection.send(channel, WANT), Err(SendError::Closed));
    connection.close(channel);
    ended(&mut connection);
}

fn ended(connection: &mut Connection) {
    assert!(transmit(connection).is_empty());
    assert_eq!(connection.poll_timeout(), None);
    assert_eq!(connection.queued_bytes(), 0);
}

fn close_by_key(channel: u64, seed: u8) -> Vec<u8> {
    let mut body = vec![0x0a, 32];
    body.extend_from_slice(key(seed).discovery_key().as_bytes());
    frame(channel, 10, &body)
}
