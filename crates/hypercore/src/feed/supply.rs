use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use super::blocks::BlockSet;
use super::mailbox::PeerMail;
use super::plan::Cursor;
use super::swarm::Stats;

/// What one peer offers of the log, and what was asked of it.
#[derive(Debug)]
pub(super) struct Supply {
    /// Woken when the peer's replicator has something to look at.
    pub(super) doorbell: Waker,
    /// Whether the peer has the log open.
    pub(super) open: bool,
    /// Whether nobody waits any longer for the peer to say what it has.
    pub(super) overdue: bool,
    /// Whether the peer answers requests.
    pub(super) uploading: bool,
    /// Whether the peer wants to hear of new blocks.
    pub(super) subscribed: bool,
    /// Blocks that the peer says it has. Only ever a hint.
    pub(super) blocks: BlockSet,
    /// What the peer may make us remember of them.
    budget: HintBudget,
    /// Regions whose blocks we asked the peer to tell.
    pub(super) regions: BTreeSet<u64>,
    /// Those of them that it did not answer yet.
    pub(super) unanswered: BTreeSet<u64>,
    /// Requests without an answer.
    pub(super) inflight: BTreeMap<Key, Inflight>,
    /// Blocks that were asked for and then no longer wanted. A peer that knows no cancelling brings
    /// them all the same, and they are taken in.
    pub(super) cancelled: BTreeSet<u64>,
    /// Those of them that the peer has to be told of.
    pub(super) cancels: Vec<u64>,
    /// Whether the peer was asked if its tree is ours, since that came into doubt.
    pub(super) compared: bool,
    /// Whether the peer is so slow that its requests may be made to others.
    pub(super) stalled: bool,
    /// New blocks and lost blocks that the peer was not told of.
    pub(super) announce: BlockSet,
    pub(super) retract: BlockSet,
    /// Mailboxes and messages.
    pub(super) mail: PeerMail,
    /// How far each selection was walked through for this peer.
    pub(super) cursors: HashMap<u64, Cursor>,
    /// The selection to be served next.
    pub(super) turn: u64,
    pub(super) stats: Stats,
}

/// What a request is for: the block itself, or only the tree nodes that prove it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Key {
    Block(u64),
    Hash(u64),
}

#[derive(Debug)]
pub(super) struct Inflight {
    /// The byte offset looked for, 0 when none is.
    pub(super) byte_offset: u64,
    /// Whether others may be asked for the same.
    pub(super) released: bool,
    /// Whether a proof up to the roots was asked for, to compare two trees.
    pub(super) to_the_roots: bool,
}

impl Inflight {
    pub(super) fn new(byte_offset: u64) -> Self {
        Self {
            byte_offset,
            released: false,
            to_the_roots: false,
        }
    }
}

impl Supply {
    pub(super) fn new(doorbell: Waker) -> Self {
        Self {
            doorbell,
            open: false,
            overdue: false,
            uploading: true,
            subscribed: false,
            blocks: BlockSet::default(),
            budget: HintBudget::default(),
            regions: BTreeSet::new(),
            unanswered: BTreeSet::new(),
            inflight: BTreeMap::new(),
            cancelled: BTreeSet::new(),
            cancels: Vec::new(),
            compared: false,
            stalled: false,
            announce: BlockSet::default(),
            retract: BlockSet::default(),
            mail: PeerMail::default(),
            cursors: HashMap::new(),
            turn: 0,
            stats: Stats::default(),
        }
    }

    /// Whether the peer may still say that it has more than we know.
    pub(super) fn is_unanswered(&self) -> bool {
        // Whoever serves is asked about its first blocks in any case, if perhaps a moment later.
        let asked = !self.uploading || self.regions.contains(&0);
        !self.overdue && (!self.open || !asked || !self.unanswered.is_empty())
    }

    /// Whether the peer would send this block if asked.
    pub(super) fn offers(&self, block: u64) -> bool {
        self.open && self.uploading && self.blocks.contains(block)
    }

    /// The length that the peer claims, if it serves at all.
    pub(super) fn length(&self) -> u64 {
        if self.open && self.uploading {
            self.blocks.length()
        } else {
            0
        }
    }

    /// Takes back the request for a block.
    pub(super) fn cancel(&mut self, block: u64) {
        if self.inflight.remove(&Key::Block(block)).is_none() {
            return;
        }
        if self.inflight.is_empty() {
            self.stalled = false;
        }
        if self.cancelled.len() >= MAX_CANCELLED {
            self.cancelled.clear();
        }
        self.cancelled.insert(block);
        self.cancels.push(block);
        self.doorbell.wake_by_ref();
    }

    /// Selections are to be walked through again for this peer.
    pub(super) fn revisit(&mut self) {
        for cursor in self.cursors.values_mut() {
            cursor.revisit();
        }
    }

    /// Changes what the peer is believed to have, as far as the budget allows.
    pub(super) fn learn(&mut self, change: impl FnOnce(&mut BlockSet)) {
        let before = self.blocks.entries();
        self.blocks
            .set_limit(before.saturating_add(self.budget.left()));
        change(&mut self.blocks);
        self.budget.charge(before, self.blocks.entries());
    }

    pub(super) fn forget(&mut self, blocks: Range<u64>) {
        self.learn(|known| known.remove(blocks));
    }

    /// From now on shares a budget with others.
    pub(super) fn set_budget(&mut self, budget: &HintBudget) {
        let entries = self.blocks.entries();
        self.budget.charge(entries, 0);
        self.budget = budget.clone();
        self.budget.charge(0, entries);
    }
}

/// Most blocks that one peer may still bring after they were cancelled. Beyond it the oldest knowledge
/// is dropped, and they count as not asked for.
const MAX_CANCELLED: usize = 4096;

impl Drop for Supply {
    fn drop(&mut self) {
        self.budget.charge(self.blocks.entries(), 0);
    }
}

/// How much one remote may make us remember of what it says to have, in all logs together.
///
/// A log whose blocks are all there, or none, takes next to nothing; one with scattered blocks a
/// kibibyte for every 8192. When the budget is used up, further hints are not taken in. Clones
/// share the budget.
#[derive(Clone, Debug)]
pub struct HintBudget {
    entries: usize,
    used: Arc<AtomicUsize>,
}

impl HintBudget {
    /// A budget of so many kibibytes.
    pub fn new(kibibytes: usize) -> Self {
        Self {
            entries: kibibytes,
            used: Arc::default(),
        }
    }

    fn left(&self) -> usize {
        self.entries
            .saturating_sub(self.used.load(Ordering::Relaxed))
    }

    fn charge(&self, before: usize, after: usize) {
        if after >= before {
            self.used.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.used.fetch_sub(before - after, Ordering::Relaxed);
        }
    }
}

impl Default for HintBudget {
    /// 16 MiB.
    fn default() -> Self {
        Self::new(16 << 10)
    }
}
