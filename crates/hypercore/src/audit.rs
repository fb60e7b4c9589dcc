use crate::NodeIndex;

/// What an audit found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Audit {
    /// How many stored blocks match their leaves.
    pub valid_blocks: u64,
    /// The blocks that did not. They no longer count as stored and can be fetched again.
    pub damaged_blocks: Vec<u64>,
    /// The inner nodes that do not match their children, and the nodes that are blank.
    pub damaged_nodes: Vec<NodeIndex>,
    /// Whether the signature covers the roots.
    pub signature_valid: bool,
    /// Whether the author is known to have signed two logs.
    pub is_forked: bool,
}

impl Audit {
    /// Whether nothing is damaged.
    pub fn is_clean(&self) -> bool {
        self.damaged_blocks.is_empty()
            && self.damaged_nodes.is_empty()
            && self.signature_valid
            && !self.is_forked
    }
}

/// What a repair did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Repair {
    /// Nodes that were written anew.
    pub mended_nodes: Vec<NodeIndex>,
    /// Blocks that count as stored again.
    pub found_blocks: Vec<u64>,
    /// Blocks that no longer count as stored.
    pub lost_blocks: Vec<u64>,
}
