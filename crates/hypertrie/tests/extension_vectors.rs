//! Lookups over the network are answered as the reference answers them (section `extension` of the
//! vectors; its codec is tested beside ours).

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{bytes, vectors};
use futures_lite::future::block_on;
use hypertrie::{Op, Trie};
use serde_json::json;
use sha2::{Digest, Sha256};

/// The trie of the vectors: `k/0` to `k/299`, in one batch.
fn three_hundred() -> Trie {
    let trie = common::trie();
    let ops = (0..300).map(|i| Op::put(format!("k/{i}"), bytes(&i.to_string())));
    block_on(trie.batch(ops.collect())).unwrap();
    trie
}

#[test]
fn the_trie_is_the_reference_s() {
    let blocks = common::blocks(&three_hundred()).concat();
    assert_eq!(
        hex::encode(Sha256::digest(blocks)),
        vectors()["extension"]["responderBlocksSha256"]
    );
}

#[test]
fn answers_are_the_reference_s() {
    let trie = three_hundred();
    for exchange in vectors()["extension"]["exchanges"].as_array().unwrap() {
        let request = testkit::vectors::bytes(&exchange["requestHex"]);
        let answers: Vec<_> = trie.answer(&request).iter().map(hex::encode).collect();
        assert_eq!(
            json!(answers),
            exchange["replies"],
            "{}",
            exchange["request"]
        );
    }
}

#[test]
fn what_is_no_request_is_not_answered() {
    let trie = three_hundred();
    for exchange in vectors()["extension"]["exchanges"].as_array().unwrap() {
        for reply in exchange["replies"].as_array().unwrap() {
            assert!(trie.answer(&testkit::vectors::bytes(reply)).is_empty());
        }
    }
    assert!(trie.answer(b"").is_empty());
    assert!(trie.answer(b"\xff").is_empty());
}
