//! Two of our connections say what two of the reference's said, byte for byte.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Pair, config, events, extension, key, message, name, secrets, vectors};
use hypercore_protocol::{Channel, Event, Extension, Message, Protection, Role};
use testkit::vectors::{Value, array, bytes, number};

/// Five blocks from a writer to an empty reader, over handshake and encryption.
#[test]
fn download_of_five_blocks() {
    let vectors = vectors();
    let transcript = &vectors["replication_download5"];
    assert_eq!(
        array(&transcript["feed"]["public_key"]),
        *key(0x55).as_bytes()
    );
    let pair = replay(transcript, Protection::Encrypted);
    let starts = &transcript["transport_starts_at"];
    assert_eq!(
        (number(&starts["initiator"]), number(&starts["responder"])),
        (150, 123)
    );
    assert_eq!(pair.initiator.bytes_sent(), pair.responder.bytes_received());
    assert_eq!(
        pair.responder.bytes_sent(),
        pair.from_responder.len() as u64
    );
}

/// A live session in plain: acks, seek, extensions of both scopes, status changes, ping, close.
#[test]
fn live_replication_in_plain() {
    let pair = replay(&vectors()["replication_live_plain"], common::PLAIN);
    assert_eq!(pair.initiator.channel_count(), 0);
    assert_eq!(pair.responder.channel_count(), 0);
}

/// The three messages of the handshake, alone.
#[test]
fn handshake() {
    let vectors = vectors();
    let handshake = &vectors["handshake"];
    for protection in [Protection::Encrypted, common::AUTHENTICATED] {
        let mut pair = Pair::new(config(protection));
        pair.carry().unwrap();
        for (role, sent) in [
            (Role::Initiator, &pair.from_initiator),
            (Role::Responder, &pair.from_responder),
        ] {
            let frames: Vec<u8> = handshake["messages"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|message| message["from"] == name(role))
                .flat_map(|message| bytes(&message["frame"]))
                .collect();
            assert_eq!(*sent, frames, "{}", name(role));
            let public: [u8; 32] = array(&handshake[name(role)]["static_public"]);
            assert_eq!(secrets(role).public_key(), public);
        }
        let hash: [u8; 64] = array(&handshake["handshake_hash"]);
        for (role, remote) in [
            (Role::Initiator, Role::Responder),
            (Role::Responder, Role::Initiator),
        ] {
            let connection = pair.side(role);
            let remote_public_key = array(&handshake[name(remote)]["static_public"]);
            let connected = Event::Connected {
                remote_public_key,
                handshake_hash: hash,
            };
            assert_eq!(events(connection), [connected]);
            assert_eq!(connection.remote_public_key(), Some(&remote_public_key));
            assert_eq!(connection.handshake_hash(), Some(&hash));
        }
    }
}

/// Makes the same calls in the same order, carries every byte at once, and compares what arrives with
/// the frame's decoded form and all that was sent with the reference's wire.
fn replay(transcript: &Value, protection: Protection) -> Pair {
    let mut pair = Pair::new(config(protection));
    // What `open` adds waits for the handshake, as the reference's does; frames go one by one after.
    let mut channels: [Option<Channel>; 2] = [None, None];
    pair.initiator.set_stream_extensions(&["strm"]).unwrap();
    pair.responder.set_stream_extensions(&["strm"]).unwrap();
    let frames = transcript["frames"].as_array().unwrap();
    for frame in frames.iter().filter(|frame| frame.get("note").is_none()) {
        let (role, mine) = match frame["from"].as_str().unwrap() {
            "initiator" => (Role::Initiator, 0),
            _ => (Role::Responder, 1),
        };
        let decoded = &frame["decoded"];
        let now = pair.now;
        let sender = pair.side(role);
        let mut expected = None;
        match decoded["name"].as_str().unwrap() {
            "Open" => channels[mine] = Some(sender.open(&key(0x55)).unwrap()),
            "Close" => sender.close(channels[mine].unwrap()),
            "KeepAlive" => sender
                .handle_timeout(now + Duration::from_secs(10))
                .unwrap(),
            "Options" if decoded["channel"] == 0 => {
                expected = Some(Event::StreamOptions {
                    extensions: vec!["strm".into()],
                });
            }
            "Extension" => {
                assert_eq!(decoded["id"], 0);
                let payload = bytes(&decoded["payload"]);
                if decoded["channel"] == 0 {
                    sender.send_stream_extension("strm", &payload).unwrap();
                    expected = Some(Event::StreamExtension(Extension {
                        name: "strm".into(),
                        payload: payload.into(),
                    }));
                } else {
                    let message = extension("zeta", payload);
                    sender
                        .send(channels[mine].unwrap(), message.clone())
                        .unwrap();
                    expected = Some(Event::Message(channels[1 - mine].unwrap(), message));
                }
            }
            _ => {
                let message: Message = message(decoded);
                sender
                    .send(channels[mine].unwrap(), message.clone())
                    .unwrap();
                expected = Some(Event::Message(channels[1 - mine].unwrap(), message));
            }
        }
        if decoded["name"] == "Options" && decoded["channel"] == 0 {
            // Goes out by itself, right before the first extension message; checked there.
            continue;
        }
        pair.carry().unwrap();
        let other = match role {
            Role::Initiator => &mut pair.responder,
            Role::Responder => &mut pair.initiator,
        };
        let arrived = events(other);
        if let Some(expected) = expected {
            assert_eq!(arrived.last(), Some(&expected), "{decoded}");
        }
    }
    assert_eq!(pair.from_initiator, bytes(&transcript["wire_initiator"]));
    assert_eq!(pair.from_responder, bytes(&transcript["wire_responder"]));
    pair
}
