use super::{Located, MAX_MOUNT_DEPTH, join, trimmed};
use crate::{Mount, Node, Trie, TrieError};

/// A trie of the tree, and where it lies.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) trie: Trie,
    /// The path of its mount, as seen from the outer trie; empty for that one.
    pub(super) at: String,
    /// The part of the trie that is mounted; empty if it is all of it.
    root: String,
    /// What was gone into on the way here, the outer trie first.
    passed: Vec<Passed>,
}

/// A part of a trie in some version: what must not come again below itself.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Passed {
    key: [u8; 32],
    version: Option<u64>,
    root: String,
}

impl Place {
    pub(super) fn root(trie: &Trie) -> Self {
        let passed = Passed {
            key: *trie.feed().public_key().as_bytes(),
            version: trie.checked_out(),
            root: String::new(),
        };
        Self {
            trie: trie.clone(),
            at: String::new(),
            root: String::new(),
            passed: vec![passed],
        }
    }

    /// The place of what is mounted in this one.
    pub(super) fn within(&self, trie: Trie, mount: &Mount) -> Result<Self, TrieError> {
        if self.passed.len() > MAX_MOUNT_DEPTH {
            return Err(TrieError::TooManyMounts {
                limit: MAX_MOUNT_DEPTH,
            });
        }
        let remote = mount.remote_path.as_deref().map_or("", trimmed);
        // Where only a part of a trie is mounted, that part may itself lie below a mount.
        let (at, below) = match self.outer(&mount.path) {
            Some(at) => (at, ""),
            None => (self.at.clone(), mount.strip(&self.root).unwrap_or("")),
        };
        let root = join(remote, below);
        let mut passed = self.passed.clone();
        passed.push(Passed {
            key: mount.key,
            version: mount.version,
            root: root.clone(),
        });
        Ok(Self {
            trie,
            at,
            root,
            passed,
        })
    }

    /// The same place with its trie as it was at a version.
    pub(super) fn at_version(&self, version: u64) -> Self {
        Self {
            trie: self.trie.checkout(version),
            ..self.clone()
        }
    }

    /// Whether this place lies below itself.
    pub(super) fn is_repeated(&self) -> bool {
        self.passed
            .split_last()
            .is_some_and(|(here, before)| before.contains(here))
    }

    /// How many mounts are on the way here.
    pub(super) fn depth(&self) -> usize {
        self.passed.len() - 1
    }

    /// The key here of a path of the outer trie, which must lead here.
    pub(super) fn inner(&self, path: &str) -> String {
        let path = crate::path::normalize(path);
        let rest = path.get(self.at.len()..).unwrap_or("");
        if self.at.is_empty() {
            // Keys of the outer trie are taken as they are given.
            return join(&self.root, rest);
        }
        join(&self.root, rest.strip_prefix('/').unwrap_or(rest))
    }

    /// The path in the outer trie of a key here. `None` if it is outside of what is mounted.
    pub(super) fn outer(&self, key: &str) -> Option<String> {
        if self.root.is_empty() {
            return Some(join(&self.at, key));
        }
        let rest = key.strip_prefix(&*self.root)?;
        let below = rest.strip_prefix('/');
        match rest.is_empty() {
            true => Some(self.at.clone()),
            false => Some(join(&self.at, below?)),
        }
    }

    /// A node as seen from the outer trie.
    pub(super) fn seen(&self, mut node: Node) -> Node {
        if let Some(key) = self.outer(&node.key) {
            node.key = key;
        }
        node
    }

    pub(super) fn located(&self, node: Node) -> Located {
        let path = node.key.clone();
        Located {
            node: self.seen(node),
            trie: self.trie.clone(),
            path,
        }
    }

    /// The record of the mount at exactly a key here.
    pub(super) async fn record(&self, key: &str) -> Result<Option<Mount>, TrieError> {
        let mount = self.trie.mount_above(key).await?;
        Ok(mount.filter(|mount| trimmed(&mount.path) == trimmed(key)))
    }
}
