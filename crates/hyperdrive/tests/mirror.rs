//! Folders go into a drive and come out of it again.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use common::{drive, export, import, tree};
use futures_lite::future::block_on;
use hyperdrive::Attributes;
use hyperdrive::mirror::Written;

/// A folder with what folders may contain.
fn awkward(folder: &Path) {
    fs::create_dir_all(folder.join("deep/er/and/deeper/still")).unwrap();
    fs::create_dir(folder.join("empty folder")).unwrap();
    fs::write(folder.join("empty"), "").unwrap();
    fs::write(folder.join("hello.txt"), "hello").unwrap();
    fs::write(folder.join("deep/er/and/deeper/still/x"), "x").unwrap();
    fs::write(folder.join("日本語.txt"), "こんにちは").unwrap();
    fs::write(folder.join(".hidden"), "h").unwrap();
    fs::write(folder.join("large"), vec![7; 200_000]).unwrap();
    fs::write(folder.join("script.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(folder.join("script.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("hello.txt", folder.join("link")).unwrap();
    symlink("../hello.txt", folder.join("deep/up")).unwrap();
    symlink("nowhere", folder.join("dangling")).unwrap();
    let old = UNIX_EPOCH + Duration::from_millis(1_500_000_000_123);
    fs::File::open(folder.join("hello.txt"))
        .unwrap()
        .set_modified(old)
        .unwrap();
}

#[test]
fn what_comes_out_is_what_went_in() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        awkward(&from);
        symlink(
            from.canonicalize().unwrap().join("large"),
            from.join("deep/absolute"),
        )
        .unwrap();
        let drive = drive().await;
        let imported = import(&from, &drive, &Written::new()).await;
        assert_eq!(imported.warnings, []);
        assert_eq!(drive.read_link("/deep/absolute").await.unwrap(), "/large");

        let exported = export(&drive, &to, &Written::new()).await;
        assert_eq!(exported.warnings, []);
        let mut expected = tree(&from);
        expected.insert("deep/absolute".into(), b"-> ../large".to_vec());
        assert_eq!(tree(&to), expected);
        for name in ["hello.txt", "script.sh"] {
            let (a, b) = (
                from.join(name).metadata().unwrap(),
                to.join(name).metadata().unwrap(),
            );
            assert_eq!(a.permissions().mode(), b.permissions().mode());
            let time = |t: &fs::Metadata| {
                t.modified()
                    .unwrap()
                    .duration_since(UNIX_EPOCH)
                    .unwrap()
                    .as_millis()
            };
            assert_eq!(time(&a), time(&b));
        }
        let again = export(&drive, &to, &exported.written).await;
        assert_eq!((again.files, again.removed, again.warnings), (0, 0, vec![]));
    });
}

#[test]
fn only_changes_cost_blocks() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        awkward(dir.path());
        let drive = drive().await;
        let first = import(dir.path(), &drive, &Written::new()).await;
        let lengths = || (drive.version(), drive.content_now().unwrap().length());
        let before = lengths();
        let second = import(dir.path(), &drive, &first.written).await;
        assert_eq!(lengths(), before);
        assert_eq!(second.written, first.written);
        assert_eq!(second.files, 0);

        // Touched, but the same: an entry, and no content.
        let file = fs::File::open(dir.path().join("large")).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1))
            .unwrap();
        let third = import(dir.path(), &drive, &second.written).await;
        assert_eq!(lengths(), (before.0 + 1, before.1));
        assert_eq!(drive.stat("/large").await.unwrap().mtime, 1000);

        fs::write(dir.path().join("hello.txt"), "hello again").unwrap();
        let fourth = import(dir.path(), &drive, &third.written).await;
        assert_eq!((fourth.files, fourth.bytes), (1, 11));
        assert_eq!(lengths(), (before.0 + 2, before.1 + 1));
        assert_eq!(drive.read_file("/hello.txt").await.unwrap(), "hello again");
    });
}

#[test]
fn only_what_was_shared_is_unlinked() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("mine"), "1").unwrap();
        fs::write(dir.path().join("stays"), "2").unwrap();
        let drive = drive().await;
        let first = import(dir.path(), &drive, &Written::new()).await;
        drive
            .write_file("/theirs", "3", &Attributes::new())
            .await
            .unwrap();
        fs::remove_file(dir.path().join("mine")).unwrap();
        let second = import(dir.path(), &drive, &first.written).await;
        assert_eq!(
            (second.removed, second.foreign),
            (1, vec!["theirs".to_owned()])
        );
        assert!(!drive.exists("/mine").await.unwrap());
        assert!(drive.exists("/theirs").await.unwrap());
    });
}

#[test]
fn files_and_folders_change_places() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("b")).unwrap();
        fs::write(from.join("a"), "file").unwrap();
        fs::write(from.join("b/x"), "below").unwrap();
        let drive = drive().await;
        let imported = import(&from, &drive, &Written::new()).await;
        let exported = export(&drive, &to, &Written::new()).await;

        fs::remove_file(from.join("a")).unwrap();
        fs::remove_dir_all(from.join("b")).unwrap();
        fs::create_dir(from.join("a")).unwrap();
        fs::write(from.join("a/x"), "below").unwrap();
        fs::write(from.join("b"), "file").unwrap();
        let imported = import(&from, &drive, &imported.written).await;
        assert_eq!(imported.warnings, []);
        let exported = export(&drive, &to, &exported.written).await;
        assert_eq!(exported.warnings, []);
        assert_eq!(tree(&to), tree(&from));
    });
}

#[test]
fn what_a_drive_cannot_hold_is_named() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("good"), "1").unwrap();
        fs::write(dir.path().join(r"back\slash"), "2").unwrap();
        fs::write(dir.path().join(OsStr::from_bytes(b"not \xff utf-8")), "3").unwrap();
        symlink("/etc/passwd", dir.path().join("outside")).unwrap();
        symlink("../..", dir.path().join("above")).unwrap();
        let drive = drive().await;
        let imported = import(dir.path(), &drive, &Written::new()).await;
        let mut left_out: Vec<&str> = imported.warnings.iter().map(|w| w.path.as_str()).collect();
        left_out.sort_unstable();
        assert_eq!(
            left_out,
            ["above", r"back\slash", "not \u{fffd} utf-8", "outside"]
        );
        assert_eq!(imported.files, 1);
        assert_eq!(drive.version(), 2);
    });
}

#[test]
fn what_others_put_into_the_folder_stays() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let drive = drive().await;
        drive
            .write_file("/a", "from the drive", &Attributes::new())
            .await
            .unwrap();
        drive
            .write_file("/b", "from the drive", &Attributes::new())
            .await
            .unwrap();
        fs::write(dir.path().join("a"), "precious").unwrap();
        fs::write(dir.path().join("other"), "precious").unwrap();
        let exported = export(&drive, dir.path(), &Written::new()).await;
        assert_eq!(exported.warnings.len(), 1);
        assert_eq!(exported.warnings[0].path, "a");
        drive.unlink("/a").await.unwrap();
        drive.unlink("/b").await.unwrap();
        let exported = export(&drive, dir.path(), &exported.written).await;
        assert_eq!(exported.removed, 1);
        let tree = tree(dir.path());
        assert_eq!(
            tree.keys().map(String::as_str).collect::<Vec<_>>(),
            ["a", "other"]
        );
    });
}
