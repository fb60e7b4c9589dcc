//! Our nodes and Node's are members of one DHT, whichever of them was there first.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use hypercore_crypto::{KeyPair, PublicKey};
use hyperswarm::{Node, NodeConfig, NodeError};
use hyperswarm_dht::{AnnounceOptions, Id, LookupOptions, QueryError, SignedValue};
use interop::Peer;
use serde_json::json;

use crate::network::Network;

const TOPIC: [u8; 32] = [7; 32];

#[test]
fn node_bootstraps_from_ours() {
    let network = Network::tokio();
    let ours = open(&network, &[], false);
    let mut node = Peer::start();
    node.ask(
        "node.open",
        json!({ "as": "a", "bootstrap": [ours.local_addr().port()] }),
    );
    node.ask(
        "node.open",
        json!({ "as": "b", "bootstrap": [ours.local_addr().port()] }),
    );
    peers_and_values(&network, &ours, &mut node);
}

#[test]
fn ours_bootstraps_from_node() {
    let network = Network::tokio();
    let mut node = Peer::start();
    let port = node.ask("node.open", json!({ "as": "a" }))["port"].clone();
    node.ask("node.open", json!({ "as": "b", "bootstrap": [port] }));
    let ours = open(&network, &[address(&port)], true);
    peers_and_values(&network, &ours, &mut node);
}

#[test]
fn ours_bootstraps_from_node_on_async_std() {
    let network = Network::async_std();
    let mut node = Peer::start();
    let port = node.ask("node.open", json!({ "as": "a" }))["port"].clone();
    node.ask("node.open", json!({ "as": "b", "bootstrap": [port] }));
    let ours = open(&network, &[address(&port)], false);
    peers_and_values(&network, &ours, &mut node);
}

fn peers_and_values(network: &Network, ours: &Node, node: &mut Peer) {
    network
        .wait("the first walk", ours.ready())
        .expect("others are there");
    let topic = hex::encode(TOPIC);

    // Peers, from ours to Node and back.
    let announced = ours.announce(Id::from_bytes(TOPIC), AnnounceOptions::default());
    let announced = network.wait("an announcement", announced.finish());
    assert!(announced.expect("it is stored").stored >= 2);
    let found = node.ask("node.lookup", json!({ "on": "b", "topic": topic }));
    assert_eq!(found["ports"], json!([ours.local_addr().port()]));
    node.ask(
        "node.announce",
        json!({ "on": "b", "topic": topic, "port": 4321 }),
    );
    assert_eq!(ports(network, ours), [4321]);
    node.ask(
        "node.unannounce",
        json!({ "on": "b", "topic": topic, "port": 4321 }),
    );
    assert_eq!(ports(network, ours), [] as [u16; 0]);
    let taken_back = ours.unannounce(Id::from_bytes(TOPIC), AnnounceOptions::default());
    network
        .wait("the end of it", taken_back)
        .expect("it is forgotten");
    let found = node.ask("node.lookup", json!({ "on": "b", "topic": topic }));
    assert_eq!(found["ports"], json!([]));

    // Values that never change.
    let hash = network.wait("a value", ours.immutable_put(b"from ours"));
    let hash = hash.expect("it is stored").to_string();
    let got = node.ask("node.get", json!({ "on": "b", "key": hash }));
    assert_eq!(got["text"], "from ours");
    let key = node.ask("node.put", json!({ "on": "b", "text": "from node" }));
    let key: Id = key["key"].as_str().expect("a key").parse().expect("an id");
    let got = network.wait("a value", ours.immutable_get(key));
    assert_eq!(
        got.expect("it is found").as_deref(),
        Some(&b"from node"[..])
    );

    // Values with an owner, with and without salt.
    let pair = KeyPair::from_seed(&[9; 32]);
    for salt in [None, Some("pepper")] {
        let put = |seq, text: &[u8]| {
            let value = SignedValue::sign(&pair, text, seq, salt.map(str::as_bytes));
            network.wait("a value", ours.mutable_put(value.expect("a value")))
        };
        put(1, b"first").expect("it is stored");
        put(2, b"second").expect("it is stored");
        let key = hex::encode(pair.public.as_bytes());
        let got = node.ask(
            "node.get-mutable",
            json!({ "on": "b", "key": key, "salt": salt }),
        );
        assert_eq!(got, json!({ "text": "second", "seq": 2 }));
        assert_eq!(
            put(2, b"other").expect_err("a conflict"),
            NodeError::Query(QueryError::Newer)
        );

        let put = json!({ "on": "b", "text": "node's", "seq": 3, "salt": salt });
        let key = node.ask("node.put-mutable", put)["key"].clone();
        let key = hex::decode(key.as_str().expect("a key")).expect("hex");
        let key = PublicKey::from_bytes(key.try_into().expect("32 bytes"));
        let got = ours.mutable_get(&key, salt.map(str::as_bytes), 0);
        let got = network
            .wait("a value", got)
            .expect("an answer")
            .expect("a value");
        assert_eq!((got.value.as_slice(), got.seq), (&b"node's"[..], 3));
    }
}

fn ports(network: &Network, ours: &Node) -> Vec<u16> {
    let mut walk = ours.lookup(Id::from_bytes(TOPIC), LookupOptions::default());
    let mut ports = Vec::new();
    network.wait("the peers", async {
        while let Some(found) = walk.next().await {
            ports.extend(found.peers.iter().map(SocketAddrV4::port));
        }
    });
    ports.retain(|port| *port != ours.local_addr().port());
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn open(network: &Network, bootstrap: &[SocketAddrV4], ephemeral: bool) -> Node {
    let mut config = NodeConfig::default();
    config.listen = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    config.dht.bootstrap = bootstrap.to_vec();
    config.dht.ephemeral = ephemeral;
    Node::bind(Arc::clone(network.runtime()), config).expect("a port is free")
}

fn address(port: &serde_json::Value) -> SocketAddrV4 {
    let port = u16::try_from(port.as_u64().expect("a port")).expect("a port");
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}
