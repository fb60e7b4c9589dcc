//! Where files are cut into blocks.

use std::fmt::Debug;

use fastcdc::v2020::FastCDC;

use crate::Options;

/// Decides where a file is cut into blocks. Readers need to know nothing of it.
///
/// ```
/// use hyperdrive::{Chunker, FixedSize};
///
/// let chunker = FixedSize::new(3);
/// assert_eq!(chunker.cut(b"abcdef", false), Some(3));
/// assert_eq!(chunker.cut(b"ab", false), None);
/// ```
pub trait Chunker: Debug + Send + Sync {
    /// How many of `bytes` the next block has, which begins with the first of them. `None` asks for
    /// more bytes; if `last` says that there are none, all of them are a block.
    ///
    /// Asked again with more bytes after `None`. With
    /// [`REFERENCE_BLOCK_SIZE`](Options::REFERENCE_BLOCK_SIZE) bytes a block is cut in any case, and one
    /// of no bytes is never made.
    fn cut(&self, bytes: &[u8], last: bool) -> Option<usize>;
}

/// The largest block of a file, in bytes: what the reference writes.
pub(crate) const MAX_BLOCK_BYTES: usize = Options::REFERENCE_BLOCK_SIZE;

/// Blocks of one size; only the last of a file is shorter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FixedSize {
    bytes: usize,
}

impl FixedSize {
    /// Blocks of so many bytes: at least 1, at most
    /// [`REFERENCE_BLOCK_SIZE`](Options::REFERENCE_BLOCK_SIZE).
    pub fn new(bytes: usize) -> Self {
        Self {
            bytes: bytes.clamp(1, MAX_BLOCK_BYTES),
        }
    }
}

impl Chunker for FixedSize {
    fn cut(&self, bytes: &[u8], _last: bool) -> Option<usize> {
        (bytes.len() >= self.bytes).then_some(self.bytes)
    }
}

/// Blocks that end where the content says so (FastCDC, 2020): about 16 KiB on average, as the first
/// generation of Dat had, at least 4 KiB and at most 64 KiB. What is inserted into a file or taken out
/// changes the blocks around it alone; the others are the same bytes again, which those who store or
/// send many versions can make use of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ContentDefined;

impl ContentDefined {
    /// How many bytes a block has on average.
    pub const AVERAGE_BYTES: usize = 16 << 10;
    /// The smallest block but a file's last, in bytes.
    pub const MIN_BYTES: usize = 4 << 10;
    /// The largest block, in bytes.
    pub const MAX_BYTES: usize = 64 << 10;
}

impl Chunker for ContentDefined {
    fn cut(&self, bytes: &[u8], last: bool) -> Option<usize> {
        if bytes.len() < Self::MAX_BYTES && !last {
            return None;
        }
        let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let (min, average, max) = (
            size(Self::MIN_BYTES),
            size(Self::AVERAGE_BYTES),
            size(Self::MAX_BYTES),
        );
        let window = &bytes[..bytes.len().min(Self::MAX_BYTES)];
        let chunk = FastCDC::new(window, min, average, max).next()?;
        Some(chunk.length)
    }
}
