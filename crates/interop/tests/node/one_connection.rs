//! Ours and Node's that dial each other end with one connection, the same one on both sides.

use interop::{Peer, Program};
use serde_json::json;
use tempfile::TempDir;

use crate::found_by_link::dht;

#[test]
fn ours_and_node_that_dial_each_other_keep_one_connection() {
    // Who has the smaller key is left to chance; each case comes up soon.
    let mut seen = [false; 2];
    for round in 0.. {
        assert!(round < 16, "the same side had the smaller key each time");
        seen[usize::from(meet())] = true;
        if seen == [true; 2] {
            return;
        }
    }
}

/// Returns whether Node has the smaller key.
fn meet() -> bool {
    let scratch = TempDir::new().expect("a directory");
    let (_dht, bootstrap) = dht(&scratch);
    let mut node = Peer::start();
    let state = node.ask("drive.open", json!({ "dir": scratch.path().join("node") }));
    let link = format!("hyper://{}/", state["key"].as_str().expect("a key"));
    node.ask(
        "drive.write",
        json!({ "path": "/hello.txt", "text": "hello" }),
    );
    let arguments = ["seed", &link, "--listen", "127.0.0.1:0"];
    let storage = scratch.path().join("ours");
    let mut ours = Program::in_network(&storage, arguments, bootstrap).start();
    ours.port();
    let once = node.ask("swarm.replicate-once", json!({ "bootstrap": [bootstrap] }));
    let first = node.event("met");
    assert_eq!(first["client"], false, "ours dials, as it finds node");
    node.ask(
        "swarm.join",
        json!({ "on": "once", "topic": once["topic"], "announce": true, "lookup": true, "flush": false }),
    );
    // Both have dialled, and both have said who they are each time.
    let second = node.event("met");
    assert_eq!(second["client"], true, "node dials, as it finds ours");
    assert_eq!(first["key"], second["key"], "ours has one key");
    ours.says("complete at version");
    let mut key = String::new();
    interop::eventually("one connection is left", || {
        let living = node.ask("swarm.living", json!({}));
        key = living["key"].as_str().expect("a key").to_owned();
        living["count"] == 1
    });
    // What is written now comes over the one that is left.
    node.ask(
        "drive.write",
        json!({ "path": "/more.txt", "text": "more" }),
    );
    ours.says("complete at version");
    ours.terminate();
    key.as_str() < first["key"].as_str().expect("a key")
}
