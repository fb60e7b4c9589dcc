use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hypercore_crypto::Hash;
use hypercore_storage::Storage;
use lru::LruCache;

use crate::index::roots;
use crate::store::header::{self, ENTRIES};
use crate::{Node, NodeIndex, OpenError};

/// The file `tree`: node *n* at byte 32 + 40 *n*, as a hash and a big-endian size.
///
/// Nodes near the leaves are read and cached in runs of 64, which hold all the nodes below depth 5
/// of 32 blocks; higher ones singly. So the second read near a place costs no system call.
#[derive(Debug)]
pub(crate) struct NodeFile {
    file: Arc<dyn Storage>,
    has_header: bool,
    /// Length of the file in bytes. Only this object writes it.
    bytes: u64,
    cache: Mutex<Cache>,
}

#[derive(Debug)]
struct Cache {
    runs: LruCache<u64, Box<Run>>,
    upper: LruCache<u64, Option<Node>>,
    max_runs: usize,
    max_upper: usize,
}

#[derive(Debug)]
struct Run {
    bytes: [u8; RUN_BYTES],
    /// Byte offset of the run's first block, once somebody needed it. The nodes that it sums up are
    /// all of depth 5 and more, whose sizes never change.
    offset: Option<u64>,
}

impl NodeFile {
    pub(crate) fn open(file: Arc<dyn Storage>, cached_nodes: usize) -> Result<Self, OpenError> {
        let has_header = header::TREE.expect(&*file, ENTRY_SIZE)?;
        let bytes = file.len()?;
        let cache = Cache {
            runs: LruCache::unbounded(),
            upper: LruCache::unbounded(),
            max_runs: (cached_nodes / (4 << UPPER)).max(2),
            max_upper: (cached_nodes / 2).max(64),
        };
        Ok(Self {
            file,
            has_header,
            bytes,
            cache: Mutex::new(cache),
        })
    }

    pub(crate) fn write_header(&mut self) -> io::Result<()> {
        if !self.has_header {
            header::TREE.write(&*self.file, ENTRY_SIZE)?;
            self.has_header = true;
            self.bytes = self.bytes.max(ENTRIES);
        }
        Ok(())
    }

    /// Access for several reads in a row.
    pub(crate) fn reader(&self) -> NodeReader<'_> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        NodeReader {
            file: &*self.file,
            bytes: self.bytes,
            cache,
        }
    }

    /// Writes nodes, in any order. Neighbours go out together.
    pub(crate) fn write(&mut self, nodes: &mut [Node]) -> io::Result<()> {
        nodes.sort_unstable_by_key(|node| node.index);
        let mut bytes = Vec::new();
        for run in nodes.chunk_by(|a, b| b.index.get() == a.index.get() + 1) {
            bytes.clear();
            bytes.extend(run.iter().flat_map(encode));
            let offset = place(run[0].index);
            // An error may leave anything behind there: forget what was cached before trying.
            self.forget(run);
            self.file.write(offset, &bytes)?;
            self.bytes = self.bytes.max(offset + bytes.len() as u64);
        }
        Ok(())
    }

    fn forget(&mut self, nodes: &[Node]) {
        let cache = self.cache.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !cache.runs.is_empty() {
            let mut last = None;
            for node in nodes {
                let run = node.index.get() / RUN_NODES;
                if last.replace(run) != Some(run) {
                    cache.runs.pop(&run);
                }
            }
        }
        if !cache.upper.is_empty() {
            for node in nodes.iter().filter(|node| node.index.depth() >= UPPER) {
                cache.upper.pop(&node.index.get());
            }
        }
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

/// Reads nodes; holds the cache's lock while it lives.
#[derive(Debug)]
pub(crate) struct NodeReader<'a> {
    file: &'a dyn Storage,
    bytes: u64,
    cache: MutexGuard<'a, Cache>,
}

impl NodeReader<'_> {
    /// The stored node, or `None` where none was written.
    pub(crate) fn get(&mut self, index: NodeIndex) -> io::Result<Option<Node>> {
        if index.depth() < UPPER {
            let place = usize::try_from(index.get() % RUN_NODES).expect("a run has few nodes");
            let at = place * ENTRY_BYTES;
            let run = self.run(index.get() / RUN_NODES)?;
            return Ok(decode(index, &run.bytes[at..at + ENTRY_BYTES]));
        }
        if let Some(node) = self.cache.upper.get(&index.get()) {
            return Ok(*node);
        }
        let mut bytes = [0; ENTRY_BYTES];
        self.fill(place(index), &mut bytes)?;
        let node = decode(index, &bytes);
        self.cache.upper.put(index.get(), node);
        if self.cache.upper.len() > self.cache.max_upper {
            self.cache.upper.pop_lru();
        }
        Ok(node)
    }

    /// The byte offset of a block in the data: the sum of the sizes of all roots before it. `None`
    /// when one of them is not stored.
    pub(crate) fn offset(&mut self, block: u64) -> io::Result<Option<u64>> {
        let number = block / RUN_BLOCKS;
        let known = self.run(number)?.offset;
        let base = match known {
            Some(base) => base,
            None => match self.sum(roots(number * RUN_BLOCKS))? {
                None => return Ok(None),
                Some(base) => {
                    self.run(number)?.offset = Some(base);
                    base
                }
            },
        };
        let within = roots(block).filter(|root| root.depth() < UPPER);
        Ok(self.sum(within)?.and_then(|bytes| base.checked_add(bytes)))
    }

    fn sum(&mut self, nodes: impl Iterator<Item = NodeIndex>) -> io::Result<Option<u64>> {
        let mut sum = 0_u64;
        for index in nodes {
            let Some(bytes) = self.get(index)?.and_then(|node| sum.checked_add(node.size)) else {
                return Ok(None);
            };
            sum = bytes;
        }
        Ok(Some(sum))
    }

    fn run(&mut self, number: u64) -> io::Result<&mut Run> {
        if !self.cache.runs.contains(&number) {
            let mut run = Box::new(Run {
                bytes: [0; RUN_BYTES],
                offset: None,
            });
            self.fill(ENTRIES + number * RUN_BYTES as u64, &mut run.bytes)?;
            if self.cache.runs.len() >= self.cache.max_runs {
                self.cache.runs.pop_lru();
            }
            self.cache.runs.put(number, run);
        }
        Ok(self
            .cache
            .runs
            .get_mut(&number)
            .expect("the run is cached by now"))
    }

    /// Reads what the file has of a range; the rest stays zero.
    fn fill(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let present = self.bytes.saturating_sub(offset).min(out.len() as u64);
        let present = usize::try_from(present).expect("no more than the buffer");
        self.file.read(offset, &mut out[..present])
    }
}

fn place(index: NodeIndex) -> u64 {
    ENTRIES + ENTRY_BYTES as u64 * index.get()
}

fn encode(node: &Node) -> [u8; ENTRY_BYTES] {
    let mut bytes = [0; ENTRY_BYTES];
    bytes[..32].copy_from_slice(node.hash.as_bytes());
    bytes[32..].copy_from_slice(&node.size.to_be_bytes());
    bytes
}

fn decode(index: NodeIndex, bytes: &[u8]) -> Option<Node> {
    let (hash, size) = bytes.split_first_chunk::<32>()?;
    let size = u64::from_be_bytes(size.try_into().ok()?);
    let blank = size == 0 && *hash == [0; 32];
    (!blank).then(|| Node {
        index,
        hash: Hash::from_bytes(*hash),
        size,
    })
}

const ENTRY_BYTES: usize = 40;
/// The same, as the header states it.
const ENTRY_SIZE: u16 = 40;
/// Nodes of this depth and more are cached singly.
const UPPER: u32 = 5;
const RUN_BLOCKS: u64 = 1 << UPPER;
const RUN_NODES: u64 = 2 * RUN_BLOCKS;
const RUN_BYTES: usize = (2 << UPPER) * ENTRY_BYTES;
