//! What changed between versions, and the way back to one.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use hypertrie::IterOptions;

use crate::compare::{self, changes};
use crate::{Drive, DriveError, Holder, Stat, path, tags};

/// An entry that differs between two versions.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// The entry's path from the root of the drive.
    pub path: String,
    /// The entry in the older version; `None` if it was not there.
    pub before: Option<Stat>,
    /// The entry in the newer version; `None` if it is gone.
    pub after: Option<Stat>,
}

/// What happened to an entry.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It was written: a file, a directory or a symlink, new or in place of another entry.
    Put,
    /// It was removed.
    Removed,
    /// A drive was mounted.
    Mounted,
    /// A mounted drive was taken away.
    Unmounted,
}

impl Change {
    /// What happened to the entry.
    pub fn kind(&self) -> ChangeKind {
        let is_mount = |stat: &Stat| {
            let mount = stat.mount.as_ref();
            mount.is_some_and(|mount| mount.hypercore != Some(true))
        };
        match (&self.before, &self.after) {
            (_, Some(after)) if is_mount(after) => ChangeKind::Mounted,
            (_, Some(_)) => ChangeKind::Put,
            (Some(before), None) if is_mount(before) => ChangeKind::Unmounted,
            (_, None) => ChangeKind::Removed,
        }
    }
}

/// What [`Drive::revert`] did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Reverted {
    /// The drive's version now.
    pub version: u64,
    /// Paths at which a drive was mounted, and is not any more.
    pub dropped_mounts: Vec<String>,
}

impl Drive {
    /// The entries at and below a path that differ between version `since` and the version looked
    /// at, in the order of the trie.
    ///
    /// Parts that are the same in both are not read. A mount that came or went is one change. Where
    /// another version of the same drive is mounted than before, that is a change, and what differs
    /// between the two versions follows. A drive that is mounted without a version leaves no trace in
    /// this one when it changes: compare [its](Self::holder) versions.
    pub fn diff(&self, since: u64, path: &str) -> DiffStream {
        DiffStream::new(compare::between(self.clone(), since, path::clean(path)))
    }

    /// What happened at and below a path, the newest change first, each with the version that it
    /// made.
    ///
    /// A removal is told like any other change. Every version is looked at, so this costs as much
    /// time as the drive has versions; the first changes come at once.
    ///
    /// Of a path that leads into a mounted drive, it is that one's changes that are told, with its
    /// versions.
    pub fn history(&self, path: &str) -> History {
        let (drive, key) = (self.clone(), path::clean(path));
        let changes = async move {
            let way = Holder::on_the_way(&drive, &key, true).await?;
            let holder = way.into_iter().next_back();
            let holder = holder.unwrap_or_else(|| Holder::new(drive, String::new()));
            let inner = path::below(&key, holder.at()).unwrap_or_default();
            let changes = holder.drive().history_here(inner);
            Ok::<_, DriveError>(changes.map(move |change| match change {
                Ok((version, change)) => {
                    let path = path::shown(&holder.outer(&change.path[1..]));
                    Ok((version, Change { path, ..change }))
                }
                Err(error) => Err(DriveError::below(error, holder.at())),
            }))
        };
        History {
            changes: Some(stream::once(changes).try_flatten().boxed()),
        }
    }

    fn history_here(&self, key: &str) -> BoxStream<'static, Result<(u64, Change), DriveError>> {
        let (drive, key) = (self.clone(), key.to_owned());
        let metadata = self.metadata().clone();
        // A peer is asked for many versions at once, and they are looked at one by one.
        let ends = (1..=self.version()).rev().step_by(FETCHED);
        let fetched = stream::iter(ends).then(move |end| {
            let versions = end.saturating_sub(FETCHED as u64) + 1..end + 1;
            let download = metadata.download(versions.start - 1..end);
            async move { download.await.map(|()| versions) }
        });
        let changes = fetched.flat_map(move |versions| match versions {
            Err(error) => stream::iter([Err(error.into())]).boxed(),
            Ok(versions) => {
                let (drive, key) = (drive.clone(), key.clone());
                let each = stream::iter(versions.rev());
                each.flat_map(move |version| {
                    changes(&drive.checkout(version), version - 1, &key)
                        .map(move |change| change.map(|change| (version, change)))
                })
                .boxed()
            }
        });
        changes.boxed()
    }

    /// Makes the drive look as it did at an older version. That is a new version; the ones between
    /// stay readable.
    ///
    /// Tags stay as they are now. Mounts are those of the old version; the ones that go missing are
    /// told. Nothing happens if no version is newer than the one given.
    pub async fn revert(&self, version: u64) -> Result<Reverted, DriveError> {
        let mut batch = self.begin().await?;
        let now = self.snapshot();
        let version = version.max(1);
        if version >= now.version() {
            return Ok(Reverted {
                version: now.version(),
                dropped_mounts: Vec::new(),
            });
        }
        let then = now.checkout(version);
        let (tags_now, mut tags_then) = (now.tags().await?, then.tags().await?);
        let mounts_then = mounts(&then).await?;
        let dropped_mounts = mounts(&now).await?.into_keys();
        let dropped_mounts = dropped_mounts
            .filter(|path| !mounts_then.contains_key(path))
            .collect();

        batch.revert(version).await?;
        for (name, version) in tags_now {
            if tags_then.remove(&name) != Some(version) {
                tags::put_tag(&mut batch, &tags::tag_key(&name)?, version).await?;
            }
        }
        for name in tags_then.into_keys() {
            let hidden = hypertrie::PutOptions::new().hidden(true);
            batch.del_with(&tags::tag_key(&name)?, hidden).await?;
        }
        batch.commit()?;
        Ok(Reverted {
            version: self.version(),
            dropped_mounts,
        })
    }
}

/// The mounts of a drive by path, those in mounted drives left out.
async fn mounts(drive: &Drive) -> Result<BTreeMap<String, hypertrie::Mount>, DriveError> {
    let mut mounts = BTreeMap::new();
    let mut records = drive.trie.iter("mounts", IterOptions::new().hidden(true));
    while let Some(record) = records.next().await? {
        if let Ok(Some(mount)) = record.mount() {
            mounts.insert(path::shown(&mount.path), mount);
        }
    }
    Ok(mounts)
}

/// The entries that differ between two versions; made by [`Drive::diff`]. A stream as well.
///
/// After an error of the kind [`DriveError::BadEntry`] it goes on, after any other one it ends.
/// Cancel-safe.
#[must_use = "nothing is compared before it is asked"]
pub struct DiffStream {
    /// `None` at the end.
    changes: Option<BoxStream<'static, Result<Change, DriveError>>>,
}

impl DiffStream {
    fn new(changes: impl Stream<Item = Result<Change, DriveError>> + Send + 'static) -> Self {
        Self {
            changes: Some(changes.boxed()),
        }
    }

    /// The next change; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Change, DriveError>> {
        StreamExt::next(self).await
    }
}

impl Stream for DiffStream {
    type Item = Result<Change, DriveError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_until_failure(&mut self.changes, cx)
    }
}

impl std::fmt::Debug for DiffStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DiffStream")
    }
}

/// What happened at a path, with the versions; made by [`Drive::history`]. A stream as well.
///
/// After an error of the kind [`DriveError::BadEntry`] it goes on, after any other one it ends.
/// Cancel-safe.
#[must_use = "nothing is looked up before it is asked"]
pub struct History {
    /// `None` at the end.
    changes: Option<BoxStream<'static, Result<(u64, Change), DriveError>>>,
}

impl History {
    /// The next change, older than the one before, and the version that it made; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<(u64, Change), DriveError>> {
        StreamExt::next(self).await
    }
}

impl Stream for History {
    type Item = Result<(u64, Change), DriveError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        poll_until_failure(&mut self.changes, cx)
    }
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("History")
    }
}

/// Takes the next item of a stream, and lets go of the stream when it cannot go on.
pub(crate) fn poll_until_failure<T>(
    stream: &mut Option<BoxStream<'static, Result<T, DriveError>>>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<T, DriveError>>> {
    let Some(items) = stream else {
        return Poll::Ready(None);
    };
    let item = ready!(items.as_mut().poll_next(cx));
    if !matches!(
        item,
        Some(Ok(_) | Err(DriveError::BadEntry { .. } | DriveError::BadMount { .. }))
    ) {
        *stream = None;
    }
    Poll::Ready(item)
}

/// How many versions are fetched at once.
const FETCHED: usize = 256;
