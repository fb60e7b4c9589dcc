//! Every message, in the bytes of the reference and back.
#![allow(clippy::unwrap_used)]

mod common;

use common::{
    START, config, events, extension, key, message, open_frame, plain, transmit, vectors,
};
use hypercore_protocol::{Event, Extension, Message, Options, Role};
use testkit::vectors::{Value, array, bytes, number};

#[test]
fn channel_messages() {
    let vectors = vectors();
    let mut seen = 0;
    for vector in all(&vectors).filter(|it| it["channel"].as_u64() > Some(0)) {
        let name = vector["name"].as_str().unwrap();
        if matches!(name, "Open" | "Close" | "Extension") {
            continue;
        }
        let expected = message(vector);
        let id = number(&vector["channel"]);
        let frame = bytes(&vector["frame"]);

        // Channels are numbered in order, so the vector's channel is the last of that many.
        let mut sender = plain();
        let channel = (1..=id)
            .map(|i| sender.open(&nth_key(i)).unwrap())
            .last()
            .unwrap();
        sender
            .handle_input(START, &open_frame(1, &nth_key(id)))
            .unwrap();
        transmit(&mut sender);
        sender.send(channel, expected.clone()).unwrap();
        // The vector of a `Status` without fields is one that no deployed peer sends.
        if frame.len() > 2 {
            assert_eq!(transmit(&mut sender), frame, "{vector}");
        }

        let mut receiver = plain();
        let channel = receiver.open(&key(1)).unwrap();
        receiver
            .handle_input(START, &open_frame(id, &key(1)))
            .unwrap();
        receiver.handle_input(START, &frame).unwrap();
        let expected = Event::Message(channel, expected);
        assert_eq!(
            events(&mut receiver),
            [Event::Opened(channel), expected],
            "{vector}"
        );
        seen += 1;
    }
    assert_eq!(seen, 23);
}

#[test]
fn opens() {
    let vectors = vectors();
    let mut seen = 0;
    for vector in all(&vectors).filter(|vector| vector["name"] == "Open") {
        let mut receiver = plain();
        receiver
            .handle_input(START, &bytes(&vector["frame"]))
            .unwrap();
        let [Event::Offered(discovery_key)] = &events(&mut receiver)[..] else {
            panic!()
        };
        assert_eq!(
            *discovery_key.as_bytes(),
            array(&vector["message"]["discoveryKey"])
        );
        if vector["decoded"]["capability"].is_null() {
            let mut sender = plain();
            sender.open(&key(0x55)).unwrap();
            assert_eq!(transmit(&mut sender), bytes(&vector["frame"]));
        }
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn closes() {
    let vectors = vectors();
    let closes: Vec<&Value> = all(&vectors)
        .filter(|vector| vector["name"] == "Close")
        .collect();
    let [of_open, of_offered] = closes[..] else {
        panic!()
    };

    let (mut connection, channel) = common::opened(&key(1));
    connection.close(channel);
    assert_eq!(transmit(&mut connection), bytes(&of_open["frame"]));

    // The vector refuses on channel 3, so two channels were opened before.
    let mut connection = plain();
    connection.open(&key(1)).unwrap();
    connection.open(&key(2)).unwrap();
    connection
        .handle_input(START, &open_frame(1, &key(0x55)))
        .unwrap();
    transmit(&mut connection);
    connection.refuse(&key(0x55).discovery_key());
    assert_eq!(transmit(&mut connection), bytes(&of_offered["frame"]));
}

#[test]
fn stream_options_and_extensions() {
    let vectors = vectors();
    let frame_of = |name: &str, channel: u64| {
        bytes(
            &all(&vectors)
                .find(|it| it["name"] == name && it["channel"] == channel)
                .unwrap()["frame"],
        )
    };
    let mut sender = plain();
    sender.set_stream_extensions(&["stream-ext"]).unwrap();
    sender
        .send_stream_extension("stream-ext", b"hello")
        .unwrap();
    let sent = transmit(&mut sender);
    assert_eq!(
        sent,
        [frame_of("Options", 0), frame_of("Extension", 0)].concat()
    );
    let mut receiver = plain();
    receiver.set_stream_extensions(&["stream-ext"]).unwrap();
    receiver.handle_input(START, &sent).unwrap();
    let extensions = vec!["stream-ext".into()];
    let message = Event::StreamExtension(Extension {
        name: "stream-ext".into(),
        payload: "hello".into(),
    });
    assert_eq!(
        events(&mut receiver),
        [Event::StreamOptions { extensions }, message]
    );

    // The second of two names, on channel 1.
    let (mut sender, channel) = common::opened(&key(1));
    let extensions = vec!["b".to_owned(), "a".to_owned()];
    sender
        .send(
            channel,
            Message::Options(Options {
                extensions,
                ack: false,
            }),
        )
        .unwrap();
    transmit(&mut sender);
    sender.send(channel, extension("b", "yo")).unwrap();
    assert_eq!(transmit(&mut sender), frame_of("Extension", 1));

    // The 201st name, on channel 2, with an empty payload.
    let mut sender = plain();
    sender.open(&key(1)).unwrap();
    let channel = sender.open(&key(2)).unwrap();
    sender.handle_input(START, &open_frame(1, &key(2))).unwrap();
    let extensions: Vec<String> = (0..=200).map(|i| format!("{i:03}")).collect();
    sender
        .send(
            channel,
            Message::Options(Options {
                extensions,
                ack: false,
            }),
        )
        .unwrap();
    transmit(&mut sender);
    sender.send(channel, extension("200", "")).unwrap();
    assert_eq!(transmit(&mut sender), frame_of("Extension", 2));
}

#[test]
fn keep_alive() {
    let vectors = vectors();
    let vector = all(&vectors).find(|it| it["name"] == "KeepAlive").unwrap();
    let mut receiver = plain();
    receiver
        .handle_input(START, &bytes(&vector["frame"]))
        .unwrap();
    assert_eq!(events(&mut receiver), []);
    let due = receiver.poll_timeout().unwrap();
    receiver.handle_timeout(due).unwrap();
    assert_eq!(transmit(&mut receiver), bytes(&vector["frame"]));
}

/// What each side proves about two cores with the keys of the vectors' handshake.
#[test]
fn capabilities() {
    let vectors = vectors();
    for vector in vectors["capability"].as_array().unwrap() {
        let feed_key = hypercore_crypto::PublicKey::from_bytes(array(&vector["feed_key"]));
        assert_eq!(
            *feed_key.discovery_key().as_bytes(),
            array(&vector["discovery_key"])
        );
        for role in [Role::Initiator, Role::Responder] {
            let mut pair = common::Pair::new(config(common::AUTHENTICATED));
            pair.carry().unwrap();
            pair.side(role).open(&feed_key).unwrap();
            let sent = transmit(pair.side(role));
            let field = format!("sent_by_{}", common::name(role));
            assert_eq!(sent[sent.len() - 32..], bytes(&vector[&field]));
        }
        assert_eq!(vector["sent_by_initiator"], vector["expected_by_responder"]);
        assert_eq!(vector["sent_by_responder"], vector["expected_by_initiator"]);
    }
}

fn all(vectors: &Value) -> impl Iterator<Item = &Value> {
    vectors["messages"].as_array().unwrap().iter()
}

fn nth_key(i: u64) -> hypercore_crypto::PublicKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&i.to_le_bytes());
    hypercore_crypto::PublicKey::from_bytes(bytes)
}
