use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use hypercore::{Download, ReadError};

use crate::TrieError;
use crate::extension::{ASK_EVERY, Message};
use crate::node::Stored;
use crate::trie::Shared;

/// Fetches many blocks at once for a walk that knows which ones it will need.
pub(crate) struct Loader {
    shared: Arc<Shared>,
    running: FuturesUnordered<BoxFuture<'static, (u64, Result<Bytes, ReadError>)>>,
    requested: HashSet<u64>,
    arrived: HashMap<u64, Stored>,
    asked: Asked,
    /// Whether blocks are read together with their neighbours.
    in_runs: bool,
    /// The whole log, on its way from peers.
    everything: Option<Download>,
}

/// How many more blocks a walk may come by before it asks peers again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked(Arc<AtomicUsize>);

impl Asked {
    pub(crate) fn renew(&self) {
        self.0.store(ASK_EVERY, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    fn came_by(&self) {
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(left.saturating_sub(1), Ordering::Relaxed);
    }
}

impl Loader {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            running: FuturesUnordered::new(),
            requested: HashSet::new(),
            arrived: HashMap::new(),
            asked: Asked::default(),
            in_runs: false,
            everything: None,
        }
    }

    /// Prepares for a walk that has come by `taken` nodes and will want about `wanted` in all.
    ///
    /// Where that is much of the log, blocks are best read in the order in which they lie there; where
    /// it is nearly all of it, they are best fetched in that order as well, and not after the nodes
    /// that lead to them, each a round trip later than the one before.
    pub(crate) fn expect(&mut self, wanted: u64, taken: u64) {
        let feed = &self.shared.feed;
        let all = feed.length();
        let most = wanted.saturating_mul(MAX_READ_FOR_ONE) >= all;
        self.in_runs |= most && self.shared.cache().has_room_for(all);
        let nearly_all = wanted.saturating_mul(4) >= all.saturating_mul(3);
        // Who has taken little may want little more.
        let few = all <= taken.saturating_mul(MAX_FETCHED_FOR_ONE);
        if nearly_all && few && self.everything.is_none() && !feed.has_range(1..all) {
            self.everything = Some(feed.download(1..all));
        }
    }

    pub(crate) fn asked(&self) -> Asked {
        self.asked.clone()
    }

    /// Asks peers, unless they were asked not long ago.
    pub(crate) fn ask(&self, question: impl FnOnce() -> Option<Message>) {
        if !self.asked.is_over() {
            return;
        }
        if let Some(question) = question()
            && self.shared.questions.ask(&question)
        {
            self.asked.renew();
        }
    }

    /// Node `seq` if it is here.
    pub(crate) fn get(&mut self, seq: u64) -> Result<Option<Stored>, TrieError> {
        let node = match self.arrived.remove(&seq) {
            Some(node) => Some(node),
            None if self.requested.contains(&seq) => None,
            None if self.in_runs => self.shared.load_local_run(seq)?,
            None => self.shared.load_local(seq)?,
        };
        if node.is_some() {
            self.shared.counts.visit();
            self.asked.came_by();
        }
        Ok(node)
    }

    /// Whether a node is here, or its block.
    pub(crate) fn has(&self, seq: u64) -> bool {
        self.arrived.contains_key(&seq) || self.shared.feed.has(seq)
    }

    /// Asks for a block that is not here and was not asked for before.
    pub(crate) fn prepare(&mut self, seq: u64) {
        if !self.has(seq) {
            self.request(seq);
        }
    }

    /// Asks for a block, unless that was done before.
    pub(crate) fn request(&mut self, seq: u64) {
        if !self.requested.insert(seq) {
            return;
        }
        let feed = self.shared.feed.clone();
        self.running
            .push(Box::pin(async move { (seq, feed.get(seq).await) }));
    }

    /// How many blocks are on their way.
    pub(crate) fn in_flight(&self) -> usize {
        self.running.len()
    }

    /// Waits until one of the blocks asked for has arrived. Ready at once if there are none.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TrieError>> {
        let Some((seq, block)) = ready!(std::pin::Pin::new(&mut self.running).poll_next(cx)) else {
            return Poll::Ready(Ok(()));
        };
        self.requested.remove(&seq);
        let block = block.map_err(|source| TrieError::Read { seq, source })?;
        let node = self.shared.decode(seq, &block)?;
        self.arrived.insert(seq, node);
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

/// How many nodes may be read for each one wanted, if they are read in runs.
const MAX_READ_FOR_ONE: u64 = 4;

/// How many blocks may be fetched in advance for each node that a walk has come by.
const MAX_FETCHED_FOR_ONE: u64 = 64;
