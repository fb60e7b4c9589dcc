use crate::NodeIndex;
use crate::bitfield::Bitfield;
use crate::index::roots;
use crate::tree::{RemoteTree, verified_by};

/// Which nodes prove a block.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Route {
    /// The leaf itself if it was asked for, the siblings on the way up, then roots left to right.
    pub(crate) nodes: Vec<NodeIndex>,
    /// The length, in blocks, whose signature the proof ends with; `None` when it ends at a node
    /// that the peer holds.
    pub(crate) signed: Option<u64>,
}

/// Chooses the nodes that prove a block to a peer that holds `remote` and what `digest` says, which
/// is noted in `remote`. `None` if the block's leaf is not held.
pub(crate) fn route(
    held: &Bitfield,
    leaf: NodeIndex,
    digest: u64,
    hash: bool,
    remote: &mut RemoteTree,
) -> Option<Route> {
    if !held.has_node(leaf) {
        return None;
    }
    let mut nodes = Vec::new();
    if hash {
        nodes.push(leaf);
    }
    if digest == 1 {
        return Some(Route {
            nodes,
            signed: None,
        });
    }
    note(held, leaf, digest & WIDTH, remote);
    let mut node = leaf;
    while !remote.has(node) {
        let sibling = node.sibling();
        if !held.has_node(sibling) {
            // The node is one of our roots.
            let end = verified_by(held, node);
            nodes.extend(roots(end / 2).filter(|root| *root != node && !remote.has(*root)));
            return Some(Route {
                nodes,
                signed: Some(end / 2),
            });
        }
        if !remote.has(sibling) {
            nodes.push(sibling);
        }
        node = node.parent();
    }
    Some(Route {
        nodes,
        signed: None,
    })
}

/// Notes what a digest says the peer holds, as far as it is held here.
fn note(held: &Bitfield, leaf: NodeIndex, digest: u64, remote: &mut RemoteTree) {
    let has_root = digest & 1 == 1;
    let mut rest = digest >> 1;
    let mut node = leaf;
    let mut mark = |node| {
        if held.has_node(node) {
            remote.set(node);
        }
    };
    while rest > 0 {
        if rest == 1 && has_root {
            mark(node);
            // Who holds a root holds the roots before it.
            let left = node.min(node.sibling());
            roots(left.blocks().end).for_each(mark);
            return;
        }
        if rest & 1 == 1 {
            mark(node.sibling());
        }
        node = node.parent();
        rest >>= 1;
    }
}

/// Digests are numbers of JavaScript; what lies above their exact bits is ignored.
const WIDTH: u64 = (1 << 53) - 1;
