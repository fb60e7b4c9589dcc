//! Keep-alives and timeouts, on a virtual clock.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Pair, START, events, key, plain, transmit};
use hypercore_protocol::{Config, ConnectionError, Have, Message, Role, Timestamp};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn two_idle_peers_keep_each_other_alive() {
    let mut pair = Pair::encrypted();
    pair.open(&key(1));
    let before = (pair.from_initiator.len(), pair.from_responder.len());
    let end = START + 600 * SECOND;
    while pair.now < end {
        let next = pair
            .initiator
            .poll_timeout()
            .min(pair.responder.poll_timeout())
            .unwrap();
        assert!(next > pair.now, "time moves");
        pair.now = next;
        pair.initiator.handle_timeout(next).unwrap();
        pair.responder.handle_timeout(next).unwrap();
        pair.carry().unwrap();
    }
    assert_eq!(events(&mut pair.initiator), []);
    // One byte every ten seconds.
    assert_eq!(pair.from_initiator.len() - before.0, 60);
    assert_eq!(pair.from_responder.len() - before.1, 60);
}

#[test]
fn silence_ends_the_connection() {
    let mut connection = plain();
    connection.handle_input(START + 5 * SECOND, &[0]).unwrap();
    connection
        .handle_timeout(START + (25 * SECOND - Duration::from_nanos(1)))
        .unwrap();
    let error = connection.handle_timeout(START + 25 * SECOND).unwrap_err();
    assert_eq!(error, ConnectionError::IdleTimeout);
    assert_eq!(connection.poll_timeout(), None);
}

/// Bytes of an unfinished frame are traffic too.
#[test]
fn every_byte_counts_as_traffic() {
    let mut connection = plain();
    let mut now = START;
    connection.handle_input(now, &[100, 0x13]).unwrap();
    for _ in 0..10 {
        now = now + 19 * SECOND;
        connection.handle_input(now, &[1]).unwrap();
        connection.handle_timeout(now).unwrap();
    }
}

#[test]
fn a_message_puts_the_keep_alive_off() {
    let (mut connection, channel) = common::opened(&key(1));
    assert_eq!(connection.poll_timeout(), Some(START + 10 * SECOND));
    connection.handle_input(START + 6 * SECOND, &[0]).unwrap();
    connection
        .send(channel, Message::Have(Have::range(0, 1)))
        .unwrap();
    transmit(&mut connection);
    assert_eq!(connection.poll_timeout(), Some(START + 16 * SECOND));
    connection
        .handle_timeout(START + (16 * SECOND - Duration::from_nanos(1)))
        .unwrap();
    assert!(transmit(&mut connection).is_empty());
    connection.handle_timeout(START + 16 * SECOND).unwrap();
    assert_eq!(transmit(&mut connection), [0]);
}

/// A peer that does not read gets no keep-alives on top of what waits for it.
#[test]
fn no_keep_alive_while_frames_wait() {
    let (mut connection, channel) = common::opened(&key(1));
    connection
        .send(channel, Message::Have(Have::range(0, 1)))
        .unwrap();
    let queued = connection.queued_bytes();
    connection.handle_timeout(START + 10 * SECOND).unwrap();
    assert_eq!(connection.queued_bytes(), queued);
    assert_eq!(connection.poll_timeout(), Some(START + 20 * SECOND));
}

#[test]
fn no_keep_alive_during_the_handshake() {
    let mut connection = common::connection(Role::Responder, Config::default());
    connection.handle_timeout(START + 15 * SECOND).unwrap();
    assert!(transmit(&mut connection).is_empty());
    assert_eq!(connection.poll_timeout(), Some(START + 20 * SECOND));
}

#[test]
fn timers_can_be_turned_off() {
    let mut config = common::config(common::PLAIN);
    config.idle_timeout = None;
    config.keep_alive = None;
    let mut connection = common::connection(Role::Initiator, config);
    assert_eq!(connection.poll_timeout(), None);
    connection
        .handle_timeout(START + 1_000_000 * SECOND)
        .unwrap();
}

#[test]
fn fault_c1_a_clock_that_goes_back_does_no_harm() {
    let mut connection = plain();
    connection.handle_input(START + 15 * SECOND, &[0]).unwrap();
    connection.handle_timeout(Timestamp::default()).unwrap();
    connection.handle_input(Timestamp::default(), &[0]).unwrap();
    assert!(connection.handle_timeout(START + 34 * SECOND).is_ok());
    assert!(connection.handle_timeout(START + 35 * SECOND).is_err());
}
