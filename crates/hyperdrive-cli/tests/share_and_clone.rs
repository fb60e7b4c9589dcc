//! A shared folder arrives as it is, and the link is all that stands on standard output.

mod common;

use common::{Place, sample, tree};

#[test]
fn the_clone_is_the_shared_folder() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    assert!(sharing.link.starts_with("hyper://") && sharing.link.ends_with('/'));
    assert_eq!(sharing.link.len(), "hyper://".len() + 64 + 1);

    let cloned = place.run(
        "reader",
        &["clone", &sharing.link, "copy", "--peer", &sharing.address],
    );
    let cloned = cloned.expect(0);
    assert_eq!(cloned.text(), "");
    assert_eq!(tree(&place.path("copy")), tree(&place.path("source")));
}

#[test]
fn the_default_folder_is_named_after_the_key() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    place
        .run(
            "reader",
            &["clone", &sharing.link, "--peer", &sharing.address],
        )
        .expect(0);
    let name = &sharing.link["hyper://".len()..][..8];
    assert_eq!(tree(&place.path(name)), tree(&place.path("source")));
}

#[test]
fn links_are_taken_as_people_paste_them() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    let key = &sharing.link["hyper://".len()..][..64];
    for link in [
        key.to_uppercase(),
        format!("dat://{key}"),
        format!("hyper://{key}/docs/../"),
    ] {
        let args = ["ls", &link, "--peer", &sharing.address];
        let listed = place.run("reader", &args).expect(0).text();
        assert!(
            listed.lines().any(|line| line == "hello.txt"),
            "{link}:\n{listed}"
        );
    }
}

#[test]
fn nothing_but_the_link_is_on_standard_output() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    sharing.process.interrupt();
    let ended = sharing.process.end();
    assert_eq!(ended.text(), "");
}
