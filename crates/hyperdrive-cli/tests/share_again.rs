//! Sharing a folder again continues its drive, and stores only what changed.

mod common;

use std::fs;

use common::{Place, Thing, sample, tree, write};

/// The link, and the lengths of both logs.
fn lengths(place: &Place, link: &str) -> (u64, u64) {
    let info = place
        .run("author", &["info", link, "--json"])
        .expect(0)
        .json();
    let length = |log: &str| info[log]["length"].as_u64().expect("a length");
    (length("metadata"), length("content"))
}

#[track_caller]
fn share_once(place: &Place) -> String {
    let sharing = place.share("author", "source");
    sharing.process.interrupt();
    sharing.process.end();
    sharing.link
}

#[test]
fn unchanged_files_cost_no_blocks() {
    let place = Place::new();
    sample(&place.folder("source"));
    let link = share_once(&place);
    let before = lengths(&place, &link);
    assert!(before.1 > 10);
    assert_eq!(share_once(&place), link);
    assert_eq!(lengths(&place, &link), before);
}

#[test]
fn a_changed_file_costs_its_own_blocks() {
    let place = Place::new();
    sample(&place.folder("source"));
    let link = share_once(&place);
    let (_, before) = lengths(&place, &link);
    write(&place.path("source"), "hello.txt", "hello again\n");
    assert_eq!(share_once(&place), link);
    assert_eq!(lengths(&place, &link).1, before + 1);
    let read = place
        .run("author", &["cat", &format!("{link}hello.txt")])
        .expect(0);
    assert_eq!(read.text(), "hello again\n");
}

#[test]
fn a_removed_file_is_removed_and_the_rest_stays() {
    let place = Place::new();
    sample(&place.folder("source"));
    let link = share_once(&place);
    fs::remove_file(place.path("source/hello.txt")).unwrap();
    fs::remove_dir_all(place.path("source/docs")).unwrap();
    assert_eq!(share_once(&place), link);
    place.run("author", &["clone", &link, "copy"]).expect(0);
    assert_eq!(tree(&place.path("copy")), tree(&place.path("source")));
}

#[test]
fn a_file_becomes_a_folder_and_the_reverse() {
    let place = Place::new();
    write(&place.folder("source"), "a", "a file");
    write(&place.path("source"), "b/c", "in a folder");
    let link = share_once(&place);
    fs::remove_file(place.path("source/a")).unwrap();
    fs::remove_dir_all(place.path("source/b")).unwrap();
    write(&place.path("source"), "a/x", "in a folder now");
    write(&place.path("source"), "b", "a file now");
    share_once(&place);
    place.run("author", &["clone", &link, "copy"]).expect(0);
    let copy = tree(&place.path("copy"));
    assert_eq!(copy["b"], Thing::File(b"a file now".to_vec()));
    assert_eq!(copy, tree(&place.path("source")));
}

#[test]
fn nothing_is_written_into_the_shared_folder() {
    let place = Place::new();
    sample(&place.folder("source"));
    let before = tree(&place.path("source"));
    share_once(&place);
    assert_eq!(tree(&place.path("source")), before);
}

#[test]
fn two_folders_are_two_drives() {
    let place = Place::new();
    write(&place.folder("source"), "a", "one");
    write(&place.folder("other"), "a", "other");
    let link = share_once(&place);
    let other = place.share("author", "other");
    assert_ne!(other.link, link);
    let read = place.run(
        "reader",
        &["cat", &format!("{link}a"), "--peer", &other.address],
    );
    // The process serves every core of its store, not only the folder that it was started for.
    assert_eq!(read.expect(0).text(), "one");
}
