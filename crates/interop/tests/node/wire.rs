//! The connection by itself: both roles, several channels, every message, against Node's
//! hypercore-protocol, which sends back whatever it is sent.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hypercore_crypto::{Hash, KeyPair, PublicKey, Signature};
use hypercore_protocol::{
    Cancel, Channel, Config, Connection, Data, Event, Extension, Have, Message, Node, Options,
    Request, Role, Secrets, Status, Timestamp, Unhave, Unwant, Want,
};
use interop::{LIMIT, Peer, pattern};
use serde_json::json;

#[test]
fn every_message_as_initiator() {
    every_message(Role::Initiator);
}

#[test]
fn every_message_as_responder() {
    every_message(Role::Responder);
}

/// Sends each kind of message on three channels and expects it back.
#[track_caller]
fn every_message(role: Role) {
    let keys = [1, 2, 3].map(key);
    let mut node = Peer::start();
    let mut wire = Wire::with(role, &mut node, &keys, false);
    let channels = keys.map(|key| wire.connection.open(&key).expect("a channel opens"));
    let handshake = wire.event();
    assert!(
        matches!(handshake, Event::Connected { .. }),
        "{handshake:?}"
    );
    let mut opened: Vec<_> = (0..3).map(|_| wire.event()).collect();
    opened.sort_by_key(|event| channels.iter().position(|c| *event == Event::Opened(*c)));
    assert_eq!(opened, channels.map(Event::Opened));
    let remote = hex::encode(
        wire.connection
            .remote_public_key()
            .expect("it is connected"),
    );
    assert_eq!(node.event("handshake")["publicKey"], remote);

    for message in messages() {
        for channel in channels {
            wire.echo(channel, &message);
        }
    }
    // Extensions are numbered by their names' order on each side.
    for channel in channels {
        let extensions = vec!["alpha".to_owned(), "beta".to_owned()];
        wire.echo(
            channel,
            &Message::Options(Options {
                extensions,
                ack: true,
            }),
        );
        let payload = Bytes::from(pattern(3000, 5));
        let name = Arc::from("beta");
        wire.echo(channel, &Message::Extension(Extension { name, payload }));
    }
}

#[test]
fn closing_and_opening_again() {
    for role in [Role::Initiator, Role::Responder] {
        let key = key(1);
        let mut node = Peer::start();
        let mut wire = Wire::with(role, &mut node, &[key], false);
        let channel = wire.connection.open(&key).expect("a channel opens");
        assert!(matches!(wire.event(), Event::Connected { .. }));
        assert_eq!(wire.event(), Event::Opened(channel));
        wire.connection.close(channel);
        wire.flush();
        node.event("closed");
    }
}

#[test]
fn a_core_that_node_refuses() {
    let mut node = Peer::start();
    let mut wire = Wire::with(Role::Initiator, &mut node, &[key(1)], true);
    let (known, unknown) = (key(1), key(2));
    let channel = wire.connection.open(&unknown).expect("a channel opens");
    let known_channel = wire.connection.open(&known).expect("a channel opens");
    assert!(matches!(wire.event(), Event::Connected { .. }));
    let mut events = [wire.event(), wire.event()];
    events.sort_by_key(|event| matches!(event, Event::Opened(_)));
    assert_eq!(
        events,
        [Event::Closed(channel), Event::Opened(known_channel)]
    );
    // The connection goes on.
    wire.echo(known_channel, &Message::Have(Have::range(1, 2)));
}

#[test]
fn a_core_that_is_refused_here() {
    let mut node = Peer::start();
    let mut wire = Wire::with(Role::Initiator, &mut node, &[key(1)], false);
    assert!(matches!(wire.event(), Event::Connected { .. }));
    assert_eq!(wire.event(), Event::Offered(key(1).discovery_key()));
    wire.connection.refuse(&key(1).discovery_key());
    wire.flush();
    node.event("closed");
}

/// One of each, with the greatest and least values that the reference can express.
fn messages() -> Vec<Message> {
    const MAX: u64 = (1 << 53) - 1;
    let node = |index, seed| Node {
        index,
        hash: Hash::from_bytes(pattern(32, seed).try_into().expect("32 bytes")),
        size: index * 3,
    };
    let signature = pattern(64, 9).try_into().expect("64 bytes");
    let have = |start, length, bitfield: Option<&[u8]>| {
        let bitfield = bitfield.map(Bytes::copy_from_slice);
        Message::Have(Have {
            start,
            length,
            bitfield,
            ack: false,
        })
    };
    let mut messages = vec![
        Message::Status(Status {
            uploading: true,
            downloading: false,
        }),
        have(0, 1, None),
        have(8191, 8193, None),
        // Run-length encoded: 64 bytes of ones.
        have(8192, 512, Some(&[0x83, 0x02])),
        have(0, 8192, Some(&[])),
        Message::Have(Have {
            start: 3,
            length: 1,
            bitfield: None,
            ack: true,
        }),
        Message::Unhave(Unhave {
            start: 5,
            length: 1,
        }),
        Message::Unhave(Unhave {
            start: 0,
            length: 1 << 20,
        }),
        Message::Want(Want {
            start: 0,
            length: 8192 * 128,
        }),
        Message::Want(Want {
            start: 8192,
            length: 0,
        }),
        Message::Unwant(Unwant {
            start: 0,
            length: 0,
        }),
        Message::Request(Request {
            index: 0,
            bytes: 0,
            hash: false,
            nodes: 0,
        }),
        Message::Request(Request {
            index: 7,
            bytes: MAX,
            hash: true,
            nodes: MAX,
        }),
        Message::Cancel(Cancel {
            index: 7,
            bytes: 3,
            hash: true,
        }),
        Message::Data(Data {
            index: 1 << 31,
            value: None,
            nodes: vec![node(2, 1), node(1 << 40, 2)],
            signature: Some(Signature::from_bytes(signature)),
        }),
    ];
    for size in [0, 1, 127, 128, 65_536, 1 << 20] {
        let value = Some(Bytes::from(pattern(size, 4)));
        messages.push(Message::Data(Data {
            index: 3,
            value,
            nodes: vec![node(6, 3)],
            signature: None,
        }));
    }
    messages
}

/// One end of a connection over a blocking socket.
struct Wire {
    connection: Connection,
    socket: TcpStream,
    start: Instant,
}

impl Wire {
    /// Connects to Node, which opens `keys` by itself and may refuse all others.
    #[track_caller]
    fn with(role: Role, node: &mut Peer, keys: &[PublicKey], refuse: bool) -> Self {
        let keys: Vec<_> = keys.iter().map(|key| hex::encode(key.as_bytes())).collect();
        node.ask("wire.open", json!({ "keys": keys, "refuse": refuse }));
        let socket = match role {
            Role::Initiator => {
                let port = node.ask("listen", json!({}))["port"]
                    .as_u64()
                    .expect("a port");
                let port = u16::try_from(port).expect("a port");
                TcpStream::connect(("127.0.0.1", port)).expect("node accepts")
            }
            Role::Responder => {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a socket listens");
                let port = listener.local_addr().expect("it has an address").port();
                node.ask("dial", json!({ "port": port }));
                listener.accept().expect("node dials").0
            }
        };
        socket
            .set_read_timeout(Some(LIMIT))
            .expect("a timeout can be set");
        let start = Instant::now();
        let secrets = Secrets {
            static_key: [1; 32],
            ephemeral_key: [2; 32],
            nonce: [3; 24],
        };
        let now = Timestamp::default();
        let connection = Connection::new(role, secrets, Config::default(), now);
        Self {
            connection,
            socket,
            start,
        }
    }

    /// Waits for what happens next.
    #[track_caller]
    fn event(&mut self) -> Event {
        let mut buffer = vec![0; 1 << 16];
        loop {
            self.flush();
            if let Some(event) = self.connection.poll_event() {
                return event;
            }
            let now = Timestamp::from_start(self.start.elapsed());
            match self
                .socket
                .read(&mut buffer)
                .expect("node sends within the limit")
            {
                0 => panic!("node hung up"),
                count => self
                    .connection
                    .handle_input(now, &buffer[..count])
                    .expect("valid input"),
            }
        }
    }

    fn flush(&mut self) {
        while let Some(bytes) = self.connection.poll_transmit() {
            self.socket.write_all(&bytes).expect("node reads");
        }
    }

    /// Sends a message and expects it back.
    #[track_caller]
    fn echo(&mut self, channel: Channel, message: &Message) {
        self.connection
            .send(channel, message.clone())
            .expect("the message can be sent");
        assert_eq!(self.event(), Event::Message(channel, message.clone()));
    }
}

fn key(seed: u8) -> PublicKey {
    KeyPair::from_seed(&[seed; 32]).public
}
