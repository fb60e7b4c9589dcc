use crate::hypercore::{Hypercore, hash_roots};
use crate::tree::{Growth, grow};
use crate::{AppendError, NodeIndex};

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
        let Some(pair) = self.pair() else {
            return Err(AppendError::NotWritable);
        };
        if self.frozen {
            return Err(AppendError::Frozen);
        }
        if let Some(signed) = self.lost.filter(|signed| *signed > first) {
            return Err(AppendError::Fork {
                length: first,
                signed,
            });
        }
        if self.poisoned {
            return Err(AppendError::Poisoned);
        }
        self.check_sizes(blocks)?;
        if blocks.is_empty() {
            return Ok(first);
        }
        let length = first + blocks.len() as u64;
        let Growth { mut nodes, roots } = grow(&self.roots, blocks.iter().map(AsRef::as_ref));
        let signature = pair.sign_tree(&hash_roots(&roots), length);

        let parts: Vec<&[u8]> = blocks.iter().map(AsRef::as_ref).collect();
        self.content_dirty = true;
        self.store.blocks.write(self.byte_length, &parts)?;
        self.store.nodes.write(&mut nodes)?;
        self.store.signatures.put(length, &signature)?;

        for index in first..length {
            self.bits.set_block(index);
            self.bits.set_node(NodeIndex::leaf(index));
        }
        self.set_roots(length, roots);
        Ok(first)
    }

    fn check_sizes<B: AsRef<[u8]>>(&self, blocks: &[B]) -> Result<(), AppendError> {
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
