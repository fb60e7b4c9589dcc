//! Which peers behind which NATs reach each other, in a simulated network.
#![allow(clippy::unwrap_used)]

mod sim;

use std::time::Duration;

use sim::{Link, Nat, World};

/// All pairs but those of a symmetric NAT with one that looks at ports, for which no order of
/// packets helps.
#[test]
fn every_possible_pair_connects() {
    let seed = 4;
    println!("seed {seed}");
    let mut world = World::of(60, seed, Link::world());
    for announcer in Nat::ALL {
        for dialler in Nat::ALL {
            let kinds = [announcer, dialler];
            let is_possible = !(kinds.contains(&Nat::Symmetric)
                && (kinds.contains(&Nat::PortRestricted)
                    || kinds == [Nat::Symmetric, Nat::Symmetric]));
            // Two minutes after the announcement every NAT has forgotten it, were it not kept warm.
            let wait = Duration::from_secs(120);
            let reached = world.try_to_reach(Some(announcer), Some(dialler), wait);
            println!("{} <- {}: {reached:?}", announcer.name(), dialler.name());
            assert_eq!(reached.connected, is_possible, "{kinds:?}");
        }
    }
}
