//! Moving, copying and removing, as POSIX has it, each in one append.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use common::drive;
use futures_lite::future::block_on;
use hyperdrive::{Attributes, Drive};

async fn with(paths: &[&str]) -> Drive {
    let drive = drive().await;
    for path in paths {
        let plain = Attributes::new();
        match path.strip_suffix('/') {
            Some(dir) => drop(drive.mkdir(dir, &plain).await.unwrap()),
            None => drop(
                drive
                    .write_file(path, path.to_string(), &plain)
                    .await
                    .unwrap(),
            ),
        }
    }
    drive
}

/// All paths, a slash behind those of directories.
async fn paths(drive: &Drive) -> Vec<String> {
    let entries = drive.read_dir("/", true).await.unwrap();
    let entries = entries.sorted().await.unwrap().into_iter();
    entries
        .map(|entry| {
            format!(
                "{}{}",
                entry.path,
                if entry.stat.is_dir() { "/" } else { "" }
            )
        })
        .collect()
}

async fn errno(drive: &Drive, from: &str, to: &str) -> &'static str {
    let before = (drive.version(), paths(drive).await);
    let error = drive.rename(from, to).await.unwrap_err();
    assert_eq!((drive.version(), paths(drive).await), before);
    error.errno_name().unwrap_or("none")
}

#[test]
fn a_file_takes_the_place_of_another_and_keeps_its_blocks() {
    block_on(async {
        let drive = with(&["/a", "/b", "/deep/c"]).await;
        let stat = drive.stat("/a").await.unwrap();
        let content = drive.content().await.unwrap().length();
        drive.rename("/a", "/b").await.unwrap();
        assert_eq!(paths(&drive).await, ["/b", "/deep/c"]);
        assert_eq!(drive.stat("/b").await.unwrap(), stat);
        assert_eq!(drive.read_file("/b").await.unwrap(), "/a");
        drive.rename("b", "/new/place/b").await.unwrap();
        assert_eq!(paths(&drive).await, ["/deep/c", "/new/place/b"]);
        assert_eq!(drive.content().await.unwrap().length(), content);
    });
}

#[test]
fn a_directory_moves_with_all_that_is_in_it() {
    block_on(async {
        let drive = with(&["/a/x", "/a/b/y", "/a/e/", "/ab", "/empty/"]).await;
        drive.rename("/a", "/empty").await.unwrap();
        assert_eq!(
            paths(&drive).await,
            ["/ab", "/empty/b/y", "/empty/e/", "/empty/x"]
        );
        assert_eq!(drive.read_file("/empty/b/y").await.unwrap(), "/a/b/y");
    });
}

#[test]
fn what_posix_refuses_is_refused_and_changes_nothing() {
    block_on(async {
        let drive = with(&["/file", "/dir/x", "/other/y", "/empty/"]).await;
        for (from, to, expected) in [
            ("/missing", "/new", "ENOENT"),
            ("/file", "/dir", "EISDIR"),
            ("/dir", "/file", "ENOTDIR"),
            ("/dir", "/other", "ENOTEMPTY"),
            ("/dir", "/dir/sub", "EINVAL"),
            ("/file", "/file/below", "ENOTDIR"),
            ("/", "/new", "EINVAL"),
            ("/dir", "/", "ENOTEMPTY"),
            ("/file", "/", "ENOTEMPTY"),
        ] {
            assert_eq!(errno(&drive, from, to).await, expected, "{from} {to}");
        }
        let before = drive.version();
        drive.rename("/dir", "/dir/").await.unwrap();
        assert_eq!(drive.version(), before);
        assert_eq!(errno(&drive.checkout(2), "/file", "/new").await, "EROFS");
    });
}

#[test]
fn a_symlink_is_moved_itself() {
    block_on(async {
        let drive = with(&["/target"]).await;
        drive
            .symlink("target", "/link", &Attributes::new())
            .await
            .unwrap();
        drive.rename("/link", "/moved").await.unwrap();
        assert_eq!(drive.read_link("/moved").await.unwrap(), "target");
        assert_eq!(drive.read_file("/moved").await.unwrap(), "/target");
    });
}

#[test]
fn a_copy_shares_the_blocks_and_is_a_file_of_its_own() {
    block_on(async {
        let drive = with(&["/a", "/dir/x"]).await;
        let content = drive.content().await.unwrap().length();
        drive.copy("/a", "/dir/b").await.unwrap();
        assert_eq!(drive.content().await.unwrap().length(), content);
        assert_eq!(
            drive.stat("/a").await.unwrap(),
            drive.stat("/dir/b").await.unwrap()
        );
        drive
            .write_file("/a", "changed", &Attributes::new())
            .await
            .unwrap();
        assert_eq!(drive.read_file("/dir/b").await.unwrap(), "/a");
        let error = drive.copy("/dir", "/new").await.unwrap_err();
        assert_eq!(error.errno_name(), Some("EISDIR"));
    });
}

#[test]
fn everything_below_a_path_is_removed_and_nothing_beside_it() {
    block_on(async {
        let drive = with(&["/a", "/a1/x", "/a1/y/z", "/a12"]).await;
        drive.remove_all("/a1").await.unwrap();
        assert_eq!(paths(&drive).await, ["/a", "/a12"]);
        drive.remove_all("/a").await.unwrap();
        drive.remove_all("/").await.unwrap();
        assert_eq!(paths(&drive).await, [""; 0]);
        let error = drive.remove_all("/a").await.unwrap_err();
        assert_eq!(error.errno_name(), Some("ENOENT"));
    });
}

#[test]
fn permissions_owner_and_time_are_changed_alone() {
    block_on(async {
        let drive = with(&["/a", "/implied/x"]).await;
        let before = drive.stat("/a").await.unwrap();
        drive.set_mode("/a", 0o100_755).await.unwrap();
        drive.set_owner("/a", 7, 8).await.unwrap();
        drive.set_mtime("/a", 9).await.unwrap();
        let after = drive.stat("/a").await.unwrap();
        assert!(after.is_file());
        assert_eq!(
            (after.permissions(), after.uid, after.gid, after.mtime),
            (0o755, 7, 8, 9)
        );
        assert_eq!(
            (after.offset, after.blocks, after.size),
            (before.offset, before.blocks, before.size)
        );
        drive.set_mode("/implied", 0o700).await.unwrap();
        assert_eq!(drive.stat("/implied").await.unwrap().permissions(), 0o700);
        let error = drive.set_mode("/", 0o700).await.unwrap_err();
        assert_eq!(error.errno_name(), Some("EINVAL"));
    });
}
