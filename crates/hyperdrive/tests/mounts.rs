//! Drives mounted in drives: every operation goes where the path leads.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::collections::BTreeMap;

use common::{drive_in, listing, store, text, write};
use futures_lite::future::block_on;
use hypercore_crypto::PublicKey;
use hyperdrive::{Attributes, Drive, DriveError, FileType, Mount, Mounted, ReadDirOptions};
use hypertrie::{GetOptions, Trie};

/// A new drive in a store.
async fn mount(drive: &Drive, path: &str, other: &Drive) {
    let mount = Mount::drive(other.key());
    drive.mount(path, mount, &Attributes::new()).await.unwrap();
}

fn errno<T: std::fmt::Debug>(done: Result<T, DriveError>) -> &'static str {
    done.unwrap_err().errno_name().unwrap_or("none")
}

/// One in two in three, as `a`, `a/b`: with a file in each.
async fn three() -> [Drive; 3] {
    let store = store();
    let [one, two, three] = ["1", "2", "3"].map(|name| block_on(drive_in(&store, name)));
    mount(&one, "/a", &two).await;
    mount(&one, "/a/b", &three).await;
    write(&one, "/one", "1").await;
    write(&one, "/a/two", "2").await;
    write(&one, "/a/b/three", "3").await;
    [one, two, three]
}

#[test]
fn what_is_done_below_a_mount_is_done_in_the_mounted_drive() {
    block_on(async {
        let [one, two, three] = three().await;
        assert_eq!(text(&one, "/a/b/three").await, "3");
        assert_eq!(text(&two, "/b/three").await, "3");
        assert_eq!(text(&three, "/three").await, "3");
        assert_eq!(
            one.stat("/a/b").await.unwrap().file_type(),
            FileType::Directory
        );
        let mounted = two.lstat("/b").await.unwrap().mount.unwrap();
        assert_eq!(mounted.key, three.key());

        let plain = Attributes::new();
        one.mkdir("/a/b/folder", &plain).await.unwrap();
        one.symlink("three", "/a/b/link", &plain).await.unwrap();
        one.rename("/a/b/three", "/a/b/folder/3").await.unwrap();
        one.set_metadata("/a/b/folder/3", "k", Some("v".into()))
            .await
            .unwrap();
        one.set_mode("/a/b/folder/3", 0o600).await.unwrap();
        let stat = three.stat("/folder/3").await.unwrap();
        assert_eq!((stat.permissions(), stat.metadata.len()), (0o600, 1));
        assert_eq!(listing(&three).await, ["/folder", "/folder/3", "/link"]);
        one.unlink("/a/b/link").await.unwrap();
        one.remove_all("/a/b/folder").await.unwrap();
        assert_eq!(listing(&three).await, [""; 0]);
        write(&three, "/d/x", "x").await;
        assert_eq!(errno(one.rmdir("/a/b/d").await), "ENOTEMPTY");
        let missing = one.unlink("/a/b/missing").await.unwrap_err();
        assert_eq!(
            missing.to_string(),
            "no such file or directory: '/a/b/missing'"
        );
        assert_eq!(errno(one.read_file("/a/two/below").await), "ENOTDIR");
        // The outer drives were not touched by any of it.
        assert_eq!(listing(&two).await, ["/b", "/b/d/x", "/two"]);
    });
}

#[test]
fn a_mount_takes_two_entries_in_one_append_and_goes_with_both() {
    block_on(async {
        let [one, two, _] = three().await;
        let before = one.metadata().length();
        mount(&one, "/again", &two).await;
        assert_eq!(one.metadata().length(), before + 2);
        let trie = Trie::open(one.metadata().clone(), hypertrie::Options::new())
            .await
            .unwrap();
        let hidden = GetOptions::new().hidden(true);
        for gone in ["unmount", "unlink", "rename"] {
            assert!(
                trie.get_with("mounts/again", hidden)
                    .await
                    .unwrap()
                    .is_some()
            );
            assert_eq!(text(&one, "/again/two").await, "2");
            match gone {
                "unmount" => one.unmount("/again").await.unwrap(),
                "unlink" => one.unlink("/again").await.unwrap(),
                _ => one.rename("/again", "/moved").await.unwrap(),
            }
            assert!(
                trie.get_with("mounts/again", hidden)
                    .await
                    .unwrap()
                    .is_none()
            );
            assert_eq!(errno(one.read_file("/again/two").await), "ENOENT");
            if gone != "rename" {
                mount(&one, "/again", &two).await;
            }
        }
        assert_eq!(text(&one, "/moved/two").await, "2");
    });
}

#[test]
fn what_cannot_be_mounted_or_unmounted_is_refused_and_changes_nothing() {
    block_on(async {
        let [one, two, _] = three().await;
        let before = (one.version(), two.version());
        let plain = Attributes::new();
        for (path, expected) in [
            ("/one", "EEXIST"),
            ("/a", "EEXIST"),
            ("/a/two", "EEXIST"),
            ("/", "EEXIST"),
            ("/one/below", "ENOTDIR"),
            ("/nul\0", "EINVAL"),
        ] {
            let mount = Mount::drive(two.key());
            assert_eq!(
                errno(one.mount(path, mount, &plain).await),
                expected,
                "{path}"
            );
        }
        let log = Mount::log(two.key()).at_version(3);
        assert_eq!(errno(one.mount("/log", log, &plain).await), "EINVAL");
        assert_eq!(errno(one.unmount("/one").await), "EINVAL");
        assert_eq!(errno(one.unmount("/a/two").await), "EINVAL");
        assert_eq!(errno(one.unmount("/missing").await), "ENOENT");
        assert_eq!(errno(one.write_file("/a", "x", &plain).await), "EISDIR");
        assert_eq!((one.version(), two.version()), before);
    });
}

#[test]
fn nothing_is_moved_across_the_border_of_a_mount_but_copied() {
    block_on(async {
        let [one, two, three] = three().await;
        for (from, to) in [
            ("/one", "/a/one"),
            ("/a/two", "/two"),
            ("/a/b/three", "/a/three"),
            ("/a/two", "/a/b/two"),
        ] {
            assert_eq!(errno(one.rename(from, to).await), "EXDEV", "{from} {to}");
        }
        let attributes = Attributes::new().mode(0o640).mtime(7).metadata("k", "v");
        one.write_file("/file", "content", &attributes)
            .await
            .unwrap();
        let original = one.stat("/file").await.unwrap();
        for to in ["/a/copy", "/a/b/copy"] {
            one.copy("/file", to).await.unwrap();
            let copy = one.stat(to).await.unwrap();
            assert_eq!((copy.mode, copy.mtime, copy.size), (original.mode, 7, 7));
            assert_eq!(copy.metadata, original.metadata);
            assert_eq!(text(&one, to).await, "content");
        }
        one.copy("/a/b/three", "/back").await.unwrap();
        assert_eq!(text(&one, "/back").await, "3");
        // Within one drive the blocks are shared, through a mount as well.
        let blocks = three.content().await.unwrap().length();
        one.copy("/a/b/copy", "/a/b/copy2").await.unwrap();
        assert_eq!(three.content().await.unwrap().length(), blocks);
        assert_eq!(text(&three, "/copy2").await, "content");
        assert_eq!(
            listing(&two).await,
            ["/b", "/b/copy", "/b/copy2", "/b/three", "/copy", "/two"]
        );
    });
}

#[test]
fn listings_go_through_mounts_and_say_which_drive_an_entry_is_in() {
    block_on(async {
        let [one, two, three] = three().await;
        let mut entries = one.read_dir("/", true).await.unwrap();
        let mut found = BTreeMap::new();
        while let Some(entry) = entries.next().await {
            let entry = entry.unwrap();
            let holder = (entry.holder.drive().key(), entry.holder.mounted_at());
            found.insert(entry.path.clone(), (holder.0, holder.1, entry.inner_path()));
        }
        let at = |key: PublicKey, at: &str, inner: &str| (key, at.to_owned(), inner.to_owned());
        let expected = BTreeMap::from([
            ("/a".to_owned(), at(one.key(), "/", "/a")),
            ("/a/b".to_owned(), at(two.key(), "/a", "/b")),
            ("/a/b/three".to_owned(), at(three.key(), "/a/b", "/three")),
            ("/a/two".to_owned(), at(two.key(), "/a", "/two")),
            ("/one".to_owned(), at(one.key(), "/", "/one")),
        ]);
        assert_eq!(found, expected);

        let names = async |path: &str, options| {
            let entries = one.read_dir_with(path, options).await.unwrap();
            let entries = entries.sorted().await.unwrap().into_iter();
            entries.map(|entry| entry.name).collect::<Vec<_>>()
        };
        let flat = ReadDirOptions::new();
        assert_eq!(names("/a", flat).await, ["b", "two"]);
        assert_eq!(names("/a/b", flat).await, ["three"]);
        assert_eq!(
            names("/a", flat.recursive(true)).await,
            ["b", "b/three", "two"]
        );
        let closed = flat.recursive(true).mounts(false);
        assert_eq!(names("/", closed).await, ["a", "one"]);
        assert_eq!(names("/a", closed).await, ["b", "two"]);

        for (path, key, mounted_at) in [
            ("/", one.key(), "/"),
            ("/a", two.key(), "/a"),
            ("/a/b", three.key(), "/a/b"),
        ] {
            let holder = one.holder(path).await.unwrap();
            assert_eq!(
                (holder.drive().key(), &*holder.mounted_at()),
                (key, mounted_at)
            );
        }
        assert_eq!(
            one.holder("/a/b")
                .await
                .unwrap()
                .inner_path("/a/b/x")
                .as_deref(),
            Some("/x")
        );
    });
}

#[test]
fn the_mounts_of_a_drive_are_listed_with_and_without_those_within() {
    block_on(async {
        let [one, two, three] = three().await;
        let keys = |mounts: BTreeMap<String, Mounted>| {
            let mounts = mounts.into_iter();
            mounts
                .map(|(path, at)| (path, at.drive.key()))
                .collect::<Vec<_>>()
        };
        let flat = keys(one.mounts(false).await.unwrap());
        assert_eq!(
            flat,
            [("/".to_owned(), one.key()), ("/a".to_owned(), two.key())]
        );
        let all = keys(one.mounts(true).await.unwrap());
        assert_eq!(all[..2], flat);
        assert_eq!(all[2..], [("/a/b".to_owned(), three.key())]);
        assert_eq!(
            keys(three.mounts(true).await.unwrap()),
            [("/".to_owned(), three.key())]
        );
    });
}

#[test]
fn fault_d3_a_mounted_version_stays_as_it_is_and_is_not_written() {
    block_on(async {
        let [one, two, _] = three().await;
        write(&two, "/file", "old").await;
        let version = two.version();
        write(&two, "/file", "new").await;
        write(&two, "/later", "x").await;
        let plain = Attributes::new();
        let mount = Mount::drive(two.key()).at_version(version);
        one.mount("/then", mount, &plain).await.unwrap();
        assert_eq!(text(&one, "/then/file").await, "old");
        assert_eq!(text(&one, "/a/file").await, "new");
        assert!(!one.exists("/then/later").await.unwrap());

        let now = two.version();
        let refused = [
            one.write_file("/then/file", "x", &plain).await.map(drop),
            one.mkdir("/then/folder", &plain).await.map(drop),
            one.symlink("file", "/then/link", &plain).await.map(drop),
            one.unlink("/then/file").await,
            one.rmdir("/then/folder").await,
            one.rename("/then/file", "/then/other").await,
            one.copy("/then/file", "/then/other").await,
            one.copy("/one", "/then/one").await,
            one.set_mode("/then/file", 0o600).await,
            one.set_metadata("/then/file", "k", None).await.map(drop),
            one.remove_all("/then/file").await,
            one.mount("/then/m", Mount::drive(one.key()), &plain)
                .await
                .map(drop),
            one.unmount("/then/b").await,
        ];
        for refused in refused {
            let error = refused.unwrap_err();
            assert!(
                matches!(error, DriveError::Checkout { version: at } if at == version),
                "{error:?}"
            );
            assert_eq!(error.errno_name(), Some("EROFS"));
        }
        assert_eq!(two.version(), now);
        assert_eq!(text(&two, "/later").await, "x");
        one.copy("/then/file", "/copied").await.unwrap();
        assert_eq!(text(&one, "/copied").await, "old");
    });
}

#[test]
fn a_mounted_log_is_a_file_with_all_that_it_holds() {
    block_on(async {
        let store = store();
        let one = drive_in(&store, "1").await;
        let log = store.create().unwrap();
        log.append_batch(&["first ", "second"]).unwrap();
        let plain = Attributes::new();
        let stat = one
            .mount("/log", Mount::log(log.public_key()), &plain)
            .await
            .unwrap();
        assert!(stat.is_file());
        assert_eq!((stat.size, stat.blocks), (12, 2));
        assert_eq!(text(&one, "/log").await, "first second");
        log.append(", third").unwrap();
        assert_eq!(text(&one, "/log").await, "first second, third");
        let part = one
            .read("/log", 4..9)
            .await
            .unwrap()
            .gather()
            .await
            .unwrap();
        assert_eq!(part, "t sec");
        assert_eq!(errno(one.read_dir("/log", false).await), "ENOTDIR");
        assert_eq!(errno(one.read_file("/log/below").await), "ENOTDIR");
        one.copy("/log", "/copy").await.unwrap();
        assert_eq!(text(&one, "/copy").await, "first second, third");
        assert_eq!(one.stat("/copy").await.unwrap().mount, None);
        one.unmount("/log").await.unwrap();
        assert_eq!(listing(&one).await, ["/copy"]);
    });
}

#[test]
fn symlinks_lead_into_mounts_and_out_of_them() {
    block_on(async {
        let [one, two, _] = three().await;
        let plain = Attributes::new();
        for (target, link) in [
            ("a/two", "/in"),
            ("a/b", "/folder"),
            ("../one", "/a/up"),
            ("/one", "/a/absolute"),
            ("../../a/b", "/a/b/round"),
        ] {
            one.symlink(target, link, &plain).await.unwrap();
        }
        assert_eq!(text(&one, "/in").await, "2");
        assert_eq!(text(&one, "/folder/three").await, "3");
        assert_eq!(text(&one, "/a/up").await, "1");
        assert_eq!(text(&one, "/a/absolute").await, "1");
        assert_eq!(text(&one, "/a/b/round/round/three").await, "3");
        assert_eq!(
            one.real_path("/folder/round/three").await.unwrap(),
            "/a/b/three"
        );
        // Seen from the mounted drive itself there is nothing above it.
        assert_eq!(errno(two.read_file("/up").await), "ENOENT");
        write(&one, "/folder/new", "n").await;
        assert_eq!(text(&two, "/b/new").await, "n");
        one.write_file("/a/up", "1 again", &plain).await.unwrap();
        assert_eq!(text(&one, "/one").await, "1 again");
        one.symlink("/a/loop2", "/loop", &plain).await.unwrap();
        one.symlink("/loop", "/a/loop2", &plain).await.unwrap();
        assert_eq!(errno(one.stat("/loop").await), "ELOOP");
    });
}

#[test]
fn a_circle_of_mounts_is_walked_once_and_paths_go_round_it() {
    block_on(async {
        let store = store();
        let [one, two] = ["1", "2"].map(|name| block_on(drive_in(&store, name)));
        mount(&one, "/a", &two).await;
        mount(&two, "/b", &one).await;
        mount(&one, "/self", &one).await;
        write(&one, "/x", "x").await;
        write(&two, "/y", "y").await;
        let expected = ["/a", "/a/b", "/a/y", "/self", "/x"];
        assert_eq!(listing(&one).await, expected);
        assert_eq!(text(&one, "/a/b/a/b/self/self/a/y").await, "y");
        assert_eq!(one.mounts(true).await.unwrap().len(), 4);
        let far = format!("{}x", "/self".repeat(hypertrie::MAX_MOUNT_DEPTH));
        let far = far.replace("fx", "f/x");
        assert_eq!(text(&one, &far).await, "x");
        let error = one.read_file(&format!("/self{far}")).await.unwrap_err();
        assert!(
            matches!(error, DriveError::TooManyMounts { limit: 32 }),
            "{error:?}"
        );
        write(&one, "/a/b/a/b/z", "z").await;
        assert_eq!(text(&one, "/z").await, "z");
    });
}

#[test]
fn what_is_mounted_can_be_written_where_the_outer_drive_cannot() {
    block_on(async {
        let theirs = store();
        let group = drive_in(&theirs, "group").await;
        let ours = store();
        let mine = drive_in(&ours, "mine").await;
        mount(&group, "/mine", &mine).await;
        write(&group, "/readme", "r").await;
        // The group's paths as a reader has them, here without a network.
        let copy = common::copy_in(&ours, &group).await;
        let _links = common::connect(&group, &copy);
        assert!(!copy.is_writable());
        write(&copy, "/mine/note", "n").await;
        assert_eq!(text(&mine, "/note").await, "n");
        let plain = Attributes::new();
        assert_eq!(errno(copy.write_file("/note", "n", &plain).await), "EROFS");
        assert_eq!(errno(copy.rename("/mine/note", "/note").await), "EXDEV");
        copy.rename("/mine/note", "/mine/moved").await.unwrap();
        assert_eq!(listing(&copy).await, ["/mine", "/mine/moved", "/readme"]);
        // The other way round: in their store there is no key for what is mounted.
        let error = group.write_file("/mine/x", "x", &plain).await;
        assert_eq!(errno(error), "EROFS");
        assert_eq!(errno(group.read_file("/mine/x").await), "ENOENT");
    });
}
