use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hypercore::{Download, Feed};
use hypercore_crypto::PublicKey;
use hyperdrive::{Drive, DriveError, Options, ReadDirOptions};
use tokio::time::timeout;

use crate::node::Inner;
use crate::{Node, NodeError};

/// A drive of which a whole copy is kept, now and later.
#[derive(Debug)]
pub struct Seed {
    inner: Arc<Inner>,
    drive: Drive,
    /// The version that was last found complete.
    completed: u64,
    /// Standing wishes for everything that is or will be in the logs.
    _paths: Download,
    contents: Option<Download>,
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
    /// Keeps a whole copy of a drive for as long as the handle lives: fetches what is missing and
    /// follows new versions. Waits for nobody.
    pub async fn seed(&self, key: &[u8; 32]) -> Result<Seed, NodeError> {
        let key = PublicKey::from_bytes(*key);
        let drive = Drive::open(&self.inner.store, &key, Options::new()).await?;
        self.inner.exchange_lookups(&drive);
        self.inner.join(&drive, true);
        let paths = drive.metadata().download(0..u64::MAX);
        Ok(Seed {
            inner: self.inner.clone(),
            drive,
            completed: 0,
            _paths: paths,
            contents: None,
        })
    }
}

impl Seed {
    /// The drive's key.
    pub fn key(&self) -> PublicKey {
        self.drive.key()
    }

    /// How much of the drive is here.
    pub fn held(&self) -> Held {
        Held::of(&self.drive)
    }

    /// How each peer that was asked for answers, in words.
    pub fn tried(&self) -> Vec<String> {
        self.inner.tried()
    }

    /// Waits until a newer version than the last one is complete, for as long as it takes, and
    /// returns that version. Meanwhile `told` hears now and then how much is here. Cancel-safe.
    pub async fn next(&mut self, told: impl Fn(Held)) -> Result<u64, NodeError> {
        let (drive, inner) = (self.drive.clone(), self.inner.clone());
        let tell = || told(Held::of(&drive));
        let completed = telling(TELL_INTERVAL, &tell, inner.unless_failed(self.complete())).await;
        tell();
        completed
    }

    async fn complete(&mut self) -> Result<u64, NodeError> {
        let metadata = self.drive.metadata().clone();
        let read = |error| NodeError::Drive(DriveError::Read(error));
        loop {
            let version = metadata
                .wait_longer_than(self.completed)
                .await
                .map_err(read)?;
            let content = self.drive.content().await?;
            self.contents
                .get_or_insert_with(|| content.download(0..u64::MAX));
            tokio::select! {
                done = complete(&self.drive, &content, version) => {
                    done?;
                    self.drive.flush()?;
                    self.completed = version;
                    return Ok(version);
                }
                // A version can name content that never comes. The next one need not.
                newer = metadata.wait_longer_than(version) => drop(newer.map_err(read)?),
            }
        }
    }
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
async fn complete(drive: &Drive, content: &Feed, version: u64) -> Result<(), DriveError> {
    drive.metadata().download(0..version).await?;
    // What entries name, and what else the log is known to have.
    let mut end = content.length();
    // What is mounted is held by whoever holds that drive.
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
    fn of(drive: &Drive) -> Self {
        let mut held = Self::default();
        held.add(drive.metadata());
        if let Some(content) = drive.content_now() {
            held.add(&content);
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
