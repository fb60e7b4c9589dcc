use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::lock::OwnedMutexGuard;
use hypercore::AppendError;

use crate::node::{MAX_FLAGS, MAX_KEY_BYTES, MAX_LINKS_BYTES, NO_LINKS, Outline, Stored};
use crate::path::{Path, PathBuf, components, normalize};
use crate::reader::Reader;
use crate::trie::Shared;
use crate::write::{Omit, find_doomed, link};
use crate::{GetOptions, KeyError, Node, PutOptions, Trie, TrieError};

/// One write of a [batch](Trie::batch).
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum Op {
    /// Stores a value under a key.
    Put {
        /// The key.
        key: String,
        /// The value, if any.
        value: Option<Bytes>,
        /// Flags, and which half of the trie.
        options: PutOptions,
    },
    /// Deletes a key.
    Del {
        /// The key.
        key: String,
        /// Whether it is one of the hidden keys.
        hidden: bool,
    },
    /// Deletes everything at and under a prefix.
    RemovePrefix {
        /// The prefix.
        prefix: String,
        /// Whether the hidden keys are meant.
        hidden: bool,
    },
}

impl Op {
    /// Stores a value under a visible key.
    pub fn put(key: impl Into<String>, value: impl Into<Option<Bytes>>) -> Self {
        Self::put_with(key, value, PutOptions::new())
    }

    /// Stores a value under a key.
    pub fn put_with(
        key: impl Into<String>,
        value: impl Into<Option<Bytes>>,
        options: PutOptions,
    ) -> Self {
        Self::Put {
            key: key.into(),
            value: value.into(),
            options,
        }
    }

    /// Deletes a visible key.
    pub fn del(key: impl Into<String>) -> Self {
        Self::Del {
            key: key.into(),
            hidden: false,
        }
    }

    /// Deletes every visible key at and under a prefix.
    pub fn remove_prefix(prefix: impl Into<String>) -> Self {
        Self::RemovePrefix {
            prefix: prefix.into(),
            hidden: false,
        }
    }
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put {
                key,
                value,
                options,
            } => f
                .debug_struct("Put")
                .field("key", key)
                .field("value", &Outline(value.as_ref()))
                .field("options", options)
                .finish(),
            Self::Del { key, hidden } => f
                .debug_struct("Del")
                .field("key", key)
                .field("hidden", hidden)
                .finish(),
            Self::RemovePrefix { prefix, hidden } => f
                .debug_struct("RemovePrefix")
                .field("prefix", prefix)
                .field("hidden", hidden)
                .finish(),
        }
    }
}

/// Writes that become one append.
///
/// A batch holds its trie's write lock: nothing else is written between what it reads and what it
/// appends. Its lookups see its own writes. Dropping it appends nothing.
pub struct Batch {
    shared: Arc<Shared>,
    /// Where the batch's first block goes.
    base: u64,
    head: Option<Stored>,
    nodes: Vec<Stored>,
    blocks: Vec<Vec<u8>>,
    _writing: OwnedMutexGuard<()>,
}

impl Batch {
    pub(crate) async fn begin(trie: &Trie) -> Result<Self, TrieError> {
        if let Some(version) = trie.checked_out() {
            return Err(TrieError::Checkout { version });
        }
        let shared = Arc::clone(trie.shared());
        if !shared.feed.is_writable() {
            return Err(AppendError::NotWritable.into());
        }
        let writing = Arc::clone(&shared.writing).lock_owned().await;
        let base = shared.feed.length();
        let head = Reader::new(&shared).load(base.saturating_sub(1)).await?;
        Ok(Self {
            shared,
            base,
            head,
            nodes: Vec::new(),
            blocks: Vec::new(),
            _writing: writing,
        })
    }

    /// Stores a value under a visible key.
    pub async fn put(
        &mut self,
        key: &str,
        value: impl Into<Option<Bytes>>,
    ) -> Result<Node, TrieError> {
        self.put_with(key, value, PutOptions::new()).await
    }

    /// Stores a value under a key.
    pub async fn put_with(
        &mut self,
        key: &str,
        value: impl Into<Option<Bytes>>,
        options: PutOptions,
    ) -> Result<Node, TrieError> {
        let value: Option<Bytes> = value.into();
        let path = self.store(key, value.as_deref(), options).await?;
        Ok(Node {
            seq: self.next_seq() - 1,
            key: path.get().key().to_owned(),
            value,
            flags: options.flags,
            hidden: options.hidden,
        })
    }

    /// As [`put_with`](Self::put_with). Gives the path of the key.
    async fn store(
        &mut self,
        key: &str,
        value: Option<&[u8]>,
        options: PutOptions,
    ) -> Result<PathBuf, TrieError> {
        let key = normalize(key);
        check_key(key)?;
        if options.flags > MAX_FLAGS {
            return Err(TrieError::Flags {
                flags: options.flags,
            });
        }
        let path = PathBuf::new(key, options.hidden, self.shared.hash);
        let head = self.head.clone();
        let links = self.link(head, path.get(), Omit::Nothing).await?;
        let node = Stored::new(self.next_seq(), path.get(), value, options.flags, &links);
        self.push(node, key)?;
        Ok(path)
    }

    /// Deletes a visible key. False if it is absent.
    pub async fn del(&mut self, key: &str) -> Result<bool, TrieError> {
        self.del_with(key, PutOptions::new()).await
    }

    /// Deletes a visible or a hidden key. False if it is absent.
    pub async fn del_with(&mut self, key: &str, options: PutOptions) -> Result<bool, TrieError> {
        let Some(head) = self.head.clone() else {
            return Ok(false);
        };
        let path = PathBuf::new(normalize(key), options.hidden, self.shared.hash);
        let path = path.get();
        let found = find_doomed(&mut self.reader(), head.clone(), path, path.len()).await?;
        // Keys that differ in slashes only share a path; the reference deletes the very key only.
        let Some(doomed) = found
            .ok()
            .filter(|doomed| doomed.node.path().key_bytes() == path.key_bytes())
        else {
            return Ok(false);
        };
        let omit = Omit::Node(doomed.node.seq);
        self.replace(Some(head), doomed.sibling, options.hidden, omit)
            .await?;
        Ok(true)
    }

    /// Deletes every visible key at and under a prefix, with a single node. False if there is none.
    pub async fn remove_prefix(&mut self, prefix: &str) -> Result<bool, TrieError> {
        self.remove_prefix_with(prefix, PutOptions::new()).await
    }

    /// Deletes every visible or every hidden key at and under a prefix, with a single node. False
    /// if there is none.
    ///
    /// All pointers to what is under the prefix are in the newest nodes, so it is enough to write
    /// the deepest node outside again without them. Readers of any kind understand the result.
    pub async fn remove_prefix_with(
        &mut self,
        prefix: &str,
        options: PutOptions,
    ) -> Result<bool, TrieError> {
        let Some(head) = self.head.clone() else {
            return Ok(false);
        };
        let path = PathBuf::new(normalize(prefix), options.hidden, self.shared.hash);
        let path = path.get();
        let found = find_doomed(&mut self.reader(), head.clone(), path, path.len() - 1).await?;
        let Ok(doomed) = found else { return Ok(false) };
        let at = doomed
            .sibling
            .as_ref()
            .and_then(|sibling| path.divergence(sibling.path(), 0));
        let omit = Omit::Prefix {
            path,
            at: at.unwrap_or(0),
        };
        self.replace(Some(head), doomed.sibling, options.hidden, omit)
            .await?;
        Ok(true)
    }

    /// Goes back to an older version: what follows in the batch is written on top of that one.
    ///
    /// If no version is newer than the one given, nothing changes.
    pub async fn revert(&mut self, version: u64) -> Result<(), TrieError> {
        if version >= self.next_seq() {
            return Ok(());
        }
        let head = self.reader().load(version.saturating_sub(1)).await?;
        self.replace(head.clone(), head, false, Omit::Nothing).await
    }

    /// Carries out one write.
    pub async fn apply(&mut self, op: Op) -> Result<(), TrieError> {
        match op {
            Op::Put {
                key,
                value,
                options,
            } => {
                self.store(&key, value.as_deref(), options).await?;
            }
            Op::Del { key, hidden } => {
                self.del_with(&key, PutOptions::new().hidden(hidden))
                    .await?;
            }
            Op::RemovePrefix { prefix, hidden } => {
                self.remove_prefix_with(&prefix, PutOptions::new().hidden(hidden))
                    .await?;
            }
        }
        Ok(())
    }

    /// Appends everything as one batch of blocks. Gives the nodes appended, in order.
    pub fn commit(self) -> Result<Vec<Node>, TrieError> {
        if self.blocks.is_empty() {
            return Ok(Vec::new());
        }
        let feed = &self.shared.feed;
        // The nodes name their places and those of each other: they fit nowhere else.
        if !feed.append_batch_at(self.base, &self.blocks)? {
            let (base, length) = (self.base, feed.length());
            return Err(TrieError::Conflict { base, length });
        }
        self.shared.remember(&self.nodes);
        Ok(self.nodes.iter().map(|node| node.to_node()).collect())
    }

    /// How many blocks the batch would append now.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether the batch would append nothing.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// What is stored under a visible key, this batch's writes included.
    pub async fn get(&self, key: &str) -> Result<Option<Node>, TrieError> {
        self.get_with(key, GetOptions::new()).await
    }

    /// What is stored under a key, this batch's writes included.
    pub async fn get_with(
        &self,
        key: &str,
        options: GetOptions,
    ) -> Result<Option<Node>, TrieError> {
        self.get_after(key, options, &mut 0).await
    }

    /// As [`get_with`](Self::get_with), as a part of an operation that has read so many blocks.
    pub(crate) async fn get_after(
        &self,
        key: &str,
        options: GetOptions,
        reads: &mut u32,
    ) -> Result<Option<Node>, TrieError> {
        let mut reader = self.reader().after(*reads);
        let found = reader.get(self.head(), key, options).await;
        *reads = reader.reads();
        found
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The newest node, pending ones included.
    pub(crate) fn head(&self) -> Option<Stored> {
        self.head.clone()
    }

    /// Writes `sibling` again as the successor of `head`, without what it must not lead to any more.
    /// If nothing else is in the trie, a node with an empty key says so.
    async fn replace(
        &mut self,
        head: Option<Stored>,
        sibling: Option<Stored>,
        hidden: bool,
        omit: Omit<'_>,
    ) -> Result<(), TrieError> {
        let seq = self.next_seq();
        let Some(sibling) = sibling else {
            let path = PathBuf::new("", hidden, self.shared.hash);
            let reset = Stored::new(seq, path.get(), None, 0, NO_LINKS);
            return self.push(reset, "");
        };
        let path = sibling.path();
        let links = self.link(head, path, omit).await?;
        let node = Stored::new(seq, path, sibling.value_bytes(), sibling.flags(), &links);
        self.push(node, path.key())
    }

    /// The pointers of a node at `path` that follows `head`, encoded.
    async fn link(
        &self,
        head: Option<Stored>,
        path: Path<'_>,
        omit: Omit<'_>,
    ) -> Result<Vec<u8>, TrieError> {
        link(&mut self.reader(), head, path, omit).await
    }

    fn push(&mut self, node: Stored, key: &str) -> Result<(), TrieError> {
        let encoded = node.encode(key);
        if encoded.links_bytes > MAX_LINKS_BYTES {
            let bytes = encoded.links_bytes;
            return Err(TrieError::TooManyLinks {
                bytes,
                limit: MAX_LINKS_BYTES,
            });
        }
        self.blocks.push(encoded.block);
        self.nodes.push(node.clone());
        // The reference goes on from the node that stands for an empty trie and links it, which its
        // own iterator does not survive.
        self.head = (!node.is_reset()).then_some(node);
        Ok(())
    }

    /// The state to come back to if several writes that belong together fail.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            len: self.nodes.len(),
            head: self.head.clone(),
        }
    }

    /// Takes back all that was written since the mark.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        self.nodes.truncate(mark.len);
        self.blocks.truncate(mark.len);
        self.head = mark.head;
    }

    fn next_seq(&self) -> u64 {
        self.base + self.nodes.len() as u64
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader::with_pending(&self.shared, self.base, &self.nodes)
    }
}

/// A state of a batch.
#[derive(Debug)]
pub(crate) struct Mark {
    len: usize,
    head: Option<Stored>,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("base", &self.base)
            .field("len", &self.blocks.len())
            .finish_non_exhaustive()
    }
}

fn check_key(key: &str) -> Result<(), KeyError> {
    if key.len() > MAX_KEY_BYTES {
        return Err(KeyError::TooLong {
            bytes: key.len(),
            limit: MAX_KEY_BYTES,
        });
    }
    if components(key).next().is_none() {
        return Err(KeyError::Empty);
    }
    if key.starts_with("//") {
        return Err(KeyError::LeadingSlashes);
    }
    Ok(())
}
