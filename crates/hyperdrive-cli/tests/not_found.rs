//! Paths, folders and versions that are not there end in status 4.

mod common;

use common::{Place, sample};

#[test]
fn unknown_paths_and_versions() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    let (link, peer) = (&sharing.link, &sharing.address);
    for (command, path) in [
        ("cat", "nothing"),
        ("stat", "docs/nothing"),
        ("ls", "nothing/at/all"),
    ] {
        let ended = place.run(
            "reader",
            &[command, &format!("{link}{path}"), "--peer", peer],
        );
        ended.expect(4).tells("no such file or directory");
    }
    let args = ["cat", &format!("{link}hello.txt/x"), "--peer", peer];
    place
        .run("reader", &args)
        .expect(4)
        .tells("not a directory");
    let newer = format!("{}+99999/", link.trim_end_matches('/'));
    place
        .run("reader", &["ls", &newer, "--peer", peer])
        .expect(4)
        .tells("99999");
}

#[test]
fn a_folder_is_no_file() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    let args = [
        "cat",
        &format!("{}docs", sharing.link),
        "--peer",
        &sharing.address,
    ];
    place.run("reader", &args).expect(2).tells("is a folder");
}

#[test]
fn a_folder_to_share_that_is_not_there() {
    let place = Place::new();
    place
        .run("author", &["share", "nowhere"])
        .expect(4)
        .tells("nowhere");
    common::write(&place.folder("source"), "file", "");
    place
        .run("author", &["share", "source/file"])
        .expect(2)
        .tells("not a folder");
}
