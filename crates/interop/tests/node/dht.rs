//! Our nodes and Node's are members of one DHT.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use hypercore_crypto::{KeyPair, PublicKey};
use hyperswarm_dht::{
    AnnounceOptions, Event, FoundValue, Id, LookupOptions, QueryError, SignedValue, Summary,
};
use interop::Peer;
use serde_json::{Value, json};

use crate::dht_node::DhtNode;

/// Some of each, all of which have walked to their places.
struct Network {
    node: Peer,
    /// Node's own; the first is whom everybody begins with.
    theirs: Vec<SocketAddrV4>,
    ours: Vec<DhtNode>,
}

impl Network {
    fn of(theirs: usize, ours: u8) -> Self {
        let mut node = Peer::start();
        let first = node.ask("dht.start", json!({ "as": "root" }));
        let root = addresses(&first["ports"])[0];
        let ours = (0..ours)
            .map(|i| DhtNode::start(100 + i, &[root], false))
            .collect();
        let more = json!({ "as": "node", "count": theirs - 1, "bootstrap": [root.to_string()] });
        let more = node.ask("dht.start", more);
        let theirs = [vec![root], addresses(&more["ports"])].concat();
        Self { node, theirs, ours }
    }

    fn client(&self, seed: u8) -> DhtNode {
        DhtNode::start(seed, &self.theirs[..1], true)
    }

    fn their_client(&mut self, name: &str) -> SocketAddrV4 {
        let root = self.theirs[0].to_string();
        let start = json!({ "as": name, "ephemeral": true, "bootstrap": [root] });
        let started = self.node.ask("dht.start", start);
        addresses(&started["ports"])[0]
    }
}

#[test]
fn what_we_announce_node_finds() {
    let mut network = Network::of(4, 4);
    let ours = network.client(1);
    network.their_client("seeker");
    let topic = id(7);
    let options = AnnounceOptions {
        port: None,
        local_address: Some("10.1.2.3:9000".parse().unwrap()),
    };
    let announced = ours.finish(move |dht, now| dht.announce(now, topic, options));
    assert_eq!(summary(&announced).stored, 8, "{announced:?}");
    let question = json!({ "on": "seeker", "topic": topic.to_string(), "local": "10.1.7.7:1" });
    let found = network.node.ask("dht.lookup", question.clone());
    assert_eq!(found["peers"], json!([ours.address.to_string()]));
    assert_eq!(found["local"], json!(["10.1.2.3:9000"]));
    assert_eq!(found["referrers"].as_array().unwrap().len(), 8);

    let removed = ours.finish(move |dht, now| dht.unannounce(now, topic, options));
    assert_eq!(summary(&removed).stored, 8);
    let found = network.node.ask("dht.lookup", question);
    assert_eq!((&found["peers"], &found["local"]), (&json!([]), &json!([])));
}

#[test]
fn what_node_announces_we_find() {
    let mut network = Network::of(4, 4);
    let ours = network.client(1);
    let theirs = network.their_client("announcer");
    let topic = id(7);
    let order = json!({ "on": "announcer", "topic": topic.to_string(), "port": 0, "local": "10.1.2.3:9000" });
    let announced = network.node.ask("dht.announce", order.clone());
    assert_eq!(announced["failure"], Value::Null);
    let options = LookupOptions {
        local_address: Some("10.1.7.7:1".parse().unwrap()),
    };
    let found = ours.finish(move |dht, now| dht.lookup(now, topic, options));
    let told: Vec<_> = found
        .iter()
        .filter_map(|event| match event {
            Event::Peers { peers, .. } => Some(peers),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 8);
    for peers in told {
        assert_eq!(peers.peers, [theirs]);
        assert_eq!(peers.local_peers, ["10.1.2.3:9000".parse().unwrap()]);
        assert_eq!(peers.observed, Some(ours.address));
    }
    network.node.ask("dht.unannounce", order);
    let found = ours.finish(move |dht, now| dht.lookup(now, topic, options));
    let is_peers = |it: &Event| matches!(it, Event::Peers { .. });
    assert!(!found.iter().any(is_peers), "{found:?}");
}

#[test]
fn values_both_ways() {
    let mut network = Network::of(3, 3);
    let ours = network.client(1);
    network.their_client("client");

    let value = b"ours".to_vec();
    let (hash, put) = ours.act(move |dht, now| dht.immutable_put(now, &value).unwrap());
    ours.finish(move |_, _| put);
    let got = network.node.ask(
        "dht.get",
        json!({ "on": "client", "hash": hash.to_string() }),
    );
    assert_eq!(got["value"], hex::encode("ours"));

    let put = network
        .node
        .ask("dht.put", json!({ "on": "client", "text": "theirs" }));
    let hash: Id = put["hash"].as_str().unwrap().parse().unwrap();
    let got = ours.finish(move |dht, now| dht.immutable_get(now, hash));
    assert_eq!(values(&got), [FoundValue::Immutable(b"theirs".to_vec())]);
}

#[test]
fn signed_values_both_ways() {
    let mut network = Network::of(3, 3);
    let ours = network.client(1);
    network.their_client("client");
    let seed = [5; 32];
    let pair = KeyPair::from_seed(&seed);
    for salt in [None, Some(vec![3; 32])] {
        let salt_text = salt.as_ref().map(hex::encode);
        let sign = |value: &str, seq| {
            SignedValue::sign(&pair, value.as_bytes(), seq, salt.as_deref()).unwrap()
        };
        let first = sign("first", 1);
        let put = ours.finish(move |dht, now| dht.mutable_put(now, first).unwrap());
        assert_eq!(summary(&put).stored, 6, "{put:?}");
        let get = json!({ "on": "client", "key": pair.public.to_string(), "salt": salt_text });
        let got = network.node.ask("dht.get-signed", get);
        assert_eq!(
            (&got["value"], &got["seq"]),
            (&json!(hex::encode("first")), &json!(1))
        );

        let put = json!({ "on": "client", "seed": hex::encode(seed), "text": "second", "seq": 2, "salt": salt_text });
        network.node.ask("dht.put-signed", put);
        let (key, asked): (PublicKey, _) = (pair.public, salt.clone());
        let got =
            ours.finish(move |dht, now| dht.mutable_get(now, &key, asked.as_deref(), 0).unwrap());
        let newest = values(&got).pop();
        assert_eq!(newest, Some(FoundValue::Mutable(sign("second", 2))));
    }
}

/// Node's storers refuse an older value and keep it all the same; ours refuse it.
#[test]
fn fault_n5_older_values_are_refused_by_both() {
    let mut network = Network::of(2, 3);
    let ours = network.client(1);
    network.their_client("client");
    let pair = KeyPair::from_seed(&[5; 32]);
    let sign = |value: &[u8], seq| SignedValue::sign(&pair, value, seq, None).unwrap();
    let newer = sign(b"newer", 5);
    ours.finish(move |dht, now| dht.mutable_put(now, newer).unwrap());

    let older = sign(b"older", 4);
    let refused = ours.finish(move |dht, now| dht.mutable_put(now, older).unwrap());
    let Some(Event::Done { result, .. }) = refused.last() else {
        panic!("{refused:?}")
    };
    assert_eq!(*result, Err(QueryError::Newer));
    let put = json!({ "on": "client", "seed": hex::encode([5; 32]), "text": "oldest", "seq": 3 });
    let words = network.node.ask_in_vain("dht.put-signed", put);
    assert!(words.contains("ERR_SEQ_MUST_EXCEED_CURRENT"), "{words}");

    // Whatever Node's storers hold by now, the newest is what is found.
    let key = pair.public;
    let got = ours.finish(move |dht, now| dht.mutable_get(now, &key, None, 0).unwrap());
    assert_eq!(
        values(&got).pop(),
        Some(FoundValue::Mutable(sign(b"newer", 5)))
    );
}

#[test]
fn hole_punches_both_ways() {
    let mut network = Network::of(3, 2);
    let ours = network.client(1);
    let theirs = network.their_client("client");
    let root = network.theirs[0];

    // Through Node to Node, by us.
    let topic = id(7);
    let order = json!({ "on": "client", "topic": topic.to_string(), "port": 0 });
    network.node.ask("dht.announce", order.clone());
    let punched = ours.finish(move |dht, now| dht.holepunch(now, theirs, root));
    let is_there = |it: &Event| matches!(it, Event::Punched { from, .. } if *from == theirs);
    assert!(punched.iter().any(is_there), "{punched:?}");
    // Through one of ours to Node, by us.
    let referrer = network.ours[0].address;
    let punched = ours.finish(move |dht, now| dht.holepunch(now, theirs, referrer));
    assert!(punched.iter().any(is_there), "{punched:?}");
    // Through Node and through one of ours to us, by Node.
    ours.finish(move |dht, now| dht.announce(now, topic, AnnounceOptions::default()));
    for referrer in [root, referrer] {
        let order = json!({
            "on": "client", "peer": ours.address.to_string(), "referrer": referrer.to_string(),
        });
        network.node.ask("dht.holepunch", order);
    }
}

/// Both find the same nodes nearest to any id, and these are the nearest.
#[test]
fn both_find_the_same_nodes() {
    let mut network = Network::of(20, 20);
    let ours = network.client(1);
    network.their_client("client");
    let known: Vec<Id> = {
        let mut ids: Vec<Id> = network.ours.iter().map(|it| it.id).collect();
        for i in 0..20 {
            let name = match i {
                0 => "root".to_owned(),
                1 => "node".to_owned(),
                i => format!("node{}", i - 1),
            };
            let listed = network.node.ask("dht.known", json!({ "on": name }));
            let listed = listed["nodes"].as_array().unwrap().clone();
            let listed = listed.iter().map(|it| it["id"].as_str().unwrap());
            ids.extend(listed.map(|it| it.parse::<Id>().unwrap()));
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    assert_eq!(known.len(), 40);
    for byte in [0x00, 0x39, 0x77, 0xc4, 0xff] {
        let target = id(byte);
        let mut truly = known.clone();
        truly.sort_unstable_by_key(|it| it.distance(&target));
        truly.truncate(20);
        let truly: BTreeSet<Id> = truly.into_iter().collect();
        let walked = ours.finish(move |dht, now| dht.find_node(now, target));
        let found: BTreeSet<Id> = summary(&walked).closest.iter().map(|it| it.id).collect();
        assert_eq!(found, truly);
        let question = json!({ "on": "client", "target": target.to_string() });
        let theirs = network.node.ask("dht.closest", question);
        let theirs: BTreeSet<Id> = theirs["ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.as_str().unwrap().parse().unwrap())
            .collect();
        assert!(theirs.is_superset(&truly));
    }
}

/// Node's nodes join a network that is only ours.
#[test]
fn node_begins_with_one_of_ours() {
    let root = DhtNode::start(1, &[], false);
    let mut node = Peer::start();
    let started = node.ask(
        "dht.start",
        json!({ "count": 3, "bootstrap": [root.address.to_string()] }),
    );
    let ports = addresses(&started["ports"]);
    let seen = node.ask("dht.ping", json!({ "peer": root.address.to_string() }));
    assert_eq!(seen["seen"], ports[0].to_string());
    let topic = id(3);
    let order = json!({ "on": "it1", "topic": topic.to_string(), "port": 0 });
    node.ask("dht.announce", order);
    let options = LookupOptions::default();
    let found = root.finish(move |dht, now| dht.lookup(now, topic, options));
    let is_there =
        |it: &Event| matches!(it, Event::Peers { peers, .. } if peers.peers == [ports[1]]);
    assert!(found.iter().any(is_there), "{found:?}");
}

fn id(byte: u8) -> Id {
    Id::from_bytes([byte; 32])
}

fn addresses(ports: &Value) -> Vec<SocketAddrV4> {
    let ports = ports.as_array().unwrap().iter();
    ports
        .map(|port| format!("127.0.0.1:{port}").parse().unwrap())
        .collect()
}

#[track_caller]
fn summary(events: &[Event]) -> &Summary {
    match events.last() {
        Some(Event::Done { result: Ok(it), .. }) => it,
        other => panic!("{other:?}"),
    }
}

fn values(events: &[Event]) -> Vec<FoundValue> {
    let values = events.iter().filter_map(|event| match event {
        Event::Value { value, .. } => Some(value.clone()),
        _ => None,
    });
    values.collect()
}
