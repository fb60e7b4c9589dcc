//! What the tests share: a log in memory, the vectors, and a few short forms.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part"
)]

use std::sync::Arc;

use bytes::Bytes;
use futures_lite::future::block_on;
use futures_lite::{Stream, StreamExt};
use hypercore::{Feed, Hypercore};
use hypercore_crypto::KeyPair;
use hypercore_storage::MemoryDir;
use hypertrie::{Diff, IterOptions, Node, Op, Options, PutOptions, Trie, TrieError};
use serde_json::Value;

/// An empty log in memory that can be written, with the key that the vectors use.
pub fn feed() -> Feed {
    let options = hypercore::Options::new().key_pair(KeyPair::from_seed(&[1; 32]));
    Feed::new(Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap())
}

/// An empty trie in memory.
pub fn trie() -> Trie {
    open(feed(), Options::new())
}

pub fn open(feed: Feed, options: Options) -> Trie {
    block_on(Trie::open(feed, options)).unwrap()
}

/// A trie on a log that holds these blocks.
pub fn trie_of<B: AsRef<[u8]>>(blocks: &[B], options: Options) -> Trie {
    let feed = feed();
    feed.append_batch(blocks).unwrap();
    open(feed, options)
}

/// All blocks of a trie's log, in hex.
pub fn blocks(trie: &Trie) -> Vec<String> {
    let feed = trie.feed();
    (0..feed.length())
        .map(|index| hex::encode(feed.get_local(index).unwrap().unwrap()))
        .collect()
}

pub fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub fn put(trie: &Trie, key: &str, value: &str) -> Node {
    block_on(trie.put(key, bytes(value))).unwrap()
}

/// The value of a visible key, as text.
pub fn get(trie: &Trie, key: &str) -> Option<String> {
    let node = block_on(trie.get(key)).unwrap()?;
    Some(String::from_utf8(node.value?.to_vec()).unwrap())
}

pub fn list(trie: &Trie, prefix: &str, options: IterOptions) -> Vec<Node> {
    drain(trie.iter(prefix, options))
}

pub fn keys(trie: &Trie, prefix: &str, options: IterOptions) -> Vec<String> {
    list(trie, prefix, options)
        .into_iter()
        .map(|node| node.key)
        .collect()
}

pub fn vectors() -> Value {
    testkit::vectors::load("tests/vectors/hypertrie.json")
}

/// The keys, left and right seqs of a comparison; 0 where there is no node.
pub fn changes(diff: Diff) -> Vec<(String, u64, u64)> {
    let seq = |node: &Option<Node>| node.as_ref().map_or(0, |node| node.seq);
    let changes = drain(diff).into_iter();
    changes
        .map(|change| (change.key, seq(&change.left), seq(&change.right)))
        .collect()
}

/// All that a walk comes up with.
pub fn drain<T>(walk: impl Stream<Item = Result<T, TrieError>>) -> Vec<T> {
    block_on(walk.map(Result::unwrap).collect())
}

/// The hash of the vectors whose `hash` says `first-byte`: three-way collisions need one like it.
pub fn first_byte(component: &[u8]) -> [u8; 8] {
    [component.first().copied().unwrap_or(0); 8]
}

/// An operation as the vectors have them.
pub fn op(value: &Value) -> Op {
    let key = value["key"].as_str().unwrap();
    let hidden = value["hidden"].as_bool().unwrap_or(false);
    match value["op"].as_str().unwrap() {
        "put" => {
            let options = PutOptions::new()
                .hidden(hidden)
                .flags(value["flags"].as_u64().unwrap_or(0));
            Op::put_with(key, value["value"].as_str().map(bytes), options)
        }
        "del" => Op::Del {
            key: key.to_owned(),
            hidden,
        },
        other => panic!("unknown operation {other}"),
    }
}

/// Carries out a scenario's operations, each batch of it as one.
pub fn apply(trie: &Trie, ops: &[Value]) {
    for value in ops {
        let ops = match value["ops"].as_array() {
            Some(ops) => ops.iter().map(op).collect(),
            None => vec![op(value)],
        };
        block_on(trie.batch(ops)).unwrap();
    }
}

/// A node's block, written by hand. Each bucket is an index, a set of slots, and their targets.
pub fn node_block(key: &str, seq: u64, buckets: &[(u64, u64, &[u64])]) -> Vec<u8> {
    let mut links = Vec::new();
    put_varint(buckets.last().map_or(0, |bucket| bucket.0 + 1), &mut links);
    for (index, slots, targets) in buckets {
        for number in [index, slots].into_iter().chain(*targets) {
            put_varint(*number, &mut links);
        }
    }
    raw_block(key.as_bytes(), seq, &links)
}

/// A node's block with any bytes for pointers.
pub fn raw_block(key: &[u8], seq: u64, links: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for (tag, field) in [(0x0a, key), (0x12, b"value"), (0x1a, links)] {
        block.push(tag);
        put_varint(field.len() as u64, &mut block);
        block.extend(field);
    }
    block.push(0x20);
    put_varint(seq, &mut block);
    block.extend([0x28, 0]);
    block
}

fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number > 0x7f {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// The digits of a path, by which hostile nodes are made. Digit 0 says hidden.
pub fn digits(key: &str) -> Vec<u8> {
    let mut digits = vec![0];
    for name in key.split('/') {
        for byte in siphasher::sip::SipHasher24::new()
            .hash(name.as_bytes())
            .to_le_bytes()
        {
            digits.extend((0..4).map(|pair| (byte >> (2 * pair)) & 3));
        }
    }
    digits.push(4);
    digits
}
