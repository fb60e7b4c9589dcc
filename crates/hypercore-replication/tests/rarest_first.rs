//! Of a whole range the blocks come first that fewest peers have.
//!
//! The rates are those of the content alone, on a virtual clock.

#![allow(clippy::unwrap_used)]

mod common;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use common::sim::{keep_dialling, serve};
use common::{pair, reader};
use hypercore::{Feed, Hypercore, Options, RemoteTree};
use hypercore_storage::MemoryDir;
use testkit::{Link, Sim, SimRuntime};

const BLOCK_BYTES: usize = 32 << 10;
const BLOCKS: u64 = 640;

/// What each peer sends in a second.
const BANDWIDTH: u64 = 1_000_000;

/// The least time in which one peer sends so many blocks.
fn time_of(blocks: u64) -> f64 {
    (blocks * BLOCK_BYTES as u64) as f64 / BANDWIDTH as f64
}

fn author() -> Hypercore {
    let options = Options::new().key_pair(pair());
    let mut log = Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap();
    for index in 0..BLOCKS {
        let mut block = vec![0; BLOCK_BYTES];
        block[..8].copy_from_slice(&index.to_le_bytes());
        log.append(block).unwrap();
    }
    log
}

/// A copy of some blocks.
fn copy_of(author: &Hypercore, ranges: impl IntoIterator<Item = Range<u64>>) -> Feed {
    let options = Options::new().key(pair().public);
    let mut copy = Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap();
    for index in ranges.into_iter().flatten() {
        let block = author.get(index).unwrap();
        let proof = author.proof(index, 0, false, &mut RemoteTree::new());
        let proof = proof.unwrap().unwrap();
        copy.put(index, block.as_deref(), proof).unwrap();
    }
    Feed::new(copy)
}

/// A reader that is connected to these.
fn meet(sim: &Sim, seeds: &[&Feed]) -> Feed {
    let copy = reader();
    let us = sim.host([10, 0, 0, 1]);
    let hosts: Vec<Arc<SimRuntime>> = (2..)
        .zip(seeds)
        .map(|(n, _)| sim.host([10, 0, 0, n]))
        .collect();
    for (host, seed) in hosts.iter().zip(seeds) {
        sim.set_link(Link {
            delay: Duration::from_millis(10)..Duration::from_millis(11),
            bandwidth: BANDWIDTH,
            buffer: 128 << 10,
        });
        serve(host, &[seed]);
        keep_dialling(&us, host, &[&copy]);
    }
    sim.pass(Duration::from_secs(2));
    assert_eq!(copy.peers(), seeds.len());
    copy
}

/// How long it takes to get everything, in seconds.
fn download(sim: &Sim, copy: &Feed) -> f64 {
    let started = sim.now();
    let all = copy.download(0..BLOCKS);
    sim.run(Duration::from_secs(600), all)
        .expect("it comes to an end")
        .unwrap();
    let took = (sim.now() - started).as_secs_f64();
    sim.end();
    took
}

#[test]
fn partial_seeds_are_all_busy_to_the_end() {
    let author = author();
    let quarter = BLOCKS / 4;
    for (seed, seeds) in [
        // Everything, and the first half: whoever has all of it sends the other half.
        (1, vec![vec![0..BLOCKS], vec![0..2 * quarter]]),
        // Each half on two of four, in different ways.
        (
            2,
            vec![
                vec![0..2 * quarter],
                vec![2 * quarter..BLOCKS],
                vec![0..quarter, 3 * quarter..BLOCKS],
                vec![quarter..3 * quarter],
            ],
        ),
        // Two seeds of one quarter, and one of the three others: it is busy with nothing else.
        (3, vec![vec![0..quarter], vec![0..quarter], vec![0..BLOCKS]]),
    ] {
        let sim = Sim::new(seed);
        let feeds: Vec<Feed> = seeds
            .into_iter()
            .map(|held| copy_of(&author, held))
            .collect();
        let copy = meet(&sim, &feeds.iter().collect::<Vec<_>>());
        let took = download(&sim, &copy);
        let least = match seed {
            1 => time_of(2 * quarter),
            2 => time_of(quarter),
            _ => time_of(3 * quarter),
        };
        println!(
            "seed {seed}: {took:.2} s, {:.1} % of the best",
            100.0 * least / took
        );
        assert!(
            least / took > 0.9,
            "seed {seed}: {took} s, at best {least} s"
        );
    }
}

#[test]
fn what_only_a_leaving_peer_has_comes_first() {
    let author = author();
    let half = BLOCKS / 2;
    let sim = Sim::new(4);
    println!("seed 4");
    let (whole, part) = (
        copy_of(&author, Some(0..BLOCKS)),
        copy_of(&author, Some(0..half)),
    );
    let copy = meet(&sim, &[&whole, &part]);
    let all = copy.download(0..BLOCKS);
    // A tenth more than it takes to send what nobody else has.
    sim.pass(Duration::from_secs_f64(1.1 * time_of(half)));
    whole.close().unwrap();
    sim.run(Duration::from_secs(60), all)
        .expect("it comes to an end")
        .unwrap();
    sim.end();
    assert!(copy.has_range(0..BLOCKS));
}

#[test]
fn a_peer_that_comes_later_makes_others_rare() {
    let author = author();
    let half = BLOCKS / 2;
    let sim = Sim::new(5);
    println!("seed 5");
    let (whole, part) = (
        copy_of(&author, Some(0..BLOCKS)),
        copy_of(&author, Some(0..half)),
    );
    let copy = meet(&sim, &[&whole]);
    let all = copy.download(0..BLOCKS);
    sim.pass(Duration::from_secs(1));
    // From now on whoever has everything sends what the newcomer lacks.
    let host = sim.host([10, 0, 0, 9]);
    serve(&host, &[&part]);
    keep_dialling(&sim.host([10, 0, 0, 1]), &host, &[&copy]);
    let started = sim.now();
    sim.run(Duration::from_secs(600), all)
        .expect("it comes to an end")
        .unwrap();
    let took = (sim.now() - started).as_secs_f64();
    sim.end();
    println!("{took:.2} s, at best {:.2} s", time_of(half));
    assert!(took < 1.15 * time_of(half), "{took} s");
}
