//! One hypercore directory, written in turn by Node and here.

use std::path::Path;
use std::sync::Arc;

use hypercore::{Hypercore, Options};
use hypercore_crypto::KeyPair;
use hypercore_storage::DiskDir;
use interop::{Peer, digest, pattern};
use serde_json::json;
use tempfile::TempDir;

/// Sizes of blocks worth trying: empty, tiny, around powers of two.
const SIZES: [usize; 8] = [0, 1, 2, 7, 1023, 1024, 65_536, 65_537];

#[test]
fn a_log_begun_here_goes_on_in_node_and_here_again() {
    let dir = TempDir::new().expect("a directory");
    let mut written = Written::default();
    let mut ours = create(dir.path());
    written.append(&mut ours, &SIZES);
    let key = ours.public_key();
    ours.close().expect("the log closes");

    let mut node = Peer::start();
    for round in 0..4 {
        let state = node.ask("log.open", json!({ "dir": dir.path() }));
        assert_eq!(state["key"], hex::encode(key.as_bytes()));
        assert_eq!(state["writable"], true);
        written.check_node(&mut node);
        written.append_in_node(&mut node, &SIZES[round..]);
        node.ask("log.close", json!({}));

        let mut ours = open(dir.path());
        written.check(&ours);
        written.append(&mut ours, &SIZES[..=round]);
        ours.close().expect("the log closes");
    }
}

#[test]
fn a_log_begun_in_node_goes_on_here() {
    let dir = TempDir::new().expect("a directory");
    let mut written = Written::default();
    let mut node = Peer::start();
    let state = node.ask("log.open", json!({ "dir": dir.path() }));
    written.append_in_node(&mut node, &SIZES);
    node.ask("log.close", json!({}));

    let mut ours = open(dir.path());
    assert_eq!(state["key"], hex::encode(ours.public_key().as_bytes()));
    assert!(ours.is_writable());
    written.check(&ours);
    written.append(&mut ours, &SIZES);
    ours.close().expect("the log closes");

    node.ask("log.open", json!({ "dir": dir.path() }));
    written.check_node(&mut node);
}

#[test]
fn many_blocks_cross_the_pages_of_the_bitfield() {
    // A page of the bitfield covers 8192 blocks; these go into the third.
    let dir = TempDir::new().expect("a directory");
    let mut written = Written::default();
    let mut node = Peer::start();
    for round in 0..3 {
        let blocks: Vec<_> = (0..3000).map(|i| pattern(3, written.seed() + i)).collect();
        let mut ours = create(dir.path());
        ours.append_batch(&blocks).expect("the log appends");
        written.blocks.extend(blocks);
        ours.close().expect("the log closes");

        node.ask("log.open", json!({ "dir": dir.path() }));
        let seed = written.seed();
        node.ask(
            "log.fill",
            json!({ "count": 3000, "size": 2, "seed": seed }),
        );
        written
            .blocks
            .extend((0..3000).map(|i| pattern(2, seed + i)));
        if round == 2 {
            written.check_node(&mut node);
        }
        node.ask("log.close", json!({}));
    }
    written.check(&open(dir.path()));
}

#[test]
fn blocks_cleared_in_node_are_missing_here() {
    let dir = TempDir::new().expect("a directory");
    let mut ours = create(dir.path());
    let mut written = Written::default();
    written.append(&mut ours, &[100; 20]);
    ours.close().expect("the log closes");

    let mut node = Peer::start();
    node.ask("log.open", json!({ "dir": dir.path() }));
    node.ask("log.clear", json!({ "start": 3, "end": 9 }));
    node.ask("log.close", json!({}));

    let ours = open(dir.path());
    assert_eq!(ours.length(), 20);
    assert_eq!(ours.downloaded(0..20), 14);
    assert_eq!(ours.next_missing(0, 20), Some(3));
    assert_eq!(ours.next_missing(9, 20), None);
}

#[test]
fn two_writers_refuse_each_other() {
    let dir = TempDir::new().expect("a directory");
    let mut ours = create(dir.path());
    ours.append_batch(&["block"]).expect("the log appends");
    let mut node = Peer::start();
    let refusal = node.ask_in_vain("log.open", json!({ "dir": dir.path() }));
    assert!(refusal.contains("ELOCKED"), "{refusal}");
    ours.close().expect("the log closes");

    let mut node = Peer::start();
    node.ask("log.open", json!({ "dir": dir.path() }));
    Hypercore::open(storage(dir.path()), Options::new()).expect_err("node holds the lock");
}

fn storage(dir: &Path) -> Arc<DiskDir> {
    Arc::new(DiskDir::new(dir))
}

/// Opens the log whose key is fixed, and creates it the first time.
#[track_caller]
fn create(dir: &Path) -> Hypercore {
    let options = Options::new().key_pair(KeyPair::from_seed(&[7; 32]));
    Hypercore::open(storage(dir), options).expect("the log opens")
}

/// Opens the log that lies there.
#[track_caller]
fn open(dir: &Path) -> Hypercore {
    Hypercore::open(storage(dir), Options::new()).expect("the log opens")
}

/// All blocks that the log has to hold.
#[derive(Debug, Default)]
struct Written {
    blocks: Vec<Vec<u8>>,
}

impl Written {
    /// The next seed: every block has another pattern.
    fn seed(&self) -> u32 {
        u32::try_from(self.blocks.len()).expect("tests are small")
    }

    #[track_caller]
    fn append(&mut self, ours: &mut Hypercore, sizes: &[usize]) {
        let mut seeds = self.seed()..;
        let blocks: Vec<_> = sizes
            .iter()
            .zip(&mut seeds)
            .map(|(n, s)| pattern(*n, s))
            .collect();
        let first = ours.append_batch(&blocks).expect("the log appends");
        assert_eq!(first, self.blocks.len() as u64);
        self.blocks.extend(blocks);
    }

    #[track_caller]
    fn append_in_node(&mut self, node: &mut Peer, sizes: &[usize]) {
        for &size in sizes {
            let seed = self.seed();
            node.ask(
                "log.append",
                json!({ "blocks": [{ "size": size, "seed": seed }] }),
            );
            self.blocks.push(pattern(size, seed));
        }
    }

    #[track_caller]
    fn check(&self, ours: &Hypercore) {
        assert_eq!(ours.length(), self.blocks.len() as u64);
        for (index, block) in (0..).zip(&self.blocks) {
            let stored = ours
                .get(index)
                .expect("the block can be read")
                .expect("it is stored");
            assert!(stored == block, "block {index} differs");
        }
    }

    #[track_caller]
    fn check_node(&self, node: &mut Peer) {
        let audit = node.ask("log.audit", json!({}));
        assert_eq!(audit, json!({ "valid": self.blocks.len(), "invalid": 0 }));
        let stored = node.ask("log.digest", json!({}));
        assert_eq!(stored["digest"], digest(&self.blocks.concat()));
    }
}
