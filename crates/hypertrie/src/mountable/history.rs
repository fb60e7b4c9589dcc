use super::place::Place;
use crate::{History, HistoryOptions, Mount, Node, TrieError};

/// What was written to one trie of a tree, in the order of writing; made by
/// [`MountableTrie::history`](super::MountableTrie::history).
///
/// Cancel-safe. After an error that passes, it can be asked again.
#[derive(Debug)]
pub struct MountedHistory {
    place: Place,
    history: History,
    /// A mount whose record is still to be looked up.
    found: Option<Node>,
}

/// One write. The records of mounts, and other hidden keys, are not shown by themselves.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Written {
    /// A value was stored, or stored again by a deletion beside it.
    Put(Node),
    /// A trie was mounted, or the entry of its mount was written again.
    Mount(Node, Mount),
}

impl MountedHistory {
    pub(super) fn new(place: Place, options: HistoryOptions) -> Self {
        let history = place.trie.history(options);
        Self {
            place,
            history,
            found: None,
        }
    }

    /// The next write; `None` at the end. Keys are as seen from the outer trie.
    pub async fn next(&mut self) -> Result<Option<Written>, TrieError> {
        loop {
            if let Some(node) = &self.found {
                // As it was when the node was written: the record goes before it in one batch.
                let then = self.place.at_version(node.seq + 1);
                let mount = then.record(&node.key).await?;
                let Some(node) = self.found.take() else {
                    continue;
                };
                let node = self.place.seen(node);
                return Ok(Some(match mount {
                    Some(mount) => Written::Mount(node, mount),
                    None => Written::Put(node),
                }));
            }
            let Some(node) = self.history.next().await? else {
                return Ok(None);
            };
            if node.hidden || self.place.outer(&node.key).is_none() {
                continue;
            }
            if !node.is_mount() {
                return Ok(Some(Written::Put(self.place.seen(node))));
            }
            self.found = Some(node);
        }
    }
}
