//! However the network cuts the stream, the same events come out.
#![allow(clippy::unwrap_used)]

mod common;

use bytes::Bytes;
use common::{START, config, connection, events, extension, key, transmit};
use hypercore_protocol::{
    Connection, Data, Event, Have, Message, Options, Protection, Request, Role, Status,
};
use proptest::prelude::*;

fn any_message() -> impl Strategy<Value = Message> {
    let block = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..100),
        // Around the size from which a block shares the receive buffer, and well above.
        (4080..4110usize, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
        (0..100_000usize, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
    ];
    prop_oneof![
        (any::<u32>(), block).prop_map(|(index, value)| {
            Message::Data(Data {
                index: index.into(),
                value: Some(Bytes::from(value)),
                ..Data::default()
            })
        }),
        any::<u32>().prop_map(|index| {
            Message::Request(Request {
                index: index.into(),
                ..Request::default()
            })
        }),
        (any::<u32>(), 1..1000u64)
            .prop_map(|(start, n)| Message::Have(Have::range(start.into(), n))),
        any::<bool>().prop_map(|uploading| {
            Message::Status(Status {
                uploading,
                downloading: false,
            })
        }),
        proptest::collection::vec(any::<u8>(), 0..50).prop_map(|bytes| extension("x", bytes)),
    ]
}

/// All that an initiator sends: greeting, two cores, their extensions, messages about them.
fn conversation(protection: Protection, messages: &[(bool, Message)]) -> Vec<u8> {
    let mut initiator = connection(Role::Initiator, config(protection));
    let mut responder = receiver(protection);
    let channels = [1, 2].map(|seed| initiator.open(&key(seed)).unwrap());
    let mut sent = Vec::new();
    // Greetings; then the responder's half of the channels.
    for _ in 0..2 {
        let bytes = transmit(&mut initiator);
        responder.handle_input(START, &bytes).unwrap();
        initiator
            .handle_input(START, &transmit(&mut responder))
            .unwrap();
        sent.extend(bytes);
    }
    for channel in channels {
        let extensions = vec!["x".to_owned()];
        initiator
            .send(
                channel,
                Message::Options(Options {
                    extensions,
                    ack: false,
                }),
            )
            .unwrap();
    }
    for (second, message) in messages {
        initiator
            .send(channels[usize::from(*second)], message.clone())
            .unwrap();
    }
    sent.extend(transmit(&mut initiator));
    sent
}

fn receiver(protection: Protection) -> Connection {
    let mut responder = connection(Role::Responder, config(protection));
    for seed in [1, 2] {
        let channel = responder.open(&key(seed)).unwrap();
        let extensions = vec!["x".to_owned()];
        responder
            .send(
                channel,
                Message::Options(Options {
                    extensions,
                    ack: false,
                }),
            )
            .unwrap();
    }
    responder
}

fn receive(protection: Protection, input: &[u8], cuts: &[usize]) -> (Vec<Event>, Vec<u8>) {
    let mut responder = receiver(protection);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
    cuts.extend([0, input.len()]);
    cuts.sort_unstable();
    let mut arrived = Vec::new();
    for cut in cuts.windows(2) {
        responder
            .handle_input(START, &input[cut[0]..cut[1]])
            .unwrap();
        arrived.extend(events(&mut responder));
    }
    (arrived, transmit(&mut responder))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same_events(
        messages in proptest::collection::vec((any::<bool>(), any_message()), 0..20),
        cuts in proptest::collection::vec(any::<usize>(), 0..40),
        plain in any::<bool>(),
    ) {
        let protection = if plain { common::PLAIN } else { Protection::Encrypted };
        let input = conversation(protection, &messages);
        let whole = receive(protection, &input, &[]);
        let received = whole.0.iter().filter_map(|event| match event {
            Event::Message(_, Message::Options(_)) => None,
            Event::Message(_, message) => Some(message),
            _ => None,
        });
        prop_assert!(received.eq(messages.iter().map(|(_, message)| message)));
        prop_assert_eq!(receive(protection, &input, &cuts), whole);
    }

    /// Garbage ends in the same way too, and never in a panic.
    #[test]
    fn any_split_of_garbage_ends_alike(
        input in proptest::collection::vec(any::<u8>(), 0..300),
        cuts in proptest::collection::vec(any::<usize>(), 0..10),
    ) {
        let run = |cuts: &[usize]| {
            let mut connection = connection(Role::Responder, config(common::PLAIN));
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
            cuts.extend([0, input.len()]);
            cuts.sort_unstable();
            let result = cuts
                .windows(2)
                .try_for_each(|cut| connection.handle_input(START, &input[cut[0]..cut[1]]));
            (result, events(&mut connection))
        };
        prop_assert_eq!(run(&cuts), run(&[]));
    }
}

/// One byte at a time, through handshake and transport.
#[test]
fn byte_by_byte() {
    let data = Message::Data(Data {
        index: 0,
        value: Some(vec![7; 70_000].into()),
        ..Data::default()
    });
    let input = conversation(Protection::Encrypted, &[(true, data)]);
    let cuts: Vec<usize> = (0..input.len()).collect();
    let by_byte = receive(Protection::Encrypted, &input, &cuts);
    assert_eq!(by_byte, receive(Protection::Encrypted, &input, &[]));
}
