//! `+VERSION` in a link is honoured everywhere.

mod common;

use common::{Place, Thing, tree, write};

#[test]
fn an_old_version_is_read_as_it_was() {
    let place = Place::new();
    write(&place.folder("source"), "file", "first");
    let sharing = place.share("author", "source");
    let link = sharing.link.trim_end_matches('/').to_owned();
    sharing.process.interrupt();
    sharing.process.end();
    let version = |link: &str| {
        let info = place
            .run("author", &["info", link, "--json"])
            .expect(0)
            .json();
        info["version"].as_u64().unwrap()
    };
    let old = version(&link);
    write(&place.path("source"), "file", "second");
    write(&place.path("source"), "other", "new");
    let sharing = place.share("author", "source");
    let peer = &sharing.address;
    let at_old = format!("{link}+{old}/");

    let cat = |link: &str| {
        place
            .run("reader", &["cat", link, "--peer", peer])
            .expect(0)
            .text()
    };
    assert_eq!(cat(&format!("{link}/file")), "second");
    assert_eq!(cat(&format!("{at_old}file")), "first");
    let listed = place
        .run("reader", &["ls", &at_old, "--peer", peer])
        .expect(0);
    assert_eq!(listed.text(), "file\n");
    let stat = place.run(
        "reader",
        &["stat", &format!("{at_old}file"), "--json", "--peer", peer],
    );
    assert_eq!(stat.expect(0).json()["size"], 5);
    place
        .run("reader", &["clone", &at_old, "copy", "--peer", peer])
        .expect(0);
    let first = [("file".to_owned(), Thing::File(b"first".to_vec()))].into();
    assert_eq!(tree(&place.path("copy")), first);
    let info = place
        .run("reader", &["info", &at_old, "--json", "--peer", peer])
        .expect(0);
    assert_eq!(info.json()["version"], old);
}
