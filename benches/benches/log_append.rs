//! Appending to a log: one block a call, in batches, and made durable after each call.
//!
//! Every iteration begins with a fresh log, so that its length does not depend on how long the
//! bench has been running.
#![allow(missing_docs, clippy::unwrap_used)]

use benches::data::block;
use benches::place::{Fresh, Place};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hypercore::{Durability, Hypercore, Options};
use hypercore_crypto::KeyPair;
use hypercore_storage::OpenMode;

/// Sizes of blocks in bytes, and how many of them one call takes when they come in batches.
const SIZES: [(usize, u64); 3] = [(512, 1000), (16 << 10, 256), (64 << 10, 64)];

/// Blocks in one iteration of what appends them one by one.
const SINGLES: u64 = 100;

/// One signature, one write to each file and one hash a block.
fn single(c: &mut Criterion) {
    append(
        c,
        "single",
        |_| SINGLES,
        |log, blocks| {
            for block in blocks {
                log.append(block).unwrap();
            }
        },
    );
}

/// One signature and one write to each file for all of them.
fn batch(c: &mut Criterion) {
    append(
        c,
        "batch",
        |batch| batch,
        |log, blocks| {
            log.append_batch(blocks).unwrap();
        },
    );
}

/// As `single`, with a flush after each block; in memory that costs bookkeeping alone.
fn durable(c: &mut Criterion) {
    append(
        c,
        "durable",
        |_| SINGLES / 10,
        |log, blocks| {
            for block in blocks {
                log.append(block).unwrap();
                log.flush().unwrap();
            }
        },
    );
}

/// Groups that are durable when the call returns, on disk, beside what no such group can do without:
/// one write of as many bytes at the end of a file, and one sync of it. Where that takes 100 µs and
/// more, nothing else should be seen.
fn journal(c: &mut Criterion) {
    let mut group = c.benchmark_group("log_append/journal");
    for (size, count) in [(1024, 1), (1024, 100), (64 << 10, 16)] {
        let blocks: Vec<_> = (0..count).map(|i| block(i, size)).collect();
        let bytes = blocks.concat();
        group.throughput(Throughput::Elements(count));
        let fresh = Place::Disk.fresh();
        let options = Options::new()
            .key_pair(KeyPair::from_seed(&[1; 32]))
            .durability(Durability::EachAppend);
        let mut log = Hypercore::open(fresh.dir(), options).unwrap();
        group.bench_function(
            BenchmarkId::new("append", format!("{count} x {size}")),
            |b| {
                b.iter(|| log.append_batch(&blocks).unwrap());
            },
        );
        let file = fresh.dir().open("bare", OpenMode::Create).unwrap();
        let mut end = 0;
        group.bench_function(BenchmarkId::new("bare", format!("{count} x {size}")), |b| {
            b.iter(|| {
                file.write(end, &bytes).unwrap();
                file.sync().unwrap();
                end = (end + bytes.len() as u64) % (16 << 20);
            });
        });
    }
}

fn append(c: &mut Criterion, how: &str, count: fn(u64) -> u64, work: fn(&mut Hypercore, &[&[u8]])) {
    for place in Place::ALL {
        let mut group = c.benchmark_group(format!("log_append/{how}/{}", place.name()));
        group.sample_size(10);
        for (size, batch) in SIZES {
            let count = count(batch);
            let blocks: Vec<_> = (0..count).map(|i| block(i, size)).collect();
            group.throughput(Throughput::Bytes(count * size as u64));
            group.bench_function(BenchmarkId::from_parameter(size), |b| {
                b.iter_batched(
                    || empty(place),
                    |(mut log, fresh)| {
                        work(&mut log, &blocks);
                        (log, fresh)
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
}

fn empty(place: Place) -> (Hypercore, Fresh) {
    let fresh = place.fresh();
    let options = Options::new().key_pair(KeyPair::from_seed(&[1; 32]));
    (Hypercore::open(fresh.dir(), options).unwrap(), fresh)
}

criterion_group!(benches, single, batch, durable, journal);
criterion_main!(benches);
