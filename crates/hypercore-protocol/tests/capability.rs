//! Who does not know a core's key learns nothing about the core.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Pair, events, frame, key, transmit};
use hypercore_protocol::{ConnectionError, Event, OpenError, Role};

/// Sends an `Open` with a capability of choice from an initiator that only repeats what it is given.
fn open(pair: &mut Pair, capability: Option<&[u8]>) -> Result<(), ConnectionError> {
    let mut body = vec![0x0a, 32];
    body.extend_from_slice(key(1).discovery_key().as_bytes());
    if let Some(capability) = capability {
        body.extend_from_slice(&[0x12, 32]);
        body.extend_from_slice(capability);
    }
    let now = pair.now;
    pair.responder.handle_input(now, &frame(1, 0, &body))
}

fn connected() -> Pair {
    // Not encrypted, so that frames can be written by hand; the proof is the same.
    let mut pair = Pair::new(common::config(common::AUTHENTICATED));
    pair.carry().unwrap();
    events(&mut pair.responder);
    pair
}

fn wrong_capabilities(pair: &mut Pair) -> [Option<Vec<u8>>; 3] {
    // The responder's own proof, reflected.
    let channel = pair.responder.open(&key(1)).unwrap();
    let sent = transmit(&mut pair.responder);
    pair.responder.close(channel);
    [
        None,
        Some(vec![0; 32]),
        Some(sent[sent.len() - 32..].to_vec()),
    ]
}

#[test]
fn a_false_open_of_an_open_core_ends_the_connection() {
    let capabilities = wrong_capabilities(&mut connected());
    for capability in capabilities {
        let mut pair = connected();
        pair.responder.open(&key(1)).unwrap();
        let error = open(&mut pair, capability.as_deref()).unwrap_err();
        let discovery_key = key(1).discovery_key();
        assert_eq!(error, ConnectionError::Capability { discovery_key });
        assert_eq!(events(&mut pair.responder), []);
    }
}

#[test]
fn a_false_offer_is_refused_and_the_connection_stays() {
    let capabilities = wrong_capabilities(&mut connected());
    for capability in capabilities {
        let mut pair = connected();
        open(&mut pair, capability.as_deref()).unwrap();
        assert_eq!(
            events(&mut pair.responder),
            [Event::Offered(key(1).discovery_key())]
        );
        assert_eq!(pair.responder.open(&key(1)), Err(OpenError::Capability));
        let refusal = [&[0x0a, 32], &key(1).discovery_key().as_bytes()[..]].concat();
        assert_eq!(transmit(&mut pair.responder), frame(1, 10, &refusal));
        assert_eq!(events(&mut pair.responder), []);
        assert_eq!(pair.responder.channel_count(), 0);
        // Another core works.
        pair.open(&key(2));
    }
}

/// A proof belongs to one connection: recorded and replayed on another, it is worth nothing.
#[test]
fn a_recorded_proof_fails_on_another_connection() {
    let mut pair = connected();
    pair.initiator.open(&key(1)).unwrap();
    let recorded = transmit(&mut pair.initiator);
    let mut other = secrets_with_nonce_and_ephemeral(9);
    let now = other.now;
    other.responder.open(&key(1)).unwrap();
    let error = other.responder.handle_input(now, &recorded).unwrap_err();
    assert!(matches!(error, ConnectionError::Capability { .. }));
}

fn secrets_with_nonce_and_ephemeral(byte: u8) -> Pair {
    use hypercore_protocol::Connection;
    let mut pair = Pair::new(common::config(common::AUTHENTICATED));
    let mut secrets = common::secrets(Role::Initiator);
    secrets.ephemeral_key = [byte; 32];
    let config = common::config(common::AUTHENTICATED);
    pair.initiator = Connection::new(Role::Initiator, secrets, config, pair.now);
    pair.carry().unwrap();
    pair
}
