//! Fetching files ahead of reading them, and saying how much of them is here.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::pin::pin;
use std::task::{Context, Waker};

use common::link::{run, settle};
use common::{connect, copy_of, drive};
use futures_lite::future::block_on;
use futures_lite::{FutureExt, StreamExt};
use hyperdrive::{Attributes, Drive, FileStats};

/// Three files of 100, 100 and 3 blocks, and a symlink to the folder of the first two.
async fn author() -> Drive {
    let drive = drive().await;
    let plain = Attributes::new();
    for (path, blocks) in [("/a/x", 100), ("/a/y", 100), ("/b/z", 3)] {
        let content = vec![path.as_bytes()[3]; blocks << 16];
        drive.write_file(path, content, &plain).await.unwrap();
    }
    drive.symlink("/a", "/b/link", &plain).await.unwrap();
    drive
}

fn here(stats: FileStats) -> u64 {
    stats.downloaded_blocks
}

#[test]
fn a_file_a_folder_or_everything_is_fetched_and_progress_told() {
    let drive = block_on(author());
    for (path, files, blocks) in [
        ("/b/z", 1, 3),
        ("/a", 2, 200),
        ("/b/link", 2, 200),
        ("/b", 1, 3),
        ("/", 3, 203),
    ] {
        let copy = block_on(copy_of(&drive));
        let mut links = connect(&drive, &copy);
        let [paths, content] = &mut links;
        let mut download = copy.download(path);
        assert_eq!(download.progress().blocks_total, 0);
        let done = run(&mut [paths, content], &mut download).unwrap().unwrap();
        assert_eq!(done, download.progress(), "{path}");
        assert_eq!((done.files, done.blocks_total), (files, blocks), "{path}");
        assert_eq!((done.blocks, done.bytes), (blocks, blocks << 16), "{path}");
        assert!(done.listed);
        assert_eq!(copy.content_now().unwrap().downloaded(0..203), blocks);
    }
}

#[test]
fn progress_is_told_on_the_way() {
    let drive = block_on(author());
    let copy = block_on(copy_of(&drive));
    let mut paths_and_content = connect(&drive, &copy);
    let [_, content] = &mut paths_and_content;
    let mut download = copy.download("/a");
    let mut cx = Context::from_waker(Waker::noop());
    assert!(download.poll(&mut cx).is_pending());
    let begun = download.progress();
    assert_eq!((begun.blocks, begun.blocks_total), (0, 200));
    settle(&mut [content]);
    assert_eq!(download.progress().blocks, 200);
    assert!(download.poll(&mut cx).is_ready());
}

#[test]
fn dropping_the_handle_takes_back_what_was_asked_for() {
    let drive = block_on(author());
    let copy = block_on(copy_of(&drive));
    let mut links = connect(&drive, &copy);
    let [_, content] = &mut links;
    let mut download = copy.download("/");
    assert!(
        download
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    drop(download);
    settle(&mut [content]);
    assert_eq!(copy.content_now().unwrap().downloaded(0..203), 0);
}

#[test]
fn what_is_missing_is_an_error() {
    block_on(async {
        let drive = author().await;
        let error = drive.download("/nothing").await.unwrap_err();
        assert_eq!(error.errno_name(), Some("ENOENT"));
    });
}

#[test]
fn of_each_file_it_is_known_how_much_is_here() {
    let drive = block_on(author());
    let copy = block_on(copy_of(&drive));
    let mut links = connect(&drive, &copy);
    let [paths, content] = &mut links;
    let links = &mut [paths, content];
    let stats = run(links, copy.file_stats("/a/x")).unwrap().unwrap();
    assert_eq!((stats.size, stats.blocks, here(stats)), (100 << 16, 100, 0));

    let mut stream = run(links, copy.read("/a/x", 5 << 16..6 << 16))
        .unwrap()
        .unwrap();
    run(links, stream.next()).unwrap().unwrap().unwrap();
    let stats = run(links, copy.file_stats("/a/x")).unwrap().unwrap();
    assert_eq!(here(stats), 1);

    let stats = run(links, copy.stats("/b")).unwrap().unwrap();
    let mut stats: Vec<_> = run(links, stats.collect()).unwrap();
    run(links, copy.download("/a")).unwrap().unwrap();
    let all = run(links, copy.stats("/")).unwrap().unwrap();
    stats.extend(run(links, all.collect::<Vec<_>>()).unwrap());
    let mut stats: Vec<_> = stats.into_iter().map(Result::unwrap).collect();
    stats.sort_by(|a, b| a.0.cmp(&b.0));
    let told = stats
        .iter()
        .map(|(path, stats)| (path.as_str(), here(*stats)));
    let told: Vec<_> = told.collect();
    assert_eq!(
        told,
        [("/a/x", 100), ("/a/y", 100), ("/b/z", 0), ("/b/z", 0)]
    );
    let error = block_on(drive.file_stats("/a")).unwrap_err();
    assert_eq!(error.errno_name(), Some("EISDIR"));
}

#[test]
fn a_file_beyond_the_log_keeps_nothing_else_back() {
    let drive = block_on(author());
    let mut far = block_on(drive.stat("/b/z")).unwrap();
    far.offset = 1 << 40;
    block_on(common::put_raw(&drive, "a/far", &far));
    let copy = block_on(copy_of(&drive));
    let mut links = connect(&drive, &copy);
    let [paths, content] = &mut links;
    let mut download = pin!(copy.download("/"));
    let ended = run(&mut [paths, content], download.as_mut());
    assert!(ended.is_none());
    let told = download.progress();
    assert_eq!((told.files, told.blocks_total, told.blocks), (4, 206, 203));
    assert!(told.listed);
}
