//! Random sequences of changes, made to a drive in Node and to one here: both look the same, to either
//! reader.
//!
//! `SEQUENCES=2000 cargo test -p interop --features node --test node drive_random` does more of them;
//! `FIRST=123` begins with another seed.
//!
//! Left out is where the reference is known to be wrong or has nothing (`docs/formats/drive.md`):
//! renaming, truncating to nothing, writing through symlinks.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::sync::Arc;

use corestore::{Corestore, Options as StoreOptions};
use futures_lite::future::block_on;
use hypercore_storage::DiskDir;
use hyperdrive::{Attributes, Drive, OpenOptions, Options};
use interop::{Peer, Random, digest, pattern};
use serde_json::{Value, json};

/// Changes of a sequence.
const CHANGES: usize = 40;

#[test]
fn random_sequences_end_in_the_same_tree_here_and_in_node() {
    let number = |name: &str, default: u64| {
        env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let (first, count) = (number("FIRST", 1), number("SEQUENCES", 100));
    let mut node = Peer::start();
    for seed in first..first + count {
        println!("seed {seed}");
        if (seed - first) % 100 == 99 {
            // What a process has said is kept.
            node = Peer::start();
        }
        let (changes, expected) = sequence(seed);
        let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
        let [here, there] = dirs.each_ref().map(tempfile::TempDir::path);

        block_on(change_here(here, &changes));
        node.ask("drive.open", json!({ "store": there }));
        node.ask("drive.change", json!({ "changes": changes }));
        node.ask("drive.close", json!({}));

        for dir in [here, there] {
            let whose = if dir == here { "ours" } else { "node's" };
            expect(&block_on(read_here(dir)), &expected, seed, whose, "here");
            node.ask("drive.open", json!({ "store": dir }));
            let read = node.ask("drive.read-tree", json!({}));
            node.ask("drive.close", json!({}));
            expect(&of_answer(&read), &expected, seed, whose, "in node");
        }
    }
}

/// What is at a path. Times and modes where they are the same by intent.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Found {
    Folder {
        mode: u32,
    },
    File {
        mode: u32,
        mtime: u64,
        digest: String,
        size: u64,
    },
    Link(String),
}

type Tree = BTreeMap<String, Found>;

#[track_caller]
fn expect(found: &Tree, expected: &Model, seed: u64, whose: &str, reader: &str) {
    let mut found = found.clone();
    let expected = expected.tree();
    for (path, entry) in &mut found {
        // Not set by anybody, so it is the time of the change.
        if let Some(Found::File { mtime: 0, .. }) = expected.get(path)
            && let Found::File { mtime, .. } = entry
        {
            *mtime = 0;
        }
    }
    let paths = found.keys().chain(expected.keys());
    for path in paths {
        assert_eq!(
            found.get(path),
            expected.get(path),
            "seed {seed}: {path} in {whose} drive, read {reader}"
        );
    }
}

/// What a drive has to hold.
#[derive(Default)]
struct Model {
    files: BTreeMap<String, File>,
    /// Those with an entry of their own.
    folders: BTreeMap<String, u32>,
    links: BTreeMap<String, String>,
}

#[derive(Clone)]
struct File {
    bytes: Vec<u8>,
    mode: u32,
    /// 0 if it is that of the last change.
    mtime: u64,
}

impl Model {
    /// A folder is there while something is in it, or while it has an entry of its own.
    fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        let all = self.files.keys().chain(self.folders.keys());
        for path in all.chain(self.links.keys()) {
            for (end, _) in path.match_indices('/') {
                let folder = Found::Folder { mode: 0o755 };
                tree.insert(path[..end].to_owned(), folder);
            }
        }
        for (path, mode) in &self.folders {
            tree.insert(path.clone(), Found::Folder { mode: *mode });
        }
        for (path, target) in &self.links {
            tree.insert(path.clone(), Found::Link(target.clone()));
        }
        for (path, file) in &self.files {
            let found = Found::File {
                mode: file.mode,
                mtime: file.mtime,
                digest: digest(&file.bytes),
                size: file.bytes.len() as u64,
            };
            tree.insert(path.clone(), found);
        }
        tree
    }

    /// Whether a file, folder or link can be made there.
    fn is_free(&self, path: &str) -> bool {
        let tree = self.tree();
        let above = path.match_indices('/').map(|(end, _)| &path[..end]);
        let is_folder = |path: &str| matches!(tree.get(path), None | Some(Found::Folder { .. }));
        !tree.contains_key(path) && above.into_iter().all(is_folder)
    }
}

struct Draw(Random);

impl Draw {
    fn path(&mut self) -> String {
        const NAMES: [&str; 6] = ["a", "b", "c", "ünï", "x y", "日本"];
        let depth = 1 + self.0.below(3);
        let names = (0..depth).map(|_| NAMES[self.0.below(NAMES.len())]);
        names.collect::<Vec<_>>().join("/")
    }

    fn size(&mut self) -> usize {
        match self.0.below(8) {
            0 => 0,
            1 => 65_535 + self.0.below(3),
            2 => 130_000 + self.0.below(5000),
            _ => 1 + self.0.below(3000),
        }
    }

    /// One of the files, if there are any.
    fn file(&mut self, model: &Model, wanted: impl Fn(&File) -> bool) -> Option<String> {
        let files = model.files.iter().filter(|(_, file)| wanted(file));
        let files: Vec<_> = files.map(|(path, _)| path.clone()).collect();
        (!files.is_empty()).then(|| files[self.0.below(files.len())].clone())
    }
}

/// Changes that both make the same of, and what they lead to.
fn sequence(seed: u64) -> (Vec<Value>, Model) {
    let mut random = Draw(Random::new(seed));
    let (mut changes, mut model) = (Vec::new(), Model::default());
    while changes.len() < CHANGES {
        changes.extend(change(&mut random, &mut model));
    }
    (changes, model)
}

fn change(random: &mut Draw, model: &mut Model) -> Option<Value> {
    let kind = random.0.below(20);
    let path = random.path();
    let write = |random: &mut Draw, model: &mut Model, path: String| {
        let (size, seed) = (random.size(), random.0.below(1 << 20));
        let mode = [0o644, 0o600, 0o755, 0o444][random.0.below(4)];
        let mtime = 1_600_000_000_000 + random.0.below(1 << 30) as u64;
        let file = File {
            bytes: pattern(size, u32::try_from(seed).expect("it is small")),
            mode,
            mtime,
        };
        model.files.insert(path.clone(), file);
        json!({ "change": "write", "path": path, "size": size, "seed": seed, "mode": mode, "mtime": mtime })
    };
    Some(match kind {
        0..=6 if model.is_free(&path) => write(random, model, path),
        7..=8 => {
            let path = random.file(model, |_| true)?;
            write(random, model, path)
        }
        9..=10 if model.is_free(&path) => {
            let mode = [0o755, 0o700, 0o777][random.0.below(3)];
            model.folders.insert(path.clone(), mode);
            json!({ "change": "mkdir", "path": path, "mode": mode })
        }
        11 => {
            let tree = model.tree();
            let is_empty = |folder: &str| {
                let below = format!("{folder}/");
                !tree.keys().any(|path| path.starts_with(&below))
            };
            let path = model.folders.keys().find(|path| is_empty(path))?.clone();
            model.folders.remove(&path);
            json!({ "change": "rmdir", "path": path })
        }
        12..=13 if model.is_free(&path) => {
            let target = ["../a", "nowhere", "/b/c"][random.0.below(3)];
            model.links.insert(path.clone(), target.to_owned());
            json!({ "change": "symlink", "path": path, "target": target })
        }
        14..=15 => {
            let path = random.file(model, |_| true)?;
            model.files.remove(&path);
            json!({ "change": "unlink", "path": path })
        }
        16 => {
            let path = model.links.keys().next()?.clone();
            model.links.remove(&path);
            json!({ "change": "unlink", "path": path })
        }
        17 if model.is_free(&path) => {
            let from = random.file(model, |_| true)?;
            let mut copy = model.files[&from].clone();
            copy.mtime = 0;
            model.files.insert(path.clone(), copy);
            json!({ "change": "copy", "path": from, "to": path })
        }
        // The reference forgets the mode of a file that is cut.
        18 => {
            let path = random.file(model, |file| file.mode == 0o644 && !file.bytes.is_empty())?;
            let file = model.files.get_mut(&path)?;
            let size = 1 + random.0.below(file.bytes.len() + 1000);
            file.bytes.resize(size, 0);
            file.mtime = 0;
            json!({ "change": "truncate", "path": path, "size": size })
        }
        19 => {
            let path = random.file(model, |_| true)?;
            let (size, seed) = (1 + random.0.below(70_000), random.0.below(1 << 20));
            let file = model.files.get_mut(&path)?;
            let added = pattern(size, u32::try_from(seed).expect("it is small"));
            file.bytes.extend_from_slice(&added);
            file.mtime = 0;
            json!({ "change": "append", "path": path, "size": size, "seed": seed })
        }
        _ => return None,
    })
}

async fn open(dir: &Path) -> (Corestore, Drive) {
    let store = Corestore::open(Arc::new(DiskDir::new(dir)), StoreOptions::new());
    let store = store.expect("the store opens");
    let drive = Drive::create(&store, Options::new()).await;
    (store, drive.expect("the drive opens"))
}

async fn change_here(dir: &Path, changes: &[Value]) {
    let (store, drive) = open(dir).await;
    for change in changes {
        let done = one_change(&drive, change).await;
        done.unwrap_or_else(|error| panic!("{change}: {error}"));
    }
    store.close().expect("the store closes");
}

async fn one_change(drive: &Drive, change: &Value) -> Result<(), hyperdrive::DriveError> {
    let text = |name: &str| change[name].as_str().expect("a text");
    let number = |name: &str| change[name].as_u64().expect("a number");
    let small = |name: &str| u32::try_from(number(name)).expect("a small number");
    let content = || pattern(small("size") as usize, small("seed"));
    let path = text("path");
    match text("change") {
        "write" => {
            let attributes = Attributes::new().mode(small("mode")).mtime(number("mtime"));
            drive.write_file(path, content(), &attributes).await?;
        }
        "mkdir" => {
            let attributes = Attributes::new().mode(small("mode"));
            drive.mkdir(path, &attributes).await?;
        }
        "rmdir" => drive.rmdir(path).await?,
        "symlink" => {
            drive
                .symlink(text("target"), path, &Attributes::new())
                .await?;
        }
        "unlink" => drive.unlink(path).await?,
        "copy" => drive.copy(path, text("to")).await?,
        "truncate" => drive.truncate(path, number("size")).await?,
        "append" => {
            let file = drive
                .open_file(path, OpenOptions::new().append(true))
                .await?;
            let mut file = file;
            file.write(&content()).await?;
            file.close().await?;
        }
        other => panic!("{other}"),
    }
    Ok(())
}

async fn read_here(dir: &Path) -> Tree {
    let (store, drive) = open(dir).await;
    let mut tree = Tree::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let listing = drive.read_dir(&format!("/{folder}"), false).await;
        let listing = listing.expect("the folder can be listed").sorted().await;
        for entry in listing.expect("the folder can be listed") {
            let path = entry.path.trim_start_matches('/').to_owned();
            let (stat, mode) = (&entry.stat, entry.stat.permissions() & 0o777);
            let found = if stat.is_dir() {
                folders.push(path.clone());
                Found::Folder { mode }
            } else if let Some(target) = &stat.linkname {
                Found::Link(target.clone())
            } else {
                let bytes = drive.read_file(&entry.path).await;
                Found::File {
                    mode,
                    mtime: stat.mtime,
                    digest: digest(&bytes.expect("the file can be read")),
                    size: stat.size,
                }
            };
            tree.insert(path, found);
        }
    }
    store.close().expect("the store closes");
    tree
}

/// What `drive.read-tree` answered.
fn of_answer(answer: &Value) -> Tree {
    let entries = answer["entries"].as_object().expect("entries");
    let entries = entries.iter().map(|(path, entry)| {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| entry[name].as_u64().expect("a number");
        let mode = u32::try_from(number("mode")).expect("a mode");
        let found = match text("type").as_str() {
            "directory" => Found::Folder { mode },
            "symlink" => Found::Link(text("target")),
            "file" => Found::File {
                mode,
                mtime: number("mtime"),
                digest: text("digest"),
                size: number("size"),
            },
            other => panic!("{path} is a {other}"),
        };
        (path.trim_start_matches('/').to_owned(), found)
    });
    entries.collect()
}
