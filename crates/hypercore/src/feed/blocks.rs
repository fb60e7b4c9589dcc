use std::collections::BTreeMap;
use std::ops::Range;

/// A set of blocks that a peer chooses the members of.
///
/// Runs of whole pages cost one entry however long they are, every other page with a member costs
/// an entry of one kibibyte. What a peer may make it hold is bounded: blocks at or above
/// [`BlockSet::END`] are never members, and once there are as many entries as the limit allows,
/// blocks that need further ones are not taken in. Losing members is harmless, since the set is
/// only ever a hint.
#[derive(Clone, Debug)]
pub(crate) struct BlockSet {
    /// Pages of which every block is a member: first page → page after the last. Runs never touch.
    full: BTreeMap<u64, u64>,
    /// Pages with some members. Never empty, never full, never also in `full`.
    partial: BTreeMap<u64, Box<Page>>,
    limit: usize,
}

impl Default for BlockSet {
    fn default() -> Self {
        Self {
            full: BTreeMap::new(),
            partial: BTreeMap::new(),
            limit: MAX_ENTRIES,
        }
    }
}

/// Blocks of one page: as many as a page of the stored bitfield has, and the unit that Have
/// bitfields are aligned to.
const PAGE_BLOCKS: u64 = 8192;
const PAGE_WORDS: usize = 128;
const END_PAGE: u64 = BlockSet::END / PAGE_BLOCKS;

/// Most entries in one set.
const MAX_ENTRIES: usize = 4096;

#[derive(Clone, Debug)]
struct Page {
    /// Block `n` of the page is bit `n % 64` of word `n / 64`.
    words: [u64; PAGE_WORDS],
    count: u64,
}

impl BlockSet {
    /// No block at or above this one is ever a member.
    pub(crate) const END: u64 = 1 << 40;

    /// Lets the set have so many entries at most; those that it has stay.
    pub(crate) fn set_limit(&mut self, entries: usize) {
        self.limit = entries.min(MAX_ENTRIES);
    }

    /// How many entries the set has.
    pub(crate) fn entries(&self) -> usize {
        self.full.len() + self.partial.len()
    }

    /// Adds a range, clamped to [`BlockSet::END`].
    pub(crate) fn insert(&mut self, range: Range<u64>) {
        let (head, pages, tail) = split(range);
        for (page, part) in [head, tail].into_iter().flatten() {
            self.insert_part(page, part);
        }
        if !pages.is_empty() {
            self.drop_partial(&pages);
            self.insert_full(pages);
        }
    }

    /// Removes a range.
    pub(crate) fn remove(&mut self, range: Range<u64>) {
        let (head, pages, tail) = split(range);
        for (page, part) in [head, tail].into_iter().flatten() {
            self.remove_part(page, part);
        }
        if !pages.is_empty() {
            self.drop_partial(&pages);
            self.remove_full(&pages);
        }
    }

    /// Sets the membership of the blocks from `start` (a multiple of 8192) to `bits`, most
    /// significant bit first. Blocks beyond the last bit stay as they are.
    pub(crate) fn assign(&mut self, start: u64, bits: &[u8]) {
        debug_assert!(start.is_multiple_of(PAGE_BLOCKS));
        const PAGE_BYTES: usize = PAGE_WORDS * 8;
        for (page, bytes) in (start / PAGE_BLOCKS..END_PAGE).zip(bits.chunks(PAGE_BYTES)) {
            if bytes.iter().all(|&byte| byte == 0) {
                self.remove_part(page, 0..bytes.len() as u64 * 8);
            } else if bytes.iter().all(|&byte| byte == 0xff) {
                self.insert_part(page, 0..bytes.len() as u64 * 8);
            } else {
                self.assign_page(page, bytes);
            }
        }
    }

    /// Whether a block is a member.
    pub(crate) fn contains(&self, block: u64) -> bool {
        let page = block / PAGE_BLOCKS;
        match self.partial.get(&page) {
            Some(bits) => bits.contains(block % PAGE_BLOCKS),
            None => self.is_full(page),
        }
    }

    /// The first member at or after `from`.
    pub(crate) fn next(&self, from: u64) -> Option<u64> {
        let page = from / PAGE_BLOCKS;
        if self.is_full(page) {
            return Some(from);
        }
        if let Some(found) = self
            .partial
            .get(&page)
            .and_then(|bits| bits.next(from % PAGE_BLOCKS))
        {
            return Some(page * PAGE_BLOCKS + found);
        }
        let full = self
            .full
            .range(page + 1..)
            .next()
            .map(|(&first, _)| first * PAGE_BLOCKS);
        let partial = self.partial.range(page + 1..).next().map(|(&page, bits)| {
            page * PAGE_BLOCKS + bits.next(0).expect("a partial page has a member")
        });
        match (full, partial) {
            (Some(full), Some(partial)) => Some(full.min(partial)),
            (full, partial) => full.or(partial),
        }
    }

    /// The first block at or after `from` that is no member.
    pub(crate) fn next_absent(&self, from: u64) -> u64 {
        let mut block = from;
        loop {
            let page = block / PAGE_BLOCKS;
            if let Some((_, &end)) = self.full.range(..=page).next_back()
                && page < end
            {
                block = end * PAGE_BLOCKS;
                continue;
            }
            let Some(bits) = self.partial.get(&page) else {
                return block;
            };
            match bits.next_absent(block % PAGE_BLOCKS) {
                Some(found) => return page * PAGE_BLOCKS + found,
                None => block = (page + 1) * PAGE_BLOCKS,
            }
        }
    }

    /// One more than the largest member; 0 if there is none.
    pub(crate) fn length(&self) -> u64 {
        let full = self
            .full
            .last_key_value()
            .map_or(0, |(_, &end)| end * PAGE_BLOCKS);
        let partial = self.partial.last_key_value().map_or(0, |(&page, bits)| {
            page * PAGE_BLOCKS + bits.last().expect("a partial page has a member") + 1
        });
        full.max(partial)
    }

    /// The maximal runs of members, in order.
    pub(crate) fn runs(&self) -> impl Iterator<Item = Range<u64>> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let start = self.next(from)?;
            from = self.next_absent(start);
            Some(start..from)
        })
    }

    fn has_room(&self) -> bool {
        self.entries() < self.limit
    }

    fn is_full(&self, page: u64) -> bool {
        self.full
            .range(..=page)
            .next_back()
            .is_some_and(|(_, &end)| page < end)
    }

    fn insert_part(&mut self, page: u64, part: Range<u64>) {
        if self.is_full(page) {
            return;
        }
        if let Some(bits) = self.partial.get_mut(&page) {
            bits.insert(part);
            if bits.count == PAGE_BLOCKS {
                self.partial.remove(&page);
                self.insert_full(page..page + 1);
            }
        } else if part == (0..PAGE_BLOCKS) {
            self.insert_full(page..page + 1);
        } else if self.has_room() {
            let mut bits = Box::new(Page::EMPTY);
            bits.insert(part);
            self.partial.insert(page, bits);
        }
    }

    fn remove_part(&mut self, page: u64, part: Range<u64>) {
        if let Some(bits) = self.partial.get_mut(&page) {
            bits.remove(part);
            if bits.count == 0 {
                self.partial.remove(&page);
            }
        } else if self.is_full(page) {
            self.remove_full(&(page..page + 1));
            if part != (0..PAGE_BLOCKS) && self.has_room() {
                let mut bits = Box::new(Page::FULL);
                bits.remove(part);
                self.partial.insert(page, bits);
            }
        }
    }

    /// Takes a page's first `8 * bytes.len()` memberships from bits that are mixed.
    fn assign_page(&mut self, page: u64, bytes: &[u8]) {
        let mut bits = if self.is_full(page) {
            Box::new(Page::FULL)
        } else if let Some(bits) = self.partial.remove(&page) {
            bits
        } else {
            Box::new(Page::EMPTY)
        };
        for (word, chunk) in bits.words.iter_mut().zip(bytes.chunks(8)) {
            let mut padded = [0; 8];
            padded[..chunk.len()].copy_from_slice(chunk);
            let kept = u64::MAX.checked_shl(8 * u32::try_from(chunk.len()).unwrap_or(8));
            *word = *word & kept.unwrap_or(0) | u64::from_be_bytes(padded).reverse_bits();
        }
        bits.count = bits
            .words
            .iter()
            .map(|word| u64::from(word.count_ones()))
            .sum();
        self.remove_full(&(page..page + 1));
        if bits.count == PAGE_BLOCKS {
            self.insert_full(page..page + 1);
        } else if self.has_room() {
            self.partial.insert(page, bits);
        }
    }

    fn drop_partial(&mut self, pages: &Range<u64>) {
        let mut tail = self.partial.split_off(&pages.start);
        self.partial.append(&mut tail.split_off(&pages.end));
    }

    fn insert_full(&mut self, pages: Range<u64>) {
        let Range { mut start, mut end } = pages;
        if let Some((&first, &last)) = self.full.range(..=start).next_back()
            && last >= start
        {
            start = first;
            end = end.max(last);
        }
        while let Some((&first, &last)) = self.full.range(start..=end).next() {
            self.full.remove(&first);
            end = end.max(last);
        }
        if self.has_room() {
            self.full.insert(start, end);
        }
    }

    fn remove_full(&mut self, pages: &Range<u64>) {
        if let Some((&first, &last)) = self.full.range(..pages.start).next_back()
            && last > pages.start
        {
            self.full.insert(first, pages.start);
            if last > pages.end && self.has_room() {
                self.full.insert(pages.end, last);
            }
        }
        while let Some((&first, &last)) = self.full.range(pages.clone()).next() {
            self.full.remove(&first);
            if last > pages.end {
                self.full.insert(pages.end, last);
            }
        }
    }
}

impl Page {
    const EMPTY: Self = Self {
        words: [0; PAGE_WORDS],
        count: 0,
    };
    const FULL: Self = Self {
        words: [u64::MAX; PAGE_WORDS],
        count: PAGE_BLOCKS,
    };

    fn insert(&mut self, part: Range<u64>) {
        self.change(part, |word, mask| *word |= mask);
    }

    fn remove(&mut self, part: Range<u64>) {
        self.change(part, |word, mask| *word &= !mask);
    }

    fn change(&mut self, part: Range<u64>, apply: impl Fn(&mut u64, u64)) {
        let mut at = part.start;
        while at < part.end {
            let next = (at / 64 + 1) * 64;
            let mask = u64::MAX << (at % 64);
            let mask = if part.end < next {
                mask & !(u64::MAX << (part.end % 64))
            } else {
                mask
            };
            let word = &mut self.words[word_of(at)];
            let before = word.count_ones();
            apply(word, mask);
            self.count = self.count + u64::from(word.count_ones()) - u64::from(before);
            at = next;
        }
    }

    fn contains(&self, block: u64) -> bool {
        self.words[word_of(block)] & (1 << (block % 64)) != 0
    }

    fn next(&self, from: u64) -> Option<u64> {
        self.search(from, |word| word)
    }

    fn next_absent(&self, from: u64) -> Option<u64> {
        self.search(from, |word| !word)
    }

    fn search(&self, from: u64, view: impl Fn(u64) -> u64) -> Option<u64> {
        let first = view(self.words[word_of(from)]) & (u64::MAX << (from % 64));
        let rest = self.words[word_of(from) + 1..]
            .iter()
            .map(|&word| view(word));
        (from / 64..)
            .zip(std::iter::once(first).chain(rest))
            .find(|&(_, word)| word != 0)
            .map(|(at, word)| at * 64 + u64::from(word.trailing_zeros()))
    }

    fn last(&self) -> Option<u64> {
        let at = self.words.iter().rposition(|&word| word != 0)?;
        let high = 63 - u64::from(self.words[at].leading_zeros());
        Some(at as u64 * 64 + high)
    }
}

/// Cuts a range into the part of its first page, its whole pages, and the part of its last page.
#[allow(clippy::type_complexity)]
fn split(
    range: Range<u64>,
) -> (
    Option<(u64, Range<u64>)>,
    Range<u64>,
    Option<(u64, Range<u64>)>,
) {
    let Range { start, end } = range.start..range.end.min(BlockSet::END);
    if start >= end {
        return (None, 0..0, None);
    }
    let (first, last) = (start / PAGE_BLOCKS, end / PAGE_BLOCKS);
    let (from, to) = (start % PAGE_BLOCKS, end % PAGE_BLOCKS);
    if first == last {
        return (Some((first, from..to)), 0..0, None);
    }
    let head = (from > 0).then_some((first, from..PAGE_BLOCKS));
    let tail = (to > 0).then_some((last, 0..to));
    (head, first + u64::from(from > 0)..last, tail)
}

fn word_of(block: u64) -> usize {
    usize::try_from(block / 64).expect("a page has 128 words")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Op {
        Insert(Range<u64>),
        Remove(Range<u64>),
        Assign(u64, Vec<u8>),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let edge = prop_oneof![
            0..40_000u64,
            Just(8191),
            Just(8192),
            Just(16384),
            Just(24576)
        ];
        let range = (edge.clone(), edge).prop_map(|(a, b)| a.min(b)..a.max(b));
        let bits = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            Just(vec![0; 1024]),
            Just(vec![0xff; 2048]),
            Just(vec![0xff; 1021]),
        ];
        let op = prop_oneof![
            3 => range.clone().prop_map(Op::Insert),
            3 => range.prop_map(Op::Remove),
            1 => (0..4u64, bits).prop_map(|(page, bits)| Op::Assign(page * PAGE_BLOCKS, bits)),
        ];
        proptest::collection::vec(op, 1..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn behaves_as_a_set_of_numbers(ops in ops()) {
            let mut set = BlockSet::default();
            let mut model = BTreeSet::new();
            for op in ops {
                match op {
                    Op::Insert(range) => {
                        set.insert(range.clone());
                        model.extend(range);
                    }
                    Op::Remove(range) => {
                        set.remove(range.clone());
                        model.retain(|block| !range.contains(block));
                    }
                    Op::Assign(start, bits) => {
                        set.assign(start, &bits);
                        for (block, at) in (start..).zip(0..bits.len() * 8) {
                            if bits[at / 8] & (0x80 >> (at % 8)) != 0 {
                                model.insert(block);
                            } else {
                                model.remove(&block);
                            }
                        }
                    }
                }
                prop_assert_eq!(set.length(), model.last().map_or(0, |&last| last + 1));
                prop_assert_eq!(set.entries() == 0, model.is_empty());
                let members: Vec<u64> = set.runs().flatten().collect();
                prop_assert!(members.iter().eq(model.iter()));
                for block in [0, 63, 64, 8191, 8192, 8193, 16383, 30_000] {
                    prop_assert_eq!(set.contains(block), model.contains(&block));
                    prop_assert_eq!(set.next(block), model.range(block..).next().copied());
                }
            }
        }
    }

    #[test]
    fn a_huge_range_costs_one_entry() {
        let mut set = BlockSet::default();
        set.insert(5..u64::MAX);
        assert_eq!(set.length(), BlockSet::END);
        assert_eq!((set.full.len(), set.partial.len()), (1, 1));
        set.remove(0..u64::MAX);
        assert_eq!(set.entries(), 0);
    }

    #[test]
    fn blocks_beyond_the_end_are_no_members() {
        let mut set = BlockSet::default();
        set.insert(BlockSet::END..BlockSet::END + 1);
        set.assign(BlockSet::END, &[0xff; 8]);
        assert_eq!(set.entries(), 0);
    }

    #[test]
    fn scattered_blocks_are_bounded() {
        let mut set = BlockSet::default();
        for page in 0..2 * MAX_ENTRIES as u64 {
            set.insert(page * PAGE_BLOCKS + 1..page * PAGE_BLOCKS + 2);
        }
        assert_eq!(set.partial.len(), MAX_ENTRIES);
        let mut runs = BlockSet::default();
        for page in 0..2 * MAX_ENTRIES as u64 {
            runs.insert(2 * page * PAGE_BLOCKS..(2 * page + 1) * PAGE_BLOCKS);
        }
        assert_eq!(runs.full.len(), MAX_ENTRIES);
    }
}
