//! The files we write are those that hypercore 9 writes, byte for byte.

mod common;

use std::collections::BTreeMap;

use common::{VectorFile, VectorNode, block, file, make_log, section, unhex, writer};
use hypercore::{NodeIndex, roots};
use hypercore_crypto::{Hash, signable, tree_hash};
use hypercore_storage::MemoryDir;
use serde::Deserialize;

#[derive(Deserialize)]
struct Log {
    name: String,
    mode: String,
    length: u64,
    #[serde(rename = "byteLength")]
    byte_length: u64,
    blocks: Option<Vec<String>>,
    nodes: Option<Vec<VectorNode>>,
    lengths: Vec<Length>,
    files: BTreeMap<String, VectorFile>,
}

#[derive(Deserialize)]
struct Length {
    length: u64,
    roots: Vec<u64>,
    #[serde(rename = "treeHash")]
    tree_hash: String,
    signable: String,
    signature: Option<String>,
}

#[test]
fn every_log_of_the_vectors() {
    let logs: Vec<Log> = section("logs");
    assert_eq!(logs.len(), 17);
    for log in logs {
        check(&log);
    }
}

fn check(expected: &Log) {
    let dir = MemoryDir::new();
    let mut log = make_log(&dir, &expected.mode, expected.length);
    assert_eq!(log.length(), expected.length, "{}", expected.name);
    assert_eq!(log.byte_length(), expected.byte_length, "{}", expected.name);
    log.flush().unwrap();
    check_files(expected, &dir);
    log.close().unwrap();
    check_files(expected, &dir);

    // Opening and closing again changes nothing, and all is there.
    let log = writer(&dir);
    assert_eq!(
        (log.length(), log.byte_length()),
        (expected.length, expected.byte_length)
    );
    for index in 0..expected.length {
        assert_eq!(log.get(index).unwrap().unwrap(), block(index));
    }
    if let Some(blocks) = &expected.blocks {
        let stored = log.get_range(0..expected.length).unwrap();
        assert_eq!(stored.iter().map(hex::encode).collect::<Vec<_>>(), *blocks);
    }
    check_lengths(expected);
    log.close().unwrap();
    check_files(expected, &dir);
}

fn check_files(expected: &Log, dir: &MemoryDir) {
    for (name, vector) in &expected.files {
        vector.check(&format!("{} of {}", name, expected.name), &file(dir, name));
    }
}

/// The hashes and signatures of each length, recomputed from the nodes of the vectors.
fn check_lengths(expected: &Log) {
    let Some(nodes) = &expected.nodes else { return };
    let nodes: BTreeMap<NodeIndex, _> = nodes
        .iter()
        .map(|node| (node.node().index, node.node()))
        .collect();
    for length in &expected.lengths {
        let found: Vec<NodeIndex> = roots(length.length).collect();
        assert_eq!(
            found.iter().map(|root| root.get()).collect::<Vec<_>>(),
            length.roots
        );
        let tree = tree_hash(found.iter().map(|root| {
            let node = nodes[root];
            (node.hash, root.get(), node.size)
        }));
        assert_eq!(tree, Hash::from_bytes(unhex(&length.tree_hash)));
        assert_eq!(hex::encode(signable(&tree, length.length)), length.signable);
        if let Some(signature) = &length.signature {
            let ours = common::pair().sign_tree(&tree, length.length);
            assert_eq!(hex::encode(ours.as_bytes()), *signature);
        }
    }
}
