use crate::NodeIndex;
use crate::bitfield::Bitfield;

/// What a request says of the nodes that the asker already holds above a block's leaf.
///
/// Bit *k* + 1 stands for the sibling of the *k*-th node on the way up; bit 0 says that the highest
/// bit is a node of the way itself, below which no proof is needed. 1 means that the leaf, or all
/// that is needed for it, is held.
pub(crate) fn digest(held: &Bitfield, leaf: NodeIndex) -> u64 {
    if held.has_node(leaf) {
        return 1;
    }
    let mut digest = 0;
    let mut bit = 2;
    let mut sibling = leaf.sibling();
    let mut parent = sibling.parent();
    let end = held.node_capacity().max(sibling.get() + 2);
    while bit < WIDEST && (sibling.right_span().get() < end || parent.left_span().get() > 0) {
        if held.has_node(sibling) {
            digest += bit;
        }
        if held.has_node(parent) {
            digest = (digest + 2 * bit) | 1;
            return if digest + 1 == 4 * bit { 1 } else { digest };
        }
        sibling = parent.sibling();
        parent = sibling.parent();
        bit *= 2;
    }
    digest
}

/// Digests are numbers of JavaScript, which are exact up to here.
const WIDEST: u64 = 1 << 52;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vectors(file: &str) -> Value {
        serde_json::from_str(file).unwrap()
    }

    fn holding(nodes: &Value) -> Bitfield {
        let mut held = Bitfield::new();
        for node in nodes.as_array().unwrap() {
            held.set_node(NodeIndex::new(node.as_u64().unwrap()).unwrap());
        }
        held
    }

    #[test]
    fn digests_of_the_log_vectors() {
        let all = vectors(include_str!("../../tests/vectors/hypercore.json"));
        let cases = all["digests"].as_array().unwrap();
        assert!(cases.len() > 40);
        for case in cases {
            let held = holding(&case["treeBits"]);
            for (block, expected) in (0..).zip(case["digests"].as_array().unwrap()) {
                let leaf = NodeIndex::of_block(block).unwrap();
                assert_eq!(
                    digest(&held, leaf),
                    expected.as_u64().unwrap(),
                    "block {block}"
                );
            }
        }
    }

    #[test]
    fn digests_of_the_wire_vectors() {
        let all = vectors(include_str!("../../tests/vectors/protocol.json"));
        let cases = all["tree"]["digests"].as_array().unwrap();
        assert!(!cases.is_empty());
        for case in cases {
            let held = holding(&case["nodes_held"]);
            let leaf = NodeIndex::of_block(case["block"].as_u64().unwrap()).unwrap();
            assert_eq!(
                digest(&held, leaf),
                case["digest"].as_u64().unwrap(),
                "{case}"
            );
        }
    }
}
