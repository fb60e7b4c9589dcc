use std::fmt;

use super::place::Place;
use super::{MountableTrie, one_more};
use crate::{Change, Diff, DiffOptions, Mount, Node, TrieError};

/// The keys that differ between two versions of a tree of tries, made by
/// [`MountableTrie::diff`](super::MountableTrie::diff).
///
/// Versions are those of the outer trie. A mount that came or went is one change, and stands for all
/// that is mounted there. A mount of the same trie in two versions is gone into: what differs between
/// these is shown in place. What happens in a mounted trie without a version leaves no trace in the
/// outer one, so it makes no difference between two of its versions.
///
/// Cancel-safe. An error ends the comparison.
pub struct MountedDiff {
    view: MountableTrie,
    version: u64,
    prefix: String,
    options: DiffOptions,
    opened: bool,
    failed: bool,
    levels: Vec<Level>,
    /// A change that was come upon last, in the innermost level.
    found: Option<Change>,
    /// How many mounts were gone into.
    entered: usize,
}

struct Level {
    left: Place,
    right: Place,
    diff: Diff,
}

/// A difference between two versions of a tree.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MountedChange {
    /// The nodes, with their key as seen from the outer trie.
    pub change: Change,
    /// What is mounted there in the version that was asked.
    pub left: Option<Mount>,
    /// What is mounted there in the version it is compared with.
    pub right: Option<Mount>,
}

/// What a difference means, seen from the version compared with to the one that was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChangeKind {
    /// A value was stored.
    Put,
    /// A value was deleted.
    Del,
    /// A trie was mounted.
    Mount,
    /// A mount ended.
    Unmount,
}

impl MountedChange {
    /// What the difference means. The reference tells it in the same way.
    pub fn kind(&self) -> ChangeKind {
        let is_mount = |node: &Option<Node>| node.as_ref().is_some_and(Node::is_mount);
        match (&self.change.left, &self.change.right) {
            (None, right) if is_mount(right) => ChangeKind::Unmount,
            (None, _) => ChangeKind::Del,
            (left, _) if is_mount(left) => ChangeKind::Mount,
            _ => ChangeKind::Put,
        }
    }
}

impl MountedDiff {
    pub(super) fn new(
        view: MountableTrie,
        version: u64,
        prefix: &str,
        options: DiffOptions,
    ) -> Self {
        Self {
            view,
            version,
            prefix: prefix.to_owned(),
            options,
            opened: false,
            failed: false,
            levels: Vec::new(),
            found: None,
            entered: 0,
        }
    }

    /// The next change; `None` at the end and after an error.
    pub async fn next(&mut self) -> Result<Option<MountedChange>, TrieError> {
        if self.failed {
            return Ok(None);
        }
        let next = self.advance().await;
        self.failed = next.is_err();
        next
    }

    async fn advance(&mut self) -> Result<Option<MountedChange>, TrieError> {
        if !self.opened {
            let (left, inner) = self.view.resolve(&self.prefix, false).await?;
            let other = self.view.checkout(self.version);
            let (right, other) = other.resolve(&self.prefix, false).await?;
            if left.at == right.at && is_same_log(&left, &right) && inner == other {
                self.push(left, right, &inner);
            } else {
                // Two tries that have nothing in common: all of one, then all of the other.
                let nothing = |place: &Place| place.at_version(1);
                self.push(nothing(&right), right, &other);
                self.push(left.clone(), nothing(&left), &inner);
            }
            self.opened = true;
        }
        loop {
            let Some(level) = self.levels.last_mut() else {
                return Ok(None);
            };
            if self.found.is_none() {
                self.found = level.diff.next().await?;
            }
            let Some(change) = &self.found else {
                self.levels.pop();
                continue;
            };
            let mounts = [(&level.left, &change.left), (&level.right, &change.right)];
            let [left, right] = mounts.map(async |(place, node)| match node {
                Some(node) if node.is_mount() => place.record(&node.key).await,
                _ => Ok(None),
            });
            let (left, right) = (left.await?, right.await?);
            if let (Some(left), Some(right)) = (&left, &right)
                && left.key == right.key
                && left.version != right.version
            {
                let left = self.view.enter(&level.left, left).await?;
                let right = self.view.enter(&level.right, right).await?;
                if left.inner("") == right.inner("") && !left.is_repeated() {
                    let inner = left.inner(&left.at);
                    self.entered = one_more(self.entered)?;
                    self.found = None;
                    self.push(left, right, &inner);
                    continue;
                }
            }
            let Some(change) = self.found.take() else {
                continue;
            };
            let Some(key) = level.left.outer(&change.key) else {
                continue;
            };
            let (from, to) = (level.left.clone(), level.right.clone());
            let change = Change {
                key,
                left: change.left.map(|node| from.seen(node)),
                right: change.right.map(|node| to.seen(node)),
            };
            return Ok(Some(MountedChange {
                change,
                left,
                right,
            }));
        }
    }

    fn push(&mut self, left: Place, right: Place, inner: &str) {
        let diff = left.trie.diff(right.trie.version(), inner, self.options);
        self.levels.push(Level { left, right, diff });
    }
}

fn is_same_log(left: &Place, right: &Place) -> bool {
    left.trie.feed().public_key() == right.trie.feed().public_key()
}

impl fmt::Debug for MountedDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MountedDiff")
            .field("version", &self.version)
            .field("prefix", &self.prefix)
            .field("levels", &self.levels.len())
            .finish_non_exhaustive()
    }
}
