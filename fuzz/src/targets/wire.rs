use std::time::Duration;

use hypercore_crypto::{KeyPair, PublicKey};
use hypercore_protocol::{
    Channel, Config, Connection, ConnectionError, Data, Event, Extension, Have, Message, Options,
    Protection, Role, Secrets, Timestamp, Unprotected, Want,
};

use crate::encode::frame;
use crate::input::Input;
use crate::plant;

const ON_PURPOSE: Unprotected = Unprotected::readable_by_anybody_on_the_way();
pub(super) const PLAIN: Protection = Protection::Plain(ON_PURPOSE);
const AUTHENTICATED: Protection = Protection::Authenticated(ON_PURPOSE);

pub(super) const NOW: Timestamp = Timestamp::from_start(Duration::from_secs(1));

/// Plain frames from a hostile peer: a byte that says how to cut, then the stream.
///
/// However it is cut, the same comes out of it; and what we queue in answer stays in proportion.
pub fn frames(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let cut = 1 + usize::from(input.byte());
    let stream = input.rest();
    let run = |cut: usize| {
        let (mut connection, _) = opened();
        let mut events = Vec::new();
        let mut result = Ok(());
        for piece in stream.chunks(cut) {
            result = connection.handle_input(NOW, piece);
            events.extend(std::iter::from_fn(|| connection.poll_event()));
            if result.is_err() {
                break;
            }
        }
        // Planted: a header that is cut in the wrong place takes an event with it.
        if plant::strikes(cut < 10 && events.len() > 2) {
            events.remove(1);
        }
        assert!(connection.queued_bytes() <= 1000 + 20 * stream.len());
        (result, events)
    };
    let whole = run(stream.len().max(1));
    let cut = run(cut);
    assert_eq!(cut.0, whole.0);
    assert!(cut.1 == whole.1, "{:?} is not {:?}", cut.1, whole.1);
}

/// One message on an open channel: a byte for its kind, then its body.
///
/// What is understood can be sent, and is understood in the same way again.
pub fn messages(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let kind = input.byte();
    let frame = frame(kind, input.rest());

    let (mut receiver, channel) = opened();
    if receiver.handle_input(NOW, &frame).is_err() {
        return;
    }
    let Some(Event::Message(_, message)) = receiver.poll_event() else {
        return;
    };
    assert_eq!(receiver.poll_event(), None);
    let (mut sender, same) = opened();
    assert_eq!(channel, same);
    if sender.send(channel, message.clone()).is_err() {
        // A remote may name an extension twice, we may not.
        assert!(matches!(message, Message::Options(_)), "{message:?}");
        return;
    }
    let mut again = opened().0;
    // Planted: numbers of blocks that need more than 32 bits are not sent.
    let far = match &message {
        Message::Have(have) => have.start,
        Message::Unhave(unhave) => unhave.start,
        Message::Want(want) => want.start,
        Message::Request(request) => request.index,
        _ => 0,
    };
    if plant::strikes(far > u64::from(u32::MAX)) {
        sender = opened().0;
    }
    while let Some(bytes) = sender.poll_transmit() {
        again
            .handle_input(NOW, &bytes)
            .expect("our own frame is understood");
    }
    match again.poll_event() {
        Some(Event::Message(_, Message::Options(mut options))) => {
            let Message::Options(mut sent) = message else {
                panic!("{message:?}")
            };
            sent.extensions.sort();
            options.extensions.sort();
            assert_eq!(options, sent);
        }
        event => assert!(
            event == Some(Event::Message(channel, message.clone()))
                || message == Message::Options(Options::default()),
            "{message:?} became {event:?}"
        ),
    }
}

/// A stranger's handshake, and what follows it: a byte for role and protection, one that says how to
/// cut, then the stream.
pub fn handshake(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let choice = input.byte();
    let cut = 1 + usize::from(input.byte());
    let role = if choice & 1 == 0 {
        Role::Responder
    } else {
        Role::Initiator
    };
    let protection = if choice & 2 == 0 {
        Protection::Encrypted
    } else {
        AUTHENTICATED
    };
    let mut connection = connection(role, protection);
    let _ = connection.open(&key(1));
    for piece in input.rest().chunks(cut) {
        if connection.handle_input(NOW, piece).is_err() {
            assert_eq!(connection.poll_transmit(), None);
            // Planted: an error is answered if it comes after the handshake.
            let known = connection.remote_public_key().is_some();
            assert!(!plant::strikes(known));
            break;
        }
        while connection.poll_event().is_some() {}
        assert!(connection.queued_bytes() < 10_000 + 20 * bytes.len());
        while connection.poll_transmit().is_some() {}
    }
}

/// Two honest peers and a slow network: each byte is a step, followed by what it needs.
///
/// Nothing that they do may end the connection but silence, and once everything has arrived, both
/// agree on which cores are open.
pub fn session(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let protection = match input.byte() & 3 {
        0 | 1 => PLAIN,
        2 => AUTHENTICATED,
        _ => Protection::Encrypted,
    };
    let peer = |role| Peer {
        connection: connection(role, protection),
        channels: [None; KEYS],
        wire: Vec::new(),
    };
    let mut peers = [peer(Role::Initiator), peer(Role::Responder)];
    let mut now = NOW;
    while !input.is_empty() {
        let step = input.byte();
        let side = usize::from(step & 1);
        let seed = step >> 1 & 3;
        match step >> 3 & 0xf {
            0 | 1 => peers[side].open(seed),
            2 => peers[side].close(seed),
            3 => peers[side].connection.refuse(&key(seed).discovery_key()),
            4..=8 => peers[side].send(seed, step >> 3 & 0xf, &mut input),
            9 => {
                let _ = peers[side].connection.set_stream_extensions(&["s"]);
                let _ = peers[side]
                    .connection
                    .send_stream_extension("s", input.piece());
            }
            10 => {
                now = now + Duration::from_millis(u64::from(input.byte()) * 50);
                for peer in &mut peers {
                    if let Err(error) = peer.connection.handle_timeout(now) {
                        return assert_silence(&error);
                    }
                }
            }
            _ => {
                let length = input.number();
                if let Err(error) = deliver(&mut peers, side, length, now) {
                    return assert_silence(&error);
                }
            }
        }
    }
    while peers
        .iter()
        .any(|peer| peer.connection.queued_bytes() > 0 || !peer.wire.is_empty())
    {
        let before = [0, 1].map(|side: usize| peers[side].connection.bytes_received());
        for side in [0, 1] {
            if let Err(error) = deliver(&mut peers, side, usize::MAX, now) {
                return assert_silence(&error);
            }
        }
        let after = [0, 1].map(|side: usize| peers[side].connection.bytes_received());
        assert_ne!(before, after, "what waits is sent");
    }
    for seed in 0..KEYS {
        let [one, other] = &peers;
        // Planted: two cores that are open at once are confused.
        let seen = other.is_opened(seed) ^ plant::strikes(other.is_opened(1) && other.is_opened(2));
        assert_eq!(one.is_opened(seed), seen, "core {seed}");
    }
}

/// One of two honest peers.
struct Peer {
    connection: Connection,
    /// Our channel for each core.
    channels: [Option<Channel>; KEYS],
    /// What has been transmitted and has not arrived.
    wire: Vec<u8>,
}

impl Peer {
    fn open(&mut self, seed: u8) {
        if let Ok(channel) = self.connection.open(&key(seed)) {
            self.channels[usize::from(seed)] = Some(channel);
        }
    }

    fn close(&mut self, seed: u8) {
        if let Some(channel) = self.channels[usize::from(seed)].take() {
            self.connection.close(channel);
        }
    }

    fn send(&mut self, seed: u8, kind: u8, input: &mut Input<'_>) {
        let Some(channel) = self.channels[usize::from(seed)] else {
            return;
        };
        let message = match kind {
            4 => Message::Want(Want {
                start: 0,
                length: input.number() as u64,
            }),
            5 => Message::Have(Have::range(input.number() as u64, input.number() as u64)),
            6 => Message::Options(Options {
                extensions: input.piece().iter().map(|name| name.to_string()).collect(),
                ack: false,
            }),
            7 => {
                let value = vec![seed; input.number()].into();
                Message::Data(Data {
                    index: 0,
                    value: Some(value),
                    ..Data::default()
                })
            }
            _ => Message::Extension(Extension {
                name: input.byte().to_string().into(),
                payload: input.piece().to_vec().into(),
            }),
        };
        // The channel may have been closed, the name be unknown.
        let _ = self.connection.send(channel, message);
    }

    fn is_opened(&self, seed: usize) -> bool {
        self.channels[seed].is_some_and(|channel| self.connection.is_opened(channel))
    }
}

/// Brings up to `length` bytes from one peer to the other, and lets that one see what happened.
fn deliver(
    peers: &mut [Peer; 2],
    from: usize,
    length: usize,
    now: Timestamp,
) -> Result<(), ConnectionError> {
    let sender = &mut peers[from];
    while let Some(bytes) = sender.connection.poll_transmit() {
        sender.wire.extend_from_slice(&bytes);
    }
    let length = length.min(sender.wire.len());
    let bytes: Vec<u8> = sender.wire.drain(..length).collect();
    let receiver = &mut peers[1 - from];
    receiver.connection.handle_input(now, &bytes)?;
    while let Some(event) = receiver.connection.poll_event() {
        if let Event::Closed(channel) | Event::Failed(channel, _) = event {
            receiver
                .channels
                .iter_mut()
                .filter(|it| **it == Some(channel))
                .for_each(|it| *it = None);
        }
        assert!(!matches!(event, Event::Failed(..)), "{event:?}");
    }
    Ok(())
}

fn assert_silence(error: &ConnectionError) {
    let silence = [
        ConnectionError::IdleTimeout,
        ConnectionError::HandshakeTimeout,
    ];
    assert!(silence.contains(error), "{error}");
}

/// A plain connection with one core that both sides opened, one that only we did.
pub(super) fn opened() -> (Connection, Channel) {
    let mut connection = connection(Role::Initiator, PLAIN);
    connection
        .set_stream_extensions(&["s", "t"])
        .expect("the names are short");
    let channel = connection.open(&key(0)).expect("the first core");
    connection.open(&key(1)).expect("another core");
    let extensions = vec!["a".to_owned(), "b".to_owned()];
    connection
        .send(
            channel,
            Message::Options(Options {
                extensions,
                ack: false,
            }),
        )
        .expect("options wait");
    let mut frame = vec![0x23, 0x10, 0x0a, 32];
    frame.extend_from_slice(key(0).discovery_key().as_bytes());
    connection
        .handle_input(NOW, &frame)
        .expect("an honest Open");
    assert_eq!(connection.poll_event(), Some(Event::Opened(channel)));
    while connection.poll_transmit().is_some() {}
    (connection, channel)
}

/// The secrets are those of the vectors, so that recorded handshakes succeed.
pub(super) fn connection(role: Role, protection: Protection) -> Connection {
    let mut config = Config::default();
    config.protection = protection;
    Connection::new(role, secrets(role), config, NOW)
}

pub(super) fn secrets(role: Role) -> Secrets {
    let (secrets, first) = match role {
        Role::Initiator => ([I_STATIC, I_EPHEMERAL], 0),
        Role::Responder => ([R_STATIC, R_EPHEMERAL], 0x80),
    };
    let [static_key, ephemeral_key] = secrets.map(|secret| {
        let mut key = [0; 32];
        hex::decode_to_slice(secret, &mut key).expect("64 digits");
        key
    });
    let mut nonce = [0; 24];
    (first..)
        .zip(&mut nonce)
        .for_each(|(value, byte)| *byte = value);
    Secrets {
        static_key,
        ephemeral_key,
        nonce,
    }
}

fn key(seed: u8) -> PublicKey {
    // The core of the vectors, and others.
    KeyPair::from_seed(&[0x55 + seed; 32]).public
}

const KEYS: usize = 4;

const I_STATIC: &str = "d4ffaeeac45aa41825e0bc3f875570af061acbf0b950ad752ff0f9463fe13ad5";
const I_EPHEMERAL: &str = "510c7466f2a90281df576a765517adfc6a4c8f89fee3e14b8eae3a574f442c37";
const R_STATIC: &str = "e2a94e18647fe0c6283a31e40c46ae1cc5f0867650f6834e4f01e34284adc9c7";
const R_EPHEMERAL: &str = "0395256ce5d90f07504b614b9e70e29a06fdd69cef6b01f6018615164125a5c5";
