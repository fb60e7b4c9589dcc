//! Content that was written and belongs to no file: counted, and its space given back.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::sync::Arc;

use common::drive;
use corestore::Corestore;
use futures_lite::future::block_on;
use hyperdrive::mirror::{Import, ImportOptions, Written};
use hyperdrive::{Attributes, Drive, OpenOptions, Options};
use testkit::{Call, Fault, FaultyDir};

const BLOCK: usize = 65_536;

/// Blocks of files that were given up, how many are here, and their bytes.
async fn orphans(drive: &Drive) -> (u64, u64, u64) {
    let orphans = drive.orphans().await.unwrap();
    (orphans.blocks, orphans.held_blocks, orphans.held_bytes)
}

/// Writes more than is gathered before it is appended, and gives up.
async fn give_up(drive: &Drive) {
    let mut writer = drive.writer("/given up", &Attributes::new()).await.unwrap();
    writer.write(vec![1; 70 * BLOCK]).await.unwrap();
}

#[test]
fn a_writer_that_gives_up_leaves_orphans_and_they_can_be_cleared() {
    block_on(async {
        let drive = drive().await;
        let plain = Attributes::new();
        drive
            .write_file("/a", vec![2; 3 * BLOCK], &plain)
            .await
            .unwrap();
        assert_eq!(orphans(&drive).await, (0, 0, 0));
        give_up(&drive).await;
        drive
            .write_file("/b", vec![3; BLOCK], &plain)
            .await
            .unwrap();
        drive
            .write_file("/b", vec![4; BLOCK], &plain)
            .await
            .unwrap();
        drive.unlink("/a").await.unwrap();
        let bytes = 64 * BLOCK as u64;
        assert_eq!(orphans(&drive).await, (64, 64, bytes));
        let cleared = drive.clear_orphans().await.unwrap();
        assert_eq!((cleared.held_blocks, cleared.held_bytes), (64, bytes));
        assert_eq!(orphans(&drive).await, (64, 0, 0));
        // Every version is as it was.
        assert_eq!(
            drive.checkout(2).read_file("/a").await.unwrap().len(),
            3 * BLOCK
        );
        assert_eq!(drive.checkout(3).read_file("/b").await.unwrap()[0], 3);
        assert_eq!(drive.read_file("/b").await.unwrap()[0], 4);
    });
}

#[test]
fn a_file_that_is_open_and_nowhere_is_no_orphan() {
    block_on(async {
        let drive = drive().await;
        let options = OpenOptions::new().read(true).write(true).create(true);
        let mut file = drive.open_file("/a", options).await.unwrap();
        drive.unlink("/a").await.unwrap();
        file.write(&[7; 100]).await.unwrap();
        file.flush().await.unwrap();
        drive.clear_orphans().await.unwrap();
        assert_eq!(file.read_at(0, 200).await.unwrap()[..], [7; 100]);
        drop(file);
        assert_eq!(orphans(&drive).await, (1, 1, 100));
    });
}

#[test]
fn fault_d4_an_import_that_fills_the_disk_leaves_orphans_that_are_counted() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        for name in 0..30 {
            let content = vec![name; 5 * BLOCK];
            std::fs::write(folder.path().join(format!("{name}")), content).unwrap();
        }
        let dir = FaultyDir::new();
        let store = Corestore::open(Arc::new(dir.clone()), corestore::Options::new()).unwrap();
        let drive = Drive::create(&store, Options::new()).await.unwrap();
        let options = ImportOptions::new();
        let plan = || Import::plan(folder.path(), &drive, Written::new(), &options);
        let full = Fault::new(std::io::ErrorKind::StorageFull);
        dir.inject(full.on(&[Call::Write]).after(5));
        assert!(plan().await.unwrap().run(|_| {}).await.is_err());
        dir.heal();
        let (blocks, held, bytes) = orphans(&drive).await;
        assert_eq!((held, bytes), (blocks, blocks * BLOCK as u64));
        assert!(blocks > 0);
        // With room again, nothing of it is in the way.
        plan().await.unwrap().run(|_| {}).await.unwrap();
        assert_eq!(orphans(&drive).await.0, blocks);
        drive.clear_orphans().await.unwrap();
        for name in 0..30_u8 {
            let content = drive.read_file(&name.to_string()).await.unwrap();
            assert_eq!(content, vec![name; 5 * BLOCK]);
        }
    });
}
