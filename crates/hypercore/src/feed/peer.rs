use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;

use super::Feed;
use super::blocks::BlockSet;
use super::events::FeedEvent;
use super::plan::{Request, RequestLimits};
use super::supply::{HintBudget, Key};
use super::swarm::{PeerId, REGION_BLOCKS, Stats};

/// A remote that has the log open, as its replicator tells the [`Feed`] about it.
///
/// The replicator reports what the remote says (`handle_*`) and asks what to tell and to request
/// (`poll_*`) whenever the doorbell that it joined with was rung. Nothing here waits, knows the
/// time, or touches a wire. Dropping the peer takes back all that it offered and makes its
/// unanswered requests available to others.
///
/// What a remote says is never believed further than it costs to find out: blocks and lengths are
/// hints until a proof was verified.
#[derive(Debug)]
pub struct Peer {
    pub(super) feed: Feed,
    pub(super) id: PeerId,
}

/// What changed here since the remote was last told.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Changes {
    /// Blocks that arrived, in order.
    pub have: Vec<Range<u64>>,
    /// Blocks that are gone, in order.
    pub unhave: Vec<Range<u64>>,
    /// Whether the log was closed, so that the peer has to go.
    pub closed: bool,
}

impl Feed {
    /// Lets a remote take part. `doorbell` is woken whenever there may be something new to tell it
    /// or to ask of it.
    pub fn join(&self, doorbell: Waker) -> Peer {
        let id = self.shared.swarm().join(doorbell);
        Peer {
            feed: self.clone(),
            id,
        }
    }
}

impl Peer {
    /// Which of the log's peers it is.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// The log.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// What was exchanged with the remote since it joined.
    pub fn stats(&self) -> Stats {
        let swarm = self.feed.shared.swarm();
        let supply = swarm.peers.get(&self.id);
        supply.map(|supply| supply.stats).unwrap_or_default()
    }

    /// Bounds what is remembered of what the remote says to have, together with what it says of
    /// other logs. Without this call each log has a budget of its own.
    pub fn share_hint_budget(&self, budget: &HintBudget) {
        if let Some(supply) = self.feed.shared.swarm().peers.get_mut(&self.id) {
            supply.set_budget(budget);
        }
    }

    /// The remote has opened the log too.
    pub fn handle_open(&self) {
        let mut woken = Vec::new();
        {
            let mut swarm = self.feed.shared.swarm();
            let Some(supply) = swarm.peers.get_mut(&self.id) else {
                return;
            };
            supply.open = true;
            supply.doorbell.wake_by_ref();
            swarm.subscribers.send(|| FeedEvent::PeerAdded, &mut woken);
        }
        self.feed.shared.wake(woken);
    }

    /// The remote has these blocks.
    pub fn handle_have(&self, blocks: Range<u64>) {
        {
            let mut swarm = self.feed.shared.swarm();
            let Some(supply) = swarm.peers.get_mut(&self.id) else {
                return;
            };
            supply.learn(|known| known.insert(blocks.clone()));
            supply.announce.remove(blocks);
            supply.revisit();
        }
        self.feed.shared.changed();
    }

    /// The remote says which of the blocks from `start` on it has, most significant bit first.
    /// Blocks beyond the last bit are not spoken of. Ignored unless `start` is a multiple of 8192.
    pub fn handle_bitfield(&self, start: u64, bits: &[u8]) {
        if !start.is_multiple_of(8192) {
            return;
        }
        {
            let mut swarm = self.feed.shared.swarm();
            let Some(supply) = swarm.peers.get_mut(&self.id) else {
                return;
            };
            supply.learn(|known| known.assign(start, bits));
            supply.revisit();
            swarm.shifted();
        }
        self.feed.shared.changed();
    }

    /// The remote says that it has stored a block that it was sent. A block that is not here cannot
    /// have been sent, and nothing is told of it.
    pub fn handle_ack(&self, index: u64) {
        if !self.feed.has(index) {
            return;
        }
        let mut woken = Vec::new();
        let peer = self.id;
        {
            let mut swarm = self.feed.shared.swarm();
            let event = || FeedEvent::Acknowledged { peer, index };
            swarm.subscribers.send(event, &mut woken);
        }
        self.feed.shared.wake(woken);
    }

    /// The remote lacks these blocks, and will not answer requests for them.
    pub fn handle_unhave(&self, blocks: Range<u64>) {
        let length = self.feed.length();
        {
            let mut swarm = self.feed.shared.swarm();
            let Some(supply) = swarm.peers.get_mut(&self.id) else {
                return;
            };
            supply.forget(blocks.clone());
            let refused = |key: fn(u64) -> Key| key(blocks.start)..key(blocks.end);
            let mut keys: Vec<Key> = Vec::new();
            if blocks.start < blocks.end {
                keys.extend(
                    supply
                        .inflight
                        .range(refused(Key::Block))
                        .map(|(key, _)| *key),
                );
                keys.extend(
                    supply
                        .inflight
                        .range(refused(Key::Hash))
                        .map(|(key, _)| *key),
                );
            }
            for key in &keys {
                supply.inflight.remove(key);
                supply.stalled = false;
            }
            for key in keys {
                swarm.give_up(self.id, key, length);
            }
        }
        self.feed.shared.changed();
    }

    /// The remote has told which blocks of the region at `start` it has.
    pub fn handle_region(&self, start: u64) {
        {
            let mut swarm = self.feed.shared.swarm();
            let Some(supply) = swarm.peers.get_mut(&self.id) else {
                return;
            };
            supply.unanswered.remove(&(start / REGION_BLOCKS));
        }
        self.feed.shared.changed();
    }

    /// The remote starts or stops to answer requests. When it stops, everything asked of it is
    /// taken back.
    pub fn handle_uploading(&self, uploading: bool) {
        {
            let mut swarm = self.feed.shared.swarm();
            let Some(supply) = swarm.peers.get_mut(&self.id) else {
                return;
            };
            supply.uploading = uploading;
            if uploading {
                supply.revisit();
                swarm.shifted();
            } else {
                supply.unanswered.clear();
                supply.regions.clear();
                for key in swarm.take_all_inflight(self.id) {
                    swarm.unreserve(self.id, key);
                }
                swarm.revisit_all();
                swarm.ring_all();
            }
        }
        self.feed.shared.changed();
    }

    /// From now on the remote wants to hear of new blocks.
    pub fn handle_subscribe(&self) {
        self.settle();
        if let Some(supply) = self.feed.shared.swarm().peers.get_mut(&self.id) {
            supply.subscribed = true;
        }
    }

    /// From now on the remote wants to hear of nothing, until it subscribes again.
    pub fn handle_unsubscribe(&self) {
        if let Some(supply) = self.feed.shared.swarm().peers.get_mut(&self.id) {
            supply.subscribed = false;
            supply.announce = BlockSet::default();
            supply.retract = BlockSet::default();
        }
    }

    /// The remote has not answered for so long that others may be asked for the same blocks. It
    /// is asked nothing more until it answers something.
    pub fn handle_stall(&self) {
        self.feed.shared.swarm().release(self.id);
        self.feed.shared.changed();
    }

    /// Nothing will come of the requests made so far. The remote is not believed to have these
    /// blocks until it says so again, and is asked anew what it has; nobody waits for that. Returns
    /// how many requests there were.
    pub fn handle_request_timeout(&self) -> usize {
        let length = self.feed.length();
        let keys = {
            let mut swarm = self.feed.shared.swarm();
            let keys = swarm.take_all_inflight(self.id);
            for key in &keys {
                swarm.give_up(self.id, *key, length);
            }
            if let Some(supply) = swarm.peers.get_mut(&self.id) {
                supply.overdue = true;
                supply.regions.clear();
                supply.unanswered.clear();
            }
            keys
        };
        self.feed.shared.changed();
        keys.len()
    }

    /// The remote did not open the log, or say what it has of it, in time: nobody waits for it any
    /// longer. What it says later still counts.
    pub fn handle_overdue(&self) {
        if let Some(supply) = self.feed.shared.swarm().peers.get_mut(&self.id) {
            supply.overdue = true;
        }
        self.feed.shared.changed();
    }

    /// The remote has these mailboxes, and no others.
    pub fn handle_mailboxes<S: AsRef<str>>(&self, names: &[S]) {
        let names: BTreeSet<&str> = names.iter().map(AsRef::as_ref).collect();
        let mut swarm = self.feed.shared.swarm();
        let declined = swarm.mailboxes.missing_from(&names);
        if let Some(supply) = swarm.peers.get_mut(&self.id) {
            supply.mail.declined = declined;
        }
    }

    /// The remote sent a message to one of the log's mailboxes.
    pub fn handle_mail(&self, mailbox: &str, message: Bytes) {
        let slot = self.feed.shared.swarm().mailboxes.get(mailbox);
        if let Some(slot) = slot {
            slot.deliver(self.id, message);
        }
    }

    /// The names of all mailboxes of the log, if the remote has not been told of them.
    pub fn poll_mailboxes(&self) -> Option<Vec<Arc<str>>> {
        let mut swarm = self.feed.shared.swarm();
        let swarm = &mut *swarm;
        let supply = swarm.peers.get_mut(&self.id)?;
        swarm.mailboxes.untold(&mut supply.mail)
    }

    /// The next message for a mailbox of the remote, which has to be told of
    /// [`poll_mailboxes`](Self::poll_mailboxes) first.
    pub fn poll_mail(&self) -> Option<(Arc<str>, Bytes)> {
        let mut swarm = self.feed.shared.swarm();
        swarm.peers.get_mut(&self.id)?.mail.take()
    }

    /// The next region of blocks to ask the remote about.
    pub fn poll_region(&self) -> Option<Range<u64>> {
        let local = self.feed.length();
        let region = self.feed.shared.swarm().next_region(local, self.id)?;
        Some(region * REGION_BLOCKS..(region + 1) * REGION_BLOCKS)
    }

    /// Adds the requests to make now.
    pub fn poll_requests(&self, limits: RequestLimits, requests: &mut Vec<Request>) {
        let core = self.feed.shared.core();
        if let Some(core) = core.as_ref() {
            self.feed
                .shared
                .swarm()
                .plan(core, self.id, limits, requests);
        }
    }

    /// The blocks that were asked for and that nobody waits for any longer. The remote may bring
    /// them all the same.
    pub fn poll_cancels(&self) -> Vec<u64> {
        let mut swarm = self.feed.shared.swarm();
        let supply = swarm.peers.get_mut(&self.id);
        supply.map_or(Vec::new(), |supply| std::mem::take(&mut supply.cancels))
    }

    /// What the remote has to be told.
    pub fn poll_changes(&self) -> Changes {
        let closed = self.feed.is_closed();
        let mut swarm = self.feed.shared.swarm();
        let Some(supply) = swarm.peers.get_mut(&self.id) else {
            return Changes::default();
        };
        Changes {
            have: std::mem::take(&mut supply.announce).runs().collect(),
            unhave: std::mem::take(&mut supply.retract).runs().collect(),
            closed,
        }
    }

    /// How many requests the remote has not answered.
    pub fn requests_in_flight(&self) -> usize {
        self.feed
            .shared
            .swarm()
            .peers
            .get(&self.id)
            .map_or(0, |supply| supply.inflight.len())
    }

    /// Whether the remote has yet to open the log or to say what it has of it.
    pub fn is_unanswered(&self) -> bool {
        self.feed
            .shared
            .swarm()
            .peers
            .get(&self.id)
            .is_some_and(|supply| supply.is_unanswered())
    }

    /// The length that the remote claims, in blocks.
    pub fn remote_length(&self) -> u64 {
        self.feed
            .shared
            .swarm()
            .peers
            .get(&self.id)
            .map_or(0, |supply| supply.blocks.length())
    }

    /// Whether blocks are wanted that only a peer can bring.
    pub fn is_needed(&self) -> bool {
        let length = self.feed.length();
        let writable = self.feed.is_writable();
        let swarm = self.feed.shared.swarm();
        swarm
            .demand
            .wants_below(if writable { length } else { u64::MAX })
            || (!writable || swarm.is_confirming()) && swarm.demand.wants_longer_than(length)
    }

    /// Which blocks of a region are here, as the run-length encoded bitfield of a Have message.
    ///
    /// What was appended is flushed first, so that the remote hears of all of it; if that fails, it
    /// hears of what is durable.
    pub fn bitfield(&self, start: u64, length: u64) -> Vec<u8> {
        self.settle();
        let core = self.feed.shared.core();
        core.as_ref()
            .map_or(Vec::new(), |core| core.want_bitfield(start, length))
    }

    /// The remote asks what is here: what was appended is made durable, so that it may be told.
    fn settle(&self) {
        if self.feed.needs_flush() {
            // The error comes again from the next flush, and until then nothing is shown.
            let _ = self.feed.shared.flush();
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let mut woken = Vec::new();
        {
            let mut swarm = self.feed.shared.swarm();
            if swarm.peers.get(&self.id).is_some_and(|supply| supply.open) {
                swarm
                    .subscribers
                    .send(|| FeedEvent::PeerRemoved, &mut woken);
            }
            swarm.leave(self.id);
        }
        self.feed.shared.wake(woken);
    }
}
