//! Folders: made, read back, and compared with what a drive holds.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use blake2::{Blake2b512, Digest};
use serde_json::Value;

/// What a folder or a drive holds, by path (`/` between names, none in front).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tree(pub BTreeMap<String, Entry>);

/// What lies at one path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Entry {
    /// A folder.
    Folder,
    /// A file, by the [`digest`] of its bytes.
    File {
        /// Length in bytes.
        size: u64,
        /// BLAKE2b-512, in hex.
        digest: String,
    },
    /// A symbolic link and its target.
    Link(String),
}

impl Entry {
    /// The entry of a file with these bytes.
    #[must_use]
    pub fn file(bytes: &[u8]) -> Self {
        Self::File {
            size: bytes.len() as u64,
            digest: digest(bytes),
        }
    }
}

impl Tree {
    /// Reads a folder, without following links.
    #[must_use]
    #[track_caller]
    pub fn of_folder(folder: &Path) -> Self {
        let mut tree = Self::default();
        tree.add_folder(folder, "");
        tree
    }

    #[track_caller]
    fn add_folder(&mut self, folder: &Path, prefix: &str) {
        let listing = fs::read_dir(folder);
        for entry in listing.unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let entry = entry.expect("the folder can be listed");
            let name = entry
                .file_name()
                .into_string()
                .expect("names of the test are UTF-8");
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().expect("the entry can be looked at");
            let found = if kind.is_symlink() {
                let target = fs::read_link(entry.path()).expect("the link can be read");
                Entry::Link(
                    target
                        .to_str()
                        .expect("targets of the test are UTF-8")
                        .to_owned(),
                )
            } else if kind.is_dir() {
                self.add_folder(&entry.path(), &format!("{path}/"));
                Entry::Folder
            } else {
                Entry::file(&fs::read(entry.path()).expect("the file can be read"))
            };
            self.0.insert(path, found);
        }
    }

    /// Reads what Node's `drive.read-tree` answered.
    #[must_use]
    #[track_caller]
    pub fn of_answer(answer: &Value) -> Self {
        let entries = answer["entries"]
            .as_object()
            .expect("an answer of drive.read-tree");
        let entries = entries.iter().map(|(path, entry)| {
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            let found = match text("type").as_str() {
                "directory" => Entry::Folder,
                "file" => Entry::File {
                    size: entry["size"].as_u64().expect("a file has a size"),
                    digest: text("digest"),
                },
                "symlink" => Entry::Link(text("target")),
                other => panic!("{path} is a {other}"),
            };
            (path.trim_start_matches('/').to_owned(), found)
        });
        Self(entries.collect())
    }

    /// Compares, and says which paths differ.
    #[track_caller]
    pub fn expect(&self, expected: &Self) {
        let differing: Vec<_> = self
            .0
            .keys()
            .chain(expected.0.keys())
            .filter(|path| self.0.get(*path) != expected.0.get(*path))
            .map(|path| {
                format!(
                    "{path}: {:?}, not {:?}",
                    self.0.get(path),
                    expected.0.get(path)
                )
            })
            .collect();
        assert!(differing.is_empty(), "{}", differing.join("\n"));
    }
}

/// BLAKE2b-512 in hex, which Node's standard library has too.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(Blake2b512::digest(bytes))
}

/// Bytes that look random and are the same everywhere: the `size` and `seed` of Node's commands
/// make the same ones.
#[must_use]
pub fn pattern(size: usize, seed: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut x = match seed ^ 0x9e37_79b9 {
        0 => 1,
        seed => seed,
    };
    while bytes.len() < size {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        bytes.extend_from_slice(&x.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
