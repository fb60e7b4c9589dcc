//! Lookups in a network of 600 real nodes cost no more than in the reference's: 34 requests in the
//! median and at most 3 hops, and each of the 20 nearest nodes is asked. Simulated networks of other
//! sizes are tested in `hyperswarm-dht`, and `examples/figures` measures this one at length. Elsewhere
//! than on Linux a process may often not have so many sockets.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use hyperswarm::Node;
use hyperswarm_dht::{AnnounceOptions, CLOSEST_NODES, Id, LookupOptions};

mod common;
use common::{ephemeral, on_tokio_within, persistent};

#[test]
fn lookups_among_six_hundred_nodes_cost_no_more_than_in_the_reference() {
    on_tokio_within(Duration::from_secs(600), |runtime| async move {
        let first = persistent(&runtime, &[]);
        let known = [first.local_addr()];
        let mut nodes = vec![first];
        while nodes.len() < 600 {
            let node = persistent(&runtime, &known);
            node.ready().await.unwrap();
            nodes.push(node);
        }
        let mut requests = Vec::new();
        for round in 0..15 {
            let topic = Id::from_bytes([17 * round; 32]);
            let announcer = ephemeral(&runtime, &known);
            announcer.ready().await.unwrap();
            let announced = announcer.announce(topic, AnnounceOptions::default());
            assert_eq!(announced.finish().await.unwrap().stored, CLOSEST_NODES);

            let client = ephemeral(&runtime, &known);
            client.ready().await.unwrap();
            let mut walk = client.lookup(topic, LookupOptions::default());
            let mut is_found = false;
            while let Some(found) = walk.next().await {
                is_found |= found.peers.contains(&announcer.local_addr());
            }
            let summary = walk.finish().await.unwrap();
            assert!(is_found, "{topic}");
            assert!(summary.hops_to_value.unwrap() <= 3, "{summary:?}");
            let asked: BTreeSet<Id> = summary.closest.iter().map(|node| node.id).collect();
            assert_eq!(asked, nearest(&nodes, topic));
            requests.push(summary.requests);
        }
        requests.sort_unstable();
        println!("requests {requests:?}");
        assert!(requests[requests.len() / 2] <= 34);
    });
}

fn nearest(nodes: &[Node], topic: Id) -> BTreeSet<Id> {
    let ids = nodes.iter().map(|node| node.inspect(|dht| dht.id()));
    let mut ids: Vec<Id> = ids.collect();
    ids.sort_unstable_by_key(|id| id.distance(&topic));
    ids.into_iter().take(CLOSEST_NODES).collect()
}
