//! What a peer can do with frames. Each ends in an error,
//! a closed channel or nothing, and never takes memory by announcement.
#![allow(clippy::unwrap_used)]

mod common;

use common::{START, events, frame, key, open_frame, opened, plain, transmit, varint};
use hypercore_crypto::PublicKey;
use hypercore_protocol::{
    ChannelFault, ConnectionError, Event, MAX_BODY_BYTES, MAX_EXTENSION_NAME_BYTES, MAX_EXTENSIONS,
    MAX_PROOF_NODES, Message,
};

const CLOSE_OF_CHANNEL_1: [u8; 2] = [1, 0x1a];

#[test]
fn fault_w6_lengths_are_refused_from_the_prefix() {
    for length in [MAX_BODY_BYTES as u64 + 9, 1 << 32, (1 << 56) - 1] {
        let mut prefix = Vec::new();
        varint(&mut prefix, length);
        let error = plain().handle_input(START, &prefix).unwrap_err();
        assert_eq!(error, ConnectionError::FrameLength { length });
    }
    // One byte too many for the body, which shows only after the header.
    let length = MAX_BODY_BYTES as u64 + 2;
    let mut prefix = Vec::new();
    varint(&mut prefix, length);
    let mut connection = plain();
    connection.handle_input(START, &prefix).unwrap();
    let error = connection.handle_input(START, &[0x13]).unwrap_err();
    assert_eq!(error, ConnectionError::FrameLength { length });
}

#[test]
fn fault_w6_the_largest_frame_passes() {
    let (mut connection, _) = opened(&key(1));
    let mut bytes = Vec::new();
    varint(&mut bytes, MAX_BODY_BYTES as u64 + 1);
    bytes.push(0x1b); // channel 1, an unassigned kind
    bytes.resize(bytes.len() + MAX_BODY_BYTES, 0xaa);
    bytes.push(0);
    connection.handle_input(START, &bytes).unwrap();
    assert_eq!(events(&mut connection), []);
}

#[test]
fn fault_w6_endless_numbers_are_refused() {
    for endless in [[0x80; 8], [0xff; 8]] {
        assert_eq!(
            plain().handle_input(START, &endless),
            Err(ConnectionError::Varint)
        );
        let mut connection = plain();
        for byte in &endless[..7] {
            connection.handle_input(START, &[*byte]).unwrap();
        }
        let error = connection.handle_input(START, &endless[7..]).unwrap_err();
        assert_eq!(error, ConnectionError::Varint);
    }
    // The header, inside of a long frame.
    let error = plain()
        .handle_input(START, &[&[100][..], &[0x80; 8]].concat())
        .unwrap_err();
    assert_eq!(error, ConnectionError::Varint);
}

#[test]
fn fault_w6_a_header_longer_than_its_frame_is_refused() {
    let endless = [4, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80];
    // How much of it has arrived must not matter.
    for bytes in [
        &[1, 0x93][..],
        &[1, 0x93, 0x01],
        &[2, 0x83, 0x83, 0x01],
        &endless[..5],
        &endless,
    ] {
        let error = plain().handle_input(START, bytes).unwrap_err();
        assert!(
            matches!(error, ConnectionError::FrameLength { .. }),
            "{error}"
        );
    }
}

/// A number may be written longer than it has to be, also the zero of a keep-alive.
#[test]
fn long_forms_of_numbers_are_read() {
    let (mut connection, channel) = opened(&key(1));
    let bytes = [0x80, 0, 0x85, 0x00, 0x93, 0x00, 8, 0x80, 0x00];
    connection.handle_input(START, &bytes).unwrap();
    let have = Message::Have(hypercore_protocol::Have::range(0, 1));
    assert_eq!(events(&mut connection), [Event::Message(channel, have)]);
}

#[test]
fn fault_w4_channels_are_opened_in_turn_or_not_at_all() {
    let one_key = |id| open_frame(id, &key(1));
    let cases: [(&str, Vec<Vec<u8>>, u64); 6] = [
        ("id 0", vec![one_key(0)], 0),
        ("an id above the range", vec![one_key(1 << 27)], 1 << 27),
        (
            "an id that 32 bits would fold",
            vec![one_key(1 << 32 | 1)],
            1 << 32 | 1,
        ),
        ("an id twice", vec![one_key(7), open_frame(7, &key(2))], 7),
        ("an offer twice", vec![one_key(7), one_key(8)], 8),
        (
            "an open core twice",
            vec![open_frame(1, &key(9)), open_frame(2, &key(9))],
            2,
        ),
    ];
    for (what, frames, id) in cases {
        let mut connection = plain();
        connection.open(&key(9)).unwrap();
        let error = connection
            .handle_input(START, &frames.concat())
            .unwrap_err();
        assert_eq!(error, ConnectionError::ChannelId { id }, "{what}");
    }
    // Sparse ids are fine.
    plain()
        .handle_input(START, &one_key((1 << 27) - 1))
        .unwrap();
}

#[test]
fn fault_w4_a_hundred_thousand_offers_cost_little() {
    let mut connection = plain();
    let mut offered = 0;
    let mut refused_bytes = 0;
    for i in 1..=100_000 {
        connection
            .handle_input(START, &open_frame(i, &nth_key(i)))
            .unwrap();
        offered += events(&mut connection).len();
        refused_bytes += transmit(&mut connection).len();
        assert!(connection.channel_count() <= 256);
    }
    assert_eq!(offered, 256);
    // One `Close` for each of the others: 34 bytes of body, 2 to 4 around it.
    assert!(refused_bytes <= (100_000 - 256) * 38);
    // An answer makes room for one more.
    connection.refuse(&nth_key(1).discovery_key());
    connection
        .handle_input(START, &open_frame(200_000, &nth_key(200_000)))
        .unwrap();
    assert_eq!(
        events(&mut connection),
        [Event::Offered(nth_key(200_000).discovery_key())]
    );
}

#[test]
fn fault_w4_a_core_cannot_be_closed_under_anothers_channel() {
    let (mut connection, channel) = opened(&key(1));
    connection.open(&key(2)).unwrap();
    let close = |id, seed: u8| {
        frame(
            id,
            10,
            &[&[0x0a, 32], &key(seed).discovery_key().as_bytes()[..]].concat(),
        )
    };
    let error = connection.handle_input(START, &close(1, 2)).unwrap_err();
    assert_eq!(error, ConnectionError::CloseMismatch { id: 1 });

    // The same core under its own channel is fine, and so is one that nobody knows.
    let (mut connection, same) = opened(&key(1));
    assert_eq!(channel, same);
    connection.handle_input(START, &close(77, 5)).unwrap();
    connection.handle_input(START, &close(1, 1)).unwrap();
    assert_eq!(events(&mut connection), [Event::Closed(channel)]);
}

/// One core's garbage closes that core's channel; the other core goes on.
#[test]
fn fault_w2_malformed_messages_close_their_channel_only() {
    let node = |fields: &[u8]| {
        let length = u8::try_from(fields.len()).unwrap();
        [&[8, 0, 0x1a, length], fields].concat()
    };
    let missing = |field| ChannelFault::Missing { field };
    let cases: Vec<(&str, u64, Vec<u8>, ChannelFault)> = vec![
        ("a required field", 3, vec![], missing("start")),
        ("another", 7, vec![0x20, 0], missing("index")),
        ("a data index", 9, vec![0x12, 0], missing("index")),
        (
            "a node's hash",
            9,
            node(&[8, 0, 0x18, 0]),
            missing("nodes.hash"),
        ),
        (
            "a wrong wire type",
            3,
            vec![0x0a, 1, 0],
            ChannelFault::Encoding,
        ),
        (
            "a field past the end",
            9,
            vec![8, 0, 0x12, 5, 1],
            ChannelFault::Encoding,
        ),
        (
            "a truncated number",
            3,
            vec![8, 0x80],
            ChannelFault::Encoding,
        ),
        (
            "a number of 11 bytes",
            3,
            [&[8][..], &[0xff; 10], &[1]].concat(),
            ChannelFault::Encoding,
        ),
        (
            "an unknown wire type",
            3,
            vec![0x0f],
            ChannelFault::Encoding,
        ),
        (
            "a number of 2^53",
            5,
            number_field(8, 1 << 53),
            ChannelFault::TooLarge { field: "start" },
        ),
        (
            "a length of 2^53",
            4,
            [vec![8, 0], number_field(0x10, 1 << 53)].concat(),
            ChannelFault::TooLarge { field: "length" },
        ),
        (
            "a short hash",
            9,
            node(&[8, 0, 0x12, 1, 0, 0x18, 0]),
            ChannelFault::Size {
                field: "nodes.hash",
                length: 1,
            },
        ),
        (
            "a short signature",
            9,
            vec![8, 0, 0x22, 2, 0, 0],
            ChannelFault::Size {
                field: "signature",
                length: 2,
            },
        ),
        (
            "an extension without id",
            15,
            vec![],
            ChannelFault::Encoding,
        ),
        (
            "an extension with an endless id",
            15,
            vec![0x80; 9],
            ChannelFault::Encoding,
        ),
        (
            "a name that is not UTF-8",
            1,
            vec![0x0a, 1, 0xff],
            ChannelFault::Encoding,
        ),
    ];
    for (what, kind, body, fault) in cases {
        let (mut connection, channel) = opened(&key(1));
        let other = connection.open(&key(2)).unwrap();
        connection
            .handle_input(START, &open_frame(2, &key(2)))
            .unwrap();
        transmit(&mut connection);
        events(&mut connection);
        connection
            .handle_input(START, &frame(1, kind, &body))
            .unwrap();
        connection
            .handle_input(START, &frame(1, 3, &[8, 0]))
            .unwrap();
        connection.handle_input(START, &frame(2, 2, &[])).unwrap();
        let arrived = events(&mut connection);
        let [failed, Event::Message(alive, Message::Status(_))] = &arrived[..] else {
            panic!("{what}: {arrived:?}")
        };
        assert_eq!(*failed, Event::Failed(channel, fault), "{what}");
        assert_eq!(*alive, other, "{what}");
        assert_eq!(transmit(&mut connection), CLOSE_OF_CHANNEL_1, "{what}");
    }
}

#[test]
fn fault_w2_malformed_messages_of_the_connection_end_it() {
    let key_of = |length: u8| [&[0x0a, length][..], &vec![1; length.into()]].concat();
    let size = |field, length| ChannelFault::Size { field, length };
    let cases: Vec<(&'static str, Vec<u8>, ChannelFault)> = vec![
        (
            "Open",
            frame(1, 0, &[]),
            ChannelFault::Missing {
                field: "discoveryKey",
            },
        ),
        ("Open", frame(1, 0, &key_of(31)), size("discoveryKey", 31)),
        (
            "Open",
            frame(1, 0, &[key_of(32), vec![0x12, 0]].concat()),
            size("capability", 0),
        ),
        ("Close", frame(1, 10, &key_of(33)), size("discoveryKey", 33)),
        ("Close", frame(1, 10, &[0x0a]), ChannelFault::Encoding),
        ("Options", frame(0, 1, &[0x0a, 9]), ChannelFault::Encoding),
        ("Extension", frame(0, 15, &[]), ChannelFault::Encoding),
    ];
    for (message, bytes, fault) in cases {
        let error = plain().handle_input(START, &bytes).unwrap_err();
        assert_eq!(error, ConnectionError::Malformed { message, fault });
    }
}

#[test]
fn what_means_nothing_is_ignored() {
    let mut connection = plain();
    for channel in [0, 1, 5, 1 << 20, (1 << 52) - 1] {
        for kind in [2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14] {
            connection
                .handle_input(START, &frame(channel, kind, &[0xff; 3]))
                .unwrap();
        }
    }
    assert_eq!(events(&mut connection), []);
    assert!(transmit(&mut connection).is_empty());
}

#[test]
fn fault_w11_extension_lists_are_bounded() {
    let list = |count: usize, length: usize| {
        let mut body = Vec::new();
        for _ in 0..count {
            body.push(0x0a);
            varint(&mut body, length as u64);
            body.resize(body.len() + length, b'x');
        }
        body
    };
    let too_many = ChannelFault::TooMany {
        field: "extensions",
    };
    let longest = MAX_EXTENSION_NAME_BYTES;
    let cases = [
        (list(MAX_EXTENSIONS, longest), None),
        (list(MAX_EXTENSIONS + 1, 0), Some(too_many)),
        (list(1_000_000, 1), Some(too_many)),
        (list(1, longest + 1), Some(size(longest + 1))),
        (list(1, 1 << 20), Some(size(1 << 20))),
    ];
    for (body, fault) in cases {
        let (mut connection, channel) = opened(&key(1));
        connection.handle_input(START, &frame(1, 1, &body)).unwrap();
        let arrived = events(&mut connection);
        match fault {
            Some(fault) => assert_eq!(arrived, [Event::Failed(channel, fault)]),
            None => assert!(matches!(
                &arrived[..],
                [Event::Message(_, Message::Options(_))]
            )),
        }
        let result = plain().handle_input(START, &frame(0, 1, &body));
        let error = |fault| ConnectionError::Malformed {
            message: "Options",
            fault,
        };
        assert_eq!(result.err(), fault.map(error));
    }
    fn size(length: usize) -> ChannelFault {
        ChannelFault::Size {
            field: "extensions",
            length,
        }
    }
}

/// A node takes 2 bytes of a frame at least, and a hundred in memory.
#[test]
fn proofs_are_bounded() {
    let (mut connection, channel) = opened(&key(1));
    let mut body = vec![8, 0];
    body.extend([0x1a, 0].repeat(MAX_PROOF_NODES + 1));
    connection.handle_input(START, &frame(1, 9, &body)).unwrap();
    let fault = ChannelFault::TooMany { field: "nodes" };
    assert_eq!(events(&mut connection), [Event::Failed(channel, fault)]);
}

/// Fields that a newer peer may send are skipped.
#[test]
fn unknown_fields_are_skipped() {
    let (mut connection, channel) = opened(&key(1));
    let body = [&[8, 5, 0x7a, 2, 1, 2, 0xf8, 0x01][..], &[0x80, 0x01]].concat();
    connection.handle_input(START, &frame(1, 3, &body)).unwrap();
    let have = Message::Have(hypercore_protocol::Have::range(5, 1));
    assert_eq!(events(&mut connection), [Event::Message(channel, have)]);
}

fn number_field(key: u8, value: u64) -> Vec<u8> {
    let mut field = vec![key];
    varint(&mut field, value);
    field
}

fn nth_key(i: u64) -> PublicKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&i.to_le_bytes());
    PublicKey::from_bytes(bytes)
}
