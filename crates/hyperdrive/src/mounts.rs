//! Mounting other drives, and single logs.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use hypercore::Feed;
use hypercore_crypto::PublicKey;
use hypertrie::{GetOptions, Iter, IterOptions, MAX_MOUNT_DEPTH, Node, PutOptions, TrieError};

use crate::lookup::{self, Entry, Place, record};
use crate::rename::remove_entry;
use crate::walk::MAX_MOUNTS;
use crate::write::{put, taken};
use crate::{Attributes, Drive, DriveError, FileType, Holder, Mount, Stat, path};

impl Mount {
    /// The newest version of a drive at any time, to be mounted as a directory.
    pub fn drive(key: PublicKey) -> Self {
        Self {
            key,
            version: None,
            hash: None,
            hypercore: Some(false),
        }
    }

    /// A single log, to be mounted as a file: all that it holds at any time, its blocks one after
    /// the other.
    pub fn log(key: PublicKey) -> Self {
        Self {
            hypercore: Some(true),
            ..Self::drive(key)
        }
    }

    /// One version of a drive, which stays as it is. 0 is the newest one at any time.
    #[must_use]
    pub fn at_version(mut self, version: u64) -> Self {
        self.version = Some(version).filter(|version| *version > 0);
        self
    }

    /// Whether a single log is mounted as a file.
    pub fn is_log(&self) -> bool {
        self.hypercore == Some(true)
    }
}

impl Drive {
    /// Mounts another drive, or a single log, at a path where nothing is. Parents need not exist. A
    /// path that leads through a mount is one of the drive that is mounted there.
    ///
    /// What is mounted is not waited for, nor need it exist. It is in the same store as this drive,
    /// and whatever replicates that store replicates it as soon as a path leads into it.
    pub async fn mount(
        &self,
        path: &str,
        mount: Mount,
        attributes: &Attributes,
    ) -> Result<Stat, DriveError> {
        let mounted = self.mount_here(path, mount.clone(), attributes).await;
        let Err(error) = mounted else { return mounted };
        let spot = self.beyond(path, false, error).await?;
        spot.seen(spot.drive().mount_here(spot.key(), mount, attributes).await)
    }

    async fn mount_here(
        &self,
        path: &str,
        mount: Mount,
        attributes: &Attributes,
    ) -> Result<Stat, DriveError> {
        let mut batch = self.begin().await?;
        let key = match lookup::place(&batch, &path::clean(path), false).await? {
            Place::Free { key } => key,
            Place::Taken(entry) => {
                return Err(DriveError::AlreadyExists {
                    path: path::shown(&entry.key),
                });
            }
        };
        path::check_writable(&key)?;
        if mount.is_log() {
            if mount.version.is_some() {
                return Err(DriveError::InvalidPath {
                    path: path::shown(&key),
                    reason: "a single log is mounted in its newest version only",
                });
            }
            let log = self.group.store.get(&mount.key)?;
            let mut stat = attributes.to_stat(FileType::File);
            (stat.blocks, stat.size) = (log.length(), log.byte_length());
            stat.mount = Some(mount);
            put(&mut batch, &key, &stat, PutOptions::new()).await?;
            batch.commit()?;
            return Ok(stat);
        }
        let record = hypertrie::Mount::new(&key, *mount.key.as_bytes())
            .at_version(mount.version.unwrap_or(0));
        let mut stat = attributes.to_stat(FileType::Directory);
        // As with directories: where the content log ended.
        if let Some(content) = self.content_now() {
            stat.offset = content.length();
            stat.byte_offset = content.byte_length();
        }
        stat.mount = Some(mount);
        match batch.mount(&record, Bytes::from(stat.encode())).await {
            Err(TrieError::NotEmpty) => Err(DriveError::NotEmpty {
                path: path::shown(&key),
            }),
            mounted => Ok(mounted?),
        }?;
        batch.commit()?;
        Ok(stat)
    }

    /// Takes a mounted drive or log away from its path. Nothing happens to what was mounted.
    pub async fn unmount(&self, path: &str) -> Result<(), DriveError> {
        let done = self.unmount_here(path).await;
        let Err(error) = done else { return Ok(()) };
        let spot = self.beyond(path, false, error).await?;
        spot.seen(spot.drive().unmount_here(spot.key()).await)
    }

    async fn unmount_here(&self, path: &str) -> Result<(), DriveError> {
        let mut batch = self.begin().await?;
        let entry = taken(&batch, path).await?;
        if entry.stat.mount.is_none() {
            return Err(DriveError::NotAMount {
                path: path::shown(&entry.key),
            });
        }
        remove_entry(&mut batch, &entry).await?;
        batch.commit()?;
        Ok(())
    }

    /// The drive itself, then those that are mounted in it, with `recursive` those mounted in these
    /// as well, each before those in it. Single logs are left out.
    pub fn mount_stream(&self, recursive: bool) -> MountStream {
        let walk = MountWalk::new(self, recursive);
        let mounts = futures_util::stream::unfold(walk, async |mut walk| {
            let next = walk.advance().await.transpose()?;
            Some((next, walk))
        });
        MountStream {
            mounts: Some(mounts.boxed()),
        }
    }

    /// The drive itself, under `/`, and those that are mounted in it, by path. What is mounted and
    /// cannot be read is left out.
    ///
    /// More than [`ReadDir::MAX_MOUNTS`](crate::ReadDir::MAX_MOUNTS) are an error.
    pub async fn mounts(&self, recursive: bool) -> Result<BTreeMap<String, Mounted>, DriveError> {
        let mut mounts = BTreeMap::new();
        let mut stream = self.mount_stream(recursive);
        while let Some(mounted) = stream.next().await {
            match mounted {
                Ok(mounted) => drop(mounts.insert(mounted.path.clone(), mounted)),
                Err(DriveError::BadMount { .. } | DriveError::BadEntry { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(mounts)
    }

    /// The log that an entry mounts as a file, with as much of it as peers know.
    pub(crate) async fn mounted_log(&self, mount: &Mount) -> Result<Feed, DriveError> {
        let log = self.group.store.get(&mount.key)?;
        if !log.is_writable() {
            log.update().await?;
            if log.length() == 0 {
                log.wait_longer_than(0).await?;
            }
        }
        Ok(log)
    }
}

/// A drive of a tree of drives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Mounted {
    /// Where it is mounted; `/` for the outer drive.
    pub path: String,
    /// The drive, in the version that is shown.
    pub drive: Drive,
}

/// The drives that are mounted in a drive; made by [`Drive::mount_stream`]. A stream as well.
///
/// An error of the kind [`DriveError::BadMount`] or [`DriveError::BadEntry`] concerns one mount, and
/// the stream goes on after it; after any other one it ends. Cancel-safe. No drive is gone into twice
/// on one way down, and there are at most as many mounts as in a
/// [listing](crate::ReadDir::MAX_MOUNTS).
#[must_use = "nothing is looked up before it is asked"]
pub struct MountStream {
    /// `None` at the end.
    mounts: Option<BoxStream<'static, Result<Mounted, DriveError>>>,
}

impl MountStream {
    /// The next drive; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Mounted, DriveError>> {
        StreamExt::next(self).await
    }
}

impl Stream for MountStream {
    type Item = Result<Mounted, DriveError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        crate::versions::poll_until_failure(&mut self.mounts, cx)
    }
}

impl fmt::Debug for MountStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MountStream")
    }
}

/// Walks over mounts by their records.
pub(crate) struct MountWalk {
    recursive: bool,
    levels: Vec<MountLevel>,
    /// The outer drive, if it was not given yet.
    first: Option<Arc<Holder>>,
    given: usize,
}

struct MountLevel {
    holder: Arc<Holder>,
    records: Iter,
}

impl MountWalk {
    pub(crate) fn new(drive: &Drive, recursive: bool) -> Self {
        let holder = Arc::new(Holder::new(drive.clone(), String::new()));
        let first = Some(Arc::clone(&holder));
        Self {
            first,
            ..Self::within(holder, recursive)
        }
    }

    /// What is mounted in a drive, without that one.
    pub(crate) fn within(holder: Arc<Holder>, recursive: bool) -> Self {
        let mut walk = Self {
            recursive,
            levels: Vec::new(),
            first: None,
            given: 0,
        };
        walk.push(holder);
        walk
    }

    async fn advance(&mut self) -> Result<Option<Mounted>, DriveError> {
        let next = self.next().await?;
        Ok(next.map(|holder| Mounted {
            path: holder.mounted_at(),
            drive: holder.drive().clone(),
        }))
    }

    /// The next drive and where it is mounted; `None` at the end. Not cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Option<Arc<Holder>>, DriveError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        loop {
            let depth = self.levels.len();
            let Some(level) = self.levels.last_mut() else {
                return Ok(None);
            };
            let holder = Arc::clone(&level.holder);
            let node = match level.records.next().await {
                Ok(Some(node)) => node,
                Ok(None) => {
                    self.levels.pop();
                    continue;
                }
                Err(error) if depth > 1 => {
                    self.levels.pop();
                    return Err(DriveError::BadMount {
                        path: holder.mounted_at(),
                        source: Box::new(error.into()),
                    });
                }
                Err(error) => return Err(error.into()),
            };
            let mount = mount_of(&holder, &node).await;
            let Some(mount) = mount.map_err(|error| error.below(holder.at()))? else {
                continue;
            };
            if self.given == MAX_MOUNTS {
                return Err(DriveError::TooManyMounts { limit: MAX_MOUNTS });
            }
            self.given += 1;
            let mounted = Arc::new(holder.enter(&mount).await?);
            let mut above = self.levels.iter();
            let repeated = above.any(|level| level.holder.identity() == mounted.identity());
            if self.recursive && !repeated && self.levels.len() <= MAX_MOUNT_DEPTH {
                self.push(Arc::clone(&mounted));
            }
            return Ok(Some(mounted));
        }
    }

    fn push(&mut self, holder: Arc<Holder>) {
        let records = IterOptions::new().hidden(true);
        let records = holder.drive().trie.iter(&record(""), records);
        self.levels.push(MountLevel { holder, records });
    }
}

/// The mount that a record belongs to, if its entry is there too.
async fn mount_of(holder: &Holder, node: &Node) -> Result<Option<hypertrie::Mount>, DriveError> {
    let Some(key) = node.key.strip_prefix("mounts/") else {
        return Ok(None);
    };
    let trie = &holder.drive().trie;
    let Some(entry) = trie.get_with(key, GetOptions::new()).await? else {
        return Ok(None);
    };
    let Entry { flags, key, .. } = lookup::decode(key.to_owned(), &entry)?;
    lookup::mount_at(trie, &key, flags).await
}
