//! Being told of changes as they come.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::select_all;
use hypercore_crypto::PublicKey;
use hypertrie::DiffOptions;

use crate::compare::{self, Changes};
use crate::lookup::record;
use crate::mounts::MountWalk;
use crate::{Change, Drive, DriveError, Holder, path};

impl Drive {
    /// Tells of changes at and below a path that come after the version looked at, in this drive and
    /// in those that are mounted on the way to the path or below it. Symlinks are not followed.
    pub fn watch(&self, path: &str) -> Watch {
        let seen = vec![(self.key(), self.version())];
        Watch {
            drive: Self::new(Arc::clone(&self.group), Arc::clone(&self.shared)),
            prefix: path::clean(path),
            watched: Vec::new(),
            seen,
            current: None,
        }
    }
}

/// Tells of changes at and below a path; made by [`Drive::watch`].
///
/// Keeps asking connected peers for newer versions. At most [`Watch::MAX_DRIVES`] drives are watched
/// at once; more are an error.
#[must_use = "nothing is watched before it is asked"]
pub struct Watch {
    drive: Drive,
    prefix: String,
    /// Empty until the drives were found, and when they have to be found anew.
    watched: Vec<Watched>,
    /// Up to which version each drive was told of.
    seen: Vec<(PublicKey, u64)>,
    /// What is being told: changes of a drive up to a version.
    current: Option<(PublicKey, u64, Changes)>,
}

struct Watched {
    holder: Holder,
    /// The key in this drive below which changes are told of.
    inner: String,
    seen: u64,
}

impl Watch {
    /// The most drives that one watch looks at.
    pub const MAX_DRIVES: usize = 1024;

    /// Waits for the next change. Versions that come faster than they are asked for are told of as
    /// one, so what was there only for a moment is passed over.
    ///
    /// A drive that is mounted is watched from then on; what was in it before is told of by the
    /// change of the mount alone. Cancel-safe. After an error it may be asked again, and goes on with
    /// what comes later.
    pub async fn next(&mut self) -> Result<Change, DriveError> {
        loop {
            if let Some((_, _, changes)) = &mut self.current {
                match changes.next().await {
                    Some(Err(error)) if !matches!(error, DriveError::BadEntry { .. }) => {
                        if let Some((key, version, _)) = self.current.take() {
                            self.pass(key, version);
                        }
                        return Err(error);
                    }
                    Some(change) => return change,
                    None => {
                        if let Some((key, version, _)) = self.current.take() {
                            self.pass(key, version);
                        }
                    }
                }
            }
            if self.watched.is_empty() {
                self.watched = self.find().await?;
                let stood = self.watched.iter();
                self.seen = stood
                    .map(|one| (one.holder.drive().key(), one.seen))
                    .collect();
            }
            self.wait().await?;
        }
    }

    /// How many drives are being watched: 0 until [`next`](Self::next) was asked.
    pub fn drives(&self) -> usize {
        self.watched.len()
    }

    /// Waits until there is something to be told, perhaps nothing below the path.
    async fn wait(&mut self) -> Result<(), DriveError> {
        let waiting = self.watched.iter().map(|watched| {
            let metadata = watched.holder.drive().metadata();
            Box::pin(metadata.wait_longer_than(watched.seen))
        });
        let (version, index, _) = pin!(select_all(waiting)).await;
        let (version, watched) = (version?, &self.watched[index]);
        let now = watched.holder.drive().checkout(version);
        let key = now.key();
        // Where mounts came or went, other drives have to be watched.
        let options = DiffOptions::new().hidden(true);
        let mut records = now.trie.diff(watched.seen, &record(""), options);
        let mut remounted = false;
        loop {
            match records.next().await {
                Ok(Some(change)) => remounted |= !change.is_rewrite(),
                Ok(None) => break,
                Err(error) => {
                    let path = watched.holder.mounted_at();
                    let source = Box::new(error.into());
                    // One drive that cannot be read must not keep the others from being told of.
                    self.pass(key, version);
                    return Err(DriveError::BadMount { path, source });
                }
            }
        }
        let holder = Holder::new(now, watched.holder.at().to_owned());
        let changes = compare::changes(holder.drive(), watched.seen, &watched.inner);
        let changes = changes.map(move |change| match change {
            Ok(change) => Ok(Change {
                path: path::shown(&holder.outer(&change.path[1..])),
                ..change
            }),
            Err(error) => Err(error.below(holder.at())),
        });
        self.current = Some((key, version, changes.boxed()));
        if remounted {
            self.watched.clear();
        }
        Ok(())
    }

    /// Leaves a version of a drive behind.
    fn pass(&mut self, key: PublicKey, version: u64) {
        for (known, seen) in &mut self.seen {
            if *known == key {
                *seen = version;
            }
        }
        for watched in &mut self.watched {
            if watched.holder.drive().key() == key {
                watched.seen = version;
            }
        }
    }

    /// Finds the drives on the way to the path, and those mounted below it.
    async fn find(&mut self) -> Result<Vec<Watched>, DriveError> {
        let mut watched: Vec<Watched> = Vec::new();
        let way = Holder::on_the_way(&self.drive, &self.prefix, true).await?;
        let last = way.last().cloned();
        for holder in way {
            self.add(&mut watched, holder)?;
        }
        let Some(last) = last else { return Ok(watched) };
        let mut mounts = MountWalk::within(Arc::new(last), true);
        loop {
            match mounts.next().await {
                Ok(None) => return Ok(watched),
                Ok(Some(holder)) => {
                    if path::below(holder.at(), &self.prefix).is_some() {
                        self.add(&mut watched, Holder::clone(&holder))?;
                    }
                }
                // What is beside it can be watched.
                Err(DriveError::BadMount { .. } | DriveError::BadEntry { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn add(&self, watched: &mut Vec<Watched>, holder: Holder) -> Result<(), DriveError> {
        let key = holder.drive().key();
        // In a version that was mounted nothing changes any more.
        let pinned = holder.drive().checked_out().is_some();
        if pinned || watched.iter().any(|one| one.holder.drive().key() == key) {
            return Ok(());
        }
        if watched.len() == Self::MAX_DRIVES {
            let limit = Self::MAX_DRIVES;
            return Err(DriveError::TooManyMounts { limit });
        }
        let known = self.seen.iter().find(|(known, _)| *known == key);
        let seen = known.map_or(holder.drive().version(), |(_, seen)| *seen);
        let inner = path::below(&self.prefix, holder.at()).unwrap_or_default();
        watched.push(Watched {
            inner: inner.to_owned(),
            holder,
            seen,
        });
        Ok(())
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("prefix", &self.prefix)
            .field("drives", &self.watched.len())
            .finish_non_exhaustive()
    }
}
