//! Our swarms and Node's meet by topic, through the DHT and on the local network, over TCP and uTP.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use hypercore_runtime::{Accept, BoxFuture, TcpListener, TcpStream};
use hyperswarm::{Carrier, JoinOptions, Side, Swarm, SwarmConfig};
use interop::Peer;
use serde_json::{Value, json};

use crate::network::Network;

const TOPIC: [u8; 32] = [7; 32];

/// More than fits one window of uTP.
const MUCH: usize = 3 << 20;

#[test]
fn node_finds_ours_over_tcp() {
    let network = Network::tokio();
    let (mut node, bootstrap) = bootstrap();
    let ours = open(&network, without_utp(bootstrap));
    assert_eq!(found_by_node(&network, &ours, &mut node, bootstrap), "tcp");
}

#[test]
fn node_finds_ours_over_tcp_on_async_std() {
    let network = Network::async_std();
    let (mut node, bootstrap) = bootstrap();
    let ours = open(&network, without_utp(bootstrap));
    assert_eq!(found_by_node(&network, &ours, &mut node, bootstrap), "tcp");
}

#[test]
fn node_finds_ours_over_utp() {
    let network = Network::tokio();
    let (mut node, bootstrap) = bootstrap();
    // Its port is not listened on, so TCP is refused.
    let port = network.wait("a port", network.runtime().listen_tcp(loopback(0).into()));
    let local = port.expect("a port is free").local_addr();
    let listener = TcpListener::new(Box::new(Deaf), local);
    let runtime = Arc::clone(network.runtime());
    let ours = Swarm::with_listener(runtime, listener, through(bootstrap)).expect("it is free");
    assert_eq!(found_by_node(&network, &ours, &mut node, bootstrap), "utp");
}

/// Node dials over TCP and uTP at once and gives up what comes second, whichever it is.
#[test]
fn node_finds_ours_over_what_is_first() {
    let network = Network::tokio();
    let (mut node, bootstrap) = bootstrap();
    let ours = open(&network, through(bootstrap));
    let kind = found_by_node(&network, &ours, &mut node, bootstrap);
    assert!(kind == "tcp" || kind == "utp", "{kind}");
}

/// Has a swarm of Node find ours and hear again what it says, and gives the kind of its connection.
fn found_by_node(network: &Network, ours: &Swarm, node: &mut Peer, bootstrap: u16) -> String {
    ours.join(
        TOPIC,
        JoinOptions {
            announce: true,
            lookup: false,
        },
    );
    network.wait("an announcement", ours.flush());
    node.ask(
        "swarm.open",
        json!({ "as": "swarm", "bootstrap": [bootstrap], "say": MUCH }),
    );
    let topic = hex::encode(TOPIC);
    node.ask(
        "swarm.join",
        json!({ "on": "swarm", "topic": topic, "lookup": true, "flush": false }),
    );
    let event = node.event("connection");
    assert_eq!(event["client"], true);
    let kind = event["type"].as_str().expect("a kind").to_owned();
    let carrier = match kind.as_str() {
        "tcp" => Carrier::Tcp,
        _ => Carrier::Utp,
    };
    let mut connection = network.wait("node", async {
        loop {
            let connection = ours.accept().await.expect("it is open");
            if connection.info().carrier == carrier {
                break connection;
            }
        }
    });
    assert_eq!(connection.info().side, Side::Accepted);
    network.wait("an echo", async {
        let mut bytes = vec![0; 64 << 10];
        let mut left = MUCH;
        while left > 0 {
            let read = connection.read(&mut bytes).await.expect("node speaks");
            assert!(read > 0, "node has not said all");
            connection
                .write_all(&bytes[..read])
                .await
                .expect("node hears");
            left -= read;
        }
        connection.flush().await.expect("node hears");
    });
    assert_eq!(node.event("echo")["same"], true);
    drop(connection);
    assert_eq!(node.event("disconnected")["error"], Value::Null);
    kind
}

#[test]
fn ours_finds_node_over_tcp() {
    let network = Network::tokio();
    let (mut node, bootstrap) = bootstrap();
    finds_node(&network, &mut node, bootstrap, true);
}

#[test]
fn ours_finds_node_over_utp() {
    let network = Network::tokio();
    let (mut node, bootstrap) = bootstrap();
    finds_node(&network, &mut node, bootstrap, false);
}

fn finds_node(network: &Network, node: &mut Peer, bootstrap: u16, tcp: bool) {
    node.ask(
        "swarm.open",
        json!({ "as": "swarm", "bootstrap": [bootstrap], "tcp": tcp }),
    );
    let topic = hex::encode(TOPIC);
    node.ask(
        "swarm.join",
        json!({ "on": "swarm", "topic": topic, "announce": true }),
    );
    let ours = open(network, through(bootstrap));
    ours.join(
        TOPIC,
        JoinOptions {
            announce: false,
            lookup: true,
        },
    );
    let mut connection = network.wait("node", ours.accept()).expect("it is open");
    assert_eq!(connection.info().side, Side::Dialled);
    let carrier = if tcp { Carrier::Tcp } else { Carrier::Utp };
    assert_eq!(connection.info().carrier, carrier);
    let said: Vec<u8> = interop::pattern(MUCH, 1);
    let heard = network.wait("an echo", async {
        let (mut reader, mut writer) = futures_lite::io::split(&mut connection);
        let mut heard = vec![0; said.len()];
        let write = async {
            writer.write_all(&said).await.expect("node hears");
            writer.flush().await.expect("node hears");
        };
        let read = async { reader.read_exact(&mut heard).await.expect("node answers") };
        futures_lite::future::zip(write, read).await;
        heard
    });
    assert!(heard == said);
    let event = node.event("connection");
    assert_eq!(event["client"], false);
    drop(connection);
    assert_eq!(node.event("disconnected")["error"], Value::Null);
}

#[test]
fn node_finds_ours_on_the_local_network() {
    let network = Network::tokio();
    let ours = open(&network, local());
    ours.join(
        TOPIC,
        JoinOptions {
            announce: true,
            lookup: false,
        },
    );
    let mut node = Peer::start();
    node.ask("swarm.open", json!({ "as": "swarm", "lan": true }));
    let topic = hex::encode(TOPIC);
    node.ask(
        "swarm.join",
        json!({ "on": "swarm", "topic": topic, "lookup": true, "flush": false }),
    );
    let connection = network.wait("node", ours.accept()).expect("it is open");
    assert_eq!(connection.info().carrier, Carrier::Tcp);
    assert_eq!(node.event("connection")["client"], true);
}

#[test]
fn ours_finds_node_on_the_local_network() {
    let network = Network::tokio();
    let mut node = Peer::start();
    node.ask("swarm.open", json!({ "as": "swarm", "lan": true }));
    let topic = hex::encode(TOPIC);
    node.ask(
        "swarm.join",
        json!({ "on": "swarm", "topic": topic, "announce": true, "flush": false }),
    );
    let ours = open(&network, local());
    ours.join(
        TOPIC,
        JoinOptions {
            announce: false,
            lookup: true,
        },
    );
    let connection = network.wait("node", ours.accept()).expect("it is open");
    assert_eq!(connection.info().side, Side::Dialled);
    assert_eq!(node.event("connection")["client"], false);
}

/// Node, with a node that everybody begins with, and its port.
fn bootstrap() -> (Peer, u16) {
    let mut node = Peer::start();
    let port = node.ask("node.open", json!({ "as": "bootstrap" }))["port"].as_u64();
    let port = u16::try_from(port.expect("a port")).expect("a port");
    (node, port)
}

fn open(network: &Network, config: SwarmConfig) -> Swarm {
    let runtime = Arc::clone(network.runtime());
    network
        .wait("a port", Swarm::bind(runtime, config))
        .expect("a port is free")
}

fn through(bootstrap: u16) -> SwarmConfig {
    let mut config = local();
    config.use_lan = false;
    config.use_dht = true;
    config.dht.bootstrap = vec![loopback(bootstrap)];
    config
}

fn without_utp(bootstrap: u16) -> SwarmConfig {
    let mut config = through(bootstrap);
    config.use_utp = false;
    config
}

/// On the loopback interface, which no packet leaves.
fn local() -> SwarmConfig {
    let mut config = SwarmConfig::default();
    config.listen = loopback(0);
    config.use_dht = false;
    config
}

fn loopback(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

/// Listens nowhere.
#[derive(Debug)]
struct Deaf;

impl Accept for Deaf {
    fn accept(&self) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(std::future::pending())
    }
}
