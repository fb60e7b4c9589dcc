//! Announced topics are found while nodes come and go, in a simulated network.
#![allow(clippy::unwrap_used)]

mod sim;

use std::time::Duration;

use sim::measure::{median, quantile};
use sim::{Link, World};

#[test]
fn announced_topics_are_found_while_nodes_come_and_go() {
    let seed = 7;
    println!("seed {seed}");
    let mut world = World::of(200, seed, Link::world().with_loss(0.01));
    let lookups = world.measure_churn(Duration::from_secs(20 * 60), 20, 10);
    println!(
        "found {} of {}, requests {}, whole {:.2} s / {:.2} s",
        lookups.found,
        lookups.count,
        median(&lookups.requests),
        median(&lookups.whole),
        quantile(&lookups.whole, 0.95),
    );
    assert!(lookups.count > 150);
    assert!(lookups.found_share() >= 0.98);
    assert!(median(&lookups.whole) <= 1.5);
}
