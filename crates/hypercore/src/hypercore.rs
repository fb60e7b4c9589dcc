use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use hypercore_crypto::{DiscoveryKey, PublicKey, Signature, signable, tree_hash};
use hypercore_storage::{Lock, StorageDir};

use crate::bitfield::Bitfield;
use crate::store::Store;
use crate::{AppendError, Durability, ForkProof, Node, OpenError, Options, Signer, rle};

mod append;
mod aside;
mod audit;
mod clear;
mod flush;
mod fork;
mod inspect;
mod journal;
mod keys;
mod prove;
mod put;
mod read;
mod recover;
mod repair;
mod seek;
mod static_log;
mod verify;

pub use aside::FlushAside;
pub use seek::Seek;
pub use static_log::StaticLog;

/// A log in a directory: verified, synchronous, and open once.
///
/// Reading takes `&self`, changing `&mut self`. What was appended or stored is seen at once by
/// every call; it survives a power cut after [`flush`](Self::flush). Dropping the log without
/// [`close`](Self::close) loses nothing that was appended: the next `open` finds it again.
#[derive(Debug)]
pub struct Hypercore {
    store: Store,
    bits: Bitfield,
    key: PublicKey,
    signer: Option<Arc<dyn Signer>>,
    /// The roots of the log at its length, left to right.
    roots: Vec<Node>,
    length: u64,
    byte_length: u64,
    /// How many blocks a power cut leaves in any case.
    durable: u64,
    /// What was found beyond the flushed blocks when the log was opened.
    found_unflushed: Range<u64>,
    options: Options,
    dir: Arc<dyn StorageDir>,
    /// Whether files may have been created since the directory was last synced.
    dir_dirty: bool,
    /// Whether blocks, nodes or signatures were written since the last sync.
    content_dirty: bool,
    /// Bytes stored by `put` since the last flush.
    unflushed: u64,
    /// The pages that a flush beside other uses of the log has taken out of the changed ones.
    flushing: Option<BTreeSet<usize>>,
    /// Which flush is the last that began.
    generation: u64,
    /// Whether the log's key is the hash of its roots, and it has no signatures.
    is_static: bool,
    poisoned: bool,
    /// Whether an append failed and may have left a signature beyond the length.
    stale_tail: bool,
    /// Whether the author was found to have signed two different logs.
    frozen: bool,
    /// The evidence of that.
    fork: Option<ForkProof>,
    /// Blocks that others have from this author and that are missing here.
    missed: Range<u64>,
    /// Whether nobody is known to have a longer log, if that was asked for.
    confirmed: bool,
    /// The length that was signed once, when part of what was signed is lost.
    lost: Option<u64>,
    /// `None` if nobody wanted it taken.
    lock: Option<Lock>,
}

impl Hypercore {
    /// Opens the log in `dir`, or creates it there.
    ///
    /// The directory holds the files `key`, `secret_key`, `tree`, `signatures`, `bitfield` and
    /// `data` as Node's hypercore 9 writes them.
    pub fn open(dir: Arc<dyn StorageDir>, options: Options) -> Result<Self, OpenError> {
        let lock = keys::prepare(&*dir, &options)?;
        let found = keys::find(&*dir, &options)?;
        Self::open_with(dir, options, lock, &found)
    }

    fn open_with(
        dir: Arc<dyn StorageDir>,
        options: Options,
        lock: Option<Lock>,
        found: &keys::Keys,
    ) -> Result<Self, OpenError> {
        let mut store = Store::open(&dir, options.read_only, options.cached_nodes)?;
        let bits = store.pages.load(options.max_length)?;
        let mut log = Self {
            store,
            bits,
            key: found.public,
            signer: found.signer(&options),
            roots: Vec::new(),
            length: 0,
            byte_length: 0,
            durable: 0,
            found_unflushed: 0..0,
            options,
            dir,
            dir_dirty: true,
            content_dirty: false,
            unflushed: 0,
            flushing: None,
            generation: 0,
            is_static: false,
            poisoned: false,
            stale_tail: false,
            frozen: false,
            fork: None,
            missed: 0..0,
            confirmed: true,
            lost: None,
            lock,
        };
        log.confirmed = !log.options.confirm_length;
        log.load()?;
        log.found_unflushed = log.durable..log.length;
        log.load_fork()?;
        if !log.options.read_only {
            log.replay()?;
        }
        keys::store(&*log.dir, &log.options, found)?;
        log.rest();
        Ok(log)
    }

    /// Who signs the log.
    pub fn public_key(&self) -> PublicKey {
        self.key
    }

    /// What may be said aloud to find the log.
    pub fn discovery_key(&self) -> DiscoveryKey {
        self.key.discovery_key()
    }

    /// Whether blocks can be appended here.
    pub fn is_writable(&self) -> bool {
        self.signer.is_some()
    }

    /// Whether the log has no author: its key is the hash of its roots, and it has no signatures.
    pub fn is_static(&self) -> bool {
        self.is_static
    }

    /// The number of blocks known to be in the log, stored here or not.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many of these blocks a power cut would leave, whatever else it takes: what was flushed, or
    /// appended with [`Durability::EachAppend`]. The author of a log must not let others see what lies
    /// beyond: whoever signs something else in the place of what others have seen splits the log in
    /// two. All blocks count in somebody else's log, whose blocks can be fetched again, and with
    /// [`Durability::Never`].
    pub fn durable_length(&self) -> u64 {
        if self.signer.is_some() && self.options.durability != Durability::Never {
            self.durable
        } else {
            self.length
        }
    }

    /// The blocks that no flush had made durable, and that were found all the same when the log was
    /// opened. Those of a journal are none of them.
    pub fn unflushed_at_open(&self) -> Range<u64> {
        self.found_unflushed.clone()
    }

    /// Changes when appended blocks survive a power cut. Flushes, so that one mode does not build on
    /// what another left.
    pub fn set_durability(&mut self, durability: Durability) -> io::Result<()> {
        self.flush()?;
        let before = std::mem::replace(&mut self.options.durability, durability);
        if before == Durability::Never && durability != Durability::Never {
            self.sync_all()?;
        }
        Ok(())
    }

    /// The number of bytes in these blocks.
    pub fn byte_length(&self) -> u64 {
        self.byte_length
    }

    /// The roots of the tree at [`length`](Self::length), left to right.
    pub fn roots(&self) -> &[Node] {
        &self.roots
    }

    /// Whether a block is stored here.
    pub fn has(&self, index: u64) -> bool {
        self.bits.has_block(index)
    }

    /// Whether every block of a range is stored here. An empty range is.
    pub fn has_range(&self, range: Range<u64>) -> bool {
        self.bits.next_missing(range).is_none()
    }

    /// How many blocks of a range are stored here.
    pub fn downloaded(&self, range: Range<u64>) -> u64 {
        self.bits.count_blocks(range)
    }

    /// The first block of `from..end` that is not stored here.
    pub fn next_missing(&self, from: u64, end: u64) -> Option<u64> {
        self.bits.next_missing(from..end)
    }

    /// The bits of a region for a `Have` message, run-length coded: those of the blocks from `start`
    /// (rounded down to a multiple of 8) on, for `length` blocks or to the end of what is stored.
    /// Nothing stored there is no bytes. Blocks at or beyond [`durable_length`](Self::durable_length)
    /// are left out.
    pub fn want_bitfield(&self, start: u64, length: u64) -> Vec<u8> {
        let start = start & !7;
        let mut end = start.saturating_add(length).min(self.bits.block_capacity());
        let durable = self.durable_length();
        if durable < self.length {
            end = end.min(durable);
        }
        let bytes = usize::try_from(end.saturating_sub(start).div_ceil(8)).unwrap_or(0);
        let mut bits = self.bits.block_bytes(start, bytes);
        if let (Some(last), odd @ 1..) = (bits.last_mut(), end % 8) {
            *last &= !(0xff >> odd);
        }
        rle::encode(&bits)
    }

    /// Says that nobody has a longer log, so that blocks may be appended; see
    /// [`Options::confirm_length`].
    pub fn confirm_length(&mut self) {
        self.confirmed = true;
    }

    /// Makes all changes durable and lets go of the files and the lock.
    pub fn close(mut self) -> io::Result<()> {
        self.flush()?;
        if self.options.read_only {
            return Ok(());
        }
        if self.bits_are_evidence() {
            return Ok(());
        }
        if self.is_writable() && self.options.durability != Durability::Never {
            self.mark(&self.base()?)?;
        }
        self.store.journal.discard()
    }

    /// Signs roots at a length, if the log is written here. A signature that nobody would believe is
    /// an error.
    fn sign(&self, roots: &[Node], length: u64) -> Result<Signature, AppendError> {
        let signer = self.signer.as_ref().ok_or(AppendError::NotWritable)?;
        let tree = hash_roots(roots);
        let signature = signer.sign(&signable(&tree, length));
        let signature = signature.map_err(AppendError::Signer)?;
        if self.options.signer.is_some() && !self.key.verify_tree(&tree, length, &signature) {
            return Err(AppendError::Signer("the signature is not valid".into()));
        }
        Ok(signature)
    }

    fn set_roots(&mut self, length: u64, roots: Vec<Node>) {
        self.length = length;
        self.byte_length = roots.iter().map(|root| root.size).sum();
        self.roots = roots;
    }
}

/// The hash that a signature over these roots covers.
fn hash_roots(roots: &[Node]) -> hypercore_crypto::Hash {
    tree_hash(
        roots
            .iter()
            .map(|root| (root.hash, root.index.get(), root.size)),
    )
}
