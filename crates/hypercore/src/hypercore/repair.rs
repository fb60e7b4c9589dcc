use hypercore_crypto::leaf_hash;

use crate::hypercore::Hypercore;
use crate::options::MAX_STORED_BLOCK_BYTES;
use crate::{Node, NodeIndex, ReadError, Repair};

impl Hypercore {
    /// Audits the log and mends what can be mended from what is stored: a damaged node follows from
    /// its children or its block, a lost bit from a block that is whole. What cannot be mended no
    /// longer counts as stored and can be fetched again.
    ///
    /// Nothing is believed but what hashes to the roots, which the signature covers. A block that
    /// was cleared counts as stored again if its bytes are still there.
    pub fn repair(&mut self) -> Result<Repair, ReadError> {
        if self.options.read_only {
            return Err(ReadError::Storage(
                std::io::ErrorKind::PermissionDenied.into(),
            ));
        }
        self.hold()?;
        // What is mended is no evidence any longer.
        let damaged = self.damaged_nodes()?;
        self.find_stored_fork(&damaged)?;
        let mut repair = Repair::default();
        for root in self.roots.clone() {
            self.mend_below(root, &mut repair)?;
        }
        for block in 0..self.length {
            let held = self.bits.has_block(block);
            if !self.bits.has_node(NodeIndex::leaf(block)) {
                continue;
            }
            match self.read_verified(block) {
                Ok(_) if held => {}
                Ok(_) => {
                    self.bits.set_block(block);
                    repair.found_blocks.push(block);
                }
                Err(ReadError::Corrupt { .. }) if held => {
                    self.bits.clear_block(block);
                    repair.lost_blocks.push(block);
                }
                Err(ReadError::Corrupt { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(repair)
    }

    /// Mends the nodes below one that is trusted.
    fn mend_below(&mut self, trusted: Node, repair: &mut Repair) -> Result<(), ReadError> {
        let mut stack = vec![trusted];
        while let Some(node) = stack.pop() {
            let children = node.index.left_child().zip(node.index.right_child());
            let Some((left, right)) = children else {
                continue;
            };
            let here = |index| self.bits.has_node(index);
            if !here(left) && !here(right) {
                // Nothing below is claimed, unless a bit was lost.
                let stored = self.stored(left)?.zip(self.stored(right)?);
                match stored.filter(|(left, right)| node.is_parent_of(*left, *right)) {
                    Some((left, right)) => self.trust([left, right], &mut stack),
                    None => self.forget_below(node, repair),
                }
                continue;
            }
            let lefts = self.candidates(left, right, node)?;
            let rights = self.candidates(right, left, node)?;
            let fitting = lefts
                .iter()
                .flat_map(|left| rights.iter().map(move |right| [*left, *right]))
                .find(|[left, right]| node.is_parent_of(*left, *right));
            let Some(pair) = fitting else {
                self.forget_below(node, repair);
                continue;
            };
            for child in pair {
                if self.stored(child.index)? != Some(child) {
                    self.content_dirty = true;
                    self.store.nodes.write(&mut [child])?;
                    repair.mended_nodes.push(child.index);
                }
            }
            self.trust(pair, &mut stack);
        }
        Ok(())
    }

    fn trust(&mut self, pair: [Node; 2], stack: &mut Vec<Node>) {
        for child in pair {
            self.bits.set_node_alone(child.index);
            stack.push(child);
        }
    }

    /// What a node may be: as stored, as its children have it, or as its block has it.
    fn candidates(
        &self,
        index: NodeIndex,
        sibling: NodeIndex,
        parent: Node,
    ) -> Result<Vec<Node>, ReadError> {
        let stored = self.stored(index)?;
        let mut found: Vec<Node> = stored.into_iter().collect();
        if let Some((left, right)) = index.left_child().zip(index.right_child()) {
            if let Some((left, right)) = self.stored(left)?.zip(self.stored(right)?) {
                found.extend(Node::above(left, right));
            }
        } else if let Some(block) = index.block() {
            let other = self.stored(sibling)?.map(|node| node.size);
            let rest = other.and_then(|size| parent.size.checked_sub(size));
            let sizes = [stored.map(|node| node.size), rest];
            for size in sizes.into_iter().flatten() {
                found.extend(self.leaf_of_data(block, size)?);
                // A size that was damaged alone.
                found.extend(stored.map(|node| Node { size, ..node }));
            }
        }
        Ok(found)
    }

    /// The leaf of the bytes that lie where a block of that size should be.
    fn leaf_of_data(&self, block: u64, size: u64) -> Result<Option<Node>, ReadError> {
        let Some(bytes) = usize::try_from(size)
            .ok()
            .filter(|bytes| *bytes <= MAX_STORED_BLOCK_BYTES)
        else {
            return Ok(None);
        };
        let offset = self.store.nodes.reader().offset(block)?;
        let Some(offset) = offset else {
            return Ok(None);
        };
        match self.store.blocks.read(offset, bytes) {
            Ok(data) => Ok(Some(Node {
                index: NodeIndex::leaf(block),
                hash: leaf_hash(&data),
                size,
            })),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn stored(&self, index: NodeIndex) -> Result<Option<Node>, ReadError> {
        Ok(self.store.nodes.reader().get(index)?)
    }

    /// Nothing below a node can be proven.
    fn forget_below(&mut self, node: Node, repair: &mut Repair) {
        let (first, last) = (node.index.left_span(), node.index.right_span());
        let below: Vec<NodeIndex> = self
            .bits
            .nodes(first.get()..last.get() + 1)
            .filter(|index| *index != node.index)
            .collect();
        for index in below {
            self.bits.clear_node(index);
        }
        let blocks: Vec<u64> = self.bits.blocks(node.index.blocks()).collect();
        for block in blocks {
            self.bits.clear_block(block);
            repair.lost_blocks.push(block);
        }
    }
}
