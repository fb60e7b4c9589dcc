//! Simulated networks with nodes that lie, stay silent or crowd round a key.
#![allow(clippy::unwrap_used)]

mod sim;

use std::net::Ipv4Addr;

use sim::measure::{Lookups, median, quantile};
use sim::{Character, Hostile, Link, World};

#[test]
fn fault_n6_a_fifth_of_hostile_nodes() {
    let mut world = network(300, 0.2, 0.0, 61);
    let lookups = world.measure_lookups(50);
    report("20 % hostile", &lookups);
    assert!(lookups.found_share() >= 0.99);
    assert!(median(&lookups.requests) <= 60.0);
}

#[test]
fn fault_n6_hostile_dead_and_lost_together() {
    let mut world = network(300, 0.2, 0.2, 62);
    let lookups = announced_before_deaths(&mut world, 50, 0.2);
    report("20 % hostile, 20 % dead, 20 % lost", &lookups);
    assert!(lookups.found_share() >= 0.95);
}

#[test]
fn fault_n6_two_fifths_of_hostile_nodes() {
    let mut world = network(300, 0.4, 0.0, 63);
    let lookups = world.measure_lookups(50);
    report("40 % hostile", &lookups);
    assert!(lookups.found_share() >= 0.8);
}

#[test]
fn fault_n6_ring_of_ids_round_one_key() {
    let mut world = network(300, 0.0, 0.0, 64);
    let mut lookups = Lookups::default();
    for _ in 0..2 {
        let key = world.random_id();
        ring(&mut world, key, 128);
        for _ in 0..12 {
            let announcer = world.client();
            world.announce(announcer, key);
            let address = world.hosts[announcer].address;
            world.measure_lookup(key, address, &mut lookups);
            world.kill(announcer);
        }
    }
    report("128 ids round one key, from 8 networks", &lookups);
    assert!(lookups.found_share() >= 0.9);
}

/// So many attackers with ids beside a key, all from eight /24 networks.
fn ring(world: &mut World, key: hyperswarm_dht::Id, count: u8) {
    let nets: Vec<[u8; 3]> = (0..8)
        .map(|_| world.rng.bytes(3).try_into().unwrap())
        .map(|[a, b, c]: [u8; 3]| [20 + a % 60, b, c])
        .collect();
    world.grow(usize::from(count), |i, rng| {
        let [a, b, c] = nets[i % 8];
        let last = u8::try_from(1 + i / 8).unwrap();
        Character {
            hostile: Some(Hostile::Eclipse),
            id: Some(sim::hostile::beside(key, 24, rng)),
            ip: Some(Ipv4Addr::new(a, b, c, last)),
            ..Character::default()
        }
    });
}

/// A network with a share of hostile nodes of all kinds, and losses once it stands.
fn network(nodes: usize, hostile: f64, loss: f64, seed: u64) -> World {
    println!("seed {seed}");
    let mut world = World::new(seed, Link::world());
    world.grow(nodes, |i, rng| Character {
        hostile: (i >= 3 && sim::link::share(rng) < hostile)
            .then(|| Hostile::ALL[usize::try_from(rng.below(3)).unwrap()]),
        ..Character::default()
    });
    world.link = world.link.with_loss(loss);
    world
}

fn announced_before_deaths(world: &mut World, count: usize, dead: f64) -> Lookups {
    let announced: Vec<_> = (0..count)
        .map(|_| {
            let (announcer, topic) = (world.client(), world.random_id());
            world.announce(announcer, topic);
            (topic, world.hosts[announcer].address)
        })
        .collect();
    world.kill_share(dead);
    let mut lookups = Lookups::default();
    for (topic, address) in announced {
        world.measure_lookup(topic, address, &mut lookups);
    }
    lookups
}

fn report(what: &str, lookups: &Lookups) {
    println!(
        "{what}: found {} of {}, requests {} / {}, first {:.2} s, whole {:.2} s",
        lookups.found,
        lookups.count,
        median(&lookups.requests),
        quantile(&lookups.requests, 1.0),
        median(&lookups.first),
        median(&lookups.whole),
    );
}
