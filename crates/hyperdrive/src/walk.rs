//! Everything below a directory, through mounts.

use std::sync::Arc;

use futures_core::Stream;
use hypercore_crypto::PublicKey;
use hypertrie::{Iter, IterOptions, MAX_MOUNT_DEPTH, Mount, TrieError};

use crate::lookup::{self, Entry};
use crate::{DriveError, Holder, path};

/// A depth-first walk over the entries of a drive and of those mounted in it.
pub(crate) struct Walk {
    levels: Vec<Level>,
    mounts: bool,
    entered: usize,
    /// A mount whose entry was given last, still to be gone into.
    next: Option<Mount>,
}

/// An entry, and which drive holds it.
pub(crate) struct WalkEntry {
    pub(crate) holder: Arc<Holder>,
    pub(crate) entry: Entry,
}

struct Level {
    holder: Arc<Holder>,
    /// What must not come again further down.
    identity: (PublicKey, Option<u64>),
    iter: Iter,
}

impl Walk {
    /// Everything below the key `dir` of a drive.
    pub(crate) fn new(holder: Arc<Holder>, dir: &str, mounts: bool) -> Self {
        let mut walk = Self {
            levels: Vec::new(),
            mounts,
            entered: 0,
            next: None,
        };
        walk.push(holder, dir);
        walk
    }

    /// The entries, and what is wrong with some of them. After any other error it is not to be
    /// asked again.
    pub(crate) fn into_stream(
        self,
    ) -> impl Stream<Item = Result<WalkEntry, DriveError>> + Send + 'static {
        futures_util::stream::unfold(self, async |mut walk| {
            let next = walk.advance().await.transpose()?;
            Some((next, walk))
        })
    }

    /// The next entry; `None` at the end.
    pub(crate) async fn advance(&mut self) -> Result<Option<WalkEntry>, DriveError> {
        loop {
            if let Some(mount) = self.next.clone() {
                let entered = self.enter(&mount).await;
                self.next = None;
                entered?;
            }
            let depth = self.levels.len();
            let Some(level) = self.levels.last_mut() else {
                return Ok(None);
            };
            let node = match level.iter.next().await {
                Ok(node) => node,
                // What is beside a mount can be listed whatever is mounted there.
                Err(error) if depth > 1 && is_of_author(&error) => {
                    let path = level.holder.mounted_at();
                    self.levels.pop();
                    let source = Box::new(error.into());
                    return Err(DriveError::BadMount { path, source });
                }
                Err(error) => return Err(error.into()),
            };
            let Some(node) = node else {
                self.levels.pop();
                continue;
            };
            let holder = Arc::clone(&level.holder);
            let seen = |error: DriveError| error.below(holder.at());
            let entry = lookup::decode(node.key.clone(), &node).map_err(seen)?;
            if self.mounts {
                let trie = &holder.drive().trie;
                let mount = lookup::mount_at(trie, &entry.key, entry.flags).await;
                self.next = mount.map_err(seen)?;
            }
            return Ok(Some(WalkEntry { holder, entry }));
        }
    }

    async fn enter(&mut self, mount: &Mount) -> Result<(), DriveError> {
        let Some(level) = self.levels.last() else {
            return Ok(());
        };
        let identity = (PublicKey::from_bytes(mount.key), mount.version);
        if self.levels.iter().any(|level| level.identity == identity) {
            return Ok(());
        }
        if self.entered == MAX_MOUNTS {
            return Err(DriveError::TooManyMounts { limit: MAX_MOUNTS });
        }
        if self.levels.len() > MAX_MOUNT_DEPTH {
            let limit = MAX_MOUNT_DEPTH;
            return Err(DriveError::BadMount {
                path: path::shown(&level.holder.outer(&mount.path)),
                source: Box::new(DriveError::TooManyMounts { limit }),
            });
        }
        let holder = level.holder.enter(mount).await?;
        self.entered += 1;
        self.push(Arc::new(holder), "");
        Ok(())
    }

    fn push(&mut self, holder: Arc<Holder>, dir: &str) {
        let options = IterOptions::new().gt(true);
        let iter = holder.drive().trie.iter(dir, options);
        self.levels.push(Level {
            identity: holder.identity(),
            holder,
            iter,
        });
    }
}

/// Whether an error is the fault of who wrote the drive, so that it concerns that drive only.
fn is_of_author(error: &TrieError) -> bool {
    matches!(
        error,
        TrieError::Corrupt { .. }
            | TrieError::Mount { .. }
            | TrieError::Header
            | TrieError::TooManyReads { .. }
    )
}

/// The most mounts that one walk goes into.
pub(crate) const MAX_MOUNTS: usize = 10_000;
