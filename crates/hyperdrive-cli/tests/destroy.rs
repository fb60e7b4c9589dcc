//! A drive is removed from the storage, one that is written here only if that is meant.

mod common;

use common::{Place, noise, sample, transcript, tree, write};

#[test]
fn a_copy_is_removed_and_can_be_fetched_again() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    let link = &sharing.link;
    let clone = ["clone", link, "copy", "--peer", &sharing.address];
    place.run("reader", &clone).expect(0);
    let gone = place.run("reader", &["destroy", link, "--json"]).expect(0);
    assert!(gone.json()["bytes"].as_u64().unwrap() > 700_000);
    place.run("reader", &["ls", link]).expect(5);
    let again = place.run("reader", &["destroy", link]).expect(0).text();
    assert_eq!(again, "0 bytes (0 B) are free\n");
    place
        .run(
            "reader",
            &["clone", link, "again", "--peer", &sharing.address],
        )
        .expect(0);
    assert_eq!(tree(&place.path("again")), tree(&place.path("source")));
    // Who shares it holds the storage.
    place
        .run("author", &["destroy", link, "--force"])
        .expect(11);
}

#[test]
fn an_own_drive_needs_force_and_its_folder_gets_a_new_one() {
    let place = Place::new();
    write(&place.folder("source"), "a", "first\n");
    let share = || {
        let sharing = place.share("author", "source");
        sharing.process.interrupt();
        sharing.process.end();
        sharing.link
    };
    let link = share();
    place
        .run("author", &["destroy", &link])
        .expect(6)
        .tells("--force");
    assert_eq!(share(), link);
    place
        .run("author", &["destroy", &link, "--force"])
        .expect(0);
    let new = share();
    assert_ne!(new, link);
    let file = format!("{link}a");
    place.run("author", &["cat", &file]).expect(5);
    place.run("author", &["put", &file, "source/a"]).expect(6);
    let file = format!("{new}a");
    let read = place.run("author", &["cat", &file]).expect(0);
    assert_eq!(read.text(), "first\n");
}

#[test]
fn a_part_of_a_drive_is_not_destroyed() {
    let place = Place::new();
    let key = "ab".repeat(32);
    for link in [format!("hyper://{key}/a"), format!("hyper://{key}+3/")] {
        place.run("mine", &["destroy", &link]).expect(2);
    }
}

#[test]
fn content_defined_blocks_are_about_16_kib() {
    let place = Place::new();
    let folder = place.folder("source");
    std::fs::write(folder.join("big"), noise(7, 4 << 20)).unwrap();
    let blocks = |storage: &str, more: &[&str]| {
        let sharing = place.share_with(storage, "source", more);
        let file = format!("{}big", sharing.link);
        let stat = place.run(storage, &["stat", &file, "--json"]).expect(0);
        assert!(place.run(storage, &["cat", &file]).stdout == noise(7, 4 << 20));
        sharing.process.interrupt();
        sharing.process.end();
        stat.json()["blocks"].as_u64().unwrap()
    };
    assert_eq!(blocks("fixed", &[]), 64);
    let cut = blocks("cut", &["--content-defined"]);
    assert!((128..512).contains(&cut), "{cut} blocks");
}

#[test]
fn the_transcript_is_true() {
    transcript::check(&Place::new(), "destroy", &[]);
}
