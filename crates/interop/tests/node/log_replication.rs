//! Logs replicated with Node: both roles, both runtimes, both directions.

use std::sync::Arc;

use hypercore_crypto::KeyPair;
use hypercore_protocol::Role;
use hypercore_replication::FeedSet;
use interop::{digest, pattern};
use serde_json::json;

use crate::network::Network;
use crate::node_log::{NodeLog, reader, source, writer};

const ROLES: [Role; 2] = [Role::Initiator, Role::Responder];

/// Sizes of blocks, over and over: empty, small, large.
const SIZES: [usize; 6] = [0, 1, 100, 1000, 65_536, 3];

#[test]
fn a_log_of_node_is_downloaded_on_tokio() {
    for role in ROLES {
        download(&Network::tokio(), role);
    }
}

#[test]
fn a_log_of_node_is_downloaded_on_async_std() {
    for role in ROLES {
        download(&Network::async_std(), role);
    }
}

#[track_caller]
fn download(network: &Network, role: Role) {
    let mut theirs = NodeLog::new();
    let blocks = blocks(500, 0);
    theirs.append(&blocks);
    let ours = reader(&theirs.key);
    network.connect(role, &mut theirs.node, "it", source(&ours));

    let length = network
        .wait("the length", ours.wait_longer_than(499))
        .expect("the log is open");
    assert_eq!(length, 500);
    network
        .wait("the blocks", ours.download(0..length))
        .expect("the blocks arrive");
    let stored = ours
        .get_range_local(0..length)
        .expect("the blocks are stored");
    assert!(stored.iter().eq(blocks.iter()), "the blocks differ");
}

#[test]
fn a_log_of_ours_is_downloaded_by_node() {
    for network in [Network::tokio(), Network::async_std()] {
        for role in ROLES {
            let ours = writer();
            let blocks = blocks(500, 0);
            ours.append_batch(&blocks).expect("the log appends");
            let mut copy = NodeLog::copy_of(&ours);
            network.connect(role, &mut copy.node, "it", source(&ours));
            copy.node.ask("log.update", json!({ "length": 500 }));
            copy.node.ask("log.download", json!({ "end": 500 }));
            let stored = copy.node.ask("log.digest", json!({}));
            assert_eq!(stored["digest"], digest(&blocks.concat()));
            let audit = copy.node.ask("log.audit", json!({}));
            assert_eq!(audit, json!({ "valid": 500, "invalid": 0 }));
        }
    }
}

#[test]
fn blocks_appended_by_node_arrive_live() {
    for role in ROLES {
        let network = Network::tokio();
        let mut theirs = NodeLog::new();
        theirs.append(&blocks(3, 0));
        let ours = reader(&theirs.key);
        network.connect(role, &mut theirs.node, "it", source(&ours));
        for (index, block) in (3..20).zip(blocks(17, 3)) {
            theirs.append(std::slice::from_ref(&block));
            network
                .wait("an append", ours.wait_longer_than(index))
                .expect("the log is open");
            let arrived = network
                .wait("a block", ours.get(index))
                .expect("the block arrives");
            assert!(arrived == block, "block {index} differs");
        }
    }
}

#[test]
fn blocks_appended_here_arrive_in_node_live() {
    for role in ROLES {
        let network = Network::tokio();
        let ours = writer();
        let mut copy = NodeLog::copy_of(&ours);
        network.connect(role, &mut copy.node, "it", source(&ours));
        // An empty first block is one that Node stores and then cannot read back.
        for (index, block) in (0..20).zip(blocks(20, 1)) {
            let question = copy.node.begin("log.get", json!({ "index": index }));
            ours.append(&block).expect("the log appends");
            let arrived = copy.node.finish(question);
            assert_eq!(arrived["hex"], hex::encode(&block));
        }
    }
}

#[test]
fn a_get_fetches_one_block() {
    let network = Network::tokio();
    let mut theirs = NodeLog::new();
    let blocks = blocks(3000, 0);
    theirs.append(&blocks);
    let ours = reader(&theirs.key);
    network.connect(Role::Initiator, &mut theirs.node, "it", source(&ours));
    for index in [2999, 0, 1500] {
        let block = network
            .wait("a block", ours.get(index))
            .expect("the block arrives");
        assert!(block == blocks[usize::try_from(index).expect("it is small")]);
    }
    assert_eq!(ours.downloaded(0..3000), 3);
}

#[test]
fn a_byte_offset_is_found_through_node() {
    let network = Network::tokio();
    let mut theirs = NodeLog::new();
    theirs.append(&[1000; 100].map(|size| pattern(size, 1)));
    let ours = reader(&theirs.key);
    network.connect(Role::Initiator, &mut theirs.node, "it", source(&ours));
    network
        .wait("the length", ours.wait_longer_than(99))
        .expect("the log is open");
    assert_eq!(ours.downloaded(0..100), 0, "hashes lead to the length");
    let found = network
        .wait("the offset", ours.seek(54_321, 0..100))
        .expect("the seek ends");
    assert_eq!(found, Some((54, 321)));
    // Hashes lead to it; the block itself is what proves the sizes before it.
    assert_eq!(ours.downloaded(0..100), 1);
}

#[test]
fn node_finds_a_byte_offset_through_us() {
    let network = Network::tokio();
    let ours = writer();
    ours.append_batch(&[1000; 100].map(|size| pattern(size, 1)))
        .expect("the log appends");
    let mut copy = NodeLog::copy_of(&ours);
    network.connect(Role::Responder, &mut copy.node, "it", source(&ours));
    copy.node.ask("log.update", json!({ "length": 100 }));
    let found = copy.node.ask("log.seek", json!({ "at": 54_321 }));
    assert_eq!(found, json!({ "index": 54, "offset": 321 }));
}

#[test]
fn a_log_that_passes_through_us_reaches_another_node() {
    // Node, we, another Node: the proofs that we make from stored ones have to hold.
    let network = Network::tokio();
    let mut author = NodeLog::new();
    let blocks = blocks(1000, 0);
    author.append(&blocks);
    let ours = reader(&author.key);
    network.connect(Role::Initiator, &mut author.node, "it", source(&ours));
    let mut copy = NodeLog::copy_of(&ours);
    network.connect(Role::Responder, &mut copy.node, "it", source(&ours));
    let grown = copy.node.begin("log.update", json!({ "length": 1000 }));
    network
        .wait("the length", ours.wait_longer_than(999))
        .expect("the log is open");
    network
        .wait("the blocks", ours.download(0..1000))
        .expect("the blocks arrive");
    copy.node.finish(grown);
    copy.node.ask("log.download", json!({ "end": 1000 }));
    let stored = copy.node.ask("log.digest", json!({}));
    assert_eq!(stored["digest"], digest(&blocks.concat()));
}

#[test]
fn a_partial_copy_serves_what_it_has() {
    let network = Network::tokio();
    let mut author = NodeLog::new();
    let blocks = blocks(100, 0);
    author.append(&blocks);
    let ours = reader(&author.key);
    network.connect(Role::Initiator, &mut author.node, "it", source(&ours));
    network
        .wait("the length", ours.wait_longer_than(99))
        .expect("the log is open");
    network
        .wait("some blocks", ours.download(20..50))
        .expect("the blocks arrive");
    author.node.ask("hangup", json!({}));
    drop(author);

    let mut copy = NodeLog::copy_of(&ours);
    network.connect(Role::Responder, &mut copy.node, "it", source(&ours));
    let state = copy
        .node
        .ask("log.download", json!({ "start": 20, "end": 50 }));
    assert_eq!(state["downloaded"], 30);
    let block = copy
        .node
        .ask("log.get", json!({ "index": 33, "wait": false }));
    assert_eq!(block["hex"], hex::encode(&blocks[33]));
}

/// Node lies about one log: that costs neither another log nor the connection.
#[test]
fn fault_w8_node_lies_about_one_of_two_logs() {
    for role in ROLES {
        let network = Network::tokio();
        let mut theirs = NodeLog::new();
        let blocks = blocks(100, 0);
        theirs.append(&blocks);
        let (ours, lied_about) = (
            reader(&theirs.key),
            reader(&KeyPair::from_seed(&[6; 32]).public),
        );
        let key = hex::encode(lied_about.public_key().as_bytes());
        theirs.node.ask(
            "log.liar",
            json!({ "as": "liar", "key": key, "length": 100, "lies": 5 }),
        );
        let both = FeedSet::from_iter([ours.clone(), lied_about.clone()]);
        network.connect(role, &mut theirs.node, "liar", Arc::new(both));
        let _all = lied_about.download(0..100);
        for _ in 0..5 {
            theirs.node.event("lie");
        }
        network
            .wait("the honest log", ours.download(0..100))
            .expect("the blocks arrive");
        assert_eq!(lied_about.downloaded(0..100), 0);
        // On the same connection still.
        assert_eq!((ours.peers(), lied_about.peers()), (1, 1));
    }
}

fn blocks(count: usize, from: usize) -> Vec<Vec<u8>> {
    let sizes = SIZES.iter().cycle().skip(from).take(count);
    sizes
        .zip(0..)
        .map(|(size, seed)| pattern(*size, seed))
        .collect()
}
