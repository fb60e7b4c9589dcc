use std::collections::BTreeMap;
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
///
/// Nodes that come with blocks of peers may be [kept back](Self::defer) until the next sync, as the
/// bits that say that they are here are: then neighbours that came at different times are written
/// together.
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
    /// Runs with nodes that are not in the file yet.
    unwritten: BTreeMap<u64, Box<Run>>,
    upper: LruCache<u64, Option<Node>>,
    max_runs: usize,
    max_upper: usize,
}

#[derive(Debug)]
struct Run {
    /// As in the file. What is not there, as in a short log, was never written.
    bytes: Vec<u8>,
    /// Byte offset of the run's first block, once somebody needed it. The nodes that it sums up are
    /// all of depth 5 and more, whose sizes never change.
    offset: Option<u64>,
    /// Which of the nodes are not in the file yet, the first in the lowest bit.
    unwritten: u64,
}

impl NodeFile {
    pub(crate) fn open(file: Arc<dyn Storage>, cached_nodes: usize) -> Result<Self, OpenError> {
        let bytes = file.len()?;
        let has_header = header::TREE.expect(&*file, bytes, ENTRY_SIZE)?;
        let cache = Cache {
            runs: LruCache::unbounded(),
            unwritten: BTreeMap::new(),
            upper: LruCache::unbounded(),
            max_runs: (cached_nodes / (2 << UPPER)).max(2),
            max_upper: (cached_nodes / (1 << UPPER)).max(64),
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
            let written = self.file.write(offset, &bytes);
            let cache = self.cache.get_mut().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = written {
                cache.doubt(run);
                return Err(error);
            }
            self.bytes = self.bytes.max(offset + bytes.len() as u64);
            run.iter().for_each(|node| cache.update(node));
        }
        Ok(())
    }

    /// Keeps nodes in memory until [`write_out`](Self::write_out), which comes before the next sync, or
    /// earlier if there are many.
    pub(crate) fn defer(&mut self, nodes: &[Node]) -> io::Result<()> {
        let cache = self.cache.get_mut().unwrap_or_else(PoisonError::into_inner);
        if cache.unwritten.len() >= MAX_UNWRITTEN_RUNS {
            self.write_out()?;
        }
        // Everything is read before anything is changed.
        let mut reader = self.reader();
        for node in nodes {
            reader.run(node.index.get() / RUN_NODES)?;
        }
        drop(reader);
        let mut reader = self.reader();
        for node in nodes {
            let (number, place) = split(node.index);
            reader.run(number)?;
            let cache = &mut *reader.cache;
            if let Some(run) = cache.runs.pop(&number) {
                cache.unwritten.insert(number, run);
            }
            cache.update(node);
            if let Some(run) = cache.unwritten.get_mut(&number) {
                run.unwritten |= 1 << place;
            }
        }
        Ok(())
    }

    /// Writes what was kept back, neighbours together. After an error all of it is still kept.
    pub(crate) fn write_out(&mut self) -> io::Result<()> {
        let cache = self.cache.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        let mut start = 0;
        for (number, run) in &cache.unwritten {
            let mut rest = run.unwritten;
            while rest != 0 {
                let first = rest.trailing_zeros();
                let count = (rest >> first).trailing_ones();
                rest &= !(u64::MAX >> (u64::BITS - count) << first);
                let at = ENTRIES + (number * RUN_NODES + u64::from(first)) * ENTRY_BYTES as u64;
                let ends = at != start + bytes.len() as u64 || bytes.len() >= WRITE_BYTES;
                if ends && !bytes.is_empty() {
                    self.file.write(start, &bytes)?;
                    self.bytes = self.bytes.max(start + bytes.len() as u64);
                    bytes.clear();
                }
                if bytes.is_empty() {
                    start = at;
                }
                let from = first as usize * ENTRY_BYTES;
                bytes.extend_from_slice(&run.bytes[from..from + count as usize * ENTRY_BYTES]);
            }
        }
        if !bytes.is_empty() {
            self.file.write(start, &bytes)?;
            self.bytes = self.bytes.max(start + bytes.len() as u64);
        }
        for (number, mut run) in std::mem::take(&mut cache.unwritten) {
            run.unwritten = 0;
            cache.keep(number, run);
        }
        Ok(())
    }

    pub(crate) fn file(&self) -> Arc<dyn Storage> {
        self.file.clone()
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

impl Cache {
    fn run_mut(&mut self, number: u64) -> Option<&mut Box<Run>> {
        match self.unwritten.get_mut(&number) {
            Some(run) => Some(run),
            None => self.runs.peek_mut(&number),
        }
    }

    /// Keeps a run that is as in the file.
    fn keep(&mut self, number: u64, run: Box<Run>) {
        if self.runs.len() >= self.max_runs {
            self.runs.pop_lru();
        }
        self.runs.put(number, run);
    }

    fn keep_upper(&mut self, index: NodeIndex, node: Option<Node>) {
        self.upper.put(index.get(), node);
        if self.upper.len() > self.max_upper {
            self.upper.pop_lru();
        }
    }

    /// Takes in what a node is now.
    fn update(&mut self, node: &Node) {
        let (number, place) = split(node.index);
        if let Some(run) = self.run_mut(number) {
            run.set(place, node);
        }
        if node.index.depth() >= UPPER {
            self.keep_upper(node.index, Some(*node));
        }
    }

    /// Nothing is known of what the file has of these nodes, of which a write failed.
    fn doubt(&mut self, nodes: &[Node]) {
        for node in nodes {
            let (number, place) = split(node.index);
            self.runs.pop(&number);
            self.upper.pop(&node.index.get());
            // What was there before comes back with the next writing.
            if let Some(run) = self.unwritten.get_mut(&number) {
                run.unwritten |= 1 << place;
            }
        }
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
        let (number, at) = split(index);
        if index.depth() < UPPER {
            return Ok(self.run(number)?.node(index, at));
        }
        if let Some(node) = self.cache.upper.get(&index.get()) {
            return Ok(*node);
        }
        let node = match self.cache.unwritten.get(&number) {
            Some(run) => run.node(index, at),
            None => {
                let mut bytes = [0; ENTRY_BYTES];
                self.fill(place(index), &mut bytes)?;
                decode(index, &bytes)
            }
        };
        self.cache.keep_upper(index, node);
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
        let held = self.cache.unwritten.contains_key(&number);
        if !held && !self.cache.runs.contains(&number) {
            let start = ENTRIES + number * RUN_BYTES as u64;
            let present = self.present(start, RUN_BYTES);
            let mut bytes = vec![0; present];
            self.file.read(start, &mut bytes)?;
            let run = Run {
                bytes,
                offset: None,
                unwritten: 0,
            };
            self.cache.keep(number, Box::new(run));
        }
        let cache = &mut *self.cache;
        let run = match held {
            true => cache.unwritten.get_mut(&number),
            false => cache.runs.get_mut(&number),
        };
        Ok(run.expect("the run is cached by now"))
    }

    /// Reads what the file has of a range; the rest stays zero.
    fn fill(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let present = self.present(offset, out.len());
        self.file.read(offset, &mut out[..present])
    }

    /// How many of `bytes` bytes the file has.
    fn present(&self, offset: u64, bytes: usize) -> usize {
        let rest = usize::try_from(self.bytes.saturating_sub(offset));
        rest.map_or(bytes, |rest| rest.min(bytes))
    }
}

impl Run {
    fn node(&self, index: NodeIndex, at: usize) -> Option<Node> {
        let at = at * ENTRY_BYTES;
        decode(index, self.bytes.get(at..at + ENTRY_BYTES)?)
    }

    fn set(&mut self, at: usize, node: &Node) {
        let at = at * ENTRY_BYTES;
        if self.bytes.len() < at + ENTRY_BYTES {
            self.bytes.resize(at + ENTRY_BYTES, 0);
        }
        self.bytes[at..at + ENTRY_BYTES].copy_from_slice(&encode(node));
    }
}

/// The run that a node is in, and its place there.
fn split(index: NodeIndex) -> (u64, usize) {
    let place = usize::try_from(index.get() % RUN_NODES).expect("a run has few nodes");
    (index.get() / RUN_NODES, place)
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
/// Runs that may have nodes kept back: 5 MiB.
const MAX_UNWRITTEN_RUNS: usize = 2048;
/// About how much is gathered for one write.
const WRITE_BYTES: usize = 256 << 10;
