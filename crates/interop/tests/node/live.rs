//! Changes that reach a connected peer, in both directions.

use std::fs;

use interop::{Peer, eventually, pattern};
use serde_json::{Value, json};

use crate::sample;
use crate::served::Served;
use crate::shared::Shared;

#[test]
fn node_sees_a_watched_folder_change() {
    let shared = Shared::watched(|folder| sample::file(&folder.join("first"), 10));
    let folder = shared.folder();
    let mut node = shared.reader();

    sample::file(&folder.join("new/file"), 70_000);
    node.ask("drive.wait", json!({ "path": "/new/file" }));
    expect(&mut node, "/new/file", 70_000);

    sample::file(&folder.join("new/second"), 20);
    node.ask("drive.wait", json!({ "path": "/new/second" }));
    expect(&mut node, "/new/second", 20);

    fs::remove_file(folder.join("first")).expect("the file can be removed");
    node.ask("drive.wait", json!({ "path": "/first", "gone": true }));
}

#[test]
fn a_live_clone_follows_node() {
    let mut served = Served::new();
    served.write("/first", "text");
    let _running = served.clone_of("", &["--live"]);
    let target = served.target();
    let has =
        |name: &str, text: &str| fs::read_to_string(target.join(name)).is_ok_and(|t| t == text);
    eventually("the first version", || has("first", "text"));

    served.write("/folder/second", "more");
    eventually("a new file", || has("folder/second", "more"));
    served.write("/first", "changed");
    eventually("a changed file", || has("first", "changed"));
    served.node.ask("drive.unlink", json!({ "path": "/first" }));
    eventually("a removed file", || !target.join("first").exists());
}

#[test]
fn two_node_readers_follow_one_share() {
    let shared = Shared::watched(|folder| sample::file(&folder.join("first"), 10));
    let mut readers = [shared.reader(), shared.reader()];
    let waiting = readers
        .each_mut()
        .map(|node| node.begin("drive.wait", json!({ "path": "/x" })));
    sample::file(&shared.folder().join("x"), 300);
    for (node, question) in readers.iter_mut().zip(waiting) {
        node.finish(question);
        expect(node, "/x", 300);
    }
}

#[track_caller]
fn expect(node: &mut Peer, path: &str, size: usize) {
    let read: Value = node.ask("drive.read", json!({ "path": path }));
    let seed = u32::try_from(size).expect("sizes in tests fit");
    assert_eq!(read["digest"], interop::digest(&pattern(size, seed)));
}
