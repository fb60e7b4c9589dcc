//! Proofs are made and checked as hypercore 9 does it.

mod common;

use std::collections::BTreeMap;

use common::{VectorFile, VectorNode, block, file, named_log, reader, section, signature};
use hypercore::{Hypercore, Proof, RemoteTree, Seek, rle};
use hypercore_storage::MemoryDir;
use serde::Deserialize;

#[derive(Deserialize)]
struct Made {
    log: String,
    index: u64,
    digest: u64,
    hash: bool,
    nodes: Vec<u64>,
    signature: Option<String>,
}

#[track_caller]
fn check_proof(proof: &Proof, nodes: &[u64], signed: Option<&str>) {
    let found: Vec<u64> = proof.nodes.iter().map(|node| node.index.get()).collect();
    assert_eq!(found, nodes);
    assert_eq!(proof.signature, signed.map(signature));
}

#[test]
fn proofs_have_the_same_nodes() {
    let cases: Vec<Made> = section("proofs");
    assert!(cases.len() > 600);
    let mut logs: BTreeMap<String, Hypercore> = BTreeMap::new();
    for case in cases {
        let log = logs
            .entry(case.log.clone())
            .or_insert_with(|| named_log(&case.log));
        let mut remote = RemoteTree::new();
        let proof = log
            .proof(case.index, case.digest, case.hash, &mut remote)
            .unwrap()
            .unwrap();
        check_proof(&proof, &case.nodes, case.signature.as_deref());
    }
}

#[derive(Deserialize)]
struct Run {
    name: String,
    steps: Vec<Step>,
    files: BTreeMap<String, VectorFile>,
    reopened: After,
}

#[derive(Deserialize)]
struct Step {
    writer: String,
    index: u64,
    hash: bool,
    digest: u64,
    nodes: Vec<VectorNode>,
    signature: Option<String>,
    after: After,
    serve: Option<Vec<Served>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct After {
    length: u64,
    byte_length: u64,
    block_bits: Option<Vec<u64>>,
}

#[derive(Deserialize)]
struct Served {
    index: u64,
    nodes: Vec<u64>,
    signature: Option<String>,
}

#[test]
fn readers_ask_and_store_alike() {
    let runs: Vec<Run> = section("readerRuns");
    assert_eq!(runs.len(), 6);
    for run in runs {
        let dir = MemoryDir::new();
        let mut log = reader(&dir);
        let mut remote = RemoteTree::new();
        for step in run.steps {
            let writer = named_log(&step.writer);
            assert_eq!(log.digest(step.index), step.digest, "{}", run.name);
            let proof = writer
                .proof(step.index, step.digest, step.hash, &mut remote)
                .unwrap()
                .unwrap();
            let nodes: Vec<_> = step.nodes.iter().map(VectorNode::node).collect();
            assert_eq!(proof.nodes, nodes, "{}", run.name);
            assert_eq!(proof.signature, step.signature.as_deref().map(signature));
            let value = (!step.hash).then(|| block(step.index));
            log.put(step.index, value.as_deref(), proof).unwrap();
            check_state(&log, &step.after);
            for served in step.serve.unwrap_or_default() {
                // Asked for the hash where the block itself was not there.
                let hash = served.nodes.first() == Some(&(2 * served.index));
                let mut fresh = RemoteTree::new();
                let proof = log
                    .proof(served.index, 0, hash, &mut fresh)
                    .unwrap()
                    .unwrap();
                check_proof(&proof, &served.nodes, served.signature.as_deref());
            }
        }
        log.close().unwrap();
        for (name, expected) in &run.files {
            expected.check(name, &file(&dir, name));
        }
        check_state(&reader(&dir), &run.reopened);
    }
}

#[track_caller]
fn check_state(log: &Hypercore, expected: &After) {
    assert_eq!(log.length(), expected.length);
    assert_eq!(log.byte_length(), expected.byte_length);
    if let Some(blocks) = &expected.block_bits {
        let held: Vec<u64> = (0..log.length()).filter(|index| log.has(*index)).collect();
        assert_eq!(&held, blocks);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tampered {
    name: String,
    prior_put: Option<u64>,
    index: u64,
    value: Option<String>,
    nodes: Vec<VectorNode>,
    signature: Option<String>,
    accepted: bool,
    after: After,
}

#[test]
fn altered_proofs_are_refused() {
    let cases: Vec<Tampered> = section("tampered");
    assert_eq!(cases.len(), 20);
    let writer = named_log("single-5");
    for case in cases {
        let mut log = reader(&MemoryDir::new());
        if let Some(index) = case.prior_put {
            let proof = writer.proof(index, log.digest(index), false, &mut RemoteTree::new());
            log.put(index, Some(&block(index)), proof.unwrap().unwrap())
                .unwrap();
        }
        let before = (log.length(), log.byte_length(), log.has(case.index));
        let proof = Proof {
            nodes: case.nodes.iter().map(VectorNode::node).collect(),
            signature: case.signature.as_deref().map(signature),
        };
        let value = case.value.as_deref().map(|hex| hex::decode(hex).unwrap());
        let put = log.put(case.index, value.as_deref(), proof);
        // A reply with another block's leaf is one of the reference's holes.
        let accepted = case.accepted && case.name != "hash request answered with nodes of block 0";
        assert_eq!(put.is_ok(), accepted, "{}: {put:?}", case.name);
        if accepted {
            check_state(&log, &case.after);
        } else {
            let after = (log.length(), log.byte_length(), log.has(case.index));
            assert_eq!(after, before, "{}", case.name);
        }
    }
}

#[derive(Deserialize)]
struct Sought {
    log: String,
    bytes: u64,
    result: Option<Place>,
}

#[derive(Deserialize)]
struct Place {
    index: u64,
    offset: u64,
}

#[test]
fn bytes_are_found_in_the_same_blocks() {
    let cases: Vec<Sought> = section("seeks");
    assert!(cases.len() > 100);
    for case in cases {
        match (named_log(&case.log).seek(case.bytes).unwrap(), case.result) {
            (Seek::Found { block, offset, .. }, Some(place)) => {
                assert_eq!(
                    (block, offset),
                    (place.index, place.offset),
                    "byte {}",
                    case.bytes
                );
            }
            (Seek::BeyondEnd, None) => {}
            (found, _) => panic!("byte {} of {}: {found:?}", case.bytes, case.log),
        }
    }
}

#[derive(Deserialize)]
struct RleVectors {
    encode: Vec<Encoded>,
    decode: Vec<Decoded>,
}

#[derive(Deserialize)]
struct Encoded {
    input: String,
    encoded: String,
}

#[derive(Deserialize)]
struct Decoded {
    encoded: String,
    decoded: Option<String>,
    error: Option<bool>,
}

#[test]
fn bitfields_are_packed_alike() {
    let vectors: RleVectors = section("bitfieldRle");
    for case in &vectors.encode {
        let input = hex::decode(&case.input).unwrap();
        assert_eq!(hex::encode(rle::encode(&input)), case.encoded);
    }
    for case in &vectors.decode {
        let input = hex::decode(&case.encoded).unwrap();
        let decoded = rle::decode(&input, 1 << 20);
        if case.error == Some(true) {
            assert!(decoded.is_err(), "{}", case.encoded);
            continue;
        }
        let expected = hex::decode(case.decoded.as_ref().unwrap()).unwrap();
        assert_eq!(decoded.unwrap(), expected);
        if let Some(too_little) = expected.len().checked_sub(1) {
            assert!(rle::decode(&input, too_little).is_err(), "{}", case.encoded);
        }
    }
}
