//! Nodes on real sockets: they meet, find peers of a topic and keep values, on every runtime.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddrV4;
use std::sync::Arc;

use futures_lite::StreamExt;
use futures_lite::future::poll_once;
use hypercore_crypto::KeyPair;
use hypercore_runtime::{Runtime, UdpPort};
use hyperswarm::{Node, NodeError};
use hyperswarm_dht::{AnnounceOptions, Id, LookupOptions, QueryError, SignedValue};

mod common;
use common::{ephemeral, on_async_std, on_tokio, persistent};

#[test]
fn peers_of_a_topic_are_found_and_forgotten_on_tokio() {
    on_tokio(peers);
}

#[test]
fn peers_of_a_topic_are_found_and_forgotten_on_async_std() {
    on_async_std(peers);
}

async fn peers(runtime: Arc<dyn Runtime>) {
    let nodes = network(&runtime, 4).await;
    let announcer = ephemeral(&runtime, &addresses(&nodes[..1]));
    let seeker = ephemeral(&runtime, &addresses(&nodes[..1]));
    let topic = Id::from_bytes([7; 32]);
    let announced = announcer.announce(topic, AnnounceOptions::default());
    assert_eq!(announced.finish().await.unwrap().stored, 4);
    assert_eq!(found(&seeker, topic).await, [announcer.local_addr()]);
    announcer
        .unannounce(topic, AnnounceOptions::default())
        .await
        .unwrap();
    assert_eq!(found(&seeker, topic).await, []);
}

#[test]
fn values_are_kept_on_tokio() {
    on_tokio(values);
}

#[test]
fn values_are_kept_on_async_std() {
    on_async_std(values);
}

async fn values(runtime: Arc<dyn Runtime>) {
    let nodes = network(&runtime, 3).await;
    let writer = ephemeral(&runtime, &addresses(&nodes[..1]));
    let reader = ephemeral(&runtime, &addresses(&nodes[..1]));

    let hash = writer.immutable_put(b"for ever").await.unwrap();
    let value = reader.immutable_get(hash).await.unwrap();
    assert_eq!(value.unwrap(), b"for ever");
    let nothing = reader.immutable_get(Id::from_bytes([9; 32])).await;
    assert_eq!(nothing, Ok(None));

    let keys = KeyPair::from_seed(&[3; 32]);
    assert_eq!(reader.mutable_get(&keys.public, None, 0).await, Ok(None));
    for (seq, text) in [(1, "first"), (2, "second")] {
        let value = SignedValue::sign(&keys, text.as_bytes(), seq, None).unwrap();
        assert_eq!(writer.mutable_put(value).await.unwrap().stored, 3);
        let value = reader.mutable_get(&keys.public, None, 0).await.unwrap();
        assert_eq!(value.unwrap().value, text.as_bytes());
    }
    let older = SignedValue::sign(&keys, b"first again", 1, None).unwrap();
    let error = writer.mutable_put(older).await.unwrap_err();
    assert_eq!(error, NodeError::Query(QueryError::Newer));
}

#[test]
fn a_node_alone_says_that_nobody_answers() {
    on_tokio(|runtime| async move {
        let node = ephemeral(&runtime, &[]);
        node.ready().await.unwrap();
        let error = node.find_node(Id::from_bytes([7; 32])).await.unwrap_err();
        assert_eq!(error, NodeError::Query(QueryError::NoReplies));
    });
}

#[test]
fn others_tell_how_they_see_us() {
    on_tokio(|runtime| async move {
        let nodes = network(&runtime, 3).await;
        let node = ephemeral(&runtime, &addresses(&nodes[..1]));
        let seen = node.ping(nodes[0].local_addr()).await.unwrap();
        assert_eq!(seen, Some(node.local_addr()));
    });
}

#[test]
fn closing_ends_operations_and_frees_the_port() {
    on_tokio(|runtime| async move {
        let silent = runtime
            .bind_udp(common::loopback().into(), UdpPort::Own)
            .unwrap();
        let std::net::SocketAddr::V4(silent_at) = silent.local_addr() else {
            panic!("an IPv4 address");
        };
        let node = ephemeral(&runtime, &[silent_at]);
        let address = node.local_addr();
        let mut walk = node.lookup(Id::from_bytes([7; 32]), LookupOptions::default());
        assert!(
            poll_once(walk.next()).await.is_none(),
            "nobody answered yet"
        );
        let events = node.events();
        node.close().await;
        assert_eq!(walk.next().await, None);
        assert_eq!(walk.finish().await, Err(NodeError::Closed));
        assert_eq!(node.ready().await, Err(NodeError::Closed));
        assert!(events.recv().await.is_err());
        let later = node.find_node(Id::from_bytes([7; 32])).await;
        assert_eq!(later, Err(NodeError::Closed));
        runtime.bind_udp(address.into(), UdpPort::Own).unwrap();
    });
}

#[test]
fn the_last_handle_ends_the_node() {
    on_tokio(|runtime| async move {
        let node = ephemeral(&runtime, &[]);
        let clone = node.clone();
        let events = node.events();
        let address = node.local_addr();
        drop(node);
        clone.ready().await.unwrap();
        drop(clone);
        assert!(events.recv().await.is_err());
        while runtime.bind_udp(address.into(), UdpPort::Own).is_err() {
            runtime.sleep(std::time::Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn a_dropped_walk_is_no_longer_pursued() {
    on_tokio(|runtime| async move {
        let nodes = network(&runtime, 2).await;
        let node = ephemeral(&runtime, &addresses(&nodes[..1]));
        node.ready().await.unwrap();
        // More than may run at once, were they not ended.
        for _ in 0..3000 {
            drop(node.lookup(Id::from_bytes([7; 32]), LookupOptions::default()));
        }
        let closest = node.find_node(Id::from_bytes([7; 32])).await.unwrap();
        assert_eq!(closest.closest.len(), 2);
    });
}

#[test]
fn hostile_datagrams_leave_a_node_as_it_was() {
    on_tokio(|runtime| async move {
        let nodes = network(&runtime, 2).await;
        let enemy = runtime
            .bind_udp(common::loopback().into(), UdpPort::Own)
            .unwrap();
        let to = nodes[0].local_addr().into();
        for length in [0usize, 1, 2, 19, 20, 100, 1500, 2047, 2048, 2049, 9000] {
            for byte in [0x00, 0x08, 0x21, 0x41, 0x58, 0xff] {
                enemy.send_to(&vec![byte; length], to).await.unwrap();
            }
        }
        let node = ephemeral(&runtime, &addresses(&nodes[..1]));
        let closest = node.find_node(Id::from_bytes([7; 32])).await.unwrap();
        assert_eq!(closest.closest.len(), 2);
    });
}

async fn network(runtime: &Arc<dyn Runtime>, size: usize) -> Vec<Node> {
    let first = persistent(runtime, &[]);
    first.ready().await.unwrap();
    let bootstrap = [first.local_addr()];
    let mut nodes = vec![first];
    while nodes.len() < size {
        let node = persistent(runtime, &bootstrap);
        node.ready().await.unwrap();
        nodes.push(node);
    }
    nodes
}

async fn found(node: &Node, topic: Id) -> Vec<SocketAddrV4> {
    let walk = node.lookup(topic, LookupOptions::default());
    let answers: Vec<_> = walk.collect().await;
    let mut peers: Vec<_> = answers.into_iter().flat_map(|it| it.peers).collect();
    peers.sort_unstable();
    peers.dedup();
    peers
}

fn addresses(nodes: &[Node]) -> Vec<SocketAddrV4> {
    nodes.iter().map(Node::local_addr).collect()
}
