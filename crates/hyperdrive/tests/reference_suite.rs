//! Cases of the reference's own tests that no other test here has by the way.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::collections::BTreeSet;

use common::{
    connect, connect_sparsely, copy_of, drive, drive_in, link, listing, store, text, write,
};
use corestore::Corestore;
use futures_lite::future::{block_on, zip};
use hypercore_storage::DiskDir;
use hyperdrive::{Attributes, Drive, DriveError, FileType, Mount, OpenOptions, Options};

async fn names(drive: &Drive, path: &str, recursive: bool) -> Vec<String> {
    let list = drive.read_dir(path, recursive).await.unwrap();
    let list = list.sorted().await.unwrap();
    list.into_iter().map(|entry| entry.name).collect()
}

/// The tree of the reference's tests of listings.
async fn tree() -> Drive {
    let drive = drive().await;
    for path in [
        "a/a", "a/b", "a/c/d", "a/c/e", "a/e", "b/e", "b/f", "b/d", "e",
    ] {
        write(&drive, path, path).await;
    }
    drive
}

#[test]
fn a_new_drive_is_writable_and_its_root_is_there_and_empty() {
    block_on(async {
        let drive = drive().await;
        assert!(drive.is_writable() && drive.metadata().is_writable());
        assert!(drive.content().await.unwrap().is_writable());
        assert!(drive.exists("/").await.unwrap());
        assert_eq!(names(&drive, "/", false).await, [""; 0]);
    });
}

#[test]
fn files_written_and_read_side_by_side() {
    block_on(async {
        let drive = drive().await;
        let pair = async |path: &'static str| {
            write(&drive, path, path).await;
            text(&drive, path).await
        };
        assert_eq!(
            zip(pair("/one"), pair("/two")).await,
            ("/one".into(), "/two".into())
        );
        drive.unlink("/one").await.unwrap();
        assert!(drive.read_file("/one").await.is_err());
    });
}

#[test]
fn a_copy_finds_each_file_as_it_is_written() {
    let drive = block_on(drive());
    block_on(write(&drive, "/first", "1"));
    let copy = block_on(copy_of(&drive));
    let [mut paths, mut content] = connect_sparsely(&drive, &copy);
    for index in 0..10 {
        let path = format!("/{}file {index}", "deep/".repeat(index % 4));
        block_on(write(&drive, &path, &path));
        let found = link::run(&mut [&mut paths, &mut content], async {
            copy.update().await?;
            copy.stat(&path).await
        });
        assert_eq!(found.unwrap().unwrap().size, path.len() as u64);
    }
}

#[test]
fn a_copy_without_peers_is_ready_and_has_nothing() {
    block_on(async {
        let copy = copy_of(&drive().await).await;
        let error = copy.read_file("/x").await.unwrap_err();
        assert_eq!(error.errno_name(), Some("ENOENT"));
        assert!(!copy.is_writable() && copy.content_now().is_none());
    });
}

#[test]
fn a_copy_is_not_opened_for_writing() {
    let drive = block_on(drive());
    block_on(write(&drive, "/x", "1"));
    let copy = block_on(copy_of(&drive));
    let _links = connect(&drive, &copy);
    let options = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true);
    let error = block_on(copy.open_file("/x", options)).unwrap_err();
    assert_eq!(error.errno_name(), Some("EROFS"));
    assert_eq!(block_on(copy.stat("/x")).unwrap().size, 1);
}

#[test]
fn every_level_of_a_tree_lists_its_children() {
    block_on(async {
        let drive = tree().await;
        assert_eq!(names(&drive, "/", false).await, ["a", "b", "e"]);
        assert_eq!(names(&drive, "a", false).await, ["a", "b", "c", "e"]);
        assert_eq!(names(&drive, "a/c", false).await, ["d", "e"]);
        assert_eq!(names(&drive, "b", false).await, ["d", "e", "f"]);
        assert_eq!(
            names(&drive, "a", true).await,
            ["a", "b", "c/d", "c/e", "e"]
        );
        assert_eq!(names(&drive, "/", true).await.len(), 9);
        let mut list = drive.read_dir("a", false).await.unwrap();
        while let Some(entry) = list.next().await {
            let entry = entry.unwrap();
            assert_eq!(entry.stat.is_dir(), entry.name == "c");
            assert_eq!(entry.holder.drive().key(), drive.key());
        }
    });
}

#[test]
fn listings_follow_the_link_they_are_asked_for_and_show_those_they_find() {
    block_on(async {
        let drive = tree().await;
        let plain = Attributes::new();
        for (target, path) in [
            ("a/c", "/linked"),
            ("linked", "/again"),
            ("../again", "/b/up"),
            ("missing", "/broken"),
            ("/a", "/a/c/nested"),
        ] {
            drive.symlink(target, path, &plain).await.unwrap();
        }
        for path in ["/linked", "/again", "/b/up", "/a/c/nested/c"] {
            assert_eq!(
                names(&drive, path, false).await,
                ["d", "e", "nested"],
                "{path}"
            );
        }
        let root = ["a", "again", "b", "broken", "e", "linked"];
        assert_eq!(names(&drive, "/", false).await, root);
        let mut list = drive.read_dir("/", false).await.unwrap();
        while let Some(entry) = list.next().await {
            let entry = entry.unwrap();
            let is_link = ["again", "broken", "linked"].contains(&&*entry.name);
            assert_eq!(entry.stat.linkname.is_some(), is_link, "{}", entry.name);
        }
    });
}

#[test]
fn a_thousand_files_are_listed_once_each() {
    block_on(async {
        let drive = drive().await;
        let mut batch = drive.batch().await.unwrap();
        for index in 0..1000 {
            let path = format!("dir/{index}");
            batch
                .write_file(&path, "x", &Attributes::new())
                .await
                .unwrap();
        }
        batch.commit().await.unwrap();
        let names = names(&drive, "dir", false).await;
        let different: BTreeSet<_> = names.iter().collect();
        assert_eq!((names.len(), different.len()), (1000, 1000));
    });
}

#[test]
fn links_dangle_come_to_life_and_go_without_their_targets() {
    block_on(async {
        let drive = drive().await;
        let plain = Attributes::new();
        drive
            .symlink("/hello.txt", "/link.txt", &plain)
            .await
            .unwrap();
        let dangling = drive.stat("/link.txt").await.unwrap_err();
        assert_eq!(dangling.errno_name(), Some("ENOENT"));
        assert!(drive.lstat("/link.txt").await.unwrap().is_symlink());
        write(&drive, "/hello.txt", "hello").await;
        assert_eq!(drive.stat("/link.txt").await.unwrap().size, 5);
        assert_eq!(text(&drive, "/link.txt").await, "hello");
        assert_eq!(listing(&drive).await, ["/hello.txt", "/link.txt"]);
        drive.unlink("/link.txt").await.unwrap();
        assert_eq!(text(&drive, "/hello.txt").await, "hello");
        drive
            .symlink("nowhere", "/alone/link", &plain)
            .await
            .unwrap();
        drive.unlink("/alone/link").await.unwrap();
        assert!(!drive.exists("/alone").await.unwrap());
    });
}

#[test]
fn entries_say_what_they_are() {
    block_on(async {
        let drive = drive().await;
        let attributes = Attributes::new().mode(0o666).metadata("k", "v");
        drive.write_file("/file", "foo", &attributes).await.unwrap();
        drive.mkdir("/dir", &Attributes::new()).await.unwrap();
        let file = drive.stat("/file").await.unwrap();
        assert_eq!(
            (file.file_type(), file.permissions()),
            (FileType::File, 0o666)
        );
        assert_eq!((file.size, file.offset, file.metadata.len()), (3, 0, 1));
        let dir = drive.stat("/dir").await.unwrap();
        assert!(dir.is_dir() && !dir.is_file());
        assert_eq!((dir.mode, dir.offset), (0o040_755, 1));
        drive
            .set_metadata("/file", "a", Some("1".into()))
            .await
            .unwrap();
        drive
            .set_metadata("/file", "b", Some("2".into()))
            .await
            .unwrap();
        drive.set_metadata("/file", "a", None).await.unwrap();
        let metadata = drive.stat("/file").await.unwrap().metadata;
        let pair = |key: &str, value: Option<&str>| {
            let value = value.map(|value| bytes::Bytes::copy_from_slice(value.as_bytes()));
            (key.to_owned(), value)
        };
        assert_eq!(
            metadata,
            [pair("k", Some("v")), pair("a", None), pair("b", Some("2"))]
        );
    });
}

#[test]
fn a_drive_on_disk_is_the_same_when_it_is_opened_again() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let dir = std::sync::Arc::new(DiskDir::new(dir.path()));
            Corestore::open(dir, corestore::Options::new()).unwrap()
        };
        let (theirs, mut key) = (drive().await.key(), None);
        for _ in 0..2 {
            let store = open();
            let drive = Drive::create(&store, Options::new()).await.unwrap();
            assert_eq!((drive.version(), drive.is_writable()), (1, true));
            assert!(drive.content().await.unwrap().is_writable());
            assert_eq!(*key.get_or_insert(drive.key()), drive.key());
            let copy = Drive::open(&store, &theirs, Options::new()).await.unwrap();
            assert_eq!((copy.key(), copy.is_writable()), (theirs, false));
            drop((drive, copy));
            store.close().unwrap();
        }
    });
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    // A file in place of the folder, which stops a superuser as well.
    let place = dir.path().join("file");
    std::fs::write(&place, "x").unwrap();
    let dir = std::sync::Arc::new(DiskDir::new(place.join("store")));
    assert!(Corestore::open(dir, corestore::Options::new()).is_err());
}

#[test]
fn the_same_secret_and_namespace_make_the_same_drive() {
    block_on(async {
        let mut keys = Vec::new();
        for _ in 0..2 {
            let dir = std::sync::Arc::new(hypercore_storage::MemoryDir::new());
            let options = corestore::Options::new().master_key([7; 32]);
            let drive = drive_in(&Corestore::open(dir, options).unwrap(), "n").await;
            let content = drive.content().await.unwrap().public_key();
            keys.push((drive.key(), content));
        }
        assert_eq!(keys[0], keys[1]);
    });
}

#[test]
fn one_drive_among_others_is_cut_through_its_mount() {
    block_on(async {
        let store = store();
        let [one, two] = ["1", "2"].map(|name| block_on(drive_in(&store, name)));
        let plain = Attributes::new();
        one.mount("/a", Mount::drive(two.key()), &plain)
            .await
            .unwrap();
        write(&one, "/a/b", "hello").await;
        one.truncate("/a/b", 1).await.unwrap();
        assert_eq!(text(&one, "/a/b").await, "h");
        assert_eq!(text(&two, "/b").await, "h");
        one.set_metadata("/a", "k", Some("v".into())).await.unwrap();
        assert_eq!(text(&one, "/a/b").await, "h");
        assert_eq!(one.mounts(false).await.unwrap().len(), 2);
    });
}

#[test]
fn reading_through_a_mount_opens_the_two_logs_of_either_drive_and_no_others() {
    block_on(async {
        let dir = std::sync::Arc::new(hypercore_storage::MemoryDir::new());
        let open = || Corestore::open(dir.clone(), corestore::Options::new()).unwrap();
        let store = open();
        let mut drives = Vec::new();
        for name in ["1", "2", "3"] {
            drives.push(drive_in(&store, name).await);
        }
        let plain = Attributes::new();
        for (path, other) in [("/a", &drives[1]), ("/b", &drives[2])] {
            let mount = Mount::drive(other.key());
            drives[0].mount(path, mount, &plain).await.unwrap();
        }
        write(&drives[1], "/x", "x").await;
        let key = drives[0].key();
        let mut expected = BTreeSet::new();
        for drive in &drives[..2] {
            expected.insert(drive.key());
            expected.insert(drive.content().await.unwrap().public_key());
        }
        drop(drives);
        store.close().unwrap();

        let store = open();
        let mut opened = store.subscribe();
        let one = Drive::open(&store, &key, Options::new()).await.unwrap();
        one.content().await.unwrap();
        assert_eq!(text(&one, "/a/x").await, "x");
        let mut keys = Vec::new();
        while let Some(Some(feed)) = futures_lite::future::poll_once(opened.next()).await {
            keys.push(feed.public_key());
        }
        assert_eq!(keys.len(), 4);
        assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), expected);
    });
}

#[test]
fn a_download_leaves_mounted_drives_out_unless_each_is_asked_for() {
    let store = store();
    let [one, two] = ["1", "2"].map(|name| block_on(drive_in(&store, name)));
    block_on(async {
        let plain = Attributes::new();
        one.mount("/m", Mount::drive(two.key()), &plain)
            .await
            .unwrap();
        write(&one, "/x", "x").await;
        write(&two, "/y", "y").await;
    });
    let copy = block_on(copy_of(&one));
    let mut links = Vec::from(connect(&one, &copy));
    let inner = block_on(copy.holder("/m")).unwrap().drive().clone();
    links.extend(connect(&two, &inner));
    let [a, b, c, d] = &mut links[..] else {
        panic!("two drives have four logs");
    };
    let links = &mut [a, b, c, d];
    let done = link::run(links, copy.download("/")).unwrap().unwrap();
    assert_eq!((done.files, done.blocks), (1, 1));
    assert_eq!(inner.content_now().unwrap().downloaded(0..1), 0);
    let mounts = block_on(copy.mounts(true)).unwrap();
    for mounted in mounts.into_values() {
        link::run(links, mounted.drive.download("/"))
            .unwrap()
            .unwrap();
    }
    assert_eq!(inner.content_now().unwrap().downloaded(0..1), 1);
    assert!(matches!(
        block_on(copy.write_file("/m/z", "z", &Attributes::new())),
        Err(DriveError::NotWritable)
    ));
}
