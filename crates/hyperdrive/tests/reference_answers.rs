//! Where the reference answers otherwise than POSIX, the module `compat` answers as it does.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use common::{drive, listing, store, text};
use futures_lite::future::block_on;
use hyperdrive::{Attributes, Drive, Mount, Options, ReadDirOptions, compat};

async fn names(drive: &Drive, path: &str) -> Vec<String> {
    let list = compat::read_dir(drive, path, ReadDirOptions::new()).await;
    let list = list.unwrap().sorted().await.unwrap();
    list.into_iter().map(|entry| entry.name).collect()
}

#[test]
fn a_missing_folder_and_a_file_list_nothing() {
    block_on(async {
        let drive = drive().await;
        let plain = Attributes::new();
        drive.write_file("/file", "x", &plain).await.unwrap();
        drive.mkdir("/empty", &plain).await.unwrap();
        drive.symlink("nowhere", "/dangling", &plain).await.unwrap();
        for path in ["/missing", "/file", "/empty", "/dangling", "/missing/below"] {
            assert_eq!(names(&drive, path).await, [""; 0], "{path}");
        }
        assert_eq!(names(&drive, "/").await, ["dangling", "empty", "file"]);
        let errors = ["/missing", "/file"].map(|path| block_on(drive.read_dir(path, false)));
        let errors = errors.map(|listing| listing.unwrap_err().errno_name().unwrap());
        assert_eq!(errors, ["ENOENT", "ENOTDIR"]);
    });
}

#[test]
fn a_path_is_a_file_and_a_folder_at_once() {
    block_on(async {
        let drive = drive().await;
        let plain = Attributes::new();
        compat::write_file(&drive, "/c", "file", &plain)
            .await
            .unwrap();
        compat::write_file(&drive, "/c/child", "below", &plain)
            .await
            .unwrap();
        assert_eq!(text(&drive, "/c").await, "file");
        assert_eq!(text(&drive, "/c/child").await, "below");
        assert_eq!(names(&drive, "/c").await, ["child"]);
        assert_eq!(names(&drive, "/").await, ["c"]);
        compat::write_file(&drive, "/d/child", "below", &plain)
            .await
            .unwrap();
        compat::write_file(&drive, "/d", "file", &plain)
            .await
            .unwrap();
        assert_eq!(listing(&drive).await, ["/c", "/c/child", "/d", "/d/child"]);
        compat::unlink(&drive, "/c").await.unwrap();
        assert_eq!(text(&drive, "/c/child").await, "below");
        let again = compat::unlink(&drive, "/c").await.unwrap_err();
        assert_eq!(again.errno_name(), Some("ENOENT"));
        compat::mkdir(&drive, "/c", &plain).await.unwrap();
        for taken in ["/c", "/d", "/"] {
            let error = compat::mkdir(&drive, taken, &plain).await.unwrap_err();
            assert_eq!(error.errno_name(), Some("EEXIST"), "{taken}");
        }
        let root = compat::write_file(&drive, "//", "x", &plain)
            .await
            .unwrap_err();
        assert_eq!(root.errno_name(), Some("EINVAL"));
    });
}

#[test]
fn a_link_is_replaced_and_not_followed_by_a_write() {
    block_on(async {
        let drive = drive().await;
        let plain = Attributes::new();
        drive.write_file("/target", "t", &plain).await.unwrap();
        drive.symlink("target", "/link", &plain).await.unwrap();
        compat::write_file(&drive, "/link", "own", &plain)
            .await
            .unwrap();
        assert_eq!(text(&drive, "/link").await, "own");
        assert_eq!(text(&drive, "/target").await, "t");
    });
}

#[test]
fn mounts_are_entered_and_replaced_with_both_their_entries() {
    block_on(async {
        let store = store();
        let [one, two] = ["1", "2"]
            .map(|name| block_on(Drive::create(&store.namespace(name), Options::new())).unwrap());
        let plain = Attributes::new();
        one.mount("/m", Mount::drive(two.key()), &plain)
            .await
            .unwrap();
        compat::write_file(&one, "/m/x", "x", &plain).await.unwrap();
        compat::mkdir(&one, "/m/folder", &plain).await.unwrap();
        assert_eq!(names(&two, "/").await, ["folder", "x"]);
        assert_eq!(names(&one, "/m").await, ["folder", "x"]);
        compat::unlink(&one, "/m/x").await.unwrap();
        let error = compat::unlink(&one, "/m/x").await.unwrap_err();
        assert_eq!(error.to_string(), "no such file or directory: '/m/x'");
        compat::write_file(&one, "/m", "file", &plain)
            .await
            .unwrap();
        assert_eq!(listing(&one).await, ["/m"]);
        assert_eq!(one.mounts(true).await.unwrap().len(), 1);
        compat::unlink(&one, "/m").await.unwrap();
        assert_eq!(listing(&two).await, ["/folder"]);
    });
}
