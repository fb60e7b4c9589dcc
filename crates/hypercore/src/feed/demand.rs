use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::task::Waker;

use crate::Hypercore;

/// What the callers of a [`Feed`](crate::Feed) wait for.
///
/// Every entry is owned by a future and leaves with it.
#[derive(Debug, Default)]
pub(super) struct Demand {
    /// Blocks that somebody waits for, one entry a block.
    gets: BTreeMap<u64, Get>,
    /// Those of them that no peer was asked for, in the order in which they were wanted.
    queue: BTreeMap<u64, u64>,
    /// Lengths that somebody waits for the log to reach.
    lengths: BTreeMap<u64, u64>,
    seeks: BTreeMap<u64, Seeking>,
    selections: BTreeMap<u64, Selection>,
    /// Selections by their first missing block.
    first_missing: BTreeSet<(u64, u64)>,
    /// Numbers entries, of every kind.
    next_id: u64,
}

#[derive(Debug)]
struct Get {
    /// Place in the queue, when it is in there.
    ticket: u64,
    waiting: Vec<(u64, Option<Waker>)>,
}

/// A byte offset whose block is looked for.
#[derive(Clone, Debug)]
pub(super) struct Seeking {
    pub(super) byte_offset: u64,
    /// Blocks that may contain it, by what is known.
    pub(super) blocks: Range<u64>,
}

/// A standing wish for many blocks.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) blocks: Selected,
    /// Whether blocks are asked for in order.
    pub(super) linear: bool,
    /// For a range the first block that may be missing, for a list its position.
    pub(super) first: u64,
    done: bool,
    waker: Option<Waker>,
}

#[derive(Clone, Debug)]
pub(super) enum Selected {
    Range(Range<u64>),
    /// Ascending and without repetition.
    List(Arc<[u64]>),
}

impl Demand {
    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Notes that somebody waits for a missing block.
    pub(super) fn add_get(&mut self, index: u64, asked: bool) -> u64 {
        let id = self.id();
        match self.gets.get_mut(&index) {
            Some(get) => get.waiting.push((id, None)),
            None => {
                self.gets.insert(
                    index,
                    Get {
                        ticket: id,
                        waiting: vec![(id, None)],
                    },
                );
                if !asked {
                    self.queue.insert(id, index);
                }
            }
        }
        id
    }

    pub(super) fn watch_get(&mut self, index: u64, id: u64, waker: &Waker) {
        let slot = self
            .gets
            .get_mut(&index)
            .and_then(|get| get.waiting.iter_mut().find(|waiting| waiting.0 == id));
        if let Some((_, slot)) = slot {
            slot.clone_from(&Some(waker.clone()));
        }
    }

    /// True when nobody waits for the block any more.
    pub(super) fn remove_get(&mut self, index: u64, id: u64) -> bool {
        let Some(get) = self.gets.get_mut(&index) else {
            return false;
        };
        get.waiting.retain(|waiting| waiting.0 != id);
        if !get.waiting.is_empty() {
            return false;
        }
        self.queue.remove(&get.ticket);
        self.gets.remove(&index);
        true
    }

    /// Blocks that are waited for and that no peer was asked for, the longest wait first.
    pub(super) fn queued(&self) -> impl Iterator<Item = u64> {
        self.queue.values().copied()
    }

    /// A peer was asked for the block.
    pub(super) fn asked(&mut self, index: u64) {
        if let Some(get) = self.gets.get(&index) {
            self.queue.remove(&get.ticket);
        }
    }

    /// The peer that was asked for the block may not bring it.
    pub(super) fn unasked(&mut self, index: u64) {
        if let Some(get) = self.gets.get(&index) {
            self.queue.insert(get.ticket, index);
        }
    }

    pub(super) fn add_length(&mut self, length: u64) -> u64 {
        let id = self.id();
        self.lengths.insert(id, length);
        id
    }

    pub(super) fn remove_length(&mut self, id: u64) {
        self.lengths.remove(&id);
    }

    /// Whether somebody waits for the log to become longer than `length`.
    pub(super) fn wants_longer_than(&self, length: u64) -> bool {
        self.lengths.values().any(|&wanted| wanted > length)
    }

    pub(super) fn add_seek(&mut self, seek: Seeking) -> u64 {
        let id = self.id();
        self.seeks.insert(id, seek);
        id
    }

    pub(super) fn remove_seek(&mut self, id: u64) {
        self.seeks.remove(&id);
    }

    pub(super) fn seeks(&self) -> impl Iterator<Item = &Seeking> {
        self.seeks.values()
    }

    pub(super) fn add_selection(
        &mut self,
        core: &Hypercore,
        blocks: Selected,
        linear: bool,
    ) -> u64 {
        let id = self.id();
        let first = match &blocks {
            Selected::Range(range) => range.start,
            Selected::List(_) => 0,
        };
        let selection = Selection {
            blocks,
            linear,
            first,
            done: false,
            waker: None,
        };
        self.selections.insert(id, selection);
        self.advance_selection(core, id);
        id
    }

    /// Whether the selection is complete; if not, `waker` is woken when it is.
    pub(super) fn watch_selection(&mut self, id: u64, waker: &Waker) -> bool {
        self.selections.get_mut(&id).is_none_or(|selection| {
            selection.waker = Some(waker.clone());
            selection.done
        })
    }

    pub(super) fn remove_selection(&mut self, id: u64) {
        if let Some(selection) = self.selections.remove(&id)
            && let Some(block) = selection.first_block()
        {
            self.first_missing.remove(&(block, id));
        }
    }

    pub(super) fn selection(&self, id: u64) -> Option<&Selection> {
        self.selections.get(&id)
    }

    /// Ids of the selections that are not complete, from `id` upward.
    pub(super) fn selections_from(&self, id: u64) -> impl Iterator<Item = u64> {
        self.selections
            .range(id..)
            .filter(|(_, selection)| !selection.done)
            .map(|(&id, _)| id)
    }

    /// A block was stored. Collects who waited for that.
    pub(super) fn stored(&mut self, core: &Hypercore, index: u64, woken: &mut Vec<Waker>) {
        if let Some(get) = self.gets.remove(&index) {
            self.queue.remove(&get.ticket);
            woken.extend(get.waiting.into_iter().filter_map(|(_, waker)| waker));
        }
        let ids: Vec<u64> = self
            .first_missing
            .range((index, 0)..=(index, u64::MAX))
            .map(|entry| entry.1)
            .collect();
        for id in ids {
            self.first_missing.remove(&(index, id));
            self.advance_selection(core, id);
            if let Some(selection) = self.selections.get_mut(&id)
                && selection.done
            {
                woken.extend(selection.waker.take());
            }
        }
    }

    /// Blocks were appended here. Collects who waited for that.
    pub(super) fn appended(
        &mut self,
        core: &Hypercore,
        blocks: Range<u64>,
        woken: &mut Vec<Waker>,
    ) {
        let gets: Vec<u64> = self
            .gets
            .range(blocks.clone())
            .map(|(&index, _)| index)
            .collect();
        let selected = self.first_missing.range((blocks.start, 0)..(blocks.end, 0));
        let selected: Vec<u64> = selected.map(|entry| entry.0).collect();
        for index in gets.into_iter().chain(selected) {
            self.stored(core, index, woken);
        }
    }

    /// Everybody who waits, when the log is closed.
    pub(super) fn wake_all(&mut self, woken: &mut Vec<Waker>) {
        for get in self.gets.values_mut() {
            woken.extend(
                get.waiting
                    .iter_mut()
                    .filter_map(|waiting| waiting.1.take()),
            );
        }
        for selection in self.selections.values_mut() {
            woken.extend(selection.waker.take());
        }
    }

    /// Whether somebody waits for a block, or it is part of what somebody downloads.
    pub(super) fn wants(&self, block: u64) -> bool {
        let mut selections = self.selections.values().filter(|selection| !selection.done);
        self.gets.contains_key(&block)
            || selections.any(|selection| match &selection.blocks {
                Selected::Range(range) => range.contains(&block),
                Selected::List(list) => list.binary_search(&block).is_ok(),
            })
    }

    /// Whether somebody waits for a block below `length`: such a block can only come from a peer.
    pub(super) fn wants_below(&self, length: u64) -> bool {
        self.gets.range(..length).next().is_some()
            || !self.seeks.is_empty()
            || self.first_missing.range(..(length, 0)).next().is_some()
    }

    /// The first region at or after `from`, of `size` blocks, that a block wanted by somebody lies
    /// in and that is not in `known`. `length` is what the peer is known to have.
    pub(super) fn region_of_interest(
        &self,
        size: u64,
        local: u64,
        remote: u64,
        known: &BTreeSet<u64>,
    ) -> Option<u64> {
        let mut from = 0;
        while let Some((&index, _)) = self.gets.range(from..).next() {
            let region = index / size;
            if !known.contains(&region) {
                return Some(region);
            }
            from = (region + 1) * size;
        }
        if self.wants_longer_than(local) && !known.contains(&(local / size)) {
            return Some(local / size);
        }
        let seeks = self.seeks.values().map(|seek| seek.blocks.clone());
        let ranges = self
            .selections
            .values()
            .filter(|selection| !selection.done)
            .filter_map(|selection| match &selection.blocks {
                Selected::Range(range) => Some(selection.first..range.end),
                Selected::List(_) => None,
            });
        for range in seeks.chain(ranges) {
            let end = range.end.min(remote).div_ceil(size);
            if let Some(region) = (range.start / size..end).find(|at| !known.contains(at)) {
                return Some(region);
            }
        }
        self.selections
            .values()
            .filter(|selection| !selection.done)
            .find_map(|selection| {
                let Selected::List(list) = &selection.blocks else {
                    return None;
                };
                let mut at = usize::try_from(selection.first).ok()?;
                while let Some(&block) = list.get(at) {
                    let region = block / size;
                    if !known.contains(&region) {
                        return Some(region);
                    }
                    at += list[at..].partition_point(|&block| block / size == region);
                }
                None
            })
    }

    /// Moves a selection to its first missing block.
    fn advance_selection(&mut self, core: &Hypercore, id: u64) {
        let Some(selection) = self.selections.get_mut(&id) else {
            return;
        };
        match &selection.blocks {
            Selected::Range(range) => {
                // What lies beyond the length is missing, and is not in the bitfield to be found.
                let missing = core.next_missing(selection.first, range.end);
                selection.first = missing.unwrap_or(range.end);
            }
            Selected::List(list) => {
                let rest = list.get(usize::try_from(selection.first).unwrap_or(usize::MAX)..);
                let stored = rest
                    .into_iter()
                    .flatten()
                    .take_while(|&&block| core.has(block));
                selection.first += stored.count() as u64;
            }
        }
        match selection.first_block() {
            Some(block) => {
                self.first_missing.insert((block, id));
            }
            None => selection.done = true,
        }
    }
}

impl Selection {
    /// A wish for a range, in any order.
    #[cfg(test)]
    pub(super) fn of(range: Range<u64>) -> Self {
        Self {
            first: range.start,
            blocks: Selected::Range(range),
            linear: false,
            done: false,
            waker: None,
        }
    }

    /// Whether blocks are asked for in the order in which they are named.
    pub(super) fn is_ordered(&self) -> bool {
        self.linear || matches!(self.blocks, Selected::List(_))
    }

    /// The first block that is missing, if the selection is not complete.
    fn first_block(&self) -> Option<u64> {
        match &self.blocks {
            Selected::Range(range) => (self.first < range.end).then_some(self.first),
            Selected::List(list) => list.get(usize::try_from(self.first).ok()?).copied(),
        }
    }
}
