use std::collections::VecDeque;

use hypercore_crypto::{Hash, Signature, parent_hash};

use crate::hypercore::put::{Upgrade, Verified};
use crate::hypercore::{Hypercore, hash_roots};
use crate::index::roots;
use crate::{Node, NodeIndex, Proof, PutError};

impl Hypercore {
    /// Checks a proof against the nodes that are held and the key. Changes nothing.
    pub(super) fn verify(
        &self,
        index: u64,
        value: Option<(&[u8], Hash)>,
        proof: Proof,
    ) -> Result<Verified, PutError> {
        check_nodes(&proof)?;
        let mut rest = VecDeque::from(proof.nodes);
        let leaf = match value {
            Some((block, hash)) => Node {
                index: NodeIndex::leaf(index),
                hash,
                size: block.len() as u64,
            },
            None => rest
                .pop_front()
                .filter(|node| node.index == NodeIndex::leaf(index))
                .ok_or(PutError::MissingLeaf { index })?,
        };
        if let Some(held) = self.held(leaf.index)?.filter(|held| held.hash == leaf.hash) {
            // The hash covers the block, so its size is known; that of the leaf may be a lie.
            let nodes = match value {
                Some(_) => self.correct_sizes(held, leaf)?,
                None => Vec::new(),
            };
            return Ok(Verified {
                nodes,
                upgrade: None,
            });
        }
        let climb = |rest, with_held| Climb {
            log: self,
            top: leaf,
            rest,
            seen: Vec::new(),
            has_block: value.is_some(),
            with_held,
            to_the_roots: false,
        };
        let alone = proof.signature.map(|_| rest.clone());
        let error = match climb(rest, true).run(proof.signature) {
            Err(error) if error.is_senders_fault() => error,
            verified => return verified,
        };
        // Held nodes that the other log does not have can lead astray. A proof of a shorter log is good
        // by itself; so is one of another log that the author signed, which is not the sender's fault.
        match alone.map(|rest| climb(rest, false).run(proof.signature)) {
            Some(verified @ (Ok(_) | Err(PutError::Conflict { .. }))) => verified,
            _ => Err(error),
        }
    }

    /// Checks a proof of a leaf up to its roots, although nodes that are held would vouch for it before,
    /// and that all of it agrees with what is held. A proof that does not lead there by itself is checked
    /// as any other.
    pub(super) fn verify_to_the_roots(
        &self,
        index: u64,
        proof: Proof,
    ) -> Result<Verified, PutError> {
        check_nodes(&proof)?;
        let mut rest = VecDeque::from(proof.nodes.clone());
        let leaf = rest
            .pop_front()
            .filter(|node| node.index == NodeIndex::leaf(index))
            .ok_or(PutError::MissingLeaf { index })?;
        let climb = Climb {
            log: self,
            top: leaf,
            rest,
            seen: Vec::new(),
            has_block: false,
            with_held: false,
            to_the_roots: true,
        };
        match climb.run(proof.signature) {
            Err(error) if error.is_senders_fault() => self.verify(index, None, proof),
            verified => verified,
        }
    }

    /// The stored node, if it is held.
    fn held(&self, index: NodeIndex) -> Result<Option<Node>, PutError> {
        if !self.bits.has_node(index) {
            return Ok(None);
        }
        let node = self.store.nodes.reader().get(index)?;
        Ok(Some(node.ok_or(PutError::Damaged { node: index })?))
    }

    /// The leaf of a block that has arrived and its sibling, with their true sizes, where a reply
    /// without a block had shifted them against each other.
    fn correct_sizes(&self, held: Node, leaf: Node) -> Result<Vec<Node>, PutError> {
        if held.size == leaf.size {
            return Ok(Vec::new());
        }
        let wrong = PutError::Size { node: leaf.index };
        let Some(sibling) = self.held(leaf.index.sibling())? else {
            return Err(wrong);
        };
        let Some(parent) = self.held(leaf.index.parent())? else {
            return Err(wrong);
        };
        let Some(size) = parent.size.checked_sub(leaf.size) else {
            return Err(wrong);
        };
        Ok(vec![leaf, Node { size, ..sibling }])
    }
}

/// The way up from a leaf.
struct Climb<'a> {
    log: &'a Hypercore,
    top: Node,
    /// The proof's nodes that are not used yet.
    rest: VecDeque<Node>,
    /// The nodes to store if all is well: the way up to `top`, and the siblings from the proof.
    seen: Vec<Node>,
    /// Whether a block came, which settles the size of its leaf and so of every other.
    has_block: bool,
    /// Whether nodes that are held here may take part.
    with_held: bool,
    /// Whether to go on where a held node vouches for what came.
    to_the_roots: bool,
}

impl Climb<'_> {
    fn run(mut self, signature: Option<Signature>) -> Result<Verified, PutError> {
        while let Some(sibling) = self.next_sibling()? {
            let size = self.top.size + sibling.size;
            if size > MAX_BYTES {
                return Err(PutError::Size {
                    node: self.top.index,
                });
            }
            let (left, right) = if self.top.index < sibling.index {
                (self.top, sibling)
            } else {
                (sibling, self.top)
            };
            self.seen.push(self.top);
            let index = self.top.index.parent();
            self.top = Node {
                index,
                hash: parent_hash(size, &left.hash, &right.hash),
                size,
            };
            if !self.to_the_roots
                && self
                    .log
                    .held(index)?
                    .is_some_and(|held| held.hash == self.top.hash)
            {
                // Below a node that is held, a node that differs was damaged, and is replaced.
                self.check_sizes()?;
                return Ok(Verified {
                    nodes: self.seen,
                    upgrade: None,
                });
            }
        }
        self.finish(signature)
    }

    /// The sibling of `top`, from the proof or from storage.
    fn next_sibling(&mut self) -> Result<Option<Node>, PutError> {
        let index = self.top.index.sibling();
        match self.take(index) {
            Some(node) => Ok(Some(node)),
            None if self.with_held => self.log.held(index),
            None => Ok(None),
        }
    }

    /// The proof's next node, if it is this one.
    fn take(&mut self, index: NodeIndex) -> Option<Node> {
        let node = *self.rest.front().filter(|node| node.index == index)?;
        self.rest.pop_front();
        self.seen.push(node);
        Some(node)
    }

    /// The way ended in what must be a root: checks that the author has signed it.
    fn finish(mut self, signature: Option<Signature>) -> Result<Verified, PutError> {
        let last = self.rest.back().map_or(self.top.index, |node| node.index);
        let length = self.top.index.blocks().end.max(last.blocks().end);
        let limit = self.log.options.max_length;
        if length > limit {
            return Err(PutError::TooLong { length, limit });
        }
        let mut found = Vec::new();
        let mut bytes = 0_u64;
        for index in roots(length) {
            let root = if index == self.top.index {
                self.seen.push(self.top);
                self.top
            } else if let Some(node) = self.take(index) {
                node
            } else {
                let held = match self.with_held {
                    true => self.log.held(index)?,
                    false => None,
                };
                held.ok_or(PutError::MissingNode { node: index })?
            };
            bytes += root.size;
            if bytes > MAX_BYTES {
                return Err(PutError::Size { node: index });
            }
            found.push(root);
        }
        if let Some(node) = self.rest.front() {
            return Err(PutError::SurplusNode { node: node.index });
        }
        let tree = hash_roots(&found);
        match &signature {
            Some(signature) => {
                if !self.log.key.verify_tree(&tree, length, signature) {
                    return Err(PutError::Signature { length });
                }
            }
            None => {
                // A log that was finished without a key pair: its key is the hash of its roots.
                let live = self.log.length > 0 && !self.log.is_static;
                if live || tree.as_bytes() != self.log.key.as_bytes() {
                    return Err(PutError::Unsigned);
                }
            }
        }
        self.check_conflicts(length, &found, signature)?;
        self.check_sizes()?;
        Ok(Verified {
            nodes: self.seen,
            upgrade: Some(Upgrade {
                length,
                roots: found,
                signature,
            }),
        })
    }

    /// Signed roots must agree with every node that is held: an author signs one log only.
    fn check_conflicts(
        &self,
        length: u64,
        roots: &[Node],
        signature: Option<Signature>,
    ) -> Result<(), PutError> {
        for node in &self.seen {
            let Some(held) = self.log.held(node.index)? else {
                continue;
            };
            if held.hash != node.hash && self.is_vouched_for(held)? {
                return Err(self.conflict(*node, length, roots, signature)?);
            }
        }
        Ok(())
    }

    /// Puts the evidence together.
    fn conflict(
        &self,
        node: Node,
        length: u64,
        roots: &[Node],
        signature: Option<Signature>,
    ) -> Result<PutError, PutError> {
        let lookup = |index| {
            let seen = self.seen.iter().find(|seen| seen.index == index).copied();
            seen.or_else(|| self.log.held(index).ok().flatten())
        };
        let proof = match signature {
            Some(signature) => self.log.fork_at(node, roots, length, signature, lookup)?,
            None => None,
        };
        Ok(PutError::Conflict {
            node: node.index,
            length,
            proof: proof.map(Box::new),
        })
    }

    /// Whether a held node may be what the author signed: false if the nodes above it prove that it
    /// was damaged.
    fn is_vouched_for(&self, mut node: Node) -> Result<bool, PutError> {
        while let Some(sibling) = self.log.held(node.index.sibling())? {
            let Some(parent) = self.log.held(node.index.parent())? else {
                return Ok(true);
            };
            let (left, right) = if node.index < sibling.index {
                (node, sibling)
            } else {
                (sibling, node)
            };
            if parent.hash != parent_hash(parent.size, &left.hash, &right.hash) {
                return Ok(false);
            }
            node = parent;
        }
        let root = self.log.roots.iter().find(|root| root.index == node.index);
        Ok(root.is_none_or(|root| root.hash == node.hash))
    }

    /// Without a block, only the sum of the two lowest sizes is vouched for. They must not replace
    /// a size that is known.
    fn check_sizes(&self) -> Result<(), PutError> {
        if self.has_block {
            return Ok(());
        }
        for node in self.seen.iter().filter(|node| node.index.depth() == 0) {
            let held = self.log.held(node.index)?;
            if held.is_some_and(|held| held.hash == node.hash && held.size != node.size) {
                return Err(PutError::Size { node: node.index });
            }
        }
        Ok(())
    }
}

/// What can be said of the nodes of a proof by themselves.
fn check_nodes(proof: &Proof) -> Result<(), PutError> {
    if proof.nodes.len() > MAX_PROOF_NODES {
        let (nodes, limit) = (proof.nodes.len(), MAX_PROOF_NODES);
        return Err(PutError::TooManyNodes { nodes, limit });
    }
    match proof.nodes.iter().find(|node| node.size > MAX_BYTES) {
        Some(node) => Err(PutError::Size { node: node.index }),
        None => Ok(()),
    }
}

/// The most nodes a proof can have: one and a root for each of the 53 levels of the largest tree
/// that can be expressed, and the leaf.
const MAX_PROOF_NODES: usize = 107;

/// Counts of bytes above this are not exact in Node.
const MAX_BYTES: u64 = (1 << 53) - 1;
