//! The drives that are reached from one another through mounts.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use corestore::Corestore;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hypercore::Feed;
use hypercore_crypto::PublicKey;
use hypertrie::{Trie, TrieError};
use lru::LruCache;

use crate::drive::Shared;
use crate::{Drive, DriveError, Options};

/// The drives that were reached from one drive through mounts, so that each has one cache and one
/// lock for writing, however it is reached. They are in one store.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) store: Corestore,
    options: Options,
    members: Mutex<Members>,
}

#[derive(Debug)]
struct Members {
    /// Those used last, which stay open.
    recent: LruCache<PublicKey, Arc<Shared>>,
    /// All that anybody uses.
    known: HashMap<PublicKey, Weak<Shared>>,
    /// Who exchanges lookups with peers and wants to hear of drives that open.
    exchange: Option<async_channel::Sender<Trie>>,
}

impl Group {
    /// The group that begins with one drive.
    pub(crate) fn new(store: &Corestore, options: Options) -> Self {
        let members = Members {
            recent: LruCache::new(OPEN_DRIVES),
            known: HashMap::new(),
            exchange: None,
        };
        Self {
            store: store.clone(),
            options,
            members: Mutex::new(members),
        }
    }

    /// Makes the drive on a log, which is written if that is empty and ours.
    pub(crate) async fn create(
        self: &Arc<Self>,
        metadata: Feed,
        options: Options,
    ) -> Result<Drive, DriveError> {
        let trie_options = hypertrie::Options::new();
        self.open_log(metadata, options, trie_options).await
    }

    async fn open_log(
        self: &Arc<Self>,
        metadata: Feed,
        options: Options,
        trie_options: hypertrie::Options,
    ) -> Result<Drive, DriveError> {
        let mut trie_options = trie_options.subtype(options.subtype.clone());
        let content = OnceLock::new();
        if metadata.is_writable() && metadata.length() == 0 {
            let name = format!("{}-content", metadata.public_key());
            let feed = self.store.get_by_name(name)?;
            trie_options = trie_options.metadata(feed.public_key().as_bytes().to_vec());
            content.get_or_init(|| feed);
        }
        let trie = Trie::open(metadata, trie_options).await?;
        let shared = Arc::new(Shared::new(trie, content, options));
        let drive = Drive::new(Arc::clone(self), Arc::clone(&shared));
        drive.settle().await?;
        self.remember(&shared);
        Ok(drive)
    }

    /// The drive of a key, in its newest version. Of one that was never seen before, the peers that
    /// are connected are asked once.
    pub(crate) async fn open(self: &Arc<Self>, key: &PublicKey) -> Result<Drive, DriveError> {
        let drive = match self.find(key) {
            Some(shared) => Drive::new(Arc::clone(self), shared),
            None => {
                let metadata = self.store.get(key)?;
                // Whoever names the key of an empty log of ours must not have it become a drive.
                if metadata.is_writable() && metadata.length() == 0 {
                    return Err(TrieError::Header.into());
                }
                let (nodes, bytes) = MOUNTED_CACHE;
                let trie_options = hypertrie::Options::new().cache(nodes, bytes);
                self.open_log(metadata, self.options.clone(), trie_options)
                    .await?
            }
        };
        if drive.metadata().length() == 0 {
            drive.metadata().update().await?;
        }
        Ok(drive)
    }

    /// The drives that are open, in no order.
    pub(crate) fn opened(self: &Arc<Self>) -> Vec<Drive> {
        let shared: Vec<_> = {
            let members = self.members();
            members.known.values().filter_map(Weak::upgrade).collect()
        };
        let drives = shared.into_iter();
        drives
            .map(|shared| Drive::new(Arc::clone(self), shared))
            .collect()
    }

    /// Exchanges lookups for `first`, and for every drive that opens from now on.
    pub(crate) fn lookups(
        &self,
        first: &Trie,
    ) -> Result<impl Future<Output = ()> + Send + 'static + use<>, DriveError> {
        let mut running = FuturesUnordered::new();
        running.push(futures_util::FutureExt::boxed(first.lookups()?));
        let (sender, opened) = async_channel::bounded(OPEN_DRIVES.get());
        {
            let mut members = self.members();
            for (key, shared) in &members.recent {
                if *key != first.feed().public_key() {
                    // There is room for all of them.
                    let _ = sender.try_send(shared.trie.clone());
                }
            }
            members.exchange = Some(sender);
        }
        Ok(async move {
            let mut opened = std::pin::pin!(opened);
            loop {
                let next = futures_util::future::select(opened.next(), running.next()).await;
                match next {
                    futures_util::future::Either::Left((Some(trie), _)) => {
                        // If it cannot, somebody else does so already.
                        if running.len() < MAX_EXCHANGES
                            && let Ok(lookups) = trie.lookups()
                        {
                            running.push(futures_util::FutureExt::boxed(lookups));
                        }
                    }
                    futures_util::future::Either::Left((None, _)) => break,
                    futures_util::future::Either::Right((Some(()), _)) => {}
                    futures_util::future::Either::Right((None, _)) => return,
                }
            }
            while running.next().await.is_some() {}
        })
    }

    fn find(&self, key: &PublicKey) -> Option<Arc<Shared>> {
        let mut members = self.members();
        let found = match members.recent.get(key) {
            Some(shared) => Arc::clone(shared),
            None => members.known.get(key)?.upgrade()?,
        };
        if found.trie.feed().is_closed() {
            members.recent.pop(key);
            members.known.remove(key);
            return None;
        }
        members.recent.put(*key, Arc::clone(&found));
        Some(found)
    }

    fn remember(&self, shared: &Arc<Shared>) {
        let key = shared.trie.feed().public_key();
        let mut members = self.members();
        if members.known.len() >= 2 * OPEN_DRIVES.get() {
            members.known.retain(|_, shared| shared.strong_count() > 0);
        }
        members.known.insert(key, Arc::downgrade(shared));
        members.recent.put(key, Arc::clone(shared));
        if let Some(exchange) = &members.exchange {
            // Lookups are a help only: who is too busy for one drive does without.
            let _ = exchange.try_send(shared.trie.clone());
        }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drive {
    /// The drives that were reached from this one through mounts and are open, and this one, in no
    /// order: those that peers may have to be found for.
    pub fn reached(&self) -> Vec<Drive> {
        self.group.opened()
    }
}

/// How many mounted drives stay open when nobody uses them.
const OPEN_DRIVES: NonZeroUsize = NonZeroUsize::new(64).expect("it is not zero");

/// How many decoded nodes each mounted drive keeps, and how many bytes of them: 32 MiB for all that
/// stay open.
const MOUNTED_CACHE: (usize, usize) = (2048, 512 << 10);

/// For how many drives lookups are exchanged at once.
const MAX_EXCHANGES: usize = 256;
