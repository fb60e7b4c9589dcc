use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use corestore::Corestore;
use futures_util::lock::Mutex as AsyncMutex;
use hypercore::{Durability, Feed};
use hypercore_crypto::{DiscoveryKey, PublicKey};
use hypertrie::Trie;

use crate::content::BLOCK_SIZE;
use crate::file::OpenFiles;
use crate::group::Group;
use crate::{Chunker, DriveError, FixedSize};

/// A filesystem on two logs: a trie of paths, and the content of files.
///
/// A handle is cheap to clone; clones and [checkouts](Self::checkout) share the logs and the locks
/// that let one write happen at a time. Open one drive for a key and clone it: two that were opened
/// apart do not wait for each other, and the slower of two writes at once ends in an error.
///
/// Other drives may be [mounted](Self::mount) in it, others in these, and so on. Paths lead through
/// mounts: what is mounted is read, listed and written in place, in the newest version that is known
/// unless the mount names one. What is mounted has its own keys, so it may be writable where the
/// outer drive is not, and the other way round.
///
/// Reads wait for as long as it takes until a block arrives from a peer; race them against a timer
/// to give up sooner. Everything is cancel-safe unless it says otherwise.
#[derive(Clone, Debug)]
pub struct Drive {
    pub(crate) group: Arc<Group>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) trie: Trie,
}

/// What the handles on one drive have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    /// In its newest version.
    pub(crate) trie: Trie,
    content: OnceLock<Feed>,
    /// Held while a file's blocks are appended, so that they are in one run.
    pub(crate) appending: Arc<AsyncMutex<()>>,
    pub(crate) files: OpenFiles,
    /// Whether paths may refer to content that was lost, see `mend`.
    pub(crate) unmended: AtomicBool,
    pub(crate) options: Options,
}

impl Drive {
    /// Opens the drive whose paths are the default core of `store`'s namespace, creating it if the
    /// core is empty. Writable.
    ///
    /// Give each drive a namespace of its own, 32 random bytes, and remember them.
    pub async fn create(store: &Corestore, options: Options) -> Result<Self, DriveError> {
        let metadata = store.default_feed()?;
        let group = Arc::new(Group::new(store, options.clone()));
        group.create(metadata, options).await
    }

    /// Opens the drive that has this key. Writable if the store has the secret keys of both logs.
    ///
    /// Waits for nobody: of a drive that was never seen before nothing is known until a peer
    /// brings it. If the core is writable and empty, the drive is created: that is how a drive gets
    /// a key pair from elsewhere, once [`Corestore::get_by_key_pair`] has brought it into the store.
    pub async fn open(
        store: &Corestore,
        key: &PublicKey,
        options: Options,
    ) -> Result<Self, DriveError> {
        let group = Arc::new(Group::new(store, options.clone()));
        group.create(store.get(key)?, options).await
    }

    pub(crate) fn new(group: Arc<Group>, shared: Arc<Shared>) -> Self {
        let trie = shared.trie.clone();
        Self {
            group,
            shared,
            trie,
        }
    }

    /// Sees to it that the content becomes durable before the paths that refer to it, and both as
    /// the options say, if the drive is written here.
    pub(crate) async fn settle(&self) -> Result<(), DriveError> {
        let metadata = self.metadata();
        if !metadata.is_writable() || !metadata.has(0) {
            return Ok(());
        }
        // What is wrong with the header is told to those who want the content.
        let Ok(content) = self.content().await else {
            return Ok(());
        };
        metadata.flush_after(&content);
        self.mend().await?;
        if let Some(durability) = self.shared.options.durability {
            for feed in [&content, metadata] {
                if feed.is_writable() {
                    feed.set_durability(durability)?;
                }
            }
        }
        Ok(())
    }

    /// Exchanges lookups of paths with peers for as long as the future runs, beside whatever
    /// replicates the logs: then a path is found in a few round trips instead of one for each block
    /// on its way. That includes drives which are reached through mounts. An error if another handle on the drive that was opened apart does so already.
    pub fn lookups(&self) -> Result<impl Future<Output = ()> + Send + 'static + use<>, DriveError> {
        self.group.lookups(&self.shared.trie)
    }

    /// The drive's key: whoever knows it can read the drive.
    pub fn key(&self) -> PublicKey {
        self.metadata().public_key()
    }

    /// What may be said aloud to find the drive.
    pub fn discovery_key(&self) -> DiscoveryKey {
        self.metadata().discovery_key()
    }

    /// The version looked at: that of a checkout, or else the length of the log of paths. 1 for an
    /// empty drive, 0 for one of which nothing is known.
    pub fn version(&self) -> u64 {
        self.trie.version()
    }

    /// The version that this handle is checked out at; `None` if it follows the newest.
    pub fn checked_out(&self) -> Option<u64> {
        self.trie.checked_out()
    }

    /// Whether the drive's paths can be changed through this handle: the secret key is here, and it
    /// is no checkout.
    pub fn is_writable(&self) -> bool {
        self.checked_out().is_none() && self.metadata().is_writable()
    }

    /// The drive as it was at `version`, for reading. A version that nobody has made yet is waited
    /// for by every lookup.
    ///
    /// Mounts are those of that version; what is mounted without a version is shown in its newest
    /// one all the same, since nothing says which one it had then.
    #[must_use]
    pub fn checkout(&self, version: u64) -> Self {
        Self {
            group: self.group.clone(),
            shared: self.shared.clone(),
            trie: self.trie.checkout(version),
        }
    }

    /// The drive as it is now, for reading.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        self.checkout(self.version())
    }

    /// The drive in its newest version at any time: the way back from a [checkout](Self::checkout).
    #[must_use]
    pub fn latest(&self) -> Self {
        Self::new(Arc::clone(&self.group), Arc::clone(&self.shared))
    }

    /// Asks the connected peers for a newer version, and for newer ones of the mounted drives that
    /// are open. True if there is one of the drive itself; false as soon as every peer has answered,
    /// or there is no peer.
    pub async fn update(&self) -> Result<bool, DriveError> {
        let opened = self.group.opened().into_iter();
        let mounted = opened.filter(|drive| drive.key() != self.key());
        let mounted = mounted.map(|drive| async move {
            // Whether one of them can be read is told where it is read.
            let _ = drive.trie.update().await;
        });
        let mounted = futures_util::future::join_all(mounted);
        let (updated, _) = futures_util::future::join(self.trie.update(), mounted).await;
        Ok(updated?)
    }

    /// The log of paths, a trie whose nodes are [`Stat`](crate::Stat)s.
    pub fn metadata(&self) -> &Feed {
        self.trie.feed()
    }

    /// The log of contents. The first time, waits for the drive's header if it is not here.
    pub async fn content(&self) -> Result<Feed, DriveError> {
        if let Some(feed) = self.content_now() {
            return Ok(feed);
        }
        let key = self.trie.metadata().await?.ok_or(DriveError::NoContent)?;
        let key: [u8; 32] = key[..].try_into().map_err(|_| DriveError::NoContent)?;
        let feed = self.group.store.get(&PublicKey::from_bytes(key))?;
        Ok(self.shared.content.get_or_init(|| feed).clone())
    }

    /// The log of contents if it is known which one that is. Never waits.
    pub fn content_now(&self) -> Option<Feed> {
        self.shared.content.get().cloned()
    }

    /// Makes everything written before survive a power cut, in mounted drives as well.
    pub fn flush(&self) -> Result<(), DriveError> {
        self.flush_logs()?;
        for drive in self.group.opened() {
            drive.flush_logs()?;
        }
        Ok(())
    }

    pub(crate) fn flush_logs(&self) -> Result<(), DriveError> {
        // Also for those who have only one of the logs.
        if let Some(content) = self.content_now() {
            content.flush()?;
        }
        self.metadata().flush()?;
        Ok(())
    }
}

impl Shared {
    pub(crate) fn new(trie: Trie, content: OnceLock<Feed>, options: Options) -> Self {
        Self {
            trie,
            content,
            appending: Arc::default(),
            files: OpenFiles::default(),
            unmended: AtomicBool::new(false),
            options,
        }
    }
}

/// How a drive is opened.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) chunker: Arc<dyn Chunker>,
    pub(crate) subtype: String,
    pub(crate) durability: Option<Durability>,
}

impl Options {
    /// The defaults: blocks of 64 KiB, subtype `hyperdrive`.
    pub fn new() -> Self {
        Self {
            chunker: Arc::new(FixedSize::new(BLOCK_SIZE)),
            subtype: "hyperdrive".to_owned(),
            durability: None,
        }
    }

    /// The size of blocks that the reference writes, in bytes.
    pub const REFERENCE_BLOCK_SIZE: usize = 524_288;

    /// The size in bytes of the blocks that files are cut into when they are written (default
    /// 65,536; at least 1, at most [`REFERENCE_BLOCK_SIZE`](Self::REFERENCE_BLOCK_SIZE)). A reader
    /// fetches and verifies whole blocks: larger ones cost less per byte, smaller ones less per
    /// read.
    #[must_use]
    pub fn block_size(self, bytes: usize) -> Self {
        self.chunker(FixedSize::new(bytes))
    }

    /// What decides where files are cut into blocks, in place of a fixed size; [`ContentDefined`] for
    /// example.
    ///
    /// [`ContentDefined`]: crate::ContentDefined
    #[must_use]
    pub fn chunker(mut self, chunker: impl Chunker + 'static) -> Self {
        self.chunker = Arc::new(chunker);
        self
    }

    /// When what is written to the drive survives a power cut (default: after the next
    /// [`flush`](Drive::flush), as long as nobody else who has the drive open says otherwise).
    ///
    /// A process that is killed loses nothing in any mode. A power cut leaves the drive as it was after
    /// one of its changes, never half of one, and with [`Durability::OnFlush`] not before the last
    /// flush; with [`Durability::EachAppend`] each change costs a sync of one file for each log. With
    /// [`Durability::Never`] a power cut may leave anything: for what can be made again.
    ///
    /// Peers are told of changes when they are durable. Applies to both logs, and to everybody who has
    /// them open.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// The subtype written into the header of a new drive (default `hyperdrive`). Readers ignore
    /// it.
    #[must_use]
    pub fn subtype(mut self, subtype: impl Into<String>) -> Self {
        self.subtype = subtype.into();
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
