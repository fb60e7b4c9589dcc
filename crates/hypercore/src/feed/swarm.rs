use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;

use super::demand::Demand;
use super::events::{FeedEvent, Subscribers};
use super::mailbox::{MailboxError, Mailboxes, Slot};
use super::plan::{Planner, Request, RequestLimits};
use super::supply::{Inflight, Key, Supply};
use crate::Hypercore;

/// One of the remotes that take part in a log. Means something only to that log, and is not given
/// out again when the remote is gone.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PeerId(u64);

/// Blocks in one region: the unit in which peers are asked what they have.
pub(super) const REGION_BLOCKS: u64 = 1 << 20;

/// Most regions that one peer may leave unanswered, as in the reference.
const MAX_UNANSWERED_REGIONS: usize = 16;

/// Most regions that one peer is asked about.
const MAX_REGIONS: usize = 4096;

/// Demand and supply of one log: who waits for what, and which peer offers it.
#[derive(Debug, Default)]
pub(super) struct Swarm {
    pub(super) demand: Demand,
    pub(super) peers: BTreeMap<PeerId, Supply>,
    pub(super) subscribers: Subscribers,
    pub(super) stats: Stats,
    /// Whether peers are answered, and whether they are asked for blocks.
    pub(super) upload: Switch,
    pub(super) download: Switch,
    pub(super) mailboxes: Mailboxes,
    /// Which peer each block was asked of.
    reserved: HashMap<u64, PeerId>,
    /// Guards that say that a peer may be about to join.
    holds: usize,
    /// Who waits for a peer to confirm the length of a log that is written here.
    confirming: usize,
    next_peer: PeerId,
    /// How often it changed what peers have, but for single blocks.
    shift: u64,
    /// A length whose tree, as it is here, may not be that of peers.
    doubt: Option<Doubt>,
    /// Blocks that were appended here and may not be announced yet: a power cut could take them.
    unannounced: Range<u64>,
    /// The first block that is not stored here, or the length; `None` until somebody looks.
    whole: Option<u64>,
}

/// On unless it was switched off.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Switch {
    off: bool,
}

/// Whether the author has signed two logs is to be found out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Doubt {
    /// The signed length that is known here, in blocks.
    pub(super) length: u64,
    /// Whether every peer has to say what its tree is, or one.
    pub(super) of_all: bool,
}

impl Switch {
    pub(super) fn is_on(self) -> bool {
        !self.off
    }

    pub(super) fn set(&mut self, on: bool) {
        self.off = !on;
    }
}

/// What was exchanged with peers, since the log was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Blocks sent to peers.
    pub uploaded_blocks: u64,
    /// Their bytes.
    pub uploaded_bytes: u64,
    /// Blocks received from peers and stored.
    pub downloaded_blocks: u64,
    /// Their bytes.
    pub downloaded_bytes: u64,
}

impl Stats {
    fn downloaded(&mut self, bytes: usize) {
        self.downloaded_blocks += 1;
        self.downloaded_bytes += bytes as u64;
    }

    fn uploaded(&mut self, bytes: usize) {
        self.uploaded_blocks += 1;
        self.uploaded_bytes += bytes as u64;
    }
}

impl Swarm {
    pub(super) fn join(&mut self, doorbell: Waker) -> PeerId {
        self.next_peer.0 += 1;
        self.peers.insert(self.next_peer, Supply::new(doorbell));
        self.next_peer
    }

    pub(super) fn leave(&mut self, id: PeerId) {
        if self.peers.remove(&id).is_some() {
            // Also what was being stored when a callback panicked.
            let asked = self.reserved.iter().filter(|(_, peer)| **peer == id);
            let asked: Vec<u64> = asked.map(|(block, _)| *block).collect();
            for block in asked {
                self.unreserve(id, Key::Block(block));
            }
            self.shifted();
            self.revisit_all();
            self.ring_all();
        }
    }

    /// Whether somebody wants to know if a peer has more than the author.
    pub(super) fn is_confirming(&self) -> bool {
        self.confirming > 0
    }

    pub(super) fn set_confirming(&mut self, confirming: bool) {
        match confirming {
            true => self.confirming += 1,
            false => self.confirming -= 1,
        }
        self.ring_all();
    }

    pub(super) fn hold(&mut self) {
        self.holds += 1;
    }

    pub(super) fn unhold(&mut self) {
        self.holds -= 1;
    }

    /// Whether a peer may still say that it has more than we know.
    pub(super) fn is_unanswered(&self) -> bool {
        self.holds > 0 || self.peers.values().any(Supply::is_unanswered)
    }

    /// The greatest length that a peer claims.
    pub(super) fn offered_length(&self) -> u64 {
        self.peers.values().map(Supply::length).max().unwrap_or(0)
    }

    /// The greatest length that a peer claims which may still prove it soon.
    pub(super) fn likely_length(&self) -> u64 {
        self.peers
            .values()
            .filter(|peer| !peer.stalled)
            .map(Supply::length)
            .max()
            .unwrap_or(0)
    }

    /// Whether some peer would send the block, or is already about to.
    pub(super) fn is_offered(&self, block: u64) -> bool {
        self.peers
            .values()
            .any(|supply| supply.offers(block) || supply.inflight.contains_key(&Key::Block(block)))
    }

    /// Whether some peer would send a block of a range.
    pub(super) fn is_offered_in(&self, range: &Range<u64>) -> bool {
        let offers = |supply: &Supply| supply.blocks.next(range.start);
        self.peers
            .values()
            .filter(|supply| supply.open && supply.uploading)
            .any(|supply| offers(supply).is_some_and(|block| block < range.end))
    }

    pub(super) fn is_reserved(&self, block: u64) -> bool {
        self.reserved.contains_key(&block)
    }

    /// Tells the replicator of every open peer to look for something to ask.
    pub(super) fn ring_all(&self) {
        for supply in self.peers.values() {
            supply.doorbell.wake_by_ref();
        }
    }

    pub(super) fn plan(
        &mut self,
        core: &Hypercore,
        peer: PeerId,
        limits: RequestLimits,
        requests: &mut Vec<Request>,
    ) {
        if !self.download.is_on() {
            return;
        }
        let local = core.length();
        let updates = self.peers.values().flat_map(|supply| {
            supply
                .inflight
                .range(Key::Hash(local)..)
                .filter(|(_, inflight)| !inflight.released)
        });
        let updates = updates.count();
        let Some(mut supply) = self.peers.remove(&peer) else {
            return;
        };
        let (demand, reserved) = (&mut self.demand, &mut self.reserved);
        let others = self.peers.values();
        let others = others.filter(|other| other.open && other.uploading && !other.stalled);
        Planner {
            core,
            demand,
            reserved,
            updates,
            peer,
            supply: &mut supply,
            others: others.map(|other| &other.blocks).collect(),
            doubt: self.doubt,
            shift: self.shift,
        }
        .plan(limits, requests);
        self.peers.insert(peer, supply);
    }

    /// The next region whose blocks the peer should be asked to tell.
    pub(super) fn next_region(&mut self, local_length: u64, peer: PeerId) -> Option<u64> {
        let supply = self.peers.get_mut(&peer)?;
        let may_ask = supply.open
            && supply.uploading
            && supply.unanswered.len() < MAX_UNANSWERED_REGIONS
            && supply.regions.len() < MAX_REGIONS;
        if !may_ask {
            return None;
        }
        let region = if supply.regions.contains(&0) {
            let remote = supply.blocks.length();
            self.demand
                .region_of_interest(REGION_BLOCKS, local_length, remote, &supply.regions)?
        } else {
            0
        };
        supply.regions.insert(region);
        supply.unanswered.insert(region);
        Some(region)
    }

    /// Takes a request off the list of those without an answer. The block stays reserved until the
    /// answer was stored or refused.
    pub(super) fn take_inflight(&mut self, peer: PeerId, key: Key) -> Option<Inflight> {
        let supply = self.peers.get_mut(&peer)?;
        supply.stalled = false;
        if let Some(inflight) = supply.inflight.remove(&key) {
            return Some(inflight);
        }
        if let Key::Block(block) = key {
            return supply.cancelled.remove(&block).then_some(Inflight {
                byte_offset: 0,
                released: true,
                to_the_roots: false,
            });
        }
        // A seek is answered with another block than was named.
        let seek = supply
            .inflight
            .iter()
            .find(|(_, inflight)| inflight.byte_offset > 0)?;
        let seek = *seek.0;
        supply.inflight.remove(&seek)
    }

    /// The peer will not bring what it was asked for: somebody else may be asked. Whoever cannot
    /// prove a node at or beyond `length` is not believed to have anything there.
    pub(super) fn give_up(&mut self, peer: PeerId, key: Key, length: u64) {
        if let Some(supply) = self.peers.get_mut(&peer) {
            match key {
                Key::Hash(index) if index >= length => supply.forget(length..u64::MAX),
                Key::Block(index) | Key::Hash(index) => supply.forget(index..index + 1),
            }
        }
        self.unreserve(peer, key);
        self.revisit_all();
        self.ring_all();
    }

    /// The peer is slow: what was asked of it may be asked of others as well.
    pub(super) fn release(&mut self, peer: PeerId) {
        let Some(supply) = self.peers.get_mut(&peer) else {
            return;
        };
        supply.stalled = !supply.inflight.is_empty();
        self.shift += 1;
        let mut keys = Vec::new();
        for (key, inflight) in &mut supply.inflight {
            inflight.released = true;
            keys.push(*key);
        }
        for key in keys {
            self.unreserve(peer, key);
        }
        self.revisit_all();
        self.ring_all();
    }

    /// Forgets every request that the peer did not answer; returns what they were for.
    pub(super) fn take_all_inflight(&mut self, peer: PeerId) -> Vec<Key> {
        let Some(supply) = self.peers.get_mut(&peer) else {
            return Vec::new();
        };
        supply.stalled = false;
        std::mem::take(&mut supply.inflight).into_keys().collect()
    }

    pub(super) fn unreserve(&mut self, peer: PeerId, key: Key) {
        if let Key::Block(index) = key
            && self.reserved.get(&index) == Some(&peer)
        {
            self.reserved.remove(&index);
            self.demand.unasked(index);
        }
    }

    /// Somebody has gone who waited for a block: the request is taken back if nobody else does.
    pub(super) fn cancel(&mut self, block: u64) {
        if let Some(peer) = self.reserved.get(&block)
            && !self.demand.wants(block)
        {
            if let Some(supply) = self.peers.get_mut(peer) {
                supply.cancel(block);
            }
            self.reserved.remove(&block);
        }
    }

    /// The same for every block that was asked for.
    pub(super) fn cancel_unwanted(&mut self) {
        let blocks: Vec<u64> = self.reserved.keys().copied().collect();
        for block in blocks {
            self.cancel(block);
        }
    }

    /// It is no longer certain that the tree here is a part of that of peers, who are to prove theirs.
    pub(super) fn doubt(&mut self, length: u64, of_all: bool) {
        let doubt = Doubt { length, of_all };
        let greater = |old: Doubt| old.of_all && !of_all;
        if length == 0 || self.doubt.is_some_and(|old| old == doubt || greater(old)) {
            return; // every peer was asked, or is when it joins
        }
        self.doubt = Some(doubt);
        for supply in self.peers.values_mut() {
            supply.compared = false;
            supply.doorbell.wake_by_ref();
        }
    }

    /// A peer has proved that its tree and the one here are of one log.
    pub(super) fn compared(&mut self) {
        if self.doubt.is_some_and(|doubt| !doubt.of_all) {
            self.doubt = None;
        }
    }

    /// A peer has come, gone, or told what it has: other blocks may be rare now.
    pub(super) fn shifted(&mut self) {
        self.shift += 1;
    }

    pub(super) fn revisit_all(&mut self) {
        for supply in self.peers.values_mut() {
            supply.revisit();
        }
    }

    /// A block that a peer sent was stored.
    pub(super) fn stored(
        &mut self,
        core: &Hypercore,
        index: u64,
        bytes: usize,
        woken: &mut Vec<Waker>,
    ) {
        self.reserved.remove(&index);
        self.demand.stored(core, index, woken);
        self.announce(index..index + 1);
        self.subscribers
            .send(|| FeedEvent::Downloaded { index, bytes }, woken);
        let length = core.length();
        let from = match self.whole {
            Some(missing) if missing != index => return,
            known => known.unwrap_or(0),
        };
        let whole = core.next_missing(from, length).unwrap_or(length);
        self.whole = Some(whole);
        if whole == length {
            self.subscribers
                .send(|| FeedEvent::Synced { length }, woken);
        }
    }

    /// Blocks may have come back that nobody sent.
    pub(super) fn mended(&mut self) {
        self.whole = None;
    }

    /// Blocks were appended here.
    pub(super) fn appended(
        &mut self,
        core: &Hypercore,
        blocks: Range<u64>,
        woken: &mut Vec<Waker>,
    ) {
        self.demand.appended(core, blocks.clone(), woken);
        let length = blocks.end;
        if self.unannounced.is_empty() {
            self.unannounced.start = blocks.start;
        }
        self.unannounced.end = length;
        self.announce_durable(core);
        self.ring_all();
        self.subscribers
            .send(|| FeedEvent::Appended { length }, woken);
    }

    /// Blocks are no longer here.
    pub(super) fn cleared(&mut self, blocks: Range<u64>) {
        self.whole = self.whole.map(|missing| missing.min(blocks.start));
        for supply in self.peers.values_mut().filter(|supply| supply.subscribed) {
            supply.announce.remove(blocks.clone());
            supply.retract.insert(blocks.clone());
            supply.doorbell.wake_by_ref();
        }
        self.revisit_all();
    }

    /// Opens a mailbox and has remotes told of it.
    pub(super) fn open_mailbox(&mut self, name: &str) -> Result<Arc<Slot>, MailboxError> {
        let slot = self.mailboxes.open(name)?;
        self.ring_all();
        Ok(slot)
    }

    pub(super) fn close_mailbox(&mut self, name: &str) {
        self.mailboxes.close(name);
        for supply in self.peers.values_mut() {
            supply.mail.declined.remove(name);
        }
        self.ring_all();
    }

    /// Announces what was appended, as far as it is durable by now.
    pub(super) fn announce_durable(&mut self, core: &Hypercore) {
        let blocks = self.unannounced.start..self.unannounced.end.min(core.durable_length());
        if !blocks.is_empty() {
            self.unannounced.start = blocks.end;
            self.announce(blocks);
        }
    }

    /// A peer brought a block that was stored.
    pub(super) fn count_download(&mut self, peer: PeerId, bytes: usize) {
        self.stats.downloaded(bytes);
        if let Some(supply) = self.peers.get_mut(&peer) {
            supply.stats.downloaded(bytes);
        }
    }

    /// A block is sent to a peer.
    pub(super) fn count_upload(&mut self, peer: PeerId, bytes: usize) {
        self.stats.uploaded(bytes);
        if let Some(supply) = self.peers.get_mut(&peer) {
            supply.stats.uploaded(bytes);
        }
    }

    /// Every announcement to peers passes here.
    fn announce(&mut self, blocks: Range<u64>) {
        for supply in self.peers.values_mut().filter(|supply| supply.subscribed) {
            let known = blocks.end - blocks.start == 1 && supply.blocks.contains(blocks.start);
            if !known {
                supply.announce.insert(blocks.clone());
                supply.retract.remove(blocks.clone());
                supply.doorbell.wake_by_ref();
            }
        }
    }
}
