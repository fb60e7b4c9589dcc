use crate::hypercore::Hypercore;
use crate::{Audit, NodeIndex, ReadError};

impl Hypercore {
    /// Checks every stored block, node and the signature against each other. Blocks that are damaged
    /// no longer count as stored. If the nodes are those of two trees that the author has signed, the
    /// evidence is kept ([`fork`](Self::fork)).
    pub fn audit(&mut self) -> Result<Audit, ReadError> {
        let mut audit = Audit::default();
        let mut next = 0;
        while let Some(index) = self.bits.next_block(next..self.length) {
            match self.read_verified(index) {
                Ok(_) => audit.valid_blocks += 1,
                Err(ReadError::Corrupt { .. }) => {
                    self.bits.clear_block(index);
                    audit.damaged_blocks.push(index);
                }
                Err(error) => return Err(error),
            }
            next = index + 1;
        }
        audit.damaged_nodes = self.damaged_nodes()?;
        self.find_stored_fork(&audit.damaged_nodes)?;
        audit.is_forked = self.fork.is_some();
        audit.signature_valid = self.verified_roots(self.length).is_ok_and(|r| r.is_some());
        Ok(audit)
    }

    /// The held nodes that are blank on disk or differ from what their children give.
    pub(super) fn damaged_nodes(&self) -> Result<Vec<NodeIndex>, ReadError> {
        let mut damaged = Vec::new();
        let mut reader = self.store.nodes.reader();
        for index in self.bits.nodes(0..self.bits.node_capacity()) {
            let Some(node) = reader.get(index)? else {
                damaged.push(index);
                continue;
            };
            let (Some(left), Some(right)) = (index.left_child(), index.right_child()) else {
                continue;
            };
            if !self.bits.has_node(left) || !self.bits.has_node(right) {
                continue;
            }
            if let (Some(left), Some(right)) = (reader.get(left)?, reader.get(right)?)
                && !node.is_parent_of(left, right)
            {
                damaged.push(index);
            }
        }
        Ok(damaged)
    }
}
