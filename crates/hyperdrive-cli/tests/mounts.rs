//! Drives are mounted in drives, and read through each other.

mod common;

use common::{Ended, Place, Sharing, sample, transcript, write};

fn create(place: &Place, storage: &str) -> String {
    let link = place.run(storage, &["create"]).expect(0).text();
    link.trim().to_owned()
}

#[track_caller]
fn put(place: &Place, storage: &str, link: &str, path: &str, content: &str) {
    write(&place.folder("here"), "file", content);
    place
        .run(storage, &["put", &format!("{link}{path}"), "here/file"])
        .expect(0);
}

#[track_caller]
fn text(ended: Ended) -> String {
    ended.expect(0).text()
}

#[test]
fn a_mounted_drive_is_listed_and_read_in_place() {
    let place = Place::new();
    let (outer, inner) = (create(&place, "mine"), create(&place, "mine"));
    put(&place, "mine", &inner, "notes/a.txt", "inside\n");
    let at = format!("{outer}friends/ann");
    place
        .run("mine", &["mount", &at, &inner])
        .expect(0)
        .tells("version 3");
    let list = text(place.run("mine", &["ls", &outer, "-R"]));
    assert_eq!(list, "friends/ann\nfriends/ann/notes/a.txt\n");
    let file = format!("{at}/notes/a.txt");
    assert_eq!(text(place.run("mine", &["cat", &file])), "inside\n");
    let stat = place.run("mine", &["stat", &at, "--json"]).expect(0).json();
    assert_eq!(stat["type"], "mount");
    assert_eq!(
        inner,
        format!("hyper://{}/", stat["mount"].as_str().unwrap())
    );

    let json = place
        .run("mine", &["unmount", &at, "--json"])
        .expect(0)
        .json();
    assert_eq!(json["version"], 5);
    assert_eq!(text(place.run("mine", &["ls", &outer])), "");
    assert_eq!(
        text(place.run("mine", &["ls", &inner, "-R"])),
        "notes/a.txt\n"
    );
}

#[test]
fn a_clone_has_what_is_mounted() {
    let place = Place::new();
    let (outer, inner) = (create(&place, "mine"), create(&place, "mine"));
    put(&place, "mine", &outer, "top", "outside\n");
    put(&place, "mine", &inner, "notes/a.txt", "inside\n");
    let at = format!("{outer}friends/ann");
    place.run("mine", &["mount", &at, &inner]).expect(0);
    let mut seed = place.start("mine", &["seed", &outer, "--listen", "127.0.0.1:0"]);
    let address = seed.address();
    let args = ["clone", &outer, "copy", "--peer", &address];
    place.run("reader", &args).expect(0);
    let read = |path: &str| std::fs::read_to_string(place.path("copy").join(path)).unwrap();
    assert_eq!(read("top"), "outside\n");
    assert_eq!(read("friends/ann/notes/a.txt"), "inside\n");
}

/// An empty drive of `author`, and a folder that is shared and watched, mounted in it.
fn shared_within(place: &Place) -> (String, Sharing) {
    let outer = create(place, "author");
    write(&place.folder("source"), "a.txt", "first\n");
    let sharing = place.share_with("author", "source", &["--watch"]);
    let at = format!("{outer}friends/ann");
    place
        .run("author", &["mount", &at, &sharing.link])
        .expect(0);
    (outer, sharing)
}

#[test]
fn a_seed_keeps_what_is_mounted_and_follows_it() {
    let place = Place::new();
    let (outer, mut sharing) = shared_within(&place);
    let peer = ["--peer", &sharing.address];
    let args = [&["seed", &outer, "--listen", "127.0.0.1:0"], &peer[..]].concat();
    let mut seeder = place.start("seeder", &args);
    let address = seeder.address();
    seeder.stderr_with("/friends/ann (mounted) complete at version 2");
    write(&place.path("source"), "later.txt", "later\n");
    sharing.process.stderr_with("1 file written");
    seeder.stderr_with("/friends/ann (mounted) complete at version 3");
    sharing.process.interrupt();
    sharing.process.end();

    let args = ["clone", &outer, "copy", "--peer", &address];
    place.run("reader", &args).expect(0);
    let read = |path: &str| std::fs::read_to_string(place.path("copy").join(path)).unwrap();
    assert_eq!(read("friends/ann/a.txt"), "first\n");
    assert_eq!(read("friends/ann/later.txt"), "later\n");
}

#[test]
fn a_live_clone_follows_what_is_mounted() {
    let place = Place::new();
    let (outer, mut sharing) = shared_within(&place);
    let args = [
        "clone",
        &outer,
        "copy",
        "--live",
        "--peer",
        &sharing.address,
    ];
    let mut clone = place.start("reader", &args);
    clone.stderr_with("1 file written");
    write(&place.path("source"), "later.txt", "later\n");
    sharing.process.stderr_with("1 file written");
    clone.stderr_with("1 file written");
    let later = place.path("copy/friends/ann/later.txt");
    assert_eq!(std::fs::read_to_string(later).unwrap(), "later\n");
    clone.interrupt();
    clone.end();
}

#[test]
fn a_version_stays_as_it_was() {
    let place = Place::new();
    let (outer, inner) = (create(&place, "mine"), create(&place, "mine"));
    put(&place, "mine", &inner, "a", "first\n");
    let version = inner.trim_end_matches('/').to_owned() + "+2/";
    put(&place, "mine", &inner, "a", "second\n");
    let at = |path: &str| format!("{outer}{path}");
    place
        .run("mine", &["mount", &at("old"), &version])
        .expect(0);
    place.run("mine", &["mount", &at("new"), &inner]).expect(0);
    assert_eq!(text(place.run("mine", &["cat", &at("old/a")])), "first\n");
    assert_eq!(text(place.run("mine", &["cat", &at("new/a")])), "second\n");
}

#[test]
fn the_process_that_shares_is_asked_to_mount() {
    let place = Place::new();
    sample(&place.folder("source"));
    let inner = create(&place, "mine");
    put(&place, "mine", &inner, "a", "inside\n");
    let sharing = place.share("mine", "source");
    let at = format!("{}mounted", sharing.link);
    place.run("mine", &["mount", &at, &inner]).expect(0);
    let file = format!("{at}/a");
    let args = ["cat", &file, "--peer", &sharing.address];
    assert_eq!(text(place.run("reader", &args)), "inside\n");
    place.run("mine", &["unmount", &at]).expect(0);
    place
        .run("mine", &["unmount", &at])
        .expect(4)
        .tells("no such");
}

#[test]
fn what_cannot_be_mounted_says_why() {
    let place = Place::new();
    let (outer, inner) = (create(&place, "mine"), create(&place, "mine"));
    put(&place, "mine", &outer, "a", "a file\n");
    let at = |path: &str| format!("{outer}{path}");
    let run = |args: &[&str]| place.run("mine", args);
    run(&["mount", &at("a"), &inner]).expect(1).tells("exists");
    run(&["mount", &outer, &inner]).expect(1).tells("exists");
    run(&["mount", &at("x"), &format!("{inner}path")])
        .expect(2)
        .tells("as a whole");
    run(&["mount", &at("x"), "nonsense"]).expect(2);
    run(&["unmount", &at("a")])
        .expect(2)
        .tells("nothing is mounted");
    run(&["unmount", &at("none")]).expect(4);
    let older = outer.trim_end_matches('/').to_owned() + "+2/x";
    run(&["mount", &older, &inner]).expect(6).tells("read-only");
    let foreign = "7b88cc7548c8c80f7e4d38426ab37c6e26a23e5dfe0b79c3932496cc24ebe21d";
    run(&["mount", &format!("{foreign}/x"), &inner]).expect(6);
    assert_eq!(text(run(&["ls", &outer])), "a\n");
}

#[test]
fn the_transcript_is_true() {
    transcript::check(&Place::new(), "mount", &[]);
}
