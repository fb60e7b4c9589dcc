use hypercore_crypto::{Hash, Signature, leaf_hash};

use crate::hypercore::Hypercore;
use crate::options::MAX_STORED_BLOCK_BYTES;
use crate::{Node, NodeIndex, Proof, Put, PutError};

impl Hypercore {
    /// Checks a block against its proof and stores both. `None` stands for a reply that has no
    /// block, only the nodes of its leaf.
    ///
    /// A proof is good if it leads to a node that is already held, or to roots that the author has
    /// signed. Roots of a greater length make the log longer. Nodes beyond those needed to reach a
    /// held node are ignored, as is the signature then; everywhere else, what is not needed is
    /// refused.
    ///
    /// The sizes of a leaf and its sibling are vouched for only in sum when no block came with
    /// them. They are corrected when either block arrives.
    pub fn put(&mut self, index: u64, value: Option<&[u8]>, proof: Proof) -> Result<Put, PutError> {
        self.check_put(index, value)?;
        let value = value.map(|block| (block, leaf_hash(block)));
        self.put_hashed(index, value, proof)
    }

    /// What can be said before anything is hashed.
    pub(crate) fn check_put(&self, index: u64, value: Option<&[u8]>) -> Result<(), PutError> {
        self.check_state()?;
        let limit = self.options.max_length;
        if index >= limit {
            return Err(PutError::TooLong {
                length: index.saturating_add(1),
                limit,
            });
        }
        if let Some(size) = value
            .map(<[u8]>::len)
            .filter(|size| *size > MAX_STORED_BLOCK_BYTES)
        {
            return Err(PutError::TooLarge {
                size,
                limit: MAX_STORED_BLOCK_BYTES,
            });
        }
        Ok(())
    }

    /// As [`put`](Self::put), for a block that was hashed already and passed
    /// [`check_put`](Self::check_put).
    pub(crate) fn put_hashed(
        &mut self,
        index: u64,
        value: Option<(&[u8], Hash)>,
        proof: Proof,
    ) -> Result<Put, PutError> {
        let verified = match self.verify(index, value, proof) {
            Err(error) => return Err(self.note(error)),
            Ok(verified) => verified,
        };
        let value = value.map(|(block, _)| block);
        if let (Some(hook), Some(block)) = (&self.options.before_store, value)
            && !self.has(index)
            && !hook.0(index, block)
        {
            return Err(PutError::Declined { index });
        }
        self.commit(index, value, verified)
    }

    /// As [`put`](Self::put) of a proof without a block, but all of it has to agree with what is held, up
    /// to the roots. This is how it is found out whether two signed trees are of one log.
    pub(crate) fn put_to_the_roots(&mut self, index: u64, proof: Proof) -> Result<Put, PutError> {
        self.check_put(index, None)?;
        match self.verify_to_the_roots(index, proof) {
            Err(error) => Err(self.note(error)),
            Ok(verified) => self.commit(index, None, verified),
        }
    }

    fn check_state(&self) -> Result<(), PutError> {
        if self.frozen {
            Err(PutError::Frozen)
        } else if self.poisoned {
            Err(PutError::Poisoned)
        } else if self.options.read_only {
            Err(PutError::ReadOnly)
        } else {
            Ok(())
        }
    }

    /// Remembers what an error says about the log itself.
    fn note(&mut self, error: PutError) -> PutError {
        match &error {
            PutError::Conflict { proof, .. } => {
                self.frozen = true;
                if let Some(proof) = proof {
                    self.keep_fork((**proof).clone());
                }
            }
            // Asked for again, it can be stored again.
            PutError::Damaged { node } => self.bits.clear_node(*node),
            _ => {}
        }
        error
    }

    /// Writes what was verified, then lets it count. An error leaves stray bytes at most.
    fn commit(
        &mut self,
        index: u64,
        value: Option<&[u8]>,
        verified: Verified,
    ) -> Result<Put, PutError> {
        let leaf = NodeIndex::leaf(index);
        let block = value.filter(|_| !self.has(index));
        self.hold()?;
        self.content_dirty = true;
        self.store.nodes.defer(&verified.nodes)?;
        if let Some(block) = block {
            let offset = self.store.nodes.reader().offset(index)?;
            let offset = offset.ok_or(PutError::Damaged { node: leaf })?;
            self.store.blocks.write(offset, &[block])?;
        }
        if let Some(upgrade) = &verified.upgrade
            && let Some(signature) = &upgrade.signature
        {
            self.store.signatures.put(upgrade.length, signature)?;
        }

        for node in &verified.nodes {
            self.bits.set_node(node.index);
        }
        let mut put = Put::default();
        if let Some(block) = block {
            put.stored = self.bits.set_block(index);
            self.unflushed += block.len() as u64;
        }
        if let Some(upgrade) = verified.upgrade {
            self.is_static = upgrade.signature.is_none();
            if upgrade.length > self.length {
                if self.missed.is_empty() {
                    self.missed.start = self.length;
                }
                self.missed.end = upgrade.length;
                self.set_roots(upgrade.length, upgrade.roots);
                put.grew = true;
            }
        }
        // An author must not forget that others have more than what is here.
        let overtaken = put.grew && self.signer.is_some();
        if overtaken || self.unflushed >= self.options.checkpoint_bytes {
            self.flush()?;
        }
        Ok(put)
    }
}

/// What a good proof brings.
#[derive(Debug)]
pub(super) struct Verified {
    /// The nodes to store.
    pub(super) nodes: Vec<Node>,
    /// The roots that it ended in, unless it ended in a held node.
    pub(super) upgrade: Option<Upgrade>,
}

/// Roots that the author vouches for.
#[derive(Debug)]
pub(super) struct Upgrade {
    /// In blocks; may be less than what is known.
    pub(super) length: u64,
    pub(super) roots: Vec<Node>,
    /// `None` only for logs whose key is the hash of their roots.
    pub(super) signature: Option<Signature>,
}
