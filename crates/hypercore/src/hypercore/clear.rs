use std::io;
use std::ops::Range;

use crate::NodeIndex;
use crate::hypercore::Hypercore;
use crate::options::MAX_STORED_BLOCK_BYTES;

impl Hypercore {
    /// Deletes the blocks of a range from storage; returns how many were there. The nodes above them
    /// stay, so that they can be fetched and checked again.
    ///
    /// The log is flushed first, so that no block counts as stored after its bytes are gone. Space is
    /// given back as far as the storage can.
    ///
    /// Refused with [`io::ErrorKind::PermissionDenied`] if the log is written here: what its author
    /// clears may be nowhere else ([`clear_own`](Self::clear_own)).
    pub fn clear(&mut self, range: Range<u64>) -> io::Result<u64> {
        if self.is_writable() {
            let reason = "the log is written here: its blocks may be nowhere else";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        }
        self.clear_own(range)
    }

    /// As [`clear`](Self::clear), also if the log is written here. Blocks that no peer has are lost.
    pub fn clear_own(&mut self, range: Range<u64>) -> io::Result<u64> {
        self.clear_own_runs(&[range])
    }

    /// As [`clear_own`](Self::clear_own), for several ranges at the cost of one flush.
    pub fn clear_own_runs(&mut self, ranges: &[Range<u64>]) -> io::Result<u64> {
        if self.options.read_only {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let blocks = |range: &Range<u64>| self.bits.blocks(range.clone());
        let mut held: Vec<u64> = ranges.iter().flat_map(blocks).collect();
        held.sort_unstable();
        held.dedup();
        if held.is_empty() {
            return Ok(0);
        }
        self.hold()?;
        for index in &held {
            self.bits.clear_block(*index);
        }
        self.flush()?;
        for run in held.chunk_by(|a, b| a + 1 == *b) {
            if let Some((offset, bytes)) = self.extent(run)? {
                self.store.blocks.discard(offset, bytes)?;
            }
        }
        self.rest();
        Ok(held.len() as u64)
    }

    /// How many bytes of a range are stored here.
    pub fn held_bytes(&self, range: Range<u64>) -> io::Result<u64> {
        let held: Vec<u64> = self.bits.blocks(range).collect();
        let mut sum = 0;
        for run in held.chunk_by(|a, b| a + 1 == *b) {
            sum += self.extent(run)?.map_or(0, |(_, bytes)| bytes);
        }
        Ok(sum)
    }

    /// Where consecutive blocks lie in the data, and their bytes.
    fn extent(&self, run: &[u64]) -> io::Result<Option<(u64, u64)>> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            return Ok(None);
        };
        let mut nodes = self.store.nodes.reader();
        let (Some(start), Some(end)) = (nodes.offset(*first)?, nodes.offset(*last)?) else {
            return Ok(None);
        };
        let size = nodes.get(NodeIndex::leaf(*last))?.map(|leaf| leaf.size);
        let size = size.filter(|size| *size <= MAX_STORED_BLOCK_BYTES as u64);
        Ok(size.and_then(|size| Some((start, (end + size).checked_sub(start)?))))
    }
}
