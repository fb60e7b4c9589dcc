//! `hyperdrive seed` stands between Node peers: it fetches a drive from one, follows it, and serves
//! it to another when the first is gone.

use interop::{Peer, Tree};
use serde_json::json;
use tempfile::TempDir;

use crate::sample;
use crate::served::Served;

#[test]
fn a_drive_outlives_its_author() {
    let (mut served, folder) = Served::folder(sample::everything);
    let link = format!("hyper://{}/", served.key);
    let mut seed = served.command(&["seed", &link, "--listen", "127.0.0.1:0"]);
    let port = seed.port();
    seed.says("complete at version");

    // A change that arrives while both are connected.
    let mut follower = reader(&served, port);
    let change = follower.begin("drive.wait", json!({ "path": "/later" }));
    served.write("/later", "text");
    follower.finish(change);
    seed.says("complete at version");

    served.node.ask("hangup", json!({}));
    let mut late = reader(&served, port);
    let read = Tree::of_answer(&late.ask("drive.read-tree", json!({})));
    std::fs::write(folder.join("later"), "text").expect("the file can be written");
    read.expect(&Tree::of_folder(&folder));
}

/// A Node peer with an empty copy, connected to the port alone.
#[track_caller]
fn reader(served: &Served, port: u16) -> Peer {
    let copy = TempDir::new_in(served.scratch.path())
        .expect("a directory")
        .keep();
    let mut node = Peer::start();
    node.ask("drive.open", json!({ "dir": copy, "key": served.key }));
    node.ask("dial", json!({ "port": port }));
    node.ask("drive.update", json!({}));
    node
}
