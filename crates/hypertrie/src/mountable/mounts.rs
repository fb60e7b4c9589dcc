use std::fmt;

use super::place::Place;
use super::{MountableTrie, one_more};
use crate::mount::RECORDS;
use crate::{Iter, IterOptions, Mount, Trie, TrieError};

/// A mount, and what is mounted there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MountedAt {
    /// The path, as seen from the outer trie, without a leading slash.
    pub path: String,
    /// The record. Its path is that in the trie that holds it.
    pub mount: Mount,
    /// What is mounted, in the version that is.
    pub trie: Trie,
}

/// The mounts of a tree of tries, made by
/// [`MountableTrie::mounts`](super::MountableTrie::mounts). Cancel-safe. An error ends it.
pub struct Mounts {
    view: MountableTrie,
    recursive: bool,
    /// Whether mounts are left out whose tries nobody has come to yet.
    open_only: bool,
    failed: bool,
    levels: Vec<(Place, Iter)>,
    /// A record that was come upon last, in the innermost level.
    found: Option<Mount>,
    /// How many mounts were gone into.
    entered: usize,
}

impl Mounts {
    pub(super) fn new(view: MountableTrie, recursive: bool) -> Self {
        let root = Place::root(&view.trie);
        let mut mounts = Self {
            view,
            recursive,
            open_only: false,
            failed: false,
            levels: Vec::new(),
            found: None,
            entered: 0,
        };
        mounts.push(root);
        mounts
    }

    /// Leaves out what is mounted but not open: tries that no lookup or listing has gone into lately.
    /// Nothing is opened then.
    pub fn open_only(mut self) -> Self {
        self.open_only = true;
        self
    }

    /// The next mount; `None` at the end and after an error.
    pub async fn next(&mut self) -> Result<Option<MountedAt>, TrieError> {
        if self.failed {
            return Ok(None);
        }
        let next = self.advance().await;
        self.failed = next.is_err();
        Ok(next?.map(|(at, _place)| at))
    }

    /// The next mount and its place.
    pub(super) async fn advance(&mut self) -> Result<Option<(MountedAt, Place)>, TrieError> {
        loop {
            let Some((place, iter)) = self.levels.last_mut() else {
                return Ok(None);
            };
            if let Some(mount) = &self.found {
                let wanted = !self.open_only || self.view.forest.is_open(&mount.key);
                if wanted && place.outer(&mount.path).is_some() {
                    let inner = self.view.enter(place, mount).await?;
                    let at = MountedAt {
                        path: inner.at.clone(),
                        mount: mount.clone(),
                        trie: inner.trie.clone(),
                    };
                    self.found = None;
                    if self.recursive && !inner.is_repeated() {
                        self.entered = one_more(self.entered)?;
                        self.push(inner.clone());
                    }
                    return Ok(Some((at, inner)));
                }
                self.found = None;
            }
            match iter.next().await? {
                Some(node) => self.found = node.mount()?,
                None => drop(self.levels.pop()),
            }
        }
    }

    fn push(&mut self, place: Place) {
        let records = place.trie.iter(RECORDS, IterOptions::new().hidden(true));
        self.levels.push((place, records));
    }
}

impl fmt::Debug for Mounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mounts")
            .field("recursive", &self.recursive)
            .field("levels", &self.levels.len())
            .finish_non_exhaustive()
    }
}
