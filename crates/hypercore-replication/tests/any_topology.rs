//! Logs, readers and links in random arrangements, with links that are slow or break.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Link, Ours, World, open};
use hypercore::{Feed, Options};
use hypercore_crypto::KeyPair;
use hypercore_protocol::Role;
use hypercore_replication::Config;
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Plan {
    /// Blocks of each log when the readers begin, and those that are appended later.
    logs: Vec<(u64, u64)>,
    nodes: usize,
    /// Between which nodes there are links, with delay in milliseconds and bandwidth.
    links: Vec<(usize, usize, u64, u64)>,
    /// After how many milliseconds which link breaks and is made anew.
    breaks: Vec<(u64, usize)>,
}

fn plans() -> impl Strategy<Value = Plan> {
    (2..5_usize).prop_flat_map(|nodes| {
        let link = (
            0..nodes,
            0..nodes,
            0..50_u64,
            prop_oneof![Just(0), 20_000..1_000_000_u64],
        );
        (
            proptest::collection::vec((0..300_u64, 0..20_u64), 1..3),
            Just(nodes),
            proptest::collection::vec(link, 0..4),
            proptest::collection::vec((0..500_u64, 0..8_usize), 0..4),
        )
            .prop_map(|(logs, nodes, mut links, breaks)| {
                // A chain, so that every node can be reached, and whatever else there is.
                links.retain(|link| link.0 != link.1);
                links.extend((1..nodes).map(|node| (node - 1, node, 1, 0)));
                Plan {
                    logs,
                    nodes,
                    links,
                    breaks,
                }
            })
    })
}

fn block(log: usize, index: u64) -> Vec<u8> {
    let size = (index * 37 + log as u64 * 11) % 200;
    vec![u8::try_from(index % 251).unwrap(); usize::try_from(size).unwrap()]
}

fn connect<'a>(plan: &Plan, link: usize, feeds: &[Vec<Feed>]) -> Link<'a> {
    let (a, b, delay, bandwidth) = plan.links[link];
    let all = |node: usize| feeds[node].iter().collect::<Vec<_>>();
    Link::new(
        Ours::new(Role::Initiator, Config::default(), &all(a)),
        Ours::new(Role::Responder, Config::default(), &all(b)),
    )
    .delayed(Duration::from_millis(delay))
    .narrow(bandwidth)
}

fn check(plan: &Plan) {
    let pairs: Vec<KeyPair> = (0..plan.logs.len())
        .map(|log| KeyPair::from_seed(&[u8::try_from(log).unwrap(); 32]))
        .collect();
    // Log n is written at node n, and read everywhere else.
    let feeds: Vec<Vec<Feed>> = (0..plan.nodes)
        .map(|node| {
            let options = |log: usize, pair: &KeyPair| match log % plan.nodes == node {
                true => Options::new().key_pair(pair.clone()),
                false => Options::new().key(pair.public),
            };
            pairs
                .iter()
                .enumerate()
                .map(|(log, pair)| open(options(log, pair)))
                .collect()
        })
        .collect();
    let append = |log: usize, count: u64| {
        let writer = &feeds[log % plan.nodes][log];
        for _ in 0..count {
            writer.append(block(log, writer.length())).unwrap();
        }
    };
    for (log, (first, _)) in plan.logs.iter().enumerate() {
        append(log, *first);
    }
    let mut downloads = Vec::new();
    for (log, (first, later)) in plan.logs.iter().enumerate() {
        for node in (0..plan.nodes).filter(|node| log % plan.nodes != *node) {
            downloads.push(feeds[node][log].download(0..first + later));
        }
    }
    let mut world = World::new((0..plan.links.len()).map(|link| connect(plan, link, &feeds)));
    let mut breaks = plan.breaks.clone();
    breaks.sort_unstable();
    for (at, link) in breaks {
        let passed = world.now.since_start();
        world.pass(Duration::from_millis(at).saturating_sub(passed));
        let link = link % plan.links.len();
        world.links[link] = connect(plan, link, &feeds).at(world.now);
    }
    for (log, (_, later)) in plan.logs.iter().enumerate() {
        append(log, *later);
    }
    for download in downloads {
        world
            .run(Duration::from_secs(60), download)
            .expect("it arrives")
            .unwrap();
    }
    for (log, (first, later)) in plan.logs.iter().enumerate() {
        for node in &feeds {
            for index in 0..first + later {
                assert_eq!(
                    node[log].get_local(index).unwrap().unwrap(),
                    block(log, index)
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn everything_arrives_everywhere(plan in plans()) {
        check(&plan);
    }
}
