//! Reading commands work while `share` runs on the same storage, and need no address for it.

mod common;

use common::{Place, sample, tree};

#[test]
fn every_reading_command_finds_the_running_process() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("storage", "source");
    let link = &sharing.link;

    let listed = place.run("storage", &["ls", link]).expect(0).text();
    assert!(listed.contains("hello.txt\n"), "{listed}");
    let read = place
        .run("storage", &["cat", &format!("{link}hello.txt")])
        .expect(0);
    assert_eq!(read.text(), "hello\n");
    let stat = place
        .run("storage", &["stat", &format!("{link}hello.txt"), "--json"])
        .expect(0);
    assert_eq!(stat.json()["size"], 6);
    let info = place
        .run("storage", &["info", link, "--json"])
        .expect(0)
        .json();
    assert_eq!(info["link"], link.as_str());
    assert_eq!(info["writable"], true);
    assert_eq!(info["metadata"]["blocksHeld"], info["metadata"]["length"]);
    place.run("storage", &["clone", link, "copy"]).expect(0);
    assert_eq!(tree(&place.path("copy")), tree(&place.path("source")));
}

#[test]
fn several_readers_at_once() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("storage", "source");
    let file = format!("{}many-blocks.bin", sharing.link);
    let readers: Vec<_> = (0..4)
        .map(|_| place.start("storage", &["cat", &file]))
        .collect();
    let expected = common::noise(2, 700_001);
    for reader in readers {
        assert!(reader.end().expect(0).stdout == expected);
    }
}

#[test]
fn readers_alone_do_not_stand_in_each_others_way() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("storage", "source");
    sharing.process.interrupt();
    sharing.process.end();
    let file = format!("{}many-blocks.bin", sharing.link);
    let readers: Vec<_> = (0..4)
        .map(|_| place.start("storage", &["cat", &file]))
        .collect();
    let expected = common::noise(2, 700_001);
    for reader in readers {
        assert!(reader.end().expect(0).stdout == expected);
    }
}

#[test]
fn a_file_left_behind_by_a_crash_is_no_obstacle() {
    let place = Place::new();
    sample(&place.folder("source"));
    let sharing = place.share("storage", "source");
    sharing.process.kill();
    assert!(place.path("storage/storage/node.json").exists());
    let read = place
        .run("storage", &["cat", &format!("{}hello.txt", sharing.link)])
        .expect(0);
    assert_eq!(read.text(), "hello\n");
    assert_eq!(place.share("storage", "source").link, sharing.link);
}
