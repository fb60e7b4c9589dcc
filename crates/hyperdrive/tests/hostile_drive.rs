//! Whatever a drive contains, an export stays in its folder and ends.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use std::fs;

use common::{drive, export, put_raw, tree};
use futures_lite::future::block_on;
use hyperdrive::mirror::Written;
use hyperdrive::{Attributes, Drive, FileType, OpenOptions, Stat};

/// An entry for a file that has the content of another.
async fn file(drive: &Drive) -> Stat {
    drive
        .write_file("/good", "good", &Attributes::new())
        .await
        .unwrap()
}

fn link(target: &str) -> Stat {
    let mut stat = Stat::new(FileType::Symlink, 0o777);
    stat.linkname = Some(target.to_owned());
    stat
}

#[test]
fn fault_d1_names_that_lead_out_are_named_and_left_out() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        let drive = drive().await;
        let stat = file(&drive).await;
        let keys = [
            "../../etc/x",
            "..",
            "a/../../x",
            "nul\0name",
            "x//y",
            r"c\d",
            "./e",
            "a/./b",
        ];
        for key in keys {
            put_raw(&drive, key, &stat).await;
        }
        let exported = export(&drive, &target, &Written::new()).await;
        let mut left_out: Vec<&str> = exported.warnings.iter().map(|w| w.path.as_str()).collect();
        left_out.sort_unstable();
        let mut expected = keys.to_vec();
        expected.sort_unstable();
        assert_eq!(left_out, expected);
        assert_eq!(tree(&target).len(), 1);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    });
}

#[test]
fn fault_d1_names_that_other_systems_fear_are_written_or_named() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let drive = drive().await;
        let stat = file(&drive).await;
        let (long, longest) = ("n".repeat(300), "m".repeat(255));
        let keys = [
            "CON",
            "nul",
            "a.",
            "a ",
            "x:y",
            "Case",
            "case",
            "new\nline",
            &longest,
        ];
        for key in keys.into_iter().chain([long.as_str()]) {
            put_raw(&drive, key, &stat).await;
        }
        let exported = export(&drive, dir.path(), &Written::new()).await;
        let left_out: Vec<&str> = exported.warnings.iter().map(|w| w.path.as_str()).collect();
        assert_eq!(left_out, [long]);
        let mut written: Vec<String> = tree(dir.path()).into_keys().collect();
        written.sort_unstable();
        let mut expected = keys.map(str::to_owned).to_vec();
        expected.push("good".to_owned());
        expected.sort_unstable();
        assert_eq!(written, expected);
    });
}

#[test]
fn fault_d1_reading_through_a_loop_ends_with_eloop() {
    block_on(async {
        let drive = drive().await;
        file(&drive).await;
        for (key, to) in [
            ("l1", "l2"),
            ("l2", "l1"),
            ("self", "self/x"),
            ("40", "good"),
        ] {
            put_raw(&drive, key, &link(to)).await;
        }
        // A chain of 40 is followed, one of 41 is not.
        for number in (0..40).rev() {
            put_raw(
                &drive,
                &number.to_string(),
                &link(&(number + 1).to_string()),
            )
            .await;
        }
        assert_eq!(drive.read_file("/1").await.unwrap(), "good");
        let read = OpenOptions::new().read(true);
        for path in ["/l1", "/l1/x", "/self", "/0"] {
            let errors = [
                drive.read_file(path).await.unwrap_err(),
                drive.stat(path).await.unwrap_err(),
                drive.read_dir(path, true).await.unwrap_err(),
                drive.open_file(path, read).await.unwrap_err(),
                drive.download(path).await.unwrap_err(),
                drive
                    .write_file(path, "x", &Attributes::new())
                    .await
                    .unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.errno_name(), Some("ELOOP"), "{path}: {error}");
            }
        }
    });
}

#[test]
fn fault_d1_links_that_lead_out_are_left_out_and_loops_do_no_harm() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        let drive = drive().await;
        file(&drive).await;
        for (key, to) in [("out", "../x"), ("d/out", "/../x"), ("abs", "/etc/passwd")] {
            put_raw(&drive, key, &link(to)).await;
        }
        for (key, to) in [
            ("l1", "l2"),
            ("l2", "l1"),
            ("d/up", ".."),
            ("d/e/trick", "../up/.."),
        ] {
            put_raw(&drive, key, &link(to)).await;
        }
        let exported = export(&drive, &target, &Written::new()).await;
        let mut left_out: Vec<&str> = exported.warnings.iter().map(|w| w.path.as_str()).collect();
        left_out.sort_unstable();
        assert_eq!(left_out, ["d/out", "out"]);
        let written = tree(&target);
        assert_eq!(written["abs"], b"-> etc/passwd");
        assert_eq!(written["d/up"], b"-> ..");
        // `d/up` is the root, so that the system would read `../up/..` as the folder above it.
        assert_eq!(written["d/e/trick"], b"-> ..");
        assert_eq!(written["l1"], b"-> l2");
    });
}

#[test]
fn fault_d1_a_link_and_files_below_it_never_meet() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let (target, outside) = (dir.path().join("target"), dir.path().join("outside"));
        fs::create_dir_all(&target).unwrap();
        fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, target.join("pictures")).unwrap();
        let drive = drive().await;
        let stat = file(&drive).await;
        put_raw(&drive, "pictures/x", &stat).await;
        put_raw(&drive, "both", &stat).await;
        put_raw(&drive, "both/child", &stat).await;
        let exported = export(&drive, &target, &Written::new()).await;
        let mut left_out: Vec<&str> = exported.warnings.iter().map(|w| w.path.as_str()).collect();
        left_out.sort_unstable();
        assert_eq!(left_out, ["both", "pictures/x"]);
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        assert_eq!(tree(&target)["both/child"], b"good");
    });
}

#[test]
fn fault_d2_entries_that_lie_about_their_content_are_named() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let drive = drive().await;
        let good = file(&drive).await;
        type Lie = fn(&mut Stat);
        let lies: [(&str, Lie); 4] = [
            ("nothing", |stat| (stat.size, stat.blocks) = (1 << 50, 0)),
            ("overflow", |stat| stat.offset = u64::MAX),
            ("short", |stat| stat.size = 5),
            ("setuid", |stat| stat.mode |= 0o7000),
        ];
        for (key, lie) in lies {
            let mut stat = good.clone();
            lie(&mut stat);
            put_raw(&drive, key, &stat).await;
        }
        let exported = export(&drive, dir.path(), &Written::new()).await;
        let mut left_out: Vec<&str> = exported.warnings.iter().map(|w| w.path.as_str()).collect();
        left_out.sort_unstable();
        assert_eq!(left_out, ["nothing", "overflow", "short"]);
        use std::os::unix::fs::PermissionsExt;
        let mode = dir
            .path()
            .join("setuid")
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o644);
        let again = export(&drive, dir.path(), &exported.written).await;
        assert_eq!(again.files, 0);
    });
}
