//! What is stored decides how long the log is; this finds it out, whatever happened to the files.
//!
//! The bits say how long the log was when it was last flushed. A process that ended before it could
//! flush leaves blocks, nodes and signatures beyond that; a lost or torn write, or another program,
//! leaves bits for something that is missing. Nothing is believed without a signature, and nothing is
//! thrown away that a signature covers.

use std::io;

use hypercore_crypto::{Signature, leaf_hash};

use crate::hypercore::{Hypercore, hash_roots};
use crate::index::roots;
use crate::options::MAX_STORED_BLOCK_BYTES;
use crate::tree::{self, Growth, grow_leaves};
use crate::{Node, NodeIndex, OpenError};

impl Hypercore {
    /// Finds the length and the roots in what is stored.
    pub(super) fn load(&mut self) -> Result<(), OpenError> {
        self.bits.close_nodes();
        let claimed = tree::length(&self.bits);
        let (length, roots) = self.newest_signed(claimed)?;
        for root in &roots {
            self.bits.set_node_alone(root.index);
        }
        self.set_roots(length, roots);
        self.durable = length;
        self.look_ahead(claimed)?;
        if self.length < claimed {
            // Others may have seen what is lost. Whoever signs anything else at such a length forks
            // the log.
            self.lost = self.was_longer(claimed)?.then_some(claimed);
        }
        self.bits.truncate(self.length);
        self.prove_blocks()
    }

    /// Whether the log was once longer than it is now: something is left of the very next block, or
    /// a signature of a greater length. A single bit that leads far away is a damaged one.
    fn was_longer(&self, claimed: u64) -> io::Result<bool> {
        if self.bits.has_block(self.length) || self.bits.has_node(NodeIndex::leaf(self.length)) {
            return Ok(true);
        }
        let furthest = claimed.min(self.store.signatures.capacity());
        for length in (self.length + 1..=furthest).take(MAX_STEPS) {
            if self.store.signatures.get(length)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Lets no block count as stored that could not be proven to somebody. Block bits are durable
    /// before node bits are written, so a cut may leave the one without the other.
    fn prove_blocks(&mut self) -> Result<(), OpenError> {
        for block in self.bits.unproven_blocks(self.length) {
            let linked = if block < self.length {
                self.linked(NodeIndex::leaf(block))?
            } else {
                None
            };
            match linked {
                Some(nodes) => nodes.into_iter().for_each(|node| self.bits.set_node(node)),
                None => {
                    self.bits.clear_block(block);
                }
            }
        }
        Ok(())
    }

    /// The nodes on the way from a stored leaf up to one that is trusted, and their siblings, if the
    /// hashes fit.
    fn linked(&self, leaf: NodeIndex) -> Result<Option<Vec<NodeIndex>>, OpenError> {
        let mut nodes = self.store.nodes.reader();
        let Some(mut node) = nodes.get(leaf)? else {
            return Ok(None);
        };
        let mut way = vec![leaf];
        loop {
            if self.roots.contains(&node) || self.bits.has_node(node.index) {
                return Ok(Some(way));
            }
            let sibling = nodes.get(node.index.sibling())?;
            let parent = nodes.get(node.index.parent())?;
            let (Some(sibling), Some(parent)) = (sibling, parent) else {
                return Ok(None);
            };
            if !parent.is_parent_of(node, sibling) || parent.index.blocks().end > self.length {
                return Ok(None);
            }
            way.extend([sibling.index, parent.index]);
            node = parent;
        }
    }

    /// The greatest length whose roots are all stored and signed; 0 if there is none. A writer's has to
    /// be claimed by the bits: beyond them every block must be there, which is looked at later.
    fn newest_signed(&mut self, claimed: u64) -> Result<(u64, Vec<Node>), OpenError> {
        let furthest = match self.signer {
            Some(_) => claimed,
            None => claimed.max(self.store.signatures.capacity()),
        };
        let furthest = furthest.min(self.options.max_length);
        for length in (1..=furthest).rev().take(MAX_STEPS) {
            if let Some(roots) = self.verified_roots(length)? {
                return Ok((length, roots));
            }
        }
        if self.store.signatures.capacity() == 0
            && let Some(roots) = self.stored_roots(claimed)?
            && hash_roots(&roots).as_bytes() == self.key.as_bytes()
        {
            self.is_static = claimed > 0;
            return Ok((claimed, roots));
        }
        // A writer's first blocks can have lost their signature and be signed again. A reader's copy
        // without any signature is worth nothing, and fetched anew.
        if self.signer.is_some() && claimed > MAX_STEPS as u64 {
            return Err(OpenError::Damaged);
        }
        Ok((0, Vec::new()))
    }

    /// Takes in what is stored beyond the length that is known to be good.
    fn look_ahead(&mut self, claimed: u64) -> Result<(), OpenError> {
        let room = self.store.signatures.capacity();
        let furthest = room.max(claimed).min(self.options.max_length);
        let mut tries = 0;
        for length in (self.length + 1..=furthest).rev().take(MAX_STEPS) {
            let signature = self.store.signatures.get(length)?;
            if signature.is_none() && length != claimed {
                continue;
            }
            tries += 1;
            if tries > MAX_TRIES {
                break;
            }
            if self.extend_to(length, signature, claimed)? {
                break;
            }
        }
        Ok(())
    }

    /// Lets the log go on to `length` if what is stored up to there belongs to it.
    fn extend_to(
        &mut self,
        length: u64,
        signature: Option<Signature>,
        claimed: u64,
    ) -> Result<bool, OpenError> {
        let Some(Tail {
            growth,
            whole,
            mut damaged,
        }) = self.stored_tail(length)?
        else {
            return Ok(false);
        };
        let all_here = whole.len() as u64 == length - self.length;
        let tree = hash_roots(&growth.roots);
        if signature.is_some_and(|signature| self.key.verify_tree(&tree, length, &signature)) {
            // A block that its author has lost is nowhere: if it was never flushed, and so never
            // announced, it is better gone than missing for ever from the middle of the log.
            if self.is_writable() && !all_here && length > claimed {
                return Ok(false);
            }
            // The leaves lead to what was signed, so inner nodes that differ are damaged.
            if !damaged.is_empty() {
                if self.options.read_only {
                    return Ok(false);
                }
                self.store.nodes.write(&mut damaged)?;
            }
        } else {
            // The signature is lost. The very tree that was signed then is signed again.
            let known = all_here && damaged.is_empty() && length == claimed;
            if !known || self.options.read_only {
                return Ok(false);
            }
            // Without the key, or while it cannot be used, the shorter log has to do.
            let Ok(signature) = self.sign(&growth.roots, length) else {
                return Ok(false);
            };
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

    /// What the stored leaves make of the tree up to `length`. `None` if one is missing.
    fn stored_tail(&self, length: u64) -> Result<Option<Tail>, OpenError> {
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
            match self.store.blocks.read(offset, bytes) {
                Ok(stored) if leaf_hash(&stored) == leaf.hash => whole.push(block),
                Ok(_) => {}
                // The data ends before it.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                // A disk that fails to read has not lost the block.
                Err(error) => return Err(error.into()),
            }
            offset += leaf.size;
            leaves.push((leaf.hash, leaf.size));
        }
        let growth = grow_leaves(&self.roots, &leaves);
        let mut damaged = Vec::new();
        for node in &growth.nodes {
            if nodes.get(node.index)?.as_ref() != Some(node) {
                damaged.push(*node);
            }
        }
        Ok(Some(Tail {
            growth,
            whole,
            damaged,
        }))
    }

    /// The stored roots of a length, if they are all there and its signature covers them.
    pub(super) fn verified_roots(&self, length: u64) -> io::Result<Option<Vec<Node>>> {
        if length == 0 {
            return Ok(Some(Vec::new()));
        }
        let Some(signature) = self.store.signatures.get(length)? else {
            return Ok(None);
        };
        let Some(found) = self.stored_roots(length)? else {
            return Ok(None);
        };
        let tree = hash_roots(&found);
        let valid = self.key.verify_tree(&tree, length, &signature);
        Ok(valid.then_some(found))
    }

    /// The stored roots of a length, if they are all there.
    fn stored_roots(&self, length: u64) -> io::Result<Option<Vec<Node>>> {
        let mut nodes = self.store.nodes.reader();
        roots(length).map(|index| nodes.get(index)).collect()
    }
}

/// What is stored beyond the length that is known to be good.
struct Tail {
    growth: Growth,
    /// The blocks that match their leaves.
    whole: Vec<u64>,
    /// Inner nodes that are not stored as the leaves have them.
    damaged: Vec<Node>,
}

/// How far back a good signature is looked for.
const MAX_STEPS: usize = 1 << 16;

/// How many places ahead are tried.
const MAX_TRIES: usize = 64;
