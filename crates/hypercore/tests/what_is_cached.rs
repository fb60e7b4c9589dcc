//! Nodes are kept in memory up to a limit, blocks never.

#![allow(clippy::unwrap_used)]

use std::io;
use std::sync::Arc;

use hypercore::{Hypercore, Options};
use hypercore_crypto::KeyPair;
use testkit::{Call, Fault, FaultyDir};

fn log_of(blocks: usize, dir: &FaultyDir, cached_nodes: usize) -> Hypercore {
    let pair = KeyPair::from_seed(&[7; 32]);
    let options = Options::new().key_pair(pair).cached_nodes(cached_nodes);
    let mut log = Hypercore::open(Arc::new(dir.clone()), options).unwrap();
    for index in 0..blocks {
        log.append(index.to_string()).unwrap();
    }
    log.flush().unwrap();
    log
}

#[test]
fn blocks_are_not_kept_in_memory() {
    let dir = FaultyDir::new();
    let log = log_of(2, &dir, 1000);
    for _ in 0..2 {
        assert_eq!(log.get(0).unwrap().unwrap(), "0");
    }
    let fault = Fault::new(io::ErrorKind::Other);
    dir.inject(fault.on(&[Call::Read]).file("data").forever());
    // What was read before is read again.
    assert!(log.get(0).is_err());
    dir.heal();
    assert_eq!(log.get(0).unwrap().unwrap(), "0");
}

#[test]
fn a_log_without_room_for_nodes_reads_all_the_same() {
    let dir = FaultyDir::new();
    let log = log_of(3000, &dir, 0);
    for index in (0..3000).step_by(7) {
        let block = log.get(index).unwrap().unwrap();
        assert_eq!(block, index.to_string());
    }
    let all = log.get_range(0..3000).unwrap();
    assert_eq!(all.len(), 3000);
    assert_eq!(log.seek(log.byte_length() - 1).unwrap(), {
        hypercore::Seek::Found {
            block: 2999,
            offset: 3,
            certain: true,
        }
    });
}
