//! Replication of a log in memory: two replicators in one thread, no socket and no clock, so that
//! one figure holds what both sides compute. Divide by two for what one side of a connection takes.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_lite::future;
use hypercore::{Feed, Hypercore, Options};
use hypercore_crypto::KeyPair;
use hypercore_protocol::{Role, Secrets, Timestamp};
use hypercore_replication::{Config, Replicator, ReplicatorEvent};
use hypercore_storage::MemoryDir;

/// All blocks of a log of so many blocks of a size, into an empty copy.
fn download(c: &mut Criterion) {
    let mut group = c.benchmark_group("replicate/download");
    group.sample_size(10);
    for (blocks, size) in [(20_000, 512), (20_000, 1 << 10), (1024, 64 << 10)] {
        let pair = KeyPair::from_seed(&[7; 32]);
        let writer = open(Options::new().key_pair(pair.clone()));
        let block = vec![7; size];
        for _ in 0..blocks / 64 {
            writer.append_batch(&[&block; 64]).unwrap();
        }
        let length = writer.length();
        group.throughput(Throughput::Bytes(length * size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter_batched(
                || open(Options::new().key(pair.public)),
                |reader| {
                    let everything = reader.download(0..length);
                    run(&writer, &reader);
                    future::block_on(everything).unwrap();
                    reader
                },
                BatchSize::PerIteration,
            );
        });
    }
}

fn open(options: Options) -> Feed {
    Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap())
}

/// Carries bytes between two replicators until there are none.
fn run(writer: &Feed, reader: &Feed) {
    let now = Timestamp::default();
    let mut ends =
        [(Role::Initiator, reader, 1), (Role::Responder, writer, 2)].map(|(role, feed, seed)| {
            let secrets = Secrets {
                static_key: [seed; 32],
                ephemeral_key: [seed + 4; 32],
                nonce: [seed; 24],
            };
            let mut end = Replicator::new(role, secrets, Config::default(), now);
            end.open(now, feed);
            end
        });
    loop {
        let mut moved = false;
        for from in [0, 1] {
            let mut bytes = Vec::new();
            while bytes.len() < 64 << 10
                && let Some(more) = ends[from].poll_transmit()
            {
                bytes.extend_from_slice(&more);
            }
            let to = &mut ends[1 - from];
            for chunk in bytes.chunks(64 << 10) {
                to.handle_input(now, chunk).unwrap();
                moved = true;
            }
            to.handle_changes(now).unwrap();
            while let Some(event) = to.poll_event() {
                assert!(!matches!(event, ReplicatorEvent::Closed(_)));
            }
        }
        if !moved {
            return;
        }
    }
}

criterion_group!(benches, download);
criterion_main!(benches);
