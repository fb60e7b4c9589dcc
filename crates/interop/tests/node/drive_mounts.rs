//! Drives mounted in each other: what one side mounts and writes, the other reads through the mounts
//! and goes on writing, in one store directory and over one connection.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use corestore::{Corestore, Options as StoreOptions};
use futures_lite::future::block_on;
use hypercore_crypto::PublicKey;
use hypercore_protocol::Role;
use hypercore_storage::{DiskDir, MemoryDir};
use hyperdrive::{Attributes, Drive, Mount, Options};
use interop::{Peer, digest};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::network::Network;

/// Paths of files, with a hash of their content, and of folders.
type Tree = BTreeMap<String, String>;

const FOLDER: &str = "folder";

#[test]
fn mounts_made_here_are_read_and_written_in_node() {
    let dir = TempDir::new().expect("a directory");
    let (keys, here) = block_on(async {
        let store = open(dir.path());
        let drives = build_here(&store).await;
        let tree = tree_here(&drives[0]).await;
        let keys = drives.map(|drive| drive.key());
        store.close().expect("the store closes");
        (keys, tree)
    });
    assert_eq!(here, first());

    let mut node = Node::open(dir.path(), &keys);
    assert_eq!(node.tree(), first());
    let mounts = node.peer.ask("drive.mounts", json!({ "on": "one" }));
    let hex = |key: &PublicKey| json!(hex::encode(key.as_bytes()));
    let expected = [("/", 0), ("/two", 1), ("/two/three", 2), ("/then", 1)];
    let expected: serde_json::Map<_, _> = expected
        .map(|(path, drive)| (path.to_owned(), hex(&keys[drive])))
        .into_iter()
        .collect();
    assert_eq!(mounts["keys"], Value::Object(expected));

    let mut expected = first();
    for path in ["/two/three/theirs", "/two/theirs", "/theirs"] {
        let write = json!({ "on": "one", "path": path, "text": path });
        node.peer.ask("drive.write", write);
        expected.insert(path.to_owned(), digest(path.as_bytes()));
    }
    node.peer.ask(
        "drive.unlink",
        json!({ "on": "one", "path": "/two/three/c" }),
    );
    expected.remove("/two/three/c");
    assert_eq!(node.tree(), expected);
    node.peer.ask("store.close", json!({ "on": "store" }));

    let here = block_on(async {
        let store = open(dir.path());
        let drive = Drive::open(&store, &keys[0], Options::new()).await;
        tree_here(&drive.expect("the drive opens")).await
    });
    assert_eq!(here, expected);
}

#[test]
fn mounts_made_in_node_are_read_and_written_here() {
    let dir = TempDir::new().expect("a directory");
    let mut node = Peer::start();
    let keys = build_in_node(&mut node, dir.path());
    let mut expected = first();
    let mut node = Node { peer: node };
    assert_eq!(node.tree(), expected);
    node.peer.ask("store.close", json!({ "on": "store" }));

    block_on(async {
        let store = open(dir.path());
        let drive = Drive::open(&store, &keys[0], Options::new()).await;
        let one = drive.expect("the drive opens");
        assert_eq!(tree_here(&one).await, expected);
        for path in ["/two/three/ours", "/two/ours", "/ours"] {
            write(&one, path, path).await;
            expected.insert(path.to_owned(), digest(path.as_bytes()));
        }
        one.rename("/two/b", "/two/renamed")
            .await
            .expect("both are in one drive");
        let renamed = expected.remove("/two/b").expect("it was there");
        expected.insert("/two/renamed".to_owned(), renamed);
        store.close().expect("the store closes");
    });
    let mut node = Node::open(dir.path(), &keys);
    assert_eq!(node.tree(), expected);
    node.peer.ask("store.close", json!({ "on": "store" }));

    block_on(async {
        let store = open(dir.path());
        let drive = Drive::open(&store, &keys[0], Options::new()).await;
        let one = drive.expect("the drive opens");
        for path in ["/then", "/log", "/two"] {
            one.unmount(path).await.expect("it is mounted");
        }
        store.close().expect("the store closes");
    });
    expected.retain(|path, _| {
        !["/then", "/log", "/two"]
            .iter()
            .any(|gone| path.starts_with(gone))
    });
    let mut node = Node::open(dir.path(), &keys);
    assert_eq!(node.tree(), expected);
    let mounts = node.peer.ask("drive.mounts", json!({ "on": "one" }));
    assert_eq!(
        mounts["keys"].as_object().map(serde_json::Map::len),
        Some(1)
    );
}

#[test]
fn node_reads_a_drive_and_what_is_mounted_in_it_over_one_connection() {
    let network = Network::tokio();
    let ours = store();
    let drives = block_on(build_here(&ours));
    let dir = TempDir::new().expect("a directory");
    let mut node = Peer::start();
    let key = hex::encode(drives[0].key().as_bytes());
    node.ask(
        "drive.open",
        json!({ "dir": dir.path(), "key": key, "as": "one" }),
    );
    network.connect(Role::Responder, &mut node, "one", ours.source());
    node.ask("drive.update", json!({ "on": "one" }));
    let mut node = Node { peer: node };
    // Its reader takes a mounted drive that it has heard nothing of for an empty one, and a log too.
    for path in ["/two/b", "/two/three/c", "/then/old"] {
        node.peer
            .ask("drive.wait", json!({ "on": "one", "path": path }));
    }
    let [mut read, mut expected] = [node.tree(), first()];
    assert!(read.remove("/log").is_some() && expected.remove("/log").is_some());
    assert_eq!(read, expected);
}

#[test]
fn node_serves_a_drive_and_what_is_mounted_in_it_over_one_connection() {
    let network = Network::async_std();
    let dir = TempDir::new().expect("a directory");
    let mut node = Peer::start();
    let keys = build_in_node(&mut node, dir.path());
    let ours = store();
    network.connect(Role::Initiator, &mut node, "store", ours.source());
    let drive = block_on(Drive::open(&ours, &keys[0], Options::new()));
    let drive = drive.expect("the drive opens");
    network.spawn(drive.lookups().expect("nobody else exchanges lookups"));
    let length = drive.metadata().wait_longer_than(0);
    network.wait("the drive", length).expect("it is open");
    let tree = network.wait("all of it", tree_here(&drive));
    assert_eq!(tree, first());
}

/// What is there when the mounts have been made, on either side.
fn first() -> Tree {
    let files = [
        ("/a", "1"),
        ("/log", "a log"),
        ("/then/old", "2"),
        ("/two/b", "2"),
        ("/two/old", "2"),
        ("/two/three/c", "3"),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), digest(text.as_bytes())));
    let folders = ["/then", "/two", "/two/three"];
    let folders = folders.map(|path| (path.to_owned(), FOLDER.to_owned()));
    files.into_iter().chain(folders).collect()
}

/// Three drives and a log: `/two`, `/two/three`, an old version of the second at `/then`, `/log`.
async fn build_here(store: &Corestore) -> [Drive; 3] {
    let mut drives = Vec::new();
    for name in ["1", "2", "3"] {
        let drive = Drive::create(&store.namespace(name), Options::new()).await;
        drives.push(drive.expect("the drive is made"));
    }
    let drives: [Drive; 3] = drives.try_into().expect("three drives");
    let [one, two, three] = &drives;
    mount(one, "/two", Mount::drive(two.key())).await;
    write(one, "/a", "1").await;
    write(one, "/two/old", "2").await;
    // Node waits for ever for what is mounted in a mounted version.
    let version = two.version();
    mount(one, "/two/three", Mount::drive(three.key())).await;
    write(one, "/two/b", "2").await;
    write(one, "/two/three/c", "3").await;
    mount(one, "/then", Mount::drive(two.key()).at_version(version)).await;
    let log = store.create().expect("the log is made");
    log.append_batch(&["a ", "log"]).expect("it can be written");
    mount(one, "/log", Mount::log(log.public_key())).await;
    drives
}

/// The same, in an open store of Node's.
#[track_caller]
fn build_in_node(node: &mut Peer, dir: &Path) -> [PublicKey; 3] {
    node.ask("store.open", json!({ "dir": dir, "as": "store" }));
    let keys = ["one", "two", "three"].map(|name| {
        let open = json!({ "in": "store", "namespace": name, "as": name });
        node.ask("drive.open", open)["key"]
            .as_str()
            .expect("a key")
            .to_owned()
    });
    let write = |node: &mut Peer, path: &str, text: &str| {
        node.ask(
            "drive.write",
            json!({ "on": "one", "path": path, "text": text }),
        );
    };
    let mount = |node: &mut Peer, path: &str, key: &str| {
        node.ask(
            "drive.mount",
            json!({ "on": "one", "path": path, "key": key }),
        );
    };
    mount(node, "/two", &keys[1]);
    write(node, "/a", "1");
    write(node, "/two/old", "2");
    let version = node.ask("drive.state", json!({ "on": "two" }))["version"].clone();
    mount(node, "/two/three", &keys[2]);
    write(node, "/two/b", "2");
    write(node, "/two/three/c", "3");
    let then = json!({ "on": "one", "path": "/then", "key": keys[1], "version": version });
    node.ask("drive.mount", then);
    let log = json!({ "on": "store", "as": "log", "name": "a log" });
    let log = node.ask("store.log", log)["key"].clone();
    node.ask(
        "log.append",
        json!({ "on": "log", "blocks": [{ "text": "a " }, { "text": "log" }] }),
    );
    let log = json!({ "on": "one", "path": "/log", "key": log, "hypercore": true });
    node.ask("drive.mount", log);
    keys.map(|key| {
        let bytes = hex::decode(key).expect("hex digits");
        PublicKey::from_bytes(bytes.try_into().expect("32 bytes"))
    })
}

/// A store in Node whose drives are open as `one`, `two` and `three`.
struct Node {
    peer: Peer,
}

impl Node {
    #[track_caller]
    fn open(dir: &Path, keys: &[PublicKey; 3]) -> Self {
        let mut peer = Peer::start();
        peer.ask("store.open", json!({ "dir": dir, "as": "store" }));
        for (name, key) in ["one", "two", "three"].into_iter().zip(keys) {
            let key = hex::encode(key.as_bytes());
            peer.ask(
                "drive.open",
                json!({ "in": "store", "key": key, "as": name }),
            );
        }
        Self { peer }
    }

    /// Everything in the first drive and in those mounted in it.
    #[track_caller]
    fn tree(&mut self) -> Tree {
        let read = self.peer.ask("drive.read-tree", json!({ "on": "one" }));
        let entries = read["entries"].as_object().expect("entries");
        let entries = entries.iter().map(|(path, entry)| {
            let digest = entry["digest"].as_str().unwrap_or(FOLDER);
            (path.clone(), digest.to_owned())
        });
        entries.collect()
    }
}

async fn tree_here(drive: &Drive) -> Tree {
    let mut tree = Tree::new();
    let mut entries = drive.read_dir("/", true).await.expect("the root is there");
    while let Some(entry) = entries.next().await {
        let entry = entry.expect("the entry can be read");
        let content = match entry.stat.is_dir() {
            true => FOLDER.to_owned(),
            false => digest(
                &drive
                    .read_file(&entry.path)
                    .await
                    .expect("the file can be read"),
            ),
        };
        tree.insert(entry.path, content);
    }
    tree
}

async fn mount(drive: &Drive, path: &str, mount: Mount) {
    let mounted = drive.mount(path, mount, &Attributes::new()).await;
    mounted.expect("it is mounted");
}

async fn write(drive: &Drive, path: &str, text: &str) {
    let written = drive
        .write_file(path, text.to_owned(), &Attributes::new())
        .await;
    written.expect("the file is written");
}

fn open(dir: &Path) -> Corestore {
    let store = Corestore::open(Arc::new(DiskDir::new(dir)), StoreOptions::new());
    store.expect("the store opens")
}

fn store() -> Corestore {
    let store = Corestore::open(Arc::new(MemoryDir::new()), StoreOptions::new());
    store.expect("the store opens")
}
