//! A drive: writing files one by one and in a batch, reading them, listing them.
//!
//! A file written alone is two signed appends; its content is durable before its entry is written.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use benches::data::{Positions, block};
use benches::place::{Fresh, Place};
use corestore::Corestore;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_lite::future::block_on;
use hyperdrive::{Attributes, Drive, Options};

/// Sizes of small files in bytes: one block each.
const SIZES: [usize; 3] = [512, 16 << 10, 64 << 10];

/// Sizes of the blocks of one large file.
const BLOCK_SIZES: [usize; 3] = SIZES;

/// Bytes in a large file.
const LARGE: usize = 8 << 20;

/// Small files in a drive.
const FILES: u64 = 1000;

/// Files one by one, each complete before the next.
fn write_file(c: &mut Criterion) {
    const COUNT: u64 = 20;
    each_place(
        c,
        "write_file",
        &SIZES,
        |size| COUNT * size as u64,
        |b, place, size| {
            b.iter_batched(
                || empty(place, Options::new()),
                |made| {
                    for i in 0..COUNT {
                        let content = block(i, size);
                        block_on(made.drive.write_file(&path(i), content, &Attributes::new()))
                            .unwrap();
                    }
                    made
                },
                BatchSize::PerIteration,
            );
        },
    );
}

/// Files in a batch, as a folder is imported.
fn batch(c: &mut Criterion) {
    each_place(
        c,
        "batch",
        &SIZES,
        |size| FILES * size as u64,
        |b, place, size| {
            b.iter_batched(
                || empty(place, Options::new()),
                |made| {
                    fill(&made.drive, size);
                    made
                },
                BatchSize::PerIteration,
            );
        },
    );
}

/// One large file, in blocks of each size.
fn write_large(c: &mut Criterion) {
    each_place(
        c,
        "write_large",
        &BLOCK_SIZES,
        |_| LARGE as u64,
        |b, place, size| {
            b.iter_batched(
                || empty(place, Options::new().block_size(size)),
                |made| {
                    let content = block(0, LARGE);
                    block_on(made.drive.write_file("/large", content, &Attributes::new())).unwrap();
                    made
                },
                BatchSize::PerIteration,
            );
        },
    );
}

/// Small files at random, whole.
fn read_file(c: &mut Criterion) {
    each_place(
        c,
        "read_file",
        &SIZES,
        |size| size as u64,
        |b, place, size| {
            let Made { drive, .. } = &empty(place, Options::new());
            fill(drive, size);
            let mut at = Positions::new(3);
            b.iter(|| black_box(block_on(drive.read_file(&path(at.below(FILES)))).unwrap()));
        },
    );
}

/// 64 KiB anywhere in a large file of blocks of each size.
fn read_range(c: &mut Criterion) {
    const RANGE: u64 = 64 << 10;
    each_place(
        c,
        "read_range",
        &BLOCK_SIZES,
        |_| RANGE,
        |b, place, size| {
            let Made { drive, .. } = &empty(place, Options::new().block_size(size));
            block_on(drive.write_file("/large", block(0, LARGE), &Attributes::new())).unwrap();
            let mut at = Positions::new(3);
            b.iter(|| {
                let start = at.below(LARGE as u64 - RANGE);
                let read = block_on(async {
                    drive
                        .read("/large", start..start + RANGE)
                        .await
                        .unwrap()
                        .gather()
                        .await
                });
                black_box(read.unwrap())
            });
        },
    );
}

/// All names of a folder of a thousand, in order.
fn list(c: &mut Criterion) {
    let mut group = c.benchmark_group("drive/list");
    group.throughput(Throughput::Elements(FILES));
    for place in Place::ALL {
        let Made { drive, .. } = &empty(place, Options::new());
        fill(drive, 512);
        group.bench_function(place.name(), |b| {
            b.iter(|| {
                let names = block_on(async {
                    drive
                        .read_dir("/folder", false)
                        .await
                        .unwrap()
                        .sorted()
                        .await
                });
                assert_eq!(names.unwrap().len() as u64, FILES);
            });
        });
    }
}

fn each_place(
    c: &mut Criterion,
    what: &str,
    sizes: &[usize],
    bytes: fn(usize) -> u64,
    work: fn(&mut criterion::Bencher<'_>, Place, usize),
) {
    for place in Place::ALL {
        let mut group = c.benchmark_group(format!("drive/{what}/{}", place.name()));
        group.sample_size(10);
        for size in sizes.iter().copied() {
            group.throughput(Throughput::Bytes(bytes(size)));
            group.bench_function(BenchmarkId::from_parameter(size), |b| work(b, place, size));
        }
    }
}

/// A drive, and what has to live as long.
struct Made {
    drive: Drive,
    _store: Corestore,
    _fresh: Fresh,
}

fn empty(place: Place, options: Options) -> Made {
    let fresh = place.fresh();
    let store = Corestore::open(fresh.dir(), corestore::Options::new()).unwrap();
    Made {
        drive: block_on(Drive::create(&store, options)).unwrap(),
        _store: store,
        _fresh: fresh,
    }
}

/// A thousand files in one folder.
fn fill(drive: &Drive, size: usize) {
    block_on(async {
        let mut batch = drive.batch().await.unwrap();
        for i in 0..FILES {
            let content = block(i, size);
            batch
                .write_file(&path(i), content, &Attributes::new())
                .await
                .unwrap();
        }
        batch.commit().await.unwrap();
    });
}

fn path(i: u64) -> String {
    format!("/folder/{i:04}")
}

criterion_group!(
    benches,
    write_file,
    batch,
    write_large,
    read_file,
    read_range,
    list
);
criterion_main!(benches);
