//! Simulated networks with nodes that lie, stay silent or crowd round a key.
#![allow(clippy::unwrap_used)]

mod sim;

use std::net::Ipv4Addr;

use sim::measure::{Lookups, mean, median, quantile};
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

/// Nodes beside the target that do not exist are nearer than all that do, and one liar has twenty of
/// them. Those that had failed kept their places among the candidates, so that the real ones had none
/// any more, and a lookup could end among nodes far away; and a liar was known for one only when the
/// first of its tips had been given up, after others had been tried in their place.
#[test]
fn fault_n6_invented_nodes_do_not_push_out_the_real_ones() {
    println!("seed 65");
    let mut world = World::new(65, Link::world());
    world.grow(600, |i, rng| Character {
        hostile: (i >= 3 && sim::link::share(rng) < 0.15).then_some(Hostile::Poison),
        ..Character::default()
    });
    let lookups = world.measure_lookups(40);
    report("15 % who invent nodes", &lookups);
    println!("recall {:.3}", mean(&lookups.recall));
    assert!(lookups.found_share() >= 0.99);
    assert!(mean(&lookups.recall) >= 0.84);
    // It was 5.25 s and 112.
    assert!(median(&lookups.whole) <= 3.5);
    assert!(quantile(&lookups.requests, 1.0) <= 80.0);
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
