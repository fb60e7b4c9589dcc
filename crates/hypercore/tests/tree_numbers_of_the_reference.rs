//! Nodes of the tree have the numbers that flat-tree gives them.

mod common;

use common::section;
use hypercore::{NodeIndex, roots};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Numbers {
    nodes: Vec<Relations>,
    full_roots: Vec<FullRoots>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relations {
    index: u64,
    depth: u32,
    offset: u64,
    parent: u64,
    sibling: u64,
    children: Option<[u64; 2]>,
    left_span: u64,
    right_span: u64,
    count: u64,
}

#[derive(Deserialize)]
struct FullRoots {
    length: u64,
    roots: Vec<u64>,
}

#[test]
fn every_node_of_the_vectors_has_the_same_relations() {
    let numbers: Numbers = section("flatTree");
    assert!(numbers.nodes.len() > 40);
    for expected in numbers.nodes {
        let node = NodeIndex::new(expected.index).unwrap();
        let children = node.left_child().zip(node.right_child());
        assert_eq!(node.depth(), expected.depth, "depth of {node}");
        assert_eq!(node.offset(), expected.offset, "offset of {node}");
        assert_eq!(node.parent().get(), expected.parent, "parent of {node}");
        assert_eq!(node.sibling().get(), expected.sibling, "sibling of {node}");
        assert_eq!(
            children.map(|(left, right)| [left.get(), right.get()]),
            expected.children,
            "children of {node}"
        );
        assert_eq!(node.left_span().get(), expected.left_span, "left of {node}");
        assert_eq!(
            node.right_span().get(),
            expected.right_span,
            "right of {node}"
        );
        assert_eq!(node.count(), expected.count, "count of {node}");
        let blocks = expected.left_span / 2..expected.right_span / 2 + 1;
        assert_eq!(node.blocks(), blocks, "blocks of {node}");
        let leaf = expected.index.is_multiple_of(2);
        assert_eq!(node.block(), leaf.then_some(expected.index / 2));
    }
}

#[test]
fn every_length_of_the_vectors_has_the_same_roots() {
    let numbers: Numbers = section("flatTree");
    assert!(numbers.full_roots.len() > 20);
    for expected in numbers.full_roots {
        let found: Vec<u64> = roots(expected.length).map(NodeIndex::get).collect();
        assert_eq!(found, expected.roots, "length {}", expected.length);
    }
}
