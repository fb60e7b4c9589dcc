use std::fmt;
use std::sync::Arc;

use hypercore_crypto::{KeyPair, PublicKey};

use crate::Signer;

/// How a log is opened.
///
/// ```
/// use hypercore::Options;
/// use hypercore_crypto::KeyPair;
///
/// // A log that this program writes; the secret key is kept elsewhere.
/// let options = Options::new().key_pair(KeyPair::from_seed(&[1; 32])).store_secret(false);
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) key: Option<PublicKey>,
    pub(crate) pair: Option<KeyPair>,
    pub(crate) store_secret: bool,
    pub(crate) create: bool,
    pub(crate) read_only: bool,
    pub(crate) lock: bool,
    pub(crate) verify_reads: bool,
    pub(crate) max_block_bytes: usize,
    pub(crate) max_length: u64,
    pub(crate) cached_nodes: usize,
    pub(crate) checkpoint_bytes: u64,
    pub(crate) durability: Durability,
    pub(crate) journal_bytes: u64,
    pub(crate) confirm_length: bool,
    pub(crate) overwrite: bool,
    pub(crate) signer: Option<Arc<dyn Signer>>,
    pub(crate) before_store: Option<BeforeStore>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            key: None,
            pair: None,
            store_secret: true,
            create: true,
            read_only: false,
            lock: true,
            verify_reads: true,
            max_block_bytes: MAX_BLOCK_BYTES,
            max_length: MAX_LENGTH,
            cached_nodes: CACHED_NODES,
            checkpoint_bytes: CHECKPOINT_BYTES,
            durability: Durability::OnFlush,
            journal_bytes: JOURNAL_BYTES,
            confirm_length: false,
            overwrite: false,
            signer: None,
            before_store: None,
        }
    }
}

impl Options {
    /// Opens whatever the directory says, or fails if it says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The log's public key. A directory that holds another log is refused.
    #[must_use]
    pub fn key(mut self, key: PublicKey) -> Self {
        self.key = Some(key);
        self
    }

    /// The log's key pair, which makes it writable.
    #[must_use]
    pub fn key_pair(mut self, pair: KeyPair) -> Self {
        self.key = Some(pair.public);
        self.pair = Some(pair);
        self
    }

    /// Who signs, in place of a key pair. Makes the log writable.
    #[must_use]
    pub fn signer(mut self, signer: Arc<dyn Signer>) -> Self {
        self.key = Some(signer.public_key());
        self.signer = Some(signer);
        self
    }

    /// Removes the log that is in the directory first, whatever it is (default: no). What was signed
    /// with the same key and seen by others must not be signed otherwise.
    #[must_use]
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Has `hook` look at each block of a peer's that was verified, with its index, before it is
    /// stored. If it says no, the block is refused ([`PutError::Declined`](crate::PutError)). The log
    /// is locked meanwhile: the hook must not use it.
    #[must_use]
    pub fn before_store(
        mut self,
        hook: impl Fn(u64, &[u8]) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.before_store = Some(BeforeStore(Arc::new(hook)));
        self
    }

    /// Whether the file `secret_key` is written for a key pair that was given (default: yes). Say
    /// no when the secret is derived or kept elsewhere.
    #[must_use]
    pub fn store_secret(mut self, store: bool) -> Self {
        self.store_secret = store;
        self
    }

    /// Whether a directory without a log gets a new one (default: yes).
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Writes nothing at all, not even repairs, and takes no lock (default: no). The log sees what
    /// was stored when it was opened.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Whether the log's own lock, on the file `bitfield`, is taken (default: yes). Node's packages
    /// honour it. Say no only if the layer above holds a lock that covers this directory.
    #[must_use]
    pub fn lock(mut self, lock: bool) -> Self {
        self.lock = lock;
        self
    }

    /// Whether a block is hashed and compared with its leaf each time it is read (default: yes).
    /// Without it, a damaged disk can hand out damaged blocks.
    #[must_use]
    pub fn verify_reads(mut self, verify: bool) -> Self {
        self.verify_reads = verify;
        self
    }

    /// The largest block that can be appended, in bytes (default and most: 8 MiB less 64 KiB, so
    /// that the message carrying the block and its proof stays within the transport's frame limit).
    #[must_use]
    pub fn max_block_bytes(mut self, bytes: usize) -> Self {
        self.max_block_bytes = bytes.min(MAX_BLOCK_BYTES);
        self
    }

    /// The greatest length believed, in blocks (default 2^32). An author can sign any length; one
    /// beyond this is refused, since memory and the bitfield file grow with it.
    #[must_use]
    pub fn max_length(mut self, blocks: u64) -> Self {
        self.max_length = blocks.min(1 << 40);
        self
    }

    /// How many tree nodes are kept in memory at most (default 131,072; about 45 bytes each).
    /// A copy that is downloaded walks through 2048 places of the log at once, and 64 nodes belong to each.
    #[must_use]
    pub fn cached_nodes(mut self, nodes: usize) -> Self {
        self.cached_nodes = nodes;
        self
    }

    /// After how many bytes stored by `put` the log flushes by itself (default 64 MiB), which bounds
    /// what is fetched again after a crash. Appended blocks need none: they are found again.
    #[must_use]
    pub fn checkpoint_bytes(mut self, bytes: u64) -> Self {
        self.checkpoint_bytes = bytes;
        self
    }

    /// When what is appended survives a power cut (default: after the next flush).
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Whether appends are refused until somebody has confirmed that there is no longer log of this
    /// author (default: no): a peer, by [`Feed::confirm_length`](crate::Feed::confirm_length), or the
    /// caller, by [`Hypercore::confirm_length`](crate::Hypercore::confirm_length). For storage that may
    /// have been restored from a backup.
    #[must_use]
    pub fn confirm_length(mut self, confirm: bool) -> Self {
        self.confirm_length = confirm;
        self
    }

    /// How long the journal of [`Durability::EachAppend`] may become, in bytes (default 16 MiB). When
    /// it is full the log flushes; an append that does not fit at all is synced without it.
    #[must_use]
    pub fn journal_bytes(mut self, bytes: u64) -> Self {
        self.journal_bytes = bytes;
        self
    }
}

/// A hook; see [`Options::before_store`].
#[derive(Clone)]
pub(crate) struct BeforeStore(pub(crate) Arc<Hook>);

type Hook = dyn Fn(u64, &[u8]) -> bool + Send + Sync;

impl fmt::Debug for BeforeStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BeforeStore")
    }
}

/// When what is appended to a log survives a power cut.
///
/// A process that is killed loses nothing in any mode.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Durability {
    /// After the next [`flush`](crate::Hypercore::flush). Until then a power cut leaves the log at some
    /// earlier appended length.
    #[default]
    OnFlush,
    /// When the append returns. Each one, be it of one block or of a thousand, costs one sync of one
    /// file, a journal beside the reference's files.
    EachAppend,
    /// Never for certain; nothing is synced. For caches, which can be fetched again. An author's log
    /// may fork after a power cut.
    Never,
}

/// Node refuses frames above 8 MiB; 64 KiB of it are left for the proof and the message's fields.
pub(crate) const MAX_BLOCK_BYTES: usize = (8 << 20) - (64 << 10);

/// The largest block that Node's `append` takes, and so the largest one found in a directory.
pub(crate) const MAX_STORED_BLOCK_BYTES: usize = 8 << 20;

const MAX_LENGTH: u64 = 1 << 32;
const CACHED_NODES: usize = 131_072;
const CHECKPOINT_BYTES: u64 = 64 << 20;
const JOURNAL_BYTES: u64 = 16 << 20;
