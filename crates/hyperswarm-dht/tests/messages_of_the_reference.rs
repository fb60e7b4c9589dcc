//! Every datagram and every value in one, in the bytes of the reference and back.
#![allow(clippy::unwrap_used)]

mod common;

use common::vectors;
use hyperswarm_dht::wire::{Kind, Message, Mutable, PeersReply, PeersRequest, Punch};
use testkit::vectors::{Value, bytes, number};

#[test]
fn datagrams() {
    let vectors = vectors();
    let mut seen = 0;
    for packet in packets(&vectors) {
        let datagram = bytes(&packet["hex"]);
        let message = Message::decode(&datagram).unwrap();
        assert_eq!(kind_name(message.kind), packet["type"]);
        assert_eq!(message.rid, number(&packet["rid"]));
        assert_eq!(message.version, packet["version"].as_u64());
        assert_eq!(message.command, packet["command"].as_str());
        assert_field(message.to, &packet["toField"]);
        assert_field(message.id, &packet["id"]);
        assert_field(message.target, &packet["target"]);
        assert_field(message.token, &packet["roundtripToken"]);
        assert_field(message.closer_nodes, &packet["closerNodes"]);
        assert_field(message.value, &packet["value"]);
        // The reference forwards hole punches with an error of no characters.
        if message.error != Some("") {
            assert_eq!(message.error, packet["error"].as_str());
        }
        assert_eq!(message.encode(), datagram, "{packet}");
        seen += 1;
    }
    assert_eq!(seen, 128);
}

#[test]
fn corners_of_the_codec() {
    let vectors = vectors();
    let corners = vectors["messages"].as_array().unwrap();
    for corner in corners {
        let datagram = bytes(&corner["hex"]);
        let message = Message::decode(&datagram).unwrap();
        let fields = &corner["fields"];
        assert_eq!(message.rid, number(&fields["rid"]));
        assert_field(message.closer_nodes, &fields["closerNodes"]);
        assert_field(message.value, &fields["value"]);
        assert_eq!(message.encode(), datagram, "{}", corner["note"]);
    }
    assert_eq!(corners.len(), 4);
}

#[test]
fn values() {
    let vectors = vectors();
    let mut seen = 0;
    let mut command = Value::Null;
    for packet in packets(&vectors) {
        // An answer follows its question.
        if packet["type"] != "RESPONSE" {
            command = packet["command"].clone();
        }
        let decoded = &packet["decoded"];
        if decoded.is_null() {
            continue;
        }
        let value = bytes(&packet["value"]);
        let again = match (command.as_str().unwrap(), packet["type"].as_str().unwrap()) {
            ("peers", "RESPONSE") => {
                let reply = PeersReply::decode(&value).unwrap();
                assert_field(reply.peers, &decoded["peers"]);
                assert_field(reply.local_peers, &decoded["localPeers"]);
                reply.encode()
            }
            ("peers", _) => {
                let request = PeersRequest::decode(&value).unwrap();
                assert_eq!(
                    request.port.unwrap_or(0),
                    decoded["port"].as_u64().unwrap_or(0)
                );
                assert_field(request.local_address, &decoded["localAddress"]);
                assert_eq!(
                    request.unannounce.unwrap_or(false),
                    decoded["unannounce"].as_bool().unwrap()
                );
                request.encode()
            }
            ("mutable-store", _) => {
                let record = Mutable::decode(&value).unwrap();
                assert_field(record.value, &decoded["value"]);
                assert_field(record.signature, &decoded["signature"]);
                assert_eq!(record.seq, decoded["seq"].as_u64());
                assert_field(record.salt, &decoded["salt"]);
                record.encode()
            }
            ("_holepunch", _) => {
                let punch = Punch::decode(&value).unwrap();
                assert_field(punch.from, &decoded["from"]);
                assert_field(punch.to, &decoded["to"]);
                punch.encode()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(again, value, "{packet}");
        seen += 1;
    }
    assert_eq!(seen, 50);
}

fn packets(vectors: &Value) -> impl Iterator<Item = &Value> {
    let scenarios = vectors["scenarios"].as_array().unwrap().iter();
    scenarios.flat_map(|scenario| scenario["packets"].as_array().unwrap())
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Query => "QUERY",
        Kind::Update => "UPDATE",
        Kind::Response => "RESPONSE",
    }
}

#[track_caller]
fn assert_field(field: Option<&[u8]>, expected: &Value) {
    let expected = (!expected.is_null()).then(|| bytes(expected));
    assert_eq!(field, expected.as_deref());
}
