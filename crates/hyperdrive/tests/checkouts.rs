//! A version is for looking at: nothing is written through it.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use common::{drive, listing, text};
use futures_lite::future::block_on;
use hyperdrive::{Attributes, DriveError, Mount};

#[test]
fn fault_d3_every_write_through_a_checkout_is_refused_and_drops_nothing() {
    block_on(async {
        let drive = drive().await;
        let plain = Attributes::new();
        drive.write_file("/a", "1", &plain).await.unwrap();
        drive.mkdir("/dir", &plain).await.unwrap();
        let version = drive.version();
        drive.write_file("/a", "2", &plain).await.unwrap();
        drive.write_file("/later", "x", &plain).await.unwrap();
        let (before, content) = (drive.version(), drive.content().await.unwrap().length());

        let then = drive.checkout(version);
        assert!(!then.is_writable());
        let refused = [
            then.write_file("/a", "3", &plain).await.map(drop),
            then.writer("/a", &plain).await.map(drop),
            then.batch().await.map(drop),
            then.mkdir("/new", &plain).await.map(drop),
            then.symlink("a", "/link", &plain).await.map(drop),
            then.unlink("/a").await,
            then.rmdir("/dir").await,
            then.remove_all("/").await,
            then.rename("/a", "/b").await,
            then.copy("/a", "/b").await,
            then.set_mode("/a", 0o600).await,
            then.set_owner("/a", 1, 1).await,
            then.set_mtime("/a", 1).await,
            then.set_metadata("/a", "k", None).await.map(drop),
            then.mount("/m", Mount::drive(drive.key()), &plain)
                .await
                .map(drop),
            then.unmount("/a").await,
            then.create_tag("t", None).await.map(drop),
            then.delete_tag("t").await.map(drop),
            then.revert(1).await.map(drop),
        ];
        for refused in refused {
            let error = refused.unwrap_err();
            assert!(
                matches!(error, DriveError::Checkout { version: at } if at == version),
                "{error:?}"
            );
            assert_eq!(error.errno_name(), Some("EROFS"));
        }
        assert_eq!(
            (drive.version(), drive.content().await.unwrap().length()),
            (before, content)
        );
        assert_eq!(listing(&drive).await, ["/a", "/dir", "/later"]);
        assert_eq!(listing(&then).await, ["/a", "/dir"]);
        assert_eq!(text(&then, "/a").await, "1");
        // The way that is meant: a new version that looks like the old one.
        drive.revert(version).await.unwrap();
        assert_eq!(listing(&drive).await, ["/a", "/dir"]);
        assert_eq!(text(&drive.checkout(before), "/a").await, "2");
    });
}

#[test]
fn a_deleted_file_is_read_through_a_checkout() {
    block_on(async {
        let drive = drive().await;
        drive
            .write_file("/a", "old", &Attributes::new())
            .await
            .unwrap();
        let version = drive.version();
        drive.unlink("/a").await.unwrap();
        let gone = drive.read_file("/a").await.unwrap_err();
        assert_eq!(gone.errno_name(), Some("ENOENT"));
        assert_eq!(text(&drive.checkout(version), "/a").await, "old");
    });
}
