//! What writing to an open file costs, what its handles see, and where it ends.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::io::SeekFrom;

use common::link::{run, settle};
use common::{connect, copy_of, drive};
use futures_lite::future::block_on;
use hyperdrive::{Attributes, Drive, DriveError, File, OpenOptions};

const BLOCK: u64 = 65_536;

async fn open(drive: &Drive, path: &str, mode: &str) -> File {
    let options = OpenOptions::parse(mode).unwrap();
    drive.open_file(path, options).await.unwrap()
}

/// A drive with a file of so many bytes.
async fn with(path: &str, size: u64) -> Drive {
    let drive = drive().await;
    let content = vec![1; usize::try_from(size).unwrap()];
    drive
        .write_file(path, content, &Attributes::new())
        .await
        .unwrap();
    drive
}

/// Blocks and bytes of the content log.
fn content(drive: &Drive) -> (u64, u64) {
    let content = drive.content_now().unwrap();
    (content.length(), content.byte_length())
}

/// What an operation adds to the content log.
async fn cost(drive: &Drive, operation: impl AsyncFnOnce()) -> (u64, u64) {
    let before = content(drive);
    operation().await;
    let after = content(drive);
    (after.0 - before.0, after.1 - before.1)
}

#[test]
fn appending_to_the_file_that_ends_the_log_copies_nothing() {
    block_on(async {
        let drive = with("/a", 10 * BLOCK).await;
        for _ in 0..3 {
            let cost = cost(&drive, async || {
                let mut file = open(&drive, "/a", "a").await;
                file.write(b"more").await.unwrap();
                file.close().await.unwrap();
            });
            assert_eq!(cost.await, (1, 4));
        }
        let stat = drive.stat("/a").await.unwrap();
        assert_eq!((stat.size, stat.blocks), (10 * BLOCK + 12, 13));
        let end = drive.read("/a", 10 * BLOCK - 1..).await.unwrap();
        assert_eq!(end.gather().await.unwrap(), "\u{1}moremoremore");

        // When another file has come behind it, it is copied once, and ends the log again.
        drive
            .write_file("/b", "b", &Attributes::new())
            .await
            .unwrap();
        let mut file = open(&drive, "/a", "a").await;
        let whole = cost(&drive, async || {
            file.write(b"!").await.unwrap();
            file.flush().await.unwrap();
        });
        assert_eq!(whole.await, (11, 10 * BLOCK + 13));
        let more = cost(&drive, async || {
            file.write(b"!").await.unwrap();
            file.flush().await.unwrap();
        });
        assert_eq!(more.await, (1, 1));
    });
}

#[test]
fn many_writes_are_flushed_as_one_version_of_the_fewest_blocks() {
    block_on(async {
        let drive = with("/a", 3 * BLOCK).await;
        let version = drive.version();
        let cost = cost(&drive, async || {
            let mut file = open(&drive, "/a", "r+").await;
            for at in 0..1000 {
                file.write_at(at * 150, &[2; 7]).await.unwrap();
            }
            assert_eq!(
                file.read_at(149, 9).await.unwrap()[..],
                [1, 2, 2, 2, 2, 2, 2, 2, 1]
            );
            file.close().await.unwrap();
        });
        assert_eq!(cost.await, (3, 3 * BLOCK));
        assert_eq!(drive.version(), version + 1);
        let mut file = open(&drive, "/a", "r").await;
        let same = cost2(&drive, file.read(10)).await;
        assert_eq!(same, (0, 0));
        // Nothing written, nothing flushed.
        open(&drive, "/a", "r+").await.close().await.unwrap();
        assert_eq!(drive.version(), version + 1);
    });
}

async fn cost2<T>(drive: &Drive, operation: impl Future<Output = T>) -> (u64, u64) {
    cost(drive, async || drop(operation.await)).await
}

#[test]
fn a_file_is_cut_at_the_end_of_a_block_without_a_copy() {
    block_on(async {
        let drive = with("/a", 3 * BLOCK + 5).await;
        for (size, blocks, cost) in [
            (3 * BLOCK, 3, (0, 0)),
            (BLOCK, 1, (0, 0)),
            (BLOCK - 1, 1, (1, BLOCK - 1)),
            (0, 0, (0, 0)),
            (BLOCK + 1, 2, (2, BLOCK + 1)),
        ] {
            let version = drive.version();
            assert_eq!(
                cost2(&drive, drive.truncate("/a", size)).await,
                cost,
                "{size}"
            );
            let stat = drive.stat("/a").await.unwrap();
            assert_eq!((stat.size, stat.blocks), (size, blocks));
            assert_eq!(drive.read_file("/a").await.unwrap().len() as u64, size);
            assert_eq!(drive.version(), version + 1);
        }
        assert!(
            drive
                .read_file("/a")
                .await
                .unwrap()
                .iter()
                .all(|byte| *byte == 0)
        );
        let error = drive.truncate("/missing", 1).await.unwrap_err();
        assert_eq!(error.errno_name(), Some("ENOENT"));
    });
}

#[test]
fn opening_makes_and_empties_files_at_once() {
    block_on(async {
        let drive = with("/a", 9).await;
        let file = open(&drive, "/a", "w").await;
        assert_eq!(drive.stat("/a").await.unwrap().size, 0);
        drop(file);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600);
        let file = drive.open_file("/new", made).await.unwrap();
        assert_eq!(drive.stat("/new").await.unwrap().permissions(), 0o600);
        let error = drive.open_file("/new", made).await.unwrap_err();
        assert_eq!(error.errno_name(), Some("EEXIST"));
        drop(file);
        let plain = Attributes::new();
        drive.symlink("target", "/link", &plain).await.unwrap();
        let error = drive.open_file("/link", made).await.unwrap_err();
        assert_eq!(error.errno_name(), Some("EEXIST"));
        open(&drive, "/link", "a").await.close().await.unwrap();
        assert!(drive.lstat("/target").await.unwrap().is_file());
    });
}

#[test]
fn handles_see_each_others_writes_and_others_see_what_is_flushed() {
    block_on(async {
        let drive = with("/a", 4).await;
        let mut writer = open(&drive, "/a", "r+").await;
        let mut reader = open(&drive, "/a", "r").await;
        writer.write(b"new and longer").await.unwrap();
        assert_eq!(reader.read(100).await.unwrap(), "new and longer");
        assert_eq!((reader.len().await, writer.stat().await.size), (14, 14));
        assert_eq!(drive.read_file("/a").await.unwrap()[..], [1; 4]);
        writer.flush().await.unwrap();
        assert_eq!(drive.read_file("/a").await.unwrap(), "new and longer");
        let old = drive.checkout(2);
        let mut old = open(&old, "/a", "r").await;
        assert_eq!(old.read(9).await.unwrap()[..], [1; 4]);
    });
}

#[test]
fn a_file_is_followed_when_it_is_renamed_and_kept_when_it_is_removed() {
    block_on(async {
        let drive = with("/dir/a", 4).await;
        let mut file = open(&drive, "/dir/a", "a+").await;
        drive.set_mode("/dir/a", 0o600).await.unwrap();
        drive.rename("/dir/a", "/dir/b").await.unwrap();
        drive.rename("/dir", "/moved").await.unwrap();
        file.write(b"!").await.unwrap();
        file.flush().await.unwrap();
        let stat = drive.stat("/moved/b").await.unwrap();
        assert_eq!((stat.size, stat.permissions()), (5, 0o600));
        drive.remove_all("/moved").await.unwrap();
        file.write(b"?").await.unwrap();
        file.flush().await.unwrap();
        assert_eq!(file.read_at(0, 9).await.unwrap(), "\u{1}\u{1}\u{1}\u{1}!?");
        assert!(!drive.exists("/moved").await.unwrap());
    });
}

#[test]
fn another_file_in_its_place_is_not_overwritten() {
    block_on(async {
        let drive = with("/a", 4).await;
        let mut file = open(&drive, "/a", "r+").await;
        file.write(b"mine").await.unwrap();
        drive
            .write_file("/a", "theirs", &Attributes::new())
            .await
            .unwrap();
        let error = file.flush().await.unwrap_err();
        assert!(matches!(&error, DriveError::Stale { path } if path == "/a"));
        assert_eq!(error.errno_name(), Some("ESTALE"));
        assert_eq!(drive.read_file("/a").await.unwrap(), "theirs");
        let mut again = open(&drive, "/a", "r").await;
        assert_eq!(again.read(9).await.unwrap(), "theirs");
    });
}

#[test]
fn what_a_handle_was_not_opened_for_is_refused() {
    block_on(async {
        let drive = with("/a", 4).await;
        let mut reader = open(&drive, "/a", "r").await;
        let mut writer = open(&drive, "/a", "r+").await;
        let mut only_writes = open(&drive, "/a", "a").await;
        let errors = [
            reader.write(b"x").await.unwrap_err(),
            reader.write_at(0, b"x").await.unwrap_err(),
            reader.set_len(0).await.unwrap_err(),
            only_writes.read(1).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.errno_name(), Some("EBADF"), "{error}");
        }
        let error = writer.seek(SeekFrom::Current(-1)).await.unwrap_err();
        assert_eq!(error.errno_name(), Some("EINVAL"));
        let old = drive.checkout(drive.version());
        for (drive, mode, name) in [
            (&old, "r+", "EROFS"),
            (&old, "w", "EROFS"),
            (&drive, "", ""),
        ] {
            let options = OpenOptions::parse(mode).unwrap_or_default();
            let error = drive.open_file("/a", options).await.unwrap_err();
            let expected = if name.is_empty() { "EINVAL" } else { name };
            assert_eq!(error.errno_name(), Some(expected));
        }
        drive.mkdir("/dir", &Attributes::new()).await.unwrap();
        for mode in ["r", "r+", "w", "a"] {
            let options = OpenOptions::parse(mode).unwrap();
            let error = drive.open_file("/dir", options).await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::IsADirectory);
        }
    });
}

#[test]
fn a_file_grows_up_to_its_limits() {
    block_on(async {
        let drive = with("/a", 1).await;
        let mut file = open(&drive, "/a", "r+").await;
        let hole = Drive::MAX_HOLE_BYTES;
        file.set_len(1 + hole).await.unwrap();
        file.set_len(1).await.unwrap();
        for error in [
            file.set_len(2 + hole).await.unwrap_err(),
            file.write_at(2 + hole, b"x").await.unwrap_err(),
            file.write_at(u64::MAX, b"x").await.unwrap_err(),
        ] {
            assert_eq!(error.errno_name(), Some("EFBIG"), "{error}");
        }
        file.write_at(1 + hole, b"x").await.unwrap();
        file.set_len(1).await.unwrap();
        // A write of nothing beyond the end is no growth.
        file.write_at(u64::MAX, b"").await.unwrap();
        file.close().await.unwrap();
        assert_eq!(drive.stat("/a").await.unwrap().size, 1);
    });
}

#[test]
fn more_than_an_open_file_holds_is_flushed_on_the_way() {
    block_on(async {
        let drive = drive().await;
        let mut file = open(&drive, "/a", "w+").await;
        let mib = vec![5; 1 << 20];
        for _ in 0..32 {
            file.write(&mib).await.unwrap();
        }
        assert_eq!(drive.stat("/a").await.unwrap().size, 0);
        file.write(&mib).await.unwrap();
        assert_eq!(drive.stat("/a").await.unwrap().size, 32 << 20);
        let rest = cost2(&drive, file.flush()).await;
        assert_eq!(rest, (16, 1 << 20), "what was flushed is not copied");
        assert_eq!(file.read_at(32 << 20, 2 << 20).await.unwrap(), mib);
    });
}

#[test]
fn what_is_fetched_ahead_is_given_up_by_going_elsewhere() {
    let drive = block_on(with("/a", 600 * BLOCK));
    let copy = block_on(copy_of(&drive));
    let mut links = connect(&drive, &copy);
    let [paths, content] = &mut links;
    let links = &mut [paths, content];
    let held = || copy.content_now().unwrap().downloaded(0..600);
    let mut file = run(links, open(&copy, "/a", "r")).unwrap();

    // Elsewhere than at the start only what is asked for.
    let read = run(links, file.read_at(300 * BLOCK + 5, 10)).unwrap();
    assert_eq!(read.unwrap().len(), 10);
    assert_eq!(held(), 1);
    settle(links);
    assert_eq!(held(), 1);
    // Going on from there fetches ahead.
    let read = run(links, file.read_at(300 * BLOCK + 15, 10)).unwrap();
    assert_eq!(read.unwrap().len(), 10);
    settle(links);
    let ahead = held();
    assert!((10..=20).contains(&ahead), "{ahead}");
    // So does the start, until the handle goes elsewhere.
    assert_eq!(run(links, file.read(10)).unwrap().unwrap().len(), 10);
    let begun = held();
    let read = run(links, file.read_at(599 * BLOCK, 10)).unwrap();
    assert_eq!(read.unwrap().len(), 10);
    let given_up = held();
    settle(links);
    assert_eq!(held(), given_up);
    assert!(given_up <= begun + 20, "{given_up} after {begun}");
}
