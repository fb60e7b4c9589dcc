//! Very many files in one folder, and very many versions: lists are streams, and memory stays flat.
//!
//! `FILES=1000000 cargo xtask fault D5 --release` does it at full size.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::sync::Arc;

use corestore::Corestore;
use futures_lite::future::block_on;
use hypercore_storage::DiskDir;
use hyperdrive::{Attributes, Drive, Options};

fn count(default: u64) -> u64 {
    let files = std::env::var("FILES").ok();
    files.map_or(default, |text| text.parse().expect("FILES is a number"))
}

/// What the process has in memory at most, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() << 10
}

#[track_caller]
fn check_memory() {
    // What the row allows, and what a test program has anyway.
    assert!(peak() <= 72 << 20, "{} MiB", peak() >> 20);
}

async fn drive(dir: &std::path::Path) -> Drive {
    let store = Corestore::open(Arc::new(DiskDir::new(dir)), corestore::Options::new());
    Drive::create(&store.unwrap(), Options::new())
        .await
        .unwrap()
}

#[test]
fn fault_d5_many_files_in_one_folder() {
    block_on(async {
        let files = count(20_000);
        let dir = tempfile::tempdir().unwrap();
        let drive = drive(dir.path()).await;
        let plain = Attributes::new();
        let mut batch = drive.batch().await.unwrap();
        for file in 0..files {
            let content = file.to_string();
            let path = format!("/many/{file}");
            batch.write_file(&path, content, &plain).await.unwrap();
        }
        batch.commit().await.unwrap();
        drop(batch);
        check_memory();
        let (mut listed, mut sum) = (0, 0_u64);
        let mut list = drive.read_dir("/many", false).await.unwrap();
        while let Some(entry) = list.next().await {
            sum += entry.unwrap().name.parse::<u64>().unwrap();
            listed += 1;
        }
        assert_eq!((listed, sum), (files, files * (files - 1) / 2));
        let mut all = drive.read_dir("/", true).await.unwrap();
        let mut listed = 0;
        while let Some(entry) = all.next().await {
            assert!(entry.unwrap().stat.is_file());
            listed += 1;
        }
        assert_eq!(listed, files);
        for file in (0..files).step_by(usize::try_from(files / 1000).unwrap()) {
            let content = drive.read_file(&format!("/many/{file}")).await.unwrap();
            assert_eq!(content, file.to_string());
        }
        assert!(!drive.exists("/many/missing").await.unwrap());
        check_memory();
    });
}

#[test]
fn fault_d5_many_versions() {
    block_on(async {
        let versions = 10_000;
        let dir = tempfile::tempdir().unwrap();
        let drive = drive(dir.path()).await;
        let plain = Attributes::new();
        for version in 0..versions {
            let path = format!("/{}", version % 10);
            let content = version.to_string();
            drive.write_file(&path, content, &plain).await.unwrap();
        }
        assert_eq!(drive.version(), versions + 1);
        let mut history = drive.history("/7");
        let mut changes = 0;
        while let Some(change) = history.next().await {
            change.unwrap();
            changes += 1;
        }
        assert_eq!(changes, versions / 10);
        for version in (11..versions).step_by(997) {
            let then = drive.checkout(version);
            let newest = version - 2;
            let content = then.read_file(&format!("/{}", newest % 10)).await.unwrap();
            assert_eq!(content, newest.to_string());
        }
        check_memory();
    });
}
