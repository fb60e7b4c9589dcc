//! Whatever is done to a log, it holds what a plain list of blocks would.

mod common;

use std::sync::Arc;

use common::pair;
use hypercore::{Hypercore, Options, RemoteTree, Seek};
use hypercore_storage::MemoryDir;
use proptest::collection::vec;
use proptest::prelude::*;
use testkit::{FaultyDir, Keep};

/// One step. Places are drawn anew from a number when the length is known.
#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u8>),
    Batch(Vec<Vec<u8>>),
    Clear(u32, u32),
    Flush,
    /// Closes and opens.
    Reopen,
    /// The process is killed; what it wrote is there.
    Kill,
    /// The power is cut; what it did not flush may be there, in parts.
    PowerCut(u64),
    /// Another log takes a block, or its hash.
    Prove {
        place: u32,
        hash: bool,
    },
    Read(u32, u32),
}

fn any_block() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => Just(Vec::new()),
        8 => vec(any::<u8>(), 1..40),
        1 => vec(any::<u8>(), 500..1200),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => any_block().prop_map(Step::Append),
        4 => vec(any_block(), 0..20).prop_map(Step::Batch),
        2 => any::<(u32, u32)>().prop_map(|(from, to)| Step::Clear(from, to)),
        3 => Just(Step::Flush),
        1 => Just(Step::Reopen),
        1 => Just(Step::Kill),
        3 => any::<u64>().prop_map(Step::PowerCut),
        5 => any::<(u32, bool)>().prop_map(|(place, hash)| Step::Prove { place, hash }),
        4 => any::<(u32, u32)>().prop_map(|(from, to)| Step::Read(from, to)),
    ]
}

/// A place near an edge of a log of `length` blocks, or anywhere.
fn place(number: u32, length: u64) -> u64 {
    let power = length.checked_ilog2().map_or(0, |power| 1_u64 << power);
    match number % 9 {
        0 => 0,
        1 => length,
        2 => length.saturating_sub(1),
        3 => length + 1,
        4 => power,
        5 => power.saturating_sub(1),
        _ => u64::from(number) / 9 % (length + 1),
    }
}

/// The log under test beside the list that says what it must be.
struct Pair {
    dir: FaultyDir,
    log: Hypercore,
    /// Every block; those that were cleared are `None`.
    blocks: Vec<Option<Vec<u8>>>,
    sizes: Vec<u64>,
    /// The lengths that appends ended at since the last flush, and that of the last flush.
    lengths: Vec<usize>,
    /// Somebody else's copy.
    copy: Hypercore,
    told: RemoteTree,
}

impl Pair {
    fn new() -> Self {
        let dir = FaultyDir::new();
        let copy = Options::new().key(pair().public);
        let mut log = open(&dir);
        log.flush().unwrap();
        Self {
            log,
            dir,
            blocks: Vec::new(),
            sizes: Vec::new(),
            lengths: vec![0],
            copy: Hypercore::open(Arc::new(MemoryDir::new()), copy).unwrap(),
            told: RemoteTree::new(),
        }
    }

    fn length(&self) -> u64 {
        self.blocks.len() as u64
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Append(block) => {
                assert_eq!(self.log.append(&block).unwrap(), self.length());
                self.extend(vec![block]);
            }
            Step::Batch(batch) => {
                assert_eq!(self.log.append_batch(&batch).unwrap(), self.length());
                self.extend(batch);
            }
            Step::Clear(from, to) => {
                let (from, to) = (place(from, self.length()), place(to, self.length()));
                let range = from..to.max(from);
                let cleared = self.log.clear_own(range.clone()).unwrap();
                let inside = (0..).zip(&mut self.blocks);
                let held = inside.filter(|(at, block)| range.contains(at) && block.is_some());
                assert_eq!(cleared, held.map(|(_, block)| *block = None).count() as u64);
                if cleared > 0 {
                    self.flushed();
                }
            }
            Step::Flush => {
                self.log.flush().unwrap();
                self.flushed();
            }
            Step::Reopen => {
                self.replace(Self::take, FaultyDir::clone);
                self.flushed();
            }
            Step::Kill => self.replace(drop, FaultyDir::clone),
            Step::PowerCut(seed) => {
                let at = self.dir.log_len();
                self.replace(drop, |dir| dir.crash(at, Keep::Seed(seed)));
                let length = usize::try_from(self.log.length()).unwrap();
                assert!(self.lengths.contains(&length), "{length} was no length");
                self.blocks.truncate(length);
                self.sizes.truncate(length);
                self.lengths.retain(|known| *known <= length);
            }
            Step::Prove { place: at, hash } => self.prove(at, hash),
            Step::Read(from, to) => self.read(from, to),
        }
    }

    fn extend(&mut self, batch: Vec<Vec<u8>>) {
        self.sizes
            .extend(batch.iter().map(|block| block.len() as u64));
        self.blocks.extend(batch.into_iter().map(Some));
        self.lengths.push(self.blocks.len());
    }

    fn flushed(&mut self) {
        self.lengths = vec![self.blocks.len()];
    }

    fn take(log: Hypercore) {
        log.close().unwrap();
    }

    /// Ends the log and opens what `after` makes of its directory.
    fn replace(&mut self, end: fn(Hypercore), after: impl FnOnce(&FaultyDir) -> FaultyDir) {
        let placeholder = open(&FaultyDir::new());
        end(std::mem::replace(&mut self.log, placeholder));
        self.dir = after(&self.dir);
        self.log = open(&self.dir);
    }

    /// Others are given only what was flushed.
    fn prove(&mut self, at: u32, hash: bool) {
        self.log.flush().unwrap();
        self.flushed();
        let index = place(at, self.length());
        let digest = self.copy.digest(index);
        let proof = self.log.proof(index, digest, hash, &mut self.told).unwrap();
        assert_eq!(proof.is_some(), index < self.length());
        let block = self.log.get(index).unwrap();
        if let Some(proof) = proof
            && (hash || block.is_some())
        {
            let value = block.filter(|_| !hash);
            self.copy.put(index, value.as_deref(), proof).unwrap();
            assert!(self.copy.length() <= self.log.length());
            assert_eq!(
                self.copy.get(index).unwrap().is_some(),
                self.copy.has(index)
            );
            if let Some(value) = value {
                assert_eq!(self.copy.get(index).unwrap().unwrap(), value);
            }
        }
    }

    fn read(&self, from: u32, to: u32) {
        let from = place(from, self.length());
        let start = usize::try_from(from).unwrap();
        let rest = self.blocks.get(start..).unwrap_or_default();
        let run: Vec<&[u8]> = rest.iter().map_while(|block| block.as_deref()).collect();
        let end = place(to, self.length()).max(from);
        let run = &run[..run.len().min(usize::try_from(end - from).unwrap())];
        assert_eq!(self.log.get_range(from..end).unwrap(), run);

        let bytes: u64 = self.sizes.iter().sum();
        let byte = place(to, bytes);
        let found = self.log.seek(byte).unwrap();
        let place = match found {
            Seek::Found { block, offset, .. } => Some((block, offset)),
            _ => None,
        };
        assert_eq!(place, self.sought(byte, bytes), "byte {byte}: {found:?}");
        assert!(!matches!(found, Seek::Unknown { .. }), "every node is here");
    }

    fn sought(&self, byte: u64, bytes: u64) -> Option<(u64, u64)> {
        if byte == bytes {
            return Some((self.length(), 0));
        }
        let mut before = 0;
        for (block, size) in (0..).zip(&self.sizes) {
            // Byte 0 is in block 0 even if that has none.
            if byte == 0 || byte < before + size {
                return Some((block, byte - before));
            }
            before += size;
        }
        None
    }

    fn check(&self) {
        assert_eq!(self.log.length(), self.length());
        assert_eq!(self.log.byte_length(), self.sizes.iter().sum::<u64>());
        let held = self.blocks.iter().filter(|block| block.is_some()).count();
        assert_eq!(self.log.downloaded(0..u64::MAX), held as u64);
        for (index, block) in (0..).zip(&self.blocks) {
            assert_eq!(self.log.has(index), block.is_some(), "block {index}");
            assert_eq!(
                self.log.get(index).unwrap().as_deref(),
                block.as_deref(),
                "block {index}"
            );
        }
        assert!(!self.log.has(self.length()));
        assert_eq!(self.log.get(self.length()).unwrap(), None);
        let missing = self.blocks.iter().position(Option::is_none);
        let missing = missing.unwrap_or(self.blocks.len()) as u64;
        assert_eq!(self.log.next_missing(0, u64::MAX), Some(missing));
        assert_eq!(
            self.log.has_range(0..self.length()),
            missing == self.length()
        );
    }
}

fn open(dir: &FaultyDir) -> Hypercore {
    Hypercore::open(Arc::new(dir.clone()), Options::new().key_pair(pair())).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_log_is_a_list_of_blocks(steps in vec(any_step(), 1..60)) {
        let mut pair = Pair::new();
        for step in steps {
            pair.apply(step);
            pair.check();
        }
        let audit = pair.log.audit().unwrap();
        prop_assert!(audit.is_clean() || pair.length() == 0, "{audit:?}");
    }
}
