//! A storage that cannot be used ends in status 10, and loses nothing.

mod common;

use std::fs;

use common::{Place, sample};

#[test]
fn a_file_in_the_way() {
    let place = Place::new();
    sample(&place.folder("source"));
    fs::write(place.path("storage"), "not a folder").unwrap();
    place
        .run("storage", &["share", "source"])
        .expect(10)
        .tells("storage");
    assert_eq!(fs::read(place.path("storage")).unwrap(), b"not a folder");
}

#[test]
fn a_storage_inside_the_shared_folder_is_left_out() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("source/deep/storage", "source");
    let listed = place.run(
        "reader",
        &["ls", &sharing.link, "-R", "--peer", &sharing.address],
    );
    let listed = listed.expect(0).text();
    assert!(listed.contains("hello.txt\n"), "{listed}");
    assert!(!listed.contains("storage"), "{listed}");
}

#[test]
fn the_storage_itself_is_not_shared() {
    let place = Place::new();
    sample(&place.folder("storage/readers"));
    for folder in ["storage", "storage/readers"] {
        place
            .run("storage", &["share", folder])
            .expect(2)
            .tells("secret keys");
    }
}
