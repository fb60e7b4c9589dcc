//! Operations of the reference, done by ours against the recorded answers: the questions are the
//! same to the byte, request ids aside, and so is what is found.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use common::{START, events, sent, vectors};
use hypercore_crypto::KeyPair;
use hyperswarm_dht::wire::Message;
use hyperswarm_dht::{
    AnnounceOptions, Config, Dht, Event, FoundValue, Id, LookupOptions, QueryError, QueryId,
    SignedValue, Timestamp,
};
use testkit::vectors::{Value, array, bytes, number};

#[test]
fn lookups() {
    let vectors = vectors();
    let topic = Id::from_bytes(array(&vectors["topic"]));
    let none = LookupOptions::default();
    let events = replay(&vectors, "lookup", "B", |dht, now| {
        dht.lookup(now, topic, none)
    });
    assert_found(&events, &vectors["lookupResults"]["lookup"]);

    let local = LookupOptions {
        local_address: Some("10.1.9.9:1".parse().unwrap()),
    };
    let events = replay(&vectors, "lookup-local", "B", |dht, now| {
        dht.lookup(now, topic, local)
    });
    assert_found(&events, &vectors["lookupResults"]["lookupLocal"]);
}

#[test]
fn announcements() {
    let vectors = vectors();
    let topic = Id::from_bytes(array(&vectors["topic"]));
    let local = AnnounceOptions {
        port: None,
        local_address: Some("10.1.2.3:9000".parse().unwrap()),
    };
    let events = replay(&vectors, "announce", "A", |dht, now| {
        dht.announce(now, topic, local)
    });
    assert_found(&events, &vectors["lookupResults"]["announce"]);
    assert_eq!(stored(&events), 2);

    let explicit = AnnounceOptions {
        port: Some(7777),
        local_address: None,
    };
    let events = replay(&vectors, "announce-explicit-port", "A", |dht, now| {
        dht.announce(now, topic, explicit)
    });
    assert_eq!(stored(&events), 2);
    let events = replay(&vectors, "unannounce", "A", |dht, now| {
        dht.unannounce(now, topic, explicit)
    });
    assert_eq!(stored(&events), 2);
}

#[test]
fn immutable_values() {
    let vectors = vectors();
    let value = b"immutable value";
    let mut key = None;
    let events = replay(&vectors, "immutable-put", "A", |dht, now| {
        let (hash, query) = dht.immutable_put(now, value).unwrap();
        key = Some(hash);
        query
    });
    assert_eq!(stored(&events), 2);
    let events = replay(&vectors, "immutable-get", "B", |dht, now| {
        dht.immutable_get(now, key.unwrap())
    });
    assert_eq!(values(&events), [FoundValue::Immutable(value.to_vec())]);
}

#[test]
fn mutable_values() {
    let vectors = vectors();
    let mutable = &vectors["mutable"];
    let pair = KeyPair::from_seed(&array(&mutable["seed"]));
    assert_eq!(*pair.public.as_bytes(), array(&mutable["publicKey"]));
    let salt = bytes(&mutable["salt"]);
    for (name, value, seq, salt) in [
        ("", b"first", 1, None),
        ("-salted", b"salte", 0, Some(&salt[..])),
    ] {
        let value = if salt.is_some() {
            &b"salted"[..]
        } else {
            value
        };
        let signed = SignedValue::sign(&pair, value, seq, salt).unwrap();
        let put = format!("mutable-put{name}");
        let events = replay(&vectors, &put, "A", |dht, now| {
            dht.mutable_put(now, signed.clone()).unwrap()
        });
        assert_eq!(stored(&events), 2);
        let get = format!("mutable-get{name}");
        let events = replay(&vectors, &get, "B", |dht, now| {
            dht.mutable_get(now, &pair.public, salt, 0).unwrap()
        });
        assert_eq!(values(&events), [FoundValue::Mutable(signed)]);
    }
}

/// Each storer answers twice: with an error, which counts, and with a success, which does not.
#[test]
fn fault_n5_two_answers_to_one_request() {
    let vectors = vectors();
    let pair = KeyPair::from_seed(&array(&vectors["mutable"]["seed"]));
    for (scenario, value, seq) in [
        ("mutable-put-conflict", b"other", 1),
        ("mutable-put-older", b"older", 0),
    ] {
        let signed = SignedValue::sign(&pair, value, seq, None).unwrap();
        let events = replay(&vectors, scenario, "A", |dht, now| {
            dht.mutable_put(now, signed).unwrap()
        });
        let Some(Event::Done { result, .. }) = events.last() else {
            panic!("{events:?}")
        };
        assert_eq!(*result, Err(QueryError::Newer), "{scenario}");
        assert_eq!(values(&events).len(), 1, "the proof is told once");
    }
}

#[test]
fn pings_and_hole_punches() {
    let vectors = vectors();
    let events = replay(&vectors, "ping", "A", |dht, now| {
        dht.ping(now, "127.0.0.1:42001".parse().unwrap())
    });
    let own: SocketAddrV4 = "127.0.0.1:42003".parse().unwrap();
    assert!(matches!(&events[0], Event::Pong { observed, .. } if *observed == Some(own)));
    replay(&vectors, "ping-ephemeral", "B", |dht, now| {
        dht.ping(now, "127.0.0.1:42001".parse().unwrap())
    });
    let peer = "127.0.0.1:42003".parse().unwrap();
    let events = replay(&vectors, "holepunch", "B", |dht, now| {
        dht.holepunch(now, peer, "127.0.0.1:42001".parse().unwrap())
    });
    assert!(matches!(&events[0], Event::Punched { from, .. } if *from == peer));
}

/// Does something as a node of the vectors, with R as the only one known, and checks every packet.
/// Returns the events.
fn replay(
    vectors: &Value,
    title: &str,
    name: &str,
    what: impl FnOnce(&mut Dht, Timestamp) -> QueryId,
) -> Vec<Event> {
    let scenarios = vectors["scenarios"].as_array().unwrap();
    let scenario = scenarios.iter().find(|it| it["title"] == title).unwrap();
    let packets = scenario["packets"].as_array().unwrap();
    let node = &vectors["nodes"][name];
    let mut config = Config::default();
    config.id = Some(Id::from_bytes(array(&node["id"])));
    config.ephemeral = name == "B";
    config.bootstrap = vec!["127.0.0.1:42001".parse().unwrap()];
    let mut dht = Dht::new(config, [9; 32], START);
    what(&mut dht, START);

    let mut seen = BTreeSet::new();
    loop {
        let outgoing = sent(&mut dht);
        if outgoing.is_empty() {
            break;
        }
        for transmit in outgoing {
            let request = Message::decode(&transmit.bytes).unwrap();
            let to = transmit.to.port();
            let is_that = |packet: &Value| {
                packet["from"] == name
                    && port(vectors, &packet["to"]) == u64::from(to)
                    && with_rid(packet, request.rid) == transmit.bytes
            };
            let Some(at) = packets.iter().position(is_that) else {
                panic!("{title}: {request:?} is not among the recorded")
            };
            seen.insert(at);
            // Its answers, in the order in which they came.
            let rid = &packets[at]["rid"];
            let answers = packets.iter().filter(|packet| {
                packet["type"] == "RESPONSE"
                    && packet["rid"] == *rid
                    && packet["to"] == name
                    && packet["from"] == packets[at]["to"]
            });
            for answer in answers {
                let from = SocketAddrV4::new([127, 0, 0, 1].into(), to);
                dht.handle_datagram(START, from.into(), &with_rid(answer, request.rid));
            }
        }
    }
    let asked = packets
        .iter()
        .filter(|it| it["from"] == name && it["type"] != "RESPONSE");
    // The reference goes on asking when it has what it wants.
    let expected = if title == "immutable-get" {
        1
    } else {
        asked.count()
    };
    assert_eq!(seen.len(), expected, "{title}");
    events(&mut dht)
        .into_iter()
        .filter(|event| !matches!(event, Event::Observed(_)))
        .collect()
}

fn with_rid(packet: &Value, rid: u64) -> Vec<u8> {
    let datagram = bytes(&packet["hex"]);
    let message = Message {
        rid,
        ..Message::decode(&datagram).unwrap()
    };
    message.encode()
}

fn port(vectors: &Value, name: &Value) -> u64 {
    number(&vectors["nodes"][name.as_str().unwrap()]["port"])
}

/// The answers are those of the list, each told by the node that is named there.
fn assert_found(events: &[Event], expected: &Value) {
    let address = |it: &Value| -> SocketAddrV4 {
        let text = format!("{}:{}", it["host"].as_str().unwrap(), it["port"]);
        text.parse().unwrap()
    };
    let list = |it: &Value| -> BTreeSet<SocketAddrV4> {
        it.as_array().into_iter().flatten().map(address).collect()
    };
    let mut found: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Peers { peers, .. } => Some((
                u64::from(peers.referrer.port()),
                peers.peers.iter().copied().collect::<BTreeSet<_>>(),
                peers.local_peers.iter().copied().collect::<BTreeSet<_>>(),
                peers.observed.unwrap(),
            )),
            _ => None,
        })
        .collect();
    let mut wanted: Vec<_> = expected
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let lists = (list(&it["peers"]), list(&it["localPeers"]));
            (number(&it["from"]), lists.0, lists.1, address(&it["to"]))
        })
        .collect();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
}

fn values(events: &[Event]) -> Vec<FoundValue> {
    let values = events.iter().filter_map(|event| match event {
        Event::Value { value, .. } => Some(value.clone()),
        _ => None,
    });
    values.collect()
}

fn stored(events: &[Event]) -> usize {
    match events.last() {
        Some(Event::Done { result, .. }) => result.as_ref().unwrap().stored,
        other => panic!("{other:?}"),
    }
}
