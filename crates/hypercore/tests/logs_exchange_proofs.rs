//! Copies of a log that take blocks and hashes from each other, in any order and while the log
//! grows, believe every proof, and end up where the author is.

mod common;

use std::sync::Arc;

use common::pair;
use hypercore::{Hypercore, Options, RemoteTree};
use hypercore_storage::MemoryDir;
use testkit::Rng;

/// Histories, as many as the reference's formats were checked with.
const HISTORIES: u64 = 150;

/// A reader, and what each of the others was told that it holds.
struct Copy {
    dir: MemoryDir,
    log: Hypercore,
}

impl Copy {
    fn new() -> Self {
        let dir = MemoryDir::new();
        let log = Self::open(&dir);
        Self { dir, log }
    }

    fn open(dir: &MemoryDir) -> Hypercore {
        Hypercore::open(Arc::new(dir.clone()), Options::new().key(pair().public)).unwrap()
    }

    /// Asks `source` for a block, or its hash only. False if it has none to give.
    fn ask(&mut self, source: &Hypercore, told: &mut RemoteTree, index: u64, hash: bool) -> bool {
        let value = if hash {
            None
        } else {
            let Some(block) = source.get(index).unwrap() else {
                return false;
            };
            Some(block)
        };
        let digest = self.log.digest(index);
        let Some(proof) = source.proof(index, digest, hash, told).unwrap() else {
            return false;
        };
        self.log.put(index, value.as_deref(), proof).unwrap();
        true
    }

    /// Closing and opening changes nothing.
    fn reopen(&mut self) {
        let length = self.log.length();
        let digests: Vec<u64> = (0..length + 3).map(|at| self.log.digest(at)).collect();
        let held: Vec<bool> = (0..length + 3).map(|at| self.log.has(at)).collect();
        let fresh = Self::open(&MemoryDir::new());
        std::mem::replace(&mut self.log, fresh).close().unwrap();
        self.log = Self::open(&self.dir);
        assert_eq!(self.log.length(), length);
        for at in 0..length + 3 {
            let place = usize::try_from(at).unwrap();
            assert_eq!(self.log.digest(at), digests[place], "digest of {at}");
            assert_eq!(self.log.has(at), held[place], "block {at}");
        }
    }
}

#[test]
fn a_hundred_and_fifty_histories_of_a_log_and_two_copies() {
    for seed in 0..HISTORIES {
        println!("seed {seed}");
        history(seed);
    }
}

fn history(seed: u64) {
    let mut rng = Rng::new(seed);
    let options = Options::new().key_pair(pair());
    let mut author = Hypercore::open(Arc::new(MemoryDir::new()), options).unwrap();
    let mut blocks = Vec::new();
    let mut grow = |author: &mut Hypercore, rng: &mut Rng| {
        let most = if rng.one_in(4) { 20 } else { 3 };
        let count = 1 + rng.below(most);
        let batch: Vec<Vec<u8>> = (0..count)
            .map(|_| {
                let size = usize::try_from(rng.below(30)).unwrap();
                rng.bytes(size)
            })
            .collect();
        author.append_batch(&batch).unwrap();
        blocks.extend(batch);
    };
    grow(&mut author, &mut rng);
    let (mut first, mut second) = (Copy::new(), Copy::new());
    // What each source remembers of each asker; connections end now and then.
    let mut told = [
        RemoteTree::new(),
        RemoteTree::new(),
        RemoteTree::new(),
        RemoteTree::new(),
    ];
    for _ in 0..40 {
        let index = match rng.below(4) {
            0 => author.length() - 1,
            _ => rng.below(author.length()),
        };
        let hash = rng.one_in(4);
        match rng.below(10) {
            0 => grow(&mut author, &mut rng),
            1 => first.reopen(),
            2 => told[usize::try_from(rng.below(4)).unwrap()] = RemoteTree::new(),
            3 | 4 => {
                first.ask(&second.log, &mut told[0], index, hash);
            }
            5 | 6 => {
                second.ask(&first.log, &mut told[1], index, hash);
            }
            7 | 8 => assert!(first.ask(&author, &mut told[2], index, hash)),
            _ => assert!(second.ask(&author, &mut told[3], index, hash)),
        }
    }
    // The second copy takes all it can from the first, and the rest from the author.
    for index in 0..author.length() {
        second.ask(&first.log, &mut told[1], index, false);
        assert!(second.ask(&author, &mut told[3], index, false));
    }
    second.reopen();
    assert_eq!(second.log.length(), author.length());
    assert_eq!(second.log.roots(), author.roots());
    let found = second.log.get_range(0..author.length()).unwrap();
    assert_eq!(found, blocks);
    assert!(second.log.audit().unwrap().is_clean());
    // What a partial copy holds it can prove to somebody who has nothing.
    for index in (0..first.log.length()).filter(|index| first.log.has(*index)) {
        let mut fresh = Copy::new();
        assert!(fresh.ask(&first.log, &mut RemoteTree::new(), index, false));
        assert!(fresh.log.has(index));
    }
}
