//! Versions of drives that are mounted: differences, history, and the way back.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use common::{drive_in, mount, store, text, write};
use futures_lite::future::block_on;
use hyperdrive::{ChangeKind, Drive, Mount};

use ChangeKind::{Mounted, Put, Removed, Unmounted};

async fn diff(drive: &Drive, since: u64, path: &str) -> Vec<(String, ChangeKind)> {
    let mut changes = Vec::new();
    let mut diff = drive.diff(since, path);
    while let Some(change) = diff.next().await {
        let change = change.unwrap();
        changes.push((change.path.clone(), change.kind()));
    }
    changes.sort_by(|a, b| a.0.cmp(&b.0));
    changes
}

fn changes<const N: usize>(changes: [(&str, ChangeKind); N]) -> Vec<(String, ChangeKind)> {
    changes.map(|(path, kind)| (path.to_owned(), kind)).to_vec()
}

#[test]
fn a_mount_that_comes_or_goes_is_one_change() {
    block_on(async {
        let store = store();
        let [one, two] = ["1", "2"].map(|name| block_on(drive_in(&store, name)));
        write(&two, "/x", "x").await;
        let empty = one.version();
        mount(&one, "/m", Mount::drive(two.key())).await;
        let mounted = one.version();
        assert_eq!(diff(&one, empty, "/").await, changes([("/m", Mounted)]));
        write(&two, "/y", "y").await;
        assert_eq!(diff(&one, mounted, "/").await, []);
        assert_eq!(diff(&one, mounted, "/m").await, []);
        // Asked for what is below the mount, it is as if that had come.
        assert_eq!(diff(&one, empty, "/m/x").await, changes([("/m/x", Put)]));
        one.unmount("/m").await.unwrap();
        assert_eq!(diff(&one, mounted, "/").await, changes([("/m", Unmounted)]));
        assert_eq!(
            diff(&one, mounted, "/m/x").await,
            changes([("/m/x", Removed)])
        );
        assert_eq!(diff(&one, empty, "/").await, []);
    });
}

#[test]
fn another_version_of_the_same_drive_shows_what_differs_between_them() {
    block_on(async {
        let store = store();
        let [one, two, three] = ["1", "2", "3"].map(|name| block_on(drive_in(&store, name)));
        write(&three, "/deep", "1").await;
        mount(
            &two,
            "/three",
            Mount::drive(three.key()).at_version(three.version()),
        )
        .await;
        write(&two, "/gone", "1").await;
        write(&two, "/same", "1").await;
        let first = two.version();
        mount(&one, "/m", Mount::drive(two.key()).at_version(first)).await;
        let before = one.version();

        write(&three, "/deep", "2").await;
        two.unmount("/three").await.unwrap();
        mount(
            &two,
            "/three",
            Mount::drive(three.key()).at_version(three.version()),
        )
        .await;
        two.unlink("/gone").await.unwrap();
        write(&two, "/new", "1").await;
        one.unmount("/m").await.unwrap();
        mount(
            &one,
            "/m",
            Mount::drive(two.key()).at_version(two.version()),
        )
        .await;
        let expected = changes([
            ("/m", Mounted),
            ("/m/gone", Removed),
            ("/m/new", Put),
            ("/m/three", Mounted),
            ("/m/three/deep", Put),
        ]);
        assert_eq!(diff(&one, before, "/").await, expected);
        assert_eq!(
            diff(&one, before, "/m/new").await,
            changes([("/m/new", Put)])
        );
        assert_eq!(text(&one, "/m/three/deep").await, "2");
        assert_eq!(text(&one.checkout(before), "/m/three/deep").await, "1");
    });
}

#[test]
fn the_history_of_a_path_in_a_mount_is_that_of_the_mounted_drive() {
    block_on(async {
        let store = store();
        let [one, two] = ["1", "2"].map(|name| block_on(drive_in(&store, name)));
        mount(&one, "/m", Mount::drive(two.key())).await;
        write(&one, "/m/x", "1").await;
        write(&one, "/beside", "1").await;
        one.unlink("/m/x").await.unwrap();
        let history = async |path: &str| {
            let (mut told, mut history) = (Vec::new(), one.history(path));
            while let Some(change) = history.next().await {
                let (version, change) = change.unwrap();
                told.push((version, change.path.clone(), change.kind()));
            }
            told
        };
        let expected = [(3, "/m/x".to_owned(), Removed), (2, "/m/x".to_owned(), Put)];
        assert_eq!(history("/m/x").await, expected);
        assert_eq!(history("/m").await, expected);
        let outer = [
            (4, "/beside".to_owned(), Put),
            (3, "/m".to_owned(), Mounted),
        ];
        assert_eq!(history("/").await, outer);
    });
}

#[test]
fn a_revert_brings_mounts_back_and_tells_of_those_that_go() {
    block_on(async {
        let store = store();
        let [one, two] = ["1", "2"].map(|name| block_on(drive_in(&store, name)));
        write(&two, "/x", "x").await;
        mount(&one, "/old", Mount::drive(two.key())).await;
        let version = one.version();
        one.unmount("/old").await.unwrap();
        mount(&one, "/new", Mount::drive(two.key())).await;
        let reverted = one.revert(version).await.unwrap();
        assert_eq!(reverted.dropped_mounts, ["/new"]);
        assert_eq!(text(&one, "/old/x").await, "x");
        assert!(!one.exists("/new").await.unwrap());
        assert_eq!(one.mounts(true).await.unwrap().len(), 2);
    });
}
