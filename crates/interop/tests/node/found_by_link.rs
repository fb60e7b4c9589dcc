//! Whoever shares and whoever reads find each other by link alone, when one of them is Node.

use interop::{Peer, Program, Running};
use serde_json::json;
use tempfile::TempDir;

#[test]
fn node_reads_what_is_shared() {
    let scratch = TempDir::new().expect("a directory");
    let (_dht, bootstrap) = dht(&scratch);
    let folder = scratch.path().join("folder");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("hello.txt"), "hello").expect("a file");
    let folder = folder.to_str().expect("a temporary path is UTF-8");
    let arguments = ["share", folder, "--listen", "127.0.0.1:0"];
    let storage = scratch.path().join("ours");
    let mut share = Program::in_network(&storage, arguments, bootstrap).start();
    let key = share.key();
    let mut node = Peer::start();
    node.ask(
        "drive.open",
        json!({ "dir": scratch.path().join("node"), "key": key }),
    );
    // Said again by `share` every few minutes; the first time may still be under way.
    node.ask(
        "node.open",
        json!({ "as": "dht", "bootstrap": [bootstrap] }),
    );
    let topic = node.ask("swarm.topic", json!({}))["topic"].clone();
    interop::eventually("the share is announced", || {
        let found = node.ask("node.lookup", json!({ "on": "dht", "topic": topic }));
        found["ports"]
            .as_array()
            .is_some_and(|ports| !ports.is_empty())
    });
    node.ask(
        "swarm.replicate",
        json!({ "bootstrap": [bootstrap], "lookup": true }),
    );
    node.ask("drive.update", json!({}));
    let read = node.ask("drive.read", json!({ "path": "/hello.txt" }));
    assert_eq!(read["size"], 5);
}

#[test]
fn what_node_has_is_cloned() {
    let scratch = TempDir::new().expect("a directory");
    let (_dht, bootstrap) = dht(&scratch);
    let mut node = Peer::start();
    let state = node.ask("drive.open", json!({ "dir": scratch.path().join("node") }));
    let link = format!("hyper://{}/", state["key"].as_str().expect("a key"));
    node.ask(
        "drive.write",
        json!({ "path": "/hello.txt", "text": "hello" }),
    );
    node.ask(
        "swarm.replicate",
        json!({ "bootstrap": [bootstrap], "announce": true }),
    );
    let target = scratch.path().join("copy");
    let arguments = ["clone", &link, target.to_str().expect("UTF-8")];
    let storage = scratch.path().join("ours");
    let cloned = Program::in_network(&storage, arguments, bootstrap).run();
    cloned.expect(0);
    let text = std::fs::read_to_string(target.join("hello.txt"));
    assert_eq!(text.expect("it was cloned"), "hello");
}

/// A node of the DHT that both begin with, and its port.
pub(crate) fn dht(scratch: &TempDir) -> (Running, u16) {
    let arguments = ["dht-node", "--listen", "127.0.0.1:0"];
    let mut running = Program::in_network(&scratch.path().join("dht"), arguments, 1).start();
    let port = running.port();
    (running, port)
}
