use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hypercore::Feed;
use lru::LruCache;

use crate::node::MOUNT_FLAG;
use crate::path::normalize;
use crate::{
    DiffOptions, GetOptions, HistoryOptions, IterOptions, Mount, Node, Options, PutOptions, Trie,
    TrieError,
};

mod diff;
mod history;
mod iter;
mod mounts;
mod place;
mod watch;

pub use diff::{ChangeKind, MountedChange, MountedDiff};
pub use history::{MountedHistory, Written};
pub use iter::MountedIter;
pub use mounts::{MountedAt, Mounts};
pub use watch::{MAX_WATCHED, MountedWatch};

use place::Place;

/// Opens the logs that are mounted.
pub trait OpenFeed: fmt::Debug + Send + Sync {
    /// The log that `key` signs; an empty one, to be filled by peers, if nothing of it is here.
    fn open_feed(&self, key: &[u8; 32]) -> Result<Feed, OpenFeedError>;
}

/// Why a mounted log could not be opened.
pub type OpenFeedError = Box<dyn std::error::Error + Send + Sync>;

/// A trie with those mounted in it, as one tree of keys.
///
/// Lookups, listings and comparisons go through mounts as if what is mounted were stored in place;
/// writes go to the trie that holds the key. Mounts may form circles: a listing enters none twice on
/// one way down, and at most [`MAX_MOUNT_DEPTH`] mounts lie within each other.
///
/// A mount without a version shows the newest one that is known here. A trie of which nothing is
/// known is asked for, once, from the peers that are connected. [Checkouts](Self::checkout) pin the
/// outer trie and mounts with a version, not the others, as in the reference.
///
/// Cloning is cheap. All methods are cancel-safe, as those of [`Trie`] are.
#[derive(Clone, Debug)]
pub struct MountableTrie {
    trie: Trie,
    forest: Arc<Forest>,
}

/// The most mounts on the way to a key.
pub const MAX_MOUNT_DEPTH: usize = 32;

/// The most mounts that one listing or comparison goes into. A few mounts of a trie in itself, each in
/// another version, would otherwise have no end that anybody lives to see.
pub const MAX_MOUNTS_OF_A_WALK: usize = 4096;

/// What the views on one tree of tries have in common.
#[derive(Debug)]
struct Forest {
    opener: Arc<dyn OpenFeed>,
    options: Options,
    /// Mounted tries, so that each has one cache and one lock for writing.
    tries: Mutex<LruCache<[u8; 32], Trie>>,
}

/// What is stored under a key, and where.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Located {
    /// The entry, with its key as seen from the outer trie.
    pub node: Node,
    /// The trie that holds it.
    pub trie: Trie,
    /// Its key in that trie.
    pub path: String,
}

impl MountableTrie {
    /// The tree that begins with `trie`. The logs of mounted tries come from `opener`, and are
    /// opened with `options`.
    pub fn new(trie: Trie, opener: Arc<dyn OpenFeed>, options: Options) -> Self {
        let forest = Forest {
            opener,
            options,
            tries: Mutex::new(LruCache::new(OPEN_TRIES)),
        };
        Self {
            trie,
            forest: Arc::new(forest),
        }
    }

    /// Stores a value under a visible key, in the trie that holds it. Where something is mounted,
    /// the mount stays and gets another value.
    pub async fn put(&self, key: &str, value: impl Into<Option<Bytes>>) -> Result<Node, TrieError> {
        self.put_with(key, value, PutOptions::new()).await
    }

    /// Stores a value under a key. Hidden keys belong to the outer trie, whatever they are called,
    /// as in the reference.
    pub async fn put_with(
        &self,
        key: &str,
        value: impl Into<Option<Bytes>>,
        options: PutOptions,
    ) -> Result<Node, TrieError> {
        if options.hidden {
            return self.trie.put_with(key, value, options).await;
        }
        let (place, inner) = self.resolve(key, false).await?;
        let mut batch = place.trie.begin().await?;
        let mut options = options;
        if options.flags == 0
            && let Some(existing) = batch.get(&inner).await?
            && existing.is_mount()
        {
            options = options.flags(MOUNT_FLAG);
        }
        let node = batch.put_with(&inner, value, options).await?;
        batch.commit()?;
        Ok(place.seen(node))
    }

    /// Deletes a visible key from the trie that holds it; a mount ends. False if it is absent.
    pub async fn del(&self, key: &str) -> Result<bool, TrieError> {
        let (place, inner) = self.resolve(key, false).await?;
        let mut batch = place.trie.begin().await?;
        let deleted = match batch.get(&inner).await? {
            Some(node) if node.is_mount() => batch.unmount(&inner).await?,
            Some(_) => batch.del(&inner).await?,
            None => false,
        };
        batch.commit()?;
        Ok(deleted)
    }

    /// Mounts another trie at the mount's path, as seen from the outer trie. `value` is what the
    /// application stores there.
    pub async fn mount(&self, mount: &Mount, value: Bytes) -> Result<(), TrieError> {
        let (place, inner) = self.resolve(&mount.path, false).await?;
        let mut mount = mount.clone();
        mount.path = inner;
        place.trie.mount(&mount, value).await
    }

    /// Ends the mount at exactly this path. False if there is none.
    pub async fn unmount(&self, path: &str) -> Result<bool, TrieError> {
        let (place, inner) = self.resolve(path, false).await?;
        place.trie.unmount(&inner).await
    }

    /// Gives one key another name; see [`Trie::rename`]. Both must be held by the same trie.
    pub async fn rename(&self, from: &str, to: &str) -> Result<bool, TrieError> {
        let (place, from, to) = self.resolve_both(from, to).await?;
        place.trie.rename(&from, &to).await
    }

    /// Moves a whole prefix; see [`Batch::rename_prefix`](crate::Batch::rename_prefix). Both must be
    /// held by the same trie.
    pub async fn rename_prefix(&self, from: &str, to: &str) -> Result<u64, TrieError> {
        let (place, from, to) = self.resolve_both(from, to).await?;
        place.trie.rename_prefix(&from, &to).await
    }

    /// The outer trie.
    pub fn trie(&self) -> &Trie {
        &self.trie
    }

    /// The version of the outer trie.
    pub fn version(&self) -> u64 {
        self.trie.version()
    }

    /// The tree with the outer trie as it was at `version`, for reading. Mounts without a version
    /// go on showing the newest one.
    pub fn checkout(&self, version: u64) -> Self {
        Self {
            trie: self.trie.checkout(version),
            forest: Arc::clone(&self.forest),
        }
    }

    /// What is stored under a visible key.
    pub async fn get(&self, key: &str) -> Result<Option<Located>, TrieError> {
        self.get_with(key, GetOptions::new()).await
    }

    /// What is stored under a key.
    pub async fn get_with(
        &self,
        key: &str,
        options: GetOptions,
    ) -> Result<Option<Located>, TrieError> {
        let mut place = Place::root(&self.trie);
        loop {
            let inner = place.inner(key);
            let found = place.trie.get_with(&inner, options.closest(false)).await?;
            if let Some(node) = found {
                return Ok(Some(place.located(node)));
            }
            match place.trie.mount_above(&inner).await? {
                Some(mount) if mount.is_above(&inner) => {
                    place = self.enter(&place, &mount).await?;
                }
                _ if options.closest => {
                    let closest = place.trie.get_with(&inner, options).await?;
                    return Ok(closest.map(|node| place.located(node)));
                }
                _ => return Ok(None),
            }
        }
    }

    /// The trie that holds a path, and the path in it. A mount's own path is held by the trie that
    /// it is mounted in.
    pub async fn locate(&self, path: &str) -> Result<(Trie, String), TrieError> {
        let (place, inner) = self.resolve(path, false).await?;
        Ok((place.trie, inner))
    }

    /// Lists what is at and under a prefix, going into mounts unless the options say otherwise.
    ///
    /// The entry of a mount comes first, then what is mounted there. A mount at the prefix itself is
    /// always gone into.
    pub fn iter(&self, prefix: &str, options: IterOptions) -> MountedIter {
        MountedIter::new(self.clone(), prefix, options)
    }

    /// Goes on with an iteration where [`MountedIter::checkpoint`] says. The prefix and the options must
    /// be those of the iteration.
    ///
    /// [`TrieError::Checkpoint`] also if something else is mounted by now where it stood.
    pub async fn resume_iter(
        &self,
        prefix: &str,
        options: IterOptions,
        checkpoint: &[u8],
    ) -> Result<MountedIter, TrieError> {
        MountedIter::resume(self.clone(), prefix, options, checkpoint).await
    }

    /// The mounts in the outer trie, with `recursive` those in mounted tries as well, each before
    /// those in it.
    pub fn mounts(&self, recursive: bool) -> Mounts {
        Mounts::new(self.clone(), recursive)
    }

    /// Compares this version with another one of the outer trie, at and under a prefix. See
    /// [`MountedDiff`] for what becomes of mounts.
    pub fn diff(&self, version: u64, prefix: &str, options: DiffOptions) -> MountedDiff {
        MountedDiff::new(self.clone(), version, prefix, options)
    }

    /// What was written, the trie being the one that holds `path`, in the order of writing.
    pub async fn history(
        &self,
        path: &str,
        options: HistoryOptions,
    ) -> Result<MountedHistory, TrieError> {
        let (place, _inner) = self.resolve(path, true).await?;
        Ok(MountedHistory::new(place, options))
    }

    /// Tells of changes at and under a prefix, in the outer trie and in mounted ones.
    pub fn watch(&self, prefix: &str) -> MountedWatch {
        MountedWatch::new(self.clone(), prefix)
    }

    /// The place that holds a path, and the path in it. With `into`, a mount at exactly the path is
    /// gone into.
    async fn resolve(&self, path: &str, into: bool) -> Result<(Place, String), TrieError> {
        let mut place = Place::root(&self.trie);
        loop {
            let inner = place.inner(path);
            match place.trie.mount_above(&inner).await? {
                Some(mount) if into || mount.is_above(&inner) => {
                    place = self.enter(&place, &mount).await?;
                }
                _ => return Ok((place, inner)),
            }
        }
    }

    async fn resolve_both(
        &self,
        from: &str,
        to: &str,
    ) -> Result<(Place, String, String), TrieError> {
        let (place, from) = self.resolve(from, false).await?;
        let (other, to) = self.resolve(to, false).await?;
        if place.at != other.at {
            return Err(TrieError::AcrossMounts);
        }
        Ok((place, from, to))
    }

    /// What is mounted in a place.
    async fn enter(&self, place: &Place, mount: &Mount) -> Result<Place, TrieError> {
        let trie = self.forest.trie(&mount.key).await?;
        // Peers may know of a first version; without any it is an empty trie.
        if trie.version() == 0 && mount.version.is_none() {
            trie.update().await?;
        }
        let trie = match mount.version {
            Some(version) => trie.checkout(version),
            None => trie,
        };
        place.within(trie, mount)
    }
}

impl Forest {
    async fn trie(&self, key: &[u8; 32]) -> Result<Trie, TrieError> {
        let known = self.tries().get(key).cloned();
        if let Some(trie) = known.filter(|trie| !trie.feed().is_closed()) {
            return Ok(trie);
        }
        let feed = self.opener.open_feed(key);
        let feed = feed.map_err(|source| TrieError::OpenMount { source })?;
        // Whoever mounts the key of an empty log of ours must not have it become a trie.
        if feed.is_writable() && feed.length() == 0 {
            return Err(TrieError::Header);
        }
        let trie = Trie::open(feed, self.options.clone()).await?;
        self.tries().put(*key, trie.clone());
        Ok(trie)
    }

    /// Whether a mounted trie is open.
    fn is_open(&self, key: &[u8; 32]) -> bool {
        let tries = self.tries();
        tries.peek(key).is_some_and(|trie| !trie.feed().is_closed())
    }

    fn tries(&self) -> std::sync::MutexGuard<'_, LruCache<[u8; 32], Trie>> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mount {
    /// Whether a path of the mount's own trie is strictly below it.
    fn is_above(&self, path: &str) -> bool {
        self.strip(path).is_some_and(|rest| !rest.is_empty())
    }
}

/// Counts a mount that a walk goes into.
fn one_more(entered: usize) -> Result<usize, TrieError> {
    match entered < MAX_MOUNTS_OF_A_WALK {
        true => Ok(entered + 1),
        false => Err(TrieError::TooManyMounts {
            limit: MAX_MOUNTS_OF_A_WALK,
        }),
    }
}

/// Two paths as one.
fn join(above: &str, below: &str) -> String {
    match (above, below) {
        ("", path) | (path, "") => path.to_owned(),
        _ => format!("{above}/{below}"),
    }
}

/// A path as it is compared: without slashes at its ends.
fn trimmed(path: &str) -> &str {
    normalize(path).trim_end_matches('/')
}

/// How many mounted tries are kept open when nobody uses them.
const OPEN_TRIES: NonZeroUsize = NonZeroUsize::new(64).expect("it is not zero");
