//! What the tests share: a log in memory, the vectors, and a few short forms.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part"
)]

use bytes::Bytes;
use futures_lite::future::block_on;
use hypercore::Feed;
use hypercore_crypto::KeyPair;
use hypertrie::{IterOptions, Node, Op, Options, PutOptions, Trie};
use serde_json::Value;

/// An empty log in memory that can be written, with the key that the vectors use.
pub fn feed() -> Feed {
    Feed::placeholder(&KeyPair::from_seed(&[1; 32]))
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
    block_on(async {
        let mut iter = trie.iter(prefix, options);
        let mut nodes = Vec::new();
        while let Some(node) = iter.next().await.unwrap() {
            nodes.push(node);
        }
        nodes
    })
}

pub fn keys(trie: &Trie, prefix: &str, options: IterOptions) -> Vec<String> {
    list(trie, prefix, options)
        .into_iter()
        .map(|node| node.key)
        .collect()
}

pub fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/hypertrie.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
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
