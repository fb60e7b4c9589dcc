//! A node that has been there for long enough, and can be reached, shows its id.
#![allow(clippy::unwrap_used)]

mod sim;

use std::time::Duration;

use hyperswarm_dht::Event;
use sim::{Character, Link, Nat, World};

/// Whether a node behind such a NAT becomes persistent within so many minutes.
fn becomes_persistent(nat: Option<Nat>, minutes: u64) -> bool {
    let seed = 11;
    println!("seed {seed}");
    let mut world = World::of(30, seed, Link::world());
    let host = world.add(Character {
        ephemeral: true,
        nat,
        ..Character::default()
    });
    let id = world.hosts[host].dht.id();
    world.act(host, |dht, now| dht.bootstrap(now));
    world.run_for(Duration::from_secs(60 * minutes));
    let announced = world.hosts[host]
        .events
        .iter()
        .any(|(_, event)| *event == Event::Persistent);
    let is_persistent = !world.hosts[host].dht.is_ephemeral();
    assert_eq!(announced, is_persistent);
    let known = world.hosts[..30]
        .iter()
        .filter(|other| other.dht.nodes().any(|node| node.id == id))
        .count();
    assert_eq!(known > 10, is_persistent, "{known} nodes know it");
    is_persistent
}

#[test]
fn not_before_eighteen_minutes() {
    assert!(!becomes_persistent(None, 18));
}

#[test]
fn after_thirty_two_minutes() {
    assert!(becomes_persistent(None, 33));
}

#[test]
fn behind_a_nat_that_keeps_its_port() {
    assert!(becomes_persistent(Some(Nat::FullCone), 33));
}

#[test]
fn never_behind_a_symmetric_nat() {
    assert!(!becomes_persistent(Some(Nat::Symmetric), 90));
}
