//! A log that several peers have comes as fast as all of them together can send it.
//!
//! The rates are those of the content alone, on a virtual clock: what counts against them is the
//! bytes of proofs and frames, the time until the first block, and whoever still sends when the
//! others have nothing left to do.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::sim::{keep_dialling, serve};
use common::{reader, writer};
use hypercore::Feed;
use testkit::{Link, Sim};

const BLOCK_BYTES: usize = 64 << 10;

const LIMIT: Duration = Duration::from_secs(600);

/// What each of several seeders sends in a second, and how far it is.
struct Sources<'s> {
    bandwidths: &'s [u64],
    delay: Duration,
}

fn author(blocks: u64) -> Feed {
    let feed = writer();
    for index in 0..blocks {
        let mut block = vec![0; BLOCK_BYTES];
        block[..8].copy_from_slice(&index.to_le_bytes());
        feed.append(block).unwrap();
    }
    feed
}

/// Downloads a log of so many blocks; returns the rate as a share of the sum of what each could send.
fn share_of_the_sum(seed: u64, sources: &Sources<'_>, blocks: u64) -> f64 {
    let sim = Sim::new(seed);
    let (author, copy) = (author(blocks), reader());
    let us = sim.host([10, 0, 0, 1]);
    for (number, bandwidth) in (2_u8..).zip(sources.bandwidths) {
        sim.set_link(Link {
            delay: sources.delay..sources.delay + Duration::from_millis(1),
            bandwidth: *bandwidth,
            // Enough to keep the way busy, and some for those who queue there.
            buffer: usize::try_from(*bandwidth / 4).unwrap() + (64 << 10),
        });
        let host = sim.host([10, 0, 0, number]);
        serve(&host, &[&author]);
        keep_dialling(&us, &host, &[&copy]);
        sim.pass(Duration::from_secs(2));
    }
    assert_eq!(copy.peers(), sources.bandwidths.len());
    let started = sim.now();
    let all = copy.download(0..blocks);
    sim.run(LIMIT, all).expect("it comes to an end").unwrap();
    let took = (sim.now() - started).as_secs_f64();
    sim.end();
    let sum: u64 = sources.bandwidths.iter().sum();
    let bytes = blocks * BLOCK_BYTES as u64;
    let share = bytes as f64 / took / sum as f64;
    println!(
        "seed {seed}: {:.0} bytes/s from {:?}, {:?} away: {:.1} % of the sum",
        bytes as f64 / took,
        sources.bandwidths,
        sources.delay,
        share * 100.0
    );
    share
}

#[track_caller]
fn check(bandwidths: &[u64], delay: Duration) {
    let sources = Sources { bandwidths, delay };
    // Ten seconds at the full rate.
    let sum: u64 = bandwidths.iter().sum();
    let blocks = 10 * sum / BLOCK_BYTES as u64;
    let share = share_of_the_sum(1, &sources, blocks);
    assert!(share >= 0.9, "{share}");
}

#[test]
fn five_equal_seeders_send_nine_tenths_of_their_sum() {
    check(&[1_000_000; 5], Duration::from_millis(20));
}

#[test]
fn five_unequal_seeders_send_nine_tenths_of_their_sum() {
    let bandwidths = [2_000_000, 1_000_000, 1_000_000, 500_000, 250_000];
    check(&bandwidths, Duration::from_millis(20));
}

#[test]
fn five_far_seeders_send_nine_tenths_of_their_sum() {
    check(&[1_000_000; 5], Duration::from_millis(100));
}
