//! Node serves; `hyperdrive clone` downloads.

use std::fs;
use std::path::Path;

use interop::{Entry, Tree};
use serde_json::json;

use crate::sample;
use crate::served::Served;

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

#[cfg(unix)]
#[test]
fn links_that_stay_inside() {
    check(sample::links_inside);
}

#[cfg(unix)]
#[test]
fn absolute_links_become_relative() {
    let mut served = Served::new();
    served.write("/sub/target.txt", "text");
    served.link("/sub/deep/link", "/sub/target.txt");
    served.link("/root", "/");
    served.clone().expect(0);
    let target = served.target();
    let link = fs::read_link(target.join("sub/deep/link")).expect("it is a link");
    assert_eq!(link, Path::new("../target.txt"));
    assert_eq!(
        fs::read(target.join("sub/deep/link")).ok().as_deref(),
        Some(&b"text"[..])
    );
    let root = fs::canonicalize(target.join("root")).expect("the link leads somewhere");
    assert_eq!(
        root,
        fs::canonicalize(&target).expect("the folder is there")
    );
}

#[cfg(unix)]
#[test]
fn fault_d1_links_that_leave_the_drive_are_left_out_and_named() {
    let mut served = Served::new();
    served.write("/kept.txt", "kept");
    served.link("/sub/escape", "../../outside");
    let ended = served.clone().expect(3);
    assert!(ended.stderr.contains("escape"), "{}", ended.stderr);
    expect_only(&served, &["kept.txt"]);
}

#[cfg(unix)]
#[test]
fn fault_d1_nothing_is_written_through_a_link() {
    // A drive may name a file below a link; a folder cannot hold both.
    let mut served = Served::new();
    let outside = served.scratch.path().join("outside");
    fs::create_dir(&outside).expect("a folder");
    served.write("/kept.txt", "kept");
    served.link("/link", "../outside");
    served.write("/link/file", "must not leave");
    served.clone().expect(3);
    assert_eq!(Tree::of_folder(&outside), Tree::default());
}

#[test]
fn fault_d1_paths_that_climb_out_are_left_out_and_named() {
    let mut served = Served::new();
    served.write("/kept.txt", "kept");
    for path in ["/a/../../../climbed", "/..", "/x/.."] {
        served.write(path, "must not leave");
    }
    let ended = served.clone().expect(3);
    assert!(ended.stderr.contains("climbed"), "{}", ended.stderr);
    expect_only(&served, &["kept.txt"]);
    assert!(!served.scratch.path().join("climbed").exists());
}

#[test]
fn fault_d1_names_with_nul_are_left_out_and_named() {
    let mut served = Served::new();
    served.write("/kept.txt", "kept");
    served.write("/bad\0name", "unwritable");
    let ended = served.clone().expect(3);
    assert!(ended.stderr.contains("name"), "{}", ended.stderr);
    expect_only(&served, &["kept.txt"]);
}

#[test]
fn a_name_that_is_a_file_and_a_folder_loses_nothing_else() {
    let mut served = Served::new();
    for path in ["/both", "/both/child", "/kept.txt"] {
        served.write(path, path);
    }
    let ended = served.clone().expect(3);
    assert!(ended.stderr.contains("both"), "{}", ended.stderr);
    let kept = fs::read_to_string(served.target().join("kept.txt"));
    assert_eq!(kept.ok().as_deref(), Some("/kept.txt"));
}

/// The first such file ended the clone after the whole timeout, and nothing else was written.
#[test]
fn content_that_nobody_has_keeps_nothing_else_back() {
    let mut served = Served::new();
    served.write("/kept.txt", "kept");
    let beyond = json!({ "offset": 1000, "blocks": 5, "size": 10, "byteOffset": 0 });
    let huge =
        json!({ "offset": 0, "blocks": 1_u64 << 40, "size": (1_u64 << 53) - 1, "byteOffset": 0 });
    for (path, stat) in [("a beyond", beyond), ("huge", huge)] {
        served
            .node
            .ask("drive.entry", json!({ "path": path, "stat": stat }));
    }
    served.node.ask(
        "drive.entry",
        json!({ "path": "garbage", "hex": "ffffffff" }),
    );
    served.clone_of("", &["--timeout", "3"]).wait().expect(5);
    expect_only(&served, &["kept.txt"]);
}

#[test]
fn a_version_in_the_link_is_the_drive_as_it_was() {
    let mut served = Served::new();
    served.write("/file", "first");
    let version = served.node.ask("drive.state", json!({}))["version"].clone();
    served.write("/file", "second");
    served.write("/later", "later");
    served
        .clone_of(&format!("+{version}"), &[])
        .wait()
        .expect(0);
    expect_only(&served, &["file"]);
    let file = fs::read_to_string(served.target().join("file"));
    assert_eq!(file.ok().as_deref(), Some("first"));
}

/// Serves what `make` puts into a folder, and compares what is cloned.
#[track_caller]
fn check(make: impl FnOnce(&Path)) {
    let (served, folder) = Served::folder(make);
    served.clone().expect(0);
    Tree::of_folder(&served.target()).expect(&Tree::of_folder(&folder));
}

/// Checks that these files have been cloned, and no others.
#[track_caller]
fn expect_only(served: &Served, files: &[&str]) {
    let found = Tree::of_folder(&served.target());
    let others = found.0.iter().filter(|(_, entry)| **entry != Entry::Folder);
    assert!(others.map(|(path, _)| path).eq(files), "{found:?}");
}
