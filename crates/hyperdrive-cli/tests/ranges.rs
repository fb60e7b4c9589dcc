//! `cat --range` counts bytes, both ends included, and fetches only the blocks that hold them.

mod common;

use common::{Place, noise, write};

#[test]
fn ranges_are_http_ranges() {
    let place = Place::new();
    let content = noise(7, 300_000);
    write(&place.folder("source"), "file", &content);
    write(&place.path("source"), "before", noise(8, 70_000));
    let sharing = place.share("author", "source");
    let file = format!("{}file", sharing.link);
    let cat = |range: &str| {
        let range = format!("--range={range}");
        place.run(
            "reader",
            &["cat", &file, &range, "--peer", &sharing.address],
        )
    };
    for (range, expected) in [
        ("0-0", 0..1),
        ("10-19", 10..20),
        ("65535-65536", 65_535..65_537),
        ("299999-", 299_999..300_000),
        ("-5", 299_995..300_000),
        ("-400000", 0..300_000),
        ("299990-999999999999", 299_990..300_000),
        ("0-", 0..300_000),
    ] {
        let read = cat(range).expect(0);
        assert!(read.stdout == content[expected], "{range}");
    }
    cat("300000-").expect(4).tells("300000 bytes");
    cat("300000-300001").expect(4);
    cat("-0").expect(4);
}

#[test]
fn only_the_needed_blocks_are_fetched() {
    let place = Place::new();
    write(&place.folder("source"), "file", noise(9, 64 * 1024 * 20));
    let sharing = place.share("author", "source");
    let file = format!("{}file", sharing.link);
    let args = [
        "cat",
        &file,
        "--range",
        "700000-700009",
        "--peer",
        &sharing.address,
    ];
    assert_eq!(place.run("reader", &args).expect(0).stdout.len(), 10);
    let info = place
        .run("reader", &["info", &sharing.link, "--json"])
        .expect(0)
        .json();
    assert_eq!(info["content"]["blocksHeld"], 1);
}

#[test]
fn an_empty_file_has_no_range() {
    let place = Place::new();
    write(&place.folder("source"), "empty", "");
    let sharing = place.share("author", "source");
    let file = format!("{}empty", sharing.link);
    let peer = &sharing.address;
    assert_eq!(
        place
            .run("reader", &["cat", &file, "--peer", peer])
            .expect(0)
            .stdout,
        b""
    );
    place
        .run("reader", &["cat", &file, "--range", "0-0", "--peer", peer])
        .expect(4);
}
