//! Writing, looking up and listing the keys of a trie in memory.
//!
//! The log's part is in it: a write signs and hashes, a cold read copies out of the storage.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures_lite::future::block_on;
use hypercore::{Feed, Hypercore};
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;
use hypertrie::{DiffOptions, IterOptions, Op, Options, Trie};

/// A trie in memory with this many keys, in folders of a thousand.
fn filled(keys: usize) -> Trie {
    let log = hypercore::Options::new().key_pair(KeyPair::from_seed(&[1; 32]));
    let log = Hypercore::open(Arc::new(MemoryDir::new()), log).expect("a log in memory opens");
    let trie = block_on(Trie::open(Feed::new(log), Options::new())).expect("it can be written");
    for first in (0..keys).step_by(BATCH) {
        block_on(trie.batch(ops(first..(first + BATCH).min(keys)))).expect("it can be written");
    }
    trie
}

fn ops(keys: std::ops::Range<usize>) -> Vec<Op> {
    keys.map(|index| Op::put(key(index), value())).collect()
}

fn key(index: usize) -> String {
    format!("folder-{}/key-{index}", index / 1000)
}

fn value() -> Bytes {
    Bytes::from_static(&[7; 32])
}

/// The same trie with nothing remembered.
fn cold(trie: &Trie) -> Trie {
    let options = Options::new();
    block_on(Trie::open(trie.feed().clone(), options)).expect("it is open already")
}

fn writes(c: &mut Criterion) {
    let mut group = c.benchmark_group("trie/put");
    group.sample_size(10);
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("batch_of_10000_into_empty", |b| {
        b.iter_batched(
            || (filled(0), ops(0..BATCH)),
            |(trie, ops)| block_on(trie.batch(ops)).map(|nodes| nodes.len()),
            BatchSize::LargeInput,
        );
    });
    group.bench_function("batch_of_10000_into_100000", |b| {
        b.iter_batched(
            || (filled(KEYS), ops(KEYS..KEYS + BATCH)),
            |(trie, ops)| block_on(trie.batch(ops)).map(|nodes| nodes.len()),
            BatchSize::PerIteration,
        );
    });
    group.throughput(Throughput::Elements(1));
    let trie = filled(KEYS);
    let mut next = KEYS;
    group.bench_function("single_into_100000", |b| {
        b.iter(|| {
            next += 1;
            block_on(trie.put(&key(next), value())).expect("it can be written")
        });
    });
    group.finish();
}

fn reads(c: &mut Criterion) {
    let trie = filled(KEYS);
    let keys: Vec<_> = (0..KEYS).map(|index| key(index * 7919 % KEYS)).collect();

    let mut group = c.benchmark_group("trie/get");
    group.throughput(Throughput::Elements(1));
    let mut next = keys.iter().cycle();
    group.bench_function("of_100000", |b| {
        b.iter(|| {
            let key = next.next().expect("there are keys");
            block_on(trie.get(black_box(key))).expect("it can be read")
        });
    });
    group.bench_function("of_100000_absent", |b| {
        b.iter(|| block_on(trie.get(black_box("folder-3/absent"))).expect("it can be read"));
    });
    let mut next = keys.iter().cycle();
    let uncached = Options::new().cache(0, 0);
    let uncached = block_on(Trie::open(trie.feed().clone(), uncached)).expect("it is open");
    group.bench_function("of_100000_uncached", |b| {
        b.iter(|| {
            let key = next.next().expect("there are keys");
            block_on(uncached.get(black_box(key))).expect("it can be read")
        });
    });
    group.finish();

    let mut group = c.benchmark_group("trie/walk");
    group.sample_size(10);
    group.throughput(Throughput::Elements(KEYS as u64));
    group.bench_function("iterate_100000", |b| {
        b.iter_batched(
            || cold(&trie),
            |trie| count(trie.iter("", IterOptions::new())),
            BatchSize::PerIteration,
        );
    });
    let old = trie.version() - 1000;
    group.throughput(Throughput::Elements(1000));
    group.bench_function("diff_last_1000_of_100000", |b| {
        b.iter_batched(
            || cold(&trie),
            |trie| count(trie.diff(old, "", DiffOptions::new())),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn count<T>(walk: impl futures_lite::Stream<Item = T>) -> usize {
    block_on(futures_lite::StreamExt::count(walk))
}

const KEYS: usize = 100_000;
const BATCH: usize = 10_000;

criterion_group!(benches, writes, reads);
criterion_main!(benches);
