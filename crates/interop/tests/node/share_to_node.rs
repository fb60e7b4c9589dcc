//! `hyperdrive share` serves; Node reads.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use interop::Tree;
use serde_json::json;

use crate::sample;
use crate::shared::Shared;

#[test]
fn every_kind_of_file() {
    check(sample::everything);
}

#[test]
fn a_thousand_small_files() {
    check(sample::thousand_files);
}

#[test]
fn a_file_of_64_mib() {
    check(|folder| sample::file(&folder.join("large"), 64 << 20));
}

#[test]
fn an_empty_folder() {
    let share = Shared::new(|_| {});
    let mut node = share.reader();
    assert_eq!(node.ask("drive.read-tree", json!({}))["entries"], json!({}));
}

#[cfg(unix)]
#[test]
fn links_that_stay_inside() {
    check(sample::links_inside);
}

#[cfg(unix)]
#[test]
fn absolute_links_into_the_folder_are_absolute_in_the_drive() {
    let share = Shared::new(|folder| {
        sample::file(&folder.join("sub/target.txt"), 9);
        sample::link(&folder.join("sub/link"), folder.join("sub/target.txt"));
    });
    let mut node = share.reader();
    let read = node.ask("drive.read-tree", json!({}));
    assert_eq!(read["entries"]["/sub/link"]["target"], "/sub/target.txt");
    let through = node.ask("drive.read", json!({ "path": "/sub/link" }));
    assert_eq!(through["size"], 9);
}

#[cfg(unix)]
#[test]
fn links_that_leave_the_folder_are_left_out_and_named() {
    let share = Shared::new(|folder| {
        sample::file(&folder.join("kept.txt"), 3);
        sample::link(&folder.join("relative"), "../outside");
        sample::link(&folder.join("absolute"), "/etc/hosts");
    });
    let mut node = share.reader();
    let read = node.ask("drive.read-tree", json!({}));
    assert_eq!(
        read["entries"].as_object().map(|entries| entries.len()),
        Some(1),
        "{read}"
    );
    drop(node);
    let (_, ended) = share.end();
    for name in ["relative", "absolute"] {
        assert!(
            ended.stderr.contains(name),
            "{name} is not named in:\n{}",
            ended.stderr
        );
    }
}

#[test]
fn modes_and_times_are_carried_over() {
    let share = Shared::new(|folder| {
        sample::file(&folder.join("file"), 3);
        let file = fs::File::options()
            .append(true)
            .open(folder.join("file"))
            .expect("it opens");
        let time = UNIX_EPOCH + Duration::from_millis(1_600_000_000_123);
        file.set_modified(time).expect("the time can be set");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            file.set_permissions(fs::Permissions::from_mode(0o750))
                .expect("the mode can be set");
        }
    });
    let mut node = share.reader();
    let entry = &node.ask("drive.read-tree", json!({}))["entries"]["/file"];
    assert_eq!(entry["mtime"], 1_600_000_000_123_u64);
    if cfg!(unix) {
        assert_eq!(entry["mode"], 0o750);
    }
}

/// Shares what `make` puts into a folder, and compares what Node reads.
#[track_caller]
fn check(make: impl FnOnce(&Path)) {
    let share = Shared::new(make);
    let mut node = share.reader();
    let read = Tree::of_answer(&node.ask("drive.read-tree", json!({})));
    read.expect(&Tree::of_folder(&share.folder()));
}
