//! Two connections, the wire between them and a clock, for all tests of this crate.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::time::Duration;

use bytes::Bytes;
use hypercore_crypto::{Hash, KeyPair, PublicKey, Signature};
use hypercore_protocol::{
    Cancel, Channel, Config, Connection, ConnectionError, Data, Event, Extension, Have, Message,
    Node, Options, Protection, Request, Role, Secrets, Status, Timestamp, Unhave, Unprotected,
    Unwant, Want,
};
use testkit::vectors::{Value, array, bytes, load, number};

pub const START: Timestamp = Timestamp::from_start(Duration::from_secs(1000));

pub fn vectors() -> Value {
    load("tests/vectors/protocol.json")
}

/// The secrets of the handshake vectors.
pub fn secrets(role: Role) -> Secrets {
    let vectors = vectors();
    let side = &vectors["handshake"][name(role)];
    Secrets {
        static_key: array(&side["static_secret"]),
        ephemeral_key: array(&side["ephemeral_secret"]),
        nonce: array(&side["stream_nonce"]),
    }
}

pub fn name(role: Role) -> &'static str {
    match role {
        Role::Initiator => "initiator",
        Role::Responder => "responder",
    }
}

pub fn key(seed: u8) -> PublicKey {
    KeyPair::from_seed(&[seed; 32]).public
}

const ON_PURPOSE: Unprotected = Unprotected::readable_by_anybody_on_the_way();
pub const PLAIN: Protection = Protection::Plain(ON_PURPOSE);
pub const AUTHENTICATED: Protection = Protection::Authenticated(ON_PURPOSE);

pub fn config(protection: Protection) -> Config {
    let mut config = Config::default();
    config.protection = protection;
    config
}

pub fn connection(role: Role, config: Config) -> Connection {
    Connection::new(role, secrets(role), config, START)
}

/// A connection without handshake and encryption, whose input can be written by hand.
pub fn plain() -> Connection {
    connection(Role::Initiator, config(PLAIN))
}

/// Everything that waits to be transmitted.
pub fn transmit(connection: &mut Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = connection.poll_transmit() {
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

pub fn events(connection: &mut Connection) -> Vec<Event> {
    std::iter::from_fn(|| connection.poll_event()).collect()
}

/// Two connections that face each other.
pub struct Pair {
    pub initiator: Connection,
    pub responder: Connection,
    pub now: Timestamp,
    /// All bytes that went over the wire, by sender.
    pub from_initiator: Vec<u8>,
    pub from_responder: Vec<u8>,
}

impl Pair {
    pub fn new(config: Config) -> Self {
        Self {
            initiator: connection(Role::Initiator, config.clone()),
            responder: connection(Role::Responder, config),
            now: START,
            from_initiator: Vec::new(),
            from_responder: Vec::new(),
        }
    }

    pub fn encrypted() -> Self {
        Self::new(Config::default())
    }

    /// Carries bytes until both are silent.
    pub fn carry(&mut self) -> Result<(), ConnectionError> {
        loop {
            let there = transmit(&mut self.initiator);
            let back = transmit(&mut self.responder);
            if there.is_empty() && back.is_empty() {
                return Ok(());
            }
            self.from_initiator.extend_from_slice(&there);
            self.from_responder.extend_from_slice(&back);
            self.responder.handle_input(self.now, &there)?;
            self.initiator.handle_input(self.now, &back)?;
        }
    }

    /// Opens a core on both sides, drops all events and returns the two channels.
    pub fn open(&mut self, key: &PublicKey) -> (Channel, Channel) {
        let channels = (
            self.initiator.open(key).unwrap(),
            self.responder.open(key).unwrap(),
        );
        self.carry().unwrap();
        let opened = |events: Vec<Event>, channel| events.contains(&Event::Opened(channel));
        assert!(opened(events(&mut self.initiator), channels.0));
        assert!(opened(events(&mut self.responder), channels.1));
        channels
    }

    pub fn side(&mut self, role: Role) -> &mut Connection {
        match role {
            Role::Initiator => &mut self.initiator,
            Role::Responder => &mut self.responder,
        }
    }
}

/// A frame, by hand.
pub fn frame(channel: u64, kind: u64, body: &[u8]) -> Vec<u8> {
    let mut header = Vec::new();
    varint(&mut header, channel << 4 | kind);
    let mut frame = Vec::new();
    varint(&mut frame, (header.len() + body.len()) as u64);
    frame.extend_from_slice(&header);
    frame.extend_from_slice(body);
    frame
}

pub fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// An `Open` without capability, by hand.
pub fn open_frame(channel: u64, key: &PublicKey) -> Vec<u8> {
    let mut body = vec![0x0a, 32];
    body.extend_from_slice(key.discovery_key().as_bytes());
    frame(channel, 0, &body)
}

/// A plain connection on which both sides opened a core, the remote as channel 1.
pub fn opened(key: &PublicKey) -> (Connection, Channel) {
    let mut connection = plain();
    let channel = connection.open(key).unwrap();
    connection.handle_input(START, &open_frame(1, key)).unwrap();
    assert_eq!(events(&mut connection), [Event::Opened(channel)]);
    transmit(&mut connection);
    (connection, channel)
}

/// The message that a vector describes with all defaults filled in.
pub fn message(vector: &Value) -> Message {
    let fields = vector
        .get("decoded")
        .filter(|it| it.is_object())
        .unwrap_or(&vector["message"]);
    let num = |name: &str| number(&fields[name]);
    let flag = |name: &str| fields[name].as_bool().unwrap();
    let blob = |value: &Value| (!value.is_null()).then(|| Bytes::from(bytes(value)));
    let (start, length) = (|| num("start"), || num("length"));
    match vector["name"].as_str().unwrap() {
        "Options" => Message::Options(Options {
            extensions: fields["extensions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|name| name.as_str().unwrap().to_owned())
                .collect(),
            ack: flag("ack"),
        }),
        "Status" => Message::Status(Status {
            uploading: flag("uploading"),
            downloading: flag("downloading"),
        }),
        "Have" => Message::Have(Have {
            start: start(),
            length: length(),
            bitfield: blob(&fields["bitfield"]),
            ack: flag("ack"),
        }),
        "Unhave" => Message::Unhave(Unhave {
            start: start(),
            length: length(),
        }),
        "Want" => Message::Want(Want {
            start: start(),
            length: length(),
        }),
        "Unwant" => Message::Unwant(Unwant {
            start: start(),
            length: length(),
        }),
        "Request" => Message::Request(Request {
            index: num("index"),
            bytes: num("bytes"),
            hash: flag("hash"),
            nodes: num("nodes"),
        }),
        "Cancel" => Message::Cancel(Cancel {
            index: num("index"),
            bytes: num("bytes"),
            hash: flag("hash"),
        }),
        "Data" => Message::Data(Data {
            index: num("index"),
            value: blob(&fields["value"]),
            nodes: fields["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|node| Node {
                    index: number(&node["index"]),
                    hash: Hash::from_bytes(array(&node["hash"])),
                    size: number(&node["size"]),
                })
                .collect(),
            signature: (!fields["signature"].is_null())
                .then(|| Signature::from_bytes(array(&fields["signature"]))),
        }),
        other => panic!("no channel message: {other}"),
    }
}

/// An extension message, by name.
pub fn extension(name: &str, payload: impl Into<Bytes>) -> Message {
    Message::Extension(Extension {
        name: name.into(),
        payload: payload.into(),
    })
}
