//! Lookups in a network of real nodes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use hypercore_runtime::Runtime;
use hyperswarm_dht::{AnnounceOptions, CLOSEST_NODES, Id, LookupOptions};

use crate::{Done, median, node, quantile};

/// Each lookup is that of a fresh ephemeral client, for what another one announced, as with the
/// reference.
pub(crate) async fn measure(runtime: Arc<dyn Runtime>) -> Done {
    let start = Instant::now();
    let mut nodes = vec![node(&runtime, &[], false)?];
    let known = [nodes[0].local_addr()];
    while nodes.len() < NODES {
        let node = node(&runtime, &known, false)?;
        node.ready().await?;
        nodes.push(node);
    }
    let ids: Vec<Id> = nodes
        .iter()
        .map(|node| node.inspect(|dht| dht.id()))
        .collect();
    println!(
        "{NODES} nodes joined in {:.1} s",
        start.elapsed().as_secs_f64()
    );

    let (mut requests, mut hops, mut first, mut whole) = (vec![], vec![], vec![], vec![]);
    let (mut found, mut recall) = (0, 0.0);
    for round in 0..LOOKUPS {
        let topic = topic(round);
        let announcer = node(&runtime, &known, true)?;
        announcer.ready().await?;
        let announced = announcer.announce(topic, AnnounceOptions::default());
        announced.finish().await?;

        let client = node(&runtime, &known, true)?;
        client.ready().await?;
        let start = Instant::now();
        let mut walk = client.lookup(topic, LookupOptions::default());
        let mut at = None;
        while let Some(peers) = walk.next().await {
            if peers.peers.contains(&announcer.local_addr()) {
                at.get_or_insert(start.elapsed());
            }
        }
        let summary = walk.finish().await?;
        found += usize::from(at.is_some());
        first.extend(at.map(|at| 1e3 * at.as_secs_f64()));
        whole.push(1e3 * summary.elapsed.as_secs_f64());
        requests.push(summary.requests as f64);
        hops.extend(summary.hops_to_value.map(f64::from));
        let mut truly = ids.clone();
        truly.sort_unstable_by_key(|id| id.distance(&topic));
        let truly: BTreeSet<Id> = truly.into_iter().take(CLOSEST_NODES).collect();
        let hits = summary.closest.iter().filter(|it| truly.contains(&it.id));
        recall += hits.count() as f64 / truly.len() as f64;
    }
    println!("| requests | hops | first value | whole lookup | recall | found |");
    println!("| --- | --- | --- | --- | --- | --- |");
    println!(
        "| {:.0} / {:.0} | {:.0} / {:.0} | {:.1} ms | {:.1} ms | {:.3} | {found} of {LOOKUPS} |",
        median(&requests),
        quantile(&requests, 1.0),
        median(&hops),
        quantile(&hops, 1.0),
        median(&first),
        median(&whole),
        recall / LOOKUPS as f64,
    );
    Ok(())
}

/// Topics by number, all over the space.
fn topic(round: usize) -> Id {
    let mut bytes = [0; 32];
    for (word, piece) in (1..).zip(bytes.chunks_mut(8)) {
        let mixed = (word * 1_000_003 + round as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        piece.copy_from_slice(&(mixed ^ mixed >> 32).to_be_bytes());
    }
    Id::from_bytes(bytes)
}

const NODES: usize = 600;
const LOOKUPS: usize = 100;
