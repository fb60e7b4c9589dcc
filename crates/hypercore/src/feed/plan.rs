//! Which requests to make of a peer next.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use super::blocks::BlockSet;
use super::demand::{Demand, Seeking, Selected, Selection};
use super::rarity::rarest_first;
use super::supply::{Inflight, Key, Supply};
use super::swarm::{Doubt, PeerId};
use crate::Hypercore;

/// A request to be sent to a peer.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Request {
    /// The block asked for.
    pub index: u64,
    /// Larger than 0: the peer looks for the block that contains this byte offset instead.
    pub bytes: u64,
    /// Whether the proof is wanted without the block.
    pub hash: bool,
    /// Digest of the tree nodes that are known here already.
    pub nodes: u64,
}

/// How many requests one peer may have unanswered.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// For blocks that somebody waits for now.
    pub urgent: usize,
    /// For blocks of standing downloads.
    pub bulk: usize,
}

/// Most peers that are asked to prove a longer length at once.
const MAX_UPDATES: usize = 3;

/// Places of a range that are downloaded side by side: more than there are requests under way at once.
/// Neighbours share most of their proof, and two that are asked for at once bring it twice. Places are
/// whole subtrees of the log's tree, visited such that each lies as far as can be from those before it.
const LANES: u64 = 2048;

pub(super) struct Planner<'a> {
    pub(super) core: &'a Hypercore,
    pub(super) demand: &'a mut Demand,
    pub(super) reserved: &'a mut HashMap<u64, PeerId>,
    /// Unanswered requests for a longer length, of all peers.
    pub(super) updates: usize,
    pub(super) peer: PeerId,
    pub(super) supply: &'a mut Supply,
    /// What each of the other peers would send.
    pub(super) others: Vec<&'a BlockSet>,
    /// How often that has changed, but for single blocks.
    pub(super) shift: u64,
    pub(super) doubt: Option<Doubt>,
}

impl Planner<'_> {
    /// Adds requests until there is nothing to ask of this peer or it has as many as it may.
    pub(super) fn plan(mut self, limits: RequestLimits, requests: &mut Vec<Request>) {
        if !self.supply.open || !self.supply.uploading || self.supply.stalled {
            return;
        }
        self.plan_comparison(requests);
        self.plan_gets(limits.urgent, requests);
        self.plan_update(limits.urgent, requests);
        self.plan_seeks(limits.urgent, requests);
        self.plan_selections(limits.bulk, requests);
    }

    /// Asks for a proof of what both sides have signed, that claims nothing to be known: it shows every
    /// root of the shorter tree. First of all, since the reference leaves out what was claimed before.
    fn plan_comparison(&mut self, requests: &mut Vec<Request>) {
        let Some(doubt) = self.doubt.filter(|_| !self.supply.compared) else {
            return;
        };
        let shorter = doubt.length.min(self.supply.length());
        let Some(last) = shorter.checked_sub(1) else {
            return;
        };
        let key = Key::Hash(last);
        if self.supply.blocks.contains(last) && !self.supply.inflight.contains_key(&key) {
            self.supply.compared = true;
            self.supply.inflight.insert(
                key,
                Inflight {
                    to_the_roots: true,
                    ..Inflight::new(0)
                },
            );
            requests.push(Request {
                index: last,
                bytes: 0,
                hash: true,
                nodes: 0,
            });
        }
    }

    fn plan_gets(&mut self, limit: usize, requests: &mut Vec<Request>) {
        let Some(room) = limit.checked_sub(self.supply.inflight.len()) else {
            return;
        };
        let blocks: Vec<u64> = self
            .demand
            .queued()
            .filter(|&block| self.is_available(block))
            .take(room)
            .collect();
        for block in blocks {
            self.request_block(block, requests);
        }
    }

    fn plan_update(&mut self, limit: usize, requests: &mut Vec<Request>) {
        let (local, remote) = (self.core.length(), self.supply.length());
        let key = Key::Hash(remote.saturating_sub(1));
        if remote > local
            && self.supply.inflight.len() < limit
            && self.updates < MAX_UPDATES
            && !self.supply.inflight.range(Key::Hash(local)..).any(|_| true)
            // An author who is told of a longer log has to know whether that is true.
            && (self.core.is_writable() || self.demand.wants_longer_than(local))
        {
            self.request(key, 0, requests);
        }
    }

    fn plan_seeks(&mut self, limit: usize, requests: &mut Vec<Request>) {
        let seeks: Vec<Seeking> = self.demand.seeks().cloned().collect();
        for seek in seeks {
            let offset = seek.byte_offset;
            if self.supply.inflight.len() >= limit {
                return;
            }
            if self
                .supply
                .inflight
                .values()
                .any(|inflight| inflight.byte_offset == offset)
            {
                continue;
            }
            let mut block = seek.blocks.start;
            while let Some(found) = self
                .supply
                .blocks
                .next(block)
                .filter(|&b| b < seek.blocks.end)
            {
                let key = Key::Hash(found);
                if self.core.digest(found) != 1 && !self.supply.inflight.contains_key(&key) {
                    self.request(key, offset, requests);
                    break;
                }
                block = found + 1;
            }
        }
    }

    fn plan_selections(&mut self, limit: usize, requests: &mut Vec<Request>) {
        let mut idle_since = None;
        while self.supply.inflight.len() < limit {
            let turn = self.supply.turn;
            let next = self.demand.selections_from(turn).next();
            let Some(id) = next.or_else(|| self.demand.selections_from(0).next()) else {
                return;
            };
            if idle_since == Some(id) {
                return; // went round without finding anything
            }
            self.supply.turn = id + 1;
            match self.pick(id) {
                Some(block) => {
                    idle_since = None;
                    self.request_block(block, requests);
                }
                None => {
                    idle_since.get_or_insert(id);
                }
            }
        }
    }

    /// The next block to ask for from a selection.
    fn pick(&mut self, id: u64) -> Option<u64> {
        let selection = self.demand.selection(id)?;
        let mut cursor = self.supply.cursors.remove(&id).unwrap_or_default();
        let own = &self.supply.blocks;
        cursor.heed(self.shift);
        let picked = cursor.pick(
            selection,
            own.length(),
            |range| rarest_first(self.core, own, &self.others, range),
            |from, end| self.next_available(from, end),
        );
        self.supply.cursors.insert(id, cursor);
        picked
    }

    /// The first block in the range that is missing here, that the peer has, and that nobody was
    /// asked for.
    fn next_available(&self, mut from: u64, end: u64) -> Option<u64> {
        loop {
            let missing = self.core.next_missing(from, end)?;
            let offered = self
                .supply
                .blocks
                .next(missing)
                .filter(|&block| block < end)?;
            if offered == missing && self.is_unasked(offered) {
                return Some(offered);
            }
            from = if offered == missing {
                offered + 1
            } else {
                offered
            };
        }
    }

    fn is_available(&self, block: u64) -> bool {
        self.supply.blocks.contains(block) && self.is_unasked(block)
    }

    fn is_unasked(&self, block: u64) -> bool {
        !self.reserved.contains_key(&block)
            && !self.supply.inflight.contains_key(&Key::Block(block))
    }

    fn request_block(&mut self, block: u64, requests: &mut Vec<Request>) {
        self.reserved.insert(block, self.peer);
        self.demand.asked(block);
        self.supply.cancelled.remove(&block);
        self.supply.cancels.retain(|cancelled| *cancelled != block);
        self.request(Key::Block(block), 0, requests);
    }

    fn request(&mut self, key: Key, byte_offset: u64, requests: &mut Vec<Request>) {
        self.supply.inflight.insert(key, Inflight::new(byte_offset));
        let (index, hash) = match key {
            Key::Block(index) => (index, false),
            Key::Hash(index) => (index, true),
        };
        let nodes = self.core.digest(index);
        requests.push(Request {
            index,
            bytes: byte_offset,
            hash,
            nodes,
        });
    }
}

/// How far a selection was walked through for one peer.
///
/// A walk has stages: the blocks that fewest peers have come first, and the whole of the selection last,
/// for what has changed meanwhile.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// What is left of this stage: ranges of blocks, or of positions in a list.
    lanes: Vec<Range<u64>>,
    /// The stages that come after it.
    stages: VecDeque<Vec<Range<u64>>>,
    /// What the stages were made for, and how many blocks were found since.
    shift: u64,
    found: usize,
    /// The lane to continue with.
    turn: usize,
    /// Whether the walk ended and nothing changed since.
    exhausted: bool,
    /// Whether a block behind the walk may have become available.
    stale: bool,
}

impl Cursor {
    /// Begins anew if peers have come and gone that make other blocks rare.
    fn heed(&mut self, shift: u64) {
        if self.shift != shift && self.found >= MIN_FOUND {
            self.lanes.clear();
            self.stages.clear();
            self.exhausted = false;
        }
        if self.lanes.is_empty() && self.stages.is_empty() {
            self.shift = shift;
        }
    }

    pub(super) fn revisit(&mut self) {
        self.stale = true;
        self.exhausted = false;
    }

    fn pick(
        &mut self,
        selection: &Selection,
        remote_length: u64,
        rarest_first: impl Fn(Range<u64>) -> Vec<Vec<Range<u64>>>,
        next_available: impl Fn(u64, u64) -> Option<u64>,
    ) -> Option<u64> {
        if self.exhausted {
            return None;
        }
        loop {
            if self.lanes.is_empty() && self.stages.is_empty() {
                self.restart(selection, remote_length, &rarest_first);
            }
            if let (true, Some(stage)) = (self.lanes.is_empty(), self.stages.pop_front()) {
                self.turn = 0;
                self.lanes = match selection.is_ordered() {
                    true => stage,
                    false => lanes(&stage),
                };
            }
            while !self.lanes.is_empty() {
                self.turn %= self.lanes.len();
                let lane = &mut self.lanes[self.turn];
                let found = match &selection.blocks {
                    Selected::Range(_) => next_available(lane.start, lane.end).map(|at| (at, at)),
                    Selected::List(list) => lane.clone().find_map(|at| {
                        let block = *list.get(usize::try_from(at).ok()?)?;
                        next_available(block, block + 1).map(|block| (at, block))
                    }),
                };
                let Some((at, block)) = found else {
                    self.lanes.swap_remove(self.turn);
                    continue;
                };
                lane.start = at + 1;
                self.turn += 1;
                self.found += 1;
                return Some(block);
            }
            if !self.stages.is_empty() {
                continue;
            }
            if !self.stale {
                self.exhausted = true;
                self.lanes = Vec::new();
                return None;
            }
        }
    }

    /// Begins a new walk.
    fn restart(
        &mut self,
        selection: &Selection,
        remote_length: u64,
        rarest_first: impl Fn(Range<u64>) -> Vec<Vec<Range<u64>>>,
    ) {
        self.stale = false;
        self.found = 0;
        let (start, end) = match &selection.blocks {
            Selected::Range(range) => (selection.first, range.end.min(remote_length)),
            Selected::List(list) => (selection.first, list.len() as u64),
        };
        if start >= end {
            return;
        }
        if !selection.is_ordered() {
            self.stages.extend(rarest_first(start..end));
        }
        let whole = start..end;
        self.stages.push_back(Vec::from([whole]));
    }
}

/// Cuts ranges into places that are whole subtrees, each far from those before it.
fn lanes(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let blocks: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    let step = blocks
        .div_ceil(LANES)
        .checked_next_power_of_two()
        .unwrap_or(1 << 63);
    let mut places = Vec::new();
    for range in ranges {
        let mut from = range.start;
        while from < range.end {
            let next = (from / step + 1).saturating_mul(step).min(range.end);
            places.push(from..next);
            from = next;
        }
    }
    let spread = spread(places.len() as u64);
    let place = |number| places.get(usize::try_from(number).ok()?).cloned();
    spread.filter_map(place).collect()
}

/// So many blocks are asked for at least before the order is thought over again.
const MIN_FOUND: usize = 32;

/// The numbers below `count`, each far from those before it: in the order of their reversed bits.
fn spread(count: u64) -> impl Iterator<Item = u64> {
    let all = count.next_power_of_two();
    let unused = u64::BITS - all.trailing_zeros();
    (0..all)
        .map(move |number| number.reverse_bits().checked_shr(unused).unwrap_or(0))
        .filter(move |number| *number < count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread() {
        assert_eq!(spread(0).next(), None);
        assert_eq!(spread(1).collect::<Vec<_>>(), [0]);
        assert_eq!(spread(8).collect::<Vec<_>>(), [0, 4, 2, 6, 1, 5, 3, 7]);
        assert_eq!(spread(5).collect::<Vec<_>>(), [0, 4, 2, 1, 3]);
        for count in [2, 3, 100, 2047, 2048, 2049] {
            let mut all: Vec<u64> = spread(count).collect();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..count));
        }
    }

    #[test]
    fn a_range_is_walked_through_once_wherever_it_begins() {
        for range in [0..1, 5..6, 3..2050, 7..10_000, 1..4097, 0..2048] {
            let selection = Selection::of(range.clone());
            let mut cursor = Cursor::default();
            let mut picked = Vec::new();
            let rarest_first = |_| Vec::new();
            let any = |from, end| (from < end).then_some(from);
            while let Some(block) = cursor.pick(&selection, u64::MAX, rarest_first, any) {
                picked.push(block);
            }
            picked.sort_unstable();
            assert!(picked.into_iter().eq(range.clone()), "{range:?}");
        }
    }
}
