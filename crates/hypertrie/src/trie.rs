use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::lock::Mutex as AsyncMutex;
use hypercore::Feed;
use prost::Message;

use crate::batch::Batch;
use crate::cache::Cache;
use crate::diff::Diff;
use crate::extension::{self, Listing, Message as Request, Questions};
use crate::history::History;
use crate::iter::Iter;
use crate::node::Stored;
use crate::path::{ComponentHash, normalize};
use crate::reader::Reader;
use crate::stats::Counts;
use crate::{
    DiffOptions, GetOptions, HistoryOptions, IterOptions, Node, Op, Options, PutOptions, Stats,
    TrieError, Watch, schema,
};

/// A key/value store on one log.
///
/// Cloning is cheap; clones and [checkouts](Trie::checkout) share the log, the cache and the lock
/// that lets one write happen at a time. Open one trie for a log and clone it: two that were opened
/// apart do not know of each other, and the slower of two writes at once ends in
/// [`TrieError::Conflict`].
///
/// Every method is cancel-safe: a write is one append at its very end, so dropping its future leaves
/// the log either as it was or with all of it. Reads wait for as long as a block takes to arrive.
#[derive(Clone, Debug)]
pub struct Trie {
    shared: Arc<Shared>,
    /// The version looked at; the newest one if there is none.
    checkout: Option<u64>,
}

/// What the handles on one trie have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) feed: Feed,
    pub(crate) hash: ComponentHash,
    cache: Mutex<Cache>,
    /// Held by the batch that is being built.
    pub(crate) writing: Arc<AsyncMutex<()>>,
    pub(crate) questions: Questions,
    pub(crate) counts: Counts,
}

impl Trie {
    /// Opens the trie on a log. If the log is empty and can be written, its header is appended.
    ///
    /// Nothing is read: a log that holds no trie is found out by the first lookup.
    pub async fn open(feed: Feed, options: Options) -> Result<Self, TrieError> {
        if feed.is_writable() && feed.length() == 0 {
            let header = schema::Header {
                kind: Some(HEADER_TYPE.to_owned()),
                metadata: options.metadata,
                subtype: options.subtype,
            };
            // Whoever else opens it at the same time writes the header instead.
            feed.append_batch_at(0, &[header.encode_to_vec()])?;
        }
        let shared = Shared {
            feed,
            hash: options.hash,
            cache: Mutex::new(Cache::new(options.cache_nodes, options.cache_bytes)),
            writing: Arc::default(),
            questions: Questions::default(),
            counts: Counts::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            checkout: None,
        })
    }

    /// Stores a value under a key.
    pub async fn put(&self, key: &str, value: impl Into<Option<Bytes>>) -> Result<Node, TrieError> {
        self.put_with(key, value, PutOptions::new()).await
    }

    /// Stores a value under a key, with flags or among the hidden keys.
    pub async fn put_with(
        &self,
        key: &str,
        value: impl Into<Option<Bytes>>,
        options: PutOptions,
    ) -> Result<Node, TrieError> {
        let mut batch = self.begin().await?;
        let node = batch.put_with(key, value, options).await?;
        batch.commit()?;
        Ok(node)
    }

    /// Stores a value under a key if `condition` agrees, given what the key holds now. `None` if it
    /// does not.
    ///
    /// No other write of this trie comes between the condition and the append. For conditions that
    /// need more than the node, see [`begin`](Self::begin).
    pub async fn put_if(
        &self,
        key: &str,
        value: impl Into<Option<Bytes>>,
        options: PutOptions,
        condition: impl FnOnce(Option<&Node>) -> bool,
    ) -> Result<Option<Node>, TrieError> {
        let mut batch = self.begin().await?;
        let existing = batch
            .get_with(key, GetOptions::new().hidden(options.hidden))
            .await?;
        if !condition(existing.as_ref()) {
            return Ok(None);
        }
        let node = batch.put_with(key, value, options).await?;
        batch.commit()?;
        Ok(Some(node))
    }

    /// Deletes a key. False if it is absent; nothing is appended then.
    pub async fn del(&self, key: &str) -> Result<bool, TrieError> {
        self.del_with(key, PutOptions::new()).await
    }

    /// Deletes a visible or a hidden key. False if it is absent; nothing is appended then.
    pub async fn del_with(&self, key: &str, options: PutOptions) -> Result<bool, TrieError> {
        self.del_if(key, options, |_| true).await
    }

    /// Deletes a key if `condition` agrees, given what the key holds. False if it is absent or the
    /// condition did not agree.
    pub async fn del_if(
        &self,
        key: &str,
        options: PutOptions,
        condition: impl FnOnce(&Node) -> bool,
    ) -> Result<bool, TrieError> {
        let mut batch = self.begin().await?;
        let existing = batch
            .get_with(key, GetOptions::new().hidden(options.hidden))
            .await?;
        let deleted = existing.is_some_and(|existing| condition(&existing))
            && batch.del_with(key, options).await?;
        if deleted {
            batch.commit()?;
        }
        Ok(deleted)
    }

    /// Deletes every visible key at or under a prefix by appending a single node. False if there
    /// is none.
    pub async fn remove_prefix(&self, prefix: &str) -> Result<bool, TrieError> {
        let mut batch = self.begin().await?;
        let removed = batch.remove_prefix(prefix).await?;
        batch.commit()?;
        Ok(removed)
    }

    /// Makes an older version the newest one by appending a single node. What was written since
    /// stays in the log and in the versions between.
    pub async fn revert(&self, version: u64) -> Result<(), TrieError> {
        let mut batch = self.begin().await?;
        batch.revert(version).await?;
        batch.commit()?;
        Ok(())
    }

    /// Carries out several writes as one append, in order. Gives the nodes that were appended:
    /// one for each operation but deletions of what was absent.
    ///
    /// After an error nothing is appended.
    pub async fn batch(&self, ops: Vec<Op>) -> Result<Vec<Node>, TrieError> {
        let mut batch = self.begin().await?;
        for op in ops {
            batch.apply(op).await?;
        }
        batch.commit()
    }

    /// Carries out writes as they come, at most 1024 in one append. Gives the number of nodes that were
    /// appended.
    ///
    /// What is at hand is written before more is waited for. After an error the appends before it stay,
    /// and so they do when the future is dropped; what was taken from `ops` since is lost then.
    pub async fn write_all(&self, ops: impl Stream<Item = Op>) -> Result<u64, TrieError> {
        let mut ready = pin!(ops.ready_chunks(MAX_OPS));
        let mut written = 0;
        while let Some(ops) = ready.next().await {
            written += self.batch(ops).await?.len() as u64;
        }
        Ok(written)
    }

    /// Begins a batch, waiting until no other one is under way.
    pub async fn begin(&self) -> Result<Batch, TrieError> {
        Batch::begin(self).await
    }

    /// What was read so far through any handle on this trie, and what of it is remembered.
    pub fn stats(&self) -> Stats {
        self.shared.counts.get(&self.shared.cache())
    }

    /// The log.
    pub fn feed(&self) -> &Feed {
        &self.shared.feed
    }

    /// The version looked at: that of a checkout, or else the log's length. A trie with only its
    /// header has version 1, a log of unknown length version 0.
    pub fn version(&self) -> u64 {
        self.checkout.unwrap_or_else(|| self.shared.feed.length())
    }

    /// The version that the trie is checked out at.
    pub fn checked_out(&self) -> Option<u64> {
        self.checkout
    }

    /// The trie as it was at `version`, for reading. Blocks are looked up when they are needed;
    /// a version beyond the end of the log is waited for.
    pub fn checkout(&self, version: u64) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            checkout: Some(version.max(1)),
        }
    }

    /// The trie as it is now, for reading.
    pub fn snapshot(&self) -> Self {
        self.checkout(self.version())
    }

    /// Tells of changes at and under a prefix since this version.
    pub fn watch(&self, prefix: &str) -> Watch {
        Watch::new(self.newest(), prefix, self.version())
    }

    /// Asks the connected peers for a newer version. True if there is one.
    pub async fn update(&self) -> Result<bool, TrieError> {
        let seq = self.shared.feed.length();
        self.shared
            .feed
            .update()
            .await
            .map_err(|source| TrieError::Read { seq, source })
    }

    /// The application's bytes in the header, waiting for the header if need be.
    pub async fn metadata(&self) -> Result<Option<Vec<u8>>, TrieError> {
        let header = self.header().await?;
        Ok(header.metadata.map(Vec::from))
    }

    /// The subtype in the header, waiting for the header if need be.
    pub async fn subtype(&self) -> Result<Option<String>, TrieError> {
        Ok(self.header().await?.subtype)
    }

    /// What is stored under a visible key.
    pub async fn get(&self, key: &str) -> Result<Option<Node>, TrieError> {
        self.get_with(key, GetOptions::new()).await
    }

    /// What is stored under a key.
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
        let (seq, wanted) = (self.head(), normalize(key));
        // The reference answers with what is visible, whatever is looked for.
        let question = || match options.hidden {
            true => Request::List(Listing {
                recursive: false,
                hidden: true,
                ..Listing::new(seq, wanted)
            }),
            false => Request::Get {
                head: seq,
                key: wanted.to_owned(),
            },
        };
        let mut reader = Reader::asking(&self.shared, &question).after(*reads);
        let head = reader.load(seq).await?;
        let found = reader.get(head, key, options).await;
        *reads = reader.reads();
        found
    }

    /// Lists what is at and under a prefix, in the order of the keys' hashes.
    pub fn iter(&self, prefix: &str, options: IterOptions) -> Iter {
        Iter::open(self, prefix, options)
    }

    /// Goes on with an iteration where [`Iter::checkpoint`] says. The prefix and the options must be
    /// those of the iteration.
    pub fn resume_iter(
        &self,
        prefix: &str,
        options: IterOptions,
        checkpoint: &[u8],
    ) -> Result<Iter, TrieError> {
        Iter::resume(self, prefix, options, checkpoint)
    }

    /// Compares this version with another one of the same trie, at and under a prefix. The left
    /// side is this one. Version 1, and 0 as well, is the empty trie.
    pub fn diff(&self, version: u64, prefix: &str, options: DiffOptions) -> Diff {
        Diff::open(self, version, prefix, options)
    }

    /// Goes on with a comparison where [`Diff::checkpoint`] says. Versions, prefix and options must
    /// be those of the comparison.
    pub fn resume_diff(
        &self,
        version: u64,
        prefix: &str,
        options: DiffOptions,
        checkpoint: &[u8],
    ) -> Result<Diff, TrieError> {
        Diff::resume(self, version, prefix, options, checkpoint)
    }

    /// Fetches what this version has in place of what is stored here of an older one, so that a part of
    /// the trie that was looked at then needs no peers now. Gives the number of keys that differ.
    ///
    /// Keys that the older version does not have are not looked for, nor parts of it that nobody here
    /// has seen.
    pub async fn refresh(&self, version: u64) -> Result<u64, TrieError> {
        let options = DiffOptions::new().skip_right_null(true).stored_right(true);
        let mut changes = self.diff(version, "", options);
        let mut keys = 0;
        while changes.next().await?.is_some() {
            keys += 1;
        }
        Ok(keys)
    }

    /// Every node up to this version, in the order they were written.
    pub fn history(&self, options: HistoryOptions) -> History {
        History::open(self, options)
    }

    /// What a peer is told that sent this message of the wire extension: messages that name the
    /// blocks which its lookup or listing comes by, the newest node first. Empty if it asks for
    /// nothing, or for what is not here.
    ///
    /// Only what is stored here is read. At most 2176 blocks are named, and those that one more node
    /// leads to. For transports that are no [`Feed`]'s business.
    pub fn answer(&self, request: &[u8]) -> Vec<Vec<u8>> {
        match Request::decode(request) {
            Some(request) => Request::hints(&extension::answer(&self.shared, &request)),
            None => Vec::new(),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The trie in its newest version at any time.
    pub(crate) fn newest(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            checkout: None,
        }
    }

    /// The newest node's seq; 0 if there is none.
    pub(crate) fn head(&self) -> u64 {
        self.version().saturating_sub(1)
    }

    async fn header(&self) -> Result<schema::Header, TrieError> {
        let block = self.shared.feed.get(0).await;
        let block = block.map_err(|source| TrieError::Read { seq: 0, source })?;
        schema::Header::decode(block)
            .ok()
            .filter(|header| header.kind.is_some())
            .ok_or(TrieError::Header)
    }
}

impl Shared {
    pub(crate) fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remember(&self, nodes: &[Stored]) {
        let mut cache = self.cache();
        for node in nodes {
            cache.insert_new(node);
        }
    }
}

const HEADER_TYPE: &str = "hypertrie";

/// The most operations that [`Trie::write_all`] carries out with one append.
const MAX_OPS: usize = 1024;
