//! Signatures, roots and leaves of a log, for those who check it by themselves.

mod common;

use common::{block, make_log, pair, reader};
use hypercore::{Feed, ReadError, RemoteTree, roots};
use hypercore_crypto::{Signature, leaf_hash, tree_hash};
use hypercore_storage::{MemoryDir, StorageDir};

#[test]
fn signatures_cover_the_roots_of_their_length() {
    let log = make_log(&MemoryDir::new(), "single", 5);
    for index in 0..5 {
        let (length, signature) = log.signature(index).unwrap().unwrap();
        assert_eq!(length, index + 1);
        let found = log.roots_at(length).unwrap().unwrap();
        assert!(found.iter().map(|node| node.index).eq(roots(length)));
        let tree = tree_hash(found.iter().map(|n| (n.hash, n.index.get(), n.size)));
        assert!(pair().public.verify_tree(&tree, length, &signature));
        assert!(log.verify_signature(length, &signature).unwrap());
        assert!(!log.verify_signature(length - 1, &signature).unwrap());
    }
    assert_eq!(log.signature(5).unwrap(), None);
    assert_eq!(log.signature(u64::MAX).unwrap(), None);
    assert_eq!(log.roots_at(6).unwrap(), None);
    assert_eq!(log.roots_at(0).unwrap(), Some(Vec::new()));
    assert!(
        !log.verify_signature(5, &Signature::from_bytes([1; 64]))
            .unwrap()
    );
}

#[test]
fn a_batch_has_one_signature_at_its_end() {
    let log = make_log(&MemoryDir::new(), "batch", 5);
    let last = log.signature(4).unwrap();
    assert_eq!(last.unwrap().0, 5);
    assert_eq!(log.signature(0).unwrap(), last);
}

#[test]
fn leaves_are_the_hashes_of_their_blocks() {
    let log = make_log(&MemoryDir::new(), "single", 3);
    for index in 0..3 {
        let leaf = log.leaf(index).unwrap().unwrap();
        assert_eq!(leaf.hash, leaf_hash(&block(index)));
        assert_eq!(leaf.size, block(index).len() as u64);
    }
    assert_eq!(log.leaf(3).unwrap(), None);
    assert_eq!(log.head().unwrap().unwrap(), block(2));
}

#[test]
fn a_copy_answers_as_far_as_it_holds_nodes() {
    let log = make_log(&MemoryDir::new(), "single", 8);
    let mut copy = reader(&MemoryDir::new());
    assert_eq!(copy.head().unwrap(), None);
    let proof = log
        .proof(6, 0, false, &mut RemoteTree::new())
        .unwrap()
        .unwrap();
    copy.put(6, Some(&block(6)), proof).unwrap();
    assert!(copy.leaf(6).unwrap().is_some());
    assert!(copy.leaf(0).unwrap().is_none());
    assert_eq!(copy.roots_at(8).unwrap(), log.roots_at(8).unwrap());
    assert_eq!(copy.roots_at(5).unwrap(), None);
    assert_eq!(copy.signature(6).unwrap(), log.signature(7).unwrap());
}

#[test]
fn the_bytes_of_held_blocks_are_counted_and_several_ranges_cleared_at_once() {
    let mut log = make_log(&MemoryDir::new(), "batch", 20);
    let bytes = |blocks: std::ops::Range<u64>| blocks.map(|index| block(index).len() as u64).sum();
    let all: u64 = bytes(0..20);
    assert_eq!(log.held_bytes(0..1000).unwrap(), all);
    assert_eq!(log.held_bytes(3..9).unwrap(), bytes(3..9));
    assert_eq!(log.held_bytes(7..7).unwrap(), 0);
    // Ranges may overlap, and hold what is not there.
    let ranges = [4..6, 15..17, 5..8, 19..40];
    assert_eq!(log.clear_own_runs(&ranges).unwrap(), 7);
    let gone: u64 = bytes(4..8) + bytes(15..17) + bytes(19..20);
    assert_eq!(log.held_bytes(0..20).unwrap(), all - gone);
    assert_eq!(log.clear_own_runs(&ranges).unwrap(), 0);
    assert!(log.has(3) && !log.has(4) && log.has(8) && log.has(17) && !log.has(19));
}

#[test]
fn a_feed_answers_as_its_log_does_until_it_is_closed() {
    let log = make_log(&MemoryDir::new(), "single", 5);
    let signature = log.signature(3).unwrap();
    let (roots, leaf) = (log.roots_at(4).unwrap(), log.leaf(2).unwrap());
    let feed = Feed::new(log);
    assert_eq!(feed.signature(3).unwrap(), signature);
    assert_eq!(feed.roots_at(4).unwrap(), roots);
    assert_eq!(feed.leaf(2).unwrap(), leaf);
    let (length, signature) = signature.unwrap();
    assert!(feed.verify_signature(length, &signature).unwrap());
    assert!(!feed.verify_signature(length + 1, &signature).unwrap());
    feed.close().unwrap();
    assert!(matches!(feed.signature(3), Err(ReadError::Closed)));
    assert!(matches!(feed.leaf(2), Err(ReadError::Closed)));
}

#[test]
fn a_feed_that_is_destroyed_leaves_nothing_for_any_handle() {
    let dir = MemoryDir::new();
    let feed = Feed::new(make_log(&dir, "single", 3));
    let other = feed.clone();
    feed.destroy().unwrap();
    assert!(dir.list("").unwrap().is_empty());
    assert!(other.is_closed());
    assert!(matches!(other.get_local(0), Err(ReadError::Closed)));
    other.destroy().unwrap();
}
