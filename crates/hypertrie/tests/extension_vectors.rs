//! Lookups over the network are answered as the reference answers them (section `extension` of the
//! vectors; its codec is tested beside ours).

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{bytes, vectors};
use futures_lite::future::block_on;
use hypertrie::{Op, Trie};
use proptest::collection::vec;
use proptest::prelude::*;
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

proptest! {
    /// Requests from anybody, near to real ones and far from them.
    #[test]
    fn fault_t4_any_request_is_answered_within_bounds(
        which in 0..3_u8,
        head in prop_oneof![0..400_u64, any::<u64>()],
        key in "[k/0-9]{0,6}",
        flags in any::<u8>(),
        checkpoint in proptest::option::of(vec(any::<u8>(), 0..40)),
        noise in vec(any::<u8>(), 0..60),
    ) {
        let trie = TRIE.with(Clone::clone);
        let mut body = vec![0x08];
        put_varint(head, &mut body);
        body.extend([0x12, u8::try_from(key.len()).unwrap()]);
        body.extend(key.as_bytes());
        let message = match which {
            0 => noise,
            1 => framed(0x1a, &body),
            _ => {
                body.extend([0x18, flags & 0x7f]);
                if let Some(checkpoint) = checkpoint {
                    body.extend([0x22, u8::try_from(checkpoint.len()).unwrap()]);
                    body.extend(checkpoint);
                }
                framed(0x12, &body)
            }
        };
        for answer in trie.answer(&message) {
            prop_assert!(answer.len() < 2048);
        }
        // At most 2176 hints and those of one more node, 128 a message.
        prop_assert!(trie.answer(&message).len() <= 18);
    }
}

thread_local! {
    static TRIE: Trie = three_hundred();
}

fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![tag, u8::try_from(body.len()).unwrap()];
    message.extend(body);
    message
}

fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number > 0x7f {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}
