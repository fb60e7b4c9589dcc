//! Versions: their names, their differences, and the way back to one.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::collections::BTreeMap;

use common::drive;
use futures_lite::future::block_on;
use hyperdrive::{Attributes, Change, ChangeKind, Drive, DriveError};

async fn write(drive: &Drive, path: &str, content: &str) {
    let plain = Attributes::new();
    let content = content.to_owned();
    drive.write_file(path, content, &plain).await.unwrap();
}

async fn read(drive: &Drive, path: &str) -> Option<String> {
    match drive.read_file(path).await {
        Ok(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
        Err(DriveError::NotFound { .. }) => None,
        Err(error) => panic!("{path}: {error}"),
    }
}

async fn differences(drive: &Drive, since: u64, path: &str) -> BTreeMap<String, Change> {
    let mut differences = BTreeMap::new();
    let mut stream = drive.diff(since, path);
    while let Some(change) = stream.next().await {
        let change = change.unwrap();
        assert!(differences.insert(change.path.clone(), change).is_none());
    }
    differences
}

/// Version, path, and whether the path is there, for each entry of a history.
async fn log(drive: &Drive, path: &str) -> Vec<(u64, String, bool)> {
    let mut log = Vec::new();
    let mut history = drive.history(path);
    while let Some(change) = history.next().await {
        let (version, change) = change.unwrap();
        log.push((version, change.path, change.after.is_some()));
    }
    log
}

#[test]
fn a_tag_names_a_version_until_it_is_deleted() {
    block_on(async {
        let drive = drive().await;
        write(&drive, "/a", "1").await;
        assert_eq!(drive.create_tag("first", None).await.unwrap(), 2);
        write(&drive, "/a", "2").await;
        assert_eq!(drive.create_tag("v1/rc", Some(1)).await.unwrap(), 1);
        let tags = drive.tags().await.unwrap();
        assert_eq!(
            tags,
            BTreeMap::from([("first".into(), 2), ("v1/rc".into(), 1)])
        );
        assert_eq!(drive.tag("first").await.unwrap(), Some(2));
        assert_eq!(read(&drive.checkout(2), "/a").await.unwrap(), "1");

        drive.create_tag("first", Some(4)).await.unwrap();
        assert_eq!(drive.tag("first").await.unwrap(), Some(4));
        assert!(drive.delete_tag("first").await.unwrap());
        assert_eq!(drive.tag("first").await.unwrap(), None);
        let before = drive.version();
        assert!(!drive.delete_tag("first").await.unwrap());
        assert_eq!(drive.version(), before);

        // Tags are no files.
        assert!(!drive.exists("/hyperdrive-tags").await.unwrap());
        assert!(differences(&drive, 1, "/").await.keys().eq(["/a"]));
        let nameless = drive.create_tag("//", None).await.unwrap_err();
        assert_eq!(nameless.errno_name(), Some("EINVAL"));
    });
}

#[test]
fn a_difference_has_what_was_put_and_what_was_removed() {
    block_on(async {
        let drive = drive().await;
        write(&drive, "/same", "s").await;
        write(&drive, "/changed", "1").await;
        write(&drive, "/sub/gone", "g").await;
        let before = drive.version();
        write(&drive, "/changed", "22").await;
        write(&drive, "/sub/new", "n").await;
        drive.unlink("/sub/gone").await.unwrap();

        let changes = differences(&drive, before, "").await;
        let kinds: Vec<_> = changes
            .iter()
            .map(|(path, c)| (&**path, c.kind()))
            .collect();
        let (put, removed) = (ChangeKind::Put, ChangeKind::Removed);
        assert_eq!(
            kinds,
            [("/changed", put), ("/sub/gone", removed), ("/sub/new", put)]
        );
        let sizes = |stat: &Option<hyperdrive::Stat>| stat.as_ref().map(|stat| stat.size);
        let changed = &changes["/changed"];
        assert_eq!(
            (sizes(&changed.before), sizes(&changed.after)),
            (Some(1), Some(2))
        );
        assert!(differences(&drive, before, "/sub").await.len() == 2);
        assert!(differences(&drive, drive.version(), "/").await.is_empty());

        // The other way round.
        let back = differences(&drive.checkout(before), drive.version(), "/").await;
        assert_eq!(back["/sub/gone"].kind(), put);
        assert_eq!(back["/sub/new"].kind(), removed);
    });
}

#[test]
fn the_history_of_a_path_tells_when_it_came_changed_and_went() {
    block_on(async {
        let drive = drive().await;
        write(&drive, "/other", "o").await; // version 2
        write(&drive, "/a", "1").await; // 3
        write(&drive, "/a", "2").await; // 4
        write(&drive, "/b/c", "c").await; // 5
        drive.unlink("/a").await.unwrap(); // 6
        write(&drive, "/a", "3").await; // 7
        let a = |version, there| (version, "/a".to_owned(), there);
        assert_eq!(
            log(&drive, "/a").await,
            [a(7, true), a(6, false), a(4, true), a(3, true)]
        );
        assert_eq!(log(&drive, "/b").await, [(5, "/b/c".to_owned(), true)]);
        assert_eq!(log(&drive, "/").await.len(), 6);
        assert_eq!(
            log(&drive.checkout(4), "/a").await,
            [a(4, true), a(3, true)]
        );

        // What comes back by a revert was written long before.
        drive.revert(4).await.unwrap();
        let version = drive.version();
        assert_eq!(log(&drive, "/a").await[0], a(version, true));
        assert_eq!(
            log(&drive, "/b").await[0],
            (version, "/b/c".to_owned(), false)
        );
    });
}

#[test]
fn a_revert_is_a_new_version_and_keeps_the_tags() {
    block_on(async {
        let drive = drive().await;
        write(&drive, "/a", "1").await;
        drive.create_tag("kept", None).await.unwrap();
        drive.create_tag("dropped", None).await.unwrap();
        let then = drive.version();
        write(&drive, "/a", "2").await;
        write(&drive, "/b", "b").await;
        drive.create_tag("later", None).await.unwrap();
        drive.delete_tag("dropped").await.unwrap();
        let tags = drive.tags().await.unwrap();
        let now = drive.version();

        let reverted = drive.revert(then).await.unwrap();
        assert_eq!(reverted.version, drive.version());
        assert!(drive.version() > now);
        assert_eq!(read(&drive, "/a").await.unwrap(), "1");
        assert_eq!(read(&drive, "/b").await, None);
        assert_eq!(drive.tags().await.unwrap(), tags);
        assert_eq!(read(&drive.checkout(now), "/a").await.unwrap(), "2");
        assert!(differences(&drive, then, "/").await.is_empty());

        // And the drive goes on from there.
        write(&drive, "/c", "c").await;
        assert_eq!(read(&drive, "/a").await.unwrap(), "1");
    });
}

#[test]
fn a_revert_to_the_newest_version_changes_nothing_and_one_of_a_checkout_is_refused() {
    block_on(async {
        let drive = drive().await;
        write(&drive, "/a", "1").await;
        assert_eq!(drive.revert(2).await.unwrap().version, 2);
        assert_eq!(drive.revert(9).await.unwrap().version, 2);
        assert_eq!(drive.version(), 2);
        let error = drive.checkout(1).revert(1).await.unwrap_err();
        assert_eq!(error.errno_name(), Some("EROFS"));
        drive.revert(1).await.unwrap();
        assert!(
            drive
                .read_dir("/", true)
                .await
                .unwrap()
                .sorted()
                .await
                .unwrap()
                .is_empty()
        );
    });
}

#[test]
fn more_tags_than_are_gathered_are_an_error() {
    block_on(async {
        let drive = drive().await;
        let trie = hypertrie::Trie::open(drive.metadata().clone(), hypertrie::Options::new())
            .await
            .unwrap();
        let tag = |n: usize| {
            let hidden = hypertrie::PutOptions::new().hidden(true);
            let value = bytes::Bytes::from_static(&[1]);
            hypertrie::Op::put_with(format!("hyperdrive-tags/{n}"), value, hidden)
        };
        trie.batch((0..Drive::MAX_TAGS).map(tag).collect())
            .await
            .unwrap();
        assert_eq!(drive.tags().await.unwrap().len(), Drive::MAX_TAGS);
        trie.batch(vec![tag(Drive::MAX_TAGS)]).await.unwrap();
        let error = drive.tags().await.unwrap_err();
        assert!(matches!(error, DriveError::TooManyTags { .. }));
    });
}
