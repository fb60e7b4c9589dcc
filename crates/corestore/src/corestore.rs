use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hypercore::{Feed, Hypercore};
use hypercore_crypto::{DiscoveryKey, KeyPair, PublicKey, derive_secret};
use hypercore_storage::StorageDir;
use zeroize::Zeroizing;

use crate::destroy;
use crate::held::HeldDir;
use crate::identity::{self, Secret, Selector};
use crate::layout::{self, DEFAULT_NAME};
use crate::list::{StoredCores, WORTH_KEEPING};
use crate::master_key::{self, StoreLock};
use crate::opened::{Opened, Subscribers};
use crate::registry::Registry;
use crate::{GetError, Namespace, OpenError, Options};

/// Many logs in one directory. Clones and namespaces are handles on the same store.
///
/// Opening the same core twice gives the same shared feed. The directory is locked until the store
/// is closed, or every handle on it and every feed is gone.
#[derive(Clone, Debug)]
pub struct Corestore {
    inner: Arc<Inner>,
    namespace: Option<Namespace>,
}

impl Corestore {
    /// Opens the store in `dir`, creating what is missing.
    pub fn open(dir: Arc<dyn StorageDir>, options: Options) -> Result<Self, OpenError> {
        let (lock, master_key) = master_key::open(&dir, &options)?;
        let inner = Inner {
            dir,
            options,
            master_key,
            lock: Mutex::new(Some(Arc::new(lock))),
            failed: Mutex::new(None),
            registry: Arc::default(),
            subscribers: Subscribers::default(),
            changed: AtomicUsize::new(0),
        };
        Ok(Self {
            inner: Arc::new(inner),
            namespace: None,
        })
    }

    /// A handle with another default core. Only that differs: names given to
    /// [`get_by_name`](Self::get_by_name) mean the same core everywhere.
    ///
    /// Below a namespace, the two names are joined by a colon. Use 32 random bytes, and keep them,
    /// for a default core that nothing else shares.
    pub fn namespace(&self, name: impl Into<Namespace>) -> Self {
        let namespace = name.into().below(self.namespace.as_ref());
        Self {
            inner: self.inner.clone(),
            namespace: Some(namespace),
        }
    }

    /// The name that this handle's default core is derived from.
    pub fn default_name(&self) -> &[u8] {
        match &self.namespace {
            Some(namespace) => namespace.as_str().as_bytes(),
            None => DEFAULT_NAME,
        }
    }

    /// This handle's default core, created if it is not there.
    pub fn default_feed(&self) -> Result<Feed, GetError> {
        self.get_by_name(self.default_name())
    }

    /// The core that belongs to a name under the store's master key, created if it is not there.
    /// Writable.
    pub fn get_by_name(&self, name: impl AsRef<[u8]>) -> Result<Feed, GetError> {
        self.inner
            .get(&Selector::name(name.as_ref(), &self.inner.master_key)?)
    }

    /// A new core, under a random name that is stored with it.
    pub fn create(&self) -> Result<Feed, GetError> {
        let mut name = [0; 32];
        getrandom::fill(&mut name).map_err(io::Error::other)?;
        self.get_by_name(name)
    }

    /// The core that `key` signs, created (empty, to be filled by peers) if it is not there.
    /// Writable if its name or secret key is stored.
    pub fn get(&self, key: &PublicKey) -> Result<Feed, GetError> {
        self.inner.get(&Selector::Public(*key))
    }

    /// The core of a key pair from elsewhere, created if it is not there. The secret key is stored
    /// with it.
    pub fn get_by_key_pair(&self, pair: &KeyPair) -> Result<Feed, GetError> {
        self.inner.get(&Selector::Pair(pair.clone()))
    }

    /// The core of a discovery key if it is stored. Nothing is created.
    pub fn get_by_discovery_key(&self, key: &DiscoveryKey) -> Result<Option<Feed>, GetError> {
        self.inner.get_stored(key)
    }

    /// A secret for something else than cores: the same for the same names as long as the store has its
    /// master key. In the namespace `corestore` it would be the seed of a core's key pair.
    pub fn derive_secret(&self, namespace: &str, name: impl AsRef<[u8]>) -> Zeroizing<[u8; 32]> {
        derive_secret(&self.inner.master_key, namespace, name.as_ref())
    }

    /// Walks over the cores in the directory, open or not.
    pub fn list(&self) -> StoredCores {
        self.inner.list()
    }

    /// The feeds that are open.
    pub fn open_feeds(&self) -> Vec<Feed> {
        self.inner.registry.feeds()
    }

    /// A stream of the feeds that are open, then of each one that opens, from whatever handle.
    pub fn subscribe(&self) -> Opened {
        self.inner.subscribers.subscribe(&self.inner.registry)
    }

    /// Makes everything written to any core survive a power cut.
    ///
    /// Also reports, once, that a core which was closed to make room could not be flushed.
    pub fn flush(&self) -> io::Result<()> {
        self.inner.flush()
    }

    /// Flushes and closes every core, whoever holds it, and lets go of the directory. Later calls
    /// on any handle fail. Returns the first error; everything is closed all the same.
    pub fn close(&self) -> io::Result<()> {
        self.inner.close()
    }
}

impl Corestore {
    /// The directory, and what the keys of its cores are derived from.
    pub(crate) fn secrets(&self) -> (Arc<dyn StorageDir>, Zeroizing<[u8; 32]>) {
        (self.inner.dir.clone(), self.inner.master_key.clone())
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }
}

pub(crate) struct Inner {
    dir: Arc<dyn StorageDir>,
    options: Options,
    master_key: Zeroizing<[u8; 32]>,
    /// The store's lock, shared with the cores that are open. `None` once the store was closed.
    lock: Mutex<Option<Arc<StoreLock>>>,
    /// Why a core that was closed to make room could not be flushed.
    failed: Mutex<Option<io::Error>>,
    pub(crate) registry: Arc<Registry>,
    subscribers: Subscribers,
    /// How many cores were created, or became known better.
    pub(crate) changed: AtomicUsize,
}

impl Inner {
    fn get(&self, selector: &Selector) -> Result<Feed, GetError> {
        let key = selector.discovery_key();
        let (feed, opened) = self.registry.get_or_open(&key, || self.open(selector))?;
        if opened {
            self.subscribers.tell(&feed);
            if self.registry.is_over(self.options.open_cores) {
                // What a connection is slow to hear of must not stay open for that.
                self.subscribers.let_go(&key);
            }
            if let Err(error) = self.registry.close_idle(self.options.open_cores) {
                self.failed().get_or_insert(error);
            }
        }
        Ok(feed)
    }

    fn get_stored(&self, key: &DiscoveryKey) -> Result<Option<Feed>, GetError> {
        if let Some(feed) = self.registry.find(key) {
            return Ok(Some(feed));
        }
        self.store_lock()?;
        // Looked for first: locking creates files, and whoever asks for a core that is not here
        // shall leave none behind.
        if !self.folder(key).exists(layout::KEY)? {
            return Ok(None);
        }
        self.get(&Selector::Discovery(*key)).map(Some)
    }

    fn open(&self, selector: &Selector) -> Result<Feed, GetError> {
        // Asked for after the core was entered into the registry, so that `close` sees either the
        // core or no one opening it.
        let store = self.store_lock()?;
        let discovery_key = selector.discovery_key();
        let dir = self.folder(&discovery_key);
        let lock = match dir.lock(layout::BITFIELD) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(GetError::Locked { discovery_key });
            }
            lock => lock?,
        };
        let stored = || StoredCores::new(self.dir.clone());
        // What its author wrote may be longer than what came back: see `Corestore::confirm`.
        let foreign = destroy::was_own(&*dir)? || dir.exists(layout::RESTORED)?;
        let identity = match foreign {
            true => identity::load_public(&*dir, selector, None)?,
            false => identity::load(&*dir, selector, &self.master_key, stored)?,
        };
        if identity::store(&*dir, &identity)? {
            self.changed.fetch_add(1, Ordering::Relaxed);
        }
        let log = hypercore::Options::new().store_secret(false);
        let log = log.cached_nodes(self.options.cached_nodes);
        let log = match identity.secret {
            Secret::Named(_, pair) | Secret::Given(pair) => log.key_pair(pair),
            Secret::Unknown => log.key(identity.public),
        };
        match Hypercore::open(Arc::new(HeldDir::new(dir, lock, store)), log) {
            Ok(core) => Ok(Feed::new(core)),
            Err(hypercore::OpenError::Storage(error)) => Err(GetError::Storage(error)),
            Err(source) => Err(GetError::Log {
                discovery_key,
                source,
            }),
        }
    }

    fn flush(&self) -> io::Result<()> {
        let mut result = self.failed().take().map_or(Ok(()), Err);
        for feed in self.registry.feeds() {
            result = result.and(feed.flush());
        }
        result.and(self.dir.sync())
    }

    fn close(&self) -> io::Result<()> {
        let store = self
            .lock
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.subscribers.close();
        let failed = self.failed().take().map_or(Ok(()), Err);
        let closed = failed.and(self.registry.close_all());
        let Some(store) = store else {
            return closed;
        };
        if self.changed.load(Ordering::Relaxed) >= WORTH_KEEPING {
            // The next listing would read all of them; what goes wrong here, it meets itself.
            StoredCores::with_index(self.dir.clone(), store.now()).for_each(drop);
        }
        closed.and(self.dir.sync())
    }

    fn list(&self) -> StoredCores {
        // Whoever has closed the store may not write in it.
        let now = self.store_lock().ok().and_then(|lock| lock.now());
        StoredCores::with_index(self.dir.clone(), now)
    }

    pub(crate) fn store_lock(&self) -> Result<Arc<StoreLock>, GetError> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        lock.clone().ok_or(GetError::Closed)
    }

    pub(crate) fn folder(&self, key: &DiscoveryKey) -> Arc<dyn StorageDir> {
        self.dir.subdir(&layout::folder(key))
    }

    fn failed(&self) -> MutexGuard<'_, Option<io::Error>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Feeds that others hold stay open; nothing that was written to them may be lost.
impl Drop for Inner {
    fn drop(&mut self) {
        self.subscribers.close();
        for feed in self.registry.feeds() {
            // Nobody is left to tell. What is lost can be fetched or found again.
            let _ = feed.flush();
        }
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Corestore")
            .field("dir", &self.dir)
            .field("options", &self.options)
            .finish()
    }
}
