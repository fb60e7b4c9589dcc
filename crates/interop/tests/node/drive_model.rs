//! A drive in one store directory, changed in turn by the `hyperdrive` library and by Node's
//! hyperdrive, against a map of what it has to hold.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use corestore::{Corestore, Options as StoreOptions};
use futures_lite::future::block_on;
use hypercore_storage::DiskDir;
use hyperdrive::{Attributes, Drive, Options};
use interop::{Entry, Peer, Tree, pattern};
use serde_json::json;
use tempfile::TempDir;

/// One change, as either side can make it.
#[derive(Clone, Debug)]
enum Change {
    Write {
        path: String,
        size: usize,
        seed: u32,
    },
    Folder {
        path: String,
    },
    Link {
        path: String,
        target: String,
    },
    Remove {
        path: String,
    },
}

#[test]
fn a_drive_begun_here_goes_on_in_node_and_here_again() {
    let dir = TempDir::new().expect("a directory");
    alternate(dir.path());
}

#[test]
fn a_drive_begun_in_node_goes_on_here() {
    let dir = TempDir::new().expect("a directory");
    let mut node = Peer::start();
    node.ask("drive.open", json!({ "store": dir.path() }));
    node.ask("drive.close", json!({}));
    alternate(dir.path());
}

#[track_caller]
fn alternate(dir: &Path) {
    let mut model = Tree::default();
    let mut node = Peer::start();
    for round in 0..6 {
        let changes = changes(round, &model);
        changes.iter().for_each(|change| apply(&mut model, change));
        if round % 2 == 0 {
            block_on(change_here(dir, &changes));
        } else {
            node.ask("drive.open", json!({ "store": dir }));
            changes
                .iter()
                .for_each(|change| change_in_node(&mut node, change));
            node.ask("drive.close", json!({}));
        }
        block_on(read_here(dir)).expect(&model);
        node.ask("drive.open", json!({ "store": dir }));
        Tree::of_answer(&node.ask("drive.read-tree", json!({}))).expect(&model);
        node.ask("drive.close", json!({}));
    }
}

/// New files, files in place of others, folders, links, and removals.
fn changes(round: u32, model: &Tree) -> Vec<Change> {
    let mut changes = Vec::new();
    for i in 0..12 {
        let seed = round * 100 + i;
        let size = [0, 1, 5000, 65_536, 65_537, 150_000][(i % 6) as usize];
        let path = format!("folder {}/ünï {}/file {seed}", i % 4, i % 2);
        changes.push(Change::Write { path, size, seed });
    }
    let files = |step: usize| {
        let files = model
            .0
            .iter()
            .filter(|(_, entry)| matches!(entry, Entry::File { .. }));
        files.map(|(path, _)| path.clone()).step_by(step)
    };
    for (path, seed) in files(5).zip(9000..) {
        changes.push(Change::Write {
            path,
            size: 77,
            seed,
        });
    }
    changes.extend(files(4).map(|path| Change::Remove { path }));
    changes.push(Change::Folder {
        path: format!("empty/{round}"),
    });
    let target = ["../folder 0", "nowhere", "/a/b"][round as usize % 3].to_owned();
    changes.push(Change::Link {
        path: format!("links/{round}"),
        target,
    });
    changes
}

/// Keeps to the drive's rules: folders exist while something is in them, or while they have an
/// entry of their own.
fn apply(model: &mut Tree, change: &Change) {
    let parents = |path: &str| {
        let ends = path
            .match_indices('/')
            .map(|(end, _)| path[..end].to_owned());
        ends.collect::<Vec<_>>()
    };
    match change {
        Change::Write { path, size, seed } => {
            for parent in parents(path) {
                model.0.insert(parent, Entry::Folder);
            }
            model
                .0
                .insert(path.clone(), Entry::file(&pattern(*size, *seed)));
        }
        Change::Folder { path } => {
            for parent in parents(path) {
                model.0.insert(parent, Entry::Folder);
            }
            model.0.insert(path.clone(), Entry::Folder);
        }
        Change::Link { path, target } => {
            for parent in parents(path) {
                model.0.insert(parent, Entry::Folder);
            }
            model.0.insert(path.clone(), Entry::Link(target.clone()));
        }
        Change::Remove { path } => {
            model.0.remove(path);
            // None of the folders that hold files here has an entry of its own.
            for parent in parents(path).iter().rev() {
                let inside = format!("{parent}/");
                if !model.0.keys().any(|path| path.starts_with(&inside)) {
                    model.0.remove(parent);
                }
            }
        }
    }
}

#[track_caller]
fn change_in_node(node: &mut Peer, change: &Change) {
    match change {
        Change::Write { path, size, seed } => node.ask(
            "drive.write",
            json!({ "path": path, "size": size, "seed": seed }),
        ),
        Change::Folder { path } => node.ask("drive.mkdir", json!({ "path": path })),
        Change::Link { path, target } => {
            node.ask("drive.symlink", json!({ "path": path, "target": target }))
        }
        Change::Remove { path } => node.ask("drive.unlink", json!({ "path": path })),
    };
}

async fn open(dir: &Path) -> (Corestore, Drive) {
    let store = Corestore::open(Arc::new(DiskDir::new(dir)), StoreOptions::new());
    let store = store.expect("the store opens");
    let drive = Drive::create(&store, Options::new())
        .await
        .expect("the drive opens");
    assert!(drive.is_writable());
    (store, drive)
}

async fn change_here(dir: &Path, changes: &[Change]) {
    let (store, drive) = open(dir).await;
    let attributes = Attributes::new();
    for change in changes {
        let done = match change {
            Change::Write { path, size, seed } => drive
                .write_file(path, pattern(*size, *seed), &attributes)
                .await
                .map(drop),
            Change::Folder { path } => drive.mkdir(path, &attributes).await.map(drop),
            Change::Link { path, target } => {
                drive.symlink(target, path, &attributes).await.map(drop)
            }
            Change::Remove { path } => drive.unlink(path).await,
        };
        done.unwrap_or_else(|error| panic!("{change:?}: {error}"));
    }
    store.close().expect("the store closes");
}

async fn read_here(dir: &Path) -> Tree {
    let (store, drive) = open(dir).await;
    let mut found = BTreeMap::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let listing = drive.read_dir(&format!("/{folder}"), false).await;
        let listing = listing.expect("the folder can be listed").sorted().await;
        for listed in listing.expect("the folder can be listed") {
            let path = listed.path.trim_start_matches('/').to_owned();
            let entry = if listed.stat.is_dir() {
                folders.push(path.clone());
                Entry::Folder
            } else if listed.stat.is_symlink() {
                Entry::Link(
                    drive
                        .read_link(&listed.path)
                        .await
                        .expect("a link has a target"),
                )
            } else {
                let bytes = drive
                    .read_file(&listed.path)
                    .await
                    .expect("the file can be read");
                assert_eq!(bytes.len() as u64, listed.stat.size);
                Entry::file(&bytes)
            };
            found.insert(path, entry);
        }
    }
    store.close().expect("the store closes");
    Tree(found)
}
