use crate::extension::Message;
use crate::links::Bucket;
use crate::node::Stored;
use crate::path::{Path, PathBuf, is_check, normalize};
use crate::trie::Shared;
use crate::{GetOptions, Node, NodeError, TrieError};

/// Loads the nodes of one operation: from a batch being built, from the cache, or from the log. It
/// counts them, since the trie may come from somebody who wants us to read for ever.
pub(crate) struct Reader<'a> {
    shared: &'a Shared,
    /// Nodes not appended yet; the first has seq `base`.
    pending: &'a [Stored],
    base: u64,
    reads: u32,
    /// What to ask peers as soon as a block has to come from them.
    question: Option<&'a Question<'a>>,
}

/// Makes what peers are asked, if it comes to that.
pub(crate) type Question<'a> = dyn Fn() -> Message + Sync + 'a;

impl<'a> Reader<'a> {
    pub(crate) fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            pending: &[],
            base: u64::MAX,
            reads: 0,
            question: None,
        }
    }

    /// A reader that tells peers what it looks for if it has to wait for them.
    pub(crate) fn asking(shared: &'a Shared, question: &'a Question<'a>) -> Self {
        Self {
            question: Some(question),
            ..Self::new(shared)
        }
    }

    /// Whether peers were told.
    pub(crate) fn has_asked(&self) -> bool {
        self.question.is_none()
    }

    pub(crate) fn with_pending(shared: &'a Shared, base: u64, pending: &'a [Stored]) -> Self {
        Self {
            shared,
            pending,
            base,
            reads: 0,
            question: None,
        }
    }

    /// Node `seq`, waiting for its block if need be. `None` if it stands for an empty trie.
    pub(crate) async fn load(&mut self, seq: u64) -> Result<Option<Stored>, TrieError> {
        if seq == 0 {
            return Ok(None);
        }
        self.reads += 1;
        self.shared.counts.visit();
        if self.reads > MAX_LOOKUP_READS {
            return Err(TrieError::TooManyReads {
                limit: MAX_LOOKUP_READS,
            });
        }
        if let Some(offset) = seq.checked_sub(self.base) {
            let pending = usize::try_from(offset)
                .ok()
                .and_then(|offset| self.pending.get(offset));
            return Ok(pending.cloned());
        }
        let node = match self.shared.load_local(seq)? {
            Some(node) => node,
            None => {
                if let Some(question) = self.question.take() {
                    self.shared.questions.ask(&question());
                }
                let block = self.shared.feed.get(seq).await;
                let block = block.map_err(|source| TrieError::Read { seq, source })?;
                self.shared.decode(seq, &block)?
            }
        };
        Ok((!node.is_reset()).then_some(node))
    }

    /// Follows `node`'s pointers at digit `index` towards `path`, which agrees with it before that.
    pub(crate) async fn follow(
        &mut self,
        node: &Stored,
        index: usize,
        path: Path<'_>,
    ) -> Result<Option<Stored>, TrieError> {
        let bucket = node.links().bucket(index);
        self.follow_in(bucket, index, path).await
    }

    /// As [`follow`](Self::follow), in the node's pointers at that digit.
    pub(crate) async fn follow_in(
        &mut self,
        bucket: Bucket<'_>,
        index: usize,
        path: Path<'_>,
    ) -> Result<Option<Stored>, TrieError> {
        let digit = path.digit(index);
        if !is_check(index) {
            let Some(target) = bucket.get(digit) else {
                return Ok(None);
            };
            let next = self.load(target).await?;
            return next.map(|next| placed(next, path, index + 1)).transpose();
        }
        let mut found = None;
        for target in bucket.chain(digit) {
            let Some(next) = self.load(target).await? else {
                continue;
            };
            let next = placed(next, path, index + 1)?;
            if !next.path().collides(path, index) {
                found = Some(next);
            }
        }
        Ok(found)
    }

    /// Walks from `head` towards `path`, comparing digits before `end` only.
    pub(crate) async fn find(
        &mut self,
        head: Stored,
        path: Path<'_>,
        end: usize,
    ) -> Result<Found, TrieError> {
        let mut node = head;
        let mut index = 0;
        while let Some(at) = path.divergence(node.path(), index).filter(|at| *at < end) {
            match self.follow(&node, at, path).await? {
                Some(next) => node = next,
                None => return Ok(Found::Stuck(node)),
            }
            index = at + 1;
        }
        Ok(Found::At(node))
    }
}

impl Reader<'_> {
    /// What is stored under a key in the trie whose newest node is `head`.
    pub(crate) async fn get(
        &mut self,
        head: Option<Stored>,
        key: &str,
        options: GetOptions,
    ) -> Result<Option<Node>, TrieError> {
        let Some(head) = head else { return Ok(None) };
        let path = PathBuf::new(normalize(key), options.hidden, self.shared.hash);
        let path = path.get();
        let end = path.len() - usize::from(options.prefix);
        Ok(match self.find(head, path, end).await? {
            Found::At(node) => Some(node.to_node()),
            Found::Stuck(node) => options.closest.then(|| node.to_node()),
        })
    }

    /// How many blocks were read.
    pub(crate) fn reads(&self) -> u32 {
        self.reads
    }

    /// Counts blocks that another reader read for the same operation.
    pub(crate) fn after(mut self, reads: u32) -> Self {
        self.reads = reads;
        self
    }
}

/// Where a walk ended.
#[derive(Debug)]
pub(crate) enum Found {
    /// At the node wanted; under a prefix, at the one that was linked last.
    At(Stored),
    /// There is no such node; the walk got as far as this one.
    Stuck(Stored),
}

/// Checks that a pointer led to a node that shares the first `digits` digits of `path`. Without it
/// a forged trie could answer with other keys than those asked for, or make a walk visit a node
/// many times.
pub(crate) fn placed(node: Stored, path: Path<'_>, digits: usize) -> Result<Stored, TrieError> {
    if node.path().agrees(path, digits) {
        return Ok(node);
    }
    Err(TrieError::Corrupt {
        seq: node.seq,
        source: NodeError::Misplaced,
    })
}

impl Shared {
    /// Node `seq` if it can be had without waiting.
    pub(crate) fn load_local(&self, seq: u64) -> Result<Option<Stored>, TrieError> {
        if let Some(node) = self.cache().get(seq) {
            return Ok(Some(node));
        }
        let block = self
            .feed
            .get_local(seq)
            .map_err(|source| TrieError::Read { seq, source })?;
        block.map(|block| self.decode(seq, &block)).transpose()
    }

    /// As [`load_local`](Self::load_local), reading and remembering neighbours as well.
    pub(crate) fn load_local_run(&self, seq: u64) -> Result<Option<Stored>, TrieError> {
        if let Some(node) = self.cache().get(seq) {
            return Ok(Some(node));
        }
        let first = (seq / RUN_BLOCKS * RUN_BLOCKS).max(1);
        let end = (first / RUN_BLOCKS + 1) * RUN_BLOCKS;
        let run = self
            .feed
            .get_range_local(first..end.min(self.feed.length()));
        let mut cache = self.cache();
        for (at, block) in (first..).zip(run.unwrap_or_default()) {
            if cache.has(at) {
                continue;
            }
            // Whatever is wrong with a node is for those who want that one.
            if let Ok(node) = Stored::decode(at, &block, self.hash) {
                self.counts.read();
                cache.insert(&node);
            }
        }
        drop(cache);
        self.load_local(seq)
    }

    /// Decodes a block that has arrived, and remembers the node.
    pub(crate) fn decode(&self, seq: u64, block: &[u8]) -> Result<Stored, TrieError> {
        let node = Stored::decode(seq, block, self.hash)
            .map_err(|source| TrieError::Corrupt { seq, source })?;
        self.counts.read();
        self.cache().insert(&node);
        Ok(node)
    }
}

/// How many blocks are read at once where most of a trie is wanted: those whose leaves the log reads
/// together.
const RUN_BLOCKS: u64 = 32;

/// The most blocks that one lookup or one write may read. Honest tries need about 1 + ¾·log₄ of
/// their size, and one more for each directory on the way.
pub(crate) const MAX_LOOKUP_READS: u32 = 4096;
