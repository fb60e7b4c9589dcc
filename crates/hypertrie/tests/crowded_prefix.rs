//! Very many keys whose hashes begin alike cost no more than their number.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::env;

use common::{get, open};
use futures_lite::future::block_on;
use hypertrie::{IterOptions, Op, Options};

/// Hashes that differ in their last 24 bits only.
fn crowded(component: &[u8]) -> [u8; 8] {
    let hash = siphasher::sip::SipHasher24::new().hash(component);
    let [a, b, c, ..] = hash.to_le_bytes();
    [7, 7, 7, 7, 7, a, b, c]
}

/// `KEYS=1000000` does it with a million of them.
#[test]
fn fault_t2_many_keys_with_one_hash_prefix() {
    let count = env::var("KEYS").map_or(50_000, |text| text.parse::<u64>().unwrap());
    let trie = open(common::feed(), Options::new().component_hash(crowded));
    let mut largest = 0;
    for start in (0..count).step_by(10_000) {
        let end = count.min(start + 10_000);
        let ops = (start..end).map(|i| Op::put(format!("dir/{i}"), common::bytes(&i.to_string())));
        block_on(trie.batch(ops.collect())).unwrap();
        let newest = trie.feed().get_local(trie.version() - 1).unwrap();
        largest = largest.max(newest.unwrap().len());
    }
    // Only digits at which keys part have pointers, so that a node's size grows with the logarithm.
    assert!(largest < 250, "{largest} bytes");
    for i in (0..count).step_by(997) {
        assert_eq!(get(&trie, &format!("dir/{i}")), Some(i.to_string()));
    }
    let mut listed = 0;
    let mut iter = trie.iter("dir", IterOptions::new().recursive(false));
    while block_on(iter.next()).unwrap().is_some() {
        listed += 1;
    }
    assert_eq!(listed, count);
}
