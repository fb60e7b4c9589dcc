//! The vectors, and small helpers for tests.
#![allow(dead_code, unreachable_pub)] // each test file uses its part

pub mod crash;
pub mod link;

use std::sync::Arc;

use hypercore::{Hypercore, Node, NodeIndex, Options};
use hypercore_crypto::{Hash, KeyPair, Signature};
use hypercore_storage::{MemoryDir, OpenMode, StorageDir};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// One section of `hypercore.json`.
pub fn section<T: DeserializeOwned>(name: &str) -> T {
    let all: Value = serde_json::from_str(include_str!("../vectors/hypercore.json")).unwrap();
    serde_json::from_value(all[name].clone()).unwrap()
}

/// One section of `protocol.json`.
pub fn protocol_section<T: DeserializeOwned>(name: &str) -> T {
    let all: Value = serde_json::from_str(include_str!("../vectors/protocol.json")).unwrap();
    serde_json::from_value(all[name].clone()).unwrap()
}

/// The key pair that signed all logs of the vectors.
pub fn pair() -> KeyPair {
    let mut seed = [0; 32];
    for (index, byte) in seed.iter_mut().enumerate() {
        *byte = u8::try_from(index).unwrap();
    }
    KeyPair::from_seed(&seed)
}

/// Block `index` of the logs of the vectors.
pub fn block(index: u64) -> Vec<u8> {
    const LENGTHS: [u64; 8] = [5, 0, 1, 12, 3, 40, 2, 7];
    let length = LENGTHS[usize::try_from(index & 7).unwrap()];
    (0..length)
        .map(|at| u8::try_from((index * 31 + at * 7 + 1) & 255).unwrap())
        .collect()
}

pub fn writer(dir: &MemoryDir) -> Hypercore {
    Hypercore::open(Arc::new(dir.clone()), Options::new().key_pair(pair())).unwrap()
}

pub fn reader(dir: &MemoryDir) -> Hypercore {
    Hypercore::open(Arc::new(dir.clone()), Options::new().key(pair().public)).unwrap()
}

/// A log of the vectors' blocks, `mode` being `single` or `batch`.
pub fn make_log(dir: &MemoryDir, mode: &str, length: u64) -> Hypercore {
    let mut log = writer(dir);
    let blocks: Vec<Vec<u8>> = (0..length).map(block).collect();
    match mode {
        "single" => {
            for (index, block) in (0..).zip(&blocks) {
                assert_eq!(log.append(block).unwrap(), index);
            }
        }
        _ => assert_eq!(log.append_batch(&blocks).unwrap(), 0),
    }
    log
}

/// As [`make_log`], from a name like `single-33`.
pub fn named_log(name: &str) -> Hypercore {
    let (mode, length) = name.split_once('-').unwrap();
    make_log(&MemoryDir::new(), mode, length.parse().unwrap())
}

/// All bytes of a file; none if it is not there.
pub fn file(dir: &dyn StorageDir, name: &str) -> Vec<u8> {
    let Ok(file) = dir.open(name, OpenMode::ReadOnly) else {
        return Vec::new();
    };
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read(0, &mut bytes).unwrap();
    bytes
}

/// A node as the vectors write it.
#[derive(Clone, Debug, Deserialize)]
pub struct VectorNode {
    pub index: u64,
    pub size: u64,
    pub hash: String,
}

impl VectorNode {
    pub fn node(&self) -> Node {
        Node {
            index: NodeIndex::new(self.index).unwrap(),
            hash: Hash::from_bytes(unhex(&self.hash)),
            size: self.size,
        }
    }
}

/// A file as the vectors describe it: in full when small, else by its hash.
#[derive(Debug, Deserialize)]
pub struct VectorFile {
    pub length: usize,
    pub hex: Option<String>,
    pub sha256: Option<String>,
}

impl VectorFile {
    #[track_caller]
    pub fn check(&self, name: &str, found: &[u8]) {
        assert_eq!(found.len(), self.length, "length of {name}");
        if let Some(hex) = &self.hex {
            assert_eq!(&hex::encode(found), hex, "bytes of {name}");
        }
        if let Some(sha256) = &self.sha256 {
            assert_eq!(&sha256_hex(found), sha256, "sha256 of {name}");
        }
    }
}

pub fn unhex<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

pub fn signature(text: &str) -> Signature {
    Signature::from_bytes(unhex(text))
}

/// SHA-256, which only the vectors use (FIPS 180-4).
pub fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(bytes))
}
