use std::fmt;

use futures_core::stream::BoxStream;

use super::place::Place;
use super::{MountableTrie, trimmed};
use crate::{Iter, IterOptions, Node, TrieError};

/// The nodes at and under a prefix, those of mounted tries included; made by
/// [`MountableTrie::iter`](super::MountableTrie::iter).
///
/// Keys are as seen from the outer trie. Cancel-safe. An error ends the iteration.
pub struct MountedIter {
    view: MountableTrie,
    prefix: String,
    options: IterOptions,
    opened: bool,
    failed: bool,
    levels: Vec<Level>,
    /// The key of a mount that was come upon last, in the innermost level.
    entering: Option<String>,
}

struct Level {
    place: Place,
    iter: Iter,
}

impl MountedIter {
    pub(super) fn new(view: MountableTrie, prefix: &str, options: IterOptions) -> Self {
        Self {
            view,
            prefix: trimmed(prefix).to_owned(),
            options,
            opened: false,
            failed: false,
            levels: Vec::new(),
            entering: None,
        }
    }

    /// The next node; `None` at the end and after an error.
    pub async fn next(&mut self) -> Result<Option<Node>, TrieError> {
        if self.failed {
            return Ok(None);
        }
        let next = self.advance().await;
        self.failed = next.is_err();
        next
    }

    /// The same nodes as a stream.
    pub fn into_stream(self) -> BoxStream<'static, Result<Node, TrieError>> {
        Box::pin(futures_util::stream::unfold(self, async |mut iter| {
            let next = iter.next().await.transpose()?;
            Some((next, iter))
        }))
    }

    async fn advance(&mut self) -> Result<Option<Node>, TrieError> {
        if !self.opened {
            let (place, inner) = self.view.resolve(&self.prefix, true).await?;
            self.push(place, &inner);
            self.opened = true;
        }
        loop {
            self.enter().await?;
            let Some(level) = self.levels.last_mut() else {
                return Ok(None);
            };
            let Some(node) = level.iter.next().await? else {
                self.levels.pop();
                continue;
            };
            // What is outside of the part of a trie that is mounted is none of ours.
            let Some(key) = level.place.outer(&node.key) else {
                continue;
            };
            if node.is_mount() && self.options.recursive && self.options.mounts {
                self.entering = Some(node.key.clone());
            }
            if !(self.options.gt && trimmed(&key) == self.prefix) {
                return Ok(Some(Node { key, ..node }));
            }
        }
    }

    /// Goes into the mount that was come upon, unless that would be a circle.
    async fn enter(&mut self) -> Result<(), TrieError> {
        let place = self.levels.last().map(|level| &level.place);
        let (Some(key), Some(place)) = (&self.entering, place) else {
            return Ok(());
        };
        // Node leaves the flag without a record, and records without the flag.
        if let Some(mount) = place.record(key).await? {
            let place = self.view.enter(place, &mount).await?;
            if !place.is_repeated() {
                let inner = place.inner(&place.at);
                self.push(place, &inner);
            }
        }
        self.entering = None;
        Ok(())
    }

    fn push(&mut self, place: Place, inner: &str) {
        // Whether the prefix itself is wanted is seen here: its entry may be a mount to go into.
        let options = self.options.gt(false);
        let iter = place.trie.iter(inner, options);
        self.levels.push(Level { place, iter });
    }
}

impl fmt::Debug for MountedIter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MountedIter")
            .field("prefix", &self.prefix)
            .field("options", &self.options)
            .field("levels", &self.levels.len())
            .finish_non_exhaustive()
    }
}
