use std::collections::HashSet;
use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join_all, select_all};
use futures_util::{FutureExt, StreamExt};
use hypercore::{Feed, FeedEvent};
use hypercore_crypto::PublicKey;
use hyperdrive::{DirEntry, Drive, DriveError, Options, ReadDir, ReadDirOptions, ReadStream, Stat};
use tokio::time::{Instant, timeout_at};

use crate::discovery::Prospect;
use crate::network::{Standing, Target};
use crate::node::Inner;
use crate::patience::patiently;
use crate::{Node, NodeError};

/// An open drive at one version, and the patience with which its peers are waited for.
///
/// Everything here is cancel-safe.
#[derive(Clone, Debug)]
pub struct Session {
    pub(crate) inner: Arc<Inner>,
    /// Follows the newest version.
    pub(crate) drive: Drive,
    /// What is looked at.
    pub(crate) view: Drive,
    pub(crate) patience: Duration,
    freshness: Freshness,
    /// The mounted drives whose peers were asked for news.
    asked: Arc<Mutex<HashSet<PublicKey>>>,
    /// The logs of paths of mounted drives, and how long they were when the last export began.
    exported: Arc<Mutex<Vec<(Feed, u64)>>>,
}

/// How current the version is that a [`Session`] looks at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Freshness {
    /// The drive is ours, or the version was asked for: there is none that would be newer.
    Certain,
    /// Peers that have the drive were asked.
    Asked,
    /// No peer that has the drive was there, so this is what was fetched before.
    Held,
}

impl Node {
    /// Opens a drive at a version, or at the newest one that is to be had.
    ///
    /// Of a drive that is not ours, peers that have it are asked for news first. If there are none,
    /// what is stored here is shown; if nothing is, [`NodeError::Nobody`] after `patience`, or at
    /// once if nobody was to be asked.
    pub async fn drive(
        &self,
        key: &[u8; 32],
        version: Option<u64>,
        patience: Duration,
    ) -> Result<Session, NodeError> {
        let key = PublicKey::from_bytes(*key);
        let drive = Drive::open(&self.inner.store, &key, Options::new()).await?;
        self.inner.exchange_lookups(&drive);
        if !drive.is_writable() {
            self.inner.join(&drive, self.inner.stays());
        }
        let held = drive.version();
        let freshness = if drive.is_writable() || version.is_some_and(|wanted| wanted <= held) {
            Freshness::Certain
        } else {
            self.inner.refresh(&drive, patience).await?
        };
        let newest = drive.version();
        let version = version.unwrap_or(newest);
        if version > newest {
            return Err(NodeError::NoSuchVersion { version, newest });
        }
        let view = drive.checkout(version);
        Ok(Session {
            inner: self.inner.clone(),
            drive,
            view,
            patience,
            freshness,
            asked: Arc::default(),
            exported: Arc::default(),
        })
    }
}

impl Session {
    /// The drive's key.
    pub fn key(&self) -> PublicKey {
        self.drive.key()
    }

    /// The version looked at.
    pub fn version(&self) -> u64 {
        self.view.version()
    }

    /// How current that is.
    pub fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// What is at a path, following symlinks.
    pub async fn stat(&self, path: &str) -> Result<Stat, NodeError> {
        self.reach(path).await?;
        self.wait("the entry", self.view.stat(path)).await
    }

    /// What is at a path, without following its last component.
    pub async fn lstat(&self, path: &str) -> Result<Stat, NodeError> {
        self.reach(path).await?;
        self.wait("the entry", self.view.lstat(path)).await
    }

    /// Lists a directory, or everything below it, in no particular order.
    pub async fn read_dir(&self, path: &str, recursive: bool) -> Result<Entries<'_>, NodeError> {
        self.reach(path).await?;
        let unreached = if recursive {
            self.reach_below(path).await?
        } else {
            Vec::new()
        };
        let entries = self
            .wait("the directory", self.view.read_dir(path, recursive))
            .await?;
        Ok(Entries {
            session: self,
            entries,
            unreached,
        })
    }

    /// Reads a range of a file's bytes, cut to the file.
    pub async fn read(&self, path: &str, range: Range<u64>) -> Result<Bytestream<'_>, NodeError> {
        self.reach(path).await?;
        let bytes = self.wait("the file", self.view.read(path, range)).await?;
        Ok(Bytestream {
            session: self,
            bytes,
        })
    }

    /// Waits for a version newer than the one looked at, or for one of a drive that is mounted in it
    /// and was exported, for as long as it takes. Looks at the newest one from then on.
    pub async fn follow(&mut self) -> Result<u64, NodeError> {
        let mut logs = self.exported().clone();
        logs.push((self.drive.metadata().clone(), self.version()));
        let newer = logs
            .iter()
            .map(|(log, length)| log.wait_longer_than(*length).boxed());
        let (newer, _, _) = select_all(newer).await;
        newer.map_err(DriveError::from)?;
        self.view = self.drive.snapshot();
        self.freshness = Freshness::Asked;
        Ok(self.version())
    }

    /// Notes what is known of the mounted drives, so that whatever comes later is followed.
    pub(crate) fn note_mounted(&self) {
        let reached = self.drive.reached().into_iter();
        let mounted = reached.filter(|drive| drive.key() != self.drive.key());
        let logs = mounted.map(|drive| {
            let log = drive.metadata();
            (log.clone(), log.length())
        });
        *self.exported() = logs.collect();
    }

    fn exported(&self) -> MutexGuard<'_, Vec<(Feed, u64)>> {
        self.exported.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that something is known of each drive that is mounted on the way to a path.
    pub(crate) async fn reach(&self, path: &str) -> Result<(), NodeError> {
        loop {
            passable(self.wait("the entry", self.view.lstat(path)).await)?;
            let asked = self.ask_reached().await;
            if asked.is_empty() {
                return Ok(());
            }
            if let Some(unreached) = self.unreached(&asked).await?.pop() {
                return Err(unreached);
            }
        }
    }

    /// As [`reach`](Self::reach), for all drives that are mounted below a path. Returns an error for
    /// each of which nothing could be learned.
    pub(crate) async fn reach_below(&self, path: &str) -> Result<Vec<NodeError>, NodeError> {
        let mut unreached = Vec::new();
        loop {
            let options = ReadDirOptions::new().recursive(true);
            let listing = async {
                let mut mounts = self.view.mount_stream(true);
                while mounts.next().await.is_some() {}
                self.view.read_dir_with(path, options).await.map(drop)
            };
            passable(self.wait("the directory", listing).await)?;
            let asked = self.ask_reached().await;
            if asked.is_empty() {
                return Ok(unreached);
            }
            unreached.extend(self.unreached(&asked).await?);
        }
    }

    /// Asks the peers of drives that were reached through mounts for news, once of each. Returns those
    /// that were asked for.
    async fn ask_reached(&self) -> Vec<Drive> {
        let mut reached = self.drive.reached();
        {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            reached.retain(|drive| {
                let is_other = drive.key() != self.drive.key() && !drive.is_writable();
                is_other && asked.insert(drive.key())
            });
        }
        let news = reached.iter().map(|drive| async {
            self.inner.join(drive, self.inner.stays());
            // If nobody has it, that is seen by its length.
            let _ = self.inner.refresh(drive, self.patience).await;
        });
        join_all(news).await;
        reached
    }

    /// Where those of some drives are mounted of which nothing is known.
    async fn unreached(&self, drives: &[Drive]) -> Result<Vec<NodeError>, NodeError> {
        let is_unknown = |drive: &Drive| drive.metadata().length() == 0;
        if !drives.iter().any(is_unknown) {
            return Ok(Vec::new());
        }
        let mounts = self.wait("the mounts", self.view.mounts(true)).await?;
        let unknown = mounts.into_iter().filter(|(_, mounted)| {
            let mut asked = drives.iter().map(Drive::key);
            is_unknown(&mounted.drive) && asked.any(|key| key == mounted.drive.key())
        });
        let error = |(path, _)| NodeError::Unreached {
            path,
            tried: self.inner.tried(),
            waited: self.patience,
        };
        Ok(unknown.map(error).collect())
    }

    /// Does something that may need peers, for as long as they send something.
    pub(crate) async fn wait<T, E: Into<NodeError>>(
        &self,
        wanted: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, NodeError> {
        self.inner.wait(self.patience, wanted, work).await
    }
}

/// The entries of a directory, one after the other.
#[derive(Debug)]
pub struct Entries<'s> {
    session: &'s Session,
    entries: ReadDir,
    /// What is told at the end: mounted drives of which nothing is known.
    unreached: Vec<NodeError>,
}

impl Entries<'_> {
    /// The next entry; `None` at the end. After an error of one entry or mount
    /// ([`DriveError::BadEntry`], [`DriveError::BadMount`], [`NodeError::Unreached`]) the list goes on.
    pub async fn next(&mut self) -> Result<Option<DirEntry>, NodeError> {
        let next = async { self.entries.next().await.transpose() };
        match self.session.wait("the directory", next).await? {
            None => self.unreached.pop().map_or(Ok(None), Err),
            next => Ok(next),
        }
    }
}

/// The bytes of a file, one piece after the other.
#[derive(Debug)]
pub struct Bytestream<'s> {
    session: &'s Session,
    bytes: ReadStream,
}

impl Bytestream<'_> {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, NodeError> {
        let next = async { self.bytes.next().await.transpose() };
        self.session.wait("the file", next).await
    }
}

impl Inner {
    /// Does something that may need peers, for as long as they send something.
    pub(crate) async fn wait<T, E: Into<NodeError>>(
        &self,
        patience: Duration,
        wanted: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, NodeError> {
        // Where nobody can come there is nobody to wait for; what is stored takes no time.
        let patience = if self.is_alone() {
            LOCAL_PATIENCE
        } else {
            patience
        };
        let work = patiently(patience, || self.received(), work);
        let work = async {
            match work.await {
                Some(done) => done.map_err(E::into),
                None => Err(NodeError::Stalled {
                    wanted: wanted.to_owned(),
                    tried: self.tried(),
                    waited: patience,
                }),
            }
        };
        self.unless_failed(work).await
    }

    /// Asks the peers that have the drive for its newest version.
    async fn refresh(&self, drive: &Drive, patience: Duration) -> Result<Freshness, NodeError> {
        let deadline = Instant::now() + patience;
        let metadata = drive.metadata();
        loop {
            let found = timeout_at(deadline, self.peer_of(metadata)).await;
            if metadata.peers() > 0 {
                let _ = timeout_at(
                    deadline.min(Instant::now() + LATE_PEERS),
                    self.all_joined(metadata),
                )
                .await;
                let updated = timeout_at(deadline, drive.update()).await;
                updated.unwrap_or(Ok(false))?;
            }
            match metadata.length() {
                // Also when a peer is there all the time that has nothing of it.
                0 if found.is_err() || self.is_alone() || Instant::now() >= deadline => {
                    return Err(NodeError::Nobody {
                        tried: self.tried(),
                        waited: patience,
                    });
                }
                // The peer has nothing of it yet, or has left. Another may come.
                0 => {
                    let longer = timeout_at(deadline, metadata.wait_longer_than(0)).await;
                    longer.unwrap_or(Ok(0)).map_err(DriveError::from)?;
                }
                _ if metadata.peers() > 0 => return Ok(Freshness::Asked),
                _ => return Ok(Freshness::Held),
            }
        }
    }

    /// Asks the peers of a drive how long its content is. Without an answer what is known counts.
    pub(crate) async fn refresh_content(&self, drive: &Drive, content: &Feed, patience: Duration) {
        let deadline = Instant::now() + patience.min(CONTENT_PATIENCE);
        // Who has the one log has the other, and joins it a moment later.
        if !content.is_writable() && drive.metadata().peers() > 0 {
            let _ = timeout_at(deadline, self.peer_of(content)).await;
            let _ = timeout_at(deadline, content.update()).await;
        }
    }

    /// Waits until a peer has the log open, or until it is clear that none will: nobody is to be
    /// asked, or nobody answers and something is stored here.
    async fn peer_of(&self, feed: &Feed) {
        let hopeless = |targets: &[(Target, Standing)]| {
            let failed = |standing: &Standing| matches!(standing, Standing::Failed(_));
            match self.prospect() {
                Prospect::None if targets.is_empty() => true,
                Prospect::Open => false,
                _ => feed.length() > 0 && targets.iter().all(|(_, standing)| failed(standing)),
            }
        };
        self.until(feed, |peers, targets| peers > 0 || hopeless(targets))
            .await;
    }

    /// Whether nobody is to be asked.
    fn is_alone(&self) -> bool {
        self.prospect() == Prospect::None && self.network.targets().is_empty()
    }

    /// Waits until every target has the log open, or has failed.
    async fn all_joined(&self, feed: &Feed) {
        self.until(feed, |peers, targets| {
            let failed = |standing: &Standing| matches!(standing, Standing::Failed(_));
            // Two targets may be one peer.
            let peers = peers + self.connections.resting();
            peers
                >= targets
                    .iter()
                    .filter(|(_, standing)| !failed(standing))
                    .count()
        })
        .await;
    }

    /// Waits until the peers of a log and the standing of the targets are as wanted.
    async fn until(&self, feed: &Feed, wanted: impl Fn(usize, &[(Target, Standing)]) -> bool) {
        let mut events = feed.events();
        let mut changes = self.network.changes();
        loop {
            changes.mark_unchanged();
            if wanted(feed.peers(), &self.network.targets()) {
                return;
            }
            tokio::select! {
                event = events.next() => if matches!(event, None | Some(FeedEvent::Closed)) { return },
                _ = changes.changed() => {}
            }
        }
    }
}

/// What is wrong with a path is told by whoever wants something there; what is wrong with the way there
/// at once.
fn passable<T>(reached: Result<T, NodeError>) -> Result<(), NodeError> {
    match reached {
        Ok(_) | Err(NodeError::Drive(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// How long further peers are waited for when the first one is there: another may know a newer
/// version.
const LATE_PEERS: Duration = Duration::from_millis(500);

/// How long peers of a drive are waited for to tell of its content.
const CONTENT_PATIENCE: Duration = Duration::from_secs(5);

/// Patience where no peer is to be asked.
const LOCAL_PATIENCE: Duration = Duration::from_millis(200);
