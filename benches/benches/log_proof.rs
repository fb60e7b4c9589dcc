//! Proofs: making one for each block of a log, and storing blocks that come with theirs.
//!
//! Both sides do what they do when a log is read in order, without the wire between them.
#![allow(missing_docs, clippy::unwrap_used)]

use benches::data::block;
use benches::place::{Fresh, Place};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hypercore::{Hypercore, Options, Proof, RemoteTree};
use hypercore_crypto::KeyPair;

/// Sizes of blocks in bytes, and how many of them the log has.
const SIZES: [(usize, u64); 3] = [(512, 8 << 10), (16 << 10, 512), (64 << 10, 128)];

/// A proof for every block, for a reader who asks for one after the other.
fn prove(c: &mut Criterion) {
    for place in Place::ALL {
        let mut group = c.benchmark_group(format!("log_proof/prove/{}", place.name()));
        group.sample_size(10);
        let (size, count) = SIZES[0];
        let (log, _fresh) = filled(place, size, count);
        let digests = digests(&log);
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| proofs(&log, &digests));
        });
    }
}

/// Every block with its proof, in order, into an empty copy.
fn put(c: &mut Criterion) {
    for place in Place::ALL {
        let mut group = c.benchmark_group(format!("log_proof/put/{}", place.name()));
        group.sample_size(10);
        for (size, count) in SIZES {
            let (log, _fresh) = filled(Place::Memory, size, count);
            let proofs = proofs(&log, &digests(&log));
            group.throughput(Throughput::Bytes(count * size as u64));
            group.bench_function(BenchmarkId::from_parameter(size), |b| {
                b.iter_batched(
                    || (reader(&log, place), proofs.clone()),
                    |((mut reader, fresh), proofs)| {
                        store(&mut reader, size, proofs);
                        (reader, fresh)
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
}

/// What a reader who stores the blocks in order says of each when it asks: the nodes it holds above.
fn digests(log: &Hypercore) -> Vec<u64> {
    let (mut reader, _fresh) = reader(log, Place::Memory);
    let mut remote = RemoteTree::default();
    (0..log.length())
        .map(|i| {
            let digest = reader.digest(i);
            let proof = log.proof(i, digest, false, &mut remote).unwrap();
            let block = log.get(i).unwrap().expect("it is held");
            reader
                .put(i, Some(&block), proof.expect("it is held"))
                .unwrap();
            digest
        })
        .collect()
}

fn proofs(log: &Hypercore, digests: &[u64]) -> Vec<Proof> {
    let mut remote = RemoteTree::default();
    (0..)
        .zip(digests)
        .map(|(i, digest)| {
            let proof = log.proof(i, *digest, false, &mut remote).unwrap();
            proof.expect("it is held")
        })
        .collect()
}

fn store(reader: &mut Hypercore, size: usize, proofs: Vec<Proof>) {
    for (i, proof) in (0..).zip(proofs) {
        reader.put(i, Some(block(i, size)), proof).unwrap();
    }
    reader.flush().unwrap();
}

fn filled(place: Place, size: usize, count: u64) -> (Hypercore, Fresh) {
    let fresh = place.fresh();
    let options = Options::new().key_pair(KeyPair::from_seed(&[1; 32]));
    let mut log = Hypercore::open(fresh.dir(), options).unwrap();
    for first in (0..count).step_by(64) {
        let batch: Vec<_> = (first..first + 64).map(|i| block(i, size)).collect();
        log.append_batch(&batch).unwrap();
    }
    (log, fresh)
}

fn reader(log: &Hypercore, place: Place) -> (Hypercore, Fresh) {
    let fresh = place.fresh();
    let options = Options::new().key(log.public_key());
    (Hypercore::open(fresh.dir(), options).unwrap(), fresh)
}

criterion_group!(benches, prove, put);
criterion_main!(benches);
