use std::collections::HashSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use hypercore::{Download, Feed};
use hypercore_crypto::PublicKey;
use hyperdrive::{Drive, DriveError, Options, ReadDirOptions};
use tokio::time::timeout;

use crate::node::Inner;
use crate::{Node, NodeError};

/// A drive, and all that is mounted in it, of which whole copies are kept, now and later.
#[derive(Debug)]
pub struct Seed {
    inner: Arc<Inner>,
    /// The drive itself first. One that is not mounted any more stays.
    kept: Vec<Kept>,
    /// Those whose mounts are looked for: a drive may be mounted in several versions.
    searched: HashSet<(PublicKey, Option<u64>)>,
    running: FuturesUnordered<BoxFuture<'static, Step>>,
    /// Whether it was told that there are too many mounts.
    overflowed: bool,
}

/// One of the drives.
#[derive(Debug)]
struct Kept {
    drive: Drive,
    /// A standing wish for everything that is or will be in the log of paths.
    _paths: Download,
}

/// What came of the work on one of the drives.
struct Step {
    /// Where it was found first.
    path: String,
    drive: Drive,
    done: Result<Done, NodeError>,
}

enum Done {
    /// All of a version is here.
    Complete { version: u64, contents: Download },
    /// What is mounted in a version.
    Mounts {
        version: u64,
        found: Vec<(String, Drive)>,
    },
}

/// What is told of a [`Seed`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Seeded {
    /// All of a version of one of the drives is here.
    Complete {
        /// Where the drive is mounted, at one of the places perhaps; `/` for the seeded drive itself.
        path: String,
        /// Its version.
        version: u64,
    },
    /// A mounted drive cannot be followed any more, as it is not what a drive has to be.
    Unreadable {
        /// Where it is mounted.
        path: String,
        /// What is wrong with it.
        error: NodeError,
    },
    /// More drives are mounted than are kept. Told once.
    TooManyMounts {
        /// How many are kept, [`Seed::MAX_DRIVES`].
        limit: usize,
    },
}

/// How much of a drive is here.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Held {
    /// Blocks of both logs that are here.
    pub blocks: u64,
    /// Blocks that both logs have.
    pub blocks_total: u64,
    /// Bytes in the blocks that are here. An estimate unless all are, or none.
    pub bytes: u64,
    /// Bytes that both logs have.
    pub bytes_total: u64,
}

impl Node {
    /// Keeps a whole copy of a drive, and of those that are mounted in it, for as long as the handle
    /// lives: fetches what is missing and follows new versions. Waits for nobody.
    pub async fn seed(&self, key: &[u8; 32]) -> Result<Seed, NodeError> {
        let key = PublicKey::from_bytes(*key);
        let drive = Drive::open(&self.inner.store, &key, Options::new()).await?;
        self.inner.exchange_lookups(&drive);
        let mut seed = Seed {
            inner: self.inner.clone(),
            kept: Vec::new(),
            searched: HashSet::new(),
            running: FuturesUnordered::new(),
            overflowed: false,
        };
        seed.add("/".to_owned(), drive);
        Ok(seed)
    }
}

impl Seed {
    /// The most drives that one seed keeps, its own among them: whoever writes a drive chooses what
    /// is mounted in it.
    pub const MAX_DRIVES: usize = 1024;

    /// The drive's key.
    pub fn key(&self) -> PublicKey {
        self.kept[0].drive.key()
    }

    /// How much of the drive, and of those mounted in it, is here.
    pub fn held(&self) -> Held {
        Held::of(self.kept.iter().map(|kept| &kept.drive))
    }

    /// How each peer that was asked for answers, in words.
    pub fn tried(&self) -> Vec<String> {
        self.inner.tried()
    }

    /// Waits until a newer version of one of the drives is complete, for as long as it takes.
    /// Meanwhile `told` hears now and then how much is here. Cancel-safe.
    pub async fn next(&mut self, told: impl Fn(Held)) -> Result<Seeded, NodeError> {
        let inner = self.inner.clone();
        loop {
            let drives: Vec<_> = self.kept.iter().map(|kept| kept.drive.clone()).collect();
            let tell = || told(Held::of(&drives));
            let next = async {
                match self.running.next().await {
                    Some(step) => Ok(step),
                    // Nothing is left to be followed.
                    None => std::future::pending().await,
                }
            };
            let step = telling(TELL_INTERVAL, &tell, inner.unless_failed(next)).await?;
            tell();
            if let Some(seeded) = self.take(step)? {
                return Ok(seeded);
            }
        }
    }

    fn take(&mut self, step: Step) -> Result<Option<Seeded>, NodeError> {
        let Step { path, drive, done } = step;
        match done {
            Ok(Done::Complete { version, contents }) => {
                let next = complete(path.clone(), drive, version, Some(contents));
                self.running.push(next.boxed());
                return Ok(Some(Seeded::Complete { path, version }));
            }
            Ok(Done::Mounts { version, found }) => {
                let above = path.trim_end_matches('/').to_owned();
                // A version that was chosen never changes.
                if drive.checked_out().is_none() {
                    self.running.push(mounts(path, drive, version).boxed());
                }
                let mut all = true;
                for (below, drive) in found {
                    all &= self.add(format!("{above}{below}"), drive);
                }
                if !all && !self.overflowed {
                    self.overflowed = true;
                    let limit = Self::MAX_DRIVES;
                    return Ok(Some(Seeded::TooManyMounts { limit }));
                }
            }
            Err(error) if drive.key() == self.key() => return Err(error),
            Err(error) => return Ok(Some(Seeded::Unreadable { path, error })),
        }
        Ok(None)
    }

    /// Keeps a drive from now on, and what is mounted in it. False if there are too many already.
    fn add(&mut self, path: String, drive: Drive) -> bool {
        let (key, version) = (drive.key(), drive.checked_out());
        if self.searched.contains(&(key, version)) {
            return true;
        }
        if self.searched.len() >= Self::MAX_DRIVES {
            return false;
        }
        self.searched.insert((key, version));
        let latest = drive.latest();
        self.running.push(mounts(path.clone(), drive, 0).boxed());
        if self.kept.iter().all(|kept| kept.drive.key() != key) {
            self.inner.join(&latest, true);
            let paths = latest.metadata().download(0..u64::MAX);
            let contents = complete(path, latest.clone(), 0, None);
            self.running.push(contents.boxed());
            self.kept.push(Kept {
                drive: latest,
                _paths: paths,
            });
        }
        true
    }
}

/// Waits until a version newer than `completed` is here as a whole. `contents` is the standing wish
/// for everything that is or will be in the log of contents, once that is known.
async fn complete(path: String, drive: Drive, completed: u64, contents: Option<Download>) -> Step {
    let done = next_complete(&drive, completed, contents).await;
    Step { path, drive, done }
}

async fn next_complete(
    drive: &Drive,
    completed: u64,
    contents: Option<Download>,
) -> Result<Done, NodeError> {
    let metadata = drive.metadata();
    let mut version = metadata.wait_longer_than(completed).await.map_err(read)?;
    let content = drive.content().await?;
    let contents = contents.unwrap_or_else(|| content.download(0..u64::MAX));
    loop {
        tokio::select! {
            done = all_here(drive, &content, version) => {
                done?;
                drive.flush()?;
                return Ok(Done::Complete { version, contents });
            }
            // A version can name content that never comes. The next one need not.
            newer = metadata.wait_longer_than(version) => version = newer.map_err(read)?,
        }
    }
}

/// Waits for a version newer than `searched`, or for the one that the drive is checked out at, and
/// looks for what is mounted there.
async fn mounts(path: String, drive: Drive, searched: u64) -> Step {
    let done = next_mounts(&drive, searched).await;
    Step { path, drive, done }
}

async fn next_mounts(drive: &Drive, searched: u64) -> Result<Done, NodeError> {
    let metadata = drive.metadata();
    let version = match drive.checked_out() {
        Some(version) => version,
        None => metadata.wait_longer_than(searched).await.map_err(read)?,
    };
    // They come anyway, many at a time, where the search would ask for one after the other.
    metadata.download(0..version).await.map_err(read)?;
    let mut found = Vec::new();
    let mut mounts = drive.checkout(version).mount_stream(false);
    while let Some(mounted) = mounts.next().await {
        match mounted {
            Ok(mounted) if mounted.path != "/" => found.push((mounted.path, mounted.drive)),
            // It cannot be read, so there is nothing to keep.
            Ok(_) | Err(DriveError::BadMount { .. } | DriveError::BadEntry { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Done::Mounts { version, found })
}

fn read(error: hypercore::ReadError) -> NodeError {
    NodeError::Drive(DriveError::Read(error))
}

/// Does some work, and calls `tell` now and then until it is done.
async fn telling<T>(every: Duration, tell: impl Fn(), work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        match timeout(every, &mut work).await {
            Ok(done) => return done,
            Err(_) => tell(),
        }
    }
}

const TELL_INTERVAL: Duration = Duration::from_millis(200);

/// Waits until every block of a version is here.
async fn all_here(drive: &Drive, content: &Feed, version: u64) -> Result<(), DriveError> {
    drive.metadata().download(0..version).await?;
    // What entries name, and what else the log is known to have.
    let mut end = content.length();
    // What is mounted is kept by itself.
    let options = ReadDirOptions::new().recursive(true).mounts(false);
    let mut entries = drive.checkout(version).read_dir_with("/", options).await?;
    while let Some(entry) = entries.next().await {
        match entry {
            Ok(entry) if entry.stat.is_file() && entry.stat.mount.is_none() => {
                end = end.max(entry.stat.offset.saturating_add(entry.stat.blocks));
            }
            // Its content cannot exist.
            Ok(_) | Err(DriveError::BadEntry { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(content.download(0..end).await?)
}

impl Held {
    fn of<'d>(drives: impl IntoIterator<Item = &'d Drive>) -> Self {
        let mut held = Self::default();
        for drive in drives {
            held.add(drive.metadata());
            if let Some(content) = drive.content_now() {
                held.add(&content);
            }
        }
        held
    }

    fn add(&mut self, feed: &Feed) {
        let length = feed.length();
        let (blocks, bytes) = (feed.downloaded(0..length), feed.byte_length());
        self.blocks += blocks;
        self.blocks_total += length;
        let estimate = u128::from(bytes) * u128::from(blocks) / u128::from(length.max(1));
        self.bytes += u64::try_from(estimate).unwrap_or(bytes);
        self.bytes_total += bytes;
    }
}

#[cfg(test)]
mod tests {
    use hyperdrive::{Attributes, Mount};

    use super::*;
    use crate::{Access, Root};

    /// Mounts a drive of which nothing is known.
    async fn mount(drive: &Drive, index: usize) {
        let mut key = [9; 32];
        key[..8].copy_from_slice(&index.to_le_bytes());
        let mount = Mount::drive(PublicKey::from_bytes(key));
        let path = format!("/{index}");
        drive.mount(&path, mount, &Attributes::new()).await.unwrap();
    }

    /// What is told until the seed keeps so many drives, or has told that there are too many.
    async fn told(seed: &mut Seed, kept: usize) -> Vec<Seeded> {
        let mut told = Vec::new();
        let is_over = |next: &Seeded| matches!(next, Seeded::TooManyMounts { .. });
        while seed.kept.len() < kept && !told.iter().any(is_over) {
            // It says nothing of drives that it begins to keep.
            if let Ok(next) = timeout(Duration::from_millis(50), seed.next(|_| ())).await {
                told.push(next.unwrap());
            }
        }
        told
    }

    #[tokio::test]
    async fn as_many_mounted_drives_are_kept_as_the_limit_says_and_the_rest_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::open(Root::new(dir.path()), Access::Hold).await;
        let node = node.unwrap();
        let store = node.inner.store.namespace("drive");
        let drive = Drive::create(&store, Options::new()).await.unwrap();
        // The drive itself counts.
        let limit = Seed::MAX_DRIVES;
        for index in 1..limit {
            mount(&drive, index).await;
        }
        let mut seed = node.seed(drive.key().as_bytes()).await.unwrap();
        let first = told(&mut seed, limit).await;
        let is_complete = |told: &Seeded| matches!(told, Seeded::Complete { .. });
        assert!(first.iter().all(is_complete), "{first:?}");
        mount(&drive, limit).await;
        let then = told(&mut seed, limit + 1).await;
        let over = matches!(then.last(), Some(Seeded::TooManyMounts { limit: 1024 }));
        assert!(over, "{then:?}");
        assert_eq!(seed.kept.len(), limit);
        node.close().await.unwrap();
    }
}
