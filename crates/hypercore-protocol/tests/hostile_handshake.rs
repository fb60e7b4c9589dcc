//! What a peer can do before it is connected.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{START, connection, events, transmit, varint, vectors};
use hypercore_protocol::{Config, ConnectionError, HandshakeError, Role};
use testkit::vectors::bytes;

fn responder() -> hypercore_protocol::Connection {
    connection(Role::Responder, Config::default())
}

/// The framed messages of the vectors' handshake.
fn messages() -> [Vec<u8>; 3] {
    let vectors = vectors();
    [0, 1, 2].map(|i| bytes(&vectors["handshake"]["messages"][i]["frame"]))
}

fn failure(input: &[u8]) -> HandshakeError {
    let mut responder = responder();
    let result = responder.handle_input(START, input);
    assert!(
        transmit(&mut responder).is_empty(),
        "the remote is told nothing"
    );
    assert_eq!(events(&mut responder), []);
    match result {
        Err(ConnectionError::Handshake(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn fault_w7_lengths_are_refused_from_the_prefix() {
    for length in [4097, 65_535, 65_536, 1 << 32, (1 << 56) - 1] {
        let mut prefix = Vec::new();
        varint(&mut prefix, length);
        assert_eq!(failure(&prefix), HandshakeError::Length { length });
    }
    assert_eq!(
        failure(&[0xff; 8]),
        HandshakeError::Length { length: u64::MAX }
    );
    // The longest that is taken, by one byte at a time.
    let mut responder = responder();
    let mut message = Vec::new();
    varint(&mut message, 4096);
    message.extend_from_slice(&messages()[0][1..33]);
    message.resize(4098, 7);
    for byte in &message {
        responder.handle_input(START, &[*byte]).unwrap();
    }
}

#[test]
fn fault_w7_truncated_messages_fail() {
    for length in [1, 31, 32] {
        let message = [&[length][..], &messages()[0][1..=usize::from(length)]].concat();
        let mut responder = responder();
        match responder.handle_input(START, &message) {
            // A whole key without payload is a valid first message.
            Ok(()) => assert_eq!(length, 32),
            Err(error) => assert_eq!(error, HandshakeError::Decrypt.into()),
        }
    }
    let [first, _, third] = messages();
    for length in [1, 15, 16, 47, 48, 63, 64, 89] {
        let cut = [&[length][..], &third[1..=usize::from(length)]].concat();
        let mut responder = responder();
        responder.handle_input(START, &first).unwrap();
        let error = responder.handle_input(START, &cut).unwrap_err();
        assert_eq!(error, HandshakeError::Decrypt.into());
    }
}

/// Every bit of the two encrypted messages is authenticated.
#[test]
fn fault_w7_altered_messages_fail() {
    let [first, second, third] = messages();
    for bit in 8..third.len() * 8 {
        let mut altered = third.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let mut responder = responder();
        responder.handle_input(START, &first).unwrap();
        transmit(&mut responder);
        let error = responder.handle_input(START, &altered).unwrap_err();
        assert_eq!(error, HandshakeError::Decrypt.into(), "bit {bit}");
        assert!(transmit(&mut responder).is_empty());
    }
    for bit in (8..second.len() * 8).step_by(7) {
        let mut altered = second.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let mut initiator = connection(Role::Initiator, Config::default());
        transmit(&mut initiator);
        let error = initiator.handle_input(START, &altered);
        // The highest bit of an X25519 key means nothing, but it is hashed.
        assert_eq!(error, Err(HandshakeError::Decrypt.into()), "bit {bit}");
        assert!(transmit(&mut initiator).is_empty());
    }
}

#[test]
fn fault_w7_two_initiators_fail() {
    let mut one = connection(Role::Initiator, Config::default());
    let mut other = connection(Role::Initiator, Config::default());
    let error = one.handle_input(START, &transmit(&mut other)).unwrap_err();
    assert_eq!(error, HandshakeError::Decrypt.into());
}

#[test]
fn fault_w7_keys_of_low_order_are_refused() {
    for lowest in [0, 1] {
        let mut message = messages()[0].clone();
        message[1..33].fill(0);
        message[1] = lowest;
        assert_eq!(failure(&message), HandshakeError::LowOrderPoint);
        // In the second message it is the initiator who looks.
        let mut message = messages()[1].clone();
        message[1..33].fill(0);
        message[1] = lowest;
        let mut initiator = connection(Role::Initiator, Config::default());
        let error = initiator.handle_input(START, &message).unwrap_err();
        assert_eq!(error, HandshakeError::LowOrderPoint.into());
    }
}

/// A stranger whose static key is of low order passes Noise, and must not pass us.
#[test]
fn fault_w7_static_keys_of_low_order_are_refused() {
    let error = foreign_handshake(&[0; 32], &[0x0a, 24, 7]).unwrap_err();
    // The payload is wrong too, but the key is looked at first.
    assert_eq!(error, HandshakeError::LowOrderPoint.into());
}

#[test]
fn fault_w7_payloads_without_nonce_are_refused() {
    let honest = x25519_dalek::x25519([9; 32], x25519_dalek::X25519_BASEPOINT_BYTES);
    let nonce = |length: u8| [&[0x0a, length][..], &vec![7; length.into()]].concat();
    for payload in [
        vec![],
        vec![0x0a],
        nonce(0),
        nonce(23),
        nonce(25),
        vec![0x10, 1],
    ] {
        let error = foreign_handshake(&honest, &payload).unwrap_err();
        assert_eq!(error, HandshakeError::Payload.into(), "{payload:02x?}");
    }
    foreign_handshake(&honest, &nonce(24)).unwrap();
    // Fields that we do not know are skipped.
    foreign_handshake(&honest, &[&nonce(24)[..], &[0x12, 1, 0]].concat()).unwrap();
}

/// A peer of our own making shakes hands with a responder, with a public key and payload of choice.
fn foreign_handshake(public: &[u8; 32], payload: &[u8]) -> Result<(), ConnectionError> {
    let resolver = Box::new(forged::Resolver { public: *public });
    let params = "Noise_XX_25519_ChaChaPoly_BLAKE2b".parse().unwrap();
    let mut noise = snow::Builder::with_resolver(params, resolver)
        .local_private_key(&[9; 32])
        .unwrap()
        .build_initiator()
        .unwrap();
    let mut responder = responder();
    let mut buffer = [0; 4096];
    for _ in 0..2 {
        let length = noise.write_message(payload, &mut buffer).unwrap();
        let mut framed = Vec::new();
        varint(&mut framed, length as u64);
        framed.extend_from_slice(&buffer[..length]);
        responder.handle_input(START, &framed)?;
        let reply = transmit(&mut responder);
        if !reply.is_empty() {
            noise.read_message(&reply[1..], &mut buffer).unwrap();
        }
    }
    Ok(())
}

/// Noise with a key pair whose halves need not belong together.
mod forged {
    use snow::params::{CipherChoice, DHChoice, HashChoice};
    use snow::resolvers::{CryptoResolver, DefaultResolver};
    use snow::types::{Cipher, Dh, Hash, Random};

    pub(super) struct Resolver {
        pub(super) public: [u8; 32],
    }

    impl CryptoResolver for Resolver {
        fn resolve_rng(&self) -> Option<Box<dyn Random>> {
            DefaultResolver.resolve_rng()
        }

        fn resolve_dh(&self, _: &DHChoice) -> Option<Box<dyn Dh>> {
            Some(Box::new(Forged {
                secret: [9; 32],
                public: self.public,
                forged: true,
            }))
        }

        fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
            DefaultResolver.resolve_hash(choice)
        }

        fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
            DefaultResolver.resolve_cipher(choice)
        }
    }

    struct Forged {
        secret: [u8; 32],
        public: [u8; 32],
        /// Whether this is the static key, which lies; the ephemeral one is drawn.
        forged: bool,
    }

    impl Dh for Forged {
        fn name(&self) -> &'static str {
            "25519"
        }

        fn pub_len(&self) -> usize {
            32
        }

        fn priv_len(&self) -> usize {
            32
        }

        fn set(&mut self, secret: &[u8]) {
            self.secret.copy_from_slice(secret);
        }

        fn generate(&mut self, _: &mut dyn Random) -> Result<(), snow::Error> {
            self.forged = false;
            self.public = x25519_dalek::x25519(self.secret, x25519_dalek::X25519_BASEPOINT_BYTES);
            Ok(())
        }

        fn pubkey(&self) -> &[u8] {
            &self.public
        }

        fn privkey(&self) -> &[u8] {
            &self.secret
        }

        fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
            let mut key = [0; 32];
            key.copy_from_slice(&public[..32]);
            // With a key of low order, everybody shares zero.
            let shared = if self.forged && self.public == [0; 32] {
                [0; 32]
            } else {
                x25519_dalek::x25519(self.secret, key)
            };
            out[..32].copy_from_slice(&shared);
            Ok(())
        }
    }
}

#[test]
fn empty_messages_are_skipped() {
    let mut responder = responder();
    responder.handle_input(START, &[0; 100]).unwrap();
    responder.handle_input(START, &messages()[0]).unwrap();
    assert_eq!(transmit(&mut responder), messages()[1]);
}

/// A peer that sends a byte now and then keeps no connection open.
#[test]
fn fault_w7_a_handshake_ends_in_time() {
    let config = Config::default();
    let mut responder = responder();
    let mut now = START;
    for _ in 0..19 {
        now = now + Duration::from_secs(1);
        responder.handle_input(now, &[0]).unwrap();
    }
    assert_eq!(
        responder.poll_timeout(),
        Some(START + config.handshake_timeout)
    );
    let error = responder
        .handle_timeout(START + config.handshake_timeout)
        .unwrap_err();
    assert_eq!(error, ConnectionError::HandshakeTimeout);
}
