use std::io;

use hypercore_crypto::Signature;

use crate::hypercore::Hypercore;
use crate::tree::{Growth, grow};
use crate::{AppendError, Durability, Node, NodeIndex};

impl Hypercore {
    /// Appends one block; returns its index.
    pub fn append(&mut self, block: impl AsRef<[u8]>) -> Result<u64, AppendError> {
        self.append_batch(&[block])
    }

    /// Appends blocks under one signature; returns the index of the first.
    ///
    /// An empty batch writes nothing and returns the length. After an error the log is as before:
    /// everything is computed on a copy, and counts only once it is written.
    pub fn append_batch<B: AsRef<[u8]>>(&mut self, blocks: &[B]) -> Result<u64, AppendError> {
        let first = self.length;
        if self.signer.is_none() {
            return Err(AppendError::NotWritable);
        }
        if self.frozen {
            return Err(AppendError::Frozen);
        }
        if let Some(signed) = self.lost.filter(|signed| *signed > first) {
            return Err(AppendError::Fork {
                length: first,
                signed,
            });
        }
        if let Some(missing) = self.bits.next_missing(self.missed.clone()) {
            return Err(AppendError::Fork {
                length: missing,
                signed: self.missed.end,
            });
        }
        if !self.confirmed {
            return Err(AppendError::Unconfirmed { length: first });
        }
        if self.poisoned {
            return Err(AppendError::Poisoned);
        }
        self.check_sizes(blocks)?;
        if blocks.is_empty() {
            return Ok(first);
        }
        let parts: Vec<&[u8]> = blocks.iter().map(AsRef::as_ref).collect();
        self.hold()?;
        self.forget_lost_tail()?;
        self.prepare_journal(&parts)?;
        let length = first + blocks.len() as u64;
        let Growth { mut nodes, roots } = grow(&self.roots, &parts);
        let signature = self.sign(&roots, length)?;

        self.content_dirty = true;
        let written = self
            .write_append(&parts, &mut nodes, length, &signature)
            .and_then(|()| self.secure(&parts, length, &signature));
        self.stale_tail = written.is_err();
        written?;

        for index in first..length {
            self.bits.set_block(index);
            self.bits.set_node(NodeIndex::leaf(index));
        }
        self.set_roots(length, roots);
        if self.options.durability == Durability::EachAppend {
            self.durable = length;
        }
        Ok(first)
    }

    pub(super) fn write_append(
        &mut self,
        blocks: &[&[u8]],
        nodes: &mut [Node],
        length: u64,
        signature: &Signature,
    ) -> io::Result<()> {
        self.store.blocks.write(self.byte_length, blocks)?;
        self.store.nodes.write(nodes)?;
        self.store.signatures.put(length, signature)
    }

    /// Lets go of signatures beyond the length: those of appends that failed, or that were never
    /// flushed and that a power cut took parts of. Left in place, they could come true again as soon as what is appended
    /// now happens to fill in what they lack.
    fn forget_lost_tail(&mut self) -> io::Result<()> {
        if self.stale_tail || self.store.signatures.capacity() > self.length {
            let result = self.store.signatures.truncate(self.length);
            self.poisoned = result.is_err();
            self.stale_tail = false;
            return result;
        }
        Ok(())
    }

    pub(super) fn check_sizes<B: AsRef<[u8]>>(&self, blocks: &[B]) -> Result<(), AppendError> {
        let limit = self.options.max_block_bytes;
        let sizes = || blocks.iter().map(|block| block.as_ref().len());
        if let Some(size) = sizes().find(|size| *size > limit) {
            return Err(AppendError::TooLarge { size, limit });
        }
        let limit = self.options.max_length;
        if self.length + blocks.len() as u64 > limit {
            return Err(AppendError::TooLong { limit });
        }
        Ok(())
    }
}
