use std::ops::Range;

use bytes::Bytes;
use hypercore_crypto::{Hash, leaf_hash, leaf_hashes};

use crate::hypercore::Hypercore;
use crate::options::MAX_STORED_BLOCK_BYTES;
use crate::{NodeIndex, ReadError};

impl Hypercore {
    /// The block if it is stored here, `None` if not.
    ///
    /// The block is hashed and compared with its leaf (see [`Options::verify_reads`]).
    ///
    /// [`Options::verify_reads`]: crate::Options::verify_reads
    pub fn get(&self, index: u64) -> Result<Option<Bytes>, ReadError> {
        if !self.has(index) {
            return Ok(None);
        }
        let (offset, leaf) = self.locate(index)?;
        let block = self.read(index, offset, leaf.bytes)?;
        if self.options.verify_reads {
            leaf.check(&block)?;
        }
        Ok(Some(block.into()))
    }

    /// The blocks from the range's start on, up to its end or to the first that is not stored here.
    ///
    /// Neighbours are read together; the blocks of one read share its memory.
    pub fn get_range(&self, range: Range<u64>) -> Result<Vec<Bytes>, ReadError> {
        let end = match self.bits.next_missing(range.clone()) {
            Some(missing) => missing,
            None => range.end,
        };
        let mut blocks = Vec::new();
        let mut next = range.start;
        while next < end {
            let (offset, leaves) = self.locate_run(next..end)?;
            let bytes = leaves.iter().map(|leaf| leaf.bytes).sum();
            let mut data = Bytes::from(self.read(next, offset, bytes)?);
            let run: Vec<Bytes> = leaves
                .iter()
                .map(|leaf| data.split_to(leaf.bytes))
                .collect();
            if self.options.verify_reads {
                check_all(&leaves, &run)?;
            }
            blocks.extend(run);
            next += leaves.len() as u64;
        }
        Ok(blocks)
    }

    /// As [`get`](Self::get), but the block has to be checked, with others, by
    /// [`check`](Self::check).
    pub(crate) fn read_unchecked(&self, index: u64) -> Result<Option<Unchecked>, ReadError> {
        if !self.has(index) {
            return Ok(None);
        }
        let (offset, leaf) = self.locate(index)?;
        let block = self.read(index, offset, leaf.bytes)?.into();
        Ok(Some(Unchecked { block, leaf }))
    }

    /// The blocks that match their leaves, in order; `None` for the others.
    pub(crate) fn check(&self, read: Vec<Unchecked>) -> Vec<Option<Bytes>> {
        if !self.options.verify_reads {
            return read.into_iter().map(|read| Some(read.block)).collect();
        }
        let blocks: Vec<&Bytes> = read.iter().map(|read| &read.block).collect();
        let hashes = leaf_hashes(&blocks);
        let checked = read.into_iter().zip(hashes);
        let checked = checked.map(|(read, hash)| (hash == read.leaf.hash).then_some(read.block));
        checked.collect()
    }

    fn read(&self, index: u64, offset: u64, bytes: usize) -> Result<Vec<u8>, ReadError> {
        self.store
            .blocks
            .read(offset, bytes)
            .map_err(|error| match error.kind() {
                // The data is cut off.
                std::io::ErrorKind::UnexpectedEof => ReadError::Corrupt { index },
                _ => ReadError::Storage(error),
            })
    }

    /// The bytes of a block, whatever the bitfield says, if they match its leaf.
    pub(super) fn read_verified(&self, index: u64) -> Result<Vec<u8>, ReadError> {
        let (offset, leaf) = self.locate(index)?;
        let block = self.read(index, offset, leaf.bytes)?;
        leaf.check(&block)?;
        Ok(block)
    }

    /// Where a stored block begins, and what is known of it.
    fn locate(&self, index: u64) -> Result<(u64, Leaf), ReadError> {
        let (offset, leaves) = self.locate_run(index..index + 1)?;
        let leaf = leaves
            .into_iter()
            .next()
            .ok_or(ReadError::Corrupt { index })?;
        Ok((offset, leaf))
    }

    /// Where the first block of a range begins, and the leaves of as many as one read should take.
    fn locate_run(&self, range: Range<u64>) -> Result<(u64, Vec<Leaf>), ReadError> {
        let mut nodes = self.store.nodes.reader();
        let index = range.start;
        let offset = nodes.offset(index)?.ok_or(ReadError::Corrupt { index })?;
        let mut leaves = Vec::new();
        let mut bytes = 0;
        for block in range {
            let leaf = nodes.get(NodeIndex::leaf(block))?;
            let leaf = leaf
                .and_then(|node| Leaf::new(block, node.hash, node.size))
                .ok_or(ReadError::Corrupt { index: block })?;
            bytes += leaf.bytes;
            if bytes > RUN_BYTES && !leaves.is_empty() {
                break;
            }
            leaves.push(leaf);
        }
        Ok((offset, leaves))
    }
}

/// A block that was not compared with its leaf yet.
#[derive(Debug)]
pub(crate) struct Unchecked {
    block: Bytes,
    leaf: Leaf,
}

impl Unchecked {
    pub(crate) fn bytes(&self) -> usize {
        self.block.len()
    }
}

/// What a tree's leaf says of its block.
#[derive(Debug)]
struct Leaf {
    block: u64,
    hash: Hash,
    bytes: usize,
}

impl Leaf {
    /// `None` for sizes that no block can have.
    fn new(block: u64, hash: Hash, size: u64) -> Option<Self> {
        let bytes = usize::try_from(size).ok()?;
        (bytes <= MAX_STORED_BLOCK_BYTES).then_some(Self { block, hash, bytes })
    }

    fn check(&self, block: &[u8]) -> Result<(), ReadError> {
        if leaf_hash(block) == self.hash {
            Ok(())
        } else {
            Err(ReadError::Corrupt { index: self.block })
        }
    }
}

/// Checks blocks side by side. The first damaged one is told.
fn check_all(leaves: &[Leaf], blocks: &[Bytes]) -> Result<(), ReadError> {
    let hashes = leaf_hashes(blocks);
    match leaves
        .iter()
        .zip(&hashes)
        .find(|(leaf, hash)| leaf.hash != **hash)
    {
        Some((leaf, _)) => Err(ReadError::Corrupt { index: leaf.block }),
        None => Ok(()),
    }
}

/// The most that one read of several blocks takes.
const RUN_BYTES: usize = 4 << 20;
