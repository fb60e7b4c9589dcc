//! Giving back the space of content, and of nothing that somebody else has too.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use common::link::run;
use common::{connect, connect_sparsely, copy_of, drive};
use futures_lite::future::{block_on, poll_once};
use hyperdrive::{Attributes, ClearOptions, Cleared, Drive};

/// Writes a file of so many blocks.
async fn write(drive: &Drive, path: &str, blocks: usize) {
    let content = vec![u8::try_from(path.len()).unwrap(); blocks << 16];
    drive
        .write_file(path, content, &Attributes::new())
        .await
        .unwrap();
}

/// A copy that has everything.
fn full_copy(drive: &Drive) -> Drive {
    let copy = block_on(copy_of(drive));
    let mut links = connect(drive, &copy);
    let [paths, content] = &mut links;
    run(&mut [paths, content], copy.download("/"))
        .unwrap()
        .unwrap();
    let content = copy.content_now().unwrap();
    assert!(content.length() > 0);
    copy
}

fn clear(drive: &Drive, path: &str) -> Cleared {
    block_on(drive.clear(path, ClearOptions::new())).unwrap()
}

#[track_caller]
fn check(cleared: Cleared, blocks: u64, kept: u64) {
    let told = (
        cleared.blocks,
        cleared.bytes,
        cleared.kept_blocks,
        cleared.kept_bytes,
    );
    assert_eq!(told, (blocks, blocks << 16, kept, kept << 16));
}

#[test]
fn files_and_folders_are_freed_and_can_be_fetched_again() {
    block_on(async {
        let drive = drive().await;
        for (path, blocks) in [("/a/x", 3), ("/a/y", 2), ("/ab", 1), ("/c", 4)] {
            write(&drive, path, blocks).await;
        }
        let copy = full_copy(&drive);
        check(clear(&copy, "/c"), 4, 0);
        check(clear(&copy, "/c"), 0, 0);
        check(clear(&copy, "/a"), 5, 0);
        assert_eq!(copy.file_stats("/ab").await.unwrap().downloaded_blocks, 1);
        let mut links = connect(&drive, &copy);
        let [paths, content] = &mut links;
        let read = run(&mut [paths, content], copy.read_file("/a/x")).unwrap();
        assert_eq!(read.unwrap(), drive.read_file("/a/x").await.unwrap());
        check(clear(&copy, "/"), 4, 0);
        let error = copy
            .clear("/nothing", ClearOptions::new())
            .await
            .unwrap_err();
        assert_eq!(error.errno_name(), Some("ENOENT"));
    });
}

#[test]
fn what_is_written_here_is_cleared_by_force_only() {
    block_on(async {
        let drive = drive().await;
        write(&drive, "/a", 2).await;
        let error = drive.clear("/a", ClearOptions::new()).await.unwrap_err();
        assert_eq!(error.errno_name(), Some("EPERM"));
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        assert_eq!(drive.file_stats("/a").await.unwrap().downloaded_blocks, 2);
        let force = ClearOptions::new().own(true);
        check(drive.clear("/a", force).await.unwrap(), 2, 0);
        assert_eq!(drive.file_stats("/a").await.unwrap().downloaded_blocks, 0);
    });
}

#[test]
fn runs_of_other_entries_are_kept() {
    block_on(async {
        let drive = drive().await;
        write(&drive, "/a/x", 3).await;
        write(&drive, "/a/y", 2).await;
        drive.copy("/a/x", "/elsewhere").await.unwrap();
        drive.copy("/a/y", "/a/twin").await.unwrap();
        let copy = full_copy(&drive);
        check(clear(&copy, "/elsewhere"), 0, 3);
        // Both that have the blocks of `y` are below the path.
        check(clear(&copy, "/a"), 2, 3);
        assert_eq!(copy.read_file("/elsewhere").await.unwrap().len(), 3 << 16);
    });
}

#[test]
fn an_entry_that_is_gone_or_has_moved_keeps_nothing() {
    block_on(async {
        let drive = drive().await;
        write(&drive, "/a", 3).await;
        write(&drive, "/b", 2).await;
        drive.rename("/a", "/moved").await.unwrap();
        drive.copy("/b", "/gone").await.unwrap();
        drive.unlink("/gone").await.unwrap();
        let copy = full_copy(&drive);
        check(clear(&copy, "/moved"), 3, 0);
        check(clear(&copy, "/b"), 2, 0);
    });
}

#[test]
fn blocks_of_tagged_versions_are_kept_and_of_others_left_alone() {
    block_on(async {
        let drive = drive().await;
        write(&drive, "/a", 1).await;
        write(&drive, "/a", 2).await;
        write(&drive, "/b", 3).await;
        drive.create_tag("first", None).await.unwrap();
        drive.create_tag("gone", None).await.unwrap();
        write(&drive, "/b", 4).await;
        write(&drive, "/late", 5).await;
        drive.create_tag("gone", None).await.unwrap();
        drive.delete_tag("gone").await.unwrap();
        let copy = full_copy(&drive);
        check(clear(&copy, "/late"), 5, 0);
        check(clear(&copy, "/b"), 4, 0);
        check(clear(&copy, "/a"), 0, 2);
        let all = ClearOptions::new().tagged(true);
        check(copy.clear("/a", all).await.unwrap(), 2, 0);
    });
}

#[test]
fn an_older_version_gives_back_what_the_newest_has_not() {
    block_on(async {
        let drive = drive().await;
        write(&drive, "/a", 2).await;
        write(&drive, "/b", 3).await;
        let version = drive.version();
        write(&drive, "/b", 4).await;
        let force = ClearOptions::new().own(true);
        let old = drive.checkout(version);
        check(old.clear("/", force).await.unwrap(), 3, 2);
        assert_eq!(drive.read_file("/a").await.unwrap().len(), 2 << 16);
        assert_eq!(drive.read_file("/b").await.unwrap().len(), 4 << 16);
    });
}

#[test]
fn nobody_is_asked_for_entries_that_are_not_here() {
    let drive = block_on(drive());
    for name in 0..50 {
        block_on(write(&drive, &format!("/many/{name}"), 1));
    }
    let copy = block_on(copy_of(&drive));
    let mut links = connect_sparsely(&drive, &copy);
    let [paths, content] = &mut links;
    let download = run(&mut [paths, content], copy.download("/many/7"));
    assert_eq!(download.unwrap().unwrap().blocks, 1);
    drop(links);
    assert!(copy.metadata().downloaded(0..51) < 40);
    let clearing = copy.clear("/many/7", ClearOptions::new());
    let cleared = block_on(poll_once(clearing)).expect("it waits for nobody");
    check(cleared.unwrap(), 1, 0);
}
