use std::ops::Range;

/// The bits of 8,192 blocks and of the 16,384 nodes above them.
///
/// Words hold the bits in the order of the file, the first in the highest bit. Those that are not
/// there are zero: a short log takes little memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    blocks: Vec<u64>,
    nodes: Vec<u64>,
}

impl Page {
    /// Reads the first two parts of a stored page. Bytes that are not there count as zero.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let (blocks, nodes) = bytes.split_at(bytes.len().min(DATA_BYTES));
        Self {
            blocks: from_bytes(blocks),
            nodes: from_bytes(&nodes[..nodes.len().min(TREE_BYTES)]),
        }
    }

    /// Clears every bit that is not set in `other`.
    pub(crate) fn intersect(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.blocks, &other.blocks),
            (&mut self.nodes, &other.nodes),
        ] {
            own.truncate(other.len());
            own.iter_mut()
                .zip(other)
                .for_each(|(word, other)| *word &= other);
        }
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.blocks.iter().chain(&self.nodes).all(|word| *word == 0)
    }

    /// The part about blocks, as stored.
    pub(crate) fn data_bytes(&self) -> [u8; DATA_BYTES] {
        to_bytes(&self.blocks)
    }

    /// The part about nodes, as stored.
    pub(crate) fn tree_bytes(&self) -> [u8; TREE_BYTES] {
        to_bytes(&self.nodes)
    }

    pub(crate) fn block(&self, bit: u32) -> bool {
        get(&self.blocks, bit)
    }

    pub(crate) fn node(&self, bit: u32) -> bool {
        get(&self.nodes, bit)
    }

    pub(crate) fn set_block(&mut self, bit: u32, value: bool) -> bool {
        set(&mut self.blocks, bit, value, BLOCK_WORDS)
    }

    pub(crate) fn set_node(&mut self, bit: u32, value: bool) -> bool {
        set(&mut self.nodes, bit, value, NODE_WORDS)
    }

    /// Sets the bit of every node below depth 6 both of whose children are set. True if one was not.
    pub(crate) fn close_low(&mut self) -> bool {
        let mut changed = false;
        for word in &mut self.nodes {
            let before = *word;
            for (half, parents) in LOW_PARENTS {
                *word |= (*word >> half) & (*word << half) & parents;
            }
            changed |= *word != before;
        }
        changed
    }

    /// The blocks that are set while their leaves are not, or that are at or beyond `end`.
    pub(crate) fn unproven_blocks(&self, end: u32) -> Vec<u32> {
        let mut found = Vec::new();
        for (at, &blocks) in (0_u32..).zip(&self.blocks) {
            let pair = [2 * at as usize, 2 * at as usize + 1].map(|at| word(&self.nodes, at));
            let leaves = u64::from(even_bits(pair[0])) << 32 | u64::from(even_bits(pair[1]));
            let first = at * 64;
            let inside = match end.saturating_sub(first) {
                0 => 0,
                room @ 1..64 => !(u64::MAX >> room),
                _ => u64::MAX,
            };
            let mut rest = blocks & !(leaves & inside);
            while rest != 0 {
                let bit = rest.leading_zeros();
                rest &= !(FIRST >> bit);
                found.push(first + bit);
            }
        }
        found
    }

    pub(crate) fn count_blocks(&self, bits: Range<u32>) -> u64 {
        masked(&bits)
            .map(|(at, mask)| u64::from((word(&self.blocks, at) & mask).count_ones()))
            .sum()
    }

    /// The first bit of a range whose value is `value`.
    pub(crate) fn next_block(&self, bits: Range<u32>, value: bool) -> Option<u32> {
        let flip = if value { 0 } else { u64::MAX };
        masked(&bits).find_map(|(at, mask)| first(at, (word(&self.blocks, at) ^ flip) & mask))
    }

    /// The first node bit set at or after `bit`.
    pub(crate) fn next_node(&self, bit: u32) -> Option<u32> {
        let end = u32::try_from(self.nodes.len() * 64).expect("a page has few bits");
        masked(&(bit.min(end)..end)).find_map(|(at, mask)| first(at, word(&self.nodes, at) & mask))
    }
}

fn word(words: &[u64], at: usize) -> u64 {
    words.get(at).copied().unwrap_or(0)
}

fn get(words: &[u64], bit: u32) -> bool {
    word(words, (bit / 64) as usize) & (FIRST >> (bit % 64)) != 0
}

fn set(words: &mut Vec<u64>, bit: u32, value: bool, most: usize) -> bool {
    let at = (bit / 64) as usize;
    if at >= words.len() {
        if !value {
            return false;
        }
        words.resize((at + 1).next_power_of_two().min(most), 0);
    }
    let word = &mut words[at];
    let mask = FIRST >> (bit % 64);
    let before = *word;
    *word = if value { before | mask } else { before & !mask };
    *word != before
}

/// The words that a range of bits touches, each with a mask of the bits in it.
fn masked(bits: &Range<u32>) -> impl Iterator<Item = (usize, u64)> + use<> {
    let Range { start, end } = *bits;
    (start / 64..end.div_ceil(64)).map(move |word| {
        let base = word * 64;
        let mut mask = u64::MAX;
        if start > base {
            mask &= u64::MAX >> (start - base);
        }
        if end < base + 64 {
            mask &= !(u64::MAX >> (end - base));
        }
        (word as usize, mask)
    })
}

/// Every second bit, from the highest on, moved together.
fn even_bits(word: u64) -> u32 {
    let mut bits = (word >> 1) & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    u32::try_from(bits).expect("half of the bits are gone")
}

fn first(word: usize, value: u64) -> Option<u32> {
    let base = u32::try_from(word).expect("a page has few words") * 64;
    (value != 0).then(|| base + value.leading_zeros())
}

/// The words of stored bytes, without zeros at the end.
fn from_bytes(bytes: &[u8]) -> Vec<u64> {
    let used = bytes.iter().rposition(|byte| *byte != 0);
    let used = &bytes[..used.map_or(0, |last| last + 1)];
    let words = used.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_be_bytes(word)
    });
    words.collect()
}

fn to_bytes<const BYTES: usize>(words: &[u64]) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

const FIRST: u64 = 1 << 63;

/// The parents in a word of 64 nodes by depth, from 1 on, and how far they are from their children.
const LOW_PARENTS: [(u32, u64); 5] = [
    (1, 0x4444_4444_4444_4444),
    (2, 0x1010_1010_1010_1010),
    (4, 0x0100_0100_0100_0100),
    (8, 0x0001_0000_0001_0000),
    (16, 0x0000_0001_0000_0000),
];

/// Blocks that one page describes.
pub(crate) const BLOCKS_PER_PAGE: u64 = 8192;
const BLOCK_WORDS: usize = 128;
const NODE_WORDS: usize = 256;
/// Bytes of the part about blocks.
pub(crate) const DATA_BYTES: usize = 1024;
/// Bytes of the part about nodes.
pub(crate) const TREE_BYTES: usize = 2048;
