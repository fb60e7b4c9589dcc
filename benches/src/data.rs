//! Data that any program in any language can make again, so that two sides of a comparison work on
//! the same bytes and can check each other's. The rules stand in `benches/node/README.md`.

use std::sync::OnceLock;

/// Block `i` of a size: a window of the pool.
///
/// # Panics
///
/// If the size is not below the pool's, 16 MiB.
pub fn block(i: u64, size: usize) -> &'static [u8] {
    let windows = (POOL_BYTES - size) as u64;
    let start = usize::try_from(i * 4099 % windows).expect("less than the pool");
    &pool()[start..start + size]
}

/// The bytes that all data is cut from: xorshift32, little-endian words.
///
/// Made on first use, which takes some milliseconds: call it before a clock starts.
pub fn pool() -> &'static [u8] {
    static POOL: OnceLock<Vec<u8>> = OnceLock::new();
    POOL.get_or_init(|| {
        let mut x = 0x9e37_79b9_u32;
        let words = std::iter::repeat_with(|| {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            x.to_le_bytes()
        });
        words.take(POOL_BYTES / 4).flatten().collect()
    })
}

/// Bytes in small file `i`: from 1 KiB to 8 KiB.
pub fn small_size(i: u32) -> usize {
    1024 + i.wrapping_mul(2_654_435_761) as usize % 7169
}

/// How keys and small files are spread over folders.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Layout {
    /// Folders of a hundred (files), or of two levels (keys).
    Nested,
    /// Everything in one folder.
    Flat,
}

impl Layout {
    /// The path of small file `i`.
    pub fn file(self, i: u32) -> String {
        match self {
            Self::Nested => format!("/tree/d{:03}/f{:03}", i / 100, i % 100),
            Self::Flat => format!("/flat/f{i:06}"),
        }
    }

    /// Key `i` of a trie.
    pub fn key(self, i: u32) -> String {
        match self {
            Self::Nested => format!("a{:02}/b{:02}/f{i:07}", i % 100, i / 100 % 100),
            Self::Flat => format!("dir/f{i:07}"),
        }
    }
}

/// Positions that look random and are the same for the same seed.
#[derive(Clone, Debug)]
pub struct Positions(u32);

impl Positions {
    /// The positions of a seed.
    pub fn new(seed: u32) -> Self {
        Self(seed)
    }

    /// The next one below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // `floor(s / 2^32 * end)`: exact for the ends in use, which stay below 2^32.
        (u64::from(self.0) * end) >> 32
    }
}

const POOL_BYTES: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::{Layout, Positions, block, small_size};

    /// What the Node side computes for the same numbers.
    #[test]
    fn the_data_is_that_of_the_other_side() {
        assert_eq!(hex::encode(block(0, 8)), POOL_START);
        assert_eq!(hex::encode(block(5000, 8)), BLOCK_5000);
        assert_eq!([0, 1, 9999].map(small_size), SIZES);
        let mut positions = Positions::new(7);
        assert_eq!([0; 4].map(|_| positions.below(100_000)), POSITIONS);
        assert_eq!(Layout::Nested.file(1234), "/tree/d012/f034");
        assert_eq!(Layout::Flat.file(1234), "/flat/f001234");
        assert_eq!(Layout::Nested.key(123_456), "a56/b34/f0123456");
        assert_eq!(Layout::Flat.key(7), "dir/f0000007");
    }

    const POOL_START: &str = "19460c513e552ee0";
    const BLOCK_5000: &str = "e97bd4189d178b62";
    const SIZES: [usize; 3] = [1024, 7000, 4891];
    const POSITIONS: [u64; 4] = [23_878, 91_349, 61_249, 92_698];
}
