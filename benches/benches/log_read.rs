//! Reading a log that is held: blocks at random, runs of them, and bytes by their offset.
//!
//! A log is synchronous, so a read that has to wait for a disk blocks its thread. What is measured
//! here comes from the page cache: one figure holds the system calls, the search for the block's
//! offset, and its hash.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use benches::data::{Positions, block};
use benches::place::Place;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hypercore::{Hypercore, Options};
use hypercore_crypto::KeyPair;

/// Sizes of blocks in bytes, and how many of them the log has.
const SIZES: [(usize, u64); 3] = [(512, 32 << 10), (16 << 10, 1 << 10), (64 << 10, 256)];

/// Blocks in a run.
const RUN: u64 = 64;

/// One block, anywhere.
fn get(c: &mut Criterion) {
    each_log(c, "get", 1, &Options::new(), |log, at| {
        let found = log.get(at.below(log.length())).unwrap();
        black_box(found.expect("it is held"));
    });
}

/// The same without comparing what was read with its hash.
fn get_unverified(c: &mut Criterion) {
    let options = Options::new().verify_reads(false);
    each_log(c, "get_unverified", 1, &options, |log, at| {
        let found = log.get(at.below(log.length())).unwrap();
        black_box(found.expect("it is held"));
    });
}

/// A run of blocks in one call.
fn range(c: &mut Criterion) {
    each_log(c, "range", RUN, &Options::new(), |log, at| {
        let start = at.below(log.length() - RUN);
        black_box(log.get_range(start..start + RUN).unwrap());
    });
}

/// Which block a byte lies in.
fn seek(c: &mut Criterion) {
    each_log(c, "seek", 0, &Options::new(), |log, at| {
        black_box(log.seek(at.below(log.byte_length())).unwrap());
    });
}

/// Runs a piece of work, which reads so many blocks, on a log of each size in each place.
fn each_log(
    c: &mut Criterion,
    what: &str,
    blocks: u64,
    options: &Options,
    work: fn(&Hypercore, &mut Positions),
) {
    for place in Place::ALL {
        let mut group = c.benchmark_group(format!("log_read/{what}/{}", place.name()));
        for (size, count) in SIZES {
            let fresh = place.fresh();
            let options = options.clone().key_pair(KeyPair::from_seed(&[1; 32]));
            let mut log = Hypercore::open(fresh.dir(), options).unwrap();
            for first in (0..count).step_by(64) {
                let batch: Vec<_> = (first..first + 64).map(|i| block(i, size)).collect();
                log.append_batch(&batch).unwrap();
            }
            log.flush().unwrap();
            group.throughput(match blocks {
                0 => Throughput::Elements(1),
                blocks => Throughput::Bytes(blocks * size as u64),
            });
            let mut at = Positions::new(7);
            group.bench_function(BenchmarkId::from_parameter(size), |b| {
                b.iter(|| work(&log, &mut at));
            });
        }
    }
}

criterion_group!(benches, get, get_unverified, range, seek);
criterion_main!(benches);
