//! An author who signs two logs is found out; the evidence convinces everybody who knows the key.

mod common;

use std::sync::Arc;
use std::task::Waker;

use common::{block, make_log, pair, reader, writer};
use futures_lite::{StreamExt, future};
use hypercore::{
    AppendError, Feed, FeedEvent, ForkProof, ForkProofError, Hypercore, Options, PutError,
    RemoteTree, Request, RequestLimits,
};
use hypercore_crypto::KeyPair;
use hypercore_storage::{MemoryDir, OpenMode, StorageDir};

/// A log that shares its first `common` blocks with that of the vectors, and is another one after.
fn other_log(common: u64, length: u64) -> Hypercore {
    let mut log = make_log(&MemoryDir::new(), "single", common);
    for index in common..length {
        log.append(format!("other {index}")).unwrap();
    }
    log
}

/// Brings a block from one log to another.
fn bring(from: &Hypercore, to: &mut Hypercore, index: u64) -> Result<hypercore::Put, PutError> {
    let value = from.get(index).unwrap();
    // Somebody who says to hold nothing is told everything.
    let proof = from.proof(index, 0, false, &mut RemoteTree::new());
    to.put(index, value.as_deref(), proof.unwrap().unwrap())
}

#[track_caller]
fn check_fork(log: &Hypercore) -> ForkProof {
    let proof = log.fork().expect("the evidence is kept").clone();
    proof.verify(&pair().public).unwrap();
    assert_eq!(ForkProof::decode(&proof.encode()).unwrap(), proof);
    assert!(proof.encode().len() <= 10_332);
    proof
}

#[test]
fn conflicting_trees_of_every_shape_are_found_and_proven() {
    // Shorter, equal and longer than what is held, with and without roots in common.
    for (shared, ours, theirs) in [
        (0, 1, 1),
        (0, 5, 3),
        (0, 3, 8),
        (2, 5, 5),
        (3, 4, 4),
        (6, 8, 8),
        (7, 8, 33),
        (0, 33, 2),
    ] {
        let honest = make_log(&MemoryDir::new(), "single", ours);
        let forked = other_log(shared, theirs);
        let dir = MemoryDir::new();
        let mut copy = reader(&dir);
        for index in 0..ours {
            bring(&honest, &mut copy, index).unwrap();
        }
        let before = copy.roots().to_vec();
        let error = bring(&forked, &mut copy, ours.min(theirs) - 1).unwrap_err();
        let context = format!("{shared} in common, {ours} held, {theirs} brought: {error}");
        assert!(matches!(error, PutError::Conflict { .. }), "{context}");
        let proof = check_fork(&copy);
        assert_eq!((proof.first.length, proof.second.length), (ours, theirs));

        // Nothing of it is stored, and nothing more is taken.
        assert_eq!(copy.roots(), before);
        for index in 0..ours {
            assert_eq!(copy.get(index).unwrap().unwrap(), block(index), "{context}");
        }
        assert!(matches!(
            bring(&honest, &mut copy, 0),
            Err(PutError::Frozen)
        ));
        copy.close().unwrap();
        let mut copy = reader(&dir);
        assert_eq!(check_fork(&copy), proof, "also after it was opened again");
        assert!(matches!(
            bring(&honest, &mut copy, 0),
            Err(PutError::Frozen)
        ));
    }
}

#[test]
fn an_author_who_meets_another_log_of_its_own_appends_no_more() {
    let dir = MemoryDir::new();
    let mut log = make_log(&dir, "single", 4);
    let error = bring(&other_log(2, 6), &mut log, 3).unwrap_err();
    assert!(matches!(error, PutError::Conflict { .. }), "{error}");
    check_fork(&log);
    assert!(matches!(log.append("more"), Err(AppendError::Frozen)));
    log.close().unwrap();
    assert!(matches!(
        writer(&dir).append("more"),
        Err(AppendError::Frozen)
    ));
}

#[test]
fn what_proves_no_fork_is_refused() {
    let honest = make_log(&MemoryDir::new(), "single", 5);
    let mut copy = reader(&MemoryDir::new());
    bring(&honest, &mut copy, 2).unwrap();
    bring(&other_log(2, 6), &mut copy, 2).unwrap_err();
    let good = check_fork(&copy);
    let key = pair().public;
    let stranger = KeyPair::from_seed(&[3; 32]).public;
    let verify = |change: fn(&mut ForkProof)| {
        let mut proof = good.clone();
        change(&mut proof);
        proof.verify(&key).unwrap_err()
    };
    assert!(matches!(
        good.verify(&stranger),
        Err(ForkProofError::Signature { .. })
    ));
    assert_eq!(
        verify(|proof| proof.second = proof.first.clone()),
        ForkProofError::NoConflict
    );
    let changed = verify(|proof| proof.second.length += 1);
    assert!(matches!(changed, ForkProofError::Signature { length: 7 }));
    let changed = verify(|proof| proof.first.roots[0].size += 1);
    assert!(matches!(changed, ForkProofError::Signature { length: 5 }));
    let changed = verify(|proof| proof.first.way.clear());
    assert!(matches!(changed, ForkProofError::Way { length: 5 }));
    let changed = verify(|proof| proof.second.way[0].size += 1);
    assert!(matches!(changed, ForkProofError::Way { length: 6 }));
    let changed = verify(|proof| proof.first.length = u64::MAX);
    assert!(matches!(changed, ForkProofError::Signature { .. }));

    // No byte can be missing, added or changed.
    let bytes = good.encode();
    for end in 0..bytes.len() {
        assert!(ForkProof::decode(&bytes[..end]).is_err());
    }
    assert!(ForkProof::decode(&[&bytes[..], &[0]].concat()).is_err());
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1 << (at % 8);
        let found = ForkProof::decode(&bytes).and_then(|proof| proof.verify(&key));
        assert!(found.is_err(), "byte {at}");
    }
}

#[test]
fn a_damaged_file_of_evidence_freezes_nothing() {
    let dir = MemoryDir::new();
    make_log(&dir, "single", 2).close().unwrap();
    for bytes in [vec![0; 10], b"hcfork\0\x01".to_vec(), vec![7; 1 << 20]] {
        let file = dir.open("fork", OpenMode::Create).unwrap();
        file.truncate(0).unwrap();
        file.write(0, &bytes).unwrap();
        let mut log = writer(&dir);
        assert!(log.fork().is_none());
        log.append("more").unwrap();
    }
}

#[test]
fn a_feed_tells_of_the_fork_and_names_nobody_as_a_liar() {
    let honest = make_log(&MemoryDir::new(), "single", 5);
    let mut copy = reader(&MemoryDir::new());
    for index in 0..5 {
        bring(&honest, &mut copy, index).unwrap();
    }
    let feed = Feed::new(copy);
    let mut events = feed.events();
    let peer = feed.join(Waker::noop().clone());
    peer.handle_open();
    peer.handle_have(0..6);
    let wish = feed.download(0..6);
    let request = next_request(&peer);
    let forked = other_log(2, 6);
    let proof = forked.proof(request.index, 0, false, &mut RemoteTree::new());
    let value = forked.get(request.index).unwrap();
    let error = peer
        .handle_data(request.index, value, proof.unwrap().unwrap())
        .unwrap_err();
    assert!(
        matches!(error, hypercore::DataError::Unusable(_)),
        "{error}"
    );
    drop(wish);
    let proof = feed.fork().unwrap();
    proof.verify(&feed.public_key()).unwrap();
    let found = future::block_on(events.find(|event| matches!(event, FeedEvent::Forked(_))));
    assert_eq!(found, Some(FeedEvent::Forked(Box::new(proof))));
}

fn next_request(peer: &hypercore::Peer) -> Request {
    let mut requests = Vec::new();
    let limits = RequestLimits {
        urgent: 16,
        bulk: 16,
    };
    peer.poll_requests(limits, &mut requests);
    requests[0]
}

/// A writer whose storage was restored from a backup, while others have what came after.
#[test]
fn fault_s9_restored_backup_meets_a_newer_length() {
    let newer = make_log(&MemoryDir::new(), "single", 9);
    let feed = Feed::new(make_log(&MemoryDir::new(), "single", 6));
    feed.flush().unwrap();
    let mut events = feed.events();
    let peer = feed.join(Waker::noop().clone());
    peer.handle_open();
    // A peer says that it has more. Only a proof counts, which is asked for unbidden.
    peer.handle_have(0..9);
    let request = next_request(&peer);
    assert_eq!((request.index, request.hash), (8, true));
    let proof = newer.proof(8, request.nodes, true, &mut RemoteTree::new());
    peer.handle_data(8, None, proof.unwrap().unwrap()).unwrap();

    let error = feed.append("something else").unwrap_err();
    assert!(
        matches!(
            error,
            AppendError::Fork {
                length: 6,
                signed: 9
            }
        ),
        "{error}"
    );
    let overtaken = FeedEvent::Overtaken {
        length: 6,
        newest: 9,
    };
    assert!(future::block_on(events.any(|event| event == overtaken)));

    // What is missing is fetched; then the log goes on, and those who have it follow.
    let _all = feed.download(6..9);
    while !feed.has_range(0..9) {
        assert!(feed.append("something else").is_err());
        let mut requests = Vec::new();
        let limits = RequestLimits { urgent: 1, bulk: 1 };
        peer.poll_requests(limits, &mut requests);
        assert!(!requests.is_empty());
        for Request {
            index, nodes, hash, ..
        } in requests
        {
            let proof = newer.proof(index, nodes, hash, &mut RemoteTree::new());
            let value = (!hash).then(|| newer.get(index).unwrap().unwrap());
            peer.handle_data(index, value, proof.unwrap().unwrap())
                .unwrap();
        }
    }
    assert_eq!(feed.append(block(9)).unwrap(), 9);
}

#[test]
fn fault_s9_restored_backup_waits_until_its_length_is_confirmed() {
    let open = |length| {
        let dir = MemoryDir::new();
        make_log(&dir, "single", length).close().unwrap();
        let options = Options::new().key_pair(pair()).confirm_length(true);
        Hypercore::open(Arc::new(dir), options).unwrap()
    };
    let feed = Feed::new(open(6));
    let refused = || feed.append("x").unwrap_err();
    assert!(matches!(refused(), AppendError::Unconfirmed { length: 6 }));
    // There is nobody to ask.
    assert_eq!(future::block_on(feed.confirm_length()).unwrap(), None);
    assert!(matches!(refused(), AppendError::Unconfirmed { length: 6 }));

    // A peer that has no more than is here.
    let peer = feed.join(Waker::noop().clone());
    assert!(!peer.is_needed());
    let asked = async {
        peer.handle_open();
        assert!(peer.is_needed(), "the peer is to be asked what it has");
        let region = peer.poll_region().unwrap();
        peer.handle_have(0..6);
        peer.handle_region(region.start);
    };
    let (confirmed, ()) = future::block_on(future::zip(feed.confirm_length(), asked));
    assert_eq!(confirmed.unwrap(), Some(true));
    assert_eq!(feed.append("x").unwrap(), 6);

    // Or the caller says so.
    let mut log = open(3);
    assert!(log.append("x").is_err());
    log.confirm_length();
    assert_eq!(log.append("x").unwrap(), 3);
}

/// The files of a copy into which a program that compares nothing has put a block of another log, with
/// the nodes and the signature that came with it.
fn mixed(held: u64, shared: u64, other: u64) -> MemoryDir {
    let dir = MemoryDir::new();
    let mut copy = reader(&dir);
    let honest = make_log(&MemoryDir::new(), "single", held);
    for index in 0..held {
        bring(&honest, &mut copy, index).unwrap();
    }
    copy.close().unwrap();
    let forked = other_log(shared, other);
    let proof = forked.proof(other - 1, 0, false, &mut RemoteTree::new());
    let proof = proof.unwrap().unwrap();
    let tree = dir.open("tree", OpenMode::Existing).unwrap();
    let leaf = forked.leaf(other - 1).unwrap().unwrap();
    for node in proof.nodes.iter().chain([&leaf]).chain(forked.roots()) {
        let mut bytes = node.hash.as_bytes().to_vec();
        bytes.extend(node.size.to_be_bytes());
        tree.write(32 + 40 * node.index.get(), &bytes).unwrap();
    }
    let signatures = dir.open("signatures", OpenMode::Existing).unwrap();
    let signature = proof.signature.unwrap();
    signatures
        .write(32 + 64 * (other - 1), signature.as_bytes())
        .unwrap();
    dir
}

#[test]
fn an_audit_finds_two_signed_trees_in_one_directory() {
    for (held, shared, other) in [(8, 0, 9), (8, 5, 10), (4, 1, 5), (2, 0, 3), (16, 9, 17)] {
        let context = format!("{held} held, {shared} in common, {other} in the other");
        for repair in [false, true] {
            let dir = mixed(held, shared, other);
            let mut log = reader(&dir);
            assert!(log.fork().is_none());
            if repair {
                log.repair().unwrap();
            } else {
                let audit = log.audit().unwrap();
                assert!(audit.is_forked && !audit.is_clean(), "{context}");
            }
            let proof = check_fork(&log);
            let lengths = [proof.first.length, proof.second.length];
            assert!(
                lengths.contains(&held) && lengths.contains(&other),
                "{context}"
            );
            drop(log);
            let mut log = reader(&dir);
            assert_eq!(check_fork(&log), proof, "{context}");
            let honest = make_log(&MemoryDir::new(), "single", held);
            let refused = bring(&honest, &mut log, 0);
            assert!(matches!(refused, Err(PutError::Frozen)), "{context}");
        }
    }
}

#[test]
fn an_audit_through_a_feed_tells_of_a_fork_once() {
    let feed = Feed::new(reader(&mixed(8, 0, 9)));
    let mut events = feed.events();
    assert!(feed.audit().unwrap().is_forked);
    assert!(feed.audit().unwrap().is_forked);
    feed.close().unwrap();
    let told = future::block_on(async {
        let mut told = 0;
        while let Some(event) = events.next().await {
            told += usize::from(matches!(event, FeedEvent::Forked(_)));
        }
        told
    });
    assert_eq!(told, 1);
}

#[test]
fn damage_alone_is_no_fork() {
    let dir = MemoryDir::new();
    make_log(&dir, "single", 8).close().unwrap();
    let tree = dir.open("tree", OpenMode::Existing).unwrap();
    tree.write(32 + 40 * 3 + 5, &[0xff; 7]).unwrap();
    let mut log = reader(&dir);
    let audit = log.audit().unwrap();
    assert!(!audit.is_forked && !audit.damaged_nodes.is_empty());
    assert!(log.fork().is_none());
}
