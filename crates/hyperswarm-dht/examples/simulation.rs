//! Measures simulated networks and prints the tables of `docs/dht-simulation.md`.
//!
//! `cargo xtask dht-simulation` runs it. Everything but the times of this machine is repeated by the
//! seeds.
#![allow(
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::disallowed_types
)]

#[path = "../tests/sim/mod.rs"]
mod sim;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use sim::measure::{Lookups, mean, median, quantile};
use sim::{Character, Hostile, Link, Nat, World};

fn main() {
    let mut most = 10_000;
    let mut only = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        match (argument.as_str(), value.parse()) {
            ("--max-nodes", Ok(nodes)) => most = nodes,
            ("--only", _) => only = Some(value),
            _ => {
                eprintln!("usage: simulation [--max-nodes N] [--only size|stress|attack|nat]");
                std::process::exit(2);
            }
        }
    }
    let wanted = |part: &str| only.as_ref().is_none_or(|only| only == part);
    if wanted("size") {
        by_size(most);
    }
    if wanted("stress") {
        under_stress(most.min(1000));
    }
    if wanted("attack") {
        under_attack(most);
    }
    if wanted("nat") {
        by_nat();
    }
}

/// Lookups by the size of the network, what a node sends at rest, and what the simulation costs.
fn by_size(most: usize) {
    heading(
        "By size",
        &[
            "nodes",
            "table",
            "requests",
            "hops",
            "first value",
            "whole lookup",
            "announce",
            "recall",
            "found",
            "at rest",
            "processor time",
            "memory",
        ],
    );
    let mut points = Vec::new();
    for nodes in [100, 300, 600, 1000, 3000, 10_000] {
        if nodes > most {
            break;
        }
        let begun = Clock::start();
        let mut world = World::of(nodes, nodes as u64, Link::world());
        let tables: Vec<f64> = world
            .hosts
            .iter()
            .map(|host| host.dht.nodes().count() as f64)
            .collect();
        let lookups = world.measure_lookups(100);
        let idle = Clock::start();
        let (packets, bytes) = at_rest(&mut world);
        row(&[
            nodes.to_string(),
            three(&tables),
            two(&lookups.requests),
            two(&lookups.hops),
            milliseconds(&lookups.first),
            milliseconds(&lookups.whole),
            milliseconds(&lookups.announce),
            format!("{:.3}", mean(&lookups.recall)),
            share(&lookups),
            format!("{packets:.0} packets, {:.1} KB a minute", bytes / 1000.0),
            format!(
                "{:.0} s, of it {:.0} s for ten minutes at rest",
                begun.seconds(),
                idle.seconds()
            ),
            memory(),
        ]);
        points.push((nodes as f64, lookups));
    }
    println!();
    if points.len() >= 3 {
        let at = 1e7;
        let fitted = |what: fn(&Lookups) -> f64| {
            fit(points.iter().map(|(nodes, it)| (*nodes, what(it))), at)
        };
        println!(
            "Fitted over the logarithm of the size, 10 million nodes would cost {:.0} requests, {:.1} \
             hops, {:.0} ms to the first value and {:.0} ms for a whole lookup.\n",
            fitted(|it| mean(&it.requests)),
            fitted(|it| mean(&it.hops)),
            1000.0 * fitted(|it| mean(&it.first)),
            1000.0 * fitted(|it| mean(&it.whole)),
        );
    }
    over_equal_links(most.min(1000));
}

/// From the beginning of an announcement until somebody else, who asks as soon as it is made, has found
/// it, where every datagram takes as long.
fn over_equal_links(nodes: usize) {
    let one_way = Duration::from_millis(50);
    let mut world = World::of(nodes, 1000, Link::fixed(one_way));
    let lookups = world.measure_lookups(100);
    let times = lookups.announce.iter().zip(&lookups.first);
    let times: Vec<f64> = times.map(|(announce, first)| announce + first).collect();
    println!(
        "With {nodes} nodes and 50 ms each way for every datagram, {} were found, {} after their \
         announcement was begun: it takes {}, and the first answer that has the peer {}.\n",
        share(&lookups),
        milliseconds(&times),
        milliseconds(&lookups.announce),
        milliseconds(&lookups.first),
    );
}

/// Packets and bytes that a node sends in a minute when nobody wants anything.
fn at_rest(world: &mut World) -> (f64, f64) {
    let before: Vec<_> = world.hosts.iter().map(|host| host.load).collect();
    world.run_for(Duration::from_secs(600));
    let mut sums = (0.0, 0.0, 0.0);
    for (host, before) in world.hosts.iter().zip(before) {
        if host.is_alive && !host.dht.is_ephemeral() {
            sums.0 += (host.load.packets_out - before.packets_out) as f64;
            sums.1 += (host.load.bytes_out - before.bytes_out) as f64;
            sums.2 += 10.0;
        }
    }
    (sums.0 / sums.2, sums.1 / sums.2)
}

/// Lookups with losses, dead nodes, churn, and a majority that nobody counts on.
fn under_stress(nodes: usize) {
    let columns = [
        "condition",
        "found",
        "requests",
        "first value",
        "whole lookup",
        "recall",
    ];
    heading(&format!("Under stress, {nodes} nodes"), &columns);
    for (loss, dead) in [
        (0.0, 0.0),
        (0.1, 0.0),
        (0.3, 0.0),
        (0.0, 0.2),
        (0.1, 0.2),
        (0.0, 0.5),
    ] {
        let mut world = World::of(nodes, 40, Link::world());
        let lookups = announced_first(&mut world, 100, loss, dead);
        let name = format!("{:.0} % lost, {:.0} % dead", loss * 100.0, dead * 100.0);
        lookup_row(&name, &lookups);
    }
    let mut world = World::new(41, Link::world());
    world.grow(nodes, |_, _| Character::default());
    world.grow(4 * nodes, |i, _| Character {
        ephemeral: true,
        nat: Some(Nat::ALL[i % 4]),
        ..Character::default()
    });
    let lookups = world.measure_lookups(100);
    lookup_row("four more ephemeral ones behind NATs to each", &lookups);
    for minutes in [60, 20, 10] {
        let mut world = World::of(nodes, 42, Link::world().with_loss(0.01));
        let session = Duration::from_secs(60 * minutes);
        let lookups = world.measure_churn(session, 30, 20);
        let name = format!("sessions of {minutes} min in the median, 1 % lost");
        lookup_row(&name, &lookups);
    }
    println!();
}

/// Lookups among hostile nodes.
fn under_attack(nodes: usize) {
    let columns = [
        "attack",
        "found",
        "requests",
        "first value",
        "whole lookup",
        "recall",
    ];
    heading(&format!("Under attack, {nodes} nodes"), &columns);
    for hostile in [0.01, 0.1, 0.2, 0.4] {
        let mut world = with_hostile(nodes, hostile);
        let lookups = world.measure_lookups(100);
        lookup_row(&format!("{:.0} % hostile", hostile * 100.0), &lookups);
        if hostile == 0.2 {
            let lookups = announced_first(&mut world, 100, 0.2, 0.2);
            lookup_row("20 % hostile, 20 % lost, 20 % dead", &lookups);
        }
    }
    let mut world = World::of(nodes, 51, Link::world());
    let mut lookups = Lookups::default();
    for _ in 0..5 {
        let key = world.random_id();
        ring(&mut world, key);
        for _ in 0..20 {
            let announcer = world.client();
            world.announce(announcer, key);
            let address = world.hosts[announcer].address;
            world.measure_lookup(key, address, &mut lookups);
            world.kill(announcer);
        }
    }
    lookup_row("128 ids round the key, from eight /24 networks", &lookups);
    println!();
}

/// Who reaches whom.
fn by_nat() {
    let kinds = [
        None,
        Some(Nat::FullCone),
        Some(Nat::Restricted),
        Some(Nat::PortRestricted),
        Some(Nat::Symmetric),
    ];
    let name = |kind: Option<Nat>| kind.map_or("none", Nat::name);
    let mut columns = vec!["announcer, down; dialler, across"];
    columns.extend(kinds.map(name));
    heading("By NAT, two minutes after the announcement", &columns);
    let mut world = World::of(300, 60, Link::world().with_loss(0.01));
    let tries = 20;
    for announcer in kinds {
        let mut cells = vec![name(announcer).to_owned()];
        for dialler in kinds {
            let (mut punched, mut connected) = (0, 0);
            for _ in 0..tries {
                let wait = Duration::from_secs(120);
                let reached = world.try_to_reach(announcer, dialler, wait);
                punched += usize::from(reached.punched);
                connected += usize::from(reached.connected);
            }
            cells.push(format!("{punched} / {connected} of {tries}"));
        }
        row(&cells);
    }
    println!();
}

fn announced_first(world: &mut World, count: usize, loss: f64, dead: f64) -> Lookups {
    let announced: Vec<_> = (0..count)
        .map(|_| {
            let (announcer, topic) = (world.client(), world.random_id());
            world.announce(announcer, topic);
            (topic, world.hosts[announcer].address)
        })
        .collect();
    world.link = world.link.with_loss(loss);
    world.kill_share(dead);
    let mut lookups = Lookups::default();
    for (topic, address) in announced {
        world.measure_lookup(topic, address, &mut lookups);
    }
    lookups
}

fn with_hostile(nodes: usize, hostile: f64) -> World {
    let mut world = World::new(50, Link::world());
    world.grow(nodes, |i, rng| Character {
        hostile: (i >= 3 && sim::link::share(rng) < hostile)
            .then(|| Hostile::ALL[rng.below(3) as usize]),
        ..Character::default()
    });
    world
}

fn ring(world: &mut World, key: hyperswarm_dht::Id) {
    let nets: Vec<Vec<u8>> = (0..8).map(|_| world.rng.bytes(3)).collect();
    world.grow(128, |i, rng| {
        let net = &nets[i % 8];
        Character {
            hostile: Some(Hostile::Eclipse),
            id: Some(sim::hostile::beside(key, 24, rng)),
            ip: Some(Ipv4Addr::new(
                20 + net[0] % 60,
                net[1],
                net[2],
                1 + (i / 8) as u8,
            )),
            ..Character::default()
        }
    });
}

/// The value at `at` of the line over the logarithm that is nearest to the points.
fn fit(points: impl Iterator<Item = (f64, f64)>, at: f64) -> f64 {
    let points: Vec<_> = points.map(|(x, y)| (x.ln(), y)).collect();
    let count = points.len() as f64;
    let (x, y) = points
        .iter()
        .fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    let (x, y) = (x / count, y / count);
    let (along, across) = points.iter().fold((0.0, 0.0), |sum, it| {
        (sum.0 + (it.0 - x).powi(2), sum.1 + (it.0 - x) * (it.1 - y))
    });
    y + across / along * (at.ln() - x)
}

fn heading(title: &str, columns: &[&str]) {
    println!("### {title}\n");
    println!("| {} |", columns.join(" | "));
    println!("|{}", " --- |".repeat(columns.len()));
}

fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

fn lookup_row(name: &str, lookups: &Lookups) {
    row(&[
        name.to_owned(),
        share(lookups),
        two(&lookups.requests),
        milliseconds(&lookups.first),
        milliseconds(&lookups.whole),
        format!("{:.3}", mean(&lookups.recall)),
    ]);
}

fn share(lookups: &Lookups) -> String {
    format!("{} of {}", lookups.found, lookups.count)
}

/// Median and most.
fn two(values: &[f64]) -> String {
    format!("{:.0} / {:.0}", median(values), quantile(values, 1.0))
}

/// Least, median and most.
fn three(values: &[f64]) -> String {
    format!("{:.0} / {}", quantile(values, 0.0), two(values))
}

/// Median and 95th percentile.
fn milliseconds(values: &[f64]) -> String {
    let [median, most] = [0.5, 0.95].map(|share| 1000.0 * quantile(values, share));
    format!("{median:.0} / {most:.0} ms")
}

/// The processor time of this process, which has one thread; where the system does not tell, that of
/// the wall.
struct Clock {
    wall: Instant,
    processor: Option<f64>,
}

impl Clock {
    fn start() -> Self {
        Self {
            wall: Instant::now(),
            processor: Self::processor(),
        }
    }

    fn seconds(&self) -> f64 {
        match (Self::processor(), self.processor) {
            (Some(now), Some(start)) => now - start,
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }

    /// In seconds, to a nanosecond: what Linux says of how long a process ran.
    fn processor() -> Option<f64> {
        let schedule = std::fs::read_to_string("/proc/self/schedstat").ok()?;
        Some(schedule.split(' ').next()?.parse::<f64>().ok()? / 1e9)
    }
}

/// The most memory that this process has had, where the system tells.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|it| it.trim().split(' ').next()?.parse::<f64>().ok());
    kib.map_or("unknown".to_owned(), |kib| {
        format!("{:.0} MiB", kib / 1024.0)
    })
}
