use std::io;

use hypercore_crypto::Signature;

use crate::hypercore::{Hypercore, hash_roots};
use crate::index::roots;
use crate::{Node, NodeIndex, ReadError};

impl Hypercore {
    /// The newest block, if it is stored here; `None` also if the log is empty.
    pub fn head(&self) -> Result<Option<bytes::Bytes>, ReadError> {
        match self.length.checked_sub(1) {
            Some(last) => self.get(last),
            None => Ok(None),
        }
    }

    /// The first signature that covers a block, and the length that it was made at. Batches have one
    /// signature, at their end. `None` for blocks beyond the log, and for logs without signatures.
    pub fn signature(&self, index: u64) -> Result<Option<(u64, Signature)>, ReadError> {
        for length in index.saturating_add(1)..=self.length {
            if let Some(signature) = self.store.signatures.get(length)? {
                return Ok(Some((length, signature)));
            }
        }
        Ok(None)
    }

    /// The roots that the log had at a length. `None` if one of them is not held.
    pub fn roots_at(&self, length: u64) -> Result<Option<Vec<Node>>, ReadError> {
        if length > self.length {
            return Ok(None);
        }
        let mut nodes = self.store.nodes.reader();
        let mut found = Vec::new();
        for index in roots(length) {
            // A node of the current roots is held even if its bit was lost.
            let node = nodes.get(index)?;
            match node.filter(|node| self.bits.has_node(index) || self.roots.contains(node)) {
                Some(node) => found.push(node),
                None => return Ok(None),
            }
        }
        Ok(Some(found))
    }

    /// Whether a signature is the author's over the log at a length. False also if the roots of that
    /// length are not held.
    pub fn verify_signature(&self, length: u64, signature: &Signature) -> Result<bool, ReadError> {
        let roots = self.roots_at(length)?;
        Ok(roots.is_some_and(|roots| {
            let tree = hash_roots(&roots);
            self.key.verify_tree(&tree, length, signature)
        }))
    }

    /// A block's leaf: its hash and its size. `None` if it is not held.
    pub fn leaf(&self, index: u64) -> Result<Option<Node>, ReadError> {
        let leaf = NodeIndex::of_block(index).filter(|leaf| self.bits.has_node(*leaf));
        match leaf {
            Some(leaf) => Ok(self.store.nodes.reader().get(leaf)?),
            None => Ok(None),
        }
    }

    /// Closes the log and removes its files: the reference's six and ours. Other files stay.
    pub fn destroy(self) -> io::Result<()> {
        if self.options.read_only {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let Self {
            dir, store, lock, ..
        } = self;
        if let Some(lock) = &lock {
            lock.hold()?;
        }
        drop(store);
        super::keys::remove_files(&*dir)
    }
}
