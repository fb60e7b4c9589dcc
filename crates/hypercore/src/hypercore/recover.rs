//! What is stored decides how long the log is; this finds it out, whatever happened to the files.
//!
//! The bits say how long the log was when it was last flushed. A process that ended before it could
//! flush leaves blocks, nodes and signatures beyond that; a lost or torn write, or another program,
//! leaves bits for something that is missing. Nothing is believed without a signature, and nothing is
//! thrown away that a signature covers.

use hypercore_crypto::leaf_hash;

use crate::hypercore::{Hypercore, hash_roots};
use crate::index::roots;
use crate::options::MAX_STORED_BLOCK_BYTES;
use crate::tree::{self, Growth, grow_leaves};
use crate::{Node, NodeIndex, OpenError};

impl Hypercore {
    /// Finds the length and the roots in what is stored.
    pub(super) fn load(&mut self) -> Result<(), OpenError> {
        let claimed = tree::length(&self.bits);
        let Some((length, roots)) = self.newest_signed(claimed)? else {
            return Err(OpenError::Damaged);
        };
        self.set_roots(length, roots);
        self.look_ahead(claimed)?;
        if self.length < claimed {
            self.bits.truncate(self.length);
            // Others may have seen what is lost. Whoever signs anything else at such a length forks
            // the log.
            self.lost = Some(claimed);
        }
        Ok(())
    }

    /// The greatest length up to `claimed` whose roots are all stored and signed. `None` if there is
    /// none but there should be.
    fn newest_signed(&self, claimed: u64) -> Result<Option<(u64, Vec<Node>)>, OpenError> {
        let lengths = (1..=claimed).rev().take(MAX_STEPS);
        for length in lengths {
            if let Some(roots) = self.verified_roots(length)? {
                return Ok(Some((length, roots)));
            }
        }
        // A writer's first blocks can have lost their signature and be signed again. What a reader
        // has of a log without any signature is worth nothing.
        let hopeless = claimed > 0 && self.secret.is_none() || claimed > MAX_STEPS as u64;
        Ok((!hopeless).then(|| (0, Vec::new())))
    }

    /// Takes in what is stored beyond the length that is known to be good.
    fn look_ahead(&mut self, claimed: u64) -> Result<(), OpenError> {
        let room = self.store.signatures.capacity();
        let furthest = room.max(claimed).min(self.options.max_length);
        let mut tries = 0;
        for length in (self.length + 1..=furthest).rev().take(MAX_STEPS) {
            let signed = self.store.signatures.get(length)?.is_some();
            if !signed && length != claimed {
                continue;
            }
            tries += 1;
            if tries > MAX_TRIES {
                break;
            }
            if self.extend_to(length, signed, claimed)? {
                break;
            }
        }
        Ok(())
    }

    /// Lets the log go on to `length` if what is stored up to there belongs to it.
    fn extend_to(&mut self, length: u64, signed: bool, claimed: u64) -> Result<bool, OpenError> {
        let Some((growth, whole)) = self.stored_growth(length)? else {
            return Ok(false);
        };
        let all_here = whole.len() as u64 == length - self.length;
        if signed {
            if self.verified_roots(length)?.as_ref() != Some(&growth.roots) {
                return Ok(false);
            }
            // A block that its author has lost is nowhere: if it was never flushed, and so never
            // announced, it is better gone than missing for ever from the middle of the log.
            if self.is_writable() && !all_here && length > claimed {
                return Ok(false);
            }
        } else {
            // The signature is lost. The very tree that was signed then is signed again.
            let (true, Some(pair)) = (all_here && !self.options.read_only, self.pair()) else {
                return Ok(false);
            };
            let signature = pair.sign_tree(&hash_roots(&growth.roots), length);
            self.store.signatures.put(length, &signature)?;
        }
        // Whoever wrote this may have ended before it was durable.
        self.content_dirty = true;
        for block in whole {
            self.bits.set_block(block);
        }
        for index in self.length..length {
            self.bits.set_node(NodeIndex::leaf(index));
        }
        self.set_roots(length, growth.roots);
        Ok(true)
    }

    /// What the stored leaves make of the tree up to `length`, and which of their blocks are stored
    /// and whole. `None` if a node is missing or differs.
    fn stored_growth(&self, length: u64) -> Result<Option<(Growth, Vec<u64>)>, OpenError> {
        let mut nodes = self.store.nodes.reader();
        let mut leaves = Vec::new();
        let mut whole = Vec::new();
        let mut offset = self.byte_length;
        for block in self.length..length {
            let Some(leaf) = nodes.get(NodeIndex::leaf(block))? else {
                return Ok(None);
            };
            let Some(bytes) = usize::try_from(leaf.size)
                .ok()
                .filter(|bytes| *bytes <= MAX_STORED_BLOCK_BYTES)
            else {
                return Ok(None);
            };
            let stored = self.store.blocks.read(offset, bytes);
            if stored.is_ok_and(|stored| leaf_hash(&stored) == leaf.hash) {
                whole.push(block);
            }
            offset += leaf.size;
            leaves.push((leaf.hash, leaf.size));
        }
        let growth = grow_leaves(&self.roots, leaves.into_iter());
        for node in &growth.nodes {
            if nodes.get(node.index)?.as_ref() != Some(node) {
                return Ok(None);
            }
        }
        Ok(Some((growth, whole)))
    }

    /// The stored roots of a length, if they are all there and its signature covers them.
    pub(super) fn verified_roots(&self, length: u64) -> Result<Option<Vec<Node>>, OpenError> {
        if length == 0 {
            return Ok(Some(Vec::new()));
        }
        let Some(signature) = self.store.signatures.get(length)? else {
            return Ok(None);
        };
        let mut nodes = self.store.nodes.reader();
        let mut found = Vec::new();
        for index in roots(length) {
            let Some(node) = nodes.get(index)? else {
                return Ok(None);
            };
            found.push(node);
        }
        let valid = self
            .key
            .verify_tree(&hash_roots(&found), length, &signature);
        Ok(valid.then_some(found))
    }
}

/// How far back a good signature is looked for.
const MAX_STEPS: usize = 1 << 16;

/// How many places ahead are tried.
const MAX_TRIES: usize = 64;
