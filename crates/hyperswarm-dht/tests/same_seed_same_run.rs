//! A run is repeated by its seed, to the last datagram.
#![allow(clippy::unwrap_used)]

mod sim;

use std::time::Duration;

use sim::{Link, World};

fn run(seed: u64) -> (u64, Vec<u64>, Vec<f64>) {
    let mut world = World::of(60, seed, Link::world().with_loss(0.05));
    let lookups = world.measure_lookups(5);
    world.run_for(Duration::from_secs(300));
    let loads = world.hosts.iter().map(|host| host.load.bytes_in).collect();
    (world.datagrams, loads, lookups.whole)
}

#[test]
fn the_same_seed_makes_the_same_run() {
    assert_eq!(run(5), run(5));
    assert_ne!(run(5).0, run(6).0);
}
