use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use hypercore::Feed;
use hypercore_crypto::{DiscoveryKey, KeyPair, PublicKey};
use hypercore_storage::StorageDir;
use zeroize::Zeroizing;

use crate::identity::{self, Identity, Selector};
use crate::list::StoredCores;
use crate::master_key::{self, Held};
use crate::opened::{Opened, Subscribers};
use crate::registry::Registry;
use crate::{GetError, Namespace, OpenError, Options, layout};

/// Many logs in one directory. Clones and namespaces are handles on the same store.
///
/// Opening the same core twice gives the same shared feed. The directory is locked for as long as
/// any handle is left and the store was not closed.
#[derive(Clone, Debug)]
pub struct Corestore {
    inner: Arc<Inner>,
    namespace: Option<Namespace>,
}

impl Corestore {
    /// Opens the store in `dir`, creating what is missing.
    pub fn open(dir: Arc<dyn StorageDir>, options: Options) -> Result<Self, OpenError> {
        let (held, master_key) = master_key::open(&dir, &options)?;
        let inner = Inner {
            dir,
            options,
            master_key,
            held: Mutex::new(Some(held)),
            registry: Arc::default(),
            subscribers: Subscribers::default(),
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
    pub fn default_name(&self) -> &str {
        self.namespace
            .as_ref()
            .map_or(DEFAULT_NAME, Namespace::as_str)
    }

    /// This handle's default core, created if it is not there.
    pub fn default_feed(&self) -> Result<Feed, GetError> {
        self.get_by_name(self.default_name())
    }

    /// The core that belongs to a name under the store's master key, created if it is not there.
    /// Writable.
    pub fn get_by_name(&self, name: impl AsRef<[u8]>) -> Result<Feed, GetError> {
        self.inner
            .get(Selector::name(name.as_ref(), &self.inner.master_key)?)
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
        self.inner.get(Selector::Public(*key))
    }

    /// The core of a key pair from elsewhere, created if it is not there. The secret key is stored
    /// with it.
    pub fn get_by_key_pair(&self, pair: &KeyPair) -> Result<Feed, GetError> {
        self.inner.get(Selector::Pair(pair.clone()))
    }

    /// The core of a discovery key if it is stored. Nothing is created.
    pub fn get_by_discovery_key(&self, key: &DiscoveryKey) -> Result<Option<Feed>, GetError> {
        self.inner.get_stored(key)
    }

    /// Walks over the cores in the directory, open or not.
    pub fn list(&self) -> StoredCores {
        StoredCores::new(self.inner.dir.clone())
    }

    /// The feeds that are open.
    pub fn open_feeds(&self) -> Vec<Feed> {
        self.inner.registry.feeds()
    }

    /// A stream of the feeds that are open, then of each one that opens, from whatever handle.
    pub fn subscribe(&self) -> Opened {
        self.inner.subscribers.subscribe(&self.inner.registry)
    }

    /// Makes everything written to any open core survive a power cut.
    pub fn flush(&self) -> io::Result<()> {
        for feed in self.open_feeds() {
            feed.flush()?;
        }
        self.inner.dir.sync()
    }

    /// Flushes and closes every core and lets go of the directory. Every handle is closed by it.
    pub fn close(&self) -> io::Result<()> {
        self.inner.close()
    }
}

/// The name of the default core outside of any namespace.
const DEFAULT_NAME: &str = "default";

struct Inner {
    dir: Arc<dyn StorageDir>,
    options: Options,
    master_key: Zeroizing<[u8; 32]>,
    /// The store's lock; `None` once closed.
    held: Mutex<Option<Held>>,
    registry: Arc<Registry>,
    subscribers: Subscribers,
}

impl Inner {
    fn get(&self, selector: Selector) -> Result<Feed, GetError> {
        self.check_open()?;
        let key = selector.discovery_key();
        let (feed, fresh) = self.registry.get_or_open(&key, || self.open(&selector))?;
        if fresh {
            self.subscribers.tell(key);
        }
        Ok(feed)
    }

    fn get_stored(&self, key: &DiscoveryKey) -> Result<Option<Feed>, GetError> {
        if self.registry.find(key).is_none() {
            let dir = self.dir.subdir(&layout::folder(key));
            if !dir.exists(layout::KEY)? {
                return self.check_open().map(|()| None);
            }
        }
        self.get(Selector::Discovery(*key)).map(Some)
    }

    fn open(&self, selector: &Selector) -> Result<Feed, GetError> {
        let dir = self.dir.subdir(&layout::folder(&selector.discovery_key()));
        let discovery_key = selector.discovery_key();
        let lock = match dir.lock(layout::BITFIELD) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(GetError::Locked { discovery_key });
            }
            lock => lock?,
        };
        let Some(identity) = identity::load(&*dir, selector, &self.master_key)? else {
            return Err(GetError::Damaged {
                discovery_key,
                file: layout::KEY,
            });
        };
        identity::store(&*dir, selector, &identity)?;
        drop(lock);
        Ok(placeholder(&identity))
    }

    fn close(&self) -> io::Result<()> {
        self.subscribers.close();
        let flushed = self.registry.feeds().iter().try_for_each(Feed::flush);
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
        flushed
    }

    fn check_open(&self) -> Result<(), GetError> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().map(|_| ()).ok_or(GetError::Closed)
    }
}

fn placeholder(identity: &Identity) -> Feed {
    let secret = || KeyPair::from_seed(&[0; 32]).secret;
    let pair = identity.pair.clone();
    let pair = pair.unwrap_or_else(|| KeyPair {
        public: identity.public,
        secret: secret(),
    });
    Feed::placeholder(&pair)
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Corestore")
            .field("dir", &self.dir)
            .field("options", &self.options)
            .finish()
    }
}
