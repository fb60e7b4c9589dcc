use std::ops::Range;

use crate::hypercore::Hypercore;
use crate::{NodeIndex, ReadError};

/// Where a byte of the log is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Seek {
    /// In this block.
    Found {
        /// The block's index; the length of the log for the byte right after its end.
        block: u64,
        /// The byte's place in the block.
        offset: u64,
        /// Whether the sizes that this rests on are all vouched for. If not, one was learned from a
        /// reply without a block, and a lying peer can have shifted it by one block: read the block,
        /// then seek again.
        certain: bool,
    },
    /// In one of these blocks; the tree nodes that would tell are not held.
    Unknown {
        /// The candidates, at least two.
        blocks: Range<u64>,
    },
    /// Beyond the known end of the log.
    BeyondEnd,
}

impl Hypercore {
    /// Finds the block that holds a byte of the log, as far as the held nodes tell. Blocks without
    /// bytes are never found, except that byte 0 is always in block 0 of a log that has bytes.
    pub fn seek(&self, byte_offset: u64) -> Result<Seek, ReadError> {
        if byte_offset == self.byte_length {
            return Ok(Seek::Found {
                block: self.length,
                offset: 0,
                certain: true,
            });
        }
        if byte_offset == 0 {
            return Ok(Seek::Found {
                block: 0,
                offset: 0,
                certain: true,
            });
        }
        let mut offset = byte_offset;
        for root in &self.roots {
            if offset < root.size {
                let search = Search {
                    log: self,
                    blocks: root.index.blocks(),
                    bytes: root.size,
                    offset,
                    certain: true,
                };
                return search.run();
            }
            offset -= root.size;
        }
        Ok(Seek::BeyondEnd)
    }
}

/// A range of blocks that is known to hold the byte.
struct Search<'a> {
    log: &'a Hypercore,
    blocks: Range<u64>,
    /// The bytes in the range.
    bytes: u64,
    /// The byte's place in the range.
    offset: u64,
    certain: bool,
}

impl Search<'_> {
    fn run(mut self) -> Result<Seek, ReadError> {
        while self.blocks.end - self.blocks.start > 1 {
            if !self.cut_left()? && !self.cut_right()? {
                return Ok(Seek::Unknown {
                    blocks: self.blocks,
                });
            }
        }
        let Self {
            blocks,
            offset,
            certain,
            ..
        } = self;
        Ok(Seek::Found {
            block: blocks.start,
            offset,
            certain,
        })
    }

    /// Uses the largest held node at the left end to make the range smaller.
    fn cut_left(&mut self) -> Result<bool, ReadError> {
        let start = self.blocks.start;
        let at = move |depth| start.is_multiple_of(1_u64 << depth).then(|| start >> depth);
        let Some((node, size)) = self.largest(at)? else {
            return Ok(false);
        };
        if self.offset < size {
            self.blocks.end = node.blocks().end;
            self.bytes = size;
        } else {
            self.blocks.start = node.blocks().end;
            self.offset -= size;
            self.bytes -= size;
        }
        Ok(true)
    }

    /// As [`Self::cut_left`] at the right end.
    fn cut_right(&mut self) -> Result<bool, ReadError> {
        let end = self.blocks.end;
        let at = |depth| {
            end.is_multiple_of(1_u64 << depth)
                .then(|| (end >> depth) - 1)
        };
        let Some((node, size)) = self.largest(at)? else {
            return Ok(false);
        };
        let before = self.bytes - size;
        if self.offset < before {
            self.blocks.end = node.blocks().start;
            self.bytes = before;
        } else {
            self.blocks.start = node.blocks().start;
            self.offset -= before;
            self.bytes = size;
        }
        Ok(true)
    }

    /// The largest held node that lies in the range and is less than all of it, out of those at
    /// `place` of each depth, with its size.
    fn largest(
        &mut self,
        place: impl Fn(u32) -> Option<u64>,
    ) -> Result<Option<(NodeIndex, u64)>, ReadError> {
        let count = self.blocks.end - self.blocks.start;
        let most = (count - 1).ilog2();
        for depth in (0..=most).rev() {
            let Some(node) = place(depth).map(|offset| NodeIndex::at(depth, offset)) else {
                continue;
            };
            if !self.log.bits.has_node(node) {
                continue;
            }
            let stored = self.log.store.nodes.reader().get(node)?;
            let stored = stored.ok_or(ReadError::MissingNode { node })?;
            if stored.size > self.bytes {
                return Err(ReadError::MissingNode { node });
            }
            self.certain &= depth > 0 || self.log.is_size_certain(node);
            return Ok(Some((node, stored.size)));
        }
        Ok(None)
    }
}

impl Hypercore {
    /// Whether the size of a held leaf is vouched for: if its block or its sibling's was checked, or
    /// if it is a root by itself. (Of a pair learned without a block, only the sum is.)
    fn is_size_certain(&self, leaf: NodeIndex) -> bool {
        let has = |leaf: NodeIndex| leaf.block().is_some_and(|block| self.has(block));
        has(leaf) || has(leaf.sibling()) || !self.bits.has_node(leaf.sibling())
    }
}
