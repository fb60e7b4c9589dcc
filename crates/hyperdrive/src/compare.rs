//! Differences between versions, through mounts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use hypertrie::{DiffOptions, MAX_MOUNT_DEPTH, Node};

use crate::lookup::{decode, mount_at};
use crate::walk::MAX_MOUNTS;
use crate::{Change, Drive, DriveError, Holder, Mount, path};

/// Changes with their paths, as a stream that may go on after errors that concern one entry.
pub(crate) type Changes = BoxStream<'static, Result<Change, DriveError>>;

impl Holder {
    /// The drives on the way to a key of the drive that was asked, that one first, the one that
    /// holds the key last. Symlinks are not followed. With `into`, a mount at the key itself is gone
    /// into.
    pub(crate) async fn on_the_way(
        drive: &Drive,
        key: &str,
        into: bool,
    ) -> Result<Vec<Self>, DriveError> {
        let mut last = Self::new(drive.clone(), String::new());
        let mut all = vec![last.clone()];
        loop {
            let inner = path::below(key, last.at()).unwrap_or_default();
            let trie = &last.drive().trie;
            let Some(record) = trie.mount_above(inner).await? else {
                return Ok(all);
            };
            if !into && record.strip(inner) == Some("") {
                return Ok(all);
            }
            let entry = trie.get(&record.path).await?;
            let flags = entry.map(|entry| entry.flags);
            let Some(mount) = mount_at(trie, &record.path, flags).await? else {
                return Ok(all);
            };
            if all.len() > MAX_MOUNT_DEPTH {
                let limit = MAX_MOUNT_DEPTH;
                return Err(DriveError::TooManyMounts { limit });
            }
            last = last.enter(&mount).await?;
            all.push(last.clone());
        }
    }

    /// The drive that holds a key, and the key there.
    pub(crate) async fn of(drive: &Drive, key: &str) -> Result<(Self, String), DriveError> {
        let mut all = Self::on_the_way(drive, key, false).await?;
        let holder = match all.pop() {
            Some(holder) => holder,
            None => Self::new(drive.clone(), String::new()),
        };
        let inner = path::below(key, holder.at()).unwrap_or_default().to_owned();
        Ok((holder, inner))
    }
}

/// The changes at and below a key that lead from a version of a drive to the one looked at.
pub(crate) fn between(drive: Drive, since: u64, key: String) -> Changes {
    let changes = async move {
        let then = drive.checkout(since);
        let (left, inner) = Holder::of(&drive, &key).await?;
        let (right, other) = Holder::of(&then, &key).await?;
        let budget = Arc::new(AtomicUsize::new(MAX_MOUNTS));
        let depth = MAX_MOUNT_DEPTH;
        if left.at() == right.at() && left.drive().key() == right.drive().key() {
            let version = right.drive().version();
            return Ok::<_, DriveError>(in_place(left, version, &inner, depth, budget));
        }
        // Two drives that have nothing in common: all of one goes, all of the other comes.
        let version = right.drive().version();
        let nothing = Holder::new(right.drive().checkout(1), right.at().to_owned());
        let gone = in_place(nothing, version, &other, depth, Arc::clone(&budget));
        Ok(gone.chain(in_place(left, 1, &inner, depth, budget)).boxed())
    };
    stream::once(changes).try_flatten().boxed()
}

/// The changes in a drive that is mounted somewhere. Where it has another version of the same drive
/// mounted than before, what differs between these follows.
fn in_place(
    left: Holder,
    since: u64,
    key: &str,
    depth: usize,
    budget: Arc<AtomicUsize>,
) -> Changes {
    let changes = changes(left.drive(), since, key);
    let changes = changes.flat_map(move |change| -> Changes {
        let change = match change {
            Ok(change) => change,
            Err(error) => return stream::iter([Err(error.below(left.at()))]).boxed(),
        };
        let inner = change.path[1..].to_owned();
        let versions = mounted_versions(&change);
        let change = Change {
            path: path::shown(&left.outer(&inner)),
            ..change
        };
        let first = stream::iter([Ok(change)]);
        let Some((mount, before)) = versions else {
            return first.boxed();
        };
        let (left, budget) = (left.clone(), Arc::clone(&budget));
        let within = async move {
            let mounted = hypertrie::Mount::new(&inner, *mount.key.as_bytes())
                .at_version(mount.version.unwrap_or(0));
            let mounted = left.enter(&mounted).await?;
            let spent = budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
            if spent.is_err() {
                return Err(DriveError::TooManyMounts { limit: MAX_MOUNTS });
            }
            let Some(depth) = depth.checked_sub(1) else {
                let limit = MAX_MOUNT_DEPTH;
                return Err(DriveError::TooManyMounts { limit });
            };
            let newest = || mounted.drive().metadata().length();
            let before = before.unwrap_or_else(newest);
            Ok(in_place(mounted, before, "", depth, budget))
        };
        first.chain(stream::once(within).try_flatten()).boxed()
    });
    changes.boxed()
}

/// If a change is that of the version in which a drive is mounted: the mount now, and the version
/// before.
fn mounted_versions(change: &Change) -> Option<(Mount, Option<u64>)> {
    let (before, after) = (change.before.as_ref()?, change.after.as_ref()?);
    let (before, after) = (before.mount.as_ref()?, after.mount.as_ref()?);
    let version = |mount: &Mount| mount.version.filter(|version| *version > 0);
    let same = before.key == after.key && !before.is_log() && !after.is_log();
    let changed = version(before) != version(after);
    (same && changed).then(|| (after.clone(), version(before)))
}

/// The changes that lead from one version to the one looked at, mounted drives left out.
pub(crate) fn changes(
    drive: &Drive,
    since: u64,
    key: &str,
) -> impl Stream<Item = Result<Change, DriveError>> + Send + use<> {
    let changes = drive.trie.diff(since, key, DiffOptions::new());
    changes.filter_map(async |change| match change {
        Ok(change) if change.is_rewrite() => None,
        Ok(change) => Some(entries(change)),
        Err(error) => Some(Err(error.into())),
    })
}

fn entries(change: hypertrie::Change) -> Result<Change, DriveError> {
    let entry = |node: Option<Node>| {
        node.map(|node| Ok(decode(node.key.clone(), &node)?.stat))
            .transpose()
    };
    // An entry that cannot be read does not hide that there is one now that can.
    let (before, after) = (entry(change.right), entry(change.left)?);
    Ok(Change {
        path: path::shown(&change.key),
        before: match before {
            Err(DriveError::BadEntry { .. }) if after.is_some() => None,
            before => before?,
        },
        after,
    })
}
