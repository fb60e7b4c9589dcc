//! What a node and a swarm tell of themselves, and how they say whether others can reach them.
#![allow(clippy::unwrap_used)]

use hyperswarm::{JoinOptions, LanStatus, Node, Reach, SwarmEvent};
use hyperswarm_dht::{AnnounceOptions, Id};

mod common;
use common::{ephemeral, on_tokio, persistent, swarm};

#[test]
fn a_node_alone_knows_nothing_of_itself() {
    on_tokio(|runtime| async move {
        let node = ephemeral(&runtime, &[]);
        node.ready().await.unwrap();
        let status = node.status();
        assert_eq!(status.local, node.local_addr());
        assert_eq!(status.observed, None);
        assert_eq!(status.reach, Reach::Unknown);
        assert!(!status.reach.is_reachable());
        assert!(status.is_ready && status.is_ephemeral);
        assert_eq!((status.nodes, status.network_size), (0, None));
        assert_eq!((status.records, status.values), (0, 0));
    });
}

#[test]
fn a_node_tells_how_others_see_it_and_what_it_keeps_for_them() {
    on_tokio(|runtime| async move {
        let first = persistent(&runtime, &[]);
        let at = [first.local_addr()];
        let others: Vec<Node> = (0..4).map(|_| persistent(&runtime, &at)).collect();
        for other in &others {
            other.ready().await.unwrap();
        }
        let node = persistent(&runtime, &at);
        let events = node.events();
        // What is told by an event is what the status says.
        while node.status().reach == Reach::Unknown {
            events.recv().await.unwrap();
        }
        let status = node.status();
        assert_eq!(status.reach, Reach::Direct);
        assert!(status.reach.is_reachable());
        let observed = status.observed.unwrap();
        assert_eq!(observed.ip, *node.local_addr().ip());
        assert_eq!(observed.port, Some(node.local_addr().port()));
        assert!(!status.is_ephemeral);

        node.ready().await.unwrap();
        let topic = Id::from_bytes([7; 32]);
        let announced = first.announce(topic, AnnounceOptions::default());
        announced.finish().await.unwrap();
        first.immutable_put(b"a value").await.unwrap();
        let status = node.status();
        assert!(status.is_ready);
        assert_eq!(status.nodes, 5);
        assert_eq!((status.records, status.values), (1, 1));
    });
}

#[test]
fn a_swarm_tells_what_its_node_does_and_whom_it_knows() {
    on_tokio(|runtime| async move {
        let first = persistent(&runtime, &[]);
        let at = [first.local_addr()];
        let others: Vec<Node> = (0..4).map(|_| persistent(&runtime, &at)).collect();
        for other in &others {
            other.ready().await.unwrap();
        }
        let server = swarm(&runtime, &at).await;
        let client = swarm(&runtime, &at).await;
        let events = client.events();
        server.join([7; 32], JoinOptions::default());
        server.flush().await;
        client.join([7; 32], JoinOptions::default());
        let connections = (client.accept().await.unwrap(), server.accept().await);
        while client.status().reach == Reach::Unknown {
            events.recv().await.unwrap();
        }
        let status = client.status();
        let node = client.node().status();
        assert_eq!(status.reach, Reach::Direct);
        assert_eq!(status.observed, node.observed);
        assert_eq!(status.nodes, node.nodes);
        assert!(status.is_ready && status.is_ephemeral);
        assert_eq!((status.topics, status.peers), (1, 1));
        assert_eq!((status.connections, status.incoming), (1, 0));
        assert_eq!(status.lan, LanStatus::Off);
        assert_eq!(server.status().incoming, 1);
        drop(connections);
        while !matches!(
            events.recv().await.unwrap(),
            SwarmEvent::Disconnected { .. }
        ) {}
        assert_eq!(client.status().connections, 0);
    });
}
