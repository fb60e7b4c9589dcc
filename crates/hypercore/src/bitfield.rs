//! Which blocks and which tree nodes are stored here.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::NodeIndex;

mod page;
mod summary;

pub(crate) use page::{BLOCKS_PER_PAGE, Page};
pub(crate) use summary::{Summary, upper};

/// The bits of a log, in pages as they are stored. Pages without a set bit take no memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bitfield {
    pages: Vec<Option<Box<Page>>>,
    dirty: BTreeSet<usize>,
}

impl Bitfield {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Puts a page that was read from storage in its place. It counts as stored.
    pub(crate) fn insert_page(&mut self, number: usize, page: Page) {
        self.reserve(number);
        self.pages[number] = Some(Box::new(page));
    }

    pub(crate) fn page_count(&self) -> usize {
        self.pages.len()
    }

    pub(crate) fn page(&self, number: usize) -> Option<&Page> {
        self.pages.get(number)?.as_deref()
    }

    /// The pages changed since they were last taken, in order.
    pub(crate) fn dirty(&self) -> &BTreeSet<usize> {
        &self.dirty
    }

    /// Takes the changed pages out, as they are now. They count as stored then.
    pub(crate) fn take_changes(&mut self) -> Self {
        let dirty = std::mem::take(&mut self.dirty);
        let mut changes = Self::new();
        for number in &dirty {
            if let Some(page) = self.page(*number) {
                changes.insert_page(*number, page.clone());
            }
        }
        changes.dirty = dirty;
        changes
    }

    /// Counts pages as changed.
    pub(crate) fn mark_dirty(&mut self, pages: BTreeSet<usize>) {
        self.dirty.extend(pages);
    }

    /// Forgets what is not here and in `other` as well.
    pub(crate) fn intersect(&mut self, other: &Self) {
        for (number, page) in self.pages.iter_mut().enumerate() {
            if let (Some(page), Some(other)) = (page, other.page(number)) {
                page.intersect(other);
            }
        }
    }

    pub(crate) fn mark_clean(&mut self) {
        self.dirty.clear();
    }

    /// How many node bits there is room for; every set one is below.
    pub(crate) fn node_capacity(&self) -> u64 {
        self.pages.len() as u64 * (2 * BLOCKS_PER_PAGE)
    }

    pub(crate) fn block_capacity(&self) -> u64 {
        self.pages.len() as u64 * BLOCKS_PER_PAGE
    }

    pub(crate) fn has_block(&self, index: u64) -> bool {
        let (number, bit) = place(index, BLOCKS_PER_PAGE);
        self.page(number).is_some_and(|page| page.block(bit))
    }

    /// Returns whether the bit changed.
    pub(crate) fn set_block(&mut self, index: u64) -> bool {
        let (number, bit) = place(index, BLOCKS_PER_PAGE);
        let changed = self.page_mut(number).set_block(bit, true);
        if changed {
            self.dirty.insert(number);
        }
        changed
    }

    /// Returns whether the bit changed.
    pub(crate) fn clear_block(&mut self, index: u64) -> bool {
        let (number, bit) = place(index, BLOCKS_PER_PAGE);
        let Some(page) = self.pages.get_mut(number).and_then(Option::as_deref_mut) else {
            return false;
        };
        let changed = page.set_block(bit, false);
        if changed {
            self.dirty.insert(number);
        }
        changed
    }

    pub(crate) fn has_node(&self, node: NodeIndex) -> bool {
        let (number, bit) = place(node.get(), 2 * BLOCKS_PER_PAGE);
        self.page(number).is_some_and(|page| page.node(bit))
    }

    /// Sets a node's bit, and that of each parent both of whose children are now set.
    pub(crate) fn set_node(&mut self, mut node: NodeIndex) {
        while self.set_node_alone(node) && self.has_node(node.sibling()) {
            node = node.parent();
        }
    }

    /// Returns whether the bit changed.
    pub(crate) fn set_node_alone(&mut self, node: NodeIndex) -> bool {
        let (number, bit) = place(node.get(), 2 * BLOCKS_PER_PAGE);
        let changed = self.page_mut(number).set_node(bit, true);
        if changed {
            self.dirty.insert(number);
        }
        changed
    }

    /// Sets every node both of whose children are set. Bits that were written in several sectors may
    /// have survived a crash in some of them only.
    pub(crate) fn close_nodes(&mut self) {
        for number in 0..self.pages.len() {
            if let Some(page) = self.pages[number].as_deref_mut()
                && page.close_low()
            {
                self.dirty.insert(number);
            }
        }
        // Nodes of depth 6 and more, of which there is one in 64; lower ones come first.
        let end = self.node_capacity();
        let (mut half, mut step) = (32, 128);
        while half < end {
            for parent in (2 * half - 1..end + half).step_by(step) {
                let [left, right] = [parent - half, parent + half].map(NodeIndex::raw);
                if self.has_node(left) && self.has_node(right) {
                    self.set_node_alone(NodeIndex::raw(parent));
                }
            }
            (half, step) = (2 * half, 2 * step);
        }
    }

    /// Blocks that are set while their leaves are not, or that are at or beyond `length`.
    pub(crate) fn unproven_blocks(&self, length: u64) -> Vec<u64> {
        let mut found = Vec::new();
        for (base, page) in (0..).step_by(8192).zip(&self.pages) {
            if let Some(page) = page {
                let end = length.saturating_sub(base).min(BLOCKS_PER_PAGE);
                let end = u32::try_from(end).expect("a page has few bits");
                let blocks = page.unproven_blocks(end).into_iter();
                found.extend(blocks.map(|bit| base + u64::from(bit)));
            }
        }
        found
    }

    /// Forgets every block from `length` on, and every node that is not part of a log of `length`
    /// blocks.
    pub(crate) fn truncate(&mut self, length: u64) {
        for index in self
            .blocks(length..self.block_capacity())
            .collect::<Vec<_>>()
        {
            self.clear_block(index);
        }
        let first = NodeIndex::raw(length * 2);
        for node in self
            .nodes(first.get()..self.node_capacity())
            .collect::<Vec<_>>()
        {
            self.clear_node(node);
        }
        // A node left of the end can still span it: one of those above the last leaf.
        if let Some(last) = length.checked_sub(1) {
            let mut node = NodeIndex::leaf(last);
            while node.left_span().get() > 0 || node.get() < self.node_capacity() {
                node = node.parent();
                if node.right_span() >= first {
                    self.clear_node(node);
                }
            }
        }
    }

    pub(crate) fn clear_node(&mut self, node: NodeIndex) {
        let (number, bit) = place(node.get(), 2 * BLOCKS_PER_PAGE);
        if let Some(page) = self.pages.get_mut(number).and_then(Option::as_deref_mut)
            && page.set_node(bit, false)
        {
            self.dirty.insert(number);
        }
    }

    /// How many blocks of a range are stored.
    pub(crate) fn count_blocks(&self, range: Range<u64>) -> u64 {
        let mut count = 0;
        for (number, bits) in self.split(range) {
            if let Some(page) = self.page(number) {
                count += page.count_blocks(bits);
            }
        }
        count
    }

    /// The first block of a range that is not stored.
    pub(crate) fn next_missing(&self, range: Range<u64>) -> Option<u64> {
        let end = range.end;
        let start = range.start;
        if start >= end {
            return None;
        }
        for (number, bits) in self.split(start..end) {
            let base = number as u64 * BLOCKS_PER_PAGE;
            match self.page(number) {
                None => return Some(base + u64::from(bits.start)),
                Some(page) => {
                    if let Some(bit) = page.next_block(bits, false) {
                        return Some(base + u64::from(bit));
                    }
                }
            }
        }
        // Beyond the pages nothing is stored.
        let beyond = start.max(self.block_capacity());
        (beyond < end).then_some(beyond)
    }

    /// The first block of a range that is stored.
    pub(crate) fn next_block(&self, range: Range<u64>) -> Option<u64> {
        self.split(range).find_map(|(number, bits)| {
            let bit = self.page(number)?.next_block(bits, true)?;
            Some(number as u64 * BLOCKS_PER_PAGE + u64::from(bit))
        })
    }

    /// The stored blocks of a range.
    pub(crate) fn blocks(&self, range: Range<u64>) -> impl Iterator<Item = u64> {
        let mut from = range.start;
        std::iter::from_fn(move || {
            let found = self.next_block(from..range.end)?;
            from = found + 1;
            Some(found)
        })
    }

    /// The held nodes of a range of node numbers.
    pub(crate) fn nodes(&self, range: Range<u64>) -> impl Iterator<Item = NodeIndex> {
        let mut from = range.start;
        std::iter::from_fn(move || {
            while from < range.end {
                let (number, bit) = place(from, 2 * BLOCKS_PER_PAGE);
                let end = (number as u64 + 1) * 2 * BLOCKS_PER_PAGE;
                if let Some(bit) = self.page(number).and_then(|page| page.next_node(bit)) {
                    from = number as u64 * 2 * BLOCKS_PER_PAGE + u64::from(bit) + 1;
                    return (from <= range.end).then(|| NodeIndex::raw(from - 1));
                }
                from = end;
            }
            None
        })
    }

    /// The block bits from `start` (a multiple of 8) in bytes, the first block in the highest bit.
    /// Bytes beyond the pages are zero.
    pub(crate) fn block_bytes(&self, start: u64, bytes: usize) -> Vec<u8> {
        let mut out = vec![0; bytes];
        let end = start.saturating_add(bytes as u64 * 8);
        for (number, bits) in self.split(start..end) {
            let Some(page) = self.page(number) else {
                continue;
            };
            let base = number as u64 * BLOCKS_PER_PAGE;
            let at = usize::try_from((base + u64::from(bits.start) - start) / 8)
                .expect("the byte lies in `out`");
            let data = page.data_bytes();
            let from = (bits.start / 8) as usize;
            let to = (bits.end / 8) as usize;
            out[at..at + to - from].copy_from_slice(&data[from..to]);
        }
        out
    }

    /// Cuts a range of blocks at page borders, leaving out what is beyond the pages.
    fn split(&self, range: Range<u64>) -> impl Iterator<Item = (usize, Range<u32>)> + use<> {
        let end = range.end.min(self.block_capacity());
        let mut from = range.start;
        std::iter::from_fn(move || {
            if from >= end {
                return None;
            }
            let (number, bit) = place(from, BLOCKS_PER_PAGE);
            let base = from - u64::from(bit);
            let stop = end.min(base + BLOCKS_PER_PAGE);
            from = stop;
            let stop = u32::try_from(stop - base).expect("a page has few bits");
            Some((number, bit..stop))
        })
    }

    fn page_mut(&mut self, number: usize) -> &mut Page {
        self.reserve(number);
        self.pages[number].get_or_insert_default()
    }

    fn reserve(&mut self, number: usize) {
        if self.pages.len() <= number {
            self.pages.resize_with(number + 1, || None);
        }
    }
}

/// The page that holds a bit, and the bit's place in it.
fn place(bit: u64, per_page: u64) -> (usize, u32) {
    let page = usize::try_from(bit / per_page).unwrap_or(usize::MAX);
    let bit = u32::try_from(bit % per_page).expect("a page has few bits");
    (page, bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_searches_cross_pages() {
        let mut bits = Bitfield::new();
        for index in [0, 1, 63, 64, 8191, 8192, 20_000] {
            assert!(bits.set_block(index));
            assert!(!bits.set_block(index));
        }
        assert_eq!(bits.count_blocks(0..u64::MAX), 7);
        assert_eq!(bits.count_blocks(1..8192), 4);
        assert_eq!(bits.next_missing(0..100), Some(2));
        assert_eq!(bits.next_missing(8191..8193), None);
        assert_eq!(bits.next_missing(8191..8194), Some(8193));
        assert_eq!(bits.next_missing(30_000..40_000), Some(30_000));
        assert_eq!(bits.next_missing(5..5), None);
        let all: Vec<u64> = bits.blocks(0..u64::MAX).collect();
        assert_eq!(all, [0, 1, 63, 64, 8191, 8192, 20_000]);
        assert!(bits.clear_block(64));
        assert!(!bits.clear_block(64));
        assert!(!bits.clear_block(1 << 40));
        assert_eq!(bits.count_blocks(0..100), 3);
    }

    #[test]
    fn a_parent_of_two_nodes_is_set_with_them() {
        let mut bits = Bitfield::new();
        let node = |index| NodeIndex::new(index).unwrap();
        bits.set_node(node(0));
        assert!(!bits.has_node(node(1)));
        bits.set_node(node(2));
        bits.set_node(node(5));
        assert!(bits.has_node(node(1)) && bits.has_node(node(3)));
        bits.truncate(1);
        assert!(bits.has_node(node(0)));
        for index in [1, 2, 3, 5] {
            assert!(!bits.has_node(node(index)), "{index}");
        }
    }

    #[test]
    fn closing_sets_what_setting_one_by_one_does() {
        // Leaves up to and beyond each border of words and pages.
        for length in [
            1, 2, 31, 32, 33, 64, 127, 128, 4095, 8191, 8192, 8193, 16_384, 24_576,
        ] {
            let mut expected = Bitfield::new();
            let mut found = Bitfield::new();
            for index in (0..length).map(NodeIndex::leaf) {
                expected.set_node(index);
                found.set_node_alone(index);
            }
            found.close_nodes();
            let all = |bits: &Bitfield| bits.nodes(0..bits.node_capacity()).collect::<Vec<_>>();
            assert_eq!(all(&found), all(&expected), "{length}");
        }
    }

    #[test]
    fn blocks_without_leaves_or_beyond_the_length_are_unproven() {
        let mut bits = Bitfield::new();
        for index in [0, 1, 63, 64, 65, 8191, 8192, 9000] {
            bits.set_block(index);
            if ![1, 64, 9000].contains(&index) {
                bits.set_node_alone(NodeIndex::leaf(index));
            }
        }
        assert_eq!(bits.unproven_blocks(1 << 20), [1, 64, 9000]);
        assert_eq!(bits.unproven_blocks(8192), [1, 64, 8192, 9000]);
        assert_eq!(bits.unproven_blocks(65), [1, 64, 65, 8191, 8192, 9000]);
        assert_eq!(bits.unproven_blocks(0).len(), 8);
    }
}
