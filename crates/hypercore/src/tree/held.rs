//! What a set of stored nodes says: how long the log is, and which length vouches for a node.

use crate::NodeIndex;
use crate::bitfield::Bitfield;

/// The length of the log that the stored nodes belong to, in blocks.
///
/// Node keeps the length nowhere else, so the walk must end where its walk ends: up the left edge
/// to the highest stored node, then from tree to tree to the right.
pub(crate) fn length(held: &Bitfield) -> u64 {
    let mut node = NodeIndex::leaf(0);
    let mut top = node;
    while node.right_span().get() < held.node_capacity() {
        node = node.parent();
        if held.has_node(node) {
            top = node;
        }
    }
    verified_by(held, top) / 2
}

/// Twice the length of the log whose signature vouches for a stored node; 0 for other nodes.
pub(crate) fn verified_by(held: &Bitfield, node: NodeIndex) -> u64 {
    if !held.has_node(node) {
        return 0;
    }
    let mut top = node;
    while held.has_node(top.parent()) && held.has_node(top.sibling()) {
        top = top.parent();
    }
    let mut depth = top.depth();
    while depth > 0 {
        let right = NodeIndex::at(depth, top.offset() + 1);
        (top, depth) = left_child(right, depth);
        while depth > 0 && !held.has_node(top) {
            (top, depth) = left_child(top, depth);
        }
    }
    if held.has_node(top) {
        top.get() + 2
    } else {
        top.get()
    }
}

fn left_child(node: NodeIndex, depth: u32) -> (NodeIndex, u32) {
    (NodeIndex::at(depth - 1, node.offset() * 2), depth - 1)
}
