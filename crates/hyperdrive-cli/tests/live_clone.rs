//! `share --watch` stores what changes, and `clone --live` follows it.

mod common;

use std::fs;

use common::{Place, sample, tree, write};

#[test]
fn changes_arrive_while_both_run() {
    let place = Place::new();
    sample(&place.folder("source"));
    let mut sharing = place.share_with("author", "source", &["--watch"]);
    let args = [
        "clone",
        &sharing.link,
        "copy",
        "--live",
        "--peer",
        &sharing.address,
    ];
    let mut clone = place.start("reader", &args);
    clone.stderr_with("version ");
    assert_eq!(tree(&place.path("copy")), tree(&place.path("source")));

    write(&place.path("source"), "new/file.txt", "new\n");
    sharing.process.stderr_with("1 file written");
    clone.stderr_with("1 file written");
    assert_eq!(tree(&place.path("copy")), tree(&place.path("source")));

    fs::remove_file(place.path("source/hello.txt")).unwrap();
    sharing.process.stderr_with(" 1 removed");
    clone.stderr_with("version ");
    assert_eq!(tree(&place.path("copy")), tree(&place.path("source")));

    clone.interrupt();
    clone.end();
}

#[test]
fn a_version_cannot_be_followed() {
    let place = Place::new();
    let link = format!("hyper://{}+3/", "ab".repeat(32));
    place
        .run("reader", &["clone", &link, "copy", "--live"])
        .expect(2)
        .tells("--live");
}
