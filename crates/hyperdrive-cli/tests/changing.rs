//! Drives are made, changed, compared and taken back from the command line.

mod common;

use std::process::Stdio;

use common::{Background, Ended, Place, write};

/// A new drive in the storage `mine`.
fn create(place: &Place) -> String {
    let link = place.run("mine", &["create"]).expect(0).text();
    assert!(
        link.starts_with("hyper://") && link.ends_with("/\n"),
        "{link}"
    );
    link.trim().to_owned()
}

#[track_caller]
fn run(place: &Place, args: &[&str]) -> Ended {
    place.run("mine", args)
}

#[track_caller]
fn list(place: &Place, link: &str) -> String {
    run(place, &["ls", link, "-R"]).expect(0).text()
}

#[test]
fn files_come_and_go() {
    let place = Place::new();
    let link = create(&place);
    let at = |path: &str| format!("{link}{path}");
    write(&place.folder("here"), "a.txt", "from a file");
    run(&place, &["put", &at("notes/a.txt"), "here/a.txt"])
        .expect(0)
        .tells("version 2");
    let mut command = place.command("mine", &["put", &at("b")]);
    command.stdin(Stdio::from(
        std::fs::File::open(place.path("here/a.txt")).unwrap(),
    ));
    Background::spawn(command)
        .end()
        .expect(0)
        .tells("version 3");
    run(&place, &["mkdir", &at("empty")]).expect(0);
    run(&place, &["ln", "-s", "/notes/a.txt", &at("link")]).expect(0);
    assert_eq!(list(&place, &link), "b\nempty\nlink\nnotes/a.txt\n");
    assert_eq!(
        run(&place, &["cat", &at("link")]).expect(0).text(),
        "from a file"
    );

    run(&place, &["mv", &at("notes"), "/old/notes"]).expect(0);
    run(&place, &["rm", &at("b")]).expect(0);
    assert_eq!(list(&place, &link), "empty\nlink\nold/notes/a.txt\n");
    run(&place, &["rm", &at("old")]).expect(2).tells("-r");
    run(&place, &["rm", "-r", &at("old")]).expect(0);
    assert_eq!(list(&place, &link), "empty\nlink\n");
    let json = run(&place, &["rm", &at("link"), "--json"]).expect(0).json();
    assert!(json["version"].as_u64().is_some());
}

#[test]
fn versions_are_compared_named_and_gone_back_to() {
    let place = Place::new();
    let link = create(&place);
    let at = |path: &str| format!("{link}{path}");
    write(&place.folder("here"), "one", "one");
    write(&place.folder("here"), "two", "other");
    run(&place, &["put", &at("a"), "here/one"]).expect(0);
    run(&place, &["put", &at("b"), "here/one"]).expect(0);
    run(&place, &["tag", "add", &link, "first"])
        .expect(0)
        .tells("version 3");
    run(&place, &["put", &at("a"), "here/two"]).expect(0);
    run(&place, &["rm", &at("b")]).expect(0);
    run(&place, &["put", &at("c"), "here/two"]).expect(0);

    let mut changes: Vec<String> = run(&place, &["diff", &link, "first"])
        .expect(0)
        .text()
        .lines()
        .map(str::to_owned)
        .collect();
    changes.sort();
    assert_eq!(changes, ["A /c", "D /b", "M /a"]);
    let json = run(&place, &["diff", &at("a"), "2", "first", "--json"])
        .expect(0)
        .json();
    assert_eq!(json, serde_json::json!([]));
    let json = run(&place, &["log", &at("b"), "--json"]).expect(0).json();
    let told: Vec<_> = json.as_array().unwrap().iter().collect();
    assert_eq!(told.len(), 2);
    assert_eq!(
        (&told[0]["change"], &told[1]["change"]),
        (&"removed".into(), &"added".into())
    );
    assert_eq!(told[1]["version"], 3);
    assert_eq!(
        run(&place, &["log", &at("a")])
            .expect(0)
            .text()
            .lines()
            .count(),
        2
    );
    assert_eq!(
        run(&place, &["tag", "list", &link]).expect(0).text(),
        "3\tfirst\n"
    );

    let old = link.replace("/\n", "").trim_end_matches('/').to_owned() + "+3/";
    run(&place, &["revert", &old]).expect(0);
    assert_eq!(list(&place, &link), "a\nb\n");
    assert_eq!(run(&place, &["cat", &at("a")]).expect(0).text(), "one");
    run(&place, &["tag", "rm", &link, "first"]).expect(0);
    run(&place, &["tag", "rm", &link, "first"])
        .expect(4)
        .tells("tag list");
}

#[test]
fn what_cannot_be_done_says_why_and_changes_nothing() {
    let place = Place::new();
    let link = create(&place);
    let at = |path: &str| format!("{link}{path}");
    write(&place.folder("here"), "one", "one");
    run(&place, &["put", &at("a"), "here/one"]).expect(0);
    run(&place, &["put", &link, "here/one"]).expect(2);
    run(&place, &["put", &at("a/b"), "here/one"]).expect(4);
    run(&place, &["put", &at("x"), "here/none"])
        .expect(4)
        .tells("here/none");
    run(&place, &["put", &at("x"), "here"])
        .expect(2)
        .tells("hyperdrive share");
    run(&place, &["rm", &at("none")]).expect(4);
    run(&place, &["mkdir", &at("a")]).expect(1).tells("exists");
    run(&place, &["mv", &at("a"), &at("b")])
        .expect(2)
        .tells("path");
    run(&place, &["mv", &at("none"), "/b"]).expect(4);
    run(&place, &["revert", &link]).expect(2).tells("+VERSION");
    let version = link.trim_end_matches('/').to_owned();
    run(&place, &["revert", &format!("{version}+9/")]).expect(4);
    run(&place, &["rm", &format!("{version}+2/a")])
        .expect(6)
        .tells("read-only");
    run(&place, &["diff", &link, "9"]).expect(2);
    run(&place, &["diff", &link, "nameless"])
        .expect(4)
        .tells("tag list");
    let foreign = "7b88cc7548c8c80f7e4d38426ab37c6e26a23e5dfe0b79c3932496cc24ebe21d";
    run(&place, &["mkdir", &format!("{foreign}/x")]).expect(6);
    assert_eq!(list(&place, &link), "a\n");
}

#[test]
fn a_drive_that_was_changed_is_read_by_others() {
    let place = Place::new();
    let link = create(&place);
    write(&place.folder("here"), "one", "one");
    run(&place, &["put", &format!("{link}a"), "here/one"]).expect(0);
    let mut seed = place.start("mine", &["seed", &link, "--listen", "127.0.0.1:0"]);
    let address = seed.address();
    let read = place.run("reader", &["cat", &format!("{link}a"), "--peer", &address]);
    assert_eq!(read.expect(0).text(), "one");
    // What is being served is held, and says so.
    run(&place, &["mkdir", &format!("{link}b")]).expect(11);
}
