#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

// The same two feeds without a wire as in the log's own tests.
#[allow(unreachable_pub, reason = "it is public there")]
#[path = "../../../hypercore/tests/common/link.rs"]
pub(crate) mod link;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use corestore::Corestore;
use hypercore_storage::MemoryDir;
use hyperdrive::mirror::{
    Export, ExportOptions, Exported, Import, ImportOptions, Imported, Written,
};
use hyperdrive::{Attributes, Drive, Mount, Options, Stat};
use hypertrie::{Op, Trie};

/// An empty store in memory.
pub(crate) fn store() -> Corestore {
    Corestore::open(Arc::new(MemoryDir::new()), corestore::Options::new()).unwrap()
}

/// An empty drive in memory.
pub(crate) async fn drive() -> Drive {
    Drive::create(&store(), Options::new()).await.unwrap()
}

/// An empty drive in a store that may have others.
pub(crate) async fn drive_in(store: &Corestore, name: impl ToString) -> Drive {
    let store = store.namespace(name.to_string());
    Drive::create(&store, Options::new()).await.unwrap()
}

/// Writes a file of text.
pub(crate) async fn write(drive: &Drive, path: &str, content: &str) {
    let plain = Attributes::new();
    let content = content.to_owned();
    drive.write_file(path, content, &plain).await.unwrap();
}

/// Mounts something.
pub(crate) async fn mount(drive: &Drive, path: &str, mount: Mount) {
    drive.mount(path, mount, &Attributes::new()).await.unwrap();
}

/// The paths of everything in a drive and in what is mounted there, sorted.
pub(crate) async fn listing(drive: &Drive) -> Vec<String> {
    let entries = drive.read_dir("/", true).await.unwrap();
    let entries = entries.sorted().await.unwrap().into_iter();
    entries.map(|entry| entry.path).collect()
}

/// The content of a file.
pub(crate) async fn text(drive: &Drive, path: &str) -> String {
    let bytes = drive.read_file(path).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A copy of a drive in memory, which has nothing of it yet.
pub(crate) async fn copy_of(drive: &Drive) -> Drive {
    copy_in(&store(), drive).await
}

/// A copy of a drive in a store, which has nothing of it yet.
pub(crate) async fn copy_in(store: &Corestore, drive: &Drive) -> Drive {
    Drive::open(store, &drive.key(), Options::new())
        .await
        .unwrap()
}

/// Connects a drive with its copy, which learns where the content is and fetches nothing else.
pub(crate) fn connect_sparsely(drive: &Drive, copy: &Drive) -> [link::Link; 2] {
    let mut paths = link::Link::new(drive.metadata(), copy.metadata());
    let links = &mut [&mut paths];
    link::run(links, copy.update()).unwrap().unwrap();
    let theirs = link::run(links, copy.content()).unwrap().unwrap();
    let mut content = link::Link::new(&drive.content_now().unwrap(), &theirs);
    link::settle(&mut [&mut content]);
    [paths, content]
}

/// Connects a drive with its copy, which fetches all paths.
pub(crate) fn connect(drive: &Drive, copy: &Drive) -> [link::Link; 2] {
    let mut links = connect_sparsely(drive, copy);
    let paths = copy.metadata().download(0..drive.version());
    link::run(&mut [&mut links[0]], paths).unwrap().unwrap();
    links
}

/// Puts an entry under a key that no well-meaning writer would use.
pub(crate) async fn put_raw(drive: &Drive, key: &str, stat: &Stat) {
    let trie = Trie::open(drive.metadata().clone(), hypertrie::Options::new())
        .await
        .unwrap();
    trie.batch(vec![Op::put(key, bytes::Bytes::from(stat.encode()))])
        .await
        .unwrap();
}

pub(crate) async fn import(folder: &Path, drive: &Drive, before: &Written) -> Imported {
    let plan = Import::plan(folder, drive, before.clone(), &ImportOptions::new())
        .await
        .unwrap();
    let planned = plan.written();
    let done = plan.run(|_| {}).await.unwrap();
    assert!(done.written.is_empty() || !planned.is_empty());
    done
}

pub(crate) async fn export(drive: &Drive, folder: &Path, before: &Written) -> Exported {
    let plan = Export::plan(drive, folder, before.clone(), ExportOptions::new())
        .await
        .unwrap();
    plan.run(|_| {}).await.unwrap()
}

/// What is in a folder: content of files, `-> target` of links, `/` of empty folders.
pub(crate) fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut tree = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(dir) = todo.pop() {
        let mut empty = true;
        for entry in std::fs::read_dir(&dir).unwrap() {
            empty = false;
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(folder)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let metadata = std::fs::symlink_metadata(&path).unwrap();
            if metadata.is_symlink() {
                let target = std::fs::read_link(&path).unwrap();
                tree.insert(name, format!("-> {}", target.display()).into_bytes());
            } else if metadata.is_dir() {
                todo.push(path);
            } else {
                tree.insert(name, std::fs::read(&path).unwrap());
            }
        }
        if empty && dir != folder {
            let name = dir.strip_prefix(folder).unwrap().to_str().unwrap();
            tree.insert(format!("{name}/"), Vec::new());
        }
    }
    tree
}
