//! What a power cut leaves of a log, recovered here, is a log that Node goes on with; and a restored
//! backup asks Node before it signs anything.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use hypercore::{AppendError, Feed, Hypercore, Options};
use hypercore_crypto::KeyPair;
use hypercore_protocol::Role;
use hypercore_replication::FeedSet;
use hypercore_storage::MemoryDir;
use interop::{Peer, digest, pattern};
use serde_json::json;
use tempfile::TempDir;
use testkit::{FaultyDir, Keep, Rng};

use crate::network::Network;

const SEED: u64 = 0x10de;

fn pair() -> KeyPair {
    KeyPair::from_seed(&[9; 32])
}

/// Block `index` of every log here.
fn block(index: u64) -> Vec<u8> {
    let seed = u32::try_from(index).expect("tests are small");
    pattern([100, 1, 3000, 64][seed as usize % 4], seed)
}

fn open(dir: &FaultyDir) -> Hypercore {
    let options = Options::new().key_pair(pair());
    Hypercore::open(Arc::new(dir.clone()), options).expect("the log opens")
}

/// Everything that happened to a log, and which length was flushed by which place of it.
struct Recording {
    dir: FaultyDir,
    flushed: Vec<(usize, u64)>,
}

/// An author who appends one by one and in batches, and flushes now and then.
fn record() -> Recording {
    let dir = FaultyDir::new();
    let mut log = open(&dir);
    let mut flushed = vec![(0, 0)];
    for (round, count) in [1, 1, 3, 1, 9, 2, 1].into_iter().enumerate() {
        let first = log.length();
        let blocks: Vec<_> = (first..first + count).map(block).collect();
        log.append_batch(&blocks).expect("the log appends");
        if round % 2 == 1 {
            log.flush().expect("the log flushes");
            flushed.push((dir.log_len(), log.length()));
        }
    }
    Recording { dir, flushed }
}

impl Recording {
    /// Cuts the power; has the log recovered here, gone on with in Node, and opened here again.
    #[track_caller]
    fn cut(&self, node: &mut Peer, at: usize, keep: Keep) {
        let context = format!("cut after {at} of {}, {keep:?}", self.dir.log_len());
        let dir = self.dir.crash(at, keep);
        let mut log = open(&dir);
        let flushed = self.flushed.iter().rfind(|(place, _)| *place <= at);
        let least = flushed.map_or(0, |(_, length)| *length);
        assert!(log.length() >= least, "{context}: {}", log.length());
        let next = log.append(block(log.length())).expect("the log appends");
        log.close().expect("the log closes");

        let disk = TempDir::new().expect("a directory");
        write(&dir, disk.path());
        let state = node.ask("log.open", json!({ "dir": disk.path() }));
        let length = next + 1;
        assert_eq!(state["length"], length, "{context}");
        assert_eq!(state["writable"], true, "{context}");
        let audit = node.ask("log.audit", json!({}));
        let all = json!({ "valid": length, "invalid": 0 });
        assert_eq!(audit, all, "{context}");
        let blocks: Vec<_> = (0..length).map(block).collect();
        let stored = node.ask("log.digest", json!({}));
        assert_eq!(stored["digest"], digest(&blocks.concat()), "{context}");
        let verified = json!({ "index": next, "verified": true });
        assert_eq!(node.ask("log.verify", json!({})), verified, "{context}");
        let another = json!({ "hex": hex::encode(block(length)) });
        node.ask("log.append", json!({ "blocks": [another] }));
        node.ask("log.close", json!({}));

        let mut log = open(&FaultyDir::with_files(read(disk.path())));
        assert_eq!(log.length(), length + 1, "{context}");
        assert!(
            log.audit().expect("the log is read").is_clean(),
            "{context}"
        );
        let last = log.get(length).expect("the log is read");
        assert!(last.is_some_and(|last| last == block(length)), "{context}");
    }

    /// Cuts at so many places, spread over all.
    #[track_caller]
    fn cut_often(&self, cuts: usize, mut keep: impl FnMut(&mut Rng, usize) -> Keep) {
        println!("seed {SEED}");
        let mut rng = Rng::new(SEED);
        let mut node = Peer::start();
        let end = self.dir.log_len();
        for cut in 0..cuts {
            let at = cut * end / (cuts - 1);
            let keep = keep(&mut rng, self.dir.pieces(at));
            self.cut(&mut node, at, keep);
        }
    }
}

fn write(dir: &FaultyDir, to: &Path) {
    for (name, bytes) in dir.files() {
        fs::write(to.join(name), bytes).expect("the file is written");
    }
}

fn read(from: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(from).expect("the directory is listed");
    let entries = entries.map(|entry| entry.expect("an entry"));
    let files = entries.map(|entry| {
        let name = entry.file_name().into_string().expect("names are UTF-8");
        (name, fs::read(entry.path()).expect("the file is read"))
    });
    files.collect()
}

#[test]
fn fault_s1_node_goes_on_after_a_power_cut_at_any_call() {
    println!("seed {SEED}");
    let recording = record();
    let mut node = Peer::start();
    for at in 0..=recording.dir.log_len() {
        recording.cut(&mut node, at, Keep::Nothing);
        recording.cut(&mut node, at, Keep::All);
    }
}

#[test]
fn fault_s2_node_goes_on_after_a_torn_write() {
    record().cut_often(60, |rng, pieces| match pieces {
        1..=10 => Keep::Mask(rng.below(1 << pieces)),
        _ => Keep::Torn(usize::try_from(rng.below(4096)).expect("it is small")),
    });
}

#[test]
fn fault_s3_node_goes_on_after_writes_were_reordered() {
    record().cut_often(60, |rng, _| Keep::Seed(rng.next_u64()));
}

#[test]
fn fault_s9_a_restored_backup_asks_node_before_it_appends() {
    let network = Network::tokio();
    let scratch = TempDir::new().expect("a directory");
    let backup = MemoryDir::new();
    let feed = |dir: MemoryDir, options: Options| {
        let log = Hypercore::open(Arc::new(dir), options.key_pair(pair()));
        Feed::new(log.expect("the log opens"))
    };
    let append = |feed: &Feed, blocks: std::ops::Range<u64>| {
        let blocks: Vec<_> = blocks.map(block).collect();
        feed.append_batch(&blocks).expect("the log appends")
    };
    let old = feed(backup.clone(), Options::new());
    append(&old, 0..6);
    old.close().expect("the log closes");

    // The author goes on, elsewhere, and Node follows.
    let newer = feed(MemoryDir::new(), Options::new());
    append(&newer, 0..6);
    append(&newer, 6..9);
    let mut node = Peer::start();
    let key = hex::encode(pair().public.as_bytes());
    let copy = json!({ "dir": scratch.path(), "key": key });
    node.ask("log.open", copy);
    let source = |feed: &Feed| Arc::new(FeedSet::from_iter([feed.clone()]));
    network.connect(Role::Initiator, &mut node, "it", source(&newer));
    node.ask("log.update", json!({ "length": 9 }));
    node.ask("log.download", json!({ "end": 9 }));
    newer.close().expect("the log closes");

    // Then the backup comes back.
    let restored = feed(backup, Options::new().confirm_length(true));
    let error = restored.append("something else").expect_err("unconfirmed");
    assert!(
        matches!(error, AppendError::Unconfirmed { length: 6 }),
        "{error}"
    );
    network.connect(Role::Responder, &mut node, "it", source(&restored));
    let confirmed = network.wait("an answer", async {
        loop {
            // There is nobody to ask before the connection is there.
            match restored.confirm_length().await.expect("the log is open") {
                Some(confirmed) => break confirmed,
                None => futures_lite::future::yield_now().await,
            }
        }
    });
    assert!(!confirmed, "Node has more");
    let error = restored.append("something else").expect_err("an old copy");
    let fork = AppendError::Fork {
        length: 6,
        signed: 9,
    };
    assert_eq!(error.to_string(), fork.to_string());

    // What is missing comes from Node; then the log goes on, and Node believes it.
    let missing = restored.download(6..9);
    network.wait("the rest", missing).expect("it arrives");
    let confirmed = network.wait("an answer", restored.confirm_length());
    assert_eq!(confirmed.expect("the log is open"), Some(true));
    assert_eq!(append(&restored, 9..10), 9);
    let arrived = node.ask("log.get", json!({ "index": 9 }));
    assert_eq!(arrived["hex"], hex::encode(block(9)));
}
