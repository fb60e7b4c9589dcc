//! The content of a path is held, and freed again.

mod common;

use common::{Place, noise, sample, transcript, write};

#[test]
fn what_is_kept_is_read_without_peers_and_what_is_cleared_is_not() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    let link = sharing.link.clone();
    let at = |path: &str| format!("{link}{path}");
    let big = at("many-blocks.bin");
    let kept = place.run(
        "reader",
        &["keep", &big, "--json", "--peer", &sharing.address],
    );
    let kept = kept.expect(0).json();
    assert_eq!(
        (&kept["files"], &kept["bytes"]),
        (&1.into(), &700_001.into())
    );
    sharing.process.interrupt();
    sharing.process.end();

    let read = place.run("reader", &["cat", &big]).expect(0);
    assert!(read.stdout == noise(2, 700_001));
    let cleared = place
        .run("reader", &["clear", &big, "--json"])
        .expect(0)
        .json();
    assert_eq!(cleared["bytes"], 700_001);
    assert_eq!(cleared["keptBytes"], 0);
    place.run("reader", &["cat", &big]).expect(5);
    let again = place.run("reader", &["clear", &big]).expect(0).text();
    assert_eq!(again, "0 bytes (0 B) are free\n");
}

#[test]
fn the_process_that_holds_the_storage_is_asked() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("author", "source");
    sample(&place.folder("other"));
    let holding = place.share("reader", "other");
    let big = format!("{}many-blocks.bin", sharing.link);
    let args = ["keep", &big, "--peer", &sharing.address];
    let kept = place.run("reader", &args).expect(0).text();
    assert_eq!(kept, "700001 bytes (683.5 KiB) in 1 file are held\n");
    let cleared = place.run("reader", &["clear", &big]).expect(0).text();
    assert_eq!(cleared, "700001 bytes (683.5 KiB) are free\n");
    // Errors come through with their statuses.
    let none = format!("{}none", sharing.link);
    place.run("reader", &["keep", &none]).expect(4);
    let own = format!("{}many-blocks.bin", holding.link);
    place
        .run("reader", &["clear", &own])
        .expect(6)
        .tells("--force");
}

#[test]
fn own_content_is_not_cleared_unless_forced() {
    let place = Place::new();
    let link = place.run("mine", &["create"]).expect(0).text();
    let file = format!("{}a", link.trim());
    write(&place.folder("here"), "a", noise(3, 100_000));
    place.run("mine", &["put", &file, "here/a"]).expect(0);
    place
        .run("mine", &["clear", &file])
        .expect(6)
        .tells("--force");
    assert!(place.run("mine", &["cat", &file]).expect(0).stdout == noise(3, 100_000));
    let args = ["clear", &file, "--force", "--json"];
    let cleared = place.run("mine", &args).expect(0).json();
    assert_eq!(cleared["bytes"], 100_000);
    place.run("mine", &["cat", &file]).expect(5);
}

#[test]
fn what_others_share_stays() {
    let place = Place::new();
    let link = place.run("mine", &["create"]).expect(0).text();
    let at = |path: &str| format!("{}{path}", link.trim());
    write(&place.folder("here"), "a", noise(3, 100_000));
    place.run("mine", &["put", &at("a"), "here/a"]).expect(0);
    place
        .run("mine", &["tag", "add", link.trim(), "v1"])
        .expect(0);
    let mut seed = place.start("mine", &["seed", link.trim(), "--listen", "127.0.0.1:0"]);
    let address = seed.address();
    place
        .run("reader", &["keep", link.trim(), "--peer", &address])
        .expect(0);
    // The tag has to be known to be heeded.
    place
        .run("reader", &["tag", "list", link.trim(), "--peer", &address])
        .expect(0);
    let args = ["clear", &at("a"), "--json"];
    let cleared = place.run("reader", &args).expect(0).json();
    assert_eq!(
        (&cleared["bytes"], &cleared["keptBytes"]),
        (&0.into(), &100_000.into())
    );
    let forced = place
        .run("reader", &["clear", &at("a"), "--force"])
        .expect(0);
    assert_eq!(forced.text(), "100000 bytes (97.6 KiB) are free\n");
}

#[test]
fn what_nobody_has_is_told() {
    let place = Place::new();
    let link = format!("hyper://{}/", "7".repeat(64));
    place
        .run("none", &["keep", &link, "--timeout", "1"])
        .expect(5);
    let cleared = place
        .run("none", &["clear", &link, "--json"])
        .expect(0)
        .json();
    assert_eq!(cleared["blocks"], 0);
}

#[test]
fn the_transcript_is_true() {
    transcript::check(&Place::new(), "keep", &[]);
}
