//! A very large file: imported, looked at, read at random and from end to end, in flat memory.
//!
//! `LARGE_MIB=8192 cargo xtask fault D5 --release --limit 3600` does it at full size.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Instant;

use corestore::Corestore;
use futures_lite::future::block_on;
use hypercore_storage::DiskDir;
use hyperdrive::mirror::Written;
use hyperdrive::{Drive, Options};

/// What the process has in memory at most, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() << 10
}

/// Far apart, marks that tell where they are; zeros in between, which take no room on the disk.
const STEP: u64 = 100_000;

fn expected(at: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let end = at + len as u64;
    for mark in (at / STEP)..=(end / STEP) {
        for (index, byte) in mark.to_le_bytes().iter().enumerate() {
            let place = mark * STEP + index as u64;
            if (at..end).contains(&place) {
                bytes[usize::try_from(place - at).unwrap()] = *byte;
            }
        }
    }
    bytes
}

#[test]
fn fault_d5_large_file() {
    block_on(async {
        let mib = std::env::var("LARGE_MIB").ok();
        let mib: u64 = mib.map_or(96, |text| text.parse().expect("LARGE_MIB is a number"));
        let size = mib << 20;
        let source = tempfile::tempdir().unwrap();
        let file = File::create(source.path().join("large")).unwrap();
        file.set_len(size).unwrap();
        for mark in 0..size.div_ceil(STEP) {
            let bytes = mark.to_le_bytes();
            let room = usize::try_from((size - mark * STEP).min(8)).unwrap();
            file.write_all_at(&bytes[..room], mark * STEP).unwrap();
        }
        let dir = tempfile::tempdir().unwrap();
        let store = Corestore::open(
            Arc::new(DiskDir::new(dir.path())),
            corestore::Options::new(),
        );
        let drive = Drive::create(&store.unwrap(), Options::new())
            .await
            .unwrap();

        let mut clock = Instant::now();
        let mut told = |what: &str| {
            let took = std::mem::replace(&mut clock, Instant::now()).elapsed();
            let peak = peak() >> 20;
            println!("{what} of {mib} MiB: {took:.2?}, {peak} MiB in memory");
            // What the row allows, and what a test program has anyway.
            assert!(peak <= 72, "{peak} MiB");
        };
        let imported = common::import(source.path(), &drive, &Written::new()).await;
        assert_eq!((imported.files, imported.bytes), (1, size));
        told("import");
        let stat = drive.stat("/large").await.unwrap();
        assert_eq!((stat.size, stat.blocks), (size, size.div_ceil(65_536)));
        let entries = drive.read_dir("/", true).await.unwrap();
        assert_eq!(entries.sorted().await.unwrap().len(), 1);
        told("stat and list");

        let seed = 5_u64;
        println!("seed {seed}");
        let mut state = seed;
        for _ in 0..2000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let at = (state >> 16) % (size - 65_536);
            let read = drive.read("/large", at..at + 65_536).await.unwrap();
            assert!(read.gather().await.unwrap() == expected(at, 65_536), "{at}");
        }
        told("2000 ranges of 64 KiB");
        let mut stream = drive.read("/large", ..).await.unwrap();
        let mut at = 0;
        while let Some(piece) = stream.next().await {
            let piece = piece.unwrap();
            assert!(piece == expected(at, piece.len()), "{at}");
            at += piece.len() as u64;
        }
        assert_eq!(at, size);
        told("stream");
    });
}
