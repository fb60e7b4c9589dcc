//! Lookups in simulated networks: how many questions, how many hops, how long, and what is found.
#![allow(clippy::unwrap_used)]

mod sim;

use std::time::Duration;

use sim::measure::{mean, median, quantile};
use sim::{Link, World};

/// The reference with 600 nodes on loopback: 34 requests in the median, at most 3 hops, all of the
/// 20 closest found.
#[test]
fn six_hundred_nodes_cost_no_more_than_in_the_reference() {
    let seed = 600;
    println!("seed {seed}");
    let mut world = World::of(600, seed, Link::world());
    let lookups = world.measure_lookups(60);
    println!(
        "requests {} / {}, hops {} / {}, first {:.3} s, whole {:.3} s, recall {:.3}, announce {:.3}",
        median(&lookups.requests),
        quantile(&lookups.requests, 1.0),
        median(&lookups.hops),
        quantile(&lookups.hops, 1.0),
        median(&lookups.first),
        median(&lookups.whole),
        mean(&lookups.recall),
        median(&lookups.announce),
    );
    assert_eq!(lookups.found, lookups.count);
    assert!(median(&lookups.requests) <= 34.0);
    assert!(quantile(&lookups.hops, 1.0) <= 3.0);
    assert!(mean(&lookups.recall) >= 0.995);
}

#[test]
fn a_thousand_nodes_with_links_of_fifty_milliseconds_find_within_a_second() {
    let seed = 1000;
    println!("seed {seed}");
    let mut world = World::of(1000, seed, Link::fixed(Duration::from_millis(50)));
    let lookups = world.measure_lookups(40);
    let announced_and_found: Vec<f64> = lookups
        .announce
        .iter()
        .zip(&lookups.first)
        .map(|(announce, first)| announce + first)
        .collect();
    println!(
        "announced and found {:.3} s; announce {:.3} first {:.3} whole {:.3} requests {}",
        median(&announced_and_found),
        median(&lookups.announce),
        median(&lookups.first),
        median(&lookups.whole),
        median(&lookups.requests),
    );
    assert_eq!(lookups.found, lookups.count);
    assert!(median(&announced_and_found) <= 1.0);
}

/// The reference waits 7.5 s for every dead node that it meets.
#[test]
fn a_fifth_of_dead_nodes_costs_a_second_and_a_half() {
    let seed = 20;
    println!("seed {seed}");
    let mut world = World::of(600, seed, Link::world());
    let mut lookups = sim::measure::Lookups::default();
    let announced: Vec<_> = (0..40)
        .map(|_| {
            let (announcer, topic) = (world.client(), world.random_id());
            world.announce(announcer, topic).unwrap();
            (topic, world.hosts[announcer].address)
        })
        .collect();
    world.kill_share(0.2);
    for (topic, address) in announced {
        world.measure_lookup(topic, address, &mut lookups);
    }
    println!(
        "requests {}, first {:.3} s, whole {:.3} s / {:.3} s, recall {:.3}",
        median(&lookups.requests),
        median(&lookups.first),
        median(&lookups.whole),
        quantile(&lookups.whole, 0.95),
        mean(&lookups.recall),
    );
    assert_eq!(lookups.found, lookups.count);
    assert!(median(&lookups.whole) <= 1.5);
    assert!(mean(&lookups.recall) >= 0.95);
}
