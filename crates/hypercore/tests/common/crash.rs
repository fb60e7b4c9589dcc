//! Records what is done to a log, cuts the power at every point of it, and looks at what is left.

use std::ops::Range;
use std::sync::Arc;

use hypercore::{Hypercore, Options, RemoteTree};
use hypercore_storage::MemoryDir;
use testkit::{FaultyDir, Keep, Rng};

use super::{block, pair};

/// How many crashes a test tries when nobody says otherwise. `CRASH_POINTS` says how many all of
/// them together try.
const DEFAULT_POINTS: u64 = 10_000;

/// The part of all crash points that is `percent` hundredths of them.
pub fn points(percent: u64) -> u64 {
    let all = match std::env::var("CRASH_POINTS") {
        Ok(text) => text.parse().expect("CRASH_POINTS is a number"),
        Err(_) => DEFAULT_POINTS,
    };
    all * percent / 100
}

/// Something that was done, between two places of the storage's log.
#[derive(Debug)]
struct Done {
    began: usize,
    ended: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    /// The log has this length afterwards.
    Grew(u64),
    /// A block was stored.
    Stored(u64),
    Cleared(Range<u64>),
    Flushed,
}

/// A log in a recording directory, and the history of both.
pub struct Recording {
    dir: FaultyDir,
    log: Hypercore,
    /// The author, if the log is somebody else's copy.
    author: Option<Hypercore>,
    told: RemoteTree,
    history: Vec<Done>,
}

impl Recording {
    /// An author's log that is created while recording.
    pub fn author() -> Self {
        Self::author_in(FaultyDir::new())
    }

    /// An author's log in a directory that may be there already.
    pub fn author_in(dir: FaultyDir) -> Self {
        let log = open(&dir, true);
        let length = log.length();
        let mut recording = Self {
            dir,
            log,
            author: None,
            told: RemoteTree::new(),
            history: Vec::new(),
        };
        recording.note(0, What::Grew(length));
        for index in 0..length {
            recording.note(0, What::Stored(index));
        }
        recording
    }

    /// A copy of a log of `length` blocks.
    pub fn copy(length: u64) -> Self {
        let dir = FaultyDir::new();
        let log = open(&dir, false);
        let author = super::make_log(&MemoryDir::new(), "single", length);
        Self {
            dir,
            log,
            author: Some(author),
            told: RemoteTree::new(),
            history: Vec::new(),
        }
    }

    pub fn length(&self) -> u64 {
        self.log.length()
    }

    /// Appends the vectors' blocks.
    pub fn append(&mut self, count: u64) {
        let began = self.dir.log_len();
        let first = self.log.length();
        let blocks: Vec<Vec<u8>> = (first..first + count).map(block).collect();
        self.log.append_batch(&blocks).unwrap();
        self.note(began, What::Grew(first + count));
        for index in first..first + count {
            self.note(began, What::Stored(index));
        }
    }

    /// Takes a block from the author, who may have grown.
    pub fn put(&mut self, index: u64) {
        let began = self.dir.log_len();
        let author = self.author.as_ref().unwrap();
        let digest = self.log.digest(index);
        let proof = author.proof(index, digest, false, &mut self.told);
        let proof = proof.unwrap().unwrap();
        self.log.put(index, Some(&block(index)), proof).unwrap();
        let length = self.log.length();
        self.note(began, What::Grew(length));
        self.note(began, What::Stored(index));
    }

    pub fn author_appends(&mut self, count: u64) {
        let author = self.author.as_mut().unwrap();
        let first = author.length();
        let blocks: Vec<Vec<u8>> = (first..first + count).map(block).collect();
        author.append_batch(&blocks).unwrap();
    }

    pub fn clear(&mut self, range: Range<u64>) {
        let began = self.dir.log_len();
        self.log.clear_own(range.clone()).unwrap();
        self.note(began, What::Cleared(range));
        self.note(began, What::Flushed);
    }

    pub fn flush(&mut self) {
        let began = self.dir.log_len();
        self.log.flush().unwrap();
        self.note(began, What::Flushed);
    }

    /// Flushes beside other uses of the log: what `meanwhile` does comes before each of its three syncs
    /// and after it, of which it is told the number.
    pub fn flush_aside(&mut self, mut meanwhile: impl FnMut(&mut Self, usize)) {
        let began = self.dir.log_len();
        let place = self.history.len();
        let mut flush = self.log.begin_flush().unwrap().unwrap();
        for step in 0.. {
            meanwhile(self, 2 * step);
            let synced = flush.sync();
            meanwhile(self, 2 * step + 1);
            if self.log.continue_flush(&mut flush, synced).unwrap() {
                break;
            }
        }
        // Only what was there when it began is durable.
        let what = What::Flushed;
        let ended = self.dir.log_len();
        self.history.insert(place, Done { began, ended, what });
    }

    fn note(&mut self, began: usize, what: What) {
        let ended = self.dir.log_len();
        self.history.push(Done { began, ended, what });
    }

    /// What must hold after a crash.
    fn expect(&self, at: usize) -> Expected {
        let flushed = |done: &Done| matches!(done.what, What::Flushed) && done.ended <= at;
        let durable = self.history.iter().rposition(flushed).unwrap_or(0);
        let mut expected = Expected::default();
        for (place, done) in self.history.iter().enumerate() {
            let (begun, safe) = (done.began < at || place == 0, place < durable);
            match &done.what {
                What::Grew(length) if begun => {
                    expected.lengths.push(*length);
                    if safe {
                        expected.least = *length;
                    }
                }
                What::Stored(index) if safe => {
                    expected.held.push(*index);
                    expected.gone.retain(|gone| gone != index);
                }
                What::Stored(index) if begun => expected.gone.retain(|gone| gone != index),
                What::Cleared(range) if begun => {
                    expected.held.retain(|index| !range.contains(index));
                    expected.open.extend(range.clone());
                    if done.ended <= at {
                        expected.gone.extend(range.clone());
                    }
                }
                _ => {}
            }
        }
        expected
    }

    /// Cuts the power after `at` entries of the storage's log, keeps what `keep` says, and checks.
    pub fn cut(&self, at: usize, keep: Keep, rng: &mut Rng) {
        let expected = self.expect(at);
        let dir = self.dir.crash(at, keep);
        let context = || format!("cut after {at} of {}, {keep:?}", self.dir.log_len());
        let log = self.reopen(&dir, &context);
        let length = log.length();
        assert!(
            expected.lengths.contains(&length) || length == 0,
            "{}: length {length} was never written",
            context()
        );
        assert!(
            length >= expected.least,
            "{}: {length} blocks of {} that were flushed",
            context(),
            expected.least
        );
        for index in expected.held {
            assert!(log.has(index), "{}: block {index} is lost", context());
        }
        for index in expected.gone {
            assert!(!log.has(index), "{}: block {index} is back", context());
        }
        if self.author.is_none() {
            for index in 0..length {
                let cleared = expected.open.contains(&index);
                assert!(log.has(index) || cleared, "{}: hole {index}", context());
            }
        }
        let grown = self.go_on(log, &context);
        let log = self.reopen(&dir, &context);
        assert_eq!(log.length(), grown, "{}: reopened", context());
        drop(log);
        if rng.one_in(4) {
            // Another cut while it recovered, or went on.
            let at = usize::try_from(rng.below(dir.log_len() as u64 + 1)).unwrap();
            let again = dir.crash(at, Keep::Seed(rng.next_u64()));
            let context = || format!("{}, then {at} again", context());
            let log = self.reopen(&again, &context);
            assert!(log.length() >= expected.least, "{}", context());
            self.go_on(log, &context);
        }
    }

    /// Opens what a crash left, and checks everything that it claims.
    fn reopen(&self, dir: &FaultyDir, context: &dyn Fn() -> String) -> Hypercore {
        let mut log = match try_open(dir, self.author.is_none()) {
            Ok(log) => log,
            Err(error) => panic!("{}: {error}", context()),
        };
        for index in (0..log.length()).filter(|index| log.has(*index)) {
            let found = log.get(index);
            let found = found.unwrap_or_else(|error| panic!("{}: {error}", context()));
            assert_eq!(found.unwrap(), block(index), "{}: block {index}", context());
        }
        assert_eq!(
            log.next_missing(log.length(), log.length() + 1),
            Some(log.length())
        );
        let audit = log.audit().unwrap();
        assert!(audit.is_clean(), "{}: {audit:?}", context());
        log
    }

    /// Goes on as if nothing had happened; somebody who has nothing must believe what comes of it.
    /// Returns the length.
    fn go_on(&self, mut log: Hypercore, context: &dyn Fn() -> String) -> u64 {
        let next = match &self.author {
            None => {
                let next = log.length();
                let appended = log.append(block(next));
                appended.unwrap_or_else(|error| panic!("{}: {error}", context()));
                next
            }
            Some(author) => {
                let next = log
                    .next_missing(0, u64::MAX)
                    .unwrap()
                    .min(author.length() - 1);
                let proof = author.proof(next, log.digest(next), false, &mut RemoteTree::new());
                let put = log.put(next, Some(&block(next)), proof.unwrap().unwrap());
                put.unwrap_or_else(|error| panic!("{}: {error}", context()));
                next
            }
        };
        log.flush().unwrap();
        let mut fresh = super::reader(&MemoryDir::new());
        for index in [next, log.length() / 2] {
            if let Some(found) = log.get(index).unwrap() {
                let digest = fresh.digest(index);
                let proof = log.proof(index, digest, false, &mut RemoteTree::new());
                let put = fresh.put(index, Some(&found), proof.unwrap().unwrap());
                put.unwrap_or_else(|error| panic!("{}: {error}", context()));
            }
        }
        log.length()
    }

    /// What is left when everything was kept but what was not synced of one file.
    pub fn crash_losing(&self, name: &str) -> FaultyDir {
        let synced = self.dir.crash(self.dir.log_len(), Keep::Nothing).files();
        let mut files = self.dir.files();
        files.insert(name.to_owned(), synced[name].clone());
        FaultyDir::with_files(files)
    }

    /// Every place of the storage's log at which something can be lost, and how many pieces.
    pub fn places(&self) -> Vec<(usize, usize)> {
        (0..=self.dir.log_len())
            .map(|at| (at, self.dir.pieces(at)))
            .collect()
    }
}

/// What must be found after a crash.
#[derive(Debug, Default)]
struct Expected {
    /// The lengths that it may have.
    lengths: Vec<u64>,
    /// The length that was flushed.
    least: u64,
    /// Blocks that were flushed.
    held: Vec<u64>,
    /// Blocks that were cleared, or were about to be.
    open: Vec<u64>,
    /// Blocks that were cleared for good.
    gone: Vec<u64>,
}

fn open(dir: &FaultyDir, author: bool) -> Hypercore {
    try_open(dir, author).unwrap()
}

fn try_open(dir: &FaultyDir, author: bool) -> Result<Hypercore, hypercore::OpenError> {
    let options = if author {
        Options::new().key_pair(pair())
    } else {
        Options::new().key(pair().public)
    };
    Hypercore::open(Arc::new(dir.clone()), options)
}
