//! A seeder has everything, follows new versions, and serves when the author is gone.

mod common;

use std::fs;

use common::{Place, sample, tree, write};

#[test]
fn the_seeder_serves_after_the_author_left() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    let args = [
        "seed",
        &sharing.link,
        "--listen",
        "127.0.0.1:0",
        "--peer",
        &sharing.address,
    ];
    let mut seeder = place.start("seeder", &args);
    let address = seeder.address();
    seeder.stderr_with("complete at version");
    sharing.process.interrupt();
    sharing.process.end();

    place
        .run(
            "reader",
            &["clone", &sharing.link, "copy", "--peer", &address],
        )
        .expect(0);
    assert_eq!(tree(&place.path("copy")), tree(&place.path("source")));
    seeder.interrupt();
    assert_eq!(seeder.end().text(), "");
}

#[test]
fn the_seeder_follows_new_versions() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share_with("author", "source", &["--watch"]);
    let args = [
        "seed",
        &sharing.link,
        "--listen",
        "127.0.0.1:0",
        "--peer",
        &sharing.address,
    ];
    let mut seeder = place.start("seeder", &args);
    let address = seeder.address();
    seeder.stderr_with("complete at version");
    write(&place.path("source"), "later.txt", "later\n");
    seeder.stderr_with("complete at version");
    sharing.process.interrupt();
    sharing.process.end();

    let file = format!("{}later.txt", sharing.link);
    let read = place
        .run("reader", &["cat", &file, "--peer", &address])
        .expect(0);
    assert_eq!(read.text(), "later\n");
}

#[test]
fn own_drives_can_be_seeded_without_their_folder() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    sharing.process.interrupt();
    sharing.process.end();
    let before = tree(&place.path("source"));
    fs::rename(place.path("source"), place.path("elsewhere")).unwrap();

    let mut seeder = place.start(
        "author",
        &["seed", &sharing.link, "--listen", "127.0.0.1:0"],
    );
    let address = seeder.address();
    place
        .run(
            "reader",
            &["clone", &sharing.link, "copy", "--peer", &address],
        )
        .expect(0);
    assert_eq!(tree(&place.path("copy")), before);
}

#[test]
fn a_seeder_waits_for_the_first_peer() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    let mut seeder = place.start(
        "seeder",
        &["seed", &sharing.link, "--listen", "127.0.0.1:0"],
    );
    let address = seeder.address();
    // Somebody who has the drive comes along: another seeder that dials the first.
    let args = [
        "seed",
        &sharing.link,
        "--listen",
        "127.0.0.1:0",
        "--peer",
        &address,
        "--peer",
    ];
    let mut between = place.start("between", &[&args[..], &[&sharing.address]].concat());
    between.stderr_with("complete at version");
    seeder.stderr_with("complete at version");
}
