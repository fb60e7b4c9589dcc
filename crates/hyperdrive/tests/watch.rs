//! Changes are told of as they come, with what was there before and what is there now.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::future::Future;
use std::pin::pin;

use bytes::Bytes;
use common::{connect, copy_of, drive, store};
use corestore::Corestore;
use futures_lite::future::{block_on, poll_once};
use hyperdrive::{Attributes, Change, ChangeKind, Drive, DriveError, Mount, Options, Watch};
use hypertrie::Trie;

async fn drive_in(store: &Corestore, name: &str) -> Drive {
    Drive::create(&store.namespace(name), Options::new())
        .await
        .unwrap()
}

async fn write(drive: &Drive, path: &str) {
    let plain = Attributes::new();
    drive
        .write_file(path, path.to_owned(), &plain)
        .await
        .unwrap();
}

async fn mount(drive: &Drive, path: &str, other: &Drive) {
    let mount = Mount::drive(other.key());
    drive.mount(path, mount, &Attributes::new()).await.unwrap();
}

/// What is told of now, without waiting.
async fn told(watch: &mut Watch) -> Vec<(String, ChangeKind)> {
    let mut told = Vec::new();
    while let Some(change) = poll_once(watch.next()).await {
        let change: Change = change.unwrap();
        told.push((change.path.clone(), change.kind()));
    }
    told.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    told
}

fn changes<const N: usize>(changes: [(&str, ChangeKind); N]) -> Vec<(String, ChangeKind)> {
    changes.map(|(path, kind)| (path.to_owned(), kind)).to_vec()
}

use ChangeKind::{Mounted, Put, Removed, Unmounted};

#[test]
fn what_changes_below_the_path_is_told_and_nothing_else() {
    block_on(async {
        let drive = drive().await;
        write(&drive, "/a/path/before").await;
        let mut watch = drive.watch("/a/path/");
        assert_eq!(told(&mut watch).await, []);
        write(&drive, "/a/path/one").await;
        write(&drive, "/a/elsewhere").await;
        write(&drive, "/a/path/two").await;
        assert_eq!(
            told(&mut watch).await,
            changes([("/a/path/one", Put), ("/a/path/two", Put)])
        );
        drive.unlink("/a/path/before").await.unwrap();
        drive.rename("/a/path/one", "/moved").await.unwrap();
        let gone = changes([("/a/path/before", Removed), ("/a/path/one", Removed)]);
        assert_eq!(told(&mut watch).await, gone);
        // What came and went again was never there.
        write(&drive, "/a/path/short").await;
        drive.unlink("/a/path/short").await.unwrap();
        assert_eq!(told(&mut watch).await, []);

        let mut stats = drive.watch("/moved");
        drive.set_mode("/moved", 0o600).await.unwrap();
        let change = stats.next().await.unwrap();
        let modes = [change.before, change.after].map(|stat| stat.unwrap().permissions());
        assert_eq!(modes, [0o644, 0o600]);
    });
}

#[test]
fn a_watch_begins_with_the_version_looked_at_and_wakes_who_waits() {
    block_on(async {
        let drive = drive().await;
        write(&drive, "/a").await;
        let old = drive.checkout(1);
        let mut watch = old.watch("/");
        assert_eq!(told(&mut watch).await, changes([("/a", Put)]));
        let mut next = pin!(watch.next());
        assert!(poll_once(next.as_mut()).await.is_none());
        write(&drive, "/b").await;
        assert_eq!(next.await.unwrap().path, "/b");
    });
}

#[test]
fn mounted_drives_are_watched_and_mounts_that_come_and_go_too() {
    block_on(async {
        let store = store();
        let [one, two, three] = ["1", "2", "3"].map(|name| block_on(drive_in(&store, name)));
        mount(&one, "/group/two", &two).await;
        let mut watch = one.watch("/");
        assert_eq!(told(&mut watch).await, []);
        assert_eq!(watch.drives(), 2);
        write(&two, "/x").await;
        write(&one, "/x").await;
        assert_eq!(
            told(&mut watch).await,
            changes([("/group/two/x", Put), ("/x", Put)])
        );

        write(&three, "/before").await;
        mount(&two, "/three", &three).await;
        assert_eq!(
            told(&mut watch).await,
            changes([("/group/two/three", Mounted)])
        );
        assert_eq!(watch.drives(), 3);
        write(&three, "/y").await;
        assert_eq!(
            told(&mut watch).await,
            changes([("/group/two/three/y", Put)])
        );
        one.unmount("/group/two").await.unwrap();
        assert_eq!(told(&mut watch).await, changes([("/group/two", Unmounted)]));
        write(&two, "/z").await;
        assert_eq!(told(&mut watch).await, []);
        assert_eq!(watch.drives(), 1);
        drop(watch);

        // A path in a mount, and one where something is mounted later.
        let mut inner = two.watch("/three/sub");
        let mut later = one.watch("/later/sub");
        assert_eq!(
            (told(&mut inner).await, told(&mut later).await),
            (vec![], vec![])
        );
        write(&three, "/sub/a").await;
        write(&three, "/beside").await;
        assert_eq!(told(&mut inner).await, changes([("/three/sub/a", Put)]));
        mount(&one, "/later", &three).await;
        assert_eq!(told(&mut later).await, []);
        write(&three, "/sub/b").await;
        assert_eq!(told(&mut later).await, changes([("/later/sub/b", Put)]));
    });
}

#[test]
fn drives_that_mount_each_other_are_watched_once_each() {
    block_on(async {
        let store = store();
        let [one, two] = ["1", "2"].map(|name| block_on(drive_in(&store, name)));
        mount(&one, "/a", &two).await;
        mount(&two, "/b", &one).await;
        let mut watch = one.watch("/");
        assert_eq!(told(&mut watch).await, []);
        assert_eq!(watch.drives(), 2);
        write(&one, "/x").await;
        write(&two, "/y").await;
        assert_eq!(
            told(&mut watch).await,
            changes([("/a/y", Put), ("/x", Put)])
        );
    });
}

#[test]
fn a_drive_that_cannot_be_read_does_not_keep_the_others_from_being_told_of() {
    block_on(async {
        let store = store();
        let [one, two] = ["1", "2"].map(|name| block_on(drive_in(&store, name)));
        mount(&one, "/a", &two).await;
        let mut watch = one.watch("/");
        assert_eq!(told(&mut watch).await, []);
        two.metadata().append("not a node").unwrap();
        let error = watch.next().await.unwrap_err();
        assert!(matches!(error, DriveError::BadMount { .. }), "{error:?}");
        write(&one, "/x").await;
        assert_eq!(told(&mut watch).await, changes([("/x", Put)]));
    });
}

/// One drive in which a drive is mounted for each of more users than are watched at once.
#[test]
fn more_drives_than_are_watched_at_once_are_an_error() {
    block_on(async {
        let store = store();
        let group = drive_in(&store, "group").await;
        let options = hypertrie::Options::new();
        let trie = Trie::open(group.metadata().clone(), options).await.unwrap();
        let mut batch = trie.begin().await.unwrap();
        for index in 0..Watch::MAX_DRIVES {
            if index == Watch::MAX_DRIVES - 1 {
                batch.commit().unwrap();
                let mut watch = group.watch("/");
                assert_eq!(told(&mut watch).await, []);
                assert_eq!(watch.drives(), Watch::MAX_DRIVES);
                batch = trie.begin().await.unwrap();
            }
            let mut key = [1; 32];
            key[..8].copy_from_slice(&index.to_be_bytes());
            let mount = hypertrie::Mount::new(&format!("u{index}"), key);
            let stat = hyperdrive::Stat::new(hyperdrive::FileType::Directory, 0o755);
            batch
                .mount(&mount, Bytes::from(stat.encode()))
                .await
                .unwrap();
        }
        batch.commit().unwrap();
        let mut watch = group.watch("/");
        let error = watch.next().await.unwrap_err();
        let limit = Watch::MAX_DRIVES;
        assert!(matches!(error, DriveError::TooManyMounts { limit: l } if l == limit));
    });
}

#[test]
fn a_reader_is_told_of_what_peers_bring() {
    let drive = block_on(drive());
    block_on(write(&drive, "/first"));
    let copy = block_on(copy_of(&drive));
    let mut watch = copy.watch("/");
    let mut links = connect(&drive, &copy);
    let [paths, content] = &mut links;
    let first = common::link::run(&mut [paths, content], watch.next()).unwrap();
    assert_eq!(first.unwrap().path, "/first");
    block_on(write(&drive, "/second"));
    let [paths, content] = &mut links;
    let second = common::link::run(&mut [paths, content], watch.next()).unwrap();
    assert_eq!(second.unwrap().path, "/second");
}

/// `impl Future` is `Send`, so that a task can watch.
#[test]
fn a_task_can_watch() {
    fn is_send(_: impl Future + Send) {}
    let drive = block_on(drive());
    let mut watch = drive.watch("/");
    is_send(watch.next());
}
