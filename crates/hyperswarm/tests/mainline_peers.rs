//! Peers from the DHT of BitTorrent, with the crate's own small network of it on loopback.
#![cfg(feature = "mainline")]
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use hypercore_runtime::Runtime;
use hyperswarm::{JoinOptions, MainlineConfig, Side, Swarm, SwarmConfig, SwarmEvent};
use mainline::Testnet;

mod common;
use common::{on_async_std, on_tokio};

const TOPIC: [u8; 32] = [7; 32];

#[test]
fn nobody_is_asked_unless_the_caller_says_whom() {
    assert_eq!(SwarmConfig::default().mainline, None);
    assert_eq!(MainlineConfig::default().bootstrap, []);
}

#[test]
fn peers_meet_on_tokio() {
    on_tokio(meet);
}

#[test]
fn peers_meet_on_async_std() {
    on_async_std(meet);
}

async fn meet(runtime: Arc<dyn Runtime>) {
    let others = network();
    let server = swarm(&runtime, &others).await;
    let announce = JoinOptions {
        announce: true,
        lookup: false,
    };
    server.join(TOPIC, announce);
    server.flush().await;

    let client = swarm(&runtime, &others).await;
    let events = client.events();
    let lookup = JoinOptions {
        announce: false,
        lookup: true,
    };
    client.join(TOPIC, lookup);
    let dialled = client.accept().await.unwrap();
    let accepted = server.accept().await.unwrap();
    assert_eq!(dialled.info().peer, Some(server.local_addr()));
    assert_eq!(dialled.info().topics, [TOPIC]);
    assert_eq!(accepted.info().side, Side::Accepted);
    client.flush().await;
    let found = SwarmEvent::Found {
        topic: TOPIC,
        address: server.local_addr(),
    };
    assert!(std::iter::from_fn(|| events.try_recv().ok()).any(|event| event == found));
    client.close().await;
    server.close().await;
}

#[test]
fn addresses_of_networks_where_nobody_can_know_them_are_passed_over() {
    on_tokio(|runtime| async move {
        let others = network();
        let server = swarm(&runtime, &others).await;
        server.join(TOPIC, JoinOptions::default());
        server.flush().await;
        // Whoever listens everywhere may be told of loopback by anybody.
        let mut config = config(&others);
        let everywhere = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        config.mainline.as_mut().unwrap().listen = everywhere;
        let client = Swarm::bind(runtime, config).await.unwrap();
        client.join(TOPIC, JoinOptions::default());
        client.flush().await;
        assert_eq!(client.status().peers, 0);
    });
}

/// Ten nodes on loopback.
fn network() -> Testnet {
    Testnet::builder(10).build().unwrap()
}

async fn swarm(runtime: &Arc<dyn Runtime>, others: &Testnet) -> Swarm {
    Swarm::bind(runtime.clone(), config(others)).await.unwrap()
}

/// Peers come from there alone.
fn config(others: &Testnet) -> SwarmConfig {
    let mut mainline = MainlineConfig::default();
    mainline.listen = common::loopback();
    let known = others.bootstrap.iter().map(|known| known.parse().unwrap());
    mainline.bootstrap = known.collect();
    let mut config = SwarmConfig::default();
    config.listen = common::loopback();
    config.use_dht = false;
    config.use_lan = false;
    config.mainline = Some(mainline);
    config
}
