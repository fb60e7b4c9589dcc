//! A drive can be removed from its store, for good.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::sync::Arc;

use common::{copy_in, drive_in, text, write};
use corestore::Corestore;
use futures_lite::future::block_on;
use hypercore_storage::DiskDir;
use hyperdrive::{Attributes, Drive, DriveError, Mount, Options};

/// The bytes in the files of a folder.
fn bytes_in(place: &std::path::Path) -> u64 {
    let sizes = std::fs::read_dir(place).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => bytes_in(&path),
            false => std::fs::metadata(&path).unwrap().len(),
        }
    });
    sizes.sum()
}

#[test]
fn both_logs_are_removed_and_other_drives_stay() {
    block_on(async {
        let place = tempfile::tempdir().unwrap();
        let store = Corestore::open(
            Arc::new(DiskDir::new(place.path())),
            corestore::Options::new(),
        );
        let store = store.unwrap();
        let other = drive_in(&store, "other").await;
        write(&other, "kept", "kept").await;
        let drive = drive_in(&store, "gone").await;
        let mount = Mount::drive(other.key());
        drive
            .mount("/other", mount, &Attributes::new())
            .await
            .unwrap();
        write(&drive, "large", &"x".repeat(1 << 20)).await;
        assert!(bytes_in(place.path()) > 1 << 20);

        let checkout = drive.checkout(2).destroy().await;
        assert!(matches!(checkout, Err(DriveError::Checkout { version: 2 })));
        drive.destroy().await.unwrap();
        drive.read_file("/large").await.unwrap_err();
        let left = bytes_in(place.path());
        assert!(left < 1 << 16, "{left} bytes are left");
        assert_eq!(text(&other, "/kept").await, "kept");

        // The same name gives the same drive, of which nothing is here and which nobody can write.
        let again = drive_in(&store, "gone").await;
        assert_eq!(again.key(), drive.key());
        assert_eq!((again.version(), again.is_writable()), (0, false));
        let written = again.write_file("/a", "b", &Attributes::new()).await;
        assert!(matches!(written, Err(DriveError::NotWritable)));
        let new = drive_in(&store, "new").await;
        write(&new, "a", "b").await;
        assert_ne!(new.key(), drive.key());
    });
}

#[test]
fn a_file_that_is_being_written_is_finished_first() {
    block_on(async {
        let store = common::store();
        let drive = drive_in(&store, "gone").await;
        let mut writer = drive.writer("/a", &Attributes::new()).await.unwrap();
        let mut destroyed = Box::pin(drive.destroy());
        assert!(
            futures_lite::future::poll_once(&mut destroyed)
                .await
                .is_none()
        );
        writer.write("text").await.unwrap();
        writer.finish().await.unwrap();
        destroyed.await.unwrap();
    });
}

#[test]
fn a_copy_of_which_nothing_arrived_is_removed_too() {
    block_on(async {
        let drive = common::drive().await;
        let store = common::store();
        let copy = copy_in(&store, &drive).await;
        copy.destroy().await.unwrap();
        assert_eq!(store.list().count(), 0);
        let again = Drive::open(&store, &drive.key(), Options::new()).await;
        assert_eq!(again.unwrap().version(), 0);
    });
}
